"""What tests of usage are made of: claims in seconds, and the union worked out second by second, by the book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from eventdefs import Ledger, Period, Usage
from eventdefs.metering.hours import HourState, lengthen
from eventdefs.metering.records import digest_of
from eventdefs.metering.store import Query
from eventdefs.types import Closure

START = datetime(2026, 8, 1, tzinfo=UTC)
HOUR = 3600
RANK = {"idle": 0, "running": 1, "ending": 2}


def at(seconds: float) -> datetime:
    """Return the time so many *seconds* after the beginning of August 2026."""
    return START + timedelta(seconds=seconds)


def claim(
    begin: float,
    end: float,
    message_id: str = "",
    *,
    resource_id: str = "db-1",
    flavor: str = "small",
    project_id: str | None = "p-1",
    status: Any = "running",
    sent: float | None = None,
    created: float | None = None,
    meter: str = "database.uptime",
) -> Period:
    """Return the claim of a notification that was sent at its end, unless *sent* says when."""
    message_id = message_id or f"m-{resource_id}-{begin}-{end}-{flavor}-{status}"
    return Period(
        meter,
        "h",
        resource_id,
        project_id,
        "u-1",
        at(begin),
        at(end),
        None if created is None else at(created),
        at(end if sent is None else sent),
        {"flavor": flavor},
        message_id,
        f"c-{message_id}",
        None,
        status,
    )


class Line(NamedTuple):
    """What is billed of a resource in an hour."""

    resource_id: str
    hour: int
    project_id: str | None
    flavor: str
    seconds: Decimal


def by_the_book(periods: Iterable[Period]) -> set[Line]:
    """Return what *periods* claim, asked second by second. All their times are whole seconds."""
    lines: dict[tuple[str, int, str | None, str], int] = defaultdict(int)
    cut: dict[str, list[tuple[int, int, int, str | None, str]]] = defaultdict(list)
    gone: dict[str, int] = {}
    for one in periods:
        begin = max(one.begin, one.not_before or one.begin)
        end = min(one.end, one.timestamp)
        span = [int((time - START).total_seconds()) for time in (begin, end)]
        rank = RANK[one.status]
        if rank == RANK["ending"]:
            gone[one.resource_id] = min(gone.get(one.resource_id, span[1]), span[1])
        if span[0] < span[1]:
            cut[one.resource_id].append((*span, rank, one.project_id, one.dimensions["flavor"]))
    for resource_id, claims in cut.items():
        first, last = min(one[0] for one in claims), max(one[1] for one in claims)
        before: bool | None = None  # whether the second before counts, None where nobody covers it
        for second in range(first, last):
            covering = [one for one in claims if one[0] <= second < one[1]]
            if not covering:
                before = None
                continue
            owner = min(covering, key=lambda one: (one[1], one[2], one[3] is None, one[3] or "", one[4]))
            counts = owner[2] == RANK["running"]
            if owner[2] == RANK["ending"]:
                counts = True if before is None else before
            before = counts
            if counts and second < gone.get(resource_id, last):
                lines[resource_id, second // HOUR, owner[3], owner[4]] += 1
    return {Line(*key, Decimal(seconds)) for key, seconds in lines.items()}


def holes(periods: Iterable[Period]) -> set[tuple[str, datetime, datetime]]:
    """Return what nobody claimed of a resource between its first claim and its last, or its deletion."""
    covered: dict[str, set[int]] = defaultdict(set)
    gone: dict[str, int] = {}
    for one in periods:
        begin = max(one.begin, one.not_before or one.begin)
        first, last = (int((time - START).total_seconds()) for time in (begin, min(one.end, one.timestamp)))
        covered[one.resource_id].update(range(first, last))
        if one.status == "ending":
            gone[one.resource_id] = min(gone.get(one.resource_id, last), last)
    found = set()
    for resource_id, seconds in covered.items():
        if not seconds:
            continue
        end = gone.get(resource_id, max(seconds) + 1)
        missing = [second for second in range(min(seconds), end) if second not in seconds]
        for number, second in enumerate(missing):
            if number == 0 or missing[number - 1] != second - 1:
                begin = second
            if number == len(missing) - 1 or missing[number + 1] != second + 1:
                found.add((resource_id, at(begin), at(second + 1)))
    return found


def recorded(ledger: Ledger) -> list[Usage]:
    return [record for record in ledger.store.records(Query()) if isinstance(record, Usage)]


def latest(usage: Iterable[Usage]) -> list[Usage]:
    """Return of each hour and group the last revision, where it counts anything."""
    last = {(one.meter, one.resource_id, one.period_start, one.project_id, str(one.dimensions)): one for one in usage}
    return [one for one in last.values() if one.quantity != "0"]


def lines(usage: Iterable[Usage]) -> set[Line]:
    """Return what *usage* bills in the end."""
    return {
        Line(
            one.resource_id,
            int((one.period_start - START).total_seconds()) // HOUR,
            one.project_id,
            one.dimensions["flavor"],
            Decimal(one.seconds),
        )
        for one in latest(usage)
    }


def facts(usage: Iterable[Usage]) -> set[tuple[Any, ...]]:
    """Return what must not depend on the order of claims.

    That is all but revisions, times of recording, and how many claims and which were known when it was recorded.
    """
    return {
        (
            one.meter,
            one.unit,
            one.resource_id,
            one.project_id,
            tuple(one.dimensions.items()),
            one.period_start,
            one.timestamp,
            one.quantity,
            one.seconds,
            one.evidence.digest,
        )
        for one in latest(usage)
    }


def check_sums(usage: Sequence[Usage], closures: Iterable[Closure]) -> None:
    """Each hour's deltas are its quantity, ids are there once, and closures say what there is."""
    assert len({one.id for one in usage}) == len(usage)
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for one in usage:
        key = (one.meter, one.resource_id, one.period_start, one.project_id, str(one.dimensions))
        sums[key] += Decimal(one.delta)
        assert sums[key] == Decimal(one.quantity)
    assert [one.sequence for one in usage] == sorted(one.sequence for one in usage)
    last = {(one.meter, one.period_start): one for one in closures}
    for (meter, hour), closure in last.items():
        of_hour = [one for one in usage if (one.meter, one.period_start) == (meter, hour)]
        assert closure.count == len(of_hour)
        assert Decimal(closure.quantity) == sum(Decimal(one.delta) for one in of_hour)
        assert closure.digest == digest_of({one.id: one.delta for one in of_hour})


def closures(ledger: Ledger) -> list[Closure]:
    return [record for record in ledger.store.records(Query(("closure",))) if isinstance(record, Closure)]


def witnesses_of(state: HourState) -> dict[str, tuple[int, str, int, str]]:
    """Return the witnesses of *state*, their ids as they were."""
    return {
        label: (one.first_end, lengthen(one.first_id), one.last_end, lengthen(one.last_id))
        for label, one in state.witnesses.items()
    }


def states(ledger: Ledger) -> dict[Any, Any]:
    """Return all that a ledger remembers of its hours."""
    return {
        (one.meter, one.resource_id, begin): (hour.state.segments, witnesses_of(hour.state))
        for one in ledger.store.all_resources()
        for begin, hour in (ledger.store.resource(one.meter, one.resource_id) or one).hours.items()
    }
