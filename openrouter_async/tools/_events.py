"""What `ToolRun.events` tells of a run.

What may live here: the kinds of events, which are values, and how the pieces of arguments become
some. When each is told is `ToolRun`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .._partial_json import PartialJSON
from .._tool_calls import CallSoFar, ToolCalls
from ..types import ChatChunk, ChatCompletion
from ._calls import RunCall

__all__ = [
    "Progress",
    "RunEvent",
    "ToolCallProgress",
    "ToolFinished",
    "ToolStarted",
    "TurnFinished",
    "TurnStarted",
]


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The model is asked once more; `turn` counts from 1."""

    turn: int


@dataclass(frozen=True, slots=True)
class ToolCallProgress:
    """A piece of a call's arguments came.

    Attributes:
        position: Which call of the turn it is, from 0 in the order in which they began.
        call_id: The call's id as far as it is known; empty where the provider gives none.
        name: The tool's name as far as it is known.
        delta: The piece, of JSON text.
    """

    position: int
    call_id: str
    name: str
    delta: str
    _pieces: list[str] = field(repr=False)
    _count: int = field(repr=False)
    _json: PartialJSON = field(repr=False)

    @property
    def arguments(self) -> str:
        """The JSON text of the arguments up to this piece."""
        return "".join(self._pieces[: self._count])

    @property
    def partial(self) -> Any:
        """What there is of the arguments by now as plain data; it grows, and is no copy."""
        return self._json.value


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A call is about to run, beside the others of its turn."""

    call: RunCall


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A call has its answer; `RunCall.state` tells which kind of one."""

    call: RunCall


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """An answer of the model is complete; its calls, if any, come next."""

    turn: int
    completion: ChatCompletion = field(repr=False)


RunEvent: TypeAlias = (
    ChatChunk | TurnStarted | ToolCallProgress | TurnFinished | ToolStarted | ToolFinished
)
"""What `ToolRun.events` gives. The chunks are those of every turn, in their places."""


class Progress:
    """Follows the arguments of the calls of one turn, for those who watch them come."""

    __slots__ = ("_calls", "_seen")

    def __init__(self) -> None:
        self._calls = ToolCalls()
        self._seen: dict[CallSoFar, PartialJSON] = {}

    def of(self, chunk: ChatChunk) -> list[ToolCallProgress]:
        """Give an event for each piece of arguments that a chunk brings."""
        found: list[ToolCallProgress] = []
        for piece in chunk.tool_calls:
            call = self._calls.add(piece)
            pieces = call.arguments
            if call not in self._seen:
                self._seen[call] = PartialJSON()
                delta = "".join(pieces)
            elif piece.function is not None and piece.function.arguments:
                delta = piece.function.arguments
            else:
                continue
            reader = self._seen[call]
            reader.feed(delta)
            position = list(self._seen).index(call)
            found.append(
                ToolCallProgress(position, call.id, call.name, delta, pieces, len(pieces), reader)
            )
        return found
