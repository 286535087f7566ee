"""`convert_json` reads only what is looked at, and gives what `convert` gives of the whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import DecodeError, Definitions, Options, decode_notification, parse_definitions
from eventdefs.definitions import registry
from eventdefs.definitions.projection import project

from . import examples
from .test_converters import NOTIFICATIONS, TRAITS


def as_version_1(wire: dict[str, Any]) -> dict[str, Any]:
    context = wire.get("ctxt")
    pieces = {f"_context_{key}": value for key, value in context.items()} if isinstance(context, dict) else {}
    return {**{key: value for key, value in wire.items() if key != "ctxt"}, **pieces}


def as_body(wire: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in wire.items() if key not in ("message_id", "timestamp")}
    return {**kept, "metadata": {"message_id": wire["message_id"], "timestamp": wire["timestamp"]}}


def as_envelope(wire: dict[str, Any]) -> dict[str, Any]:
    return {"oslo.version": "2.0", "oslo.message": json.dumps(wire)}


FORMS = (lambda wire: wire, as_version_1, as_body, lambda wire: as_envelope(as_version_1(wire)))


def whole(definitions: Definitions, data: bytes) -> str:
    try:
        return repr(definitions.convert(decode_notification(data)))
    except DecodeError as error:
        return error.reason


def looked_at(definitions: Definitions, data: bytes) -> str:
    try:
        return repr(definitions.convert_json(data))
    except DecodeError as error:
        return error.reason


@examples(300)
@given(TRAITS, st.lists(NOTIFICATIONS, min_size=1, max_size=4), st.sampled_from(FORMS), st.booleans())
def test_what_is_not_looked_at_makes_no_difference(traits: Any, wires: list[Any], form: Any, compact: bool) -> None:
    """For any definition and notification in any form; the first of an event type prepares for the next."""
    definitions = parse_definitions(json.dumps([{"event_type": "volume.*", "traits": traits}]))
    for wire in wires:
        data = json.dumps(form(wire), separators=(",", ":") if compact else None).encode()
        expected = whole(definitions, data)
        assert [looked_at(definitions, data) for _ in range(3)] == [expected] * 3


GOOD = {
    "message_id": "m-1",
    "event_type": "volume.create.end",
    "publisher_id": "volume.host-1",
    "timestamp": "2026-08-01 01:02:03",
    "payload": {"a": 1, "tenant_id": "p-1", "volume": {"tenant_id": "p-2"}},
    "ctxt": {"auth_token": "secret", "project_id": "p-3"},
}
ODD: dict[str, Any] = {
    "another event type before it": {"payload": {"event_type": "volume.delete.end"}, **GOOD},
    "a payload that is a text": {**GOOD, "payload": "text"},
    "a payload that is a list": {**GOOD, "payload": [1]},
    "no payload": {**GOOD, "payload": None},
    "a context that is a text": {**GOOD, "ctxt": "text"},
    "metadata that is a text": {**GOOD, "metadata": "text"},
    "metadata without a time": {**GOOD, "metadata": {"message_id": "m-2"}},
    "a number as message_id": as_body({**GOOD, "message_id": 5}),
    "no message_id": as_body({**GOOD, "message_id": None}),
    "a long message_id": as_body({**GOOD, "message_id": "m" * 2_000}),
    "a time that is none": as_body({**GOOD, "timestamp": "yesterday"}),
    "no publisher": as_body({**GOOD, "publisher_id": None}),
    "a number as publisher": as_body({**GOOD, "publisher_id": 5}),
    "a priority in capitals": as_body({**GOOD, "priority": "ERROR"}),
    "a priority that is not wanted": as_body({**GOOD, "priority": "DEBUG"}),
    "a priority that is null": as_body({**GOOD, "priority": None}),
    "not finite": as_body({**GOOD, "payload": {"a": float("nan")}}),
    "a lone surrogate": as_body({**GOOD, "payload": {"a": "\ud800"}}),
    "beyond 64 bits": as_body({**GOOD, "payload": {"a": 2**70}}),
}
DEFINITIONS = {
    "keys": {"a": "payload.a", "p": "priority", "s": "publisher_id.`split(., 1, 1)`"},
    "a path that is more": {"a": "payload.a", "n": "payload.volume.`len`"},
    "a whole context": {"c": "ctxt"},
    "the whole": {"c": "$"},
    "a secret": {"c": "ctxt.auth_token"},
    "a key and what is below it": {"v": "payload.volume", "t": "payload.volume.tenant_id"},
    "a plugin": {"v": {"fields": "payload.a", "plugin": "split"}},
}


@pytest.mark.parametrize("traits", DEFINITIONS.values(), ids=DEFINITIONS)
@pytest.mark.parametrize("wire", [GOOD, as_body(GOOD), *ODD.values()], ids=["plain", "body", *ODD])
@pytest.mark.parametrize("options", [Options(), Options(store_raw=("info",))], ids=["", "raw"])
def test_odd_notifications_are_read_alike(traits: Any, wire: Any, options: Options) -> None:
    """After a good one of the same event type was read, and the way is prepared."""
    definitions = parse_definitions(json.dumps([{"event_type": "*", "traits": traits}]), options=options)
    for good in (GOOD, as_body(GOOD)):
        looked_at(definitions, json.dumps(good).encode())
    data = json.dumps(wire).encode()
    assert looked_at(definitions, data) == whole(definitions, data)
    assert "secret" not in looked_at(definitions, data)


def test_samples_are_not_forgotten() -> None:
    """An event type that gives samples is read as a whole, since they may keep all of the payload."""
    definitions = parse_definitions(
        "metric: [{name: m, event_type: volume, type: gauge, unit: B, volume: 1, resource_id: $.payload.a}]"
    )
    data = json.dumps(GOOD).encode()
    assert [len(definitions.convert_json(data).samples) for _ in range(3)] == [1, 1, 1]


def test_an_event_type_that_is_no_utf_8() -> None:
    """What real senders write is read, here too."""
    definitions = parse_definitions("[]")
    data = json.dumps(GOOD).encode().replace(b"volume.create.end", b"volume.\xed\xa0\x80")
    assert [looked_at(definitions, data) for _ in range(2)] == [whole(definitions, data)] * 2


@pytest.mark.parametrize("path", ["payload.a", "payload.volume.`len`"], ids=["keys", "more than keys"])
def test_the_way_is_prepared_once(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there is a shorter way is asked for the first notification of an event type, and not again."""
    asked = []
    monkeypatch.setattr(registry, "project", lambda *words: asked.append(words) or project(*words))
    definitions = parse_definitions(json.dumps([{"event_type": "*", "traits": {"a": path}}]))
    data = json.dumps(GOOD).encode()
    assert len({repr(definitions.convert_json(data)) for _ in range(5)}) == 1
    assert len(asked) == 1
