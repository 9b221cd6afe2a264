"""Fails when the client has become slower, held against the floor.

The rule of this file: only ratios within one moment are compared, since machines differ and are
shared; a scene has several tries, since noise slows one side now and then, and never for long.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from ._running import Workers, order_for
from ._server import serving

RECORDED = Path(__file__).with_name("recorded.json")
ALLOWED = 1.5
TRIES = 4
ROUNDS = 5
PAIRS = {
    "packed": ("typed", "floor"),
    "burst": ("typed", "floor"),
    "trickle": ("typed", "floor"),
    "short": ("typed", "floor"),
    "tools": ("typed", "floor"),
    "relay": ("raw", "bytes"),
}


def ratio_now(workers: Workers, url: str, scene: str) -> float:
    """Measure one scene, both sides in turn."""
    ours, floor = PAIRS[scene]
    taken: dict[str, list[float]] = {ours: [], floor: []}
    for number in range(ROUNDS + 1):
        for client, values in taken.items():
            order = order_for(scene, client, url, "", quick=True, crowd=0)
            cpu = workers.of(client).run(order)["cpu"]
            if number:  # the first warms up
                values.append(cpu)
    return statistics.median(taken[ours]) / statistics.median(taken[floor])


def check(*, record: bool) -> bool:
    """Measure, print, and tell whether all is well; or write down what is measured."""
    recorded: dict[str, float] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    found: dict[str, float] = {}
    with serving() as url, Workers() as workers:
        for scene in PAIRS:
            if record:
                tries = [ratio_now(workers, url, scene) for _ in range(TRIES)]
                found[scene] = round(statistics.median(tries), 2)
                print(f"{scene:<9}{found[scene]:>6.2f} times the floor")
                continue
            if scene not in recorded:
                raise SystemExit(f"{scene} has no recorded ratio: run with --record first")
            limit = recorded[scene] * ALLOWED
            best = ratio_now(workers, url, scene)
            for _ in range(TRIES - 1):
                if best > limit:
                    best = min(best, ratio_now(workers, url, scene))
            found[scene] = best
            verdict = "" if best <= limit else "  SLOWER"
            print(
                f"{scene:<9}{best:>6.2f} times the floor, recorded {recorded[scene]:.2f}, "
                f"at most {limit:.2f}{verdict}"
            )
    if record:
        RECORDED.write_text(json.dumps(found, indent=2) + "\n")
        return True
    return all(found[scene] <= recorded[scene] * ALLOWED for scene in PAIRS)
