"""The way to the server: the pool's limit, proxies, TLS, names, redirects, sessions of the user's."""

from __future__ import annotations

import asyncio
import base64
import inspect
import shutil
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from openrouter_async import Limits, OpenRouter, OpenRouterError, RetryPolicy, Timeouts
from openrouter_async._transport.failures import foreign, translated
from openrouter_async._transport.network import TLS_CONTEXTS
from openrouter_async.errors import (
    APIConnectionError,
    ConnectError,
    ConnectTimeout,
    NotFoundError,
    Phase,
    ProtocolError,
    ProxyError,
    QueueTimeout,
    ServerError,
    TLSError,
)
from openrouter_async.testing import (
    Drip,
    Emulator,
    Pause,
    Reply,
    Send,
    chat,
    http_error,
)
from tests.authority import Authority
from tests.quiet import (
    KEY,
    assert_nothing_leased,
    assert_serves,
    open_sockets,
    silence,
)

ANSWER = chat("Hel", "lo")
ONCE = RetryPolicy(max_attempts=1)


def port_of(emulator: Emulator) -> int:
    """The port that an emulator listens on."""
    port = urlsplit(emulator.base_url).port
    assert port is not None
    return port


def elsewhere(emulator: Emulator, host: str = "openrouter.test", scheme: str = "http") -> str:
    """The emulator's address under a name that only a proxy or a fake resolver knows."""
    return f"{scheme}://{host}:{port_of(emulator)}/api/v1"


async def ask(client: OpenRouter) -> str:
    """Get one answer."""
    return (await client.complete("Hi", model="m")).text


# The pool.


async def test_pool_limit_holds_and_everybody_is_served(emulator: Emulator) -> None:
    """Five hundred calls over twenty connections: all are served, by twenty."""
    emulator.always(ANSWER.each(0.001))
    limits = Limits(max_connections=20)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        answers = await asyncio.gather(*(ask(client) for _ in range(500)))
        assert answers == ["Hello"] * 500
        assert emulator.connections == 20
        assert emulator.accepted == 500
        stats = client.stats()
        assert stats.opened == 20
        assert stats.reused == 480
        assert stats.limit == 20
        assert stats.loops == 1


async def test_waiting_in_line_counts_towards_no_deadline(emulator: Emulator) -> None:
    """A request that waits longer for its turn than any deadline allows is served all the same."""
    emulator.play(ANSWER.hold_after(1), ANSWER)
    limits = Limits(max_connections=1)
    short = Timeouts(connect=1, wire_idle=1, first_event=1, idle=1, total=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        first = asyncio.create_task(ask(client))
        await emulator.wait_for(lambda: emulator.holding)
        stream = client.stream("Hi", model="m", timeouts=short)
        second = asyncio.create_task(stream.collect())
        await asyncio.sleep(1.1)
        assert client.stats().waiting == 1
        emulator.release()
        assert await first == "Hello"
        assert (await second).text == "Hello"
        assert stream.timing.queue is not None
        assert stream.timing.queue > 1


async def test_line_is_first_come_first_served(emulator: Emulator) -> None:
    """Who asked first is sent first."""
    limits = Limits(max_connections=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        emulator.always(ANSWER)
        await asyncio.gather(*(client.complete(str(index), model="m") for index in range(30)))
    asked = [int(request.json["messages"][0]["content"]) for request in emulator.requests]
    assert asked == list(range(30))


async def test_queue_deadline_is_about_the_queue(emulator: Emulator) -> None:
    """A connection that does not come free in time is a QueueTimeout, which says what to do."""
    emulator.always(ANSWER.hold_after(1))
    async with OpenRouter(
        KEY,
        base_url=emulator.base_url,
        limits=Limits(max_connections=1),
        timeouts=Timeouts(queue=0.02),
    ) as client:
        stream = client.stream("Hi", model="m")
        await anext(stream)
        with pytest.raises(QueueTimeout, match=r"max_connections") as info:
            await ask(client)
        assert info.value.billed == "no"
        assert info.value.phase == "queue"
        assert client.stats().waiting == 0
        emulator.always(ANSWER)
        emulator.release()
        await stream
        assert await ask(client) == "Hello"
    assert emulator.accepted == 2


async def test_stats_tell_who_waits(emulator: Emulator) -> None:
    """The counts of leased and waiting are right while streams are open."""
    emulator.always(ANSWER.hold_after(1))
    limits = Limits(max_connections=2)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        assert client.stats().loops == 0
        tasks = [asyncio.create_task(ask(client)) for _ in range(5)]
        await emulator.wait_for(lambda: client.stats().leased == 2)
        stats = client.stats()
        assert (stats.limit, stats.leased, stats.waiting, stats.draining) == (2, 2, 3, 0)
        emulator.release(5)
        await asyncio.gather(*tasks)
        assert_nothing_leased(client)


async def test_a_thousand_streams_at_once(emulator: Emulator) -> None:
    """The default limit lets a thousand streams run side by side."""
    limit = 1_000 if open_files_allowed() > 2_500 else open_files_allowed() // 3
    emulator.always(ANSWER.hold_after(1))
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        tasks = [asyncio.create_task(ask(client)) for _ in range(limit)]
        await emulator.wait_for(lambda: emulator.holding == limit, timeout=30)
        assert client.stats().waiting == 0
        emulator.release(limit)
        assert await asyncio.gather(*tasks) == ["Hello"] * limit


def open_files_allowed() -> int:
    """How many files and sockets this process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return 400
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 10**6 if limit == resource.RLIM_INFINITY else limit


async def test_warmup_opens_connections_and_sends_nothing_of_worth(emulator: Emulator) -> None:
    """Warming up opens that many connections, with no POST and no key, and they are used."""
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        assert await client.warmup(5) == 5
        assert emulator.connections == 5
        assert emulator.accepted == 0
        assert {request.method for request in emulator.requests} == {"HEAD"}
        assert all(KEY not in str(request.headers) for request in emulator.requests)
        assert_nothing_leased(client)
        emulator.always(ANSWER)
        await asyncio.gather(*(ask(client) for _ in range(5)))
        assert emulator.connections == 5


async def test_warmup_fails_in_silence(emulator: Emulator) -> None:
    """Where nobody answers, warming up opens nothing and raises nothing."""
    async with Emulator() as gone:
        pass
    async with OpenRouter(KEY, base_url=gone.base_url) as client:
        assert await client.warmup(3) == 0
        with pytest.raises(ValueError, match="at least 1"):
            await client.warmup(0)


async def test_slow_reader_slows_the_server(emulator: Emulator) -> None:
    """A reader that takes its time is not run over: the server waits, and nothing is lost."""
    text = "word " * 500
    emulator.always(chat(*[text] * 10_000))
    async with OpenRouter(KEY, base_url=emulator.base_url) as client:
        stream = client.stream("Hi", model="m")
        assert (await anext(stream)).text == text
        await asyncio.sleep(0.05)
        assert not emulator.requests[0].finished  # megabytes wait at the server
        assert (await stream).text == text * 10_000


# Names.


class Names:
    """A resolver that knows names of our own, and counts."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        """Look up a name; whatever is not loopback is unknown."""
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name in ("127.0.0.1", "::1", "localhost"):
            return self._real(host, port, *rest, **more)
        self.asked.append(name)
        if name not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._real(self.known[name], port, *rest, **more)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A world in which openrouter.test is this machine, and nothing else exists."""
    names = Names({"openrouter.test": "127.0.0.1"})
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    return names


async def test_unknown_host_is_a_connect_error(names: Names) -> None:
    """A name that cannot be found was not sent anything; the error says which name."""
    async with OpenRouter(
        KEY,
        base_url="http://nowhere.test/api/v1",
        retry=RetryPolicy(first_delay=0.001),
        allow_insecure_http=True,
    ) as client:
        with pytest.raises(ConnectError, match=r"nowhere\.test") as info:
            await ask(client)
    assert info.value.attempts == 3
    assert info.value.billed == "no"
    assert info.value.phase == "connect"
    assert info.value.retryable


async def test_burst_looks_its_name_up_once(emulator: Emulator, names: Names) -> None:
    """A hundred cold requests at once ask the resolver one time, and later ones not at all."""
    emulator.always(ANSWER)
    async with OpenRouter(KEY, base_url=elsewhere(emulator), allow_insecure_http=True) as client:
        await asyncio.gather(*(ask(client) for _ in range(100)))
        emulator.drop_connections()
        await emulator.wait_for(lambda: emulator.open_connections == 0)
        await ask(client)
    assert names.asked == ["openrouter.test"]


async def test_refused_connection_is_a_connect_error() -> None:
    """A port on which nobody listens: not sent, not billed, tried again."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        async with OpenRouter(
            KEY,
            base_url=f"http://127.0.0.1:{port}/api/v1",
            retry=RetryPolicy(first_delay=0.001),
        ) as client:
            with pytest.raises(ConnectError, match=f"127.0.0.1:{port}") as info:
                await ask(client)
    assert (info.value.attempts, info.value.billed) == (3, "no")
    assert isinstance(info.value.__cause__, aiohttp.ClientConnectorError)


async def test_server_that_does_not_take_the_connection_is_a_connect_timeout(
    authority: Authority, emulator: Emulator
) -> None:
    """A handshake that never comes to its end runs into the deadline for connecting."""
    accepted: list[asyncio.StreamWriter] = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with OpenRouter(
            KEY,
            base_url=f"https://127.0.0.1:{port}/api/v1",
            ssl=authority.file,
            retry=ONCE,
            timeouts=Timeouts(connect=0.05),
        ) as client:
            with pytest.raises(ConnectTimeout, match=r"Timeouts\.connect") as info:
                await ask(client)
            assert info.value.phase == "connect"
    finally:
        for writer in accepted:
            writer.close()
        server.close()
        await server.wait_closed()


# Proxies.


@dataclass
class Proxy:
    """A proxy on loopback that sends every host to this machine."""

    token: str | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list[str])
    heads: list[str] = field(default_factory=list[str])
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await self._forward(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _forward(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        line, _, rest = head.partition("\r\n")
        method, target, version = line.split()
        self.asked.append(f"{method} {target}")
        self.heads.append(head)
        if self.token is not None:
            expected = (
                "Proxy-Authorization: Basic " + base64.b64encode(self.token.encode()).decode()
            )
            if expected not in head:
                writer.write(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                )
                await writer.drain()
                return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        port = parts.port or 80
        there, out = await asyncio.open_connection("127.0.0.1", port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = parts.path + (f"?{parts.query}" if parts.query else "")
                out.write(f"{method} {path} {version}\r\n{rest}".encode("latin-1"))
            await asyncio.wait(
                [
                    asyncio.create_task(self._pump(reader, out)),
                    asyncio.create_task(self._pump(there, writer)),
                ],
            )
        finally:
            out.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running_proxy(token: str | None = None) -> AsyncGenerator[Proxy]:
    """Run a proxy for as long as the block takes."""
    proxy = Proxy(token)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    credentials = f"{token}@" if token else ""
    proxy.url = f"http://{credentials}127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in list(proxy.tasks):
            task.cancel()
        await asyncio.gather(*proxy.tasks, return_exceptions=True)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy without a password."""
    async with running_proxy() as proxy:
        yield proxy


@pytest.mark.parametrize("token", [None, "user:pass word"])
async def test_explicit_proxy(emulator: Emulator, token: str | None) -> None:
    """A proxy given to the client is used, with its password, for whatever host."""
    emulator.always(ANSWER)
    async with running_proxy(token) as proxy:
        url = proxy.url.replace(" ", "%20")
        async with OpenRouter(
            KEY, base_url=elsewhere(emulator), proxy=url, allow_insecure_http=True
        ) as client:
            assert await ask(client) == "Hello"
            assert await ask(client) == "Hello"
        assert proxy.asked[0] == f"POST {elsewhere(emulator)}/chat/completions"
        assert "pass word" not in repr(client)
    assert emulator.accepted == 2


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_proxy_of_the_environment(
    emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The usual variables name a proxy, without a word in the code."""
    monkeypatch.setenv(name, proxy.url)
    emulator.always(ANSWER)
    async with OpenRouter(KEY, base_url=elsewhere(emulator), allow_insecure_http=True) as client:
        assert await ask(client) == "Hello"
    assert len(proxy.asked) == 1


async def test_proxy_without_a_scheme_is_an_http_one(
    emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many a shell says HTTP_PROXY=host:port."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    emulator.always(ANSWER)
    async with OpenRouter(KEY, base_url=elsewhere(emulator), allow_insecure_http=True) as client:
        assert await ask(client) == "Hello"
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("value", ["openrouter.test", ".test", "*", "other.test, openrouter.test"])
async def test_no_proxy_is_honoured(
    emulator: Emulator,
    proxy: Proxy,
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
) -> None:
    """Hosts that NO_PROXY names are reached directly."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", value)
    emulator.always(ANSWER)
    async with OpenRouter(KEY, base_url=elsewhere(emulator), allow_insecure_http=True) as client:
        assert await ask(client) == "Hello"
    assert proxy.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_loopback_never_goes_through_the_proxy_of_the_environment(
    emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A server on this machine is not the proxy's business."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    emulator.always(ANSWER)
    async with OpenRouter(KEY, base_url=elsewhere(emulator, host)) as client:
        assert await ask(client) == "Hello"
    assert proxy.asked == []


async def test_netrc_is_not_read(
    emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A password for the host that lies in ~/.netrc is none of ours."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password netrc-sentinel\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    emulator.always(ANSWER)
    async with OpenRouter(KEY, base_url=elsewhere(emulator), allow_insecure_http=True) as client:
        assert await ask(client) == "Hello"
    assert emulator.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "Basic" not in proxy.heads[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_proxy_that_asks_for_a_password(
    authority: Authority, scheme: str, emulator: Emulator
) -> None:
    """A 407 is the proxy's no, not the API's, and nothing was sent to the API."""
    async with (
        running_proxy("user:password") as proxy,
        OpenRouter(
            KEY,
            base_url=elsewhere(emulator, scheme=scheme),
            allow_insecure_http=True,
            proxy=proxy.url.replace("user:password@", ""),
            ssl=authority.file,
        ) as client,
    ):
        with pytest.raises(ProxyError, match="407") as info:
            await ask(client)
    assert info.value.billed == "no"
    assert len(proxy.asked) == 1
    assert emulator.connections == 0


async def test_proxy_that_is_not_there() -> None:
    """A proxy that refuses the connection is named as what is wrong."""
    async with Emulator() as gone:
        pass
    async with OpenRouter(
        KEY,
        base_url="http://openrouter.test/api/v1",
        allow_insecure_http=True,
        proxy=f"http://127.0.0.1:{port_of(gone)}",
        retry=ONCE,
    ) as client:
        with pytest.raises(ProxyError, match="cannot be reached") as info:
            await ask(client)
    assert info.value.billed == "no"


async def test_socks_proxy_is_refused_in_words(
    emulator: Emulator, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of a kind that is not supported is an error, never a silent way round it."""
    with pytest.raises(ValueError, match="http"):
        OpenRouter(KEY, proxy="socks5://127.0.0.1:1080")
    monkeypatch.setenv("ALL_PROXY", "socks5://user:socks-sentinel@127.0.0.1:1080")
    async with OpenRouter(KEY, base_url=elsewhere(emulator), allow_insecure_http=True) as client:
        with pytest.raises(ProxyError, match="socks5") as info:
            await ask(client)
    assert "sentinel" not in str(info.value)
    assert emulator.connections == 0


# TLS.


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[Emulator]:
    """An emulator that speaks TLS."""
    async with Emulator(ssl=authority.server) as emulator:
        emulator.always(ANSWER)
        yield emulator


async def test_cold_start_keeps_the_order_of_asking(secure: Emulator, authority: Authority) -> None:
    """What comes while a thread still loads the certificates waits, and goes on as it came."""
    limits = Limits(max_connections=1)
    async with OpenRouter(
        KEY, base_url=secure.base_url, ssl=authority.file, limits=limits
    ) as client:

        async def one(number: int) -> None:
            await client.complete(str(number), model="m")

        tasks = [asyncio.create_task(one(number)) for number in range(20)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # who had begun to load hands that on
        await asyncio.wait(tasks)
        assert [task.cancelled() for task in tasks] == [True] + [False] * 19
    asked = [request.json["messages"][0]["content"] for request in secure.requests]
    assert asked == [str(number) for number in range(1, 20)]
    assert secure.connections == 1


async def test_cold_start_that_fails_fails_for_each(secure: Emulator, tmp_path: Path) -> None:
    """Certificates that cannot be read are everybody's error, and nobody waits for ever."""
    async with OpenRouter(KEY, base_url=secure.base_url, ssl=tmp_path / "missing.pem") as client:
        results = await asyncio.gather(*(ask(client) for _ in range(5)), return_exceptions=True)
    assert {type(result) for result in results} == {TLSError}


@pytest.mark.parametrize("how", ["path", "str", "folder", "context"])
async def test_private_authority(
    secure: Emulator, authority: Authority, how: str, tmp_path: Path
) -> None:
    """An authority of one's own is given as a path, a folder or a context."""
    shutil.copy(authority.file, tmp_path / f"{authority.name}.0")
    trusted: dict[str, ssl.SSLContext | str | Path] = {
        "path": authority.file,
        "str": str(authority.file),
        "folder": tmp_path,
        "context": ssl.create_default_context(cafile=str(authority.file)),
    }
    async with OpenRouter(KEY, base_url=secure.base_url, ssl=trusted[how]) as client:
        assert await ask(client) == "Hello"
        assert await ask(client) == "Hello"
    assert secure.connections == 1


async def test_authority_of_the_environment(
    secure: Emulator, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names trusted certificates, as for other programs."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with OpenRouter(KEY, base_url=secure.base_url) as client:
        assert await ask(client) == "Hello"


async def test_unknown_authority_is_a_tls_error(secure: Emulator) -> None:
    """A certificate that nobody vouches for: nothing is sent, and the error says what to do."""
    async with OpenRouter(KEY, base_url=secure.base_url) as client:
        with silence(asyncio.get_running_loop()):
            with pytest.raises(TLSError, match="SSL_CERT_FILE") as info:
                await ask(client)
    assert "ssl=" in str(info.value)
    assert (info.value.billed, info.value.phase, info.value.attempts) == ("no", "connect", 1)
    assert secure.requests == []


async def test_certificate_of_another_host_is_a_tls_error(
    secure: Emulator, authority: Authority, names: Names
) -> None:
    """A good certificate for another name is none."""
    names.known["other.test"] = "127.0.0.1"
    async with OpenRouter(
        KEY, base_url=elsewhere(secure, "other.test", "https"), ssl=authority.file
    ) as client:
        with pytest.raises(TLSError, match=r"other\.test"):
            await ask(client)
    assert secure.requests == []


async def test_file_that_holds_no_certificates(secure: Emulator, tmp_path: Path) -> None:
    """An ssl= that cannot be loaded says which file."""
    bad = tmp_path / "no.pem"
    bad.write_text("nothing")
    for path in (bad, tmp_path / "missing.pem"):
        async with OpenRouter(KEY, base_url=secure.base_url, ssl=path) as client:
            with pytest.raises(TLSError, match=path.name):
                await ask(client)


async def test_context_is_made_once(
    secure: Emulator, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many clients share one TLS context for each set of authorities."""
    made: list[object] = []
    real = ssl.create_default_context

    def counting(*arguments: Any, **more: Any) -> ssl.SSLContext:
        made.append(arguments)
        return real(*arguments, **more)

    monkeypatch.setattr(ssl, "create_default_context", counting)
    TLS_CONTEXTS.clear()
    for _ in range(5):
        async with OpenRouter(KEY, base_url=secure.base_url, ssl=authority.file) as client:
            await ask(client)
    assert len(made) == 1
    TLS_CONTEXTS.clear()


async def test_tls_through_a_proxy(secure: Emulator, authority: Authority, proxy: Proxy) -> None:
    """Behind CONNECT the certificate is that of the host, and connections are used again."""
    async with OpenRouter(
        KEY,
        base_url=elsewhere(secure, scheme="https"),
        proxy=proxy.url,
        ssl=authority.file,
    ) as client:
        for _ in range(3):
            assert await ask(client) == "Hello"
        assert proxy.asked == [f"CONNECT openrouter.test:{port_of(secure)}"]
        assert KEY not in proxy.heads[0]
    async with OpenRouter(
        KEY, base_url=elsewhere(secure, scheme="https"), proxy=proxy.url, retry=ONCE
    ) as client:
        with pytest.raises(TLSError):
            await ask(client)


async def left(emulator: Emulator, count: int) -> None:
    """Wait until the server has seen so many clients go."""
    await emulator.wait_for(lambda: emulator.disconnects == count, timeout=5)


async def test_leaving_over_tls_is_seen_at_once(secure: Emulator, authority: Authority) -> None:
    """No farewell of TLS is waited for when a stream is left."""
    secure.always(chat("a", "b").stall_after(1))
    async with OpenRouter(KEY, base_url=secure.base_url, ssl=authority.file) as client:
        sockets = open_sockets()
        for count in range(1, 11):
            async for _ in client.stream("Hi", model="m"):
                break
            assert_nothing_leased(client)
            await left(secure, count)
        await secure.wait_for(lambda: open_sockets() == sockets)
        await assert_serves(client, secure)


# Redirects.


def redirect(status: int, to: str) -> Reply:
    """Build a redirect."""
    return http_error(status, "Elsewhere", headers={"Location": to})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_to_another_origin_is_refused(
    client: OpenRouter, emulator: Emulator, status: int
) -> None:
    """Neither the key nor the prompt goes to a host that nobody configured."""
    async with Emulator() as other:
        emulator.always(redirect(status, f"{other.base_url}/chat/completions"))
        with pytest.raises(ProtocolError, match="another origin"):
            await ask(client)
        assert other.connections == 0
    assert emulator.accepted == 1
    assert_nothing_leased(client)


@pytest.mark.parametrize("status", [307, 308])
async def test_redirect_within_the_origin_is_followed(
    client: OpenRouter, emulator: Emulator, status: int
) -> None:
    """A redirect that keeps method and body is followed, with both."""
    emulator.play(redirect(status, "/api/v1/elsewhere/chat"), ANSWER)
    assert await ask(client) == "Hello"
    first, second = emulator.requests
    assert second.path == "/api/v1/elsewhere/chat"
    assert (second.method, second.body) == ("POST", first.body)
    assert second.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_redirect_that_would_make_a_get_is_refused(
    client: OpenRouter, emulator: Emulator, status: int
) -> None:
    """A POST is never turned into a GET; the message points at base_url."""
    emulator.play(redirect(status, "/api/v1/other"))
    with pytest.raises(ProtocolError, match="base_url"):
        await ask(client)
    assert len(emulator.requests) == 1


async def test_redirects_in_a_circle_end(client: OpenRouter, emulator: Emulator) -> None:
    """A circle of redirects is given up, and leaves no connection."""
    emulator.always(redirect(307, "/api/v1/chat/completions"))
    with pytest.raises(ProtocolError, match="redirects"):
        await ask(client)
    assert emulator.accepted <= 6
    assert_nothing_leased(client)


# What is sent and kept.


async def test_streams_ask_for_no_compression(client: OpenRouter, emulator: Emulator) -> None:
    """A compressed stream comes in lumps: identity is asked for, gzip only for whole answers."""
    emulator.play(ANSWER)
    await ask(client)
    await client.request("GET", "/models")
    stream, models = emulator.requests
    assert stream.headers["Accept-Encoding"] == "identity"
    assert stream.headers["Accept"] == "text/event-stream"
    assert models.headers["Accept-Encoding"] == "gzip, deflate"


async def test_cookies_are_not_kept(client: OpenRouter, emulator: Emulator) -> None:
    """What a server or a gateway sets does not come back to it."""
    emulator.always(ANSWER.with_headers({"Set-Cookie": "session=abc; Path=/"}))
    await ask(client)
    await ask(client)
    assert all("Cookie" not in request.headers for request in emulator.requests)


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_error_body_is_read_to_its_bound(
    client: OpenRouter, emulator: Emulator, framing: str
) -> None:
    """An error page without end gives its status all the same, and is left."""
    endless = Reply(
        status=500,
        headers=(("Content-Type", "text/plain"),),
        steps=(Send(b"x" * 2**21), Drip(b"y" * 10**6, 1_000, 0.001)),
        framing="close" if framing == "close" else "chunked",
    )
    emulator.always(endless)
    with pytest.raises(ServerError) as info:
        await ask(client)
    assert info.value.status == 500
    assert len(str(info.value)) < 1_000
    assert_nothing_leased(client)
    await emulator.wait_for(lambda: emulator.disconnects == 1)


async def test_large_body_is_sent_whole(client: OpenRouter, emulator: Emulator) -> None:
    """A prompt of many megabytes arrives as it is, with its length, and warns of nothing."""
    emulator.always(ANSWER)
    text = "word " * 2**20
    await client.complete(text, model="m")
    request = emulator.requests[0]
    assert request.json["messages"][0]["content"] == text
    assert int(request.headers["Content-Length"]) == len(request.body)


async def test_refused_while_the_body_is_being_sent(emulator: Emulator) -> None:
    """A server that hangs up during a large upload is a lost connection, never a foreign error."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1"
    with silence(asyncio.get_running_loop()):
        async with OpenRouter(KEY, base_url=url, retry=ONCE) as client:
            with pytest.raises(APIConnectionError) as info:
                await client.complete("word " * 2**21, model="m")
            assert info.value.billed == "unknown"
            assert_nothing_leased(client)
    server.close()
    await server.wait_closed()


# A session of the user's.


async def test_session_of_the_user(emulator: Emulator) -> None:
    """The user's session is used as it is, and is theirs to close."""
    emulator.always(ANSWER)
    async with aiohttp.ClientSession(headers={"X-Mine": "yes"}) as session:
        async with OpenRouter(KEY, base_url=emulator.base_url, session=session) as client:
            assert await ask(client) == "Hello"
            assert client.stats().leased == 0
        assert not session.closed
        async with session.get(f"{emulator.base_url}/models") as response:
            assert response.status == 200
    assert emulator.requests[0].headers["X-Mine"] == "yes"
    assert emulator.connections == 1


async def test_total_timeout_of_the_users_session_does_not_count(emulator: Emulator) -> None:
    """aiohttp's own deadline for everything, 300 s by default, ends no stream of ours."""
    emulator.always(chat("a", "b").after(1, Pause(0.15)))
    timeout = aiohttp.ClientTimeout(total=0.05, sock_read=0.05)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        async with OpenRouter(KEY, base_url=emulator.base_url, session=session) as client:
            assert await ask(client) == "ab"


async def test_leaving_a_stream_of_the_users_session(emulator: Emulator) -> None:
    """Leaving closes the connection there as well; closing the client ends what is open."""
    emulator.always(chat("a", "b").stall_after(1))
    async with aiohttp.ClientSession() as session:
        async with OpenRouter(KEY, base_url=emulator.base_url, session=session) as client:
            async for _ in client.stream("Hi", model="m"):
                break
            await emulator.wait_for(lambda: emulator.disconnects == 1)
            stream = await client.stream("Hi", model="m").start()
            await anext(stream)
        await emulator.wait_for(lambda: emulator.disconnects == 2)
        with pytest.raises(OpenRouterError):
            await anext(stream)


def test_session_of_another_loop_is_refused() -> None:
    """A session belongs to one loop; using it in another is misuse, said in one sentence."""

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    with Emulator.in_thread() as emulator:
        loop = asyncio.new_event_loop()
        session = loop.run_until_complete(make())
        client = OpenRouter(KEY, base_url=emulator.base_url, session=session)
        with pytest.raises(RuntimeError, match="another event loop"):
            asyncio.run(ask_with(client))
        assert emulator.connections == 0
        loop.run_until_complete(session.close())
        loop.close()


async def ask_with(client: OpenRouter) -> None:
    """Ask, in whatever loop runs."""
    await ask(client)


async def test_closing_the_client_tells_who_reads(emulator: Emulator) -> None:
    """A task that reads when the client is closed gets an error, not the end of the answer."""
    emulator.always(chat("a", "b").stall_after(1))
    client = OpenRouter(KEY, base_url=emulator.base_url)
    stream = client.stream("Hi", model="m")
    await anext(stream)
    reader = asyncio.create_task(stream.__anext__())
    await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(OpenRouterError, match="closed"):
        await reader
    assert stream.ending == "broken"
    assert stream.partial is not None
    assert stream.partial.text == "a"


# Translation.

PHASES: tuple[Phase, ...] = ("queue", "connect", "headers", "body")


def foreign_errors() -> list[BaseException]:
    """One of each exception that aiohttp's client may raise, and of those below it."""
    url = URL("http://127.0.0.1/api")
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {KEY}"}))
    info = aiohttp.RequestInfo(url, "POST", headers, url)
    key = ConnectionKey("127.0.0.1", 80, True, True, None, None, None)
    made: list[BaseException] = [
        OSError("x"),
        ConnectionResetError(104, "Connection reset by peer"),
        BrokenPipeError(32, "Broken pipe"),
        TimeoutError(),
        socket.gaierror(-2, "Name or service not known"),
        ssl.SSLError(1, "bad"),
        ssl.SSLCertVerificationError(1, "bad"),
        EOFError(),
    ]
    for kind in aiohttp_errors():
        error: Any
        if issubclass(kind, aiohttp.ClientResponseError):
            error = kind(info, (), status=400, message="x", headers=headers)
        elif kind is client_exceptions.UnixClientConnectorError:
            error = client_exceptions.UnixClientConnectorError("/x", key, OSError(1, "x"))
        elif issubclass(kind, aiohttp.ClientConnectorCertificateError):
            error = kind(key, ssl.SSLCertVerificationError(1, "x"))
        elif issubclass(kind, aiohttp.ClientConnectorError):
            error = kind(key, OSError(1, "x"))
        elif issubclass(kind, aiohttp.ServerFingerprintMismatch):
            error = kind(b"a", b"b", "127.0.0.1", 80)
        else:
            error = kind("x")
        made.append(error)
    return made


def aiohttp_errors() -> list[type[Exception]]:
    """The exception classes of aiohttp's client, without those of websockets."""
    return [
        kind
        for name, kind in inspect.getmembers(client_exceptions, inspect.isclass)
        if issubclass(kind, Exception)
        and kind.__module__.startswith("aiohttp")
        and not name.startswith("WS")
    ]


@pytest.mark.parametrize("phase", PHASES)
def test_every_foreign_error_becomes_one_of_ours(phase: Phase) -> None:
    """Whatever aiohttp can raise is translated, in every phase, and shows no header."""
    made = foreign_errors()
    assert len(made) > 25
    for error in made:
        assert isinstance(error, foreign()), type(error)
        ours, cause = translated(error, phase, "http://127.0.0.1/api")
        assert isinstance(ours, OpenRouterError)
        assert str(ours)
        inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
        assert cause in (error, inner, None)
        assert cause is None or cause.__traceback__ is None
        assert KEY not in f"{ours!r} {ours} {cause!r} {getattr(cause, '__dict__', None)}"


async def test_not_found_closes_nothing_more_than_it_must(
    client: OpenRouter, emulator: Emulator
) -> None:
    """A small error body that came whole leaves its connection usable."""
    emulator.always(http_error(404, "No such model"))
    for _ in range(5):
        with pytest.raises(NotFoundError):
            await ask(client)
    assert emulator.connections == 1
