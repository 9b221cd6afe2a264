"""Spans and metrics of requests by OpenTelemetry's conventions for generative AI.

>>> from openrouter_async import OpenRouter
>>> from openrouter_async.integrations.otel import OpenTelemetry
>>> OpenRouter("sk-or-v1-0123456789abcdef", hooks=[OpenTelemetry()])
OpenRouter(base_url='https://openrouter.ai/api/v1')

Each request that generates something has one span, named ``chat openai/gpt-4o-mini`` or the like,
from its start to its end, with all its attempts, however it ends. The names are those of
https://github.com/open-telemetry/semantic-conventions-genai; what those do not know has names
that begin with ``openrouter.``. Only `opentelemetry-api` is needed here; without an SDK nothing is
recorded.

The rule of this file: events in, spans and measurements out. Nothing of a prompt or an answer is
recorded unless that is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from openrouter_async._version import __version__
from openrouter_async.hooks import (
    AnswerStarted,
    DataArrived,
    Event,
    FirstDelta,
    RequestEnded,
    RequestHeld,
    RequestRetried,
    RequestStarted,
)

from ._otel_content import received_in, sent_in

__all__ = ["OpenTelemetry"]

_Attributes: TypeAlias = dict[str, str | bool | int | float | Sequence[str]]

_PROVIDER: Final = "openrouter"
_OPERATIONS: Final = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/messages": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
    "/images": "generate_content",
    "/videos": "generate_content",
    "/audio/speech": "generate_content",
    "/audio/transcriptions": "generate_content",
    "/rerank": "rerank",
}
_OUTPUTS: Final = {"/images": "image", "/audio/speech": "speech", "/audio/transcriptions": "text"}
_SETTINGS: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "session_id": "gen_ai.conversation.id",
}
_PLAIN: Final = (int, float, str)
_TOLD_LATER: Final = (AnswerStarted, FirstDelta)
"""Events whose times the end tells too."""

# The conventions name these bounds.
_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_TOKENS: Final = tuple(4**power for power in range(14))
_ASKED_IN_ENVIRONMENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class OpenTelemetry:
    """A hook that makes spans and metrics of requests.

    Args:
        content: Record prompts and answers on the spans, as ``gen_ai.system_instructions``,
            ``gen_ai.input.messages`` and ``gen_ai.output.messages``. By default what the variable
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says, and else nothing.
        every_gap: Record ``gen_ai.client.operation.time_per_output_chunk`` each time that chunks
            arrive, as the conventions ask; those that arrive together count as one. An SDK takes
            about half as long for that as it takes to read a chunk that comes alone, so by default
            the mean of a stream is recorded, once, when it ends.
        tracer_provider: Where spans go; by default the global provider.
        meter_provider: Where measurements go; by default the global provider.

    Attributes:
        wants: What events it asks the client for.
    """

    def __init__(
        self,
        *,
        content: bool | None = None,
        every_gap: bool = False,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        if content is None:
            content = os.environ.get(_ASKED_IN_ENVIRONMENT, "").strip().lower() == "true"
        wants = {"content": content, "arrivals": every_gap}
        self.wants: frozenset[str] = frozenset(name for name, is_so in wants.items() if is_so)
        self._has_providers = tracer_provider is not None or meter_provider is not None
        self._tracer = trace.get_tracer("openrouter_async", __version__, tracer_provider)
        self._meters = _Meters(
            metrics.get_meter("openrouter_async", __version__, meter_provider=meter_provider)
        )
        self._running: dict[int, _Running] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, RequestStarted):
            self._start(event)
            return
        if isinstance(event, _TOLD_LATER):
            return
        running = self._running.get(event.call)
        if running is None:  # no request that generates something
            return
        if isinstance(event, DataArrived):
            running.arrived(event.seconds)
        elif isinstance(event, RequestRetried):
            running.retried(event)
        elif isinstance(event, RequestHeld):
            running.span.add_event("openrouter.held", {"openrouter.held.seconds": event.seconds})
        elif isinstance(event, RequestEnded):
            del self._running[event.call]
            running.end(event)

    def _start(self, event: RequestStarted) -> None:
        operation = _OPERATIONS.get(event.path) if event.method == "POST" else None
        if operation is None:
            return
        known: _Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": _PROVIDER,
            "server.address": event.host,
            "server.port": event.port,
        }
        if event.model is not None:
            known["gen_ai.request.model"] = event.model
        span = self._tracer.start_span(
            f"{operation} {event.model}" if event.model else operation,
            kind=SpanKind.CLIENT,
            attributes=known | _asked(event),
        )
        if event.body is not None and span.is_recording():
            sent = sent_in(event.body)
            _set_json(span, "gen_ai.system_instructions", sent.instructions)
            _set_json(span, "gen_ai.input.messages", sent.messages)
        self._running[event.call] = _Running(
            span, known, self._meters, every_gap="arrivals" in self.wants
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Spans that are running stay where they are; the other side has its own providers.
        if self._has_providers:
            raise TypeError("a hook with a provider of your own cannot be pickled")
        return _remade, (self.wants,)


def _remade(wants: frozenset[str]) -> OpenTelemetry:
    return OpenTelemetry(content="content" in wants, every_gap="arrivals" in wants)


class _Meters:
    """The instruments, made once."""

    def __init__(self, meter: metrics.Meter) -> None:
        def histogram(name: str, unit: str, about: str, bounds: Sequence[float]) -> Any:
            return meter.create_histogram(
                name, unit, about, explicit_bucket_boundaries_advisory=list(bounds)
            )

        self.duration: metrics.Histogram = histogram(
            "gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS
        )
        self.first_chunk: metrics.Histogram = histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time to the first chunk that says something.",
            _SECONDS,
        )
        self.between_chunks: metrics.Histogram = histogram(
            "gen_ai.client.operation.time_per_output_chunk",
            "s",
            "Time between two chunks.",
            _SECONDS,
        )
        self.tokens: metrics.Histogram = histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            _TOKENS,
        )
        self.cost = meter.create_counter("openrouter.cost", "{USD}", "What was charged.")
        self.retries = meter.create_counter(
            "openrouter.retries", "{attempt}", "Attempts that failed and were followed by another."
        )


class _Running:
    """A request that is under way."""

    __slots__ = ("_context", "_every_gap", "_known", "_meters", "span")

    def __init__(self, span: Span, known: _Attributes, meters: _Meters, *, every_gap: bool) -> None:
        self.span = span
        self._known = known
        self._meters = meters
        self._every_gap = every_gap
        self._context: Context = trace.set_span_in_context(span)

    def arrived(self, seconds: float) -> None:
        self._meters.between_chunks.record(seconds, self._known, self._context)

    def retried(self, event: RequestRetried) -> None:
        kind = type(event.error).__name__
        self._meters.retries.add(1, {**self._known, "error.type": kind}, self._context)
        self.span.add_event(
            "openrouter.retry",
            {
                "openrouter.attempt": event.attempt,
                "error.type": kind,
                "exception.message": str(event.error),
                "openrouter.retry.delay": event.delay,
                "openrouter.retry.is_held_back": event.is_held_back,
            },
        )

    def end(self, event: RequestEnded) -> None:
        if event.model is not None:
            self._known["gen_ai.response.model"] = event.model
        failure: _Attributes = {}
        if event.error is not None:
            failure["error.type"] = type(event.error).__name__
        elif event.is_cancelled:
            failure["error.type"] = "cancelled"
        elif event.ending == "error":
            failure["error.type"] = "_OTHER"
        try:
            self._measure(event, failure)
            if self.span.is_recording():
                self._tell(event, failure)
        finally:
            self.span.end()

    def _tell(self, event: RequestEnded, failure: _Attributes) -> None:
        span = self.span
        span.set_attributes(_answered(event) | failure)
        if event.completion is not None:
            _set_json(span, "gen_ai.output.messages", received_in(event.completion))
        if failure:
            about = str(event.error) if event.error is not None else str(failure["error.type"])
            span.set_status(Status(StatusCode.ERROR, about))

    def _measure(self, event: RequestEnded, failure: _Attributes) -> None:
        known, meters, context = self._known, self._meters, self._context
        ended = {**known, **failure, "openrouter.ending": _ending(event)}
        meters.duration.record(event.seconds, ended, context)
        first, last = event.timing.first_delta, event.timing.end
        if first is not None:  # of a stream, then
            meters.first_chunk.record(first, known, context)
            if last is not None and event.deltas > 1 and not self._every_gap:
                gap = (last - first) / (event.deltas - 1)
                meters.between_chunks.record(gap, known, context)
        usage = event.usage
        if usage is not None:
            typed = {**known, "gen_ai.token.type": "input"}
            meters.tokens.record(usage.prompt_tokens, typed, context)
            typed = {**known, "gen_ai.token.type": "output"}
            meters.tokens.record(usage.completion_tokens, typed, context)
        if event.cost:
            provided = {"openrouter.provider": event.provider} if event.provider else {}
            meters.cost.add(event.cost, {**known, **provided}, context)


def _asked(event: RequestStarted) -> _Attributes:
    """Give the attributes that a request has besides those of every measurement."""
    found: _Attributes = {}
    if event.is_stream:
        found["gen_ai.request.stream"] = True
    for name, value in event.settings.items():
        attribute = _SETTINGS.get(name)
        if attribute is not None and isinstance(value, _PLAIN):
            found[attribute] = value
        elif name == "n" and isinstance(value, int) and value != 1:
            found["gen_ai.request.choice.count"] = value
    output = _output_of(event.settings) or _OUTPUTS.get(event.path)
    if output is not None:
        found["gen_ai.output.type"] = output
    return found


def _output_of(settings: dict[str, Any]) -> str | None:
    """Give the kind of output that settings ask for."""
    modalities = settings.get("modalities")
    if isinstance(modalities, list):
        for modality, output in (("image", "image"), ("audio", "speech")):
            if modality in modalities:
                return output
    return "json" if str(settings.get("response_format")).startswith("json") else None


def _answered(event: RequestEnded) -> _Attributes:
    """Give the attributes that are known of a request when it is over."""
    usage, timing, error = event.usage, event.timing, event.error
    found: dict[str, str | bool | int | float | Sequence[str] | None] = {
        "gen_ai.response.model": event.model,
        "gen_ai.response.id": event.generation_id,
        "gen_ai.response.finish_reasons": list(event.finish_reasons) or None,
        "gen_ai.response.time_to_first_chunk": timing.first_delta,
        "http.response.status_code": event.status,
        "openrouter.ending": _ending(event),
        "openrouter.provider": event.provider,
        "openrouter.attempts": event.attempts,
        "openrouter.longest_gap": timing.longest_gap or None,
        "openrouter.tokens_per_second": timing.tokens_per_second,
    }
    if usage is not None:
        found |= {
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
            "openrouter.cost": usage.cost,
        }
    if error is not None:
        found |= {
            "openrouter.request_id": event.request_id,
            "openrouter.error.type": getattr(error, "error_type", None),
            "openrouter.error.billed": error.billed,
            "openrouter.error.phase": error.phase,
        }
    return {name: value for name, value in found.items() if value is not None}


def _ending(event: RequestEnded) -> str:
    return "cancelled" if event.is_cancelled else event.ending


def _set_json(span: Span, name: str, value: object) -> None:
    if value:
        span.set_attribute(name, msgspec.json.encode(value).decode())
