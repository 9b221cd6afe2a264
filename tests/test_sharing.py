"""One upstream and many readers: each sees the whole answer at its own pace, and leaving is cheap."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing
from typing import Any

import pytest

from openrouter_async import (
    ChatStream,
    LaggedError,
    OpenRouter,
    SharedReader,
    SharedStream,
    StreamBrokenError,
    Timeouts,
)
from openrouter_async.errors import RateLimitError, WireIdleTimeout
from openrouter_async.testing import Emulator, Hold, chat, error_chunk, http_error
from tests.quiet import KEY, assert_nothing_leased, assert_serves, other_tasks, silence

WORDS = [f"{number} " for number in range(100)]
ANSWER = chat(*WORDS)
CHUNKS = len(WORDS) + 2  # the finish reason, and the usage


@pytest.fixture
def threaded() -> Generator[Emulator]:
    """An emulator in another thread, so that every task of this loop is the client's."""
    with Emulator.in_thread() as emulator:
        yield emulator


@pytest.fixture
async def client(threaded: Emulator) -> AsyncIterator[OpenRouter]:
    """A client of the emulator; after the test nothing of it runs and nothing is in use."""
    with silence(asyncio.get_running_loop()):
        async with OpenRouter(KEY, base_url=threaded.base_url) as client:
            yield client
            await threaded.wait_for(lambda: not other_tasks())
            await threaded.wait_for(lambda: client.stats().leased == 0)
            assert_nothing_leased(client)


async def texts(reader: SharedReader | SharedStream) -> list[str]:
    """Read to the end."""
    return [chunk.text async for chunk in reader if chunk.text]


async def first(reader: SharedReader, count: int) -> list[str]:
    """Read a few chunks."""
    return [(await anext(reader)).text for _ in range(count)]


# What readers see.


async def test_every_reader_sees_the_whole_answer(client: OpenRouter, threaded: Emulator) -> None:
    """Readers that run side by side give the same chunks, and one request was sent."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share()
    answers = await asyncio.gather(*(texts(shared) for _ in range(5)))
    assert answers == [WORDS] * 5
    assert threaded.accepted == 1
    assert shared.stream.ending == "complete"
    assert shared.received == CHUNKS
    assert shared.readers == 0


async def test_chunks_are_shared_not_copied(client: OpenRouter, threaded: Emulator) -> None:
    """Readers are given the very same objects, decoded once."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share()
    one = [chunk async for chunk in shared]
    two = [chunk async for chunk in shared]
    assert all(a is b for a, b in zip(one, two, strict=True))


async def test_a_reader_that_comes_back_goes_on_where_it_was(
    client: OpenRouter, threaded: Emulator
) -> None:
    """One joins at 0, one at 50, one leaves and comes back at 30: all see the same sequence."""
    threaded.always(ANSWER.after(60, Hold()))
    shared = client.stream("Hi", model="m").share()
    early = shared.reader()
    seen = await first(early, 30)
    assert early.index == 30
    watcher = shared.reader(50)
    early.close()
    watching = asyncio.create_task(texts(watcher))
    back = asyncio.create_task(texts(shared.reader(30)))
    await threaded.wait_for(lambda: shared.received == 60)
    threaded.release()
    assert seen + await back == WORDS
    assert await watching == WORDS[50:]
    assert threaded.accepted == 1


async def test_a_reader_that_comes_after_the_end(client: OpenRouter, threaded: Emulator) -> None:
    """What is kept is replayed from any index, and then it ends."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share()
    assert await texts(shared) == WORDS
    assert await texts(shared.reader(97)) == WORDS[97:]
    assert await texts(shared.reader(CHUNKS)) == []
    assert await texts(shared.reader(CHUNKS + 50)) == []


async def test_a_reader_that_comes_too_early(client: OpenRouter, threaded: Emulator) -> None:
    """An index that has not come yet is waited for."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share()
    assert await texts(shared.reader(90)) == WORDS[90:]


async def test_nothing_is_sent_before_a_reader_asks(client: OpenRouter, threaded: Emulator) -> None:
    """Sharing, making readers and dropping them send nothing and close nothing."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share()
    del_me = shared.reader()
    assert shared.readers == 1
    del del_me
    assert (shared.readers, threaded.accepted) == (0, 0)
    assert await texts(shared) == WORDS


async def test_the_upstream_is_not_read_ahead_of_its_readers(
    client: OpenRouter, threaded: Emulator
) -> None:
    """While no reader waits, nothing more is taken from the socket."""
    threaded.always(chat("a", "b", "c").after(1, Hold()).after(2, Hold()))
    shared = client.stream("Hi", model="m").share()
    reader = shared.reader()
    assert await first(reader, 1) == ["a"]
    threaded.release(2)
    await threaded.wait_for(lambda: threaded.requests[0].finished)
    assert shared.received == 1
    assert await texts(reader) == ["b", "c"]


async def test_started_before_it_is_shared(client: OpenRouter, threaded: Emulator) -> None:
    """A refusal shows before anybody reads, and the first chunk is not lost over it."""
    threaded.always(ANSWER)
    stream = await client.stream("Hi", model="m").start()
    assert await texts(stream.share()) == WORDS


async def test_collect_beside_readers(client: OpenRouter, threaded: Emulator) -> None:
    """The whole answer is to be had beside readers and after them."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share()
    _, completion = await asyncio.gather(texts(shared), shared.collect())
    assert completion.text == (await shared.collect()).text == "".join(WORDS)
    bare = client.stream("Hi", model="m", accumulate=False).share()
    with pytest.raises(RuntimeError, match="accumulate"):
        await bare.collect()


# Pace.


async def test_a_slow_reader_does_not_stall_the_others(
    client: OpenRouter, threaded: Emulator
) -> None:
    """One that stands still within what is kept costs the others nothing and loses nothing."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share(keep=CHUNKS)
    slow = shared.reader()
    begun = await first(slow, 1)
    assert await texts(shared) == WORDS
    assert begun + await texts(slow) == WORDS


async def test_a_reader_too_slow_is_dropped(client: OpenRouter, threaded: Emulator) -> None:
    """Who falls behind what is kept is told so, with the place where it can go on."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share(keep=10)
    slow = shared.reader()
    await first(slow, 1)
    assert await texts(shared) == WORDS
    with pytest.raises(LaggedError, match="chunk 1 ") as caught:
        await anext(slow)
    assert (caught.value.index, caught.value.first) == (1, CHUNKS - 10)
    assert shared.readers == 0
    assert [chunk async for chunk in slow] == []
    with pytest.raises(LaggedError):
        shared.reader(CHUNKS - 11)
    assert await texts(shared.reader(caught.value.first)) == WORDS[CHUNKS - 10 :]
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.index, copy.first) == (1, CHUNKS - 10)


async def test_a_burst_drops_nobody_who_keeps_up(client: OpenRouter, threaded: Emulator) -> None:
    """Chunks that come in one read do not run past readers that take them at once."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share(keep=1)
    answers = await asyncio.gather(*(texts(shared) for _ in range(3)))
    assert answers == [WORDS] * 3


async def test_a_slow_reader_holds_the_upstream_back(
    client: OpenRouter, threaded: Emulator
) -> None:
    """With slow="wait" nobody loses a chunk: the fast one waits for the slow one."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share(keep=10, slow="wait")
    slow = shared.reader()
    begun = await first(slow, 1)
    fast = asyncio.create_task(texts(shared))
    await threaded.wait_for(lambda: shared.received == 11)
    for _ in range(20):
        await asyncio.sleep(0)
    assert shared.received == 11
    assert begun + await texts(slow) == WORDS
    assert await fast == WORDS


async def test_the_slow_reader_goes_away(client: OpenRouter, threaded: Emulator) -> None:
    """When the one that held the upstream back leaves, it flows again."""
    threaded.always(ANSWER)
    shared = client.stream("Hi", model="m").share(keep=10, slow="wait")
    slow = shared.reader()
    await first(slow, 1)
    fast = asyncio.create_task(texts(shared))
    await threaded.wait_for(lambda: shared.received == 11)
    slow.close()
    assert await fast == WORDS


@pytest.mark.parametrize("slow", ["drop", "wait"])
async def test_bytes_bound_what_is_kept(client: OpenRouter, threaded: Emulator, slow: Any) -> None:
    """Large chunks are kept by their bytes; one alone may be larger than the bound."""
    pictures = [bytes([number]) * 20_000 for number in range(10)]
    threaded.always(chat(images=pictures))
    shared = client.stream("Hi", model="m").share(max_buffer=60_000, slow=slow)
    images = [image async for chunk in shared for image in chunk.images]
    assert len(images) == 10
    with pytest.raises(LaggedError):
        shared.reader(7)
    tight = client.stream("Hi", model="m").share(max_buffer=1, slow=slow)
    answers = await asyncio.gather(*(_pictures(tight) for _ in range(2)))
    assert answers == [10, 10]


async def _pictures(shared: SharedStream) -> int:
    return len([image async for chunk in shared for image in chunk.images])


async def test_a_thousand_readers(client: OpenRouter, threaded: Emulator) -> None:
    """Each of a thousand sees everything, with one task for the upstream and none a reader."""
    threaded.always(chat("a", "b", "c").hold_after(1))
    shared = client.stream("Hi", model="m").share()
    reading = {asyncio.create_task(texts(shared)) for _ in range(1_000)}
    await threaded.wait_for(lambda: shared.received == 1)
    assert len(other_tasks() - reading) == 1
    threaded.release()
    assert await asyncio.gather(*reading) == [["a", "b", "c"]] * 1_000
    assert threaded.accepted == 1


# Failures.


async def test_a_failure_reaches_every_reader(client: OpenRouter, threaded: Emulator) -> None:
    """Each gets what had come, then an exception of its own, with the partial answer."""
    threaded.always(chat("a", "b", "c").cut_after(2))
    shared = client.stream("Hi", model="m").share()
    errors: list[StreamBrokenError] = []

    async def read() -> list[str]:
        reader = shared.reader()
        seen = await first(reader, 2)
        with pytest.raises(StreamBrokenError) as caught:
            await anext(reader)
        errors.append(caught.value)
        return seen

    for seen in await asyncio.gather(read(), read(), read()):
        assert seen == ["a", "b"]
    assert await read() == ["a", "b"]
    assert len({id(error) for error in errors}) == 4
    for error in errors:
        assert error.partial is not None
        assert (error.partial.text, error.phase, error.billed) == ("ab", "body", "unknown")
        assert error.__cause__ is errors[0].__cause__
    with pytest.raises(StreamBrokenError):
        await shared.collect()
    assert threaded.accepted == 1


async def test_a_refusal_reaches_every_reader(client: OpenRouter, threaded: Emulator) -> None:
    """An error before the first chunk is everybody's first thing."""
    threaded.always(http_error(429, "Slow down", headers={"Retry-After": "3600"}))
    shared = client.stream("Hi", model="m").share()
    results = await asyncio.gather(*(texts(shared) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [RateLimitError] * 3


async def test_an_error_in_the_same_read_as_chunks(client: OpenRouter, threaded: Emulator) -> None:
    """Chunks that came together with an error event are not lost with it."""
    threaded.always(chat("a", "b", "c").error_after(3, error_chunk(429, "Slow down")))
    shared = client.stream("Hi", model="m").share()
    reader = shared.reader()
    assert await first(reader, 3) == ["a", "b", "c"]
    with pytest.raises(RateLimitError, match="Slow down"):
        await anext(reader)


async def test_silence_is_measured_over_all_waits(threaded: Emulator) -> None:
    """Readers that give up and ask again, as for a heartbeat, do not put the deadline off."""
    threaded.always(chat("a", "b").stall_after(1))
    timeouts = Timeouts(wire_idle=0.3)
    async with OpenRouter(KEY, base_url=threaded.base_url, timeouts=timeouts) as client:
        reader = client.stream("Hi", model="m").share().reader()
        assert await first(reader, 1) == ["a"]
        beats = 0
        with pytest.raises(WireIdleTimeout):
            while True:
                try:
                    async with asyncio.timeout(0.05):
                        await anext(reader)
                except TimeoutError:
                    beats += 1
        assert 1 <= beats <= 8


async def test_misuse_of_the_client_is_told(client: OpenRouter) -> None:
    """What is no failure of the API reaches the readers as it is."""
    stream = client.stream("Hi", model="m")
    await client.aclose()
    with pytest.raises(RuntimeError, match="client is closed"):
        await texts(stream.share())


# Leaving.


@pytest.mark.parametrize("how", ["break", "close", "aclosing", "cancel", "an exception"])
async def test_the_last_one_to_leave_closes_the_upstream(
    client: OpenRouter, threaded: Emulator, how: str
) -> None:
    """However it leaves, the server is told at once; that another left before changes nothing."""
    threaded.always(chat("a", "b").stall_after(1))
    shared = client.stream("Hi", model="m").share()
    other = shared.reader()
    async for _ in shared:
        break
    assert shared.readers == 1
    assert threaded.disconnects == 0
    if how == "close":
        other.close()
        other.close()
    elif how == "aclosing":
        async with aclosing(other):
            await first(other, 1)
    elif how == "cancel":
        task = asyncio.create_task(texts(other))
        del other
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        del task
    else:
        del other
    assert shared.stream.ending == "left"
    await threaded.wait_for(lambda: threaded.disconnects == 1)
    assert await first(shared.reader(), 1) == ["a"]
    with pytest.raises(RuntimeError, match="closed before its answer had ended"):
        await texts(shared)


async def test_the_answer_is_finished_without_readers(
    client: OpenRouter, threaded: Emulator
) -> None:
    """With "finish" the answer is read to its end, for whoever comes later."""
    threaded.always(ANSWER.hold_after(50))
    shared = client.stream("Hi", model="m").share(when_last_leaves="finish")
    async for _ in shared:
        break
    threaded.release()
    await threaded.wait_for(lambda: shared.stream.ending == "complete")
    assert await texts(shared) == WORDS


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_while_to_come_back(
    client: OpenRouter, threaded: Emulator, comes_back: bool
) -> None:
    """With seconds the upstream stays open that long, and no longer."""
    threaded.always(ANSWER.hold_after(50))
    seconds = 30.0 if comes_back else 0.05
    shared = client.stream("Hi", model="m").share(when_last_leaves=seconds)
    async for _ in shared:
        break
    assert shared.stream.ending is None
    if comes_back:
        reader = shared.reader(1)
        threaded.release()
        assert await texts(reader) == WORDS[1:]
    else:
        await threaded.wait_for(lambda: threaded.disconnects == 1)
        assert shared.stream.ending == "left"


async def test_closing_ends_every_reader(client: OpenRouter, threaded: Emulator) -> None:
    """`close` stops the upstream for all; who waits is told so, and it may be done twice."""
    threaded.always(chat("a", "b").stall_after(1))
    async with client.stream("Hi", model="m").share() as shared:
        waiting = [asyncio.create_task(texts(shared)) for _ in range(3)]
        await threaded.wait_for(lambda: shared.received == 1)
    await shared.aclose()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [RuntimeError] * 3
    await threaded.wait_for(lambda: threaded.disconnects == 1)


async def test_closing_before_anything(client: OpenRouter, threaded: Emulator) -> None:
    """A shared stream that was closed sends nothing any more."""
    shared = client.stream("Hi", model="m").share()
    shared.close()
    with pytest.raises(RuntimeError, match="closed"):
        await texts(shared)
    assert threaded.accepted == 0


async def test_closing_while_it_is_opened(client: OpenRouter, threaded: Emulator) -> None:
    """Leaving while the request is on its way takes it back, and nothing is logged about it."""
    threaded.always(ANSWER.before_head(Hold()))
    shared = client.stream("Hi", model="m").share()
    reading = asyncio.create_task(texts(shared))
    await threaded.wait_for(lambda: threaded.holding == 1)
    reading.cancel()
    await asyncio.wait([reading])
    del reading
    await threaded.wait_for(lambda: threaded.disconnects == 1)
    assert shared.stream.ending == "left"


async def test_a_reader_closed_while_it_waits(client: OpenRouter, threaded: Emulator) -> None:
    """A reader that another task closes ends at once; the others go on."""
    threaded.always(chat("a", "b").hold_after(1))
    shared = client.stream("Hi", model="m").share()
    one, other = shared.reader(), asyncio.create_task(texts(shared))
    task = asyncio.create_task(texts(one))
    await threaded.wait_for(lambda: one.index == 1)
    one.close()
    assert await task == ["a"]
    threaded.release()
    assert await other == ["a", "b"]


# Cancellation.


@pytest.mark.parametrize("at", [0, 1])
async def test_the_first_reader_is_cancelled(
    client: OpenRouter, threaded: Emulator, at: int
) -> None:
    """The one that began the request or the read is cancelled amid it; the others lose nothing."""
    threaded.always(ANSWER.before_head(Hold()) if at == 0 else ANSWER.hold_after(at))
    shared = client.stream("Hi", model="m").share()
    leader = asyncio.create_task(texts(shared))
    await threaded.wait_for(lambda: threaded.holding == 1 and shared.received == at)
    others = [asyncio.create_task(texts(shared)) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    threaded.release()
    assert await asyncio.gather(*others) == [WORDS] * 3
    assert threaded.accepted == 1


async def test_a_wait_that_is_cancelled_loses_nothing(
    client: OpenRouter, threaded: Emulator
) -> None:
    """The same reader asks again after a timeout and goes on where it was."""
    threaded.always(ANSWER.hold_after(1))
    reader = client.stream("Hi", model="m").share().reader()
    seen = await first(reader, 1)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(reader)
    threaded.release()
    assert seen + await texts(reader) == WORDS


async def test_the_reading_task_is_cancelled(client: OpenRouter, threaded: Emulator) -> None:
    """Who cancels every task of a loop ends the upstream too, and nobody waits for ever."""
    for number, reply in enumerate((ANSWER.hold_after(1), ANSWER.before_head(Hold()))):
        threaded.always(reply)
        shared = client.stream("Hi", model="m").share()
        reading = asyncio.create_task(texts(shared))
        await threaded.wait_for(lambda: threaded.holding == 1)
        for task in other_tasks() - {reading}:
            task.cancel()
        with pytest.raises(RuntimeError, match="closed"):
            await reading
        await threaded.requests[number].disconnected.wait()


def test_a_loop_that_ends_takes_it_along(threaded: Emulator) -> None:
    """A reader, a timer and an upstream that outlive their loop complain about nothing."""
    threaded.always(ANSWER.hold_after(1))
    client = OpenRouter(KEY, base_url=threaded.base_url)

    async def begin() -> SharedReader:
        shared = client.stream("Hi", model="m").share(when_last_leaves=30.0)
        reader = shared.reader()
        await anext(reader)
        async for _ in client.stream("Hi", model="m").share(when_last_leaves=30.0):
            break
        return reader

    reader = asyncio.run(begin())
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(texts(reader))


# What stays.


async def test_nothing_stays_for_the_garbage_collector(
    client: OpenRouter, threaded: Emulator
) -> None:
    """Ended, failed, left and finished ones are freed by reference counting alone."""
    gc.collect()
    gc.disable()
    try:
        for reply in (ANSWER, chat("a", "b").cut_after(1), http_error(400, "No"), ANSWER):
            threaded.always(reply)
            await _use(client)
        threaded.always(ANSWER)
        async for _ in client.stream("Hi", model="m").share(when_last_leaves="finish"):
            break
        await threaded.wait_for(lambda: not other_tasks())
        kinds = (ChatStream, SharedReader, SharedStream)
        assert [value for value in gc.get_objects() if isinstance(value, kinds)] == []
    finally:
        gc.enable()
    await assert_serves(client, threaded)


async def _use(client: OpenRouter) -> None:
    shared = client.stream("Hi", model="m").share()
    await asyncio.gather(texts(shared), texts(shared), return_exceptions=True)


async def test_what_it_shows(client: OpenRouter) -> None:
    """Its repr tells how far it is, and no prompt."""
    shared = client.stream("A secret", model="m").share()
    assert repr(shared).startswith("<SharedStream: 0 chunks, 0 readers, of <ChatStream:")
    assert "secret" not in repr(shared)


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"keep": 0}, ValueError),
        ({"keep": "all"}, TypeError),
        ({"keep": True}, TypeError),
        ({"max_buffer": 0}, ValueError),
        ({"max_buffer": 1.5}, TypeError),
        ({"slow": "never"}, ValueError),
        ({"when_last_leaves": "stay"}, ValueError),
        ({"when_last_leaves": -1}, ValueError),
        ({"when_last_leaves": float("inf")}, ValueError),
        ({"when_last_leaves": None}, TypeError),
    ],
)
async def test_wrong_arguments(
    client: OpenRouter, threaded: Emulator, arguments: dict[str, Any], kind: type[Exception]
) -> None:
    """Each is refused by its name, and the stream can still be used."""
    threaded.always(ANSWER)
    stream = client.stream("Hi", model="m")
    with pytest.raises(kind, match=next(iter(arguments))):
        stream.share(**arguments)
    assert (await stream).text


@pytest.mark.parametrize(("start", "kind"), [(-1, ValueError), ("0", TypeError), (True, TypeError)])
async def test_wrong_starts(client: OpenRouter, start: Any, kind: type[Exception]) -> None:
    """A start that is no index is refused."""
    with pytest.raises(kind, match="start"):
        client.stream("Hi", model="m").share().reader(start)


async def test_a_stream_has_one_kind_of_reader(client: OpenRouter, threaded: Emulator) -> None:
    """A shared stream cannot be looped over, nor a looped one shared."""
    stream = client.stream("Hi", model="m")
    stream.share()
    with pytest.raises(RuntimeError, match="looped over once"):
        stream.text()
    with pytest.raises(RuntimeError, match="looped over once"):
        stream.share()


async def test_another_loop_is_refused(client: OpenRouter, threaded: Emulator) -> None:
    """Readers of another event loop are told that they cannot read here."""
    threaded.always(chat("a", "b").hold_after(1))
    shared = client.stream("Hi", model="m").share()
    reader = shared.reader()
    await anext(reader)
    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(lambda: asyncio.run(texts(shared)))
    shared.close()
