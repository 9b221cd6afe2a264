"""The terminal: what it can show, and the lines that go to it.

The rule of this file: rich is imported when something is shown, and not for help.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from openrouter_async.cli._words import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "is_lively",
    "json_option",
    "note",
    "owes_json",
    "print_json",
    "print_rows",
    "stdout_console",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OWED: Final = f"{__name__}.owed"
"""Stands in the context while a program waits for JSON and nothing has been written yet."""


def stdout_console() -> Console:
    """Give stdout as rich knows it; colours are off where NO_COLOR or the terminal says so."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def is_lively(console: Console) -> bool:
    """Tell whether lines can be drawn anew: on a terminal that can move its cursor."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def note(text: str) -> None:
    """Say something about an answer, on stderr; where nobody takes it, the answer still counts."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def json_option(help: str) -> Callable[[_Command], _Command]:
    """Give a command the flag ``--json``; one that fails early owes a program an object, too."""

    def owe(ctx: click.Context, param: click.Parameter, as_json: bool) -> bool:
        if as_json:
            ctx.meta[_OWED] = True
        return as_json

    return click.option("--json", "as_json", is_flag=True, callback=owe, help=help)


def owes_json(ctx: click.Context) -> bool:
    """Tell whether a program waits for JSON and nothing has been written yet."""
    return _OWED in ctx.meta


def print_json(value: Any, *, is_line: bool = False) -> None:
    """Write a value to stdout as JSON: on one line, or so that people can read it, too."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None:
        ctx.meta.pop(_OWED, None)
    data = msgspec.json.encode(value)
    text = (data if is_line else msgspec.json.format(data, indent=2)).decode()
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Write names and values to stdout, the values below each other."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        sys.stdout.write(f"{name:<{width}}  {printable(value)}\n")
