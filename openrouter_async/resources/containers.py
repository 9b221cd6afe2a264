"""``/containers``: the files that tools write where they run. Declarations alone."""

from __future__ import annotations

from typing import Final, Unpack

from ..types.containers import ContainerFile, ContainerFileQuery
from ..types.files import FileObject
from ._call import Call, Group, operation
from ._list import Listing, listing

__all__ = ["Containers"]

_FILES: Final = "/containers/{container_id}/files"
_FILE: Final = f"{_FILES}/{{file_id}}"


class Containers(Group):
    """The files of containers; reached as `OpenRouter.containers`.

    A container is named by the id that an answer gives where a tool ran in it.
    """

    @listing(f"GET {_FILES}")
    def files(
        self, container_id: str, **query: Unpack[ContainerFileQuery]
    ) -> Listing[ContainerFile]:
        """List the files of a container. Any key."""

    @operation(f"GET {_FILE}", inside=None)
    def file(self, container_id: str, file_id: str) -> Call[ContainerFile]:
        """Get what is known of a file. Any key."""

    @operation(f"GET {_FILE}/content", inside=None)
    def content(self, container_id: str, file_id: str) -> Call[bytes]:
        """Get the bytes of a file. Any key."""

    @operation(f"POST {_FILE}/promote", inside=None)
    def promote(self, container_id: str, file_id: str) -> Call[FileObject]:
        """Keep a file beyond its container, as one of `OpenRouter.files`. Any key."""
