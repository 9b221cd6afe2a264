"""What a client counts of itself.

The rule of this file: numbers at one moment, put side by side; they are kept by those who count.
"""

from __future__ import annotations

import time

from msgspec.structs import asdict

from ._limits import Limiter
from ._transport import PoolStats

__all__ = ["ClientStats", "stats_of"]


class ClientStats(PoolStats, frozen=True, kw_only=True):
    """How busy a client is, over all its event loops: its connections, and who is held back.

    A *lane* is the model that requests ask for or, where they name none, their path.

    Attributes:
        held_back: Requests that wait for the end of a pause, for room or for the next minute.
        paused: Seconds that each paused lane has still to wait; ``":free"`` are all free models.
        refusals: Answers that said too much was asked (429, 503, 529), ever.
        under_way: Requests of each lane whose answer has not ended, with `Limits.adaptive`.
        windows: How many each lane may have under way at once, with `Limits.adaptive`.
        requests_last_minute: Requests sent, with `Limits.requests_per_minute`.
        tokens_last_minute: Their tokens as far as known, with `Limits.tokens_per_minute`.
    """

    held_back: int
    paused: dict[str, float]
    refusals: int
    under_way: dict[str, int]
    windows: dict[str, int]
    requests_last_minute: int
    tokens_last_minute: int


def stats_of(pool: PoolStats, limiter: Limiter) -> ClientStats:
    """Put the counts of the pool and of the gate together."""
    now = _now()
    requests, tokens = limiter.last_minute(now)
    return ClientStats(
        **asdict(pool),
        held_back=limiter.held_back(),
        paused=limiter.paused(now),
        refusals=limiter.refusals,
        under_way=limiter.under_way(),
        windows=limiter.windows(),
        requests_last_minute=requests,
        tokens_last_minute=tokens,
    )


def _now() -> float:
    import asyncio

    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:  # loops have this very clock
        return time.monotonic()
