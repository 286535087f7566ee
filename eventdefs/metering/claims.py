"""Claims as the ledger counts them: cut to what could have been observed, in microseconds.

Nothing in this module reads a clock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from eventdefs.encode import write_json
from eventdefs.types import Period

SECOND = 1_000_000
HOUR = 3600 * SECOND
UNITS = {"s": SECOND, "min": 60 * SECOND, "h": HOUR, "d": 24 * HOUR}
"""The units of usage, in microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Status(enum.IntEnum):
    """What a claim says of its resource. Of two claims with one end, the lower one decides."""

    IDLE = 0
    RUNNING = 1
    ENDING = 2


_STATUS = {"idle": Status.IDLE, "running": Status.RUNNING, "ending": Status.ENDING}


class Group(NamedTuple):
    """What a usage record is about, beside its meter, resource and hour.

    Attributes:
        project_id: for whom, None where the claim does not say.
        dimensions: names and values, in the order of the names.
    """

    project_id: str | None
    dimensions: tuple[tuple[str, str], ...]


class Label(NamedTuple):
    """What covered time belongs to."""

    status: Status
    group: Group


class Claim(NamedTuple):
    """What is left of a `Period` once it is cut.

    Attributes:
        begin, end: half-open, in microseconds since 1970; begin is not before end only where `closes`.
        label: as `label_text` writes it.
        closes: the resource is gone at `end`.
        created: what the claim was not to begin before, None without such a bound.
    """

    begin: int
    end: int
    label: str
    message_id: str
    closes: bool
    created: int | None


def to_micros(time: datetime) -> int:
    """Return *time* in microseconds since 1970, exactly."""
    if 1800 < time.year < 2200:  # where a float has room for them, and is three times as fast
        return round(time.timestamp() * SECOND)
    return (time - _EPOCH) // _MICROSECOND


def to_time(micros: int) -> datetime:
    """Return the time of *micros* since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def cut(period: Period) -> Claim | None:
    """Return what counts of *period*: cut to its own bounds and to what its notification can have observed.

    None where nothing is left.
    """
    begin, end = to_micros(period.begin), to_micros(min(period.end, period.timestamp))
    created = None
    if period.not_before is not None:
        created = to_micros(period.not_before)
        if created > begin:
            begin = created
    if period.not_after is not None:
        end = min(end, to_micros(period.not_after))
    closes = period.status == "ending"
    if begin >= end and not closes:
        return None
    return Claim(begin, end, label_of(period), storable(period.message_id), closes, created)


def storable(text: str) -> str:
    """Return *text* with half characters escaped, which neither JSON nor UTF-8 has a place for."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


_LABELS: dict[tuple[str, str | None, tuple[tuple[str, str], ...]], str] = {}
_MOST_LABELS = 10_000


def label_of(period: Period) -> str:
    """Return the label of the time that *period* covers."""
    key = (period.status, period.project_id, tuple(period.dimensions.items()))
    label = _LABELS.get(key)
    if label is None:
        if len(_LABELS) >= _MOST_LABELS:
            _LABELS.clear()
        label = _LABELS[key] = label_text(_STATUS[period.status], period.project_id, period.dimensions)
    return label


def label_text(status: Status, project_id: str | None, dimensions: Mapping[str, str]) -> str:
    """Return a label as text: equal for equal labels, and sorted first by status."""
    split = sorted((storable(name), storable(value)) for name, value in dimensions.items())
    return write_json((status, None if project_id is None else storable(project_id), split)).decode()


_PARSED: dict[str, Label] = {}


def parse_label(text: str) -> Label:
    """Return the label that `label_text` wrote."""
    label = _PARSED.get(text)
    if label is None:
        if len(_PARSED) >= _MOST_LABELS:
            _PARSED.clear()
        status, project_id, dimensions = msgspec.json.decode(text)
        label = Label(Status(status), Group(project_id, tuple((name, value) for name, value in dimensions)))
        _PARSED[text] = label
    return label
