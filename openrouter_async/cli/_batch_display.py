"""What is shown while a job runs, and what is said at its end.

The rule of this file: numbers come in, lines go out, and nothing is asked of the job. There are
four displays with one face: one that is drawn anew on a terminal, lines now and then elsewhere,
JSON for programs, and none.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from openrouter_async.cli._failures import INTERRUPTED, as_fields
from openrouter_async.cli._terminal import is_lively, note, print_json
from openrouter_async.cli._words import money, printable, span

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from openrouter_async.batch import JobProgress, JobSummary

__all__ = ["Display", "JSONDisplay", "LinesDisplay", "LiveDisplay", "new_display", "summary_lines"]

_REDRAW: Final = 0.25
_JSON_EVERY: Final = 1.0
_LINE_EVERY: Final = 10.0
_NAME: Final = 24
_NOT_SENT: Final = "BudgetExceededError"


def new_display(name: str, *, as_json: bool, is_quiet: bool) -> Display:
    """Give the display that was asked for and that stderr can take.

    Args:
        name: What the job is called.
        as_json: Whether a program reads.
        is_quiet: Whether nobody does; as JSON, only the end is told then.
    """
    if as_json:
        return JSONDisplay(is_quiet=is_quiet)
    if is_quiet:
        return Display()
    from rich.console import Console

    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    return LiveDisplay(name, console) if is_lively(console) else LinesDisplay()


class Display:
    """Shows nothing; the face of the others.

    Attributes:
        every: Seconds between two looks at the job.
    """

    every = _LINE_EVERY

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take down what is drawn."""

    def show(self, progress: JobProgress, at_once: int) -> None:
        """Show how far the job is, and how many requests are under way."""

    def say(self, text: str) -> None:
        """Say something meanwhile."""

    def end(self, summary: JobSummary, code: int) -> None:
        """Say what it has come to."""

    def fail(self, error: BaseException, summary: JobSummary) -> None:
        """Say how far it came before an error ended it; the error itself is told elsewhere."""


class LinesDisplay(Display):
    """A line now and then, for logs and simple terminals."""

    def show(self, progress: JobProgress, at_once: int) -> None:
        """Write a line."""
        if progress.left:
            note(", ".join([*_counts(progress, at_once), *_speeds(progress)]))

    def say(self, text: str) -> None:
        """Write a line."""
        note(text)

    def end(self, summary: JobSummary, code: int) -> None:
        """Write what it has come to."""
        note("\n".join(summary_lines(summary, code)))

    def fail(self, error: BaseException, summary: JobSummary) -> None:
        """Write how far it came."""
        note("\n".join(summary_lines(summary, None)))


class LiveDisplay(LinesDisplay):
    """Three lines that are drawn anew."""

    every = _REDRAW

    def __init__(self, name: str, console: Console) -> None:
        self._name = printable(name)
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, progress: JobProgress, at_once: int) -> None:
        """Draw the lines."""
        if self._live is not None:
            self._live.update(_drawn(self._name, progress, at_once), refresh=True)

    def say(self, text: str) -> None:
        """Write a line above those that are drawn."""
        self._console.print(text)


class JSONDisplay(Display):
    """An object a line, on stdout: ``progress`` now and then, then one ``summary``."""

    every = _JSON_EVERY

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet

    def show(self, progress: JobProgress, at_once: int) -> None:
        """Write a line."""
        if not self._is_quiet:
            self._write("progress", {**msgspec.structs.asdict(progress), "under_way": at_once})

    def say(self, text: str) -> None:
        """Say it on stderr: it is for who sits there."""
        if not self._is_quiet:
            note(text)

    def end(self, summary: JobSummary, code: int) -> None:
        """Write the last line."""
        self._write("summary", {**msgspec.structs.asdict(summary), "exit_code": code})

    def fail(self, error: BaseException, summary: JobSummary) -> None:
        """Write the last line, with the error."""
        self._write("summary", {**msgspec.structs.asdict(summary), "error": as_fields(error)})

    def _write(self, event: str, content: Mapping[str, Any]) -> None:
        print_json({"event": event, **content}, is_line=True)


def summary_lines(summary: JobSummary, code: int | None) -> list[str]:
    """Say what a job has come to, and what can be done next."""
    tokens = summary.prompt_tokens + summary.completion_tokens
    counts = [f"{summary.done:,} of {summary.total:,} done"]
    if summary.failed:
        counts.append(f"{summary.failed:,} failed")
    if summary.unpaid:
        counts.append(f"{summary.unpaid:,} not paid for")
    if summary.left:
        counts.append(f"{summary.left:,} left")
    rate = summary.sent / summary.seconds if summary.seconds > 0 else 0.0
    sent = f"{summary.sent:,} items, {tokens:,} tokens"
    lines = [
        f"{', '.join(counts)}; {money(summary.cost)} in all",
        f"This run: {sent} in {span(summary.seconds)}, {rate:,.1f} items/s",
    ]
    reasons = summary.failures.items()
    lines += [f"  {count:,} x {kind}" for kind, count in reasons if kind != _NOT_SENT]
    if code == INTERRUPTED:
        lines.append("Stopped; the same command goes on from there.")
    elif summary.unpaid:
        lines.append("The budget is used up; the same command with a larger one does the rest.")
    elif summary.failed:
        lines.append("Those that failed are sent again with --retry-failed,")
        lines.append("lines that are no requests (BadLine) once they are mended.")
    lines.append(f"Results: {summary.output}")
    return [printable(line) for line in lines]


def _counts(progress: JobProgress, at_once: int) -> list[str]:
    counts = [f"{progress.done:,} of {progress.total:,} done", f"{progress.failed:,} failed"]
    if progress.unpaid:
        counts.append(f"{progress.unpaid:,} not paid for")
    return [*counts, f"{at_once:,} under way", f"{progress.refusals:,} refusals (429)"]


def _speeds(progress: JobProgress) -> list[str]:
    cost = money(progress.cost)
    if progress.cost_left:
        cost += f" + {money(_short(progress.cost_left))} to come"
    speeds = [f"{progress.rate:,.1f}/s", f"{progress.tokens_per_second:,.0f} tokens/s", cost]
    if progress.eta is not None:
        speeds.append(f"{span(progress.eta)} left")
    return speeds


def _short(usd: float) -> float:
    """Leave two digits of what is only reckoned."""
    return float(f"{usd:.2g}")


def _drawn(name: str, progress: JobProgress, at_once: int) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    ended = progress.total - progress.left
    percent = 100 * ended // max(1, progress.total)
    name = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(no_wrap=True)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True, justify="right")
    bar.add_row(
        Text(name, "bold"),
        ProgressBar(total=max(1, progress.total), completed=ended),
        Text(f"{ended:,} of {progress.total:,}  {percent} %"),
    )
    counts = Text("  ").join(
        Text(said, _style(said, progress)) for said in _counts(progress, at_once)
    )
    return Group(bar, counts, Text("  ".join(_speeds(progress)), "dim"))


def _style(said: str, progress: JobProgress) -> str:
    if said.endswith(" done"):
        return "green"
    if said.endswith(" failed") and progress.failed:
        return "red"
    return "yellow" if said.endswith((" paid for", "(429)")) and said[:2] != "0 " else ""
