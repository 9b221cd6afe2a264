"""`client.drain`: no new request, the running ones may end, and the rest is cut."""

from __future__ import annotations

import asyncio
import threading

import pytest

from openrouter_async import Limits, OpenRouter, RetryPolicy
from openrouter_async.errors import APIConnectionError, StreamBrokenError
from openrouter_async.testing import Emulator, Pause, Stall, chat, completion, http_error
from tests.quiet import KEY, assert_nothing_leased, assert_serves, silence

ANSWER = chat("Hel", "lo")


async def test_running_requests_end_and_new_ones_are_refused(emulator: Emulator) -> None:
    """A stream that runs is read to its end; whoever asks meanwhile hears why not."""
    emulator.play(ANSWER.hold_after(1))
    with silence(asyncio.get_running_loop()):
        client = OpenRouter(KEY, base_url=emulator.base_url)
        early = client.stream("Hi", model="m")
        stream = client.stream("Hi", model="m")
        assert (await anext(stream)).text == "Hel"
        draining = asyncio.create_task(client.drain(30))
        await asyncio.sleep(0)
        for ask in (
            lambda: client.stream("Hi", model="m"),
            lambda: client.complete("Hi", model="m", transport="json"),
        ):
            with pytest.raises(RuntimeError, match="being drained"):
                ask()
        with pytest.raises(RuntimeError, match="being drained"):
            await early  # made before, sent after
        assert not draining.done()
        emulator.release()
        assert (await stream).text == "Hello"
        assert await draining == 0
        assert_nothing_leased(client)
        with pytest.raises(RuntimeError, match="closed"):
            _ = client.stream("Hi", model="m")
    assert emulator.accepted == 1


async def test_what_is_not_over_in_time_is_cut_and_counted(emulator: Emulator) -> None:
    """The reader gets its partial answer, who waits in line hears that nothing was sent."""
    emulator.always(ANSWER.stall_after(1))
    with silence(asyncio.get_running_loop()):
        client = OpenRouter(KEY, base_url=emulator.base_url, limits=Limits(max_connections=2))
        streams = [client.stream("Hi", model="m") for _ in range(2)]
        for stream in streams:
            await anext(stream)
        reading = asyncio.create_task(streams[0].collect())
        waiting = asyncio.create_task(client.stream("Hi", model="m").collect())
        await asyncio.sleep(0)
        assert await client.drain(0.05) == 3
        with pytest.raises(StreamBrokenError, match="closed") as broken:
            await reading
        assert broken.value.partial is not None
        assert broken.value.partial.text == "Hel"
        with pytest.raises(APIConnectionError, match="waited for a connection") as info:
            await waiting
        assert (info.value.phase, info.value.billed) == ("queue", "no")
        assert_nothing_leased(client)
    assert emulator.accepted == 2


async def test_request_that_is_tried_again_is_running(emulator: Emulator) -> None:
    """What was taken on before may be sent again while the client drains."""
    emulator.play(http_error(429, "Slow down"), completion("Hello"))
    client = OpenRouter(KEY, base_url=emulator.base_url, retry=RetryPolicy(first_delay=0.2))
    asking = asyncio.create_task(client.complete("Hi", model="m", transport="json"))
    await emulator.wait_for(lambda: emulator.accepted == 1)
    assert await client.drain(30) == 0
    assert (await asking).text == "Hello"


async def test_answer_that_only_waits_for_its_end_is_over(emulator: Emulator) -> None:
    """A server that holds the connection after ``[DONE]`` does not hold up the shutdown."""
    emulator.always(ANSWER.after(ANSWER.events, Stall()))
    client = OpenRouter(KEY, base_url=emulator.base_url)
    await client.complete("Hi", model="m")
    assert await client.drain(30) == 0


async def test_nothing_to_wait_for(emulator: Emulator) -> None:
    """An idle client is closed at once; one that was never used too."""
    client = OpenRouter(KEY, base_url=emulator.base_url)
    await assert_serves(client, emulator)
    assert await client.drain(30) == 0
    await emulator.wait_for(lambda: emulator.open_connections == 0)
    assert await OpenRouter(KEY).drain(0) == 0


async def test_drain_is_refused_where_it_makes_no_sense(emulator: Emulator) -> None:
    """A closed client, a second drain and an impossible time are misuse."""
    emulator.always(ANSWER.each(0.01).after(1, Pause(0.05)))
    client = OpenRouter(KEY, base_url=emulator.base_url)
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            await client.drain(wrong)
    stream = client.stream("Hi", model="m")
    await anext(stream)
    draining = asyncio.create_task(client.drain(30))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="being drained"):
        await client.drain(30)
    await stream
    assert await draining == 0
    with pytest.raises(RuntimeError, match="closed"):
        await client.drain(30)


def test_requests_of_other_threads_are_waited_for() -> None:
    """A stream in the loop of another thread ends before the client is closed."""
    with Emulator.in_thread() as emulator:
        emulator.play(ANSWER.hold_after(1))
        client = OpenRouter(KEY, base_url=emulator.base_url)
        texts: list[str] = []

        async def read() -> None:
            texts.append((await client.complete("Hi", model="m")).text)

        thread = threading.Thread(target=lambda: asyncio.run(read()))
        thread.start()
        emulator.block_until(lambda: emulator.holding == 1)

        async def shut_down() -> int:
            draining = asyncio.create_task(client.drain(30))
            await asyncio.sleep(0.03)
            assert not draining.done()
            emulator.release()
            return await draining

        assert asyncio.run(shut_down()) == 0
        thread.join()
    assert texts == ["Hello"]
