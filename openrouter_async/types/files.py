"""``/files``: files that OpenRouter keeps, or a provider for it.

A file comes in one of three shapes; here it is one struct with what each of them has.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from ._forms import Uuid
from ._request import Open, QueryKeywords
from ._struct import WireStruct
from .pages import PageBody

_Provider: TypeAlias = Open[Literal["openai", "anthropic"]]


class FileObject(WireStruct):
    """A file that is kept, such as ``or_file_...``.

    `shape` is whose form the record has: ``openrouter``, ``openai`` or ``anthropic``; `created_at`
    is in ISO 8601, or in seconds since the epoch. What was uploaded is not `downloadable`.
    """

    id: str = ""
    shape: str | None = field(default=None, name="_shape")
    filename: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    bytes: int | None = None
    created_at: str | int | None = None
    downloadable: bool | None = None
    type: str | None = None
    object: str | None = None
    purpose: str | None = None
    status: str | None = None

    @property
    def size(self) -> int | None:
        """How many bytes it has."""
        return self.size_bytes if self.size_bytes is not None else self.bytes


class FileList(PageBody):
    """A page of files."""

    data: list[FileObject] | None = None
    shape: str | None = field(default=None, name="_shape")


class DeletedFile(WireStruct):
    """A file that is kept no longer."""

    id: str = ""
    shape: str | None = field(default=None, name="_shape")
    type: str | None = None
    object: str | None = None
    deleted: bool = True


class FilePlace(QueryKeywords, total=False):
    """Where a file is: in a workspace, or with a provider to whom the account has a key."""

    workspace_id: Uuid
    provider: _Provider


class FileQuery(FilePlace, total=False):
    """Which files to list; ``after``, ``after_id`` and ``before_id`` are for providers."""

    limit: Annotated[int, Meta(ge=1, le=1000)]
    cursor: str
    after: str
    after_id: str
    before_id: str
    order: Open[Literal["asc", "desc"]]
