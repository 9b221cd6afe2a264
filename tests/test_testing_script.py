"""The emulator's scripted replies: values, framing and faults, without a socket."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from openrouter_async.testing import (
    Cut,
    Drip,
    Emulator,
    Hold,
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
from openrouter_async.testing._steps import event_ends

DONE = b"data: [DONE]\n\n"


def events_of(reply: Reply) -> list[dict[str, Any]]:
    """Decode the JSON events of a reply."""
    lines = [line for line in reply.body.split(b"\n") if line.startswith(b"data: {")]
    return [json.loads(line[6:]) for line in lines]


def wire_of(reply: Reply) -> bytes:
    """Give the bytes of the program, waits and faults left out."""
    return b"".join(act for act in reply.program.acts if isinstance(act, bytes))


def unchunk(wire: bytes) -> list[bytes]:
    """Take HTTP chunks apart."""
    chunks: list[bytes] = []
    while wire:
        size, _, wire = wire.partition(b"\r\n")
        length = int(size, 16)
        chunks.append(wire[:length])
        assert wire[length : length + 2] == b"\r\n"
        wire = wire[length + 2 :]
    assert chunks.pop() == b""
    return chunks


def body_wire(reply: Reply) -> bytes:
    """Give the part of the program behind the head."""
    return wire_of(reply).partition(b"\r\n\r\n")[2]


def test_every_size_of_split_gives_exactly_the_bytes() -> None:
    """A body split into pieces of n bytes is sent whole, in chunks of n and one rest."""
    body = bytes(range(256)) * 3
    for size in (1, 2, 3, 15, 16, 63, 64, 65, 100, 767, 768, 5000):
        chunks = unchunk(body_wire(replay(body, split=size)))
        assert b"".join(chunks) == body
        assert {len(chunk) for chunk in chunks[:-1]} <= {size}
        assert len(chunks[-1]) <= size


def test_points_say_where_chunks_begin() -> None:
    """A body split at offsets has its chunks end there, in order and once each."""
    chunks = unchunk(body_wire(replay(b"0123456789", split=[7, 3, 3])))
    assert chunks == [b"012", b"3456", b"789"]


def test_random_split_is_the_same_for_the_same_seed() -> None:
    """Chance decides on the chunks, the seed on the chance, and no byte is lost."""
    body = b"data: x\n\n" * 500
    for seed in range(30):
        reply = replay(body, split=random.Random(seed))
        assert reply == replay(body, split=random.Random(seed))
        assert b"".join(unchunk(body_wire(reply))) == body


@pytest.mark.parametrize("point", [0, 10, -1, 11])
def test_a_point_outside_the_body_is_named(point: int) -> None:
    """A split point that is not inside the body is a mistake of the test that set it."""
    with pytest.raises(ValueError, match=f"split point {point} "):
        replay(b"0123456789", split=[point])


@pytest.mark.parametrize("make", [lambda: Send(b"a", 0), lambda: Drip(b"a", 0, 0.0)])
def test_an_empty_piece_is_refused(make: Any) -> None:
    """Pieces have at least one byte: an empty HTTP chunk would end the body."""
    with pytest.raises(ValueError, match="at least 1 byte"):
        make()


def test_split_keeps_what_lies_between() -> None:
    """Splitting joins neighbours, keeps waits, and counts offsets in the whole body."""
    reply = Reply(steps=(Send(b"ab"), Send(b"cd"), Pause(1), Drip(b"ef", 1, 0), Send(b"gh")))
    assert reply.split([1, 3, 7]).steps == (
        Send(b"abcd", (1, 3)),
        Pause(1),
        Drip(b"ef", 1, 0),
        Send(b"gh", (1,)),
    )


def test_each_waits_between_all_pieces() -> None:
    """Each two pieces are parted by a wait; none is added where one is."""
    reply = Reply(steps=(Send(b"ab", 1), Pause(5), Send(b"c"))).each(0.1)
    assert reply.steps == (Send(b"a"), Pause(0.1), Send(b"b"), Pause(5), Send(b"c"))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b"", 0),
        (b": note\n\n", 0),
        (b"data: 1\n\n: note\n\ndata: 2\n\n", 2),
        (b"data: 1\r\n\r\ndata: 2\r\r", 2),
        (b"event: x\r\ndata: 1\r\n\r\n", 1),
        (b"data: 1\n\ndata: unfinished", 1),
        (b"id: 1\n\n", 0),
        (b"data\n\n\n\ndata:\n\n", 2),
    ],
)
def test_events_with_data_are_counted(body: bytes, count: int) -> None:
    """Only finished events that carry data count, whatever their line ends."""
    assert len(event_ends(body)) == count


def test_neighbouring_sends_become_one_write() -> None:
    """Events without a wait between them leave in one write with the head."""
    assert len(chat(*"abcdefgh").program.acts) == 1
    assert len(chat(*"ab", delay=0.5).program.acts) == 3


def test_cut_ends_behind_an_event_and_part_of_the_next() -> None:
    """A cut keeps the events before it and the bytes asked for, and drops the rest."""
    reply = chat("a", "b", "c")
    cut = reply.cut_after(2, plus_bytes=9)
    assert cut.steps[-1] == Cut()
    assert reply.body.startswith(cut.body)
    assert cut.events == 2
    assert cut.body.endswith(b'\n\ndata: {"i')
    assert not wire_of(cut).endswith(b"0\r\n\r\n")
    assert cut.program.closes


@pytest.mark.parametrize(
    ("method", "step"),
    [("cut_after", Cut()), ("reset_after", Reset()), ("stall_after", Stall())],
)
def test_a_fault_can_come_after_any_number_of_events(method: str, step: Any) -> None:
    """Every count from none to all events is a place for a fault."""
    reply = chat("a", "b", comments_before=1, comments_between=1)
    for count in range(reply.events + 1):
        faulty = getattr(reply, method)(count)
        assert faulty.events == count
        assert faulty.steps[-1] == step
        assert faulty.program.closes


def test_a_count_beyond_the_events_is_named() -> None:
    """Asking for more events than the reply has is a mistake, not a shorter reply."""
    reply = chat("a")
    with pytest.raises(ValueError, match=f"0 to {reply.events} in this reply, got 9"):
        reply.hold_after(9)
    with pytest.raises(ValueError, match="got -1"):
        reply.cut_after(-1)
    with pytest.raises(ValueError, match="plus_bytes must be 0 to 0"):
        reply.cut_after(reply.events, plus_bytes=1)


def test_a_fault_can_lie_inside_a_split_body() -> None:
    """A fault inside a replayed body keeps the pieces on both sides."""
    body = b"data: 1\n\ndata: 2\n\n"
    reply = replay(body, split=[3, 12]).hold_after(1)
    assert reply.steps == (Send(body[:9], (3,)), Hold(), Send(body[9:], (3,)))
    assert replay(body, split=4).end_after(1).body == b"data: 1\n\n"
    assert Reply(steps=(Drip(body, 2, 0.0),)).end_after(1).steps == (Drip(body[:9], 2, 0.0),)


def test_error_event_takes_the_place_of_the_rest() -> None:
    """Behind an error event only `[DONE]` follows, or nothing."""
    error = error_chunk(429, "Rate limit exceeded")
    reply = chat("a", "b").error_after(1, error)
    assert reply.body.endswith(error + DONE)
    assert reply.events == 3
    assert chat("a").error_after(0, error, done=False).body == error


def test_done_can_be_left_out() -> None:
    """Without `[DONE]` everything else stays as it was."""
    reply = chat("a", "b")
    assert reply.without_done().body + DONE == reply.body
    assert reply.split(7).without_done().body + DONE == reply.body
    with pytest.raises(ValueError, match="no \\[DONE\\]"):
        http_error(500).without_done()


def test_headers_are_replaced_in_any_case() -> None:
    """A header that is set twice is sent once."""
    reply = chat("a").with_headers({"content-type": "text/plain", "X-More": "1"})
    head = wire_of(reply).partition(b"\r\n\r\n")[0].lower()
    assert head.count(b"content-type") == 1
    assert reply.header("Content-Type") == "text/plain"
    assert reply.header("x-MORE") == "1"
    assert reply.header("X-None") is None


def test_length_framing_declares_the_length() -> None:
    """A declared length is the body's, unless a wrong one is asked for; that one closes."""
    reply = chat("a").with_framing("length")
    size = len(reply.body)
    assert f"Content-Length: {size}\r\n".encode() in wire_of(reply)
    assert body_wire(reply) == reply.body
    assert not reply.program.closes
    longer = chat("a").with_framing("length", longer_by=5)
    assert longer.declared_length == size + 5
    assert longer.program.closes
    with pytest.raises(ValueError, match="negative"):
        reply.with_framing("length", longer_by=-size - 1)


def test_a_cut_body_keeps_the_length_that_was_promised() -> None:
    """A body cut short was declared in full, or the fault would be no fault."""
    reply = chat("a").with_framing("length")
    assert reply.cut_after(1).declared_length == len(reply.body)


def test_close_framing_has_neither_length_nor_chunks() -> None:
    """A body that ends with the connection says so in its head."""
    reply = chat("a").with_framing("close")
    assert b"Connection: close" in wire_of(reply)
    assert body_wire(reply) == reply.body
    assert reply.program.closes


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_has_none(status: int) -> None:
    """No body and no framing follow a status that excludes them."""
    reply = Reply(status, steps=(Send(b"x"),))
    assert wire_of(reply).endswith(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in wire_of(reply)


def test_a_fault_before_the_head_leaves_nothing_to_send() -> None:
    """A request that is cut off without an answer gets no byte of it."""
    reply = chat("a").before_head(Pause(0.1), Raw(b"junk"), Cut())
    assert wire_of(reply) == b"junk"
    assert reply.program.closes


@pytest.mark.parametrize(
    "make",
    [
        lambda: Reply(before=(Send(b"x"),)),
        lambda: Reply(before=(Drip(b"x", 1, 0),)),
        lambda: Reply(declared_length=5),
    ],
)
def test_parts_that_do_not_fit_are_refused(make: Any) -> None:
    """A body before the head and a length that is never sent are mistakes."""
    with pytest.raises(ValueError, match=r"cannot be sent before|declares no length"):
        make()


def test_chat_sends_the_recorded_form() -> None:
    """Chunks carry provider, role and content each, and usage comes behind the finish."""
    *texts, finish, usage = events_of(chat("Hel", "lo"))
    assert [chunk["choices"][0]["delta"] for chunk in texts] == [
        {"role": "assistant", "content": "Hel"},
        {"role": "assistant", "content": "lo"},
    ]
    assert list(texts[0]) == ["id", "provider", "model", "object", "created", "choices"]
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert finish["choices"][0]["native_finish_reason"] == "stop"
    assert usage["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert usage["choices"][0]["finish_reason"] is None
    assert usage["usage"]["cost"] == 0.00015
    assert chat("Hel", "lo").body.endswith(DONE)


def test_usage_rides_where_it_is_asked_to() -> None:
    """Usage comes with a choice, without one, with the finish, or not at all."""
    assert events_of(chat("a", usage="empty"))[-1]["choices"] == []
    *before, last = events_of(chat("a", usage="finish"))
    assert last["choices"][0]["finish_reason"] == "stop"
    assert "usage" in last
    assert [chunk["choices"][0]["finish_reason"] for chunk in before] == [None]
    assert all("usage" not in chunk for chunk in events_of(chat("a", usage=None)))


def test_finish_reason_can_repeat_or_stay_away() -> None:
    """The finish reason comes as often as it is asked to, on the usage chunk last."""
    reasons = [
        chunk["choices"][0]["finish_reason"] for chunk in events_of(chat("a", repeat_finish=3))
    ]
    assert reasons == [None, "stop", "stop", "stop"]
    silent = events_of(chat("a", finish_reason=None))
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in silent)
    assert "usage" in silent[-1]


def test_comments_and_delays_lie_between_the_deltas() -> None:
    """Comments come before the first and between deltas, waits only between."""
    reply = chat("a", "b", comments_before=2, comments_between=1, delay=0.25)
    comment = Send(b": OPENROUTER PROCESSING\n\n")
    assert reply.steps[:2] == (comment, comment)
    assert reply.steps[3:5] == (comment, Pause(0.25))
    assert reply.steps.count(Pause(0.25)) == 1
    assert chat("a", done=False).body.count(b"[DONE]") == 0


def test_whole_answer_has_the_content_of_the_stream() -> None:
    """`completion` says at once what `chat` says in pieces."""
    detail = {"type": "reasoning.encrypted", "data": "xyz", "index": 1}
    signature = {"type": "reasoning.text", "text": "", "index": 0, "signature": "s"}
    content: dict[str, Any] = {
        "reasoning": ("I", " think"),
        "reasoning_details": [detail, signature],
        "tool_calls": [
            {"name": "f", "arguments": {"city": "Paris"}},
            {"name": "g", "arguments": ["{", "}"], "id": "mine"},
        ],
        "images": ["https://example.org/cat.png", b"\x89PNG"],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.org"}}],
    }
    streamed = events_of(chat("Hel", "lo", **content))
    whole = json.loads(completion("Hel", "lo", **content).body)
    message = whole["choices"][0]["message"]
    assert message["content"] == "Hello"
    assert message["reasoning"] == "I think"
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "I think", "index": 0, "format": None, "signature": "s"},
        detail,
    ]
    calls = message["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == ['{"city":"Paris"}', "{}"]
    assert [call["id"] for call in calls] == ["call_0", "mine"]
    assert message["images"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    assert message["annotations"] == content["annotations"]
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert whole["usage"] == streamed[-1]["usage"]
    assert whole["id"] == streamed[0]["id"]


def test_raw_events_and_deltas_go_through_as_they_are() -> None:
    """A mapping is a whole delta and bytes are a whole event."""
    reply = chat({"refusal": "No."}, b"not json", "a")
    assert b"data: not json\n\n" in reply.body
    assert events_of(reply)[0]["choices"][0]["delta"] == {"refusal": "No."}


def test_error_event_has_the_documented_form() -> None:
    """An error event is a chunk with an error, metadata and usage beside its choice."""
    event = error_chunk(
        "server_error", "Broke", metadata={"error_type": "server"}, usage={"cost": 1}
    )
    chunk = json.loads(event.removeprefix(b"data: "))
    assert chunk["error"] == {
        "code": "server_error",
        "message": "Broke",
        "metadata": {"error_type": "server"},
    }
    assert chunk["choices"][0]["finish_reason"] == "error"
    assert chunk["usage"] == {"cost": 1}


def test_http_error_has_the_envelope_or_any_body() -> None:
    """An error status comes with OpenRouter's envelope unless a body is given."""
    reply = http_error(429, "Slow", metadata={"raw": "x"}, headers={"Retry-After": "3"})
    assert json.loads(reply.body) == {
        "error": {"message": "Slow", "code": 429, "metadata": {"raw": "x"}}
    }
    assert reply.header("retry-after") == "3"
    assert json.loads(http_error(400, "x", code="bad").body)["error"]["code"] == "bad"
    page = http_error(502, body=b"<html>", content_type="text/html")
    assert (page.body, page.header("Content-Type")) == (b"<html>", "text/html")


@pytest.mark.parametrize("reply", ["Hello", {"choices": []}, chat])
def test_what_is_no_reply_is_refused(reply: Any) -> None:
    """What nobody can answer with is refused where it is given, and not when it is asked for."""
    emulator = Emulator()
    with pytest.raises(TypeError, match=r'a reply is made by chat\("Hello"\)'):
        emulator.play(chat("Hello"), reply)
    with pytest.raises(TypeError, match=r'a reply is made by chat\("Hello"\)'):
        emulator.always(reply)


def test_a_status_that_is_no_number_is_refused() -> None:
    """A status in quotes is refused, and named."""
    wrong: Any = "429"
    with pytest.raises(TypeError, match="status must be a number, such as 429, got '429'"):
        http_error(wrong)
