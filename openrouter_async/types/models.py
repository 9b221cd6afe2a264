"""The models that the API offers, with what they can do and what they cost.

What may live here: the rows of ``GET /models`` as they come. Prices are `Decimal`, never float:
they are multiplied by millions. What a request costs by them is reckoned in `_price`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from ._request import Open, QueryKeywords
from ._struct import WireStruct
from .usage import Usage


class TokenPrices(WireStruct):
    """Prices in USD for one token that an override can replace."""

    prompt: Decimal | None = None
    completion: Decimal | None = None
    input_cache_read: Decimal | None = None
    input_cache_write: Decimal | None = None
    input_cache_write_1h: Decimal | None = None
    audio: Decimal | None = None
    input_audio_cache: Decimal | None = None


class PriceOverride(TokenPrices):
    """Prices that replace the model's where every condition of this entry holds.

    The prompt has more than `min_prompt_tokens`; it is `utc_start` or later and before `utc_end`
    (numbers HHMM, perhaps past midnight), on one of `utc_days`, such as ``monday``.
    """

    min_prompt_tokens: int | None = None
    utc_start: int | None = None
    utc_end: int | None = None
    utc_days: list[str] | None = None


class Pricing(TokenPrices):
    """Prices in USD for one token, request or unit; a router's are negative, for "it depends".

    `image` is for one image of the prompt, `image_token` for a token of it, `audio` for a token of
    sound; `image_output` and `audio_output` are for tokens of the answer, `web_search` for one
    search, `internal_reasoning` where that has a price of its own. `discount`, from 0 to 1, is
    taken off already; of `overrides` the later win, price by price.
    """

    request: Decimal | None = None
    image: Decimal | None = None
    image_token: Decimal | None = None
    image_output: Decimal | None = None
    audio_output: Decimal | None = None
    web_search: Decimal | None = None
    internal_reasoning: Decimal | None = None
    discount: float | None = None
    overrides: list[PriceOverride] | None = None


class Architecture(WireStruct):
    """What a model takes and gives."""

    modality: str | None = None
    input_modalities: list[str] | None = None
    output_modalities: list[str] | None = None
    tokenizer: str | None = None
    instruct_type: str | None = None


class TopProvider(WireStruct):
    """What the provider that is asked first allows, in tokens."""

    context_length: int | None = None
    max_completion_tokens: int | None = None
    is_moderated: bool | None = None


class RequestLimits(WireStruct):
    """The most tokens that one request may have."""

    prompt_tokens: float | None = None
    completion_tokens: float | None = None


class DefaultParameters(WireStruct):
    """What applies where a request does not say."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None


class ModelReasoning(WireStruct):
    """How a model reasons; `supported_efforts` of None means all of them."""

    mandatory: bool | None = None
    supported_efforts: list[str] | None = None
    default_effort: str | None = None
    default_enabled: bool | None = None
    supports_max_tokens: bool | None = None


class ArtificialAnalysis(WireStruct):
    """Scores of Artificial Analysis."""

    intelligence_index: float | None = None
    coding_index: float | None = None
    agentic_index: float | None = None


class DesignArena(WireStruct):
    """A rank in one category of Design Arena."""

    arena: str | None = None
    category: str | None = None
    elo: float | None = None
    rank: int | None = None
    win_rate: float | None = None


class Benchmarks(WireStruct):
    """How a model does in tests of others."""

    artificial_analysis: ArtificialAnalysis | None = None
    design_arena: list[DesignArena] | None = None


class AliasTarget(WireStruct):
    """The model that an alias such as ``~author/family-latest`` stands for."""

    name: str | None = None
    slug: str | None = None


class ModelLinks(WireStruct):
    """Where more is said of a model."""

    details: str | None = None


class Model(WireStruct):
    """One model of ``GET /models``.

    `id` is the slug to ask for, `canonical_slug` the one that never changes; `created` is in
    seconds since the epoch; `context_length` counts tokens of prompt and answer together; voices
    are for speech. `knowledge_cutoff` is the last day of what it knows and `expiration_date` the
    day from which on it is gone, as YYYY-MM-DD.
    """

    id: str = ""
    canonical_slug: str | None = None
    name: str = ""
    created: int | None = None
    description: str | None = None
    hugging_face_id: str | None = None
    context_length: int | None = None
    architecture: Architecture | None = None
    pricing: Pricing | None = None
    top_provider: TopProvider | None = None
    per_request_limits: RequestLimits | None = None
    supported_parameters: list[str] | None = None
    supported_voices: list[str] | None = None
    default_parameters: DefaultParameters | None = None
    knowledge_cutoff: str | None = None
    expiration_date: str | None = None
    reasoning: ModelReasoning | None = None
    benchmarks: Benchmarks | None = None
    alias_target: AliasTarget | None = None
    links: ModelLinks | None = None

    def price(self, usage: Usage, *, at: datetime | None = None) -> Decimal | None:
        """Reckon what an answer with this usage costs by the model's list of prices.

        Args:
            usage: The tokens of the answer.
            at: When it was asked for, as some prices depend on the hour; by default now.

        Returns:
            USD, exactly; None where the model lists no price of its own, as routers do.

        Raises:
            ValueError: `at` has no time zone.

        >>> prices = Pricing(prompt=Decimal("0.00000015"), completion=Decimal("0.0000006"))
        >>> Model(pricing=prices).price(Usage(prompt_tokens=1000, completion_tokens=500))
        Decimal('0.00045000')
        """
        from ._price import price_of

        return None if self.pricing is None else price_of(self.pricing, usage, at)


class PageLinks(WireStruct):
    """Where the next page is, as a URL without a host; None on the last one."""

    next: str | None = None


class ModelList(WireStruct):
    """The answer of ``GET /models``."""

    data: list[Model] = field(default_factory=list[Model])
    total_count: int | None = None
    links: PageLinks | None = None
    error: dict[str, Any] | None = None


class ModelCount(WireStruct):
    """How many models there are."""

    count: int | None = None


class ModelsPage(QueryKeywords, total=False):
    """Where in a list of models to begin, and how many rows a page is to have."""

    offset: Annotated[int, Meta(ge=0)]
    limit: Annotated[int, Meta(ge=1, le=1000)]


class ModelQuery(ModelsPage, total=False):
    """Which models to list, and in which order; a sequence asks for models with all of it.

    Prices are in USD a million tokens, ``context`` is the least number of tokens, ages are in
    days, indices are those of `Benchmarks`, rates are from 0 to 1.
    """

    q: str
    category: str
    supported_parameters: str | Sequence[str]
    input_modalities: str | Sequence[str]
    output_modalities: str | Sequence[str]
    sort: Open[
        Literal["most-popular", "newest", "top-weekly", "pricing-low-to-high"]
        | Literal["pricing-high-to-low", "context-high-to-low", "throughput-high-to-low"]
        | Literal["latency-low-to-high", "intelligence-high-to-low", "coding-high-to-low"]
        | Literal["agentic-high-to-low", "design-arena-elo-high-to-low"]
    ]
    context: int
    min_price: float
    max_price: float
    min_output_price: float
    max_output_price: float
    arch: str
    model_authors: str | Sequence[str]
    providers: str | Sequence[str]
    distillable: bool
    zdr: bool
    region: Open[Literal["eu", "us"]]
    min_age_days: int
    max_age_days: int
    min_intelligence_index: float
    max_intelligence_index: float
    min_coding_index: float
    max_coding_index: float
    min_agentic_index: float
    max_agentic_index: float
    min_tool_success_rate: float
    max_tool_success_rate: float


class UserModelQuery(ModelsPage, total=False):
    """Which of the models that the account may use to list."""

    output_modalities: str | Sequence[str]
    sort: str
