"""How a stream ends: every mix of reason, sentinel and wire, and every form of an error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import pytest

from openrouter_async import (
    OpenRouter,
    OpenRouterError,
    RateLimitError,
    RetryPolicy,
    StreamAPIError,
    StreamBrokenError,
    StreamTruncatedError,
)
from openrouter_async.errors import BadGatewayError, ServerError
from openrouter_async.testing import Emulator, Reply, chat, completion, error_chunk, replay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openrouter_async import ChatStream, Ending

Wire = Literal["clean", "cut", "reset", "too long"]
Content = Literal["text", "tool call"]
WIRES: tuple[Wire, ...] = ("clean", "cut", "reset", "too long")
CONTENTS: tuple[Content, ...] = ("text", "tool call")


@dataclass(frozen=True)
class Case:
    """One line of the truth table."""

    finish: bool
    done: bool
    wire: Wire
    content: Content

    def __str__(self) -> str:
        finish = "reason" if self.finish else "no reason"
        done = "sentinel" if self.done else "no sentinel"
        return f"{self.content}, {finish}, {done}, {self.wire}"

    @property
    def reply(self) -> Reply:
        """What the server sends."""
        reason = "tool_calls" if self.content == "tool call" else "stop"
        # A call that is not finished stops amid its arguments.
        arguments = ['{"city": "Ber', 'lin"}'] if self.finish else ['{"city": "Ber']
        calls = [{"name": "weather", "arguments": arguments, "id": "call_1"}]
        reply = chat(
            "Let me ",
            "look.",
            tool_calls=calls if self.content == "tool call" else (),
            finish_reason=reason if self.finish else None,
            done=self.done,
            usage=None,
        )
        if self.wire == "cut":
            return reply.cut_after(reply.events)
        if self.wire == "reset":
            return reply.reset_after(reply.events)
        return reply.with_framing("length", longer_by=64) if self.wire == "too long" else reply

    @property
    def ending(self) -> Ending:
        """What the table of the design says."""
        if self.done:
            return "complete" if self.finish else "complete_no_reason"
        if self.wire != "clean":
            return "broken"
        return "complete_no_sentinel" if self.finish else "truncated"


TABLE = [
    Case(finish, done, wire, content)
    for finish, done, wire, content in product((True, False), (True, False), WIRES, CONTENTS)
]
GOOD = ("complete", "complete_no_sentinel", "complete_no_reason")


@pytest.fixture
async def once(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once, so that every failure is seen."""
    async with OpenRouter(
        "sk-or-v1-test-key", base_url=emulator.base_url, retry=RetryPolicy(max_attempts=1)
    ) as client:
        yield client


async def hear(stream: ChatStream, heard: list[str]) -> None:
    """Loop over a stream; what is heard stays when it fails."""
    async for chunk in stream:
        heard += [chunk.text]


async def ask(client: OpenRouter, call: str) -> str:
    """Get a whole answer in one of three ways."""
    if call == "stream":
        heard: list[str] = []
        await hear(client.stream("Hi"), heard)
        return "".join(heard)
    if call == "complete":
        return (await client.complete("Hi")).text
    return (await client.complete("Hi", transport="json")).text


@pytest.mark.parametrize("case", TABLE, ids=str)
@pytest.mark.parametrize("pieces", ["at once", "one by one"])
async def test_the_truth_table(
    case: Case, pieces: str, emulator: Emulator, once: OpenRouter
) -> None:
    """What was seen of reason, sentinel and wire decides on the ending and the exception."""
    emulator.play(case.reply if pieces == "at once" else case.reply.each(0.002))
    stream = once.stream("Hi")
    text: list[str] = []
    error: OpenRouterError | None = None
    try:
        await hear(stream, text)
    except OpenRouterError as caught:
        error = caught
    assert stream.ending == case.ending
    assert "".join(text) == "Let me look."
    assert stream.partial is not None
    assert stream.partial.text == "Let me look."
    offered = [call.id for call in stream.partial.tool_calls]
    opened = [call.id for call in stream.partial.message.open_tool_calls or ()]
    assert once.stats().leased == once.stats().draining
    if case.ending in GOOD:
        assert error is None
        return
    assert type(error) is (
        StreamTruncatedError if case.ending == "truncated" else StreamBrokenError
    )
    assert error.phase == "body"
    assert error.billed == "unknown"
    assert error.retryable is False
    assert error.attempts == 1
    assert error.generation_id == stream.generation_id is not None
    assert error.partial == stream.partial
    if case.content == "tool call" and not case.finish:
        assert (offered, opened) == ([], ["call_1"])
    elif case.content == "tool call":
        assert (offered, opened) == (["call_1"], [])


@pytest.mark.parametrize("case", [case for case in TABLE if case.content == "text"], ids=str)
@pytest.mark.parametrize("spelling", ["await", "text", "raw"])
async def test_every_spelling_ends_alike(
    case: Case, spelling: str, emulator: Emulator, once: OpenRouter
) -> None:
    """`await`, `.text()` and `.raw()` tell the same endings as the loop does."""
    emulator.play(case.reply)
    stream = once.stream("Hi")
    if case.ending not in GOOD:
        kind = StreamTruncatedError if case.ending == "truncated" else StreamBrokenError
        with pytest.raises(kind):
            await read_as(stream, spelling)
    else:
        heard = await read_as(stream, spelling)
        assert heard == ("Let me look." if spelling != "raw" else case.reply.body.decode())
    assert stream.ending == case.ending


async def read_as(stream: ChatStream, spelling: str) -> str:
    """Read a stream to its end in one of its spellings."""
    if spelling == "await":
        return (await stream).text
    if spelling == "text":
        return "".join([text async for text in stream.text()])
    return "".join([frame.decode() async for frame in stream.raw()])


@pytest.mark.parametrize("arguments", [[], [""], ["{"], ['{"a": "}'], ['{"a": {}'], ["tru"]])
@pytest.mark.parametrize("wire", ["clean", "cut"])
async def test_an_open_call_is_not_offered(
    arguments: list[str], wire: str, emulator: Emulator, once: OpenRouter
) -> None:
    """However far a call had come at a bad end, it is kept where nobody runs it."""
    reply = chat(
        tool_calls=[
            {"name": "first", "arguments": {"a": 1}, "id": "call_1"},
            {"name": "second", "arguments": arguments, "id": "call_2"},
        ],
        finish_reason=None,
        usage=None,
        done=False,
    )
    emulator.play(reply if wire == "clean" else reply.cut_after(reply.events))
    with pytest.raises((StreamTruncatedError, StreamBrokenError)) as caught:
        await once.complete("Hi")
    partial = caught.value.partial
    assert partial is not None
    assert [call.id for call in partial.tool_calls] == ["call_1"]
    assert [call.id for call in partial.message.open_tool_calls or ()] == ["call_2"]
    assert "call_2" not in json.dumps(partial.message.to_dict())


# Errors with status 200.

RATE_LIMITED = {"provider_name": "DeepInfra", "error_type": "rate_limit_exceeded"}


def bare(**more: Any) -> bytes:
    """Build an error event from exactly these fields."""
    error = {"code": 429, "message": "Slow down please", "metadata": RATE_LIMITED}
    return b"data: " + json.dumps({"error": error} | more).encode() + b"\n\n"


def choice(**more: Any) -> bytes:
    """Build a chunk without a top-level error."""
    chunk = {"choices": [{"index": 0, "delta": {"content": ""}} | more]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


STREAMED: dict[str, tuple[bytes, type[OpenRouterError], int | None]] = {
    "as documented": (
        error_chunk(429, "Slow down please", metadata=RATE_LIMITED),
        RateLimitError,
        429,
    ),
    "finish reason null": (
        error_chunk(429, "Slow down please", finish_reason=None),
        RateLimitError,
        429,
    ),
    "empty choices": (bare(id="gen-1", choices=[]), RateLimitError, 429),
    "no choices": (bare(), RateLimitError, 429),
    "choices null": (bare(choices=None), RateLimitError, 429),
    "event: error": (b"event: error\n" + bare(), RateLimitError, 429),
    "event: error, flat": (
        b'event: error\ndata: {"message": "Slow down please", "code": 429}\n\n',
        RateLimitError,
        429,
    ),
    "code as digits": (error_chunk("429", "Slow down please"), RateLimitError, 429),
    "code as a name": (error_chunk("server_error", "Slow down please"), ServerError, 500),
    "code unheard of": (error_chunk("mystery", "Slow down please"), StreamAPIError, None),
    "code null": (error_chunk(None, "Slow down please"), StreamAPIError, None),
    "code missing": (
        b'data: {"error": {"message": "Slow down please"}}\n\n',
        StreamAPIError,
        None,
    ),
    "error is a string": (b'data: {"error": "Slow down please"}\n\n', StreamAPIError, None),
    "choices[].error": (
        choice(error={"code": 502, "message": "Slow down please"}),
        BadGatewayError,
        502,
    ),
    "choices[].error with a reason": (
        choice(error={"code": 502, "message": "Slow down please"}, finish_reason="error"),
        BadGatewayError,
        502,
    ),
    "finish_reason error": (choice(finish_reason="error"), StreamAPIError, None),
    "object error": (
        b'data: {"object": "error", "message": "Slow down please", "code": 429}\n\n',
        RateLimitError,
        429,
    ),
}


@pytest.mark.parametrize("event", STREAMED)
@pytest.mark.parametrize("behind", ["sentinel", "end", "cut", "reset"])
async def test_an_error_amid_a_stream_raises(
    event: str, behind: str, emulator: Emulator, once: OpenRouter
) -> None:
    """Five chunks arrive, then an error in any form: it raises, with the five kept."""
    data, kind, status = STREAMED[event]
    whole = chat(*"abcde", "never").error_after(5, data, done=behind == "sentinel")
    if behind == "cut":
        whole = whole.cut_after(6)
    elif behind == "reset":
        whole = whole.reset_after(6)
    emulator.play(whole)
    stream = once.stream("Hi")
    text: list[str] = []
    with pytest.raises(kind) as caught:
        await hear(stream, text)
    error = caught.value
    assert isinstance(error, StreamAPIError)
    assert text == list("abcde")
    assert error.partial is not None
    assert error.partial.text == "abcde"
    assert error.status == status
    if event != "finish_reason error":
        assert str(error).startswith("Slow down please")
    assert error.generation_id == stream.generation_id is not None
    assert error.phase == "body"
    assert error.retryable is False
    assert stream.ending == "error"
    assert once.stats().leased == 0
    if event in ("as documented", "empty choices", "no choices", "event: error"):
        assert error.provider_name == "DeepInfra"
        assert error.error_type == "rate_limit_exceeded"


@pytest.mark.parametrize("event", STREAMED)
@pytest.mark.parametrize("behind", ["sentinel", "end"])
async def test_an_error_as_the_first_event_raises(
    event: str, behind: str, emulator: Emulator, once: OpenRouter
) -> None:
    """An error in place of an answer raises from `start`, and costs nothing."""
    data, kind, status = STREAMED[event]
    emulator.play(chat("never").error_after(0, data, done=behind == "sentinel"))
    stream = once.stream("Hi")
    with pytest.raises(kind) as caught:
        _ = await stream.start()
    error = caught.value
    assert isinstance(error, StreamAPIError)
    assert error.status == status
    assert error.phase == "first_event"
    assert error.billed == "no"
    assert stream.ending == "error"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"error": {"code": 429, "message": "Slow down please"}}', RateLimitError, 429),
        (b'{"error": {"code": "server_error", "message": "Slow down please"}}', ServerError, 500),
        (b'{"error": {"code": null, "message": "Slow down please"}}', StreamAPIError, None),
        (b'{"error": {"message": "Slow down please"}, "choices": []}', StreamAPIError, None),
        (b'{"error": {"message": "Slow down please"}, "choices": null}', StreamAPIError, None),
        (b'{"error": "Slow down please"}', StreamAPIError, None),
        (b'\n   {"error": "Slow down please"}', StreamAPIError, None),
    ],
)
@pytest.mark.parametrize("call", ["stream", "complete", "complete as json"])
async def test_an_error_body_called_a_success_raises(
    body: bytes,
    kind: type[OpenRouterError],
    status: int | None,
    call: str,
    emulator: Emulator,
    once: OpenRouter,
) -> None:
    """A 200 whose JSON holds an error raises it, however the answer was asked for."""
    emulator.play(replay(body, content_type="application/json; charset=utf-8"))
    with pytest.raises(kind, match=r"^Slow down please") as caught:
        await ask(once, call)
    assert isinstance(caught.value, StreamAPIError)
    assert caught.value.status == status
    assert caught.value.billed == "no"


@pytest.mark.parametrize("spelling", ["loop", "collect"])
async def test_an_error_under_a_streams_content_type_raises(
    once: OpenRouter, emulator: Emulator, spelling: str
) -> None:
    """A body of plain JSON that is called an event stream is read for the error in it."""
    body = b'{"error":{"code":429,"message":"Slow down, please"}}'
    emulator.play(replay(body, content_type="text/event-stream"))
    with pytest.raises(RateLimitError, match="Slow down, please") as caught:
        if spelling == "loop":
            async for _ in once.stream("Hi", model="m"):
                pass
        else:
            await once.stream("Hi", model="m")
    assert caught.value.billed == "no"


@pytest.mark.parametrize("call", ["complete", "complete as json"])
@pytest.mark.parametrize("form", ["error", "reason"])
async def test_a_choice_that_failed_raises(
    call: str, form: str, emulator: Emulator, once: OpenRouter
) -> None:
    """A JSON answer whose choice failed on the way raises, and what it has is kept."""
    answer = json.loads(completion("The first ", "half").body)
    answer["choices"][0]["finish_reason"] = "error"
    if form == "error":
        answer["choices"][0]["error"] = {"code": 502, "message": "Provider disconnected"}
    emulator.play(replay(json.dumps(answer).encode(), content_type="application/json"))
    with pytest.raises(StreamAPIError) as caught:
        await ask(once, call)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "The first half"
    assert caught.value.generation_id == answer["id"]
    assert caught.value.phase == "body"
    assert caught.value.billed == "yes"  # its usage names a cost
    assert caught.value.retryable is False
    if form == "error":
        assert isinstance(caught.value, BadGatewayError)
        assert "Provider disconnected" in str(caught.value)
