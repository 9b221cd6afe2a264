"""The pretend account's workspaces and guardrails.

The rule of this file: each function adds the endpoints of one group to a router. What counts
towards a limit is kept in the ledger, which says what the limits refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from openrouter_async.testing._ledger import INTERVALS, WORKSPACE, Ledger
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._organization import ORGANIZATION, PEOPLE
from openrouter_async.testing._store import (
    Call,
    Router,
    Row,
    Rows,
    filtered,
    made,
    maker,
    now,
    page,
)

__all__ = ["add_guardrails", "add_workspaces"]

_PAGE: Final = 50
_BOSS: Final = next(iter(PEOPLE))


def add_guardrails(router: Router, ledger: Ledger) -> None:
    """Add ``/guardrails`` with their assignments."""
    rows = ledger.guardrails
    make = maker(workspace_id=WORKSPACE, include_byok_in_budgets=False)

    def update(call: Call) -> Row:
        """A workspace's default guardrail is there once it says something."""
        id, body = call.at[0], call.body()
        home = ledger.workspaces.find(default_guardrail_id=id)
        if home is not None and "name" in body:
            raise RefusedError(
                400, "The name of a workspace's default guardrail is the workspace's"
            )
        if home is not None and rows.find(id=id) is None:
            rows.add({**make({"name": home["name"], "workspace_id": home["id"]}), "id": id})
        row = rows.get(id)
        row.update(body, updated_at=now())
        return {"data": row}

    def delete(call: Call) -> Row:
        ledger.remove_guardrail(call.at[0])
        return {"deleted": True}

    def keys(hash: str) -> Row:
        row = ledger.keys.find(hash=hash) or {"name": "", "label": ""}
        return {"key_hash": hash, "key_name": row["name"], "key_label": row["label"]}

    def members(user: str) -> Row:
        return {"user_id": user, "organization_id": ORGANIZATION}

    router.on("GET /guardrails", filtered(rows, workspace_id=WORKSPACE), management=True)
    router.on("PATCH /guardrails/{id}", update, management=True)
    router.on("DELETE /guardrails/{id}", delete, management=True)
    _add_assignments(router, "keys", "key_hashes", rows, ledger.key_assignments, keys)
    _add_assignments(router, "members", "member_user_ids", rows, ledger.member_assignments, members)
    router.keep("/guardrails", rows, make=make, only=("create", "get"))


def _add_assignments(
    router: Router,
    kind: str,
    field: str,
    guardrails: Rows,
    assigned: Rows,
    about: Callable[[str], Row],
) -> None:
    """Add the assignments of one kind.

    Args:
        router: What they are added to.
        kind: What is assigned, as the path says it.
        field: What is assigned, as a body says it.
        guardrails: What it is assigned to.
        assigned: Where the assignments are kept.
        about: What there is to say of one who is assigned.
    """

    def listed(call: Call) -> Row:
        own = assigned.all(guardrail_id=guardrails.get(call.at[0])["id"])
        return page(own, call.query, _PAGE)

    def assign(call: Call) -> Row:
        guardrail, named = guardrails.get(call.at[0])["id"], call.body(field)[field]
        for one in named:
            row = made(guardrail_id=guardrail, assigned_by=_BOSS, **about(one))
            assigned.add({**row, "id": _id_of(guardrail, one)})
        return {"assigned_count": len(named)}

    def unassign(call: Call) -> Row:
        guardrail, named = guardrails.get(call.at[0])["id"], call.body(field)[field]
        return {"unassigned_count": sum(assigned.drop(id=_id_of(guardrail, one)) for one in named)}

    path = f"/guardrails/{{id}}/assignments/{kind}"
    router.on(f"GET /guardrails/assignments/{kind}", filtered(assigned), management=True)
    router.on(f"GET {path}", listed, management=True)
    router.on(f"POST {path}", assign, management=True)
    router.on(f"POST {path}/remove", unassign, management=True)


def add_workspaces(router: Router, ledger: Ledger) -> None:
    """Add ``/workspaces``; the default one is there from the start, with everybody in it."""
    rows, members = ledger.workspaces, Rows()

    def make(body: Row) -> Row:
        _refuse_if_taken(rows, body)
        return {**_settings(), **body}

    def found(call: Call) -> Row:
        return rows.find(slug=call.at[0]) or rows.get(call.at[0])

    def update(call: Call) -> Row:
        row, body = found(call), call.body()
        _refuse_if_taken(rows, body, but=row["id"])
        row.update(body, updated_at=now())
        return {"data": row}

    def delete(call: Call) -> Row:
        id = found(call)["id"]
        sure = call.query.get("confirm_default_workspace_deletion") == "true"
        if id == WORKSPACE and not sure:
            raise RefusedError(400, "confirm_default_workspace_deletion: Required")
        if ledger.keys.find(workspace_id=id, disabled=False) is not None:
            raise RefusedError(400, "The workspace has active API keys")
        for guardrail in ledger.guardrails.all(workspace_id=id):
            ledger.remove_guardrail(guardrail["id"])
        ledger.budgets.drop(workspace_id=id)
        members.drop(workspace_id=id)
        rows.remove(id)
        return {"deleted": True}

    one = "/workspaces/{id}"
    rows.add({**_settings(), "name": "Default", "slug": "default", "id": WORKSPACE})
    for user in PEOPLE:
        members.add(_membership(WORKSPACE, user))
    router.on(f"GET {one}", lambda call: {"data": found(call)}, management=True)
    router.on(f"PATCH {one}", update, management=True)
    router.on(f"DELETE {one}", delete, management=True)
    router.keep("/workspaces", rows, make=make, needed=("name", "slug"), only=("list", "create"))
    _add_budgets(router, found, ledger.budgets)
    _add_members(router, found, members)


def _settings() -> Row:
    return made(
        **dict.fromkeys(("description", "default_text_model", "default_image_model")),
        **dict.fromkeys(("default_provider_sort", "io_logging_api_key_ids")),
        default_guardrail_id=str(uuid4()),
        include_byok_in_budgets=False,
        io_logging_sampling_rate=1.0,
        is_data_discount_logging_enabled=False,
        is_observability_broadcast_enabled=False,
        is_observability_io_logging_enabled=False,
        created_by=_BOSS,
    )


def _refuse_if_taken(rows: Rows, body: Row, but: str | None = None) -> None:
    row = rows.find(slug=body["slug"]) if "slug" in body else None
    if row is not None and row["id"] != but:
        raise RefusedError(400, f"slug: {row['slug']} is taken")


def _add_budgets(router: Router, found: Callable[[Call], Row], budgets: Rows) -> None:
    def about(workspace: Row, data: object) -> Row:
        return {"data": data, "include_byok_in_budgets": workspace["include_byok_in_budgets"]}

    def place(call: Call) -> str:
        if call.at[1] not in INTERVALS:
            raise RefusedError(400, f"interval: {call.at[1]} is none of {', '.join(INTERVALS)}")
        return _id_of(found(call)["id"], call.at[1])

    def listed(call: Call) -> Row:
        workspace = found(call)
        return about(workspace, budgets.all(workspace_id=workspace["id"]))

    def get(call: Call) -> Row:
        return about(found(call), budgets.get(place(call)))

    def put(call: Call) -> Row:
        workspace, id, body = found(call), place(call), call.body("limit_usd")
        _refuse_if_out_of_order(budgets, workspace["id"], call.at[1], body["limit_usd"])
        if "include_byok_in_budgets" in body:
            workspace["include_byok_in_budgets"] = body["include_byok_in_budgets"]
        interval = None if call.at[1] == "lifetime" else call.at[1]
        row = budgets.find(id=id) or made(workspace_id=workspace["id"], reset_interval=interval)
        row |= {"id": id, "limit_usd": body["limit_usd"], "updated_at": now()}
        return about(workspace, budgets.add(row))

    def delete(call: Call) -> Row:
        budgets.drop(id=place(call))
        return {"deleted": True}

    path = "/workspaces/{id}/budgets"
    router.on(f"GET {path}", listed, management=True)
    router.on(f"GET {path}/{{interval}}", get, management=True)
    router.on(f"PUT {path}/{{interval}}", put, management=True)
    router.on(f"DELETE {path}/{{interval}}", delete, management=True)


def _refuse_if_out_of_order(budgets: Rows, workspace: str, interval: str, limit: float) -> None:
    """The narrower the interval, the smaller its limit has to be."""
    place = INTERVALS.index(interval)
    for row in budgets.all(workspace_id=workspace):
        other = INTERVALS.index(row["reset_interval"] or "lifetime")
        if (other < place and limit >= row["limit_usd"]) or (
            other > place and limit <= row["limit_usd"]
        ):
            raise RefusedError(
                400, f"limit_usd: {INTERVALS[other]} is {row['limit_usd']:g}; limits must decrease"
            )


def _add_members(router: Router, found: Callable[[Call], Row], members: Rows) -> None:
    def listed(call: Call) -> Row:
        return page(members.all(workspace_id=found(call)["id"]), call.query, _PAGE)

    def add(call: Call) -> Row:
        workspace, users = found(call)["id"], call.body("user_ids")["user_ids"]
        before = len(members.all())
        data = [members.add(_membership(workspace, user)) for user in users]
        return {"added_count": len(members.all()) - before, "data": data}

    def remove(call: Call) -> Row:
        workspace, users = found(call)["id"], call.body("user_ids")["user_ids"]
        return {"removed_count": sum(members.drop(id=_id_of(workspace, user)) for user in users)}

    path = "/workspaces/{id}/members"
    router.on(f"GET {path}", listed, management=True)
    router.on(f"POST {path}/add", add, management=True)
    router.on(f"POST {path}/remove", remove, management=True)


def _membership(workspace: str, user: str) -> Row:
    role = PEOPLE.get(user, "org:member").removeprefix("org:")
    row = made(user_id=user, workspace_id=workspace, role=role)
    return {**row, "id": _id_of(workspace, user)}


def _id_of(*names: str) -> str:
    """Give the id of what belongs to others, which is the same whenever it is asked for."""
    return str(uuid5(NAMESPACE_URL, "/".join(names)))
