"""What a line of a job's input asks for.

The rule of this file: pure. A `Recipe` makes of a line the keywords of `OpenRouter.complete`, an
id and a digest; a line of which it can make none becomes an item with a problem, which fails
under its own id and holds up nothing.

The id is the line's own; a line without one is known by its number. The digest stands for all
that is asked, so that an answer is never taken for that of another question.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from .._schema import schema_of
from ..resources._params import checked_params
from ..types import ChatParams
from ._input import Kind, Line

__all__ = ["Item", "Recipe", "digest_of"]

_ROUTES: Final = ("/v1/chat/completions", "/api/v1/chat/completions", "/chat/completions")
_IDS: Final = ("id", "custom_id")
_ALLOWED: Final = frozenset(
    {*ChatParams.__annotations__, "model", "fallback", "hedge_after", "messages"}
)
_ENVELOPE: Final = frozenset({*_IDS, "prompt"})


class Item(Struct, frozen=True, kw_only=True):
    """One request of a job.

    Attributes:
        id: Its own id, or ``line-`` and its number.
        line: The number of its line.
        digest: What stands for the request: equal ones are equal requests.
        keywords: The keywords of `OpenRouter.complete`.
        problem: What is wrong with the line; it has no keywords then.
    """

    id: str
    line: int
    digest: str
    keywords: dict[str, Any] = {}
    problem: str | None = None


class _LineError(ValueError):
    """What is wrong with a line."""


class Recipe:
    """How lines become requests, the same for all lines of a job.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The template is none.
    """

    def __init__(
        self,
        *,
        model: str | None,
        system: str | None,
        template: str | None,
        response_type: Any,
        wants_images: bool,
        params: Mapping[str, Any],
    ) -> None:
        for name, value in (("model", model), ("system", system), ("template", template)):
            if value is not None and not isinstance(cast("object", value), str):
                raise TypeError(f"{name} must be a str, got {type(value).__name__}")
        wanted = {"modalities": ["image", "text"], **params} if wants_images else params
        self._common = checked_params(wanted)
        self._model = model
        self._system = system
        self._template = None if template is None else _parts_of(template)
        self._schema = None if response_type is None else schema_of(response_type, "response_type")
        self.identity = {
            "model": model,
            **{
                name: None if not value else digest_of(value)
                for name, value in (
                    ("system", system),
                    ("template", template),
                    ("response_type", self._schema),
                    ("parameters", self._common),
                )
            },
        }

    def missing_columns(self, columns: list[str]) -> list[str]:
        """Tell which columns the recipe needs and a table lacks."""
        needed = ["prompt"] if self._template is None else [name for _, name in self._template]
        return [name for name in needed if name is not None and name not in columns]

    def item(self, line: Line, kind: Kind, file: str) -> Item:
        """Make an item of a line."""
        word = "row" if file.lower().endswith(".parquet") else "line"
        number, value, problem = line
        id = f"line-{number}"
        try:
            id = _id_in(value) or id
            if problem is not None:
                raise _LineError(problem)
            keywords = self._keywords(value, kind)
            digest = digest_of([keywords, self._schema])
        except UnicodeEncodeError:
            problem = "it is not UTF-8"
        except (_LineError, TypeError) as error:
            problem = str(error)
        else:
            return Item(id=id, line=number, digest=digest, keywords=keywords)
        said = f"{word} {number} of {file}: {problem}"
        return Item(id=id, line=number, digest=digest_of([repr(value), said]), problem=said)

    def _keywords(self, value: object, kind: Kind) -> dict[str, Any]:
        if isinstance(value, str):
            prompt = value if self._template is None else self._rendered({"text": value})
            return self._asked({}, prompt)
        row = cast("dict[str, Any]", value)
        if self._template is not None:
            return self._asked({}, self._rendered(row))
        if kind == "table":
            return self._asked({}, row["prompt"])
        if "body" in row:
            return self._from_batch_api(row)
        given = {name: item for name, item in row.items() if name not in _ENVELOPE}
        if ("prompt" in row) == ("messages" in row):
            raise _LineError("it must have either 'prompt' or 'messages'")
        _refuse_unknown(given)
        return self._asked(given, row.get("prompt", given.get("messages")))

    def _from_batch_api(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read the form of OpenAI's batch files, whose body is that of a request."""
        body: object = row["body"]
        method, url = row.get("method", "POST"), row.get("url", _ROUTES[0])
        if method != "POST" or url not in _ROUTES:
            raise _LineError(f"it asks for {method} {url}; a job sends chat completions only")
        if not isinstance(body, dict):
            raise _LineError(f"its body must be an object, got {type(body).__name__}")
        fields = cast("dict[str, Any]", body)
        given = {name: item for name, item in fields.items() if name in ChatParams.__annotations__}
        # What this client has no name for goes out as it stands.
        named = {*given, "model", "messages", "stream"}
        rest = {name: item for name, item in fields.items() if name not in named}
        if rest:
            given["extra_body"] = {**given.get("extra_body", {}), **rest}
        if fields.get("model") is not None:
            given["model"] = fields["model"]
        return self._asked(given, fields.get("messages"))

    def _asked(self, given: dict[str, Any], messages: object) -> dict[str, Any]:
        if isinstance(messages, str):
            if not messages.strip():
                raise _LineError("its prompt is empty")
            messages = [{"role": "user", "content": messages}]
        if not isinstance(messages, list):
            kind = type(messages).__name__
            raise _LineError(f"its prompt must be a str, or its messages a list, got {kind}")
        listed = [*cast("list[object]", messages)]
        if self._system is not None and not any(_is_system(message) for message in listed):
            listed = [{"role": "system", "content": self._system}, *listed]
        asked = {**self._common, **given, "messages": listed}
        if self._model is not None:
            asked.setdefault("model", self._model)
        return asked

    def _rendered(self, row: Mapping[str, Any]) -> str:
        text: list[str] = []
        for literal, name in self._template or ():
            text.append(literal)
            if name is None:
                continue
            if name not in row:
                there = ", ".join(map(repr, row)) or "none"
                raise _LineError(f"it has no {name!r}, which the template names; it has {there}")
            value = row[name]
            text.append("" if value is None else value if isinstance(value, str) else str(value))
        return "".join(text)


def digest_of(value: object) -> str:
    """Give what stands for a value; equal values have equal ones, whatever the order of keys."""
    from hashlib import blake2b

    data = msgspec.json.encode(value, order="sorted")
    return blake2b(data, digest_size=16).hexdigest()


def _parts_of(template: str) -> list[tuple[str, str | None]]:
    """Take a template apart: text, and the column that follows it."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(
            f"template: {error}; columns stand in braces, and a brace of its own is doubled"
        ) from None
    for _, name, form, conversion in parts:
        if name == "" or form or conversion:
            raise ValueError(
                "template: braces hold the name of a column and nothing else; "
                "a brace of its own is doubled"
            )
    return [(literal, name) for literal, name, _, _ in parts]


def _id_in(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    row = cast("dict[str, object]", value)
    for name in _IDS:
        own = row.get(name)
        if isinstance(own, bool | list | dict):
            kind = type(cast("object", own)).__name__
            raise _LineError(f"its {name} must be a str or a number, got {kind}")
        if isinstance(own, float):  # what a table makes of whole numbers where one is missing
            own = None if own != own else int(own) if own.is_integer() else own
        if own is not None and own != "":
            return str(own)
    return None


def _is_system(message: object) -> bool:
    role = cast("dict[str, object]", message).get("role") if isinstance(message, dict) else None
    return role in ("system", "developer")


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in _ALLOWED:
            raise _LineError(
                f"{name!r} is no field of a request; what is newer than this client goes into "
                "'extra_body'"
            )
