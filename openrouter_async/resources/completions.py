"""``POST /completions``: a model goes on with a text, by the rule of `_inference`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias, Unpack

from .._config import Timeouts
from ..budget import Budget
from ..text_streams import CompletionStream
from ..types.completions import CompletionParams, CompletionResponse
from ._call import Call, Operation
from ._inference import Around, Inference, Transport, items_of

__all__ = ["Completions"]

_Prompt: TypeAlias = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]

_CREATE: Final = Operation(
    "POST /completions", CompletionResponse, inside=None, body=CompletionParams
)


class Completions(Inference, key="normal"):
    """Texts that go on; reached as `OpenRouter.completions`."""

    _needs_model = False

    @_CREATE
    def stream(
        self,
        prompt: _Prompt,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[CompletionParams],
    ) -> CompletionStream:
        """Stream the text that follows a prompt. Normal key.

        Nothing is sent before the stream is iterated, entered, awaited or started.

        Args:
            prompt: A text, several, the tokens of one, or those of several.
            model: The model; by default the client's, else the account's.
            budget: What it may cost, beside the client's budget.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for chunk in client.completions.stream("Once upon a time", max_tokens=50):
        ...         print(chunk.text, end="", flush=True)
        """
        said = {"prompt": _checked(prompt)}
        around = Around(model, timeouts, budget)
        return self._streamed(CompletionStream, _CREATE, said, params, around)

    @_CREATE
    def create(
        self,
        prompt: _Prompt,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        transport: Transport = "stream",
        **params: Unpack[CompletionParams],
    ) -> Call[CompletionResponse]:
        """Get the whole text, which streams underneath. Normal key.

        The arguments are those of `stream`; ``transport="json"`` asks for one piece instead,
        which ``best_of`` needs.

        Raises:
            OpenRouterError: The request failed; `partial` on it is what had come of the answer.

        >>> async def example(client: OpenRouter) -> str:
        ...     return (await client.completions.create("Roses are", max_tokens=20)).text
        """
        said = {"prompt": _checked(prompt)}
        around = Around(model, timeouts, budget, transport)
        return self._streamed(CompletionStream, _CREATE, said, params, around).collect()


def _checked(prompt: _Prompt) -> str | list[Any]:
    return prompt if isinstance(prompt, str) else items_of("prompt", prompt)
