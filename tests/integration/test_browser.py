"""The chat app of the examples, run as a user runs it and read by a real Chromium."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from openrouter_async.testing import (
    Emulator,
    Hold,
    Reply,
    Send,
    chat,
    error_chunk,
    http_error,
    make_pdf,
)
from tests.chat_app import running
from tests.integration.tools import need, program
from tests.serving import LEAVES_WITHIN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

need("playwright.sync_api", "fastapi", "uvicorn", "pypdf")
CHROMIUM: Final = program("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
JSON: Final = (("content-type", "application/json"),)
FIVE: Final = ("one ", "two ", "three ", "four ", "five ")
PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """The API that the app talks to."""
    with Emulator.in_thread() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def address(emulator: Emulator) -> Iterator[str]:
    """The app's address."""
    with running(emulator.base_url) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str, emulator: Emulator) -> Iterator[Page]:
    """The page, which must not complain and must load nothing from elsewhere."""
    emulator.always(None)
    with opened(browser, address) as page:
        yield page


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Generator[Page]:
    """Open the page in a context of its own."""
    complaints: list[str] = []
    context = browser.new_context(**options)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on(
        "request",
        lambda asked: complaints.append(asked.url) if _is_foreign(asked.url, address) else None,
    )
    page.goto(address)
    page.locator("#model option").first.wait_for(state="attached")
    yield page
    context.close()
    # A refusal is told by the page in words, and by the browser's console in its own.
    assert [said for said in complaints if "Failed to load resource" not in said] == []


def _is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


def until(page: Page, expression: str) -> None:
    """Wait until an expression holds; Playwright's own way is refused by the page's policy."""
    deadline = monotonic() + 30
    while not page.evaluate(expression):
        assert monotonic() < deadline, expression
        page.wait_for_timeout(20)


def ask(page: Page, text: str, model: str = "openai/gpt-4o-mini") -> None:
    """Write a message and send it."""
    page.get_by_label("Model").select_option(model)
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def said(page: Page) -> str:
    """The text of the last answer."""
    return page.locator("article.assistant").last.locator(".text").inner_text()


def wait_for_text(page: Page, text: str) -> None:
    """Wait until the last answer holds a text."""
    page.locator("article.assistant").last.get_by_text(text).wait_for()


def is_done(page: Page) -> None:
    """Wait until the answer is over."""
    page.get_by_role("button", name="Send").wait_for()


def held(*words: str, **options: Any) -> Reply:
    """An answer whose words each wait for a gate behind them."""
    reply = chat(*words, **options)
    for number in range(1, len(words)):
        reply = reply.after(number, Hold())
    return reply


def time_to_leave(emulator: Emulator, begin: Callable[[], Callable[[], object]]) -> float:
    """Do as `tests.serving.time_to_leave` does, without a loop."""
    best = inf
    for _ in range(6):
        leave = begin()
        before = emulator.disconnects
        begun = monotonic()
        leave()
        emulator.block_until(lambda: emulator.disconnects > before, timeout=30)  # noqa: B023
        best = min(best, monotonic() - begun)
        if best < LEAVES_WITHIN:
            break
    return best


def test_text_appears_word_by_word(page: Page, emulator: Emulator) -> None:
    """Each word is on the page before the next has left the API, and the cost comes last."""
    emulator.play(held(*FIVE, cost=0.000123))
    ask(page, "Count")
    for number, word in enumerate(FIVE[:-1], 1):
        wait_for_text(page, word.strip())
        assert said(page).strip() == "".join(FIVE[:number]).strip()
        assert page.get_by_role("button", name="Stop").is_visible()
        emulator.release()
    wait_for_text(page, "five")
    is_done(page)
    assert "$0.00012" in page.locator(".figures").inner_text()
    assert "tokens" in page.locator(".figures").inner_text()


def test_reasoning_is_folded_away(page: Page, emulator: Emulator) -> None:
    """Thoughts have a place of their own that opens on demand, and the question asks for them."""
    page.get_by_label("Think first").check()
    emulator.play(chat("Blue.", reasoning=("Light ", "scatters.")))
    ask(page, "Why?")
    wait_for_text(page, "Blue.")
    is_done(page)
    thoughts = page.locator("details.thoughts")
    assert not thoughts.locator("div").is_visible()
    thoughts.locator("summary").click()
    assert thoughts.locator("div").inner_text() == "Light scatters."
    assert msgspec.json.decode(emulator.requests[-1].body)["reasoning"] == {"effort": "low"}


def test_an_image_appears_while_the_answer_goes_on(page: Page, emulator: Emulator) -> None:
    """A picture is shown when it comes, not when everything has come."""
    emulator.play(chat("Here: ", images=[PIXEL]).hold_after(2))
    ask(page, "Draw a fox", "google/gemini-2.5-flash-image")
    until(page, "document.querySelector('figure img')?.naturalWidth > 0")
    assert page.get_by_role("button", name="Stop").is_visible()
    emulator.release()
    is_done(page)
    assert "image" in msgspec.json.decode(emulator.requests[-1].body)["modalities"]


def test_a_pdf_dropped_on_the_page_is_asked(page: Page, emulator: Emulator) -> None:
    """A dropped document is shown, sent along, and answered from."""
    data = base64.b64encode(make_pdf("The contract was signed by Jane Miller in Bergen.")).decode()
    page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "contract.pdf", {type: "application/pdf"}));
            for (const name of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true}));
        }""",
        data,
    )
    page.locator("#files").get_by_text("contract.pdf").wait_for()
    ask(page, "Who signed the contract?")
    wait_for_text(page, "Jane Miller")
    is_done(page)
    assert page.locator("article.user").get_by_text("contract.pdf").is_visible()


def test_stop_ends_the_upstream(page: Page, emulator: Emulator) -> None:
    """The button closes the request at the API within half a second; what came stays."""
    emulator.always(chat(*FIVE).stall_after(3))

    def begin() -> Callable[[], object]:
        ask(page, "Count")
        wait_for_text(page, "three")
        return lambda: page.evaluate("document.getElementById('stop').click()")

    assert time_to_leave(emulator, begin) < LEAVES_WITHIN
    is_done(page)
    assert said(page).strip() == "one two three"
    assert "Stopped" in page.locator("article.assistant").last.locator(".figures").inner_text()


def test_a_stopped_answer_tells_its_cost(page: Page, emulator: Emulator) -> None:
    """What a stopped answer has cost is asked for afterwards."""
    reply = chat(*FIVE).stall_after(3)
    emulator.play(reply)
    record = {"data": {"id": "gen-1", "total_cost": 0.0042, "usage": 0.0042}}
    told = Reply(steps=(Send(msgspec.json.encode(record)),), headers=JSON)
    emulator.always(told, path="/generation")
    ask(page, "Count")
    wait_for_text(page, "three")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped · $0.0042").wait_for()
    emulator.always(None, path="/generation")


def test_closing_the_tab_ends_the_upstream(
    browser: Browser, address: str, emulator: Emulator
) -> None:
    """So does closing the page, without a word of its script."""
    emulator.always(chat(*FIVE).stall_after(3))
    context = browser.new_context()

    def begin() -> Callable[[], object]:
        page = context.new_page()
        page.goto(address)
        page.locator("#model option").first.wait_for(state="attached")
        ask(page, "Count")
        wait_for_text(page, "three")
        return page.close

    assert time_to_leave(emulator, begin) < LEAVES_WITHIN
    context.close()


def test_a_refusal_shows_as_words(page: Page, emulator: Emulator) -> None:
    """An upstream 429 is told in the API's own sentence, and can be tried again."""
    model = "google/gemini-2.5-flash"  # a refusal holds back what asks for the same model
    emulator.always(http_error(429, "Slow down, please"))
    ask(page, "Hi", model)
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "Slow down, please" in alert.inner_text()
    assert "429" not in alert.inner_text()
    emulator.always(chat("Here I am."))
    page.get_by_role("button", name="Try again").click()
    wait_for_text(page, "Here I am.")
    is_done(page)
    assert page.get_by_role("alert").count() == 0


@pytest.mark.parametrize("how", ["an error event", "a broken connection"])
def test_a_failure_after_five_tokens_keeps_the_five(
    page: Page, emulator: Emulator, how: str
) -> None:
    """What was read stays readable, and below it stands what went wrong."""
    whole = chat(*FIVE, "six")
    broken = whole.reset_after(5)
    failed = whole.error_after(5, error_chunk(502, "The provider fell over"))
    emulator.play(broken if how == "a broken connection" else failed)
    ask(page, "Count")
    alert = page.get_by_role("alert")
    alert.wait_for()
    words = "broke off" if how == "a broken connection" else "The provider fell over"
    assert words in alert.inner_text()
    is_done(page)
    # The text first, the failure below it.
    shown = page.locator("article.assistant").inner_text()
    assert shown.removeprefix("Answer:").strip().startswith("".join(FIVE).strip())


def test_what_a_model_writes_is_never_markup(page: Page, emulator: Emulator) -> None:
    """Tags are text, a link leads to http(s) or nowhere, and Markdown is laid out."""
    written = (
        "# Head\n\n<img src=x onerror=alert(1)> **bold** `code` [bad](javascript:alert(1)) "
        "[good](https://example.com)\n\n- a\n- b\n\n```js\n<script>alert(1)</script>\n```\n\n"
        "| x | y |\n|---|---|\n| 1 | 2 |"
    )
    emulator.play(chat(written))
    ask(page, "Write")
    wait_for_text(page, "Head")
    is_done(page)
    answer = page.locator("article.assistant .text")
    assert answer.locator("img, script").count() == 0
    assert "<img src=x onerror=alert(1)>" in answer.inner_text()
    links = answer.locator("a")
    assert links.evaluate_all("all => all.map(one => one.href)") == ["https://example.com/"]
    counts = {name: answer.locator(name).count() for name in ("h3", "strong", "li", "pre", "td")}
    assert counts == {"h3": 1, "strong": 1, "li": 2, "pre": 1, "td": 2}


@pytest.mark.parametrize(
    "endless",
    [
        ">" * 50_000,
        "- " * 25_000 + "a",
        "1. " * 15_000 + "a",
        "[" * 50_000,
        "a|b\n" + " " * 50_000 + "x",
        "".join("`" * length + "a" for length in range(300)),
    ],
    ids=["quotes", "lists", "numbers", "links", "table", "code"],
)
def test_no_answer_stops_the_page(page: Page, emulator: Emulator, endless: str) -> None:
    """What is nested or opened endlessly is shown as text, and the page goes on."""
    emulator.play(chat(f"{endless}\n\nthe end"), chat("Still here."))
    ask(page, "Write")
    wait_for_text(page, "the end")
    is_done(page)
    ask(page, "And now?")
    wait_for_text(page, "Still here.")
    is_done(page)


def test_a_selection_outlives_the_words_that_follow(page: Page, emulator: Emulator) -> None:
    """Whoever marks a paragraph while the answer grows keeps it marked."""
    emulator.play(held("First paragraph.\n\n", "Second ", "one."))
    ask(page, "Write")
    wait_for_text(page, "First paragraph.")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('article.assistant p'))")
    emulator.release()
    wait_for_text(page, "Second")
    assert page.evaluate("getSelection().toString()") == "First paragraph."
    emulator.release()
    wait_for_text(page, "one.")
    is_done(page)
    assert said(page) == "First paragraph.\n\nSecond one."


def test_who_is_busy_elsewhere_keeps_the_focus(page: Page, emulator: Emulator) -> None:
    """The end of an answer does not tear a keyboard away from what it is about to do."""
    emulator.play(chat("Blue.", reasoning=("Light ", "scatters.")).hold_after(2))
    ask(page, "Why?")
    thoughts = page.locator("details.thoughts summary")
    thoughts.focus()
    emulator.release()
    wait_for_text(page, "Blue.")
    is_done(page)
    assert thoughts.evaluate("one => one === document.activeElement")


def test_a_proxys_page_is_not_shown_as_words(page: Page) -> None:
    """What stands between may answer with HTML, of which the status alone says something."""
    html = "<html><h1>Bad Gateway</h1></html>"
    page.route("**/chat", lambda it: it.fulfill(status=502, content_type="text/html", body=html))
    ask(page, "Hi")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "The server answered 502." in alert.inner_text()


def test_a_new_chat_amid_an_answer_begins_anew(page: Page, emulator: Emulator) -> None:
    """What was being said in the old one is not told in the new one."""
    emulator.play(chat(*FIVE).stall_after(3), chat("Fresh."))
    ask(page, "Count")
    wait_for_text(page, "three")
    page.get_by_role("button", name="New chat").click()
    is_done(page)
    ask(page, "Hello")
    wait_for_text(page, "Fresh.")
    is_done(page)
    asked = [one for one in emulator.requests if one.body]  # others ask what the stop has cost
    messages = msgspec.json.decode(asked[-1].body)["messages"]
    assert messages == [{"role": "user", "content": "Hello"}]


def test_what_failed_is_tried_again_only_while_it_is_the_last(
    page: Page, emulator: Emulator
) -> None:
    """Once the conversation has gone on, trying again would take a later answer away."""
    model = "anthropic/claude-sonnet-4.5"
    emulator.play(http_error(400, "Not so"), chat("Second."))
    ask(page, "First?", model)
    page.get_by_role("button", name="Try again").wait_for()
    ask(page, "Second?", model)
    wait_for_text(page, "Second.")
    is_done(page)
    assert page.get_by_role("button", name="Try again").count() == 0
    assert "Not so" in page.get_by_role("alert").inner_text()


def test_a_second_question_sends_the_first(page: Page, emulator: Emulator) -> None:
    """The model is told what was said before."""
    emulator.play(chat("First."), chat("Second."))
    for number, answer in enumerate(("First.", "Second.")):
        ask(page, f"Question {number}")
        wait_for_text(page, answer)
        is_done(page)
    messages = msgspec.json.decode(emulator.requests[-1].body)["messages"]
    assert [message["content"] for message in messages] == ["Question 0", "First.", "Question 1"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_dark_and_light(browser: Browser, address: str, scheme: Any) -> None:
    """The page follows the system, until its own switch says otherwise, and remembers that."""
    brightness = "() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)"
    with opened(browser, address, color_scheme=scheme) as page:
        assert (page.evaluate(brightness) < 380) == (scheme == "dark")
        page.get_by_role("button", name="Switch between dark and light").click()
        assert (page.evaluate(brightness) < 380) == (scheme == "light")
        page.reload()
        until(page, f"({brightness})() {'<' if scheme == 'light' else '>'} 380")


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_nothing_sticks_out(browser: Browser, address: str, emulator: Emulator, width: int) -> None:
    """On a narrow phone too, all stands within the page, whatever was asked and answered."""
    wide = "word" * 100 + "\n\n```\n" + "x" * 400 + "\n```\n\n|" + "wide|" * 30 + "\n|" + "-|" * 30
    outside = """() => [...document.querySelectorAll('header *, #ideas button, article, form *')]
        .filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML)"""
    with opened(browser, address, viewport={"width": width, "height": 640}) as page:
        assert page.evaluate(outside) == []
        emulator.play(chat(wide))
        ask(page, "x" * 300)
        wait_for_text(page, "wordword")
        is_done(page)
        assert page.evaluate(outside) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_everything_has_a_name_and_works_with_the_keyboard(page: Page, emulator: Emulator) -> None:
    """Each control says what it is; Enter sends, Escape stops, and the text boxes keep the focus."""
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input:not([hidden]), select, textarea')].filter(
            one => !(one.innerText || one.ariaLabel || one.labels?.length)).map(one => one.outerHTML)"""
    )
    assert unnamed == []
    emulator.play(chat(*FIVE).stall_after(3))
    box = page.get_by_label("Message")
    box.fill("first line")
    box.press("Shift+Enter")
    box.type("second line")
    box.press("Enter")
    wait_for_text(page, "three")
    assert page.locator("article.user .text").inner_text() == "first line\nsecond line"
    assert page.get_by_role("log").is_visible()
    page.keyboard.press("Escape")
    is_done(page)
    until(page, "document.activeElement.id === 'prompt'")


def test_without_a_key_it_runs_on_the_emulator(browser: Browser) -> None:
    """One command is enough to try it: nothing is asked of OpenRouter, and the page says so."""
    with running(None) as address, opened(browser, address) as page:
        assert page.get_by_text("Emulator:").is_visible()
        page.get_by_role("button", name="Why is the sky blue?").click()
        page.locator("article.assistant .text").wait_for()
        is_done(page)
        assert len(said(page)) > 20
