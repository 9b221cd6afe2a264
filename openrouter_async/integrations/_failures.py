"""What a reader over HTTP is told of a failure: a status, words, and when to come back.

The rule of this file: pure functions. The words go to people outside: what the API says of a
request is passed on without anything that looks like a key; what concerns the account behind the
service, its network or its configuration is put in words of our own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ..errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BudgetExceededError,
    OpenRouterError,
    OutputError,
    PaymentRequiredError,
    ProtocolError,
    QueueTimeout,
    StreamError,
    redact,
)

__all__ = ["Describe", "error_object", "error_words", "http_status", "retry_after"]

Describe: TypeAlias = Callable[[OpenRouterError], str]
"""Gives the words for a failure that the reader is shown."""

_WORDS: Final[tuple[tuple[type[OpenRouterError], str], ...]] = (
    (AuthenticationError, "This service cannot sign in to its model provider."),
    (PaymentRequiredError, "This service has run out of credit at its model provider."),
    (BudgetExceededError, "The budget for this request is used up."),
    (QueueTimeout, "Too many requests are waiting. Try again in a moment."),
    (APITimeoutError, "The model took too long."),
    (APIConnectionError, "The model cannot be reached."),
    (StreamError, "The answer broke off before its end."),
    (OutputError, "The model's answer does not have the form that was asked for."),
    (ProtocolError, "The model's answer cannot be read."),
)
# For who reads a log: the status, the provider, and which bound of the retries was met.
_FACTS: Final = re.compile(r" \[\d{3}\b[^\[\]]*\](?:, and [^\[\]]*)?$")
_DEFAULT: Final = "The model could not answer."

# Where the error names no status of its own.
_STATUS: Final[tuple[tuple[type[OpenRouterError], int], ...]] = (
    (QueueTimeout, 503),
    (BudgetExceededError, 402),
    (APITimeoutError, 504),
    (APIConnectionError, 502),
    (StreamError, 502),
    (OutputError, 502),
    (ProtocolError, 502),
)


def http_status(error: OpenRouterError) -> int:
    """Give the status of an answer that is this failure."""
    if isinstance(error, APIStatusError):
        status = error.status
        return status if status is not None and 400 <= status <= 599 else 502
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_words(error: OpenRouterError) -> str:
    """Give the sentence that a reader outside may see."""
    tells = isinstance(error, APIStatusError) and not isinstance(
        error, AuthenticationError | PaymentRequiredError
    )
    if tells and (said := _FACTS.sub("", str(error))):
        return redact(said)
    return next((words for kind, words in _WORDS if isinstance(error, kind)), _DEFAULT)


def retry_after(error: OpenRouterError) -> str | None:
    """Give the value of ``Retry-After`` in whole seconds; None where nobody said."""
    seconds = error.retry_after if isinstance(error, APIStatusError) else None
    return str(max(0, math.ceil(seconds))) if seconds is not None else None


def error_object(error: OpenRouterError, words: str) -> dict[str, Any]:
    """Give the ``error`` of a body or a chunk, which OpenAI's clients read as well."""
    kind = error.error_type if isinstance(error, APIStatusError) else None
    metadata: dict[str, Any] = {}
    if kind is not None:
        metadata["error_type"] = kind
    if isinstance(error, APIStatusError) and error.provider_name is not None:
        metadata["provider_name"] = error.provider_name
    found: dict[str, Any] = {"code": http_status(error), "message": words}
    if kind is not None:
        found["type"] = kind
    if metadata:
        found["metadata"] = metadata
    return found
