"""`Budget`: a sum of money that requests cannot exceed.

The rule of this file: pure reckoning. What a request may cost comes from `_prices`; here it is
only held, counted and given back. Money is counted in whole trillionths of a dollar, so that no
number of additions drifts.

A request holds a `Reservation` from before it is sent. What is known of its cost replaces what
was assumed, whenever and however often it becomes known, so nothing is counted twice.
"""

# A reservation keeps the books of its budgets.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Final, NamedTuple, Self

from .errors import BudgetExceededError, OpenRouterError

__all__ = ["Budget", "Reservation"]

_UNIT: Final = 10**12


class Budget:
    """A sum of money that the requests which are given it cannot exceed.

    Give it to a client, a conversation, a batch or a single call, also to several clients,
    event loops and threads. Before a request is sent, the most that it can cost is reserved: by
    the API's price list, one token for each byte of the prompt, and as many tokens of answer as
    `max_completion_tokens` allows (or the model, where that is not given: set it, or much is
    reserved). Then the real cost takes the place of the reservation. A request beyond the rest
    raises `BudgetExceededError` and is not sent; one that has no known price raises
    `BudgetUnpriceableError`.

    It holds chats, ``/responses``, ``/messages``, ``/completions`` and ``/embeddings``, each by
    its own limit of the answer. Of ``/rerank`` nobody knows the price before, so `per_request` is
    needed there. Pictures, sound and videos have prices of their own, and no budget holds them.

    Where a cost stays unknown, as for a stream that was left, the reservation counts as spent and
    as `uncertain`, until ``await stream.settle_cost()`` finds out. Providers that are dearer than
    the price list, searches beyond the first and what the account adds by itself can cost more
    than was reserved: that is counted once it is known, and ``provider={"max_price": ...}``
    prevents the first.

    Args:
        usd: The sum, in USD.
        per_request: USD to reserve for each request in place of what the price list says. No
            list is fetched then, and any model, router and tool goes.
        name: What the budget is called in errors.

    Attributes:
        name: As given.

    Raises:
        TypeError: An amount is no number.
        ValueError: An amount is negative, zero or not finite.

    >>> budget = Budget(5, name="nightly")
    >>> budget
    Budget(5, spent=0, reserved=0, uncertain=0, name='nightly')
    >>> async def example(client: OpenRouter) -> None:
    ...     await client.complete("Hi", budget=budget, max_completion_tokens=100)
    ...     print(budget.remaining)
    """

    __slots__ = (
        "__weakref__",
        "_limit",
        "_lock",
        "_news",
        "_per_request",
        "_totals",
        "name",
    )

    def __init__(
        self,
        usd: float | Decimal,
        *,
        per_request: float | Decimal | None = None,
        name: str | None = None,
    ) -> None:
        self._limit = _checked("usd", usd)
        self._per_request = None if per_request is None else _checked("per_request", per_request)
        self.name = name
        self._lock = threading.Lock()
        self._totals = _Sums(0, 0, 0)
        self._news: deque[_Sums] = deque()

    @property
    def limit(self) -> float:
        """The sum, in USD."""
        return self._limit / _UNIT

    @property
    def spent(self) -> float:
        """USD that requests have cost, or may have cost (see `uncertain`)."""
        return self._sums().spent / _UNIT

    @property
    def reserved(self) -> float:
        """USD that is held for requests under way."""
        return self._sums().reserved / _UNIT

    @property
    def uncertain(self) -> float:
        """USD that is counted in `spent` although nobody knows yet whether it was charged."""
        return self._sums().uncertain / _UNIT

    @property
    def remaining(self) -> float:
        """USD that can still be reserved."""
        return max(0, self._left(self._sums())) / _UNIT

    def __repr__(self) -> str:
        sums = self._sums()
        shown = ", ".join(f"{key}={_text(value)}" for key, value in sums._asdict().items())
        name = f", name={self.name!r}" if self.name is not None else ""
        return f"Budget({_text(self._limit)}, {shown}{name})"

    def __copy__(self) -> Self:
        return self  # a copy of a client spends the same money

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError(
            "a Budget cannot be pickled: two processes cannot share one, each would spend all of "
            "it; give each process a Budget of its own"
        )

    def _sums(self) -> _Sums:
        with self._lock:
            return self._counted()

    def _counted(self) -> _Sums:
        while self._news:
            self._totals = self._totals.plus(self._news.popleft())
        return self._totals

    def _left(self, sums: _Sums) -> int:
        return self._limit - sums.spent - sums.reserved

    def _reserve(self, amount: int) -> None:
        with self._lock:
            sums = self._counted()
            if amount <= max(0, self._left(sums)):
                self._totals = sums.plus(_Sums(0, amount, 0))
                return
        raise self._exceeded(amount, sums)

    def _exceeded(self, amount: int, sums: _Sums) -> BudgetExceededError:
        name = f" {self.name!r}" if self.name is not None else ""
        error = BudgetExceededError(
            f"the request may cost ${_text(amount)}, which exceeds the budget{name}: of "
            f"${_text(self._limit)}, ${_text(sums.spent)} is spent and ${_text(sums.reserved)} "
            "is reserved"
        )
        error.limit = self.limit
        error.spent = sums.spent / _UNIT
        error.reserved = sums.reserved / _UNIT
        error.needed = amount / _UNIT
        return error


class _Sums(NamedTuple):
    """What a budget counts, in its unit."""

    spent: int
    reserved: int
    uncertain: int

    def plus(self, other: _Sums) -> _Sums:
        return _Sums(*(mine + its for mine, its in zip(self, other, strict=True)))

    def minus(self, other: _Sums) -> _Sums:
        return _Sums(*(mine - its for mine, its in zip(self, other, strict=True)))


class _Share:
    """What one request counts for in one budget."""

    __slots__ = ("_counts_for", "amount", "budget")

    def __init__(self, budget: Budget, amount: int) -> None:
        self.budget = budget
        self.amount = amount
        budget._reserve(amount)
        self._counts_for = _Sums(0, amount, 0)

    def settle(self, cost: int | None) -> None:
        amount = self.amount
        now = _Sums(amount, 0, amount) if cost is None else _Sums(cost, 0, 0)
        change, self._counts_for = now.minus(self._counts_for), now
        # No lock: the garbage collector may be at work here, in a thread that holds it.
        self.budget._news.append(change)


class Reservation:
    """What one request holds of its budgets, from before it is sent until its cost is known.

    Attributes:
        needs_price: Whether a budget has to know the most that the request can cost.
    """

    __slots__ = ("_budgets", "_has_left", "_is_settled", "_shares", "needs_price")

    def __init__(self, budgets: Iterable[Budget | None]) -> None:
        # One that is given to the client and to the call is charged once.
        self._budgets = tuple(dict.fromkeys(budget for budget in budgets if budget is not None))
        self._shares: list[_Share] = []
        self._is_settled = False
        self._has_left = False
        self.needs_price = any(budget._per_request is None for budget in self._budgets)

    def __bool__(self) -> bool:
        return bool(self._budgets)

    def another(self) -> Reservation:
        """Give one for another request against the same budgets."""
        return Reservation(self._budgets)

    def reserve(self, usd: Decimal) -> None:
        """Hold the most that the request can cost, in all budgets or in none.

        Args:
            usd: That most; without meaning where no budget `needs_price`.

        Raises:
            BudgetExceededError: A budget has too little left.
        """
        most = _units(usd)
        self._hold(
            [
                (budget, most if budget._per_request is None else budget._per_request)
                for budget in self._budgets
            ]
        )

    def _hold(self, amounts: Sequence[tuple[Budget, int]]) -> None:
        shares: list[_Share] = []
        try:
            for budget, amount in amounts:
                shares.append(_Share(budget, amount))
        except BudgetExceededError:
            for share in shares:
                share.settle(0)
            raise
        self._shares = shares
        self._is_settled = False
        self._has_left = False

    def leaves(self) -> None:
        """Take note that the request is being sent: from here on it may cost something."""
        self._has_left = True

    def settle(self, cost: float | None) -> None:
        """Count what the request has cost, in USD; None says that nobody knows, for now."""
        units = _units(cost) if cost is not None and 0 <= cost < math.inf else None
        if units is None and self._is_settled:
            return
        self._is_settled = True
        for share in self._shares:
            share.settle(units)

    def renew(self, error: OpenRouterError) -> None:
        """Hold as much once more for sending again, where the first time may have been billed.

        Raises:
            BudgetExceededError: A budget has too little left.
        """
        self._has_left = False
        if self._shares and error.billed != "no":
            self.settle(None)
            before, self._shares = self._shares, []  # whatever comes, that stays as it is
            self._hold([(share.budget, share.amount) for share in before])

    def __enter__(self) -> None:
        """Around the sending: where that fails, what the failure says of the cost is counted."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            is_free = isinstance(error, OpenRouterError) and error.billed == "no"
            self.settle(0 if is_free or not self._has_left else None)

    def take_over(self, other: Reservation) -> None:
        """Take what another reservation holds; that one holds nothing any more."""
        self._shares, other._shares = other._shares, []
        self._is_settled = other._is_settled


def _checked(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"{name} must be a number (USD), got {value!r}")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be greater than 0 and finite (USD), got {value!r}")
    return _units(value)


def _units(usd: float | Decimal) -> int:
    over, under = usd.as_integer_ratio()
    return (2 * over * _UNIT + under) // (2 * under)


def _text(units: int) -> str:
    return f"{units / _UNIT:.6g}"
