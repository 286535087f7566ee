"""Values in test files: what stands in a node, as a notification has it or as an event has it.

The two differ in times. JSON has none, so that in a notification a time is the text as written; an event has datetimes
in UTC. Nothing here reads a file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import yaml

from eventdefs.definitions import source
from eventdefs.definitions.source import MAX_VALUE_NODES, Node, Scalar
from eventdefs.times import utc_text

Bindings = Mapping[str, Node]
"""What `each` gives for the names that stand in angle brackets."""

PLACEHOLDER = re.compile(r"<([\w.-]+)>")


def payload_value(node: Node, bindings: Bindings) -> Any:
    """Return *node* as a notification has it: a time is the text as it is written.

    Raises:
        ValueError: it unfolds to too much, or contains itself.
    """
    return _unfold(node, bindings, lambda leaf: leaf.text if isinstance(leaf.value, date) else leaf.value)


def expected_value(node: Node, bindings: Bindings) -> Any:
    """Return *node* as an event has it: a time is a datetime, in UTC where it has no zone.

    Raises:
        ValueError: it unfolds to too much, or contains itself.
    """
    return _unfold(node, bindings, lambda leaf: as_time(leaf.value) if isinstance(leaf.value, date) else leaf.value)


def as_time(value: date) -> datetime:
    """Return what YAML made of a time as an event has it."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _unfold(node: Node, bindings: Bindings, read: Callable[[Scalar], Any]) -> Any:
    budget = MAX_VALUE_NODES

    def value(node: Node, above: tuple[Node, ...], bindings: Bindings) -> Any:
        nonlocal budget
        budget -= 1
        if budget < 0:
            raise ValueError(f"unfolds to more than {MAX_VALUE_NODES:,} values")
        if isinstance(node, Scalar):
            if bindings and isinstance(node.value, str):
                whole = PLACEHOLDER.fullmatch(node.value)
                if whole is not None and whole[1] in bindings:
                    return value(bindings[whole[1]], above, {})
                return fill(node.value, bindings)
            return read(node)
        if node in above:
            raise ValueError("contains itself")
        above = (*above, node)
        if isinstance(node, source.Sequence):
            return [value(item, above, bindings) for item in node.items]
        assert isinstance(node, source.Mapping)
        # Keys are text, whatever YAML makes of them: those of JSON and of traits are.
        return {
            fill(key if isinstance(key, str) else at.text, bindings): value(item, above, bindings)
            for key, (at, item) in node.entries().items()
        }

    return value(node, (), bindings)


def fill(text: str, bindings: Bindings) -> str:
    """Return *text* with `<name>` replaced by what *bindings* have for it, as it is written there."""

    def text_of(found: re.Match[str]) -> str:
        node = bindings.get(found[1])
        return node.text if isinstance(node, Scalar) else found[0]

    return PLACEHOLDER.sub(text_of, text) if bindings and "<" in text else text


def placeholders(node: Node) -> list[tuple[str, Scalar]]:
    """Return the names in angle brackets in *node*, each with the text it stands in."""
    found: list[tuple[str, Scalar]] = []
    waiting, seen = [node], {id(node)}
    while waiting:
        here = waiting.pop()
        if isinstance(here, Scalar):
            if isinstance(here.value, str) and "<" in here.value:
                found += [(name, here) for name in PLACEHOLDER.findall(here.value)]
            continue
        below = here.items if isinstance(here, source.Sequence) else []
        if isinstance(here, source.Mapping):
            below = [one for pair in here.entries().values() for one in pair]
        for one in below:
            if id(one) not in seen:
                seen.add(id(one))
                waiting.append(one)
    return found


def same(expected: Any, got: Any) -> bool:
    """Tell whether two values are equal and of one type, all the way down: 4 is neither 4.0 nor '4' nor True."""
    if isinstance(expected, dict):
        return (
            isinstance(got, Mapping)
            and expected.keys() == got.keys()
            and all(same(item, got[key]) for key, item in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(got, (list, tuple))
            and len(expected) == len(got)
            and all(same(one, other) for one, other in zip(expected, got, strict=True))
        )
    if type(expected) is not type(got):
        return False
    if isinstance(expected, float) and math.isnan(expected):
        return math.isnan(got)
    return bool(expected == got)


# --- written ---------------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Writes a value on one line, so that what is read of it is the same: times without quotes, texts as texts."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # A text with a < may be taken for a name of `each` by people, never by the reader, which needs a known name.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


def _represent_time(dumper: yaml.SafeDumper, time: datetime) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:timestamp", time_text(time))


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(datetime, _represent_time)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*", re.ASCII).fullmatch
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def time_text(time: datetime) -> str:
    return utc_text(time)


def written(value: Any) -> str:
    """Return *value* as YAML has it, on one line; read again it is the same value of the same type."""
    if isinstance(value, str) and _PLAIN(value) and value.lower() not in _WORDS:
        return value
    if type(value) is int:
        return str(value)
    try:
        text = yaml.dump(
            value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1 << 30
        )
    except UnicodeError:  # a lone surrogate, which YAML cannot have
        return ascii(value)
    return str(text).removesuffix("...\n").rstrip("\n")
