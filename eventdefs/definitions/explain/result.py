"""What an explanation says: values, ready to be shown or written as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from eventdefs.types import DefinitionRef, Event, Period, Place, Problem, Sample, TraitValue

Outcome = Literal["value", "missing", "problem"]


class PathTrace(msgspec.Struct, frozen=True):
    """What one path met in a notification.

    Attributes:
        path, place: as written, and where.
        found: whether it gives a value that is not null.
        value: an excerpt of the first value; lists and mappings as text.
        reason: why there is none, in words, with some of the keys that are there; '' where there is one.
        failed_step: the step that finds nothing or fails, '' where none does.
        at: the path up to that step, as far as it went; '' for the notification itself.
        keys: what keys are there instead, at most `KEYS` of them.
        near: a path that finds a value and was perhaps meant, '' where none is known.
        count: how many values it finds, nulls not counted.
        tried: whether it was looked at; after the first path with a value the others are not.
        cause: the reason without the keys.
    """

    path: str
    place: Place
    found: bool
    value: Any = None
    reason: str = ""
    failed_step: str = ""
    at: str = ""
    keys: tuple[str, ...] = ()
    near: str = ""
    count: int = 0
    tried: bool = True
    cause: str = ""


class TraitExplanation(msgspec.Struct, frozen=True):
    """Where a trait comes from, or why it is not there.

    Attributes:
        type: the word in YAML.
        written: whether the definition writes it; else it is a default trait.
        paths: what each of them met.
        plugin: the name of the plugin that makes the value of what the paths find, '' without one.
        constant: where the definition has the value itself; None without one.
        outcome: `value`, `missing` (nothing was found, which is no fault), or `problem`.
        value: the event's.
        reason: why there is none.
        used: which of the paths, counted from 0, gave the value, or gave what could not be read.
        required: whether the notification is rejected without it.
        on_error: what happens to what cannot be read: `drop` the trait or `reject` the notification.
    """

    name: str
    type: str
    place: Place
    written: bool
    paths: tuple[PathTrace, ...]
    plugin: str
    constant: Any
    outcome: Outcome
    value: TraitValue | None = None
    reason: str = ""
    used: int | None = None
    required: bool = False
    on_error: str = "drop"
    description: str = ""


class Overridden(msgspec.Struct, frozen=True):
    """An event definition that names the event type and does not apply.

    Attributes:
        glob: the one of its patterns that matches.
        why: a later definition matches too, or a pattern with `!` excludes the event type.
    """

    patterns: tuple[str, ...]
    place: Place
    glob: str
    why: str


class Near(msgspec.Struct, frozen=True):
    """An event definition that nearly matches, where none does.

    Attributes:
        place: of the pattern.
        why: what is different.
    """

    glob: str
    place: Place
    why: str


class AttributeExplanation(msgspec.Struct, frozen=True):
    """Where an attribute of samples or of a period comes from, or why it is not there.

    Attributes:
        name: `volume`, `metadata.display_name`, `begin`.
        constant: a number, or the text that stands for itself; None without one.
        value: what was read; of a definition with `lookup` the values of all samples.
    """

    name: str
    place: Place
    paths: tuple[PathTrace, ...]
    plugin: str
    constant: Any
    outcome: Outcome
    value: Any = None
    reason: str = ""


class SampleExplanation(msgspec.Struct, frozen=True):
    """What a sample definition that applies to the event type makes of a notification.

    Attributes:
        name: the meter as written.
        kind: `period` where it claims periods instead of giving samples.
        pattern: the regular expression that matches.
        outcome: `given`, `none`, or `problem`, which may be beside samples that were given.
        samples, periods: what it gave.
        reason: why it gave nothing, or what is wrong.
    """

    name: str
    place: Place
    kind: Literal["sample", "period"]
    pattern: str
    outcome: Literal["given", "none", "problem"]
    attributes: tuple[AttributeExplanation, ...]
    samples: tuple[Sample, ...] = ()
    periods: tuple[Period, ...] = ()
    reason: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """Why a notification gives what it gives.

    Attributes:
        definition: the event definition that applies, None without one.
        glob, glob_place: the one of its patterns that matches.
        overridden: other definitions that name the event type.
        near: definitions that nearly do, where none applies or only the catch-all that nobody wrote.
        tenant: the event's, None where nobody owns what it is about.
        tenant_path: where the tenant was found: `trait project_id`, `payload.tenant_id`.
        traits: in the order of the definition. Of a notification without an event: as they would be.
        samples: of each sample definition that applies to the event type.
        event: None where there is none.
        no_event: why there is none; '' where there is one.
        problems: the conversion's.
        refused: the traits for which the notification was rejected.
    """

    message_id: str
    event_type: str
    priority: str
    publisher_id: str | None
    timestamp: datetime
    definition: DefinitionRef | None
    glob: str
    glob_place: Place | None
    overridden: tuple[Overridden, ...]
    near: tuple[Near, ...]
    tenant: str | None
    tenant_path: str
    traits: tuple[TraitExplanation, ...]
    samples: tuple[SampleExplanation, ...]
    event: Event | None
    no_event: str
    problems: tuple[Problem, ...]
    refused: tuple[str, ...]


class Source(msgspec.Struct, frozen=True):
    """Where a trait or an attribute would be read: its paths as written, or a constant.

    Attributes:
        type: of a trait the word in YAML, else ''.
    """

    name: str
    type: str
    place: Place
    paths: tuple[str, ...]
    plugin: str
    constant: Any


class MeterPlan(msgspec.Struct, frozen=True):
    """A sample definition that applies to an event type."""

    name: str
    place: Place
    kind: Literal["sample", "period"]
    pattern: str
    attributes: tuple[Source, ...]


class Plan(msgspec.Struct, frozen=True):
    """Which definitions apply to an event type, without a notification. The attributes are those of `Explanation`."""

    event_type: str
    definition: DefinitionRef | None
    glob: str
    glob_place: Place | None
    overridden: tuple[Overridden, ...]
    near: tuple[Near, ...]
    traits: tuple[Source, ...]
    samples: tuple[MeterPlan, ...]
