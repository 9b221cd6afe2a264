"""What the documentation shows works: examples, docstrings and the README's own code."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

import openrouter_async
from openrouter_async.testing import Emulator

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-or-v1-test-key"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def run_example(name: str, base_url: str | None, folder: Path, *arguments: str) -> str:
    """Run an example as a user does, in a folder of its own; give what it printed."""
    own = {"PYTHONPATH": str(ROOT)}
    if base_url is not None:
        own |= {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": base_url}
    finished = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(ROOT / "examples" / name), *arguments],
        env={**os.environ, **own},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert not re.search(r"Warning|Traceback", finished.stderr), finished.stderr
    return finished.stdout


def test_quickstart_prints_an_answer(tmp_path: Path) -> None:
    """The quickstart prints the answer of the server that the environment names."""
    with Emulator.in_thread() as emulator:
        assert "haiku" in run_example("quickstart.py", emulator.base_url, tmp_path)


def test_stream_images_saves_the_image(tmp_path: Path) -> None:
    """The image example saves a PNG and tells what it cost."""
    with Emulator.in_thread() as emulator:
        printed = run_example("stream_images.py", emulator.base_url, tmp_path, "A fox")
    assert (tmp_path / "image-1.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "1 images" in printed
    assert "ending complete" in printed


def test_structured_output_prints_values(tmp_path: Path) -> None:
    """The example of structured output prints a list, a value that grows, and the typed value."""
    with Emulator.in_thread() as emulator:
        printed = run_example("structured_output.py", emulator.base_url, tmp_path)
    assert "herbs: " in printed
    assert "so far: title, difficulty, ingredients, steps" in printed
    assert "(easy), 1 steps" in printed


def test_dialects_answer_alike(tmp_path: Path) -> None:
    """The example of the dialects prints answers of both, and goes on with each."""
    with Emulator.in_thread() as emulator:
        printed = run_example("dialects.py", emulator.base_url, tmp_path)
        assert emulator.accepted == 4
    assert "complete, completed, cost $0.0" in printed
    assert "end_turn, by Anthropic" in printed
    assert printed.count("\u201criver\u201d") == 2


def test_semantic_search_finds_the_text(tmp_path: Path) -> None:
    """The example of vectors and ranks puts the text that answers first."""
    with Emulator.in_thread() as emulator:
        printed = run_example("semantic_search.py", emulator.base_url, tmp_path)
    assert printed.splitlines()[0].endswith("Yukihiro Matsumoto.")
    assert "cost $0.002" in printed


def test_tools_runs_a_tool(tmp_path: Path) -> None:
    """The tool example calls its tool and tells what came of it."""
    with Emulator.in_thread() as emulator:
        printed = run_example("tools.py", emulator.base_url, tmp_path, "The weather in Oslo?")
    assert "[weather done in " in printed
    assert "The tool says" in printed
    assert "2 turns" in printed
    assert "finished" in printed


def test_demo_runs_without_a_key(tmp_path: Path) -> None:
    """The demo needs no key: it streams from the built-in emulator and reports both streams."""
    printed = run_example("demo.py", None, tmp_path)
    assert printed.count("ending complete") == 2
    assert printed.count("first token after") == 2
    assert printed.count("cost $0.0") == 2
    assert (tmp_path / "demo.png").exists()


def test_demo_uses_the_key_that_is_set(tmp_path: Path) -> None:
    """With a key the demo sends its requests to the API."""
    with Emulator.in_thread() as emulator:
        run_example("demo.py", emulator.base_url, tmp_path)
        assert emulator.accepted == 2


@pytest.mark.parametrize("keyed", [True, False])
def test_reasoning_shows_the_thoughts_first(keyed: bool, tmp_path: Path) -> None:
    """The reasoning example prints thoughts, answer and cost, with a key and without one."""
    with Emulator.in_thread() as emulator:
        printed = run_example("reasoning.py", emulator.base_url if keyed else None, tmp_path)
        assert emulator.accepted == int(keyed)
    assert "tokens of reasoning, cost $0.0" in printed
    assert keyed or printed.index("If the ball") < printed.index("Five cents.")


@pytest.mark.parametrize("keyed", [True, False])
def test_conversation_goes_on_from_a_file(keyed: bool, tmp_path: Path) -> None:
    """The conversation example talks, branches, saves and goes on, with a key and without one."""
    with Emulator.in_thread() as emulator:
        printed = run_example("conversation.py", emulator.base_url if keyed else None, tmp_path)
        assert emulator.accepted == 4 * int(keyed)
    assert printed.count("> ") == 4
    assert "7 messages, cost $0.0" in printed
    assert (tmp_path / "conversation.json").exists()


@pytest.mark.parametrize("keyed", [True, False])
def test_generate_image_saves_two_pictures(keyed: bool, tmp_path: Path) -> None:
    """The image example draws, and draws again by what it drew, with a key and without one."""
    with Emulator.in_thread() as emulator:
        printed = run_example(
            "generate_image.py", emulator.base_url if keyed else None, tmp_path, "A fox", "drawn"
        )
        assert emulator.accepted == 2 * int(keyed)
    assert "picture.png: 688 x 384" in printed
    assert "by-night.png: 512 x 512" in printed
    for name in ("picture.png", "by-night.png"):
        assert (tmp_path / "drawn" / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("keyed", [True, False])
def test_vision_asks_about_a_picture(keyed: bool, tmp_path: Path) -> None:
    """The vision example sends a file, or a picture that it has had drawn."""
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\nphoto")
    with Emulator.in_thread() as emulator:
        printed = run_example(
            "vision.py", emulator.base_url if keyed else None, tmp_path, *["photo.png"] * keyed
        )
        assert [request.body.count(b"data:image/png;base64,") for request in emulator.requests] == [
            1
        ] * keyed
    assert "ending complete" in printed


def test_the_picture_of_the_readme_is_made_anew(tmp_path: Path) -> None:
    """The script gives an SVG of the same kind as the one that the README shows."""
    run_example("picture.py", None, tmp_path, "made.svg")
    for path in (tmp_path / "made.svg", ROOT / "docs" / "stream_images.svg"):
        picture = path.read_text("utf-8")
        found = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}image")
        assert [image.get("href", "")[:22] for image in found] == ["data:image/png;base64,"] * 4
        assert len(picture) < 100_000


def test_share_gives_every_reader_the_whole_answer(tmp_path: Path) -> None:
    """Three readers of one request, one of which was away for a while, count the same."""
    printed = run_example("share.py", None, tmp_path)
    assert len(set(re.findall(r": (\d+) characters", printed))) == 1
    assert printed.count(" characters") == 3
    assert "ending complete" in printed


def test_budget_spends_no_more_than_it_may(tmp_path: Path) -> None:
    """The budget example needs no key, serves a part of its requests and refuses the rest."""
    printed = run_example("budget.py", None, tmp_path)
    assert 0 < printed.count("refused") < 8
    assert "of $0.001000, uncertain $0.000000" in printed


def test_fallback_answers_twice(tmp_path: Path) -> None:
    """The fallback example needs no key: one silent model is replaced, the other outrun."""
    printed = run_example("fallback.py", None, tmp_path)
    assert printed.count("The air scatters blue light.") == 2
    assert printed.count("google/gemini-2.5-flash won") == 2
    assert "(FirstEventTimeout)" in printed
    assert "deepseek/deepseek-r1 lost" in printed


def test_pdf_questions_are_paid_for_once(tmp_path: Path) -> None:
    """The PDF example needs no key, parses once, and a second run not at all."""
    first = run_example("pdf_questions.py", None, tmp_path)
    assert "The harvest of 1903 was 21 tons." in first
    assert first.count("saved $0.006000") == 2
    assert run_example("pdf_questions.py", None, tmp_path).count("saved $0.006000") == 3


def test_speech_is_saved_and_transcribed(tmp_path: Path) -> None:
    """What the speech example saves plays, and the transcription example reads it."""
    with Emulator.in_thread() as emulator:
        printed = run_example("speech.py", emulator.base_url, tmp_path, "Good morning")
        assert "speech.wav: " in printed
        assert "speech.mp3: " in printed
        heard = run_example("transcribe.py", emulator.base_url, tmp_path, "speech.wav")
    size = (tmp_path / "speech.wav").stat().st_size
    assert heard.startswith(f"A recording of {size} bytes in wav.\n")
    assert "0.00 s to" in heard
    assert (tmp_path / "speech.mp3").read_bytes().startswith(b"\xff\xfb")


def test_batch_reviews_judges_every_row(tmp_path: Path) -> None:
    """The batch example needs no key, gives a typed value for each row, and pays once for each."""
    for run in range(2):
        printed = run_example("batch_reviews.py", None, tmp_path)
        assert "4 of 4 done" in printed
        assert printed.count(" stars, ") == 4, f"run {run}"
    assert len((tmp_path / "judged.jsonl").read_bytes().splitlines()) == 4
    assert "</svg>" in (tmp_path / "judged.html").read_text("utf-8")


def test_batch_images_draws_every_prompt(tmp_path: Path) -> None:
    """The example of images in a batch needs no key and writes a file for each prompt."""
    assert "3 of 3 drawn" in run_example("batch_images.py", None, tmp_path)
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [picture.read_bytes()[:4] for picture in pictures] == [b"\x89PNG"] * 3


def test_batch_pdfs_sums_up_every_document(tmp_path: Path) -> None:
    """The example of documents in a batch needs no key, and a second run pays for nothing."""
    for _ in range(2):
        printed = run_example("batch_pdfs.py", None, tmp_path)
        assert "contract.pdf: " in printed
        assert "The harvest of 1903 was 21 tons." in printed
        assert "2 of 2 documents, $" in printed
    assert len((tmp_path / "summaries.jsonl").read_bytes().splitlines()) == 2


def modules() -> list[ModuleType]:
    """Every module of the package that imports without an extra."""
    found = pkgutil.walk_packages(openrouter_async.__path__, "openrouter_async.")
    names = [info.name for info in found if not info.name.endswith("__main__")]
    return [openrouter_async, *(importlib.import_module(name) for name in names)]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_docstring_examples_run(module: ModuleType) -> None:
    """Each example in a docstring gives what it says."""
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0
