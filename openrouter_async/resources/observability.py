"""``/observability/destinations``: where OpenRouter sends traces of requests.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types._forms import Uuid
from ..types.observability import (
    Destination,
    DestinationChanges,
    DestinationQuery,
    NewDestination,
)
from ..types.pages import Deletion
from ._call import Group, Operation, uuid_at
from ._list import Listing, ListOperation

__all__ = ["Observability"]

_ALL: Final = "/observability/destinations"
_ONE: Final = f"{_ALL}/{{id}}"
_LIST: Final = ListOperation(f"GET {_ALL}", Destination, query=DestinationQuery, key="management")
_CREATE: Final = Operation(f"POST {_ALL}", Destination, body=NewDestination, key="management")
_GET: Final = Operation(f"GET {_ONE}", Destination, key="management")
_UPDATE: Final = Operation(f"PATCH {_ONE}", Destination, body=DestinationChanges, key="management")
_DELETE: Final = Operation(f"DELETE {_ONE}", Deletion, inside=None, key="management")


class Observability(Group):
    """Destinations of traces; reached as `OpenRouter.observability`.

    An `id` is a UUID, and a wrong form raises ValueError at the call; `NotFoundError` says that
    there is none of it.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[DestinationQuery]) -> Listing[Destination]:
        """List the destinations. Management key.

        Args:
            **query: Any keyword of `DestinationQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_CREATE
    def create(self, **fields: Unpack[NewDestination]) -> Coroutine[Any, Any, Destination]:
        """Add a destination. Management key.

        Args:
            **fields: Any keyword of `NewDestination`; ``type``, ``name`` and ``config`` are
                needed.

        >>> async def example(client: OpenRouter, url: str) -> None:
        ...     await client.observability.create(
        ...         type="webhook", name="ours", config={"url": url}, sampling_rate=0.1
        ...     )
        """
        return _CREATE.send(self._sender, fields=fields)

    @_GET
    def get(self, id: Uuid) -> Coroutine[Any, Any, Destination]:
        """Get a destination. Management key."""
        return _GET.send(self._sender, uuid_at("id", id))

    @_UPDATE
    def update(
        self, id: Uuid, **fields: Unpack[DestinationChanges]
    ) -> Coroutine[Any, Any, Destination]:
        """Change a destination. Management key.

        Args:
            id: The destination.
            **fields: Any keyword of `DestinationChanges`.
        """
        return _UPDATE.send(self._sender, uuid_at("id", id), fields=fields)

    @_DELETE
    def delete(self, id: Uuid) -> Coroutine[Any, Any, Deletion]:
        """Remove a destination. Management key."""
        return _DELETE.send(self._sender, uuid_at("id", id))
