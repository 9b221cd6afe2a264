"""Foreign exceptions become ours here, and nowhere else.

The rule of this file: every aiohttp, ssl, OS and asyncio failure of a connection is named once,
with the phase in which it came; cancellation and the user's own exceptions are not foreign.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from ..errors import (
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

__all__ = ["foreign", "refused_by_proxy", "timeout_error", "translated"]


def foreign() -> tuple[type[BaseException], ...]:
    """The exceptions of the libraries below. `OSError` includes those of ssl and of timeouts."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    return OSError, EOFError, aiohttp.ClientError, HttpProcessingError


def translated(
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


def refused_by_proxy(reason: str | None) -> ProxyError:
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
