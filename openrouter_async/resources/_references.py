"""Reference images: pictures that a request shows the model to draw by.

The rule of this file: pure. Whatever shows a picture becomes a message part; a file is looked at
when the request is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from .. import content
from .._config import check_type
from ..types import Image, ImagePart
from ..types.attachment import Attachment, Source

__all__ = ["Reference", "check_prompt", "drawing_messages", "reference_part", "reference_parts"]

Reference: TypeAlias = Source | ImagePart | Attachment | Image
"""What `content.image` takes or gives, or an image of an earlier answer."""


def reference_parts(images: Sequence[Reference], place: str) -> list[ImagePart | Attachment]:
    """Make a message part of each reference image."""
    given = cast("object", images)
    if isinstance(given, str | bytes | bytearray | Path) or not isinstance(given, Sequence):
        raise TypeError(f"{place} must be a sequence of images, got {type(given).__name__}")
    return [reference_part(image, f"{place}[{index}]") for index, image in enumerate(images)]


def drawing_messages(prompt: str, images: Sequence[Reference] = ()) -> list[dict[str, Any]]:
    """Make the messages that ask for a picture: the words first, then the references."""
    check_prompt(prompt)
    parts = reference_parts(images, "images")
    said = [content.text(prompt), *parts] if parts else prompt
    return [{"role": "user", "content": said}]


def check_prompt(prompt: str) -> None:
    """Refuse what says nothing."""
    check_type("prompt", prompt, str)
    if not prompt.strip():
        raise ValueError("prompt must not be empty")


def reference_part(image: Reference, place: str) -> ImagePart | Attachment:
    """Make a message part of one picture."""
    if isinstance(image, ImagePart | Attachment):
        return image
    try:
        return content.image(image.url if isinstance(image, Image) else image)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from None
