"""Conversations: what a turn adds, what it leaves alone, branches, copies, length."""

from __future__ import annotations

import gc
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import (
    Message,
    OpenRouter,
    StreamTruncatedError,
    Timeouts,
    Usage,
    content,
)
from openrouter_async.conversation import Conversation
from openrouter_async.errors import BadRequestError
from openrouter_async.testing import Emulator, chat, http_error
from openrouter_async.types import ToolMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

Plain = dict[str, Any]

SIGNED: Plain = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}
SEALED: Plain = {"type": "reasoning.encrypted", "data": "eHl6", "index": 1}
NOTE: Plain = {"type": "file", "file": {"hash": "h", "content": [{"type": "text", "text": "x"}]}}
CALL: Plain = {"id": "c", "name": "f", "arguments": "{}"}
IMAGE = "data:image/png;base64,iVBORw0KGgo="


def user(text: str) -> Plain:
    """What the user said."""
    return {"role": "user", "content": text}


def model(text: str, **more: Any) -> Plain:
    """What the model said."""
    return {"role": "assistant", "content": text, **more}


async def by_loop(talk: Conversation) -> None:
    """Read a turn with the plain loop."""
    async for _ in talk.stream("Hi"):
        pass


async def by_block(talk: Conversation) -> None:
    """Read a turn inside `async with`."""
    async with talk.stream("Hi") as stream:
        async for _ in stream:
            pass


async def by_await(talk: Conversation) -> None:
    """Await a turn."""
    assert (await talk.stream("Hi")).text == "Hello"


async def by_complete(talk: Conversation) -> None:
    """Complete a turn."""
    assert (await talk.complete("Hi")).text == "Hello"


async def by_text(talk: Conversation) -> None:
    """Read the text of a turn."""
    assert "".join([text async for text in talk.stream("Hi").text()]) == "Hello"


async def by_step(talk: Conversation) -> None:
    """Step through a turn."""
    stream = await talk.stream("Hi").start()
    while await anext(stream, None) is not None:
        pass


@pytest.mark.parametrize("read", [by_loop, by_block, by_await, by_complete, by_text, by_step])
async def test_a_turn_adds_both_sides(
    read: Callable[[Conversation], Awaitable[None]], emulator: Emulator, client: OpenRouter
) -> None:
    """However a turn is read, the next one is sent with it."""
    talk = client.conversation(model="m", system="Be brief.", temperature=0.5)
    emulator.play(chat("Hel", "lo"), chat("Yes"))
    await read(talk)
    system = {"role": "system", "content": "Be brief."}
    assert talk.messages == [system, user("Hi"), model("Hello")]
    await talk.complete("Really?", temperature=1, max_tokens=5)
    sent = emulator.requests[1].json
    assert sent["messages"] == [system, user("Hi"), model("Hello"), user("Really?")]
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("m", 1, 5)
    assert emulator.requests[0].json["temperature"] == 0.5


async def test_a_turn_keeps_what_the_next_one_needs(emulator: Emulator, client: OpenRouter) -> None:
    """Reasoning details, calls, annotations and images go back, and tool results follow."""
    talk = client.conversation(model="m")
    said = chat(
        reasoning_details=[SIGNED, SEALED], tool_calls=[CALL], annotations=[NOTE], images=[IMAGE]
    )
    emulator.play(said, chat("done", reasoning_details=[SEALED]), chat("bye"))
    answer = await talk.complete([{"type": "text", "text": "Draw"}])
    talk.add(ToolMessage(tool_call_id=answer.tool_calls[0].id, content="42"))
    await talk.complete()
    await talk.complete("Thanks")
    sent = emulator.requests[2].json["messages"]
    assert [message["role"] for message in sent] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert sent[0]["content"] == [{"type": "text", "text": "Draw"}]
    assert sent[1] == {
        "role": "assistant",
        "content": None,
        "reasoning": "hm",
        "reasoning_details": [SIGNED, SEALED],
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
        "annotations": [NOTE],
        "images": [{"type": "image_url", "image_url": {"url": IMAGE}, "index": 0}],
    }
    assert sent[3] == model("done")  # what it repeated is not sent twice
    assert talk.messages[3]["reasoning_details"] == [SEALED]


async def test_a_turn_that_did_not_end_well_adds_nothing(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A refusal, a cut and a reader who leaves: the history is as it was, and a turn is free."""
    talk = client.conversation(model="m")
    emulator.play(
        chat("a"), http_error(400, "no"), chat("b", "c").end_after(1), chat("d", "e").hold_after(1)
    )
    await talk.complete("1")
    before = talk.messages
    with pytest.raises(BadRequestError):
        await talk.complete("2")
    assert talk.messages == before
    with pytest.raises(StreamTruncatedError) as caught:
        await talk.complete("3")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "b"
    assert talk.messages == before
    stream = talk.stream("4")
    async for _ in stream:
        break
    assert stream.partial is not None
    assert stream.partial.text == "d"
    assert talk.messages == before
    emulator.play(chat("f"))
    await talk.complete("5")
    assert talk.messages == [*before, user("5"), model("f")]


async def test_turns_do_not_overlap(emulator: Emulator, client: OpenRouter) -> None:
    """A second turn while one is running is an error that says so, until that one is over."""
    talk = client.conversation(model="m")
    emulator.play(chat("a", "b").hold_after(1), chat("fork"), chat("c"))
    stream = talk.stream("1")
    await anext(stream)
    for again in (
        lambda: talk.stream("2"),
        lambda: talk.complete("2"),
        lambda: talk.add(user("x")),
        lambda: talk.trim(max_tokens=1),
    ):
        with pytest.raises(RuntimeError, match="turn of this conversation is running"):
            again()
    assert (await talk.fork().complete("2")).text == "fork"
    emulator.release()
    assert (await stream).text == "ab"
    await talk.complete("2")
    assert talk.messages == [user("1"), model("ab"), user("2"), model("c")]


async def test_a_turn_that_is_dropped_frees_the_conversation(client: OpenRouter) -> None:
    """A stream that is never read is no running turn once nobody holds it."""
    talk = client.conversation(model="m")
    gc.disable()
    try:
        dropped = talk.stream("1")
        del dropped
        talk.stream("2").close()
    finally:
        gc.enable()
    assert talk.messages == []


@pytest.mark.parametrize("arguments", [{"temprature": 1}, {"system": 5}, {"model": 5}])
def test_bad_arguments_are_refused_at_once(arguments: Any, client: OpenRouter) -> None:
    """A misspelt keyword or a wrong type is an error when the conversation is made."""
    with pytest.raises(TypeError):
        client.conversation(**arguments)


def test_bad_messages_are_refused_at_once(client: OpenRouter) -> None:
    """What is added must be messages, and a turn must have something to send."""
    talk = client.conversation(model="m")
    bad: Any = "tool"
    with pytest.raises(TypeError, match="mapping, got str"):
        talk.add(bad)
    with pytest.raises(ValueError, match=r"messages\[1\].role"):
        talk.add(user("x"), {"content": "x"})
    with pytest.raises(ValueError, match="messages must not be empty"):
        talk.stream().close()
    with pytest.raises(TypeError, match="Timeouts"):
        talk.stream("Hi", timeouts=bad).close()
    assert talk.messages == []
    talk.stream("Hi", timeouts=Timeouts(total=1)).close()


# Money.


async def test_cost_and_tokens_add_up(emulator: Emulator, client: OpenRouter) -> None:
    """Every turn that told its usage counts, failed ones too; one without counts nothing."""
    talk = client.conversation(model="m")
    assert (talk.cost, talk.usage) == (0.0, Usage())
    emulator.play(
        chat("a", cost=0.5, tokens=(10, 2)),
        chat("b", usage=None),
        chat("c", cost=0.25, tokens=(20, 3), finish_reason=None, done=False),
    )
    await talk.complete("1")
    await talk.complete("2")
    with pytest.raises(StreamTruncatedError):
        await talk.complete("3")
    assert talk.cost == 0.75
    assert (talk.usage.prompt_tokens, talk.usage.completion_tokens) == (30, 5)
    assert talk.fork().cost == 0.0


# Branches and copies.


async def test_a_fork_goes_its_own_way(emulator: Emulator, client: OpenRouter) -> None:
    """Both branches know what was said before the fork, and not what is said after it."""
    talk = client.conversation(model="m", seed=7)
    emulator.play(chat("a"), chat("b"), chat("c"))
    await talk.complete("1")
    other = talk.fork()
    await talk.complete("2")
    await other.complete("3")
    assert talk.messages == [user("1"), model("a"), user("2"), model("b")]
    assert other.messages == [user("1"), model("a"), user("3"), model("c")]
    assert emulator.requests[2].json["seed"] == 7


async def test_a_file_is_saved_with_the_conversation(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """The JSON holds the bytes of what was said, so that the file may go afterwards."""
    emulator.always(chat("A cat."))
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    talk = client.conversation(model="m")
    await talk.complete([content.text("What is it?"), content.image(path)])
    data = talk.to_json()
    path.unlink()
    await Conversation.from_json(client, data).complete("And now?")
    assert emulator.requests[-1].json["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": IMAGE}},
    ]


async def test_saved_and_loaded_it_goes_on(emulator: Emulator, client: OpenRouter) -> None:
    """A loaded conversation sends what the saved one would have, unknown fields included."""
    talk = client.conversation(model="m", system="s")
    own = {**user("own"), "a_field_to_come": {"x": [1]}}
    talk.add(own, Message.from_dict(model("earlier", to_come=[None], reasoning_details=[SEALED])))
    emulator.play(chat("a", reasoning_details=[SEALED], cost=0.5), chat("b"), chat("b"))
    await talk.complete("1")
    data = talk.to_json()
    loaded = Conversation.from_json(client, data.decode(), top_p=0.5)
    assert loaded.messages == talk.messages
    assert loaded.messages[1] == own
    assert loaded.messages[2]["to_come"] == [None]
    assert (loaded.model, loaded.cost, loaded.usage) == ("m", 0.5, talk.usage)
    assert loaded.estimate_tokens() == talk.estimate_tokens()
    assert loaded.to_json() == data
    await talk.complete("2")
    await loaded.complete("2")
    requests = emulator.requests
    assert requests[2].json["messages"] == requests[1].json["messages"]
    assert requests[2].json["top_p"] == 0.5
    assert b"sk-or" not in data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "no saved conversation"),
        ("[]", "no saved conversation"),
        ('{"messages": []}', "no saved conversation"),
        ('{"version": 1, "messages": [5]}', "no saved conversation"),
        ('{"version": 2, "messages": []}', "version 2"),
    ],
)
def test_what_was_not_saved_is_not_loaded(data: str, message: str, client: OpenRouter) -> None:
    """Other JSON and later versions are refused with a reason."""
    with pytest.raises(ValueError, match=message):
        Conversation.from_json(client, data)


async def test_a_conversation_pickles(emulator: Emulator, client: OpenRouter) -> None:
    """A conversation crosses a process border with its history, and without the key."""
    talk = client.conversation(model="m", system="s")
    emulator.play(chat("a"))
    await talk.complete("1")
    data = pickle.dumps(talk)
    assert b"sk-or" not in data
    assert pickle.loads(data).messages == talk.messages


# Length.


def long_talk(client: OpenRouter) -> Conversation:
    """Three turns of about a hundred tokens each, the second with a tool call."""
    talk = client.conversation(model="m", system="s" * 40)
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    talk.add(user("1" * 200), model("a" * 200))
    talk.add(user("2" * 200), model("", tool_calls=calls))
    talk.add({"role": "tool", "tool_call_id": "c", "content": "t" * 100}, model("b" * 100))
    talk.add(user("3" * 200), model("c" * 200))
    return talk


@pytest.mark.parametrize(
    ("max_tokens", "forgotten", "first"),
    [(10_000, 0, "1"), (300, 2, "2"), (240, 2, "2"), (200, 6, "3"), (1, 6, "3")],
)
def test_the_oldest_turns_are_forgotten(
    max_tokens: int, forgotten: int, first: str, client: OpenRouter
) -> None:
    """Whole turns go, oldest first, until the rest fits; system and last turn always stay."""
    talk = long_talk(client)
    assert talk.trim(max_tokens=max_tokens) == forgotten
    messages = talk.messages
    assert messages[0]["role"] == "system"
    assert messages[1] == user(first * 200)
    answered = [m["tool_call_id"] for m in messages if m["role"] == "tool"]
    assert answered == [c["id"] for m in messages for c in m.get("tool_calls", ())]


def test_several_questions_in_a_row_are_one_turn(client: OpenRouter) -> None:
    """What the user said in several messages before an answer stays together."""
    talk = client.conversation(model="m")
    talk.add(user("1" * 40), user("2" * 40), model("a" * 40), user("3"))
    assert talk.trim(max_tokens=10) == 3
    assert talk.messages == [user("3")]


async def test_the_estimate_follows_what_was_counted(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Where an answer told how many tokens the history has, the estimate is scaled to it."""
    talk = client.conversation(model="m")
    talk.add(user("x" * 400), model("y" * 392))
    assert 200 <= talk.estimate_tokens() <= 210
    emulator.play(chat("yes", tokens=(990, 10)))
    await talk.complete("z")
    assert talk.estimate_tokens() == 1_000
    assert talk.trim(max_tokens=900) == 2
    assert 1 <= talk.estimate_tokens() < 100


def test_pictures_are_not_counted_by_their_letters(client: OpenRouter) -> None:
    """A file counts as a thousand tokens, however large its data URL is."""
    talk = client.conversation(model="m")
    url = "data:image/png;base64," + "A" * 4_000_000
    talk.add({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    assert 1_000 <= talk.estimate_tokens() < 1_100


def test_an_impossible_budget_is_refused(client: OpenRouter) -> None:
    """Nothing fits into no tokens."""
    with pytest.raises(ValueError, match="max_tokens"):
        client.conversation().trim(max_tokens=0)


async def test_the_models_context_length_is_asked_for(client: OpenRouter) -> None:
    """The API knows how long a history may be, by the model's name with or without a variant."""
    for name, known in (
        ("openai/gpt-4o-mini", True),
        ("openai/gpt-4o-mini:nitro", True),
        ("x", False),
    ):
        length = await client.conversation(model=name).context_length()
        assert (length is not None) == known
    assert await client.conversation().context_length() is None


def test_json_says_its_version(client: OpenRouter) -> None:
    """What is saved names its version, and shows the history as plain messages."""
    saved = json.loads(client.conversation(model="m", system="s").to_json())
    assert saved["version"] == 1
    assert saved["messages"] == [{"role": "system", "content": "s"}]
