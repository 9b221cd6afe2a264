"""The pretend ``/batches`` endpoints: each request is answered as if it had come by itself.

The rule of this file: a request in, a reply out; no clock drives a batch. It is ``validating`` when
it is made, ``in_progress`` at the first look, and ``completed`` with its results at the second.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec

from openrouter_async.testing._desk import BASE_PATH, ReceivedRequest
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Call, Router, Row, Rows

__all__ = ["add_batches"]

_ENDPOINTS: Final = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
_DAY: Final = 24 * 3600
_PAGE: Final = 20
_PRICE: Final = 0.5
"""What a batch costs, as a part of what its requests would cost by themselves."""


def add_batches(router: Router, answer: Callable[[ReceivedRequest], Reply]) -> None:
    """Add ``/batches``.

    Args:
        router: What they are added to.
        answer: Answers one request of a batch.
    """
    rows = Rows()
    asked: dict[str, Call] = {}

    def create(call: Call) -> Row:
        body = call.body("endpoint", "model", "requests")
        _refuse(body)
        batch = _new_batch(body)
        asked[batch["id"]] = call
        return rows.add(batch)

    def get(call: Call) -> Row:
        batch = rows.get(call.at[0])
        if batch["status"] == "validating":
            batch["status"] = "in_progress"
        elif batch["status"] == "in_progress":
            _complete(batch, asked.pop(batch["id"]), answer)
        return batch

    def delete(call: Call) -> Row:
        rows.remove(call.at[0])
        asked.pop(call.at[0], None)
        deletion = {"openrouter": "deleted", "upstream": None}
        return {"id": call.at[0], "object": "batch", "deletion": deletion}

    router.on("POST /batches", create, status=202)
    router.on("GET /batches", lambda call: _listed(rows.all(), call))
    router.on("GET /batches/{id}", get)
    router.on("POST /api/beta/batches", create, status=202)  # where they were first
    router.on("GET /api/beta/batches/{id}", get)
    router.on("DELETE /batches/{id}", delete)


def _refuse(body: Row) -> None:
    names = list(body)
    # The real one reads the body as it comes, and wants to know these before the first request.
    if names.index("requests") < max(names.index("endpoint"), names.index("model")):
        raise RefusedError(400, "endpoint and model must come before requests")
    if body["endpoint"] not in _ENDPOINTS:
        raise RefusedError(400, f"endpoint: {body['endpoint']} cannot be batched")
    ids = [request.get("custom_id") for request in body["requests"]]
    if not ids or None in ids or len(set(ids)) < len(ids):
        raise RefusedError(400, "requests: each needs a custom_id of its own")


def _new_batch(body: Row) -> Row:
    now = int(time.time())
    return {
        "id": f"batch-{secrets.token_hex(10)}",
        "object": "batch",
        "endpoint": body["endpoint"],
        "model": body["model"],
        "provider": None,
        "completion_window": "24h",
        "status": "validating",
        "created_at": now,
        "expires_at": now + _DAY,
        "finalized_at": None,
        "request_counts": {"total": len(body["requests"]), "completed": 0, "failed": 0},
        "usage": None,
        "results": None,
        "error": None,
    }


def _complete(batch: Row, call: Call, answer: Callable[[ReceivedRequest], Reply]) -> None:
    body = call.body()
    path = BASE_PATH + str(batch["endpoint"]).removeprefix("/v1")
    results: list[Row] = []
    for request in body["requests"]:
        single = {**request["body"], "model": body["model"], "stream": False}
        asked = replace(call.request, path=path, body=msgspec.json.encode(single))
        results.append(_result(request["custom_id"], answer(asked)))
    failed = sum(result["error"] is not None for result in results)
    batch["request_counts"].update(completed=len(results) - failed, failed=failed)
    batch.update(
        status="completed",
        finalized_at=int(time.time()),
        results=results,
        usage=_usage(results),
        provider="Emulator",
    )


def _result(custom_id: str, reply: Reply) -> Row:
    id = f"result-{secrets.token_hex(6)}"
    body: Any = msgspec.json.decode(reply.body)
    if reply.status == 200:
        response = {"status_code": 200, "request_id": f"req-{id[-12:]}", "body": body}
        return {"id": id, "custom_id": custom_id, "response": response, "error": None}
    error = {"message": body["error"]["message"], "type": "invalid_request_error", "param": None}
    return {"id": id, "custom_id": custom_id, "response": None, "error": error}


def _usage(results: list[Row]) -> Row:
    usages = [
        result["response"]["body"].get("usage", {}) for result in results if result["response"]
    ]
    return {
        "prompt_tokens": sum(_first(usage, "prompt_tokens", "input_tokens") for usage in usages),
        "completion_tokens": sum(
            _first(usage, "completion_tokens", "output_tokens") for usage in usages
        ),
        "total_tokens": sum(
            usage.get("total_tokens")
            or usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
            for usage in usages
        ),
        "cost": _PRICE * sum(usage.get("cost") or 0 for usage in usages),
    }


def _first(usage: Row, *names: str) -> int:
    """Each dialect has its own word for the same count."""
    return next((usage[name] for name in names if name in usage), 0)


def _listed(rows: list[Row], call: Call) -> Row:
    """Give a page, the newest batch first, without results."""
    wanted = call.query.get("status", "").split(",") if call.query.get("status") else None
    shown = [
        {**row, "results": None}
        for row in reversed(rows)
        if wanted is None or row["status"] in wanted
    ]
    ids = [row["id"] for row in shown]
    start = ids.index(call.query["after"]) + 1 if call.query.get("after") in ids else 0
    limit = int(call.query.get("limit", _PAGE))
    part = shown[start : start + limit]
    return {
        "object": "list",
        "data": part,
        "first_id": part[0]["id"] if part else None,
        "last_id": part[-1]["id"] if part else None,
        "has_more": start + limit < len(shown),
    }
