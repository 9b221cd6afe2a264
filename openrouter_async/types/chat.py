"""Chat: the chunks of a stream and the completion they add up to, which `_accumulate` says how.

Field by field this follows recorded traffic, which is wider than the API's published description:
``images``, ``annotations``, ``provider`` and ``native_finish_reason`` are missing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import field

from ._arrived import Answer
from ._history import next_turn
from ._shown import answer_as_markdown
from ._struct import KeptStruct, WireStruct
from .arrival import Arrival, SentDocument
from .audio import Speech
from .media import AudioDelta, Image, ImageURL
from .usage import Usage

_ORDINARY_STOPS: Final = frozenset(
    {"stop", "completed", "end_turn", "stop_sequence", "eos", "finish_stop", "finished"}
)
"""What providers call an end that is not remarkable, in lower case."""


class ErrorBody(KeptStruct):
    """The ``error`` object of a body, a chunk or a choice.

    Only `message` is reliably there. `code` has been seen as a number, a string and null.
    """

    code: int | str | None = None
    message: str | None = None
    metadata: dict[str, Any] | None = None
    type: str | None = None
    param: str | None = None
    error_type: str | None = None
    http_status: int | None = None
    availability: dict[str, Any] | None = None

    @classmethod
    def from_text(cls, text: str) -> ErrorBody:
        """Take an ``error`` that is a bare string, as some servers of the dialect send it."""
        return cls(message=text)


class ContentPart(KeptStruct):
    """One part of a content that is a list, as Mistral's reasoning models send it."""

    type: str = ""
    text: str | None = None
    thinking: list[ContentPart] | str | None = None
    image_url: ImageURL | None = None


class ReasoningDetail(KeptStruct):
    """One block of reasoning, to be sent back unchanged in a tool loop.

    `type` is ``reasoning.text``, ``reasoning.summary``, ``reasoning.encrypted``,
    ``reasoning.server_tool_call`` or a kind not known yet; `format` tells whose rules it follows,
    such as ``anthropic-claude-v1``; `index` which block of the answer it is, or is a piece of. The
    `signature` of a text, proof of who wrote it, often comes last and by itself.
    """

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None
    tool_name: str | None = None
    arguments: str | None = None
    result: str | None = None
    tool_call_id: str | None = None


class FunctionCallDelta(KeptStruct):
    """The new part of a function call."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(KeptStruct):
    """The new part of a tool call; any field may be missing, null or repeated."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionCallDelta | None = None


class FunctionCall(KeptStruct):
    """The function of a tool call; `arguments` is JSON text as the model wrote it."""

    name: str = ""
    arguments: str = ""


class ToolCall(KeptStruct):
    """A whole tool call."""

    id: str = ""
    type: str = "function"
    function: FunctionCall = field(default_factory=FunctionCall)
    index: int | None = None


class URLCitation(KeptStruct):
    """A web page that the answer rests on; the indices count characters of the answer."""

    url: str = ""
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class FileAnnotation(KeptStruct):
    """A parsed document; sent back, the document need not be parsed again."""

    hash: str = ""
    name: str | None = None
    content: list[ContentPart] | None = None


class Annotation(KeptStruct):
    """A citation or a parsed file, by `type`; unknown kinds are kept in `.extra`."""

    type: str = ""
    url_citation: URLCitation | None = None
    file: FileAnnotation | None = None


class TopLogprob(WireStruct):
    """One alternative to a token."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None


class TokenLogprob(WireStruct):
    """A token of the answer with its logarithmic probability."""

    token: str = ""
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


class Logprobs(WireStruct):
    """Logarithmic probabilities, in the chat form and in the older parallel-lists form."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None
    reasoning_content: list[TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] | None = None


class Delta(WireStruct):
    """The new part of one choice.

    `role` and an empty `content` repeat on nearly every chunk. The text of `reasoning` stands
    in `reasoning_details` of the same chunk once more.
    """

    role: str | None = None
    content: str | list[ContentPart] | None = None
    reasoning: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    tool_calls: list[ToolCallDelta] | None = None
    images: list[Image] | None = None
    annotations: list[Annotation] | None = None
    audio: AudioDelta | None = None
    refusal: str | None = None
    reasoning_content: str | None = None


class ChunkChoice(WireStruct):
    """What one chunk says of one choice."""

    index: int = 0
    delta: Delta = field(default_factory=Delta)
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: Logprobs | None = None
    error: ErrorBody | None = None


class ChatChunk(WireStruct):
    """One decoded chunk of a chat stream.

    Attributes:
        id: The generation id, ``gen-...``.
        created: Seconds since the epoch.
        provider: Display name of the provider that answers.
        usage: Tokens and cost, usually on the last chunk only.
        openrouter_metadata: How the request was routed, where that was asked for.
        raw: The chunk's JSON exactly as it came; whatever no field names is in here.
    """

    id: str | None = None
    provider: str | None = None
    model: str | None = None
    object: str | None = None
    created: int | None = None
    choices: list[ChunkChoice] = field(default_factory=list[ChunkChoice])
    usage: Usage | None = None
    error: ErrorBody | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    openrouter_metadata: dict[str, Any] | None = None
    debug: dict[str, Any] | None = None
    raw: bytes = field(default=b"", name="(raw)")

    @property
    def text(self) -> str:
        """The new text of the first choice; empty where there is none."""
        choices = self.choices
        if len(choices) == 1:  # as nearly always, and twice as fast
            content = choices[0].delta.content
            if isinstance(content, str) and choices[0].index == 0:
                return content
        for choice in choices:
            if choice.index == 0:
                content = choice.delta.content
                return content if isinstance(content, str) else text_of(content)
        return ""

    @property
    def reasoning(self) -> str:
        """The new reasoning of the first choice; empty where there is none."""
        for choice in self.choices:
            if choice.index == 0:
                delta = choice.delta
                details = delta.reasoning_details
                return reasoning_of(delta) or (details_text(details) if details else "")
        return ""

    @property
    def images(self) -> list[Image]:
        """The new images of the first choice."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.delta.images or []
        return []

    @property
    def audio(self) -> AudioDelta | None:
        """The new piece of sound of the first choice."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.delta.audio
        return None

    @property
    def tool_calls(self) -> list[ToolCallDelta]:
        """The new parts of tool calls of the first choice."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.delta.tool_calls or []
        return []

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended, where this chunk says so."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.finish_reason
        return None


class Message(KeptStruct):
    """What the model said, whole.

    Attributes:
        tool_calls: Calls that are complete and can be run.
        open_tool_calls: Calls that were cut off before their arguments were complete; only a
            partial has them, they never go over the wire, and they must not be run.
    """

    role: str = "assistant"
    content: str | list[ContentPart] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    tool_calls: list[ToolCall] | None = None
    images: list[Image] | None = None
    annotations: list[Annotation] | None = None
    audio: AudioDelta | None = None
    open_tool_calls: list[ToolCall] | None = field(default=None, name="(open_tool_calls)")

    def to_param(self) -> dict[str, Any]:
        """Give this message as the next request has to carry it.

        That is its wire form, but for what providers refuse: reasoning that lacks its signature
        or is there twice, reasoning text without details, blank text beside tool calls. An
        answer's sound goes back as its id.

        >>> call = ToolCall(id="c1", function=FunctionCall(name="now", arguments="{}"))
        >>> Message(content="", tool_calls=[call]).to_param()["content"] is None
        True
        """
        return next_turn(self.to_dict())


class Choice(WireStruct):
    """One whole answer; an `error` is the provider's, after a part of the answer was made."""

    index: int = 0
    message: Message = field(default_factory=Message)
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    logprobs: Logprobs | None = None
    error: ErrorBody | None = None


class ChatCompletion(Answer):  # noqa: PLW1641  (it can be changed, so it has no hash)
    """A whole answer, or, as the `partial` of a stream, what had arrived of it.

    `text`, `reasoning`, `images`, `tool_calls`, `annotations` and `finish_reason` are those of
    the first choice. How the answer came is no part of its wire form, and two answers that say
    the same are equal however they came.

    Attributes:
        arrival: How it came: what `headers`, `timing`, `ending` and the like are read off.
    """

    id: str | None = None
    provider: str | None = None
    model: str | None = None
    object: str | None = None
    created: int | None = None
    choices: list[Choice] = field(default_factory=list[Choice])
    usage: Usage | None = None
    error: ErrorBody | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    openrouter_metadata: dict[str, Any] | None = None
    alignment: dict[str, Any] | None = None
    safeguard_results: list[dict[str, Any]] | None = None
    arrival: Arrival = field(default_factory=Arrival, name="(arrival)")

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, ChatCompletion):
            return NotImplemented
        names = (name for name in ChatCompletion.__struct_fields__ if name != "arrival")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    if not TYPE_CHECKING:  # type checkers refuse the loop by themselves

        def __aiter__(self):
            raise TypeError(
                "this is a whole answer: to loop over a stream, write "
                "`async for chunk in client.stream(...)` without await"
            )

    def _repr_markdown_(self) -> str:
        """Show the answer in a notebook."""
        return answer_as_markdown(self)

    @property
    def message(self) -> Message:
        """The first choice's message; an empty one where there is no choice."""
        return self.choices[0].message if self.choices else Message()

    @property
    def text(self) -> str:
        """The answer's text; empty where there is none."""
        return text_of(self.message.content)

    @property
    def reasoning(self) -> str:
        """The answer's reasoning as text; empty where there is none."""
        message = self.message
        return message.reasoning or details_text(message.reasoning_details)

    @property
    def images(self) -> list[Image]:
        """The answer's images, each once, in order."""
        return self.message.images or []

    @property
    def audio(self) -> Speech | None:
        """The answer's sound, which can be saved and played; None where there is none."""
        spoken = self.message.audio
        if spoken is None or spoken.data is None:
            return None
        return Speech(
            spoken.data,
            spoken.format or "pcm16",
            transcript=spoken.transcript,
            generation_id=self.generation_id,
        )

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls that the model asks for and that can be run."""
        return self.message.tool_calls or []

    @property
    def annotations(self) -> list[Annotation]:
        """Citations and parsed files, in order."""
        return self.message.annotations or []

    @property
    def citations(self) -> list[URLCitation]:
        """The web pages that the answer rests on, in order."""
        return citations_in(self.annotations)

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended: ``stop``, ``length``, ``tool_calls``, ... or None."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def cached_tokens(self) -> int | None:
        """Tokens of the prompt that were read from the prompt cache; None where not said."""
        return self.usage.cached_tokens if self.usage is not None else None

    @property
    def cache_write_tokens(self) -> int | None:
        """Tokens of the prompt that were written to the prompt cache; None where not said."""
        return self.usage.cache_write_tokens if self.usage is not None else None

    @property
    def reasoning_tokens(self) -> int | None:
        """Tokens of the answer that were reasoning; None where not said."""
        return self.usage.reasoning_tokens if self.usage is not None else None

    @property
    def image_tokens(self) -> int | None:
        """Tokens of the answer that were images; None where not said."""
        return self.usage.image_tokens if self.usage is not None else None

    # Whether it says anything.

    @property
    def is_empty(self) -> bool:
        """Whether the first choice says nothing: no text, call, image, sound or refusal."""
        message = self.message
        return not (
            self.text.strip()
            or message.refusal
            or message.tool_calls
            or message.open_tool_calls
            or message.images
            or message.audio is not None
        )

    @property
    def empty_reason(self) -> str | None:
        """Why the answer is empty, as far as it tells; None where it is not.

        It is the first of these that holds: ``"no_choice"``; the finish reason, where that is
        not an ordinary stop (``"length"``, ``"content_filter"``, ...); the provider's own finish
        reason, where that is not an ordinary stop (``"SAFETY"``, ...); ``"reasoning_only"``;
        ``"no_tokens"``, where the usage counts none; ``"nothing"``.
        """
        if not self.is_empty:
            return None
        if not self.choices:
            return "no_choice"
        choice = self.choices[0]
        for reason in (choice.finish_reason, choice.native_finish_reason):
            if reason is not None and reason.lower() not in _ORDINARY_STOPS:
                return reason
        if self.reasoning or choice.message.reasoning_details:
            return "reasoning_only"
        none_counted = self.usage is not None and self.usage.completion_tokens == 0
        return "no_tokens" if none_counted else "nothing"

    # How it came.

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id, from the headers or the body."""
        return self.arrival.headers.get("x-generation-id") or self.id

    @property
    def documents(self) -> tuple[SentDocument, ...]:
        """The documents of the request, and what sending along their parses has saved."""
        return self.arrival.documents


def citations_in(annotations: list[Annotation]) -> list[URLCitation]:
    """Give the web pages among annotations."""
    return [note.url_citation for note in annotations if note.url_citation is not None]


def text_of(content: str | list[ContentPart] | None) -> str:
    """Give the text of a content, of whichever form."""
    if isinstance(content, list):
        return "".join(part.text or "" for part in content if part.thinking is None)
    return content or ""


def reasoning_of(delta: Delta) -> str:
    """Give the reasoning text of a delta, under whichever of its three names it came."""
    if delta.reasoning:
        return delta.reasoning
    if delta.reasoning_content:
        return delta.reasoning_content
    if isinstance(delta.content, list):
        return "".join(_thinking_of(part) for part in delta.content)
    return ""


def details_text(details: list[ReasoningDetail] | None) -> str:
    """Give what reasoning details say as text; encrypted ones say nothing."""
    return "".join(detail.text or detail.summary or "" for detail in details or ())


def _thinking_of(part: ContentPart) -> str:
    if isinstance(part.thinking, list):
        return text_of(part.thinking)
    return part.thinking or ""
