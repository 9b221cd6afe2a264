"""Messages of a request: structs, mappings and what an answer held, mixed freely."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from openrouter_async import ChatCompletion, Image, Message, OpenRouter, ToolCall
from openrouter_async.resources._messages import checked_messages
from openrouter_async.testing import Emulator, chat
from openrouter_async.types import (
    Annotation,
    AssistantMessage,
    AudioPart,
    CacheControl,
    Choice,
    ContentPart,
    DeveloperMessage,
    FileAnnotation,
    FileData,
    FilePart,
    FunctionCall,
    ImagePart,
    ImageURL,
    InputAudio,
    PromptCacheBreakpoint,
    ReasoningDetail,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
    VideoPart,
    VideoURL,
)

Plain = dict[str, Any]

CALL = ToolCall(
    id="c", function=FunctionCall(name="f", arguments="{}"), extra={"google": {"signature": "x"}}
)
CALL_ON_THE_WIRE: Plain = {
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
    "google": {"signature": "x"},
}
DETAIL = ReasoningDetail(type="reasoning.encrypted", data="eHl6", index=0, extra={"beads": [1]})
DETAIL_ON_THE_WIRE: Plain = {
    "type": "reasoning.encrypted",
    "data": "eHl6",
    "index": 0,
    "beads": [1],
}

STRUCTS: list[tuple[msgspec.Struct, Plain]] = [
    (SystemMessage(content="s"), {"role": "system", "content": "s"}),
    (DeveloperMessage(content="s", name="n"), {"role": "developer", "content": "s", "name": "n"}),
    (UserMessage(content="u"), {"role": "user", "content": "u"}),
    (AssistantMessage(content="pre"), {"role": "assistant", "content": "pre"}),
    (AssistantMessage(), {"role": "assistant"}),
    (
        AssistantMessage(content=None, tool_calls=[CALL], reasoning_details=[DETAIL]),
        {
            "role": "assistant",
            "content": None,
            "reasoning_details": [DETAIL_ON_THE_WIRE],
            "tool_calls": [CALL_ON_THE_WIRE],
        },
    ),
    (
        AssistantMessage(content="x", reasoning_details=[], model="a/b"),
        {"role": "assistant", "content": "x", "reasoning_details": [], "model": "a/b"},
    ),
    (
        AssistantMessage(
            content="x",
            annotations=[Annotation(type="file", file=FileAnnotation(hash="h"))],
            images=[{"image_url": {"url": "data:,x"}}],
        ),
        {
            "role": "assistant",
            "content": "x",
            "images": [{"image_url": {"url": "data:,x"}}],
            "annotations": [{"type": "file", "file": {"hash": "h"}}],
        },
    ),
    (
        ToolMessage(tool_call_id="c", content="42"),
        {"role": "tool", "tool_call_id": "c", "content": "42"},
    ),
    (
        SystemMessage(content=[TextPart(text="long", cache_control=CacheControl(ttl="1h"))]),
        {
            "role": "system",
            "content": [
                {
                    "type": "text",
                    "text": "long",
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                }
            ],
        },
    ),
    (
        UserMessage(
            content=(
                TextPart(text="a", prompt_cache_breakpoint=PromptCacheBreakpoint()),
                {"type": "text", "text": "b", "brand_new": 1},
                ImagePart(image_url=ImageURL(url="https://x/y.png", detail="original")),
                ImagePart(image_url={"url": "data:,x"}, cache_control={"type": "ephemeral"}),
                FilePart(file=FileData(filename="a.pdf", file_data="https://x/a.pdf")),
                AudioPart(input_audio=InputAudio(data="AAAA", format="wav")),
                VideoPart(video_url=VideoURL(url="https://x/y.mp4")),
                Image(image_url=ImageURL(url="data:,z")),
                ContentPart(type="text", text="c"),
            )
        ),
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "text", "text": "b", "brand_new": 1},
                {
                    "type": "image_url",
                    "image_url": {"url": "https://x/y.png", "detail": "original"},
                },
                {
                    "type": "image_url",
                    "image_url": {"url": "data:,x"},
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "https://x/a.pdf"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "video_url", "video_url": {"url": "https://x/y.mp4"}},
                {"type": "image_url", "image_url": {"url": "data:,z"}},
                {"type": "text", "text": "c"},
            ],
        },
    ),
]


@pytest.mark.parametrize(("message", "wire"), STRUCTS)
def test_a_struct_becomes_its_wire_form(message: msgspec.Struct, wire: Plain) -> None:
    """What is given is sent, null where it is None; what is not given is not."""
    assert checked_messages([message]) == [wire]


@pytest.mark.parametrize(("message", "wire"), STRUCTS)
def test_the_wire_form_itself_does_too(message: msgspec.Struct, wire: Plain) -> None:
    """A mapping of the same shape is the same message, and is left as it was."""
    del message
    before = copy.deepcopy(wire)
    assert checked_messages([MappingProxyType(wire)]) == [wire]
    assert wire == before


@pytest.mark.parametrize(("message", "wire"), STRUCTS)
def test_a_message_struct_can_be_copied_and_pickled(message: msgspec.Struct, wire: Plain) -> None:
    """A message travels, and says the same afterwards."""
    for twin in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert twin == message
        assert checked_messages([twin]) == [wire]


async def test_a_mixed_conversation_reaches_the_wire(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Structs, mappings, an answer's message and the user's own structs in one request."""

    class Note(msgspec.Struct):
        text: str
        type: str = "text"

    answer = ChatCompletion(
        choices=[Choice(message=Message(content="", tool_calls=[CALL], reasoning_details=[DETAIL]))]
    )
    emulator.play(chat("So."))
    await client.complete(
        [
            SystemMessage(content="s"),
            {"role": "user", "content": [{"type": "text", "text": "a"}, Note(text="b")]},
            answer.message,
            ToolMessage(tool_call_id="c", content="42"),
            OrderedDict(role="user", content="and?", brand_new={"a": 1}),
        ]
    )
    assert emulator.requests[0].json["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b", "type": "text"}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_details": [DETAIL_ON_THE_WIRE],
            "tool_calls": [CALL_ON_THE_WIRE],
        },
        {"role": "tool", "tool_call_id": "c", "content": "42"},
        {"role": "user", "content": "and?", "brand_new": {"a": 1}},
    ]


def test_an_answers_parts_in_a_mapping_are_sent_whole() -> None:
    """A message that is put together by hand may hold the tool calls as they came."""
    assert checked_messages(
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [CALL],
                "reasoning_details": (DETAIL,),
            }
        ]
    ) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [CALL_ON_THE_WIRE],
            "reasoning_details": [DETAIL_ON_THE_WIRE],
        }
    ]


def test_a_block_that_two_answers_hold_is_sent_once() -> None:
    """Providers refuse a block of reasoning that stands in a request twice."""
    answer = Message(content="x", reasoning_details=[DETAIL])
    first, second = checked_messages([answer, answer])
    assert first["reasoning_details"] == [DETAIL_ON_THE_WIRE]
    assert "reasoning_details" not in second


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (UserMessage(content=5), TypeError, "messages[0].content must be a str, a sequence of parts or None, got int"),  # type: ignore[arg-type]
        (UserMessage(content=["x"]), TypeError, "messages[0].content[0] must be a mapping, got str"),  # type: ignore[list-item]
        (UserMessage(content=[{"text": "x"}]), ValueError, "messages[0].content[0].type must say what the part is, such as 'text'; got None"),
        (ChatCompletion(), TypeError, "messages[0] must be a mapping, got ChatCompletion; pass its .message"),
        (TextPart(text="x"), ValueError, "messages[0].role is missing; it is 'user', 'assistant', 'system', ..."),
    ],
)  # fmt: skip
def test_a_bad_struct_is_named_by_its_place(message: Any, kind: type[Exception], text: str) -> None:
    """What no type checker caught is said at the call, before anything is sent."""
    with pytest.raises(kind) as caught:
        checked_messages([message])
    assert str(caught.value) == text
