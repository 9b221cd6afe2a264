"""The Vercel AI SDK's UI message stream: chunks and the events of a tool run, as its parts.

The rule of this file: values in, bytes out. It keeps which part is open, and nothing of the
answer. Sent are parts that the npm package ``ai`` knows from version 6 on:
https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..tools import (
    RunCall,
    RunEvent,
    ToolCallProgress,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from ..tools._events import Progress
from ..types import ChatChunk, ChatCompletion

__all__ = ["DONE", "UIMessageEncoder", "words_in"]

DONE: Final = b"data: [DONE]\n\n"

_encode: Final = msgspec.json.Encoder(enc_hook=str).encode
_FINISH: Final = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
    "error": "error",
}


# A link is followed by whoever reads the page, and a search can be made to find anything.
_LINKS: Final = ("https://", "http://")


def words_in(chunk: ChatChunk) -> str:
    """Give what a chunk says in words: text, or what is said aloud, or why nothing else is."""
    text = chunk.text
    if text or not chunk.choices:
        return text
    spoken = chunk.audio
    if spoken is not None and spoken.transcript:
        return spoken.transcript
    first = chunk.choices[0]
    return (first.delta.refusal or "") if first.index == 0 else ""


class UIMessageEncoder:
    """Writes one assistant message as it grows."""

    __slots__ = (
        "_calls",
        "_completion",
        "_images",
        "_is_in_step",
        "_is_split",
        "_named",
        "_open",
        "_parts",
        "_progress",
        "_sources",
        "_told",
        "_turn",
    )

    def __init__(self) -> None:
        self._open: tuple[str, bytes, bytes] | None = None  # kind, id, what its deltas begin with
        self._parts = 0
        self._is_split = False  # an image came: text that follows it is a part of its own
        self._is_in_step = False
        self._turn = 0
        self._progress: Progress | None = None  # for streams that do not follow their calls
        self._calls: dict[int, str] = {}  # the ids of this turn's calls, by position
        self._named: dict[str, str] = {}  # the id that the run gives a call -> the one told
        self._told: dict[str, int] = {}  # the ids told -> the turn that each is of
        self._completion: ChatCompletion | None = None
        self._images: set[int] = set()  # hashes: keeping the URLs would keep the images
        self._sources: dict[str, None] = {}

    def begin(self) -> bytes:
        """Write what comes before everything else."""
        return _frame({"type": "start"})

    def chunk(self, chunk: ChatChunk) -> bytes:
        """Write what a chunk of a plain stream says, its tool calls included."""
        frames = self._say(chunk)
        if chunk.tool_calls:
            if self._progress is None:
                self._progress = Progress()
            frames += b"".join(self._input_piece(piece) for piece in self._progress.of(chunk))
        return frames

    def event(self, event: RunEvent) -> bytes:
        """Write what an event of a tool run says."""
        if isinstance(event, ChatChunk):
            return self._say(event)
        if isinstance(event, ToolCallProgress):
            return self._input_piece(event)
        if isinstance(event, TurnStarted):
            frames = self._close_step()
            self._turn = event.turn
            return frames
        if isinstance(event, TurnFinished):
            return self._turn_finished(event.completion)
        if isinstance(event, ToolStarted):
            return b""  # its input was told when the turn had ended
        return self._output(event)

    def end(self, completion: ChatCompletion | None, metadata: Mapping[str, Any]) -> bytes:
        """Write the end of a message that is whole.

        Args:
            completion: The whole answer, where it is known, for the calls that the page runs.
            metadata: What is told of the message as a whole.
        """
        frames = b""
        if completion is not None and completion is not self._completion:
            frames = self._turn_finished(completion)
        frames += self._close_part() + self._close_step()
        last = completion or self._completion
        reason = last.finish_reason if last is not None else None
        finish: dict[str, Any] = {"type": "finish", "messageMetadata": dict(metadata)}
        if reason is not None:
            finish["finishReason"] = _FINISH.get(reason, "other")
        return frames + _frame(finish) + DONE

    def fail(self, words: str) -> bytes:
        """Write the end of a message that broke off; what was said stays said."""
        return self._close_part() + _frame({"type": "error", "errorText": words}) + DONE

    # Text and reasoning.

    def _say(self, chunk: ChatChunk) -> bytes:
        frames = b"" if self._is_in_step else self._open_step()
        reasoning = chunk.reasoning
        if reasoning:
            frames += self._delta("reasoning", reasoning)
        words = words_in(chunk)
        if words:
            frames += self._delta("text", words)
        for image in chunk.images:
            mark = hash(image.url)
            if image.url and mark not in self._images:
                self._images.add(mark)
                # Behind an address there is no telling which kind, but a page asks only whether.
                kind = image.media_type if image.media_type.startswith("image/") else "image/*"
                frames += _frame({"type": "file", "mediaType": kind, "url": image.url})
                self._is_split = True
        if chunk.choices and chunk.choices[0].delta.annotations:
            frames += self._cite(chunk)
        return frames

    def _delta(self, kind: str, text: str) -> bytes:
        frames = b""
        if self._open is None or self._open[0] != kind or self._is_split:
            frames = self._close_part()
            self._is_split = False
            self._parts += 1
            id = b'"%d"' % self._parts
            start = b'data: {"type":"%b-delta","id":%b,"delta":' % (kind.encode(), id)
            self._open = kind, id, start
            frames += b'data: {"type":"%b-start","id":%b}\n\n' % (kind.encode(), id)
        return frames + self._open[2] + _encode(text) + b"}\n\n"

    def _cite(self, chunk: ChatChunk) -> bytes:
        frames = b""
        for note in chunk.choices[0].delta.annotations or ():
            cited = note.url_citation
            if cited is None or cited.url in self._sources:
                continue
            if not cited.url.lower().startswith(_LINKS):
                continue
            self._sources[cited.url] = None
            part = {
                "type": "source-url",
                "sourceId": f"source-{len(self._sources)}",
                "url": cited.url,
            }
            if cited.title:
                part["title"] = cited.title
            frames += _frame(part)
        return frames

    # Tools.

    def _input_piece(self, piece: ToolCallProgress) -> bytes:
        frames = b"" if self._is_in_step else self._open_step()
        id, delta = self._calls.get(piece.position), piece.delta
        if id is None:
            if not piece.name:
                return frames  # nobody can tell what it begins; the pieces wait
            delta = piece.arguments
            id = self._calls[piece.position] = self._name_call(piece.position, piece.call_id)
            frames += self._close_part()
            frames += _frame({"type": "tool-input-start", "toolCallId": id, "toolName": piece.name})
        if delta:
            part = {"type": "tool-input-delta", "toolCallId": id, "inputTextDelta": delta}
            frames += _frame(part)
        return frames

    def _name_call(self, position: int, id: str) -> str:
        told = id or f"call-{self._turn}-{position}"
        # Some providers count anew in each turn, and a page takes one id for one call.
        while self._told.setdefault(told, self._turn) != self._turn:
            told = f"{told}-{self._turn}"
        return told

    def _turn_finished(self, completion: ChatCompletion) -> bytes:
        """Write the calls as a whole, and what the next turn needs of the reasoning."""
        self._completion = completion
        message = completion.message
        details = message.reasoning_details
        carried: dict[str, Any] = {}
        if details:
            plain = [detail.to_dict() for detail in details]
            carried["providerMetadata"] = {"openrouter": {"reasoning_details": plain}}
        frames = b"" if not message.tool_calls else self._close_part()
        for position, call in enumerate(message.tool_calls or ()):
            id = self._calls.get(position) or self._name_call(position, call.id)
            self._named[call.id] = id
            head = {"toolCallId": id, "toolName": call.function.name}
            try:
                value = msgspec.json.decode(call.function.arguments or "{}")
            except msgspec.DecodeError:
                words = "The arguments are no JSON."
                part = {"type": "tool-input-error", **head, "input": call.function.arguments}
                frames += _frame({**part, "errorText": words, **carried})
            else:
                frames += _frame(
                    {"type": "tool-input-available", **head, "input": value, **carried}
                )
            carried = {}  # once is enough
        if carried:
            if self._open is None:
                frames += self._delta("reasoning", "")
            frames += self._close_part(carried)
        self._calls = {}
        return frames

    def _output(self, event: ToolFinished) -> bytes:
        call = event.call
        id = self._named.get(call.id, call.id)
        self._told.setdefault(id, self._turn)  # of a call that the messages brought
        head = {"toolCallId": id}
        if call.state == "done":
            return _frame({"type": "tool-output-available", **head, "output": _told(call)})
        if call.state == "denied":
            return _frame({"type": "tool-output-denied", **head})
        words = call.content if isinstance(call.content, str) else "The tool failed."
        return _frame({"type": "tool-output-error", **head, "errorText": words})

    # Parts and steps.

    def _close_part(self, more: Mapping[str, Any] | None = None) -> bytes:
        if self._open is None:
            return b""
        kind, id, _ = self._open
        self._open = None
        return _frame({"type": f"{kind}-end", "id": msgspec.json.decode(id), **(more or {})})

    def _open_step(self) -> bytes:
        self._is_in_step = True
        return _frame({"type": "start-step"})

    def _close_step(self) -> bytes:
        if not self._is_in_step:
            return b""
        self._is_in_step = False
        return self._close_part() + _frame({"type": "finish-step"})


def _frame(part: Mapping[str, Any]) -> bytes:
    return b"data: " + _encode(part) + b"\n\n"


def _told(call: RunCall) -> object:
    """Give a call's result as plain data: what the model was told of it."""
    if isinstance(call.content, str) and not isinstance(call.result, str):
        return msgspec.json.decode(call.content)
    return call.content
