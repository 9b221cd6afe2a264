"""An async-first streaming client for OpenRouter, on aiohttp, msgspec and anyio.

>>> async def example() -> None:
...     async with OpenRouter() as client:  # the key comes from OPENROUTER_API_KEY
...         async for chunk in client.stream("Write a haiku about rain"):
...             print(chunk.text, end="", flush=True)
"""

from . import errors, types
from ._byte_stream import ByteStream
from ._calling import CallParams
from ._config import Adaptive, Limits, RetryPolicy, Timeouts
from ._image_result import ImageResult
from ._race import Attempt
from ._stats import ClientStats
from ._structured import ParsedCompletion
from ._transport import PoolStats
from ._version import __version__
from .batch import ChatRequest, MapResult, MapRun
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
from .image_events import ImageEventStream
from .image_stream import ImageStream
from .parsing import ParsedStream
from .sharing import LaggedError, SharedReader, SharedStream
from .stream import ChatStream, Ending, Timing
from .tools import Tool, ToolRun, tool
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
