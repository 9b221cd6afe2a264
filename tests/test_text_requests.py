"""What goes out to /responses, /messages and /completions, and what is refused at the call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast, get_type_hints

import pytest

from openrouter_async.resources._call import Operation
from openrouter_async.testing import ReceivedRequest
from openrouter_async.types import (
    CacheControl,
    FunctionTool,
    ImageConfig,
    ProviderRouting,
    Reasoning,
    StepCountIs,
    Trace,
)
from openrouter_async.types.anthropic import AnthropicMessage, MessageBlock, MessagesParams
from openrouter_async.types.completions import CompletionParams
from openrouter_async.types.responses import Response, ResponseItem, ResponseParams, ResponsePart
from tests.text_dialects import DIALECTS, Dialect

if TYPE_CHECKING:
    from openrouter_async import OpenRouter
    from openrouter_async.testing import Emulator

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)

SHARED: dict[str, Any] = {
    "models": ["openai/gpt-4o", "openai/gpt-4o-mini"],
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "plugins": [{"id": "web", "max_results": 3}],
    "provider": {"order": ["openai"], "options": {"openai": {"tier": 1}}},
    "user": "u1",
    "session_id": "s1",
    "trace": {"trace_id": "t1", "colour": "red"},
}
FIELDS: dict[str, dict[str, Any]] = {
    "responses": SHARED
    | {
        "instructions": "Be brief.",
        "max_output_tokens": 100,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "top_logprobs": 2,
        "stop": ["END"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "tools": [{"type": "function", "name": "now", "parameters": {"type": "object"}}],
        "tool_choice": {"type": "function", "name": "now"},
        "parallel_tool_calls": False,
        "max_tool_calls": 3,
        "stop_server_tools_when": [{"type": "step_count_is", "step_count": 2}],
        "deferred_tools": {"enabled": True},
        "include": ["reasoning.encrypted_content"],
        "modalities": ["text"],
        "image_config": {"aspect_ratio": "1:1", "colour": "red"},
        "route": "fallback",
        "prompt": {"id": "p1", "variables": {}},
        "prompt_cache_key": "k1",
        "prompt_cache_options": {"mode": "explicit"},
        "cache_control": {"type": "ephemeral"},
        "service_tier": "flex",
        "truncation": "auto",
        "background": False,
        "store": False,
        "previous_response_id": None,
        "metadata": {"a": "b"},
        "safety_identifier": "u2",
        "debug": {"echo_upstream_body": True},
    },
    "messages": {name: value for name, value in SHARED.items() if name != "models"}
    | {
        "max_tokens": 100,
        "system": [{"type": "text", "text": "Be brief."}],
        "fallbacks": [{"model": "openai/gpt-4o"}],
        "stop_sequences": ["END"],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "now", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
        "stop_server_tools_when": [{"type": "step_count_is", "step_count": 2}],
        "output_config": {"effort": "low"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
        "cache_control": {"type": "ephemeral"},
        "metadata": {"user_id": "u1"},
        "deferred_tools": {"enabled": True},
        "safeguards": [{"type": "dangerous_tool_use"}],
        "route": "fallback",
        "service_tier": "auto",
        "speed": "fast",
    },
    "completions": SHARED
    | {
        "max_tokens": 100,
        "min_p": 0.1,
        "top_a": 0.1,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "repetition_penalty": 1.1,
        "seed": 7,
        "stop": "END",
        "n": 2,
        "best_of": 3,
        "echo": True,
        "suffix": "the end",
        "logprobs": 2,
        "logit_bias": {"50256": -100},
        "response_format": {"type": "json_object"},
        "reasoning": {"effort": "low"},
        "include_reasoning": True,
        "metadata": {"a": "b"},
        "stream_options": {"include_usage": True},
    },
}
HEADERS: dict[str, Any] = {
    "response_cache": True,
    "response_cache_ttl": 60,
    "response_cache_clear": False,
    "router_metadata": True,
    "session_header": "s2",
    "anthropic_beta": ["a", "b"],
    "extra_headers": {"X-Mine": "1"},
}
SHAPES = {"responses": ResponseParams, "messages": MessagesParams, "completions": CompletionParams}


def last(emulator: Emulator) -> tuple[ReceivedRequest, dict[str, Any]]:
    """The request that came last, and its body."""
    request = emulator.requests[-1]
    return request, json.loads(request.body)


@every_dialect
async def test_every_field_goes_out(
    dialect: Dialect, client: OpenRouter, emulator: Emulator
) -> None:
    """Each keyword of the endpoint stands in the body, or in a header, as it was given."""
    fields = FIELDS[dialect.name]
    assert {*fields, *HEADERS, "extra_body"} == set(get_type_hints(SHAPES[dialect.name])) - (
        {"models"} if dialect.name == "messages" else set()
    )
    emulator.play(dialect.reply("Hello"))
    await dialect.stream(client, **fields, **HEADERS, extra_body={"newer": [1]})
    request, body = last(emulator)
    assert {name: body[name] for name in fields} == fields
    assert body["newer"] == [1]
    assert body["stream"] is True
    assert not HEADERS.keys() & body.keys()
    assert request.path.endswith(dialect.path)
    told = {
        "Accept": "text/event-stream",
        "X-OpenRouter-Cache": "true",
        "X-OpenRouter-Cache-TTL": "60",
        "X-OpenRouter-Cache-Clear": "false",
        "X-OpenRouter-Metadata": "enabled",
        "x-session-id": "s2",
        "x-anthropic-beta": "a,b",
        "X-Mine": "1",
    }
    assert {name: request.headers[name] for name in told} == told


@every_dialect
async def test_what_is_not_given_is_not_sent(
    dialect: Dialect, client: OpenRouter, emulator: Emulator
) -> None:
    """A bare call sends the model, what is asked and whether it streams, in this order."""
    emulator.play(dialect.reply("Hello"), dialect.reply("Hello", whole=True))
    await dialect.stream(client)
    _, body = last(emulator)
    asked = {"responses": "input", "messages": "messages", "completions": "prompt"}[dialect.name]
    assert list(body) == ["model", asked, "stream"]
    await dialect.group(client).create("Hi", model="m", transport="json")
    request, body = last(emulator)
    assert body["stream"] is False
    assert request.headers["Accept"] == "application/json"


@every_dialect
async def test_structs_go_out_as_mappings(
    dialect: Dialect, client: OpenRouter, emulator: Emulator
) -> None:
    """A struct means the same as the mapping of its shape."""
    emulator.always(dialect.reply("Hello"))
    given: dict[str, Any] = {
        "provider": ProviderRouting(only=["openai"]),
        "trace": Trace(trace_id="t"),
    }
    if dialect.name != "completions":
        given |= {
            "cache_control": CacheControl(),
            "stop_server_tools_when": [StepCountIs(step_count=2)],
        }
    if dialect.name != "messages":
        given["reasoning"] = Reasoning(effort="high")
    if dialect.name == "responses":
        given["image_config"] = ImageConfig(image_size="1K")
        given["tools"] = [FunctionTool(function={"name": "now"})]
    await dialect.stream(client, **given)
    _, body = last(emulator)
    assert body["provider"] == {"only": ["openai"]}
    assert body["trace"] == {"trace_id": "t"}
    if dialect.name == "responses":
        assert body["reasoning"] == {"effort": "high"}
        assert body["image_config"] == {"image_size": "1K"}


@every_dialect
@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"temprature": 1}, TypeError, "did you mean 'temperature'"),
        ({"temperature": 3}, ValueError, "temperature must be between 0 and 2, got 3"),
        ({"temperature": "hot"}, TypeError, "temperature must be"),
        ({"provider": {"sort_by": "price"}}, TypeError, "unknown key provider.sort_by"),
        ({"plugins": [{"max_results": 1}]}, ValueError, r"plugins\[0\].id must say"),
        ({"plugins": [{"id": "web", "max_results": 99}]}, ValueError, "between 1 and 25, got 99"),
        ({"user": 7}, TypeError, "user must be a str, got int"),
        ({"response_cache_ttl": 0}, ValueError, "response_cache_ttl must be between"),
        ({"timeouts": 3}, TypeError, "timeouts must be"),
        ({"budget": 3}, TypeError, "budget must be"),
        ({"extra_headers": {"X": "a\nb"}}, ValueError, "extra_headers"),
    ],
)
async def test_wrong_keywords_are_refused_at_the_call(
    dialect: Dialect,
    given: dict[str, Any],
    kind: type[Exception],
    words: str,
    client: OpenRouter,
    emulator: Emulator,
) -> None:
    """What cannot be right raises by its name before anything is sent, without being awaited."""
    with pytest.raises(kind, match=words):
        dialect.stream(client, **given)
    with pytest.raises(kind, match=words):
        dialect.group(client).create("Hi", model="m", **given)
    assert emulator.accepted == 0


@every_dialect
@pytest.mark.parametrize("asked", ["", [], None, 7])
async def test_nothing_asked_is_refused(dialect: Dialect, asked: Any, client: OpenRouter) -> None:
    """An empty prompt, or what is no prompt at all, is refused by the argument's name."""
    if dialect.name == "completions" and asked == "":
        assert dialect.group(client).stream("") is not None  # a text may begin anywhere
        return
    name = {"responses": "input", "messages": "messages", "completions": "prompt"}[dialect.name]
    with pytest.raises((TypeError, ValueError), match=f"{name} must"):
        dialect.group(client).stream(asked, model="m")


@every_dialect
async def test_models_and_transports_are_checked(dialect: Dialect, client: OpenRouter) -> None:
    """A model is a text that is not empty, where there is no default; a transport is one of two."""
    group = dialect.group(client)
    with pytest.raises(TypeError, match="model must be"):
        group.stream("Hi", model=7)
    with pytest.raises(ValueError, match="transport must be 'stream' or 'json'"):
        group.create("Hi", model="m", transport="carrier pigeon")
    if dialect.name == "messages":
        with pytest.raises(ValueError, match="model must be given"):
            group.stream("Hi")
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        group.stream("Hi", model="m")


@every_dialect
async def test_the_clients_model_is_the_default(dialect: Dialect, emulator: Emulator) -> None:
    """A call without a model asks the client's."""
    from openrouter_async import OpenRouter

    emulator.play(dialect.reply("Hello"))
    async with OpenRouter("sk-test", base_url=emulator.base_url, model="a/b") as client:
        await dialect.group(client).stream("Hi")
    assert last(emulator)[1]["model"] == "a/b"


async def test_earlier_answers_go_back(client: OpenRouter, emulator: Emulator) -> None:
    """Items and messages of earlier answers go into the next request as they came."""
    item = {"type": "openrouter:fusion", "id": "f1", "analysis": {"consensus": ["x"]}}
    output = [
        ResponseItem.from_dict(item),
        ResponseItem(
            type="message", role="assistant", content=[ResponsePart(type="output_text", text="Hi")]
        ),
    ]
    emulator.always(DIALECTS[0].reply("Hello"))
    question = {"role": "user", "content": "And now?"}
    await client.responses.create([*output, question], model="m")
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi"}],
    }
    assert last(emulator)[1]["input"] == [item, said, question]
    with pytest.raises(TypeError, match="input must be a sequence"):
        _ = client.responses.stream(cast("Any", Response(output=output)), model="m")
    thought = MessageBlock(type="thinking", thinking="Hm", signature="s")
    cut = MessageBlock(type="tool_use", id="t1", name="now", cut_input='{"a')
    answer = AnthropicMessage(id="m1", content=[thought, cut], stop_reason="tool_use")
    emulator.always(DIALECTS[1].reply("Hello"))
    await client.messages.create([question, answer], model="m")
    kept = {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm", "signature": "s"}],
    }
    assert last(emulator)[1]["messages"] == [question, kept]


@pytest.mark.parametrize(
    ("messages", "kind", "words"),
    [
        (["Hi"], TypeError, r"messages\[0\] must be a mapping, got str"),
        ([{"content": "Hi"}], ValueError, r"messages\[0\].role is missing"),
    ],
)
async def test_messages_are_checked(
    messages: Any, kind: type[Exception], words: str, client: OpenRouter
) -> None:
    """A message without a role, or that is none, is refused by its place."""
    with pytest.raises(kind, match=words):
        _ = client.messages.stream(messages, model="m")


async def test_models_and_fallbacks_exclude_each_other(client: OpenRouter) -> None:
    """What the API refuses in every case is refused at the call."""
    with pytest.raises(ValueError, match="fallbacks or models"):
        _ = client.messages.stream("Hi", model="m", models=["a/b"], fallbacks=[{"model": "c/d"}])
    with pytest.raises(ValueError, match="fallbacks must have at most 3 items, got 4"):
        _ = client.messages.stream("Hi", model="m", fallbacks=[{"model": "c/d"}] * 4)
    with pytest.raises(ValueError, match="store"):
        _ = client.responses.stream("Hi", store=cast("Any", True))


@pytest.mark.parametrize("prompt", ["Once", ["Once", "Twice"], [1, 2], [[1, 2], [3]]])
async def test_every_kind_of_prompt(prompt: Any, client: OpenRouter, emulator: Emulator) -> None:
    """A text, several, tokens and several lists of tokens go out as they are."""
    emulator.play(DIALECTS[2].reply("Hello"))
    await client.completions.create(prompt, model="m")
    assert last(emulator)[1]["prompt"] == prompt


def test_each_operation_is_declared() -> None:
    """Both methods of a group are marked with the operation that they do."""
    from openrouter_async.resources.completions import Completions
    from openrouter_async.resources.messages import Messages
    from openrouter_async.resources.responses import Responses

    groups: list[Any] = [Responses, Messages, Completions]
    for group in groups:
        (mine,) = group.stream.operations
        assert isinstance(mine, Operation)
        assert group.create.operations == (mine,)
        assert mine.key == "normal"
