"""Files that are sent: whole, in flat memory, again when that is needed, and nothing left behind."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import OpenRouter, RetryPolicy, content
from openrouter_async.errors import APIConnectionError
from openrouter_async.testing import Emulator, chat, http_error
from tests.quiet import (
    KEY,
    assert_nothing_leased,
    assert_serves,
    open_sockets,
    other_tasks,
    settled,
)

HERE = Path(__file__).parent
MEBIBYTE = 2**20
ANSWER = chat("Seen.")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"


def make_file(path: Path, head: bytes, size: int) -> str:
    """Write a file that no repetition makes simple; give its SHA-256."""
    block = random.Random(size).randbytes(MEBIBYTE - 1)  # odd, so that no boundary coincides
    digest = hashlib.sha256(head)
    with path.open("wb") as file:
        file.write(head)
        left = size - len(head)
        while left > 0:
            piece = block[:left]
            file.write(piece)
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


class Sink:
    """A server that keeps only the digest of the file in each request, however large it is.

    Attributes:
        files: The SHA-256 of the first base64 in each request that came whole.
        stop_after: Bytes of the next body after which it closes the connection.
        amid: Set while a body is on its way.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self.stop_after: int | None = None
        self.amid = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                while self._answer(connection):
                    pass

    def _answer(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(2**16)
            if not part:
                return False
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        stop_after, self.stop_after = self.stop_after, None
        digest = _Base64Digest()
        while rest or left:
            digest.feed(rest)
            left -= len(rest)
            if not left:
                break
            if stop_after is not None:
                stop_after -= len(rest)
                if stop_after <= 0:
                    return False
            self.amid.set()
            rest = connection.recv(2**18)
            if not rest:
                return False
        self.files.append(digest.hexdigest())
        connection.sendall(HEAD % len(ANSWER.body) + ANSWER.body)
        return True


class _Base64Digest:
    """The SHA-256 of what the first base64 in a text stands for, fed in pieces."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._waiting: bytes = b""
        self._is_inside: bool = False
        self._is_over: bool = False

    def feed(self, data: bytes) -> None:
        """Take more of the text."""
        if self._is_over:
            return
        data = self._waiting + data
        if not self._is_inside:
            start = data.find(b"base64,")
            if start < 0:
                self._waiting = data[-8:]
                return
            self._is_inside = True
            data = data[start + 7 :]
        end = data.find(b'"')
        self._is_over = end >= 0
        data = data[:end] if end >= 0 else data
        whole = len(data) // 4 * 4
        self._digest.update(base64.b64decode(data[:whole]))
        self._waiting = data[whole:]

    def hexdigest(self) -> str:
        """Give the digest so far."""
        return self._digest.hexdigest()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server of its own thread."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "head", "size"),
    [
        ("video", b"\x00\x00\x00\x18ftypmp42", 100 * MEBIBYTE),
        ("pdf", b"%PDF-1.7\n", 40 * MEBIBYTE),
    ],
)
def test_a_large_file_goes_out_in_flat_memory(
    tmp_path: Path, sink: Sink, kind: str, head: bytes, size: int
) -> None:
    """The server gets every byte; the client needs 8 MB at most, and never stops its loop.

    The loop's thread may not work for more than 25 ms of CPU in one turn.
    """
    path = tmp_path / f"large.{kind}"
    digest = make_file(path, head, size)
    finished = subprocess.run(
        [sys.executable, str(HERE / "upload_client.py"), sink.base_url, kind, str(path)],
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    measured: dict[str, Any] = json.loads(finished.stdout)
    assert sink.files[-1] == digest
    assert measured["text"] == "Seen."
    assert measured["grown"] <= 8 * 10**6
    assert measured["longest"] < 0.025


async def test_a_request_that_broke_off_is_sent_whole_again(tmp_path: Path, sink: Sink) -> None:
    """The second attempt reads the file from its start; the caller had to allow it."""
    path = tmp_path / "a.pdf"
    digest = make_file(path, b"%PDF-1.7\n", 8 * MEBIBYTE)
    sink.stop_after = 3 * MEBIBYTE
    retry = RetryPolicy(retry_unknown=True, first_delay=0.01)
    async with OpenRouter(KEY, base_url=sink.base_url, model="m", retry=retry) as client:
        completion = await client.complete([_asking_about(path)])
        assert completion.text == "Seen."
    assert sink.files == [digest]


async def test_a_request_that_broke_off_leaves_nothing(tmp_path: Path, sink: Sink) -> None:
    """No socket, task or thread's work is left of it, and the client goes on."""
    path = tmp_path / "a.pdf"
    make_file(path, b"%PDF-1.7\n", 8 * MEBIBYTE)
    async with OpenRouter(KEY, base_url=sink.base_url, model="m") as client:
        await client.complete([_asking_about(path)])
        sockets = open_sockets()
        sink.stop_after = 3 * MEBIBYTE
        with pytest.raises(APIConnectionError) as caught:
            await client.complete([_asking_about(path)])
        assert caught.value.billed == "unknown"
        assert_nothing_leased(client)
        await settled(lambda: not other_tasks())
        assert open_sockets() <= sockets
        assert (await client.complete([_asking_about(path)])).text == "Seen."
    assert len(sink.files) == 2


async def test_leaving_amid_the_sending_stops_it(tmp_path: Path, sink: Sink) -> None:
    """A cancelled request gives its connection up, and its file."""
    path = tmp_path / "a.pdf"
    make_file(path, b"%PDF-1.7\n", 64 * MEBIBYTE)
    async with OpenRouter(KEY, base_url=sink.base_url, model="m") as client:
        await client.complete([_asking_about(path)])
        sink.amid.clear()
        task = asyncio.create_task(client.complete([_asking_about(path)]))
        await asyncio.to_thread(sink.amid.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_nothing_leased(client)
        await settled(lambda: not other_tasks())
    assert len(sink.files) == 1


def _asking_about(path: Path) -> dict[str, Any]:
    return {"role": "user", "content": [content.text("What is it?"), content.pdf(path)]}


async def test_a_refused_request_is_sent_whole_again(
    tmp_path: Path, client: OpenRouter, emulator: Emulator
) -> None:
    """After a 429 the file is read once more; the open file of a user from where it stood."""
    path = tmp_path / "a.pdf"
    digest = make_file(path, b"%PDF-1.7\n", MEBIBYTE)
    with path.open("rb") as file:
        for source in (path, file):
            emulator.play(http_error(429, "slow down", headers={"Retry-After": "0"}), ANSWER)
            part = content.pdf(source)
            await client.complete([{"role": "user", "content": [part]}], model="m")
    assert len(emulator.requests) == 4
    for request in emulator.requests:
        url = request.json["messages"][0]["content"][0]["file"]["file_data"]
        data = base64.b64decode(url.removeprefix("data:application/pdf;base64,"))
        assert hashlib.sha256(data).hexdigest() == digest
        assert request.headers["Content-Length"] == str(len(request.body))


@pytest.mark.parametrize("transport", ["stream", "json"])
@pytest.mark.parametrize("wrong", ["missing", "folder", "empty", "text"])
async def test_a_wrong_file_is_said_before_anything_is_sent(
    tmp_path: Path, client: OpenRouter, emulator: Emulator, transport: Any, wrong: str
) -> None:
    """No connection is opened for a file that cannot be sent."""
    path = tmp_path / "a.pdf"
    match wrong:
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("just text")
        case _:
            pass
    with pytest.raises((OSError, ValueError), match=r"a\.pdf"):
        await client.complete([_asking_about(path)], model="m", transport=transport)
    assert emulator.connections == 0
    assert_nothing_leased(client)
    await assert_serves(client, emulator)


async def test_a_file_that_shrinks_while_it_is_sent(client: OpenRouter, emulator: Emulator) -> None:
    """The user's own error comes out, and the connection is closed, as its request is not whole."""

    class Shrinking(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            if self.reads == 3:
                self.truncate(MEBIBYTE)
            return super().read(size)

    file = Shrinking(b"%PDF-1.7\n" + bytes(4 * MEBIBYTE))
    part = content.pdf(file, filename="a.pdf")
    with pytest.raises(ValueError, match=r"a\.pdf became shorter"):
        await client.complete([{"role": "user", "content": [part]}], model="m")
    assert_nothing_leased(client)
    assert not emulator.requests
    await assert_serves(client, emulator)
