"""Values that options take, read from their text."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

from eventdefs.times import parse_time

_DURATION = re.compile(r"(\d{1,9}) ?(s|min|h|d)", re.ASCII).fullmatch
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def duration(text: str) -> timedelta:
    """Read a time such as ``90min`` or ``35d``."""
    found = _DURATION(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, as 90s, 15min, 1h or 35d")
    try:
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    except OverflowError:
        raise argparse.ArgumentTypeError(f"{text!r} is too long") from None


def moment(text: str) -> datetime:
    """Read a time in ISO 8601, or one before now such as ``-2h``."""
    if text.startswith("-"):
        try:
            return datetime.now(UTC) - duration(text[1:])
        except OverflowError:
            raise argparse.ArgumentTypeError(f"{text!r} is too long ago") from None
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is {error}, nor a time before now as -2h") from None
