"""``/byok``: provider keys of the user's own, which OpenRouter calls the providers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Required, TypeAlias

from msgspec import Meta

from ._forms import Text, Uuid
from ._request import BodyKeywords, Open
from ._struct import WireStruct
from .pages import PageQuery

_Hash: TypeAlias = Annotated[str, Meta(pattern="^[a-f0-9]{64}$", max_length=64)]
_Region: TypeAlias = Open[Literal["global", "europe", "us"]]


class ProviderKey(WireStruct):
    """A provider key, never shown again; `label` is the key with its middle left out.

    `is_fallback` has it used only where OpenRouter's own key fails, `is_required` has a request
    that could use it use no other. It serves the allowed models, users and API keys, where None is
    all; `sort_order` is its place among the keys of the provider.
    """

    id: str = ""
    provider: str | None = None
    name: str | None = None
    label: str | None = None
    disabled: bool | None = None
    is_fallback: bool | None = None
    is_required: bool | None = None
    is_byok_only: bool | None = None
    allowed_models: list[str] | None = None
    allowed_user_ids: list[str] | None = None
    allowed_api_key_hashes: list[str] | None = None
    declared_region: str | None = None
    declared_zdr: bool | None = None
    sort_order: int | None = None
    workspace_id: str | None = None
    created_at: str | None = None


class _Settings(BodyKeywords, total=False):
    name: str | None
    disabled: bool
    is_fallback: bool
    is_required: bool
    is_byok_only: bool
    allowed_models: Sequence[str] | None
    allowed_user_ids: Sequence[str] | None
    allowed_api_key_hashes: Annotated[Sequence[_Hash], Meta(min_length=1)] | None
    declared_region: _Region | None
    declared_zdr: bool | None


class NewProviderKey(_Settings, total=False):
    """Keywords of `Byok.create`."""

    provider: Required[Text]
    key: Required[Text]
    workspace_id: Uuid


class ProviderKeyChanges(_Settings, total=False):
    """Keywords of `Byok.update`."""

    key: Text


class ProviderKeyQuery(PageQuery, total=False):
    """Keywords of `Byok.list`."""

    provider: Text
    workspace_id: Uuid
