"""Ask about a picture: a file, bytes or a URL. Uses OPENROUTER_API_KEY where it is set, else the
emulator.

    python examples/vision.py photo.jpg "What is on this picture?"
"""

from __future__ import annotations

import asyncio
import os
import sys

from openrouter_async import OpenRouter, content
from openrouter_async.testing import Emulator

MODEL = "openai/gpt-4o-mini"
DRAWS = "google/gemini-2.5-flash-image"


async def look(client: OpenRouter, picture: str | None, question: str) -> None:
    """Stream what the model sees; a file is read while the request is sent."""
    if picture is None:
        drawn = await client.generate_images("A lighthouse at dusk", model=DRAWS)
        shown = content.image(drawn.image.bytes)
    else:
        shown = content.image(picture, detail="high")
    message = {"role": "user", "content": [content.text(question), shown]}
    stream = client.stream([message], model=MODEL)
    async for chunk in stream:
        print(chunk.text, end="", flush=True)
    print(f"\ncost ${stream.cost or 0:.6f}, ending {stream.ending}")


async def main(picture: str | None, question: str) -> None:
    """Ask OpenRouter, or without a key the emulator that comes with the package."""
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await look(client, picture, question)
        return
    async with Emulator() as emulator, OpenRouter("none", base_url=emulator.base_url) as client:
        await look(client, picture, question)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    asyncio.run(main(given.get(1), given.get(2, "What is on this picture?")))
