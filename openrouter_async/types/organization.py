"""``/organization``: who belongs to it, and its settings."""

from __future__ import annotations

from typing import Required

from ._request import BodyKeywords
from ._struct import WireStruct


class Member(WireStruct):
    """Somebody of the organization; `role` is ``org:admin`` or ``org:member``."""

    id: str = ""
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    role: str | None = None


class OrganizationSettings(WireStruct):
    """The organization's settings."""

    id: str = ""
    is_filtered_model_catalog_enabled: bool | None = None


class OrganizationChanges(BodyKeywords, total=False):
    """Keywords of `Organization.update`."""

    is_filtered_model_catalog_enabled: Required[bool]
