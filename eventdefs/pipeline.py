"""From notifications to publishers: converted, counted, gathered in batches, delivered to every sink.

A sink that fails does not stop the others. What it did not take is counted, and its first error kept; since ids are
deterministic and our publishers are idempotent, running the same input again delivers what was missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from eventdefs.bus import EventBus
from eventdefs.definitions import Definitions
from eventdefs.errors import DeliveryError, PermanentDeliveryError
from eventdefs.metering.ledger import Counts, Ledger
from eventdefs.metering.records import sample_of
from eventdefs.publishers import Publisher
from eventdefs.types import Batch, Conversion, Event, Notification, Period, Sample, Usage


class Sink:
    """A publisher and what became of what it was given.

    Attributes:
        name: for reports.
        published: how many events, samples and periods it took.
        duplicates: how many of them it had already.
        undelivered: how many it did not take.
        error: the first reason for that.
    """

    def __init__(self, publisher: Publisher, name: str = "") -> None:
        self.publisher = publisher
        self.name = name or type(publisher).__name__
        self.published = 0
        self.duplicates = 0
        self.undelivered = 0
        self.error: DeliveryError | None = None

    def publish(self, batch: Batch) -> None:
        """Give *batch* to the publisher; once it has failed, count only: later events must not overtake."""
        if self.error is None:
            try:
                delivered = self.publisher.publish(batch)
            except DeliveryError as error:
                self.error = error
            except Exception as error:  # A third party's code may raise anything; the other sinks go on.
                self.error = PermanentDeliveryError(f"{type(error).__name__}: {error}")
                self.error.__cause__ = error
            else:
                self.published += delivered.published
                self.duplicates += delivered.duplicates
                return
        self.undelivered += len(batch)

    def close(self) -> None:
        try:
            self.publisher.close()
        except DeliveryError as error:
            self.error = self.error or error
        except Exception as error:
            self.error = self.error or PermanentDeliveryError(f"{type(error).__name__}: {error}")


class Pipeline:
    """Converts notifications and delivers what they give. Safe to use from several threads; a context manager.

    Attributes:
        definitions, sinks: what it was made of.
        counts: what the ledger did with periods.
        ledger_error: why the ledger takes no more, None while it does.

    >>> from eventdefs import Pipeline, Sink, decode_notification, open_publisher, parse_definitions
    >>> publisher = open_publisher("memory://")
    >>> with Pipeline(parse_definitions("[]"), [Sink(publisher)]) as pipeline:
    ...     conversion = pipeline.process(decode_notification(
    ...         '{"message_id": "m-1", "event_type": "volume.create.end", "timestamp": "2026-08-01"}'))
    >>> [event.message_id for event in publisher.events]
    ['m-1']
    """

    def __init__(
        self,
        definitions: Definitions,
        sinks: Sequence[Sink],
        *,
        batch_size: int = 1000,
        bus: EventBus | None = None,
        ledger: Ledger | None = None,
        confirm: bool = True,
    ) -> None:
        """Deliver to *sinks* in batches; emit events on *bus*; count periods in *ledger*, which is not closed.

        What the ledger recorded and all sinks have is confirmed to it, unless *confirm* says not to: sinks that only
        show it take it from nobody.
        """
        self.definitions = definitions
        self.sinks = tuple(sinks)
        self.counts = Counts()
        self.ledger_error: DeliveryError | None = None
        self._ledger = ledger
        self._confirm = confirm
        self._sequence = 0
        self._batch_size = batch_size
        self._bus = bus
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._samples: list[Sample] = []
        self._periods: list[Period] = []

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def failed(self) -> bool:
        """Whether no sink takes anything any more, or the ledger does not."""
        if self.ledger_error is not None:
            return True
        return bool(self.sinks) and all(sink.error is not None for sink in self.sinks)

    def process(self, notification: Notification) -> Conversion:
        """Convert *notification*, and deliver what it gives with the next batch."""
        conversion = self.definitions.convert(notification)
        event = conversion.event
        with self._lock:
            if event is not None:
                self._events.append(event)
            if conversion.samples:
                self._samples += conversion.samples
            if conversion.periods:
                self._periods += conversion.periods
            if len(self._events) + len(self._samples) + len(self._periods) >= self._batch_size:
                self._flush()
        if self._bus is not None and event is not None:
            self._bus.emit(event)
        return conversion

    def flush(self) -> None:
        """Deliver what is waiting."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        batch = Batch(self._events, self._samples, self._periods)
        if len(batch):
            self._events, self._samples, self._periods = [], [], []
            if batch.periods:
                self._count(lambda ledger: ledger.add(batch.periods))
            for sink in self.sinks:
                sink.publish(batch)
        self._publish_records()

    def _count(self, work: Callable[[Ledger], Counts]) -> None:
        if self._ledger is not None and self.ledger_error is None:
            try:
                self.counts = self.counts.plus(work(self._ledger))
            except DeliveryError as error:
                self.ledger_error = error

    def _publish_records(self) -> None:
        """Deliver what the ledger recorded; it forgets what every sink has."""
        if self._ledger is None or self.ledger_error is not None or not self.sinks:
            return
        try:
            while not any(sink.error for sink in self.sinks):
                records = self._ledger.pending(after=self._sequence)
                if not records:
                    return
                usage = [sample_of(record) for record in records if isinstance(record, Usage)]
                for sink in self.sinks:
                    sink.publish(Batch(samples=usage, records=records))
                if not any(sink.error for sink in self.sinks):
                    self._sequence = records[-1].sequence
                    if self._confirm:
                        self._ledger.confirm(records)
        except DeliveryError as error:
            self.ledger_error = error

    def finish(self) -> None:
        """Deliver what is waiting, and make the hours final that the ledger has open: nothing more is to come."""
        with self._lock:
            self._flush()
            self._count(lambda ledger: ledger.finish())
            self._publish_records()

    def close(self) -> None:
        """Deliver what is waiting and close the publishers."""
        self.flush()
        for sink in self.sinks:
            sink.close()
