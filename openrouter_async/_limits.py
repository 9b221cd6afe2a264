"""One gate for all requests of a client: who waits, and for what, before being sent.

The rule of this file: the waiting. How long is told by the numbers of `_pacing`, and which errors
count by `_retry`; connections are the business of `_transport`.

Requests that meet the same limits share a *lane*: the model that the body asks for or, where it
names none, the path. OpenRouter's own 429 for a free model (it names no provider) is the limit of
all free models of the account, so those share one pause more. A paid model has no such limit.

A client serves several loops and threads. What is shared is numbers and sets, each changed in one
step, so that no lock is needed; each loop has a line of its own in a lane, with one request at its
head that waits for the pause, the window and the minute, while the others wait for their turn. A
loop that dies takes its line with it.
"""

from __future__ import annotations

import os
import random
import re
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from ._config import Adaptive, Limits, RetryPolicy
from ._pacing import Minute, Pause, Spending, Window
from ._retry import backoff, holds_back, is_overload
from .errors import APIStatusError, OpenRouterError, QueueTimeout

if TYPE_CHECKING:
    import asyncio

__all__ = ["Asked", "Limiter", "Permit", "asked_in"]

_FREE: Final = ":free"
_SWEEP_EVERY: Final = 1.0
_REMEMBERED: Final = 300.0
"""Seconds that what is known of a model is remembered without requests."""

_LEARNS: Final = 0.1
"""What part of the average over its requests the last one makes."""

_DATA_URL: Final = re.compile(rb'"data:[^"]*"')
_TOKENS_OF_A_FILE: Final = 1_000
_BYTES_OF_A_TOKEN: Final = 4


class _Body(Struct):
    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None


class Asked(Struct, frozen=True):
    """What a request is to the limits.

    Attributes:
        lane: The model, or the path where there is none.
        prompt: How many tokens its prompt may have, estimated.
        answer: How many its answer may have; None where it does not say.
    """

    lane: str
    prompt: int
    answer: int | None = None

    @property
    def tokens(self) -> int:
        """How many both may have, as far as the request says."""
        return self.prompt + (self.answer or 0)

    @property
    def is_free(self) -> bool:
        """Whether it asks for a free model."""
        return self.lane.endswith(_FREE)


def asked_in(path: str, body: bytes | None) -> Asked:
    """Read from a request what the limits have to know of it."""
    if body is None:
        return Asked(path, 0)
    try:
        asked = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Asked(path, len(body) // _BYTES_OF_A_TOKEN)
    files = [match.end() - match.start() for match in _DATA_URL.finditer(body)]
    prompt = (len(body) - sum(files)) // _BYTES_OF_A_TOKEN + len(files) * _TOKENS_OF_A_FILE
    answer = asked.max_completion_tokens or asked.max_output_tokens or asked.max_tokens
    return Asked(asked.model or path, prompt, answer)


class _Line:
    """Who waits in one lane and one loop; touched by that loop alone."""

    __slots__ = ("turn", "waiting", "woken")

    def __init__(self, turn: asyncio.Lock) -> None:
        self.turn = turn
        self.waiting = 0
        self.woken: asyncio.Future[None] | None = None


class Lane:
    """The requests that meet the same limits.

    Attributes:
        beyond: Tokens that a request took beyond its prompt as estimated, of late and on average;
            None before the first is known.
    """

    __slots__ = ("beyond", "held", "lines", "pause", "used_at", "window")

    def __init__(self, window: Window | None) -> None:
        self.pause = Pause()
        self.window = window
        self.held: set[Permit] = set()
        self.lines: dict[asyncio.AbstractEventLoop, _Line] = {}
        self.used_at = -inf
        self.beyond: float | None = None

    def learn(self, beyond: int) -> None:
        """Take note of what a request took beyond its prompt as estimated."""
        before = self.beyond
        self.beyond = beyond if before is None else before + _LEARNS * (beyond - before)

    def tokens_of(self, asked: Asked) -> int:
        """Give how many tokens a request may take: by what it says, or else as others did."""
        if asked.answer is not None or self.beyond is None:
            return asked.tokens
        return max(asked.prompt, asked.prompt + round(self.beyond))

    def wake(self) -> None:
        """Have the heads of all lines look again."""
        for loop, line in list(self.lines.items()):
            if line.woken is not None:
                with suppress(RuntimeError):  # that loop was closed meanwhile
                    loop.call_soon_threadsafe(_wake, line.woken)

    def can_be_dropped(self, now: float) -> bool:
        """Tell whether nobody would miss it."""
        if self.lines or self.held or not self.pause.is_over(now):
            return False
        found = self.window is not None and self.window.ceiling != inf
        knows = found or self.beyond is not None
        return not knows or self.used_at + _REMEMBERED < now


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


class Permit:
    """The right to have one request under way, until `release`.

    Attributes:
        lane: Where it counts.
        sent_at: When it was given, on the loop's clock.
    """

    __slots__ = ("_minute", "_prompt", "_spending", "lane", "sent_at")

    def __init__(
        self,
        lane: Lane,
        sent_at: float,
        prompt: int,
        minute: Minute | None,
        spending: Spending | None,
    ) -> None:
        self.lane = lane
        self.sent_at = sent_at
        self._prompt = prompt
        self._minute = minute
        self._spending = spending
        lane.held.add(self)

    def release(self) -> None:
        """Give it back; idempotent, and right in any thread."""
        if self in self.lane.held:
            self.lane.held.discard(self)
            self.lane.wake()

    def spent(self, tokens: int) -> None:
        """Put the estimate of its tokens right."""
        if self._minute is not None and self._spending is not None:
            self._minute.correct(self._spending, tokens)
            if tokens:  # else the server did not say
                self.lane.learn(tokens - self._prompt)


class Limiter:
    """The gate of one client."""

    def __init__(self, policy: RetryPolicy, limits: Limits) -> None:
        self._policy = policy
        self._adaptive = Adaptive() if limits.adaptive is True else limits.adaptive or None
        self._requests = _minute(limits.requests_per_minute)
        self._tokens = _minute(limits.tokens_per_minute)
        self._is_limited = bool(self._adaptive or self._requests or self._tokens)
        self._lanes: dict[str, Lane] = {}
        self._process = os.getpid()
        self._swept_at = -inf
        self._is_closed = False
        self.refusals = 0

    @property
    def may_hold_back(self) -> bool:
        """Whether a request has to be admitted at all."""
        return self._is_limited or bool(self._lanes)

    async def admit(
        self, path: str, body: bytes | None, patience: float = inf, bound: str = ""
    ) -> Permit | None:
        """Wait until a request may be sent; only needed where it `may_hold_back`.

        Args:
            path: Where it goes.
            body: What it says.
            patience: Seconds that it may wait.
            bound: Which setting says so.

        Returns:
            What has to be given back when its answer has ended; None where nothing is counted.

        Raises:
            QueueTimeout: It would have to wait for longer.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        self._sweep(loop.time())
        asked = asked_in(path, body)
        if not (self._is_limited or asked.lane in self._lanes or asked.is_free):
            return None
        lane = self._lane(asked.lane)
        line = lane.lines.get(loop)
        if line is None:
            if self._wait(lane, asked, loop.time()) == 0:  # and nobody is in line before it
                return self._take(lane, asked, loop.time())
            line = lane.lines[loop] = _Line(asyncio.Lock())
        line.waiting += 1
        deadline = asyncio.timeout(None if patience == inf else patience)
        try:
            if self._pause(lane, asked, loop.time()) > patience:
                raise TimeoutError  # at once
            async with deadline, line.turn:
                return await self._at_the_head(lane, line, asked, loop)
        except TimeoutError:
            pause = self._pause(lane, asked, loop.time())
            raise _out_of_patience(asked, pause, patience, bound) from None
        finally:
            line.waiting -= 1
            if not line.waiting:
                del lane.lines[loop]

    async def _at_the_head(
        self, lane: Lane, line: _Line, asked: Asked, loop: asyncio.AbstractEventLoop
    ) -> Permit:
        import asyncio

        try:
            while True:
                # Before the look at the numbers, or what another thread gives back between the
                # look and the wait would be missed.
                line.woken = loop.create_future()
                wait = self._wait(lane, asked, loop.time())
                if wait == 0:
                    return self._take(lane, asked, loop.time())
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if wait == inf else wait):
                        await line.woken
        finally:
            line.woken = None

    def _wait(self, lane: Lane, asked: Asked, now: float) -> float:
        """Give the seconds until the request at the head may be sent; infinite for a permit."""
        if self._is_closed:
            return 0.0
        if lane.window is not None and not lane.window.has_room(len(lane.held)):
            return inf
        waits = [self._pause(lane, asked, now)]
        if self._requests is not None:
            waits.append(self._requests.wait(now, 1))
        if self._tokens is not None:
            waits.append(self._tokens.wait(now, lane.tokens_of(asked)))
        return max(waits)

    def _take(self, lane: Lane, asked: Asked, now: float) -> Permit:
        for pause in self._pauses(lane, asked):
            pause.passed()
        if self._requests is not None:
            self._requests.spend(now, 1)
        spending = None
        if self._tokens is not None:
            spending = self._tokens.spend(now, lane.tokens_of(asked))
        lane.used_at = now
        return Permit(lane, now, asked.prompt, self._tokens, spending)

    def accepted(self, permit: Permit) -> None:
        """The answer to a request has begun."""
        lane = permit.lane
        lane.pause.accepted(permit.sent_at)
        if lane.window is not None:
            lane.window.accepted(permit.sent_at, len(lane.held))
            lane.wake()

    def refused(
        self, error: OpenRouterError, path: str, body: bytes | None, sent_at: float, now: float
    ) -> bool:
        """A request failed; those beside it wait where that is a reason to.

        Returns:
            Whether the same request would have to wait now.
        """
        if not is_overload(error):
            return False
        self.refusals += 1
        asked = asked_in(path, body)
        lane = self._lane(asked.lane)
        expected = lane.window is not None and lane.window.refused(now, sent_at, len(lane.held))
        if not holds_back(self._policy, error):
            return False
        pause = lane.pause
        if asked.is_free and _is_of_the_account(error):
            pause = self._lane(_FREE).pause
        wait = error.retry_after if isinstance(error, APIStatusError) else None
        if wait is not None:
            pause.begin(now, now + wait, sent_at, max(wait, self._policy.first_delay))
        elif pause.is_news(sent_at) and not expected:
            ceiling = backoff(self._policy, pause.strikes + 1)
            pause.begin(now, now + ceiling * random.random(), sent_at, ceiling)
        return pause.wait(now) > 0

    def close(self) -> None:
        """Hold nobody back any more: there is nothing left to wait for."""
        self._is_closed = True
        for lane in list(self._lanes.values()):
            lane.wake()

    # What `ClientStats` shows.

    def held_back(self) -> int:
        """Count who waits."""
        lanes = list(self._lanes.values())
        return sum(line.waiting for lane in lanes for line in list(lane.lines.values()))

    def paused(self, now: float) -> dict[str, float]:
        """Give the seconds left of every pause."""
        left = {name: lane.pause.until - now for name, lane in list(self._lanes.items())}
        return {name: seconds for name, seconds in left.items() if seconds > 0}

    def under_way(self) -> dict[str, int]:
        """Count the permits of every lane that has a window."""
        lanes = list(self._lanes.items())
        return {name: len(lane.held) for name, lane in lanes if lane.window is not None}

    def windows(self) -> dict[str, int]:
        """Give the width of every window."""
        windows = [(name, lane.window) for name, lane in list(self._lanes.items())]
        return {name: int(window.limit) for name, window in windows if window is not None}

    def last_minute(self, now: float) -> tuple[int, int]:
        """Give the requests and the tokens that were spent in the last minute."""
        for minute in (self._requests, self._tokens):
            if minute is not None:
                minute.forget(now)
        return (
            self._requests.spent if self._requests is not None else 0,
            self._tokens.spent if self._tokens is not None else 0,
        )

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            adaptive = self._adaptive if name != _FREE else None
            lane = Lane(Window(adaptive) if adaptive is not None else None)
            lane = self._lanes.setdefault(name, lane)  # another thread may have been faster
        return lane

    def _pauses(self, lane: Lane, asked: Asked) -> list[Pause]:
        free = self._lanes.get(_FREE) if asked.is_free else None
        return [lane.pause] if free is None else [lane.pause, free.pause]

    def _pause(self, lane: Lane, asked: Asked, now: float) -> float:
        return max(pause.wait(now) for pause in self._pauses(lane, asked))

    def _sweep(self, now: float) -> None:
        """Drop the lanes that nobody would miss, or a service with many models would grow."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._lanes = {}  # what the parent of a fork has under way ends there
        if self._swept_at + _SWEEP_EVERY <= now:
            self._swept_at = now
            for name, lane in list(self._lanes.items()):
                if lane.can_be_dropped(now):
                    self._lanes.pop(name, None)


def _minute(limit: int | None) -> Minute | None:
    return None if limit is None else Minute(limit)


def _is_of_the_account(error: OpenRouterError) -> bool:
    return isinstance(error, APIStatusError) and error.status == 429 and not error.provider_name


def _out_of_patience(asked: Asked, pause: float, patience: float, bound: str) -> QueueTimeout:
    why = f"is paused for {pause:.3g} s more" if pause else "has no room"
    error = QueueTimeout(
        f"{asked.lane} {why}, longer than {bound} ({patience:g} s); nothing was sent"
    )
    error.phase = "queue"
    return error
