"""Long work takes a turn of the event loop for itself."""

from __future__ import annotations

import asyncio

import pytest

from openrouter_async import OpenRouter
from openrouter_async._turns import turn_of_its_own
from openrouter_async.testing import Emulator, chat
from tests.quiet import assert_nothing_leased, assert_serves

LARGE = b"\x89PNG\r\n\x1a\n" + bytes(2**21)


class Turns:
    """Counts the turns of the running loop."""

    def __init__(self) -> None:
        self.count = 0
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._next)

    def _next(self) -> None:
        self.count += 1
        self._handle = self._loop.call_soon(self._next)

    def stop(self) -> None:
        """Stop counting."""
        self._handle.cancel()


async def test_each_piece_of_long_work_has_a_turn_of_its_own() -> None:
    """Ten that are ready at once work in ten different turns, and all in good time."""
    turns = Turns()
    worked: list[int] = []

    async def work() -> None:
        await turn_of_its_own()
        worked.append(turns.count)

    await asyncio.gather(*(work() for _ in range(10)))
    turns.stop()
    assert len(set(worked)) == 10
    assert max(worked) - min(worked) <= 10


async def test_who_is_alone_does_not_wait() -> None:
    """The first one to come goes on in the same turn."""
    turns = Turns()
    await turn_of_its_own()
    assert turns.count == 0
    turns.stop()


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    """A cancelled waiter takes no turn away."""
    tasks = [asyncio.create_task(turn_of_its_own()) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results].count(asyncio.CancelledError) == 1
    await turn_of_its_own()


async def test_a_stream_cancelled_while_it_waits_for_its_turn_is_closed(
    client: OpenRouter, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had read would be missing from then on, so it is left rather than read on."""
    reached = asyncio.Event()

    async def never() -> None:
        reached.set()
        await asyncio.Event().wait()

    emulator.always(chat("Here it is.", images=[LARGE]))
    monkeypatch.setattr("openrouter_async._event_stream.turn_of_its_own", never)
    stream = client.stream("Draw", model="m")

    async def read() -> None:
        async for _ in stream:
            pass

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.ending == "left"
    assert_nothing_leased(client)
    monkeypatch.undo()
    await assert_serves(client, emulator)
