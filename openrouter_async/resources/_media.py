"""What requests for sound and for video have in common.

The rule of this file: arguments become a checked body, and a path becomes an answer or a stream.
What the fields of a body are is said by structs, and sending is the sender's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec
from msgspec import Struct

from .._bodies import read_body
from .._byte_stream import ByteStream
from .._config import Timeouts, check_type
from .._error_bodies import error_in, error_in_stream
from .._event_stream import Accept
from .._sealed import SealedBytes
from .._sender import Sender
from .._transport import Response
from ..errors import Billed, ProtocolError
from ..types._lenient import NotAnObjectError, decode_leniently
from ._body import encode_body
from ._fit import fit
from ._params import plain_params

__all__ = ["Answered", "answer_of", "byte_stream", "checked", "decoded", "encoded"]

R = TypeVar("R")
S = TypeVar("S", bound=Struct)

_JSON: Final = "application/json"


class Answered(NamedTuple):
    """A body that was read whole, with the headers that came with it."""

    body: bytes
    headers: Mapping[str, str]


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


async def answer_of(
    sender: Sender,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    content_type: str = _JSON,
    timeouts: Timeouts | None = None,
) -> Answered:
    """Send a request and give the whole answer."""
    waits = _timeouts_of(sender, timeouts)

    async def accept(response: Response) -> Answered:
        return Answered(await read_body(response, waits), response.headers)

    headers = {"Accept": _JSON, "Accept-Encoding": "gzip, deflate"}
    if body is not None:
        headers["Content-Type"] = content_type
    return await sender.send(method, path, accept, headers=headers, body=body, timeouts=waits)


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


def decoded(answered: Answered, kind: type[S], sender: Sender, *, mark: str) -> S:
    """Decode an answer leniently.

    Args:
        answered: The answer.
        kind: What it is.
        sender: Whose key no message may show.
        mark: The field that every such answer has, and an error has not.

    Raises:
        StreamAPIError: It is an error, although HTTP called it a success.
        ProtocolError: It is nothing of this kind.
    """
    try:
        value = decode_leniently(answered.body, kind)
    except NotAnObjectError as error:
        raise ProtocolError(f"the answer is {error}") from None
    if getattr(value, mark):
        return value
    details = error_in(answered.body)
    if details is None:
        if f'"{mark}"'.encode() in answered.body:  # nothing was said in the recording
            return value
        raise ProtocolError(f"the answer has no {mark}")
    raise error_in_stream(
        details,
        now=time.time(),
        secret=sender.key.reveal() if sender.key is not None else None,
    )
