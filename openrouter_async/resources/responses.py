"""``POST /responses``: OpenAI's newer dialect, for any model.

The rule of this file: a user's arguments become a request, checked before anything is sent, and
the answer gets its type.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, Unpack

from .._config import Timeouts
from ..budget import Budget
from ..response_events import ResponseStream
from ..types.responses import Response, ResponseItem, ResponseParams
from ._inference import InferenceGroup, Transport, items_of

__all__ = ["Responses"]

PATH: Final = "/responses"


class Responses(InferenceGroup):
    """Answers in OpenAI's newer dialect; reached as `OpenRouter.responses`, with a normal key."""

    __slots__ = ()

    def stream(
        self,
        input: str | Sequence[Mapping[str, Any] | ResponseItem],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[ResponseParams],
    ) -> ResponseStream:
        """Stream an answer.

        Nothing is sent before the stream is iterated, entered, awaited or started. The API keeps
        no state, so `input` is the whole history.

        Args:
            input: A prompt, or items as mappings and as items of earlier answers, mixed.
            model: The model; by default the client's, else the account's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            **params: Any keyword of `ResponseParams`; what is not given is not sent.

        Returns:
            A `ResponseStream`; this is no coroutine. A normal key is needed.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value.
            RuntimeError: The client is closed.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for event in client.responses.stream("Say hello", model="openai/gpt-4o"):
        ...         print(event.text, end="", flush=True)
        """
        return self._asked(input, model, timeouts, budget, params, "stream")

    def create(
        self,
        input: str | Sequence[Mapping[str, Any] | ResponseItem],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        transport: Transport = "stream",
        **params: Unpack[ResponseParams],
    ) -> Coroutine[Any, Any, Response]:
        """Get a whole answer, which streams underneath; the arguments are those of `stream`.

        Args:
            input: A prompt, or items.
            model: The model; by default the client's, else the account's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            transport: ``"json"`` asks for the answer in one piece instead.
            **params: Any keyword of `ResponseParams`.

        Returns:
            The answer, to be awaited. Wrong arguments raise at the call. A normal key is needed.

        Raises:
            OpenRouterError: The request failed; `partial` on it is what had come of the answer.

        >>> async def example(client: OpenRouter) -> None:
        ...     first = await client.responses.create("Say hello", model="openai/gpt-4o")
        ...     question = {"role": "user", "content": "And in Greek?"}
        ...     await client.responses.create([*first.output, question], model="openai/gpt-4o")
        """
        return self._asked(input, model, timeouts, budget, params, transport).collect()

    def _asked(
        self,
        input: str | Sequence[Mapping[str, Any] | ResponseItem],
        model: str | None,
        timeouts: Timeouts | None,
        budget: Budget | None,
        params: ResponseParams,
        transport: str,
    ) -> ResponseStream:
        if not input:
            raise ValueError("input must not be empty")
        said = input if isinstance(input, str) else items_of("input", input)
        return self._inference.stream(
            ResponseStream,
            PATH,
            {"input": said},
            params,
            ResponseParams,
            model=model,
            timeouts=timeouts,
            budget=budget,
            transport=transport,
        )
