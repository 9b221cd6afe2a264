"""What a loop over a run holds.

The rule of this file: a cursor has no state but whether its loop is over. Dropping it is leaving
the run, as CPython drops it the moment a loop is left, by whatever way; a run that has come to
rest by then is not left.
"""

# Cursors are a part of the run that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ..types import ChatChunk
from ._events import RunEvent

if TYPE_CHECKING:
    from ._run import ToolRun

__all__ = ["ChunkCursor", "EventCursor"]


class _Leaving:
    """A loop over a run; dropping it is leaving the run."""

    __slots__ = ("_is_over", "_run")

    def __init__(self, run: ToolRun) -> None:
        self._run = run
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    def close(self) -> None:
        """Leave the run at once."""
        if not self._is_over:
            self._end()
            self._run.close()

    async def aclose(self) -> None:
        """Leave the run; the spelling that ``contextlib.aclosing`` wants."""
        self.close()

    def __del__(self) -> None:
        self.close()

    def _end(self) -> None:
        self._is_over = True
        self._run._is_looped = False


class ChunkCursor(_Leaving):
    """Iterates the chunks of a run."""

    __slots__ = ()

    async def __anext__(self) -> ChatChunk:
        try:
            return await self._run._chunk()
        except StopAsyncIteration:
            self._end()
            raise


class EventCursor(_Leaving):
    """Iterates the events of a run."""

    __slots__ = ()

    async def __anext__(self) -> RunEvent:
        try:
            return await self._run._event()
        except StopAsyncIteration:
            self._end()
            raise
