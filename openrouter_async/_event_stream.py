"""One event stream as an object: start, read, end, fail, leave.

The rule of this file: every way to leave a stream ends in `_end_as`, which is synchronous, and
nothing here is a generator: a generator that holds a connection gives it back only when the
garbage collector comes by. It knows events and endings; what an event means is for the
subclass, and connections and retries are for the layers below and above.

The states of a stream, in order: NEW, OPENING, OPEN, then ENDED (the answer came to its end),
FAILED (it raised) or LEFT (the reader went away).

How the ending is told:

| finish reason seen | ``[DONE]`` seen | ending |
|---|---|---|
| yes | yes | ``complete`` |
| yes | no | ``complete_no_sentinel`` |
| no | yes | ``complete_no_reason`` |
| no | no | ``truncated``, which raises |
"""

# Cursors are a part of the stream that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import Enum
from math import inf
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeAlias, TypeVar

from ._config import Limits, Secret, Timeouts
from ._frames import EventAligner
from ._sse import EventTooLargeError, SSEDecoder
from ._timing import opening_of
from ._transport import (
    AlreadyReading,
    DeadlinePassed,
    Interruption,
    ResponseClosed,
    timeout_error,
)
from ._turns import is_being_cancelled, turn_of_its_own
from .errors import (
    FirstEventTimeout,
    IdleTimeout,
    OpenRouterError,
    Phase,
    ProtocolError,
    StreamAPIError,
    StreamTruncatedError,
    TotalTimeout,
    WireIdleTimeout,
    redact,
)
from .hooks._observation import Observation, ending_of
from .types import Ending, Timing

__all__ = ["NO_EVENTS", "Accept", "Answer", "Cursor", "EventStream", "Leaving", "RawCursor", "Send"]

T = TypeVar("T")


class Answer(Protocol):
    """What a stream reads: a `Response`, or one that another stream has begun to read."""

    attempt: int
    status: int
    headers: Mapping[str, str]
    asked_at: float
    sending_at: float
    connected_at: float | None
    sent_at: float
    answered_at: float
    waited: float
    read_at: float

    @property
    def observation(self) -> Observation | None: ...

    def time(self) -> float: ...
    def spent(self, tokens: int) -> None: ...
    async def read(self, limit: float = inf) -> bytes: ...
    def close(self) -> None: ...
    def finish(self) -> None: ...


Accept: TypeAlias = Callable[[Answer], Awaitable[None]]
Send: TypeAlias = Callable[[Accept], Awaitable[None]]
"""Sends the request, again where that is safe, and has the stream accept the response."""

NO_EVENTS: Final[Iterator[bytes]] = iter(())
_NO_ITEMS: Final[Iterator[Any]] = iter(())
_SHOWN: Final = 200
_LONG_WORK: Final = 2**20
"""Bytes of one event that take milliseconds to join and to decode."""


class _State(Enum):
    NEW = "not sent yet"
    OPENING = "being sent"
    OPEN = "open"
    ENDED = "ended"
    FAILED = "failed"
    LEFT = "closed"


_LIVE: Final = frozenset({_State.NEW, _State.OPENING, _State.OPEN})


async def _has_been_sent(_: Accept) -> None:
    raise RuntimeError("a stream is sent once")


class EventStream(Generic[T]):
    """A stream of items that are decoded from the events of one response.

    Attributes:
        status: The HTTP status, once the headers are there.
        headers: The answer's headers, looked up without regard to case.
        timing: When things happened.
        ending: How the stream ended; None while it has not.
    """

    __slots__ = (
        "__weakref__",
        "_decoder",
        "_deltas",
        "_deltas_before",
        "_events",
        "_first",
        "_is_looped",
        "_items",
        "_keeps_opening",
        "_later",
        "_leaving",
        "_limits",
        "_opening",
        "_read_at",
        "_response",
        "_secret",
        "_send",
        "_silence",
        "_started_at",
        "_state",
        "_timeouts",
        "_too_large",
        "ending",
        "headers",
        "status",
        "timing",
    )

    def __init__(
        self, send: Send, *, timeouts: Timeouts, limits: Limits, secret: Secret | None = None
    ) -> None:
        self._state = _State.NEW
        self._response: Answer | None = None
        self._send = send
        self._timeouts = timeouts
        self._limits = limits
        self._secret = secret
        self._items: Iterator[T] = _NO_ITEMS  # what was taken ahead and not handed out yet
        self._events = NO_EVENTS  # events that have come and have not been taken yet
        self._first: T | None = None  # the first item, read ahead by `start`
        self._later = NO_EVENTS  # what came with it; it waits here until the first is taken
        self._opening: list[bytes] = []  # the reads up to it, for `raw`; joined once
        self._keeps_opening = True
        self._is_looped = False
        self._leaving: Interruption | None = None
        self._decoder = SSEDecoder(limits.max_event_size)
        self._reset()
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.timing = Timing()
        self.ending: Ending | None = None

    # What a subclass says about its events.

    _wanted: ClassVar[str] = "an event stream"
    _last_event: ClassVar[bytes] = b""
    """The name of the event that ends the stream, where ``[DONE]`` is not alone in that."""

    def _reset(self) -> None:
        """Forget what a failed attempt brought."""
        self._deltas = 0
        self._deltas_before = 0
        self._too_large: ProtocolError | None = None  # raised once what came before is taken
        self._silence = 0.0  # seconds waited for the socket since something was said
        self._read_at = 0.0

    def _take(self, data: bytes) -> T | None:
        """Decode one event; None for one that is no item. Calls `_done` at the sentinel."""
        raise TypeError(f"{type(self).__name__} does not say what its events mean")

    def _note_usage(self, frames: bytes) -> None:
        """Take the usage off bytes that nobody decodes; they hold it behind the end of the text."""

    def _take_next(self) -> T | None:
        """Take events until one is an item; None where none is left, or the answer has ended.

        A subclass may take several at once and put those behind the first into `_items`. It
        finds out in `_catch_up` how many of them have been handed out.
        """
        for data in self._events:
            item = self._take(data)
            if item is not None or self._response is None:
                return item
        self._events = NO_EVENTS
        return None

    def _catch_up(self) -> None:
        """Count and gather the items that have been handed out, where they were taken ahead."""

    @property
    def deltas(self) -> int:
        """How many items have said something."""
        self._catch_up()
        return self._deltas

    @deltas.setter
    def deltas(self, deltas: int) -> None:
        self._deltas = deltas

    def _reads(self, kind: str) -> bool:
        """Whether a body of this content type holds the items of this stream."""
        return kind in ("text/event-stream", "")

    def _finished(self) -> bool:
        """Whether the answer itself has said that it is at its end."""
        return False

    def _complete_error(self, error: OpenRouterError) -> None:
        """Put onto an error what is known of the answer."""

    def _from_json(self, body: bytes) -> bytes:
        """Give the event that a body of plain JSON stands for, or raise the error in it."""
        raise self._not_a_stream(body)

    # The four spellings.

    async def start(self) -> Self:
        """Send the request and wait for the first event, so that an error shows here.

        Raises:
            OpenRouterError: The request failed, or its first event was an error.
            RuntimeError: The stream was closed, has failed, or another task is starting it.
        """
        if self._state is _State.OPEN or self._state is _State.ENDED:
            return self
        if self._state is not _State.NEW:
            raise RuntimeError(f"this stream cannot be started: it is {self._state.value}")
        self._state = _State.OPENING
        self._leaving = leaving = Interruption()
        # It holds the request, which may be megabytes, and is needed once.
        send, self._send = self._send, _has_been_sent
        try:
            await send(self._accept)
        except BaseException as error:
            self._leaving = None  # it is over, and `close` must not interrupt it any more
            was_left = leaving.over() or isinstance(error, ResponseClosed | StopAsyncIteration)
            if isinstance(error, OpenRouterError):
                raise self._failed(error) from error.__cause__
            if not (was_left and self.ending == "left"):
                self.close()
                raise
        else:
            self._leaving = None
            leaving.over()
        if self.ending == "left":
            raise RuntimeError("this stream was closed while it was being started")
        return self

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Cursor[T]:
        self._begin_loop()
        return Cursor(self)

    async def __anext__(self) -> T:
        return await self._step()

    def raw(self) -> RawCursor:
        """Iterate the bytes as they came, in whole events, decoding nothing: for a relay.

        The first event alone is decoded (by `start`), so that an error before the first token
        raises. Later errors pass as the bytes that they are.
        """
        self._begin_loop()
        return RawCursor(self)

    def close(self) -> None:
        """Leave the stream: the connection closes at once, nothing is waited for; idempotent.

        This is how OpenRouter is told to stop generating, and to stop billing.
        """
        if self._state in _LIVE:
            if self._leaving is not None and self._response is None:
                self._leaving.come_soon()
            self._end_as(_State.LEFT, "left")

    async def aclose(self) -> None:
        """Leave the stream; the same as `close`, for ``contextlib.aclosing`` and its like."""
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_state", None) in _LIVE:
            self._end_as(_State.LEFT, "left")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._state.value}, {self.deltas} deltas>"

    # Reading.

    def _waiting_item(self) -> T | None:
        """Give the next item if its event has come already; no socket is asked."""
        for item in self._items:
            return item
        if self._events is NO_EVENTS:
            return None
        try:
            return self._take_next()
        except OpenRouterError as error:
            raise self._failed(error) from error.__cause__

    def _take_waiting(self) -> None:
        """Take all events that have come already, for who wants only what they add up to."""
        self._items = _NO_ITEMS
        try:
            while self._events is not NO_EVENTS and self._take_next() is not None:
                self._items = _NO_ITEMS
        except OpenRouterError as error:
            raise self._failed(error) from error.__cause__

    async def _step(self) -> T:
        item = self._waiting_item()
        return item if item is not None else await self._step_with_reads()

    async def _step_with_reads(self) -> T:
        if self._state is _State.NEW:
            self._keeps_opening = False  # `raw` cannot follow, and an image is megabytes
            await self.start()
        elif self._state is _State.OPENING:
            raise RuntimeError("another task is still starting this stream")
        if self._first is not None:
            item, self._first = self._first, None
            self._opening = []
            if self._state is _State.OPEN:
                self._events = self._later
            self._later = NO_EVENTS
            return item
        try:
            while self._state is _State.OPEN:
                data = await self._read()
                if not data:
                    self._at_end_of_body()
                    break
                if self._decoder.completes_more_than(_LONG_WORK, data):
                    await self._wait_for_a_turn()
                events = self._decoded(data)
                if len(events) == 1:  # as mostly, where the answer is read as fast as it comes
                    found = self._take(events[0])
                else:
                    self._events = iter(events)
                    found = self._take_next()
                if found is not None:
                    return found
        except OpenRouterError as error:
            raise self._failed(error) from error.__cause__
        raise StopAsyncIteration

    async def _accept(self, response: Answer) -> None:
        """Read up to the first item, so that an error in its place can still be tried again."""
        if self._state is not _State.OPENING:
            # Closed in the very turn of the loop in which the answer came.
            response.close()
            raise ResponseClosed
        if response.observation is not None:
            response = response.observation.followed(response)
        if self.status is not None:  # another attempt had got as far as this
            self._reset()
            self._decoder = SSEDecoder(self._limits.max_event_size)
        self._items = _NO_ITEMS
        self._events = NO_EVENTS
        self._first = None
        self._opening = []
        self._response = response
        self.status = response.status
        self.headers = response.headers
        self._mark_opening(response)
        self._silence = response.answered_at - response.sent_at
        self._state = _State.OPEN
        try:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if self._reads(kind):
                await self._read_first()
            else:
                await self._accept_other(response, kind)
        except BaseException as error:
            if isinstance(error, OpenRouterError):
                # Whether it may be sent again hangs on this.
                error.phase = "body" if self.deltas else "first_event"
            response.close()
            self._response = None
            if self._state is _State.OPEN:
                self._state = _State.OPENING
            raise

    async def _read_first(self) -> None:
        while self._first is None and self._state is _State.OPEN:
            data = await self._read()
            if self._decoder.completes_more_than(_LONG_WORK, data):
                await self._wait_for_a_turn()
            if data:
                self._events = iter(self._decoded(data))
                if self._keeps_opening:
                    self._opening.append(data)
                self._take_first()
            else:
                self._at_end_of_body()

    def _take_first(self) -> None:
        for event in self._events:
            self._first = self._take(event)
            if self._first is not None or self._state is not _State.OPEN:
                self._later, self._events = self._events, NO_EVENTS
                return

    async def _accept_other(self, response: Answer, kind: str) -> None:
        body = await self._read_whole(
            self._limits.max_event_size if "json" in kind else self._limits.max_error_body
        )
        if "json" not in kind:
            raise self._not_a_stream(body)
        event = b"data: " + self._from_json(body).replace(b"\n", b" ") + b"\n\n"
        self._opening = [event]
        self._events = iter(self._decoded(event))
        self._take_first()
        if self._state is _State.OPEN:  # JSON that parses is whole, whatever it says of itself
            self._end_as(_State.ENDED, "complete_no_sentinel")

    async def _read_whole(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while size < limit:
            data = await self._read()
            if not data:
                break
            parts.append(data)
            size += len(data)
        return b"".join(parts)

    def _revealed(self) -> str | None:
        # Asked for where it is used: a local variable would show in tracebacks with locals.
        return self._secret.reveal() if self._secret is not None else None

    def _shown(self, data: bytes) -> str:
        """Give the beginning of what came, for a message, without the key."""
        # A little more is looked at, or a key at the end would be cut and not be known again.
        return redact(data[: 2 * _SHOWN].decode("utf-8", "replace"), self._revealed())[:_SHOWN]

    def _not_a_stream(self, body: bytes) -> ProtocolError:
        kind = self.headers.get("content-type", "no content type")
        start = self._shown(body)
        error = ProtocolError(
            f"expected {self._wanted}, got HTTP {self.status} with {kind}: {start!r}; "
            "does base_url name an OpenRouter-compatible API?"
        )
        error.status = self.status
        error.content_type = kind
        error.body_start = start
        return error

    async def _wait_for_a_turn(self) -> None:
        """Let others go first where several large events end at the same time."""
        try:
            await turn_of_its_own()
        except BaseException:
            self.close()  # what was read last would be missing
            raise
        if self._response is None:
            raise StopAsyncIteration

    def _decoded(self, data: bytes) -> list[bytes]:
        try:
            return self._decoder.feed(data)
        except EventTooLargeError as error:
            self._too_large = ProtocolError(
                f"{error}; raise it with OpenRouter(limits=Limits(max_event_size=...))"
            )
            return error.events

    async def _read(self) -> bytes:
        """Wait for bytes under whichever deadline is nearest."""
        response = self._response
        if response is None:
            raise StopAsyncIteration
        if self._too_large is not None:
            try:
                raise self._too_large
            finally:
                self._too_large = None  # its traceback holds this stream
        if self._deltas != self._deltas_before:
            self._note_progress()
        timeouts = self._timeouts
        kind: type[OpenRouterError] = WireIdleTimeout
        seconds = timeouts.wire_idle
        limit = inf if seconds is None else seconds
        allowed = timeouts.idle if self._deltas else timeouts.first_event
        if allowed is not None and allowed - self._silence < limit:
            limit, seconds = allowed - self._silence, allowed
            kind = IdleTimeout if self._deltas else FirstEventTimeout
        if timeouts.total is not None:
            left = response.sending_at + timeouts.total - response.time()
            if left < limit:
                limit, seconds, kind = left, timeouts.total, TotalTimeout
        try:
            data = await response.read(limit)
        except DeadlinePassed:
            raise timeout_error(kind, seconds) from None
        except ResponseClosed:
            raise StopAsyncIteration from None
        except AlreadyReading:
            raise RuntimeError("another task is already reading this stream") from None
        except OpenRouterError:
            raise
        except BaseException:
            self.close()
            raise
        waited = response.waited
        self._silence += waited
        self._read_at = response.read_at
        if self.timing.first_event is None:
            self.timing.first_event = self._read_at - self._started_at
        elif waited > self.timing.longest_gap:
            self.timing.longest_gap = waited
        return data

    def _note_progress(self) -> None:
        """Something was said by what the last read brought."""
        self._deltas_before = self._deltas
        self._silence = 0.0
        if self.timing.first_delta is None:
            self.timing.first_delta = self._read_at - self._started_at
            if self._response is not None and self._response.observation is not None:
                self._response.observation.first_delta(self.timing.first_delta)

    def _mark_opening(self, response: Answer) -> None:
        self._started_at = response.asked_at
        self.timing = opening_of(response)

    # Ending.

    def _done(self) -> None:
        """The sentinel came: the answer is over, whatever the body still holds."""
        self._end_as(_State.ENDED, "complete" if self._finished() else "complete_no_reason")

    def _at_end_of_body(self) -> None:
        if self._finished():
            self._end_as(_State.ENDED, "complete_no_sentinel")
            return
        if not self.deltas:
            line = self._decoder.unfinished_line
            if line.startswith(b"{"):  # JSON under a stream's content type: the error, mostly
                self._from_json(line)
        cut = ", in the middle of an event" if self._decoder.mid_event else ""
        raise StreamTruncatedError(
            f"the stream ended{cut} after {self.deltas} deltas, with neither a finish reason nor "
            "[DONE]: the answer is not whole"
        )

    def _failed(self, error: OpenRouterError) -> OpenRouterError:
        """Put onto an error what is known, and close."""
        if self._state in _LIVE:
            if self.deltas:
                phase: Phase = "body"
            else:
                phase = "first_event" if self._response is not None else error.phase or "headers"
            error.phase = error.phase if error.phase not in (None, "body") else phase
            response = self._response
            if response is not None:
                error.attempts = response.attempt
            self._end_as(_State.FAILED, ending_of(error))
            self._complete_error(error)
            if response is not None and response.observation is not None:
                response.observation.ended(self, error)
        return error

    def _end_as(self, state: _State, ending: Ending) -> None:
        self._catch_up()
        response, self._response = self._response, None
        self._items = _NO_ITEMS
        self._events = NO_EVENTS
        self._state = state
        self.ending = ending
        if state is _State.LEFT:
            self._first = None
            self._later = NO_EVENTS
        if response is None:
            return
        if self._deltas != self._deltas_before:
            self._note_progress()
        self.timing.end = response.time() - self._started_at
        if state is _State.ENDED:
            response.finish()
        else:
            response.close()
        if response.observation is not None and state is not _State.FAILED:
            is_cancelled = state is _State.LEFT and is_being_cancelled()
            response.observation.ended(self, is_cancelled=is_cancelled)

    def _note_billing(self, error: OpenRouterError, cost: float | None) -> None:
        """Say on a failure whether the answer costs money, by what is known of its cost."""
        if error.phase == "body":
            error.retryable = False
        if cost is not None:
            error.billed = "yes" if cost > 0 else "no"
        elif error.phase == "body":
            error.billed = "unknown"
        elif isinstance(error, StreamAPIError):
            error.billed = "no"  # an error without any output is not charged

    def _raise_if_over(self) -> None:
        if self.ending in ("left", "truncated", "broken", "error", "timeout"):
            raise RuntimeError(f"this stream has nothing more to give: its ending is {self.ending}")

    def _begin_loop(self) -> None:
        if self._is_looped:
            raise RuntimeError(
                "a stream can be looped over once; to stop and go on, step with anext(stream)"
            )
        if self._state in (_State.FAILED, _State.LEFT):
            raise RuntimeError(f"this stream cannot be iterated: it is {self._state.value}")
        self._is_looped = True


class Leaving:
    """What a loop over a stream holds; dropping it is leaving the stream.

    CPython drops it the moment the loop is left, by whatever way, so the socket closes then
    even while the stream itself is still in a variable.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: EventStream[Any]) -> None:
        self._stream = stream

    def close(self) -> None:
        """Close the stream at once."""
        self._stream.close()

    async def aclose(self) -> None:
        """Close the stream; the spelling that ``contextlib.aclosing`` wants."""
        self._stream.close()

    def __del__(self) -> None:
        self._stream.close()


class Cursor(Leaving, Generic[T]):
    """Iterates the items of a stream."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        # `EventStream._step` once more: a call less for each item is worth it here.
        stream: EventStream[T] = self._stream
        for item in stream._items:
            return item
        if stream._events is not NO_EVENTS:
            found = stream._waiting_item()
            if found is not None:
                return found
        return await stream._step_with_reads()


class RawCursor(Leaving):
    """Iterates the bytes of a stream as they came, in whole events."""

    __slots__ = ("_aligner",)

    def __init__(self, stream: EventStream[Any]) -> None:
        super().__init__(stream)
        self._aligner = EventAligner(stream._last_event)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        stream, aligner = self._stream, self._aligner
        if stream._state is _State.NEW or stream._state is _State.OPENING:
            await stream.start()
        try:
            while stream._opening or stream._state is _State.OPEN:
                data = b"".join(stream._opening) if stream._opening else await stream._read()
                stream._opening = []
                if not data:
                    self._at_end_of_body()
                    break
                frames = aligner.feed(data)
                stream.deltas = aligner.data_reads
                if (aligner.finished or aligner.done) and b'"usage"' in frames:
                    stream._note_usage(frames)
                if aligner.done:
                    whole = aligner.finished
                    stream._end_as(_State.ENDED, "complete" if whole else "complete_no_reason")
                if frames:
                    return frames
        except OpenRouterError as error:
            raise stream._failed(error) from error.__cause__
        raise StopAsyncIteration

    def _at_end_of_body(self) -> None:
        if self._aligner.finished:
            self._stream._end_as(_State.ENDED, "complete_no_sentinel")
        else:
            self._stream._at_end_of_body()
