"""The pretend organization: provider keys, guardrails, destinations, members, presets, workspaces.

The rule of this file: each function adds the endpoints of one group to a router; the rows that
they keep are those of one emulator.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from openrouter_async.testing._ledger import WORKSPACE
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._store import Call, Router, Row, Rows, now, page

__all__ = [
    "add_byok",
    "add_guardrails",
    "add_observability",
    "add_organization",
    "add_presets",
    "add_scim",
    "add_workspaces",
]

_PAGE: Final = 50
_ORGANIZATION: Final = "org-1"
_INTERVALS: Final = ("daily", "weekly", "monthly", "lifetime")
_NOT_KEPT: Final = frozenset({"messages", "input", "stream", "system", "instructions"})
_PEOPLE: Final = (("ada", "org:admin"), ("grace", "org:member"), ("edsger", "org:member"))


def _made(**fields: Any) -> Row:
    return {"id": str(uuid4()), "created_at": now(), "updated_at": now(), **fields}


def _maker(**defaults: Any) -> Callable[[Row], Row]:
    """Give what makes a row of a body: the defaults, and what the body says over them."""
    return lambda body: _made(**{**defaults, **body})


def add_byok(router: Router) -> None:
    """Add ``/byok``. A provider key is forgotten at once, but for its label."""
    rows = Rows()
    defaults = {
        **dict.fromkeys(("name", "allowed_models", "allowed_user_ids", "allowed_api_key_hashes")),
        **dict.fromkeys(("disabled", "is_fallback", "is_required", "is_byok_only"), False),
        "declared_region": None,
        "declared_zdr": None,
        "workspace_id": WORKSPACE,
    }

    def make(body: Row) -> Row:
        key = str(body.pop("key"))
        order = len(rows.all())
        return _made(**{**defaults, **body}, label=f"{key[:4]}...{key[-2:]}", sort_order=order)

    def update(call: Call) -> Row:
        row, body = rows.get(call.at[0]), call.body()
        body.pop("key", None)
        row.update(body)
        return {"data": row}

    only_of = _filtered(rows, "provider", "workspace_id")
    router.on("GET /byok", only_of, management=True)
    router.on("PATCH /byok/{id}", update, management=True)
    router.keep(
        "/byok", rows, make=make, needed=("provider", "key"), only=("create", "get", "delete")
    )


def _filtered(rows: Rows, *names: str) -> Callable[[Call], Row]:
    """Give what lists those rows that are as the query says."""

    def listed(call: Call) -> Row:
        shown = [
            row
            for row in rows.all()
            if all(call.query.get(name) in (None, row.get(name)) for name in names)
        ]
        return page(shown, call.query, _PAGE)

    return listed


def add_guardrails(router: Router) -> None:
    """Add ``/guardrails`` with their assignments."""
    rows, keys, members = Rows(), Rows(), Rows()
    assignments = "/guardrails/{id}/assignments"

    def of(assigned: Rows) -> Callable[[Call], Row]:
        def listed(call: Call) -> Row:
            rows.get(call.at[0])
            own = [row for row in assigned.all() if row["guardrail_id"] == call.at[0]]
            return page(own, call.query, _PAGE)

        return listed

    def assign(assigned: Rows, field: str, name: str, **more: Any) -> Callable[[Call], Row]:
        def put(call: Call) -> Row:
            rows.get(call.at[0])
            named = call.body(field)[field]
            for one in named:
                made = {**_made(guardrail_id=call.at[0], assigned_by="ada"), name: one, **more}
                assigned.add({**made, "id": f"{call.at[0]}/{one}"})
            return {"assigned_count": len(named)}

        return put

    def unassign(assigned: Rows, field: str, name: str) -> Callable[[Call], Row]:
        def take(call: Call) -> Row:
            rows.get(call.at[0])
            named = call.body(field)[field]
            gone = [
                row
                for row in assigned.all()
                if row["guardrail_id"] == call.at[0] and row[name] in named
            ]
            for row in gone:
                assigned.remove(row["id"])
            return {"unassigned_count": len(gone)}

        return take

    kinds: tuple[tuple[str, Rows, str, str, Row], ...] = (
        ("keys", keys, "key_hashes", "key_hash", {"key_name": "ci", "key_label": "sk-or-..."}),
        ("members", members, "member_user_ids", "user_id", {"organization_id": _ORGANIZATION}),
    )
    for kind, assigned, field, name, more in kinds:
        everywhere = _filtered(assigned)
        router.on(f"GET /guardrails/assignments/{kind}", everywhere, management=True)
        router.on(f"GET {assignments}/{kind}", of(assigned), management=True)
        put = assign(assigned, field, name, **more)
        router.on(f"POST {assignments}/{kind}", put, management=True)
        take = unassign(assigned, field, name)
        router.on(f"POST {assignments}/{kind}/remove", take, management=True)
    router.on("GET /guardrails", _filtered(rows, "workspace_id"), management=True)
    make = _maker(workspace_id=WORKSPACE, include_byok_in_budgets=False)
    router.keep("/guardrails", rows, make=make, only=("create", "get", "update", "delete"))


def add_observability(router: Router) -> None:
    """Add ``/observability``."""
    path, rows = "/observability/destinations", Rows()
    make = _maker(
        enabled=True,
        api_key_hashes=None,
        filter_rules=None,
        sampling_rate=1.0,
        privacy_mode=False,
        regions=["global"],
        workspace_id=WORKSPACE,
        broadcast_generation_cost=True,
        broadcast_generation_cost_allocation=False,
        broadcast_generation_identity=False,
        broadcast_generation_request_context=False,
    )
    router.on(f"GET {path}", _filtered(rows, "workspace_id"), management=True)
    router.keep(
        path,
        rows,
        make=make,
        needed=("type", "name", "config"),
        only=("create", "get", "update", "delete"),
    )


def add_organization(router: Router) -> None:
    """Add ``/organization``."""
    settings: Row = {"id": _ORGANIZATION, "is_filtered_model_catalog_enabled": False}
    people = Rows()
    for name, role in _PEOPLE:
        person = {"id": f"user-{name}", "email": f"{name}@example.com", "role": role}
        people.add({**person, "first_name": name.title(), "last_name": None})

    def update(call: Call) -> Row:
        settings.update(call.body("is_filtered_model_catalog_enabled"))
        return {"data": settings}

    router.on("GET /organization/members", _filtered(people), management=True)
    router.on("GET /organization/settings", lambda call: {"data": settings}, management=True)
    router.on("PATCH /organization/settings", update, management=True)


def add_scim(router: Router) -> None:
    """Add ``/scim``: a directory of two groups."""
    groups, mappings, jobs = Rows(), Rows(), Rows()
    for name in ("engineers", "designers"):
        group = _made(display_name=name, external_id=f"ext-{name}", organization_id=_ORGANIZATION)
        groups.add(group)

    def delete(call: Call) -> Row:
        if "keep_members" not in call.query:
            raise RefusedError(400, "keep_members: Required")
        mappings.remove(call.at[0])
        return {"deleted": True}

    def sync(call: Call) -> Row:
        made: Row = {
            **dict.fromkeys(("started_at", "finished_at", "error_message")),
            **dict.fromkeys(("synced_groups", "deleted_groups")),
        }
        id = f"sync-{secrets.token_hex(6)}"
        return {"data": jobs.add({"id": id, "status": "queued", "created_at": now(), **made})}

    def look(call: Call) -> Row:
        """A job gets on each time it is looked at."""
        job = jobs.get(call.at[0])
        if job["status"] == "queued":
            job.update(status="running", started_at=now())
        elif job["status"] == "running":
            synced = len(groups.all())
            job.update(status="succeeded", finished_at=now(), synced_groups=synced)
            job["deleted_groups"] = 0
        return {"data": job}

    path = "/scim/group-mappings"
    router.on(f"DELETE {path}/{{id}}", delete, management=True)
    router.keep(
        path,
        mappings,
        make=_maker(organization_id=_ORGANIZATION),
        needed=("scim_group_id", "workspace_id", "role"),
        only=("list", "create", "get", "update"),
    )
    by_name = _filtered(groups, "display_name", "external_id")
    router.on("GET /scim/groups", by_name, management=True)
    router.on("POST /scim/sync-jobs", sync, status=201, management=True)
    router.on("GET /scim/sync-jobs/{id}", look, management=True)


def add_workspaces(router: Router, budgets: Rows) -> None:
    """Add ``/workspaces`` with budgets and members; the default one is there from the start.

    Args:
        router: What they are added to.
        budgets: Where the budgets are kept.
    """
    rows, members = Rows(), Rows()
    make = _maker(
        **dict.fromkeys(("description", "default_text_model", "default_image_model")),
        **dict.fromkeys(("default_provider_sort", "io_logging_api_key_ids")),
        default_guardrail_id=str(uuid4()),
        include_byok_in_budgets=False,
        io_logging_sampling_rate=1.0,
        is_data_discount_logging_enabled=False,
        is_observability_broadcast_enabled=False,
        is_observability_io_logging_enabled=False,
        created_by="user-ada",
    )
    rows.add({**make({"name": "Default", "slug": "default"}), "id": WORKSPACE})

    def delete(call: Call) -> Row:
        sure = call.query.get("confirm_default_workspace_deletion") == "true"
        if call.at[0] == WORKSPACE and not sure:
            raise RefusedError(400, "confirm_default_workspace_deletion: Required")
        rows.remove(call.at[0])
        return {"deleted": True}

    def about(call: Call, data: object) -> Row:
        return {
            "data": data,
            "include_byok_in_budgets": rows.get(call.at[0])["include_byok_in_budgets"],
        }

    def listed_budgets(call: Call) -> Row:
        own = [row for row in budgets.all() if row["workspace_id"] == call.at[0]]
        return about(call, own)

    def set_budget(call: Call) -> Row:
        workspace, body = rows.get(call.at[0]), call.body("limit_usd")
        if call.at[1] not in _INTERVALS:
            raise RefusedError(400, f"interval: {call.at[1]} is none of {', '.join(_INTERVALS)}")
        if "include_byok_in_budgets" in body:
            workspace["include_byok_in_budgets"] = body["include_byok_in_budgets"]
        made = _made(limit_usd=body["limit_usd"], workspace_id=call.at[0])
        interval = None if call.at[1] == "lifetime" else call.at[1]
        row = budgets.add({**made, "id": "/".join(call.at), "reset_interval": interval})
        return about(call, row)

    def delete_budget(call: Call) -> Row:
        if any(row["id"] == "/".join(call.at) for row in budgets.all()):
            budgets.remove("/".join(call.at))
        return {"deleted": True}

    def listed_members(call: Call) -> Row:
        rows.get(call.at[0])
        own = [row for row in members.all() if row["workspace_id"] == call.at[0]]
        return page(own, call.query, _PAGE)

    def add(call: Call) -> Row:
        rows.get(call.at[0])
        before = len(members.all())
        added = [
            members.add(
                {**_made(user_id=user, workspace_id=call.at[0], role="member")}
                | {"id": f"{call.at[0]}/{user}"}
            )
            for user in call.body("user_ids")["user_ids"]
        ]
        return {"added_count": len(members.all()) - before, "data": added}

    def remove(call: Call) -> Row:
        wanted = {f"{call.at[0]}/{user}" for user in call.body("user_ids")["user_ids"]}
        gone = [row["id"] for row in members.all() if row["id"] in wanted]
        for id in gone:
            members.remove(id)
        return {"removed_count": len(gone)}

    one = "/workspaces/{id}"
    router.on(f"DELETE {one}", delete, management=True)
    router.keep(
        "/workspaces",
        rows,
        make=make,
        needed=("name", "slug"),
        only=("list", "create", "get", "update"),
    )
    router.on(f"GET {one}/budgets", listed_budgets, management=True)
    router.on(
        f"GET {one}/budgets/{{interval}}",
        lambda call: about(call, budgets.get("/".join(call.at))),
        management=True,
    )
    router.on(f"PUT {one}/budgets/{{interval}}", set_budget, management=True)
    router.on(f"DELETE {one}/budgets/{{interval}}", delete_budget, management=True)
    router.on(f"GET {one}/members", listed_members, management=True)
    router.on(f"POST {one}/members/add", add, management=True)
    router.on(f"POST {one}/members/remove", remove, management=True)


def add_presets(router: Router) -> None:
    """Add ``/presets``: saving makes a version, and runs no model."""
    presets, versions = Rows("slug"), dict[str, list[Row]]()

    def save(call: Call) -> Row:
        slug, body = call.at[0], call.body()
        told = body.get("messages") or ()
        said = (message["content"] for message in told if message.get("role") == "system")
        of_preset = versions.setdefault(slug, [])
        preset = next((row for row in presets.all() if row["slug"] == slug), None)
        if preset is None:
            about = dict.fromkeys(("description", "status_updated_at", "creator_user_id"))
            preset = presets.add(
                _made(slug=slug, name=slug, status="active", workspace_id=WORKSPACE, **about)
            )
        version = _made(
            preset_id=preset["id"],
            version=len(of_preset) + 1,
            system_prompt=body.get("system") or body.get("instructions") or next(said, None),
            config={name: body[name] for name in body if name not in _NOT_KEPT},
            creator_id="user-ada",
        )
        of_preset.append(version)
        preset.update(designated_version_id=version["id"], updated_at=now())
        return {"data": {**preset, "designated_version": version}}

    def get(call: Call) -> Row:
        preset = presets.get(call.at[0])
        return {"data": {**preset, "designated_version": versions[call.at[0]][-1]}}

    def one_version(call: Call) -> Row:
        presets.get(call.at[0])
        for version in versions[call.at[0]]:
            if str(version["version"]) == call.at[1]:
                return {"data": version}
        raise RefusedError(404, "Version not found")

    def all_versions(call: Call) -> Row:
        presets.get(call.at[0])
        return page(versions[call.at[0]], call.query, _PAGE)

    router.keep("/presets", presets, make=dict, only=("list",), management=False)
    router.on("GET /presets/{slug}", get)
    router.on("GET /presets/{slug}/versions", all_versions)
    router.on("GET /presets/{slug}/versions/{version}", one_version)
    for dialect in ("chat/completions", "messages", "responses"):
        router.on(f"POST /presets/{{slug}}/{dialect}", save)
