"""``/tools``: the tools that OpenRouter runs itself. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.server_tools import ServerTool, ServerToolQuery
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["ServerTools"]


class ServerTools(Group):
    """The catalogue of server tools; reached as `OpenRouter.server_tools`."""

    @listing("GET /tools")
    def list(self, **query: Unpack[ServerToolQuery]) -> Listing[ServerTool]:
        """List the tools, with their engines and prices. Any key.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for tool in client.server_tools.list(api_format="chat-completions"):
        ...         print(tool.id, tool.summary)
        """

    @operation("GET /tools/{name}")
    def get(self, name: str) -> Call[ServerTool]:
        """Get one, such as ``web_search``, with the models that have one of their own. Any key."""
