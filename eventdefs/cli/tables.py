"""Rows for people, for programs and for spreadsheets: text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Sequence

from eventdefs.encode import one_line

_SEPARATORS = ("\r", "\t", ";")
"""What some spreadsheets begin a row or a cell at, where it is not quoted."""
_NUMBER = re.compile(r"-\d+(\.\d+)?", re.ASCII).fullmatch
FORMATS = ("text", "json", "csv")


def write_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str] = frozenset()) -> None:
    """Write *rows* under *heads* to standard output, in columns; those of *right* are aligned to the right."""
    table = [list(heads), *[[one_line(cell) for cell in row] for row in rows]]
    widths = [max(len(row[number]) for row in table) for number in range(len(heads))]
    for row in table:
        cells = [
            cell.rjust(width) if head in right else cell.ljust(width)
            for head, cell, width in zip(heads, row, widths, strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def write_csv(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write *rows* under *heads* to standard output, as a spreadsheet reads them."""
    sys.stdout.write("".join(csv_row(row) for row in (heads, *rows)))


def csv_row(row: Sequence[str]) -> str:
    """Return *row* as a spreadsheet reads it, with its line end."""
    text = io.StringIO()
    plain = not any(separator in cell for cell in row for separator in _SEPARATORS)
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_MINIMAL if plain else csv.QUOTE_ALL)
    writer.writerow([_inert(cell) for cell in row])
    return text.getvalue()


def _inert(cell: str) -> str:
    """Return *cell* so that a spreadsheet takes it for text and not for a formula: others chose what is in it."""
    looks = cell[:1] in ("=", "+", "@", "\t", "\r", "\n") or (cell[:1] == "-" and not _NUMBER(cell))
    return f"'{cell}" if looks else cell


def many(count: int, word: str) -> str:
    """Return *count* and *word*, with an s where there are several."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
