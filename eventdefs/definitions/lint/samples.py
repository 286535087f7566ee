"""Findings on sample definitions: what loads, and can never give what is meant."""

from __future__ import annotations

import re
from collections import Counter

from eventdefs.definitions.fields import NO_CONSTANT, Fields
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.keys import LOOKUP
from eventdefs.definitions.lint.paths import check_fields, check_path
from eventdefs.definitions.samples import LITERALS, SampleDefinition


def check_sample(definition: SampleDefinition, findings: Findings) -> None:
    """Look at one sample definition."""
    what = f"the sample definition {definition.name}"
    for attribute, fields in definition.fields.items():
        if attribute not in LITERALS or (fields.literal or "").startswith(_PATHS):
            check_fields(fields, f"{attribute} of {what}", findings)
    for name, fields in definition.metadata.items():
        check_fields(fields, f"metadata {name} of {what}", findings)
    if definition.user_metadata is not None:
        check_fields(definition.user_metadata, f"user_metadata of {what}", findings)
    _check_lookup(definition, what, findings)
    period = definition.period
    if period is not None:
        times = {"begin": period.begin, "end": period.end, "not_before": period.not_before}
        for name, found in {**times, "not_after": period.not_after, **period.dimensions}.items():
            if found is not None:
                check_fields(found, f"{name} of {what}", findings)
        for (path, values), place in zip((*period.conditions, *(period.closes or ())), period.places, strict=True):
            check_path(path, place, f"a condition of {what}", findings)
            for value, number in Counter(map(repr, values)).items():
                if number > 1:
                    findings.add("W404", f"a condition of {what} has {value} twice", place, "remove one")
        if period.begin is not None and period.begin.paths and _same(period.begin, period.end):
            hint = "write two paths, or `length` for a period of which only the end is known"
            findings.add("W404", f"the period of {what} begins where it ends", period.begin.place, hint)


def _check_lookup(definition: SampleDefinition, what: str, findings: Findings) -> None:
    names = definition.fields["name"]
    many = names.plugin is None and any(_MANY.search(path.text) for path in names.paths)
    if many and not definition.lookup:
        hint = "for a sample for each of them add lookup: [name, volume]"
        findings.add("W403", f"the name of {what} is read once, though its path finds several", names.place, hint)
    for attribute in definition.lookup:
        fields = definition.fields.get(attribute)
        if attribute not in LOOKUP or attribute == "name":
            continue
        if attribute == "metadata":
            if many:
                hint = "take metadata out of lookup: all samples get it"
                findings.add("W402", f"lookup of {what} names metadata, of which there is one", definition.place, hint)
            continue
        is_word = fields is not None and attribute in LITERALS and not (fields.literal or "$").startswith(_PATHS)
        if fields is None:
            hint = f"write {attribute}, or take it out of lookup"
            findings.add("W402", f"lookup of {what} names {attribute}, which is not there", definition.place, hint)
        elif fields.constant is not NO_CONSTANT:
            hint = f"take {attribute} out of lookup: a constant is the same for all samples"
            findings.add("W402", f"lookup of {what} names {attribute}, which is a constant", fields.place, hint)
        elif not fields.paths or is_word:
            hint = f"take {attribute} out of lookup: a word is the same for all samples"
            findings.add("W402", f"lookup of {what} names {attribute}, which is no path", fields.place, hint)
        elif many and fields.plugin is None and len(fields.paths) == 1 and fields.paths[0].names is not None:
            hint = f"its path finds one value, that of name several: put [*] into it, or take {attribute} out of lookup"
            findings.add("W402", f"lookup of {what} names {attribute}, which has one value", fields.place, hint)


def _same(one: Fields, other: Fields) -> bool:
    return [path.names or path.text for path in one.paths] == [path.names or path.text for path in other.paths]


_MANY = re.compile(r"^[^`]*(\[(\*|\?)|\.\*(\.|$))")
"""What finds several values."""
_PATHS = ("$", "payload.", "ctxt.")
