"""A stream over plain ASGI: what is sent, how it ends, and who slows or stops whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from openrouter_async import ChatChunk, OpenRouter, RetryPolicy, Timeouts
from openrouter_async._sse import encode_event
from openrouter_async.errors import (
    APIConnectionError,
    APIStatusError,
    BudgetExceededError,
    ConnectError,
    FirstEventTimeout,
    OpenRouterError,
    ProtocolError,
    QueueTimeout,
    RateLimitError,
    StreamAPIError,
)
from openrouter_async.integrations.asgi import (
    ProtocolName,
    Source,
    error_answer,
    lifespan,
    relay,
)
from openrouter_async.testing import (
    Emulator,
    Hold,
    Reply,
    Send,
    chat,
    completion,
    error_chunk,
    http_error,
)
from tests.quiet import KEY
from tests.serving import (
    Visitor,
    answering,
    get,
)
from tests.test_ui_stream import parts_of

PROTOCOLS: tuple[ProtocolName, ...] = ("openai", "ai-sdk", "text")
FIVE = ("one ", "two ", "three ", "four ", "five ")
DONE = b"data: [DONE]\n\n"


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that tries nothing twice, so that a failure is seen at once."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


# What is sent.


async def test_openai_chunks_pass_byte_by_byte(client: OpenRouter, emulator: Emulator) -> None:
    """The body is the one that the API sent, comments and all, and the head forbids buffering."""
    reply = chat(*FIVE, comments_before=2, comments_between=1)
    emulator.play(reply)
    async with answering(lambda: relay(client.stream("Hi", model="m"))) as port:
        answer = await get(port)
    assert answer.body == reply.body
    assert answer.is_whole
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-store, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-generation-id"].startswith("gen-")


async def test_openai_chunks_always_end_with_done(client: OpenRouter, emulator: Emulator) -> None:
    """Where the API left the terminator out, it is added; where it sent JSON, that is one chunk."""
    emulator.play(chat("a").without_done(), completion("whole"))
    async with answering(lambda: relay(client.stream("Hi", model="m"))) as port:
        cut, whole = await get(port), await get(port)
    assert cut.body.endswith(b"\n\n" + DONE)
    assert whole.body.endswith(b"\n\n" + DONE)
    assert b'"whole"' in whole.body


async def test_text_is_the_words_alone(client: OpenRouter, emulator: Emulator) -> None:
    """Plain text is what the model wrote, and no middleware may compress and hold it."""
    emulator.play(chat("Grüß ", "Gott"))
    async with answering(lambda: relay(client.stream("Hi", model="m"), protocol="text")) as port:
        answer = await get(port)
    assert answer.body.decode() == "Grüß Gott"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-encoding"] == "identity"
    assert answer.is_whole


async def test_headers_are_added_and_replace_ours(client: OpenRouter) -> None:
    """A header of the user's stands instead of the protocol's."""
    own = {"Cache-Control": "private", "X-Mine": "1"}
    make = lambda: relay(client.stream("Hi"), headers=own, status=201)  # noqa: E731
    async with answering(make) as port:
        answer = await get(port)
    assert answer.status == 201
    assert (answer.headers["cache-control"], answer.headers["x-mine"]) == ("private", "1")


async def test_a_shared_stream_serves_many_pages(client: OpenRouter, emulator: Emulator) -> None:
    """Two pages read one answer, and one that comes late reads it from a chunk on."""
    emulator.play(chat(*FIVE))
    shared = client.stream("Hi", model="m").share(when_last_leaves="finish")
    sources: Iterator[Source] = iter([shared, shared, shared.reader(start=0)])
    async with answering(lambda: relay(next(sources))) as port:
        answers = await asyncio.gather(*(get(port) for _ in range(2)))
        answers.append(await get(port))
    assert emulator.accepted == 1
    texts = [
        "".join(
            ChatChunk.from_json(event.removeprefix(b"data: ")).text
            for event in answer.body.removesuffix(DONE).split(b"\n\n")
            if event
        )
        for answer in answers
    ]
    assert texts == ["".join(FIVE)] * 3


async def test_chunks_of_the_users_own(client: OpenRouter, emulator: Emulator) -> None:
    """An async generator of chunks is relayed too, in every protocol."""

    async def shouting() -> AsyncIterator[ChatChunk]:
        async for chunk in client.stream("Hi", model="m"):
            if chunk.text:
                chunk.choices[0].delta.content = chunk.text.upper()
                chunk.raw = b""
                yield chunk

    emulator.always(chat("soft"))
    protocols = iter(PROTOCOLS)
    async with answering(lambda: relay(shouting(), protocol=next(protocols))) as port:
        for _ in PROTOCOLS:
            assert b"SOFT" in (await get(port)).body


# How it ends when it fails.


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (http_error(429, "Slow down", headers={"Retry-After": "7"}), 429, "Slow down"),
        (http_error(401, "User 12 not found"), 401, "This service cannot sign in"),
        (http_error(402, "Buy more credits"), 402, "This service has run out of credit"),
        (http_error(503, "No provider"), 503, "No provider"),
        (Reply(steps=(Send(error_chunk(529, "Overloaded")),)), 529, "Overloaded"),
        (chat("x").before_head(Hold()), 504, "The model took too long."),
        (chat("x").cut_after(0), 502, "The answer broke off before its end."),
        (
            Reply(steps=(Send(b"<html>"),), headers=(("content-type", "text/html"),)),
            502,
            "cannot be read",
        ),
    ],
    ids=["429", "401", "402", "503", "529 inside 200", "silent", "cut", "html"],
)
async def test_a_failure_before_the_first_token_keeps_its_status(
    client: OpenRouter,
    emulator: Emulator,
    protocol: ProtocolName,
    reply: Reply,
    status: int,
    words: str,
) -> None:
    """The reader sees an HTTP error, in JSON or in words, and not an empty answer."""
    emulator.play(reply)
    timeouts = Timeouts(first_event=0.2) if status == 504 else None
    make = lambda: relay(client.stream("Hi", model="m", timeouts=timeouts), protocol=protocol)  # noqa: E731
    async with answering(make) as port:
        answer = await get(port)
    assert answer.status == status
    told = answer.json()["error"]["message"] if protocol == "openai" else answer.body.decode()
    assert words in told
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)
    assert answer.is_whole


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", ["cut", "reset", "truncated", "stalled"])
async def test_a_failure_after_five_tokens_keeps_the_five(
    client: OpenRouter, emulator: Emulator, protocol: ProtocolName, how: str
) -> None:
    """What came is delivered, then the failure in the protocol's form, then its terminator."""
    whole = chat(*FIVE, "six")
    reply = {
        "cut": whole.cut_after(5),
        "reset": whole.reset_after(5),
        "truncated": whole.end_after(5),
        "stalled": whole.stall_after(5),
    }[how]
    emulator.play(reply)
    timeouts = Timeouts(idle=0.3) if how == "stalled" else None
    make = lambda: relay(client.stream("Hi", model="m", timeouts=timeouts), protocol=protocol)  # noqa: E731
    expect = "without completing response" if protocol == "text" else None
    async with answering(make, expect=expect) as port:
        answer = await get(port)
    assert answer.status == 200
    words = (
        "The model took too long." if how == "stalled" else "The answer broke off before its end."
    )
    if protocol == "text":
        assert answer.body.decode() == "".join(FIVE) + f"\n\n[error] {words}\n"
        assert not answer.is_whole
        return
    assert answer.is_whole
    if protocol == "openai":
        events = answer.body.removesuffix(DONE).strip().split(b"\n\n")
        chunks = [ChatChunk.from_json(event.removeprefix(b"data: ")) for event in events]
        assert "".join(chunk.text for chunk in chunks) == "".join(FIVE)
        assert chunks[-1].error is not None
        assert chunks[-1].error.message == words
        assert answer.body.endswith(DONE)
    else:
        parts = parts_of(answer.body)
        assert "".join(part.get("delta", "") for part in parts) == "".join(FIVE)
        assert [part["type"] for part in parts[-2:]] == ["text-end", "error"]
        assert parts[-1]["errorText"] == words


@pytest.mark.parametrize("together", [True, False], ids=["in one read", "in reads of their own"])
@pytest.mark.parametrize("done", [True, False])
async def test_an_error_event_is_told_once_with_a_terminator(
    client: OpenRouter, emulator: Emulator, done: bool, together: bool
) -> None:
    """OpenRouter's error chunk ends the answer: five tokens, its words, and ``[DONE]`` once."""
    metadata = {"error_type": "provider_unavailable", "raw": "internal: host 10.0.0.7"}
    error = error_chunk(502, "Provider fell over", metadata=metadata)
    reply = chat(*FIVE).error_after(5, error, done=done)
    emulator.play(reply.split(10**6) if together else reply.each(0.01))
    async with answering(lambda: relay(client.stream("Hi", model="m"))) as port:
        body = (await get(port)).body
    assert all(body.count(f'"{word}"'.encode()) == 1 for word in FIVE)
    assert body.count(b'error":{') == 1
    assert b"Provider fell over" in body
    assert b"10.0.0.7" not in body
    assert b'"type":"provider_unavailable"' in body
    assert body.count(b"[DONE]") == 1
    assert body.endswith(DONE)


async def test_what_only_looks_like_an_error_passes(client: OpenRouter, emulator: Emulator) -> None:
    """A field that is null, and text that speaks of errors, are no reason to touch a byte."""
    chunk = {
        "error": None,
        "choices": [{"index": 0, "delta": {"content": '{"error": "sk-abcdefgh"}'}}],
    }
    reply = chat(*FIVE)
    whole = encode_event(msgspec.json.encode(chunk)) + reply.body
    emulator.play(Reply(steps=(Send(whole),)))
    async with answering(lambda: relay(client.stream("Hi", model="m"))) as port:
        assert (await get(port)).body == whole


@pytest.mark.parametrize("space", [True, False])
async def test_an_event_that_is_named_error_is_one(
    client: OpenRouter, emulator: Emulator, space: bool
) -> None:
    """Servers of the dialect name the event instead; the reader sees one form of it."""
    first = chat(*FIVE).end_after(5).body
    named = encode_event(b'{"message": "Out of memory"}', event="error")
    named = named if space else named.replace(b": ", b":", 1)
    emulator.play(Reply(steps=(Send(first + named),)))
    async with answering(lambda: relay(client.stream("Hi", model="m"))) as port:
        body = (await get(port)).body
    assert body.startswith(first)
    assert b'"message":"Out of memory"' in body.removeprefix(first)
    assert body.endswith(DONE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("after", [0, 5])
async def test_no_message_of_the_upstream_shows_the_key(
    client: OpenRouter, emulator: Emulator, protocol: ProtocolName, after: int
) -> None:
    """A provider that quotes the key in its error does not have it quoted to the browser."""
    error = error_chunk(400, f"the key {KEY} and sk-proj-abcdefghijkl are bad")
    emulator.play(chat(*FIVE).error_after(after, error))
    make = lambda: relay(client.stream("Hi", model="m"), protocol=protocol)  # noqa: E731
    async with answering(make, expect="without completing response") as port:
        answer = await get(port)
    assert answer.status == (200 if after else 400)
    assert b"are bad" in answer.body
    assert KEY.encode() not in answer.body
    assert b"sk-proj-" not in answer.body


async def test_a_fault_of_the_application_is_masked_and_logged(
    client: OpenRouter, emulator: Emulator
) -> None:
    """An exception that is none of ours ends the message without its words, and reaches the log."""

    async def faulty() -> AsyncIterator[ChatChunk]:
        async for chunk in client.stream("Hi", model="m"):
            yield chunk
            raise LookupError("row 17 of table users")

    emulator.play(chat(*FIVE))
    async with answering(lambda: relay(faulty()), expect="Exception in ASGI application") as port:
        body = (await get(port)).body
    assert b"internal error" in body
    assert b"users" not in body
    assert body.endswith(DONE)


async def test_the_words_can_be_ones_own(client: OpenRouter, emulator: Emulator) -> None:
    """`describe` decides what the reader is told, before and after the first token."""
    error = error_chunk(502, "Provider fell over")
    emulator.play(http_error(429, "Slow down"), chat(*FIVE).error_after(5, error))
    make = lambda: relay(client.stream("Hi", model="m"), describe=lambda error: "Oh dear.")  # noqa: E731
    async with answering(make) as port:
        assert (await get(port)).json()["error"]["message"] == "Oh dear."
        assert b'"Oh dear."' in (await get(port)).body


async def test_settings_of_the_client_are_not_told(emulator: Emulator) -> None:
    """Whoever reads the answer hears the API's sentence, and not why the client gave up."""
    emulator.always(http_error(429, "Slow [1], and wait", headers={"Retry-After": "400"}))
    for retry in (RetryPolicy(max_wait=60), RetryPolicy(total=1.0, max_wait=1000)):
        async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
            with pytest.raises(RateLimitError, match=r"\[429\], and .*(max_wait|total)=") as caught:
                await client.complete("Hi", model="m")
        answer = error_answer(caught.value)
        assert answer.words == "Slow [1], and wait"
        assert answer.headers["retry-after"] == "400"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QueueTimeout(), 503),
        (ConnectError(), 502),
        (APIConnectionError(), 502),
        (FirstEventTimeout(), 504),
        (BudgetExceededError(), 402),
        (ProtocolError("<html>secret</html>"), 502),
        (APIStatusError("odd"), 502),
        (StreamAPIError("odd"), 502),
        (OpenRouterError("odd"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_failure_has_a_status_and_words(error: OpenRouterError, status: int) -> None:
    """Where the API named no status there is still a fitting one, and no inner detail is told."""
    answer = error_answer(error)
    assert answer.status == answer.body["error"]["code"] == status
    assert answer.words
    assert "secret" not in answer.words


# Silence.


@pytest.mark.parametrize("protocol", ["openai", "ai-sdk"])
async def test_a_silent_stream_sends_comments(
    client: OpenRouter, emulator: Emulator, protocol: ProtocolName
) -> None:
    """Comments come while nothing else does, and none while the answer flows."""
    emulator.play(chat(*FIVE).hold_after(2))
    make = lambda: relay(client.stream("Hi", model="m"), protocol=protocol, heartbeat=0.1)  # noqa: E731
    async with answering(make) as port:
        visitor = await Visitor.to(port)
        silent = await visitor.until(b": waiting\n\n")
        assert b"two " in silent
        assert b"three " not in silent
        emulator.release()
        rest = await visitor.reader.read(-1)
        assert b"five " in rest
        visitor.close()
        emulator.play(chat(*FIVE))
        assert b": waiting" not in (await get(port)).body


@pytest.mark.parametrize("fails", [False, True])
async def test_the_head_goes_out_in_time(
    client: OpenRouter, emulator: Emulator, fails: bool
) -> None:
    """Where no token comes for long, head and comments do; a failure is then an error frame."""
    reply = http_error(429, "Slow down") if fails else chat(*FIVE)
    emulator.play(reply.before_head(Hold()))
    make = lambda: relay(  # noqa: E731
        client.stream("Hi", model="m"), headers_within=0.05, heartbeat=0.1
    )
    async with answering(make) as port:
        visitor = await Visitor.to(port)
        head = await visitor.until(b": waiting\n\n")
        assert head.startswith(b"HTTP/1.1 200")
        emulator.release()
        rest = await visitor.reader.read(-1)
        assert (b"Slow down" if fails else b"five ") in rest
        assert DONE in rest
        visitor.close()


async def test_without_limits_nothing_but_the_answer_is_sent(
    client: OpenRouter, emulator: Emulator
) -> None:
    """`heartbeat` and `headers_within` can be switched off."""
    emulator.play(chat(*FIVE))
    make = lambda: relay(  # noqa: E731
        client.stream("Hi", model="m"), heartbeat=None, headers_within=None
    )
    async with answering(make) as port:
        assert (await get(port)).body == chat(*FIVE).body


# What is asked for wrongly, and what goes beside.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"protocol": "grpc"}, "protocol must be one of openai, ai-sdk, text"),
        ({"heartbeat": 0}, "heartbeat must be a positive number"),
        ({"headers_within": -1}, "headers_within must be a positive number"),
        ({"headers": {"x": "a\r\nset-cookie: b"}}, "holds a line end"),
    ],
)
def test_impossible_arguments_are_refused(arguments: Mapping[str, Any], words: str) -> None:
    """Each is named at the call."""
    with pytest.raises(ValueError, match=words):
        relay(OpenRouter(KEY).stream("Hi"), **arguments)


async def test_what_is_no_stream_is_refused(client: OpenRouter) -> None:
    """So is a tool run as OpenAI's chunks, and a stream that is looped over already."""
    with pytest.raises(TypeError, match="not int"):
        relay(3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="not ImageEventStream"):
        relay(client.images.stream("A fox", model="m"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="relay it with protocol='ai-sdk'"):
        relay(client.run_tools("Hi", tools=[]))
    stream = client.stream("Hi")
    aiter(stream)
    with pytest.raises(RuntimeError, match="looped over once"):
        relay(stream)


async def test_a_lifespan_owns_a_client() -> None:
    """It is made at the start, found in the application's state, and closed at the end."""

    class State:
        openrouter: OpenRouter

    class App:
        state = State()

    app = App()
    for given in (lambda: OpenRouter(KEY), OpenRouter(KEY)):
        async with lifespan(given)(app) as state:
            assert state == {"openrouter": app.state.openrouter}
        with pytest.raises(RuntimeError, match="closed"):
            await app.state.openrouter.complete("Hi", model="m")
    with pytest.raises(ValueError, match="drain"):
        lifespan(drain=-1)
