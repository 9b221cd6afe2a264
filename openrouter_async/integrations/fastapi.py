"""`relay` and the client as FastAPI knows such things: a response, a dependency, a handler.

>>> from fastapi import FastAPI
>>> app = FastAPI(lifespan=lifespan(), exception_handlers={OpenRouterError: error_response})
>>> @app.post("/chat")
... async def chat(prompt: str, client: Client) -> RelayResponse:
...     return relay(client.stream(prompt))

The rule of this file: it only dresses what `asgi` does. FastAPI's own ``EventSourceResponse``
is for events of your own making and serves well there: our streams close in it when the reader
leaves. `relay` does not use it, because it sends the head before the first event is known, so
that no failure could keep its status, and because it decodes and encodes every event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar, cast

try:
    from fastapi import Depends, HTTPException, Request
    from fastapi.requests import HTTPConnection
    from fastapi.responses import JSONResponse, Response
    from pydantic import BeforeValidator, WithJsonSchema
    from starlette.background import BackgroundTask
    from starlette.types import Receive, Scope, Send
except ModuleNotFoundError as error:
    words = f"{error.name} is not installed: pip install 'openrouter-async[fastapi]'"
    raise ModuleNotFoundError(words, name=error.name) from error

from ..client import OpenRouter
from ..errors import OpenRouterError
from ._failures import Describe, error_words
from ._leaving import ClientDisconnectedError, run_while_there
from ._serving import CLOSED_REQUEST
from .asgi import (
    CancelOnDisconnect,
    ProtocolName,
    Relay,
    Source,
    error_answer,
    lifespan,
    ui_messages,
)

__all__ = [
    "CancelOnDisconnect",
    "Client",
    "ProtocolName",
    "RelayResponse",
    "Source",
    "UIMessages",
    "cancel_on_disconnect",
    "error_response",
    "get_client",
    "lifespan",
    "relay",
    "ui_messages",
]

T = TypeVar("T")


class RelayResponse(Response):
    """A response that relays a stream; made by `relay`.

    Headers, cookies and background tasks work as with every response. As a `response_class` it
    has the description of the API say that the endpoint sends events.
    """

    media_type = "text/event-stream"

    def __init__(
        self, source: Relay, status_code: int = 200, *, background: BackgroundTask | None = None
    ) -> None:
        # FastAPI gives whatever an endpoint with this `response_class` returns.
        if not isinstance(cast("object", source), Relay):
            raise TypeError(
                "an endpoint that answers with RelayResponse must return relay(...), "
                f"not {type(source).__name__}"
            )
        self._relay = source
        self.status_code = status_code
        self.background = background
        self.raw_headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; then run the background tasks, also where the reader has left."""
        await self._relay.serve(
            receive,
            send,
            status=self.status_code,
            headers=self.raw_headers,
            is_head=scope["method"] == "HEAD",
        )
        if self.background is not None:
            await self.background()


def relay(
    stream: Source,
    *,
    protocol: ProtocolName = "openai",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    heartbeat: float | None = 15.0,
    headers_within: float | None = 20.0,
    describe: Describe = error_words,
    background: BackgroundTask | None = None,
) -> RelayResponse:
    """Answer a request with a stream; see `openrouter_async.integrations.asgi.relay`.

    Args:
        stream: The stream, not looped over yet.
        protocol: ``"openai"``, ``"ai-sdk"`` or ``"text"``.
        status: The status of an answer that begins well.
        headers: Headers to add.
        heartbeat: Seconds of silence after which a comment is sent at the latest; None for none.
        headers_within: Seconds after which the head is sent without a token; None for never.
        describe: Gives the words that the reader is shown of a failure.
        background: What runs afterwards, however the answer ended.

    Raises:
        TypeError: `stream` is no stream, or has no form in this protocol.
        ValueError: An argument has an impossible value.
        RuntimeError: The stream is looped over already, has failed or was closed.
    """
    source = Relay(
        stream,
        protocol=protocol,
        headers=headers,
        heartbeat=heartbeat,
        headers_within=headers_within,
        describe=describe,
    )
    return RelayResponse(source, status, background=background)


def get_client(connection: HTTPConnection) -> OpenRouter:
    """Give the client that `lifespan` made, as a dependency.

    Raises:
        RuntimeError: The application was not given `lifespan`.
    """
    for state in (connection.state, connection.app.state):
        found = getattr(state, "openrouter", None)
        if isinstance(found, OpenRouter):
            return found
    raise RuntimeError("this application has no client: FastAPI(lifespan=lifespan()) gives it one")


Client: TypeAlias = Annotated[OpenRouter, Depends(get_client)]
"""A parameter of an endpoint that is the application's client."""

UIMessages: TypeAlias = Annotated[
    list[dict[str, Any]],
    BeforeValidator(ui_messages),
    WithJsonSchema({"type": "array", "items": {"type": "object"}}),
]
"""The ``messages`` of a body that the Vercel AI SDK's ``useChat`` sends, read by `ui_messages`;
what is no such list is answered with 422."""


async def cancel_on_disconnect(request: Request, work: Awaitable[T]) -> T:
    """Await `work` in an endpoint without a stream, and cancel it when the client leaves.

    Args:
        request: The request; its body must have been read, as FastAPI does for declared bodies.
        work: What is awaited, such as ``client.complete(...)``.

    Raises:
        HTTPException: The client left (499, which only the access log sees).

    >>> async def endpoint(prompt: str, request: Request, client: Client) -> str:
    ...     return (await cancel_on_disconnect(request, client.complete(prompt))).text
    """
    try:
        return await run_while_there(request.receive, work)
    except ClientDisconnectedError as error:
        raise HTTPException(CLOSED_REQUEST, "the client has left") from error


async def error_response(request: Request, error: Exception) -> JSONResponse:
    """Answer with the status and the words of a failure; a handler for exceptions.

    Args:
        request: The request.
        error: The failure.

    Raises:
        Exception: `error` itself, where it is none of ours.

    >>> from fastapi import FastAPI
    >>> app = FastAPI(exception_handlers={OpenRouterError: error_response})
    """
    if not isinstance(error, OpenRouterError):
        raise error
    answer = error_answer(error)
    return JSONResponse(answer.body, answer.status, answer.headers)
