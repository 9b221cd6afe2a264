"""Servers that give short answers, each in a process of its own: prepared bytes, or the emulator.

What may live here: one answer, the time it takes, and nothing of the client's.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from multiprocessing.queues import Queue
from typing import Literal, TypeAlias

from openrouter_async.testing import Emulator, chat

from ._server import event

Kind: TypeAlias = Literal["raw", "emulator", "prepared"]

_WORDS = 8
_BODY = event(" word") * _WORDS + event("", "stop") + b"data: [DONE]\n\n"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"X-Generation-Id: gen-1\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)
)
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")


class _Answering(asyncio.Protocol):
    delay = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not blank or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


async def _serve(ready: Queue[str], delay: float) -> None:
    _Answering.delay = delay
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0, backlog=1_000)
    ready.put(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


def _run(ready: Queue[str], delay: float) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(ready, delay))


async def _emulate(ready: Queue[str], *, prepared: bool) -> None:
    async with Emulator() as emulator:
        if prepared:
            emulator.always(chat(*[" word"] * _WORDS))
        ready.put(emulator.base_url)
        await asyncio.Event().wait()


def _run_emulator(ready: Queue[str], delay: float) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_emulate(ready, prepared=False))


def _run_prepared(ready: Queue[str], delay: float) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_emulate(ready, prepared=True))


_SERVERS = {"raw": _run, "emulator": _run_emulator, "prepared": _run_prepared}


@contextmanager
def serving(delay: float, kind: Kind = "raw") -> Generator[str]:
    """Run the server in its own process; give its URL.

    Args:
        delay: Seconds that an answer takes; the emulator takes as long as it needs.
        kind: Bytes that are sent as they are (``"raw"``), or the emulator, which looks at each
            request as the API does and answers with its own model (``"emulator"``) or with one
            prepared answer (``"prepared"``).
    """
    context = multiprocessing.get_context("spawn")
    ready: Queue[str] = context.Queue()
    process = context.Process(target=_SERVERS[kind], args=(ready, delay), daemon=True)
    process.start()
    try:
        yield ready.get(timeout=30)
    finally:
        process.terminate()
        process.join()
