"""What answers look like in a notebook: Markdown with their pictures and price, and players."""

from __future__ import annotations

import base64

from openrouter_async import ChatCompletion, ImageResult, Speech
from openrouter_async._structured import ParsedCompletion
from openrouter_async.types import Choice, FunctionCall, Image, Message, Timing, ToolCall, Usage
from openrouter_async.types.arrival import Arrival
from openrouter_async.types.media import ImageURL
from tests.quiet import PNG

URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def answer(message: Message, reason: str | None = "stop") -> ChatCompletion:
    """A whole answer of one choice."""
    return ChatCompletion(
        model="a/b",
        choices=[Choice(message=message, finish_reason=reason)],
        usage=Usage(prompt_tokens=3, completion_tokens=4, cost=0.00005),
        arrival=Arrival(timing=Timing(end=1.234)),
    )


def test_text_with_what_it_took() -> None:
    """Prose is shown as it is, above a line with the model, the tokens, the price and the time."""
    shown = answer(Message(content="*Hello*"))._repr_markdown_()
    assert shown == "*Hello*\n\n<small>a/b · 3 + 4 tokens · \\$0.000050 · 1.23 s</small>"


def test_an_empty_answer() -> None:
    """Nothing is shown of what there is not."""
    assert ChatCompletion()._repr_markdown_() == ""


def test_everything_at_once() -> None:
    """Thoughts are folded away; a refusal, pictures, calls and an end before its time are told."""
    call = ToolCall(id="1", function=FunctionCall(name="look", arguments='{"at": 1}'))
    message = Message(
        content="Look",
        reasoning="Hm.",
        refusal="No more.",
        images=[Image(image_url=ImageURL(url=URL)), Image(image_url=ImageURL(url='https://x/"<'))],
        tool_calls=[call],
    )
    shown = answer(message, "length")._repr_markdown_()
    folded, _, rest = shown.partition("\n\n</details>\n\n")
    assert folded == "<details><summary>Reasoning</summary>\n\nHm."
    text, refusal, images, calls, facts = rest.split("\n\n")
    assert (text, refusal) == ("Look", "No more.")
    assert images == (
        f'<img src="{URL}" width="480"/> <img src="https://x/&quot;&lt;" width="480"/>'
    )
    assert calls == '- calls `look({"at": 1})`'
    assert facts.endswith("ended by length</small>")


def test_data_is_shown_as_such() -> None:
    """A typed answer is JSON in a block of code."""
    whole = answer(Message(content="[1]"))
    fields = {name: getattr(whole, name) for name in whole.__struct_fields__}
    parsed = ParsedCompletion(parsed=[1], **fields)
    assert parsed._repr_markdown_().startswith("```json\n[1]\n```\n\n<small>")


def test_images_of_a_result() -> None:
    """The result of drawing shows its pictures."""
    message = Message(images=[Image(image_url=ImageURL(url=URL))])
    assert ImageResult(answer(message))._repr_markdown_().startswith(f'<img src="{URL}"')


def test_sound_has_a_player() -> None:
    """What a browser plays has a player, raw samples too; of another kind there are the words."""
    played = Speech(b"abc", "mp3", transcript="<Hello>")._repr_html_()
    assert played == (
        '<audio controls src="data:audio/mpeg;base64,YWJj"></audio><br/>&lt;Hello&gt;'
    )
    raw = Speech(bytes(4), "pcm16")._repr_html_()
    assert raw.startswith('<audio controls src="data:audio/wav;base64,UklGR')
    assert Speech(b"abc", "cassette", transcript="Hello")._repr_html_() == "Hello"
