"""What a chat request may say, as typed keywords.

What may live here: the shape of requests for editors and type checkers. Checking a value at
run time is the client's business. The order of `ChatParams` is the order on the wire, which
stays the same for ever: OpenRouter's response cache keys on the bytes of the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from msgspec import Struct

__all__ = ["ChatParams", "MessageParam"]

MessageParam: TypeAlias = Mapping[str, Any] | Struct
"""One message of a request: a plain mapping of the wire form, or a message struct."""


class ChatParams(TypedDict, total=False):
    """Every documented field of a chat request besides ``messages`` and ``model``.

    What is not given is not sent, and nothing is defaulted. A field that is newer than this
    list goes into ``extra_body``, which is merged last.
    """

    models: Sequence[str]
    preset: str
    max_completion_tokens: int | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    top_a: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    seed: int | None
    stop: str | Sequence[str] | None
    logit_bias: Mapping[str, float] | None
    logprobs: bool | None
    top_logprobs: int | None
    response_format: Mapping[str, Any]
    structured_outputs: bool
    tools: Sequence[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any]
    parallel_tool_calls: bool
    max_tool_calls: int
    stop_server_tools_when: Sequence[Mapping[str, Any]]
    plugins: Sequence[Mapping[str, Any]]
    transforms: Sequence[str]
    provider: Mapping[str, Any]
    route: Literal["fallback", "sort"] | None
    reasoning: Mapping[str, Any]
    reasoning_effort: str | None
    include_reasoning: bool
    verbosity: str
    modalities: Sequence[str]
    image_config: Mapping[str, Any]
    audio: Mapping[str, Any]
    prediction: Mapping[str, Any]
    prompt_cache_key: str
    prompt_cache_options: Mapping[str, Any]
    cache_control: Mapping[str, Any]
    service_tier: str | None
    speed: str
    web_search_options: Mapping[str, Any]
    x_search_filter: Mapping[str, Any]
    user: str
    session_id: str
    metadata: Mapping[str, str]
    trace: Mapping[str, Any]
    debug: Mapping[str, Any]
    stream_options: Mapping[str, Any]
    usage: Mapping[str, Any]
    extra_body: Mapping[str, Any]
    extra_headers: Mapping[str, str]
