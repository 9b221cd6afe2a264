"""The patient decode: whatever of an answer makes sense comes through."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeAlias, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async import ChatStream, Limits, StreamAPIError, Timeouts
from openrouter_async._event_stream import Accept
from openrouter_async._sse import SSEDecoder
from openrouter_async.types import ChatChunk, ChatCompletion, ErrorBody, ReasoningDetail, Usage
from openrouter_async.types._lenient import NotAnObjectError, decode_leniently
from tests.conftest import shared_folder

Plain: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]


def chunk_of(delta: Plain, **choice: Any) -> Plain:
    """Give a chunk in its usual clothes."""
    return {
        "id": "gen-1",
        "provider": "Somebody",
        "model": "some/model",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "", **delta},
                "finish_reason": None,
                "native_finish_reason": None,
                "logprobs": None,
                **choice,
            }
        ],
    }


SAMPLES: list[Plain] = [
    chunk_of({"content": "Rain \u2028 \U0001f327"}),
    chunk_of(
        {
            "content": "so",
            "reasoning": "hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0},
                {"type": "reasoning.text", "signature": "c2ln", "index": 0},
                {"type": "reasoning.encrypted", "data": "eHl6", "id": "rs_1", "index": 1},
                {"type": "reasoning.brand_new", "beads": [1, 2], "index": 2},
            ],
        }
    ),
    chunk_of(
        {
            "tool_calls": [
                {"index": 0, "id": "c1", "type": "function",
                 "function": {"name": "rain", "arguments": '{"city"'}},
                {"index": 1, "id": "c2", "type": "function",
                 "function": {"name": "sun", "arguments": "{}"}},
            ]
        }
    ),
    chunk_of(
        {
            "images": [
                {"type": "image_url", "index": 0, "image_url": {"url": "data:image/gif;base64,R0lG"}}
            ],
            "annotations": [
                {"type": "url_citation",
                 "url_citation": {"url": "https://a.example", "title": "", "start_index": 0,
                                  "end_index": 0, "content": "words"}},
                {"type": "file",
                 "file": {"hash": "h", "name": "a.pdf", "content": [{"type": "text", "text": "p"}]}},
            ],
            "audio": {"id": "a1", "data": "QUJD", "transcript": "abc", "expires_at": 5},
        }
    ),
    chunk_of(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                     {"type": "text", "text": "so"}]},
        logprobs={"content": [{"token": "so", "logprob": -0.5, "bytes": [115, 111],
                               "top_logprobs": [{"token": "so", "logprob": -0.5, "bytes": None}]}],
                  "refusal": None},
    ),
    {
        **chunk_of({}, finish_reason="stop", native_finish_reason="end_turn"),
        "system_fingerprint": "fp",
        "service_tier": "default",
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 7,
            "total_tokens": 12,
            "cost": 0.0001,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 9, "image_tokens": 0},
            "cost_details": {"upstream_inference_cost": None},
            "server_tool_use_details": {"web_search_requests": 1},
        },
    },
    {
        **chunk_of({"content": "half"}, finish_reason="error"),
        "error": {"code": 429, "message": "slow down",
                  "metadata": {"error_type": "rate_limit_exceeded", "provider_name": "Somebody"}},
    },
    {"id": "gen-1", "choices": [], "debug": {"echo_upstream_body": {"model": "m"}}},
]  # fmt: skip


class Sampled(NamedTuple):
    """A chunk, with those of its places whose like no chunk before it had."""

    name: str
    chunk: Plain
    places: list[Path]


@cache
def sampled() -> list[Sampled]:
    """Our samples and, where there is recorded traffic, each chunk of it that has a new shape."""
    chunks = [("a sample", sample) for sample in SAMPLES]
    folder = shared_folder()
    paths = sorted((folder / "recordings").glob("*_stream/*.sse")) if folder is not None else []
    for path in paths:
        for event in SSEDecoder().feed(path.read_bytes() + b"\n\n"):
            value = None if event.strip() == b"[DONE]" else json.loads(event)
            if isinstance(value, dict) and "choices" in value:
                chunks.append((path.name, cast("Plain", shortened(cast("object", value)))))
    found: list[Sampled] = []
    seen: set[tuple[Path, str]] = set()
    for name, chunk in chunks:
        kinds = {(path, type(at(chunk, path)).__name__): path for path in paths_of(chunk)}
        new = [path for kind, path in kinds.items() if kind not in seen]
        seen |= kinds.keys()
        if new:
            found.append(Sampled(name, chunk, new))
    return found


def shortened(value: object) -> object:
    """Cut megabytes of base64, which say nothing about a shape."""
    if isinstance(value, str):
        return value[:200]
    if isinstance(value, list):
        return [shortened(item) for item in cast("list[object]", value)[:3]]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {key: shortened(item) for key, item in items}
    return value


def paths_of(value: object, before: Path = ()) -> Iterator[Path]:
    """Name every place below a value."""
    if isinstance(value, dict):
        for key, item in cast("Plain", value).items():
            yield (*before, key)
            yield from paths_of(item, (*before, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield (*before, index)
            yield from paths_of(item, (*before, index))


def at(value: Any, path: Path) -> Any:
    """Give what stands in a place."""
    for step in path:
        value = value[step]
    return value


_DELETED = object()


def delete(_: object) -> object:
    """Take the key away."""
    return _DELETED


def flip(value: object) -> object:
    """Make text of a number, and a number of text."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and value.isascii() else len(value)
    return str(value)


def add_unknown(value: object) -> object:
    """Add a key that nobody knows, where there are keys."""
    if not isinstance(value, dict):
        return value
    return {"brand_new": {"deep": [1, None]}, **cast("Plain", value), "(extra)": {"x": 1}}


def in_a_list(value: object) -> object:
    """Wrap a value."""
    return [value]


def in_an_object(value: object) -> object:
    """Wrap a value under a name."""
    return {"value": value}


Mutation: TypeAlias = Callable[[object], object]


def set_to(constant: object) -> Mutation:
    """Put a constant in the place of whatever was there."""

    def replace(_: object) -> object:
        return constant

    return replace


CONSTANTS: list[object] = [None, "", [], {}, 0, 1.5, True, "x", -1, 1e300, [None], ["x"], {"x": 1}]
MUTATIONS: dict[str, Mutation] = {
    "deleted": delete,
    "another kind of value": flip,
    "in a list": in_a_list,
    "in an object": in_an_object,
    "unknown keys": add_unknown,
    **{f"set to {value!r}": set_to(value) for value in CONSTANTS},
}


def mutated(chunk: Plain, path: Path, mutation: Mutation) -> Plain:
    """Copy a chunk with one place changed."""
    twin = copy.deepcopy(chunk)
    parent = at(twin, path[:-1])
    value = mutation(parent[path[-1]])
    if value is _DELETED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return twin


async def never_send(_: Accept) -> None:
    """Stand in for a request that nobody makes."""


@pytest.fixture
def stream() -> Iterator[ChatStream]:
    """A stream to hand events to, with no connection."""
    stream = ChatStream(never_send, timeouts=Timeouts(), limits=Limits())
    yield stream
    stream.close()


def take(stream: ChatStream, chunk: Plain) -> ChatChunk | None:
    """Have a fresh stream decode one chunk; None where it is an error, as it should be."""
    wire = json.dumps(chunk, ensure_ascii=False).encode()
    stream._reset()
    try:
        taken = stream._take(wire)
    except StreamAPIError:
        choices = chunk.get("choices")
        inner = cast("list[object]", choices) if isinstance(choices, list) else []
        dicts = [cast("Plain", choice) for choice in inner if isinstance(choice, dict)]
        assert (
            chunk.get("error") is not None
            or chunk.get("object") == "error"
            or any(c.get("error") is not None or c.get("finish_reason") == "error" for c in dicts)
        ), "an error came of nothing"
        assert stream.partial is not None
        return None
    assert taken is not None
    assert taken.raw == wire
    assert stream.partial is not None
    assert stream.partial.to_json()
    return taken


def check_said(chunk: ChatChunk, sent: Plain) -> None:
    """Every text and tool call that is still well formed has come through."""
    choices = sent.get("choices")
    if not isinstance(choices, list):
        return
    whole = [cast("Plain", c) for c in cast("list[object]", choices) if isinstance(c, dict)]
    for choice, decoded in zip(whole, chunk.choices, strict=True):
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            continue
        fields = cast("Plain", delta)
        for name in ("content", "reasoning", "refusal", "reasoning_content"):
            if isinstance(fields.get(name), str):
                assert getattr(decoded.delta, name) == fields[name]
        calls = fields.get("tool_calls")
        if isinstance(calls, list):
            dicts = [cast("Plain", c) for c in cast("list[object]", calls) if isinstance(c, dict)]
            for call, piece in zip(dicts, decoded.delta.tool_calls or [], strict=True):
                if isinstance(call.get("id"), str):
                    assert piece.id == call["id"]
                function = call.get("function")
                for name in ("name", "arguments") if isinstance(function, dict) else ():
                    if isinstance(cast("Plain", function).get(name), str):
                        assert getattr(piece.function, name) == cast("Plain", function)[name]


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_a_chunk_survives_any_one_change(mutation: Mutation, stream: ChatStream) -> None:
    """With any one place of a chunk changed, the rest of it still comes through."""
    for name, chunk, places in sampled():
        for path in places:
            sent = mutated(chunk, path, mutation)
            try:
                taken = take(stream, sent)
                if taken is not None:
                    check_said(taken, sent)
            except Exception as error:
                error.add_note(f"{name}, at {path}: {json.dumps(sent)[:2_000]}")
                raise


def test_unchanged_chunks_come_through(stream: ChatStream) -> None:
    """The samples themselves are read, and those with an error raise it."""
    for _, chunk, _ in sampled():
        taken = take(stream, chunk)
        if taken is not None:
            check_said(taken, chunk)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
PLACES = [(index, path) for index, sample in enumerate(SAMPLES) for path in paths_of(sample)]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), JSON), min_size=1, max_size=3),
    which=st.integers(0, len(SAMPLES) - 1),
)
def test_a_chunk_survives_several_arbitrary_changes(
    changes: list[tuple[int, Any]], which: int
) -> None:
    """With arbitrary JSON in several places of a chunk, it is still a chunk."""
    chunk = SAMPLES[which]
    places = [path for index, path in PLACES if index == which]
    for number, value in changes:
        path = places[number % len(places)]
        try:
            chunk = mutated(chunk, path, set_to(value))
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # the place went away with an earlier change
    stream = ChatStream(never_send, timeouts=Timeouts(), limits=Limits())
    wire = json.dumps(chunk).encode()  # not finite numbers and lone surrogates included
    try:
        taken = stream._take(wire)
        assert taken is not None
        assert taken.raw == wire
    except StreamAPIError:
        pass
    stream.close()


# Mending, field by field.


@pytest.mark.parametrize(
    ("value", "tokens"),
    [(7, 7), ("7", 7), (7.0, 7), (7.9, 7), ("x", 0), ("", 0), (None, 0), (True, 0), ([], 0), ({}, 0),
     ("1e400", 0), ("9" * 5_000, 0), (float("inf"), 0), (float("nan"), 0)],
)  # fmt: skip
def test_a_count_is_mended(value: object, tokens: int) -> None:
    """A number in a string is a number; what is no number is the default."""
    usage = decode_leniently(json.dumps({"prompt_tokens": value}).encode(), Usage)
    assert usage.prompt_tokens == tokens


@pytest.mark.parametrize(
    ("value", "cost"), [("0.5", 0.5), (1, 1.0), ("x", None), ([], None), (True, None)]
)
def test_a_price_is_mended(value: object, cost: float | None) -> None:
    """A price in a string is a price."""
    assert decode_leniently(json.dumps({"cost": value}).encode(), Usage).cost == cost


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"a": [1]}, '{"a": [1]}'),
        ([1], "[1]"),
        (None, None),
        (5, "5"),
        (True, "true"),
        ("{}", "{}"),
    ],
)
def test_arguments_that_are_json_become_its_text(arguments: object, text: str | None) -> None:
    """Some providers send the arguments of a call as an object instead of text."""
    wire = json.dumps(chunk_of({"tool_calls": [{"function": {"arguments": arguments}}]})).encode()
    function = decode_leniently(wire, ChatChunk).tool_calls[0].function
    assert function is not None
    assert function.arguments == text
    assert function.extra is None


def test_an_error_that_is_a_text_becomes_an_error_body() -> None:
    """A bare string in the place of an error object is its message."""
    completion = decode_leniently(b'{"error": "out of luck"}', ChatCompletion)
    assert completion.error == ErrorBody(message="out of luck")


def test_what_does_not_fit_is_kept_where_it_has_to_go_back() -> None:
    """A reasoning detail keeps a field of another kind, and one that nobody knows."""
    wire = {"type": "reasoning.new", "text": {"rich": 1}, "beads": [1], "index": "2", "id": None}
    detail = decode_leniently(json.dumps(wire).encode(), ReasoningDetail)
    assert detail.index == 2
    assert detail.extra == {"text": {"rich": 1}, "beads": [1]}
    sent_back = {"type": "reasoning.new", "index": 2, "text": {"rich": 1}, "beads": [1]}
    assert detail.to_dict() == sent_back


def test_broken_text_is_replaced() -> None:
    """Lone surrogates and broken UTF-8 become U+FFFD, wherever they stand."""
    wire = rb'{"id":"\ud800","model":"' + b"\xff" + rb'","debug":{"\udc00":["\ud800x"]}}'
    chunk = decode_leniently(wire, ChatChunk)
    assert (chunk.id, chunk.model) == ("\ufffd", "\ufffd")
    assert chunk.debug == {"\ufffd": ["\ufffdx"]}
    assert chunk.to_json()


def test_a_whole_surrogate_pair_is_one_character() -> None:
    """An escaped pair of surrogates is the character that it stands for."""
    assert decode_leniently(rb'{"id":"\ud83c\udf27"}', ChatChunk).id == "\U0001f327"


def test_a_number_of_thousands_of_digits_is_read() -> None:
    """A number that Python refuses to read as an int does not spoil the chunk around it."""
    wire = b'{"id":"gen-1","created":"5","debug":{"n":' + b"9" * 10_000 + b"}}"
    chunk = decode_leniently(wire, ChatChunk)
    assert (chunk.id, chunk.created, chunk.debug) == ("gen-1", 5, {"n": math.inf})


@pytest.mark.parametrize(
    "wire",
    [b"", b" ", b"[]", b"null", b'"x"', b"3", b"{", b'{"a"', b"{'a': 1}", b"<html>", b"\xff", b"{}}",
     b'{"choices":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     b"[" * 100_000,
     b'{"choices":[{"delta":{"content":' + b'[{"thinking":' * 400 + b"1" + b"}]" * 400 + b"}}]}"],
    ids=lambda wire: repr(cast("bytes", wire)[:20]),
)  # fmt: skip
def test_what_is_no_object_is_refused(wire: bytes) -> None:
    """Bytes that are no JSON object, or one that is too deep to follow, raise one error."""
    with pytest.raises(NotAnObjectError):
        decode_leniently(wire, ChatChunk)


def test_what_is_nearly_too_deep_is_read_whole_or_refused() -> None:
    """How deep Python follows depends on its version; what it does not follow raises that error."""
    depth = 900
    wire = b'{"choices":1,"debug":{"x":' + b"[" * depth + b"]" * depth + b"}}"
    try:
        value: Any = (decode_leniently(wire, ChatChunk).debug or {})["x"]
    except NotAnObjectError:
        return
    for _ in range(depth - 1):
        (value,) = value
    assert value == []
