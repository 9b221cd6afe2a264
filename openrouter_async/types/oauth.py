"""Signing in at OpenRouter by codes, keys and tokens: ``/auth`` and ``/oauth``."""

from __future__ import annotations

from typing import Annotated, Literal, Required, TypeAlias, TypedDict

from msgspec import Meta

from ._forms import Moment, Text, Uuid
from ._request import BodyKeywords, Open
from ._struct import SecretStruct, WireStruct

_Method: TypeAlias = Literal["S256", "plain"]
_Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
_Verifier: TypeAlias = Annotated[
    str, Meta(min_length=43, max_length=128, pattern=r"^[A-Za-z0-9\-._~]+$")
]
_TOKEN_TYPE: TypeAlias = Literal["urn:ietf:params:oauth:token-type:access_token"]


class ExchangedKey(SecretStruct):
    """The key that a user gave to an app, which cannot be had again."""

    key: str = ""
    user_id: str | None = None


class KeyExchange(BodyKeywords, total=False):
    """What a key is given for."""

    code: Required[Text]
    code_verifier: _Verifier | None
    code_challenge_method: _Method | None


class SignInFields(TypedDict, total=False):
    """What the key is to be like that a user is asked for; ``limit`` is in USD."""

    key_label: _Label
    limit: Annotated[float, Meta(ge=0)]


class AuthCodeFields(SignInFields, BodyKeywords, total=False):
    """What a code is made for; ``usage_limit_type`` is when the limit begins anew."""

    callback_url: Required[Text]
    code_challenge: Text
    code_challenge_method: _Method
    usage_limit_type: Open[Literal["daily", "weekly", "monthly"]]
    expires_at: Moment | None
    workspace_id: Uuid
    spawn_agent: str
    spawn_cloud: str


class AuthCode(SecretStruct):
    """A code that can be exchanged for a key once, within ten minutes; it is the `id`."""

    id: str = ""
    app_id: int | None = None
    created_at: str | None = None


class TokenExchange(BodyKeywords, total=False):
    """What a short-lived token is given for: a signed statement of an identity provider."""

    grant_type: Literal["urn:ietf:params:oauth:grant-type:token-exchange"]
    federation_policy_id: Required[Text]
    subject_token: Required[Text]
    subject_token_type: Literal["urn:ietf:params:oauth:token-type:jwt"]
    requested_token_type: _TOKEN_TYPE
    scope: Open[Literal["inference", "management"]]


class AccessToken(SecretStruct):
    """A token that is used like a key for `expires_in` seconds."""

    access_token: str = ""
    expires_in: int | None = None
    issued_token_type: str | None = None
    scope: str | None = None
    token_type: str | None = None


class JSONWebKey(WireStruct):
    """A public key that OpenRouter's own tokens are signed with."""

    kid: str | None = None
    kty: str | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None
