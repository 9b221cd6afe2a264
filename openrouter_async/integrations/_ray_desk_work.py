"""The desk: an actor that keeps what the processes of a cluster share.

The rule of this file: it decides and never waits, so that one process of it serves a cluster;
whoever has to wait does so on its own side, in `_ray_desk`. Of a request it is told the model, how
many tokens it may take and what it may cost, never what it says.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from .._pacing import Minute, Spending
from ..batch._output import Output
from ..batch._row import Row, encode
from ..errors import BatchError, BudgetExceededError
from ._ray_account import Account, Ledger

__all__ = ["DeskWork", "Granted", "Terms"]

_decode: Final = msgspec.json.Decoder(Row).decode


class Granted(NamedTuple):
    """What the desk says to those who asked to send.

    Attributes:
        tickets: A number for each that may; None for the others.
        wait: Seconds until asking again is of use.
    """

    tickets: list[int | None]
    wait: float


class Terms(NamedTuple):
    """How much the processes may spend.

    Attributes:
        budget: USD, all together; None is no bound.
        per_request: USD to hold for each request; None is what the price list says.
    """

    budget: Decimal | None
    per_request: Decimal | None


class DeskWork:
    """The desk itself, run as an actor.

    Args:
        requests_per_minute: How many may be sent in any minute by all together.
        tokens_per_minute: How many tokens they may take.
        terms: What they may cost.
        journal: The file that answers are kept in; None keeps them in one without a name, until
            the desk ends.
        identity: What the answers are answers to; see `Output`.
    """

    def __init__(
        self,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        terms: Terms,
        journal: str | None,
        identity: Mapping[str, Any],
    ) -> None:
        self._terms = terms
        self._ledger: Ledger | None = None
        self._requests = None if requests_per_minute is None else Minute(requests_per_minute)
        self._tokens = None if tokens_per_minute is None else Minute(tokens_per_minute)
        self._paused: dict[str, float] = {}
        self._count = 0
        self._spendings: deque[tuple[int, Spending]] = deque()
        self._journal: _Scratch | Output = _Scratch()
        self._file = None if journal is None else Path(journal)
        self._identity = identity

    def open(self) -> BatchError | None:
        """Open the journal, once; give what is wrong with it, so that it arrives as what it is."""
        if self._file is not None and not isinstance(self._journal, Output):
            journal = Output(self._file, self._identity, remembers_places=True)
            try:
                journal.open()
            except BatchError as error:
                journal.close()
                return error
            self._journal = journal
        if self._terms.budget is not None and self._ledger is None:
            name = str(self._identity["input"])
            self._ledger = Ledger(self._terms.budget, self._journal.spent, name)
        return None

    def terms(self) -> Terms:
        """Give what all have to keep to, which the first has set."""
        return self._terms

    def take(self, asked: Sequence[tuple[str, int]]) -> Granted:
        """Let as many send as the limits allow, in the order in which they ask."""
        now = time.monotonic()
        tickets: list[int | None] = []
        waits: list[float] = []
        for lane, tokens in asked:
            wait = self._wait(lane, tokens, now)
            if wait > 0:
                waits.append(wait)
                tickets.append(None)
            else:
                tickets.append(self._spend(tokens, now))
        return Granted(tickets, min(waits, default=0.0))

    def spent(self, used: Sequence[tuple[int, int]]) -> None:
        """Put estimates of tokens right.

        Args:
            used: The tickets, each with the tokens that its request took.
        """
        if self._tokens is None or not self._spendings:
            return
        first = self._spendings[0][0]
        for ticket, tokens in used:
            place = ticket - first
            if 0 <= place < len(self._spendings):
                self._tokens.correct(self._spendings[place][1], tokens)

    def reserve(self, holder: str, amounts: Sequence[Decimal]) -> list[int | BudgetExceededError]:
        """Hold money for requests; give a ticket for each, or why there is none."""
        assert self._ledger is not None
        return self._ledger.reserve(holder, amounts, time.monotonic())

    def settle(self, used: Sequence[tuple[int, float]]) -> None:
        """Count what requests have cost in place of what was held for them."""
        assert self._ledger is not None
        self._ledger.settle(used)

    def hear(self, holder: str) -> None:
        """Take note that a process that holds money lives."""
        assert self._ledger is not None
        self._ledger.hear(holder, time.monotonic())

    def account(self) -> Account | None:
        """Give the sums of the budget, where there is one."""
        return None if self._ledger is None else self._ledger.account()

    def pause(self, lane: str, seconds: float) -> None:
        """Let nobody send to a model for a while."""
        until = time.monotonic() + seconds
        self._paused[lane] = max(until, self._paused.get(lane, -inf))

    def find(self, keys: Sequence[str]) -> list[bytes | None]:
        """Give the rows that stand for these requests, where there are some."""
        rows = [self._journal.row_of(key) for key in keys]
        return [None if row is None else encode(row) for row in rows]

    def record(self, rows: Sequence[bytes]) -> None:
        """Keep rows; they are on the disk when this returns.

        The row of a failure tells what it has cost; it stands under an id of its own, so that it
        never takes the place of an answer.
        """
        kept = [_decode(row) for row in rows]
        spent: dict[str, float] = {}
        for row in kept:
            if row.status != "ok":
                row.id = f"{row.request} failed"
            row.cost_before = spent.get(row.id) or self._journal.spent_on(row.id) or None
            spent[row.id] = row.spent
        self._journal.write(kept)

    def close(self) -> None:
        """Write what is left to write, and let others have the journal."""
        if isinstance(self._journal, Output):
            self._journal.compact(())
            self._journal.save_manifest({}, "stopped")
        self._journal.close()

    def _wait(self, lane: str, tokens: int, now: float) -> float:
        waits = [self._paused.get(lane, now) - now]
        if self._requests is not None:
            waits.append(self._requests.wait(now, 1))
        if self._tokens is not None:
            waits.append(self._tokens.wait(now, tokens))
        return max(waits)

    def _spend(self, tokens: int, now: float) -> int:
        if self._requests is not None:
            self._requests.spend(now, 1)
        if self._tokens is not None:
            while self._spendings and self._spendings[0][1].at + Minute.LENGTH <= now:
                self._spendings.popleft()
            self._spendings.append((self._count, self._tokens.spend(now, tokens)))
        self._count += 1
        return self._count - 1


class _Scratch:
    """Rows in a file that has no name, so that nothing stays of it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  it is closed by `close`
        self._places: dict[str, tuple[int, int]] = {}
        self._size = 0
        self.spent = 0.0  # by the time it is opened

    def spent_on(self, id: str) -> float:
        return 0.0  # no run comes after this one to add it up

    def row_of(self, key: str) -> Row | None:
        place = self._places.get(key)
        return None if place is None else _decode(os.pread(self._file.fileno(), *place[::-1]))

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.status != "ok":
                continue
            line = encode(row)
            os.pwrite(self._file.fileno(), line, self._size)
            self._places[row.request] = (self._size, len(line))
            self._size += len(line)

    def close(self) -> None:
        self._file.close()
