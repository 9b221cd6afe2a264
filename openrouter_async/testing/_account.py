"""The pretend account: its API keys.

The rule of this file: each function adds the endpoints of one group to a router; the rows that
they keep are those of one emulator.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any, Final

from openrouter_async.testing._store import Call, Router, Row, Rows, key_in, now, page

__all__ = ["add_keys"]

_NO_USE: Final[dict[str, Any]] = {
    f"{kind}{period}": 0
    for kind in ("usage", "byok_usage")
    for period in ("", "_daily", "_weekly", "_monthly")
}
_PAGE: Final = 100


def add_keys(router: Router, spent: Callable[[], float]) -> None:
    """Add ``/keys`` and ``/key``.

    Args:
        router: What they are added to.
        spent: Gives the USD that the emulator's answers cost so far.
    """
    rows = Rows("hash")

    def listed(call: Call) -> Row:
        wanted = call.query.get("include_disabled") == "true"
        shown = [row for row in rows.all() if wanted or not row["disabled"]]
        return {"data": page(shown, call.query, _PAGE)["data"]}

    def create(call: Call) -> Row:
        key = f"sk-or-v1-{secrets.token_hex(32)}"
        return {"key": key, "data": rows.add(_key_row(key, call.body("name")))}

    router.on("GET /keys", listed, management=True)
    router.on("POST /keys", create, status=201, management=True)
    router.keep("/keys", rows, make=dict, only=("get", "update", "delete"))
    router.on("GET /key", lambda call: {"data": _current_key(key_in(call.request), spent())})


def _key_row(key: str, body: Row) -> Row:
    return {
        "hash": hashlib.sha256(key.encode()).hexdigest(),
        "label": f"{key[:12]}...{key[-3:]}",
        "disabled": False,
        "limit": None,
        "limit_remaining": body.get("limit"),
        "limit_reset": None,
        "include_byok_in_limit": False,
        "expires_at": None,
        "workspace_id": "0df9e665-d932-5740-b2c7-b52af166bc11",
        "creator_user_id": None,
        "created_at": now(),
        "updated_at": None,
        **_NO_USE,
        **body,
    }


def _current_key(key: str, spent: float) -> Row:
    return {
        "label": f"{key[:8]}...{key[-3:]}",
        "limit": None,
        "limit_remaining": None,
        "limit_reset": None,
        **_NO_USE,
        "usage": spent,
        "usage_daily": spent,
        "usage_weekly": spent,
        "usage_monthly": spent,
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "include_byok_in_limit": False,
        "expires_at": None,
        "rate_limit": {"requests": -1, "interval": "10s"},
    }
