"""Values that a described schema allows, made up from a seed.

The same seed gives the same value; hypothesis looks for the seed that breaks something. Optional
fields come and go, unions take every branch in turn, and nothing is deeper than `_DEPTH`.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final, cast

from tests.surface_described import Schema

__all__ = ["named", "value_of"]

_DEPTH: Final = 6
_TEXTS: Final = ("a", "word", "two words", "Ünïcödé", '"quoted" & <b>', "0")
_FORMATS: Final = {
    "date-time": "2026-01-31T12:34:56Z",
    "date": "2026-01-31",
    "uuid": "0df9e665-d932-5740-b2c7-b52af166bc11",
    "uri": "https://example.com/a?b=c",
    "email": "somebody@example.com",
}
# One of the two descriptions names no formats; there a field's name tells its form.
_NAMED: Final = {
    **dict.fromkeys(("workspace_id", "classifier_id", "scim_group_id"), _FORMATS["uuid"]),
    **dict.fromkeys(("start_date", "end_date", "date", "day"), _FORMATS["date"]),
    **dict.fromkeys(("expires_at", "created_after", "created_before"), _FORMATS["date-time"]),
    **dict.fromkeys(("code_verifier", "code_challenge"), "a" * 43),
    **dict.fromkeys(("prompt", "completion", "cache_read", "cache_write", "price"), "0.5"),
    **dict.fromkeys(("web_search", "request", "internal_reasoning", "image", "audio"), "0.5"),
    **dict.fromkeys(("input_cache_read", "input_cache_write", "input_cache_write_1h"), "0.5"),
    **dict.fromkeys(("input_audio_cache", "image_token", "image_output", "audio_output"), "0.5"),
    "total_tokens": "12",
    "amount": "5",
    "code_challenge_method": "S256",
    "slug": "two-words",
    "allowed_api_key_hashes": "a" * 64,
}
_PATTERNS: Final = {
    r"^\d{4}-\d{2}-\d{2}$": "2026-01-31",
    "^[a-f0-9]{64}$": "a" * 64,
    "^[a-z0-9]+(?:-[a-z0-9]+)*$": "two-words",
}


def named(name: str, value: Any) -> Any:
    """Give a value the form that its name asks for."""
    if isinstance(value, float | int) and name.endswith("sampling_rate"):
        return 0.5
    if isinstance(value, int) and name in ("limit", "offset", "max_results"):
        return min(max(value, 1), 100)
    if isinstance(value, list):
        return [named(name, item) for item in cast("list[object]", value)]
    return _NAMED.get(name, value) if isinstance(value, str) else value


def value_of(schema: Schema, random: Random, *, nulls: bool, depth: int = 0) -> Any:
    """Make up a value.

    Args:
        schema: What it must fit.
        random: Where the choices come from.
        nulls: Whether to say null where that is allowed.
        depth: How deep the value stands.
    """
    said = schema.value
    if nulls and schema.allows_null and random.random() < 0.2:
        return None
    merged = _merged(schema)
    if merged is not None:
        return value_of(merged, random, nulls=nulls, depth=depth)
    choices = list(schema.alternatives())
    if len(choices) != 1 or choices[0].value is not said:
        if not choices:
            return None if nulls else {}
        return value_of(random.choice(choices), random, nulls=nulls, depth=depth)
    if "const" in said:
        return said["const"]
    if "enum" in said:
        return random.choice([each for each in said["enum"] if each is not None])
    kinds = sorted(schema.kinds)
    match random.choice(kinds) if kinds else "any":
        case "object":
            return _object(schema, random, nulls=nulls, depth=depth)
        case "array":
            return _array(schema, random, nulls=nulls, depth=depth)
        case "string":
            return _text(schema, random)
        case "integer":
            return _number(said, random, whole=True)
        case "number":
            return _number(said, random, whole=random.random() < 0.3)
        case "boolean":
            return random.random() < 0.5
        case _:
            return random.choice(["a", 1, 0.5, True, {"a": 1}, ["a"]])


def _merged(schema: Schema) -> Schema | None:
    """Give one schema for those that a value must fit all at once."""
    parts = schema.value.get("allOf")
    if not parts:
        return None
    properties: dict[str, Any] = {}
    required: list[str] = []
    for part in (*parts, {k: v for k, v in schema.value.items() if k != "allOf"}):
        for one in list(Schema(part, schema.root).alternatives())[:1]:
            properties |= one.value.get("properties", {})
            required += one.value.get("required", [])
    if not properties:
        return Schema(parts[0], schema.root)
    value = {"type": "object", "properties": properties, "required": required}
    return Schema(value, schema.root)


def _object(schema: Schema, random: Random, *, nulls: bool, depth: int) -> dict[str, Any]:
    required = set(schema.value.get("required", ()))
    made: dict[str, Any] = {}
    for name, below in schema.properties.items():
        many = len(schema.properties) > 60
        if name in required or (depth < _DEPTH and random.random() < (0.05 if many else 0.6)):
            value = value_of(below, random, nulls=nulls, depth=depth + 1)
            made[name] = named(name, value)
    others = schema.value.get("additionalProperties")
    if not schema.properties and isinstance(others, dict) and depth < _DEPTH:
        least = 0 if nulls else 1  # a request: as of a list
        for name in ("one", "two")[: random.randint(least, 2)]:
            other = Schema(cast("dict[str, Any]", others), schema.root)
            made[name] = value_of(other, random, nulls=nulls, depth=depth + 1)
    return made


def _array(schema: Schema, random: Random, *, nulls: bool, depth: int) -> list[Any]:
    least = schema.value.get("minItems", 0)
    most = min(schema.value.get("maxItems", 2), 2)
    if schema.items is None:
        return []
    if not nulls:  # a request: a list that says nothing is refused where it must say something
        least = max(least, 1)
    count = random.randint(min(least, most), most) if depth < _DEPTH else least
    return [
        value_of(schema.items, random, nulls=nulls and depth == 0, depth=depth + 1)
        for _ in range(max(count, least))
    ]


def _text(schema: Schema, random: Random) -> str:
    said = schema.value
    if said.get("pattern") in _PATTERNS:
        return _PATTERNS[str(said["pattern"])]
    if said.get("format") in _FORMATS:
        return _FORMATS[str(said["format"])]
    text = random.choice(_TEXTS)
    least: int = said.get("minLength", 0)
    return (text * (least // len(text) + 1))[: max(least, said.get("maxLength", 40))]


def _number(said: dict[str, Any], random: Random, *, whole: bool) -> float:
    low, high = said.get("minimum", 0), said.get("maximum", 1_000)
    if "exclusiveMinimum" in said:
        low = said["exclusiveMinimum"] + 1
    number = low + (max(high, low) - low) * random.random()
    return int(number) if whole else round(number, 4)
