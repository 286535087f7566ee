"""Small sample definitions, valid and invalid, give what Ceilometer gives."""

from __future__ import annotations

from typing import Any

import pytest

from .data import Row, items, rows
from .deviations import judge

SUITE = "cases_meters"


def row_of(case: dict[str, Any]) -> Row:
    files = case.get("files") or [{"name": "meters.yaml", "yaml": case["definition_yaml"]}]
    return Row(
        suite=SUITE,
        name=case["name"],
        side="samples",
        files=tuple((file["name"], file["yaml"]) for file in files),
        options=case.get("options", {}),
        body=case["notification"],
        expected=case["expected"],
    )


@pytest.mark.parametrize("case", items(rows(f"{SUITE}.jsonl")))
def test_samples_are_what_ceilometer_gives(case: dict[str, Any]) -> None:
    """The notification of a case gives Ceilometer's samples, or what a deviation says."""
    row = row_of(case)
    if wrong := judge(row):
        pytest.fail("\n".join([wrong, *(text for _, text in row.files)]), pytrace=False)
