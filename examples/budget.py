"""A sum of money that a job cannot exceed, whatever it asks for.

Without a key it talks to the built-in emulator, which has prices but charges nothing.

    python examples/budget.py 0.002
"""

from __future__ import annotations

import asyncio
import os
import sys

from openrouter_async import Budget, BudgetExceededError, OpenRouter
from openrouter_async.testing import Emulator

MODEL = "openai/gpt-4o-mini"
TOPICS = ["rain", "snow", "fog", "hail", "dew", "frost", "mist", "thunder"]


async def write(client: OpenRouter, topic: str) -> str:
    """Write one poem, or say that the money is gone."""
    try:
        # The fewer tokens are allowed, the less has to be held while the answer comes.
        answer = await client.complete(
            f"Write a haiku about {topic}", model=MODEL, max_completion_tokens=200
        )
    except BudgetExceededError as error:
        return f"{topic}: refused, it may cost ${error.needed:.6f}"
    return f"{topic}: ${answer.cost:.6f}"


async def work(client: OpenRouter, budget: Budget) -> None:
    """Ask for all poems at once."""
    for line in await asyncio.gather(*(write(client, topic) for topic in TOPICS)):
        print(line)
    print(f"spent ${budget.spent:.6f} of ${budget.limit:.6f}, uncertain ${budget.uncertain:.6f}")


async def main(usd: float) -> None:
    """Run against OpenRouter, or against the emulator where there is no key."""
    budget = Budget(usd, name="poems")
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter(budget=budget) as client:
            await work(client, budget)
        return
    async with (
        Emulator() as emulator,
        OpenRouter("sk-or-v1-emulated", base_url=emulator.base_url, budget=budget) as client,
    ):
        await work(client, budget)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.001))
