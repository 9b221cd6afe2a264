"""``/containers``: files that tools have written in their containers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

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


class ContainerFileQuery(QueryKeywords, total=False):
    """Keywords of `Containers.files`."""

    limit: Annotated[int, Meta(ge=1)]
    after: Text
