"""One stream in the form that a reader asked for: bytes to send, one piece after the other.

The rule of this file: what is sent, never how. Each class here is an iterator over the pieces of
one body, knows the headers that go before them, and how to end them well or badly. Nothing here
is a generator: what is left must be left at once.
"""

# What a stream makes of an event is asked where bytes pass that nobody has decoded.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from .._event_stream import EventStream
from .._sse import SSEDecoder, encode_event
from ..errors import OpenRouterError
from ..image_stream import ImageStream
from ..sharing import SharedReader, SharedStream
from ..stream import ChatStream
from ..tools import RunEvent, ToolRun
from ..types import ChatChunk, ChatCompletion
from ._failures import error_object
from ._ui_stream import DONE, UIMessageEncoder, words_in

__all__ = ["Pieces", "ProtocolName", "Source", "pieces_of"]

Source: TypeAlias = (
    ChatStream | ImageStream | ToolRun | SharedStream | SharedReader | AsyncIterable[ChatChunk]
)
"""What can be relayed."""

ProtocolName: TypeAlias = Literal["openai", "ai-sdk", "text"]
"""What a reader can read: OpenAI's chunks, the Vercel AI SDK's UI message stream, plain text."""

HeaderPairs: TypeAlias = tuple[tuple[bytes, bytes], ...]

# Atomic groups, or the two halves of one CRLF would pass for two line ends.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
# Only an error's own key is written so: inside a text the quotation marks are escaped.
_ERROR: Final = re.compile(rb'"error"|event: ?error')
_PROTOCOLS: Final = ("openai", "ai-sdk", "text")
_EVENTS: Final = b"text/event-stream; charset=utf-8"


class Pieces(Protocol):
    """The body of one answer over HTTP.

    Attributes:
        media_type: Its content type.
        headers: What else the protocol wants in the head.
        comment: What keeps a silent connection open; empty where the protocol has no such thing.
        has_terminator: Whether the protocol can say that the answer is over. Where it cannot, an
            answer that broke off must not end like a whole one.
    """

    media_type: bytes
    headers: HeaderPairs
    comment: bytes
    has_terminator: bool

    async def __anext__(self) -> bytes: ...

    def generation_id(self) -> str | None:
        """Give the ``gen-...`` id, where it is known."""
        ...

    def ended(self) -> bytes:
        """Give what is still to be sent when the answer is whole."""
        ...

    def failed(self, error: OpenRouterError | None, words: str) -> bytes:
        """Give what tells that the answer broke off; None for a failure of our own."""
        ...

    def close(self) -> None:
        """Leave the stream, at once."""
        ...

    async def aclose(self) -> None:
        """Wait for the end of what cannot be left at once, a generator of the user's."""
        ...


def pieces_of(source: Source, protocol: ProtocolName) -> Pieces:
    """Give a stream in a protocol.

    Raises:
        TypeError: `source` is no stream, or has no form in that protocol.
        ValueError: There is no such protocol.
    """
    if protocol not in _PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(_PROTOCOLS)}, got {protocol!r}")
    if isinstance(source, ImageStream):
        source = source.chat
    if isinstance(source, SharedStream):
        source = source.reader()
    is_other = isinstance(source, EventStream) and not isinstance(source, ChatStream)
    if is_other or not hasattr(source, "__aiter__"):
        raise TypeError(f"a stream of chat chunks can be relayed, not {type(source).__name__}")
    if protocol == "ai-sdk":
        return _UIPieces(source)
    if protocol == "text":
        return _TextPieces(source)
    if isinstance(source, ChatStream):
        return _RawPieces(source)
    if isinstance(source, ToolRun):
        raise TypeError(
            "a tool run is several answers, which OpenAI's chunks cannot tell apart: relay it with "
            "protocol='ai-sdk' or 'text'"
        )
    return _ChunkPieces(source)


def _stream_of(source: object) -> ChatStream | None:
    """Give the chat stream that knows most of what is relayed."""
    if isinstance(source, ChatStream):
        return source
    if isinstance(source, ToolRun):
        return source.stream
    if isinstance(source, SharedReader):
        return source._shared.stream
    return None


class _Pieces:
    """What the protocols have in common.

    Being made, one takes the right to loop over the stream; it holds the stream and its cursor.
    """

    media_type = _EVENTS
    headers: HeaderPairs = ()
    comment = b": waiting\n\n"
    has_terminator = True

    def __init__(self, source: object) -> None:
        self._source = source

    def generation_id(self) -> str | None:
        stream = _stream_of(self._source)
        return stream.generation_id if stream is not None else None

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    async def aclose(self) -> None:
        aclose = getattr(self._source, "aclose", None)
        if aclose is not None:
            await aclose()


class _OpenAIPieces(_Pieces):
    """Ends an answer as OpenRouter does: an error is a chunk, and ``[DONE]`` follows."""

    def failed(self, error: OpenRouterError | None, words: str) -> bytes:
        stream = _stream_of(self._source)
        details = (
            error_object(error, words) if error is not None else {"code": 500, "message": words}
        )
        chunk: dict[str, Any] = {
            "id": self.generation_id() or "",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": (stream.model if stream is not None else None) or "",
            "error": details,
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        }
        return encode_event(msgspec.json.encode(chunk)) + DONE


class _RawPieces(_OpenAIPieces):
    """The bytes as they came, but for an error: its words are chosen as those of any other."""

    def __init__(self, stream: ChatStream) -> None:
        super().__init__(stream)
        self._stream = stream
        self._cursor = stream.raw()
        self._failure: OpenRouterError | None = None

    async def __anext__(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        frames = await anext(self._cursor)
        if b"error" in frames and _ERROR.search(frames):
            return self._before_error(frames)
        return frames

    def _before_error(self, frames: bytes) -> bytes:
        """Give the events before the one that is an error, or all where none is."""
        begin = 0
        for blank in _BLANK_LINE.finditer(frames):
            event = frames[begin : blank.end()]
            for data in SSEDecoder(len(event) + 1).feed(event):
                if data == b"[DONE]":
                    continue
                try:
                    self._stream._take(data)
                except OpenRouterError as error:
                    self._failure = self._stream._failed(error)
                    if not begin:
                        raise self._failure from error.__cause__
                    return frames[:begin]
            begin = blank.end()
        return frames

    def ended(self) -> bytes:
        return DONE if self._stream.ending == "complete_no_sentinel" else b""


class _ChunkPieces(_OpenAIPieces):
    """Chunks that somebody has decoded already, as they came."""

    def __init__(self, source: AsyncIterable[ChatChunk]) -> None:
        super().__init__(source)
        self._chunks = aiter(source)

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        return encode_event(chunk.raw or chunk.to_json())

    def ended(self) -> bytes:
        return DONE


class _TextPieces(_Pieces):
    """The words and nothing else."""

    media_type = b"text/plain; charset=utf-8"
    # A compressing middleware would hold the words back until there are many of them.
    headers: HeaderPairs = (
        (b"content-encoding", b"identity"),
        (b"x-content-type-options", b"nosniff"),
    )
    comment = b""
    has_terminator = False

    def __init__(self, source: AsyncIterable[ChatChunk]) -> None:
        super().__init__(source)
        self._chunks = aiter(source)

    async def __anext__(self) -> bytes:
        while True:
            words = words_in(await anext(self._chunks))
            if words:
                return words.encode("utf-8", "replace")

    def ended(self) -> bytes:
        return b""

    def failed(self, error: OpenRouterError | None, words: str) -> bytes:
        return f"\n\n[error] {words}\n".encode()


class _UIPieces(_Pieces):
    """The parts of the Vercel AI SDK."""

    headers: HeaderPairs = ((b"x-vercel-ai-ui-message-stream", b"v1"),)

    def __init__(self, source: AsyncIterable[ChatChunk]) -> None:
        super().__init__(source)
        self._encoder = UIMessageEncoder()
        self._begun = False
        self._run = source if isinstance(source, ToolRun) else None
        self._chunks: AsyncIterator[ChatChunk] | None = None
        self._events: AsyncIterator[RunEvent] | None = None
        if self._run is not None:
            self._events = self._run.events()
        else:
            self._chunks = aiter(source)

    async def __anext__(self) -> bytes:
        while True:
            if self._chunks is not None:
                frames = self._encoder.chunk(await anext(self._chunks))
            else:
                frames = await self._next_event()
            if frames:
                return self._opening() + frames

    async def _next_event(self) -> bytes:
        if self._events is None:
            raise StopAsyncIteration
        return self._encoder.event(await anext(self._events))

    def _opening(self) -> bytes:
        begun, self._begun = self._begun, True
        return b"" if begun else self._encoder.begin()

    def ended(self) -> bytes:
        completion = self._completion()
        return self._opening() + self._encoder.end(completion, self._metadata(completion))

    def failed(self, error: OpenRouterError | None, words: str) -> bytes:
        return self._opening() + self._encoder.fail(words)

    def _completion(self) -> ChatCompletion | None:
        if self._run is not None:
            return None  # each turn's was told already
        stream = _stream_of(self._source)
        return stream.partial if stream is not None else None

    def _metadata(self, completion: ChatCompletion | None) -> dict[str, Any]:
        """Give what a page may show of the answer: who gave it, what it cost, how fast it was."""
        stream = _stream_of(self._source)
        if stream is None:
            return {}
        usage = self._run.usage if self._run is not None else stream.usage
        timing = stream.timing
        found: dict[str, Any] = {
            "model": stream.model,
            "provider": stream.provider,
            "generationId": stream.generation_id,
            "finishReason": completion.finish_reason if completion is not None else None,
            "cost": usage.cost if usage is not None else None,
            "inputTokens": usage.prompt_tokens if usage is not None else None,
            "outputTokens": usage.completion_tokens if usage is not None else None,
            "secondsToFirstToken": _rounded(timing.first_delta, 4),
            "tokensPerSecond": _rounded(timing.tokens_per_second, 1),
        }
        return {name: value for name, value in found.items() if value is not None}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
