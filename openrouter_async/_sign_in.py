"""Signing in with OAuth PKCE: what is made up for it, and what the redirect must bring back.

The rule of this file: pure, apart from chance. Nothing here is sent or waited for. Whoever began a
sign-in alone knows its verifier, so a code that somebody else got hold of is worth nothing; the
state in the callback tells that the redirect belongs to this sign-in and not to another one.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .errors import AuthenticationError, PermissionDeniedError

__all__ = ["SignIn", "challenge_of", "sign_in"]

_STATE: Final = "state"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that was begun: the user goes to `url`, and comes back with a code.

    Attributes:
        url: Where the user's browser is to go.
        verifier: What only this sign-in knows; keep it where the callback finds it.
        state: What the redirect brings back; None where there is no callback.
    """

    url: str
    verifier: str = field(repr=False)
    state: str | None = field(repr=False)

    def code_in(self, redirect: str) -> str:
        """Get the code out of the redirect that came to the callback.

        Args:
            redirect: Its URL, or the query alone.

        Raises:
            AuthenticationError: It belongs to another sign-in, or brings no code.
            PermissionDeniedError: The user refused.
        """
        query = redirect.partition("?")[2] if "?" in redirect else redirect
        found = dict(parse_qsl(query.partition("#")[0]))
        if self.state is not None and not secrets.compare_digest(
            found.get(_STATE, "").encode(), self.state.encode()
        ):
            raise AuthenticationError("the redirect belongs to another sign-in: its state differs")
        if "error" in found:
            said = found.get("error_description") or found["error"]
            raise PermissionDeniedError(f"the sign-in was refused: {said}")
        if not found.get("code"):
            raise AuthenticationError("the redirect brings no code")
        return found["code"]


def challenge_of(verifier: str) -> str:
    """Give the challenge of a verifier (S256).

    >>> challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sign_in(page: str, callback_url: str | None, fields: dict[str, str]) -> SignIn:
    """Begin a sign-in.

    Args:
        page: The address of the page where users sign in.
        callback_url: Where they are sent back to; None lets the page show the code.
        fields: What else the page is told.

    Raises:
        ValueError: `callback_url` is none that OpenRouter sends anybody to.
    """
    verifier = secrets.token_urlsafe(32)
    query: dict[str, str] = {}
    state = None
    if callback_url is not None:
        state = secrets.token_urlsafe(16)
        query["callback_url"] = _with_state(callback_url, state)
    query |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256", **fields}
    return SignIn(f"{page}?{urlencode(query)}", verifier, state)


def _with_state(callback_url: str, state: str) -> str:
    parts = urlsplit(callback_url)
    is_own = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (is_own or (parts.scheme == "https" and parts.hostname)):
        raise ValueError(
            f"callback_url must be an https URL, or an http one of localhost, got {callback_url!r}"
        )
    query = f"{parts.query}&" if parts.query else ""
    return urlunsplit(parts._replace(query=f"{query}{_STATE}={state}"))
