"""Our streams in a real FastAPI application: one line in an endpoint, whoever leaves, whatever fails."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import pytest
from fastapi import BackgroundTasks, Body, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from openrouter_async import OpenRouter, OpenRouterError, RetryPolicy
from openrouter_async.integrations import asgi
from openrouter_async.integrations.fastapi import (
    CancelOnDisconnect,
    Client,
    ProtocolName,
    RelayResponse,
    UIMessages,
    cancel_on_disconnect,
    error_response,
    lifespan,
    relay,
)
from openrouter_async.testing import Emulator, Hold, Stall, chat, http_error
from tests.quiet import KEY, settled
from tests.serving import LEAVES_WITHIN, Visitor, asked, get, served, time_to_leave

FIVE = ("one ", "two ", "three ", "four ", "five ")


def application(emulator: Emulator, **options: Any) -> FastAPI:
    """An application that owns a client of the emulator, which tries nothing twice."""
    retry = RetryPolicy(max_attempts=1)
    make = lambda: OpenRouter(KEY, base_url=emulator.base_url, model="m", retry=retry)  # noqa: E731
    return FastAPI(
        lifespan=lifespan(make), exception_handlers={OpenRouterError: error_response}, **options
    )


async def test_one_line_relays_a_stream(emulator: Emulator) -> None:
    """The endpoint gives the stream away; status, headers and cookies of FastAPI's work."""
    app = application(emulator)
    afterwards: list[str] = []

    @app.post("/chat")
    async def endpoint(prompt: Annotated[str, Body()], client: Client) -> RelayResponse:
        task = BackgroundTask(afterwards.append, "done")
        response = relay(client.stream(prompt), status=203, background=task)
        response.headers["X-Mine"] = "1"
        response.set_cookie("seen", "yes")
        return response

    reply = chat(*FIVE)
    emulator.play(reply)
    async with served(app) as port:
        answer = await get(port, "/chat", body="Hi")
    assert answer.status == 203
    assert answer.body == reply.body
    assert answer.headers["x-mine"] == "1"
    assert answer.headers["set-cookie"].startswith("seen=yes")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert afterwards == ["done"]


async def test_failures_keep_their_status_everywhere(emulator: Emulator) -> None:
    """In a relay and, by the handler, in an endpoint without one: status, words, when to return."""
    app = application(emulator)

    @app.get("/relayed")
    async def relayed(client: Client) -> RelayResponse:
        return relay(client.stream("Hi"))

    @app.get("/plain")
    async def plain(client: Client) -> str:
        return (await client.complete("Hi")).text

    emulator.always(http_error(429, "Slow down", headers={"Retry-After": "3"}))
    async with served(app) as port:
        for path in ("/relayed", "/plain"):
            answer = await get(port, path)
            assert answer.status == 429
            assert answer.headers["retry-after"] == "3"
            assert answer.json()["error"]["message"] == "Slow down"


async def test_the_handler_leaves_other_exceptions_alone() -> None:
    """What is none of ours is raised again."""
    with pytest.raises(LookupError):
        await error_response(Request({"type": "http"}), LookupError())


def test_what_is_no_relay_is_named() -> None:
    """FastAPI hands the class whatever an endpoint returns, which is told in words."""
    content: Any = {"error": "no"}
    with pytest.raises(TypeError, match=r"must return relay\(...\), not dict"):
        RelayResponse(content)


async def test_an_application_without_a_client_says_so(emulator: Emulator) -> None:
    """The dependency tells what is missing instead of an attribute error."""
    app = FastAPI()

    @app.get("/")
    async def endpoint(client: Client) -> str:
        return repr(client)

    async with served(app, expect="Exception in ASGI application") as port:
        assert (await get(port)).status == 500
    mounted = application(emulator)
    mounted.mount("/below", app)
    async with served(mounted) as port:
        assert "OpenRouter(" in (await get(port, "/below/")).body.decode()


KINDS = (
    "relay",
    "relay behind BaseHTTPMiddleware",
    "StreamingResponse",
    "EventSourceResponse",
    "plain",
    "plain behind the middleware",
)


def leaving_application(emulator: Emulator, kind: str) -> FastAPI:
    """An application with one endpoint of a kind."""
    app = application(emulator)

    if kind.startswith("relay"):

        @app.get("/")
        async def relayed(client: Client) -> RelayResponse:
            return relay(client.stream("Hi"))

    elif kind == "StreamingResponse":

        @app.get("/")
        async def streaming(client: Client) -> StreamingResponse:
            return StreamingResponse(client.stream("Hi").text())

    elif kind == "EventSourceResponse":

        @app.get("/", response_class=EventSourceResponse)
        async def events(client: Client) -> AsyncIterator[ServerSentEvent]:
            async for chunk in client.stream("Hi"):
                yield ServerSentEvent(data=chunk.text, event="text")

    elif kind == "plain":

        @app.get("/")
        async def plain(request: Request, client: Client) -> str:
            return (await cancel_on_disconnect(request, client.complete("Hi"))).text

    else:

        @app.get("/")
        async def awaiting(client: Client) -> str:
            return (await client.complete("Hi")).text

        app.add_middleware(CancelOnDisconnect)

    if kind.endswith("BaseHTTPMiddleware"):

        async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    return app


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_is_gone_stops_the_upstream(
    emulator: Emulator, kind: str, how: str
) -> None:
    """Within half a second, with no task left and nothing logged, for every kind of endpoint."""
    emulator.always(chat(*FIVE).stall_after(3))
    async with served(leaving_application(emulator, kind)) as port:

        async def begin() -> Callable[[], None]:
            visitor = await asked(emulator, port)
            if not kind.startswith("plain"):
                await visitor.until(b"three ")
            return visitor.close if how == "close" else visitor.abort

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
    await settled(lambda: emulator.open_connections == 0)


@pytest.mark.parametrize("kind", ["relay", "plain", "plain behind the middleware"])
async def test_who_leaves_before_the_answer_is_no_fault(emulator: Emulator, kind: str) -> None:
    """A middleware that insists on an answer gets one, so that no log and no trace tells of a bug."""
    app = leaving_application(emulator, kind)
    statuses: list[int] = []

    @app.middleware("http")
    async def noting(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        statuses.append(response.status_code)
        return response

    emulator.always(chat(*FIVE).before_head(Stall()))
    async with served(app) as port:
        visitor = await asked(emulator, port)
        visitor.abort()
        await emulator.wait_for(lambda: emulator.disconnects, timeout=30)
        await settled(lambda: statuses)
    assert statuses == [499]


async def test_head_is_not_billed(emulator: Emulator) -> None:
    """Who asks for the head alone gets it, and the API is not asked for what nobody would read."""
    app = application(emulator)
    ends: list[str] = []

    @app.api_route("/", methods=["GET", "HEAD"])
    async def endpoint(client: Client) -> RelayResponse:
        stream = client.stream("Hi")
        stream.on_end(lambda stream: ends.append(str(stream.ending)))
        return relay(stream, headers={"x-mine": "1"})

    async with served(app) as port:
        answer = await (await Visitor.to(port, method="HEAD")).answer()
    assert (answer.status, answer.headers["x-mine"]) == (200, "1")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (emulator.accepted, ends) == (0, ["left"])


@pytest.mark.parametrize("path", ["/plain", "/streamed"])
async def test_tasks_behind_an_answer_run_without_its_client(emulator: Emulator, path: str) -> None:
    """The middleware ends what a client waits for, and nothing that it does not wait for."""
    app = application(emulator)
    app.add_middleware(CancelOnDisconnect)
    gone, done = asyncio.Event(), asyncio.Event()

    async def afterwards() -> None:
        await gone.wait()
        await asyncio.sleep(0.05)
        done.set()

    @app.get("/plain")
    async def plain(tasks: BackgroundTasks) -> str:
        tasks.add_task(afterwards)
        return "here"

    @app.get("/streamed")
    async def streamed(client: Client) -> RelayResponse:
        return relay(client.stream("Hi"), background=BackgroundTask(afterwards))

    emulator.always(chat(*FIVE).stall_after(3))
    async with served(app) as port:
        visitor = await Visitor.to(port, path)
        await visitor.until(b"here" if path == "/plain" else b"three ")
        visitor.abort()
        if path == "/streamed":
            await emulator.wait_for(lambda: emulator.disconnects == 1, timeout=30)
        gone.set()
        async with asyncio.timeout(30):
            await done.wait()


def test_without_fastapi_the_import_says_what_to_install() -> None:
    """The plain ASGI form needs no framework; this one names the extra."""
    code = (
        "import sys; sys.modules['fastapi'] = sys.modules['starlette'] = None\n"
        "import openrouter_async.integrations.asgi\n"
        "import openrouter_async.integrations.fastapi"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "ModuleNotFoundError: fastapi is not installed: pip install" in done.stderr


async def test_a_plain_endpoint_answers_who_stays(emulator: Emulator) -> None:
    """Watching for the client changes nothing for one that waits."""
    emulator.always(chat(*FIVE))
    for kind in KINDS[-2:]:
        async with served(leaving_application(emulator, kind)) as port:
            assert (await get(port)).json() == "".join(FIVE)


@pytest.mark.parametrize("protocol", ["openai", "ai-sdk", "text"])
async def test_a_compressing_middleware_holds_nothing_back(
    emulator: Emulator, protocol: ProtocolName
) -> None:
    """The first words arrive while the answer goes on, whoever would like to compress it."""
    app = application(emulator)

    @app.get("/")
    async def endpoint(client: Client) -> RelayResponse:
        return relay(client.stream("Hi"), protocol=protocol)

    app.add_middleware(GZipMiddleware, minimum_size=1)
    emulator.play(chat(*FIVE).hold_after(2))
    async with served(app) as port:
        visitor = await Visitor.to(port)
        visitor.writer.write(b"")
        assert b"five " not in await visitor.until(b"two ")
        emulator.release()
        assert b"five " in await visitor.reader.read(-1)
        visitor.close()


class Sent(BaseModel):
    """What a page of the AI SDK sends."""

    messages: UIMessages


async def test_the_body_of_a_page_is_checked(emulator: Emulator) -> None:
    """`UIMessages` reads what the AI SDK sends; what is no such thing is the client's error."""
    app = application(emulator)

    @app.post("/")
    async def endpoint(sent: Sent, client: Client) -> RelayResponse:
        return relay(client.stream(sent.messages), protocol="ai-sdk")

    emulator.play(chat("Hello"))
    async with served(app) as port:
        page = {"role": "user", "parts": [{"type": "text", "text": "Hi"}]}
        assert (await get(port, body={"id": "x", "messages": [page]})).status == 200
        refused = await get(port, body={"messages": [{"role": "user"}]})
    assert refused.status == 422
    assert "messages[0].parts must be a list" in refused.body.decode()
    assert msgspec.json.decode(emulator.requests[0].body)["messages"] == [
        {"role": "user", "content": "Hi"}
    ]


async def test_openais_body_becomes_a_call(emulator: Emulator) -> None:
    """An endpoint for OpenAI's clients is a few lines, for streams and for whole answers."""
    app = application(emulator)

    @app.post("/v1/chat/completions")
    async def endpoint(body: dict[str, Any], request: Request, client: Client) -> Response:
        messages, model = body.pop("messages"), body.pop("model")
        if body.pop("stream", False):
            return relay(client.stream(messages, model=model, extra_body=body))
        work = client.complete(messages, model=model, extra_body=body)
        completion = await cancel_on_disconnect(request, work)
        return Response(completion.to_json(), media_type="application/json")

    emulator.always(chat("Hello"))
    sent = {"messages": [{"role": "user", "content": "Hi"}], "model": "m", "top_p": 0.5}
    async with served(app) as port:
        whole = await get(port, "/v1/chat/completions", body=sent)
        streamed = await get(port, "/v1/chat/completions", body={**sent, "stream": True})
    assert whole.json()["choices"][0]["message"]["content"] == "Hello"
    assert streamed.body == chat("Hello").body
    assert [msgspec.json.decode(request.body)["top_p"] for request in emulator.requests] == [
        0.5
    ] * 2


def test_the_description_names_the_kind_of_answer(emulator: Emulator) -> None:
    """In OpenAPI the endpoint sends events, and its parameters are the user's alone."""
    app = application(emulator)

    @app.get("/", response_class=RelayResponse)
    async def endpoint(prompt: str, client: Client) -> RelayResponse:
        return relay(client.stream(prompt))

    described = app.openapi()["paths"]["/"]["get"]
    assert list(described["responses"]["200"]["content"]) == ["text/event-stream"]
    assert [parameter["name"] for parameter in described["parameters"]] == ["prompt"]


async def test_a_server_that_stops_finishes_what_runs(emulator: Emulator) -> None:
    """An answer that is under way when the server is told to stop comes to its end."""
    app = application(emulator)

    @app.get("/")
    async def endpoint(client: Client) -> RelayResponse:
        return relay(client.stream("Hi"), protocol="text")

    emulator.play(chat(*FIVE).hold_after(2))
    async with served(app) as port:
        visitor = await Visitor.to(port)
        await visitor.until(b"two ")
        # By the time the gate opens, the server has been told to stop.
        releasing = asyncio.get_running_loop().call_later(0.3, emulator.release)
        reading = asyncio.ensure_future(visitor.reader.read(-1))
    assert b"five " in await reading
    visitor.close()
    releasing.cancel()


async def test_a_head_that_never_comes_is_left_too(emulator: Emulator) -> None:
    """A reader that gives up before the API has answered at all stops the request."""
    app = application(emulator)

    @app.get("/")
    async def endpoint(client: Client) -> RelayResponse:
        return relay(client.stream("Hi"))

    emulator.play(chat(*FIVE).before_head(Hold()))
    async with served(app) as port:
        visitor = await asked(emulator, port)
        visitor.abort()
        await emulator.wait_for(lambda: emulator.disconnects == 1, timeout=30)


async def test_starlette_takes_it_as_an_endpoint(emulator: Emulator) -> None:
    """The plain ASGI form is an endpoint's answer there, and the lifespan fits too."""

    async def endpoint(request: Request) -> Any:
        return asgi.relay(request.app.state.openrouter.stream("Hi", model="m"))

    make = lambda: OpenRouter(KEY, base_url=emulator.base_url)  # noqa: E731
    app = Starlette(routes=[Route("/", endpoint)], lifespan=asgi.lifespan(make))
    emulator.play(chat(*FIVE), http_error(404, "No such model"))
    async with served(app) as port:
        assert (await get(port)).body == chat(*FIVE).body
        assert (await get(port)).status == 404


HELLO = {"messages": [{"role": "user", "content": "Hi"}]}
PAGE = {"messages": [{"role": "user", "parts": [{"type": "text", "text": "Hi"}]}]}
GUIDE = (Path(__file__).resolve().parent.parent / "docs" / "fastapi.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/story?about=rain", None, "data: [DONE]"),
        ("/v1/chat/completions", {"model": "openai/gpt-4o-mini", **HELLO}, '"content"'),
        (
            "/v1/chat/completions",
            {"model": "openai/gpt-4o-mini", "stream": True, **HELLO},
            "[DONE]",
        ),
        ("/api/chat", PAGE, '"text-delta"'),
        ("/api/agent", PAGE, '"tool-output-available"'),
        ("/word", None, "pretend"),
        ("/haiku", None, "event: end"),
        ("/answers/{name}?question=Hi", {}, "data: [DONE]"),
        ("/ask?user=me&question=Hi", None, '"text-delta"'),
        ("/story", None, "story"),
    ],
)
async def test_the_applications_of_the_guide_answer(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, path: str, body: Any, words: str
) -> None:
    """What the guide shows is served, and does what it is shown for."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
    if path == "/word":
        emulator.play(chat("pretend"))
    route = '"' + path.partition("?")[0] + '"'
    async with served(shown(route, -1 if path == "/story" else 0)) as port:
        answer = await get(port, path, body=body)
    assert answer.status == 200
    assert words in answer.body.decode()


@pytest.mark.parametrize("body", [{}, {"model": "m"}, {"model": 7, **HELLO}, ["Hi"]])
async def test_the_guides_endpoint_for_openais_clients_checks_what_it_reads(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    """What is no such request is the client's error, and is not asked of the API."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
    async with served(shown('"/v1/chat/completions"')) as port:
        assert (await get(port, "/v1/chat/completions", body=body)).status == 422
    assert emulator.accepted == 0


def shown(route: str, which: int = 0) -> FastAPI:
    """One of the guide's applications that have a route."""
    found = [block for block in BLOCKS if route in block]
    names: dict[str, Any] = {"__name__": __name__}
    exec(found[which], names)
    return cast("FastAPI", names["app"])
