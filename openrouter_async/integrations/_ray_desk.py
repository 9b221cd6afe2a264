"""What the processes of a cluster share: a rate, pauses, and the answers that are there already.

The rule of this file: `DeskWork` decides and never waits, so that one process of it serves a
cluster; whoever has to wait does so on its own side, in `Desk`. Of a request the desk is told its
model and how many tokens it may take, never what it says.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec

from .._limits import Limiter, Permit, asked_in
from .._pacing import Minute, Spending
from ..batch._output import Output
from ..batch._row import Row, encode
from ..errors import BatchError, OpenRouterError

if TYPE_CHECKING:
    import asyncio

    from .._sender import Sender

__all__ = ["TICKETS", "Desk", "DeskWork", "SharingLimiter", "ray_module"]

NAMESPACE: Final = "openrouter-async"
_ASKS_AGAIN: Final = 1.0
_decode: Final = msgspec.json.Decoder(Row).decode

TICKETS: ContextVar[list[int]] = ContextVar("tickets")
"""Where the numbers are noted under which the requests of one row were let through."""


def ray_module() -> Any:
    """Import ray, which knows no types that we could rely on."""
    return importlib.import_module("ray")


class Granted(NamedTuple):
    """What the desk says to those who asked to send.

    Attributes:
        tickets: A number for each that may; None for the others.
        wait: Seconds until asking again is of use.
    """

    tickets: list[int | None]
    wait: float


class DeskWork:
    """The desk itself, run as an actor.

    Args:
        requests_per_minute: How many may be sent in any minute by all together.
        tokens_per_minute: How many tokens they may take.
        journal: The file that answers are kept in; None keeps them in one without a name, until
            the desk ends.
        identity: What the answers are answers to; see `Output`.
    """

    def __init__(
        self,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        journal: str | None,
        identity: Mapping[str, Any],
    ) -> None:
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
        return None

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

    def pause(self, lane: str, seconds: float) -> None:
        """Let nobody send to a model for a while."""
        until = time.monotonic() + seconds
        self._paused[lane] = max(until, self._paused.get(lane, -inf))

    def find(self, keys: Sequence[str]) -> list[bytes | None]:
        """Give the rows that stand for these requests, where there are some."""
        rows = [self._journal.row_of(key) for key in keys]
        return [None if row is None else encode(row) for row in rows]

    def record(self, rows: Sequence[bytes]) -> None:
        """Keep rows; they are on the disk when this returns."""
        self._journal.write([_decode(row) for row in rows])

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

    def row_of(self, key: str) -> Row | None:
        place = self._places.get(key)
        return None if place is None else _decode(os.pread(self._file.fileno(), *place[::-1]))

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            line = encode(row)
            os.pwrite(self._file.fileno(), line, self._size)
            self._places[row.request] = (self._size, len(line))
            self._size += len(line)

    def close(self) -> None:
        self._file.close()


class Desk:
    """What the processes of a cluster share; a handle that travels to each of them.

    Args:
        name: What it is called; who asks for a desk of the same name gets the same one, in
            other programs on the cluster too, with the settings of the first.
        requests_per_minute: How many requests all together may send in any minute.
        tokens_per_minute: How many tokens of prompts and answers they may take in any minute.
        journal: A file for the answers, on the machine of this program. Whatever ends the work,
            the next desk with this journal knows them, and nothing is paid for twice. Without
            one they are kept as long as the desk is.
        identity: What the answers are answers to; another one is refused.

    Raises:
        BatchError: The journal cannot be used.
    """

    def __init__(
        self,
        name: str,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        journal: str | os.PathLike[str] | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        ray = ray_module()
        strategies: Any = importlib.import_module("ray.util.scheduling_strategies")
        here = ray.get_runtime_context().get_node_id()
        place = strategies.NodeAffinitySchedulingStrategy(here, soft=journal is None)
        self.name = name
        self._actor: Any = (
            ray.remote(DeskWork)
            .options(
                name=name,
                namespace=NAMESPACE,
                get_if_exists=True,
                num_cpus=0,
                scheduling_strategy=place,
            )
            .remote(
                requests_per_minute,
                tokens_per_minute,
                None if journal is None else str(Path(journal).resolve()),
                {"input": name, "model": None, **(identity or {})},
            )
        )
        failure: BatchError | None = ray.get(self._actor.open.remote())
        if failure is not None:
            ray.kill(self._actor)
            raise failure
        self._begin()

    def _begin(self) -> None:
        self._asking: deque[tuple[str, int, asyncio.Future[int]]] = deque()
        self._rows: deque[tuple[bytes, asyncio.Future[None]]] = deque()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def let_through(self, lane: str, tokens: int) -> int:
        """Wait until one request may be sent; give its ticket."""
        import asyncio

        place: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asking.append((lane, tokens, place))
        self._keep_up("asking", self._ask)
        return await place

    async def keep(self, row: Row) -> None:
        """Have a row kept, and wait until it is."""
        import asyncio

        is_kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rows.append((encode(row), is_kept))
        self._keep_up("keeping", self._keep)
        await is_kept

    async def known(self, keys: Sequence[str]) -> list[Row | None]:
        """Give the rows that stand for these requests already."""
        found = await self._actor.find.remote(list(keys))
        return [None if row is None else _decode(row) for row in found]

    def spent(self, used: Sequence[tuple[int, int]]) -> None:
        """Tell how many tokens were taken, without waiting."""
        self._actor.spent.remote(list(used))

    def pause(self, lane: str, seconds: float) -> None:
        """Tell that a model takes nothing for a while, without waiting."""
        self._actor.pause.remote(lane, seconds)

    def close(self) -> None:
        """End it for all; what it has kept without a journal goes with it."""
        ray = ray_module()
        try:
            ray.get(self._actor.close.remote())
        finally:
            ray.kill(self._actor)

    def _keep_up(self, name: str, work: Any) -> None:
        """Have one task at a time speak to the desk, for all who wait meanwhile."""
        import asyncio

        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.get_running_loop().create_task(work())

    async def _ask(self) -> None:
        import asyncio

        while self._asking:
            asked = [entry for entry in self._asking if not entry[2].done()]
            self._asking.clear()
            if not asked:
                return
            try:
                granted: Granted = Granted(
                    *await self._actor.take.remote([(lane, tokens) for lane, tokens, _ in asked])
                )
            except Exception as error:  # noqa: BLE001 - it is for who asked
                _fail([place for *_, place in asked], error)
                continue
            waiting: list[tuple[str, int, asyncio.Future[int]]] = []
            for entry, ticket in zip(asked, granted.tickets, strict=True):
                if ticket is None:
                    waiting.append(entry)
                elif not entry[2].done():
                    entry[2].set_result(ticket)
            self._asking.extendleft(reversed(waiting))
            if granted.wait > 0:
                await asyncio.sleep(min(granted.wait, _ASKS_AGAIN))

    async def _keep(self) -> None:
        while self._rows:
            group = list(self._rows)
            self._rows.clear()
            try:
                await self._actor.record.remote([row for row, _ in group])
            except Exception as error:  # noqa: BLE001 - it is for who asked
                _fail([is_kept for _, is_kept in group], error)
                continue
            for _, is_kept in group:
                if not is_kept.done():
                    is_kept.set_result(None)

    def __repr__(self) -> str:
        return f"Desk({self.name!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "_actor": self._actor}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()


def _fail(places: Sequence[asyncio.Future[Any]], error: Exception) -> None:
    for place in places:
        if not place.done():
            place.set_exception(error)


class SharingLimiter(Limiter):
    """The gate of one client, which asks the desk for each attempt besides."""

    def __init__(self, sender: Sender, desk: Desk) -> None:
        super().__init__(sender.retry, sender.limits)
        self._desk = desk

    @classmethod
    def of(cls, sender: Sender, desk: Desk) -> Self:
        """Put one in the place of a client's own gate."""
        limiter = cls(sender, desk)
        sender._limiter = limiter  # pyright: ignore[reportPrivateUsage]
        return limiter

    async def admit(
        self, path: str, body: bytes | None, patience: float = inf, bound: str = ""
    ) -> Permit | None:
        """Wait for the desk, then as any client waits."""
        if body is not None:
            asked = asked_in(path, body)
            ticket = await self._desk.let_through(asked.lane, asked.tokens)
            TICKETS.get([]).append(ticket)
        return await super().admit(path, body, patience, bound)

    def refused(
        self, error: OpenRouterError, path: str, body: bytes | None, sent_at: float, now: float
    ) -> bool:
        """Have the others of the cluster wait where this client does."""
        is_held_back = super().refused(error, path, body, sent_at, now)
        if is_held_back:
            lane = asked_in(path, body).lane
            seconds = self.paused(now).get(lane, 0.0)
            if seconds > 0:
                self._desk.pause(lane, seconds)
        return is_held_back
