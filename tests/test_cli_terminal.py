"""The command as a process: on a real terminal, in a pipe, and stopped by Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, chat
from openrouter_async.testing._pdf import make_pdf
from openrouter_async.testing._png import draw_png
from tests.terminal import COLOUR, KEY, ROOT, Terminal


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator for another process."""
    with Emulator.in_thread() as emulator:
        yield emulator


def test_text_is_seen_before_the_answer_ends(server: Emulator, tmp_path: Path) -> None:
    """Markdown is shown while it comes, then whole, each block once for good."""
    server.play(chat("# Rain\n\nIt is **wet** ", "outside.\n\n- `one`\n- two\n").hold_after(1))
    with Terminal(server, "chat", "Hi", folder=tmp_path) as terminal:
        terminal.until("It is wet")
        assert "outside" not in terminal.text
        server.release()
        terminal.until("tokens")
        assert terminal.end() == 0
    assert "**" not in terminal.text
    assert "\x1b[1mwet\x1b[0m" in terminal.raw
    assert "• two" in terminal.text
    assert COLOUR.search(terminal.raw)
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")  # the cursor is back


def test_a_long_answer_is_drawn_in_small_parts(server: Emulator, tmp_path: Path) -> None:
    """What is finished is never drawn again: the bytes stay near those of the text."""
    blocks = [f"Block {number} says something of its own.\n\n" for number in range(60)]
    server.play(chat(*blocks, delay=0.01))
    with Terminal(server, "chat", "Hi", folder=tmp_path) as terminal:
        assert terminal.end() == 0
    assert [terminal.text.count(f"Block {number} ") >= 1 for number in range(60)] == [True] * 60
    assert len(terminal.raw) < 8 * 60 * 80
    assert terminal.text.index("Block 58 ") > terminal.text.index("Block 57 ")


def test_ctrl_c_stops_the_answer_and_the_bill(server: Emulator, tmp_path: Path) -> None:
    """The upstream is closed, the text stays, the code is 130, and there is no traceback."""
    server.play(chat("Half an answer ", "and more").hold_after(1))
    with Terminal(server, "chat", "Hi", folder=tmp_path) as terminal:
        terminal.until("Half an answer")
        terminal.type("\x03")
        server.block_until(lambda: server.disconnects == 1, timeout=30)
        terminal.until("stopped")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.text
    assert "openrouter-async cost gen-" in terminal.text.replace("\n", " ")
    assert terminal.text.rindex("Half an answer") < terminal.text.index("stopped")


def test_a_talk_remembers_its_turns(server: Emulator, tmp_path: Path) -> None:
    """The history goes along; a stopped answer ends nothing; Ctrl-D does."""
    server.play(
        chat("Hello Ann."),
        chat("The river ", "Seine").hold_after(1),
        chat("Paris."),
    )
    with Terminal(server, "chat", "--system", "Be brief.", folder=tmp_path) as terminal:
        terminal.until("> ")
        terminal.type("I am Ann\n")
        terminal.until("Hello Ann.")
        terminal.until("> ")
        terminal.type("Name a river\n")
        terminal.until("The river")
        server.block_until(lambda: server.holding, timeout=30)
        terminal.type("\x03")
        server.block_until(lambda: server.disconnects == 1, timeout=30)
        terminal.until("> ")
        terminal.type("And the town?\n")
        terminal.until("Paris.")
        terminal.until("> ")
        terminal.type("\x04")
        terminal.until("All together")
        assert terminal.end() == 0
    assert "Traceback" not in terminal.text
    said = [(m["role"], m["content"]) for m in server.requests[-1].json["messages"]]
    assert said == [
        ("system", "Be brief."),
        ("user", "I am Ann"),
        ("assistant", "Hello Ann."),
        ("user", "Name a river"),
        ("assistant", "The river "),
        ("user", "And the town?"),
    ]


def test_no_color_and_simple_terminals_are_respected(server: Emulator, tmp_path: Path) -> None:
    """NO_COLOR takes the colours, TERM=dumb every order; an answer cannot smuggle one in."""
    server.always(
        chat("`code` and \x1b]0;owned\x07 \x1b[31mred\x1b[0m\n\n[link](https://h.example)")
    )
    with Terminal(server, "chat", "Hi", folder=tmp_path, NO_COLOR="1") as terminal:
        assert terminal.end() == 0
    assert not COLOUR.search(terminal.raw)
    assert "\x1b]0;" not in terminal.raw
    with Terminal(server, "chat", "Hi", folder=tmp_path, TERM="dumb") as terminal:
        assert terminal.end() == 0
    assert "\x1b" not in terminal.raw
    assert "`code` and ]0;owned [31mred[0m" in terminal.text


def test_an_image_is_shown_in_colour(server: Emulator, tmp_path: Path) -> None:
    """Half blocks in the picture's own colours, and the file beside."""
    picture = draw_png("A fox in the snow", 320, 160)
    server.always(chat("A fox.", images=[picture]))
    with Terminal(server, "image", "A fox", "-o", "fox", folder=tmp_path) as terminal:
        assert terminal.end() == 0
    blocks = re.findall(r"\x1b\[38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m▀", terminal.raw)
    assert len(blocks) == 72 * 18
    assert len(set(blocks)) > 10
    assert "fox.png (320 x 160, " in terminal.text
    assert (tmp_path / "fox.png").read_bytes() == picture


def test_ctrl_c_ends_a_login(server: Emulator, tmp_path: Path) -> None:
    """The URL is shown in case no browser opens; Ctrl-C is code 130, and nothing is kept."""
    own = {"BROWSER": "true", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with Terminal(server, "login", folder=tmp_path, **own) as terminal:
        terminal.until("/auth?callback_url=")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.text
    assert not (tmp_path / "config").exists()


def test_completion_says_where_it_belongs(server: Emulator, tmp_path: Path) -> None:
    """In a terminal the script is followed by the line for the shell's own file."""
    with Terminal(server, "completion", "bash", folder=tmp_path) as terminal:
        terminal.until("~/.bashrc")
        assert terminal.end() == 0


# Without a terminal


def start(emulator: Emulator, *arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start the command with pipes, as a shell does in a pipeline."""
    own = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": emulator.base_url}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "openrouter_async.cli", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **own},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_commands_are_processes(server: Emulator, tmp_path: Path) -> None:
    """Code 0, the answer on stdout, no warning on stderr; the others are run as such elsewhere."""
    (tmp_path / "a.pdf").write_bytes(make_pdf("Ann signed it."))
    lines = {
        "pdf a.pdf -q Who?": b"Page ",
        "cost": b"key ",
        "doctor": b"ok ",
    }
    running = {line: start(server, *line.split(), folder=tmp_path) for line in lines}
    for line, process in running.items():
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (line, err)
        assert out.startswith(lines[line]), line
        assert b"Traceback" not in err, err
        assert b"Warning" not in err, err


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("pdf a.pdf -q Who?", "tokens"),
        ("models mini --sort price", "openai/gpt-4o-mini"),
        ("cost", "this month"),
        ("doctor", "plain HTTP"),
        ("batch in.jsonl out.jsonl", "2 of 2 done"),
    ],
)
def test_every_command_is_at_home_on_a_terminal(
    server: Emulator, tmp_path: Path, line: str, shown: str
) -> None:
    """Lines for people fit the terminal, and `--json` writes JSON there, too, without colours."""
    (tmp_path / "a.pdf").write_bytes(make_pdf("Ann signed it."))
    questions = [{"prompt": "Hi", "model": "openai/gpt-4o-mini"}] * 2
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, questions)))
    with Terminal(server, *line.split(), folder=tmp_path) as terminal:
        assert terminal.end() == 0, terminal.text
    assert shown in terminal.text
    assert "Traceback" not in terminal.text
    as_json = [*line.replace("out.jsonl", "again.jsonl").split(), "--json"]
    with Terminal(server, *as_json, folder=tmp_path) as terminal:
        assert terminal.end() == 0, terminal.text
    assert "\x1b" not in terminal.raw
    assert json.loads(terminal.text)


def test_ctrl_c_ends_the_emulator(server: Emulator, tmp_path: Path) -> None:
    """On a terminal it is ended by the key that it names, quietly."""
    with Terminal(server, "emulator", folder=tmp_path) as terminal:
        terminal.until("Ctrl-C ends it.")
        terminal.type("\x03")
        assert terminal.end() == 0
    assert "Traceback" not in terminal.text


def test_help_is_there_without_the_network_stack(tmp_path: Path) -> None:
    """Help imports neither aiohttp nor rich, of a command neither, and lists every command."""
    code = (
        "import sys; from openrouter_async.cli import main; main(['--help']); "
        "main(['chat', '--help']); main(['--version']); "
        "print({'aiohttp', 'rich', 'asyncio', 'ssl'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("set()\n")
    for name in (
        "chat",
        "image",
        "pdf",
        "batch",
        "models",
        "cost",
        "emulator",
        "doctor",
        "--attach",
    ):
        assert name in done.stdout


def test_a_reader_that_leaves_stops_the_answer(server: Emulator, tmp_path: Path) -> None:
    """`| head -1`: the upstream is closed, nothing is complained of, and the code is 141."""
    server.play(chat("one\n", *["more\n"] * 50, delay=0.01))
    process = start(server, "chat", "Count", "--quiet", folder=tmp_path)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdin = None
    assert process.stdout.readline() == b"one\n"
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")
    server.block_until(lambda: server.disconnects == 1, timeout=30)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full, which is Linux's")
@pytest.mark.parametrize(
    ("redirection", "code", "out"),
    [
        ("<&-", 0, True),
        (">&- <&-", 0, False),
        ("2>&- </dev/null", 0, True),
        ("2>/dev/full </dev/null", 0, True),
        (">/dev/full </dev/null", 1, False),
    ],
)
def test_descriptors_that_are_closed_or_full(
    server: Emulator, tmp_path: Path, redirection: str, code: int, out: bool
) -> None:
    """What is closed is silent, what cannot be said beside the answer is not missed, a full disk
    is a sentence; help is no exception."""
    line = f"{sys.executable} -X dev -m openrouter_async.cli"
    environment = {
        **os.environ,
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": server.base_url,
        "PYTHONPATH": str(ROOT),
    }
    for arguments, said in (("chat Hi", b"pretend"), ("--help", b"Usage")):
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {line} {arguments} {redirection}"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, said in done.stdout) == (code, out), done.stderr
        assert (b"No space left" in done.stderr) == (code == 1)
        assert b"Traceback" not in done.stderr
        assert b"Warning" not in done.stderr


def test_the_emulator_serves_until_ctrl_c(server: Emulator, tmp_path: Path) -> None:
    """It prints what to export, answers, and ends quietly."""
    process = start(server, "emulator", "--pace", "0", folder=tmp_path)
    assert process.stdout is not None
    line = b""
    while b"export OPENROUTER_BASE_URL=" not in line:
        line = process.stdout.readline()
        assert line
    url = line.decode().strip().partition("=")[2]

    async def ask() -> str:
        async with OpenRouter(KEY, base_url=url) as client:
            return (await client.complete("Hi")).text

    assert asyncio.run(ask())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_ctrl_c_as_json_still_tells_what_came(server: Emulator, tmp_path: Path) -> None:
    """Stopped amid an answer: one object with the text so far, code 130, the upstream closed."""
    server.play(chat("Rain ", "falls.").hold_after(1))
    process = start(server, "chat", "--json", "Hi", folder=tmp_path)
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    server.block_until(lambda: server.holding, timeout=30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    answer = json.loads(out)
    assert answer["ending"] == "left"
    assert b"Traceback" not in err
    server.block_until(lambda: server.disconnects == 1, timeout=30)
