"""Streams of ``/completions``: what a chunk means, and the texts that chunks add up to.

The rule of this file: pure but for the stream class, which is `GatheredStream` with the names of
this dialect. A chunk has the form of the whole answer; texts are told apart by their index.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ._gathered_stream import GatheredStream
from ._sse import NamedEvent
from .types import ErrorBody
from .types._lenient import decode_leniently
from .types.completions import (
    CompletionChoice,
    CompletionLogprobs,
    CompletionResponse,
    CompletionUsage,
)

__all__ = ["CompletionStream", "TextsSoFar"]

_KEPT: Final = (
    *("id", "object", "created", "model", "provider", "system_fingerprint", "service_tier"),
    *("usage", "openrouter_metadata"),
)


class _Text:
    """One text while its pieces come."""

    __slots__ = ("choice", "reasoning", "text")

    def __init__(self, index: int) -> None:
        self.choice = CompletionChoice(index=index)
        self.text: list[str] = []
        self.reasoning: list[str] = []

    def add(self, choice: CompletionChoice) -> None:
        if choice.text:
            self.text.append(choice.text)
        if choice.reasoning:
            self.reasoning.append(choice.reasoning)
        mine = self.choice
        if choice.finish_reason is not None:
            mine.finish_reason = choice.finish_reason
            mine.native_finish_reason = choice.native_finish_reason
        if choice.logprobs is not None:
            mine.logprobs = _joined(mine.logprobs, choice.logprobs)

    def whole(self) -> CompletionChoice:
        return msgspec.structs.replace(
            self.choice, text="".join(self.text), reasoning="".join(self.reasoning) or None
        )


class TextsSoFar:
    """A `CompletionResponse` while its chunks come; see `Gathering`."""

    __slots__ = ("_response", "_texts", "deltas", "failed", "is_over")

    def __init__(self) -> None:
        self.deltas = 0
        self.is_over = False  # `[DONE]` ends the stream
        self.failed: ErrorBody | None = None
        self._response = CompletionResponse()
        self._texts: dict[int, _Text] = {}

    @property
    def finished(self) -> bool:
        """Whether every text has said why it ends."""
        texts = self._texts.values()
        return bool(texts) and all(text.choice.finish_reason is not None for text in texts)

    @property
    def id(self) -> str | None:
        """The generation's id."""
        return self._response.id

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self._response.model

    @property
    def provider(self) -> str | None:
        """The provider that answers."""
        return self._response.provider

    @property
    def usage(self) -> CompletionUsage | None:
        """Tokens and cost."""
        return self._response.usage

    @property
    def output_tokens(self) -> int | None:
        """How long the answer was, where that is known."""
        return self.usage.completion_tokens if self.usage is not None else None

    def add(self, chunk: CompletionResponse) -> None:
        """Take the next chunk."""
        for choice in chunk.choices:
            text = self._texts.get(choice.index)
            if text is None:
                text = self._texts[choice.index] = _Text(choice.index)
            text.add(choice)
            self.deltas += bool(choice.text or choice.reasoning)
            if choice.error is not None or choice.finish_reason == "error":
                message = "the provider ended the answer with an error"
                self.failed = choice.error or ErrorBody(message=message)
        self.failed = chunk.error or self.failed
        if isinstance(chunk.raw, NamedEvent) and chunk.raw.name == "error":
            self.failed = self.failed or decode_leniently(chunk.raw, ErrorBody)
        mine = self._response
        if mine.id is None or mine.provider is None or chunk.usage is not None:
            for name in _KEPT:
                value = getattr(chunk, name)
                if value is not None:
                    setattr(mine, name, value)

    def answer(self) -> CompletionResponse:
        """Give the answer so far."""
        choices = [self._texts[index].whole() for index in sorted(self._texts)]
        return msgspec.structs.replace(self._response, choices=choices)


def _joined(before: CompletionLogprobs | None, new: CompletionLogprobs) -> CompletionLogprobs:
    if before is None:
        return new
    top = [*(before.top_logprobs or ()), *(new.top_logprobs or ())]
    return CompletionLogprobs(
        tokens=before.tokens + new.tokens,
        token_logprobs=before.token_logprobs + new.token_logprobs,
        top_logprobs=top or None,
        text_offset=before.text_offset + new.text_offset,
    )


class CompletionStream(GatheredStream[CompletionResponse, CompletionResponse]):
    """Texts of ``/completions`` as they come; made by ``client.completions.stream``."""

    __slots__ = ()

    _gathering = TextsSoFar
    _reader = msgspec.json.Decoder(CompletionResponse)
    _kind = CompletionResponse

    _so_far: TextsSoFar

    @property
    def usage(self) -> CompletionUsage | None:
        """Tokens and cost, from the last chunk; None where the server sent none."""
        return self._so_far.usage

    @staticmethod
    def _event_of(body: bytes, fields: dict[str, msgspec.Raw]) -> bytes | None:
        return body if "choices" in fields and "error" not in fields else None
