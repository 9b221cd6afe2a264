"""Whether to try again, and after how long.

The rule of this file: pure decisions. It never sleeps, reads no clock and knows no transport.

A failure is of one of four classes. *not_sent*: the request never left. *refused*: the API said
that it did not take it. *unknown*: it was sent, and nobody knows what became of it. *started*:
a part of the answer had come. The API has no idempotency key, so sending again what may have
been taken can be billed twice: only the first two are tried again unless the caller says so.

A 408, 500, 504 or 524 is *unknown*, although an answer came: it says that somebody waited in vain
or failed, not that the provider never began. Where the API itself says that an error may be tried
again (its ``availability.retryable``), that outweighs any status, and so does its no.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from ._config import RetryPolicy
from .errors import APIStatusError, OpenRouterError, ProtocolError, QueueTimeout

__all__ = [
    "Failure",
    "backoff",
    "classify",
    "delay_before_retry",
    "holds_back",
    "is_overload",
    "why_too_long",
]

Failure: TypeAlias = Literal["not_sent", "refused", "unknown", "started"]

_REFUSING: Final = frozenset({429, 502, 503, 529})
_OVERLOADED: Final = frozenset({429, 503, 529})
_GOES_ON_FAILING: Final = (QueueTimeout, ProtocolError)


def classify(error: OpenRouterError) -> Failure:
    """Tell how far the failed request had come, as far as money is concerned."""
    if error.phase == "body":
        return "started"
    if error.phase in ("queue", "connect"):
        return "not_sent"
    if not isinstance(error, APIStatusError):
        return "unknown"
    status = error.status
    if error.retryable or status in _REFUSING:
        return "refused"
    return "refused" if status is not None and status < 500 and status != 408 else "unknown"


def delay_before_retry(
    policy: RetryPolicy,
    attempt: int,
    error: OpenRouterError,
    *,
    elapsed: float = 0.0,
    jitter: Callable[[], float] = random.random,
) -> float | None:
    """Give the seconds to wait before the next attempt, or None to give up.

    Args:
        policy: The user's wishes.
        attempt: The 1-based attempt that failed.
        error: How it failed.
        elapsed: Seconds since the first attempt began.
        jitter: Gives a number from 0 to 1; full jitter keeps tasks that failed together apart.
    """
    if attempt >= policy.max_attempts or not _may_be_sent_again(policy, error):
        return None
    floor = _floor(error)
    room = _longest_wait(policy, elapsed) - floor
    if room < 0:
        return None
    # The server's word is a floor; the jitter comes on top so that not all wake at once.
    return floor + min(backoff(policy, attempt), room) * jitter()


def backoff(policy: RetryPolicy, tries: int) -> float:
    """Give the longest wait, in seconds, after so many failures in a row."""
    return min(policy.max_delay, policy.first_delay * 2.0 ** min(tries - 1, 60))


def why_too_long(policy: RetryPolicy, error: OpenRouterError, elapsed: float) -> str:
    """Say which bound of the policy forbids the wait that the error asks for, if one does."""
    floor = _floor(error)
    if policy.max_attempts == 1 or not _may_be_sent_again(policy, error):
        return ""
    if floor > policy.max_wait:
        return f", and the API asks to wait {floor:g} s, longer than max_wait={policy.max_wait:g} s"
    if floor <= _longest_wait(policy, elapsed):
        return ""
    wait = f"waiting {floor:g} s more" if floor else "another attempt"
    return f", and {wait} would go beyond total={policy.total:g} s"


def is_overload(error: OpenRouterError) -> bool:
    """Tell whether an error says that too much is asked, of the account or of the model."""
    return (
        isinstance(error, APIStatusError)
        and error.status in _OVERLOADED
        and error.retryable
        and classify(error) == "refused"
    )


def holds_back(policy: RetryPolicy, error: OpenRouterError) -> bool:
    """Tell whether an error is a reason for the requests beside it to wait as well.

    One that asks for a wait longer than anybody would wait is none: whoever comes is told so by
    the API itself, which may have changed its mind.
    """
    return policy.max_attempts > 1 and is_overload(error) and _floor(error) <= policy.max_wait


def _may_be_sent_again(policy: RetryPolicy, error: OpenRouterError) -> bool:
    if isinstance(error, _GOES_ON_FAILING):
        return False
    failure = classify(error)
    if failure == "unknown":
        # On one error, not on its class, it is the API's own word.
        return policy.retry_unknown and vars(error).get("retryable") is not False
    return failure != "started" and error.retryable


def _floor(error: OpenRouterError) -> float:
    return (error.retry_after or 0.0) if isinstance(error, APIStatusError) else 0.0


def _longest_wait(policy: RetryPolicy, elapsed: float) -> float:
    return min(policy.max_wait, (policy.total or math.inf) - elapsed)
