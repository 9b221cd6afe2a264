"""CPU of the client process a chunk, beside the floor, in one interleaved run.

    python -m benchmarks [--runs N]

*The floor* is the loop that a good engineer writes by hand: bare aiohttp, split at blank lines,
a msgspec decode into the same structs, and nothing else: no endings, no errors, no deadlines, no
accumulation. Machines are shared and noisy, so only the ratios say something.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine
from importlib.metadata import version

import aiohttp
import msgspec

from openrouter_async import OpenRouter
from openrouter_async.types import ChatChunk

from ._server import CHUNKS, SCENES, serving

KEY = "sk-or-v1-benchmark"
SHORT_STREAMS = 100

Run = Callable[[str, str], Coroutine[None, None, int]]


async def floor(url: str, scene: str) -> int:
    """Read one or many streams by hand."""
    decode = msgspec.json.Decoder(ChatChunk).decode
    count = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal count
        request = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
        async with session.post(f"{url}/{scene}", json=request) as response:
            rest = b""
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    payload = event[6:]
                    if payload == b"[DONE]":
                        break
                    chunk = decode(payload)
                    count += bool(chunk.choices[0].delta.content)

    async with aiohttp.ClientSession() as session:
        await many(scene, lambda: one(session))
    return count


async def typed(url: str, scene: str) -> int:
    """`async for chunk in client.stream(...)`, with everything on."""
    count = 0

    async def one(client: OpenRouter) -> None:
        nonlocal count
        async for chunk in client.stream("x", model="m"):
            count += bool(chunk.text)

    async with client_for(url, scene) as client:
        await many(scene, lambda: one(client))
    return count


async def text(url: str, scene: str) -> int:
    """`client.stream(...).text()`."""
    count = 0

    async def one(client: OpenRouter) -> None:
        nonlocal count
        async for piece in client.stream("x", model="m").text():
            count += bool(piece)

    async with client_for(url, scene) as client:
        await many(scene, lambda: one(client))
    return count


async def raw(url: str, scene: str) -> int:
    """`client.stream(...).raw()`."""
    size = 0

    async def one(client: OpenRouter) -> None:
        nonlocal size
        async for data in client.stream("x", model="m").raw():
            size += len(data)

    async with client_for(url, scene) as client:
        await many(scene, lambda: one(client))
    assert size
    return CHUNKS[scene] * (SHORT_STREAMS if scene == "short" else 1)


def client_for(url: str, scene: str) -> OpenRouter:
    """A client whose chat requests go to the scene's path."""
    return OpenRouter(KEY, base_url=f"{url}/{scene}")


async def many(scene: str, one: Callable[[], Awaitable[None]]) -> None:
    """Run one stream, or a hundred at once where they are short."""
    if scene == "short":
        await asyncio.gather(*(one() for _ in range(SHORT_STREAMS)))
    else:
        await one()


RUNS: dict[str, Run] = {"floor": floor, "typed": typed, "text": text, "raw": raw}


def measure(url: str, scene: str, run: Run) -> float:
    """Give the CPU of this process a chunk, in microseconds."""
    expected = CHUNKS[scene] * (SHORT_STREAMS if scene == "short" else 1)
    started = time.process_time()
    count = asyncio.run(run(url, scene))
    used = time.process_time() - started
    assert count == expected, f"{scene}: {count} chunks instead of {expected}"
    return used / expected * 1e6


def main(runs: int) -> None:
    """Run all scenes `runs` times, in turn, and print medians and ratios."""
    figures: dict[tuple[str, str], list[float]] = {}
    with serving() as url:
        for number in range(runs + 1):
            for scene in SCENES:
                for name, run in RUNS.items():
                    figure = measure(url, scene, run)
                    if number:  # the first round warms up
                        figures.setdefault((scene, name), []).append(figure)
    names = ("aiohttp", "msgspec", "openrouter-async")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}, {runs} runs, medians\n")
    print(f"{'scene':<9}{'':<7}{'us/chunk':>10}{'spread':>16}{'x floor':>10}")
    for (scene, name), values in figures.items():
        median = statistics.median(values)
        ratio = median / statistics.median(figures[scene, "floor"])
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"{scene:<9}{name:<7}{median:>10.2f}{spread:>16}{ratio:>10.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default 5)")
    main(parser.parse_args().runs)
