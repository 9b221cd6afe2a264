"""The API as description files tell it: operations, and what each takes and gives, by field.

Two forms are read: an OpenAPI document, and a list of operations with JSON schemas. Nothing here
knows the package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

__all__ = ["Described", "Schema", "read_description"]

Json: TypeAlias = dict[str, Any]

# Of the client, not of a call: every request carries them.
_COMMON_HEADERS: Final = frozenset(
    {"authorization", "http-referer", "x-openrouter-title", "x-openrouter-categories"}
)
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_JSON: Final = "application/json"
_NAMES: Final[dict[type, str]] = {  # a bool is an int too
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
}
# Where a client's own marks for "not given" and "of a newer kind" have got into the schemas.
_NOT_OF_THE_API: Final = re.compile(r"/(Unset|Unknown\w*)$")


@dataclass(frozen=True)
class Schema:
    """A JSON schema with the definitions that it refers to."""

    value: Json
    root: Json = field(compare=False)

    def __repr__(self) -> str:
        return "<schema>"  # all of it fills megabytes

    def alternatives(self) -> Iterator[Schema]:
        """Give the plain schemas that this one stands for, references and unions resolved."""
        yield from self._alternatives(frozenset())

    def _alternatives(self, seen: frozenset[str]) -> Iterator[Schema]:
        reference = self.value.get("$ref")
        if isinstance(reference, str):
            if reference not in seen and not _NOT_OF_THE_API.search(reference):
                target = Schema(self._at(reference), self.root)
                yield from target._alternatives(seen | {reference})
            return
        parts = [
            part for union in ("oneOf", "anyOf", "allOf") for part in self.value.get(union, ())
        ]
        for part in parts:
            yield from Schema(part, self.root)._alternatives(seen)
        if self.value.get("type") == "null":
            return
        if not parts or "properties" in self.value:
            yield self

    def _at(self, reference: str) -> Json:
        value: Any = self.root
        for name in reference.removeprefix("#/").split("/"):
            value = value[name]
        return cast("Json", value)

    @property
    def allows_null(self) -> bool:
        """Whether null is allowed too."""
        said = self.value.get("type", [])
        parts = [*self.value.get("oneOf", ()), *self.value.get("anyOf", ())]
        return (
            "null" in ([said] if isinstance(said, str) else said)
            or self.value.get("nullable") is True
            or None in self.value.get("enum", ())
            or any(part.get("type") == "null" for part in parts)
        )

    @property
    def kinds(self) -> set[str]:
        """The JSON types that a plain schema allows, ``null`` left out; none where it is silent."""
        said = self.value.get("type", [])
        kinds = {said} if isinstance(said, str) else set(said)
        if "const" in self.value and not kinds:
            kinds = {_kind_of(self.value["const"])}
        if "enum" in self.value and not kinds:
            kinds = {_kind_of(item) for item in self.value["enum"]}
        if not kinds and "properties" in self.value:
            kinds = {"object"}
        return kinds - {"null"}

    @property
    def properties(self) -> dict[str, Schema]:
        """The fields of an object."""
        return {
            name: Schema(value, self.root)
            for name, value in self.value.get("properties", {}).items()
        }

    @property
    def items(self) -> Schema | None:
        """What an array holds."""
        value = self.value.get("items")
        return Schema(cast("Json", value), self.root) if isinstance(value, dict) else None


@dataclass
class Described:
    """One operation as one file describes it."""

    endpoint: str
    query: dict[str, Schema]
    headers: set[str]
    bodies: list[Schema]
    answers: list[Schema]
    statuses: set[int]

    def __repr__(self) -> str:
        return f"<described {self.endpoint}>"


def read_description(path: Path) -> list[Described]:
    """Read a description file of either form."""
    document = cast("Json", json.loads(path.read_text("utf-8")))
    if "paths" in document:
        return list(_of_openapi(document))
    return list(_of_list(document))


def _of_openapi(document: Json) -> Iterator[Described]:
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            if method not in _METHODS:
                continue
            parameters = [
                Schema(parameter, document)._at(parameter["$ref"])
                if "$ref" in parameter
                else parameter
                for parameter in (*methods.get("parameters", ()), *said.get("parameters", ()))
            ]
            content = said.get("requestBody", {}).get("content", {})
            answers = [
                Schema(media["schema"], document)
                for status, answer in said["responses"].items()
                if status.startswith("2")
                for kind, media in answer.get("content", {}).items()
                if kind == _JSON
            ]
            yield Described(
                endpoint=f"{method.upper()} {path}",
                query={
                    each["name"]: Schema(each["schema"], document)
                    for each in parameters
                    if each["in"] == "query"
                },
                headers={each["name"] for each in parameters if _is_header(each)},
                bodies=[Schema(media["schema"], document) for media in content.values()],
                answers=answers,
                statuses={int(status) for status in said["responses"] if status.isdigit()},
            )


def _is_header(parameter: Json) -> bool:
    return parameter["in"] == "header" and parameter["name"].lower() not in _COMMON_HEADERS


def _of_list(document: Json) -> Iterator[Described]:
    root = {"$defs": document["schemas"]}
    for said in document["operations"]:
        fields = Schema(said["request_schema"] or {}, root).properties
        in_path = {part[1:-1] for part in said["path"].split("/") if part.startswith("{")}
        bodies = {name for name in fields if _is_body(name, said["method"])}
        headers = {name for name in fields if "-" in name}
        answer: Json = said["response"] or {}
        yield Described(
            endpoint=f"{said['method']} {said['path']}",
            query={
                name: schema
                for name, schema in fields.items()
                if name not in in_path | bodies | headers
            },
            headers={name for name in headers if name.lower() not in _COMMON_HEADERS},
            bodies=[fields[name] for name in sorted(bodies)],
            answers=[Schema(answer["schema"], root)] if answer.get("schema") else [],
            statuses=set(),
        )


def _is_body(name: str, method: str) -> bool:
    return method not in ("GET", "DELETE") and name.endswith(("_request", "_body"))


def _kind_of(value: object) -> str:
    for kind, name in _NAMES.items():
        if isinstance(value, kind):
            return name
    return "null" if value is None else "object"
