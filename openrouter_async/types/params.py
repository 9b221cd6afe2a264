"""What a chat request may say, as typed keywords.

What may live here: the keywords of a chat request. Their annotations are the one source of what
is allowed, for editors, for type checkers and for the check at run time. The order of
`ChatParams` is the order on the wire, which stays the same for ever: OpenRouter's response
cache keys on the bytes of the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from msgspec import Meta

from ._request import (
    CallKeywords,
    Id,
    Open,
    OrAnyMapping,
    OrMapping,
    Penalty,
    PositiveShare,
    Temperature,
)
from .options import (
    AudioOptions,
    CacheControl,
    Debug,
    Effort,
    ImageConfig,
    Prediction,
    PromptCacheOptions,
    Reasoning,
    ResponseFormat,
    StopCondition,
    Trace,
    WebSearchOptions,
    XSearchFilter,
)
from .plugins import Plugin
from .routing import ProviderRouting
from .tools import RequestTool, ToolChoice

_Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
_Bias: TypeAlias = Annotated[float, Meta(ge=-100, le=100)]
_MetadataKey: TypeAlias = Annotated[str, Meta(max_length=64)]
_MetadataValue: TypeAlias = Annotated[str, Meta(max_length=512)]


class _BeforeTools(TypedDict, total=False):
    models: Sequence[str]
    preset: str
    max_completion_tokens: int | None
    max_tokens: int | None
    temperature: Temperature | None
    top_p: PositiveShare | None
    top_k: Annotated[int, Meta(ge=0)] | None
    min_p: _Share | None
    top_a: _Share | None
    frequency_penalty: Penalty | None
    presence_penalty: Penalty | None
    repetition_penalty: Annotated[float, Meta(gt=0, le=2)] | None
    seed: int | None
    stop: str | Annotated[Sequence[str], Meta(max_length=4)] | None
    logit_bias: Mapping[str, _Bias] | None
    logprobs: bool | None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None
    response_format: OrAnyMapping[ResponseFormat]
    structured_outputs: bool


class _Tools(TypedDict, total=False):
    tools: Sequence[OrAnyMapping[RequestTool]]


class _AfterTools(TypedDict, total=False):
    tool_choice: Open[Literal["none", "auto", "required"]] | OrAnyMapping[ToolChoice]
    parallel_tool_calls: bool | None
    deferred_tools: Mapping[str, Any] | None
    max_tool_calls: Annotated[int, Meta(ge=0, le=30)]
    stop_server_tools_when: Annotated[Sequence[OrAnyMapping[StopCondition]], Meta(min_length=1)]
    plugins: Sequence[OrAnyMapping[Plugin]]
    transforms: Sequence[Open[Literal["middle-out"]]]
    provider: OrMapping[ProviderRouting] | None
    route: Open[Literal["fallback", "sort"]] | None
    reasoning: OrMapping[Reasoning]
    reasoning_effort: Effort | None
    include_reasoning: bool
    verbosity: Open[Literal["low", "medium", "high", "xhigh", "max"]]
    modalities: Sequence[Open[Literal["text", "image", "audio"]]]
    image_config: OrAnyMapping[ImageConfig]
    audio: OrMapping[AudioOptions]
    prediction: OrMapping[Prediction] | None
    prompt_cache_key: str | None
    prompt_cache_options: OrMapping[PromptCacheOptions] | None
    cache_control: OrMapping[CacheControl]
    service_tier: Open[Literal["auto", "default", "flex", "priority", "fast", "scale"]] | None
    speed: Open[Literal["fast"]]
    web_search_options: OrMapping[WebSearchOptions]
    x_search_filter: OrMapping[XSearchFilter]
    user: str
    session_id: Id
    metadata: Annotated[Mapping[_MetadataKey, _MetadataValue], Meta(max_length=16)]
    trace: OrAnyMapping[Trace]
    debug: OrMapping[Debug]
    stream_options: Mapping[str, Any] | None
    usage: Mapping[str, Any]


class ChatParams(_BeforeTools, _Tools, _AfterTools, CallKeywords, total=False):
    """Every documented field of a chat request besides ``messages`` and ``model``.

    What is not given is not sent, and nothing is defaulted; None is sent, as null. Where a
    struct is named, a plain mapping of the same shape does too. A field that is newer than this
    list goes into ``extra_body``, which is merged last. OpenRouter drops what the chosen model does
    not know, unless ``provider={"require_parameters": True}``.

    Attributes:
        models: Models to fall back on, in order, when the one before refuses.
        preset: Settings kept at OpenRouter, by their slug; fields of the request outweigh them.
        max_completion_tokens: Tokens that the answer may have, thoughts included.
        max_tokens: The older name of `max_completion_tokens`.
        temperature: 0 to 2; higher is more varied.
        top_p: Above 0, to 1: the likeliest tokens that make up this share.
        top_k: So many of the likeliest tokens; 0 is all.
        min_p: 0 to 1: tokens at least so likely as this share of the likeliest.
        top_a: 0 to 1: as `min_p`, stricter where the model is sure.
        frequency_penalty: -2 to 2, against words by how often they came.
        presence_penalty: -2 to 2, against words that came at all.
        repetition_penalty: Above 0, to 2, against tokens of the prompt; 1 is none.
        seed: For the same answer again, as far as the provider can.
        stop: One or up to four texts before which the answer ends.
        logit_bias: From a token's id to -100 to 100.
        logprobs: Whether the likelihood of each token is told.
        top_logprobs: 0 to 20: of so many others as well; needs ``logprobs=True``.
        response_format: The wire form of a schema; ``response_type`` of a call writes it.
        tools: In their wire form; `OpenRouter.run_tools` takes functions.
        tool_choice: Which tool must be called, or ``"none"``, ``"auto"``, ``"required"``.
        parallel_tool_calls: Whether one turn may have several calls.
        max_tool_calls: At most so many calls of OpenRouter's own tools, up to 30.
        stop_server_tools_when: What ends them, in place of `max_tool_calls`.
        plugins: Such as web search and the parser of files.
        provider: Which providers may answer, by which order, price and privacy.
        reasoning: How much the model thinks. `reasoning_effort` is short for its ``effort``.
        verbosity: How long the answer is to be.
        modalities: What the answer may be of; ``["image", "text"]`` for a model that draws.
        image_config: How to draw, such as ``{"aspect_ratio": "16:9"}``.
        audio: The voice and the format of an answer that speaks.
        prediction: A text that much of the answer will equal, so that it comes faster.
        prompt_cache_key: Brings requests with the same beginning to the same cache.
        cache_control: Has the provider cache the prompt by itself.
        service_tier: How fast and how dear: ``"flex"`` is cheaper, ``"priority"`` faster.
        user: A lasting id of your own user, so that one who misuses a model is not taken for all.
        session_id: Keeps the requests of one conversation with the provider that answered first,
            and groups them; at most 256 characters.
        metadata: At most 16 texts of your own by name: 64 characters each name, 512 each text.
        trace: Names for the trace that OpenRouter sends to your observability tool.
        debug: Echoes what OpenRouter sent to the provider, in a stream's first chunk.
        transforms: Replaced by the plugin ``context-compression``.
        route: Replaced by `models` and `provider`.
        include_reasoning: Replaced by `reasoning`.
        stream_options: Without effect; the usage always comes.
        usage: Without effect; the usage always comes.

    Some keywords become headers: ``response_cache`` lets OpenRouter answer equal requests from
    its own cache, for ``response_cache_ttl`` seconds, and ``response_cache_clear`` forgets the
    answer to this one; ``router_metadata`` asks how the request was routed; ``session_header``
    names the session in logs, where the body's ``session_id`` wins; ``anthropic_beta`` lists
    Anthropic's beta flags; ``extra_headers`` holds any other.
    """


class RunParams(_BeforeTools, _AfterTools, CallKeywords, total=False):
    """Those of `ChatParams` that `OpenRouter.run_tools` takes: its tools are an argument."""
