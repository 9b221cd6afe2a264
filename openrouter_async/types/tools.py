"""The entries of ``tools``, and which of them must be used.

`FunctionTool` is run by the user, all others by OpenRouter. A tool that is newer than this list is
sent as the plain mapping that it is given as.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta

from ._request import Maybe, Open, OrAnyMapping, OrMapping, RequestStruct
from .options import CacheControl, Reasoning
from .plugins import UserLocation, WebSearchMode

_FunctionName: TypeAlias = Annotated[str, Meta(max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
_AgentName: TypeAlias = Annotated[str, Meta(max_length=64, pattern=r"^[a-zA-Z0-9 _-]+$")]
_Temperature: TypeAlias = Annotated[float, Meta(ge=0, le=2)]
_NestedTools: TypeAlias = Sequence[OrAnyMapping[RequestStruct]]


class Function(RequestStruct, kw_only=True):
    """A function that the model may ask for; `parameters` is the JSON schema of its arguments."""

    name: _FunctionName
    description: Maybe[str] = UNSET
    parameters: Maybe[Mapping[str, Any]] = UNSET
    strict: Maybe[bool | None] = UNSET


class FunctionTool(RequestStruct, kw_only=True):
    """A function of the user's."""

    type: Literal["function"] = "function"
    function: OrMapping[Function]
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET
    eager_input_streaming: Maybe[bool] = UNSET


class WebSearchParameters(RequestStruct, kw_only=True):
    """How to search the web."""

    engine: Maybe[Open[Literal["auto", "native", "exa", "firecrawl", "parallel", "perplexity"]]] = (
        UNSET
    )
    mode: Maybe[WebSearchMode] = UNSET
    max_results: Maybe[Annotated[int, Meta(ge=1, le=25)]] = UNSET
    max_total_results: Maybe[int] = UNSET
    max_uses: Maybe[int] = UNSET
    search_context_size: Maybe[Open[Literal["low", "medium", "high"]]] = UNSET
    max_characters: Maybe[Annotated[int, Meta(ge=1, le=100_000)]] = UNSET
    allowed_domains: Maybe[Sequence[str]] = UNSET
    excluded_domains: Maybe[Sequence[str]] = UNSET
    user_location: Maybe[OrMapping[UserLocation]] = UNSET


class WebSearchTool(RequestStruct, kw_only=True):
    """Let the model search the web."""

    type: Literal["openrouter:web_search"] = "openrouter:web_search"
    parameters: Maybe[OrMapping[WebSearchParameters]] = UNSET


class WebSearchAlias(WebSearchParameters, kw_only=True):
    """`WebSearchTool` under the names of other APIs, its parameters in place or below."""

    type: Literal[
        "web_search",
        "web_search_preview",
        "web_search_preview_2025_03_11",
        "web_search_2025_08_26",
    ] = "web_search"
    parameters: Maybe[OrMapping[WebSearchParameters]] = UNSET


class WebFetchParameters(RequestStruct, kw_only=True):
    """How to read web pages."""

    engine: Maybe[Open[Literal["auto", "native", "exa", "openrouter", "firecrawl", "parallel"]]] = (
        UNSET
    )
    max_uses: Maybe[int] = UNSET
    max_content_tokens: Maybe[int] = UNSET
    allowed_domains: Maybe[Sequence[str]] = UNSET
    blocked_domains: Maybe[Sequence[str]] = UNSET


class WebFetchTool(RequestStruct, kw_only=True):
    """Let the model read web pages."""

    type: Literal["openrouter:web_fetch"] = "openrouter:web_fetch"
    parameters: Maybe[OrMapping[WebFetchParameters]] = UNSET


class DatetimeParameters(RequestStruct, kw_only=True):
    """The time zone by its IANA name; without one it is UTC."""

    timezone: Maybe[str] = UNSET


class DatetimeTool(RequestStruct, kw_only=True):
    """Let the model ask what time it is."""

    type: Literal["openrouter:datetime"] = "openrouter:datetime"
    parameters: Maybe[OrMapping[DatetimeParameters]] = UNSET


class ImageGenerationParameters(RequestStruct, kw_only=True, forbid_unknown_fields=False):
    """How to draw; what a model understands besides is given as a plain mapping."""

    model: Maybe[str] = UNSET
    quality: Maybe[str] = UNSET
    size: Maybe[str] = UNSET
    aspect_ratio: Maybe[str] = UNSET
    background: Maybe[str] = UNSET
    output_format: Maybe[str] = UNSET
    output_compression: Maybe[int] = UNSET
    moderation: Maybe[str] = UNSET


class ImageGenerationTool(RequestStruct, kw_only=True):
    """Let the model have images drawn."""

    type: Literal["openrouter:image_generation"] = "openrouter:image_generation"
    parameters: Maybe[OrAnyMapping[ImageGenerationParameters]] = UNSET


class FusionParameters(RequestStruct, kw_only=True):
    """Which models analyse and which one answers."""

    analysis_models: Maybe[Annotated[Sequence[str], Meta(min_length=1, max_length=8)]] = UNSET
    model: Maybe[str] = UNSET
    max_tool_calls: Maybe[Annotated[int, Meta(ge=1, le=16)]] = UNSET
    max_completion_tokens: Maybe[int] = UNSET
    reasoning: Maybe[OrMapping[Reasoning]] = UNSET
    temperature: Maybe[_Temperature] = UNSET
    tools: Maybe[Annotated[_NestedTools, Meta(max_length=8)]] = UNSET
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET


class FusionTool(RequestStruct, kw_only=True):
    """Let the model ask several models at once."""

    type: Literal["openrouter:fusion"] = "openrouter:fusion"
    parameters: Maybe[OrMapping[FusionParameters]] = UNSET


class AdvisorParameters(RequestStruct, kw_only=True):
    """Who advises, and what it is told."""

    name: Maybe[_AgentName] = UNSET
    model: Maybe[str] = UNSET
    instructions: Maybe[str] = UNSET
    forward_transcript: Maybe[bool] = UNSET
    stream: Maybe[bool] = UNSET
    max_completion_tokens: Maybe[int] = UNSET
    reasoning: Maybe[OrMapping[Reasoning]] = UNSET
    temperature: Maybe[_Temperature] = UNSET


class AdvisorTool(RequestStruct, kw_only=True):
    """Let the model ask another model; several of them need names."""

    type: Literal["openrouter:advisor"] = "openrouter:advisor"
    parameters: Maybe[OrMapping[AdvisorParameters]] = UNSET


class SubagentParameters(RequestStruct, kw_only=True):
    """Who does the work, and with which tools of OpenRouter's."""

    name: Maybe[_AgentName] = UNSET
    model: Maybe[str] = UNSET
    instructions: Maybe[str] = UNSET
    tools: Maybe[_NestedTools] = UNSET
    max_tool_calls: Maybe[Annotated[int, Meta(ge=1, le=25)]] = UNSET
    max_completion_tokens: Maybe[int] = UNSET
    reasoning: Maybe[OrMapping[Reasoning]] = UNSET
    temperature: Maybe[_Temperature] = UNSET
    inherit_functions: Maybe[bool] = UNSET
    inherited_function_names: Maybe[Sequence[str]] = UNSET


class SubagentTool(RequestStruct, kw_only=True):
    """Let the model hand work to another model; several of them need names."""

    type: Literal["openrouter:subagent"] = "openrouter:subagent"
    parameters: Maybe[OrMapping[SubagentParameters]] = UNSET


class SearchParameters(RequestStruct, kw_only=True):
    """How many to find."""

    max_results: Maybe[Annotated[int, Meta(ge=1, le=50)]] = UNSET


class SearchModelsTool(RequestStruct, kw_only=True):
    """Let the model look models up."""

    type: Literal["openrouter:experimental__search_models"] = (
        "openrouter:experimental__search_models"
    )
    parameters: Maybe[OrMapping[SearchParameters]] = UNSET


class ToolSearchTool(RequestStruct, kw_only=True):
    """Let the model find its tools by searching; responses and messages only."""

    type: Literal["openrouter:tool_search"] = "openrouter:tool_search"
    parameters: Maybe[OrMapping[SearchParameters]] = UNSET


class FilesTool(RequestStruct, kw_only=True):
    """Let the model read and write files."""

    type: Literal["openrouter:files"] = "openrouter:files"
    parameters: Maybe[Mapping[str, Any]] = UNSET


class ContainerEnvironment(RequestStruct, kw_only=True):
    """A new container, or with `container_id` one that exists."""

    type: Open[Literal["container_auto", "container_reference"]] = "container_auto"
    container_id: Maybe[Annotated[str, Meta(min_length=1, max_length=20)]] = UNSET


class BashParameters(RequestStruct, kw_only=True):
    """Where commands run, and after how many idle seconds that sleeps."""

    engine: Maybe[Open[Literal["auto", "native", "openrouter"]]] = UNSET
    environment: Maybe[OrMapping[ContainerEnvironment]] = UNSET
    sleep_after_seconds: Maybe[int] = UNSET


class BashTool(RequestStruct, kw_only=True):
    """Let the model run bash commands; chat may refuse it."""

    type: Literal["openrouter:bash"] = "openrouter:bash"
    parameters: Maybe[OrMapping[BashParameters]] = UNSET


class ShellTool(RequestStruct, kw_only=True):
    """Let the model run shell commands; responses and messages only."""

    type: Literal["openrouter:shell"] = "openrouter:shell"
    parameters: Maybe[OrMapping[BashParameters]] = UNSET


class ApplyPatchParameters(RequestStruct, kw_only=True):
    """Who applies patches."""

    engine: Maybe[Open[Literal["auto", "native", "openrouter"]]] = UNSET


class ApplyPatchTool(RequestStruct, kw_only=True):
    """Let the model patch files; responses only."""

    type: Literal["openrouter:apply_patch"] = "openrouter:apply_patch"
    parameters: Maybe[OrMapping[ApplyPatchParameters]] = UNSET


_Search: TypeAlias = WebSearchTool | WebSearchAlias | SearchModelsTool | ToolSearchTool
_OtherModel: TypeAlias = FusionTool | AdvisorTool | SubagentTool | ImageGenerationTool
_Computer: TypeAlias = FilesTool | BashTool | ShellTool | ApplyPatchTool

RequestTool: TypeAlias = (
    FunctionTool | _Search | WebFetchTool | DatetimeTool | _OtherModel | _Computer
)
"""Any tool that has a struct."""


class FunctionName(RequestStruct, kw_only=True):
    """The function that must be called."""

    name: str


class NamedToolChoice(RequestStruct, kw_only=True):
    """The model must call this function."""

    type: Literal["function"] = "function"
    function: OrMapping[FunctionName]


class ServerToolChoice(RequestStruct, kw_only=True):
    """The model must use this tool of OpenRouter's, such as ``openrouter:web_search``."""

    type: str


ToolChoice: TypeAlias = NamedToolChoice | ServerToolChoice
"""A choice of one tool; the others are words."""
