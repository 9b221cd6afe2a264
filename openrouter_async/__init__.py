"""An async-first streaming client for OpenRouter, on aiohttp, msgspec and anyio.

>>> async def example() -> None:
...     async with OpenRouter() as client:  # the key comes from OPENROUTER_API_KEY
...         async for chunk in client.stream("Write a haiku about rain"):
...             print(chunk.text, end="", flush=True)
"""

from . import errors, types
from ._config import Limits, RetryPolicy, Timeouts
from ._transport import PoolStats
from ._version import __version__
from .client import OpenRouter
from .errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    OpenRouterError,
    ProtocolError,
    RateLimitError,
    StreamAPIError,
    StreamBrokenError,
    StreamError,
    StreamTruncatedError,
)
from .stream import ChatStream, Ending, Timing
from .types import ChatChunk, ChatCompletion, Image, Message, ToolCall, Usage

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "ChatChunk",
    "ChatCompletion",
    "ChatStream",
    "Ending",
    "Image",
    "Limits",
    "Message",
    "OpenRouter",
    "OpenRouterError",
    "PoolStats",
    "ProtocolError",
    "RateLimitError",
    "RetryPolicy",
    "StreamAPIError",
    "StreamBrokenError",
    "StreamError",
    "StreamTruncatedError",
    "Timeouts",
    "Timing",
    "ToolCall",
    "Usage",
    "__version__",
    "errors",
    "types",
]
