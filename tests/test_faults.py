"""Each fault on which an existing client was seen to fail, tried on this one.

docs/faults.md tells the outcomes as one table; a cell there is true because a test here says so.
Three things hold for every fault: nothing ends silently, nothing foreign is raised, nothing hangs.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import (
    Limits,
    OpenRouter,
    OpenRouterError,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
    StreamAPIError,
    StreamBrokenError,
    StreamTruncatedError,
    Timeouts,
)
from openrouter_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadGatewayError,
    FirstEventTimeout,
    IdleTimeout,
    PaymentRequiredError,
    ServerError,
    ServiceUnavailableError,
    WireIdleTimeout,
)
from openrouter_async.testing import (
    Cut,
    Drip,
    Emulator,
    Pause,
    Raw,
    Reply,
    Reset,
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
MEGABYTE = 2**20
GOOD = ("complete", "complete_no_sentinel", "complete_no_reason")


@pytest.fixture
async def once(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


def chunk(content: Any = None, *, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """Build a chunk with as little around its delta as servers send."""
    if content is not None:
        delta["content"] = content
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def event(value: Any) -> bytes:
    """Write a value as an event, non-ASCII characters as they are."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def body(*values: Any) -> bytes:
    """Write events, and the end of a stream behind them."""
    return b"".join(map(event, (*values, chunk(finish="stop"), "[DONE]")))


GREETING = body(chunk("Héllo "), chunk("wörld 🎉"))


# Framing.

FRAMINGS = {
    "comments between": GREETING.replace(b"data: ", b": OPENROUTER PROCESSING\n\ndata: "),
    "comments inside": GREETING.replace(b"\n\n", b"\n: OPENROUTER PROCESSING\n\n"),
    "comments before the data": GREETING.replace(b"data: ", b": one\n:\ndata: "),
    "CRLF": GREETING.replace(b"\n", b"\r\n"),
    "lone CR": GREETING.replace(b"\n", b"\r"),
    "byte order mark": b"\xef\xbb\xbf" + GREETING,
    "no space": GREETING.replace(b"data: ", b"data:"),
    "no final newline": GREETING.removesuffix(b"\n"),
    "no final newlines": GREETING.removesuffix(b"\n\n"),
    "several data lines": GREETING.replace(b', "', b',\ndata: "'),
    "retry and id lines": GREETING.replace(b"data: ", b"retry: 1000\nid: 7\ndata: "),
    "unknown fields": GREETING.replace(b"data: ", b"colour: red\ndata\ndata: "),
    "empty data events": GREETING.replace(b"data: {", b"data:\n\ndata: {"),
    "comments as events": b"data: : OPENROUTER PROCESSING\n\n" + GREETING,
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("split", [None, 1])
async def test_any_framing_is_read(
    framing: str, split: int | None, emulator: Emulator, once: OpenRouter
) -> None:
    """What the standard allows and what servers send besides gives the same text."""
    emulator.play(replay(FRAMINGS[framing], split=split))
    stream = once.stream("Hi")
    assert (await stream).text == "Héllo wörld 🎉"
    assert stream.ending in ("complete", "complete_no_sentinel")


async def test_any_split_is_read(emulator: Emulator) -> None:
    """Cut in two at each of its bytes, CRLF and emoji included, a body gives the same text."""
    data = GREETING.replace(b"\n", b"\r\n")
    limits = Limits(max_connections=len(data))
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        for point in range(1, len(data)):
            emulator.play(replay(data, split=[point]).each(0.02))
        answers = await asyncio.gather(*(client.complete("Hi") for _ in range(1, len(data))))
    assert {answer.text for answer in answers} == {"Héllo wörld 🎉"}


@pytest.mark.parametrize(
    "separator",
    ["\u2028", "\u2029", "\u0085", "\x7f", "\u000b", "\u000c", "\u001c", "\ufeff", "\0"],
)
async def test_line_separators_in_the_text_stay(
    separator: str, emulator: Emulator, once: OpenRouter
) -> None:
    """Only CR and LF end a line; what Unicode calls a line end is text."""
    # JSON allows U+0020 and above as they are; below that the server escapes.
    emulator.play(replay(body(chunk(f"a{separator}b"), chunk("c"))))
    stream = once.stream("Hi")
    assert [piece async for piece in stream.text()] == [f"a{separator}b", "c"]


@pytest.mark.parametrize("text", ["", "Here: "], ids=["at first", "later"])
async def test_one_line_of_twenty_megabytes(text: str) -> None:
    """A large image comes through whole, in less than a second of this thread's time."""
    picture = b"\x89PNG\r\n\x1a\n" + random.Random(7).randbytes(15 * MEGABYTE)
    reply = chat(text, images=[picture]) if text else chat(images=[picture])
    assert len(reply.body) > 20 * MEGABYTE
    with Emulator.in_thread() as emulator:
        emulator.play(reply)
        async with OpenRouter(KEY, base_url=emulator.base_url) as client:
            await client.warmup()
            began = time.thread_time()
            answer = await client.complete("Hi")
            took = time.thread_time() - began
    assert answer.images[0].bytes == picture
    assert took < 1.0


async def test_a_line_without_end_is_refused(emulator: Emulator) -> None:
    """An event larger than the limit raises, and its bytes are not kept."""
    limits = Limits(max_event_size=MEGABYTE)
    emulator.play(replay(event(chunk("a")) + b"data: " + b"x" * 3 * MEGABYTE))
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        with pytest.raises(ProtocolError, match="max_event_size") as caught:
            await client.complete("Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a"


# Errors inside a stream; every form of them is tried in test_endings.

ERRORS: dict[str, tuple[bytes, type[OpenRouterError], int]] = {
    "documented": (
        error_chunk(502, "Upstream gave up", metadata={"error_type": "provider_unavailable"}),
        BadGatewayError,
        502,
    ),
    "other metadata": (
        error_chunk(502, "Upstream gave up", metadata={"provider_name": "Nebula"}),
        BadGatewayError,
        502,
    ),
    "code as a name": (error_chunk("server_error", "Upstream gave up"), ServerError, 500),
}


@pytest.mark.parametrize("form", ERRORS)
async def test_an_error_amid_a_stream(form: str, emulator: Emulator, once: OpenRouter) -> None:
    """The error raises with its sentence and status, and keeps what came before."""
    data, kind, status = ERRORS[form]
    emulator.play(chat(*"abcd").error_after(3, data))
    with pytest.raises(kind, match=r"^Upstream gave up") as caught:
        await once.complete("Hi")
    assert isinstance(caught.value, StreamAPIError)
    assert caught.value.status == status
    assert caught.value.partial is not None
    assert caught.value.partial.text == "abc"
    assert emulator.accepted == 1


async def test_an_error_as_the_first_event(emulator: Emulator, once: OpenRouter) -> None:
    """In place of an answer the error has its status's class and costs nothing."""
    emulator.play(replay(error_chunk(429, "Slow down", bare=True)))
    with pytest.raises(RateLimitError, match=r"^Slow down") as caught:
        await once.complete("Hi")
    assert caught.value.billed == "no"


async def test_an_error_as_the_first_event_is_tried_again(emulator: Emulator) -> None:
    """Refused before any output is refused: by default the request is sent again."""
    emulator.play(replay(error_chunk(429, "Slow down", bare=True)), chat("ab"))
    retry = RetryPolicy(first_delay=0.01)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        assert (await client.complete("Hi")).text == "ab"
    assert emulator.accepted == 2


# Cuts.


@pytest.mark.parametrize("end", [Cut(), Reset()], ids=["FIN", "RST"])
async def test_a_cut_amid_an_http_chunk(
    end: Cut | Reset, emulator: Emulator, once: OpenRouter
) -> None:
    """A connection that ends amid a chunk raises; what had come whole is kept."""
    whole = chat(*"abcd")
    half = Raw(b'ff\r\ndata: {"choi')
    emulator.play(whole.end_after(3).after(3, half, end))
    with pytest.raises(StreamBrokenError) as caught:
        await once.complete("Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "abc"
    assert caught.value.billed == "unknown"
    assert emulator.accepted == 1


@pytest.mark.parametrize("plus_bytes", [0, 1, 40])
async def test_a_clean_end_too_soon(plus_bytes: int, emulator: Emulator, once: OpenRouter) -> None:
    """A body that ends in good order without the answer's end raises, between or amid events."""
    whole = chat(*"abcd")
    data = whole.body
    cut = len(whole.end_after(3).body) + plus_bytes
    emulator.play(replay(data[:cut]))
    with pytest.raises(StreamTruncatedError) as caught:
        await once.complete("Hi")
    assert ("in the middle of an event" in str(caught.value)) == (plus_bytes > 0)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "abc"


async def test_an_empty_body(emulator: Emulator, once: OpenRouter) -> None:
    """A 200 without a byte is no answer."""
    emulator.play(replay(b""), replay(b"", content_type="application/json"))
    with pytest.raises(StreamTruncatedError):
        await once.complete("Hi")
    with pytest.raises(ProtocolError):
        await once.complete("Hi", transport="json")


@pytest.mark.parametrize(
    "broken", ['{"choices": [', "{'choices': []}", "undefined", "[]", '"text"', "12", "\udcff"]
)
async def test_broken_json_in_one_event(broken: str, emulator: Emulator, once: OpenRouter) -> None:
    """What is no JSON object raises as such, with what came before it."""
    data = b"data: " + broken.encode("utf-8", "surrogateescape") + b"\n\n"
    emulator.play(replay(event(chunk("ab")) + data + body(chunk("c"))))
    stream = once.stream("Hi")
    with pytest.raises(ProtocolError) as caught:
        await stream
    assert caught.value.partial is not None
    assert caught.value.partial.text == "ab"
    assert stream.ending == "error"


# Silence; every deadline is tried in test_deadlines.


async def test_silence_amid_a_stream(emulator: Emulator, once: OpenRouter) -> None:
    """A server that stops talking is left in time, with the defaults after two minutes."""
    assert Timeouts().wire_idle == 120
    emulator.play(chat(*"abcd").stall_after(3))
    with pytest.raises(WireIdleTimeout) as caught:
        await once.complete("Hi", timeouts=Timeouts(wire_idle=0.4))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "abc"
    await emulator.wait_for(lambda: emulator.disconnects == 1)


@pytest.mark.parametrize("said", [0, 3])
async def test_only_comments_for_ever(said: int, emulator: Emulator, once: OpenRouter) -> None:
    """Keep-alive comments keep the wire alive and not the answer."""
    comments = Drip(b": OPENROUTER PROCESSING\n\n" * 300, 25, 0.02)
    emulator.play(chat(*"abcd").after(said, comments, Stall()))
    short = Timeouts(wire_idle=0.3, first_event=0.6, idle=0.6)
    began = time.monotonic()
    with pytest.raises(IdleTimeout if said else FirstEventTimeout):
        await once.complete("Hi", timeouts=short)
    assert 0.6 <= time.monotonic() - began < 5  # the comments alone take longer


async def test_an_answer_that_takes_its_time(emulator: Emulator, client: OpenRouter) -> None:
    """With the defaults a server may be silent for two minutes, and is asked once."""
    assert Timeouts().wire_idle == 120
    assert Timeouts().first_event == 600
    emulator.play(chat("ab").before_head(Pause(0.5)).after(0, Pause(0.5)))
    assert (await client.complete("Hi")).text == "ab"
    assert emulator.accepted == 1


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_a_deadline_is_no_reason_to_ask_again(transport: Any, emulator: Emulator) -> None:
    """A request that was sent and not answered may cost money: it is not sent twice."""
    emulator.always(chat("ab").before_head(Stall()))
    timeouts = Timeouts(wire_idle=0.3)
    async with OpenRouter(KEY, base_url=emulator.base_url, timeouts=timeouts) as client:
        with pytest.raises(APITimeoutError) as caught:
            await client.complete("Hi", transport=transport)
    assert caught.value.billed == "unknown"
    assert caught.value.attempts == 1
    assert emulator.accepted == 1


# Refusals.


def in_a_moment() -> str:
    """A date of HTTP one to two seconds from now."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_429_is_tried_again_when_the_server_says(form: str, emulator: Emulator) -> None:
    """`Retry-After` is a floor, whether it names seconds or a date."""
    value = "1" if form == "seconds" else in_a_moment()
    emulator.play(http_error(429, "Slow down", headers={"Retry-After": value}), chat("ab"))
    retry = RetryPolicy(first_delay=0.05)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        began = time.monotonic()
        assert (await client.complete("Hi")).text == "ab"
        assert 0.9 <= time.monotonic() - began < 10
    assert emulator.accepted == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_an_hour_is_not_waited(status: int, emulator: Emulator, client: OpenRouter) -> None:
    """A server that asks for an hour is believed, and the error raised at once."""
    emulator.always(http_error(status, "Come back later", headers={"Retry-After": "3600"}))
    began = time.monotonic()
    with pytest.raises((RateLimitError, ServiceUnavailableError)) as caught:
        await client.complete("Hi")
    assert time.monotonic() - began < 10
    assert caught.value.retry_after == 3600
    assert caught.value.status == status
    assert emulator.accepted == 1


async def test_502_for_ever_is_given_up(emulator: Emulator, client: OpenRouter) -> None:
    """Three tries with the defaults, within seconds, then the error itself."""
    emulator.always(http_error(502, "Bad gateway"))
    began = time.monotonic()
    with pytest.raises(BadGatewayError) as caught:
        await client.complete("Hi")
    assert time.monotonic() - began < 10
    assert caught.value.attempts == 3
    assert emulator.accepted == 3


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_retries_leak_nothing(framing: Any, emulator: Emulator) -> None:
    """Forty requests of five attempts each, and no connection is held."""
    emulator.always(replace(http_error(502, "Bad gateway"), framing=framing))
    retry = RetryPolicy(max_attempts=5, first_delay=0.001)
    limits = Limits(max_connections=4)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry, limits=limits) as client:
        answers = await asyncio.gather(
            *(client.complete("Hi") for _ in range(40)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {BadGatewayError}
        assert emulator.accepted == 200
        assert client.stats().leased == 0
        assert client.stats().waiting == 0
        await emulator.wait_for(lambda: emulator.open_connections <= 4)
        emulator.always(chat("ab"))
        assert (await client.complete("Hi")).text == "ab"


async def test_an_error_called_a_success(emulator: Emulator, once: OpenRouter) -> None:
    """JSON with an error and status 200 raises it, from a stream and from one body."""
    refused = b'{"error": {"code": 402, "message": "Insufficient credits"}}'
    emulator.always(replay(refused, content_type="application/json"))
    for answer in (once.stream("Hi").collect(), once.complete("Hi", transport="json")):
        with pytest.raises(PaymentRequiredError, match=r"^Insufficient credits"):
            await answer


async def test_a_choice_that_failed_on_the_way(emulator: Emulator, client: OpenRouter) -> None:
    """A JSON answer with `choices[0].error` raises, is kept, and is not paid for twice."""
    answer = json.loads(completion("The first half").body)
    answer["choices"][0]["error"] = {"code": 502, "message": "Provider disconnected"}
    emulator.always(replay(json.dumps(answer).encode(), content_type="application/json"))
    with pytest.raises(BadGatewayError, match=r"^Provider disconnected") as caught:
        await client.complete("Hi", transport="json")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "The first half"
    assert emulator.accepted == 1


FILE = {
    "type": "file",
    "file": {
        "hash": "ab12",
        "name": "paper.pdf",
        "content": [
            {"type": "text", "text": "<file name='paper.pdf'>"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ],
    },
}


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_a_parsed_document(transport: Any, emulator: Emulator, once: OpenRouter) -> None:
    """The annotation of a parsed PDF comes through whole, to be sent back."""
    build = chat if transport == "stream" else completion
    emulator.play(build("A paper.", annotations=[FILE]))
    answer = await once.complete("Hi", transport=transport)
    assert [annotation.to_dict() for annotation in answer.annotations] == [FILE]
    assert answer.text == "A paper."


HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Wi-Fi login</body></html>"


@pytest.mark.parametrize("transport", ["stream", "json"])
@pytest.mark.parametrize("status", [200, 403])
async def test_a_page_instead_of_an_answer(
    status: int, transport: Any, emulator: Emulator, once: OpenRouter
) -> None:
    """HTML raises, and a page with an error status keeps its words and loses its tags."""
    emulator.play(replay(HTML, content_type="text/html; charset=utf-8", status=status))
    with pytest.raises(OpenRouterError) as caught:
        await once.complete("Hi", transport=transport)
    if status == 200:
        assert isinstance(caught.value, ProtocolError)
        return
    assert isinstance(caught.value, APIStatusError)
    assert "Wi-Fi login" in str(caught.value)
    assert "<" not in str(caught.value)


# What nobody has announced.

NEWS = {"type": "reasoning.telepathy", "data": "zzz", "index": 0, "mood": "calm"}

SURPRISES: dict[str, list[Any]] = {
    "unknown finish_reason": [chunk("ab"), chunk("c", finish="tired")],
    "unknown role": [chunk("ab", role="oracle"), chunk("c")],
    "unknown object": [chunk("ab") | {"object": "chat.completion.chunk.v2"}, chunk("c")],
    "unknown detail type": [chunk("ab", reasoning_details=[NEWS]), chunk("c")],
    "unknown fields": [chunk("ab", mood="calm") | {"weather": {"a": [1]}}, chunk("c")],
    "choices null": [chunk("ab"), {"choices": None}, chunk("c")],
    "choices missing": [chunk("ab"), {"id": "gen-1"}, chunk("c")],
    "choices of another kind": [chunk("ab"), {"choices": {"0": 1}}, chunk("c")],
    "a choice null": [chunk("ab"), {"choices": [None]}, chunk("c")],
    "delta null": [chunk("ab"), {"choices": [{"index": 0, "delta": None}]}, chunk("c")],
    "delta missing": [chunk("ab"), {"choices": [{"index": 0}]}, chunk("c")],
    "no ids at all": [{"choices": [{"delta": {"content": text}}]} for text in ("ab", "c")],
    "created as a string": [chunk("ab") | {"created": "1762064096"}, chunk("c")],
    "created as an object": [chunk("ab") | {"created": {}}, chunk("c")],
    "index as a string": [{"choices": [{"index": "0", "delta": {"content": "abc"}}]}],
    "id as a number": [chunk("ab") | {"id": 7}, chunk("c")],
    "usage of another kind": [chunk("ab") | {"usage": "much"}, chunk("c")],
    "usage as a string of digits": [chunk("ab") | {"usage": {"cost": "0.5"}}, chunk("c")],
    "content as parts": [chunk([{"type": "text", "text": "ab"}]), chunk("c")],
    "tool_calls of another kind": [chunk("ab", tool_calls="none"), chunk("c")],
    "logprobs of another kind": [
        {"choices": [{"index": 0, "delta": {"content": "abc"}, "logprobs": 3}]}
    ],
    "finish_reason as a number": [chunk("ab"), chunk("c") | {"finish_reason": 3}],
    "an empty object": [chunk("ab"), {}, chunk("c")],
    "error null": [chunk("ab") | {"error": None}, chunk("c")],
}


@pytest.mark.parametrize("surprise", SURPRISES)
async def test_a_surprise_loses_nothing(
    surprise: str, emulator: Emulator, once: OpenRouter
) -> None:
    """A field of an unknown value or a wrong kind costs that field at most."""
    emulator.play(replay(body(*SURPRISES[surprise])))
    stream = once.stream("Hi")
    answer = await stream
    assert answer.text == "abc"
    assert stream.ending == "complete"
    if surprise == "unknown detail type":
        assert [detail.to_dict() for detail in answer.message.reasoning_details or ()] == [NEWS]
    elif surprise == "created as a string":
        assert answer.created == 1762064096
    elif surprise == "unknown role":
        assert answer.message.role == "oracle"


@pytest.mark.parametrize("surprise", SURPRISES)
async def test_a_surprise_in_one_body_loses_nothing(
    surprise: str, emulator: Emulator, once: OpenRouter
) -> None:
    """The same surprises in an answer that is not streamed."""
    first, *_ = SURPRISES[surprise]
    for choice in first["choices"]:
        choice = dict(choice)
        choice["message"] = choice.pop("delta")
        first = first | {"choices": [choice]}
    emulator.play(replay(json.dumps(first).encode(), content_type="application/json"))
    assert (await once.complete("Hi", transport="json")).text in ("ab", "abc")


async def test_a_hundred_equal_chunks(emulator: Emulator, once: OpenRouter) -> None:
    """A model that repeats itself is heard out."""
    emulator.play(chat(*["na "] * 150))
    chunks = [chunk.text async for chunk in once.stream("Hi")]
    assert chunks.count("na ") == 150


async def test_two_annotations_without_an_index(emulator: Emulator, once: OpenRouter) -> None:
    """Annotations of several chunks are gathered, each once."""
    notes = [
        {"type": "url_citation", "url_citation": {"url": f"https://example.com/{n}", "title": "T"}}
        for n in (1, 2, 2)
    ]
    emulator.play(chat("ab", annotations=notes))
    answer = await once.complete("Hi")
    assert [annotation.to_dict() for annotation in answer.annotations] == notes[:2]


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_a_redirect_to_another_host_is_refused(
    status: int, transport: Any, emulator: Emulator, once: OpenRouter
) -> None:
    """Neither the key nor the prompt goes to a host that nobody configured."""
    async with Emulator() as other:
        target = f"{other.base_url}/chat/completions"
        emulator.play(http_error(status, headers={"Location": target}))
        with pytest.raises(ProtocolError, match="another origin") as caught:
            await once.complete("A secret prompt", transport=transport)
        assert (other.connections, other.requests) == (0, [])
    assert "secret" not in str(caught.value)
    assert emulator.accepted == 1
    assert once.stats().leased == 0


async def test_a_redirect_within_the_host_is_followed(emulator: Emulator, once: OpenRouter) -> None:
    """A 307 that stays at home keeps method and body."""
    emulator.play(http_error(307, headers={"Location": "/api/v1/elsewhere"}), chat("ab"))
    assert (await once.complete("Hi")).text == "ab"
    first, second = emulator.requests
    assert second.path == "/api/v1/elsewhere"
    assert (second.method, second.body) == ("POST", first.body)


async def test_a_redirect_in_a_circle_ends(emulator: Emulator, once: OpenRouter) -> None:
    """A server that redirects to itself is left after five times."""
    emulator.always(http_error(307, headers={"Location": "/api/v1/chat/completions"}))
    with pytest.raises(ProtocolError, match="redirects"):
        await once.complete("Hi")
    assert emulator.accepted == 5


# Too much.


@pytest.mark.parametrize("form", ["text", "json", "endless"])
@pytest.mark.parametrize("status", [400, 500])
async def test_a_huge_error_body_stays_outside(
    form: str, status: int, emulator: Emulator, once: OpenRouter
) -> None:
    """Of fifty megabytes of error, or of one without end, the client takes a few kilobytes."""
    flood = b"x" * (50 * MEGABYTE)
    if form == "endless":
        steps = (Drip(flood, 64 * 1024, 0.0), Stall())
        reply = Reply(status=status, headers=(("Content-Type", "text/plain"),), steps=steps)
    else:
        text = b'{"error": {"message": "' + flood + b'"}}' if form == "json" else flood
        kind = "application/json" if form == "json" else "text/plain"
        reply = http_error(status, body=text, content_type=kind)
    await once.warmup()
    emulator.play(reply)
    _ = reply.program  # what the server holds is made now, and does not count
    tracemalloc.start()
    try:
        with pytest.raises(APIStatusError) as caught:
            await once.complete("Hi")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.status == status
    assert len(str(caught.value)) < 4_000
    assert len(repr(caught.value)) < 4_000
    assert peak < 8 * MEGABYTE
    assert once.stats().leased == 0
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_a_page_without_end_stays_outside(emulator: Emulator, once: OpenRouter) -> None:
    """The same with status 200 and a content type that is no stream."""
    steps = (Drip(b"x" * (20 * MEGABYTE), 64 * 1024, 0.0), Stall())
    emulator.play(Reply(headers=(("Content-Type", "text/plain"),), steps=steps))
    with pytest.raises(ProtocolError) as caught:
        await once.complete("Hi")
    assert len(str(caught.value)) < 1_000
    await emulator.wait_for(lambda: emulator.disconnects == 1)


# What is no HTTP.

NO_HTTP: dict[str, tuple[Reply, tuple[type[OpenRouterError], ...]]] = {
    "garbage instead of a head": (
        Reply().before_head(Raw(b"\x16\x03\x01 hello there\r\n\r\n"), Cut()),
        (ProtocolError, APIConnectionError),
    ),
    "half a head": (
        Reply().before_head(Raw(b"HTTP/1.1 200 OK\r\nContent-T"), Cut()),
        (APIConnectionError,),
    ),
    "no answer": (Reply().before_head(Cut()), (APIConnectionError,)),
    "reset instead of an answer": (Reply().before_head(Reset()), (APIConnectionError,)),
    "a bad chunk size": (
        chat(*"abcd").end_after(3).after(3, Pause(0.1), Raw(b"zz\r\nfoo\r\n")),
        (StreamBrokenError,),
    ),
    "a bad chunk size at once": (
        chat(*"abcd").end_after(3).after(3, Raw(b"zz\r\nfoo\r\n")),
        (StreamBrokenError, ProtocolError),
    ),
    "a body that is not gzip": (
        chat("ab").with_headers({"Content-Encoding": "gzip"}),
        (StreamBrokenError, ProtocolError),
    ),
    "a header without end": (
        Reply().before_head(Raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * MEGABYTE), Stall()),
        (ProtocolError, APIConnectionError),
    ),
}


@pytest.mark.parametrize("fault", NO_HTTP)
@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_what_is_no_http_is_ours_to_name(
    fault: str, transport: Any, emulator: Emulator, once: OpenRouter
) -> None:
    """Broken HTTP raises an exception of this client, with the connection closed."""
    reply, kinds = NO_HTTP[fault]
    emulator.play(reply)
    with pytest.raises(kinds) as caught:
        await once.complete("Hi", transport=transport)
    assert caught.value.billed == "unknown"
    assert KEY not in repr(caught.value)
    assert once.stats().leased == 0
    assert emulator.accepted == 1


# The key.


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY}\rx", f"{KEY}\0", f"{KEY}é", "a b"])
def test_a_key_that_no_header_can_carry(key: str) -> None:
    """A line end inside a key is named, and the key is not."""
    with pytest.raises(ValueError, match="api_key holds a character") as caught:
        OpenRouter(key)
    assert key not in str(caught.value)
    assert KEY not in str(caught.value)


async def test_a_line_end_behind_the_key_is_no_part_of_it(emulator: Emulator) -> None:
    """A key read from a file with its last newline works."""
    async with OpenRouter(f"{KEY}\n", base_url=emulator.base_url) as client:
        await client.complete("Hi")
    assert emulator.requests[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_an_echoed_key_is_taken_out(emulator: Emulator) -> None:
    """A careless server that shows the key in its error does not get it into ours."""
    secret = "hunter2-hunter2"
    emulator.always(http_error(400, f"Bad token {secret}"))
    async with OpenRouter(secret, base_url=emulator.base_url) as client:
        with pytest.raises(APIStatusError) as caught:
            await client.complete("Hi")
    assert secret not in str(caught.value)
    assert secret not in repr(caught.value)


# All at once.


def damaged(chance: random.Random) -> bytes:
    """Give a stream with a few bytes changed, dropped, doubled or cut off."""
    data = bytearray(chat("Hel", "lo", reasoning="Hm", comments_before=1).body)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randint(1, 80)]
        elif kind == 2:
            data[at:at] = data[at : at + chance.randint(1, 80)]
        elif kind == 3:
            data[at:at] = chance.choice([b"\n", b"\r", b"\n\n", b"\0", b"null", b"\xf0\x9f", b'"'])
        elif chance.random() < 0.3:
            del data[at:]
        data = data or bytearray(b"\n")
    return bytes(data)


async def test_no_damage_gets_anything_foreign_out(emulator: Emulator, once: OpenRouter) -> None:
    """However a body is damaged, a stream ends well or raises ours, and is over in no time."""
    endings: set[str | None] = set()
    for seed in range(300):
        chance = random.Random(seed)
        emulator.play(
            Reply(
                headers=(("Content-Type", "text/event-stream"),), steps=(Send(damaged(chance)),)
            ).split(chance)
        )
        stream = once.stream("Hi")
        failure: OpenRouterError | None = None
        try:
            async with asyncio.timeout(5):
                await stream
        except OpenRouterError as error:
            failure = error
        assert (failure is None) == (stream.ending in GOOD)
        assert failure is None or failure.partial == stream.partial
        endings.add(stream.ending)
        assert once.stats().leased == once.stats().draining
    assert {"complete", "complete_no_reason", "truncated", "error"} <= endings
