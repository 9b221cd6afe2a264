"""Cancelled, closed or thrown into at every await: nothing stays, and the exception comes out as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest

from openrouter_async import Limits, OpenRouter, RetryPolicy, Timeouts
from openrouter_async.testing import Emulator, Pause, Reply, chat, completion, http_error
from tests.quiet import KEY, assert_nothing_leased, assert_serves, idle, other_tasks, silence
from tests.stepping import Interrupted, cancel_this

SLOWLY = chat("a", "b", "c").each(0.002).after(0, Pause(0.005))
"""An answer whose head and events come one by one, so that each has to be waited for."""


async def read(client: OpenRouter) -> None:
    async for _ in client.stream("Hi", model="m"):
        pass


async def collect(client: OpenRouter) -> None:
    assert (await client.complete("Hi", model="m")).text == "abc"


async def relay(client: OpenRouter) -> None:
    async for _ in client.stream("Hi", model="m").raw():
        pass


async def start(client: OpenRouter) -> None:
    async with client.stream("Hi", model="m") as stream:
        async for _ in stream.text():
            pass


async def ask_for_json(client: OpenRouter) -> None:
    assert (await client.complete("Hi", model="m", transport="json")).text == "abc"


async def retry(client: OpenRouter) -> None:
    assert (await client.complete("Hi", model="m")).text == "abc"


USES: dict[str, tuple[Callable[[OpenRouter], Coroutine[Any, Any, None]], tuple[Reply, ...]]] = {
    "a loop": (read, (SLOWLY,)),
    "complete": (collect, (SLOWLY,)),
    "raw": (relay, (SLOWLY,)),
    "a block": (start, (SLOWLY,)),
    "json": (ask_for_json, (completion("a", "b", "c").split(100).each(0.002),)),
    "a retry": (retry, (http_error(429, "Slow down", headers={"Retry-After": "0.02"}), SLOWLY)),
}


@pytest.fixture
def threaded() -> Generator[Emulator]:
    """An emulator in another thread, so that every task of this loop is the client's."""
    with Emulator.in_thread() as emulator:
        yield emulator


@pytest.fixture
async def lone(threaded: Emulator) -> AsyncIterator[OpenRouter]:
    """A client with one connection, so that a leaked one would stop everything."""
    async with OpenRouter(
        KEY,
        base_url=threaded.base_url,
        limits=Limits(max_connections=1),
        retry=RetryPolicy(first_delay=0.001),
        timeouts=Timeouts(drain=5),
    ) as client:
        yield client


async def assert_clean(client: OpenRouter, emulator: Emulator) -> None:
    """Nothing is in use, no task runs, and the next request succeeds."""
    assert client.stats().leased == client.stats().draining
    await emulator.wait_for(lambda: client.stats().draining == 0)
    assert_nothing_leased(client)
    await emulator.wait_for(lambda: not other_tasks())
    await assert_serves(client, emulator)
    await emulator.wait_for(lambda: client.stats().draining == 0)


async def cool_down(client: OpenRouter, emulator: Emulator) -> None:
    """Have the pool empty, so that the next request has to connect."""
    emulator.drop_connections()
    await emulator.wait_for(lambda: idle(client) == emulator.open_connections == 0)


async def run_use(
    client: OpenRouter,
    emulator: Emulator,
    name: str,
    run: Callable[[Coroutine[Any, Any, None]], Awaitable[None]],
) -> None:
    """Run one use with its replies, and forget those that were not asked for."""
    use, replies = USES[name]
    emulator.always(replies[-1])
    emulator.play(*replies[:-1])
    accepted = emulator.accepted
    await run(use(client))
    # A 429 that is still queued would answer the next request instead.
    if emulator.accepted == accepted:
        emulator._desk._queued[None].clear()


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_cancelled_at_every_await(
    lone: OpenRouter, threaded: Emulator, name: str, warm: bool
) -> None:
    """Whatever is awaited when the task is cancelled, nothing stays and the next request works."""
    at = 0
    finished = False
    with silence(asyncio.get_running_loop()):
        while not finished:
            at += 1
            if not warm:
                await cool_down(lone, threaded)

            async def run(use: Coroutine[Any, Any, None], at: int = at) -> None:
                nonlocal finished
                wrapped = Interrupted(use, at, cancel_this)

                task = asyncio.create_task(wrapped.run())
                await asyncio.wait([task])
                finished = wrapped.suspensions < at
                assert task.cancelled() is not finished

            await run_use(lone, threaded, name, run)
            await assert_clean(lone, threaded)
    assert at > (3 if name == "json" else 4)


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
async def test_cancelled_at_every_turn_of_the_loop(
    lone: OpenRouter, threaded: Emulator, name: str, twice: bool
) -> None:
    """A cancellation in any turn of the loop, also when the awaited has just come, leaves nothing."""
    turns = 0
    finished = False
    while not finished:
        turns = int(turns * 1.3) + 1

        async def run(use: Coroutine[Any, Any, None], turns: int = turns) -> None:
            nonlocal finished
            task = asyncio.create_task(use)
            for _ in range(turns):
                await asyncio.sleep(0)
            finished = task.done()
            task.cancel()
            if twice:
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                await task

        await run_use(lone, threaded, name, run)
        await assert_clean(lone, threaded)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_closed_at_every_turn_of_the_loop(
    lone: OpenRouter, threaded: Emulator, warm: bool
) -> None:
    """A stream that another task closes while it starts or reads gives its connection up."""
    turns = 0
    finished = False
    while not finished:
        threaded.always(SLOWLY)
        turns = int(turns * 1.15) + 1
        if not warm:
            await cool_down(lone, threaded)
        stream = lone.stream("Hi", model="m")
        task = asyncio.create_task(stream.collect())
        for _ in range(turns):
            await asyncio.sleep(0)
        finished = task.done()
        stream.close()
        await asyncio.wait([task])
        if finished:
            await task
        else:
            with pytest.raises(RuntimeError):
                await task
        await assert_clean(lone, threaded)


class CloseOnArrival:
    """Closes when an awaited future is done: before the task's wake-up, in the same turn."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def __call__(self, future: asyncio.Future[Any]) -> None:
        future.add_done_callback(lambda _: self._close())


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_closed_when_the_answer_has_just_come(
    lone: OpenRouter, threaded: Emulator, warm: bool
) -> None:
    """A close in the very turn in which the awaited comes does not lose the connection."""
    at = 0
    finished = False
    while not finished:
        at += 1
        threaded.always(SLOWLY)
        if not warm:
            await cool_down(lone, threaded)
        stream = lone.stream("Hi", model="m")

        wrapped = Interrupted(stream.start(), at, CloseOnArrival(stream.close))
        task = asyncio.create_task(wrapped.run())
        await asyncio.wait([task])
        finished = wrapped.suspensions < at
        if finished:
            await task
            stream.close()
        else:
            with pytest.raises(RuntimeError, match="closed"):
                await task
        await assert_clean(lone, threaded)
    assert at > 2


class _UserError(Exception):
    """What a signal handler or a debugger may throw."""


@pytest.mark.parametrize(
    "kind",
    [ValueError, RuntimeError, OSError, TimeoutError, _UserError, KeyboardInterrupt, SystemExit],
)
@pytest.mark.parametrize("name", ["a loop", "raw", "json", "a retry"])
async def test_what_is_thrown_at_an_await_comes_out(
    lone: OpenRouter, threaded: Emulator, name: str, kind: type[BaseException]
) -> None:
    """An exception that is thrown in where the client waits comes out as it is, untried again."""
    at = 0
    finished = False
    while not finished:
        at += 1
        thrown = kind("from outside")

        async def run(
            use: Coroutine[Any, Any, None], at: int = at, thrown: BaseException = thrown
        ) -> None:
            nonlocal finished
            wrapped = Interrupted(use, at, lambda future: future.set_exception(thrown))
            try:
                await wrapped
                finished = True
            except BaseException as error:
                seen: BaseException | None = error
                while seen is not None and seen is not thrown:
                    seen = seen.__cause__
                # OSError is what a broken connection is, so that one may become ours.
                assert error is thrown or (isinstance(thrown, OSError) and seen is thrown)

        await run_use(lone, threaded, name, run)
        await threaded.wait_for(lambda: not other_tasks())
        await threaded.wait_for(lambda: lone.stats().draining == 0)
        assert_nothing_leased(lone)
        await assert_serves(lone, threaded)


async def test_retry_sleep_is_interrupted_at_once(lone: OpenRouter, threaded: Emulator) -> None:
    """A cancellation does not wait for the end of a pause between two attempts."""
    threaded.always(http_error(429, "Slow down", headers={"Retry-After": "30"}))
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(collect(lone))
    await threaded.wait_for(lambda: threaded.requests and threaded.requests[0].finished)
    started = loop.time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert loop.time() - started < 10
    assert_nothing_leased(lone)


async def test_timeout_of_the_user_stays_a_timeout(lone: OpenRouter, threaded: Emulator) -> None:
    """asyncio.timeout around a stream reports a TimeoutError of its own, and the count stays right."""
    threaded.always(chat("a", "b").stall_after(1))
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError) as info:
        async with asyncio.timeout(0.05):
            await read(lone)
    assert type(info.value) is TimeoutError
    assert task.cancelling() == 0
    await assert_clean(lone, threaded)


async def test_cancelled_waiters_leave_the_line(threaded: Emulator) -> None:
    """Half of those who wait for a connection go away, and the other half is served."""
    limits = Limits(max_connections=3)
    async with OpenRouter(KEY, base_url=threaded.base_url, limits=limits) as client:
        threaded.always(chat("a", "b", "c").hold_after(1))
        tasks = [asyncio.create_task(collect(client)) for _ in range(60)]
        await threaded.wait_for(lambda: threaded.holding == 3 and client.stats().waiting == 57)
        for task in tasks[::2]:
            task.cancel()
            await asyncio.sleep(0)
        threaded.release(60)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
        assert [result for result in results[1::2] if result is not None] == []
        threaded.always(None)
        await assert_clean(client, threaded)
    assert threaded.connections <= 5
