"""One request as its hooks are told of it.

The rule of this file: when an event is told, to whom, and with how much in it. There is an
`Observation` only where a client has hooks; without one, each place that tells costs a look at
None, and none of these places is on the way of a chunk. No hook can break a request.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from .._timing import Opened, opening_of, speed_of
from ..errors import (
    APITimeoutError,
    ModerationError,
    OpenRouterError,
    StreamBrokenError,
    StreamTruncatedError,
)
from ..types import Ending, Timing
from ._events import (
    AnswerStarted,
    DataArrived,
    Event,
    FirstDelta,
    Hook,
    RequestEnded,
    RequestHeld,
    RequestRetried,
    RequestStarted,
)
from ._facts import Facts, asked_for, facts_of, name_or_none, reasons_of, text_or_none

if TYPE_CHECKING:
    from ._facts import TextAnswer

__all__ = ["Hooks", "Observation", "ending_of"]

_CALLS: Final = count(1)
_HELD: Final = 1e-3
"""Seconds; who was let through at once took less."""

_WANTS: Final = frozenset({"arrivals", "content"})


class Hooks:
    """The hooks of one client.

    Raises:
        TypeError: One is no hook.
        ValueError: One wants what there is not.
    """

    __slots__ = ("_complained", "_hooks", "_wanting_arrivals", "_wanting_content")

    def __init__(self, hooks: Iterable[Hook]) -> None:
        self._hooks = tuple(_checked(hook) for hook in hooks)
        self._wanting_content = frozenset(
            number for number, hook in enumerate(self._hooks) if "content" in _wants(hook)
        )
        self._wanting_arrivals = frozenset(
            number for number, hook in enumerate(self._hooks) if "arrivals" in _wants(hook)
        )
        self._complained: set[int] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # A copy of the client tells the same hooks.
        return self

    def begin(self, method: str, path: str, base_url: str, body: bytes | None) -> Observation:
        """Tell that a request was made; give what is told the rest."""
        observation = Observation(self, next(_CALLS))
        observation.started(method, path, base_url, body)
        return observation

    @property
    def want_arrivals(self) -> bool:
        """Whether any hook does."""
        return bool(self._wanting_arrivals)

    @property
    def want_content(self) -> bool:
        """Whether any hook does."""
        return bool(self._wanting_content)

    def tell(self, event: Event, whole: Event | None = None) -> None:
        """Call the hooks with an event; `whole` is for those that want content."""
        for number, hook in enumerate(self._hooks):
            told = whole if whole is not None and number in self._wanting_content else event
            try:
                hook(told)
            except Exception as error:  # noqa: BLE001  (it breaks no request, whatever it is)
                self._complain(number, error)

    def tell_arrival(self, event: DataArrived) -> None:
        """Call the hooks that want arrivals."""
        for number in self._wanting_arrivals:
            hook = self._hooks[number]
            try:
                hook(event)
            except Exception as error:  # noqa: BLE001  (it breaks no request, whatever it is)
                self._complain(number, error)

    def _complain(self, number: int, error: Exception) -> None:
        """Log what a hook raised, where it is the first time."""
        if number in self._complained:
            return
        import logging

        self._complained.add(number)
        logging.getLogger("openrouter_async").error(
            "a hook raised, and the request went on; it is called further on, and not "
            "complained of again: %s",
            type(self._hooks[number]).__name__,
            exc_info=error,
        )


class Stream(Protocol):
    """What is asked of a stream that has ended; more is looked for by name."""

    ending: Ending | None
    status: int | None
    headers: Mapping[str, str]
    timing: Timing

    @property
    def deltas(self) -> int: ...


class Answer(Protocol):
    """What an arrival is read off."""

    waited: float

    async def read(self, limit: float = inf) -> bytes: ...


A = TypeVar("A", bound=Answer)


class Observation:
    """One request; its events are told to the hooks of its client.

    It is over with the first `ended`, `failed` or `answered` that has an end to tell.
    """

    __slots__ = (
        "_began",
        "_call",
        "_has_data",
        "_has_first_delta",
        "_held",
        "_hooks",
        "_is_followed",
        "_is_over",
        "_opened",
    )

    def __init__(self, hooks: Hooks, call: int) -> None:
        self._hooks = hooks
        self._call = call
        self._began = time.perf_counter()
        self._opened: Opening | None = None
        self._is_followed = False  # a stream will tell the end
        self._is_over = False
        self._has_data = False
        self._has_first_delta = False
        self._held = 0.0

    # On the way to an answer.

    def started(self, method: str, path: str, base_url: str, body: bytes | None) -> None:
        """A request was made."""
        host, port = _place_of(base_url)
        asked = asked_for(body)
        stream = asked.pop("stream", None)
        model = asked.pop("model", None)
        event = RequestStarted(
            call=self._call,
            method=method,
            path=path,
            host=host,
            port=port,
            model=model if isinstance(model, str) else None,
            is_stream=stream is True,
            settings=asked,
        )
        whole = msgspec.structs.replace(event, body=body) if self._hooks.want_content else None
        self._hooks.tell(event, whole)

    def let_through(self, seconds: float) -> None:
        """It waited in line for so long."""
        if seconds >= _HELD:
            self._hooks.tell(RequestHeld(call=self._call, seconds=seconds))

    def opened(self, response: Opening) -> None:
        """An answer's headers came."""
        self._opened = response
        self._has_data = False
        self._hooks.tell(
            AnswerStarted(
                call=self._call,
                attempt=response.attempt,
                status=response.status,
                generation_id=response.headers.get("x-generation-id"),
                timing=opening_of(response),
            )
        )

    def retried(
        self, error: OpenRouterError, attempt: int, delay: float, *, is_held_back: bool
    ) -> None:
        """An attempt failed, and another one follows."""
        self._opened = None
        self._hooks.tell(
            RequestRetried(
                call=self._call,
                attempt=attempt,
                error=_bare(error),
                delay=delay,
                is_held_back=is_held_back,
            )
        )

    # While a stream is read.

    def followed(self, answer: A) -> A:
        """A stream reads the answer, and tells its end; give the answer to read."""
        self._is_followed = True
        if not self._hooks.want_arrivals:
            return answer
        return cast("A", _Watched(answer, self._arrived))

    def first_delta(self, seconds: float) -> None:
        """Something was said for the first time."""
        if not self._has_first_delta:
            self._has_first_delta = True
            self._hooks.tell(FirstDelta(call=self._call, seconds=seconds))

    def _arrived(self, seconds: float, data: bytes) -> None:
        seconds += self._held
        if data.startswith(b":") and b"data:" not in data:
            self._held = seconds  # a keep-alive; what is waited for is still to come
            return
        self._held = 0.0
        if self._has_data:
            self._hooks.tell_arrival(DataArrived(call=self._call, seconds=seconds))
        self._has_data = True

    # The end.

    def ended(
        self, stream: Stream, error: OpenRouterError | None = None, *, is_cancelled: bool = False
    ) -> None:
        """A stream is over."""
        timing = msgspec.structs.replace(stream.timing)
        facts = facts_of(stream)
        timing.tokens_per_second = timing.tokens_per_second or speed_of(timing, facts.usage)
        if timing.first_delta is not None:
            self.first_delta(timing.first_delta)
        self._end(
            stream.ending or "left",
            error,
            is_cancelled=is_cancelled,
            facts=facts,
            generation_id=name_or_none(getattr(stream, "generation_id", None)),
            timing=timing,
            deltas=stream.deltas,
            finish_reasons=tuple(getattr(stream, "finish_reasons", ())),
            completion=lambda: text_or_none(getattr(stream, "partial", None)),
        )

    def failed(self, error: BaseException, *, was_left: bool, is_cancelled: bool) -> None:
        """No answer came, or it failed before a stream could tell of it.

        Args:
            error: What is raised.
            was_left: Whether that only says that the stream was closed.
            is_cancelled: Whether the task is being cancelled.
        """
        known = error if isinstance(error, OpenRouterError) else None
        has_failed = isinstance(error, Exception) and not was_left
        self._end(
            ending_of(error) if has_failed else "left",
            known,
            is_cancelled=is_cancelled and not has_failed,
            facts=Facts(),
            generation_id=known.generation_id if known is not None else None,
            timing=self._timing(),
        )

    def answered(self, result: object) -> None:
        """An answer was accepted; where no stream reads it, that is the end."""
        if self._is_followed:
            return
        facts = facts_of(result)
        opened = self._opened
        text = text_or_none(result)
        self._end(
            "complete",
            None,
            is_cancelled=False,
            facts=facts,
            generation_id=(opened.headers.get("x-generation-id") if opened else None) or facts.id,
            timing=self._timing(),
            finish_reasons=reasons_of(text),
            completion=lambda: text,
        )

    def _timing(self) -> Timing:
        opened = self._opened
        if opened is None:
            return Timing()
        timing = opening_of(opened)
        timing.end = opened.time() - opened.asked_at
        return timing

    def _end(
        self,
        ending: Ending,
        error: OpenRouterError | None,
        *,
        is_cancelled: bool,
        facts: Facts,
        generation_id: str | None,
        timing: Timing,
        deltas: int = 0,
        finish_reasons: tuple[str, ...] = (),
        completion: Callable[[], TextAnswer | None] = lambda: None,
    ) -> None:
        if self._is_over:
            return
        self._is_over = True
        opened = self._opened
        event = RequestEnded(
            call=self._call,
            ending=ending,
            is_cancelled=is_cancelled,
            error=_bare(error) if error is not None else None,
            seconds=time.perf_counter() - self._began,
            attempts=error.attempts if error is not None else opened.attempt if opened else 1,
            status=opened.status if opened is not None else getattr(error, "status", None),
            model=facts.model,
            provider=facts.provider or getattr(error, "provider_name", None),
            generation_id=generation_id,
            request_id=error.request_id if error is not None else None,
            usage=facts.usage,
            finish_reasons=finish_reasons,
            deltas=deltas,
            timing=timing,
        )
        whole = None
        if self._hooks.want_content:
            whole = msgspec.structs.replace(
                event,
                error=copy.copy(error) if error is not None else None,
                completion=completion(),
            )
        self._opened = None  # it holds the loop
        self._hooks.tell(event, whole)


class Opening(Opened, Protocol):
    """An answer whose headers have come."""

    attempt: int
    status: int
    headers: Mapping[str, str]

    def time(self) -> float: ...


class _Watched:
    """An answer that says when it is read; all else is the answer's own."""

    __slots__ = ("_answer", "_arrived")

    def __init__(self, answer: Answer, arrived: Callable[[float, bytes], None]) -> None:
        self._answer = answer
        self._arrived = arrived

    async def read(self, limit: float = inf) -> bytes:
        data = await self._answer.read(limit)
        if data:
            self._arrived(self._answer.waited, data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answer, name)


@lru_cache(maxsize=16)
def _place_of(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def ending_of(error: BaseException) -> Ending:
    """Give how an answer ended that failed so."""
    if isinstance(error, StreamTruncatedError):
        return "truncated"
    if isinstance(error, StreamBrokenError):
        return "broken"
    return "timeout" if isinstance(error, APITimeoutError) else "error"


def _checked(hook: Hook) -> Hook:
    from inspect import iscoroutinefunction

    shown = type(hook).__name__
    if not callable(hook):
        raise TypeError(f"a hook must be callable with an event, got a {shown}")
    if isinstance(hook, type):
        raise TypeError(f"a hook must be an object, got the class {hook.__name__}; make one of it")
    if iscoroutinefunction(hook) or iscoroutinefunction(type(hook).__call__):
        raise TypeError(f"a hook must be a plain function, which waits for nothing, got {shown}")
    unknown = sorted(set(map(str, _wants(hook))) - _WANTS)
    if unknown:
        raise ValueError(
            f"`wants` of a hook may hold 'arrivals' and 'content', got {', '.join(unknown)}"
        )
    return hook


def _wants(hook: Hook) -> Iterable[str]:
    wants = getattr(hook, "wants", ())
    if isinstance(wants, str):
        raise TypeError(f"`wants` of a hook must be a set of strings, got {wants!r}")
    return cast("Iterable[str]", wants)


def _bare(error: OpenRouterError) -> OpenRouterError:
    """Give an error without its traceback, and without what is somebody's words."""
    bare = copy.copy(error)
    bare.partial = None
    bare.partial_bytes = None
    bare.earlier = ()
    for name in ("metadata", "raw", "body_start"):
        if name in bare.__dict__:
            setattr(bare, name, None)
    if isinstance(bare, ModerationError):
        bare.flagged_input = None
    return bare
