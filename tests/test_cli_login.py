"""What the command keeps between its calls: a key, a talk; and what shells are told of it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from openrouter_async.cli import main
from openrouter_async.cli._kept_key import kept_key, place
from openrouter_async.testing import Emulator, Reply, chat, http_error

KEY = "sk-or-v1-test-key"


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """An emulator that the environment names, and a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with Emulator.in_thread() as emulator:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        yield emulator


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line in this process, with what is piped into it."""

    def run(*arguments: str, piped: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
        code = main(arguments)
        seen = capsys.readouterr()
        return Done(code, seen.out, seen.err)

    return run


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A browser whose user agrees to everything at once; gives the pages that it was sent to."""
    opened: list[str] = []

    def open_page(url: str) -> bool:
        opened.append(url)
        with urlopen(url) as page:
            page.read()
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    return opened


def test_login_keeps_a_key_that_the_other_commands_use(
    server: Emulator, command: Any, browser: list[str]
) -> None:
    """Signing in is enough: the key is in a file for its user alone, and shown nowhere."""
    done = command("login", "--label", "laptop", "--limit", "5")
    assert done.code == 0, done.err
    assert "key_label=laptop" in browser[0]
    assert "limit=5" in browser[0]
    key = kept_key(server.base_url)
    assert key is not None
    assert key not in done.out + done.err
    if os.name == "posix":
        assert place().stat().st_mode & 0o777 == 0o600
    assert command("chat", "Hi").code == 0
    assert server.requests[-1].headers["Authorization"] == f"Bearer {key}"
    assert "login" in command("doctor").out


def test_a_kept_key_goes_to_its_own_server_alone(
    server: Emulator, command: Any, browser: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server is sent no key, and the variable outweighs the file."""
    assert command("login").code == 0
    with Emulator.in_thread() as other:
        monkeypatch.setenv("OPENROUTER_BASE_URL", other.base_url)
        command("chat", "Hi")
        assert "Authorization" not in other.requests[0].headers
    monkeypatch.setenv("OPENROUTER_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    assert "outweighs" in command("login").err
    command("chat", "Hi")
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"


def test_login_prints_or_forgets_where_it_is_told_to(
    server: Emulator, command: Any, browser: list[str]
) -> None:
    """--print keeps nothing, --json tells the same to a program, --forget takes the file away."""
    done = command("login", "--print")
    assert done.out.startswith("sk-or-v1-")
    assert not place().exists()
    assert json.loads(command("login", "--print", "--json").out)["key"].startswith("sk-or-v1-")
    told = json.loads(command("login", "--json").out)
    assert told["kept_in"] == str(place())
    assert json.loads(command("login", "--forget", "--json").out) == {"forgotten": True}
    assert "No key was kept" in command("login", "--forget").err
    assert kept_key(server.base_url) is None


def test_login_without_a_browser_takes_a_code(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page shows a code, on whatever machine, and it is typed in."""
    told: list[str] = []
    monkeypatch.setattr("openrouter_async.cli._login.note", told.append)

    def typed(*_: object, **__: object) -> str:
        with urlopen(told[0].splitlines()[-1]) as page:
            return f" {page.read().decode()}\n"

    monkeypatch.setattr("click.prompt", typed)
    assert command("login", "--no-browser").code == 0
    assert kept_key(server.base_url) is not None


def test_a_login_that_nobody_answers_ends(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, keeps nothing, and the code is 1."""

    def open_nothing(_: str) -> bool:
        return False

    monkeypatch.setattr(webbrowser, "open", open_nothing)
    done = command("login", "--timeout", "0.05")
    assert done.code == 1
    assert "nobody signed in" in done.err
    assert "--no-browser" in done.err
    assert not place().exists()


def test_a_talk_goes_on_in_another_call(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file holds model, system message and turns; a wrong one is told of, and kept as it is."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    kept = str(tmp_path / "talk.json")
    server.play(chat("Hello Ann."), chat("Ann."))
    first = ("chat", "-c", kept, "-s", "Be brief.", "-m", "openai/gpt-4o", "I am Ann")
    assert command(*first).code == 0
    assert command("chat", "-c", kept, "Who am I?").out == "Ann.\n"
    body = json.loads(server.requests[-1].body)
    assert body["model"] == "openai/gpt-4o"
    assert [message["content"] for message in body["messages"]] == [
        "Be brief.",
        "I am Ann",
        "Hello Ann.",
        "Who am I?",
    ]
    assert command("chat", "-c", kept, "-s", "Be long.", "Hi").code == 2
    Path(kept).write_text("no talk")
    done = command("chat", "-c", kept, "Hi")
    assert (done.code, Path(kept).read_text()) == (2, "no talk")
    assert "no saved conversation" in done.err


def test_a_management_key_is_told_what_the_account_has(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credit that is left is shown, and an account without any fails the doctor."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    server.always(answer({"data": {"is_management_key": True}}), path="/key")
    server.always(answer({"data": {"total_credits": 20, "total_usage": 7.5}}), path="/credits")
    assert "$12.50 of credit left" in command("doctor").out
    assert "$12.50 left" in command("cost").out
    assert json.loads(command("cost", "--json").out)["account_remaining"] == 12.5
    server.always(answer({"data": {"total_credits": 20, "total_usage": 20}}), path="/credits")
    done = command("doctor")
    assert done.code == 1
    assert "no credit is left" in done.out


def answer(value: object) -> Reply:
    """A JSON answer with status 200."""
    body = json.dumps(value).encode()
    return Reply(
        headers=(("Content-Type", "application/json"),),
        steps=http_error(200, body=body).steps,
        framing="length",
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_its_script(server: Emulator, command: Any, shell: str) -> None:
    """The script is the shell's own language, asks by the command's variable, and is all of stdout."""
    done = command("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_OPENROUTER_ASYNC_COMPLETE={shell}_complete" in done.out
    path = shutil.which(shell)
    if path is None:
        return
    subprocess.run([path, "-n"], input=done.out, text=True, check=True)


def test_bash_completes_with_it(server: Emulator, command: Any, tmp_path: Path) -> None:
    """A bash that has read the script knows which commands begin with what was typed."""
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    program = tmp_path / "openrouter-async"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m openrouter_async.cli "$@"\n')
    program.chmod(0o755)
    asked = 'COMP_WORDS=(openrouter-async mo); COMP_CWORD=1; _openrouter_async_completion openrouter-async\necho "${COMPREPLY[@]}"'
    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        ["bash", "-c", f"{command('completion', 'bash').out}\n{asked}"],
        env={**os.environ, "PATH": path, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "models\n"


def test_the_shell_is_found_or_asked_for(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$SHELL tells which; an unknown one is wrong usage that names those that are known."""
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert command("completion").out.startswith("#compdef openrouter-async")
    monkeypatch.setenv("SHELL", "/bin/sh")
    done = command("completion")
    assert done.code == 2
    assert "bash, zsh, fish" in done.err
