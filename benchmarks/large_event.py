"""How the CPU time of one large image event grows with its size.

Run with `python benchmarks/large_event.py`. Twice the image may take about twice the time: where
the work is linear, the ratio of 32 MiB to 16 MiB stays below 2.3, whatever the pieces.

With glibc's default settings the ratio says more of the allocator: it hands smaller blocks out
again and takes larger ones fresh from the kernel, page by page, so that the pages a byte costs
differ from size to size, for the barest loop over aiohttp as for this client. So the script starts
itself anew with a fixed threshold, which takes the pages of both sizes fresh.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import sys
import time
from multiprocessing.connection import Connection

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, chat

MEBIBYTE = 2**20
SIZES = (16 * MEBIBYTE, 32 * MEBIBYTE)
SPLITS = (2**10, 2**14, 2**20)
ROUNDS = 7
BOUND = 2.3
THRESHOLD = "MALLOC_MMAP_THRESHOLD_"


def serve(orders: Connection) -> None:
    """Serve one image after the other, in a process whose CPU time is not counted."""
    with Emulator.in_thread() as emulator:
        orders.send(emulator.base_url)
        while order := orders.recv():
            size, split = order
            image = random.Random(size).randbytes(size)
            emulator.always(chat("Here it is.", images=[image]).split(split))
            orders.send("ready")


async def seconds(base_url: str) -> float:
    """Give the CPU seconds of one image, the best of a few rounds."""
    async with OpenRouter("sk-or-v1-benchmark", base_url=base_url) as client:
        best = float("inf")
        for _ in range(ROUNDS):
            started = time.process_time()
            async for _ in client.stream("Draw", model="m"):
                pass
            best = min(best, time.process_time() - started)
        return best


def main() -> None:
    """Measure and print."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    base_url = ours.recv()
    print(f"{'pieces':>11}{'16 MiB':>11}{'32 MiB':>11}{'ratio':>7}")
    for split in SPLITS:
        taken: list[float] = []
        for size in SIZES:
            ours.send((size, split))
            ours.recv()
            taken.append(asyncio.run(seconds(base_url)))
        ratio = taken[1] / taken[0]
        note = "" if ratio <= BOUND else f"  more than {BOUND}: not linear"
        milliseconds = "".join(f"{value * 1e3:>8.0f} ms" for value in taken)
        print(f"{split:>9,} B{milliseconds}{ratio:>7.2f}{note}")
    ours.send(None)
    server.join()


if __name__ == "__main__":
    if THRESHOLD not in os.environ:
        os.environ[THRESHOLD] = str(MEBIBYTE)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main()
