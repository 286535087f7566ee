"""Comments that silence findings: `# eventdefs: ignore[W203]` at the end of a line, or on the line before it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eventdefs.definitions.findings import CODES, Findings
from eventdefs.definitions.source import Mapping, Node, Scalar
from eventdefs.definitions.source import Sequence as ListNode
from eventdefs.errors import Finding
from eventdefs.hints import did_you_mean
from eventdefs.types import Place

_ENDLESS = 1 << 31
ELSEWHERE = "5"
"""The family of codes that are said only where there are recorded notifications."""
_COMMENT = re.compile(r"(?:^|\s)#\s*eventdefs:\s*ignore\b(?:\s*\[([^\]]*)\])?")


class _Silence(NamedTuple):
    """What one comment silences: codes on one line."""

    codes: tuple[str, ...]
    line: int
    place: Place


def silence(
    found: Sequence[Finding], texts: Sequence[tuple[str, str]], roots: Sequence[Node | None], findings: Findings
) -> tuple[Finding, ...]:
    """Return *found* without what comments silence, and with what is wrong about the comments."""
    silenced: set[int] = set()
    for (file, text), root in zip(texts, roots, strict=True):
        if "eventdefs:" not in text:
            continue
        on_line: dict[int, list[int]] = {}
        for number, one in enumerate(found):
            if one.place.file == file:
                on_line.setdefault(one.place.line, []).append(number)
        for comment in _comments(file, text, root, findings):
            hits = [number for number in on_line.get(comment.line, ()) if found[number].code in comment.codes]
            silenced.update(number for number in hits if found[number].severity != "error")
            used = {found[number].code for number in hits}
            for code in comment.codes:
                if code.startswith("E"):
                    findings.add("W902", f"{code} cannot be silenced", comment.place, "an error is put right")
                elif code in CODES and code not in used and code[1] not in ELSEWHERE:
                    findings.add("W901", f"{code} does not occur on line {comment.line}", comment.place, "remove it")
    kept = {id(one) for number, one in enumerate(found) if number not in silenced}
    before = {id(one) for one in found}
    return tuple(one for one in findings.in_order() if id(one) in kept or id(one) not in before)


def _comments(file: str, text: str, root: Node | None, findings: Findings) -> Iterator[_Silence]:
    spans = _scalars(root) if root is not None else {}
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line)
        if match is None:
            continue
        column = match.start() + match[0].index("#") + 1
        if any(begin < column < end for begin, end in spans.get(number, ())):
            continue
        place = Place(file, number, column, match.end() + 1)
        codes = tuple(code.strip() for code in (match[1] or "").split(",") if code.strip())
        if not codes:
            hint = "name what is silenced, as # eventdefs: ignore[W203]"
            findings.add("W902", "a comment that silences no code", place, hint)
            continue
        for code in codes:
            if code not in CODES:
                hint = f"see eventdefs lint --explain{did_you_mean(code, CODES)}"
                findings.add("W902", f"there is no finding {code}", place, hint)
        yield _Silence(codes, _about(lines, number), place)


def _about(lines: Sequence[str], number: int) -> int:
    """Return the line that a comment on line *number* is about: the next with content, where it stands alone."""
    if not lines[number - 1].lstrip().startswith("#"):
        return number
    while number < len(lines) and (not lines[number].strip() or lines[number].lstrip().startswith("#")):
        number += 1
    return number + 1


def _scalars(root: Node) -> dict[int, list[tuple[int, int]]]:
    """Return the columns that texts take on each line."""
    spans: dict[int, list[tuple[int, int]]] = {}
    waiting: list[Node] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Scalar):
            spans.setdefault(node.place.line, []).append((node.place.column, node.place.end_column))
            for line in range(node.place.line + 1, node.last_line + 1):
                spans.setdefault(line, []).append((0, _ENDLESS))
        elif isinstance(node, ListNode):
            waiting += node.items
        elif isinstance(node, Mapping):
            for key, value in node.pairs:
                waiting += (key, value)
    return spans
