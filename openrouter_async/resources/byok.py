"""``/byok``: provider keys of the user's own.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types._forms import Uuid
from ..types.byok import NewProviderKey, ProviderKey, ProviderKeyChanges, ProviderKeyQuery
from ..types.pages import Deletion
from ._call import Group, Operation, uuid_at
from ._list import Listing, ListOperation

__all__ = ["Byok"]

_ONE: Final = "/byok/{id}"
_LIST: Final = ListOperation("GET /byok", ProviderKey, query=ProviderKeyQuery, key="management")
_CREATE: Final = Operation("POST /byok", ProviderKey, body=NewProviderKey, key="management")
_GET: Final = Operation(f"GET {_ONE}", ProviderKey, key="management")
_UPDATE: Final = Operation(f"PATCH {_ONE}", ProviderKey, body=ProviderKeyChanges, key="management")
_DELETE: Final = Operation(f"DELETE {_ONE}", Deletion, inside=None, key="management")


class Byok(Group):
    """Provider keys of the user's own; reached as `OpenRouter.byok`.

    An `id` is a UUID, and a wrong form raises ValueError at the call; `NotFoundError` says that
    there is none of it.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[ProviderKeyQuery]) -> Listing[ProviderKey]:
        """List the provider keys. Management key.

        Args:
            **query: Any keyword of `ProviderKeyQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_CREATE
    def create(self, **fields: Unpack[NewProviderKey]) -> Coroutine[Any, Any, ProviderKey]:
        """Hand in a provider key. Management key.

        Args:
            **fields: Any keyword of `NewProviderKey`; ``provider``, such as ``openai``, and
                ``key`` are needed.
        """
        return _CREATE.send(self._sender, fields=fields)

    @_GET
    def get(self, id: Uuid) -> Coroutine[Any, Any, ProviderKey]:
        """Get what is known of a provider key. Management key."""
        return _GET.send(self._sender, uuid_at("id", id))

    @_UPDATE
    def update(
        self, id: Uuid, **fields: Unpack[ProviderKeyChanges]
    ) -> Coroutine[Any, Any, ProviderKey]:
        """Change a provider key, or what it may be used for. Management key.

        Args:
            id: The key's id.
            **fields: Any keyword of `ProviderKeyChanges`.
        """
        return _UPDATE.send(self._sender, uuid_at("id", id), fields=fields)

    @_DELETE
    def delete(self, id: Uuid) -> Coroutine[Any, Any, Deletion]:
        """Take a provider key back. Management key."""
        return _DELETE.send(self._sender, uuid_at("id", id))
