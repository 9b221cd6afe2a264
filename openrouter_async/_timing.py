"""When the opening of an answer happened.

What may live here: reading the marks that a response carries. No clock is asked.
"""

from __future__ import annotations

from typing import Protocol

from .types import Timing

__all__ = ["Opened", "opening_of"]


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
