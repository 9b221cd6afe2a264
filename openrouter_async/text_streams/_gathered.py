"""Streams of the text endpoints besides chat: events that add up to one answer.

The rule of this file: what those streams have in common. It decodes events, raises what they
report, ends and settles; what an event means and what it adds to the answer is known by the
`SoFar` of each dialect, which is pure. How a stream starts, reads and is left is the business
of `EventStream`.
"""

# Cursors are a part of the stream that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from operator import attrgetter
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeVar, cast

import msgspec

from .._config import Limits, Secret, Timeouts
from .._error_bodies import error_in, error_in_stream
from .._event_stream import EventStream, Leaving, Send
from .._records import FindRecord, record_in_time
from .._sse import NamedEvent
from ..budget import Reservation
from ..errors import OpenRouterError, ProtocolError
from ..types import Ending, ErrorBody, RateLimit
from ..types._arrived import Arrived
from ..types._lenient import NotAnObjectError, decode_leniently
from ..types.arrival import Arrival, rate_limit_in

__all__ = ["GatheredStream", "Pieces", "SoFar", "Tokens", "reported"]

E = TypeVar("E")
R = TypeVar("R", bound=Arrived)

_MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Tokens(Protocol):
    """What the usage of every dialect says."""

    @property
    def cost(self) -> float | None: ...
    @property
    def total_tokens(self) -> int: ...


class SoFar(ABC, Generic[E, R]):
    """An answer while its events come.

    Attributes:
        deltas: How many events have said something.
        finished: The answer has said why it ends.
        is_over: The event that ends the stream has come, where ``[DONE]`` is not alone in that.
        failed: What an event reported in place of the rest.
        request_id: The request's id, where a failure names it.
    """

    __slots__ = (
        *("deltas", "failed", "finished", "id", "is_over", "model", "provider"),
        *("request_id", "usage"),
    )

    def __init__(self) -> None:
        self.deltas: int = 0
        self.finished = False
        self.is_over = False
        self.failed: ErrorBody | None = None
        self.request_id: str | None = None
        self.id: str | None = None
        self.model: str | None = None
        self.provider: str | None = None
        self.usage: Any = None

    @abstractmethod
    def add(self, event: E, /) -> None:
        """Take the next event."""

    @property
    @abstractmethod
    def finish_reasons(self) -> tuple[str, ...]:
        """Why the answer ended, in the words of its endpoint; empty before it has."""

    @abstractmethod
    def answer(self) -> R:
        """Give the answer so far."""


class GatheredStream(EventStream[E], Generic[E, R]):
    """One answer as it comes; a client's endpoint group makes it, never a user by hand.

    It has the four right spellings of a `ChatStream`, and leaving its loop early, by whatever
    way, closes the connection at once.

    Attributes:
        status: The HTTP status.
        headers: The answer's headers, looked up without regard to case.
        timing: When things happened, in seconds.
        ending: How the stream ended; None while it has not.
    """

    __slots__ = ("_find_record", "_is_streamed", "_reservation", "_settled_cost", "_so_far")

    # What a subclass says about its dialect.

    _gathering: ClassVar[type[SoFar[Any, Any]]]
    _event: ClassVar[type[Any]]
    _reader: ClassVar[msgspec.json.Decoder[Any]]
    _counted: ClassVar[str] = "output_tokens"
    """The field of the usage that counts the tokens of the answer."""

    @staticmethod
    def _event_of(body: bytes, fields: dict[str, msgspec.Raw]) -> bytes | None:
        """Give the event that a whole answer stands for; None where it is no answer."""
        return None

    def __init__(
        self,
        send: Send,
        *,
        timeouts: Timeouts,
        limits: Limits,
        secret: Secret | None = None,
        find_record: FindRecord | None = None,
        reservation: Reservation | None = None,
        is_streamed: bool = True,
    ) -> None:
        self._is_streamed = is_streamed
        self._find_record = find_record
        self._reservation = reservation
        self._settled_cost: float | None = None
        super().__init__(send, timeouts=timeouts, limits=limits, secret=secret)

    # What is known of the answer.

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id, from the headers or the events; None where neither names one."""
        id = self._so_far.id or ""
        return self.headers.get("x-generation-id") or (id if id.startswith("gen-") else None)

    @property
    def model(self) -> str | None:
        """The model that answers, which may be another than the one asked for."""
        return self._so_far.model

    @property
    def provider(self) -> str | None:
        """The provider that answers, where the events name it."""
        return self._so_far.provider

    @property
    def cost(self) -> float | None:
        """USD charged; None where the server did not say."""
        usage: Tokens | None = self._so_far.usage
        return usage.cost if usage is not None and usage.cost is not None else self._settled_cost

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why the answer ended, in the words of its endpoint; empty before it has."""
        reasons: tuple[str, ...] = self._so_far.finish_reasons
        return reasons

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the headers say of the rate limit; None where they say nothing."""
        return rate_limit_in(self.headers)

    @property
    def partial(self) -> R:
        """The answer so far, built anew at each look."""
        answer: R = self._so_far.answer()
        answer.arrival = Arrival(
            headers={name.lower(): value for name, value in self.headers.items()},
            timing=msgspec.structs.replace(self.timing),
            ending=self.ending,
        )
        return answer

    # More spellings.

    def __await__(self) -> Generator[Any, Any, R]:
        return self.collect().__await__()

    async def collect(self) -> R:
        """Read to the end and give the whole answer.

        Raises:
            OpenRouterError: The stream failed; `partial` on the error is what had come.
            RuntimeError: The stream was left, or has failed.
        """
        self._raise_if_over()
        try:
            while True:
                self._take_waiting()
                await self._step_with_reads()
        except StopAsyncIteration:
            self._raise_if_over()
        return self.partial

    def text(self) -> Pieces:
        """Iterate the new pieces of text, leaving out events without any."""
        self._begin_loop()
        return Pieces(self, attrgetter("text"))

    def reasoning(self) -> Pieces:
        """Iterate the new pieces of reasoning, leaving out events without any."""
        self._begin_loop()
        return Pieces(self, attrgetter("reasoning"))

    async def settle_cost(self, timeout: float = 30.0) -> float | None:
        """Find out what the answer cost, also where its usage never came.

        Args:
            timeout: How long to wait for the record that OpenRouter writes, in seconds.

        Returns:
            USD charged; None (never a guess) where there was no record in time.

        Raises:
            RuntimeError: The stream is not over.
            OpenRouterError: Asking failed for another reason than a missing record.
        """
        if self.ending is None:
            raise RuntimeError("this stream is not over: read it to its end, or close it")
        if self.cost is not None or self.generation_id is None or self._find_record is None:
            return self.cost
        record = await record_in_time(self._find_record, self.generation_id, timeout)
        if record is None:
            return None
        self._settled_cost = record.cost
        if self._reservation is not None:
            self._reservation.settle(self.cost)
        return self.cost

    # What events mean.

    def _reset(self) -> None:
        super()._reset()
        self._so_far = self._gathering()

    def _take(self, data: bytes) -> E | None:
        if data == b"[DONE]":
            self._done()
            return None
        try:
            event = self._reader.decode(data)
        except _MALFORMED:
            event = self._decoded_patiently(data)
            if event is None:
                return None
        event.raw = data
        so_far = self._so_far
        so_far.add(event)
        self.deltas = so_far.deltas
        if so_far.failed is not None:
            raise error_in_stream(so_far.failed, now=time.time(), secret=self._revealed())
        if so_far.is_over:
            self._done()
        return cast("E", event)

    def _decoded_patiently(self, data: bytes) -> Any:
        """Decode what the strict decoder refused; None for what is no event at all."""
        text = data.strip()
        if text == b"[DONE]":
            self._done()
            return None
        if not text or text.startswith(b":"):
            return None  # a keep-alive that was sent as an event
        try:
            return decode_leniently(data, self._event)
        except NotAnObjectError as error:
            raise ProtocolError(f"an event holds {error}: {self._shown(data)!r}") from None

    def _finished(self) -> bool:
        return self._so_far.finished

    def _from_json(self, body: bytes) -> bytes:
        try:
            event = self._event_of(body, msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
        except _MALFORMED:
            event = None
        if event is not None:
            return event
        details = error_in(body)
        if details is not None:
            raise error_in_stream(details, now=time.time(), secret=self._revealed())
        raise self._not_a_stream(body)

    def _complete_error(self, error: OpenRouterError) -> None:
        error.generation_id = error.generation_id or self.generation_id
        error.request_id = error.request_id or self._so_far.request_id
        error.partial = self.partial
        self._note_billing(error, self.cost)

    def _end_as(self, state: Any, ending: Ending) -> None:
        if not self._is_streamed and ending == "complete_no_sentinel":
            ending = "complete" if self._finished() else "complete_no_reason"
        usage: Tokens | None = self._so_far.usage
        if self._response is not None and usage is not None:
            self._response.spent(usage.total_tokens)
        super()._end_as(state, ending)
        timing = self.timing
        if usage is not None and timing.end is not None and timing.first_delta is not None:
            seconds = timing.end - timing.first_delta
            tokens: int | None = getattr(usage, self._counted)
            if seconds > 0 and tokens:
                timing.tokens_per_second = tokens / seconds
        if self._reservation is not None:
            self._reservation.settle(self.cost)


class Pieces(Leaving):
    """Iterates one thing that events say, leaving out events that do not."""

    __slots__ = ("_said_by",)

    def __init__(self, stream: EventStream[Any], said_by: Callable[[Any], str]) -> None:
        super().__init__(stream)
        self._said_by = said_by

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        stream = self._stream
        while True:
            event = stream._waiting_item()
            if event is None:
                event = await stream._step_with_reads()
            piece = self._said_by(event)
            if piece:
                return piece


def reported(error: ErrorBody | str | None, raw: bytes, is_error: bool) -> ErrorBody | None:
    """Give what an event reports as an error; None where it reports none.

    Args:
        error: Its ``error``.
        raw: The event, whose name may call it an error.
        is_error: Whether its kind calls it one.
    """
    if isinstance(error, str):
        return ErrorBody.from_text(error)
    if error is None and (is_error or (isinstance(raw, NamedEvent) and raw.name == "error")):
        return decode_leniently(raw, ErrorBody)
    return error
