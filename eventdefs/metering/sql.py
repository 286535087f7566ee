"""Keeps a ledger in a SQL database: SQLite on one host, PostgreSQL or MariaDB for workers on several.

A transaction locks the resources that it works on, in one order, and at its end the row of the ledger's progress, from
which records take their sequence: so sequences grow in the order of commits. What others wrote as names stands in the
database as JSON only, and is found by digests: no text of theirs is too long for a column, or not to be stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from eventdefs.encode import write_json
from eventdefs.errors import LedgerError, PublisherURLError, RetryableDeliveryError
from eventdefs.metering.claims import HOUR, Claim, Group, Status, label_text, parse_label, to_micros
from eventdefs.metering.hours import pack, unpack
from eventdefs.metering.store import (
    AgainError,
    Closing,
    Hour,
    Key,
    Progress,
    Published,
    Query,
    Resource,
    Transaction,
)
from eventdefs.publishers.urls import parse_url, read_options
from eventdefs.sqldatabase import OPTIONS, delivery_error, engine_of, is_conflict, reason_of
from eventdefs.types import Gap, Record, Refusal, begin_of, kind_of

T = TypeVar("T")

SCHEMA_VERSION = 1
_AT_ONCE = 500
"""How many values one statement names."""

_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_digest = sa.CHAR(32).with_variant(mysql.CHAR(32, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
_bytes = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
_tables = sa.MetaData()
_progress = sa.Table(
    "ledger_progress",
    _tables,
    sa.Column("line", sa.SmallInteger, primary_key=True, autoincrement=False),  # there is one
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("watermark", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Column("closed_through", sa.BigInteger, nullable=False),
    sa.Column("purged", sa.BigInteger, nullable=False),
    sa.Column("months", _bytes, nullable=False),  # JSON
    sa.Column("recent", _bytes, nullable=False),  # JSON
)
_resources = sa.Table(
    "ledger_resources",
    _tables,
    sa.Column("number", _number, primary_key=True, autoincrement=True),
    sa.Column("digest", _digest, nullable=False, unique=True),
    sa.Column("identity", _bytes, nullable=False),  # JSON: meter, resource_id, unit
    sa.Column("closed_at", sa.BigInteger),
    sa.Column("created", sa.BigInteger),
    sa.Column("covered_until", sa.BigInteger),
    sa.Column("counted_until", sa.Boolean),
)
_labels = sa.Table(
    "ledger_labels",
    _tables,
    sa.Column("number", _number, primary_key=True, autoincrement=True),
    sa.Column("digest", _digest, nullable=False, unique=True),
    sa.Column("label", _bytes, nullable=False),  # JSON
)
CLOSED, OPEN, HELD = 0, 1, 2
_hours = sa.Table(
    "ledger_hours",
    _tables,
    sa.Column("resource", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),  # since 1970
    sa.Column("waits", sa.SmallInteger, nullable=False),  # CLOSED, OPEN or HELD
    sa.Column("state", _bytes, nullable=False),  # MessagePack, see `_pack_hour`
    sa.Index("ledger_hours_by_waits", "waits", "hour"),
    sqlite_with_rowid=False,
)
_records = sa.Table(
    "ledger_records",
    _tables,
    sa.Column("sequence", _number, primary_key=True, autoincrement=False),
    sa.Column("id", sa.CHAR(36), nullable=False, unique=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("meter", _digest, nullable=False),
    sa.Column("resource", _digest, nullable=False),
    sa.Column("project", _digest, nullable=False),
    sa.Column("begin", sa.BigInteger, nullable=False),
    sa.Column("recorded_at", sa.BigInteger, nullable=False),
    sa.Column("record", _bytes, nullable=False),  # JSON
    sa.Index("ledger_records_by_time", "kind", "begin"),
    sa.Index("ledger_records_by_resource", "resource", "begin"),
    sa.Index("ledger_records_by_project", "project", "begin"),
)
_outbox = sa.Table("ledger_outbox", _tables, sa.Column("sequence", _number, primary_key=True, autoincrement=False))
_closings = sa.Table(
    "ledger_closings",
    _tables,
    sa.Column("meter", _digest, primary_key=True),
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", _bytes, nullable=False),  # JSON: the meter
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("total", sa.Numeric(38, 0, asdecimal=True).with_variant(sa.String(40), "sqlite"), nullable=False),
    sa.Column("digest", sa.CHAR(64), nullable=False),
    sa.Index("ledger_closings_by_revision", "revision", "hour"),
)


def _digest_of(*parts: object) -> str:
    return blake2b(write_json(parts), digest_size=16).hexdigest()


def _chunks(values: Collection[T], size: int = _AT_ONCE) -> Iterator[list[T]]:
    found = list(values)
    return (found[first : first + size] for first in range(0, len(found), size))


class SQLStore:
    """A ledger's database: ``sqlite:///ledger.db``, ``postgresql://user:password@host/name``, ``mysql://...``."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        """Open the database of *url*, and make the tables where it has none, unless *create* says not to.

        Raises:
            LedgerError: the URL names no database, it cannot be reached, or another release wrote it.
        """
        self._engine = _engine(url, create=create)
        self._hidden = tuple(text for text in (self._engine.url.username, self._engine.url.password) if text)
        self.name = parse_url(url).text
        self._labels: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        try:
            self._prepare(create)
        except (SQLAlchemyError, sqlite3.Error, RetryableDeliveryError) as error:
            self._engine.dispose()
            cause = error.__cause__ if isinstance(error, RetryableDeliveryError) else error
            raise LedgerError(
                f"the ledger {self.name} cannot be used: {reason_of(cause or error, self._hidden)}"
            ) from error

    def _prepare(self, create: bool) -> None:
        with self._read() as connection:
            there = sa.inspect(connection).has_table("ledger_progress")
        if not there:
            if not create:
                raise LedgerError(f"{self.name} has no ledger")
            self._make_tables()
        if create:
            self._make_first_row()
        with self._read() as connection:
            version = connection.execute(sa.select(_progress.c.version)).scalar_one()
        if version != SCHEMA_VERSION:
            raise LedgerError(f"{self.name} has schema {version}, this release writes {SCHEMA_VERSION}")

    def _make_first_row(self) -> None:
        with self._begin() as connection:
            counts = dict.fromkeys(("watermark", "sequence", "recorded_at", "closed_through", "purged"), 0)
            first = {"line": 1, "version": SCHEMA_VERSION, **counts, "months": b"[]", "recent": b"[]"}
            self._add_missing(connection, _progress, [first])

    def _make_tables(self) -> None:
        """Make the tables, which other processes may be doing at the same time; that of the progress is the last."""
        for table in sorted(_tables.tables.values(), key=lambda table: table is _progress):
            try:
                with self._begin() as connection:
                    table.create(connection, checkfirst=True)
            except DBAPIError:
                with self._read() as connection:
                    if not sa.inspect(connection).has_table(table.name):
                        raise

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        transaction: _Transaction | None = None
        try:
            with self._begin() as connection:
                transaction = _Transaction(self, connection)
                yield transaction
        except DBAPIError as error:
            raise self._translated(error) from error
        if transaction is not None:  # it is committed: others see its labels too
            self._remember(transaction.fresh_labels)

    def _translated(self, error: DBAPIError) -> Exception:
        """Return what *error* means to whoever uses the store."""
        return AgainError() if is_conflict(error) else delivery_error(error, f"the ledger {self.name}", self._hidden)

    def _remember(self, labels: Mapping[str, int]) -> None:
        for label, number in labels.items():
            self._numbers[label] = number
            self._labels[number] = label

    def _add_missing(self, connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Insert those of *rows* that are not there yet."""
        statement: Any
        if self._engine.dialect.name == "sqlite":
            statement = sqlite.insert(table).on_conflict_do_nothing()
        elif self._engine.dialect.name == "postgresql":
            statement = postgresql.insert(table).on_conflict_do_nothing()
        else:
            statement = sa.insert(table).prefix_with("IGNORE")
        connection.execute(statement, rows)

    def _replace(self, connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """Insert *rows*, or put them in the place of those with their primary keys."""
        names = [column.name for column in table.columns if not column.primary_key]
        statement: Any
        if self._engine.dialect.name in ("sqlite", "postgresql"):
            made: Any = (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)
            statement = made.on_conflict_do_update(
                index_elements=list(table.primary_key.columns),
                set_={name: made.excluded[name] for name in names},
            )
        else:
            inserted = mysql.insert(table)
            statement = inserted.on_duplicate_key_update({name: inserted.inserted[name] for name in names})
        connection.execute(statement, rows)

    # --- reading -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect().execution_options(reads=True) as connection:
                yield connection
        except DBAPIError as error:
            raise RetryableDeliveryError(f"the ledger {self.name}: {reason_of(error, self._hidden)}") from error

    def pending(self, most: int, after: int = 0) -> list[Record]:
        statement = (
            sa.select(_records.c.record)
            .join(_outbox, _outbox.c.sequence == _records.c.sequence)
            .where(_outbox.c.sequence > after)
            .order_by(_outbox.c.sequence)
            .limit(most)
        )
        with self._read() as connection:
            return [_decode(record) for (record,) in connection.execute(statement)]

    def confirm(self, records: Sequence[Record]) -> None:
        if not records:
            return
        try:
            with self._begin() as connection:
                for chunk in _chunks([record.sequence for record in records]):
                    connection.execute(sa.delete(_outbox).where(_outbox.c.sequence.in_(chunk)))
        except DBAPIError as error:
            raise RetryableDeliveryError(f"the ledger {self.name}: {reason_of(error, self._hidden)}") from error

    def records(self, query: Query) -> Iterator[Record]:
        column = _records.c
        conditions: list[sa.ColumnElement[bool]] = [column.kind.in_(query.kinds)]
        for name, value in (
            (column.meter, query.meter),
            (column.resource, query.resource_id),
            (column.project, query.project_id),
        ):
            if value is not None:
                conditions.append(name == _digest_of(value))
        if query.begin is not None:
            conditions.append(column.begin >= to_micros(query.begin))
        if query.end is not None:
            conditions.append(column.begin < to_micros(query.end))
        if query.through is not None:
            conditions.append(column.sequence <= query.through)
        statement = sa.select(column.record).where(*conditions).order_by(column.sequence)
        with self._read() as connection:
            for (record,) in connection.execution_options(yield_per=1000).execute(statement):
                yield _decode(record)

    def sequence_at(self, time: datetime) -> int:
        until = to_micros(time)
        with self.transaction() as transaction:
            progress = transaction.lock_progress()
            if progress.recorded_at < until:
                transaction.set_progress(progress._replace(recorded_at=until))
                return progress.sequence
            assert isinstance(transaction, _Transaction)
            statement = sa.select(sa.func.max(_records.c.sequence)).where(_records.c.recorded_at <= until)
            return transaction.connection.execute(statement).scalar() or 0

    def progress(self) -> Progress:
        with self._read() as connection:
            return _read_progress(connection, lock=False)

    def resource(self, meter: str, resource_id: str) -> Resource | None:
        with self._read() as connection:
            found = _Transaction(self, connection)
            statement = sa.select(_resources).where(_resources.c.digest == _digest_of(meter, resource_id))
            row = connection.execute(statement).one_or_none()
            if row is None:
                return None
            resource = _resource(row)
            found.load_from(resource, 0)
            return resource

    def all_resources(self) -> Iterator[Resource]:
        with self._read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(sa.select(_resources)):
                yield _resource(row)

    def close(self) -> None:
        self._engine.dispose()


class _Transaction:
    """See `store.Transaction`."""

    def __init__(self, store: SQLStore, connection: sa.Connection) -> None:
        self._store = store
        self.connection = connection
        self.fresh_labels: dict[str, int] = {}

    def progress(self) -> Progress:
        return _read_progress(self.connection, lock=False)

    def lock_progress(self) -> Progress:
        return _read_progress(self.connection, lock=True)

    def set_progress(self, progress: Progress) -> None:
        values = {
            **progress._asdict(),
            "months": write_json(sorted(progress.months)),
            "recent": write_json(progress.recent),
        }
        self.connection.execute(sa.update(_progress).values(**values))

    # --- resources ---------------------------------------------------------------------------------------------------

    def resources(self, units: Mapping[Key, str]) -> dict[Key, Resource]:
        keys = {_digest_of(*key): key for key in units}
        found = self._lock_resources(_resources.c.digest, sorted(keys))
        if missing := sorted(keys.keys() - found.keys()):
            rows = [
                {"digest": digest, "identity": write_json((*keys[digest], units[keys[digest]]))} for digest in missing
            ]
            self._store._add_missing(self.connection, _resources, rows)
            found |= self._lock_resources(_resources.c.digest, missing)
        return {keys[digest]: resource for digest, resource in found.items()}

    def _lock_resources(self, column: sa.Column[Any], values: Collection[Any]) -> dict[Any, Resource]:
        """Return resources for oneself alone, by *column*."""
        found: dict[Any, Resource] = {}
        for chunk in _chunks(values):
            statement = sa.select(_resources).where(column.in_(chunk)).order_by(_resources.c.number).with_for_update()
            for row in self.connection.execute(statement):
                found[row._mapping[column.name]] = _resource(row)
        return found

    def load(self, wanted: Sequence[tuple[Resource, Sequence[Claim]]]) -> None:
        by_number = {resource.number: resource for resource, _ in wanted}
        hours = {
            resource.number: {
                hour for claim in claims for hour in range(claim.begin // HOUR, (claim.end + HOUR - 1) // HOUR)
            }
            for resource, claims in wanted
        }
        by_hour: dict[int, list[int]] = {}
        for number, touched in hours.items():
            for hour in touched:
                by_hour.setdefault(hour, []).append(number)
        column = _hours.c
        if len(by_hour) <= len(by_number):
            for hour, numbers in by_hour.items():
                for chunk in _chunks(numbers):
                    self._put(by_number, sa.and_(column.hour == hour, column.resource.in_(chunk)))
        else:
            for number, touched in hours.items():
                for chunk in _chunks(touched):
                    self._put(by_number, sa.and_(column.resource == number, column.hour.in_(chunk)))

    def _put(self, by_number: Mapping[int, Resource], condition: sa.ColumnElement[bool]) -> list[Hour]:
        """Put the hours for which *condition* holds into their resources, but those that are there."""
        column = _hours.c
        statement = sa.select(column.resource, column.hour, column.waits, column.state).where(condition)
        found = []
        for number, at, waits, state in self.connection.execute(statement).all():
            hours = by_number[number].hours
            begin = at * HOUR
            if begin not in hours:
                hours[begin] = self._unpack_hour(begin, waits, state)
            found.append(hours[begin])
        return found

    def load_from(self, resource: Resource, begin: int) -> None:
        column = _hours.c
        later = sa.or_(column.hour >= begin // HOUR, column.waits == OPEN)
        self._put({resource.number: resource}, sa.and_(column.resource == resource.number, later))

    def nearest(self, resource: Resource, begin: int, *, after: bool) -> Hour | None:
        column = _hours.c
        beyond = column.hour > begin // HOUR if after else column.hour < begin // HOUR
        order = column.hour.asc() if after else column.hour.desc()
        statement = sa.select(column.hour).where(column.resource == resource.number, beyond).order_by(order).limit(1)
        stored = self.connection.execute(statement).scalar()
        known = [hour for hour in resource.hours if (hour > begin if after else hour < begin)]
        if stored is not None:
            known.append(stored * HOUR)
        if not known:
            return None
        nearest = min(known) if after else max(known)
        if nearest not in resource.hours:
            condition = sa.and_(column.resource == resource.number, column.hour == nearest // HOUR)
            self._put({resource.number: resource}, condition)
        return resource.hours[nearest]

    def due(self, through: int, most: int) -> list[Resource]:
        return self._waiting(OPEN, 0, through, most)

    def held(self, begin: int, end: int, most: int) -> list[Resource]:
        return self._waiting(HELD, begin, end - HOUR, most)

    def _waiting(self, waits: int, begin: int, through: int, most: int) -> list[Resource]:
        column = _hours.c
        condition = sa.and_(
            column.waits == waits, column.hour >= begin // HOUR, column.hour <= min(through // HOUR, 2**31 - 1)
        )
        statement = sa.select(column.resource).where(condition).distinct().limit(most)
        numbers = list(self.connection.execute(statement).scalars())
        resources = self._lock_resources(_resources.c.number, sorted(numbers))
        for chunk in _chunks(sorted(resources)):
            self._put(resources, sa.and_(condition, column.resource.in_(chunk)))
        return list(resources.values())

    # --- sums --------------------------------------------------------------------------------------------------------

    def closings(self, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], Closing]:
        found = {key: Closing(*key) for key in keys}
        column = _closings.c
        for meter in sorted({meter for meter, _ in keys}):
            for chunk in _chunks([hour // HOUR for name, hour in keys if name == meter]):
                statement = sa.select(_closings).where(column.meter == _digest_of(meter), column.hour.in_(chunk))
                for row in self.connection.execute(statement):
                    closing = _closing(row)
                    found[closing.meter, closing.hour] = closing
        return found

    def unclosed(self, through: int, most: int) -> list[Closing]:
        column = _closings.c
        statement = (
            sa.select(_closings)
            .where(column.revision == 0, column.hour <= min(through // HOUR, 2**31 - 1))
            .order_by(column.hour, column.meter)
            .limit(most)
        )
        return [_closing(row) for row in self.connection.execute(statement)]

    # --- the end -----------------------------------------------------------------------------------------------------

    def save(
        self,
        resources: Collection[Resource],
        hours: Sequence[tuple[Resource, Hour]],
        closings: Collection[Closing],
    ) -> None:
        if hours:
            self._number_labels(hour for _, hour in hours)
            rows = [
                {
                    "resource": resource.number,
                    "hour": hour.begin // HOUR,
                    "waits": OPEN if not hour.closed_by else HELD if hour.held else CLOSED,
                    "state": self._pack_hour(hour),
                }
                for resource, hour in sorted(hours, key=lambda pair: (pair[0].number, pair[1].begin))
            ]
            self._store._replace(self.connection, _hours, rows)
        rows = [
            {
                "which": one.number,
                "closed_at": one.closed_at,
                "created": one.created,
                "covered": one.covered_until,
                "counted": one.counted_until,
            }
            for one in resources
            if one.changed
        ]
        if rows:
            column = _resources.c
            statement = (
                sa.update(_resources)
                .where(column.number == sa.bindparam("which"))
                .values(
                    {
                        column.closed_at: sa.bindparam("closed_at"),
                        column.created: sa.bindparam("created"),
                        column.covered_until: sa.bindparam("covered"),
                        column.counted_until: sa.bindparam("counted"),
                    }
                )
            )
            self.connection.execute(statement, rows)
        if closings:
            rows = [
                {
                    "meter": _digest_of(one.meter),
                    "hour": one.hour // HOUR,
                    "name": write_json(one.meter),
                    "revision": one.revision,
                    "count": one.count,
                    "total": one.total,
                    "digest": f"{one.digest:064x}",
                }
                for one in closings
            ]
            self._store._replace(self.connection, _closings, rows)

    def append(self, records: Sequence[Record]) -> None:
        rows = [
            {
                "sequence": record.sequence,
                "id": record.id,
                "kind": kind_of(record),
                "meter": _digest_of(record.meter),
                "resource": _digest_of(getattr(record, "resource_id", None)),
                "project": _digest_of(getattr(record, "project_id", None)),
                "begin": to_micros(begin_of(record)),
                "recorded_at": to_micros(record.recorded_at),
                "record": write_json(record),
            }
            for record in records
        ]
        repeatable = [record.id for record in records if isinstance(record, (Gap, Refusal))]
        known: set[str] = set()
        for chunk in _chunks(repeatable):
            known.update(self.connection.execute(sa.select(_records.c.id).where(_records.c.id.in_(chunk))).scalars())
        rows = list({row["id"]: row for row in rows if row["id"] not in known}.values())
        if rows:
            self.connection.execute(sa.insert(_records), rows)
            self.connection.execute(sa.insert(_outbox), [{"sequence": row["sequence"]} for row in rows])

    def old(self, before: int, most: int) -> list[Resource]:
        column = _hours.c
        old = sa.and_(column.waits == CLOSED, column.hour < before // HOUR)
        statement = sa.select(column.resource).where(old).distinct().limit(most)
        numbers = sorted(self.connection.execute(statement).scalars())
        resources = self._lock_resources(_resources.c.number, numbers)
        for chunk in _chunks(sorted(resources)):
            self._put(resources, sa.and_(old, column.resource.in_(chunk)))
        return list(resources.values())

    def forget(self, resources: Collection[Resource], before: int, long_before: int) -> None:
        column = _hours.c
        for chunk in _chunks([resource.number for resource in resources]):
            old = sa.and_(column.waits == CLOSED, column.hour < before // HOUR, column.resource.in_(chunk))
            self.connection.execute(sa.delete(_hours).where(old))
        one = _resources.c
        latest = sa.func.coalesce(one.covered_until, one.closed_at)
        ended = sa.and_(latest < long_before, sa.func.coalesce(one.closed_at, one.covered_until) < long_before)
        empty = ~sa.exists().where(column.resource == one.number)
        self.connection.execute(sa.delete(_resources).where(ended, empty))

    # --- hours as they are stored ------------------------------------------------------------------------------------

    def _number_labels(self, hours: Iterable[Hour]) -> None:
        """Give numbers to the labels of *hours* that have none."""
        known = self._store._numbers
        wanted = {
            label
            for hour in hours
            for label in (*hour.state.witnesses, *map(_group_label, hour.published))
            if label not in known
        } - self.fresh_labels.keys()
        if wanted:
            digests = {_digest_of(label): label for label in sorted(wanted)}
            rows = [{"digest": digest, "label": label.encode()} for digest, label in sorted(digests.items())]
            self._store._add_missing(self.connection, _labels, rows)
            for chunk in _chunks(digests):
                statement = sa.select(_labels.c.digest, _labels.c.number).where(_labels.c.digest.in_(chunk))
                for digest, number in self.connection.execute(statement):
                    self.fresh_labels[digests[digest]] = number

    def _number_of(self, label: str) -> int:
        number = self._store._numbers.get(label)
        return self.fresh_labels[label] if number is None else number

    def _label_of(self, number: int) -> str:
        label = self._store._labels.get(number)
        if label is None:
            statement = sa.select(_labels.c.label, _labels.c.number)
            self._store._remember({bytes(text).decode(): at for text, at in self.connection.execute(statement)})
            label = self._store._labels[number]
        return label

    def _pack_hour(self, hour: Hour) -> bytes:
        published = [
            [self._number_of(_group_label(group)), one.micros, one.revision, bytes.fromhex(one.digest)]
            for group, one in hour.published.items()
        ]
        packed = pack(hour.state, self._number_of)
        return msgspec.msgpack.encode([*packed, hour.closed_by, published, hour.gaps])

    def _unpack_hour(self, begin: int, waits: int, data: bytes) -> Hour:
        *packed, closed_by, published, gaps = msgspec.msgpack.decode(data)
        return Hour(
            unpack(begin, packed, self._label_of),
            closed_by,
            {
                parse_label(self._label_of(number)).group: Published(micros, revision, digest.hex())
                for number, micros, revision, digest in published
            },
            [(first, last) for first, last in gaps],
            waits == HELD,
        )


def _group_label(group: Group) -> str:
    return label_text(Status.RUNNING, group.project_id, dict(group.dimensions))


def _resource(row: Any) -> Resource:
    meter, resource_id, unit = msgspec.json.decode(row.identity)
    return Resource(
        meter, resource_id, unit, row.closed_at, row.created, row.covered_until, row.counted_until, row.number
    )


def _closing(row: Any) -> Closing:
    meter = msgspec.json.decode(row.name)
    return Closing(meter, row.hour * HOUR, row.revision, row.count, int(row.total), int(row.digest, 16))


def _read_progress(connection: sa.Connection, *, lock: bool) -> Progress:
    statement = sa.select(_progress)
    row = connection.execute(statement.with_for_update() if lock else statement).one()
    months, recent = frozenset(msgspec.json.decode(row.months)), tuple(msgspec.json.decode(row.recent))
    return Progress(row.watermark, row.sequence, row.recorded_at, row.closed_through, row.purged, months, recent)


_decode = msgspec.json.Decoder(Record).decode


def _engine(url: str, *, create: bool) -> sa.Engine:
    if "://" not in url:
        raise LedgerError(f"{url!r} names no ledger, as sqlite:///ledger.db does")
    try:
        parsed = parse_url(url)
        if parsed.scheme not in OPTIONS:
            raise LedgerError(f"{parsed.text} names no ledger, known are {', '.join(OPTIONS)} and memory")
        engine = engine_of(parsed, read_options(parsed, OPTIONS[parsed.scheme]))
    except PublisherURLError as error:
        raise LedgerError(str(error).replace("events.db does", "ledger.db does; memory:// keeps nothing")) from error
    if parsed.scheme == "sqlite" and not create and not Path(engine.url.database or "").is_file():
        raise LedgerError(f"there is no ledger {engine.url.database}")
    return engine
