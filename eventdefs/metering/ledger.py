"""The ledger turns claims into usage: it decides when an hour is final, and what is recorded of it.

The life of an hour: open -> final -> corrected. It is final at once when claims cover all of it or the resource was
deleted, else when the watermark passes its end by the lateness, or at the end of the input. Later claims correct it for
as long as it is kept open. What is counted depends on the set of claims alone; only when it is recorded, and in how
many revisions, depends on their order.

A batch of claims is one transaction: what they say, what is recorded, and the outbox of records to publish. So a
notification may be acked when `add` returns, and a batch that is added again changes nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, NamedTuple, TypeVar

import msgspec

from eventdefs.errors import LedgerError, RetryableDeliveryError
from eventdefs.metering import records
from eventdefs.metering.claims import HOUR, UNITS, Claim, Group, cut, storable, to_micros, to_time
from eventdefs.metering.hours import HourState, counts_before
from eventdefs.metering.memory import MemoryStore
from eventdefs.metering.store import (
    AgainError,
    Closing,
    Hour,
    Key,
    Progress,
    Published,
    Resource,
    Store,
    Transaction,
)
from eventdefs.types import Period, Record, Usage

T = TypeVar("T")

AHEAD = timedelta(days=1)
"""How far ahead of the clock a notification may be dated."""
CHUNK = 1000
"""How many resources or records are worked on at once."""
MOST_HOURS = 20_000
"""How many hours the claims of one transaction may touch: a claim may be of a year."""
RECENT = 25
"""Of how many claims, beside a batch, the timestamps are looked at to move the watermark."""
RESOURCE_KEPT = 400 * 24 * HOUR
"""For how long a resource without hours is remembered, so that a hole is a gap and a deletion stays one."""
TRIES = 100
"""How often a transaction is begun again that others were in the way of."""
_NEVER = 1 << 62
_AN_HOUR = timedelta(hours=1)


class LedgerSettings(msgspec.Struct, frozen=True):
    """How long a ledger waits.

    Attributes:
        lateness: how long after its end an hour waits for claims.
        keep_open: for how long after its end an hour can be corrected.
    """

    lateness: timedelta = timedelta(hours=1)
    keep_open: timedelta = timedelta(days=35)


class Counts(NamedTuple):
    """What a ledger did with claims.

    Attributes:
        claims: how many were counted, repetitions among them.
        late, future: how many were refused, whole or in part.
        usage, gaps, closures: how many records were made.
    """

    claims: int = 0
    late: int = 0
    future: int = 0
    usage: int = 0
    gaps: int = 0
    closures: int = 0

    def plus(self, other: Counts) -> Counts:
        return Counts(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))


def _clock() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Counts claims. Safe to use from several threads and, where its store is a database, processes.

    >>> from eventdefs import Ledger, Period
    >>> from datetime import UTC, datetime
    >>> at = lambda minute: datetime(2026, 8, 1, 12 + minute // 60, minute % 60, tzinfo=UTC)
    >>> ledger = Ledger()
    >>> for minute in (30, 31, 31, 60):
    ...     counts = ledger.add([Period("database.uptime", "h", "db-1", "p-1", None, at(minute - 30), at(minute), None,
    ...         at(minute), {"flavor": "small"}, f"m-{minute}", f"c-{minute}")])
    >>> [(usage.quantity, usage.closed_by) for usage in ledger.pending() if usage.meter == "database.uptime"]
    [('1', 'coverage')]
    """

    def __init__(
        self,
        store: Store | None = None,
        settings: LedgerSettings | None = None,
        *,
        definitions: str = "",
        clock: Callable[[], datetime] = _clock,
    ) -> None:
        """Keep the ledger in *store*, in memory without one. *definitions* is the fingerprint that records name."""
        self.store: Store = MemoryStore() if store is None else store
        self.settings = settings or LedgerSettings()
        self._definitions = definitions
        self._clock = clock
        self._lateness = self.settings.lateness // timedelta(microseconds=1)
        self._keep_open = self.settings.keep_open // timedelta(microseconds=1)
        if self._keep_open < self._lateness:
            raise LedgerError("keep_open is shorter than lateness: hours would be forgotten before they are final")

    def add(self, periods: Sequence[Period]) -> Counts:
        """Count *periods*; when this returns they are durable, and what is recorded of them is in the outbox.

        Raises:
            RetryableDeliveryError: the store cannot be reached; nothing was done.
            LedgerError: the unit of a period is none of time.
        """
        for unit in {period.unit for period in periods}:
            if unit not in UNITS:
                raise LedgerError(f"the unit {unit!r} is none of time, expected {', '.join(UNITS)}")
        total = Counts()
        for part in _parts(periods):
            counts, progress = self._book(lambda booking, part=part: booking.count(part))  # type: ignore[misc]
            total = total.plus(counts).plus(self._close_due(progress))
        return total

    def finish(self) -> Counts:
        """Close all hours that are open, since nothing more is to come."""
        return self._close(_NEVER, "end_of_input")

    def approve(self, month: str) -> Counts:
        """Record the corrections of *month*, as ``2026-08``, that were held since it was closed."""
        begin, end = month_span(month)
        total = Counts()
        while True:
            found: list[Resource] = []

            def release(booking: _Booking, found: list[Resource] = found) -> None:
                found[:] = booking.transaction.held(begin, end, CHUNK)
                booking.release(found, begin, end)

            counts, _ = self._book(release)
            total = total.plus(counts)
            if not found:
                return total

    def close_month(self, month: str) -> None:
        """Hold later corrections of *month*, as ``2026-08``, until they are approved.

        Raises:
            LedgerError: the month is not over: some of its hours may still be open.
        """
        _, end = month_span(month)

        def close(transaction: Transaction) -> None:
            resources = transaction.due(end - HOUR, 1)
            progress = transaction.lock_progress()
            if resources or progress.watermark < end:
                raise LedgerError(
                    f"{month} has hours that are open: the input is at {to_time(progress.watermark).isoformat()}"
                )
            transaction.set_progress(progress._replace(months=progress.months | {month}))

        self._transact(close)

    def replace(self, shadow: Store, begin: datetime, end: datetime, definitions: str) -> Counts:
        """Take over what *shadow* says of the hours from *begin* to *end*, and record what differs.

        Raises:
            LedgerError: some of these hours are no longer kept.
        """
        low, high = to_micros(begin), to_micros(end)
        horizon = self._horizon(self.store.progress())
        if low < horizon:
            raise LedgerError(f"hours before {to_time(horizon).isoformat()} are no longer kept")
        theirs: dict[Key, Resource] = {}
        for one in (*shadow.all_resources(), *self.store.all_resources()):
            full = shadow.resource(one.meter, one.resource_id)
            theirs[one.meter, one.resource_id] = full or Resource(one.meter, one.resource_id, one.unit)
        total = Counts()
        keys = sorted(theirs)
        for first in range(0, len(keys), CHUNK):
            chunk = {key: theirs[key] for key in keys[first : first + CHUNK]}

            def take(booking: _Booking, chunk: dict[Key, Resource] = chunk) -> None:
                booking.definitions = definitions
                booking.replace(chunk, low, high)

            counts, progress = self._book(take)
            total = total.plus(counts).plus(self._close_due(progress))
        return total

    def pending(self, most: int = CHUNK, *, after: int = 0) -> list[Record]:
        """Return what waits to be published and has a sequence above *after*, oldest first."""
        return self.store.pending(most, after)

    def confirm(self, published: Sequence[Record]) -> None:
        """Forget that *published* wait: every publisher has them."""
        self.store.confirm(published)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def _horizon(self, progress: Progress) -> int:
        horizon = progress.watermark - self._keep_open
        return max(progress.purged, horizon - horizon % HOUR)

    def _close_due(self, progress: Progress) -> Counts:
        """Close what the watermark has passed by the lateness."""
        through = progress.watermark - self._lateness
        through = through - through % HOUR - HOUR
        if through <= progress.closed_through:
            return Counts()
        counts = self._close(through, "watermark")
        horizon = self._horizon(progress)

        while True:
            found: list[Resource] = []

            def forget(booking: _Booking, found: list[Resource] = found) -> None:
                found[:] = booking.forget(horizon)

            self._book(forget)
            if len(found) < CHUNK:
                return counts

    def _close(self, through: int, closed_by: str) -> Counts:
        total = Counts()
        while True:
            found: list[Resource] = []

            def close(booking: _Booking, found: list[Resource] = found) -> None:
                found[:] = booking.transaction.due(through, CHUNK)
                booking.close(found, through, closed_by)

            counts, _ = self._book(close)
            total = total.plus(counts)
            if not found:
                break
        while True:
            waiting: list[Closing] = []

            def settle(booking: _Booking, waiting: list[Closing] = waiting) -> None:
                booking.transaction.lock_progress()
                waiting[:] = booking.transaction.unclosed(through, CHUNK)
                booking.closings = waiting
                booking.closed_through = through if closed_by == "watermark" and len(waiting) < CHUNK else 0

            counts, _ = self._book(settle)
            total = total.plus(counts)
            if len(waiting) < CHUNK:
                return total

    def _book(self, work: Callable[[_Booking], None]) -> tuple[Counts, Progress]:
        """Do *work* in one transaction, and record what it made."""

        def book(transaction: Transaction) -> tuple[Counts, Progress]:
            progress = transaction.progress()
            booking = _Booking(transaction, progress, self._horizon(progress), self._clock(), self._definitions)
            work(booking)
            return booking.end()

        return self._transact(book)

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        for number in range(TRIES):
            try:
                with self.store.transaction() as transaction:
                    return work(transaction)
            except AgainError:
                time.sleep(random.uniform(0, min(1.0, 0.005 * number)))
        raise RetryableDeliveryError(f"the ledger: others were in the way {TRIES} times")


def _parts(periods: Sequence[Period]) -> Iterator[Sequence[Period]]:
    """Yield *periods* in parts whose claims do not touch too many hours."""
    first = hours = 0
    for number, period in enumerate(periods):
        hours += (period.end - period.begin) // _AN_HOUR + 2
        if hours > MOST_HOURS and number > first:
            yield periods[first:number]
            first, hours = number, (period.end - period.begin) // _AN_HOUR + 2
    if first < len(periods):
        yield periods[first:]


def month_span(month: str) -> tuple[int, int]:
    """Return begin and end of *month*, as ``2026-08``.

    Raises:
        LedgerError: it is none.
    """
    try:
        if len(month) != 7 or not month.isascii():
            raise ValueError
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        following = (first + timedelta(days=31)).replace(day=1)
    except (ValueError, OverflowError):
        raise LedgerError(f"{month!r} is no month, as 2026-08 is") from None
    return to_micros(first), to_micros(following)


_Make = Callable[[datetime, int], Record]
"""Makes a record, given when it is recorded and its sequence."""


class _Booking:
    """One transaction of a ledger: what was loaded, what changes, what will be recorded."""

    def __init__(
        self, transaction: Transaction, progress: Progress, horizon: int, now: datetime, definitions: str
    ) -> None:
        self.transaction = transaction
        self.now = now
        self.closed_through = 0
        self.closings: list[Closing] = []
        self.purged = 0
        self.definitions = definitions
        self._progress = progress
        self._horizon = horizon
        self._resources: dict[Key, Resource] = {}
        self._stamps: list[int] = []
        self._answers: dict[Key, dict[int, bool | None]] = {}
        self._changed: list[tuple[Resource, Hour]] = []
        self._made: list[_Make] = []
        self._counts = Counts()
        self._reason: Literal["late", "deletion", "definitions", "approved"] = "late"

    # --- what is done ------------------------------------------------------------------------------------------------

    def count(self, periods: Iterable[Period]) -> None:
        """Take the claims of *periods* in, and settle the hours that they change."""
        by_resource: dict[Key, list[Claim]] = {}
        units: dict[Key, str] = {}
        latest, horizon = self.now + AHEAD, self._horizon
        counted = late = future = 0
        for period in periods:
            claim = cut(period)
            if period.timestamp > latest:
                future += 1
                self._refuse(period, to_micros(period.begin), to_micros(period.end), "future")
                continue
            self._stamps.append(to_micros(min(period.timestamp, self.now)))
            if claim is None:
                continue
            if claim.begin < horizon:
                late += 1
                self._refuse(period, min(claim.begin, claim.end), min(claim.end, horizon), "too_late")
                if claim.end <= horizon and not claim.closes:
                    continue
                claim = claim._replace(begin=max(horizon, claim.end) if claim.end <= horizon else horizon)
            counted += 1
            key = (storable(period.meter), storable(period.resource_id))
            claims = by_resource.get(key)
            if claims is None:
                by_resource[key] = [claim]
                units[key] = period.unit
            else:
                claims.append(claim)
        self._counts = Counts(counted, late, future)
        self._resources = self.transaction.resources(units)
        self.transaction.load([(self._resources[key], claims) for key, claims in by_resource.items()])
        for key, claims in by_resource.items():
            resource = self._resources[key]
            if resource.unit != units[key]:
                raise LedgerError(
                    f"the ledger counts {resource.meter} in {resource.unit}, and a definition says {units[key]}:"
                    " give the meter another name, or begin another ledger"
                )
            ends_before = resource.closed_at
            changed = _take(resource, claims)
            self._changed += [(resource, hour) for hour in changed]
            if resource.closed_at != ends_before:
                self._settle_ended(resource)
            elif changed:
                self._settle_changed(resource, changed)

    def close(self, resources: Iterable[Resource], through: int, closed_by: str) -> None:
        """Make the open hours of *resources* up to *through* final."""
        for resource in resources:
            self._resources[resource.meter, resource.resource_id] = resource
            for begin in sorted(resource.hours):
                hour = resource.hours[begin]
                if begin <= through and not hour.closed_by:
                    self._settle(resource, hour, closed_by)

    def release(self, resources: Iterable[Resource], begin: int, end: int) -> None:
        """Record what is held of *resources*."""
        self._reason = "approved"
        for resource in resources:
            self._resources[resource.meter, resource.resource_id] = resource
            for hour in sorted(resource.hours.values(), key=lambda hour: hour.begin):
                if hour.held and begin <= hour.begin < end:
                    hour.held = False
                    self._change(resource, hour)
                    self._publish(resource, hour, first=False, held=False)

    def replace(self, shadows: dict[Key, Resource], low: int, high: int) -> None:
        """Take over the hours of *shadows* from *low* to *high*, and record what differs."""
        self._reason = "definitions"
        self._resources = self.transaction.resources({key: shadow.unit for key, shadow in shadows.items()})
        for key, resource in self._resources.items():
            shadow = shadows[key]
            self.transaction.load_from(resource, low)
            ended = resource.closed_at
            if ended is not None and low <= ended < high:
                ended = None
            if shadow.closed_at is not None and low <= shadow.closed_at < high:
                ended = shadow.closed_at if ended is None else min(ended, shadow.closed_at)
            moved = [time for time in (ended, resource.closed_at) if time is not None and ended != resource.closed_at]
            resource.closed_at = ended
            resource.created = resource.created if shadow.created is None else shadow.created
            resource.changed = True
            inside = {begin for begin in (*resource.hours, *shadow.hours) if low <= begin < high}
            for begin in inside:
                new = shadow.hours.get(begin)
                hour = resource.hours.get(begin)
                if hour is None:
                    assert new is not None
                    hour = resource.hours[begin] = Hour(new.state.copy(), new.closed_by)
                else:
                    hour.state = HourState(begin) if new is None else new.state.copy()
                self._change(resource, hour)
            if moved:
                self.transaction.load_from(resource, min(moved) - min(moved) % HOUR)
            for begin in sorted(resource.hours):
                hour = resource.hours[begin]
                if hour.closed_by and (begin in inside or moved):
                    self._settle(resource, hour, hour.closed_by)

    def forget(self, horizon: int) -> list[Resource]:
        """Forget hours before *horizon* that are final and not held, but how the last of them ended; return of what."""
        self.purged = horizon
        resources = self.transaction.old(horizon, CHUNK)
        for resource in resources:
            self._resources[resource.meter, resource.resource_id] = resource
            old = [
                hour for hour in resource.hours.values() if hour.begin < horizon and hour.closed_by and not hour.held
            ]
            last = max((hour for hour in old if hour.state.segments), key=lambda hour: hour.begin, default=None)
            if last is not None:
                stop = last.state.segments[-1].stop
                if resource.covered_until is None or stop > resource.covered_until:
                    counted = last.state.counts_at(stop)
                    if counted == "as before":
                        counted = self._counts_before(resource, last.begin)
                        counted = True if counted is None else counted
                    resource.covered_until, resource.counted_until, resource.changed = stop, counted, True
        self.transaction.forget(resources, horizon, horizon - RESOURCE_KEPT)
        return resources

    def _change(self, resource: Resource, hour: Hour) -> None:
        if not hour.changed:
            hour.changed = True
            self._changed.append((resource, hour))

    # --- settling ----------------------------------------------------------------------------------------------------

    def _settle_changed(self, resource: Resource, changed: list[Hour]) -> None:
        if resource.closed_at is None:
            hours = changed if len(changed) == 1 else sorted(changed, key=lambda hour: hour.begin)
        else:  # what the end of the resource counts may depend on the hours before it
            first = min(hour.begin for hour in changed)
            self.transaction.load_from(resource, first)
            hours = [resource.hours[begin] for begin in sorted(resource.hours) if begin >= first]
        for hour in hours:
            closed_by = hour.closed_by or self._closed_by(resource, hour)
            if closed_by:
                self._settle(resource, hour, closed_by)

    def _settle_ended(self, resource: Resource) -> None:
        """Settle the hours of a resource that turned out to have ended, or to have ended earlier."""
        assert resource.closed_at is not None
        self.transaction.load_from(resource, resource.closed_at - resource.closed_at % HOUR)
        before, self._reason = self._reason, "deletion"
        for begin in sorted(resource.hours):
            hour = resource.hours[begin]
            self._settle(resource, hour, hour.closed_by or self._closed_by(resource, hour))
        self._reason = before

    def _closed_by(self, resource: Resource, hour: Hour) -> str:
        if hour.state.complete:
            return "coverage"
        if resource.closed_at is not None:
            return "deletion"
        return "watermark" if hour.begin <= self._progress.closed_through else ""

    def _settle(self, resource: Resource, hour: Hour, closed_by: str) -> None:
        """Record what *hour* counts, where that is not recorded yet."""
        first = not hour.closed_by
        if first:
            hour.closed_by = closed_by
            self._change(resource, hour)
        held = bool(self._progress.months) and month_of(hour.begin) in self._progress.months
        self._publish(resource, hour, first=first, held=held)
        self._find_gaps(resource, hour)
        following = self._neighbour(resource, hour.begin, after=True)
        if following is not None and following.closed_by:
            self._find_gaps(resource, following)
        if resource.closed_at is not None:  # the hole up to the end may be no longer this one's
            previous = self._neighbour(resource, hour.begin, after=False)
            if previous is not None and previous.closed_by:
                self._find_gaps(resource, previous)

    def _neighbour(self, resource: Resource, begin: int, *, after: bool) -> Hour | None:
        """Return the next hour before or after *begin* in which something is covered."""
        beside = begin + HOUR if after else begin - HOUR
        hour = resource.hours.get(beside) or self.transaction.nearest(resource, begin, after=after)
        while hour is not None and not hour.state.segments:
            hour = self.transaction.nearest(resource, hour.begin, after=after)
        return hour

    def _counts_before(self, resource: Resource, begin: int) -> bool | None:
        """Tell whether what stands directly before *begin*, an hour's, counts; None where nothing does."""

        def state_at(at: int) -> HourState | None:
            hour = resource.hours.get(at) or self.transaction.nearest(resource, at + HOUR, after=False)
            return hour.state if hour is not None and hour.begin == at else None

        known = self._answers.setdefault((resource.meter, resource.resource_id), {})
        return counts_before(begin, state_at, resource.until, known)

    def _publish(self, resource: Resource, hour: Hour, *, first: bool, held: bool) -> None:
        begin = hour.begin
        counted = hour.state.count(
            resource.meter, resource.resource_id, resource.closed_at, partial(self._counts_before, resource, begin)
        )
        for group in sorted({*counted, *hour.published}, key=_group_order):
            now, before = counted.get(group), hour.published.get(group)
            micros, digest = (0, "") if now is None else (now.micros, now.digest)
            if before is not None and (before.micros, before.digest) == (micros, digest):
                continue
            self._change(resource, hour)
            if held:
                hour.held = True
                continue
            revision = 1 if before is None else before.revision + 1
            hour.published[group] = Published(micros, revision, digest)
            self._made.append(
                partial(
                    records.usage_record,
                    meter=resource.meter,
                    unit=resource.unit,
                    resource_id=resource.resource_id,
                    hour=begin,
                    group=group,
                    counted=now,
                    before=0 if before is None else before.micros,
                    revision=revision,
                    closed_by=hour.closed_by,
                    reason="" if first else self._reason,
                    definitions=self.definitions,
                )
            )

    def _find_gaps(self, resource: Resource, hour: Hour) -> None:
        """Record the holes that end in *hour*."""
        cap, segments = resource.closed_at, hour.state.segments
        gaps: list[tuple[int, int]] = []
        if segments:
            start = segments[0].start if cap is None else min(segments[0].start, cap)
            previous = self._neighbour(resource, hour.begin, after=False)
            until = resource.covered_until
            if previous is not None:
                until = max(until or 0, previous.state.segments[-1].stop)
            if until is not None and until < start and (previous is None or previous.closed_by):
                gaps.append((until, start))
            gaps += hour.state.holes(cap)
            if (
                cap is not None
                and segments[-1].stop < cap
                and self._neighbour(resource, hour.begin, after=True) is None
            ):
                gaps.append((segments[-1].stop, cap))
        if gaps == hour.gaps:
            return
        for gap in hour.gaps:
            if gap not in gaps:
                self._make_gap(resource, gap, filled=True)
        for gap in gaps:
            if gap not in hour.gaps:
                self._make_gap(resource, gap, filled=False)
        hour.gaps = gaps
        self._change(resource, hour)

    def _make_gap(self, resource: Resource, gap: tuple[int, int], *, filled: bool) -> None:
        begin, end = gap
        self._made.append(
            partial(
                records.gap_record,
                meter=resource.meter,
                resource_id=resource.resource_id,
                begin=begin,
                end=end,
                filled=filled,
                definitions=self.definitions if self._reason == "definitions" else "",
            )
        )
        self._counts = self._counts._replace(gaps=self._counts.gaps + 1)

    def _refuse(self, period: Period, begin: int, end: int, reason: Literal["too_late", "future"]) -> None:
        self._made.append(partial(records.refusal_record, period=period, begin=begin, end=end, reason=reason))

    # --- the end -----------------------------------------------------------------------------------------------------

    def end(self) -> tuple[Counts, Progress]:
        """Store what changed, and record what was made; sequences are given in the order of commits."""
        progress = self.transaction.lock_progress()
        if progress.months != self._progress.months or progress.purged > self._horizon:
            raise AgainError  # a month was closed, or hours were forgotten that this counted on
        recorded_at = max(to_micros(self.now), progress.recorded_at + 1)
        now, sequence = to_time(recorded_at), progress.sequence
        made: list[Record] = []
        for make in self._made:
            sequence += 1
            made.append(make(now, sequence))
        usage = [record for record in made if isinstance(record, Usage)]
        closings = self._sum(usage)
        to_close = set(map(id, self.closings))
        for closing in closings:
            if closing.revision or id(closing) in to_close:
                sequence += 1
                made.append(self._closure(closing, now, sequence))
        self.transaction.save(self._resources.values(), self._changed, closings)
        if made:
            self.transaction.append(made)
        after = progress._replace(
            watermark=max(progress.watermark, self._watermark(progress)),
            recent=(*progress.recent, *self._stamps)[-RECENT:],
            purged=max(progress.purged, self.purged),
            sequence=sequence,
            recorded_at=recorded_at if made else progress.recorded_at,
            closed_through=max(progress.closed_through, self.closed_through),
        )
        if after != progress:
            self.transaction.set_progress(after)
        closures = len(made) - len(self._made)
        return self._counts._replace(usage=len(usage), closures=closures), after

    def _watermark(self, progress: Progress) -> int:
        """Return how far the input is: a quarter of its latest claims were sent up to then.

        So it takes three quarters of the senders with a clock ahead to close everybody's hours.
        """
        if not self._stamps:
            return 0
        stamps = sorted((*progress.recent, *self._stamps))
        return stamps[(len(stamps) - 1) // 4]

    def _sum(self, usage: list[Usage]) -> list[Closing]:
        """Add *usage* to the sums of its meters and hours, and return those, with those to be closed."""
        keys = {(record.meter, to_micros(record.period_start)) for record in usage}
        sums = self.transaction.closings(keys)
        for record in usage:
            closing = sums[record.meter, to_micros(record.period_start)]
            closing.count += 1
            closing.total += records.nanos_from(record.delta)
            closing.digest = records.add_to_digest(closing.digest, record)
        return [*sums.values(), *self.closings]

    @staticmethod
    def _closure(closing: Closing, now: datetime, sequence: int) -> Record:
        closing.revision += 1
        return records.closure_record(
            now,
            sequence,
            meter=closing.meter,
            hour=closing.hour,
            revision=closing.revision,
            count=closing.count,
            total=closing.total,
            digest=closing.digest,
        )


def _take(resource: Resource, claims: list[Claim]) -> list[Hour]:
    """Take *claims* in; return the hours that changed."""
    if len(claims) > 1:
        claims.sort(key=_by_end)
    hours = resource.hours
    changed: list[Hour] = []
    created, closed_at = resource.created, resource.closed_at
    for begin, end, label, message_id, closes, from_then in claims:
        at = begin - begin % HOUR if begin < end else end
        while at < end:
            hour = hours.get(at)
            if hour is None:
                hour = hours[at] = Hour(HourState(at))
            if hour.state.add(begin, end, label, message_id) and not hour.changed:
                hour.changed = True
                changed.append(hour)
            at += HOUR
        if from_then is not None and (created is None or from_then < created):
            created = from_then
        if closes and (closed_at is None or end < closed_at):
            closed_at = end
    if (created, closed_at) != (resource.created, resource.closed_at):
        resource.created, resource.closed_at = created, closed_at
        resource.changed = True
    return changed


def _by_end(claim: Claim) -> int:
    return claim.end


def _group_order(group: Group) -> tuple[str, tuple[tuple[str, str], ...]]:
    return group.project_id or "", group.dimensions


def month_of(hour: int) -> str:
    """Return the month of an hour, as ``2026-08``."""
    return to_time(hour).strftime("%Y-%m")
