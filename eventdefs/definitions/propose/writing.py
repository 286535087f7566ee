"""Proposals as YAML, of which every line is written here: names and values are somebody else's text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from eventdefs.definitions.propose.grouping import escaped
from eventdefs.definitions.propose.traits import Plan, Trait, trait_name
from eventdefs.types import TraitType, excerpt

WIDTH = 120
EXAMPLE = 60
SHORTEST = 12
LISTED = 8
"""How many paths that are left out are named."""

_PLAIN = re.compile(r"[A-Za-z_$](?:[\w.$@:\\'/*-]*[\w'*$])?", re.ASCII).fullmatch
_WORDS = frozenset(("on", "off", "yes", "no", "true", "false", "null", "y", "n"))


def quoted(text: str) -> str:
    """Return *text* as a YAML scalar on one line, which stands anywhere."""
    if _PLAIN(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in ('"', "\\"):
        return f"\\{char}"
    if char.isprintable():
        return char
    number = ord(char)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"


def comment(value: Any, length: int = EXAMPLE) -> str:
    """Return *value* as a comment has it: on one line, and taken for nothing but a comment."""
    text = "".join(char if char.isprintable() else "\\" + _escaped(char)[1:] for char in excerpt(value, length))
    return text.replace("eventdefs:", "eventdefs :")


def flow(texts: Sequence[str]) -> str:
    """Return a list on one line, of one text the text itself."""
    return quoted(texts[0]) if len(texts) == 1 else f"[{', '.join(quoted(text) for text in texts)}]"


def block_list(key: str, texts: Sequence[str], indent: int) -> list[str]:
    """Return `key: [...]` in one line where it fits, else in several."""
    blank = " " * indent
    line = f"{blank}{key}: {flow(texts)}"
    if len(line) <= WIDTH or len(texts) == 1:
        return [line]
    return [f"{blank}{key}:", *(f"{blank}  - {quoted(text)}" for text in texts)]


def definition_lines(plan: Plan, anchors: set[str]) -> list[str]:
    """Return the definitions of *plan*; the names of their anchors are added to *anchors*."""
    group = plan.group
    total = sum(plan.counts.values())
    types = f" of {len(group.names):,} event types" if len(group.names) > 1 else ""
    about = group.resource if len(group.names) > 1 else group.names[0]
    lines = [f"# {comment(about)}: {total:,} notification{'' if total == 1 else 's'}{types}."]
    lines += _left_out_lines(plan)
    anchor = _anchor(group.resource, anchors) if plan.extra else ""
    names = [name for name in group.names if name not in plan.extra]
    lines += block_list("- event_type", [group.glob] if group.glob else [escaped(name) for name in names], 0)
    shared = {name: plan.counts[name] for name in group.names}
    lines += _traits_lines(plan.traits, f" &{anchor}" if anchor else "", "", shared)
    for name, traits in plan.extra.items():
        lines += ["", f"- event_type: {quoted(escaped(name))}"]
        lines += _traits_lines(traits, "", anchor if plan.traits else "", {name: plan.counts[name]})
    return lines


def _anchor(resource: str, anchors: set[str]) -> str:
    base = name = trait_name(resource)
    number = 2
    while name in anchors:
        name = f"{base}_{number}"
        number += 1
    anchors.add(name)
    return name


def _left_out_lines(plan: Plan) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for path, why in plan.left_out:
        reasons.setdefault(why, []).append(path)
    lines: list[str] = []
    for why, paths in reasons.items():
        more = f" and {len(paths) - LISTED:,} more" if len(paths) > LISTED else ""
        text = f"Left out, {why}: {', '.join(comment(path) for path in paths[:LISTED])}{more}."
        lines += wrap(
            text, WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False, break_on_hyphens=False
        )
    return lines


def _traits_lines(traits: Iterable[Trait], anchor: str, merged: str, counts: dict[str, int]) -> list[str]:
    lines = [f"    <<: *{merged}"] if merged else []
    for trait in traits:
        lines += _trait_lines(trait, counts)
    return [f"  traits:{anchor}", *lines] if lines else [f"  traits:{anchor} {{}}"]


def _trait_lines(trait: Trait, counts: dict[str, int]) -> list[str]:
    name = quoted(trait.name)
    fields = flow(trait.paths)
    line = f"    {name}: {fields}"
    if trait.type is not TraitType.TEXT:
        line = f"    {name}: {{fields: {fields}, type: {trait.type.word}}}"
    note = _note(trait, counts, WIDTH - len(line))
    if len(line) + len(note) <= WIDTH:
        return [f"{line}{note}"]
    note = _note(trait, counts, WIDTH)
    if trait.type is TraitType.TEXT:
        if len(trait.paths) == 1:
            return [f"    {name}:{note}", f"      {fields}"]
        return [f"    {name}:{note}", *(f"      - {quoted(path)}" for path in trait.paths)]
    return [f"    {name}:{note}", *block_list("fields", trait.paths, 6), f"      type: {trait.type.word}"]


def _note(trait: Trait, counts: dict[str, int], room: int) -> str:
    """Return the comment beside *trait*, in *room* characters if it can be: a value, and how often there is one."""
    total = sum(counts.values())
    there = sum(trait.found.get(name, 0) for name in counts)
    share = f"in {there:,} of {total:,}" if there < total else ""
    length = min(EXAMPLE, max(SHORTEST, room - len(share) - 6))
    parts = [part for part in ("" if trait.example is None else comment(trait.example, length), share) if part]
    return f"  # {'; '.join(parts)}" if parts else ""
