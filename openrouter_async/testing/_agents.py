"""What agents work with: secrets, the files of containers, server tools, and decisions.

The rule of this file: each function adds the endpoints of one group to a router; the rows that
they keep are those of one emulator. A secret's value is forgotten at once.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Final

from openrouter_async.testing._build import replay
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Call, Router, Row, Rows, now, page

__all__ = ["add_containers", "add_decisions", "add_server_tools", "add_vault"]

_PAGE: Final = 100
_FILE: Final = b"city,visitors\nParis,12\nRome,9\n"
_CONTAINER: Final = "cntr-1"
_FORMATS: Final = ["responses", "chat-completions", "anthropic-messages"]


def add_vault(router: Router) -> None:
    """Add ``/vault``."""
    shared, own = Rows("name"), dict[str, Rows]()

    def of(intern: str) -> Rows:
        return own.setdefault(intern, Rows("name"))

    def at(call: Call) -> Rows:
        return shared if len(call.at) == 1 else of(call.at[0])

    def store(call: Call) -> Row:
        return {"data": at(call).add(_secret(call.at[-1], call.body("value", "hosts")))}

    def delete(call: Call) -> Reply:
        at(call).remove(call.at[-1])
        return replay(b"", status=204)

    def copy(call: Call) -> Row:
        names = call.body("names")["names"]
        return {"data": [of(call.at[0]).add(shared.get(name)) for name in names]}

    def effective(call: Call) -> Row:
        named = {row["name"]: {**row, "scope": "workspace"} for row in shared.all()}
        named |= {row["name"]: {**row, "scope": "intern"} for row in of(call.at[0]).all()}
        return _with_more(list(named.values()), call)

    for path in ("/vault/secrets", "/vault/interns/{intern_id}/secrets"):
        router.on(f"PUT {path}/{{name}}", store, management=True)
        router.on(f"DELETE {path}/{{name}}", delete, management=True)
    intern = "/vault/interns/{intern_id}"
    router.on("GET /vault/secrets", lambda call: _with_more(shared.all(), call), management=True)
    router.on(
        f"GET {intern}/secrets",
        lambda call: _with_more(of(call.at[0]).all(), call),
        management=True,
    )
    router.on(f"POST {intern}/secrets/copy", copy, management=True)
    router.on(f"GET {intern}/effective-secrets", effective, management=True)
    router.on(
        f"GET {intern}/connections", lambda call: {"data": [{"key": "mail"}]}, management=True
    )


def _secret(name: str, body: Row) -> Row:
    fingerprint = hashlib.sha256(str(body["value"]).encode()).hexdigest()[:12]
    return {"name": name, "hosts": body["hosts"], "fingerprint": fingerprint, "created_at": now()}


def _with_more(rows: list[Row], call: Call) -> Row:
    part = page(rows, call.query, _PAGE)["data"]
    reached = int(call.query.get("offset", 0)) + len(part)
    return {"data": part, "has_more": reached < len(rows)}


def add_containers(router: Router) -> None:
    """Add ``/containers``, of which there is one, with one file in it."""
    file = {
        "id": "cfile-1",
        "container_id": _CONTAINER,
        "path": "/mnt/data/visitors.csv",
        "bytes": len(_FILE),
        "source": "assistant",
        "object": "container.file",
        "created_at": int(time.time()),
    }
    rows = Rows(rows=[file])

    def listed(call: Call) -> Row:
        found = rows.all() if call.at[0] == _CONTAINER else []
        ends = {"first_id": "cfile-1", "last_id": "cfile-1"} if found else {}
        return {"object": "list", "data": found, "has_more": False, **ends}

    def one(call: Call) -> Row:
        if call.at[0] != _CONTAINER:
            raise RefusedError(404, "Container not found")
        return rows.get(call.at[1])

    def content(call: Call) -> Reply:
        one(call)
        return replay(_FILE, content_type="application/octet-stream")

    def promote(call: Call) -> Row:
        return {
            "_shape": "openrouter",
            "id": f"file-{one(call)['id']}",
            "type": "file",
            "filename": "visitors.csv",
            "mime_type": "text/csv",
            "size_bytes": len(_FILE),
            "created_at": now(),
            "downloadable": True,
        }

    files = "/containers/{container_id}/files"
    router.on(f"GET {files}", listed)
    router.on(f"GET {files}/{{file_id}}", one)
    router.on(f"GET {files}/{{file_id}}/content", content)
    router.on(f"POST {files}/{{file_id}}/promote", promote)


def add_server_tools(router: Router) -> None:
    """Add ``/tools``."""
    rows = Rows("name", [_tool("web_search", "Searches the web"), _tool("fetch", "Reads a page")])

    def listed(call: Call) -> Row:
        part = page(rows.all(), call.query, _PAGE)
        reached = int(call.query.get("offset", 0)) + len(part["data"])
        more = f"/api/v1/tools?offset={reached}" if reached < part["total_count"] else None
        return {**part, "links": {"next": more}}

    def one(call: Call) -> Row:
        row = rows.get(call.at[0])
        models = [{"slug": "openai/gpt-4o-mini", "providers": ["openai"]}]
        return {"data": {**row, "native_support": {**row["native_support"], "models": models}}}

    router.on("GET /tools", listed)
    router.on("GET /tools/{name}", one)


def _tool(name: str, summary: str) -> dict[str, Any]:
    price = {"unit": "request", "price": "0.005", "mode": None, "max_units_per_call": 1}
    engine = {
        "id": "exa",
        "name": "Exa",
        "executed_by": "openrouter",
        "byok": "optional",
        "default_mode": None,
        "data_regions": ["global"],
        "pricing": [price],
        "pricing_doc_url": "https://openrouter.ai/docs",
        "pricing_source": "openrouter",
    }
    return {
        "id": f"openrouter:{name}",
        "name": name,
        "summary": summary,
        "status": "active",
        "docs_url": "https://openrouter.ai/docs",
        "tool_description": summary,
        "aliases": [{"type": f"openrouter:{name}", "api_formats": _FORMATS, "output_names": []}],
        "supported_api_formats": _FORMATS,
        "parameters_schema": {"type": "object"},
        "input_schema": {"type": "object"},
        "output_schema": None,
        "engines": [engine],
        "default_engine": "exa",
        "fallback_engine": None,
        "native_support": {"endpoint_count": 1, "model_count": 1},
    }


def add_decisions(router: Router) -> None:
    """Add ``/decisions`` and ``/systemone``."""
    router.on("POST /api/alpha/decisions", _decide)
    router.on("POST /systemone", _decide)


def _decide(call: Call) -> Row:
    body = call.body("model", "state", "questions")
    return {
        "id": "dec-1",
        "model": body["model"],
        "provider": "Emulator",
        "answers": {name: _decision(asked) for name, asked in body["questions"].items()},
        "usage": {"input_tokens": 10, "output_tokens": len(body["questions"]), "cost": 0.00001},
    }


def _decision(question: Row) -> Row:
    """Answer a question: the first of what there is to choose from, and the middle of a scale."""
    match question.get("type"):
        case "choice":
            names = list(question["criteria"])
            sure = dict.fromkeys(names, 0.0) | {names[0]: 1.0}
            return {"type": "choice", "choice": names[0], "confidence": 1, "probabilities": sure}
        case "score":
            legend = {str(n): text for n, text in enumerate(question["criteria"])}
            middle = (len(legend) - 1) / 2
            return {"type": "score", "score": middle, "confidence": 0.5, "legend": legend}
        case "noul":
            return {"type": "noul", "noul": 1}
        case "box":
            return {"type": "box", "box": {"left": 0, "top": 0, "right": 1, "bottom": 1}}
        case other:
            raise RefusedError(400, f"questions: there is no type {other}")
