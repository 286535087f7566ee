"""Equations that hold for whatever Hypothesis makes up. EVENTDEFS_FUZZ=long tries 50 times as much."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("EVENTDEFS_FUZZ") == "long"


def examples(count: int) -> settings:
    """Return settings for *count* examples, many more in a long run."""
    return settings(
        deadline=None,
        max_examples=count * 50 if LONG else count,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
