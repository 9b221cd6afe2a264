"""``/vault``: secrets that agents use and never see.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

import builtins
from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.pages import Deletion, PageQuery
from ..types.vault import (
    CopiedSecrets,
    EffectiveSecret,
    InternConnection,
    SecretValue,
    VaultSecret,
)
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["Vault"]

_NAMED: Final = "/vault/secrets/{name}"
_INTERN: Final = "/vault/interns/{intern_id}"
_NAMED_FOR: Final = f"{_INTERN}/secrets/{{name}}"
_LIST: Final = ListOperation("GET /vault/secrets", VaultSecret, query=PageQuery, key="management")
_STORE: Final = Operation(f"PUT {_NAMED}", VaultSecret, body=SecretValue, key="management")
_DELETE: Final = Operation(f"DELETE {_NAMED}", Deletion, inside=None, key="management")
_LIST_FOR: Final = ListOperation(
    f"GET {_INTERN}/secrets", VaultSecret, query=PageQuery, key="management"
)
_STORE_FOR: Final = Operation(f"PUT {_NAMED_FOR}", VaultSecret, body=SecretValue, key="management")
_DELETE_FOR: Final = Operation(f"DELETE {_NAMED_FOR}", Deletion, inside=None, key="management")
_COPY: Final = Operation(
    f"POST {_INTERN}/secrets/copy",
    list[VaultSecret],
    body=CopiedSecrets,
    key="management",
)
_EFFECTIVE: Final = ListOperation(
    f"GET {_INTERN}/effective-secrets", EffectiveSecret, query=PageQuery, key="management"
)
_CONNECTIONS: Final = ListOperation(
    f"GET {_INTERN}/connections", InternConnection, key="management"
)


class Vault(Group):
    """Secrets of the workspace and of its interns; reached as `OpenRouter.vault`.

    A secret is named by the name that it was stored under; its value cannot be had again.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[PageQuery]) -> Listing[VaultSecret]:
        """List the workspace's secrets. Management key.

        Args:
            **query: Any keyword of `PageQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_STORE
    def store(self, name: str, **fields: Unpack[SecretValue]) -> Coroutine[Any, Any, VaultSecret]:
        """Store a secret of the workspace, in place of one of the same name. Management key.

        Args:
            name: What it is called.
            **fields: ``value``, and ``hosts``, to which it may be sent; both are needed.

        >>> async def example(client: OpenRouter, token: str) -> None:
        ...     await client.vault.store("CI_TOKEN", value=token, hosts=["api.example.com"])
        """
        return _STORE.send(self._sender, name, fields=fields)

    @_DELETE
    def delete(self, name: str) -> Coroutine[Any, Any, Deletion]:
        """Delete a secret of the workspace. Management key.

        Raises:
            NotFoundError: There is none of this name.
        """
        return _DELETE.send(self._sender, name)

    @_LIST_FOR
    def list_for(self, intern_id: str, **query: Unpack[PageQuery]) -> Listing[VaultSecret]:
        """List the secrets of one intern. Management key.

        Args:
            intern_id: The intern.
            **query: Any keyword of `PageQuery`.
        """
        return _LIST_FOR.walk(self._sender, intern_id, fields=query)

    @_STORE_FOR
    def store_for(
        self, intern_id: str, name: str, **fields: Unpack[SecretValue]
    ) -> Coroutine[Any, Any, VaultSecret]:
        """Store a secret of one intern, in place of one of the same name. Management key.

        Args:
            intern_id: The intern.
            name: What it is called.
            **fields: ``value``, and ``hosts``, to which it may be sent; both are needed.
        """
        return _STORE_FOR.send(self._sender, intern_id, name, fields=fields)

    @_DELETE_FOR
    def delete_for(self, intern_id: str, name: str) -> Coroutine[Any, Any, Deletion]:
        """Delete a secret of one intern. Management key.

        Raises:
            NotFoundError: There is none of this name.
        """
        return _DELETE_FOR.send(self._sender, intern_id, name)

    @_COPY
    def copy_to(
        self, intern_id: str, **fields: Unpack[CopiedSecrets]
    ) -> Coroutine[Any, Any, builtins.list[VaultSecret]]:
        """Give secrets of the workspace to one intern as well. Management key.

        Args:
            intern_id: The intern.
            **fields: ``names``, of which at least one is needed.

        Raises:
            NotFoundError: There is none of one of these names.
        """
        return _COPY.send(self._sender, intern_id, fields=fields)

    @_EFFECTIVE
    def effective(self, intern_id: str, **query: Unpack[PageQuery]) -> Listing[EffectiveSecret]:
        """List all that an intern can use, with whose it is. Management key.

        Args:
            intern_id: The intern.
            **query: Any keyword of `PageQuery`.
        """
        return _EFFECTIVE.walk(self._sender, intern_id, fields=query)

    @_CONNECTIONS
    def connections(self, intern_id: str) -> Listing[InternConnection]:
        """List the services that an intern is connected to. Management key."""
        return _CONNECTIONS.walk(self._sender, intern_id)
