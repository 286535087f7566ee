"""Lines and columns as definitions count them, and as editors do.

A `Place` counts lines and characters from 1, and its lines end where YAML's do. An editor counts from 0, in code units
of the encoding that it and the server agreed on, and has fewer kinds of line ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from eventdefs.types import Place

_YAML_ENDS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_EDITOR_ENDS = ("\r\n", "\n", "\r")


def _utf16(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


UNITS: dict[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": _utf16,
    "utf-32": len,
}
"""How long a text is in each encoding."""


class Span(NamedTuple):
    """From one position to another on the lines of an editor, both (line, code units)."""

    begin: tuple[int, int]
    end: tuple[int, int]


class Lines:
    """The lines of a text.

    Attributes:
        rows: as an editor counts them, without their ends.
    """

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self._units = UNITS[encoding]
        self.rows: list[str] = []
        self._starts: list[tuple[int, int]] = []  # of each of YAML's lines: the row, and where it begins in it
        row = ""
        begin = 0
        for found in _YAML_ENDS.finditer(text):
            self._starts.append((len(self.rows), len(row)))
            row += text[begin : found.start()]
            begin = found.end()
            if found[0] in _EDITOR_ENDS:
                self.rows.append(row)
                row = ""
            else:
                row += found[0]
        self._starts.append((len(self.rows), len(row)))
        self.rows.append(row + text[begin:])

    def position(self, line: int, column: int) -> tuple[int, int]:
        """Return where an editor has the character *column* of its line *line*, both from 0."""
        return line, self._units(self.rows[line][:column]) if line < len(self.rows) else 0

    def column(self, line: int, units: int) -> int:
        """Return the number of the character, from 0, that is *units* into the editor's *line*."""
        if line >= len(self.rows):
            return 0
        row = self.rows[line]
        if row.isascii():
            return min(units, len(row))
        width = 0
        for column, char in enumerate(row):
            if width >= units:
                return column
            width += self._units(char)
        return len(row)

    def span(self, place: Place) -> Span:
        """Return what *place* covers: at least one character, and the first line for a file as a whole."""
        if not place.line or place.line > len(self._starts):
            return Span((0, 0), self.position(0, len(self.rows[0])))
        row, base = self._starts[place.line - 1]
        begin = base + max(0, place.column - 1)
        end = max(begin + 1, base + place.end_column - 1)
        return Span(self.position(row, begin), self.position(row, end))

    def whole(self, line: int, last: int) -> Span:
        """Return the lines from *line* to *last*, both from 0 and the latter with it."""
        last = min(last, len(self.rows) - 1)
        return Span((line, 0), self.position(last, len(self.rows[last])))
