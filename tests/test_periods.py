"""Periods: claims that something ran, and what is a problem instead of a claim."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from eventdefs import Conversion, Period, Place, Problem, parse_definitions
from tests.making import SENT, notification

FILE = "meters.yaml"
TIMES = {"begin": "2026-08-01 00:00:00", "end": "2026-08-01 01:00:00"}
PAYLOAD = {"id": "db-1", "tenant_id": "p-1", "user_id": "u-1", "state": "active", "flavor": "7", **TIMES}
BEGIN, END = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 8, 1, 1, tzinfo=UTC)


def convert(payload: Any, period: str = "", dimensions: str = "{}", **keys: Any) -> Conversion:
    text = f"""\
metric:
  - name: database.uptime
    event_type: trove
    type: delta
    unit: h
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    user_id: $.payload.user_id
    period: {{begin: $.payload.begin, end: $.payload.end{period}}}
    dimensions: {dimensions}
"""
    message = notification(payload, event_type="trove.instance.exists", **keys)
    return parse_definitions(text, file=FILE).convert(message)


def claims(conversion: Conversion) -> list[tuple[datetime, datetime]]:
    return [(period.begin, period.end) for period in conversion.periods]


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


@pytest.mark.parametrize(("conditions", "payload", "claimed"), WHILE.values(), ids=WHILE)
def test_while(conditions: str, payload: dict[str, Any], claimed: bool) -> None:
    """A claim counts only while each condition holds; that one does not is no problem."""
    conversion = convert({**PAYLOAD, **payload}, f", while: {conditions}")
    assert (claims(conversion), conversion.problems) == ([(BEGIN, END)] if claimed else [], ())


NOT_BEFORE = {
    "a time": ("2026-08-01T00:30:00Z", datetime(2026, 8, 1, 0, 30, tzinfo=UTC)),
    "before the claim": ("2025-01-01", datetime(2025, 1, 1, tzinfo=UTC)),
    "none": (None, None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("value", "expected"), NOT_BEFORE.values(), ids=NOT_BEFORE)
def test_not_before(value: str | None, expected: datetime | None) -> None:
    """The bound is kept beside the claim, which is not cut by it."""
    conversion = convert({**PAYLOAD, "created_at": value}, ", not_before: $.payload.created_at")
    assert [(period.begin, period.end, period.not_before) for period in conversion.periods] == [(BEGIN, END, expected)]


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
    "no resource": ({"id": None}, ("resource_id", "$.payload.id", "", "no value")),
    "an empty resource": ({"id": ""}, ("resource_id", "$.payload.id", "", "no value")),
}


@pytest.mark.parametrize(("payload", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems(payload: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    """What cannot be a claim is a problem and is never mended by a guess; the event is made."""
    conversion = convert({**PAYLOAD, **payload}, ", not_before: $.payload.created_at")
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
