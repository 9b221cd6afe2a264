"""``/activity``: what was done with the account, day by day.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from typing import Final, Unpack

from ..types.account import Activity as ActivityRow
from ..types.account import ActivityQuery
from ._call import Group
from ._list import Listing, ListOperation

__all__ = ["Activity"]

_LIST: Final = ListOperation("GET /activity", ActivityRow, query=ActivityQuery, key="management")


class Activity(Group):
    """What was done with the account; reached as `OpenRouter.activity`."""

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[ActivityQuery]) -> Listing[ActivityRow]:
        """List requests, tokens and money by day, model and endpoint. Management key.

        Args:
            **query: Any keyword of `ActivityQuery`.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible, such as a date in another form.
            OpenRouterError: From the list: the request failed.

        >>> async def example(client: OpenRouter) -> float:
        ...     rows = await client.activity.list(date="2026-01-31")
        ...     return sum(row.usage or 0 for row in rows)
        """
        return _LIST.walk(self._sender, fields=query)
