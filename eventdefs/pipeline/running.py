"""From notifications to publishers: converted, counted, gathered in batches, delivered to every sink.

A sink that fails does not stop the others. What it did not take is dead-lettered, or counted and the reason kept; since
ids are deterministic and our publishers are idempotent, running the same input again delivers what was missing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from eventdefs.bus import EventBus
from eventdefs.definitions import Definitions
from eventdefs.delivery import Delivery, limits_of
from eventdefs.delivery.cutting import Cutting
from eventdefs.delivery.settling import Settling, Tally
from eventdefs.errors import DeliveryError, PartialDeliveryError, PermanentDeliveryError
from eventdefs.metering.ledger import Counts, Ledger
from eventdefs.metering.records import sample_of
from eventdefs.pipeline.routes import Route
from eventdefs.publishers import Publisher
from eventdefs.types import (
    Batch,
    Conversion,
    Event,
    Identity,
    Notification,
    Period,
    Sample,
    Usage,
    identity_of,
)


class Sink:
    """A publisher, what goes to it, and what became of that.

    Attributes:
        name: for reports.
        tally: what became of what it was given.
        error: why it is given nothing more, None while it is.
    """

    def __init__(self, publisher: Publisher | Delivery, name: str = "", route: Route | None = None) -> None:
        """Deliver to *publisher* what goes the way of *route*, or all.

        What is given as a publisher only is asked once: it is `open_delivery` that adds retries and dead letters.
        """
        if isinstance(publisher, Delivery):
            self._delivery = publisher
        else:
            settling = Settling(Cutting(publisher, limits_of(publisher)), Tally(), None)
            self._delivery = Delivery(settling, settling.tally, type(publisher).__name__, True)
        self.name = name or self._delivery.url
        self.tally = self._delivery.tally
        self.error: DeliveryError | None = None
        self._route = route

    @property
    def published(self) -> int:
        """How many events, samples, periods and records it took."""
        return self.tally.published

    @property
    def duplicates(self) -> int:
        """How many of them it had already."""
        return self.tally.duplicates

    @property
    def dead_lettered(self) -> int:
        """How many it refused, which are kept as dead letters."""
        return self.tally.dead_lettered

    @property
    def undelivered(self) -> int:
        """How many it did not take, which are kept nowhere."""
        return self.tally.undelivered

    @property
    def waiting(self) -> int:
        """How many items wait in its backlog or spool."""
        return self._delivery.waiting

    @property
    def taken(self) -> int:
        """How many items it took into memory, where they are lost when the process is killed."""
        return self._delivery.taken

    @property
    def settled(self) -> int:
        """How many of these, from the first, are delivered or dead-lettered."""
        return self._delivery.settled

    def publish(self, batch: Batch) -> bool:
        """Deliver what of *batch* goes this way; tell whether all of that is delivered, taken or dead-lettered.

        Once it has failed for longer than it is tried again, what follows is counted only: it must not overtake.
        """
        if self._route is not None:
            batch = self._route.part_of(batch)
        if not len(batch):
            return True
        if self.error is not None:
            self.tally.miss(len(batch))
            return False
        try:
            self._delivery.publish(batch)
        except PartialDeliveryError as error:
            if error.error is not None:
                self._stop(error.error, len(error.again))
            return False
        except DeliveryError as error:
            self._stop(error, len(batch))
            return False
        except Exception as error:  # a mistake, ours or a third party's; the other sinks are given the batch
            self._stop(PermanentDeliveryError(f"{type(error).__name__}: {error}"), len(batch))
            return False
        return True

    def hurry(self) -> None:
        """Hold nobody up any more: what is not accepted at once is given up."""
        self._delivery.hurry()

    def _stop(self, error: DeliveryError, missed: int) -> None:
        self.error = error
        self.tally.miss(missed, str(error))

    def close(self) -> None:
        try:
            self._delivery.close()
        except DeliveryError as error:
            self.error = self.error or error
        except Exception as error:  # A third party's code may raise anything; the other sinks are closed.
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
        batch_age: float | None = None,
        bus: EventBus | None = None,
        ledger: Ledger | None = None,
        confirm: bool = True,
    ) -> None:
        """Deliver to *sinks* in batches; emit events on *bus*; count periods in *ledger*, which is not closed.

        A batch is delivered when *batch_size* items wait, and once every *batch_age* seconds where that is given.

        What the ledger recorded and all sinks have is confirmed to it, unless *confirm* says not to: sinks that only
        show it take it from nobody. What waits in the memory of a sink is not had yet.

        Left by Ctrl-C or the end of the process, it waits for no sink that is away.
        """
        self.definitions = definitions
        self.sinks = tuple(sinks)
        self.counts = Counts()
        self.ledger_error: DeliveryError | None = None
        self._ledger = ledger
        self._confirm = confirm
        self._sequence = self._confirmed = 0
        self._awaited: tuple[int, list[int]] | None = None
        """A sequence that is confirmed when each sink has settled so many items."""
        self._batch_size = batch_size
        self._bus = bus
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._samples: list[Sample] = []
        self._periods: list[Period] = []
        self._origins: dict[Identity, Notification] = {}
        self._steps: deque[Callable[[], object]] = deque()
        """What is to be done with batches, in order: who is interrupted in a step begins with it again."""
        self._mistake: Exception | None = None
        self._closing = threading.Event()
        self._records_refused = False
        if batch_age is not None:
            threading.Thread(target=self._flush_every, args=(batch_age,), name="flush", daemon=True).start()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            for sink in self.sinks:
                sink.hurry()
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
                self._origins[identity_of(event)] = notification
            for sample in conversion.samples:
                self._samples.append(sample)
                self._origins[identity_of(sample)] = notification
            for period in conversion.periods:
                self._periods.append(period)
                self._origins[identity_of(period)] = notification
            if len(self._events) + len(self._samples) + len(self._periods) >= self._batch_size:
                self._flush()
        if self._bus is not None and event is not None:
            self._bus.emit(event)
        return conversion

    def flush(self) -> None:
        """Deliver what is waiting."""
        with self._lock:
            self._flush()

    def _flush_every(self, seconds: float) -> None:
        while not self._closing.wait(seconds):
            try:
                self.flush()
            except Exception as error:  # whoever comes next is told, this thread has nobody to tell
                self._mistake = error
                return

    def _flush(self) -> None:
        batch = Batch(self._events, self._samples, self._periods, origins=self._origins)
        if len(batch):
            self._events, self._samples, self._periods, self._origins = [], [], [], {}
            if batch.periods:
                self._steps.append(partial(self._count, lambda ledger: ledger.add(batch.periods)))
            self._steps += [partial(sink.publish, batch) for sink in self.sinks]
        if self._mistake is not None:
            raise self._mistake
        while self._steps:
            self._steps[0]()
            self._steps.popleft()
        self._publish_records()

    def _count(self, work: Callable[[Ledger], Counts]) -> None:
        if self._ledger is not None and self.ledger_error is None:
            try:
                self.counts = self.counts.plus(work(self._ledger))
            except DeliveryError as error:
                self.ledger_error = error

    def _publish_records(self) -> None:
        """Deliver what the ledger recorded; it forgets what every sink has."""
        if self._ledger is None or self.ledger_error is not None or not self.sinks or self._records_refused:
            return
        try:
            while not any(sink.error for sink in self.sinks):
                self._confirm_settled()
                records = self._ledger.pending(after=self._sequence)
                if not records:
                    return
                usage = [sample_of(record) for record in records if isinstance(record, Usage)]
                taken = [sink.publish(Batch(samples=usage, records=records)) for sink in self.sinks]
                if not all(taken):
                    self._records_refused = True
                    return
                before, self._sequence = self._sequence, records[-1].sequence
                if (
                    self._confirm
                    and self._confirmed == before
                    and self._is_settled([sink.taken for sink in self.sinks])
                ):
                    self._ledger.confirm(records)
                    self._confirmed = self._sequence
        except DeliveryError as error:
            self.ledger_error = error

    def _is_settled(self, taken: Sequence[int]) -> bool:
        return all(sink.settled >= count for sink, count in zip(self.sinks, taken, strict=True))

    def _confirm_settled(self) -> None:
        """Let the ledger forget what was published, as far as every sink has delivered what it took into memory."""
        if self._ledger is None or not self._confirm:
            return
        if self._awaited is None and self._confirmed < self._sequence:
            self._awaited = self._sequence, [sink.taken for sink in self.sinks]
        if self._awaited is None or not self._is_settled(self._awaited[1]):
            return
        sequence, self._awaited = self._awaited[0], None
        while records := [record for record in self._ledger.pending() if record.sequence <= sequence]:
            self._ledger.confirm(records)
        self._confirmed = sequence

    def finish(self) -> None:
        """Deliver what is waiting, and make the hours final that the ledger has open: nothing more is to come."""
        with self._lock:
            self._flush()
            self._count(lambda ledger: ledger.finish())
            self._publish_records()

    def close(self) -> None:
        """Deliver what is waiting and close the publishers."""
        self._closing.set()
        with ExitStack() as stack:  # whatever fails, all are closed
            for sink in reversed(self.sinks):
                stack.callback(sink.close)
            self.flush()
        if self.ledger_error is None:
            try:
                for _ in range(2):  # as far as it was awaited, and as far as there is
                    self._confirm_settled()
            except DeliveryError as error:
                self.ledger_error = error
