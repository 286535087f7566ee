"""What every SQLite file of ours is set to: durable at each commit, and several processes wait for each other."""

from __future__ import annotations

import sqlite3
import time


def prepare(connection: sqlite3.Connection, timeout: float) -> None:
    """Set *connection* up; wait up to *timeout* seconds for others.

    Raises:
        sqlite3.Error: it is no SQLite file, or is locked for longer.
    """
    execute = connection.execute
    until = time.monotonic() + timeout
    while True:  # Two that make one file at once: SQLite does not wait by itself for the change to the write-ahead log.
        try:
            execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
    execute("PRAGMA synchronous = FULL")
    execute("PRAGMA cache_size = -65536")  # 64 MiB: ids are spread over the whole index
    execute("PRAGMA wal_autocheckpoint = 8000")
