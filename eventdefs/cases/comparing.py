"""What a case expects against what definitions gave: the differences. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from eventdefs.cases.reading import LISTS, NAMED, Expected
from eventdefs.cases.values import same
from eventdefs.types import Conversion


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()
"""What is expected of something that must not be there, and what was got where nothing is."""


class Difference(NamedTuple):
    """One thing that is not as expected.

    Attributes:
        part: `event`, `traits`, `samples`, `periods` or `problems`.
        row: the name of the sample, period or problem, '' for what there is only one of.
        key: the trait, or the attribute; '' for the whole.
        expected, got: the values; `ABSENT` for none.
        number: counts the rows of a part that differ, so that those of one name are told apart.
    """

    part: str
    row: str
    key: str
    expected: Any
    got: Any
    number: int = 0


def compare(expected: Expected, conversion: Conversion) -> tuple[Difference, ...]:
    """Return the differences, in the order in which a case is written; () for none."""
    return (*_event(expected, conversion), *_traits(expected, conversion), *_all_rows(expected, conversion))


def _event(expected: Expected, conversion: Conversion) -> list[Difference]:
    event = conversion.event
    if expected.rejected and not conversion.rejected:
        return [Difference("event", "", "", "rejected", "no event" if event is None else event.event_type)]
    if expected.no_event or expected.rejected:
        return [] if event is None else [Difference("event", "", "", ABSENT, event.event_type)]
    wanted = expected.event is not None or expected.missing or "traits" in expected.exactly
    if event is None:
        got = "rejected" if conversion.rejected else ABSENT
        return [Difference("event", "", "", "an event", got)] if wanted else []
    return [
        Difference("event", "", key, value, getattr(event, key))
        for key, value in (expected.event or {}).items()
        if not same(value, getattr(event, key))
    ]


def _traits(expected: Expected, conversion: Conversion) -> list[Difference]:
    if conversion.event is None:
        return []
    traits = conversion.event.traits
    wanted = expected.traits or {}
    found = [
        Difference("traits", "", name, ABSENT if value is None else value, traits.get(name, ABSENT))
        for name, value in wanted.items()
        if (name in traits if value is None else name not in traits or not same(value, traits[name]))
    ]
    if "traits" in expected.exactly:
        unwanted = [name for name in traits if name not in wanted]
    else:
        unwanted = [name for name in expected.missing if name in traits]
    return found + [Difference("traits", "", name, ABSENT, traits[name]) for name in unwanted]


def _all_rows(expected: Expected, conversion: Conversion) -> list[Difference]:
    found: list[Difference] = []
    for part in LISTS:
        wanted = expected.rows(part)
        exact = part in expected.exactly
        if wanted is not None or exact:
            found += _rows(part, wanted or (), rows_of(conversion, part), exact)
    return found


def rows_of(conversion: Conversion, part: str) -> list[Mapping[str, Any]]:
    """Return the samples, periods or problems of *conversion* as mappings."""
    return [msgspec.structs.asdict(row) for row in getattr(conversion, part)]


def _rows(
    part: str, wanted: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]], exact: bool
) -> list[Difference]:
    found: list[Difference] = []
    unwanted = exact or not wanted
    for number, (mine, other) in enumerate(pair_rows(part, wanted, given, exact)):
        one = None if mine is None else wanted[mine]
        got = None if other is None else given[other]
        if one is None and got is not None and unwanted:
            found.append(Difference(part, got[NAMED[part]], "", ABSENT, got, number))
        elif one is not None and got is None:
            found.append(Difference(part, one[NAMED[part]], "", one, ABSENT, number))
        elif one is not None and got is not None:
            found += [
                Difference(part, one[NAMED[part]], key, value, got[key], number)
                for key, value in one.items()
                if not _value_matches(key, value, got[key], exact)
            ]
    return found


def pair_rows(
    part: str, wanted: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]], exact: bool
) -> list[tuple[int | None, int | None]]:
    """Return pairs of numbers of rows of one name, as many as possible of them matching; None for no counterpart."""
    key = NAMED[part]
    names: dict[str, tuple[list[int], list[int]]] = {}
    for side, rows in enumerate((wanted, given)):
        for number, row in enumerate(rows):
            names.setdefault(row[key], ([], []))[side].append(number)
    pairs: list[tuple[int | None, int | None]] = []
    for mine, others in names.values():
        found = _pairs(
            [wanted[number] for number in mine],
            [given[number] for number in others],
            lambda one, other: row_matches(one, other, exact),
        )
        pairs += [
            (None if one is None else mine[one], None if other is None else others[other]) for one, other in found
        ]
    return pairs


def row_matches(expected: Mapping[str, Any], got: Mapping[str, Any], exact: bool) -> bool:
    """Tell whether every key of *expected* is as *got* has it."""
    return all(_value_matches(key, value, got[key], exact) for key, value in expected.items())


def _value_matches(key: str, expected: Any, got: Any, exact: bool) -> bool:
    if key == "reason":  # which is for people, and longer than one wants to write
        return isinstance(expected, str) and expected in got
    if not exact and isinstance(expected, dict) and isinstance(got, Mapping):
        return all(name in got and _value_matches("", value, got[name], exact) for name, value in expected.items())
    return same(expected, got)


Row = Mapping[str, Any]


def _pairs(
    expected: Sequence[Row], got: Sequence[Row], matches: Callable[[Row, Row], bool]
) -> list[tuple[int | None, int | None]]:
    """Return the number of each row of *expected* with one of *got*; then what is left over."""
    partner: dict[int, int] = {}  # the number of a row in `got` -> of its row in `expected`
    for number in range(len(expected)):
        _find_partner(number, expected, got, matches, partner)
    owner = {mine: other for other, mine in partner.items()}
    left = [number for number in range(len(got)) if number not in partner]
    pairs: list[tuple[int | None, int | None]] = [
        (number, owner[number] if number in owner else left.pop(0) if left else None) for number in range(len(expected))
    ]
    return [*pairs, *((None, number) for number in left)]


def _find_partner(
    number: int,
    expected: Sequence[Row],
    got: Sequence[Row],
    matches: Callable[[Row, Row], bool],
    partner: dict[int, int],
) -> None:
    """Give the row *number* a partner, others giving way where they have another: an augmenting path, breadth first."""
    asked: dict[int, int] = {}  # a row of `got` -> the row of `expected` that asked for it first
    waiting = [number]
    for mine in waiting:  # grows as it is walked
        for other, row in enumerate(got):
            if other in asked or not matches(expected[mine], row):
                continue
            asked[other] = mine
            if other in partner:
                waiting.append(partner[other])
                continue
            while True:
                asks = asked[other]
                before = next((had for had, whose in partner.items() if whose == asks), None)
                partner[other] = asks
                if before is None:
                    return
                other = before
