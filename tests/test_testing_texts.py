"""The emulator's text endpoints: what the pretend model says in each dialect, and its refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from openrouter_async.errors import BadRequestError, StreamAPIError
from openrouter_async.testing import Emulator, error_event, message, response, text
from openrouter_async.testing._vectors import vector_of
from tests.text_dialects import DIALECTS, MODEL, Dialect

if TYPE_CHECKING:
    from openrouter_async import OpenRouter

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)

PROMPT = "Tell me about Ruby and Crystal"
CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}


@every_dialect
async def test_the_dialects_say_what_a_chat_says(dialect: Dialect, client: OpenRouter) -> None:
    """The same question gets the same answer, at the same cost, streamed or in one piece."""
    chat = await client.complete(PROMPT, model=MODEL)
    group = dialect.group(client)
    streamed = await group.create(PROMPT, model=MODEL)
    whole = await group.create(PROMPT, model=MODEL, transport="json")
    assert streamed.text == whole.text == chat.text
    assert streamed.cost == whole.cost == chat.cost
    assert streamed.model == MODEL
    record = await client.generations.get(streamed.generation_id)
    assert record.cost == pytest.approx(chat.cost)
    assert record.streamed is True
    assert (await client.generations.get(whole.generation_id)).streamed is False


@every_dialect
async def test_the_pretend_model_thinks(dialect: Dialect, client: OpenRouter) -> None:
    """Reasoning comes where it is asked for, in the words of the dialect."""
    asked: dict[str, Any] = {"reasoning": {"effort": "low"}}
    if dialect.name == "messages":
        asked = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    answer = await dialect.group(client).create(PROMPT, model=MODEL, **asked)
    assert answer.reasoning.startswith("The user asks about Ruby")
    assert (await dialect.group(client).create(PROMPT, model=MODEL)).reasoning == ""


async def test_a_tool_loop_over_responses(client: OpenRouter) -> None:
    """A function that is offered is called, and its output is taken up."""
    tool = {"type": "function", "name": "weather", "parameters": CITY}
    history: list[Any] = [{"role": "user", "content": "Weather in Oslo?"}]
    answer = await client.responses.create(
        history,
        model=MODEL,
        tools=[tool],
        tool_choice={"type": "function", "name": "weather"},
        instructions="Be brief.",
    )
    (call,) = answer.function_calls
    assert (call.name, msgspec.json.decode(call.arguments or "")) == ("weather", {"city": "Oslo"})
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    final = await client.responses.create([*history, *answer.output, output], model=MODEL)
    assert "The tool says: rain" in final.text


async def test_a_tool_loop_over_messages(client: OpenRouter) -> None:
    """The same in Anthropic's words."""
    tool = {"name": "weather", "input_schema": CITY}
    history: list[Any] = [
        {"role": "user", "content": [{"type": "text", "text": "Weather in Oslo?"}]}
    ]
    auto, named = [
        await client.messages.create(
            history, model=MODEL, tools=[tool], tool_choice=choice, system="Be brief."
        )
        for choice in ({"type": "auto"}, {"type": "tool", "name": "weather"})
    ]
    assert auto.content == named.content
    assert named.stop_reason == "tool_use"
    (call,) = named.tool_uses
    assert (call.name, call.input) == ("weather", {"city": "Oslo"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
    turn = {"role": "user", "content": [result]}
    final = await client.messages.create([*history, named, turn], model=MODEL)
    assert "The tool says: rain" in final.text
    none = await client.messages.create(
        history, model=MODEL, tools=[tool], tool_choice={"type": "none"}
    )
    assert none.tool_uses == []


async def test_values_of_a_schema(client: OpenRouter) -> None:
    """A JSON schema is filled, in each dialect that takes one."""
    shape = {"type": "json_schema", "name": "place", "schema": CITY}
    answer = await client.responses.create("The city Oslo", model=MODEL, text={"format": shape})
    assert msgspec.json.decode(answer.text) == {"city": "Oslo"}
    message = await client.messages.create(
        "The city Oslo", model=MODEL, output_config={"format": shape}
    )
    assert msgspec.json.decode(message.text) == {"city": "Oslo"}


@every_dialect
async def test_limits_are_kept(dialect: Dialect, client: OpenRouter) -> None:
    """An answer ends at the limit, and says so."""
    name = "max_output_tokens" if dialect.name == "responses" else "max_tokens"
    answer: Any = await dialect.group(client).create(PROMPT, model=MODEL, **{name: 3})
    said = {
        "responses": lambda: answer.status,
        "messages": lambda: answer.stop_reason,
        "completions": lambda: answer.finish_reason,
    }[dialect.name]()
    assert (
        said
        == {"responses": "incomplete", "messages": "max_tokens", "completions": "length"}[
            dialect.name
        ]
    )
    assert answer.ending == "complete"


async def test_every_text_that_is_asked_for(client: OpenRouter) -> None:
    """Several prompts give several texts each, with their probabilities, and all are paid for."""
    one = await client.completions.create("A cat", model=MODEL)
    answer = await client.completions.create(["A cat", "A dog"], model=MODEL, n=2, logprobs=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[0].text == answer.choices[1].text == one.text
    logprobs = answer.choices[3].logprobs
    assert logprobs is not None
    assert "".join(logprobs.tokens) == answer.choices[3].text
    assert logprobs.text_offset[1] == len(logprobs.tokens[0])
    whole = await client.completions.create(
        ["A cat", "A dog"], model=MODEL, n=2, logprobs=1, transport="json"
    )
    assert whole == answer or whole.choices == answer.choices
    assert (one.cost or 0) * 3 < (answer.cost or 0)
    assert (await client.generations.get(answer.generation_id or "")).cost == answer.cost
    assert (await client.completions.create([1, 2, 3], model=MODEL)).text


async def test_a_picture_in_a_response(client: OpenRouter) -> None:
    """With images among the modalities an item holds one."""
    stream = client.responses.stream(
        "A fox", model="google/gemini-2.5-flash-image", modalities=["text", "image"]
    )
    sketches = [event.partial_image_b64 async for event in stream if event.partial_image_b64]
    (image,) = stream.partial.images
    assert image.bytes.startswith(b"\x89PNG")
    assert len(sketches) == 1


@every_dialect
@pytest.mark.parametrize(
    "given",
    [{"model": "nobody/nothing"}, {"extra_body": {"input": [], "messages": [], "prompt": ""}}],
)
async def test_refusals(dialect: Dialect, given: dict[str, Any], client: OpenRouter) -> None:
    """What OpenRouter would refuse is refused, in the envelope of the dialect."""
    with pytest.raises(BadRequestError) as caught:
        await dialect.group(client).create("Hi", **({"model": MODEL} | given))
    assert caught.value.status == 400


async def test_state_is_refused(client: OpenRouter) -> None:
    """/responses keeps nothing, and /messages takes one list of other models."""
    for body in ({"store": True}, {"previous_response_id": "resp_1"}):
        with pytest.raises(BadRequestError, match="not supported"):
            await client.responses.create("Hi", model=MODEL, extra_body=body)
    both = {"fallbacks": [{"model": "a/b"}], "models": ["c/d"]}
    with pytest.raises(BadRequestError, match="cannot be used together"):
        await client.messages.create("Hi", model=MODEL, extra_body=both)
    for group in (client.responses, client.embeddings):
        with pytest.raises(BadRequestError):
            await group.create("Hi", model="nobody/nothing")


async def test_scripts_of_errors(client: OpenRouter, emulator: Emulator) -> None:
    """An error event of either dialect carries what it is told to."""
    event = error_event("messages", "No", code="api_error", error_type="server")
    emulator.play(message("a").error_after(1, event, done=False))
    with pytest.raises(StreamAPIError) as caught:
        await client.messages.create("Hi", model=MODEL)
    assert (caught.value.status, caught.value.error_type) == (500, "server")


def test_the_builders_count_their_events() -> None:
    """Streams and bodies are built with the headers of the API."""
    for build in (response, message, text):
        streamed, whole = build("a", id="gen-7"), build("a", id="gen-7", whole=True)
        assert streamed.header("content-type") == "text/event-stream"
        assert whole.header("content-type") == "application/json"
        assert streamed.header("x-generation-id") == whole.header("X-Generation-Id") == "gen-7"
        assert streamed.events > 1


def test_vectors_of_like_texts_are_near() -> None:
    """Words in common make vectors alike, and each vector has length one."""
    fox, hare, other = (vector_of(words, 64) for words in (["a", "fox"], ["a", "hare"], ["x"]))

    def dot(one: list[float], two: list[float]) -> float:
        return sum(a * b for a, b in zip(one, two, strict=True))

    assert dot(fox, fox) == pytest.approx(1, abs=1e-6)
    assert dot(fox, hare) > abs(dot(fox, other))
