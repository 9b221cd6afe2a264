"""``/files``: files that OpenRouter keeps, for models to work with.

The rule of this file: operations are declared, and each method is one of them. An upload is read
piece by piece while it is sent.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Coroutine
from typing import Any, Final, Unpack

from .._byte_stream import ByteStream
from .._config import Timeouts
from .._multipart import FormWithFile
from ..content import attachment_of
from ..types.attachment import Source
from ..types.files import DeletedFile, FileList, FileObject, FilePlace, FileQuery
from ._call import Group, Operation
from ._list import Listing, ListOperation
from ._media import byte_stream

__all__ = ["Files"]

_UPLOAD: Final = Operation("POST /files", FileObject, inside=None, query=FilePlace)
_LIST: Final = ListOperation("GET /files", FileObject, page=FileList, query=FileQuery)
_GET: Final = Operation("GET /files/{file_id}", FileObject, inside=None, query=FilePlace)
_DELETE: Final = Operation("DELETE /files/{file_id}", DeletedFile, inside=None, query=FilePlace)
_CONTENT: Final = Operation("GET /files/{file_id}/content", bytes, query=FilePlace)
_LIMIT: Final = 100 * 1_000_000
_UNKNOWN: Final = "application/octet-stream"


class Files(Group):
    """Files that OpenRouter keeps; reached as `OpenRouter.files`."""

    __slots__ = ()

    @_UPLOAD
    def upload(
        self,
        file: Source,
        *,
        filename: str | None = None,
        media_type: str | None = None,
        timeouts: Timeouts | None = None,
        **place: Unpack[FilePlace],
    ) -> Coroutine[Any, Any, FileObject]:
        """Upload a file of at most 100 MB. Any key.

        Args:
            file: A path, bytes or an open file; never held in memory as a whole.
            filename: Its name; by default the file's own.
            media_type: What it is; by default its name tells. The API looks at the bytes itself.
            timeouts: Deadlines of this request, in place of the client's.
            **place: Any keyword of `FilePlace`.

        Raises:
            OpenRouterError: The request failed.
            TypeError: An argument has the wrong type.
            ValueError: An argument is impossible, or the file is empty or too large.
            OSError: The file cannot be read.

        >>> async def example(client: OpenRouter) -> str:
        ...     return (await client.files.upload("report.pdf")).id
        """
        given = attachment_of("file", file, name=filename)
        name = given.name or "file"
        given.media_type = media_type or mimetypes.guess_type(name)[0] or _UNKNOWN
        form = FormWithFile.of((), given, _LIMIT)
        asked = _UPLOAD.ask(fields=place)._replace(body=form, content_type=form.content_type)
        return _UPLOAD.send_asked(self._sender, asked, timeouts)

    @_LIST
    def list(self, **query: Unpack[FileQuery]) -> Listing[FileObject]:
        """List the files. Any key.

        Args:
            **query: Any keyword of `FileQuery`.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible.
            OpenRouterError: From the list: the request failed.
        """
        return _LIST.walk(self._sender, fields=query)

    @_GET
    def get(self, file_id: str, **place: Unpack[FilePlace]) -> Coroutine[Any, Any, FileObject]:
        """Get what is known of a file. Any key.

        Args:
            file_id: Its id.
            **place: Any keyword of `FilePlace`.

        Raises:
            NotFoundError: There is no such file.
            OpenRouterError: The request failed.
            ValueError: `file_id` is empty.
        """
        return _GET.send(self._sender, file_id, fields=place)

    @_DELETE
    def delete(self, file_id: str, **place: Unpack[FilePlace]) -> Coroutine[Any, Any, DeletedFile]:
        """Delete a file for good. Any key.

        Args:
            file_id: Its id.
            **place: Any keyword of `FilePlace`.

        Raises:
            NotFoundError: There is no such file.
            OpenRouterError: The request failed.
            ValueError: `file_id` is empty.
        """
        return _DELETE.send(self._sender, file_id, fields=place)

    @_CONTENT
    def content(
        self, file_id: str, *, timeouts: Timeouts | None = None, **place: Unpack[FilePlace]
    ) -> ByteStream[bytes]:
        """Stream the content of a file that a model made; what was uploaded is not given back.

        Any key.

        Args:
            file_id: Its id.
            timeouts: Deadlines of this request, in place of the client's.
            **place: Any keyword of `FilePlace`.

        Returns:
            A stream of bytes, which gives all of them where it is awaited; this is no coroutine.

        Raises:
            BadRequestError: From the stream: the file was uploaded.
            NotFoundError: From the stream: there is no such file.
            ValueError: `file_id` is empty.

        >>> async def example(client: OpenRouter, id: str) -> bytes:
        ...     return await client.files.content(id)
        """
        asked = _CONTENT.ask(file_id, fields=place)
        return byte_stream(
            self._sender,
            "GET",
            asked.path,
            accept="application/octet-stream, */*",
            make=lambda data, _: data,
            billed="no",
            query=asked.query,
            timeouts=timeouts,
        )
