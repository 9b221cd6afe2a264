"""A server that is never the bottleneck: prepared bytes, raw asyncio, a process of its own.

The path of a request names the scene. Nothing is computed while a request is answered.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from multiprocessing.queues import Queue

CHUNK_TEXT = " word"
SCENES = ("packed", "burst", "trickle", "short")
CHUNKS = {"packed": 10_000, "burst": 10_000, "trickle": 2_000, "short": 20}

_EVENTS_PER_READ = 50
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"X-Generation-Id: gen-1\r\n\r\n"
)
_END = b"0\r\n\r\n"


def event(content: str, finish: str | None = None) -> bytes:
    """One event as OpenRouter sends it."""
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": content},
        "finish_reason": finish,
        "native_finish_reason": finish,
        "logprobs": None,
    }
    chunk = {
        "id": "gen-1762064096-m5Vx0123456789",
        "provider": "xAI",
        "model": "x-ai/grok-4",
        "object": "chat.completion.chunk",
        "created": 1762064097,
        "choices": [choice],
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_LAST = _framed(event("", "stop") + b"data: [DONE]\n\n") + _END
_ONE = _framed(event(CHUNK_TEXT))
_MANY = _framed(event(CHUNK_TEXT) * _EVENTS_PER_READ)
_WHOLE = {
    "packed": _HEAD + _MANY * (CHUNKS["packed"] // _EVENTS_PER_READ) + _LAST,
    "burst": _HEAD + _ONE * CHUNKS["burst"] + _LAST,
    "short": _HEAD + _ONE * CHUNKS["short"] + _LAST,
}


class Scenes(asyncio.Protocol):
    """Answers with the scene that the path names."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not blank or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        scene = head.split(b" ", 2)[1].split(b"/")[1].decode()
        if scene == "trickle":
            self._transport.write(_HEAD)
            self._trickle(CHUNKS["trickle"])
        else:
            self._transport.write(_WHOLE[scene])

    def _trickle(self, left: int) -> None:
        if left:
            self._transport.write(_ONE)
            # Far enough apart that the client finds one event a read.
            asyncio.get_running_loop().call_later(0.0002, self._trickle, left - 1)
        else:
            self._transport.write(_LAST)


async def _serve(protocol: type[asyncio.Protocol], ready: Queue[int]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=1_000)
    ready.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _run(protocol: type[asyncio.Protocol], ready: Queue[int]) -> None:
    with suppress(KeyboardInterrupt):  # the terminal tells every process; the one in front speaks
        asyncio.run(_serve(protocol, ready))


@contextmanager
def serving(protocol: type[asyncio.Protocol] = Scenes) -> Generator[str]:
    """Run a server in a process of its own; give its URL."""
    context = multiprocessing.get_context("spawn")
    ready: Queue[int] = context.Queue()
    process = context.Process(target=_run, args=(protocol, ready), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ready.get(timeout=30)}"
    finally:
        process.terminate()
        process.join()
