"""The wire structs: short spellings, the way back to plain data, pickling and copying."""

from __future__ import annotations

import copy
import json
import pickle
from collections import OrderedDict
from typing import Any

import msgspec
import pytest

from openrouter_async.types import (
    Annotation,
    AudioDelta,
    ChatChunk,
    ChatCompletion,
    Choice,
    ChunkChoice,
    ContentPart,
    Delta,
    ErrorBody,
    FunctionCall,
    FunctionCallDelta,
    Image,
    ImageURL,
    Logprobs,
    Message,
    ReasoningDetail,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from openrouter_async.types._lenient import decode_leniently
from openrouter_async.types._struct import KeptStruct, WireStruct

Plain = dict[str, Any]

CHUNK: Plain = {
    "id": "gen-1",
    "model": "m",
    "choices": [
        {
            "index": 1,
            "delta": {"content": "second", "tool_calls": [{"index": 0, "id": "no"}]},
            "finish_reason": "length",
        },
        {
            "index": 0,
            "delta": {
                "content": "first",
                "reasoning": "hm",
                "images": [{"type": "image_url", "image_url": {"url": "data:,x"}}],
                "tool_calls": [{"index": 0, "id": "yes", "function": {"name": "f"}}],
            },
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "first", "logprob": -1.0}]},
        },
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.5},
}

MESSAGE: Plain = {
    "role": "assistant",
    "content": "So.",
    "reasoning": "hm",
    "reasoning_details": [
        {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "f", "index": 0},
        {"type": "reasoning.encrypted", "data": "eHl6", "id": "rs_1", "index": 1},
        {"type": "reasoning.brand_new", "beads": [1, {"a": None}], "index": 2},
        {"type": "reasoning.server_tool_call", "tool_name": "t", "arguments": "{}", "result": ""},
    ],
    "tool_calls": [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "c2", "type": "custom", "function": {"name": "g", "arguments": "{}", "strict": True},
         "extra_content": {"google": {"thought_signature": "x"}}},
    ],
    "images": [{"type": "image_url", "index": 0, "image_url": {"url": "data:,x", "detail": "low"}}],
    "annotations": [
        {"type": "url_citation",
         "url_citation": {"url": "u", "title": "", "start_index": 0, "end_index": 0}},
        {"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": [
            {"type": "text", "text": "<file name=a.pdf>"},
            {"type": "image_url", "image_url": {"url": "data:,y"}},
            {"type": "table", "cells": [[1]]}]}},
        {"type": "a_kind_to_come", "a_kind_to_come": {"x": 1}},
    ],
    "audio": {"id": "a", "data": "QUJD", "transcript": "abc", "expires_at": 9},
    "name_to_come": [1],
}  # fmt: skip


def decoded(wire: Plain, kind: type[WireStruct] = ChatChunk) -> Any:
    """Decode in the two steps of a stream."""
    data = json.dumps(wire).encode()
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError:
        return decode_leniently(data, kind)


# Short spellings.


def test_a_chunk_speaks_for_the_first_choice() -> None:
    """The short spellings are those of the choice with index 0, wherever it stands."""
    chunk: ChatChunk = decoded(CHUNK)
    assert (chunk.text, chunk.reasoning, chunk.finish_reason) == ("first", "hm", "stop")
    assert [image.url for image in chunk.images] == ["data:,x"]
    assert [call.id for call in chunk.tool_calls] == ["yes"]


SILENT: list[Plain] = [
    {},
    {"choices": []},
    {"choices": None},
    {"choices": [{}]},
    {"choices": [{"index": 3}]},
    {"choices": [{"delta": None}]},
    {"choices": [{"delta": {"content": None}}]},
]


@pytest.mark.parametrize("wire", SILENT)
def test_an_empty_chunk_says_nothing(wire: Plain) -> None:
    """Where a chunk has nothing to say, every spelling gives something empty."""
    chunk: ChatChunk = decoded(wire)
    assert (chunk.text, chunk.reasoning, chunk.finish_reason) == ("", "", None)
    assert chunk.images == []
    assert chunk.tool_calls == []


@pytest.mark.parametrize(
    ("delta", "text", "reasoning"),
    [
        ({"content": "a"}, "a", ""),
        ({"content": "", "reasoning": "r"}, "", "r"),
        ({"reasoning_content": "r"}, "", "r"),
        ({"reasoning": "r", "reasoning_content": "r"}, "", "r"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab", ""),
        ({"content": [{"type": "thinking", "thinking": "r"}]}, "", "r"),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "r"}]},
                    {"type": "text", "text": "a"},
                    {"type": "reference", "reference_ids": [1]},
                ]
            },
            "a",
            "r",
        ),
    ],
)
def test_text_and_reasoning_of_every_form(delta: Plain, text: str, reasoning: str) -> None:
    """Text and reasoning are found in each of the forms that servers send them in."""
    chunk: ChatChunk = decoded({"choices": [{"delta": delta}]})
    assert (chunk.text, chunk.reasoning) == (text, reasoning)


def test_a_completion_speaks_for_its_first_choice() -> None:
    """The short spellings of an answer are those of its first choice."""
    completion: ChatCompletion = decoded(
        {
            "choices": [{"message": MESSAGE, "finish_reason": "stop"}, {"index": 1}],
            "usage": {"cost": 0.5},
        },
        ChatCompletion,
    )
    assert (completion.text, completion.reasoning) == ("So.", "hm")
    assert completion.finish_reason == "stop"
    assert completion.cost == 0.5
    assert [call.function.name for call in completion.tool_calls] == ["f", "g"]
    assert [image.url for image in completion.images] == ["data:,x"]
    assert [note.type for note in completion.annotations] == [
        "url_citation",
        "file",
        "a_kind_to_come",
    ]


def test_an_empty_completion_says_nothing() -> None:
    """An answer without a choice has empty spellings, and no price."""
    completion = ChatCompletion()
    assert (completion.text, completion.reasoning) == ("", "")
    assert completion.finish_reason is None
    assert completion.cost is None
    assert completion.images == []
    assert completion.tool_calls == []
    assert completion.annotations == []
    assert completion.message == Message()


# The way back.


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        (Message, MESSAGE),
        *((ReasoningDetail, detail) for detail in MESSAGE["reasoning_details"]),
        *((ToolCall, call) for call in MESSAGE["tool_calls"]),
        *((Annotation, annotation) for annotation in MESSAGE["annotations"]),
        (Image, MESSAGE["images"][0]),
        (ContentPart, {"type": "video", "video": {"url": "u"}}),
        (ErrorBody, {"code": "x", "message": "m", "hint": "h"}),
        (Usage, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": 0.0}),
    ],
)
def test_what_goes_back_is_what_came(kind: type[WireStruct], wire: Plain) -> None:
    """A part of an answer becomes the very wire form that it was made of."""
    value = decoded(wire, kind)
    assert value.to_dict() == wire
    assert json.loads(value.to_json()) == wire
    assert decoded(value.to_dict(), kind) == value


def test_unknown_kinds_are_kept_in_extra() -> None:
    """What a struct does not name can be reached, and stays in its place among the others."""
    message: Message = decoded(MESSAGE, Message)
    details = message.reasoning_details or []
    assert [detail.type for detail in details] == [
        "reasoning.text",
        "reasoning.encrypted",
        "reasoning.brand_new",
        "reasoning.server_tool_call",
    ]
    assert details[2].extra == {"beads": [1, {"a": None}]}
    assert message.extra == {"name_to_come": [1]}
    assert details[0].extra is None


def test_a_field_that_is_really_named_extra_is_no_special_case() -> None:
    """A field of the wire that has the name of ours comes back as it was."""
    wire = {"type": "reasoning.x", "extra": {"a": 1}}
    detail: ReasoningDetail = decoded(wire, ReasoningDetail)
    assert detail.extra == {"extra": {"a": 1}}
    assert detail.to_dict() == wire


def test_extra_never_replaces_a_field() -> None:
    """A name in extra that the struct knows gives way to the struct's own value."""
    call = ToolCall(id="c", function=FunctionCall(name="f"), extra={"id": "other", "more": 1})
    assert call.to_dict() == {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": ""},
        "more": 1,
    }


def test_what_the_api_asks_for_is_never_left_out() -> None:
    """Roles and types stand in the wire form although they are defaults; None does not."""
    message = Message(
        content="hi",
        tool_calls=[ToolCall(id="c", function=FunctionCall(name="f", arguments="{}"))],
        images=[Image(image_url=ImageURL(url="u"))],
    )
    assert message.to_dict() == {
        "role": "assistant",
        "content": "hi",
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
        "images": [{"type": "image_url", "image_url": {"url": "u"}}],
    }


def test_an_empty_list_of_reasoning_details_is_a_statement() -> None:
    """An empty list goes back as an empty list."""
    assert Message(content="a", reasoning_details=[]).to_dict()["reasoning_details"] == []


def test_what_is_ours_never_goes_over_the_wire() -> None:
    """Calls that were cut off, decoded bytes and raw bytes are not part of the wire form."""
    image = Image(image_url=ImageURL(url="data:,x"))
    assert image.bytes == b"x"
    message = Message(content="a", images=[image], open_tool_calls=[ToolCall(id="c")])
    assert set(message.to_dict()) == {"role", "content", "images"}
    assert set(image.to_dict()) == {"type", "image_url"}
    chunk: ChatChunk = decoded(CHUNK)
    chunk.raw = b"{}"
    assert "raw" not in chunk.to_json().decode()
    assert chunk.to_dict() == CHUNK


def test_json_keeps_text_as_it_is() -> None:
    """Separators of Unicode and emoji pass through to_json unharmed."""
    text = "a\u2028\U0001f327"
    assert Message(content=text).to_json() == f'{{"role":"assistant","content":"{text}"}}'.encode()


@pytest.mark.parametrize("kind", [Message, ToolCall, ChatCompletion, Usage])
def test_plain_data_and_json_become_structs(kind: type[WireStruct]) -> None:
    """A struct is made of plain data, of text and of bytes, taking whatever of it makes sense."""
    wire = {"to_come": 1, "prompt_tokens": "7", "id": None}
    for made in (
        kind.from_dict(wire),
        kind.from_dict(OrderedDict(wire)),
        kind.from_json(json.dumps(wire)),
        kind.from_json(json.dumps(wire).encode()),
    ):
        assert made == decoded(wire, kind)


def test_what_is_no_object_becomes_no_struct() -> None:
    """A list, text that is no JSON, and JSON of a number are refused, each with a reason."""
    wrong: Any = [MESSAGE]
    with pytest.raises(TypeError, match="mapping, got list"):
        Message.from_dict(wrong)
    for text, reason in (("{", "no JSON"), ("5", "int instead of an object"), (b"\xff", "no JSON")):
        with pytest.raises(ValueError, match=reason):
            Message.from_json(text)


# Pickling and copying.

VALUES = [
    decoded(CHUNK),
    decoded(MESSAGE, Message),
    ChatCompletion(
        id="gen-1",
        choices=[Choice(message=decoded(MESSAGE, Message), finish_reason="stop")],
        usage=Usage(prompt_tokens=1, cost=0.5),
        error=ErrorBody(message="m", metadata={"a": [1]}),
    ),
    ChunkChoice(delta=Delta(tool_calls=[ToolCallDelta(function=FunctionCallDelta(name="f"))])),
    AudioDelta(data="QUJD"),
    Logprobs(content=[TokenLogprob(token="a", logprob=-1.0)]),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_pickled_and_copied_values_are_equal(value: Any) -> None:
    """Every struct crosses a process border and can be copied, raw bytes included."""
    if isinstance(value, ChatChunk):
        value.raw = b'{"id":"gen-1"}'
    for twin in (
        *(pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, 6)),
        copy.copy(value),
        copy.deepcopy(value),
    ):
        assert twin == value
        assert twin.to_dict() == value.to_dict()
        if isinstance(value, ChatChunk):
            assert twin.raw == value.raw


def test_a_deep_copy_shares_nothing() -> None:
    """Changing a deep copy leaves the first alone."""
    chunk: ChatChunk = decoded(CHUNK)
    twin = copy.deepcopy(chunk)
    twin.choices[1].delta.content = "changed"
    assert chunk.text == "first"


# The promises of the structs themselves.


def structs(of: type[WireStruct]) -> list[type[WireStruct]]:
    """Every struct below one, in the modules of the types."""
    found: list[type[WireStruct]] = []
    for kind in of.__subclasses__():
        if kind.__module__.startswith("openrouter_async.types."):
            found += [kind, *structs(kind)]
    return sorted(found, key=name_of)


def name_of(kind: type[WireStruct]) -> str:
    """Give the name of a struct."""
    return kind.__name__


@pytest.mark.parametrize("kind", structs(WireStruct))
def test_every_field_has_a_default(kind: type[WireStruct]) -> None:
    """An empty object is an answer too, and makes a struct of any kind."""
    assert decoded({}, kind) == kind()
    assert isinstance(kind().to_dict(), dict)


@pytest.mark.parametrize("kind", structs(KeptStruct))
def test_every_kept_struct_keeps(kind: type[KeptStruct]) -> None:
    """A struct whose wire form goes back keeps a field that it does not know."""
    wire = {"a_field_to_come": {"a": [1]}}
    assert decoded(wire, kind).to_dict().items() >= wire.items()
