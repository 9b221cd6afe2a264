"""A TCP proxy that spoils the wire between a client and a server, at a byte or on demand.

The rule of this file: bytes and sockets. It knows neither HTTP nor TLS, so it stands before any
server, and what it does to a connection is what a network does: it ends it, resets it, holds it
up, slows it down or changes a byte.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from openrouter_async.testing._sockets import arrived, linger_zero
from openrouter_async.testing._steps import Cut, Pause, Reset, Stall
from openrouter_async.testing._thread import running_in_thread
from openrouter_async.testing._watch import Watch

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Corrupt", "Fault", "FaultProxy", "Slow"]

_BLOCK: Final = 64 * 1024
_TICK: Final = 0.02  # seconds between two pieces on a slow wire
_FAREWELL: Final = 1.0  # seconds for the two ends to hang up after a cut


@dataclass(frozen=True, slots=True)
class Slow:
    """Forward at most `rate` bytes a second, in both directions, until `FaultProxy.restore`."""

    rate: float

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"rate must be greater than 0 bytes a second, got {self.rate}")


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Change what comes next: put `data` in its place, or turn over all bits of one byte."""

    data: bytes | None = None


Damage: TypeAlias = Cut | Reset | Stall | Pause | Slow | Corrupt
Way: TypeAlias = Literal["request", "response"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls one connection, and when.

    Args:
        damage: `Cut` ends the connection in good order (FIN), `Reset` with RST; `Stall` forwards
            nothing more in either direction until `FaultProxy.restore`, `Pause` nothing in this
            one for so many seconds; `Slow` and `Corrupt` as they say.
        after: How many bytes pass before, in this direction. 0 of the request is before the
            server is connected to, 0 of the response is when the server begins to answer.
        way: The direction whose bytes are counted.

    >>> Fault(Reset(), after=120)
    Fault(damage=Reset(), after=120, way='response')
    """

    damage: Damage
    after: int = 0
    way: Way = "response"

    def __post_init__(self) -> None:
        if self.after < 0:
            raise ValueError(f"after must be at least 0 bytes, got {self.after}")
        if self.way not in ("request", "response"):
            raise ValueError(f"way must be 'request' or 'response', got {self.way!r}")


class FaultProxy:
    """A TCP proxy on loopback whose wire goes wrong as you say.

    Connections pass unharmed unless `play` or `always` says otherwise; `cut`, `reset`, `stall`
    and `slow` befall every open connection at once, from any thread.

    Args:
        target: The base URL of the server behind it, such as `Emulator.base_url`.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.

    Attributes:
        connections: How many connections were ever accepted.
        request_bytes: How many bytes were forwarded to the server.
        response_bytes: How many bytes were forwarded to clients.

    >>> async with Emulator() as emulator, FaultProxy(emulator.base_url) as proxy:  # doctest: +SKIP
    ...     proxy.play(Fault(Reset(), after=300))
    ...     async with OpenRouter("sk-test", base_url=proxy.base_url) as client:
    ...         await client.complete("Hi")
    Traceback (most recent call last):
    openrouter_async.errors.StreamBrokenError: the connection broke: ...
    """

    def __init__(self, target: str, *, host: str = "127.0.0.1", port: int = 0) -> None:
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"target must be an http or https URL, got {target!r}")
        self._target = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        self._scheme, self._path = parts.scheme, parts.path
        self._host, self._port = host, port
        self._bound = 0
        self._listener: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch = Watch()
        self._queued: deque[Fault | None] = deque()
        self._standing: Fault | None = None
        self._is_stalled = False
        self._rate: float | None = None
        self._wires: dict[_Wire, asyncio.Task[None]] = {}
        self.connections = 0
        self.request_bytes = 0
        self.response_bytes = 0

    async def __aenter__(self) -> Self:
        if self._listener is not None:
            raise RuntimeError("the proxy is running already")
        self._loop = asyncio.get_running_loop()
        self._listener = await asyncio.start_server(self._accept, self._host, self._port)
        self._bound = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        await asyncio.sleep(0)  # who has just come is let in, or nobody would close its socket
        serving = list(self._wires.values())
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await listener.wait_closed()

    @classmethod
    @contextmanager
    def in_thread(cls, target: str, *, host: str = "127.0.0.1", port: int = 0) -> Generator[Self]:
        """Run a proxy on an event loop of its own in a thread of its own, as `Emulator` does."""
        proxy = cls(target, host=host, port=port)
        with running_in_thread(proxy):
            yield proxy

    @property
    def base_url(self) -> str:
        """The address to give to a client: the target's, by way of this proxy.

        Raises:
            RuntimeError: The proxy was never started.
        """
        if not self._bound:
            raise RuntimeError("the proxy has no address before it is started")
        return f"{self._scheme}://{self._host}:{self._bound}{self._path}"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._wires)

    def play(self, *faults: Fault | None) -> None:
        """Queue faults; each befalls one of the next connections, in order; None spares one."""
        self._queued.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """Set what befalls every connection for which nothing is queued; None spares them."""
        self._standing = fault

    def cut(self) -> None:
        """End every open connection in good order (FIN), with whatever has passed."""
        self._soon(lambda: self._end(Cut()))

    def reset(self) -> None:
        """Reset every open connection (RST)."""
        self._soon(lambda: self._end(Reset()))

    def stall(self) -> None:
        """Forward nothing more, on open connections and on new ones, until `restore`.

        That one end has hung up is not forwarded either, as when a cable is pulled.
        """
        self._is_stalled = True
        self._soon(lambda: self._each(_Wire.stall))

    def slow(self, rate: float) -> None:
        """Forward at most `rate` bytes a second on each connection, new ones too.

        Raises:
            ValueError: `rate` is not greater than 0.
        """
        self._rate = Slow(rate).rate
        self._soon(lambda: self._each(lambda wire: wire.slow(rate)))

    def restore(self) -> None:
        """Have everything pass again, what was held up first; queued faults stay queued."""
        self._is_stalled, self._rate = False, None
        self._soon(lambda: self._each(_Wire.restore))

    async def wait_for(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait until a condition holds, on any event loop; looked at whenever bytes pass.

        Raises:
            TimeoutError: It did not hold in time.
        """
        if not await self._watch.until(condition, timeout):
            raise TimeoutError(
                f"the condition did not hold within {timeout:g} s: {self.connections} connections "
                f"made, {self.open_connections} open, {self.request_bytes} bytes of requests and "
                f"{self.response_bytes} of responses forwarded"
            )

    # The proxy's own loop.

    def _soon(self, act: Callable[[], object]) -> None:
        if self._listener is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(act)

    def _each(self, act: Callable[[_Wire], object]) -> None:
        for wire in tuple(self._wires):
            act(wire)

    def _end(self, damage: Cut | Reset) -> None:
        self._each(lambda wire: wire.end(damage))

    def _passed(self, way: Way, size: int) -> None:
        if way == "request":
            self.request_bytes += size
        else:
            self.response_bytes += size
        self._watch.notify()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._queued.popleft() if self._queued else self._standing
        wire = _Wire(fault, self._rate, self._passed)
        if self._is_stalled:
            wire.stall()
        # A task of ours: one of asyncio's own complains in Python 3.11 when it is cancelled.
        self._wires[wire] = asyncio.create_task(self._serve(wire, reader, writer))
        self.connections += 1
        self._watch.notify()

    async def _serve(
        self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await wire.run(reader, writer, *self._target)
        finally:
            del self._wires[wire]
            self._watch.notify()


class _Wire:
    """One client's connection and the server's that belongs to it."""

    def __init__(
        self, fault: Fault | None, rate: float | None, passed: Callable[[Way, int], None]
    ) -> None:
        self.rate = rate
        self.passed = passed
        self.is_flowing = asyncio.Event()
        self.is_flowing.set()
        self._fault = fault
        self._ended: asyncio.Future[Cut | Reset] = asyncio.get_running_loop().create_future()
        self._ends: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def end(self, damage: Cut | Reset) -> None:
        if not self._ended.done():
            self._ended.set_result(damage)

    def stall(self) -> None:
        self.is_flowing.clear()

    def slow(self, rate: float) -> None:
        self.rate = rate

    def restore(self) -> None:
        self.rate = None
        self.is_flowing.set()

    async def suffer(self, damage: Cut | Reset | Stall | Pause | Slow) -> None:
        """Have the damage done to the connection as a whole."""
        if isinstance(damage, Cut | Reset):
            self.end(damage)
            await asyncio.get_running_loop().create_future()  # until the flow is cancelled
        elif isinstance(damage, Stall):
            self.stall()
        elif isinstance(damage, Slow):
            self.slow(damage.rate)
        else:
            await asyncio.sleep(damage.seconds)

    async def run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        """Forward until both ends have hung up, one breaks, or a fault ends it."""
        self._ends.append((reader, writer))
        flow = asyncio.create_task(self._flow(host, port))
        self._ended.add_done_callback(lambda _: flow.cancel())
        try:
            (failure,) = await asyncio.gather(flow, return_exceptions=True)
            if failure is not None:
                self.end(Reset())  # one end broke, or there is no server: so does the other
            await self._hang_up()
        finally:
            for _, writer in self._ends:
                writer.transport.abort()
            for _, writer in self._ends:
                with suppress(OSError):
                    await writer.wait_closed()

    async def _flow(self, host: str, port: int) -> None:
        (from_client, to_client), fault = self._ends[0], self._fault
        request = _Lane(self, "request", fault)
        if fault is not None and fault.way == "request" and fault.after == 0:
            await request.meet(fault)
        self._ends.append(await asyncio.open_connection(host, port))
        from_server, to_server = self._ends[1]
        for writer in (to_client, to_server):
            # Nothing waits here: who is not read from shall notice.
            writer.transport.set_write_buffer_limits(high=1, low=0)
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(request.run(from_client, to_server))
            lanes.create_task(_Lane(self, "response", fault).run(from_server, to_client))

    async def _hang_up(self) -> None:
        damage = self._ended.result() if self._ended.done() else None
        if isinstance(damage, Reset):
            for _, writer in self._ends:
                await arrived(writer.transport)
                linger_zero(writer.transport)
        elif isinstance(damage, Cut):
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_FAREWELL):
                    # Closing over bytes that nobody has read would be a reset.
                    for _, writer in self._ends:
                        writer.write_eof()
                    for reader, _ in self._ends:
                        while await reader.read(_BLOCK):
                            pass


class _Lane:
    """One direction of a connection."""

    __slots__ = ("_corrupt", "_fault", "_passed", "_way", "_wire")

    def __init__(self, wire: _Wire, way: Way, fault: Fault | None) -> None:
        self._wire = wire
        self._way: Way = way
        self._fault = fault if fault is not None and fault.way == way else None
        self._passed = 0
        self._corrupt: Corrupt | None = None

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward up to the end of what comes, and then that end."""
        while data := await reader.read(_BLOCK):
            fault = self._fault
            if fault is not None and fault.after <= self._passed + len(data):
                before = fault.after - self._passed
                await self._forward(data[:before], writer)
                await self.meet(fault)
                data = data[before:]
            await self._forward(self._spoiled(data), writer)
        await self._wire.is_flowing.wait()
        writer.write_eof()

    async def meet(self, fault: Fault) -> None:
        """Have the fault happen."""
        self._fault = None
        if isinstance(fault.damage, Corrupt):
            self._corrupt = fault.damage
        else:
            await self._wire.suffer(fault.damage)

    def _spoiled(self, data: bytes) -> bytes:
        corrupt = self._corrupt
        if corrupt is None or not data:
            return data
        bad = bytes([data[0] ^ 0xFF]) if corrupt.data is None else corrupt.data
        left = bad[len(data) :]
        self._corrupt = Corrupt(left) if left else None
        return bad[: len(data)] + data[len(bad) :]

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        wire = self._wire
        while data:
            await wire.is_flowing.wait()
            rate = wire.rate
            size = len(data) if rate is None else max(1, int(rate * _TICK))
            piece, data = data[:size], data[size:]
            writer.write(piece)
            await writer.drain()
            self._passed += len(piece)
            wire.passed(self._way, len(piece))
            if rate is not None:
                await asyncio.sleep(len(piece) / rate)
