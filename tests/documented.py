"""The blocks of code on the pages of the documentation, and how each kind is run.

The rule of this file: a block stands on its page as a reader would copy it, and every one of them
runs. Python runs as a notebook would run it, with a `client` at hand; a console block is a script
of its `$` lines, and one that serves until Ctrl-C gets its Ctrl-C once it serves.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import pytest

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, chat, make_pdf

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KEY = "sk-or-v1-test-key"
HAIKU = chat("Rain taps on the glass,\n", "the street lamp hums to itself,\n", "cats are home.")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)

FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w+-]*)(?P<info>[^\n]*)\n(?P<source>.*?)^(?P=indent)(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
TITLE = re.compile(r'title="(?P<name>[\w.]+)"')
# What a console block says that changes the machine: read, not run.
INSTALLS = re.compile(r"(?:(?:python -m )?pip|uv (?:add|pip)|make|git|cd|source) ?")


# What serves until Ctrl-C.
SERVES = re.compile(r"openrouter-async emulator\b.*")

# What only the tests of tests/integration have; they run the blocks that import it.
LARGE = {"IPython", "litestar", "openai", "openrouter", "ray"}
# Names that a page takes as given, and the library behind each.
OTHERS = {"openai_client": "openai", "official": "openrouter"}


class Block(NamedTuple):
    """One fenced block."""

    page: Path
    line: int
    language: str
    source: str
    title: str | None

    @property
    def name(self) -> str:
        """Where it stands, as a test's id."""
        return f"{self.page.name}-{self.line}"

    @property
    def imports(self) -> set[str]:
        """The modules that it imports, by their first names."""
        found: set[str] = set()
        for node in ast.walk(ast.parse(self.source)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
        return found | {library for name, library in OTHERS.items() if name in self.source}

    @property
    def missing(self) -> list[str]:
        """Those of them that are not installed."""
        return sorted(name for name in self.imports if find_spec(name) is None)

    @property
    def is_large(self) -> bool:
        """Whether it needs one of those that only the tests of tests/integration have."""
        if self.language == "python":
            return bool(self.imports & LARGE)
        return any(" --ray " in line for line in self.commands)

    @property
    def commands(self) -> list[str]:
        """The lines behind a `$`, continued ones joined."""
        joined = self.source.replace("\\\n", " ")
        return [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]


def blocks(*languages: str) -> Iterator[Block]:
    """Give the blocks of all pages; of some languages only, where they are named."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in FENCE.finditer(text):
            if languages and found["language"] not in languages:
                continue
            title = TITLE.search(found["info"])
            yield Block(
                page,
                text.count("\n", 0, found.start()) + 2,
                found["language"],
                dedent(found["source"]),
                title["name"] if title is not None else None,
            )


def fill(folder: Path, page: Path) -> None:
    """Put the files there that a page speaks of: those of all pages, and its own titled blocks."""
    for block in blocks():
        if block.page == page and block.title is not None:
            (folder / block.title).write_text(block.source)
    (folder / "cat.png").write_bytes(PNG)
    (folder / "report.pdf").write_bytes(make_pdf("It was signed by Jane Miller."))
    (folder / "app.log").write_text("ERROR: disk full\n")
    (folder / "prompts.jsonl").write_text('{"id": "a", "prompt": "Say hello"}\n')
    (folder / "reviews.csv").write_text("id,product,text\nr1,Lamp,Warm light\n")
    (folder / "reviews.jsonl").write_text('{"id": "r1", "prompt": "Sum up: warm light"}\n')
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    (folder / "examples").symlink_to(ROOT / "examples")


def compiled(block: Block) -> CodeType:
    """Compile a block as a notebook would: `await` is allowed outside functions."""
    source = block.source.replace("asyncio.run(main())", "await main()")
    lines = "\n" * (block.line - 1)  # a traceback tells the page's own line
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: CodeType = compile(lines + source, str(block.page), "exec", flags, dont_inherit=True)
    return code


def other_client(library: str, emulator: Emulator) -> Any:
    """Make a client of another library, for the same server."""
    if library == "openai":
        return import_module(library).AsyncOpenAI(base_url=emulator.base_url, api_key=KEY)
    return import_module(library).OpenRouter(server_url=emulator.base_url, api_key=KEY)


async def run_python(block: Block, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a block against the emulator, and the tests that it defines."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url)
    async with OpenRouter() as client, AsyncExitStack() as stack:
        module = ModuleType("documented")
        monkeypatch.setitem(sys.modules, "documented", module)  # dataclasses look there
        names = vars(module)
        names |= {"asyncio": asyncio, "client": client, "OpenRouter": OpenRouter}
        for name, library in OTHERS.items():
            if name in block.source:
                names[name] = await stack.enter_async_context(other_client(library, emulator))
        result = eval(compiled(block), names)
        if inspect.isawaitable(result):
            await result
        for name, value in list(names.items()):
            if name.startswith("test_") and not inspect.signature(value).parameters:
                done = value()
                if inspect.isawaitable(done):
                    await done


async def run_console(block: Block, emulator: Emulator, folder: Path) -> str:
    """Run the commands of a block in one shell; give what they wrote."""
    lines = [line for line in block.commands if not INSTALLS.match(line)]
    if any("--openrouter-record" in line for line in lines):
        emulator.always(HAIKU)  # what the page's test asks the real API for
    own = {
        "OPENROUTER_API_KEY": KEY,
        "OPENROUTER_BASE_URL": emulator.base_url,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        "\n".join(lines),
        cwd=folder,
        env={**os.environ, **own},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    started = await _until_it_serves(process) if lines and SERVES.fullmatch(lines[-1]) else b""
    written, _ = await process.communicate()
    said = (started + written).decode("utf-8", "replace")
    assert process.returncode == 0, said
    return said


async def _until_it_serves(process: asyncio.subprocess.Process) -> bytes:
    """Read what a server tells when it serves, and press Ctrl-C."""
    assert process.stdout is not None
    told = b""
    while b"OPENROUTER_BASE_URL=" not in told:
        line = await process.stdout.readline()
        assert line, told
        told += line
    process.send_signal(signal.SIGINT)
    return told
