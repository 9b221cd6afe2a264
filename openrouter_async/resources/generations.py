"""``/generation``: the record of what was generated, what was said, and what one thought of it.

The rule of this file: one question, asked patiently. The record is written some moments after
a generation's end, so until then the API says 404; who knows that the generation exists waits.
"""

from __future__ import annotations

import time
from typing import Final, TypedDict, Unpack, cast

from ..errors import NotFoundError, ProtocolError
from ..types import GenerationRecord
from ..types.generation_content import FeedbackFields, FeedbackReceipt, GenerationContent
from ._call import Call, Group, Operation, operation

__all__ = ["Generations"]


class _Which(TypedDict, total=False):
    id: str


_GET: Final = Operation("GET /generation", GenerationRecord, query=_Which)
_CONTENT: Final = Operation("GET /generation/content", GenerationContent, query=_Which)
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class Generations(Group):
    """The records of generations; reached as `OpenRouter.generations`."""

    @_GET
    async def get(self, generation_id: str, *, wait: float = 0.0) -> GenerationRecord:
        """Get the record of one generation. Any key.

        Args:
            generation_id: The ``gen-...`` id: `generation_id` of a stream, an answer, an error.
            wait: How long to go on asking for a record that is not there yet, in seconds.

        Raises:
            NotFoundError: There is no such record, or not within `wait`.

        >>> async def example(client: OpenRouter) -> float | None:  # doctest: +SKIP
        ...     return (await client.generations.get("gen-1762064096-m5Vx", wait=10)).cost
        """
        fields = _which(generation_id)
        if not wait >= 0:
            raise ValueError(f"wait must be a number of seconds from 0 on, got {wait}")
        import asyncio

        deadline = time.monotonic() + wait
        pause = _FIRST_PAUSE
        while True:
            try:
                record = cast(
                    "GenerationRecord | None", await _GET.send(self._sender, fields=fields)
                )
                if record is None:
                    raise ProtocolError("the answer holds no generation record")
                return record
            except NotFoundError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    @_CONTENT
    def content(self, generation_id: str) -> Call[GenerationContent]:
        """Get what was asked and answered, where the account lets OpenRouter keep it. Any key.

        Raises:
            PermissionDeniedError: The account keeps no prompts.
        """
        return _CONTENT.send(self._sender, fields=_which(generation_id))

    @operation("POST /generation/feedback", key="management")
    def feedback(self, **fields: Unpack[FeedbackFields]) -> Call[FeedbackReceipt]:
        """Tell OpenRouter what was wrong with a generation. Management key."""


def _which(generation_id: str) -> dict[str, str]:
    if not generation_id:
        raise ValueError("generation_id must not be empty")
    return {"id": generation_id}
