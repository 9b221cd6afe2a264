"""A type as a word of the command line.

The rule of this file: what can be said in a word is looked up, never evaluated; a class is
imported from where the user says it stands, and with it their own code runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

import click

__all__ = ["response_type_in"]

_WORDS: Final[dict[str, Any]] = {
    "bool": bool,
    "dict": dict[str, Any],
    "float": float,
    "int": int,
    "list[float]": list[float],
    "list[int]": list[int],
    "list[str]": list[str],
}


def response_type_in(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Give the type that an option names; None where it is not given.

    Raises:
        BadParameter: It names none.
    """
    if value is None or value in _WORDS:
        return None if value is None else _WORDS[value]
    where, _, name = value.rpartition(":")
    if not where or not name:
        words = ", ".join(_WORDS)
        raise click.BadParameter(f"{value!r} is none of {words}, and no FILE.py:NAME either")
    try:
        module = _from_file(Path(where)) if where.endswith(".py") else _imported(where)
    except (ImportError, OSError, SyntaxError) as error:
        raise click.BadParameter(f"cannot import {where}: {error}") from error
    if not hasattr(module, name):
        raise click.BadParameter(f"{where} has no {name!r}")
    return getattr(module, name)


def _imported(name: str) -> Any:
    if "" not in sys.path:  # a command's own folder is no place to import from, but the user's is
        sys.path.insert(0, "")
    return importlib.import_module(name)


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where `typing.get_type_hints` looks for names
    spec.loader.exec_module(module)
    return module
