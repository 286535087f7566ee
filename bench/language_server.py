"""An edit in an editor: from the message that carries it to the findings that come back, over a real session."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from bench.measure import compare, seconds_of
from tests.editor import editor

LINES = 2_000
ROUNDS = 41


def of_length(text: str, lines: int) -> str:
    """Return the definitions of *text*, repeated where they are too few, that come to about so many lines."""
    items = ["- " + item for item in text.split("\n- ")[1:]]
    chosen: list[str] = []
    count = 0
    for item in itertools.cycle(items):
        if count >= lines:
            break
        chosen.append(item.rstrip("\n"))
        count += chosen[-1].count("\n") + 1
    return "\n".join(chosen) + "\n"


EDITS: dict[str, Callable[[str, int], str]] = {
    "a word": lambda row, number: row.replace("payload.", f"payload.new{number}_", 1),
    "new lines": lambda row, number: row + "\n" * (number % 20 + 1),
    "a bracket that is not closed": lambda row, number: row[: row.index("payload.") + 8 + number % 3],
}
"""What is done to a line in the middle, each time otherwise."""


def bench_edit(definitions: Path, lines: int = LINES) -> Iterator[str]:
    """Findings after an edit in the middle of a file, against nothing but parsing the file in C."""
    text = of_length(definitions.read_text(), lines)
    rows = text.split("\n")
    middle = next(number for number in range(len(rows) // 2, len(rows)) if re.search(r"\{.*payload\.", rows[number]))
    uri = (definitions.parent / "edited.yaml").as_uri()
    numbers = itertools.count()

    def parse() -> None:
        yaml.load(text, Loader=yaml.CSafeLoader)

    with editor() as session:
        session.initialize(definitions.parent)
        session.open(uri, text)
        for what, change in EDITS.items():

            def edit(change: Callable[[str, int], str] = change) -> float:
                edited = rows.copy()
                edited[middle] = change(edited[middle], next(numbers))
                changed = "\n".join(edited)
                began = time.perf_counter()
                session.change(uri, changed)
                return time.perf_counter() - began

            edit()
            ratio = compare(edit, _once(parse), ROUNDS)
            yield (
                f"{f'an edit in {len(rows):,} lines: {what}':54} {1000 * ratio.ours:5.1f} ms to its findings,"
                f" {1 / ratio.median:.1f} times as long as parsing the YAML alone   goal 50 ms"
            )


def _once(call: Callable[[], object]) -> Callable[[], float]:
    return lambda: seconds_of(call, 1)
