"""Sound: what is asked for speech and for a transcription, and what comes of it.

What may live here: the wire structs of ``/audio`` and the one object that sound is given as,
whichever way it came. Nothing here plays, converts or waits for anything.
"""

from __future__ import annotations

from pathlib import Path
from struct import pack
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, field

from ._arrived import Charged
from ._base64 import Base64Pieces
from ._request import Maybe, Open, RequestStruct
from ._shown import player
from ._struct import WireStruct

_Bytes: TypeAlias = bytes
"""`Speech.bytes` hides the built-in name where the annotations of `Speech` are read."""

_Text: TypeAlias = Annotated[str, Meta(min_length=1)]

_RAW: Final = frozenset({"pcm", "pcm16"})
_SAMPLE: Final = 2
"""Bytes of one sample: raw sound is 16 bit, little endian."""

_SUFFIXES: Final = {name: f".{name}" for name in ("wav", "mp3", "flac", "opus", "ogg", "aac")}


class Speech:
    """Sound that was spoken: of a chat answer, or of ``client.audio.speech``.

    Raw samples (``pcm``, ``pcm16``) do not say how fast they are to be played. OpenRouter's
    answers to ``/audio/speech`` tell it in their content type; a chat's do not, and OpenAI, whose
    models speak there, documents 24,000 Hz, one channel.

    Attributes:
        format: What the bytes are: ``mp3``, ``wav``, ``flac``, ``opus``, or ``pcm`` and
            ``pcm16``, which are raw samples of 16 bit.
        transcript: The words, where the answer told them.
        generation_id: The ``gen-...`` id, where it is known.
        sample_rate: Samples a second of raw sound.
        channels: Channels of raw sound.

    >>> speech = Speech(bytes(480), "pcm16")
    >>> speech.suffix, len(speech.wav())
    ('.wav', 524)
    """

    __slots__ = ("_data", "channels", "format", "generation_id", "sample_rate", "transcript")

    def __init__(
        self,
        data: bytes | str,
        format: str,
        *,
        transcript: str | None = None,
        generation_id: str | None = None,
        sample_rate: int = 24_000,
        channels: int = 1,
    ) -> None:
        self._data = data  # base64 is decoded when the bytes are first asked for
        self.format = format
        self.transcript = transcript
        self.generation_id = generation_id
        self.sample_rate = sample_rate
        self.channels = channels

    @property
    def bytes(self) -> _Bytes:
        """The sound as it came.

        Raises:
            ValueError: The answer's base64 is broken.
        """
        if isinstance(self._data, str):
            self._data = Base64Pieces().feed(self._data)
        return self._data

    @property
    def suffix(self) -> str:
        """What a file of it is called at its end; raw samples are saved as ``.wav``."""
        return ".wav" if self._is_raw else _SUFFIXES.get(self.format, ".bin")

    def wav(self, sample_rate: int | None = None) -> _Bytes:
        """Give raw samples as a WAV file.

        Args:
            sample_rate: Samples a second; by default the one that is known.

        Raises:
            ValueError: The sound is not raw.
        """
        if not self._is_raw:
            raise ValueError(f"only raw samples become a WAV file, and these are {self.format}")
        frame = _SAMPLE * self.channels
        data = self.bytes[: len(self.bytes) // frame * frame]  # a cut answer may end in a sample
        return _wav_header(len(data), sample_rate or self.sample_rate, self.channels) + data

    def save(
        self, path: str | Path, *, overwrite: bool = False, sample_rate: int | None = None
    ) -> Path:
        """Write a file that can be played, choosing the suffix where `path` has none.

        Args:
            path: Where to write. Raw samples get the header of a WAV file where it ends with
                ``.wav``, and stay raw where it ends otherwise.
            overwrite: Replace a file that is there.
            sample_rate: Samples a second of raw sound, in place of `sample_rate`.

        Returns:
            The path that was written.

        Raises:
            FileExistsError: There is such a file already.
            ValueError: The answer's base64 is broken.
            OSError: The file cannot be written.
        """
        target = Path(path)
        if not target.suffix:
            target = target.with_name(target.name + self.suffix)
        as_wav = self._is_raw and target.suffix.lower() == ".wav"
        data = self.wav(sample_rate) if as_wav else self.bytes
        with target.open("wb" if overwrite else "xb") as file:
            file.write(data)
        return target

    def _repr_html_(self) -> str:
        """Show a player in a notebook."""
        return player(self)

    async def save_async(
        self, path: str | Path, *, overwrite: bool = False, sample_rate: int | None = None
    ) -> Path:
        """Write a file as `save` does, without holding up the event loop.

        >>> async def example(speech: Speech) -> None:
        ...     print(await speech.save_async("greeting"))
        """
        from .._threads import in_thread

        return await in_thread(self.save, path, overwrite=overwrite, sample_rate=sample_rate)

    @property
    def _is_raw(self) -> bool:
        return self.format in _RAW

    def __repr__(self) -> str:
        return f"<Speech: {self.format}>"


def _wav_header(size: int, sample_rate: int, channels: int) -> bytes:
    frame = _SAMPLE * channels
    form = pack("<HHIIHH", 1, channels, sample_rate, sample_rate * frame, frame, 8 * _SAMPLE)
    return b"".join(
        [
            b"RIFF" + pack("<I", min(36 + size, 2**32 - 1)) + b"WAVE",
            b"fmt " + pack("<I", len(form)) + form,
            b"data" + pack("<I", min(size, 2**32 - 1)),
        ]
    )


class SpeechSegment(RequestStruct, kw_only=True):
    """A part of a text that is spoken in a way of its own."""

    text: _Text
    voice: Maybe[_Text | None] = UNSET
    instructions: Maybe[_Text | None] = UNSET


class SpeechFields(RequestStruct, kw_only=True):
    """The fields of a request for speech, in their order on the wire."""

    model: _Text
    input: _Text | Annotated[list[SpeechSegment], Meta(min_length=1)]
    voice: Maybe[_Text] = UNSET
    instructions: Maybe[_Text] = UNSET
    response_format: Maybe[Open[Literal["mp3", "pcm"]]] = UNSET
    speed: Maybe[Annotated[float, Meta(gt=0)]] = UNSET
    provider: Maybe[dict[str, Any]] = UNSET
    user: Maybe[_Text] = UNSET
    session_id: Maybe[_Text] = UNSET
    trace: Maybe[dict[str, Any]] = UNSET


class TranscriptionFields(RequestStruct, kw_only=True):
    """The fields of a request for a transcription beside the recording, in their order."""

    model: _Text
    language: Maybe[_Text] = UNSET
    temperature: Maybe[Annotated[float, Meta(ge=0, le=1)]] = UNSET
    # Other formats of text than JSON are refused by the API.
    response_format: Maybe[Literal["json", "verbose_json"]] = UNSET
    timestamp_granularities: Maybe[list[Literal["word", "segment"]]] = UNSET
    diarize: Maybe[bool] = UNSET
    keyterms: Maybe[list[_Text]] = UNSET
    provider: Maybe[dict[str, Any]] = UNSET
    user: Maybe[_Text] = UNSET
    session_id: Maybe[_Text] = UNSET
    trace: Maybe[dict[str, Any]] = UNSET


class TranscriptionUsage(WireStruct):
    """What a transcription took: `seconds` of recording, tokens, and `cost` in USD."""

    seconds: float | None = None
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


class TranscriptionSegment(WireStruct):
    """A stretch of speech in seconds from the start, by whom, where speakers are told apart."""

    id: int | None = None
    start: float = 0.0
    end: float = 0.0
    text: str = ""
    seek: int | None = None
    tokens: list[int] | None = None
    temperature: float | None = None
    avg_logprob: float | None = None
    compression_ratio: float | None = None
    no_speech_prob: float | None = None
    speaker: int | None = None
    speaker_label: str | None = None
    channel: int | None = None


class TranscriptionWord(WireStruct):
    """A word, with seconds from the recording's start."""

    word: str = ""
    start: float = 0.0
    end: float = 0.0
    speaker: int | None = None
    speaker_label: str | None = None
    channel: int | None = None
    confidence: float | None = None
    type: str | None = None


class TranscriptionEntity(WireStruct):
    """A name, a number or the like, and where in the text it stands."""

    type: str | None = None
    text: str | None = None
    start_char: int | None = None
    end_char: int | None = None


class Transcription(Charged):
    """What was said in a recording.

    `duration` (in seconds), `language` (heard or given) and `segments` come with ``verbose_json``,
    `words` where ``timestamp_granularities`` asks for them, the ``gen-...`` id with the headers.
    """

    text: str = ""
    usage: TranscriptionUsage | None = None
    task: str | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[TranscriptionSegment] | None = None
    words: list[TranscriptionWord] | None = None
    entities: list[TranscriptionEntity] | None = None
    confidence: float | None = None
    language_confidence: float | None = None
    generation_id: str | None = field(default=None, name="(generation_id)")
