"""The pytest plugin of openrouter_async: fixtures that need no key and no network.

pytest loads it in every run wherever the package is installed. So it stands outside of the package,
which would be imported along with it, before a measurement of coverage begins and in runs that
have nothing to do with it; everything it needs is imported by the fixture that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pytest

if TYPE_CHECKING:
    from openrouter_async import OpenRouter
    from openrouter_async.testing import Cassette, Emulator, RecordMode

_KEY: Final = "sk-or-v1-no-real-key"
_RAN_THROUGH: Final = pytest.StashKey[bool]()


class _TestFailed(Exception):
    """Ends a cassette without keeping what it recorded."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the cassettes can be told."""
    group = parser.getgroup("openrouter", "openrouter_async")
    group.addoption(
        "--openrouter-record",
        choices=("never", "new", "always"),
        default="never",
        help="record the traffic of tests with `openrouter_cassette`: where there is no recording "
        "yet (new) or always anew; needs OPENROUTER_API_KEY, and costs what it costs",
    )
    parser.addini(
        "openrouter_cassettes",
        "folder of the recordings, beside the file of the test",
        default="cassettes",
    )


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Note whether the test itself ran through, which its fixtures are not told."""
    if call.when == "call":
        item.stash[_RAN_THROUGH] = call.excinfo is None


@pytest.fixture
def openrouter_emulator(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[Emulator]:
    """A server on loopback that speaks the API, and that this process takes for OpenRouter.

    It runs in a thread of its own, so any test and any event loop can use it. While it runs, the
    environment names it, so that code that makes its own ``OpenRouter()`` talks to it too; in a
    test with `openrouter_cassette` it names that one.
    """
    from openrouter_async.testing import Emulator

    with Emulator.in_thread() as emulator:
        # Else the cassette would take the emulator for the server to be recorded.
        if "openrouter_cassette" not in request.fixturenames:
            monkeypatch.setenv("OPENROUTER_API_KEY", _KEY)
            monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        yield emulator


@pytest.fixture
def openrouter_client(request: pytest.FixtureRequest) -> Generator[OpenRouter]:
    """A client of `openrouter_cassette` where the test has one, else of `openrouter_emulator`."""
    has_cassette = "openrouter_cassette" in request.fixturenames
    request.getfixturevalue("openrouter_cassette" if has_cassette else "openrouter_emulator")
    from openrouter_async import OpenRouter

    client = OpenRouter()
    yield client
    _close(client)


@pytest.fixture
def openrouter_redactions() -> tuple[str, ...]:
    """Words that recordings must not hold; to be defined anew in a ``conftest.py``."""
    return ()


@pytest.fixture
def openrouter_cassette(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    openrouter_redactions: tuple[str, ...],
) -> Generator[Cassette]:
    """Real traffic, recorded once (``--openrouter-record=new``) and played from then on.

    The environment names the server on loopback that does it, as with `openrouter_emulator`. A
    test that fails leaves the recording as it was.
    """
    from openrouter_async.testing import cassette

    path = _path_of(request)
    mode = cast("RecordMode", request.config.getoption("--openrouter-record"))
    if mode == "never" and not path.exists():
        pytest.fail(
            f"there is no recording {path.name}: run this test with --openrouter-record=new and "
            "OPENROUTER_API_KEY set",
            pytrace=False,
        )
    with (
        suppress(_TestFailed),
        cassette(path, record=mode, redact=openrouter_redactions) as recorded,
    ):
        if not recorded.is_recording:
            monkeypatch.setenv("OPENROUTER_API_KEY", _KEY)
        monkeypatch.setenv("OPENROUTER_BASE_URL", recorded.base_url)
        yield recorded
        if recorded.is_recording and not request.node.stash.get(_RAN_THROUGH, False):
            raise _TestFailed


@pytest.fixture
def openrouter_no_open_streams() -> Generator[None]:
    """Fail the test that leaves a stream open."""
    from openrouter_async.testing import assert_no_open_streams, open_streams

    before = open_streams()
    yield
    assert_no_open_streams(before)


def _path_of(request: pytest.FixtureRequest) -> Path:
    folder: str = request.config.getini("openrouter_cassettes")
    # Of a parametrized test each case has its own, under a name that every file system takes.
    name = re.sub(r"[^A-Za-z0-9_.=,-]+", "-", request.node.nodeid.partition("::")[2])
    return request.path.parent / folder / request.path.stem / f"{name.strip('-')}.json"


def _close(client: OpenRouter) -> None:
    """Close a client whose loop may be over; no loop runs while a fixture is torn down."""
    import asyncio

    # `asyncio.run` would take away the loop that another plugin has set.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client.aclose())
    finally:
        loop.close()
