"""Writes a day of Trove's notifications about one database, as a message bus delivers them: lines of JSON.

What happened on 2026-08-05, in UTC:

- 00:20:00 created, 00:25:00 active, flavor small
- 09:30:00 resized to medium, for three minutes in state resize
- 13:10:00 shut down, 14:40:00 started again
- 20:15:30 deleted

Two taskmanagers send `trove.instance.exists` each minute, and each claims the hour before it. The second runs an old
release in a time zone an hour ahead and labels its local time as UTC. From 05:00 to 06:00 the clock of the first is an
hour ahead, its timestamps too. Three in a hundred messages come twice, and the order is disturbed, by up to five
minutes and now and then by forty.
"""

from __future__ import annotations

import json
import random
import uuid
from datetime import datetime, timedelta

DAY = datetime(2026, 8, 5)
SMALL, MEDIUM = "98e14c38-f062-4462-bf10-ae58544c16a3", "05ef5e17-279b-448d-ab15-7bee6f59daf1"
INSTANCE = "5f0c2a52-6f43-4b7e-9d0b-9a3f0f6d7c11"
TENANT = "57c4e980391e4293b34577a133125d60"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def at(text: str) -> datetime:
    """Return a time of the day, as 09:30:00."""
    return datetime.fromisoformat(f"{DAY:%Y-%m-%d}T{text}")


CREATED, DELETED = at("00:20:00"), at("20:15:30")
STATES = [
    (at("00:20:00"), "build"),
    (at("00:25:00"), "active"),
    (at("09:30:00"), "resize"),
    (at("09:33:00"), "active"),
    (at("13:10:00"), "shutdown"),
    (at("14:40:00"), "active"),
]
FLAVORS = [(CREATED, SMALL), (at("09:30:00"), MEDIUM)]


def current(history: list[tuple[datetime, str]], time: datetime) -> str:
    """Return what *history* says of *time*."""
    return [value for since, value in history if since <= time][-1]


def notification(numbers: random.Random, event_type: str, host: str, sent: datetime, **payload: object) -> dict:
    """Return a notification as oslo.messaging writes it, with what all of Trove's have in common."""
    return {
        "message_id": str(uuid.UUID(int=numbers.getrandbits(128), version=4)),
        "publisher_id": host,
        "event_type": event_type,
        "priority": "INFO",
        "timestamp": f"{sent:%Y-%m-%d %H:%M:%S.%f}",
        "payload": {
            "instance_id": INSTANCE,
            "instance_name": "ledger-db",
            "tenant_id": TENANT,
            "user_id": "ddcf9656e8bc4df0a14ddd8e4b42bd69",
            "region": "RegionOne",
            "service_id": "88c3249c-b404-41d4-b205-e5f95f8ee670",
            "created_at": f"{CREATED:%Y-%m-%dT%H:%M:%S.%f}",
            "launched_at": f"{CREATED:%Y-%m-%dT%H:%M:%S.%f}",
            **payload,
        },
    }


def exists(numbers: random.Random, host: str, time: datetime, ahead: timedelta, clock: timedelta) -> dict:
    """Return what *host* says at *time*: *ahead* is its time zone, *clock* how wrong its clock is."""
    ending = time + ahead + clock
    return notification(
        numbers,
        "trove.instance.exists",
        f"taskmanager.{host}",
        time + clock,
        display_name="ledger-db",
        state=current(STATES, time),
        state_description=current(STATES, time),
        instance_type_id=current(FLAVORS, time),
        audit_period_beginning=f"{ending - HOUR:%Y-%m-%dT%H:%M:%SZ}",
        audit_period_ending=f"{ending:%Y-%m-%dT%H:%M:%SZ}",
    )


def day() -> list[dict]:
    """Return the notifications in the order in which they arrive."""
    numbers = random.Random(5)
    sent: list[tuple[datetime, dict]] = []
    time = CREATED + timedelta(seconds=5)
    while time < DELETED:
        wrong = HOUR if at("05:00:00") <= time < at("06:00:00") else timedelta()
        sent.append((time, exists(numbers, "trove-01", time, timedelta(), wrong)))
        other = time + timedelta(seconds=30)
        if other < DELETED:
            sent.append((other, exists(numbers, "trove-02", other, HOUR, timedelta())))
        time += MINUTE
    common = {"name": "ledger-db", "availability_zone": "az-east", "volume_size": 20}
    sent += [
        (
            time,
            notification(
                numbers,
                f"trove.instance.{what}",
                "trove-01",
                time,
                **common,
                state=state,
                state_description=state,
                instance_type_id=current(FLAVORS, time),
                **payload,
            ),
        )
        for time, what, state, payload in (
            (at("00:25:00"), "create", "active", {"instance_size": 2048}),
            (
                at("09:33:00"),
                "modify_flavor",
                "active",
                {"instance_size": 4096, "old_instance_size": 2048, "modify_at": f"{at('09:33:00'):%Y-%m-%dT%H:%M:%SZ}"},
            ),
            (DELETED, "delete", "shutdown", {"instance_size": 4096, "deleted_at": f"{DELETED:%Y-%m-%dT%H:%M:%SZ}"}),
        )
    ]
    arriving = []
    for time, message in sent:
        delay = timedelta(minutes=40) if numbers.random() < 0.01 else timedelta(seconds=numbers.uniform(0, 300))
        arriving.append((time + delay, message))
        if numbers.random() < 0.03:
            arriving.append((time + delay + timedelta(seconds=numbers.uniform(0, 3600)), message))
    return [message for _, message in sorted(arriving, key=lambda pair: pair[0])]


if __name__ == "__main__":
    for message in day():
        print(json.dumps(message))
