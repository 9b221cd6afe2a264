"""A server on this machine that one browser is sent back to.

The rule of this file: it listens on loopback alone, for one answer, and is gone afterwards however
the wait ends. What a request means is told by the function that is given; nothing of it is kept or
shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from .errors import AuthenticationError, OpenRouterError

__all__ = ["Loopback"]

_HOST: Final = "127.0.0.1"
_PATH: Final = "/callback"
_HEAD_LIMIT: Final = 16 * 1024
_PATIENCE: Final = 10.0  # seconds for a browser's request; it sends it at once
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    "<p>{title}. You can close this window.</p></html>"
)


class Loopback:
    """Listens on 127.0.0.1 until `receive` has what it waits for.

    Args:
        port: The port; 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._read: Callable[[str], str] | None = None
        self._received: asyncio.Future[str] | None = None

    async def __aenter__(self) -> Self:
        self._received = asyncio.get_running_loop().create_future()
        self._server = await asyncio.start_server(self._serve, _HOST, self._port, limit=_HEAD_LIMIT)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in tuple(self._writers):
            writer.close()
        if self._received is not None:
            self._received.cancel()

    @property
    def url(self) -> str:
        """Where a browser is to be sent."""
        return f"http://{_HOST}:{self._port}{_PATH}"

    def expect(self, read: Callable[[str], str]) -> None:
        """Say what to take, before a browser can bring it.

        Args:
            read: Gives what a query holds. An `AuthenticationError` is told to the browser, and
                the wait goes on: any page on this machine can send a request here.
        """
        self._read = read

    async def receive(self) -> str:
        """Wait for the redirect.

        Raises:
            OpenRouterError: What the reading raised, but for an `AuthenticationError`.
        """
        assert self._received is not None
        return await self._received

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                status, title = self._answer(head.partition(b"\r\n")[0].decode("latin-1"))
                writer.write(_response(status, title))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, TimeoutError):
            pass  # no browser speaks like this
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, line: str) -> tuple[str, str]:
        method, _, rest = line.partition(" ")
        path, _, query = rest.partition(" ")[0].partition("?")
        if path != _PATH or self._read is None or self._received is None:
            return "404 Not Found", "There is nothing here"
        if method != "GET":
            return "405 Method Not Allowed", "This is for browsers"
        try:
            found = self._read(query)
        except AuthenticationError:
            return "400 Bad Request", "This belongs to another sign-in"
        except OpenRouterError as error:
            if not self._received.done():
                self._received.set_exception(error)
            return "200 OK", "You are not signed in"
        if not self._received.done():
            self._received.set_result(found)
        return "200 OK", "You are signed in"


def _response(status: str, title: str) -> bytes:
    page = _PAGE.format(title=title).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(page)}\r\nCache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + page
