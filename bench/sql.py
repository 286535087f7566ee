"""Figures of `sqlite://`, `postgresql://` and `mysql://`: publishing, beside writing ready rows with the bare driver.

Both write the same rows to the same tables, a batch a transaction, in turn. Bare is `executemany` of an INSERT of one
row; ours makes the rows of the events, waits for its turn and finds out what was there already. Servers are those
that the environment names, whose tables keep what they are given, else some that are started for it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.measure import compare_publishing
from eventdefs.publishers import open_publisher
from eventdefs.publishers.sql.rows import Row, rows_of
from eventdefs.publishers.sql.tables import EVENTS, TRAITS, WRITER, columns_of
from eventdefs.sqlitefile import prepare
from eventdefs.types import Batch, Event
from tests.servers import NotInstalled, mariadb_server, postgresql_server

SERVERS = {"EVENTDEFS_POSTGRESQL_URL": postgresql_server, "EVENTDEFS_MYSQL_URL": mariadb_server}
BATCHES, SIZE = 10, 500
ROUNDS = 7
_SENT = datetime(2026, 8, 1, tzinfo=UTC)
_runs = count(time.time_ns())


def events(run: int) -> list[list[Event]]:
    """Return batches of events such as those of instances, with ten traits each, of ids that only *run* has."""
    made = [
        Event(
            f"{run:016x}-{number:08x}",
            "compute.instance.create.end",
            _SENT + timedelta(seconds=number),
            f"{number % 50:032x}",
            "info",
            "compute.host-17",
            {
                "service": "compute.host-17",
                "tenant_id": f"{number % 50:032x}",
                "user_id": f"{number % 400:032x}",
                "instance_id": f"{number:08x}-5114-4889-91e2-4096258c3a19",
                "state": "active",
                "instance_type": "m1.medium",
                "memory_mb": 4096,
                "disk_gb": 40,
                "vcpus": 2,
                "launched_at": _SENT + timedelta(seconds=number),
            },
        )
        for number in range(BATCHES * SIZE)
    ]
    return [made[first : first + SIZE] for first in range(0, len(made), SIZE)]


class Bare:
    """Writes ready rows to the tables that a publisher made, through the driver alone."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._connection: Any = None
        if self._is_sqlite:
            self._connection = sqlite3.connect(str(engine.url.database), isolation_level=None)
            prepare(self._connection, 60.0)
        else:
            self._connection = engine.raw_connection()

    def _insert(self, table: sa.Table) -> str:
        names = [
            self._engine.dialect.identifier_preparer.quote(one.name) for one in columns_of(table, self._engine.dialect)
        ]
        mark = "?" if self._is_sqlite else "%s"
        return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"

    def _last(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(EVENTS.c.sequence), 0))).scalar_one())

    def seconds(self, batches: list[list[Event]]) -> float:
        """Return how long it takes to write the rows of *batches*, which are made before."""
        last = self._last()
        ready: list[tuple[list[Row], list[Row]]] = []
        for batch in batches:
            rows = rows_of(Batch(batch), digests=not self._is_sqlite)["events"]
            numbered = list(enumerate(rows, last + 1))
            traits = [(sequence, *trait) for sequence, row in numbered for trait in row[-1]]
            ready.append(([(sequence, *row[:-1]) for sequence, row in numbered], traits))
            last += len(rows)
        into_events, into_traits = self._insert(EVENTS), self._insert(TRAITS)
        cursor = self._connection.cursor()
        began = time.perf_counter()
        for rows, traits in ready:
            if self._is_sqlite:
                cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(into_events, rows)
            cursor.executemany(into_traits, traits)
            self._connection.commit()
        taken = time.perf_counter() - began
        if not self._is_sqlite:  # so that the publisher goes on after these
            with self._engine.begin() as connection:
                connection.execute(sa.update(WRITER).values(events=last))
        return taken

    def close(self) -> None:
        self._connection.close()


def _publishing(publisher: Any, batches: Callable[[], list[list[Event]]]) -> float:
    given = [Batch(batch) for batch in batches()]
    began = time.perf_counter()
    for batch in given:
        publisher.publish(batch)
    return time.perf_counter() - began


def _line(url: str) -> str:
    publisher: Any = open_publisher(url)
    publisher.publish(Batch(events(next(_runs))[0][:1]))
    bare = Bare(publisher._engine)
    try:
        ratio = compare_publishing(
            lambda: _publishing(publisher, lambda: events(next(_runs))),
            lambda: bare.seconds(events(next(_runs))),
            ROUNDS,
        )
    finally:
        bare.close()
        publisher.close()
    number = BATCHES * SIZE
    what = f"{url.partition(':')[0]}, batches of {SIZE} / bare executemany"
    spread = f"({ratio.least:.2f} to {ratio.most:.2f})"
    rates = f"{number / ratio.ours:,.0f}/s against {number / ratio.reference:,.0f}/s"
    return f"{what:46} {ratio.median:7.2f} {spread:18} {rates}   goal 0.6"


def bench_sql() -> Iterator[str]:
    """Events with ten traits each, in SQLite, and in servers: those that the environment names, else our own."""
    with tempfile.TemporaryDirectory(prefix="eventdefs-bench-") as folder:
        yield _line(f"sqlite:///{Path(folder)}/events.db")
    for variable, start in SERVERS.items():
        if url := os.environ.get(variable):
            yield _line(url)
            continue
        try:
            with start() as server:
                yield _line(server.address)
        except NotInstalled as error:
            yield str(error)
