"""What a job has come to, read from its output.

The rule of this file: rows in, numbers out, and the numbers as a table for a terminal. How they
look on a page is in `_page`. Nothing is kept of a row but its numbers.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from ._output import rows_in
from ._row import Row

__all__ = ["Failure", "Report", "Share", "report"]

_PERCENTILES: Final = (50, 90, 95, 99)
_SHOWN: Final = 100


class Failure(Struct, frozen=True, kw_only=True):
    """Items that failed for one reason.

    Attributes:
        kind: The error's class; ``BadLine`` where the input is at fault.
        count: How many.
        example: What one of them says.
        line: The line of that one in the input.
    """

    kind: str
    count: int
    example: str
    line: int


class Share(Struct, kw_only=True):
    """What one model at one provider has done.

    Attributes:
        model: The model that answered.
        provider: The provider; empty where none was named.
        count: How many answers.
        tokens: Tokens of prompts and answers.
        cost: USD.
        seconds: The sum of what the answers took from their sending on.
    """

    model: str
    provider: str
    count: int = 0
    tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0


class Report(Struct, frozen=True, kw_only=True):
    """The numbers of a job's output; ``print(report)`` shows them as a table.

    Attributes:
        path: The output.
        done: Items with an answer.
        failed: Items that failed.
        unpaid: Items that the budget had too little left for.
        copies: Answers that were taken over from an equal request.
        cost: USD, as far as known.
        prompt_tokens: Tokens of all prompts.
        completion_tokens: Tokens of all answers.
        latencies: What each answer took from its sending on, in seconds, in ascending order.
        moments: When each row was written, in seconds since the epoch, in ascending order.
        shares: What each model did, the busiest first.
        failures: Why items failed, the most frequent first.
    """

    path: str
    done: int
    failed: int
    unpaid: int
    copies: int
    cost: float
    prompt_tokens: int
    completion_tokens: int
    latencies: Sequence[float]
    moments: Sequence[float]
    shares: list[Share]
    failures: list[Failure]

    @property
    def total(self) -> int:
        """Items with a result of any kind."""
        return self.done + self.failed + self.unpaid

    @property
    def seconds(self) -> float:
        """From the first row to the last, pauses between runs included."""
        return self.moments[-1] - self.moments[0] if self.moments else 0.0

    def percentile(self, percent: float) -> float:
        """Give the seconds within which so many of a hundred answers came; 0 without answers."""
        if not self.latencies:
            return 0.0
        place = percent / 100 * (len(self.latencies) - 1)
        below = int(place)
        above = min(below + 1, len(self.latencies) - 1)
        part = place - below
        return self.latencies[below] * (1 - part) + self.latencies[above] * part

    def html(self) -> str:
        """Give the report as one page that needs nothing else, no network either."""
        from ._page import page

        return page(self)

    def save_html(self, path: str | Path) -> Path:
        """Write `html` to a file, replacing what is there; give its path.

        Raises:
            OSError: The file cannot be written.
        """
        target = Path(path)
        target.write_text(self.html(), "utf-8")
        return target

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.total:,} items",
            "",
            *_table(
                [
                    ["done", f"{self.done:,}", "cost", f"${self.cost:,.6f}"],
                    ["failed", f"{self.failed:,}", "prompt tokens", f"{self.prompt_tokens:,}"],
                    ["unpaid", f"{self.unpaid:,}", "answer tokens", f"{self.completion_tokens:,}"],
                ]
            ),
        ]
        if self.latencies:
            heads = [f"p{percent}" for percent in _PERCENTILES]
            cells = [f"{self.percentile(percent):.2f} s" for percent in _PERCENTILES]
            lines += ["", "Seconds an answer took", *_table([heads, cells])]
        if self.shares:
            rows = [["model", "provider", "answers", "tokens", "cost", "seconds each"]]
            rows += [
                [
                    share.model,
                    share.provider,
                    f"{share.count:,}",
                    f"{share.tokens:,}",
                    f"${share.cost:,.6f}",
                    f"{share.seconds / share.count:.2f}",
                ]
                for share in self.shares
            ]
            lines += ["", "Models", *_table(rows)]
        if self.failures:
            rows = [["failure", "items", "for example"]]
            rows += [
                [failure.kind, f"{failure.count:,}", _cut(failure.example)]
                for failure in self.failures
            ]
            lines += ["", "Failures", *_table(rows)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Report({self.path!r}, done={self.done}, failed={self.failed}, cost={self.cost:g})"


class _Counts:
    """The sums while rows are read."""

    def __init__(self) -> None:
        self.statuses = {"ok": 0, "failed": 0, "unpaid": 0}
        self.copies = 0
        self.cost = 0.0
        self.prompt_tokens = self.completion_tokens = 0
        self.latencies = array("d")
        self.moments = array("d")
        self.shares: dict[tuple[str, str], Share] = {}
        self.failures: dict[str, Failure] = {}

    def add(self, row: Row) -> None:
        self.statuses[row.status] += 1
        self.cost += row.spent
        self.moments.append(row.at)
        tokens = 0
        if row.usage is not None:
            self.prompt_tokens += row.usage.prompt_tokens
            self.completion_tokens += row.usage.completion_tokens
            tokens = row.usage.prompt_tokens + row.usage.completion_tokens
        if row.error is not None:
            self._add_failure(row, row.error.kind, row.error.message)
        elif row.same_as is not None:
            self.copies += 1
        else:
            seconds = row.latency or row.seconds or 0.0
            self.latencies.append(seconds)
            key = (row.model or "", row.provider or "")
            share = self.shares.setdefault(key, Share(model=key[0], provider=key[1]))
            share.count += 1
            share.tokens += tokens
            share.cost += row.cost or 0.0
            share.seconds += seconds

    def _add_failure(self, row: Row, kind: str, message: str) -> None:
        known = self.failures.get(kind)
        self.failures[kind] = Failure(
            kind=kind,
            count=1 if known is None else known.count + 1,
            example=message if known is None else known.example,
            line=row.line if known is None else known.line,
        )


def report(output: str | Path) -> Report:
    """Read a job's output, also while the job runs.

    Args:
        output: The path of the output.

    Raises:
        BatchError: There is no such file, or no job has written it.

    >>> def example() -> None:
    ...     numbers = report("stars.jsonl")
    ...     print(numbers, numbers.percentile(99))
    ...     numbers.save_html("stars.html")
    """
    counts = _Counts()
    for row in rows_in(Path(output)):
        counts.add(row)
    return Report(
        path=str(output),
        done=counts.statuses["ok"],
        failed=counts.statuses["failed"],
        unpaid=counts.statuses["unpaid"],
        copies=counts.copies,
        cost=counts.cost,
        prompt_tokens=counts.prompt_tokens,
        completion_tokens=counts.completion_tokens,
        latencies=array("d", sorted(counts.latencies)),
        moments=array("d", sorted(counts.moments)),
        shares=sorted(counts.shares.values(), key=lambda share: -share.count),
        failures=sorted(counts.failures.values(), key=lambda failure: -failure.count),
    )


def _table(rows: list[list[str]]) -> list[str]:
    """Set rows in columns; those of numbers stand at the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    of_numbers = [column[-1][:1].isdigit() or column[-1][:1] == "$" for column in columns]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, of_numbers, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
