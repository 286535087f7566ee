"""Paths find what jsonpath-rw-ext finds, and fail where it fails."""

from __future__ import annotations

from typing import Any

import pytest

from eventdefs.definitions.paths import parse_path
from eventdefs.errors import PathEvaluationError, PathSyntaxError

from .data import items, rows
from .deviations import TALLY, as_text, difference


def find(expression: str, document: Any) -> dict[str, Any]:
    """Return what eventdefs makes of *expression*, in the shape of the data; the column is one of the expression."""
    try:
        path = parse_path(expression)
    except PathSyntaxError as error:
        return {"refused": "syntax" if 1 <= error.column <= len(expression) + 1 else f"column {error.column}"}
    try:
        return {"matches": [{"path": text, "value": value} for text, value in path.find(document)]}
    except PathEvaluationError:
        return {"refused": "evaluation"}


REFUSALS = {"parse_error": "syntax", "find_error": "evaluation", "match_error": "evaluation"}


@pytest.mark.parametrize("case", items(rows("cases_jsonpath.jsonl")))
def test_path_finds_what_the_library_finds(case: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    """The same matches with the same paths; nothing is printed."""
    expected = case["expected"]
    refusal = next((REFUSALS[key] for key in REFUSALS if key in expected), None)
    want = {"refused": refusal} if refusal else {"matches": expected["matches"]}
    got = find(case["expr"], case["document"])
    if as_text(want) != as_text(got):
        TALLY.add("cases_jsonpath", "DISAGREE")
        pytest.fail(f"{case['name']}: {case['expr']!r}\n{difference(want, got)}", pytrace=False)
    TALLY.add("cases_jsonpath", "agree")
    assert capfd.readouterr() == ("", "")
