"""The command: what each of its parts writes where, and with which code it ends.

All run in this process, through `main`; what the command is as a process of its own, in a pipe and
on a terminal, is held by `test_cli_terminal`.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openrouter_async.cli import main
from openrouter_async.cli._words import million_price, money, printable
from openrouter_async.cli._writer import finished
from openrouter_async.errors import (
    ConnectError,
    NotFoundError,
    OpenRouterError,
    RateLimitError,
)
from openrouter_async.testing import Emulator, Reply, chat, http_error
from openrouter_async.testing._pdf import make_pdf
from openrouter_async.testing._png import draw_png
from openrouter_async.types.models import Model
from tests.authority import Authority

KEY = "sk-or-v1-test-key"
PDF = make_pdf("Ann signed it in May.", "Bob in June.")


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
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line in this process, with what is piped into it."""

    def run(*arguments: str, piped: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
        code = main(arguments)
        seen = capsys.readouterr()
        return Done(code, seen.out, seen.err)

    return run


class Screen(io.StringIO):
    """A terminal that keeps what it is sent, and calls `then` when it has seen a text."""

    def __init__(self, text: str = "", then: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._awaited = text
        self._then = then

    def write(self, text: str, /) -> int:
        written = super().write(text)
        if self._awaited and self._awaited in self.getvalue():
            self._awaited = ""
            self._then()
        return written

    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_screen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command line in this process, with a terminal of 100 columns as stdout and stdin."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "TMUX", "STY", "TERM_PROGRAM", "KITTY_WINDOW_ID", "LC_TERMINAL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, text: str = "", then: Callable[[], object] = lambda: None) -> str:
        screen = Screen(text, then)
        monkeypatch.setattr(sys, "stdin", Screen())
        monkeypatch.setattr(sys, "stdout", screen)
        main(arguments)
        return screen.getvalue()

    return run


def body_of(emulator: Emulator, position: int = -1) -> dict[str, Any]:
    """What was sent."""
    body: dict[str, Any] = json.loads(emulator.requests[position].body)
    return body


# chat


def test_chat_writes_the_answer_and_tells_its_cost_elsewhere(
    server: Emulator, command: Any
) -> None:
    """The answer alone is on stdout; model, speed and cost are on stderr."""
    server.play(chat("Rain ", "falls.", cost=0.0025, model="openai/gpt-4o-mini"))
    done = command("chat", "Write", "about rain", "--model", "openai/gpt-4o-mini")
    assert done.out == "Rain falls.\n"
    assert done.code == 0
    assert "openai/gpt-4o-mini" in done.err
    assert "$0.0025" in done.err
    assert body_of(server)["messages"] == [{"role": "user", "content": "Write about rain"}]


def test_chat_sends_what_is_asked_for(server: Emulator, command: Any) -> None:
    """Every option stands in the request; the model may come from the environment."""
    options = ("--system", "Be brief.", "--reasoning", "low", "--temperature", "0.5")
    done = command("chat", *options, "--max-tokens", "50", "--quiet", "Hi")
    assert (done.code, done.err) == (0, "")
    body = body_of(server)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["reasoning"] == {"effort": "low"}
    assert (body["temperature"], body["max_tokens"]) == (0.5, 50)


def test_chat_reads_a_pipe(server: Emulator, command: Any) -> None:
    """What is piped in goes behind the prompt, or is the prompt."""
    command("chat", "what broke?", piped=b"disk full\n")
    assert body_of(server)["messages"][0]["content"] == "what broke?\n\ndisk full"
    command("chat", piped="Grüße".encode())
    assert body_of(server)["messages"][0]["content"] == "Grüße"
    command("chat", piped="Straße".encode("utf-16"))
    assert body_of(server)["messages"][0]["content"] == "Straße"


def test_chat_takes_a_piped_image_for_an_image(server: Emulator, command: Any) -> None:
    """Bytes that are an image are attached as one."""
    command("chat", "what is it?", piped=draw_png("fox", 16, 16))
    text, image = body_of(server)["messages"][0]["content"]
    assert text["text"] == "what is it?"
    assert image["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_pipe_of_unknown_bytes_is_not_paid_for(server: Emulator, command: Any) -> None:
    """Bytes that are no text are refused; a log with a broken character is not."""
    done = command("chat", "What is it?", piped=b"\x7fELF\0\1\xff")
    assert (done.code, server.requests) == (2, [])
    assert "neither text nor" in done.err
    assert command("chat", "What is it?", piped=b"caf\xe9 broke").code == 0
    assert "broke" in json.dumps(body_of(server)["messages"])


def test_a_port_in_use_is_a_sentence(server: Emulator, command: Any) -> None:
    """The emulator says which port is taken, and how to get on."""
    port = server.base_url.split(":")[2].partition("/")[0]
    done = command("emulator", "--port", port)
    assert done.code == 1
    assert f"port {port} is in use; without --port" in done.err


def test_chat_attaches_files_by_what_they_are(
    server: Emulator, command: Any, tmp_path: Path
) -> None:
    """The first bytes decide what a file is, its name nothing; text goes as text."""
    files = {
        "a.txt": draw_png("fox", 16, 16),
        "b.txt": PDF,
        "c.txt": b"fLaC" + bytes(20),
        "d.txt": b"\0\0\0\x18ftypmp42" + bytes(20),
        "e.png": b"print(1)",
    }
    options: list[str] = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        options += ["--attach", str(tmp_path / name)]
    urls = ("https://h.example/a.png", "https://h.example/b.pdf?x=1", "https://youtu.be/c")
    for url in urls:
        options += ["--attach", url]
    assert command("chat", "Look", *options).code == 0
    parts = body_of(server)["messages"][0]["content"]
    assert [part["type"] for part in parts] == [
        *("text", "image_url", "file", "input_audio", "video_url", "text"),
        *("image_url", "file", "video_url"),
    ]
    assert parts[5]["text"] == "e.png:\n\nprint(1)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chat"], "nothing to ask"),
        (["chat", "  "], "nothing to ask"),
        (["chat", "Hi", "--attach", "http://["], "Invalid IPv6 URL"),
        (["chat", "Hi", "--temperature", "9"], "temperature"),
        (["chat", "Hi", "--attach", "no-such-file"], "no-such-file"),
        (["chat", "Hi", "--attach", "."], "directory"),
        (["chat", "Hi", "--attach", "empty"], "is empty"),
        (["chat", "Hi", "--attach", "odd"], "neither text nor"),
        (["chat", "Hi", "--attach", "https://h.example/a.mp3"], "audio takes no URL"),
        (["chat", "Hi", "--attach", "https://[h"], "Invalid IPv6 URL"),
        (["chat", "   "], "nothing to ask"),
        (["pdf", "text", "-q", "Who?"], "not a PDF"),
        (["pdf", "no-such.pdf", "-q", "Who?"], "no-such.pdf"),
        (["pdf", "text"], "--question"),
        (["image", "A fox", "-o", "there.png"], "--overwrite"),
        (["image", "A fox", "-o", "no-folder/fox"], "no folder"),
        (["image", "A fox", "-i", "no-such.png"], "no-such.png"),
        (["image", "A fox", "-i", "text"], "text is not an image"),
        (["image", "A fox", "-i", "https://[h"], "Invalid IPv6 URL"),
        (["emulator", "--port", "65536"], "--port"),
        (["emulator", "--pace", "-1"], "--pace"),
        (["login", "--timeout", "0"], "--timeout"),
        (["models", "--sort", "beauty"], "beauty"),
        (["cost", "gen-1", "--wait", "-1"], "--wait"),
        (["dance"], "dance"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(
    server: Emulator,
    command: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    """A wrong argument is a sentence that names it, exit code 2, and no request."""
    monkeypatch.chdir(tmp_path)
    for name, data in {"empty": b"", "odd": b"\0\xff\1", "text": b"Hi", "there.png": b"x"}.items():
        (tmp_path / name).write_bytes(data)
    done = command(*arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert server.requests == []


def test_a_prompt_waits_for_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C and an empty line give a new prompt, Ctrl-D ends the talk."""
    from openrouter_async.cli._chat import next_line

    typed: list[str | BaseException] = [KeyboardInterrupt(), " ", " Hi ", EOFError()]

    def type_next(_prompt: str) -> str:
        keys = typed.pop(0)
        if isinstance(keys, BaseException):
            raise keys
        return keys

    monkeypatch.setattr("builtins.input", type_next)
    assert (next_line(), next_line()) == ("Hi", None)


def test_a_talk_goes_on_after_an_error(
    server: Emulator, on_screen: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    """An attachment goes with the first turn that succeeds, and a failed turn is no part of it."""
    (tmp_path / "a.txt").write_bytes(b"The sky is green.")
    typed = ["Read", "Read again", "Thanks"]

    def type_next(_prompt: str) -> str:
        if not typed:
            raise EOFError
        return typed.pop(0)

    monkeypatch.setattr("builtins.input", type_next)
    server.play(http_error(400, "no such model"), chat("Green."), chat("Bye."))
    shown = on_screen("chat", "--attach", str(tmp_path / "a.txt"))
    assert re.search(r"Green\..*Bye\.", shown, re.DOTALL)
    said = capsys.readouterr().err
    assert "Error: no such model" in said
    assert "All together $0.0003" in said
    first, _, second = body_of(server)["messages"]
    assert [part["text"] for part in first["content"]] == [
        *("Read again", "a.txt:\n\nThe sky is green."),
    ]
    assert second["content"] == "Thanks"


def test_thoughts_are_shown_until_the_answer_begins(server: Emulator, on_screen: Any) -> None:
    """Reasoning is seen while there is nothing else, and is gone in the end."""
    server.play(chat("So it is.", reasoning=["Let me ", "think."]).hold_after(2))
    shown = on_screen("chat", "Hi", "--quiet", text="think.", then=server.release)
    assert shown.rindex("So it is.") > shown.rindex("think.")
    assert shown.count("Let me think.") == 1


def test_what_is_finished_is_written_once(server: Emulator, on_screen: Any) -> None:
    """A block that can still change is drawn anew, one that cannot is not."""
    server.play(chat("One.\n\nTwo.\n\nThree", " four.").hold_after(1))
    shown = on_screen("chat", "Hi", "--quiet", text="Three", then=server.release)
    assert shown.count("One.") == shown.count("Three four.") == 1
    assert re.search(r"One\..*Two\..*Three.*Three four\.\s*$", shown, re.DOTALL)


def test_a_block_longer_than_the_terminal_is_cut_above(server: Emulator, on_screen: Any) -> None:
    """Its last lines are what is seen while it comes, and all of it is there in the end."""
    lines = "".join(f"line {number}\n" for number in range(60))
    server.play(chat(f"```\n{lines}", "```\n").hold_after(1))
    shown = on_screen("chat", "Hi", "--quiet", text="line 59", then=server.release)
    assert len(re.findall(r"line 59\b", shown)) == 2
    assert len(re.findall(r"line 3\b", shown)) == 1


def test_chat_as_json(server: Emulator, command: Any) -> None:
    """One object with text, tokens, cost and ending, and nothing else anywhere."""
    server.play(chat("Rain", reasoning="hm", cost=0.5, provider="Test"))
    done = command("chat", "--json", "Hi")
    answer = json.loads(done.out)
    assert (answer["text"], answer["reasoning"], answer["cost"]) == ("Rain", "hm", 0.5)
    assert (answer["provider"], answer["ending"], answer["error"]) == ("Test", "complete", None)
    assert answer["usage"]["total_tokens"] == 12
    assert done.err == ""


def test_a_failed_answer_keeps_what_came(server: Emulator, command: Any) -> None:
    """A cut answer is on stdout as far as it came, its error on stderr, and the code is 1."""
    server.play(chat("Rain ", "falls.").cut_after(1))
    done = command("chat", "Hi")
    assert (done.code, done.out) == (1, "Rain \n")
    assert "Error: " in done.err
    server.play(chat("Rain ", "falls.").cut_after(1))
    done = command("chat", "--json", "Hi")
    answer = json.loads(done.out)
    assert (done.code, answer["text"], answer["ending"]) == (1, "Rain ", "broken")
    assert answer["error"]["type"] == "StreamBrokenError"


def test_control_characters_of_errors_do_not_reach_the_terminal(
    server: Emulator, command: Any
) -> None:
    """A server cannot steer the terminal through its error sentence."""
    server.play(http_error(400, "bad\x1b]0;owned\x07 model"))
    done = command("chat", "Hi")
    assert "bad]0;owned model" in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (chat("", finish_reason="length"), "before the answer began; --max-tokens"),
        (chat(""), "The answer is empty: "),
        (chat("Rain", finish_reason="length"), "--max-tokens"),
        (chat({"refusal": "No."}), "The model refused: No."),
    ],
)
def test_what_is_odd_about_an_answer_is_told(
    server: Emulator, command: Any, reply: Reply, said: str
) -> None:
    """An empty, a cut and a refused answer end well, and stderr says what they are."""
    server.play(reply)
    done = command("chat", "Hi")
    assert done.code == 0
    assert said in done.err


# Errors


@pytest.mark.parametrize(
    ("reply", "code", "hint"),
    [
        (http_error(401, "User not found."), 3, "doctor"),
        (http_error(402, "Insufficient credits"), 1, "credits"),
        (http_error(404, "No endpoints"), 1, "models"),
        (http_error(400, "x is not a valid model ID"), 1, "models SEARCH"),
        (http_error(500, "Oops"), 1, "Try again"),
    ],
)
def test_errors_say_what_to_do_next(
    server: Emulator, command: Any, reply: Reply, code: int, hint: str
) -> None:
    """The API's sentence, what to do next, and the documented exit code."""
    server.play(reply)
    done = command("chat", "Hi")
    assert (done.code, done.out) == (code, "")
    first, second = done.err.splitlines()
    assert first.startswith("Error: ")
    assert hint in second


@pytest.mark.parametrize(
    "arguments",
    [
        ["chat", "Hi"],
        ["image", "A fox"],
        ["models"],
        ["cost"],
        ["batch", "none.jsonl", "out.jsonl"],
        ["batch", "--report", "none.jsonl"],
    ],
)
def test_a_failure_is_json_too(
    server: Emulator,
    command: Any,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever fails, `--json` has one object with the error on stdout; misuse has nothing."""
    monkeypatch.chdir(tmp_path)
    for path in ("/chat/completions", "/models", "/key"):
        server.always(http_error(400, "No such thing"), path=path)
    done = command(*arguments, "--json")
    error = json.loads(done.out)["error"]
    assert done.code == 1
    assert error["type"] in ("BadRequestError", "BatchError")
    assert error["message"] in done.err
    assert command(*arguments, "--json", "--bogus").out == ""


def test_without_a_key_json_says_so(command: Any) -> None:
    """What fails before anything is asked is told to programs, too."""
    for arguments in (["chat", "Hi"], ["cost"], ["image", "A fox"]):
        done = command(*arguments, "--json")
        assert (done.code, json.loads(done.out)["error"]["type"]) == (3, "NoKey")


def test_the_wait_that_the_api_names_is_told() -> None:
    """A 429 says how long to wait, and an error of an unknown kind still says something."""
    from openrouter_async.cli._failures import describe

    limited = RateLimitError("Slow down")
    limited.retry_after = 30.0
    assert describe(limited).endswith("Wait 30 s, or ask another model with --model.")
    assert "doctor" in describe(ConnectError("cannot connect"))
    assert describe(OpenRouterError()) == "Error: OpenRouterError"
    assert "models" in describe(NotFoundError("none"))
    assert "--wait" in describe(NotFoundError("Generation gen-1 not found"))


def test_without_a_key(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenRouter wants a key, and the sentence says where there is one; the code is 3."""
    for arguments in (["chat", "Hi"], ["cost"], ["image", "A fox"]):
        done = command(*arguments)
        assert done.code == 3
        assert "https://openrouter.ai/settings/keys" in done.err
    with Emulator.in_thread() as emulator:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        assert command("chat", "Hi").code == 3  # sent without one, to a server that wants one
        assert "Authorization" not in emulator.requests[0].headers
        assert command("models").code == 0


def test_shells_complete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shell is told the commands that begin with what was typed."""
    monkeypatch.setenv("_OPENROUTER_ASYNC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "openrouter-async mo")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out == "plain,models\n"


def test_without_the_extra(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named in one line."""
    monkeypatch.setitem(sys.modules, "rich", None)
    done = command("--help")
    assert (done.code, done.out) == (2, "")
    assert 'pip install "openrouter-async[cli]"' in done.err


# image


def test_image_saves_and_never_overwrites_unasked(
    server: Emulator, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suffix is the image's, a taken name gets a number, and in a pipe there are paths only."""
    monkeypatch.chdir(tmp_path)
    server.play(*[chat(images=[draw_png("fox", 16, 9), draw_png("owl", 9, 16)])] * 2)
    assert command("image", "A fox", "-o", "fox").out == "fox.png\nfox-2.png\n"
    assert command("image", "A fox", "-o", "fox").out == "fox-3.png\nfox-4.png\n"
    before = (tmp_path / "fox.png").read_bytes()
    server.play(chat(images=[draw_png("hare", 16, 9)]))
    assert command("image", "A hare", "-o", "fox.png", "--overwrite").out == "fox.png\n"
    assert (tmp_path / "fox.png").read_bytes() != before


def test_image_goes_into_a_folder(
    server: Emulator, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder as the output takes the image, and does not give it its name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drawn").mkdir()
    server.always(chat(images=[draw_png("fox", 16, 9)]))
    assert command("image", "A fox", "-o", "drawn/").out == "drawn/image.png\n"
    assert command("image", "A fox", "-o", "drawn").out == "drawn/image-2.png\n"


def test_a_folder_that_takes_no_file_is_told_of_before_paying(
    server: Emulator, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be saved is not drawn."""

    def refuses(path: object, _: int) -> bool:
        return Path(str(path)) != tmp_path

    monkeypatch.setattr("os.access", refuses)
    done = command("image", "A fox", "-o", str(tmp_path / "fox"))
    assert (done.code, server.requests) == (2, [])
    assert "cannot be written to" in done.err


def test_image_sends_size_and_references(
    server: Emulator, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aspect ratio, tier and images to begin from stand in the request; JSON tells the files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.png").write_bytes(draw_png("old", 16, 16))
    options = ("--aspect-ratio", "16:9", "--size", "2K", "-i", "old.png", "--json")
    done = command("image", "A fox", *options)
    answer = json.loads(done.out)
    (image,) = answer["images"]
    assert (image["path"], image["media_type"]) == ("image.png", "image/png")
    assert image["width"] > image["height"]
    assert answer["cost"] > 0
    body = body_of(server)
    assert body["image_config"] == {"aspect_ratio": "16:9", "image_size": "2K"}
    assert "data:image/png;base64," in json.dumps(body["messages"])


def test_image_without_an_image_says_what_the_model_said(server: Emulator, command: Any) -> None:
    """A model that does not draw is told of in its own words, and the code is 1."""
    server.play(chat("I cannot draw that."))
    done = command("image", "A fox")
    assert (done.code, done.out) == (1, "")
    assert "I cannot draw that." in done.err


def test_an_image_that_cannot_be_saved_is_a_sentence(
    server: Emulator, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL in place of bytes is told, so that it is not lost; so is a file name that is refused."""
    monkeypatch.chdir(tmp_path)
    server.play(chat(images=["https://h.example/fox.png"]), chat(images=[draw_png("fox", 9, 9)]))
    done = command("image", "A fox")
    assert done.code == 1
    assert "https://h.example/fox.png" in done.err
    done = command("image", "A fox", "-o", "x" * 300)
    assert done.code == 1
    assert "too long" in done.err


def test_an_image_is_shown_on_a_terminal(
    server: Emulator, on_screen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture, then the file's name and size; without --no-preview only."""
    monkeypatch.chdir(tmp_path)
    server.always(chat(images=[draw_png("fox", 32, 16)]))
    shown = on_screen("image", "A fox", "--quiet")
    assert shown.endswith("image.png (32 x 16, 1 kB)\n")
    assert shown.count("\N{UPPER HALF BLOCK}") == 32 * 8
    shown = on_screen("image", "A fox", "--quiet", "--no-preview")
    assert shown == "image-2.png (32 x 16, 1 kB)\n"


# pdf


def test_pdf_is_parsed_once_for_many_questions(
    server: Emulator, command: Any, tmp_path: Path
) -> None:
    """The second question sends what the first has learned; a folder keeps it for later calls."""
    (tmp_path / "a.pdf").write_bytes(PDF)
    folder = ("--remember", str(tmp_path / "kept"), "--model", "deepseek/deepseek-r1")
    asked = ("pdf", str(tmp_path / "a.pdf"), "--engine", "mistral-ocr", *folder)
    done = command(*asked, "-q", "Who signed it?", "-q", "When did Bob?")
    assert done.code == 0
    assert "Ann" in done.out
    assert "> When did Bob?" in done.err
    assert "saved" in done.err
    assert "June" in json.loads(command(*asked, "-q", "Bob in June?", "--json").out)["text"]
    assert server.parsed.total() == 1


# models


def test_models_are_searched_and_sorted(server: Emulator, command: Any) -> None:
    """In a pipe each model is a line of id, context, input price and output price."""
    assert command("models", "claude", "sonnet").out == (
        "anthropic/claude-sonnet-4.5\t1000000\t3\t15\n"
    )
    by_price = command("models", "--sort", "price").out.splitlines()
    prices = [line.split("\t")[2] for line in by_price]
    assert prices == sorted(prices, key=lambda price: float(price or "inf"))
    assert len(command("models", "--sort", "newest", "--limit", "2").out.splitlines()) == 2
    assert server.requests[0].query == {"output_modalities": "text"}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--free"], ["meta-llama/llama-3.3-70b-instruct:free"]),
        (["--output", "image"], ["google/gemini-2.5-flash-image"]),
        (["--input", "video", "--input", "audio"], ["google/gemini-2.5-flash"]),
        (["--max-price", "0.2", "--context", "128000", "gpt"], ["openai/gpt-4o-mini"]),
        (["--context", "2000000"], ["openrouter/auto"]),
        (["unicorn"], []),
    ],
)
def test_models_are_filtered(
    server: Emulator, command: Any, options: list[str], found: list[str]
) -> None:
    """Each filter leaves the models that it should; none is an empty list and no error."""
    done = command("models", "--json", *options)
    assert done.code == 0
    assert [row["id"] for row in json.loads(done.out)] == found


def test_models_are_a_table_on_a_terminal(server: Emulator, on_screen: Any) -> None:
    """Prices of a million tokens stand below each other, under headings."""
    heading, *rows = re.sub(r"\x1b\[[0-9;]*m", "", on_screen("models")).splitlines()
    assert heading.split()[:2] == ["model", "context"]
    (row,) = (row for row in rows if "gpt-4o-mini" in row)
    assert row.split()[1:4] == ["128,000", "0.15", "0.6"]
    assert row.index("0.15") + 4 == heading.index("input $/M") + len("input $/M")


def test_no_model_is_said_to_people(server: Emulator, command: Any) -> None:
    """Without --json nothing on stdout means nothing found, and stderr says so."""
    assert command("models", "unicorn") == (0, "", "No model is like that.\n")


def test_a_model_of_which_nothing_is_known_has_a_row() -> None:
    """What the API leaves out is left out here, and kills no list."""
    from openrouter_async.cli._models import Wanted, row_of

    row = row_of(Model(id="a/b"))
    assert row in Wanted()
    assert row not in Wanted(is_free=True)
    assert row not in Wanted(max_price=100.0)


# cost


def test_cost_of_the_key(server: Emulator, command: Any) -> None:
    """Without an id it is the key's usage and limit."""
    facts = {"label": "sk-or...x", "usage": 12.5, "usage_daily": 0.25, "limit": 20}
    facts |= {"limit_remaining": 7.5, "limit_reset": "monthly"}
    server.always(_json({"data": facts}), path="/key")
    out = command("cost").out
    for shown in ("sk-or...x", "$12.50", "$0.25", "$20.00 monthly", "$7.50"):
        assert shown in out
    assert json.loads(command("cost", "--json").out) == facts


def test_a_record_that_is_not_there_yet_is_waited_for(server: Emulator, command: Any) -> None:
    """A generation that is not known may be too young; what to do is said."""
    done = command("cost", "gen-unknown", "--wait", "0")
    assert done.code == 1
    assert "--wait waits longer" in done.err


def test_cost_of_a_generation(server: Emulator, command: Any) -> None:
    """With the id that `chat --json` told, it is the record of that answer."""
    answer = json.loads(command("chat", "Hi", "--json").out)
    done = command("cost", answer["generation_id"])
    assert (done.code, answer["model"] in done.out) == (0, True)
    record = json.loads(command("cost", answer["generation_id"], "--json").out)
    assert record["total_cost"] == answer["cost"]
    assert command("cost", "gen-none", "--wait", "0").code == 1


# doctor


def states(done: Done) -> dict[str, str]:
    """The state of each check."""
    answer = json.loads(done.out)
    assert answer["ok"] == (done.code == 0)
    return {check["name"]: check["state"] for check in answer["checks"]}


def test_doctor_finds_all_well(server: Emulator, command: Any) -> None:
    """Every check is there, none fails, nothing is billed, and the key is not shown."""
    done = command("doctor", "--json")
    assert states(done) == dict.fromkeys(
        ("versions", "key", "address", "proxy", "DNS", "connection", "API", "credit"), "ok"
    )
    done = command("doctor")
    assert done.code == 0
    assert KEY not in done.out + done.err
    assert server.accepted == 0


def test_doctor_names_what_is_wrong(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure is found at its own check, with a next step, and the exit code is 1."""
    server.always(http_error(401, "User not found."), path="/key")
    done = command("doctor", "--json")
    assert (done.code, states(done)["API"]) == (1, "failed")
    server.always(http_error(404, "Not Found"), path="/key")
    assert states(command("doctor", "--json"))["API"] == "ok"  # another server of the dialect
    server.always(http_error(500, "Oops"), path="/key")
    assert states(command("doctor", "--json"))["API"] == "failed"
    server.always(_json({"data": {"limit": 5, "limit_remaining": 0}}), path="/key")
    done = command("doctor")
    assert done.code == 1
    assert "FAIL" in done.out
    assert "limit of $5.00 is used up" in done.out
    server.always(_json({"data": {"is_free_tier": True}}), path="/key")
    assert states(command("doctor", "--json"))["credit"] == "warning"
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-\nbroken")
    assert states(command("doctor", "--json"))["key"] == "failed"


@pytest.mark.parametrize(
    ("environment", "check"),
    [
        ({"OPENROUTER_BASE_URL": "ftp://h.example"}, "address"),
        ({"OPENROUTER_BASE_URL": "http://h.example", "OPENROUTER_API_KEY": KEY}, "address"),
        ({"OPENROUTER_BASE_URL": "https://h.invalid"}, "DNS"),
        ({"OPENROUTER_BASE_URL": "http://127.0.0.1:1"}, "connection"),
        ({"HTTPS_PROXY": "socks5://u:secret@h.example:1", "OPENROUTER_API_KEY": KEY}, "proxy"),
        ({"HTTPS_PROXY": "http://u:secret@127.0.0.1:1", "OPENROUTER_API_KEY": KEY}, "proxy"),
        ({"HTTPS_PROXY": "http://u:secret@h.invalid:1", "OPENROUTER_API_KEY": KEY}, "proxy"),
        ({"HTTPS_PROXY": "http://u:secret/@127.0.0.1:1", "OPENROUTER_API_KEY": KEY}, "proxy"),
    ],
)
def test_doctor_stops_at_the_first_obstacle(
    command: Any, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], check: str
) -> None:
    """What is nearest and wrong is what fails; no password of a proxy is shown."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = command("doctor", "--json")
    found = states(done)
    assert found[check] == "failed"
    assert list(found.values()).count("failed") == 1
    assert all(row["next"] for row in json.loads(done.out)["checks"] if row["state"] == "failed")
    assert "secret" not in done.out


def test_doctor_looks_at_the_key_where_a_proxy_leads(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing key is named, and a proxy that can be reached is not; what it refuses is told."""
    monkeypatch.setenv("HTTPS_PROXY", server.base_url.removesuffix("/api/v1"))
    monkeypatch.delenv("OPENROUTER_BASE_URL")
    monkeypatch.delenv("OPENROUTER_API_KEY")
    found = states(command("doctor", "--json"))
    assert (found["key"], found["proxy"]) == ("failed", "ok")
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    done = command("doctor", "--json")
    assert states(done)["API"] == "failed"  # the emulator is no proxy
    assert "Look at HTTPS_PROXY" in done.out


def test_doctor_speaks_of_tls(
    server: Emulator, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that speaks no TLS is told from one whose certificate is not trusted."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", server.base_url.replace("http:", "https:"))
    done = command("doctor", "--json")
    assert states(done)["connection"] == "failed"
    assert "does not speak TLS" in done.out
    assert "SSL_CERT_FILE" not in done.out


def test_doctor_speaks_of_certificates(
    authority: Authority, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that nobody vouches for is the reason, and SSL_CERT_FILE mends it."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    with Emulator.in_thread(ssl=authority.server) as emulator:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        done = command("doctor", "--json")
        assert states(done)["connection"] == "failed"
        assert "certificate" in done.out
        assert "SSL_CERT_FILE" in done.out
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert set(states(command("doctor", "--json")).values()) == {"ok"}


@pytest.mark.parametrize(
    ("path", "environment", "words"),
    [
        ("127.0.0.1:1", {"OPENROUTER_API_KEY": KEY}, ("nothing listens there", "Start it")),
        (None, {}, ("it wants a key", "Set OPENROUTER_API_KEY")),
    ],
)
def test_doctor_speaks_of_other_servers(
    server: Emulator,
    command: Any,
    monkeypatch: pytest.MonkeyPatch,
    path: str | None,
    environment: dict[str, str],
    words: tuple[str, ...],
) -> None:
    """What to do at a server of one's own is not what to do at OpenRouter."""
    monkeypatch.delenv("OPENROUTER_API_KEY")
    if path is not None:
        monkeypatch.setenv("OPENROUTER_BASE_URL", f"http://{path}/api/v1")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = command("doctor")
    assert done.code == 1
    assert all(word in done.out for word in words), done.out
    assert "Errno" not in done.out
    assert "openrouter.ai" not in done.out


def test_doctor_fits_the_terminal(server: Emulator, on_screen: Any) -> None:
    """On a terminal the lines are broken between words, and stay in their column."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", on_screen("doctor")).splitlines()
    assert max(map(len, lines)) <= 100
    further = [line for line in lines if line.startswith(" ")]
    assert further
    assert {len(line) - len(line.lstrip()) for line in further} == {len("ok    connection  ")}


@pytest.mark.parametrize(
    ("given", "said"),
    [("chta", "Did you mean 'chat'?"), ("modles", "Did you mean 'models'?"), ("zzz", "'zzz'.")],
)
def test_a_misspelt_command_is_told_what_is_meant(command: Any, given: str, said: str) -> None:
    """The command that is meant is named, and nothing is where none is like it."""
    done = command(given)
    assert done.code == 2
    assert done.err.rstrip().endswith(said)


def test_doctor_doubts_a_foreign_key(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of another service is doubted, as OpenRouter would refuse it."""
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-proj-abcdef")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    done = command("doctor", "--json")
    assert states(done)["key"] == "warning"
    assert "sk-proj" not in done.out


# Pure parts


def test_blocks_are_finished_when_nothing_can_change_them() -> None:
    """The same blocks are found at every cut, and never inside a fence or a list."""
    text = (
        "# Title\n\nOne\ntwo.\n\n- a\n\n- b\n\n  more b\n\n```\ncode\n\nstill\n```\n\nLast\n\nEnd"
    )
    whole = finished(text)
    assert text[whole:] == "Last\n\nEnd"
    ends = [finished(text[:cut]) for cut in range(len(text) + 1)]
    assert ends == sorted(ends)
    assert [text[:end].split("\n\n")[-2] for end in sorted({*ends} - {0})] == [
        *("# Title", "  more b", "still\n```"),
    ]


def test_numbers_are_shown_short() -> None:
    """Cents, parts of them, nothing, and what is not known."""
    amounts = [money(usd) for usd in (None, 0, 12.5, 0.5, 0.000013)]
    assert amounts == ["cost unknown", "free", "$12.50", "$0.5", "$0.000013"]
    assert [money(usd) for usd in (0.0000001, 0.9999999)] == ["less than $0.000001", "$1"]
    assert million_price(None) is None
    assert printable("a\x1b[31m\tb\n\x9b") == "a[31m\tb\n"


def _json(value: object) -> Reply:
    return Reply(
        headers=(("Content-Type", "application/json"),),
        steps=http_error(200, body=json.dumps(value).encode()).steps,
        framing="length",
    )
