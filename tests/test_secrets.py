"""The key is on the wire and nowhere else; the prompt is in no message, repr, log or pickle."""

from __future__ import annotations

import asyncio
import base64
import copy
import logging
import pickle
import traceback
import types
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest

import openrouter_async
from openrouter_async import OpenRouter, OpenRouterError, RetryPolicy, Timeouts
from openrouter_async._config import Secret
from openrouter_async.testing import (
    Cut,
    Emulator,
    Raw,
    Reply,
    Reset,
    Send,
    Stall,
    chat,
    completion,
    error_chunk,
    http_error,
    replay,
)

KEY = "sk-or-v1-SENTINELKEY0123456789abcdef"
ODD_KEY = "SENTINELKEY-of-another-form-0123456789"
PROMPT = "the SENTINELPROMPT that nobody else may read"
LARGE = PROMPT + " and more" * 200_000
"""So large that it is sent piece by piece."""

ANSWER = chat("Hel", "lo")


def forms(secret: str) -> list[str]:
    """A secret as it might turn up: plain, encoded, or its telling part."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return [secret, encoded, quote(secret, safe=""), "SENTINELKEY" if "KEY" in secret else secret]


def found(text: str | bytes, *secrets: str) -> list[str]:
    """The secrets that a text shows, in any form."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    return [form for secret in secrets for form in forms(secret) if form in text]


def tell_everything() -> None:
    """Have asyncio log each callback that it runs, with its arguments."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0


class _Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self._formatter = logging.Formatter("%(name)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        # The emulator runs in the same process; what it says of what it got is the server's.
        if not record.name.startswith("aiohttp.server"):
            self.texts += [self._formatter.format(record), repr(record.args), repr(vars(record))]


@pytest.fixture
def logs() -> Iterator[list[str]]:
    """Everything that any logger says, at the most talkative level."""
    handler = _Everything()
    root = logging.getLogger()
    names = ["", "asyncio", "aiohttp", "aiohttp.client", "aiohttp.internal", "openrouter_async"]
    before = {name: logging.getLogger(name).level for name in names}
    root.addHandler(handler)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler.texts
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
    root.removeHandler(handler)


ECHO = f"the key {KEY} is bad"
"""What a careless server says; the test puts the key of its client into it."""

FAULTS: dict[str, Reply] = {
    "success": ANSWER,
    "refused": http_error(400, "No such model"),
    "echo in an error": http_error(401, ECHO),
    "echo in metadata": http_error(
        403, "Provider returned error", metadata={"raw": ECHO, "deep": [{"key": ECHO}]}
    ),
    "echo in plain text": http_error(502, body=ECHO.encode(), content_type="text/plain"),
    "echo in a page": http_error(
        200, body=f"<html>{ECHO}</html>".encode(), content_type="text/html"
    ),
    "echo in a stream": ANSWER.error_after(1, error_chunk(401, ECHO, metadata={"raw": ECHO})),
    "echo in the first event": ANSWER.error_after(0, error_chunk(401, ECHO)),
    "echo in an event that is no JSON": replay(f"data: {ECHO}\n\n".encode()),
    "echo in a body that is no stream": replay(
        msgspec.json.encode({"error": {"message": ECHO, "code": 400}}),
        content_type="application/json",
    ),
    "rate": http_error(429, "Slow down"),
    "server": http_error(500, "Oops"),
    "hung up": ANSWER.before_head(Cut()),
    "reset": ANSWER.before_head(Reset()),
    "no HTTP": ANSWER.before_head(Raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Cut()),
    "bad chunk": ANSWER.after(1, Raw(b"zz\r\nnot a size\r\n")),
    "cut": ANSWER.cut_after(1),
    "reset amid": ANSWER.reset_after(1),
    "truncated": ANSWER.end_after(1),
    "silent": ANSWER.stall_after(1),
    "silent before the head": ANSWER.before_head(Stall()),
    "redirect": http_error(307, "", headers={"Location": "http://127.0.0.2:1/x"}),
}


def with_key(reply: Reply, key: str) -> Reply:
    """Have a reply echo this key."""
    steps = [
        replace(step, data=step.data.replace(KEY.encode(), key.encode()))
        if isinstance(step, Send)
        else step
        for step in reply.steps
    ]
    return replace(reply, steps=tuple(steps))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error with all its causes and contexts."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]


def shown_by(error: BaseException) -> Iterator[str]:
    """Everything that an error tracker or a log may show of an error."""
    for one in chain(error):
        yield str(one)
        yield repr(one)
        yield repr(one.args)
        yield repr(getattr(one, "__dict__", {}))
        if isinstance(one, aiohttp.ClientResponseError):
            yield repr(one.request_info)
            yield repr(one.headers)
    yield "".join(traceback.format_exception(error))
    if isinstance(error, OpenRouterError):
        yield pickle.dumps(error).decode("latin-1")
        yield repr(copy.deepcopy(error))


def frames_with(error: BaseException, *secrets: str) -> list[str]:
    """The frames of an error's tracebacks, of whichever library, whose local variables tell.

    The frames of these tests are the user's own: they hold what the user wrote.
    """
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for one in chain(error)
        for frame in traceback.TracebackException.from_exception(one, capture_locals=True).stack
        if frame.filename != __file__ and found(repr(frame.locals), *secrets)
    ]


async def run(client: OpenRouter, spelling: str) -> BaseException | None:
    """Ask in one of the spellings and give the error, if there was one."""
    try:
        match spelling:
            case "loop":
                stream = client.stream(PROMPT, model="m")
                async for chunk in stream:
                    assert found(repr(stream) + repr(chunk), KEY, ODD_KEY, PROMPT) == []
            case "json":
                await client.complete(PROMPT, model="m", transport="json")
            case "responses":
                events = client.responses.stream(PROMPT, model="m")
                async for event in events:
                    assert found(repr(events) + repr(event), KEY, ODD_KEY, PROMPT) == []
            case "messages json":
                await client.messages.create(PROMPT, model="m", transport="json")
            case "embeddings":
                await client.embeddings.create(PROMPT, model="m")
            case "request":
                await client.request("POST", "/any", json={"messages": [{"content": PROMPT}]})
            case _:
                async for _ in client.stream(PROMPT, model="m").raw():
                    pass
    except OpenRouterError as error:
        return error
    return None


@pytest.mark.parametrize(
    "spelling", ["loop", "json", "raw", "request", "responses", "messages json", "embeddings"]
)
@pytest.mark.parametrize(
    ("fault", "key"),
    [
        *((fault, KEY) for fault in FAULTS),
        # Keys of the usual form are known by it; this one only by being the client's.
        *((fault, ODD_KEY) for fault in FAULTS if fault.startswith("echo")),
    ],
    ids=str,
)
async def test_secrets_stay_secret(
    emulator: Emulator, logs: list[str], fault: str, spelling: str, key: str
) -> None:
    """No fault brings the key or the prompt into an error, a log, a repr, a pickle or a frame."""
    tell_everything()
    reply = with_key(FAULTS[fault], key)
    if fault == "success" and spelling in ("json", "request"):
        reply = completion("Hello")
    elif fault == "success" and spelling == "embeddings":
        reply = replay(b'{"data": []}', content_type="application/json")
    emulator.always(reply)
    # Where nothing is silent, a deadline could only come before what is tried.
    silent = fault.startswith("silent")
    async with OpenRouter(
        key,
        base_url=emulator.base_url,
        retry=RetryPolicy(first_delay=0.001),
        timeouts=Timeouts(wire_idle=0.3) if silent else Timeouts(),
    ) as client:
        error = await run(client, spelling)
        assert found(repr(client) + str(client) + repr(vars(client)), key) == []
        assert found(repr(vars(client._sender)) + repr(pickle.dumps(client)), key, PROMPT) == []
        assert found(repr(client.stats()), key) == []
    assert emulator.requests[0].headers["Authorization"] == f"Bearer {key}"
    assert PROMPT in str(emulator.requests[0].json)
    # A relay passes on what it got, `request` the body of a 200, and `embeddings` a plain string:
    # theirs to read.
    passes_on = ("raw", "request", "embeddings")
    assert error is not None or fault == "success" or spelling in passes_on
    if error is not None:
        for text in shown_by(error):
            assert found(text, key, PROMPT) == []
        # What a server said is in the frames that read it, though it be the key.
        secrets = [PROMPT] if fault.startswith("echo") else [key, PROMPT]
        assert frames_with(error, *secrets) == []
    assert [text for text in logs if found(text, key, PROMPT)] == []


@pytest.mark.parametrize("prompt", [PROMPT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("spelling", ["stream", "json"])
@pytest.mark.parametrize("fault", ["silent before the head", "silent"])
async def test_cancellation_shows_nothing(
    emulator: Emulator, logs: list[str], fault: str, spelling: str, prompt: str
) -> None:
    """A request that is cancelled by a deadline of the user's has clean frames too, aiohttp's included."""
    tell_everything()
    emulator.always(FAULTS[fault])
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        transport: Any = spelling
        with pytest.raises(TimeoutError) as info:
            async with asyncio.timeout(0.05):
                await client.complete(prompt, model="m", transport=transport)
    assert frames_with(info.value, KEY, PROMPT) == []
    assert [text for text in shown_by(info.value) if found(text, KEY)] == []
    assert [text for text in logs if found(text, KEY, PROMPT)] == []


async def test_breaking_while_a_large_prompt_is_sent(emulator: Emulator, logs: list[str]) -> None:
    """What asyncio was writing when the connection broke is in no frame of the error."""
    tell_everything()
    emulator.always(ANSWER.before_head(Reset()))
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        with pytest.raises(OpenRouterError) as info:
            await client.complete(LARGE, model="m")
    assert frames_with(info.value, KEY, PROMPT) == []
    assert [text for text in shown_by(info.value) if found(text, KEY, PROMPT)] == []
    assert [text for text in logs if found(text, KEY, PROMPT)] == []


async def test_no_connection_shows_no_key(logs: list[str]) -> None:
    """Where nobody answers, the error and its causes do not show what would have been sent."""
    async with Emulator() as gone:
        pass
    async with OpenRouter(
        KEY, base_url=gone.base_url, retry=RetryPolicy(first_delay=0.001)
    ) as client:
        error = await run(client, "loop")
    assert error is not None
    assert [text for text in shown_by(error) if found(text, KEY, PROMPT)] == []
    assert frames_with(error, KEY, PROMPT) == []
    assert [text for text in logs if found(text, KEY, PROMPT)] == []


async def test_password_of_a_proxy_is_a_secret_too(logs: list[str]) -> None:
    """A proxy that fails is named without its password."""
    async with Emulator() as gone:
        pass
    port = gone.base_url.split(":")[2].split("/")[0]
    proxy = f"http://user:SENTINELKEY-proxy@127.0.0.1:{port}"
    async with OpenRouter(
        KEY,
        base_url="http://openrouter.test/v1",
        allow_insecure_http=True,
        proxy=proxy,
        retry=RetryPolicy(max_attempts=1),
    ) as client:
        error = await run(client, "loop")
        assert found(repr(client) + repr(vars(client._sender)), "SENTINELKEY-proxy") == []
        with pytest.raises(TypeError, match="password") as refused:
            pickle.dumps(client)
        assert found(str(refused.value), "SENTINELKEY-proxy") == []
    assert error is not None
    assert [text for text in shown_by(error) if found(text, "SENTINELKEY-proxy")] == []
    assert frames_with(error, KEY, PROMPT, "SENTINELKEY-proxy") == []
    assert [text for text in logs if found(text, "SENTINELKEY-proxy")] == []
    with pytest.raises(ValueError, match="proxy") as info:
        OpenRouter(KEY, proxy="ftp://user:SENTINELKEY-proxy@127.0.0.1:1")
    assert "SENTINELKEY" not in str(info.value)


def test_key_shows_itself_to_nobody() -> None:
    """Printing, formatting, copying or pickling the holder of a key does not give the key away."""
    secret = Secret(KEY)
    assert found(f"{secret} {secret!r} {secret!s} {vars(type(secret))}", KEY) == []
    assert secret.reveal() == KEY
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            copying(secret)


def test_key_that_is_refused_is_not_shown() -> None:
    """A key with a line break in it is refused without being repeated."""
    with pytest.raises(ValueError, match="api_key") as info:
        OpenRouter(KEY + "\n" + ODD_KEY)
    assert found(str(info.value), KEY, ODD_KEY) == []
    with pytest.raises(TypeError, match="api_key") as wrong:
        OpenRouter(KEY.encode())  # type: ignore[arg-type]
    assert found(str(wrong.value), KEY) == []


def test_prompt_that_cannot_be_sent_is_not_shown() -> None:
    """A message that is no JSON is named by its place, not by its content."""
    client = OpenRouter(KEY)
    for messages in (
        [{"role": "user", "content": PROMPT, "x": object()}],
        [{"role": "user", "content": PROMPT + "\ud800"}],
        [{"content": PROMPT}],
        [PROMPT],
        [{"role": "user", "content": [PROMPT]}],
    ):
        with pytest.raises((TypeError, ValueError)) as info:
            _ = client.stream(messages)  # type: ignore[arg-type]
        assert found(str(info.value), PROMPT) == []


async def test_key_in_the_users_own_header_is_not_shown(emulator: Emulator) -> None:
    """An Authorization header of the user's own is as secret as the key."""
    emulator.always(http_error(500, "Oops"))
    async with OpenRouter(
        "", base_url=emulator.base_url, headers={"Authorization": f"Bearer {KEY}"}
    ) as client:
        error = await run(client, "loop")
        assert found(repr(client) + repr(vars(client._sender)), KEY) == []
        with pytest.raises(TypeError, match="Authorization") as refused:
            pickle.dumps(client)
        assert found(str(refused.value), KEY) == []
    assert emulator.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert error is not None
    assert [text for text in shown_by(error) if found(text, KEY)] == []
    assert frames_with(error, KEY, PROMPT) == []


def test_no_module_prints_or_logs() -> None:
    """The core has no logger of its own: there is nothing that could say too much."""
    for name, value in vars(openrouter_async).items():
        if isinstance(value, types.ModuleType):
            assert not hasattr(value, "logger"), name


def test_headers_that_are_no_credentials_travel() -> None:
    """A pickled client keeps the headers whose names do not speak of a credential."""
    client = OpenRouter(KEY, headers={"X-Team": "search"}, app_title="An app")
    copied = pickle.loads(pickle.dumps(client))
    assert copied._sender._headers == client._sender._headers
    for name in ("X-Api-Key", "Cookie", "x-auth-token", "Client-Secret"):
        with pytest.raises(TypeError, match=name):
            pickle.dumps(OpenRouter(KEY, headers={name: "x"}))


async def test_what_came_shows_only_itself(client: OpenRouter, emulator: Emulator) -> None:
    """Streams, chunks, answers and counts show neither key nor prompt, printed or pickled."""
    emulator.always(ANSWER)
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        stream = client.stream(PROMPT, model="m")
        async with stream:
            chunk = await anext(stream)
            answer = await stream.collect()
        for shown in (stream, stream.headers, stream.timing, chunk, answer, client.stats()):
            assert found(f"{shown!r} {shown!s} {shown}", KEY, PROMPT) == []
        for kept in (chunk, answer, stream.timing, client.stats()):
            assert found(pickle.dumps(kept), KEY, PROMPT) == []


# Where the key may go.


@pytest.mark.parametrize(
    "base_url",
    [
        "http://example.com/v1",
        "http://10.0.0.5:8000/v1",
        "http://localhost.example.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://[2001:db8::1]/v1",
    ],
)
def test_key_is_not_sent_in_the_clear(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An http:// address of another machine is refused with a key, wherever that comes from."""
    with pytest.raises(ValueError, match="allow_insecure_http") as info:
        OpenRouter(KEY, base_url=base_url)
    assert found(str(info.value), KEY) == []
    with pytest.raises(ValueError, match="allow_insecure_http"):
        OpenRouter("", base_url=base_url, headers={"authorization": "Bearer x"})
    OpenRouter("", base_url=base_url)  # a server that needs no key
    OpenRouter(KEY, base_url=base_url, allow_insecure_http=True)
    OpenRouter(KEY, base_url=base_url.replace("http:", "https:"))
    without = pickle.dumps(OpenRouter(base_url=base_url))
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    with pytest.raises(ValueError, match="allow_insecure_http"):
        OpenRouter(base_url=base_url)
    with pytest.raises(ValueError, match="allow_insecure_http"):
        pickle.loads(without)
    with pytest.raises(TypeError, match="allow_insecure_http"):
        OpenRouter(KEY, base_url=base_url, allow_insecure_http="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1:8000", "[::1]:8000"])
def test_loopback_needs_no_word(host: str) -> None:
    """On the same machine http:// is fine."""
    OpenRouter(KEY, base_url=f"http://{host}/v1")


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:1/x",
        "http://127.0.0.2:{port}/x",
        "https://127.0.0.1:{port}/x",
        "http://user:pass@127.0.0.1:{port}/x",
        "//127.0.0.2:{port}/x",
        "http://127.0.0.1:{port}@127.0.0.2/x",
    ],
)
@pytest.mark.parametrize("status", [307, 308])
async def test_redirect_takes_nothing_elsewhere(
    client: OpenRouter, emulator: Emulator, status: int, to: str
) -> None:
    """Another port, host, scheme or user is another origin: neither key nor prompt goes there."""
    port = emulator.base_url.split(":")[2].split("/")[0]
    emulator.always(http_error(status, "", headers={"Location": to.format(port=port)}))
    with pytest.raises(OpenRouterError, match="another origin") as info:
        await client.complete(PROMPT, model="m")
    assert "pass" not in str(info.value)
    assert emulator.accepted == 1


@pytest.mark.parametrize("mark", ["\r", "\n", "\0", "\r\nX-Forged: 1"])
async def test_no_header_can_be_forged(mark: str, emulator: Emulator) -> None:
    """A line end is refused wherever a user's text goes into the head of a request."""
    bad = f"x{mark}y"
    for arguments in (
        {"api_key": bad},
        {"headers": {"X-A": bad}},
        {"headers": {f"X-A{mark}": "x"}},
        {"app_title": bad},
        {"app_url": bad},
        {"app_categories": [bad]},
        {"base_url": f"http://127.0.0.1/{bad}"},
        {"proxy": f"http://127.0.0.1/{bad}"},
    ):
        wrong: Any = {"api_key": "k", **arguments}
        with pytest.raises(ValueError, match=r"\w"):
            OpenRouter(**wrong)
    async with OpenRouter("k", base_url=emulator.base_url) as client:
        with pytest.raises(ValueError, match="extra_headers"):
            _ = client.stream("Hi", model="m", extra_headers={"X-A": bad})
        emulator.always(completion("ok"))
        await client.request("POST", f"/models/{bad}", params={"q": bad})
        assert "X-Forged" not in emulator.requests[0].headers
        with pytest.raises((ValueError, OpenRouterError)):
            await client.request(f"POST{mark}", "/models")
