"""``/external-users``: the people behind a service. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.external_users import (
    ExternalUser,
    ExternalUserChanges,
    ExternalUserQuery,
    NewExternalUser,
)
from ..types.pages import Deletion
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["ExternalUsers"]


class ExternalUsers(Group, key="management"):
    """The people behind a service; reached as `OpenRouter.external_users`.

    One is named by what the service calls them, as in the ``user`` of a request; `NotFoundError`
    says that there is none of this name.
    """

    @listing("GET /external-users")
    def list(self, **query: Unpack[ExternalUserQuery]) -> Listing[ExternalUser]:
        """List them, without those who are not active unless asked for. Management key."""

    @operation("POST /external-users")
    def create(self, **fields: Unpack[NewExternalUser]) -> Call[ExternalUser]:
        """Make one known. Management key.

        Raises:
            ConflictError: There is one of this name.
        """

    @operation("GET /external-users/{user}")
    def get(self, user: str) -> Call[ExternalUser]:
        """Get what is known of one. Management key."""

    @operation("PATCH /external-users/{user}")
    def update(self, user: str, **fields: Unpack[ExternalUserChanges]) -> Call[ExternalUser]:
        """Let one in, or keep one out. Management key."""

    @operation("DELETE /external-users/{user}", inside=None)
    def delete(self, user: str) -> Call[Deletion]:
        """Forget one. Management key."""
