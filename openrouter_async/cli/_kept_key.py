"""The key that `openrouter-async login` brought, in a file that its user alone can read.

The rule of this file: a key goes to the server that gave it, and to no other; a variable in the
environment outweighs it. No key is shown.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click
import msgspec

__all__ = ["forget_key", "keep_key", "kept_key", "place"]


class _Login(msgspec.Struct, frozen=True):
    """What the file holds."""

    base_url: str
    key: str

    def __repr__(self) -> str:
        return f"_Login(base_url={self.base_url!r})"


def place() -> Path:
    """Give where the key is kept."""
    return Path(click.get_app_dir("openrouter-async")) / "login.json"


def keep_key(key: str, base_url: str) -> Path:
    """Write a key down, in place of the one before.

    Raises:
        OSError: The file cannot be written.
    """
    path = place()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(_Login(base_url, key)))
    fresh.replace(path)
    return path


def kept_key(base_url: str) -> str | None:
    """Give the key that this server gave; None where there is none."""
    with suppress(OSError, msgspec.DecodeError):
        login = msgspec.json.decode(place().read_bytes(), type=_Login)
        if login.base_url == base_url:
            return login.key
    return None


def forget_key() -> bool:
    """Take the file away, and tell whether there was one."""
    try:
        place().unlink()
    except FileNotFoundError:
        return False
    return True
