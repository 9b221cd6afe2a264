"""The main job in one go: a chat and an image, streamed, with what they took and cost.

Without a key it talks to the built-in emulator, which answers from the prompt and costs nothing.
With OPENROUTER_API_KEY set it talks to OpenRouter.

    python examples/demo.py "Why is the sky blue?"
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from openrouter_async import ChatStream, OpenRouter, OpenRouterError
from openrouter_async.testing import Emulator

TEXT_MODEL = "openai/gpt-4o-mini"
IMAGE_MODEL = "google/gemini-2.5-flash-image"


def report(stream: ChatStream) -> None:
    """Print what one stream took and cost."""
    timing, usage = stream.timing, stream.usage
    facts = [f"ending {stream.ending}", f"{stream.model} by {stream.provider or 'unknown'}"]
    if timing.first_delta is not None:
        facts.append(f"first token after {timing.first_delta * 1000:.0f} ms")
    if timing.tokens_per_second is not None:
        facts.append(f"{timing.tokens_per_second:.0f} tokens/s")
    if usage is not None:
        facts.append(f"{usage.total_tokens} tokens")
    facts.append("cost unknown" if stream.cost is None else f"cost ${stream.cost:.6f}")
    print("\n\N{RIGHTWARDS ARROW} " + ", ".join(facts) + "\n")


async def chat(client: OpenRouter, prompt: str) -> None:
    """Stream a chat to the terminal, token by token."""
    print(f"\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} {prompt}\n")
    stream = client.stream(prompt, model=TEXT_MODEL)
    async for chunk in stream:
        print(chunk.text, end="", flush=True)
    report(stream)


async def picture(client: OpenRouter, prompt: str, path: Path) -> None:
    """Stream an answer that holds an image, and save the image as it arrives."""
    print(f"\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} {prompt}\n")
    stream = client.stream(prompt, model=IMAGE_MODEL, modalities=["image", "text"])
    async for chunk in stream:
        print(chunk.text, end="", flush=True)
        for image in chunk.images:
            saved = image.save(path, overwrite=True)
            print(f"\n[{image.media_type}, {len(image.bytes):,} bytes, saved as {saved}]")
    report(stream)


async def main(prompt: str, image_prompt: str, path: Path) -> None:
    """Run both against OpenRouter, or against the emulator where there is no key."""
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await chat(client, prompt)
            await picture(client, image_prompt, path)
        return
    print("OPENROUTER_API_KEY is not set: this is the built-in emulator, not a model.\n")
    async with (
        Emulator(pace=0.03) as emulator,
        OpenRouter("sk-or-v1-emulated", base_url=emulator.base_url) as client,
    ):
        await chat(client, prompt)
        await picture(client, image_prompt, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stream a chat and an image.")
    parser.add_argument("prompt", nargs="?", default="Why does streaming feel faster?")
    parser.add_argument("--image", default="A lighthouse in a storm at dusk", metavar="PROMPT")
    parser.add_argument("--save", type=Path, default=Path("demo.png"), metavar="PATH")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.prompt, arguments.image, arguments.save))
    except OpenRouterError as error:
        sys.exit(f"\n{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped")
