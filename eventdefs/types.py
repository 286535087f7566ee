"""What flows through eventdefs: small values that do not change.

Nothing in this module reads a clock, a file or the environment. Every datetime is aware and in UTC.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from eventdefs.times import parse_time

TraitValue = str | int | float | datetime


class Place(NamedTuple):
    """Where something stands that an operator wrote. Lines and columns count from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])


class Notification(msgspec.Struct, frozen=True):
    """A message received, its envelope opened.

    Attributes:
        message_id: the sender's id of the message; an event keeps it.
        event_type: for example ``compute.instance.create.end``.
        publisher_id: who sent it, ``service.host`` by custom; None where the sender left it out.
        priority: in lower case, ``info`` unless the sender said otherwise.
        timestamp: when it was sent.
        body: the mapping that paths see: ``ctxt``, ``publisher_id``, ``event_type``, ``payload``,
            ``metadata`` (``message_id`` and ``timestamp`` as received) and ``priority``.
    """

    message_id: str
    event_type: str
    publisher_id: str | None
    priority: str
    timestamp: datetime
    body: Mapping[str, Any]


NO_TYPES: Mapping[str, str] = {}
"""Of traits that all show their type in JSON, where that is known already. Never changed."""


def hidden_types(traits: Mapping[str, TraitValue]) -> Mapping[str, str]:
    """Return the type of those *traits* whose type JSON does not show: times, and floats that are not finite."""
    return {
        name: "datetime" if isinstance(value, datetime) else "float"
        for name, value in traits.items()
        if isinstance(value, datetime) or (isinstance(value, float) and not math.isfinite(value))
    }


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="event"):
    """A converted notification.

    Attributes:
        message_id: the notification's; an event is unique by (tenant, message_id).
        event_type: the notification's.
        generated: when the notification was sent.
        tenant: the project that owns what the event is about, None where nobody does.
        priority: the notification's, in lower case.
        publisher_id: the notification's.
        traits: typed values by name, in the order of the definition. A trait's type is its Python type.
        types: the type of those traits whose type JSON does not show: times, and floats that are not finite. It
            follows from `traits` and need not be given.
        raw: the notification's body where ``store_raw`` asks for it, else empty.
    """

    message_id: str
    event_type: str
    generated: datetime
    tenant: str | None
    priority: str
    publisher_id: str | None
    traits: dict[str, TraitValue]
    types: Mapping[str, str] = {}
    raw: Mapping[str, Any] = {}

    def __post_init__(self) -> None:
        if not self.types and self.types is not NO_TYPES:
            msgspec.structs.force_setattr(self, "types", hidden_types(self.traits))


class Sample(msgspec.Struct, frozen=True, tag_field="kind", tag="sample"):
    """One measurement derived from a notification.

    Attributes:
        name: the meter.
        type: ``gauge``, ``delta`` or ``cumulative``.
        unit: as the definition says, for example ``GB``.
        volume: a finite number.
        resource_id, project_id, user_id: as the notification has them, which is text but for odd payloads; None
            where it does not say.
        timestamp: when it was measured.
        metadata: what the definition keeps about the resource.
        id: the same for the same notification, meter and resource, however often it is derived.
    """

    name: str
    type: str
    unit: str
    volume: int | float
    resource_id: Any
    project_id: Any
    user_id: Any
    timestamp: datetime
    metadata: Mapping[str, Any]
    id: str


class Period(msgspec.Struct, frozen=True, tag_field="kind", tag="period"):
    """A claim that something ran from `begin` to `end`, to be counted once however often it is repeated.

    Attributes:
        meter, unit: what is counted.
        resource_id: what ran.
        begin, end: the half-open interval that is claimed.
        not_before: nothing before it counts (when the resource was created or launched), None without a bound.
        timestamp: of the notification; nothing after it can have been observed.
        dimensions: what splits the usage, for example the flavour.
        message_id: the notification that claims.
        id: the same for the same notification, meter and resource.
        not_after: nothing after it counts, None without a bound.
        status: `running` is counted; `idle` says that it was there and is not to be counted; `ending` that it is gone
            at the end of the claim, and counts where what was before it counts.
    """

    meter: str
    unit: str
    resource_id: str
    project_id: str | None
    user_id: str | None
    begin: datetime
    end: datetime
    not_before: datetime | None
    timestamp: datetime
    dimensions: Mapping[str, str]
    message_id: str
    id: str
    not_after: datetime | None = None
    status: Literal["running", "idle", "ending"] = "running"


class Evidence(msgspec.Struct, frozen=True):
    """What a usage record rests on.

    Attributes:
        claims: how many claims own time in it; repetitions are not counted.
        witnesses: the message_ids of the first and the last notification of them.
        digest: of the spans that were counted; equal spans have equal digests, in any order of arrival.
        definitions: the fingerprint of the definitions that made the claims, '' where it is not known.
    """

    claims: int
    witnesses: tuple[str, ...]
    digest: str
    definitions: str


class Usage(msgspec.Struct, frozen=True, tag_field="kind", tag="usage"):
    """How long a resource ran in an hour, with one set of dimensions, for one project. It can be billed.

    Attributes:
        id: uuid5 of meter, resource, period, dimensions, project and revision.
        meter, unit, resource_id, project_id, dimensions: what ran, for whom, and what it was.
        period_start, period_end: the hour, in UTC.
        timestamp: a millisecond before the end, so that no system counts it to the next hour.
        quantity: in `unit`, decimal text of at most 9 digits after the point; absolute as of this revision.
        delta: what this revision adds to the one before; the deltas of all revisions are the quantity.
        seconds: the same as `quantity`, exact.
        revision: from 1; a later one replaces the one before.
        supersedes: the id of the record before, None of the first.
        state: `final` at first, `corrected` after that.
        closed_by: why the hour was final: `coverage`, `deletion`, `watermark` or `end_of_input`.
        reason: why a correction was made: `late`, `deletion`, `definitions` or `approved`; '' of the first.
        recorded_at: when it was recorded; never before that of a lower sequence.
        sequence: grows in the order in which records were committed.
    """

    id: str
    meter: str
    unit: str
    resource_id: str
    project_id: str | None
    dimensions: Mapping[str, str]
    period_start: datetime
    period_end: datetime
    timestamp: datetime
    quantity: str
    delta: str
    seconds: str
    revision: int
    supersedes: str | None
    state: Literal["final", "corrected"]
    closed_by: str
    reason: str
    evidence: Evidence
    recorded_at: datetime
    sequence: int


class Gap(msgspec.Struct, frozen=True, tag_field="kind", tag="gap"):
    """A hole between the claims of a resource: nobody says whether it ran. It is never filled in silence.

    Attributes:
        begin, end: the hole.
        state: `open`, or `filled` when later claims covered it, all or in part.
    """

    id: str
    meter: str
    resource_id: str
    begin: datetime
    end: datetime
    state: Literal["open", "filled"]
    recorded_at: datetime
    sequence: int


class Refusal(msgspec.Struct, frozen=True, tag_field="kind", tag="refusal"):
    """A claim, or the part of one, that was not counted.

    Attributes:
        begin, end: the part that was refused.
        reason: `too_late`, for hours that are no longer kept open; `future`, of a notification dated more than a day
            ahead of the clock.
    """

    id: str
    meter: str
    resource_id: str
    project_id: str | None
    begin: datetime
    end: datetime
    message_id: str
    reason: Literal["too_late", "future"]
    recorded_at: datetime
    sequence: int


class Closure(msgspec.Struct, frozen=True, tag_field="kind", tag="closure"):
    """All that was recorded of a meter in an hour, so that a consumer can prove that it has everything.

    Attributes:
        period_start, period_end: the hour.
        revision: from 1; corrections of the hour make the next.
        count: how many usage records there are of this meter and hour, all revisions counted.
        quantity: the sum of their deltas.
        digest: the sum of the SHA-256 of their ids and deltas, see `metering.records.digest_of`.
    """

    id: str
    meter: str
    period_start: datetime
    period_end: datetime
    revision: int
    count: int
    quantity: str
    digest: str
    recorded_at: datetime
    sequence: int


Record = Usage | Gap | Refusal | Closure
"""What a ledger records."""


def kind_of(item: Event | Sample | Period | Record) -> str:
    """Return the word that stands under `kind` where *item* is written."""
    return str(item.__struct_config__.tag)


def begin_of(record: Record) -> datetime:
    """Return when what *record* is about begins."""
    return record.period_start if isinstance(record, (Usage, Closure)) else record.begin


Item = Event | Sample | Period | Record
"""One thing that is published."""

Identity = tuple[str, str] | tuple[str, str, str]


def identity_of(item: Item) -> Identity:
    """Return what *item* is known by in every store: an event by tenant and message_id, all else by kind and id."""
    if isinstance(item, Event):
        return "event", item.tenant or "", item.message_id
    return kind_of(item), item.id


class Batch:
    """What is published together: events, samples, periods, and records of usage.

    Attributes:
        events, samples, periods, records: what is published, each in its order.
        origins: the notifications that the items came from, by identity, as far as they are at hand: what a target
            refuses is dead-lettered with its origin.
        replace: whether a store takes these values instead of those that it has, as a replay may ask for.
    """

    __slots__ = ("events", "origins", "periods", "records", "replace", "samples")

    def __init__(
        self,
        events: Sequence[Event] = (),
        samples: Sequence[Sample] = (),
        periods: Sequence[Period] = (),
        records: Sequence[Record] = (),
        *,
        origins: Mapping[Identity, Notification] = {},
        replace: bool = False,
    ) -> None:
        self.events = events
        self.samples = samples
        self.periods = periods
        self.records = records
        self.origins = origins
        self.replace = replace

    def __len__(self) -> int:
        return len(self.events) + len(self.samples) + len(self.periods) + len(self.records)

    def __iter__(self) -> Iterator[Item]:
        yield from self.events
        yield from self.samples
        yield from self.periods
        yield from self.records

    def part(self, items: Iterable[Item]) -> Batch:
        """Return a batch of *items*, which are some of this one's, in their order."""
        events: list[Event] = []
        samples: list[Sample] = []
        periods: list[Period] = []
        records: list[Record] = []
        for item in items:
            if isinstance(item, Event):
                events.append(item)
            elif isinstance(item, Sample):
                samples.append(item)
            elif isinstance(item, Period):
                periods.append(item)
            else:
                records.append(item)
        return Batch(events, samples, periods, records, origins=self.origins, replace=self.replace)


class Delivered(NamedTuple):
    """What became of a batch.

    Attributes:
        published: how many items are in the target now.
        duplicates: how many of them were there already.
        dead_lettered: how many more the target refuses, which can be read again as dead letters.
    """

    published: int
    duplicates: int = 0
    dead_lettered: int = 0

    def plus(self, other: Delivered) -> Delivered:
        return Delivered(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Refused(NamedTuple):
    """An item that a target will never accept, and why not."""

    item: Item
    reason: str


class Problem(msgspec.Struct, frozen=True):
    """What could not be read of a notification. A value: it travels beside the result.

    Attributes:
        kind: of what it is: a trait, a sample or a period.
        name: the trait, or the meter and its attribute (``volume.size.volume``).
        path: the path whose value it is about, '' where there is none.
        value: an excerpt of what was found, '' for nothing.
        reason: what is wrong, in words.
        place: where the definition stands.
    """

    kind: Literal["trait", "sample", "period"]
    name: str
    path: str
    value: str
    reason: str
    place: Place


EXCERPT, REASON = 120, 300
"""How many characters of a value and of a reason a problem quotes."""


def excerpt(value: Any, length: int = EXCERPT) -> str:
    """Return *value* as a problem quotes it, '' for nothing."""
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError) as error:
        return f"<{type(value).__name__}: {error}>"
    return text if len(text) <= length else text[: length - 1] + "…"


class DefinitionRef(msgspec.Struct, frozen=True):
    """Names the event definition that applied: its patterns as written and its place."""

    patterns: tuple[str, ...]
    place: Place
    description: str = ""
    implicit: bool = False
    """True for the catch-all that is added where no definition is one."""

    def __str__(self) -> str:
        return " ".join(self.patterns)


class Conversion(msgspec.Struct, frozen=True):
    """All that definitions make of one notification.

    Attributes:
        event: None where no definition applies, the priority is not wanted, or the notification was rejected.
        samples, periods: in the order of the definitions.
        problems: what could not be read.
        definition: the event definition that applied, None without one.
        rejected: a required trait was missing or one with ``on_error: reject`` failed: neither event nor samples.
    """

    event: Event | None = None
    samples: tuple[Sample, ...] = ()
    periods: tuple[Period, ...] = ()
    problems: tuple[Problem, ...] = ()
    definition: DefinitionRef | None = None
    rejected: bool = False

    @property
    def unmatched(self) -> bool:
        """Whether no definition that somebody wrote applied to the event type."""
        return self.definition is None or self.definition.implicit


def to_text(value: Any) -> str:
    """Return *value* as the text that a trait keeps."""
    return value.decode() if isinstance(value, bytes) else str(value)


class TraitType(enum.Enum):
    """The types of traits: the word in YAML, the code in Ceilometer's formats, the Python type, the coercion.

    A coercion raises ValueError, TypeError or OverflowError for what it cannot read.
    """

    TEXT = ("text", 1, str, to_text)
    INT = ("int", 2, int, int)
    FLOAT = ("float", 3, float, float)
    DATETIME = ("datetime", 4, datetime, parse_time)

    def __init__(self, word: str, code: int, python: type, coerce: Callable[[Any], TraitValue]) -> None:
        self.word = word
        self.code = code
        self.python = python
        self.coerce = coerce

    @classmethod
    def of(cls, value: TraitValue) -> TraitType:
        """Return the type that *value* has."""
        return _TYPE_OF[type(value)]


_TYPE_OF = {row.python: row for row in TraitType}
DEFAULT_TRAITS = ("service", "request_id", "project_id", "user_id", "tenant_id")
"""Traits that every event has where its notification says them: who sent it, and who acted."""
TRAIT_TYPES = {row.word: row for row in TraitType}
SAMPLE_TYPES = ("gauge", "delta", "cumulative")
