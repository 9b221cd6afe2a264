"""A module imports only lower levels, and importing the package stays cheap.

The levels are what keeps the parser, the accumulator and the retry rules testable without a loop,
and one chunk's way readable from the bottom up. Nothing here imports the package to look at it:
the sources are parsed, so an import inside a function or under `TYPE_CHECKING` counts like any other.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "openrouter_async"
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / PACKAGE

# The first part of a module's path inside the package -> its level. A folder is one entry.
LEVELS = {
    "_version": 0,
    "types": 0,
    "_sealed": 0,
    "_sse": 0,
    "_frames": 0,
    "errors": 1,
    "content": 1,
    "_config": 1,
    "_timing": 1,
    "_schema": 1,
    "_tool_calls": 1,
    "_partial_json": 0,
    "_error_bodies": 2,
    "hooks": 2,
    "_accumulate": 2,
    "_text_run": 3,
    "_completion": 3,
    "_retry": 2,
    "budget": 2,
    "_prices": 2,
    "_price_list": 3,
    "_calling": 3,
    "_pacing": 2,
    "_structured": 2,
    "webhooks": 2,
    "_image_result": 2,
    "_limits": 3,
    "_transport": 3,
    "_threads": 3,
    "_loopback": 3,
    "_sign_in": 2,
    "_turns": 3,
    "_upload": 3,
    "_part_file": 0,
    "_multipart": 4,
    "_weaving": 1,
    "documents": 3,
    "_pdf": 4,
    "_stats": 4,
    "_bodies": 4,
    "_event_stream": 4,
    "_records": 4,
    "stream": 5,
    "_heard": 5,
    "image_events": 5,
    "text_streams": 5,
    "_byte_stream": 5,
    "_sender": 5,
    "resources": 6,
    "image_stream": 6,
    "_race": 6,
    "parsing": 6,
    "sharing": 6,
    "_chat_calls": 7,
    "_endpoints": 7,
    "client": 8,
    "conversation": 9,
    "tools": 9,
    "batch": 9,
    "testing": 9,
    "integrations": 10,
    "cli": 11,
}

# `openrouter_async` itself names what users import, from every level but the last two. It stands
# above the client: what lies above it may use those public names.
FACE_LEVEL = 8

# Files of these folders make up one thing and know each other.
TOGETHER = {
    "_transport",
    "hooks",
    "text_streams",
    "types",
    "resources",
    "testing",
    "tools",
    "batch",
    "integrations",
    "cli",
}

# `client.map(...)` and the like hand out an object of a higher level. The class is imported where
# it is made, inside the method (or under TYPE_CHECKING), never when the client module is imported.
HANDED_OUT = {
    "client": {"conversation", "tools", "batch"},
    "types": {"_threads"},
    "_image_result": {"_threads"},
    "stream": {"_race", "parsing", "sharing"},
}

# What a level may use from outside. A loop and a socket begin at the third.
LOOP_FREE_UP_TO = 2
LOOP_LIBRARIES = {"aiohttp", "anyio", "asyncio"}
RUNTIME_LIBRARIES = {"aiohttp", "anyio", "msgspec"}
USES_AIOHTTP = {"_transport", "testing", "integrations"}
BRINGS_ITS_OWN = {"testing", "integrations", "cli"}  # pytest, the framework, click and rich


class Import(NamedTuple):
    """One imported module: its full name, the line, and whether it waits for a call or a type checker."""

    name: str
    line: int
    deferred: bool


def modules() -> list[Path]:
    """Every source of the package, as paths inside it."""
    return sorted(path.relative_to(FOLDER) for path in FOLDER.rglob("*.py"))


def part_of(path: Path) -> str:
    """The entry of LEVELS that a source belongs to."""
    return path.parts[0].removesuffix(".py")


def resolve(package: list[str], node: ast.ImportFrom) -> str:
    """The absolute name of the module in `from ... import`."""
    if not node.level:
        return node.module or ""
    base = package[: len(package) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def is_module(name: str) -> bool:
    """Whether a dotted name is a module of the package (and not something defined in one)."""
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def is_type_checking(test: ast.expr) -> bool:
    """Whether an `if` is the one that only type checkers enter."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def imports_of(path: Path) -> list[Import]:
    """Every import of a source, wherever it stands in it."""
    package = [PACKAGE, *path.parts[:-1]]
    found: list[Import] = []

    def walk(node: ast.AST, deferred: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, deferred) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve(package, node)
            for alias in node.names:
                # `from openrouter_async import errors` names a module, `... import OpenRouter` does not.
                name = f"{module}.{alias.name}"
                inside = module.split(".")[0] == PACKAGE and is_module(name)
                found.append(Import(name if inside else module, node.lineno, deferred))
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            for statement in node.body:
                walk(statement, True)
            for statement in node.orelse:
                walk(statement, deferred)
        else:
            inside_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                walk(child, deferred or inside_function)

    walk(ast.parse((FOLDER / path).read_text("utf-8"), str(path)), False)
    return found


SOURCES = [path for path in modules() if path != Path("__init__.py")]


def test_every_module_has_a_level() -> None:
    unknown = sorted({part_of(path) for path in SOURCES} - LEVELS.keys())
    assert not unknown, (
        f"{', '.join(unknown)} has no level: give it one in LEVELS of tests/test_layers.py, "
        "the lowest that its imports allow"
    )


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_only_lower_levels(path: Path) -> None:
    part = part_of(path)
    if part not in LEVELS:
        pytest.skip("has no level: test_every_module_has_a_level fails for it")
    level = LEVELS[part]
    wrong: list[str] = []
    for name, line, deferred in imports_of(path):
        parts = name.split(".")
        if parts[0] != PACKAGE:
            continue
        target = parts[1] if len(parts) > 1 else ""
        if target == part and part in TOGETHER:
            continue
        if deferred and target in HANDED_OUT.get(part, ()):
            continue
        target_level = LEVELS.get(target) if target else FACE_LEVEL
        if target_level is None or target_level >= level:
            wrong.append(
                f"{PACKAGE}/{path}:{line} (level {level}) imports {name} (level {target_level})"
            )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_uses_only_the_libraries_of_its_level(path: Path) -> None:
    part = part_of(path)
    level = LEVELS.get(part, 0)
    wrong: list[str] = []
    for name, line, _ in imports_of(path):
        library = name.split(".")[0]
        at = f"{PACKAGE}/{path}:{line} imports {library}"
        if library in (PACKAGE, "__future__"):
            continue
        if library in LOOP_LIBRARIES and level <= LOOP_FREE_UP_TO:
            wrong.append(f"{at}: levels 0 to {LOOP_FREE_UP_TO} know no event loop")
        elif library == "aiohttp" and part not in USES_AIOHTTP:
            wrong.append(f"{at}: in the core only _transport/ does")
        elif (
            library not in RUNTIME_LIBRARIES | sys.stdlib_module_names
            and part not in BRINGS_ITS_OWN
        ):
            wrong.append(f"{at}: it is no dependency of the package")
    assert not wrong, "\n".join(wrong)


# Runs in an interpreter of its own. For a module that should not be there, it keeps the lines of
# the package that led to it, innermost first: asyncio, for one, imports ssl.
PROBE = """
import json, sys, traceback

class Watch:
    blame = {}
    def find_spec(self, name, path=None, target=None):
        if name in FORBIDDEN and name not in self.blame:
            self.blame[name] = [
                f"{frame.filename}:{frame.lineno}"
                for frame in reversed(traceback.extract_stack())
                if PACKAGE in frame.filename
            ]

FORBIDDEN, PACKAGE = json.loads(sys.argv[1])
before = set(sys.modules)
sys.meta_path.insert(0, Watch())
__import__(PACKAGE)
print(json.dumps({"loaded": sorted(set(sys.modules) - before), "blame": Watch.blame}))
"""

# A program that only chats loads neither the groups of the account nor what they speak of.
MANAGEMENT = [
    *("byok", "external_users", "guardrails", "keys", "observability", "organization"),
    *("private_endpoints", "scim", "vault", "workspaces"),
]
NOT_AT_IMPORT = [
    *("aiohttp", "ssl", "asyncio", "email", "hashlib"),
    *(f"{PACKAGE}.{part}" for part in ("batch", "parsing", "sharing", "tools", "testing")),
    *(f"{PACKAGE}.types.{part}" for part in ("account", "pages")),
    *(f"{PACKAGE}.{folder}.{name}" for folder in ("types", "resources") for name in MANAGEMENT),
]
# Not forbidden; printed, so that whoever wonders about a slow start sees it (`make test PYTEST_ARGS=-rP`).
HEAVY = {"anyio", "http", "inspect", "logging", "multiprocessing", "urllib"}


def test_importing_the_package_loads_what_a_chat_needs() -> None:
    """Types, `--help` and workers start fast: the network stack comes with the first connection."""
    # No coverage measurement and no site customization: those import what they like.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps([NOT_AT_IMPORT, PACKAGE])],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    loaded: list[str] = result["loaded"]
    top = {name.split(".")[0] for name in loaded}
    print(
        f"import {PACKAGE} loads {len(loaded)} modules; heavy ones: {', '.join(sorted(HEAVY & top)) or 'none'}"
    )
    found = {name: result["blame"].get(name) for name in NOT_AT_IMPORT if name in loaded}
    assert not found, (
        f"import {PACKAGE} loads these, through the lines named: {json.dumps(found, indent=2)}"
    )


# The types of chats, pictures, sound and files, which have no endpoint group to themselves.
OF_CHATS = {
    *("__init__", "_arrived", "_base64", "_history", "_lenient", "_price", "_pydantic", "_shown"),
    *("_sniff", "_struct", "arrival", "attachment", "audio", "chat", "images", "media", "messages"),
    *("options", "params", "plugins", "routing", "tools", "usage", "video"),
}


def test_all_endpoints_stay_small_enough_to_read() -> None:
    """What a whole API takes by hand: its calls and their types fit into eight thousand lines."""
    calls = list((FOLDER / "resources").glob("*.py"))
    types = [path for path in (FOLDER / "types").glob("*.py") if path.stem not in OF_CHATS]
    assert {path.stem for path in (FOLDER / "types").glob("*.py")} >= OF_CHATS
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in [*calls, *types])
    print(f"{len(calls)} modules of calls and {len(types)} of types: {lines} lines")
    assert lines < 8_000
