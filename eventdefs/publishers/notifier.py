"""`notifier://` sends events and samples over oslo.messaging, as Ceilometer's publisher of that name does.

What listens to Ceilometer's topics, such as Aodh's event alarms, reads us unchanged. oslo.messaging's own notifier logs
and swallows what its driver raises, so that is passed by: a message counts when the broker has confirmed it, and when
there was a queue that it went to.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from eventdefs.encode import ceilometer_event, counter_sample, cropped, plain, sg_core_event, sg_core_sample, signed
from eventdefs.errors import (
    AccessDeniedError,
    DeliveryError,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.ids import derived_id
from eventdefs.publishers import Batch, BatchLimits, Delivered, PublisherURL
from eventdefs.publishers.urls import Options
from eventdefs.types import Event, Item, Sample, identity_of

try:
    import amqp
    import kombu.exceptions
    import oslo_messaging
    from oslo_config import cfg
    from oslo_messaging import opts
except ImportError as error:
    raise PublisherURLError("notifier:// needs oslo.messaging: pip install eventdefs[messaging]") from error

PRIORITY = "sample"
"""Of every message, and the end of its routing key, as ``event.sample``: Ceilometer has no other."""
_SETTINGS = {
    "publisher": [cfg.StrOpt("telemetry_secret", default="", secret=True)],
    "publisher_notifier": [
        cfg.StrOpt("event_topic", default="event"),
        cfg.StrOpt("metering_topic", default="metering"),
    ],
}
"""What is read of a configuration file besides oslo.messaging's own: Ceilometer's names, and its defaults but one."""
_RABBIT = (
    "amqp_auto_delete",
    "amqp_durable_queues",
    "rabbit_quorum_queue",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_key_file",
)
"""Options that oslo.messaging's driver takes from the URL, under its names."""


class NotifierOptions(Options, frozen=True):
    """Options of `notifier://`.

    Attributes:
        topic: where everything is sent, instead of `event_topic` and `metering_topic`; several joined by commas.
        event_topic, metering_topic: where events and samples are sent; several joined by commas.
        per_meter_topic: sends samples once more for each meter, as event type ``metering.<meter>``.
        exchange: the exchange of the topics.
        publisher_id: who sends; by default ``telemetry.publisher.`` and the name of this host.
        telemetry_secret: what events and samples are signed with; without it the signature is empty.
        compat: `sg-core` writes what sg-core reads.
        crop_text: how many code points of a text trait are kept.
        config_file: a configuration file of oslo.config, such as Ceilometer's own, whose settings hold where the URL
            says nothing: `transport_url`, those of the driver, the topics and the secret.
        timeout: seconds to wait for the broker; at least 2.
        driver: oslo.messaging's; the only one that confirms is `rabbit`.
        max_retry, max_queue_length, policy: Ceilometer's, taken and without effect: what was not delivered is tried
            again and not dropped, as the options of every publisher say.
        amqp_auto_delete, amqp_durable_queues, rabbit_quorum_queue: how exchanges and queues are declared, which those
            who listen declare too, and in the same way.
        ssl, ssl_ca_file, ssl_cert_file, ssl_key_file: TLS; who may have signed the broker's certificate is the
            system's affair where nothing is said.
    """

    topic: str = ""
    event_topic: str = ""
    metering_topic: str = ""
    per_meter_topic: bool = False
    exchange: str = "ceilometer"
    publisher_id: str = ""
    telemetry_secret: str | None = None
    compat: Literal["none", "sg-core"] = "none"
    crop_text: Annotated[int, msgspec.Meta(ge=1)] | None = None
    config_file: str = ""
    timeout: Annotated[int, msgspec.Meta(ge=2)] = 30
    driver: Literal["rabbit"] = "rabbit"
    max_retry: int | None = None
    max_queue_length: int | None = None
    policy: Literal["default", "queue", "drop"] = "default"
    amqp_auto_delete: bool | None = None
    amqp_durable_queues: bool | None = None
    rabbit_quorum_queue: bool | None = None
    ssl: bool | None = None
    ssl_ca_file: str | None = None
    ssl_cert_file: str | None = None
    ssl_key_file: str | None = None


class NotifierPublisher:
    """Sends to RabbitMQ: ``notifier://user:password@host:5672/vhost?topic=alarm.all``.

    A message has a list of events or of samples in Ceilometer's form, with signatures. Periods and records have no
    form there and are left out.
    """

    Options: ClassVar[type[msgspec.Struct]] = NotifierOptions
    LIMITS: ClassVar[BatchLimits] = BatchLimits(items=1_000, bytes=8 * 2**20)

    def __init__(self, url: PublisherURL, options: NotifierOptions) -> None:
        self._url = url.text
        self._conf = _settings(url.text, options.config_file)
        self._address = self._transport_url(url, options)
        if not url.target.strip("/"):
            self._url += ",".join(f"{host.hostname}:{host.port}" for host in self._address.hosts)
        settings = self._conf.publisher_notifier
        self._event_topics = _topics(options.topic or options.event_topic or settings.event_topic)
        self._metering_topics = _topics(options.topic or options.metering_topic or settings.metering_topic)
        secret = options.telemetry_secret
        self._secret: str = self._conf.publisher.telemetry_secret if secret is None else secret
        self._names = settings.event_topic, settings.metering_topic
        self._publisher_id = options.publisher_id or f"telemetry.publisher.{socket.gethostname()}"
        self._options = options
        self._transport: Any = None
        self._declared: set[str] = set()

    def _transport_url(self, url: PublisherURL, options: NotifierOptions) -> Any:
        try:
            if url.target.strip("/"):
                address = oslo_messaging.TransportURL.parse(self._conf, f"{options.driver}://{url.target}")
            else:
                named = self._conf.oslo_messaging_notifications.transport_url
                address = oslo_messaging.TransportURL.parse(self._conf, named)
        except (oslo_messaging.InvalidTransportURL, ValueError) as error:
            raise PublisherURLError(f"{url.text}: {error}") from None
        if not address.hosts:
            raise PublisherURLError(f"{url.text} names no host, as notifier://user:password@host:5672/ does")
        if address.transport != options.driver:
            raise PublisherURLError(f"{url.text}: the transport {address.transport} does not confirm, expected rabbit")
        address.query.setdefault("heartbeat_timeout_threshold", str(options.timeout))
        # A pause before a connection is let go; what waits between attempts stands around the publisher.
        address.query.setdefault("kombu_reconnect_delay", "0")
        for name in _RABBIT:
            if (value := getattr(options, name)) is not None:
                address.query[name] = str(value)
        if options.ssl and not (options.ssl_ca_file or self._conf.oslo_messaging_rabbit.ssl_ca_file):
            # Without such a file oslo.messaging takes any certificate.
            address.query["ssl_ca_file"] = _system_authorities(url.text)
        return address

    def publish(self, batch: Batch) -> Delivered:
        """Send *batch*; return when the broker has confirmed every message."""
        sent = 0
        parts: list[tuple[Sequence[Item], Sequence[str], Iterator[tuple[str, list[Any]]]]] = [
            (batch.events, self._event_topics, self._event_messages(batch.events)),
            (batch.samples, self._metering_topics, self._sample_messages(batch.samples)),
        ]
        try:
            for items, topics, messages in parts:
                for event_type, payload in messages if items else ():
                    for topic in topics:
                        self._send(topic, event_type, payload, items)
                sent += len(items)
        except DeliveryError as error:
            if not sent:
                raise
            # The samples come again, alone; what is not retryable is said then, of them.
            later = error if isinstance(error, RetryableDeliveryError) else RetryableDeliveryError(str(error))
            raise PartialDeliveryError(Delivered(sent), batch.part(batch.samples), later) from error
        return Delivered(sent)

    def _event_messages(self, events: Sequence[Event]) -> Iterator[tuple[str, list[Any]]]:
        yield self._names[0], [self._event(event) for event in events]

    def _event(self, event: Event) -> dict[str, Any]:
        length = self._options.crop_text
        document = plain(ceilometer_event(event if length is None else cropped(event, length)))
        return signed(sg_core_event(document) if self._options.compat == "sg-core" else document, self._secret)

    def _sample_messages(self, samples: Sequence[Sample]) -> Iterator[tuple[str, list[Any]]]:
        documents = [self._sample(sample) for sample in samples]
        yield self._names[1], documents
        if self._options.per_meter_topic:
            documents.sort(key=_meter_of)
            for meter, group in groupby(documents, _meter_of):
                yield f"{self._names[1]}.{meter}", list(group)

    def _sample(self, sample: Sample) -> dict[str, Any]:
        document = counter_sample(sample)
        return signed(sg_core_sample(document) if self._options.compat == "sg-core" else document, self._secret)

    def _send(self, topic: str, event_type: str, payload: list[Any], items: Sequence[Item]) -> None:
        message = {
            "message_id": derived_id("notifier", event_type, [identity_of(item) for item in items]),
            "publisher_id": self._publisher_id,
            "event_type": event_type,
            "priority": PRIORITY.upper(),
            "payload": payload,
            "timestamp": str(datetime.now(UTC).replace(tzinfo=None)),
        }
        try:
            if f"{topic}.{PRIORITY}" not in self._declared or not self._send_mandatory(topic, message):
                self._send_declaring(topic, message)
        except _ERRORS as error:
            self.close()  # a connection that was left in the middle is not used again
            raise self._failure(error) from error

    def _send_mandatory(self, topic: str, message: dict[str, Any]) -> bool:
        """Send *message* to the queues that there are, and tell whether there was any."""
        options = oslo_messaging.TransportOptions(at_least_once=True)
        try:
            self._open()._send(self._target(topic), {}, dict(message), retry=0, transport_options=options)
        except oslo_messaging.MessageUndeliverable:
            self.close()  # its confirmation is still to come, and would be taken for that of the next
            return False
        return True

    def _send_declaring(self, topic: str, message: dict[str, Any]) -> None:
        """Send *message* to a queue that is declared before, as oslo.messaging's listeners do."""
        target = self._target(topic)
        self._open()._send_notification(target, {}, dict(message), version=2.0, retry=0)
        self._declared.add(target.topic)

    def _target(self, topic: str) -> Any:
        return oslo_messaging.Target(topic=f"{topic}.{PRIORITY}", exchange=self._options.exchange)

    def _open(self) -> Any:
        if self._transport is None:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "\\s*Eventlet is deprecated")  # which nobody here uses
                self._transport = oslo_messaging.get_notification_transport(self._conf, self._address)
        return self._transport

    def _failure(self, error: Exception) -> DeliveryError:
        """Return what *error*, and what caused it, means for what was sent."""
        chain: list[BaseException] = []
        one: BaseException | None = error
        while one is not None and one not in chain:
            chain.append(one)
            one = one.__cause__ or one.__context__
        if any(isinstance(one, amqp.PreconditionFailed) and _TOO_LARGE in str(one) for one in chain):
            return PermanentDeliveryError(f"{self._url}: {_said(chain[-1])}")
        for kinds, failure, says in _REASONS:
            for one in chain:
                if isinstance(one, kinds):
                    said = " ".join(says.format(_said(one)).split())
                    return failure(f"{self._url}: {said}")
        return RetryableDeliveryError(f"{self._url}: {error}")

    def check(self) -> None:
        """See that the broker lets us in. Whether it lets us declare and send is seen with the first batch."""
        self.close()
        try:
            with self._open()._driver._get_connection(retry=0):  # which is a new one, and connects
                pass
        except _ERRORS as error:
            raise self._failure(error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let go; nothing waits."""
        transport, self._transport = self._transport, None
        self._declared.clear()
        if transport is not None:
            transport.cleanup()


_ERRORS = (
    OSError,
    LookupError,
    struct.error,
    amqp.AMQPError,
    kombu.exceptions.KombuError,
    oslo_messaging.MessagingException,
    RecursionError,
    TypeError,
    ValueError,
)
"""What sending raises; the last three are of what cannot be written as JSON, the second and third of no AMQP."""
_TOO_LARGE = "larger than configured max size"
"""In what the broker says of a message, by the same code as of a queue that is declared otherwise."""
_USER = re.compile(r"user '[^']*'")
_REASONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], type[DeliveryError], str], ...] = (
    ((amqp.AccessRefused, amqp.NotAllowed), AccessDeniedError, "the broker does not let us: {}"),
    (amqp.PreconditionFailed, RetryableDeliveryError, "declared otherwise by others, see amqp_durable_queues: {}"),
    (ssl.SSLCertVerificationError, RetryableDeliveryError, "the certificate is not accepted: {}"),
    (ssl.SSLError, RetryableDeliveryError, "no TLS: {}"),
    (socket.gaierror, RetryableDeliveryError, "the name cannot be resolved: {}"),
    (ConnectionRefusedError, RetryableDeliveryError, "refused, nobody listens there"),
    (TimeoutError, RetryableDeliveryError, "the broker does not answer"),
    (OSError, RetryableDeliveryError, "{}"),
    (amqp.AMQPError, RetryableDeliveryError, "{}"),
    (oslo_messaging.MessagingException, RetryableDeliveryError, "{}"),
    (
        (LookupError, struct.error, UnicodeDecodeError),
        RetryableDeliveryError,
        "what answers speaks no AMQP that we read",
    ),
    ((TypeError, ValueError, RecursionError), PermanentDeliveryError, "cannot be written as JSON: {}"),
)
"""What a kind of error in the chain of causes means, and how it is said; the first that is found counts."""


def _said(error: BaseException) -> str:
    if isinstance(error, amqp.AMQPError):
        return _USER.sub("the user", str(error.reply_text or type(error).__name__))  # it names whom it refuses
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _meter_of(document: dict[str, Any]) -> str:
    return str(document["counter_name"])


def _topics(text: str) -> list[str]:
    return [topic.strip() for topic in text.split(",") if topic.strip()]


def _system_authorities(url: str) -> str:
    found = ssl.get_default_verify_paths().cafile
    if found is None:
        raise PublisherURLError(f"{url}: ssl needs ssl_ca_file, since this system has no file of authorities")
    return found


def _settings(url: str, config_file: str) -> Any:
    conf = cfg.ConfigOpts()
    for group, options in (*_SETTINGS.items(), *opts.list_opts()):
        conf.register_opts(options, group)
    try:
        conf([], project="eventdefs", default_config_files=[config_file] if config_file else [], default_config_dirs=[])
    except cfg.Error as error:
        raise PublisherURLError(f"{url}: {' '.join(str(error).split())}") from error
    return conf
