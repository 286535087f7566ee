"""What recorded notifications show: their event types, the paths that find something in them, and the values there.

However many notifications are added, the memory is bounded: senders choose event types and keys. Of each event type
the places of its values are kept with counts, and one notification of each shape. Two notifications have one shape
where the same places hold values of the same kinds that coerce alike, so that what definitions make of the kept ones,
weighted by their counts, is what they make of all; only what depends on the values themselves (filters, `sub`) may
differ. Where the bounds were met, the counts say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from eventdefs.definitions.paths import Path, parse_path
from eventdefs.definitions.patterns import Pattern, PatternIndex, RegexIndex
from eventdefs.errors import PathEvaluationError, PathSyntaxError
from eventdefs.times import parse_time
from eventdefs.types import Notification, Place, TraitType, excerpt

MAX_EVENT_TYPES = 5_000
MAX_SHAPES = 20
"""How many notifications of one event type are kept, each of another shape."""
MAX_KEPT = 100_000_000
"""Bytes, roughly, that the kept notifications may come to."""
MAX_SPOTS = 100_000
"""How many places of values are kept in all."""
MAX_KEYS = 300
"""How many keys of one mapping are told apart; a mapping with more has keys that somebody chose at will."""
MAX_VALUES = 200_000
"""How many values of one notification are looked at."""
EXAMPLES = 3
SHORT = 80
"""How long a text may be to be an example."""
MAX_TEXT = 1_000
"""How long a text may be to be of use as a trait."""
MASKED = "***"
_NOWHERE = Place("")

# What a value is, and what it could be read as: bits of its form.
NULL, BOOLEAN, INTEGER, NUMBER, TEXT, LIST, MAPPING = (1 << bit for bit in range(7))
AS_INT, AS_FLOAT, AS_TIME = (1 << bit for bit in range(7, 10))
WHOLE, DECIMAL, CLOCK, IDENTITY, EMPTY, LONG, HUGE = (1 << bit for bit in range(10, 17))
KINDS = {
    NULL: "null",
    BOOLEAN: "boolean",
    INTEGER: "integer",
    NUMBER: "number",
    TEXT: "text",
    LIST: "list",
    MAPPING: "mapping",
}
"""The kinds of JSON values. The bits above them say what a value can be read as."""
_SHAPE = (1 << 10) - 1 | EMPTY
_READ_AS = {TraitType.INT: AS_INT, TraitType.FLOAT: AS_FLOAT, TraitType.DATETIME: AS_TIME}

_SECRET = re.compile(r"pass(?:word|wd|phrase|code)?$|secret|token|credential|private_?key|cookie|auth$", re.I).search
_BARE = re.compile(r"[A-Za-z_@][A-Za-z0-9_@-]*", re.ASCII).fullmatch
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,14})", re.ASCII).fullmatch
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,14})\.\d{1,15}", re.ASCII).fullmatch
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", re.ASCII).match
_IDENTITY = re.compile(r"(?:req-)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}", re.ASCII).fullmatch


def is_secret(key: str) -> bool:
    """Tell whether the values of *key* are not to be shown."""
    return _SECRET(key) is not None


class Example(NamedTuple):
    """A kept notification, where it stood, and how many there were of its shape."""

    place: Place
    notification: Notification
    times: int


class Found(NamedTuple):
    """A value that a path gives, in which event type, and where that notification stood."""

    value: Any
    event_type: str
    place: Place


class PathSeen(msgspec.Struct, frozen=True):
    """A place in notifications that holds values.

    Attributes:
        text: the path; `parse_path` reads it.
        steps: the keys, None for the items of a list.
        count: in how many notifications it is.
        share: of all notifications that were asked about, from 0 to 1.
        kinds: of its values: text, integer, number, boolean, null, list, mapping.
        examples: a few short values, without those of secrets.
        forms: how many values there were of each form, see the bits of this module.
    """

    text: str
    steps: tuple[str | None, ...]
    count: int
    share: float
    kinds: frozenset[str]
    examples: tuple[Any, ...]
    forms: Mapping[int, int]

    def coerced(self, kind: TraitType) -> tuple[int, int]:
        """Return how many values *kind* takes, and how many there are that are not null."""
        values = sum(count for form, count in self.forms.items() if not form & NULL)
        bit = _READ_AS.get(kind)
        return (sum(count for form, count in self.forms.items() if bit is None or form & bit), values)


class _Spot:
    """A place in the notifications of one event type."""

    __slots__ = ("count", "examples", "forms", "full", "items", "keys", "last")

    def __init__(self) -> None:
        self.count = 0
        self.last = 0
        self.forms: dict[int, int] = {}
        self.examples: list[Any] = []
        self.keys: dict[str, _Spot] | None = None
        self.items: _Spot | None = None
        self.full = False


class Seen:
    """What was seen of one event type.

    Attributes:
        count: how many notifications.
        examples: one of each shape, the first few shapes.
    """

    __slots__ = ("_shapes", "_spot", "count", "event_type")

    def __init__(self, event_type: str) -> None:
        self.event_type = event_type
        self.count = 0
        self._spot = _Spot()
        self._shapes: dict[int, Example] = {}

    def __repr__(self) -> str:
        return f"<Seen: {self.count} of {self.event_type}>"

    @property
    def examples(self) -> list[Example]:
        return list(self._shapes.values())

    @property
    def represented(self) -> int:
        """How many notifications have the shape of a kept one."""
        return sum(example.times for example in self._shapes.values())

    def keys(self, steps: Sequence[str | None]) -> list[str]:
        """Return the keys of the mappings at *steps*, where None stands for the items of a list."""
        spot = self._at(steps)
        return [] if spot is None or spot.keys is None else list(spot.keys)

    def has(self, steps: Sequence[str | None]) -> bool:
        """Tell whether there is a value at *steps*, or there may be one among keys that were too many to keep."""
        spot: _Spot | None = self._spot
        for step in steps:
            assert spot is not None
            below = spot.items if step is None else (spot.keys or {}).get(step)
            if below is None:
                return spot.full
            spot = below
        return True

    def _at(self, steps: Sequence[str | None]) -> _Spot | None:
        spot: _Spot | None = self._spot
        for step in steps:
            if spot is None:
                return None
            spot = spot.items if step is None else (spot.keys or {}).get(step)
        return spot

    def spots(self) -> Iterator[tuple[tuple[str | None, ...], _Spot]]:
        """Yield each place with its steps, mappings before what is in them, keys in the order they were first seen."""
        waiting: list[tuple[tuple[str | None, ...], _Spot]] = [((), self._spot)]
        while waiting:
            steps, spot = waiting.pop()
            if steps:
                yield steps, spot
            below: list[tuple[tuple[str | None, ...], _Spot]] = [
                ((*steps, key), child) for key, child in (spot.keys or {}).items()
            ]
            if spot.items is not None:
                below.append(((*steps, None), spot.items))
            waiting += reversed(below)


class Corpus:
    """Recorded notifications, as far as definitions need to know them.

    >>> corpus = Corpus()
    >>> corpus.add(Notification("m", "a", None, "info", parse_time("2026-08-01"), {"payload": {"a.b": [{"c": 4}]}}))
    >>> [(path.text, sorted(path.kinds), path.examples) for path in corpus.paths()][-1]
    ("payload.'a.b'[*].c", ['integer'], (4,))

    Attributes:
        event_types: what was seen of each event type, in the order in which they came.
        count: of all notifications.
        untold: of those whose event types were too many to be told apart.
    """

    def __init__(self, *, shapes: int = MAX_SHAPES, kept: int = MAX_KEPT) -> None:
        self.event_types: dict[str, Seen] = {}
        self.count = 0
        self.untold = 0
        self._max_shapes = shapes
        self._room = kept
        self._spots = 0
        self._forms: dict[str, int] = {}

    @classmethod
    def of(cls, notifications: Iterable[Notification]) -> Corpus:
        """Return the corpus of *notifications*."""
        corpus = cls()
        for notification in notifications:
            corpus.add(notification)
        return corpus

    def __repr__(self) -> str:
        return f"<Corpus: {self.count} notifications of {len(self.event_types)} event types>"

    def add(self, notification: Notification, place: Place = _NOWHERE) -> None:
        """Take in *notification*, which stood at *place*."""
        self.count += 1
        seen = self.event_types.get(notification.event_type)
        if seen is None:
            if len(self.event_types) >= MAX_EVENT_TYPES:
                self.untold += 1
                return
            seen = self.event_types[notification.event_type] = Seen(notification.event_type)
        seen.count += 1
        shape, size = self._walk(seen, notification.body)
        known = seen._shapes.get(shape)
        if known is not None:
            seen._shapes[shape] = known._replace(times=known.times + 1)
        elif len(seen._shapes) < self._max_shapes and size <= self._room:
            self._room -= size
            seen._shapes[shape] = Example(place, notification, 1)

    def _walk(self, seen: Seen, body: Any) -> tuple[int, int]:
        """Count the values of *body*; return its shape, and how large it is."""
        number = seen.count
        shape: list[tuple[int, int]] = []
        size = 0
        left = MAX_VALUES
        # The path of a spot has no secret in it where `shown`.
        waiting: list[tuple[Any, _Spot, bool]] = [(body, seen._spot, True)]
        while waiting and left > 0:
            value, spot, shown = waiting.pop()
            left -= 1
            kind = type(value)
            if kind is str:
                form = self._forms.get(value) or self._form(value)
                size += 60 + len(value)
            else:
                form = _form_of(value)
                size += 60
            forms = spot.forms
            forms[form] = forms.get(form, 0) + 1
            shape.append((id(spot), form & _SHAPE))
            if spot.last != number:
                spot.last = number
                spot.count += 1
            if kind is dict:
                keys = spot.keys
                if keys is None:
                    keys = spot.keys = {}
                for key, item in value.items():
                    child = keys.get(key)
                    if child is None:
                        if type(key) is not str or not self._may_grow(spot):
                            continue
                        child = keys[key] = _Spot()
                    size += 60 + len(key)
                    waiting.append((item, child, shown and not is_secret(key)))
            elif kind is list:
                if spot.items is None and value:
                    if not self._may_grow(spot):
                        continue
                    spot.items = _Spot()
                waiting += [(item, spot.items, shown) for item in reversed(value)]  # type: ignore[misc]
            elif shown and len(spot.examples) < EXAMPLES and not form & (LONG | EMPTY | NULL):
                _add_example(spot.examples, value)
        return hash(frozenset(shape)), size

    def _may_grow(self, spot: _Spot) -> bool:
        if self._spots >= MAX_SPOTS or len(spot.keys or ()) >= MAX_KEYS:
            spot.full = True
            return False
        self._spots += 1
        return True

    def _form(self, text: str) -> int:
        form = _form_of(text)
        if len(text) <= SHORT:
            if len(self._forms) >= 50_000:
                self._forms = {}
            self._forms[text] = form
        return form

    def matching(self, pattern: Pattern) -> dict[str, Seen]:
        """Return what was seen of the event types that *pattern* matches."""
        index = PatternIndex([pattern])
        return {name: seen for name, seen in self.event_types.items() if index.last(name) is not None}

    def matching_expressions(self, expressions: Sequence[str]) -> dict[str, Seen]:
        """Return what was seen of the event types that one of the regular *expressions* matches from the start."""
        index = RegexIndex([list(expressions)])
        return {name: seen for name, seen in self.event_types.items() if any(index.all(name))}

    def _chosen(self, event_types: Iterable[str] | None) -> list[Seen]:
        if event_types is None:
            return list(self.event_types.values())
        return [self.event_types[name] for name in event_types if name in self.event_types]

    def paths(self, event_types: Iterable[str] | None = None) -> list[PathSeen]:
        """Return every place that holds a value in notifications of *event_types*, or of all.

        Left out are places that no path names: below a key `*`, too deep to be written, or lists in lists some of which
        are null, where a path fails.
        """
        chosen = self._chosen(event_types)
        total = sum(seen.count for seen in chosen)
        merged: dict[tuple[str | None, ...], list[_Spot]] = {}
        for seen in chosen:
            for steps, spot in seen.spots():
                merged.setdefault(steps, []).append(spot)
        found = []
        fails: set[tuple[str | None, ...]] = set()
        for steps, spots in merged.items():
            text = None
            if steps[:-1] not in fails and not (steps[-1] is None and _may_fail(steps, merged[steps[:-1]])):
                text = path_text(steps)
            if text is None:
                fails.add(steps)
            else:
                found.append(_path_seen(text, steps, spots, total))
        return found

    def seen_at(self, steps: Sequence[str | None], event_type: str) -> PathSeen | None:
        """Return what *event_type* has at *steps*, None standing for the items of a list; None where it has nothing."""
        seen = self.event_types.get(event_type)
        spot = None if seen is None else seen._at(steps)
        if seen is None or spot is None:
            return None
        return _path_seen(path_text(steps) or "", tuple(steps), [spot], seen.count)

    @staticmethod
    def shown(notification: Notification) -> dict[str, Any]:
        """Return the body of *notification* as it may be shown: what stands under the key of a secret is masked."""
        body: dict[str, Any] = _masked(notification.body)
        return body

    def values(self, path: Path | str, event_types: Iterable[str] | None = None, limit: int = EXAMPLES) -> list[Found]:
        """Return up to *limit* different values that *path* gives in the kept notifications, secrets masked.

        Raises:
            PathSyntaxError: *path* is a text that is no path.
        """
        if isinstance(path, str):
            path = parse_path(path)
        found: list[Found] = []
        known: set[str] = set()
        for seen in self._chosen(event_types):
            for example in seen._shapes.values():
                for text, value in _matches(path, example.notification):
                    if any(is_secret(key) for key in text.split(".")):
                        value = MASKED
                    shown = excerpt(value)
                    if shown not in known:
                        known.add(shown)
                        found.append(Found(value, seen.event_type, example.place))
                        if len(found) >= limit:
                            return found
        return found


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: MASKED if is_secret(key) and item not in (None, "") else _masked(item) for key, item in value.items()
        }
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _add_example(examples: list[Any], value: Any) -> None:
    if not any(type(one) is type(value) and one == value for one in examples):
        examples.append(value)


def _matches(path: Path, notification: Notification) -> list[tuple[str, Any]]:
    try:
        return path.matches(notification.body)
    except PathEvaluationError:
        return []


def _may_fail(steps: tuple[str | None, ...], lists: list[_Spot]) -> bool:
    """Tell whether `[*]` after *lists* may meet several values at once, one of which has no items.

    A mapping is its only item, below which something else may stand.
    """
    return None in steps[:-1] and any(form & (NULL | NUMBER | MAPPING) for spot in lists for form in spot.forms)


def _path_seen(text: str, steps: tuple[str | None, ...], spots: list[_Spot], total: int) -> PathSeen:
    forms: dict[int, int] = {}
    examples: list[Any] = []
    for spot in spots:
        for form, count in spot.forms.items():
            forms[form] = forms.get(form, 0) + count
        for value in spot.examples:
            if len(examples) < EXAMPLES:
                _add_example(examples, value)
    kinds = frozenset(word for bit, word in KINDS.items() if any(form & bit for form in forms))
    count = sum(spot.count for spot in spots)
    return PathSeen(text, steps, count, count / total if total else 0.0, kinds, tuple(examples), forms)


def _form_of(value: Any) -> int:
    kind = type(value)
    if kind is str:
        return _text_form(value)
    if value is None:
        return NULL
    if kind is bool:
        return BOOLEAN | AS_INT | AS_FLOAT
    if kind is int:
        return INTEGER | AS_INT | WHOLE | (AS_FLOAT | DECIMAL if -(1 << 1000) < value < 1 << 1000 else LONG)
    if kind is float:
        return NUMBER | AS_FLOAT | DECIMAL | (AS_INT if value - value == 0 else 0)
    return MAPPING if kind is dict else LIST


def _text_form(text: str) -> int:
    if not text:
        return TEXT | EMPTY
    form = TEXT
    if len(text) > SHORT:
        form |= LONG | (HUGE if len(text) > MAX_TEXT else 0)
    elif _IDENTITY(text):
        form |= IDENTITY
    for bit, read in ((AS_INT, int), (AS_FLOAT, float)):
        try:
            read(text)
        except ValueError:
            continue
        form |= bit
    if "0" <= text[0] <= "9":
        try:
            parse_time(text)
        except ValueError:
            pass
        else:
            form |= AS_TIME | (CLOCK if _CLOCK(text) else 0)
    if form & AS_INT and _WHOLE(text):
        form |= WHOLE | DECIMAL
    elif form & AS_FLOAT and _DECIMAL(text):
        form |= DECIMAL
    return form


@lru_cache(maxsize=16_384)
def key_text(key: str) -> str | None:
    """Return *key* as it is written in a path, quoted where it needs to be; None where it cannot be written."""
    quoted = "'" + key.replace("\\", "\\\\").replace("'", "\\'") + "'"
    for text in (key, quoted) if _BARE(key) else (quoted,):
        try:
            if parse_path(f"payload.{text}").names == ("payload", key):
                return text
        except PathSyntaxError:
            continue
    return None


def path_text(steps: Sequence[str | None]) -> str | None:
    """Return the path of *steps*, None standing for the items of a list; None where it cannot be written.

    >>> path_text(("payload", "nova_object.data", "ips", None, "1st"))
    "payload.'nova_object.data'.ips[*].'1st'"
    """
    text = ""
    for step in steps:
        if step is None:
            text += "[*]"
            continue
        written = key_text(step)
        if written is None:
            return None
        text += f".{written}" if text else written
    if len(steps) > 20:  # which may be more than is read
        try:
            parse_path(text)
        except PathSyntaxError:
            return None
    return text
