"""Makes up words: an answer to a prompt, thoughts about it, values that fit a JSON schema.

The rule of this file: text in, text or plain values out, the same for the same input. It knows
neither messages nor the wire.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

__all__ = ["count_tokens", "fit_schema", "keywords", "pieces", "reply_to", "thoughts_on"]

_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_PIECE: Final = re.compile(r"\s*\w+[^\w\s]*|\s*[^\w\s]+|\s+")
_COMMON: Final = frozenset(
    re.findall(
        r"\w+",
        """
    about above after again also always another answer because been before being below between
    both could does doing down each explain from further give have having hello here itself just
    like list make many more most much must name need once only other over please same shall
    should show some such tell than that their them then there these they this those through
    under until very want what when where which while will with word words would write your
    yours
""",
    )
)
_FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT90S",
    "decimal": "12.5",
    "uuid": "01234567-89ab-4cde-8f01-23456789abcd",
    "email": "someone@example.com",
    "uri": "https://example.com/",
}
_DEEPEST: Final = 8
_OPENINGS: Final = (
    "Happy to help with {topic}.",
    "Good question about {topic}!",
    "Let us look at {topic} together.",
    "Here is a short answer on {topic}.",
)
_MIDDLES: Final = (
    "Start with the smallest piece of {first} that you can try today, and see what it teaches you.",
    "The heart of the matter is how {first} behaves on an ordinary day, so measure that first.",
    "It helps to say in one sentence what {first} is for; most of the details follow from it.",
    "Take {first} one step at a time, and keep what works before you change anything else.",
)
_ENDINGS: Final = (
    "Once that is in place, {last} becomes much easier.",
    "After that, {last} is mostly a matter of practice.",
    "Then compare it with {last}, and keep the simpler of the two.",
    "If you tell me more about {last}, I can be more exact.",
)


def count_tokens(text: str) -> int:
    """Reckon the tokens of a text: words and punctuation marks."""
    return sum(1 for _ in _TOKEN.finditer(text))


def keywords(text: str, limit: int = 3) -> list[str]:
    """Give the first words that carry a prompt's meaning, once each, as they are written."""
    seen: dict[str, str] = {}
    for word in re.findall(r"[^\W\d_][\w'-]{2,}", text):
        lowered = word.lower()
        if lowered not in _COMMON and (len(word) > 3 or word[0].isupper()):
            seen.setdefault(lowered, word)
    return list(islice(seen.values(), limit))


def reply_to(prompt: str) -> str:
    """Give a few friendly sentences that take up a prompt's key words."""
    words = keywords(prompt)
    if not words:
        return (
            "Hello! I am a pretend model. Ask me anything, and I will answer with your own words."
        )
    digest = _digest(prompt)
    topic = _enumeration([f"\u201c{word}\u201d" for word in words])
    sentences = (
        _pick(_OPENINGS, digest[0]),
        _pick(_MIDDLES, digest[1]),
        _pick(_ENDINGS, digest[2]),
    )
    return " ".join(sentences).format(topic=topic, first=words[0], last=words[-1])


def thoughts_on(prompt: str) -> str:
    """Give what a model might think before it answers."""
    topic = _enumeration(keywords(prompt)) or "nothing in particular"
    return f"The user asks about {topic}. A short and useful answer is best. Let me write it."


def pieces(text: str, size: int = 2) -> list[str]:
    """Cut a text into pieces of one to `size` words; joined they are the text again."""
    words: list[str] = _PIECE.findall(text)
    digest = _digest(text)
    made: list[str] = []
    position = 0
    while position < len(words):
        count = 1 + digest[position % len(digest)] % size
        made.append("".join(words[position : position + count]))
        position += count
    return made


def fit_schema(schema: Mapping[str, Any], prompt: str) -> Any:
    """Give a value that fits a JSON schema, with words and numbers of the prompt in it."""
    return _Filler(schema, prompt).value(schema, 0)


class _Filler:
    """Fills one schema; each string takes the next of the prompt's words."""

    def __init__(self, root: Mapping[str, Any], prompt: str) -> None:
        names = re.findall(r"(?<=\w\s)[A-Z]\w+", prompt)
        self._root = root
        self._words: Sequence[str] = [*names, *keywords(prompt, 8)] or ["example"]
        self._numbers = [int(number) for number in re.findall(r"\b\d{1,9}\b", prompt)] or [1]
        self._next_word = self._next_number = 0

    def value(self, schema: Mapping[str, Any], depth: int) -> Any:
        """Give a value for one (part of a) schema."""
        schema = self._resolved(schema)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if choices := schema.get("enum"):
            lowered = [word.lower() for word in self._words]
            return next((one for one in choices if str(one).lower() in lowered), choices[0])
        kind = _kind_of(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return True
        return None if kind == "null" else self._string(schema)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(_DEEPEST):
            if reference := schema.get("$ref"):
                found: Any = self._root
                for part in filter(None, reference.removeprefix("#").split("/")):
                    found = found.get(part, {})
                schema = found
            elif options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
                schema = next((one for one in options if one.get("type") != "null"), options[0])
            else:
                break
        return schema

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        if depth >= _DEEPEST:
            return {}
        names: Sequence[str] = schema.get("required") or list(properties)
        return {name: self.value(properties.get(name) or {}, depth + 1) for name in names}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        first = [self.value(one, depth + 1) for one in schema.get("prefixItems") or ()]
        least: int = schema.get("minItems", 0 if first else 1) if depth < _DEEPEST else 0
        rest = range(least - len(first))
        return first + [self.value(schema.get("items") or {}, depth + 1) for _ in rest]

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float:
        number: float = self._numbers[self._next_number % len(self._numbers)]
        self._next_number += 1
        low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if low is not None and high is not None and not whole:
            return float(low + high) / 2
        number = max(number, schema.get("minimum", number))
        number = min(number, schema.get("maximum", number))
        number = number if low is None else max(number, low + 1)
        number = number if high is None else min(number, high - 1)
        step = schema.get("multipleOf")
        return number if step is None else -(-number // step) * step

    def _string(self, schema: Mapping[str, Any]) -> str:
        if (form := schema.get("format")) in _FORMATS:
            return _FORMATS[form]
        word = self._words[self._next_word % len(self._words)]
        self._next_word += 1
        if schema.get("contentEncoding") == "base64":
            return base64.b64encode(word.encode()).decode()
        word = word.ljust(schema.get("minLength", 0), ".")
        return word[: schema.get("maxLength")]


def _kind_of(schema: Mapping[str, Any]) -> str:
    named: str | Sequence[str] | None = schema.get("type")
    if named is None:
        return "object" if "properties" in schema else "string"
    kinds = (named,) if isinstance(named, str) else named
    return next((kind for kind in kinds if kind != "null"), "null")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _pick(choices: Sequence[str], number: int) -> str:
    return choices[number % len(choices)]


def _enumeration(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
