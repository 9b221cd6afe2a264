"""The entries of ``plugins``, one struct for each plugin that the API documents.

A plugin that is newer than this list is sent as the plain mapping that it is given as.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta

from ._request import Maybe, Open, OrAnyMapping, OrMapping, RequestStruct

WebSearchMode: TypeAlias = Open[
    Literal["instant", "fast", "auto", "deep-lite", "deep", "deep-reasoning"]
    | Literal["turbo", "basic", "advanced"]
]
"""How thoroughly to search: the first six are Exa's words, the others Parallel's."""

_ModelPatterns: TypeAlias = Annotated[
    Sequence[Annotated[str, Meta(max_length=1024)]], Meta(max_length=1024)
]


class UserLocation(RequestStruct, kw_only=True):
    """Roughly where the user is, for a web search."""

    type: Open[Literal["approximate"]] = "approximate"
    city: Maybe[str | None] = UNSET
    region: Maybe[str | None] = UNSET
    country: Maybe[str | None] = UNSET
    timezone: Maybe[str | None] = UNSET


class WebPlugin(RequestStruct, kw_only=True):
    """Search the web once, before the model answers; deprecated for `WebSearchTool`."""

    id: Literal["web"] = "web"
    enabled: Maybe[bool] = UNSET
    engine: Maybe[Open[Literal["native", "exa", "firecrawl", "parallel", "perplexity"]]] = UNSET
    mode: Maybe[WebSearchMode] = UNSET
    max_results: Maybe[Annotated[int, Meta(ge=1, le=25)]] = UNSET
    max_uses: Maybe[int] = UNSET
    search_prompt: Maybe[str] = UNSET
    include_domains: Maybe[Sequence[str]] = UNSET
    exclude_domains: Maybe[Sequence[str]] = UNSET
    user_location: Maybe[OrMapping[UserLocation] | None] = UNSET


class WebFetchPlugin(RequestStruct, kw_only=True):
    """Let the model read web pages."""

    id: Literal["web-fetch"] = "web-fetch"
    enabled: Maybe[bool] = UNSET
    allowed_domains: Maybe[Sequence[str]] = UNSET
    blocked_domains: Maybe[Sequence[str]] = UNSET
    max_content_tokens: Maybe[int] = UNSET
    max_uses: Maybe[int] = UNSET


class PDFOptions(RequestStruct, kw_only=True):
    """Who reads PDF documents."""

    engine: Maybe[Open[Literal["mistral-ocr", "cloudflare-ai", "native", "pdf-text"]]] = UNSET


class FileParserPlugin(RequestStruct, kw_only=True):
    """How documents become text."""

    id: Literal["file-parser"] = "file-parser"
    enabled: Maybe[bool] = UNSET
    pdf: Maybe[OrMapping[PDFOptions]] = UNSET
    max_files: Maybe[int] = UNSET


class ResponseHealingPlugin(RequestStruct, kw_only=True):
    """Mend the JSON of an answer that is not streamed."""

    id: Literal["response-healing"] = "response-healing"
    enabled: Maybe[bool] = UNSET


class ModerationPlugin(RequestStruct, kw_only=True):
    """Check the prompt before it goes to a provider."""

    id: Literal["moderation"] = "moderation"
    enabled: Maybe[bool] = UNSET


class ContextCompressionPlugin(RequestStruct, kw_only=True):
    """Shorten a prompt that is too long for the model."""

    id: Literal["context-compression"] = "context-compression"
    enabled: Maybe[bool] = UNSET
    engine: Maybe[Open[Literal["middle-out"]]] = UNSET


class AutoRouterPlugin(RequestStruct, kw_only=True):
    """Which models ``openrouter/auto``, or ``openrouter/auto-beta``, may choose."""

    id: Literal["auto-router", "auto-beta-router"] = "auto-router"
    enabled: Maybe[bool] = UNSET
    allowed_models: Maybe[_ModelPatterns] = UNSET
    excluded_models: Maybe[_ModelPatterns] = UNSET
    cost_tier: Maybe[Open[Literal["low", "medium", "high", "xhigh", "max"]]] = UNSET
    cost_quality_tradeoff: Maybe[Annotated[int, Meta(ge=0, le=10)]] = UNSET
    pin_model: Maybe[bool] = UNSET


class ParetoRouterPlugin(RequestStruct, kw_only=True):
    """What ``openrouter/pareto-code`` chooses by; `max_price` is USD a million tokens."""

    id: Literal["pareto-router"] = "pareto-router"
    enabled: Maybe[bool] = UNSET
    min_coding_score: Maybe[Annotated[float, Meta(ge=0, le=1)]] = UNSET
    max_price: Maybe[Annotated[float, Meta(ge=0)]] = UNSET
    price_source: Maybe[Open[Literal["prompt", "weighted_avg"]]] = UNSET


class FusionPlugin(RequestStruct, kw_only=True):
    """Several models analyse, one answers."""

    id: Literal["fusion"] = "fusion"
    enabled: Maybe[bool] = UNSET
    preset: Maybe[Open[Literal["general-high", "general-budget", "general-fast"]]] = UNSET
    analysis_models: Maybe[Annotated[Sequence[str], Meta(min_length=1, max_length=8)]] = UNSET
    model: Maybe[str] = UNSET
    max_tool_calls: Maybe[Annotated[int, Meta(ge=1, le=16)]] = UNSET
    tools: Maybe[Annotated[Sequence[OrAnyMapping[RequestStruct]], Meta(max_length=8)]] = UNSET


_Check: TypeAlias = ModerationPlugin | ResponseHealingPlugin | ContextCompressionPlugin
_Router: TypeAlias = AutoRouterPlugin | ParetoRouterPlugin | FusionPlugin

Plugin: TypeAlias = WebPlugin | WebFetchPlugin | FileParserPlugin | _Check | _Router
"""Any plugin that has a struct."""
