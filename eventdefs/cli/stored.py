"""What `eventdefs events` and `eventdefs samples` have in common: what is asked for, and how it is written."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from eventdefs import cli
from eventdefs.cli.arguments import moment
from eventdefs.cli.tables import FORMATS, csv_row
from eventdefs.definitions.patterns import Pattern, parse_pattern
from eventdefs.encode import encode_event, write_json
from eventdefs.errors import EventdefsError
from eventdefs.stores import EventQuery, Kind, SampleQuery, Store, open_store
from eventdefs.stores.conditions import Condition, parse_condition
from eventdefs.types import Event

INTERVAL = 0.5
LONGEST = 86_400
"""Seconds that `--follow` may wait."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of both commands."""
    parser._negative_number_matcher = re.compile(r"-\d+(s|min|h|d)?$")  # so that -2h is a value, no option
    parser.add_argument("url", metavar="URL", help="the store, as sqlite:///events.db")
    parser.add_argument("--from", dest="begin", type=moment, metavar="TIME", help="then or later; -2h is two hours ago")
    parser.add_argument("--to", dest="end", type=moment, metavar="TIME", help="before then")
    parser.add_argument("--tenant", metavar="ID", help="only this project's; '' for nobody's")
    parser.add_argument(
        "--where", action="append", default=[], type=_condition, metavar="CONDITION", help="as size>=10; all must hold"
    )
    parser.add_argument("--newest", type=_count, metavar="N", help="only the last N")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is published later, until Ctrl-C")
    parser.add_argument(
        "--interval", type=float, default=INTERVAL, metavar="SECONDS", help=f"how often --follow looks ({INTERVAL})"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="how it is written (text)")


def _condition(text: str) -> Condition:
    try:
        condition = parse_condition(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    try:
        return condition._replace(time=moment(condition.text))
    except argparse.ArgumentTypeError:  # which it need not be, where no time is compared with it
        return condition


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def pattern_of(globs: Sequence[str] | None) -> Pattern | None:
    """Return the pattern that *globs* are, each perhaps with `!`; None without any."""
    return parse_pattern(list(globs)) if globs else None


def show(
    arguments: argparse.Namespace,
    query: EventQuery | SampleQuery,
    ask: Callable[[Store, Any], Iterator[tuple[int, Any]]],
    kind: Kind,
    heads: Sequence[str],
    row: Callable[[Any], Sequence[str]],
    line: Callable[[Any], str],
) -> int:
    """Write what *query* asks for, and with `--follow` what is published later; return the exit status.

    What is there comes in the order of time, what is published later as it is committed. A sequence parts the two.
    """
    if not 0 < arguments.interval <= LONGEST:
        raise EventdefsError(f"--interval is a time above 0, and at most {LONGEST} s")
    if query.begin is not None and query.end is not None and query.begin >= query.end:
        raise EventdefsError("there is no time from --from to --to: one must be before the other")
    store = open_store(arguments.url)
    write = _writer(arguments.format, heads, row, line)
    try:
        while True:
            last = store.last(kind)
            for _, one in ask(store, query._replace(through=last)):
                write(one)
            if not arguments.follow:
                return cli.FINE
            sys.stdout.flush()
            query = query._replace(after=last, newest=None, by="sequence")
            time.sleep(arguments.interval)
    except KeyboardInterrupt:
        if not arguments.follow:
            raise
        return cli.FINE
    finally:
        store.close()


def _writer(
    form: str, heads: Sequence[str], row: Callable[[Any], Sequence[str]], line: Callable[[Any], str]
) -> Callable[[Any], object]:
    out = sys.stdout
    if form == "csv":
        out.write(csv_row(heads))
        return lambda one: out.write(csv_row(row(one)))
    if form == "json":
        return lambda one: out.write((encode_event(one) if isinstance(one, Event) else write_json(one)).decode() + "\n")
    return lambda one: out.write(line(one) + "\n")
