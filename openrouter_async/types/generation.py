"""``GET /generation``: the record of a generation, nearly all of which has been seen null."""

from __future__ import annotations

from ._struct import KeptStruct
from .usage import CompletionTokensDetails, CostDetails, PromptTokensDetails, Usage


class ProviderResponse(KeptStruct):
    """One try at one provider; `latency` is in milliseconds."""

    endpoint_id: str | None = None
    id: str | None = None
    is_byok: bool | None = None
    latency: float | None = None
    model_permaslug: str | None = None
    provider_name: str | None = None
    status: int | None = None
    routed_service_tier: str | None = None


class GenerationRecord(KeptStruct):
    """What OpenRouter has noted of one generation, complete some moments after its end.

    ``tokens_`` are counted by one tokenizer for all models, ``native_tokens_`` by the model's own,
    and those are charged. `usage` and `total_cost` are USD charged, `upstream_inference_cost` USD
    that the provider charged to the user's own key, `cache_discount` USD that the prompt cache
    saved, negative where writing it cost more. `latency` (to the first token), `generation_time`
    and `moderation_latency` are milliseconds. `cancelled` tells that the client left before the
    end.
    """

    id: str | None = None
    request_id: str | None = None
    upstream_id: str | None = None
    model: str | None = None
    router: str | None = None
    provider_name: str | None = None
    api_type: str | None = None
    created_at: str | None = None
    streamed: bool | None = None
    cancelled: bool | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    tokens_prompt: int | None = None
    tokens_completion: int | None = None
    native_tokens_prompt: int | None = None
    native_tokens_completion: int | None = None
    native_tokens_reasoning: int | None = None
    native_tokens_cached: int | None = None
    native_tokens_completion_images: int | None = None
    num_media_prompt: int | None = None
    num_media_completion: int | None = None
    num_input_audio_prompt: int | None = None
    num_search_results: int | None = None
    num_fetches: int | None = None
    usage: float | None = None
    total_cost: float | None = None
    upstream_inference_cost: float | None = None
    cache_discount: float | None = None
    is_byok: bool | None = None
    latency: float | None = None
    generation_time: float | None = None
    moderation_latency: float | None = None
    service_tier: str | None = None
    data_region: str | None = None
    origin: str | None = None
    http_referer: str | None = None
    user_agent: str | None = None
    external_user: str | None = None
    app_id: int | str | None = None
    session_id: str | None = None
    preset_id: str | None = None
    workspace_id: str | None = None
    web_search_engine: str | None = None
    response_cache_source_id: str | None = None
    provider_responses: list[ProviderResponse] | None = None

    @property
    def cost(self) -> float | None:
        """USD charged; None where the record does not say."""
        return self.total_cost if self.total_cost is not None else self.usage

    def to_usage(self) -> Usage:
        """Give tokens and cost in the form in which an answer carries them."""
        prompt = _first(self.native_tokens_prompt, self.tokens_prompt)
        completion = _first(self.native_tokens_completion, self.tokens_completion)
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            cost=self.cost,
            is_byok=self.is_byok,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=self.native_tokens_cached),
            completion_tokens_details=CompletionTokensDetails(
                reasoning_tokens=self.native_tokens_reasoning,
                image_tokens=self.native_tokens_completion_images,
            ),
            cost_details=CostDetails(upstream_inference_cost=self.upstream_inference_cost),
        )


def _first(native: int | None, counted: int | None) -> int:
    return (native if native is not None else counted) or 0
