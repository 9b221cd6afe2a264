"""One answer over ASGI: pieces go out as they come, and a reader that leaves ends everything.

The rule of this file: how bytes are sent, never what they say. Two tasks serve one answer: one
moves pieces from the stream to the socket, so that a slow reader slows the stream and nothing
piles up between them; the other waits for the reader to leave. Neither outlives `Serving.run`.
Between two pieces there is no task, no timer and no lock: silence is noticed by looking now and
then whether anything was sent. What has come already is sent without waiting for anything, so
the loop gets a turn of its own every few pieces, or nobody would learn that a reader has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Final, TypeAlias

import msgspec

from ..errors import OpenRouterError
from ._failures import Describe, error_object, http_status, retry_after
from ._protocols import Pieces

__all__ = [
    "CLOSED_REQUEST",
    "Headers",
    "Receive",
    "Scope",
    "Send",
    "Serving",
    "answer_nobody",
    "until_gone",
]

# Each framework has types of its own for these two, and none takes those of another.
Scope: TypeAlias = Any
Message: TypeAlias = Any
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

CLOSED_REQUEST: Final = 499
"""The status that nginx gives a request whose client left; nobody is there to read it."""

_TURN_EVERY: Final = 4
"""Pieces between two turns of the loop; asyncio complains of the fifth write to nobody."""

_FAULT: Final = "The answer broke off because of an internal error."
# What keeps proxies from collecting, changing and storing what is meant for one reader now.
_UNBUFFERED: Final = (
    (b"cache-control", b"no-cache, no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
)


async def until_gone(receive: Receive) -> None:
    """Wait until the client has left; what it still sends is ignored."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer_nobody(send: Send) -> None:
    """Answer a client that left before its answer had begun.

    Nobody reads it, but middlewares (Starlette's `BaseHTTPMiddleware`) take an application that
    answers nothing for one that is broken, and traces show a request without a status.
    """
    head = {
        "type": "http.response.start",
        "status": CLOSED_REQUEST,
        "headers": [(b"content-length", b"0")],
    }
    try:
        await send(head)
        await send({"type": "http.response.body", "body": b""})
    except OSError:  # how servers of newer ASGI versions say that the client left
        return


class _GoneError(Exception):
    """The server says at sending that nobody is there any more."""


class Serving:
    """The way of one answer to one reader.

    Args:
        pieces: What is sent.
        receive: ASGI's; tells when the reader leaves.
        send: ASGI's.
        status: The status of an answer that begins well.
        headers: Headers beside those of the protocol, which they replace.
        heartbeat: Seconds without a byte after which a comment is sent.
        headers_within: Seconds after which the head is sent though nothing has come.
        describe: Gives the words for a failure.
        as_json: Whether an answer that fails at once is JSON, or else plain words.
    """

    __slots__ = (
        "_as_json",
        "_describe",
        "_free",
        "_given",
        "_headers_within",
        "_heartbeat",
        "_is_sending",
        "_pieces",
        "_receive",
        "_send_message",
        "_sent",
        "_started",
        "_status",
    )

    def __init__(
        self,
        pieces: Pieces,
        receive: Receive,
        send: Send,
        *,
        status: int,
        headers: Headers,
        heartbeat: float | None,
        headers_within: float | None,
        describe: Describe,
        as_json: bool,
    ) -> None:
        self._pieces = pieces
        self._receive = receive
        self._send_message = send
        self._status = status
        self._given = headers
        self._heartbeat = heartbeat if pieces.comment else None
        self._headers_within = headers_within if pieces.comment else None
        self._describe = describe
        self._as_json = as_json
        self._started = False
        self._sent = 0  # how many pieces have gone out
        self._is_sending = False
        self._free = asyncio.Event()  # not set while a comment is being sent
        self._free.set()

    async def run(self) -> None:
        """Send everything, or stop as soon as the reader has left."""
        loop = asyncio.get_running_loop()
        moving = loop.create_task(self._move())
        leaving = loop.create_task(until_gone(self._receive))
        both = {moving, leaving}
        try:
            await self._watch(both)
        except _GoneError:
            pass
        finally:
            # The upstream first: it bills until it is closed.
            self._pieces.close()
            for task in both:
                task.cancel()
            await asyncio.wait(both)
            ends = [None if task.cancelled() else task.exception() for task in (moving, leaving)]
            await self._pieces.aclose()
        for error in ends:
            if error is not None and not isinstance(error, _GoneError):
                raise error
        if not self._started:
            await answer_nobody(self._send_message)

    async def run_without_body(self) -> None:
        """Answer ``HEAD``: nothing is asked of the API, which would bill a body nobody reads."""
        self._pieces.close()
        await self._pieces.aclose()
        try:
            await self._start()
            await self._end(b"", whole=True)
        except _GoneError:
            return

    async def _watch(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait for the first task to end, and see to it that no proxy takes silence for death."""
        loop = asyncio.get_running_loop()
        head_at = inf if self._headers_within is None else loop.time() + self._headers_within
        # Looked at twice a heartbeat, a silence never lasts longer than one.
        look = inf if self._heartbeat is None else self._heartbeat / 2
        seen = 0
        while True:
            pause = look if self._started else max(0.0, min(look, head_at - loop.time()))
            done, _ = await asyncio.wait(
                tasks,
                timeout=None if pause == inf else pause,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if done:
                return
            is_silent = self._sent == seen and not self._is_sending
            seen = self._sent
            if is_silent and (look < inf if self._started else loop.time() >= head_at):
                await self._keep_open()

    async def _keep_open(self) -> None:
        self._free.clear()
        try:
            await self._start()
            await self._send_body(self._pieces.comment)
        finally:
            self._free.set()

    async def _move(self) -> None:
        pieces, tail, fault = self._pieces, b"", None
        try:
            while True:
                data = await anext(pieces)
                self._is_sending = True
                if not self._free.is_set():
                    await self._free.wait()
                if not self._started:
                    await self._start()
                await self._send_body(data)
                self._sent += 1
                self._is_sending = False
                if not self._sent % _TURN_EVERY:
                    await asyncio.sleep(0)
        except StopAsyncIteration:
            tail = pieces.ended()
        except OpenRouterError as error:
            self._is_sending = True
            await self._free.wait()
            if not self._started:
                await self._refuse(error)
                return
            tail, fault = pieces.failed(error, self._describe(error)), error
        except _GoneError:
            raise
        except Exception:
            self._is_sending = True
            await self._free.wait()
            if not self._started:
                raise
            await self._end(pieces.failed(None, _FAULT), whole=False)
            raise
        self._is_sending = True
        await self._free.wait()
        await self._start()
        await self._end(tail, whole=fault is None)

    async def _start(self) -> None:
        if self._started:
            return
        self._started = True
        names = {name for name, _ in self._given}
        headers = list(self._given)
        for name, value in (
            (b"content-type", self._pieces.media_type),
            *_UNBUFFERED,
            *self._pieces.headers,
        ):
            if name not in names:
                headers.append((name, value))
        headers += _naming(self._pieces.generation_id())
        await self._pass_on(
            {"type": "http.response.start", "status": self._status, "headers": headers}
        )

    async def _refuse(self, error: OpenRouterError) -> None:
        """Answer as HTTP does, because nothing of the answer has gone out."""
        self._started = True
        words = self._describe(error)
        if self._as_json:
            kind, body = (
                b"application/json",
                msgspec.json.encode({"error": error_object(error, words)}),
            )
        else:
            kind, body = b"text/plain; charset=utf-8", words.encode()
        headers = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        # Who may read the answer, cookies and the like hold for a refusal too.
        own = {b"content-type", b"content-length", b"cache-control", b"content-encoding"}
        headers += [(name, value) for name, value in self._given if name not in own]
        wait = retry_after(error)
        if wait is not None:
            headers.append((b"retry-after", wait.encode()))
        headers += _naming(error.generation_id)
        await self._pass_on(
            {"type": "http.response.start", "status": http_status(error), "headers": headers}
        )
        await self._pass_on({"type": "http.response.body", "body": body})

    async def _end(self, tail: bytes, *, whole: bool) -> None:
        if whole or self._pieces.has_terminator:
            await self._pass_on({"type": "http.response.body", "body": tail})
        else:
            # Left unfinished on purpose: the server closes the connection, and the client is
            # told by its own HTTP library that this was not the end.
            await self._send_body(tail)

    async def _send_body(self, data: bytes) -> None:
        await self._pass_on({"type": "http.response.body", "body": data, "more_body": True})

    async def _pass_on(self, message: Message) -> None:
        try:
            await self._send_message(message)
        except OSError as error:  # how servers of newer ASGI versions say that the client left
            raise _GoneError from error


def _naming(generation_id: str | None) -> Headers:
    """Give the header by which an answer can be asked after."""
    if generation_id is None or not (generation_id.isascii() and generation_id.isprintable()):
        return []
    return [(b"x-generation-id", generation_id.encode())]
