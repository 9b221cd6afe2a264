"""Images of megabytes do not hold up the text streams that share their event loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.image_delays import ALLOWED, SIZE

HERE = Path(__file__).parent
COMMAND = [sys.executable, str(HERE / "image_delays.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent)}


@contextmanager
def serving(role: str) -> Generator[str]:
    """Serve in a process of its own; give the base URL."""
    with subprocess.Popen(
        [*COMMAND, role],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def test_four_large_images_hold_up_no_text_stream() -> None:
    """Four images of 8 MiB lengthen no turn of the loop by 50 ms of CPU, so no text waits longer."""
    with serving("text") as texts, serving("images") as images:
        done = subprocess.run(
            [*COMMAND, "client", texts, images],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    best = json.loads(done.stdout)
    assert best["size"] > SIZE * 4 / 3
    assert best["delay"] <= ALLOWED, done.stderr
