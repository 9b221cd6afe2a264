"""The steps of a scripted answer, and where the events lie in their bytes.

The rule of this file: values and arithmetic. Nothing here knows HTTP, sockets or JSON, and
nothing here waits; a step says what shall happen, the server makes it happen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeAlias

__all__ = [
    "Cut",
    "Drip",
    "Hold",
    "Pause",
    "Raw",
    "Reset",
    "Send",
    "Stall",
    "Step",
    "Steps",
    "body_of",
    "cut_points",
    "divide",
    "event_ends",
    "find_done",
    "pieces_of",
]

# Atomic groups, or the two halves of one CRLF would pass for two line ends.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_DATA_LINE: Final = re.compile(rb"(?:\A|[\r\n])data(?:[:\r\n]|\Z)")
_DONE: Final = b"data: [DONE]"


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes of the body.

    Args:
        data: The bytes.
        split: How many bytes go into one HTTP chunk, or the offsets at which a new chunk
            begins; None sends all of it as one chunk. Without effect unless the reply's
            framing is "chunked".
    """

    data: bytes
    split: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.split, int) and self.split < 1:
            raise ValueError(f"split must be at least 1 byte, got {self.split}")


@dataclass(frozen=True, slots=True)
class Drip:
    """Send bytes of the body slowly: pieces of `size` bytes, each after `seconds`.

    Args:
        data: The bytes.
        size: Bytes in one piece; each piece is an HTTP chunk of its own.
        seconds: Wait before each piece, in seconds.
    """

    data: bytes
    size: int
    seconds: float

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1 byte, got {self.size}")


@dataclass(frozen=True, slots=True)
class Raw:
    """Write bytes to the socket outside the HTTP framing, for instance a bad chunk size.

    The connection is closed after a reply that holds one.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing until `Emulator.release` opens this gate."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing any more, until the client leaves or the emulator stops."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection in good order (FIN) and leave the HTTP body unfinished."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection (RST), as a crashed server or a strict firewall does."""


Step: TypeAlias = Send | Drip | Raw | Pause | Hold | Stall | Cut | Reset
Steps: TypeAlias = tuple[Step, ...]


def body_of(steps: Iterable[Step]) -> bytes:
    """Give the body that the steps send when all of them are played."""
    return b"".join(step.data for step in steps if isinstance(step, Send | Drip))


def pieces_of(send: Send) -> list[bytes]:
    """Give the data of one step, cut where it says."""
    data, split = send.data, send.split
    if split is None:
        return [data] if data else []
    if isinstance(split, int):
        return [data[start : start + split] for start in range(0, len(data), split)]
    return [data[start:end] for start, end in pairwise((0, *split, len(data)))]


def cut_points(points: Sequence[int], size: int) -> tuple[int, ...]:
    """Put offsets in order, once each.

    Raises:
        ValueError: An offset is not inside a body of `size` bytes.
    """
    for point in points:
        if not 0 < point < size:
            raise ValueError(f"split point {point} is not inside a body of {size} bytes")
    return tuple(sorted(set(points)))


def divide(steps: Steps, offset: int) -> tuple[Steps, Steps]:
    """Part the steps where `offset` bytes of the body have been sent."""
    for position, step in enumerate(steps):
        if offset == 0:
            return steps[:position], steps[position:]
        if not isinstance(step, Send | Drip):
            continue
        if len(step.data) > offset:
            first, second = _part(step, offset)
            return (*steps[:position], first), (second, *steps[position + 1 :])
        offset -= len(step.data)
    return steps, ()


def _part(step: Send | Drip, offset: int) -> tuple[Step, Step]:
    first, second = step.data[:offset], step.data[offset:]
    if isinstance(step, Drip) or not isinstance(step.split, tuple):
        return replace(step, data=first), replace(step, data=second)
    return (
        Send(first, tuple(point for point in step.split if point < offset)),
        Send(second, tuple(point - offset for point in step.split if point > offset)),
    )


def event_ends(body: bytes) -> list[int]:
    """Give the offset behind each event that carries data, `[DONE]` included."""
    ends: list[int] = []
    start = 0
    for blank in _BLANK_LINE.finditer(body):
        event = body[start : blank.start()]
        if event.startswith(b"data:") or _DATA_LINE.search(event):
            ends.append(blank.end())
        start = blank.end()
    return ends


def find_done(body: bytes) -> tuple[int, int]:
    """Give where the last `[DONE]` event of a body begins and ends.

    Raises:
        ValueError: The body has none.
    """
    start = body.rfind(_DONE)
    if start < 0:
        raise ValueError("the reply has no [DONE] event")
    blank = _BLANK_LINE.search(body, start)
    return start, blank.end() if blank else len(body)
