"""Webhooks of OpenRouter: is this one really from there, and what does it say?

The rule of this file: pure. Bytes and headers come from whatever server the user runs; nothing is
read of a body whose signature does not fit.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Final, cast

from .errors import ProtocolError
from .types._lenient import NotAnObjectError, decode_leniently
from .types.video import VideoEvent

__all__ = ["SignatureError", "verify"]

_SIGNATURE: Final = "x-openrouter-signature"
_KEY: Final = "x-openrouter-idempotency-key"


class SignatureError(ValueError):
    """The request is not from OpenRouter, or is too old; answer it with 401 and leave it."""


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> VideoEvent:
    """Check the signature of a webhook and give its event.

    The same event may be delivered more than once; ``event.idempotency_key`` tells.

    Args:
        body: The request's body, as it came: not decoded, not encoded anew.
        headers: The request's headers, in any case.
        secret: The webhook's secret, from OpenRouter's settings.
        tolerance: How many seconds the signature's time may be from now, which bounds for how
            long a request that was overheard can be played again.
        now: Seconds since the epoch; by default the clock's.

    Raises:
        SignatureError: The signature is missing, malformed, wrong or too old.
        ProtocolError: The signature is right, and the body is no event.
        TypeError: An argument has the wrong type.
        ValueError: `secret` is empty, or `tolerance` is negative.

    >>> def delivered(body: bytes, headers: dict[str, str], secret: str) -> None:
    ...     event = verify(body, headers, secret)
    ...     print(event.job.id, event.job.status)
    """
    if not isinstance(cast("object", body), bytes | bytearray):
        raise TypeError(f"body must be the bytes of the request, got {type(body).__name__}")
    if not isinstance(cast("object", secret), str):
        raise TypeError(f"secret must be a str, got {type(secret).__name__}")
    if not secret:
        raise ValueError("secret must not be empty, as anybody can sign with that")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be a number of seconds from 0 on, got {tolerance}")
    found = {name.lower(): value for name, value in headers.items()}
    sent_at, signatures = _read(found.get(_SIGNATURE))
    expected = hmac.new(secret.encode(), sent_at.encode() + b"," + body, sha256).digest()
    # Compared in a time that tells nothing of how much of it is right.
    if not any(hmac.compare_digest(expected, given) for given in signatures):
        raise SignatureError("the signature does not fit the body and the secret")
    age = (time.time() if now is None else now) - int(sent_at)
    if abs(age) > tolerance:
        raise SignatureError(f"the signature is {age:.0f} s old, and {tolerance:g} s are allowed")
    try:
        event = decode_leniently(bytes(body), VideoEvent)
    except NotAnObjectError as error:
        raise ProtocolError(f"the webhook's body is {error}") from None
    event.idempotency_key = found.get(_KEY)
    return event


def _read(header: str | None) -> tuple[str, list[bytes]]:
    """Give the time and the signatures; more than one come while a secret is being changed."""
    if header is None:
        raise SignatureError("the header X-OpenRouter-Signature is missing")
    pairs = [item.strip().partition("=")[::2] for item in header.split(",")]
    times = [value for name, value in pairs if name == "t"]
    signatures = [value for name, value in pairs if name == "v1"]
    if len(times) == 1 and times[0].isascii() and times[0].isdecimal() and signatures:
        with suppress(ValueError):
            return times[0], [bytes.fromhex(value) for value in signatures]
    raise SignatureError("the header X-OpenRouter-Signature is not of the form t=...,v1=...")
