"""Chunks that bring text and nothing else, taken many at once.

The rule of this file: pure, and one frame for many chunks. Nearly every chunk of an answer brings
a piece of the first choice's text, and a call for each of them would cost as much as decoding it.
So those that have come together are decoded and looked at together; whatever brings anything else
ends the run and is taken alone. What a run adds up to is told by its texts, which are kept apart
from the chunks: these belong to the user, who may change them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from ._accumulate import Outline
from .types import ChatChunk

__all__ = ["UNDECODED", "TextRun"]

UNDECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the strict decoder raises where a chunk is not of the expected shape."""

_LENGTH: Final = 64
"""Chunks of one run: enough to share its cost, few enough to find them in the cache again."""


class TextRun:
    """The chunks at the beginning of `events` that bring text and nothing else.

    Attributes:
        chunks: They, in order.
        texts: The text of each.
        next: The chunk behind them, or its bytes where they did not decode; None where the run is
            full, or no more events have come.
    """

    __slots__ = ("chunks", "next", "texts")

    def __init__(
        self, decode: Callable[[bytes], ChatChunk], events: Iterator[bytes], outline: Outline
    ) -> None:
        chunks: list[ChatChunk] = []
        texts: list[Any] = []  # strings, but the cheapest test for that narrows no type
        self.chunks = chunks
        self.texts: list[str] = texts
        self.next: ChatChunk | bytes | None = None
        if not outline.has_opened_first:
            self.next = next(events, None)
            return
        knows_who = outline.knows_who
        knows_tier = outline.service_tier is not None
        knows_fingerprint = outline.system_fingerprint is not None
        string = str
        for data in islice(events, _LENGTH):
            try:
                chunk = decode(data)
            except UNDECODED:
                self.next = data
                return
            chunk.raw = data
            try:
                (choice,) = chunk.choices
            except ValueError:  # none, or several
                self.next = chunk
                return
            delta = choice.delta
            text = delta.content
            if (
                text.__class__ is string
                and choice.index == 0
                and choice.finish_reason is None
                and choice.error is None
                and choice.logprobs is None
                and delta.reasoning is None
                and delta.reasoning_details is None
                and delta.tool_calls is None
                and delta.images is None
                and delta.annotations is None
                and delta.audio is None
                and delta.refusal is None
                and delta.reasoning_content is None
                and chunk.usage is None
                and chunk.error is None
                and chunk.openrouter_metadata is None
                and (chunk.service_tier is None or knows_tier)
                and (chunk.system_fingerprint is None or knows_fingerprint)
                and (knows_who or not outline.learns_from(chunk))
            ):
                chunks.append(chunk)
                texts.append(text)
            else:
                self.next = chunk
                return
