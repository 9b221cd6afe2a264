"""``/videos``: what is asked for, the job that makes one and its webhooks, and what makes them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, field

from ._arrived import Charged
from ._request import Maybe, Open, RequestStruct
from ._struct import WireStruct

AspectRatio: TypeAlias = Open[
    Literal["16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21"]
]
Resolution: TypeAlias = Open[Literal["480p", "720p", "768p", "1080p", "1K", "2K", "4K"]]

_FAILED: Final = frozenset({"failed", "cancelled", "expired", "dead"})


class VideoFields(RequestStruct, kw_only=True):
    """The fields of a request for a video beside its pictures, in their order on the wire."""

    model: Annotated[str, Meta(min_length=1)]
    prompt: Maybe[Annotated[str, Meta(min_length=1)]] = UNSET
    duration: Maybe[Annotated[int, Meta(ge=1)]] = UNSET
    resolution: Maybe[Resolution] = UNSET
    aspect_ratio: Maybe[AspectRatio] = UNSET
    size: Maybe[Annotated[str, Meta(pattern=r"^\d+x\d+$", max_length=20)]] = UNSET
    generate_audio: Maybe[bool] = UNSET
    seed: Maybe[int] = UNSET
    callback_url: Maybe[Annotated[str, Meta(pattern="^https://", max_length=2048)]] = UNSET
    creativity: Maybe[int] = UNSET
    upscale_factor: Maybe[Annotated[float, Meta(gt=0)]] = UNSET
    previous_job_id: Maybe[Annotated[str, Meta(min_length=1)]] = UNSET
    provider: Maybe[dict[str, Any]] = UNSET
    user: Maybe[str] = UNSET
    session_id: Maybe[str] = UNSET
    trace: Maybe[dict[str, Any]] = UNSET


class VideoUsage(WireStruct):
    """What a video cost, in USD."""

    cost: float | None = None
    is_byok: bool | None = None


class VideoJob(Charged):
    """A video that is being made, or was; its id alone finds it again, from any process.

    `status` is ``pending``, ``in_progress``, ``completed``, ``failed``, ``cancelled``, ``expired``,
    or a word newer than this client; `error` tells why there is no video. They are kept until
    `expires_at`, in seconds since the epoch, at `unsigned_urls`, or `urls`; those of OpenRouter
    need the key. This client goes by the id, never by `polling_url`; webhooks tell the model.
    """

    id: str = ""
    status: str = ""
    polling_url: str | None = None
    generation_id: str | None = None
    model: str | None = None
    unsigned_urls: list[str] | None = None
    urls: list[str] | None = None
    expires_at: int | None = None
    error: str | None = None
    usage: VideoUsage | None = None

    @property
    def is_completed(self) -> bool:
        """Whether the video can be downloaded."""
        return self.status == "completed"

    @property
    def has_failed(self) -> bool:
        """Whether there will be no video."""
        return self.status in _FAILED


class VideoEvent(WireStruct):
    """What a webhook tells of a job, once its signature was checked.

    `type` is ``video.generation.completed``, or ``.failed``, ``.cancelled``, ``.expired``; the
    `idempotency_key` is the same for every delivery of one event.
    """

    type: str = ""
    created_at: str | int | float | None = None
    job: VideoJob = field(default_factory=VideoJob, name="data")
    idempotency_key: str | None = field(default=None, name="(idempotency_key)")


class UpscaleRange(WireStruct):
    """How much larger an upscaler can make a video."""

    min: float | None = None
    max: float | None = None


class VideoModel(WireStruct):
    """A model that makes videos, with what it takes; None where it does not say.

    Durations are seconds; `pricing_skus` is USD as text, by what is charged for.
    """

    id: str = ""
    canonical_slug: str | None = None
    name: str | None = None
    created: int | None = None
    description: str | None = None
    hugging_face_id: str | None = None
    supported_resolutions: list[str] | None = None
    supported_aspect_ratios: list[str] | None = None
    supported_sizes: list[str] | None = None
    supported_durations: list[int] | None = None
    supported_frame_images: list[str] | None = None
    generate_audio: bool | None = None
    seed: bool | None = None
    pricing_skus: dict[str, str] | None = None
    allowed_passthrough_parameters: list[str] | None = None
    creativity: list[int] | None = None
    upscale_factor: UpscaleRange | None = None
