"""Draws the chart out of the JSON file; run by an environment that has matplotlib.

python benchmarks/_chart.py FIGURES.json CHART.png
"""

# mypy: disable-error-code="import-not-found, unused-ignore"
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

SCENES = {
    "packed": "packed: many events a read",
    "trickle": "trickle: one event a read",
    "short": "short: 20 chunks, with the request",
}
OURS, BARE, THEIRS = "#2563eb", "#6b7280", "#d1d5db"
LABELS = {"typed": "openrouter_async", "floor": "bare aiohttp + msgspec"}
LEFT_OUT = {"text", "complete", "messages"}


def draw(data: dict[str, Any], path: Path) -> None:
    """Draw a bar for each client, the cheapest on top, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    scenes = {scene: title for scene, title in SCENES.items() if scene in data["figures"]}
    figure, axes = plt.subplots(1, len(scenes), figsize=(4.6 * len(scenes), 3.6), squeeze=False)
    for axis, (scene, title) in zip(axes[0], scenes.items(), strict=True):
        found = {
            client: statistics.median(one["cpu"] / one["count"] for one in rounds) * 1e6
            for client, rounds in data["figures"][scene].items()
            if client not in LEFT_OUT and "uvloop" not in client
        }
        names = sorted(found, key=found.__getitem__, reverse=True)
        colours = [{"typed": OURS, "floor": BARE}.get(name, THEIRS) for name in names]
        bars = axis.barh([LABELS.get(name, name) for name in names], [found[n] for n in names],
                         color=colours)  # fmt: skip
        axis.bar_label(bars, [f"{found[n]:,.1f}" if found[n] < 100 else f"{found[n]:,.0f}"
                              for n in names], padding=3, fontsize=8)  # fmt: skip
        axis.set_xscale("log")
        axis.set_xlim(min(found.values()) / 3, max(found.values()) * 4)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("µs of CPU a chunk (logarithmic)", fontsize=8)
        axis.tick_params(labelsize=8)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    about = data["machine"]
    figure.text(
        0.005,
        0.005,
        f"{about['date']}, CPython {about['python']}, {about['processor']}; medians of one run",
        fontsize=7,
        color="#6b7280",
    )
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
