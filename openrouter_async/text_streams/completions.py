"""Streams of ``/completions``: what a chunk means, and the texts that chunks add up to.

The rule of this file: pure but for the stream class, which is `GatheredStream` with the names of
this dialect. A chunk has the form of the whole answer; texts are told apart by their index.
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from ..types import ErrorBody
from ..types.completions import (
    CompletionChoice,
    CompletionLogprobs,
    CompletionResponse,
    CompletionUsage,
)
from ._gathered import GatheredStream, SoFar, reported

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
        """Take the next event."""
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


class TextsSoFar(SoFar[CompletionResponse, CompletionResponse]):
    """A `CompletionResponse` while its chunks come."""

    __slots__ = ("_response", "_texts")

    def __init__(self) -> None:
        super().__init__()
        self._response = CompletionResponse()
        self._texts: dict[int, _Text] = {}

    def add(self, chunk: CompletionResponse) -> None:
        """Take the next event."""
        for choice in chunk.choices:
            text = self._texts.get(choice.index)
            if text is None:
                text = self._texts[choice.index] = _Text(choice.index)
            text.add(choice)
            if choice.text or choice.reasoning:
                self.deltas += 1
            if choice.finish_reason is not None:
                texts = self._texts.values()
                self.finished = all(one.choice.finish_reason is not None for one in texts)
                if choice.finish_reason == "error" or choice.error is not None:
                    unsaid = ErrorBody(message="the provider ended the answer with an error")
                    self.failed = choice.error or unsaid
        if not chunk.choices or chunk.error is not None:
            self.failed = reported(chunk.error, chunk.raw, is_error=False) or self.failed
        if self.id is None or self.provider is None or chunk.usage is not None:
            self._identify(chunk)

    def _identify(self, chunk: CompletionResponse) -> None:
        for name in _KEPT:
            value = getattr(chunk, name)
            if value is not None:
                setattr(self._response, name, value)
        response = self._response
        self.id, self.model = response.id, response.model
        self.provider, self.usage = response.provider, response.usage

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why each text ended, in order, of those that have."""
        reasons = (self._texts[index].choice.finish_reason for index in sorted(self._texts))
        return tuple(reason for reason in reasons if reason is not None)

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
    _event = CompletionResponse
    _counted = "completion_tokens"

    @property
    def usage(self) -> CompletionUsage | None:
        """Tokens and cost, from the last chunk; None where the server sent none."""
        return cast("CompletionUsage | None", self._so_far.usage)

    @staticmethod
    def _event_of(body: bytes, fields: dict[str, msgspec.Raw]) -> bytes | None:
        return body if "choices" in fields and "error" not in fields else None
