"""What calls of the API have in common: an operation is declared once, and sent from there.

The rule of this file: an `Operation` says all that a call needs (method, path, query, body, answer,
kind of key). The group's method is the declaration where it can be: `operation` reads its signature
and does the rest, so that nothing is left to write below the docstring. What is wrong is refused at
the call, by the argument's name; the sender sends and tries again.

A read that failed on its way is asked again, as asking twice changes nothing; what creates is
never sent twice when nobody knows whether it was taken, as there is no key to tell the two apart.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from functools import cache, cached_property, wraps
from typing import (
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    get_type_hints,
)
from urllib.parse import quote

import msgspec
from msgspec import Struct

from .._bodies import read_body
from .._config import Timeouts, check_type
from .._error_bodies import error_in, error_in_stream
from .._sender import Sender
from .._transport import Response
from ..errors import AuthenticationError, PermissionDeniedError, ProtocolError
from ..types._lenient import NotAnObjectError, decode_leniently
from ..types._struct import WireStruct
from ._body import encode_body
from ._fit import fit
from ._params import plain_params

__all__ = [
    "Answered",
    "Asked",
    "Call",
    "Group",
    "KeyKind",
    "Operation",
    "declared",
    "decoded",
    "model_at",
    "operation",
    "query_of",
    "timeouts_of",
    "wrapper",
]

T = TypeVar("T")
S = TypeVar("S", bound=Struct)
F = TypeVar("F", bound=Callable[..., Any])

Call: TypeAlias = Coroutine[Any, Any, T]
"""A call that is awaited for its answer. Wrong arguments have raised before there is one."""

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


class _Signature(NamedTuple):
    """What a call takes and gives: the type of the answer, and of what stands in which place."""

    answer: Any
    query: type | None
    body: type | None
    path: Mapping[str, Any]


class Group:
    """An endpoint group; its `key` is that of the operations that do not say it themselves."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def __init_subclass__(cls, *, key: KeyKind = "any") -> None:
        for member in vars(cls).values():
            for one in getattr(member, "operations", ()):
                one.key = one.key or key


class Operation(Generic[T]):
    """One operation of the API; used as a decorator, it marks the method that does it.

    Args:
        endpoint: Method and path, such as ``"GET /keys/{hash}"``.
        answer: What comes back; `bytes` are the body as it is.
        inside: The field of the body that holds it; None where the body itself is it.
        query: A TypedDict of what stands in the query.
        body: A TypedDict of what stands in the body.
        key: Which key the call needs; None leaves it to the group.
        mark: The field that every answer has, and an error has not.
        method: The method whose signature says answer, query and body, in place of the three.
    """

    def __init__(
        self,
        endpoint: str,
        answer: type[T] | None = None,
        *,
        inside: str | None = "data",
        query: type | None = None,
        body: type | None = None,
        key: KeyKind | None = None,
        mark: str | None = None,
        method: Callable[..., Any] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.method, self.path = endpoint.split(" ")
        self.names: Final = tuple(_NAMES_IN_PATH.findall(self.path))
        self.inside = inside
        self.key = key
        self.mark: Final = mark or inside
        self._given = _Signature(answer, query, body, {})
        self._declared_by = method

    def __call__(self, method: F) -> F:
        marked = cast("Any", method)
        marked.operations = (*getattr(method, "operations", ()), self)
        return method

    def __repr__(self) -> str:
        return f"<operation {self.endpoint}>"

    @cached_property
    def signature(self) -> _Signature:
        """What the call takes and gives; annotations are read when somebody asks, not before."""
        method = self._declared_by
        return self._given if method is None else _signature_of(method, self.names)

    @property
    def answer(self) -> type[T]:
        """What comes back."""
        return cast("type[T]", self.signature.answer)

    @property
    def body_type(self) -> type[WireStruct]:
        """What the whole body of an answer is decoded into."""
        kind = cast("type[WireStruct]", self.answer)
        return kind if self.inside is None else wrapper(kind, self.inside, WireStruct)

    def send(
        self,
        sender: Sender,
        *at: object,
        fields: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeouts: Timeouts | None = None,
    ) -> Call[T]:
        """Check the arguments now, and give what sends them.

        Args:
            sender: Who sends.
            *at: What stands in the braces of the path, in order.
            fields: What goes into the query and into the body, by the names of the two types.
            headers: Headers of this request alone.
            body: The body, where it is made already.
        """
        asked = self.ask(*at, fields=fields, headers=headers, body=body)
        return self.send_asked(sender, asked, timeouts)

    def send_asked(self, sender: Sender, asked: Asked, timeouts: Timeouts | None = None) -> Call[T]:
        """Send what `ask` gave."""
        return self._sent(sender, asked, timeouts_of(sender, timeouts))

    def ask(
        self,
        *at: object,
        fields: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Asked:
        """Check the arguments and put the request together; see `send`."""
        _, in_query, in_body, kinds = self.signature
        place = {
            name: _segment(name, value, kinds.get(name, str))
            for name, value in zip(self.names, at, strict=True)
        }
        if body is not None:
            in_body = None
        known = dict.fromkeys((*_names(in_query), *_names(in_body)))
        plain = plain_params(fields or {}, known)
        query = query_of(in_query, plain)
        if in_body is not None:
            said = {name: plain[name] for name in plain if name not in _names(in_query)}
            body = encode_body(_fitted(in_body, said, "extra_body"))
        return Asked(self.path.format(**place), query, body, headers or {})

    async def answer_to(self, sender: Sender, asked: Asked, timeouts: Timeouts) -> Answered:
        """Send and give the whole answer, as bytes."""

        async def accept(response: Response) -> Answered:
            return Answered(await read_body(response, timeouts), response.headers)

        headers = {"Accept": _JSON, "Accept-Encoding": "gzip, deflate"}
        if asked.body is not None:
            headers["Content-Type"] = _JSON
        is_repeatable = self.method in _CAN_BE_REPEATED
        retry = msgspec.structs.replace(sender.retry, retry_unknown=True) if is_repeatable else None
        try:
            return await sender.send(
                self.method,
                asked.path,
                accept,
                headers={**headers, **asked.headers},
                body=asked.body,
                query=asked.query,
                timeouts=timeouts,
                retry=retry,
                needs_key=self.key != "none",
            )
        except (AuthenticationError, PermissionDeniedError) as error:
            if self.key == "management" and error.status is not None:
                error.args = (f"{error}; {_NEEDS_MANAGEMENT}",)
            raise

    async def _sent(self, sender: Sender, asked: Asked, timeouts: Timeouts) -> T:
        answered = await self.answer_to(sender, asked, timeouts)
        if self.answer is bytes:
            return cast("T", answered.body)
        value = decoded(answered, self.body_type, sender, mark=self.mark)
        return cast("T", value if self.inside is None else getattr(value, self.inside))


def operation(
    endpoint: str, *, inside: str | None = "data", key: KeyKind | None = None
) -> Callable[[F], F]:
    """Make a method of a group, which has no body, do an operation of the API.

    Its first arguments stand in the braces of the path, in order. Keywords that are gathered as
    ``**query`` go into the query, all others into the body. It gives a `Call` of the answer.
    """

    def declare(method: F) -> F:
        one = Operation[Any](endpoint, inside=inside, key=key, method=method)
        return declared(method, one, one.send)

    return declare


def declared(method: F, one: Operation[Any], do: Callable[..., object]) -> F:
    """Give a method without a body the one that its signature makes unnecessary.

    Args:
        method: The method.
        one: What it does.
        do: Does it, given the sender, what stands in the path, and ``fields``.
    """

    @wraps(method)
    def call(group: Group, /, *given: object, **fields: object) -> object:
        method(group, *given, **fields)  # does nothing but refuse what it does not take
        at = [*given, *(fields.pop(name) for name in one.names[len(given) :])]
        return do(group._sender, *at, fields=fields)  # pyright: ignore[reportPrivateUsage]

    return cast("F", one(call))


def _signature_of(method: Callable[..., Any], names: tuple[str, ...]) -> _Signature:
    hints = get_type_hints(method, include_extras=True)
    path = {name: hints.pop(name) for name in names}
    answer = get_args(hints.pop("return"))[-1]
    kinds = {name: get_args(kind)[0] for name, kind in hints.items()}  # of Unpack[...]
    query = kinds.pop("query", None)
    return _Signature(answer, query, next(iter(kinds.values()), None), path)


def timeouts_of(sender: Sender, timeouts: Timeouts | None) -> Timeouts:
    """Give the deadlines of a request of a client that is open: the call's own, else its."""
    sender.refuse_if_closed()
    waits = sender.timeouts if timeouts is None else timeouts
    check_type("timeouts", waits, Timeouts)
    return waits


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
        secret = sender.key.reveal() if sender.key is not None else None
        raise error_in_stream(details, now=time.time(), secret=secret)
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


def _segment(name: str, value: object, kind: Any) -> str:
    """Make one part of a path of an argument of a kind, or refuse what would lead elsewhere."""
    if kind is str:
        check_type(name, value, str)
    text = str(fit(value, kind, name))
    if text.strip(". \t\n") == "":
        raise ValueError(f"{name} must not be empty, got {text!r}")
    return quote(text, safe=":~@")


def model_at(model: str) -> tuple[str, str]:
    """Take a model's slug apart, for paths such as ``/models/{author}/{slug}/endpoints``."""
    check_type("model", model, str)
    author, slash, slug = model.partition("/")
    if not (author and slash and slug):
        raise ValueError(f"model must be a slug such as 'author/name', got {model!r}")
    return author, slug


@cache
def wrapper(kind: Any, inside: str, base: type[S]) -> type[S]:
    """Make the struct of a body that holds a `kind` in one field, beside the fields of `base`."""
    fields = [(inside, kind | None, None)]
    name = (get_args(kind) or (kind,))[0].__name__  # of a list, what its rows are
    made = msgspec.defstruct(f"{name}Body", fields, bases=(base,), kw_only=True)
    return cast("type[S]", made)


def query_of(kind: type | None, plain: Mapping[str, object]) -> dict[str, str]:
    """Check what stands in a query, and give it the form of one; what is None is left out."""
    said = {name: plain[name] for name in _names(kind) if plain.get(name) is not None}
    return {name: _query_value(value) for name, value in _fitted(kind, said, "extra_query").items()}


def _fitted(kind: Any, plain: Mapping[str, object], extra: str) -> dict[str, Any]:
    """Check what is sent, and put it in the order of its type, which is promised; extras follow."""
    if kind is None:
        return {}
    checked = cast("dict[str, Any]", fit(plain, kind))
    given = {name: _in_utc(checked[name]) for name in _names(kind) if name in checked}
    more: dict[str, Any] = given.pop(extra, {})
    return given | more


def _in_utc(value: Any) -> Any:
    """Give a moment in UTC, as ``/keys`` refuses every other time zone by the API's description."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@cache
def _names(kind: type | None) -> tuple[str, ...]:
    return () if kind is None else tuple(kind.__annotations__)


def _query_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(_query_value, cast("list[object]", value)))
    return str(msgspec.to_builtins(value))
