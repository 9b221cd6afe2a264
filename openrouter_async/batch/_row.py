"""A line of a job's output.

The rule of this file: pure. What came of an item becomes a `Row`, and a row says all that a job
needs to know of it later: nothing else is remembered between two runs.
"""

from __future__ import annotations

import time
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec
from msgspec import UNSET, Struct, UnsetType

from .._structured import ParsedCompletion
from ..errors import APIStatusError, BudgetExceededError, OpenRouterError
from ..types import ChatCompletion, Usage
from ._item import Item

__all__ = ["Row", "RowError", "Status", "encode", "of_answer", "of_copy", "of_error", "of_problem"]

Status: TypeAlias = Literal["ok", "failed", "unpaid"]
"""An answer, a failure, or not sent because the budget had too little left."""

BAD_LINE: Final = "BadLine"


class RowError(Struct, omit_defaults=True, kw_only=True):
    """Why an item failed.

    Attributes:
        kind: The error's class, or ``BadLine`` where the input is at fault.
        message: What it says.
        status: The HTTP status, where there is one.
        billed: Whether the request costs money: "no", "unknown" or "yes".
    """

    kind: str
    message: str
    status: int | None = None
    billed: str = "no"


class Row(Struct, omit_defaults=True, kw_only=True):
    """What came of one item, one line of JSON.

    Attributes:
        id: The item's id.
        line: The number of its line in the input.
        request: What stands for the request; equal requests have equal ones.
        status: ``"ok"``, ``"failed"`` or ``"unpaid"``.
        text: The answer's text, also what had come of it before it failed.
        value: The answer as a value, with a response type.
        images: Files in the images' folder, or without such a folder the images' URLs.
        tool_calls: The calls that the model asked for.
        finish_reason: Why the answer ended.
        model: The model that answered.
        provider: The provider that answered.
        generation_id: The ``gen-...`` id.
        usage: Tokens and cost as the server reported them.
        cost: USD; None where nobody knows.
        cost_before: USD of earlier failures that this row takes the place of.
        seconds: From taking up the item until its end, all waiting included.
        latency: Seconds that the answer itself took, from the sending of the request it is the
            answer to.
        same_as: The id of the item whose answer this is, where equal requests are sent once.
        error: Why it failed.
        at: When, in seconds since the epoch.
    """

    id: str
    line: int
    request: str
    status: Status
    text: str | None = None
    value: Any | UnsetType = UNSET
    images: list[str] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    finish_reason: str | None = None
    model: str | None = None
    provider: str | None = None
    generation_id: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    cost_before: float | None = None
    seconds: float | None = None
    latency: float | None = None
    same_as: str | None = None
    error: RowError | None = None
    at: float = 0.0

    @property
    def spent(self) -> float:
        """USD that the item has cost so far, as far as known."""
        return (self.cost or 0.0) + (self.cost_before or 0.0)

    @property
    def is_bad_line(self) -> bool:
        """Whether it tells of a line that is no request."""
        return self.error is not None and self.error.kind == BAD_LINE


def of_answer(item: Item, completion: ChatCompletion, images: list[str]) -> Row:
    """Make the row of an answer."""
    row = _row(item, "ok", completion)
    row.images = images or None
    timing = completion.timing
    if timing.end is not None:
        row.latency = round(timing.end - (timing.queue or 0.0), 4)
    if isinstance(completion, ParsedCompletion):
        row.value = cast("Any", completion).parsed
        row.text = None  # the value says it
    return row


def of_error(item: Item, error: Exception, answer: ChatCompletion | None = None) -> Row:
    """Make the row of a failure, with what had come of the answer."""
    if answer is None and isinstance(error, OpenRouterError):
        answer = error.partial
    status: Status = "unpaid" if isinstance(error, BudgetExceededError) else "failed"
    row = _row(item, status, answer or ChatCompletion())
    row.text = row.text or None
    row.error = RowError(
        kind=type(error).__name__,
        message=str(error),
        status=error.status if isinstance(error, APIStatusError) else None,
        billed=error.billed if isinstance(error, OpenRouterError) else "no",
    )
    return row


def of_problem(item: Item) -> Row:
    """Make the row of a line that is no request."""
    row = _row(item, "failed", ChatCompletion())
    row.text = None
    row.error = RowError(kind=BAD_LINE, message=item.problem or "")
    return row


def of_copy(item: Item, first: Row) -> Row:
    """Make the row of an item that asks what another one has asked already."""
    return msgspec.structs.replace(
        first,
        id=item.id,
        line=item.line,
        same_as=first.same_as or first.id,
        usage=None,
        cost=0.0,
        cost_before=None,
        at=_now(),
    )


def encode(row: Row) -> bytes:
    """Give the line, with its end."""
    return _encoder.encode(row) + b"\n"


def _row(item: Item, status: Status, completion: ChatCompletion) -> Row:
    return Row(
        id=item.id,
        line=item.line,
        request=item.digest,
        status=status,
        text=completion.text,
        tool_calls=[call.to_dict() for call in completion.tool_calls] or None,
        finish_reason=completion.finish_reason,
        model=completion.model or None,
        provider=completion.provider or None,
        generation_id=completion.generation_id or None,
        usage=completion.usage,
        cost=completion.cost,
        at=_now(),
    )


def _now() -> float:
    return round(time.time(), 3)


def _plain(value: Any) -> Any:
    """Encode what msgspec does not know: pydantic models, which know themselves."""
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
    return dump(mode="json")


_encoder: Final = msgspec.json.Encoder(enc_hook=_plain)
