"""Images as they arrive in a stream, each saved to a file. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from openrouter_async import OpenRouter


async def main(prompt: str, folder: Path) -> None:
    """Save every image of the answer in `folder`."""
    async with OpenRouter(model="google/gemini-2.5-flash-image") as client:
        stream = client.stream(prompt, modalities=["image", "text"])
        number = 0
        async for image in stream.images():
            number += 1
            saved = image.save(folder / f"image-{number}", overwrite=True)
            print(f"{saved}: {image.media_type}, {len(image.bytes):,} bytes")
        print(f"{number} images, cost ${stream.cost or 0:.6f}, ending {stream.ending}")


if __name__ == "__main__":
    words = sys.argv[1:2] or ["A paper boat on a river of stars"]
    asyncio.run(main(words[0], Path(*sys.argv[2:3])))
