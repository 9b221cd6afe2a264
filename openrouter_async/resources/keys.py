"""``/keys`` and ``/key``: the API keys of the account, and the one in use.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.keys import CreatedKey, CurrentKey, Key, KeyChanges, KeyQuery, NewKey
from ..types.pages import Deletion
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["Keys"]

_LIST: Final = ListOperation("GET /keys", Key, query=KeyQuery, key="management")
_CREATE: Final = Operation("POST /keys", CreatedKey, inside=None, body=NewKey, key="management")
_GET: Final = Operation("GET /keys/{hash}", Key, key="management")
_UPDATE: Final = Operation("PATCH /keys/{hash}", Key, body=KeyChanges, key="management")
_DELETE: Final = Operation("DELETE /keys/{hash}", Deletion, inside=None, key="management")
_CURRENT: Final = Operation("GET /key", CurrentKey)


class Keys(Group):
    """The account's API keys; reached as `OpenRouter.keys`.

    A key is named by its hash, the SHA-256 of the key itself.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[KeyQuery]) -> Listing[Key]:
        """List the keys, without those that are disabled unless asked for. Management key.

        Args:
            **query: Any keyword of `KeyQuery`.

        Returns:
            A `Listing`: loop over it, await it, or take its `page`.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible.
            OpenRouterError: From the list: the request failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for key in client.keys.list():
        ...         print(key.name, key.limit_remaining)
        """
        return _LIST.walk(self._sender, fields=query)

    @_CREATE
    def create(self, **fields: Unpack[NewKey]) -> Coroutine[Any, Any, CreatedKey]:
        """Make a key, which is shown this once. Management key.

        Args:
            **fields: Any keyword of `NewKey`; ``name`` is needed.

        Returns:
            The key, to be awaited. Wrong arguments raise at the call.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible, or ``name`` is missing.
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> str | None:
        ...     made = await client.keys.create(name="ci", limit=5.0, limit_reset="monthly")
        ...     return made.key
        """
        return _CREATE.send(self._sender, fields=fields)

    @_GET
    def get(self, hash: str) -> Coroutine[Any, Any, Key]:
        """Get what is known of a key. Management key.

        Args:
            hash: Its hash.

        Raises:
            NotFoundError: There is no such key.
            OpenRouterError: The request failed.
            ValueError: `hash` is empty.
        """
        return _GET.send(self._sender, hash)

    @_UPDATE
    def update(self, hash: str, **fields: Unpack[KeyChanges]) -> Coroutine[Any, Any, Key]:
        """Change a key. Management key.

        Args:
            hash: Its hash.
            **fields: Any keyword of `KeyChanges`.

        Raises:
            NotFoundError: There is no such key.
            OpenRouterError: The request failed.
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible.

        >>> async def example(client: OpenRouter, hash: str) -> None:
        ...     await client.keys.update(hash, disabled=True)
        """
        return _UPDATE.send(self._sender, hash, fields=fields)

    @_DELETE
    def delete(self, hash: str) -> Coroutine[Any, Any, Deletion]:
        """Delete a key for good. Management key.

        Args:
            hash: Its hash.

        Raises:
            NotFoundError: There is no such key.
            OpenRouterError: The request failed.
            ValueError: `hash` is empty.
        """
        return _DELETE.send(self._sender, hash)

    @_CURRENT
    def current(self) -> Coroutine[Any, Any, CurrentKey]:
        """Get the limit and the spending of the key that this client uses. Any key.

        Raises:
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> float | None:
        ...     return (await client.keys.current()).limit_remaining
        """
        return _CURRENT.send(self._sender)
