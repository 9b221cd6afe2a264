"""How an answer came: what is known of it besides what its body says.

What may live here: headers, endings and moments as values. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

Ending: TypeAlias = Literal[
    "complete",
    "complete_no_sentinel",
    "complete_no_reason",
    "truncated",
    "broken",
    "error",
    "timeout",
    "left",
]
"""How a stream ended: well (the first three), badly, or by its reader leaving."""


class Timing(Struct, kw_only=True):
    """When things happened, in seconds from the moment the stream was started.

    Attributes:
        queue: A connection was free; what came before was waiting in line.
        connect: The connection stood; also where an open one was used again.
        headers: The answer's headers came.
        first_event: The first event came, whatever it said.
        first_delta: The first delta came that says something: the time to the first token.
        end: The stream ended.
        longest_gap: The longest wait for the socket after the first event (a length).
        tokens_per_second: Completion tokens over the time from `first_delta` to `end`.
    """

    queue: float | None = None
    connect: float | None = None
    headers: float | None = None
    first_event: float | None = None
    first_delta: float | None = None
    end: float | None = None
    longest_gap: float = 0.0
    tokens_per_second: float | None = None


class RateLimit(Struct, frozen=True, kw_only=True):
    """What the server says of its rate limit; OpenRouter does so only where it refuses.

    `limit` and `remaining` count the requests of one window; `reset` is when the next begins, in
    seconds since the epoch (other servers of the dialect give the seconds until then).
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


class Headers(Mapping[str, str]):
    """Headers as a plain value that pickles; names are looked up without regard to case."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._values)})"


class SentDocument(Struct, frozen=True, kw_only=True):
    """A document of a request, and whether it had to be parsed.

    Attributes:
        name: The file's name, as the API was told it.
        reused: Whether its earlier parse went along, so that nobody parsed it again.
        pages: Pages of the parse that went along, as its parts of text count them; None where
            none did.
        saved: USD that parsing them again would have cost; None where the price is not known.
    """

    name: str
    reused: bool
    pages: int | None = None
    saved: float | None = None


class Arrival(Struct, frozen=True, kw_only=True):
    """How one answer came: headers by lower-case names, times, ending, what became of documents."""

    headers: dict[str, str] = field(default_factory=dict[str, str])
    timing: Timing = field(default_factory=Timing)
    ending: Ending | None = None
    documents: tuple[SentDocument, ...] = ()

    def __repr__(self) -> str:
        return f"Arrival(ending={self.ending!r})"


def rate_limit_in(headers: Mapping[str, str]) -> RateLimit | None:
    """Read the ``X-RateLimit-`` headers; None where there are none."""
    limit, remaining, reset = (
        _number(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
    )
    if limit is None and remaining is None and reset is None:
        return None
    # OpenRouter counts the milliseconds since the epoch.
    return RateLimit(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=reset / 1000 if reset is not None and reset > 1e11 else reset,
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
