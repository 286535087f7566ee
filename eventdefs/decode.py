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
from eventdefs.types import TRAIT_TYPES, Closure, Event, Gap, Item, Notification, Period, Refusal, Sample, Usage

SECRETS = frozenset(
    ("auth_token", "auth_token_info", "aws_creds", "password", "service_catalog", "service_token", "user_auth_token")
)
"""Keys of a context that are never kept. Old clouds send them; oslo.messaging leaves them out since 14.7.0."""

MAX_ID = 1_000
"""Characters of an event type or a message_id. They are kept in memos and indexes."""
MAX_DEPTH = 200
"""How deep a document may nest. What is deeper cannot be walked, compared or written safely."""

_CONTEXT = "_context_"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# Of what cannot be read as JSON: a secret's key, and then its value: a quoted text, a list or mapping (which may end
# anywhere, so that all that follows is masked), or a bare word.
_SECRET_TEXT = re.compile(
    rb"""((?:%s)(?:\\*["'])?\s*[:=]\s*)
    (?: [bu]?"(?:[^"\\]|\\.)*"? | [bu]?'(?:[^'\\]|\\.)*'? | [bu]?\\+["'](?:(?!\\+["']).)*(?:\\+["'])?
      | [\[{(].* | [^,\s\]})]+ )"""
    % "|".join(sorted(SECRETS)).encode(),
    re.DOTALL | re.VERBOSE,
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
        return build_notification(document)
    except NotANotification as why:
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
            found.append(build_notification(item))
        except NotANotification as why:
            found.append(DecodeError(str(why), _masked(item if isinstance(document, list) else data)))
    return found


def read_json(data: bytes | str) -> Any:
    """Return what *data* says, integers of any size whole, NaN and lone surrogates let through.

    Raises:
        DecodeError: it is no JSON.
    """
    try:
        document = _read_json(data)
    except (msgspec.MsgspecError, UnicodeError):
        try:
            document = _read_json_slowly(data)
        except DecodeError as error:
            raise DecodeError(error.reason, _masked(data)) from None
    except RecursionError:
        raise DecodeError("nested too deep", _masked(data)) from None
    if _brackets(data) > MAX_DEPTH and _is_deep(data, document):
        raise DecodeError(f"nested deeper than {MAX_DEPTH} levels", _masked(data))
    return document


def _brackets(data: bytes | str) -> int:
    """Return how many brackets open in *data*. Taking them out is several times as fast as counting them."""
    if isinstance(data, str):
        return 2 * len(data) - len(data.replace("[", "")) - len(data.replace("{", ""))
    return 2 * len(data) - len(data.replace(b"[", b"")) - len(data.replace(b"{", b""))


def _is_deep(data: bytes | str, document: Any) -> bool:
    """Tell whether *document*, read of *data*, nests deeper than `MAX_DEPTH`."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    # Take away the innermost pairs until there are none; brackets in texts may be left over.
    brackets = data.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        fewer = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not fewer:
            return False
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _read_json_slowly(data: bytes | str) -> Any:
    """Read with the standard library, which takes what msgspec refuses. What is no JSON is not masked yet."""
    text = ""
    try:
        text = data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}" if text.strip() else "empty"
    except UnicodeDecodeError as error:
        reason = f"not JSON: byte {error.start} is not {error.encoding}"
    except RecursionError:
        reason = "nested too deep"
    except ValueError:
        reason = "a number of more than 4,300 digits"
    raise DecodeError(reason, b"")


class NotANotification(Exception):
    """Why a document is no notification."""


def build_notification(document: Any) -> Notification:
    """Return the notification that *document* is, which becomes part of it.

    Raises:
        NotANotification: why it is none.
    """
    if not isinstance(document, dict):
        kind = {list: "an array", str: "a text", type(None): "null"}.get(type(document), "a number or truth value")
        raise NotANotification(f"{kind}, expected a JSON object")
    get = document.get
    event_type = get("event_type")
    if event_type is None:
        if "oslo.message" in document or "oslo.version" in document:
            return build_notification(_oslo_message(document))
        if "specversion" in document:
            return build_notification(_cloud_event_body(document))
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
        raise NotANotification(
            _lacks("priority", priority) if type(event_type) is str else _lacks("event_type", event_type)
        )
    if type(message_id) is not str or not message_id:
        if type(message_id) is not int:
            raise NotANotification(_lacks("message_id", message_id))
        message_id = str(message_id)
    if len(event_type) + len(message_id) > MAX_ID:
        for name, text in (("event_type", event_type), ("message_id", message_id)):
            if len(text) > MAX_ID:
                raise NotANotification(f"{name} has {len(text):,} characters, at most {MAX_ID:,} are read")
    publisher_id = get("publisher_id")
    if publisher_id is not None and type(publisher_id) is not str:
        publisher_id = str(publisher_id)
    try:
        timestamp = parse_time(sent)
    except ValueError as error:
        raise NotANotification(
            f"timestamp {sent!r:.60}: {error}" if type(sent) is str else _lacks("timestamp", sent)
        ) from None
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


def projected_notification(document: dict[str, Any]) -> Notification:
    """Return the notification that *document* is, of which only what is looked at was read; it is the body itself.

    Raises:
        NotANotification, ValueError: it is none, or not in Ceilometer's or oslo.messaging's plain form.
    """
    get = document.get
    metadata = get("metadata")
    if metadata is not None:
        message_id, priority, publisher_id = metadata.get("message_id"), get("priority", "info"), get("publisher_id")
        plain = type(message_id) is str and type(priority) is str and type(publisher_id) is str
        if plain and 0 < len(message_id) <= MAX_ID:
            document["priority"] = priority = priority.lower()
            sent = parse_time(metadata.get("timestamp"))
            return Notification(message_id, document["event_type"], publisher_id, priority, sent, document)
    return build_notification(document)


def _oslo_message(document: dict[str, Any]) -> dict[str, Any]:
    """Return what oslo.messaging's envelope holds."""
    version, message = document.get("oslo.version"), document.get("oslo.message")
    if version != "2.0":
        raise NotANotification(f"oslo.version is {version!r:.40}, expected '2.0'")
    if not isinstance(message, str):
        raise NotANotification("oslo.message is no text")
    try:
        inner = read_json(message)
    except DecodeError as error:
        raise NotANotification(f"oslo.message is {error.reason}") from None
    if not isinstance(inner, dict) or "oslo.message" in inner or "specversion" in inner:
        raise NotANotification("oslo.message is no notification")
    return inner


_CLOUD_EVENT = frozenset(
    ("specversion", "id", "source", "type", "time", "data", "data_base64", "datacontenttype", "dataschema", "subject")
)


def _cloud_event_body(document: dict[str, Any]) -> dict[str, Any]:
    """Return a CloudEvent as the body that Ceilometer's endpoints see."""
    version = document["specversion"]
    if version != "1.0":
        raise NotANotification(f"specversion is {version!r:.40}, expected '1.0'")
    if "data_base64" in document:
        raise NotANotification("the CloudEvent carries binary data, expected JSON under `data`")
    if not isinstance(document.get("type"), str):
        raise NotANotification(_lacks("type", document.get("type")))
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
    if isinstance(data, (bytes, str)):
        try:
            document = _read_json_slowly(data)
        except DecodeError:
            text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
            return _SECRET_TEXT.sub(rb'\1"***"', text)
    else:
        document = data
    try:
        masked, found = _mask_document(document)
        if not found and isinstance(data, bytes):
            return data
        return json.dumps(masked, default=repr).encode()
    except (ValueError, RecursionError, TypeError):
        return repr(type(data)).encode()


def _mask_document(value: Any) -> tuple[Any, bool]:
    """Return *value* with what stands under a secret's key masked, and whether there was any."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") and any(secret in value for secret in SECRETS):
        # JSON in a text, as in oslo.message.
        masked = _masked(value).decode("utf-8", "surrogatepass")
        return masked, masked != value
    if isinstance(value, dict):
        found = False
        kept = {}
        for key, item in value.items():
            if isinstance(key, str) and key.removeprefix(_CONTEXT) in SECRETS:
                kept[key], found = "***", True
            else:
                kept[key], inside = _mask_document(item)
                found = found or inside
        return kept, found
    if isinstance(value, list):
        pairs = [_mask_document(item) for item in value]
        return [item for item, _ in pairs], any(inside for _, inside in pairs)
    return value, False


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


def decode_item(data: bytes | str) -> Item:
    """Read an event, a sample, a period or a record that was written in our own form.

    Raises:
        DecodeError: it is none.
    """
    document = read_json(data)
    if isinstance(document, dict) and document.get("kind") == "event":
        return decode_event(data)
    try:
        item: Item = msgspec.convert(document, _NOT_EVENTS)
    except msgspec.ValidationError as error:
        raise DecodeError(f"not a value in our own form: {error}", _masked(data)) from None
    return item


_NOT_EVENTS = Sample | Period | Usage | Gap | Refusal | Closure
