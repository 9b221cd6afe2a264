"""The emulator on real sockets: what it sends, what it sees, and how it ends."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from openrouter_async.testing import (
    Cut,
    Drip,
    Emulator,
    Hold,
    Pause,
    Raw,
    Reply,
    Reset,
    Send,
    chat,
    completion,
    http_error,
    replay,
)
from tests.authority import Authority

KEY = {"Authorization": "Bearer sk-test"}


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=KEY) as running:
        yield running


def post(
    session: aiohttp.ClientSession, emulator: Emulator, body: bytes = b"{}"
) -> aiohttp.client._RequestContextManager:
    return session.post(f"{emulator.base_url}/chat/completions", data=body)


async def raw_answer(emulator: Emulator, *, upto: bytes | None = None) -> bytes:
    """Send one request over a bare socket and give what comes back, up to the end or a mark."""
    host, port = emulator.base_url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(
            b"POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer sk-test\r\nContent-Length: 2\r\n\r\n{}"
        )
        if upto is None:
            return await reader.read()
        return await reader.readuntil(upto)
    finally:
        writer.close()


async def test_queued_replies_come_in_order_then_the_standing_one(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Queued replies are used up one by one; then the standing one answers, again and again."""
    emulator.play(http_error(429, "first"), http_error(503, "second"))
    emulator.always(http_error(500, "standing"))
    statuses: list[int] = []
    for _ in range(4):
        async with post(session, emulator) as response:
            statuses.append(response.status)
    assert statuses == [429, 503, 500, 500]
    emulator.always(None)
    async with post(session, emulator) as response:
        assert response.status == 400
    assert emulator.accepted == 5


async def test_a_path_has_a_script_of_its_own(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """A reply for one path answers any method there and nothing elsewhere."""
    emulator.play(http_error(503, "no list"), path="/models")
    emulator.always(http_error(402, "no money"), path="/key")
    async with session.get(f"{emulator.base_url}/models") as response:
        assert response.status == 503
    async with session.get(f"{emulator.base_url}/models") as response:
        assert response.status == 200
    async with session.get(f"{emulator.base_url}/key") as response:
        assert response.status == 402
    assert emulator.accepted == 0
    assert len(emulator.requests) == 3


async def test_a_request_is_remembered_as_it_came(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Method, path, query, headers in any case and body are kept."""
    emulator.play(chat("a"))
    url = f"{emulator.base_url}/responses?x=1"
    async with session.post(url, json={"n": 1}, headers={"X-Title": "app"}) as response:
        await response.read()
    (request,) = emulator.requests
    assert (request.method, request.path) == ("POST", "/api/v1/responses")
    assert dict(request.query) == {"x": "1"}
    assert request.headers["x-TITLE"] == "app"
    assert request.json == {"n": 1}
    assert request.connection == 1
    assert await request.finished.wait()
    assert not request.disconnected
    assert repr(request.finished) == "<Flag set>"


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_each_framing_delivers_the_body(
    emulator: Emulator, session: aiohttp.ClientSession, framing: str
) -> None:
    """The body arrives whole however its end is told."""
    reply = chat("Hel", "lo").with_framing(framing)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    emulator.play(reply)
    async with post(session, emulator) as response:
        assert await response.read() == reply.body
        assert response.content_type == "text/event-stream"
        assert response.headers["X-Generation-Id"].startswith("gen-")


async def test_pieces_are_http_chunks_on_the_wire(emulator: Emulator) -> None:
    """Each piece of a split body has a chunk head of its own."""
    emulator.play(replay(b"abcdef", split=[1, 3]))
    answer = await raw_answer(emulator, upto=b"0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert body == b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n"


async def test_splits_of_many_kinds_deliver_exactly_the_bytes(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Pieces of one byte, of many and of random sizes all arrive as the same body."""
    body = random.Random(5).randbytes(200_000)
    for split in (None, 1, 7, 4096, [1, 100, 199_999], random.Random(1), random.Random(2)):
        emulator.play(replay(body, split=split))
        async with post(session, emulator) as response:
            assert await response.read() == body


async def test_a_large_body_meets_backpressure(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """A client that does not read holds the answer back instead of filling memory."""
    body = bytes(32 * 2**20)
    emulator.play(replay(body))
    async with post(session, emulator) as response:
        (request,) = emulator.requests
        assert not request.finished
        assert len(await response.read()) == len(body)
    await emulator.wait_for(lambda: request.finished)


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_cut_leaves_the_body_unfinished(
    emulator: Emulator, session: aiohttp.ClientSession, framing: str
) -> None:
    """What was sent before a cut arrives; then the body is seen to be incomplete."""
    reply = chat("a", "b").with_framing(framing)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cut = reply.cut_after(1, plus_bytes=10)
    emulator.play(cut)
    async with post(session, emulator) as response:
        assert await response.content.readexactly(len(cut.body)) == cut.body
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()
    assert emulator.disconnects == 0
    assert emulator.requests[0].finished


async def test_cut_ends_in_good_order(emulator: Emulator) -> None:
    """A cut is a FIN: a bare socket reads the bytes and then the end."""
    emulator.play(Reply(steps=(Send(b"part"), Cut())))
    assert (await raw_answer(emulator)).endswith(b"4\r\npart\r\n")


async def test_reset_loses_nothing_that_was_sent_before(emulator: Emulator) -> None:
    """A reset arrives as one, behind every byte that was sent before it."""
    host, port = emulator.base_url.split("/")[2].split(":")
    body = random.Random(1).randbytes(3_000_000)
    emulator.play(Reply(steps=(Send(body), Reset()), framing="close"))
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, (host, int(port)))
        await loop.sock_sendall(
            client,
            b"POST /api/v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
            b"Content-Length: 0\r\n\r\n",
        )
        received = bytearray()
        reset = False
        while not reset:
            try:
                received += await loop.sock_recv(client, 65536)
            except ConnectionResetError:
                reset = True
    assert received.endswith(body)
    assert emulator.disconnects == 0


@pytest.mark.parametrize("step", [Cut(), Reset()])
async def test_a_request_can_stay_without_an_answer(
    emulator: Emulator, session: aiohttp.ClientSession, step: Cut | Reset
) -> None:
    """A fault before the head leaves the client with a lost connection and no status."""
    emulator.always(chat("a").before_head(step))
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(session, emulator)
    await emulator.wait_for(lambda: emulator.open_connections == 0)
    assert emulator.disconnects == 0


async def test_stray_bytes_go_outside_the_framing(emulator: Emulator) -> None:
    """Raw bytes can spoil the framing, and the connection is closed after them."""
    emulator.play(Reply(steps=(Send(b"ok"), Raw(b"zz\r\n"))))
    _, _, body = (await raw_answer(emulator)).partition(b"\r\n\r\n")
    assert body == b"2\r\nok\r\nzz\r\n0\r\n\r\n"


async def test_a_length_that_is_too_long_ends_as_a_cut(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """A body shorter than its declared length is seen to be incomplete."""
    emulator.play(completion("a").with_framing("length", longer_by=10))
    async with post(session, emulator) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_length_that_is_too_short_is_followed_by_the_rest(emulator: Emulator) -> None:
    """The surplus goes over the wire, and the connection ends with it."""
    reply = completion("a")
    emulator.play(reply.with_framing("length", longer_by=-1))
    head, _, body = (await raw_answer(emulator)).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(reply.body) - 1}".encode() in head
    assert body == reply.body


async def test_hold_waits_for_release(emulator: Emulator, session: aiohttp.ClientSession) -> None:
    """What lies behind a gate comes only once the gate was opened."""
    reply = chat("a", "b").hold_after(1)
    emulator.play(reply)
    first = reply.body.index(b"\n\n") + 2
    async with post(session, emulator) as response:
        assert await response.content.readexactly(first) == reply.body[:first]
        await emulator.wait_for(lambda: emulator.holding == 1)
        assert not response.content.is_eof()
        assert not emulator.requests[0].finished
        emulator.release()
        assert await response.read() == reply.body[first:]
    assert emulator.holding == 0


async def test_gates_open_in_the_order_they_were_reached(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Each release opens one gate, and a gate opened ahead stands open for the next."""
    emulator.always(replay(b"x").before_head(Hold()))
    tasks: list[asyncio.Task[bytes]] = []

    async def fetch() -> bytes:
        async with post(session, emulator) as response:
            return await response.read()

    for count in range(1, 4):
        tasks.append(asyncio.create_task(fetch()))
        await emulator.wait_for(lambda count=count: emulator.holding == count)  # type: ignore[misc]
    emulator.release()
    assert await tasks[0] == b"x"
    assert emulator.holding == 2
    emulator.release(3)
    assert await asyncio.gather(*tasks[1:]) == [b"x", b"x"]
    assert await fetch() == b"x"


async def test_a_client_that_left_its_gate_takes_no_release(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """A release is for the next client that still waits."""
    emulator.always(chat("a").hold_after(0))
    response = await post(session, emulator)
    await emulator.wait_for(lambda: emulator.holding == 1)
    response.close()
    await emulator.wait_for(lambda: emulator.disconnects == 1 and not emulator.holding)
    async with post(session, emulator) as second:
        await emulator.wait_for(lambda: emulator.holding == 1)
        emulator.release()
        assert b"[DONE]" in await second.read()


async def test_stall_lasts_until_the_client_leaves(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """A client that leaves a stalled answer is noticed at once and counted once."""
    emulator.play(chat("a").stall_after(1))
    response = await post(session, emulator)
    await response.content.readuntil(b"\n\n")
    (request,) = emulator.requests
    response.close()
    assert await asyncio.wait_for(request.disconnected.wait(), 5)
    assert not request.finished
    assert emulator.disconnects == 1
    await emulator.wait_for(lambda: emulator.open_connections == 0)


async def test_a_client_that_leaves_a_flowing_answer_is_noticed(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Leaving between deltas cancels the rest of the answer."""
    emulator.play(chat(*["word "] * 1000, delay=0.005))
    response = await post(session, emulator)
    await response.content.readany()
    response.close()
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    assert emulator.requests[0].disconnected.is_set()


async def test_a_client_that_leaves_a_body_it_does_not_read_is_noticed(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Leaving while the server is held back by a full socket counts, too."""
    emulator.play(replay(bytes(64 * 2**20)))
    response = await post(session, emulator)
    response.close()
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_a_client_that_leaves_its_own_request_unfinished_is_counted(
    emulator: Emulator,
) -> None:
    """A request whose body never arrived whole is a disconnect and no request."""
    host, port = emulator.base_url.split("/")[2].split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /api/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
    await writer.drain()
    await emulator.wait_for(lambda: emulator.open_connections == 1)
    writer.close()
    await emulator.wait_for(lambda: emulator.open_connections == 0)
    assert emulator.requests == []


async def test_drip_sends_pieces_one_by_one(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Dripped pieces take their time, each a chunk of its own."""
    emulator.play(Reply(steps=(Drip(b"abcdefg", 2, 0.01),)))
    started = time.monotonic()
    answer = await raw_answer(emulator, upto=b"0\r\n\r\n")
    assert time.monotonic() - started >= 0.04
    assert answer.endswith(b"2\r\nab\r\n2\r\ncd\r\n2\r\nef\r\n1\r\ng\r\n0\r\n\r\n")


async def test_pause_before_the_head_delays_the_status(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """A slow first byte is a pause before the head."""
    emulator.play(chat("a").before_head(Pause(0.05)))
    started = time.monotonic()
    async with post(session, emulator) as response:
        assert time.monotonic() - started >= 0.05
        assert response.status == 200


async def test_one_connection_serves_many_requests(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """Answers of every clean framing leave the connection fit for the next request."""
    emulator.always(chat("a"))
    for number in range(200):
        if number % 2:
            emulator.play(completion("a"))
        async with post(session, emulator) as response:
            assert (await response.read()).startswith((b"data: ", b'{"id"'))
    assert emulator.connections == emulator.open_connections == 1
    assert {request.connection for request in emulator.requests} == {1}


async def test_a_client_may_ask_to_close(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """`Connection: close` is honoured."""
    emulator.play(chat("a"))
    url = f"{emulator.base_url}/chat/completions"
    async with session.post(url, headers={"Connection": "close"}) as response:
        await response.read()
    await emulator.wait_for(lambda: emulator.open_connections == 0)


async def test_many_clients_at_once_are_served(emulator: Emulator) -> None:
    """Many connections at once lose nothing and are counted one by one."""
    emulator.always(chat("a").hold_after(1))
    clients = 300
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=KEY, connector=connector) as session:

        async def fetch() -> bytes:
            async with post(session, emulator) as response:
                return await response.read()

        tasks = [asyncio.create_task(fetch()) for _ in range(clients)]
        await emulator.wait_for(lambda: emulator.holding == clients, timeout=20)
        assert emulator.open_connections == emulator.accepted == clients
        emulator.release(clients)
        assert all(b"[DONE]" in body for body in await asyncio.gather(*tasks))


async def test_dropped_connections_are_not_the_clients_doing(
    emulator: Emulator, session: aiohttp.ClientSession
) -> None:
    """The server may hang up on everyone, idle or not; no client is blamed."""
    emulator.play(chat("a"), chat("a").stall_after(1))
    async with post(session, emulator) as response:
        await response.read()
    response = await post(session, emulator)
    for reset in (False, True):
        emulator.drop_connections(reset=reset)
        await emulator.wait_for(lambda: emulator.open_connections == 0)
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    assert emulator.disconnects == 0


async def test_wait_for_tells_what_it_saw() -> None:
    """A condition that never holds ends in a sentence with the counts."""
    async with Emulator() as emulator:
        with pytest.raises(TimeoutError, match=r"within 0\.05 s: 0 requests accepted, 0 conn"):
            await emulator.wait_for(lambda: False, timeout=0.05)
        with pytest.raises(TimeoutError, match="did not hold"):
            emulator.block_until(lambda: False, timeout=0.05)


async def test_wait_for_sees_what_the_emulator_does_not_own() -> None:
    """A condition over the test's own state is looked at again and again."""
    seen: list[int] = []
    async with Emulator() as emulator:
        asyncio.get_running_loop().call_later(0.02, seen.append, 1)
        await emulator.wait_for(lambda: seen)


async def test_stopping_ends_live_answers_at_once() -> None:
    """A stop waits for nobody, blames no client and leaves no task behind."""
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession(headers=KEY) as session:
        async with Emulator() as emulator:
            emulator.always(chat("a").stall_after(1))
            responses = [await post(session, emulator) for _ in range(5)]
            started = time.monotonic()
        assert time.monotonic() - started < 10
        assert emulator.disconnects == emulator.open_connections == 0
        for response in responses:
            with pytest.raises(aiohttp.ClientError):
                await response.read()
    assert asyncio.all_tasks() == before


async def test_a_body_that_is_too_large_is_refused(
    emulator: Emulator, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the answer is 413 and the connection ends."""
    monkeypatch.setattr("openrouter_async.testing._server._MAX_BODY", 1000)
    async with post(session, emulator, bytes(1001)) as response:
        assert response.status == 413
    assert emulator.accepted == 0
    emulator.play(chat("a"))
    async with post(session, emulator, bytes(1000)) as response:
        assert response.status == 200


async def test_an_emulator_runs_once_at_a_time() -> None:
    """Starting twice is misuse, and an address exists only once started."""
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = emulator.base_url
    emulator.drop_connections()
    async with emulator:
        with pytest.raises(RuntimeError, match="running already"):
            await emulator.__aenter__()


async def test_keys_are_checked(session: aiohttp.ClientSession) -> None:
    """A missing key is refused, and with a key set every other one; lists need none."""
    async with Emulator(api_key="sk-right") as emulator:
        emulator.play(chat("a"))
        url = f"{emulator.base_url}/chat/completions"
        async with session.post(url) as response:
            assert response.status == 401
            assert (await response.json())["error"]["code"] == 401
        async with session.post(url, headers={"Authorization": "Bearer "}) as response:
            assert (await response.json())["error"]["message"] == "Missing Authentication header"
        async with session.post(url, headers={"Authorization": "Bearer sk-right"}) as response:
            assert response.status == 200
        async with aiohttp.ClientSession() as nobody:
            async with nobody.get(f"{emulator.base_url}/models") as response:
                assert response.status == 200
            async with nobody.head(f"{emulator.base_url}/anything") as response:
                assert response.status == 200
                assert await response.read() == b""
            async with nobody.get(f"{emulator.base_url}/key") as response:
                assert response.status == 401


def test_thread_form_serves_several_loops() -> None:
    """One emulator in a thread serves loops in other threads, and can be led from any."""

    async def fetch(emulator: Emulator) -> bytes:
        async with (
            aiohttp.ClientSession(headers=KEY) as session,
            post(session, emulator) as response,
        ):
            return await response.read()

    with Emulator.in_thread() as emulator:
        emulator.always(chat("a").hold_after(1))
        bodies: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: bodies.append(asyncio.run(fetch(emulator))))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        emulator.block_until(lambda: emulator.holding == 3)
        emulator.release(3)
        for thread in threads:
            thread.join()
        assert len(bodies) == emulator.accepted == 3
        assert all(b"[DONE]" in body for body in bodies)

        async def wait() -> None:
            await emulator.wait_for(lambda: emulator.open_connections == 0)
            await emulator.requests[0].finished.wait()

        asyncio.run(wait())
    assert not any(thread.name == "openrouter-testing" for thread in threading.enumerate())


def test_thread_form_tells_why_it_cannot_start() -> None:
    """A port in use is an error in the thread that asked, not a hang."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(OSError, match="in use"),
            Emulator.in_thread(port=taken.getsockname()[1]),
        ):
            pass


async def test_tls_is_served(authority: Authority) -> None:
    """With a context the address is https, and faults work below the encryption, too."""
    trust = ssl.create_default_context(cafile=authority.file)
    connector = aiohttp.TCPConnector(ssl=trust)
    async with (
        Emulator(ssl=authority.server) as emulator,
        aiohttp.ClientSession(headers=KEY, connector=connector) as session,
    ):
        assert emulator.base_url.startswith("https://127.0.0.1:")
        emulator.play(chat("a"), chat("a").reset_after(1), chat("a").stall_after(1))
        async with post(session, emulator) as response:
            assert b"[DONE]" in await response.read()
        async with post(session, emulator) as response:
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        response = await post(session, emulator)
        response.close()
        await emulator.wait_for(lambda: emulator.disconnects == 1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT for one process")
def test_command_runs_until_interrupted() -> None:
    """`python -m openrouter_async.testing` says how to use it and ends quietly on Ctrl-C."""
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "openrouter_async.testing"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=10)
    assert lines[0].startswith("The emulator answers at http://127.0.0.1:")
    assert "export OPENROUTER_BASE_URL=http://127.0.0.1:" in "".join(lines)
    assert (process.returncode, complaints) == (0, "")
