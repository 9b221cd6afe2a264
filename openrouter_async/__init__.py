"""An async-first streaming client for OpenRouter, on aiohttp, msgspec and anyio.

>>> async def example() -> None:
...     async with OpenRouter() as client:  # the key comes from OPENROUTER_API_KEY
...         async for chunk in client.stream("Write a haiku about rain"):
...             print(chunk.text, end="", flush=True)
"""

import importlib
import typing

from . import errors, types
from ._calling import CallParams
from ._config import Adaptive, Limits, RetryPolicy, Timeouts
from ._image_result import ImageResult
from ._race import Attempt
from ._stats import ClientStats
from ._structured import ParsedCompletion
from ._transport import PoolStats
from ._version import __version__
from .budget import Budget
from .client import OpenRouter
from .documents import DocumentStore
from .errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BatchError,
    BudgetExceededError,
    BudgetUnpriceableError,
    OpenRouterError,
    OutputError,
    ProtocolError,
    RateLimitError,
    StreamAPIError,
    StreamBrokenError,
    StreamError,
    StreamTruncatedError,
)
from .stream import ChatStream, Ending, Timing
from .types import (
    AssistantMessage,
    ChatChunk,
    ChatCompletion,
    ChatParams,
    DeveloperMessage,
    GenerationRecord,
    Image,
    Message,
    ProviderRouting,
    RateLimit,
    Reasoning,
    Speech,
    SystemMessage,
    ToolCall,
    ToolMessage,
    Transcription,
    Usage,
    UserMessage,
    VideoJob,
)

if typing.TYPE_CHECKING:
    from ._byte_stream import ByteStream
    from .batch import ChatRequest, MapResult, MapRun
    from .image_events import ImageEventStream
    from .image_stream import ImageStream
    from .parsing import ParsedStream
    from .sharing import LaggedError, SharedReader, SharedStream
    from .tools import Tool, ToolRun, tool

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "Adaptive",
    "AssistantMessage",
    "Attempt",
    "BatchError",
    "Budget",
    "BudgetExceededError",
    "BudgetUnpriceableError",
    "ByteStream",
    "CallParams",
    "ChatChunk",
    "ChatCompletion",
    "ChatParams",
    "ChatRequest",
    "ChatStream",
    "ClientStats",
    "DeveloperMessage",
    "DocumentStore",
    "Ending",
    "GenerationRecord",
    "Image",
    "ImageEventStream",
    "ImageResult",
    "ImageStream",
    "LaggedError",
    "Limits",
    "MapResult",
    "MapRun",
    "Message",
    "OpenRouter",
    "OpenRouterError",
    "OutputError",
    "ParsedCompletion",
    "ParsedStream",
    "PoolStats",
    "ProtocolError",
    "ProviderRouting",
    "RateLimit",
    "RateLimitError",
    "Reasoning",
    "RetryPolicy",
    "SharedReader",
    "SharedStream",
    "Speech",
    "StreamAPIError",
    "StreamBrokenError",
    "StreamError",
    "StreamTruncatedError",
    "SystemMessage",
    "Timeouts",
    "Timing",
    "Tool",
    "ToolCall",
    "ToolMessage",
    "ToolRun",
    "Transcription",
    "Usage",
    "UserMessage",
    "VideoJob",
    "__version__",
    "errors",
    "tool",
    "types",
]

# Imported when somebody asks: a service that streams chats needs none of them to start.
_IMPORTED_WHEN_ASKED_FOR: typing.Final = {
    "ByteStream": "_byte_stream",
    "ChatRequest": "batch",
    "ImageEventStream": "image_events",
    "ImageStream": "image_stream",
    "LaggedError": "sharing",
    "MapResult": "batch",
    "MapRun": "batch",
    "ParsedStream": "parsing",
    "SharedReader": "sharing",
    "SharedStream": "sharing",
    "Tool": "tools",
    "ToolRun": "tools",
    "tool": "tools",
}


def __getattr__(name: str) -> typing.Any:
    if name in _IMPORTED_WHEN_ASKED_FOR.values():
        return importlib.import_module(f".{name}", __name__)
    if name not in _IMPORTED_WHEN_ASKED_FOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_IMPORTED_WHEN_ASKED_FOR[name]}", __name__)
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
