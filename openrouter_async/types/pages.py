"""What lists and deletions say, whatever they are of; the package does without it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ._request import QueryKeywords
from ._struct import WireStruct
from .models import PageLinks


class Deletion(WireStruct):
    """What is said of something that was deleted; True also where nothing at all is said."""

    deleted: bool = True
    id: str | None = None
    object: str | None = None
    type: str | None = None


class ListMeta(WireStruct):
    """What the rows of a list are about: of when they are, and whom to cite."""

    as_of: str | None = None
    version: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    window_days: int | None = None
    window_end_date: str | None = None
    model_count: int | None = None
    source: str | None = None
    source_url: str | None = None
    citation: str | None = None
    task_type: str | None = None


class PageBody(WireStruct):
    """What stands beside the rows of a list.

    `total_count` is of all pages, `first_id` and `last_id` are of this one; `links`, `has_more` and
    the cursors tell of the next.
    """

    total_count: int | None = None
    links: PageLinks | None = None
    has_more: bool | None = None
    cursor: str | None = None
    next_cursor: str | None = None
    first_id: str | None = None
    last_id: str | None = None
    object: str | None = None
    meta: ListMeta | None = None


class PageQuery(QueryKeywords, total=False):
    """Keywords of a list: how many rows a page has, and how many to leave out at first."""

    limit: Annotated[int, Meta(ge=1)]
    offset: Annotated[int, Meta(ge=0)]
