"""What a request asks for and what an answer says of itself, besides their content.

The rule of this file: pure, and of any endpoint. Whatever cannot be read is not known, and nothing
that is somebody's words is looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import msgspec

from ..types import ChatCompletion, Usage
from ..types._arrived import Arrived

if TYPE_CHECKING:  # these are loaded with their endpoints
    from ..types.anthropic import AnthropicMessage
    from ..types.completions import CompletionResponse
    from ..types.responses import Response

    TextAnswer: TypeAlias = ChatCompletion | Response | AnthropicMessage | CompletionResponse

__all__ = ["Facts", "asked_for", "facts_of", "name_or_none", "reasons_of", "text_or_none"]

_SETTINGS: Final = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "n",
    "modalities",
    "session_id",
)
_AskedFor: Final = msgspec.defstruct(
    "AskedFor",
    [(name, Any, None) for name in ("model", "stream", "response_format", *_SETTINGS)],
    omit_defaults=True,
)
_ASKED_FOR: Final = msgspec.json.Decoder(_AskedFor)

# Blanks keep a connection alive until the answer comes.
_OBJECT: Final = re.compile(rb"\s*\{")


class Facts(msgspec.Struct, frozen=True):
    """What an answer says of itself besides its content."""

    id: str | None = None
    model: str | None = None
    provider: str | None = None
    usage: Usage | None = None


class _Body(msgspec.Struct):
    id: Any = None
    model: Any = None
    provider: Any = None
    usage: Any = None


def asked_for(body: bytes | None) -> dict[str, Any]:
    """Give the model, whether a stream is wanted, and the settings, of those that are set."""
    if not body:
        return {}
    try:
        asked = _ASKED_FOR.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    found: dict[str, Any] = msgspec.to_builtins(asked)
    form = found.pop("response_format", None)
    if isinstance(form, dict):
        # Which form, never the schema: its names and descriptions are a part of the prompt.
        found["response_format"] = cast("dict[str, Any]", form).get("type")
    return found


def facts_of(answer: object) -> Facts:
    """Read a body, or whatever has its fields as attributes."""
    answer = getattr(answer, "body", answer)  # some come with their headers
    if isinstance(answer, bytes):
        if not _OBJECT.match(answer):
            return Facts()
        try:
            answer = msgspec.json.decode(answer, type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Facts()
    return Facts(
        id=name_or_none(getattr(answer, "id", None)),
        model=name_or_none(getattr(answer, "model", None)),
        provider=name_or_none(getattr(answer, "provider", None)),
        usage=_usage_in(getattr(answer, "usage", None)),
    )


def _usage_in(said: object) -> Usage | None:
    """Give the counts of whichever endpoint; some speak of input and output tokens."""
    if said is None or isinstance(said, Usage):
        return said
    try:
        counts = msgspec.to_builtins(said)
        counts.setdefault("prompt_tokens", counts.get("input_tokens") or 0)
        counts.setdefault("completion_tokens", counts.get("output_tokens") or 0)
        return msgspec.convert(counts, Usage, strict=False)
    except (AttributeError, TypeError, msgspec.ValidationError):
        return None


def text_or_none(answer: object) -> TextAnswer | None:
    """Give what a text endpoint answered; other endpoints have answers of other types."""
    if isinstance(answer, ChatCompletion):
        return answer
    is_one = isinstance(answer, Arrived) and hasattr(answer, "finish_reasons")
    return cast("TextAnswer", answer) if is_one else None


def reasons_of(answer: TextAnswer | None) -> tuple[str, ...]:
    """Give why an answer ended, or each choice of it."""
    if isinstance(answer, ChatCompletion):
        reasons = (choice.finish_reason for choice in answer.choices)
        return tuple(reason for reason in reasons if reason is not None)
    return answer.finish_reasons if answer is not None else ()


def name_or_none(value: object) -> str | None:
    """Give what is text; nothing else is a name."""
    return value if isinstance(value, str) else None
