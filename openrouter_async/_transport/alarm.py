"""Deadlines that move all the time, and the end of a task's wait.

The rule of this file: what happens on nearly every request, a deadline that is moved and never
passes and a wait that nobody ends, costs no timer of its own. An `Alarm` keeps one timer, which is
set anew only when it fires too early; an `Interruption` does nothing before it is needed.
`asyncio.timeout` would make a timer for every move.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

__all__ = ["FOREVER", "Alarm", "Interruption"]

FOREVER: Final = sys.float_info.max
"""The deadline of a wait without any; infinity is that of no wait."""

_EARLY: Final = 1e-3
"""Seconds before its time that a timer may fire."""


class Alarm:
    """Calls `ring` at a moment that may be moved.

    Attributes:
        at: That moment, on the loop's clock; infinity while nothing is waited for.
        timer_at: The moment of the timer, which may be an earlier one.
        ring: What is called.
    """

    __slots__ = ("_loop", "_timer", "at", "ring", "timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], object]) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self.at = inf
        self.timer_at = inf
        self.ring = ring

    def arm(self, at: float) -> None:
        """Set the timer; only needed where `timer_at` is later than `at`."""
        if self._timer is not None:
            self._timer.cancel()
        if at < FOREVER:
            self.timer_at = at
            self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.timer_at = inf
        if self.at == inf:
            return  # nothing is waited for; the next wait sets it again
        if self._loop.time() + _EARLY < self.at:
            self.arm(self.at)
            return
        self.ring()

    def stop(self) -> None:
        """Ring no more, and let go of who was to be called."""
        self.at = inf
        self.ring = _nobody
        self.timer_at = -inf  # nothing is earlier, so nothing arms it again
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _nobody() -> None:
    """Is called by an alarm that was stopped."""


class Interruption:
    """Ends the waiting of the task that makes it, as a cancellation that it takes back itself."""

    __slots__ = ("_cancelling", "_handle", "_task", "has_come")

    def __init__(self) -> None:
        import asyncio

        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("this has to be awaited in a task")
        self._task: asyncio.Task[object] | None = task
        self._cancelling = task.cancelling()
        self._handle: asyncio.Handle | None = None
        self.has_come = False

    def come(self) -> None:
        """Interrupt the task; idempotent, and for callbacks of the loop."""
        if self._task is not None and not self.has_come:
            self.has_come = True
            self._task.cancel()

    def come_soon(self) -> None:
        """Interrupt the task in the next turn of the loop, unless it is `over` by then."""
        if self._task is not None and self._handle is None:
            self._handle = self._task.get_loop().call_soon(self.come)

    def over(self) -> bool:
        """Come no more; tell whether the task was stopped by this and by nothing else."""
        task, self._task = self._task, None  # its frames hold this
        if self._handle is not None:
            self._handle.cancel()
        return self.has_come and task is not None and task.uncancel() <= self._cancelling
