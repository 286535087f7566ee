"""What tests are made of: small notifications, events and samples, each with every value at a default."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from eventdefs import Event, Notification, Period, Sample, decode_notification

SENT = datetime(2026, 8, 1, 1, 2, 3, tzinfo=UTC)


def notification(payload: Any = None, **keys: Any) -> Notification:
    """Return a notification; *keys* replace keys of the message."""
    document = {
        "message_id": "m-1",
        "event_type": "volume.create.end",
        "publisher_id": "volume.host-1",
        "priority": "INFO",
        "timestamp": "2026-08-01 01:02:03",
        "payload": {} if payload is None else payload,
    }
    return decode_notification({**document, **keys})


def event(message_id: str = "m-1", tenant: str | None = "p-1", **traits: Any) -> Event:
    return Event(
        message_id=message_id,
        event_type="volume.create.end",
        generated=SENT,
        tenant=tenant,
        priority="info",
        publisher_id="volume.host-1",
        traits=traits,
    )


_SAMPLE = Sample("volume.size", "gauge", "GiB", 4, "v-1", "p-1", "u-1", SENT, {"status": "available"}, "s-1")
_PERIOD = Period(
    "database.uptime",
    "h",
    "db-1",
    "p-1",
    "u-1",
    SENT.replace(hour=0),
    SENT.replace(hour=1),
    None,
    SENT,
    {"flavor": "7"},
    "m-1",
    "c-1",
)


def sample(id: str = "s-1", **values: Any) -> Sample:
    return msgspec.structs.replace(_SAMPLE, id=id, **values)


def period(id: str = "c-1", **values: Any) -> Period:
    return msgspec.structs.replace(_PERIOD, id=id, **values)
