"""``/datasets``, ``/benchmarks`` and ``/classifications``: what OpenRouter publishes about models.

The rule of this file: operations are declared, and each method is one of them. All take any key,
and about 30 requests a minute and 500 a day.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, TypedDict, Unpack

from ..types.datasets import (
    AppQuery,
    AppRanking,
    Benchmark,
    BenchmarkQuery,
    ModelRanking,
    RankingQuery,
    SessionCost,
    SessionCostQuery,
    TaskClassifications,
)
from ._call import Group, Operation
from ._list import Listing, ListOperation

__all__ = ["Datasets"]


class _Window(TypedDict, total=False):
    window: str


_RANKINGS: Final = ListOperation("GET /datasets/rankings-daily", ModelRanking, query=RankingQuery)
_APPS: Final = ListOperation("GET /datasets/app-rankings", AppRanking, query=AppQuery)
_COSTS: Final = ListOperation("GET /datasets/session-cost", SessionCost, query=SessionCostQuery)
_BENCHMARKS: Final = ListOperation("GET /benchmarks", Benchmark, query=BenchmarkQuery)
_TASKS: Final = Operation("GET /classifications/task", TaskClassifications, query=_Window)


class Datasets(Group):
    """Published figures about models; reached as `OpenRouter.datasets`.

    The lists' pages have a ``meta`` with when the figures are of, and whom to cite.
    """

    __slots__ = ()

    @_RANKINGS
    def rankings(self, **query: Unpack[RankingQuery]) -> Listing[ModelRanking]:
        """List how much each model was used, by day, week or month. Any key.

        Args:
            **query: Any keyword of `RankingQuery`.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible, such as a date in another form.
            OpenRouterError: From the list: the request failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     page = await client.datasets.rankings(period="week").page()
        ...     print(page.body.meta, page.items[0].model_permaslug)
        """
        return _RANKINGS.walk(self._sender, fields=query)

    @_APPS
    def apps(self, **query: Unpack[AppQuery]) -> Listing[AppRanking]:
        """List the apps that use most tokens. Any key.

        Args:
            **query: Any keyword of `AppQuery`.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible.
            OpenRouterError: From the list: the request failed.
        """
        return _APPS.walk(self._sender, fields=query)

    @_COSTS
    def session_costs(self, **query: Unpack[SessionCostQuery]) -> Listing[SessionCost]:
        """List what a session of an app costs, by model and number of turns. Any key.

        Args:
            **query: Any keyword of `SessionCostQuery`.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible.
            OpenRouterError: From the list: the request failed.
        """
        return _COSTS.walk(self._sender, fields=query)

    @_BENCHMARKS
    def benchmarks(self, **query: Unpack[BenchmarkQuery]) -> Listing[Benchmark]:
        """List how models did in benchmarks. Any key.

        Args:
            **query: Any keyword of `BenchmarkQuery`.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            ValueError: A value is impossible.
            OpenRouterError: From the list: the request failed.
        """
        return _BENCHMARKS.walk(self._sender, fields=query)

    @_TASKS
    def tasks(self, *, window: str = "7d") -> Coroutine[Any, Any, TaskClassifications]:
        """Get what models are used for, as shares of all use. Any key.

        Args:
            window: How far back to look; today ``"7d"`` alone.

        Raises:
            OpenRouterError: The request failed.
        """
        return _TASKS.send(self._sender, fields={"window": window})
