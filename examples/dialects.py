"""The same question in the dialects of OpenAI and Anthropic. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio

from openrouter_async import OpenRouter

QUESTION = "Name a river, and say in one sentence where it ends."


async def main() -> None:
    """Stream from /responses and /messages, and go on where each of them stopped."""
    async with OpenRouter(model="anthropic/claude-sonnet-4.5") as client:
        stream = client.responses.stream(QUESTION, max_output_tokens=200)
        async for event in stream:
            print(event.text, end="", flush=True)
        print(f"\n{stream.ending}, {stream.partial.status}, cost ${stream.cost or 0:.6f}")

        again = {"role": "user", "content": "And in Greek?"}
        answer = await client.responses.create([*stream.partial.output, again])
        print(answer.text)

        first = await client.messages.create(QUESTION, max_tokens=200)
        print(f"{first.text}\n{first.stop_reason}, by {first.provider}")
        asked = {"role": "user", "content": QUESTION}
        async for piece in client.messages.stream([asked, first, again], max_tokens=200).text():
            print(piece, end="", flush=True)
        print()


if __name__ == "__main__":
    asyncio.run(main())
