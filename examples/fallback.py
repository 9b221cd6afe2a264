"""An answer in time: another model where one is silent, and a second request beside a slow one.

Without a key it talks to the built-in emulator, whose first model says nothing.

    python examples/fallback.py "Why is the sky blue?"
"""

from __future__ import annotations

import asyncio
import os
import sys

from openrouter_async import ChatStream, OpenRouter, Timeouts
from openrouter_async.testing import Emulator, chat

MODELS = ["deepseek/deepseek-r1", "google/gemini-2.5-flash", "openai/gpt-4o-mini"]


async def show(stream: ChatStream) -> None:
    """Print an answer, and which requests were sent for it."""
    async for text in stream.text():
        print(text, end="", flush=True)
    print()
    for attempt in stream.attempts:
        why = f" ({type(attempt.error).__name__})" if attempt.error is not None else ""
        print(f"  {attempt.model} {attempt.outcome} after {attempt.seconds:.2f} s{why}")


async def ask(client: OpenRouter, prompt: str, patience: float) -> None:
    """Ask twice: one model after the other, then two beside each other."""
    first, *others = MODELS
    in_time = Timeouts(first_event=patience)
    await show(client.stream(prompt, model=first, fallback=others, timeouts=in_time))
    await show(client.stream(prompt, model=first, fallback=others, hedge_after=patience))


async def main(prompt: str) -> None:
    """Run against OpenRouter, or against the emulator where there is no key."""
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await ask(client, prompt, patience=3.0)
        return
    async with (
        Emulator() as emulator,
        OpenRouter("sk-or-v1-emulated", base_url=emulator.base_url) as client,
    ):
        silent, good = chat("never").stall_after(0), chat("The air ", "scatters ", "blue light.")
        emulator.play(silent, good, silent, good)
        await ask(client, prompt, patience=0.1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "Why is the sky blue?"))
