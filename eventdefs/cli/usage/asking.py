"""What the commands below `eventdefs usage` have in common: which records are asked for, and where they stand."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from eventdefs.cli.arguments import moment
from eventdefs.errors import LedgerError
from eventdefs.metering.claims import to_time
from eventdefs.metering.ledger import Ledger, LedgerSettings, month_span
from eventdefs.metering.sql import SQLStore
from eventdefs.metering.store import Query, Store


def add_conditions(parser: argparse.ArgumentParser, *, times: bool = True) -> None:
    """Add the options that say which records are asked for."""
    parser.add_argument("--meter", metavar="NAME", help="only this meter")
    parser.add_argument("--resource", metavar="ID", help="only this resource")
    parser.add_argument("--tenant", metavar="ID", help="only this project")
    if times:
        parser._negative_number_matcher = re.compile(r"-\d+(s|min|h|d)?$")  # so that -2h is a value, no option
        parser.add_argument("--month", metavar="MONTH", help="only hours of this month, as 2026-08, in UTC")
        parser.add_argument(
            "--from", dest="begin", type=moment, metavar="TIME", help="only hours that begin then or later"
        )
        parser.add_argument("--to", dest="end", type=moment, metavar="TIME", help="only hours that begin before")


def query_of(arguments: argparse.Namespace) -> Query:
    """Return what *arguments* ask for."""
    begin, end = arguments.begin, arguments.end
    if arguments.month is not None:
        first, last = (to_time(micros) for micros in month_span(arguments.month))
        begin = first if begin is None else max(begin, first)
        end = last if end is None else min(end, last)
    if begin is not None and end is not None and begin >= end:
        raise LedgerError(f"there is no time from {begin.isoformat()} to {end.isoformat()}")
    return Query(("usage",), arguments.meter, arguments.resource, arguments.tenant, begin, end)


def through(store: Store, as_of: str | None) -> int | None:
    """Return the last sequence that counts *as_of* a time or a sequence; None for all.

    Raises:
        LedgerError: it is neither, or lies in the future.
    """
    if as_of is None:
        return None
    if as_of.isdecimal() and len(as_of) < 19:
        sequence = int(as_of)
        if sequence > store.progress().sequence:
            raise LedgerError(f"--as-of {as_of} is in the future: more may be recorded until then")
        return sequence
    try:
        time = moment(as_of)
    except argparse.ArgumentTypeError as error:
        raise LedgerError(f"--as-of {error}, nor a sequence") from None
    if time > datetime.now(UTC):
        raise LedgerError(f"--as-of {as_of} is in the future: more may be recorded until then")
    return store.sequence_at(time)


@contextmanager
def opened(url: str) -> Iterator[SQLStore]:
    """Open the store of a ledger that is there already.

    Raises:
        LedgerError: there is none.
    """
    store = SQLStore(url, create=False)
    try:
        yield store
    finally:
        store.close()


def ledger_on(store: Store, definitions: str = "") -> Ledger:
    return Ledger(store, LedgerSettings(), definitions=definitions)


def hour_of(text: str) -> datetime:
    """Read the hour that *text* is in, as ``2026-08-03T08`` or a time within it."""
    if len(text) == 13:
        text += ":00"
    time = moment(text)
    if time.year == 9999:
        raise argparse.ArgumentTypeError(f"{text!r} is too late")
    return time - timedelta(minutes=time.minute, seconds=time.second, microseconds=time.microsecond)
