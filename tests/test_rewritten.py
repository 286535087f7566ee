"""Definitions as they are written: what of them is another, wherever and however it stands."""

from __future__ import annotations

import pytest

from eventdefs import load_definitions, parse_definitions
from eventdefs.definitions.rewritten import rewritten

VOLUMES = "- {event_type: volume.*, traits: {size: {fields: payload.size, type: int}, name: payload.name}}\n"
SHARES = "- {event_type: [share.*, '!share.x'], traits: {size: payload.size}}\n"
IMAGES = "- {event_type: image.*, traits: {size: payload.size}}\n"
OLD = VOLUMES + SHARES + IMAGES
SPLIT = "host: {fields: payload.host, plugin: {name: split, parameters: {segment: 1}}}"
HOST = VOLUMES.replace("name: payload.name", SPLIT)

# What stands there, what instead of it, and what that is called: (change, name, details).
EVENTS: dict[str, tuple[str, str, list[tuple[str, str, tuple[str, ...]]]]] = {
    "nothing": (OLD, OLD, []),
    "comments and lines": (OLD, f"# later\n\n{OLD}", []),
    "quotes": (OLD, OLD.replace("payload.name", "'payload.name'"), []),
    "anchors": (
        IMAGES + VOLUMES,
        IMAGES.replace("traits: ", "traits: &i ") + VOLUMES.replace("{size:", "{<<: *i, size:"),
        [],
    ),
    "traits in another order": (
        VOLUMES,
        "- {event_type: volume.*, traits: {name: payload.name, size: {type: int, fields: payload.size}}}",
        [],
    ),
    "a type": (OLD, OLD.replace("type: int", "type: float"), [("changed", "volume.*", ("trait size: type",))]),
    "a path": (OLD, OLD.replace("payload.name", "payload.n"), [("changed", "volume.*", ("trait name: fields",))]),
    "required": (
        VOLUMES,
        VOLUMES.replace("type: int", "required: true"),
        [("changed", "volume.*", ("trait size: type, required",))],
    ),
    "what happens to errors": (
        VOLUMES,
        VOLUMES.replace("type: int", "type: int, on_error: reject"),
        [("changed", "volume.*", ("trait size: on_error",))],
    ),
    "a constant of another type": (
        VOLUMES.replace("payload.name", "{fields: 1, type: int}"),
        VOLUMES.replace("payload.name", "{fields: 1.0, type: int}"),
        [("changed", "volume.*", ("trait name: fields",))],
    ),
    "a trait more and a trait less": (
        VOLUMES,
        HOST,
        [("changed", "volume.*", ("trait name removed", "trait host added"))],
    ),
    "a parameter of a plugin": (
        HOST,
        HOST.replace("segment: 1", "segment: 2"),
        [("changed", "volume.*", ("trait host: fields",))],
    ),
    "a description": (
        VOLUMES,
        VOLUMES.replace("traits:", "description: Volumes., traits:"),
        [("changed", "volume.*", ("description",))],
    ),
    "a definition more": (OLD, f"{OLD}- {{event_type: x, traits: {{}}}}", [("added", "x", ())]),
    "a definition less": (OLD, VOLUMES + IMAGES, [("removed", "share.* !share.x", ())]),
    "another pattern": (
        IMAGES,
        IMAGES.replace("image.*", "image.?"),
        [("removed", "image.*", ()), ("added", "image.?", ())],
    ),
    "another order": (OLD, IMAGES + VOLUMES + SHARES, [("moved", "image.*", ())]),
    "one of two of one name": (
        IMAGES + IMAGES,
        IMAGES + IMAGES.replace("payload.size", "payload.s"),
        [("changed", "image.* (2)", ("trait size: fields",))],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), EVENTS.values(), ids=EVENTS)
def test_event_definitions(old: str, new: str, expected: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """What changes is said of the definition, and nothing else of it is."""
    found = rewritten(parse_definitions(old), parse_definitions(new))
    assert [(one.change, one.name, one.details) for one in found] == expected
    assert {one.what for one in found} <= {"event definition"}


METER = """\
metric:
  - name: uptime
    event_type: exists
    type: delta
    unit: h
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    period: {begin: $.payload.begin, end: $.payload.end, while: {$.payload.state: active}}
    dimensions: {flavor: $.payload.flavor}
  - name: size
    event_type: [volume, snapshot]
    type: gauge
    unit: GiB
    volume: $.payload.size
    resource_id: $.payload.id
    metadata: {name: $.payload.name}
"""
METERS = {
    "a unit": ("unit: GiB", "unit: GB", "size", ("unit",)),
    "a volume": ("$.payload.size", "$.payload.s", "size", ("volume",)),
    "an attribute more": ("type: gauge", "type: gauge\n    user_id: $.payload.u", "size", ("user_id",)),
    "an event type": ("[volume, snapshot]", "[volume]", "size", ("event_type",)),
    "metadata": ("name: $.payload.name", "host: $.payload.host", "size", ("metadata.name", "metadata.host")),
    "when it counts": ("state: active", "state: [active, paused]", "uptime", ("period.while",)),
    "a bound": ("end: $.payload.end", "end: $.payload.end, not_before: $.payload.b", "uptime", ("period.not_before",)),
    "a dimension": ("{flavor: $.payload.flavor}", "{flavor: $.payload.f}", "uptime", ("period.dimensions.flavor",)),
}


@pytest.mark.parametrize(("was", "then", "name", "details"), METERS.values(), ids=METERS)
def test_sample_definitions(was: str, then: str, name: str, details: tuple[str, ...]) -> None:
    """The keys that are written otherwise are named as a file has them."""
    assert was in METER
    (found,) = rewritten(parse_definitions(METER), parse_definitions(METER.replace(was, then)))
    assert (found.what, found.change, found.name, found.details) == ("sample definition", "changed", name, details)


def test_places() -> None:
    """Where it stands now, or stood before it was removed."""
    old = parse_definitions(f"# one\n\n{VOLUMES}", file="old.yaml")
    found = rewritten(old, parse_definitions(IMAGES, file="new.yaml"))
    assert [(one.change, str(one.place)) for one in found] == [("removed", "old.yaml:3:3"), ("added", "new.yaml:1:3")]


def test_the_shipped_definitions_are_themselves() -> None:
    """Loaded twice, with all their plugins, periods and look-ups, nothing of them differs."""
    assert rewritten(load_definitions(), load_definitions()) == []
