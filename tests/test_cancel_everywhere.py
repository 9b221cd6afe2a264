"""Cancelled at its first, second, third ... suspension until it finishes: each time nothing stays.

`test_cancellation` does so with the plain ways to ask. Here are the situations around them: leaving,
waiting in line, reading a shared stream, and the ways in which users cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

import anyio
import pytest

from openrouter_async import Limits, OpenRouter, RetryPolicy, Timeouts
from openrouter_async.testing import (
    Emulator,
    Pause,
    chat,
    completion,
    http_error,
    message,
    replay,
    response,
)
from tests.quiet import (
    KEY,
    PNG,
    assert_nothing_leased,
    assert_serves,
    idle,
    open_sockets,
    other_tasks,
    settled,
    silence,
)
from tests.stepping import Interrupted, cancel_this

WORDS = ["a", "b", "c"]
SLOWLY = chat(*WORDS, images=[PNG]).each(0.002).after(0, Pause(0.005))
"""An answer whose head and events come one by one, so that each has to be waited for."""

Use = Callable[[OpenRouter, Emulator], Coroutine[Any, Any, None]]


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
        retry=RetryPolicy(first_delay=0.001, max_delay=0.001),
        timeouts=Timeouts(drain=5),
    ) as client:
        yield client


# What is cancelled.


async def leave(client: OpenRouter, emulator: Emulator) -> None:
    async for chunk in client.stream("Hi", model="m"):
        if chunk.text == "b":
            break


async def images(client: OpenRouter, emulator: Emulator) -> None:
    assert [image.bytes async for image in client.stream("Hi", model="m").images()] == [PNG]


async def json(client: OpenRouter, emulator: Emulator) -> None:
    emulator.always(completion(*WORDS).split(100).each(0.002))
    assert (await client.complete("Hi", model="m", transport="json")).text == "abc"


async def refused_for_good(client: OpenRouter, emulator: Emulator) -> None:
    emulator.always(http_error(400, "No").before_head(Pause(0.002)))
    with suppress(Exception):  # a cancellation is none
        await client.complete("Hi", model="m")


async def wait_in_line(client: OpenRouter, emulator: Emulator) -> None:
    async with client.stream("Hi", model="m") as holder:
        second = client.stream("Hi", model="m")
        asyncio.get_running_loop().call_later(0.01, holder.close)
        await second


async def read_shared(client: OpenRouter, emulator: Emulator) -> None:
    shared = client.stream("Hi", model="m").share()
    assert [chunk.text async for chunk in shared if chunk.text] == WORDS


async def two_in_turn(client: OpenRouter, emulator: Emulator) -> None:
    for _ in range(2):
        async with client.stream("Hi", model="m") as stream:
            assert (await stream.collect()).text == "abc"


async def responses(client: OpenRouter, emulator: Emulator) -> None:
    emulator.always(response(*WORDS).each(0.002))
    assert [piece async for piece in client.responses.stream("Hi").text()] == WORDS


async def messages(client: OpenRouter, emulator: Emulator) -> None:
    emulator.always(message(*WORDS).each(0.002))
    assert (await client.messages.create("Hi", model="m")).text == "abc"


async def embeddings(client: OpenRouter, emulator: Emulator) -> None:
    emulator.always(replay(b'{"data": []}', content_type="application/json", split=4).each(0.002))
    assert (await client.embeddings.create("Hi", model="m")).data == []


async def by_hand(client: OpenRouter, emulator: Emulator) -> None:
    stream = await client.stream("Hi", model="m").start()
    while stream.ending is None:
        with suppress(StopAsyncIteration):
            await anext(stream)
    stream.close()


USES: dict[str, Use] = {
    "left amid the answer": leave,
    "images": images,
    "json": json,
    "a refusal": refused_for_good,
    "waiting in line": wait_in_line,
    "a shared stream": read_shared,
    "two in turn": two_in_turn,
    "by hand": by_hand,
    "responses": responses,
    "messages": messages,
    "embeddings": embeddings,
}


# How it is cancelled.


async def with_cancel(use: Coroutine[Any, Any, None], at: int) -> bool:
    """Cancel the task; tell whether it was over before."""
    wrapped = Interrupted(use, at, cancel_this)
    task = asyncio.create_task(wrapped.run())
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return not task.cancelled()


async def with_timeout(use: Coroutine[Any, Any, None], at: int) -> bool:
    """Have an `asyncio.timeout` expire."""
    scope = asyncio.timeout(None)
    with suppress(TimeoutError):
        async with scope:
            await Interrupted(use, at, lambda _: scope.reschedule(0))
            return True
    assert scope.expired()
    return False


async def with_scope(use: Coroutine[Any, Any, None], at: int) -> bool:
    """Cancel a scope of anyio, which cancels again and again until it is left."""
    with anyio.CancelScope() as scope:
        await Interrupted(use, at, lambda _: scope.cancel())
        return True
    return False


HOWS = {"task.cancel": with_cancel, "asyncio.timeout": with_timeout, "anyio": with_scope}


async def renewed(client: OpenRouter, emulator: Emulator) -> None:
    """Have the next request open a connection."""
    emulator.drop_connections()
    await settled(lambda: idle(client) == emulator.open_connections == 0)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", USES)
async def test_cancelled_at_every_suspension(
    lone: OpenRouter, threaded: Emulator, name: str, how: str
) -> None:
    """The pool is whole, no task, no descriptor and no complaint is left, the next one works."""
    sockets = open_sockets()
    at = 0
    finished = False
    with silence(asyncio.get_running_loop()):
        while not finished:
            at += 1
            threaded.always(SLOWLY)
            finished = await HOWS[how](USES[name](lone, threaded), at)
            await settled(lambda: not other_tasks())
            await settled(lambda: lone.stats().draining == 0)
            assert_nothing_leased(lone)
            await assert_serves(lone, threaded)
            await settled(lambda: lone.stats().draining == 0)
            await renewed(lone, threaded)
            await settled(lambda: open_sockets() <= sockets)
    assert at > 3


@pytest.mark.parametrize("policy", ["close", "finish"])
async def test_a_reader_beside_others(lone: OpenRouter, threaded: Emulator, policy: Any) -> None:
    """Wherever one reader of a shared stream is cancelled, the others see the whole answer."""
    threaded.always(SLOWLY)
    at = 0
    finished = False
    with silence(asyncio.get_running_loop()):
        while not finished:
            at += 1
            shared = lone.stream("Hi", model="m").share(when_last_leaves=policy)

            async def read(shared: Any = shared) -> list[str]:
                return [chunk.text async for chunk in shared if chunk.text]

            wrapped = Interrupted(read(), at, cancel_this)
            first = asyncio.create_task(wrapped.run())
            others = [asyncio.create_task(read()) for _ in range(3)]
            assert await asyncio.gather(*others) == [WORDS] * 3
            await asyncio.wait([first])
            finished = not first.cancelled()
            del first, wrapped, others
            assert shared.stream.ending == "complete"
            assert shared.readers == 0
            await settled(lambda: not other_tasks())
            await settled(lambda: lone.stats().leased == 0)
            assert_nothing_leased(lone)
    assert at > 3
    assert threaded.accepted == at
