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

__all__ = ["closed_before_sending", "foreign", "refused_by_proxy", "timeout_error", "translated"]


def foreign() -> tuple[type[BaseException], ...]:
    """The exceptions of the libraries below. `OSError` includes those of ssl and of timeouts."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    return OSError, EOFError, aiohttp.ClientError, HttpProcessingError


def closed_before_sending() -> type[BaseException]:
    """The exception of a connection that was closed before any byte of the request was written."""
    from .reuse import ClosedBeforeSendingError

    return ClosedBeforeSendingError


def translated(
    error: BaseException, phase: Phase, url: str
) -> tuple[OpenRouterError, BaseException | None]:
    """Turn a foreign exception into ours, and give the cause that may be shown with it."""
    failure = _ours(error, phase, url)
    cause = _shown(error)
    if cause is not None:
        _cut_frames(cause)
    return failure, cause


def _shown(error: BaseException) -> BaseException | None:
    """Give what of a foreign exception holds neither headers nor a proxy's password."""
    import aiohttp

    if isinstance(error, aiohttp.ClientResponseError):
        return None
    key: object = getattr(error, "_conn_key", None)
    if getattr(key, "proxy", key) is None:
        return error
    return _inner(error) or error


def _cut_frames(error: BaseException) -> None:
    """Take the tracebacks off an exception and all behind it.

    Their frames have the request as local variables: aiohttp's the headers, asyncio's the very
    bytes that it wrote. Error trackers show local variables.
    """
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]


def _ours(error: BaseException, phase: Phase, url: str) -> OpenRouterError:
    import ssl

    import aiohttp
    from aiohttp.http_exceptions import LineTooLong

    where = _host(url)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ProxyError(f"the proxy answered {error.status} {error.message}")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return ProxyError(f"the proxy cannot be reached: {_reason(error)}")
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch | ssl.SSLError):
        return TLSError(
            f"no trusted connection to {where}: {_reason(error)}; "
            "for an authority of your own pass ssl='/path/to/ca.pem' or set SSL_CERT_FILE"
        )
    if phase == "body":
        return StreamBrokenError(f"the connection broke: {_reason(error)}")
    if isinstance(error, aiohttp.ClientConnectorError) or phase in ("queue", "connect"):
        if isinstance(error, TimeoutError):
            return ConnectTimeout(f"no connection to {where} in time")
        return ConnectError(f"cannot connect to {where}: {_reason(error)}")
    if isinstance(error, aiohttp.ServerTimeoutError):
        return ConnectTimeout(f"no connection to {where} in time")
    if isinstance(error, aiohttp.ClientResponseError):
        behind = error.__cause__.__cause__ if error.__cause__ is not None else None
        if isinstance(behind, LineTooLong):  # its own words would repeat the line
            return ProtocolError(f"the answer of {where} has a header that is too long")
        said = next(iter(error.message.splitlines()), "")
        return ProtocolError(f"the answer of {where} is no HTTP: {said}")
    return APIConnectionError(
        f"the connection to {where} was lost before an answer came: {_reason(error)}"
    )


def refused_by_proxy(reason: str | None) -> ProxyError:
    error = ProxyError(f"the proxy answered 407 {reason or ''}".rstrip())
    error.phase = "connect"
    return error


def _inner(error: BaseException) -> BaseException | None:
    inner: object = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    return inner if isinstance(inner, BaseException) else None


def _reason(error: BaseException) -> str:
    text = str(_inner(error) or error) or type(error).__name__
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
