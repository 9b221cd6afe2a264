"""Tool calls are put together from their pieces here.

The rule of this file: pure, and nothing that a provider sends makes it raise but more calls than
are allowed. Any field of a piece may be missing, null or repeated, and two calls may have the
same index or the same id. A piece belongs, in this order,

1. to the call with its id, where its index is missing, or is that of a call with another id;
2. to the call with its index;
3. to the last call, where it has neither.

A piece with a name opens a new call all the same, if the call found has another name or another
id, or is whole already. The whole arguments once more, for the same index or id, are a
repetition and are dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from .types import FunctionCall, ToolCall, ToolCallDelta

__all__ = ["CallSoFar", "TooManyError", "ToolCalls", "is_json_object", "settled_calls"]


class TooManyError(Exception):
    """A stream opens more than it may; the message names the setting that bounds it."""


class CallSoFar:
    """One tool call while its pieces come."""

    __slots__ = ("arguments", "extra", "function_extra", "id", "index", "name", "type")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.type = ""
        self.name = ""
        self.arguments: list[str] = []
        self.extra: dict[str, object] | None = None
        self.function_extra: dict[str, object] | None = None


class ToolCalls:
    """The tool calls of one answer while they come.

    Args:
        limit: How many calls may be opened.
    """

    __slots__ = ("_by_index", "_calls", "_limit")

    def __init__(self, limit: int = 1_024) -> None:
        self._limit = limit
        self._calls: list[CallSoFar] = []
        self._by_index: dict[int, CallSoFar] = {}

    def add(self, piece: ToolCallDelta) -> CallSoFar:
        """Take one piece; give the call that it belongs to.

        Raises:
            TooManyError: It would open more calls than are allowed.
        """
        function = piece.function
        known = self._by_index.get(piece.index) if piece.index is not None else None
        if (
            known is not None
            and function is not None
            and function.arguments
            and "{" not in function.arguments
            and not piece.id
            and not function.name
            and (known.type or not piece.type)
            and not piece.extra
            and not function.extra
        ):  # as nearly always: more of a call's arguments, which cannot be the beginning of others
            known.arguments.append(function.arguments)
            return known
        name = function.name if function is not None and function.name else ""
        arguments = function.arguments if function is not None and function.arguments else ""
        call = self._call_of(piece, name)
        is_other = call is None or bool(name and _is_another(call, piece, name))
        if call is not None and not is_other and _begins_anew(call, arguments):
            if _is_repetition(call, piece, arguments):
                return call
            is_other = bool(name)
        if call is None or is_other:
            call = self._open(piece.index)
        call.id = call.id or piece.id or ""
        call.type = call.type or piece.type or ""
        call.name = call.name or name
        if arguments:
            call.arguments.append(arguments)
        if piece.extra:
            call.extra = {**(call.extra or {}), **piece.extra}
        if function is not None and function.extra:
            call.function_extra = {**(call.function_extra or {}), **function.extra}
        return call

    def build(self, ended: bool) -> tuple[list[ToolCall], list[ToolCall]]:
        """Give the calls that can be run, and those that were cut off."""
        # By index where every call has its own: interleaved calls begin in any order.
        calls = self._calls
        if len(self._by_index) == len(calls):
            calls = [self._by_index[index] for index in sorted(self._by_index)]
        joined = (
            ToolCall(
                id=call.id,
                type=call.type or "function",
                function=FunctionCall(
                    name=call.name,
                    arguments="".join(call.arguments),
                    extra=call.function_extra,
                ),
                extra=call.extra,
            )
            for call in calls
        )
        return settled_calls(joined, ended)

    def _call_of(self, piece: ToolCallDelta, name: str) -> CallSoFar | None:
        index = piece.index
        last = self._calls[-1] if self._calls else None
        if index is None and not piece.id:
            return last
        if index is None:
            known = self._with_id(piece.id)
            if known is None and last is not None and not name and not last.id:
                return last  # an id that comes late
            return known
        call = self._by_index.get(index)
        if call is not None:
            # Some servers invent a new id for every piece, so only a known one is believed.
            known = self._with_id(piece.id) if _differ(call.id, piece.id) else None
            return known or call
        late = self._with_id(piece.id)
        if late is None and last is not None and not name and not _differ(last.id, piece.id):
            late = last
        if late is None or late.index is not None:
            return None
        self._by_index[index] = late  # an index that comes late
        late.index = index
        return late

    def _with_id(self, id: str | None) -> CallSoFar | None:
        return next((c for c in reversed(self._calls) if id and c.id == id), None)

    def _open(self, index: int | None) -> CallSoFar:
        if len(self._calls) >= self._limit:
            raise TooManyError(f"more than {self._limit} tool calls (Limits.max_tool_calls)")
        call = CallSoFar(index)
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call


def settled_calls(calls: Iterable[ToolCall], ended: bool) -> tuple[list[ToolCall], list[ToolCall]]:
    """Give the calls that can be run, and those that were cut off; the structs are changed.

    Args:
        calls: The calls in their order, which is all that their indices said.
        ended: The answer came to a good end, so every call in it is whole.
    """
    whole: list[ToolCall] = []
    cut: list[ToolCall] = []
    taken: set[str] = set()
    for position, call in enumerate(calls):
        while not call.id or call.id in taken:
            # The next turn's tool messages refer to calls by id, so each needs its own.
            call.id = f"{call.id or 'call'}_{position}"
        taken.add(call.id)
        call.index = None
        is_whole = ended or is_json_object(call.function.arguments)
        if is_whole:
            call.function.arguments = call.function.arguments or "{}"
        (whole if is_whole else cut).append(call)
    return whole, cut


def is_json_object(text: str) -> bool:
    """Whether a text is a whole JSON object."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _begins_anew(call: CallSoFar, arguments: str) -> bool:
    """Whether arguments begin although the call has all of its own."""
    if not call.arguments or not arguments.lstrip().startswith("{"):
        return False
    # The last pieces first: joining them all for each new one would take quadratic time.
    end = next((piece for piece in reversed(call.arguments) if piece.strip()), "")
    return end.rstrip().endswith("}") and is_json_object("".join(call.arguments))


def _is_repetition(call: CallSoFar, piece: ToolCallDelta, arguments: str) -> bool:
    # Without an index and an id it is as likely a second call that asks for the same.
    is_told_apart = bool(piece.id) or piece.index is not None
    return is_told_apart and arguments.strip() == "".join(call.arguments).strip()


def _is_another(call: CallSoFar, piece: ToolCallDelta, name: str) -> bool:
    return _differ(call.id, piece.id) or _differ(call.name, name)


def _differ(known: str | None, new: str | None) -> bool:
    return bool(known and new and known != new)
