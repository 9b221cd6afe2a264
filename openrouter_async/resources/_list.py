"""Lists of the API, whatever form their pages have.

The rule of this file: a `Listing` is a question, and asks page by page as it is looped over. It
holds no connection between two pages, and leaving the loop leaves nothing behind. How a page says
where the next one is (an offset, a cursor, a link) is known in one function, `_next_query`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, cast, get_type_hints
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from .._sender import Sender
from ..errors import ProtocolError
from ..types.pages import PageBody
from ._call import Asked, KeyKind, Operation, declared, decoded, wrapper
from ._fit import fit

__all__ = ["ListOperation", "Listing", "Page", "listing"]

_SMALLEST_PAGE: Final = 10
"""Rows that every page but the last has, and far fewer than any documented page (50 or more)."""

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class ListOperation(Operation[T]):
    """An operation whose answer is a list, which may come in pages.

    Attributes:
        page: The struct of a whole page, where more stands on it than `PageBody` says.
        is_whole: Whether all rows come at once where neither ``limit`` nor ``offset`` is given.
    """

    page: type[PageBody] | None = None
    is_whole = False

    @property
    def body_type(self) -> type[PageBody]:
        """What the whole body of an answer is decoded into."""
        row: Any = self.answer
        return self.page or wrapper(list[row], self.inside or "data", PageBody)

    def walk(
        self, sender: Sender, *at: object, fields: Mapping[str, object] | None = None
    ) -> Listing[T]:
        """Check the arguments now, and give the list; nothing is sent yet. See `send`."""
        sender.refuse_if_closed()
        return Listing(self, sender, self.ask(*at, fields=fields))

    @cached_property
    def _offset(self) -> Any:
        """The type of ``offset``; None where the endpoint knows none."""
        query = self.signature.query
        return query and get_type_hints(query, include_extras=True).get("offset")

    async def read(self, sender: Sender, asked: Asked) -> Page[T]:
        """Get one page."""
        inside = self.inside or "data"
        answered = await self.answer_to(sender, asked, sender.timeouts)
        answer = decoded(answered, self.body_type, sender, mark=inside)
        rows = cast("list[T]", getattr(answer, inside) or [])
        is_all = self.is_whole and asked.query.keys().isdisjoint(("limit", "offset"))
        offset = None if is_all else self._offset
        query = _next_query(asked.query, answer, len(rows), offset=offset, at=sender.base_url)
        following = None if query is None else Listing(self, sender, asked._replace(query=query))
        return Page(rows, answer, following)


def listing(
    endpoint: str,
    *,
    inside: str = "data",
    key: KeyKind | None = None,
    page: type[PageBody] | None = None,
    is_whole: bool = False,
) -> Callable[[F], F]:
    """Do for what gives a `Listing` what `operation` does for a `Call`; see `ListOperation`."""

    def declare(method: F) -> F:
        one = ListOperation[Any](endpoint, inside=inside, key=key, method=method)
        one.page, one.is_whole = page, is_whole
        return declared(method, one, one.walk)

    return declare


class Page(Struct, Generic[T], eq=False):
    """One page of a list.

    Attributes:
        items: What stands on it.
        next: The list from the next page on; None where this is the last.
        body: All that the answer says, with what stands beside the rows, such as ``meta``.
    """

    items: list[T]
    body: PageBody
    next: Listing[T] | None

    @property
    def total_count(self) -> int | None:
        """How many there are on all pages, where the API says it."""
        return self.body.total_count

    def __repr__(self) -> str:
        return f"Page({len(self.items)} items, total_count={self.total_count})"


class Listing(Generic[T]):
    """A list of the API: looped over, awaited, or taken page by page.

    ``async for item in listing`` asks for the next page when it is needed, ``await listing`` gives
    all items as a list, and ``await listing.page()`` the first page alone, whose ``.next`` is the
    list from there on. Each loop begins anew.
    """

    __slots__ = ("_asked", "_operation", "_sender")

    def __init__(self, operation: ListOperation[T], sender: Sender, asked: Asked) -> None:
        self._operation = operation
        self._sender = sender
        self._asked = asked

    def __aiter__(self) -> _Walk[T]:
        return _Walk(self)

    def __await__(self) -> Generator[Any, Any, list[T]]:
        return self._all().__await__()

    async def _all(self) -> list[T]:
        return [item async for item in self]

    async def page(self) -> Page[T]:
        """Get the first page."""
        return await self._operation.read(self._sender, self._asked)

    def __repr__(self) -> str:
        return f"<list {self._operation.endpoint}>"


class _Walk(Generic[T]):
    """One loop over a list."""

    __slots__ = ("_items", "_left", "_next")

    def __init__(self, listing: Listing[T]) -> None:
        self._next: Listing[T] | None = listing
        self._items: list[T] = []
        self._left: list[T] = []

    def __aiter__(self) -> _Walk[T]:
        return self

    async def __anext__(self) -> T:
        while not self._left:
            if self._next is None:
                raise StopAsyncIteration
            page = await self._next.page()
            if page.items == self._items:  # a server that knows no pages gives the same for ever
                self._next = None
                continue
            self._items, self._next = page.items, page.next
            self._left = page.items[::-1]
        return self._left.pop()


def _next_query(
    query: Mapping[str, str], page: PageBody, count: int, *, offset: Any, at: str
) -> dict[str, str] | None:
    """Tell how to ask for the page after the one of a query; None where there is none.

    Args:
        query: How this one was asked for.
        page: What it says.
        count: How many rows it has.
        offset: The type of ``offset``; None where the endpoint knows none.
        at: The API's address, which no link may lead away from.
    """
    if page.links is not None:
        link = page.links.next
        return None if link is None else {**query, **_query_in(link, at)}
    if page.has_more is False or not count:
        return None
    cursor = page.cursor or page.next_cursor
    if cursor is not None:
        return {**query, "cursor": cursor}
    if offset is not None:
        reached = int(query.get("offset", 0)) + count
        least = min(int(query.get("limit", _SMALLEST_PAGE)), _SMALLEST_PAGE)
        is_short = count < least and not page.has_more
        if reached >= page.total_count if page.total_count else is_short:
            return None
        try:
            return {**query, "offset": str(fit(reached, offset, "offset"))}
        except ValueError:
            return None  # as far as the API goes
    if page.has_more and page.last_id is not None:
        return {**query, "after": page.last_id}
    return None


def _query_in(link: str, at: str) -> dict[str, str]:
    """Give the query of a link to the next page; where it leads is known already."""
    target, own = urlsplit(link), urlsplit(at)
    if target.netloc and (target.scheme or own.scheme, target.netloc) != (own.scheme, own.netloc):
        raise ProtocolError(f"the next page of the list is said to be at {target.hostname}")
    return dict(parse_qsl(target.query, keep_blank_values=True))
