"""The client of a command, and what wrong arguments become.

The rule of this file: settings come from the environment, as they do for the library; the one
exception is the key that `login` brought.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click

from openrouter_async import Limits, OpenRouter, RetryPolicy, Timeouts
from openrouter_async._config import DEFAULT_BASE_URL
from openrouter_async.cli._failures import NO_KEY
from openrouter_async.cli._kept_key import kept_key

__all__ = ["base_url", "checked", "has_key_in_environment", "is_openrouter", "open_client"]


def base_url() -> str:
    """Give where the API is."""
    return os.environ.get("OPENROUTER_BASE_URL") or DEFAULT_BASE_URL


def has_key_in_environment() -> bool:
    """Tell whether the variable of the key is set."""
    return bool(os.environ.get("OPENROUTER_API_KEY"))


def is_openrouter() -> bool:
    """Tell whether that is OpenRouter itself, where nothing is answered without a key."""
    host = urlsplit(base_url()).hostname or ""
    return host == "openrouter.ai" or host.endswith(".openrouter.ai")


@contextmanager
def checked() -> Generator[None]:
    """Have arguments that the client refuses be wrong usage."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error


def open_client(
    *,
    needs_key: bool = True,
    retry: RetryPolicy = RetryPolicy(),
    timeouts: Timeouts = Timeouts(),
    limits: Limits = Limits(),
    documents: Path | None = None,
) -> OpenRouter:
    """Make the client.

    Args:
        needs_key: False where the API answers without one.
        retry: When requests are sent again.
        timeouts: How long to wait for what.
        limits: How much of what it may hold, and how fast it may send.
        documents: A folder that remembers documents.

    Raises:
        ClickException: There is no key, or a setting is wrong.
    """
    # None has the client read the variable, "" has it send no key.
    key = None if has_key_in_environment() else kept_key(base_url()) or ""
    if needs_key and key == "" and is_openrouter():
        raise NoKey
    with checked():
        return OpenRouter(
            key,
            retry=retry,
            timeouts=timeouts,
            limits=limits,
            documents=documents,
        )


class NoKey(click.ClickException):
    """There is no key, and OpenRouter wants one."""

    exit_code = NO_KEY

    def __init__(self) -> None:
        super().__init__(
            "OPENROUTER_API_KEY is not set.\n"
            "Sign in with: openrouter-async login, get a key at "
            "https://openrouter.ai/settings/keys, or try without one: openrouter-async emulator"
        )
