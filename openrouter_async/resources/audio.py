"""``/audio``: text becomes speech, and speech becomes text.

The rule of this file: it says what is asked for and what the answer is. Speech comes as a stream
of bytes; a recording is read while it is sent.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

import msgspec

from .. import content
from .._byte_stream import ByteStream
from .._config import Timeouts
from .._multipart import FormWithFile
from ..types.attachment import Attachment, Source
from ..types.audio import Speech, SpeechFields, Transcription, TranscriptionFields
from ..types.messages import AudioPart, TextPart
from ._call import Asked, Call, Group, Operation, decoded, timeouts_of
from ._media import byte_stream, checked, encoded, recast

__all__ = ["Audio"]

_SPEECH: Final = Operation("POST /audio/speech", bytes, body=SpeechFields)
_TRANSCRIPTION: Final = Operation(
    "POST /audio/transcriptions", Transcription, inside=None, body=TranscriptionFields, mark="text"
)
_FORM_LIMIT: Final = 25 * 1_000_000
"""Bytes of a file in a form, by the API's description, which sends larger ones as JSON."""

_FORMATS: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "l16": "pcm"}
"""What content types call what the API's formats call otherwise."""


class Audio(Group, key="normal"):
    """Speech and transcriptions; reached as `OpenRouter.audio`.

    `user` is who it is for, `session_id` what belongs together, `trace` names for observability.
    """

    @_SPEECH
    def speech(
        self,
        input: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        voice: str | None = None,
        instructions: str | None = None,
        response_format: Literal["mp3", "pcm"] | str | None = None,
        speed: float | None = None,
        input_references: Sequence[Attachment | AudioPart | TextPart | Mapping[str, Any]] = (),
        provider: Mapping[str, Any] | None = None,
        user: str | None = None,
        session_id: str | None = None,
        trace: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeouts: Timeouts | None = None,
    ) -> ByteStream[Speech]:
        """Have a text spoken; the stream gives a `Speech` where it is awaited. Normal key.

        Nothing is sent before the stream is iterated, entered, awaited or started. Sound that
        was delivered is charged for, by the character of the text.

        Args:
            input: The text, or its parts as mappings of ``text`` and perhaps ``voice`` and
                ``instructions``.
            voice: The provider's name of a voice; some have none that is taken by itself.
            response_format: ``mp3``, or ``pcm``, which is the API's default: raw samples of
                16 bit, whose rate the content type tells.
            speed: How fast, where 1 is ordinary; some models leave it out of account.
            input_references: A voice to speak with: ``content.audio(...)`` of at most 15 MiB,
                and perhaps ``content.text(...)`` of what is said in it.
            provider: Such as ``{"options": {"openai": {"instructions": "Whisper."}}}``.

        >>> async def example(client: OpenRouter) -> None:
        ...     speech = await client.audio.speech("Good morning!", model="openai/gpt-4o-mini-tts")
        ...     await speech.save_async("morning.wav")
        ...     async for data in client.audio.speech("Hello", model="openai/gpt-4o-mini-tts"):
        ...         print(len(data), "bytes")
        """
        body = checked(SpeechFields, locals())
        if input_references:
            body["input_references"] = list(input_references)
        asked_for = response_format or "pcm"
        return byte_stream(
            self._sender,
            _SPEECH,
            _SPEECH.ask(body=encoded(body, extra_body)),
            accept="audio/*",
            make=lambda data, headers: _speech(data, headers, asked_for),
            billed="unknown",
            timeouts=timeouts,
        )

    @_TRANSCRIPTION
    def transcribe(
        self,
        file: Source,
        *,
        model: str,
        format: str | None = None,
        language: str | None = None,
        temperature: float | None = None,
        response_format: Literal["json", "verbose_json"] | None = None,
        timestamp_granularities: Sequence[Literal["word", "segment"]] | None = None,
        diarize: bool | None = None,
        keyterms: Sequence[str] | None = None,
        provider: Mapping[str, Any] | None = None,
        user: str | None = None,
        session_id: str | None = None,
        trace: Mapping[str, Any] | None = None,
        form: Literal["json", "multipart"] = "json",
        extra_body: Mapping[str, Any] | None = None,
        timeouts: Timeouts | None = None,
    ) -> Call[Transcription]:
        """Have a recording written down. Normal key.

        Args:
            file: A path, bytes, an open file or a ``data:`` URL; never held in memory as a
                whole.
            format: Such as ``wav``, ``mp3``, ``flac``, ``m4a``, ``ogg``, ``webm`` or ``aac``,
                where the file's first bytes do not tell.
            language: Two letters, such as ``en``; by default the model finds out.
            temperature: From 0 to 1.
            response_format: ``verbose_json`` tells language, duration and segments as well.
            timestamp_granularities: With ``verbose_json``, ``word`` gives words beside the
                segments.
            diarize: Tell speakers apart, where the model can.
            keyterms: Words that are likely to be said.
            provider: Options by provider; only in a JSON body.
            form: ``"json"`` sends a file of any size as base64, ``"multipart"`` one of at most
                25 MB as it is, which is a quarter less to send.

        Raises:
            ValueError: From the call or the wait, the file is empty, of no known kind, or too
                large for the form.
            OSError: The file cannot be read.

        >>> async def example(client: OpenRouter) -> str:
        ...     heard = await client.audio.transcribe("talk.mp3", model="openai/whisper-1")
        ...     return heard.text
        """
        if form not in ("json", "multipart"):
            raise ValueError(f"form must be 'json' or 'multipart', got {form!r}")
        if timestamp_granularities is not None and response_format != "verbose_json":
            raise ValueError("timestamp_granularities needs response_format='verbose_json'")
        body = checked(TranscriptionFields, locals())
        recording = _recording(content.audio(file, format=format))
        if form == "json":
            whole = {"model": body.pop("model"), "input_audio": recording} | body
            asked = _TRANSCRIPTION.ask(body=encoded(whole, extra_body))
        elif provider is not None:
            raise ValueError("provider has no place in a form; leave form='multipart' out")
        else:
            named = _form_fields(body | dict(extra_body or {}))
            filled = FormWithFile.of(named, recording, _FORM_LIMIT)
            headers = {"Content-Type": filled.content_type}
            asked = _TRANSCRIPTION.ask(body=filled, headers=headers)
        return self._transcription(asked, timeouts_of(self._sender, timeouts))

    async def _transcription(self, asked: Asked, timeouts: Timeouts) -> Transcription:
        answered = await _TRANSCRIPTION.answer_to(self._sender, asked, timeouts)
        found = decoded(answered, Transcription, self._sender, mark=_TRANSCRIPTION.mark)
        found.generation_id = answered.headers.get("x-generation-id")
        return found


class _Recording(Attachment):
    """A recording that is the thing itself, not a part of a message."""

    __slots__ = ()

    def wire(self, url: str, data: str, data_format: str) -> dict[str, Any]:
        return {"data": data, "format": data_format}


def _recording(given: Attachment | AudioPart) -> _Recording:
    if isinstance(given, Attachment):
        return recast(given, _Recording)
    inner = msgspec.to_builtins(given.input_audio)
    return _Recording("audio", base64.b64decode(inner["data"]), media_type=inner["format"])


def _form_fields(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for name, value in body.items():
        if isinstance(value, list | tuple):
            items = cast("Sequence[object]", value)
            fields += [(f"{name}[]", _form_text(item)) for item in items]
        else:
            fields.append((name, _form_text(value)))
    return fields


def _form_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _speech(data: bytes, headers: Mapping[str, str], asked_for: str) -> Speech:
    kind, *parameters = headers.get("content-type", "").lower().split(";")
    main, _, named = kind.strip().partition("/")
    told = dict(_parameter(text) for text in parameters)
    return Speech(
        data,
        _FORMATS.get(named, named) if main == "audio" and named != "*" else asked_for,
        generation_id=headers.get("x-generation-id"),
        sample_rate=told.get("rate") or 24_000,
        channels=told.get("channels") or 1,
    )


def _parameter(text: str) -> tuple[str, int | None]:
    name, _, value = text.partition("=")
    value = value.strip(' "')
    return name.strip(), int(value) if value.isdecimal() else None
