"""Definitions proposed from recorded notifications: what `eventdefs init` writes.

A proposal is a text for a person to read and change. It has no finding of the linter, with or without the
notifications it was made of, and equal notifications in equal order give the same text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from eventdefs.definitions.corpus import Corpus
from eventdefs.definitions.propose.grouping import Group, can_be_written, group_event_types
from eventdefs.definitions.propose.meters import meter_lines
from eventdefs.definitions.propose.traits import Plan, plan_group
from eventdefs.definitions.propose.writing import definition_lines
from eventdefs.definitions.registry import Definitions

_USUAL = re.compile(r"[\w.:-]+", re.ASCII).fullmatch
"""Event types that nobody takes for anything else."""
STRANGE_PATTERN = "W304"


class Proposal(NamedTuple):
    """What is proposed.

    Attributes:
        events: the text of a file of event definitions, '' where there is nothing to define.
        meters: the text of a file of sample definitions, '' where there is nothing to measure.
        event_types: those that `events` defines. One with a lone surrogate is none of them: YAML cannot have it.
    """

    events: str
    meters: str
    event_types: tuple[str, ...]


def propose(corpus: Corpus, *, per_event_type: bool = False, known: Definitions | None = None) -> Proposal:
    """Propose definitions for what *corpus* shows.

    Args:
        corpus: what was recorded.
        per_event_type: one definition for each event type, instead of one for those of a resource.
        known: definitions that are there already; event types that they cover are left to them.
    """
    names = [
        name for name in corpus.event_types if can_be_written(name) and (known is None or not _covers(known, name))
    ]
    groups = group_event_types(names, corpus, per_event_type, globs=known is None)
    plans = [plan_group(group, corpus) for group in groups]
    if per_event_type:  # which a meter is not
        whole = [plan_group(group, corpus) for group in group_event_types(names, corpus, False, globs=False)]
    else:
        whole = plans
    return Proposal(_events_text(plans, corpus), _meters_text(whole, corpus, known), tuple(sorted(names)))


def _covers(known: Definitions, event_type: str) -> bool:
    ref = known.find(event_type)
    return ref is not None and not ref.implicit


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _events_text(plans: list[Plan], corpus: Corpus) -> str:
    if not plans:
        return ""
    count = _count(sum(corpus.event_types[name].count for plan in plans for name in plan.group.names), "notification")
    types = _count(sum(len(plan.group.names) for plan in plans), "event type")
    lines = [
        f"# Event definitions proposed by `eventdefs init` from {count} of {types}.",
        "# Read them before you use them: names, types and what is worth keeping are for you to decide. The comment",
        "# beside a trait is a recorded value, and how often there is one where that is not always.",
    ]
    anchors: set[str] = set()
    for plan in plans:
        lines += ["", *definition_lines(plan, anchors)]
    if all(_USUAL(name) for plan in plans for name in plan.group.names):
        return "\n".join(lines) + "\n"
    return "\n".join(_with_consent(lines)) + "\n"


def _with_consent(lines: list[str]) -> list[str]:
    """Return *lines* with comments that silence what the linter says of strange event types, which are really there."""
    from eventdefs.definitions.lint import lint_texts

    codes: dict[int, set[str]] = {}
    for finding in lint_texts([("", "\n".join(lines))]).findings:
        if finding.code == STRANGE_PATTERN:
            codes.setdefault(finding.place.line, set()).add(finding.code)
    return [
        f"{line}  # eventdefs: ignore[{', '.join(sorted(codes[number]))}]" if number in codes else line
        for number, line in enumerate(lines, 1)
    ]


def _meters_text(plans: list[Plan], corpus: Corpus, known: Definitions | None) -> str:
    taken = set() if known is None else {sample.name for sample in known.samples}
    found = [lines for plan in plans if (lines := meter_lines(plan, corpus, taken))]
    if not any(line.startswith("  - ") for lines in found for line in lines):
        return ""
    head = [
        "# Sample definitions proposed by `eventdefs init`. What to measure, in which unit, and which states count",
        "# is for you to decide.",
        "metric:",
    ]
    return "\n".join([*head, *(line for lines in found for line in ["", *lines])]) + "\n"


__all__ = ["Group", "Plan", "Proposal", "propose"]
