"""What sample definitions make of a notification: the same converters are run, one definition after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from eventdefs.definitions.derive import FALLBACKS, PeriodConverter, SampleConverter, column, reading
from eventdefs.definitions.events import BUILT_IN
from eventdefs.definitions.explain.result import (
    AttributeExplanation,
    MeterPlan,
    PathTrace,
    SampleExplanation,
    Source,
)
from eventdefs.definitions.explain.trace import Taken, not_tried, shown, taken_by, trace_path
from eventdefs.definitions.fields import NO_CONSTANT, Fields
from eventdefs.definitions.options import Options, lowered
from eventdefs.definitions.paths import Path, parse_path
from eventdefs.definitions.periods import Conditions
from eventdefs.definitions.samples import ATTRIBUTES, LITERALS, SampleDefinition
from eventdefs.errors import EventdefsError
from eventdefs.regexes import RegexError, starts_with
from eventdefs.types import Conversion, Notification, Period, Place, Problem, Sample, excerpt


def explain_samples(
    definitions: tuple[SampleDefinition, ...], options: Options, notification: Notification, conversion: Conversion
) -> Iterator[SampleExplanation]:
    """Yield what each of *definitions*, which apply to the event type of *notification*, makes of it."""
    idle = ""
    if conversion.rejected:
        idle = "the notification is rejected"
    elif notification.priority not in lowered(options.sample_priorities):
        wanted = ", ".join(options.sample_priorities)
        idle = f"samples are made of the priorities {wanted}, not of {notification.priority[:80]!r}"
    samples: list[Sample] = []
    periods: list[Period] = []
    for definition in definitions:
        problems: list[Problem] = []
        before = len(samples), len(periods)
        if not idle:
            if definition.period is None:
                SampleConverter(definition, options).convert(notification, samples, problems)
            else:  # which numbers its claims among those of the notification before it
                PeriodConverter(definition, definition.period).convert(notification, periods, problems)
        given = tuple(samples[before[0] :]), tuple(periods[before[1] :])
        yield _explained(definition, notification, given, problems, idle)


def _explained(
    definition: SampleDefinition,
    notification: Notification,
    given: tuple[tuple[Sample, ...], tuple[Period, ...]],
    problems: list[Problem],
    idle: str,
) -> SampleExplanation:
    attributes = tuple(_attributes(definition, notification.body, problems))
    outcome: Literal["given", "none", "problem"] = "problem" if problems else "given" if any(given) else "none"
    reason = idle
    if problems:
        prefix = f"{definition.name}."
        reason = "; ".join(f"{one.name.removeprefix(prefix)}: {one.reason}" for one in problems[:3])
    elif outcome == "none" and not idle:
        reason = _why_none(definition, attributes)
    return SampleExplanation(
        definition.name,
        definition.place,
        kind_of(definition),
        pattern_of(definition, notification.event_type),
        outcome,
        attributes,
        *given,
        excerpt(reason, 600),
    )


def _why_none(definition: SampleDefinition, attributes: tuple[AttributeExplanation, ...]) -> str:
    if definition.period is not None:
        return "the claim is empty: it begins when it ends"
    missing = {one.name: one for one in attributes if one.outcome == "missing"}
    name = "name" if definition.lookup and "name" in missing else "volume"
    optional = "" if name == "name" or definition.required else ", and `required: false` asks for none then"
    attribute = missing.get(name)
    why = "no value"
    if attribute is not None:
        why = attribute.paths[0].cause if len(attribute.paths) == 1 else attribute.reason
    return f"{name}: {why or 'no value'}{optional}"


def kind_of(definition: SampleDefinition) -> Literal["sample", "period"]:
    return "sample" if definition.period is None else "period"


def pattern_of(definition: SampleDefinition, event_type: str) -> str:
    """Return the expression of *definition* that matches *event_type*."""
    for text in definition.event_types:
        try:
            if starts_with(text, event_type):
                return text
        except RegexError:
            continue
    return ""


def _named(definition: SampleDefinition) -> Iterator[tuple[str, Fields]]:
    """Yield the name and the fields of all that *definition* reads."""
    for name in ATTRIBUTES:
        if name in definition.fields:
            yield name, definition.fields[name]
    for name, fields in definition.metadata.items():
        yield f"metadata.{name}", fields
    if definition.user_metadata is not None:
        yield "user_metadata", definition.user_metadata
    period = definition.period
    if period is not None:
        for name in ("begin", "end", "not_before", "not_after"):
            if (bound := getattr(period, name)) is not None:
                yield name, bound
        for name, fields in period.dimensions.items():
            yield f"dimensions.{name}", fields


def _attributes(
    definition: SampleDefinition, body: Mapping[str, Any], problems: list[Problem]
) -> Iterator[AttributeExplanation]:
    reasons: dict[str, str] = {}
    for problem in problems:
        reasons.setdefault(problem.name.removeprefix(f"{definition.name}."), problem.reason)
    taken = taken_by(path for _, fields in _named(definition) for path in fields.paths)
    for name, fields in _named(definition):
        yield _attribute(definition, name, fields, body, reasons.get(name, ""), taken)
    for name in FALLBACKS:
        if name not in definition.fields:
            value = reading(name, None)(body)
            reason = "" if value is not None else "the definition does not say, and the context neither"
            outcome: Literal["value", "missing"] = "missing" if value is None else "value"
            traces = _acting(name, body)
            yield AttributeExplanation(name, definition.place, traces, "", None, outcome, shown(value), reason)
    if definition.period is not None:
        yield from _conditions("while", definition.period.conditions, definition.period.place, body, reasons)
        yield from _conditions("closes", definition.period.closes or (), definition.period.place, body, reasons)


def _attribute(
    definition: SampleDefinition, name: str, fields: Fields, body: Mapping[str, Any], problem: str, taken: Taken
) -> AttributeExplanation:
    value: Any = None
    failed = ""
    try:
        if definition.lookup and name in ATTRIBUTES:
            found = column(name, fields, body, name in (*definition.lookup, "name"))
            value = found[0] if len(found) == 1 else found or None
        else:
            value = reading(name, fields)(body) if name in ATTRIBUTES else fields.first(body)
    except EventdefsError as error:
        failed = f"{error}"
    paths = trace_fields(fields, body, taken, bool(definition.lookup) and name in ATTRIBUTES)
    outcome: Literal["value", "missing", "problem"]
    outcome = "problem" if problem or failed else "missing" if value is None else "value"
    reason = problem or failed or (missing_reason(fields, paths) if value is None else "")
    constant = _constant(name, fields)
    if constant is not None and fields.paths and not any(path.found for path in paths):
        paths = ()  # a word that stands for itself, as GB does
    if value is not None and name in FALLBACKS and not any(path.found for path in paths):
        paths += _acting(name, body)
    return AttributeExplanation(name, fields.place, paths, fields.plugin_name, constant, outcome, shown(value), reason)


def _acting(name: str, body: Mapping[str, Any]) -> tuple[PathTrace, ...]:
    """Return what is met where it is looked up who acted, for want of anything better."""
    paths = tuple(parse_path(f"ctxt.{key}") for key in FALLBACKS[name])
    return trace_fields(Fields(NO_CONSTANT, paths, None, None, BUILT_IN), body, None)


def _constant(name: str, fields: Fields) -> Any:
    if fields.constant is not NO_CONSTANT:
        return fields.constant
    return fields.literal if name in LITERALS or not fields.paths else None


def trace_fields(
    fields: Fields, body: Mapping[str, Any], taken: Taken | None, every: bool = False
) -> tuple[PathTrace, ...]:
    """Return what each path meets; those after the first with a value only where *every* or a plugin has them count.

    *taken* is for `trace_path`.
    """
    if fields.constant is not NO_CONSTANT:
        return ()
    places = fields.places or (fields.place,) * len(fields.paths)
    traces: list[PathTrace] = []
    over = False
    for path, place in zip(fields.paths, places, strict=True):
        if over:
            traces.append(not_tried(path, place))
            continue
        trace = trace_path(path, place, body, taken)
        traces.append(trace)
        over = fields.plugin is None and not every and (trace.found or _fails(path, body))
    return tuple(traces)


def _fails(path: Path, body: Mapping[str, Any]) -> bool:
    try:
        path.first(body)
    except EventdefsError:
        return True
    return False


def missing_reason(fields: Fields, paths: tuple[PathTrace, ...]) -> str:
    """Say in a sentence why *fields*, whose *paths* met what they met, give no value."""
    if fields.plugin is not None and any(path.found for path in paths):
        what = next(path for path in paths if path.found)
        return f"the plugin {fields.plugin_name} makes nothing of {excerpt(what.value, 60)!r}"
    if len(paths) == 1:
        return paths[0].reason
    return f"none of its {len(paths)} paths finds a value" if paths else "no value"


def _conditions(
    name: str, conditions: Conditions, place: Place, body: Mapping[str, Any], reasons: Mapping[str, str]
) -> Iterator[AttributeExplanation]:
    """Yield whether each of *conditions* holds."""
    for path, values in conditions:
        trace = trace_path(path, place, body)
        value = None
        failed = ""
        try:
            value = path.first(body)
            holds = value in values
        except EventdefsError as error:
            failed, holds = f"{error}", False
        wanted = ", ".join("null" if one is None else excerpt(one, 40) for one in values[:8])
        more = f" and {len(values) - 8} more" if len(values) > 8 else ""
        reason = reasons.get(name) or failed or ("" if holds else f"it is none of {wanted}{more}")
        outcome: Literal["value", "missing", "problem"]
        outcome = "problem" if failed else "value" if holds else "missing"
        yield AttributeExplanation(name, place, (trace,), "", None, outcome, shown(value), reason)


def plan_meter(definition: SampleDefinition, event_type: str) -> MeterPlan:
    """Return what *definition* would read."""
    sources = tuple(
        source_of(name, "", fields.place, fields, _constant(name, fields)) for name, fields in _named(definition)
    )
    pattern = pattern_of(definition, event_type)
    return MeterPlan(definition.name, definition.place, kind_of(definition), pattern, sources)


def source_of(name: str, kind: str, place: Place, fields: Fields, constant: Any) -> Source:
    """Return where *fields* look."""
    paths = () if constant is not None else tuple(path.text for path in fields.paths)
    return Source(name, kind, place, paths, fields.plugin_name, constant)
