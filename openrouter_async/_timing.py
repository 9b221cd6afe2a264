"""How a stream ended, and when what happened in it.

What may live here: the two values that every kind of stream reports of itself.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["Ending", "Timing"]

Ending: TypeAlias = Literal[
    "complete",
    "complete_no_sentinel",
    "complete_no_reason",
    "truncated",
    "broken",
    "error",
    "timeout",
    "left",
]
"""How a stream ended: well (the first three), badly, or by its reader leaving."""


class Timing(Struct, kw_only=True):
    """When things happened, in seconds from the moment the stream was started.

    Attributes:
        queue: A connection was free; what came before was waiting in line.
        connect: The connection stood; also where an open one was used again.
        headers: The answer's headers came.
        first_event: The first event came, whatever it said.
        first_delta: The first delta came that says something: the time to the first token.
        end: The stream ended.
        longest_gap: The longest wait for the socket after the first event (a length).
        tokens_per_second: Completion tokens over the time from `first_delta` to `end`.
    """

    queue: float | None = None
    connect: float | None = None
    headers: float | None = None
    first_event: float | None = None
    first_delta: float | None = None
    end: float | None = None
    longest_gap: float = 0.0
    tokens_per_second: float | None = None
