"""``openrouter-async emulator``: a pretend OpenRouter on this machine.

The rule of this file: it hands over to `openrouter_async.testing`.
"""

from __future__ import annotations

from errno import EACCES, EADDRINUSE

import click

from openrouter_async.cli._terminal import json_option

__all__ = ["command"]


@click.command("emulator")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="Port to listen on.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0),
    default=0.02,
    show_default=True,
    help="Seconds between two pieces.",
)
@json_option("The address and a key as one JSON object.")
def command(port: int, pace: float, as_json: bool) -> None:
    """Run a pretend OpenRouter on this machine until Ctrl-C.

    It prints what to export. Its answers are made up, and cost nothing.
    """
    from openrouter_async.testing.__main__ import main

    try:
        main([f"--port={port}", f"--pace={pace}", *(["--json"] if as_json else [])])
    except OSError as error:
        if error.errno not in (EADDRINUSE, EACCES):
            raise
        why = "is in use" if error.errno == EADDRINUSE else "is not for this user"
        raise click.ClickException(
            f"port {port} {why}; without --port the emulator takes a free one"
        ) from error
