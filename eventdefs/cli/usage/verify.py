"""`eventdefs usage verify`: hours recomputed from raw notifications, and compared with what the ledger recorded."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from eventdefs import cli
from eventdefs.cli.tables import write_csv, write_table
from eventdefs.cli.usage import archive
from eventdefs.cli.usage.asking import add_conditions, opened, query_of
from eventdefs.metering.claims import to_time
from eventdefs.metering.records import DIGITS, decimal_text, nanos_of
from eventdefs.metering.reports import Comparison, Difference, compare, dimensions_text
from eventdefs.metering.store import Query

SHOWN = 20
HEADS = ("hour", "meter", "resource", "tenant", "dimensions", "ledger", "archive", "unit")
RIGHT = frozenset(("ledger", "archive"))
FORMATS = ("text", "json", "csv")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    archive.add_options(parser)
    add_conditions(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="how it is written (text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and write what differs; return the exit status."""
    raw = archive.Archive(arguments.archive, archive.read_definitions(arguments))
    with opened(arguments.ledger) as store:
        shadow = raw.count()
        query = query_of(arguments)
        comparison = compare(store, shadow.store, query, inner_of(query, raw.inner()))
    raw.complain()
    write(comparison, arguments.format, HEADS)
    found = any(not difference.edge for difference in comparison.differences)
    return cli.FINDINGS if found or raw.unread or raw.problems else cli.FINE


def inner_of(query: Query, inner: tuple[int, int]) -> tuple[int, int]:
    """Return which hours must be the same: those that were asked for, else those that the archive has whole."""
    return (0, 1 << 62) if query.begin is not None and query.end is not None else inner


def row_of(difference: Difference) -> list[str]:
    unit = difference.unit
    one, other = (decimal_text(nanos_of(micros, unit), DIGITS) for micros in (difference.micros, difference.other))
    return [
        f"{to_time(difference.hour):%Y-%m-%dT%H:%MZ}",
        difference.meter,
        difference.resource_id,
        difference.group.project_id or "",
        dimensions_text(difference.group.dimensions),
        one,
        other,
        unit,
    ]


def write(comparison: Comparison, form: str, heads: tuple[str, ...]) -> None:
    """Write what two ledgers say differently."""
    differences = comparison.differences
    if form == "csv":
        write_csv(heads, [row_of(one) for one in differences])
        return
    inner = [one for one in differences if not one.edge]
    edge = len(differences) - len(inner)
    if form == "json":
        document: dict[str, Any] = {
            "equal": comparison.equal,
            "differences": [{**dict(zip(heads, row_of(one), strict=True)), "edge": one.edge} for one in differences],
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        return
    if inner:
        right = frozenset(heads[5:7])
        write_table(heads, [row_of(one) for one in inner[:SHOWN]], right)
        if len(inner) > SHOWN:
            sys.stdout.write(f"and {len(inner) - SHOWN:,} more; --format csv writes all\n")
    sys.stdout.write(f"{comparison.equal:,} hours are equal, {len(inner):,} differ\n")
    if edge:
        sys.stdout.write(
            f"{edge:,} differ at the edge of the archive, where it may lack some; --from and --to compare them too\n"
        )
