"""How far a job is: counts, money, and what an item takes.

The rule of this file: pure reckoning on what it is told, the time included. What an item takes
is learned from those that have ended, the rate from the last minute.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from msgspec import Struct

from ._row import Row, Status

__all__ = ["JobProgress", "JobSummary", "Tally"]

_WINDOW: Final = 60.0
_SAMPLE: Final = 0.5


class JobProgress(Struct, frozen=True, kw_only=True):
    """How far a job is.

    Attributes:
        total: Items in the input.
        done: Items with an answer, earlier runs included.
        failed: Items that failed.
        unpaid: Items that the budget had too little left for.
        left: Items without a result yet.
        seconds: Since this run began.
        rate: Items that ended a second, over the last minute.
        tokens_per_second: Tokens of their prompts and answers.
        cost: USD that the job has cost so far, earlier runs included, as far as known.
        cost_left: USD that the rest will cost at what the items of this run have cost on average;
            None while nobody can tell.
        eta: Seconds that the rest will take at this rate; None while nobody can tell.
        tokens_per_item: Tokens that an item takes on average.
        seconds_per_item: Seconds that an item takes on average, all waiting included.
        refusals: Answers that said too much was asked (429, 503, 529), in this run.
    """

    total: int
    done: int
    failed: int
    unpaid: int
    left: int
    seconds: float
    rate: float
    tokens_per_second: float
    cost: float
    cost_left: float | None
    eta: float | None
    tokens_per_item: float
    seconds_per_item: float
    refusals: int


class JobSummary(Struct, frozen=True, kw_only=True):
    """What a job has come to.

    Attributes:
        output: The path of the output.
        total: Items in the input.
        done: Items with an answer, earlier runs included.
        failed: Items that failed.
        unpaid: Items that the budget had too little left for; a run with more does them.
        left: Items that have no result, because the run was stopped.
        sent: Items that this run has worked on.
        cost: USD that the job has cost so far, earlier runs included, as far as known.
        prompt_tokens: Tokens of the prompts of this run.
        completion_tokens: Tokens of the answers of this run.
        seconds: How long this run took.
        failures: How many items of this run failed for which reason, by the error's class.
    """

    output: str
    total: int
    done: int
    failed: int
    unpaid: int
    left: int
    sent: int
    cost: float
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    failures: dict[str, int]

    @property
    def is_whole(self) -> bool:
        """Whether every item has an answer."""
        return self.done == self.total


class Tally:
    """What a job counts while it runs.

    Args:
        total: Items in the input.
        now: The time at which the run begins, in seconds of any clock.
    """

    def __init__(self, total: int, now: float) -> None:
        self.total = total
        self.cost = 0.0
        self._began = now
        self._standing: Counter[Status] = Counter()
        self._sent = 0
        self._prompt_tokens = self._completion_tokens = self._with_usage = 0
        self._seconds = 0.0
        self._cost = 0.0  # of this run
        self._failures: Counter[str] = Counter()
        self._samples: deque[tuple[float, int, int]] = deque([(now, 0, 0)])

    def stands(self, status: Status, change: int = 1) -> None:
        """Count a row that an earlier run has written, or one less of them."""
        self._standing[status] += change

    def add(self, row: Row, now: float) -> None:
        """Count a row of this run."""
        self._standing[row.status] += 1
        self._sent += 1
        self.cost += row.cost or 0.0
        self._cost += row.cost or 0.0
        self._seconds += row.seconds or 0.0
        if row.error is not None:
            self._failures[row.error.kind] += 1
        if row.usage is not None:
            self._with_usage += 1
            self._prompt_tokens += row.usage.prompt_tokens
            self._completion_tokens += row.usage.completion_tokens
        if now - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((now, self._sent, self._tokens))
            while now - self._samples[0][0] > _WINDOW:
                self._samples.popleft()

    def progress(self, now: float, refusals: int) -> JobProgress:
        """Give the numbers of this moment."""
        since, sent, tokens = self._samples[0]
        seconds = max(now - since, 1e-9)
        rate = (self._sent - sent) / seconds
        left = self._left()
        return JobProgress(
            total=self.total,
            done=self._standing["ok"],
            failed=self._standing["failed"],
            unpaid=self._standing["unpaid"],
            left=left,
            seconds=now - self._began,
            rate=rate,
            tokens_per_second=(self._tokens - tokens) / seconds,
            cost=self.cost,
            cost_left=left * self._cost / self._sent if self._sent else None,
            eta=left / rate if rate else None,
            tokens_per_item=self._tokens / max(1, self._with_usage),
            seconds_per_item=self._seconds / max(1, self._sent),
            refusals=refusals,
        )

    def summary(self, output: str, now: float) -> JobSummary:
        """Give what it has come to."""
        return JobSummary(
            output=output,
            total=self.total,
            done=self._standing["ok"],
            failed=self._standing["failed"],
            unpaid=self._standing["unpaid"],
            left=self._left(),
            sent=self._sent,
            cost=self.cost,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            seconds=now - self._began,
            failures=dict(self._failures.most_common()),
        )

    @property
    def _tokens(self) -> int:
        return self._prompt_tokens + self._completion_tokens

    def _left(self) -> int:
        return max(0, self.total - self._standing.total())
