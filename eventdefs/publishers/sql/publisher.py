"""The publishers of the three databases: one transaction a batch, whatever is in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from eventdefs.errors import AccessDeniedError, DeliveryError, PermanentDeliveryError, PublisherURLError
from eventdefs.publishers import Batch, BatchLimits, Delivered, PublisherURL
from eventdefs.publishers.sql import SCHEMA_VERSION
from eventdefs.publishers.sql.rows import Row, cleaned, rows_of, storable, without_surrogates
from eventdefs.publishers.sql.schema import bring_up, find_version
from eventdefs.publishers.sql.tables import (
    EVENTS,
    STORED,
    TRAITS,
    WRITER,
    columns_of,
    key_columns,
    statements,
)
from eventdefs.sqldatabase import TOO_LARGE, ServerOptions, code_of, delivery_error, engine_of, is_data, reason_of
from eventdefs.sqlitefile import SQLiteOptions, path_of

AT_ONCE = 5000
"""How many rows a statement has at most, so that the largest batch takes no more memory than a small one."""
PACKET_MARGIN = 4096
"""How many bytes of a packet are a statement's own, at most."""
KEYS_AT_ONCE = 500
"""How many keys a statement asks for."""
_SEQUENCES = {table.name: 0 for table in STORED}


class SQLPublisher:
    """What publishers of databases have in common.

    Attributes:
        name: how the database is called where something is wrong with it.
    """

    LIMITS: ClassVar[BatchLimits] = BatchLimits(items=10_000)

    def __init__(self, url: PublisherURL, options: SQLiteOptions | ServerOptions) -> None:
        self.name = url.text
        self._timeout = options.timeout
        self._engine = engine_of(url, options)
        self._hidden = tuple(text for text in (self._engine.url.username, self._engine.url.password) if text)
        self._statements = {table.name: statements(table, self._engine.dialect) for table in (*STORED, TRAITS)}
        self._is_ready = False

    def publish(self, batch: Batch) -> Delivered:
        try:
            rows = rows_of(batch, digests=self._engine.dialect.name != "sqlite")
        except (TypeError, ValueError, RecursionError) as error:
            raise PermanentDeliveryError(f"{self.name}: cannot be stored: {error}") from error
        if not len(batch):
            return Delivered(0)
        with self._translated():
            self._prepare()
            try:
                duplicates = self._write(rows, batch.replace)
            except (UnicodeEncodeError, DBAPIError) as error:
                if not _is_unspeakable(error):
                    self._see_that_it_fits(rows, error)
                    raise
                clean = without_surrogates if self._engine.dialect.name == "sqlite" else storable
                duplicates = self._write(cleaned(rows, clean), batch.replace)
        return Delivered(len(batch), duplicates)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say what the database raises in our words; after that, begin with a connection of its own."""
        try:
            yield
        except DeliveryError as error:
            self._forget()
            raise type(error)(f"{self.name}: {error}") from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            if not is_data(error):
                self._forget()
            raise delivery_error(error, self.name, self._hidden) from error

    def _see_that_it_fits(self, rows: Mapping[str, list[Row]], error: BaseException) -> None:
        """Say of a connection that MariaDB ended whether it did because of the size of a row."""
        if self._engine.dialect.name != "mysql" or code_of(error) not in TOO_LARGE:
            return
        with self._engine.connect() as connection:
            most = int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())
        if any(_length(row) > most - PACKET_MARGIN for table in rows.values() for row in table):
            raise PermanentDeliveryError(f"larger than the server's max_allowed_packet of {most} bytes") from error

    def _forget(self) -> None:
        self._engine.dispose()
        self._is_ready = False

    def _prepare(self) -> None:
        if not self._is_ready:
            bring_up(self._engine, self._timeout)
            self._is_ready = True

    # --- one batch ---------------------------------------------------------------------------------------------------

    def _write(self, rows: Mapping[str, list[Row]], replace: bool) -> int:
        """Write *rows* in one transaction; return how many of them were there already."""
        duplicates = 0
        with self._engine.connect() as connection, connection.begin():
            last = self._take_turn(connection)
            moved = dict(last)
            for table in STORED:
                given = rows[table.name]
                if given:
                    known, moved[table.name] = self._store(connection, table, given, last[table.name], replace)
                    duplicates += known
            self._give_turn(connection, {name: number for name, number in moved.items() if number != last[name]})
        return duplicates

    def _take_turn(self, connection: sa.Connection) -> dict[str, int]:
        """Wait until nobody else writes; return the last sequence of each table."""
        if self._engine.dialect.name == "sqlite":  # the transaction has the file
            found = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
            return _SEQUENCES | {name: number for name, number in found if name in _SEQUENCES}
        row = connection.execute(sa.select(WRITER).with_for_update()).mappings().one()
        return {name: row[name] for name in _SEQUENCES}

    def _give_turn(self, connection: sa.Connection, moved: Mapping[str, int]) -> None:
        if moved and self._engine.dialect.name != "sqlite":
            connection.execute(sa.update(WRITER).values(moved))

    def _store(
        self, connection: sa.Connection, table: sa.Table, rows: list[Row], last: int, replace: bool
    ) -> tuple[int, int]:
        """Store *rows* of *table* after its *last* sequence; return how many were there, and the last one now."""
        words = self._statements[table.name]
        count = len(rows)
        traits: list[list[Row]] = []
        if table is EVENTS:
            traits = [row[-1] for row in rows]
            rows = [row[:-1] for row in rows]
        known = 0
        if replace:
            latest = {self._key(table, row): number for number, row in enumerate(rows)}
            known = self._delete(connection, table, list(latest))
            rows = [rows[number] for number in latest.values()]
            traits = [traits[number] for number in latest.values()] if traits else []
        self._insert(connection, table, [(last + number, *row) for number, row in enumerate(rows, 1)])
        fresh = [sequence for (sequence,) in connection.exec_driver_sql(words.fresh, (last,))]
        if traits:
            self._insert(
                connection,
                TRAITS,
                [(sequence, *trait) for sequence in fresh for trait in traits[sequence - last - 1]],
            )
        return known + count - len(fresh), last + len(rows)

    def _key(self, table: sa.Table, row: Row) -> Row:
        return row[: len(key_columns(table, self._engine.dialect))]  # which stand first

    def _delete(self, connection: sa.Connection, table: sa.Table, keys: Sequence[Row]) -> int:
        """Delete the rows that have one of *keys*; return how many there were."""
        columns = key_columns(table, self._engine.dialect)
        found: list[Row] = []
        for first in range(0, len(keys), KEYS_AT_ONCE):
            chunk = keys[first : first + KEYS_AT_ONCE]
            same = columns[0].in_([key for (key,) in chunk]) if len(columns) == 1 else sa.tuple_(*columns).in_(chunk)
            found += [(number,) for number in connection.execute(sa.select(table.c.sequence).where(same)).scalars()]
        if found:
            connection.exec_driver_sql(self._statements[table.name].delete, found)
            if table is EVENTS:
                connection.exec_driver_sql(self._statements[TRAITS.name].delete, found)
        return len(found)

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        insert = self._statements[table.name].insert
        for first in range(0, len(rows), AT_ONCE):
            chunk = rows[first : first + AT_ONCE]
            if self._engine.dialect.name == "postgresql":
                columns = columns_of(table, self._engine.dialect)
                lists = [
                    _floats(values) if isinstance(column.type, sa.Double) else list(values)
                    for column, values in zip(columns, zip(*chunk, strict=True), strict=True)
                ]
                connection.exec_driver_sql(insert, tuple(lists))
            else:
                connection.exec_driver_sql(insert, list(chunk))

    # --- looking -----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """See whether a batch could be stored: the connection, the version of the tables, our rights on them."""
        with self._translated(), self._engine.connect() as connection:
            if find_version(connection) == SCHEMA_VERSION:
                self._try_statements(connection)
            else:
                self._check_creating(connection)
            connection.rollback()

    def _try_statements(self, connection: sa.Connection) -> None:
        """Do all that a batch needs, to no row."""
        nothing = sa.false()
        for table in (*STORED, TRAITS):
            columns = columns_of(table, self._engine.dialect)
            names = [column.name for column in columns]
            connection.execute(sa.insert(table).from_select(names, sa.select(*columns).where(nothing)))
            connection.execute(sa.delete(table).where(nothing))
        if self._engine.dialect.name != "sqlite":
            connection.execute(sa.update(WRITER).where(nothing).values(_SEQUENCES))

    def _check_creating(self, connection: sa.Connection) -> None:
        if self._engine.dialect.name == "postgresql":
            may = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
        else:
            may = (
                "SELECT count(*) FROM (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'CREATE'"
                " UNION ALL SELECT 1 FROM information_schema.schema_privileges"
                " WHERE privilege_type = 'CREATE' AND DATABASE() LIKE table_schema) AS found"
            )
        if not connection.exec_driver_sql(may).scalar():
            raise AccessDeniedError("the tables are not there, and we may not make them")

    def close(self) -> None:
        self._engine.dispose()


class SQLitePublisher(SQLPublisher):
    """Stores in a file: ``sqlite:///events.db`` is in the current directory, ``sqlite:////var/events.db`` is not.

    The file is made or brought up when it is opened, so that what is wrong with it is said then.
    """

    Options: ClassVar[type[msgspec.Struct]] = SQLiteOptions

    def __init__(self, url: PublisherURL, options: SQLiteOptions) -> None:
        super().__init__(url, options)
        self.name = path_of(url)
        done = "opened"
        try:
            with self._engine.connect():
                done = "used"
            self._prepare()
        except (SQLAlchemyError, sqlite3.Error, DeliveryError) as error:
            self._engine.dispose()
            if isinstance(error, DeliveryError):
                raise PublisherURLError(f"{self.name} {error}") from error
            raise PublisherURLError(f"{url.text} cannot be {done}: {reason_of(error)}") from error


class ServerPublisher(SQLPublisher):
    """Stores in a database of a server: ``postgresql://user:password@host:5432/name``, ``mysql://...``.

    The server is reached when there is something to publish.
    """

    Options: ClassVar[type[msgspec.Struct]] = ServerOptions


def _length(row: Row) -> int:
    """Return how many bytes the texts of *row* have in a statement, at least."""
    texts = [value for value in row if isinstance(value, str)]
    escaped = sum(text.count(char) for text in texts for char in "\\'\"\n\r\0\x1a")
    return escaped + sum(len(text.encode("utf-8", "replace")) for text in texts)


def _floats(values: Sequence[Any]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


def _is_unspeakable(error: BaseException) -> bool:
    """Tell whether a text has a character for which the database has none."""
    if isinstance(error, UnicodeEncodeError):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else None
    return code_of(error) in (1366, "22021") or (cause is not None and "NUL (0x00)" in str(cause))
