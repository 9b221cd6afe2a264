"""``/private-endpoints``: endpoints of the account's own, which no other account can use."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Required, TypeAlias

from msgspec import UNSET

from ._forms import Amount, Text, Uuid
from ._request import BodyKeywords, Maybe, Open, OrMapping, QueryKeywords, RequestStruct
from ._struct import WireStruct

_Region: TypeAlias = Open[Literal["global", "europe", "us"]]


class PrivatePricing(WireStruct):
    """Prices of an endpoint, in USD a token."""

    prompt: Decimal | None = None
    completion: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None


class PrivateEndpoint(WireStruct):
    """An endpoint of the account's own; lists and state changes say less than `get`.

    `status` is ``draft``, ``active`` or ``disabled``. It serves `model_permaslug`, which never
    changes, and which the provider calls `upstream_model_id`. It is declared to run in a region
    (``global``, ``europe`` or ``us``), and to keep nothing, or not.
    """

    id: str = ""
    status: str | None = None
    model_name: str | None = None
    model_permaslug: str | None = None
    model_slug: str | None = None
    provider_name: str | None = None
    provider_slug: str | None = None
    upstream_model_id: str | None = None
    base_url: str | None = None
    declared_region: str | None = None
    declared_zdr: bool | None = None
    pricing: PrivatePricing | None = None
    created_at: str | None = None


class EndpointCheck(WireStruct):
    """One thing that was tried of an endpoint, and what came of it."""

    name: str = ""
    passed: bool | None = None
    reason: str | None = None
    actual_model: str | None = None
    upstream_status: int | None = None
    upstream_message: str | None = None


class EndpointValidation(WireStruct):
    """Whether an endpoint does what it should, check by check."""

    passed: bool | None = None
    checks: list[EndpointCheck] | None = None


class NewPrivatePricing(RequestStruct, kw_only=True):
    """Prices to set, in USD a token."""

    prompt: Amount
    completion: Amount
    cache_read: Maybe[Amount] = UNSET
    cache_write: Maybe[Amount] = UNSET


class Activation(RequestStruct, kw_only=True):
    """Have an endpoint active from the start, in a workspace."""

    workspace_id: Uuid


class NewPrivateEndpoint(BodyKeywords, total=False):
    """Keywords of `PrivateEndpoints.create`."""

    model_permaslug: Required[Text]
    provider_slug: Required[Text]
    upstream_model_id: Required[Text]
    base_url: Text
    pricing: OrMapping[NewPrivatePricing]
    declared_region: _Region | None
    declared_zdr: bool | None
    activate: OrMapping[Activation]


class PrivateEndpointChanges(BodyKeywords, total=False):
    """Keywords of `PrivateEndpoints.update`."""

    upstream_model_id: Required[Text]
    base_url: Text
    declared_region: _Region | None
    declared_zdr: bool | None


class PrivatePricingChange(BodyKeywords, total=False):
    """Keywords of `PrivateEndpoints.set_pricing`."""

    pricing: Required[OrMapping[NewPrivatePricing]]


class ValidatedIn(BodyKeywords, total=False):
    """Keywords of `PrivateEndpoints.validate`."""

    workspace_id: Required[Uuid]


class PrivateEndpointQuery(QueryKeywords, total=False):
    """Keywords of `PrivateEndpoints.delete`."""

    draft_only: bool
