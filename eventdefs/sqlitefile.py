"""What every SQLite file of ours is set to: durable at each commit, and several processes wait for each other."""

from __future__ import annotations

import sqlite3
import time
from typing import Annotated
from urllib.parse import unquote

import msgspec

from eventdefs.errors import PublisherURLError
from eventdefs.publishers.urls import PublisherURL

TIMEOUT = 60.0
"""Seconds to wait for another process that writes."""


class SQLiteOptions(msgspec.Struct, frozen=True):
    """Options of `sqlite://`.

    Attributes:
        timeout: seconds to wait for another process that writes.
    """

    timeout: Annotated[float, msgspec.Meta(ge=0)] = TIMEOUT


def path_of(url: PublisherURL) -> str:
    """Return the path that *url* names: ``sqlite:///events.db`` is in the current directory, four slashes are not.

    Raises:
        PublisherURLError: it names none.
    """
    path = unquote(url.target)
    if not path.startswith("/") or len(path) == 1 or path == "/:memory:":
        raise PublisherURLError(f"{url.text} names no file, as sqlite:///events.db does")
    return path[1:]


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
