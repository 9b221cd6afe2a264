"""What one process carries: many streams at once, each slow, and what they take.

    python -m benchmarks.capacity [--streams N ...] [--pace SECONDS] [--seconds SECONDS]

A server in a process of its own sends every stream one chunk each `pace` seconds, as models do
that write some tens of tokens a second. Told is what the client's process takes for each stream
(memory, sockets), how many chunks it takes in, its share of a core, and how late a chunk is seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

from openrouter_async import Limits, OpenRouter

from ._server import event, serving
from .batch import KEY, ROOT, resident

STREAMS = (100, 1_000, 2_000, 5_000)
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"X-Generation-Id: gen-1\r\n\r\n"
)
_END = event("", "stop") + b"data: [DONE]\n\n"
PACE = "OPENROUTER_ASYNC_BENCHMARK_PACE"


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Dripping(asyncio.Protocol):
    """Sends the time, at each beat, to every stream that is open."""

    listening: ClassVar[set[Dripping]] = set()
    beat: ClassVar[asyncio.Task[None] | None] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nobody listening."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if Dripping.beat is None:
            Dripping.beat = asyncio.get_running_loop().create_task(self._beat())

    def data_received(self, data: bytes) -> None:
        """Answer whatever is asked; a request for the end ends all."""
        if data.startswith(b"GET /end"):
            for stream in Dripping.listening:
                stream._transport.write(_framed(_END) + b"0\r\n\r\n")
            Dripping.listening.clear()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        elif data.startswith(b"POST"):
            self._transport.write(_HEAD)
            Dripping.listening.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        Dripping.listening.discard(self)

    @staticmethod
    async def _beat() -> None:
        pace = float(os.environ[PACE])
        while True:
            await asyncio.sleep(pace)
            data = _framed(event(f" {time.time():.4f}"))
            for stream in list(Dripping.listening):
                stream._transport.write(data)


async def _client(url: str, streams: int, seconds: float) -> dict[str, float]:
    """Hold so many streams for a while, and measure in the middle of it."""
    before = resident()
    chunks = 0
    late: list[float] = []
    limits = Limits(max_connections=streams + 1)
    async with OpenRouter(KEY, base_url=url, limits=limits) as client:

        async def listen() -> None:
            nonlocal chunks
            async for chunk in client.stream("Hi", model="m"):
                if chunk.text:
                    chunks += 1
                    if chunks % 50 == 0:
                        late.append(time.time() - float(chunk.text))

        async with asyncio.TaskGroup() as group:
            for number in range(streams):
                group.create_task(listen())
                if number % 100 == 99:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(1 + streams / 2_000)
            late.clear()
            counted, cpu, began = chunks, time.process_time(), time.perf_counter()
            await asyncio.sleep(seconds)
            lasted = time.perf_counter() - began
            figures = {
                "chunks": (chunks - counted) / lasted,
                "cpu": (time.process_time() - cpu) / lasted,
                "memory": resident() - before,
                "files": len(list(Path("/proc/self/fd").iterdir())),
                "late": statistics.quantiles(late, n=100)[98],
                "middle": statistics.median(late),
            }
            await client.request("GET", "/end")
    return figures


def measure(counts: list[int], pace: float, seconds: float) -> None:
    """Measure each number of streams in a process of its own."""
    os.environ[PACE] = str(pace)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"open files: {soft:,} allowed, {hard:,} at most; a chunk each {pace:g} s")
    for streams in counts:
        with serving(Dripping) as url:
            command = [sys.executable, "-m", "benchmarks.capacity", "--run", url]
            command += ["--streams", str(streams), "--seconds", str(seconds)]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        figures = json.loads(done.stdout)
        print(
            f"{streams:>6,} streams{figures['chunks']:>9,.0f} chunks a second"
            f"{figures['cpu']:>6.0%} of a core{figures['memory'] * 1024 / streams:>7.1f} kB each"
            f"{figures['files']:>7,.0f} files"
            f"{figures['middle'] * 1000:>7.0f} ms late, 1 % more than "
            f"{figures['late'] * 1000:.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=list(STREAMS))
    parser.add_argument("--pace", type=float, default=0.1, help="seconds between two chunks")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long is measured")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(asyncio.run(_client(given.run, given.streams[0], given.seconds))))
    else:
        assert Path("/proc/self/fd").is_dir(), "this needs Linux"
        measure(given.streams, given.pace, given.seconds)
