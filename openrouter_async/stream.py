"""Chat streams: what an event of ``/chat/completions`` means.

The rule of this file: it decodes chunks, finds the errors in them and gathers the answer. How a
stream starts, reads, ends and is left is the business of `EventStream`.
"""

# Cursors are a part of the stream that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final, Self, TypeVar, cast

import msgspec

from ._accumulate import Accumulator, Outline
from ._config import Limits, Secret, Timeouts
from ._error_bodies import error_in, error_in_stream
from ._event_stream import EventStream, Leaving, RawCursor, Send
from ._sse import NamedEvent
from ._timing import Ending, Timing
from .errors import OpenRouterError, ProtocolError, StreamAPIError
from .types import ChatChunk, ChatCompletion, ErrorBody, Image, Usage
from .types._lenient import NotAnObjectError, decode_leniently

__all__ = ["ChatStream", "Ending", "Timing"]

T = TypeVar("T")

_decode: Final = msgspec.json.Decoder(ChatChunk).decode


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
    """

    __slots__ = ("_keeps", "_outline")

    def __init__(
        self,
        send: Send,
        *,
        timeouts: Timeouts,
        limits: Limits,
        secret: Secret | None = None,
        accumulate: bool = True,
    ) -> None:
        self._keeps = accumulate
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
    def partial(self) -> ChatCompletion | None:
        """The answer so far, built anew at each look; None with ``accumulate=False``."""
        good = self.ending in ("complete", "complete_no_sentinel", "complete_no_reason")
        return self._outline.completion(ended=good)

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
                if self._waiting_item() is None:
                    await self._step_with_reads()
        except StopAsyncIteration:
            self._raise_if_over()
        return cast("ChatCompletion", self.partial)

    def text(self) -> TextCursor:
        """Iterate the new pieces of text, leaving out chunks without any."""
        self._begin_loop()
        return TextCursor(self)

    def images(self) -> ImageCursor:
        """Iterate the images as they come, each once."""
        self._begin_loop()
        return ImageCursor(self)

    def raw(self) -> RawCursor:
        """Iterate the bytes as they came, in whole events, decoding nothing: for a relay.

        The first event alone is decoded (by `start`), so that an error before the first token
        raises. Later errors pass as the bytes that they are. Nothing is accumulated.
        """
        cursor = super().raw()
        self._keeps = False
        return cursor

    # What events mean.

    def _reset(self) -> None:
        super()._reset()
        self._outline = Accumulator() if self._keeps else Outline()

    def _take(self, data: bytes) -> ChatChunk | None:
        if data == b"[DONE]":
            self._done()
            return None
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            patient = self._take_patiently(data)
            if patient is None:
                return None
            chunk = patient
        chunk.raw = data
        outline = self._outline
        outline.add(chunk)
        self.deltas = outline.deltas
        if chunk.error is not None or outline.failed is not None or not chunk.choices:
            self._raise_error_in(chunk, data)
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

    def _raise_error_in(self, chunk: ChatChunk, data: bytes) -> None:
        details = chunk.error or self._outline.failed
        if details is None and isinstance(data, NamedEvent) and data.name == "error":
            details = error_in(data) or decode_leniently(data, ErrorBody)
        if details is None and chunk.object == "error":
            details = decode_leniently(data, ErrorBody)
        if details is not None:
            raise error_in_stream(details, now=time.time(), secret=self._revealed())

    def _finished(self) -> bool:
        return self._outline.finished

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
        error.partial = self._outline.completion(ended=False)
        if error.phase == "body":
            error.retryable = False
        if self.cost is not None:
            error.billed = "yes" if self.cost > 0 else "no"
        elif error.phase == "body":
            error.billed = "unknown"
        elif isinstance(error, StreamAPIError):
            error.billed = "no"  # an error without any output is not charged

    def _end_as(self, state: Any, ending: Ending) -> None:
        super()._end_as(state, ending)
        timing, usage = self.timing, self.usage
        if usage is not None and timing.end is not None and timing.first_delta is not None:
            seconds = timing.end - timing.first_delta
            if seconds > 0 and usage.completion_tokens:
                timing.tokens_per_second = usage.completion_tokens / seconds

    def _raise_if_over(self) -> None:
        if self.ending in ("left", "truncated", "broken", "error", "timeout"):
            raise RuntimeError(f"this stream has nothing more to give: its ending is {self.ending}")


class TextCursor(Leaving):
    """Iterates the text of a chat stream."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        stream = cast("ChatStream", self._stream)
        while True:
            chunk = stream._waiting_item()
            if chunk is None:
                chunk = await stream._step_with_reads()
            text = chunk.text
            if text:
                return text


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
