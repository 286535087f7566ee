"""Times are read as the library iso8601 reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs.times import naive_text, parse_time

from . import examples

iso8601 = pytest.importorskip("iso8601")

REFUSED = "refused"


def _numbers(low: int, high: int, width: int) -> st.SearchStrategy[str]:
    near = st.integers(low, high)
    return st.one_of(near, near, st.integers(0, 10**width - 1)).map(lambda number: f"{number:0{width}d}")


def _either(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


_fractions = st.one_of(
    st.just(""),
    # 20 digits at most: the library rounds after 28, where we cut.
    st.tuples(_either(".", ","), st.text("0123456789", max_size=20)).map("".join),
    st.integers(0, 999_999).map(".{:06d}".format),
)
_zones = st.one_of(
    _either("", "Z", "+00:00", "z", " Z", "+", "-1", "UTC", "−01:00"),
    st.tuples(_either("+", "-"), _numbers(0, 14, 2), _either("", ":"), st.one_of(st.just(""), _numbers(0, 59, 2))).map(
        "".join
    ),
)
_dates = st.one_of(
    st.tuples(
        st.one_of(_numbers(1, 9999, 4), _either("0000", "0001", "9999", "1970", "20260")),
        _either("-", "", "-", "/"),
        st.one_of(_numbers(1, 12, 2), _numbers(1, 12, 1)),
        _either("-", "", "-"),
        st.one_of(_numbers(1, 31, 2), _numbers(1, 9, 1), st.just("")),
    ).map("".join),
    _numbers(1, 9999, 4),
    st.tuples(_numbers(1, 9999, 4), st.just("-"), _numbers(1, 366, 3)).map("".join),
    _either("2026-W01", "2026-W01-1", "20260801", "202608", "1785550000", "1785550000.5"),
)
_clocks = st.one_of(
    st.just(""),
    st.tuples(
        _either("T", " ", "T", " ", "t", "", "  "),
        _numbers(0, 23, 2),
        _either(":", "", ":"),
        st.one_of(_numbers(0, 59, 2), st.just("")),
        _either(":", "", ":"),
        st.one_of(_numbers(0, 59, 2), _numbers(0, 9, 1), st.just("")),
        _fractions,
        _zones,
    ).map("".join),
)
_plain = st.tuples(_dates, _clocks).map("".join)


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    text = draw(_plain)
    at = draw(st.integers(0, len(text)))
    return (
        text[:at]
        + draw(st.sampled_from(("", "0", " ", "\n", "-", ":", "T", "٣", "１", "Z", ".")))
        + text[at + draw(st.integers(0, 1)) :]
    )


TEXTS = st.one_of(
    _plain,
    _plain,
    st.datetimes().map(lambda time: time.isoformat()),
    st.datetimes().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()),
    _mutated(),
    st.tuples(_plain, _either("\n", "\n\n", " ", "\r\n")).map("".join),
)


def ours(text: Any) -> datetime | str:
    try:
        return parse_time(text)
    except ValueError:
        return REFUSED


def the_librarys(text: Any) -> datetime | str:
    try:
        time: datetime = iso8601.parse_date(text)
        return time.astimezone(UTC)
    except (ValueError, OverflowError):  # what has no time in UTC is no time to Ceilometer either
        return REFUSED


@given(TEXTS)
@examples(3000)
def test_a_time_is_the_librarys(text: str) -> None:
    """The same texts are times, and the same instants."""
    assert ours(text) == the_librarys(text)


@given(TEXTS)
@examples(500)
def test_a_time_is_aware_and_in_utc(text: str) -> None:
    """Every time that is read is in UTC, and is read back from what is written of it."""
    time = ours(text)
    if isinstance(time, datetime):
        assert (time.tzinfo, ours(time.isoformat()), ours(naive_text(time))) == (UTC, time, time)


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=20), st.lists(st.none(), max_size=1)
    )
)
@examples(100)
def test_what_is_no_text_is_no_time(value: Any) -> None:
    """A number is never taken for seconds since 1970."""
    assert ours(value) == REFUSED
