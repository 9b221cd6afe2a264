"""Chat calls: a user's arguments become a stream or an answer.

The rule of this file: what surrounds a chat request meets here and nowhere else: the budgets it
is held to, the documents it may reuse, the requests that stand in for it, and the stream that
reads its answer. What each of them does is theirs; the public face is `client`'s.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, NamedTuple

from ._bodies import read_body
from ._calling import CallParams, alternatives, checked_hedge, refuse_race, said_to_the_api
from ._completion import completion_from
from ._config import RetryPolicy, Timeouts, check_type
from ._event_stream import Accept, Send
from ._pdf import CallDocuments
from ._price_list import PriceList
from ._race import Entry, Race
from ._sealed import SealedBytes
from ._sender import JSON_HEADERS, STREAM_HEADERS, Sender
from ._structured import ResponseType
from ._timing import opening_of
from ._transport import Response
from .budget import Budget, Reservation
from .documents import DocumentStore
from .resources import chat
from .stream import ChatStream
from .types import ChatCompletion, ChatParams, GenerationRecord, MessageParam
from .types.arrival import Arrival

__all__ = ["ChatCalls"]


_UNHELD: Final = Reservation(())
"""That of all requests without a budget: it has nothing to hold."""

_SENDS_JSON: Final = {"Content-Type": "application/json"}
_STREAM_HEADERS: Final = STREAM_HEADERS | _SENDS_JSON
_JSON_HEADERS: Final = JSON_HEADERS | _SENDS_JSON


class _Call(NamedTuple):
    """What the requests of one call have in common."""

    timeouts: Timeouts
    reservation: Reservation
    documents: CallDocuments | None


class ChatCalls:
    """Makes the chat calls of one client.

    Args:
        sender: What sends them.
        model: The model of calls that name none.
        retry: When a request is sent again.
        budget: What all calls together may cost.
        prices: What they can cost.
        documents: Where parses of documents are remembered.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        model: str | None,
        retry: RetryPolicy,
        budget: Budget | None,
        prices: PriceList,
        documents: DocumentStore,
    ) -> None:
        self.documents = documents
        self._sender = sender
        self._model = model
        self._retry = retry
        self._budget = budget
        self._prices = prices

    def stream(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None,
        timeouts: Timeouts | None,
        accumulate: bool,
        params: CallParams,
    ) -> ChatStream:
        """Give the stream of an answer; nothing is sent before it is started."""
        call = self._call(timeouts, params)
        asked = alternatives(model, params) if params else [(model, params)]
        entries = [self._entry(messages, name, merged, call.documents) for name, merged in asked]
        sender = self._sender
        known: dict[str, Any] = {
            "limits": sender.limits,
            "secret": sender.key,
            "find_record": self._find_record,
            "audio_format": chat.audio_format_in(params) if params else None,
        }
        whole: dict[str, Any] = {
            **known,
            "timeouts": call.timeouts,
            "accumulate": accumulate,
            "reservation": call.reservation,
            "documents": call.documents,
        }
        hedge_after = checked_hedge(params) if params else None
        if len(entries) == 1 and hedge_after is None:
            send = entries[0].send(call.timeouts, self._retry, call.reservation)
            return ChatStream(send, **whole)
        race = Race(
            entries,
            hedge_after=hedge_after,
            timeouts=call.timeouts,
            retry=self._retry,
            reservation=call.reservation,
            make=partial(ChatStream, accumulate=False, **known),
        )
        return ChatStream(race.send, attempts=race.attempts, **whole)

    async def reserve(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None,
        params: CallParams,
    ) -> Reservation:
        """Hold what a request can cost that is sent by somebody else.

        Raises:
            BudgetExceededError: A budget has too little left.
            BudgetUnpriceableError: Nobody can say what it could cost.
        """
        call = self._call(None, params)
        refuse_race(params, "a request that another process sends within a budget")
        body, _ = self._request(messages, model, params, call.documents, stream=True)
        await self._reserve(call.reservation, body)
        return call.reservation

    def complete_as_json(
        self,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None,
        timeouts: Timeouts | None,
        wanted: ResponseType[Any] | None,
        params: CallParams,
    ) -> Coroutine[Any, Any, ChatCompletion]:
        """Give an answer that is asked for in one piece, to be awaited."""
        call = self._call(timeouts, params)
        body, headers = self._request(messages, model, params, call.documents, stream=False)
        refuse_race(params, "transport='json'")
        chat.refuse_audio(params)
        return self._as_json(body, headers, wanted, call)

    def _call(self, timeouts: Timeouts | None, params: CallParams) -> _Call:
        waits = timeouts if timeouts is not None else self._sender.timeouts
        check_type("timeouts", waits, Timeouts)
        budget = params.get("budget")
        if budget is not None:
            check_type("budget", budget, Budget)
        remembers = params.get("remember_documents", False)
        check_type("remember_documents", remembers, bool)
        documents = CallDocuments(self.documents) if remembers else None
        has_budget = budget is not None or self._budget is not None
        reservation = Reservation((self._budget, budget)) if has_budget else _UNHELD
        return _Call(waits, reservation, documents)

    def _entry(
        self,
        messages: str | Sequence[MessageParam],
        model: str | None,
        params: CallParams,
        documents: CallDocuments | None,
    ) -> Entry:
        """Build a request that can be sent as a stream, held to its budgets."""
        body, headers = self._request(messages, model, params, documents, stream=True)
        sender, reserve = self._sender, self._reserve

        def send_with(timeouts: Timeouts, retry: RetryPolicy, reservation: Reservation) -> Send:
            def send(accept: Accept) -> Coroutine[Any, Any, None]:
                return sender.send(
                    "POST",
                    chat.PATH,
                    accept,
                    headers=headers,
                    body=body,
                    timeouts=timeouts,
                    retry=retry,
                    reservation=reservation or None,
                )

            async def send_held(accept: Accept) -> None:
                await reserve(reservation, body)
                with reservation:
                    await send(accept)

            return send_held if reservation else send

        return Entry(self._model if model is None else model, send_with)

    async def _find_record(self, generation_id: str, *, wait: float) -> GenerationRecord:
        from .resources.generations import Generations

        return await Generations(self._sender).get(generation_id, wait=wait)

    async def _reserve(self, reservation: Reservation, body: bytes) -> None:
        if reservation:
            from .resources.models import Models

            models = partial(Models(self._sender).list, output_modalities="all")
            await self._prices.reserve(reservation, body, models)

    def _request(
        self,
        messages: str | Sequence[MessageParam],
        model: str | None,
        params: CallParams,
        documents: CallDocuments | None,
        *,
        stream: bool,
    ) -> tuple[bytes, dict[str, str]]:
        """Build the body and the headers of a chat request, checking every argument."""
        self._sender.refuse_if_closed()
        fields = said_to_the_api(params) if params else ChatParams()
        model = self._model if model is None else model
        body = SealedBytes(
            chat.chat_body(messages, model=model, stream=stream, params=fields, documents=documents)
        )
        headers = _STREAM_HEADERS if stream else _JSON_HEADERS
        return body, {**headers, **chat.chat_headers(fields)} if fields else headers

    async def _as_json(
        self,
        body: bytes,
        headers: Mapping[str, str],
        wanted: ResponseType[Any] | None,
        call: _Call,
    ) -> ChatCompletion:
        documents = call.documents

        async def accept(response: Response) -> ChatCompletion:
            answer = await read_body(response, call.timeouts)
            timing = opening_of(response)
            timing.end = response.time() - response.asked_at
            headers = {name.lower(): value for name, value in response.headers.items()}
            return completion_from(
                answer,
                now=time.time(),
                secret=self._sender.key,
                arrival=Arrival(
                    headers=headers,
                    timing=timing,
                    documents=documents.sent if documents is not None else (),
                ),
            )

        await self._reserve(call.reservation, body)
        with call.reservation, documents or nullcontext():
            completion = await self._sender.send(
                "POST",
                chat.PATH,
                accept,
                headers=headers,
                body=body,
                timeouts=call.timeouts,
                reservation=call.reservation,
            )
            if documents is not None:
                documents.learn(completion.annotations)
        call.reservation.settle(completion.cost)
        return completion if wanted is None else wanted.read(completion)
