"""Real database servers for the tests: started once in a session on loopback, in a folder of their own, ended by pid.

A URL in the environment is used instead of starting one: EVENTDEFS_POSTGRESQL_URL and EVENTDEFS_MYSQL_URL name an empty
database that may be written to. A server that is not installed skips its tests and says so; where
EVENTDEFS_REQUIRE_SERVERS is set, as in CI, it fails them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WAIT = 60.0
FAST = signal.SIGINT
"""What ends PostgreSQL without waiting for those who are connected."""


def unavailable(reason: str) -> None:
    """Skip, or fail where servers are required."""
    if "EVENTDEFS_REQUIRE_SERVERS" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def find(name: str, *folders: str) -> str | None:
    """Return the program *name*, on the path or in one of *folders*, which may have globs."""
    found = shutil.which(name)
    if found:
        return str(Path(found).resolve())
    places = [path for folder in folders for path in sorted(Path("/").glob(folder.lstrip("/")), reverse=True)]
    return next((str(path / name) for path in places if (path / name).is_file()), None)


def as_user(name: str) -> list[str]:
    """Return what makes a command run as *name*, where we are root: these servers refuse to run as root."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups"] if os.geteuid() == 0 else []


@contextmanager
def folder_of(name: str) -> Iterator[Path]:
    """Yield an empty folder that belongs to the user *name*."""
    folder = Path(tempfile.mkdtemp(prefix=f"eventdefs-{name}-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, name, name)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    command: list[str], log: Path, connect: Callable[[], Any], stop: signal.Signals = signal.SIGTERM
) -> Iterator[None]:
    """Run a server until it is no longer needed; it is there when *connect* succeeds, and ends at the signal *stop*."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent) as server:
        try:
            until = time.monotonic() + WAIT
            while True:
                try:
                    connect().close()
                    break
                except Exception:
                    if server.poll() is not None or time.monotonic() > until:
                        pytest.fail(f"{command[-1]} does not answer:\n{log.read_text(errors='replace')[-2000:]}")
                    time.sleep(0.05)
            yield
        finally:
            server.send_signal(stop)
            try:
                server.wait(WAIT)
            except subprocess.TimeoutExpired:
                server.kill()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    given = os.environ.get("EVENTDEFS_POSTGRESQL_URL")
    if given:
        yield given
        return
    psycopg = pytest.importorskip("psycopg")
    initdb, server = (find(name, "/usr/lib/postgresql/*/bin") for name in ("initdb", "postgres"))
    if initdb is None or server is None:
        unavailable("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    assert initdb is not None
    assert server is not None
    with folder_of("postgres") as folder:
        user, data, port = as_user("postgres"), folder / "data", free_port()
        initialize = [*user, initdb, "-D", str(data), "-A", "trust", "-U", "eventdefs", "--no-sync"]
        subprocess.run(initialize, check=True, capture_output=True, cwd=folder)
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        url = f"postgresql://eventdefs@127.0.0.1:{port}/postgres"
        command = [*user, server, "-D", str(data), "-p", str(port), *options]
        with running(command, folder / "log", lambda: psycopg.connect(url), FAST):
            yield url


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """The URL of an empty MariaDB database."""
    given = os.environ.get("EVENTDEFS_MYSQL_URL")
    if given:
        yield given
        return
    pymysql = pytest.importorskip("pymysql")
    install, server = find("mysql_install_db", "/usr/bin"), find("mariadbd", "/usr/sbin")
    if install is None or server is None:
        unavailable("MariaDB is not installed (Debian: apt-get install mariadb-server)")
    assert install is not None
    assert server is not None
    with folder_of("mysql") as folder:
        user, data, port = as_user("mysql"), folder / "data", free_port()
        initialize = [install, f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        if user:
            initialize.append("--user=mysql")
        subprocess.run(initialize, check=True, capture_output=True, cwd=folder)
        command = [*user, server, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1"]

        def connect() -> Any:
            return pymysql.connect(host="127.0.0.1", port=port, user="root")

        with running([*command, f"--socket={folder}/socket"], folder / "log", connect):
            connection = connect()
            with connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE eventdefs")
            connection.close()
            yield f"mysql://root@127.0.0.1:{port}/eventdefs"
