"""The API as this package speaks it: found by looking at the methods and the types of the package.

A method is marked by the operation that it does. What can be sent is what its parameters and the
operation's types name; what can be read is what the type of the answer names.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, Unpack, cast, get_args

from msgspec import inspect as shapes

import openrouter_async.resources
from openrouter_async import OpenRouter
from openrouter_async.resources._call import Operation
from openrouter_async.types._struct import KeptStruct

__all__ = ["Written", "alternatives", "fields_of", "is_open", "items_of", "written_operations"]

Shape: TypeAlias = shapes.Type


@dataclass
class Written:
    """One operation of the package, with the methods that do it, each of which may say it anew."""

    operations: list[Operation[Any]]
    methods: dict[str, Callable[..., Any]] = field(default_factory=dict[str, Callable[..., Any]])

    @property
    def parameters(self) -> set[str]:
        """What the methods can be given, keywords of a TypedDict included."""
        return {name for method in self.methods.values() for name in _parameters(method)}

    @property
    def query(self) -> dict[str, Shape]:
        """What may stand in the query."""
        return {
            name: kind for one in self.operations for name, kind in _keywords(one.signature.query)
        }

    @property
    def body(self) -> dict[str, Shape]:
        """What may stand in the body."""
        return {
            name: kind for one in self.operations for name, kind in _keywords(one.signature.body)
        }

    @property
    def answer(self) -> Shape | None:
        """What comes back; None where it is no JSON."""
        kinds = [one.body_type for one in self.operations if one.answer is not bytes]
        return shapes.type_info(kinds[0]) if kinds else None


def written_operations() -> dict[str, Written]:
    """Find every operation that a public method of an endpoint group or of the client does."""
    found: dict[str, Written] = {}
    for owner in (OpenRouter, *_groups()):
        for name, method in inspect.getmembers(owner, inspect.isfunction):
            if name.startswith("_"):
                continue
            for operation in getattr(method, "operations", ()):
                written = found.setdefault(operation.endpoint, Written([]))
                if operation not in written.operations:
                    written.operations.append(operation)
                written.methods[f"{owner.__name__}.{name}"] = method
    return found


def _groups() -> Iterator[type]:
    package = openrouter_async.resources
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


def _parameters(method: Callable[..., Any]) -> Iterator[str]:
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            yield name
            continue
        hint = _hint_of(method, name)
        for kind in get_args(hint):  # of Unpack[...]
            yield from kind.__annotations__


def _hint_of(method: Callable[..., Any], name: str) -> Any:
    """Read one annotation; the others may name what only type checkers import."""
    space = {**vars(inspect.getmodule(method)), "Unpack": Unpack}
    said = method.__annotations__[name]
    return eval(said, space) if isinstance(said, str) else said


def _keywords(kind: type | None) -> list[tuple[str, Shape]]:
    if kind is None:
        return []
    known = cast("shapes.TypedDictType", shapes.type_info(kind))
    return [(each.encode_name, each.type) for each in known.fields]


def alternatives(shape: Shape) -> tuple[Shape, ...]:
    """Give the members of a union."""
    return shape.types if isinstance(shape, shapes.UnionType) else (shape,)


def is_open(shape: Shape) -> bool:
    """Tell whether whatever comes can be reached, although no type says what it is."""
    if isinstance(shape, shapes.StructType):
        return issubclass(shape.cls, KeptStruct)
    return isinstance(shape, shapes.AnyType | shapes.DictType | shapes.RawType)


def fields_of(shape: Shape) -> dict[str, Shape]:
    """Give the fields of an object, by their names on the wire."""
    if isinstance(shape, shapes.StructType | shapes.TypedDictType | shapes.DataclassType):
        return {each.encode_name: each.type for each in shape.fields}
    return {}


def items_of(shape: Shape) -> Shape | None:
    """Give what a list holds."""
    if isinstance(shape, shapes.ListType | shapes.VarTupleType | shapes.SetType):
        return shape.item_type
    return None
