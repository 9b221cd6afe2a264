"""A stream of ours as an answer over HTTP, for any ASGI framework: `relay`, and what goes with it.

>>> async def endpoint(request):  # of Starlette's
...     return relay(request.app.state.openrouter.stream("Hello"))

The rule of this file: the public names and their checks. It knows no framework, only ASGI; what
is sent is in `_protocols`, how in `_serving`.
"""

from __future__ import annotations

import math
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from ..client import OpenRouter
from ..errors import OpenRouterError
from ._failures import Describe, error_object, error_words, http_status, retry_after
from ._leaving import App, ClientDisconnectedError, call_while_there, run_while_there
from ._protocols import Pieces, ProtocolName, Source, pieces_of
from ._serving import Headers, Receive, Scope, Send, Serving
from ._ui_messages import ui_messages

__all__ = [
    "CancelOnDisconnect",
    "ClientDisconnectedError",
    "Describe",
    "ErrorAnswer",
    "Lifespan",
    "ProtocolName",
    "Relay",
    "Source",
    "cancel_on_disconnect",
    "error_answer",
    "lifespan",
    "relay",
    "ui_messages",
]

T = TypeVar("T")

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]
"""What Starlette, FastAPI and Litestar take as a lifespan."""


class Relay:
    """An ASGI application that answers one request with a stream; made by `relay`.

    Starlette and Litestar take one as an endpoint's return value.

    Attributes:
        pieces: The stream in the form in which it is sent.
    """

    __slots__ = (
        "_describe",
        "_headers",
        "_headers_within",
        "_heartbeat",
        "_protocol",
        "_status",
        "pieces",
    )

    def __init__(
        self,
        stream: Source,
        *,
        protocol: ProtocolName = "openai",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        heartbeat: float | None = 15.0,
        headers_within: float | None = 20.0,
        describe: Describe = error_words,
    ) -> None:
        _check_seconds("heartbeat", heartbeat)
        _check_seconds("headers_within", headers_within)
        self._headers = _checked_headers(headers or {})
        self._protocol = protocol
        self._status = status
        self._heartbeat = heartbeat
        self._headers_within = headers_within
        self._describe = describe
        self.pieces: Pieces = pieces_of(stream, protocol)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; return when it is over or the client has left."""
        await self.serve(receive, send, is_head=scope.get("method") == "HEAD")

    async def serve(
        self,
        receive: Receive,
        send: Send,
        *,
        status: int | None = None,
        headers: Headers | None = None,
        is_head: bool = False,
    ) -> None:
        """Do as calling it does, with what a framework adds.

        Args:
            receive: ASGI's.
            send: ASGI's.
            status: The status instead of the one given to `relay`.
            headers: Encoded headers, names in lower case, beside those given to `relay`.
            is_head: Whether only the head was asked for (``HEAD``); the stream is not begun then.
        """
        serving = Serving(
            self.pieces,
            receive,
            send,
            status=self._status if status is None else status,
            headers=[*self._headers, *(headers or ())],
            heartbeat=self._heartbeat,
            headers_within=self._headers_within,
            describe=self._describe,
            as_json=self._protocol == "openai",
        )
        await (serving.run_without_body() if is_head else serving.run())


def relay(
    stream: Source,
    *,
    protocol: ProtocolName = "openai",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    heartbeat: float | None = 15.0,
    headers_within: float | None = 20.0,
    describe: Describe = error_words,
) -> Relay:
    """Answer a request with a stream.

    A failure before the first token is an HTTP error with its own status, and with
    ``Retry-After`` where the API named one. A failure after it ends the body with an error in
    the protocol's own form and its terminator; plain text has neither, so there the words of the
    error are the last line and the connection closes with the body unfinished. A reader that is
    slow slows the stream; one that leaves closes it at once.

    Args:
        stream: What `OpenRouter.stream`, `stream_pdf`, `stream_images`, `run_tools` or
            `ChatStream.share` give, or any async iterable of chunks. It must not have been
            looped over; it is started here, unless it has been.
        protocol: ``"openai"`` for OpenAI's chunks, which pass undecoded, ``"ai-sdk"`` for the UI
            message stream of the Vercel AI SDK (npm package ``ai``, version 6 or newer),
            ``"text"`` for the words alone.
        status: The status of an answer that begins well.
        headers: Headers to add; they replace those of the protocol.
        heartbeat: A comment is sent where nothing else was for so many seconds, or somewhat
            earlier; None for none. Plain text has no comments.
        headers_within: Where no token came for so many seconds, the head is sent without one, so
            that no proxy gives up; a later failure cannot change the status any more. None waits
            for ever.
        describe: Gives the words that the reader is shown of a failure. By default the API's own
            sentence, or words of ours where it would tell of this service's account or network.

    Raises:
        TypeError: `stream` is no stream, or has no form in this protocol.
        ValueError: An argument has an impossible value.
        RuntimeError: The stream is looped over already, has failed or was closed.
    """
    return Relay(
        stream,
        protocol=protocol,
        status=status,
        headers=headers,
        heartbeat=heartbeat,
        headers_within=headers_within,
        describe=describe,
    )


async def cancel_on_disconnect(receive: Receive, work: Awaitable[T]) -> T:
    """Await `work` in an endpoint without a stream, and cancel it when the client leaves.

    Servers tell of it through `receive` alone, so without this an answer that nobody waits for
    any more is generated, and paid, to its end.

    Args:
        receive: ASGI's, such as ``request.receive``; the body must have been read.
        work: What is awaited, such as ``client.complete(...)``.

    Raises:
        ClientDisconnectedError: The client left; `work` was cancelled and has ended.
    """
    return await run_while_there(receive, work)


class CancelOnDisconnect:
    """A middleware that cancels an endpoint, whatever it awaits, when its client leaves.

    It belongs around the application as a whole. Once an answer has begun it keeps out: streams
    end by themselves, and tasks behind the answer run. A function that runs in a thread cannot be
    cancelled: its thread goes on, only its answer is dropped.

    Args:
        app: The ASGI application.

    >>> async def app(scope, receive, send):
    ...     "An application of any framework."
    >>> app = CancelOnDisconnect(app)
    """

    __slots__ = ("_app",)

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what is no HTTP passes untouched."""
        if scope["type"] == "http":
            await call_while_there(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)


class ErrorAnswer:
    """What a failure is over HTTP; made by `error_answer`.

    Attributes:
        status: The HTTP status.
        words: What the reader may be told.
        body: The body as plain data, in the form that OpenAI's clients read.
        headers: ``Retry-After`` where the API named a time.
    """

    __slots__ = ("body", "headers", "status", "words")

    def __init__(self, error: OpenRouterError, describe: Describe = error_words) -> None:
        self.status = http_status(error)
        self.words = describe(error)
        self.body: dict[str, Any] = {"error": error_object(error, self.words)}
        wait = retry_after(error)
        self.headers: dict[str, str] = {"retry-after": wait} if wait is not None else {}


def error_answer(error: OpenRouterError, describe: Describe = error_words) -> ErrorAnswer:
    """Give status, body and headers for a failure that an endpoint without a stream met.

    Args:
        error: The failure.
        describe: Gives the words that the reader is shown.

    >>> from openrouter_async.errors import ConnectError
    >>> error_answer(ConnectError("10.0.0.7 refused the connection")).body
    {'error': {'code': 502, 'message': 'The model cannot be reached.'}}
    """
    return ErrorAnswer(error, describe)


def lifespan(
    client: OpenRouter | Callable[[], OpenRouter] = OpenRouter, *, drain: float = 10.0
) -> Lifespan:
    """Have an application own a client: made at its start, drained and closed at its end.

    The client is ``app.state.openrouter``, and ``request.state.openrouter`` where the framework
    hands the lifespan's state on.

    Args:
        client: What makes the client, or one that is made already (which then serves one start).
            By default it is configured by the environment.
        drain: Seconds that answers still running have at the end. A server that waits for its
            connections itself, as uvicorn does, leaves none.

    Raises:
        ValueError: `drain` is negative or not a number.
    """
    if not drain >= 0:
        raise ValueError(f"drain must be a number of seconds from 0 on, got {drain!r}")

    @asynccontextmanager
    async def running(app: Any) -> AsyncGenerator[dict[str, Any], None]:
        ours = client if isinstance(client, OpenRouter) else client()
        app.state.openrouter = ours
        try:
            yield {"openrouter": ours}
        finally:
            await ours.drain(drain)

    return running


def _check_seconds(name: str, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number of seconds or None, got {value!r}")


def _checked_headers(headers: Mapping[str, str]) -> Headers:
    found: Headers = []
    for name, value in headers.items():
        if any(mark in name + value for mark in "\r\n\0"):
            raise ValueError(f"the header {name!r} holds a line end, which would forge another")
        found.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    return found
