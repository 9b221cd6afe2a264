"""What an answer cost: token counts and money as the API reports them; nothing is estimated."""

from __future__ import annotations

from typing import Any, cast

from ._struct import WireStruct


class PromptTokensDetails(WireStruct):
    """Where the prompt's tokens went; every count is a part of `Usage.prompt_tokens`."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    video_tokens: int | None = None
    file_tokens: int | None = None


class CompletionTokensDetails(WireStruct):
    """Where the answer's tokens went; `reasoning_tokens` has been seen larger than all of them."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class CostDetails(WireStruct):
    """The provider's own price, and what server tools cost, in USD."""

    upstream_inference_cost: float | None = None
    upstream_inference_prompt_cost: float | None = None
    upstream_inference_completions_cost: float | None = None
    server_tool_cost: float | None = None


class Usage(WireStruct):
    """Tokens and money of one answer, from its last chunks; `+` adds those of several.

    Attributes:
        prompt_tokens: Tokens of the request, counted by the model's own tokenizer.
        completion_tokens: Tokens of the answer.
        total_tokens: Their sum.
        cost: USD charged by OpenRouter; None where the server does not say (never a guess).
        is_byok: Whether the provider was paid with the user's own provider key.
        server_tool_use_details: Counters of tools that OpenRouter ran.
        cache_creation: Tokens written to the prompt cache, by how long they stay.
        iterations: What each step took, where the provider took several.
        service_tier: The tier that served it.
        speed: How fast the model ran, ``fast`` or ``standard``.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    is_byok: bool | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None
    cost_details: CostDetails | None = None
    server_tool_use_details: dict[str, Any] | None = None
    server_tool_use: dict[str, Any] | None = None
    cache_creation: dict[str, Any] | None = None
    iterations: list[dict[str, Any]] | None = None
    service_tier: str | None = None
    speed: str | None = None

    # Parts of the counts above, which they must not be added to.

    @property
    def cached_tokens(self) -> int | None:
        """Those of `prompt_tokens` that were read from the prompt cache; None where not said."""
        details = self.prompt_tokens_details
        return details.cached_tokens if details is not None else None

    @property
    def cache_write_tokens(self) -> int | None:
        """Those of `prompt_tokens` that were written to the prompt cache; None where not said."""
        details = self.prompt_tokens_details
        return details.cache_write_tokens if details is not None else None

    @property
    def reasoning_tokens(self) -> int | None:
        """Tokens of the answer that were reasoning; None where not said."""
        details = self.completion_tokens_details
        return details.reasoning_tokens if details is not None else None

    @property
    def image_tokens(self) -> int | None:
        """Tokens of the answer that were images; None where not said."""
        details = self.completion_tokens_details
        return details.image_tokens if details is not None else None

    def __add__(self, other: Usage) -> Usage:
        return Usage.from_dict(_sum(self.to_dict(), other.to_dict()))


def _sum(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Add number by number; what only one side says stays as it is."""
    total = {**one, **other}
    for name in one.keys() & other.keys():
        first, second = one[name], other[name]
        if isinstance(first, dict) and isinstance(second, dict):
            total[name] = _sum(cast("dict[str, Any]", first), cast("dict[str, Any]", second))
        elif isinstance(first, bool):
            total[name] = first or second
        elif isinstance(first, int | float):
            total[name] = first + second
    return total
