"""What may stand at a place of a definition file, as the table of keys has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eventdefs.definitions import keys
from eventdefs.definitions.keys import Key, Shape
from eventdefs.language_server.tokens import Token, Trail


class Expected(NamedTuple):
    """What a value may be.

    Attributes:
        what: what it is, in words.
        key: the key that it is the value of; None at the top.
        rows: the keys that it has, where it is a mapping of known keys.
        below: what its values are, where it is a mapping of names.
    """

    what: str
    key: Key | None = None
    rows: tuple[Key, ...] = ()
    below: Expected | None = None


NOTHING = Expected("")
_TOP = Expected("a definition file", None, keys.FILE)
_EVENT = Expected("an event definition", None, keys.EVENT)
_SAMPLE = Expected("a sample definition", None, keys.SAMPLE)
_FLAG = Expected("a flag", None, keys.FLAG)
_MERGED = Expected("a mapping that is merged", Key("<<", Shape.ANYTHING, "Lays a mapping under this one.", "<<: *name"))

_TRAIT = Expected("a trait", Key("trait", Shape.FIELDS, "Where a trait is found.", "size: payload.size"), keys.TRAIT)
_NAMED = Expected("a value", Key("value", Shape.FIELDS, "Where a value is found.", "size: payload.size"), keys.FIELDS)
_COMPARED = Expected("a value", Key("value", Shape.ANYTHING, "What is compared with.", "$.payload.state: active"))

_ROWS: dict[Shape, tuple[Key, ...]] = {
    Shape.FIELDS: keys.FIELDS,
    Shape.PLUGIN: keys.PLUGIN,
    Shape.PERIOD: keys.PERIOD,
}
_BELOW = {
    Shape.TRAITS: _TRAIT,
    Shape.NAMED: _NAMED,
    Shape.CONDITIONS: _COMPARED,
    Shape.CLOSES: _COMPARED,
}
_ITEMS = {Shape.SAMPLES: _SAMPLE, Shape.FLAGS: _FLAG}


def expected_at(trail: Trail, tokens: Sequence[Token]) -> Expected:
    """Return what may be at *trail*; *tokens* say which plugin parameters are of."""
    here = _TOP
    for depth, step in enumerate(trail):
        here = _after(here, step, trail[:depth], tokens)
        if here is NOTHING:
            break
    return here


def _after(here: Expected, step: str | int, trail: Trail, tokens: Sequence[Token]) -> Expected:
    if isinstance(step, int):
        if here is _TOP:
            return _EVENT
        return here if here.key is None else _ITEMS.get(here.key.shape, here)
    if step == "<<":
        return _MERGED
    if here.below is not None:
        return here.below
    row = next((row for row in here.rows if row.name == step), None)
    if row is None:
        return NOTHING
    rows = _ROWS.get(row.shape, ())
    if row.shape is Shape.PARAMETERS:
        rows = keys.PLUGINS.get(value_of((*trail, "name"), tokens), ("", ()))[1]
    return Expected(row.name, row, rows, _BELOW.get(row.shape))


def value_of(trail: Trail, tokens: Sequence[Token]) -> str:
    """Return the text at *trail*, '' where there is none."""
    return next((token.text for token in tokens if token.trail == trail and token.role != "key"), "")


def values_below(trail: Trail, tokens: Sequence[Token]) -> list[str]:
    """Return the texts at *trail* and in the list there."""
    return [token.text for token in tokens if token.trail[: len(trail)] == trail and token.role != "key"]


def definition_of(trail: Trail) -> Trail:
    """Return the way to the event or sample definition that *trail* is in, () where it is in none."""
    if trail[:1] == ("metric",):
        return trail[:2] if len(trail) > 1 else ()
    return trail[:1] if trail and isinstance(trail[0], int) else ()
