"""The calls of one turn: what is known of each, how they run, what the model is told of them.

The rule of this file: the calls run side by side inside one await, in a task group that is
closed before anybody goes on. So while the user's own code runs, no tool does, and cancelling
that await leaves none behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct

from .._schema import MismatchError
from ..errors import redact
from ..types._struct import WireStruct
from ..types.messages import Part
from ._tool import Tool

if TYPE_CHECKING:
    import anyio

__all__ = [
    "CallState",
    "Round",
    "RunCall",
    "call_from",
    "content_of",
    "deny",
    "needs_approval",
    "repetition_of",
]

CallState: TypeAlias = Literal[
    "waiting",
    "needs_approval",
    "handed_over",
    "running",
    "done",
    "failed",
    "denied",
    "interrupted",
]
"""Where a call is. Those that are done, failed or denied have an answer for the model."""

_PART_KINDS: Final = frozenset({"text", "image_url", "file", "input_audio", "video_url"})
_MESSAGE_LIMIT: Final = 2_000


@dataclass(slots=True, eq=False)
class RunCall:
    """One call of a tool.

    Attributes:
        id: The id that ties the answer to the call.
        name: What the model calls the tool.
        text: The arguments as the model wrote them, which is JSON if all is well.
        turn: The turn of this run that asked for it; 0 for one that the messages brought.
        arguments: The arguments as read: a dict by parameter, the value of a type as a whole,
            or plain data for a tool that has only a wire form. None where they do not fit.
        state: Where the call is.
        result: What the tool returned.
        error: Why it failed.
        content: What the model is told; None while it is not told anything.
        seconds: How long the tool ran; None where it did not.
    """

    id: str
    name: str
    text: str = field(repr=False)
    turn: int
    arguments: Any = field(default=None, repr=False)
    state: CallState = "waiting"
    result: object = field(default=None, repr=False)
    error: BaseException | None = field(default=None, repr=False)
    content: str | list[Any] | None = field(default=None, repr=False)
    seconds: float | None = None
    _approved: bool = field(default=False, repr=False)
    _is_told: bool = field(default=False, repr=False)

    @property
    def is_answered(self) -> bool:
        """Whether there is something to tell the model."""
        return self.content is not None

    def to_message(self) -> dict[str, Any]:
        """Give the message that tells the model."""
        return {"role": "tool", "tool_call_id": self.id, "content": self.content}


def call_from(
    wire: Mapping[str, Any], tools: Mapping[str, Tool[..., Any] | None], turn: int
) -> RunCall:
    """Read one of a message's ``tool_calls``; what is wrong with it is put onto the call."""
    function: Mapping[str, Any] = wire.get("function") or {}
    name, text = str(function.get("name") or ""), str(function.get("arguments") or "")
    call = RunCall(str(wire.get("id") or ""), name, text, turn)
    try:
        if name not in tools:
            names = ", ".join(tools) or "none"
            raise LookupError(f"there is no tool {name!r}; the tools are: {names}")
        tool = tools[name]
        call.arguments = json.loads(text or "{}") if tool is None else tool.read(text)
    except MismatchError as error:
        _fail(call, error, f"the arguments do not fit: {error}")
    except (LookupError, ValueError, RecursionError) as error:
        _fail(call, error, str(error))
    return call


def _fail(call: RunCall, error: BaseException, reason: str, secret: str | None = None) -> None:
    """Note why a call failed, and tell the model so without anything that looks like a key."""
    call.state = "failed"
    call.error = error
    call.content = "Error: " + redact(reason, secret)[:_MESSAGE_LIMIT]


def needs_approval(tool: Tool[..., Any], call: RunCall) -> bool:
    """Whether somebody has to agree to a call."""
    needed = tool.needs_approval
    return needed if isinstance(needed, bool) else bool(needed(call.arguments))


def deny(call: RunCall, reason: str) -> None:
    """Note that somebody did not agree, and tell the model so."""
    call.state = "denied"
    call.content = f"The call was not approved. {reason}".strip()


def content_of(result: object) -> str | list[Any]:
    """Give what the model is told of a result.

    Text stays as it is. A part of a message (an image, a document, ...), or a list of parts, is
    sent as such. Anything else is told as JSON, None as ``null``.

    Raises:
        TypeError: There is no JSON for it.

    >>> content_of("21 C"), content_of({"degrees": 21}), content_of(None)
    ('21 C', '{"degrees":21}', 'null')
    """
    if isinstance(result, str):
        return result
    if _is_part(result):
        return [_plain(result)]
    if isinstance(result, list | tuple) and result:
        items = list(cast("Iterable[object]", result))
        if all(_is_part(item) for item in items):
            return [_plain(item) for item in items]
    return msgspec.json.encode(result, enc_hook=_model_dump).decode()


def repetition_of(calls: Iterable[RunCall]) -> frozenset[tuple[str, str]]:
    """Give what two turns with the same calls have in common, in whatever order or spelling."""
    return frozenset((call.name, _normal(call.text)) for call in calls)


class Round:
    """The calls of one turn while they run.

    Args:
        raises: Raise the error of a tool instead of telling the model.
        secret: A key that no message may hold.
    """

    __slots__ = ("_failure", "_is_closed", "_raises", "_scope", "_secret")

    def __init__(self, *, raises: bool, secret: str | None) -> None:
        self._raises = raises
        self._secret = secret
        self._failure: BaseException | None = None
        self._scope: anyio.CancelScope | None = None
        self._is_closed = False

    async def run(self, jobs: Iterable[tuple[Tool[..., Any], RunCall]], max_parallel: int) -> None:
        """Run calls, so many at a time, until each has come to its end.

        Raises:
            BaseException: One that a tool raised, where that is not for the model.
        """
        import anyio

        jobs = list(jobs)
        limiter = anyio.CapacityLimiter(max_parallel)
        async with anyio.create_task_group() as group:
            self._scope = group.cancel_scope
            for tool, call in jobs:
                group.start_soon(self._run_one, tool, call, limiter)
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # its traceback holds this frame
        if not self._is_closed and any(not call.is_answered for _, call in jobs):
            # A tool was cancelled from within, which is for the one who runs it to know.
            raise anyio.get_cancelled_exc_class()

    def close(self) -> None:
        """Cancel what runs; `run` returns when all of it has ended."""
        self._is_closed = True
        if self._scope is not None:
            self._scope.cancel()

    async def _run_one(
        self, tool: Tool[..., Any], call: RunCall, limiter: anyio.CapacityLimiter
    ) -> None:
        import anyio

        async with limiter:
            started = anyio.current_time()
            call.state = "running"
            try:
                call.result = await tool.run(call.arguments)
                call.content = content_of(call.result)
                call.state = "done"
            except anyio.get_cancelled_exc_class():
                call.state = "interrupted"
                raise
            except Exception as error:  # noqa: BLE001 - the model is told
                _fail(call, error, _told(error), self._secret)
                if self._raises:
                    self._stop_with(error)
            except BaseException as error:  # noqa: BLE001 - an exit, which `run` raises
                call.state = "interrupted"
                self._stop_with(error)
            finally:
                call.seconds = anyio.current_time() - started

    def _stop_with(self, error: BaseException) -> None:
        self._failure = self._failure or error
        if self._scope is not None:
            self._scope.cancel()


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return "; ".join(_told(one) for one in inner)
    message = str(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _is_part(value: object) -> bool:
    """Whether a value is a part of a message: known by its type and by what that type holds."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        kind = fields.get("type")
        return isinstance(kind, str) and kind in _PART_KINDS and kind in fields
    kind = getattr(value, "type", None) if isinstance(value, Struct) else None
    return isinstance(kind, str) and kind in _PART_KINDS and hasattr(value, kind)


def _plain(part: object) -> object:
    """Give a part as plain data, so that a run's messages can be kept as JSON."""
    if isinstance(part, WireStruct):
        return part.to_dict()
    return msgspec.to_builtins(part) if isinstance(part, Part) else part


def _model_dump(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"the tool returned {type(value).__name__}, for which there is no JSON")
    return dump(mode="json")


def _normal(text: str) -> str:
    try:
        return json.dumps(json.loads(text or "{}"), sort_keys=True)
    except (ValueError, RecursionError):
        return text
