"""What the Vercel AI SDK's ``useChat`` sends, as messages of the API.

The rule of this file: pure, and distrustful: the data come from a browser. No path is read and
no address is fetched here; only ``data:`` and http(s) URLs pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from ..types._lenient import without_lone_surrogates

__all__ = ["ui_messages"]

_SCHEMES: Final = ("data:", "https://", "http://")
_ANSWERED: Final = {"output-available", "output-error", "output-denied"}


def ui_messages(messages: object) -> list[dict[str, Any]]:
    """Read the ``messages`` of a ``useChat`` request.

    Args:
        messages: The list as it came, of objects with ``role`` and ``parts``.

    Returns:
        Messages for `OpenRouter.stream`. Documents and images (also those that the model drew),
        tool calls with their outputs, and the reasoning details that the stream of `relay` had
        given to the page are kept.

    Raises:
        ValueError: It is no such list; the message names the place.

    >>> ui_messages([{"role": "user", "parts": [{"type": "text", "text": "Hi"}]}])
    [{'role': 'user', 'content': 'Hi'}]
    """
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages must be a list with at least one message")
    found: list[dict[str, Any]] = []
    try:
        # JavaScript leaves them where it cut a text amid an emoji, and JSON lets them by.
        plain = cast("list[object]", without_lone_surrogates(cast("object", messages)))
    except RecursionError:
        raise ValueError("messages must not be nested so deeply") from None
    for position, message in enumerate(plain):
        place = f"messages[{position}]"
        if not isinstance(message, dict):
            raise ValueError(f"{place} must be an object")
        one = _mapping(cast("object", message))
        parts = list(_parts(one, place))
        match one.get("role"):
            case "user":
                found.append({"role": "user", "content": _content(parts, place)})
            case "system":
                found.append({"role": "system", "content": _text(parts)})
            case "assistant":
                for step in _steps(parts):
                    found += _turn(step, place)
            case role:
                raise ValueError(
                    f"{place}.role must be user, assistant or system, got {role!r:.40}"
                )
    return found


def _parts(message: Mapping[str, Any], place: str) -> Iterator[dict[str, Any]]:
    parts: object = message.get("parts")
    if not isinstance(parts, list):
        raise ValueError(f"{place}.parts must be a list")
    for number, item in enumerate(cast("list[object]", parts)):
        part = _mapping(item)
        if not isinstance(part.get("type"), str):
            raise ValueError(f"{place}.parts[{number}] must be an object with a type")
        yield part


def _mapping(value: object) -> dict[str, Any]:
    """Give an object that came from JSON; anything else counts as an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(parts: list[dict[str, Any]]) -> str:
    return "".join(str(part.get("text") or "") for part in parts if part["type"] == "text")


def _content(parts: list[dict[str, Any]], place: str) -> str | list[dict[str, Any]]:
    if all(part["type"] != "file" for part in parts):
        return _text(parts)
    # The SDK puts files first, where some models overlook the text behind them.
    texts = [part for part in parts if part["type"] == "text"]
    content: list[dict[str, Any]] = [
        {"type": "text", "text": str(part.get("text") or "")} for part in texts
    ]
    content += (_file(part, place) for part in parts if part["type"] == "file")
    return content


def _file(part: Mapping[str, Any], place: str) -> dict[str, Any]:
    url, kind = str(part.get("url") or ""), str(part.get("mediaType") or "")
    if not url.startswith(_SCHEMES):
        raise ValueError(f"{place}: the url of a file must be a data: or http(s) URL")
    group, _, form = kind.partition("/")
    if group == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    if group == "video":
        return {"type": "video_url", "video_url": {"url": url}}
    if group == "audio" and url.startswith("data:"):
        form = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}.get(form, form)
        data = {"data": url.partition(",")[2], "format": form}
        return {"type": "input_audio", "input_audio": data}
    name = str(part.get("filename") or "document.pdf")
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def _steps(parts: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Part a message where one answer of the model ends and the next begins."""
    step: list[dict[str, Any]] = []
    for part in parts:
        if part["type"] == "step-start":
            if step:
                yield step
            step = []
        else:
            step.append(part)
    if step:
        yield step


def _turn(parts: list[dict[str, Any]], place: str) -> Iterator[dict[str, Any]]:
    """Give the assistant's message of one step, and those of its tools."""
    message: dict[str, Any] = {"role": "assistant", "content": _text(parts) or None}
    calls: list[dict[str, Any]] = []
    outputs: list[dict[str, Any]] = []
    for part in parts:
        details = _details(part)
        if details:
            message["reasoning_details"] = details
        # A call that never got its answer is one that providers refuse.
        if _is_tool(part) and part.get("state") in _ANSWERED:
            id = str(part.get("toolCallId") or "")
            calls.append({"id": id, "type": "function", "function": _function(part)})
            outputs.append({"role": "tool", "tool_call_id": id, "content": _output(part)})
    if calls:
        message["tool_calls"] = calls
    files = [part for part in parts if part["type"] == "file"]
    pictures = [part for part in files if str(part.get("mediaType")).startswith("image/")]
    images = [_file(part, place) for part in pictures]
    if images:  # the model drew them, and may be asked to change them
        message["images"] = images
    if message["content"] is not None or calls or images:
        yield message
        yield from outputs


def _is_tool(part: Mapping[str, Any]) -> bool:
    return str(part["type"]) == "dynamic-tool" or str(part["type"]).startswith("tool-")


def _function(part: Mapping[str, Any]) -> dict[str, str]:
    kind = str(part["type"])
    name = str(part.get("toolName") or "") if kind == "dynamic-tool" else kind.removeprefix("tool-")
    value = part.get("input", part.get("rawInput"))
    text = value if isinstance(value, str) else msgspec.json.encode(value or {}).decode()
    return {"name": name, "arguments": text}


def _output(part: Mapping[str, Any]) -> str:
    if part.get("state") == "output-available":
        output: object = part.get("output")
        return output if isinstance(output, str) else msgspec.json.encode(output).decode()
    return str(part.get("errorText") or "The call was not approved.")


def _details(part: Mapping[str, Any]) -> list[object]:
    """Give the reasoning details that `UIMessageEncoder` has put onto a part."""
    for name in ("providerMetadata", "callProviderMetadata"):
        ours = _mapping(_mapping(part.get(name)).get("openrouter"))
        found: object = ours.get("reasoning_details")
        if isinstance(found, list) and found:
            return cast("list[object]", found)
    return []
