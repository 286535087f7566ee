"""What arrives on a queue is opened as oslo.messaging and its dispatcher open it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from eventdefs.decode import decode_notification
from eventdefs.errors import DecodeError

from .data import Row, items, rows
from .deviations import judge

ENVELOPES = items(rows("envelopes.jsonl"))


@pytest.mark.parametrize("case", ENVELOPES)
def test_envelope_is_opened_as_oslo_messaging_opens_it(case: dict[str, Any]) -> None:
    """The body that paths see is what Ceilometer's converters receive, or what a deviation says."""
    row = Row(suite="envelopes", name=case["name"], side="envelope", body=case["wire"], expected=case["unpacked"])
    if wrong := judge(row):
        pytest.fail(wrong, pytrace=False)


@pytest.mark.parametrize("case", ENVELOPES)
def test_text_bytes_and_mapping_are_one(case: dict[str, Any]) -> None:
    """An envelope may come as a mapping or as its JSON in bytes or text."""
    text = json.dumps(case["wire"])
    assert opened(case["wire"]) == opened(text) == opened(text.encode())


def opened(wire: bytes | str | Mapping[str, Any]) -> Any:
    try:
        return decode_notification(wire)
    except DecodeError as error:
        return error.reason
