"""The text endpoints besides chat, side by side: what differs between them for a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from openrouter_async import OpenRouter
from openrouter_async.testing import Reply, error_chunk, error_event, message, response, text
from openrouter_async.text_streams import CompletionStream, MessageStream, ResponseStream

__all__ = ["DIALECTS", "Dialect", "Stream"]

Stream: TypeAlias = ResponseStream | MessageStream | CompletionStream

MODEL = "anthropic/claude-sonnet-4.5"


@dataclass(frozen=True)
class Dialect:
    """One endpoint.

    Attributes:
        reply: Builds an answer.
        error: The event that reports a 503 or its like, with the sentence "Slow down please".
        before_text: How many events come before the first piece of text.
        says_done: Whether `[DONE]` ends its streams.
    """

    name: str
    reply: Callable[..., Reply]
    error: bytes
    before_text: int
    says_done: bool

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """Where its requests go."""
        return f"/{self.name}"

    def group(self, client: OpenRouter) -> Any:
        """The group of a client."""
        return getattr(client, self.name)

    def stream(self, client: OpenRouter, **params: Any) -> Stream:
        """Ask for a stream."""
        stream: Stream = self.group(client).stream("Hi", model=MODEL, **params)
        return stream


DIALECTS = (
    Dialect(
        "responses",
        response,
        error_event("responses", "Slow down please", code="rate_limit_exceeded"),
        4,
        True,
    ),
    Dialect(
        "messages",
        message,
        error_event("messages", "Slow down please", code="rate_limit_error"),
        2,
        False,
    ),
    Dialect("completions", text, error_chunk(429, "Slow down please"), 0, True),
)
