"""One model answer in the wire forms of ``/responses``, ``/messages`` and ``/completions``.

The rule of this file: an `Answer` holds the content once, as a chat's deltas, and each form is
made from it: the events of a stream, and the one JSON object that they add up to. It knows the
field names of the dialects and no HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from openrouter_async._sse import encode_event
from openrouter_async.testing._answer import Answer

__all__ = [
    "message_body",
    "message_events",
    "response_body",
    "response_events",
    "text_body",
    "text_chunks",
]

Fields = dict[str, Any]

_DONE: Final = encode_event(b"[DONE]")
_STOP_REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


@dataclass(slots=True)
class _Segment:
    """A run of deltas that belong together: a thought, a text, a call or an image."""

    kind: Literal["reasoning", "text", "call", "image"]
    pieces: list[str] = field(default_factory=list[str])
    id: str = ""
    name: str = ""

    @property
    def whole(self) -> str:
        return "".join(self.pieces)


def _segments(answer: Answer) -> list[_Segment]:
    found: list[_Segment] = []

    def add(kind: Literal["reasoning", "text", "image"], piece: str) -> None:
        if not found or found[-1].kind != kind or kind == "image":
            found.append(_Segment(kind))
        found[-1].pieces.append(piece)

    for delta in answer.deltas:
        if isinstance(delta, bytes):
            continue
        if delta.get("reasoning"):
            add("reasoning", delta["reasoning"])
        if delta.get("content"):
            add("text", delta["content"])
        for image in delta.get("images") or ():
            add("image", image["image_url"]["url"].partition("base64,")[2])
        for call in delta.get("tool_calls") or ():
            function: Mapping[str, Any] = call.get("function") or {}
            if function.get("name"):
                found.append(_Segment("call", id=call["id"], name=function["name"]))
            if function.get("arguments"):
                found[-1].pieces.append(function["arguments"])
    return found


# Responses.


def response_events(answer: Answer, *, done: bool) -> list[bytes]:
    """Give the events of ``/responses``."""
    told = [
        {"type": f"response.{state}", "response": _response(answer, "in_progress", [])}
        for state in ("created", "in_progress")
    ]
    segments = _segments(answer)
    for index, segment in enumerate(segments):
        told += _item_events(segment, index)
    if answer.finish_reason is not None:
        whole = _finished_response(answer, segments)
        told.append({"type": f"response.{whole['status']}", "response": whole})
    events = [
        encode_event(msgspec.json.encode({**event, "sequence_number": number}))
        for number, event in enumerate(told)
    ]
    return events + ([_DONE] if done else [])


def response_body(answer: Answer) -> bytes:
    """Give the answer of ``/responses`` in one piece."""
    return msgspec.json.encode(_finished_response(answer, _segments(answer)))


def _finished_response(answer: Answer, segments: Sequence[_Segment]) -> Fields:
    output = [_item(segment, index, "completed") for index, segment in enumerate(segments)]
    status = "incomplete" if answer.finish_reason == "length" else "completed"
    return _response(answer, status, output)


def _response(answer: Answer, status: str, output: Sequence[Fields]) -> Fields:
    is_over = status != "in_progress"
    reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
    return {
        "id": answer.id,
        "object": "response",
        "created_at": answer.created,
        "completed_at": answer.created if is_over else None,
        "status": status,
        "model": answer.model,
        "output": output,
        "error": None,
        "incomplete_details": reason,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1,
        "top_p": 1,
        "frequency_penalty": 0,
        "presence_penalty": 0,
        "tool_choice": "auto",
        "tools": [],
        "store": False,
        "usage": _response_usage(answer.usage) if is_over and answer.usage is not None else None,
    }


def _response_usage(usage: Mapping[str, Any]) -> Fields:
    thought = usage["completion_tokens_details"]["reasoning_tokens"]
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": usage["prompt_tokens_details"]["cached_tokens"]},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": usage["total_tokens"],
        "cost": usage["cost"],
        "is_byok": False,
    }


def _item(segment: _Segment, index: int, status: str) -> Fields:
    is_over = status == "completed"
    if segment.kind == "call":
        return {
            "type": "function_call",
            "id": f"fc_tmp_{index}",
            "status": status,
            "call_id": segment.id,
            "name": segment.name,
            "arguments": segment.whole if is_over else "",
        }
    if segment.kind == "image":
        item = {"type": "image_generation_call", "id": f"ig_tmp_{index}", "status": status}
        return {**item, "result": segment.whole if is_over else None}
    content = [_part(segment, segment.whole)] if is_over else []
    if segment.kind == "reasoning":
        thought = {
            "type": "reasoning",
            "id": f"rs_tmp_{index}",
            "status": status,
            "content": content,
        }
        return {**thought, "summary": []}
    item = {"type": "message", "id": f"msg_tmp_{index}", "status": status, "role": "assistant"}
    return {**item, "content": content}


def _part(segment: _Segment, text: str) -> Fields:
    if segment.kind == "reasoning":
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item_events(segment: _Segment, index: int) -> Iterator[Fields]:
    place: Fields = {"output_index": index}
    started, finished = (_item(segment, index, status) for status in ("in_progress", "completed"))
    yield {"type": "response.output_item.added", **place, "item": started}
    place["item_id"] = started["id"]
    if segment.kind == "call":
        for piece in segment.pieces:
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
        whole = {"arguments": segment.whole, "name": segment.name}
        yield {"type": "response.function_call_arguments.done", **place, **whole}
    elif segment.kind == "image":
        sketch = {"partial_image_b64": segment.whole, "partial_image_index": 0}
        yield {"type": "response.image_generation_call.partial_image", **place, **sketch}
        yield {"type": "response.image_generation_call.completed", **place}
    else:
        place["content_index"] = 0
        name = "reasoning_text" if segment.kind == "reasoning" else "output_text"
        yield {"type": "response.content_part.added", **place, "part": _part(segment, "")}
        for piece in segment.pieces:
            yield {"type": f"response.{name}.delta", **place, "delta": piece, "logprobs": []}
        yield {"type": f"response.{name}.done", **place, "text": segment.whole, "logprobs": []}
        yield {"type": "response.content_part.done", **place, "part": finished["content"][0]}
    yield {"type": "response.output_item.done", "output_index": index, "item": finished}


# Messages.


def message_events(answer: Answer) -> list[bytes]:
    """Give the events of ``/messages``."""
    told: list[Fields] = [{"type": "message_start", "message": _message(answer, [], None)}]
    for index, segment in enumerate(_segments(answer)):
        told += _block_events(segment, index)
    if answer.finish_reason is not None:
        delta: Fields = dict.fromkeys(("stop_sequence", "stop_details", "container"))
        delta["stop_reason"] = _stop_reason(answer)
        usage = _message_usage(answer.usage) if answer.usage is not None else None
        told.append({"type": "message_delta", "delta": delta, "usage": usage})
        told.append({"type": "message_stop"})
    return [encode_event(msgspec.json.encode(event), event=event["type"]) for event in told]


def message_body(answer: Answer) -> bytes:
    """Give the answer of ``/messages`` in one piece."""
    content = [_block(segment, segment.whole) for segment in _segments(answer)]
    return msgspec.json.encode(_message(answer, content, _stop_reason(answer)))


def _stop_reason(answer: Answer) -> str | None:
    reason = answer.finish_reason
    return None if reason is None else _STOP_REASONS.get(reason, reason)


def _message(answer: Answer, content: Sequence[Fields], reason: str | None) -> Fields:
    usage = None if answer.usage is None else _message_usage(answer.usage)
    if usage is not None and reason is None:
        usage = {**usage, "output_tokens": 0, "cost": None}
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "provider": answer.provider,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": usage,
    }


def _message_usage(usage: Mapping[str, Any]) -> Fields:
    return {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": None,
        "cache_creation": None,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage["prompt_tokens_details"]["cached_tokens"],
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": None,
        "cost": usage["cost"],
        "is_byok": False,
    }


def _block(segment: _Segment, whole: str) -> Fields:
    if segment.kind == "call":
        given = msgspec.json.decode(whole or "{}")
        call = {"type": "tool_use", "id": segment.id, "name": segment.name, "input": given}
        return {**call, "caller": {"type": "direct"}}
    if segment.kind == "reasoning":
        return {"type": "thinking", "thinking": whole, "signature": "c2lnbmVk" if whole else ""}
    return {"type": "text", "text": whole, "citations": None}


def _block_events(segment: _Segment, index: int) -> Iterator[Fields]:
    kind, name = {
        "call": ("input_json_delta", "partial_json"),
        "reasoning": ("thinking_delta", "thinking"),
    }.get(segment.kind, ("text_delta", "text"))
    yield {"type": "content_block_start", "index": index, "content_block": _block(segment, "")}
    deltas: list[Fields] = [{"type": kind, name: piece} for piece in segment.pieces]
    if segment.kind == "reasoning":
        deltas.append({"type": "signature_delta", "signature": "c2lnbmVk"})
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


# The older completions.


def text_chunks(answers: Sequence[Answer], *, done: bool, logprobs: bool = False) -> list[bytes]:
    """Give the chunks of ``/completions``, one text after the other."""
    chunks: list[Fields] = []
    for index, answer in enumerate(answers):
        offset = 0
        for segment in _segments(answer):
            if segment.kind not in ("reasoning", "text"):
                continue
            name = segment.kind
            for piece in segment.pieces:
                more = _logprobs([piece], offset) if logprobs and name == "text" else None
                choice: Fields = {"index": index, "text": "", "logprobs": more}
                chunks.append(_texts(answer, [{**choice, name: piece, "finish_reason": None}]))
                offset += len(piece) if name == "text" else 0
        if answer.finish_reason is not None:
            reasons = {
                "finish_reason": answer.finish_reason,
                "native_finish_reason": answer.native_finish_reason,
            }
            chunks.append(_texts(answer, [{"index": index, "text": "", **reasons}]))
    usage = _summed(answers)
    if usage is not None:
        chunks.append({**_texts(answers[0], []), "usage": usage})
    return [encode_event(msgspec.json.encode(chunk)) for chunk in chunks] + ([_DONE] * done)


def text_body(answers: Sequence[Answer], *, logprobs: bool = False) -> bytes:
    """Give the answer of ``/completions`` in one piece."""
    choices: list[Fields] = []
    for index, answer in enumerate(answers):
        segments = _segments(answer)
        pieces = [piece for one in segments if one.kind == "text" for piece in one.pieces]
        thoughts = "".join(one.whole for one in segments if one.kind == "reasoning")
        choices.append(
            {
                "index": index,
                "text": "".join(pieces),
                "logprobs": _logprobs(pieces, 0) if logprobs else None,
                "finish_reason": answer.finish_reason,
                "native_finish_reason": answer.native_finish_reason,
                "reasoning": thoughts or None,
            }
        )
    return msgspec.json.encode({**_texts(answers[0], choices), "usage": _summed(answers)})


def _texts(answer: Answer, choices: Sequence[Fields]) -> Fields:
    return {
        "id": answer.id,
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
        "provider": answer.provider,
        "choices": choices,
    }


def _logprobs(pieces: Sequence[str], offset: int) -> Fields:
    offsets = [offset + sum(map(len, pieces[:number])) for number in range(len(pieces))]
    return {
        "tokens": list(pieces),
        "token_logprobs": [-0.5] * len(pieces),
        "top_logprobs": [{piece: -0.5} for piece in pieces],
        "text_offset": offsets,
    }


def _summed(answers: Sequence[Answer]) -> Fields | None:
    usages = [answer.usage for answer in answers if answer.usage is not None]
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "cost")
    return {name: sum(usage[name] for usage in usages) for name in names} if usages else None
