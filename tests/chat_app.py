"""The chat app of the examples in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.quiet import KEY

ROOT: Final = Path(__file__).resolve().parent.parent


@contextmanager
def running(base_url: str | None) -> Generator[str]:
    """Run the app as a process of its own, without a key where there is no `base_url`."""
    own = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    if base_url is not None:
        own |= {"OPENROUTER_API_KEY": KEY, "OPENROUTER_BASE_URL": base_url}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "chat_app"), "--port", "0"]
    with subprocess.Popen(
        command,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+/", line)
        if found is None:
            process.kill()
            pytest.fail(f"the app did not start: {process.stderr.read()}")
        try:
            yield found[0]
        finally:
            process.terminate()
            process.wait(30)
            assert "Traceback" not in process.stderr.read()
