"""The pretend model: what it says, draws and calls, and the endpoints around it."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from openrouter_async.testing import Emulator
from openrouter_async.testing._png import draw_png
from openrouter_async.testing._prose import count_tokens, fit_schema, keywords, pieces, reply_to

PROMPT = "What is the weather in Paris in spring? Explain rain radar."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 2, "maximum": 7},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days"],
        },
    },
}
CALENDAR = {"type": "function", "function": {"name": "open_calendar"}}


class Client:
    """The least client that can talk to the emulator."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self.session = session
        self.base_url = base_url

    async def post(self, **body: Any) -> tuple[int, bytes, str]:
        body.setdefault("model", "openai/gpt-4o-mini")
        body.setdefault("messages", [{"role": "user", "content": PROMPT}])
        url = f"{self.base_url}/chat/completions"
        async with self.session.post(url, json=body) as response:
            return (
                response.status,
                await response.read(),
                response.headers.get("X-Generation-Id", ""),
            )

    async def stream(self, **body: Any) -> list[dict[str, Any]]:
        status, data, _ = await self.post(stream=True, **body)
        assert status == 200
        assert data.endswith(b"data: [DONE]\n\n")
        assert data.startswith(b": OPENROUTER PROCESSING\n\n")
        return [json.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")]

    async def complete(self, **body: Any) -> dict[str, Any]:
        status, data, id = await self.post(**body)
        assert status == 200, data
        whole: dict[str, Any] = json.loads(data)
        assert whole["id"] == id
        return whole

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self.session.get(self.base_url + path) as response:
            return response.status, await response.json()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with (
        Emulator() as emulator,
        aiohttp.ClientSession(headers={"Authorization": "Bearer sk-test-key"}) as session,
    ):
        yield Client(session, emulator.base_url)


def deltas_of(chunks: list[dict[str, Any]], name: str) -> list[Any]:
    """Give the values that one field takes in the deltas of a stream."""
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return [delta[name] for delta in deltas if delta.get(name)]


def read_png(png: bytes) -> tuple[int, int, bytes]:
    """Give width, height and pixel rows of a PNG file; check every checksum."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    position, data, header = 8, b"", b""
    kinds: list[bytes] = []
    while position < len(png):
        (size,) = struct.unpack_from(">I", png, position)
        kind, body = png[position + 4 : position + 8], png[position + 8 : position + 8 + size]
        (checksum,) = struct.unpack_from(">I", png, position + 8 + size)
        assert checksum == zlib.crc32(kind + body)
        header = body if kind == b"IHDR" else header
        data += body if kind == b"IDAT" else b""
        kinds.append(kind)
        position += 12 + size
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    width, height, *form = struct.unpack(">IIBBBBB", header)
    assert form == [8, 2, 0, 0, 0]
    return width, height, zlib.decompress(data)


async def test_streamed_and_whole_answers_say_the_same(client: Client) -> None:
    """The content does not depend on how it is sent, and takes up the prompt's words."""
    chunks = await client.stream()
    whole = await client.complete()
    texts = deltas_of(chunks, "content")
    assert len(texts) > 5
    assert max(len(text.split()) for text in texts) <= 2
    assert "".join(texts) == whole["choices"][0]["message"]["content"]
    assert "Paris" in "".join(texts)
    assert chunks[-1]["usage"] == whole["usage"]
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["provider"] == "OpenAI"


async def test_another_prompt_gets_another_answer(client: Client) -> None:
    """The answer belongs to the last thing that the user said."""
    first = await client.complete()
    second = await client.complete(
        messages=[
            {"role": "user", "content": PROMPT},
            {"role": "user", "content": [{"type": "text", "text": "Tell me about volcanoes"}]},
        ]
    )
    assert "volcanoes" in second["choices"][0]["message"]["content"]
    assert first["choices"] != second["choices"]


async def test_usage_is_counted_and_priced(client: Client) -> None:
    """Tokens are reckoned from the words, and the cost is tokens times price."""
    usage = (await client.complete())["usage"]
    assert usage["prompt_tokens"] == count_tokens(PROMPT)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    cost = usage["prompt_tokens"] * 0.00000015 + usage["completion_tokens"] * 0.0000006
    assert usage["cost"] == pytest.approx(cost)
    free = await client.complete(model="meta-llama/llama-3.3-70b-instruct:free")
    assert free["usage"]["cost"] == 0


async def test_max_tokens_cuts_the_answer(client: Client) -> None:
    """The limit is kept and the finish reason says so."""
    whole = await client.complete(max_tokens=10)
    assert whole["choices"][0]["finish_reason"] == "length"
    assert 0 < whole["usage"]["completion_tokens"] <= 10


@pytest.mark.parametrize(
    "asked",
    [
        {"reasoning": {"effort": "low"}},
        {"reasoning_effort": "high"},
        {"include_reasoning": True},
        {"model": "deepseek/deepseek-r1"},
    ],
)
async def test_reasoning_comes_when_it_is_asked_for(client: Client, asked: dict[str, Any]) -> None:
    """Reasoning arrives as text and as details, its signature behind the first text."""
    chunks = await client.stream(**asked)
    reasoning = "".join(deltas_of(chunks, "reasoning"))
    details = [detail for items in deltas_of(chunks, "reasoning_details") for detail in items]
    assert "".join(detail["text"] for detail in details) == reasoning != ""
    assert "signature" in details[-1]
    assert not any("signature" in detail for detail in details[:-1])
    kinds = [
        "signature"
        if "reasoning" not in delta and "reasoning_details" in delta
        else "reasoning"
        if "reasoning" in delta
        else "text"
        for delta in (chunk["choices"][0]["delta"] for chunk in chunks)
    ]
    assert kinds.index("signature") == kinds.index("text") + 1
    assert chunks[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    (merged,) = (await client.complete(**asked))["choices"][0]["message"]["reasoning_details"]
    assert merged["text"] == reasoning
    assert merged["signature"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"model": "deepseek/deepseek-r1", "reasoning": {"enabled": False}},
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"effort": "high", "exclude": True}},
        {"model": "openai/o3-mini", "include_reasoning": False},
        {"reasoning_effort": "none"},
    ],
)
async def test_reasoning_stays_away_otherwise(client: Client, asked: dict[str, Any]) -> None:
    """No reasoning is sent to whom it was not meant for."""
    chunks = await client.stream(**asked)
    assert deltas_of(chunks, "reasoning") == deltas_of(chunks, "reasoning_details") == []


async def test_a_tool_is_called_in_fragments(client: Client) -> None:
    """The call fits the tool's schema, comes in pieces, and uses the prompt's words."""
    chunks = await client.stream(tools=[CALENDAR, WEATHER])
    pieces = [call for calls in deltas_of(chunks, "tool_calls") for call in calls]
    assert len(pieces) > 3
    assert pieces[0]["function"]["name"] == "get_weather"
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert json.loads(arguments) == {"city": "Paris", "unit": "celsius", "days": 2}
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert "tool_calls" in reasons
    (call,) = (await client.complete(tools=[CALENDAR, WEATHER]))["choices"][0]["message"][
        "tool_calls"
    ]
    assert (call["id"], call["function"]["arguments"]) == (pieces[0]["id"], arguments)


async def test_tool_choice_decides(client: Client) -> None:
    """A named tool is called though another fits better, and "none" calls none."""
    choice = {"type": "function", "function": {"name": "open_calendar"}}
    whole = await client.complete(tools=[WEATHER, CALENDAR], tool_choice=choice)
    (call,) = whole["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "open_calendar", "arguments": "{}"}
    whole = await client.complete(tools=[WEATHER], tool_choice="none", reasoning={})
    assert "tool_calls" not in whole["choices"][0]["message"]


async def test_a_tool_result_is_answered_in_words(client: Client) -> None:
    """Behind a tool's result the model speaks, and repeats what the tool said."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": "", "tool_calls": []},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny, 21 degrees"},
    ]
    whole = await client.complete(messages=messages, tools=[WEATHER])
    assert "Sunny, 21 degrees" in whole["choices"][0]["message"]["content"]


async def test_reasoning_comes_before_a_tool_call(client: Client) -> None:
    """A thinking model signs its thoughts and then calls the tool."""
    whole = await client.complete(model="openai/o3-mini", tools=[WEATHER])
    message = whole["choices"][0]["message"]
    assert message["reasoning_details"][0]["signature"]
    assert message["tool_calls"]


async def test_structured_output_fits_the_schema(client: Client) -> None:
    """A response format gets JSON that fits, and nothing around it."""
    schema = {
        "type": "object",
        "properties": {
            "places": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/Place"}},
            "day": {"type": "string", "format": "date"},
            "kind": {"const": "report"},
        },
        "required": ["places", "day", "kind"],
        "$defs": {
            "Place": {
                "type": "object",
                "properties": {
                    "name": {"type": ["null", "string"]},
                    "warm": {"type": "boolean"},
                    "rank": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
                },
            }
        },
    }
    form = {"type": "json_schema", "json_schema": {"name": "report", "schema": schema}}
    chunks = await client.stream(response_format=form)
    texts = deltas_of(chunks, "content")
    assert len(texts) > 3
    assert json.loads("".join(texts)) == {
        "places": [
            {"name": "Paris", "warm": True, "rank": 1},
            {"name": "weather", "warm": True, "rank": 1},
        ],
        "day": "2026-01-31",
        "kind": "report",
    }
    whole = await client.complete(response_format={"type": "json_object"})
    assert json.loads(whole["choices"][0]["message"]["content"])["answer"]
    whole = await client.complete(response_format={"type": "text"})
    assert whole["choices"][0]["message"]["content"] == reply_to(PROMPT)


async def test_a_picture_is_drawn_from_the_prompt(client: Client) -> None:
    """Text comes first, then one delta with a real PNG in the asked aspect ratio."""
    asked = {
        "model": "google/gemini-2.5-flash-image",
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "16:9"},
    }
    chunks = await client.stream(**asked)
    assert deltas_of(chunks, "content")
    ((image,),) = deltas_of(chunks, "images")
    url = image["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")
    width, height, rows = read_png(base64.b64decode(url.partition(",")[2]))
    assert (width, height) == (688, 384)
    assert len(rows) == height * (1 + 3 * width)
    assert chunks[-1]["usage"]["completion_tokens_details"]["image_tokens"] == 1290
    whole = await client.complete(**asked)
    assert whole["choices"][0]["message"]["images"] == [image]
    only = await client.complete(model="google/gemini-2.5-flash-image", modalities=["image"])
    message = only["choices"][0]["message"]
    assert message["content"] == ""
    assert len(message["images"]) == 1


def test_pictures_differ_by_their_words_and_by_nothing_else() -> None:
    """The same words draw the same picture, other words another one."""
    images = {draw_png(words, 96, 64) for words in ("red cat", "blue lake", "snow", "desert")}
    assert len(images) == 4
    draw_png.cache_clear()
    assert draw_png("red cat", 96, 64) in images
    for image in images:
        width, height, rows = read_png(image)
        assert (width, height) == (96, 64)
        pixels = {rows[start : start + 3] for start in range(1, len(rows), 3)}
        assert len(pixels) > 20


async def test_files_are_parsed_once(client: Client) -> None:
    """A file gets an annotation, and none when the annotation is sent along."""
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;,x"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Sum up"}, part]}
    ]
    first = (await client.complete(messages=messages))["choices"][0]["message"]
    (annotation,) = first["annotations"]
    assert annotation["file"]["name"] == "a.pdf"
    assert annotation["file"]["content"][0]["type"] == "text"
    messages += [first, {"role": "user", "content": "And the second page?"}]
    second = (await client.complete(messages=messages))["choices"][0]["message"]
    assert "annotations" not in second


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"model": "no/such-model"}, "no/such-model is not a valid model ID"),
        ({"model": "gpt-4"}, "gpt-4 is not a valid model ID"),
        ({"messages": []}, "Input required"),
        ({"messages": "hello"}, "Input required"),
        ({"messages": [{"content": "x"}]}, r"messages[0].role"),
        ({"max_tokens": "many"}, "max_tokens: expected int"),
        ({"tools": {}}, "tools: expected list"),
    ],
)
async def test_bad_requests_are_refused(
    client: Client, body: dict[str, Any], complaint: str
) -> None:
    """A request that OpenRouter refuses gets its envelope with a sentence, streamed or not."""
    for stream in (False, True):
        status, data, _ = await client.post(stream=stream, **body)
        error = json.loads(data)["error"]
        assert (status, error["code"]) == (400, 400)
        assert complaint in error["message"]


async def test_a_body_that_is_no_json_is_refused(client: Client) -> None:
    """Broken JSON and JSON that is no object get 400."""
    for data in (b"{", b"[]", b""):
        url = f"{client.base_url}/chat/completions"
        async with client.session.post(url, data=data) as response:
            assert response.status == 400
            assert "Invalid JSON" in (await response.json())["error"]["message"]


async def test_router_and_fallback_models_resolve(client: Client) -> None:
    """A router names the model it took, and `models` stands in for `model`."""
    assert (await client.complete(model="openrouter/auto"))["model"] == "openai/gpt-4o-mini"
    assert (await client.complete(model=None))["model"] == "openai/gpt-4o-mini"
    whole = await client.complete(model=None, models=["x-ai/grok-4", "openai/gpt-4o"])
    assert (whole["model"], whole["provider"]) == ("x-ai/grok-4", "xAI")


async def test_the_record_of_an_answer_can_be_fetched(client: Client) -> None:
    """`GET /generation` tells tokens and cost of an answer that was given."""
    _, _, id = await client.post(stream=True, user="somebody")
    status, body = await client.get(f"/generation?id={id}")
    record = body["data"]
    assert status == 200
    assert (record["id"], record["streamed"], record["cancelled"]) == (id, True, False)
    assert record["external_user"] == "somebody"
    assert record["total_cost"] > 0
    assert record["tokens_prompt"] == count_tokens(PROMPT)
    status, body = await client.get("/generation?id=gen-none")
    assert (status, body["error"]["code"]) == (404, 404)
    _, body = await client.get("/key")
    assert body["data"]["usage"] == record["total_cost"]
    assert body["data"]["label"] == "sk-test-...key"


async def test_the_record_tells_that_the_client_left() -> None:
    """An answer that its client left is marked as cancelled; pace makes it last."""
    async with (
        Emulator(pace=0.01) as emulator,
        aiohttp.ClientSession(headers={"Authorization": "Bearer k"}) as session,
    ):
        client = Client(session, emulator.base_url)
        messages = [{"role": "user", "content": PROMPT}]
        response = await session.post(
            f"{emulator.base_url}/chat/completions", json={"messages": messages, "stream": True}
        )
        await response.content.readuntil(b'"content":')
        response.close()
        await emulator.wait_for(lambda: emulator.disconnects == 1)
        _, body = await client.get(f"/generation?id={response.headers['X-Generation-Id']}")
        assert body["data"]["cancelled"] is True


async def test_models_are_listed_with_prices_as_strings(client: Client) -> None:
    """The list has the documented form, prices as decimal strings."""
    status, body = await client.get("/models")
    assert status == 200
    assert body["total_count"] == len(body["data"]) >= 5
    for row in body["data"]:
        assert {"id", "name", "context_length", "architecture", "pricing"} <= set(row)
        assert all(isinstance(price, str) for price in row["pricing"].values())


async def test_unknown_paths_are_not_found(client: Client) -> None:
    """A path that the emulator does not know gets 404 in OpenRouter's envelope."""
    assert await client.get("/nothing") == (404, {"error": {"message": "Not Found", "code": 404}})
    root = client.base_url.removesuffix("/api/v1")
    async with client.session.get(f"{root}/elsewhere") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "text", ["", "one", " a  b\nc ", "don't stop, \u201cnow\u201d!", '{"a":[1,2]}', "\u96e8 \u3068"]
)
def test_pieces_are_the_text_again(text: str) -> None:
    """Nothing of a text is lost or added by cutting it up."""
    assert "".join(pieces(text)) == text


def test_keywords_are_those_that_mean_something() -> None:
    """Common words are left out, names are kept, and each word comes once."""
    assert keywords("What is Bob doing with the garden and the Garden?") == ["Bob", "garden"]
    assert keywords("") == []
    assert reply_to("Hi").startswith("Hello!")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "Paris"),
        ({"type": "number", "minimum": 5}, 5),
        ({"type": "integer", "maximum": 0}, 0),
        ({"default": 7, "type": "integer"}, 7),
        ({"enum": ["rome", "paris"]}, "paris"),
        ({"type": "string", "format": "date-time"}, "2026-01-31T12:00:00Z"),
        ({"type": "null"}, None),
        ({"type": "array"}, ["Paris"]),
        ({"properties": {"a": {"type": "boolean"}}}, {"a": True}),
    ],
)
def test_values_fit_small_schemas(schema: dict[str, Any], value: Any) -> None:
    """Each kind of schema gets a value that fits it."""
    assert fit_schema(schema, "the road to Paris") == value


def test_a_schema_that_holds_itself_ends() -> None:
    """A recursive schema gets a value of finite depth."""
    chain = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    tree = {"$ref": "#/$defs/T", "$defs": {"T": {"type": "array", "items": {"$ref": "#/$defs/T"}}}}
    assert fit_schema(chain, "x")["next"]["next"]
    assert fit_schema(tree, "x")[0][0]
