"""``/images``: what is asked, what comes, and which models there are.

Models that draw take their own part of all this; what they do not know the API drops or refuses.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, field

from ._request import BodyKeywords, Maybe, Open, OrAnyMapping, OrMapping, RequestStruct
from ._sniff import image_type
from ._struct import WireStruct
from .chat import ErrorBody
from .media import Image, ImageURL
from .options import Trace
from .routing import ProviderSort
from .usage import Usage

AspectRatio: TypeAlias = Literal[
    "1:1",
    "2:3",
    "3:2",
    "3:4",
    "4:3",
    "4:5",
    "5:4",
    "9:16",
    "16:9",
    "21:9",
    "1:4",
    "4:1",
    "1:8",
    "8:1",
]
"""Width to height, as ``image_config`` takes it; the last four are known to few models."""

_PIXELS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "1:1": (1024, 1024),
        "2:3": (832, 1248),
        "3:2": (1248, 832),
        "3:4": (864, 1184),
        "4:3": (1184, 864),
        "4:5": (896, 1152),
        "5:4": (1152, 896),
        "9:16": (768, 1344),
        "16:9": (1344, 768),
        "21:9": (1536, 672),
    }
)
"""What the API's documentation promises for images of one thousand pixels."""

_HEAD: Final = 64
"""Base64 characters that tell what a file is; a multiple of four."""


def pixel_size(
    aspect_ratio: AspectRatio | str = "1:1", image_size: str = "1K"
) -> tuple[int, int] | None:
    """Give the width and height that the documentation promises; None where it promises none.

    Args:
        aspect_ratio: Width to height.
        image_size: The tier; there are promises for ``"1K"``, the default, alone.

    >>> pixel_size("16:9")
    (1344, 768)
    """
    return _PIXELS.get(aspect_ratio) if image_size == "1K" else None


# What is asked.


class ImageProviderRouting(RequestStruct, kw_only=True):
    """Which providers may draw, as in `ProviderRouting`, and what is passed on to them.

    `sort` is for want of `order`; `options` are a provider's own, by its slug, such as
    ``{"black-forest-labs": {"steps": 40}}``.
    """

    order: Maybe[Sequence[str] | None] = UNSET
    only: Maybe[Sequence[str] | None] = UNSET
    ignore: Maybe[Sequence[str] | None] = UNSET
    allow_fallbacks: Maybe[bool | None] = UNSET
    sort: Maybe[
        Open[Literal["price", "throughput", "latency", "exacto"]] | OrMapping[ProviderSort] | None
    ] = UNSET
    options: Maybe[Mapping[str, Mapping[str, Any]]] = UNSET


class ImageParams(BodyKeywords, total=False):
    """Every documented field of an ``/images`` request besides prompt, model and references.

    What is not given is not sent. ``n`` is the most images to draw, and fewer may come;
    ``resolution`` is a tier, of which each provider makes pixels; ``size`` is a tier or pixels
    such as ``"2048x2048"``, which nothing else may contradict; ``output_compression`` is for WebP
    and JPEG; a transparent ``background`` wants PNG or WebP. A newer field goes into
    ``extra_body``.
    """

    n: Annotated[int, Meta(ge=1, le=10)]
    resolution: Open[Literal["512", "1K", "2K", "4K"]]
    aspect_ratio: Open[
        Literal["1:1", "1:2", "2:1", "1:4", "4:1", "1:8", "8:1", "2:3", "3:2", "3:4", "4:3"]
        | Literal["4:5", "5:4", "9:16", "16:9", "9:19.5", "19.5:9", "9:20", "20:9", "9:21"]
        | Literal["21:9", "auto"]
    ]
    size: str
    quality: Open[Literal["auto", "low", "medium", "high"]]
    output_format: Open[Literal["png", "jpeg", "webp", "svg"]]
    background: Open[Literal["auto", "transparent", "opaque"]]
    output_compression: Annotated[int, Meta(ge=0, le=100)]
    seed: int
    provider: OrMapping[ImageProviderRouting]
    user: str
    session_id: str
    trace: OrAnyMapping[Trace]
    extra_headers: Mapping[str, str]


# What comes.


class ImageData(WireStruct):
    """One image of an answer in one piece."""

    b64_json: str = ""
    media_type: str | None = None

    def to_image(self, index: int | None = None) -> Image:
        """Give the image; what it is is read off its first bytes where nothing says so."""
        kind = self.media_type or _kind_of(self.b64_json) or "image/png"
        url = ImageURL(url=f"data:{kind};base64,{self.b64_json}")
        return Image(image_url=url, index=index)


class ImageMessage(ImageData):
    """One event as it is on the wire, or an answer that came in one piece, which has `data`."""

    type: str | None = None
    partial_image_index: int | None = None
    phase: str | None = None
    text: str | None = None
    created: int | None = None
    data: list[ImageData] | None = None
    usage: Usage | None = None
    error: ErrorBody | None = None


class ImageEvent(Struct, kw_only=True):
    """One step of an image's making.

    Attributes:
        type: ``image_generation.partial_image``, ``.text_chunk`` or ``.completed``, or what the
            API may add.
        images: One, where the event carries one; all of them, where the answer came in one piece
            although a stream was asked for, as it does from most providers.
        is_partial: The images are sketches of what is to come, to be shown and replaced.
        text: A piece of text, such as the markup of a drawing.
        phase: What the text is: ``content``, ``reasoning`` or ``draft``.
        usage: Tokens and cost; None where the event does not tell.
        created: When the images were made, in seconds since the epoch.
    """

    type: str
    images: list[Image] = field(default_factory=list[Image])
    is_partial: bool = False
    text: str = ""
    phase: str | None = None
    usage: Usage | None = None
    created: int | None = None

    @classmethod
    def of(cls, message: ImageMessage) -> ImageEvent:
        """Read one off the wire."""
        index = message.partial_image_index
        pieces = message.data or ([message] if message.b64_json else [])
        return cls(
            type=message.type or "image_generation.completed",
            images=[piece.to_image(index) for piece in pieces if piece.b64_json],
            is_partial=message.type == "image_generation.partial_image",
            text=message.text or "",
            phase=message.phase,
            usage=message.usage,
            created=message.created,
        )


def _kind_of(coded: str) -> str | None:
    try:
        return image_type(binascii.a2b_base64(coded[:_HEAD]))
    except ValueError:
        return None


# Which models there are.


class ParameterRange(WireStruct):
    """Values of a parameter, by `type`: ``enum`` (of `values`), ``range`` or ``boolean``."""

    type: str = ""
    values: list[Any] | None = None
    min: float | None = None
    max: float | None = None


class ImageArchitecture(WireStruct):
    """What goes in and what comes out."""

    input_modalities: list[str] = field(default_factory=list[str])
    output_modalities: list[str] = field(default_factory=list[str])


class ImageModel(WireStruct):
    """A model that draws, with what any of its endpoints takes, by name.

    `supports_streaming` is whether a stream brings more than the finished image; `endpoints` is
    where they are listed, and `Images.endpoints` asks there.
    """

    id: str = ""
    name: str = ""
    description: str | None = None
    created: int | None = None
    architecture: ImageArchitecture = field(default_factory=ImageArchitecture)
    supported_parameters: dict[str, ParameterRange] = field(
        default_factory=dict[str, ParameterRange]
    )
    supports_streaming: bool = False
    endpoints: str | None = None


class ImagePrice(WireStruct):
    """What a `unit` (``image``, ``megapixel``, ``token``) costs of a `variant`, where they differ.

    `billable` is what is charged for: ``output_image``, ``input_image``, ``input_text``, ...
    """

    billable: str = ""
    unit: str = ""
    cost_usd: float | None = None
    variant: str | None = None


class ImageEndpoint(WireStruct):
    """A provider that serves a model, with what it takes and what ``provider.options`` may hold."""

    provider_name: str = ""
    provider_slug: str = ""
    provider_tag: str | None = None
    supported_parameters: dict[str, ParameterRange] = field(
        default_factory=dict[str, ParameterRange]
    )
    allowed_passthrough_parameters: list[str] = field(default_factory=list[str])
    supports_streaming: bool = False
    pricing: list[ImagePrice] = field(default_factory=list[ImagePrice])
