"""kafka-python, which is written in Python: it runs wherever Python does.

Seen of version 3.0: the producer does not recover from a time-out of a message, nor from what a broker refuses; all
that it is given after that fails or waits. It is therefore made anew after every failure. It looks for a broker when it
is made, and gives no reason when it finds none.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer, codec
from kafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient

from eventdefs.errors import AccessDeniedError, DeliveryError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers.kafka.messages import FRAME, Message, Outcome, failure, one_line
from eventdefs.publishers.kafka.reaching import LOOK, unanswered, why_not
from eventdefs.publishers.kafka.settings import Settings

_log = logging.getLogger(__name__)


def _discreet(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


for _name in ("kafka.admin.client", "kafka.net.connection", "kafka.protocol.parser"):
    logging.getLogger(_name).addFilter(_discreet)  # at this level it logs passwords

_PATIENCE = 5.0
"""Seconds beyond the time-out of messages after which those that are left are given up."""
_UNKNOWN_TOPIC = 3

_PACKAGES: dict[str, tuple[Callable[[], bool], str]] = {
    "snappy": (codec.has_snappy, "python-snappy"),
    "lz4": (codec.has_lz4, "lz4"),
    "zstd": (codec.has_zstd, "zstandard"),
}


_DENIALS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError)


class _Network:
    """Makes the network side of a producer, and hears what that keeps to itself: that we are not let in.

    Where every broker has said so, it is not asked again and again until the time is over.
    """

    def __init__(self, brokers: int) -> None:
        self.denials: list[Exception] = []
        self.lost = 0
        self._brokers = brokers
        self._client: Any = None

    def __call__(self, **config: Any) -> Any:
        self._client = KafkaNetClient(**config)
        connect = self._client._manager.get_connection

        def watched(*args: Any, **options: Any) -> Any:
            if len(self.denials) >= self._brokers:
                raise self.denials[0]
            connection = connect(*args, **options)
            connection.close_future.add_errback(self._lost)
            return connection

        self._client._manager.get_connection = watched
        return self._client

    def _lost(self, error: Exception) -> None:
        self.lost += 1
        if isinstance(error, _DENIALS):
            self.denials.append(error)

    def trust(self) -> None:
        """Listen no more."""
        del self._client._manager.get_connection

    def close(self) -> None:
        """End the thread that is left behind where a producer could not be made."""
        if self._client is not None:
            self._client.close()


class KafkaPythonClient:
    """Sends with one producer of kafka-python."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = None
        installed, package = _PACKAGES.get(settings.options.compression, (lambda: True, ""))
        if not installed():
            raise PublisherURLError(
                f"{settings.where}: compression={settings.options.compression} needs {package} beside kafka-python:"
                f" pip install {package}"
            )
        if importlib.util.find_spec("crc32c") is None:
            _log.warning("%s: kafka-python is three times as fast with crc32c: pip install crc32c", settings.where)

    def send(self, messages: Sequence[Message]) -> list[Outcome]:
        try:
            outcomes = self._send(messages)
        except DeliveryError as error:
            return [error] * len(messages)
        except BaseException:
            self._drop()  # nothing of it may go out later
            raise
        if any(outcomes):
            self._drop()
        return outcomes

    def _send(self, messages: Sequence[Message]) -> list[Outcome]:
        if self._producer is None:
            self._producer = self._opened(KafkaProducer, producing(self._settings))
        timeout = self._settings.options.timeout
        until = time.monotonic() + timeout
        missing: dict[str, DeliveryError] = {}
        for topic in dict.fromkeys(message.topic for message in messages):
            if (error := self._missing(topic, until)) is not None:
                missing[topic] = error
        futures = [self._begun(message, missing) for message in messages]
        until = time.monotonic() + timeout + _PATIENCE
        with suppress(KafkaError):  # it also fails where it has split a batch, which is no failure
            self._producer.flush(timeout + _PATIENCE)
        for future in futures:
            if not isinstance(future, DeliveryError) and not future.is_done:
                with suppress(KafkaError):
                    future.get(max(0.0, until - time.monotonic()))
        known: dict[tuple[str, str], DeliveryError] = {}
        outcomes: list[Outcome] = []
        for message, future in zip(messages, futures, strict=True):
            if isinstance(future, DeliveryError):
                outcomes.append(future)
            elif future.succeeded():
                outcomes.append(None)
            else:
                failed = future.exception if future.is_done else KafkaTimeoutError()
                about = message.topic, repr(failed)
                if about not in known:
                    known[about] = self._failure(failed, message.topic)
                outcomes.append(known[about])
        return outcomes

    def _begun(self, message: Message, missing: dict[str, DeliveryError]) -> Any:
        """Begin to send *message*, and return its future; or why it is not sent, as where its topic is *missing*."""
        topic, key, value, headers = message
        if topic in missing:
            return missing[topic]
        try:
            return self._producer.send(topic, value, key, headers)
        except KafkaError as error:
            failed = self._failure(error, topic)
            if isinstance(failed, RetryableDeliveryError):
                missing[topic] = failed  # each would wait as long
            return failed

    def _missing(self, topic: str, until: float) -> DeliveryError | None:
        """Return why *topic* cannot be written to, None where it can; a client waits for one that is not there."""
        if time.monotonic() > until:
            return unanswered(self._settings, f"no time was left to look for topic {topic!r}")
        try:
            self._producer.partitions_for(topic)
        except KafkaTimeoutError:
            return failure(self._settings.where, _UNKNOWN_TOPIC, topic, "")
        except KafkaError as error:
            return self._failure(error, topic)
        return None

    def _opened(self, make: Callable[..., Any], config: dict[str, Any]) -> Any:
        """Return what *make* makes, once it has found a broker.

        Raises:
            DeliveryError: why it found none.
        """
        network = _Network(len(self._settings.hosts))
        try:
            made = make(**config, kafka_client=network)
        except (KafkaError, ValueError, OSError) as error:
            network.close()
            raise self._unopened(error, network) from error
        network.trust()
        return made

    def _unopened(self, error: Exception, network: _Network) -> DeliveryError:
        if network.denials:
            return self._failure(network.denials[0], "")
        failed = self._failure(error, "")
        settings = self._settings
        if settings.user and network.lost and not why_not(settings.hosts, settings.tls, LOOK):
            # With TLS it often sees the end of the connection before the answer that stands before it.
            return AccessDeniedError(f"{settings.where}: the broker closes the connection when we say who we are")
        return failed

    def _failure(self, error: Exception, topic: str) -> DeliveryError:
        where = self._settings.where
        if isinstance(error, KafkaTimeoutError):
            return unanswered(self._settings, "")
        if isinstance(error, _DENIALS):
            return AccessDeniedError(f"{where}: the broker does not let us in: {one_line(str(error))}")
        return failure(where, getattr(error, "errno", None) or 0, topic, one_line(str(error)))

    def check(self, topics: Sequence[str]) -> None:
        admin = self._opened(KafkaAdminClient, common(self._settings))
        try:
            for answer in admin.describe_topics(list(topics)) if topics else ():
                if answer["error_code"]:
                    raise failure(self._settings.where, answer["error_code"], answer["name"], "")
        except KafkaError as error:
            raise self._failure(error, "") from error
        finally:
            admin.close()

    def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        """Let go of the producer, and of what it has not sent."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=1)
        except KafkaTimeoutError:  # something waits, for which it would go on
            producer._sender.force_close()


def common(settings: Settings) -> dict[str, Any]:
    """Return what the library is told, whatever it is asked."""
    options = settings.options
    milliseconds = int(options.timeout * 1000)
    config: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "client_id": options.client_id,
        "security_protocol": settings.security.upper(),
        "bootstrap_timeout_ms": int(min(options.timeout, LOOK) * 1000),
        "request_timeout_ms": min(milliseconds - int(options.linger * 1000), 30_000),
        "reconnect_backoff_max_ms": 1000,
    }
    if settings.tls is not None:
        config |= {"ssl_context": settings.tls, "ssl_check_hostname": options.verify}
    if settings.security.startswith("sasl_"):
        config |= {
            "sasl_mechanism": options.sasl,
            "sasl_plain_username": settings.user,
            "sasl_plain_password": settings.password,
        }
    return config


def producing(settings: Settings) -> dict[str, Any]:
    """Return what a producer is told."""
    options = settings.options
    milliseconds = int(options.timeout * 1000)
    return common(settings) | {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None if options.compression == "none" else options.compression,
        "delivery_timeout_ms": milliseconds,
        "linger_ms": options.linger * 1000,
        "max_request_size": options.max_bytes + FRAME,
        "batch_size": min(options.max_bytes, 131_072),
        "max_block_ms": min(milliseconds, 5000),
        "metrics_enabled": False,
    }
