"""Values that options take, read from their text."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from eventdefs.times import parse_duration, parse_time


def duration(text: str) -> timedelta:
    """Read a time such as ``90min`` or ``35d``."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
