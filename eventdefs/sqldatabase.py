"""SQL databases by URL, through SQLAlchemy: SQLite, PostgreSQL, MariaDB. Ledgers and publishers reach theirs here.

An engine that is made has touched nothing yet. What a driver raises is told apart here, by the codes of the databases
and not by the classes of the drivers: what may work later, what somebody has to allow, and what is wrong with the data.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import ssl
import time
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from eventdefs.errors import (
    AccessDeniedError,
    DeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.publishers.urls import PublisherURL
from eventdefs.sqlitefile import TIMEOUT, SQLiteOptions, path_of, prepare

T = TypeVar("T")
TLSMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]


class ServerOptions(msgspec.Struct, frozen=True):
    """Options of `postgresql://` and `mysql://`.

    Attributes:
        timeout: seconds to wait for a connection, and for another process that writes.
        ssl_mode: what is asked of TLS; `prefer` without `ca_file`, `verify-full` with it.
        ca_file: whose signature the server's certificate must have, PEM; those that the system knows without it.
        cert_file, key_file: the certificate by which we are known, and its key, PEM.
    """

    timeout: Annotated[float, msgspec.Meta(gt=0)] = TIMEOUT
    ssl_mode: TLSMode | None = None
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @property
    def tls(self) -> TLSMode:
        """What is asked of TLS, said or not."""
        return self.ssl_mode or ("verify-full" if self.ca_file else "prefer")


OPTIONS: dict[str, type[SQLiteOptions] | type[ServerOptions]] = {
    "sqlite": SQLiteOptions,
    "postgresql": ServerOptions,
    "mysql": ServerOptions,
}
"""Schemes of databases, and their options."""
_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_PLACE = re.compile(r"(?P<host>\[[^\]/]+\]|[^\[\]:/]*)(?::(?P<port>\d{1,5}))?/(?P<database>[^/]+)/?")
_POSITIONAL = {"sqlite": "qmark", "postgresql": "format", "mysql": "format"}
"""How statements name their values, so that rows can be given as tuples."""


def engine_of(url: PublisherURL, options: SQLiteOptions | ServerOptions) -> sa.Engine:
    """Return what reaches the database of *url*; nothing is opened.

    Raises:
        PublisherURLError: *url* names no database, an option is wrong, or the driver is not installed.
    """
    if isinstance(options, SQLiteOptions):
        engine = sa.create_engine(sa.URL.create("sqlite", database=path_of(url)))
        _wait_for_others(engine, options.timeout)
        return engine
    address = sa.URL.create(_DRIVERS[url.scheme], **_parts(url))
    for name in ("ca_file", "cert_file", "key_file"):
        path = getattr(options, name)
        if path and not Path(path).is_file():
            raise PublisherURLError(f"{url.text}: {name}: there is no file {path}")
    if options.key_file and not options.cert_file:
        raise PublisherURLError(f"{url.text}: key_file needs cert_file")
    if options.tls == "disable" and (options.ca_file or options.cert_file):
        raise PublisherURLError(f"{url.text}: ssl_mode=disable has no use for certificates")
    try:
        arguments = _postgresql(options) if url.scheme == "postgresql" else _mysql(options)
        engine = sa.create_engine(
            address,
            connect_args=arguments,
            isolation_level="READ COMMITTED",
            paramstyle=_POSITIONAL[url.scheme],
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except ImportError as error:
        extra = f"pip install 'eventdefs[{url.scheme}]'"
        raise PublisherURLError(f"{url.scheme}:// needs a driver: {extra} ({error})") from error
    except (ssl.SSLError, OSError) as error:
        raise PublisherURLError(f"{url.text}: the certificates cannot be used: {reason_of(error)}") from error
    if url.scheme == "postgresql":
        _answer_within(engine, 2 * options.timeout)  # so that the server says first that a lock took too long
    elif options.tls not in ("disable", "prefer"):
        _refuse_plain(engine)
    _let_go(engine, _held(options))
    return engine


def _parts(url: PublisherURL) -> dict[str, Any]:
    login, _, place = url.target.rpartition("@")
    user, _, password = login.partition(":")
    found = _PLACE.fullmatch(place)
    if found is None:
        raise PublisherURLError(f"{url.text} names no database, as {url.scheme}://user:password@host/events does")
    host = unquote(found["host"]).strip("[]")
    return {
        "username": unquote(user) or None,
        "password": unquote(password) or None,
        "host": host or None,
        "port": int(found["port"]) if found["port"] else None,
        "database": unquote(found["database"]),
    }


def _held(options: ServerOptions) -> int:
    """Return after how many seconds of silence a server ends a transaction that writes.

    Who died without a word, as with his host, holds a lock as long as his server waits for him: for hours, by default.
    It is less than others wait for the lock.
    """
    return max(1, min(30, round(options.timeout / 2)))


_LET_GO = {
    "postgresql": "SET LOCAL idle_in_transaction_session_timeout = '{}s'",
    # What stands in /*M! */ is for MariaDB, which alone knows it.
    "mysql": "SET @eventdefs = 0 /*M! , SESSION idle_transaction_timeout = {} */",
}


def _let_go(engine: sa.Engine, seconds: int) -> None:
    """Have a server end transactions that write when we are silent; who reads may take his time."""

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        statement = _LET_GO[engine.dialect.name].format(0 if reads else seconds)
        theirs = engine.dialect.loaded_dbapi.Error
        try:
            with contextlib.closing(connection.connection.cursor()) as cursor:  # which knows no options of a reader's
                cursor.execute(statement)
        except theirs as error:  # as SQLAlchemy says it of statements of its own
            raise sa.exc.DBAPIError.instance(statement, None, error, theirs, dialect=engine.dialect) from error


def _postgresql(options: ServerOptions) -> dict[str, Any]:
    files = {"sslrootcert": options.ca_file, "sslcert": options.cert_file, "sslkey": options.key_file}
    if not options.ca_file and options.tls in ("verify-ca", "verify-full"):
        files["sslrootcert"] = ssl.get_default_verify_paths().cafile or ""
    return {
        "connect_timeout": max(2, round(options.timeout)),  # which libpq takes for the least
        "sslmode": options.tls,
        "application_name": "eventdefs",
        "client_encoding": "utf8",
        "options": f"-c lock_timeout={max(1, round(options.timeout * 1000))}",
        "tcp_user_timeout": max(1, round(options.timeout * 1000)),
        **{name: path for name, path in files.items() if path},
    }


def _mysql(options: ServerOptions) -> dict[str, Any]:
    lock = max(1, round(options.timeout))
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": max(1, round(options.timeout)),
        "read_timeout": 2 * lock,  # so that the server says first that it waited too long
        "write_timeout": 2 * lock,
        # Without it MariaDB may cut what is too long, and say so nowhere.
        "init_command": f"SET SESSION sql_mode = 'STRICT_ALL_TABLES', SESSION innodb_lock_wait_timeout = {lock}",
    }
    if options.tls == "disable":
        return {**arguments, "ssl_disabled": True}
    if options.tls == "prefer" and not options.cert_file:
        return arguments
    context = ssl.create_default_context(cafile=options.ca_file or None)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which libpq does not ask for either
    context.check_hostname = options.tls == "verify-full"
    if options.tls in ("prefer", "require"):
        context.verify_mode = ssl.CERT_NONE
    if options.cert_file:
        context.load_cert_chain(options.cert_file, options.key_file or None)
    return {**arguments, "ssl": context}


def _answer_within(engine: sa.Engine, seconds: float) -> None:
    """Give up on a server that is silent for *seconds*: psycopg would wait for ever."""
    import psycopg

    def limited(connection: psycopg.Connection[Any], steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        until = time.monotonic() + seconds
        try:
            wanted = next(steps)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > until:
                    connection.close()
                    raise psycopg.OperationalError(f"no answer within {seconds:g} seconds")
                wanted = steps.send(ready)
        except StopIteration as done:
            answer: T = done.value
            return answer

    class Impatient(psycopg.Connection[Any]):
        """Its every wait is limited."""

        def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
            return super().wait(limited(self, gen), *arguments, **options)

    @sa.event.listens_for(engine, "do_connect")
    def connect(dialect: object, record: object, arguments: Any, options: Any) -> psycopg.Connection[Any]:
        return Impatient.connect(*arguments, **options)


def _refuse_plain(engine: sa.Engine) -> None:
    """Hold the connections of *engine* to TLS, which not every release of the driver does."""

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            if not (cursor.fetchone() or ("", ""))[1]:
                connection.close()
                raise engine.dialect.loaded_dbapi.OperationalError(2026, "the server does not speak TLS")


def _wait_for_others(engine: sa.Engine, timeout: float) -> None:
    """Let transactions on SQLite begin as what they are, and wait for each other."""

    @sa.event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(timeout * 1000)}")
        prepare(connection, timeout)

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


# --- what went wrong -------------------------------------------------------------------------------------------------

_CONFLICTS = ("40001", "40P01", 1213, 1205)
_DENIED = ("28000", "28P01", "42501", 1044, 1045, 1142, 1143, 1227, 1370, 1698, 1862, 3118, 4151)
_DENIED_TEXTS = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|certificate authentication failed"
    r"|role .* does not exist|is not permitted to log in|permission denied for database",
    re.IGNORECASE,
)
"""What PostgreSQL says before there is a connection that could have a code."""
_DATA_CLASSES = ("22", "23", "54")
TOO_LARGE = (1153, 2006, 2013)
"""What a client of MariaDB sees that sends more than the server takes: it is told so, or finds nobody there."""
_DATA = (1048, 1062, 1153, 1264, 1292, 1364, 1365, 1366, 1367, 1406, 1411, 1452, 3140)
_DATA_OF_SQLITE = ("DataError", "IntegrityError", "ProgrammingError", "InterfaceError")


def code_of(error: BaseException) -> str | int | None:
    """Return the SQLSTATE of PostgreSQL or the number of MariaDB, None where the driver has neither."""
    cause = _cause(error)
    first = cause.args[0] if cause.args else None
    if isinstance(first, int) and not isinstance(cause, OSError):
        return first
    state = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else None


def is_conflict(error: BaseException) -> bool:
    """Tell whether two transactions were in each other's way, so that one of them must begin again."""
    return code_of(error) in _CONFLICTS


def is_data(error: BaseException) -> bool:
    """Tell whether the database refused the values, as it always will."""
    cause, code = _cause(error), code_of(error)
    if isinstance(cause, (sqlite3.Error, sqlite3.Warning)):
        return type(cause).__name__ in _DATA_OF_SQLITE
    if isinstance(code, str):
        return code[:2] in _DATA_CLASSES
    return code in _DATA if code is not None else type(cause).__name__ == "DataError"


def delivery_error(error: BaseException, name: str, hidden: tuple[str, ...] = ()) -> DeliveryError:
    """Return what *error* of the database *name* means to who has a batch to deliver."""
    text = f"{name}: {reason_of(error, hidden)}"
    code = code_of(error)
    if code in _DENIED or (code is None and _DENIED_TEXTS.search(text)):
        return AccessDeniedError(text)
    return PermanentDeliveryError(text) if is_data(error) else RetryableDeliveryError(text)


def reason_of(error: BaseException, hidden: tuple[str, ...] = ()) -> str:
    """Return why *error* came, in one line without statements, their values, and what is *hidden*."""
    cause = _cause(error)
    if len(cause.args) == 2 and isinstance(cause.args[0], int) and not isinstance(cause, OSError):
        text = f"{cause.args[1]} ({cause.args[0]})"
    else:
        text = str(cause)
    for secret in hidden:
        text = re.sub(f"(['\"]){re.escape(secret)}(['\"])", r"\1...\2", text)
    return " ".join(text.split())[:300] or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
