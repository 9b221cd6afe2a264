"""``/external-users``: the people behind a service.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.external_users import (
    ExternalUser,
    ExternalUserChanges,
    ExternalUserQuery,
    NewExternalUser,
)
from ..types.pages import Deletion
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["ExternalUsers"]

_AT: Final = "/external-users/{user}"
_LIST: Final = ListOperation(
    "GET /external-users", ExternalUser, query=ExternalUserQuery, key="management"
)
_CREATE: Final = Operation(
    "POST /external-users", ExternalUser, body=NewExternalUser, key="management"
)
_GET: Final = Operation(f"GET {_AT}", ExternalUser, key="management")
_UPDATE: Final = Operation(f"PATCH {_AT}", ExternalUser, body=ExternalUserChanges, key="management")
_DELETE: Final = Operation(f"DELETE {_AT}", Deletion, inside=None, key="management")


class ExternalUsers(Group):
    """The people behind a service; reached as `OpenRouter.external_users`.

    One is named by what the service calls them, as in the ``user`` of a request.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[ExternalUserQuery]) -> Listing[ExternalUser]:
        """List them, without those who are not active unless asked for. Management key.

        Args:
            **query: Any keyword of `ExternalUserQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_CREATE
    def create(self, **fields: Unpack[NewExternalUser]) -> Coroutine[Any, Any, ExternalUser]:
        """Make one known. Management key.

        Args:
            **fields: Any keyword of `NewExternalUser`; ``user`` is needed.

        Raises:
            ConflictError: There is one of this name.
        """
        return _CREATE.send(self._sender, fields=fields)

    @_GET
    def get(self, user: str) -> Coroutine[Any, Any, ExternalUser]:
        """Get what is known of one. Management key.

        Raises:
            NotFoundError: There is none of this name.
        """
        return _GET.send(self._sender, user)

    @_UPDATE
    def update(
        self, user: str, **fields: Unpack[ExternalUserChanges]
    ) -> Coroutine[Any, Any, ExternalUser]:
        """Let one in, or keep one out. Management key.

        Args:
            user: What the service calls them.
            **fields: ``is_active``, which is needed.

        Raises:
            NotFoundError: There is none of this name.
        """
        return _UPDATE.send(self._sender, user, fields=fields)

    @_DELETE
    def delete(self, user: str) -> Coroutine[Any, Any, Deletion]:
        """Forget one. Management key.

        Raises:
            NotFoundError: There is none of this name.
        """
        return _DELETE.send(self._sender, user)
