"""Many requests: what comes out, how many at a time, and that leaving leaves nothing running."""

from __future__ import annotations

import asyncio
import gc
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, assert_type

import msgspec
import pytest

from openrouter_async import Adaptive, ChatCompletion, Limits, OpenRouter, ParsedCompletion
from openrouter_async.batch import ChatRequest, MapResult, MapRun, Request
from openrouter_async.errors import BadRequestError
from openrouter_async.testing import Emulator, chat, http_error
from tests.quiet import KEY, assert_nothing_leased, settled, silence

HERE = Path(__file__).parent


class Source:
    """Prompts without end, or so many, which counts how many were asked for."""

    def __init__(self, count: int = 10**9) -> None:
        self.asked = 0
        self.count = count

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.asked >= self.count:
            raise StopIteration
        self.asked += 1
        return f"prompt {self.asked - 1}"


class AsyncSource(Source):
    """The same as an async iterator."""

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        await asyncio.sleep(0)
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None


def prompts_of(emulator: Emulator) -> list[str]:
    """The prompts that arrived, in order."""
    return [request.json["messages"][-1]["content"] for request in emulator.requests]


def senders() -> list[asyncio.Task[Any]]:
    """The tasks of any run in this loop."""
    return [task for task in asyncio.all_tasks() if "_Crew" in repr(task.get_coro())]


# What comes out.


async def plain(count: int) -> AsyncIterator[str]:
    """Prompts from an async generator."""
    for number in range(count):
        yield f"prompt {number}"


SOURCES: dict[str, Callable[[int], Any]] = {
    "list": lambda count: [f"prompt {number}" for number in range(count)],
    "generator": lambda count: (f"prompt {number}" for number in range(count)),
    "iterator": Source,
    "async iterator": lambda count: aiter(AsyncSource(count)),
    "async generator": plain,
}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("kind", SOURCES)
async def test_every_request_has_one_result(
    client: OpenRouter, emulator: Emulator, kind: str, ordered: bool
) -> None:
    """Whatever gives the requests, each is sent once and has one result with its index."""
    emulator.always(chat("a", "b"))
    source: Iterable[str] = SOURCES[kind](25)
    run = client.map(source, concurrency=4, ordered=ordered, model="m")
    results = [result async for result in run]
    assert sorted(result.index for result in results) == list(range(25))
    assert all(result.request == f"prompt {result.index}" for result in results)
    assert all(result.error is None and result.unwrap().text for result in results)
    assert sorted(prompts_of(emulator)) == sorted(f"prompt {number}" for number in range(25))
    assert not senders()


async def test_nothing_to_do(client: OpenRouter) -> None:
    """No request, no result, and the end stays the end."""
    nothing: list[str] = []
    run = client.map(nothing)
    assert [result async for result in run] == []
    with pytest.raises(StopAsyncIteration):
        await anext(run)


async def test_requests_are_prompts_mappings_and_structs(
    client: OpenRouter, emulator: Emulator
) -> None:
    """A request says what it wants, and what all have in common holds for the rest."""
    requests: list[Request] = [
        "one",
        {"messages": [{"role": "user", "content": "two"}], "temperature": 0},
        ChatRequest("three", model="other", max_tokens=5),
        {"messages": "four", "model": "third"},
    ]
    run = client.map(requests, ordered=True, concurrency=1, model="m", temperature=1)
    async for result in run:
        assert result.request is requests[result.index]
    sent = [request.json for request in emulator.requests]
    assert [body["model"] for body in sent] == ["m", "m", "other", "third"]
    assert [body["temperature"] for body in sent] == [1, 0, 1, 1]
    assert sent[2]["max_tokens"] == 5


async def test_typed_values(client: OpenRouter) -> None:
    """A type that all answers are to be of is asked for and read."""

    class Review(msgspec.Struct):
        stars: int

    async for result in client.map(["good", "bad"], response_type=Review):
        assert_type(result, MapResult[str, ParsedCompletion[Review]])
        assert isinstance(result.unwrap().parsed, Review)
    async for plain in client.map([ChatRequest("x")]):
        assert_type(plain, MapResult[ChatRequest, ChatCompletion])


async def test_one_failure_is_one_result(client: OpenRouter, emulator: Emulator) -> None:
    """An error of the API stands in its result, and the rest goes on."""
    emulator.play(chat("a"), http_error(400, "no such thing"), chat("b"))
    run = client.map(iter("abc"), concurrency=1, model="m")
    results = [result async for result in run]
    assert [type(result.error) for result in results] == [type(None), BadRequestError, type(None)]
    assert results[1].value is None
    with pytest.raises(BadRequestError, match="no such thing"):
        results[1].unwrap()
    assert "no such thing" not in repr(results[1])


async def test_what_is_no_request_is_a_result_too(client: OpenRouter) -> None:
    """A request that is wrong gives an error that says why, with its index, and is not sent."""
    wrong: list[Any] = [
        "fine",
        7,
        {"model": "m"},
        {"messages": "x", "temprature": 1},
        {"messages": "x", "temperature": "hot"},
        "",
    ]
    results = [result async for result in client.map(wrong, ordered=True)]
    said = [str(result.error) for result in results]
    assert said[0] == "None"
    assert "a request must be a str, a mapping" in said[1]
    assert "must have 'messages'" in said[2]
    assert "temperature" in said[3]
    assert "temperature" in said[4]
    assert "messages must not be empty" in said[5]
    assert all(isinstance(result.error, TypeError | ValueError) for result in results[1:])


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("one prompt",), TypeError, "got one str"),
        (({"messages": "x"},), TypeError, "got one dict"),
        ((7,), TypeError, "got int"),
    ],
)
async def test_wrong_arguments_raise_at_the_call(
    client: OpenRouter, arguments: tuple[Any, ...], error: type[Exception], said: str
) -> None:
    """One request in place of many is refused before anything is sent."""
    with pytest.raises(error, match=said):
        client.map(*arguments)


async def test_a_misspelt_keyword_raises_at_the_call(client: OpenRouter) -> None:
    """A misspelt keyword fails the call and not each of its requests."""
    given: dict[str, Any] = {"concurency": 3}
    with pytest.raises(TypeError, match="did you mean 'concurrency'"):
        client.map(["Hi"], **given)
    with pytest.raises(TypeError, match="did you mean 'concurrency'"):
        ChatRequest("Hi", **given)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "4"])
async def test_wrong_concurrency_raises_at_the_call(client: OpenRouter, concurrency: Any) -> None:
    """The number at a time is a whole number from 1 on."""
    with pytest.raises((TypeError, ValueError), match="concurrency must be"):
        client.map([], concurrency=concurrency)


async def test_in_order(client: OpenRouter, emulator: Emulator) -> None:
    """In order, a slow first answer holds back the others, within a bound."""
    emulator.play(chat("slow").hold_after(1))
    source = Source()
    run = client.map(source, concurrency=3, ordered=True)
    first = asyncio.ensure_future(anext(run))
    await settled(lambda: source.asked == 6)
    await asyncio.sleep(0.05)
    assert source.asked == 6  # twice as many as there are at once
    assert not first.done()
    emulator.release()
    indices = [(await first).index] + [(await anext(run)).index for _ in range(9)]
    assert indices == list(range(10))
    await run.aclose()


async def test_as_they_come(client: OpenRouter, emulator: Emulator) -> None:
    """Otherwise a slow answer holds back nobody."""
    emulator.play(chat("slow").hold_after(1))
    indices: list[int] = []
    async for result in client.map(Source(10), concurrency=2):
        indices.append(result.index)
        if len(indices) == 9:
            emulator.release()
    assert indices == [*range(1, 10), 0]


# How many at a time.


async def test_no_more_at_once_than_asked_for(client: OpenRouter, emulator: Emulator) -> None:
    """So many are under way, and the source is not read ahead."""
    emulator.always(chat("a", "b").hold_after(1))
    source = Source(20)
    run = client.map(source, concurrency=5)
    first = asyncio.ensure_future(anext(run))
    await emulator.wait_for(lambda: emulator.holding == 5)
    await asyncio.sleep(0.05)
    assert (emulator.holding, source.asked, emulator.accepted) == (5, 5, 5)
    emulator.release(20)
    await first
    assert len([result async for result in run]) == 19


@pytest.mark.parametrize("kind", [Source, AsyncSource])
async def test_a_slow_reader_slows_the_source(
    client: OpenRouter, emulator: Emulator, kind: type[Source]
) -> None:
    """What was not looked at yet counts: nothing more is asked for meanwhile."""
    source = kind()
    run = client.map(source, concurrency=4)
    for taken in range(3):
        await anext(run)

        def is_asked(expected: int = 4 + taken) -> bool:
            return source.asked == expected

        await settled(is_asked)
        await asyncio.sleep(0.02)
        assert source.asked == 4 + taken
        assert emulator.accepted == 4 + taken
    await run.aclose()


async def test_few_requests_take_few_tasks(client: OpenRouter, emulator: Emulator) -> None:
    """A task is added when there is something for it to do, whatever the limit is."""
    emulator.always(chat("a", "b").hold_after(1))
    run = client.map(["a", "b"])
    first = asyncio.ensure_future(anext(run))
    await emulator.wait_for(lambda: emulator.holding == 2)
    assert len(run._crew.tasks) == 2
    emulator.release(2)
    await first
    assert len([result async for result in run]) == 1
    assert not senders()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(max_connections=3), 3),
        (Limits(max_connections=30, adaptive=Adaptive(most=7)), 7),
        (Limits(max_connections=30, adaptive=True), 30),
    ],
)
async def test_the_limits_say_how_many(emulator: Emulator, limits: Limits, expected: int) -> None:
    """Without a number there are as many as the client's limits allow."""
    source = Source()
    emulator.always(chat("a", "b").hold_after(1))
    async with (
        OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client,
        client.map(source) as run,
    ):
        first = asyncio.ensure_future(anext(run))
        await emulator.wait_for(lambda: emulator.holding == expected)
        await asyncio.sleep(0)  # one more would have been asked for by now
        assert source.asked == expected
        first.cancel()


async def test_memory_does_not_grow(tmp_path: Path) -> None:
    """Five thousand requests take no more memory than five hundred."""
    with Emulator.in_thread() as emulator:
        emulator.always(chat("ok"))
        finished = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", MEASURE, emulator.base_url],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=HERE.parent,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr
    early, late = (int(word) for word in finished.stdout.split())
    assert late - early < 4_500, f"{early} objects after 500 results, {late} after 5,000"


# One object kept of each request would be 4,500.
MEASURE = """
import asyncio, gc, sys
from openrouter_async import OpenRouter

async def main():
    async with OpenRouter("sk-or-v1-test-key", base_url=sys.argv[1]) as client:
        count = 0
        async for result in client.map((f"prompt {n}" for n in range(5_000)), concurrency=50):
            assert result.error is None, result.error
            count += 1
            if count in (500, 5_000):
                gc.collect()
                print(sys.getallocatedblocks())

asyncio.run(main())
"""


# Leaving.


async def leave_by_break(run: MapRun[Any, Any]) -> None:
    """`break` out of the loop."""
    async for _ in run:
        break


async def leave_by_error(run: MapRun[Any, Any]) -> None:
    """Raise in the loop."""
    with pytest.raises(ZeroDivisionError):
        async for result in run:
            print(result.index / 0)


async def leave_by_cancelling(run: MapRun[Any, Any]) -> None:
    """Cancel the task that loops."""
    task = asyncio.create_task(leave_never(run))
    await settled(lambda: run._given > 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_never(run: MapRun[Any, Any]) -> None:
    """Read on."""
    async for _ in run:
        pass


async def leave_by_closing(run: MapRun[Any, Any]) -> None:
    """Step by hand, then `close`."""
    await anext(run)
    run.close()
    run.close()
    with pytest.raises(StopAsyncIteration):
        await anext(run)


async def leave_by_block(run: MapRun[Any, Any]) -> None:
    """Leave `async with`, which waits for the end."""
    async with run:
        await anext(run)
    assert not run._crew.tasks


async def leave_the_cursor(run: MapRun[Any, Any]) -> None:
    """Close the cursor."""
    cursor = aiter(run)
    await anext(cursor)
    await cursor.aclose()
    assert not run._crew.tasks


LEAVING = [
    leave_by_break,
    leave_by_error,
    leave_by_cancelling,
    leave_by_closing,
    leave_by_block,
    leave_the_cursor,
]


@pytest.mark.parametrize("leave", LEAVING, ids=lambda leave: leave.__name__)
@pytest.mark.parametrize("ordered", [False, True])
async def test_leaving_leaves_nothing_running(
    client: OpenRouter,
    emulator: Emulator,
    leave: Callable[[MapRun[Any, Any]], Any],
    ordered: bool,
) -> None:
    """By whatever way: tasks end, connections close, the source is asked for nothing more."""
    emulator.play(*[chat("quick")] * 6)
    emulator.always(chat("a", "b").hold_after(1))
    source = Source()
    with silence(asyncio.get_running_loop()):
        run = client.map(source, concurrency=3, ordered=ordered)
        await leave(run)  # `run` is still in a variable
        asked = source.asked
        await settled(lambda: not senders())
        await emulator.wait_for(lambda: emulator.holding == 0)
        assert_nothing_leased(client)
        assert source.asked == asked


async def test_dropping_a_run_ends_it(client: OpenRouter, emulator: Emulator) -> None:
    """A run that nobody holds any more is over, without the garbage collector."""
    emulator.play(chat("quick"))
    emulator.always(chat("a", "b").hold_after(1))
    gc.disable()
    try:
        run = client.map(Source(), concurrency=3)
        await anext(run)
        await emulator.wait_for(lambda: emulator.holding == 2)
        assert len(senders()) == 3
        del run
        await settled(lambda: not senders())
    finally:
        gc.enable()
    assert_nothing_leased(client)


async def test_a_generator_is_closed_with_the_run(client: OpenRouter) -> None:
    """Leaving drops the source at once, so that its `finally` runs."""
    closed: list[bool] = []

    def prompts() -> Iterator[str]:
        try:
            while True:
                yield "prompt"
        finally:
            closed.append(True)

    async for _ in client.map(prompts(), concurrency=2):
        break
    assert closed == [True]


async def test_waiting_may_be_cancelled_and_done_again(
    client: OpenRouter, emulator: Emulator
) -> None:
    """A deadline of the reader costs no result."""
    emulator.always(chat("a", "b").hold_after(1))
    run = client.map(Source(5), concurrency=5)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await anext(run)
    emulator.release(5)
    assert sorted([result.index async for result in run]) == [0, 1, 2, 3, 4]
    assert emulator.accepted == 5


async def test_several_readers_share_a_run(client: OpenRouter) -> None:
    """Each result goes to one of them, and the end to all."""
    run = client.map(Source(40), concurrency=4)
    shares: list[list[int]] = [[], [], []]

    async def read(share: list[int]) -> None:
        with suppress(StopAsyncIteration):
            while True:
                share.append((await anext(run)).index)

    await asyncio.gather(*map(read, shares))
    assert sorted(index for share in shares for index in share) == list(range(40))


async def test_a_reader_that_gives_up_passes_its_result_on() -> None:
    """Where it is cancelled in the moment in which it was woken, another one gets the result."""
    both_wait = asyncio.Event()

    async def send(number: int) -> int:
        await both_wait.wait()
        asyncio.get_running_loop().call_soon(readers[0].cancel)
        return number

    run = MapRun(range(2), send, concurrency=1)
    readers = [asyncio.ensure_future(anext(run)) for _ in range(2)]
    await asyncio.sleep(0)  # both have asked
    both_wait.set()
    async with asyncio.timeout(60):
        assert (await readers[1]).value == 0
    assert readers[0].cancelled()
    await run.aclose()


async def test_a_source_that_reads_ahead_serves_all_in_few_turns() -> None:
    """What it has at hand reaches all who wait for it without a turn of the loop for each."""
    many, begun = 64, 0
    all_are_sent, answered, read_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def pages() -> AsyncIterator[int]:
        for number in range(2 * many):
            if number == many:
                await read_on.wait()
            yield number

    async def send(number: int) -> int:
        nonlocal begun
        begun += 1
        if begun == many:
            all_are_sent.set()
        await answered.wait()
        return number

    async with MapRun(pages(), send, concurrency=many) as run:
        reading = asyncio.ensure_future(run.take())
        await all_are_sent.wait()
        answered.set()
        results = await reading
        while len(results) < many:
            results += await run.take()
        going_on = asyncio.ensure_future(run.take())
        for _ in range(3):  # all are in line by then
            await asyncio.sleep(0)
        read_on.set()
        turns = 0
        while begun < 2 * many:
            await asyncio.sleep(0)
            turns += 1
        assert turns < many / 2
        results += await going_on
        while group := await run.take():
            results += group
    assert sorted(result.index for result in results) == list(range(2 * many))
    assert all(result.index == result.value for result in results)


async def test_finish_lets_what_is_under_way_come(client: OpenRouter, emulator: Emulator) -> None:
    """After `finish` no request is asked for, and those that are under way have their results."""
    emulator.always(chat("a", "b").hold_after(1))
    source = Source()
    run = client.map(source, concurrency=3)
    first = asyncio.ensure_future(anext(run))
    await emulator.wait_for(lambda: emulator.holding == 3)
    run.finish()
    emulator.release(3)
    await first
    assert len([result async for result in run]) == 2
    assert source.asked == 3


# A source, a loop or a client that fails.


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_source_that_raises(
    client: OpenRouter, emulator: Emulator, is_async: bool, ordered: bool
) -> None:
    """Its error comes out of the loop, after the results of what was under way."""
    emulator.play(chat("slow", "er").hold_after(1))

    def prompts() -> Iterator[str]:
        yield from ("a", "b", "c")
        emulator.release()
        raise LookupError("the file is broken")

    async def awaited() -> AsyncIterator[str]:
        for prompt in prompts():
            yield prompt

    seen: list[int] = []
    with pytest.raises(LookupError, match="the file is broken"):
        async for result in client.map(
            awaited() if is_async else prompts(), concurrency=5, ordered=ordered
        ):
            seen += [result.index]
    assert sorted(seen) == [0, 1, 2]
    assert not senders()


async def test_a_run_is_looped_over_once(client: OpenRouter) -> None:
    """A second loop over the same run is misuse."""
    run = client.map(["a"])
    async for _ in run:
        pass
    with pytest.raises(RuntimeError, match="looped over already"):
        aiter(run)


async def test_a_closed_client_ends_the_run(client: OpenRouter) -> None:
    """That is no failure of an item: the loop raises, rather than giving an error for each."""
    seen: list[MapResult[str, ChatCompletion]] = []
    with pytest.raises(RuntimeError, match="closed"):
        async for result in client.map(Source(), concurrency=2):
            seen.append(result)
            if len(seen) == 4:
                await client.aclose()
    assert len(seen) < 10
    with pytest.raises(RuntimeError, match="closed"):
        client.map([])


async def test_workers_that_are_cancelled_by_others_do_not_hang(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Where somebody cancels every task of the loop, the reader is told and does not wait on."""
    emulator.always(chat("a", "b").hold_after(1))
    run = client.map(Source(), concurrency=2)
    first = asyncio.ensure_future(anext(run))
    await emulator.wait_for(lambda: emulator.holding == 2)
    for task in list(run._crew.tasks):
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await first


def test_a_run_may_outlive_its_loop() -> None:
    """Dropping a run after its loop has ended is silent."""
    with Emulator.in_thread() as emulator:

        async def begin() -> MapRun[str, ChatCompletion]:
            async with OpenRouter(KEY, base_url=emulator.base_url) as client:
                run = client.map(Source(), concurrency=2)
                await anext(run)
                return run

        run = asyncio.run(begin())
        assert repr(run) == "<MapRun: 1 results, 0 tasks>"
        del run
        gc.collect()


async def test_requests_and_results_pickle(client: OpenRouter) -> None:
    """They go to other processes and come back equal."""
    request = ChatRequest("Hi", model="openai/gpt-4o-mini", temperature=0)
    async for result in client.map([request]):
        copied = pickle.loads(pickle.dumps(result))
        assert copied.request == request
        assert copied.unwrap().text == result.unwrap().text
        assert (copied.index, copied.seconds) == (result.index, result.seconds)


def test_secrets_stay_out_of_what_is_printed() -> None:
    """No prompt is in the repr of a request or a result."""
    request = ChatRequest("what nobody may read", model="m")
    assert repr(request) == "ChatRequest(model='m')"
    error = ValueError("what nobody may read")
    result: MapResult[ChatRequest, ChatCompletion] = MapResult(0, request, None, error, 1)
    assert "nobody" not in repr(result)
    assert request == ChatRequest("what nobody may read", model="m")
