"""The pretend account's external users and private endpoints.

The rule of this file: each function adds the endpoints of one group to a router; the rows that
they keep are those of one emulator.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._store import Call, Router, Row, Rows, now, page

__all__ = ["add_external_users", "add_private_endpoints"]

_PAGE: Final = 50
_PRICES: Final = {"prompt": "0", "completion": "0"}
_SHORT: Final = (
    *("id", "status", "model_name", "model_permaslug", "model_slug", "provider_name"),
    *("created_at", "declared_region", "declared_zdr"),
)


def add_external_users(router: Router) -> None:
    """Add ``/external-users``."""
    rows = Rows("user")

    def listed(call: Call) -> Row:
        everybody = call.query.get("include_inactive") == "true"
        wanted = call.query.get("user")
        shown = [
            row
            for row in rows.all()
            if (everybody or row["is_active"]) and wanted in (None, row["user"])
        ]
        return page(shown, call.query, _PAGE)

    def create(call: Call) -> Row:
        user = call.body("user")["user"]
        if any(row["user"] == user for row in rows.all()):
            raise RefusedError(409, f"External user {user} exists already")
        made = {"user": user, "is_active": True, "created_at": now(), "updated_at": now()}
        return {"data": rows.add(made)}

    router.on("GET /external-users", listed, management=True)
    router.on("POST /external-users", create, status=201, management=True)
    router.keep("/external-users", rows, make=dict, only=("get", "update", "delete"))


def add_private_endpoints(router: Router) -> None:
    """Add ``/private-endpoints``."""
    rows = Rows()
    made_by: dict[str, str] = {}

    def listed(call: Call) -> Row:
        return {"data": [_short(row) for row in rows.all()]}

    def create(call: Call) -> Row:
        body = call.body("model_permaslug", "provider_slug", "upstream_model_id")
        once = call.request.headers.get("Idempotency-Key")
        if once in made_by:
            return {"data": _short(rows.get(made_by[once]))}
        made = rows.add(_endpoint(body))
        if once is not None:
            made_by[once] = made["id"]
        return {"data": _short(made)}

    def delete(call: Call) -> Row:
        row = rows.get(call.at[0])
        if call.query.get("draft_only") == "true" and row["status"] != "draft":
            raise RefusedError(409, "The endpoint is not a draft")
        rows.remove(row["id"])
        return {"data": {"id": row["id"]}}

    def validate(call: Call) -> Row:
        rows.get(call.at[0]).update(validated=call.body("workspace_id")["workspace_id"])
        return {"data": {"passed": True, "checks": [{"name": "reachable", "passed": True}]}}

    def becomes(status: str, *before: str) -> Any:
        def change(call: Call) -> Row:
            row = rows.get(call.at[0])
            if row["status"] not in before:
                raise RefusedError(409, f"The endpoint is {row['status']}")
            if row["status"] == "draft" and "validated" not in row:
                raise RefusedError(409, "The endpoint is not validated")
            row["status"] = status
            return {"data": _short(row)}

        return change

    def priced(call: Call) -> Row:
        row = rows.get(call.at[0])
        row.update(call.body("pricing"))
        return {"data": row}

    router.on("GET /private-endpoints", listed, management=True)
    router.on("POST /private-endpoints", create, status=201, management=True)
    router.on("DELETE /private-endpoints/{id}", delete, management=True)
    router.keep("/private-endpoints", rows, make=dict, only=("get", "update"))
    router.on("POST /private-endpoints/{id}/validate", validate, management=True)
    router.on("POST /private-endpoints/{id}/activate", becomes("active", "draft"), management=True)
    router.on(
        "POST /private-endpoints/{id}/disable", becomes("disabled", "active"), management=True
    )
    router.on("POST /private-endpoints/{id}/enable", becomes("active", "disabled"), management=True)
    router.on("PUT /private-endpoints/{id}/pricing", priced, management=True)


def _short(row: Row) -> Row:
    return {name: row[name] for name in _SHORT}


def _endpoint(body: Row) -> Row:
    slug = str(body["model_permaslug"])
    return {
        "id": f"endpoint-{secrets.token_hex(8)}",
        "status": "draft" if body.get("activate") is None else "active",
        "model_name": slug.rpartition("/")[2],
        "model_permaslug": slug,
        "model_slug": slug,
        "provider_name": str(body["provider_slug"]).title(),
        "provider_slug": body["provider_slug"],
        "upstream_model_id": body["upstream_model_id"],
        "base_url": body.get("base_url"),
        "declared_region": body.get("declared_region"),
        "declared_zdr": body.get("declared_zdr"),
        "pricing": body.get("pricing", _PRICES),
        "created_at": now(),
    }
