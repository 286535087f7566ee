"""Reading only what a definition looks at.

From JSON bytes to an event, reading the JSON takes most of the time, and most of what is read nobody looks at. For a
definition whose paths are keys, this gives a decoder that makes values of just those keys, and passes over the rest.
It reads Ceilometer's body and oslo.messaging's version 1; whatever else, it refuses, and the whole is read instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import msgspec

from eventdefs.decode import SECRETS
from eventdefs.definitions.events import EventDefinition
from eventdefs.definitions.fields import NO_CONSTANT
from eventdefs.definitions.tenants import looked_at

Names = tuple[str, ...]
Tree = dict[str, Any]
"""Key -> what is looked at below it; an empty tree is a value that is looked at whole."""

_ALWAYS: tuple[Names, ...] = (
    ("event_type",),
    ("publisher_id",),
    ("priority",),
    ("message_id",),
    ("timestamp",),
    ("metadata", "message_id"),
    ("metadata", "timestamp"),
    ("_timeout",),
)


def project(definition: EventDefinition, event_type: str) -> Callable[[bytes], dict[str, Any]] | None:
    """Return the decoder of notifications of *event_type*; None where *definition* does more than look at keys.

    What it returns is the notification with the keys that are looked at. It raises what msgspec raises for JSON that
    it does not read, and for values of another kind than the paths expect.
    """
    names = _names(definition)
    if names is None:
        return None
    tree: Tree = {}
    for path in (*_ALWAYS, *names, *looked_at(event_type)):
        _plant(tree, path)
    # A context that is looked at whole has, in version 1, pieces of unknown names; and secrets are not handed on.
    if not tree["ctxt"] or not SECRETS.isdisjoint(tree["ctxt"]):
        return None
    for key, below in tree["ctxt"].items():
        tree[f"_context_{key}"] = below
    decode: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(_type(tree)).decode
    return decode


def _names(definition: EventDefinition) -> list[Names] | None:
    """Return the keys of all paths of *definition*, None where one is more than keys."""
    names = []
    for trait in definition.traits:
        if trait.fields.plugin is not None and trait.fields.constant is NO_CONSTANT:
            return None
        for path in trait.fields.paths:
            keys = path.names or (path.split[0] if path.split else ())
            if not keys:
                return None
            names.append(keys)
    return names


def _plant(tree: Tree, path: Iterable[str]) -> None:
    *above, last = path
    for key in above:
        if key in tree and not tree[key]:  # looked at whole already
            return
        tree = tree.setdefault(key, {})
    tree[last] = {}


def _type(tree: Tree) -> Any:
    fields = {key: _type(below) | None if below else Any for key, below in tree.items()}
    return TypedDict("Projected", fields, total=False)  # type: ignore[operator]
