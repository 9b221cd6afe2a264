"""The terminal: what it can show, and the lines that go to it.

The rule of this file: rich is imported when something is shown, and not for help.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from openrouter_async.cli._words import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["is_lively", "note", "print_json", "print_rows", "stdout_console"]


def stdout_console() -> Console:
    """Give stdout as rich knows it; colours are off where NO_COLOR or the terminal says so."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def is_lively(console: Console) -> bool:
    """Tell whether lines can be drawn anew: on a terminal that can move its cursor."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def note(text: str) -> None:
    """Say something about an answer, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def print_json(value: Any) -> None:
    """Write a value to stdout as JSON that people can read, too."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Write names and values to stdout, the values below each other."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        sys.stdout.write(f"{name:<{width}}  {printable(value)}\n")
