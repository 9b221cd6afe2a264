"""Tools that the model may call, and the loop that runs them.

The rule of this file: the names that users import, and nothing else.

>>> @tool
... async def weather(city: str, unit: str = "C") -> str:
...     '''Tell the weather.
...
...     Args:
...         city: The city's name.
...     '''
...     return f"21 {unit} in {city}"
>>> weather.parameters["properties"]["city"]
{'description': "The city's name.", 'type': 'string'}
>>> async def example(client: OpenRouter) -> None:
...     run = client.run_tools("What is the weather in Oslo?", tools=[weather])
...     async for chunk in run:
...         print(chunk.text, end="", flush=True)
...     print(run.turns, run.cost, run.stopped_because)
"""

from __future__ import annotations

from ._calls import CallState, RunCall
from ._events import (
    RunEvent,
    ToolCallProgress,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from ._rules import StopReason
from ._run import ToolRun
from ._tool import Tool, ToolLike, tool

__all__ = [
    "CallState",
    "RunCall",
    "RunEvent",
    "StopReason",
    "Tool",
    "ToolCallProgress",
    "ToolFinished",
    "ToolLike",
    "ToolRun",
    "ToolStarted",
    "TurnFinished",
    "TurnStarted",
    "tool",
]
