"""Money and activity of an account: ``/credits``, ``/activity`` and ``/analytics``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, Any, Literal, Required, TypeAlias, TypedDict

from msgspec import UNSET, Meta, field

from ._forms import Day, Moment, Text, Uuid
from ._request import BodyKeywords, Maybe, Open, OrMapping, QueryKeywords, RequestStruct
from ._struct import WireStruct


class CreditBalance(WireStruct):
    """What an account bought and used, in USD."""

    total_credits: float | None = None
    total_usage: float | None = None

    @property
    def remaining(self) -> float | None:
        """USD that are left; None where the API does not say."""
        if self.total_credits is None or self.total_usage is None:
            return None
        return self.total_credits - self.total_usage


class ChainID(IntEnum):
    """The chains on which credits could be paid for."""

    ETHEREUM = 1
    POLYGON = 137
    BASE = 8453


class CoinbaseFields(TypedDict, total=False):
    """What a charge was to be: USD, the sender's address, and the chain."""

    amount: Required[Annotated[float, Meta(gt=0)]]
    sender: Required[Text]
    chain_id: Required[ChainID]


class CoinbaseCharge(WireStruct):
    """A charge to be paid; `web3_data` says how."""

    id: str | None = None
    created_at: str | None = None
    expires_at: str | None = None
    web3_data: dict[str, Any] | None = None


class Activity(WireStruct):
    """What was done with one endpoint of a model on one day of UTC.

    `usage` is USD that OpenRouter charged, `byok_usage_inference` USD that providers charged to
    keys of one's own; `model_permaslug` never changes.
    """

    date: str | None = None
    model: str | None = None
    model_permaslug: str | None = None
    endpoint_id: str | None = None
    provider_name: str | None = None
    usage: float | None = None
    byok_usage_inference: float | None = None
    requests: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    workspace_id: str | None = None


class ActivityQuery(QueryKeywords, total=False):
    """Which activity to list: of the last 30 days of UTC, unless ``date`` names one of them."""

    date: Day
    api_key_hash: Text
    user_id: Text
    group_by: Open[Literal["workspace"]]
    workspace_id: Uuid


class AnalyticsMetric(WireStruct):
    """A figure that can be asked for."""

    name: str | None = None
    display_label: str | None = None
    display_format: str | None = None
    is_rate: bool | None = None


class AnalyticsDimension(WireStruct):
    """What figures can be told apart by."""

    name: str | None = None
    display_label: str | None = None


class AnalyticsGranularity(WireStruct):
    """How long one step of time is."""

    name: str | None = None
    display_label: str | None = None


class AnalyticsOperator(WireStruct):
    """How a filter compares; `value_type` is ``scalar`` or ``array``."""

    name: str | None = None
    value_type: str | None = None


class AnalyticsMeta(WireStruct):
    """What `Analytics.query` can be asked for."""

    metrics: list[AnalyticsMetric] | None = None
    dimensions: list[AnalyticsDimension] | None = None
    operators: list[AnalyticsOperator] | None = None
    granularities: list[AnalyticsGranularity] | None = None


_Value: TypeAlias = str | float | Sequence[str | float]


class AnalyticsFilter(RequestStruct):
    """A condition; `include_unset` lets rows through that have no such field."""

    field: str
    operator: Open[Literal["eq", "neq", "in", "not_in", "gt", "gte", "lt", "lte"]]
    value: _Value
    include_unset: Maybe[bool] = UNSET


class AnalyticsOrder(RequestStruct):
    """What to sort by."""

    field: str
    direction: Open[Literal["asc", "desc"]] = "desc"


class TimeRange(RequestStruct):
    """From when until when."""

    start: Moment
    end: Moment


class ClassifierDimensions(RequestStruct):
    """Tell figures apart by what a classifier of the account's own found."""

    classifier_id: Uuid
    dimension_names: Maybe[Annotated[Sequence[str], Meta(max_length=2)]] = UNSET
    include_nulls: Maybe[bool] = UNSET


class ClassifierFilters(RequestStruct):
    """Conditions on what a classifier of the account's own found."""

    classifier_id: Uuid
    filters: Annotated[Sequence[OrMapping[AnalyticsFilter]], Meta(min_length=1, max_length=10)]


class AnalyticsQuery(BodyKeywords, total=False):
    """A question to the account's figures; `Analytics.meta` lists the names it may use."""

    metrics: Required[Annotated[Sequence[str], Meta(min_length=1)]]
    dimensions: Annotated[Sequence[str], Meta(max_length=2)]
    filters: Annotated[Sequence[OrMapping[AnalyticsFilter]], Meta(max_length=20)]
    granularity: Open[Literal["minute", "hour", "day", "week", "month"]]
    time_range: OrMapping[TimeRange]
    limit: Annotated[int, Meta(ge=1)]
    group_limit: Annotated[int, Meta(ge=1)]
    order_by: OrMapping[AnalyticsOrder]
    classifier_dimensions: OrMapping[ClassifierDimensions]
    classifier_filters: OrMapping[ClassifierFilters]


class AnalyticsMetadata(WireStruct):
    """How a question was answered; `truncated` tells that there is more."""

    query_time_ms: float | None = None
    row_count: int | None = None
    truncated: bool | None = None


class AnalyticsResult(WireStruct):
    """Rows of figures by the names asked for; `cached_at` is in milliseconds since the epoch."""

    data: list[dict[str, Any]] | None = None
    metadata: AnalyticsMetadata | None = None
    warnings: list[str] | None = None
    cached_at: float | None = field(default=None, name="cachedAt")
