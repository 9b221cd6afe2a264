"""One attempt on its way to the headers of its answer.

The rule of this file: aiohttp reports what it does, and this decides which phase that is and which
deadline is the nearest. One `asyncio.timeout` serves all phases and is moved from one to the next.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

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

    import aiohttp

    from .._config import Timeouts
    from .ledger import Ledger

__all__ = ["Opening", "phase_reports"]


class Opening:
    """One attempt on its way to the headers: its phase, and the deadline of that phase."""

    __slots__ = (
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
        deadlines: list[tuple[float | None, float, type[APIConnectionError]]]
        if phase == "queue":
            deadlines = [(timeouts.queue, self.asked_at, QueueTimeout)]
        else:
            since = now if self.sending_at is None else self.sending_at
            deadlines = [(timeouts.total, since, TotalTimeout)]
            if phase == "connect":
                deadlines.append((timeouts.connect, since, ConnectTimeout))
            else:
                self.sent_at = now
                deadlines.append((timeouts.wire_idle, now, WireIdleTimeout))
                deadlines.append((timeouts.first_event, now, FirstEventTimeout))
        ends = [(since + limit, kind) for limit, since, kind in deadlines if limit is not None]
        if ends:
            when, self._expires_as = min(ends, key=itemgetter(0))
            scope.reschedule(when)
        else:
            scope.reschedule(None)

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


def phase_reports() -> aiohttp.TraceConfig:
    import aiohttp

    def context(trace_request_ctx: object = None) -> object:
        return trace_request_ctx

    async def connecting(session: object, opening: Opening, params: object) -> None:
        opening.enter("connect")

    async def connected(session: object, opening: Opening, params: object) -> None:
        opening.connected(new=True)

    async def reused(session: object, opening: Opening, params: object) -> None:
        opening.connected(new=False)

    async def sent(session: object, opening: Opening, params: object) -> None:
        opening.enter("headers")

    factory: Any = context  # aiohttp's annotation asks for one certain class
    config: Any = aiohttp.TraceConfig(trace_config_ctx_factory=factory)
    config.on_connection_create_start.append(connecting)
    config.on_connection_create_end.append(connected)
    config.on_connection_reuseconn.append(reused)
    config.on_request_chunk_sent.append(sent)
    return config  # type: ignore[no-any-return]
