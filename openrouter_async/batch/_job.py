"""`Job`: a file of requests in, a file of answers out.

The rule of this file: what a user sets, checked at once, and the order of a run: the files are
opened, `Running` works, the files are closed, whatever happens.
"""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from .._calling import check_usd
from .._threads import in_thread
from ..budget import Budget
from ..errors import BatchError
from ..types import ChatParams
from ._input import InputFile
from ._item import Recipe
from ._map import at_once
from ._output import Output
from ._pending import Pending
from ._progress import JobProgress, JobSummary, Tally
from ._running import OnProgress, Running, Sending, Ways

if TYPE_CHECKING:
    from ..client import OpenRouter

__all__ = ["Job"]

_SMALLEST: Final = Decimal("1e-12")  # what a budget has where nothing is left: free models go on


class Job:
    """A file of requests, and the file of what came of them.

    The input is JSONL (a string; ``{"id", "prompt" or "messages", ...}`` with any field of
    `ChatParams`; or the form of OpenAI's batch files), CSV or TSV with a header, Parquet (with
    the extra ``data``), or a plain text file with a prompt a line. Its kind is told by the name's
    ending. A line without an id is known by its number. A line that is no request fails, with
    its number and what is wrong with it, and the rest goes on.

    The output is JSONL, one `Row` an item, appended as answers come. A run that was
    interrupted, by whatever, goes on where it was when the same job runs again: what is done is
    not sent again, and what failed only on request. A request that has changed is sent again.

    Args:
        input: The file of requests.
        output: The file of answers; its manifest and a lock stand beside it.
        model: The model of items that name none; by default the client's.
        system: The system message of items that bring none.
        template: What to ask of a row, with columns in braces: ``"Summarise: {text}"``. A JSON
            object's keys are columns, a line of plain text is ``{text}``. Without it a table has
            a column ``prompt``.
        response_type: The type that every answer is to be; see `OpenRouter.complete`.
        images_to: A folder for the images of the answers; an answer without one fails then.
        concurrency: How many at once; by default as many as the client's `Limits` allow.
        budget: USD that the job may cost, earlier runs included, or a `Budget`. Items beyond it
            are ``"unpaid"``; a later run with more does those.
        dedupe: Send equal requests once, and give all the same answer.
        retry_failed: Send failed items again.
        **params: Any keyword of `ChatParams`, for items that do not give it.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an impossible value.

    >>> job = Job("reviews.csv", "stars.jsonl", template="Rate this: {review}", response_type=int)
    >>> async def example(client: OpenRouter) -> None:
    ...     summary = await job.run(client, lambda progress: print(progress.done, progress.eta))
    ...     print(summary.done, summary.failed, summary.cost)
    """

    def __init__(
        self,
        input: str | Path,
        output: str | Path,
        *,
        model: str | None = None,
        system: str | None = None,
        template: str | None = None,
        response_type: Any = None,
        images_to: str | Path | None = None,
        concurrency: int | None = None,
        budget: float | Decimal | Budget | None = None,
        dedupe: bool = False,
        retry_failed: bool = False,
        **params: Unpack[ChatParams],
    ) -> None:
        self.input = Path(input)
        self.output = Path(output)
        if self.input.resolve() == self.output.resolve():
            raise ValueError("output must be another file than input")
        self._images_to = None if images_to is None else Path(images_to)
        self._recipe = Recipe(
            model=model,
            system=system,
            template=template,
            response_type=response_type,
            wants_images=images_to is not None,
            params=params,
        )
        self._response_type = response_type
        self._concurrency = concurrency
        if concurrency is not None and not (type(concurrency) is int and concurrency > 0):
            raise ValueError(f"concurrency must be a whole number from 1 on, got {concurrency!r}")
        self._budget = budget
        if budget is not None and not isinstance(budget, Budget):
            check_usd("budget", budget)
        self._dedupe = dedupe
        self._retry_failed = retry_failed
        self._running: Running | None = None
        self._summary: JobSummary | None = None

    @property
    def summary(self) -> JobSummary | None:
        """What the last run has come to, however it ended; None before the first has ended."""
        return self._summary

    @property
    def progress(self) -> JobProgress | None:
        """How far the run is; None while none is under way."""
        return None if self._running is None else self._running.progress()

    def stop(self) -> None:
        """Have the run take up no further item and return when those under way have ended."""
        if self._running is not None:
            self._running.stop()

    async def run(self, client: OpenRouter, on_progress: OnProgress | None = None) -> JobSummary:
        """Send what has no answer yet, and write what comes.

        Cancelling it cancels what is under way; what had come by then is written.

        Args:
            client: Sends; its limits, its pauses and its own budget hold.
            on_progress: Called with a `JobProgress` now and then, and at the end. It must be
                quick.

        Raises:
            BatchError: A file cannot be read or written, a column that the template names is
                missing, or the output belongs to another job.
            AuthenticationError: The key is refused; no item is marked as failed for that.
            PaymentRequiredError: The account has no credit left; as before.
            RuntimeError: The client is closed, or this job is running already.
        """
        sender = client._sender  # pyright: ignore[reportPrivateUsage]
        sending = Sending(
            complete=cast("Any", client.complete),
            at_once=at_once(sender.limits),
            refuse=sender.refuse_if_closed,
            refusals=lambda: client.stats().refusals,
        )
        return await self.run_by(sending, on_progress)

    async def run_by(self, sending: Sending, on_progress: OnProgress | None = None) -> JobSummary:
        """Do as `run`, with something else than one client that sends."""
        if self._running is not None:
            raise RuntimeError("this job is running already")
        source = InputFile(self.input)
        identity = {"input": self.input.name, **self._recipe.identity}
        output = Output(self.output, identity, remembers_places=self._dedupe)
        try:
            total = await in_thread(self._open, source, output)
            return await self._run(sending, source, output, total, on_progress)
        finally:
            self._running = None
            source.close()
            output.close()

    def _open(self, source: InputFile, output: Output) -> int:
        total = source.count()
        source.__enter__()
        if source.kind == "table":
            missing = self._recipe.missing_columns(source.columns)
            if missing:
                raise BatchError(
                    f"line 1 of {self.input} names no column {missing[0]!r}, which the template "
                    f"needs; it names {', '.join(map(repr, source.columns))}"
                )
        if self._images_to is not None:
            try:
                self._images_to.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BatchError(f"cannot make {self._images_to}: {error.strerror}") from error
        output.open()
        return total

    async def _run(
        self,
        sending: Sending,
        source: InputFile,
        output: Output,
        total: int,
        on_progress: OnProgress | None,
    ) -> JobSummary:
        tally = Tally(total, time.monotonic())
        tally.cost = output.spent
        pending = Pending(
            source,
            self._recipe,
            dict(output.known),
            retry_failed=self._retry_failed,
            tally=tally,
        )
        running = self._running = Running(
            self._ways(sending, tally.cost), pending, output, tally, on_progress
        )
        is_over = False
        try:
            await running.to_its_end()
            await in_thread(output.compact, pending.stale())
            is_over = True
        finally:
            summary = self._summary = tally.summary(str(self.output), time.monotonic())
            running.save_manifest("done" if is_over and not summary.left else "stopped")
        return summary

    def _ways(self, sending: Sending, spent: float) -> Ways:
        budget = self._budget
        if budget is not None and not isinstance(budget, Budget):
            left = Decimal(budget) - Decimal(spent)
            budget = Budget(max(left, _SMALLEST), name=self.output.name)
        keywords = {"budget": budget, "response_type": self._response_type}
        return Ways(
            sending=sending,
            keywords={name: value for name, value in keywords.items() if value is not None},
            images_to=self._images_to,
            dedupe=self._dedupe,
            concurrency=self._concurrency or sending.at_once,
        )

    def __repr__(self) -> str:
        return f"Job({str(self.input)!r}, {str(self.output)!r})"
