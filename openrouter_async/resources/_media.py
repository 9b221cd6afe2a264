"""What requests for sound, for video and for files have in common.

The rule of this file: arguments become a checked body, and a request becomes a stream of bytes.
What the fields of a body are is said by structs, and sending is the sender's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import Struct

from .._byte_stream import ByteStream
from .._config import Timeouts
from .._event_stream import Accept
from .._sender import Sender
from ..errors import Billed
from ..types.attachment import Attachment
from ._body import encode_body
from ._call import Asked, Operation, timeouts_of
from ._fit import fit
from ._params import plain_params

__all__ = ["byte_stream", "checked", "encoded", "recast"]

A = TypeVar("A", bound=Attachment)
R = TypeVar("R")

_JSON: Final = "application/json"


def checked(kind: type[Struct], arguments: Mapping[str, object]) -> dict[str, Any]:
    """Give those of a method's `locals` that are fields of its request, in the order of `kind`.

    Each field is an argument of the method, by the same name; what is None is not sent.
    """
    names = kind.__struct_fields__
    given = {name: arguments[name] for name in names if arguments[name] is not None}
    asked = fit(plain_params(given, names), kind)
    return cast("dict[str, Any]", msgspec.to_builtins(asked))


def encoded(body: dict[str, Any], extra_body: Mapping[str, Any] | None) -> bytes:
    """Encode a request's body; see `encode_body`."""
    return encode_body(body | dict(extra_body or {}))


def recast(given: Attachment, kind: type[A]) -> A:
    """Give the same file in another form of the wire."""
    name, media_type = given.name, given.media_type
    return kind(given.kind, given.source, name=name, media_type=media_type, start=given.start)


def byte_stream(
    sender: Sender,
    operation: Operation[bytes],
    asked: Asked,
    *,
    accept: str,
    make: Callable[[bytes, Mapping[str, str]], R],
    billed: Billed,
    timeouts: Timeouts | None,
) -> ByteStream[R]:
    """Give the stream of a file; nothing is sent before it is used."""
    waits = timeouts_of(sender, timeouts)
    headers = {"Accept": f"{accept}, {_JSON}", "Accept-Encoding": "identity"}
    if asked.body is not None:
        headers["Content-Type"] = _JSON

    def send(accept: Accept) -> Awaitable[None]:
        at, body, query = asked.path, asked.body, asked.query
        return sender.send(
            operation.method, at, accept, headers=headers, body=body, query=query, timeouts=waits
        )

    return ByteStream(
        send, make=make, billed=billed, timeouts=waits, limits=sender.limits, secret=sender.key
    )
