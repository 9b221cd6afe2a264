"""``POST /responses``: what is asked, the events of a stream, and the answer they add up to.

How events of OpenAI's newer dialect add up is in `text_streams`. What goes back with the next
request keeps what no field names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, cast

import msgspec
from msgspec import Meta, field

from ._arrived import Arrived
from ._request import (
    CallKeywords,
    Id,
    Open,
    OrAnyMapping,
    OrMapping,
    Penalty,
    PositiveShare,
    RequestStruct,
    Temperature,
)
from ._struct import KeptStruct, WireStruct
from .chat import ErrorBody
from .media import Image, ImageURL
from .options import (
    CacheControl,
    Debug,
    ImageConfig,
    PromptCacheOptions,
    Reasoning,
    StopCondition,
    Trace,
)
from .plugins import Plugin
from .routing import ProviderRouting

_REASONING: Final = frozenset(
    {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}
)


class ResponseParams(CallKeywords, total=False):
    """Every documented field of a ``/responses`` request besides ``input`` and ``model``.

    What is not given is not sent. ``reasoning``, ``plugins`` and ``provider`` are those of a
    chat; ``tools`` and ``text`` have OpenAI's flat form. The API keeps no state: ``store`` can
    only be False and ``previous_response_id`` only None. A newer field goes into ``extra_body``;
    which keywords become headers is said at `ChatParams`.
    """

    models: Sequence[str]
    instructions: str | None
    max_output_tokens: int | None
    temperature: Temperature | None
    top_p: PositiveShare | None
    top_k: Annotated[int, Meta(ge=0)] | None
    frequency_penalty: Penalty | None
    presence_penalty: Penalty | None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None
    stop: str | Sequence[str] | None
    reasoning: OrMapping[Reasoning] | None
    text: Mapping[str, Any]
    tools: Sequence[OrAnyMapping[RequestStruct]]
    tool_choice: Open[Literal["none", "auto", "required"]] | Mapping[str, Any]
    parallel_tool_calls: bool | None
    max_tool_calls: int | None
    stop_server_tools_when: Annotated[Sequence[OrAnyMapping[StopCondition]], Meta(min_length=1)]
    deferred_tools: Mapping[str, Any]
    include: Sequence[str] | None
    modalities: Sequence[Open[Literal["text", "image"]]]
    image_config: OrAnyMapping[ImageConfig]
    plugins: Sequence[OrAnyMapping[Plugin]]
    provider: OrMapping[ProviderRouting] | None
    route: Open[Literal["fallback", "sort"]] | None
    prompt: Mapping[str, Any] | None
    prompt_cache_key: str | None
    prompt_cache_options: OrMapping[PromptCacheOptions] | None
    cache_control: OrMapping[CacheControl]
    service_tier: (
        Open[Literal["auto", "default", "flex", "priority", "fast", "scale", "ultrafast"]] | None
    )
    truncation: Open[Literal["auto", "disabled"]] | None
    background: bool | None
    store: Literal[False]
    previous_response_id: None
    metadata: Mapping[str, str] | None
    user: Id
    safety_identifier: str | None
    session_id: Id
    trace: OrAnyMapping[Trace]
    debug: OrMapping[Debug]


class ResponsePart(KeptStruct):
    """A part of an item: ``output_text``, ``refusal``, ``reasoning_text``, ``summary_text``.

    `annotations` are the web pages and files that the text rests on.
    """

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None


class ResponseItem(KeptStruct):
    """One item of an answer, which goes back in the ``input`` of the next request as it is.

    `type` is ``message``, ``reasoning``, ``function_call``, ``web_search_call``, one of
    OpenRouter's own (``openrouter:...``) or a kind not known yet; what other kinds carry besides is
    in `extra`. `status` is ``completed``, ``in_progress``, ``incomplete``, ... The output of a call
    has to name its `call_id`; `arguments` is JSON text as the model wrote it; a `result` is an
    image in base64.
    """

    type: str = ""
    id: str | None = None
    status: str | None = None
    role: str | None = None
    phase: str | None = None
    content: list[ResponsePart] | str | None = None
    summary: list[ResponsePart] | None = None
    encrypted_content: str | None = None
    signature: str | None = None
    format: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    code: str | None = None
    action: Any = None
    operation: Any = None
    output: Any = None
    result: Any = None
    error: str | None = None
    model: str | None = None

    @property
    def text(self) -> str:
        """What it says as text; empty where it says nothing."""
        return _text_in(self.content, "output_text")

    @property
    def reasoning(self) -> str:
        """What was thought, or the summary of it; empty where neither is shown."""
        thought = _text_in(self.content, "reasoning_text")
        return thought or "".join(part.text or "" for part in self.summary or ())


class ResponseTokensDetails(WireStruct):
    """Parts of the counts of `ResponseUsage`, which they must not be added to."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class ResponseUsage(WireStruct):
    """Tokens and money of one answer; `cost` is USD, None where the server does not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    is_byok: bool | None = None
    input_tokens_details: ResponseTokensDetails | None = None
    output_tokens_details: ResponseTokensDetails | None = None
    cost_details: dict[str, Any] | None = None
    server_tool_use_details: dict[str, Any] | None = None


class Response(Arrived):
    """A whole answer of ``/responses``, or what had arrived of it.

    `status` is ``completed``, ``incomplete``, ``failed``, ``in_progress``, ...; the reason why it
    is not whole is in `incomplete_details`, such as ``max_output_tokens``. Every item of `output`
    can go into the next ``input``; the ``_config`` fields are ``text`` and ``reasoning`` of the
    request.
    """

    id: str | None = None
    object: str | None = None
    created_at: int | None = None
    completed_at: int | None = None
    status: str | None = None
    model: str | None = None
    output: list[ResponseItem] = field(default_factory=list[ResponseItem])
    output_text: str | None = None
    usage: ResponseUsage | None = None
    error: ErrorBody | None = None
    error_type: str | None = None
    incomplete_details: dict[str, Any] | None = None
    service_tier: str | None = None
    openrouter_metadata: dict[str, Any] | None = None
    alignment: dict[str, Any] | None = None
    safeguard_results: list[Any] | None = None
    instructions: Any = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_config: dict[str, Any] | None = field(default=None, name="reasoning")
    text_config: dict[str, Any] | None = field(default=None, name="text")
    truncation: str | None = None
    background: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    prompt: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    safety_identifier: str | None = None
    user: str | None = None

    @property
    def text(self) -> str:
        """The answer's text; empty where there is none."""
        return "".join(item.text for item in self.output) or self.output_text or ""

    @property
    def reasoning(self) -> str:
        """What was thought, as text; empty where it is not shown."""
        return "".join(item.reasoning for item in self.output if item.type == "reasoning")

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why it ended, of what has: ``completed``, or what it is incomplete for."""
        if self.status == "incomplete":
            reason: object = (self.incomplete_details or {}).get("reason")
            return (reason if isinstance(reason, str) else "incomplete",)
        return ("completed",) if self.status == "completed" else ()

    @property
    def function_calls(self) -> list[ResponseItem]:
        """The calls that the model asks for and that can be run; none that was cut off."""
        calls = (item for item in self.output if item.type == "function_call")
        return [call for call in calls if call.status in (None, "completed")]

    @property
    def images(self) -> list[Image]:
        """The images that OpenAI's own tool has drawn."""
        drawn = [item.result for item in self.output if item.type == "image_generation_call"]
        return [_image(result) for result in drawn if isinstance(result, str)]


class ResponseEvent(WireStruct):
    """One event of a ``/responses`` stream, such as ``response.output_text.delta``.

    The indices tell which item of the answer it is about, and which part of it or of its summary;
    `item`, `part` and `response` are as far as they are known, and whole with the last event.
    `whole` is the finished text that the event calls ``text``, `raw` its JSON exactly as it came.
    """

    type: str = ""
    sequence_number: int | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    item_id: str | None = None
    delta: str | None = None
    item: ResponseItem | None = None
    part: ResponsePart | None = None
    response: Response | None = None
    annotation: dict[str, Any] | None = None
    whole: str | None = field(default=None, name="text")
    refusal: str | None = None
    arguments: str | None = None
    partial_image_b64: str | None = None
    partial_image_index: int | None = None
    error: ErrorBody | str | None = None
    raw: bytes = field(default=b"", name="(raw)")

    @property
    def text(self) -> str:
        """The new text of the answer; empty where the event brings none."""
        return (self.delta or "") if self.type == "response.output_text.delta" else ""

    @property
    def reasoning(self) -> str:
        """The new piece of thought, or of its summary; empty where the event brings none."""
        return (self.delta or "") if self.type in _REASONING else ""

    @property
    def data(self) -> dict[str, Any]:
        """Every field of the event, named here or not, decoded anew at each look."""
        return cast("dict[str, Any]", msgspec.json.decode(self.raw)) if self.raw else {}


def _text_in(content: list[ResponsePart] | str | None, kind: str) -> str:
    if not isinstance(content, list):
        return ""
    return "".join(part.text or "" for part in content if part.type == kind)


def _image(result: str) -> Image:
    url = result if result.startswith("data:") else f"data:image/png;base64,{result}"
    return Image(image_url=ImageURL(url=url))
