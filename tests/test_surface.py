"""What the package speaks is compared with descriptions of the API, by field."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypedDict, Unpack

import pytest

import openrouter_async.resources
from openrouter_async import OpenRouter
from openrouter_async.resources._call import Operation
from openrouter_async.types.keys import Key
from tests.surface import compare, main
from tests.surface_described import read_description
from tests.surface_written import Written, written_operations


class Query(TypedDict, total=False):
    """What the method of these tests takes."""

    day: str
    extra_query: dict[str, Any]


class Things:
    """A group with one operation."""

    operation = Operation("GET /things/{id}", Key, query=Query)

    @operation
    def get(self, id: str, **query: Unpack[Query]) -> Coroutine[Any, Any, Key]:
        """Do nothing."""
        raise NotImplementedError


WRITTEN = {"GET /things/{id}": Written([Things.operation], {"Things.get": Things.get})}


def described(tmp_path: Path, **changes: Any) -> Path:
    """A description of that operation, with changes, as a file."""
    answer: dict[str, Any] = {"hash": {"type": "string"}, "limit": {"type": ["number", "null"]}}
    said: dict[str, Any] = {
        "parameters": [
            {"name": "thing", "in": "path", "schema": {"type": "string"}},
            {"name": "day", "in": "query", "schema": {"type": "string"}},
            {"name": "HTTP-Referer", "in": "header", "schema": {"type": "string"}},
            *changes.get("parameters", ()),
        ],
        "responses": {
            "200": {
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {"data": {"$ref": "#/components/schemas/Thing"}},
                        }
                    }
                }
            },
            **{str(status): {} for status in changes.get("statuses", (400, 404, 500, 529))},
        },
    }
    thing = {"type": "object", "properties": answer | changes.get("answer", {})}
    paths = {"/things/{thing}": {changes.get("method", "get"): said}}
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps({"paths": paths, "components": {"schemas": {"Thing": thing}}}))
    return path


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"method": "post"}, ["missing operation", "extra operation"]),
        (
            {"parameters": [{"name": "until", "in": "query", "schema": {"type": "string"}}]},
            ["missing query until"],
        ),
        (
            {"parameters": [{"name": "X-Odd", "in": "header", "schema": {"type": "string"}}]},
            ["missing header X-Odd"],
        ),
        ({"answer": {"new": {"type": "string"}}}, ["missing answer.data.new"]),
        (
            {"answer": {"limit": {"type": "object", "properties": {"usd": {}}}}},
            ["changed answer.data.limit: object, and here float", "missing answer.data.limit.usd"],
        ),
        ({"answer": {"name": {"oneOf": [{"type": "string"}, {"type": "null"}]}}}, []),
        ({"statuses": (418,)}, ["missing status 418"]),
    ],
)
def test_each_difference_is_told(tmp_path: Path, changes: dict[str, Any], found: list[str]) -> None:
    """By kind and by field; what is the same is not told."""
    told = compare(read_description(described(tmp_path, **changes)), WRITTEN)
    assert sorted(f"{one.kind} {one.place}" for one in told) == sorted(found)


def test_the_other_form_of_description_is_read(tmp_path: Path) -> None:
    """A list of operations with schemas; a client's own marks in it are not of the API."""
    schema = {"properties": {"data": {"properties": {"hash": {"$ref": "#/$defs/Maybe"}}}}}
    operation = {
        "method": "GET",
        "path": "/things/{thing}",
        "request_schema": {
            "properties": {"thing": {"type": "string"}, "until": {"type": "string"}}
        },
        "response": {"schema": schema},
    }
    text = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Unset"}, {"type": "null"}]}
    path = tmp_path / "operations.json"
    schemas = {"Maybe": text, "Unset": {"type": "object"}}
    path.write_text(json.dumps({"operations": [operation], "schemas": schemas}))
    told = compare(read_description(path), WRITTEN)
    assert [f"{one.kind} {one.place}" for one in told] == [
        "extra parameter day",
        "missing query until",
    ]


def test_the_exit_code_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1 where something is missing, and the last line counts."""
    assert main([str(described(tmp_path))]) == 1
    assert capsys.readouterr().out.endswith("0 of 1 operations\n")
    assert main([]) == 2


def test_every_operation_names_its_key() -> None:
    """The docstring of each method says which kind of key it needs."""
    words = {"management": "anagement key", "none": "No key is needed", "any": "Any key"}
    silent = [
        name
        for written in written_operations().values()
        for name, method in written.methods.items()
        for operation in written.operations
        if operation in method.operations  # type: ignore[attr-defined]
        and not name.startswith("OpenRouter.")
        and words.get(operation.key or "", "ormal key") not in (method.__doc__ or "")
    ]
    assert not silent


def test_only_declared_methods_have_no_body() -> None:
    """A method that a decorator does not fill would give None, and no type checker would see it."""
    forgotten: list[str] = []
    for path in sorted(Path(openrouter_async.resources.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef) or not isinstance(node.body[-1], ast.Expr):
                continue
            if isinstance(node.body[-1].value, ast.Constant):
                by = [ast.unparse(each).partition("(")[0] for each in node.decorator_list]
                if by not in (["operation"], ["listing"]):
                    forgotten.append(f"{path.name}:{node.lineno} {node.name}")
    assert not forgotten


def test_a_declared_method_is_called_like_any_other() -> None:
    """Its signature, its docstring and the errors of a wrong call are its own."""
    keys = OpenRouter(api_key="k").keys
    assert str(inspect.signature(keys.get)) == "(hash: 'str') -> 'Call[Key]'"
    assert (keys.get.__doc__ or "").startswith("Get what is known of a key.")
    wrong: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
        (keys.get, (), {}, "Keys.get() missing 1 required positional argument: 'hash'"),
        (keys.get, ("a", "b"), {}, "Keys.get() takes 2 positional arguments but 3 were given"),
        (keys.get, (), {"has": "a"}, "Keys.get() got an unexpected keyword argument 'has'"),
        (keys.update, ("a",), {"nme": "b"}, "unknown keyword 'nme'; did you mean 'name'?"),
    ]
    for method, given, named, message in wrong:
        with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
            method(*given, **named)
    keys.get(hash="a").close()
