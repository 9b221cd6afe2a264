"""What an answer looks like in a notebook.

The rule of this file: pure. Markdown and HTML as text, made of what an answer holds; whatever shows
it decides what of that is safe to show.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .audio import Speech
    from .chat import ChatCompletion
    from .media import Image

_WIDTH: Final = 480
"""Pixels; a picture of an answer is often wider than a notebook."""

_PLAYABLE: Final = {
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "webm": "audio/webm",
}


def answer_as_markdown(completion: ChatCompletion, *, is_data: bool = False) -> str:
    """Give a whole answer: thoughts folded away, text, pictures, sound, calls, and its price.

    Args:
        completion: The answer.
        is_data: Whether its text is JSON that was asked for, and no prose.
    """
    text = completion.text
    parts = [
        _folded("Reasoning", completion.reasoning),
        f"```json\n{text}\n```" if is_data and text else text,
        completion.message.refusal,
        images_as_markdown(completion.images),
        player(completion.audio) if completion.audio is not None else None,
        *(
            f"- calls `{call.function.name}({call.function.arguments})`"
            for call in completion.tool_calls
        ),
        _line(_facts(completion)),
    ]
    return "\n\n".join(part for part in parts if part)


def images_as_markdown(images: Sequence[Image]) -> str:
    """Give pictures side by side, no wider than a notebook."""
    return " ".join(
        f'<img src="{escape(image.url)}" width="{min(image.width or _WIDTH, _WIDTH)}"/>'
        for image in images
    )


def player(speech: Speech) -> str:
    """Give the player of a sound, where a browser plays its kind; its words where none does."""
    is_raw = speech.suffix == ".wav" and speech.format != "wav"
    kind = "audio/wav" if is_raw else _PLAYABLE.get(speech.format)
    words = escape(speech.transcript or "")
    if kind is None:
        return words
    data = base64.b64encode(speech.wav() if is_raw else speech.bytes).decode()
    sound = f'<audio controls src="data:{kind};base64,{data}"></audio>'
    return f"{sound}<br/>{words}" if words else sound


def _folded(title: str, text: str) -> str:
    if not text:
        return ""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _facts(completion: ChatCompletion) -> Iterable[str]:
    if completion.model is not None:
        yield completion.model
    usage, timing = completion.usage, completion.arrival.timing
    if usage is not None:
        yield f"{usage.prompt_tokens} + {usage.completion_tokens} tokens"
    if completion.cost is not None:
        yield f"\\${completion.cost:.6f}"  # two dollars in a line would be mathematics
    if timing.end is not None:
        yield f"{timing.end:.2f} s"
    reason = completion.finish_reason
    if reason not in (None, "stop", "tool_calls"):
        yield f"ended by {reason}"


def _line(facts: Iterable[str]) -> str:
    told = " · ".join(facts)
    return f"<small>{told}</small>" if told else ""
