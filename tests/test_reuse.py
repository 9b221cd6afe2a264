"""A pooled connection that turns out dead: used no more where that is certain, never paid twice.

What can be certain: a connection whose end the kernel knows before the request is written has
taken no byte of it. Whatever fails later may have been taken.
"""

from __future__ import annotations

import asyncio
import random
import select
import time

import pytest

from openrouter_async import OpenRouter, OpenRouterError, RetryPolicy
from openrouter_async._transport import reuse
from openrouter_async.errors import APIConnectionError, ConnectError
from openrouter_async.testing import Cut, Emulator, Reset, chat, completion
from tests.quiet import KEY, assert_nothing_leased, idle, silence

TINY = completion("ok")
ANSWER = chat("Hel", "lo")
ONCE = RetryPolicy(max_attempts=1)

needs_kernel = pytest.mark.skipif(
    not hasattr(select, "POLLRDHUP"), reason="only Linux tells of an end that nobody has read yet"
)


async def ask(client: OpenRouter) -> str:
    """Get one answer."""
    return (await client.complete("Hi", model="m", transport="json")).text


def drop_unseen(emulator: Emulator, *, reset: bool) -> None:
    """Close the server's connections while this loop stands still and can read no end."""
    emulator.drop_connections(reset=reset)
    emulator.block_until(lambda: emulator.open_connections == 0)
    time.sleep(0.002)  # the packet's way through the loopback


@needs_kernel
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_connection_found_dead_is_passed_over(reset: bool) -> None:
    """An end that the loop has not read yet costs no attempt, no pause and no error."""
    with Emulator.in_thread() as emulator:
        emulator.always(TINY)

        async def run() -> None:
            async with OpenRouter(KEY, base_url=emulator.base_url, retry=ONCE) as client:
                for count in range(1, 11):
                    assert await ask(client) == "ok"
                    assert idle(client) == 1
                    drop_unseen(emulator, reset=reset)
                    assert emulator.accepted == emulator.connections == count
                assert client.stats().reused == 0
                assert client.stats().opened == 10
                assert_nothing_leased(client)

        asyncio.run(run())


@needs_kernel
def test_many_dead_connections_are_passed_over_at_once() -> None:
    """A request finds its way past a whole pool of dead connections."""
    with Emulator.in_thread() as emulator:
        emulator.always(TINY)

        async def run() -> None:
            async with OpenRouter(KEY, base_url=emulator.base_url, retry=ONCE) as client:
                await asyncio.gather(*(ask(client) for _ in range(20)))
                before = emulator.connections
                drop_unseen(emulator, reset=False)
                assert await ask(client) == "ok"
                assert emulator.connections == before + 1
                assert idle(client) == 1

        asyncio.run(run())


@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
def test_what_the_kernel_does_not_know_is_unknown(
    reset: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the end shows after the write, nobody can tell: it is not sent again by itself."""
    monkeypatch.setattr(reuse, "_HUNG_UP", 0)  # as on a system that cannot be asked
    with Emulator.in_thread() as emulator:
        emulator.always(TINY)

        async def run() -> None:
            async with OpenRouter(KEY, base_url=emulator.base_url) as client:
                assert await ask(client) == "ok"
                drop_unseen(emulator, reset=reset)
                with pytest.raises(APIConnectionError) as info:
                    await ask(client)
                assert (info.value.phase, info.value.billed) == ("headers", "unknown")
                assert info.value.attempts == 1
                assert emulator.accepted == emulator.connections == 1
                assert await ask(client) == "ok"
                assert_nothing_leased(client)

        asyncio.run(run())


@pytest.mark.parametrize("way", [Cut(), Reset()], ids=["FIN", "RST"])
async def test_request_that_was_read_is_never_sent_twice(
    emulator: Emulator, way: Cut | Reset
) -> None:
    """A server that takes a request over a reused connection and hangs up is asked once."""
    emulator.play(TINY, TINY.before_head(way))
    emulator.always(TINY)
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        assert await ask(client) == "ok"
        with pytest.raises(APIConnectionError) as info:
            await ask(client)
        assert (info.value.phase, info.value.billed) == ("headers", "unknown")
        assert emulator.accepted == 2
        assert await ask(client) == "ok"


async def test_server_that_closes_idle_connections_at_awkward_times(emulator: Emulator) -> None:
    """Whenever it hangs up: what it took was answered or is unknown, and was taken once."""
    emulator.always(ANSWER)
    chance = random.Random(7)
    loop = asyncio.get_running_loop()
    served = unknown = 0
    with silence(loop):
        async with OpenRouter(KEY, base_url=emulator.base_url) as client:
            for _ in range(300):
                loop.call_later(chance.random() * 0.004, emulator.drop_connections)
                try:
                    assert (await client.complete("Hi", model="m")).text == "Hello"
                    served += 1
                except OpenRouterError as error:
                    # It hung up amid an answer: that is no idle connection, and no retry's case.
                    assert error.attempts == 1
                    assert error.phase in ("headers", "first_event", "body")
                    unknown += 1
                await asyncio.sleep(chance.random() * 0.002)
            await emulator.wait_for(lambda: client.stats().leased == 0)
            assert_nothing_leased(client)
    assert served + unknown == 300
    assert served <= emulator.accepted <= 300
    assert served > 100


async def test_new_connection_that_is_dead_at_once_was_not_sent(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that closes whatever it takes is tried as often as the policy says, unpaid."""

    def always(_: object) -> bool:
        return True

    monkeypatch.setattr(reuse, "_is_closed", always)
    retry = RetryPolicy(max_attempts=3, first_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        with pytest.raises(ConnectError, match="before the request was sent") as info:
            await ask(client)
        assert (info.value.phase, info.value.billed) == ("connect", "no")
        assert info.value.attempts == 3
        assert_nothing_leased(client)
    assert emulator.accepted == 0
    assert emulator.connections == 3
