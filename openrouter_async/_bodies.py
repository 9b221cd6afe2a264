"""Bodies that are read whole: answers that are not streams, and errors.

The rule of this file: a body is read under the same deadlines as a stream and into bounded memory,
and its connection is given up or given back in every case.
"""

from __future__ import annotations

from math import inf
from operator import itemgetter

from ._config import Timeouts
from ._transport import DeadlinePassed, Response, timeout_error
from .errors import (
    FirstEventTimeout,
    OpenRouterError,
    ProtocolError,
    TotalTimeout,
    WireIdleTimeout,
)

__all__ = ["read_body", "read_error_body", "too_large"]


async def read_body(response: Response, timeouts: Timeouts) -> bytes:
    """Read a whole body; blanks, which only keep a connection alive, are no part of it."""
    parts: list[bytes] = []
    size = 0
    has_begun = False
    try:
        while True:
            ends, kind, seconds = _nearest_deadline(response, timeouts, has_begun)
            try:
                data = await response.read(ends - response.time())
            except DeadlinePassed:
                raise timeout_error(kind, seconds) from None
            if not data:
                return b"".join(parts)
            parts.append(data)
            size += len(data)
            if size > response.max_body_size:
                raise too_large(response.max_body_size)
            has_begun = has_begun or not data.isspace()
    except OpenRouterError as error:
        error.phase = "body" if has_begun else "first_event"
        raise
    finally:
        response.close()


def too_large(limit: int) -> ProtocolError:
    """Give the error of a body that has more bytes than may be held."""
    return ProtocolError(
        f"the answer has more than {limit} bytes; raise it with "
        "OpenRouter(limits=Limits(max_body_size=...))"
    )


def _nearest_deadline(
    response: Response, timeouts: Timeouts, has_begun: bool
) -> tuple[float, type[OpenRouterError], float | None]:
    """Give when the wait for a body's next bytes ends, as what, and after how many seconds."""
    deadlines = [
        (response.time(), WireIdleTimeout, timeouts.wire_idle),
        (response.sending_at, TotalTimeout, timeouts.total),
        (response.sent_at, FirstEventTimeout, None if has_begun else timeouts.first_event),
    ]
    ends = ((since + (limit or inf), kind, limit) for since, kind, limit in deadlines)
    return min(ends, key=itemgetter(0))


async def read_error_body(response: Response, timeouts: Timeouts, limit: int) -> bytes:
    """Read at most `limit` bytes of an error; an endless or broken one must not hide the status."""
    parts: list[bytes] = []
    size = 0
    ends = response.time() + (timeouts.wire_idle or inf)  # of all of it: it may come in drops
    try:
        while size < limit:
            data = await response.read(max(0.0, ends - response.time()))
            if not data:
                break
            parts.append(data)
            size += len(data)
    except (DeadlinePassed, OpenRouterError):
        pass
    finally:
        response.close()
    return b"".join(parts)[:limit]
