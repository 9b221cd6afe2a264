"""One model answer, in its two wire forms: a stream of chunks, or one JSON object.

The rule of this file: an `Answer` holds the content once, as deltas, and both forms are made
from it, so that they cannot tell different stories. It knows OpenRouter's field names and no
HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from openrouter_async._sse import encode_event

__all__ = ["Answer", "Delta", "UsageForm", "message_of", "text_delta", "tool_deltas", "usage_of"]

Delta: TypeAlias = Mapping[str, Any]
"""The `delta` object of one chunk."""

UsageForm: TypeAlias = Literal["choice", "empty", "finish"]
"""Where usage rides: in a chunk with an empty delta, with no choice, or with the finish."""

_DONE = encode_event(b"[DONE]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said.

    Attributes:
        deltas: The chunks' deltas in order; `bytes` stand for the data of a whole event.
        id: The generation id.
        model: The model's slug.
        provider: The provider's display name.
        created: Unix time in seconds.
        finish_reason: Why it ended; None never says.
        native_finish_reason: The same in the provider's words.
        usage: The usage object, or None for none.
    """

    deltas: Sequence[Delta | bytes]
    id: str
    model: str
    provider: str
    created: int
    finish_reason: str | None
    native_finish_reason: str | None
    usage: Mapping[str, Any] | None

    def delta_events(self) -> list[bytes]:
        """Give one event for each delta."""
        return [
            encode_event(delta if isinstance(delta, bytes) else self._chunk(delta))
            for delta in self.deltas
        ]

    def tail_events(self, form: UsageForm | None, repeat_finish: int, *, done: bool) -> list[bytes]:
        """Give the events that end the stream: finish reason, usage and `[DONE]`."""
        form = None if self.usage is None else form
        empty = text_delta("")
        finished = self.finish_reason is not None
        bare = repeat_finish if finished else 0
        usage_says_finish = form == "finish" or (form == "choice" and bare > 1)
        if usage_says_finish and bare:
            bare -= 1
        events = [self._chunk(empty, finish=True) for _ in range(bare)]
        if form == "empty":
            events.append(self._chunk(None, usage=True))
        elif form is not None:
            events.append(self._chunk(empty, finish=usage_says_finish, usage=True))
        return [encode_event(event) for event in events] + ([_DONE] if done else [])

    def completion(self) -> bytes:
        """Give the body of the answer that is not streamed."""
        deltas = [delta for delta in self.deltas if not isinstance(delta, bytes)]
        choice = {
            "index": 0,
            "finish_reason": self.finish_reason,
            "native_finish_reason": self.native_finish_reason,
            "logprobs": None,
            "message": message_of(deltas),
        }
        # Null nearly always, and the official SDK insists on it.
        top = {**self._top("chat.completion"), "system_fingerprint": None}
        body = {**top, "choices": [choice]}
        if self.usage is not None:
            body["usage"] = self.usage
        return msgspec.json.encode(body)

    def _top(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "provider": self.provider,
            "model": self.model,
            "object": kind,
            "created": self.created,
        }

    def _chunk(self, delta: Delta | None, *, finish: bool = False, usage: bool = False) -> bytes:
        chunk = self._top("chat.completion.chunk")
        choices: list[dict[str, Any]] = []
        if delta is not None:
            choice: dict[str, Any] = {
                "index": 0,
                "delta": delta,
                "finish_reason": self.finish_reason if finish else None,
                "native_finish_reason": self.native_finish_reason if finish else None,
                "logprobs": None,
            }
            choices.append(choice)
        chunk["choices"] = choices
        if usage:
            chunk["usage"] = self.usage
        return msgspec.json.encode(chunk)


def text_delta(text: str, **more: Any) -> Delta:
    """Give a delta as OpenRouter writes it: role and content are on every one."""
    return {"role": "assistant", "content": text, **more}


def tool_deltas(index: int, id: str, name: str, fragments: Iterable[str]) -> list[Delta]:
    """Give the deltas of one tool call: its head, then its arguments in fragments."""
    head = {
        "index": index,
        "id": id,
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }
    calls: list[dict[str, Any]] = [head]
    calls.extend(
        {"index": index, "type": "function", "function": {"arguments": fragment}}
        for fragment in fragments
    )
    return [{"role": "assistant", "content": None, "tool_calls": [call]} for call in calls]


def usage_of(
    prompt_tokens: int,
    completion_tokens: int,
    *,
    prompt_cost: float,
    completion_cost: float,
    reasoning_tokens: int = 0,
    image_tokens: int = 0,
) -> dict[str, Any]:
    """Give a usage object; costs in USD."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "cost": round(prompt_cost + completion_cost, 12),
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": prompt_cost,
            "upstream_inference_completions_cost": completion_cost,
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning_tokens,
            "image_tokens": image_tokens,
            "audio_tokens": 0,
        },
    }


def message_of(deltas: Iterable[Delta]) -> dict[str, Any]:
    """Give the message that the deltas add up to."""
    content: list[str] = []
    reasoning: list[str] = []
    refusal: list[str] = []
    details: list[dict[str, Any]] = []
    calls: dict[int, dict[str, Any]] = {}
    lists: dict[str, list[Any]] = {"images": [], "annotations": []}
    for delta in deltas:
        content.append(delta.get("content") or "")
        reasoning.append(delta.get("reasoning") or "")
        refusal.append(delta.get("refusal") or "")
        for detail in delta.get("reasoning_details") or ():
            _add_detail(details, detail)
        for call in delta.get("tool_calls") or ():
            _add_call(calls, call)
        for name, items in lists.items():
            items.extend(delta.get(name) or ())
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(content),
        "refusal": "".join(refusal) or None,
        "reasoning": "".join(reasoning) or None,
    }
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    message.update({name: items for name, items in lists.items() if items})
    return message


def _add_detail(details: list[dict[str, Any]], detail: Mapping[str, Any]) -> None:
    for known in details:
        if detail.get("type") == known["type"] == "reasoning.text" and detail.get(
            "index"
        ) == known.get("index"):
            known["text"] = (known.get("text") or "") + (detail.get("text") or "")
            if detail.get("signature"):
                known["signature"] = detail["signature"]
            return
    details.append(dict(detail))


def _add_call(calls: dict[int, dict[str, Any]], call: Mapping[str, Any]) -> None:
    function: Mapping[str, Any] = call.get("function") or {}
    known = calls.setdefault(
        call["index"],
        {
            "index": call["index"],
            "id": "",
            "type": "function",
            "function": {"name": "", "arguments": ""},
        },
    )
    known["id"] = call.get("id") or known["id"]
    known["function"]["name"] = function.get("name") or known["function"]["name"]
    known["function"]["arguments"] += function.get("arguments") or ""
