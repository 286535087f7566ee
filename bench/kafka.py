"""Figures of `kafka://`: publishing batches, beside the bare client that is given ready bytes in the same run.

Both send to one broker that is started for it, with the same settings, batch by batch, and wait until the broker has
each batch. Ours makes value, key, headers and topic of each event, which the other was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.http import events
from bench.measure import compare_publishing, seconds_of
from eventdefs.publishers import open_publisher
from eventdefs.publishers.formats import FORMATS, encode_lines
from eventdefs.publishers.kafka import KafkaOptions
from eventdefs.publishers.kafka.messages import Message, headers_of
from eventdefs.publishers.kafka.settings import Settings, read_settings
from eventdefs.publishers.naming import key_of
from eventdefs.publishers.urls import parse_url, read_options
from eventdefs.types import Batch
from tests.servers import kafka_server

BATCH = 1000
TOPIC = "events"
CLIENTS = {"confluent-kafka": (30, "0.5"), "kafka-python": (5, "0.8")}
"""Batches in a measurement, and the goal."""


def confluent(settings: Settings) -> tuple[Callable[[list[Message]], None], Callable[[], object]]:
    """Return what sends ready messages with confluent-kafka, and what ends it."""
    from confluent_kafka import Producer

    from eventdefs.publishers.kafka.confluent import producing

    producer = Producer(producing(settings, lambda _: None))
    failures: list[object] = []

    def told(error: object, _: object) -> None:
        if error is not None:
            failures.append(error)

    def send(messages: list[Message]) -> None:
        for topic, key, value, headers in messages:
            producer.produce(topic, value, key, headers=headers, on_delivery=told)
        producer.flush()
        assert not failures

    return send, producer.flush


def kafka_python(settings: Settings) -> tuple[Callable[[list[Message]], None], Callable[[], object]]:
    """Return what sends ready messages with kafka-python, and what ends it."""
    from kafka import KafkaProducer

    from eventdefs.publishers.kafka.kafka_python import producing

    producer: Any = KafkaProducer(**producing(settings))

    def send(messages: list[Message]) -> None:
        futures = [producer.send(topic, value, key, headers) for topic, key, value, headers in messages]
        producer.flush()
        assert all(future.succeeded() for future in futures)

    return send, producer.close


BARE = {"confluent-kafka": confluent, "kafka-python": kafka_python}


def bench_kafka() -> Iterator[str]:
    """Yield a line for each client and compression."""
    batch = Batch(events(BATCH))
    values = encode_lines(FORMATS["native"], batch)
    messages = [
        Message(TOPIC, key_of(event).encode(), value, headers_of(event))
        for event, value in zip(batch.events, values, strict=True)
    ]
    size = sum(map(len, values)) // BATCH
    with kafka_server() as server:
        for client, (batches, goal) in CLIENTS.items():
            for compression in ("gzip", "none"):
                url = f"kafka://{server.address}/{TOPIC}?client={client}&compression={compression}"
                parsed = parse_url(url)
                publisher = open_publisher(url)
                send, end = BARE[client](read_settings(parsed, read_options(parsed, KafkaOptions)))

                def ours(publisher: Any = publisher, batches: int = batches) -> float:
                    return seconds_of(lambda: publisher.publish(batch), batches)

                def bare(send: Any = send, batches: int = batches) -> float:
                    return seconds_of(lambda: send(messages), batches)

                ours()  # the first of each makes the topic and the connection
                bare()
                ratio = compare_publishing(ours, bare, 11)
                publisher.close()
                end()
                what = f"kafka, {client}, {compression} / bare"
                spread = f"({ratio.least:.2f} to {ratio.most:.2f})"
                rate = f"{BATCH / ratio.ours:,.0f} events a second, {size} bytes each"
                yield f"{what:46} {ratio.median:7.2f} {spread}   {rate}   goal {goal}"
