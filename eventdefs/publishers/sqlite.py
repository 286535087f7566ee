"""`sqlite://` stores events, samples, periods and usage in one SQLite file, each once.

A batch is one transaction. Rows carry a `sequence` that grows with the order of commits. Several processes may
write the same file; they wait for each other.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec

from eventdefs.encode import event_document, write_json
from eventdefs.errors import PermanentDeliveryError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers import Batch, Delivered, PublisherURL
from eventdefs.sqlitefile import prepare
from eventdefs.types import Closure, Event, Gap, Period, Refusal, Sample, Usage, begin_of, kind_of

_EVENTS_SAMPLES_PERIODS = """
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
"""
_USAGE = """
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
"""
_SCHEMAS = (_EVENTS_SAMPLES_PERIODS, _USAGE)
"""What makes each version of the one before."""
SCHEMA_VERSION = len(_SCHEMAS)
_INSERT = {
    "events": "INSERT INTO events (tenant, message_id, event_type, generated, priority, publisher_id, traits,"
    " types, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (tenant, message_id) DO NOTHING",
    "samples": "INSERT INTO samples (id, name, type, unit, volume, resource_id, project_id, user_id,"
    " timestamp, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING",
    "periods": 'INSERT INTO periods (id, meter, unit, resource_id, project_id, user_id, begin, "end",'
    " not_before, timestamp, dimensions, message_id, not_after, status)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING",
    "usage": "INSERT INTO usage (id, meter, unit, resource_id, project_id, dimensions, period_start, period_end,"
    " timestamp, quantity, delta, seconds, revision, supersedes, state, closed_by, reason, evidence, recorded_at,"
    " ledger_sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING",
    "usage_notes": "INSERT INTO usage_notes (id, kind, meter, begin, note) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING",
}
_LARGEST = 2**63


class SQLiteOptions(msgspec.Struct, frozen=True):
    """Options of `sqlite://`.

    Attributes:
        timeout: seconds to wait for another process that writes.
    """

    timeout: float = 60.0


class SQLitePublisher:
    """Stores in a file: ``sqlite:///events.db`` is in the current directory, ``sqlite:////var/events.db`` is not."""

    Options: ClassVar[type[msgspec.Struct]] = SQLiteOptions

    def __init__(self, url: PublisherURL, options: SQLiteOptions) -> None:
        path = unquote(url.target)
        if not path.startswith("/") or len(path) == 1:
            raise PublisherURLError(f"{url.text} names no file, as sqlite:///events.db does")
        self._name = path[1:]
        self._timeout = options.timeout
        try:
            self._connection = sqlite3.connect(
                self._name, timeout=options.timeout, isolation_level=None, check_same_thread=False
            )
        except (sqlite3.Error, ValueError) as error:
            raise PublisherURLError(f"{url.text} cannot be opened: {error}") from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise PublisherURLError(f"{url.text} cannot be used: {error}") from error
        except PublisherURLError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        prepare(self._connection, self._timeout)
        execute("BEGIN IMMEDIATE")
        try:
            (version,) = execute("PRAGMA user_version").fetchone()
            if version < SCHEMA_VERSION:
                for schema in _SCHEMAS[version:]:
                    for statement in schema.split(";"):
                        execute(statement)
                execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise PublisherURLError(f"{self._name} has schema {version}, this release writes {SCHEMA_VERSION}")
        except BaseException:
            execute("ROLLBACK")
            raise
        execute("COMMIT")

    def publish(self, batch: Batch) -> Delivered:
        try:
            rows = {
                "events": [_event_row(event) for event in batch.events],
                "samples": [_sample_row(sample) for sample in batch.samples],
                "periods": [_period_row(period) for period in batch.periods],
                "usage": [_usage_row(record) for record in batch.records if isinstance(record, Usage)],
                "usage_notes": [_note_row(record) for record in batch.records if not isinstance(record, Usage)],
            }
        except (TypeError, ValueError, RecursionError) as error:
            raise PermanentDeliveryError(f"cannot be stored: {error}") from error
        before = self._connection.total_changes
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for table, table_rows in rows.items():
                    if table_rows:
                        self._insert(table, table_rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise RetryableDeliveryError(f"{self._name}: {error}") from error
        except sqlite3.Error as error:
            raise PermanentDeliveryError(f"{self._name}: {error}") from error
        return Delivered(len(batch), len(batch) - (self._connection.total_changes - before))

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        try:
            self._connection.executemany(_INSERT[table], rows)
        except UnicodeEncodeError:  # A lone surrogate, which SQLite's UTF-8 cannot hold. Those rows that are in stay.
            self._connection.executemany(_INSERT[table], [tuple(map(_storable, row)) for row in rows])

    def check(self) -> None:
        """It was opened and prepared, so it can be written."""

    def close(self) -> None:
        self._connection.close()


def _storable(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def stored_time(value: datetime | None) -> str | None:
    """Return a time as the columns have it: in UTC, with microseconds, so that it sorts as text."""
    return None if value is None else value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _json(value: Any) -> str:
    return write_json(value).decode()


def _text(value: Any) -> str | None:
    """Return an id, which is text but for rare payloads."""
    return value if value is None or isinstance(value, str) else str(value)


def _event_row(event: Event) -> tuple[Any, ...]:
    document = event_document(event)
    return (
        event.tenant or "",
        event.message_id,
        event.event_type,
        stored_time(event.generated),
        event.priority,
        event.publisher_id,
        _json(document.traits),
        _json(document.types) if document.types else None,
        _json(document.raw) if document.raw else None,
    )


def _sample_row(sample: Sample) -> tuple[Any, ...]:
    volume = sample.volume
    return (
        sample.id,
        _text(sample.name),
        sample.type,
        _text(sample.unit),
        volume if -_LARGEST <= volume < _LARGEST else str(volume),
        _text(sample.resource_id),
        _text(sample.project_id),
        _text(sample.user_id),
        stored_time(sample.timestamp),
        _json(sample.metadata),
    )


def _period_row(period: Period) -> tuple[Any, ...]:
    return (
        period.id,
        period.meter,
        _text(period.unit),
        period.resource_id,
        _text(period.project_id),
        _text(period.user_id),
        stored_time(period.begin),
        stored_time(period.end),
        stored_time(period.not_before),
        stored_time(period.timestamp),
        _json(period.dimensions),
        period.message_id,
        stored_time(period.not_after),
        period.status,
    )


def _usage_row(usage: Usage) -> tuple[Any, ...]:
    return (
        usage.id,
        usage.meter,
        usage.unit,
        usage.resource_id,
        usage.project_id,
        _json(usage.dimensions),
        stored_time(usage.period_start),
        stored_time(usage.period_end),
        stored_time(usage.timestamp),
        usage.quantity,
        usage.delta,
        usage.seconds,
        usage.revision,
        usage.supersedes,
        usage.state,
        usage.closed_by,
        usage.reason,
        _json(usage.evidence),
        stored_time(usage.recorded_at),
        usage.sequence,
    )


def _note_row(record: Gap | Refusal | Closure) -> tuple[Any, ...]:
    return record.id, kind_of(record), record.meter, stored_time(begin_of(record)), _json(record)
