"""What reads a server's bytes takes anything: a short run of `benchmarks.fuzz`."""

from __future__ import annotations

import pytest

from benchmarks._fuzzed import TARGETS
from benchmarks.fuzz import fuzz, seeds

INPUTS = 3_000


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_our_own_errors_comes_of_mutated_input(target: str) -> None:
    """Thousands of real inputs, mutated, break no promise of the target."""
    assert fuzz(target, INPUTS, seed=2) is None


@pytest.mark.parametrize("target", TARGETS)
def test_real_input_breaks_no_promise(target: str) -> None:
    """What the mutations start from is itself fine."""
    for data in seeds(target):
        TARGETS[target](data)


def test_a_foreign_exception_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The input that broke a promise comes back with what it raised."""

    def fragile(data: bytes) -> None:
        data.decode()

    monkeypatch.setitem(TARGETS, "decoder", fragile)
    found = fuzz("decoder", INPUTS, seed=0)
    assert found is not None
    data, error = found
    assert isinstance(error, UnicodeDecodeError)
    with pytest.raises(UnicodeDecodeError):
        data.decode()
