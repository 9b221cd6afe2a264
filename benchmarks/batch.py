"""Many requests through `client.map`, beside a bare aiohttp loop; and a job under SIGKILL.

    python -m benchmarks.batch [--items N] [--concurrency N] [--rounds N] [--delay SECONDS]
    python -m benchmarks.batch --emulator [--prepared] [--items N] [--concurrency N] [--rounds N]
    python -m benchmarks.batch --kill [KILLS]

*The floor* is the loop that a good engineer writes by hand: a semaphore, a bounded number of
tasks, bare aiohttp, the same bodies, and each answer decoded into text; no errors, no retries, no
deadlines, no limits. `--emulator` asks the emulator, which answers with its own model, or with one
prepared answer (`--prepared`); else the server sends prepared bytes. Memory is that of the
client's process, which the server is not a part of.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import msgspec

from openrouter_async import Limits, OpenRouter
from openrouter_async.testing import Emulator, Pause, chat
from openrouter_async.types import ChatChunk

from ._answers import Kind, serving

KEY = "sk-or-v1-benchmark"
MODEL = "openai/gpt-4o-mini"
"""One that the emulator knows."""
EARLY = 10_000
ROOT = Path(__file__).resolve().parent.parent


class Meter:
    """Counts answers, and notes the memory after the first ten thousand and at the end."""

    def __init__(self) -> None:
        self.count = 0
        self.early = 0.0

    def add(self, text: str) -> None:
        """Count one answer."""
        assert text
        self.count += 1
        if self.count == EARLY:
            self.early = resident()


def resident() -> float:
    """The memory of this process, in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell what memory a process has")


def prompts(items: int) -> Iterator[str]:
    """Make the prompts, one by one."""
    return (f"Say something about the number {number}." for number in range(items))


async def floor(url: str, items: int, concurrency: int, meter: Meter) -> None:
    """Send by hand."""
    decode = msgspec.json.Decoder(ChatChunk).decode
    semaphore = asyncio.Semaphore(concurrency)
    headers = {"Authorization": f"Bearer {KEY}"}

    async def one(session: aiohttp.ClientSession, prompt: str) -> None:
        try:
            messages = [{"role": "user", "content": prompt}]
            body = {"model": MODEL, "messages": messages, "stream": True}
            text: list[str] = []
            async with session.post(f"{url}/chat/completions", json=body) as response:
                rest = b""
                async for data in response.content.iter_any():
                    *events, rest = (rest + data).split(b"\n\n")
                    text += [
                        decode(e[6:]).text
                        for e in events
                        if e.startswith(b"data: {")  # comments keep a connection alive
                    ]
            meter.add("".join(text))
        finally:
            semaphore.release()

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        asyncio.TaskGroup() as group,
    ):
        for prompt in prompts(items):
            await semaphore.acquire()
            group.create_task(one(session, prompt))


async def mapped(url: str, items: int, concurrency: int, meter: Meter) -> None:
    """`client.map`, with everything on."""
    limits = Limits(max_connections=concurrency)
    async with OpenRouter(KEY, base_url=url, limits=limits) as client:
        async for result in client.map(prompts(items), concurrency=concurrency, model=MODEL):
            meter.add(result.unwrap().text)


RUNS: dict[str, Callable[[str, int, int, Meter], Awaitable[None]]] = {
    "floor": floor,
    "map": mapped,
}


def measure(items: int, concurrency: int, delay: float, rounds: int, kind: Kind) -> None:
    """Run both in processes of their own, in turn, and print rates and memory."""
    shares: list[float] = []
    with serving(delay, kind) as url:
        for number in range(rounds):
            rates: dict[str, float] = {}
            for name in list(RUNS)[:: -1 if number % 2 else 1]:  # who is first changes
                rates[name] = _rate(name, url, items, concurrency)
            shares.append(rates["map"] / rates["floor"])
            print(f"{shares[-1]:.0%} of the floor's rate")
    if rounds > 1:
        print(f"the median of {rounds} rounds is {statistics.median(shares):.0%}")


def _rate(name: str, url: str, items: int, concurrency: int) -> float:
    """Run one of them, print its figures and give its answers a second."""
    command = [sys.executable, "-m", "benchmarks.batch", "--run", name, "--url", url]
    command += ["--items", str(items), "--concurrency", str(concurrency)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    rate: float = items / figures["seconds"]
    print(
        f"{name:<6}{rate:>9,.0f} a second"
        f"{figures['cpu'] / items * 1e6:>9.0f} us CPU each"
        f"{figures['early']:>8.1f} MB after {EARLY:,}"
        f"{figures['late']:>8.1f} MB after {items:,}",
        flush=True,
    )
    return rate


def run_one(name: str, url: str, items: int, concurrency: int) -> None:
    """Run one of them here and print the figures as JSON."""
    meter = Meter()
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(_whole(RUNS[name](url, items, concurrency, meter)))
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "early": meter.early,
        "late": resident(),
    }
    assert meter.count == items
    print(json.dumps(figures))


async def _whole(run: Awaitable[None]) -> None:
    await run


def kill(kills: int, items: int = 3_000) -> None:
    """Kill a job at random moments, let it end, and look at what was paid for."""
    from tests.batch_victim import CONCURRENCY

    with tempfile.TemporaryDirectory() as name, Emulator.in_thread() as emulator:
        source, output = Path(name, "in.jsonl"), Path(name, "out.jsonl")
        lines = [json.dumps({"id": f"n{n}", "prompt": f"prompt {n}"}) for n in range(items)]
        source.write_text("\n".join(lines))
        emulator.always(chat("an", "swer").after(1, Pause(0.01)))
        command = [sys.executable, "-m", "tests.batch_victim", emulator.base_url]
        command += [str(source), str(output)]
        for number in range(kills):
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as victim:
                assert victim.stdout is not None
                victim.stdout.readline()
                time.sleep(random.uniform(0.02, 0.5))
                victim.kill()
            rows = output.read_bytes().count(b"\n") if output.exists() else 0
            print(f"kill {number + 1}: {rows:,} rows")
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        data = output.read_bytes()
        ids = Counter(json.loads(line)["id"] for line in data.splitlines())
        sent = Counter(request.json["messages"][0]["content"] for request in emulator.requests)
    again = sum(sent.values()) - items
    assert data.endswith(b"\n")
    assert set(ids.values()) == {1}
    assert len(ids) == len(sent) == items
    assert again <= kills * CONCURRENCY
    print(
        f"{items:,} items, {kills} kills: every id once, {again} requests sent again "
        f"(at most {kills * CONCURRENCY} were in flight)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=500)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds an answer takes")
    parser.add_argument("--emulator", action="store_true", help="ask the emulator")
    parser.add_argument(
        "--prepared", action="store_true", help="the emulator with one prepared answer"
    )
    parser.add_argument("--rounds", type=int, default=1, help="how often both are run, in turn")
    parser.add_argument("--kill", type=int, nargs="?", const=20)
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run_one(given.run, given.url, given.items, given.concurrency)
    elif given.kill:
        kill(given.kill)
    else:
        asked: Kind = "prepared" if given.prepared else "emulator" if given.emulator else "raw"
        measure(given.items, given.concurrency, given.delay, given.rounds, asked)
