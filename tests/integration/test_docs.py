"""The documentation as a whole: the site builds, and what it says of other clients is true."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from openrouter_async.testing import Emulator
from tests.documented import ROOT, Block, blocks, fill, run_python

HAS_TO_RUN = os.environ.get("OPENROUTER_ASYNC_INTEGRATION") == "1"


def need(*modules: str) -> None:
    """Skip a test whose tools are not installed, unless they have to be."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing and not HAS_TO_RUN:
        pytest.skip(f"{', '.join(missing)} is not installed")
    assert not missing, f"{', '.join(missing)} has to be installed here"


PARAMS = [
    pytest.param(block, id=block.name)
    for block in blocks("python")
    if block.is_large and "ray" not in block.imports  # those are run beside a cluster
]


@pytest.mark.parametrize("block", PARAMS)
async def test_code_of_other_clients_runs(
    block: Block, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the pages show of other clients runs against the same emulator."""
    need(*block.missing)
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, block.page)
    await run_python(block, emulator, monkeypatch)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Every page, link, anchor and docstring holds, and no page loads anything from elsewhere."""
    need("mkdocs", "material", "mkdocstrings")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    for name in ("index", "chat", "reference", "reference/stream", "changelog"):
        assert (tmp_path / name.removesuffix("index") / "index.html").is_file(), name
    for page in pages:
        loaded = page.read_text("utf-8")
        for mark in ('src="http', 'rel="stylesheet" href="http', "@import"):
            assert mark not in loaded, (page, mark)
