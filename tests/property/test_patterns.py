"""The tree of patterns finds what trying each pattern finds."""

from __future__ import annotations

import fnmatch
import re

from hypothesis import given
from hypothesis import strategies as st

from eventdefs.definitions.patterns import PatternIndex, RegexIndex, glob_steps, parse_pattern

from . import examples
from .test_regexes import EXPRESSIONS, FAILS, outcome

_words = st.sampled_from(("a", "b", "ab", "end", ".", ".", "-", "A", "é", "\n", "[", "]", "!"))
EVENT_TYPES = st.lists(_words, max_size=5).map("".join)
_glob_parts = st.one_of(
    _words,
    st.sampled_from(
        ("*", "*", "**", "?", "[ab]", "[!a]", "[a-c]", "[]a]", "[!]a]", "[", "[!", "[c-a]", "[a", "[-a]", "[\\]")
    ),
    st.sampled_from(("[^a]", "[[]", "[!!]", "[a--]", "[&&]", "[~~a]", "(", "\\", "$", "+")),
)
GLOBS = st.one_of(st.lists(_glob_parts, max_size=5).map("".join), st.sampled_from(("*", "a.*", "*.end", "a.b")))
PATTERNS = st.lists(st.one_of(GLOBS, GLOBS, GLOBS.map("!{}".format)), max_size=4)
# \B is left out: `re` has matched it on nothing only since Python 3.14.
REGEXES = st.one_of(
    st.lists(
        st.one_of(
            _words.filter(lambda word: word != "["),
            st.sampled_from((r"\.", ".*", ".+", "a?", "$", "^", ".", r"\w", r"\-")),
        ),
        max_size=6,
    ).map("".join),
    EXPRESSIONS.filter(lambda text: r"\B" not in text),
)


def slow_matches(globs: list[str], event_type: str) -> bool:
    """Ask `fnmatch` about each glob."""
    included = [glob for glob in globs if not glob.startswith("!")]
    excluded = [glob[1:] for glob in globs if glob.startswith("!")]
    if excluded and not included:
        included = ["*"]
    return any(fnmatch.fnmatchcase(event_type, glob) for glob in included) and not any(
        fnmatch.fnmatchcase(event_type, glob) for glob in excluded
    )


@given(st.lists(PATTERNS, max_size=8), st.lists(EVENT_TYPES, min_size=1, max_size=4))
@examples(1000)
def test_the_last_pattern_that_matches_is_found(patterns: list[list[str]], event_types: list[str]) -> None:
    """`PatternIndex.last` is what trying each with fnmatch from the last on gives."""
    index = PatternIndex([parse_pattern(globs) for globs in patterns])
    expected = [
        next((number for number in reversed(range(len(patterns))) if slow_matches(patterns[number], event_type)), None)
        for event_type in event_types
    ]
    assert [index.last(event_type) for event_type in event_types] == expected


@given(GLOBS, EVENT_TYPES)
@examples(1000)
def test_a_glob_alone_matches_as_fnmatch(glob: str, event_type: str) -> None:
    """One glob, among none."""
    included = PatternIndex([parse_pattern([glob])])
    excluded = PatternIndex([parse_pattern(["*", "!" + glob])])
    matches = fnmatch.fnmatchcase(event_type, glob)
    if not glob.startswith("!"):
        assert included.last(event_type) == (0 if matches else None)
    assert excluded.last(event_type) == (None if matches else 0)
    assert all(len(step) == 2 for step in glob_steps(glob))


@given(
    st.lists(st.lists(REGEXES.filter(lambda text: outcome(re.compile, text) != FAILS), max_size=3), max_size=6),
    st.lists(EVENT_TYPES, min_size=1, max_size=4),
)
@examples(1000)
def test_every_expression_that_matches_is_found(expressions: list[list[str]], event_types: list[str]) -> None:
    """`RegexIndex.all` is what `re.match` gives for each."""
    index = RegexIndex(expressions)
    expected = [
        (
            [
                number
                for number, alternatives in enumerate(expressions)
                if any(re.match(expression, event_type) for expression in alternatives)
            ],
            [],
        )
        for event_type in event_types
    ]
    assert [index.all(event_type) for event_type in event_types] == expected
