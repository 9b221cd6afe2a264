"""API keys: ``/keys`` for management, and ``/key`` for a key's own record."""

from __future__ import annotations

from typing import Annotated, Literal, Required, TypeAlias

from msgspec import UNSET, Meta

from ._forms import Moment, Text, Uuid
from ._request import BodyKeywords, Maybe, Open, OrMapping, QueryKeywords, RequestStruct
from ._struct import SecretStruct, WireStruct

_Reset: TypeAlias = Open[Literal["daily", "weekly", "monthly"]] | None
_Limit: TypeAlias = Annotated[float, Meta(ge=0)] | None


class KeyUsage(WireStruct):
    """What a key may spend and has spent, in USD; ``byok_`` is what own provider keys paid for.

    `label` is the key with its middle left out. Where `limit` is None, there is none; else it
    begins anew ``daily``, ``weekly``, ``monthly`` or never, and `include_byok_in_limit` tells
    whether what own provider keys paid for counts towards it. `expires_at` is in ISO 8601.
    """

    label: str | None = None
    limit: float | None = None
    limit_remaining: float | None = None
    limit_reset: str | None = None
    include_byok_in_limit: bool | None = None
    usage: float | None = None
    usage_daily: float | None = None
    usage_weekly: float | None = None
    usage_monthly: float | None = None
    byok_usage: float | None = None
    byok_usage_daily: float | None = None
    byok_usage_weekly: float | None = None
    byok_usage_monthly: float | None = None
    creator_user_id: str | None = None
    expires_at: str | None = None


class Key(KeyUsage):
    """An API key of the account, named by its `hash`, the SHA-256 of the key itself."""

    hash: str = ""
    name: str | None = None
    disabled: bool | None = None
    workspace_id: str | None = None
    external_user: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    last_used_at: str | None = None


class CreatedKey(SecretStruct):
    """A key that was just made: no other answer ever shows the key itself."""

    key: str | None = None
    data: Key | None = None


class KeyRateLimit(WireStruct):
    """What older clients read; the API says that it means nothing any more."""

    requests: int | None = None
    interval: str | None = None
    note: str | None = None


class KeyBudget(WireStruct):
    """A budget that a key is under, in USD; `scope` tells whose it is."""

    budget_id: str | None = None
    guardrail_id: str | None = None
    scope: str | None = None
    limit_usd: float | None = None
    spend_usd: float | None = None
    remaining_usd: float | None = None
    include_byok: bool | None = None
    reset_interval: str | None = None
    resets_at: str | None = None


class FreeRequests(WireStruct):
    """How many requests to free models a day allows."""

    limit: int | None = None
    remaining: int | None = None
    used: int | None = None


class CurrentKey(KeyUsage):
    """The key that a client uses; one for management calls is none for models.

    `is_free_tier` tells that its account never bought credits; `effective_budget` is the one of its
    budgets that is used up first; the free requests are those of today.
    """

    is_free_tier: bool | None = None
    is_management_key: bool | None = None
    is_provisioning_key: bool | None = None
    rate_limit: KeyRateLimit | None = None
    workspace_id: str | None = None
    organization_id: str | None = None
    allowed_data_regions: list[str] | None = None
    budgets: list[KeyBudget] | None = None
    effective_budget: KeyBudget | None = None
    free_model_daily_requests: FreeRequests | None = None


class KeyQuery(QueryKeywords, total=False):
    """Which keys to list: of the default workspace unless ``workspace_id`` names one."""

    include_disabled: bool
    include_expired: bool
    workspace_id: Uuid
    offset: int


class External(RequestStruct):
    """The `user` of an app that gives keys to its users, and the `api_key` that it has for them."""

    user: Text
    api_key: Maybe[str | None] = UNSET


class NewKey(BodyKeywords, total=False):
    """What a new key is like; ``limit`` is in USD, ``expires_at`` must be in UTC."""

    name: Required[Text]
    limit: _Limit
    limit_reset: _Reset
    include_byok_in_limit: bool
    expires_at: Moment | None
    workspace_id: Uuid
    creator_user_id: Text | None
    external: OrMapping[External]


class KeyChanges(BodyKeywords, total=False):
    """What to change of a key; what is not given stays, None takes a limit away."""

    name: str
    disabled: bool
    limit: _Limit
    limit_reset: _Reset
    include_byok_in_limit: bool
    workspace_id: Uuid
