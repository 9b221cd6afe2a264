"""``openrouter-async completion``: the line that makes a shell complete commands and options.

The rule of this file: the script alone goes to stdout, for the shell to read; where it belongs is
said to people, on stderr.
"""

from __future__ import annotations

import os
import sys
from pathlib import PurePath
from typing import Final

import click

from openrouter_async.cli._terminal import note

__all__ = ["command"]

_COMPLETE: Final = "_OPENROUTER_ASYNC_COMPLETE"
"""The variable by which a shell asks for completions; click makes it of the command's name."""

_HINTS: Final = {
    "bash": 'add to ~/.bashrc:\n  eval "$(openrouter-async completion bash)"',
    "zsh": 'add to ~/.zshrc, behind compinit:\n  eval "$(openrouter-async completion zsh)"',
    "fish": "run once:\n  openrouter-async completion fish "
    "> ~/.config/fish/completions/openrouter-async.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_HINTS)), required=False)
def command(shell: str | None) -> None:
    """Write what makes bash, zsh or fish complete commands and options.

    Without SHELL it is that of $SHELL. In a terminal it also says where to put it.
    """
    from click.shell_completion import get_completion_class

    from openrouter_async.cli._app import app

    name = shell or PurePath(os.environ.get("SHELL", "")).name
    kind = get_completion_class(name) if name in _HINTS else None
    if kind is None:
        raise click.UsageError(f"name the shell, as $SHELL is none of {', '.join(_HINTS)}")
    # Without asking bash for its version, as `source` does: the script says what it needs.
    completion = kind(app, {}, "openrouter-async", _COMPLETE)
    sys.stdout.write(completion.source_template % completion.source_vars())
    sys.stdout.flush()
    if sys.stdout.isatty():
        note(f"To have it always, {_HINTS[name]}")
