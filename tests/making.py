"""What tests are made of: small notifications, events, samples and records, each with every value at a default."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from eventdefs import Closure, Event, Gap, Notification, Period, Refusal, Sample, Usage, decode_notification
from eventdefs.testing import a_usage

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


HOUR = (SENT.replace(hour=0, minute=0, second=0), SENT.replace(minute=0, second=0))
_GAP = Gap("g-1", "database.uptime", "db-1", *HOUR, "open", SENT, 2)
_REFUSAL = Refusal("r-1", "database.uptime", "db-1", "p-1", *HOUR, "m-1", "too_late", SENT, 3)
_CLOSURE = Closure("k-1", "database.uptime", *HOUR, 1, 1, "0.5", "d2", SENT, 4)


def usage(id: str = "u-1", **values: Any) -> Usage:
    return a_usage(id, **{"recorded_at": SENT, **values})


def gap(id: str = "g-1", **values: Any) -> Gap:
    return msgspec.structs.replace(_GAP, id=id, **values)


def refusal(id: str = "r-1", **values: Any) -> Refusal:
    return msgspec.structs.replace(_REFUSAL, id=id, **values)


def closure(id: str = "k-1", **values: Any) -> Closure:
    return msgspec.structs.replace(_CLOSURE, id=id, **values)
