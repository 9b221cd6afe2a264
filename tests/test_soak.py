"""Thousands of streams, a tenth of them failing, with the garbage collector off."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest

from benchmarks._fates import Fates
from benchmarks._server import serving
from benchmarks.soak import OUTCOMES, soak

STREAMS = 5_000


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_every_stream_is_accounted_for_and_nothing_stays_behind() -> None:
    """Each stream ends as its fate says; no memory grows, and no object or connection is left."""
    gc.collect()
    gc.disable()
    try:
        with serving(Fates) as url:
            account = asyncio.run(soak(url, STREAMS, 250, lambda over, account: None))
    finally:
        gc.enable()
    assert account.wrong == []
    assert account.left_behind == []
    assert account.outcomes.total() == STREAMS
    assert set(account.outcomes) == set(OUTCOMES.values())
    assert account.growth < 5 * 2**20
