"""Dead letters in a topic of Kafka: a message's key is the letter's id, its value the same JSON as a line of a file.

A letter is settled by a message without a value, so that a compacted topic (`cleanup.policy=compact`) keeps what is
open, for ever, and forgets the rest. Reading takes the topic from its beginning to where it ended when it began.
"""

from __future__ import annotations

import gzip
import importlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from eventdefs.deadletters.letters import DeadLetter, Unreadable, merged, read_letter, write_letter
from eventdefs.deadletters.places import How, Index, Warn, head_of
from eventdefs.errors import DeliveryError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers import options_of
from eventdefs.publishers.kafka.messages import Header, Message
from eventdefs.publishers.kafka.publisher import client_of
from eventdefs.publishers.kafka.settings import read_settings
from eventdefs.publishers.urls import parse_url

PACKED = ("content-encoding", b"gzip")
"""The header of a value that is packed, since it would be large for a message."""
POLL = 0.5


class _At(NamedTuple):
    """Where a message stands."""

    partition: int
    offset: int


class KafkaPlace:
    """A topic of dead letters: ``kafka://host:9092/dead-letters``, with the options of the publisher.

    Attributes:
        name: the URL, as it may be shown.
    """

    def __init__(self, url: str, warn: Warn) -> None:
        """Read *url*; the broker is reached when it is first needed.

        Raises:
            PublisherURLError: the URL is not one of Kafka, or an option does not fit.
        """
        parsed = parse_url(url)
        self._settings = read_settings(parsed, options_of(parsed))
        self._topic = self._settings.topic
        if "{" in self._topic:
            raise PublisherURLError(f"{parsed.text}: dead letters have one topic, without fields")
        self._max_bytes = self._settings.options.max_bytes
        self._client = client_of(self._settings)
        self._warn = warn

    @property
    def name(self) -> str:
        return self._settings.where

    def add(self, letters: Sequence[DeadLetter]) -> None:
        self._send([self._message(letter) for letter in merged(letters)])

    def tried(self, letters: Sequence[DeadLetter]) -> None:
        # The newest message of a key is what compaction keeps, so it is a whole letter, which counts one attempt only.
        self._send([self._message(msgspec.structs.replace(letter, count=0, attempts=1)) for letter in letters])

    def settle(self, ids: Collection[str], how: How) -> None:
        headers = [("settled", how.encode()), ("at", datetime.now(UTC).isoformat().encode())]
        self._send([Message(self._topic, one.encode(), None, headers) for one in ids])

    def _message(self, letter: DeadLetter) -> Message:
        value = write_letter(letter)
        headers: list[Header] = []
        if len(value) > self._max_bytes // 2:
            value, headers = gzip.compress(value, mtime=0), [PACKED]
        if len(value) > self._max_bytes:
            raise RetryableDeliveryError(
                f"dead letters {self.name}: letter {letter.id} has {len(value):,} bytes packed, more than"
                f" max_bytes={self._max_bytes}, and is kept nowhere"
            )
        return Message(self._topic, letter.id.encode(), value, headers)

    def _send(self, messages: list[Message]) -> None:
        if not messages:
            return
        failed = [outcome for outcome in self._client.send(messages) if outcome is not None]
        if failed:
            raise RetryableDeliveryError(f"dead letters {failed[0]}") from failed[0]

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self) -> Iterator[DeadLetter]:
        with self._consuming() as messages:
            index = Index()
            for at, key, value in messages():
                if value is None:
                    index.settle(key)
                else:
                    self._take_in(at, value, index)
            newest = set(index.positions())
            for at, _, value in messages():
                if value is not None and at in newest:
                    letter = index.whole(at, read_letter(value))
                    if letter is not None:
                        yield letter

    def _take_in(self, at: _At, value: bytes, index: Index) -> None:
        try:
            index.add(at, head_of(read_letter(value)))
        except Unreadable as error:
            self._warn(f"{self.name}: partition {at.partition}, offset {at.offset}: {error}")

    @contextmanager
    def _consuming(self) -> Iterator[Callable[[], Iterator[tuple[_At, str, bytes | None]]]]:
        """Yield what gives the messages that the topic has now, as often as it is called."""
        library, errors, ours = _library(self.name)
        consumer: Any = None
        try:
            self._client.check([self._topic])  # which says what is wrong; a consumer only says that it did not get on
            consumer = library.KafkaConsumer(
                **ours.common(self._settings),
                enable_auto_commit=False,
                metrics_enabled=False,
            )
            numbers = consumer.partitions_for_topic(self._topic) or ()
            partitions = [library.TopicPartition(self._topic, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            yield lambda: self._messages(consumer, ends)
        except DeliveryError as error:
            raise RetryableDeliveryError(f"dead letters {error}") from error
        except errors.KafkaError as error:
            raise RetryableDeliveryError(f"dead letters {self.name}: {' '.join(str(error).split())}") from error
        finally:
            if consumer is not None:
                consumer.close()

    def _messages(self, consumer: Any, ends: dict[Any, int]) -> Iterator[tuple[_At, str, bytes | None]]:
        consumer.seek_to_beginning(*ends)
        patience = time.monotonic() + self._settings.options.timeout
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            found = consumer.poll(int(POLL * 1000))
            if found:
                patience = time.monotonic() + self._settings.options.timeout
            elif time.monotonic() > patience:
                raise RetryableDeliveryError(f"{self.name}: nothing came for {self._settings.options.timeout:g} s")
            for partition, messages in found.items():
                for one in messages:
                    if one.offset < ends[partition]:
                        yield (
                            _At(partition.partition, one.offset),
                            (one.key or b"").decode(errors="replace"),
                            _unpacked(one),
                        )

    def purge(self) -> int:
        """Do nothing: the broker forgets what is settled when it compacts the topic."""
        return 0

    def close(self) -> None:
        self._client.close()


def _unpacked(message: Any) -> bytes | None:
    value: bytes | None = message.value
    if value is not None and any(header == PACKED for header in message.headers):
        return gzip.decompress(value)
    return value


def _library(name: str) -> tuple[Any, Any, Any]:
    """Return kafka-python, its errors, and what we say to it; it reads whichever client writes."""
    try:
        return (
            importlib.import_module("kafka"),
            importlib.import_module("kafka.errors"),
            importlib.import_module("eventdefs.publishers.kafka.kafka_python"),
        )
    except ImportError as error:
        raise PublisherURLError(
            f"{name}: reading dead letters needs kafka-python: pip install eventdefs[kafka]"
        ) from error
