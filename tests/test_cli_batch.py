"""The command `batch`: what it shows, what it writes, how it is stopped, and its exit codes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from openrouter_async.batch import JobProgress
from openrouter_async.cli import main
from openrouter_async.cli._batch_display import new_display
from openrouter_async.cli._words import span
from openrouter_async.testing import Emulator, chat, http_error
from tests.limited_server import LimitedServer

KEY = "sk-or-v1-test-key"
MODEL = "openai/gpt-4o-mini"


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator that the environment names."""
    with Emulator.in_thread() as emulator:
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        yield emulator


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Any:
    """Runs `batch` in this process, in a folder with an input of six prompts."""
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"id": f"n{number}", "prompt": f"say {number}"}) for number in range(6)]
    Path("in.jsonl").write_text("\n".join(lines))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        code = main(["batch", *arguments])
        seen = capsys.readouterr()
        return Done(code, seen.out, seen.err)

    return run


def rows(name: str = "out.jsonl") -> dict[str, Any]:
    """The rows of an output, by id."""
    found = [json.loads(line) for line in Path(name).read_bytes().splitlines()]
    assert len({row["id"] for row in found}) == len(found)
    return {row["id"]: row for row in found}


def test_a_job_and_what_is_said_of_it(server: Emulator, command: Any) -> None:
    """Rows go into the file, nothing to stdout, the sums to stderr; a second run sends nothing."""
    done = command("in.jsonl", "out.jsonl", "--model", MODEL, "--system", "Be brief.")
    assert (done.code, done.out) == (0, "")
    assert "6 of 6 done; $" in done.err
    assert "Results: out.jsonl" in done.err
    assert len(rows()) == 6
    sent = server.requests[0].json
    assert sent["model"] == MODEL
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    again = command("in.jsonl", "out.jsonl", "--model", MODEL, "--system", "Be brief.")
    assert (again.code, server.accepted) == (0, 6)


def test_every_option_reaches_the_request(server: Emulator, command: Any) -> None:
    """Template, limits of an answer, its type, and equal requests once."""
    Path("in.csv").write_text("id,product,text\na,Lamp,good\nb,Lamp,good\n")
    server.always(chat("4"))
    done = command(
        *("in.csv", "out.jsonl", "-m", MODEL, "-t", "Stars for {product}: {text}", "--dedupe"),
        *("--response-type", "int", "--max-tokens", "7", "--temperature", "0"),
        *("--reasoning", "low", "--concurrency", "3"),
    )
    assert (done.code, server.accepted) == (0, 1)
    assert [row["value"] for row in rows().values()] == [4, 4]
    sent = server.requests[0].json
    assert sent["messages"][0]["content"] == "Stars for Lamp: good"
    assert (sent["max_tokens"], sent["temperature"]) == (7, 0)
    assert sent["reasoning"] == {"effort": "low"}
    assert sent["response_format"]["type"] == "json_schema"


def test_a_class_of_ones_own_is_a_response_type(server: Emulator, command: Any) -> None:
    """A class is named by its file."""
    Path("kinds.py").write_text(
        "import msgspec\n\n\nclass Mood(msgspec.Struct):\n    mood: str\n    stars: int\n"
    )
    server.always(chat('{"mood": "good", "stars": 4}'))
    done = command("in.jsonl", "out.jsonl", "-m", MODEL, "--response-type", "kinds.py:Mood")
    assert done.code == 0
    assert rows()["n0"]["value"] == {"mood": "good", "stars": 4}


def test_images_go_into_a_folder(server: Emulator, command: Any) -> None:
    """Each is a file, named in its row."""
    done = command(
        "in.jsonl", "out.jsonl", "-m", "google/gemini-2.5-flash-image", "--images-to", "p"
    )
    assert done.code == 0, done.err
    for row in rows().values():
        assert [(Path("p") / name).exists() for name in row["images"]] == [True]


def test_failures_have_a_code_and_can_be_sent_again(server: Emulator, command: Any) -> None:
    """Code 4, with the reasons; `--retry-failed` sends those alone."""
    server.play(http_error(400, "not like that"), chat("cut").cut_after(1))
    done = command("in.jsonl", "out.jsonl", "-m", MODEL, "-c", "1")
    assert done.code == 4
    assert "4 of 6 done, 2 failed; $" in done.err
    assert "  1 x BadRequestError" in done.err
    assert "--retry-failed" in done.err
    assert command("in.jsonl", "out.jsonl", "-m", MODEL, "-c", "1").code == 4
    assert server.accepted == 6
    assert command("in.jsonl", "out.jsonl", "-m", MODEL, "--retry-failed").code == 0
    assert server.accepted == 8


def test_bad_lines_are_named_and_the_rest_goes_on(server: Emulator, command: Any) -> None:
    """Code 4; each bad line has a row with its number and what is wrong."""
    Path("in.jsonl").write_text(
        '{"id": "a", "prompt": "x"}\n{"id": \n{"id": "a", "prompt": "y"}\n{"prompt": "no id"}\n'
    )
    done = command("in.jsonl", "out.jsonl", "-m", MODEL)
    assert done.code == 4
    assert "2 of 4 done, 2 failed" in done.err
    assert "2 x BadLine" in done.err
    assert "once they are mended" in done.err
    found = rows()
    assert "line 2 of in.jsonl: it is no JSON" in found["line-2"]["error"]["message"]
    assert "stands in line 1 already" in found["line-3"]["error"]["message"]
    assert found["line-4"]["status"] == "ok"


def test_a_budget_has_a_code_and_more_money_does_the_rest(server: Emulator, command: Any) -> None:
    """Code 5 and nothing spent beyond it; the same command with more does only what is left."""
    Path("in.txt").write_text("\n".join(f"say {number}" for number in range(40)))
    arguments = ("in.txt", "out.jsonl", "-m", MODEL, "--max-tokens", "20", "-c", "8")
    done = command(*arguments, "--budget", "0.0003")
    paid = server.accepted
    assert done.code == 5
    assert 3 < paid < 37
    assert f"{paid} of 40 done, {40 - paid} not paid for; $" in done.err
    assert "The budget is used up" in done.err
    assert sum(row.get("cost") or 0 for row in rows().values()) <= 0.0003
    assert {row["status"] for row in rows().values()} == {"ok", "unpaid"}
    done = command(*arguments, "--budget", "1")
    assert (done.code, server.accepted) == (0, 40)


def test_a_failure_of_all_ends_the_job(server: Emulator, command: Any) -> None:
    """A key that is refused is code 3, and no item is marked for it."""
    server.always(http_error(401, "No such key"))
    done = command("in.jsonl", "out.jsonl", "-m", MODEL, "-c", "1")
    assert done.code == 3
    assert "Error: No such key" in done.err
    assert "0 of 6 done, 6 left" in done.err
    assert rows() == {}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give INPUT and OUTPUT, or --report OUTPUT"),
        (("in.jsonl",), 2, "give INPUT and OUTPUT"),
        (("in.jsonl", "in.jsonl"), 2, "output must be another file than input"),
        (("in.jsonl", "out.jsonl", "-c", "many"), 2, "neither 'auto' nor a whole number"),
        (("in.jsonl", "out.jsonl", "-c", "0"), 2, "neither 'auto' nor a whole number"),
        (("in.jsonl", "out.jsonl", "-t", "{text"), 2, "template"),
        (("in.jsonl", "out.jsonl", "--budget", "-1"), 2, "-1"),
        (("in.jsonl", "out.jsonl", "--response-type", "thing"), 2, "'thing' is none of bool, dict"),
        (("in.jsonl", "out.jsonl", "--response-type", "no.py:A"), 2, "cannot import no.py"),
        (("in.jsonl", "out.jsonl", "--response-type", "json:Nothing"), 2, "json has no 'Nothing'"),
        (("in.jsonl", "--report", "out.jsonl"), 2, "--report takes the output of a job"),
        (("none.jsonl", "out.jsonl"), 1, "cannot read none.jsonl: No such file"),
        (("--report", "none.jsonl"), 1, "cannot read none.jsonl: No such file"),
        (("in.jsonl", "no/out.jsonl"), 1, "cannot write no/out.jsonl"),
        (("in.jsonl", os.devnull), 1, f"cannot write {os.devnull}: it is no file"),
        ((os.devnull, "out.jsonl"), 1, f"cannot read {os.devnull}: it is no file"),
        (("in.jsonl", "-"), 2, "OUTPUT must be a file"),
        (("in.jsonl", "notes.txt"), 1, "notes.txt is not empty and has no manifest"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    server: Emulator, command: Any, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Wrong usage is code 2, a file that cannot be used code 1."""
    Path("notes.txt").write_text("mine\n")
    done = command(*arguments)
    assert (done.code, server.accepted) == (code, 0), done.err
    assert said in done.err.replace("\n", " ")
    assert Path("notes.txt").read_text() == "mine\n"


def test_an_output_of_another_job_is_refused(server: Emulator, command: Any) -> None:
    """It is said what differs, and the output stays as it is."""
    command("in.jsonl", "out.jsonl", "-m", MODEL)
    before = Path("out.jsonl").read_bytes()
    done = command("in.jsonl", "out.jsonl", "-m", "other/model")
    assert done.code == 1
    assert "belongs to another job: its model is 'openai/gpt-4o-mini'" in done.err
    assert (Path("out.jsonl").read_bytes(), server.accepted) == (before, 6)


def test_json_is_for_programs(server: Emulator, command: Any) -> None:
    """One object a line: progress while it runs, then the summary with the exit code."""
    server.play(http_error(400, "no"))
    done = command("in.jsonl", "out.jsonl", "-m", MODEL, "-c", "1", "--json")
    *_, last = map(json.loads, done.out.splitlines())
    assert done.err == ""
    assert (last["event"], last["exit_code"], done.code) == ("summary", 4, 4)
    assert (last["total"], last["done"], last["failed"]) == (6, 5, 1)
    assert last["failures"] == {"BadRequestError": 1}
    quiet = command("in.jsonl", "out.jsonl", "-m", MODEL, "-c", "1", "--json", "--quiet")
    assert quiet.out.count("\n") == 1
    server.always(http_error(402, "No credit"))
    failed = command("in.jsonl", "more.jsonl", "-m", MODEL, "--json")
    assert failed.code == 1
    assert json.loads(failed.out)["error"] == {
        "type": "PaymentRequiredError",
        "message": "No credit [402]",
    }


def test_quiet_says_nothing_but_errors(server: Emulator, command: Any) -> None:
    """The exit code is all there is."""
    server.play(http_error(400, "no"))
    done = command("in.jsonl", "out.jsonl", "-m", MODEL, "-c", "1", "--quiet")
    assert (done.code, done.out, done.err) == (4, "", "")


def test_the_report_is_a_table_and_a_page(server: Emulator, command: Any) -> None:
    """The table is on stdout, the page beside the output or where `--html` says."""
    server.play(http_error(400, "\x1b[31mno"))
    command("in.jsonl", "out.jsonl", "-m", MODEL, "-c", "1", "--html", "own.html")
    assert "</svg>" in Path("own.html").read_text("utf-8")
    done = command("--report", "out.jsonl")
    assert done.code == 0
    assert "out.jsonl: 6 items" in done.out
    assert "BadRequestError" in done.out
    assert "\x1b" not in done.out
    assert done.err == "With charts: out.html\n"
    assert Path("out.html").read_text("utf-8") == Path("own.html").read_text("utf-8")
    told = json.loads(command("--report", "out.jsonl", "--json", "--html", "third.html").out)
    assert (told["done"], told["failed"], told["html"]) == (5, 1, "third.html")
    assert told["seconds_an_answer"]["p50"] > 0
    refused = command("--report", "out.jsonl", "--html", "out.jsonl")
    assert refused.code == 2
    assert len(rows()) == 6


async def test_a_hidden_limit_is_found_by_the_command(tmp_path: Path) -> None:
    """`auto` finds how many a server takes, stays there, and no item is lost to its refusals."""
    (tmp_path / "in.txt").write_text("\n".join(f"say {number}" for number in range(400)))
    async with LimitedServer(lambda: 30, seconds=0.4, spread=0.1) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "openrouter_async.cli", "batch", "in.txt", "out.jsonl"),
            *("--model", "m", "--json"),
            cwd=tmp_path,
            env={
                "OPENROUTER_API_KEY": KEY,
                "OPENROUTER_BASE_URL": server.base_url,
                "PYTHONPATH": str(Path(__file__).parent.parent),
            },
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    told = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, told[-1]["done"]) == (0, 400)
    assert server.most == 30
    assert server.refused < 0.1 * len(server.arrivals)
    assert max(line.get("refusals", 0) for line in told) <= server.refused
    late = [line["under_way"] for line in told[2:-1]]
    assert all(0 < number <= 31 for number in late), late


PROGRESS = JobProgress(
    total=1_000,
    done=400,
    failed=3,
    unpaid=2,
    left=595,
    seconds=60.0,
    rate=7.5,
    tokens_per_second=1_234.0,
    cost=1.5,
    cost_left=2.3456,
    eta=79.4,
    tokens_per_item=164.0,
    seconds_per_item=1.0,
    refusals=4,
)


def test_lines_for_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal it is one line now and then; at the end there is nothing more to show."""
    display = new_display("out.jsonl", as_json=False, is_quiet=False)
    display.show(PROGRESS, 20)
    display.show(msgspec.structs.replace(PROGRESS, left=0), 0)
    display.say("Finishing.")
    assert capsys.readouterr().err == (
        "400 of 1,000 done, 3 failed, 2 not paid for, 20 under way, 4 refusals (429), 7.5/s, "
        "1,234 tokens/s, $1.50 + $2.30 to come, 1 min 19 s left\nFinishing.\n"
    )


def test_progress_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A line has all that the display shows."""
    new_display("out.jsonl", as_json=True, is_quiet=False).show(PROGRESS, 20)
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["under_way"]) == ("progress", 20)
    assert {
        name: told[name] for name in msgspec.structs.asdict(PROGRESS)
    } == msgspec.structs.asdict(PROGRESS)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.3, "0.3 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_times_as_people_say_them(seconds: float, said: str) -> None:
    """Two units at most."""
    assert span(seconds) == said


def test_ray_must_be_installed(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong usage, and it is said what to install."""

    def find_nothing(name: str) -> None:
        """Know no module."""

    monkeypatch.setattr("openrouter_async.cli._batch.find_spec", find_nothing)
    done = command("in.jsonl", "out.jsonl", "--ray", "auto")
    assert done.code == 2
    assert 'pip install "openrouter-async[cli,ray]"' in done.err.replace("\n", " ")


# On a terminal.


def test_the_display_on_a_terminal(server: Emulator, tmp_path: Path) -> None:
    """Done, failed, speed, cost, time left and refusals are drawn anew, and go at the end."""
    terminal = pytest.importorskip("tests.terminal")
    (tmp_path / "in.txt").write_text("\n".join(f"say {number}" for number in range(5)))
    server.play(http_error(429, "Slow down"), http_error(400, "no"))
    server.play(chat("well"), chat("said"), chat("half", " held").hold_after(1))
    arguments = ("batch", "in.txt", "out.jsonl", "-m", MODEL, "-c", "1")
    with terminal.Terminal(server, *arguments, folder=tmp_path) as screen:
        screen.until("3 of 5")
        screen.until("2 of 5 done  1 failed  1 under way  1 refusals (429)")
        screen.until("tokens/s")
        screen.until(" left")
        assert terminal.COLOUR.search(screen.raw)
        server.release()
        screen.until("4 of 5 done, 1 failed; $")
        screen.until("Results: out.jsonl")
        assert screen.end() == 4
    assert "Traceback" not in screen.text
    assert screen.raw.rindex("\x1b[?25h") > screen.raw.rindex("\x1b[?25l")  # the cursor is back
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.raw)
    assert max(len(line) for line in re.split(r"[\r\n]+", shown)) <= 80


def test_ctrl_c_once_finishes_what_is_under_way(server: Emulator, tmp_path: Path) -> None:
    """The answer under way comes whole, nothing more is sent, and the same command goes on."""
    terminal = pytest.importorskip("tests.terminal")
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n")
    server.play(chat("slow", "ly").hold_after(1))
    arguments = ("batch", "in.txt", "out.jsonl", "-m", MODEL, "-c", "1")
    with terminal.Terminal(server, *arguments, folder=tmp_path) as screen:
        server.block_until(lambda: server.holding, timeout=30)
        screen.until("1 under way")
        screen.type("\x03")
        screen.until("Ctrl-C again stops that too")
        server.release()
        screen.until("1 of 3 done, 2 left; $")
        screen.until("Stopped; the same command goes on from there.")
        assert screen.end() == 130
    assert "Traceback" not in screen.text
    written = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["text"] for line in written] == ["slowly"]
    assert (server.accepted, server.disconnects) == (1, 0)
    with terminal.Terminal(server, *arguments, folder=tmp_path) as screen:
        screen.until("3 of 3 done; $")
        assert screen.end() == 0
    assert server.accepted == 3


def test_ctrl_c_twice_stops_at_once(server: Emulator, tmp_path: Path) -> None:
    """What is under way is cut, which stops its bill; what had come is in the file."""
    terminal = pytest.importorskip("tests.terminal")
    (tmp_path / "in.txt").write_text("one\ntwo\nthree\n")
    server.play(chat("quick"), chat("never", " ends").hold_after(1))
    arguments = ("batch", "in.txt", "out.jsonl", "-m", MODEL, "-c", "1")
    with terminal.Terminal(server, *arguments, folder=tmp_path) as screen:
        server.block_until(lambda: server.holding, timeout=30)
        screen.until("1 of 3 done")
        screen.type("\x03")
        screen.until("Ctrl-C again stops that too")
        screen.type("\x03")
        screen.until("1 of 3 done, 2 left; $")
        screen.until("Stopped; the same command goes on from there.")
        assert screen.end() == 130
    assert "Traceback" not in screen.text
    server.block_until(lambda: server.disconnects == 1, timeout=30)
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 1


def test_a_full_disk_is_said_and_gone_on_from(server: Emulator, tmp_path: Path) -> None:
    """Code 1 with the reason; what stands in the file is whole, and the same command goes on."""
    resource = pytest.importorskip("resource")
    (tmp_path / "in.txt").write_text("\n".join(f"say {number}" for number in range(60)))
    code = (
        "import sys, resource\n"
        "from openrouter_async.cli import main\n"
        "if sys.argv.pop(1) == 'full':\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    assert resource.RLIMIT_FSIZE is not None
    environment = {
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": server.base_url,
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }

    def run(disk: str) -> subprocess.CompletedProcess[str]:
        arguments = ["batch", "in.txt", "out.jsonl", "-m", MODEL, "-c", "4"]
        return subprocess.run(
            [sys.executable, "-c", code, disk, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    full = run("full")
    assert full.returncode == 1
    assert "Error: cannot write out.jsonl: File too large" in full.stderr
    assert "Traceback" not in full.stderr
    whole = (tmp_path / "out.jsonl").read_bytes()
    assert whole.endswith(b"\n")
    kept = len(whole.splitlines())
    assert 0 < kept < 60
    more = run("free")
    assert more.returncode == 0
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 60
    assert server.accepted <= 60 + 2 * 4
