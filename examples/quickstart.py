"""A chat, streamed to the terminal. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio

from openrouter_async import OpenRouter


async def main() -> None:
    """Print an answer as it comes."""
    async with OpenRouter() as client:
        async for chunk in client.stream("Write a haiku about rain", model="openai/gpt-4o-mini"):
            print(chunk.text, end="", flush=True)
    print()


if __name__ == "__main__":
    asyncio.run(main())
