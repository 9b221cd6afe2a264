"""What lists and deletions say, whatever they are of.

What may live here: the parts of an answer that many operations share. It is imported by the
endpoint groups that need it, never by the package.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ._request import QueryKeywords
from ._struct import WireStruct
from .models import PageLinks


class Deletion(WireStruct):
    """What is said of something that was deleted.

    Attributes:
        deleted: True, also where the API said nothing at all.
        id: What was deleted, where the API says so.
    """

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

    Attributes:
        total_count: How many rows there are on all pages.
        links: Where the next page is.
        has_more: Whether there is a next page.
        cursor: What to ask for it with.
        first_id: The id of the first row of this page.
        last_id: The id of the last row of this page.
        meta: What the rows are about.
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
