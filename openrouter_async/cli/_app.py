"""The commands by name, and how each of them ends.

The rule of this file: a command's module is imported when the command is called, so that help is
there at once; and an exception becomes a sentence and an exit code here, nowhere else.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any, Final

import click

from openrouter_async import OpenRouterError, __version__
from openrouter_async.cli._failures import FAILED, INTERRUPTED, NO_KEY, UNREAD, as_fields, describe
from openrouter_async.cli._terminal import owes_json, print_json
from openrouter_async.errors import AuthenticationError

__all__ = ["app", "run"]

_COMMANDS: Final = {
    "chat": "Ask a model, or talk with it when no prompt is given.",
    "image": "Draw images, save them and show them.",
    "pdf": "Ask about PDF documents.",
    "batch": "Send a file of requests, and report on what came.",
    "models": "Find models, with prices and context.",
    "cost": "Show what a generation cost, or what the key has used.",
    "login": "Sign in at OpenRouter, in place of copying a key.",
    "emulator": "Run a pretend OpenRouter on this machine.",
    "doctor": "Check key, network, proxy, TLS and credit.",
    "completion": "Have bash, zsh or fish complete commands and options.",
}


class Commands(click.Group):
    """The commands of the table above, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order in which help shows them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"openrouter_async.cli._{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, or name the ones that may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            meant = get_close_matches(args[0], _COMMANDS) if args[0] not in _COMMANDS else []
            if not meant:
                raise
            names = " or ".join(f"'{name}'" for name in meant)
            raise click.UsageError(
                f"No such command '{args[0]}'. Did you mean {names}?", ctx
            ) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn what it raises into what click knows."""
        try:
            outcome = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would flush stdout once more at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(UNREAD)
        except (OpenRouterError, OSError, click.ClickException) as error:
            is_misuse = isinstance(error, click.UsageError)
            if owes_json(ctx) and not is_misuse:
                print_json({"error": as_fields(error)}, is_line=True)
            if isinstance(error, AuthenticationError):
                raise _KeyRefused(error) from error
            if isinstance(error, OpenRouterError):
                raise _Failed(error) from error
            raise
        return outcome


class _Failed(click.ClickException):
    """An error of the client, on its way to stderr."""

    exit_code = FAILED

    def __init__(self, error: OpenRouterError) -> None:
        super().__init__(describe(error))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class _KeyRefused(_Failed):
    """The same, where all hangs on the key."""

    exit_code = NO_KEY


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="openrouter-async", message="%(prog)s %(version)s")
def app() -> None:
    """OpenRouter in the terminal: answers as they come, images, documents, models, prices.

    The key is read from OPENROUTER_API_KEY, or is the one that `openrouter-async login` brought.
    Without one, `openrouter-async emulator` answers on this machine, at no cost.
    """


def run(arguments: Sequence[str] | None) -> int:
    """Run a command line and give its exit code."""
    _replace_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no emoji is no error
    try:
        outcome = app.main(arguments, prog_name="openrouter-async", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except OSError as error:  # a file that is gone, a disk that is full
        where = f"{error.filename}: " if error.filename else ""
        click.ClickException(f"{where}{error.strerror or error}").show()
        return FAILED
    return outcome if isinstance(outcome, int) else 0


def _replace_what_is_closed() -> None:
    """Have nothing come in, and what goes out be lost, where the caller closed a descriptor."""
    # In this order each takes the lowest free number, which is the one that was closed: no socket
    # gets it, so that nothing is written to that by mistake.
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8", closefd=False)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", encoding="utf-8", closefd=False))
