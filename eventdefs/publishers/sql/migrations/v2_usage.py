"""Usage in a SQLite file, and two more columns of periods."""

from __future__ import annotations

from alembic import op

revision = "2"
down_revision = "1"

STATEMENTS = (
    "ALTER TABLE periods ADD COLUMN not_after TEXT",
    "ALTER TABLE periods ADD COLUMN status TEXT NOT NULL DEFAULT 'running'",
    """
    CREATE TABLE usage (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        meter TEXT NOT NULL,
        unit TEXT NOT NULL,
        resource_id TEXT NOT NULL,
        project_id TEXT,
        dimensions TEXT NOT NULL,
        period_start TEXT NOT NULL,
        period_end TEXT NOT NULL,
        timestamp TEXT NOT NULL,
        quantity TEXT NOT NULL,
        delta TEXT NOT NULL,
        seconds TEXT NOT NULL,
        revision INTEGER NOT NULL,
        supersedes TEXT,
        state TEXT NOT NULL,
        closed_by TEXT NOT NULL,
        reason TEXT NOT NULL,
        evidence TEXT NOT NULL,
        recorded_at TEXT NOT NULL,
        ledger_sequence INTEGER NOT NULL
    )
    """,
    "CREATE INDEX usage_by_meter ON usage (project_id, meter, period_start)",
    """
    CREATE TABLE usage_notes (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        meter TEXT NOT NULL,
        begin TEXT NOT NULL,
        note TEXT NOT NULL
    )
    """,
    "CREATE INDEX usage_notes_by_meter ON usage_notes (meter, begin)",
)


def upgrade() -> None:
    """Make the tables in a SQLite file."""
    if op.get_bind().dialect.name == "sqlite":
        for statement in STATEMENTS:
            op.execute(statement)
