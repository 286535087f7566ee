"""The publisher of `kafka://`: batches as messages, and what became of them item by item."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from eventdefs.errors import (
    AccessDeniedError,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    RetryableDeliveryError,
)
from eventdefs.publishers import Batch, BatchLimits, Delivered, PublisherURL
from eventdefs.publishers.formats import FORMATS, cloudevent_headers, encode_items
from eventdefs.publishers.kafka.messages import (
    FRAME,
    Client,
    Header,
    Message,
    Outcome,
    Topics,
    bytes_of,
    headers_of,
    settle,
)
from eventdefs.publishers.kafka.reaching import unreached
from eventdefs.publishers.kafka.settings import KafkaOptions, Settings, read_settings
from eventdefs.publishers.naming import key_of
from eventdefs.types import Event, Item, Period, Refused, Sample

_CLIENTS = {
    "confluent-kafka": ("confluent_kafka", "eventdefs.publishers.kafka.confluent:ConfluentClient", "confluent-kafka"),
    "kafka-python": ("kafka", "eventdefs.publishers.kafka.kafka_python:KafkaPythonClient", "kafka"),
}
"""By the name that the option has for a client: its module, ours for it, and the extra that installs it."""


class KafkaPublisher:
    """Publishes to Kafka: ``kafka://host:9092,host2:9092/events``."""

    Options: ClassVar[type[msgspec.Struct]] = KafkaOptions
    LIMITS: ClassVar[BatchLimits] = BatchLimits(10_000, 64 * 2**20)

    def __init__(self, url: PublisherURL, options: KafkaOptions) -> None:
        settings = read_settings(url, options)
        self._settings = settings
        self._where = settings.where
        self._max_bytes = options.max_bytes
        self._small = (options.max_bytes - FRAME) // 3
        self._binary = options.mode == "binary"
        if self._binary and options.format != "cloudevents":
            raise PublisherURLError(f"{settings.where}: mode=binary is of use with format=cloudevents")
        self._form = FORMATS["native" if self._binary else options.format]
        self._typed: list[Header] = []
        if options.format == "cloudevents":
            self._typed = [("content-type", self._form.content_type.encode())]
        self._events = Topics(settings.where, settings.topic)
        self._samples = Topics(settings.where, options.samples_topic or settings.topic)
        self._periods = Topics(settings.where, options.periods_topic or settings.topic)
        self._usage = Topics(settings.where, options.usage_topic or settings.topic)
        self._client = client_of(settings)

    def publish(self, batch: Batch) -> Delivered:
        items: list[Item] = []
        messages: list[Message] = []
        refused: list[Refused] = []
        for item, value in self._encoded(batch, refused):
            message = self._message(item, value)
            # Key and headers are pieces of the value, so that most messages are small enough at a glance.
            if len(value) > self._small and (size := message.size) > self._max_bytes:
                reason = f"{self._where}: {size} bytes are more than max_bytes={self._max_bytes}"
                refused.append(Refused(item, reason))
                continue
            items.append(item)
            messages.append(message)
        return self._told(batch, items, self._sent(messages) if messages else [], refused)

    def _sent(self, messages: list[Message]) -> list[Outcome]:
        return settle(messages, self._client.send(messages), lambda message: self._client.send([message])[0])

    def _encoded(self, batch: Batch, refused: list[Refused]) -> Iterator[tuple[Item, bytes]]:
        """Yield each item that the form has a form for; add to *refused* what cannot be written."""
        try:
            yield from encode_items(self._form, batch)
            return
        except PermanentDeliveryError:
            pass  # one of them; nothing was yielded, since they are encoded together
        for item in batch:
            try:
                yield from encode_items(self._form, batch.part([item]))
            except PermanentDeliveryError as error:
                refused.append(Refused(item, f"{self._where}: {error}"))

    def _message(self, item: Item, value: bytes) -> Message:
        headers = headers_of(item)
        if self._typed:
            headers += self._typed
            if self._binary:
                headers += [(f"ce_{name}", bytes_of(text)) for name, text in cloudevent_headers(item).items()]
        return Message(self._topic(item), bytes_of(key_of(item)), value, headers)

    def _topic(self, item: Item) -> str:
        if isinstance(item, Event):
            return self._events.name(item)
        if isinstance(item, Sample):
            return self._samples.name(item)
        return (self._periods if isinstance(item, Period) else self._usage).name(item)

    def _told(self, batch: Batch, items: list[Item], outcomes: list[Outcome], refused: list[Refused]) -> Delivered:
        """Return what was delivered, or raise what was not."""
        if not refused and not any(outcomes):
            return Delivered(len(items))
        again: list[Item] = []
        error: RetryableDeliveryError | None = None
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, RetryableDeliveryError):
                again.append(item)
                if error is None or (
                    isinstance(outcome, AccessDeniedError) and not isinstance(error, AccessDeniedError)
                ):
                    error = outcome
            elif outcome is not None:
                refused.append(Refused(item, str(outcome)))
        delivered = Delivered(outcomes.count(None))
        if error is not None and not refused and not delivered.published:
            raise error
        raise PartialDeliveryError(delivered, batch.part(again), error, refused) from error

    def check(self) -> None:
        """See whether we are let in and every topic is there; of names made of items there is none to look for."""
        unreached(self._settings)
        kinds = self._events, self._samples, self._periods, self._usage
        self._client.check(list(dict.fromkeys(topics.fixed for topics in kinds if topics.fixed is not None)))

    def close(self) -> None:
        self._client.close()


def client_of(settings: Settings) -> Client:
    """Return the client that the options choose.

    Raises:
        PublisherURLError: it is not installed, or lacks what the options ask for.
    """
    asked = settings.options.client
    for name in _CLIENTS if asked == "auto" else (asked,):
        module, ours, _ = _CLIENTS[name]
        if importlib.util.find_spec(module) is None:
            continue
        place, _, called = ours.partition(":")
        client: Client = getattr(importlib.import_module(place), called)(settings)
        return client
    extras = " or ".join(
        f"pip install eventdefs[{extra}]" for name, (*_, extra) in _CLIENTS.items() if asked in ("auto", name)
    )
    raise PublisherURLError(f"{settings.where}: no client for Kafka is installed: {extras}")
