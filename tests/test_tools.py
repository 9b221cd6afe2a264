"""A tool: what is read off a function or a type, what is sent, and what is refused at the call."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict, cast

import msgspec
import pydantic
import pytest
from msgspec import Meta

from openrouter_async import OpenRouter, Tool, tool
from openrouter_async.tools import ToolLike
from openrouter_async.tools._signature import described
from openrouter_async.types import Function, FunctionTool

Plain = dict[str, Any]


class Mode(enum.Enum):
    """How."""

    FAST = "fast"
    GOOD = "good"


class Point(msgspec.Struct):
    """A place."""

    x: int
    y: int = 0


@dataclasses.dataclass
class Size:
    width: int
    height: int = 1


class Address(pydantic.BaseModel):
    """Where somebody lives."""

    city: str
    zip: int = pydantic.Field(gt=0)


class Filter(TypedDict, total=False):
    """What to look for."""

    text: str


class Book(pydantic.BaseModel):
    """A book."""

    title: str


class Tree(msgspec.Struct):
    """A tree, which has a cycle."""

    children: list[Tree]


def search(
    query: str,
    limit: Annotated[int, Meta(ge=1, le=50, description="At most so many.")] = 10,
    *,
    mode: Mode = Mode.FAST,
    unit: Literal["C", "F"] | None = None,
    near: Point | None = None,
    sizes: list[Size] = [],  # noqa: B006
    home: Address | None = None,
    where: Annotated[str, "A country."] = "no",
    _extra: Filter | None = None,
) -> list[str]:
    """Search for things.

    The description may have
    several lines.

    Args:
        query: What to search for,
            in any language.
        limit (int): Not this one.
        mode: How: fast or good.

    Returns:
        What was found.
    """
    return [f"{query} {limit} {mode} {unit} {near} {sizes} {home} {where} {_extra}"]


def test_the_wire_form() -> None:
    """Name, description and schema come from the function."""
    param = tool(search).to_param()
    function = param["function"]
    assert param["type"] == "function"
    assert list(function) == ["name", "description", "parameters"]
    assert function["name"] == "search"
    assert (
        function["description"] == "Search for things.\n\nThe description may have\nseveral lines."
    )
    schema = function["parameters"]
    assert schema["required"] == ["query"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["query"] == {
        "type": "string",
        "description": "What to search for, in any language.",
    }
    assert properties["limit"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 50,
        "description": "At most so many.",
        "default": 10,
    }
    assert properties["mode"]["description"] == "How: fast or good."
    assert properties["mode"]["default"] == "fast"
    assert properties["sizes"]["default"] == []
    assert properties["where"]["description"] == "A country."
    assert set(schema["$defs"]) >= {"Point", "Size", "Filter", "Mode"}


def test_arguments_are_read_as_their_types() -> None:
    """Nested structs, dataclasses, models and enums are made; what is not given is the default."""
    made = tool(search)
    given = made.read(
        '{"query":"a","mode":"good","near":{"x":1},"sizes":[{"width":2}],'
        '"home":{"city":"Oslo","zip":1},"_extra":{"text":"t"}}'
    )
    assert given == {
        "query": "a",
        "limit": 10,
        "mode": Mode.GOOD,
        "unit": None,
        "near": Point(1),
        "sizes": [Size(2)],
        "home": Address(city="Oslo", zip=1),
        "where": "no",
        "_extra": {"text": "t"},
    }
    assert made.read('{"query":"b"}')["mode"] is Mode.FAST


MISFITS = {
    "a wrong type": ('{"query":1}', "Expected `str`, got `int` - at `$.query`"),
    "a missing one": ("{}", "missing required field `query`"),
    "an unknown one": ('{"query":"a","qurey":"b"}', "unknown field `qurey`"),
    "out of bounds": ('{"query":"a","limit":51}', r"<= 50 - at `\$.limit`"),
    "inside a model": ('{"query":"a","home":{"city":"x","zip":0}}', r"zip: .*greater than 0"),
    "no object": ('["a"]', "Expected `object`, got `array`"),
    "no JSON": ('{"query":', "truncated"),
}


@pytest.mark.parametrize(("text", "reason"), MISFITS.values(), ids=MISFITS)
def test_arguments_that_do_not_fit(text: str, reason: str) -> None:
    """The message tells where and what was expected."""
    with pytest.raises(ValueError, match=reason.replace("$.q", r"\$.q")):
        tool(search).read(text)


@pytest.mark.parametrize("text", ["", "  ", "null", "{}", '{"":"made up"}'])
def test_a_tool_without_parameters_takes_whatever_comes(text: str) -> None:
    """Models say "no arguments" in many ways."""

    def now() -> str:
        """Tell the time."""
        return "noon"

    made = tool(now)
    assert made.read(text) == {}
    assert made.parameters == {"type": "object", "properties": {}, "required": []}


def test_the_decorator() -> None:
    """With and without arguments; the function can still be called as it was."""

    @tool
    def plain(a: int) -> int:
        """Give it back."""
        return a

    @tool(name="other-name", description="Mine.", strict=True, timeout=2.0, needs_approval=True)
    async def set_up(a: int, b: list[int] | None = None) -> int:
        """Not this."""
        return a

    number: int = plain(3)
    assert number == 3
    assert isinstance(plain, Tool)
    assert (plain.__doc__, repr(plain)) == ("Give it back.", "<Tool: plain>")
    assert (set_up.timeout, set_up.needs_approval) == (2.0, True)
    function = set_up.to_param()["function"]
    assert (function["name"], function["description"], function["strict"]) == (
        "other-name",
        "Mine.",
        True,
    )
    assert function["parameters"]["required"] == ["a", "b"]
    assert "default" not in function["parameters"]["properties"]["b"]
    again = tool(set_up, name="third")
    assert (again.name, again.parameters["required"], again.strict) == ("third", ["a"], None)


class Shop:
    """Has methods."""

    def __init__(self, stock: int) -> None:
        self.stock = stock

    def left(self, more: int = 0) -> int:
        """How many are left."""
        return self.stock + more

    async def __call__(self, more: int) -> int:
        """Sell."""
        return self.stock - more


async def test_methods_partials_and_objects() -> None:
    """What is bound to an object or fixed by a partial is not for the model to say."""
    shop = Shop(3)
    method = tool(shop.left)
    assert (method.name, list(method.parameters["properties"])) == ("left", ["more"])
    assert await method.run({"more": 1}) == 4
    fixed = tool(functools.partial(search, limit=1, where="x"), name="fixed")
    assert "limit" not in fixed.parameters["properties"]
    assert fixed.description.startswith("Search for things.")
    (found,) = await_list(await fixed.run(fixed.read('{"query":"q"}')))
    assert found.startswith("q 1 ")
    sell = tool(shop)
    assert (sell.name, sell.description) == ("Shop", "Sell.")
    assert await sell.run({"more": 1}) == 2


def await_list(value: object) -> list[str]:
    """Narrow a tool's result."""
    assert isinstance(value, list)
    return cast("list[str]", value)


TYPES: dict[str, tuple[type, str, object]] = {
    "struct": (Point, '{"x":1}', Point(1)),
    "dataclass": (Size, '{"width":1}', Size(1)),
    "typed dict": (Filter, '{"text":"a"}', {"text": "a"}),
    "model": (Book, '{"title":"T"}', Book(title="T")),
}


@pytest.mark.parametrize(("kind", "text", "value"), TYPES.values(), ids=TYPES)
def test_a_type_is_a_tool(kind: type, text: str, value: object) -> None:
    """Its fields are the arguments, and the value is read as a whole."""
    made = tool(kind)
    assert made.hands_over
    assert made.name == kind.__name__
    assert made.read(text) == value
    schema = made.parameters
    assert schema["type"] == "object"
    assert "title" not in schema
    assert "description" not in schema
    assert made.description == ("" if kind is Size else kind.__doc__)


def test_docstrings() -> None:
    """Only what stands before the first section describes the tool."""
    text = """Do it.

    Note: this is text.

    Args:
        a: First.
        b (dict[str, int]): Second: with a colon,
            and a second line.

        **c: Third.

    Raises:
        ValueError: Never.
    """
    about, parameters = described(text)
    assert about == "Do it.\n\nNote: this is text."
    assert parameters == {
        "a": "First.",
        "b": "Second: with a colon, and a second line.",
        "c": "Third.",
    }
    assert described(None) == ("", {})
    assert described("Do.\nArgs:\n    a: One.") == ("Do.", {"a": "One."})


def no_hint(a, b: int):  # type: ignore[no-untyped-def]
    """Lack a hint."""


def starred(*parts: int) -> None:
    """Take many."""


def double_starred(**parts: int) -> None:
    """Take any."""


def by_position(a: int, /) -> None:
    """Take one by position."""


def takes_bytes_of_code(a: Callable[[], None]) -> None:
    """Take what JSON cannot say."""


def cyclic(tree: Tree) -> None:
    """Take a cycle."""


def unknown_name(a: Missing) -> None:  # type: ignore[name-defined] # noqa: F821
    """Name a type that is not there."""


async def generator(a: int) -> Any:
    """Give several."""
    yield a


class Plain2:
    """No fields."""


BAD: dict[str, tuple[Any, str]] = {
    "no hint": (no_hint, r"tool 'no_hint': parameter 'a' has no type hint"),
    "self": (Shop.left, r"tool 'left': parameter 'self' has no type hint \(give the bound method"),
    "stars": (starred, r"tool 'starred': parameter 'parts' takes any number of values"),
    "two stars": (double_starred, r"tool 'double_starred': parameter 'parts' takes any name"),
    "position": (by_position, r"tool 'by_position': parameter 'a' cannot be given by name"),
    "no JSON": (
        takes_bytes_of_code,
        r"tool 'takes_bytes_of_code': parameter 'a': .* no JSON schema",
    ),
    "a cycle": (cyclic, r"tool 'cyclic': parameter 'tree': .*refers to itself \(Tree -> Tree\)"),
    "a cyclic type": (Tree, r"tool 'Tree': Tree refers to itself"),
    "no such type": (unknown_name, r"tool 'unknown_name': a type hint is .*'Missing'"),
    "a generator": (generator, r"tool 'generator' is a generator; a tool returns its result"),
    "a plain class": (Plain2, r"tool 'Plain2': a type must be a msgspec struct, a dataclass"),
    "a number": (3, r"tools\[0\] must be a function, a type, a Tool or a wire form, got int"),
}


@pytest.mark.parametrize(("bad", "match"), BAD.values(), ids=BAD)
async def test_what_is_no_tool(bad: Any, match: str, client: OpenRouter) -> None:
    """It is a TypeError at the call, which names the tool and the parameter."""
    with pytest.raises(TypeError, match=match):
        assert client.run_tools("Go", tools=[bad])


def fine(a: int) -> int:
    """Be fine."""
    return a


BAD_NAMES: dict[str, tuple[list[Any], str]] = {
    "a lambda": ([lambda: 1], r"a lambda has no name: write a function, or give tool\(..., name="),
    "twice": ([fine, fine], r"tools\[1\]: two tools have the name 'fine'"),
    "twice on the wire": (
        [fine, {"type": "function", "function": {"name": "fine"}}],
        r"tools\[1\]: two tools have the name 'fine'",
    ),
    "no type": ([{"function": {"name": "x"}}], r"tools\[0\].type must say which tool it is"),
}


@pytest.mark.parametrize(("bad", "match"), BAD_NAMES.values(), ids=BAD_NAMES)
async def test_tools_that_cannot_be_named(bad: list[Any], match: str, client: OpenRouter) -> None:
    """Names are there, once, and such as the API takes."""
    with pytest.raises(ValueError, match=match):
        assert client.run_tools("Go", tools=bad)


@pytest.mark.parametrize("name", ["", "a b", "é", "a.b", "x" * 65])
def test_bad_names(name: str) -> None:
    """A name is 1 to 64 letters, digits, underscores and hyphens."""
    with pytest.raises(ValueError, match="1 to 64 of A-Z"):
        tool(fine, name=name)


def test_strict_needs_types_that_say_all() -> None:
    """A mapping with any keys is no strict schema; the message says so."""

    def count(words: dict[str, int]) -> int:
        """Count."""
        return len(words)

    assert tool(count).strict is None
    with pytest.raises(TypeError, match="tool 'count': strict=True cannot hold a model"):
        tool(count, strict=True)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_timeout_is_above_zero(timeout: float) -> None:
    """No call ends in no time."""
    with pytest.raises(ValueError, match="tool 'fine': timeout must be above 0 s"):
        tool(fine, timeout=timeout)


@pytest.mark.parametrize("tools", ["fine", 3, fine, {"type": "openrouter:datetime"}])
async def test_tools_is_a_sequence(tools: Any, client: OpenRouter) -> None:
    """One tool is given in a list as well."""
    with pytest.raises(TypeError, match="tools must be a sequence of tools"):
        assert client.run_tools("Go", tools=tools)


async def test_wire_structs_are_tools(client: OpenRouter) -> None:
    """The request structs stand beside functions."""
    own = FunctionTool(function=Function(name="own", parameters={"type": "object"}))
    tools: list[ToolLike] = [own, fine, Point, {"type": "openrouter:datetime"}]
    run = client.run_tools("Go", tools=tools)
    run.close()


def test_defaults_that_json_cannot_say() -> None:
    """They are the function's business, and left out of the schema."""
    marker: Any = object()

    def odd(a: int = marker, b: list[int] = [1]) -> None:  # noqa: B006
        """Be odd."""

    made = tool(odd)
    assert "default" not in made.parameters["properties"]["a"]
    assert made.parameters["properties"]["b"]["default"] == [1]
    assert made.read("{}")["a"] is marker
