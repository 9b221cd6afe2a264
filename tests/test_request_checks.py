"""What is wrong with a keyword is said at the call, by name; what may be newer than us passes."""

from __future__ import annotations

import datetime
import json
from collections import OrderedDict, deque
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.resources.chat import chat_body, chat_headers
from openrouter_async.types import (
    MaxPrice,
    ProviderRouting,
    Reasoning,
    UserLocation,
    WebPlugin,
    XSearchFilter,
)

Plain = dict[str, Any]


def sent(**params: Any) -> Plain:
    """The fields of a request besides its messages."""
    body: Plain = json.loads(chat_body("Hi", model="m", stream=True, params=params))
    return {name: body[name] for name in body if name not in ("messages", "model", "stream")}


FUNCTION: Plain = {"type": "function", "function": {"name": "f"}}

OUT_OF_RANGE: list[tuple[Plain, str]] = [
    ({"temperature": 3}, "temperature must be between 0 and 2, got 3"),
    ({"temperature": -0.1}, "temperature must be between 0 and 2, got -0.1"),
    ({"temperature": float("nan")}, "temperature must be between 0 and 2, got nan"),
    ({"top_p": 0}, "top_p must be above 0 and at most 1, got 0"),
    ({"top_k": -1}, "top_k must be at least 0, got -1"),
    ({"min_p": 1.1}, "min_p must be between 0 and 1, got 1.1"),
    ({"presence_penalty": 2.5}, "presence_penalty must be between -2 and 2, got 2.5"),
    ({"repetition_penalty": 0}, "repetition_penalty must be above 0 and at most 2, got 0"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs must be between 0 and 20, got 21"),
    ({"top_logprobs": 2}, "top_logprobs needs logprobs=True"),
    ({"logprobs": False, "top_logprobs": 2}, "top_logprobs needs logprobs=True"),
    ({"stop": list("abcde")}, "stop must have at most 4 items, got 5"),
    ({"logit_bias": {"1": 101}}, "logit_bias[...] must be between -100 and 100"),
    ({"session_id": "x" * 257}, "session_id must have at most 256 characters"),
    ({"metadata": {str(n): "" for n in range(17)}}, "metadata must have at most 16 pairs, got 17"),
    ({"metadata": {"k" * 65: "v"}}, "a key of metadata must have at most 64 characters"),
    ({"metadata": {"k": "v" * 513}}, "metadata[...] must have at most 512 characters"),
    ({"max_tool_calls": 31}, "max_tool_calls must be between 0 and 30, got 31"),
    ({"response_cache_ttl": 0}, "response_cache_ttl must be between 1 and 86400, got 0"),
    ({"session_header": "x" * 257}, "session_header must have at most 256 characters"),
    ({"stop_server_tools_when": []}, "stop_server_tools_when must have at least 1 item, got 0"),
    ({"provider": {"max_price": {"prompt": -1}}}, "provider.max_price.prompt must be at least 0, got -1"),
    ({"plugins": [{"id": "moderation"}, {"id": "web", "max_results": 26}]}, "plugins[1].max_results must be between 1 and 25, got 26"),
    ({"plugins": [WebPlugin(max_results=0)]}, "plugins[0].max_results must be between 1 and 25, got 0"),
    ({"plugins": [{"id": "fusion", "analysis_models": []}]}, "plugins[0].analysis_models must have between 1 and 8 items, got 0"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name must match ^[a-zA-Z0-9_-]+$ with at most 64 characters"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name is missing"),
    ({"tools": [FUNCTION, {"function": {"name": "f"}}]}, "tools[1].type must say which one it is; got None"),
    ({"plugins": [{"max_results": 1}]}, "plugins[0].id must say which one it is; got None"),
    ({"tool_choice": {}}, "tool_choice.type must say which one it is; got None"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema is missing"),
    ({"audio": {"voice": "alloy"}}, "audio.format is missing"),
    ({"prediction": {"type": "text", "content": "x"}}, "prediction.type must be 'content'"),
    ({"x_search_filter": {"allowed_x_handles": ["a"], "excluded_x_handles": ["b"]}}, "x_search_filter: give allowed_x_handles or excluded_x_handles, not both"),
    ({"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "reasoning_effort and reasoning.effort contradict: 'high' and 'low'"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "message"), OUT_OF_RANGE)
def test_an_impossible_value_is_a_value_error(params: Plain, message: str) -> None:
    """The error names the place, what is allowed there and the number or amount given."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        sent(**params)
    assert str(caught.value) == message


WRONG_TYPE: list[tuple[Plain, str]] = [
    ({"temperature": "hot"}, "temperature must be a number or None, got str"),
    ({"temperature": True}, "temperature must be a number or None, got bool"),
    ({"max_tokens": 1.5}, "max_tokens must be an int or None, got float"),
    ({"stop": b"x"}, "stop must be a str, a sequence or None, got bytes"),
    ({"stop": ["a", 5]}, "stop[1] must be a str, got int"),
    ({"models": "a/b"}, "models must be a sequence, got str"),
    ({"structured_outputs": None}, "structured_outputs must be a bool, got None"),
    ({"user": ["u"]}, "user must be a str, got list"),
    ({"metadata": {"a": 5}}, "metadata[...] must be a str, got int"),
    ({"provider": "anthropic"}, "provider must be a mapping or None, got str"),
    ({"provider": {"order": "anthropic"}}, "provider.order must be a sequence or None, got str"),
    ({"provider": ProviderRouting(order=5)}, "provider.order must be a sequence or None, got int"),  # type: ignore[arg-type]
    ({"reasoning": {"effort": 5}}, "reasoning.effort must be a str or None, got int"),
    ({"tools": FUNCTION}, "tools must be a sequence, got dict"),
    ({"tools": ["f"]}, "tools[0] must be a mapping, got str"),
    ({"tool_choice": 5}, "tool_choice must be a str or a mapping, got int"),
    ({"image_config": {"aspect_ratio": 5}}, "image_config.aspect_ratio must be a str, got int"),
    ({"trace": {"trace_id": 5}}, "trace.trace_id must be a str, got int"),
    ({"anthropic_beta": "a,b"}, "anthropic_beta must be a sequence, got str"),
    ({"response_cache": "yes"}, "response_cache must be a bool, got str"),
    ({"extra_body": [1]}, "extra_body must be a mapping, got list"),
    ({"extra_headers": {"X": 5}}, "extra_headers[...] must be a str, got int"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "message"), WRONG_TYPE)
def test_a_wrong_type_is_a_type_error(params: Plain, message: str) -> None:
    """The error names the place and both types, in structs as in mappings."""
    with pytest.raises(TypeError) as caught:
        sent(**params)
    assert str(caught.value) == message


NEWER = "(newer fields go into extra_body)"
UNKNOWN: list[tuple[Plain, str]] = [
    ({"provider": {"ordr": ["a"]}}, "provider.ordr; did you mean 'order'?"),
    ({"provider": {"max_price": {"promt": 1}}}, "provider.max_price.promt; did you mean 'prompt'?"),
    ({"reasoning": {"effrt": "low"}}, "reasoning.effrt; did you mean 'effort'?"),
    ({"plugins": [{"id": "file-parser", "pdf": {"engin": ""}}]}, "plugins[0].pdf.engin; did you mean 'engine'?"),
    ({"tools": [{"type": "function", "name": "f"}]}, "tools[0].name; known are type, function, cache_control, eager_input_streaming"),
    ({"tools": [{"type": "openrouter:datetime", "parameters": {"zone": ""}}]}, "tools[0].parameters.zone; did you mean 'timezone'?"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "message"), UNKNOWN)
def test_an_unknown_key_is_a_type_error(params: Plain, message: str) -> None:
    """A misspelt key of a closed shape is named, with the right one and the way around."""
    with pytest.raises(TypeError) as caught:
        sent(**params)
    assert str(caught.value) == f"unknown key {message} {NEWER}"


PASSES: list[Plain] = [
    {"plugins": [{"id": "brand-new", "depth": [1]}]},
    {"tools": [{"type": "openrouter:brand_new", "parameters": {"a": 1}}]},
    {"tools": [{"type": "web_search_preview", "max_results": 3}]},
    {"tools": [{"type": "web_search", "parameters": {"max_results": 3}}]},
    {"tools": [{"type": "openrouter:image_generation", "parameters": {"brand_new": 1}}]},
    {"tool_choice": "brand_new"},
    {"tool_choice": {"type": "openrouter:web_search"}},
    {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
    {"response_format": {"type": "brand_new", "a": 1}},
    {"stop_server_tools_when": [{"type": "brand_new", "a": 1}]},
    {"service_tier": "brand_new"},
    {"verbosity": "brand_new"},
    {"modalities": ["smell"]},
    {"provider": {"quantizations": ["int2"], "sort": "brand_new"}},
    {"provider": {"max_price": {"prompt": "1.5", "completion": 2}}},
    {"provider": {"preferred_max_latency": {"p50": 1}}},
    {"provider": None},
    {"reasoning": {}},
    {"reasoning": {"effort": "low", "max_tokens": 5}},
    {"reasoning": {"effort": "low"}, "reasoning_effort": "low"},
    {"reasoning": {"max_tokens": 5}, "reasoning_effort": "low"},
    {"top_logprobs": None},
    {"stop": "x"},
    {"tools": []},
    {"trace": {"mine": {"a": 1}}},
    {"image_config": {"brand_new": [1], "quality": "high"}},
    {"cache_control": {"type": "ephemeral", "ttl": "24h"}},
    {"usage": {"include": True}},
]


@pytest.mark.parametrize("params", PASSES, ids=str)
def test_what_may_be_newer_or_wider_passes(params: Plain) -> None:
    """Unknown words and kinds, and all that the API takes beyond its description, are sent."""
    assert sent(**params) == params


def test_the_keys_of_a_shape_have_one_order_and_free_keys_the_users() -> None:
    """Equal requests are equal bytes; a JSON schema stays as it was written."""
    schema = {"z": {"b": 1, "a": 2}, "a": 3}

    def body(**params: Any) -> bytes:
        return chat_body("Hi", model="m", stream=True, params=params)

    one = body(provider={"order": ["a"], "zdr": True}, tools=[FUNCTION])
    other = body(tools=[dict(reversed(FUNCTION.items()))], provider={"zdr": True, "order": ["a"]})
    assert one == other
    tool = {"type": "function", "function": {"parameters": schema, "name": "f"}}
    assert json.dumps(schema, separators=(",", ":")).encode() in body(tools=[tool])


class Tier(StrEnum):
    """Words of the user's own."""

    FLEX = "flex"


class Loud(str):
    """A kind of text."""

    __slots__ = ()


class Exact(float):
    """A kind of number."""

    __slots__ = ()


def test_values_of_related_types_are_taken() -> None:
    """Any sequence, any mapping, any kind of text and number will do, and dates are written."""
    assert sent(
        models=("a", Loud("b")),
        stop=deque(["x"]),
        temperature=Exact(0.5),
        service_tier=Tier.FLEX,
        logit_bias={50256: -100},
        provider=MappingProxyType({"order": ("a",), "max_price": MaxPrice(prompt="0.5")}),
        plugins=[OrderedDict(id="web", user_location=UserLocation(city="X"))],
        reasoning=Reasoning(effort=None),
        x_search_filter={"from_date": datetime.date(2026, 1, 2)},
        extra_body={"price": Decimal("1.5")},
    ) == {
        "models": ["a", "b"],
        "stop": ["x"],
        "temperature": 0.5,
        "service_tier": "flex",
        "logit_bias": {"50256": -100},
        "provider": {"order": ["a"], "max_price": {"prompt": "0.5"}},
        "plugins": [{"id": "web", "user_location": {"type": "approximate", "city": "X"}}],
        "reasoning": {"effort": None},
        "x_search_filter": {"from_date": "2026-01-02"},
        "price": "1.5",
    }


def test_arguments_are_left_as_they_were() -> None:
    """Checking changes nothing that it was given."""
    params: Plain = {"provider": {"zdr": True, "order": ["a"]}, "tools": [{**FUNCTION}]}
    before = json.dumps(params)
    sent(**params)
    assert json.dumps(params) == before


def test_a_struct_checks_what_only_it_can_know() -> None:
    """Two halves that the API would silently drop together are refused where they are written."""
    with pytest.raises(ValueError, match="not both"):
        XSearchFilter(allowed_x_handles=["a"], excluded_x_handles=["b"])


def test_a_struct_shows_what_was_given() -> None:
    """The repr of a request struct is short."""
    assert repr(ProviderRouting(order=["a"])) == "ProviderRouting(order=['a'])"


def test_what_is_refused_is_not_shown_as_text() -> None:
    """The error of a wrong value never repeats text, which may be a prompt."""
    with pytest.raises((TypeError, ValueError)) as caught:
        sent(prediction={"content": [{"type": "a secret", "text": "a secret"}]})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("transport", ["stream", "json"])
def test_the_client_says_it_at_the_call(transport: Any) -> None:
    """Nothing has to be awaited for a wrong keyword to be refused."""
    client = OpenRouter("sk-or-v1-test-key")
    with pytest.raises(ValueError, match=r"^temperature must be between 0 and 2, got 3$"):
        _ = client.complete("Hi", transport=transport, temperature=3)


# Headers.


def test_a_keyword_that_is_off_says_so() -> None:
    """False is sent, because it wins over a preset or an account that says true."""
    assert chat_headers({"response_cache": False, "router_metadata": False}) == {
        "X-OpenRouter-Cache": "false",
        "X-OpenRouter-Metadata": "disabled",
    }


@pytest.mark.parametrize(
    "params", [{"session_header": "a\r\nX: y"}, {"anthropic_beta": ["a\nX: y"]}]
)
def test_a_keyword_cannot_forge_a_header(params: Plain) -> None:
    """What becomes a header is held to the rules of headers."""
    with pytest.raises(ValueError, match="which would forge a header"):
        chat_headers(params)


def test_headers_of_the_users_own_win() -> None:
    """`extra_headers` is the last word on what keywords say."""
    assert chat_headers({"session_header": "a", "extra_headers": {"x-session-id": "b"}}) == {
        "x-session-id": "b"
    }
