"""Periods: claims that something ran, was idle or ended, and what is a problem instead of a claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eventdefs import Conversion, Definitions, Period, Place, Problem, load_definitions, parse_definitions
from tests.making import SENT, notification

FILE = "meters.yaml"
TIMES = {"begin": "2026-08-01 00:00:00", "end": "2026-08-01 01:00:00"}
PAYLOAD = {"id": "db-1", "tenant_id": "p-1", "user_id": "u-1", "state": "active", "flavor": "7", **TIMES}
BEGIN, END = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 8, 1, 1, tzinfo=UTC)


def convert(
    payload: Any,
    period: str = "",
    dimensions: str = "{}",
    *,
    times: str = "begin: $.payload.begin, end: $.payload.end",
    **keys: Any,
) -> Conversion:
    text = f"""\
metric:
  - name: database.uptime
    event_type: trove
    type: delta
    unit: h
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    user_id: $.payload.user_id
    period: {{{times}{period}}}
    dimensions: {dimensions}
"""
    message = notification(payload, event_type="trove.instance.exists", **keys)
    return parse_definitions(text, file=FILE).convert(message)


def claims(conversion: Conversion) -> list[tuple[datetime, datetime]]:
    return [(period.begin, period.end) for period in conversion.periods]


def statuses(conversion: Conversion) -> list[str]:
    return [period.status for period in conversion.periods]


def reasons(conversion: Conversion) -> list[tuple[str, str, str, str]]:
    return [(problem.name, problem.path, problem.value, problem.reason) for problem in conversion.problems]


def test_a_claim_is_what_its_definition_says() -> None:
    """Every part comes from its place, and the id is what it always was: stores know claims by it."""
    conversion = convert(
        {**PAYLOAD, "created_at": "2026-08-01T00:30:00"},
        ", not_before: $.payload.created_at, while: {$.payload.state: [active]}",
        "{flavor: $.payload.flavor}",
    )
    assert conversion.periods == (
        Period(
            "database.uptime",
            "h",
            "db-1",
            "p-1",
            "u-1",
            BEGIN,
            END,
            datetime(2026, 8, 1, 0, 30, tzinfo=UTC),
            SENT,
            {"flavor": "7"},
            "m-1",
            "7d83d94c-4e9c-563c-8f6c-f79b8af57f67",
            None,
            "running",
        ),
    )
    assert (conversion.samples, conversion.problems) == ((), ())
    assert conversion.event is not None


WHILE = {
    "holds": ("{$.payload.state: [active, backup]}", {}, True),
    "one value, without a list": ("{$.payload.state: active}", {}, True),
    "does not hold": ("{$.payload.state: [backup]}", {}, False),
    "letter case counts": ("{$.payload.state: [Active]}", {}, False),
    "all must hold": ("{$.payload.state: [active], $.payload.flavor: ['7']}", {}, True),
    "one does not": ("{$.payload.state: [active], $.payload.flavor: ['8']}", {}, False),
    "nothing is found": ("{$.payload.nothing: [active]}", {}, False),
    "nothing is what is asked for": ("{$.payload.deleted_at: [null, '']}", {}, True),
    "nothing or empty": ("{$.payload.deleted_at: [null, '']}", {"deleted_at": ""}, True),
    "something": ("{$.payload.deleted_at: [null, '']}", {"deleted_at": "2026-08-01"}, False),
    "a number": ("{$.payload.count: [5]}", {"count": 5}, True),
    "a list is found": ("{$.payload.state: [active]}", {"state": ["active"]}, False),
}


@pytest.mark.parametrize(("conditions", "payload", "holds"), WHILE.values(), ids=WHILE)
def test_while(conditions: str, payload: dict[str, Any], holds: bool) -> None:
    """A claim counts only while each condition holds; else it says that the resource was idle, which is no problem."""
    conversion = convert({**PAYLOAD, **payload}, f", while: {conditions}")
    assert (claims(conversion), conversion.problems) == ([(BEGIN, END)], ())
    assert statuses(conversion) == ["running" if holds else "idle"]


@pytest.mark.parametrize(("conditions", "payload", "holds"), WHILE.values(), ids=WHILE)
def test_closes(conditions: str, payload: dict[str, Any], holds: bool) -> None:
    """The resource is gone at the end of a claim for which each condition holds; they are written as in `while`."""
    conversion = convert({**PAYLOAD, **payload}, f", closes: {conditions}")
    assert (claims(conversion), conversion.problems) == ([(BEGIN, END)], ())
    assert statuses(conversion) == ["ending" if holds else "running"]


@pytest.mark.parametrize(("closes", "status"), [("true", "ending"), ("false", "running"), ("{}", "ending")])
def test_closes_always_or_never(closes: str, status: str) -> None:
    """A deletion needs no condition: `closes: true` ends the resource with every claim."""
    assert statuses(convert(PAYLOAD, f", closes: {closes}")) == [status]


ACTIVE, BACKUP = ("{$.payload.state: active}", "{$.payload.state: backup}")
STATUSES = {
    "counts": (f"while: {ACTIVE}", "2026-07-01", "running"),
    "does not count": (f"while: {BACKUP}", "2026-07-01", "idle"),
    "ends": (f"while: {ACTIVE}, closes: {ACTIVE}", "2026-07-01", "ending"),
    "ends, and did not count": (f"while: {BACKUP}, closes: {ACTIVE}", "2026-07-01", "ending"),
    "does not end": (f"while: {ACTIVE}, closes: {BACKUP}", "2026-07-01", "running"),
    "neither counts nor ends": (f"while: {BACKUP}, closes: {BACKUP}", "2026-07-01", "idle"),
    "did not begin": (f"while: {ACTIVE}", None, "idle"),
    "did not begin, nor count": (f"while: {BACKUP}", None, "idle"),
    "did not begin, and so does not end": (f"while: {ACTIVE}, closes: true", None, "idle"),
}


@pytest.mark.parametrize(("keys", "launched", "status"), STATUSES.values(), ids=STATUSES)
def test_status(keys: str, launched: str | None, status: str) -> None:
    """What a claim says of its resource: that it ran, that it was there and idle, or that it is gone at the end."""
    conversion = convert({**PAYLOAD, "launched_at": launched}, f", not_before: $.payload.launched_at, {keys}")
    assert (statuses(conversion), conversion.problems) == ([status], ())


BOUNDS = {
    "a time": ("2026-08-01T00:30:00Z", datetime(2026, 8, 1, 0, 30, tzinfo=UTC)),
    "before the claim": ("2025-01-01", datetime(2025, 1, 1, tzinfo=UTC)),
    "after the claim": ("2027-01-01", datetime(2027, 1, 1, tzinfo=UTC)),
    "none": (None, None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("value", "expected"), BOUNDS.values(), ids=BOUNDS)
def test_not_before(value: str | None, expected: datetime | None) -> None:
    """The bound is kept beside the claim, which is not cut by it; what has no such time yet has not begun."""
    conversion = convert({**PAYLOAD, "created_at": value}, ", not_before: $.payload.created_at")
    assert [(period.begin, period.end, period.not_before) for period in conversion.periods] == [(BEGIN, END, expected)]
    assert statuses(conversion) == ["idle" if expected is None else "running"]


@pytest.mark.parametrize(("value", "expected"), BOUNDS.values(), ids=BOUNDS)
def test_not_after(value: str | None, expected: datetime | None) -> None:
    """The same of its other end; what has no such time has no bound."""
    conversion = convert({**PAYLOAD, "deleted_at": value}, ", not_after: $.payload.deleted_at")
    assert [(period.begin, period.end, period.not_after) for period in conversion.periods] == [(BEGIN, END, expected)]
    assert statuses(conversion) == ["running"]


LENGTHS = {
    "1h": timedelta(hours=1),
    "1 h": timedelta(hours=1),
    "90min": timedelta(minutes=90),
    "60s": timedelta(seconds=60),
    "'1d'": timedelta(days=1),
    "366d": timedelta(days=366),
    "31622400s": timedelta(days=366),
}


@pytest.mark.parametrize(("length", "expected"), LENGTHS.items())
def test_length(length: str, expected: timedelta) -> None:
    """Who says only when the period ended claims so long before it."""
    conversion = convert(PAYLOAD, times=f"end: $.payload.end, length: {length}")
    assert (claims(conversion), conversion.problems) == ([(END - expected, END)], ())


def test_a_length_before_all_times() -> None:
    """A period that would begin before the year 1 is a problem."""
    conversion = convert({**PAYLOAD, "end": "0001-01-01"}, times="end: $.payload.end, length: 1h")
    assert (conversion.periods, reasons(conversion)) == (
        (),
        [("database.uptime.end", "$.payload.end", "0001-01-01T00:00:00+00:00", "too early")],
    )


DIMENSIONS = {
    "none": ("{}", {}),
    "one": ("{flavor: $.payload.flavor}", {"flavor": "7"}),
    "several, in the order written": (
        "{state: $.payload.state, flavor: $.payload.flavor}",
        {"state": "active", "flavor": "7"},
    ),
    "a number": ("{size: $.payload.size}", {"size": "5"}),
    "nothing found": ("{region: $.payload.region}", {"region": ""}),
    "a constant": ("{region: 1}", {"region": "1"}),
}


@pytest.mark.parametrize(("written", "expected"), DIMENSIONS.values(), ids=DIMENSIONS)
def test_dimensions(written: str, expected: dict[str, str]) -> None:
    """What splits the usage is text, and '' where nothing is found."""
    (period,) = convert({**PAYLOAD, "size": 5}, dimensions=written).periods
    assert (period.dimensions, list(period.dimensions)) == (expected, list(expected))


PROBLEMS: dict[str, tuple[dict[str, Any], tuple[str, str, str, str]]] = {
    "reversed": (
        {"begin": TIMES["end"], "end": TIMES["begin"]},
        (
            "end",
            "$.payload.end",
            "2026-08-01T00:00:00+00:00",
            "ends before it begins, at 2026-08-01T01:00:00+00:00",
        ),
    ),
    "too long": (
        {"begin": "2025-07-30T00:59:59"},
        ("end", "$.payload.end", "2026-08-01T01:00:00+00:00", "is longer than 366 days"),
    ),
    "no begin": ({"begin": None}, ("begin", "$.payload.begin", "", "no value")),
    "an empty begin": ({"begin": ""}, ("begin", "$.payload.begin", "", "no value")),
    "no end": ({"end": None}, ("end", "$.payload.end", "", "no value")),
    "neither": ({"begin": None, "end": None}, ("begin", "$.payload.begin", "", "no value")),
    "unreadable": ({"end": "soon"}, ("end", "$.payload.end", "soon", "not an ISO 8601 time")),
    "a number": ({"begin": 1785542400}, ("begin", "$.payload.begin", "1785542400", "not an ISO 8601 time")),
    "no such day": (
        {"begin": "2026-02-30"},
        ("begin", "$.payload.begin", "2026-02-30", "not a time: day is out of range for month"),
    ),
    "an unreadable not_before": (
        {"created_at": "once"},
        ("not_before", "$.payload.created_at", "once", "not an ISO 8601 time"),
    ),
    "an unreadable not_after": (
        {"deleted_at": "never"},
        ("not_after", "$.payload.deleted_at", "never", "not an ISO 8601 time"),
    ),
    "a condition that fails": ({"nodes": 5}, ("while", "$.payload.nodes[0]", "", "object of type 'int' has no len()")),
    "a condition of the end that fails": (
        {"tasks": 5},
        ("closes", "$.payload.tasks[0]", "", "object of type 'int' has no len()"),
    ),
    "no resource": ({"id": None}, ("resource_id", "$.payload.id", "", "no value")),
    "an empty resource": ({"id": ""}, ("resource_id", "$.payload.id", "", "no value")),
}


@pytest.mark.parametrize(("payload", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems(payload: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    """What cannot be a claim is a problem and is never mended by a guess; the event is made."""
    conversion = convert(
        {**PAYLOAD, "created_at": "2026-07-01", **payload},
        ", not_before: $.payload.created_at, not_after: $.payload.deleted_at,"
        " while: {'$.payload.nodes[0]': [null]}, closes: {'$.payload.tasks[0]': deleting}",
    )
    attribute, *rest = expected
    assert (conversion.periods, reasons(conversion)) == ((), [(f"database.uptime.{attribute}", *rest)])
    assert conversion.event is not None


def test_a_problem_says_all() -> None:
    """A claim that cannot be made is told with its path, value, reason and place."""
    assert convert({**PAYLOAD, "end": "soon"}).problems == (
        Problem(
            "period",
            "database.uptime.end",
            "$.payload.end",
            "soon",
            "not an ISO 8601 time",
            Place(FILE, 2, 5, 5),
        ),
    )


def test_an_empty_period_claims_nothing() -> None:
    """From a time to the same time nothing ran, which is no problem."""
    conversion = convert({**PAYLOAD, "end": TIMES["begin"]})
    assert (conversion.periods, conversion.problems) == ((), ())


@pytest.mark.parametrize(("launched", "expected"), [("2026-07-01", ["ending"]), (None, [])], ids=["begun", "not begun"])
def test_an_empty_period_that_closes(launched: str | None, expected: list[str]) -> None:
    """It still says that the resource is gone, unless it never ran."""
    payload = {**PAYLOAD, "end": TIMES["begin"], "launched_at": launched}
    conversion = convert(payload, ", not_before: $.payload.launched_at, closes: true")
    assert (statuses(conversion), conversion.problems) == (expected, ())


def test_as_long_as_it_may_be() -> None:
    """A year of 366 days can be claimed, from an end with another zone even."""
    conversion = convert({**PAYLOAD, "begin": "2025-07-31T02:00:00+01:00", "end": "2026-08-01T01:00:00"})
    assert claims(conversion) == [(datetime(2025, 7, 31, 1, tzinfo=UTC), END)]


@pytest.mark.parametrize("value", [5, {"id": "p"}, ["p"]], ids=repr)
def test_ids_are_text(value: Any) -> None:
    """A resource, project or user that is no text is its text, as `Period` promises."""
    (period,) = convert({**PAYLOAD, "id": value, "tenant_id": value, "user_id": value}).periods
    assert (period.resource_id, period.project_id, period.user_id) == (str(value),) * 3


@pytest.mark.parametrize("part", ["resource_id", "project_id", "dimensions"])
def test_a_number_too_long_to_be_written(part: str) -> None:
    """Nothing is raised for what a sender puts into a payload, not even by writing it down."""
    odd = "$.payload.n * $.payload.n"
    parts = {"resource_id": "$.payload.id", "project_id": "$.payload.tenant_id", "dimensions": f"{{n: {odd}}}"}
    if part != "dimensions":
        parts |= {part: odd, "dimensions": "{}"}
    written = "".join(f"    {key}: {value}\n" for key, value in parts.items())
    text = (
        "metric:\n  - name: up\n    event_type: trove\n    type: delta\n    unit: h\n"
        f"    period: {{begin: $.payload.begin, end: $.payload.end}}\n{written}"
    )
    message = notification({**PAYLOAD, "n": 10**4000}, event_type="trove.instance.exists")
    conversion = parse_definitions(text).convert(message)
    assert conversion.event is not None
    assert len(conversion.periods) + len(conversion.problems) == 1


def test_priorities() -> None:
    """Claims are made of the notifications that samples are made of."""
    assert [len(convert(PAYLOAD, priority=priority).periods) for priority in ("info", "sample", "error")] == [1, 1, 0]


def test_ids() -> None:
    """A redelivery makes the same claim; another notification, resource or tenant another one."""
    ids = [convert(PAYLOAD).periods[0].id, convert({**PAYLOAD, "end": "2026-08-01 00:30:00"}).periods[0].id]
    others = [
        convert(PAYLOAD, message_id="m-2").periods[0].id,
        convert({**PAYLOAD, "id": "db-2"}).periods[0].id,
        convert({**PAYLOAD, "tenant_id": "p-2"}).periods[0].id,
    ]
    assert ids == ["7d83d94c-4e9c-563c-8f6c-f79b8af57f67"] * 2
    assert len({*ids, *others}) == 4


# --- several definitions of one meter --------------------------------------------------------------------------------

EXISTS = "period: {begin: $.payload.begin, end: $.payload.end}"
DELETE = "period: {begin: $.payload.begin, end: $.payload.deleted_at, closes: true}"
GAUGE = "volume: 1"


def meter(event_type: str, what: str, name: str = "database.uptime") -> str:
    kind = "type: gauge, unit: GiB" if what == GAUGE else "type: delta, unit: h"
    return f"- {{name: {name}, event_type: 'trove.instance.{event_type}', {kind}, resource_id: $.payload.id, {what}}}\n"


def used(definitions: Definitions) -> list[tuple[str, str, bool]]:
    """Return name, event type and whether it claims of the sample definitions that are used, in their order."""
    return [(one.name, one.event_types[0].rpartition(".")[2], one.period is not None) for one in definitions.samples]


def unused(definitions: Definitions) -> list[tuple[str, str, int]]:
    return [(one.code, Path(one.place.file).name, one.place.line) for one in definitions.warnings]


UP, DOWN, SIZE = meter("exists", EXISTS), meter("delete", DELETE), meter("create", GAUGE)
ONE_FILE = {
    "two of periods": (UP + DOWN, ["exists", "delete"], []),
    "the same twice": (UP + UP, ["exists", "exists"], []),
    "others between": (UP + meter("x", GAUGE, "y") + DOWN, ["exists", "x", "delete"], []),
    "of samples the last": (SIZE + SIZE, ["create"], [2]),
    "of samples and periods the last": (SIZE + UP + DOWN, ["exists", "delete"], [2]),
    "of periods and samples the last": (UP + DOWN + SIZE, ["create"], [2, 3]),
    "and again": (UP + SIZE + DOWN, ["delete"], [2, 3]),
}


@pytest.mark.parametrize(("rows", "expected", "warned"), ONE_FILE.values(), ids=ONE_FILE)
def test_several_definitions_in_one_file(rows: str, expected: list[str], warned: list[int]) -> None:
    """Those of periods belong together; of all others the last is used, and each that is not is said."""
    definitions = parse_definitions(f"metric:\n{rows}", file=FILE)
    assert [event_type for _, event_type, _ in used(definitions)] == expected
    assert unused(definitions) == [("W401", FILE, number) for number in warned]


SEVERAL_FILES = {
    "all are the first file's": ((UP + DOWN, meter("x", EXISTS)), ["exists", "delete"], [("b.yaml", 2)]),
    "one replaces several": ((meter("x", EXISTS), UP + DOWN), ["x"], [("b.yaml", 2), ("b.yaml", 3)]),
    "samples replace periods": ((SIZE, UP), ["create"], [("b.yaml", 2)]),
    "periods replace samples": ((UP, SIZE), ["exists"], [("b.yaml", 2)]),
    "of three files": ((UP, DOWN, SIZE), ["exists"], [("b.yaml", 2), ("c.yaml", 2)]),
    "another name": ((UP, meter("delete", DELETE, "other")), ["exists", "delete"], []),
}


@pytest.mark.parametrize(("files", "expected", "warned"), SEVERAL_FILES.values(), ids=SEVERAL_FILES)
def test_several_definitions_in_several_files(
    files: tuple[str, ...], expected: list[str], warned: list[tuple[str, int]], tmp_path: Path
) -> None:
    """A meter is one file's, the first that has it, so that an operator's file replaces all that was shipped."""
    for name, rows in zip("abc", files, strict=False):
        (tmp_path / f"{name}.yaml").write_text(f"metric:\n{rows}")
    definitions = load_definitions(tmp_path)
    assert [event_type for _, event_type, _ in used(definitions)] == expected
    assert unused(definitions) == [("W401", *where) for where in warned]


def test_one_meter_of_two_notifications() -> None:
    """One says that it is there, the other that it is gone."""
    definitions = parse_definitions(f"metric:\n{UP}{DOWN}")
    payload = {**PAYLOAD, "deleted_at": "2026-08-01 00:20:00"}
    made = [
        definitions.convert(notification(payload, event_type=f"trove.instance.{name}", message_id=name)).periods
        for name in ("exists", "delete", "create")
    ]
    assert [[(one.meter, one.status, one.end) for one in periods] for periods in made] == [
        [("database.uptime", "running", END)],
        [("database.uptime", "ending", datetime(2026, 8, 1, 0, 20, tzinfo=UTC))],
        [],
    ]


def test_two_claims_of_one_notification() -> None:
    """Each has an id of its own, so that no store takes one for the other; the first has what it always had."""
    definitions = parse_definitions(f"metric:\n{UP}{meter('e', 'period: {end: $.payload.end, length: 2h}')}{UP}")
    periods = definitions.convert(notification(PAYLOAD, event_type="trove.instance.exists")).periods
    assert [(one.end - one.begin).total_seconds() / 3600 for one in periods] == [1, 2, 1]
    assert len({one.id for one in periods}) == 3
    alone = parse_definitions(f"metric:\n{UP}").convert(notification(PAYLOAD, event_type="trove.instance.exists"))
    assert alone.periods == periods[:1]


# --- what usage can be of --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["s", "min", "h", "d"])
def test_units(unit: str) -> None:
    """Usage of time is in seconds, minutes, hours or days."""
    text = f"metric: [{{name: a, event_type: trove, type: delta, unit: {unit}, resource_id: $.payload.id, {EXISTS}}}]"
    (period,) = parse_definitions(text).convert(notification(PAYLOAD, event_type="trove")).periods
    assert period.unit == unit


def test_the_fingerprint_is_of_the_texts(tmp_path: Path) -> None:
    """Usage records name it: the same texts have the same, from files or not, and any other another one."""
    for name, text in (("a.yaml", f"metric:\n{UP}"), ("b.yaml", "[]")):
        (tmp_path / name).write_text(text)
    loaded = [load_definitions(tmp_path), load_definitions(tmp_path / "a.yaml", tmp_path / "b.yaml")]
    others = [
        load_definitions(tmp_path / "b.yaml", tmp_path / "a.yaml"),
        load_definitions(tmp_path / "a.yaml"),
        parse_definitions(f"metric:\n{UP}# \n"),
        parse_definitions(f"metric:\n{DOWN}"),
    ]
    assert loaded[0].fingerprint == loaded[1].fingerprint
    assert parse_definitions(f"metric:\n{UP}").fingerprint == others[1].fingerprint
    assert len({loaded[0].fingerprint, *(one.fingerprint for one in others)}) == 5
    assert all(len(one.fingerprint) == 16 for one in others)
