"""Spans and metrics: one span a request, however it ends, by the conventions and without content."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from openrouter_async import OpenRouter, OpenRouterError, RetryPolicy, StreamTruncatedError, content
from openrouter_async.integrations.otel import OpenTelemetry
from openrouter_async.testing import (
    Emulator,
    Reply,
    Send,
    chat,
    completion,
    error_chunk,
    http_error,
)
from tests.quiet import KEY, PNG
from tests.text_dialects import DIALECTS, Dialect

MODEL = "openai/gpt-4o-mini"
PROMPT = "the SENTINELPROMPT of somebody"
ANSWER = "a SENTINELANSWER"


class Kit(NamedTuple):
    """A client with traces, and what they come to."""

    client: OpenRouter
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    providers: tuple[TracerProvider, MeterProvider]

    @property
    def span(self) -> ReadableSpan:
        """The only span that is over."""
        (span,) = self.exporter.get_finished_spans()
        return span

    @property
    def attributes(self) -> dict[str, Any]:
        """What the only span says."""
        return dict(self.span.attributes or {})

    def points(self, name: str) -> list[Any]:
        """The data points of one metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def point(self, name: str) -> Any:
        """The only data point of one metric."""
        (point,) = self.points(name)
        return point


@pytest.fixture
def providers() -> Iterator[tuple[TracerProvider, InMemorySpanExporter, InMemoryMetricReader]]:
    """Providers that keep everything in memory, and global to nobody."""
    tracers, exporter, reader = TracerProvider(), InMemorySpanExporter(), InMemoryMetricReader()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    yield tracers, exporter, reader
    tracers.shutdown()


@pytest.fixture(params=[{}], ids=[""])
async def kit(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    providers: tuple[TracerProvider, InMemorySpanExporter, InMemoryMetricReader],
) -> AsyncIterator[Kit]:
    """A client with traces; its parameters are those of the hook."""
    tracers, exporter, reader = providers
    meters = MeterProvider(metric_readers=[reader])
    hook = OpenTelemetry(tracer_provider=tracers, meter_provider=meters, **request.param)
    retry = RetryPolicy(first_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, hooks=[hook], retry=retry) as client:
        yield Kit(client, exporter, reader, (tracers, meters))
    assert not hook._running
    meters.shutdown()


with_content = pytest.mark.parametrize("kit", [{"content": True}], indirect=True, ids=["content"])
with_gaps = pytest.mark.parametrize("kit", [{"every_gap": True}], indirect=True, ids=["gaps"])


async def test_a_complete_stream(kit: Kit, emulator: Emulator) -> None:
    """A whole stream is one client span with the request, the answer, the tokens and the cost."""
    emulator.play(chat("Hello", " there", model="openai/gpt-4o-mini-2024", provider="Acme"))
    stream = kit.client.stream(PROMPT, model=MODEL, temperature=0.5, max_tokens=9, seed=7)
    answer = await stream
    span, told = kit.span, kit.attributes
    assert (span.name, span.kind) == (f"chat {MODEL}", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    host, _, port = emulator.base_url.removeprefix("http://").partition("/")[0].partition(":")
    assert answer.usage is not None
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openrouter",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 7,
        "server.address": host,
        "server.port": int(port),
        "gen_ai.response.model": "openai/gpt-4o-mini-2024",
        "gen_ai.response.id": answer.generation_id,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": stream.timing.first_delta,
        "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": answer.usage.completion_tokens,
        "http.response.status_code": 200,
        "openrouter.provider": "Acme",
        "openrouter.cost": answer.cost,
        "openrouter.ending": "complete",
        "openrouter.attempts": 1,
    }
    assert {name: told.get(name) for name in expected} == expected
    assert "error.type" not in told
    assert "SENTINEL" not in span.to_json()


async def test_the_metrics_of_a_stream(kit: Kit, emulator: Emulator) -> None:
    """Duration, time to first chunk, time between chunks, tokens and cost are measured once each."""
    emulator.play(chat("Hello", " there", " you", delay=0.01))
    stream = kit.client.stream(PROMPT, model=MODEL)
    answer = await stream
    assert answer.usage is not None
    timing = stream.timing
    assert timing.first_delta is not None
    assert timing.end is not None
    duration = kit.point("gen_ai.client.operation.duration")
    assert duration.sum >= timing.end - 1e-3
    assert duration.attributes["openrouter.ending"] == "complete"
    assert duration.attributes["gen_ai.request.model"] == MODEL
    assert list(duration.explicit_bounds)[:3] == [0.01, 0.02, 0.04]
    assert kit.point("gen_ai.client.operation.time_to_first_chunk").sum == timing.first_delta
    between = kit.point("gen_ai.client.operation.time_per_output_chunk")
    assert between.count == 1
    assert between.sum == pytest.approx((timing.end - timing.first_delta) / 2)
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in kit.points("gen_ai.client.token.usage")
    }
    usage = answer.usage
    assert tokens == {"input": usage.prompt_tokens, "output": usage.completion_tokens}
    assert kit.point("openrouter.cost").value == answer.cost
    assert not kit.points("openrouter.retries")


@with_gaps
async def test_every_gap(kit: Kit, emulator: Emulator) -> None:
    """Each arrival is measured where that is asked for."""
    emulator.play(chat("a", "b", "c").hold_after(1).hold_after(2))
    stream = kit.client.stream(PROMPT, model=MODEL)
    await anext(stream)
    for _ in range(2):
        emulator.release()
        await anext(stream)
    await stream
    between: HistogramDataPoint = kit.point("gen_ai.client.operation.time_per_output_chunk")
    assert between.count >= 2
    assert between.max == stream.timing.longest_gap


@pytest.mark.parametrize(
    ("reply", "ending", "kind"),
    [
        (chat(ANSWER, " there").end_after(1), "truncated", "StreamTruncatedError"),
        (chat(ANSWER, " there").cut_after(1), "broken", "StreamBrokenError"),
        (
            chat(ANSWER, " there").error_after(1, error_chunk(502, "gone")),
            "error",
            "StreamBadGatewayError",
        ),
    ],
    ids=["truncated", "broken", "error"],
)
async def test_a_stream_that_fails(
    kit: Kit, emulator: Emulator, reply: Reply, ending: str, kind: str
) -> None:
    """A stream that fails amid its answer ends its span as an error of its kind."""
    emulator.play(reply)
    with pytest.raises(OpenRouterError) as caught:
        await kit.client.stream(PROMPT, model=MODEL)
    span, told = kit.span, kit.attributes
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == str(caught.value)
    assert (told["error.type"], told["openrouter.ending"]) == (kind, ending)
    assert told["openrouter.error.phase"] == "body"
    assert told["gen_ai.response.id"] == caught.value.generation_id
    duration = kit.point("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == kind
    assert duration.attributes["openrouter.ending"] == ending
    assert "SENTINEL" not in span.to_json()


async def test_a_refusal(kit: Kit, emulator: Emulator) -> None:
    """A request that is refused ends its span with the status and what the API said."""
    emulator.play(http_error(402, "no credits"))
    with pytest.raises(OpenRouterError):
        await kit.client.stream(PROMPT, model=MODEL)
    told = kit.attributes
    assert (told["error.type"], told["http.response.status_code"]) == ("PaymentRequiredError", 402)
    assert told["openrouter.error.billed"] == "no"
    assert "no credits" in str(kit.span.status.description)


async def test_retries(kit: Kit, emulator: Emulator) -> None:
    """Each attempt that was followed by another is an event of the one span, and is counted."""
    emulator.play(http_error(502, "one"), http_error(503, "two"), chat("Hello"))
    await kit.client.stream(PROMPT, model=MODEL)
    events = [event for event in kit.span.events if event.name == "openrouter.retry"]
    assert [dict(event.attributes or {})["error.type"] for event in events] == [
        "BadGatewayError",
        "ServiceUnavailableError",
    ]
    assert kit.attributes["openrouter.attempts"] == 3
    assert kit.span.status.status_code is StatusCode.UNSET
    counted = {
        point.attributes["error.type"]: point.value for point in kit.points("openrouter.retries")
    }
    assert counted == {"BadGatewayError": 1, "ServiceUnavailableError": 1}


async def test_cancelled(kit: Kit, emulator: Emulator) -> None:
    """A stream whose task is cancelled ends its span as an error, with what is known of it."""
    emulator.play(chat("Hello", " there").hold_after(1))
    got_one = asyncio.Event()

    async def read() -> None:
        async for _ in kit.client.stream(PROMPT, model=MODEL):
            got_one.set()

    task = asyncio.create_task(read())
    await got_one.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    told = kit.attributes
    assert kit.span.status.status_code is StatusCode.ERROR
    assert (told["error.type"], told["openrouter.ending"]) == ("cancelled", "cancelled")
    assert told["gen_ai.response.id"].startswith("gen-")
    assert "gen_ai.response.time_to_first_chunk" in told


async def test_left(kit: Kit, emulator: Emulator) -> None:
    """A loop that is left ends its span, and is no error."""
    emulator.play(chat("Hello", " there").hold_after(1))
    async for _ in kit.client.stream(PROMPT, model=MODEL):
        break
    assert kit.attributes["openrouter.ending"] == "left"
    assert kit.span.status.status_code is StatusCode.UNSET
    assert "error.type" not in kit.attributes


async def test_it_is_a_child_of_what_is_running(kit: Kit) -> None:
    """The span belongs to the trace in which the request was made, and times nothing else."""
    tracer = kit.providers[0].get_tracer("test")
    with tracer.start_as_current_span("outer") as outer:
        await kit.client.stream(PROMPT, model=MODEL)
        span = kit.span
    assert span.parent is not None
    assert span.parent.span_id == outer.get_span_context().span_id


async def test_other_endpoints(kit: Kit, emulator: Emulator) -> None:
    """What generates something has a span of its operation; a list of models has none."""
    body = json.dumps({"model": "m", "data": [], "usage": {"prompt_tokens": 3, "cost": 0.25}})
    emulator.play(
        Reply(headers=(("Content-Type", "application/json"),), steps=(Send(body.encode()),))
    )
    await kit.client.models.list()
    await kit.client.request("POST", "/embeddings", json={"model": "m", "input": ["x"]})
    assert kit.span.name == "embeddings m"
    assert kit.attributes["gen_ai.usage.input_tokens"] == 3
    assert kit.attributes["openrouter.cost"] == 0.25
    assert "gen_ai.request.stream" not in kit.attributes


async def test_the_kind_of_output(kit: Kit, emulator: Emulator) -> None:
    """Images and JSON that were asked for are told as such."""
    emulator.play(chat('{"value": [1]}'))
    await kit.client.complete(PROMPT, model=MODEL, response_type=list[int])
    assert kit.attributes["gen_ai.output.type"] == "json"
    kit.exporter.clear()
    await kit.client.generate_images("A fox", model="google/gemini-2.5-flash-image")
    assert kit.attributes["gen_ai.output.type"] == "image"


async def test_settings_of_a_request(kit: Kit, emulator: Emulator) -> None:
    """How many answers are asked for is told where it is not one, and sound as such."""
    emulator.play(chat("Hello"))
    asked = {"model": MODEL, "messages": [], "n": 3, "modalities": ["text", "audio"]}
    await kit.client.request("POST", "/chat/completions", json=asked, type=bytes)
    assert kit.attributes["gen_ai.request.choice.count"] == 3
    assert kit.attributes["gen_ai.output.type"] == "speech"


async def test_a_bug_on_the_way(kit: Kit) -> None:
    """An exception that is none of the client's ends the span as an error of no known kind."""
    with pytest.raises(FileNotFoundError):
        await kit.client.audio.transcribe("missing.wav", model="openai/whisper-1")
    assert kit.attributes["error.type"] == "_OTHER"
    assert kit.span.status.status_code is StatusCode.ERROR


@with_content
async def test_content_of_other_endpoints(kit: Kit, emulator: Emulator) -> None:
    """A prompt that is plain text is one message; what is no request of that kind has none."""
    emulator.always(Reply(headers=(("Content-Type", "application/json"),), steps=(Send(b"{}"),)))
    await kit.client.request("POST", "/responses", json={"model": "m", "input": PROMPT})
    assert json.loads(kit.attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": PROMPT}]}
    ]
    kit.exporter.clear()
    await kit.client.request("POST", "/embeddings", json=["no object"])
    assert "gen_ai.input.messages" not in kit.attributes


@with_content
async def test_content_where_it_is_asked_for(kit: Kit, emulator: Emulator) -> None:
    """Prompts and answers are told in the form of the conventions, and files by their size."""
    called = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "look", "arguments": "{}"},
    }
    emulator.play(completion(ANSWER, reasoning="Hm."))
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": ["What is this?", content.image(PNG)]},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a fox"},
    ]
    messages[1]["content"][0] = {"type": "text", "text": "What is this?"}
    await kit.client.complete(messages, model=MODEL, transport="json")
    asked = json.loads(kit.attributes["gen_ai.input.messages"])
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "tool"]
    assert asked[1]["parts"][0] == {"type": "text", "content": "What is this?"}
    assert asked[1]["parts"][1]["type"] == "image_url"
    assert base64.b64encode(PNG).decode() not in kit.attributes["gen_ai.input.messages"]
    (call,) = asked[2]["parts"]
    assert (call["type"], call["name"]) == ("tool_call", "look")
    assert asked[3]["parts"][0]["response"] == "a fox"
    (answered,) = json.loads(kit.attributes["gen_ai.output.messages"])
    assert answered == {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "Hm."},
            {"type": "text", "content": ANSWER},
        ],
        "finish_reason": "stop",
    }


CALL: dict[str, Any] = {"name": "look", "arguments": {"at": "it"}, "id": "call_1"}


@with_content
@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_content_of_other_dialects(kit: Kit, dialect: Dialect, emulator: Emulator) -> None:
    """What the other text endpoints think, say and call is told in the same form."""
    emulator.play(dialect.reply(ANSWER, " there", reasoning="Hm.", tool_calls=[CALL]))
    await dialect.stream(kit.client)
    (answered,) = json.loads(kit.attributes["gen_ai.output.messages"])
    assert answered["role"] == "assistant"
    parts = answered["parts"]
    assert parts[:2] == [
        {"type": "reasoning", "content": "Hm."},
        {"type": "text", "content": f"{ANSWER} there"},
    ]
    assert (answered["finish_reason"],) == kit.attributes["gen_ai.response.finish_reasons"]
    if dialect.name != "completions":  # its answers call nothing
        assert (parts[2]["type"], parts[2]["name"]) == ("tool_call", "look")
        assert "it" in str(parts[2]["arguments"])
    (asked,) = json.loads(kit.attributes["gen_ai.input.messages"])
    assert asked == {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_no_content_of_other_dialects(kit: Kit, dialect: Dialect, emulator: Emulator) -> None:
    """Unless it is asked for, nothing of it is told but why it ended."""
    emulator.play(dialect.reply(ANSWER, reasoning=ANSWER))
    await dialect.stream(kit.client)
    assert len(kit.attributes["gen_ai.response.finish_reasons"]) == 1
    assert "SENTINEL" not in kit.span.to_json()


ASKED: dict[str, dict[str, Any]] = {
    "/messages": {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What is it?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm."},
                    {"type": "tool_use", "id": "call_1", "name": "look", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "a fox"}],
            },
        ],
    },
    "/responses": {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "What is it?"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": {}},
            {"type": "function_call_output", "call_id": "call_1", "output": "a fox"},
        ],
    },
}


@with_content
@pytest.mark.parametrize("path", ASKED)
async def test_content_of_requests_of_other_dialects(
    kit: Kit, emulator: Emulator, path: str
) -> None:
    """Instructions, thoughts, calls and their results are told alike, whatever the endpoint."""
    emulator.always(Reply(headers=(("Content-Type", "application/json"),), steps=(Send(b"{}"),)))
    await kit.client.request("POST", path, json={"model": MODEL, **ASKED[path]})
    told = kit.attributes
    brief = [{"type": "text", "content": "Be brief."}]
    assert json.loads(told["gen_ai.system_instructions"]) == brief
    said = json.loads(told["gen_ai.input.messages"])
    assert [part for message in said for part in message["parts"]] == [
        {"type": "text", "content": "What is it?"},
        {"type": "reasoning", "content": "Hm."},
        {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {}},
        {"type": "tool_call_response", "id": "call_1", "response": "a fox"},
    ]


@with_content
async def test_files_and_what_is_not_known(kit: Kit, emulator: Emulator) -> None:
    """Files are told by their size wherever they stand, other kinds of parts as they are."""
    emulator.always(Reply(headers=(("Content-Type", "application/json"),), steps=(Send(b"{}"),)))
    data = base64.b64encode(bytes(3_000)).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    blocks = [{"type": "image", "source": source}, {"type": "new_kind", "value": 7}]
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": blocks}
    messages = [{"role": "user", "content": [*blocks, result]}]
    await kit.client.request("POST", "/messages", json={"model": MODEL, "messages": messages})
    (asked,) = json.loads(kit.attributes["gen_ai.input.messages"])
    image, unknown, response = asked["parts"]
    assert image["source"]["data"].endswith(f"{len(data)} characters")
    assert unknown == {"type": "new_kind", "value": 7}
    assert response["response"] == [image, unknown]
    kit.exporter.clear()
    items = [{"type": "web_search_call", "id": "ws_1"}, 7, None]
    await kit.client.request("POST", "/responses", json={"model": MODEL, "input": items})
    (asked,) = json.loads(kit.attributes["gen_ai.input.messages"])
    assert asked == {"role": "assistant", "parts": items[:1]}


@with_content
async def test_content_of_what_came_before_a_failure(kit: Kit, emulator: Emulator) -> None:
    """What had arrived of an answer that failed is told as well."""
    emulator.play(chat(ANSWER, " there").end_after(1))
    with pytest.raises(StreamTruncatedError):
        await kit.client.stream(PROMPT, model=MODEL)
    assert PROMPT in kit.attributes["gen_ai.input.messages"]
    assert ANSWER in kit.attributes["gen_ai.output.messages"]


def test_the_environment_asks_for_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable of the other instrumentations is heeded, and an argument goes before it."""
    name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    monkeypatch.delenv(name, raising=False)
    assert OpenTelemetry().wants == frozenset()
    monkeypatch.setenv(name, "true")
    assert OpenTelemetry().wants == {"content"}
    assert OpenTelemetry(content=False).wants == frozenset()


async def test_without_an_sdk(emulator: Emulator) -> None:
    """Where nobody records, requests go on as ever."""
    hook = OpenTelemetry(content=True, every_gap=True)
    async with OpenRouter(KEY, base_url=emulator.base_url, hooks=[hook]) as client:
        assert (await client.complete(PROMPT, model=MODEL)).text
    assert not hook._running


def test_it_pickles() -> None:
    """It travels with its settings, unless it has providers of its own."""
    hook = pickle.loads(pickle.dumps(OpenTelemetry(content=True)))
    assert hook.wants == {"content"}
    with pytest.raises(TypeError, match="provider"):
        pickle.dumps(OpenTelemetry(tracer_provider=TracerProvider()))
