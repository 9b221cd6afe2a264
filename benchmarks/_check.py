"""The short form: no ratio to the floor may get much worse than the one that is written down.

Ratios alone, because machines differ and are shared; and several tries, of which the best counts,
because noise makes a loop slower and never faster. What is measured again is what failed.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from ._figures import best, ratios, worse
from ._loops import LOOPS, chunks_of
from ._server import serving

RECORDED = Path(__file__).with_name("recorded.json")
TRIES = 4
_WATCHED = ("typed", "text", "raw")
# Rounds of one try: enough of the quick ones that their CPU is more than the clock's grain.
_ROUNDS = {"packed": 7, "burst": 7, "trickle": 2, "short": 5}

_Measured = dict[str, dict[str, float]]


def cpu(url: str, scene: str, name: str) -> float:
    """Give the CPU of this process a chunk, in microseconds, of one loop over one scene."""
    expected = chunks_of(scene)
    started = time.process_time()
    count = asyncio.run(LOOPS[name](url, scene))
    used = time.process_time() - started
    if count != expected:
        raise RuntimeError(f"{name} found {count} chunks in {scene} instead of {expected}")
    return used / expected * 1e6


def _measured(url: str, scenes: dict[str, list[str]]) -> _Measured:
    found: _Measured = {}
    for scene, names in scenes.items():
        figures: dict[str, list[float]] = {}
        for _ in range(_ROUNDS[scene]):
            for name in ("floor", *names):
                figures.setdefault(name, []).append(cpu(url, scene, name))
        found[scene] = ratios(figures)
    return found


def check() -> int:
    """Measure, compare and say so.

    Returns:
        The exit status: 0 where everything holds, else 1.
    """
    recorded: _Measured = json.loads(RECORDED.read_text("utf-8"))
    tries: list[_Measured] = []
    left = {scene: list(_WATCHED) for scene in _ROUNDS}
    failed: list[str] = []
    with serving() as url:
        for name in ("floor", *_WATCHED):  # what is slow only once is no part of it
            cpu(url, "short", name)
        for number in range(TRIES):
            tries.append(_measured(url, left))
            seen = best(tries)
            failed = worse(seen, recorded)
            if not failed:
                break
            left = _to_repeat(seen, recorded)
            print(f"try {number + 1} of {TRIES}:", *failed, sep="\n  ", flush=True)
    for scene, of_scene in best(tries).items():
        figures = (
            f"{name} {ratio:.2f} ({recorded[scene].get(name, 0):.2f})"
            for name, ratio in of_scene.items()
        )
        print(f"{scene:<8}", *figures, sep="  ")
    print("times the floor's CPU a chunk, and in brackets what is recorded")
    if failed:
        print("worse than 1.5 times what is recorded:", *failed, sep="\n  ")
    return 1 if failed else 0


def _to_repeat(seen: _Measured, recorded: _Measured) -> dict[str, list[str]]:
    """What failed, scene by scene."""
    again: dict[str, list[str]] = {}
    for scene, of_scene in seen.items():
        for name, ratio in of_scene.items():
            if worse({scene: {name: ratio}}, recorded):
                again.setdefault(scene, []).append(name)
    return again


def record(runs: int) -> None:
    """Write down the ratios of now: of several tries the best, as the check takes it too."""
    with serving() as url:
        everything = {scene: list(_WATCHED) for scene in _ROUNDS}
        found = best(_measured(url, everything) for _ in range(runs))
    rounded = {
        scene: {name: round(ratio, 2) for name, ratio in of_scene.items()}
        for scene, of_scene in found.items()
    }
    RECORDED.write_text(json.dumps(rounded, indent=2) + "\n", "utf-8")
    print(json.dumps(rounded, indent=2))
