"""`eventdefs usage list`: sums of hours."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from eventdefs.cli.tables import FORMATS, many, write_csv, write_table
from eventdefs.cli.usage.asking import add_conditions, opened, query_of, through
from eventdefs.metering.records import DIGITS, decimal_text
from eventdefs.metering.reports import DIMENSIONS, Sums, Total, usage_of

_BY = ("tenant", "resource", "meter", "dimensions")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_conditions(parser)
    parser.add_argument(
        "--by", nargs="+", choices=DIMENSIONS, default=_BY, metavar="WHAT", help=f"split by {', '.join(DIMENSIONS)}"
    )
    parser.add_argument(
        "--as-of", metavar="TIME", help="as it was recorded up to a time, or a sequence; the same for ever"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="how it is written (text)")
    parser.add_argument(
        "--plot", nargs="?", const="", metavar="FILE", help="draw the hours, here or in a .png or .svg file"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the sums; return the exit status."""
    with opened(arguments.ledger) as store:
        query = query_of(arguments)._replace(through=through(store, arguments.as_of))
        if arguments.plot is not None:
            from eventdefs.cli.usage import plot

            return plot.draw(list(usage_of(store, query)), arguments.plot)
        split, sums, sequence = Sums(arguments.by), Sums(("meter",)), 0
        for record in usage_of(store, query):
            split.add(record)
            sums.add(record)
            sequence = record.sequence
    _WRITERS[arguments.format](tuple(arguments.by), split.totals(), sums.totals(), sequence)
    return 0


def _quantity(total: Total) -> str:
    return decimal_text(total.nanos, DIGITS)


def _write_text(by: tuple[str, ...], split: list[Total], sums: list[Total], sequence: int) -> None:
    if not split:
        sys.stdout.write("no usage\n")
        return
    rows = [[*total.key, _quantity(total), total.unit, f"{total.hours:,}"] for total in split]
    write_table([*by, "quantity", "unit", "hours"], rows, frozenset(("quantity", "hours")))
    for total in sums:
        sys.stdout.write(
            f"total {total.key[0]}: {_quantity(total)} {total.unit} in {many(total.hours, 'hour')} of resources\n"
        )


def _write_json(by: tuple[str, ...], split: list[Total], sums: list[Total], sequence: int) -> None:
    def row(names: tuple[str, ...], total: Total) -> dict[str, Any]:
        named = dict(zip(names, total.key, strict=True))
        return {**named, "quantity": _quantity(total), "unit": total.unit, "hours": total.hours}

    document = {
        "rows": [row(by, total) for total in split],
        "totals": [row(("meter",), total) for total in sums],
        "sequence": sequence,
    }
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def _write_csv(by: tuple[str, ...], split: list[Total], sums: list[Total], sequence: int) -> None:
    rows = [[*total.key, _quantity(total), total.unit, str(total.hours)] for total in split]
    write_csv([*by, "quantity", "unit", "hours"], rows)


_WRITERS = {"text": _write_text, "json": _write_json, "csv": _write_csv}
