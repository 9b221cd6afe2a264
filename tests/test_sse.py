"""The event decoder: framing by the standard, any split of the bytes, limits, linear work."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import random
from typing import Any, NamedTuple, SupportsIndex, cast, overload

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openrouter_async._sse import (
    EventTooLargeError,
    NamedEvent,
    SSEDecoder,
    encode_comment,
    encode_event,
)
from tests.conftest import shared_folder

BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """An event as the standard sees it, with everything that it carries."""

    data: bytes
    name: str = "message"
    id: str = ""


class Outcome(NamedTuple):
    """All that a reader of a whole stream can tell."""

    events: list[Event]
    last_event_id: str
    retry: int | None


def full(event: bytes) -> Event:
    """Give what a decoded event says, plain or named."""
    if isinstance(event, NamedEvent):
        return Event(bytes(event), event.name, event.id)
    return Event(event)


def decode(reads: list[bytes], limit: int = 2**20) -> Outcome:
    """Feed the reads to a new decoder."""
    decoder = SSEDecoder(limit)
    events = [full(event) for read in reads for event in decoder.feed(read)]
    return Outcome(events, decoder.last_event_id, decoder.retry)


def pieces(data: bytes, size: int) -> list[bytes]:
    """Cut into reads of one size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    """Cut at the given places; a place named twice gives an empty read."""
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def one_by_one(data: bytes) -> list[bytes]:
    """Cut behind each blank line, as a server sends that flushes every event."""
    parts = data.split(b"\n\n")
    return [*(part + b"\n\n" for part in parts[:-1]), parts[-1]]


def reference(data: bytes) -> Outcome:
    """Read a whole stream one byte after another, as the WHATWG algorithm is written."""
    data = data[3:] if data[:3] == BOM else data
    lines: list[bytes] = []
    line = b""
    before = 0
    for byte in data:
        if byte in (10, 13):
            if not (byte == 10 and before == 13):
                lines.append(line)
                line = b""
        else:
            line += bytes((byte,))
        before = byte
    # The line that nothing ended is ignored, and so is the event that nothing ended.
    outcome: list[Event] = []
    buffer, name, identifier, last, retry = b"", "", "", "", None
    for line in lines:
        if line == b"":
            last = identifier
            if buffer != b"":
                outcome.append(Event(buffer[:-1], name or "message", last))
            buffer, name = b"", ""
            continue
        colon = line.find(b":")
        if colon == 0:
            continue
        field = line if colon < 0 else line[:colon]
        value = b"" if colon < 0 else line[colon + 1 :]
        if value[:1] == b" ":
            value = value[1:]
        if field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            buffer += value + b"\n"
        elif field == b"id" and 0 not in value:
            identifier = value.decode("utf-8", "replace")
        elif field == b"retry" and value and all(48 <= byte <= 57 for byte in value):
            retry = int(value)
    return Outcome(outcome, last, retry)


# The cases of web-platform-tests.


def framing_cases() -> list[Any]:
    """The cases about framing: those in which the MIME type decides belong to the transport."""
    folder = shared_folder()
    if folder is None:
        return []
    found = json.loads((folder / "sse_cases" / "wpt_eventsource.json").read_text("utf-8"))
    return [
        pytest.param(case, id=str(case["name"]))
        for case in cast("list[dict[str, Any]]", found)
        if "expect" not in case
    ]


FRAMING_CASES = framing_cases()


def test_only_the_cases_about_mime_types_are_left_out(shared: object) -> None:
    """The rule that picks the cases leaves out two of them, both about MIME types."""
    folder = shared_folder()
    assert folder is not None
    found = json.loads((folder / "sse_cases" / "wpt_eventsource.json").read_text("utf-8"))
    left = [case["name"] for case in found if "expect" in case]
    assert len(FRAMING_CASES) == len(found) - 2
    assert all("mime" in name for name in left)


@pytest.mark.skipif(not FRAMING_CASES, reason="the cases of web-platform-tests are not here")
@pytest.mark.parametrize("case", FRAMING_CASES)
def test_web_platform_case_in_every_kind_of_read(case: dict[str, Any]) -> None:
    """A published case gives its events whole, bytewise, in small reads and in random ones."""
    data = cast("str", case["input_bytes"]).encode("latin-1")
    expected = [
        Event(event["data"].encode(), event["event"], event["id"])
        for event in case["expected_events"]
    ]
    before = cast("str", case.get("initial_last_event_id", ""))
    chance = random.Random(str(case["name"]))
    reads = [[data], *(pieces(data, size) for size in (1, 2, 3, 7))]
    reads += [cut_at(data, [chance.randrange(2**16) for _ in range(4)]) for _ in range(20)]
    for read in reads:
        if before:  # the id of the connection before, set as a first event would set it
            read = [encode_event(b"", id=before), *read]
        outcome = decode(read)
        assert outcome.events[1 if before else 0 :] == expected
        if "expected_retry" in case:
            assert outcome.retry == case["expected_retry"]
        if "expected_last_event_id" in case:
            assert outcome.last_event_id == case["expected_last_event_id"]


# Hard cases of our own.

A = Event(b"a")
B = Event(b"b")

HARD_CASES: dict[str, tuple[bytes, list[Event]]] = {
    "line feeds": (b"data: a\n\ndata: b\n\n", [A, B]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [A, B]),
    "both": (b"data: a\r\n\r\ndata: b\r\n\r\n", [A, B]),
    "line feed, then both": (b"data: a\n\r\ndata: b\r\n\n", [A, B]),
    "both, then carriage return": (b"data: a\r\n\rdata: b\r\r\n", [A, B]),
    "line feed, then carriage return": (b"data: a\n\rdata: b\n\r", [A, B]),
    "plain run, then carriage returns": (b"data: a\n\ndata: b\r\r", [A, B]),
    "carriage return inside a run": (b"data: a\rdata: b\n\n", [Event(b"a\nb")]),
    "many blank lines": (b"\n\r\n\rdata: a\n\n\n\n\r\rdata: b\n\n", [A, B]),
    "comments before": (b": OPENROUTER PROCESSING\n\n" * 17 + b"data: a\n\n", [A]),
    "comment between": (b"data: a\n\n: x\n\ndata: b\n\n", [A, B]),
    "comment within": (b"data: a\n: x\ndata: b\n\n", [Event(b"a\nb")]),
    "comment that names a field": (b":data: x\n\ndata: a\n\n", [A]),
    "comment as an event": (b"data: : OPENROUTER PROCESSING\n\n", [Event(b": OPENROUTER PROCESSING")]),
    "only a name": (b"event: ping\n\ndata: a\n\n", [A]),
    "only a retry": (b"retry: 10\n\ndata: a\n\n", [A]),
    "only an id": (b"id: 7\n\ndata: a\n\n", [Event(b"a", id="7")]),
    "a name": (b"event: error\ndata: a\n\ndata: b\n\n", [Event(b"a", "error"), B]),
    "a name behind the data": (b"data: a\nevent: error\n\ndata: b\n\n", [Event(b"a", "error"), B]),
    "an id that stays": (b"data: a\nid: 1\n\ndata: b\n\n", [Event(b"a", id="1"), Event(b"b", id="1")]),
    "an id that is taken back": (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [Event(b"a", id="1"), B]),
    "an id with NUL": (b"id: x\0y\ndata: a\n\n", [A]),
    "no space": (b"data:a\n\ndata:b\n\n", [A, B]),
    "two spaces": (b"data:  a\n\n", [Event(b" a")]),
    "a tab": (b"data:\ta\n\n", [Event(b"\ta")]),
    "no value": (b"data\n\ndata:\n\ndata: \n\n", [Event(b""), Event(b""), Event(b"")]),
    "several data lines": (b"data: a\ndata\ndata:b\n\n", [Event(b"a\n\nb")]),
    "another case": (b"Data: x\nDATA: x\ndata: a\n\n", [A]),
    "a space before the field": (b" data: x\ndata: a\n\n", [A]),
    "a longer field": (b"data2: x\ndatadata: a\ndata: a\n\n", [A]),
    "an unknown field": (b"foo: x\nbar\ndata: a\n\n", [A]),
    "a mark of byte order": (BOM + b"data: a\n\ndata: b\n\n", [A, B]),
    "a second mark": (BOM + BOM + b"data: x\n\ndata: b\n\n", [B]),
    "a mark amid the stream": (b"data: a\n\n" + BOM + b"data: x\n\ndata: b\n\n", [A, B]),
    "a mark inside the data": (b"data: " + BOM + b"\n\n", [Event(BOM)]),
    "a mark and no more": (BOM, []),
    "half a mark": (BOM[:2] + b"data: x\n\ndata: b\n\n", [B]),
    "nothing": (b"", []),
    "an event that nothing ends": (b"data: a\n\ndata: b\n", [A]),
    "a line that nothing ends": (b"data: a\n\ndata: b", [A]),
    "data that looks like an event": (rb'data: {"a":"\n\ndata: b"}' + b"\n\n", [Event(rb'{"a":"\n\ndata: b"}')]),
    "separators of Unicode": (
        "data: 1\u2028 2\u2029 3\u0085 4\v5\f6\x1c7\n\ndata: b\n\n".encode(),
        [Event("1\u2028 2\u2029 3\u0085 4\v5\f6\x1c7".encode()), B],
    ),
    "emoji": ("data: \U0001f327\U0001f468\u200d\U0001f469 \u4f60\n\n".encode(), [Event("\U0001f327\U0001f468\u200d\U0001f469 \u4f60".encode())]),
    "broken UTF-8": (b"data: \xff\xfe\n\nevent: \xff\ndata: b\n\n", [Event(b"\xff\xfe"), Event(b"b", "\ufffd")]),
    "NUL in the data": (b"data: \0\n\n", [Event(b"\0")]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), HARD_CASES.values(), ids=HARD_CASES)
def test_hard_case_in_every_kind_of_read(data: bytes, expected: list[Event]) -> None:
    """A hard case gives its events whole, in reads of few bytes, and cut in two anywhere."""
    assert reference(data).events == expected
    for read in (
        [data],
        *(pieces(data, size) for size in (1, 2, 3, 7)),
        one_by_one(data),
        *(cut_at(data, [place]) for place in range(len(data) + 1)),
    ):
        assert decode(read).events == expected


@pytest.mark.parametrize(
    ("data", "retry"),
    [
        (b"retry: 3000\n", 3000),
        (b"retry:03000\n", 3000),
        (b"retry: 1\nretry: 2\n", 2),
        (b"retry: 5\nretry: 10x\n", 5),
        (b"retry: -1\n", None),
        (b"retry: 1.5\n", None),
        (b"retry\n", None),
        (b"retry: \n", None),
        ("retry: \u0663\n".encode(), None),
        (b"retry: " + b"9" * 5_000 + b"\n", None),
    ],
)
def test_retry_takes_ascii_digits_only(data: bytes, retry: int | None) -> None:
    """A retry field counts when it is a number of plain digits, and of a sane length."""
    decoder = SSEDecoder()
    assert decoder.feed(data + b"\n") == []
    assert decoder.retry == retry


def test_an_event_is_given_with_the_byte_that_ends_it() -> None:
    """The carriage return that ends an event is enough; nothing waits for a line feed."""
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [b"a"]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert not decoder.mid_event
    assert decoder.feed(b"data: b\n\n") == [b"b"]


@pytest.mark.parametrize(
    ("data", "mid_event"),
    [
        (b"", False),
        (b"data: a\n\n", False),
        (b": a comment\n", False),
        (b": a comm", True),
        (b"data: a\n\nd", True),
        (b"data: a\n\ndata: b", True),
        (b"data: a\n\ndata: b\n", True),
        (b"data: a\n\ndata: b\r", True),
        (b"data: a\n\ndata: b\r\r", False),
    ],
)
def test_mid_event_tells_that_bytes_are_held(data: bytes, mid_event: bool) -> None:
    """At the end of a body the decoder tells whether an unfinished event is lost."""
    decoder = SSEDecoder()
    decoder.feed(data)
    assert decoder.mid_event is mid_event


def test_the_id_of_an_unfinished_event_does_not_count() -> None:
    """The last event id changes with the blank line, never before."""
    decoder = SSEDecoder()
    decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert decoder.last_event_id == "1"
    decoder.feed(b"\n")
    assert decoder.last_event_id == "2"


def test_a_pending_id_or_name_reaches_the_event_of_the_next_read() -> None:
    """What one read said of an event is not forgotten when the next begins like a plain run."""
    decoder = SSEDecoder()
    assert decoder.feed(b"id: 9\n") == []
    assert full(decoder.feed(b"data: a\n\n")[0]) == Event(b"a", id="9")
    assert decoder.feed(b"event: x\n") == []
    assert full(decoder.feed(b"data: a\n\n")[0]) == Event(b"a", "x", "9")


def test_a_named_event_is_bytes_that_pickle_and_copy() -> None:
    """A named event equals its data, and keeps its name over pickling and copying."""
    event = SSEDecoder().feed(b"event: delta\nid: 4\ndata: a\n\n")[0]
    assert event == b"a"
    assert repr(event) == "NamedEvent(b'a', name='delta', id='4')"
    for twin in (pickle.loads(pickle.dumps(event)), copy.copy(event), copy.deepcopy(event)):
        assert full(twin) == Event(b"a", "delta", "4")


# Any stream in any split.

LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
VALUES = st.one_of(
    st.sampled_from([b"", b"a", b" a", b"1500", b"x\0", BOM, "\u2028\U0001f327".encode()]),
    st.binary(max_size=6).map(lambda value: value.replace(b"\n", b"").replace(b"\r", b"")),
)


def a_line(field: bytes, colon: bytes, value: bytes) -> bytes:
    """Write a field with a value, or without one where there is no colon."""
    return field + colon + value if colon else field


def a_run(values: list[bytes]) -> bytes:
    """Write events as OpenRouter writes them."""
    return b"".join(b"data: %b\n\n" % value for value in values)


def a_named_run(events: list[tuple[bytes, bytes]]) -> bytes:
    """Write events as OpenRouter writes those of /messages."""
    return b"".join(b"event: %b\ndata: %b\n\n" % event for event in events)


def a_stream(start: bytes, parts: list[bytes], rest: bytes) -> bytes:
    """Put a stream together."""
    return start + b"".join(parts) + rest


FIELDS = [b"data", b"data", b"data", b"event", b"id", b"retry", b"", b"foo", b"Data"]
LINES = st.one_of(
    st.just(b""),
    st.builds(a_line, st.sampled_from(FIELDS), st.sampled_from([b": ", b":", b""]), VALUES),
)
PARTS = st.one_of(
    st.tuples(LINES, LINE_ENDS).map(b"".join),
    st.lists(VALUES, min_size=1, max_size=4).map(a_run),
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=4).map(a_named_run),
)
STREAMS = st.builds(
    a_stream,
    st.sampled_from([b"", b"", BOM, BOM[:2]]),
    st.lists(PARTS, max_size=8),
    st.sampled_from([b"", b"data: cut", b"d", b"\r", b":"]),
)
NOISE = st.lists(
    st.sampled_from([b"data: ", b"data", b":", b" ", b"a", b"\n", b"\r", b"\n\n", b"id:1", b"event:x", b"event: x\n"]),
    max_size=24,
).map(b"".join)  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    data=st.one_of(STREAMS, NOISE, NOISE.map(lambda noise: BOM + noise)),
    places=st.lists(st.integers(0, 2**10), max_size=6),
)
@example(data=b"data: a\n\ndata: b\r\n\r\n", places=[9, 18])
@example(data=b"data: a\n\r\ndata: b\n\n", places=[9])
@example(data=BOM + b"data: a\n\n", places=[0, 1, 1, 2])
@example(data=b"event: a\ndata: b\n\nevent: c\ndata: d\nid: 1\n\n", places=[9])
@example(data=b"event: a\n\n\nevent: c\ndata: d\ndata: e\n\n", places=[9])
def test_every_split_gives_what_the_standard_says(data: bytes, places: list[int]) -> None:
    """Whole, bytewise and in arbitrary reads, a stream gives what a slow plain reader gives."""
    expected = reference(data)
    assert decode([data]) == expected
    assert decode(pieces(data, 1)) == expected
    assert decode(one_by_one(data)) == expected
    assert decode(cut_at(data, places)) == expected


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    events=st.lists(
        st.builds(
            Event,
            st.binary(max_size=12).map(lambda data: data.replace(b"\r", b"\n")),
            st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=5),
            st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=5),
        ),
        max_size=6,
    ),
    places=st.lists(st.integers(0, 2**10), max_size=6),
)
def test_what_is_encoded_is_decoded(events: list[Event], places: list[int]) -> None:
    """Events, with comments between them, come back as they were written."""
    wire = b"".join(
        encode_comment("still\nthere") + encode_event(data, event=name, id=identifier, retry=250)
        for data, name, identifier in events
    )
    outcome = decode(cut_at(wire, places))
    assert outcome.events == [event._replace(name=event.name or "message") for event in events]
    assert outcome.retry == (250 if events else None)


@pytest.mark.parametrize(
    ("fields", "wire"),
    [
        ({"data": b"a\r\nb\rc\n"}, b"data: a\ndata: b\ndata: c\ndata: \n\n"),
        ({"data": b""}, b"data: \n\n"),
        ({"data": b"x", "event": "e", "id": "i", "retry": 3}, b"event: e\nid: i\nretry: 3\ndata: x\n\n"),
    ],
)  # fmt: skip
def test_encoded_form(fields: dict[str, Any], wire: bytes) -> None:
    """Every line of the data gets a data line of its own."""
    assert encode_event(**fields) == wire


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\r\n"])
def test_a_forged_field_is_refused(field: str, value: str) -> None:
    """A name or an id cannot smuggle in another line."""
    with pytest.raises(ValueError, match=f"^{field} must not hold a line end"):
        encode_event(b"x", **cast("dict[str, Any]", {field: value}))


@pytest.mark.parametrize("text", ["", "one", "one\ntwo\r\nthree"])
def test_a_comment_makes_no_event(text: str) -> None:
    """Whatever a comment says, no line of it becomes a field."""
    decoder = SSEDecoder()
    assert decoder.feed(encode_comment(text)) == []
    assert not decoder.mid_event


# Limits.

LIMIT = 64


def feed_all(decoder: SSEDecoder, reads: list[bytes]) -> list[bytes]:
    """Feed read after read."""
    return [event for read in reads for event in decoder.feed(read)]


def bodies(size: int) -> dict[str, list[bytes]]:
    """One event of `size` bytes of data, in each form that takes another way through the code."""
    data = b"x" * size
    two = encode_event(data[: size // 2] + b"\n" + data[size // 2 + 1 :])
    blank_lines = b"data:\n" * (size + 1) + b"\n"
    return {
        "fast path": [encode_event(data)],
        "fast path, among others": [b"data: a\n\n" + encode_event(data) + b"data: b\n\n"],
        "fast path, a read of its own": [b"data: a\n\n", encode_event(data), b"data: b\n\n"],
        "general path": [b"data:" + data + b"\r\n\r\n"],
        "two lines": [two],
        "two lines, bytewise": pieces(two, 1),
        "lines without a value": [b"data\n" * (size + 1) + b"\n"],
        "many small lines": [blank_lines],
        "many small lines, bytewise": pieces(blank_lines, 1),
        "many fragments": pieces(encode_event(data), 1),
        "two fragments": cut_at(encode_event(data), [size // 2]),
        "a comment within, bytewise": pieces(b"data: " + data + b"\n:" + data + b"\n\n", 1),
        "a long comment within": [b"data: " + data + b"\n:" + data + b"\n\n"],
    }


@pytest.mark.parametrize("form", bodies(LIMIT))
def test_an_event_of_the_limit_passes(form: str) -> None:
    """An event of exactly the limit is an event like any other."""
    decoder = SSEDecoder(LIMIT)
    events = feed_all(decoder, bodies(LIMIT)[form])
    assert max(map(len, events)) == LIMIT
    assert not decoder.mid_event


@pytest.mark.parametrize("form", bodies(LIMIT))
def test_one_byte_over_the_limit_raises(form: str) -> None:
    """One byte more raises, by whatever way the bytes came."""
    decoder = SSEDecoder(LIMIT)
    with pytest.raises(EventTooLargeError, match="larger than 64 bytes") as caught:
        feed_all(decoder, bodies(LIMIT + 1)[form])
    assert caught.value.limit == LIMIT
    assert pickle.loads(pickle.dumps(caught.value)).limit == LIMIT


@pytest.mark.parametrize("start", [b"data: ", b"data: a\ndata: ", b": ", b"x", b"id: ", b"data"])
@pytest.mark.parametrize("size", [1, 5, 1_000])
def test_a_line_that_never_ends_raises(start: bytes, size: int) -> None:
    """What a server that never ends a line can make us hold is bounded, whatever the field."""
    decoder = SSEDecoder(LIMIT)
    decoder.feed(start)
    with pytest.raises(EventTooLargeError):
        feed_all(decoder, [b"y" * size] * (2 * LIMIT // size + 1))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    lines=st.lists(
        st.tuples(st.sampled_from([b"data: ", b"data:", b":", b"id: ", b"foo"]), st.integers(0, 18)),
        max_size=5,
    ),
    places=st.lists(st.integers(0, 2**10), max_size=4),
)  # fmt: skip
def test_the_limit_does_not_depend_on_the_reads(
    lines: list[tuple[bytes, int]], places: list[int]
) -> None:
    """Whether a stream is too large is the same for every split of it."""
    data = b"".join(start + b"x" * size + b"\n" for start, size in lines) + b"\n"

    def attempt(reads: list[bytes]) -> Outcome | None:
        try:
            return decode(reads, 16)
        except EventTooLargeError:
            return None

    assert attempt([data]) == attempt(pieces(data, 1)) == attempt(cut_at(data, places))


# Work.


class CountedBytes(bytes):
    """Bytes that count how many of them are looked at or copied."""

    work = 0

    def _count(self, amount: int) -> None:
        CountedBytes.work += amount

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> CountedBytes: ...
    def __getitem__(self, key: SupportsIndex | slice, /) -> int | CountedBytes:
        if not isinstance(key, slice):
            self._count(1)
            return super().__getitem__(key)
        part = CountedBytes(super().__getitem__(key))
        self._count(len(part))
        return part

    def find(self, sub: Any, start: Any = None, end: Any = None, /) -> int:
        found = super().find(sub, start, end)
        self._count((found if found >= 0 else len(self)) - (start or 0) + 1)
        return found

    def rfind(self, sub: Any, start: Any = None, end: Any = None, /) -> int:
        found = super().rfind(sub, start, end)
        self._count(len(self) - (found if found >= 0 else start or 0))
        return found

    def split(self, sep: Any = None, maxsplit: Any = -1) -> list[bytes]:
        self._count(len(self))
        return super().split(sep, maxsplit)

    def count(self, sub: Any, start: Any = None, end: Any = None, /) -> int:
        self._count(len(self))
        return super().count(sub, start, end)

    def __contains__(self, key: Any, /) -> bool:
        self._count(len(self))
        return super().__contains__(key)


LARGE = encode_event(b"x" * 2**18)
STREAMS_OF_WORK = {
    "one large event": LARGE,
    "large events behind a comment": b": hello\n\n" + LARGE + LARGE,
    "a large event that nothing ends": LARGE[:-2],
    "small events": b"data: 0123456789\n\n" * 4_000,
    "small events with carriage returns": b"data: 0123456789\r\n\r\n" * 4_000,
    "comments": b":\n\n" * 20_000,
    "comments between events": b": x\n\ndata: 0123456789\n\n" * 4_000,
    "only line feeds": b"\n" * 25_000,
    "only carriage returns": b"\r" * 25_000,
    "only both": b"\r\n" * 25_000,
    "a plain run behind each blank line": b"\ndata: a\n\n\n" * 5_000,
    "data lines": b"data:\n" * 10_000 + b"\n",
    "colons": b":" * 25_000,
    "starts of events": b"data: " * 10_000,
    "marks": BOM * 10_000,
}


@pytest.mark.parametrize("size", [1_024, 4_096, 2**30])
@pytest.mark.parametrize("data", STREAMS_OF_WORK.values(), ids=STREAMS_OF_WORK)
def test_work_is_linear(data: bytes, size: int) -> None:
    """Every byte is looked at a fixed number of times, in whatever form and reads it comes."""
    decoder = SSEDecoder()
    CountedBytes.work = 0
    for read in pieces(data, size):
        decoder.feed(CountedBytes(read))
    assert CountedBytes.work <= 12 * len(data) + 1_000


def test_a_long_line_is_joined_once() -> None:
    """The fragments of an unfinished line wait as they came, and are joined when it ends."""
    decoder = SSEDecoder()
    reads = pieces(b"data: " + b"x" * 25_000, 100)
    for read in reads:
        assert decoder.feed(read) == []
    # The first is parted once, from the name of its field; the others are the very reads.
    assert decoder._held[0] == b"data: "
    assert [id(fragment) for fragment in decoder._held[2:]] == [id(read) for read in reads[1:]]
    assert decoder.feed(b"\n\n") == [b"x" * 25_000]
    assert not decoder._held


@pytest.mark.parametrize("data", [b":\n\n" * 80_000, b"\r" * 100_000, b"data\n\r" * 50_000])
def test_a_hostile_stream_comes_to_its_end(data: bytes) -> None:
    """A stream made of line ends and little else is read like any other."""
    assert set(SSEDecoder().feed(data)) <= {b""}
