"""``/organization``: its members and settings. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.organization import Member, OrganizationChanges, OrganizationSettings
from ..types.pages import PageQuery
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Organization"]


class Organization(Group, key="management"):
    """The organization; reached as `OpenRouter.organization`."""

    @listing("GET /organization/members")
    def members(self, **query: Unpack[PageQuery]) -> Listing[Member]:
        """List who belongs to it. Management key."""

    @operation("GET /organization/settings")
    def settings(self) -> Call[OrganizationSettings]:
        """Get the settings. Management key."""

    @operation("PATCH /organization/settings")
    def update(self, **fields: Unpack[OrganizationChanges]) -> Call[OrganizationSettings]:
        """Change the settings. Management key."""
