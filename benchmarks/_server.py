"""A server that is never the bottleneck: prepared bytes, raw asyncio, a process of its own.

The path of a request names the scene. Nothing is computed while a request is answered.
"""

from __future__ import annotations

import asyncio
import base64
import json
import multiprocessing
import random
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing.queues import Queue

# Two in turn: a client may take a model that says the same again and again for a broken one.
CHUNK_TEXTS = (" word", " more")
IMAGE_BYTES = 8 * 2**20
CHUNKS = {
    "packed": 10_000,
    "burst": 10_000,
    "trickle": 2_000,
    "short": 20,
    "tools": 100,
    "image": 1,
    "relay": 10_000,
    "long": 200_000,
}
"""Chunks with content of one stream, scene by scene."""

_EVENTS_PER_READ = 50
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"X-Generation-Id: gen-1\r\n\r\n"
)
_END = b"0\r\n\r\n"


def event(content: str, finish: str | None = None, **more: object) -> bytes:
    """One event as OpenRouter sends it; `more` are further fields of its delta."""
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": content, **more},
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


def _block_event(kind: str, **fields: object) -> bytes:
    """One event of Anthropic's wire form."""
    data = json.dumps({"type": kind, **fields}, separators=(",", ":")).encode()
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def _fragment(number: int) -> bytes:
    """One piece of a call's arguments; the first names the tool."""
    function: dict[str, object] = {"arguments": '{"text":"' if number == 0 else "word "}
    call: dict[str, object] = {"index": 0, "type": "function", "function": function}
    if number == 0:
        call["id"] = "call_1"
        function["name"] = "write"
    elif number == CHUNKS["tools"] - 1:
        function["arguments"] = '"}'
    return event("", tool_calls=[call])


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_LAST = _framed(event("", "stop") + b"data: [DONE]\n\n") + _END
_ONE = [_framed(event(text)) for text in CHUNK_TEXTS]
_PAIR = b"".join(_ONE)
_MANY = _framed(b"".join(event(text) for text in CHUNK_TEXTS) * (_EVENTS_PER_READ // 2))


@cache
def _chats() -> dict[str, bytes]:
    """The answers as OpenRouter sends them; made in the server's process alone."""
    image = base64.b64encode(random.Random(1).randbytes(IMAGE_BYTES * 3 // 4)).decode()
    pictures = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}]
    burst = _HEAD + _PAIR * (CHUNKS["burst"] // 2) + _LAST
    return {
        "packed": _HEAD + _MANY * (CHUNKS["packed"] // _EVENTS_PER_READ) + _LAST,
        "burst": burst,
        "relay": burst,
        "long": _HEAD + _PAIR * (CHUNKS["long"] // 2) + _LAST,
        "short": _HEAD + _PAIR * (CHUNKS["short"] // 2) + _LAST,
        "tools": _HEAD + b"".join(_framed(_fragment(n)) for n in range(CHUNKS["tools"])) + _LAST,
        "image": _HEAD + _framed(event("", images=pictures)) + _LAST,
    }


_MESSAGE: dict[str, object] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
_OPENING = _block_event("message_start", message=_MESSAGE) + _block_event(
    "content_block_start", index=0, content_block={"type": "text", "text": ""}
)
_PIECES = [
    _block_event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
    for text in CHUNK_TEXTS
]
_CLOSING = (
    _block_event("content_block_stop", index=0)
    + _block_event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 9},
    )
    + _block_event("message_stop")
)
_SINGLE = b"".join(_framed(piece) for piece in _PIECES)
_SEVERAL = _framed(b"".join(_PIECES) * (_EVENTS_PER_READ // 2))
_MESSAGES = {
    scene: _HEAD + _framed(_OPENING) + body + _framed(_CLOSING) + _END
    for scene, body in {
        "packed": _SEVERAL * (CHUNKS["packed"] // _EVENTS_PER_READ),
        "burst": _SINGLE * (CHUNKS["burst"] // 2),
        "short": _SINGLE * (CHUNKS["short"] // 2),
    }.items()
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
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        scene = path.split(b"/")[1].decode()
        if scene == "trickle":
            self._transport.write(_HEAD)
            self._trickle(CHUNKS["trickle"])
        else:
            bodies = _MESSAGES if path.endswith(b"/messages") else _chats()
            self._transport.write(bodies[scene])

    def _trickle(self, left: int) -> None:
        if left:
            self._transport.write(_ONE[left % 2])
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
