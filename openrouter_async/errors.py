"""Everything that can go wrong, as one tree.

    OpenRouterError
    ├─ APIConnectionError           no answer could be had
    │   ├─ ConnectError             the host was not found or refused
    │   ├─ ProxyError               the proxy refused
    │   ├─ TLSError                 the certificate or the handshake is bad
    │   ├─ QueueTimeout             waited in line for too long
    │   └─ APITimeoutError
    │       ├─ ConnectTimeout       no connection in time
    │       ├─ WireIdleTimeout      not one byte for too long
    │       ├─ FirstEventTimeout    no delta that says something in time
    │       ├─ IdleTimeout          too long between two such deltas
    │       └─ TotalTimeout         the whole request took too long
    ├─ APIStatusError               the API said no, with a status
    │   ├─ BadRequestError 400, AuthenticationError 401, PaymentRequiredError 402,
    │   ├─ PermissionDeniedError 403 (ModerationError), NotFoundError 404,
    │   ├─ RequestTimeoutError 408, ConflictError 409, GoneError 410,
    │   ├─ PayloadTooLargeError 413, UnprocessableEntityError 422, RateLimitError 429
    │   └─ ServerError 5xx          BadGatewayError 502, ServiceUnavailableError 503,
    │                               GatewayTimeoutError 504 and 524, OverloadedError 529
    ├─ StreamError                  HTTP said 200, then it failed; what arrived is kept
    │   ├─ StreamTruncatedError     the body ended and nothing said that the answer had
    │   ├─ StreamBrokenError        the connection broke
    │   └─ StreamAPIError           an error inside the stream; also of its status's class
    ├─ OutputError                  structured output that did not arrive whole
    │   ├─ LengthError              the token limit cut the answer
    │   ├─ ContentFilterError       a content filter ended the answer
    │   ├─ RefusalError             the model refused
    │   └─ ParseError               the text is no JSON, or does not fit the type
    ├─ ProtocolError                the bytes are not this API
    ├─ BudgetExceededError          the request could cost more than a budget has left
    ├─ BudgetUnpriceableError       nobody can say what the request could cost at most
    ├─ BatchError                   a batch job cannot begin or go on, for the sake of its files
    └─ VideoFailedError             the job ended without a video

Misuse (a closed client, a stream iterated twice) is `RuntimeError`, and a wrong argument is
`TypeError` or `ValueError`: outside the tree, so that handling API failures never hides a bug.

The rule of this file: it says which failures there are and what each of them knows. How the body
of an answer becomes one of them is in `_error_bodies`, and what to do about one in `_retry`. No
message holds a key, a header that was sent, or a prompt.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeAlias, cast

from .types import ChatCompletion, RateLimit, Usage
from .types.video import VideoJob

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "BatchError",
    "Billed",
    "BudgetExceededError",
    "BudgetUnpriceableError",
    "ConflictError",
    "ConnectError",
    "ConnectTimeout",
    "ContentFilterError",
    "FirstEventTimeout",
    "GatewayTimeoutError",
    "GoneError",
    "IdleTimeout",
    "LengthError",
    "ModerationError",
    "NotFoundError",
    "OpenRouterError",
    "OutputError",
    "OverloadedError",
    "ParseError",
    "PayloadTooLargeError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "Phase",
    "ProtocolError",
    "ProxyError",
    "QueueTimeout",
    "RateLimitError",
    "RefusalError",
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
    "VideoFailedError",
    "WireIdleTimeout",
]

Billed: TypeAlias = Literal["no", "unknown", "yes"]
"""Whether a failed request costs money, as far as anyone can tell."""

Phase: TypeAlias = Literal["queue", "connect", "headers", "first_event", "body"]
"""How far a request had come: waiting for a connection, connecting, sending and waiting for the
answer's headers, waiting for the first delta, or amid the answer."""

_MESSAGE_LIMIT: Final = 2_000
_SECRET: Final = re.compile(r"\bsk-[A-Za-z0-9_\-]{6,}|(?i:\bbearer\s+)[^\s,;]{12,}")


class OpenRouterError(Exception):
    """The root of every failure of this client.

    Attributes:
        request_id: The API's id of the request, where it gives one.
        generation_id: The ``gen-...`` id, where it is known.
        attempts: How many times the request was tried, from 1.
        billed: Whether this request costs money.
        retryable: Whether sending it again is safe and may help.
        phase: How far the request had come.
        partial: What had arrived of the answer, where something had: a `ChatCompletion`, or from
            another endpoint what a whole answer of it is.
        partial_bytes: What had arrived of a file that was awaited as a whole.
        earlier: With ``fallback`` or ``hedge_after``, how the other requests failed, in order.
    """

    billed: Billed = "unknown"
    retryable: bool = False
    request_id: str | None = None
    generation_id: str | None = None
    attempts: int = 1
    phase: Phase | None = None
    partial: Any = None
    partial_bytes: bytes | None = None
    earlier: tuple[OpenRouterError, ...] = ()

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
    """A request waited in line for longer than `Timeouts.queue`, or would have; nothing was sent.

    The line is that for a free connection of the pool, or that behind a pause, a window or a
    minute that is full.
    """

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
        rate_limit: What the headers say of OpenRouter's own limit; None where it is another's.
    """

    billed: Billed = "no"
    status: int | None = None
    code: int | str | None = None
    error_type: str | None = None
    provider_name: str | None = None
    metadata: dict[str, Any] | None = None
    raw: object = None
    retry_after: float | None = None
    rate_limit: RateLimit | None = None


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


class GoneError(APIStatusError):
    """410: the API offers this no longer."""


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


class OutputError(OpenRouterError):
    """An answer came, and no value of the type that was asked for can be had from it.

    Attributes:
        partial_value: What of the value could be read, as plain data; None where nothing could.
    """

    partial_value: Any = None

    @property
    def completion(self) -> ChatCompletion:
        """The answer as it came, the same as `partial`."""
        return cast("ChatCompletion", self.partial or ChatCompletion())

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.completion.text

    @property
    def usage(self) -> Usage | None:
        """Tokens and cost, where the server told them."""
        return self.completion.usage


class LengthError(OutputError):
    """The token limit cut the answer; a higher ``max_completion_tokens`` may help."""


class ContentFilterError(OutputError):
    """A content filter ended the answer."""


class RefusalError(OutputError):
    """The model refused to answer."""

    @property
    def refusal(self) -> str:
        """What the model said in refusing."""
        return self.completion.message.refusal or ""


class ParseError(OutputError):
    """The answer ended well, and its text is no JSON or does not fit the type."""


class BudgetExceededError(OpenRouterError):
    """The request could cost more than a `Budget` has left, so it was not sent.

    Attributes:
        limit: The whole budget, in USD.
        spent: What was spent of it, in USD.
        reserved: What requests under way hold of it, in USD.
        needed: The most that this request can cost, in USD.
    """

    billed: Billed = "no"
    phase: Phase | None = "queue"
    limit: float = 0.0
    spent: float = 0.0
    reserved: float = 0.0
    needed: float = 0.0


class BudgetUnpriceableError(OpenRouterError):
    """Nobody can say what the request could cost at most, so no budget can hold it; not sent."""

    billed: Billed = "no"
    phase: Phase | None = "queue"


class VideoFailedError(OpenRouterError):
    """The job ended without a video: it failed, was cancelled or expired.

    Attributes:
        job: The job as it was last seen.
    """

    job: VideoJob


class BatchError(OpenRouterError):
    """A batch job cannot begin or go on, for the sake of its files; the message names them."""

    billed: Billed = "no"


_BY_STATUS: Final[dict[int, type[APIStatusError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    409: ConflictError,
    410: GoneError,
    413: PayloadTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: GatewayTimeoutError,
    524: GatewayTimeoutError,
    529: OverloadedError,
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


def kind_of(status: int | None, *, moderated: bool, in_stream: bool) -> type[APIStatusError]:
    """Give the class of a status; inside a stream the one that is a `StreamAPIError` besides."""
    kind: type[APIStatusError] = APIStatusError
    if status is not None:
        kind = _BY_STATUS.get(status, ServerError if status >= 500 else APIStatusError)
    if moderated and kind is PermissionDeniedError:
        kind = ModerationError
    return _STREAM_KIND.get(kind, StreamAPIError) if in_stream else kind


def redact(text: str, secret: str | None = None) -> str:
    """Take out whatever looks like a key, and `secret` itself."""
    if secret and len(secret) >= 8:
        text = text.replace(secret, "***")
    return _SECRET.sub("***", text)
