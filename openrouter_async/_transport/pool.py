"""The connections of one event loop, and how they end with it.

The rule of this file: one aiohttp session a loop, made with every deadline of aiohttp's own
switched off, and closed inside its loop.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final, Protocol

from .ledger import Holder, Ledger

if TYPE_CHECKING:
    import asyncio
    import ssl

    import aiohttp

    from .._config import Limits, Timeouts

__all__ = ["Pool"]

_READ_SIZE: Final = 2**16


class _Owner(Protocol):
    """Whoever keeps pools by their loops."""

    def forget(self, loop: asyncio.AbstractEventLoop) -> object:
        """Let go of the pool of a loop."""


class Pool(Ledger):
    """The connections of one loop, in one aiohttp session."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeouts: Timeouts,
        limits: Limits,
        proxy: str | None,
        tls: ssl.SSLContext | None,
        session: aiohttp.ClientSession | None,
    ) -> None:
        super().__init__(loop, timeouts, limits)
        self.proxy = proxy
        self.tls = tls
        self.owned = session is None
        self.session = session if session is not None else _new_session(limits, tls)
        if getattr(self.session, "_loop", loop) is not loop:
            raise RuntimeError(
                "the aiohttp session given as session= belongs to another event loop; make the "
                "client in the loop that uses it, or leave session= out"
            )
        self._until_loop_ends: AsyncGenerator[None, None] | None = None

    async def start(self, transport: weakref.ref[_Owner]) -> None:
        """Tie the pool to the end of its loop."""
        if self.owned:
            self._until_loop_ends = _close_at_end(
                self.session, self.responses, self.loop, transport
            )
            await anext(self._until_loop_ends)

    async def aclose(self) -> None:
        """Close everything but a session of the user's."""
        self.abort()
        if self._until_loop_ends is not None and not self.loop.is_closed():
            await self._until_loop_ends.aclose()
        elif self.owned:
            await self.session.close()


async def _close_at_end(
    session: aiohttp.ClientSession,
    responses: set[Holder],
    loop: asyncio.AbstractEventLoop,
    transport: weakref.ref[_Owner],
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

    from .reuse import CheckedRequest, ReportingConnector

    connector = ReportingConnector(
        limit=0,  # the line of places is the one limit
        keepalive_timeout=limits.keepalive,
        ttl_dns_cache=int(limits.dns_ttl) or 1,
        ssl=tls if tls is not None else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        request_class=CheckedRequest,
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        # aiohttp's `trust_env` also reads ~/.netrc; the proxy is found by `environment_proxy`.
        trust_env=False,
        read_bufsize=_READ_SIZE,
    )
