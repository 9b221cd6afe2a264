"""When the opening of an answer happened.

What may live here: reading the marks that a response carries. No clock is asked.
"""

from __future__ import annotations

from typing import Protocol

from .types import Timing, Usage

__all__ = ["Opened", "opening_of", "speed_of"]


class Opened(Protocol):
    """What is known of a request whose answer has begun; the marks are seconds of one clock."""

    asked_at: float
    sending_at: float
    connected_at: float | None
    answered_at: float


def opening_of(answer: Opened) -> Timing:
    """Give the moments up to the headers, from that of the request on."""
    started, connected = answer.asked_at, answer.connected_at
    return Timing(
        queue=answer.sending_at - started,
        connect=None if connected is None else connected - started,
        headers=answer.answered_at - started,
    )


def speed_of(timing: Timing, usage: Usage | None) -> float | None:
    """Give the completion tokens a second; None where that cannot be known."""
    if usage is None or timing.end is None or timing.first_delta is None:
        return None
    seconds = timing.end - timing.first_delta
    if seconds <= 0 or not usage.completion_tokens:
        return None
    return usage.completion_tokens / seconds
