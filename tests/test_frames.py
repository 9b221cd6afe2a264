"""Bytes are passed on unchanged and in whole events, however they came."""

from __future__ import annotations

import random

import pytest

from openrouter_async._frames import EventAligner

ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}


def body_with(end: bytes, *, finish: bool = True, done: bool = True) -> bytes:
    """A stream with a comment, two chunks and perhaps an end, in one kind of line end."""
    lines = [b": OPENROUTER PROCESSING", b"", b'data: {"choices":[{"finish_reason":null}]}', b""]
    if finish:
        lines += [b'data: {"choices":[{"finish_reason": "stop"}]}', b""]
    if done:
        lines += [b"data: [DONE]", b""]
    return end.join(lines) + end


def passed_on(body: bytes, sizes: list[int]) -> tuple[EventAligner, list[bytes]]:
    """Feed the body in pieces of the given sizes, in turn."""
    aligner = EventAligner()
    frames: list[bytes] = []
    position = turn = 0
    while position < len(body):
        size = sizes[turn % len(sizes)]
        frames.append(aligner.feed(body[position : position + size]))
        position += size
        turn += 1
    return aligner, [frame for frame in frames if frame]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("sizes", [[10_000], [1], [2], [7], [3, 40, 1]], ids=str)
def test_the_bytes_come_out_as_they_went_in(end: bytes, sizes: list[int]) -> None:
    """Joined, the frames are the body, and each ends behind a blank line."""
    body = body_with(end)
    aligner, frames = passed_on(body, sizes)
    assert b"".join(frames) == body
    for count in range(1, len(frames) + 1):
        so_far = b"".join(frames[:count]).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        assert so_far.endswith(b"\n\n")
    assert aligner.finished
    assert aligner.done


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_any_split_gives_the_same(end: bytes) -> None:
    """Random splits change neither the bytes nor what is said of the ending."""
    body = body_with(end)
    for seed in range(50):
        numbers = random.Random(seed)
        aligner, frames = passed_on(body, [numbers.randint(1, 30) for _ in range(50)])
        assert b"".join(frames) == body
        assert (aligner.finished, aligner.done) == (True, True)


def test_an_unfinished_event_is_held_back() -> None:
    """Half an event is not passed on before its other half is there."""
    aligner = EventAligner()
    assert aligner.feed(b"data: one\n\ndata: tw") == b"data: one\n\n"
    assert aligner.feed(b"o") == b""
    assert aligner.feed(b"\n") == b""
    assert aligner.feed(b"\ndata: three\n\n") == b"data: two\n\ndata: three\n\n"


@pytest.mark.parametrize(("finish", "done"), [(True, False), (False, True), (False, False)])
def test_the_ending_is_told_by_its_bytes(finish: bool, done: bool) -> None:
    """Each of the two facts about an ending is seen for itself."""
    aligner, _ = passed_on(body_with(b"\n", finish=finish, done=done), [11])
    assert (aligner.finished, aligner.done) == (finish, done)


def test_a_model_cannot_forge_an_ending() -> None:
    """Text that looks like an ending is escaped inside JSON, and is no ending."""
    event = rb'data: {"delta":{"content":"\ndata: [DONE]\n\"finish_reason\":\"stop\""}}' + b"\n\n"
    aligner, frames = passed_on(event, [5])
    assert b"".join(frames) == event
    assert (aligner.finished, aligner.done) == (False, False)


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
def test_the_last_event_of_a_response_is_a_reason(kind: str) -> None:
    """Streams of /responses say why they end by the kind of their last event."""
    aligner, _ = passed_on(b'data: {"n":1,"type":"response.%b"}\n\n' % kind.encode(), [4])
    assert (aligner.finished, aligner.done) == (True, False)
    aligner, _ = passed_on(b'data: {"type":"response.created"}\n\n', [4])
    assert (aligner.finished, aligner.done) == (False, False)


@pytest.mark.parametrize(
    ("body", "done"),
    [
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b'data: {"type":"message_stop"}\n\n', True),
        (b"event: message_stop\r\ndata: {}\r\n\r\n", True),
        (b"data: [DONE]\n\n", True),
        (b'data: {"text":"event: message_stop\\n"}\n\n', False),
        (b'event: message_start\ndata: {"type":"message_start"}\n\n', False),
    ],
)
def test_another_event_may_end_a_stream(body: bytes, done: bool) -> None:
    """The event that ends a message does so, in its name or in its JSON, and no text can."""
    aligner = EventAligner(b"message_stop")
    assert aligner.feed(body) == body
    assert aligner.done is done
    assert not EventAligner().done


def test_comments_are_no_data() -> None:
    """A keep-alive is passed on and does not count as data."""
    aligner = EventAligner()
    assert aligner.feed(b": OPENROUTER PROCESSING\n\n")
    assert aligner.data_reads == 0
    assert aligner.feed(b"data: {}\n\n")
    assert aligner.data_reads == 1
