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
from pathlib import Path
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
PACKAGE = str(Path(openrouter_async.__file__).parent)

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


def locals_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """File and local variables of each frame in an error's tracebacks, as trackers take them."""
    for one in chain(error):
        for frame in traceback.TracebackException.from_exception(one, capture_locals=True).stack:
            yield frame.filename, repr(frame.locals)


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
            case _:
                async for _ in client.stream(PROMPT, model="m").raw():
                    pass
    except OpenRouterError as error:
        return error
    return None


@pytest.mark.parametrize("key", [KEY, ODD_KEY], ids=["a usual key", "another key"])
@pytest.mark.parametrize("spelling", ["loop", "json", "raw"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_secrets_stay_secret(
    emulator: Emulator, logs: list[str], fault: str, spelling: str, key: str
) -> None:
    """No fault brings the key or the prompt into an error, a log, a repr, a pickle or a frame."""
    asyncio.get_running_loop().set_debug(True)
    reply = with_key(FAULTS[fault], key)
    if fault == "success" and spelling == "json":
        reply = completion("Hello")
    emulator.always(reply)
    async with OpenRouter(
        key,
        base_url=emulator.base_url,
        retry=RetryPolicy(first_delay=0.001),
        timeouts=Timeouts(wire_idle=0.03),
    ) as client:
        error = await run(client, spelling)
        assert found(repr(client) + str(client) + repr(vars(client)), key) == []
        assert found(repr(client.stats()), key) == []
    assert emulator.requests[0].headers["Authorization"] == f"Bearer {key}"
    assert PROMPT in str(emulator.requests[0].json)
    # A relay passes on what it got, so its later errors are the reader's to find.
    assert (error is None) == (fault == "success" or (spelling == "raw" and error is None))
    if error is not None:
        for text in shown_by(error):
            assert found(text, key, PROMPT) == []
        for file, variables in locals_of(error):
            # What a server said is in the frames that read it, though it be the key.
            if file.startswith(PACKAGE) and not fault.startswith("echo"):
                assert found(variables, key) == [], file
    assert [text for text in logs if found(text, key, PROMPT)] == []


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
    for file, variables in locals_of(error):
        if file.startswith(PACKAGE):
            assert found(variables, KEY) == [], file
    assert [text for text in logs if found(text, KEY, PROMPT)] == []


async def test_password_of_a_proxy_is_a_secret_too(logs: list[str]) -> None:
    """A proxy that fails is named without its password."""
    async with Emulator() as gone:
        pass
    port = gone.base_url.split(":")[2].split("/")[0]
    proxy = f"http://user:SENTINELKEY-proxy@127.0.0.1:{port}"
    async with OpenRouter(
        KEY, base_url="http://openrouter.test/v1", proxy=proxy, retry=RetryPolicy(max_attempts=1)
    ) as client:
        error = await run(client, "loop")
        assert "SENTINELKEY" not in repr(client)
    assert error is not None
    assert "SENTINELKEY" not in f"{error!s} {error!r} {error.__cause__!s} {error.__cause__!r}"
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
        assert found(repr(client), KEY) == []
    assert emulator.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert error is not None
    assert [text for text in shown_by(error) if found(text, KEY)] == []


def test_no_module_prints_or_logs() -> None:
    """The core has no logger of its own: there is nothing that could say too much."""
    for name, value in vars(openrouter_async).items():
        if isinstance(value, types.ModuleType):
            assert not hasattr(value, "logger"), name
