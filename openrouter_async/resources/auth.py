"""``/auth`` and ``/oauth``: keys of users, who sign in at OpenRouter, and short-lived tokens.

The rule of this file: operations are declared, and each method is one of them or puts some of them
together. What a sign-in is made of is in `_sign_in`, the server on loopback in `_loopback`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Unpack

from .._sign_in import SignIn, challenge_of, sign_in
from .._threads import in_thread
from ..errors import TotalTimeout
from ..types.oauth import (
    AccessToken,
    AuthCode,
    AuthCodeFields,
    ExchangedKey,
    JSONWebKey,
    KeyExchange,
    SignInFields,
    TokenExchange,
)
from ._call import Call, Group, Operation, operation, query_of
from ._list import Listing, listing
from ._params import plain_params

__all__ = ["Auth"]

_EXCHANGE: Final = Operation("POST /auth/keys", ExchangedKey, inside=None, body=KeyExchange)
_TOKEN: Final = Operation("POST /oauth/token", AccessToken, inside=None, body=TokenExchange)


class Auth(Group, key="none"):
    """Keys of users who sign in at OpenRouter (OAuth PKCE); reached as `OpenRouter.auth`.

    A program on the user's own machine needs `login` alone. A web app sends the user to the URL of
    `begin`, and has the code that comes back exchanged for a key by `exchange`. A client for this
    needs no key itself.
    """

    async def login(
        self,
        *,
        show: Callable[[str], object] | None = None,
        port: int = 0,
        timeout: float = 300.0,
        **fields: Unpack[SignInFields],
    ) -> ExchangedKey:
        """Have the user of this machine sign in with a browser, and get the key. No key is needed.

        A server listens on 127.0.0.1 for as long as it takes, and is gone however it ends.

        Args:
            show: Called with the URL where the user signs in; by default it opens the browser.
            port: Where to listen; 0 takes a free port.
            timeout: Seconds that the user has.

        Raises:
            TotalTimeout: Nobody signed in.
            PermissionDeniedError: The user refused, or the code did not do.
            OSError: The port is taken.

        >>> async def example() -> str:
        ...     async with OpenRouter(api_key="") as client:
        ...         return (await client.auth.login(key_label="my-tool")).key
        """
        import asyncio
        import webbrowser

        from .._loopback import Loopback

        self._sender.refuse_if_closed()
        async with Loopback(port) as loopback:
            begun = self.begin(loopback.url, **fields)
            # A browser may be back before its opening returns, one in the terminal always is.
            loopback.expect(begun.code_in)
            await in_thread(show or webbrowser.open, begun.url)
            scope = asyncio.timeout(timeout)
            try:
                async with scope:
                    code = await loopback.receive()
            except TimeoutError:
                if not scope.expired():
                    raise
                raise TotalTimeout(f"nobody signed in within {timeout:g} s") from None
        return await self.exchange(code, verifier=begun.verifier)

    def begin(self, callback_url: str | None = None, **fields: Unpack[SignInFields]) -> SignIn:
        """Begin a sign-in: make its secrets and the URL. Nothing is sent.

        Send the user to its ``url``, keep its ``verifier``, and let its ``code_in`` read the
        redirect.

        Args:
            callback_url: Where the user is sent back to: https, or http to this machine. None lets
                the page show the code, for the user to carry over.

        >>> from openrouter_async import OpenRouter
        >>> begun = OpenRouter(api_key="").auth.begin("https://app.example/signed-in")
        >>> begun.url.partition("?")[0]
        'https://openrouter.ai/auth'
        """
        base, mark, _ = self._sender.base_url.rpartition("/api/")
        page = f"{base if mark else self._sender.base_url}/auth"
        told = query_of(SignInFields, plain_params(fields, SignInFields.__annotations__))
        return sign_in(page, callback_url, told)

    @staticmethod
    def challenge(verifier: str) -> str:
        """Give the S256 challenge of a verifier, which is 43 to 128 characters of one's own."""
        return challenge_of(verifier)

    @_EXCHANGE
    def exchange(
        self, code: str, *, verifier: str | None = None, method: Literal["S256", "plain"] = "S256"
    ) -> Call[ExchangedKey]:
        """Exchange a code for the user's key. No key is needed.

        Args:
            code: What the redirect brought; it can be used once, for ten minutes.
            verifier: That of the sign-in, unless it had no challenge.
            method: How the challenge was made of it.

        Raises:
            PermissionDeniedError: The code is wrong, used or too old, or the verifier is wrong.
            BadRequestError: The method is not that of the sign-in.
        """
        fields: dict[str, object] = {"code": code}
        if verifier is not None:
            fields |= {"code_verifier": verifier, "code_challenge_method": method}
        return _EXCHANGE.send(self._sender, fields=fields)

    @operation("POST /auth/keys/code", key="any")
    def create_code(self, **fields: Unpack[AuthCodeFields]) -> Call[AuthCode]:
        """Make a code for this account without a browser, for `exchange`. Any key."""

    @_TOKEN
    def exchange_token(self, **fields: Unpack[TokenExchange]) -> Call[AccessToken]:
        """Exchange the token of an identity provider for a short-lived one. No key is needed.

        >>> async def example(client: OpenRouter, signed: str) -> str:
        ...     token = await client.auth.exchange_token(
        ...         federation_policy_id="fed_1", subject_token=signed
        ...     )
        ...     return token.access_token
        """
        grant = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        }
        return _TOKEN.send(self._sender, fields={**grant, **fields})

    @listing("GET /oauth/jwks", inside="keys")
    def jwks(self) -> Listing[JSONWebKey]:
        """List the public keys that OpenRouter signs tokens with. No key is needed."""
