"""Providers and their endpoints: ``/models/.../endpoints``, ``/endpoints/zdr``, ``/providers``."""

from __future__ import annotations

from typing import Any

from ._struct import WireStruct
from .models import Architecture, Pricing


class Percentiles(WireStruct):
    """How a figure is distributed; half of the requests were at `p50` or below."""

    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p99: float | None = None


class Performance(WireStruct):
    """How one kind of work went: milliseconds to the first token, and tokens a second."""

    latency: Percentiles | None = None
    throughput: Percentiles | None = None
    request_count: int | None = None


class ToolChoices(WireStruct):
    """Which ways of choosing a tool an endpoint knows."""

    auto: bool | None = None
    function: bool | None = None
    none: bool | None = None
    required: bool | None = None


class Endpoint(WireStruct):
    """One way in which a provider serves a model; a service tier is an endpoint of its own.

    `tag` is what `provider.order` and the like name it by, such as ``openai/priority``. `status` is
    0 where it is well, and the lower, the worse; uptime is percent of requests that went well.
    Latency is milliseconds to the first token, throughput tokens a second, also by kind of work,
    such as ``text_generation``. `context_length` counts prompt and answer together; `quantization`
    is how weights are stored, such as ``fp8``; `native_tools` are run by the provider itself.
    """

    name: str | None = None
    tag: str | None = None
    provider_name: str | None = None
    model_id: str | None = None
    model_name: str | None = None
    context_length: int | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    pricing: Pricing | None = None
    quantization: str | None = None
    service_tier: str | None = None
    status: int | None = None
    supported_parameters: list[str] | None = None
    supports_implicit_caching: bool | None = None
    supports_voice_cloning: bool | None = None
    supports_diarization: bool | None = None
    supports_image_reference: bool | None = None
    supports_multiple_audio_references: bool | None = None
    supports_tool_choice: ToolChoices | None = None
    native_tools: dict[str, Any] | None = None
    uptime_last_5m: float | None = None
    uptime_last_30m: float | None = None
    uptime_last_1d: float | None = None
    latency_last_30m: Percentiles | None = None
    throughput_last_30m: Percentiles | None = None
    perf_last_30m_by_workload: dict[str, Performance | None] | None = None


class ModelEndpoints(WireStruct):
    """A model with all who serve it."""

    id: str | None = None
    name: str | None = None
    created: int | None = None
    description: str | None = None
    architecture: Architecture | None = None
    endpoints: list[Endpoint] | None = None


class Provider(WireStruct):
    """A company that serves models, named in requests by its `slug`; countries have two letters."""

    name: str | None = None
    slug: str | None = None
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None
    status_page_url: str | None = None
    headquarters: str | None = None
    datacenters: list[str] | None = None
