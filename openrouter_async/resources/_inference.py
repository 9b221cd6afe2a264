"""The text endpoints besides chat: arguments become a request, and what comes a stream or a value.

The rule of its groups: a user's arguments become a request, checked before anything is sent, and
the answer gets its type. What surrounds such a request meets here: the keywords that are checked,
the budgets it is held to, and the type that reads the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar, cast

from .._bodies import read_body
from .._config import Timeouts, check_type
from .._price_list import PriceList
from .._sender import JSON_HEADERS, STREAM_HEADERS, Sender
from .._timing import opening_of
from .._transport import Response
from ..budget import Budget, Reservation
from ..errors import BudgetUnpriceableError
from ..types.arrival import Arrival
from ._call import Answered, Call, Group, Operation, decoded, timeouts_of
from ._messages import plain
from .chat import body_of, chat_headers
from .generations import Generations
from .models import Models

if TYPE_CHECKING:
    from ..text_streams._gathered import GatheredStream

__all__ = ["Around", "Inference", "Transport", "items_of"]

S = TypeVar("S", bound="GatheredStream[Any, Any]")
A = TypeVar("A")

Transport: TypeAlias = Literal["stream", "json"]
"""How an answer is asked for: as a stream that is gathered, or in one piece."""


class Around(NamedTuple):
    """What a call says beside the request: the model, and how long and how much it may take."""

    model: str | None
    timeouts: Timeouts | None
    budget: Budget | None
    transport: str = "stream"


class _Request(NamedTuple):
    """A request whose arguments have been checked."""

    path: str
    body: bytes
    headers: dict[str, str]
    timeouts: Timeouts
    reservation: Reservation


class Inference(Group):
    """A group of text endpoints, with the client's own model and budget."""

    _needs_model = True
    _has_prices = True

    def __init__(
        self, sender: Sender, model: str | None, budget: Budget | None, prices: PriceList
    ) -> None:
        super().__init__(sender)
        self._model = model
        self._budget = budget
        self._prices = prices

    def _streamed(
        self,
        kind: type[S],
        operation: Operation[Any],
        main: Mapping[str, Any],
        params: Mapping[str, Any],
        around: Around,
    ) -> S:
        """Give the stream of an answer; nothing is sent before it is started.

        In the body `main` comes first, the fields that are arguments of their own, then `params`.
        """
        if around.transport not in ("stream", "json"):
            raise ValueError(f"transport must be 'stream' or 'json', got {around.transport!r}")
        is_streamed = around.transport == "stream"
        request = self._request(operation, {**main, "stream": is_streamed}, params, around)
        return kind(
            partial(self._send, request),
            timeouts=request.timeouts,
            limits=self._sender.limits,
            secret=self._sender.key,
            find_record=Generations(self._sender).get,
            reservation=request.reservation,
            is_streamed=is_streamed,
        )

    def _fetched(
        self,
        operation: Operation[A],
        main: Mapping[str, Any],
        params: Mapping[str, Any],
        around: Around,
    ) -> Call[A]:
        """Give the answer of an endpoint that never streams, to be awaited; see `_streamed`."""
        return self._answer(self._request(operation, main, params, around), operation)

    async def _answer(self, request: _Request, operation: Operation[A]) -> A:
        async def accept(response: Response) -> Any:
            body = await read_body(response, request.timeouts)
            timing = opening_of(response)
            timing.end = response.time() - response.asked_at
            kind: Any = operation.answer
            if hasattr(kind, "from_text") and _is_plain_string(body):
                answer = kind.from_text(body.decode("utf-8", "replace"))
            else:
                answered = Answered(body, response.headers)
                answer = decoded(answered, kind, self._sender, mark=operation.mark)
            headers = {name.lower(): value for name, value in response.headers.items()}
            answer.arrival = Arrival(headers=headers, timing=timing, ending="complete")
            return answer

        answer = await self._send(request, accept)
        request.reservation.settle(answer.cost)
        return cast("A", answer)

    def _request(
        self,
        operation: Operation[Any],
        main: Mapping[str, Any],
        params: Mapping[str, Any],
        around: Around,
    ) -> _Request:
        """Check every argument, and put the request together."""
        timeouts = timeouts_of(self._sender, around.timeouts)
        if around.budget is not None:
            check_type("budget", around.budget, Budget)
        model = self._model if around.model is None else around.model
        if model is not None:
            check_type("model", model, str)
        if self._needs_model and not model:
            raise ValueError("model must be given, here or to the client: there is no default")
        shape = cast("type[Any]", operation.signature.body)
        body = body_of(shape, {"model": model, **main}, params)
        headers = STREAM_HEADERS if main.get("stream") else JSON_HEADERS
        headers = {**headers, "Content-Type": "application/json", **chat_headers(params)}
        reservation = Reservation((self._budget, around.budget))
        return _Request(operation.path, body, headers, timeouts, reservation)

    async def _send(self, request: _Request, accept: Callable[[Response], Awaitable[Any]]) -> Any:
        if request.reservation:
            await self._reserve(request)
        with request.reservation:
            return await self._sender.send(
                "POST",
                request.path,
                accept,
                headers=request.headers,
                body=request.body,
                timeouts=request.timeouts,
                reservation=request.reservation,
            )

    async def _reserve(self, request: _Request) -> None:
        if request.reservation.needs_price and not self._has_prices:
            raise BudgetUnpriceableError(
                f"no budget can hold this request: no price list has prices for {request.path}; "
                "Budget(..., per_request=...) reserves a sum of your own instead"
            )
        models = partial(Models(self._sender).list, output_modalities="all")
        await self._prices.reserve(request.reservation, request.body, models)


def _is_plain_string(body: bytes) -> bool:
    """Tell whether a body is a string, as JSON or as one event, and no object or page."""
    data = body.strip().removeprefix(b"data:")
    is_event = len(data) < len(body.strip()) and not data.lstrip().startswith((b"{", b"["))
    return is_event or data.startswith(b'"')


def items_of(name: str, value: object) -> list[Any]:
    """Give a sequence in its wire form; it must hold something."""
    kind = type(value).__name__
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a sequence, got {kind}")
    items = cast("Sequence[object]", value)
    if not items:
        raise ValueError(f"{name} must not be empty")
    return [plain(item) for item in items]
