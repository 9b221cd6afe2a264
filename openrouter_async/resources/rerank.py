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
from ._call import Operation
from ._fit import fit
from ._inference import Around, Inference, items_of

__all__ = ["Rerank"]

_CREATE: Final = Operation(
    "POST /rerank", RerankResponse, inside=None, body=RerankParams, key="normal"
)


class Rerank(Inference):
    """Ranking by relevance; reached as `OpenRouter.rerank`, and called as such or by `create`."""

    __slots__ = ()

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
    ) -> Coroutine[Any, Any, RerankResponse]:
        """Rank documents by how much they have to do with a question. Normal key.

        No price list tells what this costs, so a `Budget` needs its `per_request`.

        Args:
            query: The question.
            documents: Texts, or mappings with ``text``, ``image`` (a URL or a data URL) or both.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            **params: Any keyword of `RerankParams`; what is not given is not sent.

        Returns:
            The ranking, best first, to be awaited. Wrong arguments raise at the call.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value, or no model is named.
            OpenRouterError: The request failed.

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
        around = Around(model, timeouts, budget)
        return self._fetched(_CREATE, said, params, around, mark="results")

    __call__ = create
