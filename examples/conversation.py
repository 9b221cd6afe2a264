"""A chat of several turns. Uses OPENROUTER_API_KEY where it is set, else the emulator."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from openrouter_async import OpenRouter
from openrouter_async.conversation import Conversation
from openrouter_async.testing import Emulator

SAVED = Path("conversation.json")


async def talk(client: OpenRouter) -> None:
    """Talk, branch off, save, and go on with what was saved."""
    conversation = client.conversation(model="openai/gpt-4o-mini", system="Answer in one sentence.")
    for question in ("Who was Ada Lovelace?", "And her mother?"):
        print(f"> {question}")
        async for chunk in conversation.stream(question):
            print(chunk.text, end="", flush=True)
        print()

    branch = conversation.fork()
    print(f"> In French, please\n{(await branch.complete('In French, please')).text}")

    SAVED.write_bytes(conversation.to_json())
    later = Conversation.from_json(client, SAVED.read_bytes())
    later.trim(max_tokens=4_000)
    print(f"> And her father?\n{(await later.complete('And her father?')).text}")
    print(f"{len(later.messages)} messages, cost ${later.cost + branch.cost:.6f}")


async def main() -> None:
    """Talk to OpenRouter, or without a key to the emulator that comes with the package."""
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await talk(client)
        return
    async with Emulator() as emulator, OpenRouter("none", base_url=emulator.base_url) as client:
        await talk(client)


if __name__ == "__main__":
    asyncio.run(main())
