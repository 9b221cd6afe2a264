"""What requests for sound and for video have in common.

The rule of this file: arguments become a checked body, and a path becomes an answer or a stream.
What the fields of a body are is said by structs, and sending is the sender's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import Struct

from .._byte_stream import ByteStream
from .._config import Timeouts, check_type
from .._event_stream import Accept
from .._sealed import SealedBytes
from .._sender import Sender
from ..errors import Billed
from ._body import encode_body
from ._fit import fit
from ._params import plain_params

__all__ = ["byte_stream", "checked", "encoded"]

R = TypeVar("R")
S = TypeVar("S", bound=Struct)

_JSON: Final = "application/json"


def checked(kind: type[Struct], fields: Mapping[str, object]) -> dict[str, Any]:
    """Give what is not None of a request's fields, in the order of `kind`.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is impossible.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    asked = fit(plain_params(given, fields), kind)
    return cast("dict[str, Any]", msgspec.to_builtins(asked))


def encoded(body: dict[str, Any], extra_body: Mapping[str, Any] | None) -> bytes:
    """Encode a request's body.

    Raises:
        TypeError: Something in it has no form in JSON.
        ValueError: Something in it is no text.
    """
    return SealedBytes(encode_body(body | dict(extra_body or {})))


def byte_stream(
    sender: Sender,
    method: str,
    path: str,
    *,
    accept: str,
    make: Callable[[bytes, Mapping[str, str]], R],
    billed: Billed,
    body: bytes | None = None,
    query: Mapping[str, str] | None = None,
    timeouts: Timeouts | None = None,
) -> ByteStream[R]:
    """Give the stream of a file; nothing is sent before it is used."""
    sender.refuse_if_closed()
    waits = _timeouts_of(sender, timeouts)
    headers = {"Accept": f"{accept}, {_JSON}", "Accept-Encoding": "identity"}
    if body is not None:
        headers["Content-Type"] = _JSON

    async def send(take: Accept) -> None:
        await sender.send(
            method, path, take, headers=headers, body=body, query=query, timeouts=waits
        )

    return ByteStream(
        send, make=make, billed=billed, timeouts=waits, limits=sender.limits, secret=sender.key
    )


def _timeouts_of(sender: Sender, timeouts: Timeouts | None) -> Timeouts:
    waits = sender.timeouts if timeouts is None else timeouts
    check_type("timeouts", waits, Timeouts)
    return waits
