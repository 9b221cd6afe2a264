"""Runs scenes with clients, in turn, each client in a process of its own.

The rule of this file: machines are shared and noisy, so every round has every client once, and
what is compared stands side by side in time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ._clients import CLIENTS
from ._peers import IMPORTS, InstallError, importing, python_of

ROOT = Path(__file__).resolve().parent.parent
PDF_BYTES = 40 * 2**20
ON_UVLOOP = " on uvloop"


@dataclass(frozen=True)
class Scene:
    """What is done, and how often.

    Attributes:
        count: Chunks, streams or requests, by the scene.
        slow: The same for clients that would take minutes.
        quick: The same for a quick run.
        unit: What the CPU is divided by.
        on_uvloop: Whether the floor and ours are run on uvloop too.
    """

    about: str
    count: int
    slow: int
    quick: int
    unit: str = "chunk"
    on_uvloop: bool = False


SCENES = {
    "packed": Scene("many events a read", 20_000, 1_000, 4_000, on_uvloop=True),
    "burst": Scene("an HTTP chunk an event, sent at once", 20_000, 1_000, 4_000, on_uvloop=True),
    "trickle": Scene("an event a read", 1_000, 200, 500, on_uvloop=True),
    "short": Scene("20 chunks, 100 streams at a time", 20, 20, 20, on_uvloop=True),
    "tools": Scene("100 fragments of arguments, 20 streams at a time", 100, 100, 100),
    "relay": Scene("bytes passed on as they come", 20_000, 2_000, 4_000),
    "image": Scene("one event of 8 MiB", 1, 1, 1, unit="event"),
    "upload": Scene("a PDF of 40 MiB", 1, 1, 1, unit="request"),
    "import": Scene("cold import and first client", 1, 1, 1, unit="process"),
    "batch": Scene("short requests, 500 at a time", 100_000, 2_000, 2_000, unit="request"),
    "long": Scene("one stream of 200,000 chunks", 200_000, 200_000, 50_000),
    "crowd": Scene("a thousand streams at one chunk a second each", 1_000, 1_000, 200),
    "busy crowd": Scene("a thousand live streams at twenty chunks a second each", 1_000, 1_000, 50),
    "large crowd": Scene(
        "ten thousand live streams at one chunk a second each", 10_000, 10_000, 500
    ),
}
CROWDS = frozenset({"crowd", "busy crowd", "large crowd"})
# Twenty thousand chunks a second, or ten thousand connections, are more than the others can take.
FOR_FEW = {"busy crowd": ("floor", "typed"), "large crowd": ("floor", "typed")}


class ClientFailedError(RuntimeError):
    """A client did not come through a scene."""


class Worker:
    """The process of one client."""

    def __init__(self, client: str) -> None:
        loop = "uvloop" if client.endswith(ON_UVLOOP) else "asyncio"
        name = client.removesuffix(ON_UVLOOP)
        command = [python_of(name), "-m", "benchmarks._worker", name, loop]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for the one in front, who ends the others
        )

    def run(self, order: Mapping[str, Any]) -> dict[str, float]:
        """Have it run one scene.

        Raises:
            ClientFailedError: It did not come through.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ClientFailedError("its process ended")
        answer: dict[str, Any] = json.loads(line)
        if "failure" in answer:
            raise ClientFailedError(answer["failure"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


class Workers:
    """The processes of all clients, each started when it is first needed."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers.values():
            worker.close()

    def of(self, client: str) -> Worker:
        """Give the process of a client."""
        if client not in self._workers:
            self._workers[client] = Worker(client)
        return self._workers[client]

    def dismiss(self, client: str) -> None:
        """End the process of a client that has failed: who knows what it still holds."""
        worker = self._workers.pop(client, None)
        if worker is not None:
            worker.close()


@contextmanager
def large_pdf() -> Generator[str]:
    """Make a large file that begins like a PDF."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(b"%PDF-1.7\n" + bytes(range(256)) * (PDF_BYTES // 256))
        file.flush()
        yield file.name


def clients_of(scene: str, chosen: Iterable[str]) -> list[str]:
    """Give the clients that take part in a scene, the floor first."""
    kind = "crowd" if scene in CROWDS else scene
    names = [name for name in chosen if kind in CLIENTS[name].can]
    if scene == "import":
        names = [name for name in names if name in IMPORTS]
    names = [name for name in names if name in FOR_FEW.get(scene, names)]
    if SCENES[scene].on_uvloop:
        names += [name + ON_UVLOOP for name in ("floor", "typed") if name in names]
    return names


def order_for(scene: str, client: str, url: str, file: str, quick: bool, crowd: int) -> Any:
    """Write down what a client is to do."""
    known = SCENES[scene]
    is_slow = CLIENTS[client.removesuffix(ON_UVLOOP)].is_slow
    count = known.quick if quick else known.count
    if is_slow:
        count = min(count, known.slow)
    if scene == "large crowd" and not quick:
        count = crowd
    kind = "crowd" if scene in CROWDS else scene
    path = {"relay": "packed", "large crowd": "crowd", "busy crowd": "busy"}.get(scene, scene)
    order = {"scene": kind, "path": path, "count": count, "url": url, "file": file}
    return {**order, "seconds": 1 if quick else 10} if kind == "crowd" else order


Figures = dict[str, dict[str, list[dict[str, float]]]]
Say = Callable[[str], None]


class Run:
    """The figures of one interleaved run, and who failed.

    Attributes:
        figures: By scene and client, a mapping for each counted round.
        failures: By scene and client, why it did not come through.
    """

    def __init__(self, scenes: list[str], clients: list[str], rounds: int, quick: bool) -> None:
        self._scenes = scenes
        self._clients = clients
        self._rounds = rounds
        self._quick = quick
        self._began = 0.0
        self.figures: Figures = {}
        self.failures: dict[str, dict[str, str]] = {}

    def go(self, url: str, crowd: int, say: Say) -> None:
        """Run all of it: a round that warms up, then those that count."""
        with Workers() as workers, large_pdf() as file:
            for number in range(self._rounds + 1):
                if number == 1:
                    self._began = time.monotonic()
                for scene in self._scenes:
                    self._round(workers, scene, number, url, file, crowd, say)

    def _round(
        self,
        workers: Workers,
        scene: str,
        number: int,
        url: str,
        file: str,
        crowd: int,
        say: Say,
    ) -> None:
        names = clients_of(scene, self._clients)
        turn = number % len(names) if names else 0
        for client in names[turn:] + names[:turn]:  # whoever is first finds a colder cache
            if client in self.failures.get(scene, {}):
                continue
            say(f"{self._where(number)}: {scene}, {client}")
            is_short = self._quick or number == 0
            order = order_for(scene, client, url, file, is_short, crowd)
            if scene in CROWDS:
                workers.dismiss(client)  # memory that another scene has left would be used again
            try:
                if scene == "import":
                    figures = importing(client)
                    figures["cpu"] -= importing(None)["cpu"]
                else:
                    figures = workers.of(client).run(order)
            except (ClientFailedError, InstallError) as error:
                self.failures.setdefault(scene, {})[client] = str(error)
                workers.dismiss(client)
                continue
            if number:
                self.figures.setdefault(scene, {}).setdefault(client, []).append(figures)

    def _where(self, number: int) -> str:
        """Say which round it is, and how long the rest may take."""
        if number == 0:
            return "warming up"
        left = ""
        if number > 1:
            each = (time.monotonic() - self._began) / (number - 1)
            left = f", {each * (self._rounds - number + 1) / 60:.0f} minutes left at most"
        return f"round {number} of {self._rounds}{left}"


def stderr_line(text: str) -> None:
    """Show what is being done, on one line of the terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
