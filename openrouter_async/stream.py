"""Chat streams: what an event of ``/chat/completions`` means.

The rule of this file: it decodes chunks, finds the errors in them and gathers the answer. How a
stream starts, reads, ends and is left is the business of `EventStream`.
"""

# Cursors are a part of the stream that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Sequence
from operator import length_hint
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast, overload

import msgspec

from ._accumulate import Accumulator, Outline
from ._config import Limits, Secret, Timeouts
from ._error_bodies import error_in, error_in_stream
from ._event_stream import NO_EVENTS, EventStream, Leaving, RawCursor, Send
from ._pdf import CallDocuments
from ._records import FindRecord, record_in_time
from ._sse import NamedEvent
from ._text_run import UNDECODED, TextRun
from ._timing import speed_of
from ._tool_calls import TooManyError
from .budget import Reservation
from .errors import OpenRouterError, ProtocolError
from .types import (
    Annotation,
    ChatChunk,
    ChatCompletion,
    Ending,
    ErrorBody,
    Image,
    RateLimit,
    Timing,
    URLCitation,
    Usage,
)
from .types._base64 import Base64Pieces
from .types._lenient import NotAnObjectError, decode_leniently
from .types.arrival import Arrival, SentDocument, rate_limit_in
from .types.chat import citations_in

if TYPE_CHECKING:
    from ._race import Attempt
    from .parsing import ParsedStream
    from .sharing import SharedStream, SlowReader, WhenLastLeaves

__all__ = ["ChatStream", "Ending", "Timing"]

T = TypeVar("T")

_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')
_decode: Final = msgspec.json.Decoder(ChatChunk).decode
_WELL: Final = frozenset({"complete", "complete_no_sentinel", "complete_no_reason"})


class ChatStream(EventStream[ChatChunk]):
    """One chat answer as it comes; made by `OpenRouter.stream`, never by hand.

    It has four right spellings: ``async for chunk in stream``, ``async with stream``,
    ``completion = await stream``, and ``await stream.start()`` with ``anext(stream)``. A loop
    that is left early, by whatever way, closes the connection at once.

    Attributes:
        status: The HTTP status.
        headers: The answer's headers, looked up without regard to case.
        timing: When things happened, in seconds.
        ending: How the stream ended; None while it has not.
        attempts: With ``fallback`` or ``hedge_after``, the requests that were sent, in order;
            otherwise none.

    Raises:
        OpenRouterError: From whatever reads it: the request or the answer failed, and
            ``error.partial`` is what had come. See `errors`.
        RuntimeError: From a second loop.
    """

    __slots__ = (
        "_audio_format",
        "_documents",
        "_find_record",
        "_keeps",
        "_next",
        "_on_end",
        "_outline",
        "_reservation",
        "_texts",
        "attempts",
    )

    def __init__(
        self,
        send: Send,
        *,
        timeouts: Timeouts,
        limits: Limits,
        secret: Secret | None = None,
        accumulate: bool = True,
        find_record: FindRecord | None = None,
        reservation: Reservation | None = None,
        documents: CallDocuments | None = None,
        attempts: Sequence[Attempt] = (),
        audio_format: str | None = None,
    ) -> None:
        self._keeps = accumulate
        self._audio_format = audio_format  # what was asked for, as no chunk tells it
        self._documents = documents
        self._reservation = reservation
        self.attempts = attempts
        self._find_record = find_record
        self._on_end: list[Callable[[ChatStream], object]] = []
        self._texts: list[str] = []  # of the chunks in `_items`, and of those handed out since
        self._next: ChatChunk | bytes | None = None  # what came behind them, taken from `_events`
        super().__init__(send, timeouts=timeouts, limits=limits, secret=secret)

    # What is known of the answer.

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id, from the headers or the first chunk."""
        return self.headers.get("x-generation-id") or self._outline.id

    @property
    def provider(self) -> str | None:
        """The provider that answers, as the chunks name it."""
        return self._outline.provider

    @property
    def model(self) -> str | None:
        """The model that answers, which may be another than the one asked for."""
        return self._outline.model

    @property
    def usage(self) -> Usage | None:
        """Tokens and cost; usually on the last chunk, and None where the server sent none."""
        return self._outline.usage

    @property
    def cost(self) -> float | None:
        """USD charged; None where the server did not say."""
        return self._outline.usage.cost if self._outline.usage is not None else None

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why each choice ended, in order, of those that have."""
        return self._outline.finish_reasons

    @property
    def cached_tokens(self) -> int | None:
        """Tokens of the prompt that were read from the prompt cache; None where not said."""
        return self._outline.usage.cached_tokens if self._outline.usage is not None else None

    @property
    def cache_write_tokens(self) -> int | None:
        """Tokens of the prompt that were written to the prompt cache; None where not said."""
        return self._outline.usage.cache_write_tokens if self._outline.usage is not None else None

    @property
    def reasoning_tokens(self) -> int | None:
        """Tokens of the answer that were reasoning; None where not said."""
        return self._outline.usage.reasoning_tokens if self._outline.usage is not None else None

    @property
    def image_tokens(self) -> int | None:
        """Tokens of the answer that were images; None where not said."""
        return self._outline.usage.image_tokens if self._outline.usage is not None else None

    @property
    def openrouter_metadata(self) -> dict[str, Any] | None:
        """How the request was routed, where that was asked for."""
        return self._outline.openrouter_metadata

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the headers say of the rate limit; None where they say nothing."""
        return rate_limit_in(self.headers)

    @property
    def partial(self) -> ChatCompletion | None:
        """The answer so far, built anew at each look; None with ``accumulate=False``."""
        self._catch_up()
        completion = self._outline.completion(ended=self.ending in _WELL)
        if completion is not None:
            for choice in completion.choices:
                spoken = choice.message.audio
                if spoken is not None:
                    spoken.format = spoken.format or self._audio_format
            completion.arrival = Arrival(
                headers={name.lower(): value for name, value in self.headers.items()},
                timing=msgspec.structs.replace(self.timing),
                ending=self.ending,
                documents=self.documents,
            )
        return completion

    @property
    def annotations(self) -> list[Annotation]:
        """Citations and parsed files so far, in order; none with ``accumulate=False``."""
        return self._outline.annotations

    @property
    def citations(self) -> list[URLCitation]:
        """The web pages that the answer rests on so far, in order."""
        return citations_in(self.annotations)

    @property
    def documents(self) -> tuple[SentDocument, ...]:
        """The documents of the request, and what sending along their parses has saved.

        They are known once the request is sent, where documents are remembered.
        """
        return self._documents.sent if self._documents is not None else ()

    # More spellings.

    def __await__(self) -> Generator[Any, Any, ChatCompletion]:
        return self.collect().__await__()

    async def collect(self) -> ChatCompletion:
        """Read to the end and give the whole answer.

        Raises:
            OpenRouterError: The stream failed; `partial` on the error is what had come.
            RuntimeError: The stream was left, or nothing of it is kept (``accumulate=False``).
        """
        if not self._keeps:
            raise RuntimeError("accumulate=False keeps nothing that could be collected")
        self._raise_if_over()
        try:
            while True:
                self._take_waiting()
                await self._step_with_reads()
        except StopAsyncIteration:
            self._raise_if_over()
        return cast("ChatCompletion", self.partial)

    def text(self) -> TextCursor:
        """Iterate the new pieces of text, leaving out chunks without any."""
        self._begin_loop()
        return TextCursor(self)

    def reasoning(self) -> ReasoningCursor:
        """Iterate the new pieces of reasoning, leaving out chunks without any.

        >>> async def example(client: OpenRouter) -> None:
        ...     stream = client.stream("Why is the sky blue?", reasoning={"effort": "low"})
        ...     async for piece in stream.reasoning():
        ...         print(piece, end="")
        ...     print(stream.partial.text)  # the loop has read the answer as well
        """
        self._begin_loop()
        return ReasoningCursor(self)

    def images(self) -> ImageCursor:
        """Iterate the images as they come, each once."""
        self._begin_loop()
        return ImageCursor(self)

    def audio(self) -> AudioCursor:
        """Iterate the sound as it comes, decoded; the words beside it are in ``.transcript``.

        >>> async def example(client: OpenRouter) -> None:
        ...     voice = {"voice": "alloy", "format": "pcm16"}
        ...     stream = client.stream("Say hello", modalities=["text", "audio"], audio=voice)
        ...     async for data in (sound := stream.audio()):
        ...         print(len(data), "bytes,", sound.transcript)
        ...     await stream.partial.audio.save_async("hello.wav")
        """
        self._begin_loop()
        return AudioCursor(self)

    @overload
    def parse(self, response_type: type[T]) -> ParsedStream[T]: ...
    @overload
    def parse(self, response_type: Any) -> ParsedStream[Any]: ...
    def parse(self, response_type: Any) -> ParsedStream[Any]:
        """Read the answer's text as JSON while it comes: partial values, then the typed one.

        The schema is sent by ``stream(..., response_type=...)``; without that the model has to
        be told in another way what to write.

        Args:
            response_type: The type of the value, as `OpenRouter.complete` takes it.

        Raises:
            TypeError: JSON cannot say the type, or it refers to itself.
            RuntimeError: Nothing of the stream is kept (``accumulate=False``).

        >>> async def example(client: OpenRouter) -> list[str]:
        ...     stream = client.stream("Ten names for a cat", response_type=list[str])
        ...     parsing = stream.parse(list[str])
        ...     async for names in parsing:
        ...         print(len(names), "so far")
        ...     return parsing.parsed
        """
        from .parsing import ParsedStream

        return ParsedStream(self, response_type)

    def raw(self) -> RawCursor:
        """Iterate the bytes as they came, in whole events, decoding nothing: for a relay.

        The first event is decoded (by `start`), so that an error before the first token raises,
        and the last one is looked at for the usage. Later errors pass as the bytes that they are.
        Nothing is accumulated.
        """
        cursor = super().raw()
        self._keeps = False
        return cursor

    def share(
        self,
        *,
        keep: int = 10_000,
        max_buffer: int = 64 * 2**20,
        slow: SlowReader = "drop",
        when_last_leaves: WhenLastLeaves = "close",
    ) -> SharedStream:
        """Give this answer to many readers, each at its own pace; it cannot be looped over then.

        Args:
            keep: How many chunks are kept at most, for readers that come later or are slower.
            max_buffer: How many bytes they may have together, but for the last of them.
            slow: What becomes of a reader that falls behind what is kept: ``"drop"`` raises
                `LaggedError` in it, ``"wait"`` has the upstream wait for it.
            when_last_leaves: What becomes of the upstream without a reader: ``"close"`` stops it
                at once, a number after so many seconds unless a reader comes back, ``"finish"``
                reads it to its end.

        Raises:
            RuntimeError: The stream is looped over already, has failed or was closed.
            TypeError: An argument has the wrong type.
            ValueError: An argument has an impossible value.

        >>> async def example(client: OpenRouter) -> None:
        ...     shared = client.stream("Tell me a story").share()
        ...     async for chunk in shared.reader(start=0):
        ...         print(chunk.text, end="")
        """
        from .sharing import SharedStream

        shared = SharedStream(
            self, keep=keep, max_buffer=max_buffer, slow=slow, when_last_leaves=when_last_leaves
        )
        self._begin_loop()
        return shared

    # When it is over.

    async def settle_cost(self, timeout: float = 30.0) -> float | None:
        """Find out what the answer cost, also where its usage never came.

        A stream that was left or that broke has no usage; its cost is in the record that
        OpenRouter writes some moments later. `usage` and `cost` are filled in from it.

        Args:
            timeout: How long to wait for the record, in seconds.

        Returns:
            USD charged, at once where it is known already; None (never a guess) where there was
            no record in time. `generation_id` is what to ask `OpenRouter.generations` for later.

        Raises:
            RuntimeError: The stream is not over.
            OpenRouterError: Asking failed for another reason than a missing record.

        >>> async def example(client: OpenRouter) -> float | None:
        ...     stream = client.stream("Count to a thousand")
        ...     async for chunk in stream:
        ...         break
        ...     return await stream.settle_cost()
        """
        if self.ending is None:
            raise RuntimeError("this stream is not over: read it to its end, or close it")
        if self.cost is not None or self.generation_id is None or self._find_record is None:
            return self.cost
        record = await record_in_time(self._find_record, self.generation_id, timeout)
        if record is None:
            return None
        self._outline.usage = record.to_usage()
        if self._reservation is not None:
            self._reservation.settle(self.cost)
        return self.cost

    def on_end(self, callback: Callable[[ChatStream], object]) -> None:
        """Have `callback` called once with this stream when it is over, in whatever way.

        Args:
            callback: It must neither raise nor wait: the end may come while the stream is being
                cancelled or dropped. At once, where the stream is over.
        """
        if self.ending is None:
            self._on_end.append(callback)
        else:
            callback(self)

    # What events mean.

    def _reset(self) -> None:
        super()._reset()
        self._texts = []
        self._next = None
        limits = self._limits
        self._outline: Outline
        if self._keeps:
            self._outline = Accumulator(limits.max_choices, limits.max_tool_calls)
        else:
            self._outline = Outline(limits.max_choices)

    def _take_next(self) -> ChatChunk | None:
        self._catch_up()
        while True:
            following, self._next = self._next, None
            if following is None:
                run = TextRun(_decode, self._events, self._outline)
                if run.chunks:
                    self._texts, self._next = run.texts, run.next
                    self._items = iter(run.chunks)
                    return next(self._items)
                following = run.next
                if following is None:
                    self._events = NO_EVENTS
                    return None
            if isinstance(following, ChatChunk):
                return self._add(following)
            item = self._take(following)
            if item is not None or self._response is None:
                return item

    def _catch_up(self) -> None:
        texts = self._texts
        if texts:
            left = length_hint(self._items)
            self._texts = texts[len(texts) - left :] if left else []
            self._outline.add_texts(texts[: len(texts) - left] if left else texts)
            self._deltas = self._outline.deltas

    def _take(self, data: bytes) -> ChatChunk | None:
        if data == b"[DONE]":
            self._done()
            return None
        try:
            chunk = _decode(data)
        except UNDECODED:
            patient = self._take_patiently(data)
            if patient is None:
                return None
            chunk = patient
        chunk.raw = data
        return self._add(chunk)

    def _add(self, chunk: ChatChunk) -> ChatChunk:
        outline = self._outline
        try:
            outline.add(chunk)
        except TooManyError as error:
            raise ProtocolError(f"the stream opens {error}") from None
        self._deltas = outline.deltas
        if chunk.error is not None or outline.failed is not None or not chunk.choices:
            self._raise_error_in(chunk)
        return chunk

    def _take_patiently(self, data: bytes) -> ChatChunk | None:
        """Decode what the strict decoder refused; None for what is no chunk at all."""
        text = data.strip()
        if not text or text.startswith(b":"):
            return None  # a keep-alive that was sent as an event
        if text == b"[DONE]":
            self._done()
            return None
        try:
            return decode_leniently(data, ChatChunk)
        except NotAnObjectError as error:
            shown = self._shown(data)
            raise ProtocolError(f"an event holds {error}: {shown!r}") from None

    def _raise_error_in(self, chunk: ChatChunk) -> None:
        data = chunk.raw
        details = chunk.error or self._outline.failed
        if details is None and isinstance(data, NamedEvent) and data.name == "error":
            details = error_in(data) or decode_leniently(data, ErrorBody)
        if details is None and chunk.object == "error":
            details = decode_leniently(data, ErrorBody)
        if details is not None:
            raise error_in_stream(details, now=time.time(), secret=self._revealed())

    def _finished(self) -> bool:
        return self._outline.finished

    def _note_usage(self, frames: bytes) -> None:
        found = [usage.start() for usage in _USAGE.finditer(frames)]
        if not found:
            return
        at = found[-1]
        begin = max(frames.rfind(b"\n", 0, at), frames.rfind(b"\r", 0, at)) + 1
        event = frames[begin:].splitlines()[0].removeprefix(b"data:")
        try:
            usage = _decode(event).usage
        except UNDECODED:
            try:
                usage = decode_leniently(event, ChatChunk).usage
            except NotAnObjectError:  # no reason for a relay to fail
                return
        self._outline.usage = usage or self._outline.usage

    def _from_json(self, body: bytes) -> bytes:
        # The server ignored `stream: true`, or reports an error with status 200. A completion
        # becomes the one chunk that says all of it.
        details = error_in(body)
        if details is not None:
            raise error_in_stream(details, now=time.time(), secret=self._revealed())
        try:
            value = msgspec.json.decode(body, type=dict[str, Any])
            for choice in value["choices"]:
                choice["delta"] = choice.pop("message")
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
            raise self._not_a_stream(body) from None
        return msgspec.json.encode(value)

    def _complete_error(self, error: OpenRouterError) -> None:
        error.generation_id = error.generation_id or self.generation_id
        error.partial = self.partial
        if self._documents is not None:
            self._documents.learn_from(error)
        self._note_billing(error, self.cost)

    def _end_as(self, state: Any, ending: Ending) -> None:
        if self._response is not None and self.usage is not None:
            self._response.spent(self.usage.total_tokens or 0)
        super()._end_as(state, ending)
        self._texts = []  # what was taken ahead has not been seen by anybody
        self._next = None
        self.timing.tokens_per_second = speed_of(self.timing, self.usage)
        if self._reservation is not None:
            self._reservation.settle(self.cost)
        if self._documents is not None:
            self._documents.learn(self.annotations)
            self._documents.over()
        callbacks, self._on_end = self._on_end, []
        for callback in callbacks:
            callback(self)


class TextCursor(Leaving):
    """Iterates the text of a chat stream."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        stream = cast("ChatStream", self._stream)
        while True:
            for chunk in stream._items:
                # Of a run: it brings one text, and `ChatChunk.text` would look for more.
                text = cast("str", chunk.choices[0].delta.content)
                if text:
                    return text
            found = stream._waiting_item()
            if found is None:
                found = await stream._step_with_reads()
            text = found.text
            if text:
                return text


class ReasoningCursor(Leaving):
    """Iterates the reasoning of a chat stream."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        stream = cast("ChatStream", self._stream)
        while True:
            chunk = stream._waiting_item()
            if chunk is None:
                chunk = await stream._step_with_reads()
            reasoning = chunk.reasoning
            if reasoning:
                return reasoning


class ImageCursor(Leaving):
    """Iterates the images of a chat stream."""

    __slots__ = ("_seen", "_waiting")

    def __init__(self, stream: ChatStream) -> None:
        super().__init__(stream)
        self._seen: set[int] = set()  # hashes: keeping the URLs would keep the images
        self._waiting: list[Image] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Image:
        stream = cast("ChatStream", self._stream)
        while not self._waiting:
            chunk = await stream._step()
            for image in chunk.images:
                mark = hash(image.url)
                if mark not in self._seen:
                    self._seen.add(mark)
                    self._waiting.append(image)
        return self._waiting.pop(0)


class AudioCursor(Leaving):
    """Iterates the sound of a chat stream.

    Attributes:
        transcript: What has been said so far.
    """

    __slots__ = ("_pieces", "transcript")

    def __init__(self, stream: ChatStream) -> None:
        super().__init__(stream)
        self._pieces = Base64Pieces()
        self.transcript = ""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        stream = cast("ChatStream", self._stream)
        while True:
            piece = (await stream._step()).audio
            if piece is None:
                continue
            if piece.transcript:
                self.transcript += piece.transcript
            try:
                data = self._pieces.feed(piece.data or "")
            except ValueError as error:
                raise stream._failed(ProtocolError(f"the sound is no base64: {error}")) from None
            if data:
                return data
