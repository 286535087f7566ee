"""What loading says about definitions: the codes, and the collector of findings.

Every code stands once in `CODES`; docs/reference/findings.md lists them, which a test holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from eventdefs.errors import DefinitionErrors, Finding, Fix
from eventdefs.types import Place

MAX_READ = 500_000
"""Traits, attributes and patterns of all definitions: through aliases a small file can ask for any number."""

CODES: dict[str, str] = {
    # YAML
    "E001": "the file is not YAML",
    "E002": "the file cannot be read",
    "E003": "the file is larger or deeper than definitions may be",
    "E004": "a YAML tag that definitions cannot have",
    "E005": "a merge key (<<) that does not name a mapping",
    "W001": "a key is there twice; the last one counts",
    "W002": "an anchor is there twice",
    "W003": "a text that YAML reads as something else",
    # Shape
    "E100": "the file is neither a list of event definitions nor a mapping with `metric`",
    "E101": "something else was expected here",
    "E102": "a required key is missing",
    "E103": "a name that is not text",
    "E104": "unknown trait type",
    "E105": "unknown value for a key that takes one of a few words",
    "W101": "unknown key; it is ignored",
    "W102": "a path that is not text and is read as text, as Ceilometer does",
    "W103": "a constant that its type cannot hold; the trait will always be a problem",
    # Paths, patterns and plugins
    "E201": "not a path",
    "E202": "a regular expression that cannot be used",
    "E203": "a path that is longer or deeper than paths may be",
    "W201": "a key with a dot that is not quoted",
    "W202": "a path with | or a comma that reads otherwise than it looks",
    "W203": "an alternative that is never reached",
    "W204": "a path that begins with what no notification has",
    "W205": "a minus that is part of a key",
    "E301": "unknown trait plugin",
    "E302": "a plugin refuses its parameters",
    "W301": "a plugin is given too few paths",
    "W302": "a definition that never applies",
    "W303": "a pattern that never applies, or adds nothing",
    "W304": "a pattern with what no event type has",
    "W305": "patterns that only exclude",
    "W306": "an exclusion of nothing, or of everything",
    "W307": "a glob where a regular expression is expected",
    "W308": "an expression is there twice",
    "W309": "a plugin whose parameters can never do what they say",
    "N301": "a trait that every event has anyway",
    # Samples
    "E401": "unknown sample type",
    "E402": "a period needs an end, and a begin or a length",
    "E403": "a unit or type that usage cannot have",
    "W401": "two sample definitions have one name; only one of them is used",
    "W402": "lookup names what has one value for all samples",
    "W403": "a name that finds several meters is read once",
    "W404": "a period or a condition of it that is never what it says",
    # Recorded notifications
    "W501": "a path finds nothing in any recorded notification",
    "W502": "a value that can be read in no recorded notification",
    "W503": "a value that cannot be read in some recorded notifications",
    "N501": "one of several paths finds nothing in any recorded notification",
    "N502": "a recorded event type without a definition",
    "N503": "a definition that applies to no recorded notification",
    "N504": "a pattern that matches no recorded event type",
    # Tests
    "E601": "the file is no test file, which is a mapping with `cases`",
    "E602": "unknown key in a test file",
    "E603": "a case expects nothing, so that it cannot fail",
    "E604": "two cases of one file have one name",
    "E605": "a case expects what cannot be at once",
    "E606": "a path that does not name one place of a notification",
    "E607": "the notification of a case cannot be read",
    "E608": "an edit that does not fit the notification",
    # Pipeline files
    "E701": "a publisher that cannot be used",
    "E702": "a source names a sink that is not there",
    "E703": "two sources, or two sinks, of one file have one name",
    "W701": "keys of old pipeline files that are ignored",
    "W702": "a sink that no source names",
    "W703": "a publisher that is skipped as it was asked for",
    # Comments
    "W901": "a comment silences what is not found",
    "W902": "a comment that silences nothing",
}


class Findings:
    """Collects what is found while files are read; `refuse` raises if any of it is an error.

    A second finding of one code, place and hint is not kept: anchors make one node stand under many definitions.
    """

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._lines: dict[str, Sequence[str]] = {}
        self._said: set[tuple[str, Place, str]] = set()
        self._broken: set[Place] = set()
        self._read = 0
        self._too_much = False

    def add_file(self, file: str, text: str) -> None:
        """Remember the lines of *file*, to quote them."""
        self._lines[file] = text.split("\n")

    def add(
        self,
        code: str,
        message: str,
        place: Place,
        hint: str = "",
        *,
        related: tuple[Place, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        # What an anchor repeats is said once, and of what is no YAML nothing else.
        if (code, place, hint) in self._said or place in self._broken:
            return
        self._said.add((code, place, hint))
        if code == "E001":
            self._broken.add(place)
        self._found.append(Finding(code, message, place, hint, self.line(place), related, fix))

    def in_order(self) -> tuple[Finding, ...]:
        """Return all that was found, in the order of the files."""
        files = {file: number for number, file in enumerate(self._lines)}
        self._found.sort(key=lambda found: (files.get(found.place.file, -1), found.place.line, found.place.column))
        return tuple(self._found)

    def line(self, place: Place) -> str:
        """Return the line that *place* is on, '' where the file is not known."""
        lines = self._lines.get(place.file, ())
        return lines[place.line - 1].rstrip("\r") if 0 < place.line <= len(lines) else ""

    def say_nothing_at(self, place: Place) -> None:
        """Drop what will be found at *place*: it follows from what was said elsewhere."""
        self._broken.add(place)

    def refuse(self) -> tuple[Finding, ...]:
        """Return the warnings, in the order of the files.

        Raises:
            DefinitionErrors: there are errors.
        """
        found = self.in_order()
        if any(finding.severity == "error" for finding in found):
            raise DefinitionErrors(found)
        return found

    def spend(self, count: int, place: Place) -> bool:
        """Count what definitions have; False, and said once, when it is more than is read."""
        self._read += count
        if self._read > MAX_READ and not self._too_much:
            self._too_much = True
            hint = "what stands behind an anchor is counted each time it is used"
            self.add("E003", f"more than {MAX_READ:,} traits, attributes and patterns in all", place, hint)
        return not self._too_much
