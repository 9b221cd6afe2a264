"""The one loop that sends: a request goes in, an accepted answer or a typed error comes out.

The rule of this file: retries, redirects and error statuses are decided here and nowhere else.
It knows requests and answers as bytes; what they mean is for the layers on both sides.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import lru_cache
from math import inf
from typing import Any, Final, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from ._bodies import read_error_body
from ._config import (
    Limits,
    RetryPolicy,
    Secret,
    Timeouts,
    check_key_is_safe,
    credential_among,
    key_from,
)
from ._error_bodies import error_from_response
from ._limits import Limiter, Permit
from ._pdf import BodyWithDocuments
from ._retry import classify, delay_before_retry, why_too_long
from ._stats import ClientStats, stats_of
from ._transport import Request, Response, ResponseClosed, StreamedBody, Transport
from ._turns import is_being_cancelled
from ._upload import BodyWithFiles
from ._version import __version__
from .budget import Reservation
from .errors import APIStatusError, AuthenticationError, OpenRouterError, ProtocolError
from .hooks._observation import Hooks, Observation

__all__ = ["JSON_HEADERS", "STREAM_HEADERS", "USER_AGENT", "Sender"]

T = TypeVar("T")

USER_AGENT: Final = (
    f"openrouter-async/{__version__} Python/{sys.version_info.major}.{sys.version_info.minor}"
)
STREAM_HEADERS: Final = {
    "Accept": "text/event-stream",
    # A compressed stream comes in lumps, so none is asked for.
    "Accept-Encoding": "identity",
}
JSON_HEADERS: Final = {
    "Accept": "application/json",
    # aiohttp would offer brotli and zstd too where they are installed, in whatever version.
    "Accept-Encoding": "gzip, deflate",
}

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
_DRAIN_LOOK: Final = 0.01


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
        allow_insecure_http: bool = False,
        hooks: Hooks | None = None,
    ) -> None:
        self.key = key
        self.base_url = base_url
        self._allows_insecure_http = allow_insecure_http
        self._hooks = hooks
        self.timeouts = timeouts
        self.limits = limits
        self.is_closed = False
        self.is_draining = False
        self._sending: set[object] = set()  # requests whose answer is not accepted yet
        self.retry = retry
        self._headers = {"User-Agent": USER_AGENT, **headers}
        self._named = {name.lower(): (name, value) for name, value in self._headers.items()}
        self._check_origin()
        self._transport_arguments = transport
        self._transport = Transport(timeouts, limits, **transport)
        self._limiter = Limiter(retry, limits)

    def send(
        self,
        method: str,
        path: str,
        accept: Callable[[Response], Awaitable[T]],
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        reservation: Reservation | None = None,
        needs_key: bool = True,
    ) -> Coroutine[Any, Any, T]:
        """Send until the response is accepted, trying again where `_retry` says so.

        Without `needs_key` a client that has no key sends none instead of refusing.
        """
        observation = None
        if self._hooks is not None:
            self.refuse_if_closed()
            observation = self._hooks.begin(method, path, self.base_url, body)
        sending = self._send_until_accepted(
            method,
            path,
            accept,
            headers,
            body,
            query,
            timeouts or self.timeouts,
            retry or self.retry,
            reservation,
            observation,
            needs_key,
        )
        return sending if observation is None else _observed(sending, observation)

    async def _send_until_accepted(
        self,
        method: str,
        path: str,
        accept: Callable[[Response], Awaitable[T]],
        headers: Mapping[str, str],
        body: bytes | None,
        query: Mapping[str, str] | None,
        timeouts: Timeouts,
        retry: RetryPolicy,
        reservation: Reservation | None,
        observation: Observation | None,
        needs_key: bool,
    ) -> T:
        import asyncio

        self.refuse_if_closed()
        sending = object()
        self._sending.add(sending)
        clock = asyncio.get_running_loop().time
        began = sent_at = clock()
        attempt = 0
        try:
            while True:
                attempt += 1
                try:
                    # Files are looked at anew each time, and before a connection is taken.
                    sent = await body.opened() if isinstance(body, BodyWithFiles) else body
                    request = self._request(method, path, headers, sent, query, needs_key)
                    if isinstance(body, BodyWithDocuments):
                        request.max_error_body = self.limits.max_event_size  # it may hold a parse
                    if reservation is not None:
                        request.on_leaving = reservation.leaves
                    permit = None
                    asked_at = sent_at = clock()
                    if self._limiter.may_hold_back:
                        patience = _patience(timeouts, retry, asked_at - began)
                        permit = await self._limiter.admit(path, body, *patience)
                        sent_at = clock()
                        if observation is not None:
                            observation.let_through(sent_at - asked_at)
                    response = await self._open(request, timeouts, permit)
                    response.attempt = attempt
                    if observation is not None:
                        response.observation = observation
                        observation.opened(response)
                    accepted = await accept(response)
                    response.is_handed_over = True
                    if permit is not None:
                        self._limiter.accepted(permit)
                    return accepted
                except OpenRouterError as error:
                    error.attempts = attempt
                    if isinstance(body, BodyWithDocuments):
                        body.documents.learn_from(error)
                    elapsed = clock() - began
                    is_held_back = self._limiter.refused(error, path, body, sent_at, clock())
                    delay = delay_before_retry(retry, attempt, error, elapsed=elapsed)
                    if delay is None:
                        error.args = (f"{error}{why_too_long(retry, error, elapsed)}",)
                        raise
                    if reservation is not None:
                        reservation.renew(error)
                    if observation is not None:
                        observation.retried(error, attempt, delay, is_held_back=is_held_back)
                if not is_held_back:  # else it waits in line with the others
                    await asyncio.sleep(delay)
        finally:
            self._sending.discard(sending)

    async def _open(self, request: Request, timeouts: Timeouts, permit: Permit | None) -> Response:
        """Send once; the permit is given back when the answer has ended, or with the failure."""
        try:
            if permit is not None and self.is_closed:  # while the request waited for its permit
                self.refuse_if_closed()
            response = await self._transport.open(request, timeouts)
            if response.status != 200:
                response = await self._followed(response, request, timeouts)
        except BaseException:
            if permit is not None:
                permit.release()
            raise
        if permit is not None:
            response.hold(permit)
        return response

    def refuse_if_closed(self) -> None:
        """Raise where nothing may be sent any more."""
        if self.is_draining:
            raise RuntimeError("this client is being drained and takes no new request")
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

    def stats(self) -> ClientStats:
        """Count the connections, and who waits for what."""
        return stats_of(self._transport.stats(), self._limiter)

    async def drain(self, timeout: float) -> int:
        """Take no new request, let the running ones end, then close; give how many were cut."""
        import asyncio

        self.refuse_if_closed()
        self.is_draining = True
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout
        # Looked at now and then: requests end in several loops and threads, which would all have
        # to tell this one, and nothing waits for the moment after the last.
        while (left := self._running()) and loop.time() < ends:  # noqa: ASYNC110
            await asyncio.sleep(min(_DRAIN_LOOK, max(0.0, ends - loop.time())))
        await self.aclose()
        return left

    def _running(self) -> int:
        return len(self._sending) + self._transport.answering()

    async def aclose(self) -> None:
        """Close all connections; nothing can be sent afterwards."""
        self.is_draining = False
        self.is_closed = True
        self._limiter.close()
        await self._transport.aclose()

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | StreamedBody | None,
        query: Mapping[str, str] | None,
        needs_key: bool,
    ) -> Request:
        if self.is_closed:
            self.refuse_if_closed()
        if self.key is None and needs_key:
            raise _no_key()
        named = self._named | {name.lower(): (name, value) for name, value in headers.items()}
        if self.key:
            named["authorization"] = "Authorization", self.key.authorization
        return Request(method, _url_of(self.base_url, path), dict(named.values()), body, query)

    async def _followed(self, response: Response, request: Request, timeouts: Timeouts) -> Response:
        """Follow redirects within the origin, and raise an error status."""
        redirects = 0
        while response.status in _REDIRECTS and "location" in response.headers:
            response.close()
            redirects += 1
            if redirects == _MAX_REDIRECTS:
                raise ProtocolError(f"{_MAX_REDIRECTS} redirects in a row")
            request = _redirected(request, response)
            response = await self._transport.open(request, timeouts)
        if 200 <= response.status < 300:
            return response
        limit = max(self.limits.max_error_body, request.max_error_body)
        raise await self._refusal(response, timeouts, limit)

    async def _refusal(
        self, response: Response, timeouts: Timeouts, max_body: int
    ) -> APIStatusError:
        """Give the exception of an answer with an error status."""
        body = await read_error_body(response, timeouts, max_body)
        error = error_from_response(
            response.status,
            response.headers,
            body,
            now=time.time(),
            secret=self.key.reveal() if self.key is not None else None,
        )
        error.phase = "headers"
        if classify(error) == "unknown":
            error.billed = "unknown"
        return error

    def _check_origin(self) -> None:
        """Refuse an origin to which the key would go in the clear."""
        names = {name.lower() for name in self._headers}
        if self.key or "authorization" in names:
            check_key_is_safe(self.base_url, allow_insecure_http=self._allows_insecure_http)

    def __getstate__(self) -> dict[str, Any]:
        if self._transport_arguments["session"] is not None:
            raise TypeError("a client with a session of your own cannot be pickled")
        if "@" in (self._transport_arguments["proxy"] or ""):
            raise TypeError(
                "a client whose proxy= holds a password cannot be pickled; name the proxy in the "
                "other side's environment instead"
            )
        name = credential_among(self._headers)
        if name is not None:
            raise TypeError(
                f"a client whose headers= hold {name!r} cannot be pickled, as that is a credential "
                "by its name; make the client on the other side"
            )
        state = dict(self.__dict__)
        del state["_transport"], state["_limiter"]
        state["_sending"] = set()
        # The key does not travel, as the other side has its own environment; that none is to be
        # sent does.
        sends_none = self.key is not None and not self.key
        state["key"] = "" if sends_none else None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.key = key_from(state["key"])
        self._check_origin()
        self._transport = Transport(self.timeouts, self.limits, **self._transport_arguments)
        self._limiter = Limiter(self.retry, self.limits)


def _patience(timeouts: Timeouts, retry: RetryPolicy, elapsed: float) -> tuple[float, str]:
    """Give how long a request may wait in line, in seconds, and which setting says so."""
    queue = inf if timeouts.queue is None else timeouts.queue
    left = inf if retry.total is None else retry.total - elapsed
    return (queue, "Timeouts.queue") if queue <= left else (left, "RetryPolicy.total")


@lru_cache(maxsize=1_024)
def _url_of(base_url: str, path: str) -> str:
    if path.startswith("/api/"):  # ``/api/beta/...`` stands beside ``/api/v1``
        base_url = base_url.rpartition("/api/")[0] or base_url
    # A model's name in a path may hold characters that mean something in a URL.
    return base_url + quote(path, safe="/:@~!$&'()*+,;=%")


async def _observed(sending: Coroutine[Any, Any, T], observation: Observation) -> T:
    """Tell how a request came out."""
    try:
        accepted = await sending
    except BaseException as error:
        was_left = isinstance(error, ResponseClosed | StopAsyncIteration)
        observation.failed(error, was_left=was_left, is_cancelled=is_being_cancelled())
        raise
    observation.answered(accepted)
    return accepted


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
