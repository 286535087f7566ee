"""Edits: what a case changes in a recorded notification before it is converted.

An edit names one place in the body that definitions see, by the same paths: keys, quoted where they have dots, and
indexes of lists. Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal, NamedTuple

from jsonpath_rw import jsonpath as tree

from eventdefs.definitions import dialect
from eventdefs.errors import EventdefsError, PathSyntaxError
from eventdefs.hints import did_you_mean
from eventdefs.types import Place

Step = str | int


class EditError(EventdefsError):
    """An edit that does not fit the notification.

    Attributes:
        place: of the edit.
        hint: what was there instead.
    """

    def __init__(self, message: str, place: Place, hint: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.hint = hint


class Edit(NamedTuple):
    """One change: the value of *path* is set, removed, or given one more item."""

    kind: Literal["set", "remove", "append"]
    path: str
    steps: tuple[Step, ...]
    value: Any
    place: Place


def parse_steps(text: str) -> tuple[Step, ...]:
    """Read *text* as a path of keys and indexes.

    >>> parse_steps("payload.'nova_object.data'.ips[0]")
    ('payload', 'nova_object.data', 'ips', 0)

    Raises:
        PathSyntaxError: it is no path, or one that may find several values.
    """
    syntax = dialect.parse(text)
    steps: list[Step] = []
    while True:
        step = syntax.right if isinstance(syntax, tree.Child) else syntax
        if type(step) is tree.Fields and len(step.fields) == 1 and step.fields[0] != "*":
            steps.append(step.fields[0])
        elif type(step) is tree.Index:
            steps.append(step.index)
        elif not (isinstance(step, tree.Root) and steps):
            raise PathSyntaxError("not one place of a notification", 1, "expected keys and indexes, as payload.nics[0]")
        if not isinstance(syntax, tree.Child):
            return tuple(reversed(steps))
        syntax = syntax.left


def apply(edits: tuple[Edit, ...], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return *body* with *edits* made, one after the other; *body* itself is not touched.

    Raises:
        EditError: an edit does not fit.
    """
    edited = deepcopy(dict(body))
    for edit in edits:
        _apply(edit, edited)
    return edited


def _apply(edit: Edit, body: dict[str, Any]) -> None:
    here: Any = body
    *before, last = edit.steps
    for number, step in enumerate(before):
        if isinstance(step, str) and isinstance(here, dict) and step not in here and edit.kind != "remove":
            here[step] = {}
        here = _under(edit, here, step, number)
    if edit.kind == "set" and isinstance(last, str) and isinstance(here, dict):
        here[last] = edit.value
        return
    if edit.kind == "append" and isinstance(last, str) and isinstance(here, dict):
        here.setdefault(last, [])
    found = _under(edit, here, last, len(before))
    if edit.kind == "set":
        here[last] = edit.value
    elif edit.kind == "remove":
        del here[last]
    elif isinstance(found, list):
        found.append(edit.value)
    else:
        raise EditError(f"{edit.path} is {_name(found)}, and nothing can be appended to it", edit.place)


def _under(edit: Edit, here: Any, step: Step, number: int) -> Any:
    """Return what stands under *step*."""
    before = _text(edit.steps[:number]) or "the notification"
    if isinstance(step, str):
        if not isinstance(here, dict):
            raise EditError(f"{before} is {_name(here)}, so that it has no key {step!r}", edit.place)
        if step not in here:
            keys = [str(key) for key in here]
            hint = f"there are {', '.join(keys[:20]) or 'no keys'}{did_you_mean(step, keys)}"
            raise EditError(f"{before} has no key {step!r}", edit.place, hint)
    elif not isinstance(here, list):
        raise EditError(f"{before} is {_name(here)}, no list", edit.place)
    elif not -len(here) <= step < len(here):
        raise EditError(f"{before} has {len(here)} items, so that there is no [{step}]", edit.place)
    return here[step]


def _text(steps: tuple[Step, ...]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _name(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
