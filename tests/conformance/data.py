"""The conformance data: what Ceilometer 27 made of notifications, definitions, paths and envelopes.

The data is not part of the project. It is read from the folder that the environment variable EVENTDEFS_CONFORMANCE
names, else from `shared/conformance` beside the checkout; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

FOLDER = Path(os.environ.get("EVENTDEFS_CONFORMANCE") or Path(__file__).parents[3] / "shared" / "conformance")
ABSENT = f"no conformance data in {FOLDER}"

JSON = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One notification, the definitions it meets, and what Ceilometer made of it.

    Attributes:
        suite: the file that the row stands in, for the summary.
        side: what is compared; Ceilometer reads events and samples with separate services.
        files: (name, YAML text) of the definition files.
        options: by the names that Ceilometer and `Options` share, and `sample_source`.
        body: the notification as Ceilometer's converters receive it; of an envelope, the wire form.
        expected: the result as the data has it.
    """

    suite: str
    name: str
    side: Literal["event", "samples", "envelope"]
    files: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    priority: str = "info"
    expected: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.suite}: {self.name}"


@cache
def rows(name: str) -> tuple[JSON, ...]:
    """Return the rows of the JSON lines file *name*, none where there is no data."""
    path = FOLDER / name
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8") as lines:
        return tuple(json.loads(line, object_hook=_read_object) for line in lines)


def _read_object(mapping: JSON) -> Any:
    """Read a JSON object; JSON has no non-finite floats, so that the data writes one as an object."""
    return float(mapping["__float__"]) if mapping.keys() == {"__float__"} else mapping


def items(cases: Iterable[JSON]) -> Sequence[Any]:
    """Return one test parameter a case, or one that is skipped with the reason."""
    return [pytest.param(case, id=case["name"]) for case in cases] or [_skipped()]


def definition_names(prefix: str) -> Sequence[Any]:
    """Return one test parameter a definition file whose name begins with *prefix*, or one that is skipped."""
    return sorted(path.stem for path in (FOLDER / "definitions").glob(f"{prefix}*.yaml")) or [_skipped()]


def definition_text(name: str) -> str:
    return (FOLDER / "definitions" / f"{name}.yaml").read_text(encoding="utf-8")


def corpus() -> dict[str, JSON]:
    """Return the notifications of the corpus by name."""
    return {row["name"]: row for row in rows("corpus.jsonl")}


def _skipped() -> Any:
    return pytest.param(None, id="absent", marks=pytest.mark.skip(reason=ABSENT))
