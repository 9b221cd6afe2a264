"""Chunks add up to a completion here, by one named rule a field.

The rule of this file: pure. Chunks in, a `ChatCompletion` out at any moment; no I/O, no clock.

| field | rule |
|---|---|
| content, reasoning, refusal | pieces in the order of arrival, joined once when asked for |
| reasoning_details | `_Reasoning`: pieces of one block by kind and index; order kept |
| tool_calls | `ToolCalls`: pieces of one call by its logical index |
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
from typing import Final

import msgspec

from ._tool_calls import ToolCalls, TooManyError
from .types import (
    Annotation,
    AudioDelta,
    ChatChunk,
    ChatCompletion,
    Choice,
    ChunkChoice,
    Delta,
    ErrorBody,
    Image,
    Logprobs,
    Message,
    ReasoningDetail,
    Usage,
)
from .types.chat import reasoning_of, text_of

__all__ = ["CUTTING", "Accumulator", "Outline"]

CUTTING: Final = frozenset({"length", "content_filter", "error"})
"""Reasons that end an answer before its time: a tool call may be cut in the middle then."""

_LOOSE: Final = 64
"""Pieces of a text before they are joined: each alone takes many times the bytes that it says."""

_MERGED_KINDS: Final = frozenset({"reasoning.text", "reasoning.summary"})


class Outline:
    """What a stream has said besides its content: who answers, what it cost, how it ends.

    Args:
        max_choices: Choices that may be opened.

    Attributes:
        deltas: How many choices of chunks have said something; roles and empty text do not.
        failed: The error that a choice carries.
    """

    __slots__ = (
        "_finish_reasons",
        "_max_choices",
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

    def __init__(self, max_choices: int = 128) -> None:
        self._max_choices = max_choices
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

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """The finish reasons that were seen, in the order of their choices."""
        reasons = (self._finish_reasons[index] for index in sorted(self._finish_reasons))
        return tuple(reason for reason in reasons if reason is not None)

    def add(self, chunk: ChatChunk) -> None:
        """Take one chunk."""
        for choice in chunk.choices:
            if choice.index not in self._finish_reasons:
                self._open(choice.index)
            if says_something(choice.delta):
                self.deltas += 1
            if choice.finish_reason is not None:
                self._finish(choice)
            if choice.error is not None:
                self.failed = choice.error
        if self.learns_from(chunk):
            self._learn(chunk)

    def add_texts(self, texts: list[str]) -> None:
        """Take the texts of chunks that bring the first choice's text and nothing else."""
        self.deltas += len(texts) - texts.count("")

    def learns_from(self, chunk: ChatChunk) -> bool:
        """Whether a chunk tells something new of who answers, how, and at what cost."""
        return (
            chunk.usage is not None
            or chunk.openrouter_metadata is not None
            or (self.id is None and chunk.id is not None)
            or (self.model is None and chunk.model is not None)
            or (self.provider is None and chunk.provider is not None)
            or (self.created is None and chunk.created is not None)
            or (self.service_tier is None and chunk.service_tier is not None)
            or (self.system_fingerprint is None and chunk.system_fingerprint is not None)
        )

    @property
    def knows_who(self) -> bool:
        """Whether no chunk can tell anything new of who answers."""
        return None not in (self.id, self.model, self.provider, self.created)

    @property
    def has_opened_first(self) -> bool:
        """Whether the first choice has come."""
        return 0 in self._finish_reasons

    def completion(self, *, ended: bool) -> ChatCompletion | None:
        """Give None: the content was not kept."""
        return None

    @property
    def annotations(self) -> list[Annotation]:
        """None, as the content was not kept."""
        return []

    def _open(self, index: int) -> None:
        if len(self._finish_reasons) >= self._max_choices:
            raise TooManyError(f"more than {self._max_choices} choices (Limits.max_choices)")
        self._finish_reasons[index] = None

    def _finish(self, choice: ChunkChoice) -> None:
        self._finish_reasons[choice.index] = choice.finish_reason
        if choice.native_finish_reason is not None:
            self.native_finish_reasons[choice.index] = choice.native_finish_reason
        if choice.finish_reason == "error" and self.failed is None:
            self.failed = ErrorBody(message="the provider ended the answer with an error")

    def _learn(self, chunk: ChatChunk) -> None:
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
    """Gathers the whole answer.

    Args:
        max_choices: Choices that may be opened.
        max_tool_calls: Tool calls that each of them may open.
    """

    __slots__ = ("_choices", "_max_tool_calls")

    def __init__(self, max_choices: int = 128, max_tool_calls: int = 1_024) -> None:
        super().__init__(max_choices)
        self._max_tool_calls = max_tool_calls
        self._choices: dict[int, _ChoiceSoFar] = {}

    def add(self, chunk: ChatChunk) -> None:
        """Take one chunk."""
        for choice in chunk.choices:
            self._gather(choice)
            if choice.finish_reason is not None:
                self._finish(choice)
            if choice.error is not None:
                self.failed = choice.error
        if self.learns_from(chunk):
            self._learn(chunk)

    def add_texts(self, texts: list[str]) -> None:
        """Take the texts of chunks that bring the first choice's text and nothing else."""
        super().add_texts(texts)
        self._choices[0].add_texts(texts)

    def _gather(self, choice: ChunkChoice) -> None:
        index = choice.index
        if index not in self._finish_reasons:
            self._open(index)
        gathered = self._choices.get(index)
        if gathered is None:
            gathered = self._choices[index] = _ChoiceSoFar(index, self._max_tool_calls)
        if gathered.add(choice.delta):
            self.deltas += 1
        if choice.logprobs is not None:
            gathered.add_logprobs(choice.logprobs)

    @property
    def annotations(self) -> list[Annotation]:
        """Those of the first choice so far."""
        return list(self._choices[0].annotations) if 0 in self._choices else []

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
                    (ended or reason is not None) and reason not in CUTTING,
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
        "_audio",
        "_images",
        "_index",
        "_logprobs",
        "_max_tool_calls",
        "_reasoning",
        "_reasoning_details",
        "_refusal",
        "_role",
        "_says_text",
        "_solid",
        "_solid_reasoning",
        "_text",
        "_tool_calls",
        "annotations",
    )

    def __init__(self, index: int, max_tool_calls: int) -> None:
        self._index = index
        self._max_tool_calls = max_tool_calls
        self._role: str | None = None
        self._says_text = False  # an empty text is another answer than none
        self._text: list[str] = []
        self._solid = self._solid_reasoning = 0  # how many pieces in front are joined ones
        self._reasoning: list[str] = []
        self._reasoning_details: _Reasoning | None = None
        self._tool_calls: ToolCalls | None = None
        self._images: list[Image] = []
        self.annotations: list[Annotation] = []
        self._audio: list[AudioDelta] = []
        self._refusal: list[str] = []
        self._logprobs: Logprobs | None = None

    def add(self, delta: Delta) -> bool:
        """Take one delta; tell whether it said something."""
        content = delta.content
        if (
            isinstance(content, str)
            and self._role is not None
            and delta.reasoning is None
            and delta.reasoning_details is None
            and delta.tool_calls is None
            and delta.images is None
            and delta.annotations is None
            and delta.audio is None
            and delta.refusal is None
            and delta.reasoning_content is None
        ):
            self._says_text = True
            if content:
                text = self._text
                text.append(content)
                if len(text) - self._solid > _LOOSE:
                    self._solid = _solidified(text, self._solid)
                return True
            return False
        if content is not None:
            self._says_text = True
        if content:
            self._text.append(content if isinstance(content, str) else text_of(content))
        if self._role is None:
            self._role = delta.role
        reasoning = reasoning_of(delta)
        if reasoning:
            self._reasoning.append(reasoning)
            if len(self._reasoning) - self._solid_reasoning > _LOOSE:
                self._solid_reasoning = _solidified(self._reasoning, self._solid_reasoning)
        if delta.reasoning_details is not None:
            if self._reasoning_details is None:
                self._reasoning_details = _Reasoning()
            for detail in delta.reasoning_details:
                self._reasoning_details.add(detail)
        if delta.tool_calls:
            if self._tool_calls is None:
                self._tool_calls = ToolCalls(self._max_tool_calls)
            for call in delta.tool_calls:
                self._tool_calls.add(call)
        for image in delta.images or ():
            if all(image.url != known.url for known in self._images):
                self._images.append(image)
        for annotation in delta.annotations or ():
            if annotation not in self.annotations:
                self.annotations.append(annotation)
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

    def add_texts(self, texts: list[str]) -> None:
        """Take the texts of deltas that bring nothing else."""
        self._says_text = True
        self._text.append("".join(texts))

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
        text = "".join(self._text)
        message = Message(
            role=self._role or "assistant",
            content=text if text or (self._says_text and not (calls or open_calls)) else None,
            refusal="".join(self._refusal) or None,
            reasoning="".join(self._reasoning) or None,
            # An empty list is a statement too, and has to go back as one.
            reasoning_details=details.build() if details is not None else None,
            tool_calls=calls or None,
            open_tool_calls=open_calls or None,
            images=list(self._images) or None,
            annotations=list(self.annotations) or None,
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


def _solidified(pieces: list[str], solid: int) -> int:
    """Join the loose pieces behind the solid ones; give how many are solid then."""
    pieces[solid:] = ["".join(pieces[solid:])]
    return solid + 1


def _with_text(detail: ReasoningDetail, pieces: list[str]) -> ReasoningDetail:
    if detail.type == "reasoning.text":
        return msgspec.structs.replace(detail, text="".join(pieces) if pieces else detail.text)
    if detail.type == "reasoning.summary":
        whole = "".join(pieces) if pieces else detail.summary
        return msgspec.structs.replace(detail, summary=whole)
    return detail


def _differ(known: str | None, new: str | None) -> bool:
    return bool(known and new and known != new)


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
