"""``/credits``: what the account bought and used.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.account import CoinbaseCharge, CoinbaseFields, CreditBalance
from ._call import Group, Operation

__all__ = ["Credits"]

_GET: Final = Operation("GET /credits", CreditBalance, key="management")
_CHARGE: Final = Operation(
    "POST /credits/coinbase", CoinbaseCharge, body=CoinbaseFields, key="none"
)


class Credits(Group):
    """The account's money; reached as `OpenRouter.credits`."""

    __slots__ = ()

    @_GET
    def get(self) -> Coroutine[Any, Any, CreditBalance]:
        """Get what was bought and used in all, in USD. Management key.

        What a normal key may still spend is told by `OpenRouter.keys.current`.

        Raises:
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> float | None:
        ...     return (await client.credits.get()).remaining
        """
        return _GET.send(self._sender)

    @_CHARGE
    def charge_coinbase(
        self, **fields: Unpack[CoinbaseFields]
    ) -> Coroutine[Any, Any, CoinbaseCharge]:
        """Ask for a charge to be paid in a cryptocurrency. OpenRouter has ended this.

        Args:
            **fields: Every keyword of `CoinbaseFields`.

        Raises:
            GoneError: Always, today: credits are bought on the website.
            TypeError: An argument has the wrong type.
            ValueError: An argument has an impossible value.
        """
        return _CHARGE.send(self._sender, fields=fields)
