"""An answer as a typed value, shown while it is being written. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from openrouter_async import OpenRouter
from openrouter_async.errors import LengthError, OutputError


class Ingredient(msgspec.Struct):
    """One ingredient."""

    name: str
    grams: int


class Recipe(msgspec.Struct):
    """A recipe. The model is told these descriptions, names and types."""

    title: str
    difficulty: Literal["easy", "hard"]
    ingredients: list[Ingredient]
    steps: list[str]


async def main() -> None:
    """Ask for one value at once, and for another while it grows."""
    async with OpenRouter(model="openai/gpt-4o-mini") as client:
        answer = await client.complete("Name three herbs", response_type=list[str])
        print(f"herbs: {', '.join(answer.parsed)} (${answer.cost or 0:.6f})")

        stream = client.stream("A recipe for lentil soup, with 4 steps", response_type=Recipe)
        parsing = stream.parse(Recipe)
        try:
            async for partial in parsing:  # plain data: half a recipe is no Recipe yet
                print(f"so far: {', '.join(partial)}")
        except LengthError as error:
            print(f"cut at the token limit; what came: {error.partial_value}")
        except OutputError as error:
            print(f"no recipe: {error}")
        else:
            recipe = parsing.parsed
            print(f"recipe: {recipe.title} ({recipe.difficulty}), {len(recipe.steps)} steps")


if __name__ == "__main__":
    asyncio.run(main())
