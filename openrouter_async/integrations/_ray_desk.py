"""What the processes of a cluster share, on the side of each: a rate, pauses, money, answers.

The rule of this file: who has to wait for the desk waits here, and speaks to it in groups. What
it says is decided in `_ray_desk_work`.
"""

from __future__ import annotations

import importlib
import os
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

import msgspec

from .._calling import check_usd
from .._limits import Limiter, Permit, asked_in
from ..batch._row import Row, encode
from ..errors import BatchError, BudgetExceededError, OpenRouterError
from ._ray_account import SAYS_IT_LIVES, Account, Advance
from ._ray_desk_work import DeskWork, Granted, Terms

if TYPE_CHECKING:
    import asyncio

    from .._sender import Sender

__all__ = ["TICKETS", "Desk", "SharingLimiter", "ray_module"]

S = TypeVar("S")
A = TypeVar("A")

NAMESPACE: Final = "openrouter-async"
_ASKS_AGAIN: Final = 1.0
_decode: Final = msgspec.json.Decoder(Row).decode

TICKETS: ContextVar[list[int]] = ContextVar("tickets")
"""Where the numbers are noted under which the requests of one row were let through."""


def ray_module() -> Any:
    """Import ray, which knows no types that we could rely on."""
    return importlib.import_module("ray")


class Desk:
    """What the processes of a cluster share; a handle that travels to each of them.

    Args:
        name: What it is called; who asks for a desk of the same name gets the same one, in
            other programs on the cluster too, with the settings of the first.
        requests_per_minute: How many requests all together may send in any minute.
        tokens_per_minute: How many tokens of prompts and answers they may take in any minute.
        budget: USD that all together may spend, as with a `Budget`: what a request can cost is
            held for it before it is sent. Rows beyond it are ``"unpaid"``. With a journal, what
            earlier runs have cost counts.
        per_request: USD to hold for each request in place of what the price list says, as with a
            `Budget`.
        journal: A file for the answers, on the machine of this program. Whatever ends the work,
            the next desk with this journal knows them, and nothing is paid for twice. Without
            one they are kept as long as the desk is.
        identity: What the answers are answers to; another one is refused.

    Raises:
        BatchError: The journal cannot be used.
        TypeError: An amount of money is no number.
        ValueError: An amount of money is negative, zero or not finite, or there is one for each
            request and no budget.
    """

    def __init__(
        self,
        name: str,
        *,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        budget: float | Decimal | None = None,
        per_request: float | Decimal | None = None,
        journal: str | os.PathLike[str] | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        terms = _terms(budget, per_request)
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
                terms,
                None if journal is None else str(Path(journal).resolve()),
                {"input": name, "model": None, **(identity or {})},
            )
        )
        failure: BatchError | None = ray.get(self._actor.open.remote())
        if failure is not None:
            ray.kill(self._actor)
            raise failure
        self.terms: Terms = Terms(*ray.get(self._actor.terms.remote()))
        self._begin()

    def _begin(self) -> None:
        self._asking: deque[tuple[str, int, asyncio.Future[int]]] = deque()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._holder = uuid.uuid4().hex
        self._held = 0  # requests of this process for which money is held
        self._wanting: deque[asyncio.Future[None]] = deque()
        actor, holder = self._actor, self._holder
        self._keeping = _Gathered[bytes, None](actor.record.remote)
        self._reserving = _Gathered[Decimal, int | BudgetExceededError](
            lambda amounts: actor.reserve.remote(holder, amounts)
        )
        self._settling = _Gathered[tuple[int, float], None](actor.settle.remote)

    @classmethod
    def found(cls, name: str, terms: Terms) -> Self:
        """Give the desk of this name, which another process keeps.

        An actor that may be begun anew is given a name, as Ray would warn of a handle: it is
        nothing that Ray could make again.
        """
        desk = cls.__new__(cls)
        actor = ray_module().get_actor(name, namespace=NAMESPACE)
        desk.__setstate__({"name": name, "terms": terms, "_actor": actor})
        return desk

    async def let_through(self, lane: str, tokens: int) -> int:
        """Wait until one request may be sent; give its ticket."""
        import asyncio

        place: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asking.append((lane, tokens, place))
        self._keep_up("asking", self._ask)
        return await place

    async def afford(self, usd: Decimal) -> Advance:
        """Hold money for a request, as soon as those under way do not need it after all.

        Raises:
            BudgetExceededError: The budget has too little left.
        """
        while True:
            said = await self._reserving.ask(usd)
            if not isinstance(said, BudgetExceededError):
                self._held += 1
                self._keep_up("living", self._say_it_lives)
                return Advance(said, usd)
            if not said.reserved or said.needed > said.limit - said.spent:
                raise said
            await self._wait_for_money()

    async def settle(self, advance: Advance, cost: float) -> None:
        """Count what a request has cost, and wait until the desk knows."""
        try:
            await self._settling.ask((advance.ticket, cost))
        finally:
            self._give_back()

    def settle_later(self, advance: Advance, cost: float) -> None:
        """Do as `settle`, without waiting: for who is being cancelled."""
        self._actor.settle.remote([(advance.ticket, cost)])
        self._give_back()

    async def keep(self, row: Row) -> None:
        """Have a row kept, and wait until it is."""
        await self._keeping.ask(encode(row))

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

    def account(self) -> Account | None:
        """Ask what the budget has come to; None where there is none."""
        account: Account | None = ray_module().get(self._actor.account.remote())
        return account

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

    async def _wait_for_money(self) -> None:
        """Wait until a request of this process has given some back, or one of another may have."""
        import asyncio

        freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wanting.append(freed)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ASKS_AGAIN):
                await freed

    def _give_back(self) -> None:
        self._held -= 1
        while self._wanting:
            freed = self._wanting.popleft()
            if not freed.done():
                freed.set_result(None)
                return

    async def _say_it_lives(self) -> None:
        import asyncio

        while self._held:
            await asyncio.sleep(SAYS_IT_LIVES)
            self._actor.hear.remote(self._holder)

    def __repr__(self) -> str:
        return f"Desk({self.name!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "terms": self.terms, "_actor": self._actor}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()


class _Gathered(Generic[S, A]):
    """One call at a time to the desk, with what all who wait meanwhile have to say.

    Args:
        call: Says it, and gives an answer for each, or None for all.
    """

    def __init__(self, call: Callable[[list[S]], Awaitable[list[A] | None]]) -> None:
        self._call = call
        self._said: deque[tuple[S, asyncio.Future[A]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, said: S) -> A:
        """Say it, and wait for the answer."""
        import asyncio

        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._said.append((said, answer))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._speak())
        return await answer

    async def _speak(self) -> None:
        while self._said:
            group = list(self._said)
            self._said.clear()
            try:
                answers = await self._call([said for said, _ in group])
            except Exception as error:  # noqa: BLE001 - it is for who asked
                _fail([place for _, place in group], error)
                continue
            given = [None] * len(group) if answers is None else answers
            for (_, place), answer in zip(group, given, strict=True):
                if not place.done():
                    place.set_result(cast("A", answer))


def _terms(budget: float | Decimal | None, per_request: float | Decimal | None) -> Terms:
    if budget is None:
        if per_request is not None:
            raise ValueError("per_request needs a budget")
        return Terms(None, None)
    check_usd("budget", budget)
    if per_request is None:
        return Terms(Decimal(budget), None)
    check_usd("per_request", per_request)
    return Terms(Decimal(budget), Decimal(per_request))


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

    @property
    def may_hold_back(self) -> bool:
        """Always: what the desk says nobody knows beforehand."""
        return True

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
