"""The code that is generated for a definition does what a slow interpreter of the same definition does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventdefs import (
    Conversion,
    Definitions,
    EventdefsError,
    Notification,
    Options,
    decode_notification,
    parse_definitions,
)
from eventdefs.times import parse_time
from eventdefs.types import TraitType

from . import examples
from .strategies import scalars

PATHS = (
    "payload.a",
    "payload.b",
    "$.payload.k.a",
    "payload.k.b",
    "payload.k.k.a",
    "payload.c.`split(., 0, -1)`",
    "payload.k.a.`split(a, 1, 1)`",
    "payload.b[0]",
    "payload.b[*].a",
    "payload.b[-1]",
    "payload.*",
    "payload..a",
    "payload.a.`parent`.b",
    "payload.c.`len`",
    "payload.c.`sub(/a/, b)`",
    "publisher_id",
    "ctxt.project_id",
    "ctxt.nothing.here",
    "metadata.timestamp",
    "$",
)
NAMES = (
    "x",
    "y",
    "z",
    "it's",
    'a "b"',
    "new\nline",
    "back\\slash",
    "class",
    "T1",
    "value",
    "project_id",
    "tenant_id",
    "service",
    "",
)
PLUGINS = (
    {"name": "split", "parameters": {"separator": ".", "segment": -1}},
    {"name": "map", "parameters": {"values": {"a": "A", "5": 5}, "default": None}},
    {
        "name": "bitfield",
        "parameters": {"flags": [{"path": "payload.a", "bit": 1}, {"path": "payload.b", "bit": 2, "value": 1}]},
    },
    {"name": "timedelta"},
)

_paths = st.sampled_from(PATHS)
_fields = st.one_of(_paths, st.lists(_paths, min_size=1, max_size=4), st.sampled_from((5, True, 2.5, -1)))
TRAITS = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(
        _fields,
        st.fixed_dictionaries(
            {"fields": _fields},
            optional={
                "type": st.sampled_from(("text", "int", "float", "datetime", "Int")),
                "plugin": st.sampled_from(PLUGINS),
                "required": st.booleans(),
                "on_error": st.sampled_from(("drop", "reject")),
            },
        ),
    ),
    max_size=6,
)
_texts = st.sampled_from(
    ("", "a", "a.b", "5", "2.5", "1_0", " 7 ", "nan", "2026-08-01", "2026-08-01T01:02:03+02:00", "tenant")
)
_values = st.one_of(
    _texts, _texts, scalars, st.lists(_texts, max_size=2), st.dictionaries(st.sampled_from("ab"), _texts, max_size=2)
)
_rows = st.one_of(_values, st.lists(st.dictionaries(st.sampled_from("abk"), _values, max_size=2), max_size=3))
_payloads = st.dictionaries(
    st.sampled_from(
        ("a", "b", "c", "k", "tenant_id", "project_id", "user_id", "owner", "nova_object.data", "volume", "image")
    ),
    st.one_of(
        _values,
        _rows,
        st.dictionaries(st.sampled_from(("a", "b", "k", "tenant_id", "project_id", "owner")), _values, max_size=3),
    ),
    max_size=6,
)
NOTIFICATIONS = st.fixed_dictionaries(
    {
        "message_id": st.just("m-1"),
        "event_type": st.just("volume.create.end"),
        "timestamp": st.just("2026-08-01 01:02:03.5"),
        "payload": st.one_of(_payloads, _payloads, _values),
    },
    optional={
        "publisher_id": st.sampled_from((None, "volume.host-1")),
        "priority": st.sampled_from(("INFO", "error", "audit")),
        "ctxt": st.one_of(
            st.dictionaries(st.sampled_from(("project_id", "user_id", "request_id", "tenant", "tenant_id")), _values),
            _values,
        ),
    },
)


def slow_value(value: Any, kind: TraitType) -> Any:
    """Coerce *value* as SEMANTICS has it: '' is no value but for text."""
    if kind is TraitType.TEXT:
        return str(value)
    if value == "":
        return None
    return {TraitType.INT: int, TraitType.FLOAT: float, TraitType.DATETIME: parse_time}[kind](value)


def slow_tenant(written: frozenset[str], traits: dict[str, Any], body: Any) -> Any:
    """Return the first owner there is, in the order of the documentation, for volume.create.end."""

    def under(*keys: str) -> Any:
        value = body
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    places = [traits.get(name) for name in ("project_id", "tenant_id") if name in written]
    places += [under("payload", name) for name in ("tenant_id", "project_id")]
    places += [under("payload", "nova_object.data", name) for name in ("tenant_id", "project_id")]
    places += [under("payload", "owner")]
    for resource in ("volume", "volume_create"):
        places += [under("payload", resource, name) for name in ("tenant_id", "project_id")]
    places += [under("payload", "image", "owner")]
    places += [under("ctxt", name) for name in ("project_id", "tenant_id", "tenant")]
    return next((place for place in places if isinstance(place, str) and place), None)


def slow_convert(definitions: Definitions, notification: Notification) -> Any:
    """Interpret the last definition, trait after trait."""
    definition = definitions.events[-1]
    if notification.priority not in ("info", "error"):
        return None
    traits: dict[str, Any] = {}
    problems: list[str] = []
    rejected = False
    for trait in definition.traits:
        try:
            value = trait.fields.first(notification.body)
            if value is not None:
                value = slow_value(value, trait.type)
        except (EventdefsError, ValueError, TypeError, OverflowError):
            problems.append(trait.name)
            rejected = rejected or trait.rejects
            value = None
        if value is not None:
            traits[trait.name] = value
        elif trait.required:
            if problems[-1:] != [trait.name]:
                problems.append(trait.name)
            rejected = True
    if rejected:
        return "rejected", problems
    return list(traits.items()), problems, slow_tenant(definition.written, traits, notification.body)


def outcome(conversion: Conversion) -> Any:
    problems = [problem.name for problem in conversion.problems]
    if conversion.rejected:
        return "rejected", problems
    event = conversion.event
    return None if event is None else (list(event.traits.items()), problems, event.tenant)


@given(TRAITS, st.lists(NOTIFICATIONS, min_size=1, max_size=4))
@examples(700)
def test_generated_code_is_the_definition(traits: Any, wires: list[Any]) -> None:
    """Traits in their order with their types, problems, tenant and rejection are the interpreter's."""
    definitions = parse_definitions(json.dumps([{"event_type": "volume.*", "traits": traits}]))
    notifications = [decode_notification(wire) for wire in wires]
    expected = [repr(slow_convert(definitions, notification)) for notification in notifications]
    assert [repr(outcome(definitions.convert(notification))) for notification in notifications] == expected


@given(NOTIFICATIONS, st.sampled_from(("info", "ERROR", "audit")))
@examples(100)
def test_the_raw_body_is_kept_for_the_priorities_that_ask_for_it(wire: Any, wanted: str) -> None:
    """`store_raw` keeps the whole body, and nothing else does; letter case does not matter."""
    definitions = parse_definitions(
        "[]", options=Options(store_raw=(wanted,), event_priorities=("info", "error", "audit"))
    )
    notification = decode_notification(wire)
    event = definitions.convert(notification).event
    assert event is not None
    assert event.raw == (notification.body if notification.priority == wanted.lower() else {})


DEFINITIONS = r"""
metric:
  - {name: volume.size, event_type: 'volume\..*', type: gauge, unit: GB, volume: $.payload.size,
     resource_id: $.payload.id}
  - {name: '$.payload.l[*].n', event_type: volume, type: delta, unit: B, volume: '$.payload.l[*].v',
     resource_id: $.payload.id, lookup: [name, volume]}
  - {name: hours, event_type: volume, type: delta, unit: h, resource_id: $.payload.id,
     period: {begin: $.payload.begin, end: $.payload.end}}
"""
_PROGRAM = """
import sys, eventdefs
definitions = eventdefs.parse_definitions(sys.argv[1])
for line in sys.stdin:
    conversion = definitions.convert(eventdefs.decode_notification(line))
    print(ascii([(one.id, one) for one in (*conversion.samples, *conversion.periods)]))
"""
_ids = st.one_of(st.text(max_size=5), st.integers(), st.none(), st.booleans())


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "message_id": st.text(min_size=1, max_size=8),
                "payload": st.fixed_dictionaries(
                    {"size": st.integers(), "id": _ids, "begin": st.just("2026-08-01"), "end": st.just("2026-08-02")},
                    optional={
                        "l": st.lists(
                            st.fixed_dictionaries({"n": st.text(max_size=3), "v": st.integers()}), max_size=3
                        ),
                        "project_id": _ids,
                    },
                ),
            }
        ),
        min_size=20,
        max_size=60,
    ),
    st.integers(0, 4_000_000),
)
@examples(4)
def test_ids_are_the_same_in_every_process(wires: list[Any], seed: int) -> None:
    """Converting twice, here and in a process with another hash seed, gives the same samples and periods."""
    lines = [json.dumps({"event_type": "volume.x", "timestamp": "2026-08-01", **wire}) for wire in wires]
    definitions = parse_definitions(DEFINITIONS)

    def here() -> list[str]:
        conversions = [definitions.convert(decode_notification(line)) for line in lines]
        return [ascii([(one.id, one) for one in (*each.samples, *each.periods)]) for each in conversions]

    there = subprocess.run(
        [sys.executable, "-c", _PROGRAM, DEFINITIONS],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert here() == here() == there.stdout.splitlines()


_part = st.sampled_from(("a", "b", "a\nb", "\n", "None", ""))


@given(_part.filter(bool), _part.filter(bool), _part, _part, _part, _part)
@examples(300)
def test_ids_differ_where_what_is_derived_differs(
    one: str, other: str, name: str, other_name: str, id: str, other_id: str
) -> None:
    """No text, whoever chooses it, makes two different samples one."""
    definitions = parse_definitions(
        "metric: [{name: $.payload.name, event_type: a, type: gauge, unit: B, volume: 1, resource_id: $.payload.id}]"
    )
    keys = [(one, name, id), (other, other_name, other_id)]
    samples = [
        definitions.convert(
            decode_notification(
                {
                    "message_id": message_id,
                    "event_type": "a",
                    "timestamp": "2026-08-01",
                    "payload": {"name": text, "id": owner},
                }
            )
        ).samples
        for message_id, text, owner in keys
    ]
    assert (samples[0][0].id == samples[1][0].id) == (keys[0] == keys[1])
