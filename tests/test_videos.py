"""Videos: a job is ordered, waited for from anywhere, and its video saved whole or not at all."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import Image, OpenRouter, ProtocolError, RetryPolicy, Timeouts, content
from openrouter_async.errors import (
    AuthenticationError,
    NotFoundError,
    ServerError,
    StreamBrokenError,
    TotalTimeout,
    VideoFailedError,
)
from openrouter_async.testing import (
    Cut,
    Emulator,
    Hold,
    Reply,
    Reset,
    Send,
    Stall,
    http_error,
    replay,
)
from openrouter_async.testing._tone import tone, wav
from openrouter_async.testing._video import still_video
from openrouter_async.types import ImageURL
from openrouter_async.types.video import VideoJob
from tests.quiet import KEY, PNG, assert_nothing_leased, other_tasks, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "google/veo-3.1"
JOB = "/videos/job-1"
SOUND = wav(tone("Hi"))
VIDEO = still_video("a sea")


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that tries nothing again by itself, so that what is seen is the wait's doing."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


def job(status: str, **fields: Any) -> Reply:
    """The answer about a job in this state."""
    body = {"id": "job-1", "polling_url": "https://evil.example/job-1", "status": status, **fields}
    return replay(json.dumps(body).encode(), content_type="application/json")


def video(*steps: Any, **options: Any) -> Reply:
    """A video, of these steps."""
    headers = (("Content-Type", "video/mp4"),)
    return Reply(headers=headers, steps=steps or (Send(VIDEO, 1000),), **options)


async def test_from_the_order_to_the_file(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """A job is made, waited for and its video saved, with the suffix that fits."""
    ordered = await client.videos.create("A calm sea", model=MODEL, duration=6)
    assert (ordered.status, ordered.is_completed, ordered.cost) == ("pending", False, None)
    seen: list[str] = []
    done = await client.videos.wait(
        ordered, poll=0.001, on_progress=lambda job: seen.append(job.status)
    )
    assert seen == ["in_progress", "completed"]
    assert done.cost == pytest.approx(0.3)
    saved = await client.videos.download(done, tmp_path / "sea")
    assert saved == tmp_path / "sea.mp4"
    assert saved.read_bytes() == still_video("A calm sea", 6)
    assert (await client.videos.content(done)) == saved.read_bytes()
    assert {request.headers["Authorization"] for request in emulator.requests} == {f"Bearer {KEY}"}
    assert list(tmp_path.iterdir()) == [saved]
    assert_nothing_leased(client)


async def test_everything_that_is_asked_for_is_sent(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """Every argument reaches the wire, files as data URLs, in the form that videos take."""
    path = tmp_path / "frame.png"
    path.write_bytes(PNG)
    data = "data:image/png;base64," + base64.b64encode(PNG).decode()
    sound = base64.b64encode(SOUND).decode()
    await client.videos.create(
        "A calm sea",
        model=MODEL,
        duration=4,
        resolution="720p",
        aspect_ratio="16:9",
        size="1280x720",
        first_frame=path,
        last_frame=content.image("https://example.com/last.png"),
        references=[
            path,
            Image(image_url=ImageURL(url=data)),
            content.audio(SOUND),
            content.audio(f"data:audio/mpeg;base64,{sound}"),
            content.video("https://example.com/a.mp4"),
            {"type": "audio_url", "audio_url": {"url": "https://example.com/a.mp3"}},
        ],
        generate_audio=False,
        seed=7,
        callback_url="https://example.com/hook",
        creativity=1,
        upscale_factor=2,
        provider={"options": {"google-vertex": {"x": 1}}},
        extra_body={"newer": 1},
    )
    sent = emulator.requests[0].json
    assert list(sent) == [
        *("model", "prompt", "duration", "resolution", "aspect_ratio", "size", "generate_audio"),
        *("seed", "callback_url", "creativity", "upscale_factor", "provider"),
        *("frame_images", "input_references", "newer"),
    ]
    last = {"url": "https://example.com/last.png"}
    assert sent["frame_images"] == [
        {"type": "image_url", "image_url": {"url": data}, "frame_type": "first_frame"},
        {"type": "image_url", "image_url": last, "frame_type": "last_frame"},
    ]
    urls = {"image_url": data, "video_url": "https://example.com/a.mp4"}
    assert sent["input_references"] == [
        {"type": "image_url", "image_url": {"url": urls["image_url"]}},
        {"type": "image_url", "image_url": {"url": urls["image_url"]}},
        {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{sound}"}},
        {"type": "audio_url", "audio_url": {"url": f"data:audio/mpeg;base64,{sound}"}},
        {"type": "video_url", "video_url": {"url": urls["video_url"]}},
        {"type": "audio_url", "audio_url": {"url": "https://example.com/a.mp3"}},
    ]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"model": ""}, ValueError, "model"),
        ({"prompt": ""}, ValueError, "prompt must have at least 1 character"),
        ({"duration": 0}, ValueError, "duration must be at least 1"),
        ({"duration": "4"}, TypeError, "duration must be an int"),
        ({"size": "large"}, ValueError, "size must match"),
        ({"callback_url": "http://example.com"}, ValueError, "callback_url must match"),
        ({"upscale_factor": 0}, ValueError, "upscale_factor must be above 0"),
        ({"first_frame": b""}, ValueError, "first_frame"),
        ({"references": [5]}, TypeError, r"references\[0\]"),
    ],
)
async def test_wrong_arguments_are_refused_at_the_call(
    arguments: dict[str, Any], kind: type[Exception], message: str, client: OpenRouter
) -> None:
    """A wrong argument raises before there is anything to await, by its name."""
    given: dict[str, Any] = {"prompt": "A sea", "model": MODEL, **arguments}
    with pytest.raises(kind, match=message):
        _ = client.videos.create(**given)


async def test_a_wait_goes_on_by_the_id_alone(emulator: Emulator, client: OpenRouter) -> None:
    """Another client, which knows nothing but the id, waits on and downloads."""
    ordered = await client.videos.create("A sea", model=MODEL)
    await client.videos.get(ordered)
    await client.aclose()
    async with OpenRouter(KEY, base_url=emulator.base_url) as other:
        done = await other.videos.wait(ordered.id, poll=0.001)
        assert await other.videos.content(ordered.id) == still_video("A sea")
    assert (done.id, done.is_completed) == (ordered.id, True)


async def test_trouble_on_the_way_does_not_end_the_wait(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A busy, a failing and a vanishing API are asked again."""
    emulator.play(
        job("pending"),
        http_error(503, "Busy"),
        http_error(429, "Slow down", headers={"Retry-After": "0"}),
        http_error(500, "Broken"),
        http_error(408, "Too slow"),
        Reply().before_head(Reset()),
        video(Send(b"{"), Cut()),
        job("upscaling"),
        job("completed"),
        path=JOB,
    )
    seen: list[str] = []
    await client.videos.wait("job-1", poll=0.001, on_progress=lambda job: seen.append(job.status))
    assert seen == ["pending", "upscaling", "completed"]
    assert len(emulator.requests) == 9


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (http_error(404, "No such job"), NotFoundError),
        (http_error(401, "Who are you?"), AuthenticationError),
        (replay(b"<html>", content_type="text/html"), ProtocolError),
    ],
)
async def test_what_waiting_does_not_mend_ends_the_wait(
    reply: Reply, kind: type[Exception], emulator: Emulator, client: OpenRouter
) -> None:
    """An unknown job, a wrong key and a body of something else raise at once."""
    emulator.play(reply, path=JOB)
    with pytest.raises(kind):
        await client.videos.wait("job-1", poll=0.001)
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired", "dead"])
async def test_a_job_without_a_video_is_an_error(
    status: str, emulator: Emulator, client: OpenRouter
) -> None:
    """The error carries the job, with the provider's word and what it cost."""
    emulator.play(job(status, error="It was too odd", usage={"cost": 0}), path=JOB)
    with pytest.raises(VideoFailedError, match=rf"job-1 .*'{status}': It was too odd") as caught:
        await client.videos.wait("job-1", poll=0.001)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.job.id, error.job.status, error.billed) == ("job-1", status, "no")
    assert error.job.has_failed


async def test_a_wait_has_its_own_deadline(emulator: Emulator, client: OpenRouter) -> None:
    """A job that takes longer than one waits is no failure of the job."""
    emulator.always(job("pending"), path=JOB)
    with pytest.raises(TotalTimeout, match="by its id"):
        await client.videos.wait("job-1", poll=0.001, timeout=0.03)
    assert len(emulator.requests) > 1
    emulator.always(job("pending").before_head(Stall()), path=JOB)
    with pytest.raises(TotalTimeout):
        await client.videos.wait("job-1", timeout=0.03)
    assert_nothing_leased(client)


async def test_a_cancelled_wait_leaves_nothing(emulator: Emulator, client: OpenRouter) -> None:
    """No task, no timer and no connection is left, amid a look and between two."""
    known = other_tasks()
    emulator.play(job("pending").before_head(Hold()), job("pending"), path=JOB)
    for number in (1, 2):
        task = asyncio.create_task(client.videos.wait("job-1", poll=60))
        await emulator.wait_for(lambda: len(emulator.requests) == number)  # noqa: B023
        if number == 2:
            await emulator.wait_for(emulator.requests[1].finished.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await settled(lambda: not other_tasks(known))
    assert_nothing_leased(client)


async def test_the_callers_own_failure_passes(emulator: Emulator, client: OpenRouter) -> None:
    """What `on_progress` raises ends the wait as it is."""
    emulator.play(job("pending"), path=JOB)

    def stop(_: VideoJob) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await client.videos.wait("job-1", timeout=5, on_progress=stop)


async def test_the_key_goes_where_the_client_is_set_to(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """Whatever addresses an answer names, and whatever its id looks like, they are not followed."""
    evil = job("completed", unsigned_urls=["https://evil.example/video"])
    emulator.play(evil, path=JOB)
    done = await client.videos.wait("job-1")
    emulator.play(video(), path=f"{JOB}/content")
    await client.videos.download(done, tmp_path / "a.mp4")
    with pytest.raises(NotFoundError):
        await client.videos.get("../keys?x=1#y")
    assert [request.path for request in emulator.requests] == [
        *("/api/v1/videos/job-1", "/api/v1/videos/job-1/content"),
        "/api/v1/videos/../keys?x=1#y",
    ]
    for name in ("", "..", "."):
        with pytest.raises(ValueError, match="no id"):
            await client.videos.get(name)


async def test_a_broken_download_leaves_no_file(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """A cut and a cancelled download leave neither half a file nor one under another name."""
    half = Send(b"\0" * 3_000_000)
    emulator.play(
        video(half, Cut(), Send(b"rest")), video(half, Stall()), path=f"{JOB}/content"
    )  # fmt: skip
    with pytest.raises(StreamBrokenError) as caught:
        await client.videos.download("job-1", tmp_path / "a.mp4")
    assert caught.value.billed == "no"
    assert list(tmp_path.iterdir()) == []
    task = asyncio.create_task(client.videos.download("job-1", tmp_path / "a.mp4"))
    await settled(lambda: any(path.stat().st_size for path in tmp_path.iterdir()))
    assert not (tmp_path / "a.mp4").exists()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []
    assert_nothing_leased(client)


async def test_a_download_replaces_nothing_unasked(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """A file that is there stays, also one that came meanwhile; `overwrite` replaces it."""
    emulator.always(video(), path=f"{JOB}/content")
    path = tmp_path / "a.mp4"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        await client.videos.download("job-1", path)
    assert path.read_bytes() == b"mine"
    assert await client.videos.download("job-1", path, overwrite=True) == path
    assert path.read_bytes() == VIDEO
    later = tmp_path / "b.mp4"
    emulator.play(video(Send(VIDEO[:10]), Hold(), Send(VIDEO[10:])), path=f"{JOB}/content")
    task = asyncio.create_task(client.videos.download("job-1", later))
    await settled(lambda: len(list(tmp_path.iterdir())) > 1)
    later.write_bytes(b"mine")
    emulator.release()
    with pytest.raises(FileExistsError):
        await task
    assert later.read_bytes() == b"mine"
    assert sorted(tmp_path.iterdir()) == [path, later]
    assert_nothing_leased(client)


async def test_a_file_of_no_name_is_named_after_the_job(
    emulator: Emulator, client: OpenRouter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id makes a file's name of the current folder, whatever characters it has."""
    monkeypatch.chdir(tmp_path)
    webm = replay(b"\x1a\x45\xdf\xa3", content_type="video/webm")
    emulator.play(webm, path="/videos/../evil/job 1/content")
    assert await client.videos.download("../evil/job 1") == Path("video--evil-job-1.webm")
    assert [path.name for path in tmp_path.iterdir()] == ["video--evil-job-1.webm"]


async def test_an_error_in_place_of_a_video(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """A job that is not over, another index and a body of something else leave no file."""
    ordered = await client.videos.create("A sea", model=MODEL)
    with pytest.raises(NotFoundError):
        await client.videos.download(ordered, tmp_path / "a.mp4")
    await client.videos.wait(ordered, poll=0.001)
    with pytest.raises(NotFoundError):
        await client.videos.download(ordered, tmp_path / "a.mp4", index=1)
    emulator.play(replay(b"<html>", content_type="text/html"), path=f"/videos/{ordered.id}/content")
    with pytest.raises(ProtocolError, match="expected a file"):
        await client.videos.download(ordered, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="index"):
        await client.videos.download(ordered, index=-1)


async def test_models(client: OpenRouter) -> None:
    """The models that make videos are listed with what they take."""
    (model,) = await client.videos.models()
    assert model.id == MODEL
    assert model.supported_durations == [4, 6, 8]
    assert model.supported_frame_images == ["first_frame", "last_frame"]


@pytest.mark.parametrize("arguments", [{"poll": -1}, {"timeout": -1}, {"poll": float("nan")}])
async def test_seconds_are_checked(arguments: dict[str, Any], client: OpenRouter) -> None:
    """Seconds that are no seconds are refused by name."""
    with pytest.raises(ValueError, match=next(iter(arguments))):
        await client.videos.wait("job-1", **arguments)
    with pytest.raises(TypeError, match="timeouts"):
        _ = client.videos.content("job-1", timeouts=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="job must be"):
        await client.videos.get(5)  # type: ignore[arg-type]
    assert client.videos.content("job-1", timeouts=Timeouts()).ending is None


async def test_a_look_is_tried_again_and_an_order_is_not(emulator: Emulator) -> None:
    """Asking twice changes nothing; a second video would be paid for."""
    retry = RetryPolicy(max_attempts=2, first_delay=0.001, max_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        emulator.play(http_error(500, "?"), job("completed"), path=JOB)
        assert (await client.videos.get("job-1")).is_completed
        emulator.play(http_error(500, "?"), path="/videos")
        before = len(emulator.requests)
        with pytest.raises(ServerError):
            await client.videos.create("A sea", model=MODEL)
        assert len(emulator.requests) == before + 1


async def test_wrong_deadlines_are_refused_at_the_call(client: OpenRouter) -> None:
    """Before anything is awaited, by every method that takes some."""
    wrong: Any = 5
    for call in (
        lambda: client.videos.create("A sea", model=MODEL, timeouts=wrong),
        lambda: client.files.upload(b"a", timeouts=wrong),
        lambda: client.audio.transcribe(SOUND, model="m", timeouts=wrong),
        lambda: client.audio.speech("Hi", model="m", timeouts=wrong),
        lambda: client.images.generate("A sea", model="m", timeouts=wrong),
        lambda: client.responses.create("Hi", model="m", timeouts=wrong),
    ):
        with pytest.raises(TypeError, match=r"^timeouts must be a Timeouts, got int$"):
            call()
