"""``POST /messages``: Anthropic's dialect, for any model.

The rule of this file: a user's arguments become a request, checked before anything is sent, and
the answer gets its type.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias, Unpack, cast

from .._config import Timeouts
from ..budget import Budget
from ..message_events import MessageStream
from ..types.anthropic import AnthropicMessage, MessagesParams
from ._inference import InferenceGroup, Transport, items_of

__all__ = ["Messages"]

PATH: Final = "/messages"

_Messages: TypeAlias = str | Sequence[Mapping[str, Any] | AnthropicMessage]


class Messages(InferenceGroup):
    """Answers in Anthropic's dialect; reached as `OpenRouter.messages`, with a normal key."""

    __slots__ = ()

    def stream(
        self,
        messages: _Messages,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[MessagesParams],
    ) -> MessageStream:
        """Stream an answer.

        Nothing is sent before the stream is iterated, entered, awaited or started.

        Args:
            messages: A prompt, or messages as mappings and as earlier answers, mixed.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            **params: Any keyword of `MessagesParams`; what is not given is not sent.

        Returns:
            A `MessageStream`; this is no coroutine. A normal key is needed.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value, or no model is named.
            RuntimeError: The client is closed.

        >>> async def example(client: OpenRouter) -> None:
        ...     model = "anthropic/claude-sonnet-4.5"
        ...     async for event in client.messages.stream("Hi", model=model, max_tokens=100):
        ...         print(event.text, end="", flush=True)
        """
        return self._asked(messages, model, timeouts, budget, params, "stream")

    def create(
        self,
        messages: _Messages,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        transport: Transport = "stream",
        **params: Unpack[MessagesParams],
    ) -> Coroutine[Any, Any, AnthropicMessage]:
        """Get a whole answer, which streams underneath; the arguments are those of `stream`.

        Args:
            messages: A prompt, or messages.
            model: The model; by default the client's.
            timeouts: Deadlines of this request, in place of the client's.
            budget: What it may cost, beside the client's budget.
            transport: ``"json"`` asks for the answer in one piece instead.
            **params: Any keyword of `MessagesParams`.

        Returns:
            The answer, to be awaited. Wrong arguments raise at the call. A normal key is needed.

        Raises:
            OpenRouterError: The request failed; `partial` on it is what had come of the answer.

        >>> async def example(client: OpenRouter) -> str:
        ...     model = "anthropic/claude-sonnet-4.5"
        ...     return (await client.messages.create("Say hello", model=model)).text
        """
        return self._asked(messages, model, timeouts, budget, params, transport).collect()

    def _asked(
        self,
        messages: _Messages,
        model: str | None,
        timeouts: Timeouts | None,
        budget: Budget | None,
        params: MessagesParams,
        transport: str,
    ) -> MessageStream:
        if "fallbacks" in params and "models" in params:
            raise ValueError("give fallbacks or models, not both")
        return self._inference.stream(
            MessageStream,
            PATH,
            {"messages": _checked(messages)},
            params,
            MessagesParams,
            model=model,
            needs_model=True,
            timeouts=timeouts,
            budget=budget,
            transport=transport,
        )


def _checked(messages: _Messages) -> list[Any]:
    if not messages:
        raise ValueError("messages must not be empty")
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    turns = [
        message.to_param() if isinstance(message, AnthropicMessage) else message
        for message in messages
    ]
    items = items_of("messages", turns)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            kind = type(messages[index]).__name__
            raise TypeError(f"messages[{index}] must be a mapping, got {kind}")
        if not isinstance(cast("dict[str, object]", item).get("role"), str):
            raise ValueError(f"messages[{index}].role is missing; it is 'user' or 'assistant'")
    return items
