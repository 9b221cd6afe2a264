"""Waiting for the record of a generation, where a stream never told what it cost.

What may live here: how long is waited, and what it means that no record came. Asking is done by
`resources.generations`.
"""

from __future__ import annotations

from typing import Protocol

from .errors import NotFoundError
from .types import GenerationRecord

__all__ = ["FindRecord", "record_in_time"]


class FindRecord(Protocol):
    """Finds the record of a generation, asking for up to `wait` seconds."""

    async def __call__(self, generation_id: str, *, wait: float) -> GenerationRecord: ...


async def record_in_time(
    find: FindRecord, generation_id: str, timeout: float
) -> GenerationRecord | None:
    """Give the record, or None where there is none within so many seconds."""
    import asyncio

    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            return await find(generation_id, wait=timeout)
    except NotFoundError:
        return None
    except TimeoutError:
        if deadline.expired():
            return None
        raise
