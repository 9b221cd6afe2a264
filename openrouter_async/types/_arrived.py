"""What whole answers have in common: what each cost, and how it came, beside what it says.

What may live here: the one field that is no part of an answer's wire form, and what is read off
it and off the usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import field

from ._struct import WireStruct
from .arrival import Arrival, Ending, Headers, RateLimit, Timing, rate_limit_in


class Charged(WireStruct):
    """A part of an answer whose `usage` says what it cost."""

    @property
    def cost(self) -> float | None:
        """USD charged; None where the server did not say."""
        usage: Any = getattr(self, "usage", None)
        cost: float | None = getattr(usage, "cost", None)
        return cost


class Answer(Charged):
    """A whole answer, or what had come of it; its `arrival` tells how it came."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers, looked up without regard to case."""
        return Headers(self._arrival.headers)

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the headers say of the rate limit; None where they say nothing."""
        return rate_limit_in(self._arrival.headers)

    @property
    def timing(self) -> Timing:
        """When things happened, in seconds from the start of the request."""
        return self._arrival.timing

    @property
    def ending(self) -> Ending | None:
        """How the stream ended; None while it has not."""
        return self._arrival.ending

    @property
    def _arrival(self) -> Arrival:
        arrival: Arrival | None = getattr(self, "arrival", None)
        return arrival if arrival is not None else Arrival()


class Arrived(Answer):  # noqa: PLW1641  (it can be changed, so it has no hash)
    """An answer that need not know how it came, as one that was read from a file.

    How it came is no part of its wire form, and two answers that say the same are equal however
    they came.
    """

    arrival: Arrival | None = field(default=None, name="(arrival)")

    def __eq__(self, other: Any) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = (name for name in self.__struct_fields__ if name != "arrival")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id, from the headers or the body; None where neither names one."""
        id: object = getattr(self, "id", None)
        named = id if isinstance(id, str) and id.startswith("gen-") else None
        return self._arrival.headers.get("x-generation-id") or named
