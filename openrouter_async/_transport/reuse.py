"""Connections as aiohttp hands them out: whether they are new, and whether they are still alive.

A connection that the server has closed is found out before anything is written to it.

The rule of this file: what it calls closed has taken no byte of the request, so that sending the
request over another connection cannot be paid twice. What fails after that moment is not certain,
and never decided here.

aiohttp passes over idle connections whose end its loop has read. Between that read and the write
another end may have come; the kernel knows it already. On systems that cannot be asked (all but
Linux) such an end shows as an error after the write, like that of a server that broke down.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import aiohttp

from .opening import current

if TYPE_CHECKING:
    import asyncio

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["CheckedRequest", "ClosedBeforeSendingError", "ReportingConnector"]

# Data that waits to be read is no sign: TLS sends session tickets when it likes.
_HUNG_UP: Final[int] = getattr(select, "POLLRDHUP", 0)


class ClosedBeforeSendingError(aiohttp.ClientConnectionError):
    """The connection was closed before any byte of the request was written."""


class ReportingConnector(aiohttp.TCPConnector):
    """A connector that tells the attempt for which it connects what it does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType] - a part is untyped
        self._known: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Give a connection: an idle one, or a new one."""
        opening = current()
        if opening is not None:
            opening.enter("connect")
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if opening is not None and protocol is not None:
            is_new = protocol not in self._known
            if is_new:
                self._known.add(protocol)
            opening.connected(new=is_new)
        return connection


class CheckedRequest(aiohttp.ClientRequest):
    """A request that looks at its connection once more before it is written."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Write the request."""
        if _is_closed(conn.transport):
            raise ClosedBeforeSendingError("the server closed it before the request was sent")
        return await super().send(conn)


def _is_closed(transport: asyncio.Transport | None) -> bool:
    if transport is None or transport.is_closing():
        return True
    if not _HUNG_UP:
        return False
    descriptor = transport.get_extra_info("socket").fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, _HUNG_UP)
    return bool(poll.poll(0))
