"""What must be true when nothing is in use: no lease, no socket, no task, no word in a log."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Generator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openrouter_async.testing import chat

if TYPE_CHECKING:
    from openrouter_async import OpenRouter
    from openrouter_async.testing import Emulator

KEY = "sk-or-v1-test-key"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


def open_sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for descriptor in Path("/dev/fd").iterdir():
        try:
            found += stat.S_ISSOCK(os.fstat(int(descriptor.name)).st_mode)
        except OSError:  # the one that the listing itself used
            continue
    return found


def _connectors(client: OpenRouter) -> list[Any]:
    return [
        pool.session.connector for pool in client._sender._transport._pools.values() if pool.owned
    ]


def acquired(client: OpenRouter) -> int:
    """How many connections aiohttp itself counts as in use."""
    return sum(len(connector._acquired) for connector in _connectors(client))


def idle(client: OpenRouter) -> int:
    """How many open connections wait in aiohttp's pool to be used again."""
    return sum(
        protocol.is_connected()
        for connector in _connectors(client)
        for waiting in connector._conns.values()
        for protocol, _ in waiting
    )


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # A debugging loop tells of each slow step, which says more of the machine than of us.
        if not record.getMessage().startswith("Executing <"):
            self.messages.append(record.getMessage())


@contextmanager
def silence(loop: asyncio.AbstractEventLoop | None = None) -> Generator[list[str]]:
    """Fail when asyncio or aiohttp complain, in a log or to the loop's exception handler."""
    records = _Records()
    loggers = [logging.getLogger(name) for name in ("asyncio", "aiohttp")]
    for logger in loggers:
        logger.addHandler(records)
    if loop is not None:
        loop.set_exception_handler(lambda _, context: records.messages.append(str(context)))
    try:
        yield records.messages
        assert records.messages == [], records.messages
    finally:
        if loop is not None:
            loop.set_exception_handler(None)
        for logger in loggers:
            logger.removeHandler(records)


def other_tasks(known: Set[asyncio.Task[Any]] = frozenset()) -> set[asyncio.Task[Any]]:
    """The tasks of this loop beside the running one and those that were there before."""
    return asyncio.all_tasks() - {asyncio.current_task()} - known


async def settled(condition: Callable[[], object]) -> None:
    """Wait for what is a matter of a few turns of the loop, and that nobody tells of."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def assert_nothing_leased(client: OpenRouter) -> None:
    """No connection is in use, by our count and by aiohttp's."""
    stats = client.stats()
    assert (stats.leased, stats.draining, stats.waiting) == (0, 0, 0)
    assert acquired(client) == 0


async def assert_serves(client: OpenRouter, emulator: Emulator) -> None:
    """The next request succeeds."""
    emulator.always(chat("still ", "here"))
    assert (await client.complete("Hi", model="m")).text == "still here"
