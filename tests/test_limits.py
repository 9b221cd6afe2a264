"""The numbers behind the gate: pauses, windows and minutes, told the time by the test."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async import Adaptive
from openrouter_async._limits import asked_in
from openrouter_async._pacing import Minute, Pause, Window

quick = settings(max_examples=100, deadline=None, derandomize=True, database=None)


# A pause.


def leave_one_by_one(pause: Pause, now: float, count: int) -> list[float]:
    """Let so many pass, each as early as it may; give when."""
    times: list[float] = []
    for _ in range(count):
        now += pause.wait(now)
        pause.passed()
        times.append(now)
    return times


def test_there_is_no_wait_without_a_pause() -> None:
    """What was never paused lets everything pass."""
    pause = Pause()
    assert leave_one_by_one(pause, 5.0, 3) == [5.0] * 3
    assert pause.is_over(0.0)


@quick
@given(st.floats(0, 1e6), st.floats(0, 600), st.integers(1, 500))
def test_nobody_passes_early_and_all_pass_spread(now: float, seconds: float, count: int) -> None:
    """The first goes at the end of the pause, then ever faster; many take longer, within reason."""
    pause = Pause()
    pause.begin(now, now + seconds, sent_at=now)
    times = leave_one_by_one(pause, now, count)
    assert times[0] >= now + seconds
    assert times[0] <= now + seconds + 0.2 + 1e-6
    gaps = [late - early for early, late in itertools.pairwise(times)]
    assert all(early + 1e-6 >= late for early, late in itertools.pairwise(gaps))
    assert times[-1] - times[0] <= 0.2 * math.sqrt(count) + 1e-6
    bins = [sum(start <= time < start + 0.01 for time in times) for start in times]
    assert max(bins) <= max(2, 0.05 * count)


def test_a_pause_grows_and_never_shrinks() -> None:
    """The latest end counts, and who has not passed by then begins anew."""
    pause = Pause()
    pause.begin(0.0, 5.0, sent_at=-1.0)
    pause.begin(0.1, 3.0, sent_at=-1.0)
    assert pause.until == 5.0
    leave_one_by_one(pause, 5.0, 100)
    pause.begin(8.0, 20.0, sent_at=5.0)
    first, second = leave_one_by_one(pause, 8.0, 2)
    assert first >= 20.0
    assert second > first


def test_strikes_count_pauses_not_refusals() -> None:
    """A wave of refusals is one strike; one of the next wave is another; an answer ends the row."""
    pause = Pause()
    for number in range(100):
        pause.begin(1 + number / 1000, 2.0, sent_at=0.5)
    assert pause.strikes == 1
    pause.accepted(sent_at=0.5)
    assert pause.strikes == 1  # it was sent before the pause, so says nothing of after
    pause.begin(3.0, 5.0, sent_at=2.5)
    assert pause.strikes == 2
    pause.accepted(sent_at=6.0)
    assert pause.strikes == 0


# A window.


class Service:
    """A service that takes so many at once, and clients that always want more: a simulation."""

    def __init__(
        self,
        window: Window,
        rooms: dict[float, int],
        *,
        first: float,
        seconds: float,
        travel: float,
    ) -> None:
        self.window = window
        self.rooms = rooms
        self.first, self.seconds, self.travel = first, seconds, travel
        self.chance = random.Random(7)
        self.under_way: dict[int, float] = {}
        self.busy = self.sent = self.refused = 0
        self.now = 0.0
        self.events: list[tuple[float, int, str, int]] = []
        self.numbers = itertools.count()

    def room(self) -> int:
        """How many are taken now."""
        return [room for since, room in self.rooms.items() if since <= self.now][-1]

    def later(self, seconds: float, what: str, who: int) -> None:
        """Have something happen."""
        heapq.heappush(self.events, (self.now + seconds, next(self.numbers), what, who))

    def run(self, until: float) -> None:
        """Let the time pass."""
        while self.now < until:
            while self.window.has_room(len(self.under_way)):
                self.sent += 1
                self.under_way[self.sent] = self.now
                self.later(self.travel, "arrives", self.sent)
            self.now, _, what, who = heapq.heappop(self.events)
            getattr(self, what)(who)

    def arrives(self, who: int) -> None:
        """The service takes it or not."""
        if self.busy >= self.room():
            self.later(self.travel, "is_refused", who)
            return
        self.busy += 1
        self.later(self.travel + self.first, "is_accepted", who)
        seconds = self.first + self.seconds * self.chance.uniform(0.5, 1.5)
        self.later(self.travel + seconds, "ends", who)

    def is_refused(self, who: int) -> None:
        """The window learns of it."""
        self.refused += 1
        sent_at = self.under_way.pop(who)
        self.window.refused(self.now, sent_at, len(self.under_way))

    def is_accepted(self, who: int) -> None:
        """The window learns of it."""
        self.window.accepted(self.under_way[who], len(self.under_way))

    def ends(self, who: int) -> None:
        """There is room again."""
        self.busy -= 1
        del self.under_way[who]


@pytest.mark.parametrize("start", [1, 20, 60])
@pytest.mark.parametrize(
    ("first", "seconds", "travel"),
    [(0.3, 2, 0.05), (0.3, 1, 0.2), (0.1, 0.4, 0.02), (1.0, 4, 0.05)],
)
def test_a_window_finds_what_is_taken(
    start: int, first: float, seconds: float, travel: float
) -> None:
    """Whatever the latency, a limit is found within 15 %, then its half, then its double."""
    window = Window(Adaptive(start=start))
    one = first + seconds
    rooms = {0: 60, 20 * one: 30, 40 * one: 60}
    service = Service(window, rooms, first=first, seconds=seconds, travel=travel)
    for answers, room in ((16, 60), (20, 60), (26, 30), (30, 30), (40, 30), (130, 60)):
        service.run(answers * one)
        assert abs(int(window.limit) - room) <= 0.15 * room, answers
    assert service.refused < 0.03 * service.sent


def test_an_idle_window_learns_nothing() -> None:
    """Where little is asked, all of it being taken does not mean that more would be."""
    window = Window(Adaptive(start=20))
    for number in range(1_000):
        window.accepted(float(number), under_way=5)
    assert window.limit == 20


@quick
@given(
    st.integers(1, 50),
    st.integers(0, 100),
    st.integers(1, 100),
    st.lists(st.tuples(st.booleans(), st.integers(0, 120), st.floats(0, 5)), max_size=300),
)
def test_a_window_stays_within_its_bounds(
    least: int, more: int, start: int, events: list[tuple[bool, int, float]]
) -> None:
    """Whatever happens, in whatever order, the window is between its least and its most."""
    window = Window(Adaptive(least=least, most=least + more, start=start))
    for now, (taken, under_way, age) in enumerate(events):
        if taken:
            window.accepted(now - age, under_way)
        else:
            window.refused(now, now - age, under_way)
        assert least <= window.limit <= least + more
        assert window.has_room(least - 1)
        assert not window.has_room(least + more)


def test_a_trial_that_fails_costs_one_refusal() -> None:
    """The window steps back to what it knew, and waits for longer before it tries again."""
    window = Window(Adaptive(start=10))
    window.refused(1.0, 0.5, under_way=10)
    trials: list[int] = []
    now, accepted = 2.0, 0
    while len(trials) < 4:
        now += 1
        if window.limit > 10:
            assert window.limit == 11
            assert window.refused(now, now - 0.5, under_way=10)
            trials.append(accepted)
            accepted = 0
            assert window.limit == 10
        else:
            accepted += 1
            window.accepted(now - 0.1, under_way=10)
    assert trials == sorted(trials)
    assert trials[-1] >= 4 * trials[0]


# A minute.


@quick
@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(1, 30), st.floats(0, 30)), min_size=1, max_size=60),
)
def test_no_minute_holds_more_than_its_limit(limit: int, wanted: list[tuple[int, float]]) -> None:
    """In no sixty seconds is more spent than allowed; one larger than all of it goes alone."""
    minute = Minute(limit)
    now = 0.0
    spent: list[tuple[float, int]] = []
    for amount, pause in wanted:
        now += pause
        now += minute.wait(now, amount)
        minute.wait(now, amount)
        minute.spend(now, amount)
        spent.append((now, amount))
    for start, _ in spent:
        inside = [amount for at, amount in spent if start <= at < start + 60]
        assert sum(inside) <= limit or len(inside) == 1


def test_a_minute_waits_no_longer_than_it_must() -> None:
    """A burst goes at once, and the next when the first of it is a minute old."""
    minute = Minute(3)
    for _ in range(3):
        assert minute.wait(10.0, 1) == 0
        minute.spend(10.0, 1)
    assert minute.wait(20.0, 1) == Minute.LENGTH - 10
    assert minute.wait(10.0 + Minute.LENGTH, 1) == 0


def test_an_estimate_is_put_right() -> None:
    """What was too much is given back at once; what is a minute old does not matter any more."""
    minute = Minute(100)
    spending = minute.spend(0.0, 90)
    assert minute.wait(1.0, 20) > 0
    minute.correct(spending, 10)
    assert minute.wait(1.0, 20) == 0
    assert minute.spent == 10
    minute.spend(2.0, 5)
    minute.forget(Minute.LENGTH + 1)
    minute.correct(spending, 1_000)
    assert minute.spent == 5


# What a request is to the limits.


@pytest.mark.parametrize(
    ("path", "body", "lane"),
    [
        ("/chat/completions", b'{"model":"a/b:free","messages":[]}', "a/b:free"),
        ("/embeddings", b'{"input":"x","model":"e"}', "e"),
        ("/chat/completions", b'{"messages":[]}', "/chat/completions"),
        ("/chat/completions", b'{"model":null}', "/chat/completions"),
        ("/chat/completions", b'{"model":5}', "/chat/completions"),
        ("/files", b"\x89PNG", "/files"),
        ("/models", None, "/models"),
    ],
)
def test_a_lane_is_the_model_or_the_path(path: str, body: bytes | None, lane: str) -> None:
    """Whatever the body is, its request has a lane."""
    assert asked_in(path, body).lane == lane
    assert asked_in(path, body).is_free is lane.endswith(":free")


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ("", 108),
        (',"max_tokens":500', 612),
        (',"max_tokens":1,"max_completion_tokens":500', 618),
        (f',"url":"data:image/png;base64,{"A" * 100_000}"', 1_109),
    ],
)
def test_tokens_are_estimated_by_the_text(fields: str, tokens: int) -> None:
    """Four bytes a token and the longest answer; a file counts as a file, whatever its size."""
    body = f'{{"model":"m","x":"{"y" * 412}"{fields}}}'.encode()
    found: Any = asked_in("/chat/completions", body).tokens
    assert found == tokens
