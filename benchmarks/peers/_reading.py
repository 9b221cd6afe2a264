"""What every peer's script shares: read a scene once to warm up, once counted, print the figures.

A script of this folder runs in the peer's own environment, where neither this client nor the
harness is installed: it imports the peer, this file, and the standard library.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

SHORT_STREAMS = 100


def peak():
    """The most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # `ru_maxrss` there includes what the process before `exec` had
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(client_for, one, close=None):
    """Measure `one(client)`, which reads a stream and gives its chunks with content."""
    url, scene = sys.argv[1:3]

    async def many(scene):
        client = client_for(f"{url}/{scene}")
        if scene == "short":
            counts = await asyncio.gather(*(one(client) for _ in range(SHORT_STREAMS)))
        else:
            counts = [await one(client)]
        if close is not None:
            await close(client)
        return sum(counts)

    async def warm():
        client = client_for(f"{url}/short")
        await one(client)
        if close is not None:
            await close(client)

    asyncio.run(warm())
    before = peak()
    began, cpu = time.perf_counter(), time.process_time()
    count = asyncio.run(many(scene))
    figures = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - began,
        "chunks": count,
        "peak": peak(),
        "grown": peak() - before,
    }
    print(json.dumps(figures))
