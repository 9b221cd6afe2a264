"""What hooks and OpenTelemetry cost: CPU of the client process a chunk, in one interleaved run.

    python -m benchmarks.observed [--runs N]

*off* is a client without hooks, *off again* the same once more, which tells how much of a ratio is
noise; *hook* has one hook that does nothing, *arrivals* one that asks for every arrival; *otel* is
OpenTelemetry with an SDK that records spans and metrics and exports to nowhere, and *every gap*
the same with `every_gap=True`. Needs `opentelemetry-sdk`.
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

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from openrouter_async import OpenRouter
from openrouter_async.hooks import Event, Hook
from openrouter_async.integrations.otel import OpenTelemetry

from ._server import CHUNKS, serving

KEY = "sk-or-v1-benchmark"
SCENES = ("packed", "burst", "trickle", "short")
SHORT_STREAMS = 100


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
    }


async def read(url: str, scene: str, with_hooks: list[Hook]) -> int:
    """Read one stream, or a hundred at once where they are short."""
    count = 0

    async def one(client: OpenRouter) -> None:
        nonlocal count
        async for chunk in client.stream("x", model="m"):
            count += bool(chunk.text)

    async with OpenRouter(KEY, base_url=f"{url}/{scene}", hooks=with_hooks) as client:
        if scene == "short":
            await asyncio.gather(*(one(client) for _ in range(SHORT_STREAMS)))
        else:
            await one(client)
    return count


def measure(url: str, scene: str, with_hooks: list[Hook]) -> float:
    """Give the CPU of this process a chunk, in microseconds."""
    expected = CHUNKS[scene] * (SHORT_STREAMS if scene == "short" else 1)
    gc.collect()
    started = time.process_time()
    count = asyncio.run(read(url, scene, with_hooks))
    used = time.process_time() - started
    assert count == expected, f"{scene}: {count} chunks instead of {expected}"
    return used / expected * 1e6


def main(runs: int) -> None:
    """Run all scenes `runs` times, in turn, and print medians and ratios."""
    figures: dict[tuple[str, str], list[float]] = {}
    variants = hooks()
    with serving() as url:
        for number in range(runs + 1):
            for scene in SCENES:
                for name, with_hooks in variants.items():
                    figure = measure(url, scene, with_hooks)
                    if number:  # the first round warms up
                        figures.setdefault((scene, name), []).append(figure)
    names = ("openrouter-async", "opentelemetry-sdk")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}, {runs} runs, medians\n")
    print(f"{'scene':<9}{'':<11}{'us/chunk':>10}{'spread':>16}{'x off':>8}")
    for (scene, name), values in figures.items():
        # Each figure beside the one of the same round: a machine that is busy is so for both.
        ratios = [value / off for value, off in zip(values, figures[scene, "off"], strict=True)]
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(
            f"{scene:<9}{name:<11}{statistics.median(values):>10.2f}{spread:>16}"
            f"{statistics.median(ratios):>8.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="counted rounds (default 9)")
    main(parser.parse_args().runs)
