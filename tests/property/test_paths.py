"""Compiled paths find what jsonpath-rw-ext finds, and fail where it fails."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest
from hypothesis import assume, given
from jsonpath_rw_ext import parse as library_parse

from eventdefs.definitions.dialect import MAX_TOKENS
from eventdefs.definitions.paths import MAX_MATCHES, MAX_RESULT, parse_path
from eventdefs.errors import PathEvaluationError, PathSyntaxError

from . import examples
from .strategies import documents, expressions, mappings, near_expressions

FAILS = "fails"
OURS_ALONE = (f"more than {MAX_MATCHES:,}", f"more than {MAX_RESULT:,}", "did not finish", "nested too deep")
"""Where work is bounded on purpose, and the library goes on."""


def library_path(text: str) -> Any:
    """Return the library's syntax tree, None where it raises."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it reads of `sub`
        try:
            return library_parse(text)
        except Exception:
            return None


def library_find(path: Any, document: Any) -> str:
    """Return path and value of every match of the library, or `FAILS`."""
    try:
        return repr([(path_text(match), match.value) for match in path.find(document)])
    except Exception:
        return FAILS


def path_text(match: Any) -> str:
    steps = []
    while match.context is not None:
        steps.append(str(match.path))
        match = match.context
    return ".".join(reversed(steps))


def our_path(text: str) -> Any:
    """Return the compiled path, None where it is refused with a column inside the text."""
    try:
        return parse_path(text)
    except PathSyntaxError as error:
        assume(f"more than {MAX_TOKENS}" not in error.reason)
        refused = error
    assert 1 <= refused.column <= len(text) + 1
    return None


def our_find(path: Any, document: Any) -> str:
    try:
        return repr(path.find(document))
    except PathEvaluationError as error:
        assume(not any(reason in str(error) for reason in OURS_ALONE))
        return FAILS


@given(expressions, mappings, mappings, documents)
@examples(500)
def test_a_path_finds_what_the_library_finds(text: str, one: Any, other: Any, any_document: Any) -> None:
    """Same values, same path texts, same order; an error where the library raises."""
    reference, path = library_path(text), our_path(text)
    assert (reference is None) == (path is None)
    if path is not None:
        found = [our_find(path, document) for document in (one, other, any_document)]
        assert found == [library_find(reference, document) for document in (one, other, any_document)]


RARE = (
    "a.`sorted`..b",
    "$ where a.`sorted`",
    "l[?a.`sorted`]",
    "$.`parent` where `sorted`",
    "$.`parent`..a",
    "a.(`sorted` + $.zz)",
    "$.`parent` + $.zz",
    "$.zz + $.`parent`",
    "b.`split(a, 0, 99999999999999999999)`",
    "b.`split(a, 99999999999999999999, 1)`",
    "b[99999999999999999999]",
    "b[-99999999999999999999]",
    "b[-99999999999999999999:]",
    "l[*] * 99999999999999999999",
    "l[*].`parent`.`parent`.`parent`",
    "l[/a, \\b]",
    "l[/`parent`]",
    "a[/[*]]..a",
    "b.`sub(/a*/, -)`",
    "(a|b).`len`",
    "$..*[0]",
)


@pytest.mark.parametrize("text", RARE)
@pytest.mark.parametrize(
    "document", [{"a": 1, "l": [{"a": 1}, {}]}, {"a": "xy", "b": "aab"}, {"a": {"b": [3, 1]}, "b": 2}, 5]
)
def test_a_rare_path_finds_what_the_library_finds(text: str, document: Any) -> None:
    """What seldom comes out of the strategy holds too."""
    assert our_find(our_path(text), document) == library_find(library_path(text), document)


@given(near_expressions, mappings)
@examples(500)
def test_text_is_refused_where_the_library_refuses_it(text: str, document: Any) -> None:
    """PathSyntaxError exactly where the library's parser raises; what is left finds the same."""
    reference, path = library_path(text), our_path(text)
    assert (reference is None) == (path is None)
    if path is not None:
        assert our_find(path, document) == library_find(reference, document)


@given(expressions, mappings)
@examples(200)
def test_the_ways_to_ask_agree(text: str, document: Any) -> None:
    """`all`, `matches` and `first` say what `find` says."""
    path = our_path(text)
    assume(path is not None)
    assume(our_find(path, document) != FAILS)
    found = path.find(document)
    values = [value for _, value in found]
    not_null = [(where, value) for where, value in found if value is not None]
    first = not_null[0][1] if not_null else None
    assert repr((path.all(document), path.matches(document), path.first(document))) == repr((values, not_null, first))
