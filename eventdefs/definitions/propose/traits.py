"""Which traits a group of event types gets: their names, paths and types, decided by all values seen."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from eventdefs.definitions.corpus import (
    CLOCK,
    DECIMAL,
    EMPTY,
    HUGE,
    INTEGER,
    LONG,
    NULL,
    NUMBER,
    TEXT,
    WHOLE,
    Corpus,
    PathSeen,
    is_secret,
)
from eventdefs.definitions.propose.grouping import Group, can_be_written
from eventdefs.types import DEFAULT_TRAITS, TraitType

MAX_TRAITS = 80
"""How many traits are proposed for one definition."""
MAX_NAME = 60
FEW = 3
"""From how many event types of a resource on one of them gets a definition for what it alone has."""

GENERIC = frozenset(
    """action address code count created_at data date description enabled flags id key kind label level mode name
    number project_id reason service size state status tenant_id time timestamp type types unit updated_at uri url
    user_id uuid value version""".split()  # noqa: SIM905
)
"""Keys that say nothing without the key above them."""
FILLED_BY_USERS = frozenset(
    """annotations extra extra_specs labels metadata properties scheduler_hints system_metadata tags user_data
    user_metadata""".split()  # noqa: SIM905
)
"""Keys below which users put what they like."""
AMOUNT = re.compile(r"(?:^|_)(?:size|count|total|vcpus|ram|disk|bytes|mb|gb|kb|mib|gib|capacity)(?:_|$)")
"""Keys of numbers that some services write as text."""
_ID = re.compile(r"(?:^|_)(?:id|ids|uuid|ref|version|name)$")
_WRAPPER = re.compile(r"\w+_object\.data")
_NOISE = re.compile(r"\w+_object\.(?:name|namespace|version|changes)")
_OWNERS = {"project_id": ("tenant_id", "project_id"), "user_id": ("user_id",)}

Keys = tuple[str, ...]


class Trait(NamedTuple):
    """A trait that is proposed.

    Attributes:
        paths: tried in order.
        example: a value of it, None where none is short enough.
        types: the event types in which it was found.
        found: in how many notifications, by event type.
        seen: of each path.
    """

    name: str
    type: TraitType
    paths: tuple[str, ...]
    example: Any
    types: tuple[str, ...]
    found: Mapping[str, int]
    seen: tuple[PathSeen, ...]


class Plan(NamedTuple):
    """What is proposed for a group.

    Attributes:
        traits: of all its event types.
        extra: what one event type has besides, by event type; none of the others has a definition of its own.
        left_out: paths that are no traits, with the reason.
        counts: how many notifications there are of each event type.
    """

    group: Group
    traits: tuple[Trait, ...]
    extra: Mapping[str, tuple[Trait, ...]]
    left_out: tuple[tuple[str, str], ...]
    counts: Mapping[str, int]


def plan_group(group: Group, corpus: Corpus) -> Plan:
    """Decide what the event types of *group* get."""
    counts = {name: corpus.event_types[name].count for name in group.names}
    places: dict[Keys, list[PathSeen]] = {}
    left_out: list[tuple[str, str]] = []
    skipped: set[tuple[str | None, ...]] = set()
    for path in corpus.paths(group.names):
        if path.steps[0] != "payload" or _is_noise(path.steps):
            continue
        if path.steps[:-1] in skipped:
            skipped.add(path.steps)
            continue
        why = _why_left_out(path)
        if why:
            skipped.add(path.steps)
            left_out.append((path.text, why))
        elif _is_leaf(path) and len(path.steps) > 1:
            places.setdefault(_keys(path.steps, group), []).append(path)
    found = _Names(group, corpus, places).traits()
    if len(found) > MAX_TRAITS:
        left_out += [(trait.paths[0], "too many") for trait in found[MAX_TRAITS:]]
        del found[MAX_TRAITS:]
    shared, extra = _share(group, found)
    return Plan(group, shared, extra, tuple(left_out), counts)


def _is_noise(steps: Sequence[str | None]) -> bool:
    return any(step is not None and _NOISE.fullmatch(step) for step in steps)


def _why_left_out(path: PathSeen) -> str:
    key = path.steps[-1] or ""
    if is_secret(key):
        return "a secret"
    if not can_be_written(key):
        return "no text that YAML can have"
    if "list" in path.kinds:
        return "a list"
    if "mapping" in path.kinds:
        return "filled by users" if key in FILLED_BY_USERS else ""
    return "long text" if any(form & HUGE for form in path.forms) else ""


def _is_leaf(path: PathSeen) -> bool:
    """Tell whether there are values, none of them with something inside."""
    return "mapping" not in path.kinds and _present(path) > 0


def _present(path: PathSeen) -> int:
    """Return how many values are neither null nor ''."""
    return sum(count for form, count in path.forms.items() if not form & (NULL | EMPTY))


def _keys(steps: Sequence[str | None], group: Group) -> Keys:
    """Return the keys that name a value: without what only wraps the resource."""
    keys = [step for step in steps[1:] if step is not None and not _WRAPPER.fullmatch(step)]
    parts = group.resource.split(".")
    wrappers = {"_".join(parts[-count:]) for count in range(1, len(parts) + 1)}
    if len(keys) > 1 and keys[0] in wrappers:
        del keys[0]
    return tuple(keys) or (steps[-1] or "",)


class _Names:
    """Gives the values of one group their traits."""

    def __init__(self, group: Group, corpus: Corpus, places: dict[Keys, list[PathSeen]]) -> None:
        self._group = group
        self._corpus = corpus
        self._places = places
        self._last = Counter(keys[-1] for keys in places)
        self._taken: set[str] = set()

    def traits(self) -> list[Trait]:
        traits = []
        own = self._resource_keys()
        if own:
            traits.append(self._trait("resource_id", [path for keys in own for path in self._places[keys]], text=True))
        self._taken |= {"resource_id", *DEFAULT_TRAITS}
        for name, keys in _OWNERS.items():
            owner = self._owner(name, [(key,) for key in keys])
            if owner is not None:
                traits.append(owner)
        skipped = {*own, *((key,) for keys in _OWNERS.values() for key in keys)}
        for keys, paths in self._places.items():
            if keys not in skipped:
                traits.append(self._trait(self._name(keys), paths))
        return traits

    def _resource_keys(self) -> list[Keys]:
        """Return the places of the id of the resource; several only where one is there when the others are not."""
        word = trait_name(self._group.word)
        likely: list[Keys] = [("resource_info",), ("target", "id")]
        if ("typeURI",) not in self._places:  # else `id` is that of the audited event
            likely = [(f"{word}_id",), ("id",), ("uuid",), (f"{word}_uuid",), ("resource_id",), *likely]
        total = sum(self._corpus.event_types[name].count for name in self._group.names)
        there = {keys: sum(_present(path) for path in self._places.get(keys, ())) for keys in likely}
        always = next((keys for keys in likely if there[keys] == total), None)
        if always is not None:
            return [always]
        chosen: list[Keys] = []
        count = 0
        for keys in likely:
            if there[keys] and count + there[keys] <= total:
                chosen.append(keys)
                count += there[keys]
        return chosen

    def _owner(self, name: str, places: list[Keys]) -> Trait | None:
        """Return the trait for whose something is, None where the default trait finds it."""
        paths = [path for keys in places for path in self._places.get(keys, ())]
        default = ("payload", places[0][0])
        plain = next((path for path in paths if path.steps == default), None)
        total = sum(self._corpus.event_types[event_type].count for event_type in self._group.names)
        if not paths or (plain is not None and (len(paths) == 1 or _present(plain) == total)):
            return None
        acting = [path for path in self._corpus.paths(self._group.names) if path.steps == ("ctxt", name)]
        return self._trait(name, paths + [path for path in acting if _is_leaf(path)], text=True)

    def _name(self, keys: Keys) -> str:
        """Return a name of *keys* that no other trait of the group has."""
        if len(keys) == 1:
            count = 1
        else:
            count = next(
                (
                    number
                    for number in range(1, len(keys))
                    if trait_name(keys[-number]) not in GENERIC
                    and sum(other[-number:] == keys[-number:] for other in self._places) == 1
                    and self._last[keys[-number]] == 1
                ),
                2,
            )
        for number in range(count, len(keys) + 1):
            name = trait_name("_".join(keys[-number:]))
            if name not in self._taken:
                break
        else:
            base = name
            if base in DEFAULT_TRAITS:
                base = name = trait_name(f"{self._group.word}_{name}")
            number = 2
            while name in self._taken:
                name = f"{base[: MAX_NAME - 4]}_{number}"
                number += 1
        self._taken.add(name)
        return name

    def _trait(self, name: str, paths: list[PathSeen], text: bool = False) -> Trait:
        kind = TraitType.TEXT if text else type_of(name, paths)
        count: Counter[str] = Counter()
        for event_type in self._group.names:
            there = sum(self._count(path, event_type) for path in paths)
            if there:
                count[event_type] = min(there, self._corpus.event_types[event_type].count)
        example = next((value for path in paths for value in path.examples), None)
        texts = tuple(path.text for path in paths)
        return Trait(name, kind, texts, example, tuple(count), count, tuple(paths))

    def _count(self, path: PathSeen, event_type: str) -> int:
        found = self._corpus.seen_at(path.steps, event_type)
        return 0 if found is None else _present(found)


def trait_name(text: str) -> str:
    """Return *text* as the name of a trait.

    >>> [trait_name(text) for text in ("typeURI", "OS-DCF:diskConfig", "1st", "é", "")]
    ['type_uri', 'os_dcf_disk_config', '_1st', 'e', 'value']
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:MAX_NAME].rstrip("_") or "value"
    return f"_{name}" if name[0].isdigit() else name


def type_of(name: str, paths: Iterable[PathSeen]) -> TraitType:
    """Return the type that holds every value of *paths* and says most about them.

    Ids stay text, and so do truth values. A text of digits is a number where *name* is that of an amount.
    """
    forms = {form for path in paths for form in path.forms if not form & (NULL | EMPTY)}
    if not forms:
        return TraitType.TEXT
    if all(form & CLOCK for form in forms):
        return TraitType.DATETIME
    if _ID.search(name) or (any(form & TEXT for form in forms) and not AMOUNT.search(name)):
        return TraitType.TEXT
    if all(form & WHOLE and not form & LONG for form in forms):
        return TraitType.INT
    if all(form & DECIMAL for form in forms) and any(form & (NUMBER | INTEGER | TEXT) for form in forms):
        return TraitType.FLOAT
    return TraitType.TEXT


def _share(group: Group, traits: list[Trait]) -> tuple[tuple[Trait, ...], dict[str, tuple[Trait, ...]]]:
    """Return what all event types of *group* get, and what single ones get besides."""
    if len(group.names) < FEW:
        return tuple(traits), {}
    extra: dict[str, list[Trait]] = {}
    for trait in traits:
        if len(trait.types) == 1 and trait.name not in ("resource_id", *DEFAULT_TRAITS):
            extra.setdefault(trait.types[0], []).append(trait)
    if len(extra) == len(group.names):
        # The definition of all would apply to nothing recorded: it takes what the plainest has.
        del extra[min(sorted(extra), key=lambda name: len(extra[name]))]
    own = {id(trait) for rows in extra.values() for trait in rows}
    return (
        tuple(trait for trait in traits if id(trait) not in own),
        {name: tuple(extra[name]) for name in sorted(extra)},
    )
