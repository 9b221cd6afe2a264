"""How streams of /responses, /messages and /completions end, as those of chats do."""

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
from openrouter_async.errors import OverloadedError, ProtocolError, ServerError
from openrouter_async.testing import Emulator, Reply, error_event, http_error, message, replay
from tests.text_dialects import DIALECTS, Dialect, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openrouter_async import Ending

Wire = Literal["clean", "cut", "reset", "too long"]
WIRES: tuple[Wire, ...] = ("clean", "cut", "reset", "too long")
GOOD = ("complete", "complete_no_sentinel", "complete_no_reason")

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)


@dataclass(frozen=True)
class Case:
    """One line of the truth table."""

    dialect: Dialect
    finish: bool
    done: bool
    wire: Wire

    def __str__(self) -> str:
        finish = "reason" if self.finish else "no reason"
        return f"{self.dialect}, {finish}, {'' if self.done else 'no '}sentinel, {self.wire}"

    @property
    def reply(self) -> Reply:
        """What the server sends."""
        script: dict[str, Any] = {} if self.finish else {"finish_reason": None}
        if self.dialect.says_done:
            reply = self.dialect.reply("Let me ", "look.", done=self.done, **script)
        else:
            reply = self.dialect.reply("Let me ", "look.", **script)
            if self.finish and not self.done:
                reply = reply.end_after(reply.events - 1)
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
    Case(dialect, finish, done, wire)
    for dialect, finish, done, wire in product(DIALECTS, (True, False), (True, False), WIRES)
    # A message that does not say why it ends has no end of its own either.
    if dialect.says_done or finish or not done
]


@pytest.fixture
async def once(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once, so that every failure is seen."""
    async with OpenRouter(
        "sk-or-v1-test-key", base_url=emulator.base_url, retry=RetryPolicy(max_attempts=1)
    ) as client:
        yield client


async def hear(stream: Stream, heard: list[str]) -> None:
    """Loop over a stream; what is heard stays when it fails."""
    async for event in stream:
        heard += [event.text]


async def read_as(stream: Stream, spelling: str) -> str:
    """Read a stream to its end in one of its spellings."""
    if spelling == "await":
        return (await stream).text
    if spelling == "text":
        return "".join([piece async for piece in stream.text()])
    return b"".join([frame async for frame in stream.raw()]).decode()


@pytest.mark.parametrize("case", TABLE, ids=str)
@pytest.mark.parametrize("pieces", ["at once", "one by one"])
async def test_the_truth_table(
    case: Case, pieces: str, emulator: Emulator, once: OpenRouter
) -> None:
    """What was seen of reason, sentinel and wire decides on the ending and the exception."""
    emulator.play(case.reply if pieces == "at once" else case.reply.each(0.002))
    stream = case.dialect.stream(once)
    heard: list[str] = []
    error: OpenRouterError | None = None
    try:
        await hear(stream, heard)
    except OpenRouterError as caught:
        error = caught
    assert stream.ending == case.ending
    assert "".join(heard) == stream.partial.text == "Let me look."
    assert stream.partial.ending == case.ending
    assert once.stats().leased == once.stats().draining
    if case.ending in GOOD:
        assert error is None
        return
    assert type(error) is (
        StreamTruncatedError if case.ending == "truncated" else StreamBrokenError
    )
    assert error.phase == "body"
    assert error.retryable is False
    assert error.attempts == 1
    assert error.generation_id == stream.generation_id is not None
    assert error.partial == stream.partial
    # A message counts its cost with its reason, before its end.
    assert error.billed == ("unknown" if stream.cost is None else "yes")


@pytest.mark.parametrize("case", TABLE, ids=str)
@pytest.mark.parametrize("spelling", ["await", "text", "raw"])
async def test_every_spelling_ends_alike(
    case: Case, spelling: str, emulator: Emulator, once: OpenRouter
) -> None:
    """`await`, `.text()` and `.raw()` tell the same endings as the loop does."""
    emulator.play(case.reply)
    stream = case.dialect.stream(once)
    if case.ending not in GOOD:
        kind = StreamTruncatedError if case.ending == "truncated" else StreamBrokenError
        with pytest.raises(kind):
            await read_as(stream, spelling)
    else:
        heard = await read_as(stream, spelling)
        assert heard == ("Let me look." if spelling != "raw" else case.reply.body.decode())
    assert stream.ending == case.ending


@every_dialect
@pytest.mark.parametrize("behind", ["sentinel", "end", "cut", "reset"])
async def test_an_error_amid_a_stream_raises(
    dialect: Dialect, behind: str, emulator: Emulator, once: OpenRouter
) -> None:
    """What had come before an error event is kept with the exception of its class."""
    events = dialect.before_text + 5
    reply = dialect.reply(*"abcde", "never")
    reply = reply.error_after(events, dialect.error, done=behind == "sentinel")
    if behind in ("cut", "reset"):
        cut = reply.cut_after if behind == "cut" else reply.reset_after
        reply = cut(events + 1)
    emulator.play(reply)
    stream = dialect.stream(once)
    heard: list[str] = []
    with pytest.raises(RateLimitError, match=r"^Slow down please") as caught:
        await hear(stream, heard)
    error = caught.value
    assert isinstance(error, StreamAPIError)
    assert "".join(heard) == error.partial.text == "abcde"
    assert (error.status, error.phase, error.billed) == (429, "body", "unknown")
    assert error.retryable is False
    assert error.generation_id == stream.generation_id is not None
    assert stream.ending == "error"
    assert once.stats().leased == 0


@every_dialect
async def test_an_error_as_the_first_event_is_tried_again(
    dialect: Dialect, emulator: Emulator
) -> None:
    """An error in place of an answer costs nothing, and the request is sent once more."""
    retry = RetryPolicy(max_attempts=2, first_delay=0.001)
    emulator.play(dialect.reply("never").error_after(0, dialect.error), dialect.reply("Hello"))
    async with OpenRouter("sk-test", base_url=emulator.base_url, retry=retry) as client:
        assert (await dialect.stream(client)).text == "Hello"
        emulator.play(*[dialect.reply("never").error_after(0, dialect.error)] * 2)
        with pytest.raises(RateLimitError) as caught:
            await dialect.stream(client).start()
    assert (caught.value.attempts, caught.value.billed) == (2, "no")
    assert caught.value.phase == "first_event"
    assert emulator.accepted == 4


@every_dialect
@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_an_error_body_called_a_success_raises(
    dialect: Dialect, transport: str, emulator: Emulator, once: OpenRouter
) -> None:
    """A 200 whose JSON holds an error raises it, however the answer was asked for."""
    body = b'{"error": {"code": 429, "message": "Slow down please"}}'
    emulator.play(replay(body, content_type="application/json"))
    with pytest.raises(RateLimitError, match=r"^Slow down please") as caught:
        await dialect.group(once).create("Hi", model="m", transport=transport)
    assert caught.value.billed == "no"


@every_dialect
@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_an_answer_in_one_piece_is_an_answer(
    dialect: Dialect, transport: str, emulator: Emulator, once: OpenRouter
) -> None:
    """A server that answers with JSON, asked or not, gives what a stream adds up to."""
    emulator.play(
        dialect.reply("Hel", "lo", reasoning="Hm.", whole=True),
        dialect.reply("Hel", "lo", reasoning="Hm."),
    )
    group = dialect.group(once)
    whole = await group.create("Hi", model="m", transport=transport)
    assert whole.ending == ("complete" if transport == "json" else "complete_no_sentinel")
    streamed = await group.create("Hi", model="m")
    assert (streamed.text, streamed.reasoning, streamed.ending) == ("Hello", "Hm.", "complete")
    assert whole.text == streamed.text
    assert whole.reasoning == streamed.reasoning
    assert whole.cost == streamed.cost == 0.00015
    assert whole.generation_id == whole.id == streamed.id


@every_dialect
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>Sign in</html>", "text/html"),
        (b'{"detail": "nothing"}', "application/json"),
        (b"data: <html>\n\n", "text/event-stream"),
    ],
)
async def test_what_is_no_answer_is_a_protocol_error(
    dialect: Dialect, body: bytes, kind: str, emulator: Emulator, once: OpenRouter
) -> None:
    """Bytes that are not this API raise, and do not pass for an empty answer."""
    emulator.play(replay(body, content_type=kind))
    with pytest.raises(ProtocolError):
        await dialect.stream(once)


# What one dialect has of its own.

FAILED: dict[str, Any] = {
    "type": "response.failed",
    "response": {
        "id": "gen-1",
        "status": "failed",
        "error": {"code": "server_error", "message": "Slow down please"},
        "error_type": "provider_overloaded",
        "output": [],
    },
}


FORMS: list[tuple[dict[str, Any], type[OpenRouterError], int | None]] = [
    (FAILED, ServerError, 503),
    (
        {"type": "error", "code": "server_error", "message": "Slow down please"},
        ServerError,
        500,
    ),
    ({"type": "error", "code": None, "message": "Slow down please"}, StreamAPIError, None),
    (
        {"type": "response.error", "error": {"code": 429, "message": "Slow down please"}},
        RateLimitError,
        429,
    ),
    ({"error": {"code": 429, "message": "Slow down please"}}, RateLimitError, 429),
    ({"error": "Slow down please"}, StreamAPIError, None),
    ({"type": "error", "error": "Slow down please"}, StreamAPIError, None),
]


@pytest.mark.parametrize(("event", "kind", "status"), FORMS)
async def test_every_form_of_a_failed_response(
    event: dict[str, Any],
    kind: type[OpenRouterError],
    status: int | None,
    emulator: Emulator,
    once: OpenRouter,
) -> None:
    """Each form in which /responses reports a failure raises the class of its code."""
    reply = DIALECTS[0].reply("Hel", "lo")
    emulator.play(reply.error_after(6, b"data: " + json.dumps(event).encode() + b"\n\n"))
    with pytest.raises(kind, match=r"^Slow down please") as caught:
        await once.responses.create("Hi", model="m")
    assert isinstance(caught.value, StreamAPIError)
    assert caught.value.status == status
    assert caught.value.partial.text == "Hello"


async def test_an_incomplete_response_is_no_failure(emulator: Emulator, once: OpenRouter) -> None:
    """An answer that ran into its limit is whole as far as it goes, and says why it ends."""
    emulator.play(DIALECTS[0].reply("Hel", finish_reason="length"))
    answer = await once.responses.create("Hi", model="m", max_output_tokens=1)
    assert (answer.status, answer.ending, answer.text) == ("incomplete", "complete", "Hel")
    assert answer.incomplete_details == {"reason": "max_output_tokens"}


async def test_a_message_ends_with_its_last_event(emulator: Emulator, once: OpenRouter) -> None:
    """`message_stop` ends the stream although the body stays open, and `[DONE]` may follow it."""
    reply = message("Hello")
    emulator.play(reply.stall_after(reply.events))
    stream = once.messages.stream("Hi", model="m")
    events = [event.type async for event in stream]
    assert events[-1] == "message_stop"
    assert stream.ending == "complete"
    emulator.play(replay(reply.body + b"data: [DONE]\n\n"))
    assert (await once.messages.create("Hi", model="m")).ending == "complete"


@pytest.mark.parametrize("place", ["stream", "status"])
async def test_an_error_in_anthropics_envelope(
    place: str, emulator: Emulator, once: OpenRouter
) -> None:
    """Anthropic's words for an error name a class, and the id of the request is kept."""
    body = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded", "error_type": "server"},
        "request_id": "req_7",
    }
    if place == "status":
        emulator.play(http_error(529, body=json.dumps(body).encode()))
    else:
        event = b"event: error\ndata: " + json.dumps(body).encode() + b"\n\n"
        emulator.play(message("Hel").error_after(3, event, done=False))
    with pytest.raises((OverloadedError, ServerError), match=r"^Overloaded") as caught:
        await once.messages.create("Hi", model="m")
    assert caught.value.request_id == "req_7"
    assert caught.value.error_type == "server"


async def test_a_cut_call_is_not_offered(emulator: Emulator, once: OpenRouter) -> None:
    """However far a call had come at a bad end, it is kept where nobody runs it."""
    calls: list[dict[str, Any]] = [
        {"name": "first", "arguments": {"a": 1}, "id": "call_1"},
        {"name": "second", "arguments": ['{"a": ', "2", "}"], "id": "call_2"},
    ]
    whole = DIALECTS[0].reply(tool_calls=calls)
    emulator.play(whole.cut_after(9), message(tool_calls=calls).cut_after(6))
    with pytest.raises(StreamBrokenError) as caught:
        await once.responses.create("Hi", model="m")
    assert [call.call_id for call in caught.value.partial.function_calls] == ["call_1"]
    assert [item.status for item in caught.value.partial.output] == ["completed", "in_progress"]
    with pytest.raises(StreamBrokenError) as caught:
        await once.messages.create("Hi", model="m")
    partial = caught.value.partial
    assert [(call.id, call.input) for call in partial.tool_uses] == [("call_1", {"a": 1})]
    assert [block.cut_input for block in partial.content] == [None, '{"a": ']
    assert "call_2" not in json.dumps(partial.to_param())


@every_dialect
async def test_an_unknown_event_is_handed_on(
    dialect: Dialect, emulator: Emulator, once: OpenRouter
) -> None:
    """An event of a kind, or with a field, that nobody knows yet comes through with all of it."""
    news = b'data: {"type": "new.thing", "colour": "red", "delta": 7}\n\n'
    reply = dialect.reply("Hel", "lo")
    start = len(reply.end_after(dialect.before_text).body)
    emulator.play(replay(reply.body[:start] + news + reply.body[start:]))
    stream = dialect.stream(once)
    told = [event.raw async for event in stream if b"colour" in event.raw]
    assert [json.loads(raw)["colour"] for raw in told] == ["red"]
    assert stream.partial.text == "Hello"
    assert stream.ending == "complete"


async def test_overloaded_is_named_by_its_kind(emulator: Emulator, once: OpenRouter) -> None:
    """Anthropic's word alone, without a number, tells the status."""
    event = error_event("messages", "Slow down please", code="overloaded_error")
    emulator.play(message("never").error_after(0, event, done=False))
    with pytest.raises(OverloadedError) as caught:
        await once.messages.create("Hi", model="m")
    assert caught.value.status == 529
