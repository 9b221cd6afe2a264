"""What the documentation shows works: examples, docstrings and the README's own code."""

from __future__ import annotations

import ast
import asyncio
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

import openrouter_async
from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-or-v1-test-key"


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


README_BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
)


def compiled(source: str) -> CodeType:
    """Compile a block as a notebook would: `await` is allowed outside functions."""
    source = source.replace("asyncio.run(main())", "await main()")
    code: CodeType = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


@pytest.mark.parametrize("source", README_BLOCKS, ids=range(len(README_BLOCKS)))
async def test_readme_code_runs(
    source: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block of the README runs as it stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
    async with OpenRouter() as client:
        names: dict[str, Any] = {"client": client, "asyncio": asyncio, "OpenRouter": OpenRouter}
        result = eval(compiled(source), names)
        if inspect.isawaitable(result):
            await result
        for name, value in list(names.items()):
            if name.startswith("test_"):
                await value()
