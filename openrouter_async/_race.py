"""Fallback and hedging: several requests for one answer, until one of them speaks.

The rule of this file: no more than one answer reaches the user, and nothing is tried again once
it speaks, which is the first delta that says something. Each request is a stream of its own in
a task of its own, and all of them are over when `Race.send` is: the one that speaks first is
handed over with what was heard of it, the others are closed at once. The user's stream reads it
from its first byte, as it reads any answer, and knows nothing of the race.

A request gives way to the next of the line when it was refused or never left, or when its time
for the first delta is over. It is not tried a second time then, except the last in line: what
was given to fall back on shall not wait for a dead provider.
"""

# What is told of a request is noted by the race that sends it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from msgspec.structs import replace

from ._config import RetryPolicy, Timeouts
from ._event_stream import Accept, Answer, Send
from ._heard import Ear
from ._retry import classify
from .budget import Reservation
from .errors import (
    APITimeoutError,
    AuthenticationError,
    GatewayTimeoutError,
    OpenRouterError,
    RequestTimeoutError,
    TotalTimeout,
)
from .stream import ChatStream

if TYPE_CHECKING:
    import asyncio

__all__ = ["Attempt", "Entry", "Race"]

Outcome: TypeAlias = Literal["running", "won", "lost", "failed"]

_AT_ONCE: Final = 1e-6  # seconds; a deadline that has passed cannot be 0


class Attempt:
    """One of the requests that were sent for an answer, with ``fallback`` or ``hedge_after``.

    Attributes:
        model: The model that was asked for; None for the account's default.
        outcome: ``"running"``, then ``"won"`` (it is the answer), ``"lost"`` (another one spoke
            first, or the stream was left) or ``"failed"``.
        error: How it failed.
        seconds: From its start until that was decided.
    """

    __slots__ = ("_started_at", "_stream", "error", "model", "outcome", "seconds")

    def __init__(self, model: str | None, stream: ChatStream) -> None:
        self.model = model
        self.outcome: Outcome = "running"
        self.error: OpenRouterError | None = None
        self.seconds: float | None = None
        self._started_at = time.monotonic()
        self._stream = stream

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id, where an answer had begun."""
        return self._stream.generation_id

    @property
    def cost(self) -> float | None:
        """USD charged, where that is known; that of the winner is its stream's."""
        return self._stream.cost

    async def settle_cost(self, timeout: float = 30.0) -> float | None:
        """Find out what a request that lost did cost; see `ChatStream.settle_cost`."""
        return await self._stream.settle_cost(timeout)

    def _end(self, outcome: Outcome, error: OpenRouterError | None = None) -> None:
        """Note how it ended; the first word counts."""
        if self.outcome == "running":
            self.outcome = outcome
            self.seconds = time.monotonic() - self._started_at
            # A copy, as the traceback of the one that is raised holds the stream, and that this.
            self.error = copy.copy(error)

    def __repr__(self) -> str:
        error = f", {type(self.error).__name__}" if self.error is not None else ""
        return f"<Attempt: {self.model or 'default model'}, {self.outcome}{error}>"


class Entry(NamedTuple):
    """A request that can be sent: for which model, and how.

    `send` takes its deadlines, its retries and where its cost is held.
    """

    model: str | None
    send: Callable[[Timeouts, RetryPolicy, Reservation], Send]


class Race:
    """Sends requests until one of them speaks; for one use.

    Args:
        entries: The requests, in the order of preference.
        hedge_after: Seconds of silence after which a second one is sent beside the first.
        timeouts: Deadlines of each request; `total` is that of all together.
        retry: The rule for the last in line.
        reservation: Takes over what the winner holds of its budgets.
        make: Makes the stream of one request.

    Attributes:
        attempts: The requests that were sent, in order.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        hedge_after: float | None,
        timeouts: Timeouts,
        retry: RetryPolicy,
        reservation: Reservation,
        make: Callable[..., ChatStream],
    ) -> None:
        self.attempts: list[Attempt] = []
        self._line = deque(entries)
        self._hedge_after = hedge_after
        self._timeouts = timeouts
        self._retry = retry
        self._reservation = reservation
        self._make = make
        self._started_at = 0.0
        self._running: list[_Runner] = []
        self._failures: list[OpenRouterError] = []

    async def send(self, accept: Accept) -> None:
        """Have `accept` take the first answer that speaks."""
        import asyncio

        self._started_at = asyncio.get_running_loop().time()
        try:
            winner = await self._first_to_speak()
            self._reservation.take_over(winner.reservation)
            await accept(winner.hand_over(self._started_at))
        finally:
            self._failures.clear()  # the one that is raised holds this frame
            losers, self._running = self._running, []
            for loser in losers:
                loser.stop()
            if losers:
                await asyncio.wait([loser.task for loser in losers])

    async def _first_to_speak(self) -> _Runner:
        import asyncio

        self._start_next()
        while True:
            done, _ = await asyncio.wait(
                [runner.task for runner in self._running],
                timeout=self._hedge_after,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                self._hedge_after = None
                self._start_next()
            for runner in [runner for runner in self._running if runner.task in done]:
                self._running.remove(runner)
                if runner.task.result():
                    return runner
            if not self._running:
                if not self._line or not self._gives_way(self._failures[-1]):
                    raise _last_of(self._failures)
                self._start_next()

    def _start_next(self) -> None:
        """Start the next in line, or where there is none the running one once more."""
        import asyncio

        entry = self._line.popleft() if self._line else self._running[0].entry
        timeouts, retry = self._timeouts, self._retry
        if timeouts.total is not None and self.attempts:
            passed = asyncio.get_running_loop().time() - self._started_at
            timeouts = replace(timeouts, total=max(timeouts.total - passed, _AT_ONCE))
        if self._line:
            # Nor does it stand in a line for longer than it may be silent.
            waits = (retry.total, timeouts.first_event)
            total = min((seconds for seconds in waits if seconds is not None), default=None)
            retry = replace(retry, max_attempts=1, total=total)
        reservation, ear = self._reservation.another(), Ear()
        send = ear.listening(entry.send(timeouts, retry, reservation))
        stream = self._make(send, timeouts=timeouts, reservation=reservation)
        attempt = Attempt(entry.model, stream)
        self.attempts.append(attempt)
        task = asyncio.create_task(_listen(stream, attempt, self._failures))
        task.add_done_callback(_take_note)
        self._running.append(_Runner(entry, stream, ear, reservation, attempt, task))

    def _gives_way(self, failure: OpenRouterError) -> bool:
        """Tell whether the next in line may be asked after a failure."""
        if isinstance(failure, AuthenticationError | TotalTimeout):
            return False  # it would fare no better
        if isinstance(failure, APITimeoutError | GatewayTimeoutError | RequestTimeoutError):
            return True
        kind = classify(failure)
        return kind in ("not_sent", "refused") or (kind == "unknown" and self._retry.retry_unknown)


class _Runner(NamedTuple):
    """A request that has been sent, with the task that waits for it to speak."""

    entry: Entry
    stream: ChatStream
    ear: Ear
    reservation: Reservation
    attempt: Attempt
    task: asyncio.Task[bool]

    def hand_over(self, started_at: float) -> Answer:
        """Give the answer to another reader, from its first byte."""
        answer = self.ear.rewound(started_at)
        self.attempt._end("won")
        self.stream.close()  # closes nothing any more
        return answer

    def stop(self) -> None:
        """Close the connection at once."""
        self.attempt._end("lost")
        self.stream.close()
        self.task.cancel()


async def _listen(stream: ChatStream, attempt: Attempt, failures: list[OpenRouterError]) -> bool:
    """Read until something is said, or until the answer is over; give whether that went well."""
    try:
        while not stream.deltas:
            await anext(stream)
    except StopAsyncIteration:
        pass  # an answer that says nothing is an answer
    except OpenRouterError as error:
        attempt._end("failed", error)
        failures.append(error)
        return False
    return True


def _take_note(task: asyncio.Task[bool]) -> None:
    """Have asyncio know that somebody cares how a task ended that was stopped."""
    if not task.cancelled():
        task.exception()


def _last_of(failures: Sequence[OpenRouterError]) -> OpenRouterError:
    *earlier, last = failures
    last.earlier = tuple(earlier)
    last.attempts = sum(failure.attempts for failure in failures)
    return last
