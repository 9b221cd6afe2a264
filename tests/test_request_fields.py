"""Every documented field of a request: a typed keyword, a struct for its shape, and on the wire."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from openrouter_async import OpenRouter, types
from openrouter_async.resources.chat import chat_body
from openrouter_async.testing import Emulator, chat
from openrouter_async.types import ChatParams
from openrouter_async.types._request import RequestStruct

Plain = dict[str, Any]

# Documented, accepted, and missing in the published description of the request.
DOCUMENTED = {
    "structured_outputs",
    "max_tool_calls",
    "transforms",
    "preset",
    "include_reasoning",
    "verbosity",
    "audio",
    "speed",
    "deferred_tools",
    "web_search_options",
    "x_search_filter",
    "usage",
}
OWN_ARGUMENTS = {"messages", "model", "stream"}
"""Fields that are not keywords of `ChatParams`: two arguments, and the choice of the method."""

HEADERS: Plain = {
    "response_cache": True,
    "response_cache_ttl": 600,
    "response_cache_clear": True,
    "router_metadata": True,
    "session_header": "session-1",
    "anthropic_beta": ["interleaved-thinking-2025-05-14", "other"],
}

# One value for each field that goes into the body, as mappings...
BODY: Plain = {
    "models": ["a/b", "c/d:free", "@preset/mine", "openrouter/auto", "~x/y-latest"],
    "preset": "mine",
    "max_completion_tokens": 100,
    "max_tokens": None,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.1,
    "top_a": 0,
    "frequency_penalty": -2,
    "presence_penalty": 2,
    "repetition_penalty": 1.1,
    "seed": 42,
    "stop": ["a", "b", "c", "d"],
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 20,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"z": 1, "a": 2}, "strict": None},
    },
    "structured_outputs": True,
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "parameters": {"type": "object"}, "strict": True},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        {
            "type": "openrouter:web_search",
            "parameters": {"max_results": 3, "user_location": {"type": "approximate", "city": "X"}},
        },
        {
            "type": "openrouter:advisor",
            "parameters": {"name": "Dr X", "reasoning": {"effort": "low"}},
        },
        {"type": "openrouter:files"},
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
    "deferred_tools": {"profile": "portable", "protocol": "v1"},
    "max_tool_calls": 30,
    "stop_server_tools_when": [
        {"type": "step_count_is", "step_count": 3},
        {"type": "has_tool_call", "tool_name": "f"},
        {"type": "max_tokens_used", "max_tokens": 1000},
        {"type": "max_cost", "max_cost_in_dollars": 0.5},
        {"type": "finish_reason_is", "reason": "stop"},
    ],
    "plugins": [
        {"id": "web", "max_results": 5, "user_location": None},
        {"id": "file-parser", "pdf": {"engine": "native"}},
        {"id": "auto-beta-router", "enabled": False},
        {"id": "fusion", "analysis_models": ["a/b"], "tools": [{"type": "openrouter:datetime"}]},
    ],
    "transforms": ["middle-out"],
    "provider": {
        "order": ["anthropic", "google-vertex/us-east5"],
        "only": None,
        "allow_fallbacks": False,
        "quantizations": ["fp8", "bf16"],
        "sort": {"by": "price", "partition": "none"},
        "max_price": {"prompt": 1, "completion": "2.5"},
        "preferred_min_throughput": {"p50": 100, "p99": None},
        "preferred_max_latency": 2,
    },
    "route": "fallback",
    "reasoning": {
        "effort": "high",
        "max_tokens": 2000,
        "exclude": False,
        "enabled": True,
        "summary": "auto",
        "context": "all_turns",
        "mode": "pro",
    },
    "reasoning_effort": "high",
    "include_reasoning": True,
    "verbosity": "low",
    "modalities": ["image", "text"],
    "image_config": {"aspect_ratio": "16:9", "strength": 0.2},
    "audio": {"voice": "alloy", "format": "pcm16"},
    "prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "cache_control": {"type": "ephemeral"},
    "service_tier": None,
    "speed": "fast",
    "web_search_options": {"search_context_size": "high"},
    "x_search_filter": {"allowed_x_handles": ["a"], "from_date": "2026-01-01"},
    "user": "u",
    "session_id": "s",
    "metadata": {"a": "b"},
    "trace": {"trace_id": "t"},
    "debug": {"echo_upstream_body": True},
    "stream_options": {"include_usage": True},
    "usage": {"include": True},
}
# ... and, where there is one, as structs.
STRUCTS: Plain = {
    "response_format": types.JSONSchemaFormat(
        json_schema=types.JSONSchema(name="n", schema={"z": 1, "a": 2}, strict=None)
    ),
    "tools": (
        types.FunctionTool(
            function=types.Function(name="f", parameters={"type": "object"}, strict=True),
            cache_control=types.CacheControl(ttl="1h"),
        ),
        types.WebSearchTool(
            parameters=types.WebSearchParameters(
                max_results=3, user_location=types.UserLocation(city="X")
            )
        ),
        types.AdvisorTool(
            parameters=types.AdvisorParameters(name="Dr X", reasoning=types.Reasoning(effort="low"))
        ),
        types.FilesTool(),
    ),
    "tool_choice": types.NamedToolChoice(function=types.FunctionName(name="f")),
    "stop_server_tools_when": [
        types.StepCountIs(step_count=3),
        types.HasToolCall(tool_name="f"),
        types.MaxTokensUsed(max_tokens=1000),
        types.MaxCost(max_cost_in_dollars=0.5),
        types.FinishReasonIs(reason="stop"),
    ],
    "plugins": [
        types.WebPlugin(max_results=5, user_location=None),
        types.FileParserPlugin(pdf=types.PDFOptions(engine="native")),
        types.AutoRouterPlugin(id="auto-beta-router", enabled=False),
        types.FusionPlugin(analysis_models=["a/b"], tools=[types.DatetimeTool()]),
    ],
    "provider": types.ProviderRouting(
        order=("anthropic", "google-vertex/us-east5"),
        only=None,
        allow_fallbacks=False,
        quantizations=["fp8", "bf16"],
        sort=types.ProviderSort(by="price", partition="none"),
        max_price=types.MaxPrice(prompt=1, completion="2.5"),
        preferred_min_throughput=types.Percentiles(p50=100, p99=None),
        preferred_max_latency=2,
    ),
    "reasoning": types.Reasoning(
        effort="high",
        max_tokens=2000,
        exclude=False,
        enabled=True,
        summary="auto",
        context="all_turns",
        mode="pro",
    ),
    "image_config": types.ImageConfig(aspect_ratio="16:9", strength=0.2),
    "audio": types.AudioOptions(voice="alloy", format="pcm16"),
    "prediction": types.Prediction(content=[types.PredictionText(text="x")]),
    "prompt_cache_options": types.PromptCacheOptions(ttl="30m"),
    "cache_control": types.CacheControl(),
    "web_search_options": types.WebSearchOptions(search_context_size="high"),
    "x_search_filter": types.XSearchFilter(allowed_x_handles=["a"], from_date="2026-01-01"),
    "trace": types.Trace(trace_id="t"),
    "debug": types.Debug(echo_upstream_body=True),
}


def test_the_lists_of_this_file_are_whole() -> None:
    """Each keyword has a value here, and each struct of the top is used."""
    extra = {"extra_body", "extra_headers"}
    assert {*BODY, *HEADERS, *extra} == set(ChatParams.__annotations__)
    assert set(STRUCTS) < set(BODY)


async def test_every_field_reaches_the_wire(client: OpenRouter, emulator: Emulator) -> None:
    """One request that carries everything arrives with all of it, in the order of the list."""
    emulator.play(chat("So."))
    await client.complete(
        "Hi", model="m", extra_body={"new": 1}, extra_headers={"X-Mine": "2"}, **BODY, **HEADERS
    )
    request = emulator.requests[0]
    sent = request.json
    start = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    assert sent == {**start, **BODY, "new": 1}
    listed = [name for name in ChatParams.__annotations__ if name in BODY]
    assert list(sent) == [*start, *listed, "new"]
    headers = {
        "X-OpenRouter-Cache": "true",
        "X-OpenRouter-Cache-TTL": "600",
        "X-OpenRouter-Cache-Clear": "true",
        "X-OpenRouter-Metadata": "enabled",
        "x-session-id": "session-1",
        "x-anthropic-beta": "interleaved-thinking-2025-05-14,other",
        "X-Mine": "2",
    }
    assert {name: request.headers[name] for name in headers} == headers


def test_structs_and_mappings_send_the_same_bytes() -> None:
    """Whichever way a request is written, it is the same request, also for a cache."""

    def body(params: Plain) -> bytes:
        return chat_body("Hi", model="m", stream=True, params=params)

    assert body({**BODY, **STRUCTS}) == body(BODY)
    turned = json.loads(json.dumps(BODY), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    for free in (
        "response_format",
        "image_config",
        "deferred_tools",
    ):  # the order of free keys is the user's
        turned[free] = BODY[free]
    assert body(turned) == body(BODY)


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_no_keyword_sends_nothing(
    client: OpenRouter, emulator: Emulator, transport: Any
) -> None:
    """What is not given is not sent, neither in the body nor in the headers."""
    await client.complete("Hi", transport=transport)
    request = emulator.requests[0]
    assert set(request.json) == {"messages", "stream"}
    names = {name.lower() for name in request.headers}
    assert not {name for name in names if name.startswith(("x-openrouter", "x-session", "x-anth"))}


@pytest.mark.parametrize(
    "model",
    [
        "author/name:free",
        "author/name:nitro",
        "gpt-oss-20b:free:online",
        "@preset/slug",
        "author/name@preset/slug",
        "openrouter/auto",
        "~author/family-latest",
    ],
)
def test_any_name_of_a_model_is_sent_as_it_is(model: str) -> None:
    """Variants, presets, routers and aliases are names like any other."""
    assert json.loads(chat_body("Hi", model=model, stream=True, params={}))["model"] == model


def test_a_chain_of_models_needs_no_first_one() -> None:
    """`models` may stand alone."""
    sent = json.loads(chat_body("Hi", model=None, stream=True, params={"models": ["a", "b"]}))
    assert "model" not in sent
    assert sent["models"] == ["a", "b"]


# Against the published description.


@pytest.fixture(scope="module")
def schemas(shared: Path) -> Plain:
    """The published schemas, by name."""
    description: Plain = json.loads((shared / "openrouter" / "openapi.json").read_bytes())
    found: Plain = description["components"]["schemas"]
    return found


def test_every_described_field_is_a_keyword(schemas: Plain) -> None:
    """The published request holds no field that is not a keyword, and the rest is listed."""
    described = set(schemas["ChatRequest"]["properties"]) - OWN_ARGUMENTS
    assert described <= set(BODY)
    assert set(BODY) - described == DOCUMENTED


SHAPES: dict[str, type[RequestStruct]] = {
    "ProviderPreferences": types.ProviderRouting,
    "ProviderPreferences.max_price": types.MaxPrice,
    "ProviderSortConfig": types.ProviderSort,
    "ImageGenerationProviderPreferences": types.ImageProviderRouting,
    "PercentileLatencyCutoffs": types.Percentiles,
    "PercentileThroughputCutoffs": types.Percentiles,
    "AutoRouterPlugin": types.AutoRouterPlugin,
    "AutoBetaRouterPlugin": types.AutoRouterPlugin,
    "ContextCompressionPlugin": types.ContextCompressionPlugin,
    "FileParserPlugin": types.FileParserPlugin,
    "FusionPlugin": types.FusionPlugin,
    "ModerationPlugin": types.ModerationPlugin,
    "ParetoRouterPlugin": types.ParetoRouterPlugin,
    "PDFParserOptions": types.PDFOptions,
    "ResponseHealingPlugin": types.ResponseHealingPlugin,
    "WebFetchPlugin": types.WebFetchPlugin,
    "WebSearchPlugin": types.WebPlugin,
    "WebSearchUserLocation": types.UserLocation,
    "ChatRequest.reasoning": types.Reasoning,
    "ChatFormatTextConfig": types.NamedFormat,
    "ChatFormatJsonObjectConfig": types.NamedFormat,
    "ChatFormatPythonConfig": types.NamedFormat,
    "ChatFormatGrammarConfig": types.GrammarFormat,
    "ChatFormatJsonSchemaConfig": types.JSONSchemaFormat,
    "ChatJsonSchemaConfig": types.JSONSchema,
    "AdvisorServerTool_OpenRouter": types.AdvisorTool,
    "AdvisorServerToolConfig": types.AdvisorParameters,
    "AdvisorReasoning": types.Reasoning,
    "ApplyPatchServerTool_OpenRouter": types.ApplyPatchTool,
    "ApplyPatchServerToolConfig": types.ApplyPatchParameters,
    "BashServerTool": types.BashTool,
    "BashServerToolConfig": types.BashParameters,
    "ContainerAutoEnvironment": types.ContainerEnvironment,
    "ContainerReferenceEnvironment": types.ContainerEnvironment,
    "DatetimeServerTool": types.DatetimeTool,
    "DatetimeServerToolConfig": types.DatetimeParameters,
    "FilesServerTool": types.FilesTool,
    "FusionServerTool_OpenRouter": types.FusionTool,
    "FusionServerToolConfig": types.FusionParameters,
    "ImageGenerationServerTool_OpenRouter": types.ImageGenerationTool,
    "ImageGenerationServerToolConfig": types.ImageGenerationParameters,
    "ChatSearchModelsServerTool": types.SearchModelsTool,
    "SearchModelsServerToolConfig": types.SearchParameters,
    "ShellServerTool_OpenRouter": types.ShellTool,
    "ShellServerToolConfig": types.BashParameters,
    "SubagentServerTool_OpenRouter": types.SubagentTool,
    "SubagentServerToolConfig": types.SubagentParameters,
    "SubagentReasoning": types.Reasoning,
    "ToolSearchServerTool": types.ToolSearchTool,
    "ToolSearchServerToolConfig": types.SearchParameters,
    "WebFetchServerTool": types.WebFetchTool,
    "WebFetchServerToolConfig": types.WebFetchParameters,
    "OpenRouterWebSearchServerTool": types.WebSearchTool,
    "WebSearchConfig": types.WebSearchParameters,
    "ChatWebSearchShorthand": types.WebSearchAlias,
    "ChatNamedToolChoice": types.NamedToolChoice,
    "ChatServerToolChoice": types.ServerToolChoice,
    "StopServerToolsWhenStepCountIs": types.StepCountIs,
    "StopServerToolsWhenHasToolCall": types.HasToolCall,
    "StopServerToolsWhenMaxTokensUsed": types.MaxTokensUsed,
    "StopServerToolsWhenMaxCost": types.MaxCost,
    "StopServerToolsWhenFinishReasonIs": types.FinishReasonIs,
    "AnthropicCacheControlDirective": types.CacheControl,
    "PromptCacheBreakpoint": types.PromptCacheBreakpoint,
    "PromptCacheOptions": types.PromptCacheOptions,
    "Prediction": types.Prediction,
    "PredictionContentText": types.PredictionText,
    "TraceConfig": types.Trace,
    "ChatDebugOptions": types.Debug,
    "ChatSystemMessage": types.SystemMessage,
    "ChatDeveloperMessage": types.DeveloperMessage,
    "ChatUserMessage": types.UserMessage,
    "ChatAssistantMessage": types.AssistantMessage,
    "ChatToolMessage": types.ToolMessage,
    "ChatContentText": types.TextPart,
    "ChatContentImage": types.ImagePart,
    "ChatContentFile": types.FilePart,
    "ChatContentFile.file": types.FileData,
    "ChatContentAudio": types.AudioPart,
    "ChatContentAudio.input_audio": types.InputAudio,
    "ChatContentVideo": types.VideoPart,
    "ChatContentVideoInput": types.VideoURL,
}
NOT_DESCRIBED = {
    types.AudioOptions,  # these are documented, and missing in the description
    types.WebSearchOptions,
    types.XSearchFilter,
    types.ImageConfig,  # described as a free map
    types.Function,  # described in place, and held below
    types.FunctionTool,
    types.FunctionName,
}


def described(schemas: Plain, name: str) -> Plain:
    """The schema of a name, or of a field in it after a dot."""
    top, _, field = name.partition(".")
    schema: Plain = schemas[top]
    return schema["properties"][field] if field else schema


@pytest.mark.parametrize("name", SHAPES)
def test_a_struct_has_every_described_field(schemas: Plain, name: str) -> None:
    """What the description says of a shape, its struct can say, and it asks for no more."""
    schema = described(schemas, name)
    fields = {field.name: field for field in msgspec.structs.fields(SHAPES[name])}
    assert set(schema["properties"]) <= set(fields)
    required = {field.name for field in fields.values() if field.required}
    assert required <= set(schema.get("required", ()))


def test_a_function_tool_has_every_described_field(schemas: Plain) -> None:
    """The tool of the user's own is described in place."""
    tool = schemas["ChatFunctionTool"]["anyOf"][0]["properties"]
    assert set(tool) <= set(types.FunctionTool.__struct_fields__)
    assert set(tool["function"]["properties"]) == set(types.Function.__struct_fields__)
    choice = schemas["ChatNamedToolChoice"]["properties"]["function"]["properties"]
    assert set(choice) == set(types.FunctionName.__struct_fields__)


@pytest.mark.parametrize(
    ("union", "mark", "field"),
    [
        (types.Plugin, "id", "plugins.items"),
        (types.ResponseFormat, "type", "response_format"),
        (types.StopCondition, "type", "stop_server_tools_when"),
        (types.RequestTool, "type", "tools"),
    ],
)
def test_every_described_kind_has_a_struct(
    schemas: Plain, union: Any, mark: str, field: str
) -> None:
    """Each kind of plugin, format, condition and tool that is described goes by its own word."""
    if field == "tools":
        options = schemas["ChatFunctionTool"]["anyOf"]
    elif field == "stop_server_tools_when":
        options = schemas["StopServerToolsWhenCondition"]["oneOf"]
    else:
        schema = schemas["ChatRequest"]["properties"][field.partition(".")[0]]
        options = schema.get("items", schema)["oneOf"]
    words: set[str] = set()
    for option in options:
        schema = schemas[option["$ref"].split("/")[-1]] if "$ref" in option else option
        words |= set(schema["properties"][mark]["enum"])
    ours = {
        word
        for struct in get_args(union)
        for part in msgspec.structs.fields(struct)
        if part.name == mark
        for word in get_args(part.type)
    }
    assert words <= ours


def test_every_struct_is_held_to_the_description() -> None:
    """A new struct is compared with the description too, or stands among those that cannot be."""
    structs = {
        value
        for value in vars(types).values()
        if inspect.isclass(value) and issubclass(value, RequestStruct)
    }
    assert structs == {*SHAPES.values(), *NOT_DESCRIBED}
