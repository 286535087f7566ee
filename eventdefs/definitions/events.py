"""Event definitions: from nodes to the model, every problem of it said."""

from __future__ import annotations

from typing import NamedTuple

from eventdefs.definitions import keys, shapes
from eventdefs.definitions.fields import NO_CONSTANT, Fields, FieldsParser
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.paths import parse_path
from eventdefs.definitions.patterns import Pattern, parse_pattern
from eventdefs.definitions.source import Mapping, Node, Scalar, Sequence
from eventdefs.types import TRAIT_TYPES, DefinitionRef, Place, TraitType, excerpt

EVENT_KEYS = keys.names(keys.EVENT)
TRAIT_KEYS = keys.names(keys.TRAIT)
ON_ERROR = tuple(keys.ON_ERROR_WORDS)

OWNER_TRAITS = ("project_id", "tenant_id")
"""Traits that name the tenant of the event where a definition writes them itself."""


class TraitDefinition(NamedTuple):
    """How one trait is read: whence, as what type, and what happens when it fails or is missing."""

    name: str
    type: TraitType
    fields: Fields
    place: Place
    required: bool = False
    rejects: bool = False
    description: str = ""


class EventDefinition(NamedTuple):
    """What one entry of a definition file says, default traits included.

    Attributes:
        written: names of the traits that the entry itself writes.
        places: of each glob, in the order of `ref.patterns`.
    """

    ref: DefinitionRef
    pattern: Pattern
    traits: tuple[TraitDefinition, ...]
    written: frozenset[str]
    places: tuple[Place, ...] = ()


_DEFAULTS: dict[str, tuple[str, ...]] = {
    "service": ("publisher_id",),
    "request_id": ("ctxt.request_id",),
    "project_id": ("payload.tenant_id", "ctxt.project_id"),
    "user_id": ("payload.user_id", "ctxt.user_id"),
    "tenant_id": ("payload.tenant_id", "ctxt.project_id"),
}

BUILT_IN = Place("built in")


def default_traits() -> dict[str, TraitDefinition]:
    """Return the traits that every event has, unless its definition writes them otherwise."""
    return {
        name: TraitDefinition(
            name,
            TraitType.TEXT,
            Fields(NO_CONSTANT, tuple(parse_path(path) for path in paths), None, None, BUILT_IN),
            BUILT_IN,
        )
        for name, paths in _DEFAULTS.items()
    }


def catch_all() -> EventDefinition:
    """Return the definition that is added where none applies to everything: only the default traits."""
    return EventDefinition(
        DefinitionRef(("*",), BUILT_IN, "the default traits", implicit=True),
        parse_pattern(["*"]),
        tuple(default_traits().values()),
        frozenset(),
    )


def _belongs(node: Node) -> str:
    """Say where the value of an unknown key belongs, where it looks like a trait."""
    is_trait = isinstance(node, Mapping) and node.get("fields") is not None
    is_path = isinstance(node, Scalar) and isinstance(node.value, str) and node.value.startswith(("payload.", "ctxt."))
    return "indent it under `traits`, where traits stand" if is_trait or is_path else ""


class EventParser:
    """Reads a list of event definitions."""

    def __init__(self, findings: Findings, fields: FieldsParser) -> None:
        self._findings = findings
        self._fields = fields
        self._defaults = default_traits()
        self._traits: dict[tuple[int, str], TraitDefinition | None] = {}

    def parse(self, root: Sequence) -> list[EventDefinition]:
        """Return the definitions; what cannot be read is left out after it was said."""
        read = (self._parse_definition(item) for item in root.items)
        return [definition for definition in read if definition is not None]

    def _parse_definition(self, node: Node) -> EventDefinition | None:
        mapping = shapes.as_mapping(node, "an event definition", self._findings)
        if mapping is None:
            return None
        if mapping.get("traits") is None and (mapping.get("volume") or mapping.get("unit")) is not None:
            hint = "sample definitions stand in a file of their own, as a list under `metric:`"
            self._findings.add("E101", "a sample definition among event definitions", mapping.place, hint)
            return None
        what = "an event definition"
        shapes.known_keys(mapping, what, EVENT_KEYS, self._findings, _belongs)
        event_type = shapes.required(
            mapping, "event_type", what, self._findings, keys.example(keys.EVENT, "event_type")
        )
        traits = shapes.required(mapping, "traits", what, self._findings, keys.example(keys.EVENT, "traits"))
        if not self._findings.spend(shapes.size(event_type) + shapes.size(traits), mapping.place):
            return None
        texts = [] if event_type is None else shapes.texts(event_type, "event_type", self._findings)
        globs = [text for text, _ in texts]
        description = mapping.get("description")
        text = None if description is None else shapes.as_text(description, "description", self._findings)
        read = dict(self._defaults)
        written = {} if traits is None else self._parse_traits(traits)
        if event_type is None or traits is None:
            return None
        read.update(written)
        ref = DefinitionRef(tuple(globs), mapping.place, text or "")
        places = tuple(at.place for _, at in texts)
        return EventDefinition(ref, parse_pattern(globs), tuple(read.values()), frozenset(written), places)

    def _parse_traits(self, node: Node) -> dict[str, TraitDefinition]:
        empty = (isinstance(node, Sequence) and not node.items) or (isinstance(node, Scalar) and node.value == "")
        if empty:  # which Ceilometer takes for no traits
            return {}
        mapping = shapes.as_mapping(node, "traits", self._findings)
        traits = {}
        beside = set() if mapping is None else self._beside(mapping)
        for name, key, value in () if mapping is None else shapes.named_entries(mapping, "a trait", self._findings):
            if name in beside:
                continue
            # Anchors make one node stand under many definitions: it is read, and complained of, once.
            known = (id(value), name)
            if known not in self._traits:
                self._traits[known] = self._parse_trait(name, key, value)
            trait = self._traits[known]
            if trait is not None:
                traits[name] = trait
        return traits

    def _beside(self, traits: Mapping) -> set[str]:
        """Say which traits are empty because what they say stands beside them; return these and the keys beside."""
        written = traits.entries()
        stray = [name for name in ("fields", "type", "plugin") if name in written]
        empty = [key for key, value in written.values() if isinstance(value, Scalar) and value.value is None]
        empty = [key for key in empty if isinstance(key.value, str)] if "fields" in stray else []
        for key in empty:
            hint = f"{' and '.join(stray)} {'stand' if len(stray) > 1 else 'stands'} beside it: indent below it"
            self._findings.add("E101", f"the trait {key.text} is nothing", key.place, hint)
        return {*(key.text for key in empty), *stray} if empty else set()

    def _parse_trait(self, name: str, key: Scalar, node: Node) -> TraitDefinition | None:
        what = f"the trait {name}"
        kind = TraitType.TEXT
        required = rejects = False
        description = None
        if isinstance(node, Mapping):
            type_node = node.get("type")
            if type_node is not None:
                word = shapes.as_word(type_node, "trait type", TRAIT_TYPES, self._findings, "E104")
                kind = TRAIT_TYPES.get(word or "", kind)
            required = shapes.as_flag(node.get("required"), f"required of {what}", self._findings)
            on_error = node.get("on_error")
            if on_error is not None:
                rejects = shapes.as_word(on_error, f"on_error of {what}", ON_ERROR, self._findings) == "reject"
            described = node.get("description")
            if described is not None:
                description = shapes.as_text(described, f"description of {what}", self._findings)
        fields = self._fields.parse_fields(node, what, known=TRAIT_KEYS)
        if fields is None:
            return None
        if fields.constant is not NO_CONSTANT:
            try:
                kind.coerce(fields.constant)
            except (ValueError, TypeError, OverflowError):
                self._findings.add(
                    "W103",
                    f"{excerpt(fields.constant)} can never be a {kind.word}",
                    fields.place,
                    f"expected a {kind.word}",
                )
        return TraitDefinition(name, kind, fields, key.place, required, rejects, description or "")
