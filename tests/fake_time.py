"""A loop whose clock jumps: real sockets, but nobody waits for a timer.

When nothing is ready and the next thing to happen is a timer, the clock moves there at once. On
loopback what was written is readable at once, so that a timer never overtakes it; what threads do
would be overtaken.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_REAL_WAIT = 0.001
"""Seconds that the kernel is given to bring what is on its way over loopback."""


class _JumpingSelector(selectors.DefaultSelector):
    """Selects without waiting for timers, and keeps count of what it has skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(min(timeout, _REAL_WAIT))
        if not ready and timeout > _REAL_WAIT:
            self.skipped += timeout - _REAL_WAIT
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop of which an hour takes no time."""

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return super().time() + self.jumping.skipped


def run_jumping(main: Coroutine[Any, Any, T]) -> T:
    """Do as `asyncio.run` does, on a clock that jumps; what waits for ever fails after an hour."""

    async def bounded() -> T:
        async with asyncio.timeout(3600):
            return await main

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(bounded())
