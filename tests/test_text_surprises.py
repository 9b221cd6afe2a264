"""Whatever a server sends, a text stream gives events, or raises an error of the client's."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async import OpenRouterError
from openrouter_async._config import Limits, Timeouts
from openrouter_async._event_stream import Accept
from openrouter_async._sse import NamedEvent
from openrouter_async.text_streams import CompletionStream, MessageStream, ResponseStream
from openrouter_async.text_streams.messages import _TEXTS  # pyright: ignore[reportPrivateUsage]
from openrouter_async.text_streams.responses import (  # pyright: ignore[reportPrivateUsage]
    _DELTAS,
    _DONES,
    _FAILING,
    _FINISHING,
    _SILENT,
)

KINDS = [
    *(*_DELTAS, *_DONES, *_FAILING, *_FINISHING, *_SILENT, *_TEXTS),
    *("response.output_item.done", "response.output_text.annotation.added", "new.event"),
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "message_stop", "ping", "citations_delta", "compaction_delta"),
    *("message", "text", "tool_use", "thinking", "function_call", "output_text"),
]
NAMES = [
    *(
        "type",
        "index",
        "output_index",
        "content_index",
        "summary_index",
        "item_id",
        "delta",
        "item",
    ),
    *("part", "response", "annotation", "text", "refusal", "arguments", "error", "code", "message"),
    *(
        "id",
        "model",
        "status",
        "output",
        "usage",
        "content",
        "summary",
        "operation",
        "name",
        "input",
    ),
    *("content_block", "partial_json", "thinking", "signature", "citation", "stop_reason"),
    *("encrypted_content", "choices", "logprobs", "tokens", "top_logprobs", "finish_reason"),
    *("reasoning", "input_tokens", "output_tokens", "cost", "citations", "request_id"),
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
    st.sampled_from([*KINDS, "", "a", "{"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.sampled_from(NAMES), below, max_size=5)
    ),
    max_leaves=12,
)


def event_of(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Give an event its kind."""
    return fields | {"type": kind}


EVENTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        event_of,
        st.sampled_from(KINDS),
        st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6),
    ),
    VALUES,
)


async def never(accept: Accept) -> None:
    """Send nothing: these streams are fed by hand."""


@pytest.mark.parametrize("kind", [ResponseStream, MessageStream, CompletionStream])
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(events=st.lists(EVENTS, max_size=6), names=st.lists(st.sampled_from(["", "error"])))
def test_no_event_is_a_surprise(kind: Any, events: list[Any], names: list[str]) -> None:
    """Events of any shape are taken, and what they add up to can be looked at after each."""
    stream = kind(never, timeouts=Timeouts(), limits=Limits())
    for position, event in enumerate(events):
        data = json.dumps(event).encode()
        name = names[position] if position < len(names) else ""
        try:
            taken = stream._take(NamedEvent(data, name) if name else data)
        except OpenRouterError as error:
            stream._complete_error(error)
        else:
            if taken is not None:
                assert isinstance(taken.text + taken.reasoning, str)
                assert taken.raw == data
        partial = stream.partial
        assert isinstance(partial.text + partial.reasoning, str)
        assert partial.from_json(partial.to_json()) is not None
        assert stream.cost is None or isinstance(stream.cost, float)
        msgspec.json.encode(partial.to_dict())
