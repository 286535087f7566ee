"""Why a notification gives what it gives: the definition that applies, each trait, sample and period, the tenant.

What is explained is the conversion itself: `explain` converts, and looks for the cause of each thing that came out or
did not. It decides nothing that a converter decides.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator, Sequence
from typing import Any

from eventdefs.definitions.converters import compile_event
from eventdefs.definitions.corpus import key_text
from eventdefs.definitions.events import OWNER_TRAITS, EventDefinition, TraitDefinition
from eventdefs.definitions.explain.meters import (
    explain_samples,
    missing_reason,
    plan_meter,
    source_of,
    trace_fields,
)
from eventdefs.definitions.explain.result import (
    AttributeExplanation,
    Explanation,
    MeterPlan,
    Near,
    Outcome,
    Overridden,
    PathTrace,
    Plan,
    SampleExplanation,
    Source,
    TraitExplanation,
)
from eventdefs.definitions.explain.trace import ALIKE, Taken, taken_by, trace_path, what_is
from eventdefs.definitions.fields import NO_CONSTANT
from eventdefs.definitions.options import Options, lowered
from eventdefs.definitions.registry import Definitions
from eventdefs.definitions.tenants import locate_tenant
from eventdefs.errors import EventdefsError
from eventdefs.types import Conversion, DefinitionRef, Event, Notification, Place, Problem

__all__ = [
    "AttributeExplanation",
    "Explanation",
    "MeterPlan",
    "Near",
    "Overridden",
    "PathTrace",
    "Plan",
    "SampleExplanation",
    "Source",
    "TraitExplanation",
    "explain",
    "plan",
    "trace_path",
]

NEAR = 3
"""How many definitions that nearly match are named."""
COMPARED = 2_000
"""Among how many patterns one is looked for that is written alike."""


def explain(definitions: Definitions, notification: Notification) -> Explanation:
    """Return why *definitions* make of *notification* what `definitions.convert` returns for it."""
    conversion = definitions.convert(notification)
    applied = _Applied(definitions, notification.event_type)
    event, problems = conversion.event, conversion.problems
    if event is None and applied.definition is not None:
        event, problems = _as_if_wanted(applied.definition, notification)
    traits: tuple[TraitExplanation, ...] = ()
    tenant, tenant_path = None, ""
    if applied.definition is not None and event is not None:
        said = {problem.name: problem for problem in (*problems, *conversion.problems) if problem.kind == "trait"}
        taken = taken_by(path for trait in applied.definition.traits for path in trait.fields.paths)
        traits = tuple(
            _trait(applied.definition, trait, notification, event, said.get(trait.name), taken)
            for trait in applied.definition.traits
        )
        tenant, tenant_path = _tenant(applied.definition, event, notification)
    refused = _refused(applied.definition, conversion)
    samples = definitions.find_samples(notification.event_type)
    return Explanation(
        notification.message_id,
        notification.event_type,
        notification.priority,
        notification.publisher_id,
        notification.timestamp,
        applied.ref,
        applied.glob,
        applied.glob_place,
        applied.overridden,
        applied.near,
        tenant,
        tenant_path,
        traits,
        tuple(explain_samples(samples, definitions.options, notification, conversion)),
        conversion.event,
        _no_event(definitions.options, notification, conversion, refused),
        conversion.problems,
        refused,
    )


def plan(definitions: Definitions, event_type: str) -> Plan:
    """Return what *definitions* would do with a notification of *event_type*."""
    applied = _Applied(definitions, event_type)
    traits = () if applied.definition is None else applied.definition.traits
    return Plan(
        event_type,
        applied.ref,
        applied.glob,
        applied.glob_place,
        applied.overridden,
        applied.near,
        tuple(source_of(one.name, one.type.word, one.place, one.fields, _constant(one)) for one in traits),
        tuple(plan_meter(one, event_type) for one in definitions.find_samples(event_type)),
    )


# --- which definition ------------------------------------------------------------------------------------------------


class _Applied:
    """Which event definition applies to an event type, and which others name it or nearly do."""

    def __init__(self, definitions: Definitions, event_type: str) -> None:
        matching, excluding = definitions.find_all(event_type)
        self.definition: EventDefinition | None = matching[-1] if matching else None
        self.ref: DefinitionRef | None = None
        self.glob, self.glob_place = "", None
        if self.definition is not None:
            self.ref = self.definition.ref
            self.glob, self.glob_place = _matching_glob(self.definition, event_type)
        self.overridden = tuple(_overridden(definitions, matching, excluding, event_type))
        unmatched = self.definition is None or self.definition.ref.implicit
        self.near = tuple(_near(definitions.events, event_type)) if unmatched else ()


def _globs(definition: EventDefinition) -> Iterator[tuple[str, Place]]:
    """Yield each pattern of *definition* as written, and its place."""
    places = definition.places or (definition.ref.place,) * len(definition.ref.patterns)
    yield from zip(definition.ref.patterns, places, strict=True)


def _matching_glob(definition: EventDefinition, event_type: str, excludes: bool = False) -> tuple[str, Place | None]:
    """Return the first pattern of *definition* that matches *event_type*, or of those with `!` that excludes it."""
    for glob, place in _globs(definition):
        if glob.startswith("!") is excludes and fnmatch.fnmatchcase(event_type, glob.removeprefix("!")):
            return glob, place
    return ("", None) if excludes else ("*", definition.ref.place)  # which is meant where all patterns exclude


def _overridden(
    definitions: Definitions,
    matching: Sequence[EventDefinition],
    excluding: Sequence[EventDefinition],
    event_type: str,
) -> Iterator[Overridden]:
    """Yield the definitions that name *event_type* and do not apply, in the order of the files."""
    why = {id(one): f"a later definition matches too: {matching[-1].ref.place}" for one in matching[:-1]}
    for one in excluding:
        why[id(one)] = f"excluded by {_matching_glob(one, event_type, excludes=True)[0]}"
    for one in definitions.events:
        if id(one) in why:
            yield Overridden(one.ref.patterns, one.ref.place, _matching_glob(one, event_type)[0], why[id(one)])


def _near(events: Sequence[EventDefinition], event_type: str) -> Iterator[Near]:
    """Yield the patterns that are nearest to *event_type*, those that differ least first."""
    ranked: list[tuple[int, int, Near]] = []
    globs: dict[str, Near] = {}
    number = 0
    for definition in events:
        for glob, place in _globs(definition):
            number += 1
            if glob.startswith("!"):
                continue
            globs.setdefault(glob, Near(glob, place, "it is written alike"))
            rank, why = _difference(glob, event_type)
            if why:
                ranked.append((rank, number, Near(glob, place, why)))
    found = [near for _, _, near in sorted(ranked, key=lambda one: one[:2])][:NEAR]
    alike: list[str] = []
    if not found and len(globs) <= COMPARED:
        alike = difflib.get_close_matches(event_type[:200], list(globs), n=NEAR, cutoff=ALIKE)
    service = event_type.partition(".")[0]
    yield from found or [globs[glob] for glob in alike if _are_alike(service, glob.partition(".")[0])]


def _difference(glob: str, event_type: str) -> tuple[int, str]:
    """Say in what *glob* differs from *event_type* where it is little, and how little; '' where it is more."""
    if glob.casefold() == event_type.casefold() or fnmatch.fnmatchcase(event_type.casefold(), glob.casefold()):
        return 0, "it differs by letter case"
    wanted, given = glob.split("."), event_type.split(".")
    if len(wanted) == len(given) and len(given) > 1:
        other = [
            number
            for number, pair in enumerate(zip(given, wanted, strict=True))
            if not fnmatch.fnmatchcase(pair[0], pair[1])
        ]
        if len(other) == 1 and (other[0] or _are_alike(given[0], wanted[0])):
            return 1, _segment(other[0], given, wanted)
    if wanted[-1] == "*" and len(given) >= len(wanted) > 1:
        other = [number for number in range(len(wanted) - 1) if not fnmatch.fnmatchcase(given[number], wanted[number])]
        if len(other) == 1 and _are_alike(given[other[0]], wanted[other[0]]):
            return 1, _segment(other[0], given, wanted)
    if len(given) > len(wanted) > 1 and fnmatch.fnmatchcase(".".join(given[: len(wanted)]), glob):
        return 2, f"the event type goes on with {'.' + '.'.join(given[len(wanted) :])!r}"[:160]
    if len(wanted) > len(given) > 1 and fnmatch.fnmatchcase(event_type, ".".join(wanted[: len(given)])):
        return 2, f"the pattern goes on with {'.' + '.'.join(wanted[len(given) :])!r}"[:160]
    return 9, ""


def _segment(number: int, given: Sequence[str], wanted: Sequence[str]) -> str:
    return f"segment {number + 1} is {given[number][:60]!r}, where the pattern has {wanted[number][:60]!r}"


def _are_alike(one: str, other: str) -> bool:
    return difflib.SequenceMatcher(None, one[:100], other[:100]).ratio() >= ALIKE


# --- the event -------------------------------------------------------------------------------------------------------


def _as_if_wanted(definition: EventDefinition, notification: Notification) -> tuple[Event, tuple[Problem, ...]]:
    """Return the event as it would be of a wanted priority and with nothing that rejects it."""
    lenient = tuple(trait._replace(required=False, rejects=False) for trait in definition.traits)
    convert = compile_event(definition._replace(traits=lenient), frozenset({notification.priority}), frozenset())
    conversion = convert(notification)
    assert conversion.event is not None
    return conversion.event, conversion.problems


def _no_event(options: Options, notification: Notification, conversion: Conversion, refused: tuple[str, ...]) -> str:
    if conversion.event is not None:
        return ""
    if conversion.rejected:
        return f"rejected by {', '.join(refused)}"
    if conversion.definition is None:
        return "no definition applies to the event type"
    assert notification.priority not in lowered(options.event_priorities)
    wanted = ", ".join(options.event_priorities)
    return f"events are made of the priorities {wanted}, not of {notification.priority[:80]!r}"


def _refused(definition: EventDefinition | None, conversion: Conversion) -> tuple[str, ...]:
    if definition is None or not conversion.rejected:
        return ()
    said = {problem.name for problem in conversion.problems if problem.kind == "trait"}
    return tuple(one.name for one in definition.traits if one.name in said and (one.required or one.rejects))


def _constant(trait: TraitDefinition) -> Any:
    return None if trait.fields.constant is NO_CONSTANT else trait.fields.constant


def _trait(
    definition: EventDefinition,
    trait: TraitDefinition,
    notification: Notification,
    event: Event,
    problem: Problem | None,
    taken: Taken,
) -> TraitExplanation:
    fields = trait.fields
    is_written = trait.name in definition.written
    paths = trace_fields(fields, notification.body, taken if is_written else None)
    value = event.traits.get(trait.name)
    outcome: Outcome = "value" if value is not None else "problem" if problem is not None else "missing"
    reason = ""
    if outcome == "problem":
        assert problem is not None
        reason = problem.reason
    elif outcome == "missing":
        reason = _why_missing(trait, notification, paths)
    return TraitExplanation(
        trait.name,
        trait.type.word,
        trait.place,
        is_written,
        paths,
        fields.plugin_name,
        _constant(trait),
        outcome,
        value,
        reason,
        _used(trait, paths),
        trait.required,
        "reject" if trait.rejects else "drop",
        trait.description,
    )


def _why_missing(trait: TraitDefinition, notification: Notification, paths: tuple[PathTrace, ...]) -> str:
    try:
        value = trait.fields.first(notification.body)
    except EventdefsError as error:
        return f"{error}"
    return (
        missing_reason(trait.fields, paths)
        if value is None
        else f"it is {what_is(value)}, which is no {trait.type.word}"
    )


def _used(trait: TraitDefinition, paths: tuple[PathTrace, ...]) -> int | None:
    found = [number for number, path in enumerate(paths) if path.found]
    if trait.fields.plugin is not None and len(found) > 1:
        return None  # the plugin has all of them
    return found[0] if found else None


def _tenant(definition: EventDefinition, event: Event, notification: Notification) -> tuple[str | None, str]:
    """Return the tenant of *event* and where it was found."""
    if event.tenant is None:
        return None, ""
    for name in OWNER_TRAITS:
        if name in definition.written and event.traits.get(name) == event.tenant:
            return event.tenant, f"trait {name}"
    _, steps = locate_tenant(notification.event_type, notification.body)
    text = ""
    for step in steps:
        written = "[*]" if step is None else f".{key_text(step) or repr(step)}"
        text += written
    return event.tenant, text.removeprefix(".")
