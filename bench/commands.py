"""Whole processes: what a person waits for, beside a process that does nothing but parse the same YAML in C."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import compare

PARSE = "import sys, yaml; yaml.load(open(sys.argv[1], 'rb'), Loader=yaml.CSafeLoader)"


def process(*arguments: str) -> Callable[[], float]:
    """Return a function that measures a run of Python with *arguments*, in seconds."""

    def measure() -> float:
        began = time.perf_counter()
        ran = subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        seconds = time.perf_counter() - began
        if ran.returncode > 1:
            raise RuntimeError(ran.stderr.decode())
        return seconds

    return measure


@contextmanager
def _kept(data: bytes) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "notification.json")
        file.write_bytes(data)
        yield str(file)


def bench_lint(definitions: Path) -> Iterator[str]:
    """`eventdefs lint` of a file."""
    ours = process("-m", "eventdefs", "lint", str(definitions))
    yield _said("lint", definitions, ours)


def bench_explain(definitions: Path, data: bytes) -> Iterator[str]:
    """`eventdefs explain` of one notification with the same file."""
    with _kept(data) as file:
        ours = process("-m", "eventdefs", "explain", file, "--definitions", str(definitions))
        yield _said("explain", definitions, ours)


def _said(command: str, definitions: Path, ours: Callable[[], float]) -> str:
    lines = len(definitions.read_text().splitlines())
    ratio = compare(ours, process("-c", PARSE, str(definitions)))
    return (
        f"{f'eventdefs {command}, whole process, {lines} lines':46} {ratio.ours:7.3f} s,"
        f" {1 / ratio.median:.1f} times as long as a process that parses the YAML   goal 0.5 s"
    )
