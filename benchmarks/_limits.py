"""How many files this process may have open, and its memory.

What may live here: what the operating system tells and allows, for scripts of any environment.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")


def raise_file_limit() -> int:
    """Allow as many open files as the system lets us; give how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def resident() -> float:
    """The memory of this process, in MiB."""
    return _field("VmRSS:")


def peak() -> float:
    """The most memory that this process has had since `forget_peak`, in MiB."""
    return _field("VmHWM:")


def forget_peak() -> None:
    """Begin to look for a peak anew."""
    Path("/proc/self/clear_refs").write_text("5")


def _field(name: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell what memory a process has")
