"""Golden files of findings: sections of definitions and, below each, what is said of them, to the character."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eventdefs import Finding

FILE = "definitions.yaml"


class Case(NamedTuple):
    title: str
    text: str
    report: str

    @property
    def codes(self) -> list[str]:
        """The codes that the title names, each once."""
        return sorted(set(re.findall(r"\b[EWN]\d{3}\b", self.title)))


def read_cases(file: Path) -> list[Case]:
    cases = []
    for section in re.split(r"^=== ", file.read_text(), flags=re.MULTILINE)[1:]:
        title, _, rest = section.partition("\n")
        text, _, report = rest.partition("\n>>>")
        cases.append(Case(title, text, report.strip("\n")))
    return cases


def write_cases(file: Path, cases: Sequence[Case], found: Callable[[str], Sequence[Finding]]) -> None:
    """Write the reports anew; what changed is for a person to read."""
    sections = [
        "\n".join([f"=== {case.title}", case.text, ">>>", *map(str, found(case.text))]).rstrip() for case in cases
    ]
    file.write_text("\n\n".join(sections) + "\n")
