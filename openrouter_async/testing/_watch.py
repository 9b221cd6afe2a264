"""Tells whoever waits that the emulator's state has changed, across threads and event loops.

The rule of this file: it knows no HTTP and no script. The state itself lives elsewhere; here
it is only said *that* it changed, and each waiter looks again for itself.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

__all__ = ["Flag", "Gates", "Watch"]

# A condition may look at things that the emulator does not own (a list that the client side
# of a test fills): nobody tells us about those, so every waiter also looks by itself.
_LOOK_AGAIN: Final = 0.05


class Watch:
    """A bell that any thread may ring and that any thread or event loop may wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: set[Callable[[], object]] = set()

    def notify(self) -> None:
        """Wake every waiter, to look again."""
        if not self._wakes:
            return
        with self._lock:
            wakes = tuple(self._wakes)
        for wake in wakes:
            with suppress(RuntimeError):  # the waiter's loop was closed meanwhile
                wake()

    async def until(self, condition: Callable[[], object], timeout: float | None = None) -> bool:
        """Wait until `condition` gives something true; give whether it did in time."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        deadline = None if timeout is None else loop.time() + timeout
        self._add(wake)
        try:
            while not condition():
                changed.clear()
                if deadline is not None and loop.time() >= deadline:
                    return False
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_AGAIN):
                        await changed.wait()
            return True
        finally:
            self._discard(wake)

    def block_until(self, condition: Callable[[], object], timeout: float) -> bool:
        """Do as `until` does, blocking this thread."""
        changed = threading.Event()
        deadline = time.monotonic() + timeout
        self._add(changed.set)
        try:
            while not condition():
                changed.clear()
                if time.monotonic() >= deadline:
                    return False
                changed.wait(_LOOK_AGAIN)
            return True
        finally:
            self._discard(changed.set)

    def _add(self, wake: Callable[[], object]) -> None:
        with self._lock:
            self._wakes.add(wake)

    def _discard(self, wake: Callable[[], object]) -> None:
        with self._lock:
            self._wakes.discard(wake)


class Flag:
    """Something that happens at most once, with the reading side of `asyncio.Event`.

    It is true once it is set, may be read from any thread and awaited on any loop.
    """

    __slots__ = ("_set", "_watch")

    def __init__(self, watch: Watch) -> None:
        self._set = False
        self._watch = watch

    def __bool__(self) -> bool:
        return self._set

    def __repr__(self) -> str:
        return f"<Flag {'set' if self._set else 'unset'}>"

    def is_set(self) -> bool:
        """Give whether it happened."""
        return self._set

    async def wait(self) -> bool:
        """Wait until it happens; give True."""
        return await self._watch.until(self.is_set)

    def set(self) -> None:
        """Say that it happened, and wake who waits."""
        self._set = True
        self._watch.notify()


class Gates:
    """The gates of `Hold` steps, opened in the order in which they were reached.

    Each gate wakes its own waiter and no other: a thousand held answers are no reason to wake
    a thousand tasks whenever anything changes.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], object]] = deque()
        self._ahead = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def release(self, count: int) -> None:
        """Open the next `count` gates; those not reached yet will stand open."""
        with self._lock:
            opened = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
            self._ahead += count - len(opened)
        for opening in opened:
            opening()
        self._watch.notify()

    async def pass_one(self) -> None:
        """Wait until a gate opens."""
        loop, gate = asyncio.get_running_loop(), asyncio.Event()

        def opening() -> None:
            with suppress(RuntimeError):  # the emulator's loop was closed meanwhile
                loop.call_soon_threadsafe(gate.set)

        with self._lock:
            if self._ahead:
                self._ahead -= 1
                return
            self._waiting.append(opening)
        self._watch.notify()
        try:
            await gate.wait()
        finally:
            # A client that left must not use up the opening that is meant for the next one.
            with self._lock, suppress(ValueError):
                self._waiting.remove(opening)
            self._watch.notify()
