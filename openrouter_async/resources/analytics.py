"""``/analytics``: figures of the account, by what one asks for.

The rule of this file: operations are declared, and each method is one of them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Unpack

from ..types.account import AnalyticsMeta, AnalyticsQuery, AnalyticsResult
from ._call import Group, Operation

__all__ = ["Analytics"]

_META: Final = Operation("GET /analytics/meta", AnalyticsMeta, key="management")
_QUERY: Final = Operation(
    "POST /analytics/query", AnalyticsResult, body=AnalyticsQuery, key="management"
)


class Analytics(Group):
    """Figures of the account; reached as `OpenRouter.analytics`."""

    __slots__ = ()

    @_META
    def meta(self) -> Coroutine[Any, Any, AnalyticsMeta]:
        """Get the names that a query may use. Management key.

        Raises:
            OpenRouterError: The request failed.
        """
        return _META.send(self._sender)

    @_QUERY
    def query(self, **fields: Unpack[AnalyticsQuery]) -> Coroutine[Any, Any, AnalyticsResult]:
        """Ask for figures. Management key.

        Args:
            **fields: Any keyword of `AnalyticsQuery`; ``metrics`` is needed.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible, such as no metric at all.
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     found = await client.analytics.query(
        ...         metrics=["total_usage"],
        ...         dimensions=["model"],
        ...         granularity="day",
        ...         filters=[{"field": "provider", "operator": "eq", "value": "OpenAI"}],
        ...     )
        ...     print(found.data)
        """
        return _QUERY.send(self._sender, fields=fields)
