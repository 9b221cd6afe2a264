"""Waiting for a job to be over: looking at it, ever more rarely.

The rule of this file: what passes by itself (an API that is busy, failing or not to be reached)
does not end a wait, and to stop waiting does nothing to the job.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, TypeVar

from .. import errors

__all__ = ["wait_for_end"]

T = TypeVar("T")

_FIRST_PAUSE: Final = 2.0


async def wait_for_end(
    look: Callable[[], Awaitable[T]],
    is_over: Callable[[T], bool],
    *,
    what: str,
    poll: float,
    timeout: float | None,
    on_progress: Callable[[T], object] | None = None,
) -> T:
    """Look at a job until it is over: at once, then after 2, 4, 8, ... seconds up to `poll`.

    Args:
        look: Gives the job as it is.
        is_over: Whether it is over; it may raise what the wait then ends with.
        what: What the job is called, for the error.
        poll, timeout, on_progress: As of the method that waits.
    """
    if not poll >= 0:
        raise ValueError(f"poll must be a number of seconds from 0 on, got {poll}")
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds from 0 on, got {timeout}")
    import asyncio

    scope = asyncio.timeout(None if timeout == inf else timeout)
    try:
        async with scope:
            pause = min(_FIRST_PAUSE, poll)
            while True:
                asked_to_wait = 0.0
                try:
                    job = await look()
                except errors.OpenRouterError as error:
                    if not _passes(error):
                        raise
                    if isinstance(error, errors.APIStatusError):
                        asked_to_wait = error.retry_after or 0.0
                else:
                    if on_progress is not None:
                        on_progress(job)
                    if is_over(job):
                        return job
                await asyncio.sleep(max(pause, asked_to_wait))
                pause = min(2 * pause, poll)
    except TimeoutError:
        if not scope.expired():
            raise
    raise errors.TotalTimeout(
        f"{what} was not ready within {timeout:g} s; it may still be made: "
        "wait for it again by its id"
    )


def _passes(error: errors.OpenRouterError) -> bool:
    """Tell whether a failed look at a job may well succeed later."""
    if isinstance(error, errors.TLSError | errors.ProxyError):
        return False
    refusals = errors.ServerError | errors.RateLimitError | errors.RequestTimeoutError
    return isinstance(error, errors.APIConnectionError | errors.StreamError | refusals)
