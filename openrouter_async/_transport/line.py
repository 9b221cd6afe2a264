"""Who asks first is served first: a fixed number of places, and a line before them.

The rule of this file: a place is handed from who leaves straight to who has waited longest, so
that nobody who comes later can take it, and a cancellation at any moment, that of the handing-over
too, passes it on. Nothing here knows what a place is for.

aiohttp has a line of its own, but lets requests that come later pass those who wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["Line", "Place"]


class Place:
    """The right to have one connection open, until `leave`."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line: Line | None = line

    def leave(self) -> None:
        """Give the place to the next in line; idempotent."""
        line, self._line = self._line, None
        if line is not None:
            line.hand_on()


class Line:
    """The places of one event loop, and who waits for one."""

    __slots__ = ("_free", "_loop", "_waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop, places: int) -> None:
        self._loop = loop
        self._free = places
        # In the order of asking; unlike a deque it lets go of one in the middle at no cost.
        self._waiters: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    def take(self) -> Place | None:
        """Take a place that is free."""
        if not self._free:  # and where one is, nobody waits: a place that is left goes to them
            return None
        self._free -= 1
        return Place(self)

    async def enter(self) -> Place:
        """Take a place, or wait in line for one."""
        place = self.take()
        if place is not None:
            return place
        waiter = self._loop.create_future()
        self._waiters[waiter] = None
        try:
            await waiter
        except BaseException:
            if waiter in self._waiters:
                del self._waiters[waiter]
            elif not waiter.cancelled() and waiter.exception() is None:
                self.hand_on()  # it was given a place in the very moment of the cancellation
            raise
        return Place(self)

    def hand_on(self) -> None:
        """Give a place that was left to whoever has waited longest."""
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def dissolve(self, reason: Callable[[], Exception]) -> None:
        """Send everybody in line away, each with an exception of its own."""
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_exception(reason())
