"""Tools that the model calls, some of them side by side. Needs OPENROUTER_API_KEY."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from openrouter_async import ChatChunk, OpenRouter, tool
from openrouter_async.tools import RunCall, ToolFinished, ToolStarted


async def weather(city: str, unit: Literal["C", "F"] = "C") -> dict[str, object]:
    """Tell the weather of a city.

    Args:
        city: The city's name, in English.
        unit: Of the temperature.
    """
    await asyncio.sleep(0.1)  # here one would ask a weather service
    return {"city": city, "temperature": 21 if unit == "C" else 70, "sky": "rain"}


def clock(zone: str = "UTC") -> str:
    """Tell the time in a time zone, by its IANA name; a plain function runs in a thread."""
    return datetime.now(ZoneInfo(zone)).isoformat(timespec="minutes")


@tool(needs_approval=True, timeout=10.0)
async def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    return f"sent {len(text)} characters to {to}"


async def ask(call: RunCall) -> bool:
    """Ask whoever sits at the terminal."""
    question = f"\n{call.name}({call.text})? [y/N] "
    return (await asyncio.to_thread(input, question)).strip().lower() == "y"


async def main(prompt: str) -> None:
    """Run the tools that the model asks for, and print what happens."""
    async with OpenRouter(model="openai/gpt-4o-mini") as client:
        run = client.run_tools(prompt, tools=[weather, clock, send_mail], on_approval=ask)
        async for event in run.events():
            match event:
                case ChatChunk():
                    print(event.text, end="", flush=True)
                case ToolStarted(call=call):
                    print(f"[{call.name} {call.text}]")
                case ToolFinished(call=call):
                    print(
                        f"[{call.name} {call.state} in {call.seconds or 0:.1f} s: {call.content}]"
                    )
                case _:
                    pass  # turns, and arguments while they come
        print(f"\n{run.turns} turns, cost ${run.cost or 0:.6f}, {run.stopped_because}")


if __name__ == "__main__":
    words = sys.argv[1:2] or ["What is the weather in Oslo?"]
    asyncio.run(main(words[0]))
