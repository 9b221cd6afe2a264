"""``/guardrails``: what keys and members may call, spend and say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Required, TypeAlias

from msgspec import UNSET, Meta

from ._forms import Text, Uuid
from ._request import BodyKeywords, Maybe, Open, OrMapping, RequestStruct
from ._struct import WireStruct
from .pages import PageQuery

_Action: TypeAlias = Open[Literal["redact", "block", "flag"]]
_Builtin: TypeAlias = Open[
    Literal["email", "phone", "ssn", "credit-card", "ip-address", "secrets", "person-name"]
    | Literal["address", "regex-prompt-injection"]
]
_Regions: TypeAlias = Sequence[Open[Literal["global", "europe", "us"]]]
_Some: TypeAlias = Annotated[Sequence[str], Meta(min_length=1)]
_Named: TypeAlias = Annotated[Sequence[Text], Meta(min_length=1)]


class ContentFilter(WireStruct):
    """What is done where a pattern is found: ``redact``, ``block`` or ``flag``."""

    pattern: str | None = None
    action: str | None = None
    label: str | None = None


class BuiltinFilter(WireStruct):
    """What is done where OpenRouter finds something of a kind, such as ``email``."""

    slug: str | None = None
    action: str | None = None
    label: str | None = None
    scan_scope: str | None = None


class Guardrail(WireStruct):
    """A guardrail; None in a list of models or providers is all of them.

    `limit_usd` is the most that each key or member may spend, in USD, until it begins anew:
    ``daily``, ``weekly`` or ``monthly``. `enforce_zdr`, for all providers or one, is whether only
    endpoints with zero data retention are called.
    """

    id: str = ""
    name: str | None = None
    description: str | None = None
    workspace_id: str | None = None
    limit_usd: float | None = None
    reset_interval: str | None = None
    include_byok_in_budgets: bool | None = None
    allowed_models: list[str] | None = None
    ignored_models: list[str] | None = None
    allowed_providers: list[str] | None = None
    ignored_providers: list[str] | None = None
    allowed_data_regions: list[str] | None = None
    enforce_zdr: bool | None = None
    enforce_zdr_anthropic: bool | None = None
    enforce_zdr_google: bool | None = None
    enforce_zdr_openai: bool | None = None
    enforce_zdr_xai: bool | None = None
    enforce_zdr_other: bool | None = None
    allow_safety_retention_google: bool | None = None
    allow_safety_retention_other: bool | None = None
    enable_free_model_publication: bool | None = None
    enable_free_model_training: bool | None = None
    enable_paid_model_training: bool | None = None
    content_filters: list[ContentFilter] | None = None
    content_filter_builtins: list[BuiltinFilter] | None = None
    created_at: str | None = None
    updated_at: str | None = None


class KeyAssignment(WireStruct):
    """An API key that is under a guardrail."""

    id: str = ""
    guardrail_id: str | None = None
    key_hash: str | None = None
    key_name: str | None = None
    key_label: str | None = None
    assigned_by: str | None = None
    created_at: str | None = None


class MemberAssignment(WireStruct):
    """Somebody of the organization who is under a guardrail."""

    id: str = ""
    guardrail_id: str | None = None
    user_id: str | None = None
    organization_id: str | None = None
    assigned_by: str | None = None
    created_at: str | None = None


class AssignedCount(WireStruct):
    """How many were put under a guardrail."""

    assigned_count: int = 0


class UnassignedCount(WireStruct):
    """How many were taken from under a guardrail."""

    unassigned_count: int = 0


class NewContentFilter(RequestStruct, kw_only=True):
    """What to do where a pattern, a regular expression, is found."""

    pattern: Text
    action: _Action
    label: Maybe[str | None] = UNSET


class NewBuiltinFilter(RequestStruct, kw_only=True):
    """What to do where OpenRouter finds something of a kind."""

    slug: _Builtin
    action: _Action
    label: Maybe[str] = UNSET
    scan_scope: Maybe[Open[Literal["user_only", "all_messages"]]] = UNSET


class _Settings(BodyKeywords, total=False):
    description: str | None
    limit_usd: Annotated[float, Meta(gt=0)] | None
    reset_interval: Open[Literal["daily", "weekly", "monthly"]] | None
    include_byok_in_budgets: bool
    allowed_models: _Some | None
    ignored_models: _Some | None
    allowed_providers: _Some | None
    ignored_providers: _Some | None
    allowed_data_regions: _Regions | None
    enforce_zdr: bool | None
    enforce_zdr_anthropic: bool | None
    enforce_zdr_google: bool | None
    enforce_zdr_openai: bool | None
    enforce_zdr_xai: bool | None
    enforce_zdr_other: bool | None
    allow_safety_retention_google: bool | None
    allow_safety_retention_other: bool | None
    enable_free_model_publication: bool | None
    enable_free_model_training: bool | None
    enable_paid_model_training: bool | None
    content_filters: Sequence[OrMapping[NewContentFilter]] | None
    content_filter_builtins: Sequence[OrMapping[NewBuiltinFilter]] | None


class NewGuardrail(_Settings, total=False):
    """Keywords of `Guardrails.create`."""

    name: Required[Text]
    workspace_id: Uuid


class GuardrailChanges(_Settings, total=False):
    """Keywords of `Guardrails.update`."""

    name: Text


class GuardrailQuery(PageQuery, total=False):
    """Keywords of `Guardrails.list`."""

    workspace_id: Uuid


class KeysToAssign(BodyKeywords, total=False):
    """Keywords of `Guardrails.assign_keys` and `unassign_keys`."""

    key_hashes: Required[_Named]


class MembersToAssign(BodyKeywords, total=False):
    """Keywords of `Guardrails.assign_members` and `unassign_members`."""

    member_user_ids: Required[_Named]
