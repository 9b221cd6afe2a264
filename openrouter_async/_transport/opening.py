"""One attempt on its way to the headers of its answer.

The rule of this file: it is told what aiohttp does, and decides which phase that is and which
deadline is the nearest. One alarm serves all phases, is moved from one to the next, and becomes
that of the answer.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal
from weakref import ref

from ..errors import (
    APIConnectionError,
    ConnectTimeout,
    FirstEventTimeout,
    OpenRouterError,
    Phase,
    QueueTimeout,
    TotalTimeout,
    WireIdleTimeout,
)
from .alarm import FOREVER, Alarm, Interruption
from .failures import timeout_error

if TYPE_CHECKING:
    from .._config import Timeouts
    from .ledger import Ledger

__all__ = ["Opening", "begin", "current"]


# Weak, as timers and tasks of aiohttp keep the context in which they were made. Its own tracing
# would carry the attempt along as well, at the price of a dozen coroutines a request.
_CURRENT: Final[ContextVar[ref[Opening] | None]] = ContextVar("opening", default=None)


class Opening:
    """One attempt on its way to the headers: its phase, and the deadline of that phase.

    Attributes:
        alarm: What interrupts it at its deadline; then it is the answer's.
    """

    __slots__ = (
        "__weakref__",
        "_expires_as",
        "_interruption",
        "_is_over",
        "alarm",
        "asked_at",
        "connected_at",
        "is_reused",
        "phase",
        "pool",
        "sending_at",
        "sent_at",
        "timeouts",
    )

    def __init__(self, timeouts: Timeouts, pool: Ledger) -> None:
        self.timeouts = timeouts
        self._interruption = Interruption()
        self.alarm = Alarm(pool.loop, self._interruption.come)
        self._is_over = False
        self._expires_as: type[APIConnectionError] = QueueTimeout
        self.pool = pool
        self.phase: Phase = "queue"
        self.asked_at = pool.loop.time()
        self.sending_at: float | None = None  # the queue is behind: deadlines count from here
        self.connected_at: float | None = None
        self.is_reused = False
        self.sent_at = self.asked_at
        pool.waiting += 1
        if timeouts.queue is not None:
            self._wait_until(self.asked_at + timeouts.queue)

    @property
    def has_timed_out(self) -> bool:
        """Whether its deadline has passed."""
        return self._interruption.has_come

    def over(self) -> bool:
        """The headers are there, or the attempt has failed; tell whether by its deadline alone."""
        if self.sending_at is None:
            self.pool.waiting -= 1
        self._is_over = True
        return self._interruption.over()

    def connected(self, *, new: bool) -> None:
        self.is_reused = not new
        if new:
            self.pool.opened += 1
            self.pool.idle = 0  # aiohttp found no idle connection, whatever we had counted
        else:
            self.pool.reused += 1
            self.pool.idle -= 1
        self.enter("headers")
        self.connected_at = self.sent_at

    def disconnected(self) -> None:
        """The connection was found closed, with nothing of the request written to it."""
        if self.is_reused:
            self.pool.reused -= 1
        self.enter("connect")

    def enter(self, phase: Literal["connect", "headers"]) -> None:
        """Begin a phase, or begin its deadline anew."""
        if self._is_over or self._interruption.has_come:
            return
        now = self.pool.loop.time()
        self.phase = phase
        if self.sending_at is None:
            self.sending_at = now
            self.pool.waiting -= 1
        timeouts = self.timeouts
        when = FOREVER
        if phase == "connect":
            if timeouts.connect is not None:
                when, self._expires_as = self.sending_at + timeouts.connect, ConnectTimeout
        else:
            self.sent_at = now
            if timeouts.wire_idle is not None:
                when, self._expires_as = now + timeouts.wire_idle, WireIdleTimeout
            if timeouts.first_event is not None and now + timeouts.first_event < when:
                when, self._expires_as = now + timeouts.first_event, FirstEventTimeout
        if timeouts.total is not None and self.sending_at + timeouts.total <= when:
            when, self._expires_as = self.sending_at + timeouts.total, TotalTimeout
        self._wait_until(when)

    def _wait_until(self, when: float) -> None:
        alarm = self.alarm
        alarm.at = when
        if when < alarm.timer_at:
            alarm.arm(when)

    def timeout(self) -> OpenRouterError:
        """Give the exception of the deadline that has passed."""
        kind = self._expires_as
        limits: dict[type[APIConnectionError], float | None] = {
            QueueTimeout: self.timeouts.queue,
            ConnectTimeout: self.timeouts.connect,
            WireIdleTimeout: self.timeouts.wire_idle,
            FirstEventTimeout: self.timeouts.first_event,
            TotalTimeout: self.timeouts.total,
        }
        return timeout_error(kind, limits[kind])


def current() -> Opening | None:
    """Give the attempt that the running task is opening."""
    reference = _CURRENT.get()
    return reference() if reference is not None else None


def begin(opening: Opening) -> None:
    """Say which attempt the running task is opening from now on."""
    _CURRENT.set(ref(opening))
