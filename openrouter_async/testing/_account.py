"""The pretend account: its API keys, its money, its activity and its generations.

The rule of this file: each function adds the endpoints of one group to a router; the rows that
they keep are those of one emulator.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from openrouter_async.testing._build import http_error
from openrouter_async.testing._ledger import WORKSPACE, Ledger, hash_of
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Call, Router, Row, key_in, now, page

__all__ = ["Records", "add_account", "add_generations", "add_keys"]

Records: TypeAlias = Mapping[str, dict[str, Any]]
"""What was generated, by its id."""

_NO_USE: Final[dict[str, Any]] = {
    f"{kind}{period}": 0
    for kind in ("usage", "byok_usage")
    for period in ("", "_daily", "_weekly", "_monthly")
}
_PAGE: Final = 100


_BOUGHT: Final = 100.0
_METRICS: Final = {"request_count": "number", "total_tokens": "number", "total_usage": "currency"}
_DIMENSIONS: Final = ("model", "provider")
_GONE: Final = (
    "The Coinbase APIs used by this endpoint have been deprecated, so the Coinbase Commerce "
    "credits API has been removed. Use the web credits purchase flow instead."
)


def add_keys(router: Router, ledger: Ledger) -> Callable[[Row], str]:
    """Add ``/keys`` and ``/key``; give what makes a key.

    Args:
        router: What they are added to.
        ledger: What they have spent.
    """
    rows = ledger.keys

    def listed(call: Call) -> Row:
        wanted = call.query.get("include_disabled") == "true"
        shown = [row for row in rows.all() if wanted or not row["disabled"]]
        return {"data": page(shown, call.query, _PAGE)["data"]}

    def made(body: Row) -> str:
        key = f"sk-or-v1-{secrets.token_hex(32)}"
        rows.add(_key_row(key, body))
        return key

    def create(call: Call) -> Row:
        key = made(call.body("name"))
        return {"key": key, "data": rows.all()[-1]}

    router.on("GET /keys", listed, management=True)
    router.on("POST /keys", create, status=201, management=True)
    router.keep("/keys", rows, make=dict, only=("get", "update", "delete"))
    router.on("GET /key", lambda call: {"data": _current_key(key_in(call.request), ledger)})
    return made


def add_account(router: Router, records: Records) -> None:
    """Add ``/credits``, ``/activity`` and ``/analytics``.

    Args:
        router: What they are added to.
        records: What they tell of.
    """

    def credits(_: Call) -> Row:
        used = sum(record["total_cost"] for record in records.values())
        return {"data": {"total_credits": _BOUGHT, "total_usage": used}}

    def gone(_: Call) -> Reply:
        return http_error(410, _GONE)

    router.on("GET /credits", credits, management=True)
    router.on("POST /credits/coinbase", gone, public=True)
    router.on("GET /activity", lambda call: {"data": _activity(records, call)}, management=True)
    router.on("GET /analytics/meta", lambda _: {"data": _meta()}, management=True)
    router.on(
        "POST /analytics/query",
        lambda call: {"data": _figures(records, call.body("metrics"))},
        management=True,
    )


def add_generations(router: Router, records: Records, contents: Records) -> None:
    """Add ``/generation`` and what is below it.

    Args:
        router: What they are added to.
        records: What was generated.
        contents: What was said.
    """

    def found(kept: Records, id: str) -> Row:
        if id not in kept:
            raise RefusedError(404, f"Generation {id} not found")
        return kept[id]

    def feedback(call: Call) -> Row:
        found(records, call.body("generation_id", "category")["generation_id"])
        return {"data": {"success": True}}

    def one(kept: Records) -> Callable[[Call], Row]:
        return lambda call: {"data": found(kept, call.query.get("id", ""))}

    router.on("GET /generation", one(records))
    router.on("GET /generation/content", one(contents))
    router.on("POST /generation/feedback", feedback, management=True)


def _activity(records: Records, call: Call) -> list[Row]:
    rows: dict[tuple[str, str, str], Row] = {}
    for record in records.values():
        place = (record["created_at"][:10], record["model"], record["provider_name"])
        if call.query.get("date", place[0]) != place[0]:
            continue
        row = rows.setdefault(place, _no_activity(*place))
        row["requests"] += 1
        row["usage"] += record["total_cost"]
        row["prompt_tokens"] += record["tokens_prompt"]
        row["completion_tokens"] += record["tokens_completion"]
        row["reasoning_tokens"] += record["native_tokens_reasoning"]
    return list(rows.values())


def _no_activity(date: str, model: str, provider: str) -> Row:
    counts = ("requests", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens")
    return {
        "date": date,
        "model": model,
        "model_permaslug": model,
        "endpoint_id": str(uuid5(NAMESPACE_URL, f"{model}@{provider}")),
        "provider_name": provider,
        "usage": 0.0,
        "byok_usage_inference": 0.0,
        **dict.fromkeys(counts, 0),
    }


def _meta() -> Row:
    return {
        "metrics": [
            {"name": name, "display_label": _label(name), "display_format": form, "is_rate": False}
            for name, form in _METRICS.items()
        ],
        "dimensions": [{"name": name, "display_label": _label(name)} for name in _DIMENSIONS],
        "operators": [{"name": "eq", "value_type": "scalar"}],
        "granularities": [{"name": "day", "display_label": "Day"}],
    }


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _figures(records: Records, query: Row) -> Row:
    dimensions: list[str] = query.get("dimensions") or []
    metrics: list[str] = query["metrics"]
    for kind, names, known in (
        ("metric", metrics, _METRICS),
        ("dimension", dimensions, _DIMENSIONS),
    ):
        for name in names:
            if name not in known:
                raise RefusedError(400, f"Unknown {kind}: {name}")
    sums: dict[tuple[str, ...], Row] = defaultdict(lambda: dict.fromkeys(_METRICS, 0))
    for record in records.values():
        values = {"model": record["model"], "provider": record["provider_name"]}
        row = sums[tuple(values[name] for name in dimensions)]
        row["request_count"] += 1
        row["total_tokens"] += record["tokens_prompt"] + record["tokens_completion"]
        row["total_usage"] += record["total_cost"]
    data = [
        {**dict(zip(dimensions, place, strict=True)), **{n: row[n] for n in metrics}}
        for place, row in sums.items()
    ]
    metadata = {"query_time_ms": 1.0, "row_count": len(data), "truncated": False}
    return {"data": data, "metadata": metadata}


def _key_row(key: str, body: Row) -> Row:
    return {
        "hash": hash_of(key),
        "label": f"{key[:12]}...{key[-3:]}",
        "disabled": False,
        "limit": None,
        "limit_remaining": body.get("limit"),
        "limit_reset": None,
        "include_byok_in_limit": False,
        "expires_at": None,
        "workspace_id": WORKSPACE,
        "creator_user_id": None,
        "created_at": now(),
        "updated_at": None,
        **_NO_USE,
        **body,
    }


def _current_key(key: str, ledger: Ledger) -> Row:
    made = ledger.keys.find(hash=hash_of(key))
    budgets = ledger.budgets_of(key)
    spent = ledger.spent if made is None else made["usage"]
    return {
        "label": f"{key[:8]}...{key[-3:]}",
        "limit": made["limit"] if made else None,
        "limit_remaining": made["limit_remaining"] if made else None,
        "limit_reset": made["limit_reset"] if made else None,
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
        "budgets": budgets,
        "effective_budget": min(budgets, key=lambda row: row["remaining_usd"], default=None),
    }
