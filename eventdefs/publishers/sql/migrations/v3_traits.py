"""Traits in rows of their own, so that events are found by them; volumes as they were; all tables on servers."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "3"
down_revision = "2"

SQLITE = (
    "ALTER TABLE samples ADD COLUMN volume_text TEXT",
    """
    CREATE TABLE traits (
        sequence INTEGER NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        text TEXT,
        number REAL,
        PRIMARY KEY (sequence, name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX traits_by_text ON traits (name, text) WHERE text IS NOT NULL",
    "CREATE INDEX traits_by_number ON traits (name, number) WHERE number IS NOT NULL",
)
CHUNK = 1000


def upgrade() -> None:
    """Add to a SQLite file what it has not; make everything on a server."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        _make(connection)
        return
    for statement in SQLITE:
        op.execute(statement)
    _fill(connection)


# --- SQLite ----------------------------------------------------------------------------------------------------------


def _fill(connection: sa.Connection) -> None:
    """Make the traits of the events that are there."""
    after = 0
    select = "SELECT sequence, traits, types FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"
    while events := connection.exec_driver_sql(select, (after, CHUNK)).all():
        after = events[-1][0]
        rows = [row for event in events for row in _traits(*event)]
        if rows:
            connection.exec_driver_sql("INSERT INTO traits VALUES (?, ?, ?, ?, ?)", rows)


def _traits(sequence: int, traits: str, types: str | None) -> Iterator[tuple[Any, ...]]:
    kinds = {} if types is None else json.loads(types)
    for name, value in json.loads(traits).items():
        kind = kinds.get(name) or {int: "int", float: "float"}.get(type(value), "text")
        yield sequence, _escaped(name), kind, *_searched(kind, value)


def _searched(kind: str, value: Any) -> tuple[str | None, float | None]:
    if kind == "datetime":
        head, _, fraction = str(value).rstrip("Z").partition(".")
        return f"{head}.{fraction:0<6}Z", None
    if kind == "int" and abs(value) > 2**53:
        nearest = float(value) if abs(value) < 2**1023 else sys.float_info.max * (1 if value > 0 else -1)
        return str(value)[:255], nearest
    if kind in ("int", "float") and not isinstance(value, str) and math.isfinite(value):
        return None, float(value)
    return _escaped(str(value)[:255]), None


def _escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


# --- servers ---------------------------------------------------------------------------------------------------------


def _make(connection: sa.Connection) -> None:
    """Make the tables that are not there, and the one row of the writer."""
    metadata = sa.MetaData()
    collation = "utf8mb4_nopad_bin" if getattr(connection.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
    name, time = (sa.String(size).with_variant(sa.String(size, collation="C"), "postgresql") for size in (255, 27))
    number = sa.BigInteger()

    def table(called: str, *parts: Any) -> None:
        settings = {"charset": "utf8mb4", "collate": collation, "engine": "InnoDB"}
        options: dict[str, Any] = {
            f"{kind}_{key}": value for kind in ("mysql", "mariadb") for key, value in settings.items()
        }
        sa.Table(called, metadata, *parts, **options)

    def sequence() -> sa.Column[int]:
        return sa.Column("sequence", number, primary_key=True, autoincrement=False)

    def column(called: str, type: Any, null: bool = False, **more: Any) -> sa.Column[Any]:
        return sa.Column(called, type, nullable=null, **more)

    table(
        "events",
        sequence(),
        column("digest", sa.String(32), unique=True),
        column("tenant", name),
        column("message_id", text),
        column("event_type", name),
        column("generated", time),
        column("priority", text),
        column("publisher_id", text, null=True),
        column("traits", text),
        column("types", text, null=True),
        column("raw", text, null=True),
        sa.Index("events_by_time", "tenant", "generated"),
        sa.Index("events_by_type", "event_type", "generated"),
        sa.Index("events_by_message", "message_id", postgresql_using="hash", mysql_length=64, mariadb_length=64),
    )
    table(
        "traits",
        sequence(),
        column("name", name, primary_key=True),
        column("type", sa.String(8)),
        column("text", name, null=True),
        column("number", sa.Double(), null=True),
        sa.Index("traits_by_text", "name", "text", postgresql_where=sa.text("text IS NOT NULL")),
        sa.Index("traits_by_number", "name", "number", postgresql_where=sa.text("number IS NOT NULL")),
    )
    table(
        "samples",
        sequence(),
        column("id", name, unique=True),
        column("name", name),
        column("type", text),
        column("unit", text, null=True),
        column("volume", sa.Double()),
        column("resource_id", text, null=True),
        column("project_id", name, null=True),
        column("user_id", text, null=True),
        column("timestamp", time),
        column("metadata", text),
        column("volume_text", text, null=True),
        sa.Index("samples_by_meter", "project_id", "name", "timestamp"),
    )
    table(
        "periods",
        sequence(),
        column("id", name, unique=True),
        column("meter", name),
        column("unit", text, null=True),
        column("resource_id", name),
        column("project_id", text, null=True),
        column("user_id", text, null=True),
        column("begin", time),
        column("end", time),
        column("not_before", time, null=True),
        column("timestamp", time),
        column("dimensions", text),
        column("message_id", text),
        column("not_after", time, null=True),
        column("status", sa.String(8)),
        sa.Index("periods_by_resource", "meter", "resource_id", "begin"),
    )
    table(
        "usage",
        sequence(),
        column("id", name, unique=True),
        column("meter", name),
        column("unit", text),
        column("resource_id", text),
        column("project_id", name, null=True),
        column("dimensions", text),
        column("period_start", time),
        column("period_end", time),
        column("timestamp", time),
        *(column(called, text) for called in ("quantity", "delta", "seconds")),
        column("revision", sa.Integer()),
        column("supersedes", text, null=True),
        *(column(called, text) for called in ("state", "closed_by", "reason", "evidence")),
        column("recorded_at", time),
        column("ledger_sequence", number),
        sa.Index("usage_by_meter", "project_id", "meter", "period_start"),
    )
    table(
        "usage_notes",
        sequence(),
        column("id", name, unique=True),
        column("kind", text),
        column("meter", name),
        column("begin", time),
        column("note", text),
        sa.Index("usage_notes_by_meter", "meter", "begin"),
    )
    table(
        "eventdefs_writer",
        column("line", sa.SmallInteger(), primary_key=True, autoincrement=False),
        *(column(called, number) for called in ("events", "samples", "periods", "usage", "usage_notes")),
    )
    metadata.create_all(connection)
    writer = metadata.tables["eventdefs_writer"]
    if connection.execute(sa.select(writer.c.line)).first() is None:
        connection.execute(sa.insert(writer).values([1, 0, 0, 0, 0, 0]))
