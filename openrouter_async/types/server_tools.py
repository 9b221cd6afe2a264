"""``/tools``: the catalogue of tools that OpenRouter runs itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from ._request import Open
from ._struct import WireStruct
from .pages import PageQuery


class ServerToolPrice(WireStruct):
    """What one unit of an engine's work costs, in USD."""

    unit: str | None = None
    price: Decimal | None = None
    mode: str | None = None
    max_units_per_call: int | None = None


class ServerToolEngine(WireStruct):
    """Who does a tool's work, where, and for how much.

    `executed_by` is ``provider``, ``openrouter`` or ``client``; a key of the user's own is
    ``required``, ``optional``, or of no use.
    """

    id: str | None = None
    name: str | None = None
    executed_by: str | None = None
    byok: str | None = None
    default_mode: str | None = None
    data_regions: list[str] | None = None
    pricing: list[ServerToolPrice] | None = None
    pricing_doc_url: str | None = None
    pricing_source: str | None = None


class ServerToolOutput(WireStruct):
    """How a tool's work is called in the answers of one dialect."""

    api_format: str | None = None
    type: str | None = None
    name: str | None = None


class ServerToolInput(WireStruct):
    """How a tool is called in the requests of some dialects."""

    type: str | None = None
    api_formats: list[str] | None = None
    output_names: list[ServerToolOutput] | None = None


class NativeToolModel(WireStruct):
    """A model that has a tool of its own, and the providers where it has."""

    slug: str = ""
    providers: list[str] | None = None


class NativeSupport(WireStruct):
    """How many models have such a tool of their own; which ones, only `ServerTools.get` says."""

    model_count: int | None = None
    endpoint_count: int | None = None
    models: list[NativeToolModel] | None = None


class ServerTool(WireStruct):
    """A tool that OpenRouter runs, ``active`` or ``deprecated``.

    `parameters_schema` is the JSON schema of its settings in a request, `input_schema` of what a
    model gives it, `output_schema` of what it gives back; `tool_description` is told to the model.
    """

    id: str = ""
    name: str | None = None
    summary: str | None = None
    status: str | None = None
    docs_url: str | None = None
    tool_description: str | None = None
    aliases: list[ServerToolInput] | None = None
    supported_api_formats: list[str] | None = None
    parameters_schema: dict[str, Any] | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    engines: list[ServerToolEngine] | None = None
    default_engine: str | None = None
    fallback_engine: str | None = None
    native_support: NativeSupport | None = None


class ServerToolQuery(PageQuery, total=False):
    """Keywords of `ServerTools.list`."""

    api_format: Open[Literal["responses", "chat-completions", "anthropic-messages"]]
