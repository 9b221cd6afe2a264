"""Reads the same streams with this client, by hand, and with its peers, in one interleaved run.

    python -m benchmarks [--peers NAME ...] [--scene NAME ...] [--runs N] [--quick] [--upgrade]
    python -m benchmarks --check
    python -m benchmarks --record [--runs N]

Told is the CPU time of the client's process a chunk, the wall time and the peak memory; printed as
tables, and written to `benchmarks/results` as JSON and as a chart. The peers are installed into
environments of their own on the first run. *The floor* is the loop that a good engineer writes by
hand: bare aiohttp, split at blank lines, a msgspec decode into the same structs, and nothing else:
no endings, no errors, no deadlines, no accumulation.

Machines are shared and noisy, so only the ratios say something; `--check` fails where one of those
to the floor got worse than 1.5 times what `--record` has written down.
"""

from __future__ import annotations

import argparse
import sys

from ._check import check, record
from ._compare import SCENES, compare
from ._peers import PEERS

QUICK = ("packed", "burst", "short", "import")


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, metavar="NAME", help=f"of {', '.join(PEERS)}; or none"
    )
    parser.add_argument(
        "--scene", nargs="+", choices=SCENES, metavar="NAME", help=f"of {', '.join(SCENES)}"
    )
    parser.add_argument("--runs", type=int, help="runs of each (default 5; with --quick 2)")
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK)}, two runs")
    parser.add_argument("--upgrade", action="store_true", help="install the peers anew, the newest")
    parser.add_argument("--check", action="store_true", help="fail where a ratio got much worse")
    parser.add_argument("--record", action="store_true", help="write down the ratios of now")
    given = parser.parse_args()
    runs: int = given.runs or (2 if given.quick else 5)
    if runs < 1:
        parser.error("--runs: at least one")
    if given.check:
        return check()
    if given.record:
        record(runs)
        return 0
    return compare(
        list(PEERS) if given.peers is None else given.peers,
        given.scene or (QUICK if given.quick else SCENES),
        runs,
        upgrade=given.upgrade,
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # what was begun has been put away
        sys.exit(130)
