"""The Vercel AI SDK's protocol, both ways: the stream that its pages read, the messages they send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from openrouter_async import OpenRouter, tool
from openrouter_async._sse import encode_event
from openrouter_async.integrations.asgi import Source, relay, ui_messages
from openrouter_async.testing import Emulator, Reply, Send, chat
from tests.quiet import PNG
from tests.serving import answering, get

DONE = b"data: [DONE]\n\n"


async def told(source: Source) -> list[dict[str, Any]]:
    """The parts of the message that a page is told."""
    async with answering(lambda: relay(source, protocol="ai-sdk")) as port:
        answer = await get(port)
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    return parts_of(answer.body)


def parts_of(body: bytes) -> list[dict[str, Any]]:
    """The parts of a UI message stream, which ends with its terminator."""
    assert body.endswith(DONE)
    return [
        msgspec.json.decode(event.removeprefix(b"data: "))
        for event in body.removesuffix(DONE).split(b"\n\n")
        if event.startswith(b"data: ")
    ]


def kinds_of(parts: list[dict[str, Any]]) -> list[str]:
    """Their types, each run of one once."""
    kinds = [part["type"] for part in parts]
    return [kind for index, kind in enumerate(kinds) if index == 0 or kinds[index - 1] != kind]


async def test_a_message_of_the_ai_sdk(client: OpenRouter, emulator: Emulator) -> None:
    """Reasoning, text, an image and a source become parts, and the last one tells the cost."""
    note = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    emulator.play(
        chat(
            "Hello ",
            "there",
            reasoning=("Let me ", "think"),
            images=[PNG],
            annotations=[note, note],
            cost=0.25,
        )
    )
    parts = await told(client.stream("Hi", model="m"))
    assert [kind for kind in kinds_of(parts) if kind != "source-url"] == [
        "start",
        "start-step",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "file",
        "text-end",
        "finish-step",
        "finish",
    ]
    said = dict.fromkeys(("reasoning-delta", "text-delta"), "")
    for part in parts:
        if part["type"] in said:
            said[part["type"]] += part["delta"]
    assert list(said.values()) == ["Let me think", "Hello there"]
    (file,) = [part for part in parts if part["type"] == "file"]
    assert file["mediaType"] == "image/png"
    assert file["url"].startswith("data:image/png;base64,")
    (source,) = [part for part in parts if part["type"] == "source-url"]
    assert (source["url"], source["title"]) == ("https://a.example", "A")
    assert parts[-1]["finishReason"] == "stop"
    assert parts[-1]["messageMetadata"]["cost"] == 0.25


async def test_calls_that_the_page_runs(client: OpenRouter, emulator: Emulator) -> None:
    """A tool call's arguments come in pieces and then as a whole; broken ones are an error."""
    calls = [
        {"id": "c1", "name": "f", "arguments": '{"x": [1, 2]}'},
        {"id": "c2", "name": "g", "arguments": "no json"},
    ]
    emulator.play(chat("", tool_calls=calls))
    parts = await told(client.stream("Hi", model="m"))
    pieces = [part for part in parts if part["type"] == "tool-input-delta"]
    assert "".join(p["inputTextDelta"] for p in pieces if p["toolCallId"] == "c1") == (
        '{"x": [1, 2]}'
    )
    (whole,) = [part for part in parts if part["type"] == "tool-input-available"]
    assert (whole["toolCallId"], whole["toolName"], whole["input"]) == ("c1", "f", {"x": [1, 2]})
    (broken,) = [part for part in parts if part["type"] == "tool-input-error"]
    assert (broken["toolCallId"], broken["input"]) == ("c2", "no json")
    assert parts[-1]["finishReason"] == "tool-calls"


async def test_a_tool_run_is_one_message(client: OpenRouter, emulator: Emulator) -> None:
    """Every turn is a step, each call has its input and its output, and failures are told."""

    async def weather(city: str) -> dict[str, Any]:
        """Tell the weather."""
        if city == "Nowhere":
            raise LookupError("no such place")
        return {"city": city, "degrees": 21}

    def call(id: str, city: str) -> dict[str, Any]:
        return {"id": id, "name": "weather", "arguments": {"city": city}}

    emulator.play(
        chat("Looking. ", tool_calls=[call("a", "Oslo"), call("b", "Nowhere")]), chat("Mild.")
    )
    parts = await told(client.run_tools("Hi", tools=[weather], model="m"))
    assert [part["type"] for part in parts].count("start-step") == 2
    assert [part["type"] for part in parts].count("finish-step") == 2
    (output,) = [part for part in parts if part["type"] == "tool-output-available"]
    assert (output["toolCallId"], output["output"]) == ("a", {"city": "Oslo", "degrees": 21})
    (failed,) = [part for part in parts if part["type"] == "tool-output-error"]
    assert failed["toolCallId"] == "b"
    assert parts[-1]["messageMetadata"]["cost"] == pytest.approx(2 * 0.00015)


async def test_ids_that_each_turn_begins_anew(client: OpenRouter, emulator: Emulator) -> None:
    """A page takes one id for one call, so a later turn's call does not bear an earlier one's."""

    def same(number: int) -> int:
        """Give the number back."""
        return number

    def asked(number: int) -> Reply:
        call = {"id": "call_0", "name": "same", "arguments": {"number": number}}
        return chat("", tool_calls=[call])

    before: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_0",
                    "type": "function",
                    "function": {"name": "same", "arguments": '{"number":7}'},
                }
            ],
        },
    ]
    emulator.play(asked(8), asked(9), chat("Done."))
    parts = await told(client.run_tools(before, tools=[same], model="m"))
    outputs = {p["toolCallId"]: p["output"] for p in parts if p["type"] == "tool-output-available"}
    inputs = {p["toolCallId"]: p["input"] for p in parts if p["type"] == "tool-input-available"}
    assert list(outputs.values()) == [7, 8, 9]
    assert outputs["call_0"] == 7
    assert {id: given["number"] for id, given in inputs.items()} == {
        id: output for id, output in outputs.items() if id != "call_0"
    }
    starts = [part["toolCallId"] for part in parts if part["type"] == "tool-input-start"]
    assert starts == list(inputs)


@dataclass
class Forecast:
    """A result that is no plain data."""

    degrees: int


async def test_results_of_every_kind(client: OpenRouter, emulator: Emulator) -> None:
    """Structured results are told as data, text as text, pictures as parts, refusals as refusals."""

    async def forecast() -> Forecast:
        """Forecast."""
        return Forecast(21)

    async def text() -> str:
        """Give text that looks like JSON."""
        return "[1]"

    async def picture() -> dict[str, Any]:
        """Give a part of a message."""
        return {"type": "text", "text": "a picture"}

    @tool(needs_approval=True)
    async def launch() -> None:
        """Launch."""

    tools: list[Any] = [forecast, text, picture, launch]
    names = ["forecast", "text", "picture", "launch"]
    calls: list[dict[str, Any]] = [{"id": name, "name": name, "arguments": {}} for name in names]
    emulator.play(chat(tool_calls=calls), chat("Done."))
    run = client.run_tools("Hi", tools=tools, model="m", on_approval=lambda call: "too early")
    parts = await told(run)
    outputs = {
        part["toolCallId"]: part["output"]
        for part in parts
        if part["type"] == "tool-output-available"
    }
    assert outputs == {
        "forecast": {"degrees": 21},
        "text": "[1]",
        "picture": [{"type": "text", "text": "a picture"}],
    }
    assert [part["toolCallId"] for part in parts if part["type"] == "tool-output-denied"] == [
        "launch"
    ]


async def test_what_is_said_aloud_is_text(client: OpenRouter, emulator: Emulator) -> None:
    """The words of an answer in sound come as text."""
    params = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}}
    stream = client.stream("Say hello to Oslo", model="openai/gpt-4o-mini", extra_body=params)
    parts = await told(stream)
    assert "Oslo" in "".join(part["delta"] for part in parts if part["type"] == "text-delta")


def deltas(*of: dict[str, Any], reason: str = "stop") -> Reply:
    """An answer of these deltas, as a provider with its own ideas writes them."""
    ends = [{"delta": delta} for delta in of] + [{"delta": {}, "finish_reason": reason}]
    chunks = [{"choices": [{"index": 0, **end}]} for end in ends]
    return Reply(
        steps=(Send(b"".join(map(encode_event, map(msgspec.json.encode, chunks))) + DONE),)
    )


async def test_a_refusal_is_text(client: OpenRouter, emulator: Emulator) -> None:
    """A model that says why it does not answer is heard, in plain text too."""
    emulator.always(deltas({"refusal": "I will "}, {"refusal": "not."}))
    parts = await told(client.stream("Hi", model="m"))
    assert [part["delta"] for part in parts if part["type"] == "text-delta"] == ["I will ", "not."]
    async with answering(lambda: relay(client.stream("Hi", model="m"), protocol="text")) as port:
        assert (await get(port)).body == b"I will not."


async def test_sources_are_links(client: OpenRouter, emulator: Emulator) -> None:
    """What a search found is put into a page, so it leads to http(s) or is left out."""
    urls = ["javascript:alert(1)", "data:text/html,x", "", "HTTPS://a.example", "http://b.example"]
    notes = [{"type": "url_citation", "url_citation": {"url": url}} for url in urls]
    emulator.play(deltas({"content": "Found.", "annotations": notes}))
    parts = await told(client.stream("Hi", model="m"))
    assert [part["url"] for part in parts if part["type"] == "source-url"] == urls[3:]


async def test_pictures_behind_an_address(client: OpenRouter, emulator: Emulator) -> None:
    """A page sees that it is a picture, whichever kind; one without an address is none."""
    urls = ["https://a.example/1", "", "data:image/webp;base64,AA=="]
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    emulator.play(deltas({"images": images}))
    parts = await told(client.stream("Hi", model="m"))
    assert [(part["url"], part["mediaType"]) for part in parts if part["type"] == "file"] == [
        (urls[0], "image/*"),
        (urls[2], "image/webp"),
    ]


async def test_a_call_begins_with_its_name(client: OpenRouter, emulator: Emulator) -> None:
    """Where the name comes late, what came of the arguments before waits for it."""
    pieces: list[dict[str, Any]] = [
        {"id": "c", "function": {"arguments": '{"x"'}},
        {"function": {"name": "f", "arguments": ":1"}},
        {"function": {"arguments": "}"}},
    ]
    emulator.play(
        deltas(*({"tool_calls": [{"index": 0, **one}]} for one in pieces), reason="tool_calls")
    )
    parts = [part for part in await told(client.stream("Hi", model="m")) if "toolCallId" in part]
    assert [part["type"] for part in parts] == [
        "tool-input-start", "tool-input-delta", "tool-input-delta", "tool-input-available",
    ]  # fmt: skip
    assert parts[0]["toolName"] == parts[3]["toolName"] == "f"
    assert [part["inputTextDelta"] for part in parts[1:3]] == ['{"x":1', "}"]


async def test_text_behind_a_picture_is_a_part_of_its_own(
    client: OpenRouter, emulator: Emulator
) -> None:
    """The order of words and pictures is the order in which they came, each picture once."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}

    def event(**delta: Any) -> bytes:
        return encode_event(msgspec.json.encode({"choices": [{"index": 0, "delta": delta}]}))

    before, after = event(content="before"), event(content="after")
    end = encode_event(b'{"choices":[{"index":0,"delta":{},"finish_reason":"odd_one"}]}')
    body = before + event(images=[image]) * 2 + after + end + DONE
    emulator.play(Reply(steps=(Send(body),)))
    parts = await told(client.stream("Hi", model="m"))
    assert [part["type"] for part in parts] == [
        "start", "start-step", "text-start", "text-delta", "file", "text-end",
        "text-start", "text-delta", "text-end", "finish-step", "finish",
    ]  # fmt: skip
    assert parts[-1]["finishReason"] == "other"


# The other way: what the AI SDK sends.


def test_messages_of_the_ai_sdk() -> None:
    """Text, files, tool calls with their answers and reasoning details are read."""
    details = [{"type": "reasoning.text", "text": "t", "signature": "s"}]
    carried = {"openrouter": {"reasoning_details": details}}
    sent: list[dict[str, Any]] = [
        {
            "role": "system",
            "parts": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief"}],
        },
        {
            "role": "user",
            "parts": [
                {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AA=="},
                {"type": "text", "text": "Look"},
                {
                    "type": "file",
                    "mediaType": "application/pdf",
                    "url": "data:application/pdf;base64,AA==",
                    "filename": "a.pdf",
                },
                {
                    "type": "file",
                    "mediaType": "audio/mpeg",
                    "url": "data:audio/mpeg;base64,AA==",
                },
                {"type": "file", "mediaType": "video/mp4", "url": "https://v.example/a.mp4"},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "t"},
                {
                    "type": "tool-f",
                    "toolCallId": "c1",
                    "state": "output-available",
                    "input": {"x": 1},
                    "output": [2],
                    "callProviderMetadata": carried,
                },
                {
                    "type": "dynamic-tool",
                    "toolName": "g",
                    "toolCallId": "c2",
                    "state": "output-error",
                    "rawInput": "{",
                    "errorText": "bad",
                },
                {"type": "tool-h", "toolCallId": "c3", "state": "input-available", "input": {}},
                {"type": "step-start"},
                {"type": "text", "text": "Done"},
            ],
        },
        {"role": "user", "parts": [{"type": "text", "text": "Thanks"}]},
    ]
    read = ui_messages(sent)
    assert [message["role"] for message in read] == [
        "system", "user", "assistant", "tool", "tool", "assistant", "user",
    ]  # fmt: skip
    assert read[0]["content"] == "Be brief"
    assert [part["type"] for part in read[1]["content"]] == [
        "text", "image_url", "file", "input_audio", "video_url",
    ]  # fmt: skip
    assert read[1]["content"][2]["file"]["filename"] == "a.pdf"
    assert read[1]["content"][3]["input_audio"] == {"data": "AA==", "format": "mp3"}
    assert read[2]["reasoning_details"] == details
    assert [call["function"] for call in read[2]["tool_calls"]] == [
        {"name": "f", "arguments": '{"x":1}'},
        {"name": "g", "arguments": "{"},
    ]
    assert [message["content"] for message in read[3:5]] == ["[2]", "bad"]
    assert read[5] == {"role": "assistant", "content": "Done"}
    assert read[6] == {"role": "user", "content": "Thanks"}


async def test_a_picture_comes_back_with_the_next_request(
    client: OpenRouter, emulator: Emulator
) -> None:
    """What the model drew is sent along, as a conversation does, so that it can be changed."""
    emulator.always(chat(images=[PNG]))
    parts = await told(client.stream("Draw", model="m"))
    drawn = [part for part in parts if part["type"] == "file"]
    read = ui_messages(
        [
            {"role": "user", "parts": [{"type": "text", "text": "Draw"}]},
            {"role": "assistant", "parts": [{"type": "step-start"}, *drawn]},
            {"role": "user", "parts": [{"type": "text", "text": "Darker"}]},
        ]
    )
    conversation = client.conversation(model="m")
    await conversation.complete("Draw")
    await conversation.complete("Darker")
    sent = msgspec.json.decode(emulator.requests[-1].body)["messages"]
    assert read[1]["images"][0]["image_url"] == sent[1]["images"][0]["image_url"]
    assert [message["role"] for message in read] == ["user", "assistant", "user"]


def test_half_an_emoji_is_no_fault() -> None:
    """A page that cut a text in the middle of an emoji sends what no UTF-8 can carry."""
    parts = [
        {"type": "text", "text": "a\ud83d"},
        {"type": "tool-f", "toolCallId": "c", "state": "output-available", "input": {"\ude00": 1}},
    ]
    user, assistant = ui_messages(
        [{"role": "user", "parts": parts}, {"role": "assistant", "parts": parts}]
    )[:2]
    assert user["content"] == "a\ufffd"
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"\ufffd":1}'


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


NO_MESSAGES: list[tuple[Any, str]] = [
    ("Hi", "must be a list"),
    ([], "at least one"),
    (["Hi"], r"messages\[0\] must be an object"),
    ([{"role": "user"}], r"messages\[0\]\.parts must be a list"),
    ([{"role": "user", "parts": ["x"]}], r"parts\[0\] must be an object"),
    ([{"role": "tool", "parts": []}], "must be user, assistant or system"),
    ([{"role": "user", "parts": [], "metadata": nested(100_000)}], "nested so deeply"),
    (
        [
            {
                "role": "user",
                "parts": [{"type": "file", "mediaType": "image/png", "url": "/etc/passwd"}],
            }
        ],
        "data: or http",
    ),
    (
        [
            {
                "role": "user",
                "parts": [{"type": "file", "mediaType": "image/png", "url": "file:///etc/passwd"}],
            }
        ],
        "data: or http",
    ),
]


@pytest.mark.parametrize(("messages", "words"), NO_MESSAGES)
def test_messages_that_are_none_are_refused(messages: object, words: str) -> None:
    """The place is named, and no path of this machine is ever read for a browser."""
    with pytest.raises(ValueError, match=words):
        ui_messages(messages)


async def test_reasoning_comes_back_with_the_next_request(
    client: OpenRouter, emulator: Emulator
) -> None:
    """The signature that the page was given is sent along, as providers demand in a tool loop."""
    detail = {
        "type": "reasoning.text",
        "text": "t",
        "signature": "s",
        "format": "anthropic-claude-v1",
        "index": 0,
    }
    emulator.play(chat("Hello", reasoning="t", reasoning_details=[detail]), chat("again"))
    parts = await told(client.stream("Hi", model="m"))
    (end,) = [part for part in parts if part["type"] == "text-end"]
    page = {"type": "text", "text": "Hello", "providerMetadata": end["providerMetadata"]}
    messages = ui_messages(
        [
            {"role": "assistant", "parts": [page]},
            {"role": "user", "parts": [{"type": "text", "text": "Go on"}]},
        ]
    )
    await client.stream(messages, model="m")
    sent = msgspec.json.decode(emulator.requests[-1].body)["messages"]
    assert sent[0]["reasoning_details"][0]["signature"] == "s"
