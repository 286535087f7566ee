"""What a ledger keeps, and what it asks of whoever keeps it. `memory` and `sql` are the two that do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from eventdefs.metering.claims import Claim, Group
from eventdefs.metering.hours import HourState
from eventdefs.types import Record

Key = tuple[str, str]
"""Meter and resource_id."""


class Published(NamedTuple):
    """What was last recorded of a group in an hour."""

    micros: int
    revision: int
    digest: str


class Hour:
    """An hour of a resource.

    Attributes:
        state: what the claims say.
        closed_by: why it is final, '' while it is open.
        published: what was recorded, by group.
        gaps: the open gaps that end in this hour.
        held: it differs from what was recorded, and waits for approval.
        changed: it must be stored.
    """

    __slots__ = ("changed", "closed_by", "gaps", "held", "published", "state")

    def __init__(
        self,
        state: HourState,
        closed_by: str = "",
        published: dict[Group, Published] | None = None,
        gaps: list[tuple[int, int]] | None = None,
        held: bool = False,
    ) -> None:
        self.state = state
        self.closed_by = closed_by
        self.published = {} if published is None else published
        self.gaps = [] if gaps is None else gaps
        self.held = held
        self.changed = False

    @property
    def begin(self) -> int:
        return self.state.begin


class Resource:
    """A resource whose usage of a meter is counted.

    Attributes:
        meter, resource_id, unit: of its usage.
        closed_at: when it ended; nothing after that counts.
        created: the earliest time that a claim was not to begin before.
        covered_until: the end of what was covered in hours that are no longer kept.
        counted_until: whether what stood directly before that end counted.
        hours: those that were loaded, by their begin.
        number: the store's.
    """

    __slots__ = (
        "changed",
        "closed_at",
        "counted_until",
        "covered_until",
        "created",
        "hours",
        "meter",
        "number",
        "resource_id",
        "unit",
    )

    def __init__(
        self,
        meter: str,
        resource_id: str,
        unit: str,
        closed_at: int | None = None,
        created: int | None = None,
        covered_until: int | None = None,
        counted_until: bool | None = None,
        number: int = 0,
    ) -> None:
        self.meter = meter
        self.resource_id = resource_id
        self.unit = unit
        self.closed_at = closed_at
        self.created = created
        self.covered_until = covered_until
        self.counted_until = counted_until
        self.number = number
        self.hours: dict[int, Hour] = {}
        self.changed = False

    @property
    def until(self) -> tuple[int, bool | None] | None:
        """Where what is no longer kept ended, and whether it counted."""
        return None if self.covered_until is None else (self.covered_until, self.counted_until)


class Closing:
    """The sums of a meter in an hour.

    Attributes:
        revision: of the last closure record, 0 before the first.
        count, total, digest: of all usage records; the total in billionths of the unit.
    """

    __slots__ = ("count", "digest", "hour", "meter", "revision", "total")

    def __init__(
        self, meter: str, hour: int, revision: int = 0, count: int = 0, total: int = 0, digest: int = 0
    ) -> None:
        self.meter = meter
        self.hour = hour
        self.revision = revision
        self.count = count
        self.total = total
        self.digest = digest


class Progress(NamedTuple):
    """How far a ledger is.

    Attributes:
        watermark: how far its input is, in microseconds; 0 before the first claim.
        sequence: of the last record.
        recorded_at: of the last record, in microseconds.
        closed_through: the last hour that the watermark closed, 0 before the first.
        purged: hours before it are no longer kept, whatever `keep_open` says now.
        months: those that are closed, as ``2026-08``.
        recent: the timestamps of the latest claims, in the order of arrival.
    """

    watermark: int = 0
    sequence: int = 0
    recorded_at: int = 0
    closed_through: int = 0
    purged: int = 0
    months: frozenset[str] = frozenset()
    recent: tuple[int, ...] = ()


class Transaction(Protocol):
    """What a ledger does at once, all of it or nothing. What it loads is its own until the end."""

    def progress(self) -> Progress:
        """Return how far the ledger is; others may be changing it."""

    def lock_progress(self) -> Progress:
        """Return how far the ledger is, and let nobody else change it until the end."""

    def set_progress(self, progress: Progress) -> None: ...

    def resources(self, units: Mapping[Key, str]) -> dict[Key, Resource]:
        """Return the resources of these keys for oneself alone; those that are new have the unit given."""

    def load(self, wanted: Sequence[tuple[Resource, Sequence[Claim]]]) -> None:
        """Put the hours that these claims touch into their resources, which are one's own already."""

    def load_from(self, resource: Resource, begin: int) -> None:
        """Put all hours from *begin* on into *resource*, and all that are open."""

    def nearest(self, resource: Resource, begin: int, *, after: bool) -> Hour | None:
        """Return the hour next before or after the one that begins at *begin*; it is in the resource then."""

    def due(self, through: int, most: int) -> list[Resource]:
        """Return resources for oneself that have open hours up to *through*, with these hours loaded."""

    def held(self, begin: int, end: int, most: int) -> list[Resource]:
        """Return resources for oneself that have held hours in a span, with these hours loaded."""

    def closings(self, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], Closing]:
        """Return the sums of these meters and hours; those that are new are empty."""

    def unclosed(self, through: int, most: int) -> list[Closing]:
        """Return sums of hours up to *through* that have no closure record."""

    def save(
        self,
        resources: Collection[Resource],
        hours: Sequence[tuple[Resource, Hour]],
        closings: Collection[Closing],
    ) -> None:
        """Store what changed of *resources*, and *hours* and *closings*."""

    def append(self, records: Sequence[Record]) -> None:
        """Keep *records*, and put them into the outbox; a gap or refusal that is there already is left out."""

    def old(self, before: int, most: int) -> list[Resource]:
        """Return resources for oneself that have hours before *before*, neither open nor held, with these loaded."""

    def forget(self, resources: Collection[Resource], before: int, long_before: int) -> None:
        """Forget what `old` gave of *resources*, and of them those that ended or were covered *long_before*."""


class Query(NamedTuple):
    """Which records are asked for. None is no condition."""

    kinds: tuple[str, ...] = ("usage",)
    meter: str | None = None
    resource_id: str | None = None
    project_id: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    through: int | None = None
    """The last sequence."""


class Store(Protocol):
    """Keeps a ledger. Several processes may have one at the same time, where it is a database."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction; it is committed at the end, or undone if that raises.

        Raises:
            RetryableDeliveryError: the store cannot be reached, or is busy; nothing was done.
        """

    def pending(self, most: int, after: int = 0) -> list[Record]:
        """Return what waits in the outbox with a sequence above *after*, oldest first."""

    def confirm(self, records: Sequence[Record]) -> None:
        """Take *records* out of the outbox: every publisher has them."""

    def records(self, query: Query) -> Iterator[Record]:
        """Yield records in the order of their sequence; a query's begin and end are about their hour or begin."""

    def sequence_at(self, time: datetime) -> int:
        """Return the sequence of the last record up to *time*; later ones will be recorded after it, for ever."""

    def progress(self) -> Progress:
        """Return how far the ledger is."""

    def resource(self, meter: str, resource_id: str) -> Resource | None:
        """Return a resource with all its hours, to be looked at."""

    def all_resources(self) -> Iterator[Resource]:
        """Yield all resources without their hours, to be looked at."""

    def close(self) -> None: ...


class AgainError(Exception):
    """What a transaction relied on has changed; it is done again."""
