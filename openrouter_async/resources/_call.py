"""What calls of the API have in common: an operation is declared once, and sent from there.

The rule of this file: an `Operation` says all that a call needs (method, path, query, body, answer,
kind of key), so that the group's method is a line and what can be asked for can be read off. What
is wrong is refused at the call, by the argument's name; the sender sends and tries again.

A read that failed on its way is asked again, as asking twice changes nothing; what creates is
never sent twice when nobody knows whether it was taken, as there is no key to tell the two apart.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any, Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar, cast
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import Struct

from .._bodies import read_body
from .._config import Timeouts, check_type
from .._error_bodies import error_in, error_in_stream
from .._sealed import SealedBytes
from .._sender import Sender
from .._transport import Response
from ..errors import AuthenticationError, OpenRouterError, PermissionDeniedError, ProtocolError
from ..types._lenient import NotAnObjectError, decode_leniently
from ..types._struct import WireStruct
from ._body import encode_body
from ._fit import fit
from ._params import plain_params

__all__ = [
    "Answered",
    "Asked",
    "Group",
    "KeyKind",
    "Operation",
    "answer_of",
    "decoded",
    "model_at",
    "query_of",
    "segment",
    "uuid_at",
]

T = TypeVar("T")
S = TypeVar("S", bound=Struct)
F = TypeVar("F", bound=Callable[..., Any])

KeyKind: TypeAlias = Literal["normal", "management", "any", "none"]
"""Which key a call needs; ``none`` sends one where the client has it."""

_JSON: Final = "application/json"
_NAMES_IN_PATH: Final = re.compile(r"\{(\w+)\}")
_CAN_BE_REPEATED: Final = frozenset({"GET", "PUT"})
_NEEDS_MANAGEMENT: Final = (
    "this call needs a management key, which is made in OpenRouter's settings; a normal key, "
    "which models are called with, does not do"
)


class Answered(NamedTuple):
    """A body that was read whole, with the headers that came with it."""

    body: bytes
    headers: Mapping[str, str]


class Asked(NamedTuple):
    """A request whose arguments have been checked."""

    path: str
    query: dict[str, str]
    body: bytes | None
    headers: Mapping[str, str]
    content_type: str = _JSON


class Group:
    """An endpoint group: what its methods share."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender


class Operation(Generic[T]):
    """One operation of the API; used as a decorator, it marks the method that does it.

    Args:
        endpoint: Method and path, such as ``"GET /keys/{hash}"``.
        answer: What comes back; `bytes` are the body as it is.
        inside: The field of the body that holds it; None where the body itself is it.
        query: A TypedDict of what stands in the query.
        body: A TypedDict of what stands in the body.
        key: Which key the call needs.
    """

    def __init__(
        self,
        endpoint: str,
        answer: type[T],
        *,
        inside: str | None = "data",
        query: type | None = None,
        body: type | None = None,
        key: KeyKind = "any",
    ) -> None:
        self.endpoint = endpoint
        self.method, self.path = endpoint.split(" ")
        self.names: Final = tuple(_NAMES_IN_PATH.findall(self.path))
        self.answer = answer
        self.inside = inside
        self.query = query
        self.body = body
        self.key: Final[KeyKind] = key

    def __call__(self, method: F) -> F:
        marked = cast("Any", method)
        marked.operations = (*getattr(method, "operations", ()), self)
        return method

    def __repr__(self) -> str:
        return f"<operation {self.endpoint}>"

    @property
    def body_type(self) -> type[WireStruct]:
        """What the whole body of an answer is decoded into."""
        kind = cast("type[WireStruct]", self.answer)
        return kind if self.inside is None else _wrapper(kind, self.inside)

    def send(
        self,
        sender: Sender,
        *at: str,
        fields: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Check the arguments now, and give what sends them.

        Args:
            sender: Who sends.
            *at: What stands in the braces of the path, in order.
            fields: What goes into the query and into the body, by the names of the two types.
            headers: Headers of this request alone.
            timeouts: Deadlines of this request, in place of the client's.
        """
        return self.send_asked(sender, self.ask(*at, fields=fields, headers=headers), timeouts)

    def send_asked(
        self, sender: Sender, asked: Asked, timeouts: Timeouts | None = None
    ) -> Coroutine[Any, Any, T]:
        """Send what `ask` gave, perhaps with another body."""
        sender.refuse_if_closed()
        return self._sent(sender, asked, timeouts)

    def ask(
        self,
        *at: str,
        fields: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Asked:
        """Check the arguments and put the request together; see `send`."""
        place = {name: segment(name, value) for name, value in zip(self.names, at, strict=True)}
        query, body = _split(fields or {}, self.query, self.body)
        encoded = None if self.body is None else SealedBytes(encode_body(body))
        return Asked(self.path.format(**place), query, encoded, headers or {})

    async def answer_to(
        self, sender: Sender, asked: Asked, timeouts: Timeouts | None = None
    ) -> Answered:
        """Send and give the whole answer, as bytes."""
        try:
            return await answer_of(
                sender,
                self.method,
                asked.path,
                query=asked.query,
                body=asked.body,
                content_type=asked.content_type,
                headers=asked.headers,
                timeouts=timeouts,
                needs_key=self.key != "none",
                is_repeatable=self.method in _CAN_BE_REPEATED,
            )
        except (AuthenticationError, PermissionDeniedError) as error:
            if self.key == "management" and error.status is not None:
                error.args = (f"{error}; {_NEEDS_MANAGEMENT}",)
            raise

    async def _sent(self, sender: Sender, asked: Asked, timeouts: Timeouts | None) -> T:
        answered = await self.answer_to(sender, asked, timeouts)
        if self.answer is bytes:
            return cast("T", answered.body)
        value = decoded(answered, self.body_type, sender, mark=self.inside)
        return cast("T", value if self.inside is None else getattr(value, self.inside))


async def answer_of(
    sender: Sender,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
    content_type: str = _JSON,
    headers: Mapping[str, str] | None = None,
    timeouts: Timeouts | None = None,
    needs_key: bool = True,
    is_repeatable: bool = False,
) -> Answered:
    """Send a request and give the whole answer."""
    waits = sender.timeouts if timeouts is None else timeouts
    check_type("timeouts", waits, Timeouts)

    async def accept(response: Response) -> Answered:
        return Answered(await read_body(response, waits), response.headers)

    sent = {"Accept": _JSON, "Accept-Encoding": "gzip, deflate", **(headers or {})}
    if body is not None:
        sent["Content-Type"] = content_type
    return await sender.send(
        method,
        path,
        accept,
        headers=sent,
        body=body,
        query=query,
        timeouts=waits,
        retry=msgspec.structs.replace(sender.retry, retry_unknown=True) if is_repeatable else None,
        needs_key=needs_key,
    )


def decoded(answered: Answered, kind: type[S], sender: Sender, *, mark: str | None) -> S:
    """Decode an answer, leniently where it is not quite what it should be.

    Args:
        answered: The answer.
        kind: What it is.
        sender: Whose key no message may show.
        mark: The field that every such answer has, and an error has not.

    Raises:
        StreamAPIError: It is an error, although HTTP called it a success.
        ProtocolError: It is nothing of this kind.
    """
    body = answered.body
    try:
        value = _decoded(body, kind)
    except NotAnObjectError as error:
        raise ProtocolError(f"the answer is {error}") from None
    if getattr(value, mark) if mark is not None else "error" in kind.__struct_fields__:
        return value
    details = error_in(body)
    if details is not None:
        raise _error_of(details, sender)
    if mark is None or f'"{mark}"'.encode() in body:  # it is there, and there is nothing in it
        return value
    raise ProtocolError(f"the answer has no {mark}")


def _decoded(body: bytes, kind: type[S]) -> S:
    if not body:  # 204: done, and nothing to say
        return kind()
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_leniently(body, kind)


def _error_of(details: Any, sender: Sender) -> OpenRouterError:
    secret = sender.key.reveal() if sender.key is not None else None
    return error_in_stream(details, now=time.time(), secret=secret)


def segment(name: str, value: str) -> str:
    """Make one part of a path of an argument.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty, or would lead elsewhere.
    """
    check_type(name, value, str)
    if value.strip(". \t\n") == "":
        raise ValueError(f"{name} must not be empty, got {value!r}")
    return quote(value, safe=":~@")


def uuid_at(name: str, value: UUID | str) -> str:
    """Make one part of a path of an id that must be a UUID.

    Raises:
        TypeError: It is neither a UUID nor text.
        ValueError: It has another form.
    """
    return str(fit(value, UUID, name))


def model_at(model: str) -> tuple[str, str]:
    """Take a model's slug apart, for paths such as ``/models/{author}/{slug}/endpoints``.

    Raises:
        TypeError: It is no text.
        ValueError: It is no slug with an author.
    """
    check_type("model", model, str)
    author, slash, slug = model.partition("/")
    if not (author and slash and slug):
        raise ValueError(f"model must be a slug such as 'author/name', got {model!r}")
    return author, slug


@cache
def _wrapper(kind: type[Any], inside: str) -> type[WireStruct]:
    """Make the struct of a body that holds a `kind` in one field."""
    fields = [(inside, kind | None, None)]
    return cast(
        "type[WireStruct]",
        msgspec.defstruct(f"{kind.__name__}Body", fields, bases=(WireStruct,), kw_only=True),
    )


def _split(
    fields: Mapping[str, object], query: type | None, body: type | None
) -> tuple[dict[str, str], dict[str, Any]]:
    """Check the arguments, and tell what goes where."""
    in_query, in_body = _names(query), _names(body)
    known = [*in_query, *(name for name in in_body if name not in in_query)]
    plain = plain_params(fields, known)
    asked = {name: plain[name] for name in plain if name in in_query and plain[name] is not None}
    sent = {name: plain[name] for name in plain if name not in in_query}
    return query_of(query, asked), _body_of(body, sent)


def query_of(kind: type | None, plain: Mapping[str, object]) -> dict[str, str]:
    """Check what stands in a query, and give it the form of one."""
    if kind is None:
        return {}
    checked = cast("dict[str, Any]", fit(plain, cast("Any", kind)))
    given = {name: checked[name] for name in _names(kind) if name in checked}
    extra = given.pop("extra_query", {})
    return {name: _query_value(value) for name, value in {**given, **extra}.items()}


def _body_of(kind: type | None, plain: Mapping[str, object]) -> dict[str, Any]:
    """Check what stands in a body, and put it in the order of its type, which is promised."""
    if kind is None:
        return {}
    checked = cast("dict[str, Any]", fit(plain, cast("Any", kind)))
    given = {name: checked[name] for name in _names(kind) if name in checked}
    extra = given.pop("extra_body", {})
    return {**given, **extra}


@cache
def _names(kind: type | None) -> tuple[str, ...]:
    return () if kind is None else tuple(kind.__annotations__)


def _query_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(_query_value, cast("list[object]", value)))
    return str(msgspec.to_builtins(value))
