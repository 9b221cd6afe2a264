"""The session pool: where requests leave and bytes come back.

The rule of this folder: it is the only part of the core that imports aiohttp, and nothing foreign
gets out of it. Every aiohttp, ssl, OS and asyncio failure becomes an exception of `errors` in
`failures`; cancellation and the user's own exceptions pass untouched. It knows connections, bytes
and deadlines; it knows no JSON and no events.

One aiohttp session belongs to each running event loop. It is made when the first request of
that loop needs it and closed with the loop, so one client serves several `asyncio.run`, many
threads, and the child of a `fork`. aiohttp is imported, and the TLS context made, by a worker
thread when the first connection opens: each would stop the loop for tens of milliseconds.
asyncio is imported inside functions, since it imports ssl.

aiohttp's own deadlines are all off. One alarm serves an attempt: up to the headers it is moved
from phase to phase as aiohttp reports them, and then from read to read; its timer is set anew only
when it fires too early.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alarm import Interruption
from .failures import timeout_error
from .response import AlreadyReading, DeadlinePassed, Response, ResponseClosed
from .transport import PoolStats, Request, StreamedBody, Transport

if TYPE_CHECKING:
    from aiohttp import ClientSession as ClientSession  # for the client's annotations

__all__ = [
    "AlreadyReading",
    "DeadlinePassed",
    "Interruption",
    "PoolStats",
    "Request",
    "Response",
    "ResponseClosed",
    "StreamedBody",
    "Transport",
    "timeout_error",
]
