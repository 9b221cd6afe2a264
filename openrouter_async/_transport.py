"""The session pool: where requests leave and bytes come back.

The rule of this file: it is the only one of the core that imports aiohttp, and nothing foreign
gets out of it. Every aiohttp, ssl, OS and asyncio failure becomes an exception of `errors` by
`_translated`; cancellation and the user's own exceptions pass untouched. It knows connections,
bytes and deadlines; it knows no JSON and no events.

One aiohttp session belongs to each running event loop. It is made when the first request of
that loop needs it and closed with the loop, so one client serves several `asyncio.run`, many
threads, and the child of a `fork`. aiohttp is imported, and the TLS context made, by a worker
thread when the first connection opens: each would stop the loop for tens of milliseconds.
asyncio is imported inside functions, since it imports ssl.

aiohttp's own deadlines are all off. Up to the headers one `asyncio.timeout` serves all phases
and is moved as aiohttp reports them; after that one timer a response is re-armed only when it
fires too early, so that reading costs no timer.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from io import BytesIO
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from .errors import (
    APIConnectionError,
    ConnectError,
    ConnectTimeout,
    FirstEventTimeout,
    OpenRouterError,
    Phase,
    ProtocolError,
    ProxyError,
    QueueTimeout,
    StreamBrokenError,
    TLSError,
    TotalTimeout,
    WireIdleTimeout,
)

if TYPE_CHECKING:
    import asyncio
    import ssl

    import aiohttp
    from aiohttp import ClientSession as ClientSession  # for the client's annotations

    from ._config import Limits, Timeouts

__all__ = [
    "AlreadyReading",
    "DeadlinePassed",
    "PoolStats",
    "Request",
    "Response",
    "ResponseClosed",
    "Transport",
]

_LARGE_BODY: Final = 2**20
"""aiohttp writes bytes in one piece and warns above this; a file it writes piece by piece."""

_READ_SIZE: Final = 2**18


class DeadlinePassed(Exception):
    """A read took longer than it was allowed to; the connection is closed."""


class AlreadyReading(Exception):
    """Another task is reading this response already, and goes on."""


class ResponseClosed(Exception):
    """The response was closed while it was being read."""


class Request:
    """What one attempt sends. It has no repr of its own: it holds the key and the prompt."""

    __slots__ = ("body", "headers", "method", "params", "url")

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
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
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
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

        pool = await self._pool_for(request.url)
        opening = _Opening(timeouts or self._timeouts, pool)
        cause: BaseException | None = None
        scope = asyncio.timeout(None)
        try:
            async with scope:
                opening.follow(scope)
                await pool.wait_for_drained()
                response = await self._send(request, pool, opening)
            return Response(response, opening)
        except _foreign() as error:
            if scope.expired():
                failure: OpenRouterError = opening.timeout()
            else:
                failure, cause = _translated(error, opening.phase, request.url)
        finally:
            opening.left()
        failure.phase = opening.phase
        try:
            raise failure from cause
        finally:
            del failure, cause  # its traceback holds this frame, which must not hold it

    async def _send(
        self, request: Request, pool: _Pool, opening: _Opening
    ) -> aiohttp.ClientResponse:
        import aiohttp

        body = request.body
        own_deadlines: dict[str, Any] = {}
        if not pool.owned:
            # A session of the user's brings aiohttp's default of 300 s in all, and reports no
            # phases: only connecting can be told apart.
            own_deadlines["timeout"] = aiohttp.ClientTimeout(
                total=None, sock_connect=opening.timeouts.connect
            )
            opening.enter("headers")
        response = await pool.session.request(
            request.method,
            request.url,
            params=request.params,
            data=BytesIO(body) if body is not None and len(body) > _LARGE_BODY else body,
            headers=request.headers,
            allow_redirects=False,
            proxy=pool.proxy,
            ssl=pool.tls if pool.tls is not None else True,
            trace_request_ctx=opening,
            **own_deadlines,
        )
        if response.status == 407:  # the proxy's word; over CONNECT aiohttp raises it
            response.close()
            raise _refused_by_proxy(response.reason)
        return response

    async def _pool_for(self, url: str) -> _Pool:
        import asyncio

        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            tls = await self._prepare(url)
            for other in [other for other in list(self._pools) if other.is_closed()]:
                dead = self.forget(other)
                if dead is not None:  # another thread may have been faster
                    await dead.aclose()
            pool = self._pools.get(loop)  # another task may have been faster
            if pool is None:
                # All requests go to one origin, so its proxy is found once.
                proxy = self._proxy or _environment_proxy(url)
                pool = _Pool(loop, self._timeouts, self._limits, proxy, tls, self._session)
                self._pools[loop] = pool
                await pool.start(weakref.ref(self))
        return pool

    async def _prepare(self, url: str) -> ssl.SSLContext | None:
        """Import aiohttp and make the TLS context, off the loop where that takes time."""
        needs_tls = url.startswith("https:") or (self._proxy or "").startswith("https:")
        if not needs_tls and "aiohttp" in sys.modules:
            return None
        import asyncio

        return await asyncio.to_thread(_load, self._tls, needs_tls)

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

    def forget(self, loop: asyncio.AbstractEventLoop) -> _Pool | None:
        """Give the pool of a loop away."""
        return self._pools.pop(loop, None)

    def forget_inherited(self) -> None:
        """In the child of a fork, let go of the parent's connections without touching them."""
        _INHERITED.append(self._pools)
        for pool in self._pools.values():
            pool.is_inherited = True
        self._pools = {}


# The parent's sockets and its epoll set are shared with the child of a fork: closing a
# transport there would take the parent's connection out of the parent's own loop. So nothing
# inherited is ever closed, nor dropped, which would close it.
_INHERITED: Final[list[dict[asyncio.AbstractEventLoop, _Pool]]] = []
_LIVING: Final[weakref.WeakSet[Transport]] = weakref.WeakSet()


def _forget_all_inherited() -> None:
    for transport in list(_LIVING):
        transport.forget_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all_inherited)


class _Pool:
    """The connections of one loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeouts: Timeouts,
        limits: Limits,
        proxy: str | None,
        tls: ssl.SSLContext | None,
        session: aiohttp.ClientSession | None,
    ) -> None:
        self.loop = loop
        self.proxy = proxy
        self.tls = tls
        self.owned = session is None
        self.session = session if session is not None else _new_session(limits, tls)
        if getattr(self.session, "_loop", loop) is not loop:
            raise RuntimeError(
                "the aiohttp session given as session= belongs to another event loop; make the "
                "client in the loop that uses it, or leave session= out"
            )
        self.timeouts = timeouts
        self.waiting = self.opened = self.reused = 0
        self.idle = 0
        self.is_inherited = False
        self.responses: set[Response] = set()
        self.draining: set[Response] = set()
        self._drain_waiters: deque[asyncio.Future[None]] = deque()
        self._until_loop_ends: AsyncGenerator[None, None] | None = None

    async def start(self, transport: weakref.ref[Transport]) -> None:
        """Tie the pool to the end of its loop."""
        if self.owned:
            self._until_loop_ends = _close_at_end(
                self.session, self.responses, self.loop, transport
            )
            await anext(self._until_loop_ends)

    def abort(self) -> None:
        """Close the connections that are in use."""
        for response in list(self.responses):
            response.abort()

    async def aclose(self) -> None:
        """Close everything but a session of the user's."""
        self.abort()
        if self._until_loop_ends is not None and not self.loop.is_closed():
            await self._until_loop_ends.aclose()
        elif self.owned:
            await self.session.close()

    async def wait_for_drained(self) -> None:
        """Wait for a finished stream's connection rather than open one more.

        The end of a body often arrives a moment after ``[DONE]``. Each drain is bounded by
        `Timeouts.drain`, and so is this: nobody waits for a second one.
        """
        if self.draining and self.idle <= 0:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._drain_waiters.append(waiter)
            await waiter

    def drained(self, response: Response) -> None:
        """Take note that a finished stream's connection is free or closed."""
        self.draining.discard(response)
        while self._drain_waiters:
            waiter = self._drain_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                if self.draining:
                    break


async def _close_at_end(
    session: aiohttp.ClientSession,
    responses: set[Response],
    loop: asyncio.AbstractEventLoop,
    transport: weakref.ref[Transport],
) -> AsyncGenerator[None, None]:
    # The one hook that runs inside a loop just before it is closed is the closing of its
    # asynchronous generators (`asyncio.run` and its like do that), and it also runs when a
    # client is dropped without `aclose`. So this one only waits for it. It does not hold its
    # pool, or the two would only be found by the garbage collector, session first.
    process = os.getpid()
    try:
        yield
    finally:
        living = transport()
        if living is not None:
            living.forget(loop)
        if os.getpid() == process:
            for response in list(responses):
                response.abort()
            await session.close()


def _new_session(limits: Limits, tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    import aiohttp

    connector = aiohttp.TCPConnector(
        limit=limits.max_connections,
        keepalive_timeout=limits.keepalive,
        ttl_dns_cache=int(limits.dns_ttl) or 1,
        ssl=tls if tls is not None else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        # aiohttp's `trust_env` also reads ~/.netrc; the proxy is found by `_environment_proxy`.
        trust_env=False,
        read_bufsize=_READ_SIZE,
        trace_configs=[_phase_reports()],
    )


def _phase_reports() -> aiohttp.TraceConfig:
    import aiohttp

    def context(trace_request_ctx: object = None) -> object:
        return trace_request_ctx

    async def queued(session: object, opening: _Opening, params: object) -> None:
        opening.enter("queue")

    async def connecting(session: object, opening: _Opening, params: object) -> None:
        opening.enter("connect")

    async def connected(session: object, opening: _Opening, params: object) -> None:
        opening.connected(new=True)

    async def reused(session: object, opening: _Opening, params: object) -> None:
        opening.connected(new=False)

    async def sent(session: object, opening: _Opening, params: object) -> None:
        opening.enter("headers")

    factory: Any = context  # aiohttp's annotation asks for one certain class
    config: Any = aiohttp.TraceConfig(trace_config_ctx_factory=factory)
    config.on_connection_queued_start.append(queued)
    config.on_connection_queued_end.append(connecting)
    config.on_connection_create_start.append(connecting)
    config.on_connection_create_end.append(connected)
    config.on_connection_reuseconn.append(reused)
    config.on_request_chunk_sent.append(sent)
    return config  # type: ignore[no-any-return]


class _Opening:
    """One attempt on its way to the headers: its phase, and the deadline of that phase."""

    __slots__ = (
        "_expires_as",
        "_scope",
        "asked_at",
        "connected_at",
        "phase",
        "pool",
        "sending_at",
        "sent_at",
        "timeouts",
    )

    def __init__(self, timeouts: Timeouts, pool: _Pool) -> None:
        self.timeouts = timeouts
        self._scope: asyncio.Timeout | None = None
        self._expires_as: type[APIConnectionError] = QueueTimeout
        self.pool = pool
        self.phase: Phase = "queue"
        self.asked_at = pool.loop.time()
        self.sending_at: float | None = None  # the queue is behind: deadlines count from here
        self.connected_at: float | None = None
        self.sent_at = self.asked_at

    def follow(self, scope: asyncio.Timeout) -> None:
        self._scope = scope
        self.pool.waiting += 1
        self.enter("queue")

    def left(self) -> None:
        """The headers are there, or the attempt has failed."""
        if self.sending_at is None:
            self.pool.waiting -= 1
        self._scope = None

    def connected(self, *, new: bool) -> None:
        if new:
            self.pool.opened += 1
            self.pool.idle = 0  # aiohttp found no idle connection, whatever we had counted
        else:
            self.pool.reused += 1
            self.pool.idle -= 1
        self.enter("headers")
        self.connected_at = self.sent_at

    def enter(self, phase: Phase) -> None:
        """Begin a phase, or begin its deadline anew."""
        scope = self._scope
        if scope is None or scope.expired():
            return
        now = self.pool.loop.time()
        self.phase = phase
        if phase != "queue" and self.sending_at is None:
            self.sending_at = now
            self.pool.waiting -= 1
        timeouts = self.timeouts
        deadlines: list[tuple[float | None, float, type[APIConnectionError]]]
        if phase == "queue":
            deadlines = [(timeouts.queue, self.asked_at, QueueTimeout)]
        else:
            since = now if self.sending_at is None else self.sending_at
            deadlines = [(timeouts.total, since, TotalTimeout)]
            if phase == "connect":
                deadlines.append((timeouts.connect, since, ConnectTimeout))
            else:
                self.sent_at = now
                deadlines.append((timeouts.wire_idle, now, WireIdleTimeout))
                deadlines.append((timeouts.first_event, now, FirstEventTimeout))
        ends = [(since + limit, kind) for limit, since, kind in deadlines if limit is not None]
        if ends:
            when, self._expires_as = min(ends, key=itemgetter(0))
            scope.reschedule(when)
        else:
            scope.reschedule(None)

    def timeout(self) -> OpenRouterError:
        """Give the exception of the deadline that has passed."""
        kind = self._expires_as
        limits: dict[type[APIConnectionError], float | None] = {
            QueueTimeout: self.timeouts.queue,
            ConnectTimeout: self.timeouts.connect,
            WireIdleTimeout: self.timeouts.wire_idle,
            FirstEventTimeout: self.timeouts.first_event,
            TotalTimeout: self.timeouts.total,
        }
        return timeout_error(kind, limits[kind])


_WAITED_FOR: Final[dict[type[OpenRouterError], str]] = {
    QueueTimeout: "no connection came free within {0:g} s (Timeouts.queue); "
    "raise Limits.max_connections or lower the concurrency",
    ConnectTimeout: "no connection within {0:g} s (Timeouts.connect)",
    WireIdleTimeout: "not a single byte for {0:g} s (Timeouts.wire_idle)",
    FirstEventTimeout: "no delta that says something within {0:g} s (Timeouts.first_event)",
    TotalTimeout: "the request took longer than {0:g} s (Timeouts.total)",
}


def timeout_error(kind: type[OpenRouterError], seconds: float | None) -> OpenRouterError:
    """Build the exception of a deadline, which names the deadline and how to change it."""
    template = _WAITED_FOR.get(kind, "the answer stood still for {0:g} s (Timeouts.idle)")
    return kind(template.format(seconds or 0))


class Response:
    """An answer whose headers have come; reads its body and gives the connection back.

    Attributes:
        waited: Seconds that the last `read` waited for the socket.
    """

    __slots__ = (
        "__weakref__",
        "_content",
        "_deadline",
        "_expired",
        "_failure",
        "_is_done",
        "_lost",
        "_pool",
        "_response",
        "_time",
        "_timer",
        "_timer_at",
        "answered_at",
        "asked_at",
        "connected_at",
        "headers",
        "sending_at",
        "sent_at",
        "status",
        "waited",
    )

    def __init__(self, response: aiohttp.ClientResponse, opening: _Opening) -> None:
        self._response = response
        self._content = response.content
        self._pool = opening.pool
        self._time: Callable[[], float] = opening.pool.loop.time
        self._deadline = inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._expired = False
        self._is_done = False
        self._failure: tuple[OpenRouterError, BaseException | None] | None = None
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.asked_at = opening.asked_at
        self.sending_at = opening.asked_at if opening.sending_at is None else opening.sending_at
        self.connected_at = opening.connected_at
        self.sent_at = opening.sent_at
        self.answered_at = self._time()
        self.waited = 0.0
        self._pool.responses.add(self)
        self._lost = _connection_lost(response)
        if self._lost is not None:
            self._lost.add_done_callback(self._on_lost)

    def time(self) -> float:
        """The loop's clock, in seconds."""
        return self._time()

    async def read(self, limit: float = inf) -> bytes:
        """Give what has arrived, waiting where nothing has; empty bytes at the end of the body.

        Args:
            limit: Seconds to wait.

        Raises:
            DeadlinePassed: Nothing arrived within `limit`; the connection is closed.
            ResponseClosed: `close` was called meanwhile.
            StreamBrokenError: The connection broke.
            AlreadyReading: Another task is reading already.
        """
        if self._deadline != inf:
            raise AlreadyReading
        if self._is_done and self._content.at_eof():
            return b""  # aiohttp raises on a body whose connection has been given back
        started = self._time()
        deadline = self._deadline = min(started + limit, sys.float_info.max)
        if deadline < self._timer_at:
            self._arm(deadline)
        try:
            data = await self._content.readany()
        except _foreign() as error:
            data = self._left_in_buffer(error)
        except RuntimeError as error:
            # aiohttp says this of a connection that closed while nobody was reading.
            connection = self._response.connection
            if connection is not None and not connection.closed:
                raise
            data = self._left_in_buffer(error)
        finally:
            self._deadline = inf
            self.waited = self._time() - started
        if not data:
            self._release()
        return data

    def _left_in_buffer(self, error: BaseException) -> bytes:
        """Give what arrived before the connection broke, and keep the failure for the next read.

        aiohttp raises as soon as the connection is lost, also where bytes that came before have
        not been read yet. They are no longer reachable by its public interface.
        """
        # aiohttp keeps the error, one of them for ever, and its traceback would keep this response.
        error.__traceback__ = None
        if self._expired:
            raise DeadlinePassed from None
        if self._is_done and self._failure is None:
            raise ResponseClosed from None
        if self._failure is None:
            failure, cause = _translated(error, "body", "")
            self._failure = failure, cause
            take = getattr(self._content, "_read_nowait", None)
            data: bytes = take(-1) if take is not None else b""
            if data:
                return data
        self.close()
        failure, cause = self._failure
        self._failure = None
        try:
            raise failure from cause
        finally:
            del failure, cause, error  # the traceback holds this frame, which must not hold them

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if when < sys.float_info.max:
            self._timer_at = when
            self._timer = self._pool.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = inf
        if self._deadline == inf:
            return  # nobody waits for the socket; the next read arms it again
        if self._time() + 1e-3 < self._deadline:
            self._arm(self._deadline)
            return
        self._expired = True
        self.close()

    def _on_lost(self, _: object) -> None:
        # Where the chunked framing turns wrong amid a body, aiohttp closes the connection and
        # tells the body nothing, so that its reader would wait for ever.
        if self._content.exception() is None and not self._content.is_eof():
            self._content.set_exception(ConnectionResetError("the body's framing is broken"))

    def close(self) -> None:
        """Close the connection at once, without waiting for anything; idempotent.

        Another thread may do so: the garbage collector drops streams in whichever it runs.
        """
        if self._is_done or self._pool.is_inherited:
            return
        if _runs_elsewhere(self._pool.loop):
            with suppress(RuntimeError):  # that loop was closed meanwhile
                self._pool.loop.call_soon_threadsafe(self.close)
            return
        self._let_go()
        self._response.close()

    def abort(self) -> None:
        """Close the connection because its client or its loop ends; who reads is told so."""
        if not self._is_done and self not in self._pool.draining:
            reason = "the connection was closed together with its client or its event loop"
            self._failure = StreamBrokenError(reason), None
        self.close()

    def finish(self) -> None:
        """Give the connection back after the end of the answer, without waiting for it.

        What is still to come of the body (usually nothing but its end) is taken within
        `Timeouts.drain`; a connection that is not free by then is closed.
        """
        if self._is_done:
            return
        if self._content.is_eof():
            self._release()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._pool.draining.add(self)
        self._timer = self._pool.loop.call_later(self._pool.timeouts.drain, self.close)
        self._content.on_eof(self._release)

    def _release(self) -> None:
        # At the end of a body aiohttp has put the connection back by itself.
        if not self._is_done:
            self._let_go()
            self._pool.idle += 1
            self._response.release()

    def _let_go(self) -> None:
        self._is_done = True
        self._pool.responses.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lost is not None:
            self._lost.remove_done_callback(self._on_lost)
            self._lost = None
        if self in self._pool.draining:
            self._pool.drained(self)


def _connection_lost(response: aiohttp.ClientResponse) -> asyncio.Future[None] | None:
    """Give the future that ends when the response's connection is lost, where aiohttp has it."""
    protocol = response.connection.protocol if response.connection is not None else None
    lost: asyncio.Future[None] | None = getattr(protocol, "closed", None)
    if lost is not None:
        # It lives as long as the connection, which may well be lost when it is idle: someone has
        # to take note of its exception then, or asyncio would log it.
        lost.remove_done_callback(_take_note)
        lost.add_done_callback(_take_note)
    return lost


def _take_note(lost: asyncio.Future[None]) -> None:
    if not lost.cancelled():
        lost.exception()


def _runs_elsewhere(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether a loop runs in another thread."""
    if not loop.is_running():
        return False
    import asyncio

    try:
        return asyncio.get_running_loop() is not loop
    except RuntimeError:
        return True


_TLS_CONTEXTS: Final[dict[tuple[str | None, ...], ssl.SSLContext]] = {}


def _load(tls: ssl.SSLContext | str | Path | None, needs_tls: bool) -> ssl.SSLContext | None:
    import aiohttp as _  # noqa: F401  the import is the point: it takes longer than a handshake

    if not needs_tls:
        return None
    import ssl

    if isinstance(tls, ssl.SSLContext):
        return tls
    # One context a set of authorities for the whole process: each takes 20 ms and 1 MB.
    given = str(tls) if tls is not None else None
    key = given, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = _TLS_CONTEXTS.get(key)
    if context is None:
        try:
            if given is None:
                context = ssl.create_default_context()
            elif Path(given).is_dir():
                context = ssl.create_default_context(capath=given)
            else:
                context = ssl.create_default_context(cafile=given)
        except OSError as error:
            raise TLSError(f"no certificates could be read from {given}: {error}") from error
        _TLS_CONTEXTS[key] = context
    return context


def _environment_proxy(url: str) -> str | None:
    """Give the proxy that the environment names for `url`; loopback never goes through one."""
    from urllib import request

    proxies = request.getproxies_environment()
    if not proxies:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    # Not in the type stubs, though it has been in urllib from the beginning.
    bypass: Any = request.proxy_bypass_environment  # type: ignore[attr-defined]
    if not proxy or bypass(f"{host}:{parts.port}" if parts.port else host):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        scheme = proxy.partition("://")[0]
        raise ProxyError(
            f"the environment names a {scheme} proxy, and only http and https ones are supported; "
            "unset it, or pass proxy='http://...'"
        )
    return proxy


def _foreign() -> tuple[type[BaseException], ...]:
    """The exceptions of the libraries below. `OSError` includes those of ssl and of timeouts."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    return OSError, EOFError, aiohttp.ClientError, HttpProcessingError


def _translated(
    error: BaseException, phase: Phase, url: str
) -> tuple[OpenRouterError, BaseException | None]:
    """Turn a foreign exception into ours, and give the cause that may be shown with it."""
    import ssl

    import aiohttp

    cause: BaseException | None = error
    if isinstance(error, aiohttp.ClientResponseError):
        cause = None  # it holds the request's headers, and so the key
    where = _host(url)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ProxyError(f"the proxy answered {error.status} {error.message}"), cause
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return ProxyError(f"the proxy cannot be reached: {_reason(error)}"), cause
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch | ssl.SSLError):
        return TLSError(
            f"no trusted connection to {where}: {_reason(error)}; "
            "for an authority of your own pass ssl='/path/to/ca.pem' or set SSL_CERT_FILE"
        ), cause
    if phase == "body":
        return StreamBrokenError(f"the connection broke: {_reason(error)}"), cause
    if isinstance(error, aiohttp.ClientConnectorError) or phase in ("queue", "connect"):
        if isinstance(error, TimeoutError):
            return ConnectTimeout(f"no connection to {where} in time"), cause
        return ConnectError(f"cannot connect to {where}: {_reason(error)}"), cause
    if isinstance(error, aiohttp.ServerTimeoutError):
        return ConnectTimeout(f"no connection to {where} in time"), cause
    if isinstance(error, aiohttp.ClientResponseError):
        said = next(iter(error.message.splitlines()), "")
        return ProtocolError(f"the answer of {where} is no HTTP: {said}"), cause
    return APIConnectionError(
        f"the connection to {where} was lost before an answer came: {_reason(error)}"
    ), cause


def _refused_by_proxy(reason: str | None) -> ProxyError:
    error = ProxyError(f"the proxy answered 407 {reason or ''}".rstrip())
    error.phase = "connect"
    return error


def _reason(error: BaseException) -> str:
    inner: object = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    text = str(inner or error) or type(error).__name__
    return text.splitlines()[0][:300]


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]


def epoch() -> float:
    """Seconds since the epoch, for headers that name a date."""
    return time.time()
