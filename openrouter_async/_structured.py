"""Structured output: the type that a user gives is asked for as a schema and read back.

The rule of this file: pure, and an answer is judged in one order. First its finish reason
(``length``, ``content_filter``), then a refusal, and only then its text is read, so nobody is
told of bad JSON where the answer was cut. A reason that cuts decides even where the text happens
to be whole: what the model had still wanted to say is unknown. The text is always kept.

On the wire the root of a schema has to be an object. A type that is none, such as ``list[int]``,
travels as ``{"value": ...}`` and is taken out again.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final, Generic, TypeVar, cast, get_args

import msgspec
from msgspec import UNSET, field

from ._partial_json import PartialJSON, unfenced
from ._schema import MismatchError, fits_strict, read_as, schema_of, strict
from .errors import ContentFilterError, LengthError, OutputError, ParseError, RefusalError
from .types import ChatCompletion, ChatParams
from .types._shown import answer_as_markdown

__all__ = ["ParsedCompletion", "ResponseType", "response_type_of"]

T = TypeVar("T")

_VALUE: Final = "value"
_NAME_LIMIT: Final = 64
# What msgspec quotes is the model's text, which may be as private as the prompt.
_QUOTED: Final = re.compile(r"^(Invalid (?:enum )?value) '.*?'(?= - at |$)", re.DOTALL)


class ParsedCompletion(ChatCompletion, Generic[T], kw_only=True, gc=True):
    """A whole answer with the value in it; all of `ChatCompletion`, and one attribute more.

    Attributes:
        parsed: The answer's text as a value of the type that was asked for.
    """

    parsed: T = field(name="(parsed)")

    def _repr_markdown_(self) -> str:
        """Show the answer in a notebook."""
        return answer_as_markdown(self, is_data=True)


class ResponseType(Generic[T]):
    """A user's type: how it is asked for, and how it is read.

    Raises:
        TypeError: JSON cannot say the type, or it refers to itself.
    """

    __slots__ = ("_is_wrapped", "_kind", "_name", "_reader", "_schema", "_strict_schema")

    def __init__(self, kind: type[T]) -> None:
        schema = schema_of(kind, "response_type")
        self._kind = kind
        self._name = _name_of(kind)
        self._is_wrapped = schema.get("type") != "object"
        self._schema = _wrapped(schema) if self._is_wrapped else schema
        self._strict_schema = strict(self._schema) if fits_strict(self._schema) else None
        self._reader: Any = kind
        if self._is_wrapped:
            self._reader = msgspec.defstruct("Answer", [(_VALUE, kind)])

    def asked_for(self, params: ChatParams, *, is_strict: bool) -> ChatParams:
        """Add the schema to the fields of a request, strict only where it can be.

        Raises:
            TypeError: The user has given a ``response_format`` already.
        """
        if "response_format" in params:
            raise TypeError("give response_type or response_format, not both")
        schema = self._strict_schema if is_strict else None
        described: dict[str, Any] = {"name": _wire_name(self._name)}
        if "description" in self._schema:
            described["description"] = self._schema["description"]
        described["schema"] = self._schema if schema is None else schema
        described["strict"] = schema is not None
        return {**params, "response_format": {"type": "json_schema", "json_schema": described}}

    def read(self, completion: ChatCompletion) -> ParsedCompletion[T]:
        """Read the value in an answer.

        Raises:
            OutputError: There is none; the class says why, and the error keeps the answer.
        """
        error = _verdict(completion)
        if error is None:
            text = unfenced(completion.text)
            try:
                return self._with_value(completion, text)
            except MismatchError as mismatch:
                error = ParseError(self._complaint(completion, text, _unquoted(mismatch)))
        raise self._completed(error, completion)

    def so_far(self, partial: PartialJSON) -> Any:
        """Give what there is of the value while it comes; UNSET where there is nothing yet."""
        value = partial.value
        if self._is_wrapped and isinstance(value, dict):
            return cast("dict[str, Any]", value).get(_VALUE, UNSET)
        return value if partial.started else UNSET

    def _with_value(self, completion: ChatCompletion, text: str) -> ParsedCompletion[T]:
        if not self._is_wrapped or not text.startswith("{"):
            value = read_as(self._kind, text)
        else:
            value = getattr(read_as(self._reader, text), _VALUE)
        fields = {name: getattr(completion, name) for name in completion.__struct_fields__}
        return ParsedCompletion(parsed=value, **fields)

    def _complaint(self, completion: ChatCompletion, text: str, reason: str) -> str:
        """Tell why the text is no value, without telling the text."""
        message, ending = completion.message, completion.finish_reason
        calls = [*(message.tool_calls or ()), *(message.open_tool_calls or ())]
        tools = ", ".join(call.function.name for call in calls)
        if not text:
            if tools:
                said = f"the model called tools ({tools}) and gave no {self._name}"
            elif completion.reasoning:
                said = (
                    f"the answer is empty where a {self._name} was asked for; the model only "
                    "reasoned, and some put the value there: see .completion.reasoning"
                )
            else:
                said = f"the answer is empty where a {self._name} was asked for"
        else:
            said = f"the answer is no {self._name}: {reason}"
            if tools:
                said += f" (the model called tools as well: {tools})"
        return said if ending == "stop" else f"{said} [finish_reason {ending!r}]"

    def _completed(self, error: OutputError, completion: ChatCompletion) -> OutputError:
        partial = PartialJSON()
        partial.feed(completion.text)
        partial.finish()
        value = self.so_far(partial)
        error.partial_value = None if value is UNSET else value
        error.partial = completion
        error.generation_id = completion.id
        error.phase = "body"
        if completion.cost is not None:
            error.billed = "yes" if completion.cost > 0 else "no"
        return error


def response_type_of(kind: type[T]) -> ResponseType[T]:
    """Give the `ResponseType` of a type, made once: a schema takes longer than a request's rest.

    Raises:
        TypeError: JSON cannot say the type, or it refers to itself.
    """
    given: Any = kind
    try:
        hash(given)
    except TypeError:  # such as a type that is annotated with a list
        return ResponseType(kind)
    return _remembered(given)


@functools.lru_cache(maxsize=256)
def _remembered(kind: Any) -> ResponseType[Any]:
    return ResponseType(kind)


def _verdict(completion: ChatCompletion) -> OutputError | None:
    """Judge by everything but the text."""
    reason = completion.finish_reason
    if reason == "length":
        return LengthError(
            "the answer was cut at its token limit before it was whole; "
            "raise max_completion_tokens, or ask for less"
        )
    if reason == "content_filter":
        return ContentFilterError("a content filter ended the answer before it was whole")
    if completion.message.refusal:
        return RefusalError("the model refused to answer; .refusal holds its words")
    return None


def _unquoted(mismatch: MismatchError) -> str:
    return _QUOTED.sub(r"\1", str(mismatch))


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    root = {key: item for key, item in schema.items() if key != "$defs"}
    result: dict[str, Any] = {
        "type": "object",
        "properties": {_VALUE: root},
        "required": [_VALUE],
    }
    return {**result, "$defs": schema["$defs"]} if "$defs" in schema else result


def _name_of(kind: Any) -> str:
    if get_args(kind):
        return re.sub(r"[\w.]+\.(?=\w)", "", repr(kind))  # list[Line], whatever module Line is in
    return cast("str", getattr(kind, "__name__", repr(kind)))


def _wire_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:_NAME_LIMIT] or "answer"
