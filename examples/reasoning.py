"""A model that thinks aloud first. Uses OPENROUTER_API_KEY where it is set, else the emulator."""

from __future__ import annotations

import asyncio
import os

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, chat

QUESTION = "A bat and a ball cost 1.10 together, the bat 1.00 more than the ball. The ball?"


async def ask(client: OpenRouter) -> None:
    """Print the reasoning as it comes, then the answer, then what it took."""
    stream = client.stream(
        QUESTION, model="deepseek/deepseek-r1", reasoning={"effort": "low"}, max_tokens=2_000
    )
    async for chunk in stream:
        if chunk.reasoning:
            print(f"\033[2m{chunk.reasoning}\033[0m", end="", flush=True)
        print(chunk.text, end="", flush=True)
    cost = await stream.settle_cost()
    print(f"\n{stream.reasoning_tokens} tokens of reasoning, cost ${cost or 0:.6f}")


async def main() -> None:
    """Ask OpenRouter, or without a key the emulator that comes with the package."""
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await ask(client)
        return
    async with Emulator() as emulator, OpenRouter("none", base_url=emulator.base_url) as client:
        emulator.play(chat("Five", " cents.", reasoning=["If the ball", " is x, the bat is x+1."]))
        await ask(client)


if __name__ == "__main__":
    asyncio.run(main())
