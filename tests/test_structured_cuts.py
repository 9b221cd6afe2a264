"""A structured answer that is cut, at every byte and under each reason: the class, and what is kept.

Most of it runs on stream objects that are given their bytes by hand, which takes the same way as
from a socket; a few cuts come over real ones.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from openrouter_async import (
    ChatStream,
    Limits,
    OpenRouter,
    ParsedCompletion,
    StreamAPIError,
    StreamBrokenError,
    StreamError,
    StreamTruncatedError,
    Timeouts,
)
from openrouter_async._event_stream import Accept
from openrouter_async._sse import SSEDecoder
from openrouter_async.errors import (
    ContentFilterError,
    LengthError,
    OpenRouterError,
    OutputError,
    ParseError,
)
from openrouter_async.parsing import ParsedStream
from openrouter_async.testing import Emulator, chat, completion, error_chunk


class Line(msgspec.Struct):
    """One line of a report."""

    label: str
    amounts: list[float]


class Report(msgspec.Struct):
    """A report."""

    title: str
    lines: list[Line]
    ok: bool | None


VALUE = Report(title='Déjà "vu" \U0001f600', lines=[Line("a", [1, 2.5]), Line("", [])], ok=None)
TEXT = msgspec.json.encode(VALUE) + b"\n"
WHOLE = len(TEXT) - 1


async def unsent(accept: Accept) -> None:
    """Stands where the client sends: these streams are given what came."""
    raise AssertionError("nothing is sent")


async def judged(body: bytes) -> ParsedCompletion[Report]:
    """Read the body of a stream to its end, and the value in it."""
    limits = Limits()
    stream = ChatStream(unsent, timeouts=Timeouts(), limits=limits)
    events = SSEDecoder(limits.max_event_size).feed(body)
    stream._events = iter(events)
    for _ in events:
        stream._waiting_item()
    if stream.ending is None:
        try:
            stream._at_end_of_body()
        except StreamError as error:
            raise stream._failed(error) from None
    return await ParsedStream(stream, Report).collect()


REASONS: dict[str, tuple[str | None, bool, type[OpenRouterError] | None, type[OpenRouterError]]] = {
    # Finish reason, whether [DONE] came, what a whole text gives (None: its value), what a cut one.
    "stop": ("stop", True, None, ParseError),
    "stop without [DONE]": ("stop", False, None, ParseError),
    "length": ("length", True, LengthError, LengthError),
    "content_filter": ("content_filter", True, ContentFilterError, ContentFilterError),
    "tool_calls": ("tool_calls", True, None, ParseError),
    "a new reason": ("tired", True, None, ParseError),
    "error": ("error", True, StreamAPIError, StreamAPIError),
    "none": (None, True, None, ParseError),
    "none without [DONE]": (None, False, StreamTruncatedError, StreamTruncatedError),
}


@pytest.mark.parametrize("name", REASONS)
async def test_cut_at_every_byte(name: str) -> None:
    """The reason decides the class before the text is looked at, and the text is kept."""
    reason, done, if_whole, if_cut = REASONS[name]
    for size in range(len(TEXT) + 1):
        text = TEXT[:size].decode("utf-8", "replace")
        body = chat(text[:9], text[9:], finish_reason=reason, done=done).body
        expected = if_whole if size >= WHOLE else if_cut
        try:
            answer = await judged(body)
        except OpenRouterError as error:
            assert expected is not None, (size, error)
            assert type(error) is expected or expected is StreamAPIError, (size, error)
            assert isinstance(error, expected)
            assert error.partial is not None
            assert error.partial.text == text
            assert "vu" not in str(error)
            if isinstance(error, OutputError):
                check_kept(error, text)
        else:
            assert expected is None, size
            assert (answer.parsed, answer.text) == (VALUE, text)


def check_kept(error: OutputError, text: str) -> None:
    """What an answer held is on the error: text, usage, cost, and as much of the value as came."""
    assert error.text == text
    assert error.completion is error.partial
    assert error.usage is not None
    assert error.billed == "yes"
    assert error.phase == "body"
    assert not error.retryable
    assert error.generation_id == error.completion.id is not None
    if text.startswith("{"):
        assert set(error.partial_value) <= {"title", "lines", "ok"}
        title: str = error.partial_value.get("title", "")
        assert VALUE.title.startswith(title.rstrip("\ufffd"))
    else:
        assert error.partial_value is None


async def test_the_stream_cut_at_every_byte() -> None:
    """A body that ends early is a cut stream until a finish reason has come, never bad JSON."""
    text = TEXT.decode()
    reply = chat(*(text[start : start + 9] for start in range(0, len(text), 9)))
    finish = reply.body.index(b'"finish_reason":"stop"')
    finished = reply.body.index(b"\n\n", finish) + 2
    for size in range(len(reply.body)):
        try:
            answer = await judged(reply.body[:size])
        except StreamTruncatedError as error:
            assert size < finished
            assert error.partial is not None
            assert text.startswith(error.partial.text)
        else:
            assert size >= finished - 1
            assert answer.parsed == VALUE


@pytest.mark.parametrize(
    ("reason", "kind"), [("length", LengthError), ("content_filter", ContentFilterError)]
)
@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_reasons_over_a_socket(
    reason: str,
    kind: type[OutputError],
    transport: Literal["stream", "json"],
    emulator: Emulator,
    client: OpenRouter,
) -> None:
    """Both forms of an answer are judged alike, and the connection is free again."""
    make: Any = chat if transport == "stream" else completion
    emulator.always(make('{"title": "Ad', 'a", "lines": [{"la', finish_reason=reason))
    with pytest.raises(kind) as caught:
        await client.complete("Hi", model="m", response_type=Report, transport=transport)
    assert caught.value.text == '{"title": "Ada", "lines": [{"la'
    assert caught.value.partial_value == {"title": "Ada", "lines": [{}]}
    assert client.stats().leased == 0


async def test_length_reaches_the_loop(emulator: Emulator, client: OpenRouter) -> None:
    """A loop over partials has them all, then the error of the reason."""
    emulator.always(chat('{"title": "A', 'da", "li', finish_reason="length"))
    parsing = client.stream("Hi", model="m", response_type=Report).parse(Report)
    shown = 0
    with pytest.raises(LengthError) as caught:
        async for partial in parsing:
            shown += 1
            assert partial == {"title": "A" if shown == 1 else "Ada"}
    assert shown == 2
    assert caught.value.partial_value == {"title": "Ada"}
    with pytest.raises(RuntimeError, match="no whole value"):
        _ = parsing.parsed


async def test_a_broken_stream_stays_a_broken_stream(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A connection that breaks is told as that, with what had come."""
    text = TEXT.decode()
    emulator.always(chat(text[:20], text[20:]).reset_after(1))
    with pytest.raises(StreamBrokenError) as caught:
        await client.complete("Hi", model="m", response_type=Report)
    assert caught.value.partial is not None
    assert caught.value.partial.text == text[:20]
    emulator.always(chat(text[:20], text[20:]).end_after(1))
    with pytest.raises(StreamTruncatedError):
        await client.stream("Hi", model="m").parse(Report)


async def test_an_error_amid_the_stream_stays_one(emulator: Emulator, client: OpenRouter) -> None:
    """An error event is of its own class, though the text before it is a whole value."""
    emulator.always(chat(TEXT.decode()).error_after(1, error_chunk(429, "Slow down.")))
    with pytest.raises(StreamAPIError, match=r"Slow down\.") as caught:
        await client.complete("Hi", model="m", response_type=Report)
    assert caught.value.partial is not None
    assert caught.value.partial.text == TEXT.decode()
