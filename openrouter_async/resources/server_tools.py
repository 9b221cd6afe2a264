"""``/tools``: the tools that OpenRouter runs itself.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.server_tools import ServerTool, ServerToolQuery
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["ServerTools"]

_LIST: Final = ListOperation("GET /tools", ServerTool, query=ServerToolQuery)
_GET: Final = Operation("GET /tools/{name}", ServerTool)


class ServerTools(Group):
    """The catalogue of server tools; reached as `OpenRouter.server_tools`."""

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[ServerToolQuery]) -> Listing[ServerTool]:
        """List the tools, with their engines and prices. Any key.

        Args:
            **query: Any keyword of `ServerToolQuery`.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for tool in client.server_tools.list(api_format="chat-completions"):
        ...         print(tool.id, tool.summary)
        """
        return _LIST.walk(self._sender, fields=query)

    @_GET
    def get(self, name: str) -> Coroutine[Any, Any, ServerTool]:
        """Get all that is said of one tool, with the models that have one of their own. Any key.

        Args:
            name: Its name, such as ``web_search``.

        Raises:
            NotFoundError: There is none of this name.
        """
        return _GET.send(self._sender, name)
