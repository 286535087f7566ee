"""Wire forms: every one gives the same notification, what is none says why, and credentials stay out."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from eventdefs import DecodeError, Notification, decode_notification, decode_notifications
from eventdefs.decode import SECRETS, read_json

SENT = "2026-08-01 01:02:03.000004"
CTXT = {"project_id": "p-1", "user_id": "u-1"}
PAYLOAD = {"size": 4, "name": "é"}
VERSION_1 = {
    "message_id": "m-1",
    "publisher_id": "volume.host-1",
    "event_type": "volume.create.end",
    "priority": "INFO",
    "timestamp": SENT,
    "payload": PAYLOAD,
    "_unique_id": "x",
    "_context_project_id": "p-1",
    "_context_user_id": "u-1",
}
ENDPOINT = {
    "publisher_id": "volume.host-1",
    "event_type": "volume.create.end",
    "priority": "info",
    "ctxt": CTXT,
    "payload": PAYLOAD,
    "metadata": {"message_id": "m-1", "timestamp": SENT},
}
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "m-1",
    "source": "volume.host-1",
    "type": "volume.create.end",
    "time": SENT,
    "data": PAYLOAD,
    "datacontenttype": "application/json",
    "tenantid": "p-1",
    "user_id": "u-1",
}


def enveloped(message: Any) -> dict[str, Any]:
    """Return *message* in oslo.messaging's 2.0 envelope."""
    return {"oslo.version": "2.0", "oslo.message": json.dumps(message)}


def expected(ctxt: Any) -> Notification:
    body = {
        "ctxt": ctxt,
        "publisher_id": "volume.host-1",
        "event_type": "volume.create.end",
        "payload": PAYLOAD,
        "metadata": {"message_id": "m-1", "timestamp": SENT},
        "priority": "info",
    }
    sent = datetime(2026, 8, 1, 1, 2, 3, 4, tzinfo=UTC)
    return Notification("m-1", "volume.create.end", "volume.host-1", "info", sent, body)


FORMS = {
    "version 1": (VERSION_1, {**CTXT, "client_timeout": None}),
    "version 1 with a time-out": ({**VERSION_1, "_timeout": 60}, {**CTXT, "client_timeout": 60}),
    "the envelope": (enveloped(VERSION_1), {**CTXT, "client_timeout": None}),
    "the body of an endpoint": (ENDPOINT, CTXT),
    "the body of an endpoint, enveloped": (enveloped(ENDPOINT), CTXT),
    "a CloudEvent": (CLOUD_EVENT, {**CTXT, "tenantid": "p-1"}),
    "a CloudEvent with a priority": ({**CLOUD_EVENT, "priority": "Info"}, {**CTXT, "tenantid": "p-1"}),
    "a context beside the keys": ({**VERSION_1, "ctxt": CTXT}, CTXT),
}
ENCODINGS = {
    "a dict": lambda document: document,
    "a mapping": MappingProxyType,
    "a text": json.dumps,
    "letters that are not escaped": lambda document: json.dumps(document, ensure_ascii=False).encode(),
    "bytes": lambda document: json.dumps(document).encode(),
    "indented": lambda document: json.dumps(document, indent=2).encode(),
    "a byte order mark": lambda document: b"\xef\xbb\xbf" + json.dumps(document).encode(),
    "a byte order mark as text": lambda document: "\ufeff" + json.dumps(document),
    "UTF-16": lambda document: json.dumps(document).encode("utf-16"),
    "UTF-16, no mark": lambda document: json.dumps(document).encode("utf-16-le"),
    "UTF-32": lambda document: json.dumps(document).encode("utf-32"),
}


@pytest.mark.parametrize(("document", "ctxt"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_forms(document: dict[str, Any], ctxt: Any, encode: Any) -> None:
    """A notification is the same in every wire form and encoding, but for what a form adds to the context."""
    data = encode(document)
    assert decode_notification(data) == expected(ctxt)
    if isinstance(data, (bytes, str)):
        assert decode_notifications(data) == [expected(ctxt)]


# --- details ---------------------------------------------------------------------------------------------------------

DETAILS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "a priority in upper case": ({"priority": "ERROR"}, "priority", "error"),
    "no priority": ({"priority": ...}, "priority", "info"),
    "no publisher": ({"publisher_id": ...}, "publisher_id", None),
    "a publisher that is a number": ({"publisher_id": 5}, "publisher_id", "5"),
    "a message_id that is a number": ({"message_id": 7}, "message_id", "7"),
    "a time of another zone": (
        {"timestamp": "2026-08-01T02:00:00+02:00"},
        "timestamp",
        datetime(2026, 8, 1, tzinfo=UTC),
    ),
}


def changed(changes: dict[str, Any], document: dict[str, Any] = VERSION_1) -> dict[str, Any]:
    """Return *document* with *changes*; `...` takes a key out."""
    return {key: value for key, value in {**document, **changes}.items() if value is not ...}


@pytest.mark.parametrize(("changes", "attribute", "value"), DETAILS.values(), ids=DETAILS)
def test_details(changes: dict[str, Any], attribute: str, value: Any) -> None:
    """What senders leave out or write otherwise is read as it is meant."""
    assert getattr(decode_notification(changed(changes)), attribute) == value


VALUES = {
    "a large integer": ("123456789012345678901234567890", 123456789012345678901234567890),
    "a larger one": ("9" * 4000, int("9" * 4000)),
    "a small fraction": ("1e-400", 0.0),
    "a large fraction": ("1e400", float("inf")),
    "infinity": ("-Infinity", float("-inf")),
    "a surrogate": ('"\\ud800"', "\ud800"),
    "a pair of surrogates": ('"\\ud83d\\ude00"', "\U0001f600"),
    "a null character": ('"\\u0000"', "\0"),
    "a key twice: the last wins": ('{"a": 1, "a": 2}', {"a": 2}),
    "an empty key": ('{"": 1}', {"": 1}),
}


@pytest.mark.parametrize(("text", "value"), VALUES.values(), ids=VALUES)
def test_values(text: str, value: Any) -> None:
    """JSON that real senders write keeps its values, as they are."""
    message = json.dumps(changed({"payload": "HERE"})).replace('"HERE"', text)
    assert decode_notification(message).body["payload"] == value
    assert decode_notification(json.dumps({"oslo.version": "2.0", "oslo.message": message})).body["payload"] == value


def test_nan() -> None:
    """NaN is let through, which no JSON has and Python writes."""
    message = json.dumps(changed({"payload": {"load": float("nan")}}))
    load = decode_notification(message).body["payload"]["load"]
    assert load != load


def test_lone_surrogates_as_bytes() -> None:
    """A surrogate that somebody encoded is one all the same."""
    assert read_json('"\ud800"'.encode("utf-8", "surrogatepass")) == "\ud800"


# --- arrays ----------------------------------------------------------------------------------------------------------


def test_an_array_with_a_bad_item() -> None:
    """What is no notification stands in its place as an error; the others are not touched."""
    found = decode_notifications(json.dumps([VERSION_1, {"message_id": "m-2"}, enveloped(ENDPOINT), 5]))
    context = {**CTXT, "client_timeout": None}
    assert [one.reason if isinstance(one, DecodeError) else one for one in found] == [
        expected(context),
        "no event_type",
        expected(CTXT),
        "a number or truth value, expected a JSON object",
    ]
    assert [json.loads(one.data) for one in found if isinstance(one, DecodeError)] == [{"message_id": "m-2"}, 5]


def test_an_empty_array() -> None:
    """Nothing is no error."""
    assert decode_notifications(b"[]") == []


def test_one_notification_is_no_array() -> None:
    """Who asks for one notification gets one."""
    with pytest.raises(DecodeError, match="an array, expected a JSON object"):
        decode_notification(json.dumps([VERSION_1]))


# --- what is none ----------------------------------------------------------------------------------------------------

REASONS: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "empty"),
    "blanks": (b" \n", "empty"),
    "text": (b"hello", "not JSON: Expecting value at line 1, column 1"),
    "an open object": (
        b'{"a": 1,\n',
        "not JSON: Expecting property name enclosed in double quotes at line 2, column 1",
    ),
    "two documents": (b"{} {}", "not JSON: Extra data at line 1, column 4"),
    "another encoding": (b'{"a": "caf\xe9"}', "not JSON: byte 10 is not utf-8"),
    "too deep": (b"[" * 100_000, "nested too deep"),
    "a number that is too long": (b'{"a": ' + b"9" * 5000 + b"}", "a number of more than 4,300 digits"),
    "null": (b"null", "null, expected a JSON object"),
    "a JSON text": (b'"a"', "a text, expected a JSON object"),
    "true": (b"true", "a number or truth value, expected a JSON object"),
    "an empty object": ({}, "no event_type"),
    "no event_type": (changed({"event_type": ...}), "no event_type"),
    "a null event_type": (changed({"event_type": None}), "no event_type"),
    "an event_type that is a number": (changed({"event_type": 5}), "event_type is int, expected text"),
    "a priority that is a number": (changed({"priority": 5}), "priority is int, expected text"),
    "no message_id": (changed({"message_id": ...}), "no message_id"),
    "an empty message_id": (changed({"message_id": ""}), "no message_id"),
    "a message_id that is true": (changed({"message_id": True}), "message_id is bool, expected text"),
    "a message_id that is a list": (changed({"message_id": ["m"]}), "message_id is list, expected text"),
    "no timestamp": (changed({"timestamp": ...}), "no timestamp"),
    "an empty timestamp": (changed({"timestamp": ""}), "timestamp '': not an ISO 8601 time"),
    "a timestamp that is a number": (changed({"timestamp": 1.5}), "timestamp is float, expected text"),
    "a timestamp that is none": (changed({"timestamp": "now"}), "timestamp 'now': not an ISO 8601 time"),
    "no such time": (
        changed({"timestamp": "2026-02-30T00:00:00"}),
        "timestamp '2026-02-30T00:00:00': not a time: day is out of range for month",
    ),
    "no message_id in the metadata": (changed({"metadata": {"timestamp": SENT}}, ENDPOINT), "no message_id"),
    "another version of the envelope": (
        {"oslo.version": "3.0", "oslo.message": "{}"},
        "oslo.version is '3.0', expected '2.0'",
    ),
    "no version of the envelope": ({"oslo.message": "{}"}, "oslo.version is None, expected '2.0'"),
    "an envelope without a message": ({"oslo.version": "2.0"}, "oslo.message is no text"),
    "an envelope with an object": ({"oslo.version": "2.0", "oslo.message": VERSION_1}, "oslo.message is no text"),
    "an envelope with no JSON": (
        {"oslo.version": "2.0", "oslo.message": "{"},
        "oslo.message is not JSON: Expecting property name enclosed in double quotes at line 1, column 2",
    ),
    "an envelope with a list": (enveloped([VERSION_1]), "oslo.message is no notification"),
    "an envelope in an envelope": (enveloped(enveloped(VERSION_1)), "oslo.message is no notification"),
    "an envelope with nothing": (enveloped({}), "no event_type"),
    "another CloudEvents": (changed({"specversion": "0.3"}, CLOUD_EVENT), "specversion is '0.3', expected '1.0'"),
    "a CloudEvent without type": (changed({"type": ...}, CLOUD_EVENT), "no type"),
    "a CloudEvent without id": (changed({"id": ...}, CLOUD_EVENT), "no message_id"),
    "a CloudEvent without time": (changed({"time": ...}, CLOUD_EVENT), "no timestamp"),
    "a CloudEvent of bytes": (
        changed({"data": ..., "data_base64": "AA=="}, CLOUD_EVENT),
        "the CloudEvent carries binary data, expected JSON under `data`",
    ),
    "a CloudEvent whose priority is a number": (
        changed({"priority": 5}, CLOUD_EVENT),
        "priority is int, expected text",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REASONS.values(), ids=REASONS)
def test_reasons(data: Any, reason: str) -> None:
    """What is no notification says why, and is kept as it came."""
    with pytest.raises(DecodeError) as raised:
        decode_notification(data)
    assert (raised.value.reason, str(raised.value)) == (reason, reason)
    if isinstance(data, bytes):
        assert raised.value.data == data
    else:
        assert json.loads(raised.value.data) == data


def test_a_text_that_is_none_is_kept() -> None:
    """Surrogates and all: a dead letter shows what came."""
    with pytest.raises(DecodeError) as raised:
        decode_notification("\ud800 {")
    assert raised.value.data == "\ud800 {".encode("utf-8", "surrogatepass")


# --- credentials -----------------------------------------------------------------------------------------------------

SECRET = "gAAAAABk-secret"
HELD: dict[str, Any] = {
    "auth_token": SECRET,
    "user_auth_token": SECRET,
    "service_token": SECRET,
    "password": SECRET,
    "auth_token_info": {"token": {"id": SECRET}},
    "service_catalog": [{"endpoints": [{"adminURL": f"http://{SECRET}"}]}],
    "aws_creds": {"secret": SECRET},
}
CARRIERS = {
    "version 1": {**VERSION_1, **{f"_context_{key}": value for key, value in HELD.items()}},
    "the body of an endpoint": {**ENDPOINT, "ctxt": {**CTXT, **HELD}},
    "a CloudEvent": {**CLOUD_EVENT, **HELD},
}


def test_the_table_of_credentials_is_complete() -> None:
    """Every key that is never kept is carried in these tests."""
    assert set(HELD) == set(SECRETS)


@pytest.mark.parametrize("document", CARRIERS.values(), ids=CARRIERS)
def test_credentials_are_taken_out(document: dict[str, Any]) -> None:
    """Whatever form carries them, tokens and catalogues are gone when a notification is there."""
    inner = document if "specversion" in document else enveloped(document)
    for data in (document, json.dumps(document), json.dumps(inner), json.dumps([document])):
        found = decode_notifications(data) if isinstance(data, str) else [decode_notification(data)]
        assert SECRET not in repr(found)
        assert not set(SECRETS) & set(found[0].body["ctxt"])  # type: ignore[union-attr]
        assert found[0].body["ctxt"]["user_id"] == "u-1"  # type: ignore[union-attr]


def spoiled(document: dict[str, Any]) -> dict[str, Any]:
    """Return *document* without what makes it a notification."""
    without = {key: value for key, value in document.items() if key not in ("message_id", "id")}
    if "metadata" in without:
        without["metadata"] = {}
    return without


@pytest.mark.parametrize("document", CARRIERS.values(), ids=CARRIERS)
@pytest.mark.parametrize("form", ["a dict", "JSON", "indented", "enveloped", "an array", "UTF-16", "a byte order mark"])
def test_credentials_are_masked_where_it_is_no_notification(document: dict[str, Any], form: str) -> None:
    """What is dead-lettered carries no credentials, and otherwise what came."""
    bad = spoiled(document)
    data = {
        "a dict": lambda: bad,
        "JSON": lambda: json.dumps(bad),
        "indented": lambda: json.dumps(bad, indent=4).encode(),
        "enveloped": lambda: json.dumps(bad if "specversion" in bad else enveloped(bad)),
        "an array": lambda: json.dumps([bad]),
        "UTF-16": lambda: json.dumps(bad).encode("utf-16"),
        "a byte order mark": lambda: b"\xef\xbb\xbf" + json.dumps(bad).encode(),
    }[form]()
    if isinstance(data, dict):
        with pytest.raises(DecodeError) as raised:
            decode_notification(data)
        error = raised.value
    else:
        (found,) = decode_notifications(data)
        assert isinstance(found, DecodeError)
        error = found
    assert error.reason == "no message_id"
    shown = error.data.replace(b"\0", b"")
    assert SECRET.encode() not in shown
    assert b"volume.create.end" in shown


BROKEN = {
    "cut after a token": '{"_context_auth_token": "SECRET", "payload": {',
    "cut inside a token": '{"_context_auth_token": "SECRET',
    "cut inside an envelope": '{"oslo.version": "2.0", "oslo.message": "{\\"_context_auth_token\\": \\"SECRET\\", ',
    "single quotes": "{'_context_auth_token': 'SECRET', 'payload': {}}",
    "single quotes and bytes": "{u'_context_auth_token': u'SECRET', u'payload': {}}",
    "an apostrophe in a password": '{"_context_password": "it\'s SECRET", "payload": {',
    "an escaped quote in a password": '{"_context_password": "a\\"SECRET", "payload": {',
    "a list": '{"_context_service_catalog": [{"adminURL": "SECRET"}], "payload": {',
    "a mapping": '{"_context_auth_token_info": {"token": {"id": "SECRET"}}, "payload": {',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_credentials_are_masked_where_it_is_no_json(text: str) -> None:
    """As far as it can be told what is a credential, a message that is broken carries none into a dead letter."""
    (error,) = decode_notifications(text.replace("SECRET", SECRET))
    assert isinstance(error, DecodeError)
    assert SECRET.encode() not in error.data


def test_what_is_no_credential_is_kept() -> None:
    """Masking takes out values of credentials and nothing else."""
    text = '{"a_password_is": "kept", "payload": {"auth": "kept"}, "_context_password": "x", "note": "password: kept"}'
    (error,) = decode_notifications(text)
    assert isinstance(error, DecodeError)
    assert json.loads(error.data) == {**json.loads(text), "_context_password": "***"}


# --- sameness --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [*CARRIERS.values(), *map(spoiled, CARRIERS.values()), enveloped(VERSION_1)],
    ids=[*CARRIERS, *(f"{name}, spoiled" for name in CARRIERS), "the envelope"],
)
def test_the_callers_dict_is_not_changed(document: dict[str, Any]) -> None:
    """Who decodes a dict keeps it as it was."""
    given = copy.deepcopy(document)
    try:
        decode_notification(given)
    except DecodeError as error:
        assert error.reason == "no message_id"  # noqa: PT017
    assert given == document
