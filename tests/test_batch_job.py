"""A job at work: rows, values, images, money, equal requests, progress, and what ends it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openrouter_async import (
    BatchError,
    Budget,
    Limits,
    OpenRouter,
    RetryPolicy,
)
from openrouter_async.batch import Job, JobProgress, JobSummary, Row
from openrouter_async.errors import AuthenticationError, PaymentRequiredError
from openrouter_async.testing import Emulator, Pause, chat, http_error
from tests.quiet import KEY, PNG, assert_nothing_leased, settled

HERE = Path(__file__).parent
MODEL = "openai/gpt-4o-mini"


def rows(path: Path) -> dict[str, Row]:
    """The rows of an output by id; every id stands in it once."""
    lines = [msgspec.json.decode(line, type=Row) for line in path.read_bytes().splitlines()]
    found = {row.id: row for row in lines}
    assert len(found) == len(lines)
    return found


def prompts(folder: Path, count: int, *, same: int | None = None) -> Path:
    """An input of so many prompts; all are alike after `same`."""
    path = folder / "in.jsonl"
    numbers = [number if same is None else min(number, same) for number in range(count)]
    items = [{"id": f"n{i}", "prompt": f"prompt {number}"} for i, number in enumerate(numbers)]
    path.write_text("\n".join(json.dumps(item) for item in items))
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where the output goes."""
    return tmp_path / "out.jsonl"


# What a row says.


async def test_a_row_says_what_came(client: OpenRouter, tmp_path: Path, output: Path) -> None:
    """Text, reason, model, provider, id, usage, cost, and how long it took."""
    summary = await Job(prompts(tmp_path, 3), output, model=MODEL, max_tokens=5).run(client)
    row = rows(output)["n1"]
    assert (row.status, row.line, row.error, row.model) == ("ok", 2, None, MODEL)
    assert row.text
    assert row.finish_reason == "length"
    assert row.provider == "OpenAI"
    assert (row.generation_id or "").startswith("gen-")
    assert row.usage is not None
    assert 0 < row.usage.completion_tokens <= 5
    assert row.cost == row.usage.cost
    assert row.seconds is not None
    assert summary.cost == pytest.approx(sum(row.cost or 0 for row in rows(output).values()))
    tokens = [row.usage.completion_tokens for row in rows(output).values() if row.usage]
    assert summary.completion_tokens == sum(tokens)
    assert summary.is_whole


async def test_what_failed_keeps_its_reason(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """An error's class, status and sentence, and what had come of the answer."""
    emulator.play(
        chat("fine"), http_error(400, "too long"), chat("half", " an answer").cut_after(1)
    )
    summary = await Job(prompts(tmp_path, 3), output, concurrency=1).run(client)
    found = rows(output)
    refused, broken = found["n1"].error, found["n2"].error
    assert refused is not None
    assert (refused.kind, refused.status, refused.billed) == ("BadRequestError", 400, "no")
    assert "too long" in refused.message
    assert broken is not None
    assert (broken.kind, broken.billed) == ("StreamBrokenError", "unknown")
    assert found["n2"].text == "half"
    assert summary.failures == {"BadRequestError": 1, "StreamBrokenError": 1}
    assert not summary.is_whole


class Review(msgspec.Struct):
    """A typed answer."""

    stars: int
    words: list[str]


async def test_typed_values(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """The value stands in the row as JSON; an answer that is none fails, its text kept."""
    emulator.play(chat('{"stars": 4, "words": ["good"]}'), chat('{"stars": "many"}'))
    job = Job(prompts(tmp_path, 2), output, response_type=Review, concurrency=1)
    await job.run(client)
    good, bad = rows(output)["n0"], rows(output)["n1"]
    assert msgspec.convert(good.value, Review) == Review(4, ["good"])
    assert good.text is None
    assert bad.error is not None
    assert bad.error.kind == "ParseError"
    assert bad.text == '{"stars": "many"}'
    assert emulator.requests[0].json["response_format"]["json_schema"]["name"] == "Review"


async def test_pydantic_values(client: OpenRouter, tmp_path: Path, output: Path) -> None:
    """A pydantic model is written as its own JSON."""
    pydantic = pytest.importorskip("pydantic")
    model: Any = pydantic.create_model("Point", x=(int, ...), y=(int, ...))
    await Job(prompts(tmp_path, 1), output, response_type=model).run(client)
    value: Any = rows(output)["n0"].value
    assert set(value) == {"x", "y"}


async def test_images_become_files(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """They lie in the folder under the item's id, with their names in the row."""
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "../a b/é", "prompt": "x"}\n{"id": "none", "prompt": "y"}\n')
    emulator.play(chat("Here.", images=[PNG, PNG + b"2"]), chat("I will not draw."))
    job = Job(source, output, images_to=tmp_path / "pictures", concurrency=1)
    await job.run(client)
    found = rows(output)
    names = found["../a b/é"].images or []
    assert [(tmp_path / "pictures" / name).read_bytes() for name in names] == [PNG, PNG + b"2"]
    assert emulator.requests[0].json["modalities"] == ["image", "text"]
    error = found["none"].error
    assert error is not None
    assert "I will not draw." in error.message


async def test_images_without_a_folder_stay_in_the_row(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """What was paid for is not thrown away."""
    emulator.play(chat("Here.", images=[PNG]))
    await Job(prompts(tmp_path, 1), output).run(client)
    (url,) = rows(output)["n0"].images or []
    assert url.startswith("data:image/png;base64,")


async def test_tool_calls_stand_in_the_row(
    client: OpenRouter, tmp_path: Path, output: Path
) -> None:
    """An answer that only calls tools is no empty answer."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    await Job(prompts(tmp_path, 1), output, tools=[tool]).run(client)
    (call,) = rows(output)["n0"].tool_calls or []
    assert call["function"]["name"] == "weather"


# Money.


async def test_a_budget_marks_the_rest_and_more_money_does_it(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """Nothing beyond it is spent; what was not paid for is done by a run with more, and only that."""
    source = prompts(tmp_path, 40)
    settings: dict[str, Any] = {"model": MODEL, "max_tokens": 20, "concurrency": 8}
    first = await Job(source, output, budget=0.0003, **settings).run(client)
    assert first.done > 3
    assert first.unpaid > 3
    assert first.cost <= 0.0003
    assert first.done + first.unpaid == 40
    assert emulator.accepted == first.done
    second = await Job(source, output, budget=1, **settings).run(client)
    assert (second.done, second.unpaid, second.sent) == (40, 0, first.unpaid)
    assert emulator.accepted == 40
    assert all(row.status == "ok" for row in rows(output).values())


async def test_a_budget_holds_over_all_runs(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """The same job run again does not spend its budget again."""
    job = Job(prompts(tmp_path, 40), output, model=MODEL, max_tokens=20, budget=0.0003)
    first = await job.run(client)
    sent = emulator.accepted
    for _ in range(3):
        again = await job.run(client)
        assert again.cost <= 0.0003
        assert again.done + again.unpaid == first.total == 40
    assert emulator.accepted - sent <= 3


async def test_what_is_only_held_is_waited_for(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """Many at once hold more than the budget has, and cost far less: nobody is refused for that."""
    budget = Budget(0.01, per_request=0.004)
    emulator.always(chat("cheap"))
    job = Job(prompts(tmp_path, 30), output, concurrency=20, budget=budget)
    summary = await job.run(client)
    assert (summary.done, summary.unpaid) == (30, 0)
    assert budget.reserved == 0


async def test_a_price_that_nobody_knows_is_a_failure(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """More money would not help, so it is not called unpaid; nothing is sent."""
    summary = await Job(prompts(tmp_path, 2), output, model="no/such", budget=1).run(client)
    assert summary.failures == {"BudgetUnpriceableError": 2}
    assert emulator.accepted == 0


# Equal requests.


async def test_equal_requests_are_sent_once(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """All have the answer of the one that was sent, which they name; it costs once."""
    emulator.always(chat("same", " for", " all").after(1, Pause(0.02)))
    source = prompts(tmp_path, 20, same=3)
    summary = await Job(source, output, concurrency=6, dedupe=True, model="m").run(client)
    assert emulator.accepted == 4
    found = rows(output)
    assert len(found) == 20
    assert {row.same_as for row in found.values()} == {None, "n3"}
    assert {row.text for row in found.values()} == {"same for all"}
    assert summary.cost == pytest.approx(sum(found[f"n{i}"].cost or 0 for i in range(4)))
    again = prompts(tmp_path, 25, same=3)
    await Job(again, output, dedupe=True, model="m").run(client)
    assert emulator.accepted == 4
    assert len(rows(output)) == 25


async def test_an_equal_request_is_not_failed_by_its_like(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """Where the one that was sent fails, the next of them is sent."""
    emulator.play(http_error(400, "no"), chat("yes"))
    source = prompts(tmp_path, 5, same=0)
    summary = await Job(source, output, concurrency=5, dedupe=True).run(client)
    assert (summary.done, summary.failed, emulator.accepted) == (4, 1, 2)


# How far it is.


async def test_progress_tells_how_far_it_is(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """Counts, money, tokens, refusals, and in the end nothing left."""
    retry = RetryPolicy(first_delay=0.01, max_delay=0.02)
    emulator.play(http_error(429, "slow down"))
    seen: list[JobProgress] = []
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as patient:
        job = Job(prompts(tmp_path, 12), output, model=MODEL, max_tokens=5, concurrency=3)
        assert job.progress is None
        summary = await job.run(patient, seen.append)
    last = seen[-1]
    assert (last.total, last.done, last.failed, last.left) == (12, 12, 0, 0)
    assert last.eta == 0
    assert last.refusals == 1
    assert last.rate > 0
    assert last.tokens_per_second > 0
    assert last.tokens_per_item == pytest.approx(
        (summary.prompt_tokens + summary.completion_tokens) / 12
    )
    assert last.seconds_per_item > 0
    assert last.cost == summary.cost > 0
    assert [step.done for step in seen] == sorted(step.done for step in seen)


async def test_stop_lets_what_is_under_way_end(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """No further item is taken up; the next run does the rest."""
    emulator.always(chat("a", "b").hold_after(1))
    job = Job(prompts(tmp_path, 20), output, concurrency=4)
    task = asyncio.create_task(job.run(client))
    await emulator.wait_for(lambda: emulator.holding == 4)
    with pytest.raises(RuntimeError, match="running already"):
        await job.run(client)
    assert job.progress is not None
    assert job.progress.left == 20
    job.stop()
    emulator.release(100)
    summary = await task
    assert (summary.done, summary.left, summary.is_whole) == (4, 16, False)
    manifest = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert manifest["state"] == "stopped"
    assert (await job.run(client)).done == 20
    assert emulator.accepted == 20


async def test_cancelling_writes_what_has_come(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """What is under way is cancelled, what is there is kept, and the rest is done later."""
    emulator.play(*[chat("quick")] * 5)
    emulator.always(chat("a", "b").hold_after(1))
    job = Job(prompts(tmp_path, 20), output, concurrency=4)
    task = asyncio.create_task(job.run(client))
    await emulator.wait_for(lambda: emulator.holding == 4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(rows(output)) == 5
    await settled(lambda: emulator.disconnects == 4)
    assert_nothing_leased(client)
    emulator.always(chat("quick"))
    assert (await job.run(client)).done == 20
    assert emulator.accepted == 5 + 4 + 15


# What ends it.


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (402, PaymentRequiredError)]
)
async def test_an_account_that_is_refused_ends_the_run(
    client: OpenRouter, emulator: Emulator, tmp_path: Path, output: Path, status: int, error: Any
) -> None:
    """That concerns all items, so none is marked as failed, and none is sent in vain."""
    emulator.play(chat("fine"))
    emulator.always(http_error(status, "no more"))
    job = Job(prompts(tmp_path, 50), output, concurrency=2)
    with pytest.raises(error, match="no more"):
        await job.run(client)
    assert list(rows(output)) == ["n0"]
    assert emulator.accepted <= 4
    emulator.always(chat("again"))
    assert (await job.run(client)).done == 50


async def test_a_closed_client_ends_the_run(
    emulator: Emulator, tmp_path: Path, output: Path
) -> None:
    """A client that is closed under a job fails the job, not its items."""
    emulator.always(chat("a"))
    client = OpenRouter(KEY, base_url=emulator.base_url)

    def close(progress: JobProgress) -> None:
        closing.append(asyncio.create_task(client.aclose()))

    closing: list[asyncio.Task[None]] = []
    job = Job(prompts(tmp_path, 5_000), output, concurrency=2)
    with pytest.raises(RuntimeError, match="closed"):
        await job.run(client, close)
    await asyncio.gather(*closing)
    assert sum(row.status != "ok" for row in rows(output).values()) <= 2


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, output: Path) -> None:
    """Where nothing more can be written the job says so, and goes on from there later."""
    source = prompts(tmp_path, 60)
    with Emulator.in_thread() as emulator:
        emulator.always(chat("an answer of some length " * 10))
        command = [sys.executable, str(HERE / "batch_victim.py"), emulator.base_url]
        full = subprocess.run(
            [*command, str(source), str(output), "20000"],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": str(HERE.parent)},
            timeout=60,
            check=False,
        )
        assert full.returncode == 1
        assert "BatchError: cannot write" in full.stderr
        assert "out.jsonl: File too large; what stands in it is whole" in full.stderr
        data = output.read_bytes()
        assert data.endswith(b"\n")
        assert 10 < len(rows(output)) < 60
        summary = asyncio.run(run_job(emulator.base_url, source, output))
    assert summary.done == 60
    assert output.read_bytes().startswith(data)


async def run_job(base_url: str, source: Path, output: Path) -> JobSummary:
    """Run the victim's job here."""
    async with OpenRouter(KEY, base_url=base_url, limits=Limits()) as client:
        return await Job(source, output, model="m").run(client)


async def test_an_output_that_cannot_be_written(client: OpenRouter, tmp_path: Path) -> None:
    """A folder that is not there is named, and nothing is sent."""
    job = Job(prompts(tmp_path, 1), tmp_path / "no" / "out.jsonl")
    with pytest.raises(BatchError, match=r"no/out\.jsonl: No such file"):
        await job.run(client)


async def test_nothing_secret_is_printed_or_kept(
    client: OpenRouter, tmp_path: Path, output: Path
) -> None:
    """Neither the key nor a template nor a system message is in the repr or the manifest."""
    job = Job(prompts(tmp_path, 1), output, system="what nobody may read", template="{id} hidden")
    await job.run(client)
    manifest = (tmp_path / "out.jsonl.manifest.json").read_text()
    for text in (repr(job), manifest):
        assert "nobody" not in text
        assert "hidden" not in text
        assert KEY not in text
