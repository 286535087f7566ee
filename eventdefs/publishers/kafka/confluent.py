"""confluent-kafka, which is librdkafka: the fast client.

The producer is kept after a time-out: it is then that it tells the broker, by the epoch of its id, to take nothing more
of what was sent before. It is made anew when it is in a state that it cannot leave.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AdminClient

from eventdefs.errors import AccessDeniedError, DeliveryError, RetryableDeliveryError
from eventdefs.publishers.kafka.messages import FRAME, Message, Outcome, failure, one_line
from eventdefs.publishers.kafka.reaching import LOOK, unanswered
from eventdefs.publishers.kafka.settings import Settings

_log = logging.getLogger("librdkafka")
_log.addHandler(logging.NullHandler())  # librdkafka repeats itself; what matters of it is in our errors

_POLL = 0.1
"""Seconds between two looks at whether the broker denies us."""
_PATIENCE = 5.0
"""Seconds beyond the time-out of messages after which those that are left are given up."""
_STATE = re.compile(r" \(after \d+ms in state \w+\)")

_NO_TOPIC = frozenset((KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART))
_NO_ANSWER = frozenset(
    (
        KafkaError._MSG_TIMED_OUT,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._PURGE_QUEUE,
        KafkaError._PURGE_INFLIGHT,
        KafkaError._DESTROY,
    )
)


class _Heard:
    """What librdkafka says of itself, beside what it says of messages."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.denied = self.said = ""
        self.down = self.fatal = False

    def __call__(self, error: KafkaError) -> None:
        code = error.code()
        if code == KafkaError._ALL_BROKERS_DOWN:
            self.down = True
        elif code == KafkaError._AUTHENTICATION:
            self.denied = _words(error)
        else:
            self.said = _words(error)
        self.fatal = self.fatal or error.fatal()

    @property
    def hopeless(self) -> bool:
        """Whether every broker is away, and one of them because it does not let us in."""
        return bool(self.denied) and self.down


def _words(error: KafkaError) -> str:
    return one_line(_STATE.sub("", error.str()))


class _Reports(list[Callable[[KafkaError | None, object], None]]):
    """What a producer calls to say what became of the messages of a batch, a call for each; made once for all batches.

    Attributes:
        failures: what was said of those that were not delivered, by their number.
    """

    def __init__(self) -> None:
        self.failures: dict[int, KafkaError] = {}

    def begin(self, count: int) -> None:
        """Forget the batch before; have calls for *count* messages."""
        self.failures.clear()
        self += [partial(self._hear, number) for number in range(len(self), count)]

    def _hear(self, number: int, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self.failures[number] = error


class ConfluentClient:
    """Sends with one producer of librdkafka."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._heard = _Heard()
        self._producer: Producer | None = None
        self._reports = _Reports()

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        try:
            producer = self._open()
        except DeliveryError as error:
            return [error] * len(messages)
        reports = self._reports
        try:
            producer.poll(0)  # what was said since the last batch is forgotten
            self._heard.forget()
            reports.begin(len(messages))
            produce: Callable[..., None] = producer.produce
            for (topic, key, value, headers), report in zip(messages, reports, strict=False):
                try:
                    produce(topic, value, key, headers=headers, on_delivery=report)
                except KafkaException as error:
                    report(error.args[0], None)
            self._wait(producer)
        except BaseException:
            self._drop()  # nothing of it may go out later
            raise
        if not reports.failures:
            return [None] * len(messages)
        return self._outcomes(messages, reports.failures)

    def _open(self) -> Producer:
        if self._producer is None:
            try:
                self._producer = Producer(producing(self._settings, self._heard))
                self._reports = _Reports()  # nothing that is still said of the producer before is heard
            except KafkaException as error:
                raise RetryableDeliveryError(f"{self._settings.where}: {_words(error.args[0])}") from error
        return self._producer

    def _wait(self, producer: Producer) -> None:
        """Return when something was said of every message."""
        until = time.monotonic() + self._settings.options.timeout + _PATIENCE
        while producer.flush(_POLL):
            if self._heard.hopeless or time.monotonic() > until:
                if self._drop():  # of some nothing was said, so that nobody knows
                    raise self._unanswered(self._heard)
                return

    def _outcomes(self, messages: Sequence[Message], failures: dict[int, KafkaError]) -> list[Outcome]:
        known: dict[tuple[int, str], DeliveryError] = {}
        outcomes: list[Outcome] = [None] * len(messages)
        for number, error in failures.items():
            code, topic = error.code(), messages[number].topic
            if (code, topic) not in known:
                known[code, topic] = self._failure(error, topic, self._heard)
            outcomes[number] = known[code, topic]
        if self._heard.fatal or any(code in _NO_TOPIC or code == KafkaError._FATAL for code, _ in known):
            self._drop()  # it would not look for the topic again for minutes
        return outcomes

    def _failure(self, error: KafkaError, topic: str, heard: _Heard) -> DeliveryError:
        where, code = self._settings.where, error.code()
        if code in _NO_ANSWER:
            return self._unanswered(heard)
        return failure(where, KafkaError.UNKNOWN_TOPIC_OR_PART if code in _NO_TOPIC else code, topic, _words(error))

    def _unanswered(self, heard: _Heard) -> DeliveryError:
        if heard.denied:
            return AccessDeniedError(f"{self._settings.where}: the broker does not let us in: {heard.denied}")
        return unanswered(self._settings, heard.said)

    def check(self, topics: Sequence[str]) -> None:
        heard = _Heard()
        admin = AdminClient(common(self._settings, heard))
        seconds = min(self._settings.options.timeout, LOOK)
        asked: dict[str, Future[Any]]
        if topics:
            asked = admin.describe_topics(TopicCollection(list(topics)), request_timeout=seconds)
        else:
            asked = {"": admin.describe_cluster(request_timeout=seconds)}
        while not all(future.done() for future in asked.values()):
            admin.poll(_POLL)
            if heard.hopeless:
                raise self._unanswered(heard)
        for topic, future in asked.items():
            error = future.exception()
            if isinstance(error, KafkaException):
                raise self._failure(error.args[0], topic, heard) from error

    def close(self) -> None:
        self._drop()

    def _drop(self) -> int:
        """Let go of the producer, and of what it has not sent; return of how many messages it said nothing."""
        producer, self._producer = self._producer, None
        if producer is None:
            return 0
        producer.purge()
        return int(producer.flush(1.0))


def common(settings: Settings, heard: Callable[[KafkaError], None]) -> dict[str, Any]:
    """Return what the library is told, whatever it is asked."""
    options = settings.options
    milliseconds = int(options.timeout * 1000)
    config: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.brokers),
        "client.id": options.client_id,
        "security.protocol": settings.security,
        "socket.timeout.ms": min(milliseconds, 60_000),
        "reconnect.backoff.max.ms": 1000,
        "error_cb": heard,
        "logger": _log,
    }
    if settings.security.startswith("sasl_"):
        config |= {
            "sasl.mechanism": options.sasl,
            "sasl.username": settings.user,
            "sasl.password": settings.password,
        }
    if settings.tls is not None:
        config |= {
            "enable.ssl.certificate.verification": options.verify,
            "ssl.endpoint.identification.algorithm": "https" if options.verify else "none",
        }
        if options.ca_file:
            config["ssl.ca.location"] = options.ca_file
        if options.cert_file:
            config |= {
                "ssl.certificate.location": options.cert_file,
                "ssl.key.location": options.key_file or options.cert_file,
            }
    return config


def producing(settings: Settings, heard: Callable[[KafkaError], None]) -> dict[str, Any]:
    """Return what a producer is told."""
    options = settings.options
    milliseconds = int(options.timeout * 1000)
    return common(settings, heard) | {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": options.compression,
        "delivery.timeout.ms": milliseconds,
        "request.timeout.ms": min(milliseconds, 30_000),
        "linger.ms": options.linger * 1000,
        "message.max.bytes": options.max_bytes + FRAME,
        "batch.size": min(options.max_bytes, 1_000_000),
        "topic.metadata.propagation.max.ms": min(milliseconds, 5000),
        # A batch is bounded by who gives it, so the queue need not be.
        "queue.buffering.max.messages": 0,
        "queue.buffering.max.kbytes": 2_097_151,
        "delivery.report.only.error": True,  # a call into Python for each message costs as much as producing it
    }
