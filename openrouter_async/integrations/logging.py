"""A line in the log for each request, with ids and numbers and without a word of its content.

>>> from openrouter_async import OpenRouter
>>> from openrouter_async.integrations.logging import Logging
>>> OpenRouter("sk-or-v1-0123456789abcdef", hooks=[Logging()])
OpenRouter(base_url='https://openrouter.ai/api/v1')

The end of a request is one record of the logger ``openrouter_async``, such as::

    chat/completions openai/gpt-4o-mini: complete after 1.24 s (first token 0.31 s), 12 + 80
    tokens, $0.000050, OpenAI, gen-1762064096-m5Vx

A failure is a warning with what the API said. Retries and waits in line are warnings and notes of
their own; starts and headers are for debugging. Each record has the facts as attributes too, so
that a JSON formatter or a filter finds them: ``record.openrouter`` is a dict.

The rule of this file: events in, records out; only the standard library is needed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from openrouter_async.hooks import (
    AnswerStarted,
    Event,
    RequestEnded,
    RequestHeld,
    RequestRetried,
    RequestStarted,
)

__all__ = ["Logging"]

_QUIET: Final = frozenset({"GET"})


class Logging:
    """A hook that writes to a log.

    Args:
        logger: Where to; a logger or its name.
        level: The level of requests that end well; ``GET`` requests, which generate nothing, are
            told at `logging.DEBUG`.
        failure_level: The level of requests that fail.
    """

    def __init__(
        self,
        logger: logging.Logger | str = "openrouter_async",
        *,
        level: int = logging.INFO,
        failure_level: int = logging.WARNING,
    ) -> None:
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self._level = level
        self._failure_level = failure_level
        self._started: dict[int, RequestStarted] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, RequestStarted):
            self._started[event.call] = event
            self._say(logging.DEBUG, event, "started", {"host": event.host, **event.settings})
        elif isinstance(event, AnswerStarted):
            facts = {"status": event.status, "generation_id": event.generation_id}
            self._say(logging.DEBUG, event, f"answered with {event.status}", facts)
        elif isinstance(event, RequestHeld):
            self._say(self._level, event, f"waited {event.seconds:.2f} s in line", {})
        elif isinstance(event, RequestRetried):
            self._retried(event)
        elif isinstance(event, RequestEnded):
            self._ended(event)
            del self._started[event.call]

    def _retried(self, event: RequestRetried) -> None:
        later = "in line with the others" if event.is_held_back else f"in {event.delay:.2f} s"
        self._say(
            self._failure_level,
            event,
            f"attempt {event.attempt} failed, trying again {later}: {event.error}",
            {
                "attempt": event.attempt,
                "error": type(event.error).__name__,
                "request_id": event.error.request_id,
                "delay": event.delay,
            },
        )

    def _ended(self, event: RequestEnded) -> None:
        if event.error is not None or event.ending == "error":
            level = self._failure_level
        elif self._started[event.call].method in _QUIET:
            level = logging.DEBUG
        else:
            level = self._level
        if not self._logger.isEnabledFor(level):
            return
        usage, timing = event.usage, event.timing
        ending = "cancelled" if event.is_cancelled else event.ending
        said = f"{ending} after {event.seconds:.2f} s"
        if timing.first_delta is not None:
            said += f" (first token {timing.first_delta:.2f} s)"
        parts = [
            said,
            f"{event.attempts} attempts" if event.attempts > 1 else None,
            f"{usage.prompt_tokens} + {usage.completion_tokens} tokens" if usage else None,
            f"${event.cost:.6f}" if event.cost is not None else None,
            event.provider,
            event.generation_id or event.request_id,
        ]
        message = ", ".join(part for part in parts if part is not None)
        if event.error is not None:
            message += f": {type(event.error).__name__}: {event.error}"
        facts = {
            "ending": ending,
            "seconds": event.seconds,
            "first_delta": timing.first_delta,
            "attempts": event.attempts,
            "status": event.status,
            "error": type(event.error).__name__ if event.error is not None else None,
            "answered_by": event.model,
            "provider": event.provider,
            "generation_id": event.generation_id,
            "request_id": event.request_id,
            "prompt_tokens": usage.prompt_tokens if usage is not None else None,
            "completion_tokens": usage.completion_tokens if usage is not None else None,
            "cost": event.cost,
            "finish_reasons": event.finish_reasons,
        }
        self._say(level, event, message, facts)

    def _say(self, level: int, event: Event, message: str, facts: Mapping[str, Any]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        start = self._started[event.call]
        about: dict[str, Any] = {"event": type(event).__name__, "call": event.call}
        about |= {"path": start.path, "model": start.model}
        about |= {name: value for name, value in facts.items() if value is not None}
        named = " ".join(name for name in (start.path.lstrip("/"), start.model) if name)
        told = (_in_one_line(named), _in_one_line(message))
        self._logger.log(level, "%s: %s", *told, extra={"openrouter": about})


def _in_one_line(text: str) -> str:
    """Keep others' words, of a provider or of whoever chose the model, from forging records."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else " " for mark in text)
