"""``/videos``: a job is created, waited for, and its video downloaded.

The rule of this file: a job is known by its id alone, so that any process can go on with it, and
every address is made of that id below the base URL: the key goes to no host that an answer names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import msgspec

from .._byte_stream import ByteStream
from .._config import Timeouts
from .._part_file import PartFile
from .._threads import in_thread
from ..errors import VideoFailedError
from ..types._sniff import audio_type
from ..types.attachment import Attachment
from ..types.messages import AudioPart, VideoPart
from ..types.video import AspectRatio, Resolution, VideoFields, VideoJob, VideoModel
from ._call import Call, Group, Operation
from ._list import Listing, listing
from ._media import byte_stream, checked, encoded, recast
from ._references import Reference, reference_part
from ._waiting import wait_for_end

__all__ = ["Videos"]

Guide: TypeAlias = Reference | AudioPart | VideoPart | Mapping[str, Any]
"""What a video is made by: a picture in any form, sound and video as `content` makes them."""


_CREATE: Final = Operation(
    "POST /videos", VideoJob, inside=None, body=VideoFields, key="normal", mark="id"
)
_GET: Final = Operation("GET /videos/{job}", VideoJob, inside=None, mark="status")
_CONTENT: Final = Operation("GET /videos/{job}/content", bytes)
_WRITTEN: Final = 2**20
"""Bytes that are gathered before a worker thread writes them."""

_SUFFIXES: Final = {"video/mp4": ".mp4", "video/webm": ".webm", "video/quicktime": ".mov"}
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Videos(Group):
    """Videos, and the jobs that make them; reached as `OpenRouter.videos`.

    `NotFoundError` says that there is no job of an id.
    """

    @_CREATE
    def create(
        self,
        prompt: str | None = None,
        *,
        model: str,
        duration: int | None = None,
        resolution: Resolution | None = None,
        aspect_ratio: AspectRatio | None = None,
        size: str | None = None,
        first_frame: Reference | None = None,
        last_frame: Reference | None = None,
        references: Sequence[Guide] = (),
        generate_audio: bool | None = None,
        seed: int | None = None,
        callback_url: str | None = None,
        creativity: int | None = None,
        upscale_factor: float | None = None,
        previous_job_id: str | None = None,
        provider: Mapping[str, Any] | None = None,
        user: str | None = None,
        session_id: str | None = None,
        trace: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeouts: Timeouts | None = None,
    ) -> Call[VideoJob]:
        """Order a video; what comes back at once is the job that makes it. Normal key.

        Args:
            prompt: What it shows; only some models need none.
            model: A model that makes videos; see `models`.
            duration: Seconds.
            resolution: Such as ``"720p"``.
            aspect_ratio: Such as ``"16:9"``.
            size: Pixels, such as ``"1280x720"``, in place of the two.
            first_frame: The picture that it begins with: a path, bytes, an open file, a URL,
                what ``content.image`` made, or an image of an answer.
            last_frame: The picture that it ends with.
            references: What it is guided by: pictures, ``content.audio(...)`` and
                ``content.video(...)``; frames outweigh them.
            seed: The same seed gives the same video again, where a provider can.
            callback_url: The https URL of a webhook; see `openrouter_async.webhooks`.
            creativity: How freely an upscaler adds; `upscale_factor` is how much larger it makes.
            previous_job_id: The job whose video this one goes on with.
            provider: Such as ``{"options": {"google-vertex": {...}}}``.
            user: Who it is for; `session_id` is what belongs together, `trace` for observability.

        Raises:
            OSError: A file cannot be read.

        >>> async def example(client: OpenRouter) -> None:
        ...     job = await client.videos.create("A calm sea", model="google/veo-3.1", duration=4)
        ...     print(job.id)
        ...     await client.videos.wait(job)
        ...     print(await client.videos.download(job, "sea.mp4"))
        """
        body = checked(VideoFields, locals())
        frames = {"first_frame": first_frame, "last_frame": last_frame}
        pictures = [_frame(name, given) for name, given in frames.items() if given is not None]
        if pictures:
            body["frame_images"] = pictures
        guides = [_guide(given, f"references[{index}]") for index, given in enumerate(references)]
        if guides:
            body["input_references"] = guides
        return _CREATE.send(self._sender, body=encoded(body, extra_body), timeouts=timeouts)

    @_GET
    async def get(self, job: VideoJob | str) -> VideoJob:
        """Look at a job, or at the one of an id. Any key."""
        name = _id_of(job)
        found = await _GET.send(self._sender, name)
        found.id = found.id or name
        return found

    async def wait(
        self,
        job: VideoJob | str,
        *,
        poll: float = 30.0,
        timeout: float | None = None,
        on_progress: Callable[[VideoJob], object] | None = None,
    ) -> VideoJob:
        """Wait until a job has its video.

        An API that is busy, failing or not to be reached for a while does not end the wait. To
        stop waiting does not stop the job: go on with its id, in any process.

        Args:
            job: The job, or its id.
            poll: The most seconds between two looks; the first are 2, 4, 8, ... seconds apart.
            timeout: Seconds to wait in all; None waits as long as it takes.
            on_progress: Called with the job after each look.

        Raises:
            VideoFailedError: There will be no video; ``.job`` tells why.
            TotalTimeout: The job was not over within `timeout`.

        >>> async def example(client: OpenRouter, id: str) -> None:
        ...     job = await client.videos.wait(id, on_progress=lambda job: print(job.status))
        ...     print(f"${job.cost}")
        """
        name = _id_of(job)
        return await wait_for_end(
            lambda: self.get(name),
            _is_completed,
            what=f"the video {name}",
            poll=poll,
            timeout=timeout,
            on_progress=on_progress,
        )

    @_CONTENT
    def content(
        self, job: VideoJob | str, *, index: int = 0, timeouts: Timeouts | None = None
    ) -> ByteStream[bytes]:
        """Stream a finished video, to hand it on without a file, or await all of it. Any key.

        Args:
            job: The job, or its id.
            index: Which of its videos, from 0.
        """
        if index < 0:
            raise ValueError(f"index must be at least 0, got {index}")
        return byte_stream(
            self._sender,
            _CONTENT,
            _CONTENT.ask(_id_of(job))._replace(query={"index": str(index)}),
            accept="video/*, application/octet-stream",
            make=lambda data, _: data,
            billed="no",
            timeouts=timeouts,
        )

    @_CONTENT
    async def download(
        self,
        job: VideoJob | str,
        path: str | Path | None = None,
        *,
        index: int = 0,
        overwrite: bool = False,
        timeouts: Timeouts | None = None,
    ) -> Path:
        """Save a finished video to a file, which is there when it is whole and not before.

        Any key.

        Args:
            job: The job, or its id.
            path: Where to write, with the right suffix where it has none; by default a file in
                the current folder that is named after the id.
            index: Which of its videos, from 0.
            overwrite: Replace a file that is there.

        Returns:
            The path that was written.

        Raises:
            FileExistsError: There is such a file already.
        """
        target = Path(path) if path is not None else Path(f"video-{_NO_NAME.sub('-', _id_of(job))}")
        async with self.content(job, index=index, timeouts=timeouts) as stream:
            if not target.suffix:
                kind = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
                target = target.with_name(target.name + _SUFFIXES.get(kind, ".mp4"))
            await _write(stream, PartFile(target, overwrite=overwrite))
        return target

    @listing("GET /videos/models", key="none")
    def models(self) -> Listing[VideoModel]:
        """List the models that make videos, with what each of them takes. No key is needed."""


async def _write(stream: ByteStream[bytes], file: PartFile) -> None:
    pieces: list[bytes] = []
    size = 0
    try:
        await in_thread(file.begin)
        async for data in stream:
            pieces.append(data)
            size += len(data)
            if size >= _WRITTEN:
                await in_thread(file.write, pieces)
                pieces, size = [], 0
        await in_thread(file.write, pieces)
        await in_thread(file.finish)
    finally:
        file.drop()  # at once: who is cancelled cannot wait


def _id_of(job: VideoJob | str) -> str:
    name = job.id if isinstance(job, VideoJob) else job
    if not isinstance(cast("object", name), str):
        raise TypeError(f"job must be a VideoJob or its id, got {type(job).__name__}")
    if not name.strip(". "):  # a path would end above it
        raise ValueError("the job has no id")
    return name


def _frame(name: str, picture: Reference) -> Attachment | dict[str, Any]:
    shown = reference_part(picture, name)
    if not isinstance(shown, Attachment):
        return cast("dict[str, Any]", msgspec.to_builtins(shown)) | {"frame_type": name}
    made = recast(shown, Attachment)
    made.options = shown.options | {"frame_type": name}
    return made


class _Sound(Attachment):
    """A recording as videos take it: by an address, which holds it."""

    __slots__ = ()

    def wire(self, url: str, data: str, data_format: str) -> dict[str, Any]:
        return {"type": "audio_url", "audio_url": {"url": url}}


def _guide(given: Guide, place: str) -> object:
    if isinstance(given, Attachment) and given.kind == "audio":
        return recast(given, _Sound)
    if isinstance(given, AudioPart):
        inner = msgspec.to_builtins(given.input_audio)
        url = f"data:{audio_type(inner['format'])};base64,{inner['data']}"
        return {"type": "audio_url", "audio_url": {"url": url}}
    return given if isinstance(given, VideoPart | Mapping) else reference_part(given, place)


def _is_completed(job: VideoJob) -> bool:
    """Whether a job has its video, raising where it never will."""
    if not job.has_failed:
        return job.is_completed
    why = f": {job.error}" if job.error else ""
    error = VideoFailedError(f"the video {job.id} has ended as {job.status!r}{why}")
    error.job = job
    error.generation_id = job.generation_id
    error.billed = "unknown" if job.cost is None else "yes" if job.cost > 0 else "no"
    raise error
