"""Fallback and hedging: the first answer that speaks is the only one, and nothing else stays open."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import pytest

from openrouter_async import (
    Budget,
    BudgetExceededError,
    ChatStream,
    OpenRouter,
    OpenRouterError,
    RateLimitError,
    RetryPolicy,
    StreamBrokenError,
    Timeouts,
)
from openrouter_async.errors import (
    AuthenticationError,
    ConnectError,
    FirstEventTimeout,
    PaymentRequiredError,
    PermissionDeniedError,
    ServerError,
    TotalTimeout,
)
from openrouter_async.testing import (
    Cut,
    Emulator,
    Hold,
    Pause,
    Reply,
    chat,
    completion,
    error_chunk,
    http_error,
    replay,
)
from tests.quiet import KEY, PNG, assert_nothing_leased, assert_serves, other_tasks, silence
from tests.stepping import Interrupted, cancel_this

SILENT = chat({"role": "assistant", "content": ""}, "too late").stall_after(1)
"""An answer that begins with a role, which says nothing, and then stands still."""
GOOD = chat({"role": "assistant", "content": ""}, "a", "b", "c", images=[PNG])
SOON = Timeouts(first_event=1.0)


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that would wait for long before it tried again."""
    retry = RetryPolicy(first_delay=30, max_delay=30)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


def asked(emulator: Emulator) -> list[str]:
    """The models that the server was asked for, in order."""
    return [request.json["model"] for request in emulator.requests]


def outcomes(stream: ChatStream) -> list[tuple[str | None, str]]:
    """What became of the requests of a stream."""
    return [(attempt.model, attempt.outcome) for attempt in stream.attempts]


async def assert_closed(client: OpenRouter, emulator: Emulator) -> None:
    """Nothing is leased, no task is left, and the next request succeeds."""
    await emulator.wait_for(lambda: client.stats().draining == 0)
    assert_nothing_leased(client)
    assert not [task for task in other_tasks() if "_listen" in repr(task)]
    await assert_serves(client, emulator)


# Fallback.


REFUSALS: dict[str, tuple[Reply, str]] = {
    "rate limited": (http_error(429, "Slow down", headers={"Retry-After": "30"}), "RateLimitError"),
    "overloaded": (http_error(503, "Busy"), "ServiceUnavailableError"),
    "no such model": (http_error(404, "No such model"), "NotFoundError"),
    "too long": (http_error(400, "Context too long"), "BadRequestError"),
    "late at the provider": (http_error(504, "Timeout"), "GatewayTimeoutError"),
    "refused in the stream": (replay(error_chunk(502, "Down")), "StreamBadGatewayError"),
    "silent": (SILENT, "FirstEventTimeout"),
    "without a head": (chat("x").before_head(Hold()), "FirstEventTimeout"),
}


@pytest.mark.parametrize(("reply", "error"), REFUSALS.values(), ids=REFUSALS)
async def test_the_next_model_answers_where_the_first_gives_none(
    reply: Reply, error: str, emulator: Emulator, client: OpenRouter
) -> None:
    """A model that refuses or stays silent gives way at once, and is told of in `attempts`."""
    emulator.play(reply, GOOD)
    stream = client.stream("Hi", model="a/first", fallback=["b/second"], timeouts=SOON)
    assert [text async for text in stream.text()] == ["a", "b", "c"]
    assert asked(emulator) == ["a/first", "b/second"]
    assert outcomes(stream) == [("a/first", "failed"), ("b/second", "won")]
    assert type(stream.attempts[0].error).__name__ == error
    assert stream.attempts[1].error is None
    assert all(attempt.seconds is not None for attempt in stream.attempts)
    assert stream.ending == "complete"
    assert stream.cost == 0.00015
    await assert_closed(client, emulator)


async def test_a_silent_answer_that_was_replaced_is_closed(
    emulator: Emulator, client: OpenRouter
) -> None:
    """The server sees the first one's connection go."""
    emulator.play(SILENT, GOOD)
    async with client.stream("Hi", fallback=["b"], timeouts=SOON):
        await emulator.wait_for(lambda: emulator.requests[0].disconnected)
        assert [bool(request.disconnected) for request in emulator.requests] == [True, False]


async def test_nothing_is_asked_again_once_something_was_said(
    emulator: Emulator, client: OpenRouter
) -> None:
    """An answer that breaks amid its text raises with what had come; reasoning is text too."""
    for reply in (chat("a", "b").cut_after(1), chat("b", reasoning="a").cut_after(1)):
        emulator.play(reply)
        before = emulator.accepted
        with pytest.raises(StreamBrokenError) as caught:
            await client.complete("Hi", model="a", fallback=["b"])
        assert emulator.accepted == before + 1
        assert caught.value.partial is not None
        assert caught.value.partial.text or caught.value.partial.reasoning


async def test_a_slow_reasoner_is_not_taken_for_dead(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Reasoning is progress: the deadline is one for the first delta."""
    emulator.play(chat("x", reasoning=["a", "b", "c"]).each(0.03))
    stream = client.stream("Hi", model="a", fallback=["b"], timeouts=SOON)
    assert (await stream).text == "x"
    assert asked(emulator) == ["a"]


async def test_all_but_the_last_are_tried_once(emulator: Emulator) -> None:
    """The last in line has the ordinary retries, as there is nothing else to try."""
    emulator.play(*[http_error(503, "Busy")] * 4, GOOD)
    retry = RetryPolicy(first_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        stream = client.stream("Hi", model="a", fallback=["b", "c"])
        assert (await stream).text == "abc"
    assert asked(emulator) == ["a", "b", "c", "c", "c"]
    assert [attempt.outcome for attempt in stream.attempts] == ["failed", "failed", "won"]


async def test_where_all_fail_the_last_error_knows_the_others(emulator: Emulator) -> None:
    """It is raised as it is, with the earlier ones in order, and counts every try."""
    emulator.play(http_error(429, "one"), SILENT, *[http_error(503, "three")] * 2)
    retry = RetryPolicy(first_delay=0.001, max_attempts=2)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        stream = client.stream("Hi", model="a", fallback=["b", "c"], timeouts=SOON)
        with pytest.raises(ServerError, match="three") as caught:
            await stream.collect()
    error = caught.value
    assert [type(earlier) for earlier in error.earlier] == [RateLimitError, FirstEventTimeout]
    assert error.attempts == 4
    assert (stream.ending, error.partial) == ("error", stream.partial)
    assert [attempt.outcome for attempt in stream.attempts] == ["failed"] * 3
    assert str(stream.attempts[2].error) == str(error)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (http_error(401, "No key"), AuthenticationError),
        (http_error(500, "Oops"), ServerError),
        (chat("a").before_head(Cut()), OpenRouterError),
    ],
    ids=["the key", "unknown", "no answer"],
)
async def test_what_another_model_cannot_mend_is_raised(
    reply: Reply, kind: type[OpenRouterError], emulator: Emulator, client: OpenRouter
) -> None:
    """A bad key is bad for all; what may have been taken is not asked for again by itself."""
    emulator.play(reply)
    with pytest.raises(kind) as caught:
        await client.complete("Hi", model="a", fallback=["b"])
    assert (emulator.accepted, caught.value.earlier) == (1, ())


async def test_unknown_failures_give_way_where_the_policy_says_so(emulator: Emulator) -> None:
    """`retry_unknown` is the word of someone who rather pays twice."""
    emulator.play(http_error(500, "Oops"), GOOD)
    retry = RetryPolicy(retry_unknown=True)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        assert (await client.complete("Hi", model="a", fallback=["b"])).text == "abc"


async def test_a_request_that_never_left_gives_way() -> None:
    """Where nobody listens, each is tried, and the last error is raised."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{unused.getsockname()[1]}/api/v1"
        retry = RetryPolicy(max_attempts=1)
        async with OpenRouter(KEY, base_url=base_url, retry=retry) as client:
            with pytest.raises(ConnectError) as caught:
                await client.complete("Hi", model="a", fallback=["b"])
    assert (caught.value.attempts, len(caught.value.earlier)) == (2, 1)


async def test_a_fallback_may_change_any_keyword(emulator: Emulator, client: OpenRouter) -> None:
    """A mapping replaces the call's keywords, also for the same model."""
    emulator.play(SILENT, GOOD)
    other = {"provider": {"order": ["azure"]}, "max_tokens": 5}
    await client.complete("Hi", model="a", temperature=0.5, fallback=[other], timeouts=SOON)
    first, second = (request.json for request in emulator.requests)
    assert second == {**first, **other}
    assert "fallback" not in first


async def test_the_deadline_of_all_is_one(emulator: Emulator, client: OpenRouter) -> None:
    """`total` is that of the whole call: it ends the race, and the later ones have what is left."""
    emulator.always(SILENT)
    with pytest.raises(TotalTimeout):
        await client.complete("Hi", model="a", fallback=["b"], timeouts=Timeouts(total=0.3))
    assert asked(emulator) == ["a"]
    waits = Timeouts(first_event=0.3, total=0.5)
    with pytest.raises(TotalTimeout) as caught:
        await client.complete("Hi", model="a", fallback=["b"], timeouts=waits)
    assert [type(error) for error in caught.value.earlier] == [FirstEventTimeout]


async def test_a_budget_lets_a_cheaper_model_answer(emulator: Emulator, client: OpenRouter) -> None:
    """A model that is too dear gives way like one that refuses."""
    budget = Budget(0.01)
    models = ["anthropic/claude-sonnet-4.5", "meta-llama/llama-3.3-70b-instruct:free"]
    emulator.play(chat("a", cost=0))
    stream = client.stream("Hi", model=models[0], fallback=models[1:], budget=budget)
    assert (await stream).text == "a"
    assert isinstance(stream.attempts[0].error, BudgetExceededError)
    assert (budget.spent, budget.reserved) == (0, 0)


# Hedging.


async def test_an_answer_that_speaks_in_time_is_alone(
    emulator: Emulator, client: OpenRouter
) -> None:
    """No second request is sent where none is needed."""
    emulator.play(GOOD.each(0.02))
    stream = client.stream("Hi", model="a", hedge_after=5)
    assert (await stream).text == "abc"
    assert outcomes(stream) == [("a", "won")]
    assert emulator.accepted == 1


async def test_the_second_answers_where_the_first_is_silent(
    emulator: Emulator, client: OpenRouter
) -> None:
    """The loser's connection is closed at once, though it has said its role already."""
    emulator.play(SILENT, GOOD)
    stream = client.stream("Hi", model="a", hedge_after=0.05)
    async with stream:
        await emulator.wait_for(lambda: emulator.requests[0].disconnected)
        assert client.stats().leased == 1
        assert [chunk.text async for chunk in stream] == ["", "a", "b", "c", "", "", ""]
    assert outcomes(stream) == [("a", "lost"), ("a", "won")]
    assert emulator.requests[0].body == emulator.requests[1].body
    assert stream.attempts[0].generation_id == SILENT.header("X-Generation-Id")
    assert stream.generation_id == GOOD.header("X-Generation-Id")
    assert stream.timing.first_delta is not None
    assert stream.timing.first_delta > 0.05
    await assert_closed(client, emulator)


async def test_the_first_may_still_win(emulator: Emulator, client: OpenRouter) -> None:
    """The one that speaks first is kept, whichever was sent first; the other one is closed."""
    emulator.play(chat("first").hold_after(0), chat("second").hold_after(0))
    stream = client.stream("Hi", model="a", fallback=["b"], hedge_after=0.01)
    reading = asyncio.create_task(stream.collect())
    await emulator.wait_for(lambda: emulator.holding == 2)
    emulator.release()
    assert (await reading).text == "first"
    await emulator.wait_for(lambda: emulator.requests[1].disconnected)
    assert outcomes(stream) == [("a", "won"), ("b", "lost")]
    await assert_closed(client, emulator)


async def _by_loop(stream: ChatStream) -> str:
    return "".join([chunk.text async for chunk in stream])


async def _by_await(stream: ChatStream) -> str:
    return (await stream).text


async def _by_text(stream: ChatStream) -> str:
    return "".join([text async for text in stream.text()])


async def _by_hand(stream: ChatStream) -> str:
    assert await stream.start() is stream
    text = ""
    while (chunk := await anext(stream, None)) is not None:
        text += chunk.text
    return text


async def _by_images(stream: ChatStream) -> str:
    assert [image.bytes async for image in stream.images()] == [PNG]
    assert stream.partial is not None
    return stream.partial.text


async def _by_raw(stream: ChatStream) -> str:
    assert b"".join([data async for data in stream.raw()]) == GOOD.body
    return "abc"


@pytest.mark.parametrize(
    "read",
    [_by_loop, _by_await, _by_text, _by_hand, _by_images, _by_raw],
    ids=lambda read: read.__name__,
)
@pytest.mark.parametrize("split", [None, 1, 700], ids=["events", "bytes", "lumps"])
async def test_every_spelling_gives_the_winner_whole_and_unmixed(
    read: Callable[[ChatStream], Awaitable[str]],
    split: int | None,
    emulator: Emulator,
    client: OpenRouter,
) -> None:
    """What was heard before the choice is not lost, and nothing of the loser is among it."""
    emulator.play(SILENT, GOOD if split is None else GOOD.split(split))
    stream = client.stream("Hi", model="a", hedge_after=0.01)
    assert await read(stream) == "abc"
    assert stream.ending == "complete"
    await assert_closed(client, emulator)


@pytest.mark.parametrize(
    ("reply", "text", "ending"),
    [
        (completion("abc"), "abc", "complete_no_sentinel"),
        (chat(), "", "complete"),
        (chat("abc", done=False), "abc", "complete_no_sentinel"),
    ],
    ids=["JSON", "nothing said", "no sentinel"],
)
async def test_an_answer_of_any_form_can_win(
    reply: Reply, text: str, ending: str, emulator: Emulator, client: OpenRouter
) -> None:
    """Also one that ignores the stream, and one that is over without a word."""
    emulator.play(SILENT, reply)
    stream = client.stream("Hi", model="a", hedge_after=0.01)
    assert (await stream).text == text
    assert stream.ending == ending
    await assert_closed(client, emulator)


async def test_the_second_goes_on_where_the_first_fails(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A failure is not told while the other still runs."""
    emulator.play(http_error(402, "No credit").before_head(Hold()), chat("a").hold_after(0))
    stream = client.stream("Hi", model="m", hedge_after=0.01)
    reading = asyncio.create_task(stream.collect())
    await emulator.wait_for(lambda: emulator.holding == 2)
    emulator.release()
    await emulator.wait_for(lambda: stream.attempts[0].outcome == "failed")
    assert (stream.attempts[1].outcome, reading.done()) == ("running", False)
    emulator.release()
    assert (await reading).text == "a"


async def test_the_first_goes_on_where_the_second_fails(
    emulator: Emulator, client: OpenRouter
) -> None:
    """It has lost nothing but the company."""
    emulator.play(chat("a").hold_after(0), http_error(402, "No credit"))
    stream = client.stream("Hi", model="m", hedge_after=0.01)
    reading = asyncio.create_task(stream.collect())
    await emulator.wait_for(lambda: len(stream.attempts) == 2 and stream.attempts[1].error)
    assert (stream.attempts[0].outcome, reading.done()) == ("running", False)
    emulator.release()
    assert (await reading).text == "a"


async def test_where_both_fail_the_last_error_knows_the_first(
    emulator: Emulator, client: OpenRouter
) -> None:
    """The one that failed last is raised, and counts both."""
    emulator.play(http_error(402, "one").before_head(Pause(0.1)), http_error(403, "two"))
    with pytest.raises(PaymentRequiredError, match="one") as caught:
        await client.complete("Hi", model="a", hedge_after=0.02)
    assert [type(error) for error in caught.value.earlier] == [PermissionDeniedError]
    assert caught.value.attempts == 2


async def test_a_failure_before_the_hedge_is_final_without_a_fallback(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A hedge is for silence; what fails is not sent again because of it."""
    emulator.play(http_error(402, "No credit"))
    with pytest.raises(OpenRouterError, match="No credit"):
        await client.complete("Hi", model="a", hedge_after=5)
    assert emulator.accepted == 1


async def test_after_two_that_fail_the_rest_of_the_line_is_tried(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Fallback goes on behind a hedge, one at a time."""
    emulator.play(http_error(503, "one").before_head(Pause(0.05)), http_error(503, "two"), GOOD)
    stream = client.stream("Hi", model="a", fallback=["b", "c"], hedge_after=0.01)
    assert (await stream).text == "abc"
    assert outcomes(stream) == [("a", "failed"), ("b", "failed"), ("c", "won")]


async def test_both_are_held_by_the_budget_and_the_losers_cost_can_be_found(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Each holds its own; the winner is settled by its usage, the loser by its record."""
    budget = Budget(1, per_request=0.25)
    emulator.play(SILENT, chat("a").hold_after(0))
    stream = client.stream("Hi", model="a", hedge_after=0.01, budget=budget)
    reading = asyncio.create_task(stream.collect())
    await emulator.wait_for(lambda: emulator.holding)
    assert (budget.spent, budget.reserved) == (0, 0.5)
    emulator.release()
    await reading
    assert (budget.spent, budget.reserved, budget.uncertain) == (0.25015, 0, 0.25)
    loser = stream.attempts[0]
    assert (loser.outcome, loser.cost) == ("lost", None)
    record = b'{"data":{"total_cost":0.125,"usage":0.125}}'
    emulator.play(replay(record, content_type="application/json"), path="/generation")
    assert await loser.settle_cost() == loser.cost == 0.125
    assert (budget.spent, budget.uncertain) == (0.12515, 0)


async def test_without_money_for_two_the_first_goes_on_alone(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A hedge that the budget does not cover is a failure of that request only."""
    budget = Budget(0.25, per_request=0.25)
    emulator.play(chat("a").hold_after(0))
    stream = client.stream("Hi", model="a", hedge_after=0.01, budget=budget)
    reading = asyncio.create_task(stream.collect())
    await emulator.wait_for(lambda: len(stream.attempts) == 2 and stream.attempts[1].error)
    emulator.release()
    assert (await reading).text == "a"
    assert (budget.spent, emulator.accepted) == (0.00015, 1)


# Leaving.


class _Stop(BaseException):
    """Not an `Exception`, like `KeyboardInterrupt`."""


class _ThrownInto:
    """Awaits a coroutine and throws into it when it is suspended for the `at`-th time."""

    def __init__(self, coroutine: Any, at: int) -> None:
        self._coroutine, self._at = coroutine, at

    def __await__(self) -> Generator[Any, Any, Any]:
        count = 0
        try:
            future = self._coroutine.send(None)
            while True:
                count += 1
                if count == self._at:
                    future = self._coroutine.throw(_Stop())
                else:
                    yield future
                    future = self._coroutine.send(None)
        except StopIteration as stop:
            return stop.value


PHASES: dict[str, tuple[tuple[Reply, ...], int]] = {
    "before the hedge": ((SILENT,), 1),
    "both running": ((SILENT, SILENT), 2),
    "the second without a head": ((SILENT, chat("a").before_head(Hold())), 2),
}


@pytest.mark.parametrize(("replies", "count"), PHASES.values(), ids=PHASES)
@pytest.mark.parametrize("way", ["cancel", "close", "drop"])
async def test_leaving_closes_both_in_every_phase(
    way: str, replies: tuple[Reply, ...], count: int, emulator: Emulator, client: OpenRouter
) -> None:
    """Cancelled or closed at any moment, both connections close and no task stays."""
    emulator.play(*replies)
    stream = client.stream("Hi", model="a", hedge_after=5 if count == 1 else 0.01)
    task = asyncio.create_task(stream.collect())
    await emulator.wait_for(lambda: emulator.accepted == count)
    if way == "close":
        stream.close()
        with pytest.raises(RuntimeError):
            await task
    else:
        if way == "drop":
            del stream
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await emulator.wait_for(lambda: emulator.disconnects == count)
    await assert_closed(client, emulator)


async def test_leaving_an_answer_that_has_won_closes_it(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A loop that is left by `break` leaves the winner as it leaves any stream."""
    emulator.play(SILENT, chat("a", "b").stall_after(1))
    stream = client.stream("Hi", model="a", hedge_after=0.01)
    async for chunk in stream:
        assert chunk.text == "a"
        break
    await emulator.wait_for(lambda: emulator.disconnects == 2)
    assert stream.ending == "left"
    await assert_closed(client, emulator)


@pytest.mark.parametrize("kind", ["cancelled", "interrupted"])
async def test_stopped_at_every_await_nothing_stays(kind: str) -> None:
    """At each suspension in turn, until the answer comes through."""
    with Emulator.in_thread() as emulator, silence(asyncio.get_running_loop()):
        async with OpenRouter(
            KEY, base_url=emulator.base_url, timeouts=Timeouts(drain=5)
        ) as client:
            for at in range(1, 100):
                budget = Budget(1, per_request=0.25)
                emulator.always(chat({"role": "assistant"}, "a", "b").each(0.002))
                stream = client.stream("Hi", model="m", hedge_after=0.001, budget=budget)
                stop = _cancelled_at if kind == "cancelled" else _interrupted_at
                text = await stop(stream, at)
                await emulator.wait_for(lambda: not other_tasks())
                await emulator.wait_for(lambda: client.stats().leased == 0)
                assert_nothing_leased(client)
                assert budget.reserved == 0
                if text is not None:
                    assert text == "ab"
                    # On a busy machine the first one may have spoken before the second was due.
                    assert len(stream.attempts) in (1, 2)
                    assert at > 3
                    return
            pytest.fail("it never came through")


async def _cancelled_at(stream: ChatStream, at: int) -> str | None:
    harness = Interrupted(stream.collect(), at, cancel_this)
    try:
        await asyncio.create_task(harness.run())
    except asyncio.CancelledError:
        return None
    return stream.partial.text if stream.partial is not None else None


async def _interrupted_at(stream: ChatStream, at: int) -> str | None:
    try:
        await _ThrownInto(stream.collect(), at)
    except _Stop:
        return None
    return stream.partial.text if stream.partial is not None else None


async def test_a_race_that_failed_is_freed_without_the_garbage_collector(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Neither the errors nor the requests hold the stream in a cycle."""
    emulator.play(http_error(503, "one"), http_error(402, "two"), SILENT, GOOD)
    gc.collect()
    gc.disable()
    try:
        failed = client.stream("Hi", model="a", fallback=["b"])
        hedged = client.stream("Hi", model="c", hedge_after=0.01)
        watch = [weakref.ref(failed), weakref.ref(hedged)]
        try:
            await failed.collect()
        except OpenRouterError as error:
            assert error.earlier
        await hedged.collect()
        watch += [weakref.ref(attempt._stream) for attempt in (*failed.attempts, *hedged.attempts)]
        del failed, hedged
        await asyncio.sleep(0)
        assert [ref() for ref in watch] == [None] * 6
    finally:
        gc.enable()


# Misuse.


async def test_a_plain_stream_tells_of_no_attempts(emulator: Emulator, client: OpenRouter) -> None:
    """Without fallback and hedging there is nothing to tell."""
    emulator.play(GOOD)
    stream = client.stream("Hi", fallback=[], hedge_after=None)
    await stream.collect()
    assert list(stream.attempts) == []
    assert emulator.accepted == 1


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "one str": ({"fallback": "b"}, TypeError, "fallback must be a sequence"),
    "a mapping": ({"fallback": {"model": "b"}}, TypeError, "fallback must be a sequence"),
    "a number in it": ({"fallback": [5]}, TypeError, r"fallback\[0\] must be a str"),
    "an unknown keyword in it": ({"fallback": [{"modle": "b"}]}, TypeError, "modle"),
    "no number": ({"hedge_after": "1"}, TypeError, "hedge_after must be a number"),
    "a bool": ({"hedge_after": True}, TypeError, "hedge_after must be a number"),
    "negative": ({"hedge_after": -1}, ValueError, "hedge_after must be a finite number"),
    "endless": ({"hedge_after": float("inf")}, ValueError, "hedge_after must be a finite number"),
}


@pytest.mark.parametrize(("keywords", "kind", "words"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_raise_at_the_call(
    keywords: dict[str, Any], kind: type[Exception], words: str
) -> None:
    """The error names the argument and what is allowed."""
    with pytest.raises(kind, match=words):
        _ = OpenRouter(KEY).stream("Hi", **keywords)


@pytest.mark.parametrize("keywords", [{"fallback": ["b"]}, {"hedge_after": 1}], ids=str)
def test_an_answer_in_one_piece_cannot_be_raced(keywords: dict[str, Any]) -> None:
    """There is no first delta in it."""
    with pytest.raises(ValueError, match=r"needs a stream, so it cannot go with transport='json'"):
        _ = OpenRouter(KEY).complete("Hi", transport="json", **keywords)
