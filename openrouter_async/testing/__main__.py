"""Runs the emulator by itself: `python -m openrouter_async.testing`.

The rule of this file: arguments and print-outs only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from openrouter_async.testing._emulator import Emulator

_KEY: Final = "sk-or-v1-emulator"


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
    parser.add_argument(
        "--json", action="store_true", help="print the address and a key as one JSON object"
    )
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, options.pace, as_json=options.json))


async def _serve(port: int, pace: float, *, as_json: bool) -> None:
    async with Emulator(port=port, pace=pace) as emulator:
        sys.stdout.write(_told(emulator.base_url, as_json=as_json))
        sys.stdout.flush()
        await asyncio.Event().wait()


def _told(base_url: str, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"base_url": base_url, "api_key": _KEY}) + "\n"
    return (
        f"The emulator answers at {base_url}\n\n"
        f"  export OPENROUTER_API_KEY={_KEY}\n"
        f"  export OPENROUTER_BASE_URL={base_url}\n\n"
        "Ctrl-C ends it.\n"
    )


if __name__ == "__main__":
    main()
