"""A server on loopback that speaks OpenRouter's API, for your tests and for ours.

The rule of this file: the names that tests import, and nothing else.

>>> from openrouter_async.testing import Emulator, chat
>>> async with Emulator() as emulator:                  # doctest: +SKIP
...     emulator.play(chat("Hello", " there").cut_after(1))
"""

from openrouter_async.testing._build import chat, completion, error_chunk, http_error, replay
from openrouter_async.testing._cassette import Cassette, RecordMode, cassette
from openrouter_async.testing._desk import ReceivedRequest
from openrouter_async.testing._documents import file_annotation
from openrouter_async.testing._emulator import Emulator
from openrouter_async.testing._generation import generation
from openrouter_async.testing._open_streams import assert_no_open_streams, open_streams
from openrouter_async.testing._pdf import make_pdf
from openrouter_async.testing._proxy import Corrupt, Fault, FaultProxy, Slow
from openrouter_async.testing._script import Reply
from openrouter_async.testing._steps import Cut, Drip, Hold, Pause, Raw, Reset, Send, Stall, Step
from openrouter_async.testing._texts import error_event, message, response, text
from openrouter_async.testing._watch import Flag
from openrouter_async.testing._wire import Framing

__all__ = [
    "Cassette",
    "Corrupt",
    "Cut",
    "Drip",
    "Emulator",
    "Fault",
    "FaultProxy",
    "Flag",
    "Framing",
    "Hold",
    "Pause",
    "Raw",
    "ReceivedRequest",
    "RecordMode",
    "Reply",
    "Reset",
    "Send",
    "Slow",
    "Stall",
    "Step",
    "assert_no_open_streams",
    "cassette",
    "chat",
    "completion",
    "error_chunk",
    "error_event",
    "file_annotation",
    "generation",
    "http_error",
    "make_pdf",
    "message",
    "open_streams",
    "replay",
    "response",
    "text",
]
