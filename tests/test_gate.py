"""One gate for everyone: a refusal holds back all requests for the same model.

Real sockets, but a clock that jumps: what takes a minute here takes no time.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import pickle
import threading
import time
from collections import Counter
from typing import Any

import pytest

from openrouter_async import (
    Limits,
    OpenRouter,
    OpenRouterError,
    RateLimitError,
    RetryPolicy,
    StreamBrokenError,
    Timeouts,
)
from openrouter_async.errors import QueueTimeout
from openrouter_async.testing import Emulator, chat, http_error
from tests.fake_time import run_jumping
from tests.limited_server import KEY, LimitedServer


def client_of(server: LimitedServer | Emulator, **settings: Any) -> OpenRouter:
    """A client of a server."""
    return OpenRouter(KEY, base_url=server.base_url, **settings)


async def closed_until(seconds: float, retry_after: float | None) -> LimitedServer:
    """A server that refuses everything for so long."""
    loop = asyncio.get_running_loop()
    opens = loop.time() + seconds
    return LimitedServer(lambda: 0 if loop.time() < opens else 1_000_000, retry_after=retry_after)


def test_a_refusal_holds_back_everybody() -> None:
    """After 200 refusals nobody comes early, all come spread out, and hardly one is refused again."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with await closed_until(5, 5) as server, client_of(server) as client:
            began = loop.time()
            answers = await asyncio.gather(*(client.complete("Hi", model="m") for _ in range(200)))
            assert [answer.text for answer in answers] == ["ab"] * 200
            times = [at - began for at, _ in server.arrivals]
            first, later = times[:200], times[200:]
            assert max(first) < 5
            assert server.refused <= 220
            assert min(later) >= 5
            bins = Counter(math.floor(at * 100) for at in later)
            assert max(bins.values()) <= 0.05 * 200
            assert later == sorted(later)
            assert client.stats().refusals == server.refused

    run_jumping(main())


def test_a_first_one_goes_ahead_alone() -> None:
    """While the API goes on refusing, one at a time asks again, ever more rarely."""

    async def main() -> None:
        policy = RetryPolicy(max_attempts=10)
        async with (
            await closed_until(30, None) as server,
            client_of(server, retry=policy) as client,
        ):
            await asyncio.gather(*(client.complete("Hi", model="m") for _ in range(200)))
            assert server.refused <= 1.1 * 200

    run_jumping(main())


def test_who_comes_later_waits_as_well() -> None:
    """A request that was never refused itself waits for the end of the pause, in order."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with await closed_until(5, 5) as server, client_of(server) as client:
            began = loop.time()
            first = asyncio.create_task(client.complete("Hi", model="m"))
            await asyncio.sleep(1)
            ended: list[int] = []

            async def ask(number: int) -> None:
                await client.complete("Hi", model="m")
                ended.append(number)

            later = [asyncio.create_task(ask(number)) for number in range(20)]
            await asyncio.sleep(1)
            stats = client.stats()
            assert stats.held_back == 21
            assert stats.paused == {"m": pytest.approx(3, abs=0.5)}
            assert len(server.arrivals) == 1
            await asyncio.gather(first, *later)
            assert ended == sorted(ended)
            assert server.arrivals[1][0] - began >= 5
            assert server.refused == 1

    run_jumping(main())


def test_other_models_go_on() -> None:
    """A pause is of one model; the others do not notice, nor do requests without one."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with await closed_until(5, 20) as server, client_of(server) as client:
            paused = asyncio.create_task(client.complete("Hi", model="slow"))
            await asyncio.sleep(6)
            began = loop.time()
            await client.complete("Hi", model="quick")
            await client.complete("Hi")
            await client.request("POST", "/other", json={"x": 1}, type=bytes)
            assert loop.time() - began < 1
            assert list(client.stats().paused) == ["slow"]
            await paused

    run_jumping(main())


@pytest.mark.parametrize(("provider", "others_wait"), [(None, True), ("Chutes", False)])
def test_the_limit_of_free_models_is_one_for_all(provider: str | None, others_wait: bool) -> None:
    """OpenRouter's own refusal pauses every free model, a provider's only its own; no paid one."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Emulator() as emulator, client_of(emulator) as client:
            refusal = http_error(
                429,
                "Rate limit exceeded",
                metadata={"provider_name": provider},
                headers={"Retry-After": "10"},
            )
            emulator.play(refusal)
            emulator.always(chat("ab"))
            first = asyncio.create_task(client.complete("Hi", model="a/b:free"))
            await emulator.wait_for(lambda: emulator.accepted == 1)
            await asyncio.sleep(0.5)
            began = loop.time()
            await client.complete("Hi", model="a/paid")
            assert loop.time() - began < 1
            await client.complete("Hi", model="c/d:free")
            assert (loop.time() - began > 8) is others_wait
            await first

    run_jumping(main())


@pytest.mark.parametrize(
    "settings", [{"timeouts": Timeouts(queue=2)}, {"retry": RetryPolicy(total=2)}]
)
def test_who_may_not_wait_that_long_is_told_at_once(settings: dict[str, Any]) -> None:
    """A pause that is longer than a request may wait raises at once, and nothing is sent."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with await closed_until(9, 9) as server, client_of(server) as patient:
            other = asyncio.create_task(patient.complete("Hi", model="m"))
            await asyncio.sleep(1)
            hasty = client_of(server, **settings)
            hasty._sender._limiter = patient._sender._limiter
            began = loop.time()
            with pytest.raises(
                QueueTimeout, match=r"m is paused for .* s more, longer than"
            ) as caught:
                await hasty.complete("Hi", model="m")
            assert loop.time() - began < 0.1
            assert (caught.value.billed, caught.value.phase) == ("no", "queue")
            assert len(server.arrivals) == 1
            await other
            await hasty.aclose()

    run_jumping(main())


def test_waiting_in_line_counts_towards_no_other_deadline() -> None:
    """A pause of a minute fails no request whose deadlines are all of seconds."""

    async def main() -> None:
        short = Timeouts(connect=1, wire_idle=1, first_event=1, idle=1, total=2)
        async with (
            await closed_until(50, 50) as server,
            client_of(server, timeouts=short) as client,
        ):
            tasks = [client.complete("Hi", model="m") for _ in range(5)]
            assert [answer.text for answer in await asyncio.gather(*tasks)] == ["ab"] * 5

    run_jumping(main())


@pytest.mark.parametrize("leave", ["cancel", "close"])
def test_waiters_that_leave_hold_up_nobody(leave: str) -> None:
    """Half of those in line go, the head among them: the rest is served, and nothing remains."""

    async def main() -> None:
        async with await closed_until(5, 5) as server, client_of(server) as client:
            streams = [client.stream("Hi", model="m") for _ in range(100)]
            before = asyncio.all_tasks()
            tasks = [asyncio.create_task(stream.collect()) for stream in streams]
            await asyncio.sleep(1)
            for stream, task in list(zip(streams, tasks, strict=True))[::2]:
                stream.close() if leave == "close" else task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            kinds = {"cancel": asyncio.CancelledError, "close": RuntimeError}
            assert all(isinstance(result, kinds[leave]) for result in results[::2])
            assert not any(isinstance(result, BaseException) for result in results[1::2])
            assert len(server.arrivals) == 150
            assert client.stats().held_back == 0
            await client.aclose()
            await asyncio.sleep(1)
            assert asyncio.all_tasks() == before

    run_jumping(main())


def test_a_wait_that_is_too_long_pauses_nobody() -> None:
    """Who is asked to come back in an hour raises at once, and says so; the next asks anew."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with await closed_until(1, 3600) as server, client_of(server) as client:
            began = loop.time()
            for _ in range(2):
                with pytest.raises(RateLimitError) as caught:
                    await client.complete("Hi", model="m")
                assert str(caught.value) == (
                    "Slow down [429], and the API asks to wait 3600 s, longer than max_wait=60 s"
                )
                assert (caught.value.retry_after, caught.value.attempts) == (3600, 1)
            assert loop.time() - began < 0.5
            assert client.stats().paused == {}
            await asyncio.sleep(1)
            assert (await client.complete("Hi", model="m")).text == "ab"

    run_jumping(main())


def test_a_total_is_kept_over_all_attempts() -> None:
    """Where the next attempt would begin too late, the last error is raised at once."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        policy = RetryPolicy(max_attempts=10, total=10)
        async with await closed_until(60, 4) as server, client_of(server, retry=policy) as client:
            began = loop.time()
            with pytest.raises(
                RateLimitError, match="waiting 4 s more would go beyond total=10 s"
            ) as e:
                await client.complete("Hi", model="m")
            assert 8 <= loop.time() - began < 10
            assert e.value.attempts == len(server.arrivals) == 3

    run_jumping(main())


def test_without_retries_nobody_is_held_back() -> None:
    """Who asks for one attempt gets each answer at once."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        once = RetryPolicy(max_attempts=1)
        async with await closed_until(60, 9) as server, client_of(server, retry=once) as client:
            began = loop.time()
            for _ in range(3):
                with pytest.raises(RateLimitError, match=r"^Slow down \[429\]$"):
                    await client.complete("Hi", model="m")
            assert loop.time() - began < 0.5

    run_jumping(main())


def test_many_models_leave_nothing_behind() -> None:
    """A service that has met ten thousand model names remembers those that are paused."""

    async def main() -> None:
        async with await closed_until(1, None) as server, client_of(server) as client:
            limiter = client._sender._limiter
            error = RateLimitError("x")
            error.status, error.phase, error.retry_after = 429, "headers", 2.0
            loop = asyncio.get_running_loop()
            for number in range(10_000):
                body = b'{"model":"%d"}' % number
                assert limiter.refused(error, "/chat/completions", body, loop.time(), loop.time())
            assert len(client.stats().paused) == 10_000
            await asyncio.sleep(5)
            await client.complete("Hi", model="m")
            assert len(limiter._lanes) <= 1

    run_jumping(main())


def test_threads_share_the_pause() -> None:
    """A refusal in one thread's loop holds back the requests of another's."""
    with Emulator.in_thread() as emulator:
        emulator.play(http_error(429, "Slow down", headers={"Retry-After": "0.4"}))
        emulator.always(chat("ab"))
        client = client_of(emulator)
        waits: list[float] = []

        async def ask() -> None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await client.complete("Hi", model="m")
            waits.append(loop.time() - began)

        def later() -> None:
            emulator.block_until(lambda: client.stats().paused)
            asyncio.run(ask())

        thread = threading.Thread(target=later)
        thread.start()
        asyncio.run(ask())
        thread.join()
        assert emulator.accepted == 3
        assert all(wait > 0.3 for wait in waits)
        assert client.stats().held_back == 0


def test_the_attempts_are_on_every_error() -> None:
    """An error amid the answer of a second attempt says that it was the second."""

    async def main() -> None:
        async with Emulator() as emulator, client_of(emulator) as client:
            emulator.play(http_error(429, "Slow down"), chat(*"abc").cut_after(2))
            with pytest.raises(StreamBrokenError) as caught:
                await client.complete("Hi", model="m")
            assert caught.value.attempts == 2

    run_jumping(main())


@pytest.mark.parametrize(
    ("status", "billed"),
    [(429, "no"), (502, "no"), (503, "no"), (404, "no"), (408, "unknown"), (500, "unknown"),
     (504, "unknown"), (524, "unknown")],
)  # fmt: skip
def test_billed_agrees_with_what_is_tried_again(status: int, billed: str) -> None:
    """What may have been taken may have been billed; a refusal costs nothing."""

    async def main() -> None:
        async with Emulator() as emulator, client_of(emulator) as client:
            emulator.always(http_error(status, "No"))
            with pytest.raises(OpenRouterError) as caught:
                await client.complete("Hi", model="m")
            assert caught.value.billed == billed
            tries = 3 if status in (429, 502, 503) else 1
            assert (caught.value.attempts, emulator.accepted) == (tries, tries)

    run_jumping(main())


# Limits per minute.


def test_requests_per_minute() -> None:
    """No minute sees more requests than allowed, first come first served."""

    async def main() -> None:
        limits = Limits(requests_per_minute=20)
        server = LimitedServer(lambda: 1_000)
        async with server, client_of(server, limits=limits) as client:
            ended: list[int] = []
            began = time.monotonic()

            async def ask(number: int) -> None:
                await client.complete("Hi", model=f"m{number % 3}:free")
                ended.append(number)

            await asyncio.gather(*(ask(number) for number in range(70)))
            # On its way to the server a request may lose no more than the time this really took.
            minute = 60 - (time.monotonic() - began)
            assert minute > 30
            times = [at for at, _ in server.arrivals]
            assert len(times) == 70
            for early, late in itertools.pairwise([*times[::20]]):
                assert late - early >= minute
            for first, last in zip(times, times[20:], strict=False):
                assert last - first >= minute
            for kind in range(3):
                mine = [number for number in ended if number % 3 == kind]
                assert mine == sorted(mine)
            assert client.stats().requests_last_minute <= 20

    run_jumping(main())


def test_tokens_per_minute_are_put_right_by_the_usage() -> None:
    """An estimate is replaced by what the answer says it used."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        limits = Limits(tokens_per_minute=1_000)
        server = LimitedServer(lambda: 1_000)
        async with server, client_of(server, limits=limits) as client:
            began = loop.time()
            for _ in range(9):  # each claims more than half of the minute, and uses a tenth
                await client.complete("Hi", model="m", max_tokens=100)
            assert loop.time() - began < 5
            assert client.stats().tokens_last_minute == 900
            await client.complete("Hi", model="m", max_tokens=600)
            assert loop.time() - began > 60

    run_jumping(main())


def test_tokens_per_minute_are_learnt_from_the_answers() -> None:
    """A request that sets no bound is reckoned with as what the model's answers took of late."""

    async def main() -> None:
        limits = Limits(tokens_per_minute=1_000)
        server = LimitedServer(lambda: 1_000)
        async with server, client_of(server, limits=limits) as client:
            await client.complete("Hi", model="m")  # takes 100
            server.seconds = 20
            tasks = [asyncio.create_task(client.complete("Hi", model="m")) for _ in range(12)]
            await asyncio.sleep(10)
            assert server.under_way == 9  # nobody knows yet what these take
            assert client.stats().tokens_last_minute == 1_000
            other = asyncio.create_task(client.complete("Hi", model="n"))
            await asyncio.sleep(1)
            assert server.under_way == 9  # the minute is full for all models
            await asyncio.gather(*tasks, other)

    run_jumping(main())


def test_cancelled_waiters_give_their_place_to_the_next() -> None:
    """Who leaves the line before a full minute has not used anything of it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = LimitedServer(lambda: 1_000)
        async with server, client_of(server, limits=Limits(requests_per_minute=1)) as client:
            await client.complete("Hi", model="m")
            began = loop.time()
            tasks = [asyncio.create_task(client.complete("Hi", model="m")) for _ in range(10)]
            await asyncio.sleep(1)
            for task in tasks[:-1]:
                task.cancel()
            await tasks[-1]
            assert 58 < loop.time() - began < 62
            await asyncio.gather(*tasks, return_exceptions=True)

    run_jumping(main())


def test_a_copy_begins_with_nothing() -> None:
    """A pickled client takes its limits along, not its pauses and permits."""
    limits = Limits(adaptive=True, requests_per_minute=5)
    client = OpenRouter(KEY, base_url="http://127.0.0.1:9", limits=limits)
    copy = pickle.loads(pickle.dumps(client))
    assert copy.stats().requests_last_minute == 0
    assert copy._sender._limiter._adaptive is not None


@pytest.mark.parametrize("how", ["aclose", "drain"])
def test_a_closed_client_keeps_nobody_waiting(how: str) -> None:
    """Who waits at the gate when the client is closed is told so, not left to wait it out."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with await closed_until(50, 50) as server:
            client = client_of(server)
            waiting = [asyncio.create_task(client.complete("Hi", model="m")) for _ in range(5)]
            while client.stats().held_back < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            await (client.aclose() if how == "aclose" else client.drain(1))
            for task in waiting:
                with pytest.raises(RuntimeError, match="closed"):
                    await task
            assert loop.time() - began < 40
            assert server.refused == 5

    run_jumping(main())
