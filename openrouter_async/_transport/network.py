"""What a connection needs to know of the machine: its trusted certificates and its proxy.

The rule of this file: everything slow is a function that a worker thread can run, and everything
read from the environment is read here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ..errors import ProxyError, TLSError

if TYPE_CHECKING:
    import ssl

__all__ = ["TLS_CONTEXTS", "environment_proxy", "load"]

TLS_CONTEXTS: Final[dict[tuple[str | None, ...], ssl.SSLContext]] = {}


def load(tls: ssl.SSLContext | str | Path | None, needs_tls: bool) -> ssl.SSLContext | None:
    import aiohttp as _  # noqa: F401  the import is the point: it takes longer than a handshake

    if not needs_tls:
        return None
    import ssl

    if isinstance(tls, ssl.SSLContext):
        return tls
    # One context a set of authorities for the whole process: each takes 20 ms and 1 MB.
    given = str(tls) if tls is not None else None
    key = given, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = TLS_CONTEXTS.get(key)
    if context is None:
        try:
            if given is None:
                context = ssl.create_default_context()
            elif Path(given).is_dir():
                context = ssl.create_default_context(capath=given)
            else:
                context = ssl.create_default_context(cafile=given)
        except OSError as error:
            raise TLSError(f"no certificates could be read from {given}: {error}") from error
        TLS_CONTEXTS[key] = context
    return context


def environment_proxy(url: str) -> str | None:
    """Give the proxy that the environment names for `url`; loopback never goes through one."""
    from urllib import request

    proxies = request.getproxies_environment()
    if not proxies:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    # Not in the type stubs, though it has been in urllib from the beginning.
    bypass: Any = request.proxy_bypass_environment  # type: ignore[attr-defined]
    if not proxy or bypass(f"{host}:{parts.port}" if parts.port else host):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        scheme = proxy.partition("://")[0]
        raise ProxyError(
            f"the environment names a {scheme} proxy, and only http and https ones are supported; "
            "unset it, or pass proxy='http://...'"
        )
    return proxy
