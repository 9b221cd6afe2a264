"""A server on loopback that speaks OpenRouter's API, for your tests and for ours.

The rule of this file: the names that tests import, and nothing else.

>>> from openrouter_async.testing import Emulator, chat
>>> async with Emulator() as emulator:                  # doctest: +SKIP
...     emulator.play(chat("Hello", " there").cut_after(1))
"""

from openrouter_async.testing._build import chat, completion, error_chunk, http_error, replay
from openrouter_async.testing._desk import ReceivedRequest
from openrouter_async.testing._emulator import Emulator
from openrouter_async.testing._script import Reply
from openrouter_async.testing._steps import Cut, Drip, Hold, Pause, Raw, Reset, Send, Stall, Step
from openrouter_async.testing._watch import Flag
from openrouter_async.testing._wire import Framing

__all__ = [
    "Cut",
    "Drip",
    "Emulator",
    "Flag",
    "Framing",
    "Hold",
    "Pause",
    "Raw",
    "ReceivedRequest",
    "Reply",
    "Reset",
    "Send",
    "Stall",
    "Step",
    "chat",
    "completion",
    "error_chunk",
    "http_error",
    "replay",
]
