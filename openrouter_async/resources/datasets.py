"""``/datasets``, ``/benchmarks`` and ``/classifications``: what OpenRouter publishes about models.

The rule of this file: declarations. All take any key, and about 30 requests a minute and 500 a day.
"""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

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
from ._call import Call, Group, Operation
from ._list import Listing, listing

__all__ = ["Datasets"]


class _Window(TypedDict, total=False):
    window: str


_TASKS: Final = Operation("GET /classifications/task", TaskClassifications, query=_Window)


class Datasets(Group):
    """Published figures about models; reached as `OpenRouter.datasets`.

    The lists' pages have a ``meta`` with when the figures are of, and whom to cite.
    """

    @listing("GET /datasets/rankings-daily")
    def rankings(self, **query: Unpack[RankingQuery]) -> Listing[ModelRanking]:
        """List how much each model was used, by day, week or month. Any key.

        >>> async def example(client: OpenRouter) -> None:
        ...     page = await client.datasets.rankings(period="week").page()
        ...     print(page.body.meta, page.items[0].model_permaslug)
        """

    @listing("GET /datasets/app-rankings")
    def apps(self, **query: Unpack[AppQuery]) -> Listing[AppRanking]:
        """List the apps that use most tokens. Any key."""

    @listing("GET /datasets/session-cost")
    def session_costs(self, **query: Unpack[SessionCostQuery]) -> Listing[SessionCost]:
        """List what a session of an app costs, by model and number of turns. Any key."""

    @listing("GET /benchmarks")
    def benchmarks(self, **query: Unpack[BenchmarkQuery]) -> Listing[Benchmark]:
        """List how models did in benchmarks. Any key."""

    @_TASKS
    def tasks(self, *, window: str = "7d") -> Call[TaskClassifications]:
        """Get what models are used for, as shares of all use. Any key.

        Args:
            window: How far back to look; today ``"7d"`` alone.
        """
        return _TASKS.send(self._sender, fields={"window": window})
