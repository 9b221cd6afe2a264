"""A command on a real terminal: a pty with 80 columns and 24 lines, and what it shows."""

from __future__ import annotations

import errno
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Self

from openrouter_async.testing import Emulator

KEY = "sk-or-v1-test-key"
ROOT = Path(__file__).resolve().parent.parent
# The first terminal that a session's leader opens is the one whose Ctrl-C it hears.
ON_ITS_TERMINAL = """
import os, sys
os.close(os.open(os.ttyname(0), os.O_RDWR))
from openrouter_async.cli import main
sys.exit(main(sys.argv[1:]))
"""
ORDERS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
COLOUR = re.compile(r"\x1b\[[0-9;]*\b(?:3[0-8]|9[0-7])\b[0-9;]*m")


class Terminal:
    """A command that runs on a terminal of 80 columns and 24 lines."""

    def __init__(
        self, emulator: Emulator, *arguments: str, folder: Path, **environment: str
    ) -> None:
        self._seen = b""
        self._read_to = 0
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
        own = {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "OPENROUTER_API_KEY": KEY,
            "OPENROUTER_BASE_URL": emulator.base_url,
            "PYTHONPATH": str(ROOT),
            "INPUTRC": os.devnull,
            "HOME": str(folder),
        }
        for name in ("NO_COLOR", "FORCE_COLOR", "TMUX", "TERM_PROGRAM", "COLUMNS", "LINES"):
            kept.pop(name, None)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", ON_ITS_TERMINAL, *arguments],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=folder,
                env={**kept, **own, **environment},
                start_new_session=True,
            )
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    @property
    def raw(self) -> str:
        """All that the terminal was sent."""
        return self._seen.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """The same without the orders to move and to paint."""
        return ORDERS.sub("", self.raw)

    def until(self, text: str) -> None:
        """Read until something is seen that was not seen by the last call."""
        deadline = time.monotonic() + 30
        while text not in self.text[self._read_to :]:
            assert time.monotonic() < deadline, f"no {text!r} in {self.text!r}"
            assert self._read(1.0) is not False, f"it ended without {text!r}: {self.text!r}"
        self._read_to = self.text.index(text, self._read_to) + len(text)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Read to the end and give the exit code."""
        while self._read(30.0):
            pass
        return self._process.wait(30)

    def _read(self, seconds: float) -> bool | None:
        """Read a piece; False at the end, None where nothing came in time."""
        if not select.select([self._master], [], [], seconds)[0]:
            return None
        try:
            data = os.read(self._master, 2**16)
        except OSError as error:
            assert error.errno == errno.EIO  # how Linux says that nobody holds the other side
            return False
        self._seen += data
        return bool(data)
