"""What definitions gave, as a case expects it: for `--update`, and for whoever writes test files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from eventdefs.cases.values import written
from eventdefs.types import Conversion

WIDTH = 120
WRITTEN = {
    "samples": ("name", "type", "unit", "volume", "resource_id", "project_id"),
    "periods": (
        "meter",
        "unit",
        "resource_id",
        "project_id",
        "begin",
        "end",
        "not_before",
        "not_after",
        "status",
        "dimensions",
    ),
    "problems": ("kind", "name", "path", "reason"),
}
"""Which keys of a row are written where nobody wrote one: what does not come from the notification's id alone."""


def expectations_of(conversion: Conversion) -> dict[str, Any]:
    """Return the keys of a case that expects exactly *conversion*."""
    found: dict[str, Any] = {}
    if conversion.event is not None:
        event = conversion.event
        found["event"] = {"event_type": event.event_type, "tenant": event.tenant, "traits": dict(event.traits)}
    elif conversion.rejected:
        found["rejected"] = True
    else:
        found["no_event"] = True
    for part in WRITTEN:
        rows = [row_of(part, msgspec.structs.asdict(row)) for row in getattr(conversion, part)]
        if rows:
            found[part] = rows
    found["exactly"] = True
    return found


def row_of(part: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written of a sample, period or problem."""
    return {key: row[key] for key in WRITTEN[part]}


def block(value: Any, indent: int) -> str:
    """Return *value* as it stands after its key: on the same line, or in lines below that begin at *indent*."""
    if isinstance(value, Mapping) and value:
        return "".join(f"\n{' ' * indent}{entry(key, item, indent)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return "".join(f"\n{' ' * indent}- {item_text(item, indent)}" for item in value)
    return f" {written(value)}"


def entry(key: Any, value: Any, indent: int) -> str:
    """Return `key: value`, whose first line is indented by *indent* already."""
    return f"{written(key)}:{block(value, indent + 2)}"


def item_text(value: Any, indent: int) -> str:
    """Return *value* as it stands after the `- ` of a list that begins at *indent*: on one line if it fits."""
    flat = written(value)
    if len(flat) + indent + 2 <= WIDTH or not isinstance(value, Mapping):
        return flat
    return block(value, indent + 2).lstrip()


def case_text(name: str, notification: Any, conversion: Conversion, number: int | None = None) -> str:
    """Return a case, as an item of `cases` that begins two blanks in and ends its last line.

    *notification*: the name of a file, relative to the test file, or the document.
    """
    keys = {"name": name, "notification": notification}
    if number is not None:
        keys["number"] = number
    return f"  - {block(keys | expectations_of(conversion), 4).lstrip()}\n"
