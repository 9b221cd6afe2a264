"""What of an answer goes into the next request, and what must not.

The rule of this file: pure, on plain data. Providers refuse a turn whose reasoning was put
together wrongly: a block without the signature that proves it, a block that is there twice, or
reasoning text that no block stands for. What the API wants back goes back unchanged and in its
order; nothing here ever touches a message that the user wrote.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

Seen: TypeAlias = set[tuple[str, str]]
"""The reasoning blocks that earlier messages carry already, by kind and content."""

_SIGNED_FORMATS: Final = frozenset({"anthropic-claude-v1", "google-gemini-v1"})
_DEFAULT_FORMAT: Final = "anthropic-claude-v1"


def next_turn(message: dict[str, Any]) -> dict[str, Any]:
    """Make the assistant message of the next request of one that the model sent.

    Args:
        message: The message's wire form, which is left as it is.
    """
    turn = dict(message)
    calls: list[dict[str, Any]] = turn.get("tool_calls") or []
    if calls:
        # The position in an answer; in a request the order says it.
        turn["tool_calls"] = [_without(call, "index") for call in calls]
        if _is_blank(turn.get("content")):
            turn["content"] = None  # some providers refuse a text that is blank
    else:
        turn.setdefault("content", None)
    audio: dict[str, Any] = turn.get("audio") or {}
    if audio.get("id"):
        turn["audio"] = {"id": audio["id"]}  # the server has the sound
    return without_repeats(turn, set())


def without_repeats(turn: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Take out of an assistant message the reasoning that may not be sent.

    Args:
        turn: A message that the model sent; it is left as it is.
        seen: What earlier messages carry; what this one carries is added.
    """
    came: list[dict[str, Any]] | None = turn.get("reasoning_details")
    if not came:
        # An empty list is a statement that some models ask to have back.
        return _without(turn, "reasoning")
    kept: list[dict[str, Any]] = []
    for detail in came:
        mark = _mark(detail)
        # Unsigned ones are not noted: they would hide a signed twin that comes later.
        if not _lacks_signature(detail) and (mark is None or mark not in seen):
            kept.append(detail)
            if mark is not None:
                seen.add(mark)
    if not kept:
        return _without(turn, "reasoning", "reasoning_details")
    return {**turn, "reasoning_details": kept}


def note_repeats(message: dict[str, Any], seen: Seen) -> None:
    """Add to `seen` what a message of the user's own carries, which goes out as it is."""
    details: object = message.get("reasoning_details")
    if isinstance(details, list):
        for detail in cast("list[object]", details):
            if isinstance(detail, dict):
                block = cast("dict[str, Any]", detail)
                mark = _mark(block)
                if mark is not None and not _lacks_signature(block):
                    seen.add(mark)


def _lacks_signature(detail: dict[str, Any]) -> bool:
    if detail.get("type") != "reasoning.text" or detail.get("signature"):
        return False
    return (detail.get("format") or _DEFAULT_FORMAT) in _SIGNED_FORMATS


def _mark(detail: dict[str, Any]) -> tuple[str, str] | None:
    """Give what a block is known by; None for one that cannot be told from others."""
    kind: object = detail.get("type")
    content: object = None
    if kind == "reasoning.summary":
        content = detail.get("summary")
    elif kind == "reasoning.encrypted":
        content = detail.get("id") or detail.get("data")
    elif kind == "reasoning.text":
        content = detail.get("text") or detail.get("signature")
    return (str(kind), content) if isinstance(content, str) and content else None


def _is_blank(content: object) -> bool:
    if isinstance(content, list):
        parts = cast("list[dict[str, Any]]", content)
        return all(part.get("type") == "text" and _is_blank(part.get("text")) for part in parts)
    return content is None or (isinstance(content, str) and not content.strip())


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
