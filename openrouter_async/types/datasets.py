"""What is published of the use of models: ``/datasets``, ``/benchmarks``, ``/classifications``."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from ._forms import Day
from ._request import Open, QueryKeywords
from ._struct import WireStruct
from .models import Pricing

_Category: TypeAlias = Open[
    Literal["programming", "roleplay", "marketing", "marketing/seo", "technology", "science"]
    | Literal["translation", "legal", "finance", "health", "trivia", "academia"]
]


class ModelRanking(WireStruct):
    """How much a model was used on a day (or in a week or month that began on it)."""

    date: str | None = None
    model_permaslug: str | None = None
    total_tokens: int | None = None


class RankingQuery(QueryKeywords, total=False):
    """Which use of models to rank."""

    start_date: Day
    end_date: Day
    period: Open[Literal["day", "week", "month"]]
    modality: Open[Literal["text", "image", "image_output", "audio", "tool_calling"]]
    context_bucket: Open[Literal["1K", "10K", "100K", "1M", "10M"]]
    category: _Category
    language_type: Open[Literal["natural", "programming"]]


class AppRanking(WireStruct):
    """How much an app uses models."""

    rank: int | None = None
    app_id: int | None = None
    app_name: str | None = None
    total_requests: int | None = None
    total_tokens: int | None = None


class AppQuery(QueryKeywords, total=False):
    """Which apps to rank."""

    category: Open[Literal["coding", "creative", "productivity", "entertainment"]]
    subcategory: str
    sort: Open[Literal["popular", "trending"]]
    start_date: Day
    end_date: Day
    limit: Annotated[int, Meta(ge=1, le=100)]
    offset: Annotated[int, Meta(ge=0, le=100)]


class SessionCost(WireStruct):
    """What a session of an app costs with a model, in USD, by how many turns it has."""

    app_slug: str | None = None
    app_name: str | None = None
    model_permaslug: str | None = None
    turn_range: str | None = None
    median_session_cost_usd: float | None = None


class SessionCostQuery(QueryKeywords, total=False):
    """Which sessions to look at."""

    app_slug: str
    model: str
    turn_range: Open[Literal["1-turn", "2-9-turns", "10-49-turns", "50-plus-turns"]]
    limit: Annotated[int, Meta(ge=1, le=500)]
    offset: Annotated[int, Meta(ge=0, le=5000)]


class TournamentStats(WireStruct):
    """How often a model came where."""

    first_place: int | None = None
    second_place: int | None = None
    third_place: int | None = None
    fourth_place: int | None = None
    total: int | None = None


class RunConfig(WireStruct):
    """How a benchmark was run."""

    max_agent_turns: int | None = None
    reasoning_effort: str | None = None
    temperature: float | None = None


class Benchmark(WireStruct):
    """How a model did; which figures there are depends on the `source`.

    It is ``artificial-analysis`` (indices), ``design-arena`` (`elo`, `win_rate`) or ``openrouter``
    (`accuracy`, or for searches `primary_score`, which `primary_metric` names). Costs are USD.
    """

    source: str | None = None
    model_permaslug: str | None = None
    display_name: str | None = None
    pricing: Pricing | None = None
    intelligence_index: float | None = None
    coding_index: float | None = None
    agentic_index: float | None = None
    arena: str | None = None
    category: str | None = None
    elo: float | None = None
    win_rate: float | None = None
    avg_generation_time_ms: float | None = None
    tournament_stats: TournamentStats | None = None
    benchmark_type: str | None = None
    accuracy: float | None = None
    accuracy_stddev: float | None = None
    primary_metric: str | None = None
    primary_score: float | None = None
    avg_cost_per_task: float | None = None
    avg_latency_per_task_ms: float | None = None
    search_engine: str | None = None
    search_surface: str | None = None
    run_config: RunConfig | None = None
    total_tasks: int | None = None
    last_run_timestamp: str | None = None


class BenchmarkQuery(QueryKeywords, total=False):
    """Which results to list."""

    source: Open[Literal["artificial-analysis", "design-arena", "openrouter"]]
    task_type: Open[Literal["coding", "intelligence", "agentic", "search"]]
    benchmark_type: Open[
        Literal["gpqa_diamond", "tau_bench_verified_airline", "search_browsecomp", "search_hle"]
        | Literal["search_dsqa", "search_widesearch"]
    ]
    include_run_config: bool
    search_engine: str
    search_surface: Open[Literal["server-tool", "plugin"]]
    arena: Open[Literal["models", "builders", "agents"]]
    category: str
    max_results: Annotated[int, Meta(ge=1)]


class TaskModel(WireStruct):
    """A model's share of a task, from 0 to 1."""

    id: str | None = None
    tag_token_share: float | None = None
    tag_usage_share: float | None = None


class TaskTag(WireStruct):
    """A task, its share of all use and of its category's, and the models that do it."""

    tag: str | None = None
    display_name: str | None = None
    macro_category: str | None = None
    token_share: float | None = None
    usage_share: float | None = None
    category_token_share: float | None = None
    category_usage_share: float | None = None
    models: list[TaskModel] | None = None


class MacroCategory(WireStruct):
    """A category of tasks and its share of all use."""

    key: str | None = None
    label: str | None = None
    token_share: float | None = None
    usage_share: float | None = None


class TaskClassifications(WireStruct):
    """What models are used for."""

    as_of: str | None = None
    window_days: int | None = None
    classifications: list[TaskTag] | None = None
    macro_categories: list[MacroCategory] | None = None
