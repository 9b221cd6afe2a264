"""``/containers``: files that tools have written in their containers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from ._forms import Text
from ._request import QueryKeywords
from ._struct import WireStruct


class ContainerFile(WireStruct):
    """A file in a container, with which it goes: its size in `bytes`, and its `path` there.

    `source` is who wrote it, ``assistant``; `created_at` is when, in seconds since the epoch.
    """

    id: str = ""
    container_id: str | None = None
    path: str | None = None
    bytes: int | None = None
    source: str | None = None
    object: str | None = None
    created_at: int | None = None


class PromotedFile(WireStruct):
    """A file that was kept; OpenRouter describes it in the words of one of three dialects.

    Attributes:
        size_bytes: Its size, in bytes; `bytes` in OpenAI's words.
        created_at: When it was kept: ISO 8601, or in OpenAI's words seconds since 1970.
    """

    id: str = ""
    filename: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    bytes: int | None = None
    created_at: str | int | None = None
    downloadable: bool | None = None
    purpose: str | None = None
    status: str | None = None
    type: str | None = None
    object: str | None = None
    shape: str | None = field(default=None, name="_shape")


class ContainerFileQuery(QueryKeywords, total=False):
    """Keywords of `Containers.files`."""

    limit: Annotated[int, Meta(ge=1)]
    after: Text
