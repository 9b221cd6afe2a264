"""Signing in at OpenRouter: codes, keys and tokens, and a browser sent back to this machine."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
from concurrent.futures import Future
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from openrouter_async import OpenRouter
from openrouter_async._loopback import Loopback
from openrouter_async._sign_in import SignIn
from openrouter_async.errors import (
    AuthenticationError,
    BadRequestError,
    PermissionDeniedError,
    TotalTimeout,
)
from openrouter_async.testing import Emulator
from openrouter_async.types.oauth import AccessToken, ExchangedKey
from tests.quiet import other_tasks

CALLBACK = "https://app.example/signed-in?next=%2Fhome"


class Browser:
    """A browser that is shown a URL, from another thread, and goes wherever it leads."""

    def __init__(self) -> None:
        self.pages: list[tuple[int, str]] = []
        self._loop = asyncio.get_running_loop()
        self._visits: list[Future[None]] = []

    def __call__(self, url: str) -> None:
        self._visits.append(asyncio.run_coroutine_threadsafe(self.go(url), self._loop))

    async def rest(self) -> None:
        """Wait until every page is there."""
        await asyncio.gather(*map(asyncio.wrap_future, self._visits))

    async def go(self, url: str) -> None:
        """Open a page."""
        async with aiohttp.ClientSession() as session, session.get(url) as page:
            self.pages.append((page.status, await page.text()))


async def test_a_program_of_this_machine_signs_in(emulator: Emulator) -> None:
    """One call: the browser is sent, comes back with a code, and the key is there."""
    browser = Browser()
    async with OpenRouter(base_url=emulator.base_url) as keyless:
        signed = await keyless.auth.login(show=browser, key_label="my-tool", limit=5)
    await browser.rest()
    assert browser.pages[0][0] == 200
    assert signed.key.startswith("sk-or-v1-")
    asked, exchanged = emulator.requests
    assert asked.query["key_label"] == "my-tool"
    assert float(asked.query["limit"]) == 5
    assert asked.query["code_challenge_method"] == "S256"
    assert exchanged.json["code_challenge_method"] == "S256"
    assert "Authorization" not in exchanged.headers
    async with OpenRouter(signed.key, base_url=emulator.base_url) as client:
        made = await client.keys.get(hashlib.sha256(signed.key.encode()).hexdigest())
        assert made.name == "my-tool"


async def test_the_server_on_this_machine_is_gone_however_it_ends(emulator: Emulator) -> None:
    """Cancelled, as Ctrl-C does, or too late, the wait leaves no server and no task."""
    shown: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    async with OpenRouter(base_url=emulator.base_url) as keyless:
        before = other_tasks()
        waiting = asyncio.create_task(
            keyless.auth.login(show=lambda url: loop.call_soon_threadsafe(shown.put_nowait, url))
        )
        url = await shown.get()
        back = urlsplit(parse_qs(urlsplit(url).query)["callback_url"][0])
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(back.hostname, back.port)
        assert other_tasks() <= before
        with pytest.raises(TotalTimeout, match=r"nobody signed in within 0\.01 s"):
            await keyless.auth.login(show=lambda url: None, timeout=0.01)
    assert emulator.requests == []


async def test_redirects_of_others_are_told_so_and_waited_past() -> None:
    """A page of another sign-in, another path and another method end nothing."""
    async with Loopback() as loopback:
        sign_in = OpenRouter("").auth.begin(loopback.url)
        browser = Browser()
        loopback.expect(sign_in.code_in)
        waiting = asyncio.create_task(loopback.receive())
        await browser.go(f"{loopback.url}?code=stolen&state=wrong")
        await browser.go(f"{loopback.url}?code=stolen")
        await browser.go(loopback.url.replace("/callback", "/favicon.ico"))
        async with aiohttp.ClientSession() as session, session.post(loopback.url) as posted:
            assert posted.status == 405
        assert not waiting.done()
        await browser.go(f"{loopback.url}?code=right&state={sign_in.state}")
        assert await waiting == "right"
    assert [status for status, _ in browser.pages] == [400, 400, 404, 200]
    assert "You are signed in" in browser.pages[-1][1]
    assert not any("stolen" in text or "right" in text for _, text in browser.pages)


async def test_a_user_may_refuse() -> None:
    """The wait ends with what the page says."""
    async with Loopback() as loopback:
        sign_in = OpenRouter("").auth.begin(loopback.url)
        loopback.expect(sign_in.code_in)
        await Browser().go(f"{loopback.url}?error=access_denied&state={sign_in.state}")
        with pytest.raises(PermissionDeniedError, match="access_denied"):
            await loopback.receive()


async def test_what_speaks_no_http_is_dropped() -> None:
    """Too much, or half a request: the connection is closed and the wait goes on."""
    async with Loopback() as loopback:
        loopback.expect(lambda query: query)
        at = urlsplit(loopback.url)
        for data in (b"\x16\x03\x01" * 20_000, b"half a request"):
            reader, writer = await asyncio.open_connection(at.hostname, at.port)
            writer.write(data)
            if len(data) < 100:
                writer.write_eof()
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        await Browser().go(f"{loopback.url}?a=b")
        assert await loopback.receive() == "a=b"


async def test_a_web_app_signs_users_in(emulator: Emulator, client: OpenRouter) -> None:
    """It keeps the verifier, reads the redirect, and exchanges the code, which is worth one key."""
    begun = client.auth.begin(CALLBACK)
    asked = {name: value for name, [value] in parse_qs(urlsplit(begun.url).query).items()}
    assert begun.url.startswith(f"{emulator.base_url.removesuffix('/api/v1')}/auth?")
    assert asked["callback_url"] == f"{CALLBACK}&state={begun.state}"
    assert asked["code_challenge"] == client.auth.challenge(begun.verifier)
    async with (
        aiohttp.ClientSession() as session,
        session.get(begun.url, allow_redirects=False) as answer,
    ):
        redirect = answer.headers["Location"]
    code = begun.code_in(redirect)
    assert code == begun.code_in(urlsplit(redirect).query)
    with pytest.raises(PermissionDeniedError):
        await client.auth.exchange(code, verifier="x" * 43)
    with pytest.raises(BadRequestError):
        await client.auth.exchange(code, verifier=begun.verifier, method="plain")
    signed = await client.auth.exchange(code, verifier=begun.verifier)
    assert signed.user_id == "user_emulated"
    with pytest.raises(PermissionDeniedError, match="Invalid code"):
        await client.auth.exchange(code, verifier=begun.verifier)


@pytest.mark.parametrize(
    ("redirect", "error"),
    [
        ("https://app.example/?code=a", AuthenticationError),
        ("https://app.example/?code=a&state=other", AuthenticationError),
        ("https://app.example/?state={state}", AuthenticationError),
        ("https://app.example/?error=denied&state={state}", PermissionDeniedError),
        ("https://app.example/?error=denied", AuthenticationError),
    ],
)
def test_a_redirect_must_belong_to_the_sign_in(redirect: str, error: type[Exception]) -> None:
    """Its state is looked at first, so nobody is signed in as somebody else."""
    begun = OpenRouter("").auth.begin(CALLBACK)
    with pytest.raises(error):
        begun.code_in(redirect.format(state=begun.state))


def test_without_a_callback_the_user_carries_the_code() -> None:
    """The page shows it; there is no state to look at."""
    begun = OpenRouter("").auth.begin()
    assert "callback_url" not in begun.url
    assert begun.state is None
    assert begun.code_in("code=a") == "a"


@pytest.mark.parametrize(
    "callback", ["http://app.example/", "app.example", "ftp://localhost/", "https:///x", ""]
)
def test_a_callback_that_nobody_is_sent_to(callback: str) -> None:
    """https anywhere, http on this machine alone."""
    with pytest.raises(ValueError, match="callback_url must be an https URL"):
        OpenRouter("").auth.begin(callback)


def test_every_sign_in_is_another() -> None:
    """Its secrets are made up anew, long enough, and not shown."""
    auth = OpenRouter("").auth
    one, other = auth.begin(CALLBACK), auth.begin(CALLBACK)
    assert one.verifier != other.verifier
    assert one.state != other.state
    assert 43 <= len(one.verifier) <= 128
    assert one.verifier not in repr(one)
    assert one.verifier not in one.url
    again: SignIn = pickle.loads(pickle.dumps(one))
    assert again == one


async def test_a_code_without_a_browser(emulator: Emulator, client: OpenRouter) -> None:
    """Made with a key, exchanged without one."""
    verifier = "v" * 43
    made = await client.auth.create_code(
        callback_url=CALLBACK,
        code_challenge=client.auth.challenge(verifier),
        code_challenge_method="S256",
        usage_limit_type="monthly",
        expires_at="2027-01-31T00:00:00Z",
    )
    assert made.app_id == 7
    assert (await client.auth.exchange(made.id, verifier=verifier)).key
    plain = await client.auth.create_code(callback_url=CALLBACK)
    assert (await client.auth.exchange(plain.id)).key
    assert emulator.requests[-1].json == {"code": plain.id}
    with pytest.raises(ValueError, match="code_verifier must"):
        client.auth.exchange(plain.id, verifier="short")  # type: ignore[unused-coroutine]


async def test_tokens_of_identity_providers(emulator: Emulator, client: OpenRouter) -> None:
    """The fixed words of the exchange are filled in, and the keys that sign are listed."""
    token = await client.auth.exchange_token(
        federation_policy_id="fed_1", subject_token="ey.J.x", scope="management"
    )
    assert (token.expires_in, token.scope, token.token_type) == (3600, "management", "Bearer")
    assert emulator.requests[-1].json["grant_type"].endswith(":token-exchange")
    assert emulator.requests[-1].json["subject_token_type"].endswith(":jwt")
    (key,) = await client.auth.jwks()
    assert (key.alg, key.crv) == ("ES256", "P-256")


def test_secrets_are_not_shown() -> None:
    """Neither a key nor a token is in a repr."""
    assert "secret" not in repr([ExchangedKey(key="secret"), AccessToken(access_token="secret")])
