"""An answer whose headers have come: its bytes, its deadline, and its connection's way back.

The rule of this file: a chunk's path begins here, so that reading costs one wait and no timer.
`close` is synchronous, and every way to stop reading ends in it or in `finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Protocol
from weakref import WeakMethod

from ..errors import OpenRouterError, StreamBrokenError
from .alarm import FOREVER
from .failures import foreign, translated

if TYPE_CHECKING:
    import asyncio

    import aiohttp

    from ..hooks._observation import Observation
    from .line import Place
    from .opening import Opening

__all__ = ["AlreadyReading", "DeadlinePassed", "Response", "ResponseClosed"]


class DeadlinePassed(Exception):
    """A read took longer than it was allowed to; the connection is closed."""


class AlreadyReading(Exception):
    """Another task is reading this response already, and goes on."""


class ResponseClosed(Exception):
    """The response was closed while it was being read."""


class Held(Protocol):
    """What is released with the end of an answer; see `Response.hold`."""

    def release(self) -> None:
        """Let go of it; idempotent."""

    def spent(self, tokens: int) -> None:
        """Take note of the tokens."""


class Response:
    """An answer whose headers have come; reads its body and gives the connection back.

    Attributes:
        attempt: Which attempt it answers, from 1; set by the sender.
        is_handed_over: Whoever asked has it; set by the sender.
        observation: What tells the hooks of the request; set by the sender where there are some.
        max_body_size: Bytes that a body may have which is read whole.
        waited: Seconds that the last `read` waited for the socket.
        read_at: When that one ended.
    """

    __slots__ = (
        "__weakref__",
        "_alarm",
        "_content",
        "_expired",
        "_failure",
        "_held",
        "_is_done",
        "_lost",
        "_place",
        "_pool",
        "_response",
        "_time",
        "answered_at",
        "asked_at",
        "attempt",
        "connected_at",
        "headers",
        "is_handed_over",
        "max_body_size",
        "observation",
        "read_at",
        "sending_at",
        "sent_at",
        "status",
        "waited",
    )

    def __init__(self, response: aiohttp.ClientResponse, opening: Opening, place: Place) -> None:
        self._response = response
        self._content = response.content
        self._pool = opening.pool
        self._place = place
        self._time: Callable[[], float] = opening.pool.loop.time
        self._alarm = opening.alarm
        self._alarm.at = inf  # until something is read
        self._alarm.ring = self._expire
        self._expired = False
        self._is_done = False
        self._held: Held | None = None
        self._failure: tuple[OpenRouterError, BaseException | None] | None = None
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.asked_at = opening.asked_at
        self.sending_at = opening.asked_at if opening.sending_at is None else opening.sending_at
        self.connected_at = opening.connected_at
        self.sent_at = opening.sent_at
        self.answered_at = self._time()
        self.waited = 0.0
        self.read_at = self.answered_at
        self.attempt = 1
        self.is_handed_over = False
        self.observation: Observation | None = None
        self.max_body_size = opening.pool.limits.max_body_size
        self._pool.responses.add(self)
        # What has arrived whole needs no connection while it waits to be read.
        self._content.on_eof(place.leave)
        self._lost = _connection_lost(response)
        if self._lost is not None:
            self._lost.add_done_callback(self._on_lost)

    def hold(self, held: Held) -> None:
        """Have something released when the answer has ended, in whatever way."""
        self._held = held
        self._content.on_eof(held.release)

    def spent(self, tokens: int) -> None:
        """Tell whoever counts them how many tokens the answer and its prompt had."""
        if self._held is not None:
            self._held.spent(tokens)

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
        alarm = self._alarm
        if alarm.at != inf:
            raise AlreadyReading
        content = self._content
        if self._is_done and content.at_eof():
            return b""  # aiohttp raises on a body whose connection has been given back
        started = self._time()
        alarm.at = deadline = started + limit if limit < FOREVER else FOREVER
        if deadline < alarm.timer_at:
            alarm.arm(deadline)
        try:
            data = await content.readany()
        except foreign() as error:
            data = self._left_in_buffer(error)
        except RuntimeError as error:
            # aiohttp says this of a connection that closed while nobody was reading.
            connection = self._response.connection
            if connection is not None and not connection.closed:
                raise
            data = self._left_in_buffer(error)
        finally:
            alarm.at = inf
            self.read_at = ended = self._time()
            self.waited = ended - started
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
            failure, cause = translated(error, "body", "")
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

    def _expire(self) -> None:
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
        self._place.leave()  # last, so that the next in line opens none before this one is closed

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
        self._pool.draining.add(self)
        alarm = self._alarm
        alarm.ring = self.close
        alarm.at = ends = self._time() + self._pool.timeouts.drain
        if ends < alarm.timer_at:
            alarm.arm(ends)
        # The body would keep this response, which keeps the body, where its end never comes.
        release = WeakMethod(self._release)
        self._content.on_eof(lambda: _call(release()))

    def _release(self) -> None:
        # At the end of a body aiohttp has put the connection back by itself.
        if not self._is_done:
            self._let_go()
            self._pool.idle += 1
            self._response.release()
            self._place.leave()

    def _let_go(self) -> None:
        self._is_done = True
        if self._held is not None:
            self._held.release()
        self._pool.responses.discard(self)
        self._alarm.stop()
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


def _call(method: Callable[[], None] | None) -> None:
    if method is not None:
        method()


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
