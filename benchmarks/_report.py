"""Figures become a table, a JSON file and a chart.

What may live here: medians, ratios, and how they are written down.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from ._peers import CHART, environment, versions
from ._running import CROWDS, ON_UVLOOP, SCENES, Figures, Run

__all__ = ["chart", "machine", "markdown", "median", "ratio", "reach", "table", "written"]

Named: TypeAlias = "dict[str, dict[str, str]]"
MICRO = 1e6


def median(figures: Figures, scene: str, client: str, name: str = "cpu") -> float | None:
    """Give the median of a figure; CPU is that of one chunk, in seconds."""
    values = values_of(figures, scene, client, name)
    return statistics.median(values) if values else None


def values_of(figures: Figures, scene: str, client: str, name: str) -> list[float]:
    """Give a figure of all rounds."""
    rounds = figures.get(scene, {}).get(client, [])
    per = [max(1.0, one["count"]) if name in ("cpu", "wall") else 1.0 for one in rounds]
    return [one[name] / each for one, each in zip(rounds, per, strict=True) if name in one]


def floor_of(scene: str, client: str) -> str:
    """Give the client that another is held against."""
    if scene == "relay":
        return "bytes"
    return "floor" + ON_UVLOOP if client.endswith(ON_UVLOOP) else "floor"


def ratio(figures: Figures, scene: str, one: str, other: str, name: str = "cpu") -> float | None:
    """Give how many times as much one client takes as another."""
    mine, theirs = median(figures, scene, one, name), median(figures, scene, other, name)
    return mine / theirs if mine is not None and theirs else None


def machine() -> dict[str, str]:
    """Say what it ran on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.partition(":")[2].strip() for x in lines if "model name" in x), model)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": f"{model}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.1f} at the end",
    }


def written(run: Run, about: dict[str, str], clients: Iterable[str]) -> dict[str, Any]:
    """Give all that is known, as plain data."""
    return {
        "machine": about,
        "versions": {client: versions(client) for client in clients},
        "figures": run.figures,
        "failures": run.failures,
        "reach": [list(line) for line in reach(run.figures)],
    }


def table(run: Run) -> str:
    """Write the figures of each scene."""
    lines: list[str] = []
    for scene, clients in run.figures.items():
        known = SCENES[scene]
        lines += ["", f"{scene}: {known.about}"]
        unit = f"CPU a {known.unit}"
        head = f"  {'':<18}{unit:>16}{'from':>12}{'to':>12}{'x floor':>9}"
        lines.append(f"{head}{'wall time':>12}{'MiB peak':>10}")
        ordered = sorted(clients, key=lambda name: median(run.figures, scene, name) or 0)
        for client in ordered:
            lines.append(_row(run.figures, scene, client))
            lines += _more(run.figures, scene, client)
        for client, reason in run.failures.get(scene, {}).items():
            lines.append(f"  {client:<18} failed: {reason[:120]}")
    for scene in run.failures.keys() - run.figures.keys():
        lines += ["", f"{scene}: {run.failures[scene]}"]
    return "\n".join(lines)


def _row(figures: Figures, scene: str, client: str) -> str:
    cpu = values_of(figures, scene, client, "cpu")
    against = ratio(figures, scene, client, floor_of(scene, client))
    memory = median(figures, scene, client, "memory")
    return (
        f"  {client:<18}{_time(statistics.median(cpu)):>16}{_time(min(cpu)):>12}"
        f"{_time(max(cpu)):>12}{f'{against:.2f}' if against is not None else '':>9}"
        f"{_time(median(figures, scene, client, 'wall') or 0.0):>12}"
        f"{f'{memory:.1f}' if memory is not None else '':>10}"
    )


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * MICRO:.2f} us"


def _more(figures: Figures, scene: str, client: str) -> list[str]:
    """What only some scenes tell."""

    def of(name: str) -> float | None:
        return median(figures, scene, client, name)

    lines: list[str] = []
    start, end, growth = of("start"), of("end"), of("growth")
    if start is not None and end is not None and growth is not None:
        lines.append(
            f"    ten thousand chunks: {start * MICRO:.2f} us each at the start, "
            f"{end * MICRO:.2f} at the end; {growth:+.1f} MiB between"
        )
    size, alive, worst, late = of("stream"), of("alive"), of("worst_delay"), of("late_delay")
    if size is not None and alive is not None and worst is not None and late is not None:
        lines.append(
            f"    {size:.1f} KiB a stream, {alive:,.0f} alive, a chunk in a hundred is "
            f"{late * 1e3:.0f} ms late or more, at worst {worst * 1e3:.0f} ms"
        )
    return lines


Line: TypeAlias = "tuple[str, str, str, bool | None]"


def reach(figures: Figures) -> list[Line]:
    """Hold what was measured against what is wanted: line, wanted, measured, whether reached."""
    lines: list[Line] = []

    def at_most(about: str, limit: float, found: float | None) -> None:
        shown = "not measured" if found is None else f"{found:.2f}"
        lines.append(
            (about, f"at most {limit:.3g}", shown, None if found is None else found <= limit)
        )

    def at_least(about: str, limit: float, found: float | None) -> None:
        digits = 2 if limit < 1 else 1
        shown = "not measured" if found is None else f"{found:.{digits}f}"
        lines.append(
            (about, f"at least {limit:g}", shown, None if found is None else found >= limit)
        )

    def times(scene: str, other: str) -> float | None:
        return ratio(figures, scene, other, "typed")

    def better_openai(scene: str, of: Callable[[str, str], float | None] = times) -> float | None:
        found = [of(scene, name) for name in ("openai (httpx)", "openai (aiohttp)")]
        known = [value for value in found if value is not None]
        return min(known) if known else None

    for scene in ("packed", "burst"):
        at_most(f"{scene}: typed, of the floor", 1.25, ratio(figures, scene, "typed", "floor"))
        at_least(f"{scene}: openai, of ours", 30, better_openai(scene))
        at_least(f"{scene}: the official SDK, of ours", 120, times(scene, "openrouter"))
        at_least(f"{scene}: LiteLLM, of ours", 60, times(scene, "litellm"))
        # Both on Anthropic's wire form: what ours takes for another is no measure of it.
        against = ratio(figures, scene, "anthropic", "messages")
        at_least(f"{scene}: anthropic, of our messages", 8, against)
        at_most(f"{scene}: text, of typed", 1.0, ratio(figures, scene, "text", "typed"))
    at_most("trickle: typed, of the floor", 1.15, ratio(figures, "trickle", "typed", "floor"))
    at_least("trickle: openai, of ours", 20, better_openai("trickle"))
    at_most("short: typed, of the floor", 1.2, ratio(figures, "short", "typed", "floor"))
    at_least("short: openai, of ours", 10, better_openai("short"))
    at_most("relay: raw, of bare bytes", 1.15, ratio(figures, "relay", "raw", "bytes"))
    for scene in sorted(CROWDS):
        at_most(
            f"{scene}: memory of a stream, of the floor's",
            1.3,
            ratio(figures, scene, "typed", "floor", "stream"),
        )
        at_most(
            f"{scene}: worst delay, of the floor's",
            1.2,
            ratio(figures, scene, "typed", "floor", "worst_delay"),
        )
    openai_image = better_openai("image")
    at_most("image: CPU, of openai's", 1 / 3, None if openai_image is None else 1 / openai_image)
    memory = median(figures, "image", "typed", "memory")
    at_most("image: peak memory, of the event", 2.2, None if memory is None else memory / 8)
    imported = ratio(figures, "import", "typed", "openai (httpx)")
    at_most("import: CPU, of openai's", 0.25, imported)
    start = median(figures, "long", "typed", "start")
    end = median(figures, "long", "typed", "end")
    at_most("long: the last chunks, of the first", 1.1, end / start if start and end else None)
    growth = median(figures, "long", "unkept", "growth")
    at_most("long: MiB grown without accumulation", 1.0, growth)
    batch = ratio(figures, "batch", "floor", "typed", "wall")
    at_least("batch: throughput, of the bare loop's", 0.85, batch)

    def slower(scene: str, other: str) -> float | None:
        return ratio(figures, scene, other, "typed", "wall")

    at_least("batch: throughput, of openai's", 5, better_openai("batch", slower))
    return [line for line in lines if line[3] is not None]


def reached(figures: Figures) -> str:
    """Write what is reached and what is not."""
    marks = {True: "reached", False: "NOT REACHED", None: ""}
    rows = [f"  {a:<40}{b:>16}{c:>10}  {marks[d]}" for a, b, c, d in reach(figures)]
    return "\n".join(["", "what is wanted", *rows]) if rows else ""


COLUMNS = ("packed", "burst", "trickle", "short")
NAMES = {
    "floor": "*the floor*",
    "typed": "**openrouter_async**",
    "messages": "**openrouter_async**, `messages`",
    "aiohttp + json": "aiohttp with `json`, line by line",
    "openai (httpx)": "openai",
    "openai (aiohttp)": "openai over aiohttp",
    "openrouter": "openrouter (official)",
    "litellm": "LiteLLM",
    "pydantic-ai": "pydantic-ai",
    "anthropic": "anthropic",
}


def markdown(run: Run) -> str:
    """Write the table that the README shows."""
    lines = [
        "| CPU of the client | "
        + " | ".join(f"{s}, µs a chunk" for s in COLUMNS)
        + " | image, ms | import, ms |",
        "|---|" + "--:|" * (len(COLUMNS) + 2),
    ]
    for client, name in NAMES.items():
        cells = [_cell(median(run.figures, scene, client), MICRO) for scene in COLUMNS]
        cells += [_cell(median(run.figures, scene, client), 1e3) for scene in ("image", "import")]
        if any(cells):
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, scale: float) -> str:
    if value is None:
        return ""
    scaled = value * scale
    return f"{scaled:.1f}" if scaled < 100 else f"{scaled:,.0f}"


def chart(data: Path, image: Path) -> None:
    """Draw the chart, in an environment that can draw."""
    script = Path(__file__).with_name("_chart.py")
    python = environment(*CHART)
    subprocess.run([str(python), str(script), str(data), str(image)], check=True)


def save(data: dict[str, Any], path: Path) -> None:
    """Write the figures down."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n")
