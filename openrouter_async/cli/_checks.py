"""The single checks of ``openrouter-async doctor``.

The rule of this file: a check costs nothing, ends within seconds, never raises and never shows a
key or the password of a proxy. It says what it found in plain words, and what to do about it.
"""

from __future__ import annotations

import os
import platform
import re
import socket
from errno import ECONNREFUSED
from importlib import metadata
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import click
from msgspec import Struct

from openrouter_async import OpenRouterError, RetryPolicy, Timeouts, __version__
from openrouter_async._config import check_key_is_safe, checked_base_url, checked_key
from openrouter_async._transport.network import environment_proxy
from openrouter_async.cli._cost import account_left, key_facts
from openrouter_async.cli._kept_key import kept_key
from openrouter_async.cli._setup import (
    base_url,
    has_key_in_environment,
    is_openrouter,
    open_client,
)
from openrouter_async.cli._words import money, printable
from openrouter_async.errors import AuthenticationError, NotFoundError, ProxyError, TLSError

if TYPE_CHECKING:
    import ssl

__all__ = ["Finding", "address", "answer", "connection", "dns", "key", "proxy", "versions"]

_PATIENCE: Final = 10.0
_KEYS: Final = "https://openrouter.ai/settings/keys"
_CREDIT: Final = "https://openrouter.ai/settings/credits"
_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")
_NOT_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_LOOK_AT_PROXY: Final = (
    "Look at HTTPS_PROXY: http://host:port, with name:password@ before the host where the proxy "
    "wants them (their / @ and : as %2F %40 and %3A). Unset it where the network needs no proxy."
)
_LOOK_AT_TRUST: Final = (
    "Does a company's proxy open TLS? Set SSL_CERT_FILE to its certificate file. "
    "Otherwise look at this machine's clock and certificates."
)


class Finding(Struct, frozen=True, kw_only=True):
    """What one check found, and what to do about it."""

    name: str
    state: Literal["ok", "warning", "failed"] = "ok"
    said: str
    next: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether what comes behind this cannot work."""
        return self.state == "failed"


def versions() -> Finding:
    """Tell what is installed."""
    installed = [f"{name} {metadata.version(name)}" for name in ("aiohttp", "msgspec", "anyio")]
    said = [f"openrouter-async {__version__}", f"Python {platform.python_version()}", *installed]
    return Finding(name="versions", said=", ".join(said))


def key() -> Finding:
    """Look at the key without showing it."""
    given = os.environ.get("OPENROUTER_API_KEY")
    if not given:
        if kept_key(base_url()) is not None:
            return Finding(name="key", said="the one that `openrouter-async login` brought")
        if not is_openrouter():
            return Finding(name="key", said="none is set, and none is sent to this server")
        return Finding(
            name="key",
            state="failed",
            said="OPENROUTER_API_KEY is not set",
            next="Sign in with: openrouter-async login. Or create a key at "
            f"{_KEYS}, then: export OPENROUTER_API_KEY=sk-or-v1-...",
        )
    try:
        checked_key(given)
    except ValueError as error:
        return Finding(name="key", state="failed", said=str(error), next="Copy the key once more.")
    if is_openrouter() and not given.strip().startswith("sk-or-"):
        return Finding(
            name="key",
            state="warning",
            said="OPENROUTER_API_KEY is set, and does not begin with sk-or- as OpenRouter's do",
            next=f"Is it the key of another service? OpenRouter's are at {_KEYS}",
        )
    return Finding(name="key", said="OPENROUTER_API_KEY is set and looks like a key")


def address() -> Finding:
    """Look at where requests go."""
    try:
        url = checked_base_url(base_url())
        if has_key_in_environment():
            check_key_is_safe(url, allow_insecure_http=False)
    except ValueError as error:
        return Finding(
            name="address",
            state="failed",
            said=str(error),
            next="Set OPENROUTER_BASE_URL to another address, or unset it for OpenRouter's own.",
        )
    return Finding(name="address", said=url if is_openrouter() else f"{url}, not OpenRouter itself")


async def proxy() -> tuple[Finding, bool]:
    """Look for a proxy in the environment, and give whether requests go through one."""
    import asyncio

    try:
        found = environment_proxy(base_url())
    except OpenRouterError as error:
        said, further = str(error), "Only http and https proxies can be used."
        return Finding(name="proxy", state="failed", said=said, next=further), True
    if found is None:
        return Finding(name="proxy", said="none"), False
    try:
        host, port = _origin(found)
    except ValueError:  # what seems to be a port may be a part of the password
        said = "the environment names one whose port is no number"
        return Finding(name="proxy", state="failed", said=said, next=_LOOK_AT_PROXY), True
    shown = f"{host}:{port}"
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError, UnicodeError) as error:
        return Finding(
            name="proxy",
            state="failed",
            said=f"{shown}, from the environment, cannot be reached: {_reason(error)}",
            next=_LOOK_AT_PROXY,
        ), True
    writer.transport.abort()
    return Finding(name="proxy", said=f"{shown}, from the environment; it finds the server"), True


async def dns() -> Finding:
    """Find the server's address."""
    import asyncio

    host, port = _origin(base_url())
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await loop.getaddrinfo(host, port, type=1)
    except (OSError, TimeoutError, UnicodeError) as error:
        return Finding(
            name="DNS",
            state="failed",
            said=f"{host} cannot be found: {_reason(error)}",
            next="Is there a network, and does its name server work? Behind a company's proxy, "
            "set HTTPS_PROXY.",
        )
    addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
    return Finding(name="DNS", said=f"{host} is {', '.join(addresses[:3])}")


async def connection() -> Finding:
    """Connect to the server, and see whether its certificate is trusted."""
    import asyncio
    import ssl

    host, port = _origin(base_url())
    is_tls = urlsplit(base_url()).scheme == "https"
    started = monotonic()
    try:
        async with asyncio.timeout(_PATIENCE):
            context = await asyncio.to_thread(ssl.create_default_context) if is_tls else None
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        return _untrusted(error)
    except (OSError, TimeoutError) as error:
        is_here = host == "localhost" or host.startswith("127.")
        return Finding(
            name="connection",
            state="failed",
            said=f"{host} port {port} takes no connection: {_reason(error)}",
            next="Is the server running on this machine? Start it, or set OPENROUTER_BASE_URL to "
            "where it is."
            if is_here
            else "Look for a firewall, or set HTTPS_PROXY where the network has a proxy.",
        )
    spoken = _spoken(writer.get_extra_info("ssl_object"))
    writer.transport.abort()
    return Finding(name="connection", said=f"{spoken} in {1000 * (monotonic() - started):.0f} ms")


async def answer() -> list[Finding]:
    """Ask the API about the key, and give what it says of that and of credit."""
    patience = Timeouts(connect=_PATIENCE, wire_idle=_PATIENCE, first_event=_PATIENCE)
    started = monotonic()
    try:
        client = open_client(retry=RetryPolicy(max_attempts=1), timeouts=patience)
        async with client:
            facts = await key_facts(client)
            account = await account_left(client, facts)
    except AuthenticationError as error:
        return [_refused(error)]
    except NotFoundError:
        return [Finding(name="API", said="it answers, and knows no keys: not OpenRouter itself")]
    except (OpenRouterError, click.ClickException) as error:
        return [_unanswered(error)]
    took = 1000 * (monotonic() - started)
    found = Finding(name="API", said=f"it answers in {took:.0f} ms and takes the key")
    return [found, _credit(facts), *([] if account is None else [_account(account)])]


def _refused(error: AuthenticationError) -> Finding:
    further = f"Look at the key at {_KEYS}"
    if not is_openrouter():
        further = "Set OPENROUTER_API_KEY to a key of this server."
    has_key = has_key_in_environment() or kept_key(base_url()) is not None
    said = f"the API refuses the key: {error}" if has_key else "it wants a key, and there is none"
    return Finding(name="API", state="failed", said=printable(said), next=further)


def _untrusted(error: ssl.SSLError) -> Finding:
    why = getattr(error, "verify_message", "")
    if not why and error.reason in _NOT_TLS:
        return Finding(
            name="connection",
            state="failed",
            said="the server there does not speak TLS",
            next="Is it one of plain HTTP? Then its address begins with http://",
        )
    return Finding(
        name="connection",
        state="failed",
        said=f"no trusted connection: {why or error.reason or _reason(error)}",
        next=_LOOK_AT_TRUST,
    )


def _account(left: float) -> Finding:
    if left <= 0:
        return Finding(
            name="account",
            state="failed",
            said="no credit is left",
            next=f"Add some at {_CREDIT}",
        )
    return Finding(name="account", said=f"{money(left)} of credit left")


def _unanswered(error: Exception) -> Finding:
    said = error.format_message() if isinstance(error, click.ClickException) else str(error)
    further = "Try again in a minute."
    if isinstance(error, ProxyError):
        further = _LOOK_AT_PROXY
    elif isinstance(error, TLSError):
        further = _LOOK_AT_TRUST
    elif is_openrouter():
        further = "Try again in a minute; is there trouble at https://status.openrouter.ai?"
    return Finding(name="API", state="failed", said=printable(said), next=further)


def _credit(facts: dict[str, Any]) -> Finding:
    limit, left = facts.get("limit"), facts.get("limit_remaining")
    used = f"{money(facts.get('usage_monthly'))} used this month"
    if limit is not None and left is not None:
        if left <= 0:
            return Finding(
                name="credit",
                state="failed",
                said=f"the key's limit of {money(limit)} is used up",
                next=f"Raise it at {_KEYS}",
            )
        return Finding(name="credit", said=f"{money(left)} of {money(limit)} left; {used}")
    if facts.get("is_free_tier"):
        return Finding(
            name="credit",
            state="warning",
            said="the account has never bought credit, so only free models answer",
            next=f"Add some at {_CREDIT}, or see: openrouter-async models --free",
        )
    where = f"what the account has left is told at {_CREDIT}"
    if facts.get("is_management_key"):
        where = "what the account has left is told below"
    return Finding(name="credit", said=f"the key has no limit of its own; {used}; {where}")


def _origin(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _spoken(tls: ssl.SSLObject | None) -> str:
    return "plain HTTP" if tls is None else f"{tls.version()}, a trusted certificate,"


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {_PATIENCE:.0f} s"
    number = _NUMBER.search(str(error))  # asyncio says in its own words what the system calls it
    if number is not None and not isinstance(error, socket.gaierror):
        code = int(number[1])
        return "nothing listens there" if code == ECONNREFUSED else os.strerror(code)
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
