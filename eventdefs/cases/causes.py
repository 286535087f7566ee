"""Why a value is missing or another than expected, as `eventdefs explain` would say it, in a line or two each.

Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eventdefs.cases.comparing import Difference
from eventdefs.cases.running import Result
from eventdefs.cases.values import written
from eventdefs.definitions.explain import (
    AttributeExplanation,
    Explanation,
    PathTrace,
    SampleExplanation,
    TraitExplanation,
    explain,
)
from eventdefs.definitions.registry import Definitions
from eventdefs.hints import did_you_mean
from eventdefs.types import Problem, excerpt


def causes_of(result: Result) -> list[str]:
    """Return lines for what differs: the place of its definition, and what its paths met."""
    if not result.differences or result.definitions is None or result.notification is None:
        return []
    explanation = explain(result.definitions, result.notification)
    lines: dict[str, None] = {}
    for difference in result.differences:
        lines |= dict.fromkeys(_causes(result.definitions, explanation, difference))
    return list(lines)


def _causes(definitions: Definitions, explanation: Explanation, difference: Difference) -> Iterator[str]:
    if difference.part == "event" and difference.key == "tenant":
        yield from _tenant(explanation)
    elif difference.part == "event" and not difference.key:
        yield from _event(explanation)
    elif difference.part == "traits":
        yield from _trait(explanation, difference.key)
    elif difference.part in ("samples", "periods"):
        yield from _meter(definitions, explanation, difference)


def _event(explanation: Explanation) -> Iterator[str]:
    """Say why there is no event, or which definition gave one."""
    if explanation.event is not None and explanation.definition is not None:
        yield f"{explanation.definition.place}: {explanation.definition} applies"
        return
    for problem in explanation.problems:
        if problem.kind == "trait" and problem.name in explanation.refused:
            yield problem_line(problem)
    if not explanation.refused:
        yield explanation.no_event
    for near in explanation.near:
        yield f"{near.place}: {near.glob} does not match: {near.why}"


def _tenant(explanation: Explanation) -> Iterator[str]:
    if explanation.tenant is not None:
        yield f"the tenant is found at {explanation.tenant_path}"
        return
    yield "no tenant is found in the notification"


def problem_line(problem: Problem) -> str:
    """Return *problem* in one line."""
    path = f" [{problem.path}]" if problem.path else ""
    return f"{problem.place}: {problem.kind} {problem.name}: {problem.reason}{path}"


def _trait(explanation: Explanation, name: str) -> Iterator[str]:
    definition = explanation.definition
    if definition is None:
        yield f"no definition applies to {explanation.event_type}"
        return
    known = {trait.name: trait for trait in explanation.traits}
    if name not in known:
        yield f"{definition.place}: {definition} has no trait {name}{did_you_mean(name, known)}"
        return
    problem = next((one for one in explanation.problems if (one.kind, one.name) == ("trait", name)), None)
    if problem is not None:
        yield problem_line(problem)
    else:
        for line in _fields(known[name]):
            yield f"{known[name].place}: trait {name}: {line}"


def _fields(explained: TraitExplanation | AttributeExplanation) -> Iterator[str]:
    """Say of each path what it gave, up to the one that gave the value."""
    tried = [path for path in explained.paths if path.tried]
    if explained.constant is not None and not any(path.found for path in tried):
        yield f"it is {written(explained.constant)}, as the definition says"
        return
    yield from (_path(path, explained.plugin) for path in tried)
    if explained.reason and not any(path.reason for path in tried):
        yield explained.reason


def _path(path: PathTrace, plugin: str) -> str:
    if path.found:
        return f"{path.path} gives {excerpt(written(path.value))}{f' to {plugin}' if plugin else ''}"
    near = f" (did you mean '{path.near}'?)" if path.near else ""
    return f"{path.path} finds nothing: {path.reason}{near}"


def _meter(definitions: Definitions, explanation: Explanation, difference: Difference) -> Iterator[str]:
    kind = difference.part.removesuffix("s")
    named = [one for one in explanation.samples if _gives(one, kind, difference.row)]
    for one in named:
        if one.outcome != "given" or not difference.key:
            if one.reason:
                yield f"{one.place}: {kind} {difference.row}: {one.reason}"
            elif one.outcome == "given":
                yield f"{one.place}: {kind} {difference.row} is given"
        for attribute in one.attributes:
            # Of a row that is missing as a whole: the attributes for which nothing was found.
            if attribute.name == difference.key or (one.outcome != "given" and attribute.outcome != "value"):
                for line in _fields(attribute):
                    yield f"{attribute.place}: {difference.row}.{attribute.name}: {line}"
    if not named:
        yield from _other_meters([(one.name, str(one.place)) for one in definitions.samples], explanation, difference)


def _gives(one: SampleExplanation, kind: str, name: str) -> bool:
    given = {sample.name for sample in one.samples} | {period.meter for period in one.periods}
    return one.kind == kind and (one.name == name or name in given)


def _other_meters(known: Sequence[tuple[str, str]], explanation: Explanation, difference: Difference) -> Iterator[str]:
    places = [place for name, place in known if name == difference.row]
    for place in places:
        yield f"{place}: {difference.row} is not for {explanation.event_type}"
    if not places:
        near = did_you_mean(difference.row, [name for name, _ in known])
        yield f"no sample definition is called {difference.row}{near}"
