"""`OpenRouter`: what a user sets and calls.

The rule of this file: arguments are put together here and what comes back is given its type;
`_sender` sends. A client is configuration: it opens nothing before its first request, works under
any number of event loops, in threads and after a fork, and pickles without its key.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, Unpack, overload

import msgspec

from ._bodies import read_body
from ._config import (
    DEFAULT_BASE_URL,
    Limits,
    RetryPolicy,
    Timeouts,
    attribution,
    check_type,
    checked_base_url,
    checked_headers,
    checked_proxy,
    from_environment,
    key_from,
)
from ._sender import Sender
from ._transport import PoolStats, Response
from .errors import (
    ProtocolError,
)
from .resources import chat
from .stream import ChatStream
from .types import ChatCompletion, ChatParams, MessageParam

if TYPE_CHECKING:
    import ssl as ssl_module
    from pathlib import Path

    from ._transport import ClientSession

__all__ = ["OpenRouter"]

T = TypeVar("T")


class OpenRouter:
    """The client.

    Args:
        api_key: The key; by default the variable ``OPENROUTER_API_KEY``. ``""`` sends none, for
            a server of the same dialect that needs none.
        base_url: Where the API is; by default ``OPENROUTER_BASE_URL``, else OpenRouter itself.
        model: The model of requests that name none.
        app_url: The app's URL, its identity at OpenRouter; by default
            ``OPENROUTER_HTTP_REFERER``.
        app_title: The app's name as shown there; by default ``OPENROUTER_APP_TITLE``.
        app_categories: The app's categories, at most two a request; by default
            ``OPENROUTER_APP_CATEGORIES`` (a list with commas).
        timeouts: How long to wait for what.
        retry: When a request is sent again.
        limits: How much of what the client may hold.
        headers: Headers of every request.
        proxy: An http or https proxy; by default the one that the environment names.
        ssl: A context, or the path of a file or folder of trusted certificates.
        session: An aiohttp session of the user's, which is used as it is and never closed.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an impossible value; a key is never shown.

    >>> OpenRouter("sk-or-v1-0123456789abcdef", model="openai/gpt-4o-mini")
    OpenRouter(base_url='https://openrouter.ai/api/v1', model='openai/gpt-4o-mini')
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        model: str | None = None,
        app_url: str | None = None,
        app_title: str | None = None,
        app_categories: Sequence[str] | None = None,
        timeouts: Timeouts = Timeouts(),
        retry: RetryPolicy = RetryPolicy(),
        limits: Limits = Limits(),
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | str | Path | None = None,
        session: ClientSession | None = None,
    ) -> None:
        check_type("timeouts", timeouts, Timeouts)
        check_type("retry", retry, RetryPolicy)
        check_type("limits", limits, Limits)
        if model is not None:
            check_type("model", model, str)
        self._model = model
        self._sender = Sender(
            key_from(api_key),
            checked_base_url(
                base_url or from_environment("OPENROUTER_BASE_URL") or DEFAULT_BASE_URL
            ),
            {
                **attribution(app_url, app_title, app_categories),
                **checked_headers(headers or {}, "headers"),
            },
            timeouts=timeouts,
            retry=retry,
            limits=limits,
            transport={"proxy": checked_proxy(proxy), "tls": ssl, "session": session},
        )

    # Chat.

    def stream(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        accumulate: bool = True,
        **params: Unpack[ChatParams],
    ) -> ChatStream:
        """Stream a chat answer.

        Nothing is sent before the stream is iterated, entered, awaited or started.

        Args:
            messages: A prompt, or messages as mappings and message structs, mixed.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            accumulate: False keeps nothing of the answer, for answers without end.
            **params: Any field of `ChatParams`; what is not given is not sent.

        Returns:
            A `ChatStream`; this is no coroutine.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value.
            RuntimeError: The client is closed.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for chunk in client.stream("Say hello", model="openai/gpt-4o-mini"):
        ...         print(chunk.text, end="", flush=True)
        """
        body, headers = self._chat_request(messages, model, params, stream=True)
        waits = timeouts if timeouts is not None else self._sender.timeouts
        check_type("timeouts", waits, Timeouts)

        sender = self._sender

        async def send(accept: Callable[[Response], Awaitable[None]]) -> None:
            await sender.send("POST", chat.PATH, accept, headers=headers, body=body, timeouts=waits)

        return ChatStream(
            send, timeouts=waits, limits=sender.limits, secret=sender.key, accumulate=accumulate
        )

    def complete(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        transport: Literal["stream", "json"] = "stream",
        **params: Unpack[ChatParams],
    ) -> Coroutine[Any, Any, ChatCompletion]:
        """Get a whole chat answer.

        It streams underneath, so that a long answer is held to no idle limit on its way and
        what had come of it is not lost when it fails.

        Args:
            messages: A prompt, or messages as mappings and message structs, mixed.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            transport: ``"json"`` asks for the answer in one piece instead.
            **params: Any field of `ChatParams`; what is not given is not sent.

        Returns:
            The answer, to be awaited. Wrong arguments raise at the call.

        Raises:
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> str:
        ...     completion = await client.complete("Say hello", model="openai/gpt-4o-mini")
        ...     return completion.text
        """
        if transport == "stream":
            return self.stream(messages, model=model, timeouts=timeouts, **params).collect()
        if transport != "json":
            raise ValueError(f"transport must be 'stream' or 'json', got {transport!r}")
        body, headers = self._chat_request(messages, model, params, stream=False)
        waits = timeouts if timeouts is not None else self._sender.timeouts
        check_type("timeouts", waits, Timeouts)
        return self._complete_as_json(body, headers, waits)

    def _chat_request(
        self,
        messages: str | Sequence[MessageParam],
        model: str | None,
        params: ChatParams,
        *,
        stream: bool,
    ) -> tuple[bytes, dict[str, str]]:
        """Build the body and the headers of a chat request, checking every argument."""
        self._sender.refuse_if_closed()
        model = self._model if model is None else model
        body = chat.chat_body(messages, model=model, stream=stream, params=params)
        headers = {
            **(_STREAM_HEADERS if stream else _JSON_HEADERS),
            "Content-Type": "application/json",
            **checked_headers(params.get("extra_headers", {}), "extra_headers"),
        }
        return body, headers

    async def _complete_as_json(
        self, body: bytes, headers: Mapping[str, str], timeouts: Timeouts
    ) -> ChatCompletion:
        async def accept(response: Response) -> ChatCompletion:
            answer = await read_body(response, timeouts)
            return chat.completion_from(answer, now=time.time(), secret=self._sender.key)

        return await self._sender.send(
            "POST", chat.PATH, accept, headers=headers, body=body, timeouts=timeouts
        )

    # Any endpoint.

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str | int | float | bool] | None = None,
    ) -> dict[str, Any]: ...
    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str | int | float | bool] | None = None,
        type: type[T],
    ) -> T: ...
    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str | int | float | bool] | None = None,
        type: Any = dict,
    ) -> Any:
        """Call any endpoint, known to this client or not.

        Args:
            method: The HTTP method.
            path: The path below the base URL, such as ``/models``; never another host.
            json: The body, encoded as JSON; None sends none.
            params: The query; booleans become ``true`` and ``false``.
            type: What to decode the answer into: `dict`, any type that msgspec knows, or
                `bytes` for the body as it is.

        Raises:
            OpenRouterError: The request failed, or the answer is not a `type`.

        >>> async def example(client: OpenRouter) -> int:
        ...     return len((await client.request("GET", "/models"))["data"])
        """
        self._sender.refuse_if_closed()
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"path must start with one slash and be below base_url, got {path!r}")
        headers = dict(_JSON_HEADERS)
        body: bytes | None = None
        if json is not None:
            headers["Content-Type"] = "application/json"
            body = msgspec.json.encode(json)
        query = {name: _query_value(value) for name, value in (params or {}).items()}

        async def accept(response: Response) -> bytes:
            return await read_body(response, self._sender.timeouts)

        answer = await self._sender.send(
            method.upper(), path, accept, headers=headers, body=body, query=query
        )
        if type is bytes:
            return answer
        try:
            return msgspec.json.decode(answer, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"unexpected answer of {method} {path}: {error}") from None

    # Connections.

    async def warmup(self, n: int = 1) -> int:
        """Open connections ahead, with requests that cost nothing and carry no key.

        Args:
            n: How many connections.

        Returns:
            How many requests found the API; a failure is no error.

        Raises:
            ValueError: `n` is smaller than 1.
        """
        import asyncio

        self._sender.refuse_if_closed()
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        results = await asyncio.gather(*(self._sender.greet() for _ in range(n)))
        return sum(results)

    def stats(self) -> PoolStats:
        """Count the connections of this client."""
        return self._sender.stats()

    async def aclose(self) -> None:
        """Close all connections; the client cannot be used afterwards."""
        await self._sender.aclose()

    async def __aenter__(self) -> Self:
        self._sender.refuse_if_closed()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # What it shows of itself, and what travels.

    def __repr__(self) -> str:
        model = f", model={self._model!r}" if self._model is not None else ""
        return f"OpenRouter(base_url={self._sender.base_url!r}{model})"

    def __copy__(self) -> Self:
        # Two that shared their connections would close them for each other.
        return copy.deepcopy(self)


_STREAM_HEADERS: Final = {
    "Accept": "text/event-stream",
    # A compressed stream comes in lumps, so none is asked for.
    "Accept-Encoding": "identity",
}
_JSON_HEADERS: Final = {
    "Accept": "application/json",
    # aiohttp would offer brotli and zstd too where they are installed, in whatever version.
    "Accept-Encoding": "gzip, deflate",
}


def _query_value(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
