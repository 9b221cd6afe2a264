"""A hundred text streams on one loop, alone and then beside four images of 8 MiB each.

What decides is the longest turn of the loop, in CPU time of its thread: by so much the chunk of a
text may come late. The longest gap between two chunks is told as well; it is longer by whatever
else the machine does.

Run by tests/test_image_delays.py, each role in a process of its own, as a server that works on
the client's loop or under its interpreter lock would be measured along with the client:

    python image_delays.py text            serves text; prints its base URL
    python image_delays.py images          serves images; prints its base URL
    python image_delays.py client TEXT IMAGES     measures; prints what it found as JSON
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from time import perf_counter, thread_time

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, chat

STREAMS = 100
IMAGES = 4
SIZE = 8 * 2**20
PACE = 0.05  # seconds between two chunks of a text
CHUNKS = 24
ROUNDS = 4
ALLOWED = 0.05  # seconds; a round that holds it is the last


async def serve(role: str) -> None:
    """Answer until standard input is closed."""
    reply = chat(*["word "] * CHUNKS, delay=PACE)
    if role == "images":
        picture = b"\x89PNG\r\n\x1a\n" + random.Random(8).randbytes(SIZE - 8)
        reply = chat("Here it is.", images=[picture])
        _ = reply.body  # built before anybody waits for it
    async with Emulator() as emulator:
        emulator.always(reply)
        print(emulator.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


class Text:
    """One text stream, and the longest that it waited for a chunk."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def read(self, client: OpenRouter) -> None:
        """Read one answer."""
        last = None
        async for chunk in client.stream("Say something", model="m"):
            now = perf_counter()
            if last is not None and chunk.text:
                self.longest = max(self.longest, now - last)
            last = now


async def texts(client: OpenRouter) -> tuple[float, float]:
    """Read a hundred answers at once; give the longest wait for a chunk, and the longest turn."""
    streams = [Text() for _ in range(STREAMS)]
    watch = asyncio.create_task(longest_turn())
    await asyncio.gather(*(stream.read(client) for stream in streams))
    watch.cancel()
    return max(stream.longest for stream in streams), await watch


async def longest_turn() -> float:
    """Give how long the loop's thread worked at most between two looks, in CPU seconds."""
    longest = 0.0
    try:
        while True:
            before = thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, thread_time() - before)
    except asyncio.CancelledError:
        return longest


async def receive(client: OpenRouter) -> int:
    """Receive an image once the texts run; give how large it is."""
    await asyncio.sleep(10 * PACE)
    sizes = [len(image.url) async for image in client.stream_images("Draw", model="m")]
    return sum(sizes)


async def main(text_url: str, image_url: str) -> None:
    """Measure round by round until one holds the bound, and print the best."""
    best: dict[str, float] = {}
    async with (
        OpenRouter("sk-or-v1-test-key", base_url=text_url) as writer,
        OpenRouter("sk-or-v1-test-key", base_url=image_url) as drawer,
    ):
        await texts(writer)  # connections are made, modules imported
        await drawer.warmup(IMAGES)
        for _ in range(ROUNDS):
            idle = await texts(writer)
            images = [asyncio.create_task(receive(drawer)) for _ in range(IMAGES)]
            loaded = await texts(writer)
            sizes = await asyncio.gather(*images)
            gap, delay = loaded[0] - idle[0], loaded[1] - idle[1]
            found = {"delay": delay, "gap": gap, "size": min(sizes)}
            if not best or found["delay"] < best["delay"]:
                best = found
            print(found, file=sys.stderr)
            if best["delay"] <= ALLOWED:
                break
    print(json.dumps(best))


if __name__ == "__main__":
    if sys.argv[1] == "client":
        asyncio.run(main(*sys.argv[2:]))
    else:
        asyncio.run(serve(sys.argv[1]))
