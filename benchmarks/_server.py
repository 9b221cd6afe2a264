"""A server that is never the bottleneck: prepared bytes, raw asyncio, a process of its own.

The path of a request names the scene and how many chunks its answer has, ``/packed/2000/...``.
What is answered is made once and sent as it is; a path that ends in ``/messages`` is answered in
Anthropic's form.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from multiprocessing.queues import Queue
from typing import ClassVar

from ._limits import raise_file_limit

WORDS = (" word", " tree", " rain", " moon", " fish")
"""LiteLLM refuses an answer that says one word again and again."""
SCENES = ("packed", "burst", "trickle", "short")
CHUNKS = {"packed": 10_000, "burst": 10_000, "trickle": 2_000, "short": 20}

IMAGE_BYTES = 8 * 2**20
_EVENTS_PER_READ = 50
_TICKS = 50
_RATES = {"crowd": 1, "busy": 20}
"""Chunks a second of a stream that lives."""

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"X-Generation-Id: gen-1\r\n\r\n"
)
_END = b"0\r\n\r\n"
_UPLOADED = b"HTTP/1.1 100 Continue\r\n\r\n"


def event(content: str, finish: str | None = None, **delta: object) -> bytes:
    """One event as OpenRouter sends it."""
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": content, **delta},
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


def _named(name: str, **fields: object) -> bytes:
    """One event in Anthropic's form."""
    data = json.dumps({"type": name, **fields}, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode()


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Form:
    """The pieces of a stream in one wire form."""

    def __init__(self, first: bytes, texts: list[bytes], last: bytes) -> None:
        self.first, self.texts, self.last = first, texts, last

    def text(self, number: int) -> bytes:
        """Give the event of one chunk."""
        return self.texts[number % len(self.texts)]


_CHAT = _Form(b"", list(map(event, WORDS)), event("", "stop") + b"data: [DONE]\n\n")
_MESSAGES = _Form(
    _named(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "anthropic/claude",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 0},
        },
    )
    + _named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    [
        _named("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        for word in WORDS
    ],
    _named("content_block_stop", index=0)
    + _named(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 1},
    )
    + _named("message_stop"),
)


@cache
def _image() -> bytes:
    url = "data:image/png;base64," + "iVBORw0K" * (IMAGE_BYTES // 8)
    return event("", images=[{"type": "image_url", "image_url": {"url": url}}])


def _fragment(arguments: str, **call: object) -> bytes:
    entry = {"index": 0, "function": {"arguments": arguments}, **call}
    return event("", tool_calls=[entry])


@cache
def _tools(count: int) -> bytes:
    opening = event(
        "",
        tool_calls=[
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "add", "arguments": '{"text": "'},
            }
        ],
    )
    pieces = [opening, *[_fragment("word ")] * (count - 2), _fragment('"}')]
    end = event("", "tool_calls") + b"data: [DONE]\n\n"
    return _HEAD + b"".join(map(_framed, pieces)) + _framed(end) + _END


@lru_cache(maxsize=16)
def whole(scene: str, count: int, form: _Form) -> bytes:
    """The bytes of an answer that is sent in one go."""
    if scene == "tools":
        return _tools(count)
    if scene == "image":
        return _HEAD + _framed(_image()) + _framed(form.last) + _END
    if scene in ("packed", "long"):
        many = b"".join(map(form.text, range(_EVENTS_PER_READ)))
        text = _framed(many) * (count // _EVENTS_PER_READ)
    elif scene == "answers":  # all of it in one go
        text = _framed(b"".join(map(form.text, range(count))))
    else:
        text = b"".join(_framed(form.text(number)) for number in range(count))
    return _HEAD + (_framed(form.first) if form.first else b"") + text + _framed(form.last) + _END


_BEFORE_TIME, _AFTER_TIME = _framed(event("1234567890.123456")).split(b"1234567890.123456")


class Scenes(asyncio.Protocol):
    """Answers with the scene that the path names."""

    waiting: ClassVar[list[deque[tuple[Scenes, int]]]] = []
    beat: ClassVar[asyncio.Task[None] | None] = None
    opened: ClassVar[int] = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing received."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._left = 0
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer a request as soon as it is whole; a body is counted and let go."""
        if not self._head:
            head, blank, body = (self._received + data).partition(b"\r\n\r\n")
            if not blank:
                self._received = head
                return
            self._received = b""
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            self._head = head
            self._left = int(length[1]) if length else 0
            if b"chunked" in head.lower() and not length:
                self._left = -1
            if b"100-continue" in head:
                self._transport.write(_UPLOADED)
            data = body
        if self._left < 0:  # in chunks: the end is all that is looked for
            self._received = (self._received + data)[-5:]
            if self._received != _END:
                return
        else:
            self._left -= len(data)
            if self._left > 0:
                return
        head, self._head, self._received = self._head, b"", b""
        self._answer(head.split(b" ", 2)[1].decode())

    def _answer(self, path: str) -> None:
        scene, *rest = path.strip("/").split("/")
        count = int(rest[0]) if rest and rest[0].isdigit() else CHUNKS.get(scene, 20)
        form = _MESSAGES if path.partition("?")[0].endswith("/messages") else _CHAT
        if scene == "trickle":
            self._transport.write(_HEAD + (_framed(form.first) if form.first else b""))
            self._trickle(count, form)
        elif scene in _RATES:
            self._transport.write(_HEAD)
            self._join(count, _RATES[scene])
        else:
            self._transport.write(whole(scene, count, form))

    def _trickle(self, left: int, form: _Form) -> None:
        if self._transport.is_closing():
            return
        if left:
            self._transport.write(_framed(form.text(left)))
            # Far enough apart that the client finds one event a read.
            asyncio.get_running_loop().call_later(0.0002, self._trickle, left - 1, form)
        else:
            self._transport.write(_framed(form.last) + _END)

    def _join(self, count: int, rate: int) -> None:
        """Give so many chunks a second, each of which says when it was sent."""
        if not Scenes.waiting:
            Scenes.waiting.extend(deque[tuple[Scenes, int]]() for _ in range(_TICKS))
        if Scenes.beat is None:
            Scenes.beat = asyncio.get_running_loop().create_task(_beat())
        Scenes.opened += 1
        for turn in range(rate):
            slot = Scenes.opened + turn * _TICKS // rate
            Scenes.waiting[slot % _TICKS].append((self, count // rate))

    def drip(self, is_last: bool) -> bool:
        """Send a chunk; tell whether the stream goes on."""
        if self._transport.is_closing():
            return False
        sent_at = f"{time.time():.6f}"  # of one length, so that it can be put in its place
        self._transport.write(_BEFORE_TIME + sent_at.encode() + _AFTER_TIME)
        if is_last:
            self._transport.write(_framed(_CHAT.last) + _END)
        return not is_last


async def _beat() -> None:
    """Serve a fiftieth of the streams every fiftieth of a second."""
    loop = asyncio.get_running_loop()
    number, due = 0, loop.time()
    while True:
        slot = Scenes.waiting[number % _TICKS]
        Scenes.waiting[number % _TICKS] = deque(
            (stream, left - 1) for stream, left in slot if stream.drip(left <= 1)
        )
        number += 1
        due += 1 / _TICKS
        await asyncio.sleep(max(0.0, due - loop.time()))


async def _serve(protocol: type[asyncio.Protocol], ready: Queue[int]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=4_096)
    ready.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _run(protocol: type[asyncio.Protocol], ready: Queue[int]) -> None:
    raise_file_limit()
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
