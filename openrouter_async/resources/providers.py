"""``/providers``: the companies that serve models.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from typing import Final

from ..types.endpoints import Provider
from ._call import Group
from ._list import Listing, ListOperation

__all__ = ["Providers"]

_LIST: Final = ListOperation("GET /providers", Provider, key="none")


class Providers(Group):
    """The companies that serve models; reached as `OpenRouter.providers`."""

    __slots__ = ()

    @_LIST
    def list(self) -> Listing[Provider]:
        """List the providers, with where they are and what their terms are. No key is needed.

        Raises:
            OpenRouterError: From the list: the request failed.

        >>> async def example(client: OpenRouter) -> list[str | None]:
        ...     return [provider.slug async for provider in client.providers.list()]
        """
        return _LIST.walk(self._sender)
