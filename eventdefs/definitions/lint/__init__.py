"""The linter: what loading reports, and what loads but is not what was meant.

Nothing here reads a file or the environment: texts come in, findings go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
from eventdefs.definitions.rereading import Rereader
from eventdefs.errors import Finding


@dataclass(frozen=True)
class Report:
    """What is to say about definition files.

    Attributes:
        findings: in the order of the files, without those that a comment silences.
        reading: what could be read of the files.
        options: what applies to all definitions.
    """

    findings: tuple[Finding, ...]
    reading: Reading
    options: Options

    @cached_property
    def definitions(self) -> Definitions:
        """Made of `reading`; what has an error is left out. Whoever only reads the findings does not wait for it."""
        return self.reading.definitions(self.options, self.findings)


def lint_texts(
    texts: Sequence[tuple[str, str]],
    options: Options | None = None,
    findings: Findings | None = None,
    rereader: Rereader | None = None,
) -> Report:
    """Look at (file, text) pairs that belong together; *findings* may hold what was said of them already.

    *rereader*: remembers what it read before, for texts that are looked at again and again while they change.
    """
    reading = read_texts(texts, findings or Findings(), go_on=True, rereader=rereader)
    _check(reading)
    found = silence(reading.findings.in_order(), reading.texts, reading.roots, reading.findings)
    return Report(found, reading, options or Options())


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
