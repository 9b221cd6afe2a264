"""One attempt on its way to the headers of its answer.

The rule of this file: it is told what aiohttp does, and decides which phase that is and which
deadline is the nearest. One `asyncio.timeout` serves all phases and is moved from one to the next.
"""

from __future__ import annotations

from contextvars import ContextVar
from math import inf
from typing import TYPE_CHECKING, Final
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
from .failures import timeout_error

if TYPE_CHECKING:
    import asyncio

    from .._config import Timeouts
    from .ledger import Ledger

__all__ = ["Opening", "begin", "current"]


# Weak, as timers and tasks of aiohttp keep the context in which they were made. Its own tracing
# would carry the attempt along as well, at the price of a dozen coroutines a request.
_CURRENT: Final[ContextVar[ref[Opening] | None]] = ContextVar("opening", default=None)


class Opening:
    """One attempt on its way to the headers: its phase, and the deadline of that phase."""

    __slots__ = (
        "__weakref__",
        "_expires_as",
        "_scope",
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
        self._scope: asyncio.Timeout | None = None
        self._expires_as: type[APIConnectionError] = QueueTimeout
        self.pool = pool
        self.phase: Phase = "queue"
        self.asked_at = pool.loop.time()
        self.sending_at: float | None = None  # the queue is behind: deadlines count from here
        self.connected_at: float | None = None
        self.is_reused = False
        self.sent_at = self.asked_at

    def follow(self, scope: asyncio.Timeout) -> None:
        self._scope = scope
        self.pool.waiting += 1
        self.enter("queue")

    def left(self) -> None:
        """The headers are there, or the attempt has failed."""
        if self.sending_at is None:
            self.pool.waiting -= 1
        self._scope = None

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

    def enter(self, phase: Phase) -> None:
        """Begin a phase, or begin its deadline anew."""
        scope = self._scope
        if scope is None or scope.expired():
            return
        now = self.pool.loop.time()
        self.phase = phase
        if phase != "queue" and self.sending_at is None:
            self.sending_at = now
            self.pool.waiting -= 1
        timeouts = self.timeouts
        sending_at = now if self.sending_at is None else self.sending_at
        deadlines: tuple[tuple[float | None, float, type[APIConnectionError]], ...]
        if phase == "queue":
            deadlines = ((timeouts.queue, self.asked_at, QueueTimeout),)
        elif phase == "connect":
            deadlines = (
                (timeouts.total, sending_at, TotalTimeout),
                (timeouts.connect, sending_at, ConnectTimeout),
            )
        else:
            self.sent_at = now
            deadlines = (
                (timeouts.total, sending_at, TotalTimeout),
                (timeouts.wire_idle, now, WireIdleTimeout),
                (timeouts.first_event, now, FirstEventTimeout),
            )
        when, kind = inf, self._expires_as
        for limit, since, expires_as in deadlines:
            if limit is not None and since + limit < when:
                when, kind = since + limit, expires_as
        self._expires_as = kind
        scope.reschedule(None if when == inf else when)

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
