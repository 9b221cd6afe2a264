"""A loop whose clock jumps: real sockets, but nobody waits for a timer, and work takes no time.

The clock stands still while anything is ready and jumps to the next timer when nothing is. What is
on its way over loopback comes first, however busy the machine; what threads do may be overtaken.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from openrouter_async.testing import Emulator

T = TypeVar("T")

_SHARE = 0.001
"""Of a jump, what is really waited: threads may still be at something, and so may the kernel."""

_SHORTEST, _LONGEST = 0.001, 0.02
"""Bounds of that, in seconds."""

_HANDSHAKE = 4
"""Packets that follow on one another without anybody's doing: a connection's three, and a reserve."""


class _Loopback:
    """A connection to itself, over which a byte goes no faster than what others have sent before it.

    A busy kernel puts packets off, each processor its own in the order they came: who stays on one
    processor has received everything older once a byte of his own is back.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._near = socket.create_connection(server.getsockname())
            self._far, _ = server.accept()
        self._near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def echo(self) -> None:
        self._near.send(b"x")
        self._far.recv(1)

    def close(self) -> None:
        self._near.close()
        self._far.close()


class _JumpingSelector(selectors.DefaultSelector):
    """Selects without waiting for timers, and keeps count of what it has skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0
        self._loopback = _Loopback()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        for _ in range(_HANDSHAKE):
            if ready := super().select(0):
                return ready
            self._loopback.echo()
        if ready := super().select(min(max(timeout * _SHARE, _SHORTEST), _LONGEST)):
            return ready
        self.skipped += timeout
        return ready

    def close(self) -> None:
        self._loopback.close()
        super().close()


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop of which an hour takes no time."""

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        self._began = super().time()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self._began + self.jumping.skipped


def run_jumping(main: Coroutine[Any, Any, T]) -> T:
    """Do as `asyncio.run` does, on a clock that jumps; what waits for ever fails after an hour."""

    async def bounded() -> T:
        async with asyncio.timeout(3600):
            return await main

    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            return runner.run(bounded())
    finally:
        os.sched_setaffinity(0, processors)


def jumping(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a clock that jumps, with an emulator on the same loop where it takes one."""
    parameters = signature(test).parameters

    async def with_emulator(arguments: dict[str, Any]) -> None:
        async with Emulator() as emulator:
            await test(**arguments, emulator=emulator)

    @wraps(test)
    def run(**arguments: Any) -> None:
        run_jumping(with_emulator(arguments) if "emulator" in parameters else test(**arguments))

    others = [parameter for name, parameter in parameters.items() if name != "emulator"]
    run.__signature__ = signature(test).replace(parameters=others)  # type: ignore[attr-defined]
    del run.__wrapped__  # or pytest would look for the fixture there
    return run
