"""Everything that can go wrong, as one tree.

    OpenRouterError
    ├─ APIConnectionError           no answer could be had
    │   ├─ ConnectError             the host was not found or refused
    │   ├─ ProxyError               the proxy refused
    │   ├─ TLSError                 the certificate or the handshake is bad
    │   ├─ QueueTimeout             no free connection in time
    │   └─ APITimeoutError
    │       ├─ ConnectTimeout       no connection in time
    │       ├─ WireIdleTimeout      not one byte for too long
    │       ├─ FirstEventTimeout    no delta that says something in time
    │       ├─ IdleTimeout          too long between two such deltas
    │       └─ TotalTimeout         the whole request took too long
    ├─ APIStatusError               the API said no, with a status
    │   ├─ BadRequestError 400, AuthenticationError 401, PaymentRequiredError 402,
    │   ├─ PermissionDeniedError 403 (ModerationError), NotFoundError 404,
    │   ├─ RequestTimeoutError 408, ConflictError 409, PayloadTooLargeError 413,
    │   ├─ UnprocessableEntityError 422, RateLimitError 429
    │   └─ ServerError 5xx          BadGatewayError 502, ServiceUnavailableError 503,
    │                               GatewayTimeoutError 504 and 524, OverloadedError 529
    ├─ StreamError                  HTTP said 200, then it failed; what arrived is kept
    │   ├─ StreamTruncatedError     the body ended and nothing said that the answer had
    │   ├─ StreamBrokenError        the connection broke
    │   └─ StreamAPIError           an error inside the stream; also of its status's class
    └─ ProtocolError                the bytes are not this API

Misuse (a closed client, a stream iterated twice) is `RuntimeError`, and a wrong argument is
`TypeError` or `ValueError`: outside the tree, so that handling API failures never hides a bug.

The rule of this file: it turns what is known of a failure into one exception; it decides
nothing about retries, reads nothing and waits for nothing. No message holds a key, a header
that was sent, or a prompt.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec

from .types import ChatCompletion, ErrorBody
from .types._lenient import fit

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "Billed",
    "ConflictError",
    "ConnectError",
    "ConnectTimeout",
    "FirstEventTimeout",
    "GatewayTimeoutError",
    "IdleTimeout",
    "ModerationError",
    "NotFoundError",
    "OpenRouterError",
    "OverloadedError",
    "PayloadTooLargeError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "Phase",
    "ProtocolError",
    "ProxyError",
    "QueueTimeout",
    "RateLimitError",
    "RequestTimeoutError",
    "ServerError",
    "ServiceUnavailableError",
    "StreamAPIError",
    "StreamBrokenError",
    "StreamError",
    "StreamTruncatedError",
    "TLSError",
    "TotalTimeout",
    "UnprocessableEntityError",
    "WireIdleTimeout",
]

Billed: TypeAlias = Literal["no", "unknown", "yes"]
"""Whether a failed request costs money, as far as anyone can tell."""

Phase: TypeAlias = Literal["queue", "connect", "headers", "first_event", "body"]
"""How far a request had come: waiting for a connection, connecting, sending and waiting for the
answer's headers, waiting for the first delta, or amid the answer."""

_MESSAGE_LIMIT: Final = 2_000
_RAW_LIMIT: Final = 300
_SECRET: Final = re.compile(r"\bsk-[A-Za-z0-9_\-]{6,}|(?i:\bbearer\s+)[^\s,;]{12,}")
_GENERIC: Final = frozenset({"", "provider returned error", "internal server error", "error"})


class OpenRouterError(Exception):
    """The root of every failure of this client.

    Attributes:
        request_id: The API's id of the request, where it gives one.
        generation_id: The ``gen-...`` id, where it is known.
        attempts: How many times the request was tried, from 1.
        billed: Whether this request costs money.
        retryable: Whether sending it again is safe and may help.
        phase: How far the request had come.
        partial: What had arrived of the answer, where something had.
    """

    billed: Billed = "unknown"
    retryable: bool = False
    request_id: str | None = None
    generation_id: str | None = None
    attempts: int = 1
    phase: Phase | None = None
    partial: ChatCompletion | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__(redact(message)[:_MESSAGE_LIMIT])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[OpenRouterError], args: tuple[Any, ...], state: dict[str, Any]
) -> OpenRouterError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class APIConnectionError(OpenRouterError):
    """No answer could be had from the API."""


class ConnectError(APIConnectionError):
    """The host could not be found or did not take the connection."""

    billed: Billed = "no"
    retryable = True


class ProxyError(APIConnectionError):
    """The proxy could not be reached or refused."""

    billed: Billed = "no"


class TLSError(APIConnectionError):
    """The server's certificate is not trusted, or the handshake failed."""

    billed: Billed = "no"


class QueueTimeout(APIConnectionError):
    """No pooled connection came free within `Timeouts.queue`."""

    billed: Billed = "no"


class APITimeoutError(APIConnectionError):
    """A deadline passed; the class tells which one."""


class ConnectTimeout(APITimeoutError):
    """No connection within `Timeouts.connect`."""

    billed: Billed = "no"
    retryable = True


class WireIdleTimeout(APITimeoutError):
    """Not a single byte arrived for `Timeouts.wire_idle`."""


class FirstEventTimeout(APITimeoutError):
    """No delta that says something arrived within `Timeouts.first_event`."""


class IdleTimeout(APITimeoutError):
    """The answer stood still for `Timeouts.idle`; keep-alive comments do not count."""


class TotalTimeout(APITimeoutError):
    """The request took longer than `Timeouts.total`."""


class APIStatusError(OpenRouterError):
    """The API answered with an error.

    Attributes:
        status: The HTTP status, or the one that an error inside a 200 names; None where neither
            is known.
        code: The error's own code as it came, a number or a string.
        error_type: OpenRouter's stable kind, such as ``rate_limit_exceeded``.
        provider_name: The provider that failed, where one did.
        metadata: The error's metadata as it came.
        raw: What the provider itself said, parsed where it is JSON.
        retry_after: Seconds to wait before trying again, where the API says so.
    """

    billed: Billed = "no"
    status: int | None = None
    code: int | str | None = None
    error_type: str | None = None
    provider_name: str | None = None
    metadata: dict[str, Any] | None = None
    raw: object = None
    retry_after: float | None = None


class BadRequestError(APIStatusError):
    """400: the request is wrong, too long, or names an unknown model."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or switched off."""


class PaymentRequiredError(APIStatusError):
    """402: no credit left, or the key's own limit is used up."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this, or a guardrail stopped it."""


class ModerationError(PermissionDeniedError):
    """403: moderation flagged the input.

    Attributes:
        reasons: What it was flagged for.
        flagged_input: The flagged words, shortened by the API to at most 100 characters.
    """

    reasons: tuple[str, ...] = ()
    flagged_input: str | None = None


class NotFoundError(APIStatusError):
    """404: no such model or resource, or routing rules left no provider."""


class RequestTimeoutError(APIStatusError):
    """408: the request took the server too long."""


class ConflictError(APIStatusError):
    """409: the resource's state does not allow this."""


class PayloadTooLargeError(APIStatusError):
    """413: the request is too large."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is well formed and makes no sense."""


class RateLimitError(APIStatusError):
    """429: too many requests, at OpenRouter or at the provider."""

    retryable = True


class ServerError(APIStatusError):
    """5xx: the API or a provider failed."""


class BadGatewayError(ServerError):
    """502: the provider is down or answered nonsense."""

    retryable = True


class ServiceUnavailableError(ServerError):
    """503: no provider can take the request now."""

    retryable = True


class GatewayTimeoutError(ServerError):
    """504 or 524: the provider did not answer in time."""


class OverloadedError(ServerError):
    """529: the provider is overloaded."""

    retryable = True


class StreamError(OpenRouterError):
    """HTTP said 200, then the stream failed; `partial` keeps what had arrived."""


class StreamTruncatedError(StreamError):
    """The body ended although neither a finish reason nor ``[DONE]`` had been seen."""


class StreamBrokenError(StreamError):
    """The connection broke before the end of the answer."""


class StreamAPIError(StreamError, APIStatusError):
    """An error that came inside the stream, or in a body that HTTP called a success.

    It is an instance of the class of its status as well, so ``except RateLimitError`` sees a
    429 wherever it stood.
    """


class ProtocolError(OpenRouterError):
    """The bytes are not this API: no JSON, an unexpected content type, an event too large.

    Attributes:
        status: The HTTP status, where it was an answer as a whole.
        content_type: Its content type.
        body_start: Its first bytes as text.
    """

    status: int | None = None
    content_type: str | None = None
    body_start: str | None = None


_BY_STATUS: Final[dict[int, type[APIStatusError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: GatewayTimeoutError,
    524: GatewayTimeoutError,
    529: OverloadedError,
}

# Errors inside a stream need not carry a number; the kinds and the string codes name one.
# Source: OpenRouter's table of error types.
_STATUS_BY_NAME: Final = {
    "authentication": 401,
    "permission_denied": 403,
    "payment_required": 402,
    "rate_limit_exceeded": 429,
    "provider_overloaded": 503,
    "provider_unavailable": 502,
    "not_found": 404,
    "image_not_found": 404,
    "precondition_failed": 412,
    "payload_too_large": 413,
    "unprocessable": 422,
    "server": 500,
    "server_error": 500,
    "unmapped": 500,
    "timeout": 504,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    **dict.fromkeys(
        (
            "context_length_exceeded",
            "max_tokens_exceeded",
            "token_limit_exceeded",
            "string_too_long",
            "invalid_request",
            "invalid_request_error",
            "invalid_prompt",
            "content_policy_violation",
            "refusal",
            "invalid_image",
            "image_too_large",
            "image_too_small",
            "unsupported_image_format",
            "image_download_failed",
        ),
        400,
    ),
}


def _in_stream(kind: type[APIStatusError]) -> type[StreamAPIError]:
    # The class's retryable and billed must be the status's, so the status comes first.
    name = f"Stream{kind.__name__}"
    bases = cast("tuple[type, ...]", (kind, StreamAPIError))
    made = type(name, bases, {"__module__": __name__, "__doc__": kind.__doc__})
    globals()[name] = made  # where pickle looks for it
    return cast("type[StreamAPIError]", made)


_STREAM_KIND: Final = {
    kind: _in_stream(kind)
    for kind in (*dict.fromkeys(_BY_STATUS.values()), ServerError, ModerationError)
}


def redact(text: str, secret: str | None = None) -> str:
    """Take out whatever looks like a key, and `secret` itself."""
    if secret and len(secret) >= 8:
        text = text.replace(secret, "***")
    return _SECRET.sub("***", text)


def error_from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
    secret: str | None = None,
) -> APIStatusError:
    """Build the exception of an answer with an HTTP error status.

    Args:
        status: The HTTP status.
        headers: The answer's headers, looked up without regard to case.
        body: The body, or its beginning.
        now: Seconds since the epoch, for a ``Retry-After`` that names a date.
        secret: The API key, which a careless server may echo.
    """
    if secret and len(secret) >= 8:
        body = body.replace(secret.encode(), b"***")  # before a text is cut short in its middle
    details = error_in(body)
    text = body.decode("utf-8", "replace").strip()
    if details is None:
        # A body of another dialect, such as {"detail": ...}, or no JSON at all.
        said = _message_in(_parsed(text)) or _plain_text(text)
        details = ErrorBody(message=said or f"HTTP {status} without a body")
    error = _status_error(details, status, in_stream=False, secret=secret)
    error.retry_after = _retry_after(headers, error.metadata, now, error.retry_after)
    error.request_id = headers.get("x-request-id") or _request_id(body)
    error.generation_id = headers.get("x-generation-id")
    return error


def error_in_stream(details: ErrorBody, *, now: float, secret: str | None = None) -> StreamAPIError:
    """Build the exception of an error object that came in a stream or in a body with 200."""
    error = cast("StreamAPIError", _status_error(details, None, in_stream=True, secret=secret))
    error.retry_after = _retry_after({}, error.metadata, now, error.retry_after)
    return error


def error_in(body: bytes) -> ErrorBody | None:
    """Give the error object of a JSON body, or None where it holds none."""
    value = _object_in(body)
    found = value.get("error")
    if isinstance(found, dict):
        return fit(cast("dict[str, Any]", found), ErrorBody)
    return ErrorBody.from_text(found) if isinstance(found, str) else None


def _status_error(
    details: ErrorBody, status: int | None, *, in_stream: bool, secret: str | None
) -> APIStatusError:
    metadata = _cleaned(details.metadata, secret) or {}
    error_type = metadata.get("error_type") or details.error_type
    if status is None:
        status = _status_of(details, error_type)
    kind: type[APIStatusError] = APIStatusError
    if status is not None:
        kind = _BY_STATUS.get(status, ServerError if status >= 500 else APIStatusError)
    moderated = kind is PermissionDeniedError and ("reasons" in metadata)
    if moderated:
        kind = ModerationError
    if in_stream:
        kind = _STREAM_KIND.get(kind, StreamAPIError)
    provider = metadata.get("provider_name")
    raw = _parsed(metadata.get("raw"))
    sentence = _sentence(details, raw)
    where = f"{provider} via OpenRouter" if provider else None
    facts = ", ".join(str(fact) for fact in (status, error_type, where) if fact)
    error = kind(redact(f"{sentence} [{facts}]" if facts else sentence, secret))
    error.status = status
    error.code = details.code
    error.error_type = error_type if isinstance(error_type, str) else None
    error.provider_name = provider if isinstance(provider, str) else None
    error.metadata = metadata if details.metadata is not None else None
    error.raw = raw
    if isinstance(error, ModerationError):
        reasons, flagged = metadata.get("reasons"), metadata.get("flagged_input")
        listed = cast("list[object]", reasons) if isinstance(reasons, list) else [reasons]
        error.reasons = tuple(str(reason) for reason in listed if reason)
        error.flagged_input = flagged if isinstance(flagged, str) else None
    availability = details.availability or {}
    if isinstance(availability.get("retryable"), bool):
        error.retryable = availability["retryable"]
    wait = availability.get("retry_after")
    if isinstance(wait, int | float) and math.isfinite(wait):
        error.retry_after = max(0.0, float(wait))
    return error


def _cleaned(metadata: dict[str, Any] | None, secret: str | None) -> dict[str, Any] | None:
    """Copy the metadata without keys; None where it is nested beyond reason."""
    try:
        return cast("dict[str, Any] | None", _without_keys(metadata, secret))
    except RecursionError:
        return None


def _without_keys(value: object, secret: str | None) -> object:
    if isinstance(value, str):
        return redact(value, secret)
    if isinstance(value, list):
        return [_without_keys(item, secret) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {redact(name, secret): _without_keys(item, secret) for name, item in items}
    return value


def _status_of(details: ErrorBody, error_type: object) -> int | None:
    extra = details.extra or {}
    for value in (details.code, details.http_status, extra.get("status_code")):
        text = str(value)
        if text.isdigit() and 400 <= int(text) <= 599:
            return int(text)
    for name in (error_type, details.code, details.type):
        if isinstance(name, str) and name in _STATUS_BY_NAME:
            return _STATUS_BY_NAME[name]
    return None


def _sentence(details: ErrorBody, raw: object) -> str:
    """Give the sentence that helps most: the provider's own, not "Provider returned error"."""
    message = (details.message or "").strip()
    if message.lower().rstrip(".") not in _GENERIC:
        return message
    said = _message_in(raw)
    if said:
        return said
    return message or "the API reported an error without a message"


def _message_in(raw: object, levels: int = 8) -> str:
    if isinstance(raw, str):
        return _plain_text(raw)
    if levels and isinstance(raw, dict):
        found = cast("dict[str, object]", raw)
        for key in ("error", "message", "detail", "msg"):
            said = _message_in(_parsed(found.get(key)), levels - 1)
            if said:
                return said
    if levels and isinstance(raw, list) and raw:
        return _message_in(cast("list[object]", raw)[0], levels - 1)
    return ""


def _parsed(raw: object) -> object:
    if isinstance(raw, str) and raw.lstrip()[:1] in ("{", "["):
        try:
            return cast("object", json.loads(raw))
        except (ValueError, RecursionError):
            return raw
    return raw


def _plain_text(text: str) -> str:
    """Shorten a body that is no JSON; of a page of HTML keep the words."""
    if text.lstrip()[:1] == "<":
        text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text[:20_000])
    text = " ".join(text.split())
    return text if len(text) <= _RAW_LIMIT else text[: _RAW_LIMIT - 3] + "..."


def _request_id(body: bytes) -> str | None:
    value = _object_in(body).get("request_id")
    return value if isinstance(value, str) else None


def _object_in(body: bytes) -> dict[str, Any]:
    """Give the JSON object that a body is; an empty one where it is none."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _retry_after(
    headers: Mapping[str, str],
    metadata: dict[str, Any] | None,
    now: float,
    otherwise: float | None,
) -> float | None:
    """Give the seconds to wait, from wherever the API names them, headers first."""
    inner: object = (metadata or {}).get("headers")
    sources: list[Mapping[str, object]] = [headers]
    if isinstance(inner, dict):
        sources.append(cast("Mapping[str, object]", inner))
    for source in sources:
        folded = {str(name).lower(): str(value) for name, value in source.items()}
        milliseconds = _number(folded.get("retry-after-ms"))
        if milliseconds is not None:
            return max(0.0, milliseconds / 1000)
        if "retry-after" in folded:
            wait = _seconds_or_date(folded["retry-after"], now)
            if wait is not None:
                return wait
        reset = _number(folded.get("x-ratelimit-reset"))
        if reset is not None:
            # Milliseconds since the epoch, as recorded from OpenRouter; elsewhere seconds since
            # the epoch, or simply seconds.
            moment = reset / 1000 if reset > 1e11 else reset
            return max(0.0, moment - now if moment > 1e8 else moment)
    return otherwise


def _seconds_or_date(value: str, now: float) -> float | None:
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
