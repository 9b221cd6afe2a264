"""Server-sent events: bytes in, events out, and back again.

The rule of this file: it knows framing and nothing else. No I/O, no clock, no logging, no
JSON, and no idea of what OpenRouter says inside an event.

`SSEDecoder.feed` takes whatever one socket read returned and gives the events that it
completed. The same bytes give the same events however they are split. Every byte is looked at
a fixed number of times: unfinished lines wait as a list of fragments and are joined once.

An event is its data, as `bytes`. An event that also carries a name (``event:``) or an id
(``id:``) is a `NamedEvent`, which is `bytes` as well; OpenRouter's chat streams never send one.

Two paths give the same events. The *fast path* takes a run of ``data: ...`` events that are
separated by LF LF, the framing that OpenRouter sends, with one split for the whole run, or a run
of ``event: ...``, LF, ``data: ...``, the framing of its ``/messages``. The *general path* goes
line by line and knows everything that the standard allows: CR, LF, CRLF and mixes, a byte order
mark, comments, several data lines, fields without a value.

Source of the rules: the event stream chapter of the WHATWG HTML standard.
"""

from __future__ import annotations

import re
from typing import Final, Self

__all__ = ["EventTooLargeError", "NamedEvent", "SSEDecoder", "encode_comment", "encode_event"]

_BOM: Final = b"\xef\xbb\xbf"
_LINE_FEED: Final = 10
_DATA: Final = b"data: "
_NAME: Final = b"event: "
_RUNS: Final = (_DATA, _NAME)
_divided: Final = re.compile(rb"\n\ndata: ").split  # faster than `bytes.split`
_JOINED: Final = 64
_RETRY_DIGITS: Final = 18
"""Python refuses to read a number of thousands of digits, and no wait is that long."""

DEFAULT_MAX_EVENT_SIZE: Final = 64 * 2**20
"""64 MiB: an 8K image as base64 PNG fits; a server that never ends an event does not."""


class NamedEvent(bytes):
    """The data of an event that carries a name or an id besides."""

    name: str
    id: str

    # Every argument but the data has a default: that is how pickle makes a bytes again.
    def __new__(cls, data: bytes, name: str = "message", id: str = "") -> Self:
        event = super().__new__(cls, data)
        event.name = name
        event.id = id
        return event

    def __repr__(self) -> str:
        return f"NamedEvent({bytes(self)!r}, name={self.name!r}, id={self.id!r})"


class EventTooLargeError(ValueError):
    """One event outgrew the decoder's limit; the decoder cannot be used any further.

    Attributes:
        limit: Bytes that an event may have.
        events: The events that the same read had completed before.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit
        self.events: list[bytes] = []

    def __str__(self) -> str:
        return f"one server-sent event is larger than {self.limit:,} bytes"


class SSEDecoder:
    """Turns the bytes of one event stream into its events.

    Args:
        max_event_size: Bytes that one event (or one line of it) may have.

    Attributes:
        last_event_id: The last ``id:`` whose event has ended, as the standard keeps it.
        retry: The last ``retry:`` seen, in milliseconds.
    """

    __slots__ = (
        "_at_start",
        "_data",
        "_held",
        "_held_size",
        "_id",
        "_is_plain",
        "_max",
        "_name",
        "_size",
        "_skip_line_feed",
        "last_event_id",
        "retry",
    )

    def __init__(self, max_event_size: int = DEFAULT_MAX_EVENT_SIZE) -> None:
        self._max = max_event_size
        self._held: list[bytes] = []  # fragments of the line that is not finished yet
        self._held_size = 0
        self._data: list[bytes] = []  # the data lines of the event that is not finished yet
        self._size = 0
        self._name = ""
        self._id = ""  # becomes `last_event_id` with the next blank line
        self._at_start = True  # a byte order mark may still come
        self._skip_line_feed = False  # the last read ended in CR, which may be half a CRLF
        self._is_plain = False  # nothing is pending: a whole read may be one run
        self.last_event_id = ""
        self.retry: int | None = None

    @property
    def mid_event(self) -> bool:
        """Whether bytes of an unfinished event are held; at the end of a body they are lost."""
        return bool(self._held or self._data)

    def completes_more_than(self, size: int, data: bytes) -> bool:
        """Tell whether `data` may complete an event of which so many bytes are held already."""
        return self._held_size + self._size > size and b"\n" in data

    @property
    def unfinished_line(self) -> bytes:
        """The line that has begun and not ended, such as a body that is no event stream at all."""
        return b"".join(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the bytes of one read and give the events that they completed, in order.

        Raises:
            EventTooLargeError: An event outgrew `max_event_size`. Anything else is a bug.
        """
        if self._is_plain and data.endswith(b"\n\n") and data.startswith(b"data: "):
            end = len(data) - 2
            if data.find(b"\n") == end:  # one event, as mostly
                if end - 6 <= self._max and b"\r" not in data:
                    return [data[6:-2]]
            else:
                parts = _divided(memoryview(data)[6:end])
                if self._is_run(data, 6, end, parts):
                    return parts
        events: list[bytes] = []
        try:
            self._feed_any(data, events)
        except EventTooLargeError as error:
            error.events = events
            raise
        return events

    def _feed_any(self, data: bytes, events: list[bytes]) -> None:
        if self._at_start:
            data = self._without_byte_order_mark(data)
        position = 0
        if (
            self._held
            or self._data
            or self._name
            or self._skip_line_feed
            or not data.startswith(_RUNS)
        ):
            position = self._feed_lines(data, 0, events, to_run=True)
        # The fast path is asked once a read: asking again behind each thing that only the
        # general path knows would scan the rest each time.
        position = self._feed_run(data, position, events)
        self._feed_lines(data, position, events, to_run=False)
        self._is_plain = not (
            self._held
            or self._data
            or self._name
            or self._at_start
            or self._skip_line_feed
            or self._id
            or self.last_event_id
        )

    def _without_byte_order_mark(self, data: bytes) -> bytes:
        if self._held:
            data = b"".join(self._held) + data
            self._held.clear()
            self._held_size = 0
        if len(data) < len(_BOM) and _BOM.startswith(data):
            if data:
                self._hold(data)
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _feed_run(self, data: bytes, start: int, events: list[bytes]) -> int:
        """The fast path: take a run of plain events; give where it ended, or `start`."""
        if self._id or self.last_event_id or not data.startswith(_RUNS, start):
            return start
        end = data.rfind(b"\n\n", start)
        if end < 0:
            return start
        if data.startswith(_NAME, start):
            return end + 2 if self._take_named_run(data[start:end], events) else start
        parts = _divided(memoryview(data)[start + 6 : end])
        if not self._is_run(data, start + 6, end, parts):
            return start
        events += parts
        return end + 2

    def _is_run(self, data: bytes, start: int, end: int, parts: list[bytes]) -> bool:
        # Any other line end in the run belongs to framing that only the general path knows.
        if data.find(b"\r", start, end) >= 0:
            return False
        # Joined, they are searched for a line feed in a fifth of the time; not all at once, as
        # blocks of that size would come fresh from the system each time, and go back.
        for first in range(0, len(parts), _JOINED):
            if b"\n" in b"".join(parts[first : first + _JOINED]):
                return False
        # The general path gives what came before an event that is too large.
        return end - start <= self._max or max(map(len, parts)) <= self._max

    def _take_named_run(self, run: bytes, events: list[bytes]) -> bool:
        """Take a run of events that have a name and one line of data each, if it is one."""
        blocks = run.split(b"\n\n")
        if run.count(b"\n") != 3 * len(blocks) - 2 or b"\r" in run:
            return False
        if max(map(len, blocks)) > self._max:
            return False
        parts = [block.partition(b"\ndata: ") for block in blocks]
        for name, found, _ in parts:
            if not found or not name.startswith(_NAME) or len(name) == len(_NAME):
                return False
        for name, _, data in parts:
            # As `NamedEvent(data, name)` does, in half the time.
            event = bytes.__new__(NamedEvent, data)
            event.name = name[len(_NAME) :].decode("utf-8", "replace")
            event.id = ""
            events.append(event)
        return True

    def _feed_lines(self, data: bytes, position: int, events: list[bytes], *, to_run: bool) -> int:
        """The general path: take line after line; give where it stopped.

        With `to_run` it stops behind the first blank line where a run seems to begin.
        """
        size = len(data)
        line_feed = carriage_return = -1
        while position < size:
            if self._skip_line_feed:
                self._skip_line_feed = False
                if data[position] == _LINE_FEED:
                    position += 1
                    continue
            # Each is looked for again only once it has been passed, or a stream with only CR
            # would be scanned to its end for LF at every line.
            if line_feed < position:
                line_feed = data.find(b"\n", position)
                line_feed = size if line_feed < 0 else line_feed
            if carriage_return < position:
                carriage_return = data.find(b"\r", position)
                carriage_return = size if carriage_return < 0 else carriage_return
            end = min(line_feed, carriage_return)
            if end == size:
                self._hold(data[position:])
                return size
            line = self._finish_line(data[position:end])
            position = end + 1
            if end == carriage_return:
                # The line ends now, not when the next read shows whether LF follows: waiting
                # would delay the last event of each burst.
                if position == size:
                    self._skip_line_feed = True
                elif data[position] == _LINE_FEED:
                    position += 1
            if line:
                self._take_field(line)
            elif line is not None:
                self._dispatch(events)
                if to_run and data.startswith(_RUNS, position):
                    return position
        return position

    def _hold(self, fragment: bytes) -> None:
        self._held_size += len(fragment)
        if not self._held and fragment.startswith(_DATA):
            # Held apart, so that a value of megabytes need not be copied to cut this off.
            self._held.append(_DATA)
            fragment = fragment[len(_DATA) :]
        self._held.append(fragment)
        self._check_line(self._held_size)

    def _check_line(self, size: int) -> None:
        # Of every line, also of one that came in one piece: the limit must not depend on reads.
        if size > self._max + 6:  # `data: ` is not part of the event
            raise EventTooLargeError(self._max)

    def _finish_line(self, end: bytes) -> bytes | None:
        """Give the line that `end` ends; None for a held data line, which is taken here."""
        if not self._held:
            self._check_line(len(end))
            return end
        self._hold(end)
        held, self._held = self._held, []
        self._held_size = 0
        if held[0] is _DATA:
            del held[0]
            self._take_value(b"".join(held))
            return None
        return b"".join(held)

    def _take_field(self, line: bytes) -> None:
        if line.startswith(b"data:") or line == b"data":
            self._take_value(line[6:] if line.startswith(b" ", 5) else line[5:])
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit() and len(value) <= _RETRY_DIGITS:
            self.retry = int(value)

    def _take_value(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > self._max + 1:
            raise EventTooLargeError(self._max)
        self._data.append(value)

    def _dispatch(self, events: list[bytes]) -> None:
        self.last_event_id = self._id
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            if self._name or self.last_event_id:
                data = NamedEvent(data, self._name or "message", self.last_event_id)
            events.append(data)
            self._data.clear()
            self._size = 0
        self._name = ""


def encode_event(
    data: bytes, *, event: str | None = None, id: str | None = None, retry: int | None = None
) -> bytes:
    r"""Write one event: the inverse of `SSEDecoder`.

    Args:
        data: The payload; each of its lines (LF, CR or CRLF) becomes a data line of its own.
        event: The event's name, without line ends.
        id: The event's id, without line ends.
        retry: Reconnection time in milliseconds.

    Raises:
        ValueError: A name or an id holds a line end, which would forge another field.

    >>> encode_event(b'{"a": 1}')
    b'data: {"a": 1}\n\n'
    """
    fields: list[bytes] = []
    for name, value in (("event", event), ("id", id)):
        if value is not None:
            if "\n" in value or "\r" in value:
                raise ValueError(f"{name} must not hold a line end, got {value!r}")
            fields.append(f"{name}: {value}\n".encode())
    if retry is not None:
        fields.append(b"retry: %d\n" % retry)
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        fields.extend(b"data: %b\n" % line for line in lines)
    else:
        fields.append(b"data: %b\n" % data)
    fields.append(b"\n")
    return b"".join(fields)


def encode_comment(text: str) -> bytes:
    r"""Write one comment, the form of a keep-alive.

    >>> encode_comment("OPENROUTER PROCESSING")
    b': OPENROUTER PROCESSING\n\n'
    """
    return b"".join(b": %b\n" % line.encode() for line in (text.splitlines() or [""])) + b"\n"
