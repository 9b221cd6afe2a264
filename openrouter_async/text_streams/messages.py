"""Streams of ``/messages``: what its events mean, and the message that they add up to.

The rule of this file: pure but for the stream class, which is `GatheredStream` with the names of
this dialect. Blocks are told apart by their index.

| event | what it does |
|---|---|
| ``message_start`` | is the message so far |
| ``content_block_start``, ``content_block_delta`` | begins a block, adds to it |
| ``content_block_stop`` | closes a block: the arguments of a call are whole |
| ``message_delta`` | tells the reason, and counts the usage so far |
| ``message_stop`` | ends the stream, whatever follows |
| ``error`` | fails |
| any other | is handed on, and changes nothing |
"""

from __future__ import annotations

from typing import Final, cast

import msgspec

from ..types.anthropic import (
    AnthropicMessage,
    MessageBlock,
    MessageDelta,
    MessageEvent,
    MessageUsage,
)
from ._gathered import GatheredStream, SoFar, reported

__all__ = ["MessageSoFar", "MessageStream"]

# The field of a delta that has its text, and the block's field that this goes to.
_TEXTS: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
_OF_MESSAGE: Final = ("stop_reason", "stop_sequence", "stop_details", "container")


class MessageSoFar(SoFar[MessageEvent, AnthropicMessage]):
    """An `AnthropicMessage` while its events come."""

    __slots__ = ("_blocks", "_closed", "_key", "_message", "_open", "_pieces")

    def __init__(self) -> None:
        super().__init__()
        self._message = AnthropicMessage()
        self._blocks: dict[int, MessageBlock] = {}
        self._closed: set[int] = set()
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._key: tuple[int, str] | None = None  # the place of the last piece, and its pieces
        self._open: list[str] = []

    def add(self, event: MessageEvent) -> None:
        """Take the next event."""
        delta = event.delta
        if event.type == "content_block_delta" and delta is not None:
            field = _TEXTS.get(delta.type)
            piece = getattr(delta, field) if field is not None else None
            if field is None or not piece:
                self._add_rest(event.index or 0, delta)
                return
            self.deltas += 1
            key = (event.index or 0, field)
            if key != self._key:
                self._key, self._open = key, self._pieces.setdefault(key, [])
            self._open.append(piece)
            return
        self._note(event)

    def _add_rest(self, index: int, delta: MessageDelta) -> None:
        block = self._block(index)
        if delta.citation is not None:
            self.deltas += 1
            block.citations = [*(block.citations or ()), delta.citation]
        if delta.content:
            self.deltas += 1
            before = block.content if isinstance(block.content, str) else ""
            block.content = before + delta.content
        block.encrypted_content = delta.encrypted_content or block.encrypted_content

    def _note(self, event: MessageEvent) -> None:
        match event.type:
            case "message_start" if event.message is not None:
                self._begin(event.message)
            case "content_block_start" if event.content_block is not None:
                # Copies: what the events hold is the user's, and stays as it came.
                self._blocks[event.index or 0] = msgspec.structs.replace(event.content_block)
                # Tools' results and encrypted thoughts come whole, without a delta.
                self.deltas += event.content_block.type not in ("text", "thinking", "tool_use")
            case "content_block_stop":
                self._closed.add(event.index or 0)
            case "message_delta":
                self._close(event)
            case "message_stop":
                self.is_over = True
                self._message.openrouter_metadata = (
                    event.openrouter_metadata or self._message.openrouter_metadata
                )
            case "error" | "":
                self.failed = reported(event.error, event.raw, event.type == "error")
                self.request_id = event.request_id
            case _:
                pass

    def _begin(self, message: AnthropicMessage) -> None:
        self._message = msgspec.structs.replace(message)
        self.id, self.model, self.provider = message.id, message.model, message.provider
        self._blocks = dict(enumerate(message.content))
        self._closed = set(self._blocks)
        self.deltas += bool(self._blocks)
        self.usage = message.usage
        self.finished = message.stop_reason is not None

    def _close(self, event: MessageEvent) -> None:
        if event.delta is not None:
            for name in _OF_MESSAGE:
                value = getattr(event.delta, name)
                if value is not None:
                    setattr(self._message, name, value)
        self.finished = self.finished or self._message.stop_reason is not None
        self._message.context_management = (
            event.context_management or self._message.context_management
        )
        if event.usage is not None:  # what it counts, it counts from the start
            before: MessageUsage = self.usage or MessageUsage()
            self.usage = MessageUsage.from_dict({**before.to_dict(), **event.usage.to_dict()})

    def _block(self, index: int) -> MessageBlock:
        return self._blocks.setdefault(index, MessageBlock())

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why it ended."""
        return self._message.finish_reasons

    def answer(self) -> AnthropicMessage:
        """Give the answer so far."""
        indexes = sorted({*self._blocks, *(index for index, _ in self._pieces)})
        content = [self._whole(index) for index in indexes]
        return msgspec.structs.replace(self._message, content=content, usage=self.usage)

    def _whole(self, index: int) -> MessageBlock:
        block = msgspec.structs.replace(self._blocks.get(index) or MessageBlock())
        for field in _TEXTS.values():
            pieces = self._pieces.get((index, field))
            if pieces is not None and field != "partial_json":
                before: object = getattr(block, field)
                setattr(block, field, "".join([before if isinstance(before, str) else "", *pieces]))
                block.type = block.type or {"text": "text", "thinking": "thinking"}.get(field, "")
        coded = self._pieces.get((index, "partial_json"))
        if coded is not None or block.type == "tool_use":
            self._read_input(block, coded, is_whole=index in self._closed or self.finished)
        return block

    def _read_input(self, block: MessageBlock, coded: list[str] | None, *, is_whole: bool) -> None:
        if coded is None:
            if not is_whole:
                block.input, block.cut_input = None, ""
            return
        block.type = block.type or "tool_use"
        text = "".join(coded)
        block.input, block.cut_input = None, text
        if is_whole:
            try:
                block.input = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError):
                return
            block.cut_input = None


class MessageStream(GatheredStream[MessageEvent, AnthropicMessage]):
    """An answer of ``/messages`` as it comes; made by ``client.messages.stream``."""

    __slots__ = ()

    _gathering = MessageSoFar
    _reader = msgspec.json.Decoder(MessageEvent)
    _event = MessageEvent
    _last_event = b"message_stop"

    @property
    def usage(self) -> MessageUsage | None:
        """Tokens and cost so far; None where the server sent none."""
        return cast("MessageUsage | None", self._so_far.usage)

    @staticmethod
    def _event_of(body: bytes, fields: dict[str, msgspec.Raw]) -> bytes | None:
        if "content" not in fields:
            return None
        return b'{"type":"message_start","message":%b}' % body
