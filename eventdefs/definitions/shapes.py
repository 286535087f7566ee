"""Checks of the shape of definitions: which keys there are, of what kind. Each says what it expected and where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from collections.abc import Mapping as AnyMapping
from typing import Any

from eventdefs.definitions.findings import Findings
from eventdefs.definitions.source import MERGE, Mapping, Node, Scalar, Sequence
from eventdefs.definitions.yamltraps import missing_blank
from eventdefs.errors import Fix
from eventdefs.hints import did_you_mean, nearest

GUESSES = 20
"""For how many unknown keys of one mapping it is guessed what was meant, which takes longer than all the rest."""


def describe(node: Node) -> str:
    """Say what *node* is, in an operator's words."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    assert isinstance(node, Scalar)
    if node.value is None:
        return "nothing"
    if node.value is MERGE:
        return "<<"
    kind = {bool: "the truth value", int: "the number", float: "the number", str: "the text"}
    return f"{kind.get(type(node.value), 'the date')} {node.text!r}"


def size(node: Node | None) -> int:
    """Return how many entries or items *node* has; a scalar is one."""
    if isinstance(node, Sequence):
        return len(node.items)
    return len(node.entries()) if isinstance(node, Mapping) else 1


def as_mapping(node: Node, what: str, findings: Findings) -> Mapping | None:
    if isinstance(node, Mapping):
        return node
    hint, fix = "expected a mapping", None
    if isinstance(node, Sequence) and any(isinstance(item, Mapping) for item in node.items):
        in_line = findings.line(node.place)[node.place.column - 1 : node.place.column] == "["
        hint += ": {...} and not [...]" if in_line else ": write its keys without `- ` before them"
    elif isinstance(node, Scalar) and node.value is None and not node.text:
        hint += ", indented below its key"
    elif isinstance(node, Scalar) and (fixed := missing_blank(node.text)):
        hint += f": a blank stands after the colon, {fixed}"
        plain = node.place.end_column - node.place.column == len(node.text)
        fix = Fix(f"write {fixed}", node.place, fixed) if plain else None
    findings.add("E101", f"{what} is {describe(node)}", node.place, hint, fix=fix)
    return None


def as_text(node: Node, what: str, findings: Findings, hint: str = "expected text") -> str | None:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.value
    fix = None
    if isinstance(node, Scalar) and node.text:
        quoted = f"'{node.text}'"
        plain = node.place.end_column - node.place.column == len(node.text)
        fix = Fix(f"write {quoted}", node.place, quoted) if plain and hint.startswith("expected text") else None
        hint = f"{hint}; quote it: {quoted}"
    findings.add("E101", f"{what} is {describe(node)}", node.place, hint, fix=fix)
    return None


def as_flag(node: Node | None, what: str, findings: Findings, hint: str = "expected true or false") -> bool:
    if node is None:
        return False
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    findings.add("E101", f"{what} is {describe(node)}", node.place, hint)
    return False


def as_word(node: Node, what: str, words: Collection[str], findings: Findings, code: str = "E105") -> str | None:
    """Read one of a few words, letter case ignored."""
    known = ", ".join(words)
    if isinstance(node, Scalar) and isinstance(node.value, str):
        if node.value.lower() in words:
            return node.value.lower()
        near = nearest(node.value, words)
        fix = Fix(f"write {near}", node.place, near) if near else None
        hint = f"expected {known}{did_you_mean(node.value, words)}"
        findings.add(code, f"unknown {what} '{node.value}'", node.place, hint, fix=fix)
    else:
        findings.add(code, f"{what} is {describe(node)}", node.place, f"expected {known}")
    return None


def texts(node: Node, what: str, findings: Findings) -> list[tuple[str, Scalar]]:
    """Read a text, a list of texts, or the keys of a mapping (which Ceilometer takes for a list)."""
    if isinstance(node, Sequence):
        items: list[Node] = node.items
    elif isinstance(node, Mapping):
        items = [key for key, _ in node.entries().values()]
    else:
        items = [node]
    found = []
    for item in items:
        text = as_text(item, what, findings, "expected text or a list of texts")
        if text is not None and isinstance(item, Scalar):
            found.append((text, item))
    return found


def known_keys(
    mapping: Mapping,
    what: str,
    known: Collection[str],
    findings: Findings,
    belongs: Callable[[Node], str] = lambda node: "",
) -> None:
    """Warn of keys that nothing reads; *belongs* says where a value of an unknown key belongs, if it can tell."""
    unknown = 0
    for value, (key, node) in mapping.entries().items():
        if value in known:
            continue
        unknown += 1
        near = nearest(str(value), known) if unknown <= GUESSES else ""
        meant = f" (did you mean '{near}'?)" if near else ""
        hint = (not near and belongs(node)) or f"known keys are {', '.join(known)}{meant}"
        plain = near and near not in mapping.entries() and key.place.end_column - key.place.column == len(key.text)
        fix = Fix(f"write {near}", key.place, near) if plain else None
        findings.add("W101", f"unknown key {key.text!r} in {what}", key.place, hint, fix=fix)


def belonging(mapping: Mapping, hints: AnyMapping[str, str]) -> Callable[[Node], str]:
    """Return the `belongs` of `known_keys` that says of the keys in *hints* where they belong."""
    known = {id(value): hints[key.text] for key, value in mapping.entries().values() if key.text in hints}
    return lambda node: known.get(id(node), "")


def named_entries(mapping: Mapping, what: str, findings: Findings) -> Iterator[tuple[str, Scalar, Node]]:
    """Yield (name, key, value) of a mapping whose keys are names."""
    for value, (key, node) in mapping.entries().items():
        if isinstance(value, str):
            yield value, key, node
        else:
            fix = None if what == "a path" else Fix(f"write '{key.text}'", key.place, f"'{key.text}'")
            hint = f"quote it: '{key.text}'"
            findings.add("E103", f"the name of {what} is {describe(key)}", key.place, hint, fix=fix)


def required(mapping: Mapping, key: str, what: str, findings: Findings, example: str) -> Any:
    """Return the node of *key*, or None after saying that it is missing."""
    node = mapping.get(key)
    if node is None:
        findings.add("E102", f"{what} has no `{key}`", mapping.place, f"add {example}")
    return node
