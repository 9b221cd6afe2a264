"""A server on loopback that passes requests on to the real one, and records what passes.

The rule of this file: what a client gets is what the server sends, byte for byte and as it comes;
what is kept of it goes through the redactor. Imported when a recording starts, as it imports
aiohttp.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Literal, Self, TypeAlias, cast
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from openrouter_async._transport.network import load
from openrouter_async.testing._tape import Interaction, Redactor, Tape

__all__ = ["Recorder"]

_log: Final = logging.getLogger("openrouter_async")

_Framing: TypeAlias = Literal["chunked", "length"]

# What concerns one connection, and what is made anew for the other.
_OWN: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Recorder:
    """Passes requests on and records them.

    Args:
        tape: Where interactions go, in the order in which they begin.
        redactor: What they go through before.
    """

    def __init__(self, tape: Tape, redactor: Redactor) -> None:
        parts = urlsplit(tape.upstream)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/")
        self._tape = tape
        self._redactor = redactor
        self._port = 0

    @property
    def base_url(self) -> str:
        """The address to give to a client."""
        return f"http://127.0.0.1:{self._port}{self._path}"

    async def __aenter__(self) -> Self:
        # Deadlines are the client's, and so are the authorities that it trusts. What comes
        # compressed nevertheless is decompressed, as it could not be redacted otherwise.
        trusted = load(None, needs_tls=self._origin.startswith("https:"))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=True if trusted is None else trusted),
            timeout=aiohttp.ClientTimeout(total=None, sock_read=None),
            trust_env=True,
        )
        self._server = web.Server(
            self._handle, handler_cancellation=True, access_log=None, keepalive_timeout=3600.0
        )
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._server, "127.0.0.1", 0)
        self._port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        await self._server.shutdown(timeout=0)
        await self._session.close()
        await self._listener.wait_closed()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = b"".join([part async for part in request.content.iter_any()])
        headers = [(name, value) for name, value in request.headers.items() if _passes(name)]
        headers.append(("Accept-Encoding", "identity"))
        try:
            answering = await self._session.request(
                request.method,
                URL(f"{self._origin}{request.raw_path}", encoded=True),
                headers=headers,
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Content-Type"),
            )
        except aiohttp.ClientError as error:
            # There was no answer, and so there is nothing to record.
            _log.warning("%s could not be reached to record it: %s", self._origin, error)
            return _hung_up(request)
        async with answering as answer:
            return await self._pass_on(request, body, answer)

    async def _pass_on(
        self, request: web.BaseRequest, body: bytes, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        redact = self._redactor
        path, _, query = request.raw_path.partition("?")
        asked = redact.asked(
            request.method, path.removeprefix(self._path), query, request.headers, body
        )
        # The length is that of the compressed body, where there is one.
        is_plain = "Content-Encoding" not in answer.headers
        has_length = is_plain and "Content-Length" in answer.headers
        framing: _Framing = "length" if has_length else "chunked"
        pieces: list[bytes] = []
        end: Literal["whole", "left", "broken"] = "left"
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        for name, value in answer.headers.items():
            if _passes(name):
                response.headers.add(name, value)
        if framing == "length":
            response.content_length = int(answer.headers["Content-Length"])
        else:
            response.enable_chunked_encoding()
        # Its place in the order is that of its beginning.
        interaction = Interaction(
            request=asked, response=redact.answered(answer.status, answer.headers, framing, (), end)
        )
        self._tape.interactions.append(interaction)
        try:
            await response.prepare(request)
            try:
                await self._copy(answer, response, pieces)
            except aiohttp.ClientError:
                end = "broken"
                return _hung_up(request)
            await response.write_eof()
            end = "whole"
        except ConnectionError:
            return _hung_up(request)
        finally:
            interaction.response = redact.answered(
                answer.status, answer.headers, framing, pieces, end
            )
        return response

    async def _copy(
        self, answer: aiohttp.ClientResponse, response: web.StreamResponse, pieces: list[bytes]
    ) -> None:
        """Pass a body on as it comes, and keep it by the chunks of HTTP in which it was sent."""
        is_open = False
        async for data, ends_chunk in answer.content.iter_chunks():
            if data:
                if is_open:
                    pieces[-1] += data
                else:
                    pieces.append(data)
                await response.write(data)
            is_open = not ends_chunk


def _passes(name: str) -> bool:
    return name.lower() not in _OWN


def _hung_up(request: web.BaseRequest) -> web.StreamResponse:
    """End a client's connection as the server's has ended."""
    if request.transport is not None:
        cast("Any", request.transport).abort()
    return web.Response()
