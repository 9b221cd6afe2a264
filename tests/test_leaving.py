"""Every way to leave a stream early closes its connection at once, whoever still holds what."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from openrouter_async import ChatStream, Limits, OpenRouter, OpenRouterError, RetryPolicy, Timeouts
from openrouter_async.errors import (
    BadRequestError,
    ConnectError,
    ProtocolError,
    ServerError,
    StreamAPIError,
    StreamBrokenError,
    WireIdleTimeout,
)
from openrouter_async.testing import Emulator, Reply, chat, error_chunk, http_error, replay
from tests.quiet import (
    KEY,
    PNG,
    acquired,
    assert_nothing_leased,
    assert_serves,
    idle,
    open_sockets,
    silence,
)

POOL = 10
STREAMS = 290

UNFINISHED = chat("a", "b", images=[PNG]).stall_after(3)
"""Three chunks, one of them with an image, and then a server that waits for ever."""


class _BodyError(Exception):
    """What the body of a loop raises."""


@dataclass
class Kept:
    """Everything that a careless program holds on to."""

    streams: list[ChatStream] = field(default_factory=list[ChatStream])
    errors: list[BaseException] = field(default_factory=list[BaseException])


View = Callable[[ChatStream], AsyncIterator[Any]]
Way = Callable[[ChatStream, View, Kept], Awaitable[None]]


async def _read_on(
    stream: ChatStream, view: View, arrived: asyncio.Event, leave: bool = False
) -> None:
    async for _ in view(stream):
        arrived.set()
        if leave:
            return


async def by_break(stream: ChatStream, view: View, kept: Kept) -> None:
    async for _ in view(stream):
        break


async def by_return(stream: ChatStream, view: View, kept: Kept) -> None:
    await _read_on(stream, view, asyncio.Event(), leave=True)


async def by_raising(stream: ChatStream, view: View, kept: Kept) -> None:
    try:
        async for _ in view(stream):
            raise _BodyError
    except _BodyError as error:
        kept.errors.append(error)  # with its traceback, and so with every frame


async def by_cancelling(stream: ChatStream, view: View, kept: Kept) -> None:
    arrived = asyncio.Event()
    task = asyncio.create_task(_read_on(stream, view, arrived))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as info:
        await task
    kept.errors.append(info.value)


async def by_cancelling_twice(stream: ChatStream, view: View, kept: Kept) -> None:
    arrived = asyncio.Event()
    task = asyncio.create_task(_read_on(stream, view, arrived))
    await arrived.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_wait_for(stream: ChatStream, view: View, kept: Kept) -> None:
    cursor = view(stream)
    await anext(cursor)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            while True:
                # What has come already needs no waiting, so this can only end in the stall.
                await asyncio.wait_for(anext(cursor), 0.001)


async def by_timeout(stream: ChatStream, view: View, kept: Kept) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as scope:
            async for _ in view(stream):
                scope.reschedule(0)


async def by_failing_sibling(stream: ChatStream, view: View, kept: Kept) -> None:
    arrived = asyncio.Event()

    async def fail() -> None:
        await arrived.wait()
        raise _BodyError

    with pytest.raises(ExceptionGroup) as info:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read_on(stream, view, arrived))
            group.create_task(fail())
    kept.errors.append(info.value)


async def by_closing(stream: ChatStream, view: View, kept: Kept) -> None:
    async with contextlib.aclosing(stream):
        await anext(view(stream))


async def by_leaving_a_block(stream: ChatStream, view: View, kept: Kept) -> None:
    async with stream:
        pass


async def by_closing_elsewhere(stream: ChatStream, view: View, kept: Kept) -> None:
    arrived = asyncio.Event()
    task = asyncio.create_task(_read_on(stream, view, arrived))
    await arrived.wait()
    stream.close()
    await task
    await stream.aclose()


WAYS: list[Way] = [
    by_break,
    by_return,
    by_raising,
    by_cancelling,
    by_cancelling_twice,
    by_wait_for,
    by_timeout,
    by_failing_sibling,
    by_closing,
    by_leaving_a_block,
    by_closing_elsewhere,
]

CHUNKS: View = aiter
TEXT: View = ChatStream.text
IMAGES: View = ChatStream.images
RAW: View = ChatStream.raw
VIEWS = {"chunks": CHUNKS, "text": TEXT, "images": IMAGES, "raw": RAW}


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    """Leaving must not wait for the garbage collector, so it is off."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def pooled(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client with a small pool, which leaks would use up."""
    limits = Limits(max_connections=POOL)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        yield client


async def leave_many(
    client: OpenRouter, emulator: Emulator, way: Way, view: View, count: int
) -> None:
    """Leave `count` streams, as many at a time as the pool allows, and look for what stayed."""
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 60
    kept = Kept()
    emulator.always(UNFINISHED)
    sockets = open_sockets()
    before = emulator.disconnects
    remaining = iter(range(count))

    async def work() -> None:
        for _ in remaining:
            stream = client.stream("Hi", model="m")
            kept.streams.append(stream)
            await way(stream, view, kept)
            assert stream.ending == "left"

    with silence(loop):
        async with asyncio.TaskGroup() as group:
            for _ in range(POOL):
                group.create_task(work())
        assert_nothing_leased(client)
        assert client.stats().opened == count  # each was left early, so none was used again
        await emulator.wait_for(lambda: emulator.disconnects - before == count)
        await emulator.wait_for(lambda: emulator.open_connections == 0)
        assert open_sockets() == sockets
        await assert_serves(client, emulator)
    assert len(kept.streams) == count


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_leaving_closes_the_connection(
    pooled: OpenRouter, emulator: Emulator, way: Way
) -> None:
    """Hundreds of streams are left over a pool of ten, and all connections are given up."""
    await leave_many(pooled, emulator, way, CHUNKS, STREAMS)


@pytest.mark.parametrize("view", [TEXT, IMAGES, RAW], ids=["text", "images", "raw"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_leaving_a_view_closes_the_connection(
    pooled: OpenRouter, emulator: Emulator, way: Way, view: View
) -> None:
    """The text, the images and the bytes of a stream are left as its chunks are."""
    await leave_many(pooled, emulator, way, view, 2 * POOL)


async def test_dropping_the_last_reference_closes_the_connection(
    pooled: OpenRouter, emulator: Emulator
) -> None:
    """A stream that nobody holds any more is left, started or half read."""
    emulator.always(UNFINISHED)
    sockets = open_sockets()
    with silence(asyncio.get_running_loop()):
        for index in range(STREAMS):
            stream = await pooled.stream("Hi", model="m").start()
            if index % 2:
                await anext(stream)
            del stream
            assert_nothing_leased(pooled)
        await emulator.wait_for(lambda: emulator.disconnects == STREAMS)
        await emulator.wait_for(lambda: emulator.open_connections == 0)
        assert open_sockets() == sockets
        await assert_serves(pooled, emulator)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
async def test_connection_is_given_up_before_the_next_statement(
    pooled: OpenRouter, emulator: Emulator, view: View
) -> None:
    """Right behind the loop, with the stream still in a variable, nothing is leased."""
    emulator.always(UNFINISHED)
    stream = pooled.stream("Hi", model="m")
    async for _ in view(stream):
        assert pooled.stats().leased == acquired(pooled) == 1
        break
    assert pooled.stats().leased == acquired(pooled) == 0
    assert stream.ending == "left"
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_what_was_gathered_stays_readable(pooled: OpenRouter, emulator: Emulator) -> None:
    """After leaving, the stream still tells what had come."""
    emulator.always(UNFINISHED)
    stream = pooled.stream("Hi", model="m")
    async for chunk in stream:
        if chunk.text == "b":
            break
    assert stream.partial is not None
    assert stream.partial.text == "ab"
    assert stream.status == 200
    assert stream.generation_id is not None


async def test_leaving_is_seen_by_the_server_soon(pooled: OpenRouter, emulator: Emulator) -> None:
    """The server learns within 200 ms that nobody listens, while it has nothing to send."""
    emulator.always(UNFINISHED)
    loop = asyncio.get_running_loop()
    took: list[float] = []
    for _ in range(5):  # the quickest counts: a busy machine may hold up one or the other
        async for _ in pooled.stream("Hi", model="m"):
            break
        began = loop.time()
        await emulator.wait_for(lambda: emulator.disconnects == emulator.accepted)
        took += [loop.time() - began]
    assert min(took) < 0.2


async def test_leaving_amid_a_flood_is_leaving(pooled: OpenRouter, emulator: Emulator) -> None:
    """A stream that nobody reads although much has come is closed, not read to its end."""
    emulator.always(chat(*["word " * 200] * 5_000))
    stream = pooled.stream("Hi", model="m")
    async for _ in stream:
        break
    assert_nothing_leased(pooled)
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    await assert_serves(pooled, emulator)


async def test_stepping_by_hand_goes_on_where_it_stopped(
    pooled: OpenRouter, emulator: Emulator
) -> None:
    """Who steps with anext can stop and go on, and a closed stream has no more to give."""
    emulator.always(UNFINISHED)
    stream = pooled.stream("Hi", model="m")
    assert (await anext(stream)).text == "a"
    assert (await anext(stream)).text == "b"
    stream.close()
    stream.close()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert_nothing_leased(pooled)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
async def test_closing_between_two_steps_ends_the_loop(
    pooled: OpenRouter, emulator: Emulator, view: View
) -> None:
    """A loop whose stream is closed while its body runs ends there, with nothing raised."""
    emulator.always(UNFINISHED)
    stream = pooled.stream("Hi", model="m")
    async for _ in view(stream):
        stream.close()
    assert stream.ending == "left"
    assert_nothing_leased(pooled)


async def test_closing_takes_back_what_was_read_ahead(
    pooled: OpenRouter, emulator: Emulator
) -> None:
    """After closing, not even the first chunk that starting has read is given."""
    emulator.always(UNFINISHED)
    stream = await pooled.stream("Hi", model="m").start()
    stream.close()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert_nothing_leased(pooled)


async def test_second_loop_is_misuse(pooled: OpenRouter, emulator: Emulator) -> None:
    """A second loop over a stream is refused with a hint, whether the first was left or ended."""
    emulator.play(UNFINISHED, chat("a"))
    for leave in (True, False):
        stream = pooled.stream("Hi", model="m")
        async for _ in stream:
            if leave:
                break
        for view in (CHUNKS, TEXT, IMAGES, RAW):
            with pytest.raises(RuntimeError, match="anext"):
                view(stream)


async def test_stream_moves_between_tasks(pooled: OpenRouter, emulator: Emulator) -> None:
    """Each step may be made by another task, and yet another may close."""
    emulator.always(chat("a", "b", "c", "d").stall_after(4))
    stream = pooled.stream("Hi", model="m")
    first = await asyncio.wait_for(anext(stream), 5)
    second = await asyncio.create_task(stream.__anext__())
    (third,) = await asyncio.gather(stream.__anext__())
    async with asyncio.timeout(5):
        fourth = await anext(stream)
    assert [chunk.text for chunk in (first, second, third, fourth)] == ["a", "b", "c", "d"]
    await asyncio.create_task(stream.aclose())
    assert_nothing_leased(pooled)
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_two_readers_at_once_are_misuse(pooled: OpenRouter, emulator: Emulator) -> None:
    """A second task that reads the same stream is told so, and the first is not disturbed."""
    emulator.always(chat("a", "b").hold_after(1))
    stream = pooled.stream("Hi", model="m")
    await anext(stream)
    reader = asyncio.create_task(stream.__anext__())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await anext(stream)
    emulator.release()
    assert (await reader).text == "b"
    stream.close()


async def test_stream_that_was_never_started_holds_nothing(
    pooled: OpenRouter, emulator: Emulator
) -> None:
    """A stream that is made and forgotten, looped over or closed, sends nothing."""
    with silence(asyncio.get_running_loop()):
        _ = pooled.stream("Hi", model="m")
        aiter(pooled.stream("Hi", model="m"))
        closed = pooled.stream("Hi", model="m")
        closed.close()
        with pytest.raises(RuntimeError, match="closed"):
            _ = await closed.start()
        with pytest.raises(RuntimeError, match="left"):
            await closed
    assert emulator.connections == 0


# Failing leaves as well.

HTML = http_error(200, body=b"<html><h1>Sign in</h1></html>", content_type="text/html")

FAULTS: dict[str, tuple[Reply, type[OpenRouterError]]] = {
    "reset": (chat("a", "b").reset_after(1), StreamBrokenError),
    "cut": (chat("a", "b").cut_after(1), StreamBrokenError),
    "stall": (chat("a", "b").stall_after(1), WireIdleTimeout),
    "error chunk": (chat("a", "b").error_after(1, error_chunk(400, "No")), BadRequestError),
    "error chunk, then silence": (
        chat("a", "b").error_after(1, error_chunk(400, "No")).stall_after(2),
        StreamAPIError,
    ),
    "HTML": (HTML, ProtocolError),
    "500": (http_error(500, "Oops"), ServerError),
    "no JSON": (replay(b"data: {oops\n\n").stall_after(1), ProtocolError),
}


# A relay passes the bytes of a later error on, as what they are.
FAILING = [
    pytest.param(fault, view, id=f"{name}, {fault}")
    for name, view in VIEWS.items()
    for fault in FAULTS
    if not (view is RAW and fault.startswith("error chunk"))
]


@pytest.mark.parametrize(("fault", "view"), FAILING)
async def test_failing_closes_the_connection(emulator: Emulator, fault: str, view: View) -> None:
    """After each fault nothing is leased, though stream, error and traceback are kept."""
    reply, expected = FAULTS[fault]
    emulator.always(reply)
    kept = Kept()
    loop = asyncio.get_running_loop()
    with silence(loop):
        async with OpenRouter(
            KEY,
            base_url=emulator.base_url,
            limits=Limits(max_connections=2),
            timeouts=Timeouts(wire_idle=0.2) if fault == "stall" else Timeouts(),
        ) as client:
            sockets = open_sockets()
            for _ in range(6):
                stream = client.stream("Hi", model="m")
                kept.streams.append(stream)
                with pytest.raises(expected) as info:
                    async for _ in view(stream):
                        pass
                kept.errors.append(info.value)
                assert_nothing_leased(client)
            # Where a body came whole, its connection is as good as new; others are closed.
            await emulator.wait_for(lambda: emulator.open_connections == idle(client))
            assert open_sockets() == sockets + 2 * idle(client)
            await assert_serves(client, emulator)
    assert emulator.accepted == 7  # nothing was sent twice


async def test_refused_connection_leaves_nothing() -> None:
    """A port on which nobody listens gives an error, and no socket stays."""
    async with Emulator() as gone:
        pass
    with silence(asyncio.get_running_loop()):
        async with OpenRouter(
            KEY,
            base_url=gone.base_url,
            limits=Limits(max_connections=2),
            retry=RetryPolicy(first_delay=0.001),
        ) as client:
            sockets = open_sockets()
            kept = Kept()
            for _ in range(6):
                with pytest.raises(ConnectError) as info:
                    await client.stream("Hi", model="m")
                kept.errors.append(info.value)
                assert_nothing_leased(client)
            assert open_sockets() == sockets
