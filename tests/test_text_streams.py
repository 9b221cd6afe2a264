"""Streams of /responses, /messages and /completions under way: read, left, late, torn apart."""

from __future__ import annotations

import asyncio
import pickle
import random
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import Limits, OpenRouter, RetryPolicy, Timeouts
from openrouter_async.errors import (
    APITimeoutError,
    FirstEventTimeout,
    IdleTimeout,
    NotFoundError,
    ProtocolError,
    QueueTimeout,
    RateLimitError,
    StreamBrokenError,
    TotalTimeout,
    WireIdleTimeout,
)
from openrouter_async.hooks import Event, RequestEnded
from openrouter_async.testing import (
    Drip,
    Emulator,
    FaultProxy,
    Hold,
    Stall,
    generation,
    http_error,
    replay,
)
from tests.text_dialects import DIALECTS, Dialect, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

KEY = "sk-or-v1-test-key"
SECRET = "a SENTINELANSWER"
LATE = 30.0
COMMENT = b": OPENROUTER PROCESSING\n\n"

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)


@pytest.fixture
async def once(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


def only(**deadlines: float) -> Timeouts:
    """Give timeouts of which only these can fire in a test."""
    others = dict.fromkeys(("connect", "wire_idle", "first_event", "idle", "total", "queue"), LATE)
    return Timeouts(**(others | deadlines))


# The right spellings.


@every_dialect
async def test_the_four_spellings(dialect: Dialect, emulator: Emulator, once: OpenRouter) -> None:
    """Loop, `async with`, `await` and `start` with `anext` give the same answer."""
    emulator.always(dialect.reply("Hel", "lo", reasoning=("Hm", ".")))
    looped = [event async for event in dialect.stream(once)]
    async with dialect.stream(once) as stream:
        entered = [event async for event in stream]
    started = await dialect.stream(once).start()
    stepped: list[Any] = []
    with pytest.raises(StopAsyncIteration):
        while True:
            stepped.append(await anext(started))
    assert [event.raw for event in looped] == [event.raw for event in entered]
    assert [event.raw for event in looped] == [event.raw for event in stepped]
    assert "".join(event.text for event in looped) == "Hello"
    assert "".join(event.reasoning for event in looped) == "Hm."
    answer = await dialect.stream(once)
    assert (answer.text, answer.reasoning) == ("Hello", "Hm.")
    thoughts = dialect.stream(once)
    assert [piece async for piece in thoughts.reasoning()] == ["Hm", "."]
    assert answer == thoughts.partial
    assert answer.headers["X-Generation-Id"] == answer.generation_id


@every_dialect
@pytest.mark.parametrize("seed", range(5))
async def test_any_split_gives_the_same_events(
    dialect: Dialect, seed: int, emulator: Emulator, once: OpenRouter
) -> None:
    """However the network parts the bytes, and whatever keeps the line alive, nothing changes."""
    calls = [{"name": "weather", "arguments": {"city": "Köln 🎉"}, "id": "call_1"}]
    whole = dialect.reply("Hällo ", "wörld 🎉", reasoning="Hm.", tool_calls=calls)
    expected = await _raws(dialect, once, emulator, whole.body)
    kept_alive = COMMENT * 2 + whole.body.replace(b"\n\n", b"\n\n" + COMMENT)
    for body in (whole.body, kept_alive, whole.body.replace(b"\n", b"\r\n")):
        emulator.play(replay(body, split=random.Random(seed)))
        stream = dialect.stream(once)
        assert [bytes(event.raw) async for event in stream] == expected
        assert stream.partial.text == "Hällo wörld 🎉"


async def _raws(
    dialect: Dialect, client: OpenRouter, emulator: Emulator, body: bytes
) -> list[bytes]:
    emulator.play(replay(body))
    return [bytes(event.raw) async for event in dialect.stream(client)]


@every_dialect
async def test_what_is_known_of_a_stream(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """Status, ids, model, usage, cost and times are there while it runs and when it is over."""
    reply = dialect.reply("Hel", "lo", model="openai/gpt-4o", cost=0.25, tokens=(7, 20))
    emulator.play(reply.hold_after(dialect.before_text + 1))
    stream = dialect.stream(once)
    assert (stream.status, stream.ending, stream.cost) == (None, None, None)
    pieces = stream.text()
    assert await anext(pieces) == "Hel"
    assert (stream.status, stream.model, stream.ending) == (200, "openai/gpt-4o", None)
    assert stream.partial.text == "Hel"
    assert stream.generation_id is not None
    assert stream.generation_id.startswith("gen-")
    emulator.release()
    assert [piece async for piece in pieces] == ["lo"]
    assert stream.cost == 0.25
    assert stream.usage is not None
    assert stream.usage.total_tokens == 27
    timing = stream.timing
    assert timing.headers is not None
    assert timing.first_delta is not None
    assert timing.end is not None
    assert timing.headers <= timing.first_delta <= timing.end
    assert timing.tokens_per_second == pytest.approx(20 / (timing.end - timing.first_delta))
    assert repr(stream).startswith(f"<{type(stream).__name__}: ended, ")


ENDED = {  # why an answer ended, in the words of each endpoint
    "responses": {"stop": "completed", "length": "max_output_tokens"},
    "messages": {"stop": "end_turn", "length": "max_tokens"},
    "completions": {"stop": "stop", "length": "length"},
}


@every_dialect
@pytest.mark.parametrize("reason", ["stop", "length"])
async def test_why_an_answer_ended(
    dialect: Dialect, reason: str, emulator: Emulator, once: OpenRouter
) -> None:
    """The reason is told in the words of the endpoint, by the stream and by its answer."""
    emulator.play(
        dialect.reply("Hel", "lo", finish_reason=reason).hold_after(dialect.before_text + 1)
    )
    stream = await dialect.stream(once).start()
    assert (stream.finish_reasons, stream.partial.finish_reasons) == ((), ())
    emulator.release()
    answer = await stream
    assert stream.finish_reasons == answer.finish_reasons == (ENDED[dialect.name][reason],)


@every_dialect
async def test_hooks_are_told_what_was_said(dialect: Dialect, emulator: Emulator) -> None:
    """Each hook is told why an answer ended, and what it said where the hook wants content."""
    plain, wanting = Ends(), Ends("content")
    whole = dialect.reply(SECRET, " there")
    emulator.play(whole, whole.cut_after(dialect.before_text + 1))
    retry = RetryPolicy(max_attempts=1)
    hooks = [plain, wanting]
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry, hooks=hooks) as client:
        answer = await dialect.stream(client)
        with pytest.raises(StreamBrokenError):
            await dialect.stream(client)
        await dialect.group(client).create("Hi", model="openai/gpt-4o-mini", transport="json")
    reason = (ENDED[dialect.name]["stop"],)
    for hook in hooks:
        assert [end.finish_reasons for end in hook.ends] == [reason, (), reason]
    assert [end.completion for end in plain.ends] == [None] * 3
    assert SECRET not in repr(plain.ends)
    first, cut, other = (end.completion for end in wanting.ends)
    assert first == answer
    assert cut is not None
    assert cut.text == SECRET
    assert type(other) is type(answer)


class Ends:
    """A hook that keeps the ends."""

    def __init__(self, *wants: str) -> None:
        self.wants = frozenset(wants)
        self.ends: list[RequestEnded] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestEnded):
            self.ends.append(event)


@every_dialect
async def test_a_stream_is_looped_over_once(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """A second loop, and a loop over a stream that was closed, are misuse."""
    emulator.always(dialect.reply("Hello"))
    stream = dialect.stream(once)
    assert [piece async for piece in stream.text()] == ["Hello"]
    with pytest.raises(RuntimeError, match="looped over once"):
        stream.reasoning()
    closed = dialect.stream(once)
    closed.close()
    with pytest.raises(RuntimeError, match="left"):
        await closed
    assert closed.ending == "left"


@every_dialect
async def test_keep_alives_that_are_events(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """An event that is blank, or a comment, is none; `[DONE]` may have blanks around it."""
    body = dialect.reply("Hello").body.replace(b"[DONE]", b" [DONE] ")
    emulator.play(replay(b"data: \n\ndata: : still there\n\n" + body))
    stream = dialect.stream(once)
    assert (await stream).text == "Hello"
    assert stream.ending == "complete"


@every_dialect
async def test_what_the_headers_say(dialect: Dialect, emulator: Emulator, once: OpenRouter) -> None:
    """The rate limit is read off the headers, of a stream as of an answer."""
    told = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "19"}
    emulator.play(dialect.reply("Hello").with_headers(told))
    stream = dialect.stream(once)
    answer = await stream
    for limit in (stream.rate_limit, answer.rate_limit):
        assert limit is not None
        assert (limit.limit, limit.remaining) == (20, 19)
    assert stream.provider == (None if dialect.name == "responses" else "OpenAI")
    assert type(answer)().headers == {}
    assert type(answer)().generation_id is None
    assert answer != "Hello"


# Leaving.


async def _break(stream: Stream) -> None:
    async for _ in stream:
        break


async def _break_text(stream: Stream) -> None:
    async for _ in stream.text():
        break


async def _raise(stream: Stream) -> None:
    with pytest.raises(ZeroDivisionError):
        async for _ in stream:
            raise ZeroDivisionError


async def _close(stream: Stream) -> None:
    await stream.start()
    stream.close()
    stream.close()


async def _cancel(stream: Stream) -> None:
    task = asyncio.ensure_future(stream.collect())
    while stream.status is None:  # noqa: ASYNC110  (no event tells that the headers came)
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@every_dialect
@pytest.mark.parametrize("leave", [_break, _break_text, _raise, _close, _cancel])
async def test_leaving_closes_the_connection(
    dialect: Dialect,
    leave: Callable[[Stream], Awaitable[None]],
    emulator: Emulator,
    once: OpenRouter,
) -> None:
    """Whoever leaves, by whatever way, tells the server so at once and keeps what had come."""
    emulator.play(dialect.reply("Hel", "lo").stall_after(dialect.before_text + 1))
    stream = dialect.stream(once)
    await leave(stream)
    assert stream.ending == "left"
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    assert once.stats().leased == 0
    assert stream.partial.ending == "left"


@every_dialect
async def test_a_dropped_stream_closes_its_connection(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """A stream that nobody holds any more is left."""
    emulator.play(dialect.reply("Hel", "lo").stall_after(1))
    stream = await dialect.stream(once).start()
    del stream
    await emulator.wait_for(lambda: emulator.disconnects == 1)


@every_dialect
async def test_the_connection_is_used_again(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """After a whole answer the next request goes over the same connection."""
    emulator.always(dialect.reply("Hello"))
    for _ in range(3):
        await dialect.stream(once)
    assert emulator.connections == 1


# Deadlines.


@every_dialect
async def test_each_deadline_fires_by_its_name(dialect: Dialect, emulator: Emulator) -> None:
    """Silence, keep-alives without a word, and an answer without end each have their exception."""
    whole = dialect.reply("Hel", "lo")
    said = dialect.before_text + 1
    comments = Drip(COMMENT * 400, len(COMMENT), 0.05)
    cases: list[tuple[Any, dict[str, float], type[APITimeoutError], str]] = [
        (whole.stall_after(said), {"wire_idle": 0.5}, WireIdleTimeout, "Hel"),
        (whole.after(0, comments, Stall()), {"first_event": 0.5}, FirstEventTimeout, ""),
        (whole.after(said, comments, Stall()), {"idle": 0.5}, IdleTimeout, "Hel"),
        (whole.after(said, comments, Stall()), {"total": 2.0}, TotalTimeout, "Hel"),
    ]
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        for reply, deadlines, kind, text in cases:
            emulator.play(reply)
            stream = dialect.stream(client, timeouts=only(**deadlines))
            with pytest.raises(kind) as caught:
                await stream
            assert stream.ending == "timeout"
            assert caught.value.partial.text == text
            assert caught.value.phase == ("body" if text else "first_event")


async def test_announcements_are_no_progress(emulator: Emulator) -> None:
    """Events that say nothing yet leave the deadline of the first delta running."""
    whole = DIALECTS[0].reply("Hello")
    emulator.play(whole.stall_after(DIALECTS[0].before_text))
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        stream = client.responses.stream("Hi", model="m", timeouts=only(first_event=0.5))
        with pytest.raises(FirstEventTimeout):
            await stream
    assert stream.deltas == 0


# Faults.


@every_dialect
async def test_a_server_that_is_busy_is_asked_again(dialect: Dialect, emulator: Emulator) -> None:
    """A refusal is tried again, and holds back the others for the same model meanwhile."""
    emulator.play(http_error(429, "Slow down", headers={"Retry-After": "0"}))
    emulator.always(dialect.reply("Hello"))
    retry = RetryPolicy(first_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        calls: list[Any] = [dialect.stream(client).collect() for _ in range(5)]
        answers = await asyncio.gather(*calls)
    assert [answer.text for answer in answers] == ["Hello"] * 5
    assert emulator.accepted == 6


@every_dialect
async def test_the_pause_is_shared_with_chats(dialect: Dialect, emulator: Emulator) -> None:
    """One gate serves all endpoints: a chat waits for the pause that another request brought."""
    emulator.play(http_error(429, "Slow down", headers={"Retry-After": "3600"}))
    retry = RetryPolicy(max_attempts=3, max_wait=7200, total=None)
    waits = Timeouts(queue=0.01)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry, timeouts=waits) as client:
        with pytest.raises(QueueTimeout):
            await dialect.stream(client)
        with pytest.raises(QueueTimeout):
            await client.complete("Hi", model="anthropic/claude-sonnet-4.5")
    assert emulator.accepted == 1


@every_dialect
async def test_a_status_raises_its_class(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """An error status comes as the class of its number, with the server's sentence."""
    emulator.play(http_error(404, "No endpoints found"), http_error(429, "Slow down"))
    with pytest.raises(NotFoundError, match="No endpoints found"):
        await dialect.stream(once)
    with pytest.raises(RateLimitError, match="Slow down"):
        await dialect.group(once).create("Hi", model="m", transport="json")


@every_dialect
async def test_a_large_event_is_refused(dialect: Dialect, emulator: Emulator) -> None:
    """An event larger than the limit raises, with what came before it."""
    whole = dialect.reply("Hello", "x" * 200_000)
    emulator.play(whole)
    limits = Limits(max_event_size=100_000)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        with pytest.raises(ProtocolError, match="max_event_size") as caught:
            await dialect.stream(client)
    assert caught.value.partial.text == "Hello"


@every_dialect
async def test_a_network_that_breaks(dialect: Dialect, emulator: Emulator) -> None:
    """A connection that is reset on its way raises with what had come."""
    reply = dialect.reply("Hel", "lo", "!")
    emulator.play(reply.after(dialect.before_text + 2, Hold()))
    async with (
        FaultProxy(emulator.base_url) as proxy,
        OpenRouter(KEY, base_url=proxy.base_url) as client,
    ):
        stream = dialect.stream(client)
        pieces = stream.text()
        heard = [await anext(pieces), await anext(pieces)]
        proxy.reset()
        with pytest.raises(StreamBrokenError) as caught:
            await anext(pieces)
    assert "".join(heard) == caught.value.partial.text == "Hello"


# Money and travel.


@every_dialect
async def test_a_left_stream_finds_its_cost(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """What a stream cost that was left is asked for, and is None where nobody knows."""
    emulator.always(dialect.reply("Hel", "lo", id="gen-7").stall_after(dialect.before_text + 1))
    stream = dialect.stream(once)
    with pytest.raises(RuntimeError, match="not over"):
        await stream.settle_cost()
    await _break_text(stream)
    assert (stream.cost, stream.usage and stream.usage.cost) == (None, None)
    emulator.play(http_error(404, "not yet"), path="/generation")
    emulator.play(generation("gen-7", cost=0.5), path="/generation")
    assert await stream.settle_cost() == 0.5
    assert stream.cost == 0.5
    other = dialect.stream(once)
    await _break_text(other)
    emulator.always(http_error(404, "never"), path="/generation")
    assert await other.settle_cost(timeout=0.05) is None
    emulator.always(http_error(404, "never").before_head(Stall()), path="/generation")
    assert await other.settle_cost(timeout=0.05) is None


@every_dialect
async def test_an_error_pickles_with_its_partial(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """A failure travels to another process with what had come of the answer."""
    emulator.play(dialect.reply("Hel", "lo").cut_after(dialect.before_text + 1))
    with pytest.raises(StreamBrokenError) as caught:
        await dialect.stream(once)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.partial == caught.value.partial
    assert copy.partial.text == "Hel"
    assert KEY not in repr(vars(caught.value))
