"""Findings on texts that YAML reads as something else: `on` is true, 12:30 is 750, 2015-10-01 is a date."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from eventdefs.definitions.findings import Findings
from eventdefs.definitions.source import Mapping, Node, Scalar
from eventdefs.definitions.source import Sequence as ListNode
from eventdefs.errors import Fix

FLAGS = ("required", "case_sensitive", "closes")
"""Keys whose values are true or false, however they are written."""
_TRUTH = ("on", "off", "yes", "no")
_ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")


def check_scalars(roots: Sequence[Node | None], findings: Findings) -> None:
    """Look at the values of all documents that are no text; what is said of one already is not said again."""
    said = {one.place for one in findings.in_order()}
    for node in _values(roots):
        means = _means(node)
        if means and node.place not in said:
            fix = Fix(f"write '{node.text}'", node.place, f"'{node.text}'")
            hint = f"if it is text, quote it: '{node.text}'"
            findings.add("W003", f"{node.text} is {means}", node.place, hint, fix=fix)


def _values(roots: Sequence[Node | None]) -> Iterator[Scalar]:
    """Yield each scalar that is a value or an item, or is looked up in the values of a plugin, once."""
    waiting = [root for root in roots if root is not None]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, ListNode):
            waiting += node.items
        elif isinstance(node, Mapping):
            waiting += [
                value
                for key, value in node.pairs
                if not (isinstance(key, Scalar) and key.text in FLAGS and isinstance(value, Scalar))
            ]
            looked_up = next(
                (value for key, value in node.pairs if isinstance(key, Scalar) and key.text == "values"), None
            )
            waiting += [key for key, _ in looked_up.pairs] if isinstance(looked_up, Mapping) else []


def _means(node: Scalar) -> str:
    """Return what *node* is, where it does not look it; else ''."""
    value = node.value
    if isinstance(value, bool) and node.text.lower() in _TRUTH:
        return f"the truth value {str(value).lower()} in YAML"
    if isinstance(value, (int, float)) and _ODD_NUMBER.fullmatch(node.text):
        return f"the number {value} in YAML"
    return "a date in YAML" if isinstance(value, date) else ""
