"""``/keys`` and ``/key``: the API keys of the account, and the one in use. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.keys import CreatedKey, CurrentKey, Key, KeyChanges, KeyQuery, NewKey
from ..types.pages import Deletion
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Keys"]


class Keys(Group, key="management"):
    """The account's API keys; reached as `OpenRouter.keys`.

    A key is named by its hash, the SHA-256 of the key itself; `NotFoundError` says that there is
    none of it.
    """

    @listing("GET /keys")
    def list(self, **query: Unpack[KeyQuery]) -> Listing[Key]:
        """List the keys, without those that are disabled unless asked for. Management key.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for key in client.keys.list():
        ...         print(key.name, key.limit_remaining)
        """

    @operation("POST /keys", inside=None)
    def create(self, **fields: Unpack[NewKey]) -> Call[CreatedKey]:
        """Make a key, which is shown this once; it needs a ``name``. Management key.

        >>> async def example(client: OpenRouter) -> str | None:
        ...     made = await client.keys.create(name="ci", limit=5.0, limit_reset="monthly")
        ...     return made.key
        """

    @operation("GET /keys/{hash}")
    def get(self, hash: str) -> Call[Key]:
        """Get what is known of a key. Management key."""

    @operation("PATCH /keys/{hash}")
    def update(self, hash: str, **fields: Unpack[KeyChanges]) -> Call[Key]:
        """Change a key, or switch it off. Management key."""

    @operation("DELETE /keys/{hash}", inside=None)
    def delete(self, hash: str) -> Call[Deletion]:
        """Delete a key for good. Management key."""

    @operation("GET /key", key="any")
    def current(self) -> Call[CurrentKey]:
        """Get the limit and the spending of the key that this client uses. Any key.

        >>> async def example(client: OpenRouter) -> float | None:
        ...     return (await client.keys.current()).limit_remaining
        """
