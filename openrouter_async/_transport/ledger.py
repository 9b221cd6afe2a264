"""What one loop's pool keeps count of.

The rule of this file: book-keeping only. Who has a connection, who waits for one, and which are
about to be free; nothing here opens or closes anything by itself.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from ..errors import APIConnectionError
from .line import Line

if TYPE_CHECKING:
    import asyncio

    from .._config import Limits, Timeouts

__all__ = ["Holder", "Ledger"]


class Holder(Protocol):
    """Something that holds a connection."""

    is_handed_over: bool

    def abort(self) -> None:
        """Give it up because the pool ends."""


class Ledger:
    """The accounts of one loop's connections.

    Attributes:
        line: The connections that may be open, given out in the order of asking.
        waiting: Requests in line for a connection.
        opened: Connections ever opened.
        reused: Requests that found an open connection.
        idle: Open connections that nobody holds, as far as is known.
        responses: Who holds a connection.
        draining: Who holds one only until the end of a finished body.
        is_inherited: The connections are those of the process that this one was forked from.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeouts: Timeouts, limits: Limits) -> None:
        self.loop = loop
        self.timeouts = timeouts
        self.limits = limits
        self.line = Line(loop, limits.max_connections)
        self.waiting = self.opened = self.reused = 0
        self.idle = 0
        self.is_inherited = False
        self.responses: set[Holder] = set()
        self.draining: set[Holder] = set()
        self._drain_waiters: deque[asyncio.Future[None]] = deque()

    def abort(self) -> None:
        """Close the connections that are in use, and send away who waits for one."""
        self.line.dissolve(_closed_while_waiting)
        for response in list(self.responses):
            response.abort()

    def answering(self) -> int:
        """Count the answers that their readers have and have not read to the end."""
        return sum(response.is_handed_over for response in self.responses - self.draining)

    async def wait_for_drained(self) -> None:
        """Wait for a finished stream's connection rather than open one more.

        The end of a body often arrives a moment after ``[DONE]``. Each drain is bounded by
        `Timeouts.drain`, and so is this: nobody waits for a second one.
        """
        if self.draining and self.idle <= 0:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._drain_waiters.append(waiter)
            await waiter

    def drained(self, response: Holder) -> None:
        """Take note that a finished stream's connection is free or closed."""
        self.draining.discard(response)
        while self._drain_waiters:
            waiter = self._drain_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                if self.draining:
                    break


def _closed_while_waiting() -> APIConnectionError:
    error = APIConnectionError("the client was closed while the request waited for a connection")
    error.phase = "queue"
    error.billed = "no"
    return error
