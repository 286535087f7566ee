"""`eventdefs usage diff` and `apply`: what other definitions would change in past usage, and changing it."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from eventdefs import cli
from eventdefs.cli.tables import many, write_table
from eventdefs.cli.usage import archive
from eventdefs.cli.usage.asking import add_conditions, ledger_on, opened, query_of
from eventdefs.cli.usage.verify import FORMATS, inner_of, write
from eventdefs.errors import LedgerError
from eventdefs.metering.records import DIGITS, decimal_text, nanos_of
from eventdefs.metering.reports import Difference, compare, held_changes, usage_of
from eventdefs.metering.store import Query

HEADS = ("hour", "meter", "resource", "tenant", "dimensions", "now", "then", "unit")


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    if name == "apply":
        parser.add_argument("shadow", metavar="SHADOW", help="the ledger that diff --shadow left")
        add_conditions(parser)
        parser.set_defaults(run=run_apply)
        return
    archive.add_options(parser)
    parser.add_argument("--shadow", metavar="URL", help="keep what the archive gives in this ledger, for apply")
    add_conditions(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="how it is written (text)")
    parser.set_defaults(run=run_diff)


def run_diff(arguments: argparse.Namespace) -> int:
    """Write what would change; return the exit status."""
    raw = archive.Archive(arguments.archive, archive.read_definitions(arguments))
    with opened(arguments.ledger) as store:
        shadow = raw.count(arguments.shadow or "memory://")
        query = query_of(arguments)
        comparison = compare(store, shadow.store, query, inner_of(query, raw.inner()))
        shadow.close()
    raw.complain()
    write(comparison, arguments.format, HEADS)
    if arguments.format == "text":
        _write_sums([one for one in comparison.differences if not one.edge])
    return cli.FINDINGS if any(not one.edge for one in comparison.differences) else cli.FINE


def _write_sums(differences: list[Difference]) -> None:
    """Write how much changes, by meter and tenant."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for one in differences:
        key = (one.meter, one.group.project_id or "", one.unit)
        sums[key] += nanos_of(one.other, one.unit) - nanos_of(one.micros, one.unit)
    rows = [[meter, tenant, _signed(nanos), unit] for (meter, tenant, unit), nanos in sorted(sums.items())]
    if rows:
        write_table(("meter", "tenant", "change", "unit"), rows, frozenset(("change",)))


def _signed(nanos: int) -> str:
    text = decimal_text(nanos, DIGITS)
    return f"+{text}" if nanos > 0 else text


def run_apply(arguments: argparse.Namespace) -> int:
    """Take over what the shadow says; return the exit status."""
    query = query_of(arguments)
    if query.begin is None or query.end is None:
        raise LedgerError("apply needs --from and --to, or --month: nothing else of the past is touched")
    if (query.meter, query.resource_id, query.project_id) != (None, None, None):
        raise LedgerError("apply takes over whole hours; --meter, --resource and --tenant cannot be used with it")
    with opened(arguments.ledger) as store, opened(arguments.shadow) as shadow:
        held = sum(1 for _ in held_changes(store))
        first = next(usage_of(shadow, Query()), None)
        counts = ledger_on(store).replace(
            shadow, query.begin, query.end, "" if first is None else first.evidence.definitions
        )
        held = sum(1 for _ in held_changes(store)) - held
    sys.stdout.write(f"{many(counts.usage, 'record')} of usage; the next run on this ledger publishes them\n")
    if held:
        sys.stdout.write(f"{many(held, 'correction')} of a closed month held; see usage approve\n")
    return cli.FINE
