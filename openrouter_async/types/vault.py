"""``/vault``: secrets that OpenRouter keeps for agents, which it calls interns, and never shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Required

from msgspec import Meta

from ._forms import Text
from ._request import BodyKeywords
from ._struct import WireStruct


class VaultSecret(WireStruct):
    """What is known of a secret: only its `hosts` get it; its `fingerprint` tells values apart."""

    name: str = ""
    hosts: list[str] | None = None
    fingerprint: str | None = None
    created_at: str | None = None


class EffectiveSecret(VaultSecret):
    """A secret that an intern has; `scope` tells whose it is: intern, attached or workspace."""

    scope: str | None = None


class InternConnection(WireStruct):
    """A connection of an intern to a service."""

    key: str = ""


class SecretValue(BodyKeywords, total=False):
    """Keywords of `Vault.store` and `Vault.store_for`; ``value`` and ``hosts`` are needed."""

    value: Required[Text]
    hosts: Required[Annotated[Sequence[str], Meta(min_length=1)]]


class CopiedSecrets(BodyKeywords, total=False):
    """Keywords of `Vault.copy_to`; ``names`` is needed."""

    names: Required[Annotated[Sequence[str], Meta(min_length=1)]]
