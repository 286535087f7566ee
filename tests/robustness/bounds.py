"""Time and memory that a test may take: generous, where without a bound it would be hours or everything."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 5.0


@contextmanager
def within(seconds: float = SECONDS) -> Iterator[None]:
    """Fail if the block takes longer; it is not interrupted."""
    began = time.perf_counter()
    yield
    taken = time.perf_counter() - began
    assert taken < seconds, f"took {taken:.1f} s, {seconds:.0f} s are allowed"


@contextmanager
def below(megabytes: int) -> Iterator[None]:
    """Fail if the block allocates more at any one time."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < megabytes << 20, f"took {peak >> 20} MB, {megabytes} MB are allowed"
