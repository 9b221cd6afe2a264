"""Chats as a step of Ray Data, and jobs on a cluster: a real one, of this machine, with two CPUs."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openrouter_async import BatchError, Limits, OpenRouter, RetryPolicy
from openrouter_async.batch import Job
from openrouter_async.errors import AuthenticationError
from openrouter_async.integrations import _ray_desk
from openrouter_async.integrations.ray import ChatStep, Cluster, Desk, RayJob, map_chats
from openrouter_async.testing import Emulator, chat, http_error
from tests.integration.noting_desk import NotingDesk, Span
from tests.integration.tools import need

need("ray.data", "psutil")

# They know too few types for a strict checker.
psutil: Any = importlib.import_module("psutil")
ray: Any = importlib.import_module("ray")
importlib.import_module("ray.data")

KEY = "sk-or-v1-test-key"
MODEL = "openai/gpt-4o-mini"
ROOT = Path(__file__).resolve().parents[2]
# Seconds. What is waited for so long comes; a cluster on a busy machine takes its time.
PATIENCE = 120

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


def processes_with(variable: str) -> list[str]:
    """The processes of this machine that have a variable in their environment."""
    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if variable in process.environ():
                found.append(" ".join(process.cmdline()))
    return found


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
    deadline = time.monotonic() + PATIENCE
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


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Desks remember when they gave leave."""
    monkeypatch.setattr(_ray_desk, "DeskWork", NotingDesk)


def noted_by(desk: Desk) -> tuple[list[Span], list[Span]]:
    """What a desk remembers: its grants and its pauses."""
    grants, pauses = ray.get(desk._actor.noted.remote())  # pyright: ignore[reportPrivateUsage]
    return grants, pauses


def check_leave(grants: list[Span], counting: Counting) -> None:
    """Nothing came without leave.

    However long a request was on its way: by the time that so many have come, so many had leave.
    """
    moments = sorted(request.at for request in counting.requests)
    assert len(moments) <= len(grants)
    assert all(given <= came for (given, _), came in zip(grants, moments, strict=False))


def client_of(emulator: Emulator, **settings: Any) -> OpenRouter:
    """A client whose key the actors find in their environment."""
    return OpenRouter(KEY, base_url=emulator.base_url, **settings)


def rows(count: int) -> Any:
    """A dataset of texts, in eight blocks."""
    items = [{"id": f"n{number}", "text": f"text {number}"} for number in range(count)]
    return ray.data.from_items(items, override_num_blocks=min(8, count))


@contextmanager
def meanwhile(emulator: Emulator, work: Callable[[], object], answer: Any) -> Generator[None]:
    """Do something in another thread; where it fails, let go of what is held."""

    def to_its_end() -> None:
        try:
            work()
        except BaseException:
            emulator.always(answer)
            emulator.release(emulator.holding)
            raise

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(to_its_end)
        yield
        working.result()


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


def test_2000_rows_over_two_actors_one_of_which_dies(cluster: None, noting: None) -> None:
    """Every row once, none paid twice but those in flight, and the cluster keeps to its rate."""
    limit, at_once = 1_200, 40
    with Emulator.in_thread() as emulator:
        counting, answer = Counting(emulator), chat("an", "swer")
        held = answer.hold_after(1)
        emulator.play(*[answer] * 500, *[held] * (at_once + 1))  # more than one can have under way
        emulator.always(answer)
        desk = Desk("two actors", requests_per_minute=limit)
        client = client_of(emulator, model=MODEL)
        answers = map_chats(
            rows(2_000), client, desk=desk, template="Say {text}", at_once=at_once, actors=2
        )

        def kill_in_the_middle() -> None:
            emulator.block_until(lambda: emulator.holding == at_once + 1, timeout=PATIENCE)
            kill_a_step()
            emulator.release(at_once + 1)

        with meanwhile(emulator, kill_in_the_middle, answer):
            found = answers.take_all()
        grants, _ = noted_by(desk)
        desk.close()
    assert Counter(row["id"] for row in found) == Counter(f"n{number}" for number in range(2_000))
    assert {row["answer_status"] for row in found} == {"ok"}
    assert {row["answer"] for row in found} == {"answer"}
    assert len(counting.prompts) == 2_000
    again = counting.prompts.total() - 2_000
    assert 0 < again <= at_once, f"{again} requests were paid for twice"
    check_leave(grants, counting)
    # In no minute was leave given to more: the one behind `limit` others had it a minute later.
    assert all(
        late[1] - early[0] >= 60 for early, late in zip(grants, grants[limit:], strict=False)
    )


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


def test_a_budget_holds_for_all_actors(emulator: Emulator, counting: Counting) -> None:
    """What can be under way is what the desk has money for; what is given back goes on."""
    answer = chat("yes", cost=0.1)
    emulator.always(answer.hold_after(1))
    desk = Desk("with a budget", budget=12, per_request=1)
    answers = map_chats(
        rows(40), client_of(emulator, model=MODEL), desk=desk, template="Say {text}", at_once=20
    )

    def look() -> None:
        emulator.block_until(lambda: emulator.holding == 12, timeout=PATIENCE)
        time.sleep(1)  # nothing more comes, however long one looks
        assert (counting.sent, emulator.holding) == (12, 12)
        account = desk.account()
        assert account is not None
        assert (account.limit, account.spent, account.reserved) == (12, 0, 12)
        emulator.always(answer)
        emulator.release(12)

    with meanwhile(emulator, look, answer):
        found = answers.take_all()
    account = desk.account()
    desk.close()
    assert {row["answer_status"] for row in found} == {"ok"}
    assert account is not None
    assert (round(account.spent, 6), account.reserved) == (4, 0)


def test_rows_beyond_a_budget_are_marked_and_done_with_more(
    emulator: Emulator, counting: Counting, tmp_path: Path
) -> None:
    """They are unpaid, and the next desk with the journal and more money does only those."""
    journal = tmp_path / "journal.jsonl"
    client = client_of(emulator, model=MODEL)
    emulator.always(chat("4", "2", cost=0.1))

    def run_with(budget: float) -> tuple[list[Any], float]:
        desk = Desk("of reviews", budget=budget, per_request=0.2, journal=journal)
        found = map_chats(
            rows(40),
            client,
            desk=desk,
            template="Rate {text}",
            response_type=int,
            at_once=8,
            max_tokens=9,
        ).take_all()
        account = desk.account()
        desk.close()
        assert account is not None
        assert account.reserved == 0
        return found, account.spent

    found, spent = run_with(1.05)
    by_status = Counter(row["answer_status"] for row in found)
    done = by_status["ok"]
    assert by_status == {"ok": done, "unpaid": 40 - done}
    assert 0.85 < spent <= 1.05  # there was no room for one more
    assert spent == pytest.approx(0.1 * done)
    assert counting.sent == done
    unpaid = next(row for row in found if row["answer_status"] == "unpaid")
    assert "exceeds the budget 'of reviews'" in unpaid["answer_error"]
    assert unpaid["answer_error_kind"] == "BudgetExceededError"
    assert run_with(1.05)[1] == pytest.approx(spent)  # what an earlier run has cost counts
    assert counting.sent == done
    found, spent = run_with(100)
    assert [row["answer_value"] for row in found] == [42] * 40
    assert spent == pytest.approx(4)
    assert counting.prompts.total() == len(counting.prompts) == 40


def test_what_failures_cost_counts(emulator: Emulator, tmp_path: Path) -> None:
    """It is in the account, and in that of the next desk with the journal."""
    journal = tmp_path / "journal.jsonl"
    client = client_of(emulator, model=MODEL)
    emulator.always(chat("not a number", cost=0.1))
    spent: list[float] = []
    for _ in range(2):
        desk = Desk("fails", budget=1, per_request=0.2, journal=journal)
        found = map_chats(
            rows(2), client, desk=desk, template="Rate {text}", response_type=int, actors=1
        ).take_all()
        account = desk.account()
        desk.close()
        assert account is not None
        spent.append(account.spent)
        assert [row["answer_error_kind"] for row in found] == ["ParseError"] * 2
        assert [row["answer_cost"] for row in found] == [0.1] * 2
    assert spent == pytest.approx([0.2, 0.4])
    assert len(journal.read_bytes().splitlines()) == 2


def test_the_price_list_says_what_a_row_can_cost(emulator: Emulator, counting: Counting) -> None:
    """Without a sum for each request, what has no price is an error and is not sent."""

    def answers_of(model: str) -> list[Any]:
        desk = Desk("by the list", budget=1)
        client = client_of(emulator, model=model)
        answers = map_chats(rows(3), client, desk=desk, template="Say {text}", actors=1)
        found: list[Any] = answers.take_all()
        account = desk.account()
        desk.close()
        assert account is not None
        assert account.reserved == 0
        assert account.spent == pytest.approx(sum(row["answer_cost"] or 0 for row in found))
        return found

    priced = answers_of(MODEL)
    assert [row["answer_status"] for row in priced] == ["ok"] * 3
    assert min(row["answer_cost"] for row in priced) > 0
    kinds = [row["answer_error_kind"] for row in answers_of("no/such-model")]
    assert kinds == ["BudgetUnpriceableError"] * 3
    assert counting.sent == 3


def test_one_refusal_holds_back_the_whole_cluster(
    emulator: Emulator, counting: Counting, noting: None
) -> None:
    """What one actor is told by a 429, the others keep to: the desk gives leave to nobody."""
    wait = 2.0
    emulator.play(http_error(429, "Slow down", headers={"Retry-After": f"{wait:g}"}))
    client = client_of(emulator, model=MODEL, retry=RetryPolicy(max_attempts=5))
    desk = Desk("is told")
    found = map_chats(rows(16), client, desk=desk, template="Say {text}", at_once=1).take_all()
    grants, pauses = noted_by(desk)
    desk.close()
    assert {row["answer_status"] for row in found} == {"ok"}
    assert counting.sent == 17
    check_leave(grants, counting)
    [(begins, ends)] = pauses
    assert ends - begins > 0.5 * wait  # told at once, whatever the telling took
    assert not [grant for grant in grants if begins <= grant[0] and grant[1] < ends]
    assert [grant for grant in grants if grant[1] >= ends]


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


def test_a_journal_keeps_each_question(
    emulator: Emulator, counting: Counting, tmp_path: Path
) -> None:
    """Rows whose ids come twice and that ask something else are two answers."""
    items = [{"id": "same", "prompt": f"question {number}"} for number in range(3)]
    for _ in range(2):
        desk = Desk("same ids", journal=tmp_path / "journal.jsonl")
        data = ray.data.from_items(items)
        found = map_chats(data, client_of(emulator, model=MODEL), desk=desk, actors=1).take_all()
        desk.close()
        assert [row["answer_status"] for row in found] == ["ok"] * 3
        assert counting.sent == 3


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"budget": -1}, ValueError, "budget must be greater than 0"),
        ({"budget": "5"}, TypeError, "budget must be a number"),
        ({"budget": 5, "per_request": 0}, ValueError, "per_request must be greater than 0"),
        ({"per_request": 1}, ValueError, "per_request needs a budget"),
    ],
)
def test_wrong_money_raises_at_the_call(
    settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    """Before a desk is made."""
    with pytest.raises(error, match=said):
        Desk("wrong", **settings)


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


@pytest.mark.parametrize("per_minute", [None, 100_000])
def test_a_job_on_the_cluster(
    emulator: Emulator, counting: Counting, tmp_path: Path, per_minute: int | None
) -> None:
    """Typed values, failures and resuming are as with one client; an actor may die."""
    at_once, answer = 20, chat("4", "2")
    emulator.play(http_error(400, "no"), *[answer] * 99)
    emulator.always(answer.hold_after(1))
    source, output = write_job(tmp_path, 400), tmp_path / "out.jsonl"
    settings: dict[str, Any] = {"model": MODEL, "response_type": int, "concurrency": at_once}

    def kill() -> None:
        emulator.block_until(lambda: emulator.holding == at_once, timeout=PATIENCE)
        emulator.always(answer)
        process = next(process for process, name in titles() if "_Worker" in name)
        process.send_signal(signal.SIGKILL)
        emulator.block_until(lambda: emulator.holding == at_once // 2, timeout=PATIENCE)
        emulator.release(at_once // 2)

    with meanwhile(emulator, kill, answer):
        summary = run(
            Job(source, output, **settings),
            client_of(emulator, limits=Limits(requests_per_minute=per_minute)),
        )
    assert (summary.done, summary.failed, summary.left) == (399, 1, 0)
    found = output_of(output)
    assert [row["value"] for row in found.values() if row["status"] == "ok"] == [42] * 399
    assert len(counting.prompts) == 400
    assert counting.prompts.total() - 400 == at_once // 2  # what was in flight at the kill
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


@pytest.mark.parametrize("adaptive", [True, False])
def test_the_limits_of_a_job_hold_for_the_cluster(
    emulator: Emulator, counting: Counting, tmp_path: Path, adaptive: bool
) -> None:
    """Two actors together send no more in a minute than one client would."""
    source, output = write_job(tmp_path, 12), tmp_path / "out.jsonl"
    limits = Limits(requests_per_minute=8, adaptive=adaptive)
    client = client_of(emulator, model=MODEL, limits=limits)

    async def main() -> None:
        running = asyncio.create_task(RayJob(Job(source, output), client).run())
        await emulator.wait_for(
            lambda: output.exists() and output.read_bytes().count(b"\n") >= 8, timeout=PATIENCE
        )
        await asyncio.sleep(1)  # nothing more comes, however long one looks
        assert counting.sent == 8
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(main())
    assert len(output_of(output)) == 8


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
    before, mark = len(server.requests), f"OPENROUTER_ASYNC_TEST_{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "openrouter_async.cli", "batch", "in.jsonl", "out.jsonl"]
    command += ["--model", MODEL, "--ray", "local", "--actors", "2", "--json"]
    command += ["--requests-per-minute", "10000"]
    own = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": server.base_url}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **own, mark: "1"},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "core_worker" not in done.stderr  # where Ray speaks for itself
    assert json.loads(done.stdout.splitlines()[-1])["done"] == 30
    deadline = time.monotonic() + PATIENCE
    while left := processes_with(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert len(output_of(tmp_path / "out.jsonl")) == 30
    assert len([r for r in server.requests[before:] if r.method == "POST"]) == 30
