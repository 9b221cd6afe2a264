"""``/organization``: its members and settings.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.organization import Member, OrganizationChanges, OrganizationSettings
from ..types.pages import PageQuery
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["Organization"]

_MEMBERS: Final = ListOperation(
    "GET /organization/members", Member, query=PageQuery, key="management"
)
_SETTINGS: Final = Operation("GET /organization/settings", OrganizationSettings, key="management")
_UPDATE: Final = Operation(
    "PATCH /organization/settings",
    OrganizationSettings,
    body=OrganizationChanges,
    key="management",
)


class Organization(Group):
    """The organization; reached as `OpenRouter.organization`."""

    __slots__ = ()

    @_MEMBERS
    def members(self, **query: Unpack[PageQuery]) -> Listing[Member]:
        """List who belongs to it. Management key.

        Args:
            **query: Any keyword of `PageQuery`.
        """
        return _MEMBERS.walk(self._sender, fields=query)

    @_SETTINGS
    def settings(self) -> Coroutine[Any, Any, OrganizationSettings]:
        """Get the settings. Management key."""
        return _SETTINGS.send(self._sender)

    @_UPDATE
    def update(
        self, **fields: Unpack[OrganizationChanges]
    ) -> Coroutine[Any, Any, OrganizationSettings]:
        """Change the settings. Management key.

        Args:
            **fields: ``is_filtered_model_catalog_enabled``, which is needed.
        """
        return _UPDATE.send(self._sender, fields=fields)
