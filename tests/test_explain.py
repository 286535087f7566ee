"""`eventdefs explain`: what is said of a notification is what the conversion gives, and its cause is the real one."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventdefs import (
    DecodeError,
    DefinitionErrors,
    Definitions,
    Notification,
    Options,
    decode_notification,
    load_definitions,
    parse_definitions,
)
from eventdefs.cli.colours import colours_for
from eventdefs.consumers.files import find_files, read_messages
from eventdefs.decode import decode_notifications
from eventdefs.definitions.explain import (
    AttributeExplanation,
    Explanation,
    MeterPlan,
    Near,
    Overridden,
    PathTrace,
    Plan,
    SampleExplanation,
    Source,
    TraitExplanation,
    explain,
    plan,
    trace_path,
)
from eventdefs.definitions.explain.trace import COMPARED, KEYS, taken_by
from eventdefs.definitions.paths import parse_path
from eventdefs.definitions.tenants import find_tenant, locate_tenant
from eventdefs.encode import write_json
from eventdefs.errors import PathEvaluationError, PathSyntaxError
from eventdefs.types import Place
from tests.conformance.data import corpus, definition_names, definition_text, rows
from tests.making import notification
from tests.property import strategies
from tests.test_cli import TOP, Ran, line, run

SHIPPED = load_definitions()
SAMPLES = TOP / "samples"
HERE = Place("d.yaml", 1, 1, 2)


def agree(definitions: Definitions, of: Notification) -> Explanation:
    """Check that the explanation says of each thing what the conversion gives; return it."""
    conversion = definitions.convert(of)
    found = explain(definitions, of)
    assert found.event == conversion.event or same(found.event, conversion.event)
    assert found.problems == conversion.problems
    assert found.definition is conversion.definition
    assert (found.no_event == "") is (conversion.event is not None)
    assert bool(found.refused) is conversion.rejected
    if conversion.event is not None:
        event = conversion.event
        assert found.tenant == event.tenant
        assert bool(found.tenant_path) is (event.tenant is not None)
        given_traits = {one.name: one.value for one in found.traits if one.outcome == "value"}
        assert same(given_traits, dict(event.traits))
        assert [one.name for one in found.traits if one.outcome == "value"] == list(event.traits)
    troubled = {one.name for one in conversion.problems if one.kind == "trait"}
    assert {one.name for one in found.traits if one.outcome == "problem"} >= troubled
    if conversion.event is not None:
        assert {one.name for one in found.traits if one.outcome == "problem"} == troubled
    samples = tuple(sample for one in found.samples for sample in one.samples)
    assert same(samples, conversion.samples)
    assert tuple(period for one in found.samples for period in one.periods) == conversion.periods
    for one in found.samples:
        assert (one.outcome == "given") is (not one.reason)
    for trait in found.traits:
        assert (trait.outcome == "value") is (not trait.reason), trait
        for path in trait.paths:
            check_trace(path, of)
        if trait.used is not None and not trait.plugin and trait.outcome == "value":
            assert [path.found for path in trait.paths].index(True) == trait.used
    write_json(found)
    return found


def same(left: Any, right: Any) -> bool:
    """Compare, NaN being itself."""
    return repr(left) == repr(right)


def check_trace(trace: PathTrace, of: Notification) -> None:
    """Check what a trace says of its path against the path itself."""
    path = parse_path(trace.path)
    try:
        value = path.first(of.body)
    except PathEvaluationError:
        value = None
    if trace.tried:
        assert trace.found is (value is not None), trace
    assert trace.found is (not trace.reason)
    assert trace.found or not trace.tried or trace.cause
    if trace.near:
        assert parse_path(trace.near).first(of.body) is not None, trace
    assert len(trace.keys) <= KEYS


# --- it agrees with the conversion ------------------------------------------------------------------------------------


def sample_notifications() -> Iterator[Notification]:
    for file in find_files([str(SAMPLES)]):
        for message in read_messages(file):
            for found in decode_notifications(message.data):
                assert isinstance(found, Notification)
                yield found


def test_samples_are_explained_as_they_are_converted() -> None:
    """Of each notification in samples/: traits, values, problems, tenant, samples and periods are the conversion's."""
    explained = [agree(SHIPPED, one) for one in sample_notifications()]
    assert len(explained) > 400
    assert {one.kind for found in explained for one in found.samples} == {"sample", "period"}
    assert {one.outcome for found in explained for one in found.samples} >= {"given", "none"}


@pytest.mark.parametrize("name", definition_names("events-"))
def test_real_definition_files_are_explained_as_they_convert(name: str) -> None:
    """The same of Ceilometer's own files and some hundred notifications."""
    definitions = parse_definitions(definition_text(name))
    assert len([agree(definitions, one) for one in recorded()]) > 100


@pytest.mark.parametrize("name", definition_names("meters-"))
def test_real_meters_are_explained_as_they_convert(name: str) -> None:
    """The same of meters, of which several are derived with lookup."""
    definitions = parse_definitions(definition_text(name))
    assert len([agree(definitions, one) for one in recorded()]) > 100


@cache
def recorded() -> list[Notification]:
    """Return the notifications of the corpus that can be read."""
    keys = ("ctxt", "publisher_id", "event_type", "payload", "metadata", "priority")
    found = []
    for row in corpus().values():
        with contextlib.suppress(DecodeError):
            found.append(decode_notification({key: row[key] for key in keys}))
    return found


def test_odd_cases_are_explained_as_they_convert() -> None:
    """The same of the cases of definitions that use every corner, where they can be loaded."""
    explained = 0
    cases = (*rows("cases_events.jsonl"), *rows("cases_meters.jsonl"))
    for case in cases:
        bodies = case.get("notification") or []
        with contextlib.suppress(DecodeError, DefinitionErrors, KeyError):
            definitions = parse_definitions(case["definition_yaml"])
            for body in bodies if isinstance(bodies, list) else [bodies]:
                agree(definitions, decode_notification(body))
                explained += 1
    if not cases:
        pytest.skip("no conformance data")
    assert explained > 100


WHOLE = """\
- event_type: [volume.*, "!volume.usage"]
  traits:
    id: {fields: payload.id, required: true}
    size: {type: int, fields: [payload.size, payload.bytes], on_error: reject}
    when: {type: datetime, fields: payload.when}
    share: {type: float, fields: [payload.share, "payload.shares[0]"]}
    part: {fields: payload.host, plugin: {name: split, parameters: {separator: "@", segment: 1}}}
    took: {type: float, fields: [payload.begin, payload.end], plugin: timedelta}
    one: 1
    project_id: payload.owner_id
"""
_values = st.one_of(
    st.none(), st.integers(-3, 10**30), st.floats(), st.text(max_size=5), st.just("2026-08-01T00:00:00"), st.just([])
)
_payloads = st.dictionaries(
    st.sampled_from(
        ("id", "size", "bytes", "when", "share", "shares", "host", "begin", "end", "owner_id", "tenant_id", "owner")
    ),
    st.one_of(_values, st.lists(_values, max_size=2)),
)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(_payloads, st.sampled_from(("info", "error", "warn")), st.sampled_from(("volume.x", "volume.usage", "port.x")))
def test_made_up_notifications_are_explained_as_they_convert(
    payload: dict[str, Any], priority: str, event_type: str
) -> None:
    """The same of whatever a payload may hold: wrong types, nulls, rejections, priorities that are not wanted."""
    agree(parse_definitions(WHOLE), notification(payload, priority=priority, event_type=event_type))


MEASURED = """\
metric:
  - {name: size, event_type: volume, type: gauge, unit: GiB, volume: payload.size, resource_id: payload.id}
  - {name: free, event_type: volume, type: delta, unit: payload.unit, volume: payload.bytes, resource_id: payload.id,
     required: false, user_id: payload.owner, project_id: payload.tenant_id, timestamp: payload.when,
     metadata: {host: payload.host, part: {fields: payload.host, plugin: split}}, user_metadata: payload.share}
  - {name: "$.payload.shares[*]", event_type: volume, type: gauge, unit: GiB, volume: "$.payload.shares[*]",
     resource_id: payload.id, lookup: [volume]}
  - name: uptime
    event_type: volume
    type: delta
    unit: h
    resource_id: payload.id
    dimensions: {host: payload.host}
    period: {begin: payload.begin, end: payload.end, not_before: payload.when, while: {payload.size: [1, 2]},
             closes: {payload.bytes: null}}
"""


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(_payloads, st.sampled_from(("info", "sample", "error")))
def test_made_up_measurements_are_explained_as_they_convert(payload: dict[str, Any], priority: str) -> None:
    """The same of samples and periods."""
    agree(parse_definitions(MEASURED), notification(payload, priority=priority))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.expressions, strategies.mappings)
def test_every_path_is_traced(text: str, document: dict[str, Any]) -> None:
    """A trace finds what its path finds, on any document; else it says why, and a path that it proposes is good."""
    try:
        path = parse_path(text)
    except PathSyntaxError:
        return
    trace = trace_path(path, HERE, document)
    check_trace(trace, Notification("m", "e", None, "info", notification().timestamp, document))


@settings(deadline=None)
@given(
    st.sampled_from(("port.create.end", "router.interface.create", "image.update", "a.b", "", ".x")),
    st.recursive(
        st.one_of(st.text("pq", max_size=2), st.none(), st.integers()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    ("payload", "ctxt", "tenant_id", "project_id", "owner", "port", "ports", "image", "initiator",
                     "nova_object.data", "tenant", "router_interface")
                ),
                inner,
            ),
        ),
    ),
)  # fmt: skip
def test_the_tenant_stands_where_it_is_said_to_be(event_type: str, payload: Any) -> None:
    """The keys that are named lead to the tenant that an event has."""
    body = {"payload": payload, "ctxt": payload}
    tenant, steps = locate_tenant(event_type, body)
    assert tenant == find_tenant(event_type, body)
    value: Any = body
    for step in steps:
        value = value[0] if step is None else value[step]
    assert (tenant is None and steps == ()) or value == tenant


# --- the causes -------------------------------------------------------------------------------------------------------

PAYLOAD: dict[str, Any] = {
    "nova_object.data": {"display_name": "web-1", "uuid": "u-1", "flavor": {"nova_object.data": {"vcpus": 2}}},
    "memory_mb": 2048,
    "instance": {"node": "n-1"},
    "ports": [{"mac": "fa:16"}, {"mac": "fa:17"}],
    "none": [],
    "host": "cmp-01@rack",
    "null": None,
    "empty": {},
}


class Cause(NamedTuple):
    """What is said of a path that finds nothing.

    Attributes:
        cause: without the keys that are there.
    """

    path: str
    cause: str
    at: str
    step: str
    near: str = ""


CAUSES = [
    Cause("payload.memory_gb", "payload has no key 'memory_gb'", "payload", "memory_gb", "payload.memory_mb"),
    Cause("payload.Memory_MB", "payload has no key 'Memory_MB'", "payload", "Memory_MB", "payload.memory_mb"),
    Cause(
        "payload.nova_object.data.uuid",
        "payload has no key 'nova_object'",
        "payload",
        "nova_object",
        "payload.'nova_object.data'.uuid",
    ),
    Cause(
        "payload.nova_object.data.flavor.nova_object.data.vcpus",
        "payload has no key 'nova_object'",
        "payload",
        "nova_object",
        "payload.'nova_object.data'.flavor.'nova_object.data'.vcpus",
    ),
    Cause(
        "payload.flavor.vcpus",
        "payload has no key 'flavor'",
        "payload",
        "flavor",
        "payload.'nova_object.data'.flavor.'nova_object.data'.vcpus",
    ),
    Cause("payload.uuid", "payload has no key 'uuid'", "payload", "uuid", "payload.'nova_object.data'.uuid"),
    Cause("payload.node", "payload has no key 'node'", "payload", "node", "payload.instance.node"),
    Cause("payload.mac", "payload has no key 'mac'", "payload", "mac", "payload.ports[*].mac"),
    Cause("memory_mb", "the notification has no key 'memory_mb'", "", "memory_mb", "payload.memory_mb"),
    Cause(
        "payload.instance.memory_mb",
        "payload.instance has no key 'memory_mb'",
        "payload.instance",
        "memory_mb",
        "payload.memory_mb",
    ),
    Cause(
        "payload.ports.mac",
        "payload.ports is a list of 2 items, which has no keys: [*] is all of its items",
        "payload.ports",
        "mac",
        "payload.ports[*].mac",
    ),
    Cause(
        "payload.ports[2].mac",
        "payload.ports is a list of 2 items, so that there is no [2]; the first is [0]",
        "payload.ports",
        "[2]",
    ),
    Cause("payload.none[*].mac", "payload.none is an empty list", "payload.none", "[*]"),
    Cause(
        "payload.ports[?mac='x'].mac",
        "none of the 2 items of payload.ports passes [?mac='x']",
        "payload.ports",
        "[?mac='x']",
    ),
    Cause(
        "payload.host[?mac='x']",
        "payload.host is the text 'cmp-01@rack', and [?mac='x'] looks at the items of a list",
        "payload.host",
        "[?mac='x']",
    ),
    Cause(
        "payload.ports[*].ip",
        "none of the 2 values of payload.ports[*] has the key 'ip'",
        "payload.ports[*]",
        "ip",
    ),
    Cause(
        "payload.instance[0].node",
        "payload.instance is a mapping with 1 key, and [0] is of lists",
        "payload.instance",
        "[0]",
        "payload.instance.node",
    ),
    Cause("payload.host.x", "payload.host is the text 'cmp-01@rack', which has no keys", "payload.host", "x"),
    Cause("payload.null", "it is null", "payload.null", ""),
    Cause("payload.null.x", "payload.null is null, which has no keys", "payload.null", "x"),
    Cause("payload.empty.x", "payload.empty is an empty mapping", "payload.empty", "x"),
    Cause("payload..serial", "nothing below payload has serial", "payload", "..serial"),
    Cause(
        "payload.host.`split(@, 2, -1)`",
        "payload.host is the text 'cmp-01@rack', which has no piece 2 between '@'",
        "payload.host",
        "`split(@, 2, -1)`",
    ),
    Cause(
        "payload.memory_mb.`sub(/x/, y)`",
        "payload.memory_mb: sub works on text, not on int",
        "payload.memory_mb",
        "`sub(/x/, y)`",
    ),
    Cause("payload.cpu + payload.memory_mb", "payload has no key 'cpu'", "", "payload.cpu + payload.memory_mb"),
]


@pytest.mark.parametrize("wanted", CAUSES, ids=[one.path for one in CAUSES])
def test_why_a_path_finds_nothing(wanted: Cause) -> None:
    """It is said at which step, what is there, and which path finds a value."""
    trace = trace_path(parse_path(wanted.path), HERE, notification(PAYLOAD).body)
    reason = trace.cause.partition("; there ")[0]
    assert Cause(trace.path, reason, trace.at, trace.failed_step, trace.near) == wanted


def test_the_keys_that_are_there_are_named() -> None:
    """A few in the reason, more in the trace, and never all of very many."""
    many = {f"key_{number:06}": number for number in range(100_000)}
    trace = trace_path(parse_path("payload.wrong"), HERE, {"payload": many})
    assert (
        trace.reason
        == "payload has no key 'wrong'; there are key_000000, key_000001, key_000002, key_000003, key_000004,"
        " key_000005, key_000006, key_000007 and 99,992 more"
    )
    assert trace.keys == tuple(many)[:KEYS]
    assert len(write_json(trace)) < 4_000
    assert len(many) > COMPARED


def test_what_another_path_reads_is_not_proposed() -> None:
    """`memory_mb` is not what `memory_gb` meant where the definition reads both."""
    body = {"payload": {"memory_mb": 1}}
    path = parse_path("payload.memory_gb")
    taken = taken_by([path, parse_path("payload.memory_mb")])
    assert [trace_path(path, HERE, body, among).near for among in (frozenset(), taken, None)] == [
        "payload.memory_mb",
        "",
        "",
    ]


def explained(text: str, of: Notification, **options: Any) -> Explanation:
    return agree(parse_definitions(text, file="d.yaml", options=Options(**options)), of)


def test_alternatives_and_the_one_that_gave_the_value() -> None:
    """Of several paths it is said which gave the value; those after it were not looked at."""
    text = "- {event_type: volume.*, traits: {host: {fields: [payload.node, payload.host, payload.id]}}}"
    trait = explained(text, notification({"host": "h-1", "id": "v-1"})).traits[-1]
    assert (trait.name, trait.value, trait.used, trait.place) == ("host", "h-1", 1, Place("d.yaml", 1, 35, 39))
    assert [(path.path, path.found, path.tried) for path in trait.paths] == [
        ("payload.node", False, True),
        ("payload.host", True, True),
        ("payload.id", False, False),
    ]


REASONS = [
    ("{fields: payload.size, type: int}", {"size": "big"}, "problem", "not an int: invalid literal for int"),
    ("{fields: payload.size, type: int}", {"size": ""}, "missing", "it is an empty text, which is no int"),
    ("{fields: payload.size, type: int}", {"sizes": 1}, "missing", "payload has no key 'size'"),
    ("{fields: [payload.size, payload.bytes]}", {"x": 1}, "missing", "none of its 2 paths finds a value"),
    ("{fields: payload.size, required: true}", {"x": 1}, "problem", "required, and not there"),
    (
        "{fields: payload.host, plugin: {name: split, parameters: {segment: 3}}}",
        {"host": "a.b"},
        "missing",
        "the plugin split makes nothing of 'a.b'",
    ),
    ("{fields: 'payload.list[-9]'}", {"list": []}, "problem", "list index out of range"),
]


@pytest.mark.parametrize(("fields", "payload", "outcome", "reason"), REASONS)
def test_why_a_trait_is_not_there(fields: str, payload: Any, outcome: str, reason: str) -> None:
    """A trait that is missing is told from one that cannot be read."""
    trait = explained(f"- {{event_type: volume.*, traits: {{size: {fields}}}}}", notification(payload)).traits[-1]
    assert (trait.outcome, trait.reason[: len(reason)]) == (outcome, reason)


LAYERED = """\
- event_type: "*"
  traits: {}
- event_type: [volume.*, "!volume.create.*"]
  traits: {}
- event_type: [snapshot.*, volume.create.*]
  traits: {}
"""


def test_which_definition_applies_and_which_are_overridden() -> None:
    """The pattern that matches and its place are named, and why others that match do not apply."""
    found = explained(LAYERED, notification())
    assert (found.glob, str(found.glob_place)) == ("volume.create.*", "d.yaml:5:28")
    assert [(one.glob, str(one.place), one.why) for one in found.overridden] == [
        ("*", "d.yaml:1:3", "a later definition matches too: d.yaml:5:3"),
        ("volume.*", "d.yaml:3:3", "excluded by !volume.create.*"),
    ]


NEAR = [
    ("compute.instance.create.start", "segment 4 is 'start', where the pattern has 'end'"),
    ("compute.instance.create", "the pattern goes on with '.end'"),
    ("compute.instance.create.end.x", "the event type goes on with '.x'"),
    ("Compute.Instance.create.end", "it differs by letter case"),
    ("computes.instance.create.end", "segment 1 is 'computes', where the pattern has 'compute'"),
    ("network.instance.create.end", None),
    ("compute.instnce.crate.end", "it is written alike"),
    ("port.create.end", None),
]


@pytest.mark.parametrize(("event_type", "why"), NEAR)
def test_definitions_that_nearly_match_are_named(event_type: str, why: str | None) -> None:
    """Where none applies, it is said what is different in the nearest."""
    text = "- {event_type: [compute.instance.create.end, volume.x.y], traits: {}}"
    found = explained(text, notification(event_type=event_type), drop_unmatched_notifications=True)
    assert found.no_event == "no definition applies to the event type"
    assert [(one.glob, one.why) for one in found.near] == (
        [] if why is None else [("compute.instance.create.end", why)]
    )


def test_a_pattern_with_a_star_nearly_matches() -> None:
    """What the star takes is no difference; a segment that is unlike is no near miss."""
    definitions = parse_definitions("- {event_type: instance.*, traits: {}}")
    assert [one.why for one in plan(definitions, "instances.create.end").near] == [
        "segment 1 is 'instances', where the pattern has 'instance'"
    ]
    assert plan(definitions, "port.create.end").near == ()


def test_why_there_is_no_event() -> None:
    """A priority that is not wanted and a rejection are told apart, and the traits are shown as they would be."""
    text = "- {event_type: volume.*, traits: {id: {fields: payload.id, required: true}, size: payload.size}}"
    rejected = explained(text, notification({"size": 4, "tenant_id": "p-1"}))
    unwanted = explained(text, notification({"size": 4, "id": "v-1"}, priority="WARN"))
    assert (rejected.no_event, rejected.refused) == ("rejected by id", ("id",))
    assert (rejected.tenant, rejected.tenant_path) == ("p-1", "payload.tenant_id")
    assert unwanted.no_event == "events are made of the priorities info, error, not of 'warn'"
    assert [found.traits[-1].value for found in (rejected, unwanted)] == ["4", "4"]


TENANTS = [
    ({"tenant_id": "p-1"}, "", "payload.tenant_id"),
    ({"nova_object.data": {"project_id": "p-1"}}, "", "payload.'nova_object.data'.project_id"),
    ({"volumes": [{"tenant_id": "p-1"}, {"tenant_id": "p-1"}]}, "", "payload.volumes[*].tenant_id"),
    ({"owner_id": "p-1"}, "project_id: payload.owner_id", "trait project_id"),
    ({"initiator": {"project_id": "p-1"}}, "", "payload.initiator.project_id"),
]


@pytest.mark.parametrize(("payload", "trait", "path"), TENANTS)
def test_where_the_tenant_was_found(payload: dict[str, Any], trait: str, path: str) -> None:
    """The path of the tenant, or the trait that names it."""
    found = explained(f"- {{event_type: volume.*, traits: {{{trait}}}}}", notification(payload))
    assert (found.tenant, found.tenant_path) == ("p-1", path)


METERS = """\
metric:
  - {name: volume.size, event_type: volume, type: gauge, unit: GiB, volume: payload.size, resource_id: payload.id}
  - {name: volume.free, event_type: volume, type: gauge, unit: GiB, volume: payload.free, resource_id: payload.id,
     required: false}
  - name: volume.uptime
    event_type: volume
    type: delta
    unit: h
    resource_id: payload.id
    period: {begin: payload.begin, end: payload.end, while: {payload.state: [ok, busy]}}
"""


def test_samples_and_periods_with_what_gave_them() -> None:
    """Each definition that applies gave something, nothing, or has a problem; the attribute at fault is named."""
    payload = {"size": "big", "id": "v-1", "begin": "2026-08-01", "end": "2026-08-01T01:00:00", "state": "gone"}
    size, free, uptime = explained(METERS, notification(payload)).samples
    assert (size.kind, size.outcome, size.reason, size.pattern) == (
        "sample",
        "problem",
        "volume: not a number",
        "volume",
    )
    assert (free.outcome, free.reason) == (
        "none",
        "volume: payload has no key 'free', and `required: false` asks for none then",
    )
    assert (uptime.kind, uptime.outcome, uptime.periods[0].status) == ("period", "given", "idle")
    attributes = {one.name: one for one in uptime.attributes}
    assert (attributes["while"].outcome, attributes["while"].value, attributes["while"].reason) == (
        "missing",
        "gone",
        "it is none of ok, busy",
    )
    assert {one.name: one.constant for one in size.attributes}["unit"] == "GiB"


SEVERAL = """\
metric:
  - name: $.payload.measurements[*].metric
    event_type: volume
    type: gauge
    unit: $.payload.measurements[*].unit
    volume: $.payload.measurements[*].value
    resource_id: payload.host
    lookup: [name, unit, volume]
"""


def test_several_samples_of_one_definition() -> None:
    """With lookup an attribute has the values of all samples, and what stands for itself has one."""
    rows = [{"metric": "cpu", "unit": "ns", "value": 1}, {"metric": "ram", "unit": "MiB", "value": 2}]
    (found,) = explained(SEVERAL, notification({"host": "h-1", "measurements": rows})).samples
    assert [(one.name, one.volume, one.unit) for one in found.samples] == [("cpu", 1, "ns"), ("ram", 2, "MiB")]
    assert {one.name: one.value for one in found.attributes} == {
        "name": "['cpu', 'ram']",
        "type": "gauge",
        "unit": "['ns', 'MiB']",
        "volume": "[1, 2]",
        "resource_id": "h-1",
        "user_id": None,
        "project_id": None,
    }
    (none,) = explained(SEVERAL, notification({"host": "h-1", "measurements": []})).samples
    assert (none.outcome, none.reason) == ("none", "name: $.payload.measurements is an empty list")


def test_who_acted_where_the_definition_does_not_say() -> None:
    """The user of a sample is looked up in the context, and it is said where."""
    of = notification(
        {"size": 1, "id": "v-1"}, ctxt={"user": "u-1"}, metadata={"message_id": "m", "timestamp": "2026-08-01"}
    )
    attributes = {one.name: one for one in explained(METERS, of).samples[0].attributes}
    assert (attributes["user_id"].value, [path.path for path in attributes["user_id"].paths if path.found]) == (
        "u-1",
        ["ctxt.user"],
    )


def test_what_would_apply_to_an_event_type() -> None:
    """Without a notification: the definition, its traits with their paths, and the meters."""
    found = plan(parse_definitions(LAYERED + WHOLE, file="d.yaml"), "volume.create.end")
    traits = {one.name: one for one in found.traits}
    assert (found.glob, len(found.overridden)) == ("volume.*", 3)
    assert (traits["size"].type, traits["size"].paths) == ("int", ("payload.size", "payload.bytes"))
    assert (traits["part"].plugin, traits["one"].constant) == ("split", 1)
    assert [one.name for one in plan(parse_definitions(METERS), "volume.x").samples] == [
        "volume.size",
        "volume.free",
        "volume.uptime",
    ]


# --- what others send -------------------------------------------------------------------------------------------------


def test_large_and_deep_payloads() -> None:
    """A megabyte of keys, lists in lists and endless text are explained in few words."""
    deep: Any = "x"
    for _ in range(400):
        deep = {"a": [deep]}
    payload = {
        **{f"k{number}": "y" * 90 for number in range(10_000)},
        "deep": deep,
        "long": "z" * 1_000_000,
    }
    text = """\
- event_type: volume.*
  traits: {deep: payload.deep.b, any: payload..none, long: {fields: payload.long, type: int}, key: payload.k}
"""
    found = explained(text, notification(payload))
    assert [one.outcome for one in found.traits][-4:] == ["missing", "missing", "problem", "missing"]
    assert len(write_json(list(found.traits))) < 30_000


DEFINITIONS = """\
- event_type: compute.instance.*
  description: Instances.
  traits:
    instance_id: payload.instance_id
    memory_gb: {type: int, fields: payload.memory_gb}
    uuid: payload.nova_object.data.uuid
"""
SERVER = {"instance_id": "i-1", "memory_mb": 2048, "nova_object.data": {"uuid": "u-1"}, "tenant_id": "p-1"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("d.yaml").write_text(DEFINITIONS)
    Path("m.yaml").write_text(METERS)
    Path("n.json").write_bytes(line(event_type="compute.instance.create.end", payload=SERVER))
    return tmp_path


def explain_command(*arguments: str, given: bytes = b"") -> Ran:
    return run("explain", *arguments, "--definitions", "d.yaml", "m.yaml", given=given)


SHOWN = """\
compute.instance.create.end  m-1  info  2026-08-01T01:02:03Z  n.json:1
  definition  compute.instance.*  d.yaml:1:15
              Instances.
  tenant      p-1  payload.tenant_id
  traits
    service      volume.host-1  text  publisher_id         built in
    project_id   p-1            text  payload.tenant_id    built in
    tenant_id    p-1            text  payload.tenant_id    built in
    instance_id  i-1            text  payload.instance_id  4:5
  not there
    memory_gb  int  5:5
      payload.memory_gb: payload has no key 'memory_gb'; there are instance_id, memory_mb, nova_object.data, tenant_id
        did you mean payload.memory_mb?
    uuid  text  6:5
      payload.nova_object.data.uuid: payload has no key 'nova_object'
        did you mean payload.'nova_object.data'.uuid?
    request_id, user_id  default traits
"""


def test_what_a_person_sees() -> None:
    """Definition, tenant, traits, and why two are missing; nothing is wrong with the notification."""
    assert explain_command("n.json") == Ran(0, SHOWN, "")


def test_json_is_one_document_a_line() -> None:
    """It has what the text says, places as mappings."""
    ran = explain_command("n.json", "n.json", "--format", "json")
    first, second = ran.lines
    assert (ran.status, ran.err) == (0, "")
    assert first == second
    assert (first["kind"], first["read_from"]) == (
        "explanation",
        {"file": "n.json", "line": 1, "column": 0, "end_column": 0},
    )
    trait = {one["name"]: one for one in first["traits"]}["memory_gb"]
    assert (trait["outcome"], trait["place"]["line"], trait["paths"][0]["near"]) == ("missing", 5, "payload.memory_mb")
    assert first["event"]["traits"]["instance_id"] == "i-1"


STRUCTS = (
    AttributeExplanation,
    Explanation,
    MeterPlan,
    Near,
    Overridden,
    PathTrace,
    Plan,
    SampleExplanation,
    Source,
    TraitExplanation,
)


def test_every_key_of_the_json_is_documented() -> None:
    """What a program can read stands in the section of the command."""
    _, _, text = (TOP / "docs" / "reference" / "cli.md").read_text().partition("\n## eventdefs explain\n")
    words = set(re.findall(r"`([^`\n]+)`", text.partition("\n## ")[0]))
    assert {name for struct in STRUCTS for name in struct.__struct_fields__} - words == set()


def test_numbers_that_are_not_finite_in_json() -> None:
    """They are text, which JSON has none of otherwise."""
    Path("d.yaml").write_text("- {event_type: '*', traits: {share: {type: float, fields: payload.share}}}")
    ran = explain_command("--format", "json", given=line(payload={"share": "nan"}))
    assert (ran.lines[0]["traits"][-1]["value"], ran.lines[0]["event"]["traits"]["share"]) == ("nan", "nan")


def test_one_trait() -> None:
    """Only it, and each of its paths; a trait that is not there is a finding, with the name that was meant."""
    ran = explain_command("n.json", "--trait", "memory_gb")
    assert ran.status == 0
    assert "payload.memory_gb: payload has no key" in ran.out
    assert "instance_id  i-1" not in ran.out
    wrong = explain_command("n.json", "--trait", "memory")
    assert (wrong.status, wrong.out.splitlines()[-1]) == (
        1,
        "  the definition has no trait 'memory' (did you mean 'memory_gb'?)",
    )


def test_choosing_from_many() -> None:
    """By number, message_id and event type; that nothing is left is a finding."""
    many = line("m-1") + b"{oops\n" + line("m-2", event_type="port.x") + line("m-3")

    def ids(*arguments: str) -> list[str]:
        ran = explain_command("-", "--format", "json", *arguments, given=many)
        return [one.get("message_id", "undecodable") for one in ran.lines]

    assert ids() == ["m-1", "undecodable", "m-2", "m-3"]
    assert ids("--number", "3") == ["m-2"]
    assert ids("--message-id", "m-3") == ["m-3"]
    assert ids("--event-type", "port.*") == ["m-2"]
    nothing = explain_command("-", "--event-type", "volumes.*", given=many)
    assert (nothing.status, nothing.out) == (1, "")
    assert nothing.err == "eventdefs: none of 4 notifications is the one that was asked for\n"


def test_an_event_type_without_a_notification() -> None:
    """Which definitions apply is said at once; a pattern is no event type."""
    ran = explain_command("--event-type", "compute.instance.create.end")
    assert (ran.status, ran.out.splitlines()[1]) == (0, "  definition  compute.instance.*  d.yaml:1:15")
    assert "memory_gb    int   payload.memory_gb" in ran.out
    meters = explain_command("--event-type", "volume.x")
    assert "  definition  none; the event has the default traits" in meters.out
    assert "volume.uptime  m.yaml:5:5" in meters.out
    assert explain_command("--event-type", "volume.*").status == 2


def test_the_code_of_a_definition() -> None:
    """`--source` shows the function that is run, beside a notification and without one."""
    for arguments in (("n.json",), ("--event-type", "compute.instance.x")):
        assert "    def convert(notification):" in explain_command(*arguments, "--source").out
    assert explain_command("n.json", "--source", "--format", "json").lines[0]["source"].startswith("def convert")


def test_what_cannot_be_explained() -> None:
    """What is no notification is said with its place, and the next is explained; problems are findings too."""
    broken = explain_command(given=b"{oops\n\xff\xfe\n" + line("m-2"))
    heads = [text for text in broken.out.splitlines() if text and not text.startswith(" ")]
    assert broken.status == 1
    assert [text.partition(": ")[0] for text in heads[:2]] == ["<stdin>:1", "<stdin>:2"]
    assert all(": no notification: " in text for text in heads[:2])
    assert heads[2] == "volume.create.end  m-2  info  2026-08-01T01:02:03Z  <stdin>:3"
    assert explain_command("nothing.json").status == 2
    bad = explain_command(given=line(payload={"id": "v-1", "size": "big", "end": "x"}))
    assert (bad.status, "volume.size  problem: volume: not a number" in bad.out) == (1, True)


def test_definitions_that_cannot_be_used() -> None:
    """Every finding is said, and nothing is explained."""
    Path("d.yaml").write_text("- {event_type: a, traits: {x: {fields: 'payload.[', type: integer}}}")
    ran = explain_command("n.json")
    assert (ran.status, ran.out) == (2, "")
    assert "error[E104]" in ran.err
    assert "error[E201]" in ran.err


def test_a_terminal_obeys_nobody_elses_text() -> None:
    """Escapes in event types, keys, values and ids are shown and not sent."""
    evil = "\x1b]0;x\x07"
    Path("d.yaml").write_text('- {event_type: "*", traits: {a: payload.a, b: payload.b, c: payload.c.d}}')
    payload = {"a": evil, evil: 1, "c": evil, "tenant_id": evil, "id": evil, "size": 1}
    for text in (
        explain_command(given=line(evil, event_type=f"volume.{evil}", priority=evil, payload=payload)).out,
        explain_command(given=line(evil, event_type=f"volume.{evil}", payload=payload)).out,
        explain_command("--event-type", f"volume{evil}").out,
        explain_command("--event-type", "compute.x", "--trait", evil).err,
    ):
        assert "\x1b" not in text.replace("\\x1b", "")
        assert "\\x1b" in text


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


COLOURED = [
    ({}, True, True),
    ({}, False, False),
    ({"NO_COLOR": "1"}, True, False),
    ({"NO_COLOR": ""}, True, True),
    ({"TERM": "dumb"}, True, False),
    ({"CLICOLOR": "0"}, True, False),
    ({"CLICOLOR_FORCE": "1"}, False, True),
    ({"FORCE_COLOR": "1"}, False, True),
    ({"FORCE_COLOR": "0"}, False, False),
    ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
]


@pytest.mark.parametrize(("environment", "terminal", "wanted"), COLOURED)
def test_colour_on_a_terminal_only(environment: dict[str, str], terminal: bool, wanted: bool) -> None:
    """`NO_COLOR` takes it away, `CLICOLOR_FORCE` and `FORCE_COLOR` give it in a pipe."""
    colours = colours_for(_Terminal() if terminal else io.StringIO(), environment)
    assert colours.on is wanted
    assert colours.paint("x", "red", "bold") == ("\x1b[31;1mx\x1b[0m" if wanted else "x")
