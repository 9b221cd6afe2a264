"""What MkDocs is told while it builds the site.

The rule of this file: pages that can be derived are derived. The reference has a page for each
public module, found by reading the package and not by importing it, and every public name is
documented once: where it is defined, or, of a private module, at the public one that hands it
out. Whatever a new module brings stands there at the next build.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import griffe
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PACKAGE = "openrouter_async"
FOLDER = "reference/"
ROOT = Path(__file__).resolve().parents[2]
# The command is documented by its own guide, and Python code has no use for its module.
LEFT_OUT = ("openrouter_async.cli",)
# Who searches is shown a guide before the reference, which has the word more often.
_FOUND_LATER = "---\nsearch:\n  boost: 0.4\n---\n\n"
_OWN_MEMBERS = "\n    options:\n      inherited_members: false"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take out of the navigation what is not there, and put the reference in."""
    docs = Path(config.docs_dir)
    nav: list[Any] = config.nav or []
    config.nav = _present(nav, docs)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are derived."""
    for path, text in _reference().items():
        files.append(File.generated(config, path, content=text))
    for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"):
        text = (ROOT / f"{name}.md").read_text("utf-8")
        files.append(File.generated(config, f"{name.lower()}.md", content=_FOUND_LATER + text))
    return files


def _present(entries: list[Any], docs: Path) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        if isinstance(entry, str):
            if _is_there(entry, docs):
                kept.append(entry)
            continue
        ((title, target),) = entry.items()
        if target == FOLDER:
            kept.append({title: list(_reference_nav())})
        elif isinstance(target, str):
            if _is_there(target, docs):
                kept.append(entry)
        else:
            children = _present(target, docs)
            if children:
                kept.append({title: children})
    return kept


def _is_there(path: str, docs: Path) -> bool:
    return (docs / path).is_file() or path in {"changelog.md", "contributing.md", "security.md"}


# The reference.


@cache
def _package() -> griffe.Module:
    package = griffe.load(PACKAGE, search_paths=[str(ROOT)])
    assert isinstance(package, griffe.Module)
    return package


def _modules(module: griffe.Module) -> Iterator[griffe.Module]:
    """Give the public modules, each before those inside it."""
    yield module
    for name, child in sorted(module.modules.items()):
        if not name.startswith("_") and child.path not in LEFT_OUT and not child.is_alias:
            yield from _modules(child)


@cache
def _owned() -> dict[str, list[str]]:
    """Give the names that each public module documents: all that it exports and no other owns."""
    modules = list(_modules(_package()))
    public = {module.path for module in modules}
    # Where a thing is defined counts, then the public module that is nearest to its place.
    owners: dict[str, tuple[int, str, str]] = {}
    for module in modules:
        for name in _public(module):
            if name.startswith("__") or name not in module.members:
                continue
            defined = _definition(module, name)
            if defined in public:
                continue  # a module, which has a page of its own
            shared = len(posixpath.commonprefix([f"{module.path}.", f"{defined}."]))
            found = (-shared, module.path, name)
            owners[defined] = min(found, owners.get(defined, found))
    owned: dict[str, list[str]] = {path: [] for path in public}
    for _, path, name in owners.values():
        owned[path].append(name)
    return owned


def _public(module: griffe.Module) -> list[str]:
    """Give what a module exports: by its list, else what it defines, a folder what it imports."""
    if module.exports is not None:
        return [str(name) for name in module.exports]
    return [
        name
        for name, member in module.members.items()
        if not name.startswith("_")
        and (module.is_init_module if member.is_alias else not member.is_module)
    ]


def _definition(module: griffe.Module, name: str) -> str:
    member = module.members[name]
    while member.is_alias:
        target = str(member.target_path)  # type: ignore[union-attr]
        try:
            member = _package().modules_collection[target]
        except (KeyError, griffe.GriffeError):
            return target
    return str(member.path)


@cache
def _addresses() -> dict[str, str]:
    """Give where each thing that is defined somewhere is documented."""
    modules = {module.path: module for module in _modules(_package())}
    return {
        _definition(modules[path], name): f"{path}.{name}"
        for path, names in _owned().items()
        for name in names
    }


@cache
def _pages() -> dict[str, str]:
    """Give the public modules that export something, and the path of each one's page."""
    pages = {
        module.path: f"{FOLDER}{module.path.removeprefix(f'{PACKAGE}.').replace('.', '/')}.md"
        for module in _modules(_package())
        if _public(module)
    }
    return pages | {PACKAGE: f"{FOLDER}index.md"}


def _reference_nav() -> Iterator[Any]:
    """Give the pages by their folders: what stands alone first, then a section for each folder."""
    folders: dict[str, list[Any]] = {}
    alone: dict[str, str] = {}
    for path, page in sorted(_pages().items()):
        name = path.removeprefix(f"{PACKAGE}.")
        folder, _, rest = name.partition(".")
        if rest:
            folders.setdefault(folder, []).append({rest: page})
        elif path != PACKAGE:
            alone[name] = page
    yield _pages()[PACKAGE]
    yield from ({name: page} for name, page in alone.items() if name not in folders)
    for folder, entries in sorted(folders.items()):
        front = alone.get(folder)
        yield {folder: [*([front] if front is not None else []), *entries]}


def _reference() -> dict[str, str]:
    modules = {module.path: module for module in _modules(_package())}
    return {page: _module_page(modules[path]) for path, page in _pages().items()}


def _module_page(module: griffe.Module) -> str:
    """Write a page: what the module says of itself, what it hands on, what it documents."""
    path = module.path
    if path == PACKAGE:
        blocks = [
            "# Reference",
            "Every public name, with its types, its units and what it raises.",
            f"## from {PACKAGE} import ...",
        ]
    else:
        blocks = [f"# {path.removeprefix(f'{PACKAGE}.')}", f"`from {path} import ...`"]
        blocks += [said for said in [_said_of(module)] if said]
        if path == f"{PACKAGE}.types":
            blocks.append(
                "Every struct of an answer has `from_dict`, `from_json`, `to_dict` and `to_json`."
            )
    handed_on = [
        (name, defined)
        for name in sorted(_public(module))
        if not name.startswith("__") and name in module.members
        for defined in [_definition(module, name)]
        if defined in _pages() or _addresses().get(defined) != f"{path}.{name}"
    ]
    if handed_on:
        rows = [f"| {_link(path, *it)} | {_summary(it[1])} |" for it in handed_on]
        blocks.append("\n".join(["| name | what it is |", "|---|---|", *rows]))
    for name in sorted(_owned()[path]):
        # What all structs of the wire inherit would be most of their pages.
        is_struct = _is_struct(module.members[name])
        blocks.append(f"::: {path}.{name}" + (_OWN_MEMBERS if is_struct else ""))
    return _FOUND_LATER + "\n\n".join(blocks) + "\n"


def _is_struct(member: griffe.Object | griffe.Alias) -> bool:
    """Tell whether something is a struct of the wire."""
    try:
        return member.is_class and any(str(base).endswith("Struct") for base in member.bases)  # type: ignore[union-attr]
    except griffe.GriffeError:
        return False


def _link(path: str, name: str, defined: str) -> str:
    if defined in _pages():
        here = posixpath.dirname(_pages()[path])
        return f"[`{name}`]({posixpath.relpath(_pages()[defined], here)})"
    address = _addresses().get(defined)
    return f"[`{name}`][{address}]" if address is not None else f"`{name}`"


def _summary(path: str) -> str:
    said = _package().modules_collection[path].docstring
    first = said.value.split("\n\n")[0] if said is not None else ""
    return " ".join(first.split()).replace("|", "\\|")


def _said_of(module: griffe.Module) -> str:
    """Give the beginning of a module's docstring; its rule is for those who change it."""
    if module.docstring is None:
        return ""
    kept: list[str] = []
    for paragraph in module.docstring.value.split("\n\n"):
        if paragraph.startswith(("The rule of", "What may live here")):
            break
        is_drawn = paragraph.startswith("    ")
        kept.append(paragraph if not is_drawn else f"```text\n{_dedented(paragraph)}\n```")
    return "\n\n".join(part for part in kept if not part.startswith(">>>"))


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.split("\n"))
