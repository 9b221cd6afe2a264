"""Recorded traffic: what is kept, what is not, and that it is played as it was sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest

from openrouter_async import OpenRouter, OpenRouterError, RetryPolicy, StreamBrokenError
from openrouter_async.errors import BadRequestError, RateLimitError
from openrouter_async.testing import (
    Cassette,
    Emulator,
    Reply,
    Send,
    cassette,
    chat,
    completion,
    http_error,
)
from openrouter_async.testing._tape import Answered, Redactor, Tape, differences
from tests.authority import Authority
from tests.quiet import PNG

MODEL = "openai/gpt-4o-mini"
SECRET = "sk-or-v1-SENTINELKEY0123456789abcdef"


def client_of(recorded: Cassette) -> OpenRouter:
    """A client of a recording that tries once."""
    return OpenRouter(SECRET, base_url=recorded.base_url, retry=RetryPolicy(max_attempts=1))


def loaded(path: Path) -> dict[str, Any]:
    """What a file says."""
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


async def pieces(base_url: str, body: dict[str, Any]) -> list[bytes]:
    """The body of an answer by the chunks of HTTP in which it came."""
    found: list[bytes] = []
    rest = b""
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{base_url}/chat/completions", json=body) as response,
    ):
        async for data, ends in response.content.iter_chunks():
            rest += data
            if ends and rest:  # aiohttp may tell of an end by itself
                found.append(rest)
                rest = b""
    assert not rest
    return found


async def test_a_server_that_speaks_tls_is_recorded(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom the environment trusts may be recorded over https, and is played over plain HTTP."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    path = tmp_path / "tls.json"
    async with Emulator(ssl=authority.server) as emulator:
        emulator.play(chat("Hel", "lo"))
        with cassette(path, record="new", upstream=emulator.base_url) as recorded:
            async with client_of(recorded) as client:
                assert (await client.complete("Hi", model=MODEL)).text == "Hello"
    with cassette(path) as played:
        async with client_of(played) as client:
            assert (await client.complete("Hi", model=MODEL)).text == "Hello"


async def test_why_a_server_cannot_be_recorded_is_logged(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that nobody vouches for is named with the reason, as the client sees neither."""
    async with Emulator(ssl=authority.server) as emulator:
        with cassette(tmp_path / "x", record="new", upstream=emulator.base_url) as recorded:
            async with client_of(recorded) as client:
                with pytest.raises(OpenRouterError):
                    await client.complete("Hi", model=MODEL)
    assert "could not be reached to record it" in caplog.text
    assert "certificate" in caplog.text.lower()


async def test_it_plays_what_was_sent_in_the_same_pieces(
    emulator: Emulator, tmp_path: Path
) -> None:
    """An answer is recorded and played byte for byte, cut where it was cut."""
    path = tmp_path / "deep" / "er" / "one.json"
    reply = chat("Grüße, ", "🦊 fox", model=MODEL)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    for size in (1, 7, 64):  # the first of these cut every letter of several bytes
        emulator.play(reply.split(size))
        with cassette(path, record="always", upstream=emulator.base_url) as recorded:
            assert recorded.is_recording
            sent = await pieces(recorded.base_url, body)
        assert {len(piece) for piece in sent[:-1]} == {size}
        with cassette(path) as played:
            assert not played.is_recording
            again = await pieces(played.base_url, body)
        assert [len(piece) for piece in again] == [len(piece) for piece in sent]
        before, after = b"".join(sent), b"".join(again)
        assert Redactor().data(before) == after  # the ids are others
        assert len(before) == len(after)


async def test_a_client_sees_the_same(emulator: Emulator, tmp_path: Path) -> None:
    """Streams, answers in one piece and failures are to a client what they were."""
    path = tmp_path / "several.json"

    async def talk(recorded: Cassette) -> list[Any]:
        async with client_of(recorded) as client:
            stream = client.stream("Hi", model=MODEL)
            first = await stream
            models = await client.models.list()
            whole = await client.complete("Ho", model=MODEL, transport="json")
            with pytest.raises(RateLimitError) as caught:
                await client.complete("Hey", model=MODEL)
            return [first, len(models), whole, str(caught.value), caught.value.retry_after]

    emulator.play(chat("Hello", " there", id="gen-1762064096-m5Vx0123456789"))
    emulator.play(completion("whole"))
    emulator.play(http_error(429, "slow down", headers={"Retry-After": "7"}))
    with cassette(path, record="new", upstream=emulator.base_url) as recorded:
        before = await talk(recorded)
    with cassette(path, record="new") as played:
        assert not played.is_recording
        after = await talk(played)
    assert before[0].id == "gen-1762064096-m5Vx0123456789"
    assert after[0].id == "gen-0000000000-xxxxxxxxxxxxx1"
    assert after[0].generation_id == after[0].id
    for one, other in zip(before, after, strict=True):
        if hasattr(one, "text"):
            assert (one.text, one.usage) == (other.text, other.usage)
        else:
            assert one == other


async def test_nothing_private_is_kept(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, cookies, accounts, names of the user's and who asked are in no recording."""
    path = tmp_path / "private.json"
    monkeypatch.setenv("OPENROUTER_API_KEY", "SENTINEL-of-another-form")
    error = {
        "error": {"code": 402, "message": f"the key {SECRET} of ada@example.com has no credits"},
        "user_id": "user_2SENTINEL0123456789",
        "note": 'SENTINEL-of-another-form and "Ada\\nLovelace"',
    }
    headers = (
        ("Content-Type", "application/json"),
        ("Set-Cookie", "__cf_bm=SENTINELCOOKIE"),
        ("CF-Ray", "SENTINELRAY"),
        ("X-Generation-Id", "gen-1762064096-SENTINEL0123"),
        ("X-RateLimit-Limit", "20"),
    )
    body = json.dumps(error).encode()
    emulator.play(Reply(status=402, headers=headers, steps=(Send(body, 5),)))
    redact = ("ada@example.com", "SENTINELTITLE")
    with cassette(path, record="new", upstream=emulator.base_url, redact=redact) as recorded:
        async with OpenRouter(
            SECRET,
            base_url=recorded.base_url,
            app_title="SENTINELTITLE",
            headers={"Cookie": "SENTINELCOOKIE"},
        ) as client:
            with pytest.raises(OpenRouterError):
                await client.complete(
                    f"I am ada@example.com, my key is {SECRET}", model=MODEL, user="SENTINELTITLE"
                )
    request = emulator.requests[0]
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["Cookie"] == "SENTINELCOOKIE"
    text = path.read_text()
    for private in ("SENTINEL", "ada@example.com", "set-cookie", "cf-ray", "authorization"):
        assert private not in text.replace("Set-Cookie", "set-cookie"), private
    (interaction,) = loaded(path)["interactions"]
    assert interaction["response"]["headers"] == {
        "content-type": "application/json",
        "x-generation-id": "gen-0000000000-xxxxxxxxxxx1",
        "x-ratelimit-limit": "20",
    }
    kept = "".join(interaction["response"]["pieces"])
    assert len(kept) == len(body)
    assert "has no credits" in kept
    asked = interaction["request"]["body"]["messages"][0]["content"]
    assert asked == f"I am {'*' * 15}, my key is sk-{'*' * (len(SECRET) - 3)}"


async def test_requests_may_come_in_any_order(emulator: Emulator, tmp_path: Path) -> None:
    """Each request gets the answer that was given to it, also where they come all at once."""
    path = tmp_path / "many.json"
    numbers = range(8)
    with cassette(path, record="new", upstream=emulator.base_url) as recorded:
        async with client_of(recorded) as client:
            for number in numbers:
                emulator.play(chat(f"answer {number}"))
                await client.complete(f"question {number}", model=MODEL)
    with cassette(path) as played:
        async with client_of(played) as client:
            asked = [client.complete(f"question {n}", model=MODEL) for n in reversed(numbers)]
            answers = [answer.text for answer in await asyncio.gather(*asked)]
    assert answers == [f"answer {number}" for number in reversed(numbers)]


async def test_a_request_that_was_not_recorded(emulator: Emulator, tmp_path: Path) -> None:
    """What was never asked is refused with what is different, and the recording says so at its end."""
    path = tmp_path / "one.json"
    with cassette(path, record="new", upstream=emulator.base_url) as recorded:
        async with client_of(recorded) as client:
            await client.complete("Hi", model=MODEL, temperature=0)
    told: list[str] = []
    with pytest.raises(AssertionError, match="record it anew") as failed:
        with cassette(path) as played:
            async with client_of(played) as client:
                for asking in (
                    client.complete("Ho", model=MODEL, top_p=1),
                    client.complete("Hi", model=MODEL, temperature=0),
                    client.complete("Hi", model=MODEL, temperature=0),
                    client.request("GET", "/credits"),
                ):
                    try:
                        await asking
                        told.append("answered")
                    except BadRequestError as error:
                        told.append(str(error))
    changed, answered, again, other = told
    assert "messages[0].content differs; temperature is missing; top_p is new" in changed
    assert answered == "answered"
    assert "more often than recorded" in again
    assert "no answer to GET /credits was recorded" in other
    for line in (changed, again, other):
        assert line.removesuffix(" [400]") in str(failed.value)


async def test_a_stream_that_was_left(emulator: Emulator, tmp_path: Path) -> None:
    """Of a stream that the client left there is what it had; played, there is no end either."""
    path = tmp_path / "left.json"
    emulator.play(chat("Hello", " there").hold_after(1))
    for record in ("new", "never"):
        mode: Literal["new", "never"] = "new" if record == "new" else "never"
        with cassette(path, record=mode, upstream=emulator.base_url) as recorded:
            async with client_of(recorded) as client:
                async for chunk in client.stream("Hi", model=MODEL):
                    assert chunk.text == "Hello"
                    break
                if recorded.is_recording:
                    await emulator.wait_for(lambda: emulator.disconnects == 1)
    (interaction,) = loaded(path)["interactions"]
    assert interaction["response"]["end"] == "left"


async def test_a_stream_that_broke(emulator: Emulator, tmp_path: Path) -> None:
    """A connection that broke breaks again at the same byte."""
    path = tmp_path / "broken.json"
    emulator.play(chat("Hello", " there").cut_after(1, plus_bytes=10))
    texts: list[str] = []
    for _ in range(2):
        with cassette(path, record="new", upstream=emulator.base_url) as recorded:
            async with client_of(recorded) as client:
                with pytest.raises(StreamBrokenError) as caught:
                    await client.stream("Hi", model=MODEL)
                assert caught.value.partial is not None
                texts.append(caught.value.partial.text)
    assert texts == ["Hello", "Hello"]
    assert loaded(path)["interactions"][0]["response"]["end"] == "broken"


async def test_files_are_kept_as_hashes(emulator: Emulator, tmp_path: Path) -> None:
    """A large file in a request is kept by its hash, and still told from another one."""
    path = tmp_path / "files.json"
    from openrouter_async import content

    def about(data: bytes) -> list[Any]:
        return [{"role": "user", "content": [content.image(data)]}]

    with cassette(path, record="new", upstream=emulator.base_url) as recorded:
        async with client_of(recorded) as client:
            await client.complete(about(PNG * 40), model=MODEL)
    assert path.stat().st_size < 8_000
    with pytest.raises(AssertionError, match=r"content\[0\].image_url.url differs"):
        with cassette(path) as played:
            async with client_of(played) as client:
                with pytest.raises(BadRequestError):
                    await client.complete(about(PNG * 41), model=MODEL)
                await client.complete(about(PNG * 40), model=MODEL)


async def test_what_is_no_text(emulator: Emulator, tmp_path: Path) -> None:
    """Sound is recorded and played as any bytes."""
    path = tmp_path / "speech.json"
    sounds: list[bytes] = []
    for _ in range(2):
        with cassette(path, record="new", upstream=emulator.base_url) as recorded:
            async with client_of(recorded) as client:
                speech = await client.audio.speech("Hi", model="openai/gpt-4o-mini-tts", voice="a")
                sounds.append(speech.bytes)
    assert sounds[0] == sounds[1]
    (interaction,) = loaded(path)["interactions"]
    assert any("base64" in piece for piece in interaction["response"]["pieces"])


async def test_no_server_to_record_from(tmp_path: Path) -> None:
    """Where nobody answers, the client sees a connection that broke, and nothing is kept of it."""
    path = tmp_path / "none.json"
    with cassette(path, record="new", upstream="http://127.0.0.1:1/api/v1") as recorded:
        async with client_of(recorded) as client:
            with pytest.raises(OpenRouterError):
                await client.complete("Hi", model=MODEL)
    assert loaded(path)["interactions"] == []


def test_a_test_that_fails_records_nothing(tmp_path: Path) -> None:
    """What was recorded until something was raised is not kept."""
    path = tmp_path / "half.json"
    with pytest.raises(ZeroDivisionError):
        with cassette(path, record="new", upstream="http://127.0.0.1:1/api/v1"):
            raise ZeroDivisionError
    assert not path.exists()


def test_misuse(tmp_path: Path) -> None:
    """A recording that is not there, is none, or is asked for in an unknown way says so."""
    with pytest.raises(FileNotFoundError):
        with cassette(tmp_path / "none.json"):
            pass
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="no recording"):
        with cassette(tmp_path / "bad.json"):
            pass
    with pytest.raises(ValueError, match="record must be"):
        with cassette(tmp_path / "x.json", record="maybe"):  # type: ignore[arg-type]
            pass


def test_redacting_twice_changes_nothing() -> None:
    """What has been redacted is left as it is, and lengths never change."""
    redactor = Redactor(["name"])
    data = b'gen-1762064096-abcDEF gen-img-17620-abcDEF Bearer abcdefghij user_abcdefgh12 "name"'
    once = redactor.data(data)
    assert redactor.data(once) == once
    assert Redactor(["name"]).data(once) == once
    assert len(once) == len(data)
    assert (
        once
        == b'gen-0000000000-xxxxx1 gen-img-00000-xxxxx2 Bearer ********** user_xxxxxxxxxx "****"'
    )


def test_differences_are_named() -> None:
    """Where two requests differ is said by path, down to the list that has another length."""
    asked: dict[str, Any] = {"a": [1, {"b": 2}], "c": [1], "d": 0, "e": [1]}
    known: dict[str, Any] = {"a": [1, {"b": 3}], "c": [1, 2], "d": 0, "f": 1, "e": {}}
    assert differences(asked, known) == [
        "a[1].b differs",
        "c has 1 items, not 2",
        "e differs",
        "f is missing",
    ]
    assert differences(known, known) == []


def test_a_piece_that_is_broken(tmp_path: Path) -> None:
    """A recording that somebody has edited into nonsense says so."""
    piece: dict[str, str] = {"base64": "no base64"}
    answered = Answered(status=200, pieces=["a", piece])
    with pytest.raises(ValueError, match="neither text nor base64"):
        _ = answered.body


def test_a_tape_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The file says the same when it is read, and no half of it is ever there."""
    tape = Tape(upstream="https://openrouter.ai/api/v1")
    tape.save(tmp_path / "a" / "tape.json")
    assert Tape.load(tmp_path / "a" / "tape.json") == tape
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["tape.json"]
