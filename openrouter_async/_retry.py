"""Whether to try again, and after how long.

The rule of this file: pure decisions. It never sleeps, reads no clock and knows no transport.

A failure is of one of four classes. *not_sent*: the request never left. *refused*: the API said
that it did not take it. *unknown*: it was sent, and nobody knows what became of it. *started*:
a part of the answer had come. The API has no idempotency key, so sending again what may have
been taken can be billed twice: only the first two are tried again unless the caller says so.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from ._config import RetryPolicy
from .errors import APIStatusError, OpenRouterError, ProtocolError, QueueTimeout

__all__ = ["Failure", "classify", "delay_before_retry"]

Failure: TypeAlias = Literal["not_sent", "refused", "unknown", "started"]

_REFUSING: Final = frozenset({429, 502, 503, 529})
_GOES_ON_FAILING: Final = (QueueTimeout, ProtocolError)


def classify(error: OpenRouterError) -> Failure:
    """Tell how far the failed request had come, as far as money is concerned."""
    if error.phase == "body":
        return "started"
    if error.phase in ("queue", "connect"):
        return "not_sent"
    if isinstance(error, APIStatusError) and error.status is not None:
        return "refused" if error.status < 500 or error.status in _REFUSING else "unknown"
    return "unknown"


def delay_before_retry(
    policy: RetryPolicy,
    attempt: int,
    error: OpenRouterError,
    jitter: Callable[[], float] = random.random,
) -> float | None:
    """Give the seconds to wait before the next attempt, or None to give up.

    Args:
        policy: The user's wishes.
        attempt: The 1-based attempt that failed.
        error: How it failed.
        jitter: Gives a number from 0 to 1; full jitter keeps tasks that failed together apart.
    """
    if attempt >= policy.max_attempts or isinstance(error, _GOES_ON_FAILING):
        return None
    failure = classify(error)
    if failure == "unknown":
        if not policy.retry_unknown:
            return None
    elif failure == "started" or not error.retryable:
        return None
    ceiling = min(policy.max_delay, policy.first_delay * 2.0 ** min(attempt - 1, 60))
    delay = ceiling * jitter()
    if isinstance(error, APIStatusError) and error.retry_after is not None:
        # The server's word is a floor; the jitter comes on top so that not all wake at once.
        delay += error.retry_after
    return delay if delay <= policy.max_wait else None
