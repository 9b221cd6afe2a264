"""The assistant message of the next turn, and reasoning that must not be there twice."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_async import ChatCompletion, Message, OpenRouter
from openrouter_async.resources._messages import checked_messages
from openrouter_async.testing import Emulator, chat, completion

Plain = dict[str, Any]

SIGNED: Plain = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}
BARE: Plain = {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}
SEALED: Plain = {"type": "reasoning.encrypted", "data": "eHl6", "id": "rs_1", "index": 1}
SUMMED: Plain = {"type": "reasoning.summary", "summary": "so", "index": 2}
CALL: Plain = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def turn(details: list[Plain] | None = None, **fields: Any) -> Plain:
    """Give the next turn of a message of these fields."""
    wire: Plain = {"role": "assistant", "content": "So.", **fields}
    if details is not None:
        wire["reasoning_details"] = details
    return Message.from_dict(wire).to_param()


def details_of(message: Plain) -> list[Plain] | None:
    """Give the reasoning details of a message."""
    details: list[Plain] | None = message.get("reasoning_details")
    return details


@pytest.mark.parametrize("format", [None, "anthropic-claude-v1", "google-gemini-v1"])
@pytest.mark.parametrize("signature", [None, ""])
def test_unsigned_text_is_dropped(format: str | None, signature: str | None) -> None:
    """Text of a format that is signed does not go back without its signature."""
    unsigned = {"type": "reasoning.text", "text": "x", "format": format, "signature": signature}
    assert details_of(turn([unsigned, SIGNED])) == [SIGNED]
    assert turn([unsigned], reasoning="x") == {"role": "assistant", "content": "So."}


@pytest.mark.parametrize("format", ["unknown", "openai-responses-v1", "a-format-to-come"])
def test_text_of_other_formats_needs_no_signature(format: str) -> None:
    """Text of every other format goes back as it came."""
    detail = {**BARE, "format": format}
    assert details_of(turn([detail])) == [detail]


def test_other_kinds_need_no_signature() -> None:
    """Summaries, encrypted blocks and kinds to come go back whatever their format, in order."""
    details = [
        {**SUMMED, "format": "anthropic-claude-v1"},
        {**SEALED, "format": "google-gemini-v1"},
        {"type": "reasoning.server_tool_call", "tool_name": "t", "arguments": "{}", "result": ""},
        {"type": "reasoning.to_come", "beads": [1, {"a": None}]},
        SIGNED,
    ]
    assert details_of(turn(details)) == details


@pytest.mark.parametrize(
    ("one", "other", "is_repeat"),
    [
        (SUMMED, {**SUMMED, "index": 5}, True),
        (SUMMED, {**SUMMED, "summary": "else"}, False),
        (SEALED, {**SEALED, "data": "other"}, True),
        (SEALED, {**SEALED, "id": "rs_2"}, False),
        ({**SEALED, "id": None}, {"type": "reasoning.encrypted", "data": "eHl6"}, True),
        (BARE, {**BARE, "index": 3}, True),
        ({**SIGNED, "text": ""}, {"type": "reasoning.text", "signature": "s"}, True),
        (BARE, {**SUMMED, "summary": "hm"}, False),
        (
            {"type": "reasoning.to_come", "beads": [1]},
            {"type": "reasoning.to_come", "beads": [1]},
            False,
        ),
    ],
)
def test_what_is_a_repeat(one: Plain, other: Plain, is_repeat: bool) -> None:
    """A block is known by its summary, its id or data, its text or signature; the first stays."""
    kept = details_of(turn([one, other])) or []
    assert len(kept) == (1 if is_repeat else 2)
    assert kept[0].items() <= one.items()


def test_an_unsigned_block_does_not_hide_its_signed_twin() -> None:
    """A copy that lost its signature is not what the whole one repeats."""
    lost = {"type": "reasoning.text", "text": "hm"}
    assert details_of(turn([lost, SIGNED])) == [SIGNED]


def test_an_empty_list_goes_back_as_one() -> None:
    """An empty list of details is a statement, and stays; text that it does not cover does not."""
    assert turn([], reasoning="hm") == {
        "role": "assistant",
        "content": "So.",
        "reasoning_details": [],
    }


def test_plain_reasoning_goes_with_its_details_or_not_at_all() -> None:
    """Reasoning text is sent beside details that stand for it, and never by itself."""
    assert turn([SIGNED], reasoning="hm")["reasoning"] == "hm"
    assert "reasoning" not in turn(reasoning="hm")


@pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "text", "text": ""}]])
def test_a_turn_of_tool_calls_alone_has_no_content(content: object) -> None:
    """Blank text beside tool calls becomes null, which every provider takes."""
    made = turn(content=content, tool_calls=[{**CALL, "index": 0}, {**CALL, "id": "d"}])
    assert made["content"] is None
    assert made["tool_calls"] == [CALL, {**CALL, "id": "d"}]


def test_text_beside_tool_calls_stays() -> None:
    """What the model said beside its calls goes back."""
    assert turn(tool_calls=[CALL])["content"] == "So."
    parts = [{"type": "text", "text": "a"}, {"type": "to_come", "x": 1}]
    assert turn(content=parts, tool_calls=[CALL])["content"] == parts


def test_parallel_calls_carry_their_details_once() -> None:
    """The details of a message stand on the message, however many calls it makes."""
    made = turn([SIGNED, SEALED], tool_calls=[CALL, {**CALL, "id": "d"}], content=None)
    assert details_of(made) == [SIGNED, SEALED]
    assert all("reasoning_details" not in call for call in made["tool_calls"])


def test_images_annotations_and_unknown_fields_go_back() -> None:
    """Everything that is no reasoning goes back as it came."""
    fields: Plain = {
        "images": [{"type": "image_url", "image_url": {"url": "data:,x"}}],
        "annotations": [
            {"type": "file", "file": {"hash": "h", "content": [{"type": "x", "y": 1}]}}
        ],
        "refusal": "no",
        "a_field_to_come": [None],
    }
    made = turn(**fields)
    assert made == {"role": "assistant", "content": "So.", **fields}


def test_sound_goes_back_as_its_id() -> None:
    """The server has the sound of an answer with an id; without one all of it is sent."""
    sound = {"data": "QUJD", "transcript": "abc"}
    assert turn(audio={"id": "a", "expires_at": 9, **sound})["audio"] == {"id": "a"}
    assert turn(audio=sound)["audio"] == sound


def test_what_the_model_sent_is_left_alone() -> None:
    """Making a turn changes nothing of the message, and calls that were cut off stay behind."""
    wire: Plain = {"role": "assistant", "content": "", "tool_calls": [{**CALL, "index": 0}]}
    message = Message.from_dict(wire)
    message.open_tool_calls = list(message.tool_calls or ())
    assert "open_tool_calls" not in message.to_param()
    assert message.to_dict() == wire


# Over several messages.


def test_a_block_is_sent_once_in_a_history() -> None:
    """Of what several answers carry, the first copy is sent; order and the rest stay."""
    first = Message.from_dict({"content": "a", "reasoning_details": [SIGNED, SEALED]})
    second = Message.from_dict({"content": "b", "reasoning_details": [SEALED, SUMMED]})
    third = Message.from_dict({"content": "c", "reasoning_details": [SEALED], "reasoning": "x"})
    sent = checked_messages([first, {"role": "user", "content": "?"}, second, third])
    assert [message.get("reasoning_details") for message in sent] == [
        [SIGNED, SEALED],
        None,
        [SUMMED],
        None,
    ]
    assert "reasoning" not in sent[3]


def test_the_users_own_messages_are_never_changed() -> None:
    """A mapping goes out as it is, repeats and unsigned text included, and is reckoned with."""
    lost = {"type": "reasoning.text", "text": "hm"}
    own = {"role": "assistant", "content": "a", "reasoning_details": [SEALED, SEALED, lost]}
    answer = Message.from_dict({"content": "b", "reasoning_details": [SEALED, SIGNED]})
    sent = checked_messages([own, own, answer])
    assert sent[:2] == [own, own]
    assert sent[2]["reasoning_details"] == [SIGNED]


@pytest.mark.parametrize("details", [5, [5, None], {"a": 1}])
def test_odd_details_of_the_user_pass(details: object) -> None:
    """What is no list of details in a user's message is the server's to judge."""
    own = {"role": "assistant", "content": "a", "reasoning_details": details}
    assert checked_messages([own]) == [own]


# From an answer to the request.

THOUGHTFUL: Plain = {
    "reasoning_details": [SIGNED, SEALED],
    "tool_calls": [{"id": "c", "name": "f", "arguments": {"a": 1}}],
}


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_an_answer_goes_into_the_next_request(
    transport: Any, emulator: Emulator, client: OpenRouter
) -> None:
    """A message of either form of answer makes the same next turn."""
    answer = chat if transport == "stream" else completion
    emulator.play(answer(**THOUGHTFUL), chat("done"))
    first = await client.complete("Hi", model="m", transport=transport)
    tool = {"role": "tool", "tool_call_id": "c", "content": "1"}
    await client.complete([{"role": "user", "content": "Hi"}, first.message, tool], model="m")
    sent = emulator.requests[1].json["messages"][1]
    assert sent == {
        "role": "assistant",
        "content": None,
        "reasoning": "hm",
        "reasoning_details": [SIGNED, SEALED],
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
        ],
    }


async def test_a_late_signature_is_sent_back_in_its_block(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A signature that comes by itself after the text has begun belongs to the block before."""
    pieces: list[Plain] = [
        {"content": "", "reasoning": "h", "reasoning_details": [{**SIGNED, "text": "h", "signature": None}]},
        {"content": "", "reasoning": "m", "reasoning_details": [{**SIGNED, "text": "m", "signature": None}]},
        {"content": "So"},
        {"content": ".", "reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "s", "index": 0}]},
    ]  # fmt: skip
    emulator.play(chat(*pieces))
    answer: ChatCompletion = await client.complete("Hi", model="m")
    assert answer.message.to_param() == {
        "role": "assistant",
        "content": "So.",
        "reasoning": "hm",
        "reasoning_details": [SIGNED],
    }
