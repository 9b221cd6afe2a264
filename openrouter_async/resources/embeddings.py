"""``POST /embeddings``: vectors of texts, tokens and media, by the rule of `_inference`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, Unpack

from .._config import Timeouts
from ..budget import Budget
from ..types.embeddings import EmbeddingParams, EmbeddingsResponse
from ._call import Call, Operation
from ._inference import Around, Inference, items_of

__all__ = ["Embeddings"]

_Input: TypeAlias = (
    str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]] | Sequence[Mapping[str, Any]]
)

_CREATE: Final = Operation(
    "POST /embeddings", EmbeddingsResponse, inside=None, body=EmbeddingParams, mark="data"
)


class Embeddings(Inference, key="normal"):
    """Vectors; reached as `OpenRouter.embeddings`."""

    @_CREATE
    def create(
        self,
        input: _Input,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[EmbeddingParams],
    ) -> Call[EmbeddingsResponse]:
        """Get the vectors of one or several inputs. Normal key.

        Args:
            input: A text, several texts, the tokens of one or those of several, or mappings
                ``{"content": [...]}`` with parts of text, image, sound, video and file.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            **params: Any keyword of `EmbeddingParams`; what is not given is not sent.

        Raises:
            OpenRouterError: The request failed. Wrong arguments raise at the call.

        >>> async def example(client: OpenRouter) -> None:
        ...     model = "openai/text-embedding-3-small"
        ...     answer = await client.embeddings.create(["a fox", "a hare"], model=model)
        ...     for vector in answer.vectors:
        ...         print(len(vector), vector[0])
        """
        if not input:
            raise ValueError("input must not be empty")
        said = {"input": input if isinstance(input, str) else items_of("input", input)}
        return self._fetched(_CREATE, said, params, Around(model, timeouts, budget))
