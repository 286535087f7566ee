"""What the documents show is what happens: their commands are run, their Python is executed, their files are written.

In a Markdown file, a block fenced with `console` has commands after `$ ` and then what they print, `...` standing
for any text; a block with `title="NAME"` is written as that file first. The blocks of one file run one after the
other in one folder, in which the project's samples and definitions are.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TOP = Path(__file__).resolve().parent.parent
DOCUMENTS = [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md")), TOP / "samples" / "README.md"]
LENT = ("docs", "samples", "event_definitions.yaml", "meters.yaml")

_FENCE = re.compile(r"^```(\w+)?(?: title=\"([^\"]+)\")?\s*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    kind: str
    title: str
    text: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        yield Block(found[1] or "", found[2] or "", found[3], text.count("\n", 0, found.start()) + 1)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block and what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = command[:-1] + more.removeprefix("> ")
        yield command, output


def matches(expected: str, got: str) -> bool:
    """Compare with `...` for any text."""
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, got.strip(), re.DOTALL) is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in LENT:
        (tmp_path / name).symlink_to(TOP / name)
    programs = tmp_path / ".bin"
    programs.mkdir()
    for name in ("eventdefs", "pytest"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name} "$@"\n')
        (programs / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_document_shows_what_happens(document: Path, folder: Path) -> None:
    """Each command of a document prints what stands below it."""
    environment = {
        **os.environ,
        "PATH": f"{folder / '.bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(TOP),
        "PYTHONUTF8": "1",
        "COLUMNS": "120",
        "XDG_CACHE_HOME": str(folder / ".cache"),
    }
    for block in blocks(document.read_text()):
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text)
        if block.kind == "console":
            for command, expected in commands(block.text):
                ran = subprocess.run(
                    ["bash", "-c", command],
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=120,
                    check=False,
                )
                where = f"{document.relative_to(TOP)}:{block.line}: {command}"
                assert matches(expected, ran.stdout), f"{where}\nshown:\n{expected}\nprinted:\n{ran.stdout}"
        elif block.kind == "python" and ">>>" in block.text:
            parsed = doctest.DocTestParser().get_doctest(block.text, {}, document.name, str(document), block.line)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
            here = Path.cwd()
            try:
                os.chdir(folder)
                runner.run(parsed)
            finally:
                os.chdir(here)
            assert runner.summarize(verbose=False).failed == 0, f"{document.relative_to(TOP)}:{block.line}"


def test_links_lead_somewhere() -> None:
    """Every relative link of a document names a file, and an anchor of it if it names one."""
    broken = [
        f"{document.relative_to(TOP)}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)\s]*)?\)", document.read_text())
        if target and "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []
