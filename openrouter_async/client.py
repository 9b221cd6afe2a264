"""`OpenRouter`: what a user sets and calls.

The rule of this file: arguments are put together here and what comes back is given its type;
`_sender` sends. A client is configuration: it opens nothing before its first request, works under
any number of event loops, in threads and after a fork, and pickles without its key.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, cast, overload

import msgspec

from ._bodies import read_body
from ._calling import (
    CallParams,
    RunCallParams,
)
from ._chat_calls import ChatCalls
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
from ._endpoints import Endpoints
from ._image_result import ImageResult
from ._pdf import DocumentLike, about
from ._price_list import PriceList
from ._sealed import SealedBytes
from ._sender import JSON_HEADERS, Sender
from ._stats import ClientStats
from ._structured import ParsedCompletion, response_type_of
from ._transport import Response
from ._weaving import with_engine
from .budget import Budget
from .documents import DocumentStore
from .errors import (
    ProtocolError,
)
from .hooks import Hook
from .hooks._observation import Hooks
from .image_stream import ImageStream, drawing_params
from .resources import chat
from .resources._references import Reference, drawing_messages
from .stream import ChatStream
from .types import ChatCompletion, MessageParam

if TYPE_CHECKING:
    import ssl as ssl_module
    from pathlib import Path

    from ._transport import ClientSession
    from .batch import MapRun
    from .batch._request import Requests, RequestT
    from .conversation import Conversation
    from .tools import RunCall, ToolLike, ToolRun
    from .types.images import AspectRatio

__all__ = ["OpenRouter"]

T = TypeVar("T")


class OpenRouter(Endpoints):
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
        budget: What all its requests for text and vectors together may cost.
        hooks: Functions that are called with what happens to requests, for metrics, traces and
            logs; see `openrouter_async.hooks`.
        documents: Where the parses of documents are remembered: a folder, a mapping of your own
            from text to bytes, or a `DocumentStore`; by default in memory.
        headers: Headers of every request.
        allow_insecure_http: Send the key to an ``http://`` base URL of another machine, over a
            network that is yours; loopback needs no such word, and neither does ``https://``.
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
        budget: Budget | None = None,
        hooks: Sequence[Hook] = (),
        documents: DocumentStore | MutableMapping[str, bytes] | str | Path | None = None,
        headers: Mapping[str, str] | None = None,
        allow_insecure_http: bool = False,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | str | Path | None = None,
        session: ClientSession | None = None,
    ) -> None:
        check_type("timeouts", timeouts, Timeouts)
        check_type("retry", retry, RetryPolicy)
        check_type("limits", limits, Limits)
        if model is not None:
            check_type("model", model, str)
        if budget is not None:
            check_type("budget", budget, Budget)
        self._model = model
        self._budget = budget
        self._prices = PriceList()
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
            allow_insecure_http=allow_insecure_http,
            hooks=Hooks(hooks) if hooks else None,
        )
        self._chats = ChatCalls(
            self._sender,
            model=model,
            retry=retry,
            budget=budget,
            prices=self._prices,
            documents=DocumentStore.of(documents),
        )

    # Chat.

    @chat.CREATE
    def stream(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        accumulate: bool = True,
        response_type: Any = None,
        strict: bool = True,
        **params: Unpack[CallParams],
    ) -> ChatStream:
        """Stream a chat answer.

        Nothing is sent before the stream is iterated, entered, awaited or started.

        Args:
            messages: A prompt, or messages as mappings and message structs, mixed.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            accumulate: False keeps nothing of the answer, for answers without end.
            response_type: The type that the answer's text is to be; its schema is sent, and
                `ChatStream.parse` reads it. See `complete`.
            strict: False asks for the schema without strict mode; see `complete`.
            **params: Any keyword of `CallParams`; what is not given is not sent.

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
        if response_type is not None:
            wanted = response_type_of(response_type)
            params = cast("CallParams", wanted.asked_for(params, is_strict=strict))
        return self._chats.stream(
            messages, model=model, timeouts=timeouts, accumulate=accumulate, params=params
        )

    @overload
    def complete(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        transport: Literal["stream", "json"] = "stream",
        response_type: None = None,
        **params: Unpack[CallParams],
    ) -> Coroutine[Any, Any, ChatCompletion]: ...
    @overload
    def complete(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        transport: Literal["stream", "json"] = "stream",
        response_type: type[T],
        strict: bool = True,
        **params: Unpack[CallParams],
    ) -> Coroutine[Any, Any, ParsedCompletion[T]]: ...
    @overload
    def complete(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        transport: Literal["stream", "json"] = "stream",
        response_type: Any,
        strict: bool = True,
        **params: Unpack[CallParams],
    ) -> Coroutine[Any, Any, ParsedCompletion[Any]]: ...
    @chat.CREATE
    def complete(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        transport: Literal["stream", "json"] = "stream",
        response_type: Any = None,
        strict: bool = True,
        **params: Unpack[CallParams],
    ) -> Coroutine[Any, Any, ChatCompletion]:
        """Get a whole chat answer.

        It streams underneath, so that a long answer is held to no idle limit on its way and
        what had come of it is not lost when it fails.

        Args:
            messages: A prompt, or messages as mappings and message structs, mixed.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            transport: ``"json"`` asks for the answer in one piece instead.
            response_type: The type that the answer's text is to be: a struct, dataclass,
                TypedDict or pydantic model, ``list[int]``, a `Literal`, ... Its schema is sent,
                and the answer is a `ParsedCompletion`, whose ``.parsed`` is the value.
            strict: False sends the schema as a wish. Strict mode, the default wherever the type
                allows it, may leave no endpoint of an open model, which is a `NotFoundError`;
                the opposite, that only endpoints take it which know schemas at all, is
                ``provider={"require_parameters": True}``.
            **params: Any keyword of `CallParams`; what is not given is not sent.

        Returns:
            The answer, to be awaited. Wrong arguments raise at the call.

        Raises:
            OpenRouterError: The request failed; an `OutputError` where an answer came that is
                no `response_type`.

        >>> async def example(client: OpenRouter) -> str:
        ...     completion = await client.complete("Say hello", model="openai/gpt-4o-mini")
        ...     primes = await client.complete("Five primes", response_type=list[int])
        ...     return f"{completion.text} {sum(primes.parsed)} for ${primes.cost}"
        """
        if transport == "stream":
            stream = self.stream(
                messages,
                model=model,
                timeouts=timeouts,
                response_type=response_type,
                strict=strict,
                **params,
            )
            return (stream if response_type is None else stream.parse(response_type)).collect()
        if transport != "json":
            raise ValueError(f"transport must be 'stream' or 'json', got {transport!r}")
        wanted = None if response_type is None else response_type_of(response_type)
        if wanted is not None:
            params = cast("CallParams", wanted.asked_for(params, is_strict=strict))
        return self._chats.complete_as_json(
            messages, model=model, timeouts=timeouts, wanted=wanted, params=params
        )

    # Documents.

    def stream_pdf(
        self,
        prompt: str,
        documents: DocumentLike | Sequence[DocumentLike],
        *,
        model: str | None = None,
        engine: Literal["mistral-ocr", "cloudflare-ai", "native", "pdf-text"] | str | None = None,
        timeouts: Timeouts | None = None,
        **params: Unpack[CallParams],
    ) -> ChatStream:
        """Stream the answer to a question about PDFs, each of which is parsed and paid for once.

        What the API says of a document is remembered (`documents` of the client) and sent along
        with later questions. Two calls at once do not both have a document parsed that costs
        money: the second waits for the answer to the first, for up to 30 seconds.

        Args:
            prompt: The question.
            documents: One or several: paths, bytes, open files, URLs, or parts of `content.pdf`.
            model: The model; by default the client's. Every model can be asked.
            engine: Who reads the documents: ``"mistral-ocr"`` ($2 for 1,000 pages, scans too),
                ``"cloudflare-ai"`` (free; ``"pdf-text"`` is its older name), or ``"native"``,
                the model itself. By default the model, or where it cannot, ``"mistral-ocr"``.
            timeouts: Deadlines of this request, in place of the client's.
            **params: Any keyword of `CallParams`; what is not given is not sent.

        Returns:
            A `ChatStream`, whose ``.documents`` tell what was saved; this is no coroutine.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value, or two contradict.
            RuntimeError: The client is closed.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for chunk in client.stream_pdf("Who signed it?", "contract.pdf"):
        ...         print(chunk.text, end="", flush=True)
        """
        messages = about(prompt, documents)
        if engine is not None:
            check_type("engine", engine, str)
            params["plugins"] = with_engine(params.get("plugins", ()), engine)
        params.setdefault("remember_documents", True)
        return self.stream(messages, model=model, timeouts=timeouts, **params)

    def ask_pdf(
        self,
        prompt: str,
        documents: DocumentLike | Sequence[DocumentLike],
        *,
        model: str | None = None,
        engine: Literal["mistral-ocr", "cloudflare-ai", "native", "pdf-text"] | str | None = None,
        timeouts: Timeouts | None = None,
        **params: Unpack[CallParams],
    ) -> Coroutine[Any, Any, ChatCompletion]:
        """Get the whole answer to a question about PDFs; the arguments are those of `stream_pdf`.

        Returns:
            The answer, to be awaited. Wrong arguments raise at the call.

        Raises:
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     answer = await client.ask_pdf("What changed?", ["2024.pdf", "2025.pdf"])
        ...     print(answer.text, sum(document.saved or 0 for document in answer.documents))
        """
        return self.stream_pdf(
            prompt, documents, model=model, engine=engine, timeouts=timeouts, **params
        ).collect()

    # Images.

    def stream_images(
        self,
        prompt: str,
        *,
        model: str | None = None,
        images: Sequence[Reference] = (),
        aspect_ratio: AspectRatio | str | None = None,
        image_size: str | None = None,
        timeouts: Timeouts | None = None,
        **params: Unpack[CallParams],
    ) -> ImageStream:
        """Have a model of the chat endpoint draw, each image as it is ready.

        Nothing is sent before the stream is iterated, entered, awaited or started. Models that
        only draw want ``modalities=["image"]``; ``client.images`` is the endpoint made for
        drawing.

        Args:
            prompt: What to draw.
            model: The model; by default the client's.
            images: Images to draw by: paths, bytes, open files, URLs, parts of `content.image`,
                or images of an earlier answer.
            aspect_ratio: Width to height, such as ``"16:9"``; see `types.pixel_size`.
            image_size: ``"1K"``, ``"2K"``, ``"4K"``, or ``"0.5K"`` where the model knows it.
            timeouts: Deadlines of this request, in place of the client's.
            **params: Any keyword of `CallParams`, ``image_config`` with more of how to draw
                among them.

        Returns:
            An `ImageStream`; this is no coroutine.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value, or two contradict.
            RuntimeError: The client is closed.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for image in client.stream_images("A fox in the snow", aspect_ratio="16:9"):
        ...         print(image.save("fox"))
        """
        messages = drawing_messages(prompt, images)
        params = drawing_params(params, aspect_ratio, image_size)
        return ImageStream(self.stream(messages, model=model, timeouts=timeouts, **params))

    def generate_images(
        self,
        prompt: str,
        *,
        model: str | None = None,
        images: Sequence[Reference] = (),
        aspect_ratio: AspectRatio | str | None = None,
        image_size: str | None = None,
        timeouts: Timeouts | None = None,
        **params: Unpack[CallParams],
    ) -> Coroutine[Any, Any, ImageResult]:
        """Have a model of the chat endpoint draw, and get all that it gave.

        The arguments are those of `stream_images`.

        Returns:
            The result, to be awaited. Wrong arguments raise at the call. Where no image came, its
            ``.images`` are none, ``.text`` says what the model said, and ``.image`` raises.

        Raises:
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     result = await client.generate_images("A fox in the snow", images=["sketch.png"])
        ...     print(result.image.save("fox"), result.text, result.cost)
        """
        return self.stream_images(
            prompt,
            model=model,
            images=images,
            aspect_ratio=aspect_ratio,
            image_size=image_size,
            timeouts=timeouts,
            **params,
        ).collect()

    @overload
    def map(
        self,
        requests: Requests[RequestT],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        model: str | None = None,
        response_type: None = None,
        **params: Unpack[CallParams],
    ) -> MapRun[RequestT, ChatCompletion]: ...
    @overload
    def map(
        self,
        requests: Requests[RequestT],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        model: str | None = None,
        response_type: type[T],
        **params: Unpack[CallParams],
    ) -> MapRun[RequestT, ParsedCompletion[T]]: ...
    def map(
        self,
        requests: Requests[RequestT],
        *,
        concurrency: int | None = None,
        ordered: bool = False,
        model: str | None = None,
        response_type: Any = None,
        **params: Unpack[CallParams],
    ) -> MapRun[RequestT, Any]:
        """Complete many requests, a bounded number at a time; one's failure is its result.

        Memory does not grow with the number of requests: the next is asked for when there is
        room for it, and a result that nobody has looked at yet takes up room as well.

        Args:
            requests: An iterable or async iterable of prompts, of mappings of the keywords of
                `complete`, and of `ChatRequest`, mixed. It is iterated in the event loop, so one
                that blocks blocks everything.
            concurrency: How many at once; by default as many as the client's `Limits` allow.
            ordered: Give the results in the order of the requests rather than as they come; as
                many again as are under way may then wait for a slow one.
            model: The model of requests that name none; by default the client's.
            response_type: As in `complete`, for requests that name none.
            **params: Any keyword of `CallParams`, for requests that do not give it.

        Returns:
            A `MapRun` to be looped over; this is no coroutine. Leaving the loop cancels what is
            under way.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: `concurrency` is smaller than 1.
            RuntimeError: The client is closed; from the run, where that happens meanwhile.

        >>> async def example(client: OpenRouter, prompts: list[str]) -> None:
        ...     async for result in client.map(prompts, model="openai/gpt-4o-mini"):
        ...         print(result.index, result.error or result.unwrap().text)
        """
        from .batch._map import map_requests

        return map_requests(
            self.complete,
            requests,
            {"model": model, "response_type": response_type, **params},
            concurrency=concurrency,
            ordered=ordered,
            limits=self._sender.limits,
            refuse=self._sender.refuse_if_closed,
        )

    def conversation(
        self,
        *,
        model: str | None = None,
        system: str | None = None,
        **params: Unpack[CallParams],
    ) -> Conversation:
        """Begin a conversation, which keeps its history from turn to turn.

        Args:
            model: The model; by default the client's.
            system: The system message.
            **params: Any keyword of `CallParams`, for every turn.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.

        >>> async def example(client: OpenRouter) -> None:
        ...     talk = client.conversation(system="Be brief.")
        ...     print((await talk.complete("Who was Ada Lovelace?")).text)
        ...     async for chunk in talk.stream("And her father?"):
        ...         print(chunk.text, end="")
        """
        from .conversation import Conversation

        self.stream("Hi", model=model, **params).close()  # says now what no turn could send
        return Conversation(self, model=model, system=system, **params)

    def run_tools(
        self,
        messages: str | Sequence[MessageParam],
        *,
        tools: Sequence[ToolLike],
        model: str | None = None,
        max_turns: int = 10,
        max_parallel: int = 10,
        max_repeats: int | None = 3,
        stop_when: Callable[[ToolRun], bool | Awaitable[bool]] | None = None,
        on_approval: Callable[[RunCall], bool | str | Awaitable[bool | str]] | None = None,
        on_error: Literal["tell", "raise"] = "tell",
        pin_provider: bool = True,
        timeouts: Timeouts | None = None,
        **params: Unpack[RunCallParams],
    ) -> ToolRun:
        """Let the model call tools, turn by turn, until it asks for no more.

        Nothing is sent before the run is iterated or awaited. The calls of one turn run side by
        side; their results go back in the order of the calls. ``run.stopped_because`` tells why
        a run stopped, and its last calls may then have no answer yet.

        Args:
            messages: A prompt, or messages as mappings and message structs, mixed. Calls at
                their end that have no answer yet are run first.
            tools: Functions, types, what `tool` makes of them, and tools of OpenRouter's own in
                their wire form, such as ``{"type": "openrouter:web_search"}``.
            model: The model; by default the client's.
            max_turns: How often the model is asked; the calls of the last turn are not run.
            max_parallel: How many tools run at a time.
            max_repeats: After so many turns in a row with the same calls the run stops, and the
                last of them are not run; None never stops it for that.
            stop_when: Asked with the run after the tools of each turn; True stops it.
            on_approval: Asked with each call that needs approval: True allows it, False or a
                reason refuses it. Without this the run stops before such calls, to go on with
                `ToolRun.approve` or `ToolRun.deny`.
            on_error: "tell" tells the model of a tool that failed and of arguments that do not
                fit, and goes on; "raise" raises.
            pin_provider: Stay with the provider of an answer with encrypted reasoning, which no
                other can read; see also ``provider``, where `order` and `only` stay in force.
            timeouts: Deadlines of each turn, in place of the client's.
            **params: Any keyword of `CallParams` but ``tools``. A ``tool_choice`` that forces a
                call holds for the first turn only, or there would be no end.

        Returns:
            A `ToolRun`; this is no coroutine.

        Raises:
            TypeError: An argument has the wrong type, or a tool lacks a type hint.
            ValueError: An argument has an impossible value.
            BudgetExceededError: From the run, before a turn that the budget does not cover.

        >>> async def weather(city: str) -> str:
        ...     '''Tell the weather of a city.'''
        ...     return "21 C and rain"
        >>> async def example(client: OpenRouter) -> None:
        ...     async for chunk in client.run_tools("Is it raining in Oslo?", tools=[weather]):
        ...         print(chunk.text, end="", flush=True)
        """
        from .tools import ToolRun
        from .tools._rules import Rules

        return ToolRun(
            self,
            messages,
            tools=tools,
            model=model,
            timeouts=timeouts,
            params=params,
            rules=Rules(
                max_turns=max_turns,
                max_parallel=max_parallel,
                max_repeats=max_repeats,
                stop_when=stop_when,
                on_approval=on_approval,
                on_error=on_error,
                pin_provider=pin_provider,
            ),
            secret=self._sender.key,
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
        headers = dict(JSON_HEADERS)
        body: bytes | None = None
        if json is not None:
            headers["Content-Type"] = "application/json"
            body = SealedBytes(msgspec.json.encode(json))
            del json  # the frames of an error show their local variables
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

    def stats(self) -> ClientStats:
        """Count the connections of this client, and which requests are held back."""
        return self._sender.stats()

    async def drain(self, timeout: float) -> int:
        """Shut down: take no new request, let the running ones end, then close the client.

        Args:
            timeout: Seconds that the running requests have; those that wait in line for a
                connection and those that are tried again are running too.

        Returns:
            How many were cut: they raise an error with what had come of their answers.

        Raises:
            RuntimeError: The client is closed, or is being drained already.
            ValueError: `timeout` is negative or not a number.

        >>> async def example(client: OpenRouter) -> None:
        ...     cut = await client.drain(timeout=30)
        """
        if not timeout >= 0:
            raise ValueError(f"timeout must be a number of seconds from 0 on, got {timeout!r}")
        return await self._sender.drain(timeout)

    async def aclose(self) -> None:
        """Close all connections; the client cannot be used afterwards."""
        await self._sender.aclose()
        await self._chats.documents.flush()

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


def _query_value(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
