"""What the emulator keeps of the things that are made, listed, changed and deleted.

The rule of this file: a request in, a reply out, with state and without I/O. A group says which
endpoints it has (`Router.on`, `Router.keep`); how rows are kept, paged, found missing or refused
to the wrong key is said once, here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote
from uuid import uuid4

import msgspec

from openrouter_async.testing._build import http_error, json_reply
from openrouter_async.testing._desk import BASE_PATH, ReceivedRequest
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply

__all__ = ["Call", "Router", "Row", "Rows", "filtered", "key_in", "made", "maker", "now", "page"]

Row: TypeAlias = dict[str, Any]
Verb: TypeAlias = Literal["list", "create", "get", "update", "delete"]

_PAGE: Final = 50
_BRACES: Final = re.compile(r"\\\{\w+\\\}")
_VERBS: Final[tuple[Verb, ...]] = ("list", "create", "get", "update", "delete")
_ONLY_MANAGEMENT: Final = "Only management keys can perform this operation"


def now() -> str:
    """Give the time as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def key_in(request: ReceivedRequest) -> str:
    """Give the key that a request came with; an empty text where there is none."""
    return request.headers.get("Authorization", "").partition(" ")[2].strip()


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler sees it.

    Attributes:
        request: The request.
        at: What stood in the braces of the path.
    """

    request: ReceivedRequest
    at: tuple[str, ...]

    @property
    def query(self) -> Mapping[str, str]:
        """The query."""
        return self.request.query

    def body(self, *needed: str) -> Row:
        """Give the body, refusing one that lacks a field.

        Raises:
            RefusedError: It is no JSON object, or something that is needed is missing.
        """
        try:
            body = msgspec.json.decode(self.request.body, type=Row)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefusedError(400, f"Invalid JSON body: {error}") from error
        for name in needed:
            if name not in body:
                raise RefusedError(400, f"{name}: Required")
        return body


Handler: TypeAlias = Callable[[Call], object]
"""Gives what is answered: a `Reply`, or what becomes its JSON body."""


class _Route(NamedTuple):
    method: str
    path: re.Pattern[str]
    handler: Handler
    status: int
    management: bool
    public: bool


class Rows:
    """Things of one kind, in the order in which they were made.

    Args:
        id: The field that names one.
        rows: Those that are there from the beginning.
    """

    def __init__(self, id: str = "id", rows: Sequence[Row] = ()) -> None:
        self.id: Final = id
        self._rows: dict[str, Row] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> Row:
        """Keep one more, or one in place of that with the same id."""
        self._rows[str(row[self.id])] = row
        return row

    def get(self, id: str) -> Row:
        """Give one.

        Raises:
            RefusedError: There is none of this id.
        """
        row = self._rows.get(id)
        if row is None:
            raise RefusedError(404, "Resource not found")
        return row

    def remove(self, id: str) -> Row:
        """Forget one and give it back.

        Raises:
            RefusedError: There is none of this id.
        """
        self.get(id)
        return self._rows.pop(id)

    def all(self, **fields: object) -> list[Row]:
        """Give all of them, or those with these fields."""
        return [row for row in self._rows.values() if _has(row, fields)]

    def find(self, **fields: object) -> Row | None:
        """Give the first one with these fields; None where there is none."""
        return next((row for row in self._rows.values() if _has(row, fields)), None)

    def drop(self, **fields: object) -> int:
        """Forget those with these fields, and give how many they were."""
        gone = [str(row[self.id]) for row in self.all(**fields)]
        for id in gone:
            del self._rows[id]
        return len(gone)


def _has(row: Row, fields: Mapping[str, object]) -> bool:
    return all(row.get(name) == value for name, value in fields.items())


def made(**fields: Any) -> Row:
    """Give a new row with an id of its own."""
    return {"id": str(uuid4()), "created_at": now(), "updated_at": now(), **fields}


def maker(**defaults: Any) -> Callable[[Row], Row]:
    """Give what makes a row of a body: the defaults, and what the body says over them."""
    return lambda body: made(**{**defaults, **body})


def filtered(rows: Rows, *names: str, **defaults: str) -> Callable[[Call], Row]:
    """Give what lists those rows that are as the query says.

    Args:
        rows: The rows.
        *names: What the query may say.
        **defaults: What else it may say, and what is meant where it does not.
    """

    def listed(call: Call) -> Row:
        wanted = {**defaults, **{n: call.query[n] for n in (*names, *defaults) if n in call.query}}
        return page(rows.all(**wanted), call.query, _PAGE)

    return listed


def page(rows: Sequence[Row], query: Mapping[str, str], size: int) -> Row:
    """Give the page of a list that a query asks for, in the form with ``offset`` and ``limit``."""
    start, limit = int(query.get("offset", 0)), int(query.get("limit", size))
    return {"data": rows[start : start + limit], "total_count": len(rows)}


class Router:
    """The endpoints that groups have added.

    Args:
        management_key: The only key that management calls accept; None accepts any.
    """

    def __init__(self, management_key: str | None = None) -> None:
        self._management_key = management_key
        self._routes: list[_Route] = []

    def on(
        self,
        endpoint: str,
        handler: Handler,
        *,
        status: int = 200,
        management: bool = False,
        public: bool = False,
    ) -> None:
        """Answer an endpoint, such as ``"GET /keys/{hash}"``, with what a handler gives.

        Args:
            endpoint: Method and path; the first that fits is taken.
            handler: Gives the reply, or its JSON body; a `RefusedError` becomes an error.
            status: The status of a body.
            management: Whether it needs a management key.
            public: Whether it needs no key at all.
        """
        method, path = endpoint.split(" ")
        pattern = re.compile(_BRACES.sub("([^/]+)", re.escape(path)))
        self._routes.append(_Route(method, pattern, handler, status, management, public))

    def keep(
        self,
        path: str,
        rows: Rows,
        *,
        make: Callable[[Row], Row],
        needed: Sequence[str] = ("name",),
        only: Sequence[Verb] = _VERBS,
        size: int = 50,
        management: bool = True,
    ) -> None:
        """Add the usual five endpoints of things that are kept.

        Args:
            path: The path of the list; one of them is below it, by its id.
            rows: Where they are kept.
            make: Gives a new one, from the body of a request.
            needed: What the body must have.
            only: Which of the five there are.
            size: How many stand on a page that names no ``limit``.
            management: Whether they need a management key.
        """

        def create(call: Call) -> Row:
            return {"data": rows.add(make(call.body(*needed)))}

        def update(call: Call) -> Row:
            row = rows.get(call.at[-1])
            row.update(call.body(), updated_at=now())
            return {"data": row}

        def delete(call: Call) -> Row:
            rows.remove(call.at[-1])
            return {"deleted": True}

        handlers: dict[Verb, tuple[str, Handler, int]] = {
            "list": (f"GET {path}", lambda call: page(rows.all(), call.query, size), 200),
            "create": (f"POST {path}", create, 201),
            "get": (f"GET {path}/{{id}}", lambda call: {"data": rows.get(call.at[-1])}, 200),
            "update": (f"PATCH {path}/{{id}}", update, 200),
            "delete": (f"DELETE {path}/{{id}}", delete, 200),
        }
        for verb in only:
            endpoint, handler, status = handlers[verb]
            self.on(endpoint, handler, status=status, management=management)

    def is_public(self, request: ReceivedRequest) -> bool:
        """Tell whether a request needs no key."""
        found = self._route(request)
        return found is not None and found[0].public

    def answer(self, request: ReceivedRequest) -> Reply | None:
        """Give the answer to a request; None where no endpoint fits."""
        found = self._route(request)
        if found is None:
            return None
        route, at = found
        if route.management and self._management_key not in (None, key_in(request)):
            return http_error(403, _ONLY_MANAGEMENT)
        try:
            body = route.handler(Call(request, at))
        except RefusedError as refusal:
            return http_error(refusal.status, refusal.message)
        if isinstance(body, Reply):
            return body
        return json_reply(msgspec.json.encode(body), status=route.status)

    def _route(self, request: ReceivedRequest) -> tuple[_Route, tuple[str, ...]] | None:
        path = request.path.removeprefix(BASE_PATH)
        for route in self._routes:
            found = route.path.fullmatch(path) if route.method == request.method else None
            if found is not None:
                return route, tuple(map(unquote, found.groups()))
        return None
