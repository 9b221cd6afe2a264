"""``/analytics``: figures of the account, by what one asks for. Declarations alone."""

from __future__ import annotations

from typing import Unpack

from ..types.account import AnalyticsMeta, AnalyticsQuery, AnalyticsResult
from ._call import Call, Group, operation

__all__ = ["Analytics"]


class Analytics(Group, key="management"):
    """Figures of the account; reached as `OpenRouter.analytics`."""

    @operation("GET /analytics/meta")
    def meta(self) -> Call[AnalyticsMeta]:
        """Get the names that a query may use. Management key."""

    @operation("POST /analytics/query")
    def query(self, **fields: Unpack[AnalyticsQuery]) -> Call[AnalyticsResult]:
        """Ask for figures. Management key.

        >>> async def example(client: OpenRouter) -> None:
        ...     found = await client.analytics.query(
        ...         metrics=["total_usage"],
        ...         dimensions=["model"],
        ...         granularity="day",
        ...         filters=[{"field": "provider", "operator": "eq", "value": "OpenAI"}],
        ...     )
        ...     print(found.data)
        """
