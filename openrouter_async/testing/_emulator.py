"""The emulator as its users hold it.

The rule of this file: lifetime and the public face. What happened is kept by the desk, what is
said without a script comes from the service, and the sockets are the server's; that one is
imported when an emulator starts, so that importing this package stays cheap.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from openrouter_async.testing._desk import BASE_PATH, Desk, ReceivedRequest
from openrouter_async.testing._script import Reply
from openrouter_async.testing._service import Service
from openrouter_async.testing._thread import running_in_thread

if TYPE_CHECKING:
    from ssl import SSLContext
    from types import TracebackType

    from openrouter_async.testing._server import SocketServer

__all__ = ["Emulator"]


class Emulator:
    """A server on loopback that speaks OpenRouter's API.

    It answers with what `play` and `always` set, and otherwise with a pretend model.

    Args:
        api_key: The only key it accepts; None accepts any key that is not empty.
        management_key: The only key that management calls accept; None accepts any.
        pace: Wait between two deltas of the pretend model, in seconds.
        ssl: Serve TLS with this context.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.

    >>> async with Emulator() as emulator:              # doctest: +SKIP
    ...     emulator.play(chat("Hello", " there"))
    ...     async with OpenRouter("sk-test", base_url=emulator.base_url) as client:
    ...         print((await client.complete("Hi")).text)
    Hello there
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        management_key: str | None = None,
        pace: float = 0.0,
        ssl: SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._desk = Desk()
        self._service = Service(api_key=api_key, pace=pace, management_key=management_key)
        self._ssl = ssl
        self._host = host
        self._port = port
        self._bound = 0
        self._server: SocketServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        from openrouter_async.testing._server import SocketServer

        if self._server is not None:
            raise RuntimeError("the emulator is running already")
        self._loop = asyncio.get_running_loop()
        server = SocketServer(self._desk, self._service)
        self._bound = await server.start(self._host, self._port, self._ssl)
        self._server = server
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    @classmethod
    @contextmanager
    def in_thread(
        cls,
        *,
        api_key: str | None = None,
        management_key: str | None = None,
        pace: float = 0.0,
        ssl: SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> Generator[Self, None, None]:
        """Run an emulator on an event loop of its own in a thread of its own.

        For code with several event loops, with threads or with none. The arguments are those
        of `Emulator`.

        >>> with Emulator.in_thread() as emulator:
        ...     emulator.base_url.startswith("http://127.0.0.1:")
        True
        """
        emulator = cls(
            api_key=api_key,
            management_key=management_key,
            pace=pace,
            ssl=ssl,
            host=host,
            port=port,
        )
        with running_in_thread(emulator):
            yield emulator

    @property
    def base_url(self) -> str:
        """The address to give to a client, `http://127.0.0.1:PORT/api/v1`.

        Raises:
            RuntimeError: The emulator was never started.
        """
        if not self._bound:
            raise RuntimeError("the emulator has no address before it is started")
        scheme = "https" if self._ssl is not None else "http"
        return f"{scheme}://{self._host}:{self._bound}{BASE_PATH}"

    def play(self, *replies: Reply, path: str | None = None) -> None:
        """Queue replies; each answers one request, in order.

        Args:
            replies: What to answer.
            path: Answer requests of any method to this path under `base_url` ("/models");
                None answers the next POST requests, whatever their path.

        Raises:
            TypeError: One of `replies` is no `Reply`.
        """
        self._desk.play(replies, path)

    def always(self, reply: Reply | None, *, path: str | None = None) -> None:
        """Answer every request for which nothing is queued.

        Args:
            reply: What to answer; None goes back to the pretend model.
            path: As for `play`.

        Raises:
            TypeError: `reply` is no `Reply`.
        """
        self._desk.always(reply, path)

    def release(self, count: int = 1) -> None:
        """Open the next `count` gates of `Hold` steps, in the order they were reached.

        A gate that is not reached yet will stand open.
        """
        self._desk.gates.release(count)

    def drop_connections(self, *, reset: bool = False) -> None:
        """Close every open connection at the server's side, idle ones too.

        It happens at the next turn of the emulator's loop; `open_connections` tells.

        Args:
            reset: End them with RST instead of FIN.
        """
        server, loop = self._server, self._loop
        if server is not None and loop is not None:
            loop.call_soon_threadsafe(lambda: server.drop(reset=reset))

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Every request that was read to its end, in order of arrival."""
        return self._desk.requests

    @property
    def accepted(self) -> int:
        """How many POST requests were read to their end, whatever the answer was."""
        return self._desk.accepted

    @property
    def connections(self) -> int:
        """How many TCP connections were ever accepted."""
        return self._desk.connections

    @property
    def open_connections(self) -> int:
        """How many TCP connections are open now."""
        return self._desk.open_connections

    @property
    def disconnects(self) -> int:
        """How many requests lost their client before the answer was complete."""
        return self._desk.disconnects

    @property
    def parsed(self) -> Counter[str]:
        """How often the pretend model had each document parsed, by the hash in its annotation."""
        return self._service.parsed

    @property
    def holding(self) -> int:
        """How many answers wait at a `Hold` gate now."""
        return len(self._desk.gates)

    async def wait_for(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait until a condition holds, on any event loop.

        Args:
            condition: Looked at whenever the emulator's state changes.
            timeout: How long to wait, in seconds.

        Raises:
            TimeoutError: It did not hold in time; the message tells the state.
        """
        if not await self._desk.watch.until(condition, timeout):
            raise TimeoutError(self._state(timeout))

    def block_until(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        """Do as `wait_for` does in a thread without a loop; see `in_thread`.

        Raises:
            TimeoutError: It did not hold in time.
        """
        if not self._desk.watch.block_until(condition, timeout):
            raise TimeoutError(self._state(timeout))

    def _state(self, timeout: float) -> str:
        return (
            f"the condition did not hold within {timeout:g} s: {self.accepted} requests "
            f"accepted, {self.connections} connections made, {self.open_connections} open, "
            f"{self.holding} answers held, {self.disconnects} clients gone"
        )
