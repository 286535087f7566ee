"""Expressions run by `regex` in bounded time say what `re` says."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eventdefs.regexes import RegexError, compile_regex, starts_with, substitute

from . import examples

FAILS = "fails"

_atoms = st.one_of(
    st.sampled_from("aabbAé.{}-"),
    st.sampled_from(
        (r"\d", r"\w", r"\s", r"\b", r"\B", r"\.", r"\n", r"\x61", r"\u0061", r"\141", "^", "$", r"\A", r"\Z")
    ),
    st.sampled_from(("[ab]", "[^a]", "[a-]", "[]a]", "[{}]", r"[\w.]", "[a&b]", "[[a]")),
    st.sampled_from(("(?P<n>a)", "(?P=n)", r"\1", "(?=a)", "(?!a)", "(?<=a)", "(?<!b)", "(?i:a)", "(?s:.)", "(?#a)")),
    st.sampled_from("()|*+?"),
)
_expressions = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join),
        inner.map("({})".format),
        inner.map("(?:{})".format),
        st.tuples(inner, st.sampled_from(("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,1}", "{1,}", "++"))).map(
            "".join
        ),
    ),
    max_leaves=6,
)
EXPRESSIONS = st.one_of(_expressions, _expressions.map("(?i){}".format), _expressions.map("(?s){}".format))
TEXTS = st.text(st.sampled_from("aabbABé.1{}-\n ſ"), max_size=7)
REPLACEMENTS = st.lists(
    st.sampled_from(("", "x", "&", r"\1", r"\g<0>", r"\g<1>", r"\g<n>", r"\n", r"\\", r"\2", r"\0", r"\q", "\\", "{}")),
    max_size=3,
).map("".join)


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what *call* gives, or `FAILS`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*arguments)
    except (re.error, RegexError, IndexError, RecursionError):
        return FAILS


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[[:alpha:]]", "xy"),
        (r"\N{LATIN SMALL LETTER A}", "a"),
        (r"a\{1}", "a{1}"),
        ("a{1", "a{1"),
        ("a{,}", "aa"),
        ("[{]", "{"),
        ("a{e}", "a{e}"),
        ("(?x) a # {", "a"),
    ],
)
def test_what_regex_alone_reads_otherwise_is_read_as_by_re(pattern: str, text: str) -> None:
    """Fuzzy matching, POSIX classes and other additions of `regex` are text, as in `re`."""
    assert outcome(starts_with, pattern, text) == outcome(lambda: re.match(pattern, text) is not None)


@pytest.mark.parametrize("replacement", [r"\x41", r"\u0041", r"\N{DIGIT ONE}", r"\q", r"\0", r"\g<2>", r"\101", r"\2"])
@pytest.mark.parametrize("text", ["aab", "b"])
def test_a_replacement_that_re_refuses_is_refused(replacement: str, text: str) -> None:
    """Escapes in a replacement are those of `re`, and are checked even where nothing is replaced."""
    assert outcome(substitute, "a", replacement, text) == outcome(re.sub, "a", replacement, text)


@given(EXPRESSIONS, TEXTS)
@examples(1500)
def test_a_match_is_that_of_re(pattern: str, text: str) -> None:
    """The same expressions compile, and match at the start of the same texts."""
    assume(text or r"\B" not in pattern)  # which `re` has matched on nothing only since Python 3.14
    assert outcome(starts_with, pattern, text) == outcome(lambda: re.match(pattern, text) is not None)


@given(EXPRESSIONS, REPLACEMENTS, TEXTS)
@examples(1500)
def test_a_substitution_is_that_of_re(pattern: str, replacement: str, text: str) -> None:
    """The same text for every replacement that `re` reads."""
    assume(text or r"\B" not in pattern)
    assume(outcome(re.sub, pattern, replacement, "") != FAILS)
    assert outcome(substitute, pattern, replacement, text) == outcome(re.sub, pattern, replacement, text)


@given(st.one_of(EXPRESSIONS, st.text(max_size=20)))
@examples(1000)
def test_what_re_reads_is_read(pattern: str) -> None:
    """An expression is refused where `re` refuses it, and nowhere else."""
    assert (outcome(compile_regex, pattern) == FAILS) == (outcome(re.compile, pattern) == FAILS)
