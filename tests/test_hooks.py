"""What hooks are told: each request from its start to exactly one end, and no word of its content."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import Set
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from openrouter_async import (
    ChatStream,
    Limits,
    OpenRouter,
    OpenRouterError,
    RetryPolicy,
    StreamTruncatedError,
    Timeouts,
    tool,
)
from openrouter_async._transport import Response
from openrouter_async.errors import ModerationError, RateLimitError
from openrouter_async.hooks import (
    AnswerStarted,
    DataArrived,
    Event,
    FirstDelta,
    RequestEnded,
    RequestHeld,
    RequestRetried,
    RequestStarted,
)
from openrouter_async.testing import (
    Emulator,
    Hold,
    Reply,
    Reset,
    Send,
    Stall,
    chat,
    error_chunk,
    http_error,
)
from tests.quiet import KEY

E = TypeVar("E", bound=Event)
MODEL = "openai/gpt-4o-mini"
PROMPT = "the SENTINELPROMPT of somebody"
ANSWER = "a SENTINELANSWER"
WAIT = 0.03  # seconds that a test makes a stream wait


class Notes:
    """A hook that keeps what it is told."""

    def __init__(self, wants: Set[str] = frozenset()) -> None:
        self.wants = wants
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def start(self) -> RequestStarted:
        """The only start."""
        (start,) = self.of(RequestStarted)
        return start

    @property
    def end(self) -> RequestEnded:
        """The only end, which is the last event."""
        (end,) = self.of(RequestEnded)
        assert self.events[-1] is end
        return end

    @property
    def kinds(self) -> list[str]:
        """What was told, in order."""
        return [type(event).__name__ for event in self.events]


def client_of(emulator: Emulator, *hooks: Any, **arguments: Any) -> OpenRouter:
    """A client with hooks."""
    return OpenRouter(KEY, base_url=emulator.base_url, hooks=hooks, **arguments)


async def test_a_stream_from_start_to_end(emulator: Emulator) -> None:
    """A whole stream is told in four events that say who answered, when, and at what price."""
    notes = Notes()
    emulator.play(chat("Hello", " there", model=MODEL, provider="Acme"))
    async with client_of(emulator, notes) as client:
        stream = client.stream(PROMPT, model=MODEL, temperature=0.5, max_tokens=9)
        completion = await stream
    assert notes.kinds == ["RequestStarted", "AnswerStarted", "FirstDelta", "RequestEnded"]
    assert len({event.call for event in notes.events}) == 1
    start, end = notes.start, notes.end
    assert (start.method, start.path) == ("POST", "/chat/completions")
    assert f"http://{start.host}:{start.port}/api/v1" == emulator.base_url
    assert (start.model, start.is_stream) == (MODEL, True)
    assert start.settings == {"temperature": 0.5, "max_tokens": 9}
    assert start.body is None
    (begun,) = notes.of(AnswerStarted)
    assert (begun.attempt, begun.status) == (1, 200)
    assert begun.generation_id == completion.generation_id
    assert (end.ending, end.is_cancelled, end.error) == ("complete", False, None)
    assert (end.model, end.provider, end.generation_id) == (MODEL, "Acme", completion.id)
    assert end.usage == completion.usage
    assert end.cost == completion.cost
    assert (end.finish_reasons, end.deltas, end.attempts) == (("stop",), 2, 1)
    assert end.timing == stream.timing
    assert notes.of(FirstDelta)[0].seconds == stream.timing.first_delta
    assert end.timing.end is not None
    assert end.seconds >= end.timing.end - 1e-3
    assert end.completion is None


async def test_an_answer_in_one_piece(emulator: Emulator) -> None:
    """An answer that is no stream ends as complete, with its usage, its model and its reason."""
    notes = Notes()
    async with client_of(emulator, notes) as client:
        completion = await client.complete("Hi", model=MODEL, transport="json")
    assert notes.kinds == ["RequestStarted", "AnswerStarted", "RequestEnded"]
    assert not notes.start.is_stream
    end = notes.end
    assert (end.ending, end.usage, end.model) == ("complete", completion.usage, completion.model)
    assert end.generation_id == completion.generation_id
    assert end.finish_reasons == ("stop",)
    assert end.timing.end is not None


async def test_any_other_endpoint(emulator: Emulator) -> None:
    """A request whose answer is anything is told as well, with whatever usage its body tells."""
    notes = Notes()
    said = {"id": "x", "model": "m", "usage": {"input_tokens": 3, "output_tokens": 4, "cost": 0.5}}
    body = b" " * 100 + msgspec.json.encode(said)  # blanks that kept the connection alive
    emulator.play(Reply(headers=(("Content-Type", "application/json"),), steps=(Send(body),)))
    async with client_of(emulator, notes) as client:
        await client.request("POST", "/responses", json={"model": MODEL, "input": "x"})
        usage = notes.end.usage
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens, usage.cost) == (3, 4, 0.5)
        notes.events.clear()
        await client.request("GET", "/models")
    assert (notes.start.path, notes.start.model) == ("/models", None)
    assert (notes.end.ending, notes.end.usage, notes.end.status) == ("complete", None, 200)


@pytest.mark.parametrize("api", ["responses", "messages", "completions"])
async def test_streams_of_the_other_dialects(emulator: Emulator, api: str) -> None:
    """A stream of another endpoint ends with its model and its usage too."""
    notes = Notes({"content"})
    async with client_of(emulator, notes) as client:
        more = {"max_tokens": 9} if api == "messages" else {}
        await getattr(client, api).stream("Hi", model=MODEL, **more)
    assert notes.start.path == f"/{api}"
    assert notes.start.is_stream
    end = notes.end
    assert (end.ending, end.model) == ("complete", MODEL)
    assert end.usage is not None
    assert end.usage.prompt_tokens > 0
    assert end.usage.completion_tokens > 0
    assert end.cost is not None
    assert end.deltas > 0


async def test_a_retry(emulator: Emulator) -> None:
    """A refused attempt is told with its error and the wait; the next one is of the same call."""
    notes = Notes()
    emulator.play(http_error(502, "no provider"), chat("Hello"))
    retry = RetryPolicy(first_delay=0.001)
    async with client_of(emulator, notes, retry=retry) as client:
        await client.complete("Hi", model=MODEL)
    (retried,) = notes.of(RequestRetried)
    assert (retried.attempt, type(retried.error).__name__) == (1, "BadGatewayError")
    assert retried.error.__traceback__ is None
    assert 0 <= retried.delay <= 0.01
    assert not retried.is_held_back
    assert notes.of(AnswerStarted)[0].attempt == 2
    assert (notes.end.ending, notes.end.attempts) == ("complete", 2)


async def test_a_request_that_is_held(emulator: Emulator) -> None:
    """Who waits behind the pause after a 429 is told to have waited, and for how long."""
    notes = Notes()
    emulator.play(http_error(429, "slow down", headers={"Retry-After": "0.05"}), chat("Hello"))
    async with client_of(emulator, notes) as client:
        await client.complete("Hi", model=MODEL)
    (retried,) = notes.of(RequestRetried)
    assert isinstance(retried.error, RateLimitError)
    assert retried.is_held_back
    (held,) = notes.of(RequestHeld)
    assert held.seconds >= 0.04
    assert notes.end.seconds >= held.seconds


async def test_a_refusal(emulator: Emulator) -> None:
    """A request that is refused for good ends with its error, and is never said to have begun."""
    notes = Notes()
    emulator.play(http_error(400, "no such model"))
    async with client_of(emulator, notes) as client:
        with pytest.raises(OpenRouterError) as caught:
            await client.complete("Hi", model=MODEL)
    assert notes.kinds == ["RequestStarted", "RequestEnded"]
    end = notes.end
    assert (end.ending, end.status, end.attempts) == ("error", 400, 1)
    assert type(end.error) is type(caught.value)
    assert end.error is not caught.value
    assert str(end.error) == str(caught.value)


async def test_no_server() -> None:
    """A request that reaches nobody ends with the connection's error and without a status."""
    notes = Notes()
    retry = RetryPolicy(max_attempts=2, first_delay=0.001)
    async with OpenRouter(KEY, base_url="http://127.0.0.1:1", hooks=[notes], retry=retry) as client:
        with pytest.raises(OpenRouterError):
            await client.complete("Hi", model=MODEL)
    assert notes.kinds == ["RequestStarted", "RequestRetried", "RequestEnded"]
    assert (notes.end.ending, notes.end.status, notes.end.attempts) == ("error", None, 2)


async def test_a_bug_on_the_way(emulator: Emulator) -> None:
    """An exception that is none of ours ends the request as an error without one."""
    notes = Notes()

    async with client_of(emulator, notes) as client:
        upload = client.audio.transcribe("missing.wav", model="openai/whisper-1")
        with pytest.raises(FileNotFoundError):
            await upload
    assert (notes.end.ending, notes.end.error) == ("error", None)


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        (chat("Hello", " there").end_after(2), "truncated"),
        (chat("Hello", " there").cut_after(2), "broken"),
        (chat("Hello", " there").error_after(2, error_chunk(502, "gone")), "error"),
        (chat("Hello", " there").without_done(), "complete_no_sentinel"),
        (chat("Hello", " there").stall_after(2), "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_ending(emulator: Emulator, reply: Reply, ending: str) -> None:
    """However a stream ends that had begun, its end is told once, with what is known of it."""
    notes = Notes()
    emulator.play(reply)
    # Where nothing stands still, a deadline could only come before what is tried.
    timeouts = Timeouts(idle=0.5) if ending == "timeout" else Timeouts()
    async with client_of(emulator, notes, timeouts=timeouts) as client:
        stream = client.stream("Hi", model=MODEL)
        try:
            async for _ in stream:
                pass
            error = None
        except OpenRouterError as raised:
            error = raised
    end = notes.end
    assert (end.ending, stream.ending) == (ending, ending)
    assert end.deltas == stream.deltas > 0
    assert end.generation_id == stream.generation_id
    assert len(notes.of(FirstDelta)) == 1
    if error is None:
        assert end.error is None
    else:
        assert end.error is not None
        assert type(end.error) is type(error)
        assert (end.error.billed, end.error.phase) == (error.billed, error.phase)
        assert error.partial is not None
        assert end.error.partial is None


async def test_an_error_at_the_first_event(emulator: Emulator) -> None:
    """An error in place of the first event is tried again, and told as an attempt that failed."""
    notes = Notes()
    emulator.play(chat("no").error_after(0, error_chunk(502, "gone")), chat("Hello"))
    async with client_of(emulator, notes, retry=RetryPolicy(first_delay=0.001)) as client:
        await client.complete("Hi", model=MODEL)
    assert notes.kinds == [
        "RequestStarted",
        "AnswerStarted",
        "RequestRetried",
        "AnswerStarted",
        "FirstDelta",
        "RequestEnded",
    ]
    assert (notes.end.ending, notes.end.attempts) == ("complete", 2)


async def test_left(emulator: Emulator) -> None:
    """A loop that is left ends its request as left, and not as cancelled."""
    notes = Notes()
    emulator.play(chat("Hello", " there").hold_after(1))
    async with client_of(emulator, notes) as client:
        async for _ in client.stream("Hi", model=MODEL):
            break
        assert (notes.end.ending, notes.end.is_cancelled) == ("left", False)
        assert notes.end.error is None


@pytest.mark.parametrize("where", ["opening", "reading", "in the loop's body"])
async def test_cancelled(emulator: Emulator, where: str) -> None:
    """A request whose task is cancelled ends as left and cancelled, wherever the task was."""
    notes = Notes()
    reply = chat("Hello", " there").hold_after(1)
    if where == "opening":
        reply = reply.before_head(Stall())
    emulator.play(reply)
    got_one = asyncio.Event()

    async def read(client: OpenRouter) -> None:
        async for _ in client.stream("Hi", model=MODEL):
            got_one.set()
            if where == "in the loop's body":
                await asyncio.Event().wait()

    async with client_of(emulator, notes) as client:
        task = asyncio.create_task(read(client))
        if where == "opening":
            await emulator.wait_for(lambda: emulator.accepted == 1)
        else:
            await got_one.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
        assert (notes.end.ending, notes.end.is_cancelled) == ("left", True)


async def test_closed_while_it_is_opened(emulator: Emulator) -> None:
    """A stream that another task closes before its headers came ends its request as left."""
    notes = Notes()
    emulator.play(chat("Hello").before_head(Stall()))
    async with client_of(emulator, notes) as client:
        stream = client.stream("Hi", model=MODEL)
        task = asyncio.create_task(stream.start())
        await emulator.wait_for(lambda: emulator.accepted == 1)
        stream.close()
        with pytest.raises(RuntimeError, match="closed while"):
            _ = await task
    assert (notes.end.ending, notes.end.error) == ("left", None)


async def test_what_is_complete_is_not_cancelled(emulator: Emulator) -> None:
    """A stream that comes to its end in a task that is asked to stop is complete all the same."""
    notes = Notes()
    emulator.play(chat("Hello"))
    async with client_of(emulator, notes) as client:
        stream = await client.stream("Hi", model=MODEL).start()
        await asyncio.sleep(0)

        async def stubborn() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await stream.collect()
                raise

        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (notes.end.ending, notes.end.is_cancelled) == ("complete", False)


async def test_dropped(emulator: Emulator) -> None:
    """A stream that nobody holds any more ends its request; one that was never started has none."""
    notes = Notes()
    emulator.play(chat("Hello", " there").hold_after(1))
    async with client_of(emulator, notes) as client:
        never_started = client.stream("Hi", model=MODEL)
        del never_started
        stream = await client.stream("Hi", model=MODEL).start()
        assert notes.kinds == ["RequestStarted", "AnswerStarted"]
        del stream
        assert notes.end.ending == "left"


async def test_raw(emulator: Emulator) -> None:
    """A relay of raw bytes is told like any other reading."""
    notes = Notes()
    async with client_of(emulator, notes) as client:
        async for _ in client.stream("Hi", model=MODEL).raw():
            pass
    assert notes.kinds == ["RequestStarted", "AnswerStarted", "FirstDelta", "RequestEnded"]
    assert notes.end.ending == "complete"
    assert notes.end.usage is not None
    assert notes.end.cost is not None


async def test_a_race(emulator: Emulator) -> None:
    """Each request of a race has a call of its own; the winner's end is that of the answer."""
    notes = Notes({"arrivals"})
    emulator.play(chat("slow").before_head(Stall()), chat("fast", "er").each(0.001))
    async with client_of(emulator, notes) as client:
        completion = await client.complete("Hi", model="a", fallback=["b"], hedge_after=0.05)
    ends = {start.model: start.call for start in notes.of(RequestStarted)}
    ended = {end.call: end for end in notes.of(RequestEnded)}
    assert len(ended) == len(notes.of(RequestEnded)) == 2
    assert ended[ends["a"]].ending == "left"
    assert ended[ends["b"]].ending == "complete"
    assert ended[ends["b"]].usage == completion.usage
    assert {event.call for event in notes.of(DataArrived)} == {ends["b"]}
    assert len(notes.of(FirstDelta)) == 1


@pytest.mark.parametrize("hooks", [[], [Notes()]], ids=["no hooks", "a hook"])
async def test_nothing_stands_in_the_way_of_a_chunk(emulator: Emulator, hooks: list[Notes]) -> None:
    """A stream reads its socket as directly with a hook as without, unless arrivals are wanted."""
    emulator.always(chat("Hello", " there").hold_after(1))
    async with client_of(emulator, *hooks) as client:
        stream = await client.stream("Hi", model=MODEL).start()
        assert type(stream._response) is Response
        assert (stream._response.observation is None) is (not hooks)
        stream.close()
    async with client_of(emulator, Notes({"arrivals"})) as client:
        stream = await client.stream("Hi", model=MODEL).start()
        assert type(stream._response) is not Response


async def read_on(stream: ChatStream, emulator: Emulator, gates: int = 1) -> None:
    """Take one chunk that the server holds back while it is waited for, gate by gate."""
    taking = asyncio.create_task(anext(stream))
    for _ in range(gates):
        await asyncio.sleep(WAIT)
        emulator.release()
    await taking


async def test_arrivals_are_told_to_who_wants_them(emulator: Emulator) -> None:
    """Who wants arrivals is told each wait between two reads that brought data; others are not."""
    plain, wanting = Notes(), Notes({"arrivals"})
    emulator.play(chat("a", "b", "c").hold_after(1).hold_after(2))
    async with client_of(emulator, plain, wanting) as client:
        stream = client.stream("Hi", model=MODEL)
        assert (await anext(stream)).text == "a"
        assert not wanting.of(DataArrived)
        await read_on(stream, emulator)
        await read_on(stream, emulator)
        await stream
    assert not plain.of(DataArrived)
    arrivals = [event.seconds for event in wanting.of(DataArrived)]
    assert min(arrivals[:2]) >= WAIT / 2
    assert max(arrivals) == stream.timing.longest_gap
    end = stream.timing.end
    assert end is not None
    assert sum(arrivals) <= end


async def test_comments_are_no_arrival(emulator: Emulator) -> None:
    """The wait for data goes on over a comment that keeps the connection alive."""
    notes = Notes({"arrivals"})
    comment = Send(b": OPENROUTER PROCESSING\n\n")
    emulator.play(chat("a", "b").after(1, Hold(), comment, Hold()))
    async with client_of(emulator, notes) as client:
        stream = client.stream("Hi", model=MODEL)
        await anext(stream)
        await read_on(stream, emulator, gates=2)
        assert len(notes.of(DataArrived)) == 1
        assert notes.of(DataArrived)[0].seconds >= 1.5 * WAIT
        await stream


async def test_bodies_that_tell_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """A form, sound, and JSON of another shape are told like any request, without what they lack."""
    notes = Notes({"content"})
    (tmp_path / "a.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    odd = msgspec.json.encode({"id": 1, "model": ["m"], "usage": {"prompt_tokens": "many"}})
    broken = b'{"id": '
    for body in (odd, broken):
        emulator.play(Reply(headers=(("Content-Type", "application/json"),), steps=(Send(body),)))
    async with client_of(emulator, notes) as client:
        for _ in range(2):
            await client.request("POST", "/odd", json=["no object"], type=bytes)
        await client.audio.speech("Hi", model="openai/gpt-4o-mini-tts", voice="alloy")
        await client.audio.transcribe(
            tmp_path / "a.wav", model="openai/whisper-1", format="wav", form="multipart"
        )
    starts, ends = notes.of(RequestStarted), notes.of(RequestEnded)
    assert [start.model for start in starts] == [None, None, "openai/gpt-4o-mini-tts", None]
    assert [end.ending for end in ends] == ["complete"] * 4
    assert [end.usage for end in ends[:3]] == [None] * 3
    assert [(end.model, end.generation_id) for end in ends[:2]] == [(None, None)] * 2
    assert ends[2].generation_id is not None


async def test_no_content_unless_asked_for(emulator: Emulator) -> None:
    """Prompt, answer and key are in no event, except that who wants content has the first two."""
    plain, wanting = Notes(), Notes({"content"})
    emulator.play(chat(ANSWER, " more"), chat(ANSWER, " more").end_after(1))
    async with client_of(emulator, plain, wanting) as client:
        await client.complete(PROMPT, model=MODEL)
        with pytest.raises(StreamTruncatedError):
            await client.complete(PROMPT, model=MODEL)
        await client.complete(PROMPT, model=MODEL, transport="json")
    shown = repr(plain.events) + repr([msgspec.to_builtins(e, enc_hook=vars) for e in plain.events])
    for secret in ("SENTINEL", KEY):
        assert secret not in shown
    assert len(plain.of(RequestEnded)) == 3
    for start in wanting.of(RequestStarted):
        assert start.body is not None
        assert PROMPT in start.body.decode()
        assert PROMPT not in repr(start)
    whole, cut, other = wanting.of(RequestEnded)
    assert whole.completion is not None
    assert whole.completion.text == f"{ANSWER} more"
    assert cut.error is not None
    assert cut.error.partial is not None
    assert cut.error.partial.text == ANSWER
    assert other.completion is not None
    assert KEY not in repr(wanting.events)


async def test_flagged_words_are_content(emulator: Emulator) -> None:
    """The words for which moderation refused a prompt are told to nobody who did not ask."""
    plain, wanting = Notes(), Notes({"content"})
    metadata = {"reasons": ["violence"], "flagged_input": PROMPT}
    emulator.play(http_error(403, "flagged", metadata=metadata))
    async with client_of(emulator, plain, wanting) as client:
        with pytest.raises(ModerationError) as caught:
            await client.complete("Hi", model=MODEL)
    assert caught.value.flagged_input == PROMPT
    error = plain.end.error
    assert isinstance(error, ModerationError)
    assert (error.flagged_input, error.metadata, error.reasons) == (None, None, ("violence",))
    assert isinstance(wanting.end.error, ModerationError)
    assert wanting.end.error.flagged_input == PROMPT


async def test_the_schema_is_content(emulator: Emulator) -> None:
    """Of the form of an answer its kind is told, and never a name in its schema."""
    notes = Notes()
    emulator.play(chat('{"value": [1]}'))
    async with client_of(emulator, notes) as client:
        await client.complete("Hi", model=MODEL, response_type=list[int])
    assert notes.start.settings == {"response_format": "json_schema"}


async def test_a_hook_that_raises(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that raises breaks neither the request nor the other hooks, and is logged once."""
    notes = Notes()
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise ZeroDivisionError("a fault of the hook's")

    async with client_of(emulator, broken, notes) as client:
        assert (await client.complete("Hi", model=MODEL)).text
        assert (await client.complete("Hi", model=MODEL)).text
    assert len(calls) == len(notes.events) == 8
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("openrouter_async", "ERROR")
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_no_end_is_lost_under_load(emulator: Emulator) -> None:
    """Of many requests that end in different ways at once, each has one start and one end."""
    notes = Notes()
    emulator.always(chat("a", "b").reset_after(1))
    retry = RetryPolicy(max_attempts=1)
    async with client_of(emulator, notes, retry=retry, limits=Limits(adaptive=True)) as client:

        async def one(number: int) -> None:
            try:
                async for _ in client.stream("Hi", model=MODEL):
                    if number % 3 == 0:
                        return
                    if number % 3 == 1:
                        raise ZeroDivisionError
            except (OpenRouterError, ZeroDivisionError):
                pass

        await asyncio.gather(*map(one, range(60)))
    starts = [event.call for event in notes.of(RequestStarted)]
    ends = [event.call for event in notes.of(RequestEnded)]
    assert len(starts) == len(set(starts)) == 60
    assert sorted(ends) == sorted(starts)


async def test_tools_tell_each_turn(emulator: Emulator) -> None:
    """Each turn of a run with tools is a request of its own."""
    notes = Notes()

    @tool
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        return f"rain in {city}"

    async with client_of(emulator, notes) as client:
        await client.run_tools("The weather in Oslo?", tools=[weather], model=MODEL)
    assert len(notes.of(RequestStarted)) == 2
    assert [end.finish_reasons for end in notes.of(RequestEnded)] == [("tool_calls",), ("stop",)]


def _module_hook(event: Event) -> None:
    """A hook that pickles."""


def test_copies_and_pickles(emulator_thread: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a client tells the same hooks; a pickled client takes them along."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)  # a copy does not take the key along
    notes = Notes()
    client = client_of(emulator_thread, notes)
    twin = copy.copy(client)
    asyncio.run(_complete(twin))
    assert notes.kinds[-1] == "RequestEnded"
    travelled = pickle.loads(pickle.dumps(client_of(emulator_thread, _module_hook)))
    assert repr(travelled) == repr(client)


async def _complete(client: OpenRouter) -> None:
    async with client:
        await client.complete("Hi", model=MODEL)


@pytest.fixture
def emulator_thread() -> Any:
    """An emulator for code that brings its own loop."""
    with Emulator.in_thread() as emulator:
        yield emulator


async def _waiting_hook(event: Event) -> None:
    """No hook: it waits."""


class _WaitingHook:
    async def __call__(self, event: Event) -> None:
        """No hook: it waits."""


@pytest.mark.parametrize("wrong", [5, _waiting_hook, _WaitingHook(), Notes])
def test_what_is_no_hook(wrong: Any) -> None:
    """What cannot be called with an event, or would have to be awaited, is refused at once."""
    with pytest.raises(TypeError, match="hook"):
        OpenRouter(KEY, hooks=[wrong])


def test_unknown_wishes() -> None:
    """A hook that wants what there is not is refused, with what there is."""
    with pytest.raises(ValueError, match="'arrivals' and 'content'"):
        OpenRouter(KEY, hooks=[Notes({"prompts"})])
    with pytest.raises(TypeError, match="set of strings"):
        OpenRouter(KEY, hooks=[Notes("content")])  # type: ignore[arg-type]


async def test_reset_before_the_first_delta(emulator: Emulator) -> None:
    """A connection that breaks before anything was said is an end without a first delta."""
    notes = Notes()
    emulator.play(chat("Hello").before_head(Reset()))
    async with client_of(emulator, notes) as client:
        with pytest.raises(OpenRouterError):
            await client.complete("Hi", model=MODEL)
    assert notes.kinds == ["RequestStarted", "RequestEnded"]
    assert notes.end.timing.first_delta is None
