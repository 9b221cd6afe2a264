"""A CSV of reviews in, one typed value for each out; stop it at any moment and start it again.

Without a key it talks to the built-in emulator, which knows what a schema is but cannot read.

    python examples/batch_reviews.py [reviews.csv] [judged.jsonl]
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Literal

import msgspec

from openrouter_async import OpenRouter
from openrouter_async.batch import Job, JobProgress, Row, report
from openrouter_async.testing import Emulator

REVIEWS = """id,product,review
r1,Kettle,"Boils fast, but the lid came off after a week."
r2,Lamp,Warm light and it looks lovely on the shelf.
r3,Kettle,"Arrived broken.
Nobody answered my letters."
r4,Blanket,It is a blanket.
"""


class Judgement(msgspec.Struct):
    """What is wanted of each review."""

    mood: Literal["good", "bad", "mixed"]
    stars: int
    complaints: list[str]


def show(progress: JobProgress) -> None:
    """Print how far it is."""
    left = "" if progress.eta is None else f", {progress.eta:.0f} s left"
    print(f"{progress.done} of {progress.total} done, ${progress.cost:.6f}{left}")


async def judge(client: OpenRouter, source: Path, output: Path) -> None:
    """Run the job and read its values back."""
    job = Job(
        source,
        output,
        model="openai/gpt-4o-mini",
        template="Judge this review of a {product}:\n\n{review}",
        response_type=Judgement,
        budget=1.0,
        max_completion_tokens=200,
    )
    await job.run(client, show)
    for line in output.read_bytes().splitlines():
        row = msgspec.json.decode(line, type=Row)
        if row.status == "ok":
            value = msgspec.convert(row.value, Judgement)
            print(f"{row.id}: {value.mood}, {value.stars} stars, {', '.join(value.complaints)}")
    numbers = report(output)
    print(numbers)
    print(f"see {numbers.save_html(output.with_suffix('.html'))}")


async def main(source: Path, output: Path) -> None:
    """Run against OpenRouter, or against the emulator where there is no key."""
    if not source.exists():
        source.write_text(REVIEWS)
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await judge(client, source, output)
        return
    async with (
        Emulator() as emulator,
        OpenRouter("sk-or-v1-emulated", base_url=emulator.base_url) as client,
    ):
        await judge(client, source, output)


if __name__ == "__main__":
    names = [*sys.argv[1:], *["reviews.csv", "judged.jsonl"][len(sys.argv) - 1 :]]
    asyncio.run(main(Path(names[0]), Path(names[1])))
