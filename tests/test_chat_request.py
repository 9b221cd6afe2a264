"""Chat requests: the bytes that are sent, what is refused, and answers that are no stream."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from inspect import signature
from types import MappingProxyType
from typing import Any, cast

import msgspec
import pytest

from openrouter_async import (
    CallParams,
    ChatCompletion,
    ChatParams,
    Message,
    OpenRouter,
    ProtocolError,
    RateLimitError,
    ToolCall,
)
from openrouter_async._completion import completion_from
from openrouter_async._config import Secret, checked_headers
from openrouter_async.errors import (
    APIStatusError,
    BadGatewayError,
    ModerationError,
    ServerError,
    StreamAPIError,
)
from openrouter_async.resources._messages import checked_messages
from openrouter_async.resources._params import _OF_CALLS  # pyright: ignore[reportPrivateUsage]
from openrouter_async.resources.chat import chat_body
from openrouter_async.types import (
    Choice,
    ContentPart,
    FunctionCall,
    Image,
    ImageURL,
    ReasoningDetail,
)

Plain = dict[str, Any]
KEY = "sk-or-v1-0123456789abcdef"
ASK: Plain = {"role": "user", "content": "Hi"}


def body(messages: Any = "Hi", model: Any = "m", stream: Any = True, **params: Any) -> bytes:
    """Build the body of a request."""
    return chat_body(messages, model=model, stream=stream, params=params)


# The bytes.


def test_the_bytes_of_a_plain_request() -> None:
    """A prompt becomes one message of the user; nothing is sent that was not asked for."""
    assert body() == b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}'
    assert body(model=None, stream=False) == (
        b'{"messages":[{"role":"user","content":"Hi"}],"stream":false}'
    )


def test_the_order_of_the_fields_is_fixed() -> None:
    """Equal requests are equal bytes, in whatever order the keywords were written."""
    params: Plain = {"user": "u", "seed": 1, "temperature": 0.5, "models": ["a"], "tools": []}
    one = body(**params)
    other = body(**dict(reversed(params.items())))
    assert one == other
    order = ["model", "messages", "stream", "models", "temperature", "seed", "tools", "user"]
    assert list(json.loads(one)) == order


def test_none_is_sent_and_unset_is_not() -> None:
    """None is a value of the API, null; only what is left out is not sent."""
    assert json.loads(body(temperature=None))["temperature"] is None
    assert "temperature" not in json.loads(body())


def test_extra_body_is_merged_last() -> None:
    """Fields that are newer than the client come last, and win."""
    sent = body(seed=1, extra_body={"seed": 2, "brand_new": {"a": [1]}})
    assert json.loads(sent) == {
        "model": "m",
        "messages": [ASK],
        "stream": True,
        "seed": 2,
        "brand_new": {"a": [1]},
    }
    assert sent.endswith(b'"brand_new":{"a":[1]}}')


def test_extra_headers_are_not_part_of_the_body() -> None:
    """What goes into the headers stays out of the body."""
    assert body(extra_headers={"X-A": "b"}) == body()


def test_text_is_sent_as_it_is() -> None:
    """No character of a prompt is changed on its way."""
    text = 'a\u2028"\\\n\0\U0001f327'
    assert json.loads(body(text))["messages"][0]["content"] == text


def test_arguments_are_left_as_they_were() -> None:
    """Building a request changes nothing that it was given."""
    messages: list[Plain] = [{"role": "user", "content": [{"type": "text", "text": "a"}]}]
    extra: Plain = {"x": 1}
    before = json.dumps([messages, extra])
    body(messages, extra_body=extra)
    assert json.dumps([messages, extra]) == before


def test_mappings_and_structs_are_mixed() -> None:
    """Messages and parts are plain mappings of any kind, or our structs."""
    sent = checked_messages(
        [
            MappingProxyType({"role": "system", "content": "s"}),
            OrderedDict(role="user", content=({"type": "text", "text": "a"},)),
            Message(
                content=None,
                reasoning_details=[
                    ReasoningDetail(type="reasoning.x", extra={"beads": [1]}, index=0)
                ],
                tool_calls=[ToolCall(id="c", function=FunctionCall(name="f", arguments="{}"))],
                open_tool_calls=[ToolCall(id="never")],
            ),
            {"role": "tool", "tool_call_id": "c", "content": "42"},
            {
                "role": "user",
                "content": [
                    ContentPart(type="text", text="and"),
                    Image(image_url=ImageURL(url="data:,x")),
                ],
            },
        ]
    )
    assert sent == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {
            "role": "assistant",
            "reasoning_details": [{"type": "reasoning.x", "index": 0, "beads": [1]}],
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
            "content": None,
        },
        {"role": "tool", "tool_call_id": "c", "content": "42"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "and"},
                {"type": "image_url", "image_url": {"url": "data:,x"}},
            ],
        },
    ]


def test_a_struct_of_ones_own_is_a_part() -> None:
    """A part may be any struct that msgspec can write."""

    class Part(msgspec.Struct):
        type: str = "text"
        text: str = "a"

    sent = json.loads(body([{"role": "user", "content": [Part()]}]))
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "a"}]


# What is refused.


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("temprature", "did you mean 'temperature'?"),
        ("max_token", "did you mean 'max_tokens'?"),
        ("reasonning", "did you mean 'reasoning'?"),
        ("Tools", "did you mean 'tools'?"),
        ("zzzzzz", "newer fields go into extra_body"),
        ("store", "newer fields go into extra_body"),
        ("timeout", "did you mean 'timeouts'?"),
        ("max_turn", "did you mean 'max_turns'?"),
        ("response_typ", "did you mean 'response_type'?"),
    ],
)
def test_an_unknown_keyword_is_refused(name: str, hint: str) -> None:
    """A misspelt keyword is a TypeError that names the right one."""
    with pytest.raises(TypeError) as caught:
        body(**{name: 1})
    assert str(caught.value) == f"unknown keyword {name!r}; {hint}"


def test_a_keyword_of_another_call_is_refused() -> None:
    """A keyword that only another call takes is a TypeError that names that call."""
    with pytest.raises(TypeError, match=r"'max_turns' here; client.run_tools\(...\) has it"):
        body(max_turns=3)


def test_the_switch_of_other_clients_is_refused() -> None:
    """Who writes `stream=True`, as with other clients, is told the two calls."""
    given: Plain = {"stream": True}
    with pytest.raises(TypeError, match=r"client.stream\(...\) streams, client.complete\(...\)"):
        _ = OpenRouter(KEY).stream("Hi", **given)


def test_every_keyword_of_a_call_can_be_suggested() -> None:
    """What the calls of a client take beside the fields of a request is known, and where from."""
    calls = ("stream", "complete", "stream_images", "stream_pdf", "run_tools", "map")
    taken = {
        call: {
            *(it.name for it in signature(getattr(OpenRouter, call)).parameters.values()),
            *CallParams.__annotations__,
        }
        for call in (*calls, "conversation")
    }
    positional = {"self", "messages", "prompt", "documents", "requests", "params", "model"}
    every = set[str]().union(*taken.values()) - positional - set(ChatParams.__annotations__)
    assert set(_OF_CALLS) == every
    assert all(name in taken[call] for name, call in _OF_CALLS.items())


def test_what_the_docstring_tells_are_fields() -> None:
    """The docstring explains fields that there are, first and last among them."""
    said = set(re.findall(r"^        (\w+): ", ChatParams.__doc__ or "", re.MULTILINE))
    assert said <= set(ChatParams.__annotations__)
    assert {"temperature", "max_completion_tokens", "session_id", "usage"} <= said


def test_a_class_is_no_format_of_an_answer() -> None:
    """A class in place of the wire form is sent to the keyword that takes it."""
    with pytest.raises(TypeError, match=r"got the class Reply; give it as response_type"):
        body(response_format=type("Reply", (), {}))


@pytest.mark.parametrize(
    ("messages", "kind", "message"),
    [
        ("", ValueError, "messages must not be empty"),
        ([], ValueError, "messages must not be empty"),
        (None, TypeError, "messages must be a str or a sequence of messages, got NoneType"),
        (b"Hi", TypeError, "messages must be a str or a sequence of messages, got bytes"),
        (ASK, TypeError, "messages must be a str or a sequence of messages, got dict"),
        (Message(), TypeError, "messages must be a str or a sequence of messages, got Message"),
        ({1}, TypeError, "messages must be a str or a sequence of messages, got set"),
        (iter([ASK]), TypeError, "messages must be a str or a sequence of messages, got list_iterator"),
        (["Hi"], TypeError, "messages[0] must be a mapping, got str"),
        ([ASK, None], TypeError, "messages[1] must be a mapping, got NoneType"),
        ([ASK, ChatCompletion()], TypeError, "messages[1] must be a mapping, got ChatCompletion; pass its .message"),
        ([ASK, {"content": "x"}], ValueError, "messages[1].role is missing; it is 'user', 'assistant', 'system', ..."),
        ([{"role": 5}], TypeError, "messages[0].role must be a str, got int"),
        ([{"role": "user", "content": 5}], TypeError, "messages[0].content must be a str, a sequence of parts or None, got int"),
        ([{"role": "user", "content": b"x"}], TypeError, "messages[0].content must be a str, a sequence of parts or None, got bytes"),
        ([{"role": "user", "content": {"type": "text"}}], TypeError, "messages[0].content must be a str, a sequence of parts or None, got dict"),
        ([ASK, ASK, {"role": "user", "content": ["x"]}], TypeError, "messages[2].content[0] must be a mapping, got str"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}], ValueError, "messages[0].content[1].type must say what the part is, such as 'text'; got None"),
        ([{"role": "user", "content": [{"type": 5}]}], ValueError, "messages[0].content[0].type must say what the part is, such as 'text'; got 5"),
    ],
)  # fmt: skip
def test_a_bad_message_is_named_by_its_place(
    messages: object, kind: type[Exception], message: str
) -> None:
    """What is wrong with the messages is said before anything is sent, with the place."""
    with pytest.raises(kind) as caught:
        body(messages)
    assert str(caught.value) == message


@pytest.mark.parametrize("content", [None, "", [], ()])
def test_a_message_may_be_empty(content: object) -> None:
    """No content is a content: whether it makes sense is for the API to say."""
    sent = json.loads(body([{"role": "assistant", "content": content}]))
    assert sent["messages"][0]["content"] == (list[object]() if content == () else content)


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (5, TypeError, "model must be a str, got int"),
        (["a"], TypeError, "model must be a str, got list"),
        ("", ValueError, "model must not be empty; leave it out for the account's default model"),
        (" ", ValueError, "model must not be empty; leave it out for the account's default model"),
    ],
)
def test_a_bad_model_is_refused(model: object, kind: type[Exception], message: str) -> None:
    """A model is a name or nothing."""
    with pytest.raises(kind) as caught:
        body(model=model)
    assert str(caught.value) == message


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("params", "kind", "start"),
    [
        ({"extra_body": 5}, TypeError, "extra_body must be a mapping, got int"),
        ({"tools": [object()]}, TypeError, "tools cannot be sent as JSON"),
        ({"metadata": {"a": {1j}}}, TypeError, "metadata cannot be sent as JSON"),
        ({"extra_body": {"new": object()}}, TypeError, "extra_body cannot be sent as JSON"),
        ({"stop": "\ud800"}, ValueError, "stop holds a lone surrogate, which is no text"),
        ({"user": CIRCLE}, TypeError, "user cannot be sent as JSON"),
    ],
)
def test_what_cannot_be_sent_is_named(params: Plain, kind: type[Exception], start: str) -> None:
    """A value that JSON cannot hold is refused under the name of its field."""
    with pytest.raises(kind) as caught:
        body(**params)
    assert str(caught.value).startswith(start)


def test_a_lone_surrogate_in_a_prompt_is_refused_unseen() -> None:
    """A prompt that is no text is refused without being repeated."""
    with pytest.raises(ValueError, match=r"^messages holds a lone surrogate") as caught:
        body("a secret prompt \ud800")
    assert "secret" not in str(caught.value)


# Headers.


def test_good_headers_pass() -> None:
    """Names and values that HTTP can carry are taken as they are."""
    headers = {"X-Title": "caf\u00e9", "x_y-1": "", "A": "a b\tc"}
    assert checked_headers(MappingProxyType(headers), "extra_headers") == headers


@pytest.mark.parametrize(
    ("headers", "kind", "message"),
    [
        ({"X": "a\r\nY: b"}, ValueError, "extra_headers['X'] holds a line end, which would forge a header"),
        ({"X": "a\n"}, ValueError, "extra_headers['X'] holds a line end, which would forge a header"),
        ({"X": "a\0"}, ValueError, "extra_headers['X'] holds a line end, which would forge a header"),
        ({"X\r\nY": "b"}, ValueError, "extra_headers holds 'X\\r\\nY', which is no header name"),
        ({"X: Y": "b"}, ValueError, "extra_headers holds 'X: Y', which is no header name"),
        ({"": "b"}, ValueError, "extra_headers holds '', which is no header name"),
        ({"\u00e9": "b"}, ValueError, "extra_headers holds '\u00e9', which is no header name"),
        ({"X": 5}, TypeError, "extra_headers must map str to str, got 'X': int"),
        ({5: "x"}, TypeError, "extra_headers must map str to str, got 5: str"),
        ([("X", "y")], TypeError, "extra_headers must be a mapping, got list"),
        ("X: y", TypeError, "extra_headers must be a mapping, got str"),
    ],
)  # fmt: skip
def test_bad_headers_are_refused(headers: object, kind: type[Exception], message: str) -> None:
    """A header cannot smuggle in another, and the error does not show its value."""
    with pytest.raises(kind) as caught:
        checked_headers(headers, "extra_headers")
    assert str(caught.value) == message


# Answers that are no stream.


def completed(answer: object, secret: str | None = None) -> ChatCompletion:
    """Decode an answer that came whole."""
    wire = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return completion_from(wire, now=0.0, secret=None if secret is None else Secret(secret))


def test_an_answer_is_decoded() -> None:
    """An answer that came whole is the completion that it says."""
    completion = completed(
        {
            "id": "gen-1",
            "choices": [{"message": {"role": "assistant", "content": "So."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "cost": 0.5},
        }
    )  # fmt: skip
    assert completion.choices == [Choice(message=Message(content="So."), finish_reason="stop")]
    assert (completion.text, completion.cost, completion.error) == ("So.", 0.5, None)


SURPRISES: list[Plain] = [
    {"role": "assistant", "content": "So.", "brand_new": {"a": 1}},
    {"role": None, "content": "So.", "tool_calls": "none"},
    {"content": "So.", "reasoning_details": [{"type": "x", "beads": []}]},
    {"content": "So.", "tool_calls": None, "annotations": {}, "audio": "x"},
]


@pytest.mark.parametrize("message", SURPRISES)
def test_a_surprising_answer_is_decoded_too(message: Plain) -> None:
    """What surprises in an answer does not hide the rest of it."""
    assert completed({"choices": [{"index": "0", "message": message}]}).text == "So."


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        ({"error": {"code": 429, "message": "Slow down."}, "user_id": "u"}, RateLimitError, "Slow down."),
        ({"error": {"code": 502, "message": "Gone."}, "choices": None, "id": None}, BadGatewayError, "Gone."),
        ({"error": {"code": 502, "message": "Gone."}, "choices": []}, BadGatewayError, "Gone."),
        ({"error": {"code": "server_error", "message": "Gone."}}, ServerError, "Gone."),
        ({"error": "Gone."}, StreamAPIError, "Gone."),
        ({"error": {}}, StreamAPIError, "the API reported an error without a message"),
        ({"error": {"code": 403, "message": "No.", "metadata": {"reasons": ["x"]}}}, ModerationError, "No."),
        ({"choices": [{"error": {"code": 502, "message": "Gone."}}]}, BadGatewayError, "Gone."),
        ({"choices": [{"message": {"content": "So f"}, "error": {"code": 502, "message": "Gone."}}]}, BadGatewayError, "Gone."),
        ({"choices": [{"message": {"content": "So f"}, "finish_reason": "error"}]}, StreamAPIError, "the provider ended the answer with an error"),
        ({"choices": [{}, {"index": 1, "error": {"code": 429, "message": "Gone."}}]}, RateLimitError, "Gone."),
    ],
)  # fmt: skip
def test_an_error_inside_a_200_raises(
    answer: Plain, kind: type[APIStatusError], sentence: str
) -> None:
    """An error in a body that HTTP called a success is the error that it would have been."""
    with pytest.raises(StreamAPIError) as caught:
        completed(answer)
    assert isinstance(caught.value, kind)
    assert str(caught.value).startswith(sentence)


def test_what_had_come_before_the_error_is_kept() -> None:
    """The part of an answer before its error is on the exception, with the id."""
    answer = {
        "id": "gen-1",
        "choices": [{"message": {"content": "So f"}, "error": {"code": 502, "message": "Gone."}}],
    }
    with pytest.raises(StreamAPIError) as caught:
        completed(answer)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "So f"
    assert caught.value.generation_id == "gen-1"


def test_an_error_without_an_answer_has_no_partial() -> None:
    """Where nothing of an answer had come, there is no partial."""
    with pytest.raises(StreamAPIError) as caught:
        completed({"error": {"code": 502, "message": "Gone."}})
    assert caught.value.partial is None


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": None}, {"choices": []}, {"id": "gen-1", "choices": None, "error": None},
     [], None, 5, "x", b"", b"{", b"<html>", b"[" * 100_000, b"\xff"],
)  # fmt: skip
def test_what_is_no_completion_is_a_protocol_error(answer: object) -> None:
    """A body without a choice and without an error is not an answer of this API."""
    with pytest.raises(ProtocolError, match=r"^the answer (is|holds)"):
        completed(answer)


def test_a_key_in_an_answer_is_not_shown() -> None:
    """An error inside a 200 that echoes the key does not make us show it."""
    with pytest.raises(StreamAPIError) as caught:
        completed({"error": {"message": f"Bad key {KEY}."}}, secret=KEY)
    assert KEY not in repr(caught.value)
    assert KEY not in repr(cast("object", vars(caught.value)))
