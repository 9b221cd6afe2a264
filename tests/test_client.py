"""The client as configuration: what it takes, refuses, sends, retries, and lets travel."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from openrouter_async import (
    APIConnectionError,
    ChatCompletion,
    Limits,
    Message,
    OpenRouter,
    OpenRouterError,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
    StreamBrokenError,
    Timeouts,
)
from openrouter_async.errors import (
    AuthenticationError,
    BadGatewayError,
    NotFoundError,
    ServerError,
)
from openrouter_async.testing import (
    Cut,
    Emulator,
    Reply,
    Reset,
    chat,
    completion,
    error_chunk,
    http_error,
    replay,
)
from tests.quiet import KEY

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

ROOT = Path(__file__).parent.parent
ANSWER = chat("Hel", "lo")
QUICK = RetryPolicy(first_delay=0.001)


async def ask(client: OpenRouter, **more: Any) -> str:
    """Get one answer."""
    completion: ChatCompletion = await client.complete("Hi", **more)
    return completion.text


# Making one.


def run_python(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_making_one_touches_nothing() -> None:
    """A client imports no aiohttp and no asyncio, opens no file or socket and starts no thread."""
    code = """
import sys, threading
from openrouter_async import OpenRouter
touched = []
sys.addaudithook(lambda name, _: touched.append(name) if name.startswith(("open", "socket")) else None)
OpenRouter("sk-or-v1-0123456789", proxy="http://127.0.0.1:1", ssl="/nowhere/ca.pem")
assert touched == [], touched
assert threading.active_count() == 1
heavy = {"aiohttp", "asyncio", "anyio", "ssl", "pydantic", "httpx"} & set(sys.modules)
assert heavy == set(), heavy
print("nothing")
"""
    assert run_python(code) == "nothing"


def test_stream_object_imports_nothing_either() -> None:
    """Even a stream that is not started yet needs no event loop and no transport."""
    code = """
import sys
from openrouter_async import OpenRouter
stream = OpenRouter("sk-or-v1-0123456789").stream("Hi", model="m")
assert stream.partial is not None and stream.ending is None
assert "aiohttp" not in sys.modules and "asyncio" not in sys.modules
print(repr(stream))
"""
    assert "not sent yet" in run_python(code)


def test_repr_shows_where_and_what() -> None:
    """The repr names the base URL and the model, and nothing secret."""
    assert repr(OpenRouter(KEY)) == "OpenRouter(base_url='https://openrouter.ai/api/v1')"
    client = OpenRouter(KEY, base_url="http://127.0.0.1:1/v1/", model="a/b")
    assert repr(client) == "OpenRouter(base_url='http://127.0.0.1:1/v1', model='a/b')"


async def test_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, base URL and the app's name come from the official variables."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-from-the-environment")
    monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
    monkeypatch.setenv("OPENROUTER_HTTP_REFERER", "https://example.test/app")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "The App")
    monkeypatch.setenv("OPENROUTER_APP_CATEGORIES", "cli-agent,writing")
    emulator.always(ANSWER)
    async with OpenRouter() as client:
        await ask(client)
    headers = emulator.requests[0].headers
    assert headers["Authorization"] == "Bearer sk-or-v1-from-the-environment"
    assert headers["HTTP-Referer"] == "https://example.test/app"
    assert headers["X-OpenRouter-Title"] == "The App"
    assert headers["X-OpenRouter-Categories"] == "cli-agent,writing"


async def test_arguments_win_over_the_environment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is given in code counts, whatever the environment says."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-other")
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:1/api/v1")
    monkeypatch.setenv("OPENROUTER_APP_TITLE", "Other")
    emulator.always(ANSWER)
    async with OpenRouter(
        KEY,
        base_url=emulator.base_url,
        app_url="https://example.test",
        app_title="Mine",
        app_categories=["cli-agent", "writing"],
        headers={"X-Team": "blue"},
        model="openai/gpt-4o-mini",
    ) as client:
        await client.complete("Hi", extra_headers={"X-Request": "7"})
    (request,) = emulator.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["HTTP-Referer"] == "https://example.test"
    assert request.headers["X-OpenRouter-Title"] == "Mine"
    assert request.headers["X-OpenRouter-Categories"] == "cli-agent,writing"
    assert request.headers["X-Team"] == "blue"
    assert request.headers["X-Request"] == "7"
    assert request.headers["User-Agent"].startswith("openrouter-async/")
    assert request.json["model"] == "openai/gpt-4o-mini"
    assert request.path == "/api/v1/chat/completions"


async def test_nothing_is_sent_that_nobody_asked_for(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Without attribution no such header goes out, and the body holds what was given."""
    emulator.always(ANSWER)
    await ask(client)
    (request,) = emulator.requests
    assert request.json == {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    assert set(request.headers) == {
        "Host",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "Content-Type",
        "Authorization",
        "Content-Length",
    }


async def test_missing_key(emulator: Emulator) -> None:
    """Without a key nothing is sent, and the error names the variable and the argument."""
    async with OpenRouter(base_url=emulator.base_url) as client:
        for call in (
            lambda: client.complete("Hi"),
            lambda: client.complete("Hi", transport="json"),
            lambda: client.request("GET", "/models"),
        ):
            with pytest.raises(AuthenticationError, match="OPENROUTER_API_KEY") as info:
                await call()
            assert "api_key" in str(info.value)
            assert info.value.billed == "no"
            assert info.value.attempts == 1
    assert emulator.connections == 0


async def test_empty_key_sends_no_header(emulator: Emulator) -> None:
    """api_key='' is for a server that needs none, whatever the environment holds."""
    emulator.always(replay(b'{"data": []}', content_type="application/json"), path="/models")
    async with OpenRouter("", base_url=emulator.base_url) as client:
        await client.request("GET", "/models")
    assert "Authorization" not in emulator.requests[0].headers


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"api_key": 7}, TypeError, "api_key"),
        ({"api_key": "sk-or-v1-line\nbreak"}, ValueError, "position 13"),
        ({"base_url": "openrouter.ai"}, ValueError, "base_url"),
        ({"base_url": "ftp://openrouter.ai"}, ValueError, "base_url"),
        ({"base_url": "https://user:pass@openrouter.ai"}, ValueError, "credentials"),
        ({"base_url": "https://openrouter.ai/api/v1?x=1"}, ValueError, "query"),
        ({"base_url": 7}, TypeError, "base_url"),
        ({"model": 7}, TypeError, "model"),
        ({"timeouts": 30}, TypeError, "Timeouts"),
        ({"retry": 3}, TypeError, "RetryPolicy"),
        ({"limits": 3}, TypeError, "Limits"),
        ({"headers": {"X-A": "line\r\nX-B: forged"}}, ValueError, "line end"),
        ({"headers": {"X A": "b"}}, ValueError, "header name"),
        ({"headers": "X-A: b"}, TypeError, "mapping"),
        ({"app_title": "line\nbreak"}, ValueError, "line end"),
        ({"app_categories": "cli-agent"}, TypeError, "app_categories"),
        ({"proxy": "127.0.0.1:3128"}, ValueError, "proxy"),
        ({"proxy": 3128}, TypeError, "proxy"),
        ({"colour": "blue"}, TypeError, "colour"),
    ],
)
def test_bad_arguments_are_refused_at_once(
    arguments: dict[str, Any], kind: type[Exception], words: str
) -> None:
    """What cannot work is said when the client is made, without the value of a key."""
    with pytest.raises(kind, match=words) as info:
        OpenRouter(**arguments)
    assert "sk-or-v1-line" not in str(info.value)
    assert "user:pass" not in str(info.value)


Call = Callable[[OpenRouter], object]

BAD_CALLS: Sequence[tuple[Call, type[Exception], str]] = [
    (lambda client: client.stream(""), ValueError, "messages"),
    (lambda client: client.stream([]), ValueError, "messages"),
    (lambda client: client.stream({"role": "user"}), TypeError, "sequence"),  # type: ignore[arg-type]
    (lambda client: client.stream([{"content": "Hi"}]), ValueError, r"messages\[0\]\.role"),
    (lambda client: client.stream("Hi", model=""), ValueError, "model"),
    (lambda client: client.stream("Hi", modle="m"), TypeError, "'model'|unknown"),  # type: ignore[call-arg]
    (lambda client: client.stream("Hi", temprature=1), TypeError, "temperature"),  # type: ignore[call-arg]
    (lambda client: client.stream("Hi", timeouts=3), TypeError, "Timeouts"),  # type: ignore[arg-type]
    (lambda client: client.stream("Hi", extra_headers={"A": "b\nc"}), ValueError, "line end"),
    (lambda client: client.stream("Hi", seed=object()), TypeError, "seed"),  # type: ignore[arg-type]
    (lambda client: client.complete("Hi", transport="xml"), ValueError, "transport"),  # type: ignore[call-overload]
    (lambda client: client.complete("Hi", seed=object()), TypeError, "seed"),  # type: ignore[call-overload]
    (lambda client: client.complete("Hi", modle="m", transport="json"), TypeError, "unknown"),  # type: ignore[call-overload]
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD_CALLS)
def test_bad_requests_are_refused_at_the_call(
    call: Call, kind: type[Exception], words: str
) -> None:
    """A wrong argument raises where it is given, with no loop running and nothing awaited."""
    with pytest.raises(kind, match=words):
        call(OpenRouter(KEY))


async def test_closed_client_is_misuse(client: OpenRouter, emulator: Emulator) -> None:
    """A closed client says so, at the call, and closing twice is no harm."""
    emulator.always(ANSWER)
    await ask(client)
    made_before = client.stream("Hi")
    await client.aclose()
    await client.aclose()
    for call in (client.stream, client.complete):
        with pytest.raises(RuntimeError, match="closed"):
            call("Hi")
    with pytest.raises(RuntimeError, match="closed"):
        await client.request("GET", "/models")
    with pytest.raises(RuntimeError, match="closed"):
        await client.warmup()
    with pytest.raises(RuntimeError, match="closed"):
        await made_before
    with pytest.raises(RuntimeError, match="closed"):
        async with client:
            pass
    assert client.stats().loops == 0
    assert emulator.accepted == 1


# Travelling.


async def test_a_header_goes_out_once_however_it_is_spelt(emulator: Emulator) -> None:
    """What is nearer to the request wins; the key's own header is nobody else's to set."""
    emulator.always(ANSWER)
    async with OpenRouter(
        KEY, base_url=emulator.base_url, app_title="Mine", headers={"x-team": "blue"}
    ) as client:
        extra = {"authorization": "Bearer other", "X-OPENROUTER-TITLE": "Theirs", "X-Team": "red"}
        await client.complete("Hi", model="m", extra_headers=extra)
    sent = cast("CIMultiDictProxy[str]", emulator.requests[-1].headers)
    assert sent.getall("Authorization") == [f"Bearer {KEY}"]
    assert sent.getall("X-OpenRouter-Title") == ["Theirs"]
    assert sent.getall("X-Team") == ["red"]


async def test_client_travels_without_its_key(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle or a deep copy is the configuration; the key is the other side's own."""
    emulator.always(ANSWER)
    client = OpenRouter(
        KEY,
        base_url=emulator.base_url,
        model="a/b",
        app_title="Mine",
        timeouts=Timeouts(idle=7),
        limits=Limits(max_connections=3),
        retry=QUICK,
        headers={"X-Team": "blue"},
    )
    await ask(client)  # it travels in use, too
    data = pickle.dumps(client)
    assert KEY.encode() not in data
    for copied in (pickle.loads(data), copy.deepcopy(client), copy.copy(client)):
        assert repr(copied) == repr(client)
        with pytest.raises(AuthenticationError):
            await ask(copied)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-over-there")
    for copied in (pickle.loads(data), copy.deepcopy(client)):
        async with copied:
            assert copied.stats().limit == 3
            assert await ask(copied) == "Hello"
        request = emulator.requests[-1]
        assert request.headers["Authorization"] == "Bearer sk-or-v1-over-there"
        assert request.headers["X-OpenRouter-Title"] == "Mine"
        assert request.headers["X-Team"] == "blue"
        assert request.json["model"] == "a/b"
    assert await ask(client) == "Hello"
    await client.aclose()


def test_client_without_a_key_travels_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a server needs no key is configuration, and no secret."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-over-there")
    copied = pickle.loads(pickle.dumps(OpenRouter("")))
    assert copied._sender.key is not None
    assert copied._sender.key.reveal() == ""


async def test_answers_and_errors_travel(client: OpenRouter, emulator: Emulator) -> None:
    """Completions, chunks and errors pickle and copy whole."""
    emulator.always(ANSWER)
    answer = await client.complete("Hi")
    chunks = [chunk async for chunk in client.stream("Hi")]
    emulator.always(ANSWER.error_after(1, error_chunk(502, "It broke")))
    with pytest.raises(OpenRouterError) as info:
        await client.complete("Hi")
    for value in (answer, *chunks):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value
    error: Any = pickle.loads(pickle.dumps(info.value))
    assert type(error) is type(info.value)
    assert str(error) == str(info.value)
    assert isinstance(error, BadGatewayError)
    assert error.partial == info.value.partial
    assert (error.status, error.billed, error.phase) == (502, "unknown", "body")


# Trying again.


async def test_429_is_tried_again_after_the_servers_wait(emulator: Emulator) -> None:
    """A refusal for the rate is tried again, no sooner than the server allows."""
    emulator.play(http_error(429, "Slow down", headers={"Retry-After": "0.1"}), ANSWER)
    loop = asyncio.get_running_loop()
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=QUICK) as client:
        started = loop.time()
        assert await ask(client) == "Hello"
        assert loop.time() - started >= 0.1
    assert emulator.accepted == 2


@pytest.mark.parametrize("status", [429, 502, 503, 529])
async def test_refusals_are_tried_as_often_as_the_policy_says(
    emulator: Emulator, status: int
) -> None:
    """What the API did not take is sent again; the last error tells how often."""
    emulator.always(http_error(status, "No"))
    for attempts in (1, 2, 4):
        before = emulator.accepted
        retry = RetryPolicy(max_attempts=attempts, first_delay=0.001)
        async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
            with pytest.raises(OpenRouterError) as info:
                await ask(client)
        assert info.value.attempts == attempts
        assert emulator.accepted - before == attempts


async def test_wait_that_is_too_long_is_not_waited_for(emulator: Emulator) -> None:
    """Where the server asks for more patience than the policy has, the error comes at once."""
    emulator.always(http_error(429, "Tomorrow", headers={"Retry-After": "86400"}))
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        with pytest.raises(RateLimitError) as info:
            await ask(client)
    assert info.value.retry_after == 86400
    assert emulator.accepted == 1


async def test_first_event_that_is_a_refusal_is_tried_again(emulator: Emulator) -> None:
    """A 429 inside a 200, before any output, is as good as one with its status."""
    emulator.play(chat("x").error_after(0, error_chunk(429, "Slow down")), ANSWER)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=QUICK) as client:
        assert await ask(client) == "Hello"
    assert emulator.accepted == 2


MAYBE_BILLED: dict[str, tuple[Reply, type[OpenRouterError]]] = {
    "500": (http_error(500, "Oops"), ServerError),
    "504": (http_error(504, "Too late"), ServerError),
    "524": (http_error(524, "Too late"), ServerError),
    "hung up without an answer": (ANSWER.before_head(Cut()), APIConnectionError),
    "reset without an answer": (ANSWER.before_head(Reset()), APIConnectionError),
    "cut before the first event": (ANSWER.cut_after(0), StreamBrokenError),
    "cut amid the answer": (ANSWER.cut_after(1), StreamBrokenError),
    "refused amid the answer": (ANSWER.error_after(1, error_chunk(429, "No")), RateLimitError),
    "no event stream": (
        http_error(200, body=b"<html>", content_type="text/html"),
        ProtocolError,
    ),
}


@pytest.mark.parametrize("fault", MAYBE_BILLED)
async def test_what_may_have_been_billed_is_not_sent_twice(emulator: Emulator, fault: str) -> None:
    """What the API may have taken, or has begun to answer, is never sent again by itself."""
    reply, kind = MAYBE_BILLED[fault]
    emulator.always(reply)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=QUICK) as client:
        with pytest.raises(kind) as info:
            await ask(client)
        assert info.value.attempts == 1
        assert emulator.accepted == 1


async def test_unknown_is_tried_again_for_who_says_so(emulator: Emulator) -> None:
    """With retry_unknown a lost answer is asked for again; a begun one still is not."""
    retry = RetryPolicy(first_delay=0.001, retry_unknown=True)
    emulator.play(ANSWER.before_head(Cut()), http_error(500, "Oops"), ANSWER)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        assert await ask(client) == "Hello"
        assert emulator.accepted == 3
        emulator.always(ANSWER.cut_after(1))
        with pytest.raises(StreamBrokenError):
            await ask(client)
        assert emulator.accepted == 4


# Any endpoint.


class Model(msgspec.Struct):
    """A model's row, as far as a test reads it."""

    id: str


class Models(msgspec.Struct):
    """A page of models."""

    data: list[Model]


async def test_request_decodes_into_what_is_asked_for(
    client: OpenRouter, emulator: Emulator
) -> None:
    """An answer comes as a dict, as bytes, or as any type that msgspec knows."""
    plain = await client.request("GET", "/models")
    typed = await client.request("get", "/models", type=Models)
    raw = await client.request("GET", "/models", type=bytes)
    listed = await client.request("GET", "/models", type=dict[str, Any])
    assert plain == listed == msgspec.json.decode(raw)
    assert [model.id for model in typed.data] == [row["id"] for row in plain["data"]]
    assert {request.method for request in emulator.requests} == {"GET"}
    assert emulator.connections == 1


async def test_request_sends_query_and_body(client: OpenRouter, emulator: Emulator) -> None:
    """Parameters become a query, a value becomes JSON, and odd names in a path are kept whole."""
    emulator.always(replay(b"{}", content_type="application/json"), path="/x/y")
    await client.request(
        "POST", "/x/y", json={"a": [1, None, "é"]}, params={"n": 3, "on": True, "q": "a b&c=d"}
    )
    (request,) = emulator.requests
    assert (request.method, request.json) == ("POST", {"a": [1, None, "é"]})
    assert dict(request.query) == {"n": "3", "on": "true", "q": "a b&c=d"}
    assert request.headers["Content-Type"] == "application/json"
    with pytest.raises(NotFoundError):
        await client.request("GET", "/models/meta-llama/llama 3:free?x#y/endpoints")
    assert emulator.requests[-1].path.startswith("/api/v1/models/meta-llama/llama 3:free?x#y")


@pytest.mark.parametrize(
    "path", ["models", "//evil.test/models", "https://evil.test/models", "", "http:/x"]
)
async def test_request_stays_at_the_base_url(
    client: OpenRouter, emulator: Emulator, path: str
) -> None:
    """A path that could name another host is refused, and nothing is sent."""
    with pytest.raises(ValueError, match="path"):
        await client.request("GET", path)
    assert emulator.connections == 0


async def test_request_reports_what_it_cannot_decode(
    client: OpenRouter, emulator: Emulator
) -> None:
    """An answer that is no JSON, or no such type, is a ProtocolError that names the call."""
    emulator.play(
        replay(b"<html>", content_type="text/html"),
        replay(b'{"data": 7}', content_type="application/json"),
        path="/models",
    )
    for kind in (dict, Models):
        with pytest.raises(ProtocolError, match="/models"):
            await client.request("GET", "/models", type=kind)


async def test_request_raises_the_error_of_its_status(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Errors of any endpoint are those of the chat."""
    emulator.play(http_error(404, "No such thing"), path="/nothing")
    with pytest.raises(NotFoundError, match="No such thing"):
        await client.request("GET", "/nothing")


# Whole answers.

ANSWERS: dict[str, Mapping[str, Any]] = {
    "text": {"deltas": ("Hel", "lo")},
    "reasoning": {"deltas": ("4",), "reasoning": ("2 and 2 ", "is 4")},
    "tool calls": {
        "deltas": (),
        "tool_calls": [
            {"name": "add", "arguments": {"a": 1, "b": [2, 3]}},
            {"name": "b", "arguments": "{}"},
        ],
    },
    "images": {"deltas": ("Here:",), "images": [b"\x89PNG\r\n\x1a\n1", b"\x89PNG\r\n\x1a\n2"]},
    "annotations": {
        "deltas": ("See the page.",),
        "annotations": [{"type": "url_citation", "url_citation": {"url": "http://x.test"}}],
    },
    "cut at the limit": {"deltas": ("Hel",), "finish_reason": "length"},
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_streamed_and_whole_answers_are_the_same(
    client: OpenRouter, emulator: Emulator, name: str
) -> None:
    """complete() gives the same completion over both transports."""
    given = dict(ANSWERS[name])
    deltas = given.pop("deltas")
    emulator.play(
        chat(*deltas, **given, id="gen-1", tokens=(3, 5)),
        completion(*deltas, **given, id="gen-1", tokens=(3, 5)),
    )
    streamed = await client.complete("Hi")
    whole = await client.complete("Hi", transport="json")
    assert [request.json["stream"] for request in emulator.requests] == [True, False]
    for answer in (streamed, whole):
        assert answer.id == "gen-1"
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 5
    one, other = streamed.choices[0], whole.choices[0]
    assert one.finish_reason == other.finish_reason
    assert streamed.text == whole.text
    assert streamed.images == whole.images
    assert [call.to_dict() for call in streamed.tool_calls] == [
        {key: value for key, value in call.to_dict().items() if key != "index"}
        for call in whole.tool_calls
    ] or streamed.tool_calls == whole.tool_calls
    assert (one.message.reasoning or "") == (other.message.reasoning or "")
    assert streamed.model == whole.model
    assert streamed.provider == whole.provider


async def test_error_in_a_whole_answer_is_raised(client: OpenRouter, emulator: Emulator) -> None:
    """A body that HTTP calls a success and that holds an error raises that error."""
    body = b'{"error": {"code": 400, "message": "No such model"}}'
    emulator.always(replay(body, content_type="application/json"))
    for transport in ("stream", "json"):
        with pytest.raises(OpenRouterError, match="No such model"):
            await client.complete("Hi", transport=transport)


async def test_messages_of_every_kind(client: OpenRouter, emulator: Emulator) -> None:
    """Plain mappings and message structs go side by side, and answers go back as they are."""
    emulator.always(ANSWER)
    answer = await client.complete("Hi")
    await client.complete(
        [
            {"role": "system", "content": "Be brief."},
            Message(role="user", content="Hi"),
            answer.choices[0].message,
            {"role": "user", "content": [{"type": "text", "text": "And?"}]},
        ]
    )
    sent = emulator.requests[-1].json["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[2]["content"] == "Hello"


async def test_one_client_serves_many_at_once(client: OpenRouter, emulator: Emulator) -> None:
    """Streams, whole answers and other endpoints share a client without mixing anything up."""

    async def one(index: int) -> str:
        if index % 3 == 0:
            return (await client.complete(f"Say {index}", model="openai/gpt-4o-mini")).text
        if index % 3 == 1:
            pieces = [
                text
                async for text in client.stream(f"Say {index}", model="openai/gpt-4o-mini").text()
            ]
            return "".join(pieces)
        return str(len((await client.request("GET", "/models"))["data"]))

    first = await asyncio.gather(*(one(index) for index in range(60)))
    second = await asyncio.gather(*(one(index) for index in range(60)))
    assert first == second
    gc.collect()
