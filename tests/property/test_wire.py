"""What is written is read back, and every wire form of a notification is the same notification."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import DecodeError, Event, Notification, decode_notification, encode_event
from eventdefs.decode import decode_event, decode_notifications, read_json
from eventdefs.encode import ceilometer_event, write_json

from . import examples


def _has_no_pair(text: str) -> bool:
    """Tell whether no two lone surrogates stand side by side, which JSON reads as one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") == text


TEXTS = st.one_of(
    st.text(max_size=8),
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "Lu", "Zl", "Zp", "Po"]), max_size=6).filter(
        _has_no_pair
    ),
    st.sampled_from(("\ud800", "\udc00\ud800", "\x00", "\u2028", "NaN", '"', "\\")),
)
_times = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))
_integers = st.one_of(st.integers(), st.sampled_from((2**63, 2**64, -(2**63) - 1, 10**400, -(10**4000))))
_values = st.one_of(TEXTS, _integers, st.floats(), _times)
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), _integers, st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
EVENTS = st.builds(
    Event,
    message_id=TEXTS,
    event_type=TEXTS,
    generated=_times,
    traits=st.dictionaries(TEXTS, _values, max_size=5),
    raw=st.one_of(st.just({}), st.dictionaries(TEXTS, _json, max_size=3)),
    tenant=st.one_of(st.none(), TEXTS),
    priority=st.sampled_from(("info", "error")),
    publisher_id=st.one_of(st.none(), TEXTS),
)


@given(EVENTS)
@examples(500)
def test_an_event_is_read_back_whole(event: Event) -> None:
    """Whatever the traits hold: integers of any size, NaN, infinities, lone surrogates, times."""
    line = encode_event(event)
    assert b"\n" not in line
    assert repr(decode_event(line)) == repr(event)


@given(EVENTS)
@examples(200)
def test_what_is_written_is_json(event: Event) -> None:
    """Both forms are JSON of RFC 8259, which has no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    for document in (write_json(ceilometer_event(event)), encode_event(event)):
        json.loads(document, parse_constant=refuse)


@given(st.dictionaries(TEXTS, st.one_of(_json, st.floats()), max_size=4))
@examples(200)
def test_any_document_is_written_as_json(document: Any) -> None:
    """A NaN among lone surrogates becomes null as it does elsewhere."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(write_json(document), parse_constant=refuse)


def comparable(notification: Notification | DecodeError) -> str:
    """Return all that *notification* says, True and 1 told apart, in whatever order its keys came."""
    return json.dumps(msgspec.structs.asdict(notification), sort_keys=True, default=str)


_names = st.text("abcdefgh_", min_size=1, max_size=6)
_contexts = st.dictionaries(_names, _json, max_size=4)


@given(
    st.fixed_dictionaries(
        {
            "message_id": TEXTS.filter(bool),
            "event_type": TEXTS,
            "priority": st.sampled_from(("INFO", "error", "Audit")),
            "timestamp": st.one_of(_times.map(str), st.sampled_from(("2026-08-01", "2026-08-01T00:00:00Z"))),
            "payload": _json,
            "publisher_id": st.one_of(st.none(), TEXTS),
        }
    ),
    _contexts,
)
@examples(300)
def test_the_wire_forms_of_a_notification_are_one(message: Any, context: Any) -> None:
    """The envelope of oslo.messaging, its bare version 1, and the body that Ceilometer's endpoints see."""
    flat = {**message, **{f"_context_{key}": value for key, value in context.items()}}
    body = {
        **{key: message[key] for key in ("event_type", "priority", "payload", "publisher_id")},
        "ctxt": {**context, "client_timeout": None},  # which oslo.messaging adds to version 1
        "metadata": {key: message[key] for key in ("message_id", "timestamp")},
    }
    forms: list[Any] = [flat, {"oslo.version": "2.0", "oslo.message": json.dumps(flat)}, body]
    texts = [json.dumps(form) for form in forms]
    plain = [json.dumps(form, ensure_ascii=False).encode("utf-8", "surrogatepass") for form in forms]
    notifications = [
        *map(decode_notification, forms),
        *map(decode_notification, texts),
        *map(decode_notification, plain),
        *decode_notifications(f"[{', '.join(texts)}]"),
    ]
    assert {comparable(notification) for notification in notifications} == {comparable(notifications[0])}


@given(_json)
@examples(300)
def test_json_is_read_as_the_standard_library_reads_it(document: Any) -> None:
    """Integers of any size stay whole, and floats exact."""
    text = json.dumps(document)
    assert repr(read_json(text)) == repr(json.loads(text)) == repr(read_json(text.encode()))
