"""Wire forms out: events, samples and periods to JSON, our own, Ceilometer's and Monasca's.

An event in our own form is read back whole by `decode.decode_event`: `types` names the traits whose type JSON does
not show, which are times, and floats that are not finite.
"""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from eventdefs.times import naive_text
from eventdefs.types import Event, Notification, Problem, Sample, TraitType

UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What is raised of values that JSON has no form for. Code may put them into items; a broker sends none."""

_write_json = msgspec.json.Encoder().encode


def write_json(document: Any) -> bytes:
    """Return *document* as one line of JSON; times have a zone, NaN becomes null."""
    try:
        return _write_json(document)
    except UnicodeError:  # A lone surrogate, which JSON can only write escaped.
        return json.dumps(_finite(msgspec.to_builtins(document)), ensure_ascii=True, separators=(",", ":")).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def event_document(event: Event) -> Event:
    """Return *event* as it is written in our own form: floats that are not finite as text, since JSON has none."""
    if "float" not in event.types.values():
        return event
    traits = event.traits | {name: str(event.traits[name]) for name, kind in event.types.items() if kind == "float"}
    return msgspec.structs.replace(event, traits=traits)


def encode_event(event: Event) -> bytes:
    """Return *event* in our own form, as one line of JSON."""
    if "float" in event.types.values():
        event = event_document(event)
    try:  # here as well as in `write_json`: a call is a fiftieth of the way from bytes to bytes
        return _write_json(event)
    except UnicodeError:
        return write_json(event)


def ceilometer_event(event: Event) -> dict[str, Any]:
    """Return *event* as Ceilometer serialises it: times naive, traits as (name, type code, value)."""
    return {
        "message_id": event.message_id,
        "event_type": event.event_type,
        "generated": naive_text(event.generated),
        "traits": [
            [name, TraitType.of(value).code, naive_text(value) if isinstance(value, datetime) else value]
            for name, value in event.traits.items()
        ],
        "raw": event.raw,
    }


def ceilometer_sample(sample: Sample, source: str = "openstack") -> dict[str, Any]:
    """Return *sample* as Ceilometer's http and file publishers write it."""
    return {
        "id": sample.id,
        "name": sample.name,
        "type": sample.type,
        "unit": sample.unit,
        "volume": sample.volume,
        "user_id": sample.user_id,
        "user_name": None,
        "project_id": sample.project_id,
        "project_name": None,
        "resource_id": sample.resource_id,
        "timestamp": sample.timestamp.isoformat(),
        "resource_metadata": sample.metadata,
        "source": source,
        "monotonic_time": None,
    }


def counter_sample(sample: Sample, publisher_id: str | None = None, source: str = "openstack") -> dict[str, Any]:
    """Return *sample* as Ceilometer's notifier, tcp and udp publishers write it, without a signature; see `signed`.

    *publisher_id* is the host that sends, which Ceilometer says over tcp only.
    """
    document = {
        "source": source,
        "counter_name": sample.name,
        "counter_type": sample.type,
        "counter_unit": sample.unit,
        "counter_volume": sample.volume,
        "user_id": sample.user_id,
        "user_name": None,
        "project_id": sample.project_id,
        "project_name": None,
        "resource_id": sample.resource_id,
        "timestamp": sample.timestamp.isoformat(),
        "resource_metadata": plain(sample.metadata),
        "message_id": sample.id,
        "monotonic_time": None,
    }
    if publisher_id is not None:
        document["publisher_id"] = publisher_id
    return document


def plain(value: Any) -> Any:
    """Return *value* as other writers of JSON take it: times as text, None for what is not finite."""
    return _finite(msgspec.to_builtins(value))


def signed(document: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """Return *document* with `message_signature`, as Ceilometer signs what it sends; '' without a *secret*.

    The signature is the HMAC-SHA256 of all names and values, in the order of the names, mappings flattened to names
    joined by colons. It covers what is signed as JSON has it, so *document* holds nothing else, see `plain`.
    """
    signature = ""
    if secret:
        digest = hmac.new(secret.encode(), digestmod="sha256")
        for name, value in _flattened(document):
            if name != "message_signature":
                digest.update(f"{name}{value}".encode("utf-8", "surrogatepass"))
        signature = digest.hexdigest()
    return {**document, "message_signature": signature}


def _flattened(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in sorted(document.items()):
        if isinstance(value, dict):
            yield from ((f"{name}:{inner}", one) for inner, one in _flattened(value))
        else:
            yield name, _with_bytes(value) if isinstance(value, (list, tuple)) else value


def _with_bytes(value: Any) -> Any:
    """Return what stands in a list as the signature has it: by its `repr`, texts as bytes, mappings sorted."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict):
        return {_with_bytes(key): _with_bytes(value[key]) for key in sorted(value)}
    return [_with_bytes(item) for item in value] if isinstance(value, (list, tuple)) else value


_SG_CORE_TEXTS = ("host", "name", "display_name", "instance_host")
_SG_CORE_BREAKS = str.maketrans({'"': "'", "\\": "/"})


def sg_core_event(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event in Ceilometer's form as sg-core reads it: every trait but an int is text, see `sg_core_text`."""
    traits = [
        [name, code, value] if code == TraitType.INT.code else [name, TraitType.TEXT.code, str(value)]
        for name, code, value in document["traits"]
    ]
    without_breaks: dict[str, Any] = sg_core_text({**document, "traits": traits})
    return without_breaks


def sg_core_sample(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample in the counter shape as sg-core reads it: text where it declares text, see `sg_core_text`."""
    found = document["resource_metadata"]
    metadata = {
        name: str(value) if name in _SG_CORE_TEXTS else value
        for name, value in found.items()
        if name != "user_metadata" and not (name in _SG_CORE_TEXTS and value is None)
    }
    if isinstance(users := found.get("user_metadata"), dict):
        metadata["user_metadata"] = {name: str(value) for name, value in users.items()}
    ids = {name: str(document[name]) for name in ("user_id", "project_id", "resource_id") if document[name] is not None}
    without_breaks: dict[str, Any] = sg_core_text({**document, **ids, "resource_metadata": metadata})
    return without_breaks


def sg_core_text(value: Any) -> Any:
    """Return *value* without quotes and backslashes: sg-core takes escapes away before it reads the JSON."""
    if isinstance(value, str):
        return value.translate(_SG_CORE_BREAKS)
    if isinstance(value, Mapping):
        return {sg_core_text(name): sg_core_text(item) for name, item in value.items()}
    return [sg_core_text(item) for item in value] if isinstance(value, (list, tuple)) else value


def cropped(event: Event, length: int) -> Event:
    """Return *event* with its text traits cut to *length* code points, as Ceilometer cuts them to 255."""
    if not any(isinstance(value, str) and len(value) > length for value in event.traits.values()):
        return event
    traits = {name: value[:length] if isinstance(value, str) else value for name, value in event.traits.items()}
    return msgspec.structs.replace(event, traits=traits)


def monasca_event(event: Event) -> dict[str, Any]:
    """Return *event* as one of the `events` that Monasca's events API takes.

    What stands under `event` is a notification whose payload is the traits; `decode_notification` reads it.
    """
    publisher_id = event.publisher_id or ""
    dimensions = {
        "service": event.event_type.partition(".")[0],
        "topic": f"notifications.{event.priority}",
        "hostname": publisher_id.partition(".")[2] or publisher_id,
    }
    return {
        "dimensions": {name: value for name, value in dimensions.items() if value},
        "project_id": event.tenant,
        "event": {
            "event_type": event.event_type,
            "message_id": event.message_id,
            "publisher_id": event.publisher_id,
            "priority": event.priority.upper(),
            "timestamp": str(event.generated.replace(tzinfo=None)),
            "payload": event.traits,
        },
    }


MONASCA_TEXT, MONASCA_META, MONASCA_META_PAIRS = 255, 2048, 16
"""What Monasca allows: characters of a name or dimension, characters of `value_meta` as JSON, pairs in it."""
_MONASCA_NAME = re.compile(r'[><={}(), "\\;&|]')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def monasca_metric(sample: Sample) -> dict[str, Any]:
    """Return *sample* as Monasca's metrics API takes it.

    `value_meta` has the id, and then as much of the metadata as Monasca allows: it refuses a metric with more.
    """
    dimensions = {
        "resource_id": sample.resource_id,
        "project_id": sample.project_id,
        "user_id": sample.user_id,
        "type": sample.type,
        "unit": sample.unit,
    }
    return {
        "name": _MONASCA_NAME.sub("_", sample.name)[:MONASCA_TEXT],
        "dimensions": {
            name: str(value)[:MONASCA_TEXT] for name, value in dimensions.items() if value is not None and value != ""
        },
        "timestamp": (sample.timestamp - _EPOCH) // timedelta(milliseconds=1),
        "value": sample.volume,
        "value_meta": _monasca_meta(sample),
    }


def _monasca_meta(sample: Sample) -> dict[str, str]:
    meta = {"id": sample.id}
    room = MONASCA_META - len(json.dumps(meta))
    for name, value in plain(sample.metadata).items():
        text = value if isinstance(value, str) else json.dumps(value)
        room -= len(json.dumps({name: text}))
        if room < 0 or len(meta) == MONASCA_META_PAIRS:
            break
        if name.strip() and len(name) <= MONASCA_TEXT and name != "id":
            meta[name] = text
    return meta


def error_record(notification: Notification, problem: Problem, definition: str) -> dict[str, Any]:
    """Return the one shape in which a problem is logged, dead-lettered and shown."""
    return {
        "message_id": notification.message_id,
        "event_type": notification.event_type,
        "definition": definition,
        "file": problem.place.file,
        "line": problem.place.line,
        "kind": problem.kind,
        "name": problem.name,
        "path": problem.path,
        "value": problem.value,
        "reason": problem.reason,
    }


def one_line(text: str) -> str:
    """Escape what a terminal would obey or break lines at: payloads are somebody else's text."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
