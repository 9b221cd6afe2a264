"""``/credits``: what the account bought and used. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.account import CoinbaseCharge, CoinbaseFields, CreditBalance
from ._call import Call, Group, operation

__all__ = ["Credits"]


class Credits(Group):
    """The account's money; reached as `OpenRouter.credits`."""

    @operation("GET /credits", key="management")
    def get(self) -> Call[CreditBalance]:
        """Get what was bought and used in all, in USD. Management key.

        What a normal key may still spend is told by `OpenRouter.keys.current`.

        >>> async def example(client: OpenRouter) -> float | None:
        ...     return (await client.credits.get()).remaining
        """

    @operation("POST /credits/coinbase", key="none")
    def charge_coinbase(self, **fields: Unpack[CoinbaseFields]) -> Call[CoinbaseCharge]:
        """Ask for a charge to be paid in a cryptocurrency, which has ended. No key is needed.

        Raises:
            GoneError: Always, today: credits are bought on the website.
        """
