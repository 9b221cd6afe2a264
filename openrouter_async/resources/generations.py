"""``GET /generation``: the record of what was generated, with its cost.

The rule of this file: one question, asked patiently. The record is written some moments after
a generation's end, so until then the API says 404; who knows that the generation exists waits.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from ..errors import NotFoundError, ProtocolError
from ..types import GenerationRecord
from ..types._lenient import NotAnObjectError, decode_leniently
from ..types.generation import GenerationAnswer

__all__ = ["Fetch", "Generations"]

Fetch: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[bytes]]
"""Sends a GET to a path with a query and gives the body of a good answer."""

_PATH: Final = "/generation"
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class Generations:
    """The records of generations; reached as `OpenRouter.generations`."""

    __slots__ = ("_fetch",)

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def get(self, generation_id: str, *, wait: float = 0.0) -> GenerationRecord:
        """Get the record of one generation.

        Args:
            generation_id: The ``gen-...`` id: `generation_id` of a stream, an answer, an error.
            wait: How long to go on asking for a record that is not there yet, in seconds.

        Raises:
            NotFoundError: There is no such record, or not within `wait`.
            OpenRouterError: The request failed.
            ValueError: `generation_id` is empty, or `wait` is negative.

        >>> async def example(client: OpenRouter) -> float | None:  # doctest: +SKIP
        ...     return (await client.generations.get("gen-1762064096-m5Vx", wait=10)).cost
        """
        if not generation_id:
            raise ValueError("generation_id must not be empty")
        if not wait >= 0:
            raise ValueError(f"wait must be a number of seconds from 0 on, got {wait}")
        import asyncio

        deadline = time.monotonic() + wait
        pause = _FIRST_PAUSE
        while True:
            try:
                return _record_in(await self._fetch(_PATH, {"id": generation_id}))
            except NotFoundError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)


def _record_in(body: bytes) -> GenerationRecord:
    try:
        record = decode_leniently(body, GenerationAnswer).data
    except NotAnObjectError as error:
        raise ProtocolError(f"the generation's record is {error}") from None
    if record is None:
        raise ProtocolError("the answer holds no generation record")
    return record
