"""Streams one image in a process of its own and prints what it took, as JSON.

Run by tests/test_large_events.py with the base URL as its only argument.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import tracemalloc

from openrouter_async import ChatStream, OpenRouter


async def main(base_url: str) -> None:
    """Stream, measure and print."""
    async with OpenRouter("sk-or-v1-test-key", base_url=base_url) as client:
        await client.warmup()  # what is imported with the first request is not measured
        tracemalloc.start()
        stream: ChatStream = client.stream("Draw", model="m")
        async for image in stream.images():
            streamed = tracemalloc.get_traced_memory()[1]
            event = len(image.url)
            digest = hashlib.sha256(image.bytes).hexdigest()
            peak = tracemalloc.get_traced_memory()[1]
            print(
                json.dumps(
                    {"sha256": digest, "event": event, "streamed": streamed, "decoded": peak}
                )
            )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
