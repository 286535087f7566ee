"""`eventdefs usage close` and `approve`: a month that was billed is not corrected without a word."""

from __future__ import annotations

import argparse
import sys

from eventdefs import cli
from eventdefs.cli.tables import many, write_table
from eventdefs.cli.usage.asking import ledger_on, opened
from eventdefs.cli.usage.verify import row_of
from eventdefs.metering.claims import to_time
from eventdefs.metering.ledger import month_of, month_span
from eventdefs.metering.records import DIGITS, decimal_text
from eventdefs.metering.reports import held_changes, totals, usage_of
from eventdefs.metering.store import Query

HEADS = ("hour", "meter", "resource", "tenant", "dimensions", "recorded", "corrected", "unit")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("month", metavar="MONTH", help="as 2026-08, in UTC")
    if name == "close":
        parser.set_defaults(run=run_close)
        return
    parser.add_argument("--dry-run", action="store_true", help="show what is held, and record nothing")
    parser.set_defaults(run=run_approve)


def run_close(arguments: argparse.Namespace) -> int:
    """Close the month, and write its sums; return the exit status."""
    with opened(arguments.ledger) as store:
        ledger_on(store).close_month(arguments.month)
        begin, end = (to_time(micros) for micros in month_span(arguments.month))
        usage = list(usage_of(store, Query(begin=begin, end=end)))
    sys.stdout.write(f"{arguments.month} is closed: later corrections are held\n")
    for total in totals(usage, ("meter",)):
        quantity = decimal_text(total.nanos, DIGITS)
        sys.stdout.write(f"total {total.key[0]}: {quantity} {total.unit} in {many(total.hours, 'hour')} of resources\n")
    return cli.FINE


def run_approve(arguments: argparse.Namespace) -> int:
    """Show what is held, and record it; return the exit status."""
    month_span(arguments.month)
    with opened(arguments.ledger) as store:
        held = [change for change in held_changes(store) if month_of(change.hour) == arguments.month]
        if held:
            write_table(HEADS, [row_of(change) for change in held], frozenset(("recorded", "corrected")))
        if arguments.dry_run:
            sys.stdout.write(f"{many(len(held), 'correction')} held\n")
            return cli.FINDINGS if held else cli.FINE
        counts = ledger_on(store).approve(arguments.month)
    sys.stdout.write(f"{many(counts.usage, 'record')} of usage; the next run on this ledger publishes them\n")
    return cli.FINE
