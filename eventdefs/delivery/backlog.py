"""A backlog in memory, so that a publisher that is not required holds nobody up.

It is bounded by items and by bytes. What it has no room for is dead-lettered at once, with the reason, and so is what
is left when it is closed and the publisher does not take it in time.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from eventdefs.delivery.cutting import size_of
from eventdefs.delivery.settling import Settling, Undelivered
from eventdefs.errors import DeliveryError, PartialDeliveryError, RetryableDeliveryError
from eventdefs.types import Batch, Delivered, Refused

_log = logging.getLogger(__name__)


class Backlog:
    """A publisher that takes what it is given and delivers it in a thread of its own, in order.

    Attributes:
        tally: what became of it.
    """

    def __init__(
        self,
        publisher: Settling,
        undelivered: Undelivered,
        *,
        items: int,
        bytes: int,
        close_for: float,
        stop: threading.Event,
        wait: Callable[[float], bool],
    ) -> None:
        """Deliver to *publisher*; hold so many *items* and *bytes*; at the end, wait *close_for* seconds for it.

        What is not delivered goes to *undelivered*, which is tried until it succeeds or the end has come: *wait* lets
        seconds go by and tells whether *stop* is set, which is set at the end.
        """
        self.tally = publisher.tally
        self._publisher = publisher
        self._undelivered = undelivered
        self._items = items
        self._bytes = bytes
        self._close_for = close_for
        self._stop = stop
        self._pause = wait
        self._queue: deque[tuple[Batch, int]] = deque()
        self._waiting = 0
        self._size = 0
        self._changed = threading.Condition()
        self._closing = False
        self._failure: DeliveryError | None = None
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many items wait, those included that are being delivered."""
        return self._waiting

    def publish(self, batch: Batch) -> Delivered:
        """Take *batch*, or what there is room for; the rest is dead-lettered.

        Raises:
            PartialDeliveryError: there is no room for some of it, and it cannot be dead-lettered either.
        """
        sizes = [size_of(item) for item in batch]
        with self._changed:
            room = fits = 0
            for size in sizes:
                room += size
                if self._waiting + fits == self._items or self._size + room > self._bytes:
                    break
                fits += 1
            taken = batch if fits == len(batch) else batch.part(list(batch)[:fits])
            if fits:
                self._queue.append((taken, sum(sizes[:fits])))
                self._waiting += fits
                self._size += sum(sizes[:fits])
                self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._deliver, name="backlog", daemon=True)
                self._thread.start()
        if fits == len(batch):
            return Delivered(0)
        reason = f"the backlog is full: {self._waiting:,} items of {self._size:,} bytes wait"
        overflow = [Refused(item, reason) for item in list(batch)[fits:]]
        try:
            return self._dead_letter(batch, overflow)
        except RetryableDeliveryError as error:
            raise PartialDeliveryError(Delivered(0), batch.part(one.item for one in overflow), error) from error

    def _dead_letter(self, batch: Batch, refused: list[Refused]) -> Delivered:
        self._undelivered(batch, refused)
        self.tally.add(Delivered(0, 0, len(refused)))
        self.tally.note(*(one.reason for one in refused))
        return Delivered(0, 0, len(refused))

    def _deliver(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if not self._queue:
                    return
                batch, size = self._queue[0]
            self._settle(batch)
            with self._changed:
                self._queue.popleft()
                self._waiting -= len(batch)
                self._size -= size
                self._changed.notify_all()

    def _settle(self, batch: Batch) -> None:
        """Deliver *batch* or dead-letter it; where neither can be done, at the end only, say so."""
        left, reason = batch, ""
        try:
            self._publisher.publish(batch)
        except PartialDeliveryError as error:
            left, reason = error.again, str(error.error)
        except DeliveryError as error:
            reason = str(error)
        else:
            return
        refused = [Refused(item, reason) for item in left]
        while True:
            try:
                self._dead_letter(batch, refused)
                return
            except RetryableDeliveryError as error:
                _log.error("%d items are neither delivered (%s) nor dead-lettered: %s", len(refused), reason, error)
                if self._pause(1.0):
                    self.tally.miss(len(refused), reason)
                    self._failure = self._failure or error
                    return

    def check(self) -> None:
        self._publisher.check()

    def close(self) -> None:
        """Deliver what waits, for as long as `close_for` says; dead-letter the rest.

        Raises:
            DeliveryError: something is neither delivered nor dead-lettered.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._queue, self._close_for)
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._publisher.close()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
