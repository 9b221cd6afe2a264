"""What to answer: one `Reply`, and the ways to make it go wrong.

The rule of this file: a reply is a value. Every method gives a changed copy, none waits, and
nothing here touches a socket; the same reply can be played a thousand times, by several
emulators, in several threads.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from openrouter_async._sse import encode_event
from openrouter_async.testing._steps import (
    Cut,
    Drip,
    Hold,
    Pause,
    Reset,
    Send,
    Stall,
    Step,
    Steps,
    body_of,
    cut_points,
    divide,
    event_ends,
    find_done,
    pieces_of,
)
from openrouter_async.testing._wire import Framing, Program, compile_program

__all__ = ["Reply"]

_RANDOM_POINTS_MAX: Final = 20_000


@dataclass(frozen=True)
class Reply:
    """One scripted answer.

    An *event* in the methods below is a server-sent event that carries data: comments do not
    count, `[DONE]` does.

    Args:
        status: The HTTP status.
        headers: Name and value of each header, in order. The framing headers are added.
        steps: What happens after the head, in order.
        framing: How the end of the body is told: "chunked" ends it with a last chunk,
            "length" says its length before, "close" closes the connection.
        declared_length: The `Content-Length` to send instead of the true one, in bytes, with
            framing "length". A wrong one closes the connection afterwards.
        before: What happens before the head: waits, faults and `Raw` bytes only. Nothing
            more is sent once a `Cut`, `Reset` or `Stall` has been played.

    Raises:
        ValueError: The parts do not fit each other.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    steps: Steps = ()
    framing: Framing = "chunked"
    declared_length: int | None = None
    before: Steps = ()

    def __post_init__(self) -> None:
        if self.declared_length is not None and self.framing != "length":
            raise ValueError(f"framing {self.framing!r} declares no length")
        if any(isinstance(step, Send | Drip) for step in self.before):
            raise ValueError("a body cannot be sent before the head; use Raw for stray bytes")

    @cached_property
    def program(self) -> Program:
        """What the server does to play this reply; made once."""
        return compile_program(
            self.status,
            self.headers,
            self.steps,
            before=self.before,
            framing=self.framing,
            declared_length=self.declared_length,
        )

    @property
    def body(self) -> bytes:
        """The body as it is when every step is played, without the HTTP framing."""
        return body_of(self.steps)

    @property
    def events(self) -> int:
        """How many events with data the body holds, `[DONE]` included."""
        return len(event_ends(self.body))

    def header(self, name: str) -> str | None:
        """Give the first header of that name, in any case, or None."""
        lowered = name.lower()
        return next((value for key, value in self.headers if key.lower() == lowered), None)

    def split(self, how: int | Sequence[int] | random.Random) -> Reply:
        """Send the body in other pieces, each an HTTP chunk of its own.

        Args:
            how: Bytes in a piece, or the offsets in the body where a piece begins, or a
                source of chance that chooses such offsets, coarse ones and fine ones.

        Raises:
            ValueError: A size below 1, or an offset outside the body.
        """
        size = len(self.body)
        if isinstance(how, random.Random):
            how = _random_points(how, size)
        points = how if isinstance(how, int) else cut_points(how, size)
        steps: list[Step] = []
        run: list[Send] = []
        offset = 0
        for step in (*self.steps, Hold()):  # the last one only ends the last run
            if isinstance(step, Send):
                run.append(step)
                continue
            if run:
                joined = _joined(run, offset, points)
                offset += len(joined.data)
                steps.append(joined)
                run.clear()
            if isinstance(step, Drip):
                offset += len(step.data)
            steps.append(step)
        return replace(self, steps=tuple(steps[:-1]))

    def each(self, seconds: float) -> Reply:
        """Wait between each two pieces, so that each arrives in a read of its own.

        Args:
            seconds: The wait, in seconds. Pieces are events in a built reply, else what
                `split` made.
        """
        steps: list[Step] = []
        for step in self.steps:
            parts = [Send(piece) for piece in pieces_of(step)] if isinstance(step, Send) else [step]
            for part in parts:
                if steps and isinstance(part, Send) and isinstance(steps[-1], Send):
                    steps.append(Pause(seconds))
                steps.append(part)
        return replace(self, steps=tuple(steps))

    def after(self, events: int, *steps: Step) -> Reply:
        """Play more steps behind the first `events` events, then go on.

        Raises:
            ValueError: The reply has fewer events.
        """
        first, rest = divide(self.steps, self._offset(events))
        return replace(self, steps=(*first, *steps, *rest))

    def hold_after(self, events: int) -> Reply:
        """Wait for `Emulator.release` behind the first `events` events.

        Raises:
            ValueError: The reply has fewer events.
        """
        return self.after(events, Hold())

    def cut_after(self, events: int, *, plus_bytes: int = 0) -> Reply:
        """Close the connection behind the first `events` events, the body unfinished.

        Args:
            events: How many events arrive whole.
            plus_bytes: How many bytes of what follows arrive as well.

        Raises:
            ValueError: The reply has fewer events or bytes.
        """
        return self._ended(self._offset(events, plus_bytes), Cut())

    def reset_after(self, events: int, *, plus_bytes: int = 0) -> Reply:
        """Reset the connection behind the first `events` events; see `cut_after`."""
        return self._ended(self._offset(events, plus_bytes), Reset())

    def stall_after(self, events: int, *, plus_bytes: int = 0) -> Reply:
        """Send nothing more behind the first `events` events; see `cut_after`.

        Behind the last event this is a server that says `[DONE]` and keeps the body open.
        """
        return self._ended(self._offset(events, plus_bytes), Stall())

    def end_after(self, events: int) -> Reply:
        """End the body in good order behind the first `events` events: a truncated answer.

        Raises:
            ValueError: The reply has fewer events.
        """
        first, _ = divide(self.steps, self._offset(events))
        return replace(self, steps=first)

    def error_after(self, events: int, error: bytes, *, done: bool = True) -> Reply:
        """Put an error event behind the first `events` events and drop what follows.

        Args:
            events: How many events arrive before it.
            error: The whole event, as `error_chunk` writes it.
            done: Whether `[DONE]` follows, as OpenRouter sends it.

        Raises:
            ValueError: The reply has fewer events.
        """
        first, _ = divide(self.steps, self._offset(events))
        tail = (Send(encode_event(b"[DONE]")),) if done else ()
        return replace(self, steps=(*first, Send(error), *tail))

    def without_done(self) -> Reply:
        """Leave the `[DONE]` event out.

        Raises:
            ValueError: The reply has none.
        """
        start, end = find_done(self.body)
        first, rest = divide(self.steps, start)
        _, rest = divide(rest, end - start)
        return replace(self, steps=(*first, *rest))

    def with_headers(self, headers: Mapping[str, str]) -> Reply:
        """Set headers; one of the same name, in any case, is replaced."""
        names = {name.lower() for name in headers}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in names)
        return replace(self, headers=(*kept, *headers.items()))

    def with_framing(self, framing: Framing, *, longer_by: int = 0) -> Reply:
        """Tell the end of the body in another way.

        Args:
            framing: See `Reply`.
            longer_by: With "length", bytes by which the declared length is longer than the
                body (or shorter, when negative).

        Raises:
            ValueError: The declared length would be negative, or nothing is declared.
        """
        declared = len(self.body) + longer_by if longer_by else None
        if declared is not None and declared < 0:
            raise ValueError(f"longer_by {longer_by} makes the declared length negative")
        return replace(self, framing=framing, declared_length=declared)

    def before_head(self, *steps: Step) -> Reply:
        """Play steps before the status line; a `Cut` there is a request without an answer."""
        return replace(self, before=(*self.before, *steps))

    def _offset(self, events: int, plus_bytes: int = 0) -> int:
        body = self.body
        ends = [0, *event_ends(body)]
        if not 0 <= events < len(ends):
            raise ValueError(f"events must be 0 to {len(ends) - 1} in this reply, got {events}")
        offset = ends[events] + plus_bytes
        if plus_bytes < 0 or offset > len(body):
            rest = len(body) - ends[events]
            raise ValueError(f"plus_bytes must be 0 to {rest} here, got {plus_bytes}")
        return offset

    def _ended(self, offset: int, step: Step) -> Reply:
        first, _ = divide(self.steps, offset)
        declared = self.declared_length
        if self.framing == "length" and declared is None:
            declared = len(self.body)  # the whole length was promised before the fault
        return replace(self, steps=(*first, step), declared_length=declared)


def _joined(run: Sequence[Send], offset: int, points: int | tuple[int, ...]) -> Send:
    data = b"".join(send.data for send in run)
    if isinstance(points, int):
        return Send(data, points)
    end = offset + len(data)
    return Send(data, tuple(point - offset for point in points if offset < point < end))


def _random_points(chance: random.Random, size: int) -> tuple[int, ...]:
    if size < 2:
        return ()
    mean = math.exp(chance.uniform(0.0, math.log(size)))
    count = min(size - 1, _RANDOM_POINTS_MAX, round(size / mean))
    return tuple(sorted(chance.sample(range(1, size), count)))
