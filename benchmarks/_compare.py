"""The long form: every client over every scene, in turn, each run in a process of its own.

What may live here: who reads which scene, the runs, and what is printed and written of them. How
figures are made into medians and tables is in `_figures`, the environments are in `_peers`.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from ._figures import shown, spread, table
from ._loops import chunks_of
from ._peers import CHARTS, HERE, PEERS, NotMadeError, make
from ._server import serving

RESULTS = HERE / "results"
TOLD = RESULTS / "benchmark.json"
DRAWN = RESULTS / "benchmark.png"
LIMIT = 300
"""Seconds that one run of one client may take."""

Figures = dict[str, dict[str, list[dict[str, float]]]]
"""Of each scene, of each client, what each run told."""

_OWN = {
    "packed": ("floor", "typed", "text", "raw", "json lines", "messages"),
    "burst": ("floor", "typed", "text", "raw", "json lines", "messages"),
    "trickle": ("floor", "typed", "text", "raw", "json lines"),
    "short": ("floor", "typed", "text", "raw", "json lines", "messages"),
    "tools": ("floor", "typed", "json lines"),
    "image": ("floor", "typed", "json lines"),
    "relay": ("bytes", "raw"),
    "long": ("accumulated", "not kept"),
    "import": ("typed",),
}
_NO_PEERS = ("relay", "long")
SCENES = tuple(_OWN)
_BASES = {"relay": "bytes"}
_COLD = (
    "from openrouter_async import OpenRouter; OpenRouter('k'); import sys; "
    "assert 'aiohttp' not in sys.modules"
)
_TIMED = (
    "import json, time; w, c = time.perf_counter(), time.process_time(); {code}; "
    "print(json.dumps({{'cpu': time.process_time() - c, 'wall': time.perf_counter() - w, "
    "'chunks': 1}}))"
)


def compare(peers: Sequence[str], scenes: Sequence[str], runs: int, *, upgrade: bool) -> int:
    """Make the environments, run everything, and print and write what it took.

    Args:
        peers: Names in `PEERS`.
        scenes: Names in `SCENES`.
        runs: How often each client reads each scene.
        upgrade: Make the environments anew.

    Returns:
        The exit status: 1 where something could not be run, else 0.
    """
    notes: list[str] = []
    ready = [name for name in peers if _made(name, notes, upgrade=upgrade)]
    about = _about(ready, runs)
    print(f"\n{about['machine']}\n{about['versions']}\n", flush=True)
    figures: Figures = {}
    with serving() as url:
        for number in range(runs):
            for scene in scenes:
                print(f"run {number + 1} of {runs}: {scene}", file=sys.stderr, flush=True)
                for name, command in _commands(url, scene, ready):
                    told = _told(name, scene, command, notes)
                    if told is not None:
                        figures.setdefault(scene, {}).setdefault(name, []).append(told)
            # After each round, so that one who has seen enough may interrupt it.
            _write({**about, "notes": list(dict.fromkeys(notes)), "scenes": figures})
    for scene, of_scene in figures.items():
        print(f"{scene}\n{scene_table(scene, of_scene)}\n")
    for note in dict.fromkeys(notes):
        print(f"not whole: {note}")
    _draw()
    return 1 if notes else 0


def _made(name: str, notes: list[str], *, upgrade: bool) -> bool:
    environment = PEERS[name].environment
    is_first = next(n for n, p in PEERS.items() if p.environment is environment) == name
    try:
        make(environment, upgrade=upgrade and is_first)
    except NotMadeError as error:
        print("failed", flush=True)
        notes.append(f"{name} could not be installed: {error}")
        return False
    return True


def _commands(url: str, scene: str, peers: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Say who reads a scene, and how each is started."""
    for name in _OWN[scene]:
        if scene == "import":
            yield name, [sys.executable, "-c", _TIMED.format(code=_COLD)]
        else:
            yield name, [sys.executable, "-m", "benchmarks._own", url, scene, name]
    for key in () if scene in _NO_PEERS else peers:
        peer = PEERS[key]
        python = str(peer.environment.python)
        if scene == "import":
            yield peer.label, [python, "-c", _TIMED.format(code=peer.cold)]
        elif peer.dialect == "chat" or "messages" in _OWN[scene]:
            yield peer.label, [python, str(HERE / "peers" / f"{peer.script}.py"), url, scene]


def _told(name: str, scene: str, command: list[str], notes: list[str]) -> dict[str, float] | None:
    """Run it and give its figures; None, and a note, where it did not read the scene whole."""
    try:
        done = subprocess.run(
            command, cwd=HERE.parent, check=True, capture_output=True, text=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        notes.append(f"{name} took more than {LIMIT} s for {scene}")
        return None
    except subprocess.CalledProcessError as error:
        told = str(error.stderr).strip().splitlines()[-1:]
        notes.append(f"{name} failed in {scene}: {' '.join(told)[:200]}")
        return None
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    expected = 1 if scene == "import" else chunks_of(scene)
    if figures["chunks"] < expected:
        notes.append(f"{name} gave {figures['chunks']:,.0f} of the {expected:,} pieces of {scene}")
        return None
    return figures


def scene_table(scene: str, figures: dict[str, list[dict[str, float]]]) -> str:
    """Lay out what a scene took.

    Args:
        scene: Its name.
        figures: Of each client, what each run told.

    Returns:
        The table: medians, with the lowest and the highest CPU.
    """
    if scene == "long":
        return _long_table(figures)
    pieces = 1 if scene in ("import", "image") else chunks_of(scene)
    unit, scale = ("ms", 1e3) if pieces == 1 else ("us a chunk", 1e6 / pieces)
    taken = {name: [run["cpu"] * scale for run in runs] for name, runs in figures.items()}
    middle = {name: statistics.median(values) for name, values in taken.items()}
    base = middle.get(_BASES.get(scene, "floor"))
    base_name = _BASES.get(scene, "floor")
    head = ["client", f"CPU, {unit}", "spread", f"x {base_name}", "x ours", "wall, ms"]
    # One event is large beside the client itself; elsewhere what counts is the whole process.
    memory = {"image": "grown", "import": None}.get(scene, "peak")
    if memory is not None:
        head.append(f"{memory}, MiB")
    rows: list[list[str]] = []
    for name, values in taken.items():
        is_messages = name in ("messages", "anthropic") and scene != "import"
        ours = middle.get("messages" if is_messages else "typed")
        runs = figures[name]
        row = [name, shown(middle[name]), spread(values)]
        row.append(shown(middle[name] / base) if base and not is_messages else "")
        row.append(shown(middle[name] / ours) if ours and name in _LABELS else "")
        row.append(f"{statistics.median(run['wall'] for run in runs) * 1e3:,.0f}")
        if memory is not None:
            row.append(f"{statistics.median(run[memory] for run in runs) / 2**20:,.0f}")
        rows.append(row)
    return table(head, rows)


_LABELS = frozenset(peer.label for peer in PEERS.values())


def _long_table(figures: dict[str, list[dict[str, float]]]) -> str:
    rows: list[list[str]] = []
    for name, runs in figures.items():
        first, last = (statistics.median(run[k] for run in runs) * 1e6 for k in ("first", "last"))
        grown = statistics.median(run["grown"] for run in runs) / 2**20
        ratio = statistics.median(run["last"] / run["first"] for run in runs)
        rows.append([name, shown(first), shown(last), shown(ratio), f"{grown:.1f}"])
    head = ("answer", "first tenth, us a chunk", "last tenth", "last / first", "grown, MiB")
    return table(head, rows)


def _about(peers: Sequence[str], runs: int) -> dict[str, str]:
    """Say when, where and with what it was measured."""
    own = {name: version(name) for name in ("openrouter-async", "aiohttp", "msgspec")}
    others = {
        environment.shown: environment.versions().get(environment.shown, "?")
        for environment in (PEERS[name].environment for name in peers)
    }
    named = ", ".join(f"{name} {number}" for name, number in (own | others).items())
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {platform.system()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, {named}; {runs} runs in turn",
    }


def _processor() -> str:
    names: list[str] = []
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text("utf-8").splitlines()
            if line.startswith("model name")
        ]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def _write(results: dict[str, object]) -> None:
    RESULTS.mkdir(exist_ok=True)
    TOLD.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def _draw() -> None:
    """Draw the figures that were written."""
    print(f"the figures are in {TOLD.relative_to(HERE.parent)}")
    try:
        make(CHARTS)
        script = str(HERE / "peers" / "chart.py")
        subprocess.run([str(CHARTS.python), script, str(TOLD), str(DRAWN)], check=True)
    except (NotMadeError, subprocess.CalledProcessError) as error:
        print(f"and there is no chart: {error}")
    else:
        print(f"and the chart is {DRAWN.relative_to(HERE.parent)}")
