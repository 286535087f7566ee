"""What a ledger records, made of what it counted. Nothing in this module reads a clock or a store.

Quantities are kept in billionths of their unit, rounded once, half to even, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from eventdefs.ids import derived_id
from eventdefs.metering.claims import HOUR, SECOND, UNITS, Group, storable, to_time
from eventdefs.metering.hours import Counted
from eventdefs.types import Closure, Evidence, Gap, Period, Refusal, Sample, Usage

DIGITS = 9
NANO: int = 10**DIGITS
_MODULUS = 1 << 256


def nanos_of(micros: int, unit: str) -> int:
    """Return *micros* in billionths of *unit*, rounded half to even."""
    size = UNITS[unit]
    whole, rest = divmod(micros * NANO, size)
    return whole + 1 if 2 * rest > size or (2 * rest == size and whole % 2) else whole


def decimal_text(value: int, digits: int) -> str:
    """Write *value* / 10 ** *digits* without an exponent and without zeros at the end."""
    number = Decimal(value).scaleb(-digits)
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def nanos_from(text: str) -> int:
    """Return the billionths that *text* stands for, as `decimal_text` wrote it."""
    return int(Decimal(text).scaleb(DIGITS))


def usage_id(meter: str, resource_id: str, hour: int, group: Group, revision: int) -> str:
    return derived_id("usage", meter, resource_id, to_time(hour), group.dimensions, group.project_id, revision)


def usage_record(
    recorded_at: datetime,
    sequence: int,
    *,
    meter: str,
    unit: str,
    resource_id: str,
    hour: int,
    group: Group,
    counted: Counted | None,
    before: int,
    revision: int,
    closed_by: str,
    reason: str,
    definitions: str,
) -> Usage:
    """Return the record of what *group* has in the hour now; *before* is what it had, in microseconds.

    Of a group that has nothing any more, *counted* is None.
    """
    micros = 0 if counted is None else counted.micros
    quantity = nanos_of(micros, unit)
    return Usage(
        id=usage_id(meter, resource_id, hour, group, revision),
        meter=meter,
        unit=unit,
        resource_id=resource_id,
        project_id=group.project_id,
        dimensions=dict(group.dimensions),
        period_start=to_time(hour),
        period_end=to_time(hour + HOUR),
        timestamp=to_time(hour + HOUR) - timedelta(milliseconds=1),
        quantity=decimal_text(quantity, DIGITS),
        delta=decimal_text(quantity - nanos_of(before, unit), DIGITS),
        seconds=decimal_text(micros, 6),
        revision=revision,
        supersedes=None if revision == 1 else usage_id(meter, resource_id, hour, group, revision - 1),
        state="corrected" if reason else "final",
        closed_by=closed_by,
        reason=reason,
        evidence=Evidence(0, (), "", definitions)
        if counted is None
        else Evidence(counted.claims, counted.witnesses, counted.digest, definitions),
        recorded_at=recorded_at,
        sequence=sequence,
    )


def micros_of(usage: Usage) -> int:
    """Return the microseconds that *usage* counts."""
    return int(Decimal(usage.seconds) * SECOND)


def sample_of(usage: Usage) -> Sample:
    """Return *usage* as a delta sample, for what knows samples: with its id and its timestamp."""
    return Sample(
        usage.meter,
        "delta",
        usage.unit,
        float(usage.delta),
        usage.resource_id,
        usage.project_id,
        None,
        usage.timestamp,
        {
            **usage.dimensions,
            "period_start": usage.period_start,
            "period_end": usage.period_end,
            "revision": usage.revision,
            "quantity": usage.quantity,
        },
        usage.id,
    )


def gap_record(
    recorded_at: datetime,
    sequence: int,
    *,
    meter: str,
    resource_id: str,
    begin: int,
    end: int,
    filled: bool,
    definitions: str,
) -> Gap:
    """Return the record of a gap that opened or was filled; *definitions* where they are the reason for it."""
    state: Literal["open", "filled"] = "filled" if filled else "open"
    gap_id = derived_id("gap", meter, resource_id, begin, end, state, definitions)
    return Gap(gap_id, meter, resource_id, to_time(begin), to_time(end), state, recorded_at, sequence)


def refusal_record(
    recorded_at: datetime, sequence: int, *, period: Period, begin: int, end: int, reason: Literal["too_late", "future"]
) -> Refusal:
    return Refusal(
        derived_id(reason, period.id),
        storable(period.meter),
        storable(period.resource_id),
        None if period.project_id is None else storable(period.project_id),
        to_time(begin),
        to_time(end),
        storable(period.message_id),
        reason,
        recorded_at,
        sequence,
    )


def add_to_digest(digest: int, usage: Usage) -> int:
    """Return *digest* with *usage* in it: a sum, so that the order of records does not matter."""
    return (digest + int.from_bytes(sha256(f"{usage.id} {usage.delta}".encode()).digest())) % _MODULUS


def digest_text(digest: int) -> str:
    return f"{digest:064x}"


def digest_of(records: Mapping[str, str]) -> str:
    """Return the digest that a closure has for usage records, given as id -> delta.

    A consumer that has all records of a meter and hour, whatever their revision, gets the closure's digest.

    >>> digest_of({}) == "0" * 64
    True
    """
    total = 0
    for record_id, delta in records.items():
        total += int.from_bytes(sha256(f"{record_id} {delta}".encode()).digest())
    return digest_text(total % _MODULUS)


def closure_record(
    recorded_at: datetime, sequence: int, *, meter: str, hour: int, revision: int, count: int, total: int, digest: int
) -> Closure:
    return Closure(
        derived_id("closure", meter, to_time(hour), revision),
        meter,
        to_time(hour),
        to_time(hour + HOUR),
        revision,
        count,
        decimal_text(total, DIGITS),
        digest_text(digest),
        recorded_at,
        sequence,
    )
