"""Periods: claims that something ran from one time to another, as a sample definition with `period` makes them.

A claim is not usage: Trove repeats each hour some 59 times. What is counted is decided by the ledger (see metering/),
which has all claims.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from eventdefs.definitions import keys, shapes
from eventdefs.definitions.fields import Fields, FieldsParser
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.paths import Path
from eventdefs.definitions.source import Mapping, Node, Scalar, Sequence
from eventdefs.types import Place

PERIOD_KEYS = keys.names(keys.PERIOD)
LONGEST = timedelta(days=366)
UNITS = tuple(keys.USAGE_UNIT_WORDS)
"""The units that usage can have."""
_LENGTH = re.compile(r"(\d+) ?(s|min|h|d)").fullmatch
_LENGTH_OF = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

Conditions = tuple[tuple[Path, tuple[Any, ...]], ...]
"""Paths, and the values of which one must be there."""


class PeriodDefinition(NamedTuple):
    """What a `period` says.

    Attributes:
        begin, end: of the claim; a claim without `begin` has a length.
        length: of a claim that says only when it ends.
        not_before, not_after: nothing beyond them counts; None without a bound.
        conditions: must all hold for the claim to count; else it says that the resource was there and idle.
        closes: must all hold for the resource to be gone at the end; () for always, None for never.
        dimensions: what splits the usage, by name.
        places: of each of `conditions`, then of `closes`.
    """

    begin: Fields | None
    end: Fields
    length: timedelta | None
    not_before: Fields | None
    not_after: Fields | None
    conditions: Conditions
    closes: Conditions | None
    dimensions: AnyMapping[str, Fields]
    place: Place
    places: tuple[Place, ...] = ()


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
        complete = True
        for key in ("begin", "end", "not_before", "not_after"):
            value = mapping.get(key)
            times[key] = None if value is None else self._fields.parse_fields(value, f"{key} of {what}")
            complete = complete and (value is None or times[key] is not None)
        length = mapping.get("length")
        lasts = None if length is None else self._length(length, what)
        if mapping.get("end") is None:
            hint = "add end: $.payload.audit_period_ending"
            self._findings.add("E402", f"the period of {what} has no `end`", mapping.place, hint)
        if mapping.get("begin") is None and length is None:
            hint = "add begin: $.payload.audit_period_beginning, or length: 1h"
            self._findings.add("E402", f"the period of {what} has no `begin`", mapping.place, hint)
        elif mapping.get("begin") is not None and length is not None:
            hint = "remove one: the length is of a period that says only when it ends"
            at = mapping.key("length").place
            self._findings.add("E402", f"the period of {what} has `begin` and `length`", at, hint)
            complete = False
        conditions = self._conditions(mapping.get("while"), f"while of {what}")
        closes = self._closes(mapping.get("closes"), f"closes of {what}")
        split = self._fields.parse_named(dimensions, "dimension", what)
        begin, end = times["begin"], times["end"]
        if not complete or end is None or (begin is None) == (lasts is None):
            return None
        if conditions is None or closes is False or split is None:
            return None
        return PeriodDefinition(
            begin,
            end,
            lasts,
            times["not_before"],
            times["not_after"],
            conditions,
            closes,
            split,
            mapping.place,
            (*_key_places(mapping.get("while")), *_key_places(mapping.get("closes"))),
        )

    def _length(self, node: Node, what: str) -> timedelta | None:
        found = _LENGTH(node.value) if isinstance(node, Scalar) and isinstance(node.value, str) else None
        if found is not None:
            length = int(found[1]) * _LENGTH_OF[found[2]] if len(found[1]) < 9 else LONGEST * 2
            if timedelta() < length <= LONGEST:
                return length
        hint = f"expected a time of at most {LONGEST.days} days, as 1h, 90 min or 60s"
        self._findings.add("E101", f"length of {what} is {shapes.describe(node)}", node.place, hint)
        return None

    def _closes(self, node: Node | None, what: str) -> Conditions | Literal[False] | None:
        """Return when the period ends its resource; False after saying that it cannot be read."""
        if isinstance(node, Mapping):
            conditions = self._conditions(node, what)
            return False if conditions is None else conditions
        if node is None:
            return None
        return () if shapes.as_flag(node, what, self._findings, "expected true, false or paths and values") else None

    def _conditions(self, node: Node | None, what: str) -> Conditions | None:
        if node is None:
            return ()
        mapping = shapes.as_mapping(node, what, self._findings)
        if mapping is None:
            return None
        read: list[tuple[Path, tuple[Any, ...]]] = []
        complete = True
        for text, key, value in shapes.named_entries(mapping, "a path", self._findings):
            path = self._fields.parse_path(text, key, what)
            items = value.items if isinstance(value, Sequence) else [value]
            values = tuple(item.value for item in items if isinstance(item, Scalar))
            if len(values) != len(items) or not values:
                self._findings.add(
                    "E101", f"{what}: {shapes.describe(value)}", value.place, "expected a list of values"
                )
                path = None
            if path is None:
                complete = False
            else:
                read.append((path, values))
        return tuple(read) if complete else None


def _key_places(node: Node | None) -> list[Place]:
    keys = [key for key, _ in node.entries().values()] if isinstance(node, Mapping) else []
    return [key.place for key in keys if isinstance(key.value, str)]


def check_span(begin: datetime, end: datetime) -> str:
    """Say what is wrong with a claim from *begin* to *end*, '' for nothing."""
    if end < begin:
        return f"ends before it begins, at {begin.isoformat()}"
    if end - begin > LONGEST:
        return f"is longer than {LONGEST.days} days"
    return ""
