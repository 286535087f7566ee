"""Event definitions compiled: one Python function for each, written once and run for every notification.

What `EventDefinition` says is turned into straight code: a key look-up for a path that is only keys, the coercion
of the trait's type, and nothing that depends on the definition is asked again. Names and keys that an operator wrote
enter the code as `repr` only; everything else is passed in its namespace. `explain_source` shows the code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from eventdefs.definitions.events import OWNER_TRAITS, EventDefinition, TraitDefinition
from eventdefs.definitions.fields import NO_CONSTANT
from eventdefs.definitions.paths import Path
from eventdefs.definitions.tenants import find_tenant
from eventdefs.errors import EventdefsError
from eventdefs.times import parse_time
from eventdefs.types import NO_TYPES, REASON, Conversion, Event, Notification, Problem, TraitType, excerpt, to_text

Convert = Callable[[Notification], Conversion]


def compile_event(definition: EventDefinition, priorities: frozenset[str], raw_priorities: frozenset[str]) -> Convert:
    """Return the function that makes the event of a notification to which *definition* applies."""
    writer = _Writer(definition, raw_priorities)
    code = compile(writer.source(), f"<{definition.ref.place}>", "exec")
    namespace = writer.namespace | {"PRIORITIES": priorities, "RAW": raw_priorities, "REF": definition.ref}
    exec(code, namespace)
    convert: Convert = namespace["convert"]
    return convert


def explain_source(definition: EventDefinition) -> str:
    """Return the code that is run for *definition*."""
    return _Writer(definition, frozenset()).source()


def _fail(problems: list[Problem], trait: TraitDefinition, value: Any, body: Any, error: Exception) -> bool:
    """Note that *trait* could not be read; return whether that rejects the notification."""
    if isinstance(error, EventdefsError):
        reason = str(error)
    elif trait.type is TraitType.DATETIME:
        reason = f"not a datetime: {error}" if isinstance(value, str) else "not a datetime: no text"
    else:
        reason = f"not {'an' if trait.type is TraitType.INT else 'a'} {trait.type.word}: {error}"
    path = trait.fields.path_of(value, body)
    problems.append(Problem("trait", trait.name, path, excerpt(value), excerpt(reason, REASON), trait.place))
    return trait.rejects


def _miss(problems: list[Problem], trait: TraitDefinition) -> bool:
    if not (problems and problems[-1].name == trait.name):  # else it was there, and the problem is said already
        problems.append(Problem("trait", trait.name, trait.fields.text, "", "required, and not there", trait.place))
    return True


_NAMESPACE: dict[str, Any] = {
    "Conversion": Conversion,
    "Event": Event,
    "EMPTY": {},
    "EventdefsError": EventdefsError,
    "FAILURES": (ValueError, TypeError, OverflowError, RecursionError),
    "fail": _fail,
    "find_tenant": find_tenant,
    "isfinite": math.isfinite,
    "NO_TYPES": NO_TYPES,
    "miss": _miss,
    "parse_time": parse_time,
    "to_text": to_text,
}

_COERCE = {
    TraitType.TEXT: ("str", "to_text"),
    TraitType.INT: ("int", "int"),
    TraitType.FLOAT: ("float", "float"),
    TraitType.DATETIME: (None, "parse_time"),
}


def _keys(path: Path) -> tuple[str, ...]:
    """Return the keys that *path* begins with, where it is keys and perhaps a split."""
    return path.names or (path.split[0] if path.split else ())


def _split(character: str, segment: int, count: int) -> tuple[str, ...]:
    """Return the code that makes of the text `value` its piece, None where there are not so many."""
    if segment == 0 and count:
        return (f"value = value.partition({character!r})[0]",)
    if segment == 1 and count == 1:
        return (f"value = value.partition({character!r})", "value = value[2] if value[1] else None")
    return (
        f"value = value.split({character!r}, {count})",
        f"value = value[{segment}] if len(value) > {segment} else None",
    )


class _Writer:
    """Writes the function of one definition."""

    def __init__(self, definition: EventDefinition, raw_priorities: frozenset[str]) -> None:
        self.namespace: dict[str, Any] = dict(_NAMESPACE)
        self._definition = definition
        self._raw = bool(raw_priorities)
        self._lines: list[str] = []
        self._mappings: dict[tuple[str, ...], str] = {(): "body.get"}

    def source(self) -> str:
        self._lines = [
            "def convert(notification):",
            " priority = notification.priority",
            " if priority not in PRIORITIES:",
            "  return Conversion(definition=REF)",
            " body = notification.body",
            " traits = {}",
            " types = {}",
            " problems = []",
            " rejected = False",
        ]
        for number, trait in enumerate(self._definition.traits):
            self._trait(number, trait)
        self._tenant()
        raw = "body if priority in RAW else EMPTY" if self._raw else "EMPTY"
        self._lines += [
            " if rejected:",
            "  return Conversion(None, (), (), tuple(problems), REF, True)",
            " event = Event(notification.message_id, notification.event_type, notification.timestamp, tenant or None,",
            f"  priority, notification.publisher_id, traits, types or NO_TYPES, {raw})",
            " if problems:",
            "  return Conversion(event, (), (), tuple(problems), REF)",
            " return Conversion(event, (), (), (), REF)",
        ]
        return "\n".join(self._lines) + "\n"

    def _trait(self, number: int, trait: TraitDefinition) -> None:
        fields = trait.fields
        self.namespace[f"T{number}"] = trait
        if fields.constant is not NO_CONSTANT:
            self._lines.append(f" value = T{number}.fields.constant")
        elif fields.plugin is not None:
            self._lines += [" try:", f"  value = T{number}.fields.first(body)"]
            self._except(number)
        else:
            # The first failure ends the search, so that all alternatives stand in one `try`.
            guarded = any(path.names is None and path.split is None for path in fields.paths)
            gets = [self._mapping(_keys(path)[:-1]) if _keys(path) else "" for path in fields.paths]
            indent = "  " if guarded else " "
            if guarded:
                self._lines.append(" try:")
            for place, (path, get) in enumerate(zip(fields.paths, gets, strict=True)):
                if place:
                    self._lines.append(f"{indent}if value is None:")
                self._alternative(f"T{number}_{place}", path, get, indent + " " * bool(place))
            if guarded:
                self._except(number)
        self._coerce(number, trait)
        if trait.required:
            self._lines += [f" if {trait.name!r} not in traits:", f"  rejected = miss(problems, T{number})"]

    def _except(self, number: int) -> None:
        self._lines += [
            " except EventdefsError as error:",
            "  value = None",
            f"  rejected = fail(problems, T{number}, None, body, error) or rejected",
        ]

    def _alternative(self, name: str, path: Path, get: str, indent: str) -> None:
        """Write how *path* is read into `value`."""
        if path.names:
            self._lines.append(f"{indent}value = {get}({path.names[-1]!r})")
        elif path.split:
            keys, character, segment, count = path.split
            self._lines += [
                f"{indent}value = {get}({keys[-1]!r})",
                f"{indent}if type(value) is not str: value = None",
                f"{indent}else:",
                *(f"{indent} {line}" for line in _split(character, segment, count)),
            ]
        else:
            self.namespace[name] = path.first
            self._lines.append(f"{indent}value = {name}(body)")

    def _mapping(self, keys: tuple[str, ...]) -> str:
        """Write the look-up of the mapping under *keys*, once; return the name of its `get`."""
        if keys not in self._mappings:
            get = self._mapping(keys[:-1])
            name = f"get{len(self._mappings)}"
            self._lines += [
                f" under = {get}({keys[-1]!r})",
                f" {name} = under.get if isinstance(under, dict) else EMPTY.get",
            ]
            self._mappings[keys] = name
        return self._mappings[keys]

    def _coerce(self, number: int, trait: TraitDefinition) -> None:
        exact, coerce = _COERCE[trait.type]
        target = f"traits[{trait.name!r}]"
        given = "value is not None" if trait.type is TraitType.TEXT else "value is not None and value != ''"
        if exact is None:
            self._lines.append(f" if {given}:")
        else:
            self._lines += [f" if type(value) is {exact}: {target} = value", f" elif {given}:"]
        is_time = trait.type is TraitType.DATETIME
        self._lines += [
            "  try:",
            f"   {target} = {coerce}(value)",
            *([f"   types[{trait.name!r}] = 'datetime'"] if is_time else []),
            "  except FAILURES as error:",
            f"   rejected = fail(problems, T{number}, value, body, error) or rejected",
        ]
        if trait.type is TraitType.FLOAT:
            self._lines.append(f" if not isfinite(traits.get({trait.name!r}, 0.0)): types[{trait.name!r}] = 'float'")

    def _tenant(self) -> None:
        payload = self._mapping(("payload",))
        self._lines.append(" tenant = None")
        for name in OWNER_TRAITS:
            if name in self._definition.written:
                self._lines += [
                    " if not tenant or type(tenant) is not str:",
                    f"  tenant = traits.get({name!r})",
                ]
        self._lines += [
            " if not tenant or type(tenant) is not str:",
            f"  tenant = {payload}('tenant_id')",
            "  if not tenant or type(tenant) is not str:",
            "   tenant = find_tenant(notification.event_type, body)",
        ]
