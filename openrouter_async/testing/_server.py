"""The emulator's socket side: reads requests with aiohttp, plays replies byte by byte.

The rule of this file: it decides nothing about an answer. It writes what a `Program` holds,
waits where it says so, and tells the desk what happened. It imports aiohttp, as only `_recorder`
does besides, and is itself imported when an emulator starts.

aiohttp parses the requests, keeps connections alive and cancels the handler of a client that
left. It writes nothing of an answer: `_Written` tells it that all is on the wire already.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from openrouter_async.testing._desk import Desk, ReceivedRequest
from openrouter_async.testing._script import Reply
from openrouter_async.testing._service import Service
from openrouter_async.testing._sockets import arrived, linger_zero
from openrouter_async.testing._steps import Cut, Drip, Hold, Pause, Reset
from openrouter_async.testing._watch import Flag
from openrouter_async.testing._wire import Act, frame

__all__ = ["SocketServer"]

_BLOCK: Final = 256 * 1024
_MAX_BODY: Final = 256 * 2**20
_BACKLOG: Final = 4096  # a burst of a thousand clients must not wait for SYN retries


class _Written(web.StreamResponse):
    """An answer whose bytes are on the wire already."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._reusable = keep_alive

    @property
    def keep_alive(self) -> bool:
        return self._reusable

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class SocketServer(web.Server):
    """Listens, and plays to each request what the desk or else the service answers."""

    def __init__(self, desk: Desk, service: Service) -> None:
        super().__init__(
            self._handle, handler_cancellation=True, access_log=None, keepalive_timeout=3600.0
        )
        self._desk = desk
        self._service = service
        self._numbers: dict[web.RequestHandler, int] = {}
        self._transports: dict[web.RequestHandler, asyncio.Transport] = {}
        self._dropped: set[web.RequestHandler] = set()
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen; give the port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self, host, port, ssl=context, backlog=_BACKLOG)
        return cast(int, self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything at once and wait until no handler is left."""
        if self._listener is not None:
            self._listener.close()
        while self.connections:
            self.drop(reset=False)
            # Every handler has been cancelled by now; it only needs its turns of the loop.
            await asyncio.sleep(0)
        if self._listener is not None:
            await self._listener.wait_closed()

    def drop(self, *, reset: bool) -> None:
        """End every open connection, as the server's doing."""
        for handler, transport in tuple(self._transports.items()):
            self._dropped.add(handler)
            if reset:
                linger_zero(transport)
            transport.abort()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        # With no buffer of ours, "written" means handed to the kernel: an answer counts as
        # complete when its bytes have left. One byte, not none: at a limit of 0 asyncio's TLS
        # transport pauses the writer over an empty buffer and then resumes it never.
        transport.set_write_buffer_limits(high=1, low=0)
        self._transports[handler] = transport
        self._numbers[handler] = self._desk.connected()

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        super().connection_lost(handler, exc)
        if self._transports.pop(handler, None) is not None:
            self._desk.hung_up()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        handler = request.protocol
        received: ReceivedRequest | None = None
        reply: Reply | None = None
        try:
            received = await self._read(request)
            if received is None:
                reply = self._service.too_large(_MAX_BODY)
            else:
                self._desk.received(received)
                reply = self._reply(received)
            await _Player(request, reply, self._desk).play()
        except (asyncio.CancelledError, ConnectionError, web.RequestPayloadError) as error:
            if handler not in self._dropped:
                self._desk.left(received)
                if reply is not None:
                    self._service.left(reply)
            if isinstance(error, asyncio.CancelledError):
                raise
            # Raised on, it would be logged as a fault of the server's.
            return _Written(keep_alive=False)
        finally:
            if handler not in self._transports:
                self._dropped.discard(handler)
                self._numbers.pop(handler, None)
        if received is not None:
            received.finished.set()
        reusable = received is not None and request.keep_alive and not reply.program.closes
        return _Written(keep_alive=reusable)

    async def _read(self, request: web.BaseRequest) -> ReceivedRequest | None:
        parts: list[bytes] = []
        size = 0
        async for part in request.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > _MAX_BODY:
                return None
        return ReceivedRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=b"".join(parts),
            connection=self._numbers[request.protocol],
            disconnected=Flag(self._desk.watch),
            finished=Flag(self._desk.watch),
        )

    def _reply(self, received: ReceivedRequest) -> Reply:
        early = self._service.before_script(received)
        return early or self._desk.take(received) or self._service.answer(received)


class _Player:
    """Plays one reply to one client."""

    __slots__ = ("_desk", "_reply", "_transport", "_writer")

    def __init__(self, request: web.BaseRequest, reply: Reply, desk: Desk) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left before it was answered")
        self._transport = transport
        self._writer: AbstractStreamWriter = request.writer
        self._reply = reply
        self._desk = desk

    async def play(self) -> None:
        """Do one act after the other, up to the end or to a fault that ends the connection.

        Raises:
            ConnectionError: The client left.
        """
        for act in self._reply.program.acts:
            if isinstance(act, bytes):
                await self._write(act)
            elif isinstance(act, Cut):
                return
            elif isinstance(act, Reset):
                await arrived(self._transport)
                linger_zero(self._transport)
                self._transport.abort()
                return
            else:
                await self._spend(act)

    async def _spend(self, act: Act) -> None:
        """Do an act that takes time."""
        if isinstance(act, Pause):
            await asyncio.sleep(act.seconds)
        elif isinstance(act, Hold):
            await self._desk.gates.pass_one()
        elif isinstance(act, Drip):
            for start in range(0, len(act.data), act.size):
                await asyncio.sleep(act.seconds)
                piece = act.data[start : start + act.size]
                await self._write(frame(piece, self._reply.framing))
        else:
            await asyncio.get_running_loop().create_future()

    async def _write(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(data), _BLOCK):
            if self._transport.is_closing():
                raise ConnectionResetError("the client left before its answer was complete")
            self._transport.write(view[start : start + _BLOCK] if len(data) > _BLOCK else data)
            await self._writer.drain()
