"""Usage as a function of the set of claims: equal to the union by the book, whatever the order they come in."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventdefs import Ledger, LedgerSettings, Period
from eventdefs.metering.claims import HOUR as HOUR_MICROS
from eventdefs.metering.claims import label_of, to_micros
from eventdefs.metering.hours import HourState, pack, unpack
from eventdefs.metering.ledger import Counts
from eventdefs.metering.memory import MemoryStore
from tests.property import examples
from tests.usage import HOUR, at, by_the_book, check_sums, claim, closures, facts, lines, recorded, states, witnesses_of

SPAN = 4 * HOUR
seconds = st.integers(0, SPAN // 50).map(lambda number: number * 50) | st.integers(0, SPAN)
statuses = st.sampled_from(["running"] * 6 + ["idle"] * 2)


@st.composite
def claims(draw: st.DrawFn) -> list[Period]:
    """Claims of two resources over some hours: some hours long, some minutes, some seconds; now and then a deletion."""
    made = []
    for number in range(draw(st.integers(1, 14))):
        end = draw(seconds)
        length = draw(st.sampled_from([0, 60, 600, HOUR, HOUR, HOUR, 2 * HOUR]) | st.integers(1, 3 * HOUR))
        made.append(
            claim(
                max(0, end - length),
                end,
                f"m-{number}",
                resource_id=draw(st.sampled_from(["db-1", "db-1", "db-2"])),
                flavor=draw(st.sampled_from("ab")),
                project_id=draw(st.sampled_from(["p-1", "p-1", "p-1", "p-2", None])),
                status=draw(statuses),
                sent=draw(st.sampled_from([end, end, end, end - 300])),
                created=draw(st.sampled_from([None, None, SPAN // 3])),
            )
        )
    if draw(st.booleans()):
        end = draw(seconds)
        made.append(claim(max(0, end - HOUR), end, "gone", status="ending"))
    return made


def ran_through(periods: list[Period], *, batch: int = 1000, settings: LedgerSettings | None = None) -> Ledger:
    ledger = Ledger(MemoryStore(), settings)
    for first in range(0, len(periods), batch):
        ledger.add(periods[first : first + batch])
    ledger.finish()
    return ledger


@examples(150)
@given(claims())
def test_hours_are_the_union(periods: list[Period]) -> None:
    """Each hour has, by project and dimension, the seconds that the claims cover, each second once."""
    assert lines(recorded(ran_through(periods))) == by_the_book(periods)


@examples(150)
@given(claims(), st.data())
def test_order_repetition_and_batches_change_nothing(periods: list[Period], data: Any) -> None:
    """Quantities, seconds, dimensions, digests and what is remembered are the same; deltas on the way sum to them."""
    straight = ran_through(periods)
    again = data.draw(st.permutations([*periods, *data.draw(st.lists(st.sampled_from(periods), max_size=6))]))
    lateness = data.draw(st.sampled_from([0, 60, HOUR]))
    settings = LedgerSettings(timedelta(seconds=lateness), timedelta(days=35))
    ledger = ran_through(again, batch=data.draw(st.integers(1, 6)), settings=settings)
    assert (facts(recorded(ledger)), states(ledger)) == (facts(recorded(straight)), states(straight))
    check_sums(recorded(ledger), closures(ledger))
    assert ledger.add(again)._replace(claims=0) == Counts()


@examples(150)
@given(claims(), st.integers(0, 14), st.booleans())
def test_finishing_in_between_changes_nothing(periods: list[Period], cut: int, reverse: bool) -> None:
    """A run that ended, and closed what was open, is continued by the next."""
    once = facts(recorded(ran_through(periods)))
    ledger = Ledger()
    for part in (periods[cut:], periods[:cut]) if reverse else (periods[:cut], periods[cut:]):
        ledger.add(part)
        ledger.finish()
    assert facts(recorded(ledger)) == once
    check_sums(recorded(ledger), closures(ledger))


@examples(150)
@given(claims())
def test_what_is_stored_is_what_was_there(periods: list[Period]) -> None:
    """An hour that was packed and unpacked is the same, and goes on the same."""
    begin = to_micros(at(HOUR))
    state = HourState(begin)
    labels: list[str] = []

    def number_of(text: str) -> int:
        if text not in labels:
            labels.append(text)
        return labels.index(text)

    for one in periods:
        label = label_of(one)
        state.add(to_micros(one.begin), to_micros(one.end), label, one.message_id)
        stored = unpack(begin, pack(state, number_of), lambda number: labels[number])
        assert (stored.segments, witnesses_of(stored)) == (state.segments, witnesses_of(state))
        state = stored


@examples(150)
@given(claims())
def test_segments_are_a_function(periods: list[Period]) -> None:
    """Segments are sorted, within the hour, do not overlap, and those of one claim that touch are one."""
    begin = to_micros(at(HOUR))
    state = HourState(begin)
    for one in periods:
        state.add(to_micros(one.begin), to_micros(one.end), label_of(one), one.message_id)
    found = state.segments
    assert all(begin <= one.start < one.stop <= begin + HOUR_MICROS and one.stop <= one.end for one in found)
    for before, after in pairwise(found):
        assert before.stop <= after.start
        assert before.stop < after.start or before[2:] != after[2:]
