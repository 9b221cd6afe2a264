"""The pretend ``/videos`` endpoints: jobs that get on each time they are looked at.

The rule of this file: a request in, a reply out; the jobs are kept, no clock drives them. A job is
``pending`` when it is made, ``in_progress`` at the first look and ``completed`` at the second.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from struct import pack
from typing import Any, Final

import msgspec

from openrouter_async.testing._build import http_error, json_reply, replay
from openrouter_async.testing._desk import BASE_PATH, ReceivedRequest
from openrouter_async.testing._png import draw_png
from openrouter_async.testing._script import Reply

__all__ = ["Videos", "still_video"]

_JOB: Final = re.compile(r"/videos/([^/]+)(/content)?")
_WIDTH: Final = 320
_HEIGHT: Final = 176
_SECONDS: Final = 4
_USD_A_SECOND: Final = 0.05
_IDENTITY: Final = pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

_MODELS: Final[list[dict[str, Any]]] = [
    {
        "id": "google/veo-3.1",
        "canonical_slug": "google/veo-3.1",
        "name": "Google: Veo 3.1",
        "created": 1735689600,
        "supported_resolutions": ["720p", "1080p"],
        "supported_aspect_ratios": ["16:9", "9:16"],
        "supported_sizes": None,
        "supported_durations": [4, 6, 8],
        "supported_frame_images": ["first_frame", "last_frame"],
        "generate_audio": True,
        "seed": True,
        "pricing_skus": {"per_second": str(_USD_A_SECOND)},
        "allowed_passthrough_parameters": [],
        "creativity": None,
        "upscale_factor": None,
    }
]


class Videos:
    """The jobs of one emulator."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, Any]] = {}
        self._orders: dict[str, Mapping[str, Any]] = {}

    def answer(self, request: ReceivedRequest) -> Reply:
        """Give the answer to a request below ``/videos``."""
        path = request.path.removeprefix(BASE_PATH)
        if (request.method, path) == ("POST", "/videos"):
            return self._create(request)
        if (request.method, path) == ("GET", "/videos/models"):
            return json_reply(msgspec.json.encode({"data": _MODELS}))
        named = _JOB.fullmatch(path)
        job = self._jobs.get(named[1]) if named else None
        if request.method != "GET" or named is None or job is None:
            return http_error(404, "Job not found")
        if named[2] is None:
            self._get_on(job)
            return json_reply(msgspec.json.encode(job))
        if job["status"] != "completed" or request.query.get("index", "0") != "0":
            return http_error(404, "No such video")
        return replay(self._video(job["id"]), content_type="video/mp4").with_framing("length")

    def _create(self, request: ReceivedRequest) -> Reply:
        try:
            order = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            return http_error(400, f"Invalid JSON body: {error}")
        if not order.get("model"):
            return http_error(400, "model is required")
        id = f"job-{secrets.token_hex(8)}"
        host = request.headers.get("Host", "")
        url = f"http://{host}{BASE_PATH}/videos/{id}"
        self._orders[id] = order
        self._jobs[id] = {"id": id, "polling_url": url, "status": "pending"}
        return json_reply(msgspec.json.encode(self._jobs[id]), status=202)

    def _get_on(self, job: dict[str, Any]) -> None:
        if job["status"] == "pending":
            job["status"] = "in_progress"
        elif job["status"] == "in_progress":
            cost = _USD_A_SECOND * self._seconds(job["id"])
            job |= {
                "status": "completed",
                "generation_id": f"gen-video-{job['id'][4:]}",
                "unsigned_urls": [f"{job['polling_url']}/content?index=0"],
                "usage": {"cost": round(cost, 6), "is_byok": False},
            }

    def _video(self, id: str) -> bytes:
        return still_video(str(self._orders[id].get("prompt") or "a video"), self._seconds(id))

    def _seconds(self, id: str) -> int:
        return int(self._orders[id].get("duration") or _SECONDS)


def still_video(words: str, seconds: int = _SECONDS) -> bytes:
    """Make a small MP4 file of one picture that stands still, drawn from some words."""
    frame = draw_png(words, _WIDTH, _HEIGHT)
    brands = _box(b"ftyp", b"isom", pack(">I", 512), b"isom", b"mp41")
    # Where the picture is hangs on the length of what stands before it, which does not change.
    before = len(brands) + len(_movie(seconds, len(frame), 0)) + 8
    return brands + _movie(seconds, len(frame), before) + _box(b"mdat", frame)


def _movie(seconds: int, size: int, offset: int) -> bytes:
    time = pack(">4I", 0, 0, 1_000, 1_000 * seconds)
    header = _full(
        b"mvhd", time, pack(">IH10x", 0x10000, 0x100), _IDENTITY, bytes(24), pack(">I", 2)
    )
    return _box(b"moov", header, _box(b"trak", _track_header(seconds), _media(time, size, offset)))


def _track_header(seconds: int) -> bytes:
    times = pack(">5I", 0, 0, 1, 0, 1_000 * seconds)
    shape = pack(">2I", _WIDTH << 16, _HEIGHT << 16)
    return _box(b"tkhd", pack(">I", 3), times, bytes(16), _IDENTITY, shape)


def _media(time: bytes, size: int, offset: int) -> bytes:
    handler = _full(b"hdlr", bytes(4), b"vide", bytes(12), b"video\0")
    here = _full(b"dref", pack(">I", 1), _box(b"url ", pack(">I", 1)))
    table = _box(
        b"stbl",
        _full(b"stsd", pack(">I", 1), _picture()),
        _full(b"stts", pack(">3I", 1, 1, int.from_bytes(time[12:16], "big"))),
        _full(b"stsc", pack(">4I", 1, 1, 1, 1)),
        _full(b"stsz", pack(">3I", 0, 1, size)),
        _full(b"stco", pack(">2I", 1, offset)),
    )
    shown = _box(b"minf", _box(b"vmhd", pack(">I", 1), bytes(8)), _box(b"dinf", here), table)
    return _box(b"mdia", _full(b"mdhd", time, pack(">HH", 0x55C4, 0)), handler, shown)


def _picture() -> bytes:
    """Say of the one sample that it is a PNG file."""
    shape = pack(">HH", _WIDTH, _HEIGHT)
    place = pack(">6xH16x", 1)
    rest = pack(">II4xH32xHh", 0x480000, 0x480000, 1, 24, -1)
    return _box(b"png ", place, shape, rest)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, *parts: bytes) -> bytes:
    return _box(kind, bytes(4), *parts)
