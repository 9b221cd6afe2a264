"""The pretend sign-in: a page that everybody agrees on, codes, and the keys they are worth.

The rule of this file: a code is worth one key, for whoever knows the verifier of its challenge.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from openrouter_async.testing._build import json_reply
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Call, Router, Row, now

__all__ = ["add_sign_in"]

_JWK: Final = {"kid": "1", "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256"}


def add_sign_in(router: Router, make_key: Callable[[Row], str]) -> None:
    """Add ``/auth`` and ``/oauth``.

    Args:
        router: What they are added to.
        make_key: Makes a key, from what is wished of it.
    """
    codes: dict[str, Mapping[str, object]] = {}

    def remember(wishes: Mapping[str, object]) -> str:
        code = f"auth_code_{secrets.token_hex(8)}"
        codes[code] = wishes
        return code

    def sign_in_page(call: Call) -> Reply:
        back = call.query.get("callback_url")
        code = remember(call.query)
        if back is None:
            return json_reply(code.encode(), content_type="text/plain")
        mark = "&" if "?" in back else "?"
        return json_reply(b"", status=302, headers={"Location": f"{back}{mark}code={code}"})

    def create_code(call: Call) -> Row:
        code = remember(call.body("callback_url"))
        return {"data": {"id": code, "app_id": 7, "created_at": now()}}

    def exchange(call: Call) -> Row:
        body = call.body("code")
        wishes = codes.get(body["code"])
        if wishes is None:
            raise RefusedError(403, "Invalid code")
        method = wishes.get("code_challenge_method") or None
        if wishes.get("code_challenge") is not None:
            if body.get("code_challenge_method") != method:
                raise RefusedError(400, "Invalid code_challenge_method")
            if _challenge(body.get("code_verifier") or "", method) != wishes["code_challenge"]:
                raise RefusedError(403, "Invalid code or code_verifier")
        del codes[body["code"]]
        key = make_key({"name": wishes.get("key_label") or "Signed in"})
        return {"key": key, "user_id": "user_emulated"}

    def token(call: Call) -> Row:
        body = call.body("grant_type", "federation_policy_id", "subject_token")
        return {
            "access_token": f"or-token-{secrets.token_hex(8)}",
            "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "scope": body.get("scope", "inference"),
            "token_type": "Bearer",
        }

    router.on("GET /auth", sign_in_page, public=True)
    router.on("POST /auth/keys", exchange, public=True)
    router.on("POST /auth/keys/code", create_code)
    router.on("POST /oauth/token", token, public=True)
    router.on("GET /oauth/jwks", lambda _: {"keys": [{**_JWK, "x": "AA", "y": "AA"}]}, public=True)


def _challenge(verifier: str, method: object) -> str:
    if method != "S256":
        return verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
