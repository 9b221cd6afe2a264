"""One loop over one scene in a process of its own: what `peers/` does, for this client.

    python -m benchmarks._own URL SCENE LOOP

Prints the figures as JSON, as a peer's script does.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from ._loops import LOOPS, client_for

BLOCK = 1_000
"""Chunks of a long stream that are timed together."""


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` there includes what the process before `exec` had
        return int(status.read_text("utf-8").partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(url: str, scene: str, name: str) -> dict[str, float]:
    """Read once to warm up, and once counted."""
    asyncio.run(LOOPS[name](url, "short"))
    before = peak()
    began, cpu = time.perf_counter(), time.process_time()
    count = asyncio.run(LOOPS[name](url, scene))
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - began,
        "chunks": count,
        "peak": peak(),
        "grown": peak() - before,
    }


async def long(url: str, *, accumulate: bool) -> dict[str, float]:
    """Read one long stream; tell what its chunks cost at the beginning and at the end."""
    blocks: list[float] = []
    count = 0
    async with client_for(url, "long") as client:
        before = peak()
        stream = client.stream("x", model="m", accumulate=accumulate)
        began = time.process_time()
        async for chunk in stream:
            count += bool(chunk.text)
            if count % BLOCK == 0 and chunk.text:
                now = time.process_time()
                blocks.append(now - began)
                began = now
    tenth = len(blocks) // 10
    return {
        "chunks": count,
        "cpu": sum(blocks),
        "first": sum(blocks[:tenth]) / tenth / BLOCK,
        "last": sum(blocks[-tenth:]) / tenth / BLOCK,
        "peak": peak(),
        "grown": peak() - before,
    }


if __name__ == "__main__":
    _, given_url, given_scene, given_name = sys.argv
    if given_scene == "long":
        asyncio.run(LOOPS["typed"](given_url, "burst"))
        kept = given_name == "accumulated"
        print(json.dumps(asyncio.run(long(given_url, accumulate=kept))))
    else:
        print(json.dumps(run(given_url, given_scene, given_name)))
