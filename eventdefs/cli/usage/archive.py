"""Recorded notifications to claims, and to a ledger of their own that other ledgers are compared with."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from eventdefs.cli.tables import many
from eventdefs.consumers.files import find_files, read_notifications
from eventdefs.definitions import Definitions, load_definitions
from eventdefs.errors import DecodeError, LedgerError
from eventdefs.metering import open_ledger
from eventdefs.metering.claims import HOUR, to_micros
from eventdefs.metering.ledger import Ledger, LedgerSettings
from eventdefs.types import Notification, Period, Place

BATCH = 5000
FOREVER = timedelta(days=36500)


def add_options(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options that name recorded notifications and the definitions they are read with."""
    parser.add_argument(
        "--archive",
        nargs="+",
        action="extend",
        required=required,
        metavar="PATH",
        help="files and directories of recorded notifications",
    )
    parser.add_argument(
        "--definitions",
        nargs="+",
        action="extend",
        metavar="PATH",
        help="definition files, instead of the shipped ones",
    )


def read_definitions(arguments: argparse.Namespace) -> Definitions:
    return load_definitions(*arguments.definitions or ())


class Archive:
    """Recorded notifications.

    Attributes:
        read: how many notifications there were.
        unread: what could not be read, and how often.
        problems: how many could not be read in part.
        first, last: when the first and the last were sent.
        longest: the longest claim.
    """

    def __init__(self, paths: list[str], definitions: Definitions) -> None:
        self._files = find_files(paths)
        self._definitions = definitions
        self.read = 0
        self.unread: Counter[str] = Counter()
        self.problems = 0
        self.first = datetime.max.replace(tzinfo=UTC)
        self.last = datetime.min.replace(tzinfo=UTC)
        self.longest = timedelta()

    def claims(self) -> Iterator[tuple[Place, Notification, Period]]:
        """Yield each claim, with its notification and where that stands."""
        for file in self._files:
            for place, notification in read_notifications(file):
                if isinstance(notification, DecodeError):
                    self.unread[notification.reason[:200]] += 1
                    continue
                self.read += 1
                self.first = min(self.first, notification.timestamp)
                self.last = max(self.last, notification.timestamp)
                conversion = self._definitions.convert(notification)
                self.problems += any(problem.kind == "period" for problem in conversion.problems)
                for period in conversion.periods:
                    self.longest = max(self.longest, period.end - period.begin)
                    yield place, notification, period

    def count(self, url: str = "memory://") -> Ledger:
        """Return a ledger of its own that has counted all claims."""
        settings = LedgerSettings(keep_open=FOREVER)
        ledger = open_ledger(url, settings, definitions=self._definitions.fingerprint)
        if ledger.store.progress().sequence or next(ledger.store.all_resources(), None):
            raise LedgerError(f"{url} has counted something: a shadow must be new")
        batch: list[Period] = []
        for _, _, period in self.claims():
            batch.append(period)
            if len(batch) >= BATCH:
                ledger.add(batch)
                batch = []
        ledger.add(batch)
        ledger.finish()
        return ledger

    def inner(self) -> tuple[int, int]:
        """Return the hours of which it has every notification that can tell of them, as far as it can be told."""
        if not self.read:
            return 0, 0
        begin, end = to_micros(self.first), to_micros(self.last - self.longest)
        return begin + -begin % HOUR, end - end % HOUR

    def complain(self) -> None:
        """Say on standard error what could not be read."""
        for reason, count in self.unread.most_common(10):
            sys.stderr.write(f"eventdefs: {count:,} not a notification: {reason}\n")
        if self.problems:
            sys.stderr.write(
                f"eventdefs: {many(self.problems, 'notification')} without a claim for a problem; run them to see\n"
            )
