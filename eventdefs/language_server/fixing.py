"""Edits that put findings right, and comments that silence them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from eventdefs.errors import Finding
from eventdefs.types import Place

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_IGNORES = re.compile(r"(#\s*eventdefs:\s*ignore\s*\[)([^\]]*)\]")
_ABOUT_COMMENTS = "W9"
"""How codes begin that are about comments that silence."""


class Edit(NamedTuple):
    """A replacement in one file, as `errors.Fix` has it: what *place* covers becomes *text*."""

    title: str
    place: Place
    text: str
    preferred: bool


def fix_of(finding: Finding) -> Edit | None:
    """Return the edit that puts *finding* right, where one is known."""
    if finding.fix is None:
        return None
    title = finding.fix.title
    return Edit(f"{title[:1].upper()}{title[1:]}", finding.fix.place, finding.fix.text, preferred=True)


def silence_of(finding: Finding, text: str) -> Edit | None:
    """Return the comment that silences *finding* in its file, whose text is *text*; None where none can."""
    if finding.severity == "error" or finding.code.startswith(_ABOUT_COMMENTS) or not finding.place.line:
        return None
    rows = text.split("\n")
    if finding.place.line > len(rows):
        return None
    row = rows[finding.place.line - 1].rstrip("\r")
    for place, added in _comments(finding, row):
        rows_after = list(rows)
        before, after = row[: place.column - 1], row[place.end_column - 1 :]
        rows_after[place.line - 1] = before + added + after
        if _meaning(text) == _meaning("\n".join(rows_after)):
            return Edit(f"Silence {finding.code} on this line", place, added, preferred=False)
    return None


def _comments(finding: Finding, row: str) -> list[tuple[Place, str]]:
    """Return where a comment could stand, and how: in one that is there, behind the line, before it."""
    place = finding.place
    there = _IGNORES.search(row)
    if there is not None:
        codes = [*filter(None, (code.strip() for code in there[2].split(","))), finding.code]
        at = place._replace(column=there.start() + 1, end_column=there.end() + 1)
        return [(at, f"{there[1]}{', '.join(codes)}]")]
    comment = f"# eventdefs: ignore[{finding.code}]"
    end = len(row) + 1
    indent = row[: len(row) - len(row.lstrip(" "))]
    return [
        (place._replace(column=end, end_column=end), f"  {comment}"),
        (place._replace(column=1, end_column=1), f"{indent}{comment}\n"),
    ]


def _meaning(text: str) -> list[tuple[str, Any]] | None:
    """Return what a YAML parser makes of *text*, without places."""
    try:
        return [(type(event).__name__, getattr(event, "value", None)) for event in yaml.parse(text, Loader=_Loader)]
    except yaml.YAMLError:
        return None
