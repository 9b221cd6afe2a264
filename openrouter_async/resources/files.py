"""``/files``: files that OpenRouter keeps, for models to work with.

The rule of this file: declarations, and an upload, which is read piece by piece while it is sent.
"""

from __future__ import annotations

import mimetypes
from typing import Final, Unpack

from .._byte_stream import ByteStream
from .._config import Timeouts
from .._multipart import FormWithFile
from ..content import attachment_of
from ..types.attachment import Source
from ..types.files import DeletedFile, FileList, FileObject, FilePlace, FileQuery
from ._call import Call, Group, Operation, operation
from ._list import Listing, listing
from ._media import byte_stream

__all__ = ["Files"]

_UPLOAD: Final = Operation("POST /files", FileObject, inside=None, query=FilePlace)
_CONTENT: Final = Operation("GET /files/{file_id}/content", bytes, query=FilePlace)
_LIMIT: Final = 100 * 1_000_000
_UNKNOWN: Final = "application/octet-stream"


class Files(Group):
    """Files that OpenRouter keeps; reached as `OpenRouter.files`.

    `NotFoundError` says that there is no file of an id.
    """

    @_UPLOAD
    def upload(
        self,
        file: Source,
        *,
        filename: str | None = None,
        media_type: str | None = None,
        timeouts: Timeouts | None = None,
        **place: Unpack[FilePlace],
    ) -> Call[FileObject]:
        """Upload a file of at most 100 MB. Any key.

        Args:
            file: A path, bytes or an open file; never held in memory as a whole.
            filename: Its name; by default the file's own.
            media_type: What it is; by default its name tells. The API looks at the bytes itself.

        Raises:
            ValueError: The file is empty or too large.
            OSError: The file cannot be read.

        >>> async def example(client: OpenRouter) -> str:
        ...     return (await client.files.upload("report.pdf")).id
        """
        given = attachment_of("file", file, name=filename)
        name = given.name or "file"
        given.media_type = media_type or mimetypes.guess_type(name)[0] or _UNKNOWN
        form = FormWithFile.of((), given, _LIMIT)
        headers = {"Content-Type": form.content_type}
        return _UPLOAD.send(
            self._sender, fields=place, headers=headers, body=form, timeouts=timeouts
        )

    @listing("GET /files", page=FileList)
    def list(self, **query: Unpack[FileQuery]) -> Listing[FileObject]:
        """List the files. Any key."""

    @operation("GET /files/{file_id}", inside=None)
    def get(self, file_id: str, **query: Unpack[FilePlace]) -> Call[FileObject]:
        """Get what is known of a file. Any key."""

    @operation("DELETE /files/{file_id}", inside=None)
    def delete(self, file_id: str, **query: Unpack[FilePlace]) -> Call[DeletedFile]:
        """Delete a file for good. Any key."""

    @_CONTENT
    def content(
        self, file_id: str, *, timeouts: Timeouts | None = None, **place: Unpack[FilePlace]
    ) -> ByteStream[bytes]:
        """Stream the content of a file that a model made, or await all of it. Any key.

        Raises:
            BadRequestError: From the stream: the file was uploaded, and is not given back.

        >>> async def example(client: OpenRouter, id: str) -> bytes:
        ...     return await client.files.content(id)
        """
        return byte_stream(
            self._sender,
            _CONTENT,
            _CONTENT.ask(file_id, fields=place),
            accept="application/octet-stream, */*",
            make=lambda data, _: data,
            billed="no",
            timeouts=timeouts,
        )
