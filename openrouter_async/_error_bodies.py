"""The body of an error becomes an exception here.

The rule of this file: pure, and never surprised. Whatever a server sends as an error, one
exception of `errors` comes out, of the class of its status, leading with the sentence that helps
most, bounded in length and free of keys. Nothing is read, waited for or decided about retries.

The forms are many: OpenRouter's envelope with a code that is a number, a string or null; what
the provider said as text, JSON or JSON in a string; Anthropic's envelope; bare strings; HTML.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from .errors import APIStatusError, ModerationError, StreamAPIError, kind_of, redact
from .types import ErrorBody
from .types._lenient import fit
from .types.arrival import rate_limit_in

__all__ = ["error_from_response", "error_in", "error_in_stream"]

_RAW_LIMIT: Final = 300
_GOOGLE_DELAY: Final = re.compile(r'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
_GENERIC: Final = frozenset(
    {
        "",
        "error",
        "internal server error",
        "provider error",
        "provider returned an error",
        "provider returned error",
        "unknown error",
        "upstream error",
    }
)

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
            "image_content_policy_violation",
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
        flat = _object_in(body)
        if isinstance(flat.get("metadata"), dict):
            details = fit(flat, ErrorBody)
        else:
            said = _message_in(_parsed(text)) or _plain_text(text)
            details = ErrorBody(message=said or f"HTTP {status} without a body")
    error = _status_error(details, status, in_stream=False, secret=secret)
    error.retry_after = _retry_after(headers, error.metadata, now, error.retry_after)
    error.rate_limit = rate_limit_in(headers)
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
    kind = kind_of(status, moderated="reasons" in metadata, in_stream=in_stream)
    provider = metadata.get("provider_name")
    raw = _parsed(metadata.get("raw"))
    sentence = _sentence(details, metadata, raw)
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


def _sentence(details: ErrorBody, metadata: Mapping[str, object], raw: object) -> str:
    """Give the sentence that helps most: the provider's own, not "Provider returned error"."""
    message = (details.message or "").strip()
    if not _is_generic(message):
        # Some put the provider's whole body into the message, behind a word of their own.
        inner = _object_in(message[message.find("{") :].encode("utf-8", "replace"))
        return _message_in(inner) or message
    for source in (raw, metadata.get("previous_errors")):
        said = _message_in(source)
        if not _is_generic(said):
            return said
    return message or "the API reported an error without a message"


def _is_generic(sentence: str) -> bool:
    return sentence.lower().rstrip(".") in _GENERIC


def _message_in(raw: object, levels: int = 8) -> str:
    if isinstance(raw, str):
        return _plain_text(raw)
    if levels and isinstance(raw, dict):
        found = cast("dict[str, object]", raw)
        for key in ("error", "errors", "message", "Message", "detail", "msg"):
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
            # the epoch, or simply seconds. Told apart by size: no wait is three years, and no
            # clock in seconds will show a hundred thousand million.
            moment = reset / 1000 if reset > 1e11 else reset
            return max(0.0, moment - now if moment > 1e8 else moment)
    return otherwise if otherwise is not None else _wait_in(metadata or {})


def _wait_in(metadata: dict[str, Any]) -> float | None:
    """Give the seconds that the metadata names itself, or else the provider in its own words."""
    seconds = _number(str(metadata.get("retry_after_seconds")))
    if seconds is None:
        raw = metadata.get("raw")
        said = _GOOGLE_DELAY.search(raw) if isinstance(raw, str) else None
        seconds = _number(said[1]) if said is not None else None
    return None if seconds is None else max(0.0, seconds)


def _seconds_or_date(value: str, now: float) -> float | None:
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    from email.utils import parsedate_to_datetime

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
