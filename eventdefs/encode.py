"""Wire forms out: events, samples and periods to JSON, our own and Ceilometer's.

An event in our own form is read back whole by `decode.decode_event`: `types` names the traits whose type JSON does
not show, which are times, and floats that are not finite.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import msgspec

from eventdefs.times import naive_text
from eventdefs.types import Event, Notification, Problem, Sample, TraitType

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
