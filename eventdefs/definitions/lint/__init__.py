"""The linter: what loading reports, and what loads but is not what was meant.

Nothing here reads a file or the environment: texts come in, findings go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eventdefs.definitions.findings import Findings
from eventdefs.definitions.loader import Reading, read_texts
from eventdefs.definitions.options import Options
from eventdefs.definitions.registry import Definitions
from eventdefs.errors import Finding


class Report(NamedTuple):
    """What is to say about definition files.

    Attributes:
        findings: in the order of the files, without those that a comment silences.
        reading: what could be read of the files.
        definitions: made of `reading`; what has an error is left out.
    """

    findings: tuple[Finding, ...]
    reading: Reading
    definitions: Definitions


def lint_texts(
    texts: Sequence[tuple[str, str]], options: Options | None = None, findings: Findings | None = None
) -> Report:
    """Look at (file, text) pairs that belong together; *findings* may hold what was said of them already."""
    reading = read_texts(texts, findings or Findings())
    found = reading.findings.in_order()
    return Report(found, reading, reading.definitions(options or Options(), found))
