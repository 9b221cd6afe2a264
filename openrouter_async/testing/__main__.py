"""Runs the emulator by itself: `python -m openrouter_async.testing`.

The rule of this file: arguments and print-outs only.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

from openrouter_async.testing._emulator import Emulator


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the emulator until Ctrl-C.

    Args:
        arguments: The command line; None takes the process's own.
    """
    parser = argparse.ArgumentParser(
        prog="python -m openrouter_async.testing",
        description="A pretend OpenRouter on loopback: it costs nothing and needs no network.",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on (default: a free one)"
    )
    parser.add_argument(
        "--pace", type=float, default=0.02, help="seconds between two deltas (default: 0.02)"
    )
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, options.pace))


async def _serve(port: int, pace: float) -> None:
    async with Emulator(port=port, pace=pace) as emulator:
        lines = (
            f"The emulator answers at {emulator.base_url}",
            "",
            "  export OPENROUTER_API_KEY=sk-or-v1-emulator",
            f"  export OPENROUTER_BASE_URL={emulator.base_url}",
            "",
            "Ctrl-C ends it.",
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
