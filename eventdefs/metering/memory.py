"""Keeps a ledger in the memory of one process: for a look, for tests, and as the fast one."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

from eventdefs.metering.claims import Claim, to_micros
from eventdefs.metering.store import Closing, Hour, Key, Progress, Query, Resource, Transaction
from eventdefs.types import Gap, Record, Refusal, begin_of, kind_of


class MemoryStore:
    """Keeps everything in dictionaries. What fails half-way is not undone: only a lack of memory fails here."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._progress = Progress()
        self._resources: dict[Key, Resource] = {}
        self._open: dict[Key, set[int]] = {}
        self._held: dict[Key, set[int]] = {}
        self._closings: dict[tuple[str, int], Closing] = {}
        self._unclosed: set[tuple[str, int]] = set()
        self._records: list[Record] = []
        self._outbox: deque[Record] = deque()
        self._repeatable: set[str] = set()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._lock:
            yield self

    # --- the transaction -------------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        return self._progress

    lock_progress = progress

    def set_progress(self, progress: Progress) -> None:
        self._progress = progress

    def resources(self, units: Mapping[Key, str]) -> dict[Key, Resource]:
        found = {}
        for key, unit in units.items():
            resource = self._resources.get(key)
            if resource is None:
                resource = self._resources[key] = Resource(*key, unit)
            found[key] = resource
        return found

    def load(self, wanted: Sequence[tuple[Resource, Sequence[Claim]]]) -> None:
        """All is loaded, always."""

    def load_from(self, resource: Resource, begin: int) -> None:
        """All is loaded, always."""

    def nearest(self, resource: Resource, begin: int, *, after: bool) -> Hour | None:
        if after:
            found = min((hour for hour in resource.hours if hour > begin), default=None)
        else:
            found = max((hour for hour in resource.hours if hour < begin), default=None)
        return None if found is None else resource.hours[found]

    def due(self, through: int, most: int) -> list[Resource]:
        keys = [key for key, hours in self._open.items() if min(hours) <= through]
        return [self._resources[key] for key in keys]

    def held(self, begin: int, end: int, most: int) -> list[Resource]:
        return [self._resources[key] for key, hours in self._held.items() if any(begin <= hour < end for hour in hours)]

    def closings(self, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], Closing]:
        return {key: self._closings.get(key) or Closing(*key) for key in keys}

    def unclosed(self, through: int, most: int) -> list[Closing]:
        return [self._closings[key] for key in sorted(self._unclosed) if key[1] <= through][:most]

    def save(
        self,
        resources: Collection[Resource],
        hours: Sequence[tuple[Resource, Hour]],
        closings: Collection[Closing],
    ) -> None:
        for resource, hour in hours:
            hour.changed = False
            key = (resource.meter, resource.resource_id)
            _note(self._open, key, hour.begin, not hour.closed_by)
            _note(self._held, key, hour.begin, hour.held)
        for closing in closings:
            where = (closing.meter, closing.hour)
            self._closings[where] = closing
            (self._unclosed.discard if closing.revision else self._unclosed.add)(where)

    def append(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, (Gap, Refusal)):
                if record.id in self._repeatable:
                    continue
                self._repeatable.add(record.id)
            self._records.append(record)
            self._outbox.append(record)

    def old(self, before: int, most: int) -> list[Resource]:
        found = (one for one in self._resources.values() if any(_is_old(hour, before) for hour in one.hours.values()))
        return list(islice(found, most))

    def forget(self, resources: Collection[Resource], before: int, long_before: int) -> None:
        for resource in resources:
            for begin in [begin for begin, hour in resource.hours.items() if _is_old(hour, before)]:
                del resource.hours[begin]
        for key, one in list(self._resources.items()):
            ended = max(one.closed_at or 0, one.covered_until or 0)
            if not one.hours and 0 < ended < long_before:
                del self._resources[key]

    # --- the store ---------------------------------------------------------------------------------------------------

    def pending(self, most: int, after: int = 0) -> list[Record]:
        with self._lock:
            return list(islice((record for record in self._outbox if record.sequence > after), most))

    def confirm(self, records: Sequence[Record]) -> None:
        done = {record.sequence for record in records}
        with self._lock:
            while self._outbox and self._outbox[0].sequence in done:
                self._outbox.popleft()

    def records(self, query: Query) -> Iterator[Record]:
        return (record for record in list(self._records) if _asked(record, query))

    def sequence_at(self, time: datetime) -> int:
        with self._lock:
            self._progress = self._progress._replace(recorded_at=max(self._progress.recorded_at, to_micros(time)))
            count = bisect_right(self._records, time, key=lambda record: record.recorded_at)
            return self._records[count - 1].sequence if count else 0

    def resource(self, meter: str, resource_id: str) -> Resource | None:
        return self._resources.get((meter, resource_id))

    def all_resources(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))

    def close(self) -> None:
        """There is nothing to let go."""


def _is_old(hour: Hour, before: int) -> bool:
    return hour.begin < before and bool(hour.closed_by) and not hour.held


def _note(index: dict[Key, set[int]], key: Key, hour: int, there: bool) -> None:
    hours = index.get(key)
    if there:
        if hours is None:
            index[key] = {hour}
        else:
            hours.add(hour)
    elif hours is not None:
        hours.discard(hour)
        if not hours:
            del index[key]


def _asked(record: Record, query: Query) -> bool:
    begin = begin_of(record)
    return (
        kind_of(record) in query.kinds
        and query.meter in (None, record.meter)
        and query.resource_id in (None, getattr(record, "resource_id", None))
        and query.project_id in (None, getattr(record, "project_id", None))
        and (query.begin is None or begin >= query.begin)
        and (query.end is None or begin < query.end)
        and (query.through is None or record.sequence <= query.through)
    )
