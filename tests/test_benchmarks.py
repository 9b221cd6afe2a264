"""The benchmarks' arithmetic and decisions, and one true run of its parts; nothing of speed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import _check, _report
from benchmarks._clients import CLIENTS
from benchmarks._peers import IMPORTS, REQUIREMENTS
from benchmarks._running import (
    SCENES,
    ClientFailedError,
    Figures,
    Run,
    Workers,
    clients_of,
    order_for,
)
from benchmarks._server import serving

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="a process's memory is read from /proc"
)


def rounds(*cpu: float, count: float = 10, **more: float) -> list[dict[str, float]]:
    """What the rounds of one client told: CPU seconds of all its chunks, and the rest."""
    return [{"count": count, "cpu": one, "wall": 2 * one, "memory": 3.0, **more} for one in cpu]


def test_a_median_is_that_of_one_chunk() -> None:
    """CPU and wall time are divided by what was counted; memory is not."""
    figures: Figures = {"packed": {"typed": rounds(10.0, 1000.0, 20.0)}}
    assert _report.median(figures, "packed", "typed") == 2.0
    assert _report.median(figures, "packed", "typed", "wall") == 4.0
    assert _report.median(figures, "packed", "typed", "memory") == 3.0


def test_rounds_of_different_length_are_each_divided_by_their_own() -> None:
    """A client that was given fewer chunks is held against the same unit."""
    figures: Figures = {"packed": {"typed": [*rounds(10.0), *rounds(6.0, count=2)]}}
    assert _report.values_of(figures, "packed", "typed", "cpu") == [1.0, 3.0]


def test_what_was_not_measured_has_no_median_and_no_ratio() -> None:
    """A missing scene, client or figure is None, and no zero that looks quick."""
    figures: Figures = {"packed": {"typed": rounds(1.0)}}
    assert _report.median(figures, "burst", "typed") is None
    assert _report.median(figures, "packed", "floor") is None
    assert _report.median(figures, "packed", "typed", "stream") is None
    assert _report.ratio(figures, "packed", "typed", "floor") is None
    assert _report.ratio(figures, "packed", "floor", "typed") is None


@pytest.mark.parametrize(
    ("scene", "client", "floor"),
    [
        ("packed", "typed", "floor"),
        ("packed", "typed on uvloop", "floor on uvloop"),
        ("relay", "raw", "bytes"),
    ],
)
def test_each_client_has_its_floor(scene: str, client: str, floor: str) -> None:
    """A loop is held against the bare one on the same event loop, and a relay against copying."""
    assert _report.floor_of(scene, client) == floor


def of_line(figures: Figures, about: str) -> tuple[str, bool | None]:
    """What was measured for a line, and whether it is reached."""
    ((_, _, measured, is_reached),) = [x for x in _report.reach(figures) if x[0] == about]
    return measured, is_reached


@pytest.mark.parametrize(("typed", "is_reached"), [(12.0, True), (12.5, True), (12.6, False)])
def test_a_line_is_reached_up_to_its_bound(typed: float, is_reached: bool) -> None:
    """The bound itself still counts as reached, and nothing beyond it."""
    figures: Figures = {"packed": {"floor": rounds(10.0), "typed": rounds(typed)}}
    assert of_line(figures, "packed: typed, of the floor") == (f"{typed / 10:.2f}", is_reached)


def test_openai_is_held_against_by_its_better_transport() -> None:
    """Whoever has two transports is taken by the one that does better."""
    figures: Figures = {
        "packed": {
            "typed": rounds(1.0),
            "openai (httpx)": rounds(40.0),
            "openai (aiohttp)": rounds(29.0),
        }
    }
    assert of_line(figures, "packed: openai, of ours") == ("29.0", False)


def test_anthropic_is_held_against_our_messages() -> None:
    """Two clients of one wire form are compared, though our chat takes less than either."""
    figures: Figures = {
        "burst": {"typed": rounds(1.0), "messages": rounds(2.0), "anthropic": rounds(12.0)}
    }
    assert of_line(figures, "burst: anthropic, of our messages") == ("6.0", False)


def test_throughput_is_compared_by_wall_time() -> None:
    """A batch that takes longer than the bare loop has less than its throughput."""
    figures: Figures = {"batch": {"floor": rounds(8.0), "typed": rounds(10.0)}}
    assert of_line(figures, "batch: throughput, of the bare loop's") == ("0.80", False)


def test_a_long_stream_is_compared_with_its_own_beginning() -> None:
    """Its last chunks are held against its first, and its memory against none."""
    figures: Figures = {
        "long": {
            "typed": rounds(1.0, start=2.0, end=2.1, growth=9.0),
            "unkept": rounds(1.0, start=2.0, end=2.0, growth=0.5),
        }
    }
    assert of_line(figures, "long: the last chunks, of the first") == ("1.05", True)
    assert of_line(figures, "long: MiB grown without accumulation") == ("0.50", True)


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    """No figures, no lines; and no line of another scene than those that ran."""
    assert _report.reach({}) == []
    assert _report.reached({}) == ""
    figures: Figures = {"short": {"floor": rounds(10.0), "typed": rounds(13.0)}}
    told = _report.reached(figures)
    assert "NOT REACHED" in told
    assert "packed" not in told


def a_run(figures: Figures) -> Run:
    """A run that has ended with these figures."""
    run = Run(list(figures), ["floor", "typed"], 2, quick=True)
    run.figures.update(figures)
    return run


def test_the_table_shows_medians_spreads_and_failures() -> None:
    """The cheapest comes first, and who did not come through is told with the reason."""
    run = a_run(
        {"packed": {"typed": rounds(24e-6, 26e-6, 90e-6), "floor": rounds(20e-6, 20e-6, 20e-6)}}
    )
    run.failures["packed"] = {"litellm": "its process ended"}
    lines = _report.table(run).splitlines()
    (floor,) = [line for line in lines if line.startswith("  floor ")]
    (typed,) = [line for line in lines if line.startswith("  typed ")]
    assert lines.index(floor) < lines.index(typed)
    assert "2.60" in typed  # the median, not the mean of 4.67
    assert "2.40" in typed
    assert "9.00" in typed
    assert " 1.30 " in typed  # times the floor
    assert "its process ended" in lines[-1]


def test_a_scene_that_nobody_came_through_is_told() -> None:
    """A scene without any figure still stands in the table."""
    run = a_run({})
    run.failures["crowd"] = {"typed": "1100 open files are needed"}
    assert "1100 open files are needed" in _report.table(run)


def test_the_table_of_the_readme_leaves_out_who_was_not_there() -> None:
    """A row has a cell a column, empty where nothing was measured, and absent clients have none."""
    run = a_run({"packed": {"typed": rounds(20e-6)}, "image": {"typed": rounds(0.15, count=1)}})
    head, rule, *rows = _report.markdown(run).splitlines()
    assert len(rows) == 1
    assert {line.count("|") for line in (head, rule, *rows)} == {8}
    assert rows[0] == "| **openrouter_async** | 2.0 |  |  |  | 150 |  |"


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    """The JSON file holds each round, and each line of what is wanted."""
    run = a_run({"packed": {"floor": rounds(10.0), "typed": rounds(11.0)}})
    path = tmp_path / "new" / "benchmark.json"
    _report.save(_report.written(run, {"date": "2026-01-01"}, []), path)
    read = json.loads(path.read_text())
    assert read["figures"] == run.figures
    assert read["machine"] == {"date": "2026-01-01"}
    assert [float(read["reach"][0][1].split()[-1]), *read["reach"][0][2:]] == [1.25, "1.10", True]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of recorded ratios, all of them 2, that the check reads instead of its own."""
    path = tmp_path / "recorded.json"
    path.write_text(json.dumps(dict.fromkeys(_check.PAIRS, 2.0)))
    monkeypatch.setattr(_check, "RECORDED", path)
    return path


def measuring(monkeypatch: pytest.MonkeyPatch, **found: Iterator[float]) -> list[str]:
    """Have scenes measure these ratios, and 2 where nothing is said; give who was measured."""
    measured: list[str] = []

    def ratio_now(workers: Workers, url: str, scene: str) -> float:
        measured.append(scene)
        return next(found[scene]) if scene in found else 2.0

    monkeypatch.setattr(_check, "ratio_now", ratio_now)
    return measured


@pytest.mark.usefixtures("recorded")
def test_the_check_measures_once_where_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ratio of up to 1.5 times what is recorded passes, and is not measured again."""
    measured = measuring(monkeypatch, burst=iter([3.0]))
    assert _check.check(record=False)
    assert measured == list(_check.PAIRS)


@pytest.mark.usefixtures("recorded")
def test_the_check_gives_noise_several_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best of the tries counts, and only the scene that failed has them."""
    measured = measuring(monkeypatch, burst=iter([9.0, 8.0, 7.0, 2.5]))
    assert _check.check(record=False)
    assert measured.count("burst") == _check.TRIES == 4
    assert measured.count("packed") == 1


@pytest.mark.usefixtures("recorded")
def test_the_check_fails_where_every_try_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What got slower is named, with its best ratio and what was recorded; the rest still runs."""
    measured = measuring(monkeypatch, burst=iter([3.2, 3.1, 3.4, 3.3]))
    assert not _check.check(record=False)
    (slower,) = [x for x in capsys.readouterr().out.splitlines() if "SLOWER" in x]
    assert slower.split()[:2] == ["burst", "3.10"]
    assert "recorded 2.00, at most 3.00" in slower
    assert measured[-1] == list(_check.PAIRS)[-1]


def test_the_check_says_what_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch, recorded: Path
) -> None:
    """A scene without a recorded ratio ends the check with what to do."""
    recorded.write_text(json.dumps({"packed": 2.0}))
    measuring(monkeypatch)
    with pytest.raises(SystemExit, match="burst has no recorded ratio: run with --record"):
        _check.check(record=False)


def test_recording_writes_the_median_of_the_tries(
    monkeypatch: pytest.MonkeyPatch, recorded: Path
) -> None:
    """One odd try does not become the measure of all later checks."""
    measuring(monkeypatch, burst=iter([1.0, 1.2, 1.4, 9.0]))
    assert _check.check(record=True)
    written = json.loads(recorded.read_text())
    assert written == dict.fromkeys(_check.PAIRS, 2.0) | {"burst": 1.3}


def test_every_pair_has_a_recorded_ratio_and_two_clients() -> None:
    """What the check runs in a fresh clone is complete."""
    assert set(json.loads(_check.RECORDED.read_text())) == set(_check.PAIRS)
    for scene, pair in _check.PAIRS.items():
        assert set(pair) <= set(clients_of(scene, CLIENTS))


def test_every_client_has_what_it_is_run_with() -> None:
    """A client's scenes exist, and whoever is imported or installed is a client."""
    assert {scene for kind in CLIENTS.values() for scene in kind.can} <= set(SCENES)
    assert set(REQUIREMENTS) | set(IMPORTS) <= set(CLIENTS)


def test_the_floor_comes_first_and_runs_on_uvloop_too() -> None:
    """Only the floor and the typed loop are run on both event loops."""
    names = clients_of("packed", ["floor", "typed", "openrouter"])
    assert names == ["floor", "typed", "openrouter", "floor on uvloop", "typed on uvloop"]
    assert clients_of("large crowd", ["floor", "typed", "openai (httpx)"]) == ["floor", "typed"]
    assert clients_of("relay", ["floor", "typed", "raw", "bytes"]) == ["raw", "bytes"]


def test_a_slow_client_is_given_less_and_a_quick_run_least() -> None:
    """What is asked for depends on who is asked; each has the same path of the server."""
    known = SCENES["burst"]

    def count(client: str, *, quick: bool) -> int:
        order = order_for("burst", client, "http://a", "", quick, 10_000)
        assert (order["scene"], order["path"], order["url"]) == ("burst", "burst", "http://a")
        return int(order["count"])

    assert count("typed", quick=False) == known.count
    assert count("typed on uvloop", quick=False) == known.count
    assert count("openai (httpx)", quick=False) == known.slow
    assert count("litellm", quick=True) <= count("typed", quick=True) < known.count
    assert order_for("large crowd", "typed", "", "", False, 77)["count"] == 77


@on_linux
@pytest.mark.parametrize("scene", ["crowd", "busy crowd"])
def test_a_crowd_lives_and_says_how_late_it_is(scene: str) -> None:
    """Every stream stays, and the chunks of a second come from the server's beat."""
    with serving() as url, Workers() as workers:
        order = order_for(scene, "typed", url, "", True, 0)
        figures = workers.of("typed").run(order)
    assert figures["alive"] == order["count"]
    rate = 20 if scene == "busy crowd" else 1
    assert figures["count"] >= order["count"] * rate // 2
    assert 0 <= figures["median_delay"] <= figures["worst_delay"]


@on_linux
@pytest.mark.parametrize("client", ["floor", "typed", "text"])
def test_a_client_reads_a_scene_in_a_process_of_its_own(client: str) -> None:
    """Every chunk that was sent is counted, and CPU, wall time and memory are told."""
    with serving() as url, Workers() as workers:
        figures = workers.of(client).run(order_for("short", client, url, "", True, 0))
    assert figures["count"] == 100 * SCENES["short"].quick
    assert figures["cpu"] > 0
    assert figures["wall"] > 0
    assert figures["memory"] >= 0


@on_linux
def test_a_client_that_fails_is_told_and_left_out(unused_url: str) -> None:
    """The reason is kept with the scene, and no figure of it."""
    with Workers() as workers, pytest.raises(ClientFailedError, match="ConnectError"):
        workers.of("typed").run(order_for("short", "typed", unused_url, "", True, 0))
    run = Run(["short"], ["typed"], 1, quick=True)
    run.go(unused_url, 0, lambda text: None)
    assert run.figures == {}
    assert set(run.failures["short"]) == {"typed", "typed on uvloop"}


@pytest.fixture
def unused_url() -> str:
    """An address where nobody listens."""
    with serving() as url:
        return url
