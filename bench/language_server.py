"""An edit in an editor: from the message that carries it to the findings that come back, over a real session."""

from __future__ import annotations

import itertools
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


def bench_edit(definitions: Path, lines: int = LINES) -> Iterator[str]:
    """Findings after an edit in the middle of a file, against nothing but parsing the file in C."""
    text = of_length(definitions.read_text(), lines)
    rows = text.split("\n")
    middle = next(number for number in range(len(rows) // 2, len(rows)) if "payload." in rows[number])
    uri = (definitions.parent / "edited.yaml").as_uri()
    numbers = itertools.count()

    def parse() -> None:
        yaml.load(text, Loader=yaml.CSafeLoader)

    with editor() as session:
        session.initialize(definitions.parent)
        session.open(uri, text)

        def edit() -> float:
            edited = rows.copy()
            edited[middle] = edited[middle].replace("payload.", f"payload.new{next(numbers)}_", 1)
            changed = "\n".join(edited)
            began = time.perf_counter()
            session.change(uri, changed)
            return time.perf_counter() - began

        edit()
        ratio = compare(edit, _once(parse), ROUNDS)
    yield (
        f"{f'an edit in a file of {len(rows):,} lines':46} {1000 * ratio.ours:7.1f} ms to its findings,"
        f" {1 / ratio.median:.1f} times as long as parsing the YAML alone   goal 50 ms"
    )


def _once(call: Callable[[], object]) -> Callable[[], float]:
    return lambda: seconds_of(call, 1)
