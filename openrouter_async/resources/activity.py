"""``/activity``: what was done with the account, day by day. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.account import Activity as ActivityRow
from ..types.account import ActivityQuery
from ._call import Group
from ._list import Listing, listing

__all__ = ["Activity"]


class Activity(Group, key="management"):
    """What was done with the account; reached as `OpenRouter.activity`."""

    @listing("GET /activity")
    def list(self, **query: Unpack[ActivityQuery]) -> Listing[ActivityRow]:
        """List requests, tokens and money by day, model and endpoint. Management key.

        >>> async def example(client: OpenRouter) -> float:
        ...     rows = await client.activity.list(date="2026-01-31")
        ...     return sum(row.usage or 0 for row in rows)
        """
