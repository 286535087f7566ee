"""`eventdefs usage audit`: what a person should look at before an invoice goes out."""

from __future__ import annotations

import argparse
import json
import sys

from eventdefs import cli
from eventdefs.cli.tables import FORMATS, write_csv, write_table
from eventdefs.cli.usage.asking import add_conditions, opened, query_of
from eventdefs.metering.ledger import LedgerSettings
from eventdefs.metering.reports import ODDITIES, Oddity, audit

SHOWN = 10
HEADS = ("meter", "resource", "what")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    add_conditions(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="how it is written (text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write what is odd; return the exit status."""
    with opened(arguments.ledger) as store:
        found = audit(store, query_of(arguments), LedgerSettings().lateness)
    if arguments.format == "json":
        sys.stdout.write(json.dumps([one._asdict() for one in found], ensure_ascii=False, indent=2) + "\n")
    elif arguments.format == "csv":
        write_csv(("kind", *HEADS), [list(one) for one in found])
    else:
        _write_text(found)
    return cli.FINDINGS if found else cli.FINE


def _write_text(found: list[Oddity]) -> None:
    for kind, meaning in ODDITIES.items():
        rows = [[one.meter, one.resource_id, one.text] for one in found if one.kind == kind]
        if rows:
            sys.stdout.write(f"{kind}: {meaning}: {len(rows):,}\n")
            write_table(HEADS, rows[:SHOWN])
            more = len(rows) - SHOWN
            sys.stdout.write(f"and {more:,} more; --format csv writes all\n\n" if more > 0 else "\n")
    if not found:
        sys.stdout.write("nothing to look at\n")
