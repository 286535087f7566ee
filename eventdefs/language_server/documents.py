"""The files that an editor has open, and what the linter says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from eventdefs.definitions.corpus import Corpus
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.lint import Report, lint_texts
from eventdefs.definitions.lint.corpus import lint_corpus
from eventdefs.definitions.loader import SHIPPED, TESTS, read_files
from eventdefs.definitions.rereading import Rereader
from eventdefs.errors import Finding
from eventdefs.language_server.anchors import Sign, read_signs
from eventdefs.language_server.lines import Lines

_LOOKS_LIKE = re.compile(
    r"""
    (?:[ \t]*(?:\#.*)?\n|---[ \t]*\n)*  # comments
    (?: metric[ \t]*:
      | [-\[](?:.*\n)*?(?:.*[{,])?[-\[{ \t]{0,20}['"]?event_type['"]?[ \t]*:  # in a list
    )""",
    re.VERBOSE,
)

FEW = 3
"""Lines that may be the beginning of any file."""


class Document:
    """A file as it is in the editor. Does not change: with an edit there is another one.

    Attributes:
        uri: the editor's name of it.
        file: its path, as findings name it.
        version: the editor's count of its edits.
    """

    def __init__(self, uri: str, file: str, text: str, version: int, encoding: str) -> None:
        self.uri = uri
        self.file = file
        self.text = text
        self.version = version
        self._encoding = encoding

    @cached_property
    def lines(self) -> Lines:
        return Lines(self.text, self._encoding)

    @cached_property
    def signs(self) -> list[Sign]:
        return read_signs(self.text)

    @cached_property
    def resolved(self) -> Path | None:
        """The file on disk; None for what is not stored yet."""
        return None if "://" in self.file or self.file.startswith("untitled:") else Path(self.file).resolve()

    def is_definitions(self) -> bool:
        """Tell whether this looks like a file of definitions: an editor opens other YAML files too."""
        if self.file.endswith(TESTS) or not self.text.strip():
            return False
        return self.file.endswith(SHIPPED) or _LOOKS_LIKE.match(self.text) is not None

    def may_become_definitions(self) -> bool:
        """Tell whether this is a file of definitions, or so short that nobody can know yet."""
        return self.is_definitions() or (not self.file.endswith(TESTS) and self.text.count("\n") < FEW)


class Group(NamedTuple):
    """Texts that are looked at together.

    Attributes:
        texts: (file, text), in the order in which they are loaded.
        documents: those of them that are open, by the name that `texts` has.
        findings: what was said of files that cannot be read.
    """

    texts: tuple[tuple[str, str], ...]
    documents: Mapping[str, Document]
    findings: Findings


def group_of(document: Document, open_documents: Sequence[Document], definitions: Sequence[str]) -> Group:
    """Return *document* with the files of *definitions*, if it is one of them; else alone."""
    findings = Findings()
    texts = read_files(definitions, findings) if definitions and document.resolved else []
    by_path = {one.resolved: one for one in open_documents if one.resolved}
    there = {file: by_path[path] for file, path in _resolved(texts).items() if path in by_path}
    if document not in there.values():
        return Group(((document.file, document.text),), {document.file: document}, Findings())
    mine = tuple((file, there[file].text if file in there else text) for file, text in texts)
    return Group(mine, there, findings)


def _resolved(texts: Sequence[tuple[str, str]]) -> dict[str, Path]:
    return {file: Path(file).resolve() for file, _ in texts}


def lint_group(group: Group, rereader: Rereader) -> Report:
    """Look at the texts of *group*; *rereader* knows what they were before the last edit."""
    return lint_texts(group.texts, findings=group.findings, rereader=rereader)


def lint_with_corpus(report: Report, corpus: Corpus) -> list[Finding]:
    """Return what recorded notifications say of lines of *report*.

    What they say of a file as a whole, such as which event types it has no definition for, is for `eventdefs lint`.
    """
    return [finding for finding in lint_corpus(report, corpus) if finding.place.line]


def still_there(finding: Finding, lines: Sequence[str]) -> bool:
    """Tell whether the line of *finding* is as it was."""
    line = finding.place.line
    return 0 < line <= len(lines) and lines[line - 1] == finding.excerpt
