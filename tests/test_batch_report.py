"""What a report says of an output: its numbers, its table, its page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from openrouter_async import BatchError, OpenRouter
from openrouter_async.batch import Job, Row, RowError, report
from openrouter_async.batch._row import encode
from openrouter_async.testing import Emulator, chat
from openrouter_async.types import Usage

EVIL = "<script>alert('no')</script> & \"more\""


def answer(number: int, seconds: float, model: str = "a/b", provider: str = "P") -> Row:
    """A row with an answer."""
    return Row(
        id=f"n{number}",
        line=number,
        request=str(number),
        status="ok",
        text="secret text",
        model=model,
        provider=provider,
        usage=Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        cost=0.01,
        seconds=seconds,
        at=1_000.0 + number,
    )


def failure(number: int, kind: str, message: str) -> Row:
    """A row with a failure."""
    return Row(
        id=f"n{number}",
        line=number,
        request=str(number),
        status="unpaid" if kind == "BudgetExceededError" else "failed",
        error=RowError(kind=kind, message=message),
        seconds=0.1,
        at=1_000.0 + number,
    )


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output of a hundred answers, five failures and two that were not paid for."""
    rows = [answer(number, number / 100) for number in range(1, 91)]
    rows += [answer(number, 2.0, EVIL, "Q") for number in range(91, 101)]
    rows += [failure(number, "RateLimitError", "slow down") for number in range(101, 105)]
    rows += [failure(105, "BadLine", EVIL)]
    rows += [failure(number, "BudgetExceededError", "too dear") for number in (106, 107)]
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"".join(map(encode, rows)))
    return path


def test_the_numbers(output: Path) -> None:
    """Counts, money, tokens, percentiles, and who did what."""
    numbers = report(output)
    assert (numbers.done, numbers.failed, numbers.unpaid, numbers.total) == (100, 5, 2, 107)
    assert numbers.cost == pytest.approx(1.0)
    assert (numbers.prompt_tokens, numbers.completion_tokens) == (1_000, 500)
    assert numbers.percentile(0) == 0.01
    assert numbers.percentile(50) == pytest.approx(0.505)
    assert numbers.percentile(100) == 2.0
    assert numbers.seconds == 106
    assert [(share.model, share.provider, share.count) for share in numbers.shares] == [
        ("a/b", "P", 90),
        (EVIL, "Q", 10),
    ]
    assert [(f.kind, f.count, f.line) for f in numbers.failures] == [
        ("RateLimitError", 4, 101),
        ("BudgetExceededError", 2, 106),
        ("BadLine", 1, 105),
    ]


def test_the_table(output: Path) -> None:
    """It is plain text for a terminal, without an answer's text."""
    text = str(report(output))
    for word in ("107 items", "$1.000000", "p99", "a/b", "RateLimitError", "slow down"):
        assert word in text
    assert "secret" not in text
    assert repr(report(output)).endswith("done=100, failed=5, cost=1)")


class Reader(HTMLParser):
    """Reads a page strictly: every tag that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "link"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "xlink:href"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-labelledby":
                self.named += (value or "").split()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page(output: Path, tmp_path: Path) -> None:
    """Whole HTML with four charts, which fetches nothing and runs nothing."""
    path = report(output).save_html(tmp_path / "report.html")
    text = path.read_text("utf-8")
    page = Reader()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.seen.count("svg") == 4
    assert page.seen.count("table") == 2
    assert "script" not in page.seen
    assert page.addresses == []
    assert not re.search(r"https?://|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert "secret" not in text


def test_the_charts_can_be_read_out(output: Path) -> None:
    """Each has a title and says its numbers in words, under ids of their own."""
    page = Reader()
    text = report(output).html()
    page.feed(text)
    assert len(page.ids) == len(set(page.ids)) == 8
    assert page.named == page.ids
    said = re.findall(r"<desc[^>]*>(.*?)</desc>", text)
    assert said[0].startswith("100 answers: 50 of 100 within 505 ms")
    assert said[1] == "107 results in 106 s, 1.0 a second."
    assert "RateLimitError: 4" in said[3]


def test_what_rows_say_is_escaped(output: Path) -> None:
    """A model's name and an error's sentence cannot become markup."""
    text = report(output).html()
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("rows", [[], [answer(1, 0.0)], [failure(1, "BadLine", "x")]])
def test_little_to_tell(tmp_path: Path, rows: list[Row]) -> None:
    """No rows, one answer, only failures: there is a report all the same."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"".join(map(encode, rows)))
    numbers = report(path)
    assert str(numbers)
    assert "</html>" in numbers.html()


def test_a_file_that_is_no_output(tmp_path: Path) -> None:
    """It is named, with the line."""
    with pytest.raises(BatchError, match=r"cannot read .*none\.jsonl: No such file"):
        report(tmp_path / "none.jsonl")
    other = tmp_path / "other.jsonl"
    other.write_text("{}\n")
    with pytest.raises(BatchError, match=r"line 1 of .*other\.jsonl is no result of a job"):
        report(other)


async def test_a_report_while_the_job_runs(
    client: OpenRouter, emulator: Emulator, tmp_path: Path
) -> None:
    """A line that is just being written is left out, and a row that was replaced does not count."""
    source, output = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("a\nb\nc\n")
    emulator.always(chat("x"))
    await Job(source, output).run(client)
    with output.open("ab") as file:
        file.write(output.read_bytes().splitlines()[0] + b'\n{"id": "hal')
    assert report(output).done == 3
