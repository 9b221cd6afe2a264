"""The pretend model: one chat request in, one answer out.

The rule of this file: the same request gives the same content, and nothing here does I/O or
reads a clock. A request that OpenRouter would refuse raises `RefusedError`, which carries the
status and the sentence.

What is said is decided in this order: a tool call where tools are offered and no tool has
answered yet, a JSON value where a response format asks for one, else prose; with images
behind it where the modalities ask for them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final, cast

import msgspec

from openrouter_async.testing._answer import Answer, Delta, text_delta, tool_deltas, usage_of
from openrouter_async.testing._build import image_item
from openrouter_async.testing._catalog import (
    AUTO_MODEL,
    is_known,
    price_of,
    provider_of,
    resolve,
)
from openrouter_async.testing._documents import Reading, answer_from, read_documents
from openrouter_async.testing._png import draw_png
from openrouter_async.testing._prose import (
    count_tokens,
    fit_schema,
    keywords,
    pieces,
    reply_to,
    thoughts_on,
)
from openrouter_async.testing._tone import in_format

__all__ = ["RefusedError", "answer_to", "read_request", "size_of"]

Request = Mapping[str, Any]

_IMAGE_TOKENS: Final = 1290
_THINKERS: Final = (":thinking", "-r1", "/o1", "/o3", "/o4", "reasoner", "qwq", "-thinking")
_FRAGMENT: Final = 6
_SOUND: Final = 4_800
_KINDS: Final = {
    "max_completion_tokens": int,
    "max_tokens": int,
    "modalities": list,
    "models": list,
    "stream": bool,
    "tools": list,
}


class RefusedError(Exception):
    """A request that gets an error status instead of an answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


def read_request(body: bytes) -> dict[str, Any]:
    """Decode and check the body of a chat request.

    Raises:
        RefusedError: It is no JSON object, has no messages or names no model we know.
    """
    try:
        request = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RefusedError(400, f"Invalid JSON body: {error}") from error
    messages = _mappings(request.get("messages"))
    if not messages:
        raise RefusedError(400, 'Input required: specify "prompt" or "messages"')
    for position, message in enumerate(messages):
        if not isinstance(message.get("role"), str):
            raise RefusedError(400, f"messages[{position}].role: expected a string")
    for name, kind in _KINDS.items():
        if not isinstance(request.get(name), kind | None):
            raise RefusedError(400, f"{name}: expected {kind.__name__}")
    model = _model_of(request)
    if not is_known(model):
        raise RefusedError(400, f"{model} is not a valid model ID")
    return request


def answer_to(request: Request, *, id: str, created: int) -> Answer:
    """Answer a request that `read_request` let through.

    Args:
        request: The request.
        id: The generation id.
        created: Unix time in seconds.
    """
    return _Turn(request).answer(id, created)


@dataclass(slots=True)
class _Turn:
    """One answer in the making."""

    request: Request
    deltas: list[Delta | bytes] = field(default_factory=list[Delta | bytes])
    tokens: int = 0
    reasoning_tokens: int = 0
    image_tokens: int = 0
    finish_reason: str = "stop"
    reading: Reading = field(default_factory=Reading)

    def answer(self, id: str, created: int) -> Answer:
        model = resolve(_model_of(self.request))
        messages = _mappings(self.request["messages"])
        prompt = _prompt_of(messages)
        thinking = _wants_reasoning(self.request)
        if thinking:
            self._think(prompt)
        self.reading = read_documents(messages, _mappings(self.request.get("plugins")))
        self.deltas += (text_delta("", annotations=[note]) for note in self.reading.annotations)
        tool = _tool_to_call(self.request, messages, prompt)
        modalities: Sequence[str] = self.request.get("modalities") or ("text",)
        if tool is not None:
            if thinking:
                self._sign(model)
            self._call(tool, prompt)
        else:
            if "audio" in modalities:
                self._speak(self._text(messages, prompt))
            elif "text" in modalities:
                self._say(self._text(messages, prompt), model, signed=thinking)
            if "image" in modalities:
                self._draw(prompt)
        return self._finished(model, id, created)

    def _text(self, messages: Sequence[Mapping[str, Any]], prompt: str) -> str:
        schema = _response_schema(self.request)
        if schema is not None:
            return msgspec.json.encode(fit_schema(schema, prompt)).decode()
        if "image" in (self.request.get("modalities") or ()):
            return f"Here is a picture of {' and '.join(keywords(prompt)) or 'a quiet place'}."
        last = messages[-1]
        if last.get("role") == "tool":
            return f"The tool says: {_text_of(last)[:300]}. {reply_to(prompt)}"
        if self.reading.pages:
            return answer_from(self.reading.pages, prompt)
        return reply_to(prompt)

    def _think(self, prompt: str) -> None:
        for piece in pieces(thoughts_on(prompt), size=3):
            self.reasoning_tokens += count_tokens(piece)
            detail = {"type": "reasoning.text", "text": piece, "index": 0, "format": None}
            self.deltas.append(text_delta("", reasoning=piece, reasoning_details=[detail]))
        self.tokens += self.reasoning_tokens

    def _sign(self, model: str) -> None:
        """Send the signature of the reasoning, which comes late, behind the first text."""
        detail = {
            "type": "reasoning.text",
            "text": "",
            "index": 0,
            "format": None,
            "signature": hashlib.sha256(model.encode()).hexdigest(),
        }
        self.deltas.append(text_delta("", reasoning_details=[detail]))

    def _say(self, text: str, model: str, *, signed: bool) -> None:
        limit = self.request.get("max_completion_tokens") or self.request.get("max_tokens")
        size = 0
        for position, piece in enumerate(pieces(text)):
            size += count_tokens(piece)
            if limit is not None and size > limit:
                self.finish_reason = "length"
                break
            self.tokens += count_tokens(piece)
            self.deltas.append(text_delta(piece))
            if signed and position == 0:
                self._sign(model)

    def _call(self, function: Mapping[str, Any], prompt: str) -> None:
        value = fit_schema({"type": "object", **_mapping(function.get("parameters"))}, prompt)
        arguments = msgspec.json.encode(value).decode()
        fragments = [
            arguments[start : start + _FRAGMENT] for start in range(0, len(arguments), _FRAGMENT)
        ]
        seed = f"{function['name']}{arguments}{len(self.request['messages'])}"
        id = "call_" + hashlib.sha256(seed.encode()).hexdigest()[:24]
        self.deltas += tool_deltas(0, id, function["name"], fragments)
        self.tokens += count_tokens(arguments)
        self.finish_reason = "tool_calls"

    def _speak(self, text: str) -> None:
        if self.request.get("stream") is not True:
            raise RefusedError(400, "Audio output requires stream: true")
        name = _mapping(self.request.get("audio")).get("format") or "pcm16"
        sound = in_format(text, str(name))
        if sound is None:
            raise RefusedError(400, f"audio.format {name} is not supported")
        id = "audio_" + hashlib.sha256(text.encode()).hexdigest()[:24]
        spoken: list[dict[str, Any]] = [{"transcript": piece} for piece in pieces(text)]
        spoken += [
            {"data": base64.b64encode(sound[start : start + _SOUND]).decode()}
            for start in range(0, len(sound), _SOUND)
        ]
        self.deltas += [{"role": "assistant", "audio": {"id": id, **piece}} for piece in spoken]
        self.tokens += count_tokens(text)

    def _draw(self, prompt: str) -> None:
        config = _mapping(self.request.get("image_config"))
        width, height = size_of(str(config.get("aspect_ratio") or "1:1"))
        words = " ".join(word.lower() for word in keywords(prompt, 12)) or prompt
        image = image_item(draw_png(words, width, height))
        self.deltas.append(text_delta("", images=[image]))
        self.image_tokens += _IMAGE_TOKENS
        self.tokens += _IMAGE_TOKENS

    def _finished(self, model: str, id: str, created: int) -> Answer:
        price = price_of(model)
        prompt_tokens = sum(
            count_tokens(_text_of(message)) for message in _mappings(self.request["messages"])
        )
        prompt_tokens += sum(count_tokens(page.text) for page in self.reading.pages)
        usage = usage_of(
            prompt_tokens,
            self.tokens,
            prompt_cost=round(prompt_tokens * price.prompt, 10),
            completion_cost=round(self.tokens * price.completion, 10),
            reasoning_tokens=self.reasoning_tokens,
            image_tokens=self.image_tokens,
        )
        # Parsing is charged beside what the model's tokens cost.
        usage["cost"] = round(usage["cost"] + self.reading.cost, 12)
        return Answer(
            deltas=self.deltas,
            id=id,
            model=model,
            provider=provider_of(model),
            created=created,
            finish_reason=self.finish_reason,
            native_finish_reason=self.finish_reason,
            usage=usage,
        )


def _model_of(request: Request) -> str:
    models: Sequence[str] = request.get("models") or ()
    return str(request.get("model") or next(iter(models), AUTO_MODEL))


def _mapping(value: object) -> Mapping[str, Any]:
    """Give an object that came from JSON; anything else counts as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    """Give the objects of a list that came from JSON; a string or null has none."""
    if not isinstance(value, list):
        return []
    return [
        cast("dict[str, Any]", item)
        for item in cast("list[object]", value)
        if isinstance(item, dict)
    ]


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return " ".join(
        str(part.get("text")) for part in _mappings(content) if part.get("type") == "text"
    )


def _prompt_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """Give the text of the last thing that the user said."""
    said = [_text_of(message) for message in messages if message.get("role") == "user"]
    return said[-1] if said else _text_of(messages[-1])


def _wants_reasoning(request: Request) -> bool:
    if asked := _mapping(request.get("reasoning")):
        wanted = asked.get("enabled") is not False and asked.get("effort") != "none"
        return wanted and not asked.get("exclude")
    effort = request.get("reasoning_effort")
    if effort is not None:
        return bool(effort != "none")
    if request.get("include_reasoning") is not None:
        return bool(request["include_reasoning"])
    return any(hint in _model_of(request) for hint in _THINKERS)


def _tool_to_call(
    request: Request, messages: Sequence[Mapping[str, Any]], prompt: str
) -> Mapping[str, Any] | None:
    tools = [_mapping(tool.get("function")) for tool in _mappings(request.get("tools"))]
    functions = [function for function in tools if isinstance(function.get("name"), str)]
    choice = request.get("tool_choice")
    if not functions or choice == "none" or messages[-1].get("role") == "tool":
        return None
    if wanted := _mapping(_mapping(choice).get("function")).get("name"):
        return next((one for one in functions if one["name"] == wanted), functions[0])
    words = [word.lower() for word in keywords(prompt, 12)]
    return next(
        (one for one in functions if any(word in one["name"].lower() for word in words)),
        functions[0],
    )


def _response_schema(request: Request) -> Mapping[str, Any] | None:
    wanted = _mapping(request.get("response_format"))
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    if wanted.get("type") == "json_schema":
        return _mapping(_mapping(wanted.get("json_schema")).get("schema"))
    return None


def size_of(aspect_ratio: str) -> tuple[int, int]:
    """Give width and height of about 512 x 512 pixels, in multiples of 16."""
    width, _, height = aspect_ratio.partition(":")
    try:
        ratio = float(width) / float(height)
    except (ValueError, ZeroDivisionError):
        ratio = 1.0
    stretch = sqrt(min(max(ratio, 1 / 8), 8.0))
    return round(512 * stretch / 16) * 16, round(512 / stretch / 16) * 16
