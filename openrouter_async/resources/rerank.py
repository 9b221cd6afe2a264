"""``POST /rerank``: which documents have to do with a question, by the rule of `_inference`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from .._config import Timeouts, check_type
from ..budget import Budget
from ..types.rerank import RerankDocument, RerankParams, RerankResponse
from ._call import Call, Operation
from ._fit import fit
from ._inference import Around, Inference, items_of

__all__ = ["Rerank"]

_CREATE: Final = Operation(
    "POST /rerank", RerankResponse, inside=None, body=RerankParams, mark="results"
)


class Rerank(Inference, key="normal"):
    """Ranking by relevance; reached as `OpenRouter.rerank`, and called as such or by `create`."""

    _has_prices = False

    @_CREATE
    def create(
        self,
        query: str,
        documents: Sequence[str | Mapping[str, Any] | RerankDocument],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[RerankParams],
    ) -> Call[RerankResponse]:
        """Rank documents by how much they have to do with a question. Normal key.

        No price list tells what this costs, so a `Budget` needs its `per_request`.

        Args:
            query: The question.
            documents: Texts, or mappings with ``text``, ``image`` (a URL or a data URL) or both.
            model: The model; by default the client's.
            budget: What it may cost, beside the client's budget.

        Returns:
            The ranking, best first, to be awaited.

        >>> async def example(client: OpenRouter, texts: list[str]) -> None:
        ...     ranking = await client.rerank("Who was Ada?", texts, model="cohere/rerank-v3.5")
        ...     print([texts[result.index] for result in ranking.results])
        """
        check_type("query", query, str)
        rows = items_of("documents", documents)
        for index, row in enumerate(rows):
            if not isinstance(row, str):
                fit(row, RerankDocument, f"documents[{index}]")
        said = {"query": query, "documents": rows}
        return self._fetched(_CREATE, said, params, Around(model, timeouts, budget))

    __call__ = create
