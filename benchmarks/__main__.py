"""The client side by side with what would be picked instead, against one server, in one run.

    python -m benchmarks [--quick] [--scene NAME ...] [--peers NAME ...] [--runs N]
    python -m benchmarks --check

The other clients are installed in their newest versions, each in an environment of its own under
`benchmarks/.cache`. *The floor* is the loop that a good engineer writes by hand: bare aiohttp,
split at blank lines, a msgspec decode into the same structs, and nothing else: no endings, no
errors, no deadlines, no accumulation. Figures are the CPU time of the client's process. Machines
are shared and noisy, so only the ratios within a run say something.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import _report
from ._check import check
from ._clients import CLIENTS
from ._peers import CACHE, REQUIREMENTS, InstallError, python_of
from ._running import SCENES, Run, stderr_line
from ._server import serving

OWN = [name for name in CLIENTS if name not in REQUIREMENTS]


def main() -> int:
    """Run what is asked for."""
    given = arguments()
    if given.check or given.record:
        return 0 if check(record=given.record) else 1
    clients = [*OWN, *installed(given.peers)]
    rounds = given.runs or (2 if given.quick else 5)
    run = Run(given.scene or list(SCENES), clients, rounds, given.quick)
    try:
        with serving() as url:
            run.go(url, given.crowd, stderr_line)
    except KeyboardInterrupt:
        if not run.figures:
            raise
        print("\nstopped: these are the figures so far", file=sys.stderr)
    stderr_line("")
    about = _report.machine()
    data = _report.written(run, about, clients)
    counted = {len(found) for scene in run.figures.values() for found in scene.values()} or {0}
    shown = "-".join(str(number) for number in sorted({min(counted), max(counted)}))
    print(f"{', '.join(about.values())}; medians of {shown} interleaved rounds")
    for client in ("typed", *(c for c in clients if c in REQUIREMENTS)):
        print(f"{client}: {', '.join(f'{n} {v}' for n, v in data['versions'][client].items())}")
    print(_report.table(run))
    print(_report.reached(run.figures))
    _report.save(data, given.output / "benchmark.json")
    (given.output / "benchmark.md").write_text(_report.markdown(run))
    written = "benchmark.json and benchmark.md"
    if any(scene in run.figures for scene in ("packed", "trickle", "short")):
        try:
            _report.chart(given.output / "benchmark.json", given.output / "benchmark.png")
            written = "benchmark.json, benchmark.md and benchmark.png"
        except InstallError as error:
            print(f"no chart: {error}", file=sys.stderr)
    print(f"\n{written} are in {given.output}")
    return 0


def installed(peers: list[str] | None) -> list[str]:
    """Give the other clients that could be installed."""
    found: list[str] = []
    for peer in REQUIREMENTS if peers is None else peers:
        if peer == "none":
            continue
        try:
            python_of(peer)
        except InstallError as error:
            print(f"without {peer}: {error}", file=sys.stderr)
            continue
        found.append(peer)
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scene", nargs="+", choices=SCENES, help="these scenes alone")
    parser.add_argument(
        "--peers", nargs="+", choices=[*REQUIREMENTS, "none"], help="these other clients alone"
    )
    parser.add_argument("--runs", type=int, help="counted rounds (default 5)")
    parser.add_argument("--quick", action="store_true", help="two short rounds, for a first look")
    parser.add_argument("--crowd", type=int, default=10_000, help="streams of the large crowd")
    parser.add_argument("--output", type=Path, default=CACHE, help="folder of what is written")
    parser.add_argument(
        "--check", action="store_true", help="fail where a ratio to the floor has got worse"
    )
    parser.add_argument("--record", action="store_true", help="write down the ratios of today")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
