"""Adaptive concurrency: a hidden limit is found, with hardly a refusal, and nothing is kept back.

Real sockets, but a clock that jumps: three minutes of a busy service take two seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from openrouter_async import Adaptive, Limits, OpenRouter, OpenRouterError, RetryPolicy, Timeouts
from openrouter_async.errors import QueueTimeout
from openrouter_async.testing import Emulator, Hold, Reply, Stall, chat, http_error
from openrouter_async.testing import error_chunk as error
from tests.fake_time import run_jumping
from tests.limited_server import KEY, LimitedServer


def client_of(server: LimitedServer | Emulator, **settings: Any) -> OpenRouter:
    """A client of a server that finds out how many requests it takes at once."""
    settings = {"limits": Limits(adaptive=True), **settings}
    return OpenRouter(KEY, base_url=server.base_url, **settings)


@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_a_hidden_limit_is_found_and_found_again(retry_after: float | None) -> None:
    """Sixty at once are found, and thirty when it halves, with few refusals and nothing lost."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        server = LimitedServer(
            lambda: 60 if loop.time() - began < 60 else 30,
            seconds=4,
            spread=0.1,
            retry_after=retry_after,
        )
        async with server, client_of(server) as client:
            failed: list[OpenRouterError] = []

            async def work() -> None:
                while loop.time() - began < 120:
                    try:
                        await client.complete("Hi", model="m")
                    except OpenRouterError as error:
                        failed.append(error)

            workers = [asyncio.create_task(work()) for _ in range(150)]
            for moment, room in ((20, 60), (40, 60), (59, 60), (80, 30), (100, 30), (119, 30)):
                await asyncio.sleep(began + moment - loop.time())
                assert abs(client.stats().windows["m"] - room) <= 0.15 * room, moment
                if moment == 59:
                    taken = len(server.arrivals) - server.refused
                    assert taken >= 0.85 * 60 / 4 * 59
            await asyncio.gather(*workers)
            assert failed == []
            assert server.refused < 0.03 * len(server.arrivals)
            assert server.most <= 60
            stats = client.stats()
            assert (stats.under_way, stats.held_back) == ({"m": 0}, 0)
            assert stats.refusals == server.refused

    run_jumping(main())


def test_no_more_than_the_most_are_under_way() -> None:
    """The bounds hold whatever the server takes."""

    async def main() -> None:
        limits = Limits(adaptive=Adaptive(start=4, least=2, most=8))
        server = LimitedServer(lambda: 1_000, seconds=1, spread=0.1)
        async with server, client_of(server, limits=limits) as client:
            await asyncio.gather(*(client.complete("Hi", model="m") for _ in range(100)))
            assert server.most == 8
            assert client.stats().windows == {"m": 8}

    run_jumping(main())


def test_each_model_has_a_window_of_its_own() -> None:
    """What one model refuses says nothing of another."""

    async def main() -> None:
        limits = Limits(adaptive=Adaptive(start=1, most=1))
        async with Emulator() as emulator, client_of(emulator, limits=limits) as client:
            emulator.always(chat("ab").before_head(Hold()))
            tasks = [asyncio.create_task(client.complete("Hi", model=name)) for name in "aabb"]
            await emulator.wait_for(lambda: emulator.holding == 2)
            assert client.stats().under_way == {"a": 1, "b": 1}
            assert client.stats().held_back == 2
            for _ in range(2):
                emulator.release(2)
            await asyncio.gather(*tasks)
            assert emulator.accepted == 4

    run_jumping(main())


async def collect(stream: Any) -> None:
    """Read to the end."""
    await stream.collect()


async def leave(stream: Any) -> None:
    """Leave a loop early."""
    async for _ in stream:
        break


async def drop(stream: Any) -> None:
    """Start, and let go of it."""
    await stream.start()


async def cancel(stream: Any) -> None:
    """Cancel while it is being read."""
    task = asyncio.create_task(stream.collect())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])


async def read_slowly(stream: Any) -> None:
    """Leave the whole answer unread: the server has long been done with it."""
    await stream.start()
    await asyncio.sleep(0.1)


ENDS: dict[str, tuple[Callable[[Any], Any], Reply]] = {
    "read to its end": (collect, chat(*"abc")),
    "without a sentinel": (collect, chat(*"abc").without_done()),
    "silent behind the sentinel": (collect, chat("a").stall_after(chat("a").events)),
    "left": (leave, chat(*"abc").stall_after(1)),
    "dropped": (drop, chat(*"abc").stall_after(1)),
    "cancelled": (cancel, chat(*"abc").stall_after(1)),
    "cancelled before the headers": (cancel, chat("a").before_head(Stall())),
    "cut": (collect, chat(*"abc").cut_after(1)),
    "reset": (collect, chat(*"abc").reset_after(1)),
    "an error inside": (collect, chat(*"abc").error_after(1, error(502, "x"))),
    "an error as the first event": (collect, chat("a").error_after(0, error(429, "x"))),
    "refused": (collect, http_error(429, "x")),
    "no such model": (collect, http_error(404, "x")),
    "silent": (collect, chat(*"abc").stall_after(1)),
    "no stream": (collect, Reply(200, (("Content-Type", "text/html"),))),
    "unread": (read_slowly, chat(*"abc")),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_permit_comes_back(end: str) -> None:
    """However an answer ends, its place is free again, and is so once."""
    read, reply = ENDS[end]

    async def main() -> None:
        settings: dict[str, Any] = {
            "limits": Limits(adaptive=Adaptive(start=1, most=1)),
            "timeouts": Timeouts(wire_idle=0.5),
            "retry": RetryPolicy(max_attempts=1),
        }
        async with Emulator() as emulator, client_of(emulator, **settings) as client:
            emulator.play(reply)
            emulator.always(chat("ab"))
            stream = client.stream("Hi", model="m")
            with suppress(OpenRouterError):
                await read(stream)
            if end != "unread":
                del stream
            await emulator.wait_for(lambda: client.stats().under_way == {"m": 0})
            assert (await client.complete("Hi", model="m")).text == "ab"
            assert client.stats().held_back == 0

    run_jumping(main())


def test_half_of_the_waiters_leave() -> None:
    """Those in line are served in order when others are cancelled, the head among them."""

    async def main() -> None:
        limits = Limits(adaptive=Adaptive(start=5, most=5))
        server = LimitedServer(lambda: 1_000, seconds=1)
        async with server, client_of(server, limits=limits) as client:
            ended: list[int] = []

            async def ask(number: int) -> None:
                await client.complete("Hi", model="m")
                ended.append(number)

            tasks = [asyncio.create_task(ask(number)) for number in range(200)]
            await asyncio.sleep(0.5)
            assert client.stats().held_back == 195
            for task in tasks[5::2]:
                task.cancel()
            await asyncio.wait(tasks)
            assert len(ended) == 102
            fives = [sorted(ended[at : at + 5]) for at in range(0, 102, 5)]  # at once each
            assert [number for five in fives for number in five] == sorted(ended)
            assert server.most == 5

    run_jumping(main())


def test_who_waits_too_long_for_room_is_told() -> None:
    """`Timeouts.queue` bounds the wait for a permit; nothing was sent then."""

    async def main() -> None:
        settings: dict[str, Any] = {
            "limits": Limits(adaptive=Adaptive(start=1, most=1)),
            "timeouts": Timeouts(queue=0.2),
        }
        async with Emulator() as emulator, client_of(emulator, **settings) as client:
            emulator.play(chat("ab").hold_after(1))
            emulator.always(chat("ab"))
            async with client.stream("Hi", model="m"):
                with pytest.raises(
                    QueueTimeout, match=r"m has no room, longer than Timeouts\.queue"
                ):
                    await client.complete("Hi", model="m")
            assert emulator.accepted == 1
            await client.complete("Hi", model="m")

    run_jumping(main())


def test_a_closed_client_sends_nothing_for_those_in_line() -> None:
    """Who waits for a permit when the client is closed is told so."""

    async def main() -> None:
        limits = Limits(adaptive=Adaptive(start=1, most=1))
        async with Emulator() as emulator, client_of(emulator, limits=limits) as client:
            emulator.always(chat("ab").before_head(Stall()))
            tasks = [asyncio.create_task(client.complete("Hi", model="m")) for _ in range(3)]
            await emulator.wait_for(lambda: emulator.accepted == 1)
            await client.aclose()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(results[0], OpenRouterError)
            assert [type(result) for result in results[1:]] == [RuntimeError, RuntimeError]
            assert emulator.accepted == 1

    run_jumping(main())
