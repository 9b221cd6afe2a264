"""``POST /messages``: Anthropic's dialect, for any model, by the rule of `_inference`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, Unpack

from .._config import Timeouts
from ..budget import Budget
from ..text_streams import MessageStream
from ..types.anthropic import AnthropicMessage, MessagesParams
from ._call import Call, Operation
from ._inference import Around, Inference, Transport, items_of

__all__ = ["Messages", "Turns", "checked_turns"]

Turns: TypeAlias = str | Sequence[Mapping[str, Any] | AnthropicMessage]
"""A prompt, or messages as mappings and as earlier answers, mixed."""

_CREATE: Final = Operation("POST /messages", AnthropicMessage, inside=None, body=MessagesParams)


class Messages(Inference, key="normal"):
    """Answers in Anthropic's dialect; reached as `OpenRouter.messages`."""

    @_CREATE
    def stream(
        self,
        messages: Turns,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        **params: Unpack[MessagesParams],
    ) -> MessageStream:
        """Stream an answer. Normal key.

        Nothing is sent before the stream is iterated, entered, awaited or started.

        Args:
            model: The model; by default the client's.
            budget: What it may cost, beside the client's budget.

        >>> async def example(client: OpenRouter) -> None:
        ...     model = "anthropic/claude-sonnet-4.5"
        ...     async for event in client.messages.stream("Hi", model=model, max_tokens=100):
        ...         print(event.text, end="", flush=True)
        """
        return self._asked(messages, params, Around(model, timeouts, budget))

    @_CREATE
    def create(
        self,
        messages: Turns,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        transport: Transport = "stream",
        **params: Unpack[MessagesParams],
    ) -> Call[AnthropicMessage]:
        """Get a whole answer, which streams underneath. Normal key.

        The arguments are those of `stream`, and ``transport="json"`` asks for one piece instead.

        Raises:
            OpenRouterError: The request failed; `partial` on it is what had come of the answer.

        >>> async def example(client: OpenRouter) -> str:
        ...     model = "anthropic/claude-sonnet-4.5"
        ...     return (await client.messages.create("Say hello", model=model)).text
        """
        around = Around(model, timeouts, budget, transport)
        return self._asked(messages, params, around).collect()

    def _asked(self, messages: Turns, params: MessagesParams, around: Around) -> MessageStream:
        if params.get("fallbacks") and params.get("models"):
            raise ValueError("give fallbacks or models, not both")
        said = {"messages": checked_turns(messages)}
        return self._streamed(MessageStream, _CREATE, said, params, around)


def checked_turns(messages: Turns) -> list[Any]:
    """Give the messages of a request in their wire form, or raise what is wrong with them."""
    if not messages:
        raise ValueError("messages must not be empty")
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    items = items_of("messages", messages)
    for index, message in enumerate(messages):
        if isinstance(message, AnthropicMessage):
            items[index] = message.to_param()
        elif not isinstance(items[index], dict):
            raise TypeError(f"messages[{index}] must be a mapping, got {type(message).__name__}")
        elif not isinstance(items[index].get("role"), str):
            raise ValueError(f"messages[{index}].role is missing; it is 'user' or 'assistant'")
    return items
