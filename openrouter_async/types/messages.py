"""Messages as one writes them: a struct for every role and every kind of part.

What may live here: request structs of messages. Everywhere a struct is taken, the plain mapping
of the wire form is taken too, and whatever an answer holds can be sent back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct

from ._request import Maybe, Open, OrAnyMapping, OrMapping, RequestStruct
from .attachment import Attachment
from .chat import Annotation, ContentPart, ReasoningDetail, ToolCall
from .media import AudioDelta, Image, ImageURL
from .options import CacheControl, PromptCacheBreakpoint

MessageParam: TypeAlias = Mapping[str, Any] | Struct
"""One message of a request: a plain mapping of the wire form, or a message struct."""


class TextPart(RequestStruct, kw_only=True):
    """Text; put it before images."""

    type: Literal["text"] = "text"
    text: str
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET
    prompt_cache_breakpoint: Maybe[OrMapping[PromptCacheBreakpoint]] = UNSET


class ImagePart(RequestStruct, kw_only=True):
    """An image, by an http(s) URL or a ``data:`` URL that holds it."""

    type: Literal["image_url"] = "image_url"
    image_url: OrAnyMapping[ImageURL]
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET
    prompt_cache_breakpoint: Maybe[OrMapping[PromptCacheBreakpoint]] = UNSET


class FileData(RequestStruct, kw_only=True):
    """A document: a URL or ``data:`` URL as `file_data`, or the id of an uploaded file."""

    filename: Maybe[str] = UNSET
    file_data: Maybe[str] = UNSET
    file_id: Maybe[str] = UNSET


class FilePart(RequestStruct, kw_only=True):
    """A document, such as a PDF."""

    type: Literal["file"] = "file"
    file: OrMapping[FileData]
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET
    prompt_cache_breakpoint: Maybe[OrMapping[PromptCacheBreakpoint]] = UNSET


class InputAudio(RequestStruct, kw_only=True):
    """A recording: plain base64, neither a URL nor a ``data:`` URL."""

    data: str
    format: Open[
        Literal["wav", "mp3", "aiff", "aac", "ogg", "flac", "m4a"] | Literal["pcm16", "pcm24"]
    ]


class AudioPart(RequestStruct, kw_only=True):
    """A recording."""

    type: Literal["input_audio"] = "input_audio"
    input_audio: OrMapping[InputAudio]
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET
    prompt_cache_breakpoint: Maybe[OrMapping[PromptCacheBreakpoint]] = UNSET


class VideoURL(RequestStruct, kw_only=True):
    """Where a video is: an http(s) URL, or a ``data:`` URL that holds it."""

    url: str


class VideoPart(RequestStruct, kw_only=True):
    """A video."""

    type: Literal["video_url"] = "video_url"
    video_url: OrMapping[VideoURL]
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET
    prompt_cache_breakpoint: Maybe[OrMapping[PromptCacheBreakpoint]] = UNSET


Part: TypeAlias = TextPart | ImagePart | FilePart | AudioPart | VideoPart
"""Any part of a message that has a struct."""

_Text: TypeAlias = str | Sequence[OrAnyMapping[TextPart]]
_Content: TypeAlias = str | Sequence[OrAnyMapping[Part | ContentPart | Image | Attachment]]


class SystemMessage(RequestStruct, kw_only=True):
    """What the model is to be."""

    role: Literal["system"] = "system"
    content: _Text
    name: Maybe[str] = UNSET


class DeveloperMessage(RequestStruct, kw_only=True):
    """What the model is to be, as OpenAI's newer models call it."""

    role: Literal["developer"] = "developer"
    content: _Text
    name: Maybe[str] = UNSET


class UserMessage(RequestStruct, kw_only=True):
    """What the user says."""

    role: Literal["user"] = "user"
    content: _Content
    name: Maybe[str] = UNSET


class AssistantMessage(RequestStruct, kw_only=True):
    """What the model said earlier; as the last message, how its answer begins.

    An answer's own `Message` can stand in its place. `content` is None, rather than an empty text,
    where there are only tool calls; `reasoning_details` are sent all, unchanged and in order;
    `model` is who said it, with which the auto router can stay.
    """

    role: Literal["assistant"] = "assistant"
    content: Maybe[_Content | None] = UNSET
    name: Maybe[str] = UNSET
    refusal: Maybe[str | None] = UNSET
    reasoning: Maybe[str | None] = UNSET
    reasoning_content: Maybe[str | None] = UNSET
    reasoning_details: Maybe[Sequence[OrAnyMapping[ReasoningDetail]]] = UNSET
    tool_calls: Maybe[Sequence[OrAnyMapping[ToolCall]]] = UNSET
    images: Maybe[Sequence[OrAnyMapping[Image]]] = UNSET
    annotations: Maybe[Sequence[OrAnyMapping[Annotation]]] = UNSET
    audio: Maybe[OrAnyMapping[AudioDelta]] = UNSET
    model: Maybe[str] = UNSET


class ToolMessage(RequestStruct, kw_only=True):
    """What a tool gave back."""

    role: Literal["tool"] = "tool"
    tool_call_id: str
    content: _Content
    name: Maybe[str] = UNSET
    cache_control: Maybe[OrMapping[CacheControl]] = UNSET
