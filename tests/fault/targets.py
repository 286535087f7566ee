"""The servers that are broken, each with the URL of its publisher and how to see what it has."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests import servers
from tests.fault.proxy import Proxy
from tests.servers import Server, folder_of, free_port


class Place(NamedTuple):
    """A server that is fed.

    Attributes:
        url: of its publisher, at the port of the proxy.
        server, proxy: to be broken.
        some: returns how many events or messages it has, cheaply; it may be away.
        ids: returns how often it has each message_id.
        store: whether it keeps each event once.
    """

    url: str
    server: Server
    proxy: Proxy
    some: Callable[[], int]
    ids: Callable[[], Counter[str]]
    store: bool


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2].split("/")[0])


@contextmanager
def kafka(client: str) -> Iterator[Place]:
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic

    port = free_port()
    with folder_of("kafka") as folder, Proxy(port) as proxy:
        advertised = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{proxy.port}"}
        with servers.kafka_broker(folder, {"PLAINTEXT": port}, advertised) as server:
            address = f"127.0.0.1:{proxy.port}"
            admin = AdminClient({"bootstrap.servers": address})
            admin.create_topics([NewTopic("events", 4, 1)])["events"].result(30)

            def ends(consumer: Any) -> list[int]:
                return [consumer.get_watermark_offsets(TopicPartition("events", one), 10)[1] for one in range(4)]

            def consumer() -> Any:
                return Consumer({"bootstrap.servers": address, "group.id": "reader", "enable.auto.commit": False})

            def some() -> int:
                reader = consumer()
                try:
                    return sum(ends(reader))
                finally:
                    reader.close()

            def ids() -> Counter[str]:
                found: Counter[str] = Counter()
                reader = consumer()
                reader.assign([TopicPartition("events", one, 0) for one in range(4)])
                left = sum(ends(reader))
                while left:
                    messages = [one for one in reader.consume(min(left, 10_000), 10) if one.error() is None]
                    assert messages, f"{left} messages cannot be read"
                    found.update(json.loads(message.value())["message_id"] for message in messages)
                    left -= len(messages)
                reader.close()
                return found

            url = f"kafka://{address}/events?client={client}&"
            yield Place(url, server, proxy, some, lambda: patiently(ids), False)


def patiently(read: Callable[[], Counter[str]], seconds: float = 60.0) -> Counter[str]:
    """Return what *read* does: a broker that has just come back has no leaders yet."""
    until = time.monotonic() + seconds
    while True:
        try:
            return read()
        except Exception:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _get(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@contextmanager
def search(scheme: str, start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Place]:
    with start() as server, Proxy(_port_of(server.address)) as proxy:

        def some() -> int:
            _get(f"{server.address}/_refresh", b"")
            return int(_get(f"{server.address}/events-*/_count")["count"])

        def ids() -> Counter[str]:
            some()
            found: Counter[str] = Counter()
            after: list[Any] | None = None
            while True:
                query: dict[str, Any] = {"size": 10_000, "sort": [{"message_id": "asc"}], "_source": ["message_id"]}
                if after is not None:
                    query["search_after"] = after
                hits = _get(f"{server.address}/events-*/_search", json.dumps(query).encode())["hits"]["hits"]
                if not hits:
                    return found
                found.update(hit["sort"][0] for hit in hits)
                after = hits[-1]["sort"]

        yield Place(f"{scheme}://127.0.0.1:{proxy.port}/events?", server, proxy, some, ids, True)


@contextmanager
def sql(start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Place]:
    import sqlalchemy as sa

    with start() as server, Proxy(_port_of(server.address)) as proxy:
        drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
        scheme, _, rest = server.address.partition("://")
        engine = sa.create_engine(f"{drivers[scheme]}://{rest}", poolclass=sa.pool.NullPool)

        def rows(query: str) -> list[Any]:
            with engine.connect() as connection:
                if not sa.inspect(connection).has_table("events"):  # nobody has published yet
                    return []
                return list(connection.execute(sa.text(query)))

        def some() -> int:
            return sum(number for (number,) in rows("SELECT count(*) FROM events"))

        def ids() -> Counter[str]:
            return Counter(message_id for (message_id,) in rows("SELECT message_id FROM events"))

        url = server.address.replace(f":{_port_of(server.address)}", f":{proxy.port}")
        yield Place(f"{url}?", server, proxy, some, ids, True)


@contextmanager
def http() -> Iterator[Place]:
    with folder_of("root") as folder:
        port, path = free_port(), folder / "received"
        path.touch()
        command = [sys.executable, str(Path(__file__).with_name("receiver.py")), str(port), str(path)]
        ready = Server(f"http://127.0.0.1:{port}", command, folder, lambda: _listens(port))
        with ready as server, Proxy(port) as proxy:

            def ids() -> Counter[str]:
                return Counter(path.read_text().splitlines())

            yield Place(f"http://127.0.0.1:{proxy.port}/events?", server, proxy, lambda: ids().total(), ids, False)


@contextmanager
def notifier() -> Iterator[Place]:
    import kombu

    with servers.rabbitmq_server() as server, Proxy(_port_of(server.address.rstrip("/"))) as proxy:
        direct = server.address.replace("rabbit://", "amqp://")
        seen: Counter[str] = Counter()

        def some() -> int:
            with kombu.Connection(direct) as connection, connection.channel() as channel:
                return int(channel.queue_declare("event.sample", durable=True, auto_delete=False).message_count)

        def ids() -> Counter[str]:
            """Take what is there, and return all that was ever taken."""
            with kombu.Connection(direct) as connection, connection.channel() as channel:
                channel.queue_declare("event.sample", durable=True, auto_delete=False)
                while (message := channel.basic_get("event.sample")) is not None:
                    body = json.loads(json.loads(message.body)["oslo.message"])
                    seen.update(event["message_id"] for event in body["payload"])
                    channel.basic_ack(message.delivery_tag)
            return Counter(seen)

        url = f"notifier://guest:guest@127.0.0.1:{proxy.port}/?amqp_durable_queues=true&timeout=10&"
        yield Place(url, server, proxy, some, ids, False)


def _listens(port: int) -> None:
    import socket

    socket.create_connection(("127.0.0.1", port), 5).close()


TARGETS: dict[str, Callable[[], AbstractContextManager[Place]]] = {
    "kafka with confluent-kafka": lambda: kafka("confluent-kafka"),
    "kafka with kafka-python": lambda: kafka("kafka-python"),
    "elasticsearch": lambda: search("elasticsearch", servers.elasticsearch_server),
    "opensearch": lambda: search("opensearch", servers.opensearch_server),
    "postgresql": lambda: sql(servers.postgresql_server),
    "mysql": lambda: sql(servers.mariadb_server),
    "http": http,
    "notifier": notifier,
}
