"""Steps through a coroutine and does something to it at one of its suspensions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class Interrupted:
    """Awaits a coroutine and interrupts it when it is suspended for the `at`-th time."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        at: int,
        interrupt: Callable[[asyncio.Future[Any]], object],
    ) -> None:
        self._coroutine = coroutine
        self._at = at
        self._interrupt = interrupt
        self.suspensions = 0

    async def run(self) -> None:
        """Await the coroutine."""
        await self

    def __await__(self) -> Generator[Any, Any, Any]:
        thrown: BaseException | None = None
        while True:
            try:
                if thrown is not None:
                    error, thrown = thrown, None
                    try:
                        future = self._coroutine.throw(error)
                    finally:
                        del error  # its traceback holds this frame, which must not hold it
                else:
                    future = self._coroutine.send(None)
            except StopIteration as stop:
                return stop.value
            self.suspensions += 1
            if self.suspensions == self._at:
                self._interrupt(future)
            try:
                yield future
            except BaseException as error:
                thrown = error


def cancel_this(_: object) -> None:
    """Cancel the running task."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
