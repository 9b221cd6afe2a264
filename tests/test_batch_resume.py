"""A job that goes on: after a kill, a torn line, a changed input, and what it refuses to touch."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openrouter_async import BatchError, OpenRouter
from openrouter_async.batch import Job, JobSummary, Row
from openrouter_async.testing import Emulator, Pause, chat, http_error
from tests.batch_victim import CONCURRENCY

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def quick(emulator: Emulator) -> None:
    """A model that says the same to everybody."""
    emulator.always(chat("well", " said"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An input of ten prompts."""
    path = tmp_path / "in.jsonl"
    write(path, {f"n{number}": f"prompt {number}" for number in range(10)})
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where the output goes."""
    return tmp_path / "out.jsonl"


def write(path: Path, prompts: dict[str, str]) -> None:
    """Write an input."""
    items = [json.dumps({"id": id, "prompt": prompt}) for id, prompt in prompts.items()]
    path.write_text("".join(f"{item}\n" for item in items))


def lines(path: Path) -> list[Row]:
    """Every row of an output."""
    data = path.read_bytes()
    assert not data or data.endswith(b"\n")
    return [msgspec.json.decode(line, type=Row) for line in data.splitlines()]


async def run(client: OpenRouter, source: Path, output: Path, **settings: Any) -> JobSummary:
    """Run a job."""
    return await Job(source, output, concurrency=2, **settings).run(client)


# After a crash.


def kill_and_resume(
    base_url: str, source: Path, output: Path, kills: int, seed: int = 7
) -> subprocess.CompletedProcess[str]:
    """Kill a job at random moments so many times, then let it end."""
    chance = random.Random(seed)
    command = [sys.executable, str(HERE / "batch_victim.py"), base_url, str(source), str(output)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    for _ in range(kills):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as victim:
            assert victim.stdout is not None
            victim.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.4))
            victim.kill()
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_killed_at_random_moments(tmp_path: Path, output: Path) -> None:
    """Every id once, no line torn, and nothing paid for twice but what was in flight at a kill."""
    source = tmp_path / "in.jsonl"
    write(source, {f"n{number}": f"prompt {number}" for number in range(400)})
    kills = 3
    with Emulator.in_thread() as emulator:
        emulator.always(chat("an", "swer").after(1, Pause(0.01)))
        finished = kill_and_resume(emulator.base_url, source, output, kills)
        assert finished.stdout.split() == ["ready", "400"], finished.stderr
        sent = Counter(request.json["messages"][0]["content"] for request in emulator.requests)
    found = lines(output)
    assert sorted(row.id for row in found) == sorted(f"n{number}" for number in range(400))
    assert all(row.status == "ok" for row in found)
    assert len(sent) == 400
    again = sum(sent.values()) - 400
    assert again <= kills * CONCURRENCY
    print(f"{again} requests were in flight at {kills} kills")


@pytest.mark.parametrize("cut", [1, 20, 200])
async def test_a_torn_line_is_taken_off(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path, cut: int
) -> None:
    """What a crash leaves of the last row goes, and its item is sent again."""
    await run(client, source, output)
    data = output.read_bytes()
    assert data.count(b"\n") == 10
    output.write_bytes(data[: -cut - 1])
    summary = await run(client, source, output)
    assert (summary.done, emulator.accepted) == (10, 11)
    assert len({row.id for row in lines(output)}) == 10


async def test_a_row_that_only_lacks_its_end_is_kept(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """The answer was paid for and is all there."""
    await run(client, source, output)
    data = output.read_bytes()
    output.write_bytes(data[:-1])
    await run(client, source, output)
    assert (output.read_bytes(), emulator.accepted) == (data, 10)


async def test_what_a_power_cut_leaves_at_the_end(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """A block of zeros and halves of rows behind the last whole row are no rows."""
    await run(client, source, output)
    rest = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join(rest[:7]) + bytes(500) + b"\n" + rest[8][:30])
    await run(client, source, output)
    assert (len(lines(output)), emulator.accepted) == (10, 13)


# What is sent again, and what is not.


async def test_what_is_done_is_not_sent_again(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """A second run of the same job sends nothing and changes nothing."""
    await run(client, source, output)
    data = output.read_bytes()
    summary = await run(client, source, output)
    assert (summary.total, summary.done, summary.sent) == (10, 10, 0)
    assert (output.read_bytes(), emulator.accepted) == (data, 10)


async def test_a_longer_input_is_gone_on_with(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """Only what is new is sent, wherever it stands."""
    await run(client, source, output)
    write(source, {"first": "x", **{f"n{number}": f"prompt {number}" for number in range(12)}})
    summary = await run(client, source, output)
    assert (summary.total, summary.done, summary.sent, emulator.accepted) == (13, 13, 3, 13)


async def test_a_request_that_changed_is_sent_again(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """An answer is never taken for that of another question; its row takes the old one's place."""
    await run(client, source, output)
    write(source, {f"n{i}": "changed" if i == 4 else f"prompt {i}" for i in range(10)})
    summary = await run(client, source, output)
    assert (summary.done, summary.sent, emulator.accepted) == (10, 1, 11)
    assert Counter(row.id for row in lines(output)).most_common(1)[0][1] == 1


async def test_failures_are_kept_and_sent_again_on_request(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """They stay failed until `retry_failed`; then a success takes the place of the failure."""
    emulator.play(http_error(400, "no"), chat("half", "way").cut_after(1))
    first = await run(client, source, output)
    assert (first.done, first.failed) == (8, 2)
    assert (await run(client, source, output)).failed == 2
    assert emulator.accepted == 10
    emulator.play(http_error(400, "never"))
    again = await run(client, source, output, retry_failed=True)
    assert (again.done, again.failed, again.sent) == (9, 1, 2)
    last = await run(client, source, output, retry_failed=True)
    assert (last.done, last.failed, last.sent) == (10, 0, 1)
    assert emulator.accepted == 13
    assert len(lines(output)) == 10


async def test_what_failures_cost_is_not_forgotten(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """The row that takes a failure's place carries on what that had cost."""
    write(source, {"n0": "x"})
    emulator.play(chat("{", finish_reason="length"), chat("7"))
    await run(client, source, output, response_type=int)
    (failed,) = lines(output)
    assert failed.cost
    summary = await run(client, source, output, response_type=int, retry_failed=True)
    (row,) = lines(output)
    assert (row.status, row.cost_before) == ("ok", failed.cost)
    assert summary.cost == failed.cost + (row.cost or 0)


async def test_a_bad_line_that_was_mended(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """Its failure goes with it; one that stays bad is told of once."""
    source.write_text('{"id": "a", "prompt": "x"}\n{"id": "b", "prompt": \n"c\n')
    await run(client, source, output)
    await run(client, source, output)
    assert sorted(row.id for row in lines(output)) == ["a", "line-2", "line-3"]
    source.write_text('{"id": "a", "prompt": "x"}\n{"id": "b", "prompt": "y"}\n"c\n')
    summary = await run(client, source, output)
    assert sorted(row.id for row in lines(output)) == ["a", "b", "line-3"]
    assert (summary.done, summary.failed, emulator.accepted) == (2, 1, 2)


async def test_an_item_that_is_gone_keeps_its_row(
    client: OpenRouter, source: Path, output: Path
) -> None:
    """What was paid for stays in the output, and is not counted as an item of the input."""
    await run(client, source, output)
    write(source, {"n3": "prompt 3"})
    summary = await run(client, source, output)
    assert (summary.total, summary.done) == (1, 1)
    assert len(lines(output)) == 10


async def test_a_crash_between_two_rows_of_an_item(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """Where a kill left an old row beside the one that takes its place, the next run tidies up."""
    emulator.play(http_error(400, "no"))
    await run(client, source, output)
    failed = next(row for row in lines(output) if row.status == "failed")
    mended = msgspec.structs.replace(failed, status="ok", error=None, text="mended")
    with output.open("ab") as file:
        file.write(msgspec.json.encode(mended) + b"\n")
    summary = await run(client, source, output)
    assert (summary.done, summary.sent, emulator.accepted) == (10, 0, 10)
    assert [row.text for row in lines(output) if row.id == failed.id] == ["mended"]


# What it does not touch.


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "other"}, "its model is None, and here it is 'other'"),
        ({"system": "Be brief."}, "its system is another"),
        ({"template": "{prompt}"}, "its template is another"),
        ({"response_type": int}, "its response_type is another"),
        ({"temperature": 0}, "its parameters is another"),
    ],
)
async def test_an_output_of_another_job_is_refused(
    client: OpenRouter,
    emulator: Emulator,
    source: Path,
    output: Path,
    settings: dict[str, Any],
    said: str,
) -> None:
    """What differs is named, nothing is sent, and the output stays as it is."""
    await run(client, source, output)
    data = output.read_bytes()
    with pytest.raises(BatchError, match=f"out.jsonl belongs to another job: {said}"):
        await run(client, source, output, **settings)
    assert (output.read_bytes(), emulator.accepted) == (data, 10)


async def test_an_output_of_another_input_is_refused(
    client: OpenRouter, source: Path, output: Path
) -> None:
    """The input's name is part of what a job is."""
    await run(client, source, output)
    other = source.with_name("other.jsonl")
    other.write_bytes(source.read_bytes())
    with pytest.raises(BatchError, match=r"its input is 'in.jsonl', and here it is 'other.jsonl'"):
        await run(client, other, output)


async def test_a_file_that_no_job_has_written_is_refused(
    client: OpenRouter, source: Path, output: Path
) -> None:
    """Somebody's notes are not appended to."""
    output.write_text("my notes\n")
    with pytest.raises(BatchError, match="is not empty and has no manifest"):
        await run(client, source, output)
    assert output.read_text() == "my notes\n"
    assert not list(output.parent.glob("*.manifest.json"))


async def test_a_manifest_that_is_none_is_refused(
    client: OpenRouter, source: Path, output: Path
) -> None:
    """A file in the manifest's place that says nothing of a job is not written over."""
    manifest = output.with_name("out.jsonl.manifest.json")
    manifest.write_text("{}")
    with pytest.raises(BatchError, match="is no manifest of a job"):
        await run(client, source, output)
    assert manifest.read_text() == "{}"


async def test_a_line_that_is_no_row_is_named(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """In the midst of the output it is no crash's doing, so it is for the user to decide."""
    await run(client, source, output)
    rest = output.read_bytes().splitlines(keepends=True)
    data = b"".join([*rest[:3], b"# a remark\n", *rest[3:]])
    output.write_bytes(data)
    with pytest.raises(BatchError, match=r"line 4 of .*out\.jsonl is no result of a job"):
        await run(client, source, output)
    assert (output.read_bytes(), emulator.accepted) == (data, 10)


async def test_two_processes_do_not_write_one_output(
    client: OpenRouter, emulator: Emulator, source: Path, output: Path
) -> None:
    """The second is refused while the first runs, and may go on afterwards."""
    pytest.importorskip("fcntl")
    lock = (
        "import fcntl, sys; file = open(sys.argv[1], 'ab'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", lock, str(output) + ".lock"]
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert other.stdout is not None
    await other.stdout.readline()
    with pytest.raises(BatchError, match="is being written by another process"):
        await run(client, source, output)
    assert emulator.accepted == 0
    other.kill()
    await other.communicate()
    assert (await run(client, source, output)).done == 10
