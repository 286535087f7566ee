"""Times as OpenStack writes them. Nothing in this module reads a clock."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

# Every third character from the fifth, and the length, of what nearly every notification writes, as
# 2026-08-01 01:02:03.000004; datetime.fromisoformat reads it alone and in C. (It lets some longer texts through.)
_NAIVE = {"-- ::": 19, "--T::": 19, "-- ::.": 26, "--T::.": 26}
_ZULU = {"-- ::Z": 20, "--T::Z": 20, "-- ::.": 27, "--T::.": 27}
_OFFSET = {"-- ::+": 25, "--T::+": 25, "-- ::-": 25, "--T::-": 25, "-- ::.": 32, "--T::.": 32}
_READS_24 = sys.version_info >= (3, 13)
"""Whether fromisoformat takes 24:00 for midnight, which is no time here."""

_ISO_8601 = re.compile(
    r"""
    (?P<year>\d{4})
    (?: (?: -(?P<month>\d{1,2}) | (?P<basic_month>\d{2})(?!$) )
        (?: (?: -(?P<day>\d{1,2}) | (?P<basic_day>\d{2}) )
            (?: [ T] (?P<hour>\d{2})
                (?: :?(?P<minute>\d{2}) )?
                (?: :?(?P<second>\d{1,2}) (?: [.,](?P<fraction>\d+) )? )?
                (?P<zone> Z | (?P<sign>[-+]) (?P<zone_hour>\d{2}) :? (?P<zone_minute>\d{2})? )?
            )?
        )?
    )?
    """,
    re.ASCII | re.VERBOSE,
).fullmatch

_from_iso = datetime.fromisoformat


def parse_time(text: Any) -> datetime:
    """Read *text* as an ISO 8601 time; without a zone it is UTC.

    The same inputs are read as by the library iso8601, which Ceilometer uses: years, months, ordinal-looking
    and basic dates, fractions after a point or a comma (cut to microseconds), zones ``+HH``, ``+HHMM``, ``+HH:MM``.

    Raises:
        ValueError: *text* is no such time. Numbers, lower-case t and z, week dates and 24:00 are none.
    """
    if type(text) is str:
        shape, length = text[4:20:3], len(text)
        if not (_READS_24 and text[11:13] == "24"):
            try:
                if _NAIVE.get(shape) == length:
                    return _from_iso(text + "Z")
                if _ZULU.get(shape) == length and text[-1] == "Z":
                    return _from_iso(text)
                if _OFFSET.get(shape) == length and text[-3] == ":" and text[-6] in "+-":
                    return _from_iso(text).astimezone(UTC)
            except (ValueError, OverflowError):
                pass  # a rarer form after all, or none
        # One final line end is let through, as by the library.
        found = _ISO_8601(text.removesuffix("\n"))
        if found is not None:
            try:
                return _build(found.groupdict())
            except (ValueError, OverflowError) as error:
                raise ValueError(f"not a time: {error}") from None
    raise ValueError("not an ISO 8601 time")


def _build(part: dict[str, str | None]) -> datetime:
    fraction = (part["fraction"] or "")[:6].ljust(6, "0")
    naive = datetime(
        int(part["year"] or 0),
        int(part["month"] or part["basic_month"] or 1),
        int(part["day"] or part["basic_day"] or 1),
        int(part["hour"] or 0),
        int(part["minute"] or 0),
        int(part["second"] or 0),
        int(fraction),
    )
    return naive.replace(tzinfo=_zone(part)).astimezone(UTC)


def _zone(part: dict[str, str | None]) -> timezone:
    if part["sign"] is None:
        return UTC
    offset = timedelta(hours=int(part["zone_hour"] or 0), minutes=int(part["zone_minute"] or 0))
    return timezone(-offset if part["sign"] == "-" else offset)


def naive_text(time: datetime) -> str:
    """Write *time* as Ceilometer's formats have it: ISO 8601, UTC, without a zone."""
    return time.replace(tzinfo=None).isoformat()


def utc_text(time: datetime) -> str:
    """Return *time*, which is in UTC, as JSON has it: ``2026-08-01T01:02:03Z``."""
    return time.isoformat().replace("+00:00", "Z")


_DURATION = re.compile(r"(\d{1,9}) ?(s|min|h|d)", re.ASCII).fullmatch
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> timedelta:
    """Read how long something takes, such as ``90min`` or ``35d``.

    Raises:
        ValueError: it is not written so, or longer than can be.
    """
    found = _DURATION(text)
    if found is None:
        raise ValueError(f"{text!r} is no time, as 90s, 15min, 1h or 35d")
    try:
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    except OverflowError:
        raise ValueError(f"{text!r} is too long") from None
