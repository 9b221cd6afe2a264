"""``/observability/destinations``: where traces of requests go. Declarations alone."""

from __future__ import annotations

from typing import Final, Unpack

from ..types._forms import Uuid
from ..types.observability import Destination, DestinationChanges, DestinationQuery, NewDestination
from ..types.pages import Deletion
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Observability"]

_ALL: Final = "/observability/destinations"


class Observability(Group, key="management"):
    """Destinations of traces; reached as `OpenRouter.observability`.

    `NotFoundError` says that there is none of an `id`.
    """

    @listing(f"GET {_ALL}")
    def list(self, **query: Unpack[DestinationQuery]) -> Listing[Destination]:
        """List the destinations. Management key."""

    @operation(f"POST {_ALL}")
    def create(self, **fields: Unpack[NewDestination]) -> Call[Destination]:
        """Add a destination. Management key.

        >>> async def example(client: OpenRouter, url: str) -> None:
        ...     await client.observability.create(
        ...         type="webhook", name="ours", config={"url": url}, sampling_rate=0.1
        ...     )
        """

    @operation(f"GET {_ALL}/{{id}}")
    def get(self, id: Uuid) -> Call[Destination]:
        """Get a destination. Management key."""

    @operation(f"PATCH {_ALL}/{{id}}")
    def update(self, id: Uuid, **fields: Unpack[DestinationChanges]) -> Call[Destination]:
        """Change a destination. Management key."""

    @operation(f"DELETE {_ALL}/{{id}}", inside=None)
    def delete(self, id: Uuid) -> Call[Deletion]:
        """Remove a destination. Management key."""
