"""A file of prompts in, a folder of images out.

Without a key it talks to the built-in emulator, whose images are small squares.

    python examples/batch_images.py [prompts.txt] [pictures]
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from openrouter_async import OpenRouter
from openrouter_async.batch import Job
from openrouter_async.testing import Emulator

MODEL = "google/gemini-2.5-flash-image"
PROMPTS = "A fox in the snow\nA lighthouse at dusk\nA bowl of cherries\n"


async def draw(client: OpenRouter, source: Path, folder: Path) -> None:
    """Draw one picture a line, four at a time."""
    job = Job(
        source,
        folder.with_suffix(".jsonl"),
        model=MODEL,
        template="Draw this: {text}",
        images_to=folder,
        concurrency=4,
    )
    summary = await job.run(client)
    print(f"{summary.done} of {summary.total} drawn, ${summary.cost:.6f}, in {folder}:")
    for path in sorted(folder.iterdir()):
        print(f"  {path.name}, {path.stat().st_size} bytes")


async def main(source: Path, folder: Path) -> None:
    """Run against OpenRouter, or against the emulator where there is no key."""
    if not source.exists():
        source.write_text(PROMPTS)
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await draw(client, source, folder)
        return
    async with (
        Emulator() as emulator,
        OpenRouter("sk-or-v1-emulated", base_url=emulator.base_url) as client,
    ):
        await draw(client, source, folder)


if __name__ == "__main__":
    names = [*sys.argv[1:], *["prompts.txt", "pictures"][len(sys.argv) - 1 :]]
    asyncio.run(main(Path(names[0]), Path(names[1])))
