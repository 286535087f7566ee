"""Pairs of measurements: two things in turn, so that a machine that slows down slows both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Ratio(NamedTuple):
    """How many times as long the reference takes: median and spread over the rounds, and both medians in seconds."""

    ours: float
    reference: float
    median: float
    least: float
    most: float

    def __str__(self) -> str:
        spread = f"({self.least:.1f} to {self.most:.1f})"
        return f"{self.median:7.1f}x {spread:18} {_time(self.ours)} against {_time(self.reference)}"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.2f} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def seconds_of(call: Callable[[], object], repeats: int) -> float:
    """Return the seconds that one of *repeats* calls takes."""
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - began) / repeats


def repeats_for(call: Callable[[], object], seconds: float = 0.05) -> int:
    """Return how often *call* fits into *seconds*; calling it on the way warms it up."""
    repeats = 1
    while (taken := seconds_of(call, repeats) * repeats) < seconds / 4 and repeats < 1_000_000:
        repeats *= 4
    return max(1, int(repeats * seconds / max(taken, 1e-9)))


def compare(
    ours: Callable[[], float],
    reference: Callable[[], float],
    rounds: int = 11,
) -> Ratio:
    """Measure *ours* and *reference* (each returns seconds) in turn, *rounds* times."""
    pairs = [(ours(), reference()) for _ in range(rounds)]
    ratios = [theirs / own for own, theirs in pairs]
    return Ratio(
        statistics.median(own for own, _ in pairs),
        statistics.median(theirs for _, theirs in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )


def compare_publishing(
    ours: Callable[[], float],
    reference: Callable[[], float],
    rounds: int = 11,
) -> Ratio:
    """As `compare`, both with what was there before frozen, as `eventdefs run` does it."""
    gc.freeze()
    try:
        return compare(ours, reference, rounds)
    finally:
        gc.unfreeze()


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that measures *call* over as many repeats as make 50 ms."""
    repeats = repeats_for(call)
    return lambda: seconds_of(call, repeats)
