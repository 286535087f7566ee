"""The linter: what loading reports, and what loads but is not what was meant.

Nothing here reads a file or the environment: texts come in, findings go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eventdefs.definitions.findings import Findings
from eventdefs.definitions.lint.anchors import lent_traits
from eventdefs.definitions.lint.comments import silence
from eventdefs.definitions.lint.paths import check_fields
from eventdefs.definitions.lint.patterns import check_events, check_expressions
from eventdefs.definitions.lint.plugins import check_plugin
from eventdefs.definitions.lint.samples import check_sample
from eventdefs.definitions.lint.scalars import check_scalars
from eventdefs.definitions.lint.traits import check_default
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
    reading = read_texts(texts, findings or Findings(), go_on=True)
    _check(reading)
    found = silence(reading.findings.in_order(), reading.texts, reading.roots, reading.findings)
    return Report(found, reading, reading.definitions(options or Options(), found))


def _check(reading: Reading) -> None:
    findings = reading.findings
    check_events(reading.events, lent_traits(reading.roots), findings)
    looked_at: set[int] = set()
    for definition in reading.events:
        for trait in definition.traits:
            if id(trait) in looked_at or trait.name not in definition.written:
                continue
            looked_at.add(id(trait))  # anchors make one trait stand in many definitions
            check_fields(trait.fields, f"the trait {trait.name}", findings)
            check_plugin(trait.fields, f"the trait {trait.name}", findings)
            check_default(trait, findings)
    for sample in reading.samples:
        check_expressions(sample, findings)
        check_sample(sample, findings)
        for attribute, fields in sample.fields.items():
            check_plugin(fields, f"{attribute} of the sample definition {sample.name}", findings)
    check_scalars(reading.roots, findings)
