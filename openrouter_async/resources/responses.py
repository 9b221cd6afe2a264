"""``POST /responses``: OpenAI's newer dialect, for any model, by the rule of `_inference`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, Unpack

from .._config import Timeouts
from ..budget import Budget
from ..text_streams import ResponseStream
from ..types.responses import Response, ResponseItem, ResponseParams
from ._call import Call, Operation
from ._inference import Around, Inference, Transport, items_of

__all__ = ["Input", "Responses", "checked_input"]

Input: TypeAlias = str | Sequence[Mapping[str, Any] | ResponseItem]
"""A prompt, or items as mappings and as items of earlier answers, mixed."""

_CREATE: Final = Operation("POST /responses", Response, inside=None, body=ResponseParams)


class Responses(Inference, key="normal"):
    """Answers in OpenAI's newer dialect; reached as `OpenRouter.responses`."""

    _needs_model = False

    @_CREATE
    def stream(
        self,
        input: Input,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[ResponseParams],
    ) -> ResponseStream:
        """Stream an answer. Normal key.

        Nothing is sent before the stream is iterated, entered, awaited or started. The API keeps
        no state, so `input` is the whole history.

        Args:
            model: The model; by default the client's, else the account's.
            budget: What it may cost, beside the client's budget.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for event in client.responses.stream("Say hello", model="openai/gpt-4o"):
        ...         print(event.text, end="", flush=True)
        """
        said = {"input": checked_input(input)}
        around = Around(model, timeouts, budget)
        return self._streamed(ResponseStream, _CREATE, said, params, around)

    @_CREATE
    def create(
        self,
        input: Input,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        transport: Transport = "stream",
        **params: Unpack[ResponseParams],
    ) -> Call[Response]:
        """Get a whole answer, which streams underneath. Normal key.

        The arguments are those of `stream`, and ``transport="json"`` asks for one piece instead.

        Raises:
            OpenRouterError: The request failed; `partial` on it is what had come of the answer.

        >>> async def example(client: OpenRouter) -> None:
        ...     first = await client.responses.create("Say hello", model="openai/gpt-4o")
        ...     question = {"role": "user", "content": "And in Greek?"}
        ...     await client.responses.create([*first.output, question], model="openai/gpt-4o")
        """
        said = {"input": checked_input(input)}
        around = Around(model, timeouts, budget, transport)
        return self._streamed(ResponseStream, _CREATE, said, params, around).collect()


def checked_input(input: Input) -> str | list[Any]:
    """Give the input of a request in its wire form, or raise what is wrong with it."""
    if not input:
        raise ValueError("input must not be empty")
    return input if isinstance(input, str) else items_of("input", input)
