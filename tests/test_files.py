"""Files that are kept: uploaded as they are read, listed, described, streamed and deleted."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import BadRequestError, NotFoundError
from openrouter_async.testing import Emulator, replay
from openrouter_async.types.files import FileObject

if TYPE_CHECKING:
    from pathlib import Path

WORKSPACE = "0df9e665-d932-5740-b2c7-b52af166bc11"


async def test_a_file_from_its_upload_to_its_end(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """It is listed under its name, its content is not given back, and deleted it is gone."""
    path = tmp_path / 'the "report".pdf'
    path.write_bytes(b"%PDF-1.7 \x00\r\n--form")
    kept = await client.files.upload(path, workspace_id=WORKSPACE)
    request = emulator.requests[-1]
    assert request.query == {"workspace_id": WORKSPACE}
    assert b"%PDF-1.7 \x00\r\n--form" in request.body
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert (kept.mime_type, kept.size, kept.shape) == ("application/pdf", 18, "openrouter")
    assert kept.filename == "the %22report%22.pdf"
    assert await client.files.get(kept.id) == kept
    assert kept in await client.files.list()
    with pytest.raises(BadRequestError, match="Only files made by models"):
        await client.files.content(kept.id)
    gone = await client.files.delete(kept.id)
    assert (gone.id, gone.deleted, gone.type) == (kept.id, True, "file_deleted")
    with pytest.raises(NotFoundError):
        await client.files.get(kept.id)


async def test_bytes_and_open_files_are_uploaded(client: OpenRouter, tmp_path: Path) -> None:
    """With a name of their own or the one that is given; what they are is told by it."""
    kept = await client.files.upload(b"a,b\n", filename="table.csv")
    assert (kept.filename, kept.mime_type, kept.size) == ("table.csv", "text/csv", 4)
    nameless = await client.files.upload(io.BytesIO(b"x"))
    assert (nameless.filename, nameless.mime_type) == ("file", "application/octet-stream")
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with path.open("rb") as opened:
        assert (await client.files.upload(opened, media_type="text/x-notes")).size == 5


async def test_files_are_walked_by_cursor(emulator: Emulator, client: OpenRouter) -> None:
    """Page after page, with what was asked for in each."""
    for number in range(4):
        await client.files.upload(b"x", filename=f"{number}.txt")
    emulator.requests.clear()
    names = [file.filename async for file in client.files.list(limit=2, order="asc")]
    assert names == ["made-by-a-model.csv", "0.txt", "1.txt", "2.txt", "3.txt"]
    assert len(emulator.requests) == 3
    assert all(request.query["order"] == "asc" for request in emulator.requests)


async def test_what_a_model_made_is_streamed(client: OpenRouter) -> None:
    """Its bytes come as a stream, or all at once where that is awaited."""
    made = next(file for file in await client.files.list() if file.downloadable)
    assert await client.files.content(made.id) == b"a,b\n1,2\n"
    pieces = [data async for data in client.files.content(made.id)]
    assert b"".join(pieces) == b"a,b\n1,2\n"


async def test_a_providers_own_form_is_read(emulator: Emulator, client: OpenRouter) -> None:
    """The three forms are one struct."""
    body = (
        b'{"_shape":"openai","id":"file-1","object":"file","bytes":9,"created_at":1769860800,'
        b'"filename":"a.txt","purpose":"user_data","status":"processed"}'
    )
    emulator.play(replay(body, content_type="application/json"), path="/files/file-1")
    kept = await client.files.get("file-1", provider="openai")
    assert (kept.size, kept.created_at, kept.purpose) == (9, 1769860800, "user_data")
    assert emulator.requests[-1].query == {"provider": "openai"}
    assert FileObject(size_bytes=3).size == 3


async def test_wrong_files_are_refused(client: OpenRouter, tmp_path: Path) -> None:
    """At the call where that can be seen there, and before anything is sent where it cannot."""
    with pytest.raises(ValueError, match="source must hold the bytes"):
        client.files.upload(b"")  # type: ignore[unused-coroutine]
    with pytest.raises(ValueError, match="workspace_id must be a UUID"):
        client.files.upload(b"x", workspace_id="mine")  # type: ignore[unused-coroutine]
    with pytest.raises(TypeError, match="got int"):
        client.files.upload(7)  # type: ignore[arg-type, unused-coroutine]
    with pytest.raises(FileNotFoundError):
        await client.files.upload(tmp_path / "none.txt")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ValueError, match=r"empty\.txt is empty"):
        await client.files.upload(tmp_path / "empty.txt")
    large = tmp_path / "large.bin"
    with large.open("wb") as opened:
        opened.truncate(100_000_001)
    with pytest.raises(ValueError, match=r"large\.bin has 100,000,001 bytes.* at most$"):
        await client.files.upload(large)
