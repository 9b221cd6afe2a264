"""The API's price list, as one client keeps it.

The rule of this file: it is fetched when a budget first needs it, once for all who wait, and
again when it is old. Without it no budget can be held, so that no failure passes for a price.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakKeyDictionary

from ._prices import dearest, models_by_name
from .budget import Reservation
from .errors import BudgetUnpriceableError, OpenRouterError, ProtocolError
from .types.models import Model

if TYPE_CHECKING:
    import asyncio

__all__ = ["PriceList"]

Fetch: TypeAlias = Callable[[], Awaitable[list[Model]]]

_KEPT: Final = 3600.0  # seconds; prices change by the week


class PriceList:
    """What a client's requests can cost. It pickles as an empty one."""

    def __init__(self) -> None:
        self._models: Mapping[str, Model] = {}
        self._fetched_at = -inf
        self._failure = ""
        self._failed_at = -inf
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    async def reserve(self, reservation: Reservation, body: bytes, fetch: Fetch) -> None:
        """Hold the most that a chat request can cost.

        Args:
            reservation: Where it is held.
            body: The request as it is sent.
            fetch: Gets the price list.

        Raises:
            BudgetExceededError: A budget has too little left.
            BudgetUnpriceableError: The request has no bound, or there is no price list.
        """
        if reservation.needs_price:
            reservation.reserve(dearest(body, await self._current(fetch)))
        else:
            reservation.reserve(Decimal(0))

    async def _current(self, fetch: Fetch) -> Mapping[str, Model]:
        if self._is_fresh():
            return self._models
        import asyncio

        asked_at = time.monotonic()
        turn = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with turn:
            if not self._is_fresh():
                if self._failed_at >= asked_at:  # while this one waited for its turn
                    raise _no_list(self._failure)
                await self._renew(fetch)
        return self._models

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._fetched_at < _KEPT

    async def _renew(self, fetch: Fetch) -> None:
        try:
            models = await fetch()
            if not models:
                raise ProtocolError("the answer holds no models")
        except OpenRouterError as error:
            # Not the error itself: its traceback holds this object.
            self._failure = f"{type(error).__name__}: {error}"
            self._failed_at = time.monotonic()
            raise _no_list(self._failure) from error
        self._models = models_by_name(models)
        self._fetched_at = time.monotonic()

    def __reduce__(self) -> tuple[type[PriceList], tuple[()]]:
        return PriceList, ()


def _no_list(reason: str) -> BudgetUnpriceableError:
    return BudgetUnpriceableError(
        f"no budget can be held, as the price list could not be fetched ({reason}); "
        "Budget(..., per_request=...) needs none"
    )
