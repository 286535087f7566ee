"""Wire forms in: bytes to notifications. With encode.py the only code that knows envelopes.

Read are oslo.messaging's 2.0 envelope, its bare version 1 dicts with ``_context_*`` keys, the body that Ceilometer's
endpoints see, and CloudEvents 1.0 in structured JSON; alone or in an array. msgspec reads the JSON, since it keeps
integers of any size; what it refuses and real senders write (NaN, lone surrogates, a byte order mark) the standard
library reads. Tokens and service catalogues are taken out here, before anything is kept, logged or published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from eventdefs.errors import DecodeError
from eventdefs.times import parse_time
from eventdefs.types import TRAIT_TYPES, Event, Notification

SECRETS = frozenset(
    ("auth_token", "auth_token_info", "aws_creds", "password", "service_catalog", "service_token", "user_auth_token")
)
"""Keys of a context that are never kept. Old clouds send them; oslo.messaging leaves them out since 14.7.0."""

_CONTEXT = "_context_"
_MASK = re.compile(
    rb"""((?:%s)\\*["']?\s*:\s*)(\\*["'])((?:[^"'\\]|\\(?!["']))*)""" % "|".join(sorted(SECRETS)).encode()
)

_read_json = msgspec.json.Decoder().decode


def decode_notification(data: bytes | str | Mapping[str, Any]) -> Notification:
    """Return the one notification that *data* is: JSON, or JSON that was read already.

    >>> decode_notification('''{"message_id": "m-1", "event_type": "volume.create.end", "priority": "INFO",
    ...     "publisher_id": "volume.host-1", "timestamp": "2026-08-01 01:02:03.000004",
    ...     "payload": {"size": 4}, "_context_project_id": "p-1"}''').body["ctxt"]
    {'project_id': 'p-1', 'client_timeout': None}

    Raises:
        DecodeError: it is no notification; the error says why and keeps the bytes, credentials masked.
    """
    if isinstance(data, (bytes, str)):
        document = read_json(data)
    else:
        document = dict(data)
        if isinstance(document.get("ctxt"), Mapping):  # which secrets are taken out of, and which is not ours
            document["ctxt"] = dict(document["ctxt"])
    try:
        return _notification(document)
    except _NotOne as why:
        raise DecodeError(str(why), _masked(data)) from None


def decode_notifications(data: bytes | str) -> list[Notification | DecodeError]:
    """Return every notification of *data*, which may be an array of them.

    What is not a notification stands in its place as a `DecodeError`; the others are not touched by it.
    """
    try:
        document = read_json(data)
    except DecodeError as error:
        return [error]
    found: list[Notification | DecodeError] = []
    for item in document if isinstance(document, list) else [document]:
        try:
            found.append(_notification(item))
        except _NotOne as why:
            found.append(DecodeError(str(why), _masked(item if isinstance(document, list) else data)))
    return found


def read_json(data: bytes | str) -> Any:
    """Return what *data* says, integers of any size whole, NaN and lone surrogates let through.

    Raises:
        DecodeError: it is no JSON.
    """
    try:
        return _read_json(data)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    except RecursionError:
        raise DecodeError("nested too deep", _masked(data)) from None
    try:
        text = data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}" if text.strip() else "empty"
        raise DecodeError(reason, _masked(data)) from None
    except UnicodeDecodeError as error:
        raise DecodeError(f"not JSON: byte {error.start} is not {error.encoding}", _masked(data)) from None
    except RecursionError:
        raise DecodeError("nested too deep", _masked(data)) from None
    except ValueError:
        raise DecodeError("a number of more than 4,300 digits", _masked(data)) from None


class _NotOne(Exception):
    """Why a document is no notification."""


def _notification(document: Any) -> Notification:
    """Return the notification that *document* is, which becomes part of it."""
    if not isinstance(document, dict):
        kind = {list: "an array", str: "a text", type(None): "null"}.get(type(document), "a number or truth value")
        raise _NotOne(f"{kind}, expected a JSON object")
    get = document.get
    event_type = get("event_type")
    if event_type is None:
        if "oslo.message" in document or "oslo.version" in document:
            return _notification(_oslo_message(document))
        if "specversion" in document:
            return _notification(_cloud_event_body(document))
    metadata = get("metadata")
    ctxt = get("ctxt")
    if isinstance(metadata, dict):
        message_id, sent = metadata.get("message_id"), metadata.get("timestamp")
    else:
        if ctxt is None:
            ctxt = {key[len(_CONTEXT) :]: value for key, value in document.items() if key.startswith(_CONTEXT)}
            ctxt["client_timeout"] = get("_timeout")  # as oslo.messaging's driver hands it on
        message_id, sent = get("message_id"), get("timestamp")
        metadata = {"message_id": message_id, "timestamp": sent}
    if isinstance(ctxt, dict) and not SECRETS.isdisjoint(ctxt):
        for key in SECRETS.intersection(ctxt):
            del ctxt[key]
    priority = get("priority", "info")
    if type(event_type) is not str or type(priority) is not str:
        raise _NotOne(_lacks("priority", priority) if type(event_type) is str else _lacks("event_type", event_type))
    if type(message_id) is not str or not message_id:
        if type(message_id) is not int:
            raise _NotOne(_lacks("message_id", message_id))
        message_id = str(message_id)
    publisher_id = get("publisher_id")
    if publisher_id is not None and type(publisher_id) is not str:
        publisher_id = str(publisher_id)
    try:
        timestamp = parse_time(sent)
    except ValueError as error:
        raise _NotOne(f"timestamp {sent!r:.60}: {error}" if type(sent) is str else _lacks("timestamp", sent)) from None
    priority = priority.lower()
    body = {
        "ctxt": ctxt,
        "publisher_id": publisher_id,
        "event_type": event_type,
        "payload": get("payload"),
        "metadata": metadata,
        "priority": priority,
    }
    return Notification(message_id, event_type, publisher_id, priority, timestamp, body)


def _oslo_message(document: dict[str, Any]) -> dict[str, Any]:
    """Return what oslo.messaging's envelope holds."""
    version, message = document.get("oslo.version"), document.get("oslo.message")
    if version != "2.0":
        raise _NotOne(f"oslo.version is {version!r:.40}, expected '2.0'")
    if not isinstance(message, str):
        raise _NotOne("oslo.message is no text")
    try:
        inner = read_json(message)
    except DecodeError as error:
        raise _NotOne(f"oslo.message is {error.reason}") from None
    if not isinstance(inner, dict) or "oslo.message" in inner or "specversion" in inner:
        raise _NotOne("oslo.message is no notification")
    return inner


_CLOUD_EVENT = frozenset(
    ("specversion", "id", "source", "type", "time", "data", "data_base64", "datacontenttype", "dataschema", "subject")
)


def _cloud_event_body(document: dict[str, Any]) -> dict[str, Any]:
    """Return a CloudEvent as the body that Ceilometer's endpoints see."""
    version = document["specversion"]
    if version != "1.0":
        raise _NotOne(f"specversion is {version!r:.40}, expected '1.0'")
    if "data_base64" in document:
        raise _NotOne("the CloudEvent carries binary data, expected JSON under `data`")
    if not isinstance(document.get("type"), str):
        raise _NotOne(_lacks("type", document.get("type")))
    # Extension attributes say who acted and why, as a context does.
    ctxt = {key: value for key, value in document.items() if key not in _CLOUD_EVENT}
    if isinstance(tenant := ctxt.get("tenantid"), str):
        ctxt.setdefault("project_id", tenant)
    return {
        "event_type": document["type"],
        "publisher_id": document.get("source"),
        "priority": ctxt.pop("priority", "info"),
        "ctxt": ctxt,
        "payload": document.get("data"),
        "metadata": {"message_id": document.get("id"), "timestamp": document.get("time")},
    }


def _lacks(key: str, value: Any) -> str:
    return f"no {key}" if value is None or value == "" else f"{key} is {type(value).__name__}, expected text"


def _masked(data: Any) -> bytes:
    """Return *data* as it came, as far as that can be told, with credentials masked."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    elif not isinstance(data, bytes):
        try:
            data = json.dumps(data, default=repr).encode()
        except (ValueError, RecursionError, TypeError):
            data = repr(type(data)).encode()
    return _MASK.sub(rb"\1\2***", data)


def decode_event(data: bytes | str) -> Event:
    """Read an event that `encode.encode_event` wrote.

    Raises:
        DecodeError: it is none.
    """
    document = read_json(data)
    try:
        types = document.get("types", {})
        traits = {
            name: TRAIT_TYPES[types[name]].coerce(value) if name in types else value
            for name, value in document["traits"].items()
        }
        return Event(
            document["message_id"],
            document["event_type"],
            parse_time(document["generated"]),
            document["tenant"],
            document["priority"],
            document["publisher_id"],
            traits,
            raw=document.get("raw", {}),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DecodeError(f"not an event: {type(error).__name__}: {error}", _masked(data)) from None
