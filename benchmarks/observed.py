"""What hooks and OpenTelemetry cost: CPU of the client process a chunk, in one interleaved run.

    python -m benchmarks.observed [--runs N] [--scene SCENE]

*off* is a client without hooks, *off again* the same once more, which tells how much of a ratio is
noise; *hook* has one hook that does nothing, *arrivals* one that asks for every arrival; *otel* is
OpenTelemetry with an SDK that records spans and metrics and exports to nowhere, *every gap* the
same with `every_gap=True`, *spans* the same without metrics; *sdk* is a hook that calls the SDK as
often and with as much as *otel* does, and has no other work: nothing can cost less that records
the same. *short/100* has a hundred chunks in each of its streams, which come at once as those of
*short* do; *trickle/20* is a hundred streams of twenty, which come one by one, and *trickle/50* and
*trickle/100* are longer ones. Needs `opentelemetry-sdk`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import statistics
import time
from collections.abc import Sequence
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, set_span_in_context

from openrouter_async import OpenRouter
from openrouter_async.hooks import Event, Hook, RequestEnded, RequestStarted
from openrouter_async.integrations.otel import OpenTelemetry

from ._server import CHUNKS, serving

KEY = "sk-or-v1-benchmark"
SCENES = (
    "packed",
    "burst",
    "trickle",
    "short",
    "short/100",
    "trickle/20",
    "trickle/50",
    "trickle/100",
)
SHORT_STREAMS = 100

# What one request tells the SDK.
NAME = "chat m"
ASKED: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openrouter",
    "server.address": "127.0.0.1",
    "server.port": 8080,
    "gen_ai.request.model": "m",
}
START = ASKED | {"gen_ai.request.stream": True}
KNOWN = ASKED | {"gen_ai.response.model": "x-ai/grok-4"}
ENDED = KNOWN | {"openrouter.ending": "complete"}
INPUT = KNOWN | {"gen_ai.token.type": "input"}
OUTPUT = KNOWN | {"gen_ai.token.type": "output"}
PAID = KNOWN | {"openrouter.provider": "xAI"}
ANSWERED: dict[str, str | int | float | list[str]] = {
    "gen_ai.response.model": "x-ai/grok-4",
    "gen_ai.response.id": "gen-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.time_to_first_chunk": 0.5,
    "http.response.status_code": 200,
    "openrouter.ending": "complete",
    "openrouter.provider": "xAI",
    "openrouter.attempts": 1,
    "openrouter.longest_gap": 0.5,
}
USED: dict[str, int | float] = {
    "gen_ai.usage.input_tokens": 20,
    "gen_ai.usage.output_tokens": 20,
    "openrouter.cost": 0.5,
    "openrouter.tokens_per_second": 0.5,
}


class Nowhere(SpanExporter):
    """Counts spans and drops them."""

    def __init__(self) -> None:
        self.spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Drop them."""
        self.spans += len(spans)
        return SpanExportResult.SUCCESS


class Asking:
    """A hook that does nothing with every arrival."""

    wants = frozenset({"arrivals"})

    def __call__(self, event: Event) -> None:
        """Do nothing."""


class Bare:
    """A hook that records the same as OpenTelemetry, of values that are at hand."""

    def __init__(self, tracers: TracerProvider, meters: MeterProvider) -> None:
        meter = meters.get_meter("bare")
        self._tracer = tracers.get_tracer("bare")
        self._seconds = [meter.create_histogram(f"seconds.{number}") for number in range(3)]
        self._tokens = meter.create_histogram("tokens")
        self._cost = meter.create_counter("cost")
        self._spans: dict[int, tuple[Span, Context]] = {}

    def __call__(self, event: Event) -> None:
        """Begin a span, or end it with its measurements."""
        if isinstance(event, RequestStarted):
            span = self._tracer.start_span(NAME, kind=SpanKind.CLIENT, attributes=START)
            self._spans[event.call] = span, set_span_in_context(span)
        elif isinstance(event, RequestEnded):
            span, context = self._spans.pop(event.call)
            self._seconds[0].record(0.5, ENDED, context)
            self._seconds[1].record(0.5, KNOWN, context)
            self._seconds[2].record(0.5, KNOWN, context)
            if event.usage is not None:
                self._tokens.record(20, INPUT, context)
                self._tokens.record(20, OUTPUT, context)
                self._cost.add(0.5, PAID, context)
            span.set_attributes(ANSWERED)
            if event.usage is not None:
                span.set_attributes(USED)
            span.end()


def nothing(event: Event) -> None:
    """Do nothing."""


def hooks() -> dict[str, list[Hook]]:
    """Give the variants: a name, and the hooks of its client."""
    exporter = Nowhere()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    meter_provider = MeterProvider(metric_readers=[InMemoryMetricReader()])

    def otel(*, every_gap: bool) -> OpenTelemetry:
        return OpenTelemetry(
            every_gap=every_gap,
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
        )

    return {
        "off": [],
        "off again": [],
        "hook": [nothing],
        "arrivals": [Asking()],
        "otel": [otel(every_gap=False)],
        "every gap": [otel(every_gap=True)],
        "spans": [
            OpenTelemetry(tracer_provider=tracer_provider, meter_provider=NoOpMeterProvider())
        ],
        "sdk": [Bare(tracer_provider, meter_provider)],
    }


async def read(url: str, scene: str, with_hooks: list[Hook]) -> int:
    """Read one stream, or a hundred at once where they are short."""
    count = 0

    async def one(client: OpenRouter) -> None:
        nonlocal count
        async for chunk in client.stream("x", model="m"):
            count += bool(chunk.text)

    async with OpenRouter(KEY, base_url=f"{url}/{scene}", hooks=with_hooks) as client:
        if is_short(scene):
            await asyncio.gather(*(one(client) for _ in range(SHORT_STREAMS)))
        else:
            await one(client)
    return count


def is_short(scene: str) -> bool:
    """Whether its streams are so short that a hundred are read at once."""
    return scene.startswith("short") or "/" in scene


def measure(url: str, scene: str, with_hooks: list[Hook]) -> float:
    """Give the CPU of this process a chunk, in microseconds."""
    name, _, chunks = scene.partition("/")
    expected = int(chunks or CHUNKS[name]) * (SHORT_STREAMS if is_short(scene) else 1)
    gc.collect()
    started = time.process_time()
    count = asyncio.run(read(url, scene, with_hooks))
    used = time.process_time() - started
    assert count == expected, f"{scene}: {count} chunks instead of {expected}"
    return used / expected * 1e6


def main(runs: int, scenes: Sequence[str]) -> None:
    """Run scenes `runs` times, in turn, and print medians and ratios."""
    figures: dict[tuple[str, str], list[float]] = {}
    variants = hooks()
    with serving() as url:
        for number in range(runs + 1):
            for scene in scenes:
                for name, with_hooks in variants.items():
                    figure = measure(url, scene, with_hooks)
                    if number:  # the first round warms up
                        figures.setdefault((scene, name), []).append(figure)
    names = ("openrouter-async", "opentelemetry-sdk")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}, {runs} runs, medians\n")
    print(f"{'scene':<12}{'':<11}{'us/chunk':>10}{'spread':>16}{'x off':>8}")
    for (scene, name), values in figures.items():
        # Each figure beside the one of the same round: a machine that is busy is so for both.
        ratios = [value / off for value, off in zip(values, figures[scene, "off"], strict=True)]
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(
            f"{scene:<12}{name:<11}{statistics.median(values):>10.2f}{spread:>16}"
            f"{statistics.median(ratios):>8.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="counted rounds (default 9)")
    parser.add_argument("--scene", choices=SCENES, action="append", help="only these (default all)")
    arguments = parser.parse_args()
    main(arguments.runs, arguments.scene or SCENES)
