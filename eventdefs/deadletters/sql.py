"""Dead letters in a table of a SQL database: SQLite on one host, PostgreSQL or MariaDB for workers on several.

A letter is a row, whose column `letter` is the same JSON as a line of a file. The other columns count it and are there
to be asked for; a text of others is cut and escaped in them, so that every database takes it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from eventdefs.deadletters.letters import DeadLetter, Unreadable, merged, read_letter, write_letter
from eventdefs.deadletters.places import MODE, How, Warn
from eventdefs.encode import one_line
from eventdefs.errors import InputError, RetryableDeliveryError
from eventdefs.publishers.urls import parse_url, read_options
from eventdefs.sqldatabase import OPTIONS, engine_of, is_conflict, reason_of
from eventdefs.sqlitefile import path_of
from eventdefs.times import parse_time
from eventdefs.types import excerpt

T = TypeVar("T")

AT_ONCE = 200
"""How many letters are read, and how many ids one statement names."""
TRIES = 10
"""How often a transaction begins again that was in another's way."""

_id = sa.CHAR(32).with_variant(mysql.CHAR(32, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
_text = sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def _words(length: int) -> Any:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


_tables = sa.MetaData()
_letters = sa.Table(
    "dead_letters",
    _tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("fate", sa.String(16), nullable=False),
    sa.Column("reason", _words(300), nullable=False),
    sa.Column("event_type", _words(255), nullable=False),
    sa.Column("tenant", _words(255), nullable=False),  # '' where there is none
    sa.Column("publisher", _words(255), nullable=False),
    sa.Column("first_seen", sa.String(32), nullable=False),  # UTC, microseconds, sorts as text; '' where not known
    sa.Column("last_seen", sa.String(32), nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("letter", _text, nullable=False),  # JSON
    sa.Column("settled", sa.String(16), nullable=False),  # '' while it is open, else how
    sa.Column("settled_at", sa.String(32), nullable=False),
    sa.Index("dead_letters_by_time", "settled", "first_seen", "id"),
)
_column = _letters.c


class SQLPlace:
    """A database of dead letters: ``sqlite:///dead.db``, ``postgresql://user:password@host/name``, ``mysql://...``.

    Attributes:
        name: the URL, as it may be shown.
    """

    def __init__(self, url: str, warn: Warn, *, create: bool = True) -> None:
        """Read *url*; the table is made when it is first needed, unless *create* says not to.

        Raises:
            PublisherURLError: the URL names no database, or its driver is missing.
            InputError: the file of SQLite is not there and is not to be made.
        """
        parsed = parse_url(url)
        self.name = parsed.text
        self._warn = warn
        self._create = create
        self._prepared = False
        self._engine = engine_of(parsed, read_options(parsed, OPTIONS[parsed.scheme]))
        if parsed.scheme == "sqlite":
            path = path_of(parsed)
            if not create and not Path(path).is_file():
                raise InputError(f"there are no dead letters {path}")
            _make_private(self._engine, path)

    # --- transactions ------------------------------------------------------------------------------------------------

    def _connection(self) -> sa.Connection:
        connection = self._engine.connect()
        try:
            if not self._prepared:
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sa.Connection) -> None:
        """Make the table, which other processes may be doing at the same time."""
        with connection.begin():
            there = sa.inspect(connection).has_table("dead_letters")
        if not there and not self._create:
            raise InputError(f"there are no dead letters in {self.name}")
        if not there:
            try:
                with connection.begin():
                    _tables.create_all(connection)
            except DBAPIError:
                with connection.begin():
                    if not sa.inspect(connection).has_table("dead_letters"):
                        raise
        self._prepared = True

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        """Do *work* in one transaction, again where it was in another's way."""
        for left in reversed(range(TRIES)):
            try:
                with self._connection() as connection, connection.begin():
                    return work(connection)
            except (SQLAlchemyError, sqlite3.Error) as error:
                if not left or not is_conflict(error):
                    raise self._failure(error) from error
        raise AssertionError  # never: the last attempt returns or raises

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._connection() as connection:
                yield connection.execution_options(reads=True)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> RetryableDeliveryError:
        return RetryableDeliveryError(f"dead letters {self.name}: {reason_of(error)}")

    # --- the place ---------------------------------------------------------------------------------------------------

    def add(self, letters: Sequence[DeadLetter]) -> None:
        rows = [_row(letter) for letter in merged(letters)]
        if rows:
            rows.sort(key=lambda row: str(row["id"]))  # so that two who add the same do not wait for each other
            self._write(lambda connection: connection.execute(_adding(self._engine.dialect.name), rows))

    def tried(self, letters: Sequence[DeadLetter]) -> None:
        self._change([letter.id for letter in letters], {"attempts": _column.attempts + 1})

    def settle(self, ids: Collection[str], how: How) -> None:
        self._change(ids, {"settled": how, "settled_at": _time_text(datetime.now(UTC))})

    def _change(self, ids: Collection[str], values: dict[str, Any]) -> None:
        if not ids:
            return
        ordered = sorted(ids)
        chunks = [ordered[first : first + AT_ONCE] for first in range(0, len(ordered), AT_ONCE)]

        def work(connection: sa.Connection) -> None:
            for chunk in chunks:
                chosen = sa.and_(_column.id.in_(chunk), _column.settled == "")
                connection.execute(sa.update(_letters).where(chosen).values(values))

        self._write(work)

    def read(self) -> Iterator[DeadLetter]:
        last = ("", "")
        columns = _column.id, _column.first_seen, _column.last_seen, _column.seen, _column.attempts, _column.letter
        while True:
            after = sa.or_(_column.first_seen > last[0], sa.and_(_column.first_seen == last[0], _column.id > last[1]))
            statement = (
                sa.select(*columns)
                .where(_column.settled == "", after)
                .order_by(_column.first_seen, _column.id)
                .limit(AT_ONCE)
            )
            with self._reading() as connection, connection.begin():
                rows = connection.execute(statement).all()
            for row in rows:
                try:
                    letter = read_letter(row.letter.encode())
                except Unreadable as error:
                    self._warn(f"{self.name}: {row.id}: {error}")
                    continue
                yield msgspec.structs.replace(
                    letter,
                    count=row.seen,
                    attempts=row.attempts,
                    first=_time_of(row.first_seen),
                    last=_time_of(row.last_seen),
                )
            if len(rows) < AT_ONCE:
                return
            last = (rows[-1].first_seen, rows[-1].id)

    def purge(self) -> int:
        return self._write(
            lambda connection: connection.execute(sa.delete(_letters).where(_column.settled != "")).rowcount
        )

    def close(self) -> None:
        self._engine.dispose()


def _row(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "fate": letter.fate,
        "reason": excerpt(one_line(letter.reason), 300),
        "event_type": excerpt(one_line(letter.event_type), 255),
        "tenant": excerpt(one_line(letter.tenant or ""), 255),
        "publisher": excerpt(one_line(letter.publisher), 255),
        "first_seen": _time_text(letter.first),
        "last_seen": _time_text(letter.last),
        "seen": letter.count,
        "attempts": letter.attempts,
        "letter": write_letter(letter).decode(),
        "settled": "",
        "settled_at": "",
    }


def _adding(dialect: str) -> Any:
    """Return the statement that adds rows to those with their ids, and opens again what was settled."""
    made: Any = {"sqlite": sqlite, "postgresql": postgresql}.get(dialect, mysql).insert(_letters)
    new = made.inserted if dialect not in ("sqlite", "postgresql") else made.excluded
    least, greatest = (sa.func.min, sa.func.max) if dialect == "sqlite" else (sa.func.least, sa.func.greatest)
    is_open = _column.settled == new.settled  # which is '': PyMySQL takes no named value behind the rows
    changed = [
        ("first_seen", sa.case((is_open, least(_column.first_seen, new.first_seen)), else_=new.first_seen)),
        ("last_seen", sa.case((is_open, greatest(_column.last_seen, new.last_seen)), else_=new.last_seen)),
        ("seen", sa.case((is_open, _column.seen + new.seen), else_=new.seen)),
        ("attempts", sa.case((is_open, _column.attempts + new.attempts), else_=new.attempts)),
        *((name, new[name]) for name in ("fate", "reason", "event_type", "tenant", "publisher", "letter")),
        ("settled", new.settled),  # after all that looks at it: MariaDB changes column by column
        ("settled_at", new.settled_at),
    ]
    if dialect in ("sqlite", "postgresql"):
        return made.on_conflict_do_update(index_elements=[_column.id], set_=dict(changed))
    return made.on_duplicate_key_update(changed)


def _time_text(time: datetime | None) -> str:
    return "" if time is None else time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _time_of(text: str) -> datetime | None:
    return parse_time(text) if text else None


def _make_private(engine: sa.Engine, path: str) -> None:
    """Make the SQLite file *path*, where it is not there, for us alone to read."""

    @sa.event.listens_for(engine, "do_connect")
    def make(*_: object) -> None:
        with suppress(OSError):  # it is there, or SQLite says what is wrong
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
