"""``POST /rerank``: which documents have to do with a question.

The rule of this file: a user's arguments become a request, checked before anything is sent, and
the answer gets its type.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, Unpack

from .._config import Timeouts, check_type
from ..budget import Budget
from ..types.rerank import RerankDocument, RerankParams, RerankResponse
from ._fit import fit
from ._inference import InferenceGroup, items_of

__all__ = ["Rerank"]

PATH: Final = "/rerank"


class Rerank(InferenceGroup):
    """Ranking by relevance; reached as `OpenRouter.rerank`, with a normal key."""

    __slots__ = ()

    def create(
        self,
        query: str,
        documents: Sequence[str | Mapping[str, Any] | RerankDocument],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[RerankParams],
    ) -> Coroutine[Any, Any, RerankResponse]:
        """Rank documents by how much they have to do with a question.

        No price list tells what this costs, so a `Budget` needs its `per_request`.

        Args:
            query: The question.
            documents: Texts, or mappings with ``text``, ``image`` (a URL or a data URL) or both.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            **params: Any keyword of `RerankParams`; what is not given is not sent.

        Returns:
            The ranking, best first, to be awaited. Wrong arguments raise at the call. A normal key is
            needed.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value, or no model is named.
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter, texts: list[str]) -> None:
        ...     ranking = await client.rerank.create("What is Ruby?", texts, model="cohere/rerank-v3.5")
        ...     print([texts[result.index] for result in ranking.results])
        """
        check_type("query", query, str)
        rows = items_of("documents", documents)
        for index, row in enumerate(rows):
            if not isinstance(row, str):
                fit(row, RerankDocument, f"documents[{index}]")
        return self._inference.fetch(
            RerankResponse,
            PATH,
            {"query": query, "documents": rows},
            params,
            RerankParams,
            model=model,
            timeouts=timeouts,
            budget=budget,
        )
