"""The documentation is true: its code runs, its commands exist, its pages are found."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from openrouter_async._endpoints import Endpoints
from openrouter_async.testing import Emulator
from tests.documented import (
    INSTALLS,
    ROOT,
    Block,
    blocks,
    fill,
    run_console,
    run_python,
)

RUN = ("python", "console")
READ = (
    "text",
    "toml",
    "yaml",
    "json",
    "jsonl",
    "html",
    "js",
    "javascript",
    "css",
    "ini",
    "dockerfile",
    "nginx",
    "http",
)


def params(language: str) -> list[object]:
    return [pytest.param(block, id=block.name) for block in blocks(language) if not block.is_large]


@pytest.mark.parametrize("block", params("python"))
async def test_documented_code_runs(
    block: Block, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block of Python on a page runs as it stands."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, block.page)
    await run_python(block, emulator, monkeypatch)


@pytest.mark.parametrize("block", params("console"))
async def test_documented_commands_run(block: Block, emulator: Emulator, tmp_path: Path) -> None:
    """Each command on a page runs, in the order of its block, and ends well."""
    fill(tmp_path, block.page)
    await run_console(block, emulator, tmp_path)


def test_every_block_is_of_a_known_kind() -> None:
    """Each block is run, or is of a kind that nothing can run."""
    kinds = {block.language for block in blocks()}
    assert kinds <= {*RUN, *READ}, f"unknown kinds of blocks: {sorted(kinds - {*RUN, *READ})}"


def test_what_is_to_be_installed_exists() -> None:
    """The extras and the make targets that pages name are there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = [line for block in blocks("console") for line in block.commands]
    for line in filter(INSTALLS.match, commands):
        for extras in re.findall(r"\[([\w,-]+)\]", line):
            assert set(extras.split(",")) <= set(project["optional-dependencies"]), line
        for target in re.findall(r"^make (?:[A-Z]+=\S+ )*([a-z]+)", line):
            assert target in targets, line


def test_every_example_has_a_line() -> None:
    """The page of examples names each of them."""
    page = (ROOT / "docs" / "examples.md").read_text("utf-8")
    named = set(re.findall(r"`examples/([\w/.-]+)`", page))
    there = {path.name for path in (ROOT / "examples").glob("*.py")}
    there |= {f"{path.name}/" for path in (ROOT / "examples").iterdir() if path.is_dir()}
    assert {name for name in there if not name.startswith("__")} <= named


def test_every_group_has_a_line() -> None:
    """The page of the whole API names each endpoint group of the client."""
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    table = page.partition("## All groups")[2].partition("##")[0]
    named = set(re.findall(r"`(\w+)`", table))
    groups = {name for name, value in vars(Endpoints).items() if isinstance(value, property)}
    assert named == groups


def test_pages_link_to_files_that_exist() -> None:
    """Relative links of the README lead somewhere; those of the site are checked where it is built."""
    for target in re.findall(r"\]\(([^)#\s]+)", (ROOT / "README.md").read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (ROOT / target).exists(), target
