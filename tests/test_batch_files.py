"""What a job reads: every form of a request, and every line that is none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openrouter_async import BatchError, OpenRouter
from openrouter_async.batch import Job, JobSummary, Row
from openrouter_async.testing import Emulator, chat

MODEL = "openai/gpt-4o-mini"


@pytest.fixture(autouse=True)
def quick(emulator: Emulator) -> None:
    """A model that says the same to everybody."""
    emulator.always(chat("well", " said"))


Run = Callable[..., Any]


@pytest.fixture
def run(client: OpenRouter, tmp_path: Path) -> Run:
    """Writes an input, runs a job over it, and gives what it sent and the rows."""

    async def run(name: str, content: str | bytes, **settings: Any) -> JobSummary:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        job = Job(tmp_path / name, tmp_path / "out.jsonl", concurrency=1, **settings)
        return await job.run(client)

    return run


def rows(folder: Path) -> list[Row]:
    """The rows of the output."""
    lines = (folder / "out.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Row) for line in lines]


def bodies(emulator: Emulator) -> list[dict[str, Any]]:
    """What was sent, without what is the same everywhere."""
    return [
        {name: value for name, value in request.json.items() if name != "stream"}
        for request in emulator.requests
    ]


def asked(emulator: Emulator) -> list[str]:
    """The last message of every request."""
    return [body["messages"][-1]["content"] for body in bodies(emulator)]


# Forms.


async def test_our_own_form(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """A prompt or messages, with any field of a request beside them."""
    lines = [
        {"id": "a", "prompt": "one", "temperature": 0},
        {"id": 7, "messages": [{"role": "user", "content": "two"}], "model": "other"},
        "three",
        {"prompt": "four", "extra_body": {"newer": True}},
    ]
    content = "\n".join(json.dumps(line) for line in lines)
    summary = await run("in.jsonl", content, model=MODEL, max_tokens=9)
    user = [[{"role": "user", "content": text}] for text in ("one", "two", "three", "four")]
    assert bodies(emulator) == [
        {"model": MODEL, "messages": user[0], "max_tokens": 9, "temperature": 0},
        {"model": "other", "messages": user[1], "max_tokens": 9},
        {"model": MODEL, "messages": user[2], "max_tokens": 9},
        {"model": MODEL, "messages": user[3], "max_tokens": 9, "newer": True},
    ]
    assert [row.id for row in rows(tmp_path)] == ["a", "7", "line-3", "line-4"]
    assert (summary.total, summary.done) == (4, 4)


async def test_the_form_of_batch_files(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """OpenAI's batch files go through as they are, whatever fields their bodies have."""
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_completion_tokens": 5,
        "store": False,
        "stream": False,
    }
    line = {"custom_id": "r-1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    await run("in.jsonl", json.dumps(line))
    assert bodies(emulator) == [{name: body[name] for name in body if name != "stream"}]
    assert rows(tmp_path)[0].id == "r-1"


async def test_plain_text(run: Run, emulator: Emulator) -> None:
    """Any other file is a prompt a line; blank lines are none, and a BOM is no text."""
    await run("in.txt", b"\xef\xbb\xbfone\r\n\n  \ntwo three\nfour")
    assert asked(emulator) == ["one", "two three", "four"]


async def test_columns_through_a_template(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """A row's columns fill the template, whatever they hold; `id` is the item's id."""
    content = 'id,Full Name,text\nx,Ada,"two\nlines, {braces}"\ny,Bob,""\n'
    await run("in.csv", content, template="{{{Full Name}}}: {text}", system="Be brief.")
    assert asked(emulator) == ["{Ada}: two\nlines, {braces}", "{Bob}: "]
    assert bodies(emulator)[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert [(row.id, row.line) for row in rows(tmp_path)] == [("x", 2), ("y", 4)]


async def test_a_table_with_a_prompt_column(run: Run, emulator: Emulator) -> None:
    """Without a template the column `prompt` is the prompt."""
    await run("in.tsv", "note\tprompt\nn\tone\nn\ttwo\n")
    assert asked(emulator) == ["one", "two"]


async def test_a_template_over_json_and_text(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """The keys of an object are columns too, and a plain line is `text`."""
    content = '{"id": "a", "text": "x", "stars": 3}\n{"id": "b", "text": null, "stars": 4}\n"y"\n'
    summary = await run("in.jsonl", content, template="{text}!")
    assert asked(emulator) == ["x!", "!", "y!"]
    assert summary.done == 3


async def test_a_system_message_of_its_own_stays(run: Run, emulator: Emulator) -> None:
    """The job's system message is for items that bring none."""
    messages = [{"role": "system", "content": "own"}, {"role": "user", "content": "Hi"}]
    await run("in.jsonl", json.dumps({"messages": messages}), system="common")
    assert bodies(emulator)[0]["messages"] == messages


async def test_parquet(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """The rows of a Parquet file are those of a table."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"id": [1, 2], "text": ["a", None], "stars": [4.5, 3.0]})
    parquet.write_table(table, tmp_path / "source.parquet")
    content = (tmp_path / "source.parquet").read_bytes()
    summary = await run("in.parquet", content, template="{text} {stars}")
    assert asked(emulator) == ["a 4.5", " 3.0"]
    assert [row.id for row in rows(tmp_path)] == ["1", "2"]
    assert summary.total == 2


async def test_ids_that_are_numbers(run: Run, tmp_path: Path) -> None:
    """A table makes fractions of whole numbers where one is missing; they are ids all the same."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"id": [1.0, 2.5, None, float("nan")], "prompt": ["a", "b", "c", "d"]})
    parquet.write_table(table, tmp_path / "source.parquet")
    await run("in.parquet", (tmp_path / "source.parquet").read_bytes())
    assert sorted(row.id for row in rows(tmp_path)) == ["1", "2.5", "line-3", "line-4"]


async def test_a_parquet_file_that_is_none(run: Run) -> None:
    """Whether or not it can be read here, the error says what is the matter."""
    with pytest.raises(BatchError, match=r"pyarrow|cannot read"):
        await run("in.parquet", b"PAR1 not", template="{text}")


# Lines that are no requests.

BAD_LINES = [
    ("not json", "it is no JSON"),
    ('{"prompt": "x"', "it is no JSON"),
    ("[1, 2]", "must be an object or a string, got list"),
    ("7", "must be an object or a string, got int"),
    ('{"id": "a"}', "either 'prompt' or 'messages'"),
    ('{"prompt": "x", "messages": []}', "either 'prompt' or 'messages'"),
    ('{"prompt": ""}', "its prompt is empty"),
    ('{"prompt": 7}', "got int"),
    ('{"prompt": "x", "temprature": 1}', "'temprature' is no field"),
    ('{"prompt": "x", "budget": 100}', "'budget' is no field"),
    ('{"id": true, "prompt": "x"}', "its id must be a str or a number, got bool"),
    ('{"custom_id": ["a"], "prompt": "x"}', "its custom_id must be a str or a number, got list"),
    ('{"body": 7}', "its body must be an object"),
    ('{"url": "/v1/embeddings", "body": {}}', "chat completions only"),
    ('{"body": {"messages": null}}', "got NoneType"),
]


@pytest.mark.parametrize(("line", "said"), BAD_LINES)
async def test_a_bad_line_fails_alone(
    run: Run, emulator: Emulator, tmp_path: Path, line: str, said: str
) -> None:
    """It is named with file and number, nothing is sent for it, and the rest goes on."""
    summary = await run("in.jsonl", f'"before"\n{line}\n"after"\n')
    assert asked(emulator) == ["before", "after"]
    assert (summary.done, summary.failed, summary.failures) == (2, 1, {"BadLine": 1})
    error = rows(tmp_path)[1].error
    assert error is not None
    assert error.message.startswith("line 2 of in.jsonl: ")
    assert said in error.message


async def test_a_request_that_the_client_refuses_fails_alone(
    run: Run, emulator: Emulator, tmp_path: Path
) -> None:
    """A value of the wrong type is found when the item's turn comes, and is its own failure."""
    await run("in.jsonl", '{"prompt": "x", "temperature": "hot"}\n{"messages": [7]}\n"fine"\n')
    errors = [row.error for row in rows(tmp_path)]
    assert [error.kind if error else None for error in errors] == ["TypeError", "TypeError", None]
    assert asked(emulator) == ["fine"]


async def test_bytes_that_are_no_text(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """A line that is not UTF-8 fails alone, in every kind of file."""
    for name in ("in.txt", "in.jsonl", "in.csv"):
        head = b"prompt\n" if name == "in.csv" else b""
        quote = b'"' if name == "in.jsonl" else b""
        lines = [quote + text + quote for text in (b"one", b"tw\xff", b"three")]
        summary = await run(name, head + b"\n".join(lines))
        assert (summary.done, summary.failed) == (2, 1), name
        for path in tmp_path.glob("out.jsonl*"):
            path.unlink()
    assert asked(emulator) == ["one", "three"] * 3


async def test_an_id_that_comes_twice(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """The first counts; the second is named, with both lines, and every row has its own id."""
    ids = ["a", "b", "a", "line-3", "a"]
    await run("in.jsonl", "\n".join(json.dumps({"id": id, "prompt": id}) for id in ids))
    assert asked(emulator) == ["a", "b"]
    found = rows(tmp_path)
    assert len({row.id for row in found}) == 5
    assert [row.error.message if row.error else None for row in found] == [
        None,
        None,
        "line 3 of in.jsonl: the id 'a' stands in line 1 already",
        "line 4 of in.jsonl: the id 'line-3' stands in line 3 already",
        "line 5 of in.jsonl: the id 'a' stands in line 1 already",
    ]


async def test_rows_that_do_not_fit_their_header(run: Run, tmp_path: Path) -> None:
    """Too few or too many fields, and quotes in the wrong place, are told by the line."""
    content = 'a,b\n1,2\n3\n"x\ny",z,w\n"bad"quote,1\n4,5\n'
    summary = await run("in.csv", content, template="{a}{b}")
    said = [row.error.message for row in rows(tmp_path) if row.error is not None]
    assert said[0] == "line 3 of in.csv: it has 1 fields, and the header names 2"
    assert said[1] == "line 4 of in.csv: it has 3 fields, and the header names 2"
    assert said[2].startswith("line 6 of in.csv: it is no CSV: ")
    assert summary.done == 2


async def test_a_large_field(run: Run, emulator: Emulator) -> None:
    """A text of more than 131,072 characters is an ordinary field."""
    await run("in.csv", f"text\n{'x' * 200_000}\n", template="{text}")
    assert len(asked(emulator)[0]) == 200_000
    assert csv.field_size_limit() >= 200_000


async def test_a_key_that_one_object_lacks(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """Objects need not be alike: the one without the key fails, and its keys are named."""
    await run("in.jsonl", '{"text": "x"}\n{"txt": "y"}\n', template="{text}")
    error = rows(tmp_path)[1].error
    assert error is not None
    assert "line 2 of in.jsonl: it has no 'text', which the template names; it has 'txt'" in str(
        error.message
    )
    assert asked(emulator) == ["x"]


# What stops a job before it begins.


@pytest.mark.parametrize(
    ("name", "content", "settings", "said"),
    [
        ("in.csv", "a,b\n1,2\n", {"template": "{c}"}, "line 1 of .*in.csv names no column 'c'"),
        ("in.csv", "a,b\n1,2\n", {}, "names no column 'prompt'.*it names 'a', 'b'"),
        ("in.csv", "", {"template": "{c}"}, "is empty; its first line must name the columns"),
    ],
)
async def test_a_table_that_lacks_a_column(
    run: Run, emulator: Emulator, name: str, content: str, settings: Any, said: str
) -> None:
    """That concerns every row, so nothing is sent."""
    with pytest.raises(BatchError, match=said):
        await run(name, content, **settings)
    assert emulator.accepted == 0


async def test_an_input_that_is_not_there(client: OpenRouter, tmp_path: Path) -> None:
    """It is named, and no output is made."""
    with pytest.raises(BatchError, match=r"cannot read .*no\.jsonl: No such file"):
        await Job(tmp_path / "no.jsonl", tmp_path / "out.jsonl").run(client)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"template": "{"}, ValueError, "template"),
        ({"template": "{}"}, ValueError, "braces hold the name of a column"),
        ({"template": "{a!r}"}, ValueError, "braces hold the name of a column"),
        ({"template": 7}, TypeError, "template must be a str"),
        ({"model": 7}, TypeError, "model must be a str"),
        ({"concurrency": 0}, ValueError, "concurrency must be"),
        ({"budget": -1}, ValueError, "budget must be greater than 0"),
        ({"budget": "5"}, TypeError, "budget must be a number"),
        ({"temperature": "hot"}, TypeError, "temperature"),
        ({"temprature": 1}, TypeError, "temperature"),
        ({"response_type": object()}, TypeError, "response_type"),
        ({"output": "in.jsonl"}, ValueError, "another file than input"),
    ],
)
def test_wrong_settings_raise_at_once(
    settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    """A job that could send nothing is refused where it is made."""
    given: dict[str, Any] = {"output": "out.jsonl", **settings}
    with pytest.raises(error, match=said):
        Job("in.jsonl", **given)
