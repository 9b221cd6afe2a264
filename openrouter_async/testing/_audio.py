"""The pretend ``/audio`` endpoints: a text becomes a tone, and a recording a sentence about it.

The rule of this file: a request in, a reply out, and the same content for the same request. What
a recording says nobody here can hear, so the answer tells what arrived: tests can see its bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from openrouter_async.testing._build import http_error, json_reply, replay
from openrouter_async.testing._desk import BASE_PATH, ReceivedRequest
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._tone import SAMPLE_RATE, in_format

__all__ = ["answer_audio"]

_PIECE: Final = 4_800
"""Bytes that are sent at a time: a tenth of a second of raw samples."""

_FORM_LIMIT: Final = 25_000_000
_CONTENT_TYPES: Final = {"mp3": "audio/mpeg", "pcm": f"audio/pcm;rate={SAMPLE_RATE};channels=1"}
_DISPOSITION: Final = re.compile(r'\b(name|filename)="([^"]*)"')
_COST_OF_A_CHARACTER: Final = 0.000015


def answer_audio(request: ReceivedRequest, *, pace: float) -> Reply:
    """Give the answer to a request below ``/audio``."""
    try:
        match request.method, request.path.removeprefix(BASE_PATH):
            case "POST", "/audio/speech":
                return _speech(request, pace)
            case "POST", "/audio/transcriptions":
                return _transcription(request)
            case _:
                raise RefusedError(404, "Not Found")
    except RefusedError as refusal:
        return http_error(refusal.status, refusal.message)


def _speech(request: ReceivedRequest, pace: float) -> Reply:
    body = _object_in(request.body)
    text, name = body.get("input"), body.get("response_format") or "pcm"
    if not isinstance(text, str) or not text or not body.get("model"):
        raise RefusedError(400, "model and input are required")
    sound = in_format(text, name) if name in _CONTENT_TYPES else None
    if sound is None:
        raise RefusedError(400, f"response_format must be one of {', '.join(_CONTENT_TYPES)}")
    headers = {"X-Generation-Id": _generation_id("tts")}
    reply = replay(sound, content_type=_CONTENT_TYPES[name], split=_PIECE, headers=headers)
    return reply.each(pace) if pace else reply


def _transcription(request: ReceivedRequest) -> Reply:
    kind = request.headers.get("Content-Type", "")
    if kind.startswith("multipart/form-data"):
        fields, recording, name = _form_in(request.body, kind)
    else:
        fields = _object_in(request.body)
        recording, name = _recording_in(fields)
    if not fields.get("model"):
        raise RefusedError(400, "model is required")
    wanted = fields.get("response_format", "json")
    if wanted not in ("json", "verbose_json"):
        raise RefusedError(400, f"response_format {wanted} is not supported")
    text = f"A recording of {len(recording)} bytes in {name}."
    seconds = round(len(recording) / (2 * SAMPLE_RATE), 3)
    answer: dict[str, Any] = {
        "text": text,
        "usage": {"seconds": seconds, "cost": round(_COST_OF_A_CHARACTER * len(text), 9)},
    }
    if wanted == "verbose_json":
        answer |= {
            "task": "transcribe",
            "language": fields.get("language") or "en",
            "duration": seconds,
            "segments": [{"id": 0, "start": 0.0, "end": seconds, "text": text}],
        }
        if "word" in (fields.get("timestamp_granularities") or ()):
            answer["words"] = _words(text, seconds)
    headers = {"X-Generation-Id": _generation_id("stt")}
    return json_reply(msgspec.json.encode(answer), headers=headers)


def _words(text: str, seconds: float) -> list[dict[str, Any]]:
    words = text.split()
    step = seconds / len(words)
    return [
        {"word": word, "start": round(index * step, 3), "end": round((index + 1) * step, 3)}
        for index, word in enumerate(words)
    ]


def _recording_in(body: Mapping[str, Any]) -> tuple[bytes, str]:
    try:
        audio = msgspec.convert(body.get("input_audio"), dict[str, str])
        return base64.b64decode(audio["data"], validate=True), audio["format"]
    except (msgspec.ValidationError, KeyError):
        raise RefusedError(400, "input_audio needs data and format") from None
    except binascii.Error as error:
        raise RefusedError(400, f"input_audio.data is not base64: {error}") from None


def _form_in(body: bytes, content_type: str) -> tuple[dict[str, Any], bytes, str]:
    """Give the fields of a form, its file, and what the file's name ends with."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    fields: dict[str, Any] = {}
    recording, suffix = b"", ""
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        named = dict(_DISPOSITION.findall(head.decode()))
        name = named.get("name", "")
        if name == "file":
            recording, suffix = content, named.get("filename", "").rpartition(".")[2]
        elif name.endswith("[]"):
            fields.setdefault(name[:-2], []).append(content.decode())
        else:
            fields[name] = content.decode()
    if not recording:
        raise RefusedError(400, "file is required")
    if len(recording) > _FORM_LIMIT:
        raise RefusedError(413, "the file is larger than 25 MB")
    return fields, recording, suffix


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RefusedError(400, f"Invalid JSON body: {error}") from None


def _generation_id(kind: str) -> str:
    return f"gen-{kind}-{int(time.time())}-{secrets.token_hex(10)}"
