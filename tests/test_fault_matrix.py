"""Every fault at every place, on every way to ask: one table says what comes of it.

A cell of the matrix is one fault and one way to ask. Whatever happens, the exception is this
client's and says how far the request had come, what it may cost and what had arrived; nothing
leaks, the client goes on working, and nothing that may have been paid for is sent twice.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from openrouter_async import (
    ChatCompletion,
    Image,
    OpenRouter,
    OpenRouterError,
    ProtocolError,
    RetryPolicy,
    StreamAPIError,
    StreamBrokenError,
    StreamTruncatedError,
    Timeouts,
)
from openrouter_async.errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    Billed,
    ConflictError,
    ConnectError,
    GatewayTimeoutError,
    GoneError,
    NotFoundError,
    OverloadedError,
    PayloadTooLargeError,
    PaymentRequiredError,
    PermissionDeniedError,
    Phase,
    ProxyError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    ServiceUnavailableError,
    TLSError,
    UnprocessableEntityError,
    WireIdleTimeout,
)
from openrouter_async.testing import (
    Cut,
    Emulator,
    Fault,
    FaultProxy,
    Pause,
    Raw,
    Reply,
    Reset,
    Send,
    Stall,
    Step,
    chat,
    completion,
    error_chunk,
    http_error,
    replay,
)
from tests.authority import Authority
from tests.fake_time import jumping
from tests.quiet import (
    KEY,
    PNG,
    assert_nothing_leased,
    idle,
    open_sockets,
    other_tasks,
    settled,
    silence,
)

# The ways to ask.

Answer = tuple[str, list[Image]]


async def by_stream(client: OpenRouter) -> Answer:
    chunks = [chunk async for chunk in client.stream("Hi", model="m")]
    return "".join(chunk.text for chunk in chunks), [i for chunk in chunks for i in chunk.images]


async def by_complete(client: OpenRouter) -> Answer:
    answer = await client.complete("Hi", model="m")
    return answer.text, list(answer.images)


async def by_json(client: OpenRouter) -> Answer:
    answer = await client.complete("Hi", model="m", transport="json")
    return answer.text, list(answer.images)


async def by_images(client: OpenRouter) -> Answer:
    stream = client.stream("Hi", model="m", modalities=["image", "text"])
    images = [image async for image in stream.images()]
    assert isinstance(stream.partial, ChatCompletion)
    return stream.partial.text, images


WAYS: dict[str, Callable[[OpenRouter], Awaitable[Answer]]] = {
    "stream": by_stream,
    "complete": by_complete,
    "images": by_images,
    "json": by_json,
}
STREAMED = chat("Hel", "lo", images=[PNG])
WHOLE = completion("Hel", "lo", images=[PNG])


# The table.


class Outcome(NamedTuple):
    """What comes of a fault.

    Attributes:
        kind: The class that is raised, exactly; None where the answer comes whole.
        phase: How far the request had come.
        billed: What it may cost.
        partial: The text that had come; None where there is no partial answer.
        accepted: How many requests the server took.
        attempts: How many times it was tried.
    """

    kind: type[OpenRouterError] | None
    phase: Phase | None = None
    billed: Billed = "unknown"
    partial: str | None = None
    accepted: int = 1
    attempts: int = 1


FINE = Outcome(None)
LOST = Outcome(APIConnectionError, "headers", partial="")
BROKEN = Outcome(StreamBrokenError, "body", partial="Hel")
BROKEN_EARLY = Outcome(StreamBrokenError, "first_event", partial="")
SILENT = Outcome(WireIdleTimeout, "headers", partial="")
NOT_SENT = Outcome(ConnectError, "connect", "no", partial="", accepted=0, attempts=3)
BAD_TLS = Outcome(TLSError, "connect", "no", partial="", accepted=0)

TABLE: dict[str, Outcome] = {
    # No connection.
    "no such host": NOT_SENT,
    "connection refused": NOT_SENT,
    "TLS to a plain server": BAD_TLS,
    "an untrusted certificate": BAD_TLS,
    "the proxy says 407": Outcome(ProxyError, "connect", "no", partial="", accepted=0),
    # The wire ends, with FIN or RST, at a place.
    "cut before the request": LOST._replace(accepted=0),
    "cut while sending": LOST._replace(accepted=0),
    "cut before the headers": LOST,
    "cut in the headers": LOST,
    "cut after the headers": BROKEN_EARLY,
    "cut amid an event": BROKEN,
    "cut after the last event": FINE,
    # The wire stands still at a place.
    "stall before the request": SILENT._replace(accepted=0),
    "stall while sending": SILENT._replace(accepted=0),
    "stall before the headers": SILENT,
    "stall in the headers": SILENT,
    "stall after the headers": SILENT._replace(phase="first_event"),
    "stall amid an event": SILENT._replace(phase="body", partial="Hel"),
    "stall after the last event": FINE,
    # The body is not what its head says.
    "a short content-length": Outcome(StreamTruncatedError, "body", partial="Hel"),
    "a long content-length": FINE,
    "a long content-length, cut": BROKEN,
    "a bad chunk size": BROKEN,
    "a bad chunk size at once": Outcome(ProtocolError, "headers", partial=""),
    "no gzip": BROKEN_EARLY,
    "a clean end too soon": Outcome(StreamTruncatedError, "body", partial="Hel"),
    "an empty body": Outcome(StreamTruncatedError, "first_event", partial=""),
    "a page of HTML": Outcome(ProtocolError, "first_event", partial=""),
    # An error that HTTP calls a success.
    "an error in JSON": Outcome(RateLimitError, "first_event", "no", "", 3, 3),
    "an error as the first event": Outcome(RateLimitError, "first_event", "no", "", 3, 3),
    "an error amid the answer": Outcome(BadGatewayError, "body", partial="Hel"),
}

# In one piece there is less to keep: a body that is no JSON is no answer, whatever it began with.
JSON: dict[str, Outcome] = {
    "a short content-length": Outcome(ProtocolError, "first_event"),
    "a long content-length": Outcome(StreamBrokenError, "body"),
    "a clean end too soon": Outcome(ProtocolError, "first_event"),
    "an empty body": Outcome(ProtocolError, "first_event"),
    "an error amid the answer": TABLE["an error amid the answer"],
}


def outcome(fault: str, way: str) -> Outcome:
    """Look a cell up."""
    expected = TABLE[fault]
    return JSON.get(fault, expected._replace(partial=None)) if way == "json" else expected


# The faults.

PLACES = (
    "before the request",
    "while sending",
    "before the headers",
    "in the headers",
    "after the headers",
    "amid an event",
    "after the last event",
)
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"
REFUSED = {"code": 429, "message": "Slow down"}


def amid(reply: Reply) -> int:
    """Where in the body the second piece of the text begins."""
    return cut_in(reply.body)


def cut_in(data: bytes) -> int:
    """Where "lo" begins, in a delta of its own or in the whole text."""
    (piece,) = re.finditer(rb'"content":"(?:Hel)?(lo)"', data)
    return piece.start(1)


def place(name: str, reply: Reply, damage: Cut | Reset | Stall) -> Fault:
    """Put a damage of the wire where its name says."""
    wire = b"".join(act for act in reply.program.acts if isinstance(act, bytes))
    head = wire.index(b"\r\n\r\n") + 4
    tail = len(b"0\r\n\r\n") if reply.framing == "chunked" else 0
    places = {
        "before the request": Fault(damage, 0, "request"),
        "while sending": Fault(damage, 250, "request"),
        "before the headers": Fault(damage, 0),
        "in the headers": Fault(damage, 30),
        "after the headers": Fault(damage, head),
        "amid an event": Fault(damage, head + cut_in(wire[head:])),
        "after the last event": Fault(damage, len(wire) - tail),
    }
    return places[name]


def halves(reply: Reply, *between: Step) -> Reply:
    """Do something in the middle of the answer, whose first half has been read by then."""
    first, rest = reply.body[: amid(reply)], reply.body[amid(reply) :]
    return replace(reply, steps=(Send(first), Pause(0.02), *between, Send(rest)))


BAD_CHUNK = Raw(b"zz\r\nfoo\r\n")


def failed(reply: Reply) -> Reply:
    """An error behind a part of the answer."""
    error = {"code": 502, "message": "Provider disconnected"}
    if reply is STREAMED:
        return reply.error_after(1, error_chunk(502, "Provider disconnected"))
    answer = json.loads(reply.body)
    answer["choices"][0]["message"] = {"role": "assistant", "content": "Hel"}
    answer["choices"][0]["error"] = error
    del answer["usage"]
    return replay(json.dumps(answer).encode(), content_type="application/json")


BODIES: dict[str, Callable[[Reply], Reply]] = {
    "a short content-length": lambda reply: halves(reply).with_framing(
        "length", longer_by=amid(reply) - len(reply.body)
    ),
    "a long content-length": lambda reply: reply.with_framing("length", longer_by=40),
    "a long content-length, cut": lambda reply: replace(
        reply,
        framing="length",
        declared_length=len(reply.body),
        steps=(Send(reply.body[: amid(reply)]), Cut()),
    ),
    "a bad chunk size": lambda reply: replace(halves(reply, BAD_CHUNK), framing="chunked"),
    "a bad chunk size at once": lambda reply: replace(
        reply, framing="chunked", steps=(BAD_CHUNK, *reply.steps)
    ),
    "no gzip": lambda reply: reply.with_headers({"Content-Encoding": "gzip"}),
    "a clean end too soon": lambda reply: replace(reply, steps=(Send(reply.body[: amid(reply)]),)),
    "an empty body": lambda reply: replace(reply, steps=()),
    "a page of HTML": lambda reply: replay(HTML, content_type="text/html"),
    "an error in JSON": lambda reply: replay(
        json.dumps({"error": REFUSED}).encode(), content_type="application/json"
    ),
    "an error as the first event": lambda reply: (
        replay(error_chunk(429, "Slow down", bare=True))
        if reply is STREAMED
        else replay(json.dumps({"error": REFUSED}).encode(), content_type="application/json")
    ),
    "an error amid the answer": failed,
}


# One cell.

RETRY = RetryPolicy(max_attempts=3, first_delay=0.001, max_delay=0.001)
LARGE = {"X-Padding": "x" * 500}  # so that "while sending" is amid the head in any case


async def check(client: OpenRouter, way: str, expected: Outcome) -> OpenRouterError | None:
    """Ask, hold what comes of it against the table, and give the error."""
    caught: OpenRouterError | None = None
    try:
        text, images = await WAYS[way](client)
    except OpenRouterError as error:
        caught, partial = error, error.partial
        got = Outcome(
            public_class(error),
            error.phase,
            error.billed,
            partial.text if partial is not None else None,
            expected.accepted,
            error.attempts,
        )
        assert got == expected
        assert KEY not in f"{error!r} {error.__cause__!r}"
    else:
        assert expected.kind is None, "the answer came whole"
        assert (text, [image.bytes for image in images]) == ("Hello", [PNG])
    await settled(lambda: not client.stats().draining)
    assert_nothing_leased(client)
    return caught


def public_class(error: OpenRouterError) -> type[OpenRouterError]:
    """The class of an error; of one inside a stream, that of its status."""
    kind: type[OpenRouterError] = type(error)
    return kind.__bases__[0] if isinstance(error, StreamAPIError) else kind


@asynccontextmanager
async def quiet() -> AsyncGenerator[None]:
    """Hold that nothing is left behind and nobody complains."""
    sockets, tasks = open_sockets(), other_tasks()
    with silence(asyncio.get_running_loop()):
        yield
        await settled(lambda: not other_tasks(tasks) and open_sockets() <= sockets)


async def cell(fault: str, way: str, reply: Reply, damage: Fault | None = None) -> None:
    """Try one fault on one way, then ask again without it."""
    expected = outcome(fault, way)
    timeouts = Timeouts(wire_idle=0.6) if fault.startswith("stall") else Timeouts()
    async with Emulator() as emulator, FaultProxy(emulator.base_url) as proxy:
        emulator.always(reply)
        proxy.always(damage)
        async with OpenRouter(
            KEY, base_url=proxy.base_url, retry=RETRY, timeouts=timeouts, headers=LARGE
        ) as client:
            await check(client, way, expected)
            assert emulator.accepted == expected.accepted
            assert proxy.connections <= expected.attempts
            proxy.always(None)
            proxy.restore()
            if damage is not None and not isinstance(damage.damage, Stall):
                await settled(lambda: idle(client) == 0)  # the proxy has ended that one
            if fault == "a short content-length":
                # What came beyond the length is the beginning of the next answer, as HTTP has it.
                await renewed(client, emulator)
            emulator.always(WHOLE if way == "json" else STREAMED)
            await check(client, way, FINE)


async def renewed(client: OpenRouter, emulator: Emulator) -> None:
    """Have the next request open a connection."""
    emulator.drop_connections()
    await settled(lambda: idle(client) == emulator.open_connections == 0)


# The matrix.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("damage", [Cut(), Reset()], ids=["FIN", "RST"])
async def test_the_wire_ends(damage: Cut | Reset, where: str, way: str) -> None:
    """The connection ends or is reset at a byte of the request or of the answer."""
    reply = WHOLE if way == "json" else STREAMED
    async with quiet():
        await cell(f"cut {where}", way, reply, place(where, reply, damage))


@jumping
async def test_the_wire_stands_still() -> None:
    """The same places, and nothing passes any more; all cells wait side by side."""
    async with quiet():
        cells = {
            f"stall {where}, {way}": cell(
                f"stall {where}", way, reply, place(where, reply, Stall())
            )
            for where in PLACES
            for way in WAYS
            for reply in [WHOLE if way == "json" else STREAMED]
        }
        results = await asyncio.gather(*cells.values(), return_exceptions=True)
    wrong = {name: result for name, result in zip(cells, results, strict=True) if result}
    assert not wrong


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", BODIES)
async def test_the_body_is_wrong(fault: str, way: str) -> None:
    """The head promises what the body does not keep, or the body is an error."""
    async with quiet():
        await cell(fault, way, BODIES[fault](WHOLE if way == "json" else STREAMED))


# No connection.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "fault",
    ["no such host", "connection refused", "TLS to a plain server", "an untrusted certificate"],
)
async def test_no_connection(
    fault: str, way: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, nothing is billed, and what may pass by itself is tried again."""
    expected = outcome(fault, way)
    async with quiet():
        context = authority.server if fault == "an untrusted certificate" else None
        async with Emulator(ssl=context) as emulator:
            url = emulator.base_url
            if fault == "no such host":
                url = "https://nowhere.test/api/v1"
                monkeypatch.setattr(socket, "getaddrinfo", unknown)
            elif fault == "connection refused":
                url = "http://127.0.0.1:1/api/v1"
            elif fault == "TLS to a plain server":
                url = url.replace("http:", "https:")
            async with OpenRouter(KEY, base_url=url, retry=RETRY) as client:
                await check(client, way, expected)
            assert emulator.accepted == 0


def unknown(*_: object, **__: object) -> object:
    """Know no name."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("way", WAYS)
async def test_the_proxy_refuses(way: str) -> None:
    """A 407 of a proxy is not tried again: it would say the same."""
    async with quiet(), Emulator() as emulator, Emulator() as proxy:
        proxy.always(http_error(407, "Who are you?"))
        url = proxy.base_url.removesuffix("/api/v1")
        async with OpenRouter(KEY, base_url=emulator.base_url, retry=RETRY, proxy=url) as client:
            await check(client, way, outcome("the proxy says 407", way))
        assert (emulator.connections, proxy.accepted) == (0, 1)


# Every status, in every shape.

STATUSES: dict[int, tuple[type[APIStatusError], Billed, int]] = {
    # The class, what it costs, and how often it is sent: what was refused is tried again.
    400: (BadRequestError, "no", 1),
    401: (AuthenticationError, "no", 1),
    402: (PaymentRequiredError, "no", 1),
    403: (PermissionDeniedError, "no", 1),
    404: (NotFoundError, "no", 1),
    405: (APIStatusError, "no", 1),
    408: (RequestTimeoutError, "unknown", 1),
    409: (ConflictError, "no", 1),
    410: (GoneError, "no", 1),
    412: (APIStatusError, "no", 1),
    413: (PayloadTooLargeError, "no", 1),
    422: (UnprocessableEntityError, "no", 1),
    429: (RateLimitError, "no", 3),
    500: (ServerError, "unknown", 1),
    502: (BadGatewayError, "no", 3),
    503: (ServiceUnavailableError, "no", 3),
    504: (GatewayTimeoutError, "unknown", 1),
    524: (GatewayTimeoutError, "unknown", 1),
    529: (OverloadedError, "no", 3),
}

SHAPES: dict[str, Callable[[int], Any]] = {
    "whole": lambda status: {
        "error": {
            "code": status,
            "message": "It failed",
            "metadata": {"provider_name": "Nebula", "raw": "It failed upstream"},
        },
        "user_id": "user_1",
        "openrouter_metadata": {"attempts": [1]},
    },
    "a message": lambda status: {"error": {"message": "It failed"}},
    "a code in words": lambda status: {"error": {"code": "oops", "message": "It failed"}},
    "a code of null": lambda status: {"error": {"code": None, "message": "It failed"}},
    "availability": lambda status: {
        "error": {
            "message": "It failed",
            "error_type": "not_found",
            "http_status": status,
            "availability": {"code": "no_endpoints", "retry_after": None},
        }
    },
    "metadata beside it": lambda status: {
        "error": {"code": "server_error", "message": "It failed"},
        "metadata": None,
    },
    "of /messages": lambda status: {
        "type": "error",
        "error": {"type": "api_error", "message": "It failed"},
        "request_id": None,
    },
    "the provider's, as JSON": lambda status: {
        "error": {
            "code": status,
            "message": "Provider returned error",
            "metadata": {"raw": json.dumps({"error": {"message": "It failed"}})},
        }
    },
    "the provider's, as an object": lambda status: {
        "error": {
            "code": status,
            "message": "Provider returned error",
            "metadata": {"raw": {"error": {"message": "It failed"}}},
        }
    },
    "a string": lambda status: {"error": "It failed"},
    "another dialect": lambda status: {"detail": "It failed"},
    "a page": lambda status: b"<html><body><h1>It failed</h1></body></html>",
    "text": lambda status: b"It failed",
    "nothing": lambda status: b"",
}


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_in_every_shape(status: int) -> None:
    """The status decides the class and whether it is tried again; the sentence comes through."""
    # Side by side, since a client that was refused takes its time before it asks again.
    async with quiet():
        cells = {
            f"{shape}, {way}": status_cell(status, shape, way) for shape in SHAPES for way in WAYS
        }
        results = await asyncio.gather(*cells.values(), return_exceptions=True)
    wrong = {name: result for name, result in zip(cells, results, strict=True) if result}
    assert not wrong


async def status_cell(status: int, shape: str, way: str) -> None:
    """Answer with one status in one shape, and count how often it is asked for."""
    kind, billed, tries = STATUSES[status]
    expected = Outcome(kind, "headers", billed, None if way == "json" else "", tries, tries)
    body = SHAPES[shape](status)
    async with Emulator() as emulator:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        emulator.always(http_error(status, body=data))
        async with OpenRouter(KEY, base_url=emulator.base_url, retry=RETRY) as client:
            error = await check(client, way, expected)
        assert isinstance(error, APIStatusError)
        assert error.status == status
        assert str(error).startswith("It failed") or shape == "nothing"
        assert emulator.accepted == tries


async def test_what_the_api_says_of_trying_again() -> None:
    """`availability.retryable` outweighs the status, in both directions."""
    async with quiet(), Emulator() as emulator:
        async with OpenRouter(KEY, base_url=emulator.base_url, retry=RETRY) as client:
            for status, retryable, tries in ((503, False, 1), (404, True, 3)):
                error = {"message": "It failed", "availability": {"retryable": retryable}}
                emulator.always(http_error(status, body=json.dumps({"error": error}).encode()))
                before = emulator.accepted
                with pytest.raises(APIStatusError):
                    await by_stream(client)
                assert emulator.accepted - before == tries
