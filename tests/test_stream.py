"""A stream as an object: its spellings, its attributes, its states, and misuse."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import (
    ChatCompletion,
    ChatStream,
    Limits,
    OpenRouter,
    OpenRouterError,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
    StreamAPIError,
    StreamTruncatedError,
    Timeouts,
)
from openrouter_async.errors import IdleTimeout, NotFoundError
from openrouter_async.testing import (
    Emulator,
    Hold,
    Reply,
    Send,
    Stall,
    chat,
    completion,
    error_chunk,
    http_error,
    replay,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "sk-or-v1-test-key"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
PROMPT = "what nobody else may read"


async def read_loop(stream: ChatStream) -> str:
    """Read with the plain loop."""
    return "".join([chunk.text async for chunk in stream])


async def read_block(stream: ChatStream) -> str:
    """Read inside `async with`."""
    async with stream as entered:
        assert entered is stream
        assert stream.status == 200
        return "".join([chunk.text async for chunk in entered])


async def read_await(stream: ChatStream) -> str:
    """Await the stream."""
    return (await stream).text


async def read_collect(stream: ChatStream) -> str:
    """Collect the stream."""
    return (await stream.collect()).text


async def read_started(stream: ChatStream) -> str:
    """Start, then loop."""
    assert await stream.start() is stream
    assert await stream.start() is stream  # once more does nothing
    return "".join([chunk.text async for chunk in stream])


async def read_by_hand(stream: ChatStream) -> str:
    """Step with `anext`."""
    text = ""
    with contextlib.suppress(StopAsyncIteration):
        while True:
            text += (await anext(stream)).text
    return text


async def read_text(stream: ChatStream) -> str:
    """Read the view of the text."""
    return "".join([text async for text in stream.text()])


async def read_closing(stream: ChatStream) -> str:
    """Read under `contextlib.aclosing`, which wants an `aclose`."""
    async with contextlib.aclosing(stream):
        return "".join([chunk.text async for chunk in stream])


SPELLINGS = {
    function.__name__.removeprefix("read_"): function
    for function in (
        read_loop,
        read_block,
        read_await,
        read_collect,
        read_started,
        read_by_hand,
        read_text,
        read_closing,
    )
}
every_spelling = pytest.mark.parametrize("read", SPELLINGS.values(), ids=SPELLINGS)


@pytest.fixture
async def once(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


# The right spellings.


@every_spelling
@pytest.mark.parametrize("pace", [0.0, 0.005])
async def test_every_spelling_gives_the_answer(
    read: Any, pace: float, emulator: Emulator, client: OpenRouter
) -> None:
    """However a stream is read, it is the same answer, and the connection serves again."""
    reply = chat(*"Hello")
    emulator.always(reply.each(pace) if pace else reply)
    for _ in range(2):
        stream = client.stream("Hi")
        assert await read(stream) == "Hello"
        assert stream.ending == "complete"
        assert stream.partial is not None
        assert stream.partial.text == "Hello"
        assert stream.cost == 0.00015
    await emulator.wait_for(lambda: client.stats().leased == 0)
    assert emulator.connections == 1


@every_spelling
async def test_every_spelling_raises_the_refusal(
    read: Any, emulator: Emulator, once: OpenRouter
) -> None:
    """An error status raises from the first await of each spelling, and the stream says so."""
    emulator.play(http_error(404, "No endpoints found"))
    stream = once.stream("Hi")
    with pytest.raises(NotFoundError, match=r"^No endpoints found"):
        await read(stream)
    assert stream.ending == "error"
    assert once.stats().leased == 0


@every_spelling
async def test_every_spelling_raises_what_comes_late(
    read: Any, emulator: Emulator, once: OpenRouter
) -> None:
    """An error amid the stream raises from each spelling, with what came before it."""
    emulator.play(chat(*"Hello").error_after(3, error_chunk(429, "Slow down")))
    with pytest.raises(RateLimitError, match=r"^Slow down") as caught:
        await read(once.stream("Hi"))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"


@every_spelling
async def test_nothing_is_sent_before_it_is_read(
    read: Any, emulator: Emulator, client: OpenRouter
) -> None:
    """Making a stream asks nobody; each spelling asks once."""
    stream = client.stream("Hi")
    await client.warmup()
    assert emulator.accepted == 0
    await read(stream)
    assert emulator.accepted == 1


async def test_images_come_as_they_arrive(emulator: Emulator, client: OpenRouter) -> None:
    """`.images()` gives each image once, before the stream is over."""
    emulator.play(chat("Look: ", images=[PNG, PNG + b"2", PNG]).hold_after(2))
    stream = client.stream("Draw")
    images = stream.images()
    assert (await anext(images)).bytes == PNG
    assert stream.ending is None
    emulator.release()
    assert [image.bytes async for image in images] == [PNG + b"2"]
    assert stream.partial is not None
    assert [image.bytes for image in stream.partial.images] == [PNG, PNG + b"2"]


async def test_raw_hands_on_the_bytes(emulator: Emulator, client: OpenRouter) -> None:
    """`.raw()` gives the body as it came, comments and sentinel included, in whole events."""
    reply = chat(*"Hello", comments_before=2, comments_between=1)
    emulator.play(reply.each(0.002))
    stream = client.stream("Hi")
    frames = [frame async for frame in stream.raw()]
    assert b"".join(frames) == reply.body
    assert len(frames) > 5
    assert all(frame.endswith(b"\n\n") for frame in frames)
    assert stream.ending == "complete"


async def test_raw_starts_with_the_first_event(emulator: Emulator, client: OpenRouter) -> None:
    """After `start` the raw bytes still begin at the beginning."""
    reply = chat(*"Hello", comments_before=2)
    emulator.play(reply)
    stream = client.stream("Hi")
    async with stream:
        assert stream.model == "openai/gpt-4o-mini"
        assert b"".join([frame async for frame in stream.raw()]) == reply.body


async def test_raw_tells_the_ending_whatever_the_reads(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A reason that came reads before the end is remembered, with usage behind it or not."""
    for usage in ("choice", "empty", "finish", None):
        emulator.play(chat("ab", usage=usage).each(0.01))
        emulator.play(chat("ab", usage=usage, done=False).each(0.01))
        for ending in ("complete", "complete_no_sentinel"):
            stream = client.stream("Hi")
            async for _ in stream.raw():
                pass
            assert stream.ending == ending
            assert stream.cost == (None if usage is None else 0.00015)


USAGES: list[tuple[bytes, int | None]] = [
    (b'data: {"choices":[],"usage":{"total_tokens":3}}\r\n\r\ndata: [DONE]\r\n\r\n', 3),
    (b'data:{"choices":[],"usage": {"total_tokens": 3}}\n\n: bye\n\ndata: [DONE]\n\n', 3),
    (
        (
            b'data: {"choices":[],"usage":{"total_tokens":3,"cost":{"sum":1}}}\n\n'
            b'data: {"choices":[],"usage":null}\n\ndata: [DONE]\n\n'
        ),
        3,
    ),
    (b'data: {"choices":[],"usage":null}\n\ndata: [DONE]\n\n', None),
    (b'data: {"choices":[],"usage":"none"}\n\ndata: [DONE]\n\n', None),
    (b'data: {"choices":[],\ndata: "usage":{"total_tokens":3}}\n\ndata: [DONE]\n\n', None),
]


@pytest.mark.parametrize(("end", "tokens"), USAGES)
@pytest.mark.parametrize("size", [7, 10**6])
async def test_raw_sees_the_usage_go_by(
    emulator: Emulator, client: OpenRouter, end: bytes, tokens: int | None, size: int
) -> None:
    """However it is framed and read; what cannot be read is none, and no byte is changed."""
    body = chat("a", "b", usage=None, done=False).body + end
    emulator.play(Reply(steps=(Send(body),)).split(size))
    stream = client.stream("Hi")
    assert b"".join([frame async for frame in stream.raw()]) == body
    assert stream.ending == "complete"
    assert (stream.usage.total_tokens if stream.usage is not None else None) == tokens


# Misuse.


@every_spelling
async def test_a_stream_is_read_once(read: Any, client: OpenRouter) -> None:
    """A second loop is misuse, whatever read the stream before."""
    stream = client.stream("Hi")
    await read(stream)
    if read in (read_by_hand, read_await, read_collect):
        assert [chunk.text async for chunk in stream] == []
    for again in (lambda: aiter(stream), stream.text, stream.images, stream.raw):
        with pytest.raises(RuntimeError, match="once"):
            again()


async def test_a_second_loop_inside_the_first_is_misuse(client: OpenRouter) -> None:
    """Two loops over one stream would each get half of it."""
    stream = client.stream("Hi")
    seen = 0
    async for _ in stream:
        seen += 1
        with pytest.raises(RuntimeError, match="anext"):
            aiter(stream)
    assert seen > 1


async def test_stepping_and_looping_mix(emulator: Emulator, client: OpenRouter) -> None:
    """Steps by hand before and inside a loop take chunks of the same stream."""
    emulator.play(chat(*"abcdef", usage=None))
    stream = client.stream("Hi")
    text = (await anext(stream)).text
    async for chunk in stream:
        text += chunk.text
        if chunk.text == "b":
            text += (await anext(stream)).text.upper()
    assert text == "abCdef"


async def test_after_a_break_the_rest_is_gone(emulator: Emulator, client: OpenRouter) -> None:
    """A loop that is left has left the stream: what was gathered stays, nothing comes."""
    emulator.play(chat(*"abc", usage=None).stall_after(2))
    stream = client.stream("Hi")
    async for chunk in stream:
        if chunk.text == "a":
            break
    assert stream.ending == "left"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    with pytest.raises(RuntimeError):
        aiter(stream)
    with pytest.raises(RuntimeError):
        await stream
    with pytest.raises(RuntimeError):
        _ = await stream.start()
    assert stream.partial is not None
    assert stream.partial.text == "a"
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_a_failed_stream_stays_failed(emulator: Emulator, once: OpenRouter) -> None:
    """After its exception a stream gives nothing more and raises no other of its kind."""
    emulator.play(chat(*"ab", done=False, finish_reason=None, usage=None))
    stream = once.stream("Hi")
    with pytest.raises(StreamTruncatedError):
        await stream
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    with pytest.raises(RuntimeError):
        await stream.collect()
    with pytest.raises(RuntimeError):
        _ = await stream.start()
    stream.close()
    assert stream.ending == "truncated"
    assert emulator.accepted == 1


async def test_a_closed_client_refuses(emulator: Emulator) -> None:
    """A client that was closed makes no stream, and one made before it cannot be started."""
    client = OpenRouter(KEY, base_url=emulator.base_url)
    stream = client.stream("Hi")
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await stream
    with pytest.raises(RuntimeError, match="closed"):
        _ = client.stream("Hi")


# Attributes.


async def test_attributes_before_the_start(client: OpenRouter) -> None:
    """A stream that was not started knows nothing yet, and says it without raising."""
    stream = client.stream("Hi")
    assert stream.status is None
    assert dict(stream.headers) == {}
    assert stream.generation_id is None
    assert stream.provider is None
    assert stream.model is None
    assert stream.usage is None
    assert stream.cost is None
    assert stream.ending is None
    assert stream.timing.end is None
    assert isinstance(stream.partial, ChatCompletion)
    assert stream.partial.choices == []
    assert stream.partial.text == ""
    assert stream.partial.tool_calls == []
    assert stream.partial.finish_reason is None
    stream.close()


async def test_attributes_from_the_first_event_on(emulator: Emulator, client: OpenRouter) -> None:
    """`start` is enough to know who answers; usage comes with its chunk."""
    reply = chat("Hel", "lo", id="gen-1-abc", model="a/b", provider="Nebula")
    emulator.play(reply.with_headers({"X-Custom": "yes"}).hold_after(1))
    stream = await client.stream("Hi").start()
    assert stream.status == 200
    assert stream.headers["content-TYPE"] == "text/event-stream"
    assert stream.headers.get("x-custom") == "yes"
    assert stream.generation_id == "gen-1-abc"
    assert (stream.provider, stream.model) == ("Nebula", "a/b")
    assert (stream.usage, stream.cost, stream.ending) == (None, None, None)
    emulator.release()
    answer = await stream
    assert stream.usage is not None
    assert stream.usage is answer.usage
    assert stream.cost == answer.cost == 0.00015
    assert (answer.id, answer.provider, answer.model) == ("gen-1-abc", "Nebula", "a/b")


async def test_the_partial_grows(emulator: Emulator, client: OpenRouter) -> None:
    """`.partial` is what has been read so far, a value of its own at each look."""
    emulator.play(chat(*"abc", usage=None))
    stream = client.stream("Hi")
    looks: list[ChatCompletion] = []
    async for _ in stream:
        assert stream.partial is not None
        looks.append(stream.partial)
    assert [look.text for look in looks] == ["a", "ab", "abc", "abc"]
    assert [look.finish_reason for look in looks] == [None, None, None, "stop"]


@pytest.mark.parametrize("read", [read_loop, read_text, read_by_hand])
async def test_without_accumulation(read: Any, emulator: Emulator, client: OpenRouter) -> None:
    """With `accumulate=False` nothing is kept, and the rest works as always."""
    emulator.play(chat(*"Hello", reasoning="Hm", images=[PNG], id="gen-1-abc"))
    stream = client.stream("Hi", accumulate=False)
    assert await read(stream) == "Hello"
    assert stream.partial is None
    assert stream.ending == "complete"
    assert stream.generation_id == "gen-1-abc"
    assert stream.cost == 0.00015


async def test_without_accumulation_there_is_nothing_to_collect(
    emulator: Emulator, once: OpenRouter
) -> None:
    """Awaiting such a stream is misuse; its errors come without a partial."""
    with pytest.raises(RuntimeError, match="accumulate=False"):
        await once.stream("Hi", accumulate=False)
    assert emulator.accepted == 0
    emulator.play(chat(*"ab").end_after(2))
    with pytest.raises(StreamTruncatedError) as caught:
        await read_loop(once.stream("Hi", accumulate=False))
    assert caught.value.partial is None


async def test_timing_tells_when_things_happened(emulator: Emulator, client: OpenRouter) -> None:
    """The moments of a stream are in order, and the waits of the server are in them."""
    role_only = {"role": "assistant", "content": ""}
    reply = chat(role_only, "a", "b", delay=0.1, tokens=(10, 50))
    emulator.always(reply)
    for opened in (True, False):
        stream = client.stream("Hi")
        await stream
        timing = stream.timing
        assert timing.queue is not None
        assert timing.connect is not None
        assert timing.headers is not None
        assert timing.first_event is not None
        assert timing.first_delta is not None
        assert timing.end is not None
        moments = [timing.queue, timing.connect, timing.headers, timing.first_event]
        moments += [timing.first_delta, timing.end]
        assert moments == sorted(moments)
        assert timing.queue >= 0
        assert timing.first_delta - timing.first_event >= 0.09
        assert timing.end - timing.first_delta >= 0.09
        assert 0.09 <= timing.longest_gap < timing.end
        assert timing.tokens_per_second == pytest.approx(50 / (timing.end - timing.first_delta))
        assert client.stats().opened == 1
        assert client.stats().reused == (0 if opened else 1)
        await emulator.wait_for(lambda: client.stats().leased == 0)


@every_spelling
async def test_nothing_shows_the_prompt_or_the_key(
    read: Any, emulator: Emulator, once: OpenRouter
) -> None:
    """The repr of a stream, in each of its states, and its errors hold neither."""
    emulator.play(chat(*"ab").end_after(2))
    stream = once.stream([{"role": "user", "content": PROMPT}])
    shown = [repr(stream), str(stream)]
    with pytest.raises(StreamTruncatedError) as caught:
        await read(stream)
    shown += [repr(stream), repr(caught.value), str(caught.value), repr(once)]
    assert not any(PROMPT in text or KEY in text for text in shown)
    assert "ChatStream" in shown[0]
    assert len(set(shown[:3])) == 2  # its state is shown


# Starting.


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (http_error(429, "Slow down"), RateLimitError),
        (replay(error_chunk(429, "Slow down", bare=True)), RateLimitError),
        (chat("never").error_after(0, error_chunk(429, "Slow down")), RateLimitError),
        (chat().end_after(0), StreamTruncatedError),
        (replay(b"data: nonsense\n\n"), ProtocolError),
        (replay(b"Hello", content_type="text/plain"), ProtocolError),
    ],
    ids=["status", "bare error", "error chunk", "empty body", "no JSON", "plain text"],
)
async def test_start_raises_what_comes_instead_of_an_answer(
    reply: Reply, kind: type[OpenRouterError], emulator: Emulator, once: OpenRouter
) -> None:
    """After `start` the first event is there, so what comes in its place raises there."""
    emulator.play(reply)
    stream = once.stream("Hi")
    with pytest.raises(kind):
        _ = await stream.start()
    assert stream.ending in ("error", "truncated")
    assert once.stats().leased == 0
    with pytest.raises(RuntimeError):
        _ = await stream.start()


async def test_entering_raises_like_start(emulator: Emulator, once: OpenRouter) -> None:
    """`async with` raises before its body runs."""
    emulator.play(http_error(429, "Slow down"))
    entered = False
    with pytest.raises(RateLimitError):
        async with once.stream("Hi"):
            entered = True
    assert not entered


@pytest.mark.parametrize("pace", [0.0, 0.005])
async def test_start_hides_no_chunk(pace: float, emulator: Emulator, client: OpenRouter) -> None:
    """The first event that `start` read ahead is the first that the loop gets."""
    reply = chat(*"abc", usage=None)
    emulator.play(reply.each(pace) if pace else reply)
    stream = await client.stream("Hi").start()
    assert [chunk.text async for chunk in stream] == ["a", "b", "c", ""]


async def test_start_gives_no_chunk_behind_an_error(emulator: Emulator, once: OpenRouter) -> None:
    """What `start` read with the first event comes in order: chunks, then the error."""
    emulator.play(chat(*"abc").error_after(2, error_chunk(502, "Gone")))
    stream = await once.stream("Hi").start()
    assert (await anext(stream)).text == "a"
    assert (await anext(stream)).text == "b"
    with pytest.raises(StreamAPIError):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


@pytest.mark.parametrize(
    "second",
    [ChatStream.start, ChatStream.__anext__, ChatStream.collect],
    ids=["start", "anext", "collect"],
)
async def test_starting_twice_at_once_is_misuse(
    second: Any, emulator: Emulator, client: OpenRouter
) -> None:
    """While one task starts a stream another cannot, and the first is not disturbed."""
    emulator.play(chat("ab").before_head(Hold()))
    stream = client.stream("Hi")
    first = asyncio.create_task(read_started(stream))
    await emulator.wait_for(lambda: emulator.holding == 1)
    with pytest.raises(RuntimeError):
        await second(stream)
    emulator.release()
    assert await first == "ab"
    assert emulator.accepted == 1


# Several tasks.


async def test_two_tasks_reading_at_once(emulator: Emulator, client: OpenRouter) -> None:
    """The second reader is told, and the first goes on."""
    emulator.play(chat(*"abc", usage=None).hold_after(1))
    stream = client.stream("Hi")
    assert (await anext(stream)).text == "a"
    first = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await anext(stream)
    emulator.release()
    assert (await first).text == "abc"


@pytest.mark.parametrize("how", ["close", "aclose"])
async def test_three_tasks_read_and_a_fourth_closes(
    how: str, emulator: Emulator, client: OpenRouter
) -> None:
    """Steps from several tasks take turns; a close from outside ends the wait quietly."""
    emulator.play(chat(*"abcdef", usage=None).stall_after(3))
    stream = client.stream("Hi")
    heard = [
        (await asyncio.create_task(take(stream))).text,
        (await asyncio.create_task(take(stream))).text,
        (await asyncio.create_task(take(stream))).text,
    ]
    assert heard == ["a", "b", "c"]
    waiting = asyncio.create_task(read_by_hand(stream))
    await asyncio.sleep(0)
    others = [asyncio.create_task(take(stream)) for _ in range(2)]
    assert {type(error) for error in await asyncio.gather(*others, return_exceptions=True)} == {
        RuntimeError
    }
    assert not waiting.done()
    if how == "close":
        stream.close()
    else:
        await stream.aclose()
    assert await waiting == ""
    assert stream.ending == "left"
    assert client.stats().leased == 0
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def take(stream: ChatStream) -> Any:
    """Take one chunk."""
    return await anext(stream)


@every_spelling
async def test_closing_while_one_waits(read: Any, emulator: Emulator, client: OpenRouter) -> None:
    """A loop that waits when its stream is closed ends; who wants a whole answer is told."""
    emulator.play(chat(*"abc", usage=None).stall_after(2))
    stream = client.stream("Hi")
    reading = asyncio.create_task(read(stream))
    await emulator.wait_for(lambda: stream.partial is not None and stream.partial.text == "ab")
    stream.close()
    if read in (read_await, read_collect):
        with pytest.raises(RuntimeError, match="left"):
            await reading
    else:
        assert await reading == "ab"
    assert stream.ending == "left"
    await emulator.wait_for(lambda: emulator.disconnects == 1)


# Leaving before and amid the start.


async def test_closing_before_the_start(emulator: Emulator, client: OpenRouter) -> None:
    """A stream closed unread asks nobody and cannot be read."""
    stream = client.stream("Hi")
    stream.close()
    stream.close()
    await stream.aclose()
    assert stream.ending == "left"
    with pytest.raises(RuntimeError):
        await stream.collect()
    with pytest.raises(RuntimeError):
        _ = await stream.start()
    for view in (lambda: aiter(stream), stream.text, stream.images, stream.raw):
        with pytest.raises(RuntimeError):
            view()
    assert emulator.connections == 0


async def test_closing_between_start_and_the_loop(emulator: Emulator, client: OpenRouter) -> None:
    """A started stream that is closed gives nothing any more."""
    emulator.play(chat("ab").stall_after(1))
    stream = await client.stream("Hi").start()
    stream.close()
    assert client.stats().leased == 0
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    with pytest.raises(RuntimeError):
        aiter(stream)
    await emulator.wait_for(lambda: emulator.disconnects == 1)


@pytest.mark.parametrize("moment", ["before the head", "before the first event"])
@every_spelling
async def test_closing_amid_the_start(
    read: Any, moment: str, emulator: Emulator, client: OpenRouter
) -> None:
    """Closing from another task while the server takes its time ends the wait at once."""
    reply = chat("ab")
    emulator.play(
        reply.before_head(Stall()) if moment == "before the head" else reply.stall_after(0)
    )
    stream = client.stream("Hi")
    reading = asyncio.create_task(read(stream))
    expected = None if moment == "before the head" else 200
    await emulator.wait_for(lambda: emulator.accepted == 1 and stream.status == expected)
    stream.close()
    async with asyncio.timeout(1):
        with pytest.raises(RuntimeError, match="closed while it was being started"):
            await reading
    assert stream.ending == "left"
    assert client.stats().leased == 0
    assert client.stats().waiting == 0
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_closing_in_a_finally_under_cancellation(
    emulator: Emulator, client: OpenRouter
) -> None:
    """`aclose` needs no await that cancellation could take away."""
    emulator.play(chat(*"abc").stall_after(1))
    stream = client.stream("Hi")
    closed = False

    async def work() -> None:
        nonlocal closed
        try:
            await read_loop(stream)
        finally:
            await stream.aclose()
            closed = True

    task = asyncio.create_task(work())
    await emulator.wait_for(lambda: stream.status == 200)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed
    assert stream.ending == "left"
    assert client.stats().leased == 0
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_leaving_a_block_early_closes(emulator: Emulator, client: OpenRouter) -> None:
    """The end of `async with` closes what was not read to its end, and no exception is lost."""
    emulator.always(chat(*"abc").stall_after(1))
    async with client.stream("Hi") as stream:
        assert (await anext(stream)).text == "a"
    assert stream.ending == "left"
    with pytest.raises(KeyError, match="mine"):
        async with client.stream("Hi") as stream:
            raise KeyError("mine")
    assert stream.ending == "left"
    assert client.stats().leased == 0
    await emulator.wait_for(lambda: emulator.disconnects == 2)


# Other forms of an answer.


async def test_json_where_a_stream_was_asked_for(emulator: Emulator, client: OpenRouter) -> None:
    """A server that ignores `stream` gives one chunk that says all of it."""
    reply = completion(
        "Hello",
        reasoning="Hm",
        tool_calls=[{"name": "look", "arguments": {"at": "it"}, "id": "call_1"}],
        images=[PNG],
        annotations=[{"type": "url_citation", "url_citation": {"url": "https://example.com"}}],
        id="gen-1-abc",
    )
    emulator.always(reply)
    stream = client.stream("Hi")
    chunks = [chunk async for chunk in stream]
    assert [chunk.text for chunk in chunks] == ["Hello"]
    assert stream.ending == "complete_no_sentinel"
    whole = await client.complete("Hi", transport="json")
    answer = stream.partial
    assert answer is not None
    assert (answer.text, answer.reasoning) == (whole.text, whole.reasoning) == ("Hello", "Hm")
    assert [call.to_dict() for call in answer.tool_calls] == [
        {"id": "call_1", "type": "function"}
        | {"function": {"name": "look", "arguments": '{"at":"it"}'}}
    ]
    assert [image.bytes for image in answer.images] == [PNG]
    assert answer.annotations == whole.annotations
    assert answer.finish_reason == whole.finish_reason == "tool_calls"
    assert answer.usage == whole.usage
    assert stream.generation_id == "gen-1-abc"
    await emulator.wait_for(lambda: client.stats().leased == 0)
    assert emulator.connections == 1


async def test_json_where_raw_bytes_were_asked_for(emulator: Emulator, client: OpenRouter) -> None:
    """A relay still gets events: the one chunk, framed."""
    emulator.play(completion("Hello"))
    stream = client.stream("Hi")
    (frame,) = [frame async for frame in stream.raw()]
    assert frame.startswith(b"data: {")
    assert frame.endswith(b"}\n\n")
    assert json.loads(frame[6:])["choices"][0]["delta"]["content"] == "Hello"


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"choices": 3}', b"Hello", b"", b"null"])
async def test_json_that_is_no_answer(text: bytes, emulator: Emulator, once: OpenRouter) -> None:
    """JSON of another kind raises, and its beginning is shown."""
    emulator.play(replay(text, content_type="application/json"))
    with pytest.raises(ProtocolError) as caught:
        await once.complete("Hi")
    assert caught.value.status == 200
    assert caught.value.content_type == "application/json"
    assert caught.value.body_start == text.decode()


async def test_a_stream_without_a_content_type(emulator: Emulator, client: OpenRouter) -> None:
    """A server that names no type is taken at its word."""
    emulator.play(Reply(steps=chat("ab").steps))
    assert (await client.complete("Hi")).text == "ab"


async def test_several_choices(emulator: Emulator, client: OpenRouter) -> None:
    """Choices are kept apart, and the stream is whole when each has its reason."""

    def piece(index: int, text: str, reason: str | None = None) -> bytes:
        choice = {"index": index, "delta": {"content": text}, "finish_reason": reason}
        return json.dumps({"choices": [choice]}).encode()

    emulator.play(
        chat(
            piece(1, "x"), piece(0, "a"), piece(1, "y", "length"), piece(0, "b", "stop"),
            finish_reason=None, usage=None, done=False,
        ),
        chat(
            piece(1, "x"), piece(0, "a", "stop"), finish_reason=None, usage=None, done=False
        ),
    )  # fmt: skip
    answer = await client.complete("Hi")
    assert [choice.message.content for choice in answer.choices] == ["ab", "xy"]
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "length"]
    with pytest.raises(StreamTruncatedError):
        await client.complete("Hi")


async def test_a_stream_with_deadlines_of_its_own(emulator: Emulator, once: OpenRouter) -> None:
    """`timeouts` of one stream hold for it, and a deadline is told by the ending."""
    emulator.play(chat(*"ab").stall_after(1))
    stream = once.stream("Hi", timeouts=Timeouts(idle=0.2))
    with pytest.raises(IdleTimeout):
        await stream
    assert stream.ending == "timeout"


async def test_errors_are_told_from_misuse(emulator: Emulator, once: OpenRouter) -> None:
    """No misuse is an `OpenRouterError`, so that handling those never hides a bug."""
    emulator.play(replay(error_chunk(None, "Nobody knows", bare=True)))
    stream = once.stream("Hi")
    with pytest.raises(StreamAPIError):
        await stream
    with pytest.raises(RuntimeError) as caught:
        await stream
    assert not isinstance(caught.value, OpenRouterError)


async def test_what_came_before_an_event_too_large_is_given(emulator: Emulator) -> None:
    """Chunks of the same read that stand before an oversized event reach the reader first."""
    emulator.always(chat("one", "two", "x" * 5_000))
    limits = Limits(max_event_size=2_000)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        text = ""
        with pytest.raises(ProtocolError, match="max_event_size") as info:
            async for chunk in client.stream("Hi", model="m"):
                text += chunk.text
    assert text == "onetwo"
    assert info.value.partial is not None
    assert info.value.partial.text == "onetwo"
