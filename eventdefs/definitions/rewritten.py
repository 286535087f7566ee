"""Two sets of definitions as they are written: which are added, removed, changed or in another order.

Where a definition stands in its file is no difference, nor is how its YAML is laid out: anchors, quotes, comments. What
a change does to notifications, `compare` says.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from eventdefs.definitions.events import EventDefinition
from eventdefs.definitions.paths import Path
from eventdefs.definitions.registry import Definitions
from eventdefs.definitions.samples import SampleDefinition
from eventdefs.types import Place


class Rewritten(NamedTuple):
    """A definition that is in one of two sets only, or is not the same in both.

    Attributes:
        what: `event definition` or `sample definition`.
        change: `added`, `removed`, `changed`, or `moved`: it stands after others that it stood before, so that
            another one may win.
        name: its patterns, or the meter.
        place: where it stands, in the new set unless it was removed.
        details: what is different of it, as `trait size: type`.
    """

    what: str
    change: str
    name: str
    place: Place
    details: tuple[str, ...] = ()


Definition = EventDefinition | SampleDefinition


def rewritten(old: Definitions, new: Definitions) -> list[Rewritten]:
    """Return which definitions are written differently, whatever that does to notifications; [] for none."""
    return [
        *_rewritten("event definition", _by_name(old.events), _by_name(new.events)),
        *_rewritten("sample definition", _by_name(old.samples), _by_name(new.samples)),
    ]


def _by_name(definitions: Sequence[Definition]) -> dict[str, Definition]:
    """Return *definitions* by their patterns or meter; from the second of one name on with a number."""
    found: dict[str, Definition] = {}
    times: Counter[str] = Counter()
    for one in definitions:
        name = str(one.ref) if isinstance(one, EventDefinition) else one.name
        times[name] += 1
        found[name if times[name] == 1 else f"{name} ({times[name]})"] = one
    return found


def _rewritten(what: str, old: Mapping[str, Definition], new: Mapping[str, Definition]) -> Iterator[Rewritten]:
    yield from (Rewritten(what, "removed", name, _place(one)) for name, one in old.items() if name not in new)
    for name, one in new.items():
        if name not in old:
            yield Rewritten(what, "added", name, _place(one))
        elif details := tuple(_details(old[name], one)):
            yield Rewritten(what, "changed", name, _place(one), details)
    if what == "event definition":  # of which the last that matches wins
        for name in _moved([name for name in old if name in new], [name for name in new if name in old]):
            yield Rewritten(what, "moved", name, _place(new[name]))


def _moved(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return names that must be moved to make *new* of *old*, which has the same ones."""
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    kept = {name for block in blocks for name in new[block.b : block.b + block.size]}
    return [name for name in new if name not in kept]


def _place(definition: Definition) -> Place:
    return definition.ref.place if isinstance(definition, EventDefinition) else definition.place


def _details(old: Definition, new: Definition) -> Iterator[str]:
    if not (isinstance(old, EventDefinition) and isinstance(new, EventDefinition)):
        yield from _differing(old, new)
        return
    before, after = ({trait.name: trait for trait in one.traits} for one in (old, new))
    for name in {**before, **after}:
        if name not in after:
            yield f"trait {name} removed"
        elif name not in before:
            yield f"trait {name} added"
        elif keys := _differing(before[name], after[name]):
            yield f"trait {name}: {', '.join(keys)}"
    if old.ref.description != new.ref.description:
        yield "description"


def _differing(old: Any, new: Any) -> list[str]:
    """Return the names of what differs in two named tuples; of a mapping in them, its keys."""
    found: list[str] = []
    for name in old._fields:
        before, after = getattr(old, name), getattr(new, name)
        if _without_places(before) == _without_places(after):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            keys = [key for key in {**before, **after} if _item(before, key) != _item(after, key)]
            found += keys if name == "fields" else [f"{name}.{key}" for key in keys]
        elif name == "period" and before is not None and after is not None:
            found += [f"period.{key}" for key in _differing(before, after)]
        else:
            found.append(_WRITTEN.get(name, name))
    return found


_WRITTEN = {"conditions": "while", "rejects": "on_error", "event_types": "event_type"}
"""How a YAML file calls what is called otherwise here."""


def _item(mapping: Mapping[str, Any], key: str) -> Any:
    return _without_places(mapping[key]) if key in mapping else None


def _without_places(value: Any) -> Any:
    if isinstance(value, Place):
        return None
    if isinstance(value, Path):
        return value.text
    if isinstance(value, Mapping):
        return {key: _without_places(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_without_places(item) for item in value if not isinstance(item, Place)]
    if hasattr(value, "trait_values"):  # a plugin, which is made of its parameters
        return type(value), _without_places(getattr(value, "__dict__", {}))
    return type(value), value  # 1 is not true, nor 1.0
