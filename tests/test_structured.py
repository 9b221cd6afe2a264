"""Structured output: the schema that is sent, the value that comes back, and what is refused."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import datetime
import decimal
import enum
import pickle
import uuid
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, TypedDict, cast

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async import ChatCompletion, OpenRouter, OutputError, ParsedCompletion
from openrouter_async._structured import ResponseType, response_type_of
from openrouter_async.errors import ParseError, RefusalError
from openrouter_async.testing import Emulator, chat, completion
from openrouter_async.types import Choice, Message, Usage

Plain = dict[str, Any]


class Mood(enum.Enum):
    """How it goes."""

    GOOD = "good"
    BAD = "bad"


class Line(msgspec.Struct):
    """One line."""

    label: str
    amounts: list[list[int]] = []


class Report(msgspec.Struct):
    """A report of the day."""

    title: str
    mood: Mood
    lines: list[Line]
    kind: Literal["short", "long"] = "long"
    best: Line | None = None
    score: int | str = 0


class Cat(msgspec.Struct, tag=True):
    """A cat."""

    lives: int


class Dog(msgspec.Struct, tag=True):
    """A dog."""

    tricks: list[str]


class Limits(msgspec.Struct):
    """Kinds with a form or bounds of their own."""

    id: uuid.UUID
    day: datetime.date
    price: decimal.Decimal
    data: bytes
    wait: datetime.timedelta
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    seats: Annotated[int, msgspec.Meta(ge=10, multiple_of=7)]
    name: Annotated[str, msgspec.Meta(min_length=20)]
    short: Annotated[str, msgspec.Meta(max_length=2)]
    three: Annotated[list[bool], msgspec.Meta(min_length=3)]
    pair: tuple[int, str]


@dataclasses.dataclass
class Point:
    """A point."""

    x: int
    label: Line


class Place(TypedDict):
    """A place."""

    name: str
    height: NotRequired[float]


class Pair(NamedTuple):
    """A pair."""

    left: int
    right: str


class Part(pydantic.BaseModel):
    """A part."""

    names: list[str]


class Model(pydantic.BaseModel):
    """A model."""

    mood: Mood
    part: Part | None
    count: int = 3


class Node(msgspec.Struct):
    """A type that refers to itself."""

    next: Optional[Node] = None  # noqa: UP045


async def sent(client: OpenRouter, emulator: Emulator, kind: Any, **params: Any) -> Plain:
    """The ``json_schema`` that a request with this type carries."""
    await client.complete(
        "Tell me of Paris", model="openai/gpt-4o-mini", response_type=kind, **params
    )
    format_: Plain = emulator.requests[-1].json["response_format"]
    assert format_["type"] == "json_schema"
    schema: Plain = format_["json_schema"]
    return schema


# What comes back.

KINDS: list[tuple[Any, type]] = [
    (Report, Report),
    (Cat | Dog, Cat),
    (Limits, Limits),
    (Point, Point),
    (Place, dict),
    (Pair, Pair),
    (Model, Model),
    (Mood, Mood),
    (list[Report], list),
    (list[Model], list),
    (tuple[int, str], tuple),
    (dict[str, int], dict),
    (Literal["a", "b"], str),
    (Report | None, Report),
    (int, int),
    (float, float),
    (bool, bool),
    (str, str),
    (uuid.UUID, uuid.UUID),
]


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_a_value_of_every_kind(
    transport: Literal["stream", "json"], client: OpenRouter
) -> None:
    """The pretend model answers by the schema, and the answer is a value of the type."""
    prompt = "Tell me of Paris and Rome, 3 times"
    for kind, found in KINDS:
        completion = await client.complete(prompt, response_type=kind, transport=transport)
        answer = cast("ParsedCompletion[Any]", completion)
        parsed: object = answer.parsed
        assert type(parsed) is found
        assert (answer.finish_reason, answer.cost is not None) == ("stop", True)
        if found is list:
            assert type(cast("list[object]", parsed)[0]) is kind.__args__[0]


async def test_the_answer_is_a_completion_and_more(emulator: Emulator, client: OpenRouter) -> None:
    """All that `complete` promises is there beside the value; on the wire the value is not twice."""
    emulator.always(chat('{"label":', '"a"}', reasoning="Hm.", id="gen-7", cost=0.5))
    answer = await client.complete("Hi", model="m", response_type=Line)
    plain = await client.complete("Hi", model="m")
    assert isinstance(answer, ParsedCompletion)
    assert isinstance(answer, ChatCompletion)
    assert answer.parsed == Line("a")
    assert (answer.text, answer.reasoning, answer.id) == ('{"label":"a"}', "Hm.", "gen-7")
    assert answer.cost == 0.5
    assert answer == plain
    assert answer.to_dict() == plain.to_dict()
    assert answer.ending == "complete"
    for twin in (pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)):
        assert twin.parsed == answer.parsed
        assert twin == answer


async def test_what_the_stream_gives(emulator: Emulator, client: OpenRouter) -> None:
    """Partials are plain data that grows; at the end there is the value, and the whole answer."""
    emulator.always(chat('{"label": "A', "da", '", "amounts": [[1', ", 2], []", "]}"))
    parsing = client.stream("Hi", model="m", response_type=Line).parse(Line)
    shown = [copy.deepcopy(partial) async for partial in parsing]
    assert shown == [
        {"label": "A"},
        {"label": "Ada"},
        {"label": "Ada", "amounts": [[]]},
        {"label": "Ada", "amounts": [[1, 2], []]},
        {"label": "Ada", "amounts": [[1, 2], []]},
    ]
    assert parsing.parsed == Line("Ada", [[1, 2], []])
    answer = await parsing
    assert answer.parsed is parsing.parsed
    assert await parsing is answer
    assert answer.usage is not None


async def test_a_wrapped_value_is_shown_bare(emulator: Emulator, client: OpenRouter) -> None:
    """A type that is no object travels in one, and neither partials nor the value show it."""
    emulator.always(chat('{"val', 'ue": ', "[1", ", 2", "]}"))
    parsing = client.stream("Hi", model="m", response_type=list[int]).parse(list[int])
    assert [copy.copy(partial) async for partial in parsing] == [[], [1], [1, 2]]
    assert parsing.parsed == [1, 2]


async def test_a_model_that_leaves_the_wrapper_out(emulator: Emulator, client: OpenRouter) -> None:
    """A list that comes bare, or in a code fence, is the list all the same."""
    for text in ("[1, 2]", ' ```json\n{"value": [1, 2]}\n``` ', "\ufeff[1, 2]\n"):
        emulator.always(chat(*text))
        parsing = client.stream("Hi", model="m").parse(list[int])
        assert [len(partial) async for partial in parsing][-1] == 2
        assert parsing.parsed == [1, 2]


async def test_awaiting_needs_no_loop(emulator: Emulator, client: OpenRouter) -> None:
    """``await stream.parse(T)`` is the value at once, also after a few steps by hand."""
    emulator.always(chat('{"value": ', "5}"))
    assert (await client.stream("Hi", model="m").parse(int)).parsed == 5
    stream = client.stream("Hi", model="m")
    await anext(stream)
    assert (await stream.parse(int)).parsed == 5


async def test_leaving_the_loop_closes_the_connection(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A `break` stops the model though the object is still there; then there is no value."""
    emulator.always(chat('{"label": "A', "da").hold_after(1))
    parsing = client.stream("Hi", model="m").parse(Line)
    async for _ in parsing:
        break
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    with pytest.raises(RuntimeError, match="no whole value"):
        _ = parsing.parsed
    with pytest.raises(RuntimeError, match="nothing more to give"):
        await parsing


async def test_closing_within_the_loop_ends_it(emulator: Emulator, client: OpenRouter) -> None:
    """A stream that its own reader closes just stops; that is no failure."""
    emulator.always(chat('{"label": "A', "da").hold_after(1))
    stream = client.stream("Hi", model="m")
    async for _ in stream.parse(Line):
        stream.close()
    assert stream.ending == "left"


async def test_a_call_cancelled_before_it_began_leaves_nothing(client: OpenRouter) -> None:
    """Cancelling the task of a call that has not run yet warns of nothing."""
    task = asyncio.ensure_future(client.complete("Hi", model="m", response_type=int))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# What is sent.


async def test_the_schema_is_sent(emulator: Emulator, client: OpenRouter) -> None:
    """Name, description and a strict schema: everything required, nothing else allowed."""
    assert await sent(client, emulator, Report) == {
        "name": "Report",
        "description": "A report of the day.",
        "schema": {
            "title": "Report",
            "description": "A report of the day.",
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "mood": {"$ref": "#/$defs/Mood"},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
                "kind": {"enum": ["long", "short"], "type": "string"},
                "best": {"anyOf": [{"$ref": "#/$defs/Line"}, {"type": "null"}]},
                "score": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            },
            "required": ["title", "mood", "lines", "kind", "best", "score"],
            "additionalProperties": False,
            "$defs": {
                "Line": {
                    "title": "Line",
                    "description": "One line.",
                    "type": "object",
                    "properties": {
                        "label": {"type": "string"},
                        "amounts": {
                            "type": "array",
                            "items": {"type": "array", "items": {"type": "integer"}},
                        },
                    },
                    "required": ["label", "amounts"],
                    "additionalProperties": False,
                },
                "Mood": {
                    "title": "Mood",
                    "description": "How it goes.",
                    "enum": ["bad", "good"],
                    "type": "string",
                },
            },
        },
        "strict": True,
    }


async def test_a_union_is_told_by_its_tags(emulator: Emulator, client: OpenRouter) -> None:
    """Strict mode knows no discriminator; the tag of each struct says the same."""
    described = await sent(client, emulator, Cat | Dog)
    assert described["strict"] is True
    assert described["schema"]["properties"]["value"] == {
        "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    }
    tag = described["schema"]["$defs"]["Cat"]["properties"]["type"]
    assert tag == {"enum": ["Cat"], "type": "string"}


async def test_a_root_that_is_no_object_is_wrapped(emulator: Emulator, client: OpenRouter) -> None:
    """APIs want an object at the root, so there is one, with the definitions at its root."""
    schema = (await sent(client, emulator, list[Line]))["schema"]
    assert schema["type"] == "object"
    assert schema["properties"] == {"value": {"type": "array", "items": {"$ref": "#/$defs/Line"}}}
    assert schema["required"] == ["value"]
    assert list(schema["$defs"]) == ["Line"]


@pytest.mark.parametrize(
    "kind",
    [dict, dict[str, int], Any, list, list[Any], tuple[int, str], Pair, Limits, dict[str, Line]],
    ids=str,
)
async def test_what_cannot_be_strict_is_not(
    kind: Any, emulator: Emulator, client: OpenRouter
) -> None:
    """Free names, free values and fixed positions are beyond strict mode, so it is not asked for."""
    assert (await sent(client, emulator, kind))["strict"] is False


async def test_strict_mode_can_be_left_out(emulator: Emulator, client: OpenRouter) -> None:
    """``strict=False`` sends the schema as the type has it, with its defaults."""
    described = await sent(client, emulator, Line, strict=False)
    assert described["strict"] is False
    assert described["schema"]["required"] == ["label"]
    assert described["schema"]["properties"]["amounts"]["default"] == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Line, "Line"),
        (list[Line], "list_Line"),
        (Cat | Dog, "Cat_Dog"),
        (Literal["ä b"], "Literal_b"),
        (int, "int"),
        (type("L" * 99, (msgspec.Struct,), {}), "L" * 64),
    ],
    ids=str,
)
def test_the_name_on_the_wire(kind: Any, name: str) -> None:
    """The name of the type, cut to what the API allows."""
    wanted = ResponseType(kind).asked_for({}, is_strict=True).get("response_format")
    found: str = dict(wanted)["json_schema"]["name"] if isinstance(wanted, dict) else ""
    assert found == name
    assert len(found) <= 64


def test_a_type_is_read_once() -> None:
    """The schema of a type is made once; one that cannot be remembered works too."""
    assert response_type_of(Line) is response_type_of(Line)
    odd: Any = Annotated[int, msgspec.Meta(extra_json_schema={"examples": [1]})]
    assert response_type_of(odd).read(whole('{"value": 3}')).parsed == 3


# What is refused at the call.


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Node, "refers to itself"),
        (complex, "no JSON schema"),
        (object, "no JSON schema"),
        ({"type": "object"}, "no JSON schema"),
        ("Line", "no JSON schema"),
        (5, "no JSON schema"),
        (print, "no JSON schema"),
    ],
)
def test_a_type_that_json_cannot_say(kind: Any, reason: str) -> None:
    """It is refused at the call, by the argument's name, and nothing is sent."""
    client = OpenRouter("sk-or-v1-test-key")
    with pytest.raises(TypeError, match=f"response_type: .*{reason}"):
        _ = client.complete("Hi", response_type=kind)
    with pytest.raises(TypeError, match=f"response_type: .*{reason}"):
        _ = client.complete("Hi", response_type=kind, transport="json")
    with pytest.raises(TypeError, match=f"response_type: .*{reason}"):
        _ = client.stream("Hi", response_type=kind)
    with pytest.raises(TypeError, match=f"response_type: .*{reason}"):
        _ = client.stream("Hi").parse(kind)


def test_a_format_and_a_type_are_one_too_many() -> None:
    """Who gives ``response_format`` as well has to choose."""
    client = OpenRouter("sk-or-v1-test-key")
    with pytest.raises(TypeError, match="response_type or response_format, not both"):
        _ = client.complete("Hi", response_type=int, response_format={"type": "json_object"})
    with pytest.raises(TypeError, match="response_type or response_format, not both"):
        _ = client.stream("Hi", response_type=int, response_format={"type": "json_object"})


async def test_nothing_kept_is_nothing_parsed(client: OpenRouter) -> None:
    """A stream that keeps nothing, or is looped over already, cannot be parsed."""
    with pytest.raises(RuntimeError, match="accumulate=False"):
        _ = client.stream("Hi", accumulate=False).parse(int)
    stream = client.stream("Hi")
    loop = aiter(stream)
    with pytest.raises(RuntimeError, match="looped over once"):
        aiter(stream.parse(int))
    del loop


# What an answer without a value raises. The finish reasons have a file of their own.


def whole(text: str | None, reason: str | None = "stop", **message: Any) -> ChatCompletion:
    """An answer with this text."""
    return ChatCompletion(
        id="gen-1",
        choices=[Choice(message=Message(content=text, **message), finish_reason=reason)],
        usage=Usage(cost=0.25),
    )


def refused(kind: Any, answer: ChatCompletion) -> OutputError:
    """The error of reading an answer."""
    with pytest.raises(OutputError) as caught:
        response_type_of(kind).read(answer)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (Line, '{"label": 5}', r"no Line: Expected `str`, got `int` - at `\$\.label`"),
        (Line, '{"amounts": []}', "no Line: Object missing required field `label`"),
        (Line, "Sure: {}", "no Line: JSON is malformed"),
        (Line, '{"label": "a"', "no Line: Input data was truncated"),
        (Line, '{"label": "a"} hope this helps', "no Line: JSON is malformed: trailing"),
        (Mood, '{"value": "secret"}', r"no Mood: Invalid enum value - at `\$\.value`$"),
        (Cat | Dog, '{"value": {"type": "secret"}}', r"Invalid value - at `\$\.value\.type`$"),
        (list[int], '["secret"]', r"Expected `int`, got `str` - at `\$\[0\]`"),
        (list[int], '{"values": "secret"}', "Object missing required field `value`"),
        (Model, '{"mood": "secret", "part": null}', "no Model: .*mood: Input should be"),
        (dict[str, int], '{"secret": "x"}', r"Expected `int`, got `str` - at `\$\[\.\.\.\]`"),
    ],
)
def test_a_text_that_does_not_fit(kind: Any, text: str, said: str) -> None:
    """The error tells where and what was expected, never what the model wrote."""
    error = refused(kind, whole(text))
    assert isinstance(error, ParseError)
    assert error.text == text
    with pytest.raises(ParseError, match=said):
        raise error
    assert "secret" not in str(error)
    assert "secret" not in repr(error)


def test_an_empty_answer_says_so() -> None:
    """Nothing, only reasoning and only tool calls are three messages."""
    assert "the answer is empty where a Line was asked for" in str(refused(Line, whole(None)))
    assert "the answer is empty" in str(refused(Line, whole(" \n")))
    assert "the answer is empty" in str(refused(Line, ChatCompletion()))
    assert "finish_reason None" in str(refused(Line, whole("", None)))
    error = refused(Line, whole("", reasoning='{"label": "secret"}'))
    assert "only reasoned" in str(error)
    assert "secret" not in str(error)
    assert error.completion.reasoning == '{"label": "secret"}'


async def test_tool_calls_in_place_of_a_value(emulator: Emulator, client: OpenRouter) -> None:
    """The tools that were called are named, whole ones and cut ones."""
    call = {"name": "look_up", "arguments": {"word": "secret"}}
    emulator.always(chat(tool_calls=[call, {**call, "name": "add"}]))
    with pytest.raises(
        ParseError, match=r"called tools \(look_up, add\) and gave no Line"
    ) as caught:
        await client.complete("Hi", model="m", response_type=Line)
    assert "secret" not in str(caught.value)
    assert [one.function.name for one in caught.value.completion.tool_calls] == ["look_up", "add"]
    emulator.always(chat('{"label": "a"}', tool_calls=[call]))
    answer = await client.complete("Hi", model="m", response_type=Line)
    assert (answer.parsed, len(answer.tool_calls)) == (Line("a"), 1)


async def test_a_refusal(emulator: Emulator, client: OpenRouter) -> None:
    """What the model refused is told before its text is looked at, and kept out of the message."""
    for make in (chat, completion):
        emulator.always(make({"refusal": "I cannot speak of secret things."}, "{"))
        with pytest.raises(RefusalError) as caught:
            await client.complete(
                "Hi",
                model="m",
                response_type=Line,
                transport="json" if make is completion else "stream",
            )
        assert "secret" not in str(caught.value)
        if make is chat:
            assert caught.value.refusal == "I cannot speak of secret things."
            assert caught.value.text == "{"


def test_an_error_travels() -> None:
    """It pickles with everything on it, and tells what was paid."""
    error = refused(Line, whole('{"label": "a'))
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is ParseError
    assert (str(twin), twin.text, twin.partial_value) == (
        str(error),
        '{"label": "a',
        {"label": "a"},
    )
    assert (twin.billed, twin.usage, twin.generation_id) == ("yes", Usage(cost=0.25), "gen-1")
    free = whole("x")
    free.usage = Usage(cost=0.0)
    assert refused(Line, free).billed == "no"
    free.usage = None
    assert refused(Line, free).billed == "unknown"


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(alphabet=st.sampled_from('{}[]",:`\\u0dD8eabel1 \n\ufeff'), max_size=40)
    | st.text(st.characters(), max_size=20),
    kind=st.sampled_from([Line, Model, Cat | Dog, list[int], dict, Place, Pair]),
)
def test_garbage_raises_only_our_own(text: str, kind: Any) -> None:
    """Whatever a model writes, it is a value or a `ParseError`, whose text is kept."""
    try:
        response_type_of(kind).read(whole(text))
    except ParseError as error:
        assert error.text == text
