"""One answer for several readers: one follows it live, one lags, one lost its connection.

Without a key it talks to the built-in emulator, which answers from the prompt and costs nothing.
With OPENROUTER_API_KEY set it talks to OpenRouter. Either way one request is sent.
"""

from __future__ import annotations

import asyncio
import os

from openrouter_async import OpenRouter, SharedStream
from openrouter_async.testing import Emulator


async def follow(shared: SharedStream, name: str, pause: float) -> None:
    """Read the whole answer at a pace of its own."""
    text = ""
    async for chunk in shared:
        text += chunk.text
        await asyncio.sleep(pause)
    print(f"{name}: {len(text)} characters")


async def reconnect(shared: SharedStream) -> None:
    """Lose the connection after three chunks, and go on where it was."""
    reader = shared.reader()
    text = "".join([(await anext(reader)).text for _ in range(3)])
    seen = reader.index  # what a browser sends back as Last-Event-ID
    reader.close()
    await asyncio.sleep(0.02)
    async for chunk in shared.reader(start=seen):
        text += chunk.text
    print(f"came back at chunk {seen}: {len(text)} characters")


async def tell(client: OpenRouter) -> None:
    """Share one stream; without a reader it stays open for ten seconds."""
    stream = client.stream("Tell me a story about rain", model="openai/gpt-4o-mini")
    async with stream.share(when_last_leaves=10.0) as shared:
        await asyncio.gather(
            follow(shared, "live", 0.0), follow(shared, "slow", 0.002), reconnect(shared)
        )
        print(f"{shared.received} chunks, ending {stream.ending}, cost ${stream.cost or 0:.6f}")


async def main() -> None:
    """Run against OpenRouter, or against the emulator where there is no key."""
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await tell(client)
        return
    async with (
        Emulator(pace=0.005) as emulator,
        OpenRouter("sk-emulated", base_url=emulator.base_url) as client,
    ):
        await tell(client)


if __name__ == "__main__":
    asyncio.run(main())
