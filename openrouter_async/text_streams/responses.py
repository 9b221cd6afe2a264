"""Streams of ``/responses``: what its events mean, and the answer that they add up to.

The rule of this file: pure but for the stream class, which is `GatheredStream` with the names of
this dialect. Items are told apart by their place in the answer (``output_index``) and never by
their ids, which change between the events and the last snapshot. What the API says of a finished
item or answer replaces what was put together of its pieces.

| event | what it does |
|---|---|
| ``...delta`` of `_PLACES` | adds a piece to its place |
| the ``...done`` of such a place | is the whole of it |
| ``output_item.added``, ``output_item.done`` | is the item so far, is the item |
| ``output_text.annotation.added`` | adds a citation to its part |
| ``completed``, ``incomplete`` | finishes the answer; its snapshot is the answer |
| ``failed``, ``error``, ``response.error`` | fails |
| any other | is handed on, and changes nothing |
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

import msgspec

from ..types import ErrorBody
from ..types.responses import (
    Response,
    ResponseEvent,
    ResponseItem,
    ResponsePart,
    ResponseUsage,
)
from ._gathered import GatheredStream, SoFar, reported

__all__ = ["ResponseSoFar", "ResponseStream"]

# Where a piece belongs: the field of the item, the kind of item or part, the field of the part.
_PLACES: Final = {
    "response.output_text": ("content", "output_text", "text"),
    "response.refusal": ("content", "refusal", "refusal"),
    "response.reasoning_text": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text": ("summary", "summary_text", "text"),
    "response.function_call_arguments": ("arguments", "function_call", ""),
    "response.custom_tool_call_input": ("input", "custom_tool_call", ""),
    "response.code_interpreter_call_code": ("code", "code_interpreter_call", ""),
    "response.apply_patch_call_operation_diff": ("operation", "apply_patch_call", "diff"),
}
_DELTAS: Final = {f"{name}.delta": place for name, place in _PLACES.items()}
_DONES: Final = {f"{name}.done": place for name, place in _PLACES.items()}
_SILENT: Final = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.debug",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
    }
)
_FINISHING: Final = frozenset({"response.completed", "response.incomplete"})
_FAILING: Final = frozenset({"response.failed", "response.error", "error", ""})

_Place: TypeAlias = tuple[str, str, str]
_Key: TypeAlias = tuple[int, int, _Place]


class ResponseSoFar(SoFar[ResponseEvent, Response]):
    """A `Response` while its events come."""

    __slots__ = (
        *("_annotations", "_done", "_final", "_items", "_key", "_last_index", "_open"),
        *("_pieces", "_response"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._response = Response()
        self._final: Response | None = None
        self._items: dict[int, ResponseItem] = {}
        self._done: set[int] = set()
        self._pieces: dict[_Key, list[str]] = {}
        self._annotations: dict[tuple[int, int], list[dict[str, Any]]] = {}
        self._last_index = 0
        self._key: _Key | None = None  # the place of the last piece, and its pieces
        self._open: list[str] = []

    def add(self, event: ResponseEvent) -> None:
        """Take the next event."""
        place = _DELTAS.get(event.type)
        if place is not None:
            if event.delta:
                self.deltas += 1
                key = (self._index_of(event), _part_index(event), place)
                if key != self._key:
                    self._key, self._open = key, self._pieces.setdefault(key, [])
                self._open.append(event.delta)
        elif event.type in _FAILING:
            self._fail(event)
        else:
            if event.type not in _SILENT:
                self.deltas += 1
            self._note(event)

    def _note(self, event: ResponseEvent) -> None:
        if event.response is not None:
            self._snapshot(event.response, is_final=event.type in _FINISHING)
        elif event.item is not None:
            index = self._index_of(event, new=event.type == "response.output_item.added")
            self._items[index] = event.item
            if event.type == "response.output_item.done":
                self._done.add(index)
        elif event.annotation is not None:
            key = (self._index_of(event), _part_index(event))
            self._annotations.setdefault(key, []).append(event.annotation)
        else:
            place = _DONES.get(event.type)
            whole = event.whole or event.refusal or event.arguments
            if place is not None and whole:
                self._pieces[self._index_of(event), _part_index(event), place] = [whole]
                self._key = None

    def _index_of(self, event: ResponseEvent, *, new: bool = False) -> int:
        if event.output_index is not None:
            self._last_index = event.output_index
        elif new and self._items:
            self._last_index = max(self._items) + 1
        return self._last_index

    def _snapshot(self, response: Response, *, is_final: bool) -> None:
        self._response = response
        self.id = response.id or self.id
        self.model = response.model or self.model
        self.usage = response.usage or self.usage
        if is_final:
            self._final = response
            self.finished = True

    def _fail(self, event: ResponseEvent) -> None:
        details = event.error
        if event.response is not None:
            self._snapshot(event.response, is_final=False)
            details = details or event.response.error or ErrorBody(message="the answer failed")
        self.failed = reported(details, event.raw, bool(event.type))
        if self.failed is not None and event.response is not None:
            self.failed.error_type = self.failed.error_type or event.response.error_type

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why it ended."""
        return self._response.finish_reasons

    def answer(self) -> Response:
        """Give the answer so far."""
        if self._final is not None and (self._final.output or not self._items):
            return msgspec.structs.replace(self._final)
        indexes = sorted({*self._items, *(key[0] for key in self._pieces)})
        output = [self._item(index) for index in indexes] or self._response.output
        return msgspec.structs.replace(self._response, output=output, usage=self.usage)

    def _item(self, index: int) -> ResponseItem:
        known = self._items.get(index)
        if known is not None and index in self._done:
            return known
        keys = sorted(key for key in self._pieces if key[0] == index)
        kind = _kind_of(keys[0][2]) if keys else ""
        item = msgspec.structs.replace(known) if known else ResponseItem(type=kind, role=None)
        if item.status in (None, "completed"):
            item.status = "incomplete"  # a call must not pass for one that can be run
        for key in keys:
            field, part_kind, part_field = key[2]
            text = "".join(self._pieces[key])
            if field in ("content", "summary"):
                part = ResponsePart(type=part_kind, annotations=self._annotations.get(key[:2]))
                setattr(part, part_field, text)
                setattr(item, field, [*_parts(getattr(item, field), key[1]), part])
            elif part_field:
                item.operation = {**_fields_of(item.operation), part_field: text}
            else:
                setattr(item, field, text)
        return item


def _part_index(event: ResponseEvent) -> int:
    return event.content_index or event.summary_index or 0


def _parts(known: object, index: int) -> list[ResponsePart]:
    """Give the parts before one, of what the item had when it was announced."""
    return cast("list[ResponsePart]", known)[:index] if isinstance(known, list) else []


def _fields_of(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _kind_of(place: _Place) -> str:
    field, kind, _ = place
    if field in ("content", "summary"):
        return "reasoning" if kind in ("reasoning_text", "summary_text") else "message"
    return kind


class ResponseStream(GatheredStream[ResponseEvent, Response]):
    """An answer of ``/responses`` as it comes; made by ``client.responses.stream``."""

    __slots__ = ()

    _gathering = ResponseSoFar
    _reader = msgspec.json.Decoder(ResponseEvent)
    _event = ResponseEvent

    @property
    def usage(self) -> ResponseUsage | None:
        """Tokens and cost, from the last event; None where the server sent none."""
        return cast("ResponseUsage | None", self._so_far.usage)

    @staticmethod
    def _event_of(body: bytes, fields: dict[str, msgspec.Raw]) -> bytes | None:
        if "output" not in fields:
            return None
        status = bytes(fields.get("status", msgspec.Raw(b""))).strip(b'"')
        kind = status if status in (b"failed", b"incomplete") else b"completed"
        return b'{"type":"response.%b","response":%b}' % (kind, body)
