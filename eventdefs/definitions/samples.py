"""Sample definitions: from nodes to the model, every problem of it said. The rules of `metric:` are Ceilometer's."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from typing import NamedTuple

from eventdefs.definitions import keys, shapes
from eventdefs.definitions.fields import Fields, FieldsParser
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.periods import PERIOD_KEYS, UNITS, PeriodDefinition, PeriodParser
from eventdefs.definitions.source import Mapping, Node, Scalar, Sequence
from eventdefs.errors import Fix
from eventdefs.hints import did_you_mean, nearest
from eventdefs.regexes import RegexError, compile_regex
from eventdefs.types import SAMPLE_TYPES, Place

ATTRIBUTES = keys.ATTRIBUTES
LITERALS = ("name", "type", "unit")
IDS = ("user_id", "project_id", "resource_id")
SAMPLE_KEYS = keys.names(keys.SAMPLE)


class SampleDefinition(NamedTuple):
    """How a meter is read.

    Attributes:
        name: as written; a path where one notification has several meters.
        event_types: regular expressions that match from the start.
        fields: of each attribute that the definition writes.
        metadata, user_metadata: what is kept about the resource.
        lookup: attributes that have one value for each of several samples; () for one sample.
        required: whether a notification without a volume is a problem, or just gives no sample.
        period: where the definition claims periods instead of giving samples.
        places: of each of `event_types`.
    """

    name: str
    event_types: tuple[str, ...]
    fields: AnyMapping[str, Fields]
    metadata: AnyMapping[str, Fields]
    user_metadata: Fields | None
    lookup: tuple[str, ...]
    required: bool
    period: PeriodDefinition | None
    place: Place
    description: str = ""
    places: tuple[Place, ...] = ()


class SampleParser:
    """Reads a mapping with `metric`."""

    def __init__(self, findings: Findings, fields: FieldsParser) -> None:
        self._findings = findings
        self._fields = fields
        self._periods = PeriodParser(findings, fields)

    def parse(self, root: Mapping) -> list[SampleDefinition]:
        """Return the definitions in file order, of two with one name the last.

        Those with `period` may have one name: together they say when the resources ran.
        """
        metric = root.get("metric")
        assert metric is not None
        if not isinstance(metric, Sequence):
            self._findings.add(
                "E101", f"metric is {shapes.describe(metric)}", metric.place, "expected a list of sample definitions"
            )
            return []
        read: dict[int, SampleDefinition] = {}
        named: dict[str, list[int]] = {}
        for number, item in enumerate(metric.items):
            definition = self._parse_definition(item)
            if definition is None:
                continue
            same = named.setdefault(definition.name, [])
            if same and (definition.period is None or read[same[0]].period is None):
                for before in same:
                    self.warn_of_two(read.pop(before), definition)
                same.clear()
            same.append(number)
            read[number] = definition
        self._check_one_unit(list(read.values()))
        return list(read.values())

    def warn_of_two(self, unused: SampleDefinition, used: SampleDefinition) -> None:
        self._findings.add(
            "W401",
            f"the sample definition {unused.name!r} is not used",
            unused.place,
            f"another of this name stands at {used.place}; names are unique",
        )

    def _parse_definition(self, node: Node) -> SampleDefinition | None:
        what = "a sample definition"
        mapping = shapes.as_mapping(node, what, self._findings)
        if mapping is None:
            return None
        if mapping.get("traits") is not None and mapping.get("volume") is None:
            hint = "event definitions stand in a file of their own, as a list without `metric:`"
            self._findings.add("E101", "an event definition among sample definitions", mapping.place, hint)
            return None
        name_node = mapping.get("name")
        if isinstance(name_node, Scalar) and name_node.text:
            what = f"the sample definition {name_node.text}"
        stray = dict.fromkeys(PERIOD_KEYS, "it stands under `period`: indent it")
        shapes.known_keys(mapping, what, SAMPLE_KEYS, self._findings, shapes.belonging(mapping, stray))
        if not self._findings.spend(sum(shapes.size(value) for _, value in mapping.entries().values()), mapping.place):
            return None
        lookup = self._lookup(mapping)
        period = mapping.get("period")
        fields: dict[str, Fields] = {}
        complete = lookup is not None
        for needed in keys.SAMPLE:
            key = needed.name
            value = mapping.get(key)
            missing = needed.required and (value is None or _is_empty(value, key))
            if missing and not (key == "volume" and period is not None):
                at = value.place if value is not None else mapping.place
                self._findings.add("E102", f"{what} has no `{key}`", at, f"add {needed.example}")
                complete = False
        for key in ATTRIBUTES:
            value = mapping.get(key)
            if value is not None and not _is_empty(value, key):
                read = self._fields.parse_fields(value, f"{key} of {what}", literal=key in LITERALS or key in IDS)
                complete = complete and read is not None
                if read is not None:
                    fields[key] = read
        if period is None and "type" not in (lookup or ()):
            complete = self._check_type(mapping.get("type")) and complete
        metadata = self._fields.parse_named(mapping.get("metadata"), "metadata", what)
        user_metadata = mapping.get("user_metadata")
        user_fields = None
        if user_metadata is not None and not _is_empty(user_metadata):
            user_fields = self._fields.parse_fields(user_metadata, f"user_metadata of {what}")
            complete = complete and user_fields is not None
        event_types = self._event_types(mapping.get("event_type"))
        claims = None
        if period is not None:
            claims = self._periods.parse(period, mapping.get("dimensions"), what)
            complete = self._check_usage(mapping, what) and complete and claims is not None
        elif mapping.get("dimensions") is not None:
            self._findings.add(
                "W101", "`dimensions` counts only beside `period`", mapping.key("dimensions").place, "remove it"
            )
        if not complete or metadata is None or not isinstance(name_node, Node):
            return None
        described = mapping.get("description")
        text = None if described is None else shapes.as_text(described, f"description of {what}", self._findings)
        name = name_node.text if isinstance(name_node, Scalar) else fields["name"].text
        return SampleDefinition(
            name,
            tuple(text for text, _ in event_types),
            fields,
            metadata,
            user_fields,
            lookup or (),
            mapping.get("required") is None
            or shapes.as_flag(mapping.get("required"), f"required of {what}", self._findings),
            claims,
            mapping.place,
            text or "",
            tuple(place for _, place in event_types),
        )

    def _lookup(self, mapping: Mapping) -> tuple[str, ...] | None:
        node = mapping.get("lookup")
        if node is None:
            return ()
        if isinstance(node, Scalar) and not isinstance(node.value, str):
            self._findings.add(
                "E101", f"lookup is {shapes.describe(node)}", node.place, "expected a list of attributes"
            )
            return None
        words = shapes.texts(node, "lookup", self._findings)
        for text, at in words:
            if text not in keys.LOOKUP:
                hint = f"known are {', '.join(keys.LOOKUP)}{did_you_mean(text, keys.LOOKUP)}"
                near = nearest(text, keys.LOOKUP)
                plain = at.place.end_column - at.place.column == len(text)
                fix = Fix(f"write {near}", at.place, near) if near and plain else None
                self._findings.add("W101", f"lookup has an unknown attribute {text!r}", at.place, hint, fix=fix)
        return tuple(text for text, _ in words)

    def _check_type(self, node: Node | None) -> bool:
        if node is None or _is_empty(node) or (isinstance(node, Scalar) and node.value in SAMPLE_TYPES):
            return True
        if isinstance(node, Scalar) and node.text.startswith(("$", "payload.")):
            hint = f"expected {', '.join(SAMPLE_TYPES)}; a type that is read is looked up: add lookup: [type]"
            self._findings.add("E401", f"unknown sample type '{node.text[:80]}'", node.place, hint)
            return False
        shapes.as_word(node, "sample type", SAMPLE_TYPES, self._findings, "E401")
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.lower() in SAMPLE_TYPES:
            self._findings.add("E401", f"sample type '{node.value}'", node.place, "written in lower case")
        return False

    def _check_one_unit(self, definitions: list[SampleDefinition]) -> None:
        """Check that the definitions that make one meter of usage say one unit."""
        first: dict[str, Fields] = {}
        for definition in definitions:
            unit = definition.fields["unit"]
            other = first.setdefault(definition.name, unit) if definition.period is not None else unit
            if unit.literal != other.literal:
                message = (
                    f"the unit of {definition.name} is {unit.literal!r} here and {other.literal!r} at {other.place}"
                )
                self._findings.add("E403", message, unit.place, "a meter has one unit")

    def _check_usage(self, mapping: Mapping, what: str) -> bool:
        """Check the unit and the type of a definition with `period`."""
        fine = True
        for key, known in (("unit", UNITS), ("type", ("delta",))):
            node = mapping.get(key)
            if node is not None and not _is_empty(node) and not (isinstance(node, Scalar) and node.value in known):
                said = shapes.describe(node)
                hint = f"expected {', '.join(known)}: with `period` it is usage of time, in delta samples"
                self._findings.add("E403", f"{key} of {what} is {said}", node.place, hint)
                fine = False
        return fine

    def _event_types(self, node: Node | None) -> list[tuple[str, Place]]:
        if node is None:
            return []
        read = []
        for text, at in shapes.texts(node, "event_type", self._findings):
            try:
                compile_regex(text)
            except RegexError as error:
                hint = "sample definitions have regular expressions, not globs: .* for any text, \\. for a dot"
                fixed = text.replace(".", "\\.").replace("*", ".*")
                is_glob = re.fullmatch(r"[\w.*-]+", text) is not None and at.text == text
                fix = Fix(f"write {fixed}", at.place, f"'{fixed}'") if is_glob else None
                self._findings.add("E202", f"event_type '{text[:80]}' is {error}", at.place, hint, fix=fix)
            else:
                read.append((text, at.place))
        return read


def _is_empty(node: Node, key: str = "") -> bool:
    """Tell whether Ceilometer takes *node* for missing; a volume of 0 is a volume."""
    if isinstance(node, Scalar):
        return not node.value and (key != "volume" or isinstance(node.value, (bool, str, type(None))))
    return not node.items if isinstance(node, Sequence) else isinstance(node, Mapping) and not node.pairs
