"""Three questions about a PDF, which is parsed, and paid for, once.

Without OPENROUTER_API_KEY the emulator answers, with the extra `emulator` installed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, make_pdf

MODEL = "deepseek/deepseek-chat"  # it reads no PDFs by itself
QUESTIONS = ("How much was harvested in 1903?", "In which year was the mill sold?", "Who wrote it?")
PAGES = (
    "A history of the valley. Jane Miller wrote this in 1950.",
    "The harvest of 1903 was 21 tons. It had been the best for years.",
    "The mill was sold in the year 1931, to a family from the coast.",
)


async def ask(client: OpenRouter, path: Path) -> None:
    """Ask three questions and tell what each cost, and what it saved."""
    for question in QUESTIONS:
        print(f"> {question}")
        stream = client.stream_pdf(question, path, model=MODEL, engine="mistral-ocr")
        async for chunk in stream:
            print(chunk.text, end="", flush=True)
        saved = sum(document.saved or 0 for document in stream.documents)
        print(f"\ncost ${stream.cost or 0:.6f}, saved ${saved:.6f}")


async def main(path: Path) -> None:
    """Ask OpenRouter, or without a key the emulator; parses are kept in the folder `parsed`."""
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter(documents="parsed") as client:
            await ask(client, path)
        return
    async with (
        Emulator() as emulator,
        OpenRouter("none", base_url=emulator.base_url, documents="parsed") as client,
    ):
        await ask(client, path)


if __name__ == "__main__":
    given = Path(sys.argv[1] if sys.argv[1:] else "valley.pdf")
    if not sys.argv[1:]:
        given.write_bytes(make_pdf(*PAGES))
    asyncio.run(main(given))
