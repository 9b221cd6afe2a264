"""How fast to send: the numbers behind a pause, an adaptive window and a limit per minute.

The rule of this file: pure. Each object is told the time and what happened, and tells how long
the next request has to wait; none of them waits, reads a clock or knows what a request is.
"""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Final

from ._config import Adaptive

__all__ = ["Minute", "Pause", "Spending", "Window"]

_RAMP: Final = 0.2
"""Seconds. The k-th request after a pause goes `_RAMP` * sqrt(k) after its end: the first alone, as
a probe, then at a rate that grows evenly, so that many need longer than few, yet not for ever.
Who asks for shorter waits than that gets a shorter ramp."""


class Pause:
    """A time in which nothing is sent, and the spread-out start after it.

    Attributes:
        until: When it ends; the clock's zero where there never was one.
        strikes: Pauses in a row, with nothing accepted between them.
    """

    __slots__ = ("_began", "_offset", "_passed", "_ramp", "strikes", "until")

    def __init__(self) -> None:
        self.until = -math.inf
        self.strikes = 0
        self._began = -math.inf
        self._passed = 0
        self._offset = 0.0
        self._ramp = _RAMP

    def is_news(self, sent_at: float) -> bool:
        """Tell whether a refusal of what was sent then says more than the pause that is known."""
        return sent_at >= self._began

    def begin(
        self, now: float, until: float, sent_at: float, longest_ramp: float = math.inf
    ) -> None:
        """Send nothing until then, because something that was sent at `sent_at` was refused."""
        if self.is_news(sent_at):
            self.strikes += 1
        if until > self.until:
            self.until = until
            self._began = now
            self._passed = 0
            # Processes that share a key would all begin at the same moment otherwise.
            self._offset = random.random()
            self._ramp = min(_RAMP, longest_ramp)

    def accepted(self, sent_at: float) -> None:
        """Something was taken: what follows is a new trouble, not the old one."""
        if self.is_news(sent_at):
            self.strikes = 0

    def wait(self, now: float) -> float:
        """Give the seconds until the next one may be sent."""
        return max(0.0, self.until + self._ramp * math.sqrt(self._passed + self._offset) - now)

    def passed(self) -> None:
        """Take note that one is sent."""
        self._passed += 1

    def is_over(self, now: float) -> bool:
        """Tell whether nobody would have to wait any more."""
        return self.wait(now) == 0.0


_CUT: Final = 0.9
_FIRST_PATIENCE: Final = 4.0
_LONGEST_PATIENCE: Final = 64.0


class Window:
    """How many may be under way at once: additive increase, multiplicative decrease.

    Like a TCP connection it first grows fast until something is refused. What was under way then
    is remembered as the *ceiling*: below it the window closes half of the gap each round (a round
    is as many acceptances as the window is wide), at it the window waits for some rounds before
    it tries more. A trial that fails costs one refusal, puts the window back to the ceiling and
    doubles the patience; one that succeeds is followed by ever larger steps. A refusal at or
    below the ceiling means that the API takes less than it did: then the window is cut.

    Attributes:
        limit: How many may be under way; a fraction counts towards the next one.
        ceiling: The most that is known to be taken; infinite before the first refusal.
    """

    __slots__ = ("_accepted", "_changed_at", "_patience", "_step", "bounds", "ceiling", "limit")

    def __init__(self, bounds: Adaptive) -> None:
        self.bounds = bounds
        self.limit = float(min(max(bounds.start, bounds.least), bounds.most))
        self.ceiling = math.inf
        self._changed_at = -math.inf
        self._accepted = 0  # since the window was last as wide as its ceiling
        self._patience = _FIRST_PATIENCE
        self._step = 1.0

    def has_room(self, under_way: int) -> bool:
        """Tell whether one more may be sent."""
        return under_way + 1 <= self.limit

    def accepted(self, sent_at: float, under_way: int) -> None:
        """One was taken, while so many (it included) were under way."""
        if sent_at < self._changed_at or under_way < 0.8 * int(self.limit):
            return  # nothing is learnt where the window is not what holds the requests back
        if self.ceiling == math.inf:
            self._grow(0.5)
        elif self.limit < self.ceiling:
            self._grow(min(1.0, max(1.0, (self.ceiling - self.limit) / 2) / self.limit))
            self.limit = min(self.limit, self.ceiling)
            self._accepted = 0
        else:
            self._try_more(under_way)

    def _try_more(self, under_way: int) -> None:
        tries = self.limit > self.ceiling
        self._accepted += under_way > self.ceiling or not tries
        if tries and self._accepted >= self.limit:
            self.ceiling = self.limit
            self._step *= 2
            self._patience = _FIRST_PATIENCE
            self._accepted = 0
            self._grow(self._step)
        elif not tries and self._accepted >= self._patience * self.limit:
            self._accepted = 0
            self._grow(self._step)

    def _grow(self, by: float) -> None:
        self.limit = min(self.limit + by, float(self.bounds.most))

    def refused(self, now: float, sent_at: float, under_way: int) -> bool:
        """One was refused, while so many others were under way.

        Returns:
            Whether that was the window's own doing: it had tried how many are taken.
        """
        least = float(self.bounds.least)
        taken = max(float(under_way), least)
        if sent_at < self._changed_at:
            # Sent before the last change, so it was one too many of that time.
            self.ceiling = min(self.ceiling, taken)
            self.limit = min(self.limit, self.ceiling)
            return True
        tried = self.limit > self.ceiling or self.ceiling == math.inf
        self._changed_at = now
        self._accepted = 0
        self._step = 1.0
        if tried:
            self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
            self.ceiling = min(self.ceiling, taken)
            self.limit = min(self.limit, self.ceiling)
        else:
            self._patience = _FIRST_PATIENCE
            self.ceiling = min(self.limit, taken)
            self.limit = max(least, _CUT * self.ceiling)
        return tried


class Spending:
    """What one request takes of a limit per minute."""

    __slots__ = ("amount", "at")

    def __init__(self, at: float, amount: int) -> None:
        self.at = at
        self.amount = amount


class Minute:
    """At most so much in any minute.

    Every spending of the last minute is remembered: a bucket that fills evenly would let twice
    its size through in the first minute, and a server that counts calendar minutes or sliding
    ones would refuse the second half.
    """

    __slots__ = ("_spendings", "limit", "spent")

    # Requests travel unequally long, so that what was sent a minute apart may arrive closer.
    LENGTH: Final = 60.5

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self._spendings: deque[Spending] = deque()

    def wait(self, now: float, amount: int) -> float:
        """Give the seconds until so much may be spent; more than the limit waits for all of it."""
        self.forget(now)
        allowed = self.limit - min(amount, self.limit)
        left = self.spent
        for spending in self._spendings:
            if left <= allowed:
                break
            left -= spending.amount
            if left <= allowed:
                return max(0.0, spending.at + self.LENGTH - now)
        return 0.0

    def spend(self, now: float, amount: int) -> Spending:
        """Take so much."""
        spending = Spending(now, amount)
        self._spendings.append(spending)
        self.spent += amount
        return spending

    def correct(self, spending: Spending, amount: int) -> None:
        """Put right what was only estimated."""
        if self._spendings and self._spendings[0].at <= spending.at:  # not forgotten yet
            self.spent += amount - spending.amount
            spending.amount = amount

    def forget(self, now: float) -> None:
        """Let go of what was spent more than a minute ago."""
        spendings = self._spendings
        while spendings and spendings[0].at + self.LENGTH <= now:
            self.spent -= spendings.popleft().amount
        if not spendings:
            self.spent = 0
