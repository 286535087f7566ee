"""Periods: claims that something ran from one time to another, as a sample definition with `period` makes them.

A claim is not usage: Trove repeats each hour some 59 times. What is counted is decided by whoever has all claims.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from eventdefs.definitions import shapes
from eventdefs.definitions.fields import Fields, FieldsParser
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.paths import Path
from eventdefs.definitions.source import Node, Scalar, Sequence
from eventdefs.types import Place

PERIOD_KEYS = ("begin", "end", "not_before", "while")
LONGEST = timedelta(days=366)


class PeriodDefinition(NamedTuple):
    """What a `period` says.

    Attributes:
        begin, end: of the claim.
        not_before: nothing before it counts; None without a bound.
        conditions: paths and the values of which one must be there for the claim to count.
        dimensions: what splits the usage, by name.
    """

    begin: Fields
    end: Fields
    not_before: Fields | None
    conditions: tuple[tuple[Path, tuple[Any, ...]], ...]
    dimensions: AnyMapping[str, Fields]
    place: Place


class PeriodParser:
    """Reads `period` and `dimensions`."""

    def __init__(self, findings: Findings, fields: FieldsParser) -> None:
        self._findings = findings
        self._fields = fields

    def parse(self, node: Node, dimensions: Node | None, what: str) -> PeriodDefinition | None:
        mapping = shapes.as_mapping(node, f"period of {what}", self._findings)
        if mapping is None:
            return None
        shapes.known_keys(mapping, f"period of {what}", PERIOD_KEYS, self._findings)
        times: dict[str, Fields | None] = {}
        for key in ("begin", "end", "not_before"):
            value = mapping.get(key)
            times[key] = None if value is None else self._fields.parse_fields(value, f"{key} of {what}")
            if value is None and key != "not_before":
                hint = f"add {key}: $.payload.audit_period_{key}ing"
                self._findings.add("E402", f"the period of {what} has no `{key}`", mapping.place, hint)
        conditions = self._conditions(mapping.get("while"), what)
        split = self._fields.parse_named(dimensions, "dimension", what)
        begin, end = times["begin"], times["end"]
        not_before = times["not_before"]
        if begin is None or end is None or conditions is None or split is None:
            return None
        if not_before is None and mapping.get("not_before") is not None:
            return None
        return PeriodDefinition(begin, end, not_before, conditions, split, mapping.place)

    def _conditions(self, node: Node | None, what: str) -> tuple[tuple[Path, tuple[Any, ...]], ...] | None:
        if node is None:
            return ()
        mapping = shapes.as_mapping(node, f"while of {what}", self._findings)
        if mapping is None:
            return None
        read: list[tuple[Path, tuple[Any, ...]]] = []
        complete = True
        for text, key, value in shapes.named_entries(mapping, "a path", self._findings):
            path = self._fields.parse_path(text, key, f"while of {what}")
            items = value.items if isinstance(value, Sequence) else [value]
            values = tuple(item.value for item in items if isinstance(item, Scalar))
            if len(values) != len(items) or not values:
                self._findings.add(
                    "E101", f"while of {what}: {shapes.describe(value)}", value.place, "expected a list of values"
                )
                path = None
            if path is None:
                complete = False
            else:
                read.append((path, values))
        return tuple(read) if complete else None


def check_span(begin: datetime, end: datetime) -> str:
    """Say what is wrong with a claim from *begin* to *end*, '' for nothing."""
    if end < begin:
        return f"ends before it begins, at {begin.isoformat()}"
    if end - begin > LONGEST:
        return f"is longer than {LONGEST.days} days"
    return ""
