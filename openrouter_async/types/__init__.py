"""The structs that answers are decoded into, for annotations and `isinstance`.

What may live here: msgspec structs of the wire and nothing that does anything else. Every
field of an answer has a default; sets of values are open `str`.
"""

from .chat import (
    Annotation,
    ChatChunk,
    ChatCompletion,
    Choice,
    ChunkChoice,
    ContentPart,
    Delta,
    ErrorBody,
    FileAnnotation,
    FunctionCall,
    FunctionCallDelta,
    Logprobs,
    Message,
    ReasoningDetail,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    TopLogprob,
    URLCitation,
)
from .media import AudioDelta, Image, ImageURL
from .params import ChatParams, MessageParam
from .usage import CompletionTokensDetails, CostDetails, PromptTokensDetails, Usage

__all__ = [
    "Annotation",
    "AudioDelta",
    "ChatChunk",
    "ChatCompletion",
    "ChatParams",
    "Choice",
    "ChunkChoice",
    "CompletionTokensDetails",
    "ContentPart",
    "CostDetails",
    "Delta",
    "ErrorBody",
    "FileAnnotation",
    "FunctionCall",
    "FunctionCallDelta",
    "Image",
    "ImageURL",
    "Logprobs",
    "Message",
    "MessageParam",
    "PromptTokensDetails",
    "ReasoningDetail",
    "TokenLogprob",
    "ToolCall",
    "ToolCallDelta",
    "TopLogprob",
    "URLCitation",
    "Usage",
]
