"""The line for a connection: first come first served, cancel-safe, and never over the limit."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from openrouter_async import Limits, OpenRouter, RetryPolicy, Timeouts
from openrouter_async._transport.line import Line
from openrouter_async.errors import APIConnectionError, QueueTimeout
from openrouter_async.testing import Emulator, chat, completion
from tests.quiet import KEY, assert_nothing_leased, silence

TINY = completion("ok")
ANSWER = chat("Hel", "lo")


def client_of(emulator: Emulator, places: int, **timeouts: float) -> OpenRouter:
    """A client with few connections, each of which is given time to become free."""
    return OpenRouter(
        KEY,
        base_url=emulator.base_url,
        limits=Limits(max_connections=places),
        timeouts=Timeouts(**{"drain": 30.0, **timeouts}),
        retry=RetryPolicy(max_attempts=1),
    )


async def ask(client: OpenRouter, number: int) -> str:
    """Send a request that can be told from the others."""
    return (await client.complete(str(number), model="m", transport="json")).text


def asked(emulator: Emulator) -> list[int]:
    """The numbers of the requests, in the order in which they arrived."""
    return [int(request.json["messages"][0]["content"]) for request in emulator.requests]


def at_least(emulator: Emulator, count: int) -> bool:
    """Whether so many requests have arrived."""
    return emulator.accepted >= count


# The line by itself.


async def test_who_comes_later_does_not_pass_who_waits() -> None:
    """A place that is left is taken by the line, also where a newcomer asks in the same moment."""
    line = Line(asyncio.get_running_loop(), 1)
    order: list[str] = []

    async def take(name: str) -> None:
        place = await line.enter()
        order.append(name)
        await asyncio.sleep(0)
        place.leave()

    place = await line.enter()
    tasks = [asyncio.create_task(take(name)) for name in "abc"]
    await asyncio.sleep(0)
    place.leave()
    await take("newcomer")
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c", "newcomer"]


async def test_cancelled_in_the_moment_of_its_turn_passes_it_on() -> None:
    """Whoever is given a place and cancelled in one turn of the loop hands it to the next."""
    line = Line(asyncio.get_running_loop(), 1)
    place = await line.enter()
    tasks = [asyncio.create_task(line.enter()) for _ in range(4)]
    await asyncio.sleep(0)
    place.leave()
    tasks[0].cancel()  # it has the place, and does not know yet
    tasks[1].cancel()  # it is the next, and cancelled before its turn
    (await asyncio.wait_for(tasks[2], 5)).leave()
    (await asyncio.wait_for(tasks[3], 5)).leave()
    assert tasks[0].cancelled() and tasks[1].cancelled()
    await asyncio.wait_for(line.enter(), 5)


async def test_place_is_left_once() -> None:
    """Leaving twice frees one place."""
    line = Line(asyncio.get_running_loop(), 1)
    place = await line.enter()
    place.leave()
    place.leave()
    await line.enter()
    waiting = asyncio.create_task(line.enter())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


# Over sockets.


async def test_five_thousand_calls_over_two_hundred_connections(emulator: Emulator) -> None:
    """All are served by at most two hundred connections, in the order of asking.

    A request gets its connection when all that asked before have theirs, and of those at most
    199 are still on their way: no request arrives more than 199 places too early.
    """
    calls, places = 5_000, 200
    emulator.always(TINY)
    async with client_of(emulator, places) as client:
        answers = await asyncio.gather(*(ask(client, number) for number in range(calls)))
        assert_nothing_leased(client)
    assert answers == ["ok"] * calls
    assert emulator.accepted == calls
    assert emulator.connections <= places
    early = [number - at for at, number in enumerate(asked(emulator))]
    assert max(early) < places
    assert sorted(asked(emulator)) == list(range(calls))


async def test_one_connection_serves_in_the_exact_order(emulator: Emulator) -> None:
    """Over one connection the order of arrival is the order of asking, newcomers included."""
    emulator.always(ANSWER)
    async with client_of(emulator, 1) as client:

        async def stream(number: int) -> None:
            async for _ in client.stream(str(number), model="m"):
                pass

        tasks = [asyncio.create_task(stream(number)) for number in range(50)]
        await emulator.wait_for(lambda: emulator.accepted >= 10)
        tasks += [asyncio.create_task(stream(number)) for number in range(50, 100)]
        await asyncio.gather(*tasks)
    assert asked(emulator) == list(range(100))
    assert emulator.connections == 1


async def test_half_of_the_line_is_cancelled(emulator: Emulator) -> None:
    """Those who stay are served in their order; nothing is left of those who go."""
    calls, places = 1_000, 20
    emulator.always(TINY)
    emulator.play(*[ANSWER.hold_after(0)] * places)
    async with client_of(emulator, places) as client:
        with silence(asyncio.get_running_loop()):

            async def hold() -> None:
                await client.complete("-1", model="m")

            holders = [asyncio.create_task(hold()) for _ in range(places)]
            await emulator.wait_for(lambda: emulator.holding == places)
            tasks = [asyncio.create_task(ask(client, number)) for number in range(calls)]
            await asyncio.sleep(0)
            assert client.stats().waiting == calls
            for task in tasks[::4]:
                task.cancel()  # before anything moves
            emulator.release(places)
            await emulator.wait_for(lambda: emulator.accepted > places)
            for task in tasks[1::4]:
                task.cancel()  # amid the rush
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*holders)
            assert_nothing_leased(client)
            assert await ask(client, calls) == "ok"
    for number, result in enumerate(results):
        assert result == "ok" or (isinstance(result, asyncio.CancelledError) and number % 4 < 2)
    arrived = [number for number in asked(emulator) if number >= 0]
    assert {number for number in range(calls) if number % 4 >= 2} <= set(arrived)
    assert len(arrived) == len(set(arrived))
    assert not set(arrived) & set(range(0, calls, 4))


async def test_those_whose_time_is_up_leave_the_line_to_others(emulator: Emulator) -> None:
    """After a hundred queue deadlines the next request still gets its turn."""
    emulator.play(ANSWER.hold_after(1))
    emulator.always(TINY)
    async with client_of(emulator, 1, queue=0.02) as client:
        stream = client.stream("Hi", model="m")
        await anext(stream)
        results = await asyncio.gather(
            *(ask(client, number) for number in range(100)), return_exceptions=True
        )
        assert {type(result) for result in results} == {QueueTimeout}
        assert client.stats().waiting == 0
        emulator.release()
        await stream.collect()
        assert await ask(client, 100) == "ok"
        assert_nothing_leased(client)


async def test_answer_that_came_whole_holds_no_connection(emulator: Emulator) -> None:
    """Streams that wait to be read, with their bytes all there, stand in nobody's way."""
    emulator.always(ANSWER)
    async with client_of(emulator, 1, queue=5) as client:
        streams = [client.stream("Hi", model="m") for _ in range(5)]
        for stream in streams:
            _ = await stream.start()
        assert [(await stream).text for stream in streams] == ["Hello"] * 5
        assert_nothing_leased(client)
    assert emulator.connections == 1


@pytest.mark.parametrize("way", ["break", "cancel", "error"])
async def test_connection_that_is_closed_makes_room(emulator: Emulator, way: str) -> None:
    """However a request ends, the next in line gets its place, and the limit holds."""
    emulator.always(ANSWER)
    for _ in range(10):
        emulator.play(ANSWER.stall_after(1) if way != "error" else ANSWER.cut_after(1))
    async with client_of(emulator, 2) as client:

        async def leave() -> None:
            async for _ in client.stream("-1", model="m"):
                if way == "break":
                    break

        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(leave()) for _ in range(10)]
        last = asyncio.create_task(client.stream("7", model="m").collect())
        for at, task in enumerate(tasks):
            if way == "cancel":
                await emulator.wait_for(partial(at_least, emulator, at + 1))
                task.cancel()
            await asyncio.wait([task])
        assert (await last).text == "Hello"
        await emulator.wait_for(lambda: client.stats().leased == 0)
        assert_nothing_leased(client)
    assert emulator.accepted == 11


async def test_closing_the_client_sends_the_line_away(emulator: Emulator) -> None:
    """Who waits when the client is closed hears so at once, and that nothing was sent."""
    emulator.play(ANSWER.hold_after(1))
    client = client_of(emulator, 1)
    with silence(asyncio.get_running_loop()):
        stream = client.stream("Hi", model="m")
        await anext(stream)
        waiting = [asyncio.create_task(ask(client, number)) for number in range(3)]
        await asyncio.sleep(0)
        await client.aclose()
        for task in waiting:
            with pytest.raises(APIConnectionError, match="waited for a connection") as info:
                await task
            assert (info.value.phase, info.value.billed) == ("queue", "no")
    assert emulator.accepted == 1
