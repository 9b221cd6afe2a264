"""Compare what this package speaks with what description files say of the API.

    python -m tests.surface openapi.json operations.json

prints what is missing, changed or extra, by field, and ends with 1 where something is missing. A
field counts as there when it can be sent by a parameter, or read by an attribute or a plain dict.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from msgspec import inspect as shapes

from openrouter_async.errors import APIStatusError, ServerError, kind_of
from openrouter_async.types.pages import Deletion, PageBody
from tests.surface_described import Described, Schema, read_description
from tests.surface_written import (
    Shape,
    Written,
    alternatives,
    fields_of,
    is_open,
    items_of,
    written_operations,
)

__all__ = ["Difference", "compare", "main"]

# Fields that have another form here, on purpose: a pattern of where they stand, and why.
DIFFERENT: Final[dict[str, str]] = {
    r".* header X-OpenRouter-Metadata": "the keyword router_metadata of every inference call",
    r".* body stream": "said by the method, or by its keyword transport",
    r"POST /audio/transcriptions body input_audio": "the argument file",
    r"POST /audio/transcriptions body timestamp_granularities\[\]": "how a form names the argument",
    r"POST /videos body frame_images": "the arguments first_frame and last_frame",
    r"POST /videos body input_references": "the argument references",
    r"POST /auth/keys body code_(verifier|challenge_method)": "the arguments verifier and method",
    r".*overrides\[\]\.(min_prompt_tokens|utc_start|utc_end): .*": "numbers that count are ints",
    r"GET /batches answer\.data\[\]\.results.*": "a list tells no results, whatever it holds",
    r"GET /datasets/.* answer\.data\[\]\.total_tokens: .*": "a count in a string is read as an int",
    r"GET /generation(/content)? query id": "the argument is called generation_id",
    r"GET /images/models/.* answer\.id": "it is the model that was asked for",
    r"GET /models query use_rss": "the method rss asks for it",
    r"GET /models query use_rss_chat_links": "chat_links of the method rss",
    r"POST /rerank answer\.results\[\]\.(custom_id|error|id|response)": "of a batch: a mere namesake",
}

_NAMES_IN_PATH: Final = re.compile(r"\{\w+\}")
_DEPTH: Final = 12


@dataclass(frozen=True, order=True)
class Difference:
    """One way in which an operation here is not what is described."""

    endpoint: str
    kind: str
    place: str
    is_missing: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return f"  {self.kind:8} {self.place}"


def compare(described: Iterable[Described], written: dict[str, Written]) -> list[Difference]:
    """Give every difference, in order."""
    ours = {_shape_of(endpoint): one for endpoint, one in written.items()}
    found: set[Difference] = set()
    told: dict[str, list[Described]] = {}
    for one in described:
        told.setdefault(_shape_of(one.endpoint), []).append(one)
    for shape, descriptions in told.items():
        endpoint = descriptions[0].endpoint
        mine = ours.get(shape)
        if mine is None:
            found.add(Difference(endpoint, "missing", "operation"))
            continue
        for one in descriptions:
            found.update(_differences(endpoint, one, mine))
        found.update(_extras(endpoint, descriptions, mine))
    for endpoint in written:
        if _shape_of(endpoint) not in told:
            found.add(Difference(endpoint, "extra", "operation", is_missing=False))
    return sorted(found)


def _shape_of(endpoint: str) -> str:
    """What the braces of a path hold is called differently in every description."""
    return _NAMES_IN_PATH.sub("{}", endpoint)


def _differences(endpoint: str, described: Described, mine: Written) -> Iterator[Difference]:
    def missing(place: str) -> Iterator[Difference]:
        if not _is_different(endpoint, place):
            yield Difference(endpoint, "missing", place)

    can_be_given = mine.parameters
    for name, schema in described.query.items():
        if name not in can_be_given:
            yield from missing(f"query {name}")
        elif name in mine.query:
            yield from _below(endpoint, f"query {name}", [schema], mine.query[name])
    for name in described.headers:
        if name.lower().replace("-", "_") not in can_be_given:
            yield from missing(f"header {name}")
    for body in described.bodies:
        for name, schemas in _properties([body]).items():
            if name not in can_be_given:
                yield from missing(f"body {name}")
            elif name in mine.body:
                yield from _below(endpoint, f"body {name}", schemas, mine.body[name])
    answer = mine.answer
    if answer is not None:
        for schema in described.answers:
            yield from _below(endpoint, "answer", [schema], answer)
    for status in described.statuses:
        kind = kind_of(status, moderated=False, in_stream=False)
        if status >= 400 and (kind is APIStatusError or (kind is ServerError and status > 500)):
            yield Difference(endpoint, "missing", f"status {status}")


def _below(
    endpoint: str, place: str, schemas: list[Schema], shape: Shape, depth: int = 0
) -> Iterator[Difference]:
    """Compare what is described with a type, field by field and all the way down."""
    ours = alternatives(shape)
    if depth > _DEPTH or any(isinstance(one, shapes.AnyType) for one in ours):
        return
    if _is_different(endpoint, place):
        return
    plain = [one for schema in schemas for one in schema.alternatives()]
    for one in plain:
        # In a query everything is text, and a list is words with commas between them.
        for kind in one.kinds - ({"string"} if place.startswith("query ") else set()):
            if not any(_fits(kind, each) for each in ours):
                words = " or ".join(sorted({_word(each) for each in ours} - {"null"}))
                told = f"{place}: {kind}, and here {words}"
                if not _is_different(endpoint, told):
                    yield Difference(endpoint, "changed", told)
    known: dict[str, list[Shape]] = {}
    for each in ours:
        for name, below in fields_of(each).items():
            known.setdefault(name, []).append(below)
    is_reachable = any(map(is_open, ours))
    for name, described in _properties(plain).items():
        if name in known:
            for below in known[name]:
                yield from _below(endpoint, f"{place}.{name}", described, below, depth + 1)
        elif not is_reachable and not _is_different(endpoint, f"{place}.{name}"):
            yield Difference(endpoint, "missing", f"{place}.{name}")
    items = [one.items for one in plain if one.items is not None]
    for each in ours:
        item = items_of(each)
        if item is not None and items:
            yield from _below(endpoint, f"{place}[]", items, item, depth + 1)


def _properties(schemas: Iterable[Schema]) -> dict[str, list[Schema]]:
    found: dict[str, list[Schema]] = {}
    for schema in schemas:
        for one in schema.alternatives():
            for name, below in one.properties.items():
                found.setdefault(name, []).append(below)
    return found


_KINDS: Final[dict[str, tuple[Any, ...]]] = {
    "string": (
        *(shapes.StrType, shapes.LiteralType, shapes.EnumType, shapes.DecimalType, shapes.UUIDType),
        *(shapes.DateTimeType, shapes.DateType, shapes.BytesType),
    ),
    "integer": (shapes.IntType, shapes.FloatType, shapes.DecimalType, shapes.LiteralType),
    "number": (shapes.FloatType, shapes.DecimalType, shapes.LiteralType),
    "boolean": (shapes.BoolType, shapes.LiteralType),
    "array": (shapes.ListType, shapes.VarTupleType, shapes.SetType, shapes.TupleType),
    "object": (shapes.StructType, shapes.TypedDictType, shapes.DictType),
}


def _fits(kind: str, shape: Shape) -> bool:
    return isinstance(shape, (*_KINDS.get(kind, ()), shapes.AnyType, shapes.RawType))


def _word(shape: Shape) -> str:
    return type(shape).__name__.removesuffix("Type").lower().replace("none", "null")


def _extras(endpoint: str, descriptions: list[Described], mine: Written) -> Iterator[Difference]:
    """Name what can be sent and read here, and is not described; that is no fault."""
    told = {name for one in descriptions for name in one.query}
    told |= {name for one in descriptions for name in _properties(one.bodies)}
    for name in sorted((mine.query.keys() | mine.body.keys()) - told):
        if not name.startswith("extra_") and not _is_different(endpoint, f"parameter {name}"):
            yield Difference(endpoint, "extra", f"parameter {name}", is_missing=False)
    answers = [schema for one in descriptions for schema in one.answers]
    if mine.answer is not None and answers and _properties(answers):
        shared = {*PageBody.__struct_fields__, *Deletion.__struct_fields__}
        for name in sorted(fields_of(mine.answer).keys() - _properties(answers).keys() - shared):
            on_wire = not name.startswith("(")
            if on_wire and not _is_different(endpoint, f"answer.{name}"):
                yield Difference(endpoint, "extra", f"answer.{name}", is_missing=False)


def _is_different(endpoint: str, place: str) -> bool:
    return any(re.fullmatch(pattern, f"{endpoint} {place}") for pattern in DIFFERENT)


def main(arguments: list[str]) -> int:
    """Print the differences; give 1 where something is missing."""
    if not arguments:
        print(__doc__)
        return 2
    described = [one for path in arguments for one in read_description(Path(path))]
    found = compare(described, written_operations())
    endpoint = ""
    for difference in found:
        if difference.endpoint != endpoint:
            endpoint = difference.endpoint
            print(endpoint)
        print(difference)
    every = {_shape_of(one.endpoint) for one in described}
    lacking = {_shape_of(one.endpoint) for one in found if one.is_missing}
    print(f"{len(every - lacking)} of {len(every)} operations")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
