"""Recorded traffic over a real socket, held against a second reading of the same bytes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import (
    ChatCompletion,
    ChatStream,
    OpenRouter,
    OpenRouterError,
    RetryPolicy,
    StreamAPIError,
    StreamTruncatedError,
    Usage,
)
from openrouter_async.errors import APIStatusError, BadGatewayError, BadRequestError
from openrouter_async.testing import Emulator, Reply, replay
from tests.conftest import shared_folder
from tests.independent_reading import (
    Reading,
    read_completion,
    read_stream,
    without_nulls,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

STREAMS = ("openrouter_stream", "other_compatible_stream")
SPLITS = (None, 1, 7, "random")
LARGE = 2**20


def recorded(*patterns: str) -> list[Any]:
    """Give a test parameter for each recorded body, or one that is skipped and says why."""
    shared = shared_folder()
    if shared is None:
        reason = "recorded traffic is not part of the project: set OPENROUTER_ASYNC_SHARED"
        return [pytest.param(Path(), marks=pytest.mark.skip(reason=reason), id="none")]
    recordings = shared / "recordings"
    found = (path for pattern in patterns for path in sorted(recordings.glob(pattern)))
    files = [path for path in found if is_body(path)]
    assert files, f"no file matches {patterns}"
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem[:60]}") for path in files]


def is_body(path: Path) -> bool:
    """Whether a file is the body of a chat answer, or of an error whatever was asked for."""
    if path.name.endswith(".meta.json"):
        return False
    url: str = meta_of(path).get("url") or ""
    return url.endswith("/chat/completions") or path.parent.name != "openrouter_json"


def meta_of(path: Path) -> dict[str, Any]:
    """Give what is known of a recording besides its body."""
    meta: dict[str, Any] = json.loads(path.with_name(path.stem + ".meta.json").read_bytes())
    return meta


every_stream = pytest.mark.parametrize("path", recorded(*(f"{folder}/*.sse" for folder in STREAMS)))


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    """One emulator for the whole file, on a loop and in a thread of its own."""
    with Emulator.in_thread() as emulator:
        yield emulator


@pytest.fixture
async def reader(server: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once."""
    async with OpenRouter(
        "sk-or-v1-test-key", base_url=server.base_url, retry=RetryPolicy(max_attempts=1)
    ) as client:
        yield client


def check_answer(completion: ChatCompletion, expected: Reading) -> None:
    """Hold an answer against the independent reading of its bytes."""
    assert completion.id == expected.id or not expected.id
    assert completion.model == expected.model or not expected.model
    assert completion.provider == expected.provider
    assert [choice.index for choice in completion.choices] == sorted(expected.choices)
    for choice in completion.choices:
        said = expected.choices[choice.index]
        message = choice.message
        text = message.content or ""
        assert text == said.text
        assert (message.reasoning or "") == said.reasoning
        assert (message.refusal or "") == said.refusal
        calls = [
            (call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
        ]
        assert calls == [(call.id, call.name, call.arguments or "{}") for call in said.calls]
        assert [image.url for image in message.images or ()] == said.images
        assert [note.to_dict() for note in message.annotations or ()] == [
            without_nulls(note) for note in said.annotations
        ]
        assert choice.finish_reason == said.finish_reason
        details = message.reasoning_details or ()
        for name in ("text", "summary", "data", "signature"):
            heard = "".join(getattr(detail, name) or "" for detail in details)
            assert heard == "".join(detail.get(name) or "" for detail in said.details)
    check_usage(completion.usage, expected.usage)


def check_usage(usage: Usage | None, expected: dict[str, Any] | None) -> None:
    """Hold a usage record against the last one that the bytes carry."""
    if expected is None:
        assert usage is None
        return
    assert usage is not None
    assert usage.prompt_tokens == (expected.get("prompt_tokens") or 0)
    assert usage.completion_tokens == (expected.get("completion_tokens") or 0)
    assert usage.total_tokens == (expected.get("total_tokens") or 0)
    cost = expected.get("cost")
    assert usage.cost == (cost if isinstance(cost, int | float) else None)
    for name in ("prompt_tokens_details", "completion_tokens_details", "cost_details"):
        details = getattr(usage, name)
        counts: dict[str, Any] | None = expected.get(name)
        assert (details is None) == (counts is None)
        for field in details.__struct_fields__ if details is not None else ():
            assert getattr(details, field) == (counts or {}).get(field)


def check_error(error: StreamAPIError, expected: Reading) -> None:
    """Hold the exception of an error inside a stream against the bytes."""
    details = expected.error
    assert details is not None
    assert details["message"] in str(error)
    assert error.code == details["code"]
    assert error.status == details.get("status_code", details["code"])
    status_class = BadGatewayError if error.status == 502 else BadRequestError
    assert issubclass(type(error), status_class)
    partial = error.partial
    assert partial is not None
    assert partial.text == expected.first.text
    assert partial.reasoning == expected.first.reasoning
    check_usage(partial.usage, expected.usage)


def replayed(path: Path, split: int | str | None) -> Reply:
    """Give a reply of the recorded bytes in the asked-for pieces."""
    how = random.Random(path.name) if isinstance(split, str) else split
    return replay(path.read_bytes(), split=how)


@every_stream
async def test_a_recorded_stream_is_read_as_it_is(
    path: Path, server: Emulator, reader: OpenRouter
) -> None:
    """Chunk by chunk, in any pieces, nothing of a recorded stream is lost or added."""
    expected = read_stream(path.read_bytes())
    for split in SPLITS:
        server.play(replayed(path, split))
        await check_stream(reader.stream("Hi"), expected)


async def check_stream(stream: ChatStream, expected: Reading) -> None:
    """Loop over a stream and hold all of it against the independent reading."""
    pieces: list[str] = []
    error: OpenRouterError | None = None
    try:
        async for chunk in stream:
            pieces += [chunk.text]
    except OpenRouterError as caught:
        error = caught
    assert "".join(pieces) == expected.first.text
    if expected.error is not None:
        assert isinstance(error, StreamAPIError)
        assert stream.ending == "error"
        check_error(error, expected)
        assert len(pieces) == expected.chunks - 1  # the chunk with the error raises instead
        return
    assert error is None
    assert stream.ending == expected.ending
    assert len(pieces) == expected.chunks
    assert stream.partial is not None
    check_answer(stream.partial, expected)
    assert stream.provider == expected.provider
    check_usage(stream.usage, expected.usage)


@every_stream
async def test_awaiting_a_recorded_stream_gives_the_answer(
    path: Path, server: Emulator, reader: OpenRouter
) -> None:
    """`await stream` and `complete` give what the loop gathers, or raise what it raises."""
    expected = read_stream(path.read_bytes())
    reply = replayed(path, "random")
    server.play(reply, reply)
    for answer in (reader.stream("Hi").collect(), reader.complete("Hi")):
        if expected.error is not None:
            with pytest.raises(StreamAPIError) as caught:
                await answer
            check_error(caught.value, expected)
        else:
            check_answer(await answer, expected)


@every_stream
async def test_the_text_of_a_recorded_stream(
    path: Path, server: Emulator, reader: OpenRouter
) -> None:
    """`.text()` gives the pieces that are not empty, each as it came."""
    expected = read_stream(path.read_bytes())
    server.play(replayed(path, 7))
    pieces: list[str] = []
    try:
        async for text in reader.stream("Hi").text():
            pieces += [text]
    except StreamAPIError:
        assert expected.error is not None
    assert pieces == [piece for piece in expected.pieces if piece]


@every_stream
async def test_the_images_of_a_recorded_stream(
    path: Path, server: Emulator, reader: OpenRouter
) -> None:
    """`.images()` gives each image once, with bytes of the kind that it names."""
    expected = read_stream(path.read_bytes())
    server.play(replayed(path, "random"))
    urls: list[str] = []
    try:
        async for image in reader.stream("Hi").images():
            urls.append(image.url)
            assert image.media_type == "image/png"
            assert image.bytes.startswith(b"\x89PNG")
    except StreamAPIError:
        assert expected.error is not None
    assert urls == expected.first.images


@every_stream
async def test_the_bytes_of_a_recorded_stream(
    path: Path, server: Emulator, reader: OpenRouter
) -> None:
    """`.raw()` hands on the very bytes, whole events at a time, and knows how they end."""
    body = path.read_bytes()
    expected = read_stream(body)
    for split in SPLITS:
        if split == 1 and len(body) > LARGE:
            continue  # the loop has read it so; here it would only take time
        server.play(replayed(path, split))
        stream = reader.stream("Hi")
        if expected.error is not None and expected.chunks == 1:
            with pytest.raises(StreamAPIError):  # before the first token an error raises
                await anext(stream.raw())
            continue
        try:
            frames = [frame async for frame in stream.raw()]
        except StreamTruncatedError:
            # An error passes as the bytes that it is, and Groq ends the body behind it.
            assert expected.error is not None
            assert not expected.done
            continue
        assert all(frame.endswith((b"\n\n", b"\n\r\n", b"\n\r")) for frame in frames)
        assert b"".join(frames) == whole_events(body)
        if expected.error is None:
            assert stream.ending == expected.ending
            # Without a reason nobody knows before the sentinel that the end is near.
            if stream.ending != "complete_no_reason":
                check_usage(stream.usage, expected.usage)


def whole_events(body: bytes) -> bytes:
    """Give a body up to the end of its last whole event."""
    end = max(body.rfind(b"\n\n") + 2, body.rfind(b"\r\n\r\n") + 4)
    return body[:end]


@pytest.mark.parametrize("path", recorded("openrouter_json/*.json"))
async def test_a_recorded_completion_is_read_as_it_is(
    path: Path, server: Emulator, reader: OpenRouter
) -> None:
    """The answer that is not streamed decodes into what its JSON says."""
    expected = read_completion(path.read_bytes())
    server.play(replay(path.read_bytes(), content_type="application/json"))
    if expected.error is None:
        check_answer(await reader.complete("Hi", transport="json"), expected)
        return
    with pytest.raises(StreamAPIError) as caught:
        await reader.complete("Hi", transport="json")
    assert expected.error["message"] in str(caught.value)
    assert caught.value.partial is not None
    check_answer(caught.value.partial, expected)


@pytest.mark.parametrize("path", recorded("openrouter_error/*.json"))
async def test_a_recorded_error_is_raised_as_what_it_is(
    path: Path, server: Emulator, reader: OpenRouter
) -> None:
    """An error body raises its status's class, whether or not HTTP called it a success."""
    meta = meta_of(path)
    body = path.read_bytes()
    reply = replay(body, content_type="application/json", status=meta["status"])
    server.play(reply, reply)
    for answer in (reader.stream("Hi").collect(), reader.complete("Hi", transport="json")):
        with pytest.raises(APIStatusError) as caught:
            await answer
        assert isinstance(caught.value, StreamAPIError) == (meta["status"] == 200)
        assert caught.value.status == (
            meta["status"] if meta["status"] != 200 else json.loads(body)["error"]["code"]
        )
