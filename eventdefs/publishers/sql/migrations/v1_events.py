"""Events, samples and periods in a SQLite file."""

from __future__ import annotations

from alembic import op

revision = "1"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        message_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        generated TEXT NOT NULL,
        priority TEXT NOT NULL,
        publisher_id TEXT,
        traits TEXT NOT NULL,
        types TEXT,
        raw TEXT,
        UNIQUE (tenant, message_id)
    )
    """,
    "CREATE INDEX events_by_time ON events (tenant, generated)",
    "CREATE INDEX events_by_type ON events (event_type, generated)",
    """
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
        metadata TEXT NOT NULL
    )
    """,
    "CREATE INDEX samples_by_meter ON samples (project_id, name, timestamp)",
    """
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
        dimensions TEXT NOT NULL,
        message_id TEXT NOT NULL
    )
    """,
    "CREATE INDEX periods_by_resource ON periods (meter, resource_id, begin)",
)


def upgrade() -> None:
    """Make the tables in a SQLite file."""
    if op.get_bind().dialect.name == "sqlite":
        for statement in STATEMENTS:
            op.execute(statement)
