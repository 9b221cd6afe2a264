"""A million mutated inputs for everything that reads what a server sends.

    python -m benchmarks.fuzz [--inputs N] [--seed N] [TARGET ...]
    python -m benchmarks.fuzz --guided TARGET [OPTION OF LIBFUZZER ...]

Each target may raise nothing but this package's own errors, in bounded memory. The inputs are
real ones, mutated: recorded traffic where `OPENROUTER_ASYNC_SHARED` names it, and what the
emulator sends. An input that breaks a promise is written to ``fuzz-TARGET-N.bin``.

`--guided` hands the target to atheris (``pip install atheris``), which looks for inputs that
reach code not reached before; ``-max_total_time=60`` ends it after a minute.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["fuzz", "mutated", "seeds"]

_LONGEST: Final = 4_096
_TOKENS: Final = (
    b"null",
    b"[",
    b"{" * 300,
    b"[" * 2_000,
    b"1e999",
    b"9" * 400,
    b"-1",
    b'""',
    b"\\ud800",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"data:",
    b"data: [DONE]\n\n",
    b": comment\n",
    b"event: error\n",
    b'"index":',
    b'"error":{"code":null}',
    b'"finish_reason":"error"',
)


def seeds(target: str) -> list[bytes]:
    """Real inputs of a target, none longer than a few kilobytes."""
    from openrouter_async._sse import SSEDecoder
    from openrouter_async.testing import chat, error_chunk

    bodies = [chat("Hello", " there").body, error_chunk(502, "no")]
    errors = [b'{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"x"}}}']
    folder = os.environ.get("OPENROUTER_ASYNC_SHARED")
    if folder:
        recordings = Path(folder) / "recordings"
        bodies += [path.read_bytes() for path in sorted(recordings.glob("*stream/*.sse"))]
        files = [*recordings.glob("*error/*.json"), *recordings.glob("openrouter_json/*.json")]
        errors += [path.read_bytes() for path in sorted(files) if ".meta." not in path.name]
    if target == "error":
        return [body[:_LONGEST] for body in errors]
    if target == "decoder":
        return [
            body[start : start + _LONGEST]
            for body in bodies
            for start in range(0, len(body), _LONGEST)
        ]
    streams = [SSEDecoder().feed(body) for body in bodies]
    if target == "chunk":
        return [bytes(event) for events in streams for event in events if len(event) <= _LONGEST]
    return [b"\n".join(map(bytes, events[:8])) for events in streams if events]


def mutated(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Give `data` after one to four changes; `other` may lend a piece."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 2, 8, 64)))
        match chance.randrange(7):
            case 0:
                data = data[:start] + bytes((chance.randrange(256),)) + data[start + 1 :]
            case 1:
                data = data[:start] + data[end:]
            case 2:
                data = data[:end] + data[start:end] + data[end:]
            case 3:
                data = data[:start] + chance.choice(_TOKENS) + data[start:]
            case 4:
                data = data[:start] + chance.choice(_TOKENS) + data[end:]
            case 5:
                data = data[:start]
            case _:
                cut = chance.randrange(len(other) + 1)
                data = data[:start] + other[cut : cut + 256] + data[end:]
    return data[: 2 * _LONGEST]


def fuzz(
    target: str, inputs: int, seed: int, report: Callable[[int], None] = lambda done: None
) -> tuple[bytes, BaseException] | None:
    """Run a target on `inputs` mutated inputs; give the first that breaks a promise, and how."""
    from ._fuzzed import TARGETS

    run = TARGETS[target]
    chance = random.Random(seed)
    known = seeds(target)
    for done in range(inputs):
        data = mutated(chance.choice(known), chance.choice(known), chance)
        try:
            run(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            return data, error
        if not done % 1_000:
            report(done)
    return None


def _show(target: str, inputs: int) -> Callable[[int], None]:
    start = time.monotonic()

    def show(done: int) -> None:
        rate = done / max(1e-9, time.monotonic() - start)
        text = f"\r{target}: {done / inputs:4.0%}, {rate:,.0f} a second "
        print(text, end="", file=sys.stderr, flush=True)

    return show


def _resident_memory() -> int:
    from .soak import resident_memory

    return resident_memory() if sys.platform == "linux" else 0


def _fuzz_guided(target: str, options: list[str]) -> None:
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.exit("--guided needs atheris, for CPython up to 3.13 on Linux: pip install atheris")
    with atheris.instrument_imports(include=["openrouter_async"]):
        from ._fuzzed import TARGETS
    corpus = Path(f"fuzz-{target}-corpus")
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (corpus / f"seed-{number}").write_bytes(data)
    atheris.Setup(["fuzz", str(corpus), *options], TARGETS[target])
    atheris.Fuzz()


def main() -> None:
    """Fuzz; the exit status is 1 if a promise was broken."""
    targets = ("decoder", "chunk", "error", "accumulator")
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", choices=targets, help="run this target under atheris")
    parser.add_argument("target", nargs="*", help=f"some of {', '.join(targets)}; by default all")
    arguments, options = parser.parse_known_args()
    if arguments.guided:
        _fuzz_guided(arguments.guided, [*arguments.target, *options])
        return
    if options or not set(arguments.target) <= set(targets):
        parser.error(f"unknown: {' '.join([*options, *arguments.target])}")
    failed = False
    for target in arguments.target or targets:
        fuzz(target, min(arguments.inputs, 10_000), arguments.seed + 1)  # the warm-up
        before = _resident_memory()
        found = fuzz(target, arguments.inputs, arguments.seed, _show(target, arguments.inputs))
        growth = (_resident_memory() - before) / 2**20
        print(file=sys.stderr)
        if found is None:
            print(f"{target}: {arguments.inputs:,} inputs, {growth:.1f} MiB more resident memory")
            continue
        failed = True
        data, error = found
        path = Path(f"fuzz-{target}-{arguments.seed}.bin")
        path.write_bytes(data)
        print(f"{target}: {type(error).__name__}: {error}; the input is in {path}")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
