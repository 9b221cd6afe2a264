"""The one loop that sends: a request goes in, an accepted answer or a typed error comes out.

The rule of this file: retries, redirects and error statuses are decided here and nowhere else.
It knows requests and answers as bytes; what they mean is for the layers on both sides.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from ._bodies import read_error_body
from ._config import Limits, RetryPolicy, Secret, Timeouts, key_from
from ._error_bodies import error_from_response
from ._retry import delay_before_retry
from ._transport import PoolStats, Request, Response, Transport
from ._version import __version__
from .errors import APIStatusError, AuthenticationError, OpenRouterError, ProtocolError

__all__ = ["USER_AGENT", "Sender"]

T = TypeVar("T")

USER_AGENT: Final = (
    f"openrouter-async/{__version__} Python/{sys.version_info.major}.{sys.version_info.minor}"
)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5


class Sender:
    """What every request of one client shares: the key, the origin, the pools and the rules.

    It pickles without the key and without connections.
    """

    def __init__(
        self,
        key: Secret | None,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        transport: Mapping[str, Any],
    ) -> None:
        self.key = key
        self.base_url = base_url
        self.timeouts = timeouts
        self.limits = limits
        self.is_closed = False
        self._retry = retry
        self._headers = {"User-Agent": USER_AGENT, **headers}
        self._transport_arguments = transport
        self._transport = Transport(timeouts, limits, **transport)

    async def send(
        self,
        method: str,
        path: str,
        accept: Callable[[Response], Awaitable[T]],
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> T:
        """Send until the response is accepted, trying again where `_retry` says so."""
        import asyncio

        attempt = 0
        while True:
            attempt += 1
            try:
                request = self._request(method, path, headers, body, query)
                return await accept(await self._open(request, timeouts or self.timeouts))
            except OpenRouterError as error:
                error.attempts = attempt
                delay = delay_before_retry(self._retry, attempt, error)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    def refuse_if_closed(self) -> None:
        """Raise where nothing may be sent any more."""
        if self.is_closed:
            raise RuntimeError("this client is closed; make another OpenRouter()")

    async def greet(self) -> bool:
        """Open a connection with a request that costs nothing and carries no key."""
        try:
            response = await self._transport.open(
                Request("HEAD", f"{self.base_url}/models", {"User-Agent": USER_AGENT})
            )
        except OpenRouterError:
            return False
        response.finish()
        return True

    def stats(self) -> PoolStats:
        """Count the connections."""
        return self._transport.stats()

    async def aclose(self) -> None:
        """Close all connections; nothing can be sent afterwards."""
        self.is_closed = True
        await self._transport.aclose()

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        query: Mapping[str, str] | None,
    ) -> Request:
        self.refuse_if_closed()
        if self.key is None:
            raise _no_key()
        everything = {**self._headers, **headers}
        if self.key:
            everything["Authorization"] = f"Bearer {self.key.reveal()}"
        # A model's name in a path may hold characters that mean something in a URL.
        url = self.base_url + quote(path, safe="/:@~!$&'()*+,;=%")
        return Request(method, url, everything, body, query)

    async def _open(self, request: Request, timeouts: Timeouts) -> Response:
        """Send once, following redirects within the origin, and raise an error status."""
        for _ in range(_MAX_REDIRECTS):
            response = await self._transport.open(request, timeouts)
            if response.status not in _REDIRECTS or "location" not in response.headers:
                break
            response.close()
            request = _redirected(request, response)
        else:
            raise ProtocolError(f"more than {_MAX_REDIRECTS} redirects")
        if 200 <= response.status < 300:
            return response
        raise await self._refusal(response, timeouts)

    async def _refusal(self, response: Response, timeouts: Timeouts) -> APIStatusError:
        """Give the exception of an answer with an error status."""
        body = await read_error_body(response, timeouts, self.limits.max_error_body)
        error = error_from_response(
            response.status,
            response.headers,
            body,
            now=time.time(),
            secret=self.key.reveal() if self.key is not None else None,
        )
        error.phase = "headers"
        return error

    def __getstate__(self) -> dict[str, Any]:
        if self._transport_arguments["session"] is not None:
            raise TypeError("a client with a session of your own cannot be pickled")
        state = dict(self.__dict__)
        del state["_transport"]
        # The key does not travel, as the other side has its own environment; that none is to be
        # sent does.
        sends_none = self.key is not None and not self.key
        state["key"] = "" if sends_none else None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.key = key_from(state["key"])
        self._transport = Transport(self.timeouts, self.limits, **self._transport_arguments)


def _no_key() -> AuthenticationError:
    error = AuthenticationError(
        "no API key: pass api_key to OpenRouter or set the variable OPENROUTER_API_KEY "
        "(api_key='' is for a server that needs none)"
    )
    error.phase = "queue"
    return error


def _redirected(request: Request, response: Response) -> Request:
    """Give the request that a redirect asks for, if it stays within the origin.

    The prompt is a secret too: it goes to no other host than the configured one.
    """
    target = urljoin(request.url, response.headers["location"])
    old, new = urlsplit(request.url), urlsplit(target)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        raise ProtocolError(
            f"the server redirects to another origin ({new.scheme}://{new.hostname or ''}), which "
            "would be given the prompt; if that is right, set base_url to it"
        )
    if request.method not in ("GET", "HEAD") and response.status not in (307, 308):
        raise ProtocolError(
            f"the server answers a {request.method} with redirect {response.status}, which would "
            "turn it into a GET; check base_url"
        )
    return Request(request.method, target, request.headers, request.body, None)
