"""The text endpoints besides chat: arguments become a request, and what comes a stream or a value.

The rule of this file: what their groups share. What surrounds such a request meets here: the
keywords that are checked, the budgets it is held to, and the type that reads the answer.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast

import msgspec

from .._bodies import read_body
from .._config import Timeouts, check_type
from .._error_bodies import error_in, error_in_stream
from .._event_stream import Accept
from .._price_list import PriceList
from .._sealed import SealedBytes
from .._sender import JSON_HEADERS, STREAM_HEADERS, Sender
from .._timing import opening_of
from .._transport import Response
from ..budget import Budget, Reservation
from ..errors import BudgetUnpriceableError, ProtocolError
from ..types._arrived import Arrived
from ..types._lenient import NotAnObjectError, decode_leniently
from ..types.arrival import Arrival
from ._body import encode_body
from ._messages import plain
from ._params import checked_params
from .chat import NOT_IN_BODY, chat_headers
from .generations import Generations
from .models import Models

if TYPE_CHECKING:
    from .._gathered_stream import GatheredStream

__all__ = ["Inference", "InferenceGroup", "Transport", "items_of"]

S = TypeVar("S", bound="GatheredStream[Any, Any]")
A = TypeVar("A", bound=Arrived)

Transport: TypeAlias = Literal["stream", "json"]
"""How an answer is asked for: as a stream that is gathered, or in one piece."""

_UNPRICED: Final = frozenset({"/rerank"})


class Inference:
    """Makes the requests of one client's text endpoints.

    Args:
        sender: What sends them.
        model: The model of requests that name none.
        budget: What all requests together may cost.
        prices: What they can cost.
    """

    __slots__ = ("_budget", "_model", "_prices", "_sender")

    def __init__(
        self, sender: Sender, *, model: str | None, budget: Budget | None, prices: PriceList
    ) -> None:
        self._sender = sender
        self._model = model
        self._budget = budget
        self._prices = prices

    def stream(
        self,
        kind: type[S],
        path: str,
        main: Mapping[str, Any],
        params: Mapping[str, Any],
        shape: type[Any],
        *,
        model: str | None,
        needs_model: bool = False,
        timeouts: Timeouts | None,
        budget: Budget | None,
        transport: str = "stream",
    ) -> S:
        """Give the stream of an answer; nothing is sent before it is started.

        Args:
            kind: The stream's class.
            path: Where the request goes.
            main: The fields that are arguments of their own.
            params: The further keywords.
            shape: The TypedDict that says which there are.
            model: The model that the call names.
            needs_model: The endpoint has no default model.
            timeouts: Deadlines in place of the client's.
            budget: A budget beside the client's.
            transport: A `Transport`.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value.
            RuntimeError: The client is closed.
        """
        if transport not in ("stream", "json"):
            raise ValueError(f"transport must be 'stream' or 'json', got {transport!r}")
        streamed = transport == "stream"
        sender = self._sender
        waits, reservation = self._call(timeouts, budget)
        main = {**self._named(model, needs=needs_model), **main, "stream": streamed}
        body, headers = self._request(main, params, shape, STREAM_HEADERS if streamed else None)

        async def send(accept: Accept) -> None:
            await self._reserve(reservation, path, body)
            with reservation:
                await sender.send(
                    "POST",
                    path,
                    accept,
                    headers=headers,
                    body=body,
                    timeouts=waits,
                    reservation=reservation,
                )

        return kind(
            send,
            timeouts=waits,
            limits=sender.limits,
            secret=sender.key,
            find_record=Generations(sender.fetch).get,
            reservation=reservation,
            is_streamed=streamed,
        )

    def fetch(
        self,
        kind: type[A],
        path: str,
        main: Mapping[str, Any],
        params: Mapping[str, Any],
        shape: type[Any],
        *,
        model: str | None,
        timeouts: Timeouts | None,
        budget: Budget | None,
    ) -> Coroutine[Any, Any, A]:
        """Give the answer of an endpoint that never streams, to be awaited; see `stream`."""
        waits, reservation = self._call(timeouts, budget)
        main = {**self._named(model, needs=True), **main}
        body, headers = self._request(main, params, shape, None)
        return self._fetched(kind, path, body, headers, waits, reservation)

    async def _fetched(
        self,
        kind: type[A],
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        waits: Timeouts,
        reservation: Reservation,
    ) -> A:
        async def accept(response: Response) -> A:
            received = await read_body(response, waits)
            timing = opening_of(response)
            timing.end = response.time() - response.asked_at
            answer = self._decoded(received, kind)
            answer.arrival = Arrival(
                headers={name.lower(): value for name, value in response.headers.items()},
                timing=timing,
                ending="complete",
            )
            return answer

        await self._reserve(reservation, path, body)
        with reservation:
            answer = await self._sender.send(
                "POST",
                path,
                accept,
                headers=headers,
                body=body,
                timeouts=waits,
                reservation=reservation,
            )
        reservation.settle(cast("float | None", getattr(answer, "cost", None)))
        return answer

    def _decoded(self, body: bytes, kind: type[A]) -> A:
        details = error_in(body)
        if details is not None:
            key = self._sender.key
            secret = key.reveal() if key is not None else None
            raise error_in_stream(details, now=time.time(), secret=secret)
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        from_text = getattr(kind, "from_text", None)
        try:
            return decode_leniently(body, kind)
        except NotAnObjectError as error:
            if from_text is not None and not body.lstrip().startswith((b"{", b"[", b"<")):
                return cast("A", from_text(body.decode("utf-8", "replace")))
            raise ProtocolError(f"the answer is {error}") from None

    def _call(
        self, timeouts: Timeouts | None, budget: Budget | None
    ) -> tuple[Timeouts, Reservation]:
        self._sender.refuse_if_closed()
        waits = self._sender.timeouts if timeouts is None else timeouts
        check_type("timeouts", waits, Timeouts)
        if budget is not None:
            check_type("budget", budget, Budget)
        return waits, Reservation((self._budget, budget))

    def _named(self, model: str | None, *, needs: bool) -> dict[str, str]:
        model = self._model if model is None else model
        if model is None:
            if needs:
                raise ValueError("model must be given, here or to the client: there is no default")
            return {}
        check_type("model", model, str)
        if not model.strip():
            raise ValueError("model must not be empty")
        return {"model": model}

    def _request(
        self,
        main: Mapping[str, Any],
        params: Mapping[str, Any],
        shape: type[Any],
        headers: Mapping[str, str] | None,
    ) -> tuple[SealedBytes, dict[str, str]]:
        given = checked_params({name: plain(value) for name, value in params.items()}, shape)
        fields = {name: value for name, value in given.items() if name not in NOT_IN_BODY}
        body = SealedBytes(encode_body({**main, **fields, **given.get("extra_body", {})}))
        return body, {
            **(headers or JSON_HEADERS),
            "Content-Type": "application/json",
            **chat_headers(given),
        }

    async def _reserve(self, reservation: Reservation, path: str, body: bytes) -> None:
        if not reservation:
            return
        if path in _UNPRICED and reservation.needs_price:
            raise BudgetUnpriceableError(
                f"no budget can hold this request: the price list has no price for {path}; "
                "Budget(..., per_request=...) reserves a sum of your own instead"
            )
        models = partial(Models(self._sender.fetch).list, output_modalities="all")
        await self._prices.reserve(reservation, body, models)


class InferenceGroup:
    """An endpoint of one client."""

    __slots__ = ("_inference",)

    def __init__(self, inference: Inference) -> None:
        self._inference = inference


def items_of(name: str, value: object) -> list[Any]:
    """Give a sequence in its wire form.

    Raises:
        TypeError: It is none.
        ValueError: It is empty.
    """
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a sequence, got {type(value).__name__}")
    items = cast("Sequence[object]", value)
    if not items:
        raise ValueError(f"{name} must not be empty")
    return [plain(item) for item in items]
