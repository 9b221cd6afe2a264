"""The pretend ``/images`` endpoint: pictures drawn from the prompt, and the models that draw.

The rule of this file: the same request gives the same pictures, and nothing here does I/O. What
OpenRouter would refuse raises `RefusedError`. PNG and SVG are all that can be drawn here.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape

import msgspec

from openrouter_async._sse import encode_event
from openrouter_async.testing._answer import usage_of
from openrouter_async.testing._build import http_error, json_reply
from openrouter_async.testing._desk import BASE_PATH, ReceivedRequest
from openrouter_async.testing._model import RefusedError, size_of
from openrouter_async.testing._png import draw_png
from openrouter_async.testing._prose import count_tokens, keywords, pieces
from openrouter_async.testing._script import Reply
from openrouter_async.testing._steps import Pause, Send, Step

__all__ = ["answer_images"]

_CREATED: Final = 1748372400
_TOKENS: Final = 1_290
_LONGEST_SIDE: Final = 2_048
_ENDPOINTS: Final = re.compile(r"/images/models/([^/]+/[^/]+)/endpoints")
_PIXELS: Final = re.compile(r"(\d+)x(\d+)")
_MEDIA_TYPES: Final = {"png": "image/png", "svg": "image/svg+xml"}


class _Drawer(NamedTuple):
    slug: str
    name: str
    provider: str
    cost: float
    most: int = 1
    streams: bool = False


_DRAWERS: Final = {
    drawer.slug: drawer
    for drawer in (
        _Drawer("openai/gpt-image-1", "OpenAI: GPT Image 1", "OpenAI", 0.011, 10, streams=True),
        _Drawer("bytedance-seed/seedream-4.5", "ByteDance: Seedream 4.5", "Seed", 0.04, 4),
        _Drawer(
            "google/gemini-2.5-flash-image", "Google: Gemini 2.5 Flash Image", "Google", 0.0387
        ),
    )
}


def answer_images(request: ReceivedRequest, *, pace: float) -> Reply:
    """Answer a request to ``/images`` or below.

    Args:
        request: The request.
        pace: Wait between two events of a stream, in seconds.
    """
    path = request.path.removeprefix(BASE_PATH)
    try:
        if (request.method, path) == ("POST", "/images"):
            return _drawn(request.body, pace)
        if (request.method, path) == ("GET", "/images/models"):
            return json_reply(msgspec.json.encode({"data": [*map(_row, _DRAWERS.values())]}))
        found = _ENDPOINTS.fullmatch(path)
        if found and request.method == "GET":
            drawer = _drawer(found[1], 404)
            rows = {"id": drawer.slug, "endpoints": [_endpoint(drawer)]}
            return json_reply(msgspec.json.encode(rows))
    except RefusedError as refusal:
        return http_error(refusal.status, refusal.message)
    return http_error(404, "Not Found")


def _drawn(body: bytes, pace: float) -> Reply:
    try:
        request = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RefusedError(400, f"Invalid JSON body: {error}") from error
    if not request.get("prompt"):
        raise RefusedError(400, "prompt: expected a text of at least one character")
    drawer = _drawer(str(request.get("model")), 400)
    count = request.get("n") or 1
    if count > drawer.most:
        raise RefusedError(400, f"{drawer.slug} draws at most {drawer.most} images")
    kind = str(request.get("output_format") or "png")
    if kind not in _MEDIA_TYPES:
        raise RefusedError(400, f"the emulator draws png and svg, no {kind}")
    prompt_tokens = count_tokens(request["prompt"])
    usage = usage_of(
        prompt_tokens,
        _TOKENS * count,
        prompt_cost=0.0,
        completion_cost=round(drawer.cost * count, 6),
        image_tokens=_TOKENS * count,
    )
    headers = {"X-Generation-Id": f"gen-img-{int(time.time())}-{secrets.token_hex(8)}"}
    if request.get("stream") is True and drawer.streams:
        return _streamed(request, kind, count, usage, headers, pace)
    data = [
        {"b64_json": _coded(_picture(request, kind, number)), "media_type": _MEDIA_TYPES[kind]}
        for number in range(count)
    ]
    answer = {"created": int(time.time()), "data": data, "usage": usage}
    return json_reply(msgspec.json.encode(answer), headers=headers)


def _streamed(
    request: Mapping[str, Any],
    kind: str,
    count: int,
    usage: Mapping[str, Any],
    headers: Mapping[str, str],
    pace: float,
) -> Reply:
    steps: list[Step] = []
    for number in range(count):
        for event in _events(request, kind, number):
            if steps and pace > 0:
                steps.append(Pause(pace))
            if number == count - 1 and event["type"] == "image_generation.completed":
                event["usage"] = usage
            steps.append(Send(encode_event(msgspec.json.encode(event))))
    steps.append(Send(encode_event(b"[DONE]")))
    return Reply(
        headers=(("Content-Type", "text/event-stream"), *headers.items()), steps=tuple(steps)
    )


def _events(request: Mapping[str, Any], kind: str, number: int) -> Iterator[dict[str, Any]]:
    picture = _picture(request, kind, number)
    if kind == "svg":
        for piece in pieces(picture.decode()):
            yield {"type": "image_generation.text_chunk", "phase": "content", "text": piece}
    else:
        sketch = _coded(_picture(request, kind, number, scale=4))
        yield {
            "type": "image_generation.partial_image",
            "partial_image_index": 0,
            "b64_json": sketch,
        }
    yield {
        "type": "image_generation.completed",
        "b64_json": _coded(picture),
        "media_type": _MEDIA_TYPES[kind],
        "created": int(time.time()),
    }


def _picture(request: Mapping[str, Any], kind: str, number: int, scale: int = 1) -> bytes:
    """Draw what the prompt, the references and the number decide on."""
    prompt = str(request["prompt"])
    words = " ".join(word.lower() for word in keywords(prompt, 12)) or prompt
    references: list[Any] = request.get("input_references") or []
    if references:
        words += hashlib.sha256(msgspec.json.encode(references)).hexdigest()
    width, height = _size(request)
    if kind == "svg":
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
            f'<circle cx="{width // 2}" cy="{height // 2}" r="{min(width, height) // 3}" '
            f'fill="#{hashlib.sha256(f"{words}{number}".encode()).hexdigest()[:6]}"/>'
            f"<title>{escape(prompt)}</title></svg>"
        ).encode()
    seed = f"{words} {number}" if number else words
    return draw_png(seed, width // scale, height // scale)


def _size(request: Mapping[str, Any]) -> tuple[int, int]:
    pixels = _PIXELS.fullmatch(str(request.get("size") or ""))
    if pixels is None:
        return size_of(str(request.get("aspect_ratio") or "1:1"))
    width, height = int(pixels[1]), int(pixels[2])
    if request.get("aspect_ratio") and size_of(request["aspect_ratio"]) != size_of(
        f"{width}:{height}"
    ):
        raise RefusedError(400, "size contradicts aspect_ratio")
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
        raise RefusedError(400, f"size: at most {_LONGEST_SIDE}x{_LONGEST_SIDE}")
    return width, height


def _drawer(slug: str, status: int) -> _Drawer:
    try:
        return _DRAWERS[slug]
    except KeyError:
        raise RefusedError(status, f"{slug} is not an image model") from None


def _row(drawer: _Drawer) -> dict[str, Any]:
    return {
        "id": drawer.slug,
        "name": drawer.name,
        "description": f"{drawer.name}, as the emulator pretends it.",
        "created": _CREATED,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["image"]},
        "supported_parameters": _parameters(drawer),
        "supports_streaming": drawer.streams,
        "endpoints": f"{BASE_PATH}/images/models/{drawer.slug}/endpoints",
    }


def _endpoint(drawer: _Drawer) -> dict[str, Any]:
    slug = drawer.provider.lower()
    return {
        "provider_name": drawer.provider,
        "provider_slug": slug,
        "provider_tag": slug,
        "supported_parameters": _parameters(drawer),
        "allowed_passthrough_parameters": [],
        "supports_streaming": drawer.streams,
        "pricing": [{"billable": "output_image", "unit": "image", "cost_usd": drawer.cost}],
    }


def _parameters(drawer: _Drawer) -> dict[str, Any]:
    return {
        "aspect_ratio": {"type": "enum", "values": ["1:1", "16:9", "9:16", "4:3", "3:4"]},
        "n": {"type": "range", "min": 1, "max": drawer.most},
        "output_format": {"type": "enum", "values": list(_MEDIA_TYPES)},
        "seed": {"type": "boolean"},
    }


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()
