"""What is public is listed, sorted, importable and explained.

A module is public when no part of its path begins with an underscore. In `types` that is all: what a
module defines without an underscore is public, and the folder names again what most users need; every
other module lists its names. The sources are parsed, not imported, wherever that is enough: an
integration whose framework is missing is held to the same rules.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest

import openrouter_async

FOLDER = Path(openrouter_async.__file__).parent
ROOT = Path(__file__).resolve().parent.parent

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = Function | ast.ClassDef


def public_modules() -> list[str]:
    """The dotted names of the package's public modules."""
    names: list[str] = []
    for path in sorted(FOLDER.rglob("*.py")):
        parts = list(path.relative_to(FOLDER.parent).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if not any(part.startswith("_") for part in parts):
            names.append(".".join(parts))
    return names


MODULES = public_modules()
TYPES = [module for module in MODULES if module.startswith("openrouter_async.types")]
LISTING = [module for module in MODULES if module not in TYPES]


def tree_of(module: str) -> ast.Module:
    """The parsed source of a module."""
    path = FOLDER.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8"), str(path))


def listed(tree: ast.Module) -> list[str] | None:
    """The names in `__all__`, or None where the module has none."""
    for node in tree.body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign)
            else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def definitions(tree: ast.Module) -> set[str]:
    """The names of what a module makes itself: classes, functions, and words for annotations."""
    names = {node.name for node in tree.body if isinstance(node, Definition)}
    return names | {
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def load(module: str) -> ModuleType:
    """The imported module; the test is skipped where an integration's framework is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "openrouter_async" or ".integrations" not in module:
            raise
        pytest.skip(f"{module} needs {missing}, which is not installed")


def says_nothing_new(node: Definition) -> bool:
    """Whether a definition only adds types to one that is explained elsewhere."""
    for decorator in node.decorator_list:
        name = (
            decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
        )
        if name in ("deleter", "overload", "override", "setter"):
            return True
    return False


def unexplained(body: list[ast.stmt], prefix: str) -> list[str]:
    """The public classes, functions and methods of a body that have no docstring."""
    names: list[str] = []
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not says_nothing_new(node):
            names.append(f"{prefix}{node.name} (line {node.lineno})")
        if isinstance(node, ast.ClassDef):
            names.extend(unexplained(node.body, f"{prefix}{node.name}."))
    return names


@pytest.mark.parametrize("module", LISTING)
def test_all_is_sorted(module: str) -> None:
    names = listed(tree_of(module))
    assert names is not None, f"{module} has no __all__"
    assert names == sorted(set(names)), f"__all__ of {module} is not sorted(), or names one twice"


@pytest.mark.parametrize("module", TYPES)
def test_what_a_module_of_types_defines_is_listed_nowhere_again(module: str) -> None:
    assert listed(tree_of(module)) is None, f"{module} has an __all__; an underscore says enough"


def test_types_names_again_what_its_modules_define() -> None:
    """A type checker takes `X as X` for public, and nothing else; each name comes from its own place."""
    for node in tree_of("openrouter_async.types").body:
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                assert name.asname == name.name, f"write `{name.name} as {name.name}`"
                defined = definitions(tree_of(f"openrouter_async.types.{node.module}"))
                assert name.name in defined, f"{node.module} does not define {name.name} itself"


@pytest.mark.parametrize("module", LISTING)
def test_every_listed_name_is_importable(module: str) -> None:
    loaded = load(module)
    missing = [name for name in listed(tree_of(module)) or [] if not hasattr(loaded, name)]
    assert not missing, f"{module} lists {', '.join(missing)}, and has no such name"


def test_the_package_holds_its_public_names_and_nothing_else() -> None:
    names = set(listed(tree_of("openrouter_async")) or [])
    extra = sorted(
        name
        for name, value in vars(openrouter_async).items()
        if not name.startswith("_") and name not in names and not isinstance(value, ModuleType)
    )
    assert not extra, f"openrouter_async shows {', '.join(extra)} without listing it in __all__"
    assert names <= set(dir(openrouter_async)), "dir() does not show every public name"


LATER = """
import sys, openrouter_async
assert "openrouter_async.batch" not in sys.modules
assert openrouter_async.batch.MapRun is openrouter_async.MapRun
space = {}
exec("from openrouter_async import *", space)
assert set(openrouter_async.__all__) <= set(space)
try:
    openrouter_async.no_such_name
except AttributeError as error:
    assert "no_such_name" in str(error)
else:
    raise SystemExit("a name that is not there was found")
"""


def test_names_that_are_imported_when_asked_for_are_there() -> None:
    """Whatever the package names can be had, starred and by its module, and nothing else can."""
    subprocess.run([sys.executable, "-c", LATER], check=True, timeout=60)


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_explained(module: str) -> None:
    tree = tree_of(module)
    assert ast.get_docstring(tree), f"{module} has no docstring"
    missing = unexplained(tree.body, "")
    assert not missing, f"no docstring in {module}: {', '.join(missing)}"


def test_the_version_has_one_source() -> None:
    """What is installed has the version that the package names, and nothing else names one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "version" not in project
    assert importlib.metadata.version("openrouter-async") == openrouter_async.__version__


def test_the_commands_exist() -> None:
    """What pyproject.toml promises to install as commands and plugins can be imported."""
    for entry in importlib.metadata.distribution("openrouter-async").entry_points:
        assert entry.load() is not None, f"{entry.name} names {entry.value}"


def test_the_package_says_that_it_is_typed() -> None:
    assert (FOLDER / "py.typed").is_file()
