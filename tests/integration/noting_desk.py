"""A desk that remembers when it gave leave, for tests that take its own word for it.

It has a module of its own, so that the process of the desk imports it alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from openrouter_async.integrations._ray_desk_work import DeskWork, Granted

__all__ = ["NotingDesk", "Span"]

Span = tuple[float, float]
"""Two moments, by the clock that all processes of a machine share."""


class NotingDesk(DeskWork):
    """Notes what it was asked and said."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self._grants: list[Span] = []
        self._pauses: list[Span] = []

    def take(self, asked: Sequence[tuple[str, int]]) -> Granted:
        """Let through as ever, and note for each request between which moments."""
        before = time.monotonic()
        granted = super().take(asked)
        count = sum(ticket is not None for ticket in granted.tickets)
        self._grants += [(before, time.monotonic())] * count
        return granted

    def pause(self, lane: str, seconds: float) -> None:
        """Pause as ever, and note from when until when it holds for certain."""
        before = time.monotonic()
        super().pause(lane, seconds)
        self._pauses.append((time.monotonic(), before + seconds))

    def noted(self) -> tuple[list[Span], list[Span]]:
        """Give the grants and the pauses."""
        return self._grants, self._pauses
