"""JSON that is still coming: what is shown of it, that it only grows, and what that costs."""

from __future__ import annotations

import copy
import json
import sys
from types import FrameType
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async._partial_json import PartialJSON, unfenced

NOTHING = object()


def partials(text: str, cuts: list[int] | None = None) -> list[Any]:
    """A copy of the value after each piece; pieces of one character unless cuts are given."""
    reader = PartialJSON()
    shown: list[Any] = []
    points = sorted(set(cuts)) if cuts is not None else list(range(1, len(text)))
    for start, end in zip([0, *points], [*points, len(text)], strict=True):
        reader.feed(text[start:end])
        if reader.started:
            shown.append(copy.deepcopy(reader.value))
    reader.finish()
    return [*shown, copy.deepcopy(reader.value)]


def has_grown(old: object, new: object) -> bool:
    """Whether `new` has all that `old` had."""
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        known, found = cast("dict[str, object]", old), cast("dict[str, object]", new)
        return list(found)[: len(known)] == list(known) and all(
            has_grown(value, found[key]) for key, value in known.items()
        )
    if isinstance(old, list):
        items, more = cast("list[object]", old), cast("list[object]", new)
        return len(more) >= len(items) and all(map(has_grown, items, more))
    if isinstance(old, str):
        return cast("str", new).startswith(old)
    return bool(old == new)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]), data=st.data())
def test_partials_grow_into_the_value(
    value: Any, ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    """However the text is split, no partial takes back what one before had; the last is all."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    for shown in (partials(text, cuts), partials(text)):
        assert all(map(has_grown, shown, shown[1:]))
        assert shown[-1] == value
        assert json.dumps(shown[-1]) == json.dumps(value)


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(alphabet=st.sampled_from('{}[]",:\\u0dD8e+-.19truefalsn` \n\ufeffé'), max_size=40)
    | st.text(max_size=20)
)
def test_garbage_never_raises(text: str) -> None:
    """Whatever a model writes, reading it raises nothing and what was shown stays."""
    shown = partials(text)
    assert all(map(has_grown, shown, shown[1:]))
    unfenced(text)


@settings(max_examples=60, deadline=None)
@given(value=VALUES, data=st.data())
def test_a_cut_text_shows_a_part_of_the_value(value: Any, data: st.DataObject) -> None:
    """What is read of a text that stops somewhere is a part of the whole value."""
    text = json.dumps({"value": value})
    reader = PartialJSON()
    reader.feed(text[: data.draw(st.integers(0, len(text)))])
    assert not reader.started or has_grown(reader.value, {"value": value})


SHOWN: list[tuple[str, object]] = [
    ("", NOTHING),
    ("  \n", NOTHING),
    ("{", {}),
    ('{"', {}),
    ('{"na', {}),
    ('{"name"', {}),
    ('{"name": ', {}),
    ('{"name": "', {"name": ""}),
    ('{"name": "Ad', {"name": "Ad"}),
    ('{"name": "Ad\\', {"name": "Ad"}),
    ('{"name": "Ad\\u00', {"name": "Ad"}),
    ('{"name": "Ad\\u00e9', {"name": "Adé"}),
    ('{"face": "\\ud83d', {"face": ""}),
    ('{"face": "\\ud83d\\ude0', {"face": ""}),
    ('{"face": "\\ud83d\\ude00', {"face": "\U0001f600"}),
    ('{"age": 3', {}),
    ('{"age": 36', {}),
    ('{"age": 36,', {"age": 36}),
    ('{"age": 36}', {"age": 36}),
    ('{"age": -1.5e', {}),
    ('{"age": -1.5e3\n', {"age": -1500.0}),
    ('{"ok": tru', {}),
    ('{"ok": true', {}),
    ('{"ok": true}', {"ok": True}),
    ('{"ok": null,', {"ok": None}),
    ("[1, 2", [1]),
    ("[[], [", [[], []]),
    ("[1,", [1]),
    ("7", NOTHING),
    ('"text', "text"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_what_is_shown(text: str, shown: Any) -> None:
    """A container shows when it opens, a text as it grows, all else when it is whole."""
    reader = PartialJSON()
    for sign in text:
        reader.feed(sign)
    assert (reader.value if reader.started else NOTHING) == shown


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "2e-3", "12345678901234567890"])
def test_a_number_at_the_end_is_whole_when_the_text_is(number: str) -> None:
    """A bare number shows when no more can come."""
    reader = PartialJSON()
    reader.feed(number)
    assert not reader.started
    reader.finish()
    assert reader.value == json.loads(number)
    assert type(reader.value) is type(json.loads(number))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Sure, here you are", NOTHING),
        ('{"a": 1, b', {"a": 1}),
        ('{"a": 1, ]', {"a": 1}),
        ('{"a": 1 "b": 2}', {"a": 1}),
        ('{"a" 1}', {}),
        ('{"a": "x\\q more", "b": 2}', {"a": "x"}),
        ('{"a": "x\\u00zz more"}', {"a": "x"}),
        ('{"a": 01, "b": 2}', {}),
        ('{"a": truth, "b": 2}', {}),
        ('{"a": NaN}', {}),
        ("[1, 2,]", [1, 2]),
        ("[1}", [1]),
        ('{"a": 1} {"b": 2}', {"a": 1}),
        ('{"a": ' + "9" * 5_000 + "}", {}),
    ],
)
def test_a_mistake_stops_the_growth(text: str, shown: Any) -> None:
    """Behind a mistake nothing is guessed, and nothing before it is lost."""
    assert (partials(text)[-1] if partials(text) != [None] else NOTHING) == shown


@pytest.mark.parametrize(
    ("escaped", "read"),
    [
        ("\\ud83d", "\ufffd"),
        ("\\ude00", "\ufffd"),
        ("\\ud83d!", "\ufffd!"),
        ("\\ud83d\\n", "\ufffd\n"),
        ("\\ud83d\\ud83d\\ude00", "\ufffd\U0001f600"),
        ("\\ud83d\\u0041", "\ufffdA"),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement(escaped: str, read: str) -> None:
    """A half without the other is never shown as it is: it could not be printed or sent."""
    assert partials(f'["{escaped}"]')[-1] == [read]


def test_a_key_that_comes_twice_keeps_its_first_value() -> None:
    """What was shown is not taken back; the second value goes nowhere, whatever it is."""
    for second in ("2", '"text"', '{"x": [1]}', "[[1]]"):
        assert partials(f'{{"a": 1, "a": {second}, "b": 3}}')[-1] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        " \n\t{}\n ",
        "\ufeff{}",
        "```json\n{}\n```",
        "```\n{}\n```\n",
        "```JSON\r\n{}\r\n```",
        "\n```json {}```",
        "```{}```",
        "```json\n{}",
    ],
)
def test_a_code_fence_around_is_taken_off(frame: str) -> None:
    """Blanks, a byte order mark and a Markdown fence are no part of the value."""
    value = {"a": ["```", "}", {"b": 1}]}
    text = frame.replace("{}", json.dumps(value))
    assert json.loads(unfenced(text)) == value
    assert partials(text)[-1] == value


def test_depth_is_bounded() -> None:
    """A model that opens brackets without end does not make a value that breaks its reader."""
    for sign in ("[", '{"a":'):
        reader = PartialJSON()
        reader.feed(sign * 100_000)
        assert len(json.dumps(reader.value)) < 2_000


def test_the_value_is_live() -> None:
    """The same object grows: looking at it costs nothing, keeping it needs a copy."""
    reader = PartialJSON()
    reader.feed('{"a": [1, ')
    early = reader.value
    reader.feed("2], ")
    assert reader.value is early
    assert early == {"a": [1, 2]}


def work(text: str, size: int) -> int:
    """How many lines of the reader run for a text in pieces of `size`."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.endswith("_partial_json.py"):
            return None
        lines += event == "line"
        return trace

    reader = PartialJSON()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for start in range(0, len(text), size):
            reader.feed(text[start : start + size])
    finally:
        sys.settrace(before)
    assert reader.value == json.loads(text)
    return lines


@pytest.mark.parametrize("item", ['{"name": "A\\u00e9", "n": [1, true]}', '"word \\n word"'])
def test_work_is_linear(item: str) -> None:
    """Twice the text is twice the work: nothing is read again for each piece."""
    once = work(f"[{', '.join([item] * 100)}]", 3)
    twice = work(f"[{', '.join([item] * 200)}]", 3)
    assert once > 1_000
    assert twice < 2.1 * once


class Counted(str):
    """A text that counts how much of it is taken out."""

    __slots__ = ()
    taken = 0

    def __getitem__(self, key: Any) -> str:
        found = str.__getitem__(self, key)
        Counted.taken += len(found)
        return found


def test_each_character_is_taken_once() -> None:
    """What is copied out of the pieces is not more than the pieces."""
    text = json.dumps({"s": "word " * 1_000, "n": list(range(100))})
    reader = PartialJSON()
    Counted.taken = 0
    for start in range(0, len(text), 4):
        reader.feed(Counted(text[start : start + 4]))
    assert reader.value == json.loads(text)
    assert Counted.taken <= 2 * len(text)  # structure is looked at once, and once skipped
