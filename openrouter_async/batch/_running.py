"""One run of a job: items are sent, rows are written.

The rule of this file: a row is written before its item's place is given to another, so that no
more than ``concurrency`` answers are ever in memory and not on the disk. While one group of rows
is on its way to the disk, the next gathers.

What ends the run and what is an item's own failure is decided in `ends_the_run` alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from msgspec import Struct, to_builtins

from .._image_result import ImageResult
from .._threads import in_thread
from ..errors import (
    AuthenticationError,
    BatchError,
    BudgetExceededError,
    OpenRouterError,
    PaymentRequiredError,
)
from ..types import ChatCompletion
from ._item import Item, digest_of
from ._map import MapResult, MapRun
from ._output import Output
from ._pending import Pending
from ._progress import JobProgress, Tally
from ._row import Row, of_answer, of_copy, of_error, of_problem

if TYPE_CHECKING:
    import asyncio

__all__ = ["OnProgress", "Running", "Sending", "Ways", "ends_the_run"]

OnProgress = Callable[[JobProgress], object]

_TOLD_EVERY: Final = 0.1
_MANIFEST_EVERY: Final = 5.0
_LOOKS_AGAIN: Final = 1.0
_NAME_LIMIT: Final = 120


class Sending(Struct, frozen=True, kw_only=True):
    """Who sends the items, which is a client or many of them.

    Attributes:
        complete: Sends one, given the keywords of `OpenRouter.complete`.
        at_once: How many at once, where the job does not say.
        refuse: Raises where nothing can be sent any more.
        refusals: Counts the refusals so far.
    """

    complete: Callable[..., Awaitable[ChatCompletion]]
    at_once: int
    refuse: Callable[[], None]
    refusals: Callable[[], int]


class Ways(Struct, frozen=True, kw_only=True):
    """How the items of a run are sent.

    Attributes:
        sending: Who sends them.
        keywords: What is added to each item's own.
        images_to: The folder for images.
        dedupe: Whether equal requests are sent once.
        concurrency: How many at once.
    """

    sending: Sending
    keywords: Mapping[str, Any]
    images_to: Path | None
    dedupe: bool
    concurrency: int


class Running:
    """A run that is under way; for one use."""

    def __init__(
        self,
        ways: Ways,
        pending: Pending,
        output: Output,
        tally: Tally,
        on_progress: OnProgress | None,
    ) -> None:
        import asyncio

        self._ways = ways
        self._pending = pending
        self._output = output
        self._tally = tally
        self._on_progress = on_progress
        self._told_at = self._saved_at = time.monotonic()
        self._refusals_before = ways.sending.refusals()
        self._freed = asyncio.Condition()  # money of a budget
        self._short = 0  # items that wait for it
        self._flying: dict[str, asyncio.Event] = {}  # requests whose like need not be sent
        self._ends_with: Exception | None = None
        self._unwritten: deque[Row] = deque()  # who takes a row out of it writes it
        self._results: MapRun[Item, Row] = MapRun(
            pending, self._send, concurrency=ways.concurrency, refuse=ways.sending.refuse
        )

    def stop(self) -> None:
        """Take up no further item."""
        self._results.finish()

    def progress(self) -> JobProgress:
        """Give the numbers of this moment."""
        refusals = self._ways.sending.refusals() - self._refusals_before
        return self._tally.progress(time.monotonic(), refusals)

    async def to_its_end(self) -> None:
        """Work until nothing is left, or until something ends the run.

        Raises:
            BatchError: The disk fails.
            OpenRouterError: The key or the account is refused, which concerns all items.
        """
        async with self._results as results:
            try:
                while group := await results.take():
                    await self._record(group)
            except BaseException:
                # What has come is paid for.
                self._unwritten += self._rows_of(results.ready())
                with suppress(BatchError):
                    self._write_what_came()
                raise
        self._tell(self.progress())
        if self._ends_with is not None:
            raise self._ends_with

    async def _record(self, group: list[MapResult[Item, Row]]) -> None:
        self._unwritten += self._rows_of(group)
        await in_thread(self._write)
        for result in group:
            flying = self._flying.pop(result.request.digest, None)
            if flying is not None:
                flying.set()
        now = time.monotonic()
        if self._on_progress is not None and now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            self._tell(self.progress())

    def _rows_of(self, group: list[MapResult[Item, Row]]) -> list[Row]:
        rows: list[Row] = []
        for result in group:
            if result.error is not None:
                self._ends_with = self._ends_with or result.error
                self.stop()
                continue
            row = result.unwrap()
            row.cost_before = self._pending.spent_before(row.id) or None
            row.seconds = round(result.seconds, 4)
            rows.append(row)
        return rows

    def _write(self) -> None:
        self._write_what_came()
        if time.monotonic() - self._saved_at >= _MANIFEST_EVERY:
            self._saved_at = time.monotonic()
            self.save_manifest("running")

    def _write_what_came(self) -> None:
        rows: list[Row] = []
        with suppress(IndexError):
            while True:
                rows.append(self._unwritten.popleft())
        self._output.write(rows)
        now = time.monotonic()
        for row in rows:  # what counts is on the disk
            self._tally.add(row, now)

    def save_manifest(self, state: str) -> None:
        """Write the totals beside the output."""
        summary = self._tally.summary(self._output.path.name, time.monotonic())
        with suppress(OSError):  # the rows say it all
            self._output.save_manifest(to_builtins(summary), state)

    def _tell(self, progress: JobProgress) -> None:
        if self._on_progress is not None:
            self._on_progress(progress)

    # One item.

    async def _send(self, item: Item) -> Row:
        if item.problem is not None:
            return of_problem(item)
        if self._ways.dedupe:
            first = await self._answer_of_its_like(item)
            if first is not None:
                return of_copy(item, first)
        completion: ChatCompletion | None = None
        try:
            completion = await self._within_budget(item)
            return of_answer(item, completion, await self._saved(item, completion))
        except Exception as error:
            if ends_the_run(error):
                raise
            return of_error(item, error, completion)
        finally:
            if self._short:
                async with self._freed:
                    self._freed.notify()

    async def _answer_of_its_like(self, item: Item) -> Row | None:
        """Wait for an equal request that is under way; None where this one is to be sent."""
        import asyncio

        while True:
            if self._output.has_answer(item.digest):
                return await in_thread(self._output.row_of, item.digest)
            flying = self._flying.get(item.digest)
            if flying is None:
                self._flying[item.digest] = asyncio.Event()
                return None
            await flying.wait()

    async def _within_budget(self, item: Item) -> ChatCompletion:
        """Send it, as soon as the budget has what the requests under way do not need after all."""
        import asyncio

        while True:
            try:
                return await self._ways.sending.complete(**item.keywords, **self._ways.keywords)
            except BudgetExceededError as error:
                if not error.reserved or error.needed > error.limit - error.spent:
                    raise
            self._short += 1
            try:
                with suppress(TimeoutError):  # others may hold it, who tell nobody
                    async with asyncio.timeout(_LOOKS_AGAIN), self._freed:
                        await self._freed.wait()
            finally:
                self._short -= 1

    async def _saved(self, item: Item, completion: ChatCompletion) -> list[str]:
        """Write the images of an answer; give their names, or else their URLs."""
        folder = self._ways.images_to
        if folder is None:
            return [image.url for image in completion.images]
        images = ImageResult(completion)
        assert images.image  # raises where there is none
        name = quote(item.id, safe=" ")
        if len(name) > _NAME_LIMIT:
            name = digest_of(item.id)
        names: list[str] = []
        for number, image in enumerate(images.images, 1):
            saved = await image.save_async(
                folder / f"{name}-{number}{image.suffix}", overwrite=True
            )
            names.append(saved.name)
        return names


def ends_the_run(error: Exception) -> bool:
    """Tell whether it concerns all items: the account, the disk, or a mistake in the program."""
    if isinstance(error, AuthenticationError | PaymentRequiredError):
        return True
    return not isinstance(error, OpenRouterError | TypeError | ValueError)
