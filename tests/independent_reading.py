"""A second, slow reading of a recorded body, to hold the package's own against.

The rule of this file: the standard library and nothing else. It shares no code with the package
and no idea either: the whole body is decoded, cut into lines and read with `json`, and what the
chunks add up to is written down plainly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

__all__ = ["Reading", "events_in", "read_completion", "read_stream", "without_nulls"]

Ending: TypeAlias = Literal["complete", "complete_no_sentinel", "complete_no_reason", "truncated"]


@dataclass
class Call:
    """One tool call, as its pieces add up."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class Said:
    """What one choice has said."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    open_calls: dict[int, Call] = field(default_factory=dict[int, Call])
    images: list[str] = field(default_factory=list[str])
    annotations: list[Any] = field(default_factory=list[Any])
    details: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    finish_reason: str | None = None

    @property
    def calls(self) -> list[Call]:
        """The tool calls, by their index."""
        return [self.open_calls[index] for index in sorted(self.open_calls)]


@dataclass
class Reading:
    """What a body says, from its first byte to its last whole event."""

    choices: dict[int, Said] = field(default_factory=dict[int, Said])
    pieces: list[str] = field(default_factory=list[str])
    usage: dict[str, Any] | None = None
    id: str | None = None
    model: str | None = None
    provider: str | None = None
    error: dict[str, Any] | None = None
    chunks: int = 0
    done: bool = False

    @property
    def first(self) -> Said:
        """The first choice, an empty one where there is none."""
        return self.choices.get(0, Said())

    @property
    def ending(self) -> Ending:
        """How a body without an error ends."""
        reasons = [said.finish_reason for said in self.choices.values()]
        finished = bool(reasons) and None not in reasons
        if self.done:
            return "complete" if finished else "complete_no_reason"
        return "complete_no_sentinel" if finished else "truncated"


def events_in(body: bytes) -> list[str]:
    """Give the data of each whole event of a body."""
    text = body.decode("utf-8").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    events: list[str] = []
    data: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        if line == "":
            if data:
                events.append("\n".join(data))
            data = []
        elif line == "data" or line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return events


def read_stream(body: bytes) -> Reading:
    """Read a streamed answer, up to `[DONE]` or to the error in it."""
    reading = Reading()
    for event in events_in(body):
        if event == "[DONE]":
            reading.done = True
            break
        chunk: dict[str, Any] = json.loads(event)
        if chunk.get("error"):
            reading.error = chunk["error"]
        _take(reading, chunk, "delta")
        if reading.error is not None:
            break
    return reading


def read_completion(body: bytes) -> Reading:
    """Read the answer that is not streamed."""
    answer: dict[str, Any] = json.loads(body)
    reading = Reading(error=answer.get("error"))
    _take(reading, answer, "message")
    return reading


def without_nulls(value: Any) -> Any:
    """Give plain data without the entries of objects that are null."""
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {key: without_nulls(item) for key, item in pairs if item is not None}
    return [without_nulls(item) for item in _list(value)] if isinstance(value, list) else value


def _list(value: Any) -> list[Any]:
    """Give a JSON array, an empty one where there is none."""
    return cast("list[Any]", value or [])


def _take(reading: Reading, chunk: dict[str, Any], part: str) -> None:
    reading.chunks += 1
    reading.id = reading.id or chunk.get("id")
    reading.model = reading.model or chunk.get("model")
    reading.provider = reading.provider or chunk.get("provider")
    if chunk.get("usage") is not None:
        reading.usage = chunk["usage"]
    for choice in _list(chunk.get("choices")):
        index: int = choice.get("index", 0)
        said = reading.choices.setdefault(index, Said())
        before = len(said.text)
        _hear(said, choice.get(part) or {})
        if index == 0:
            reading.pieces.append(said.text[before:])
        if choice.get("finish_reason") is not None:
            said.finish_reason = choice["finish_reason"]
        if choice.get("error"):
            reading.error = choice["error"]


def _hear(said: Said, delta: dict[str, Any]) -> None:
    content: Any = delta.get("content")
    thought = ""
    if isinstance(content, list):
        for part in _list(cast("Any", content)):
            if part.get("type") == "thinking":
                thought += "".join(piece["text"] for piece in _list(part["thinking"]))
            else:
                said.text += part.get("text") or ""
    else:
        said.text += content or ""
    said.reasoning += delta.get("reasoning") or delta.get("reasoning_content") or thought
    said.refusal += delta.get("refusal") or ""
    said.details += _list(delta.get("reasoning_details"))
    for image in _list(delta.get("images")):
        url: str = image["image_url"]["url"]
        if url not in said.images:
            said.images.append(url)
    for annotation in _list(delta.get("annotations")):
        if annotation not in said.annotations:
            said.annotations.append(annotation)
    for position, piece in enumerate(_list(delta.get("tool_calls"))):
        call = said.open_calls.setdefault(piece.get("index", position), Call())
        call.id = call.id or piece.get("id") or ""
        function: dict[str, Any] = piece.get("function") or {}
        call.name = call.name or function.get("name") or ""
        call.arguments += function.get("arguments") or ""
