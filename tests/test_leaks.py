"""Connections are used again, what ends is let go of, and nothing is left for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest

from openrouter_async import Limits, OpenRouter, OpenRouterError, RetryPolicy, Timeouts
from openrouter_async.testing import (
    Emulator,
    Pause,
    Reply,
    Send,
    Stall,
    Step,
    chat,
    completion,
    error_chunk,
    http_error,
)
from tests.quiet import (
    KEY,
    assert_nothing_leased,
    assert_serves,
    idle,
    open_sockets,
    other_tasks,
    silence,
)

ANSWER = chat("Hel", "lo")


def behind_done(*steps: Step) -> Reply:
    """Do more between ``[DONE]`` and the end of the body."""
    return ANSWER.after(ANSWER.events, *steps)


HELD = behind_done(Stall())


@pytest.fixture
async def patient(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that gives a finished stream much time to become free."""
    timeouts = Timeouts(drain=30)
    async with OpenRouter(KEY, base_url=emulator.base_url, timeouts=timeouts) as client:
        yield client


# Using a connection again.


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        pytest.param(ANSWER, 1_000, id="at once"),
        pytest.param(behind_done(Pause(0.001)), 200, id="the end of the body later"),
        pytest.param(ANSWER.split(1), 100, id="bytewise"),
        pytest.param(ANSWER.with_framing("length"), 100, id="with a length"),
        pytest.param(ANSWER.without_done(), 100, id="without [DONE]"),
    ],
)
async def test_streams_in_a_row_share_one_connection(
    patient: OpenRouter, emulator: Emulator, reply: Reply, count: int
) -> None:
    """However the end arrives, the next stream uses the same connection."""
    emulator.always(reply)
    sockets = open_sockets()
    with silence(asyncio.get_running_loop()):
        for _ in range(count):
            async for _ in patient.stream("Hi", model="m"):
                pass
    assert emulator.connections == 1
    assert emulator.accepted == count
    stats = patient.stats()
    assert (stats.opened, stats.reused) == (1, count - 1)
    assert open_sockets() == sockets + 2
    assert emulator.disconnects == 0


@pytest.mark.parametrize("spelling", ["collect", "raw", "text", "json"])
async def test_every_spelling_gives_its_connection_back(
    patient: OpenRouter, emulator: Emulator, spelling: str
) -> None:
    """An answer that was read to its end frees its connection, however it was read."""
    for _ in range(50):
        emulator.play(completion("Hello") if spelling == "json" else ANSWER)
        match spelling:
            case "collect":
                await patient.stream("Hi", model="m")
            case "raw":
                assert b"".join([part async for part in patient.stream("Hi").raw()]) == ANSWER.body
            case "text":
                assert [text async for text in patient.stream("Hi").text()] == ["Hel", "lo"]
            case _:
                await patient.complete("Hi", transport="json")
    assert emulator.connections == 1


async def test_parallel_streams_keep_their_connections(
    patient: OpenRouter, emulator: Emulator
) -> None:
    """Twenty tasks with ten streams each need about twenty connections, not two hundred."""
    emulator.always(behind_done(Pause(0.001)))

    async def work() -> None:
        for _ in range(10):
            await patient.complete("Hi", model="m")

    await asyncio.gather(*(work() for _ in range(20)))
    assert emulator.accepted == 200
    # Each waits for one drain at most: under load a few find theirs taken, and open one more.
    assert emulator.connections <= 60


# After [DONE].


async def test_end_is_told_at_done_and_not_at_the_end_of_the_body(
    patient: OpenRouter, emulator: Emulator
) -> None:
    """The reader goes on at ``[DONE]`` while the connection still waits for its end."""
    emulator.always(HELD)
    tasks = asyncio.all_tasks()
    assert (await patient.complete("Hi", model="m")).finish_reason == "stop"
    stats = patient.stats()
    assert (stats.leased, stats.draining) == (1, 1)
    assert [task for task in asyncio.all_tasks() - tasks if "openrouter_async/_" in str(task)] == []


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(HELD, id="silent"),
        pytest.param(
            behind_done(*(Send(b": still here\n\n"), Pause(0.005)) * 1_000), id="trickling"
        ),
        pytest.param(behind_done(Send(b": x\n\n" * 500_000), Stall()), id="flooding"),
    ],
)
async def test_connection_that_is_not_free_in_time_is_closed(
    client: OpenRouter, emulator: Emulator, reply: Reply
) -> None:
    """A server that holds the connection after ``[DONE]`` loses it within the bound."""
    emulator.always(reply)
    loop = asyncio.get_running_loop()
    with silence(loop):
        sockets = open_sockets()
        assert (await client.complete("Hi", model="m")).text == "Hello"
        ended = loop.time()
        await emulator.wait_for(lambda: emulator.open_connections == 0)
        assert loop.time() - ended < 1  # 50 ms, and what a busy machine adds
        assert_nothing_leased(client)
        assert emulator.disconnects == 1
        await emulator.wait_for(lambda: open_sockets() == sockets)
        await assert_serves(client, emulator)
        await emulator.wait_for(lambda: not client.stats().draining)


async def test_next_request_waits_for_a_connection_that_is_about_to_be_free(
    patient: OpenRouter, emulator: Emulator
) -> None:
    """Between ``[DONE]`` and the end of the body the next request does not connect anew."""
    emulator.play(ANSWER.hold_after(ANSWER.events))
    await patient.complete("Hi", model="m")
    following = asyncio.create_task(assert_serves(patient, emulator))
    await emulator.wait_for(lambda: patient.stats().waiting == 1)
    assert emulator.accepted == 1
    emulator.release()
    await following
    assert emulator.connections == 1


async def test_request_waits_for_one_ending_only(patient: OpenRouter, emulator: Emulator) -> None:
    """Among streams that end without freeing a connection, a request is not put off each time."""
    await assert_serves(patient, emulator)
    pool = patient._sender._transport._pools[asyncio.get_running_loop()]
    first, _ = endings = [object(), object()]
    pool.idle = 0
    draining: Any = pool.draining
    draining.update(endings)
    drained: Any = pool.drained
    try:
        waiting = asyncio.create_task(pool.wait_for_drained())
        await asyncio.sleep(0)
        assert not waiting.done()
        drained(first)
        await asyncio.wait_for(waiting, 5)
    finally:
        draining.clear()


async def test_cancelled_wait_does_not_swallow_the_turn_of_another(
    patient: OpenRouter, emulator: Emulator
) -> None:
    """Of two that wait for one ending, the cancelled one leaves the other its turn."""
    emulator.play(ANSWER.hold_after(ANSWER.events))
    await patient.complete("Hi", model="m")
    emulator.always(ANSWER)
    waiters = [asyncio.ensure_future(patient.stream("Hi", model="m").collect()) for _ in range(3)]
    await emulator.wait_for(lambda: patient.stats().waiting == 3)
    waiters[0].cancel()
    emulator.release()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert not any(isinstance(result, BaseException) for result in results[1:])


async def test_closing_the_client_ends_what_drains(emulator: Emulator) -> None:
    """Closing does not wait for a server that holds its connection, and leaves no timer."""
    emulator.always(HELD)
    with silence(asyncio.get_running_loop()):
        sockets = open_sockets()
        async with OpenRouter(
            KEY, base_url=emulator.base_url, timeouts=Timeouts(drain=30)
        ) as client:
            await client.complete("Hi", model="m")
            assert client.stats().draining == 1
        assert client.stats().leased == 0
        await emulator.wait_for(lambda: emulator.open_connections == 0)
        await emulator.wait_for(lambda: open_sockets() == sockets)


# Idle connections.


async def test_idle_connections_are_let_go(emulator: Emulator) -> None:
    """An idle connection is closed by the client after `Limits.keepalive`."""
    limits = Limits(keepalive=0.05)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        await assert_serves(client, emulator)
        await emulator.wait_for(lambda: emulator.open_connections == 0)
        await assert_serves(client, emulator)
    assert emulator.connections == 2


async def test_connection_that_the_server_closed_is_not_used(
    client: OpenRouter, emulator: Emulator
) -> None:
    """When the server closes idle connections, the next request opens one and is sent once."""
    for count in range(1, 6):
        await assert_serves(client, emulator)
        emulator.drop_connections(reset=count % 2 == 0)
        await emulator.wait_for(lambda: idle(client) == 0)
        assert emulator.accepted == emulator.connections == count


# Memory.


@pytest.fixture
def garbage() -> Iterator[list[Any]]:
    """Collects nothing while the test runs, and gives what was unreachable then."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def ours(objects: list[Any]) -> list[str]:
    """The objects that keep a connection, an answer or a prompt."""
    found: list[str] = []
    for value in objects:
        kind = cast("type[object]", type(value))
        if (
            kind.__module__.startswith("openrouter_async")
            and not kind.__module__.startswith("openrouter_async.testing")
        ) or kind.__name__ in ("ClientResponse", "ClientRequest", "ClientSession"):
            found.append(kind.__name__)
    return found


def alive() -> set[str]:
    """The kinds of objects of a stream that are somewhere still."""
    names = {"ChatStream", "Response", "ClientResponse", "Accumulator", "SSEDecoder", "Request"}
    kinds: set[type[Any]] = {type(value) for value in gc.get_objects()}
    return {
        kind.__name__
        for kind in kinds
        if kind.__name__ in names and kind.__module__.startswith(("openrouter_async", "aiohttp.cl"))
    }


ENDINGS: dict[str, Reply] = {
    "complete": ANSWER,
    "reset": ANSWER.reset_after(1),
    "cut": ANSWER.cut_after(1),
    "truncated": ANSWER.end_after(1),
    "stall": ANSWER.stall_after(1),
    "error chunk": ANSWER.error_after(1, error_chunk(502, "Provider returned error")),
    "first event is an error": ANSWER.error_after(0, error_chunk(400, "No")),
    "500": http_error(500, "Oops"),
    "429": http_error(429, "Slow down"),
    "HTML": http_error(200, body=b"<html>Sign in</html>", content_type="text/html"),
    "held": HELD,
}


async def fail_or_not(client: OpenRouter) -> None:
    """Read one stream to its end, whatever that is."""
    try:
        async for _ in client.stream("Hi", model="m"):
            pass
    except OpenRouterError:
        pass


@pytest.mark.parametrize("ending", ENDINGS)
async def test_no_ending_leaves_cycles(emulator: Emulator, ending: str, garbage: list[Any]) -> None:
    """Streams, responses and errors are freed by counting references alone."""
    emulator.always(ENDINGS[ending])
    async with OpenRouter(
        KEY,
        base_url=emulator.base_url,
        retry=RetryPolicy(first_delay=0.001),
        timeouts=Timeouts(wire_idle=0.02, drain=0.02),
    ) as client:
        for _ in range(5):
            await fail_or_not(client)
        await emulator.wait_for(lambda: client.stats().leased == 0)
        assert alive() == set()
        gc.collect()
        assert ours(garbage) == []


async def test_leaving_leaves_no_cycles(
    client: OpenRouter, emulator: Emulator, garbage: list[Any]
) -> None:
    """A stream that was left or whose task was cancelled is freed as well."""
    emulator.always(ANSWER.stall_after(1))

    async def read(arrived: asyncio.Event) -> None:
        async for _ in client.stream("Hi", model="m"):
            arrived.set()

    for _ in range(5):
        async for _ in client.stream("Hi", model="m"):
            break
        arrived = asyncio.Event()
        task = asyncio.create_task(read(arrived))
        await arrived.wait()
        task.cancel()
        await asyncio.wait([task])
        del task
    gc.collect()
    assert ours(garbage) == []


async def test_client_leaves_no_cycles(emulator: Emulator, garbage: list[Any]) -> None:
    """A client that was closed is freed as soon as nobody holds it."""
    for _ in range(5):
        async with OpenRouter(KEY, base_url=emulator.base_url) as client:
            await assert_serves(client, emulator)
        del client
    gc.collect()
    assert [name for name in ours(garbage) if name != "ClientSession"] == []


def test_making_clients_costs_nothing() -> None:
    """A thousand clients open no socket, start no thread and stay nowhere."""
    sockets, threads = open_sockets(), threading.active_count()
    before = sum(isinstance(value, OpenRouter) for value in gc.get_objects())
    for _ in range(1_000):
        OpenRouter(KEY)
    assert (open_sockets(), threading.active_count()) == (sockets, threads)
    assert sum(isinstance(value, OpenRouter) for value in gc.get_objects()) == before


async def test_long_service_keeps_nothing(client: OpenRouter, emulator: Emulator) -> None:
    """After hundreds of good and bad streams no object of theirs is alive."""
    for reply in (ANSWER, ANSWER.cut_after(1), http_error(500, "Oops")):
        emulator.always(reply)
        await asyncio.gather(*(fail_or_not(client) for _ in range(100)))
    await emulator.wait_for(lambda: client.stats().leased == 0)
    gc.collect()
    await emulator.wait_for(
        lambda: not [task for task in other_tasks() if "fail_or_not" in str(task)]
    )
    assert alive() == set()
