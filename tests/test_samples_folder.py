"""The samples folder: every notification in it gives what `expected.yaml` beside it says, and all we ship is reached.

`EVENTDEFS_UPDATE=1 pytest tests/test_samples_folder.py` writes the expectations anew; what changed is for a person to
read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from eventdefs import Conversion, Notification, decode_notifications, load_definitions
from eventdefs.consumers.files import SUFFIXES, find_files, read_messages
from eventdefs.types import DEFAULT_TRAITS

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
SERVICES = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
EXPECTED = "expected.yaml"
DEFINITIONS = load_definitions()


@cache
def notifications(service: str) -> list[tuple[str, Notification]]:
    """Return the notifications of *service*, each with the name of its file."""
    found = []
    for file in find_files([str(SAMPLES / service)]):
        for message in read_messages(file):
            for notification in decode_notifications(message.data):
                assert isinstance(notification, Notification), f"{file}: {notification}"
                found.append((Path(file).relative_to(SAMPLES / service).as_posix(), notification))
    return found


@cache
def conversions(service: str) -> list[tuple[str, Conversion]]:
    return [(file, DEFINITIONS.convert(notification)) for file, notification in notifications(service)]


def everything() -> Iterator[tuple[str, Conversion]]:
    for service in SERVICES:
        for file, conversion in conversions(service):
            yield f"{service}/{file}", conversion


# --- golden files ----------------------------------------------------------------------------------------------------


def summary(conversion: Conversion) -> dict[str, Any]:
    """Return what *conversion* gives, as the golden files say it: values keep their types."""
    event = conversion.event
    assert event is not None
    given: dict[str, Any] = {"event_type": event.event_type, "tenant": event.tenant, "traits": dict(event.traits)}
    samples = [
        {"name": sample.name, "volume": sample.volume, "unit": sample.unit, "resource_id": sample.resource_id}
        for sample in conversion.samples
    ]
    periods = [
        {
            "meter": period.meter,
            "resource_id": period.resource_id,
            "begin": period.begin,
            "end": period.end,
            "not_before": period.not_before,
            **({} if period.not_after is None else {"not_after": period.not_after}),
            "status": period.status,
            "dimensions": dict(period.dimensions),
        }
        for period in conversion.periods
    ]
    return given | ({"samples": samples} if samples else {}) | ({"periods": periods} if periods else {})


def summaries(service: str) -> dict[str, Any]:
    """Return what each file of *service* gives; a list where it has one notification a line."""
    found: dict[str, Any] = {}
    for file, conversion in conversions(service):
        if file.endswith(".jsonl"):
            found.setdefault(file, []).append(summary(conversion))
        else:
            assert file not in found, f"{service}/{file} has several notifications"
            found[file] = summary(conversion)
    return found


class _Dumper(yaml.SafeDumper):
    """Writes times as YAML has them, so that a time differs from the same text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    datetime,
    lambda dumper, time: dumper.represent_scalar(
        "tag:yaml.org,2002:timestamp", time.isoformat().replace("+00:00", "Z")
    ),
)

HEAD = """\
# What the shipped definitions make of the notifications in this folder, by file. Read by tests/test_samples_folder.py,
# which writes it anew with EVENTDEFS_UPDATE=1. A time without quotes is a datetime, in quotes it is text.
"""


@pytest.mark.parametrize("service", SERVICES)
def test_golden(service: str) -> None:
    """Each notification gives the event, the samples and the claims that are written beside it."""
    golden = SAMPLES / service / EXPECTED
    found = summaries(service)
    if "EVENTDEFS_UPDATE" in os.environ:
        text = yaml.dump(found, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        golden.write_text(HEAD + text)
    expected = yaml.safe_load(golden.read_text())
    assert list(found) == list(expected)
    for file, given in found.items():
        assert given == expected[file], file
        assert typed(given) == typed(expected[file]), file


def typed(value: Any) -> Any:
    """Return *value* with the types that `==` does not tell apart, and the order of its keys."""
    if isinstance(value, dict):
        return [(key, typed(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


# --- what the folder promises -----------------------------------------------------------------------------------------


def test_every_service_is_there() -> None:
    """The services whose notifications we know, and nothing else in the folder."""
    assert [
        *("aodh", "blazar", "cinder", "designate", "glance", "heat", "http", "ironic", "keystone", "magnum", "manila"),
        *("masakari", "neutron", "nova", "objectstore", "octavia", "sahara", "trove"),
    ] == SERVICES
    others = [path for path in SAMPLES.rglob("*") if path.is_file() and not path.name.endswith(SUFFIXES)]
    assert sorted({path.name for path in others}) == ["README.md", EXPECTED]


def test_files_have_the_names_of_their_event_types() -> None:
    """One knows what is in a file before one opens it."""
    for service in SERVICES:
        for file, notification in notifications(service):
            if file.endswith(".json"):
                stem = file.removesuffix(".json")
                assert stem == notification.event_type or stem.startswith(f"{notification.event_type}-"), file


def test_nothing_is_a_problem() -> None:
    """Every notification converts whole, by a definition that was written for it."""
    found = {name: conversion for name, conversion in everything() if conversion.problems or conversion.rejected}
    assert {name: [problem.reason for problem in conversion.problems] for name, conversion in found.items()} == {}
    assert [name for name, conversion in everything() if conversion.unmatched] == []
    assert [name for name, conversion in everything() if conversion.event is None] == []


def test_every_event_definition_is_reached() -> None:
    """What we ship is shown at least once."""
    reached = {conversion.definition for _, conversion in everything()}
    assert [str(one.ref) for one in DEFINITIONS.events if one.ref not in reached] == []


def test_every_meter_is_reached() -> None:
    """Each gives a sample or a claim of some notification."""
    reached: set[str] = set()
    for service in SERVICES:
        for (_, notification), (_, conversion) in zip(notifications(service), conversions(service), strict=True):
            if conversion.samples or conversion.periods:
                given = {sample.name for sample in conversion.samples} | {one.meter for one in conversion.periods}
                matching = DEFINITIONS.find_samples(notification.event_type)
                reached |= {one.name for one in matching if one.name in given or one.name.startswith("$")}
    assert [one.name for one in DEFINITIONS.samples if one.name not in reached] == []


def test_every_trait_of_a_service_is_found() -> None:
    """A trait that no notification of its service has would be a trait that nobody has seen."""
    definitions = {one.ref: one for one in DEFINITIONS.events}
    missing = []
    for service in SERVICES:
        given = conversions(service)
        written = {
            trait.name
            for _, one in given
            if one.definition is not None
            for trait in definitions[one.definition].traits
            if trait.name not in DEFAULT_TRAITS
        }
        found = {name for _, one in given if one.event is not None for name in one.event.traits}
        missing += [f"{service}: {name}" for name in sorted(written - found)]
    assert missing == []


NOBODYS = {
    "cinder/capacity.backend.json": "a backend is the operator's",
    "cinder/capacity.pool.json": "a pool is the operator's",
    "glance/image.member.delete.json": "glance says the member, who does not own the image",
    "glance/image.upload-error.json": "the payload is a text",
    "glance/metadef_object.create.json": "only a namespace has an owner",
    "glance/metadef_property.update.json": "only a namespace has an owner",
    "glance/metadef_resource_type.create.json": "only a namespace has an owner",
    "glance/metadef_tag.delete.json": "only a namespace has an owner",
    "ironic/hardware.ipmi.metrics.json": "measured by a periodic task",
    "ironic/hardware.redfish.metrics.json": "measured by a periodic task",
    "ironic/ironic.metrics.json": "measured by a periodic task",
    "keystone/identity.OS-TRUST:trust.created-basic.json": "the basic form does not say who acted",
    "keystone/identity.authenticate-failure.json": "a user, before a project is chosen",
    "keystone/identity.authenticate-federated.json": "a user, before a project is chosen",
    "keystone/identity.authenticate-success.json": "a user, before a project is chosen",
    "keystone/identity.domain.disabled-basic.json": "the basic form does not say who acted",
    "keystone/identity.endpoint.deleted-basic.json": "the basic form does not say who acted",
    "keystone/identity.group.updated-basic.json": "the basic form does not say who acted",
    "keystone/identity.project.created-basic.json": "the basic form does not say who acted",
    "keystone/identity.project.disabled-basic.json": "the basic form does not say who acted",
    "keystone/identity.role.created-basic.json": "the basic form does not say who acted",
    "keystone/identity.user.deleted-basic.json": "the basic form does not say who acted",
    "keystone/identity.user.updated-basic.json": "the basic form does not say who acted",
    "nova/compute.libvirt.error.json": "a host is the operator's",
    "nova/compute.metrics.update.json": "a host is the operator's",
    "nova/libvirt.connect.error.json": "a host is the operator's",
    "nova/metrics.update.json": "a host is the operator's",
    "nova/service.create.json": "a host is the operator's",
}


def test_every_event_has_a_tenant() -> None:
    """Whose an event is, is known of all but what no project owns."""
    found = [name for name, one in everything() if one.event is not None and one.event.tenant is None]
    assert sorted(found) == sorted(NOBODYS)


def test_message_ids_are_unique() -> None:
    """No sample takes the place of another in a store."""
    ids = [notification.message_id for service in SERVICES for _, notification in notifications(service)]
    assert len(set(ids)) == len(ids)


def test_no_token_comes_out() -> None:
    """What one file carries, as older clouds send it, is in nothing that is made of it."""
    file = SAMPLES / "neutron" / "security_group_rule.create.end.json"
    token = msgspec.json.decode(file.read_bytes())["_context_auth_token"]
    assert len(token) > 10
    held = [repr(one) for service in SERVICES for _, one in (*notifications(service), *conversions(service))]
    assert [text for text in held if token in text] == []


def test_the_claims_of_trove_are_what_the_readme_says() -> None:
    """Ten claims of an hour, a minute apart, of a younger database are 63 minutes and 34 seconds of uptime."""
    claims = []
    for file, conversion in conversions("trove"):
        if file == "exists.jsonl":
            claims += conversion.periods
    assert len(claims) == 10
    until, total = datetime.min.replace(tzinfo=UTC), timedelta()
    for claim in sorted(claims, key=lambda one: one.begin):
        assert claim.not_before is not None
        begin, end = max(claim.begin, claim.not_before, until), min(claim.end, claim.timestamp)
        if end > begin:
            total += end - begin
            until = end
    assert total == timedelta(minutes=63, seconds=34)
