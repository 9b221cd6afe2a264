"""What whole answers have in common: how each came, beside what it says.

What may live here: the one field that is no part of an answer's wire form, and what is read off
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import field

from ._struct import WireStruct
from .arrival import Arrival, Ending, Headers, RateLimit, Timing, rate_limit_in


class Arrived(WireStruct):  # noqa: PLW1641  (it can be changed, so it has no hash)
    """A whole answer, or what had come of it.

    How it came is no part of its wire form, and two answers that say the same are equal however
    they came.

    Attributes:
        arrival: How it came: what `headers`, `timing`, `ending` and the like are read off; None
            where that is not known, as of an answer that was read from a file.
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
        return _of(self).headers.get("x-generation-id") or named

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers, looked up without regard to case."""
        return Headers(_of(self).headers)

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the headers say of the rate limit; None where they say nothing."""
        return rate_limit_in(_of(self).headers)

    @property
    def timing(self) -> Timing:
        """When things happened, in seconds from the start of the request."""
        return _of(self).timing

    @property
    def ending(self) -> Ending | None:
        """How the stream ended; None while it has not."""
        return _of(self).ending


def _of(answer: Arrived) -> Arrival:
    return answer.arrival if answer.arrival is not None else Arrival()
