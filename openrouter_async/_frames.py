"""Bytes in, the same bytes out, in whole events: what a relay passes on.

The rule of this file: nothing is decoded and nothing is changed; no I/O, no clock. How the
stream ended is told by its bytes: ``[DONE]`` by its line, a finish reason by its key. Inside
JSON text both would be escaped, so no model can forge them. Where another event than ``[DONE]``
ends a stream, its name does.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["EventAligner"]

_SENTINEL_TAIL: Final = 2**10
_SENTINEL: Final = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\][\r\n]")
_FINISH: Final = re.compile(
    rb'"(?:finish_reason|stop_reason)"\s*:\s*"|"type"\s*:\s*"response\.(?:completed|incomplete)"'
)
# Looked for first, from the end, which takes a quarter of the time of a pattern; what is found is
# looked at once more. Every event has a reason that is null.
_REASON: Final = b'_reason":"'
_SPACED_REASON: Final = b'_reason": "'


class EventAligner:
    """Cuts a stream of bytes behind its last whole event.

    Args:
        last_event: The name of the event that ends the stream; empty where ``[DONE]`` alone does.

    Attributes:
        finished: A finish reason has been seen.
        done: ``[DONE]`` or the last event has been seen.
        data_reads: How many of the pieces given held data, not only comments.
    """

    __slots__ = (
        "_after_carriage_return",
        "_has_choices",
        "_held",
        "_last",
        "_last_event",
        "data_reads",
        "done",
        "finished",
    )

    def __init__(self, last_event: bytes = b"") -> None:
        self._last_event = last_event
        self._last = re.compile(
            rb'(?:^|[\r\n])event: ?%b[\r\n]|"type"\s*:\s*"%b"' % (last_event, last_event)
        )
        self._held: list[bytes] = []
        self._after_carriage_return = False
        self._has_choices = False  # so no event of /responses is to be looked for
        self.finished = False
        self.done = False
        self.data_reads = 0

    def feed(self, data: bytes) -> bytes:
        """Take the bytes of one read and give the whole events so far; empty where none ended."""
        edge = self._held[-1][-1:] if self._held else b""
        end = len(data) if data.endswith(b"\n\n") else _end_of_events(edge + data) - len(edge)
        if self._after_carriage_return and end <= 0 and data.startswith(b"\n"):
            end = 1  # the other half of the CRLF that ended the last event
        if end <= 0:
            self._held.append(data)
            return b""
        frames = data[:end]
        if self._held:
            frames = b"".join((*self._held, frames))
            self._held.clear()
        if end < len(data):
            self._held.append(data[end:])
        self._after_carriage_return = not self._held and frames.endswith(b"\r")
        if b"data" in frames:
            self._note(frames)
        return frames

    def _note(self, frames: bytes) -> None:
        self.data_reads += 1
        # The reason may have come reads before the end: usage and citations come behind it.
        if not self.finished:
            self._has_choices = self._has_choices or b'"choices"' in frames
            if (
                not self._has_choices
                or frames.rfind(_REASON) >= 0
                or frames.rfind(_SPACED_REASON) >= 0
            ):
                self.finished = _FINISH.search(frames) is not None
        tail = frames[-_SENTINEL_TAIL:]
        self.done = self.done or (b"[DONE]" in tail and _SENTINEL.search(tail) is not None)
        if self._last_event and self._last_event in frames:
            self.done = self.done or self._last.search(frames) is not None


def _end_of_events(data: bytes) -> int:
    """Give where the last blank line ends, 0 where there is none."""
    end = data.rfind(b"\n\n") + 2
    if b"\r" in data:
        end = max(end, data.rfind(b"\n\r") + 2, data.rfind(b"\r\r") + 2)
        if end >= 2 and data[end - 1 : end + 1] == b"\r\n":
            end += 1
    return end if end >= 2 else 0
