"""``/observability``: destinations that OpenRouter sends traces of requests to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Required, TypeAlias

from msgspec import UNSET, Meta

from ._forms import Text, Uuid
from ._request import BodyKeywords, Maybe, Open, OrMapping, RequestStruct
from ._struct import SecretStruct
from .pages import PageQuery

_Kind: TypeAlias = Open[
    Literal["arize", "braintrust", "clickhouse", "datadog", "grafana", "langfuse", "langsmith"]
    | Literal["newrelic", "opik", "otel-collector", "posthog", "ramp", "s3", "sentry"]
    | Literal["snowflake", "weave", "webhook"]
]
_Field: TypeAlias = Open[
    Literal["model", "provider", "session_id", "user_id", "api_key_name", "finish_reason"]
    | Literal["input", "output", "total_cost", "total_tokens", "prompt_tokens"]
    | Literal["completion_tokens"]
]
_Operator: TypeAlias = Open[
    Literal["equals", "not_equals", "contains", "not_contains", "regex", "starts_with"]
    | Literal["ends_with", "gt", "lt", "gte", "lte", "exists", "not_exists"]
]
_Region: TypeAlias = Open[Literal["global", "europe", "us", "eu"]]
_Rate: TypeAlias = Annotated[float, Meta(gt=0, le=1)]


class FilterRule(RequestStruct, kw_only=True):
    """One condition on a request."""

    field: _Field
    operator: _Operator
    value: Maybe[str | float] = UNSET


class FilterGroup(RequestStruct, kw_only=True):
    """Conditions of which all must hold (``and``) or one (``or``)."""

    rules: Sequence[OrMapping[FilterRule]]
    logic: Maybe[Open[Literal["and", "or"]]] = UNSET


class FilterRules(RequestStruct, kw_only=True):
    """Which requests are told of."""

    groups: Sequence[OrMapping[FilterGroup]]
    enabled: Maybe[bool] = UNSET


class Destination(SecretStruct):
    """Where traces go; its repr shows nothing, as `config` may hold credentials.

    The service, such as ``langfuse``, decides what `config` holds; the API masks it. Told of is
    `sampling_rate`, from 0 to 1, of the requests that fit the rules, of the keys in
    `api_key_hashes` (None is all); in `privacy_mode` without prompts and answers.
    """

    id: str = ""
    type: str | None = None
    name: str | None = None
    enabled: bool | None = None
    config: dict[str, Any] | None = None
    api_key_hashes: list[str] | None = None
    filter_rules: dict[str, Any] | None = None
    sampling_rate: float | None = None
    privacy_mode: bool | None = None
    regions: list[str] | None = None
    broadcast_generation_cost: bool | None = None
    broadcast_generation_cost_allocation: bool | None = None
    broadcast_generation_identity: bool | None = None
    broadcast_generation_request_context: bool | None = None
    workspace_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class _Settings(BodyKeywords, total=False):
    enabled: bool
    api_key_hashes: Annotated[Sequence[str], Meta(min_length=1)] | None
    filter_rules: OrMapping[FilterRules] | None
    sampling_rate: _Rate
    privacy_mode: bool
    regions: Annotated[Sequence[_Region], Meta(min_length=1)]
    broadcast_generation_cost: bool
    broadcast_generation_cost_allocation: bool
    broadcast_generation_identity: bool
    broadcast_generation_request_context: bool


class NewDestination(_Settings, total=False):
    """Keywords of `Observability.create`."""

    type: Required[_Kind]
    name: Required[Text]
    config: Required[Mapping[str, Any]]
    workspace_id: Uuid


class DestinationChanges(_Settings, total=False):
    """Keywords of `Observability.update`."""

    name: Text
    config: Mapping[str, Any]


class DestinationQuery(PageQuery, total=False):
    """Keywords of `Observability.list`."""

    workspace_id: Uuid
