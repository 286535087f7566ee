"""`memory://` keeps what it is given: for tests, and for a service that looks at its own events."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from eventdefs.publishers import Batch, Delivered, PublisherURL
from eventdefs.types import Event, Identity, Item, Period, Record, Sample, identity_of


class MemoryOptions(msgspec.Struct, frozen=True):
    """`memory://` has no options."""


class MemoryPublisher:
    """Keeps each event, sample, period and record once.

    Attributes:
        events, samples, periods, records: in the order in which they first came.
    """

    Options: ClassVar[type[msgspec.Struct]] = MemoryOptions

    def __init__(self, url: PublisherURL, options: MemoryOptions) -> None:
        self._items: dict[Identity, Item] = {}

    @property
    def events(self) -> list[Event]:
        return [item for item in self._items.values() if isinstance(item, Event)]

    @property
    def samples(self) -> list[Sample]:
        return [item for item in self._items.values() if isinstance(item, Sample)]

    @property
    def periods(self) -> list[Period]:
        return [item for item in self._items.values() if isinstance(item, Period)]

    @property
    def records(self) -> list[Record]:
        return [item for item in self._items.values() if isinstance(item, Record)]

    def publish(self, batch: Batch) -> Delivered:
        before = len(self._items)
        for item in batch:
            if batch.replace:
                self._items[identity_of(item)] = item
            else:
                self._items.setdefault(identity_of(item), item)
        return Delivered(len(batch), len(batch) - (len(self._items) - before))

    def check(self) -> None:
        """There is nothing that could be wrong."""

    def close(self) -> None:
        """Nothing waits."""
