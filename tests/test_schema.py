"""Types as JSON schemas, and JSON as types: what tools and structured answers rest on."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, cast

import msgspec
import pydantic
import pytest
from msgspec import Meta

from openrouter_async._schema import MismatchError, read_as, schema_of, strict


class Color(enum.Enum):
    """A color."""

    RED = "red"
    BLUE = "blue"


class Point(msgspec.Struct):
    """A place."""

    x: int
    y: Annotated[int, Meta(ge=0, description="Up.")] = 0


@dataclasses.dataclass
class Line:
    start: Point
    end: Point


class Labels(TypedDict, total=False):
    """Names of things."""

    name: str


class City(pydantic.BaseModel):
    """A city."""

    name: str = pydantic.Field(min_length=2)


class Country(pydantic.BaseModel):
    """A country."""

    capital: City
    others: list[City] = []


class Atlas(msgspec.Struct):
    """Of everything."""

    lines: list[Line]
    labels: Labels
    country: Country
    color: Color = Color.RED
    when: datetime.date | None = None


class Node(msgspec.Struct):
    """Has a cycle by way of another."""

    edge: Edge | None = None


class Edge(msgspec.Struct):
    """Leads back."""

    to: list[Node]


class Branch(pydantic.BaseModel):
    """Has a cycle."""

    below: list[Branch] = []


class Pair(NamedTuple):
    """Two numbers, an array in JSON."""

    a: int
    b: int


def objects_in(value: object) -> list[dict[str, Any]]:
    """Every JSON object within plain data."""
    if isinstance(value, list):
        return [one for item in cast("list[object]", value) for one in objects_in(item)]
    if not isinstance(value, dict):
        return []
    own = cast("dict[str, Any]", value)
    return [own, *(one for item in own.values() for one in objects_in(item))]


def references(schema: dict[str, Any]) -> list[str]:
    """Every reference within a schema."""
    return [one["$ref"] for one in objects_in(schema) if isinstance(one.get("$ref"), str)]


@pytest.mark.parametrize("kind", [Point, Line, Labels, City, Country, Atlas])
def test_the_type_itself_is_at_the_root(kind: Any) -> None:
    """APIs want an object at the root; every reference leads to a definition that is there."""
    schema = schema_of(kind, "response_type")
    assert schema["type"] == "object"
    assert "$ref" not in schema
    definitions = schema.get("$defs", {})
    assert {name.removeprefix("#/$defs/") for name in references(schema)} == set(definitions)
    json.dumps(schema)


def test_a_schema_says_what_the_type_says() -> None:
    """Descriptions, bounds and defaults are in it."""
    schema = schema_of(Point, "response_type")
    assert schema["properties"]["y"] == {
        "type": "integer",
        "minimum": 0,
        "description": "Up.",
        "default": 0,
    }
    assert schema["required"] == ["x"]
    assert schema["description"] == "A place."


@pytest.mark.parametrize("kind", [Node, Edge, Branch, list[Node]])
def test_a_cycle_is_refused(kind: Any) -> None:
    """The message names the argument and the way round."""
    with pytest.raises(TypeError, match=r"^tool 'x': .*refers to itself \(\w+( -> \w+)+\)"):
        schema_of(kind, "tool 'x'")


@pytest.mark.parametrize("kind", [Callable[[], None], complex, object(), type])
def test_what_json_cannot_say_is_refused(kind: Any) -> None:
    """The message names the argument."""
    with pytest.raises(TypeError, match=r"^parameter 'a': .* has no JSON schema: "):
        schema_of(kind, "parameter 'a'")


def objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Every object schema within a schema."""
    return [
        one for one in objects_in(schema) if one.get("type") == "object" and "properties" in one
    ]


@pytest.mark.parametrize("kind", [Point, Line, Labels, Country, Atlas])
def test_strict_schemas(kind: Any) -> None:
    """Objects are closed, nothing is optional, nothing has a default, and references stand alone."""
    schema = schema_of(kind, "response_type")
    before = json.dumps(schema)
    closed = strict(schema)
    assert json.dumps(schema) == before
    assert objects(closed)
    for one in objects(closed):
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    assert '"default"' not in json.dumps(closed)


def test_a_strict_reference_stands_alone() -> None:
    """OpenAI's strict mode refuses a description beside a reference."""
    kind = msgspec.defstruct("Given", [("p", Annotated[Point, Meta(description="Where.")])])
    assert schema_of(kind, "x")["properties"]["p"]["description"] == "Where."
    assert strict(schema_of(kind, "x"))["properties"]["p"] == {"$ref": "#/$defs/Point"}


def test_strict_leaves_names_alone() -> None:
    """A field may be called what a keyword of JSON schema is called."""
    kind = msgspec.defstruct("Odd", [("default", int), ("properties", str, "x")])
    closed = strict(schema_of(kind, "x"))
    assert list(closed["properties"]) == ["default", "properties"]
    assert closed["required"] == ["default", "properties"]


ATLAS = """{
  "lines": [{"start": {"x": 1}, "end": {"x": 2, "y": 3}}], "labels": {"name": "n"},
  "country": {"capital": {"name": "Oslo"}}, "color": "blue", "when": "2024-02-29"
}"""


@pytest.mark.parametrize("text", [ATLAS, ATLAS.encode()])
def test_reading(text: str | bytes) -> None:
    """Structs, dataclasses, dictionaries and models come out, nested as they are."""
    assert read_as(Atlas, text) == Atlas(
        lines=[Line(Point(1), Point(2, 3))],
        labels={"name": "n"},
        country=Country(capital=City(name="Oslo")),
        color=Color.BLUE,
        when=datetime.date(2024, 2, 29),
    )
    assert read_as(Pair, "[1,2]") == Pair(1, 2)


MISFITS: dict[str, tuple[Any, str | bytes, str]] = {
    "a wrong type": (Point, '{"x":"1"}', r"Expected `int`, got `str` - at `\$\.x`"),
    "a bound": (Point, '{"x":1,"y":-1}', r">= 0 - at `\$\.y`"),
    "missing": (Line, '{"start":{}}', r"missing required field `x` - at `\$\.start`"),
    "a literal": (Literal["a", "b"], '"c"', "Invalid enum value"),
    "in a model": (Country, '{"capital":{"name":"O"}}', r"capital\.name: .*at least 2 characters"),
    "cut off": (Point, '{"x":', "truncated"),
    "not UTF-8": (Point, b'{"x":"\xff"}', "utf-8|UTF-8|Expected"),
    "too deep": (list[Any], "[" * 100_000, "recursion"),
}


@pytest.mark.parametrize(("kind", "text", "reason"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit(kind: Any, text: str | bytes, reason: str) -> None:
    """One sentence tells where and why, and neither it nor its causes hold the text."""
    with pytest.raises(MismatchError, match=reason) as caught:
        read_as(kind, text)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_mismatch_does_not_show_the_value() -> None:
    """What the model wrote may be the user's data."""
    with pytest.raises(MismatchError) as caught:
        read_as(Country, '{"capital":{"name":["a-secret"]}}')
    assert "a-secret" not in str(caught.value)
