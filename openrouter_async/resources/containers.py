"""``/containers``: the files that tools write where they run.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.containers import ContainerFile, ContainerFileQuery
from ..types.files import FileObject
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["Containers"]

_FILES: Final = "/containers/{container_id}/files"
_FILE: Final = f"{_FILES}/{{file_id}}"
_LIST: Final = ListOperation(f"GET {_FILES}", ContainerFile, query=ContainerFileQuery)
_GET: Final = Operation(f"GET {_FILE}", ContainerFile, inside=None)
_CONTENT: Final = Operation(f"GET {_FILE}/content", bytes, inside=None)
_PROMOTE: Final = Operation(f"POST {_FILE}/promote", FileObject, inside=None)


class Containers(Group):
    """The files of containers; reached as `OpenRouter.containers`.

    A container is named by the id that an answer gives where a tool ran in it.
    """

    __slots__ = ()

    @_LIST
    def files(
        self, container_id: str, **query: Unpack[ContainerFileQuery]
    ) -> Listing[ContainerFile]:
        """List the files of a container. Any key.

        Args:
            container_id: The container.
            **query: Any keyword of `ContainerFileQuery`.
        """
        return _LIST.walk(self._sender, container_id, fields=query)

    @_GET
    def file(self, container_id: str, file_id: str) -> Coroutine[Any, Any, ContainerFile]:
        """Get what is known of a file. Any key."""
        return _GET.send(self._sender, container_id, file_id)

    @_CONTENT
    def content(self, container_id: str, file_id: str) -> Coroutine[Any, Any, bytes]:
        """Get the bytes of a file. Any key."""
        return _CONTENT.send(self._sender, container_id, file_id)

    @_PROMOTE
    def promote(self, container_id: str, file_id: str) -> Coroutine[Any, Any, FileObject]:
        """Keep a file beyond its container, as one of `OpenRouter.files`. Any key."""
        return _PROMOTE.send(self._sender, container_id, file_id)
