"""Tool calls from fragments: however a call was cut up and mixed with others, it is the same call.

No reader could tell some streams apart, so the generator does not make them:

- pieces of several calls in turns, with neither an index nor an id that tells whose each one is;
- one index for all calls on some of the pieces, and none on the others;
- a name on a later piece together with an id that is new (that is how a new call begins), or an
  id that is new on a later piece without an index;
- a call without an id and without an index of its own that begins with a name and no arguments
  behind one of the same name, or that asks for the very same;
- a fragment, of less than the whole arguments, that is sent twice.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from openrouter_async._accumulate import Accumulator
from openrouter_async._tool_calls import ToolCalls
from openrouter_async.types import ChatChunk, ToolCall, ToolCallDelta
from tests.conftest import shared_folder

Plain = dict[str, Any]

FUZZED = 10_000
NAMES = ("weather", "search", "f")
SPACE = (" ", "\n", "\t ", " \n")
"""Where a provider sends nothing, it sends one of these, or leaves the field out."""


@dataclass
class Case:
    """Calls, and a stream that says them."""

    calls: list[tuple[str | None, str, str]]
    """Of each the id (None where none was sent), the name, and the JSON text of the arguments."""

    deltas: list[list[Plain]]


def some_json(chance: random.Random, depth: int = 0) -> Any:
    """Give a value with what is hard to cut: braces and blanks in strings, escapes, nesting."""
    kind = chance.randrange(6 if depth < 2 else 4)
    if kind < 2:
        return "".join(chance.choices('ab{}[]":, \n\\é😀', k=chance.randrange(8)))
    if kind < 4:
        return chance.choice([0, -1.5, True, None, 10**12])
    if kind == 4:
        return [some_json(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {f"k{n}": some_json(chance, depth + 1) for n in range(chance.randrange(3))}


def cut(chance: random.Random, text: str) -> list[str]:
    """Cut a text at random places, now and then into single characters or not at all."""
    count = chance.choice([0, 0, 1, 2, 5, len(text)])
    places = sorted(chance.choices(range(len(text) + 1), k=count)) if count else []
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def nothing(chance: random.Random, entry: Plain, field: str, *empty: object) -> None:
    """Leave a field out, or set it to something that says nothing."""
    choice = chance.choice([KeyError, *empty])
    if choice is not KeyError:
        entry[field] = choice


def fuzzed(seed: int) -> Case:
    """Make one to four calls, and a stream in which they can be told apart."""
    chance = random.Random(seed)
    told_by = chance.choice(["index", "id", "order"])
    count = chance.choice([1, 1, 2, 3, 4])
    has_ids = told_by == "id" or chance.random() < 0.6
    shares_id = told_by == "index" and chance.random() < 0.2
    invents_ids = told_by == "index" and chance.random() < 0.2
    repeats_name = not invents_ids and chance.random() < 0.3
    indices = sorted(chance.sample(range(9), count))
    in_order = chance.choice(["no index", "one index for all", "its index now and then"])
    calls: list[tuple[str | None, str, str]] = []
    queues: list[list[Plain]] = []
    for number in range(count):
        arguments = (
            {"n": number, "x": some_json(chance)} if chance.random() < 0.9 else {"n": number}
        )
        id = ("same" if shares_id else f"c{number}") if has_ids else None
        call = (id, chance.choice(NAMES), json.dumps(arguments, ensure_ascii=chance.random() < 0.5))
        calls.append(call)
        entries = pieces_of(chance, call, repeats_name=repeats_name)
        for position, entry in enumerate(entries):
            is_first = position == 0
            if told_by == "index":
                entry["index"] = indices[number]
                if id is not None and (is_first or chance.random() < 0.3):
                    entry["id"] = id
                elif invents_ids and not is_first:
                    entry["id"] = f"new-{number}-{position}"
                else:
                    nothing(chance, entry, "id", None, "")
            else:
                if told_by == "id":
                    nothing(chance, entry, "index", None, 0)
                elif in_order == "one index for all":
                    entry["index"] = 0
                elif in_order != "no index" and (is_first or chance.random() < 0.5):
                    entry["index"] = indices[number]
                else:
                    nothing(chance, entry, "index", None)
                if id is not None and (is_first or told_by == "id"):
                    entry["id"] = id
                else:
                    nothing(chance, entry, "id", None, "")
        queues.append(entries)
    return Case(calls, mixed(chance, queues, in_turns=told_by != "order"))


def pieces_of(
    chance: random.Random, call: tuple[str | None, str, str], *, repeats_name: bool
) -> list[Plain]:
    """Give the pieces of one call, without what tells whose they are."""
    id, name, text = call
    parts = cut(chance, text)
    if id is None:
        while not parts[0]:
            parts.pop(0)
    elif chance.random() < 0.5:
        parts.insert(0, "")  # the name comes first, by itself
    parts += chance.choices(SPACE, k=chance.choice([0, 0, 0, 1, 2]))
    entries: list[Plain] = []
    for position, part in enumerate(parts):
        function: Plain = {}
        if part:
            function["arguments"] = part
        else:
            nothing(chance, function, "arguments", None, "")
        if position == 0 or (repeats_name and chance.random() < 0.7):
            function["name"] = name
        else:
            nothing(chance, function, "name", None, "")
        entry: Plain = {"function": function} if function else {}
        if not function:
            nothing(chance, entry, "function", None, {})
        if position == 0 or chance.random() < 0.3:
            entry["type"] = "function"
        entries.append(entry)
    return entries


def mixed(chance: random.Random, queues: list[list[Plain]], *, in_turns: bool) -> list[list[Plain]]:
    """Put the pieces of several calls into deltas: one after the other, or in turns."""
    waiting = [list(queue) for queue in queues]
    pieces: list[Plain] = []
    while any(waiting):
        left = [queue for queue in waiting if queue]
        queue = chance.choice(left) if in_turns else left[0]
        pieces.append(queue.pop(0))
    deltas: list[list[Plain]] = []
    while pieces:
        size = chance.choice([1, 1, 1, 2, 5])
        deltas.append(pieces[:size])
        pieces = pieces[size:]
    return deltas


def read(deltas: list[list[Plain]], *, ended: bool = True) -> list[ToolCall]:
    """Put calls together from what a stream says, as plain data."""
    calls = ToolCalls()
    for delta in deltas:
        for entry in delta:
            calls.add(ToolCallDelta.from_dict(entry))
    whole, cut_off = calls.build(ended)
    assert not cut_off
    return whole


def compare(case: Case, found: list[ToolCall], seed: object) -> None:
    """Every call is there once, with its own id, name and arguments; an invented id is its own."""
    said = sorted((name, json.loads(text)["n"], text) for _, name, text in case.calls)
    heard = sorted(
        (
            call.function.name,
            json.loads(call.function.arguments)["n"],
            call.function.arguments.rstrip(),
        )
        for call in found
    )
    assert heard == said, seed
    ids = [call.id for call in found]
    assert all(ids) and len(set(ids)) == len(ids), seed
    known = [id for id, _, _ in case.calls]
    if None not in known and len(set(known)) == len(known):
        by_id = {call.id: json.loads(call.function.arguments) for call in found}
        assert by_id == {id: json.loads(text) for id, _, text in case.calls}, seed


def test_ten_thousand_fuzzed_streams_equal_the_unsplit_calls() -> None:
    """Any split and mixture gives the calls that were sent, none of them twice, and never raises."""
    for seed in range(FUZZED):
        case = fuzzed(seed)
        compare(case, read(case.deltas, ended=seed % 2 == 0), seed)


def test_the_fuzzed_streams_hold_every_shape() -> None:
    """What the generator is to make, it makes: else the test above would say nothing."""
    entries = [entry for seed in range(500) for delta in fuzzed(seed).deltas for entry in delta]
    functions: list[Plain] = [entry.get("function") or {} for entry in entries]
    for field in ("index", "id", "function"):
        assert any(field not in entry for entry in entries)
        assert any(entry.get(field, 1) is None for entry in entries)
    assert any(entry.get("id") == "" for entry in entries)
    assert any("arguments" not in function for function in functions)
    assert any(function.get("arguments", 1) is None for function in functions)
    assert any((function.get("arguments") or "x").isspace() for function in functions)
    assert any(len(delta) > 1 for seed in range(500) for delta in fuzzed(seed).deltas)


def test_a_repeated_call_is_one_call() -> None:
    """A stream in which whole calls are sent once more, with their name, has them once."""
    for seed in range(2_000):
        chance = random.Random(-1 - seed)
        case = fuzzed(seed)
        ids = [id for id, _, _ in case.calls]
        if None in ids or len(set(ids)) < len(ids):
            continue
        found = read(case.deltas)
        again = [
            {
                "id": id,
                "type": "function",
                "function": {"name": name, "arguments": text + chance.choice(["", *SPACE])},
            }
            for id, name, text in case.calls
        ]
        compare(case, read([*case.deltas, *([entry] for entry in again)]), seed)
        assert read([*case.deltas, again]) == found, seed


def entry(index: int | None, id: str | None, name: str | None, arguments: str | None) -> Plain:
    """Give a piece with every field, null where there is nothing."""
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


REPEATED = {
    "same index and id": [entry(0, "a", "f", '{"n":1}'), entry(0, "a", "f", '{"n":1}')],
    "same id": [entry(None, "a", "f", '{"n":1}'), entry(None, "a", "f", '{"n":1}')],
    "same index, no id": [entry(0, None, "f", '{"n":1}'), entry(0, None, "f", '{"n":1}')],
    "no name": [entry(0, "a", "f", '{"n":1}'), entry(0, "a", None, '{"n":1}')],
    "behind fragments": [
        entry(0, "a", "f", '{"n"'),
        entry(0, None, None, ":1}"),
        entry(0, "a", "f", '{"n":1}'),
    ],
    "behind trailing blanks": [entry(0, "a", "f", '{"n":1}\n'), entry(0, "a", "f", '{"n":1}')],
    "the name alone": [entry(0, "a", "f", '{"n":1}'), entry(0, "a", "f", "")],
}


@pytest.mark.parametrize("pieces", REPEATED.values(), ids=REPEATED)
def test_repetitions(pieces: list[Plain]) -> None:
    """The whole call once more is no second call, and nothing is appended to the first."""
    (call,) = read([pieces])
    assert json.loads(call.function.arguments) == {"n": 1}


NOT_REPEATED = {
    "two ids": [entry(0, "a", "f", '{"n":1}'), entry(0, "b", "f", '{"n":1}')],
    "two indices": [entry(0, "a", "f", '{"n":1}'), entry(1, "a", "f", '{"n":1}')],
    "other arguments under one id": [entry(0, "a", "f", '{"n":1}'), entry(0, "a", "f", '{"n":2}')],
    "other arguments in fragments": [
        entry(0, "a", "f", '{"n":1}'),
        entry(0, "a", "f", '{"n":'),
        entry(0, None, None, "2}"),
    ],
}


@pytest.mark.parametrize("pieces", NOT_REPEATED.values(), ids=NOT_REPEATED)
def test_two_calls_stay_two(pieces: list[Plain]) -> None:
    """A second call that shares something with the first is not taken for the first."""
    first, second = read([pieces])
    assert first.id != second.id
    assert json.loads(first.function.arguments)["n"] == 1
    assert json.loads(second.function.arguments)["n"] in (1, 2)


def test_the_id_wins_over_an_index_that_all_share() -> None:
    """Pieces in turns under one index belong to the calls of their ids."""
    pieces = [
        entry(0, "a", "f", '{"n":'),
        entry(0, "b", "f", '{"n":'),
        entry(0, "a", "f", "1}"),
        entry(0, "b", None, "2}"),
    ]
    found = {call.id: call.function.arguments for call in read([pieces])}
    assert found == {"a": '{"n":1}', "b": '{"n":2}'}


def recorded_streams() -> list[Path]:
    """The recorded streams that call tools."""
    folder = shared_folder()
    if folder is None:
        return []
    files = folder.glob("recordings/*_stream/*.sse")
    return sorted(path for path in files if any(map(calls_in, events_of(path))))


def events_of(path: Path) -> list[Plain]:
    """The JSON of each event of a recorded body."""
    lines = path.read_bytes().splitlines()
    events = (line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:"))
    return [json.loads(event) for event in events if event.startswith(b"{")]


def calls_in(chunk: Plain) -> list[Plain]:
    """The pieces of calls in a chunk's first choice."""
    choices: list[Plain] = chunk.get("choices") or [{}]
    delta: Plain = choices[0].get("delta") or {}
    return delta.get("tool_calls") or []


def split(piece: Plain) -> list[Plain]:
    """Give a piece in single characters; only the first keeps what is no argument."""
    function: Plain = piece.get("function") or {}
    text: str = function.get("arguments") or ""
    if len(text) < 2:
        return [piece]
    first = {**piece, "function": {**function, "arguments": text[0]}}
    later = {"index": piece.get("index"), "id": None}
    return [first, *({**later, "function": {"arguments": letter}} for letter in text[1:])]


def test_the_accumulator_reads_calls_by_the_same_rules() -> None:
    """A whole answer holds the calls that the rules above give."""
    for seed in range(50):
        case = fuzzed(seed)
        accumulator = Accumulator()
        for delta in case.deltas:
            choice = {"index": 0, "delta": {"tool_calls": delta}}
            accumulator.add(ChatChunk.from_dict({"choices": [choice]}))
        assert accumulator.completion(ended=True).tool_calls == read(case.deltas)
