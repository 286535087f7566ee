"""Notifications of some hundred types through real definition files give what Ceilometer gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest

import eventdefs
from eventdefs import DecodeError, Options
from eventdefs.decode import decode_notification

from .data import JSON, Row, corpus, definition_names, definition_text, rows
from .deviations import judge

FILES = [*definition_names("events-"), *definition_names("meters-")]
SHOWN = 10
"""How many of the rows that fail are shown."""


def rows_of(name: str) -> Iterator[Row]:
    """Return a row for each notification of the corpus, through the definition file *name*.

    The data leaves out rows of which nothing comes, and the parts of an event that are those of the notification.
    """
    listed = {row["name"]: row for row in rows(f"expected/{name}.jsonl") if "name" in row}
    side: Literal["event", "samples"] = "event" if name.startswith("events-") else "samples"
    nothing: JSON = {"event": None} if side == "event" else {"samples": []}
    for notification in corpus().values():
        expected = dict(listed.get(notification["name"], nothing))
        if expected.get("event"):
            known = {"message_id": notification["message_id"], "event_type": notification["event_type"], "raw": {}}
            expected["event"] = known | expected["event"]
        yield Row(
            suite=name,
            name=notification["name"],
            side=side,
            files=((f"{name}.yaml", definition_text(name)),),
            body=body_of(notification),
            priority=notification["priority"].lower(),
            expected=expected,
        )


def body_of(notification: JSON) -> JSON:
    """Return *notification* as Ceilometer's converters receive it."""
    keys = ("ctxt", "publisher_id", "event_type", "payload", "metadata")
    return {key: notification[key] for key in keys}


@pytest.mark.parametrize("name", FILES)
def test_corpus_gives_what_ceilometer_gives(name: str) -> None:
    """Every notification gives Ceilometer's event or samples, or what a deviation says."""
    wrong = [text for row in rows_of(name) if (text := judge(row))]
    if wrong:
        pytest.fail("\n\n".join([f"{len(wrong)} rows", *wrong[:SHOWN]]), pytrace=False)


@pytest.mark.parametrize("name", definition_names("events-"))
def test_reading_what_is_looked_at_gives_the_same(name: str) -> None:
    """From bytes, every notification gives what it gives when all of it is read; also the second of its type."""
    definitions = eventdefs.parse_definitions(definition_text(name), file=f"{name}.yaml")
    for notification in corpus().values():
        data = json.dumps(body_of(notification) | {"priority": notification["priority"]}).encode()
        try:
            expected = repr(definitions.convert(decode_notification(data)))
        except DecodeError:
            continue
        assert [repr(definitions.convert_json(data)) for _ in range(2)] == [expected] * 2, notification["name"]


@pytest.mark.parametrize("name", FILES)
def test_file_loads_as_ceilometer_loads_it(name: str) -> None:
    """As many event definitions, the same meters."""
    definitions = eventdefs.parse_definitions(definition_text(name), file=f"{name}.yaml")
    for row in rows(f"expected/{name}.jsonl"):
        if "loaded" in row and name.startswith("events-"):
            applies = definitions.find("of.no.definition")
            assert len(definitions.events) + (applies is not None and applies.implicit) == row["loaded"]
        elif "loaded" in row:
            assert [definition.name for definition in reversed(definitions.samples)] == row["loaded"]


@pytest.mark.parametrize("name", definition_names("meters-ceilometer-27"))
def test_priorities_that_are_not_delivered_give_nothing(name: str) -> None:
    """With the options left as they are, the priorities that Ceilometer's endpoints do not read give no samples."""
    definitions = eventdefs.parse_definitions(definition_text(name), file=f"{name}.yaml", options=Options())
    notifications = corpus()
    for row in rows(f"expected/{name}.jsonl"):
        if not row["delivered"]:
            notification: Any = notifications[row["name"]]
            decoded = decode_notification({**body_of(notification), "priority": notification["priority"]})
            assert definitions.convert(decoded).samples == (), row["name"]
