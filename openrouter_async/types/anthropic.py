"""``POST /messages``: what is asked in Anthropic's dialect, its events, and the message.

How events add up is in `text_streams`. A block goes back with the next request, so it keeps what no
field names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, field

from ._arrived import Arrived
from ._request import CallKeywords, Id, Open, OrAnyMapping, OrMapping, RequestStruct
from ._struct import KeptStruct, WireStruct
from .chat import ErrorBody
from .options import CacheControl, StopCondition, Trace
from .plugins import Plugin
from .routing import ProviderRouting


class MessagesParams(CallKeywords, total=False):
    """Every documented field of a ``/messages`` request besides ``messages`` and ``model``.

    What is not given is not sent, ``max_tokens`` included. ``fallbacks`` (at most three, each
    ``{"model": ...}``) and ``models`` exclude each other. ``anthropic_beta`` becomes a header; a
    newer field goes into ``extra_body``.
    """

    max_tokens: Annotated[int, Meta(ge=1)]
    system: str | Sequence[Mapping[str, Any]]
    models: Sequence[str]
    fallbacks: Annotated[Sequence[Mapping[str, Any]], Meta(max_length=3)] | None
    temperature: Annotated[float, Meta(ge=0, le=2)]
    top_p: Annotated[float, Meta(ge=0, le=1)]
    top_k: Annotated[int, Meta(ge=0)]
    stop_sequences: Sequence[str]
    thinking: Mapping[str, Any]
    tools: Sequence[OrAnyMapping[RequestStruct]]
    tool_choice: Mapping[str, Any]
    stop_server_tools_when: Annotated[Sequence[OrAnyMapping[StopCondition]], Meta(min_length=1)]
    output_config: Mapping[str, Any]
    context_management: Mapping[str, Any] | None
    cache_control: OrMapping[CacheControl]
    metadata: Mapping[str, Any]
    plugins: Sequence[OrAnyMapping[Plugin]]
    provider: OrMapping[ProviderRouting] | None
    route: Open[Literal["fallback", "sort"]] | None
    service_tier: str
    speed: Open[Literal["fast", "standard"]] | None
    session_id: Id
    trace: OrAnyMapping[Trace]
    user: Id
    deferred_tools: Mapping[str, Any] | None
    safeguards: Sequence[Mapping[str, Any]] | None


class MessageBlock(KeptStruct):
    """One block of a message's content.

    `type` is ``text``, ``thinking``, ``redacted_thinking``, ``tool_use``, ``server_tool_use``,
    ``web_search_tool_result``, ``compaction`` or a kind not known yet. `tool_use_id` names the call
    that a result answers; `signature` proves who wrote a thought. `cut_input` has the arguments of
    a call that was cut off, or is no JSON, as text: it must not be run, and never goes over the
    wire.
    """

    type: str = ""
    text: str | None = None
    citations: list[Any] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    caller: Any = None
    tool_use_id: str | None = None
    content: Any = None
    encrypted_content: str | None = None
    file_id: str | None = None
    cut_input: str | None = field(default=None, name="(cut_input)")


class MessageUsage(WireStruct):
    """Tokens and money of one message; `cost` is USD, None where the server does not say.

    `input_tokens` are those of the prompt that no cache had, `output_tokens` those so far.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: dict[str, Any] | None = None
    output_tokens_details: dict[str, Any] | None = None
    server_tool_use: dict[str, Any] | None = None
    server_tool_use_details: dict[str, Any] | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    speed: str | None = None
    iterations: list[Any] | None = None
    cost: float | None = None
    cost_details: dict[str, Any] | None = None
    is_byok: bool | None = None

    @property
    def total_tokens(self) -> int:
        """All tokens that were read and written, those of the prompt cache included."""
        cached = (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)
        return (self.input_tokens or 0) + cached + (self.output_tokens or 0)


class AnthropicMessage(Arrived):
    """A whole answer of ``/messages``, or what had arrived of it.

    `stop_reason` is ``end_turn``, ``max_tokens``, ``stop_sequence``, ``tool_use``, ``refusal``,
    ``pause_turn``, ``compaction``, ...; `provider` is a display name.
    """

    id: str | None = None
    type: str = "message"
    role: str = "assistant"
    model: str | None = None
    provider: str | None = None
    content: list[MessageBlock] = field(default_factory=list[MessageBlock])
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    container: dict[str, Any] | None = None
    context_management: dict[str, Any] | None = None
    usage: MessageUsage | None = None
    openrouter_metadata: dict[str, Any] | None = None
    alignment: dict[str, Any] | None = None
    safeguard_results: list[Any] | None = None

    @property
    def text(self) -> str:
        """The answer's text; empty where there is none."""
        return "".join(block.text or "" for block in self.content if block.type == "text")

    @property
    def reasoning(self) -> str:
        """What was thought, as text; empty where it is not shown."""
        return "".join(block.thinking or "" for block in self.content)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """The `stop_reason`, as answers of other endpoints have theirs; empty before it came."""
        return (self.stop_reason,) if self.stop_reason is not None else ()

    @property
    def tool_uses(self) -> list[MessageBlock]:
        """The calls that the model asks for and that can be run; none that was cut off."""
        calls = (block for block in self.content if block.type == "tool_use")
        return [call for call in calls if call.cut_input is None]

    def to_param(self) -> dict[str, Any]:
        """Give this message as the next request has to carry it.

        >>> AnthropicMessage(content=[MessageBlock(type="text", text="Hi")]).to_param()
        {'role': 'assistant', 'content': [{'type': 'text', 'text': 'Hi'}]}
        """
        whole = [block for block in self.content if block.cut_input is None]
        return {"role": self.role, "content": [block.to_dict() for block in whole]}


class MessageDelta(WireStruct):
    """The new part of a block, or of the message itself."""

    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Any = None
    content: str | None = None
    encrypted_content: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    container: dict[str, Any] | None = None


class MessageEvent(WireStruct):
    """One event of a ``/messages`` stream; `index` tells which block it is about.

    `type` is ``message_start``, ``content_block_start``, ``content_block_delta``,
    ``content_block_stop``, ``message_delta``, ``message_stop``, ``ping``, ``error``, or what the
    API may add; `raw` is the event's JSON exactly as it came.
    """

    type: str = ""
    index: int | None = None
    delta: MessageDelta | None = None
    content_block: MessageBlock | None = None
    message: AnthropicMessage | None = None
    usage: MessageUsage | None = None
    error: ErrorBody | str | None = None
    request_id: str | None = None
    context_management: dict[str, Any] | None = None
    openrouter_metadata: dict[str, Any] | None = None
    raw: bytes = field(default=b"", name="(raw)")

    @property
    def text(self) -> str:
        """The new text of the answer; empty where the event brings none."""
        return (self.delta.text or "") if self.delta is not None else ""

    @property
    def reasoning(self) -> str:
        """The new piece of thought; empty where the event brings none."""
        return (self.delta.thinking or "") if self.delta is not None else ""

    @property
    def data(self) -> dict[str, Any]:
        """Every field of the event, named here or not, decoded anew at each look."""
        return cast("dict[str, Any]", msgspec.json.decode(self.raw)) if self.raw else {}
