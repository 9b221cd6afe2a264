"""A real notebook: cells that await, cells that run again, and answers that show themselves."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from openrouter_async.testing import Emulator, chat

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-or-v1-test-key"
INTEGRATION = "OPENROUTER_ASYNC_INTEGRATION"


def needed(name: str) -> Any:
    """A module that this needs; without it the tests are skipped, unless they are to be run."""
    try:
        return import_module(name)  # neither is typed, so that what it gives is Any
    except ModuleNotFoundError as error:
        if os.environ.get(INTEGRATION):
            raise
        pytest.skip(f"{error.name} is not installed", allow_module_level=True)


needed("ipykernel")  # nbclient starts it in a process of its own
nbclient, nbformat = needed("nbclient"), needed("nbformat")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """An emulator that the kernel's environment names, and no trace of the user's own settings."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with Emulator.in_thread() as emulator:
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
        yield emulator


def run(notebook: Any, folder: Path) -> list[list[Any]]:
    """Run a notebook as Jupyter does; give the outputs of each cell of code."""
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources=resources
    )
    done = client.execute()
    return [list(cell.outputs) for cell in done.cells if cell.cell_type == "code"]


def cells(*sources: str) -> Any:
    """A notebook of some cells."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def complaints(outputs: list[list[Any]]) -> list[str]:
    """What was written to the error stream, warnings and all."""
    return [
        output.text
        for cell in outputs
        for output in cell
        if output.output_type == "stream" and output.name == "stderr"
    ]


def shown(outputs: list[Any]) -> dict[str, Any]:
    """The forms in which the value of a cell is shown."""
    (result,) = [output for output in outputs if output.output_type == "execute_result"]
    return dict(result.data)


def text(outputs: list[Any]) -> str:
    """What a cell printed."""
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_cells_await_and_run_again(server: Emulator, tmp_path: Path) -> None:
    """Streams are read at the top of cells, left, cancelled and read anew, without a warning."""
    loop = """
async for piece in client.stream("Count to nine", model=MODEL).text():
    print(piece, end="")
"""
    leave = """
async for chunk in client.stream("Count to nine", model=MODEL):
    break
"""
    outputs = run(
        cells(
            'from openrouter_async import OpenRouter\nMODEL = "openai/gpt-4o-mini"\n'
            "client = OpenRouter()",
            loop,
            loop,
            leave,
            leave,
            "stream = await client.stream('Hi', model=MODEL).start()",
            "stream = await client.stream('Hi', model=MODEL).start()",
            "del stream\nclient.stats().leased",
            "client = OpenRouter()\nlen(await client.models.list()) > 0",
            "import gc; gc.collect()\nimport asyncio; len(asyncio.all_tasks()) < 10",
            "async with OpenRouter() as second:\n"
            "    print((await second.complete('Hi', model=MODEL)).text)",
        ),
        tmp_path,
    )
    assert complaints(outputs) == []
    assert text(outputs[1]) == text(outputs[2]) != ""
    assert shown(outputs[7])["text/plain"] == "0"
    assert shown(outputs[8])["text/plain"] == "True"
    assert text(outputs[10])
    assert server.accepted == 7


def test_answers_show_themselves(server: Emulator, tmp_path: Path) -> None:
    """Completions are shown as Markdown, images as images, and sound with a player."""
    outputs = run(
        cells(
            "from openrouter_async import OpenRouter\nclient = OpenRouter()",
            "await client.complete('Say *hello*', model='openai/gpt-4o-mini')",
            "await client.complete('Numbers', model='openai/gpt-4o-mini', response_type=list[int])",
            "drawn = await client.generate_images('A fox', model='google/gemini-2.5-flash-image')\n"
            "drawn.image",
            "drawn",
            "await client.audio.speech('Hi', model='openai/gpt-4o-mini-tts', voice='alloy')",
            "await client.aclose()",
        ),
        tmp_path,
    )
    assert complaints(outputs) == []
    answer = shown(outputs[1])["text/markdown"]
    assert re.search(r"<small>openai/gpt-4o-mini · \d+ \+ \d+ tokens · \\\$0\.\d+ · ", answer)
    assert shown(outputs[2])["text/markdown"].startswith("```json\n{")
    png = shown(outputs[3])["image/png"]
    assert png.startswith("iVBORw0KGgo")  # base64 of a PNG's first bytes
    assert '<img src="data:image/png;base64,' in shown(outputs[4])["text/markdown"]
    assert shown(outputs[5])["text/html"].startswith('<audio controls src="data:audio/')


def test_the_example_runs(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example runs from top to bottom, with a key and without one, and is stored unrun."""
    path = ROOT / "examples" / "notebook.ipynb"
    stored = json.loads(path.read_text("utf-8"))
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    for key in (KEY, ""):
        monkeypatch.setenv("OPENROUTER_API_KEY", key)
        outputs = run(nbformat.read(path, as_version=4), tmp_path)
        assert complaints(outputs) == []
        _, haiku, answer, drawn, rhymes, _ = outputs
        assert "haiku" in text(haiku)
        assert "<small>openai/gpt-4o-mini" in shown(answer)["text/markdown"]
        assert "image/png" in shown(drawn)
        assert shown(rhymes)["text/plain"].count("A word that rhymes with") >= 3
        assert server.accepted == 6


def test_stopping_a_cell_stops_the_answer(server: Emulator, tmp_path: Path) -> None:
    """The button that interrupts a cell closes its stream at the server, and the next cell works."""
    # It goes on for minutes, and each word wakes the kernel's loop: where another thread of the
    # kernel is given the signal, the loop hears of it only when it wakes.
    server.play(chat(*["word "] * 5_000, delay=0.05))
    read = (
        "from openrouter_async import OpenRouter\nclient = OpenRouter()\n"
        "async for piece in client.stream('Hi', model='openai/gpt-4o-mini').text():\n"
        "    print(piece)\n"
    )
    manager, client = needed("jupyter_client.manager").start_new_kernel(
        kernel_name="python3", cwd=str(tmp_path)
    )
    try:
        client.execute(read)
        while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        server.block_until(lambda: server.disconnects == 1, timeout=60)
        stopped = client.get_shell_msg(timeout=60)["content"]
        assert stopped["status"] == "error"
        assert stopped["ename"] in ("CancelledError", "KeyboardInterrupt")
        after = client.execute_interactive(
            "(await client.complete('Hi', model='openai/gpt-4o-mini')).text", timeout=60
        )
        assert after["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
