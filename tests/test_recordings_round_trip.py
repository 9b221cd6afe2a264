"""Recorded answers go back: nothing of a message is lost, and the next turn keeps the rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from openrouter_async import ChatCompletion, Message, OpenRouter, RetryPolicy, StreamAPIError
from openrouter_async._accumulate import Accumulator
from openrouter_async.testing import Emulator, chat, replay
from openrouter_async.types import ChatChunk
from tests.conftest import shared_folder
from tests.independent_reading import events_in, without_nulls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Plain = dict[str, Any]

SIGNED_FORMATS = (None, "anthropic-claude-v1", "google-gemini-v1")


def recorded(*patterns: str) -> list[Any]:
    """Give a test parameter for each recorded chat answer, or one that is skipped and says why."""
    shared = shared_folder()
    if shared is None:
        reason = "recorded traffic is not part of the project: set OPENROUTER_ASYNC_SHARED"
        return [pytest.param(Path(), marks=pytest.mark.skip(reason=reason), id="none")]
    found = (p for pattern in patterns for p in sorted((shared / "recordings").glob(pattern)))
    files = [path for path in found if is_chat(path)]
    assert files, f"no file matches {patterns}"
    return [pytest.param(path, id=path.stem[:70]) for path in files]


def is_chat(path: Path) -> bool:
    """Whether a file is the body of a chat answer."""
    if path.name.endswith(".meta.json"):
        return False
    meta: Plain = json.loads(path.with_name(path.stem + ".meta.json").read_bytes())
    return (meta.get("url") or "").endswith("/chat/completions") or path.suffix == ".sse"


every_completion = pytest.mark.parametrize("path", recorded("openrouter_json/*.json"))
every_stream = pytest.mark.parametrize(
    "path", recorded("openrouter_stream/*.sse", "other_compatible_stream/*.sse")
)


@pytest.fixture
async def reader(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once."""
    once = RetryPolicy(max_attempts=1)
    async with OpenRouter("sk-test", base_url=emulator.base_url, retry=once) as client:
        yield client


@every_completion
def test_a_recorded_message_encodes_back(path: Path) -> None:
    """Every field of a message, known or not, is there again after decoding and encoding."""
    body: Plain = json.loads(path.read_bytes())
    answer = ChatCompletion.from_json(path.read_bytes())
    assert len(answer.choices) == len(body.get("choices") or ())
    for choice, wire in zip(answer.choices, body.get("choices") or (), strict=True):
        expected = without_nulls(wire["message"])
        assert choice.message.to_dict() == expected
        assert json.loads(choice.message.to_json()) == expected
        assert Message.from_dict(wire["message"]) == choice.message


@every_completion
async def test_the_next_turn_of_a_recorded_answer(
    path: Path, emulator: Emulator, reader: OpenRouter
) -> None:
    """A second request with a recorded answer in it carries the message that the rules ask for."""
    message = json.loads(path.read_bytes())["choices"][0]["message"]
    emulator.play(replay(path.read_bytes(), content_type="application/json"), chat("done"))
    try:
        answer = await reader.complete("Hi", model="m", transport="json")
    except StreamAPIError as error:
        assert error.partial is not None
        answer = error.partial
    await check_next_turn(answer, without_nulls(message), emulator, reader)


@every_stream
async def test_the_next_turn_of_a_recorded_stream(
    path: Path, emulator: Emulator, reader: OpenRouter
) -> None:
    """What a recorded stream adds up to goes back as the same answer in one piece would."""
    message = added_up(path.read_bytes())
    emulator.play(replay(path.read_bytes()), chat("done"))
    try:
        answer = await reader.complete("Hi", model="m")
    except StreamAPIError as error:
        assert error.partial is not None
        answer = error.partial
    assert details_of(answer) == message.get("reasoning_details")
    await check_next_turn(answer, message, emulator, reader)


@every_stream
def test_the_reasoning_of_each_recorded_chunk(path: Path) -> None:
    """Chunk by chunk the reasoning is that of the answer, from whichever field it came."""
    chunks = [
        ChatChunk.from_json(event) for event in events_in(path.read_bytes()) if event != "[DONE]"
    ]
    accumulator = Accumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    whole = accumulator.completion(ended=True)
    assert "".join(chunk.reasoning for chunk in chunks) == whole.reasoning


def details_of(answer: ChatCompletion) -> list[Plain] | None:
    """Give the reasoning details of an answer as plain data."""
    details = answer.message.reasoning_details
    return None if details is None else [detail.to_dict() for detail in details]


async def check_next_turn(
    answer: ChatCompletion, message: Plain, emulator: Emulator, client: OpenRouter
) -> None:
    """Send an answer back and hold the message that arrives against the rules."""
    question = {"role": "user", "content": "Hi"}
    await client.complete([question, answer.message, question], model="m")
    sent: Plain = emulator.requests[-1].json["messages"][1]
    expected = ruled(message)
    if answer.message.open_tool_calls:
        expected.pop("tool_calls")  # a call that was cut off is not sent
        expected["content"] = sent["content"]
    assert sent == expected


def ruled(message: Plain) -> Plain:
    """Write the next turn's message down by the rules, one after the other."""
    made: Plain = json.loads(json.dumps(message))
    details: list[Plain] = []
    came: list[Plain] | None = made.pop("reasoning_details", None)
    for detail in came or ():
        needs_proof = detail["type"] == "reasoning.text" and detail.get("format") in SIGNED_FORMATS
        if needs_proof and not detail.get("signature"):
            continue
        if not any(same(detail, earlier) for earlier in details):
            details.append(detail)
    if details or came == []:
        made["reasoning_details"] = details
    if not details:
        made.pop("reasoning", None)
    made.setdefault("content", None)
    if made.get("tool_calls"):
        if not (made["content"] or "").strip():
            made["content"] = None
        for call in made["tool_calls"]:
            call.pop("index", None)
            call["function"]["arguments"] = call["function"].get("arguments") or "{}"
    if made.get("audio", {}).get("id"):
        made["audio"] = {"id": made["audio"]["id"]}
    return made


def same(one: Plain, other: Plain) -> bool:
    """Whether two details are the same item to a provider."""
    if one["type"] != other["type"]:
        return False
    names = {
        "reasoning.summary": ("summary",),
        "reasoning.encrypted": ("id", "data"),
        "reasoning.text": ("text", "signature"),
    }.get(one["type"], ())
    name = next((name for name in names if one.get(name)), None)
    return name is not None and one[name] == other.get(name)


def added_up(body: bytes) -> Plain:
    """Write down the message that a recorded stream adds up to, without nulls."""
    made: Plain = {"role": "assistant"}
    calls: dict[int, Plain] = {}
    for event in events_in(body):
        chunk: Plain = {} if event == "[DONE]" else json.loads(event)
        for choice in chunk.get("choices") or ():
            delta: Plain = (
                without_nulls(choice.get("delta") or {}) if not choice.get("index") else {}
            )
            add_texts(made, delta)
            for name in ("images", "annotations"):
                for item in delta.get(name) or ():
                    if item not in made.setdefault(name, []):
                        made[name].append(item)
            if "reasoning_details" in delta:
                made.setdefault("reasoning_details", [])
                for detail in delta["reasoning_details"]:
                    add_detail(made["reasoning_details"], detail)
            for position, piece in enumerate(delta.get("tool_calls") or ()):
                add_call(calls, position, piece)
    if calls:
        made["tool_calls"] = [calls[index] for index in sorted(calls)]
    return made


def add_texts(made: Plain, delta: Plain) -> None:
    """Add the texts of a delta: content in either form, reasoning under any name, refusal."""
    content: Any = delta.get("content")
    thought: str = delta.get("reasoning") or delta.get("reasoning_content") or ""
    if isinstance(content, list):
        parts = cast("list[Plain]", content)
        content = "".join(part.get("text") or "" for part in parts if part["type"] != "thinking")
        for part in parts:
            pieces: list[Plain] = part.get("thinking") or []
            thought += "".join(piece["text"] for piece in pieces)
    if content is not None:
        made["content"] = made.get("content", "") + content
    for name, text in (("reasoning", thought), ("refusal", delta.get("refusal"))):
        if text:
            made[name] = made.get(name, "") + text


def add_detail(details: list[Plain], piece: Plain) -> None:
    """Add a piece of reasoning: text and summaries go on where their block is still open."""
    name = {"reasoning.text": "text", "reasoning.summary": "summary"}.get(piece["type"])
    for block in reversed(details):
        if name and (block["type"], block.get("index")) == (piece["type"], piece.get("index")):
            if block.get("signature") and piece.get(name):
                break
            if piece.get("id") and block.get("id") not in (None, piece["id"]):
                break
            more = {key: value for key, value in piece.items() if not block.get(key)}
            text = block.get(name, "") + piece.get(name, "")
            block.update(more)
            if name in block or text:
                block[name] = text
            return
    details.append(dict(piece))


def add_call(calls: dict[int, Plain], position: int, piece: Plain) -> None:
    """Add a piece of a tool call to the call of its index."""
    call = calls.setdefault(
        piece.get("index", position),
        {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
    )
    function: Plain = piece.get("function") or {}
    call["id"] = call["id"] or piece.get("id") or ""
    call["function"]["name"] = call["function"]["name"] or function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""
