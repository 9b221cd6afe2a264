"""The money that the processes of a cluster may spend together.

The rule of this file: it knows nothing of Ray. `Ledger` is kept by the desk, is told the time and
never waits; `most_of` and `Advance` are for the side that sends, where the budget of one request
is what the desk has granted it.

A process that dies with requests under way never says what they have cost. Who holds money
therefore says now and then that it lives, and what the others hold counts as spent after a while:
it may have been charged for.
"""

# A reservation against no sum tells what a request can cost.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from msgspec import Struct

from ..budget import Budget, Reservation
from ..errors import BudgetExceededError

if TYPE_CHECKING:
    from ..client import OpenRouter

__all__ = ["SAYS_IT_LIVES", "SMALLEST", "Account", "Advance", "Ledger", "most_of"]

SAYS_IT_LIVES: Final = 5.0
"""Seconds between two times that a process which holds money says that it lives."""

SMALLEST: Final = Decimal("1e-12")
"""USD that a budget has where nothing is left, so that free models go on."""

_SILENT: Final = 60.0
_NO_LIMIT: Final = 10**9


class Account(Struct, frozen=True, kw_only=True):
    """What the budget of a desk has come to.

    Attributes:
        limit: USD that may be spent.
        spent: USD that requests have cost, or may have cost; with a journal also those of
            earlier runs, as far as they are in it.
        reserved: USD that is held for requests under way.
    """

    limit: float
    spent: float
    reserved: float


class Advance(NamedTuple):
    """What the desk has granted to one request.

    Attributes:
        ticket: The number under which it is settled.
        usd: The most that the request may cost.
    """

    ticket: int
    usd: Decimal


class _Held(NamedTuple):
    holder: str
    reservation: Reservation


class Ledger:
    """Who holds how much of a sum.

    Args:
        usd: The sum, in USD.
        before: What of it is spent already.
        name: What it is called in errors.
    """

    def __init__(self, usd: Decimal, before: float, name: str) -> None:
        self._limit = usd
        self._before = before
        self._budget = Budget(max(usd - Decimal(before), SMALLEST), name=name)
        self._count = 0
        self._held: dict[int, _Held] = {}
        self._heard: dict[str, float] = {}
        self._lost: dict[int, _Held] = {}

    def reserve(
        self, holder: str, amounts: Sequence[Decimal], now: float
    ) -> list[int | BudgetExceededError]:
        """Hold amounts for requests, in the order in which they ask; give a ticket for each."""
        self.hear(holder, now)
        self._give_up_the_silent(now)
        return [self._hold(holder, amount) for amount in amounts]

    def settle(self, used: Sequence[tuple[int, float]]) -> None:
        """Count what requests have cost, in USD, in place of what was held for them."""
        for ticket, cost in used:
            held = self._held.pop(ticket, None) or self._lost.pop(ticket, None)
            if held is not None:
                held.reservation.settle(cost)

    def hear(self, holder: str, now: float) -> None:
        """Take note that a process lives."""
        self._heard[holder] = now

    def account(self) -> Account:
        """Give the sums."""
        return Account(
            limit=float(self._limit),
            spent=self._before + self._budget.spent,
            reserved=self._budget.reserved,
        )

    def _hold(self, holder: str, amount: Decimal) -> int | BudgetExceededError:
        reservation = Reservation((self._budget,))
        try:
            reservation.reserve(amount)
        except BudgetExceededError as error:
            return error
        self._count += 1
        self._held[self._count] = _Held(holder, reservation)
        return self._count

    def _give_up_the_silent(self, now: float) -> None:
        silent = {holder for holder, at in self._heard.items() if at + _SILENT <= now}
        if not silent:
            return
        for holder in silent:
            del self._heard[holder]
        for ticket, held in list(self._held.items()):
            if held.holder in silent:
                held.reservation.settle(None)
                self._lost[ticket] = self._held.pop(ticket)  # it may speak yet


async def most_of(
    client: OpenRouter, keywords: Mapping[str, Any], per_request: Decimal | None
) -> Decimal:
    """Tell the most that a request can cost, in USD.

    Args:
        client: Keeps the price list.
        keywords: Those of `OpenRouter.complete`, without a response type.
        per_request: What to take in place of what the price list says.

    Raises:
        BudgetUnpriceableError: Nobody can say.
    """
    if per_request is not None:
        return per_request
    asked = dict(keywords)
    meter = Budget(_NO_LIMIT)
    await client._chats.reserve(
        asked.pop("messages"),
        model=asked.pop("model", None),
        params=cast("Any", {**asked, "budget": meter}),
    )
    return Decimal(str(meter.reserved))
