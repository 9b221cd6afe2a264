"""A run of tools against the emulator: turns, calls side by side, stops, approval, leaving."""

from __future__ import annotations

import asyncio
import json
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

from openrouter_async import ChatChunk, OpenRouter, RetryPolicy, StreamTruncatedError, ToolRun, tool
from openrouter_async.budget import Budget
from openrouter_async.errors import BadRequestError, BudgetExceededError
from openrouter_async.testing import Emulator, Reply, chat, http_error
from openrouter_async.tools import (
    RunCall,
    RunEvent,
    ToolCallProgress,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from openrouter_async.types import Image, ImageURL, TextPart
from tests.quiet import assert_nothing_leased, assert_serves, other_tasks

if TYPE_CHECKING:
    from collections.abc import Callable

Plain = dict[str, Any]


def call(name: str, /, **arguments: object) -> Plain:
    """A call as `chat` takes it; without an id, which `chat` makes from the position."""
    return {"name": name, "arguments": arguments}


def asking(*calls: Plain, **more: Any) -> Reply:
    """An answer that calls tools."""
    return chat(tool_calls=calls, **more)


def sent(emulator: Emulator, number: int = -1) -> Plain:
    """The body of a request."""
    body: Plain = emulator.requests[number].json
    return body


def told(emulator: Emulator, number: int = -1) -> list[tuple[str, Any]]:
    """What a request's tool messages say, each with the id of its call."""
    messages = sent(emulator, number)["messages"]
    return [(m["tool_call_id"], m["content"]) for m in messages if m["role"] == "tool"]


async def double(n: int) -> int:
    """Double a number."""
    return 2 * n


async def broken(n: int) -> int:
    """Fail."""
    raise ZeroDivisionError(f"no {n} with sk-or-v1-0123456789abcdef")


# The loop.


async def test_five_turns(emulator: Emulator, client: OpenRouter) -> None:
    """Five turns with parallel calls, a failing tool, a bad argument and an approval, in order."""
    asked: list[str] = []

    @tool(needs_approval=True)
    async def delete(path: str) -> str:
        """Delete a file."""
        return f"deleted {path}"

    def approve(call: RunCall) -> bool:
        asked.append(f"{call.name} {call.arguments['path']}")
        return True

    emulator.play(
        chat(
            "I double. ", tool_calls=[call("double", n=1), call("double", n=2), call("double", n=3)]
        ),
        asking(call("broken", n=4), call("double", n=5)),
        asking(call("double", n="six")),
        asking(call("delete", path="/tmp/x")),
        chat("All ", "done"),
    )
    run = client.run_tools("Go", tools=[double, broken, delete], on_approval=approve, user="u1")
    text = "".join([chunk.text async for chunk in run])
    assert text == "I double. All done"
    assert (run.turns, run.stopped_because, run.completion.text) == (5, "finished", "All done")
    assert told(emulator, 1) == [("call_0", "2"), ("call_1", "4"), ("call_2", "6")]
    assert told(emulator, 2)[-2:] == [
        ("call_0", "Error: ZeroDivisionError: no 4 with ***"),
        ("call_1", "10"),
    ]
    (_, mismatch) = told(emulator, 3)[-1]
    assert "`int`" in mismatch
    assert "$.n" in mismatch
    assert told(emulator, 4)[-1] == ("call_0", "deleted /tmp/x")
    assert asked == ["delete /tmp/x"]
    assert [c.state for c in run.calls] == [*["done"] * 3, "failed", "done", "failed", "done"]
    assert [c.turn for c in run.calls] == [1, 1, 1, 2, 2, 3, 4]
    assert run.cost == pytest.approx(5 * 0.00015)
    assert run.messages[:-1] == sent(emulator)["messages"]
    assert run.messages[-1] == {"role": "assistant", "content": "All done"}
    assert run.messages[1]["content"] == "I double. "
    assert run.messages[5]["content"] is None  # a turn of calls alone
    assert [sent(emulator, n)["tools"] for n in range(5)] == [sent(emulator)["tools"]] * 5
    assert {sent(emulator, n)["user"] for n in range(5)} == {"u1"}
    await emulator.wait_for(lambda: client.stats().leased == 0)
    assert_nothing_leased(client)


async def test_awaiting_gives_the_last_answer(emulator: Emulator, client: OpenRouter) -> None:
    """`await run` runs to the end; once more gives the same."""
    emulator.play(asking(call("double", n=1)), chat("two"))
    run = client.run_tools("Go", tools=[double])
    assert (await run).text == "two"
    assert (await run).text == "two"
    assert emulator.accepted == 2


async def test_stepping_by_hand(emulator: Emulator, client: OpenRouter) -> None:
    """`anext` steps through the chunks; nothing is sent before the first."""
    emulator.play(asking(call("double", n=1)), chat("two"))
    run = client.run_tools("Go", tools=[double])
    assert emulator.accepted == 0
    text = ""
    with pytest.raises(StopAsyncIteration):
        while True:
            text += (await anext(run)).text
    assert text == "two"


async def test_without_tools_it_is_one_answer(emulator: Emulator, client: OpenRouter) -> None:
    """An empty list of tools is not sent."""
    emulator.play(chat("hello"))
    run = client.run_tools([{"role": "user", "content": "Hi"}], tools=[])
    assert (await run).text == "hello"
    assert "tools" not in sent(emulator)


async def test_calls_run_side_by_side_under_a_limit(emulator: Emulator, client: OpenRouter) -> None:
    """Two at a time, when two are allowed; what is told keeps the order of the calls."""
    running = most = 0
    ends = {n: asyncio.Event() for n in range(4)}

    async def wait(n: int) -> int:
        """Wait for its turn, which comes in reverse."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2 or n >= 2:
            ends[n].set()
            ends[n ^ 1].set()
        await ends[n].wait()
        running -= 1
        return n

    emulator.play(asking(*(call("wait", n=n) for n in range(4))), chat("ok"))
    await client.run_tools("Go", tools=[wait], max_parallel=2)
    assert most == 2
    assert told(emulator) == [(f"call_{n}", str(n)) for n in range(4)]


async def test_plain_functions_run_in_threads_with_the_context(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A `def` does not block the loop, and sees the context variables of whoever runs it."""
    user: ContextVar[str] = ContextVar("user")
    user.set("ada")
    seen: list[tuple[str, bool]] = []
    both = threading.Barrier(2, timeout=5)

    def look(n: int) -> None:
        """Meet another call in a second thread."""
        both.wait()
        seen.append((user.get(), threading.current_thread() is threading.main_thread()))

    emulator.play(asking(call("look", n=1), call("look", n=2)), chat("ok"))
    await client.run_tools("Go", tools=[look])
    assert seen == [("ada", False)] * 2
    assert [content for _, content in told(emulator)] == ["null", "null"]


class Weather(msgspec.Struct):
    """The weather."""

    degrees: int


RESULTS: dict[str, tuple[object, object]] = {
    "text": ("as it is", "as it is"),
    "nothing": (None, "null"),
    "a struct": (Weather(21), '{"degrees":21}'),
    "plain data": ({"b": [1, None], "a": "é"}, '{"b":[1,null],"a":"é"}'),
    "a part": ({"type": "text", "text": "x"}, [{"type": "text", "text": "x"}]),
    "parts": (
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
    ),
    "a part's struct": (TextPart(text="x"), [{"type": "text", "text": "x"}]),
    "an image": (
        Image(image_url=ImageURL(url="data:image/png;base64,AA==")),
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
    ),
    "no parts": ([{"type": "dog"}], '[{"type":"dog"}]'),
    "no json": (object(), "Error: TypeError: the tool returned object, for which there is no JSON"),
}


@pytest.mark.parametrize(("result", "content"), RESULTS.values(), ids=RESULTS)
async def test_what_a_result_is_told_as(
    result: object, content: object, emulator: Emulator, client: OpenRouter
) -> None:
    """Text and parts of messages go as they are, all else as JSON."""

    async def give() -> object:
        """Give something."""
        return result

    emulator.play(asking(call("give")), chat("ok"))
    await client.run_tools("Go", tools=[give])
    assert told(emulator) == [("call_0", content)]


async def test_failures_are_told_in_a_readable_way(emulator: Emulator, client: OpenRouter) -> None:
    """Unknown tools, broken JSON, groups of errors and timeouts: one sentence each, no traceback."""

    async def group() -> None:
        """Fail twice."""
        raise ExceptionGroup("unhandled errors in a TaskGroup", [ValueError("one"), KeyError()])

    @tool(timeout=0.01)
    async def slow() -> None:
        """Never end."""
        await asyncio.Event().wait()

    emulator.play(
        asking(call("nope"), {"name": "double", "arguments": "{"}, call("group"), call("slow")),
        chat("ok"),
    )
    await client.run_tools("Go", tools=[double, group, slow])
    unknown, broken_json, groups, late = (content for _, content in told(emulator))
    assert unknown == "Error: there is no tool 'nope'; the tools are: double, group, slow"
    assert broken_json.startswith("Error: the arguments do not fit: ")
    assert groups == "Error: ValueError: one; KeyError"
    assert late == "Error: TimeoutError: the tool did not come to an end within 0.01 s"
    # Providers that take arguments as an object could not read the model's own.
    second = sent(emulator)["messages"][1]["tool_calls"][1]["function"]["arguments"]
    assert json.loads(second) == {"not_json": "{"}


async def test_a_plain_function_that_is_too_slow_is_left_behind(
    emulator: Emulator, client: OpenRouter
) -> None:
    """The timeout of a thread is told in time, though the thread goes on to its own end."""
    end = threading.Event()

    @tool(timeout=0.01)
    def slow() -> None:
        """Wait for the test."""
        end.wait(5)

    emulator.play(asking(call("slow")), chat("ok"))
    try:
        await client.run_tools("Go", tools=[slow])
        assert not end.is_set()
        assert told(emulator)[0][1].startswith("Error: TimeoutError")
    finally:
        end.set()


@pytest.mark.parametrize("bad", [call("broken", n=1), call("double", n="x"), call("nope")])
async def test_on_error_raise(bad: Plain, emulator: Emulator, client: OpenRouter) -> None:
    """The error itself is raised, the run is over, and the history is there to go on with."""
    emulator.play(asking(bad, call("double", n=2)))
    run = client.run_tools("Go", tools=[double, broken], on_error="raise")
    with pytest.raises((ZeroDivisionError, ValueError, LookupError)):
        await run
    assert run.stopped_because == "error"
    assert run.messages[1]["role"] == "assistant"
    with pytest.raises(RuntimeError, match="nothing more to give: error"):
        await run


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
async def test_exits_pass(
    kind: type[BaseException], emulator: Emulator, client: OpenRouter
) -> None:
    """What is meant for the whole program is not told to the model, and stops the other calls."""
    ended: list[str] = []

    async def leave() -> None:
        """Leave."""
        raise kind

    async def wait() -> None:
        """Wait for ever."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("wait")

    await assert_serves(client, emulator)  # the server's task for the connection is there now
    known = asyncio.all_tasks()
    emulator.play(asking(call("wait"), call("leave")))
    run = client.run_tools("Go", tools=[leave, wait])
    with pytest.raises(kind):
        await run
    assert ended == ["wait"]
    assert run.stopped_because == "closed"
    assert not other_tasks(known)


# Where it stops.


async def test_max_turns(emulator: Emulator, client: OpenRouter) -> None:
    """The calls of the last turn are not run."""
    emulator.play(*(asking(call("double", n=n)) for n in range(3)))
    run = client.run_tools("Go", tools=[double], max_turns=3)
    completion = await run
    assert completion.tool_calls
    assert (run.stopped_because, run.turns, emulator.accepted) == ("max_turns", 3, 3)
    assert [c.state for c in run.calls] == ["done", "done", "waiting"]
    assert [c.id for c in run.pending] == ["call_0"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_stop_when(is_async: bool, emulator: Emulator, client: OpenRouter) -> None:
    """The user's condition is asked after the tools of each turn."""

    def stops(run: ToolRun) -> bool:
        return any(c.result == 4 for c in run.calls)

    async def stops_later(run: ToolRun) -> bool:
        await asyncio.sleep(0)
        return stops(run)

    emulator.play(*(asking(call("double", n=n)) for n in range(1, 5)))
    run = client.run_tools("Go", tools=[double], stop_when=stops_later if is_async else stops)
    await run
    assert (run.stopped_because, run.turns) == ("stop_when", 2)
    assert run.messages[-1]["content"] == "4"


async def test_the_same_calls_again_and_again(emulator: Emulator, client: OpenRouter) -> None:
    """Three turns with the same calls stop the run, in whatever order and spelling they come."""
    one, two = call("double", n=1), call("double", n=2)
    spelt = {"name": "double", "arguments": '{ "n" : 1 }'}
    emulator.play(asking(two), asking(one, two), asking(two, one), asking(spelt, two))
    run = client.run_tools("Go", tools=[double])
    await run
    assert (run.stopped_because, run.turns) == ("repeated_call", 4)
    assert [c.state for c in run.calls] == ["done"] * 5 + ["waiting"] * 2


async def test_repeats_can_be_allowed(emulator: Emulator, client: OpenRouter) -> None:
    """`max_repeats=None` lets a tool be polled."""
    emulator.play(*(asking(call("double", n=1)) for _ in range(5)), chat("ok"))
    run = client.run_tools("Go", tools=[double], max_repeats=None)
    assert (await run).text == "ok"


async def test_a_call_that_was_cut_off_is_not_run(emulator: Emulator, client: OpenRouter) -> None:
    """An answer that ends in the middle of a call stops the run."""
    cut = {"name": "double", "arguments": '{"n": 1'}
    emulator.play(asking(call("double", n=1), cut, finish_reason="length"))
    run = client.run_tools("Go", tools=[double])
    completion = await run
    assert run.stopped_because == "cut_off"
    assert completion.message.open_tool_calls
    assert [c.state for c in run.calls] == ["waiting"]
    assert len(run.messages[-1]["tool_calls"]) == 1


@pytest.mark.parametrize("reason", ["stop", None, "length"])
async def test_whole_calls_run_whatever_the_reason(
    reason: str | None, emulator: Emulator, client: OpenRouter
) -> None:
    """Some providers end a turn of calls with `stop`, or with nothing."""
    emulator.play(asking(call("double", n=1), finish_reason=reason), chat("ok"))
    assert (await client.run_tools("Go", tools=[double])).text == "ok"
    assert told(emulator) == [("call_0", "2")]


async def test_a_broken_turn_raises_and_runs_nothing(emulator: Emulator) -> None:
    """A stream that is cut in a later turn raises; what there was stays readable."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter("sk-or-v1-test-key", base_url=emulator.base_url, retry=retry) as client:
        emulator.play(asking(call("double", n=1)), asking(call("double", n=2)).end_after(2))
        run = client.run_tools("Go", tools=[double])
        with pytest.raises(StreamTruncatedError):
            await run
        assert (run.stopped_because, run.turns) == ("error", 2)
        assert [c.state for c in run.calls] == ["done"]
        emulator.play(chat("on"))
        assert (await client.run_tools(run.messages, tools=[double])).text == "on"


async def test_a_budget_raises(emulator: Emulator, client: OpenRouter) -> None:
    """A turn that the budget does not cover is not sent, and the run says why it is over."""
    run = client.run_tools(
        "Go",
        tools=[double],
        model="openai/gpt-4o-mini",
        max_completion_tokens=1000,
        budget=Budget(usd=1e-6),
    )
    with pytest.raises(BudgetExceededError):
        await run
    assert (run.stopped_because, run.cost) == ("budget", None)


async def test_a_refused_turn_raises(emulator: Emulator, client: OpenRouter) -> None:
    """An error of the API is that error."""
    emulator.play(http_error(400, "no"))
    with pytest.raises(BadRequestError, match="no"):
        await client.run_tools("Go", tools=[double])


async def test_a_forced_choice_holds_for_the_first_turn(
    emulator: Emulator, client: OpenRouter
) -> None:
    """`tool_choice="required"` is not sent again, "auto" is."""
    for choice, later in (("required", None), ("auto", "auto")):
        emulator.play(asking(call("double", n=1)), chat("ok"))
        await client.run_tools("Go", tools=[double], tool_choice=choice)
        assert sent(emulator, -2)["tool_choice"] == choice
        assert sent(emulator).get("tool_choice") == later


# The provider.

ENCRYPTED: Plain = {
    "type": "reasoning.encrypted",
    "data": "AAAA",
    "id": "r1",
    "format": "google-gemini-v1",
}
ROUTINGS: dict[str, tuple[Plain | None, Plain | None]] = {
    "none": (None, {"allow_fallbacks": False, "order": ["Google Vertex"]}),
    "merged": (
        {"zdr": True, "order": ["openai", "google-vertex/us"]},
        {"allow_fallbacks": False, "zdr": True, "order": ["google-vertex/us"]},
    ),
    "the user's word on fallbacks": (
        {"allow_fallbacks": True},
        {"allow_fallbacks": True, "order": ["Google Vertex"]},
    ),
    "excluded": ({"only": ["openai"]}, {"only": ["openai"]}),
    "another order": ({"order": ["openai"]}, {"order": ["openai"]}),
}


@pytest.mark.parametrize(("given", "later"), ROUTINGS.values(), ids=ROUTINGS)
async def test_encrypted_reasoning_pins_the_provider(
    given: Plain | None, later: Plain | None, emulator: Emulator, client: OpenRouter
) -> None:
    """Later turns stay with the provider that can read its own reasoning, in the user's routing."""
    first = asking(call("double", n=1), reasoning_details=[ENCRYPTED], provider="Google Vertex")
    emulator.play(first, asking(call("double", n=2)), chat("ok"))
    more: Any = {} if given is None else {"provider": given}
    await client.run_tools("Go", tools=[double], **more)
    assert sent(emulator, 0).get("provider") == given
    assert sent(emulator, 1)["provider"] == later
    assert sent(emulator, 2)["provider"] == later
    assert sent(emulator, 2)["messages"][1]["reasoning_details"][0]["data"] == "AAAA"


async def test_nothing_is_pinned_without_need(emulator: Emulator, client: OpenRouter) -> None:
    """Plain reasoning pins nothing, and pinning can be switched off."""
    emulator.play(asking(call("double", n=1), reasoning="hm"), chat("ok"))
    await client.run_tools("Go", tools=[double])
    assert "provider" not in sent(emulator)
    emulator.play(asking(call("double", n=1), reasoning_details=[ENCRYPTED]), chat("ok"))
    await client.run_tools("Go", tools=[double], pin_provider=False)
    assert "provider" not in sent(emulator)


# Approval.


@tool(needs_approval=True)
async def delete(path: str) -> str:
    """Delete a file."""
    return f"deleted {path}"


async def test_a_run_pauses_for_approval(emulator: Emulator, client: OpenRouter) -> None:
    """Without `on_approval` the calls that need nobody run, then the run waits for the user."""
    emulator.play(
        asking(call("delete", path="a"), call("double", n=1), call("delete", path="b")), chat("ok")
    )
    run = client.run_tools("Go", tools=[delete, double])
    assert "".join([chunk.text async for chunk in run]) == ""
    assert repr(run) == "<ToolRun: needs_approval, 1 turns, 3 calls>"
    assert [(c.id, c.state) for c in run.pending] == [
        ("call_0", "needs_approval"),
        ("call_2", "needs_approval"),
    ]
    assert (await run).tool_calls  # asking again changes nothing
    run.approve("call_0")
    run.deny("call_2", "keep b")
    assert "".join([chunk.text async for chunk in run]) == "ok"
    assert run.stopped_because == "finished"
    assert told(emulator) == [
        ("call_0", "deleted a"),
        ("call_1", "2"),
        ("call_2", "The call was not approved. keep b"),
    ]
    with pytest.raises(KeyError, match="call_0"):
        run.approve("call_0")


async def test_one_word_at_a_time(emulator: Emulator, client: OpenRouter) -> None:
    """With one of two approved that one runs, and the run waits for the other."""
    emulator.play(asking(call("delete", path="a"), call("delete", path="b")), chat("ok"))
    run = client.run_tools("Go", tools=[delete])
    await run
    run.approve("call_1")
    await run
    assert [c.id for c in run.pending] == ["call_0"]
    assert run.stopped_because == "needs_approval"
    run.approve("call_0")
    assert (await run).text == "ok"
    assert told(emulator) == [("call_0", "deleted a"), ("call_1", "deleted b")]


@pytest.mark.parametrize(
    ("verdict", "content"),
    [
        (True, "deleted a"),
        (False, "The call was not approved."),
        ("too bold", "The call was not approved. too bold"),
    ],
)
async def test_on_approval(
    verdict: bool | str, content: str, emulator: Emulator, client: OpenRouter
) -> None:
    """Somebody is asked, who may think about it."""

    async def ask(call: RunCall) -> bool | str:
        await asyncio.sleep(0)
        return verdict

    emulator.play(asking(call("delete", path="a")), chat("ok"))
    await client.run_tools("Go", tools=[delete], on_approval=ask)
    assert told(emulator) == [("call_0", content)]


async def test_approval_by_the_arguments(emulator: Emulator, client: OpenRouter) -> None:
    """A predicate on the arguments says which calls need approval."""

    def is_system(arguments: Plain) -> bool:
        return str(arguments["path"]).startswith("/")

    careful = tool(delete, needs_approval=is_system)
    emulator.play(asking(call("delete", path="a"), call("delete", path="/etc")))
    run = client.run_tools("Go", tools=[careful])
    await run
    assert [(c.state, c.content) for c in run.calls] == [
        ("done", "deleted a"),
        ("needs_approval", None),
    ]


async def test_going_on_in_another_process(emulator: Emulator, client: OpenRouter) -> None:
    """The messages alone, as JSON, are enough to go on: open calls come first."""
    emulator.play(asking(call("delete", path="a"), call("double", n=1)))
    paused = client.run_tools("Go", tools=[delete, double])
    await paused
    saved = json.dumps(paused.messages)

    run = client.run_tools(json.loads(saved), tools=[delete, double])
    assert [c.id for c in run.pending] == ["call_0"]
    await run
    assert run.stopped_because == "needs_approval"
    assert emulator.accepted == 1
    run.approve("call_0")
    emulator.play(chat("ok"))
    assert (await run).text == "ok"
    assert sorted(told(emulator)) == [("call_0", "deleted a"), ("call_1", "2")]

    run = client.run_tools(json.loads(saved), tools=[delete, double])
    run.approve("call_0")  # before anything has begun
    emulator.play(chat("ok"))
    assert (await run).text == "ok"


async def test_a_call_is_handed_over(emulator: Emulator, client: OpenRouter) -> None:
    """A type is a tool without a function: the run stops, and goes on with the user's answer."""
    emulator.play(asking(call("Weather", degrees=21), call("double", n=1)), chat("ok"))
    run = client.run_tools("Go", tools=[Weather, double])
    await run
    assert run.stopped_because == "handed_over"
    (handed,) = run.pending
    assert handed.arguments == Weather(21)
    run.answer(handed.id, {"seen": True})
    assert (await run).text == "ok"
    assert told(emulator) == [("call_0", '{"seen":true}'), ("call_1", "2")]


async def test_wire_tools_pass(emulator: Emulator, client: OpenRouter) -> None:
    """Server tools are sent as they are; calls of a function in its wire form are handed over."""
    plain = {"type": "function", "function": {"name": "own", "parameters": {"type": "object"}}}
    emulator.play(asking(call("own", a=1)))
    run = client.run_tools("Go", tools=[{"type": "openrouter:web_search"}, plain, double])
    await run
    assert sent(emulator)["tools"][:2] == [{"type": "openrouter:web_search"}, plain]
    assert (run.stopped_because, run.pending[0].arguments) == ("handed_over", {"a": 1})


# Events.


async def test_events(emulator: Emulator, client: OpenRouter) -> None:
    """Turns, arguments as they come, tools and chunks are told in order."""
    emulator.play(
        chat("Hm", tool_calls=[{"name": "double", "arguments": ['{"n', '":1', "}"]}]), chat("two")
    )
    run = client.run_tools("Go", tools=[double])
    events: list[RunEvent] = [event async for event in run.events()]
    kinds = [type(event) for event in events if not isinstance(event, ChatChunk)]
    assert kinds[0] is TurnStarted
    assert kinds[-5:] == [TurnFinished, ToolStarted, ToolFinished, TurnStarted, TurnFinished]
    assert "".join(event.text for event in events if isinstance(event, ChatChunk)) == "Hmtwo"
    progress = [event for event in events if isinstance(event, ToolCallProgress)]
    assert [event.arguments for event in progress][-3:] == ['{"n', '{"n":1', '{"n":1}']
    assert progress[-1].partial == {"n": 1}
    assert {(event.position, event.call_id, event.name) for event in progress} == {
        (0, "call_0", "double")
    }
    (finished,) = (event for event in events if isinstance(event, ToolFinished))
    assert (finished.call.state, finished.call.result) == ("done", 2)
    assert finished.call.seconds is not None
    assert [event.turn for event in events if isinstance(event, TurnStarted)] == [1, 2]


async def test_each_answer_is_told_once(emulator: Emulator, client: OpenRouter) -> None:
    """Over a pause too, every call is told to have started and to have ended once."""
    emulator.play(
        asking(call("delete", path="a"), call("double", n=1), call("double", n="x")), chat("ok")
    )
    run = client.run_tools("Go", tools=[delete, double])
    ended = [event.call.id async for event in run.events() if isinstance(event, ToolFinished)]
    assert ended == ["call_2", "call_1"]
    run.deny("call_0")
    ended = [event.call.id async for event in run.events() if isinstance(event, ToolFinished)]
    assert ended == ["call_0"]


# Leaving.


async def test_leaving_a_loop_closes_the_stream(emulator: Emulator, client: OpenRouter) -> None:
    """`break` ends the request at once, though the run is still in a variable."""
    emulator.play(chat("a", "b", "c").hold_after(2))
    run = client.run_tools("Go", tools=[double])
    async for _ in run:
        break
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    assert run.stopped_because == "closed"
    assert_nothing_leased(client)
    with pytest.raises(RuntimeError, match="closed"):
        await run
    with pytest.raises(RuntimeError, match="closed"):
        aiter(run)


async def test_leaving_a_block_closes_the_stream(emulator: Emulator, client: OpenRouter) -> None:
    """`async with` leaves the run at its end."""
    emulator.play(chat("a", "b").hold_after(1))
    async with client.run_tools("Go", tools=[double]) as run:
        await anext(run)
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    assert run.stopped_because == "closed"


async def test_a_run_is_looped_over_once_at_a_time(emulator: Emulator, client: OpenRouter) -> None:
    """A second loop beside the first is misuse."""
    run = client.run_tools("Go", tools=[double])
    first = aiter(run)
    with pytest.raises(RuntimeError, match="once at a time"):
        run.events()
    await first.aclose()


@pytest.mark.parametrize("how", ["task", "scope", "close"])
async def test_cancelling_amid_a_tool_leaves_nothing(
    how: str, emulator: Emulator, client: OpenRouter
) -> None:
    """Cancelling the task or the scope, or closing the run, ends the tools and waits for them."""
    started: list[int] = []
    ended: list[int] = []

    async def wait(n: int) -> None:
        """Wait for ever, and take a moment to end."""
        started.append(n)
        try:
            await asyncio.Event().wait()
        finally:
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(0.01)
            ended.append(n)

    await assert_serves(client, emulator)  # the server's task for the connection is there now
    known = asyncio.all_tasks()
    emulator.play(asking(call("double", n=4), call("wait", n=1), call("wait", n=2)))
    run = client.run_tools("Go", tools=[wait, double])
    scope = anyio.CancelScope()

    async def go() -> str:
        with scope:
            await run
        return "left"

    task = asyncio.create_task(go())
    await emulator.wait_for(lambda: len(started) == 2)
    if how == "task":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    elif how == "scope":
        scope.cancel()
        assert await task == "left"
    else:
        run.close()
        with pytest.raises(RuntimeError, match="closed"):
            await task
    assert sorted(ended) == [1, 2]
    assert not other_tasks(known)
    assert run.stopped_because == "closed"
    assert [c.state for c in run.calls] == ["done", "interrupted", "interrupted"]
    assert run.messages[-1]["content"] == "8"  # what was done is not lost
    await emulator.wait_for(lambda: client.stats().leased == 0)
    await assert_serves(client, emulator)


async def test_cancelling_waits_for_a_thread(emulator: Emulator, client: OpenRouter) -> None:
    """A thread cannot be stopped, so the cancellation is over when the thread is."""
    end = threading.Event()
    started: list[int] = []
    ended: list[int] = []

    def work() -> None:
        """Work until the test says so."""
        started.append(1)
        end.wait(5)
        ended.append(1)

    emulator.play(asking(call("work")))
    task = asyncio.create_task(client.run_tools("Go", tools=[work])._collect())
    await emulator.wait_for(lambda: started)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1]


async def test_a_second_task_is_refused(emulator: Emulator, client: OpenRouter) -> None:
    """Two tasks cannot step through one run; the first goes on unharmed."""
    started: list[int] = []
    end = asyncio.Event()

    async def wait() -> str:
        """Wait for the test."""
        started.append(1)
        await end.wait()
        return "done"

    emulator.play(asking(call("wait")), chat("ok"))
    run = client.run_tools("Go", tools=[wait])
    task = asyncio.create_task(run._collect())
    await emulator.wait_for(lambda: started)
    with pytest.raises(RuntimeError, match="another task"):
        await run
    end.set()
    assert (await task).text == "ok"


# Wrong arguments.

WRONG: dict[str, tuple[Plain, type[Exception], str]] = {
    "no messages": ({"messages": []}, ValueError, "messages must not be empty"),
    "messages of no kind": ({"messages": 3}, TypeError, "messages must be a str or a sequence"),
    "max_turns": ({"max_turns": 0}, ValueError, "max_turns must be at least 1"),
    "max_parallel": ({"max_parallel": "2"}, TypeError, "max_parallel must be an int"),
    "max_repeats": ({"max_repeats": 1}, ValueError, "max_repeats must be at least 2"),
    "stop_when": ({"stop_when": True}, TypeError, "stop_when must be a function"),
    "on_approval": ({"on_approval": 1}, TypeError, "on_approval must be a function"),
    "on_error": ({"on_error": "ignore"}, ValueError, "on_error must be 'tell' or 'raise'"),
    "a keyword": ({"temprature": 1}, TypeError, "did you mean 'temperature'"),
}


@pytest.mark.parametrize(("given", "kind", "match"), WRONG.values(), ids=WRONG)
async def test_wrong_arguments(
    given: Plain, kind: type[Exception], match: str, client: OpenRouter
) -> None:
    """They raise at the call and say which and why."""
    arguments: Plain = {"messages": "Go", "tools": [double], **given}
    start: Callable[..., ToolRun] = client.run_tools
    with pytest.raises(kind, match=match):
        assert start(arguments.pop("messages"), **arguments)


async def test_on_approval_must_say_something(emulator: Emulator, client: OpenRouter) -> None:
    """An answer that is neither yes, no nor a reason is an error, not a yes."""
    emulator.play(asking(call("delete", path="a")))

    def ask(call: RunCall) -> Any:
        return None

    with pytest.raises(TypeError, match="on_approval must give True, False or a reason"):
        await client.run_tools("Go", tools=[delete], on_approval=ask)


async def test_no_repr_shows_what_was_said(emulator: Emulator, client: OpenRouter) -> None:
    """Arguments and results are the user's, and stay out of every repr."""
    emulator.play(asking(call("delete", path="a-secret-path")), chat("ok"))
    run = client.run_tools("Go", tools=[delete], on_approval=lambda call: True)
    events = [event async for event in run.events() if not isinstance(event, ChatChunk)]
    assert "a-secret-path" not in f"{run!r} {run.calls!r} {delete!r}"
    shown = repr([event for event in events if not isinstance(event, ToolCallProgress)])
    assert "a-secret-path" not in shown
    assert repr(run) == "<ToolRun: finished, 2 turns, 1 calls>"
