"""What a user can set, checked where it is given.

What may live here: settings as frozen values, their checks, and the reading of the environment.
Nothing here opens, reads or waits for anything.
"""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Mapping, Sequence
from typing import Final, cast
from urllib.parse import urlsplit

from msgspec import Struct

from ._sealed import SealedText

__all__ = [
    "DEFAULT_BASE_URL",
    "Adaptive",
    "Limits",
    "RetryPolicy",
    "Secret",
    "Timeouts",
    "attribution",
    "check_key_is_safe",
    "check_type",
    "checked_base_url",
    "checked_headers",
    "checked_key",
    "checked_proxy",
    "credential_among",
    "from_environment",
    "key_from",
]

DEFAULT_BASE_URL: Final = "https://openrouter.ai/api/v1"


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long to wait for what, in seconds; None switches a deadline off.

    Time during which the user's own code works on a chunk counts towards none of them but
    `total`, and waiting in line towards `queue` only.

    Args:
        connect: From the start of connecting until the connection (and TLS) stands.
        wire_idle: Without a single byte, keep-alive comments included.
        first_event: From sending until the first delta that says something.
        idle: Between two deltas that say something; comments, empty deltas and deltas with
            only a role do not count, reasoning does.
        total: The whole request from sending on; off by default, as answers may be long.
        queue: Waiting in line: once for the end of a pause, for room or for the next minute (see
            `RetryPolicy` and `Limits`), and once for a free connection of the pool.
        drain: How long a connection may take to become reusable after the end of a stream.

    Raises:
        TypeError: A value is not a number.
        ValueError: A value is negative, zero or not finite.
    """

    connect: float | None = 10.0
    wire_idle: float | None = 120.0
    first_event: float | None = 600.0
    idle: float | None = 300.0
    total: float | None = None
    queue: float | None = None
    drain: float = 0.05

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value: object = getattr(self, name)
            if value is None and name != "drain":
                continue
            _check_number(f"Timeouts.{name}", value, "seconds")


class Adaptive(Struct, frozen=True, kw_only=True):
    """How many requests a model is sent at once, found out by trying.

    It grows while the API takes everything and shrinks when it refuses, for each model on its
    own. A request counts until its answer has ended.

    Args:
        start: Requests at once before anything is known, as far as `least` and `most` allow.
        least: It never shrinks below this.
        most: It never grows above this.

    Raises:
        TypeError: A value is not a whole number.
        ValueError: A value is below 1, or `most` is below `least`.
    """

    start: int = 20
    least: int = 1
    most: int = 1_000

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _check_whole(f"Adaptive.{name}", getattr(self, name))
            _check_number(f"Adaptive.{name}", getattr(self, name), "a whole number")
        if self.most < self.least:
            raise ValueError(
                f"Adaptive.most must not be below Adaptive.least, got {self.most} and {self.least}"
            )


class Limits(Struct, frozen=True, kw_only=True):
    """How much of what a client may hold, and how fast it may send.

    Args:
        max_connections: Connections open at once per event loop; more requests wait in line.
        keepalive: Seconds that an idle connection is kept, less than servers keep theirs.
        max_event_size: Bytes that one event of a stream may have.
        max_error_body: Bytes of an error's body that are read; the rest is left.
        max_body_size: Bytes, unpacked, that an answer may have which is read in one piece.
        max_choices: Choices that one stream may open.
        max_tool_calls: Tool calls that one choice of a stream may open.
        dns_ttl: Seconds that a looked-up address is used again.
        adaptive: True (or an `Adaptive`) finds out how many requests a model takes at once.
        requests_per_minute: Requests sent in any minute, over all models; free models take 20.
            None is no limit.
        tokens_per_minute: Tokens of prompts and answers in any minute, estimated before a
            request is sent and put right by the usage of its stream. None is no limit.

    Raises:
        TypeError: A value is not of its kind.
        ValueError: A value is negative, zero or not finite.
    """

    max_connections: int = 1_000
    keepalive: float = 15.0
    max_event_size: int = 64 * 2**20
    max_error_body: int = 64 * 2**10
    max_body_size: int = 256 * 2**20
    max_choices: int = 128
    max_tool_calls: int = 1_024
    dns_ttl: float = 300.0
    adaptive: bool | Adaptive = False
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            unit = "seconds" if name in ("keepalive", "dns_ttl") else "a whole number"
            value: object = getattr(self, name)
            if name == "adaptive":
                _check_adaptive(value)
                continue
            if value is None and name.endswith("_per_minute"):
                continue
            if unit == "a whole number":
                _check_whole(f"Limits.{name}", value)
            _check_number(f"Limits.{name}", value, unit)


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """When a request is sent again.

    Only a request that never left, or that the API refused (429, 502, 503, 529) before any
    output, is sent again. The API has no idempotency key, so anything else could be billed
    twice. A 429, 503 or 529 also holds back the other requests for the same model until the API
    takes some again, unless `max_attempts` is 1.

    Args:
        max_attempts: Tries in all; 1 switches retries off.
        first_delay: Seconds; the longest wait before the second try, doubled for each further.
        max_delay: Seconds; where the doubling ends.
        max_wait: Seconds; where the server asks for more, the error is raised at once.
        total: Seconds over all attempts and waits; where the next attempt could not begin
            within them, the error is raised at once. An attempt that runs is not cut short, which
            is for `Timeouts.total`. None is no bound.
        retry_unknown: Send again even what may have been taken already.

    Raises:
        TypeError: A value is not of its kind.
        ValueError: A value is negative, zero or not finite.
    """

    max_attempts: int = 3
    first_delay: float = 0.5
    max_delay: float = 8.0
    max_wait: float = 60.0
    total: float | None = None
    retry_unknown: bool = False

    def __post_init__(self) -> None:
        _check_whole("RetryPolicy.max_attempts", self.max_attempts)
        _check_number("RetryPolicy.max_attempts", self.max_attempts, "tries")
        for name in ("first_delay", "max_delay", "max_wait"):
            _check_number(f"RetryPolicy.{name}", getattr(self, name), "seconds")
        if self.total is not None:
            _check_number("RetryPolicy.total", self.total, "seconds")
        _check_flag("RetryPolicy.retry_unknown", self.retry_unknown)


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")


def _check_adaptive(value: object) -> None:
    if not isinstance(value, bool | Adaptive):
        raise TypeError(f"Limits.adaptive must be a bool or an Adaptive, got {value!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, got {value!r}")


def _check_number(name: str, value: object, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number ({unit}), got {value!r}")
    if not 0 < value < math.inf:  # false for NaN as well
        raise ValueError(f"{name} must be greater than 0 and finite ({unit}), got {value!r}")


class Secret:
    """An API key that shows itself to nobody who does not ask by name.

    Attributes:
        authorization: The value of the header that it goes into.
    """

    __slots__ = ("_value", "authorization")

    def __init__(self, value: str) -> None:
        self._value = value
        self.authorization: Final = SealedText(f"Bearer {value}")

    def reveal(self) -> str:
        """Give the key itself, for the one header it goes into."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("an API key is never pickled; the other side reads OPENROUTER_API_KEY")


def checked_key(key: object) -> Secret:
    """Check an API key, without ever showing it.

    Raises:
        TypeError: It is no string.
        ValueError: It holds what no HTTP header can carry.
    """
    if not isinstance(key, str):
        raise TypeError(f"api_key must be a str, got {type(key).__name__}")
    key = key.strip()
    for position, character in enumerate(key):
        if not "!" <= character <= "~":
            raise ValueError(
                f"api_key holds a character that no HTTP header can carry, at position {position} "
                f"(U+{ord(character):04X}); was it copied with a line break?"
            )
    return Secret(key)


def checked_base_url(url: object) -> str:
    """Check a base URL and give it without a slash at the end.

    Raises:
        TypeError: It is no string.
        ValueError: It has no scheme or host, or holds credentials, a query or a fragment.
    """
    if not isinstance(url, str):
        raise TypeError(f"base_url must be a str, got {type(url).__name__}")
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"base_url is no URL: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url must not hold credentials; give the key as api_key")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f"base_url must start with http:// or https:// and a host, got {url!r}")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError(f"base_url must hold no space and no control character, got {url!r}")
    if parts.query or parts.fragment:
        raise ValueError("base_url must have no query and no fragment")
    return url.rstrip("/")


def check_key_is_safe(base_url: str, *, allow_insecure_http: bool) -> None:
    """Refuse to send a key in the clear to another machine.

    Raises:
        TypeError: `allow_insecure_http` is no bool.
        ValueError: `base_url` is an ``http://`` one of another machine, and that is not allowed.
    """
    _check_flag("allow_insecure_http", allow_insecure_http)
    parts = urlsplit(base_url)
    if parts.scheme == "https" or allow_insecure_http or _is_loopback(parts.hostname or ""):
        return
    raise ValueError(
        f"base_url starts with http://, so the key and the prompts would go to {parts.hostname} "
        "unencrypted; use https://, or pass allow_insecure_http=True where the network is yours"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def from_environment(name: str) -> str | None:
    """Read one variable; an empty one counts as not set."""
    return os.environ.get(name) or None


def key_from(given: str | None) -> Secret | None:
    """Give the key that was given, or else the environment's; None where there is neither."""
    key = given if given is not None else from_environment("OPENROUTER_API_KEY")
    return checked_key(key) if key is not None else None


def check_type(name: str, value: object, kind: type) -> None:
    """Refuse an argument of the wrong type, naming it."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")


def attribution(
    url: str | None, title: str | None, categories: Sequence[str] | None
) -> dict[str, str]:
    """Build the headers by which OpenRouter attributes requests to an app."""
    if isinstance(categories, str):
        raise TypeError("app_categories must be a sequence of str, got one str")
    given = {
        "HTTP-Referer": url or from_environment("OPENROUTER_HTTP_REFERER"),
        "X-OpenRouter-Title": title or from_environment("OPENROUTER_APP_TITLE"),
        "X-OpenRouter-Categories": ",".join(categories or ())
        or from_environment("OPENROUTER_APP_CATEGORIES"),
    }
    sent = {name: value for name, value in given.items() if value is not None}
    return checked_headers(sent, "app_url, app_title, app_categories")


def checked_proxy(proxy: object) -> str | None:
    """Check the URL of a proxy, which may hold credentials and so is never shown."""
    if proxy is None:
        return None
    if not isinstance(proxy, str):
        raise TypeError(f"proxy must be a str, got {type(proxy).__name__}")
    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("proxy must start with http:// or https:// and a host")
    if any(character <= " " or character == "\x7f" for character in proxy):
        raise ValueError("proxy must hold no space and no control character")
    return SealedText(proxy)


def checked_headers(headers: object, name: str) -> dict[str, str]:
    """Check headers that a user adds: names and values that HTTP can carry, in one line each."""
    if not isinstance(headers, Mapping):
        raise TypeError(f"{name} must be a mapping, got {type(headers).__name__}")
    checked: dict[str, str] = {}
    for key, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"{name} must map str to str, got {key!r}: {type(value).__name__}")
        if not key or not key.isascii() or not key.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"{name} holds {key!r}, which is no header name")
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"{name}[{key!r}] holds a line end, which would forge a header")
        checked[key] = SealedText(value)
    return checked


_CREDENTIALS: Final = ("auth", "cookie", "key", "token", "secret", "password")


def credential_among(headers: Mapping[str, str]) -> str | None:
    """Give the name of a header that says of itself that it holds a credential, if there is one."""
    return next((name for name in headers if any(c in name.lower() for c in _CREDENTIALS)), None)
