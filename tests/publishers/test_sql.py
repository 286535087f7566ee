"""`sqlite://`, `postgresql://`, `mysql://`: real databases, stopped, restarted, written by two at once, and hostile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.pool import NullPool

from eventdefs import (
    Batch,
    Event,
    LedgerError,
    Period,
    Publisher,
    PublisherURLError,
    RetryableDeliveryError,
    Sample,
    Usage,
    open_ledger,
    open_publisher,
)
from eventdefs.decode import decode_event
from eventdefs.errors import AccessDeniedError, DeliveryError, PermanentDeliveryError
from eventdefs.publishers import Delivered
from eventdefs.publishers.sql import SCHEMA_VERSION, VERSION_TABLE
from eventdefs.publishers.sql.migrations.v3_traits import _traits
from eventdefs.publishers.sql.rows import event_row
from eventdefs.publishers.sql.tables import METADATA, STORED, TABLES, WRITER
from eventdefs.publishers.urls import parse_url, read_options
from eventdefs.sqldatabase import OPTIONS, engine_of
from eventdefs.stores import EventQuery, SampleQuery, open_store
from eventdefs.testing import PublisherContract, Target, everything, free_port
from eventdefs.times import parse_time
from eventdefs.types import TRAIT_TYPES, Evidence, Item, Record
from tests import servers
from tests.making import SENT, closure, event, gap, period, refusal, sample, usage
from tests.servers import NotInstalled, Server, certificates, give, mariadb_server, postgresql_server, unavailable

KINDS = ("sqlite", "postgresql", "mariadb")
SERVERS = KINDS[1:]
_VARIABLES = {"postgresql": "EVENTDEFS_POSTGRESQL_URL", "mariadb": "EVENTDEFS_MYSQL_URL"}


class Database(NamedTuple):
    """An empty database: the URL of its publisher, and what asks it past the publisher.

    Attributes:
        server: what runs it, None of SQLite and of a server that was given.
    """

    kind: str
    url: str
    engine: sa.Engine
    server: Server | None = None

    def open(self, options: str = "") -> Any:
        return open_publisher(self.url + options)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def column(self, statement: str) -> list[Any]:
        return [value for (value,) in self.rows(statement)]

    def do(self, *statements: str) -> None:
        with self.engine.connect() as connection, connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement)

    def ids(self) -> list[str]:
        """Return the ids that are there, of all tables."""
        found = [f"{tenant}/{name}" for tenant, name in self.rows("SELECT tenant, message_id FROM events")]
        for table in STORED[1:]:
            found += self.column(f"SELECT id FROM {self.quoted(table.name)}")
        return sorted(found)

    def quoted(self, name: str) -> str:
        return str(self.engine.dialect.identifier_preparer.quote(name))

    def tables(self) -> set[str]:
        return set(sa.inspect(self.engine).get_table_names())


def _asking(url: str) -> sa.Engine:
    """Return an engine without what the publisher's sets: it waits for nobody and keeps no connection."""
    parsed = parse_url(url)
    address = engine_of(parsed, read_options(parsed, OPTIONS[parsed.scheme])).url
    return sa.create_engine(address, poolclass=NullPool)


@contextmanager
def _secured(kind: str) -> Iterator[Server]:
    """Run a server that speaks TLS too, and knows a user `tls` with a password who must use it."""
    with (postgresql_server if kind == "postgresql" else mariadb_server)() as server:
        files = certificates(server.folder)
        files.key.chmod(0o600)
        give(server.folder, "postgres" if kind == "postgresql" else "mysql")
        server.stop()
        if kind == "postgresql":
            names = {"ssl": "on", "ssl_cert_file": files.certificate, "ssl_key_file": files.key}
            server.command += [word for name, value in names.items() for word in ("-c", f"{name}={value}")]
            rules = server.folder / "data" / "pg_hba.conf"
            rules.write_text("hostssl all tls all scram-sha-256\nhost all tls all reject\n" + rules.read_text())
        else:
            server.command += [f"--ssl-cert={files.certificate}", f"--ssl-key={files.key}", f"--ssl-ca={files.ca}"]
        server.start()
        yield server


_running: dict[str, Server] = {}


@pytest.fixture(scope="module", autouse=True)
def _servers() -> Iterator[None]:
    """Stop the servers that the tests of this module started."""
    with contextlib.ExitStack() as stack:
        _starting.append(stack)
        yield
        _starting.pop()
        _running.clear()


_starting: list[contextlib.ExitStack] = []


def own_server(kind: str) -> Server:
    """Return the server of this module that can be stopped; it is started when it is asked for first."""
    if kind not in _running:
        try:
            _running[kind] = _starting[0].enter_context(_secured(kind))
        except NotInstalled as error:
            unavailable(str(error))
    return _running[kind]


def emptied(database: Database) -> Database:
    """Remove what another test left."""
    with database.engine.connect() as connection, connection.begin():
        for name in database.tables() & {*TABLES, VERSION_TABLE}:
            connection.exec_driver_sql(f"DROP TABLE {database.quoted(name)}")
    return database


def database_of(kind: str, folder: Path) -> Database:
    if kind == "sqlite":
        url = f"sqlite:///{folder}/s.db"
        return Database(kind, url, sa.create_engine(f"sqlite:///{folder}/s.db", poolclass=NullPool))
    if given := os.environ.get(_VARIABLES[kind]):
        return emptied(Database(kind, given, _asking(given)))
    server = own_server(kind)
    return emptied(Database(kind, server.address, _asking(server.address), server))


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind."""
    return database_of(request.param, tmp_path)


@pytest.fixture(params=SERVERS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind of server."""
    return database_of(request.param, tmp_path)


@pytest.fixture(params=SERVERS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of a server that this module may stop and set up."""
    server = own_server(request.param)
    return emptied(Database(request.param, server.address, _asking(server.address), server))


@pytest.fixture
def file(tmp_path: Path) -> Database:
    """A SQLite file that is not there yet."""
    return database_of("sqlite", tmp_path)


# --- what every publisher owes ---------------------------------------------------------------------------------------


def received(database: Database) -> Iterator[Item]:
    """Yield what is stored, as values, in the order of the sequence."""
    if "events" not in database.tables():
        return
    for table in STORED:
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql(f"SELECT * FROM {database.quoted(table.name)} ORDER BY sequence")
            for row in rows.mappings():
                yield READERS[table.name](dict(row))


def _event(row: dict[str, Any]) -> Event:
    traits = json.loads(row["traits"])
    for name, kind in json.loads(row["types"] or "{}").items():
        traits[name] = TRAIT_TYPES[kind].coerce(traits[name])
    names = ("message_id", "event_type", "priority", "publisher_id")
    more = {"generated": parse_time(row["generated"]), "tenant": row["tenant"] or None}
    return Event(**{name: row[name] for name in names}, **more, traits=traits, raw=json.loads(row["raw"] or "{}"))


def _sample(row: dict[str, Any]) -> Sample:
    volume, exact = row["volume"], row["volume_text"]
    whole = int(volume) if float(volume).is_integer() else volume
    values = {name: row[name] for name in Sample.__struct_fields__}
    values |= {"volume": whole if exact is None else json.loads(exact), "metadata": json.loads(row["metadata"])}
    return Sample(**values | {"timestamp": parse_time(row["timestamp"])})


def _period(row: dict[str, Any]) -> Period:
    values = {name: row[name] for name in Period.__struct_fields__}
    times = ("begin", "end", "not_before", "not_after", "timestamp")
    values |= {name: None if row[name] is None else parse_time(row[name]) for name in times}
    return Period(**values | {"dimensions": json.loads(row["dimensions"])})


def _usage(row: dict[str, Any]) -> Usage:
    values = {name: row[name] for name in Usage.__struct_fields__}
    values |= {name: parse_time(row[name]) for name in ("period_start", "period_end", "timestamp", "recorded_at")}
    values |= {"sequence": row["ledger_sequence"], "dimensions": json.loads(row["dimensions"])}
    return Usage(**values | {"evidence": msgspec.json.decode(row["evidence"], type=Evidence)})


def _note(row: dict[str, Any]) -> Item:
    return msgspec.json.decode(row["note"], type=Record)


READERS: dict[str, Callable[[dict[str, Any]], Item]] = {
    "events": _event,
    "samples": _sample,
    "periods": _period,
    "usage": _usage,
    "usage_notes": _note,
}


class TestSQLite(PublisherContract):
    """`sqlite://`."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Target:
        database = database_of("sqlite", tmp_path)
        return Target(database.url, lambda: received(database), refused=sample("s-9", volume=float("nan")))


class OfServer(PublisherContract):
    """What the two servers have in common."""

    kind = ""
    scheme = ""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Target:
        database = database_of(self.kind, tmp_path)
        place = database.url.rpartition("@")[2]
        return Target(
            database.url,
            lambda: received(database),
            refused=event("m-9", "t" * 300),
            stop=database.server.stop if database.server else None,
            start=database.server.start if database.server else None,
            away=f"{self.scheme}://me@127.0.0.1:{free_port()}/nothing?timeout=2",
            secret=f"{self.scheme}://s3cr3t:s3cr3t@{place}",
        )


class TestPostgreSQL(OfServer):
    """`postgresql://`."""

    kind = scheme = "postgresql"


class TestMariaDB(OfServer):
    """`mysql://`."""

    kind, scheme = "mariadb", "mysql"


del OfServer  # which pytest would run as well


# --- values ----------------------------------------------------------------------------------------------------------

EVERYTHING = everything()
ODD = {
    "large": 10**30,
    "larger": 2**63,
    "negative": -(2**70),
    "beyond a double": 10**400,
    "nan": float("nan"),
    "infinite": float("inf"),
    "surrogate": "\ud800",
    "null": "a\0b",
    "newline": "a\r\nb\u2028c",
    "letter": "é\U0001f600",
    "long": "é" * 10_000,
    "old": datetime(1, 1, 1, tzinfo=UTC),
    "precise": datetime(2026, 8, 1, 1, 2, 3, 4, tzinfo=UTC),
    "a\0name\ud800": "",
}


def same(value: Any, other: Any) -> bool:
    return bool(value == other) or (value != value and other != other)


def test_odd_values(database: Database) -> None:
    """Whatever an item holds is stored, known again, and keeps no neighbour from being stored."""
    publisher = database.open()
    odd = [event("m-2", **ODD), event("m\ud800", "p\ud800"), event("m\0"), event("m" * 10_000)]
    samples = [sample("s-1", volume=10**30), sample("s-2", resource_id="v\ud800"), sample("s-3", resource_id=5)]
    samples += [sample("s-4", volume=2**63 - 1), sample("s-5", metadata={"a": float("nan"), "\ud800": "\ud800"})]
    records = [
        usage("u-1", resource_id="d\ud800", dimensions={"a\ud800": "b\0"}),
        gap(resource_id="d\ud800"),
        refusal(message_id="m\ud800"),
        usage("u-2"),
    ]
    batch = Batch([event("m-1"), *odd, event("m-3")], samples, [period("c-1", resource_id="d\ud800")], records)
    assert publisher.publish(batch) == Delivered(16, 0)
    assert publisher.publish(batch) == Delivered(16, 16)
    publisher.close()
    ((traits, types),) = database.rows("SELECT traits, types FROM events WHERE message_id = 'm-2'")
    read = decode_event(
        b'{"message_id": "m", "event_type": "e", "generated": "2026-08-01", "tenant": null, "priority": "info",'
        b' "publisher_id": null, "traits": %s, "types": %s}' % (traits.encode(), types.encode())
    )
    assert {name: value for name, value in ODD.items() if not same(read.traits[name], value)} == {}
    ids = dict(database.rows("SELECT id, resource_id FROM samples"))
    assert (ids["s-2"], ids["s-3"]) == ("v\\ud800", "5")
    exact = dict(database.rows("SELECT id, volume_text FROM samples"))
    assert (exact["s-1"], exact["s-2"], exact["s-4"]) == (str(10**30), None, str(2**63 - 1))
    usages = database.rows(f"SELECT id, resource_id, dimensions FROM {database.quoted('usage')} ORDER BY sequence")
    assert usages == [("u-1", "d\\ud800", '{"a\\ud800":"b\\u0000"}'), ("u-2", "db-1", '{"flavor":"7"}')]
    notes = [json.loads(note) for note in database.column("SELECT note FROM usage_notes ORDER BY sequence")]
    assert [note.get("resource_id") for note in notes] == ["d\ud800", "db-1"]


DISTINCT = [
    *(event("m-1", tenant) for tenant in ("p-1", "p-2", None, "None", "P-1", "p-1 ", "p-1\nm", "é", "e\u0301")),
    *(event(message_id, "p-1") for message_id in ("m\nm-1", "M-1", "m-1 ", "m-1\0", "m-1\\x00", "x" * 300, "x" * 301)),
]
"""Events that a careless identity, or a collation, would take for each other."""


def test_an_event_is_one_of_a_tenant(database: Database) -> None:
    """Senders choose message ids: neither case, blanks nor accents make one out of two."""
    publisher = database.open()
    assert publisher.publish(Batch(DISTINCT)) == Delivered(len(DISTINCT), 0)
    assert publisher.publish(Batch(DISTINCT)) == Delivered(len(DISTINCT), len(DISTINCT))
    odd = [sample(one) for one in ("s-1", "S-1", "s-1 ", "ś-1")]
    assert publisher.publish(Batch(samples=odd)) == Delivered(4, 0)
    publisher.close()


SEARCHED = {
    "text": ("é", "text", "é", None),
    "long": ("x" * 300, "text", "x" * 255, None),
    "empty": ("", "text", "", None),
    "int": (4, "int", None, 4.0),
    "large": (2**70, "int", str(2**70), float(2**70)),
    "larger": (10**400, "int", str(10**400)[:255], sys.float_info.max),
    "float": (0.5, "float", None, 0.5),
    "nan": (float("nan"), "float", "nan", None),
    "time": (SENT, "datetime", "2026-08-01T01:02:03.000000Z", None),
}
"""Traits by name: their value, and type, text and number by which they are found."""


def test_traits_are_found(database: Database) -> None:
    """Each trait is a row with what it can be searched by, equal and in a range."""
    publisher = database.open()
    publisher.publish(Batch([event("m-1", **{name: row[0] for name, row in SEARCHED.items()}), event("m-2", int=5)]))
    publisher.close()
    found = database.rows("SELECT name, type, text, number FROM traits WHERE sequence = 1")
    assert {name: row for name, *row in found} == {name: list(row[1:]) for name, row in SEARCHED.items()}
    join = "SELECT message_id FROM events JOIN traits ON traits.sequence = events.sequence WHERE traits."
    assert database.column(join + "name = 'int' AND number >= 4 ORDER BY number") == ["m-1", "m-2"]
    assert database.column(join + "name = 'int' AND number > 4") == ["m-2"]
    assert database.column(join + "name = 'time' AND text < '2026-08-02'") == ["m-1"]


@pytest.mark.parametrize("value", [row[0] for row in SEARCHED.values()], ids=SEARCHED)
def test_traits_of_earlier_releases_are_found_alike(value: Any) -> None:
    """What brings a file up makes of its JSON the rows that a new event has."""
    *_, traits, types, _, rows = event_row(event(a=value))
    assert list(_traits(7, traits, types)) == [(7, *row) for row in rows]


def test_columns(database: Database) -> None:
    """What can be asked for in SQL: columns, times that sort as text, JSON."""
    publisher = database.open()
    given = msgspec.structs.replace(event(size=4, at=SENT), raw={"payload": {"a": 1}}, priority="error")
    claims = [period("c-1"), period("c-2", not_before=SENT, not_after=SENT, status="ending")]
    corrected = usage("u-2", delta="0.25", revision=2, supersedes="u-1", state="corrected", reason="late", sequence=5)
    records = [usage(), corrected, gap(), refusal(), closure()]
    publisher.publish(Batch([given, event("m-2", None)], [sample("s-1")], claims, records))
    publisher.close()
    names = "sequence, tenant, message_id, event_type, generated, priority, publisher_id, traits, types, raw"
    assert database.rows(f"SELECT {names} FROM events ORDER BY sequence") == [
        (
            1,
            "p-1",
            "m-1",
            "volume.create.end",
            "2026-08-01T01:02:03.000000Z",
            "error",
            "volume.host-1",
            '{"size":4,"at":"2026-08-01T01:02:03Z"}',
            '{"at":"datetime"}',
            '{"payload":{"a":1}}',
        ),
        (
            2,
            "",
            "m-2",
            "volume.create.end",
            "2026-08-01T01:02:03.000000Z",
            "info",
            "volume.host-1",
            "{}",
            None,
            None,
        ),
    ]
    assert database.rows("SELECT * FROM samples") == [
        (
            1,
            "s-1",
            "volume.size",
            "gauge",
            "GiB",
            4,
            "v-1",
            "p-1",
            "u-1",
            "2026-08-01T01:02:03.000000Z",
            '{"status":"available"}',
            None,
        )
    ]
    claim = ("database.uptime", "h", "db-1", "p-1", "u-1", "2026-08-01T00:02:03.000000Z", "2026-08-01T01:02:03.000000Z")
    seen = "2026-08-01T01:02:03.000000Z"
    assert database.rows("SELECT * FROM periods ORDER BY sequence") == [
        (1, "c-1", *claim, None, seen, '{"flavor":"7"}', "m-1", None, "running"),
        (2, "c-2", *claim, seen, seen, '{"flavor":"7"}', "m-1", seen, "ending"),
    ]
    hour = ("2026-08-01T00:00:00.000000Z", "2026-08-01T01:00:00.000000Z", "2026-08-01T00:59:59.999000Z")
    evidence = '{"claims":2,"witnesses":["m-1","m-2"],"digest":"d1","definitions":"f1"}'
    what = ("database.uptime", "h", "db-1", "p-1", '{"flavor":"7"}')
    assert database.rows(f"SELECT * FROM {database.quoted('usage')} ORDER BY sequence") == [
        (1, "u-1", *what, *hour, "0.5", "0.5", "1800", 1, None, "final", "coverage", "", evidence, seen, 1),
        (2, "u-2", *what, *hour, "0.5", "0.25", "1800", 2, "u-1", "corrected", "coverage", "late", evidence, seen, 5),
    ]
    notes = database.rows("SELECT sequence, id, kind, meter, begin FROM usage_notes ORDER BY sequence")
    assert notes == [
        (1, "g-1", "gap", "database.uptime", hour[0]),
        (2, "r-1", "refusal", "database.uptime", hour[0]),
        (3, "k-1", "closure", "database.uptime", hour[0]),
    ]
    stored = [msgspec.json.decode(note, type=Record) for note in database.column("SELECT note FROM usage_notes")]
    assert stored == [gap(), refusal(), closure()]


def test_what_is_replaced_comes_last(database: Database) -> None:
    """A replay's event has a new sequence, so that who reads on gets it, and its traits are the new ones."""
    publisher = database.open()
    publisher.publish(Batch([event("m-1", a=1, b=2), event("m-2", a=1)], [sample("s-1")]))
    replay = Batch([event("m-1", a=3), event("m-3"), event("m-1", a=4)], [sample("s-1", volume=7)], replace=True)
    assert publisher.publish(replay) == Delivered(4, 3)
    publisher.close()
    assert database.rows("SELECT sequence, message_id, traits FROM events ORDER BY sequence") == [
        (2, "m-2", '{"a":1}'),
        (3, "m-1", '{"a":4}'),
        (4, "m-3", "{}"),
    ]
    assert database.rows("SELECT sequence, name, number FROM traits ORDER BY sequence") == [(2, "a", 1.0), (3, "a", 4)]
    assert database.rows("SELECT sequence, volume FROM samples") == [(2, 7)]


def test_too_long_a_name_is_refused_and_not_cut(remote: Database) -> None:
    """No index holds it; the batch is refused with the reason, and is not there in part."""
    publisher = remote.open()
    for one in (event("m-1", "t" * 256), event("m-1", **{"n" * 256: 1})):
        with pytest.raises(PermanentDeliveryError, match="too long"):
            publisher.publish(Batch([event("m-2"), one]))
    with pytest.raises(PermanentDeliveryError, match="too long"):
        publisher.publish(Batch(samples=[sample("i" * 256)]))
    assert remote.ids() == []
    assert publisher.publish(Batch([event("m-1", "é" * 255, **{"\U0001f600" * 255: "\U0001f600" * 300})])) == (1, 0, 0)
    publisher.close()


def test_an_event_of_more_than_a_packet(tmp_path: Path) -> None:
    """MariaDB ends a connection that sends it more than it allows: that item is refused, not tried for ever."""
    database = database_of("mariadb", tmp_path)
    most = int(database.column("SELECT @@max_allowed_packet")[0])
    publisher = database.open()
    with pytest.raises(PermanentDeliveryError, match="max_allowed_packet"):
        publisher.publish(Batch([event("m-1", text="x" * (most + 1))]))
    assert publisher.publish(Batch([event("m-2")])) == Delivered(1, 0)
    publisher.close()


# --- several writers -------------------------------------------------------------------------------------------------


def python(script: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start *script*, which has all names of this module."""
    text = "from tests.publishers.test_sql import *\n" + textwrap.dedent(script)
    return subprocess.Popen([sys.executable, "-c", text, *arguments], **options)


COUNT = """
    publisher = open_publisher(sys.argv[1])
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        publisher.publish(Batch([event(f"m-{number}-{index}", n=index) for index in range(5)], [sample(f"s-{number}")]))
    publisher.close()
"""


def test_two_processes_start_and_write_at_once(database: Database) -> None:
    """One makes the tables and the other waits; what both deliver is there once."""
    writers = [python(COUNT, database.url, *span) for span in (("0", "30"), ("20", "50"))]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert database.rows("SELECT count(*), count(DISTINCT message_id) FROM events") == [(250, 250)]
    assert database.rows("SELECT count(*), count(DISTINCT sequence) FROM traits") == [(250, 250)]
    assert database.rows("SELECT count(*), count(DISTINCT id) FROM samples") == [(50, 50)]
    assert database.column(f"SELECT version_num FROM {VERSION_TABLE}") == [str(SCHEMA_VERSION)]


def test_who_remembers_the_last_sequence_misses_nothing(database: Database) -> None:
    """Two write as fast as they can, in opposite orders; a reader that goes on after the last row sees each once."""
    database.open().close()
    publishers = [database.open() for _ in range(2)]
    names = [[f"m-{number}" for number in range(300)], [f"m-{number}" for number in reversed(range(150, 450))]]
    publishers[0].publish(Batch())

    def write(publisher: Publisher, ids: list[str]) -> None:
        for first in range(0, len(ids), 10):
            publisher.publish(Batch([event(name, number=first) for name in ids[first : first + 10]]))

    publishers[0].publish(Batch([event("first")]))
    threads = [threading.Thread(target=write, args=pair) for pair in zip(publishers, names, strict=True)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    last, over = 0, False
    while not over:
        over = not any(thread.is_alive() for thread in threads)
        for sequence, name in database.rows(
            f"SELECT sequence, message_id FROM events WHERE sequence > {last} ORDER BY sequence"
        ):
            last = sequence
            seen.append(name)
    for thread, publisher in zip(threads, publishers, strict=True):
        thread.join()
        publisher.close()
    assert sorted(seen) == sorted(["first", *(f"m-{number}" for number in range(450))])


def size(path: Path) -> int:
    """Return how many bytes *path* and what SQLite keeps beside it have."""
    total = 0
    for one in path.parent.glob(f"{path.name}*"):
        with suppress(FileNotFoundError):  # SQLite removes its files as it likes
            total += one.stat().st_size
    return total


@pytest.mark.parametrize("least", [1, 40, 150])
def test_killed_in_the_middle(least: int, database: Database) -> None:
    """Of a process that is killed, whole batches are there; running again adds what is missing, and nothing twice."""
    database.open().close()
    publisher = database.open()
    publisher.publish(Batch([event("first")]))
    publisher.close()
    with python(COUNT, database.url, "0", "1000000") as writer:
        try:
            until = time.monotonic() + 60
            while writer.poll() is None and time.monotonic() < until:
                if database.column("SELECT count(*) FROM samples")[0] >= least:
                    break
        finally:
            writer.kill()
    assert writer.returncode == -signal.SIGKILL
    with database.open()._engine.connect() as waits:  # a server finds out by itself that the process is gone
        if database.kind != "sqlite":
            waits.execute(sa.select(WRITER).with_for_update()).all()
    (events,), (samples,) = database.rows("SELECT count(*) FROM events"), database.rows("SELECT count(*) FROM samples")
    (traits,) = database.rows("SELECT count(*) FROM traits")
    assert events[0] - 1 == traits[0] == 5 * samples[0] > 0
    with python(COUNT, database.url, "0", str(samples[0] + 10)) as again:
        pass
    assert again.returncode == 0
    assert database.column("SELECT count(*) FROM samples") == [samples[0] + 10]
    assert database.rows("SELECT count(*), count(DISTINCT message_id) FROM events") == [
        (5 * (samples[0] + 10) + 1,) * 2
    ]


def test_a_writer_that_waits_too_long(database: Database) -> None:
    """Who waits too long for another one may try again, and loses nothing."""
    publisher = database.open("?timeout=1")
    publisher.publish(Batch([event("m-1")]))
    with database.engine.connect() as other:
        if database.kind == "sqlite":
            other.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            other.execute(sa.select(WRITER).with_for_update()).all()
        with pytest.raises(RetryableDeliveryError, match=r"(?i)lock"):
            publisher.publish(EVERYTHING)
    assert publisher.publish(EVERYTHING) == Delivered(15, 1)
    publisher.close()


# --- what becomes of the tables --------------------------------------------------------------------------------------


def test_the_tables_are_as_they_are_described(remote: Database) -> None:
    """What the migrations make is what the statements are made for."""
    remote.open().publish(Batch([event("m-1")]))
    with remote.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        options["include_object"] = lambda thing, name, kind, reflected, other: kind != "table" or name in TABLES
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    assert found == []


def test_another_version_table_is_left_alone(remote: Database) -> None:
    """An application beside us may use Alembic too."""
    remote.do("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    remote.do("INSERT INTO alembic_version VALUES ('theirs')")
    try:
        publisher = remote.open()
        assert publisher.publish(EVERYTHING) == Delivered(15, 0)
        publisher.close()
        assert remote.column("SELECT version_num FROM alembic_version") == ["theirs"]
    finally:
        remote.do("DROP TABLE alembic_version")


def test_tables_of_somebody_else_are_not_touched(remote: Database) -> None:
    """They have our names, and are not ours: nothing is written, and nobody's batch is at fault."""
    remote.do("CREATE TABLE events (id INT)", "INSERT INTO events VALUES (1)")
    publisher = remote.open()
    for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
        with pytest.raises(AccessDeniedError, match="has tables that eventdefs did not make: events"):
            attempt()
    publisher.close()
    assert (remote.tables() & TABLES, remote.rows("SELECT * FROM events")) == ({"events"}, [(1,)])


@pytest.mark.parametrize("version", ["4", "b2c0ffee"])
def test_a_later_release_is_not_touched(version: str, remote: Database) -> None:
    """Its tables may mean something else."""
    remote.open().publish(Batch([event("m-1")]))
    remote.do(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")
    publisher = remote.open()
    for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
        with pytest.raises(DeliveryError, match=f"has schema {version}, this release writes 3"):
            attempt()
    publisher.close()
    assert remote.ids() == ["p-1/m-1"]


def test_tables_that_were_made_in_part_are_finished(tmp_path: Path) -> None:
    """MariaDB keeps what a killed process made of them."""
    database = database_of("mariadb", tmp_path)
    database.open().publish(Batch([event("m-1")]))
    database.do(
        f"DELETE FROM {VERSION_TABLE}", "DROP TABLE eventdefs_writer", "DROP TABLE samples", "DELETE FROM events"
    )
    publisher = database.open()
    assert publisher.publish(Batch([event("m-2")], [sample("s-1")])) == Delivered(2, 0)
    publisher.close()
    assert database.ids() == ["p-1/m-2", "s-1"]


def test_tables_that_vanish_are_no_fault_of_a_batch(remote: Database) -> None:
    """What somebody dropped is missed, said, and made again; nothing is dead-lettered for it."""
    publisher = remote.open()
    publisher.publish(Batch([event("m-1")]))
    emptied(remote)
    with pytest.raises(RetryableDeliveryError, match="eventdefs_writer"):
        publisher.publish(Batch([event("m-1")]))
    assert publisher.publish(Batch([event("m-1")])) == Delivered(1, 0)
    publisher.close()


# --- SQLite files ----------------------------------------------------------------------------------------------------


def path_in(database: Database) -> Path:
    return Path(database.url.removeprefix("sqlite:///"))


def test_another_file_is_not_touched(file: Database) -> None:
    """A SQLite file that has other tables is somebody else's."""
    file.do("CREATE TABLE events (id)", "INSERT INTO events VALUES (1)")
    with pytest.raises(PublisherURLError, match="cannot be used: table events already exists"):
        file.open()
    assert file.rows("SELECT name FROM sqlite_master") == [("events",)]
    assert file.rows("SELECT * FROM events") == [(1,)]


def test_a_file_of_a_later_release_is_not_touched(file: Database) -> None:
    """Its tables may mean something else."""
    file.open().close()
    file.do("PRAGMA user_version = 4")
    before = path_in(file).read_bytes()
    with pytest.raises(PublisherURLError) as raised:
        file.open()
    assert str(raised.value) == f"{path_in(file)} has schema 4, this release writes 3"
    assert path_in(file).read_bytes() == before


VERSION_1 = """
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,          -- '' where the event has none
    message_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    generated TEXT NOT NULL,       -- UTC, microseconds, sorts as text
    priority TEXT NOT NULL,
    publisher_id TEXT,
    traits TEXT NOT NULL,          -- JSON: name -> value
    types TEXT,                    -- JSON: name -> type, where JSON does not show it
    raw TEXT,                      -- JSON, where store_raw asks for it
    UNIQUE (tenant, message_id)
);
CREATE INDEX events_by_time ON events (tenant, generated);
CREATE INDEX events_by_type ON events (event_type, generated);
CREATE TABLE samples (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    unit TEXT,
    volume NUMERIC NOT NULL,
    resource_id TEXT,
    project_id TEXT,
    user_id TEXT,
    timestamp TEXT NOT NULL,
    metadata TEXT NOT NULL         -- JSON
);
CREATE INDEX samples_by_meter ON samples (project_id, name, timestamp);
CREATE TABLE periods (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    meter TEXT NOT NULL,
    unit TEXT,
    resource_id TEXT NOT NULL,
    project_id TEXT,
    user_id TEXT,
    begin TEXT NOT NULL,
    "end" TEXT NOT NULL,
    not_before TEXT,
    timestamp TEXT NOT NULL,
    dimensions TEXT NOT NULL,      -- JSON
    message_id TEXT NOT NULL
);
CREATE INDEX periods_by_resource ON periods (meter, resource_id, begin);
PRAGMA user_version = 1;
"""
"""What the first release made, which must not be changed here."""
ROWS_1 = """
INSERT INTO events VALUES (7, 'p-1', 'm-1', 'volume.create.end', '2026-08-01T01:02:03.000000Z', 'info', 'volume.host-1',
    '{"old":1,"at":"2026-08-01T01:02:03Z","odd":"nan"}', '{"at":"datetime","odd":"float"}', NULL);
INSERT INTO samples VALUES (8, 's-1', 'volume.size', 'gauge', 'GiB', 4, 'v-1', 'p-1', 'u-1',
    '2026-08-01T01:02:03.000000Z', '{}');
INSERT INTO periods VALUES (9, 'c-1', 'database.uptime', 'h', 'db-1', 'p-1', 'u-1', '2026-08-01T00:02:03.000000Z',
    '2026-08-01T01:02:03.000000Z', NULL, '2026-08-01T01:02:03.000000Z', '{}', 'm-1');
"""
VERSION_2 = """
ALTER TABLE periods ADD COLUMN not_after TEXT;
ALTER TABLE periods ADD COLUMN status TEXT NOT NULL DEFAULT 'running';
CREATE TABLE usage (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    meter TEXT NOT NULL,
    unit TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    project_id TEXT,
    dimensions TEXT NOT NULL,      -- JSON
    period_start TEXT NOT NULL,
    period_end TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    quantity TEXT NOT NULL,        -- decimal text
    delta TEXT NOT NULL,           -- decimal text
    seconds TEXT NOT NULL,         -- decimal text
    revision INTEGER NOT NULL,
    supersedes TEXT,
    state TEXT NOT NULL,
    closed_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,        -- JSON
    recorded_at TEXT NOT NULL,
    ledger_sequence INTEGER NOT NULL
);
CREATE INDEX usage_by_meter ON usage (project_id, meter, period_start);
CREATE TABLE usage_notes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,            -- gap, refusal or closure
    meter TEXT NOT NULL,
    begin TEXT NOT NULL,
    note TEXT NOT NULL             -- JSON, all of it
);
CREATE INDEX usage_notes_by_meter ON usage_notes (meter, begin);
PRAGMA user_version = 2;
"""
"""What the second release made of that, which must not be changed here either."""
EARLIER = {1: VERSION_1, 2: VERSION_1 + VERSION_2}


def make(path: Path, script: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def columns(database: Database) -> list[tuple[Any, ...]]:
    """Return what the tables and indices are, by name."""
    names = database.column("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    found = database.rows("SELECT type, name, tbl_name FROM sqlite_master ORDER BY name")
    return [*found, *((name, *column) for name in names for column in database.rows(f"PRAGMA table_info({name})"))]


@pytest.mark.parametrize("version", EARLIER)
def test_a_file_of_an_earlier_release_is_brought_up(version: int, file: Database, tmp_path: Path) -> None:
    """What it has stays and is known, what is new goes in, and it is then like one that was made now."""
    make(path_in(file), EARLIER[version])
    make(path_in(file), ROWS_1 if version == 1 else ROWS_1.replace("'m-1');", "'m-1', NULL, 'running');"))
    (claim,) = file.rows("SELECT * FROM periods")
    publisher = file.open()
    assert file.rows("PRAGMA user_version") == [(3,)]
    assert publisher.publish(EVERYTHING) == Delivered(15, 3)
    publisher.close()
    assert file.rows("SELECT sequence, tenant FROM events WHERE message_id = 'm-1'") == [(7, "p-1"), (10, "p-2")]
    assert file.rows("SELECT * FROM periods WHERE id = 'c-1'") == [(*claim[:13], None, "running")]
    assert file.rows("SELECT * FROM traits WHERE sequence = 7 ORDER BY name") == [
        (7, "at", "datetime", "2026-08-01T01:02:03.000000Z", None),
        (7, "odd", "float", "nan", None),
        (7, "old", "int", None, 1.0),
    ]
    publisher = file.open()
    assert publisher.publish(EVERYTHING) == Delivered(15, 15)
    publisher.close()
    (tmp_path / "new").mkdir()
    new = database_of("sqlite", tmp_path / "new")
    new.open().close()
    assert columns(file) == columns(new)


@pytest.mark.parametrize("version", EARLIER)
def test_a_file_of_an_earlier_release_is_read(version: int, file: Database) -> None:
    """A store changes nothing, and needs no writer to have been there before it."""
    make(path_in(file), EARLIER[version] + ROWS_1.split("INSERT INTO periods")[0])
    store = open_store(file.url)
    assert [found.message_id for _, found in store.events(EventQuery())] == ["m-1"]
    assert [found.volume for _, found in store.samples(SampleQuery())] == [4]
    store.close()
    assert file.rows("PRAGMA user_version") == [(version,)]


def test_volumes_are_read_as_they_were(file: Database) -> None:
    """Integers of any size, and floats that are whole."""
    volumes: list[int | float] = [4, 4.0, 0.5, -0.0, 2**53 + 1, 2**63, 10**30, 1e300]
    publisher = file.open()
    publisher.publish(Batch(samples=[sample(f"s-{number}", volume=one) for number, one in enumerate(volumes)]))
    publisher.close()
    store = open_store(file.url)
    assert [repr(found.volume) for _, found in store.samples(SampleQuery(by="sequence"))] == list(map(repr, volumes))
    store.close()


def test_two_processes_bring_one_file_up(file: Database) -> None:
    """They wait for each other, and it is done once."""
    make(path_in(file), VERSION_1 + ROWS_1)
    writers = [python(COUNT, file.url, *span) for span in (("0", "20"), ("10", "30"))]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert file.rows("SELECT count(*), count(DISTINCT message_id) FROM events") == [(151, 151)]
    assert file.rows("PRAGMA user_version") == [(3,)]


def test_a_file_that_cannot_be_brought_up_stays_as_it_is(file: Database) -> None:
    """Somebody else's tables may have our version's number."""
    path = path_in(file)
    make(path, "CREATE TABLE usage (id); INSERT INTO usage VALUES (1); PRAGMA user_version = 1")
    with pytest.raises(PublisherURLError, match="cannot be used: no such table: periods"):
        file.open()
    assert file.rows("SELECT name FROM sqlite_master") == [("usage",)]
    make(path, "DROP TABLE usage;" + VERSION_1 + "CREATE TABLE usage (id);" + ROWS_1)
    before = columns(file)
    with pytest.raises(PublisherURLError, match="cannot be used: table usage already exists"):
        file.open()
    assert (columns(file), file.rows("PRAGMA user_version")) == (before, [(1,)])


def test_a_file_that_may_not_be_written(file: Database) -> None:
    """`check` says so as `publish` does, and both may succeed later."""
    publisher = file.open("?timeout=0.1")
    with file.engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
            with pytest.raises(RetryableDeliveryError, match="database is locked"):
                attempt()
    publisher.check()
    publisher.close()


# --- servers: who may do what ----------------------------------------------------------------------------------------

USERS = {
    "postgresql": {
        "make": (
            "CREATE USER tls PASSWORD 'pass/word'",
            "CREATE USER reader",
            "GRANT USAGE ON SCHEMA public TO reader",
        ),
        "grant": ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",),
        "drop": ("DROP OWNED BY reader", "DROP USER reader", "DROP OWNED BY tls", "DROP USER tls"),
    },
    "mariadb": {
        "make": (
            "CREATE USER tls IDENTIFIED BY 'pass/word' REQUIRE SSL",
            "GRANT ALL ON eventdefs.* TO tls",
            "CREATE USER reader",
            "GRANT SELECT ON eventdefs.* TO reader",
        ),
        "grant": (),
        "drop": ("DROP USER reader", "DROP USER tls"),
    },
}


@pytest.fixture
def users(own: Database) -> Iterator[Database]:
    """The users `tls`, who must use TLS and a password, and `reader`, who may only read."""
    own.do(*USERS[own.kind]["make"])
    yield own
    emptied(own)
    own.do(*USERS[own.kind]["drop"])


def as_user(database: Database, login: str, options: str = "") -> str:
    scheme, _, rest = database.url.partition("://")
    return f"{scheme}://{login}@{rest.rpartition('@')[2]}{options}"


@pytest.mark.parametrize("tables", ["no tables", "tables"])
def test_rights_that_are_missing(tables: str, users: Database) -> None:
    """Who may not write, or not make tables, is told before anything is published, and no batch is at fault."""
    if tables == "tables":
        users.open().publish(Batch([event("m-1")]))
        users.do(*USERS[users.kind]["grant"])
    publisher = open_publisher(as_user(users, "reader"))
    for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
        with pytest.raises(AccessDeniedError, match=r"denied|may not make them") as raised:
            attempt()
        assert "reader" not in str(raised.value)
    publisher.close()
    assert users.tables() & TABLES == (TABLES if tables == "tables" else set())


def test_a_wrong_password(users: Database) -> None:
    """It is said loudly, without the password, and tried again: somebody will put it right."""
    publisher = open_publisher(as_user(users, "tls:s3cr3t"))
    for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
        with pytest.raises(AccessDeniedError, match=r"authentication failed|Access denied") as raised:
            attempt()
        assert "s3cr3t" not in str(raised.value)
        assert "tls" not in str(raised.value)
    publisher.close()


LOGIN = "tls:pass%2Fword"


def writable(users: Database) -> None:
    """Make the tables, and let the user `tls` write them."""
    users.open().publish(Batch([event("m-1")]))
    if users.kind == "postgresql":
        users.do("GRANT ALL ON ALL TABLES IN SCHEMA public TO tls")


@pytest.mark.parametrize("mode", ["", "require", "verify-ca", "verify-full"])
def test_tls(mode: str, users: Database) -> None:
    """With the authority's certificate the server is known, by its name too; a password may have any character."""
    assert users.server is not None
    writable(users)
    given = f"?ca_file={users.server.folder}/ca.pem" + (f"&ssl_mode={mode}" if mode else "")
    publisher = open_publisher(as_user(users, LOGIN, given))
    publisher.check()
    assert publisher.publish(Batch([event("m-2")])) == Delivered(1, 0)
    publisher.close()


NO_TLS = {
    "no TLS": ("ssl_mode=disable", r"pg_hba.conf|Access denied|authentication"),
    "an authority that is not known": ("ssl_mode=verify-ca", r"certificate verify failed|root certificate"),
    "another authority": ("ca_file=OTHER", r"certificate verify failed"),
}


@pytest.mark.parametrize(("options", "said"), NO_TLS.values(), ids=NO_TLS)
def test_tls_that_is_refused(options: str, said: str, users: Database, tmp_path: Path) -> None:
    """A server that cannot be trusted is not written to, and it is said why."""
    other = certificates(tmp_path).ca
    publisher = open_publisher(as_user(users, LOGIN, "?" + options.replace("OTHER", str(other))))
    for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
        with pytest.raises(RetryableDeliveryError, match=said):
            attempt()
    publisher.close()


@pytest.fixture
def elsewhere(own: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the server a certificate of another name; the file of who signed it."""
    assert own.server is not None
    monkeypatch.setattr(servers, "OPENSSL", servers.OPENSSL.replace("IP:127.0.0.1, DNS:localhost", "DNS:elsewhere"))
    files = certificates(tmp_path)
    places = [own.server.folder / name for name in ("certificate.pem", "key.pem")]
    before = [place.read_bytes() for place in places]
    own.server.stop()
    for place, other in zip(places, (files.certificate, files.key), strict=True):
        place.write_bytes(other.read_bytes())
    own.server.start()
    yield files.ca
    own.server.stop()
    for place, data in zip(places, before, strict=True):
        place.write_bytes(data)
    own.server.start()


def test_a_name_that_is_not_the_servers(own: Database, elsewhere: Path) -> None:
    """`verify-full` compares the host with the certificate, which `verify-ca` does not."""
    publisher = own.open(f"?ca_file={elsewhere}")
    for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
        with pytest.raises(RetryableDeliveryError, match=r"does not match host name|not valid for '127.0.0.1'"):
            attempt()
    publisher.close()
    publisher = own.open(f"?ca_file={elsewhere}&ssl_mode=verify-ca")
    assert publisher.publish(EVERYTHING) == Delivered(15, 0)
    publisher.close()


def test_a_server_without_tls_is_refused(tmp_path: Path) -> None:
    """Where TLS is asked for, nothing goes over a connection without it."""
    for kind, start in (("postgresql", postgresql_server), ("mariadb", mariadb_server)):
        try:
            with start() as server:
                publisher = open_publisher(f"{server.address}?ssl_mode=require")
                with pytest.raises(RetryableDeliveryError, match=r"(?i)tls|ssl"):
                    publisher.publish(Batch([event("m-1")]))
                publisher.close()
        except NotInstalled as error:
            unavailable(f"{kind}: {error}")


ONLY_READING = {
    "postgresql": ("ALTER USER tls SET default_transaction_read_only = {}", "read-only transaction"),
    "mariadb": ("SET GLOBAL read_only = {}", "read-only"),
}


def test_a_database_that_only_reads(users: Database) -> None:
    """A standby, or a server that takes nothing for now: later it may."""
    assert users.server is not None
    writable(users)
    statement, said = ONLY_READING[users.kind]
    publisher = open_publisher(as_user(users, LOGIN, f"?ca_file={users.server.folder}/ca.pem"))
    assert publisher.publish(Batch([event("m-2")])) == Delivered(1, 0)
    publisher.close()
    users.do(statement.format("on"))
    try:
        for attempt in (publisher.check, lambda: publisher.publish(Batch([event("m-3")]))):
            with pytest.raises(RetryableDeliveryError, match=said):
                attempt()
    finally:
        users.do(statement.format("off"))
    assert publisher.publish(Batch([event("m-3")])) == Delivered(1, 0)
    publisher.close()


def test_killed_servers_lose_nothing(own: Database) -> None:
    """What was delivered is there when the server was killed in the middle and started again."""
    assert own.server is not None
    publisher = own.open("?timeout=5")
    publisher.publish(Batch([event(f"m-{number}") for number in range(100)]))
    own.server.kill()
    try:
        with pytest.raises(RetryableDeliveryError):
            publisher.publish(Batch([event("m-100")]))
        with pytest.raises(RetryableDeliveryError):
            publisher.check()
    finally:
        own.server.start()
    assert publisher.publish(Batch([event("m-99"), event("m-100")])) == Delivered(2, 1)
    publisher.close()
    assert len(own.ids()) == 101


def test_a_server_that_goes_before_a_transaction(own: Database) -> None:
    """What the driver raises of the first statement is a server that is away, and no item is at fault for it."""
    publisher = own.open("?timeout=1")
    publisher.publish(Batch([event("m-1")]))

    def cut(connection: Any, *_: object) -> None:
        with socket.socket(fileno=os.dup(fileno_of(connection))) as twin:
            twin.shutdown(socket.SHUT_RDWR)

    sa.event.listen(publisher._engine, "checkout", cut)
    with pytest.raises(RetryableDeliveryError):
        publisher.publish(Batch([event("m-2")]))
    sa.event.remove(publisher._engine, "checkout", cut)
    assert publisher.publish(Batch([event("m-2")])) == Delivered(1)


def fileno_of(connection: Any) -> int:
    return int(connection.fileno() if hasattr(connection, "fileno") else connection._sock.fileno())


def test_a_server_that_is_silent(own: Database) -> None:
    """A server that has a connection and answers nothing is not waited for for ever."""
    assert own.server is not None
    publisher = own.open("?timeout=1")
    publisher.publish(Batch([event("m-1")]))
    own.server.pause()
    try:
        for attempt in (lambda: publisher.publish(Batch([event("m-2")])), publisher.check):
            with pytest.raises(RetryableDeliveryError, match=r"timeout|timed out|no answer"):
                attempt()
    finally:
        own.server.resume()
    assert publisher.publish(Batch([event("m-2")])).published == 1
    publisher.close()
    assert own.ids() == ["p-1/m-1", "p-1/m-2"]


def test_a_statement_that_is_silent(own: Database) -> None:
    """The same in the middle of a transaction, which ends with its connection."""
    publisher = own.open("?timeout=1")
    sleep = "SELECT pg_sleep(60)" if own.kind == "postgresql" else "SELECT sleep(60)"
    with (
        pytest.raises(RetryableDeliveryError),
        publisher._translated(),
        publisher._engine.connect() as connection,
        connection.begin(),
    ):
        connection.exec_driver_sql(sleep)
    assert publisher.publish(Batch([event("m-1")])) == Delivered(1, 0)
    publisher.close()


def test_a_ledger_takes_the_same_options(users: Database) -> None:
    """What is said of TLS and of secrets holds for the ledger's database too."""
    assert users.server is not None
    with pytest.raises(LedgerError, match=r"unknown option 'sslmode' \(did you mean 'ssl_mode'\?\)"):
        open_ledger(as_user(users, LOGIN, "?sslmode=require"))
    with pytest.raises(LedgerError, match=r"authentication failed|Access denied") as raised:
        open_ledger(as_user(users, "tls:s3cr3t", f"?ca_file={users.server.folder}/ca.pem"))
    assert "s3cr3t" not in str(raised.value)
    assert "tls" not in str(raised.value)
    if users.kind == "postgresql":
        users.do("GRANT CREATE ON SCHEMA public TO tls")
    open_ledger(as_user(users, LOGIN, f"?ca_file={users.server.folder}/ca.pem")).close()
    tables = sorted(name for name in users.tables() if name.startswith("ledger_"))
    users.do(f"DROP TABLE {', '.join(tables)}")
    assert len(tables) == 7


def test_a_database_that_is_not_there(own: Database) -> None:
    """It is said by its name."""
    publisher = open_publisher(own.url.rpartition("/")[0] + "/nowhere")
    for attempt in (publisher.check, lambda: publisher.publish(EVERYTHING)):
        with pytest.raises(RetryableDeliveryError, match="nowhere"):
            attempt()
    publisher.close()


def test_checking_changes_nothing(remote: Database) -> None:
    """Neither before there are tables nor after."""
    publisher = remote.open()
    publisher.check()
    assert remote.tables() & {*TABLES, VERSION_TABLE} == set()
    publisher.publish(EVERYTHING)
    before = {name: remote.rows(f"SELECT * FROM {remote.quoted(name)}") for name in TABLES}
    publisher.check()
    assert {name: remote.rows(f"SELECT * FROM {remote.quoted(name)}") for name in TABLES} == before
    publisher.close()


# --- URLs ------------------------------------------------------------------------------------------------------------

KNOWN = f"known are {', '.join(field.encode_name for field in msgspec.structs.fields(OPTIONS['mysql']))}"
BAD_URLS = {
    "no database": (
        "postgresql://me:s3cr3t@host",
        "postgresql://host names no database, as postgresql://user:password@host/events does",
    ),
    "no host and no database": (
        "mysql://",
        "mysql:// names no database, as mysql://user:password@host/events does",
    ),
    "a port that is none": (
        "mysql://me:s3cr3t@host:port/db",
        "mysql://host:port/db names no database, as mysql://user:password@host/events does",
    ),
    "a mode that is none": (
        "postgresql://host/db?ssl_mode=always",
        "postgresql://host/db: Invalid enum value 'always' - at `$.ssl_mode`",
    ),
    "an option that there is not": (
        "postgresql://me:s3cr3t@host/db?sslmode=require",
        "postgresql://host/db: unknown option 'sslmode' (did you mean 'ssl_mode'?), " + KNOWN,
    ),
    "no time at all": (
        "mysql://host/db?timeout=0",
        "mysql://host/db: Expected `float` > 0.0 - at `$.timeout`",
    ),
    "a file that is not there": (
        "mysql://me:s3cr3t@host/db?ca_file=/no/ca.pem",
        "mysql://host/db: ca_file: there is no file /no/ca.pem",
    ),
    "a key alone": ("postgresql://host/db?key_file=TMP/key", "postgresql://host/db: key_file needs cert_file"),
    "certificates for nothing": (
        "postgresql://host/db?ssl_mode=disable&ca_file=TMP/key",
        "postgresql://host/db: ssl_mode=disable has no use for certificates",
    ),
}


@pytest.mark.parametrize(("url", "message"), BAD_URLS.values(), ids=BAD_URLS)
def test_bad_urls(url: str, message: str, tmp_path: Path) -> None:
    """What is wrong with a URL is said before anything is reached, without its secrets."""
    (tmp_path / "key").write_text("no key")
    with pytest.raises(PublisherURLError) as raised:
        open_publisher(url.replace("TMP", str(tmp_path)))
    assert str(raised.value) == message


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    """The same of a file that has something else in it, where we read it."""
    (tmp_path / "key").write_text("no key")
    with pytest.raises(PublisherURLError, match="mysql://host/db: the certificates cannot be used"):
        open_publisher(f"mysql://host/db?ca_file={tmp_path}/key")


def test_a_name_that_is_not_known() -> None:
    """It may be known later; `check` says which name."""
    for scheme in ("postgresql", "mysql"):
        publisher = open_publisher(f"{scheme}://me:s3cr3t@nowhere.invalid/db?timeout=2")
        with pytest.raises(RetryableDeliveryError, match=r"nowhere\.invalid"):
            publisher.check()
        publisher.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_who_died_without_a_word_holds_nobody_up(kind: str, request: pytest.FixtureRequest) -> None:
    """A writer whose host is gone keeps his connection and the lock: the server takes it from him in time."""
    url: str = request.getfixturevalue(kind)
    dead = open_publisher(f"{url}?timeout=4")
    dead.publish(Batch([event("held-0", tenant="held")]))
    engine: Any = dead._engine  # type: ignore[attr-defined]
    with engine.connect() as connection:
        connection.begin()
        connection.execute(sa.select(WRITER).with_for_update())
        delivered = open_publisher(f"{url}?timeout=4").publish(Batch([event("held-1", tenant="held")]))
        assert delivered == Delivered(1)
        connection.invalidate()
    dead.close()
