"""The events that hooks are told, and what a hook is.

The rule of this file: what is told, as values. When it is told, and to whom, is decided in
`_observation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from msgspec import Struct, field

from ..errors import OpenRouterError
from ..types import ChatCompletion, Ending, Timing, Usage

if TYPE_CHECKING:  # these are loaded with their endpoints
    from ..types.anthropic import AnthropicMessage
    from ..types.completions import CompletionResponse
    from ..types.responses import Response

__all__ = [
    "AnswerStarted",
    "DataArrived",
    "Event",
    "FirstDelta",
    "Hook",
    "RequestEnded",
    "RequestHeld",
    "RequestRetried",
    "RequestStarted",
    "Want",
]

Want: TypeAlias = Literal["arrivals", "content"]
"""What a hook can ask for by its attribute `wants`."""


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened to a request.

    Attributes:
        call: The number of the request in this process. The retries of a request are part of it;
            with ``fallback`` or ``hedge_after`` each request of the race has its own.
    """

    call: int


class RequestStarted(Event, frozen=True, kw_only=True):
    """A request was made; it may still have to wait before it is sent.

    Attributes:
        method: The HTTP method.
        path: The path below the base URL, such as ``/chat/completions``.
        host: Where it goes.
        port: The port there.
        model: The model that was asked for; None where the request names none.
        is_stream: Whether the answer was asked for as a stream.
        settings: What the request sets of sampling and length (``temperature``, ``max_tokens``,
            ...), of ``modalities``, and its ``session_id``.
        body: The body; None unless the hook wants content.
    """

    method: str
    path: str
    host: str
    port: int
    model: str | None = None
    is_stream: bool = False
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    body: bytes | None = None


class RequestHeld(Event, frozen=True, kw_only=True):
    """A request had to wait in line: behind the pause after a 429, a window or a minute's limit.

    Attributes:
        seconds: How long it waited. It is told when the wait is over.
    """

    seconds: float


class AnswerStarted(Event, frozen=True, kw_only=True):
    """The headers of an answer came, with a status of success.

    Attributes:
        attempt: Which attempt it answers, from 1.
        status: The HTTP status.
        generation_id: The ``gen-...`` id, where the headers have it.
        timing: When things happened up to here, in seconds.
    """

    attempt: int
    status: int
    generation_id: str | None
    timing: Timing


class RequestRetried(Event, frozen=True, kw_only=True):
    """An attempt failed, and another one follows.

    Attributes:
        attempt: Which attempt failed, from 1.
        error: How; a copy without what had arrived.
        delay: Seconds until the next attempt; more where `is_held_back`.
        is_held_back: Whether the next attempt waits in line with the other requests of the model.
    """

    attempt: int
    error: OpenRouterError
    delay: float
    is_held_back: bool


class FirstDelta(Event, frozen=True, kw_only=True):
    """The first delta of a stream came that says something.

    It is told when the stream is read on, at the latest with its end, so that nothing is asked
    for each chunk; `seconds` is the moment itself.

    Attributes:
        seconds: The time to the first token, from the start of the attempt.
    """

    seconds: float


class DataArrived(Event, frozen=True, kw_only=True):
    """A stream's socket brought something after its first data; only for who wants arrivals.

    Chunks that arrive together are one arrival, and comments are none.

    Attributes:
        seconds: How long the stream had to wait for it since it had read what came before. The
            time that the reader takes for itself is not counted.
    """

    seconds: float


class RequestEnded(Event, frozen=True, kw_only=True):
    """A request is over, and its connection closed or given back; its last event.

    Attributes:
        ending: How it ended; ``complete`` also where the answer was no stream.
        is_cancelled: Whether it was ``left`` because the task that used it was cancelled; also
            where the stream was closed while that task still waited for its headers.
        error: How it failed, without a traceback; what had arrived is kept only where the hook
            wants content.
        seconds: From `RequestStarted` on, with all waiting and all attempts.
        attempts: How many times it was sent, or tried to be.
        status: The HTTP status of the answer.
        model: The model that answered.
        provider: The provider that answered.
        generation_id: The ``gen-...`` id.
        request_id: The API's id of a request that failed, where it gives one.
        usage: Tokens and cost; None where the answer did not come to tell them.
        finish_reasons: Why each choice ended, in order, in the words of its endpoint.
        deltas: How many deltas of a stream said something.
        timing: When things happened in the attempt that was answered, in seconds.
        completion: What came of the answer of a text endpoint, as that endpoint's streams give it;
            None unless the hook wants content.
    """

    ending: Ending
    is_cancelled: bool = False
    error: OpenRouterError | None = None
    seconds: float
    attempts: int = 1
    status: int | None = None
    model: str | None = None
    provider: str | None = None
    generation_id: str | None = None
    request_id: str | None = None
    usage: Usage | None = None
    finish_reasons: tuple[str, ...] = ()
    deltas: int = 0
    timing: Timing = field(default_factory=Timing)
    completion: ChatCompletion | Response | AnthropicMessage | CompletionResponse | None = None

    @property
    def cost(self) -> float | None:
        """USD charged; None where the server did not say."""
        return self.usage.cost if self.usage is not None else None


class Hook(Protocol):
    """Whatever can be called with an event."""

    def __call__(self, event: Event, /) -> object:
        """Take note of an event. What is returned is not looked at."""
