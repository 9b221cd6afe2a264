"""How the events of each text dialect add up, without a socket; and recorded streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openrouter_async._sse import SSEDecoder
from openrouter_async.testing import message, response, text
from openrouter_async.text_streams import CompletionStream, MessageStream, ResponseStream
from openrouter_async.text_streams.completions import TextsSoFar
from openrouter_async.text_streams.messages import MessageSoFar
from openrouter_async.text_streams.responses import ResponseSoFar
from openrouter_async.types.anthropic import AnthropicMessage, MessageEvent
from openrouter_async.types.completions import CompletionResponse
from openrouter_async.types.responses import Response, ResponseEvent, ResponseItem
from tests.conftest import shared_folder
from tests.independent_reading import without_nulls

Plain = dict[str, Any]


def responses_of(*events: Plain) -> ResponseSoFar:
    """Add up events of /responses."""
    so_far = ResponseSoFar()
    for event in events:
        so_far.add(ResponseEvent.from_dict(event))
    return so_far


def messages_of(*events: Plain) -> MessageSoFar:
    """Add up events of /messages."""
    so_far = MessageSoFar()
    for event in events:
        so_far.add(MessageEvent.from_dict(event))
    return so_far


def texts_of(*chunks: Plain) -> TextsSoFar:
    """Add up chunks of /completions."""
    so_far = TextsSoFar()
    for chunk in chunks:
        so_far.add(CompletionResponse.from_dict(chunk))
    return so_far


def piece(kind: str, delta: str, output_index: int | None = 0, **more: Any) -> Plain:
    """One delta of /responses."""
    return {"type": f"response.{kind}.delta", "delta": delta, "output_index": output_index} | more


# Responses.


def test_items_are_told_apart_by_their_place() -> None:
    """Pieces that come mixed go to their item and part, whatever their ids say."""
    so_far = responses_of(
        piece("output_text", "B1", 1, item_id="x"),
        piece("reasoning_text", "A", 0, item_id="x"),
        piece("output_text", "B2", 1, item_id="y", content_index=1),
        piece("output_text", "b1", 1, item_id="z"),
        piece("reasoning_summary_text", "S", 2, summary_index=0),
        piece("refusal", "No", 3),
    )
    output = so_far.answer().output
    assert [item.type for item in output] == ["reasoning", "message", "reasoning", "message"]
    assert [item.text for item in output] == ["", "B1b1B2", "", ""]
    assert [item.reasoning for item in output] == ["A", "", "S", ""]
    assert isinstance(output[3].content, list)
    assert output[3].content[0].refusal == "No"
    assert all(item.status == "incomplete" for item in output)
    assert so_far.deltas == 6
    assert not so_far.finished


def test_pieces_without_a_place_go_to_the_last_item() -> None:
    """A server that leaves the index out means the item it has announced last."""
    so_far = responses_of(
        {"type": "response.output_item.added", "item": {"type": "message"}},
        piece("output_text", "A", None),
        {"type": "response.output_item.added", "item": {"type": "message"}},
        piece("output_text", "B", None),
    )
    assert [item.text for item in so_far.answer().output] == ["A", "B"]


def test_every_kind_of_piece_has_its_place() -> None:
    """Arguments, inputs, code and diffs go to the field of the item that they are pieces of."""
    so_far = responses_of(
        piece("function_call_arguments", '{"a"', 0),
        piece("function_call_arguments", ": 1}", 0),
        piece("custom_tool_call_input", "in", 1),
        piece("code_interpreter_call_code", "print", 2),
        piece("apply_patch_call_operation_diff", "+a", 3),
    )
    call, tool, code, patch = so_far.answer().output
    assert (call.type, call.arguments) == ("function_call", '{"a": 1}')
    assert (tool.type, tool.input) == ("custom_tool_call", "in")
    assert (code.type, code.code) == ("code_interpreter_call", "print")
    assert (patch.type, patch.operation) == ("apply_patch_call", {"diff": "+a"})
    assert so_far.answer().function_calls == []


def test_what_is_said_of_the_whole_replaces_the_pieces() -> None:
    """The text, the item and the answer as the API gives them in the end win over what came."""
    done: Plain = {"type": "response.output_text.done", "output_index": 0, "text": "Whole"}
    so_far = responses_of(piece("output_text", "Who"), done, piece("output_text", "!"))
    assert so_far.answer().text == "Whole!"
    item = {"type": "message", "content": [{"type": "output_text", "text": "Item"}]}
    told: Plain = {"type": "response.output_item.done", "output_index": 0, "item": item}
    so_far = responses_of(piece("output_text", "Who"), told)
    assert so_far.answer().text == "Item"
    final = {"id": "gen-1", "status": "completed", "output": [item, item]}
    so_far = responses_of(told, {"type": "response.completed", "response": final})
    assert (so_far.answer().text, so_far.finished) == ("ItemItem", True)
    assert so_far.id == "gen-1"
    empty: Plain = {"type": "response.completed", "response": {"status": "completed", "output": []}}
    assert responses_of(told, empty).answer().text == "Item"


def test_citations_come_with_their_part() -> None:
    """An annotation is kept with the text that it belongs to."""
    note = {"type": "url_citation", "url": "https://example.com"}
    kind = "response.output_text.annotation.added"
    so_far = responses_of(
        piece("output_text", "A"), {"type": kind, "output_index": 0, "annotation": note}
    )
    (item,) = so_far.answer().output
    assert isinstance(item.content, list)
    assert item.content[0].annotations == [note]


def test_events_that_change_nothing() -> None:
    """A tool at work and what nobody knows yet count as signs of life, announcements do not."""
    names = ["response.created", "response.in_progress", "response.queued", "response.debug"]
    silent: list[Plain] = [{"type": name} for name in names]
    assert responses_of(*silent).deltas == 0
    panel: Plain = {"type": "response.fusion_call.panel.failed", "error": "No", "model": "a/b"}
    so_far = responses_of(panel, {"type": "response.web_search_call.searching"}, {"type": "new"})
    assert (so_far.deltas, so_far.failed) == (3, None)
    assert so_far.answer() == Response()


def test_an_image_that_was_drawn() -> None:
    """The result of OpenAI's own tool is an image."""
    item = ResponseItem(type="image_generation_call", result="AAAA")
    (image,) = Response(output=[item]).images
    assert image.bytes == b"\0\0\0"


def test_fields_that_no_event_names_are_reachable() -> None:
    """Every field of an event is in its `data`."""
    event = ResponseEvent(raw=b'{"type": "x", "analyst_model": "a/b"}')
    assert event.data["analyst_model"] == "a/b"
    assert ResponseEvent().data == {}
    assert MessageEvent(raw=b'{"a": 1}').data == {"a": 1}


# Messages.

START: Plain = {"type": "message_start", "message": {"id": "gen-1", "model": "m", "content": []}}


def delta(kind: str, index: int = 0, **fields: Any) -> Plain:
    """One delta of /messages."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind} | fields}


def test_every_kind_of_delta_has_its_place() -> None:
    """Text, thoughts, signatures, citations, summaries and arguments go to their block."""
    so_far = messages_of(
        START,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        delta("thinking_delta", thinking="H"),
        delta("thinking_delta", thinking="m"),
        delta("signature_delta", signature="s1"),
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "A"}},
        delta("text_delta", 1, text="B"),
        delta("citations_delta", 1, citation={"url": "u"}),
        delta("text_delta", 1, text="C"),
        {"type": "content_block_start", "index": 2, "content_block": {"type": "compaction"}},
        delta("compaction_delta", 2, content="short", encrypted_content="e"),
        {"type": "content_block_start", "index": 3, "content_block": {"type": "tool_use", "id": "t", "input": {}}},
        delta("input_json_delta", 3, partial_json='{"a":'),
        delta("input_json_delta", 3, partial_json="1}"),
        {"type": "content_block_stop", "index": 3},
        delta("new_delta", 4, colour="red"),
    )  # fmt: skip
    answer = so_far.answer()
    thought, said, summary, call = answer.content[:4]
    assert (thought.thinking, thought.signature) == ("Hm", "s1")
    assert (said.text, said.citations) == ("ABC", [{"url": "u"}])
    assert (summary.content, summary.encrypted_content) == ("short", "e")
    assert (call.input, call.cut_input) == ({"a": 1}, None)
    assert (answer.text, answer.reasoning, answer.model) == ("ABC", "Hm", "m")


@pytest.mark.parametrize(
    ("pieces", "is_closed", "input", "cut"),
    [
        ([], True, {}, None),
        ([], False, None, ""),
        (['{"a": 1}'], False, None, '{"a": 1}'),
        (['{"a": '], True, None, '{"a": '),
        (["null"], True, None, None),
    ],
)
def test_a_call_is_whole_once_it_is_closed(
    pieces: list[str], is_closed: bool, input: Any, cut: str | None
) -> None:
    """Arguments can be run when their block has ended and they are JSON."""
    block: Plain = {"type": "tool_use", "id": "t", "name": "now", "input": {}}
    events: list[Plain] = [
        START,
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(delta("input_json_delta", partial_json=one) for one in pieces),
    ]
    if is_closed:
        events.append({"type": "content_block_stop", "index": 0})
    answer = messages_of(*events).answer()
    assert (answer.content[0].input, answer.content[0].cut_input) == (input, cut)
    assert len(answer.tool_uses) == (cut is None)


def test_usage_is_counted_from_the_start() -> None:
    """A later count replaces an earlier one, and what it does not count stays."""
    start = {"id": "gen-1", "usage": {"input_tokens": 7, "output_tokens": 1}}
    so_far = messages_of(
        {"type": "message_start", "message": start},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 9, "cache_read_input_tokens": 100, "cost": 0.5},
            "context_management": {"applied_edits": []},
        },
        {"type": "ping"},
        {"type": "message_stop", "openrouter_metadata": {"a": 1}},
    )
    answer = so_far.answer()
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 9)
    assert answer.usage.total_tokens == 116
    assert answer.cost == 0.5
    assert answer.openrouter_metadata == {"a": 1}
    assert answer.context_management == {"applied_edits": []}
    assert (so_far.finished, so_far.is_over) == (True, True)


def test_results_that_come_whole_say_something() -> None:
    """A tool's result has no deltas, so its start is the sign of life."""
    block = {"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"url": "u"}]}
    event: Plain = {"type": "content_block_start", "index": 0, "content_block": block}
    so_far = messages_of(START, event)
    assert so_far.deltas == 1
    assert so_far.answer().content[0].to_dict() == block


# The older completions.


def test_texts_are_told_apart_by_their_index() -> None:
    """Pieces, reasons and probabilities that come mixed go to their text."""
    probable = {"tokens": ["a"], "token_logprobs": [-1.0], "text_offset": [0]}
    top = probable | {"top_logprobs": [{"a": -1.0}]}
    so_far = texts_of(
        {"id": "gen-1", "choices": [{"index": 1, "text": "B"}]},
        {"id": "gen-1", "choices": [{"index": 0, "text": "A", "logprobs": probable}]},
        {"choices": [{"index": 0, "text": "a", "logprobs": top, "reasoning": "Hm"}]},
        {"choices": [{"index": 1, "text": "b", "finish_reason": "length"}]},
    )
    finished = [so_far.finished]
    so_far.add(CompletionResponse.from_dict({"choices": [{"index": 0, "finish_reason": "stop"}]}))
    answer = so_far.answer()
    assert [*finished, so_far.finished] == [False, True]
    assert [choice.text for choice in answer.choices] == ["Aa", "Bb"]
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "length"]
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Aa", "Hm", "stop")
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert (logprobs.tokens, logprobs.token_logprobs) == (["a", "a"], [-1.0, -1.0])
    assert logprobs.top_logprobs == [{"a": -1.0}]
    assert answer.choices[1].logprobs is None


@pytest.mark.parametrize(
    "chunk",
    [
        {"error": {"message": "No", "code": 502}},
        {"choices": [{"index": 0, "error": {"message": "No"}, "finish_reason": "error"}]},
        {"choices": [{"index": 0, "finish_reason": "error"}]},
    ],
)
def test_every_form_of_a_failed_chunk(chunk: Plain) -> None:
    """A failure of the answer or of a text is seen, in whichever place it stands."""
    assert texts_of({"choices": [{"index": 0, "text": "A"}]}, chunk).failed is not None


def test_empty_answers_have_no_text() -> None:
    """The short spellings are empty where there is nothing."""
    assert (CompletionResponse().text, CompletionResponse().finish_reason) == ("", None)
    assert (CompletionResponse().reasoning, CompletionResponse().cost) == ("", None)
    assert (Response().text, Response().cost, Response(output_text="Hi").text) == ("", None, "Hi")
    assert (AnthropicMessage().text, AnthropicMessage().cost) == ("", None)


# Whole streams.


@pytest.mark.parametrize(
    ("reply", "stream", "so_far"),
    [
        (response, ResponseStream, ResponseSoFar),
        (message, MessageStream, MessageSoFar),
        (text, CompletionStream, TextsSoFar),
    ],
)
def test_a_stream_adds_up_to_the_answer_in_one_piece(reply: Any, stream: Any, so_far: Any) -> None:
    """The emulator's two forms of an answer are the same to the reader."""
    calls = [{"name": "now", "arguments": {"a": 1}, "id": "call_1"}]
    script = {"reasoning": ("Hm", "."), "tool_calls": calls, "tokens": (5, 6)}
    gathered = so_far()
    for data in SSEDecoder().feed(reply("Hel", "lo", **script).body):
        if data != b"[DONE]":
            gathered.add(stream._reader.decode(data))
    answer: Any = gathered.answer()
    whole = answer.from_json(reply("Hel", "lo", whole=True, **script).body)
    assert answer.to_dict() == whole.to_dict()


def recorded(pattern: str) -> list[Any]:
    """A parameter for each recorded body, or one that is skipped and says why."""
    shared = shared_folder()
    if shared is None:
        reason = "recorded traffic is not part of the project: set OPENROUTER_ASYNC_SHARED"
        return [pytest.param(Path(), marks=pytest.mark.skip(reason=reason), id="none")]
    found = sorted((shared / "recordings").glob(pattern))
    assert found
    return [pytest.param(path, id=path.stem[:60]) for path in found]


@pytest.mark.parametrize("path", recorded("openrouter_responses_stream/*.sse"))
def test_recorded_streams_add_up(path: Path) -> None:
    """The last snapshot is the answer, and without it the pieces make the same of the items."""
    whole, pieces = ResponseSoFar(), ResponseSoFar()
    events = [data for data in SSEDecoder().feed(path.read_bytes()) if data != b"[DONE]"]
    for data in events:
        event: ResponseEvent = ResponseStream._reader.decode(data)  # pyright: ignore[reportPrivateUsage]
        whole.add(event)
        if event.type not in ("response.completed", "response.output_item.done"):
            pieces.add(event)
        wire = without_nulls(json.loads(data))
        told = without_nulls(event.to_dict())
        assert told == {name: wire[name] for name in told}
    final = json.loads(events[-1])["response"]
    assert without_nulls(whole.answer().to_dict()) == without_nulls(final)
    assert whole.finished
    assert pieces.answer().text == whole.answer().text
    assert pieces.answer().reasoning == whole.answer().reasoning
    calls = [call.arguments for call in whole.answer().function_calls]
    made = [item.arguments for item in pieces.answer().output if item.type == "function_call"]
    assert made == calls


@pytest.mark.parametrize("path", recorded("openrouter_json/*responses*[0-9].json"))
def test_recorded_responses_go_back(path: Path) -> None:
    """A recorded body becomes its type and, written again, the same body."""
    answer = Response.from_json(path.read_bytes())
    assert without_nulls(answer.to_dict()) == without_nulls(json.loads(path.read_bytes()))
    assert answer.text == "OK"
