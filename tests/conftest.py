"""What every test can ask for: a clean environment, an emulator, a client, recorded traffic."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.authority import Authority, made_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openrouter_async import OpenRouter
    from openrouter_async.testing import Emulator

SHARED_VARIABLE = "OPENROUTER_ASYNC_SHARED"

# Whoever starts the tests in the background (`nohup`, `&` in a script) has them ignore Ctrl-C, and
# so would all that they start, for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_folder() -> Path | None:
    """The folder of recorded traffic, or None where there is none.

    For parametrizing over its files while tests are collected; a test body asks for the fixture
    `shared` instead, which skips and says why.
    """
    value = os.environ.get(SHARED_VARIABLE)
    if not value:
        return None
    folder = Path(value)
    if not folder.is_dir():
        # Skipping here would let a misspelt path switch these tests off unnoticed.
        raise pytest.UsageError(f"{SHARED_VARIABLE} names {value!r}, which is no folder")
    return folder.resolve()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded traffic; the test is skipped where there is none."""
    folder = shared_folder()
    if folder is None:
        pytest.skip(
            f"recorded traffic is not part of the project: set {SHARED_VARIABLE} to its folder"
        )
    return folder


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what a developer's shell may set: a key, a base URL, a proxy."""
    for name in list(os.environ):
        upper = name.upper()
        ours = upper.startswith("OPENROUTER_") and upper != SHARED_VARIABLE
        if ours or upper.endswith("_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts by default; the test is skipped without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("the certificates are made with the openssl command, which is not here")
    return made_in(tmp_path_factory.mktemp("authority"))


# The two below import inside, so that tests of the parser or the types run while the client is broken.


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A server on loopback that speaks the API."""
    from openrouter_async.testing import Emulator

    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client of `emulator`, closed after the test."""
    from openrouter_async import OpenRouter

    async with OpenRouter("sk-or-v1-test-key", base_url=emulator.base_url) as client:
        yield client
