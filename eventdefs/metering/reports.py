"""Questions to a ledger: totals, comparisons, what is odd, and how an hour came to be. Nothing here changes one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from eventdefs.metering.claims import HOUR, Group, parse_label, to_micros, to_time
from eventdefs.metering.hours import HourState, counts_before
from eventdefs.metering.records import micros_of, nanos_from
from eventdefs.metering.store import Query, Resource, Store
from eventdefs.times import utc_text
from eventdefs.types import Gap, Period, Record, Refusal, Usage

DIMENSIONS = ("month", "day", "hour", "meter", "tenant", "resource", "dimensions")
"""What totals can be split by."""


class Total(NamedTuple):
    """A sum of usage.

    Attributes:
        key: values of what it was split by, in that order.
        unit: of the quantity.
        nanos: the quantity, in billionths of the unit.
        hours: how many hours of resources are in it.
    """

    key: tuple[str, ...]
    unit: str
    nanos: int
    hours: int


def usage_of(store: Store, query: Query) -> Iterator[Usage]:
    """Yield the usage records that *query* asks for."""
    return (record for record in store.records(query._replace(kinds=("usage",))) if isinstance(record, Usage))


def dimensions_text(dimensions: Iterable[tuple[str, str]]) -> str:
    """Write dimensions for a person: ``flavor=m1.small, zone=east``."""
    return ", ".join(f"{name}={value}" for name, value in dimensions)


def _part(usage: Usage, by: str) -> str:
    if by == "meter":
        return usage.meter
    if by == "tenant":
        return usage.project_id or ""
    if by == "resource":
        return usage.resource_id
    if by == "dimensions":
        return dimensions_text(usage.dimensions.items())
    return usage.period_start.strftime({"month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H:%M:%SZ"}[by])


class Sums:
    """Adds usage up, split by some of `DIMENSIONS`; what has different units is never added up."""

    def __init__(self, by: Sequence[str]) -> None:
        self._by = tuple(by)
        self._sums: dict[tuple[tuple[str, ...], str], int] = defaultdict(int)
        self._hours: dict[tuple[tuple[str, ...], str], dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, usage: Usage) -> None:
        key = (tuple(_part(usage, one) for one in self._by), usage.unit)
        nanos = nanos_from(usage.delta)
        self._sums[key] += nanos
        self._hours[key][hash((usage.meter, usage.resource_id, usage.period_start))] += nanos

    def totals(self) -> list[Total]:
        """Return the sums; an hour of which nothing is left is not counted as one."""
        return [
            Total(*key, nanos, sum(1 for hour in self._hours[key].values() if hour))
            for key, nanos in sorted(self._sums.items())
        ]


def totals(usage: Iterable[Usage], by: Sequence[str]) -> list[Total]:
    """Return the sums of *usage*, split *by*."""
    sums = Sums(by)
    for record in usage:
        sums.add(record)
    return sums.totals()


# --- comparing -------------------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """What two ledgers say of an hour of a resource, for one group.

    Attributes:
        micros, other: what the one and the other count; equal where only the times within the hour differ.
        edge: it lies where one of them may not have seen everything.
    """

    meter: str
    unit: str
    resource_id: str
    hour: int
    group: Group
    micros: int
    other: int
    edge: bool


class Comparison(NamedTuple):
    """What comparing gave.

    Attributes:
        equal: how many hours of groups are the same.
        differences: those that are not.
    """

    equal: int
    differences: list[Difference]


def _latest(usage: Iterable[Usage]) -> dict[tuple[str, str, int, Group], Usage]:
    found: dict[tuple[str, str, int, Group], Usage] = {}
    for record in usage:
        group = Group(record.project_id, tuple(sorted(record.dimensions.items())))
        found[record.meter, record.resource_id, to_micros(record.period_start), group] = record
    return found


def compare(store: Store, other: Store, query: Query, inner: tuple[int, int]) -> Comparison:
    """Compare what two ledgers counted of the hours that *query* asks for; outside of *inner* is the edge."""
    ours, theirs = _latest(usage_of(store, query)), _latest(usage_of(other, query))
    equal, differences = 0, []
    for key in sorted({*ours, *theirs}, key=lambda key: (key[0], key[2], key[1], str(key[3]))):
        one, two = ours.get(key), theirs.get(key)
        micros = 0 if one is None else micros_of(one)
        other_micros = 0 if two is None else micros_of(two)
        digests = ["" if record is None or not micros_of(record) else record.evidence.digest for record in (one, two)]
        if micros == other_micros and digests[0] == digests[1]:
            equal += bool(micros)
            continue
        meter, resource_id, hour, group = key
        unit = (one or two).unit if one or two else ""  # type: ignore[union-attr]
        edge = not inner[0] <= hour < inner[1]
        differences.append(Difference(meter, unit, resource_id, hour, group, micros, other_micros, edge))
    return Comparison(equal, differences)


# --- what is odd -----------------------------------------------------------------------------------------------------


class Oddity(NamedTuple):
    """Something to look at.

    Attributes:
        kind: a key of `ODDITIES`.
        meter, resource_id: of what.
        text: what was found.
    """

    kind: str
    meter: str
    resource_id: str
    text: str


ODDITIES = {
    "gap": "nobody says whether it ran",
    "two_tenants": "claims of more than one project",
    "no_creation": "usage, and nothing that says when it was created",
    "late_start": "the first counted hour is long after the creation",
    "after_deletion": "claims of a time after the deletion; they are not counted",
    "timed_out": "hours that only time closed, so that claims may be missing",
    "too_late": "claims that came when their hours were no longer kept; they are not counted",
    "future": "claims of notifications dated in the future; they are not counted",
    "held": "corrections of a closed month that wait for approval",
}
SHOWN_HOURS = 3


def audit(store: Store, query: Query, lateness: timedelta) -> list[Oddity]:
    """Return what is odd in what *query* asks for."""
    anybody = query._replace(project_id=None)
    found = [*_odd_gaps(store, anybody), *_odd_usage(store, anybody), *_odd_resources(store, anybody, lateness)]
    if query.project_id is not None:
        own = Query(meter=query.meter, resource_id=query.resource_id, project_id=query.project_id)
        theirs = {(usage.meter, usage.resource_id) for usage in usage_of(store, own)}
        found = [one for one in found if (one.meter, one.resource_id) in theirs]
    return [*found, *_odd_refusals(store, query)]


def _within(query: Query, hour: int) -> bool:
    """Tell whether *query* asks for an hour."""
    return (query.begin is None or hour >= to_micros(query.begin)) and (
        query.end is None or hour < to_micros(query.end)
    )


def _time(time: datetime) -> str:
    return utc_text(time)


def _odd_gaps(store: Store, query: Query) -> Iterator[Oddity]:
    gaps: dict[tuple[str, str, datetime, datetime], Gap] = {}
    for record in store.records(query._replace(kinds=("gap",))):
        if isinstance(record, Gap):
            gaps[record.meter, record.resource_id, record.begin, record.end] = record
    for (meter, resource_id, begin, end), gap in sorted(gaps.items()):
        if gap.state == "open":
            yield Oddity("gap", meter, resource_id, f"{_time(begin)} to {_time(end)}, {end - begin}")


def _odd_usage(store: Store, query: Query) -> Iterator[Oddity]:
    tenants: dict[tuple[str, str], set[str]] = defaultdict(set)
    timed_out: dict[tuple[str, str], set[datetime]] = defaultdict(set)
    for usage in _latest(usage_of(store, query)).values():
        if usage.quantity == "0":
            continue
        key = (usage.meter, usage.resource_id)
        tenants[key].add(usage.project_id or "nobody's")
        if usage.closed_by in ("watermark", "end_of_input"):
            timed_out[key].add(usage.period_start)
    for (meter, resource_id), names in sorted(tenants.items()):
        if len(names) > 1:
            yield Oddity("two_tenants", meter, resource_id, ", ".join(sorted(names)))
    for (meter, resource_id), hours in sorted(timed_out.items()):
        shown = ", ".join(_time(hour) for hour in sorted(hours)[:SHOWN_HOURS])
        more = f" and {len(hours) - SHOWN_HOURS:,} more" if len(hours) > SHOWN_HOURS else ""
        yield Oddity("timed_out", meter, resource_id, f"{shown}{more}")


def _odd_resources(store: Store, query: Query, lateness: timedelta) -> Iterator[Oddity]:
    first: dict[tuple[str, str], int] = {}
    for usage in usage_of(store, Query()):
        key = (usage.meter, usage.resource_id)
        first[key] = min(first.get(key, to_micros(usage.period_start)), to_micros(usage.period_start))
    began = min(first.values(), default=0)
    wait = lateness // timedelta(microseconds=1)
    for one in store.all_resources():
        key = (one.meter, one.resource_id)
        if query.meter not in (None, one.meter) or query.resource_id not in (None, one.resource_id):
            continue
        start = first.get(key)
        if start is not None and not _within(query, start):
            start = None
        if start is not None and one.created is None:
            yield Oddity("no_creation", *key, f"first counted in the hour of {_time(to_time(start))}")
        elif start is not None and one.created is not None and one.created >= began and start > one.created + wait:
            text = f"created at {_time(to_time(one.created))}, first counted in the hour of {_time(to_time(start))}"
            yield Oddity("late_start", *key, text)
        if one.closed_at is not None:
            full = store.resource(*key)
            if full is not None and (text := _after_deletion(full, query)):
                yield Oddity("after_deletion", *key, text)
    for key, count in _held(store, query).items():
        yield Oddity("held", *key, f"{count:,} hour{'' if count == 1 else 's'}")


def _after_deletion(resource: Resource, query: Query) -> str:
    assert resource.closed_at is not None
    beyond = [
        segment
        for hour in resource.hours.values()
        for segment in hour.state.segments
        if segment.stop > resource.closed_at and _within(query, hour.begin)
    ]
    if not beyond:
        return ""
    micros = sum(one.stop - max(one.start, resource.closed_at) for one in beyond)
    until = max(one.stop for one in beyond)
    claimed = timedelta(microseconds=micros)
    return f"deleted at {_time(to_time(resource.closed_at))}, {claimed} claimed up to {_time(to_time(until))}"


def _held(store: Store, query: Query) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for change in held_changes(store):
        if (
            query.meter in (None, change.meter)
            and query.resource_id in (None, change.resource_id)
            and _within(query, change.hour)
        ):
            found[change.meter, change.resource_id] += 1
    return found


def _odd_refusals(store: Store, query: Query) -> Iterator[Oddity]:
    counts: Counter[tuple[str, str, str]] = Counter()
    spans: dict[tuple[str, str, str], tuple[datetime, datetime]] = {}
    for record in store.records(query._replace(kinds=("refusal",))):
        if isinstance(record, Refusal):
            key = (record.reason, record.meter, record.resource_id)
            counts[key] += 1
            begin, end = spans.get(key, (record.begin, record.end))
            spans[key] = (min(begin, record.begin), max(end, record.end))
    for (reason, meter, resource_id), count in sorted(counts.items()):
        begin, end = spans[reason, meter, resource_id]
        text = f"{count:,} claims of {_time(begin)} to {_time(end)}"
        yield Oddity(reason, meter, resource_id, text)


def held_changes(store: Store) -> Iterator[Difference]:
    """Yield what would be recorded if the corrections that are held were approved."""
    for one in store.all_resources():
        resource = store.resource(one.meter, one.resource_id)
        if resource is None or not any(hour.held for hour in resource.hours.values()):
            continue
        for begin in sorted(resource.hours):
            hour = resource.hours[begin]
            if hour.held:
                counted = count_hour(resource, begin)
                for group in sorted({*counted, *hour.published}, key=str):
                    before = hour.published.get(group)
                    now = counted.get(group, 0)
                    if now != (0 if before is None else before.micros):
                        old = 0 if before is None else before.micros
                        yield Difference(one.meter, one.unit, one.resource_id, begin, group, old, now, False)


def count_hour(resource: Resource, begin: int) -> dict[Group, int]:
    """Return the microseconds that an hour of *resource*, which has all its hours, counts, by group."""

    def state_at(at: int) -> HourState | None:
        hour = resource.hours.get(at)
        return None if hour is None else hour.state

    counted = resource.hours[begin].state.count(
        resource.meter,
        resource.resource_id,
        resource.closed_at,
        lambda: counts_before(begin, state_at, resource.until),
    )
    return {group: one.micros for group, one in counted.items()}


# --- explaining ------------------------------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """Time within an hour of which the claims say one thing.

    Attributes:
        status: `running`, `idle`, `ending`, or `nothing` where nothing is claimed, `deleted` after the end.
        claims: how many claims own it.
    """

    start: int
    stop: int
    status: str
    group: Group | None
    claims: int


def stretches(resource: Resource, begin: int) -> list[Stretch]:
    """Return what the claims say of an hour of *resource*, from its first moment to its last."""
    found: list[Stretch] = []
    hour = resource.hours.get(begin)
    position, end = begin, begin + HOUR
    cap = end if resource.closed_at is None else max(begin, min(end, resource.closed_at))
    for segment in () if hour is None else hour.state.segments:
        if segment.start >= cap:
            break
        if position < segment.start:
            found.append(Stretch(position, segment.start, "nothing", None, 0))
        label = parse_label(segment.label)
        status, position = label.status.name.lower(), min(segment.stop, cap)
        last = found[-1] if found else None
        if last is not None and last.stop == segment.start and (last.status, last.group) == (status, label.group):
            found[-1] = last._replace(stop=position, claims=last.claims + 1)
        else:
            found.append(Stretch(segment.start, position, status, label.group, 1))
    if position < cap:
        found.append(Stretch(position, cap, "nothing", None, 0))
    if cap < end:
        found.append(Stretch(cap, end, "deleted", None, 0))
    return found


def cuts_of(period: Period, closed_at: int | None) -> list[str]:
    """Say what was cut off *period* before it was counted."""
    cuts = []
    begin, end = period.begin, period.end
    if period.not_before is not None and period.not_before > begin:
        cuts.append(f"begins at {_time(period.not_before)}, not before")
    for bound, reason in ((period.timestamp, "when it was sent"), (period.not_after, "not after")):
        if bound is not None and bound < end:
            cuts.append(f"ends at {_time(bound)}, {reason}")
            end = bound
    if closed_at is not None and to_time(closed_at) < end:
        cuts.append(f"ends at {_time(to_time(closed_at))}, the deletion")
    return cuts


def revisions(store: Store, meter: str, resource_id: str, begin: datetime) -> list[Record]:
    """Return all usage records of an hour, as they were recorded."""
    query = Query(("usage",), meter, resource_id, None, begin, begin + timedelta(hours=1))
    return list(store.records(query))
