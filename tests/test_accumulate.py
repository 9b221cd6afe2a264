"""Chunks add up to the answer, by one rule a field."""

from __future__ import annotations

import base64
import itertools
import json
import random
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openrouter_async._accumulate import Accumulator, Outline
from openrouter_async.types import ChatChunk, ChatCompletion, Choice, Message, ToolCall
from openrouter_async.types._lenient import decode_leniently

Plain = dict[str, Any]


def decoded(wire: Plain) -> ChatChunk:
    """Decode in the two steps of a stream."""
    data = json.dumps(wire).encode()
    try:
        return msgspec.json.decode(data, type=ChatChunk)
    except msgspec.DecodeError:
        return decode_leniently(data, ChatChunk)


def choice(delta: Plain, **rest: Any) -> Plain:
    """Give a chunk of one choice."""
    return {"choices": [{"delta": delta, **rest}]}


def added(*wires: Plain, ended: bool = True) -> ChatCompletion:
    """Add up chunks."""
    accumulator = Accumulator()
    for wire in wires:
        accumulator.add(decoded(wire))
    return accumulator.completion(ended=ended)


def said(*deltas: Plain, ended: bool = True) -> Message:
    """Add up deltas of one choice and give the message."""
    return added(*(choice(delta) for delta in deltas), ended=ended).message


# The table of rules.


def test_texts_are_joined_in_order() -> None:
    """Content, reasoning and refusal are their pieces in the order of arrival."""
    message = said(
        {"role": "assistant", "content": ""},
        {"reasoning": "h"},
        {"reasoning": "m", "content": None},
        {"role": "assistant", "content": "So"},
        {"content": "", "refusal": "N"},
        {"content": ".", "refusal": "o"},
    )
    assert (message.content, message.reasoning, message.refusal) == ("So.", "hm", "No")
    assert message.role == "assistant"


def test_reasoning_under_its_other_name() -> None:
    """Reasoning that comes as reasoning_content, or both ways at once, is there once."""
    assert said({"reasoning_content": "h"}, {"reasoning_content": "m"}).reasoning == "hm"
    assert said({"reasoning": "hm", "reasoning_content": "hm"}).reasoning == "hm"


def test_content_in_parts() -> None:
    """Content that comes as parts is text and reasoning like any other."""
    message = said(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "text", "text": "So"}]},
        {"content": "."},
    )
    assert (message.content, message.reasoning) == ("So.", "hm")


CONTENTS: list[tuple[Plain, str | None]] = [
    ({"content": ""}, ""),
    ({"refusal": "no"}, None),
    ({"content": "a", "tool_calls": [{"id": "c"}]}, "a"),
    ({"content": "", "tool_calls": [{"id": "c"}]}, None),
]


@pytest.mark.parametrize(("delta", "content"), CONTENTS)
def test_content_is_null_where_none_came(delta: Plain, content: str | None) -> None:
    """An empty text is a text; an answer of calls or of a refusal alone has no content."""
    assert said(delta).content == content


def test_logprobs_are_appended() -> None:
    """The token lists of all chunks follow each other, and the chunks keep theirs."""
    chunks = [
        decoded(choice({"content": name}, logprobs={"content": [{"token": name}], "refusal": None}))
        for name in "abc"
    ]
    accumulator = Accumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    logprobs = accumulator.completion(ended=True).choices[0].logprobs
    assert logprobs is not None
    assert [token.token for token in logprobs.content or ()] == ["a", "b", "c"]
    assert logprobs.refusal is None
    first = chunks[0].choices[0].logprobs
    assert first is not None
    assert len(first.content or ()) == 1


def test_the_last_finish_reason_counts() -> None:
    """A finish reason may come again, on the usage chunk or with null between."""
    completion = added(
        choice({"content": "a"}),
        choice({}, finish_reason="stop", native_finish_reason="end_turn"),
        choice({}, finish_reason=None),
        choice({}, finish_reason="tool_calls", native_finish_reason=None),
    )
    assert completion.finish_reason == "tool_calls"
    assert completion.choices[0].native_finish_reason == "end_turn"


def test_usage_is_replaced_never_summed() -> None:
    """The last usage record is the whole of it."""
    usage = [{"prompt_tokens": 5, "cost": 0.1}, {"prompt_tokens": 5, "completion_tokens": 2}]
    completion = added(*(choice({"content": "a"}) | {"usage": record} for record in usage))
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 2)
    assert completion.cost is None


def test_the_first_identity_counts() -> None:
    """Id, model, provider and the like are the first that is not null, on whichever chunk."""
    completion = added(
        choice({"content": "a"}) | {"id": None},
        choice({"content": "b"}) | {"id": "gen-1", "provider": "P"},
        choice({"content": "c"}) | {"id": "gen-2", "model": "m", "created": 7},
        choice({"content": "d"}) | {"provider": "Q", "model": "n", "created": 8},
        choice({"content": "e"}) | {"system_fingerprint": "fp"},
        choice({"content": "f"}) | {"service_tier": "flex", "system_fingerprint": "other"},
    )
    assert (completion.id, completion.provider, completion.model) == ("gen-1", "P", "m")
    assert (completion.created, completion.object) == (7, "chat.completion")
    assert completion.system_fingerprint == "fp"
    assert completion.service_tier == "flex"


def test_routing_metadata_on_a_late_chunk() -> None:
    """How the request was routed is told by a chunk at the end, which may say nothing else."""
    known = {"id": "gen-1", "provider": "P", "model": "m"}
    completion = added(
        choice({"content": "a"}) | known,
        {**known, "choices": [], "usage": {"prompt_tokens": 1}},
        {**known, "choices": [], "openrouter_metadata": {"attempt": 1}},
    )
    assert completion.openrouter_metadata == {"attempt": 1}
    assert completion.usage is not None


def test_several_choices_stay_apart() -> None:
    """Choices come in any order, each with its own text, calls and reason."""
    completion = added(
        {"choices": [{"index": 1, "delta": {"content": "B"}}, {"delta": {"content": "A"}}]},
        {"choices": [{"index": 2, "delta": {"tool_calls": [{"id": "c", "function": {}}]}}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]},
        {"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "length"}]},
    )
    assert [(item.index, item.message.content) for item in completion.choices] == [
        (0, "Aa"),
        (1, "Bb"),
        (2, None),
    ]
    assert [item.finish_reason for item in completion.choices] == ["stop", "length", None]
    assert [len(item.message.tool_calls or ()) for item in completion.choices] == [0, 0, 1]


def test_a_lone_choice_that_is_not_the_first() -> None:
    """A choice keeps its index also where no other was opened."""
    assert added({"choices": [{"index": 3, "delta": {"content": "a"}}]}).choices == [
        Choice(index=3, message=Message(content="a"))
    ]


def test_nothing_at_all() -> None:
    """No chunk, or none with a choice, is an answer without a choice."""
    assert added() == ChatCompletion(object="chat.completion")
    assert added({"choices": [], "debug": {}}, {}).choices == []


def test_images_come_once_each() -> None:
    """The same image again, in a later chunk or the same, is the same image."""
    first, second = (
        {"type": "image_url", "image_url": {"url": f"data:image/gif;base64,{name}"}}
        for name in ("QQ==", "Qg==")
    )
    message = said({"images": [first, first]}, {"images": [second]}, {"images": [first]})
    assert [image.bytes for image in message.images or ()] == [b"A", b"B"]


def test_annotations_keep_their_order() -> None:
    """Citations stay in order, before any text too; only an equal one is left out."""
    cited = [
        {"type": "url_citation", "url_citation": {"url": "u", "start_index": start}}
        for start in (0, 9)
    ]
    file: Plain = {"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": []}}
    message = said(
        {"content": "", "annotations": [cited[0]]},
        {"content": "a"},
        {"annotations": [file, cited[1], cited[0]]},
        {"annotations": [{"type": "to_come", "x": [1]}]},
    )
    assert [note.to_dict() for note in message.annotations or ()] == [
        cited[0],
        file,
        cited[1],
        {"type": "to_come", "x": [1]},
    ]


SOUND = bytes(range(100))
CODED = base64.b64encode(SOUND).decode()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 63, 1_000])
def test_audio_cut_anywhere(size: int) -> None:
    """One base64 text, cut into pieces of any length, is the text again."""
    pieces = [CODED[at : at + size] for at in range(0, len(CODED), size)]
    audio = said(*({"audio": {"data": piece}} for piece in pieces)).audio
    assert audio is not None
    assert base64.b64decode(audio.data or "", validate=True) == SOUND


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 99])
def test_audio_in_pieces_that_are_whole_by_themselves(size: int) -> None:
    """Pieces with padding of their own become one base64 text of all the sound."""
    pieces = [SOUND[at : at + size] for at in range(0, len(SOUND), size)]
    deltas = [{"audio": {"data": base64.b64encode(piece).decode()}} for piece in pieces]
    audio = said(*deltas).audio
    assert audio is not None
    assert base64.b64decode(audio.data or "", validate=True) == SOUND


def test_what_audio_says_besides() -> None:
    """The words are joined, the id is the first and the end of its life the last."""
    audio = said(
        {"audio": {"id": "a", "transcript": "So"}},
        {"audio": {"transcript": " be it", "expires_at": 5}},
        {"audio": {"id": "b", "expires_at": 6}},
    ).audio
    assert audio is not None
    assert (audio.id, audio.transcript, audio.expires_at) == ("a", "So be it", 6)
    assert audio.data is None


# Reasoning details.


def text(text: str | None, index: int | None = 0, **rest: Any) -> Plain:
    """Give a piece of a block of text."""
    return {"type": "reasoning.text", "text": text, "index": index, **rest}


def summary(text: str, index: int = 0, **rest: Any) -> Plain:
    """Give a piece of a summary."""
    return {"type": "reasoning.summary", "summary": text, "index": index, **rest}


ENCRYPTED = {"type": "reasoning.encrypted", "data": "eHl6", "id": "rs_1", "format": "f", "index": 0}

REASONING: dict[str, tuple[list[list[Plain]], list[Plain]]] = {
    "pieces": ([[text("h")], [text("m")]], [text("hm")]),
    "pieces in one delta": ([[text("h"), text("m")]], [text("hm")]),
    "without an index": ([[text("h", None)], [text("m", None)]], [text("hm", None)]),
    "two blocks": ([[text("a")], [text("b", 1)], [text("B", 1)]], [text("a"), text("bB", 1)]),
    "two blocks, interleaved": (
        [[text("a")], [text("b", 1)], [text("A")], [text("B", 1)]],
        [text("aA"), text("bB", 1)],
    ),
    "the signature comes late": (
        [[text("h")], [text("m")], [{"type": "reasoning.text", "signature": "s", "index": 0}]],
        [text("hm", signature="s")],
    ),
    "the signature comes with an empty text": (
        [[text("h")], [text("", signature="s", format="f")]],
        [text("h", signature="s", format="f")],
    ),
    "a signature alone": (
        [[{"type": "reasoning.text", "signature": "s", "index": 0}]],
        [{"type": "reasoning.text", "signature": "s", "index": 0}],
    ),
    "text behind a signature is another block": (
        [[text("a", signature="s")], [text("b")], [text("B", signature="t")]],
        [text("a", signature="s"), text("bB", signature="t")],
    ),
    "first format and id count": (
        [[text("a", format=None)], [text("b", format="f", id="i")], [text("c", format="g")]],
        [text("abc", format="f", id="i")],
    ),
    "another id is another block": (
        [[text("a", id="i")], [text("b", id="j")]],
        [text("a", id="i"), text("b", id="j")],
    ),
    "pieces of a summary": ([[summary("a", id="rs")], [summary("b")]], [summary("ab", id="rs")]),
    "summary beside encrypted": (
        [[summary("a")], [summary("b")], [ENCRYPTED]],
        [summary("ab"), ENCRYPTED],
    ),
    "sandwich": (
        [[text("a")], [ENCRYPTED], [text("b")]],
        [text("ab"), ENCRYPTED],
    ),
    "encrypted blocks stay whole": ([[ENCRYPTED], [ENCRYPTED]], [ENCRYPTED, ENCRYPTED]),
    "an empty list": ([[]], []),
    "an empty list beside others": ([[], [text("a")], []], [text("a")]),
    "kinds to come, in order": (
        [[{"type": "reasoning.x", "beads": [1]}], [text("a")], [{"type": "reasoning.x", "beads": []}]],
        [{"type": "reasoning.x", "beads": [1]}, text("a"), {"type": "reasoning.x", "beads": []}],
    ),
    "keys to come, in known kinds": (
        [[text("a", first=1)], [text("b", second={"x": None})]],
        [text("ab", first=1, second={"x": None})],
    ),
}  # fmt: skip


def without_none(value: Plain) -> Plain:
    """Leave out what is null."""
    return {key: item for key, item in value.items() if item is not None}


@pytest.mark.parametrize(("pieces", "blocks"), REASONING.values(), ids=REASONING)
def test_reasoning_details(pieces: list[list[Plain]], blocks: list[Plain]) -> None:
    """Blocks of reasoning come out of their pieces as they would have come whole."""
    deltas: list[Plain] = [{"reasoning_details": details} for details in pieces]
    between = [sent for delta in deltas for sent in (delta, {"content": "t"})]
    for sent in (deltas, between):
        message = said(*sent)
        assert message.reasoning_details is not None
        found = [detail.to_dict() for detail in message.reasoning_details]
        assert found == [without_none(block) for block in blocks]


def test_no_reasoning_details_are_none() -> None:
    """Where none were sent there is no list, for an empty one would be a statement."""
    assert said({"content": "a"}).reasoning_details is None


def test_a_chunk_keeps_its_own_piece() -> None:
    """Gathering changes nothing in the chunks, which belong to the user."""
    chunks = [
        decoded(choice({"reasoning_details": [text("a", first=1)]})),
        decoded(choice({"reasoning_details": [text("b", signature="s", second=2)]})),
    ]
    before = [chunk.to_dict() for chunk in chunks]
    accumulator = Accumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    partials = [accumulator.completion(ended=False) for _ in range(2)]
    assert partials[0] == partials[1]
    assert [chunk.to_dict() for chunk in chunks] == before


# Tool calls.


class Call(NamedTuple):
    """A call as it is meant to come out."""

    id: str
    name: str
    arguments: Any


def call_of(call: ToolCall) -> Call:
    """Give the facts of a gathered call, its arguments read."""
    return Call(call.id, call.function.name, json.loads(call.function.arguments))


def piece(
    index: int | None = None, id: str | None = None, name: str | None = None, arguments: Any = None
) -> Plain:
    """Give a piece of a call; what is None is not sent."""
    function = without_none({"name": name, "arguments": arguments})
    return without_none({"index": index, "id": id, "function": function or None})


F = Call("c1", "f", {"a": 1})
G = Call("c2", "g", {"b": 2})
F_WHOLE = piece(0, "c1", "f", '{"a":1}')
G_WHOLE = piece(1, "c2", "g", '{"b":2}')

SHAPES: dict[str, tuple[list[list[Plain]], list[Call]]] = {
    "whole in one chunk": ([[F_WHOLE]], [F]),
    "as OpenAI sends it": (
        [[piece(0, "c1", "f", "")], [piece(0, arguments='{"a"')], [piece(0, arguments=":1}")]],
        [F],
    ),
    "two, one after the other": (
        [[piece(0, "c1", "f", '{"a"')], [piece(0, arguments=":1}")],
         [piece(1, "c2", "g", '{"b"')], [piece(1, arguments=":2}")]],
        [F, G],
    ),
    "two, interleaved": (
        [[piece(0, "c1", "f", "{")], [piece(1, "c2", "g", "{")], [piece(0, arguments='"a":1')],
         [piece(1, arguments='"b":2')], [piece(1, arguments="}"), piece(0, arguments="}")]],
        [F, G],
    ),
    "two in one delta": ([[F_WHOLE, G_WHOLE]], [F, G]),
    "two in one delta, the second first": ([[G_WHOLE, F_WHOLE]], [F, G]),
    "two pieces of one index in one delta": (
        [[piece(0, "c1", "f", ""), piece(0, arguments='{"a":1}')]],
        [F],
    ),
    "many pieces of two indexes in one delta": (
        [[piece(0, "c1", "f", "{"), piece(1, "c2", "g", "{"), piece(0, arguments='"a":1}'),
          piece(1, arguments='"b":2}')]],
        [F, G],
    ),
    "no index": ([[piece(None, "c1", "f", '{"a"')], [piece(arguments=":1}")]], [F]),
    "null index": ([[{**F_WHOLE, "index": None}]], [F]),
    "an index in a string": ([[{**F_WHOLE, "index": "0"}]], [F]),
    "two without an index": (
        [[piece(None, "c1", "f", "{")], [piece(arguments='"a":1}')],
         [piece(None, "c2", "g", "{")], [piece(arguments='"b":2}')]],
        [F, G],
    ),
    "two without an index, each piece with its id": (
        [[piece(None, "c1", "f", "{")], [piece(None, "c2", "g", "{")],
         [piece(None, "c1", None, '"a":1}')], [piece(None, "c2", None, '"b":2}')]],
        [F, G],
    ),
    "an index only on later pieces": (
        [[piece(None, "c1", "f", "{")], [piece(0, arguments='"a":1')], [piece(0, arguments="}")]],
        [F],
    ),
    "an index only on the first piece": (
        [[piece(0, "c1", "f", "{")], [piece(arguments='"a":1}')]],
        [F],
    ),
    "first index is not zero": ([[piece(1, "c1", "f", "{")], [piece(1, arguments='"a":1}')]], [F]),
    "gaps between indexes": (
        [[piece(2, "c1", "f", '{"a":1}')], [piece(7, "c2", "g", '{"b":2}')]],
        [F, G],
    ),
    "negative index": ([[piece(-1, "c1", "f", "{")], [piece(-1, arguments='"a":1}')]], [F]),
    "id and name again and again": (
        [[piece(0, "c1", "f", "{")], [piece(0, "c1", "f", '"a"')], [piece(0, "c1", "f", ":1}")]],
        [F],
    ),
    "name again and again, without an id": (
        [[piece(0, None, "f", "{")], [piece(0, None, "f", '"a"')], [piece(0, None, "f", ":1}")]],
        [F._replace(id="call_0")],
    ),
    "name again and again, without id and index": (
        [[piece(None, None, "f", "{")], [piece(None, None, "f", '"a":1}')]],
        [F._replace(id="call_0")],
    ),
    "an empty name on later pieces": (
        [[piece(0, "c1", "f", "{")], [piece(0, "", "", '"a":1}')]],
        [F],
    ),
    "one index for two, told apart by id": (
        [[piece(0, "c1", "f", '{"a":1}')], [piece(0, "c2", "g", '{"b":2}')]],
        [F, G],
    ),
    "one index for two, told apart by name": (
        [[piece(0, None, "f", '{"a":1}')], [piece(0, None, "g", '{"b":2}')]],
        [F._replace(id="call_0"), G._replace(id="call_1")],
    ),
    "one index for two whole calls of one name": (
        [[piece(0, None, "f", '{"a":1}')], [piece(0, None, "f", '{"a":2}')]],
        [Call("call_0", "f", {"a": 1}), Call("call_1", "f", {"a": 2})],
    ),
    "no index for two whole calls of one name": (
        [[piece(None, None, "f", '{"a":1}')], [piece(None, None, "f", '{"a":1}')]],
        [Call("call_0", "f", {"a": 1}), Call("call_1", "f", {"a": 1})],
    ),
    "no index, no id, two names": (
        [[piece(None, None, "f", "{")], [piece(arguments='"a":1}')], [piece(None, None, "g", '{"b":2}')]],
        [F._replace(id="call_0"), G._replace(id="call_1")],
    ),
    "empty ids": (
        [[piece(0, "", "f", '{"a":1}'), piece(1, "", "g", '{"b":2}')]],
        [F._replace(id="call_0"), G._replace(id="call_1")],
    ),
    "null ids": (
        [[{**F_WHOLE, "id": None}, {**G_WHOLE, "id": None}]],
        [F._replace(id="call_0"), G._replace(id="call_1")],
    ),
    "one id for two": (
        [[F_WHOLE, {**G_WHOLE, "id": "c1"}]],
        [F, G._replace(id="c1_1")],
    ),
    "one id for two, without an index": (
        [[piece(None, "c1", "f", '{"a":1}'), piece(None, "c1", "g", '{"b":2}')]],
        [F, G._replace(id="c1_1")],
    ),
    "an id that looks like one of ours": (
        [[piece(0, "call_1", "f", '{"a":1}'), piece(1, None, "g", '{"b":2}')]],
        [F._replace(id="call_1"), G._replace(id="call_1_1")],
    ),
    "the id comes late": (
        [[piece(0, None, "f", "{")], [piece(0, "c1", None, '"a":1}')]],
        [F],
    ),
    "the id comes late, without an index": (
        [[piece(None, None, "f", "{")], [piece(None, "c1", None, '"a":1}')]],
        [F],
    ),
    "the name comes late": ([[piece(0, "c1")], [piece(0, None, "f", '{"a":1}')]], [F]),
    "the name comes last": ([[piece(0, "c1", None, '{"a":1}')], [piece(0, None, "f")]], [F]),
    "a number for an id": ([[{**F_WHOLE, "id": 7}]], [F._replace(id="7")]),
    "null arguments": ([[{"index": 0, "id": "c1", "function": {"name": "f", "arguments": None}}]],
                       [F._replace(arguments={})]),
    "no arguments": ([[piece(0, "c1", "f")]], [F._replace(arguments={})]),
    "empty arguments": ([[piece(0, "c1", "f", "")], [piece(0, arguments="")]], [F._replace(arguments={})]),
    "arguments as an object": ([[piece(0, "c1", "f", {"a": 1})]], [F]),
    "arguments as an empty object": ([[piece(0, "c1", "f", {})]], [F._replace(arguments={})]),
    "null function": ([[{"index": 0, "id": "c1", "function": None}], [piece(0, None, "f", '{"a":1}')]], [F]),
    "white space behind": (
        [[F_WHOLE], [piece(0, arguments=" ")], [piece(0, arguments="\n")], [piece(arguments="\t")]],
        [F],
    ),
    "empty pieces behind": ([[F_WHOLE], [piece(0)], [{}], [piece(0, "", "", "")]], [F]),
    "an empty list of calls": ([[], [F_WHOLE], []], [F]),
    "three at once, one after the other piece": (
        [[piece(index, f"c{index}", "f") for index in range(3)],
         *([piece(index, arguments=part) for index in range(3)] for part in ("{", '"a"', ":", "1}"))],
        [Call(f"c{index}", "f", {"a": 1}) for index in range(3)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize(("deltas", "calls"), SHAPES.values(), ids=SHAPES)
def test_shapes_of_tool_calls(deltas: list[list[Plain]], calls: list[Call], ended: bool) -> None:
    """In whatever shape a call comes, it is the call that would have come whole."""
    message = said(*({"tool_calls": pieces} for pieces in deltas), ended=ended)
    found = [*(message.tool_calls or ()), *(message.open_tool_calls or ())]
    assert [
        Call(call.id, call.function.name, json.loads(call.function.arguments or "{}"))
        for call in found
    ] == calls
    for call in found:
        assert call.type == "function"
        assert call.extra is None
    if ended:
        assert not message.open_tool_calls


def test_unknown_fields_of_a_call_are_kept() -> None:
    """What a provider adds to a call or its function goes back with it."""
    message = said(
        {"tool_calls": [{**piece(0, "c1", "f", "{"), "extra_content": {"signature": "s"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}", "more": 1}, "late": 2}]},
    )
    assert [call.to_dict() for call in message.tool_calls or ()] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": "{}", "more": 1},
            "extra_content": {"signature": "s"},
            "late": 2,
        }
    ]


def test_a_custom_type_is_kept() -> None:
    """The type of a call is the first that it was given."""
    message = said({"tool_calls": [{**F_WHOLE, "type": "custom"}]}, {"tool_calls": [F_WHOLE]})
    assert [call.type for call in message.tool_calls or ()] == ["custom"]


@pytest.mark.parametrize(
    ("arguments", "is_whole"),
    [
        ("", False),
        ("{", False),
        ('{"a"', False),
        ('{"a":1}', True),
        ('{"a":1} \n', True),
        ("{}", True),
        ("[1]", False),
        ("null", False),
        ('"}"', False),
        ('{"a":"}', False),
        ("{}}", False),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, False),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_call_that_was_cut_off_cannot_be_run(arguments: str, is_whole: bool) -> None:
    """At a bad end only a call whose arguments are a whole JSON object counts as whole."""
    message = said({"tool_calls": [piece(0, "c1", "f", arguments)]}, ended=False)
    whole, cut = message.tool_calls or [], message.open_tool_calls or []
    assert (len(whole), len(cut)) == ((1, 0) if is_whole else (0, 1))
    (call,) = whole or cut
    assert (call.id, call.function.name, call.function.arguments) == ("c1", "f", arguments)
    assert "(open_tool_calls)" not in message.to_dict()


def test_one_call_whole_and_one_cut() -> None:
    """Calls that were whole before the cut can be run although another cannot."""
    message = said({"tool_calls": [F_WHOLE]}, {"tool_calls": [piece(1, "c2", "g")]}, ended=False)
    assert [call.id for call in message.tool_calls or ()] == ["c1"]
    assert [call.id for call in message.open_tool_calls or ()] == ["c2"]


@pytest.mark.parametrize(
    ("reason", "is_whole"), [("tool_calls", True), ("stop", True), ("error", False), (None, False)]
)
def test_a_finish_reason_closes_the_calls(reason: str | None, is_whole: bool) -> None:
    """Once the model has finished, a broken connection takes nothing away; an error is no end."""
    completion = added(
        choice({"tool_calls": [piece(0, "c1", "f")]}, finish_reason=reason), ended=False
    )
    assert bool(completion.tool_calls) is is_whole
    assert bool(completion.message.open_tool_calls) is not is_whole


NAMES = ["f", "g", "h"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
ARGUMENTS = st.dictionaries(st.text(max_size=4), JSON, max_size=3)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    calls=st.lists(st.tuples(st.sampled_from(NAMES), ARGUMENTS), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 200), max_size=8),
    seed=st.integers(0, 2**16),
    first=st.integers(0, 3),
    step=st.integers(1, 3),
    repeats=st.booleans(),
    per_delta=st.integers(1, 3),
)
def test_calls_cut_and_interleaved_anywhere(
    calls: list[tuple[str, Plain]],
    cuts: list[int],
    seed: int,
    first: int,
    step: int,
    repeats: bool,
    per_delta: int,
) -> None:
    """Arguments cut anywhere and calls interleaved in any way give the calls, each once."""
    chance = random.Random(seed)
    waiting: list[list[Plain]] = []
    for number, (name, arguments) in enumerate(calls):
        whole = json.dumps(arguments, ensure_ascii=chance.random() < 0.5)
        ends = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
        parts = [whole[start:end] for start, end in itertools.pairwise(ends)]
        again = (f"c{number}", name) if repeats else ("", "")
        index = first + number * step
        waiting.append(
            [
                piece(index, f"c{number}", name, parts[0]),
                *(piece(index, again[0], again[1], part) for part in parts[1:]),
            ]
        )
    pieces: list[Plain] = []
    while any(waiting):
        pieces.append(chance.choice([queue for queue in waiting if queue]).pop(0))
    deltas = [pieces[at : at + per_delta] for at in range(0, len(pieces), per_delta)]
    for ended in (True, False):
        message = said(*({"tool_calls": delta} for delta in deltas), ended=ended)
        assert [call_of(call) for call in message.tool_calls or ()] == [
            Call(f"c{number}", name, arguments) for number, (name, arguments) in enumerate(calls)
        ]
        assert message.open_tool_calls is None


def arguments_text(entry: Plain) -> str:
    """Give the text of the arguments in a piece of a call."""
    function: Plain = entry.get("function") or {}
    arguments: Plain | str | None = function.get("arguments")
    return json.dumps(arguments) if isinstance(arguments, dict) else arguments or ""


ODD_PIECES = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([None, 0, 1, 5, -1, "0"]),
        "id": st.sampled_from([None, "", "a", "b", "call_0", 3]),
        "type": st.sampled_from([None, "", "function", "custom"]),
        "function": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from([None, "", "f", "g"]),
                "arguments": st.sampled_from([None, "", "{", "}", "{}", " ", '{"a":1}', {"a": 1}]),
            },
        ),
    },
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(deltas=st.lists(st.lists(ODD_PIECES, max_size=3), max_size=6), ended=st.booleans())
@example(deltas=[[{"id": "call_1"}, {"index": 1}, {"index": 2, "id": "call_1"}]], ended=True)
def test_no_shape_raises_and_no_call_comes_twice(deltas: list[list[Plain]], ended: bool) -> None:
    """Whatever the pieces, there is an answer; every call has an id of its own, no text is lost."""
    message = said(*({"tool_calls": delta} for delta in deltas), ended=ended)
    found = [*(message.tool_calls or ()), *(message.open_tool_calls or ())]
    ids = [call.id for call in found]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    sent = [entry for delta in deltas for entry in delta]
    assert len(found) <= len(sent)
    assert bool(found) == bool(sent)
    texts = [call.function.arguments for call in found]
    # Whole arguments that come once more are a repetition, so not all of them add to the size.
    assert all(any(arguments_text(entry) in text for text in texts) for entry in sent)
    size = sum(len(arguments_text(entry)) for entry in sent)
    gathered = sum(len(call.function.arguments) for call in found)
    made_up = sum(2 for call in found if call.function.arguments == "{}") if ended else 0
    assert gathered <= size + made_up
    assert not (ended and message.open_tool_calls)


# The outline, which keeps no content.


def test_the_outline_knows_what_the_accumulator_knows() -> None:
    """Without the content, the rest is told all the same."""
    wires = [
        choice({"role": "assistant", "content": ""}) | {"id": "gen-1", "model": "m"},
        choice({"content": "a"}),
        choice({"reasoning": "b"}),
        choice({"tool_calls": [F_WHOLE]}),
        choice({"images": [{"image_url": {"url": "u"}}]}),
        choice({"annotations": [{"type": "x"}]}),
        choice({"audio": {"transcript": "t"}}),
        choice({"refusal": "no"}),
        choice({"reasoning_details": [ENCRYPTED]}),
        choice({"reasoning_content": "r"}),
        choice({"reasoning_details": []}),
        choice({}, finish_reason="stop", native_finish_reason="end")
        | {"usage": {"cost": 1.0}, "provider": "P", "openrouter_metadata": {"a": 1}},
    ]
    outline, accumulator = Outline(), Accumulator()
    for wire in wires:
        outline.add(decoded(wire))
        accumulator.add(decoded(wire))
    assert outline.deltas == accumulator.deltas == 9
    for name in (
        "id", "model", "provider", "usage", "finished", "openrouter_metadata", "failed",
        "native_finish_reasons",
    ):  # fmt: skip
        assert getattr(outline, name) == getattr(accumulator, name), name
    assert outline.finished
    nothing: object = outline.completion(ended=True)
    assert nothing is None


@pytest.mark.parametrize("kind", [Outline, Accumulator])
def test_finished_means_every_choice(kind: type[Outline]) -> None:
    """The answer is at its end when each choice that was opened has a reason."""
    outline = kind()
    seen = [outline.finished]
    chunks: list[list[Plain]] = [
        [{"index": 0, "delta": {}}, {"index": 1, "delta": {}}],
        [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        [{"index": 1, "delta": {}, "finish_reason": "stop"}],
        [],
    ]
    for choices in chunks:
        outline.add(decoded({"choices": choices}))
        seen.append(outline.finished)
    assert seen == [False, False, False, True, True]


@pytest.mark.parametrize("kind", [Outline, Accumulator])
@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"error": {"code": 502, "message": "gone"}}, "gone"),
        ({"error": {"message": "gone"}, "finish_reason": "error"}, "gone"),
        ({"finish_reason": "error"}, "the provider ended the answer with an error"),
    ],
)
def test_a_failure_inside_a_choice(kind: type[Outline], rest: Plain, message: str) -> None:
    """An error that a choice carries, or names as its reason, is noticed."""
    outline = kind()
    outline.add(decoded(choice({"content": "a"})))
    outline.add(decoded(choice({}, **rest)))
    assert outline.failed is not None
    assert outline.failed.message == message
