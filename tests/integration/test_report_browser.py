"""A job's report in a real browser, without a network: the charts are drawn, and nothing is fetched."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from openrouter_async.batch import Row, RowError, report
from openrouter_async.batch._output import Output
from openrouter_async.types import Usage
from tests.integration.tools import need, program

need("playwright.sync_api")
CHROMIUM: Final = program("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

playwright: Any = importlib.import_module("playwright.sync_api")


def made_rows(count: int) -> list[Row]:
    """Rows as a job of some minutes leaves them: two models, a few failures, some slow answers."""
    rows: list[Row] = []
    for number in range(count):
        spread = (number * 0.6180339887498949) % 1
        at = 1.75e9 + 600 * (number / count) ** 0.8
        base: dict[str, Any] = {
            "id": f"n{number}",
            "line": number + 1,
            "request": f"{number:032x}",
            "at": at,
        }
        if number % 61 == 0:
            kinds = [("RateLimitError", "Slow down"), ("LengthError", "cut at its token limit")]
            kind, message = kinds[number % 122 // 61]
            error = RowError(kind=kind, message=message)
            rows.append(Row(**base, status="failed", error=error))
            continue
        is_large = number % 4 == 0
        usage = Usage(prompt_tokens=120, completion_tokens=180 + int(200 * spread))
        rows.append(
            Row(
                **base,
                status="ok",
                text="...",
                model="anthropic/claude-sonnet-4.5" if is_large else "openai/gpt-4o-mini",
                provider="Anthropic" if is_large else "OpenAI",
                usage=usage,
                cost=0.004 if is_large else 0.0002,
                latency=(3.0 if is_large else 1.2) * math.exp(0.45 * math.tan(2.2 * spread - 1.1)),
            )
        )
    return rows


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that is cut off from every network."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def page_of(rows: list[Row], folder: Path) -> Path:
    """Write an output and its page."""
    output = Output(folder / "reviews.jsonl", {"input": "reviews.csv", "model": None})
    output.open()
    output.write(rows)
    output.close()
    return report(output.path).save_html(folder / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_charts_are_drawn(pages: Any, tmp_path: Path, scheme: str) -> None:
    """Every chart has its shapes at their size, no request leaves, no error is said."""
    path = page_of(made_rows(3_000), tmp_path)
    context = pages.new_context(
        viewport={"width": 1100, "height": 860}, color_scheme=scheme, offline=True
    )
    asked: list[str] = []
    said: list[str] = []
    page = context.new_page()

    def note_request(request: Any) -> None:
        asked.append(request.url)

    def note_message(message: Any) -> None:
        said.append(str(getattr(message, "text", message)))

    page.on("request", note_request)
    page.on("console", note_message)
    page.on("pageerror", note_message)
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert said == []
    titles = page.locator("section h2").all_inner_texts()
    assert titles[:4] == [
        "How long answers took",
        "Results over time",
        "Cost by model",
        "Failures by reason",
    ]
    for name, shape, least in (
        ("How long answers took", "rect.bar", 15),
        ("Results over time", "polyline.curve", 1),
        ("Cost by model", "rect.bar", 2),
        ("Failures by reason", "rect.bar", 2),
    ):
        chart = page.get_by_role("img", name=name)
        box = chart.bounding_box()
        assert box["width"] > 300
        assert box["height"] > 60
        shapes = chart.locator(shape)
        assert shapes.count() >= least, name
        drawn = [shapes.nth(number).bounding_box() for number in range(shapes.count())]
        assert max(shape["height"] for shape in drawn) >= 5, name
        for shape_box in drawn:  # nothing is drawn beside its chart
            assert box["x"] - 1 <= shape_box["x"]
            assert shape_box["x"] + shape_box["width"] <= box["x"] + box["width"] + 1
        for text in chart.locator("text").all():
            place = text.bounding_box()
            assert place["x"] >= box["x"] - 2, text.inner_html()
            assert place["x"] + place["width"] <= box["x"] + box["width"] + 2, text.inner_html()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, background[4:-1].split(","))) < 128) == (scheme == "dark")
    shot = page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    assert shot.startswith(b"\x89PNG")
    assert len(shot) > 20_000
    context.close()


def test_a_narrow_window_is_not_wider_than_itself(pages: Any, tmp_path: Path) -> None:
    """On a phone nothing sticks out."""
    path = page_of(made_rows(300), tmp_path)
    page = pages.new_page(viewport={"width": 380, "height": 800})
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.screenshot(path=tmp_path / "narrow.png", full_page=True)
    page.close()


def test_little_to_tell(pages: Any, tmp_path: Path) -> None:
    """A job of which nothing has come yet has a page all the same."""
    path = page_of([], tmp_path)
    page = pages.new_page()
    page.goto(path.as_uri())
    assert "0 items" in page.locator("p.under").inner_text()
    assert page.get_by_text("No answers.").count() == 1
    page.close()
