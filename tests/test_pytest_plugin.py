"""The pytest plugin as its users meet it: in a pytest of its own, by its entry point."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from openrouter_async.testing import Emulator, chat

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-or-v1-SENTINELKEY0123456789abcdef"


class Run:
    """A folder of tests, and a pytest that runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write(
            "pytest.ini", "[pytest]\n"
        )  # else pytest looks for settings in the folders above

    def write(self, name: str, source: str) -> None:
        """Put a file into the folder."""
        (self.folder / name).write_text(source, "utf-8")

    def __call__(
        self, *arguments: str, environment: Mapping[str, str] | None = None, status: int = 0
    ) -> str:
        """Run the tests as a user of the installed package does; give what was printed."""
        # None of the plugins that this run has, and no measurement: only what is asked for.
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "PYTEST_"))}
        clean |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
        plugins = ("-p", "pytest_openrouter_async", "-p", "pytest_asyncio.plugin")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugins),
                *("-W", "error", "-o", "asyncio_mode=auto"),
                *("-o", "asyncio_default_fixture_loop_scope=function", *arguments),
            ],
            cwd=self.folder,
            env={**clean, **(environment or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An empty folder for tests."""
    return Run(tmp_path)


SERVICE = """
from openrouter_async import OpenRouter

async def capital(country):
    async with OpenRouter(model="openai/gpt-4o-mini") as client:
        return (await client.complete(f"The capital of {country}?")).text
"""


def test_it_is_installed_by_its_entry_point() -> None:
    """Wherever the package is installed, pytest finds the plugin by itself."""
    (found,) = entry_points(group="pytest11", name="openrouter_async")
    assert found.value == "pytest_openrouter_async"


def test_it_costs_nothing_where_nothing_uses_it(run: Run) -> None:
    """A run that asks for none of its fixtures does not even import the package."""
    run.write(
        "test_other.py",
        """
import sys

def test_nothing_is_imported():
    assert "pytest_openrouter_async" in sys.modules
    assert not [name for name in sys.modules if name.split(".")[0] in ("openrouter_async", "aiohttp")]
""",
    )
    assert "1 passed" in run()


def test_its_fixtures_explain_themselves(run: Run) -> None:
    """`pytest --fixtures` tells what each of them is for."""
    run.write("test_other.py", "")
    printed = run("--fixtures")
    for name in ("emulator", "client", "cassette", "redactions", "no_open_streams"):
        assert re.search(rf"^openrouter_{name} -- .*\n    [A-Z]", printed, re.MULTILINE), name


def test_a_service_of_ones_own(run: Run) -> None:
    """Code that makes its own client talks to the emulator, whichever way its test is written."""
    run.write("service.py", SERVICE)
    run.write(
        "test_service.py",
        """
import asyncio

from openrouter_async.testing import chat, http_error
from service import capital


async def test_async(openrouter_emulator):
    openrouter_emulator.play(http_error(429, "slow down", headers={"Retry-After": "0.01"}))
    openrouter_emulator.play(chat("Par", "is"))
    assert await capital("France") == "Paris"
    assert openrouter_emulator.accepted == 2


def test_sync(openrouter_emulator):
    openrouter_emulator.play(chat("Ro", "me"))
    assert asyncio.run(capital("Italy")) == "Rome"


async def test_client(openrouter_client, openrouter_emulator):
    openrouter_emulator.play(chat("Os", "lo"))
    assert (await openrouter_client.complete("?", model="m")).text == "Oslo"
    assert openrouter_emulator.requests[0].json["model"] == "m"


def test_client_in_several_loops(openrouter_client):
    for _ in range(2):
        asyncio.run(openrouter_client.complete("Hi", model="openai/gpt-4o-mini"))
""",
    )
    printed = run(
        environment={"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": "http://127.0.0.1:1"}
    )
    assert "4 passed" in printed


def test_with_the_plugin_of_anyio(run: Run) -> None:
    """The fixtures are no coroutines, so that whichever plugin runs coroutines can use them."""
    run.write(
        "test_anyio.py",
        """
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_it(openrouter_client, openrouter_no_open_streams):
    async for piece in openrouter_client.stream("Hi", model="openai/gpt-4o-mini").text():
        assert piece
        break
""",
    )
    assert "1 passed" in run("-p", "anyio.pytest_plugin", "-o", "asyncio_mode=strict")


def test_open_streams_fail_the_test(run: Run) -> None:
    """A test that leaves a stream open fails for that; one that drops or closes its streams does not."""
    run.write(
        "test_streams.py",
        """
import pytest

from openrouter_async import OpenRouter
from openrouter_async.testing import chat

pytestmark = pytest.mark.usefixtures("openrouter_no_open_streams")
kept = []


async def begin(emulator):
    emulator.play(chat("Hello", " there").hold_after(1))
    stream = OpenRouter().stream("Hi", model="m")
    await anext(stream)
    return stream


async def test_dropped(openrouter_emulator):
    await begin(openrouter_emulator)


async def test_kept(openrouter_emulator):
    kept.append(await begin(openrouter_emulator))


async def test_after_it(openrouter_emulator):
    kept.append(await begin(openrouter_emulator))
    kept.pop().close()
""",
    )
    printed = run(status=1)
    assert "3 passed, 1 error" in printed
    assert "ERROR at teardown of test_kept" in printed
    assert "streams were left open (1)" in printed


TALK = """
import pytest
from openrouter_async.testing import Cassette


@pytest.mark.parametrize("country", ["France", "Italy"])
async def test_talk(openrouter_cassette: Cassette, country):
    from service import capital
    assert (await capital(country)).startswith("The capital of ")


async def test_client(openrouter_cassette, openrouter_client):
    answer = await openrouter_client.complete("Who is Ada Lovelace?", model="openai/gpt-4o-mini")
    assert answer.text.startswith("I am ")
"""


def test_recording_and_playing(run: Run) -> None:
    """Traffic is recorded where that is asked for, and played without a key or a server."""
    run.write("service.py", SERVICE)
    run.write("test_talk.py", TALK)
    run.write(
        "conftest.py",
        """
import pytest

@pytest.fixture
def openrouter_redactions():
    return ["Lovelace"]
""",
    )
    printed = run(status=1)
    assert "there is no recording test_talk-France.json" in printed.replace("[", "-").replace(
        "]", ""
    )
    assert "--openrouter-record=new" in printed
    with Emulator.in_thread() as emulator:
        emulator.play(chat("The capital of F is P"), chat("The capital of I is R"))
        emulator.play(chat("I am Ada Lovelace"))
        real = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": emulator.base_url}
        assert "3 passed" in run("--openrouter-record=new", environment=real)
        assert "3 passed" in run("--openrouter-record=new", environment=real)
        assert emulator.accepted == 3
        assert all(
            request.headers["Authorization"] == f"Bearer {KEY}" for request in emulator.requests
        )
    files = sorted((run.folder / "cassettes" / "test_talk").iterdir())
    assert [file.name for file in files] == [
        "test_client.json",
        "test_talk-France.json",
        "test_talk-Italy.json",
    ]
    for file in files:
        assert KEY not in file.read_text("utf-8")
        assert "Lovelace" not in file.read_text("utf-8")
    assert "3 passed" in run()
    # Now the service asks for something else than what was recorded.
    run.write("service.py", SERVICE.replace("The capital", "And the capital"))
    printed = run("-k", "France", status=1)
    assert "messages[0].content differs" in printed
    assert "record it anew" in printed


def test_a_test_that_fails_leaves_its_recording_alone(run: Run) -> None:
    """Neither half a recording nor one of a wrong answer is kept, and a good one stays."""
    run.write("service.py", SERVICE)
    run.write("test_talk.py", TALK)
    recording = run.folder / "cassettes" / "test_talk" / "test_client.json"
    with Emulator.in_thread() as emulator:
        real = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": emulator.base_url}
        emulator.play(chat("Who is that?"), chat("I am Ada"), chat("Who is that?"))
        for mode, status, answer in (
            ("new", 1, None),
            ("new", 0, "I am Ada"),
            ("always", 1, "I am Ada"),
        ):
            run("-k", "test_client", f"--openrouter-record={mode}", environment=real, status=status)
            assert recording.exists() == (answer is not None)
            assert answer is None or answer in recording.read_text("utf-8")


def test_the_emulator_is_not_recorded(run: Run) -> None:
    """A cassette beside the emulator records the real server, and is what clients talk to."""
    run.write(
        "test_both.py",
        """
import pytest

@pytest.fixture(autouse=True)
def no_test_reaches_the_network(openrouter_emulator):
    return openrouter_emulator

async def test_real(openrouter_cassette, openrouter_client):
    answer = await openrouter_client.complete("Hi", model="openai/gpt-4o-mini")
    assert answer.text == "I am real"

async def test_pretend(openrouter_client, openrouter_emulator):
    await openrouter_client.complete("Hi", model="openai/gpt-4o-mini")
    assert openrouter_emulator.accepted == 1
""",
    )
    with Emulator.in_thread() as emulator:
        emulator.play(chat("I am real"))
        real = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": emulator.base_url}
        assert "2 passed" in run("--openrouter-record=new", environment=real)
        assert emulator.accepted == 1
    assert "2 passed" in run()


def test_the_folder_of_recordings(run: Run) -> None:
    """Where recordings are is a setting of the project."""
    run.write(
        "test_talk.py",
        TALK.replace("openrouter_client.complete", "openrouter_client.request")
        .replace('"Who is Ada Lovelace?", model="openai/gpt-4o-mini"', '"GET", "/models"')
        .replace('answer.text.startswith("I am ")', 'answer["data"]'),
    )
    run.write("pytest.ini", "[pytest]\nopenrouter_cassettes = taped\n")
    with Emulator.in_thread() as emulator:
        real = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": emulator.base_url}
        run("--openrouter-record=always", "-k", "test_client", environment=real)
    assert (run.folder / "taped" / "test_talk" / "test_client.json").exists()


PAGES = ("README.md", "docs/testing.md")
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in PAGES
    if (ROOT / page).exists()
    for number, block in enumerate(
        re.findall(r"```python[^\n]*\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    )
    if re.search(r"openrouter_(?:emulator|client)\b", block) and "cassette" not in block
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_tests_that_are_shown(run: Run, block: str) -> None:
    """Each test that the documentation shows passes as it stands."""
    run.write("test_shown.py", block)
    assert re.search(r"\d passed", run())
