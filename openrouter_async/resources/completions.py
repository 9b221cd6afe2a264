"""``POST /completions``: the older endpoint, where a model goes on with a text.

The rule of this file: a user's arguments become a request, checked before anything is sent, and
the answer gets its type.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeAlias, Unpack

from .._config import Timeouts
from ..budget import Budget
from ..completion_events import CompletionStream
from ..types.completions import CompletionParams, CompletionResponse
from ._inference import InferenceGroup, Transport, items_of

__all__ = ["Completions"]

PATH: Final = "/completions"

_Prompt: TypeAlias = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]


class Completions(InferenceGroup):
    """Texts that go on; reached as `OpenRouter.completions`, with a normal key."""

    __slots__ = ()

    def stream(
        self,
        prompt: _Prompt,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[CompletionParams],
    ) -> CompletionStream:
        """Stream the text that follows a prompt.

        Nothing is sent before the stream is iterated, entered, awaited or started.

        Args:
            prompt: A text, several, the tokens of one, or those of several.
            model: The model; by default the client's, else the account's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            **params: Any keyword of `CompletionParams`; what is not given is not sent.

        Returns:
            A `CompletionStream`; this is no coroutine. A normal key is needed.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value.
            RuntimeError: The client is closed.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for chunk in client.completions.stream("Once upon a time", max_tokens=50):
        ...         print(chunk.text, end="", flush=True)
        """
        return self._asked(prompt, model, timeouts, budget, params, "stream")

    def create(
        self,
        prompt: _Prompt,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        transport: Transport = "stream",
        **params: Unpack[CompletionParams],
    ) -> Coroutine[Any, Any, CompletionResponse]:
        """Get the whole text, which streams underneath; the arguments are those of `stream`.

        Args:
            prompt: A text, several, the tokens of one, or those of several.
            model: The model; by default the client's, else the account's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            transport: ``"json"`` asks for the answer in one piece instead, as ``best_of`` needs.
            **params: Any keyword of `CompletionParams`.

        Returns:
            The answer, to be awaited. Wrong arguments raise at the call. A normal key is needed.

        Raises:
            OpenRouterError: The request failed; `partial` on it is what had come of the answer.

        >>> async def example(client: OpenRouter) -> str:
        ...     return (await client.completions.create("Roses are", max_tokens=20)).text
        """
        return self._asked(prompt, model, timeouts, budget, params, transport).collect()

    def _asked(
        self,
        prompt: _Prompt,
        model: str | None,
        timeouts: Timeouts | None,
        budget: Budget | None,
        params: CompletionParams,
        transport: str,
    ) -> CompletionStream:
        return self._inference.stream(
            CompletionStream,
            PATH,
            {"prompt": prompt if isinstance(prompt, str) else items_of("prompt", prompt)},
            params,
            CompletionParams,
            model=model,
            timeouts=timeouts,
            budget=budget,
            transport=transport,
        )
