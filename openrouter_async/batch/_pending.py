"""Which items of the input are to be sent.

The rule of this file: it reads ahead in small pieces, in a worker thread, and decides in the
loop. What has a row that stands is passed over; an id that comes twice is a problem of the later
line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from itertools import islice
from typing import Final

from msgspec.structs import replace

from .._threads import in_thread
from ._input import InputFile
from ._item import Item, Recipe
from ._output import Known
from ._progress import Tally

__all__ = ["Pending"]

_LINES_AT_ONCE: Final = 256


class Pending(AsyncIterator[Item]):
    """The items that are to be sent, in the order of the input.

    Args:
        source: The input, entered.
        recipe: What makes items of lines.
        known: What an output said of items when the run began.
        retry_failed: Whether failed ones are sent again.
        tally: Where those are counted that stand.
    """

    def __init__(
        self,
        source: InputFile,
        recipe: Recipe,
        known: dict[str, Known],
        *,
        retry_failed: bool,
        tally: Tally,
    ) -> None:
        self._source = source
        self._recipe = recipe
        self._known = known
        self._retry_failed = retry_failed
        self._tally = tally
        self._lines: dict[str, int] = {}  # where each id stood
        self._ahead: deque[Item] = deque()
        self._is_read = False
        for row in known.values():
            if self._stands(row):
                tally.stands(row.status)

    async def __anext__(self) -> Item:
        while True:
            while self._ahead:
                item = self._told_apart(self._ahead.popleft())
                if self._is_to_be_sent(item):
                    return item
            if self._is_read:
                raise StopAsyncIteration
            items = await in_thread(self._read_on)
            self._is_read = not items
            self._ahead.extend(items)

    def spent_before(self, id: str) -> float:
        """Tell what an item has cost already, in USD."""
        row = self._known.get(id)
        return row.spent if row is not None else 0.0

    def stale(self) -> list[str]:
        """Give the ids of bad lines that are bad no longer; nothing before the whole is read."""
        if not self._is_read:
            return []
        gone = [id for id in self._known if id not in self._lines]
        for id in gone:
            if self._stands(self._known[id]):
                self._tally.stands(self._known[id].status, -1)
        return [id for id in gone if self._known[id].is_bad_line]

    def _read_on(self) -> list[Item]:
        kind, name = self._source.kind, self._source.path.name
        lines = islice(self._source, _LINES_AT_ONCE)
        return [self._recipe.item(line, kind, name) for line in lines]

    def _told_apart(self, item: Item) -> Item:
        """Give an item whose id stood in an earlier line another id, and a problem."""
        before = self._lines.get(item.id)
        if before is not None:
            problem = (
                f"line {item.line} of {self._source.path.name}: the id {item.id!r} stands in "
                f"line {before} already"
            )
            id = f"line-{item.line}"
            if id in self._lines:
                id = f"{id}-{item.digest[:8]}"
            item = replace(item, id=id, problem=item.problem or problem)
        self._lines[item.id] = item.line
        return item

    def _is_to_be_sent(self, item: Item) -> bool:
        row = self._known.get(item.id)
        if row is None:
            return True
        stands = self._stands(row)
        if row.request == item.digest:
            return not stands
        if stands:  # but for another request
            self._tally.stands(row.status, -1)
        return True

    def _stands(self, row: Known) -> bool:
        if row.status == "failed":
            return row.is_bad_line or not self._retry_failed
        return row.status == "ok"
