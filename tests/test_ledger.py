"""The ledger: when hours are final, what is recorded of them, and that every store keeps it alike."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import (
    Gap,
    Ledger,
    LedgerError,
    LedgerSettings,
    Period,
    Refusal,
    RetryableDeliveryError,
    Usage,
    decode_notifications,
    load_definitions,
    open_ledger,
)
from eventdefs.metering.claims import HOUR as HOUR_MICROS
from eventdefs.metering.claims import to_micros
from eventdefs.metering.ledger import Counts
from eventdefs.metering.memory import MemoryStore
from eventdefs.metering.sql import SQLStore, _engine, _tables
from eventdefs.metering.store import Query
from tests.property import examples
from tests.property.test_usage import claims
from tests.usage import HOUR, at, by_the_book, check_sums, claim, closures, facts, holes, lines, recorded, states

TOP = Path(__file__).resolve().parent.parent
NOW = at(90 * 24 * HOUR)
DAY = 24 * HOUR


def clock() -> datetime:
    return NOW


class Place:
    """Where ledgers of one test are kept: `open` opens the same one again, as after a restart."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[Ledger] = []
        self._store: Any = MemoryStore() if url == "memory://" else None

    def open(self, settings: LedgerSettings | None = None, definitions: str = "d-1") -> Ledger:
        store = self._store or SQLStore(self.url)
        self._opened.append(Ledger(store, settings, definitions=definitions, clock=clock))
        return self._opened[-1]

    def close(self) -> None:
        for ledger in self._opened:
            ledger.close()


def emptied(url: str) -> str:
    """Remove what another test left in the database of *url*."""
    engine = _engine(url, create=True)
    _tables.drop_all(engine)
    engine.dispose()
    return url


@pytest.fixture(params=["memory", "sqlite", "postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "memory":
        url = "memory://"
    elif request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/ledger.db"
    else:
        url = emptied(request.getfixturevalue(request.param))
    place = Place(url)
    yield place
    place.close()


def notes(ledger: Ledger, kind: str) -> list[Any]:
    return list(ledger.store.records(Query((kind,))))


def summary(ledger: Ledger) -> list[tuple[int, int, str, str, str, str]]:
    """Return hour, revision, quantity, delta, closed_by and reason of all records."""
    return [
        (
            int((one.period_start - at(0)).total_seconds()) // HOUR,
            one.revision,
            one.quantity,
            one.delta,
            one.closed_by,
            one.reason,
        )
        for one in recorded(ledger)
    ]


def reach(ledger: Ledger, seconds: int) -> None:
    """Let the input come to that time: enough claims of something that is idle, so that nothing is recorded of it."""
    idle = [claim(seconds - 60, seconds, f"m-{number}", resource_id="idle", status="idle") for number in range(100)]
    ledger.add(idle)


# --- the life of an hour ---------------------------------------------------------------------------------------------


def test_coverage_closes_an_hour_at_once(place: Place) -> None:
    """As soon as claims cover all of it; not a claim earlier."""
    ledger = place.open()
    ledger.add([claim(0, 1800)])
    assert summary(ledger) == []
    ledger.add([claim(1500, HOUR)])
    assert summary(ledger) == [(0, 1, "1", "1", "coverage", "")]


def test_a_record_says_all(place: Place) -> None:
    """Every part of a usage record is what the reference says."""
    ledger = place.open(definitions="f-1")
    ledger.add([claim(0, 1800, "m-1"), claim(1200, HOUR, "m-2"), claim(600, 1800, "m-3")])
    (usage,) = recorded(ledger)
    assert usage.id == "940ee3ba-fe43-5919-9e6b-dff29b59b6a3"
    assert (usage.meter, usage.unit, usage.resource_id, usage.project_id) == ("database.uptime", "h", "db-1", "p-1")
    assert usage.dimensions == {"flavor": "small"}
    assert (usage.period_start, usage.period_end) == (at(0), at(HOUR))
    assert usage.timestamp == at(HOUR) - timedelta(milliseconds=1)
    assert (usage.quantity, usage.delta, usage.seconds) == ("1", "1", "3600")
    assert (usage.revision, usage.supersedes, usage.state) == (1, None, "final")
    assert (usage.closed_by, usage.reason, usage.recorded_at, usage.sequence) == ("coverage", "", NOW, 1)
    assert (usage.evidence.claims, usage.evidence.witnesses) == (2, ("m-1", "m-2"))
    assert (len(usage.evidence.digest), usage.evidence.definitions) == (32, "f-1")
    assert ledger.pending() == [usage]


def test_the_watermark_closes_an_hour_after_the_lateness(place: Place) -> None:
    """An hour with holes waits, by what the input says of the time and not by the clock."""
    ledger = place.open(LedgerSettings(lateness=timedelta(minutes=30)))
    ledger.add([claim(0, 1800)])
    reach(ledger, HOUR + 1799)
    assert summary(ledger) == []
    reach(ledger, HOUR + 1800)
    assert summary(ledger) == [(0, 1, "0.5", "0.5", "watermark", "")]


def test_clocks_ahead_close_nothing(place: Place) -> None:
    """Not even where every second claim is of a sender whose clock is months ahead, each alone in a batch."""
    ledger = place.open()
    for minute in range(60):
        ledger.add([claim(60 * minute, 60 * minute + 50)])
        ledger.add([claim(60 * DAY + 60 * minute, 60 * DAY + 60 * minute + 50, resource_id="db-2")])
    assert (summary(ledger), notes(ledger, "refusal")) == ([], [])


def test_deletion_closes_all_at_once(place: Place) -> None:
    """The hours before it with their holes, the last one up to the deletion; and nothing counts after that."""
    ledger = place.open()
    ledger.add([claim(0, 1800), claim(HOUR + 600, HOUR + 1200)])
    ledger.add([claim(HOUR + 1000, HOUR + 1500, status="ending"), claim(HOUR + 1000, HOUR + 3000)])
    assert summary(ledger) == [
        (0, 1, "0.5", "0.5", "deletion", ""),
        (1, 1, "0.25", "0.25", "deletion", ""),
    ]
    ledger.add([claim(2 * HOUR, 3 * HOUR)])
    ledger.finish()
    assert lines(recorded(ledger)) == by_the_book([claim(0, 1800), claim(HOUR + 600, HOUR + 1500)])


def test_an_earlier_deletion_corrects(place: Place) -> None:
    """What was counted beyond it is taken back."""
    ledger = place.open()
    ledger.add([claim(0, HOUR), claim(HOUR, 2 * HOUR)])
    ledger.add([claim(1800, 1800, status="ending")])
    assert summary(ledger)[2:] == [
        (0, 2, "0.5", "-0.5", "coverage", "deletion"),
        (1, 2, "0", "-1", "coverage", "deletion"),
    ]
    assert recorded(ledger)[3].evidence.witnesses == ()


@pytest.mark.parametrize("status", ["running", "idle"])
def test_the_end_counts_as_what_was_before_it(place: Place, status: str) -> None:
    """The state of a deletion says nothing of the time since the last claim, over the border of an hour too."""
    ledger = place.open()
    periods = [claim(1800, HOUR - 60, status=status), claim(1000, HOUR + 600, status="ending")]
    for one in periods:
        ledger.add([one])
    assert lines(recorded(ledger)) == by_the_book(periods)
    assert (at(HOUR) in {one.period_start for one in recorded(ledger)}) == (status == "running")


def test_late_claims_correct(place: Place) -> None:
    """A revision has the absolute and what it adds, names the one before, and says why."""
    ledger = place.open()
    ledger.add([claim(0, 1800)])
    ledger.finish()
    ledger.add([claim(1800, 2700)])
    first, second = recorded(ledger)
    assert summary(ledger) == [
        (0, 1, "0.5", "0.5", "end_of_input", ""),
        (0, 2, "0.75", "0.25", "end_of_input", "late"),
    ]
    assert (second.supersedes, second.state, second.sequence > first.sequence) == (first.id, "corrected", True)


def test_a_resize_splits_an_hour(place: Place) -> None:
    """A claim that reaches back over it does not repaint what was before."""
    ledger = place.open()
    minutes = [claim(60 * n - HOUR, 60 * n, flavor="small" if n <= 90 else "large") for n in range(60, 150)]
    ledger.add(minutes)
    ledger.finish()
    assert {(line.hour, line.flavor, line.seconds) for line in lines(recorded(ledger))} == {
        (0, "small", Decimal(3600)),
        (1, "small", Decimal(1800)),
        (1, "large", Decimal(1800)),
        (2, "large", Decimal(29 * 60)),
    }


def test_quantities_are_rounded_once() -> None:
    """To nine digits, half to even; the deltas of revisions still sum to the quantity."""
    ledger = Ledger(clock=clock)
    for end in (1, 2, 3, 7, 1000):
        ledger.add([claim(0, end)])
        ledger.finish()
    usage = recorded(ledger)
    assert [one.quantity for one in usage] == [
        "0.000277778",
        "0.000555556",
        "0.000833333",
        "0.001944444",
        "0.277777778",
    ]
    check_sums(usage, closures(ledger))


def test_units() -> None:
    """Usage of a unit is in it, and exact in seconds; a unit that is none of time is refused."""
    for unit, quantity in (("s", "5400"), ("min", "90"), ("h", "1.5"), ("d", "0.0625")):
        ledger = Ledger(clock=clock)
        ledger.add([_with_unit(unit)])
        ledger.finish()
        total = sum(Decimal(one.quantity) for one in recorded(ledger))
        assert (total, sum(Decimal(one.seconds) for one in recorded(ledger))) == (Decimal(quantity), 5400)
    with pytest.raises(LedgerError, match=r"the unit 'GiB' is none of time, expected s, min, h, d"):
        Ledger().add([_with_unit("GiB")])


def _with_unit(unit: str) -> Period:
    values = {name: getattr(claim(0, 5400), name) for name in Period.__struct_fields__}
    return Period(**{**values, "unit": unit})


# --- gaps, refusals, closures ----------------------------------------------------------------------------------------


def test_a_hole_is_a_gap(place: Place) -> None:
    """Between claims, within an hour and over many; recorded when its hours are final, and when it is filled."""
    ledger = place.open()
    ledger.add([claim(0, 600), claim(1200, 1800)])
    ledger.add([claim(50 * HOUR, 50 * HOUR + 600)])
    ledger.finish()
    assert [(gap.begin, gap.end, gap.state) for gap in notes(ledger, "gap")] == [
        (at(600), at(1200), "open"),
        (at(1800), at(50 * HOUR), "open"),
    ]
    ledger.add([claim(600, 900), claim(1800, 50 * HOUR)])
    found = [(gap.begin, gap.end, gap.state) for gap in notes(ledger, "gap")][2:]
    assert sorted(found) == [
        (at(600), at(1200), "filled"),
        (at(900), at(1200), "open"),
        (at(1800), at(50 * HOUR), "filled"),
    ]
    assert all(isinstance(gap, Gap) for gap in notes(ledger, "gap"))


def test_a_hole_before_the_deletion_is_a_gap(place: Place) -> None:
    """Up to the deletion: that it was there until then is known, and not what it did."""
    ledger = place.open()
    ledger.add([claim(0, 1200), claim(2400, 3600)])
    ledger.finish()
    ledger.add([claim(1800, 1800, status="ending")])
    assert [(gap.begin, gap.end, gap.state) for gap in notes(ledger, "gap")] == [
        (at(1200), at(2400), "open"),
        (at(1200), at(2400), "filled"),
        (at(1200), at(1800), "open"),
    ]
    ledger.add([claim(0, 600, resource_id="db-2"), claim(5 * HOUR, 5 * HOUR, resource_id="db-2", status="ending")])
    ledger.finish()
    assert [(gap.begin, gap.end) for gap in notes(ledger, "gap") if gap.resource_id == "db-2"] == [
        (at(600), at(5 * HOUR))
    ]


@examples(100)
@given(claims(), st.integers(1, 5))
def test_gaps_are_the_holes_of_the_union(periods: list[Period], size: int) -> None:
    """In the end, those that are open are what nobody claimed between the first claim and the last, or the deletion."""
    ledger = Ledger(clock=clock)
    for first in range(0, len(periods), size):
        ledger.add(periods[first : first + size])
    ledger.finish()
    last = {(gap.resource_id, gap.begin, gap.end): gap.state for gap in notes(ledger, "gap")}
    assert {key for key, state in last.items() if state == "open"} == holes(periods)


def test_claims_of_months(place: Place) -> None:
    """Nova may claim a month at once, at the end of an instance too: each hour is counted, and in little time."""
    ledger = place.open(LedgerSettings(keep_open=timedelta(days=60)))
    month = claim(0, 31 * DAY, "gone", status="ending")
    ledger.add([claim(0, 1800, status="idle"), month, claim(0, 31 * DAY, resource_id="db-2")])
    ledger.finish()
    assert {line.resource_id for line in lines(recorded(ledger))} == {"db-2"}
    assert len(lines(recorded(ledger))) == 744
    many = [claim(0, 31 * DAY, f"m-{number}", resource_id=f"many-{number}") for number in range(40)]
    assert ledger.add(many).usage == 40 * 744


def test_the_end_of_time(place: Place) -> None:
    """A claim of the last moment that there is, is refused like any other of the future."""
    ledger = place.open()
    end = datetime.max.replace(tzinfo=UTC)
    values = {name: getattr(claim(0, 60), name) for name in Period.__struct_fields__}
    bad = Period(**{**values, "begin": end - timedelta(hours=1), "end": end, "timestamp": end})
    assert ledger.add([bad, claim(0, 60)])[:3] == (1, 0, 1)
    assert [one.end for one in notes(ledger, "refusal")] == [end]


def test_what_is_too_late_is_recorded(place: Place) -> None:
    """With the part that was refused; the rest is counted. Each once, however often it comes."""
    settings = LedgerSettings(keep_open=timedelta(hours=10))
    ledger = place.open(settings)
    ledger.add([claim(20 * HOUR, 21 * HOUR)])
    late = [claim(0, HOUR, "old"), claim(10 * HOUR, 12 * HOUR, "partly", resource_id="db-2")]
    assert ledger.add(late)[:3] == (1, 2, 0)
    ledger.add(late)
    assert [(one.message_id, one.begin, one.end, one.reason) for one in notes(ledger, "refusal")] == [
        ("old", at(0), at(HOUR), "too_late"),
        ("partly", at(10 * HOUR), at(11 * HOUR), "too_late"),
    ]
    assert {(line.resource_id, line.hour) for line in lines(recorded(ledger))} == {("db-1", 20), ("db-2", 11)}
    assert all(isinstance(one, Refusal) for one in notes(ledger, "refusal"))


def test_what_is_dated_in_the_future_is_recorded(place: Place) -> None:
    """More than a day ahead of the clock it is not counted, and cannot make everything else too late."""
    ledger = place.open()
    ahead = (NOW - at(0)).total_seconds() + DAY
    assert ledger.add([claim(ahead - HOUR, ahead + 60, "bad"), claim(ahead - 2 * HOUR, ahead - HOUR, "ok")])[:3] == (
        1,
        0,
        1,
    )
    assert [(one.message_id, one.reason) for one in notes(ledger, "refusal")] == [("bad", "future")]
    assert ledger.add([claim(ahead - DAY - HOUR, ahead - DAY, "now")])[:3] == (1, 0, 0)


def test_closures_say_what_there_is(place: Place) -> None:
    """When the watermark has passed an hour, and again after corrections, a consumer can prove that it has all."""
    ledger = place.open()
    ledger.add([claim(0, 1800, resource_id=f"db-{number}") for number in range(5)])
    reach(ledger, 5 * HOUR)
    (closure,) = [one for one in closures(ledger) if one.period_start == at(0)]
    assert (closure.revision, closure.count, closure.quantity) == (1, 5, "2.5")
    ledger.add([claim(1800, 2700, resource_id="db-3")])
    first, second = [one for one in closures(ledger) if one.period_start == at(0)]
    assert (second.revision, second.count, second.quantity) == (2, 6, "2.75")
    assert first.id != second.id
    ledger.finish()
    check_sums(recorded(ledger), closures(ledger))


def test_as_of_is_stable(place: Place) -> None:
    """What was recorded up to a moment is the same for ever, though the clock stands still."""
    ledger = place.open()
    ledger.add([claim(0, 1800)])
    ledger.finish()
    sequence = ledger.store.sequence_at(NOW)
    before = list(ledger.store.records(Query(through=sequence)))
    ledger.add([claim(1800, 2700)])
    assert ledger.store.sequence_at(NOW) == sequence
    assert list(ledger.store.records(Query(through=sequence))) == before
    assert len(recorded(ledger)) == 2


# --- months ----------------------------------------------------------------------------------------------------------


def test_corrections_of_a_closed_month_are_held(place: Place) -> None:
    """They are recorded when they are approved, and say so; other months go on."""
    ledger = place.open(LedgerSettings(keep_open=timedelta(days=60)))
    ledger.add([claim(HOUR, HOUR + 1800), claim(32 * DAY, 32 * DAY + HOUR)])
    with pytest.raises(LedgerError, match="2026-08 has hours that are open"):
        ledger.close_month("2026-08")
    ledger.add([claim(33 * DAY, 33 * DAY + HOUR, f"m-{number}") for number in range(3)])
    ledger.close_month("2026-08")
    ledger.close_month("2026-08")
    count = len(recorded(ledger))
    assert ledger.add([claim(HOUR + 1800, 2 * HOUR), claim(2 * HOUR, 3 * HOUR, resource_id="db-9")]).usage == 0
    ledger.finish()
    assert len(recorded(ledger)) == count
    assert ledger.approve("2026-07").usage == 0
    assert ledger.approve("2026-08").usage == 2
    assert [(one.resource_id, one.quantity, one.reason) for one in recorded(ledger)[count:]] == [
        ("db-1", "1", "approved"),
        ("db-9", "1", "approved"),
    ]
    assert ledger.approve("2026-08") == Counts()
    ledger.add([claim(32 * DAY + HOUR, 32 * DAY + 2 * HOUR)])
    assert recorded(ledger)[-1].period_start == at(32 * DAY + HOUR)
    check_sums(recorded(ledger), closures(ledger))


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-8-1", "August"])
def test_what_is_no_month(month: str) -> None:
    """It is said, with an example."""
    with pytest.raises(LedgerError, match="is no month, as 2026-08 is"):
        Ledger().close_month(month)


# --- taking over -----------------------------------------------------------------------------------------------------


def test_a_shadow_is_taken_over(place: Place) -> None:
    """Hours in the span become what it says, with the reason; others stay; later claims go on from there."""
    ledger = place.open()
    ledger.add([claim(0, 2 * HOUR), claim(0, 2 * HOUR, resource_id="gone")])
    ledger.finish()
    shadow = Ledger(clock=clock)
    theirs = [claim(0, 1800, flavor="other"), claim(1800, HOUR), claim(0, HOUR, resource_id="new")]
    shadow.add(theirs)
    shadow.finish()
    ledger.replace(shadow.store, at(0), at(HOUR), "d-2")
    expected = by_the_book([*theirs, claim(HOUR, 2 * HOUR), claim(HOUR, 2 * HOUR, resource_id="gone")])
    assert lines(recorded(ledger)) == expected
    changed = [one for one in recorded(ledger) if one.reason]
    assert {(one.reason, one.evidence.definitions) for one in changed} == {("definitions", "d-2")}
    ledger = place.open()
    ledger.add([claim(1000, 2000, flavor="small")])
    assert lines(recorded(ledger)) == by_the_book(
        [*theirs, claim(HOUR, 2 * HOUR), claim(HOUR, 2 * HOUR, resource_id="gone"), claim(1000, 2000)]
    )
    check_sums(recorded(ledger), closures(ledger))


def test_a_deletion_is_taken_over_where_it_lies_in_the_span(place: Place) -> None:
    """And then for all hours after it; one that lies outside of the span is not."""
    ledger = place.open()
    ledger.add([claim(0, 10 * HOUR)])
    ledger.finish()
    before = lines(recorded(ledger))
    shadow = Ledger(clock=clock)
    shadow.add([claim(0, 4 * HOUR, status="ending")])
    shadow.finish()
    ledger.replace(shadow.store, at(0), at(2 * HOUR), "d-2")
    ledger.add([claim(9 * HOUR, 9 * HOUR + 60, "late")])
    assert lines(recorded(ledger)) == before
    ledger.replace(shadow.store, at(2 * HOUR), at(6 * HOUR), "d-2")
    assert {line.hour for line in lines(recorded(ledger))} == {0, 1, 2, 3}
    check_sums(recorded(ledger), closures(ledger))


def test_a_gap_may_open_again(place: Place) -> None:
    """Where other definitions no longer claim what filled it; its last record says so."""
    ledger = place.open()
    ledger.add([claim(0, 600), claim(1200, HOUR)])
    ledger.finish()
    ledger.add([claim(600, 1200)])
    shadow = Ledger(clock=clock)
    shadow.add([claim(0, 600), claim(1200, HOUR)])
    shadow.finish()
    ledger.replace(shadow.store, at(0), at(HOUR), "d-2")
    assert [gap.state for gap in notes(ledger, "gap")] == ["open", "filled", "open"]


def test_one_unit_for_a_meter(place: Place) -> None:
    """A unit that changed under a ledger is an error, and nothing is counted in two."""
    ledger = place.open()
    ledger.add([_with_unit("h")])
    with pytest.raises(LedgerError, match=r"the ledger counts database\.uptime in h, and a definition says min"):
        ledger.add([_with_unit("min")])


# --- a day, and any set of claims ------------------------------------------------------------------------------------


def trove_day() -> Any:
    spec = importlib.util.spec_from_file_location("trove_day", TOP / "docs" / "examples" / "trove_day.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def claims_of_the_day() -> list[Period]:
    definitions = load_definitions()
    return [
        period
        for message in trove_day().day()
        for notification in decode_notifications(json.dumps(message))
        for period in definitions.convert(notification).periods  # type: ignore[arg-type]
    ]


def test_a_day_of_trove_is_what_a_person_would_bill(place: Place) -> None:
    """Two taskmanagers, repetition, disorder, a wrong zone and a wrong clock; each change is right to the minute."""
    periods = claims_of_the_day()
    ledger = place.open()
    for batch in (periods[first : first + 100] for first in range(0, len(periods), 100)):
        ledger.add(batch)
        if place.url != "memory://":
            ledger.close()
            ledger = place.open()
    ledger.finish()
    module = trove_day()
    sums = {module.SMALL: Decimal(), module.MEDIUM: Decimal()}
    for line in lines_by(recorded(ledger)):
        sums[line[0]] += line[1]
    small = (module.at("09:30:00") - module.at("00:25:00")).total_seconds()
    medium = (module.at("13:10:00") - module.at("09:30:00")).total_seconds()
    medium += (module.at("20:15:30") - module.at("14:40:00")).total_seconds()
    gaps = [(gap.begin, gap.end) for gap in notes(ledger, "gap") if gap.state == "open"]
    hole = sum((end - begin).total_seconds() for begin, end in gaps)
    assert hole == 60  # when the wrong clock was set; it is said, and not filled
    assert abs(float(sums[module.SMALL]) - (small - hole)) <= 60
    assert abs(float(sums[module.MEDIUM]) - medium) <= 120
    naive = sum((period.end - period.begin).total_seconds() for period in periods)
    assert naive / float(sum(sums.values())) > 100
    check_sums(recorded(ledger), closures(ledger))


def lines_by(usage: list[Usage]) -> Iterator[tuple[str, Decimal]]:
    last = {(one.period_start, str(one.dimensions)): one for one in usage}
    return ((one.dimensions["flavor"], Decimal(one.seconds)) for one in last.values())


def test_stores_agree(place: Place) -> None:
    """In any order and with restarts between, every store comes to what the one in memory does in one go."""
    numbers = random.Random(7)
    periods = [
        claim(
            max(0, end - length),
            end,
            f"{number:08x}-0000-4000-8000-000000000000",
            resource_id=f"db-{numbers.randrange(6)}",
            flavor=numbers.choice("ab"),
            project_id=numbers.choice(["p-1", "p-1", "p-2", None]),
            status=numbers.choice(
                ["running"] * 8 + ["idle", "ending"] if number % 50 == 0 else ["running"] * 8 + ["idle"]
            ),
        )
        for number in range(600)
        for end, length in [(numbers.randrange(30 * HOUR), numbers.choice([600, HOUR, 2 * HOUR]))]
    ]
    straight = Ledger(clock=clock)
    straight.add(periods)
    straight.finish()
    numbers.shuffle(periods)
    ledger = place.open()
    for first in range(0, len(periods), 37):
        ledger.add(periods[first : first + 50])
        if numbers.random() < 0.3:
            ledger.finish()
        if numbers.random() < 0.3 and place.url != "memory://":
            ledger.close()
            ledger = place.open()
    ledger.finish()
    assert lines(recorded(ledger)) == by_the_book(periods)
    assert facts(recorded(ledger)) == facts(recorded(straight))
    assert states(ledger) == states(straight)
    check_sums(recorded(ledger), closures(ledger))
    assert len(list(ledger.store.records(Query(("usage", "gap", "refusal", "closure"))))) == len(pending(ledger))


def pending(ledger: Ledger) -> list[Any]:
    """Return all that waits, confirming it on the way."""
    found: list[Any] = []
    while records := ledger.pending(100):
        found += records
        ledger.confirm(records)
    assert [one.sequence for one in found] == sorted({one.sequence for one in found})
    return found


_numbers = itertools.count()


@examples(40)
@given(claims(), st.data())
def test_restarts_change_nothing(tmp_path_factory: pytest.TempPathFactory, periods: list[Period], data: Any) -> None:
    """A ledger in a file that is opened anew between batches, in any order, comes to the same."""
    straight = Ledger(clock=clock)
    straight.add(periods)
    straight.finish()
    url = f"sqlite:///{tmp_path_factory.getbasetemp()}/restarts-{next(_numbers)}.db"
    again = data.draw(st.permutations([*periods, *data.draw(st.lists(st.sampled_from(periods), max_size=4))]))
    size = data.draw(st.integers(1, 6))
    for first in range(0, len(again), size):
        ledger = Place(url).open()
        ledger.add(again[first : first + size])
        if data.draw(st.booleans()):
            ledger.finish()
        ledger.close()
    ledger = Place(url).open()
    ledger.finish()
    assert (facts(recorded(ledger)), states(ledger)) == (facts(recorded(straight)), states(straight))
    check_sums(recorded(ledger), closures(ledger))
    ledger.close()


# --- state -----------------------------------------------------------------------------------------------------------


def test_state_is_flat(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours older than `keep_open` are forgotten, and resources that ended long ago."""
    monkeypatch.setattr("eventdefs.metering.ledger.RESOURCE_KEPT", 24 * HOUR_MICROS)
    settings = LedgerSettings(keep_open=timedelta(days=2))
    ledger = place.open(settings)
    kept = []
    for day in range(9):
        ledger.add([claim(day * DAY + n * 600, day * DAY + n * 600 + HOUR) for n in range(144)])
        ledger.add([claim(day * DAY, day * DAY + 60, resource_id=f"short-{day}", status="ending")])
        kept.append((len(states(ledger)), len(list(ledger.store.all_resources()))))
    assert kept[4:] == [kept[4]] * 5
    assert kept[4][0] <= 3 * 24 + 4
    assert ledger.store.progress().purged > 0


SHORT = LedgerSettings(keep_open=timedelta(hours=10))


def test_what_is_forgotten_still_decides(place: Place) -> None:
    """Whether the hour before counted is remembered when it is forgotten: the end of a resource depends on it."""
    ledger = place.open(SHORT)
    periods = [claim(0, HOUR, status="idle"), claim(HOUR, 2 * HOUR, status="ending")]
    ledger.add(periods)
    ledger.finish()
    reach(ledger, 11 * HOUR + 60)
    assert ledger.store.progress().purged == to_micros(at(HOUR))
    late = claim(HOUR + 600, HOUR + 1200)
    ledger.add([late])
    assert lines(recorded(ledger)) == by_the_book([*periods, late])


def test_a_held_hour_that_is_old_makes_no_gap(place: Place) -> None:
    """What was forgotten after it was covered, and stays so."""
    ledger = place.open(LedgerSettings(keep_open=timedelta(days=3)))
    for day in range(33):
        ledger.add([claim(day * DAY + hour * HOUR, day * DAY + (hour + 1) * HOUR) for hour in range(24)])
    reach(ledger, 33 * DAY)
    ledger.close_month("2026-08")
    ledger.add([claim(30 * DAY, 30 * DAY + 60, flavor="other")])
    for day in range(33, 40):
        ledger.add([claim(day * DAY + hour * HOUR, day * DAY + (hour + 1) * HOUR) for hour in range(24)])
        reach(ledger, (day + 1) * DAY)
    ledger.finish()
    assert [gap for gap in notes(ledger, "gap") if gap.resource_id == "db-1"] == []
    assert ledger.approve("2026-08").usage > 0


def test_a_hole_longer_than_hours_are_kept(place: Place) -> None:
    """It is a gap, and a deletion is one still."""
    ledger = place.open(SHORT)
    ledger.add([claim(0, HOUR), claim(0, HOUR, resource_id="db-2", status="ending")])
    for day in range(1, 4):
        reach(ledger, day * DAY)
    ledger.add([claim(3 * DAY, 3 * DAY + HOUR), claim(3 * DAY, 3 * DAY + HOUR, resource_id="db-2")])
    ledger.finish()
    assert [(gap.resource_id, gap.begin, gap.end) for gap in notes(ledger, "gap") if gap.resource_id != "idle"] == [
        ("db-1", at(HOUR), at(3 * DAY))
    ]
    assert {(line.resource_id, line.hour) for line in lines(recorded(ledger))} == {
        ("db-1", 0),
        ("db-2", 0),
        ("db-1", 72),
    }


def test_a_deletion_that_comes_first_is_kept(place: Place) -> None:
    """At the border of an hour, where it covers nothing, and before other claims; and too late for its own hours."""
    ledger = place.open(SHORT)
    ledger.add([claim(15 * HOUR, 15 * HOUR, status="ending")])
    reach(ledger, 24 * HOUR)
    ledger.add([claim(14 * HOUR, 15 * HOUR), claim(15 * HOUR, 16 * HOUR)])
    assert {line.hour for line in lines(recorded(ledger))} == {14}
    ledger.add([claim(16 * HOUR, 20 * HOUR, resource_id="db-2")])
    assert ledger.add([claim(10 * HOUR, 12 * HOUR, resource_id="db-2", status="ending")])[:2] == (1, 1)
    assert {line.hour for line in lines(recorded(ledger)) if line.resource_id == "db-2"} == set()


def test_settings_that_forget_too_early() -> None:
    """Hours must be final before they are forgotten."""
    with pytest.raises(LedgerError, match="keep_open is shorter than lateness"):
        Ledger(settings=LedgerSettings(timedelta(hours=2), timedelta(hours=1)))


# --- several at once, and crashes ------------------------------------------------------------------------------------

WORKER = """
    import sys
    from tests.test_ledger import Place, busy_claims
    url, worker, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    periods = busy_claims()
    ledger = Place(url).open()
    mine = [one for number, one in enumerate(periods) if number % workers == worker or number % 10 == 0]
    for first in range(0, len(mine), 40):
        ledger.add(mine[first : first + 40])
    ledger.close()
"""


def busy_claims() -> list[Period]:
    """Return claims of a few resources that everybody wants to work on."""
    numbers = random.Random(3)
    periods = [
        claim(
            max(0, end - HOUR),
            end,
            f"{number:08x}-0000-4000-8000-000000000000",
            resource_id=f"db-{number % 7}",
            flavor=numbers.choice("ab"),
        )
        for number in range(1500)
        for end in [60 + number * 30]
    ]
    numbers.shuffle(periods)
    return periods


def python(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), *arguments], cwd=TOP)


def test_several_processes_on_one_ledger(place: Place) -> None:
    """They share resources and repeat each other's claims; what comes out is what one alone would come to."""
    if place.url == "memory://":
        pytest.skip("a ledger in memory belongs to one process")
    workers = [python(WORKER, place.url, str(number), "4") for number in range(4)]
    assert [worker.wait(120) for worker in workers] == [0, 0, 0, 0]
    ledger = place.open()
    ledger.finish()
    straight = Ledger(clock=clock)
    straight.add(busy_claims())
    straight.finish()
    assert facts(recorded(ledger)) == facts(recorded(straight))
    assert states(ledger) == states(straight)
    check_sums(recorded(ledger), closures(ledger))
    assert len({one.id for one in pending(ledger)}) == len(
        list(ledger.store.records(Query(("usage", "gap", "closure"))))
    )


def test_several_threads_on_one_ledger(place: Place) -> None:
    """The same of threads."""
    ledger, periods = place.open(), busy_claims()[:600]
    parts = [periods[number::3] for number in range(3)]

    def work(part: list[Period]) -> None:
        for first in range(0, len(part), 25):
            ledger.add(part[first : first + 25])

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.finish()
    straight = Ledger(clock=clock)
    straight.add(periods)
    straight.finish()
    assert (facts(recorded(ledger)), states(ledger)) == (facts(recorded(straight)), states(straight))


KILLS = int(os.environ.get("EVENTDEFS_KILLS", "200"))


def test_killed_at_random_points(tmp_path: Path) -> None:
    """A process that is killed 200 times, wherever it is, ends with every record in its place once."""
    url, target = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "published"
    periods = busy_claims()
    numbers = random.Random(1)
    Place(url).open().close()
    killed = runs = 0
    while killed < KILLS:
        runs += 1
        assert runs < 20 * KILLS
        child = os.fork()
        if child == 0:
            _count_and_publish(url, target, periods)
        timer = threading.Timer(numbers.uniform(0.005, 0.12), _kill, [child])
        timer.start()
        _, status = os.waitpid(child, 0)
        timer.cancel()
        if os.WIFSIGNALED(status):
            killed += 1
        else:
            assert status == 0
            break
    child = os.fork()
    if child == 0:
        _count_and_publish(url, target, periods)
    assert os.waitpid(child, 0)[1] == 0
    ledger = Place(url).open()
    straight = Ledger(clock=clock)
    straight.add(periods)
    straight.finish()
    assert facts(recorded(ledger)) == facts(recorded(straight))
    check_sums(recorded(ledger), closures(ledger))
    published = [line.split(" ")[0] for line in target.read_text().splitlines() if line.endswith(".")]
    everything = [one.id for one in ledger.store.records(Query(("usage", "gap", "refusal", "closure")))]
    assert len(set(everything)) == len(everything)
    assert set(published) == set(everything)
    assert ledger.pending() == []


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _count_and_publish(url: str, target: Path, periods: list[Period]) -> None:
    """Do what a run does, from the beginning, in a process of its own that does not come back."""
    status = 1
    try:
        ledger = Place(url).open()
        with target.open("a") as file:
            for first in range(0, len(periods) + 50, 50):
                ledger.add(periods[first : first + 50])
                if first >= len(periods):
                    ledger.finish()
                while records := ledger.pending():
                    file.writelines(f"{one.id} .\n" for one in records)
                    file.flush()
                    ledger.confirm(records)
        status = 0
    finally:
        os._exit(status)


# --- what cannot be used ---------------------------------------------------------------------------------------------

BAD_URLS = {
    "no scheme": ("ledger.db", "names no ledger, as sqlite:///ledger.db does"),
    "unknown": ("kafka://host/topic", "names no ledger, known are sqlite, postgresql, mysql and memory"),
    "no file": ("sqlite://", "names no file"),
    "in memory": ("sqlite:///:memory:", "names no file"),
    "no folder": ("sqlite:////nowhere/at/all.db", "unable to open database file"),
    "nobody answers": ("postgresql://user:secret@127.0.0.1:1/x", "cannot be used"),
    "nobody answers either": ("mysql://user:secret@127.0.0.1:1/x", "cannot be used"),
}


@pytest.mark.parametrize(("url", "reason"), BAD_URLS.values(), ids=BAD_URLS)
def test_urls_that_name_no_ledger(url: str, reason: str) -> None:
    """It is said what is wrong, and no password."""
    with pytest.raises(Exception, match=reason) as raised:
        open_ledger(url)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is said, and the file stays as it is."""
    path = tmp_path / "ledger.db"
    path.write_text("not a database at all, but some text that is long enough to look like one" * 20)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="file is not a database"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_ledger_of_a_later_release(place: Place) -> None:
    """It is not touched."""
    if place.url == "memory://":
        pytest.skip("a ledger in memory has no release")
    ledger = place.open()
    assert isinstance(ledger.store, SQLStore)
    with ledger.store._begin() as connection:
        connection.execute(sa.text("UPDATE ledger_progress SET version = 99"))
    ledger.close()
    with pytest.raises(LedgerError, match="has schema 99, this release writes 1"):
        place.open()


def test_a_database_that_goes_away(tmp_path: Path) -> None:
    """Adding says that it may work later, and nothing was done."""
    ledger = Place(f"sqlite:///{tmp_path}/ledger.db").open()
    ledger.add([claim(0, 1800)])
    assert isinstance(ledger.store, SQLStore)
    with ledger.store._begin() as connection:
        connection.execute(sa.text("ALTER TABLE ledger_hours RENAME TO elsewhere"))
    with pytest.raises(RetryableDeliveryError, match="no such table"):
        ledger.add([claim(1800, HOUR)])
    with ledger.store._begin() as connection:
        connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO ledger_hours"))
    ledger.add([claim(1800, HOUR)])
    assert summary(ledger) == [(0, 1, "1", "1", "coverage", "")]


ODD = {
    "empty": "",
    "long": "x" * 10_000,
    "nul": "a\0b",
    "surrogate": "\ud800",
    "quotes": "'; DROP TABLE ledger_hours; --",
    "unicode": "données\u2028🙂",
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_names(place: Place, text: str) -> None:
    """Whatever others call their things is kept as it is."""
    ledger = place.open()
    ledger.add([claim(0, HOUR, text or "m", resource_id=text, flavor=text, project_id=text, meter=text)])
    (usage,) = recorded(place.open() if place.url != "memory://" else ledger)
    found = (usage.meter, usage.resource_id, usage.project_id, usage.dimensions)
    kept = text.encode("utf-8", "backslashreplace").decode()  # half a character has no place in JSON
    assert found == (kept, kept, kept, {"flavor": kept})
