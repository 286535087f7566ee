"""Samples: what meters give, and what is a problem instead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from eventdefs import Conversion, Options, Place, Problem, Sample, parse_definitions
from tests.making import SENT, notification

FILE = "meters.yaml"


def convert(meter: str, payload: Any = None, options: Options | None = None, **keys: Any) -> Conversion:
    """Convert with one sample definition, which has what every one has and *meter*."""
    rest = {
        "name": "volume.size",
        "event_type": "volume",
        "type": "gauge",
        "unit": "GiB",
        "volume": "1",
        "resource_id": "$.payload.id",
    }
    lines = [f"    {key}: {value}\n" for key, value in rest.items() if f"{key}:" not in meter.split()]
    text = f"metric:\n  - {meter}\n{''.join(lines)}"
    return parse_definitions(text, file=FILE, options=options or Options()).convert(notification(payload, **keys))


def attributes(conversion: Conversion, *names: str) -> list[Any]:
    """Return the attributes *names* of each sample, alone where there is one name."""
    rows = [tuple(getattr(sample, name) for name in names) for sample in conversion.samples]
    return [row[0] for row in rows] if len(names) == 1 else rows


def reasons(conversion: Conversion) -> list[tuple[str, str, str]]:
    return [(problem.name, problem.value, problem.reason) for problem in conversion.problems]


def test_a_sample_is_what_its_definition_says() -> None:
    """Every attribute comes from its place, and the id is what it always was: stores know samples by it."""
    conversion = convert(
        "volume: $.payload.size\n    project_id: $.payload.tenant_id\n    user_id: $.payload.user_id\n"
        "    timestamp: $.payload.at\n    metadata: {status: $.payload.status, host: $.payload.host}",
        {
            "id": "v-1",
            "size": 4,
            "tenant_id": "p-1",
            "user_id": "u-1",
            "at": "2026-08-01T01:00:00+02:00",
            "status": "available",
        },
    )
    assert conversion.samples == (
        Sample(
            "volume.size",
            "gauge",
            "GiB",
            4,
            "v-1",
            "p-1",
            "u-1",
            datetime(2026, 7, 31, 23, tzinfo=UTC),
            {"status": "available"},
            "af3e6895-79cf-5ba6-ac89-d57a74f919d5",
        ),
    )
    assert conversion.problems == ()


VOLUMES = {
    "1": ("1", 1),
    "0": ("0", 0),
    "0.0": ("0.0", 0.0),
    "1.5": ("1.5", 1.5),
    "-2": ("-2", -2),
    "true": ("true", 1),
    "a path": ("$.payload.size", 4),
    "a path to 0": ("$.payload.zero", 0),
    "a path to a text": ("$.payload.text", 12),
    "a path to a fraction as text": ("$.payload.fraction", 12.5),
    "a path to true": ("$.payload.yes", 1),
    "a large number": ("$.payload.large", 10**30),
    "several paths": ("[$.payload.none, $.payload.null, $.payload.size]", 4),
    "arithmetic": ("$.payload.size * 1024", 4096),
    "seconds": ("{fields: [$.payload.begin, $.payload.end], plugin: timedelta}", 5400.0),
    "minutes": ("{fields: [$.payload.begin, $.payload.end], plugin: {name: timedelta, parameters: {unit: min}}}", 90.0),
    "hours": ("{fields: [$.payload.begin, $.payload.end], plugin: {name: timedelta, parameters: {unit: h}}}", 1.5),
    "hours backwards": (
        "{fields: [$.payload.end, $.payload.begin], plugin: {name: timedelta, parameters: {unit: h}}}",
        1.5,
    ),
}
PAYLOAD = {
    "id": "v-1",
    "size": 4,
    "zero": 0,
    "text": "12",
    "fraction": "12.5",
    "yes": True,
    "large": 10**30,
    "null": None,
    "begin": "2026-08-01T00:00:00",
    "end": "2026-08-01T01:30:00",
}


@pytest.mark.parametrize(("volume", "expected"), VOLUMES.values(), ids=VOLUMES)
def test_volume(volume: str, expected: float) -> None:
    """A volume is a number as written, or what its paths find, as a number."""
    conversion = convert(f"volume: {volume}", PAYLOAD)
    (found,) = attributes(conversion, "volume")
    assert (found, type(found), conversion.problems) == (expected, type(expected), ())


BAD_VOLUMES = {
    "nothing found": (None, "", "no value"),
    "text": ("big", "big", "not a number"),
    "empty text": ("", "", "not a number"),
    "nan": ("nan", "nan", "not a finite number"),
    "infinity": (float("inf"), "inf", "not a finite number"),
    "infinity as text": ("-inf", "-inf", "not a finite number"),
    "a list": ([1], "[1]", "not a number"),
    "a mapping": ({"GB": 1}, "{'GB': 1}", "not a number"),
}


@pytest.mark.parametrize(("found", "value", "reason"), BAD_VOLUMES.values(), ids=BAD_VOLUMES)
def test_bad_volume(found: Any, value: str, reason: str) -> None:
    """What is no finite number is a problem and not published; the event is."""
    conversion = convert("volume: $.payload.size", {"id": "v-1", "size": found})
    assert (conversion.samples, reasons(conversion)) == ((), [("volume.size.volume", value, reason)])
    assert conversion.event is not None


def test_a_problem_says_all() -> None:
    """A sample that cannot be made is told with its place, path, value and reason."""
    conversion = convert("volume: [$.payload.a, $.payload.b]", {"b": "big"})
    assert conversion.problems == (
        Problem(
            "sample", "volume.size.volume", "$.payload.a, $.payload.b", "big", "not a number", Place(FILE, 2, 13, 14)
        ),
    )


def test_not_required() -> None:
    """Where the definition says so, a notification without a volume gives no sample and no problem."""
    meter = "volume: $.payload.size\n    required: false"
    assert convert(meter, {"id": "v-1", "size": 5}).samples[0].volume == 5
    for payload in ({"id": "v-1"}, {"id": "v-1", "size": None}):
        conversion = convert(meter, payload)
        assert (conversion.samples, conversion.problems) == ((), ())
    assert reasons(convert(meter, {"size": "big"})) == [("volume.size.volume", "big", "not a number")]


UNITS = {
    "a word": ("GiB", "GiB"),
    "what is no path": ("B/s", "B/s"),
    "percent": ("'%'", "%"),
    "a word that is an operator": ("where", "where"),
    "a path": ("$.payload.unit", "TiB"),
    "a path that finds nothing": ("$.payload.none", "$.payload.none"),
    "a name that the body has": ("priority", "info"),
    "paths": ("{fields: [$.payload.none, $.payload.unit]}", "TiB"),
}


@pytest.mark.parametrize(("unit", "expected"), UNITS.values(), ids=UNITS)
def test_unit(unit: str, expected: str) -> None:
    """A unit is a path that finds something, or the text as written."""
    assert attributes(convert(f"unit: {unit}", {"id": "v-1", "unit": "TiB"}), "unit") == [expected]


IDS = {
    "written": ("project_id: $.payload.tenant_id", {"tenant_id": "p"}, {"project_id": "acting"}, "p"),
    "nothing written": ("unit: B", {}, {"project_id": "acting", "tenant_id": "x"}, "acting"),
    "nothing found": ("project_id: $.payload.tenant_id", {}, {"project_id": "acting"}, "acting"),
    "the older key": ("unit: B", {}, {"tenant_id": "acting", "tenant": "x"}, "acting"),
    "the oldest key": ("unit: B", {}, {"tenant": "acting"}, "acting"),
    "nobody": ("unit: B", {}, {}, None),
    "what is no path": ("project_id: a/b", {}, {"project_id": "acting"}, "a/b"),
}


@pytest.mark.parametrize(("meter", "payload", "ctxt", "expected"), IDS.values(), ids=IDS)
def test_project_id(meter: str, payload: Any, ctxt: Any, expected: str | None) -> None:
    """The project is what the definition finds, else who acted."""
    assert attributes(convert(meter, payload, ctxt=ctxt), "project_id") == [expected]


def test_user_id_falls_back_to_who_acted() -> None:
    """Of the context's `user_id` and, of old clouds, `user`."""
    assert attributes(convert("unit: B", ctxt={"user_id": "u", "user": "x"}), "user_id") == ["u"]
    assert attributes(convert("unit: B", ctxt={"user": "u"}), "user_id") == ["u"]


TIMES = {
    "none written": ("unit: B", None, SENT),
    "nothing found": ("timestamp: $.payload.at", None, SENT),
    "empty": ("timestamp: $.payload.at", "", SENT),
    "naive": ("timestamp: $.payload.at", "2026-08-01 05:00:00.25", datetime(2026, 8, 1, 5, 0, 0, 250_000, tzinfo=UTC)),
    "with a zone": ("timestamp: $.payload.at", "2026-08-01T05:00:00+0530", datetime(2026, 7, 31, 23, 30, tzinfo=UTC)),
}


@pytest.mark.parametrize(("meter", "at", "expected"), TIMES.values(), ids=TIMES)
def test_timestamp(meter: str, at: str | None, expected: datetime) -> None:
    """A sample is dated as its definition says, else when the notification was sent."""
    assert attributes(convert(meter, {"at": at}), "timestamp") == [expected]


def test_bad_timestamp() -> None:
    """A time that cannot be read is never replaced by another."""
    conversion = convert("timestamp: $.payload.at", {"at": "yesterday"})
    assert (conversion.samples, reasons(conversion)) == (
        (),
        [("volume.size.timestamp", "yesterday", "not an ISO 8601 time")],
    )


def test_type() -> None:
    """A type may be looked up; what it then is, is checked."""
    meter = (
        "name: $.payload.meters[*].name\n    lookup: type\n    type: $.payload.meters[*].type\n    volume: $.payload.n"
    )
    meters = [{"name": "a", "type": "delta"}, {"name": "b", "type": "Delta"}]
    conversion = convert(meter, {"meters": meters, "n": 1})
    assert attributes(conversion, "name", "type") == [("a", "delta")]
    assert [(problem.value, problem.reason) for problem in conversion.problems] == [
        ("Delta", "expected gauge, delta, cumulative")
    ]


# --- metadata --------------------------------------------------------------------------------------------------------

WHOLE = {"event_type": "volume.create.end", "host": "volume.host-1"}
METADATA = {
    "none: the whole payload": ("unit: B", {"id": "v-1", "a": [1]}, {"id": "v-1", "a": [1], **WHOLE}),
    "none and no payload": ("unit: B", None, WHOLE),
    "none and a payload of text": ("unit: B", "failed", WHOLE),
    "written": ("metadata: {a: $.payload.a, b: $.publisher_id}", {"a": 1, "c": 2}, {"a": 1, "b": "volume.host-1"}),
    "a constant": ("metadata: {a: 5, b: $.payload.b}", {}, {"a": 5}),
    "falsy values are left out": (
        "metadata: {a: $.payload.a, b: $.payload.b, c: $.payload.c, d: $.payload.d}",
        {"a": 0, "b": "", "c": [], "d": "d"},
        {"d": "d"},
    ),
    "nothing left: the whole payload": ("metadata: {a: $.payload.a}", {"b": 1}, {"b": 1, **WHOLE}),
    "user metadata": (
        "user_metadata: $.payload.metadata",
        {"metadata": {"metering.stack.id": "s", "other": "o", "metering.n": 5}},
        {"user_metadata": {"stack_id": "s", "n": 5}},
    ),
    "user metadata is cut": (
        "user_metadata: $.payload.metadata",
        {"metadata": {"metering.long": "x" * 300}},
        {"user_metadata": {"long": "x" * 256}},
    ),
    "user metadata beside metadata": (
        "user_metadata: $.payload.metadata\n    metadata: {status: $.payload.status}",
        {"status": "ok", "metadata": {"metering.a": "1", "metering.status": "2"}},
        {"status": "ok", "user_metadata": {"a": "1"}},
    ),
}


@pytest.mark.parametrize(("meter", "payload", "expected"), METADATA.values(), ids=METADATA)
def test_metadata(meter: str, payload: Any, expected: dict[str, Any]) -> None:
    """What is kept about the resource, as Ceilometer keeps it."""
    conversion = convert(meter, payload)
    assert (attributes(conversion, "metadata"), conversion.problems) == ([expected], ())


def test_user_metadata_options() -> None:
    """Which keys of user metadata are kept, and how much of them, is for the operator to say."""
    options = Options(
        reserved_metadata_namespace=("bill.",), reserved_metadata_length=3, reserved_metadata_keys=("cost.center",)
    )
    given = {"metadata": {"bill.a": "abcdef", "metering.b": "b", "cost.center": "7"}}
    conversion = convert("user_metadata: $.payload.metadata", given, options)
    assert attributes(conversion, "metadata") == [{"user_metadata": {"a": "abc", "cost_center": "7"}}]


def test_user_metadata_that_is_none() -> None:
    """What is no mapping is a problem of the sample."""
    conversion = convert("user_metadata: $.payload.metadata", {"metadata": ["a"]})
    assert reasons(conversion) == [("volume.size.user_metadata", "['a']", "not a mapping")]


# --- several samples of one notification -----------------------------------------------------------------------------

POOL = {"id": "p-1", "pools": [{"name": "free", "v": 5, "u": "B"}, {"name": "used", "v": 7, "u": "KiB"}]}
EACH = "name: $.payload.pools[*].name\n    volume: $.payload.pools[*].v\n    "
LOOKUP = {
    "name and volume": (f"{EACH}lookup: [name, volume]", POOL, [("free", "GiB", 5), ("used", "GiB", 7)]),
    "the name always is": (f"{EACH}lookup: volume", POOL, [("free", "GiB", 5), ("used", "GiB", 7)]),
    "every attribute": (
        f"{EACH}unit: $.payload.pools[*].u\n    lookup: [volume, unit]",
        POOL,
        [("free", "B", 5), ("used", "KiB", 7)],
    ),
    "one value for all": (
        "name: $.payload.pools[*].name\n    volume: $.payload.pools[0].v\n    lookup: name",
        POOL,
        [("free", "GiB", 5), ("used", "GiB", 5)],
    ),
    "none at all": (f"{EACH}lookup: volume", {"pools": []}, []),
}


@pytest.mark.parametrize(("meter", "payload", "expected"), LOOKUP.values(), ids=LOOKUP)
def test_lookup(meter: str, payload: Any, expected: list[Any]) -> None:
    """With `lookup`, one notification gives a sample for each of the values found."""
    conversion = convert(meter, payload)
    assert (attributes(conversion, "name", "unit", "volume"), conversion.problems) == (expected, ())


def test_lookup_of_unequal_counts() -> None:
    """Values that cannot be told to belong together are not put together."""
    payload = {"pools": [{"name": "free", "v": 5}, {"name": "used"}, {"name": "all", "v": 9}]}
    conversion = convert(f"{EACH}lookup: volume", payload)
    assert conversion.samples == ()
    assert [(problem.path, problem.reason) for problem in conversion.problems] == [
        ("$.payload.pools[*].v", "2 found for 3 samples")
    ]


def test_lookup_keeps_what_can_be_read() -> None:
    """A bad value is a problem of its own sample only."""
    payload = {"pools": [{"name": "free", "v": 5}, {"name": "used", "v": "big"}, {"name": "all", "v": 9}]}
    conversion = convert(f"{EACH}lookup: volume", payload)
    assert attributes(conversion, "name", "volume") == [("free", 5), ("all", 9)]
    assert [(problem.value, problem.reason) for problem in conversion.problems] == [("big", "not a number")]


@pytest.mark.parametrize("name", [None, ["a"], {"a": 1}], ids=repr)
def test_a_meter_has_a_name(name: Any) -> None:
    """A name that the notification gives and that is no text is a problem: no publisher has a place for it."""
    payload = {"pools": [{"name": name, "v": 5}, {"name": "used", "v": 7}]}
    conversion = convert(f"{EACH}lookup: volume", payload)
    assert attributes(conversion, "name") == ["used"]
    assert [problem.name.rpartition(".")[2] for problem in conversion.problems] == ["name"]


ODD = "$.payload.n * $.payload.n"


@pytest.mark.parametrize("attribute", ["name", "unit", "volume", "resource_id", "project_id", "user_id", "timestamp"])
def test_a_number_too_long_to_be_written(attribute: str) -> None:
    """Nothing is raised for what a sender puts into a payload, not even by writing it down."""
    conversion = convert(f"{attribute}: {ODD}", {"n": 10**4000})
    assert conversion.event is not None
    assert len(conversion.samples) + len(conversion.problems) == 1


def test_one_definition_that_fails_leaves_the_others() -> None:
    """Each sample definition is on its own."""
    meter = "{{name: {0}, event_type: volume, type: gauge, unit: B, volume: $.payload.{0}, resource_id: $.payload.id}}"
    text = f"metric: [{', '.join(meter.format(name) for name in ('a', 'b', 'c'))}]"
    conversion = parse_definitions(text).convert(notification({"id": "v", "a": 1, "b": "big", "c": 3}))
    assert attributes(conversion, "name", "volume") == [("a", 1), ("c", 3)]
    assert reasons(conversion) == [("b.volume", "big", "not a number")]
    assert conversion.event is not None


# --- ids -------------------------------------------------------------------------------------------------------------

SAME = {"id": "v-1", "size": 4, "tenant_id": "p-1"}
METER = "volume: $.payload.size\n    project_id: $.payload.tenant_id"


def ids(payload: Any, meter: str = METER, **keys: Any) -> list[str]:
    return attributes(convert(meter, payload, **keys), "id")


def test_ids_are_what_they_were() -> None:
    """Stores know samples by their ids. A change of these texts makes every replay a duplicate: do not make one."""
    assert ids(SAME) == ["af3e6895-79cf-5ba6-ac89-d57a74f919d5"]
    assert ids(POOL, f"{EACH}lookup: volume") == [
        "3638b2c1-91e9-561e-a76e-1e9ed8f331cd",
        "a7b44e51-4786-55a9-847c-6d84e025b044",
    ]


DIFFERENT: dict[str, dict[str, Any]] = {
    "another notification": {"message_id": "m-2"},
    "another resource": {"payload": {**SAME, "id": "v-2"}},
    "another tenant": {"payload": {**SAME, "tenant_id": "p-2"}},
    "no resource": {"payload": {**SAME, "id": None}},
    "a resource of this text": {"payload": {**SAME, "id": "None"}},
}


def test_ids_are_of_one_sample_only() -> None:
    """Another notification, meter, resource or tenant has another id; the time of conversion is none of it."""
    all_ids = ids(SAME) + ids(SAME, METER.replace("volume:", "name: other\n    volume:"))
    for keys in DIFFERENT.values():
        payload = keys.get("payload", SAME)
        all_ids += ids(payload, message_id=keys.get("message_id", "m-1"))
    all_ids += ids({**POOL, "pools": [{"name": "a", "v": 1}] * 3}, f"{EACH}lookup: volume")
    assert len(set(all_ids)) == len(all_ids) == 2 + len(DIFFERENT) + 3


def test_ids_are_the_same_for_the_same() -> None:
    """A redelivery, with another value even, is the same sample."""
    assert ids(SAME) == ids(SAME) == ids({**SAME, "size": 5, "status": "error"})


def test_the_parts_of_an_id_do_not_run_into_each_other() -> None:
    """Texts that senders choose cannot be cut so that two samples have one id."""
    one = ids({"id": "volume.size\nb", "size": 1, "tenant_id": "c"}, message_id="a")
    other = ids({"id": "b", "size": 1, "tenant_id": "c"}, message_id="a\nvolume.size")
    assert one != other
