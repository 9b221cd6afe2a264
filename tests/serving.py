"""An ASGI application under uvicorn on a real socket, and clients that read slowly or leave."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Final, Self

import msgspec
import uvicorn

from openrouter_async.integrations.asgi import Relay
from openrouter_async.testing import Emulator
from tests.quiet import other_tasks, settled, silence

LEAVES_WITHIN: Final = 0.5
"""Seconds in which the upstream has to learn that a reader has left."""


class _Words(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@asynccontextmanager
async def served(app: Any, *, expect: str | None = None) -> AsyncGenerator[int, None]:
    """Serve an application on this loop; give its port.

    At the end nothing may have been logged (but what contains `expect`), and no task is left.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=10)
    server = uvicorn.Server(config)
    words = _Words()
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(words)
    known = asyncio.all_tasks()
    with silence(asyncio.get_running_loop()):
        serving = asyncio.create_task(server.serve([listening]))
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.005)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving
            logger.removeHandler(words)
            listening.close()
    unexpected = [text for text in words.messages if expect is None or expect not in text]
    assert unexpected == []
    await settled(lambda: not tasks_besides(known))


def answering(
    make: Callable[[], Relay], *, expect: str | None = None
) -> AbstractAsyncContextManager[int]:
    """Serve an application that answers every request with a relay."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await make()(scope, receive, send)

    return served(app, expect=expect)


def tasks_besides(known: Set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """The tasks that have come since, but for the emulator's own, one for each connection."""
    return [
        task
        for task in other_tasks(known)
        if "RequestHandler." not in getattr(task.get_coro(), "__qualname__", "")
    ]


@dataclass
class Answer:
    """An HTTP answer as a whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool

    def json(self) -> Any:
        """The body as plain data."""
        return msgspec.json.decode(self.body)


class Visitor:
    """A client on a bare socket, which can leave at any moment and in any way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(
        cls,
        port: int,
        path: str = "/",
        *,
        method: str = "GET",
        body: Any = None,
        receive_buffer: int | None = None,
    ) -> Self:
        """Connect and send a request."""
        bare = socket.socket()
        if receive_buffer is not None:
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        bare.setblocking(False)
        await asyncio.get_running_loop().sock_connect(bare, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=bare, limit=receive_buffer or 2**16)
        data = b"" if body is None else msgspec.json.encode(body)
        method = "POST" if body is not None else method
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        return cls(reader, writer)

    async def until(self, mark: bytes) -> bytes:
        """Read until something has come; give all up to then."""
        data = b""
        async with asyncio.timeout(30):
            while mark not in data:
                more = await self.reader.read(2**16)
                assert more, data
                data += more
        return data

    async def answer(self) -> Answer:
        """Read to the end."""
        async with asyncio.timeout(60):
            data = await self.reader.read(-1)
        self.close()
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        is_whole = True
        if headers.get("transfer-encoding") == "chunked":
            rest, is_whole = _unchunked(rest)
        return Answer(int(lines[0].split()[1]), headers, rest, is_whole)

    def close(self) -> None:
        """Leave politely."""
        self.writer.close()

    def abort(self) -> None:
        """Leave without a word."""
        self.writer.transport.abort()


def _unchunked(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return body, True
        body, data = body + data[:length], data[length + 2 :]
    return body, False


async def get(port: int, path: str = "/", *, body: Any = None) -> Answer:
    """Send a request and read the whole answer."""
    return await (await Visitor.to(port, path, body=body)).answer()


async def time_to_leave(
    emulator: Emulator, begin: Callable[[], Awaitable[Callable[[], object]]]
) -> float:
    """Give the seconds from leaving until the emulator has seen its client go.

    Args:
        emulator: The upstream.
        begin: Gets to where is to be left, and gives what leaves. On a machine that is busy one
            time says little, so there are six tries; what always takes too long, fails in all.
    """
    best = inf
    for _ in range(6):
        leave = await begin()
        before = emulator.disconnects
        begun = monotonic()
        leave()
        await emulator.wait_for(lambda: emulator.disconnects > before, timeout=30)  # noqa: B023
        best = min(best, monotonic() - begun)
        if best < LEAVES_WITHIN:
            break
    return best


async def asked(emulator: Emulator, port: int, path: str = "/", *, body: Any = None) -> Visitor:
    """Send a request, and wait until it has made the application ask the emulator."""
    before = emulator.accepted
    visitor = await Visitor.to(port, path, body=body)
    await emulator.wait_for(lambda: emulator.accepted > before, timeout=30)
    return visitor
