"""A recording written down, with the times of its segments. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio
import sys

from openrouter_async import OpenRouter


async def main(path: str) -> None:
    """Print what was said, and when."""
    async with OpenRouter() as client:
        heard = await client.audio.transcribe(
            path, model="openai/whisper-1", response_format="verbose_json"
        )
        print(heard.text)
        for segment in heard.segments or ():
            print(f"{segment.start:7.2f} s to {segment.end:7.2f} s: {segment.text}")
        print(f"{heard.language}, {heard.duration or 0:.2f} s, cost ${heard.cost or 0:.6f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: transcribe.py RECORDING")
    asyncio.run(main(sys.argv[1]))
