"""The pretend ``/files``: what was uploaded is kept, and not given back.

The rule of this file: a request in, a reply out; the files are those of one emulator.
"""

from __future__ import annotations

import secrets
from email import message_from_bytes
from typing import cast

from openrouter_async.testing._build import replay
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Call, Router, Row, Rows, now

__all__ = ["add_files"]


def add_files(router: Router) -> None:
    """Add ``/files`` and what is below it."""
    rows = Rows()
    made = f"or_file_{secrets.token_hex(12)}"
    contents: dict[str, bytes] = {made: b"a,b\n1,2\n"}
    rows.add(_row(made, "made-by-a-model.csv", "text/csv", contents[made], downloadable=True))

    def upload(call: Call) -> Row:
        name, kind, data = _file_in(call)
        if not data:
            raise RefusedError(400, "file: must not be empty")
        return rows.add(_row(f"or_file_{secrets.token_hex(12)}", name, kind, data))

    def listed(call: Call) -> Row:
        limit, after = int(call.query.get("limit", 100)), call.query.get("cursor")
        every = rows.all()
        start = next((i + 1 for i, row in enumerate(every) if row["id"] == after), 0)
        shown = every[start : start + limit]
        has_more = start + limit < len(every)
        last = shown[-1]["id"] if shown else None
        return {
            "_shape": "openrouter",
            "data": shown,
            "has_more": has_more,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": last,
            "cursor": last if has_more else None,
        }

    def delete(call: Call) -> Row:
        rows.remove(call.at[0])
        return {"_shape": "openrouter", "id": call.at[0], "type": "file_deleted"}

    def content(call: Call) -> Reply:
        if not rows.get(call.at[0])["downloadable"]:
            raise RefusedError(400, "Only files made by models can be downloaded")
        data = contents[call.at[0]]
        return replay(data, content_type="application/octet-stream").with_framing("length")

    router.on("POST /files", upload)
    router.on("GET /files", listed)
    router.on("GET /files/{id}", lambda call: rows.get(call.at[0]))
    router.on("DELETE /files/{id}", delete)
    router.on("GET /files/{id}/content", content)


def _row(id: str, name: str, kind: str, data: bytes, *, downloadable: bool = False) -> Row:
    return {
        "_shape": "openrouter",
        "id": id,
        "type": "file",
        "filename": name,
        "mime_type": kind,
        "size_bytes": len(data),
        "created_at": now(),
        "downloadable": downloadable,
    }


def _file_in(call: Call) -> tuple[str, str, bytes]:
    """Give the name, the media type and the bytes of the file of a form."""
    head = f"Content-Type: {call.request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    form = message_from_bytes(head + call.request.body)
    for part in form.walk():
        name = part.get_filename()
        if name is not None:
            data = cast("bytes", part.get_payload(decode=True))
            return name, part.get_content_type(), data
    raise RefusedError(400, "file: Required")
