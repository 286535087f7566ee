"""The samples folder: every notification in it gives what the cases beside it say, and all we ship is reached.

`eventdefs test samples/ --update` writes the expectations anew; what changed is for a person to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
import pytest

from eventdefs import Conversion, Notification, decode_notifications, load_definitions
from eventdefs.cases.coverage import Coverage
from eventdefs.cases.reading import PARTS
from eventdefs.cases.reporting import details
from eventdefs.cases.running import Runner, Suite
from eventdefs.consumers.files import SUFFIXES, find_files, read_messages
from eventdefs.types import DEFAULT_TRAITS

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
SERVICES = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
DEFINITIONS = load_definitions()
RUNNER = Runner()
UNREACHED = [
    ("traits", "remote_group_id", "default_security_group_rule.*"),
    ("traits", "updated_at", "baremetal.volumeconnector.* baremetal.volumetarget.*"),
    ("traits", "updated_at", "baremetal.deploytemplate.* baremetal.runbook.* baremetal.inspectionrule.*"),
    ("attributes", "project_id", "$.event_type + '.' + $.payload.outcome"),
]
"""What no sample reaches of what should be."""


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


# --- what is written beside them --------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_every_case_passes(service: str) -> None:
    """Each notification gives the event, the samples and the claims that are written beside it, and nothing else."""
    suite = RUNNER.open(str(SAMPLES / service / f"{service}.test.yaml"))
    assert isinstance(suite, Suite), suite
    failed = [RUNNER.run(suite, case) for case in suite.cases.cases]
    assert ["\n".join(details(one)) for one in failed if one.outcome != "passed"] == []
    assert {case.expected.exactly for case in suite.cases.cases if case.expected is not None} == {frozenset(PARTS)}
    assert suite.definitions.fingerprint == DEFINITIONS.fingerprint
    named = [(case.notification, case.number or 1) for case in suite.cases.cases]
    files = [file for file, _ in notifications(service)]
    assert named == [(file, files[:place].count(file) + 1) for place, file in enumerate(files)]


def test_traits_have_the_order_of_their_definition() -> None:
    """The default traits come first, then what is written, in its order."""
    written = {one.ref: [trait.name for trait in one.traits] for one in DEFINITIONS.events}
    for name, conversion in everything():
        assert conversion.event is not None
        assert conversion.definition is not None
        traits = conversion.event.traits
        assert list(traits) == [one for one in written[conversion.definition] if one in traits], name


def test_coverage() -> None:
    """Every definition, meter and period is reached, and nearly every trait and attribute."""
    coverage = Coverage()
    for service in SERVICES:
        for (_, notification), (_, conversion) in zip(notifications(service), conversions(service), strict=True):
            coverage.add(DEFINITIONS, notification, conversion)
    missed = [item for item in coverage.missed() if item.kind not in ("patterns", "alternatives")]
    assert [(item.kind, item.name, item.of) for item in missed] == UNREACHED


# --- what the folder promises -----------------------------------------------------------------------------------------


def test_every_service_is_there() -> None:
    """The services whose notifications we know, and nothing else in the folder."""
    assert [
        *("aodh", "blazar", "cinder", "designate", "glance", "heat", "http", "ironic", "keystone", "magnum", "manila"),
        *("masakari", "neutron", "nova", "objectstore", "octavia", "sahara", "trove"),
    ] == SERVICES
    others = [path for path in SAMPLES.rglob("*") if path.is_file() and not path.name.endswith(SUFFIXES)]
    assert sorted(path.name for path in others) == ["README.md", *(f"{service}.test.yaml" for service in SERVICES)]


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
