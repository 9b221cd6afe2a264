"""How the package is read for the site.

The rule of this file: what Markdown or a static reader would misunderstand is put right here. An
example in a terminal's form becomes a block of code, since Markdown takes its `>>>` for a
quotation; and structs and typed mappings get the signature that they have when they run.
"""

from __future__ import annotations

import doctest
import re
from typing import Any

import griffe

__all__ = ["Reading"]

_BY_OTHERS = re.compile(r"made\s+by\s+`|reached\s+as\s+`", re.IGNORECASE)
_EXAMPLE = re.compile(r"^>>> ", re.MULTILINE)


class Reading(griffe.Extension):
    """Fences examples, and writes the signatures of what has none in its source."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a thing that was read."""
        if obj.docstring is not None and _EXAMPLE.search(obj.docstring.value):
            obj.docstring.value = fenced(obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Give structs their signatures, now that their bases are known."""
        _sign(pkg)


def fenced(text: str) -> str:
    """Put each run of example lines into a fence: as plain code where nothing is printed."""
    paragraphs = re.split(r"\n{2,}", text)
    return "\n\n".join(_fenced(part) if part.startswith(">>> ") else part for part in paragraphs)


def _fenced(paragraph: str) -> str:
    examples = doctest.DocTestParser().get_examples(paragraph + "\n")
    if any(example.want for example in examples):
        return f"```pycon\n{paragraph}\n```"
    return "```python\n" + "".join(example.source for example in examples).rstrip() + "\n```"


def _sign(scope: griffe.Module | griffe.Class) -> None:
    for member in list(scope.members.values()):
        if isinstance(member, griffe.Module):
            _sign(member)
        elif isinstance(member, griffe.Class):
            _sign(member)
            said = member.docstring.value if member.docstring is not None else ""
            if _BY_OTHERS.search(said) and "__init__" in member.members:
                member.del_member("__init__")  # nobody is meant to call it
            elif "__init__" not in member.members and _is_struct(member):
                member.set_member("__init__", _made(member))


def _is_struct(found: griffe.Class) -> bool:
    bases = [str(base) for one in (found, *found.mro()) for base in one.bases]
    return any(base.endswith(("Struct", "TypedDict")) for base in bases)


def _made(found: griffe.Class) -> griffe.Function:
    fields: dict[str, griffe.Attribute] = {}
    for one in (*reversed(found.mro()), found):
        fields |= {
            name: member
            for name, member in one.members.items()
            if isinstance(member, griffe.Attribute)
            and not name.startswith("_")
            and "property" not in member.labels
            and member.annotation is not None
            and "ClassVar" not in str(member.annotation)
        }
    kind = griffe.ParameterKind.keyword_only
    parameters = [
        griffe.Parameter(name, annotation=field.annotation, kind=kind, default=_default(field))
        for name, field in fields.items()
    ]
    this = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    return griffe.Function("__init__", parameters=griffe.Parameters(this, *parameters))


def _default(field: griffe.Attribute) -> str | griffe.Expr | None:
    value = field.value
    if value is None or not str(value).startswith("field("):
        return value
    return "..."
