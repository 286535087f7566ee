"""What of the definitions the cases reached: definitions, patterns, traits and each of their alternatives, meters.

An item is known by its place, so that sets of definitions that share a file are counted together. Nothing here reads a
file.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from eventdefs.definitions.derive import PeriodConverter, SampleConverter
from eventdefs.definitions.events import EventDefinition
from eventdefs.definitions.fields import NO_CONSTANT, Fields
from eventdefs.definitions.options import lowered
from eventdefs.definitions.registry import Definitions
from eventdefs.definitions.samples import SampleDefinition
from eventdefs.errors import EventdefsError
from eventdefs.regexes import RegexError, starts_with
from eventdefs.types import Conversion, Notification, Period, Place, Sample

KINDS = ("definitions", "patterns", "traits", "alternatives", "meters", "attributes", "periods")
"""What is counted. A meter has attributes, a definition with `period` is a period; alternatives are those of both."""


class Item(NamedTuple):
    """Something that a case can reach.

    Attributes:
        of: the definition that it belongs to, '' for a definition itself; the first, where an anchor gives it several.
        whole: the place of what it is one of several ways of: the fields of an alternative, the definition of a
            pattern.
    """

    kind: str
    place: Place
    name: str
    of: str = ""
    whole: Place = Place("")

    @property
    def key(self) -> tuple[str, Place, str]:
        return self.kind, self.place, self.name


class Coverage:
    """Counts how often each item was reached. `add` is called for every conversion."""

    def __init__(self) -> None:
        self._hits: dict[tuple[str, Place, str], int] = {}
        self._items: dict[tuple[str, Place, str], Item] = {}
        self._sets: dict[int, tuple[Definitions, _Set]] = {}

    def add_definitions(self, definitions: Definitions) -> _Set:
        """Note what there is to reach."""
        known = self._sets.get(id(definitions))
        if known is None:
            known = self._sets[id(definitions)] = (definitions, _Set(definitions))
            for item in known[1].items():
                self._items.setdefault(item.key, item)
                self._hits.setdefault(item.key, 0)
        return known[1]

    def add(self, definitions: Definitions, notification: Notification, conversion: Conversion) -> None:
        """Count what *conversion* of *notification* reached."""
        for item in self.add_definitions(definitions).reached(notification, conversion):
            self._hits[item.key] += 1

    @property
    def hits(self) -> dict[Item, int]:
        """How often each item was reached."""
        return {item: self._hits[key] for key, item in self._items.items()}

    def counts(self, file: str | None = None) -> dict[str, tuple[int, int]]:
        """Return kind -> (reached, total), of one file or of all."""
        counted = dict.fromkeys(KINDS, (0, 0))
        for item, hits in self.hits.items():
            if file is None or item.place.file == file:
                reached, total = counted[item.kind]
                counted[item.kind] = (reached + (hits > 0), total + 1)
        return counted

    @property
    def percent(self) -> float:
        """How much of all items was reached; 100 where there are none."""
        return 100.0 * sum(hits > 0 for hits in self._hits.values()) / len(self._hits) if self._hits else 100.0

    def missed(self) -> list[Item]:
        """Return what was not reached, in the order of the files."""
        files = self.files()
        missed = (item for item, hits in self.hits.items() if not hits)
        return sorted(missed, key=lambda item: (files.index(item.place.file), item.place))

    def files(self) -> list[str]:
        return list(dict.fromkeys(item.place.file for item in self.hits))


class _Set:
    """One set of definitions: which items each of its definitions has, and which of them a notification reaches."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._events = {id(definition.ref): definition for definition in definitions.events}
        self._priorities = lowered(definitions.options.sample_priorities)
        self._exclusions: dict[str, tuple[Item, ...]] = {}

    def items(self) -> Iterator[Item]:
        for event in self._definitions.events:
            yield _definition(event)
            for number in range(len(event.places)):
                yield _glob(event, number)
            for trait in event.traits:
                if trait.name in event.written:
                    yield Item("traits", trait.place, trait.name, str(event.ref))
                    yield from _alternatives(trait.fields, trait.name, str(event.ref))
        for sample in self._definitions.samples:
            yield _meter(sample)
            for number in range(len(sample.places)):
                yield _expression(sample, number)
            for name, fields in _attributes(sample):
                yield Item("attributes", fields.place, name, sample.name)
                yield from _alternatives(fields, name, sample.name)

    def reached(self, notification: Notification, conversion: Conversion) -> Iterator[Item]:
        event = self._events.get(id(conversion.definition))
        if event is not None and (conversion.event is not None or conversion.rejected):
            yield _definition(event)
            for number, glob in enumerate(event.ref.patterns):
                if not glob.startswith("!") and _matches(notification.event_type, glob):
                    yield _glob(event, number)
            yield from self._traits(event, notification, conversion)
        yield from self._excluded(notification.event_type)
        if conversion.samples or conversion.periods:
            for sample in self._definitions.find_samples(notification.event_type):
                yield from self._sample(sample, notification)

    def _traits(self, event: EventDefinition, notification: Notification, conversion: Conversion) -> Iterator[Item]:
        given: Mapping[str, Any] = {} if conversion.event is None else conversion.event.traits
        for trait in event.traits:
            if trait.name in event.written and trait.name in given:
                yield Item("traits", trait.place, trait.name, str(event.ref))
                if len(trait.fields.paths) > 1:
                    for number in used_paths(trait.fields, notification.body):
                        yield _alternative(trait.fields, number, trait.name, str(event.ref))

    def _excluded(self, event_type: str) -> tuple[Item, ...]:
        """Return the exclusions that kept a definition from *event_type*."""
        known = self._exclusions.get(event_type)
        if known is None:
            known = self._exclusions[event_type] = tuple(
                _glob(event, number)
                for event in self._definitions.events
                if event.pattern.excluded and any(_matches(event_type, glob) for glob in event.pattern.included)
                for number, glob in enumerate(event.ref.patterns)
                if glob.startswith("!") and _matches(event_type, glob[1:])
            )
        return known

    def _sample(self, sample: SampleDefinition, notification: Notification) -> Iterator[Item]:
        if not self._gives(sample, notification):
            return
        yield _meter(sample)
        for number, expression in enumerate(sample.event_types):
            if _begins(expression, notification.event_type):
                yield _expression(sample, number)
        for name, fields in _attributes(sample):
            used = used_paths(fields, notification.body)
            if used or not fields.paths or (fields.literal is not None and name in ("name", "type", "unit")):
                yield Item("attributes", fields.place, name, sample.name)
            for number in used if len(fields.paths) > 1 else ():
                yield _alternative(fields, number, name, sample.name)

    def _gives(self, sample: SampleDefinition, notification: Notification) -> bool:
        samples: list[Sample] = []
        periods: list[Period] = []
        if sample.period is None:
            SampleConverter(sample, self._definitions.options).convert(notification, samples, [])
        else:
            PeriodConverter(sample, sample.period).convert(notification, periods, [])
        return bool(samples or periods)


def used_paths(fields: Fields, body: Mapping[str, Any]) -> tuple[int, ...]:
    """Return which of the paths of *fields* gave its value, by their numbers.

    Without a plugin it is the first that finds something. A plugin is given what all of them find; where it makes one
    value of each match, it is the path of the first value, else all that found something.
    """
    if fields.constant is not NO_CONSTANT:
        return ()
    try:
        if fields.plugin is None:
            return next(((n,) for n, path in enumerate(fields.paths) if path.first(body) is not None), ())
        found = [(number, match) for number, path in enumerate(fields.paths) for match in path.matches(body)]
        values = list(fields.plugin.trait_values([match for _, match in found]) or ())
    except Exception:  # A path or a third party's plugin that fails gives no value, which conversion says.
        return ()
    first = next((place for place, value in enumerate(values) if value is not None), None)
    if first is None:
        return ()
    if len(values) == len(found) and len(found) > 1:
        return (found[first][0],)
    return tuple(sorted({number for number, _ in found}))


def _matches(event_type: str, glob: str) -> bool:
    return fnmatch.fnmatchcase(event_type, glob)


def _begins(expression: str, event_type: str) -> bool:
    try:
        return starts_with(expression, event_type)
    except (RegexError, EventdefsError):
        return False


def _definition(event: EventDefinition) -> Item:
    return Item("definitions", event.ref.place, str(event.ref))


def _glob(event: EventDefinition, number: int) -> Item:
    return Item("patterns", event.places[number], event.ref.patterns[number], str(event.ref), event.ref.place)


def _meter(sample: SampleDefinition) -> Item:
    return Item("meters" if sample.period is None else "periods", sample.place, sample.name)


def _expression(sample: SampleDefinition, number: int) -> Item:
    return Item("patterns", sample.places[number], sample.event_types[number], sample.name, sample.place)


def _attributes(sample: SampleDefinition) -> Iterator[tuple[str, Fields]]:
    """Yield what a sample definition reads."""
    yield from sample.fields.items()
    for name, fields in sample.metadata.items():
        yield f"metadata.{name}", fields
    if sample.user_metadata is not None:
        yield "user_metadata", sample.user_metadata
    if sample.period is not None:
        for key in ("begin", "end", "not_before", "not_after"):
            one: Fields | None = getattr(sample.period, key)
            if one is not None:
                yield key, one
        for name, fields in sample.period.dimensions.items():
            yield f"dimensions.{name}", fields


def _alternatives(fields: Fields, name: str, of: str) -> Iterator[Item]:
    if len(fields.paths) > 1:
        for number in range(len(fields.paths)):
            yield _alternative(fields, number, name, of)


def _alternative(fields: Fields, number: int, name: str, of: str) -> Item:
    return Item("alternatives", fields.places[number], f"{name}: {fields.paths[number].text}", of, fields.place)


# --- written ---------------------------------------------------------------------------------------------------------


def as_text(coverage: Coverage, shown: int = 20) -> str:
    """Return a table of what was reached, and what was not: of many the first *shown*."""
    lines = []
    for file in coverage.files():
        lines.append(f"coverage of {file}")
        for kind, (reached, total) in coverage.counts(file).items():
            if total:
                lines.append(f"  {kind:<13}{reached:>6} of {total:<6} {_percent(reached, total)} %")
    missed = coverage.missed()
    if missed:
        lines.append("not reached:")
        lines += [f"  {item.place}: {_said(item)}" for item in missed[:shown]]
    if len(missed) > shown:
        lines.append(f"  and {len(missed) - shown:,} more; --coverage json has all")
    lines.append(f"coverage: {_floor(coverage.percent)} %")
    return "\n".join(lines) + "\n"


_ONE = {"patterns": "pattern", "traits": "trait", "alternatives": "alternative", "attributes": "attribute"}


def _said(item: Item) -> str:
    word = _ONE.get(item.kind, item.kind.removesuffix("s"))
    return f"{word} {_short(item.name)}{f' of {_short(item.of)}' if item.of else ''}"


def _short(text: str) -> str:
    """Return *text*, the middle left out of a long one: a definition may have a hundred patterns."""
    return text if len(text) <= 60 else f"{text[:40]}…{text[-19:]}"


def _percent(reached: int, total: int) -> str:
    return _floor(100.0 * reached / total)


def _floor(percent: float) -> str:
    """Return *percent* with at most one digit; only all is 100."""
    return f"{int(percent * 10) / 10:g}"


def as_document(coverage: Coverage) -> dict[str, Any]:
    """Return everything, for programs."""
    return {
        "percent": round(coverage.percent, 2),
        "files": {
            file: {
                kind: {"reached": reached, "all": total}
                for kind, (reached, total) in coverage.counts(file).items()
                if total
            }
            for file in coverage.files()
        },
        "items": [
            {
                "kind": item.kind,
                "name": item.name,
                "of": item.of,
                "file": item.place.file,
                "line": item.place.line,
                "column": item.place.column,
                "hits": hits,
            }
            for item, hits in sorted(coverage.hits.items(), key=lambda pair: pair[0].place)
        ],
    }


def as_lcov(coverage: Coverage) -> str:
    """Return a tracefile as lcov and genhtml read: definitions are functions, alternatives and patterns branches.

    A line counts what stands first on it; what else stands there, of several, are its branches.
    """
    out = []
    for file in coverage.files():
        items = sorted((pair for pair in coverage.hits.items() if pair[0].place.file == file), key=_outermost)
        out += ["TN:", f"SF:{file}"]
        functions = [(item, hits) for item, hits in items if item.kind in ("definitions", "meters", "periods")]
        out += [f"FN:{item.place.line},{_flat(item.name)}" for item, _ in functions]
        out += [f"FNDA:{hits},{_flat(item.name)}" for item, hits in functions]
        out += [f"FNF:{len(functions)}", f"FNH:{sum(hits > 0 for _, hits in functions)}"]
        branches = _branches(items)
        for line, block, several in branches:
            reached = any(several)
            out += [f"BRDA:{line},{block},{number},{hits if reached else '-'}" for number, hits in enumerate(several)]
        flat = [hits for _, _, several in branches for hits in several]
        out += [f"BRF:{len(flat)}", f"BRH:{sum(hits > 0 for hits in flat)}"]
        lines: dict[int, int] = {}
        for item, hits in items:
            lines.setdefault(item.place.line, hits)
        out += [f"DA:{line},{hits}" for line, hits in sorted(lines.items())]
        out += [f"LF:{len(lines)}", f"LH:{sum(hits > 0 for hits in lines.values())}", "end_of_record"]
    return "\n".join(out) + "\n"


_ORDER = {"definitions": 0, "meters": 0, "periods": 0, "traits": 1, "attributes": 1, "patterns": 2, "alternatives": 3}


def _outermost(pair: tuple[Item, int]) -> tuple[int, int, int]:
    item = pair[0]
    return item.place.line, _ORDER[item.kind], item.place.column


def _branches(items: list[tuple[Item, int]]) -> list[tuple[int, int, list[int]]]:
    """Return (line, block, hits of each) of what has several ways: alternatives of a value, patterns of a definition.

    The line is that of the first of them, which the others may stand below.
    """
    groups: dict[tuple[str, Place], list[tuple[Item, int]]] = {}
    for item, hits in items:
        if item.kind in ("alternatives", "patterns"):
            groups.setdefault((item.kind, item.whole), []).append((item, hits))
    # In the order of the file, in which the items come.
    several = sorted((group for group in groups.values() if len(group) > 1), key=lambda group: group[0][0].place)
    return [(group[0][0].place.line, block, [hits for _, hits in group]) for block, group in enumerate(several)]


def _flat(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
