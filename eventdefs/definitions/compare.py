"""What two sets of definitions make of the same notifications: each kind of difference, counted, with examples.

Bounded however many notifications are compared: senders choose event types, names and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from eventdefs.definitions.registry import Definitions
from eventdefs.times import utc_text
from eventdefs.types import Conversion, Event, Notification, Place, Problem, Sample, TraitType, excerpt

MAX_CHANGES = 10_000
EXAMPLES = 3
KINDS = ("event", "definition", "tenant", "trait", "sample", "problem")
"""Kinds of change, in the order in which they are told."""
_ATTRIBUTES = ("volume", "unit", "type", "resource_id", "project_id", "user_id", "timestamp", "metadata")


class Example(NamedTuple):
    """One notification with a change: which, where it stood, and what the old and the new definitions give."""

    message_id: str
    event_type: str
    place: Place
    old: str
    new: str


class Change(NamedTuple):
    """What is different, and how often.

    Attributes:
        kind: one of `KINDS`.
        subject: of a trait, and of its problem, the patterns of the definition that has it; of a sample, and of its
            problem, ''; of the others the event type.
        name: of the trait, the meter or the problem; '' for an event.
        what: `gained`, `lost`, or what of it is another: `value`, `type`, `volume` and the like.
    """

    kind: str
    subject: str
    name: str
    what: str


class Found(NamedTuple):
    """A change, how many notifications have it, and some of them."""

    change: Change
    notifications: int
    examples: tuple[Example, ...]


class ConversionComparison:
    """Compares two sets of definitions, notification by notification.

    Attributes:
        notifications: how many were compared.
        changed: how many of them come out otherwise.
    """

    def __init__(self, old: Definitions, new: Definitions) -> None:
        self.old = old
        self.new = new
        self.notifications = 0
        self.changed = 0
        self._counts: dict[Change, int] = {}
        self._examples: dict[Change, list[Example]] = {}

    def add(self, notification: Notification, place: Place) -> tuple[Conversion, Conversion]:
        """Compare what becomes of *notification*, which stood at *place*; return both conversions."""
        before, after = self.old.convert(notification), self.new.convert(notification)
        self.notifications += 1
        changes = list(_changes(notification, before, after))
        self.changed += bool(changes) or before.periods != after.periods
        for change, old, new in changes:
            if change not in self._counts and len(self._counts) >= MAX_CHANGES:
                change = Change(change.kind, "...", "...", change.what)
            self._counts[change] = self._counts.get(change, 0) + 1
            examples = self._examples.setdefault(change, [])
            if len(examples) < EXAMPLES:
                examples.append(
                    Example(notification.message_id, notification.event_type, place, _shown(old), _shown(new))
                )
        return before, after

    def found(self) -> list[Found]:
        """Return what is different, by kind, and of each the most frequent first."""
        changes = sorted(self._counts, key=lambda change: (KINDS.index(change.kind), -self._counts[change], change))
        return [Found(change, self._counts[change], tuple(self._examples[change])) for change in changes]


def _shown(value: Any) -> str:
    return excerpt(utc_text(value) if isinstance(value, datetime) else value)


def _changes(notification: Notification, before: Conversion, after: Conversion) -> Iterator[tuple[Change, Any, Any]]:
    kind = notification.event_type
    if before.event is None and after.event is not None:
        yield Change("event", kind, "", "gained"), _why_none(before), after.event.event_type
    elif before.event is not None and after.event is None:
        yield Change("event", kind, "", "lost"), before.event.event_type, _why_none(after)
    elif before.event is not None and after.event is not None:
        old_name, new_name = (str(conversion.definition or "") for conversion in (before, after))
        if old_name != new_name:
            yield Change("definition", kind, "", "another applies"), old_name, new_name
        if before.event.tenant != after.event.tenant:
            yield Change("tenant", kind, "", "value"), before.event.tenant, after.event.tenant
        for name, what, old, new in _traits(before.event, after.event):
            yield Change("trait", new_name, name, what), old, new
    for name, what, old, new in _samples(before.samples, after.samples):
        yield Change("sample", "", name, what), old, new
    gone, come = ({_key(problem): problem for problem in one.problems} for one in (before, after))
    for key in gone.keys() - come.keys():
        yield Change("problem", _where(key, before), " ".join(key), "lost"), gone[key].value, None
    for key in come.keys() - gone.keys():
        yield Change("problem", _where(key, after), " ".join(key), "gained"), None, come[key].value


def _where(key: tuple[str, str, str], conversion: Conversion) -> str:
    return str(conversion.definition or "") if key[0] == "trait" else ""


def _why_none(conversion: Conversion) -> str:
    if conversion.rejected:
        return "rejected: " + ", ".join(problem.name for problem in conversion.problems)
    return "no definition" if conversion.definition is None else "the priority is not wanted"


def _key(problem: Problem) -> tuple[str, str, str]:
    return problem.kind, problem.name, problem.reason.partition(":")[0]


def _traits(before: Event, after: Event) -> Iterator[tuple[str, str, Any, Any]]:
    for name in (*before.traits, *(name for name in after.traits if name not in before.traits)):
        old, new = before.traits.get(name), after.traits.get(name)
        if new is None:
            yield name, "lost", old, None
        elif old is None:
            yield name, "gained", None, new
        elif type(old) is not type(new):
            yield name, "type", f"{TraitType.of(old).word} {_shown(old)}", f"{TraitType.of(new).word} {_shown(new)}"
        elif old != new and not (old != old and new != new):
            yield name, "value", old, new


def _samples(before: Sequence[Sample], after: Sequence[Sample]) -> Iterator[tuple[str, str, Any, Any]]:
    old, new = _by_meter(before), _by_meter(after)
    for key in (*old, *(key for key in new if key not in old)):
        one, other = old.get(key), new.get(key)
        if other is None and one is not None:
            yield key[0], "lost", f"{one.volume} {one.unit}", None
        elif one is None and other is not None:
            yield key[0], "gained", None, f"{other.volume} {other.unit}"
        elif one is not None and other is not None:
            for attribute in _ATTRIBUTES:
                values = getattr(one, attribute), getattr(other, attribute)
                if values[0] != values[1] or type(values[0]) is not type(values[1]):
                    yield key[0], attribute, *values


def _by_meter(samples: Sequence[Sample]) -> Mapping[tuple[str, int], Sample]:
    """Return *samples* by their meter, and by their number among those of the meter."""
    found: dict[tuple[str, int], Sample] = {}
    counts: dict[str, int] = {}
    for sample in samples:
        name = str(sample.name)
        number = counts.get(name, 0)
        counts[name] = number + 1
        found[name, number] = sample
    return found
