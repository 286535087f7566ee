"""The version of a database's tables, and how it becomes that of this release.

Several processes may start at once: one brings the database up, the others wait for it and find it done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from eventdefs.errors import AccessDeniedError, RetryableDeliveryError
from eventdefs.publishers.sql import SCHEMA_VERSION, VERSION_TABLE
from eventdefs.publishers.sql.tables import TABLES

_LOCK = 0x6576656E74646566  # a number that other applications hardly use for theirs
_version = sa.Table(VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32)))


class SchemaError(AccessDeniedError):
    """The database is not ours to write: its tables are somebody else's, or a later release's. No batch is at fault."""


def bring_up(engine: sa.Engine, timeout: float) -> None:
    """Make the tables of the database as this release writes them; others' tables stay as they are.

    Raises:
        SchemaError: it has other tables by our names, or tables of a later release.
        RetryableDeliveryError: another process has been bringing it up for longer than *timeout* seconds.
        sqlalchemy.exc.SQLAlchemyError: what the database says.
    """
    with engine.connect().execution_options(reads=True) as connection:
        if find_version(connection) == SCHEMA_VERSION:
            return
    with engine.connect() as connection, connection.begin(), _alone(connection, timeout):
        version = find_version(connection)
        if version != SCHEMA_VERSION:
            _upgrade(connection, version)


def find_version(connection: sa.Connection) -> int:
    """Return the version of the tables, 0 where there are none.

    Raises:
        SchemaError: there are tables that are not ours.
    """
    if connection.dialect.name == "sqlite":
        version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    else:
        version = _version_of_server(connection)
    if version > SCHEMA_VERSION:
        raise SchemaError(f"has schema {version}, this release writes {SCHEMA_VERSION}")
    return version


def _version_of_server(connection: sa.Connection) -> int:
    there = set(sa.inspect(connection).get_table_names())
    if VERSION_TABLE not in there:
        if others := sorted(TABLES & there):
            raise SchemaError(f"has tables that eventdefs did not make: {', '.join(others)}")
        return 0
    found = connection.execute(sa.select(_version.c.version_num)).scalar()
    if found is not None and not found.isdecimal():
        raise SchemaError(f"has schema {found}, this release writes {SCHEMA_VERSION}")
    return int(found or 0)


@contextmanager
def _alone(connection: sa.Connection, timeout: float) -> Iterator[None]:
    """Keep other processes from doing the same meanwhile. On SQLite the transaction does."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if connection.dialect.name != "mysql":
        yield
        return
    name = "CONCAT('eventdefs ', MD5(DATABASE()))"
    if connection.exec_driver_sql(f"SELECT GET_LOCK({name}, %s)", (timeout,)).scalar() != 1:
        raise RetryableDeliveryError("another process is bringing the tables up")
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.exec_driver_sql(f"SELECT RELEASE_LOCK({name})")


def _upgrade(connection: sa.Connection, version: int) -> None:
    from alembic.config import Config  # as long to load as all the rest, and needed once in the life of a database
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    folder = Path(__file__).parent / "migrations"
    scripts = ScriptDirectory(str(folder), version_locations=[str(folder)])

    def steps(revision: object, context: object) -> object:
        return scripts._upgrade_revs(str(SCHEMA_VERSION), revision)  # type: ignore[arg-type]

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite and version:  # by a release that had no version table
            environment.get_context().stamp(scripts, str(version))
        environment.run_migrations()
        if on_sqlite:  # by which earlier releases know that the file is not theirs to write
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
