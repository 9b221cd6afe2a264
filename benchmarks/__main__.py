"""CPU of the client process a chunk, beside the floor, in one interleaved run.

    python -m benchmarks [--runs N]
    python -m benchmarks --check
    python -m benchmarks --record

*The floor* is the loop that a good engineer writes by hand: bare aiohttp, split at blank lines,
a msgspec decode into the same structs, and nothing else: no endings, no errors, no deadlines, no
accumulation. Machines are shared and noisy, so only the ratios say something; `--check` fails
where one of them got worse than 1.5 times what `--record` has written down.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from importlib.metadata import version

from ._check import check, cpu, record
from ._figures import ratios, shown, spread, table
from ._server import serving

SCENES = ("packed", "burst", "trickle", "short")
OWN = ("floor", "typed", "text", "raw")


def main(runs: int) -> None:
    """Run all scenes `runs` times, in turn, and print medians and ratios."""
    figures: dict[str, dict[str, list[float]]] = {}
    with serving() as url:
        for number in range(runs + 1):
            for scene in SCENES:
                for name in OWN:
                    figure = cpu(url, scene, name)
                    if number:  # the first round warms up
                        figures.setdefault(scene, {}).setdefault(name, []).append(figure)
    names = ("aiohttp", "msgspec", "openrouter-async")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}, {runs} runs, medians\n")
    rows = [
        [
            scene,
            name,
            shown(statistics.median(values)),
            spread(values),
            shown({"floor": 1.0, **ratios(of_scene)}[name]),
        ]
        for scene, of_scene in figures.items()
        for name, values in of_scene.items()
    ]
    print(table(("scene", "loop", "us a chunk", "spread", "x floor"), rows, numbers_from=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--check", action="store_true", help="fail where a ratio got much worse")
    parser.add_argument("--record", action="store_true", help="write down the ratios of now")
    given = parser.parse_args()
    if given.check:
        sys.exit(check())
    elif given.record:
        record(given.runs)
    else:
        main(given.runs)
