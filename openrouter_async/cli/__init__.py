"""The command ``openrouter-async``, of the extra ``cli``.

The rule of this folder: a command is one module, which turns options into calls of the client and
what comes back into lines. The answer alone goes to stdout, and what is said about it to stderr,
so that every command can stand in a pipe. The rule of this file: it runs without the extra, to
say that it is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line; None takes the process's own.

    Returns:
        The exit code: 0 well, 1 an error of the API or of the way to it, 2 wrong usage, 3 no key
        or a key that is refused, 4 some items of a batch failed, 5 a batch's budget is used up,
        130 stopped by Ctrl-C, 141 nobody reads the output any more.
    """
    if any(find_spec(library) is None for library in ("click", "rich")):
        sys.stderr.write('This command needs more: pip install "openrouter-async[cli]"\n')
        return 2
    from openrouter_async.cli._app import run

    return run(arguments)
