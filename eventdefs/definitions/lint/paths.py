"""Findings on paths: those that parse, but find nothing, or not what they seem to say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from jsonpath_rw import jsonpath as tree

from eventdefs.definitions import dialect, keys
from eventdefs.definitions.fields import Fields
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.paths import Path
from eventdefs.errors import Fix
from eventdefs.hints import did_you_mean, nearest
from eventdefs.types import Place

BODY = tuple(keys.BODY)
"""What paths see at the top."""

_ALWAYS_THERE = (("payload",), ("event_type",))
_OBJECT_KEYS = {"name", "namespace", "version", "data", "changes"}
"""What follows `nova_object.` and the like in a versioned notification, as one key with a dot."""
_OBJECT = re.compile(r"\w+_object")


def check_fields(fields: Fields, what: str, findings: Findings) -> None:
    """Look at the paths of *fields*, which are those of *what*."""
    seen: dict[tuple[str, ...] | str, Place] = {}
    whole: tuple[str, Place] | None = None
    for path, place in zip(fields.paths, fields.places, strict=False):
        check_path(path, place, what, findings, alone=len(fields.paths) == 1 and fields.plugin is None)
        key = path.text if path.names is None else path.names
        if fields.plugin is not None:
            continue
        if key in seen:
            hint = "an alternative that is there already is never reached: remove it"
            findings.add("W203", f"the path {path.text} of {what} is there twice", place, hint, related=(seen[key],))
        elif whole is not None:
            hint = f"every notification has {whole[0]}, and the first that is there counts: put it last"
            said = f"the path {path.text} of {what} is never reached"
            findings.add("W203", said, place, hint, related=(whole[1],))
        seen.setdefault(key, place)
        if path.names in _ALWAYS_THERE and whole is None:
            whole = (path.text, place)


def check_path(path: Path, place: Place, what: str, findings: Findings, alone: bool = False) -> None:
    """Look at one path; *alone*: a list of paths could stand in its place."""
    steps = path.names or _leading_names(path.text)
    for dotted in _dotted(steps):
        findings.add(
            "W201",
            f"the path of {what} looks for the key {dotted.partition('.')[0]!r}; {dotted!r} is one key with a dot",
            _part(place, path.text, dotted),
            f"quote it: {_quoted(path.text, steps, chr(39))}",
            fix=_quoting(path.text, steps, place, findings.line(place)),
        )
    if steps and steps[0] not in BODY:
        hint = f"a notification has {', '.join(BODY)}{did_you_mean(steps[0], BODY) or f'; perhaps payload.{steps[0]}'}"
        meant = nearest(steps[0], BODY)
        if steps[0].startswith("_context_"):
            meant = f"ctxt.{steps[0].removeprefix('_context_')}"
            hint = f"the context is under ctxt: {meant}"
        elif steps[0] in ("message_id", "timestamp"):
            meant = f"metadata.{steps[0]}"
            hint = f"every event has it without a trait; as one it is {meant}"
        fix = _edited(path.text, steps[0], meant, place, findings.line(place)) if meant else None
        said = f"the path of {what} looks for {steps[0]!r} at the top of the notification"
        findings.add("W204", said, place, hint, fix=fix)
    sign, read = _bound_tighter(path)
    if read:
        listed = f"[{', '.join(path.text.replace(' ', '').split(sign))}]"
        findings.add(
            "W202",
            f"the path of {what} reads as {read}: `{sign}` binds tighter than the dot",
            _part(place, path.text, sign),
            f"write alternatives as a list of paths, {listed}, or put parentheses around them",
            fix=_listing(listed, path.text, place, findings.line(place)) if alone else None,
        )
    for first, second in pairwise(steps):
        before, minus, after = first.rpartition("-")
        if minus and after in BODY:
            findings.add(
                "W205",
                f"the path of {what} looks for the key {first!r}: a minus without blanks is part of a key",
                _part(place, path.text, first),
                f"to subtract, put blanks around it: {before} - {after}.{second}",
                fix=_edited(path.text, first, f"{before} - {after}", place, findings.line(place)),
            )


@lru_cache(maxsize=8192)
def _leading_names(text: str) -> tuple[str, ...]:
    """Return the keys that a path begins with, which is more than keys."""
    steps: list[str] = []
    node = dialect.parse(text)
    chain: list[Any] = []
    while isinstance(node, tree.Child):
        chain.append(node.right)
        node = node.left
    chain.append(node)
    for step in reversed(chain):
        if isinstance(step, tree.Root):
            continue
        if type(step) is tree.Fields and len(step.fields) == 1 and step.fields[0] != "*":
            steps.append(step.fields[0])
        else:
            break
    return tuple(steps)


def _dotted(steps: tuple[str, ...]) -> Iterator[str]:
    """Yield keys with a dot that *steps* take for two."""
    for first, second in pairwise(steps):
        if _OBJECT.fullmatch(first) and second in _OBJECT_KEYS:
            yield f"{first}.{second}"
        if first == "org" and second.startswith("openstack__"):
            yield f"{first}.{second}"


def _bound_tighter(path: Path) -> tuple[str, str]:
    """Return the sign and how a path with `|` or a comma is read; ('', '') where that is what it seems to say."""
    text = path.text.replace(" ", "")
    if path.names is not None or "(" in text or "`" in text:
        return "", ""
    if "|" in text and "." in text.partition("|")[2] and not isinstance(dialect.parse(path.text), tree.Union):
        return "|", text.replace(_union(text), f"({_union(text)})")
    comma = _COMMA.search(text)
    if comma is not None:
        return ",", f"{text[: comma.start(1)]}({comma[1]}|{comma[2]}){text[comma.end() :]}"
    return "", ""


_COMMA = re.compile(rf"(\w+),\$?\.?({'|'.join(BODY)})(?=\.)")
"""A comma before what begins a path; between keys it stands for either."""


def _listing(listed: str, text: str, place: Place, line: str) -> Fix | None:
    """Return the edit that makes a list of a value that is a plain text after its key; None where it is none."""
    plain = line[place.column - 1 : place.end_column - 1] == text and not set("{}[]'\"#*") & set(listed[1:-1])
    return Fix(f"write {listed}", place, listed) if plain and line[: place.column - 1].endswith(": ") else None


def _edited(text: str, part: str, new: str, place: Place, line: str) -> Fix | None:
    """Return the edit of *part* of the path *text*; None where the path does not stand in one piece."""
    at = _part(place, text, part)
    return Fix(f"write {new}", at, new) if line[at.column - 1 : at.end_column - 1] == part else None


def _union(text: str) -> str:
    """Return the two steps that the first `|` of *text* stands between."""
    left, _, right = text.partition("|")
    return f"{re.split(r'[.]', left)[-1]}|{re.split(r'[.|]', right)[0]}"


def _quoted(text: str, steps: tuple[str, ...], quote: str) -> str:
    """Return a path with quotes around its keys with a dot."""
    for dotted in set(_dotted(steps)):
        text = re.sub(rf"(?<![\w'\"]){re.escape(dotted)}(?![\w'\"])", f"{quote}{dotted}{quote}", text)
    return text


def _quoting(text: str, steps: tuple[str, ...], place: Place, line: str) -> Fix | None:
    """Return the edit that quotes the keys with a dot of *text*, which is at *place* of *line*; None where unsure."""
    written = line[place.column - 1 : place.end_column - 1]
    if written == text:
        return Fix("quote the keys with a dot", place, _quoted(text, steps, "'"))
    if written in (f"'{text}'", f'"{text}"'):
        inner = _quoted(text, steps, "'" if written[0] == '"' else '"')
        return Fix("quote the keys with a dot", place, f"{written[0]}{inner}{written[0]}")
    return None


def _part(place: Place, text: str, part: str) -> Place:
    """Return the place of *part* of a path, where the path stands in one piece, without or within quotes."""
    width = place.end_column - place.column
    offset = text.find(part)
    quotes = (width - len(text)) // 2
    if offset < 0 or width not in (len(text), len(text) + 2):
        return place
    column = place.column + quotes + offset
    return place._replace(column=column, end_column=column + len(part))
