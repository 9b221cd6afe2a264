"""What the tests of this folder need from the machine, and what becomes of them without it."""

from __future__ import annotations

import importlib
import os
import shutil
from typing import Final, NoReturn

import pytest

VARIABLE: Final = "OPENROUTER_ASYNC_INTEGRATION"
"""Set where everything has to be there, so that a missing tool is a failure."""


def missing(what: str) -> NoReturn:
    """Skip, saying why; fail where everything has to be there."""
    words = f"{what} is not installed"
    if os.environ.get(VARIABLE):
        pytest.fail(f"{words}, and {VARIABLE} says that it has to be")
    pytest.skip(words, allow_module_level=True)


def program(*names: str) -> str:
    """Give the path of the first program of these that there is."""
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    missing(" or ".join(names))


def need(*modules: str) -> None:
    """See that modules can be imported."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != name.split(".")[0]:
                raise
            missing(name)
