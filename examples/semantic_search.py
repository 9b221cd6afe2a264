"""Which text answers a question: by vectors first, then by rank. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio
import sys
from array import array

from openrouter_async import OpenRouter

TEXTS = [
    "Ruby is a language that was made by Yukihiro Matsumoto.",
    "Rubies are red because of chromium.",
    "Crystal is a language with the looks of Ruby and the speed of C.",
    "The capital of Norway is Oslo.",
]


def likeness(one: array[float], other: array[float]) -> float:
    """Say how near two vectors of length one are; with numpy it is `one @ other`."""
    return sum(first * second for first, second in zip(one, other, strict=True))


async def main(question: str) -> None:
    """Find the nearest texts by their vectors, and have a second model put them in order."""
    async with OpenRouter() as client:
        answer = await client.embeddings.create(
            [question, *TEXTS],
            model="openai/text-embedding-3-small",
            encoding_format="base64",  # smaller, and read without a float for each number
        )
        asked, *vectors = answer.vectors  # numpy.asarray(vector) copies nothing
        near = sorted(range(len(TEXTS)), key=lambda row: -likeness(asked, vectors[row]))[:3]
        texts = [TEXTS[row] for row in near]
        ranking = await client.rerank(question, texts, model="cohere/rerank-v3.5")
        for result in ranking.results:
            print(f"{result.relevance_score:.2f}  {texts[result.index]}")
        print(f"cost ${(answer.cost or 0) + (ranking.cost or 0):.6f}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "Who made the language Ruby?"))
