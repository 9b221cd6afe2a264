"""Chats as a step of Ray Data, and jobs on a cluster: a real one, of this machine, with two CPUs."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openrouter_async import BatchError, Limits, OpenRouter, RetryPolicy
from openrouter_async.batch import Job
from openrouter_async.errors import AuthenticationError
from openrouter_async.integrations.ray import ChatStep, Cluster, Desk, RayJob, map_chats
from openrouter_async.testing import Emulator, Pause, chat, http_error
from tests.documented import Block, blocks, fill, run_console, run_python
from tests.integration.tools import need

need("ray.data", "psutil")

# They know too few types for a strict checker.
psutil: Any = importlib.import_module("psutil")
ray: Any = importlib.import_module("ray")
importlib.import_module("ray.data")

KEY = "sk-or-v1-test-key"
MODEL = "openai/gpt-4o-mini"
ROOT = Path(__file__).resolve().parents[2]

# What Ray itself leaves open or says of itself is not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@dataclass
class Mood:
    """What is asked for."""

    mood: str
    stars: int


def children() -> set[int]:
    """The processes that this one has started, and theirs."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def raylets() -> set[int]:
    """The nodes of clusters on this machine."""
    return {process.pid for process in psutil.process_iter() if process.name() == "raylet"}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    """An emulator that the environment names, also to the processes of the cluster."""
    with Emulator.in_thread() as emulator, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENROUTER_API_KEY", KEY)
        patch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("PYTHONPATH", str(ROOT))
        yield emulator


@pytest.fixture(scope="module")
def cluster(server: Emulator) -> Iterator[None]:
    """A cluster with two CPUs, of which nothing stays."""
    before = children()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()
    deadline = time.monotonic() + 30
    while left := children() - before:
        assert time.monotonic() < deadline, [psutil.Process(pid).cmdline() for pid in left]
        time.sleep(0.1)


@pytest.fixture
def emulator(server: Emulator, cluster: None) -> Iterator[Emulator]:
    """The emulator with nothing set, beside a cluster."""
    server.always(None)
    yield server
    server.always(None)


@pytest.fixture
def counting(emulator: Emulator) -> Counting:
    """What the emulator is asked from here on."""
    return Counting(emulator)


class Counting:
    """The requests since a moment."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._before = len(emulator.requests)
        self._sent = emulator.accepted

    @property
    def sent(self) -> int:
        """How many chat requests there were since then."""
        return self._emulator.accepted - self._sent

    @property
    def requests(self) -> list[Any]:
        """The chat requests since then."""
        since = self._emulator.requests[self._before :]
        return [request for request in since if request.method == "POST"]

    @property
    def prompts(self) -> Counter[str]:
        """How often each prompt came."""
        return Counter(request.json["messages"][-1]["content"] for request in self.requests)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk for one test."""
    made = Desk("test")
    yield made
    made.close()


def client_of(emulator: Emulator, **settings: Any) -> OpenRouter:
    """A client whose key the actors find in their environment."""
    return OpenRouter(KEY, base_url=emulator.base_url, **settings)


def rows(count: int) -> Any:
    """A dataset of texts, in eight blocks."""
    items = [{"id": f"n{number}", "text": f"text {number}"} for number in range(count)]
    return ray.data.from_items(items, override_num_blocks=min(8, count))


def titles() -> Iterator[tuple[Any, str]]:
    """Give the processes of the cluster with their titles; one that ends meanwhile has none."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            yield process, " ".join(process.cmdline()).strip()


def kill_a_step() -> int:
    """Kill one of the actors that have rows; give its process id."""
    for process, name in titles():
        if "MapBatches(ChatStep)" in name and name.endswith(".submit"):  # is at work
            process.send_signal(signal.SIGKILL)
            return int(process.pid)
    raise AssertionError("no actor is there")


def test_2000_rows_over_two_actors_one_of_which_dies(
    emulator: Emulator, counting: Counting
) -> None:
    """Every row once, none paid twice but those in flight, and the cluster keeps to its rate."""
    limit, at_once = 1_200, 40
    emulator.always(chat("an", "swer").after(1, Pause(0.05)))
    desk = Desk("two actors", requests_per_minute=limit)
    client = client_of(emulator, model=MODEL)
    answers = map_chats(
        rows(2_000), client, desk=desk, template="Say {text}", at_once=at_once, actors=2
    )
    killed: list[int] = []

    def kill_in_the_middle() -> None:
        emulator.block_until(lambda: counting.sent >= 500, timeout=60)
        killed.append(kill_a_step())

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    try:
        found = answers.take_all()
    finally:
        killer.join()
        desk.close()
    assert killed
    assert Counter(row["id"] for row in found) == Counter(f"n{number}" for number in range(2_000))
    assert {row["answer_status"] for row in found} == {"ok"}
    assert {row["answer"] for row in found} == {"answer"}
    assert len(counting.prompts) == 2_000
    again = counting.prompts.total() - 2_000
    assert 0 < again <= at_once, f"{again} requests were paid for twice"
    moments = sorted(request.at for request in counting.requests)
    # Leave is given so that no sixty seconds see more; what is held up on its way comes nearer to
    # what follows it. Without a limit the whole job takes a third of this.
    assert all(late - early >= 40 for early, late in zip(moments, moments[limit:], strict=False))
    print(f"{again} requests were in flight at the kill")


def test_errors_are_columns_and_the_rest_goes_on(
    emulator: Emulator, desk: Desk, counting: Counting
) -> None:
    """A refusal and a row that is no request fail alone, each with its reason; columns stay."""
    items = [{"id": "a", "prompt": "x", "n": 1}, {"id": "b", "prompt": None, "n": 2}]
    items += [{"id": "c", "prompt": "z", "n": 3}]
    emulator.play(http_error(400, "not like that"))
    found = map_chats(
        ray.data.from_items(items), client_of(emulator, model=MODEL), desk=desk, actors=1, at_once=1
    ).take_all()
    by_id = {row["id"]: row for row in found}
    assert [by_id[id]["n"] for id in "abc"] == [1, 2, 3]
    assert by_id["a"]["answer_error_kind"] == "BadRequestError"
    assert "not like that" in by_id["a"]["answer_error"]
    assert by_id["b"]["answer_error_kind"] == "BadLine"
    assert "either 'prompt' or 'messages'" in by_id["b"]["answer_error"]
    assert (by_id["c"]["answer_status"], by_id["c"]["answer_error"]) == ("ok", None)
    assert by_id["c"]["answer_cost"] > 0
    assert counting.sent == 2


def test_values_of_a_type(emulator: Emulator, desk: Desk) -> None:
    """The value is a column of its own, whatever a batch's format is."""
    emulator.always(chat('{"mood": "good", "stars": 4}'))
    for batch_format in ("numpy", "pandas", "pyarrow"):
        settings = {
            "client": client_of(emulator, model=MODEL),
            "template": "Judge {text}",
            "response_type": Mood,
        }
        found = (
            rows(3)
            .map_batches(
                ChatStep,
                fn_constructor_kwargs=settings,
                batch_format=batch_format,
                num_cpus=0.05,
                compute=ray.data.ActorPoolStrategy(size=1),
            )
            .take_all()
        )
        assert [row["answer_value"] for row in found] == [{"mood": "good", "stars": 4}] * 3


def test_a_journal_outlives_everything(
    emulator: Emulator, counting: Counting, tmp_path: Path
) -> None:
    """Another desk with the same file knows the answers; one for other questions is refused."""
    journal = tmp_path / "journal.jsonl"
    client = client_of(emulator, model=MODEL)
    for _ in range(2):
        desk = Desk("with a journal", journal=journal)
        found = map_chats(rows(20), client, desk=desk, template="Say {text}").take_all()
        desk.close()
        assert len({row["id"] for row in found}) == 20
        assert counting.sent == 20
    assert len(journal.read_bytes().splitlines()) == 20
    with pytest.raises(BatchError, match="belongs to another job"):
        Desk("another", journal=journal)


def test_one_refusal_holds_back_the_whole_cluster(
    emulator: Emulator, counting: Counting, desk: Desk
) -> None:
    """What one actor is told by a 429, the others keep to."""
    wait = 2.0
    emulator.play(http_error(429, "Slow down", headers={"Retry-After": f"{wait:g}"}))
    client = client_of(emulator, model=MODEL, retry=RetryPolicy(max_attempts=5))
    found = map_chats(rows(16), client, desk=desk, template="Say {text}", at_once=1).take_all()
    assert {row["answer_status"] for row in found} == {"ok"}
    moments = [request.at for request in counting.requests]
    assert len(moments) == 17
    gaps = [late - early for early, late in pairwise(moments)]
    assert max(gaps[:4]) >= 0.9 * wait


def test_a_key_that_is_refused_ends_the_step(emulator: Emulator) -> None:
    """That concerns all rows, so none is marked as failed for it."""
    emulator.always(http_error(401, "No such key"))
    answers = map_chats(rows(4), client_of(emulator, model=MODEL), template="Say {text}", actors=1)
    with pytest.raises(Exception, match="No such key"):
        answers.take_all()


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"template": "{text"}, ValueError, "template"),
        ({"model": 3}, TypeError, "model must be a str"),
        ({"temprature": 1}, TypeError, "temperature"),
    ],
)
def test_wrong_settings_raise_at_the_call(
    emulator: Emulator, settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    """On the side of who calls, before an actor is made."""
    with pytest.raises(error, match=said):
        map_chats(rows(1), client_of(emulator), **settings)


def test_structs_of_the_main_program_are_refused(emulator: Emulator) -> None:
    """They would arrive without their fields, and every answer would fit."""
    kind = msgspec.defstruct("Kind", [("mood", str)], module="__main__")
    with pytest.raises(TypeError, match="Kind is defined in the main program"):
        map_chats(rows(1), client_of(emulator), template="{text}", response_type=list[kind])  # type: ignore[valid-type]


def test_rows_that_have_such_a_column(emulator: Emulator) -> None:
    """It is named, not replaced."""
    items = [{"prompt": "x", "answer": "mine"}]
    answers = map_chats(ray.data.from_items(items), client_of(emulator, model=MODEL), actors=1)
    with pytest.raises(Exception, match="a column 'answer' already"):
        answers.take_all()


# Jobs.


def write_job(folder: Path, count: int) -> Path:
    """An input of prompts."""
    source = folder / "in.jsonl"
    items = [{"id": f"n{number}", "prompt": f"prompt {number}"} for number in range(count)]
    source.write_text("".join(f"{json.dumps(item)}\n" for item in items))
    return source


def run(job: Job, client: OpenRouter, **settings: Any) -> Any:
    """Run a job on the cluster."""

    async def main() -> Any:
        async with client:
            return await RayJob(job, client, **settings).run()

    return asyncio.run(main())


def output_of(path: Path) -> dict[str, Any]:
    """The rows of an output by id, each of which is there once."""
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row for row in found}


def test_a_job_on_the_cluster(emulator: Emulator, counting: Counting, tmp_path: Path) -> None:
    """Typed values, failures and resuming are as with one client; an actor may die."""
    emulator.always(chat("4", "2").after(1, Pause(0.02)))
    emulator.play(http_error(400, "no"))
    source, output = write_job(tmp_path, 400), tmp_path / "out.jsonl"
    settings: dict[str, Any] = {"model": MODEL, "response_type": int, "concurrency": 20}
    killed: list[int] = []

    def kill() -> None:
        emulator.block_until(lambda: counting.sent >= 100, timeout=60)
        for process, name in titles():
            if "_Worker" in name:
                process.send_signal(signal.SIGKILL)
                killed.append(process.pid)
                return

    killer = threading.Thread(target=kill)
    killer.start()
    summary = run(Job(source, output, **settings), client_of(emulator))
    killer.join()
    assert killed
    assert (summary.done, summary.failed, summary.left) == (399, 1, 0)
    found = output_of(output)
    assert [row["value"] for row in found.values() if row["status"] == "ok"] == [42] * 399
    assert len(counting.prompts) == 400
    assert counting.prompts.total() - 400 <= 20
    again = run(Job(source, output, retry_failed=True, **settings), client_of(emulator))
    assert (again.done, again.sent) == (400, 1)


def test_a_budget_holds_for_the_cluster(
    emulator: Emulator, counting: Counting, tmp_path: Path
) -> None:
    """It is kept where the job is, and what it does not reach is marked."""
    source, output = write_job(tmp_path, 40), tmp_path / "out.jsonl"
    settings: dict[str, Any] = {"model": MODEL, "max_tokens": 20, "concurrency": 8}
    first = run(Job(source, output, budget=0.0003, **settings), client_of(emulator))
    assert 3 < first.done < 37
    assert first.done + first.unpaid == 40
    assert first.cost <= 0.0003
    assert counting.sent == first.done
    second = run(Job(source, output, budget=1, **settings), client_of(emulator))
    assert (second.done, second.sent) == (40, first.unpaid)


def test_the_limits_of_a_job_hold_for_the_cluster(
    emulator: Emulator, counting: Counting, tmp_path: Path
) -> None:
    """Two actors together send no more in a minute than one client would."""
    source = write_job(tmp_path, 12)
    client = client_of(emulator, model=MODEL, limits=Limits(requests_per_minute=8))

    async def main() -> None:
        job = Job(source, tmp_path / "out.jsonl")
        running = asyncio.create_task(RayJob(job, client).run())
        await emulator.wait_for(lambda: counting.sent >= 8, timeout=60)
        await asyncio.sleep(1)  # nothing more comes, however long one looks
        assert counting.sent == 8
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(main())
    assert len(output_of(tmp_path / "out.jsonl")) == 8


def test_a_refused_key_ends_a_job(emulator: Emulator, tmp_path: Path) -> None:
    """The error arrives as what it is."""
    emulator.always(http_error(401, "No such key"))
    job = Job(write_job(tmp_path, 3), tmp_path / "out.jsonl", model=MODEL)
    with pytest.raises(AuthenticationError, match="No such key"):
        run(job, client_of(emulator))


def test_a_cluster_that_runs_is_used_and_left(emulator: Emulator) -> None:
    """`Cluster` ends only what it has begun."""
    with Cluster("auto"):
        pass
    assert ray.is_initialized()


def test_the_command_on_a_cluster_of_its_own(server: Emulator, tmp_path: Path) -> None:
    """`--ray local` begins one, runs the job on it, and leaves nothing of it behind."""
    write_job(tmp_path, 30)
    before, others = len(server.requests), raylets()
    command = [sys.executable, "-m", "openrouter_async.cli", "batch", "in.jsonl", "out.jsonl"]
    command += ["--model", MODEL, "--ray", "local", "--actors", "2", "--json"]
    own = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.base_url}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["done"] == 30
    assert raylets() <= others
    assert len(output_of(tmp_path / "out.jsonl")) == 30
    assert len([r for r in server.requests[before:] if r.method == "POST"]) == 30


# What the pages show


def shown(language: str) -> list[object]:
    """The blocks that need a cluster."""
    found = [block for block in blocks(language) if block.is_large]
    return [
        pytest.param(block, id=block.name)
        for block in found
        if language == "console" or "ray" in block.imports
    ]


@pytest.mark.filterwarnings("ignore:The minimum number of concurrent actors")  # there is one row
@pytest.mark.parametrize("block", shown("python"))
async def test_documented_code_runs(
    block: Block, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block of Python about Ray runs as it stands, on the cluster."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, block.page)
    await run_python(block, emulator, monkeypatch)


@pytest.mark.parametrize("block", shown("console"))
async def test_documented_commands_run(block: Block, emulator: Emulator, tmp_path: Path) -> None:
    """Each command about Ray runs, and leaves its answers."""
    fill(tmp_path, block.page)
    await run_console(block, emulator, tmp_path)
    assert json.loads((tmp_path / "answers.jsonl").read_text())["id"] == "r1"
