"""`memory://` keeps what it is given: for tests, and for a service that looks at its own events."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from eventdefs.publishers import Batch, Delivered, PublisherURL
from eventdefs.types import Event, Period, Record, Sample


class MemoryOptions(msgspec.Struct, frozen=True):
    """`memory://` has no options."""


class MemoryPublisher:
    """Keeps each event, sample, period and record once.

    Attributes:
        events, samples, periods, records: in the order in which they first came.
    """

    Options: ClassVar[type[msgspec.Struct]] = MemoryOptions

    def __init__(self, url: PublisherURL, options: MemoryOptions) -> None:
        self._events: dict[tuple[str | None, str], Event] = {}
        self._samples: dict[str, Sample] = {}
        self._periods: dict[str, Period] = {}
        self._records: dict[str, Record] = {}

    @property
    def events(self) -> list[Event]:
        return list(self._events.values())

    @property
    def samples(self) -> list[Sample]:
        return list(self._samples.values())

    @property
    def periods(self) -> list[Period]:
        return list(self._periods.values())

    @property
    def records(self) -> list[Record]:
        return list(self._records.values())

    def publish(self, batch: Batch) -> Delivered:
        before = self._count()
        for event in batch.events:
            self._events.setdefault((event.tenant, event.message_id), event)
        for sample in batch.samples:
            self._samples.setdefault(sample.id, sample)
        for period in batch.periods:
            self._periods.setdefault(period.id, period)
        for record in batch.records:
            self._records.setdefault(record.id, record)
        return Delivered(len(batch), len(batch) - (self._count() - before))

    def _count(self) -> int:
        return len(self._events) + len(self._samples) + len(self._periods) + len(self._records)

    def check(self) -> None:
        """There is nothing that could be wrong."""

    def close(self) -> None:
        """Nothing waits."""
