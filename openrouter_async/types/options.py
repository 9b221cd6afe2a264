"""The smaller objects of a request: reasoning, output formats, media, stopping, tracing.

What may live here: request structs that belong to one keyword of `ChatParams` each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta

from ._request import Maybe, Open, OrMapping, RequestStruct

Effort: TypeAlias = Open[Literal["max", "xhigh", "high", "medium", "low", "minimal", "none"]]
"""How hard to think."""


class Reasoning(RequestStruct, kw_only=True):
    """How much the model thinks, and whether one sees it.

    Attributes:
        effort: How hard to think; models that count in tokens take a part of their maximum.
        max_tokens: How many tokens to think; use this or `effort`.
        exclude: True thinks without showing it.
        enabled: True thinks with medium effort, False does not think.
        summary: How long a summary of the thoughts to give.
        context: Which earlier thoughts the model sees.
    """

    effort: Maybe[Effort | None] = UNSET
    max_tokens: Maybe[int | None] = UNSET
    exclude: Maybe[bool] = UNSET
    enabled: Maybe[bool] = UNSET
    summary: Maybe[Open[Literal["auto", "concise", "detailed"]] | None] = UNSET
    context: Maybe[Open[Literal["auto", "all_turns", "current_turn"]]] = UNSET
    mode: Maybe[Open[Literal["standard", "pro"]]] = UNSET


class NamedFormat(RequestStruct, kw_only=True):
    """A format that needs nothing but its name."""

    type: Literal["text", "json_object", "python"]


class JSONSchema(RequestStruct, kw_only=True):
    """The JSON schema of an answer, and its name."""

    name: Annotated[str, Meta(max_length=64)]
    description: Maybe[str] = UNSET
    schema: Maybe[Mapping[str, Any]] = UNSET
    strict: Maybe[bool | None] = UNSET


class JSONSchemaFormat(RequestStruct, kw_only=True):
    """The answer is JSON of a schema."""

    type: Literal["json_schema"] = "json_schema"
    json_schema: OrMapping[JSONSchema]


class GrammarFormat(RequestStruct, kw_only=True):
    """The answer follows a grammar."""

    type: Literal["grammar"] = "grammar"
    grammar: str


ResponseFormat: TypeAlias = NamedFormat | JSONSchemaFormat | GrammarFormat
"""Any form of an answer that has a struct."""


class PredictionText(RequestStruct, kw_only=True):
    """A piece of an expected answer."""

    type: Literal["text"] = "text"
    text: str


class Prediction(RequestStruct, kw_only=True):
    """What the answer will mostly be, which makes it come faster."""

    type: Literal["content"] = "content"
    content: str | Sequence[OrMapping[PredictionText]]


class AudioOptions(RequestStruct, kw_only=True):
    """The voice and the file format of a spoken answer."""

    voice: Open[Literal["alloy", "echo", "fable", "onyx", "nova", "shimmer"]]
    format: Open[Literal["wav", "mp3", "flac", "opus", "pcm16"]]


class ImageConfig(RequestStruct, kw_only=True, forbid_unknown_fields=False):
    """How to draw; what a model understands besides is given as a plain mapping."""

    aspect_ratio: Maybe[
        Open[
            Literal["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"]
            | Literal["1:4", "4:1", "8:1"]
        ]
    ] = UNSET
    image_size: Maybe[Open[Literal["0.5K", "1K", "2K", "4K"]]] = UNSET
    quality: Maybe[str] = UNSET
    strength: Maybe[Annotated[float, Meta(ge=0, le=1)]] = UNSET
    style: Maybe[str] = UNSET
    text_layout: Maybe[Sequence[Mapping[str, Any]]] = UNSET
    rgb_colors: Maybe[Sequence[Sequence[int]]] = UNSET
    background_rgb_color: Maybe[Sequence[int]] = UNSET
    background_mode: Maybe[Open[Literal["original", "transparent", "solid"]]] = UNSET
    background_hex_color: Maybe[str] = UNSET
    font_inputs: Maybe[Sequence[Mapping[str, Any]]] = UNSET
    super_resolution_references: Maybe[Sequence[str]] = UNSET
    scoring_prompt: Maybe[str] = UNSET
    scoring_rubric: Maybe[Sequence[Mapping[str, Any]]] = UNSET


class WebSearchOptions(RequestStruct, kw_only=True):
    """How a model that searches by itself does so."""

    search_context_size: Maybe[Open[Literal["low", "medium", "high"]]] = UNSET
    max_results: Maybe[int] = UNSET
    search_prompt: Maybe[str] = UNSET
    engine: Maybe[str] = UNSET


class XSearchFilter(RequestStruct, kw_only=True):
    """Which posts on X a model of xAI's finds; the dates are ``YYYY-MM-DD``."""

    allowed_x_handles: Maybe[Annotated[Sequence[str], Meta(max_length=20)]] = UNSET
    excluded_x_handles: Maybe[Annotated[Sequence[str], Meta(max_length=20)]] = UNSET
    from_date: Maybe[str] = UNSET
    to_date: Maybe[str] = UNSET
    enable_image_understanding: Maybe[bool] = UNSET
    enable_video_understanding: Maybe[bool] = UNSET

    def __post_init__(self) -> None:
        # The API drops such a filter without a word.
        if self.allowed_x_handles is not UNSET and self.excluded_x_handles is not UNSET:
            raise ValueError("give allowed_x_handles or excluded_x_handles, not both")


class StepCountIs(RequestStruct, kw_only=True):
    """Stop after this many steps."""

    type: Literal["step_count_is"] = "step_count_is"
    step_count: int


class HasToolCall(RequestStruct, kw_only=True):
    """Stop once this tool was called."""

    type: Literal["has_tool_call"] = "has_tool_call"
    tool_name: Annotated[str, Meta(min_length=1)]


class MaxTokensUsed(RequestStruct, kw_only=True):
    """Stop once this many tokens were used."""

    type: Literal["max_tokens_used"] = "max_tokens_used"
    max_tokens: int


class MaxCost(RequestStruct, kw_only=True):
    """Stop once this many USD were spent."""

    type: Literal["max_cost"] = "max_cost"
    max_cost_in_dollars: float


class FinishReasonIs(RequestStruct, kw_only=True):
    """Stop once a step ended for this reason."""

    type: Literal["finish_reason_is"] = "finish_reason_is"
    reason: Annotated[str, Meta(min_length=1)]


StopCondition: TypeAlias = StepCountIs | HasToolCall | MaxTokensUsed | MaxCost | FinishReasonIs
"""When OpenRouter stops running its own tools."""


class Trace(RequestStruct, kw_only=True, forbid_unknown_fields=False):
    """Names for the user's own observability; what is not listed is given as a plain mapping."""

    trace_id: Maybe[str] = UNSET
    trace_name: Maybe[str] = UNSET
    span_name: Maybe[str] = UNSET
    generation_name: Maybe[str] = UNSET
    parent_span_id: Maybe[str] = UNSET


class Debug(RequestStruct, kw_only=True):
    """What a stream tells of its own making; not for production."""

    echo_upstream_body: Maybe[bool] = UNSET


class CacheControl(RequestStruct, kw_only=True):
    """Cache up to here, in Anthropic's form; `ttl` is how long."""

    type: Open[Literal["ephemeral"]] = "ephemeral"
    ttl: Maybe[Open[Literal["5m", "1h"]]] = UNSET


class PromptCacheBreakpoint(RequestStruct, kw_only=True):
    """Cache up to here, in OpenAI's form."""

    mode: Open[Literal["explicit"]] = "explicit"


class PromptCacheOptions(RequestStruct, kw_only=True):
    """Turns OpenAI's explicit prompt caching on for a request."""

    mode: Open[Literal["explicit"]] = "explicit"
    ttl: Maybe[str | None] = UNSET
