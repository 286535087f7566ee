"""Figures of the ledger: claims a second in memory and durable, beside doing less with the same claims in one run.

The claims are those of Trove: each database claims the hour before each minute. `spread` is the hard case: no two
claims of a batch are of one database.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from eventdefs.metering import Ledger, open_ledger
from eventdefs.metering.sql import SQLStore
from eventdefs.types import Period

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BATCH = 1000
ROUNDS = 5
SERVERS = ("EVENTDEFS_POSTGRESQL_URL", "EVENTDEFS_MYSQL_URL")


def claims(databases: int, minutes: range) -> list[Period]:
    """Return what *databases* claim in *minutes* since the year began."""
    return [
        Period(
            "database.uptime",
            "h",
            f"{number:08x}-5114-4889-91e2-4096258c3a19",
            f"{number % 50:032x}",
            None,
            end - HOUR,
            end,
            None,
            end,
            {"flavor": "98e14c38-f062-4462-bf10-ae58544c16a3"},
            f"{minute:08x}-5114-4889-91e2-{number:012x}",
            f"c-{minute}-{number}",
        )
        for minute in minutes
        for number in range(databases)
        for end in [START + timedelta(minutes=minute, seconds=number % 60)]
    ]


def seconds(ledger: Ledger, periods: list[Period]) -> float:
    began = time.perf_counter()
    for first in range(0, len(periods), BATCH):
        ledger.add(periods[first : first + BATCH])
    return time.perf_counter() - began


def adding_up(periods: list[Period]) -> float:
    """Return how long the naive sum takes: the lengths of claims by resource and hour, every repetition billed."""
    began = time.perf_counter()
    sums: dict[tuple[str, str, datetime], timedelta] = {}
    for period in periods:
        key = (period.meter, period.resource_id, period.end.replace(minute=0, second=0))
        sums[key] = sums.get(key, timedelta()) + (period.end - period.begin)
    return time.perf_counter() - began


def inserting(path: Path, periods: list[Period]) -> float:
    """Return how long it takes to insert the same claims as rows, durable with each batch."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE claims (resource, project, begin, end, flavor, message PRIMARY KEY)")
    began = time.perf_counter()
    for first in range(0, len(periods), BATCH):
        rows = [
            (
                one.resource_id,
                one.project_id,
                one.begin.isoformat(),
                one.end.isoformat(),
                one.dimensions["flavor"],
                one.message_id,
            )
            for one in periods[first : first + BATCH]
        ]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO claims VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    taken = time.perf_counter() - began
    connection.close()
    return taken


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="eventdefs-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _rates(what: str, count: int, ours: Callable[[], float], reference: Callable[[], float], than: str) -> str:
    pairs = [(ours(), reference()) for _ in range(ROUNDS)]
    rate = statistics.median(count / own for own, _ in pairs)
    least, most = min(count / own for own, _ in pairs), max(count / own for own, _ in pairs)
    times = statistics.median(own / theirs for own, theirs in pairs)
    return f"{what:46} {rate:9,.0f}/s ({least:,.0f} to {most:,.0f}), {times:.1f} times as long as {than}"


def bench_memory() -> Iterator[str]:
    """Claims in memory, on one core."""
    for name, databases, minutes in (("100 databases", 100, 1000), ("spread over 2,000 databases", 2000, 60)):
        periods = claims(databases, range(60, 60 + minutes))
        yield _rates(
            f"ledger in memory, {name}",
            len(periods),
            lambda periods=periods: seconds(Ledger(), periods),
            lambda periods=periods: adding_up(periods),
            "adding up",
        )


def bench_durable() -> Iterator[str]:
    """Claims in SQLite, and in the servers that the environment names; a batch of 1,000 is a transaction."""
    for name, databases, minutes in (("100 databases", 100, 400), ("spread over 2,000 databases", 2000, 40)):
        periods = claims(databases, range(60, 60 + minutes))
        with folder() as place:
            numbers = iter(range(10**6))

            def ours(periods: list[Period] = periods, place: Path = place, numbers: Iterator[int] = numbers) -> float:
                ledger = open_ledger(f"sqlite:///{place}/ledger-{next(numbers)}.db")
                try:
                    return seconds(ledger, periods)
                finally:
                    ledger.close()

            def reference(
                periods: list[Period] = periods, place: Path = place, numbers: Iterator[int] = numbers
            ) -> float:
                return inserting(place / f"rows-{next(numbers)}.db", periods)

            yield _rates(f"ledger in SQLite, {name}", len(periods), ours, reference, "inserting rows")
    for variable in SERVERS:
        if url := os.environ.get(variable):
            periods = claims(100, range(60, 260))
            ledger = open_ledger(url)
            rate = len(periods) / seconds(ledger, periods)
            ledger.close()
            yield f"ledger in {url.partition(':')[0]}, 100 databases{'':17} {rate:9,.0f}/s"


def bench_year() -> Iterator[str]:
    """The state of one database that claims each minute of a year."""
    with folder() as place:
        ledger = open_ledger(f"sqlite:///{place}/ledger.db")
        assert isinstance(ledger.store, SQLStore)
        for month in range(1, 13):
            for day in range((month - 1) * 30, month * 30):
                ledger.add(claims(1, range(60 + day * 1440, 60 + (day + 1) * 1440)))
            if month in (1, 2, 6, 12):
                with ledger.store._read() as connection:
                    count, size = connection.execute(
                        sa.text("SELECT count(*), sum(length(state)) FROM ledger_hours")
                    ).one()
                text = f"{count:,} hours, {size:,} bytes, {size / count:.0f} an hour"
                yield f"{f'state of a database after month {month}':46} {text}"
        ledger.close()
