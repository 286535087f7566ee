"""Real servers for the tests: on loopback, each in a folder of its own, ended by pid.

The context managers (`kafka_server()` and so on) start one server each and need no pytest; fault tests and benchmarks
stop, kill, pause and start what they give. The fixtures start each server once in a session, when it is asked for.

An address in the environment is used instead of starting one: EVENTDEFS_POSTGRESQL_URL and EVENTDEFS_MYSQL_URL name an
empty database that may be written to, EVENTDEFS_KAFKA is `host:port`; EVENTDEFS_ELASTICSEARCH_URL,
EVENTDEFS_ELASTICSEARCH9_URL, EVENTDEFS_OPENSEARCH_URL and EVENTDEFS_RABBITMQ_URL are what they say. A server that is
not installed skips its tests and names the command that gets it; where EVENTDEFS_REQUIRE_SERVERS is set, as in CI, it
fails them. What Maven Central has is got by `python tests/downloads.py`.
"""

from __future__ import annotations

import base64
import os
import pwd
import random
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self, TypeVar

import pytest

from tests import downloads

WAIT = 120.0
"""Seconds in which a server starts, or ends, on a machine that has other things to do."""

FAST = signal.SIGINT
"""What ends PostgreSQL without waiting for those who are connected."""

JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A Java server that starts quickly and stays small."""

USER, READER, PASSWORD = "tester", "reader", "correct-horse-battery"
"""Who may use the servers that ask."""


Started = TypeVar("Started")


class NotInstalled(Exception):
    """A server that is not here; the text names the command that gets it."""


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where servers are required."""
    if "EVENTDEFS_REQUIRE_SERVERS" in os.environ:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port(low: int = 10_000, high: int = 30_000) -> int:
    """Return a port of this range that nobody listens on.

    Linux gives its clients ports above 32767. A client that tries again and again to reach a stopped server on such a
    port would sooner or later be given that very port, connect to itself, and keep the server from starting again.
    """
    while True:
        port = random.randrange(low, high)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def find(name: str, *folders: str) -> str | None:
    """Return the program *name*, on the path or in one of *folders*, which may have globs."""
    found = shutil.which(name)
    if found:
        return str(Path(found).resolve())
    places = [path for folder in folders for path in sorted(Path("/").glob(folder.lstrip("/")), reverse=True)]
    return next((str(path / name) for path in places if (path / name).is_file()), None)


def as_user(name: str) -> list[str]:
    """Return what makes a command run as *name*, where we are root: these servers refuse to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--init-groups"]


@contextmanager
def folder_of(name: str, user: str = "") -> Iterator[Path]:
    """Yield an empty folder that belongs to *user*, or to us."""
    folder = Path(tempfile.mkdtemp(prefix=f"eventdefs-{name}-"))
    try:
        give(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give(folder: Path, user: str) -> None:
    """Make *folder* and all in it belong to *user*, where we are root."""
    if user and os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def family(pid: int) -> list[int]:
    """Return *pid* and the processes that it started, and those that they started."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended since
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


class Server:
    """A server that can be stopped and started again, on the same port with the same data.

    As a context manager it is started, and stopped at the end.

    Args:
        address: What its clients are given.
        command: What runs it, in the foreground.
        folder: Where its data and its `log` are.
        ready: Raises until the server answers.
        stop: The signal that ends it in order.
        environment: What it is told besides our own environment.
    """

    def __init__(
        self,
        address: str,
        command: list[str],
        folder: Path,
        ready: Callable[[], object],
        *,
        stop: signal.Signals = signal.SIGTERM,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.address = address
        self.command = command
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self._ready = ready
        self._stop = stop
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process that was started; it may have children."""
        if self.process is None:
            raise RuntimeError(f"{self.address} does not run")
        return self.process.pid

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            RuntimeError: It runs already, or does not answer; the text has the end of its log.
        """
        if self.process is not None:
            raise RuntimeError(f"{self.address} runs already")
        log = self.folder / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the tests, which then end the server
            )
        until = time.monotonic() + WAIT
        while True:
            try:
                self._ready()
                return
            except Exception as error:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.kill()
                    said = log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.address} does not answer ({error}):\n{said}") from error
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server in order, as its administrator would; nothing happens where it does not run."""
        self.resume()
        self._end(self._stop)

    def kill(self) -> None:
        """End the server in the middle of what it does."""
        self.pause()  # so that it starts no process while we look for them
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the server: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            for pid in family(self.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, what)

    def _end(self, how: signal.Signals) -> None:
        """End the first process by *how*, then what is left of its family, and wait for all of them."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        members = []
        for pid in family(process.pid):
            with suppress(ProcessLookupError):
                members.append(os.pidfd_open(pid))
        process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(WAIT)
        for member in members:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(member, signal.SIGKILL)
            select.select([member], [], [], WAIT)
            os.close(member)
        process.wait()


def session(start: Callable[[], AbstractContextManager[Started]]) -> Iterator[Started]:
    """Yield a server started for the session."""
    try:
        with start() as server:
            yield server
    except NotInstalled as error:
        unavailable(str(error))


def address(variable: str, start: Callable[[], AbstractContextManager[Server]]) -> Iterator[str]:
    """Yield the address in the environment's *variable*, or that of a server started for the session."""
    if given := os.environ.get(variable):
        yield given
        return
    for server in session(start):
        yield server.address


def downloaded(download: downloads.Download) -> Path:
    """Return the folder of *download*.

    Raises:
        NotInstalled: It was not downloaded.
    """
    if not download.complete:
        command = f"python tests/downloads.py {download.name}"
        raise NotInstalled(f"{download.name} {download.version} is not downloaded ({command})")
    return download.folder


def java(*versions: int) -> Path:
    """Return the home of the first of these versions of Java that is installed.

    Raises:
        NotInstalled: None of them is.
    """
    found = find("java", "/usr/bin")
    homes = [Path(found).parent.parent] if found else []
    homes += sorted(path for folder in ("usr/lib/jvm", "opt", "opt/java") for path in Path("/").glob(f"{folder}/*"))
    for version in versions:
        for home in homes:
            with suppress(OSError):
                said = (home / "release").read_text()
                if f'JAVA_VERSION="{version}' in said and (home / "bin/java").exists():
                    return home
    names = " or ".join(map(str, versions))
    raise NotInstalled(f"Java {names} is not installed (Debian: apt-get install openjdk-{versions[0]}-jre-headless)")


# Certificates


OPENSSL = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = eventdefs tests
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class Certificates(NamedTuple):
    """Files of a server on 127.0.0.1 that speaks TLS, all PEM; its certificate also serves a client."""

    ca: Path
    """The certificate of who signed."""
    certificate: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate that it signed, in *folder*.

    Raises:
        NotInstalled: OpenSSL is not installed.
    """
    if shutil.which("openssl") is None:
        raise NotInstalled("OpenSSL is not installed (Debian: apt-get install openssl)")
    (folder / "openssl.cnf").write_text(OPENSSL)
    made = Certificates(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
    authority = folder / "ca.key"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", "openssl.cnf"]
    signed = ["-CA", str(made.ca), "-CAkey", str(authority)]
    for options in (
        ["-extensions", "authority", "-keyout", str(authority), "-out", str(made.ca)],
        ["-extensions", "server", "-keyout", str(made.key), "-out", str(made.certificate), *signed],
    ):
        subprocess.run([*new, *options], check=True, capture_output=True, cwd=folder)
    return made


# Kafka


class SecureKafka(NamedTuple):
    """A broker that speaks TLS only, and whose listener `sasl` asks who is there, by PLAIN or SCRAM."""

    server: Server
    sasl: str
    """`host:port` of SASL_SSL: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512."""
    tls: str
    """`host:port` of SSL: nobody is asked."""
    ca: Path
    """The certificate of who signed the broker's."""
    user: str
    password: str


def kafka_settings(folder: Path, listeners: Mapping[str, int], settings: Mapping[str, str]) -> Path:
    """Write the settings of a broker that is its own controller; the listener PLAINTEXT is the one it uses itself."""
    controller = free_port()
    advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
    written = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"{advertised},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": advertised,
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT," + ",".join(f"{name}:{name}" for name in listeners),
        "log.dirs": str(folder / "data"),
        "num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "broker.session.timeout.ms": "2000",  # a broker that was killed comes back after that, else after 9 s
        "broker.heartbeat.interval.ms": "500",
        **settings,
    }
    path = folder / "server.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in written.items()))
    return path


def kafka_broker(
    folder: Path, listeners: Mapping[str, int], settings: Mapping[str, str], *format_options: str
) -> Server:
    """Return a broker, not started, whose address is its listener PLAINTEXT."""
    libs = downloaded(downloads.KAFKA) / "libs"
    command = [str(java(17, 21, 25) / "bin/java"), *JVM, "-cp", f"{libs}/*"]
    path = kafka_settings(folder, listeners, settings)
    identity = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")  # never a leading "-"
    storage = [*command, "kafka.tools.StorageTool", "format", "-t", identity, "-c", str(path), *format_options]
    done = subprocess.run(storage, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"Kafka cannot format its storage:\n{done.stdout}")
    port = listeners["PLAINTEXT"]
    run = [command[0], "-Xms128m", "-Xmx384m", *command[1:], "kafka.Kafka", str(path)]
    return Server(f"127.0.0.1:{port}", run, folder, lambda: socket.create_connection(("127.0.0.1", port), 1).close())


@contextmanager
def kafka_server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run Kafka without encryption or users; its address is `host:port`.

    Args:
        settings: What differs in its server.properties.

    Raises:
        NotInstalled: Kafka is not downloaded, or Java is missing.
    """
    with folder_of("kafka") as folder, kafka_broker(folder, {"PLAINTEXT": free_port()}, settings or {}) as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Kafka's `host:port`."""
    yield from address("EVENTDEFS_KAFKA", kafka_server)


@contextmanager
def secure_kafka_server() -> Iterator[SecureKafka]:
    """Run Kafka with encryption and a user.

    Raises:
        NotInstalled: Kafka is not downloaded, or Java or OpenSSL is missing.
    """
    with folder_of("kafka") as folder:
        files = certificates(folder)
        keys = folder / "broker.pem"
        keys.write_text(files.key.read_text() + files.certificate.read_text())
        modules = "org.apache.kafka.common.security"
        settings = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keys),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'{modules}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
        }
        scram = []
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            module = f"{modules}.scram.ScramLoginModule required;"
            settings[f"listener.name.sasl_ssl.{mechanism.lower()}.sasl.jaas.config"] = module
            scram += ["--add-scram", f'{mechanism}=[name="{USER}",password="{PASSWORD}"]']
        ports = {name: free_port() for name in ("PLAINTEXT", "SASL_SSL", "SSL")}
        sasl, tls = (f"127.0.0.1:{ports[name]}" for name in ("SASL_SSL", "SSL"))
        with kafka_broker(folder, ports, settings, *scram) as server:
            yield SecureKafka(server, sasl, tls, files.ca, USER, PASSWORD)


@pytest.fixture(scope="session")
def secure_kafka() -> Iterator[SecureKafka]:
    """Kafka with encryption and a user."""
    yield from session(secure_kafka_server)


# Elasticsearch and OpenSearch


class SecureElasticsearch(NamedTuple):
    """An Elasticsearch that speaks TLS only and asks who is there."""

    server: Server
    url: str
    ca: Path
    """The certificate of who signed the server's."""
    user: str
    """Who may do everything."""
    reader: str
    """Who may only read, with the same password."""
    password: str


def answers(url: str, user: str = "", password: str = "", ca: Path | None = None) -> None:
    """Return when the cluster behind *url* answers and can be written to; raise otherwise."""
    request = urllib.request.Request(f"{url}/_cluster/health?wait_for_status=yellow&timeout=1s")
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}")
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls)
    direct.open(request, timeout=5).close()


def node_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what a node of either kind is told: it is alone, on loopback."""
    return {
        "discovery.type": "single-node",
        "http.host": "127.0.0.1",
        "transport.host": "127.0.0.1",
        "transport.port": str(free_port()),
        "cluster.routing.allocation.disk.threshold_enabled": "false",  # how full the disk is says nothing about us
        **settings,
    }


def write_yaml(path: Path, settings: Mapping[str, str]) -> None:
    """Write the settings of a node."""
    path.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))


def elasticsearch_node(
    folder: Path, version: str, settings: Mapping[str, str]
) -> tuple[int, Callable[..., list[str]], dict[str, str]]:
    """Prepare a node whose files are all in *folder*, and return its port, what makes a command, and its environment.

    Raises:
        NotInstalled: It is not downloaded, or Java is missing.
    """
    download = {"8": downloads.ELASTICSEARCH_8, "9": downloads.ELASTICSEARCH_9}[version.partition(".")[0]]
    home, jdk = downloaded(download), java(*((25,) if download is downloads.ELASTICSEARCH_9 else (17, 21)))
    if os.geteuid() == 0:  # which may not run it, and whose cache nobody else may read
        shutil.copytree(home, folder / "home")
        home = folder / "home"
    shutil.copytree(home / "config", folder / "config")
    port = free_port()
    written = {
        "http.port": str(port),
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        "xpack.security.enabled": "false",
        **settings,
    }
    write_yaml(folder / "config/elasticsearch.yml", node_settings(written))
    (folder / "temporary").mkdir()
    for name in ("config", "temporary"):
        give(folder / name, "nobody")
    options = "-Xms512m -Xmx512m -XX:-UseG1GC " + " ".join(JVM)
    environment = {
        "ES_JAVA_HOME": str(jdk),
        "ES_JAVA_OPTS": options,
        "ES_PATH_CONF": str(folder / "config"),
        "ES_TMPDIR": str(folder / "temporary"),
        "HOME": str(folder),
    }
    return port, lambda program, *arguments: [*as_user("nobody"), str(home / "bin" / program), *arguments], environment


@contextmanager
def elasticsearch_server(version: str = "8", settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run Elasticsearch without encryption or users; its address is a URL.

    Args:
        version: What it begins with: "8" for 8.19.5, "9" for 9.2.0.
        settings: What differs in its elasticsearch.yml.

    Raises:
        NotInstalled: It is not downloaded, or Java is missing.
    """
    with folder_of("elasticsearch", "nobody") as folder:
        port, command, environment = elasticsearch_node(folder, version, settings or {})
        url = f"http://127.0.0.1:{port}"
        ready = partial(answers, url)
        with Server(url, command("elasticsearch"), folder, ready, environment=environment) as server:
            yield server


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[str]:
    """The URL of Elasticsearch 8."""
    yield from address("EVENTDEFS_ELASTICSEARCH_URL", elasticsearch_server)


@pytest.fixture(scope="session")
def elasticsearch9() -> Iterator[str]:
    """The URL of Elasticsearch 9."""
    yield from address("EVENTDEFS_ELASTICSEARCH9_URL", lambda: elasticsearch_server("9"))


@contextmanager
def secure_elasticsearch_server() -> Iterator[SecureElasticsearch]:
    """Run Elasticsearch 8 with encryption and users.

    This build can make no API keys and no users while it runs: it lacks what their index needs.

    Raises:
        NotInstalled: It is not downloaded, or Java or OpenSSL is missing.
    """
    with folder_of("elasticsearch", "nobody") as folder:
        settings = {
            "xpack.security.enabled": "true",
            "xpack.security.http.ssl.enabled": "true",
            "xpack.security.http.ssl.key": "key.pem",
            "xpack.security.http.ssl.certificate": "certificate.pem",
        }
        port, command, environment = elasticsearch_node(folder, "8", settings)
        files = certificates(folder / "config")
        give(folder / "config", "nobody")
        new = command("elasticsearch-users", "useradd", USER, "-p", PASSWORD, "-r", "superuser")
        subprocess.run(new, check=True, capture_output=True, cwd=folder, env={**os.environ, **environment})
        users, roles = folder / "config/users", folder / "config/users_roles"
        users.write_text(users.read_text() + users.read_text().replace(f"{USER}:", f"{READER}:"))
        roles.write_text(roles.read_text() + f"viewer:{READER}\n")
        url = f"https://127.0.0.1:{port}"
        ready = partial(answers, url, USER, PASSWORD, files.ca)
        with Server(url, command("elasticsearch"), folder, ready, environment=environment) as server:
            yield SecureElasticsearch(server, url, files.ca, USER, READER, PASSWORD)


@pytest.fixture(scope="session")
def secure_elasticsearch() -> Iterator[SecureElasticsearch]:
    """Elasticsearch 8 with encryption and a user."""
    yield from session(secure_elasticsearch_server)


@contextmanager
def opensearch_server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run OpenSearch without encryption or users; its address is a URL.

    Args:
        settings: What differs in its opensearch.yml.

    Raises:
        NotInstalled: It is not downloaded, or Java is missing.
    """
    libs = downloaded(downloads.OPENSEARCH) / "libs"
    command = [str(java(17, 21) / "bin/java"), "-Xms256m", "-Xmx512m", *JVM, "-cp", f"{libs}/*"]
    port = free_port(9201, 9300)  # the only ports that the runner takes
    url = f"http://127.0.0.1:{port}"
    with folder_of("opensearch") as folder:
        config, temporary = folder / "node_1/config", folder / "temporary"
        config.mkdir(parents=True)
        temporary.mkdir()
        write_yaml(config / "opensearch.yml", node_settings(settings or {}))
        options = ["-basePath", str(folder), "-numOfNode", "1", "-clusterName", "tests"]
        options += ["-baseHttpPort", str(port - 1)]  # to which the runner adds the number of the node
        command += [f"-Djava.io.tmpdir={temporary}", "org.codelibs.opensearch.runner.OpenSearchRunner", *options]
        with Server(url, command, folder, lambda: answers(url)) as server:
            yield server


@pytest.fixture(scope="session")
def opensearch() -> Iterator[str]:
    """The URL of OpenSearch 2."""
    yield from address("EVENTDEFS_OPENSEARCH_URL", opensearch_server)


# RabbitMQ


def speaks_amqp(port: int) -> None:
    """Return when a broker answers on *port*; raise otherwise."""
    with socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.settimeout(5)
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        if connection.recv(1) != b"\x01":  # the frame that offers a connection
            raise ConnectionError("no AMQP")


@contextmanager
def rabbitmq_server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run RabbitMQ, whose only user is guest; its address is `rabbit://guest:guest@host:port/`.

    Args:
        settings: What differs in its rabbitmq.conf, such as `consumer_timeout`.

    Raises:
        NotInstalled: It is not installed.
    """
    # Debian's command on the path insists on being root or rabbitmq, and on Debian's folders; this is what it calls.
    places = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    program, names = (str(places[-1]) if places else find("rabbitmq-server")), find("epmd", "/usr/lib/erlang/*/bin")
    if program is None or names is None:
        raise NotInstalled("RabbitMQ is not installed (Debian: apt-get install rabbitmq-server)")
    with folder_of("rabbitmq", "rabbitmq") as folder:
        port = free_port()
        written = {"listeners.tcp.1": f"127.0.0.1:{port}", **(settings or {})}
        (folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in written.items()))
        (folder / "enabled_plugins").write_text("[].\n")
        give(folder, "rabbitmq")
        environment = {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"tests-{port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
        }
        # Its own register of names: else Erlang starts one for the whole machine, which nobody ends.
        command = [*as_user("rabbitmq"), "sh", "-c", '"$0" & exec "$1"', names, program]
        url = f"rabbit://guest:guest@127.0.0.1:{port}/"
        with Server(url, command, folder, lambda: speaks_amqp(port), environment=environment) as server:
            yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[str]:
    """The URL of RabbitMQ, as oslo.messaging writes it."""
    yield from address("EVENTDEFS_RABBITMQ_URL", rabbitmq_server)


# PostgreSQL and MariaDB


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """Run PostgreSQL; its address is the URL of an empty database.

    Raises:
        NotInstalled: It is not installed, or its client is not.
    """
    initdb, program = (find(name, "/usr/lib/postgresql/*/bin") for name in ("initdb", "postgres"))
    if initdb is None or program is None:
        raise NotInstalled("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    try:
        import psycopg
    except ImportError as error:
        raise NotInstalled("psycopg is not installed (pip install psycopg[binary])") from error
    with folder_of("postgresql", "postgres") as folder:
        user, data, port = as_user("postgres"), folder / "data", free_port()
        initialize = [*user, initdb, "-D", str(data), "-A", "trust", "-U", "eventdefs", "--no-sync"]
        subprocess.run(initialize, check=True, capture_output=True, cwd=folder)
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        url = f"postgresql://eventdefs@127.0.0.1:{port}/postgres"
        command = [*user, program, "-D", str(data), "-p", str(port), *options]
        with Server(url, command, folder, lambda: psycopg.connect(url).close(), stop=FAST) as server:
            yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    yield from address("EVENTDEFS_POSTGRESQL_URL", postgresql_server)


@contextmanager
def mariadb_server() -> Iterator[Server]:
    """Run MariaDB; its address is the URL of an empty database.

    Raises:
        NotInstalled: It is not installed, or its client is not.
    """
    install, program = find("mysql_install_db", "/usr/bin"), find("mariadbd", "/usr/sbin")
    if install is None or program is None:
        raise NotInstalled("MariaDB is not installed (Debian: apt-get install mariadb-server)")
    try:
        import pymysql
    except ImportError as error:
        raise NotInstalled("PyMySQL is not installed (pip install PyMySQL)") from error
    with folder_of("mariadb", "mysql") as folder:
        user, data, port = as_user("mysql"), folder / "data", free_port()
        initialize = [install, f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        if user:
            initialize.append("--user=mysql")
        subprocess.run(initialize, check=True, capture_output=True, cwd=folder)
        command = [*user, program, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1"]

        def connect() -> Any:
            return pymysql.connect(host="127.0.0.1", port=port, user="root")

        url = f"mysql://root@127.0.0.1:{port}/eventdefs"
        command.append(f"--socket={folder}/socket")
        with Server(url, command, folder, lambda: connect().close()) as server:
            connection = connect()
            with connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE eventdefs")
            connection.close()
            yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """The URL of an empty MariaDB database."""
    yield from address("EVENTDEFS_MYSQL_URL", mariadb_server)
