"""Sample definitions proposed for amounts and for periods of time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eventdefs.definitions.corpus import AS_FLOAT, BOOLEAN, CLOCK, EMPTY, NULL, Corpus, PathSeen
from eventdefs.definitions.loader import parse_definitions
from eventdefs.definitions.propose.traits import AMOUNT, Plan, Trait
from eventdefs.definitions.propose.writing import block_list, comment, quoted
from eventdefs.definitions.registry import Definitions
from eventdefs.errors import DefinitionErrors
from eventdefs.types import TraitType

UNITS = {"vcpus": "vcpu", "mb": "MiB", "mib": "MiB", "gb": "GiB", "gib": "GiB", "kb": "KiB", "bytes": "B"}
"""What the last word of a key says about its unit."""
SIZES = {"image": "B", "snapshot": "GiB", "volume": "GiB", "backup": "GiB", "share": "GiB", "group": "GiB"}
"""The units of `size`, by resource."""
_BOUND = re.compile(r"(?:^|_)(?:min|max|limit|quota|weight)(?:_|$)").search
"""What is no amount but says how large one may be."""
_AUDITED = ("audit_period_beginning", "audit_period_ending")
_RAN = (("launched_at", "terminated_at"), ("launched_at", "deleted_at"), ("created_at", "deleted_at"))


def meter_lines(plan: Plan, corpus: Corpus, taken: set[str]) -> list[str]:
    """Return the sample definitions for *plan*, indented as items of `metric`; their names are added to *taken*.

    Each was tried on the kept notifications; what gives a problem there is not proposed.
    """
    traits = {trait.name: trait for rows in (plan.traits, *plan.extra.values()) for trait in rows}
    resource = traits.get("resource_id")
    if resource is None:
        return []
    lines: list[str] = []
    for trait in traits.values():
        if trait.type in (TraitType.INT, TraitType.FLOAT) and AMOUNT.search(trait.name) and not _BOUND(trait.name):
            name = _free(f"{plan.group.word}.{trait.name}", taken)
            found = _gauge(name, trait, resource, traits, plan, corpus)
            if found:
                taken.add(name)
                lines += found
    name = f"{plan.group.word}.uptime"
    if name not in taken:
        claims = _periods(name, resource, traits, plan, corpus)
        if claims:
            taken.add(name)
            lines += claims
    return lines


def _free(name: str, taken: set[str]) -> str:
    number = 2
    base = name
    while name in taken:
        name = f"{base}_{number}"
        number += 1
    return name


def unit_of(trait: str, word: str) -> str:
    """Return the unit of the amount *trait* of the resource *word*, '' where nothing says one.

    >>> unit_of("memory_mb", "instance"), unit_of("size", "volume"), unit_of("count", "port")
    ('MiB', 'GiB', '')
    """
    last = trait.rpartition("_")[2]
    return UNITS.get(last) or (SIZES.get(word, "") if last == "size" else "")


def _complete(traits: Sequence[Trait], plan: Plan, corpus: Corpus, wanted: int) -> list[str]:
    """Return the event types each notification of which has a value of form *wanted* for each of *traits*."""
    found = []
    for name in plan.group.names:
        for trait in traits:
            seen = [at for path in trait.seen if (at := corpus.seen_at(path.steps, name)) is not None]
            if _fine(seen, wanted if trait is traits[0] or wanted == CLOCK else 0) != plan.counts[name]:
                break
        else:
            found.append(name)
    return found


def _fine(seen: Sequence[PathSeen], wanted: int) -> int:
    """Return how many values there are, -1 where one is not of the form *wanted*."""
    count = 0
    for path in seen:
        for form, number in path.forms.items():
            if form & (NULL | EMPTY):
                continue
            if (wanted and not form & wanted) or form & BOOLEAN:
                return -1
            count += number
    return count


def _gauge(name: str, trait: Trait, resource: Trait, traits: dict[str, Trait], plan: Plan, corpus: Corpus) -> list[str]:
    types = [one for one in _complete([trait, resource], plan, corpus, AS_FLOAT) if not one.endswith(".error")]
    if not types:
        return []
    unit = unit_of(trait.name, plan.group.word)
    lines = [f"  - name: {quoted(name)}  # {comment(trait.example)}"]
    lines += block_list("event_type", [expression(one) for one in types], 4)
    lines += ["    type: gauge", f"    unit: {quoted(unit or trait.name)}{'' if unit else '  # which unit?'}"]
    lines += _attribute("volume", trait, corpus, types, 4)
    lines += _whose(resource, traits, corpus, types)
    return lines if _works(lines, corpus, types) else []


def _whose(resource: Trait, traits: dict[str, Trait], corpus: Corpus, types: Sequence[str]) -> list[str]:
    lines = _attribute("resource_id", resource, corpus, types, 4)
    for key, default in (("project_id", "tenant_id"), ("user_id", "user_id")):
        if key in traits:
            lines += _attribute(key, traits[key], corpus, types, 4)
        elif any(corpus.seen_at(("payload", default), name) for name in types):
            lines += [f"    {key}: $.payload.{default}"]
    return lines


def _attribute(key: str, trait: Trait, corpus: Corpus, types: Sequence[str], indent: int) -> list[str]:
    """Return the attribute *key* with the paths of *trait* that find something in *types*, [] for none."""
    paths = [path.text for path in trait.seen if any(corpus.seen_at(path.steps, name) for name in types)]
    return block_list(key, [f"$.{path}" for path in paths], indent) if paths else []


def _periods(name: str, resource: Trait, traits: dict[str, Trait], plan: Plan, corpus: Corpus) -> list[str]:
    lines: list[str] = []
    audited = [traits[key] for key in _AUDITED if key in traits]
    if len(audited) == len(_AUDITED):
        types = _with_times([*audited], resource, plan, corpus)
        found = _claim(name, audited, resource, traits, corpus, types)
        if types and _works(found, corpus, types):
            state = next((traits[key] for key in ("state", "status") if key in traits), None)
            lines += found
            if state is not None:
                seen = list(dict.fromkeys(str(value) for path in state.seen for value in path.examples))
                lines += [
                    "      # Which states count? Without this, all do:",
                    f"      # while: {{$.{comment(state.paths[0])}: [{', '.join(comment(value) for value in seen)}]}}",
                ]
    for begin, end in _RAN:
        times = [traits[key] for key in (begin, end) if key in traits]
        if len(times) == 2:
            types = _with_times(times, resource, plan, corpus)
            found = _claim(name, times, resource, traits, corpus, types)
            if types and _works(found, corpus, types):
                lines += ["  # The whole life of what is gone. If you bill by it, add `closes: true` to its period:"]
                lines += [f"  #{line[1:]}" for line in found]
                break
    return lines


def _with_times(times: list[Trait], resource: Trait, plan: Plan, corpus: Corpus) -> list[str]:
    ids = set(_complete([resource], plan, corpus, 0))
    return [name for name in _complete(times, plan, corpus, CLOCK) if name in ids]


def _claim(
    name: str, times: list[Trait], resource: Trait, traits: dict[str, Trait], corpus: Corpus, types: list[str]
) -> list[str]:
    lines = [f"  - name: {quoted(name)}"]
    lines += block_list("event_type", [expression(one) for one in types or ["none"]], 4)
    lines += ["    type: delta", "    unit: h"]
    lines += _whose(resource, traits, corpus, types)
    lines += ["    period:"]
    lines += _attribute("begin", times[0], corpus, types, 6)
    lines += _attribute("end", times[1], corpus, types, 6)
    bound = next((traits[key] for key in ("launched_at", "created_at") if key in traits), None)
    if bound is not None and bound.type is TraitType.DATETIME and bound not in times:
        lines += _attribute("not_before", bound, corpus, types, 6)
    return lines


def expression(event_type: str) -> str:
    """Return a regular expression that matches *event_type* and nothing longer."""
    return "".join(f"\\{char}" if re.match(r"[^\w\s/:,-]", char) else char for char in event_type) + "$"


def _works(lines: list[str], corpus: Corpus, types: list[str]) -> bool:
    """Tell whether the definition reads, applies to each of *types*, and has no problem with what is kept of them."""
    try:
        definitions: Definitions = parse_definitions("\n".join(["metric:", *lines]))
    except DefinitionErrors:
        return False
    for name in types:
        for example in corpus.event_types[name].examples:
            conversion = definitions.convert(example.notification)
            mine = [problem for problem in conversion.problems if problem.kind != "trait"]
            if mine or not definitions.find_samples(name):
                return False
    return not definitions.warnings
