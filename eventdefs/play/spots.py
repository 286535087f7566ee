"""Where in the text of a notification the value of a path stands: the keys and indices that lead to it.

Paths see the body of a notification, its envelope opened; a text may have another form. What cannot be told apart
from outside, as JSON within a text, is named as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventdefs.definitions.paths import Path, parse_path
from eventdefs.errors import EventdefsError

Steps = tuple[str | int, ...]

MAX_SPOTS = 50
"""How many values of one path are pointed at."""

_KEY = re.compile(r"""([A-Za-z_@][\w@-]*)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|\[(\d+)\]""")
_INDEX = re.compile(r"\[(\d+)\]").match


def find_spots(text: str, body: Mapping[str, Any]) -> list[Steps]:
    """Return the steps to each value that the path *text* gives in *body*.

    Where nothing is found, or what is made does not stand there as it is (`split`, `sorted`), the steps go as far as
    keys alone lead.

    >>> find_spots("payload.nodes[*].'a.b'", {"payload": {"nodes": [{"a.b": 1}, {}]}})
    [('payload', 'nodes', 0, 'a.b')]
    >>> find_spots("payload.nodes[0].name", {"payload": {"nodes": []}})
    [('payload', 'nodes')]
    """
    try:
        path = parse_path(text)
        found = list(_located(path, body))
    except EventdefsError:
        found = []
    return found or _as_far_as_keys_lead(text, body)


def _located(path: Path, body: Mapping[str, Any]) -> Iterator[Steps]:
    for place, value in path.find(body)[:MAX_SPOTS]:
        steps = _resolve(place, body, value)
        if steps:
            yield steps


def _resolve(place: str, body: Any, value: Any) -> Steps | None:
    """Return the steps to *value* that *place* means, `a.[0].b.c` of keys that may have dots themselves."""
    waiting: list[tuple[str, Any, Steps]] = [(place, body, ())]
    for _ in range(1_000):
        if not waiting:
            break
        rest, here, steps = waiting.pop()
        if not rest:
            if steps and here is value:
                return steps
            continue
        if isinstance(here, list):
            index = _INDEX(rest)
            if index is not None and int(index[1]) < len(here):
                after = rest[index.end() :]
                waiting.append((after.removeprefix("."), here[int(index[1])], (*steps, int(index[1]))))
        elif isinstance(here, Mapping):
            ends = [found.start() for found in re.finditer(r"\.", rest)]
            waiting += [
                (rest[end + 1 :], here[rest[:end]], (*steps, rest[:end]))
                for end in (*ends[:50], len(rest))
                if rest[:end] in here
            ]
    return None


def _as_far_as_keys_lead(text: str, body: Any) -> list[Steps]:
    steps: list[str | int] = []
    position = 1 if text.startswith("$") else 0
    while found := _KEY.match(text, position + (text[position : position + 1] == ".")):
        name, single, double, index = found.groups()
        step: str | int = (
            int(index) if index is not None else next(part for part in (name, single, double) if part is not None)
        )
        if isinstance(step, int):
            if not isinstance(body, list) or step >= len(body):
                break
        elif not isinstance(body, Mapping) or step not in body:
            break
        body = body[step]
        steps.append(step)
        position = found.end()
    return [tuple(steps)] if steps else []


_CLOUD_EVENT: dict[Steps, str] = {
    ("payload",): "data",
    ("event_type",): "type",
    ("publisher_id",): "source",
    ("metadata", "message_id"): "id",
    ("metadata", "timestamp"): "time",
}


def in_document(steps: Steps, document: Mapping[str, Any]) -> Steps:
    """Return the steps in *document*, a notification in any form, that mean *steps* in its body; () where none do.

    >>> in_document(("ctxt", "project_id"), {"event_type": "a", "_context_project_id": "p"})
    ('_context_project_id',)
    >>> in_document(("payload", "size"), {"oslo.version": "2.0", "oslo.message": "{}"})
    ('oslo.message',)
    """
    if "event_type" not in document and "oslo.message" in document:
        return ("oslo.message",)
    if "event_type" not in document and "specversion" in document:
        for length in (1, 2):
            if steps[:length] in _CLOUD_EVENT:
                return _existing((_CLOUD_EVENT[steps[:length]], *steps[length:]), document)
        if steps[:1] == ("ctxt",):
            name = "tenantid" if steps[1:2] == ("project_id",) and "project_id" not in document else None
            return _existing((name, *steps[2:]) if name else steps[1:], document)
        return _existing(steps, document)
    if not isinstance(document.get("metadata"), Mapping):
        if steps[:1] == ("metadata",):
            return _existing(steps[1:], document)
        if len(steps) > 1 and steps[0] == "ctxt" and "ctxt" not in document:
            key = "_timeout" if steps[1] == "client_timeout" else f"_context_{steps[1]}"
            return _existing((key, *steps[2:]), document)
    return _existing(steps, document)


def _existing(steps: Sequence[str | int], document: Any) -> Steps:
    """Return *steps* as far as they lead."""
    for number, step in enumerate(steps):
        there = (isinstance(document, list) and isinstance(step, int) and step < len(document)) or (
            isinstance(document, Mapping) and step in document
        )
        if not there:
            return tuple(steps[:number])
        document = document[step]
    return tuple(steps)
