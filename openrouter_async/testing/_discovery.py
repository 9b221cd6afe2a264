"""What the pretend API says of models, of who serves them, and of how they are used.

The rule of this file: the same question gets the same answer; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from xml.sax.saxutils import escape

from openrouter_async.testing._build import json_reply
from openrouter_async.testing._catalog import model_rows, rows_for
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Call, Router, Row, page

__all__ = ["add_discovery"]

_SPEED: Final = {"p50": 40.0, "p75": 55.0, "p90": 70.0, "p99": 90.0}
_EMBEDDING_MODEL: Final = "openai/text-embedding-3-small"
_META: Final = {"as_of": "2026-01-31T00:00:00Z", "version": "v1"}
_WINDOW: Final = {"start_date": "2026-01-25", "end_date": "2026-01-31"}


def add_discovery(router: Router) -> None:
    """Add what is said of models."""
    router.on("GET /models", _models, public=True)
    router.on("GET /models/count", _count, public=True)
    router.on("GET /models/user", lambda call: _listed(rows_for(call.query), call))
    router.on("GET /model/{author}/{slug}", lambda call: {"data": _model(call)}, public=True)
    router.on("GET /models/{author}/{slug}/endpoints", _endpoints, public=True)
    router.on("GET /parameters/{author}/{slug}", _parameters)
    router.on("GET /endpoints/zdr", _zdr, public=True)
    router.on("GET /embeddings/models", _embeddings, public=True)
    router.on("GET /providers", _providers, public=True)
    add_datasets(router)


def add_datasets(router: Router) -> None:
    """Add what is published of the use of models."""
    models = [row["id"] for row in model_rows()]
    ranked = [
        {"date": _WINDOW["end_date"], "model_permaslug": slug, "total_tokens": str(10**9 - place)}
        for place, slug in enumerate(models)
    ]
    apps = [
        {"rank": 1, "app_id": 7, "app_name": "Tests", "total_requests": 9, "total_tokens": "900"}
    ]
    costs = [
        {
            "app_slug": "tests",
            "app_name": "Tests",
            "model_permaslug": models[0],
            "turn_range": "2-9-turns",
            "median_session_cost_usd": 0.02,
        }
    ]
    scores = [
        {
            "source": "artificial-analysis",
            "model_permaslug": models[0],
            "display_name": models[0],
            "intelligence_index": 50.0,
            "coding_index": 40.0,
            "agentic_index": None,
            "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        }
    ]
    for path, rows, beside in (
        ("/datasets/rankings-daily", ranked, _WINDOW),
        ("/datasets/app-rankings", apps, _WINDOW),
        ("/datasets/session-cost", costs, {"window_days": 30, "window_end_date": "2026-01-31"}),
        ("/benchmarks", scores, {"model_count": 1, "source": "artificial-analysis"}),
    ):
        router.on(f"GET {path}", _dataset(rows, {**_META, **beside}))
    router.on("GET /classifications/task", _tasks)


def _dataset(rows: list[Row], meta: Row) -> Callable[[Call], Row]:
    return lambda call: {"data": page(rows, call.query, 50)["data"], "meta": meta}


def _listed(rows: list[Row], call: Call) -> Row:
    """Give rows, all of them unless a page is asked for."""
    shown: list[Row] = page(rows, call.query, len(rows) or 1)["data"]
    reached = int(call.query.get("offset", 0)) + len(shown)
    link = None
    if shown and reached < len(rows):
        limit = call.query.get("limit", str(len(rows)))
        link = f"{call.request.path}?offset={reached}&limit={limit}"
    return {"data": shown, "total_count": len(rows), "links": {"next": link}}


def _models(call: Call) -> Row | Reply:
    rows = rows_for(call.query)
    if call.query.get("use_rss") != "true":
        return _listed(rows, call)
    below = "/chat?models=" if call.query.get("use_rss_chat_links") == "true" else "/"
    items = "".join(
        f"<item><title>{escape(row['name'])}</title>"
        f"<link>https://openrouter.ai{below}{escape(row['id'])}</link></item>"
        for row in rows
    )
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>'
    return json_reply(feed.encode(), content_type="application/rss+xml")


def _count(call: Call) -> Row:
    return {"data": {"count": len(rows_for(call.query))}}


def _model(call: Call) -> Row:
    slug = "/".join(call.at)
    for row in model_rows():
        if row["id"] == slug:
            return row
    raise RefusedError(404, f"No model {slug}")


def _parameters(call: Call) -> Row:
    """What a model can be told; the list of models says it too, and is documented."""
    row = _model(call)
    told = {"model": row["id"], "supported_parameters": row["supported_parameters"]}
    return {"data": told}


def _endpoint(row: Row) -> Row:
    provider = row["id"].partition("/")[0]
    return {
        "name": f"{provider} | {row['id']}",
        "tag": provider,
        "provider_name": provider.capitalize(),
        "model_id": row["id"],
        "model_name": row["name"],
        "context_length": row["context_length"],
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "pricing": row["pricing"],
        "quantization": None,
        "status": 0,
        "supported_parameters": row["supported_parameters"],
        "supports_implicit_caching": False,
        "uptime_last_5m": 100.0,
        "uptime_last_30m": 100.0,
        "uptime_last_1d": 99.9,
        "latency_last_30m": None,
        "throughput_last_30m": _SPEED,
    }


def _endpoints(call: Call) -> Row:
    row = _model(call)
    named = {name: row[name] for name in ("id", "name", "created", "description", "architecture")}
    return {"data": {**named, "endpoints": [_endpoint(row)]}}


def _zdr(_: Call) -> Row:
    return {"data": [_endpoint(row) for row in model_rows()]}


def _embeddings(call: Call) -> Row:
    row: dict[str, Any] = {
        **model_rows()[0],
        "id": _EMBEDDING_MODEL,
        "canonical_slug": _EMBEDDING_MODEL,
        "name": "OpenAI: Text Embedding 3 Small",
    }
    row["architecture"] = {**row["architecture"], "output_modalities": ["embeddings"]}
    return _listed([row], call)


def _providers(_: Call) -> Row:
    slugs = sorted({row["id"].partition("/")[0] for row in model_rows()})
    return {
        "data": [
            {
                "name": slug.capitalize(),
                "slug": slug,
                "privacy_policy_url": f"https://{slug}.example/privacy",
                "headquarters": "US",
                "datacenters": None,
            }
            for slug in slugs
        ]
    }


def _tasks(_: Call) -> Row:
    shares = {"token_share": 0.4, "usage_share": 0.3}
    model = {"id": model_rows()[0]["id"], "tag_token_share": 0.5, "tag_usage_share": 0.5}
    tag = {
        "tag": "code-review",
        "display_name": "Code review",
        "macro_category": "coding",
        "category_token_share": 1.0,
        "category_usage_share": 1.0,
        "models": [model],
        **shares,
    }
    return {
        "data": {
            "as_of": _META["as_of"],
            "window_days": 7,
            "classifications": [tag],
            "macro_categories": [{"key": "coding", "label": "Coding", **shares}],
        }
    }
