"""Draw, save, and draw again by what was drawn. Uses OPENROUTER_API_KEY where it is set, else the
emulator.

    python examples/generate_image.py "A paper boat on a river of stars" pictures/
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from openrouter_async import OpenRouter, OutputError
from openrouter_async.testing import Emulator

MODEL = "google/gemini-2.5-flash-image"


async def draw(client: OpenRouter, prompt: str, folder: Path) -> None:
    """Stream one picture, then have it drawn anew in another light and shape."""
    await client.models.check(MODEL, inputs=["image"], outputs=["image"])
    stream = client.stream_images(prompt, aspect_ratio="16:9")
    async for image in stream:
        path = await image.save_async(folder / "picture", overwrite=True)
        print(f"{path.name}: {image.width} x {image.height}, {len(image.bytes):,} bytes")
    print(f"the model says: {stream.text}\ncost ${stream.cost or 0:.6f}, ending {stream.ending}")

    result = await client.generate_images(
        f"{prompt}, by night", images=[folder / "picture.png"], aspect_ratio="1:1"
    )
    try:
        path = await result.image.save_async(folder / "by-night", overwrite=True)
        size = f"{result.image.width} x {result.image.height}"
        print(f"{path.name}: {size}, cost ${result.cost or 0:.6f}")
    except OutputError as error:  # the model answered, and drew nothing
        print(error)


async def main(prompt: str, folder: Path) -> None:
    """Draw with OpenRouter, or without a key with the emulator that comes with the package."""
    folder.mkdir(exist_ok=True, parents=True)
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter(model=MODEL) as client:
            await draw(client, prompt, folder)
        return
    async with (
        Emulator() as emulator,
        OpenRouter("none", base_url=emulator.base_url, model=MODEL) as client,
    ):
        await draw(client, prompt, folder)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    asyncio.run(main(given.get(1, "A paper boat on a river of stars"), Path(given.get(2, "."))))
