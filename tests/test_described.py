"""What descriptions of the API allow is sent and read, for every operation that a method does.

Every group is covered as soon as its methods are marked; nothing here names one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import (
    TYPE_CHECKING,
    Any,
    Required,
    cast,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async import OpenRouter
from openrouter_async._endpoints import Endpoints
from openrouter_async.resources._call import Answered, Operation, decoded
from openrouter_async.resources._list import Listing
from openrouter_async.testing import Emulator, replay
from openrouter_async.types._struct import WireStruct
from tests.conftest import SHARED_VARIABLE, shared_folder
from tests.described_values import named, value_of
from tests.surface import DIFFERENT
from tests.surface_described import Described, Schema, read_description
from tests.surface_written import written_operations

if TYPE_CHECKING:
    from openrouter_async._sender import Sender

SENDER: Sender = OpenRouter(api_key="sk-test")._sender
PLACE = re.compile(r"\{\w+\}")
EXAMPLES = settings(max_examples=25, deadline=None, derandomize=True)
SEEDS = given(seed=st.integers(min_value=0, max_value=2**32))


def described() -> Iterator[tuple[str, Described]]:
    """Give each operation of each description file, with where it stands."""
    shared = shared_folder()
    for name in ("openapi.json", "operations.json"):
        if shared is not None:
            for one in read_description(shared / "openrouter" / name):
                yield name, one


def cases(*, asked: bool) -> list[Any]:
    """Give a parameter for each operation that can be asked, or whose answer can be read."""
    if shared_folder() is None:
        reason = f"no description of the API is part of the project: set {SHARED_VARIABLE}"
        return [pytest.param(None, None, marks=pytest.mark.skip(reason=reason), id="none")]
    written = {PLACE.sub("{}", endpoint): one for endpoint, one in written_operations().items()}
    found: list[Any] = []
    for file, one in described():
        mine = written.get(PLACE.sub("{}", one.endpoint))
        for operation in mine.operations if mine is not None else ():
            id = f"{file.partition('.')[0]}:{one.endpoint}"
            if asked and _is_sent_as_it_is(operation) and _is_told(one, operation):
                found.append(pytest.param(one, operation, id=id))
            if not asked and one.answers and operation.answer is not bytes:
                found.append(pytest.param(one, operation, id=id))
    return found


def _is_sent_as_it_is(operation: Operation[Any]) -> bool:
    """Whether the operation itself sends; of streams and uploads only a part is its own."""
    has_own_way = operation.key == "normal" or "extra_headers" in _names(operation.signature.body)
    return (is_declared(operation) or not has_own_way) and (
        operation.signature.body is None or is_typeddict(operation.signature.body)
    )


def is_declared(operation: Operation[Any] | None) -> bool:
    """Whether the signature of a method is all that is said of an operation."""
    return operation is None or operation._declared_by is not None


def _is_told(one: Described, operation: Operation[Any]) -> bool:
    """Whether the description has all that a call needs; what is offered no longer has not."""
    told = {*one.query, *(name for body in one.bodies for name in _properties(body))}
    return _required(operation) <= told


def _properties(body: Schema) -> set[str]:
    return {name for each in body.alternatives() for name in each.properties}


def _required(operation: Operation[Any]) -> set[str]:
    hints = {
        name: hint
        for kind in (operation.signature.query, operation.signature.body)
        if kind is not None
        for name, hint in get_type_hints(kind, include_extras=True).items()
    }
    return {name for name, hint in hints.items() if get_origin(hint) is Required}


def lost(said: object, read: object, place: str = "answer") -> Iterator[str]:
    """Name what stands in an answer, and cannot be found in what was read of it."""
    if said is None:
        return
    if isinstance(said, dict):
        if not isinstance(read, dict):
            yield f"{place}: {read!r}"
            return
        found = cast("dict[str, Any]", read)
        for name, below in cast("dict[str, Any]", said).items():
            if below is None or below == {}:
                continue
            if name not in found:
                yield f"{place}.{name}"
            else:
                yield from lost(below, found[name], f"{place}.{name}")
    elif isinstance(said, list):
        wanted: list[Any] = cast("Any", said)
        items = cast("list[Any]", read)
        if not isinstance(read, list) or len(items) != len(wanted):
            yield f"{place}[]: {read!r}"
            return
        for below, item in zip(wanted, items, strict=True):
            yield from lost(below, item, f"{place}[]")
    elif not _is_the_same(said, read):
        yield f"{place}: {said!r} became {read!r}"


def _is_the_same(said: object, read: object) -> bool:
    if isinstance(read, Decimal) or (isinstance(said, str) and isinstance(read, int | float)):
        return Decimal(str(said)) == Decimal(str(read))
    if isinstance(read, str) and not isinstance(said, str):
        return read == json.dumps(said)  # arguments of a tool are read as their JSON
    if isinstance(read, date | datetime):
        return str(said)[:10] == read.isoformat()[:10]
    return said == read


def is_different(endpoint: str, place: str) -> bool:
    """Whether a field has another form here on purpose."""
    plain = place.partition(":")[0]
    return any(
        re.fullmatch(pattern, f"{endpoint} {plain}") or re.fullmatch(pattern, f"{endpoint} {place}")
        for pattern in DIFFERENT
    )


@pytest.mark.parametrize(("one", "operation"), cases(asked=False))
@SEEDS
@EXAMPLES
def test_what_may_be_answered_is_read(one: Described, operation: Operation[Any], seed: int) -> None:
    """Every answer that the description allows becomes its type, and every field is in it."""
    random = Random(seed)
    said = value_of(random.choice(one.answers), random, nulls=True)
    answered = Answered(json.dumps(said).encode(), {})
    mark = operation.inside if said.get(operation.inside) else None
    read: WireStruct = decoded(answered, operation.body_type, SENDER, mark=mark)
    missing = [
        place for place in lost(said, read.to_dict()) if not is_different(one.endpoint, place)
    ]
    assert not missing


def at_of(operation: Operation[Any]) -> list[object]:
    """Make up what stands in the path, of the kind that each place takes."""
    kinds = operation.signature.path
    made = {UUID: "0df9e665-d932-5740-b2c7-b52af166bc11", int: 1}
    return [made.get(kinds.get(name, str), "a") for name in operation.names]


def fields_for(one: Described, operation: Operation[Any], random: Random) -> dict[str, Any]:
    """Make up the arguments of a call that the description allows."""
    fields: dict[str, Any] = {}
    in_query, in_body = _names(operation.signature.query), _names(operation.signature.body)
    for name, schema in one.query.items():
        if name in in_query and random.random() < 0.6:
            fields[name] = _of_query(name, value_of(schema, random, nulls=False), schema)
    for body in one.bodies[:1]:
        # Where a client's own schema says null, it means that nothing is sent.
        made = value_of(body, random, nulls=bool(one.statuses))
        fields |= {name: named(name, value) for name, value in made.items() if name in in_body}
    for name in _required(operation):
        fields.setdefault(name, _needed(one, name, random))
    return fields


def _names(kind: type | None) -> frozenset[str]:
    return frozenset(kind.__annotations__) if kind is not None else frozenset()


def _needed(one: Described, name: str, random: Random) -> Any:
    schema = one.query.get(name)
    for body in one.bodies:
        for each in body.alternatives():
            schema = schema or each.properties.get(name)
    value = "a" if schema is None else value_of(schema, random, nulls=False)
    return value if schema is None else _of_query(name, named(name, value), schema)


def _of_query(name: str, value: Any, schema: Schema) -> Any:
    """Booleans are words in a description of a query."""
    is_word = value in ("true", "false") or name.startswith(
        ("use_rss", "keep_", "distillable", "draft_")
    )
    if is_word or schema.value.get("x-openrouter-type") == "boolean":
        return value != "false"
    return named(name, value)


def _plain(text: str) -> str:
    """Whole numbers may be written as others are."""
    return text.removesuffix(".0")


def _said_in_query(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_said_in_query, cast("list[object]", value)))
    return f"{value:.15g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize(("one", "operation"), cases(asked=True))
@SEEDS
@EXAMPLES
def test_what_may_be_asked_is_sent(one: Described, operation: Operation[Any], seed: int) -> None:
    """Every request that the description allows passes the checks, and arrives as it was given."""
    random = Random(seed)
    fields = fields_for(one, operation, random)
    asked = operation.ask(*at_of(operation), fields=fields)
    sent: dict[str, Any] = {**asked.query, **(json.loads(asked.body) if asked.body else {})}
    for name, value in fields.items():
        if name in asked.query:
            assert _plain(asked.query[name]) == _plain(_said_in_query(value))
        else:
            assert not list(lost(value, sent[name], name))


def wrong_forms(one: Described, operation: Operation[Any]) -> Iterator[tuple[str, object]]:
    """Give arguments, each with a value whose form the description does not allow."""
    schemas = dict(one.query)
    for body in one.bodies:
        for each in body.alternatives():
            schemas |= each.properties
    shape = operation.signature
    for name in schemas.keys() & {*_names(shape.query), *_names(shape.body)}:
        for each in schemas[name].alternatives():
            said = each.value
            if said.get("format") in ("uuid", "date", "date-time") or "pattern" in said:
                yield name, "mine!"
            elif said.get("minItems", 0) > 0:
                yield name, []
            elif said.get("minLength", 0) > 0 and "enum" not in said:
                yield name, ""


@pytest.mark.parametrize(("one", "operation"), cases(asked=True))
def test_a_wrong_form_is_refused_by_name(one: Described, operation: Operation[Any]) -> None:
    """An id, a day or a moment of another form, and an empty list or text where none may be."""
    fields = fields_for(one, operation, Random(3))
    for name, wrong in wrong_forms(one, operation):
        if not is_different(one.endpoint, f"query {name}"):
            with pytest.raises(ValueError, match=f"^{name} must "):
                operation.ask(*at_of(operation), fields={**fields, name: wrong})


@pytest.mark.parametrize(("one", "operation"), cases(asked=True))
async def test_it_goes_over_a_socket(
    one: Described, operation: Operation[Any], emulator: Emulator, client: OpenRouter
) -> None:
    """What was asked arrives at the path of the operation, and what is answered is its type."""
    random = Random(7)
    said: Any = value_of(one.answers[0], random, nulls=False) if one.answers else {}
    at = at_of(operation)
    path = operation.path.format(**dict(zip(operation.names, at, strict=True)))
    emulator.always(replay(json.dumps(said).encode(), content_type="application/json"), path=path)
    fields = fields_for(one, operation, random)
    asked = operation.ask(*at, fields=fields)
    answered = await operation.answer_to(client._sender, asked, client._sender.timeouts)
    request = emulator.requests[-1]
    assert (request.method, request.path.removeprefix("/api/v1")) == (operation.method, path)
    assert request.body == (asked.body or b"")
    assert request.query == asked.query
    assert json.loads(answered.body) == said


@pytest.mark.parametrize(
    ("one", "operation"), [case for case in cases(asked=True) if is_declared(case.values[1])]
)
async def test_its_method_sends_the_same(
    one: Described, operation: Operation[Any], emulator: Emulator, client: OpenRouter
) -> None:
    """The method that is declared by its signature asks what its operation does."""
    random = Random(7)
    at, fields = at_of(operation), fields_for(one, operation, random)
    asked = operation.ask(*at, fields=fields)
    said: Any = value_of(one.answers[0], random, nulls=False) if one.answers else {}
    body = json.dumps(said).encode()
    emulator.always(replay(body, content_type="application/json"), path=asked.path)
    names = [name for name in vars(Endpoints) if not name.startswith("_")]
    groups: list[object] = [getattr(client, name) for name in names]
    (call,) = (
        getattr(group, name)
        for group in groups
        for name, method in vars(type(group)).items()
        if operation in getattr(method, "operations", ())
    )
    answer = call(*at, **fields)
    await (answer.page() if isinstance(answer, Listing) else answer)
    request = emulator.requests[-1]
    assert (request.method, request.body) == (operation.method, asked.body or b"")
    assert (request.path.removeprefix("/api/v1"), request.query) == (asked.path, asked.query)
