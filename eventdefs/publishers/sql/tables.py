"""The tables as they are now, and the statements that write them. What made them is in `migrations`.

A name by which rows are found has at most 255 characters on servers, whose indexes have bounds; SQLite has none.
Times are text, see `rows.stored_time`. A database has the columns of `SERVER_ONLY` unless it is SQLite.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_name = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")  # sorts by code points everywhere
_time = sa.String(27).with_variant(sa.String(27, collation="C"), "postgresql")
_double: sa.Double[float] = sa.Double()
_digest = sa.String(32)

METADATA = sa.MetaData()
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("digest", _digest, nullable=False, unique=True),
    sa.Column("tenant", _name, nullable=False),
    sa.Column("message_id", _text, nullable=False),
    sa.Column("event_type", _name, nullable=False),
    sa.Column("generated", _time, nullable=False),
    sa.Column("priority", _text, nullable=False),
    sa.Column("publisher_id", _text),
    sa.Column("traits", _text, nullable=False),
    sa.Column("types", _text),
    sa.Column("raw", _text),
    sa.Index("events_by_time", "tenant", "generated"),
    sa.Index("events_by_type", "event_type", "generated"),
    sa.Index("events_by_message", "message_id", postgresql_using="hash", mysql_length=64, mariadb_length=64),
)
TRAITS = sa.Table(
    "traits",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", _name, primary_key=True),
    sa.Column("type", sa.String(8), nullable=False),
    sa.Column("text", _name),
    sa.Column("number", _double),
    sa.Index("traits_by_text", "name", "text", postgresql_where=sa.text("text IS NOT NULL")),
    sa.Index("traits_by_number", "name", "number", postgresql_where=sa.text("number IS NOT NULL")),
)
SAMPLES = sa.Table(
    "samples",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", _name, nullable=False, unique=True),
    sa.Column("name", _name, nullable=False),
    sa.Column("type", _text, nullable=False),
    sa.Column("unit", _text),
    sa.Column("volume", _double, nullable=False),
    sa.Column("resource_id", _text),
    sa.Column("project_id", _name),
    sa.Column("user_id", _text),
    sa.Column("timestamp", _time, nullable=False),
    sa.Column("metadata", _text, nullable=False),
    sa.Column("volume_text", _text),
    sa.Index("samples_by_meter", "project_id", "name", "timestamp"),
)
PERIODS = sa.Table(
    "periods",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", _name, nullable=False, unique=True),
    sa.Column("meter", _name, nullable=False),
    sa.Column("unit", _text),
    sa.Column("resource_id", _name, nullable=False),
    sa.Column("project_id", _text),
    sa.Column("user_id", _text),
    sa.Column("begin", _time, nullable=False),
    sa.Column("end", _time, nullable=False),
    sa.Column("not_before", _time),
    sa.Column("timestamp", _time, nullable=False),
    sa.Column("dimensions", _text, nullable=False),
    sa.Column("message_id", _text, nullable=False),
    sa.Column("not_after", _time),
    sa.Column("status", sa.String(8), nullable=False),
    sa.Index("periods_by_resource", "meter", "resource_id", "begin"),
)
USAGE = sa.Table(
    "usage",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", _name, nullable=False, unique=True),
    sa.Column("meter", _name, nullable=False),
    sa.Column("unit", _text, nullable=False),
    sa.Column("resource_id", _text, nullable=False),
    sa.Column("project_id", _name),
    sa.Column("dimensions", _text, nullable=False),
    sa.Column("period_start", _time, nullable=False),
    sa.Column("period_end", _time, nullable=False),
    sa.Column("timestamp", _time, nullable=False),
    sa.Column("quantity", _text, nullable=False),
    sa.Column("delta", _text, nullable=False),
    sa.Column("seconds", _text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("supersedes", _text),
    sa.Column("state", _text, nullable=False),
    sa.Column("closed_by", _text, nullable=False),
    sa.Column("reason", _text, nullable=False),
    sa.Column("evidence", _text, nullable=False),
    sa.Column("recorded_at", _time, nullable=False),
    sa.Column("ledger_sequence", sa.BigInteger, nullable=False),
    sa.Index("usage_by_meter", "project_id", "meter", "period_start"),
)
NOTES = sa.Table(
    "usage_notes",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", _name, nullable=False, unique=True),
    sa.Column("kind", _text, nullable=False),
    sa.Column("meter", _name, nullable=False),
    sa.Column("begin", _time, nullable=False),
    sa.Column("note", _text, nullable=False),
    sa.Index("usage_notes_by_meter", "meter", "begin"),
)
WRITER = sa.Table(
    "eventdefs_writer",
    METADATA,
    sa.Column("line", sa.SmallInteger, primary_key=True, autoincrement=False),  # there is one
    *(
        sa.Column(table.name, sa.BigInteger, nullable=False)  # the last sequence of that table
        for table in (EVENTS, SAMPLES, PERIODS, USAGE, NOTES)
    ),
)
STORED = (EVENTS, SAMPLES, PERIODS, USAGE, NOTES)
"""Tables whose rows have a sequence of their own, in the order in which a batch is written."""
SERVER_ONLY = frozenset({"digest"})
TABLES = frozenset(table.name for table in METADATA.tables.values())


class Statements(NamedTuple):
    """How one table is written, with values by position.

    Attributes:
        insert: a row with its sequence; one that is there already stays. PostgreSQL is given a list for each column.
        fresh: the sequences after one.
        delete: the row, or in `traits` the rows, of a sequence.
    """

    insert: str
    fresh: str
    delete: str


def statements(table: sa.Table, dialect: sa.Dialect) -> Statements:
    """Return the statements of *table* in the words of *dialect*."""
    keys = key_columns(table, dialect)
    return Statements(
        _insert(table, keys, dialect),
        _compiled(sa.select(table.c.sequence).where(table.c.sequence > _value("after")).order_by("sequence"), dialect),
        _compiled(sa.delete(table).where(table.c.sequence == _value("which")), dialect),
    )


def key_columns(table: sa.Table, dialect: sa.Dialect) -> list[sa.Column[Any]]:
    """Return the columns by which a row is the same as another."""
    if table is TRAITS:
        return [table.c.sequence, table.c.name]
    if table is not EVENTS:
        return [table.c.id]
    return [table.c.tenant, table.c.message_id] if dialect.name == "sqlite" else [table.c.digest]


def columns_of(table: sa.Table, dialect: sa.Dialect) -> list[sa.Column[Any]]:
    """Return the columns that *table* has there."""
    return [column for column in table.columns if dialect.name != "sqlite" or column.name not in SERVER_ONLY]


def _insert(table: sa.Table, keys: list[sa.Column[Any]], dialect: sa.Dialect) -> str:
    columns = columns_of(table, dialect)
    values = {column.name: _value(column.name) for column in columns}
    if dialect.name == "sqlite":
        return _compiled(sqlite.insert(table).values(values).on_conflict_do_nothing(index_elements=keys), dialect)
    if dialect.name == "postgresql":  # all rows in one statement, a list for each column
        lists = [sa.cast(_value(column.name), postgresql.ARRAY(_without_length(column.type))) for column in columns]
        rows = sa.func.unnest(*lists).table_valued(*(column.name for column in columns)).render_derived()
        insert = postgresql.insert(table).from_select([column.name for column in columns], sa.select(*rows.c))
        return _compiled(insert.on_conflict_do_nothing(index_elements=keys), dialect)
    # not INSERT IGNORE, which keeps what is too long, cut
    return _compiled(mysql.insert(table).values(values).on_duplicate_key_update(sequence=table.c.sequence), dialect)


def _without_length(type: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Return *type* as it is cast to: a cast to a text of some length would cut it there and say nothing."""
    return sa.Text() if isinstance(type, sa.String) else type


def _value(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=sa.types.NullType())


def _compiled(statement: Any, dialect: sa.Dialect) -> str:
    return " ".join(str(statement.compile(dialect=dialect)).split())
