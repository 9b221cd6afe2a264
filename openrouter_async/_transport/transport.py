"""The pools of one client: a request goes in, a response comes out.

The rule of this file: which loop's pool a request uses, and what becomes of the pools when a loop
ends, a process forks or the client is closed.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from .._sealed import SealedBytes
from ..errors import OpenRouterError
from .failures import closed_before_sending, foreign, refused_by_proxy, translated
from .network import environment_proxy, load
from .opening import Opening, begin
from .pool import Pool
from .response import Response

if TYPE_CHECKING:
    import asyncio
    import ssl

    import aiohttp

    from .._config import Limits, Timeouts

__all__ = ["PoolStats", "Request", "StreamedBody", "Transport"]

_SLICE: Final = 2**18
"""Bytes of a body that are written at once: more would hold up the loop, and other streams."""


class StreamedBody(Protocol):
    """A body that is read while it is sent.

    Attributes:
        length: How many bytes it has.
        failure: Why it could not be read to its end.
    """

    length: int
    failure: Exception | None

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give its bytes, from the start."""
        ...


class Request:
    """What one attempt sends. It has no repr of its own: it holds the key and the prompt."""

    __slots__ = ("body", "headers", "max_error_body", "method", "on_leaving", "params", "url")

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | StreamedBody | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        # Called when it has stood in line, before it is sent.
        self.on_leaving: Callable[[], None] | None = None
        # Bytes that an error may say, where that is more than usual.
        self.max_error_body = 0
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.params = params


class PoolStats(Struct, frozen=True, kw_only=True):
    """How busy a client's connections are, over all its event loops.

    Attributes:
        limit: Connections that each loop may have open.
        leased: Connections that a request holds.
        draining: Of these, how many only wait for the end of a finished stream.
        waiting: Requests in line for a connection.
        opened: Connections ever opened.
        reused: Requests that found an open connection.
        loops: Event loops that have a pool.
    """

    limit: int
    leased: int
    draining: int
    waiting: int
    opened: int
    reused: int
    loops: int


class Transport:
    """The pools of one client, one a running loop."""

    def __init__(
        self,
        timeouts: Timeouts,
        limits: Limits,
        *,
        proxy: str | None = None,
        tls: ssl.SSLContext | str | Path | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._limits = limits
        self._proxy = proxy
        self._tls = tls
        self._session = session
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._starting: dict[asyncio.AbstractEventLoop, asyncio.Event] = {}
        _LIVING.add(self)

    async def open(self, request: Request, timeouts: Timeouts | None = None) -> Response:
        """Send a request and give its response once the headers are there.

        Args:
            request: What to send.
            timeouts: Deadlines of this request, in place of the transport's.

        Raises:
            OpenRouterError: It could not be sent, or no answer came; `phase` tells how far.
        """
        import asyncio

        pool = self._pools.get(asyncio.get_running_loop()) or await self._start(request.url)
        opening = Opening(timeouts or self._timeouts, pool)
        cause: BaseException | None = None
        try:
            place = pool.line.take() or await pool.line.enter()
            try:
                if pool.draining:
                    await pool.wait_for_drained()
                if request.on_leaving is not None:
                    request.on_leaving()
                answer = await self._send(request, pool, opening)
            except BaseException:
                place.leave()
                raise
        except BaseException as error:
            was_in_time = not opening.over()
            opening.alarm.stop()
            if isinstance(error, asyncio.CancelledError):
                if was_in_time:
                    raise
                failure: OpenRouterError = opening.timeout()
            elif not isinstance(error, foreign()):
                raise
            elif (unread := getattr(request.body, "failure", None)) is not None:
                raise unread from None  # a file of the user's: no failure of the network
            elif opening.has_timed_out:
                failure = opening.timeout()
            else:
                failure, cause = translated(error, opening.phase, request.url)
        else:
            opening.over()
            return Response(answer, opening, place)
        failure.phase = opening.phase
        try:
            raise failure from cause
        finally:
            del failure, cause  # its traceback holds this frame, which must not hold it

    async def _send(self, request: Request, pool: Pool, opening: Opening) -> aiohttp.ClientResponse:
        more: dict[str, Any] = {}
        while True:
            begin(opening)
            if not pool.owned:
                opening.enter("headers")  # a user's session reports no phases
                more = _deadlines_of(opening.timeouts)
            try:
                response = await pool.session.request(
                    request.method,
                    request.url,
                    params=request.params,
                    data=_data_of(request.body, opening),
                    headers=_with_length(request),
                    allow_redirects=False,
                    proxy=pool.proxy,
                    ssl=pool.tls if pool.tls is not None else True,
                    **more,
                )
            except closed_before_sending():
                opening.disconnected()
                if not opening.is_reused:
                    raise
                continue  # a dead connection left the pool, so this comes to an end
            if response.status == 407:  # the proxy's word; over CONNECT aiohttp raises it
                response.close()
                raise refused_by_proxy(response.reason)
            return response

    async def _start(self, url: str) -> Pool:
        """Give the pool of the running loop, started by whoever comes first."""
        import asyncio

        loop = asyncio.get_running_loop()
        while (pool := self._pools.get(loop)) is None:
            started = self._starting.get(loop)
            if started is not None:  # who comes meanwhile goes on in the order of asking
                await started.wait()
                continue
            started = self._starting[loop] = asyncio.Event()
            try:
                await self._start_pool(loop, url)
            finally:
                self._starting.pop(loop, None)
                started.set()
        return pool

    async def _start_pool(self, loop: asyncio.AbstractEventLoop, url: str) -> None:
        tls = await self._prepare(url)
        for other in [other for other in list(self._pools) if other.is_closed()]:
            dead = self.forget(other)
            if dead is not None:  # another thread may have been faster
                await dead.aclose()
        # All requests go to one origin, so its proxy is found once.
        proxy = self._proxy or environment_proxy(url)
        pool = Pool(loop, self._timeouts, self._limits, proxy, tls, self._session)
        self._pools[loop] = pool
        await pool.start(weakref.ref(self))

    async def _prepare(self, url: str) -> ssl.SSLContext | None:
        """Import aiohttp and make the TLS context, off the loop where that takes time."""
        needs_tls = url.startswith("https:") or (self._proxy or "").startswith("https:")
        if not needs_tls and "aiohttp" in sys.modules:
            return None
        import asyncio

        return await asyncio.to_thread(load, self._tls, needs_tls)

    def stats(self) -> PoolStats:
        """Count connections over all loops."""
        pools = list(self._pools.values())
        return PoolStats(
            limit=self._limits.max_connections,
            leased=sum(len(pool.responses) for pool in pools),
            draining=sum(len(pool.draining) for pool in pools),
            waiting=sum(pool.waiting for pool in pools),
            opened=sum(pool.opened for pool in pools),
            reused=sum(pool.reused for pool in pools),
            loops=len(pools),
        )

    def answering(self) -> int:
        """Count the answers that are still being read, over all loops."""
        return sum(pool.answering() for pool in list(self._pools.values()))

    async def aclose(self) -> None:
        """Close the pools of all loops; connections in use are closed as well."""
        import asyncio

        here = asyncio.get_running_loop()
        for loop, pool in list(self._pools.items()):
            if loop is here or loop.is_closed():
                self.forget(loop)
                await pool.aclose()
            else:
                with suppress(RuntimeError):  # that loop was closed meanwhile
                    loop.call_soon_threadsafe(self._close_in, loop)

    def _close_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let go of a pool, in its own loop, which then closes it."""
        pool = self.forget(loop)
        if pool is not None:
            pool.abort()

    def forget(self, loop: asyncio.AbstractEventLoop) -> Pool | None:
        """Give the pool of a loop away."""
        return self._pools.pop(loop, None)

    def forget_inherited(self) -> None:
        """In the child of a fork, let go of the parent's connections without touching them."""
        _INHERITED.append(self._pools)
        for pool in self._pools.values():
            pool.is_inherited = True
        self._pools = {}
        self._starting = {}


class _Sending:
    """A body on its way: each piece of it that is asked for is a sign that the last one is out."""

    __slots__ = ("_opening", "_pieces")

    def __init__(self, pieces: AsyncIterator[bytes], opening: Opening) -> None:
        self._pieces = pieces
        self._opening = opening

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._opening.enter("headers")
        return await anext(self._pieces)


class _Slices:
    """Bytes in pieces."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._at >= len(self._body):
            raise StopAsyncIteration
        self._at += _SLICE
        return SealedBytes(self._body[self._at - _SLICE : self._at])


def _deadlines_of(timeouts: Timeouts) -> dict[str, Any]:
    """Give the deadlines for a session of the user's, which brings aiohttp's own of 300 s in all.

    As it reports no phases, only connecting can be told apart.
    """
    import aiohttp

    return {"timeout": aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect)}


def _data_of(body: bytes | StreamedBody | None, opening: Opening) -> bytes | _Sending | None:
    """Give what aiohttp is to send: bytes in one piece where they are few."""
    if body is None or (isinstance(body, bytes) and len(body) <= _SLICE):
        return body
    return _Sending(_Slices(body) if isinstance(body, bytes) else aiter(body), opening)


def _with_length(request: Request) -> Mapping[str, str]:
    """Say how long a streamed body is, or aiohttp would send it in chunks."""
    body = request.body
    if body is None or (isinstance(body, bytes) and len(body) <= _SLICE):
        return request.headers
    length = len(body) if isinstance(body, bytes) else body.length
    return {**request.headers, "Content-Length": str(length)}


# The parent's sockets and its epoll set are shared with the child of a fork: closing a
# transport there would take the parent's connection out of the parent's own loop. So nothing
# inherited is ever closed, nor dropped, which would close it.
_INHERITED: Final[list[dict[asyncio.AbstractEventLoop, Pool]]] = []
_LIVING: Final[weakref.WeakSet[Transport]] = weakref.WeakSet()


def _forget_all_inherited() -> None:
    for transport in list(_LIVING):
        transport.forget_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all_inherited)
