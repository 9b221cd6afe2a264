"""``/providers``: the companies that serve models. Declarations alone."""

from __future__ import annotations

from ..types.endpoints import Provider
from ._call import Group
from ._list import Listing, listing

__all__ = ["Providers"]


class Providers(Group, key="none"):
    """The companies that serve models; reached as `OpenRouter.providers`."""

    @listing("GET /providers")
    def list(self) -> Listing[Provider]:
        """List the providers, with where they are and what their terms are. No key is needed.

        >>> async def example(client: OpenRouter) -> list[str | None]:
        ...     return [provider.slug async for provider in client.providers.list()]
        """
