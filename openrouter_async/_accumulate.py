"""Chunks add up to a completion here, by one named rule a field.

The rule of this file: pure. Chunks in, a `ChatCompletion` out at any moment; no I/O, no clock.

| field | rule |
|---|---|
| content, reasoning, refusal | pieces in the order of arrival, joined once when asked for |
| reasoning_details | `_Reasoning`: pieces of one block by kind and index; order kept |
| tool_calls | `_ToolCalls`: pieces of one call by its logical index |
| images | each once, by URL |
| annotations | in order, an equal one once |
| audio | `_joined_audio`: data and transcript joined |
| logprobs | token lists appended |
| finish_reason | the last one that is not null; it may be repeated |
| usage | replaced, never summed |
| id, model, provider, ... | the first one that is not null |

`Outline` gathers what costs no memory; `Accumulator` gathers the answer as well.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
from typing import Final

import msgspec

from .types import (
    Annotation,
    AudioDelta,
    ChatChunk,
    ChatCompletion,
    Choice,
    ChunkChoice,
    Delta,
    ErrorBody,
    FunctionCall,
    Image,
    Logprobs,
    Message,
    ReasoningDetail,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from .types.chat import reasoning_of, text_of

__all__ = ["Accumulator", "Outline"]

_CUTTING: Final = frozenset({"length", "content_filter", "error"})
"""Reasons that end an answer before its time: a tool call may be cut in the middle then."""

_MERGED_KINDS: Final = frozenset({"reasoning.text", "reasoning.summary"})


class Outline:
    """What a stream has said besides its content: who answers, what it cost, how it ends.

    Attributes:
        deltas: How many choices of chunks have said something; roles and empty text do not.
        failed: The error that a choice carries.
    """

    __slots__ = (
        "_finish_reasons",
        "created",
        "deltas",
        "failed",
        "id",
        "model",
        "native_finish_reasons",
        "openrouter_metadata",
        "provider",
        "service_tier",
        "system_fingerprint",
        "usage",
    )

    def __init__(self) -> None:
        self.id: str | None = None
        self.model: str | None = None
        self.provider: str | None = None
        self.created: int | None = None
        self.system_fingerprint: str | None = None
        self.service_tier: str | None = None
        self.openrouter_metadata: dict[str, object] | None = None
        self.usage: Usage | None = None
        self.deltas: int = 0
        self.failed: ErrorBody | None = None
        self._finish_reasons: dict[int, str | None] = {}
        self.native_finish_reasons: dict[int, str] = {}

    @property
    def finished(self) -> bool:
        """Whether every choice that was opened has a finish reason."""
        reasons = self._finish_reasons
        return bool(reasons) and None not in reasons.values()

    def add(self, chunk: ChatChunk) -> None:
        """Take one chunk."""
        for choice in chunk.choices:
            if choice.index not in self._finish_reasons:
                self._finish_reasons[choice.index] = None
            if says_something(choice.delta):
                self.deltas += 1
            if choice.finish_reason is not None:
                self._finish(choice)
            if choice.error is not None:
                self.failed = choice.error
        if (
            self.id is None
            or self.model is None
            or self.provider is None
            or chunk.usage is not None
            or (self.service_tier is None and chunk.service_tier is not None)
            or (self.system_fingerprint is None and chunk.system_fingerprint is not None)
            or chunk.openrouter_metadata is not None
        ):
            self._identify(chunk)

    def completion(self, *, ended: bool) -> ChatCompletion | None:
        """Give None: the content was not kept."""
        return None

    def _finish(self, choice: ChunkChoice) -> None:
        self._finish_reasons[choice.index] = choice.finish_reason
        if choice.native_finish_reason is not None:
            self.native_finish_reasons[choice.index] = choice.native_finish_reason
        if choice.finish_reason == "error" and self.failed is None:
            self.failed = ErrorBody(message="the provider ended the answer with an error")

    def _identify(self, chunk: ChatChunk) -> None:
        self.id = self.id or chunk.id
        self.model = self.model or chunk.model
        self.provider = self.provider or chunk.provider
        self.created = self.created or chunk.created
        self.system_fingerprint = self.system_fingerprint or chunk.system_fingerprint
        self.service_tier = chunk.service_tier or self.service_tier
        self.openrouter_metadata = chunk.openrouter_metadata or self.openrouter_metadata
        if chunk.usage is not None:
            self.usage = chunk.usage


class Accumulator(Outline):
    """Gathers the whole answer."""

    __slots__ = ("_choices", "_first_text", "_is_first_open")

    def __init__(self) -> None:
        super().__init__()
        first = _ChoiceSoFar(0)  # nearly every chunk is of this one
        self._choices: dict[int, _ChoiceSoFar] = {0: first}
        self._first_text = first.text
        self._is_first_open = False

    def add(self, chunk: ChatChunk) -> None:
        """Take one chunk."""
        for choice in chunk.choices:
            delta = choice.delta
            content: object = delta.content
            # One test for the many chunks that carry text of the first choice and nothing else.
            if (
                isinstance(content, str)
                and choice.index == 0
                and delta.reasoning is None
                and delta.tool_calls is None
                and delta.reasoning_details is None
                and delta.images is None
                and delta.annotations is None
                and delta.audio is None
                and delta.refusal is None
                and delta.reasoning_content is None
                and choice.logprobs is None
                and self._is_first_open
            ):
                if content:
                    self._first_text.append(content)
                    self.deltas += 1
            else:
                self._add_any(choice)
            if choice.finish_reason is not None:
                self._finish(choice)
            if choice.error is not None:
                self.failed = choice.error
        if (
            self.id is None
            or self.model is None
            or self.provider is None
            or chunk.usage is not None
            or (self.service_tier is None and chunk.service_tier is not None)
            or (self.system_fingerprint is None and chunk.system_fingerprint is not None)
            or chunk.openrouter_metadata is not None
        ):
            self._identify(chunk)

    def _add_any(self, choice: ChunkChoice) -> None:
        index = choice.index
        if index not in self._finish_reasons:
            self._finish_reasons[index] = None
            self._is_first_open = self._is_first_open or index == 0
        gathered = self._choices.get(index)
        if gathered is None:
            gathered = self._choices[index] = _ChoiceSoFar(index)
        if gathered.add(choice.delta):
            self.deltas += 1
        if choice.logprobs is not None:
            gathered.add_logprobs(choice.logprobs)

    def completion(self, *, ended: bool) -> ChatCompletion:
        """Give what has been gathered.

        Args:
            ended: The answer came to a good end, so every tool call in it is whole.
        """
        return ChatCompletion(
            id=self.id,
            provider=self.provider,
            model=self.model,
            object="chat.completion",
            created=self.created,
            choices=[
                self._choices[index].build(
                    reason,
                    self.native_finish_reasons.get(index),
                    # An answer that broke off is not over, though the error is its reason.
                    (ended or reason is not None) and reason not in _CUTTING,
                )
                for index, reason in sorted(self._finish_reasons.items())
                if index in self._choices
            ],
            usage=self.usage,
            system_fingerprint=self.system_fingerprint,
            service_tier=self.service_tier,
            openrouter_metadata=self.openrouter_metadata,
        )


def says_something(delta: Delta) -> bool:
    """Whether a delta carries a piece of the answer; a role or an empty text does not."""
    return bool(
        delta.content
        or delta.reasoning
        or delta.tool_calls
        or delta.reasoning_details
        or delta.images
        or delta.annotations
        or delta.audio is not None
        or delta.refusal
        or delta.reasoning_content
    )


class _ChoiceSoFar:
    """One choice while its deltas come."""

    __slots__ = (
        "_annotations",
        "_audio",
        "_images",
        "_index",
        "_logprobs",
        "_reasoning",
        "_reasoning_details",
        "_refusal",
        "_role",
        "_tool_calls",
        "text",
    )

    def __init__(self, index: int) -> None:
        self._index = index
        self._role: str | None = None
        self.text: list[str] = []
        self._reasoning: list[str] = []
        self._reasoning_details: _Reasoning | None = None
        self._tool_calls: _ToolCalls | None = None
        self._images: list[Image] = []
        self._annotations: list[Annotation] = []
        self._audio: list[AudioDelta] = []
        self._refusal: list[str] = []
        self._logprobs: Logprobs | None = None

    def add(self, delta: Delta) -> bool:
        """Take one delta; tell whether it said something."""
        content = delta.content
        if content:
            self.text.append(content if isinstance(content, str) else text_of(content))
        if self._role is None:
            self._role = delta.role
        reasoning = reasoning_of(delta)
        if reasoning:
            self._reasoning.append(reasoning)
        if delta.reasoning_details is not None:
            if self._reasoning_details is None:
                self._reasoning_details = _Reasoning()
            for detail in delta.reasoning_details:
                self._reasoning_details.add(detail)
        if delta.tool_calls:
            if self._tool_calls is None:
                self._tool_calls = _ToolCalls()
            for call in delta.tool_calls:
                self._tool_calls.add(call)
        for image in delta.images or ():
            if all(image.url != known.url for known in self._images):
                self._images.append(image)
        for annotation in delta.annotations or ():
            if annotation not in self._annotations:
                self._annotations.append(annotation)
        if delta.audio is not None:
            self._audio.append(delta.audio)
        if delta.refusal:
            self._refusal.append(delta.refusal)
        return bool(
            content
            or reasoning
            or delta.reasoning_details
            or delta.tool_calls
            or delta.images
            or delta.annotations
            or delta.audio is not None
            or delta.refusal
        )

    def add_logprobs(self, logprobs: Logprobs) -> None:
        """Append the lists of one chunk's logprobs."""
        if self._logprobs is None:
            self._logprobs = Logprobs()
        for name in logprobs.__struct_fields__:
            new: list[object] | None = getattr(logprobs, name)
            known: list[object] | None = getattr(self._logprobs, name)
            if new is not None and known is None:
                setattr(self._logprobs, name, list(new))
            elif new is not None and known is not None:
                known.extend(new)

    def build(self, reason: str | None, native: str | None, ended: bool) -> Choice:
        """Give the choice so far."""
        calls, open_calls = self._tool_calls.build(ended) if self._tool_calls else ([], [])
        details = self._reasoning_details
        text = "".join(self.text)
        message = Message(
            role=self._role or "assistant",
            content=text if text or not (calls or open_calls) else None,
            refusal="".join(self._refusal) or None,
            reasoning="".join(self._reasoning) or None,
            # An empty list is a statement too, and has to go back as one.
            reasoning_details=details.build() if details is not None else None,
            tool_calls=calls or None,
            open_tool_calls=open_calls or None,
            images=list(self._images) or None,
            annotations=list(self._annotations) or None,
            audio=_joined_audio(self._audio),
        )
        return Choice(
            index=self._index,
            message=message,
            finish_reason=reason,
            native_finish_reason=native,
            logprobs=copy.deepcopy(self._logprobs),
        )


class _Reasoning:
    """Blocks of reasoning from their pieces.

    Pieces of text or summary with the same index belong to one block, also where other things
    came in between: a signature often comes alone, after the answer's text has begun. A signed
    block is closed, since more text would make its signature wrong. Other kinds are whole.
    """

    __slots__ = ("_blocks", "_open")

    def __init__(self) -> None:
        self._blocks: list[tuple[ReasoningDetail, list[str]]] = []
        self._open: dict[tuple[str, int | None], tuple[ReasoningDetail, list[str]]] = {}

    def add(self, piece: ReasoningDetail) -> None:
        text = piece.text if piece.type == "reasoning.text" else piece.summary
        if piece.type not in _MERGED_KINDS:
            self._blocks.append((piece, []))
            return
        key = (piece.type, piece.index)
        block = self._open.get(key)
        if block is None or (text and block[0].signature) or _differ(block[0].id, piece.id):
            # A copy: the piece belongs to the user's chunk.
            block = self._open[key] = (msgspec.structs.replace(piece), [])
            self._blocks.append(block)
        else:
            first = block[0]
            first.signature = first.signature or piece.signature
            first.format = first.format or piece.format
            first.id = first.id or piece.id
            if piece.extra:
                first.extra = {**(first.extra or {}), **piece.extra}
        if text:
            block[1].append(text)

    def build(self) -> list[ReasoningDetail]:
        return [_with_text(detail, pieces) for detail, pieces in self._blocks]


def _with_text(detail: ReasoningDetail, pieces: list[str]) -> ReasoningDetail:
    if detail.type == "reasoning.text":
        return msgspec.structs.replace(detail, text="".join(pieces) if pieces else detail.text)
    if detail.type == "reasoning.summary":
        whole = "".join(pieces) if pieces else detail.summary
        return msgspec.structs.replace(detail, summary=whole)
    return detail


def _differ(known: str | None, new: str | None) -> bool:
    return bool(known and new and known != new)


class _CallSoFar:
    """One tool call while its pieces come."""

    __slots__ = ("arguments", "extra", "function_extra", "id", "index", "name", "type")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.type = ""
        self.name = ""
        self.arguments: list[str] = []
        self.extra: dict[str, object] | None = None
        self.function_extra: dict[str, object] | None = None


class _ToolCalls:
    """Tool calls from their pieces.

    A piece belongs to the call of its index; without an index to the call of its id; without
    either to the last call. A piece with a name opens a new call even where the provider reuses
    an index or an id, if the name or the id is another one, or if the call has no id and is whole.
    """

    __slots__ = ("_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_CallSoFar] = []
        self._by_index: dict[int, _CallSoFar] = {}

    def add(self, piece: ToolCallDelta) -> None:
        function = piece.function
        name = function.name if function is not None and function.name else ""
        call = self._call_of(piece, name)
        call.id = call.id or piece.id or ""
        call.type = call.type or piece.type or ""
        call.name = call.name or name
        if function is not None and function.arguments:
            call.arguments.append(function.arguments)
        if piece.extra:
            call.extra = {**(call.extra or {}), **piece.extra}
        if function is not None and function.extra:
            call.function_extra = {**(call.function_extra or {}), **function.extra}

    def _call_of(self, piece: ToolCallDelta, name: str) -> _CallSoFar:
        index = piece.index
        last = self._calls[-1] if self._calls else None
        if index is not None:
            call = self._by_index.get(index)
            if call is None and last is not None and last.index is None and not (piece.id or name):
                call = self._by_index[index] = last  # an index that comes late
                last.index = index
        elif piece.id:
            call = next((c for c in reversed(self._calls) if c.id == piece.id), None)
            if call is None and last is not None and not name and not last.id:
                call = last  # an id that comes late
        else:
            call = last
        if call is None or (name and _is_another(call, piece, name)):
            call = _CallSoFar(index)
            self._calls.append(call)
            if index is not None:
                self._by_index[index] = call
        return call

    def build(self, ended: bool) -> tuple[list[ToolCall], list[ToolCall]]:
        """Give the calls that can be run, and those that were cut off."""
        whole: list[ToolCall] = []
        cut: list[ToolCall] = []
        taken: set[str] = set()
        # By index where every call has its own: interleaved calls begin in any order.
        calls = self._calls
        if len(self._by_index) == len(calls):
            calls = [self._by_index[index] for index in sorted(self._by_index)]
        for position, call in enumerate(calls):
            arguments = "".join(call.arguments)
            is_whole = ended or _is_json_object(arguments)
            identifier = call.id
            while not identifier or identifier in taken:
                # The next turn's tool messages refer to calls by id, so each needs its own.
                identifier = f"{identifier or 'call'}_{position}"
            taken.add(identifier)
            (whole if is_whole else cut).append(
                ToolCall(
                    id=identifier,
                    type=call.type or "function",
                    function=FunctionCall(
                        name=call.name,
                        arguments=arguments or ("{}" if is_whole else ""),
                        extra=call.function_extra,
                    ),
                    extra=call.extra,
                )
            )
        return whole, cut


def _is_another(call: _CallSoFar, piece: ToolCallDelta, name: str) -> bool:
    if _differ(call.id, piece.id) or _differ(call.name, name):
        return True
    if call.id or not call.arguments or piece.function is None or not piece.function.arguments:
        return False
    # The last piece first: joining them all for each new one would take quadratic time.
    may_be_whole = call.arguments[-1].rstrip()[-1:] in ("}", "")
    return may_be_whole and _is_json_object("".join(call.arguments))


def _is_json_object(text: str) -> bool:
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _joined_audio(pieces: list[AudioDelta]) -> AudioDelta | None:
    if not pieces:
        return None
    data = [piece.data for piece in pieces if piece.data]
    return AudioDelta(
        id=next((piece.id for piece in pieces if piece.id), None),
        data=_joined_base64(data) if data else None,
        transcript="".join(piece.transcript or "" for piece in pieces) or None,
        expires_at=next((p.expires_at for p in reversed(pieces) if p.expires_at), None),
        format=next((piece.format for piece in pieces if piece.format), None),
    )


def _joined_base64(pieces: list[str]) -> str:
    """Join base64 pieces, which only fit end to end where each is whole by itself."""
    if all(len(piece) % 4 == 0 and not piece.endswith("=") for piece in pieces[:-1]):
        return "".join(pieces)
    try:
        return base64.b64encode(b"".join(map(base64.b64decode, pieces))).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)
