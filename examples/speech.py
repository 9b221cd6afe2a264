"""A text spoken to a file, and played from the first bytes on. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from openrouter_async import OpenRouter


async def main(text: str, folder: Path) -> None:
    """Save what is spoken, twice: whole, and piece by piece."""
    async with OpenRouter() as client:
        speech = await client.audio.speech(text, model="openai/gpt-4o-mini-tts", voice="alloy")
        saved = await speech.save_async(folder / "speech", overwrite=True)
        print(f"{saved}: {len(speech.bytes):,} bytes of {speech.format}, {speech.generation_id}")

        stream = client.audio.speech(
            text, model="openai/gpt-4o-mini-tts", voice="alloy", response_format="mp3"
        )
        with (folder / "speech.mp3").open("wb") as file:
            async for data in stream:
                file.write(data)  # a player would sound by now
        waited = stream.timing.first_delta or 0
        print(f"speech.mp3: {stream.received:,} bytes, the first after {waited:.3f} s")


if __name__ == "__main__":
    words = sys.argv[1:2] or ["The rain has stopped, and the street smells of summer."]
    asyncio.run(main(words[0], Path(*sys.argv[2:3])))
