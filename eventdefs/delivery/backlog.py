"""A backlog in memory, so that a publisher that is not required holds nobody up.

It is bounded by items and by bytes. What it has no room for is dead-lettered at once, with the reason, and so is what
is left when it is closed and the publisher does not take it in time. What it holds is lost when the process is killed,
so it says how much of what it took is settled.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from itertools import islice

from eventdefs.delivery.cutting import size_of
from eventdefs.delivery.settling import PATIENCE, STUCK, Settling, Undelivered
from eventdefs.encode import UNWRITABLE, write_json
from eventdefs.errors import DeliveryError, PartialDeliveryError, RetryableDeliveryError
from eventdefs.types import Batch, Delivered, Item, Notification, Refused, identity_of

_log = logging.getLogger(__name__)

ENDED = "the process ended before it was delivered"
"""Why what waited at the end is dead-lettered."""


class Backlog:
    """A publisher that takes what it is given and delivers it in a thread of its own, in order.

    Attributes:
        tally: what became of it.
        taken: how many items it took.
        settled: how many of them, from the first, are delivered or dead-lettered.
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
        patience: float = PATIENCE,
    ) -> None:
        """Deliver to *publisher*; hold so many *items* and *bytes*; at the end, wait *close_for* seconds for it.

        The bytes are those of items and of the notifications that they came from. What is not delivered goes to
        *undelivered*, which is tried until it succeeds or the end has come: *wait* lets seconds go by and tells whether
        *stop* is set, which is set at the end. A publisher that does not return within *patience* seconds after that is
        left alone, and what it has is dead-lettered.
        """
        self.tally = publisher.tally
        self.taken = self.settled = 0
        self._publisher = publisher
        self._undelivered = undelivered
        self._items = items
        self._bytes = bytes
        self._close_for = close_for
        self._stop = stop
        self._pause = wait
        self._patience = patience
        self._given_up = False
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
            RetryableDeliveryError: it is closed.
            PartialDeliveryError: there is no room for some of it, and it cannot be dead-lettered either.
        """
        sizes = _sizes(batch)
        with self._changed:
            if self._closing:
                raise RetryableDeliveryError("the backlog is closed")
            room = fits = 0
            for size in sizes:
                room += size
                if self._waiting + fits == self._items or self._size + room > self._bytes:
                    break
                fits += 1
            if fits:
                self._queue.append((_alone(batch, fits), sum(sizes[:fits])))
                self._waiting += fits
                self.taken += fits
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
            left, reason = self._publish(batch)
            with self._changed:
                if self._given_up:  # all that waited, this too, has been dead-lettered meanwhile
                    return
            self._bury(batch, left, reason)
            with self._changed:
                self._queue.popleft()
                self._take_off(batch, size)
                self._changed.notify_all()

    def _take_off(self, batch: Batch, size: int) -> None:
        self._waiting -= len(batch)
        self._size -= size
        if self._failure is None:  # what could not be kept, and what came after it, is never said to be settled
            self.settled += len(batch)

    def _publish(self, batch: Batch) -> tuple[Batch, str]:
        """Deliver *batch*; return what of it is to be dead-lettered, and why. At the end nothing is begun any more."""
        if self._stop.is_set():
            return batch, ENDED
        try:
            self._publisher.publish(batch)
        except PartialDeliveryError as error:
            return error.again, str(error.error)
        except DeliveryError as error:
            return batch, str(error)
        except BaseException as error:  # whatever it is, it is not to end this thread, and what waits with it
            return batch, f"{type(error).__name__}: {error}"
        return batch.part(()), ""

    def _bury(self, batch: Batch, left: Batch, reason: str) -> None:
        """Dead-letter what is *left* of *batch*; where that cannot be done, at the end only, say so."""
        refused = [Refused(item, reason) for item in left]
        while refused:
            try:
                self._dead_letter(batch, refused)
                return
            except Exception as error:
                said = f"{error}" if isinstance(error, DeliveryError) else f"{type(error).__name__}: {error}"
                _log.error("%d items are neither delivered (%s) nor dead-lettered: %s", len(refused), reason, said)
                if self._pause(1.0):
                    self.tally.miss(len(refused), reason)
                    self._failure = self._failure or RetryableDeliveryError(said)
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
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._queue, self._close_for)
        finally:  # who does not wait for it, as by Ctrl-C, loses nothing
            self._stop.set()
            ended = self._ends()
        try:
            if ended:
                self._publisher.close()
        finally:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure

    def _ends(self) -> bool:
        """Wait for the thread; tell whether it ended. Where its publisher does not return, dead-letter what waits."""
        thread = self._thread
        while thread is not None and thread.is_alive():
            before = len(self._queue)
            thread.join(self._patience)
            if thread.is_alive() and len(self._queue) == before:
                break
        else:
            return True
        with self._changed:
            self._given_up = True
            left, self._queue = self._queue, deque()
        for batch, size in left:
            self._bury(batch, batch, ENDED)
            self._take_off(batch, size)
        self._failure = self._failure or RetryableDeliveryError(STUCK)
        return False


def _sizes(batch: Batch) -> list[int]:
    """Return what each item of *batch* takes, with the notification that it came from, which counts once."""
    sizes = []
    seen: set[int] = set()
    for item in batch:
        size = size_of(item)
        origin = batch.origins.get(identity_of(item)) if batch.origins else None
        if origin is not None and id(origin) not in seen:
            seen.add(id(origin))
            size += _length(origin)
        sizes.append(size)
    return sizes


def _length(origin: Notification) -> int:
    try:
        return len(write_json(origin.body))
    except UNWRITABLE:
        return 0


def _alone(batch: Batch, count: int) -> Batch:
    """Return the first *count* items of *batch* with what they came from, and nothing that others came from."""
    items: list[Item] = list(islice(batch, count))
    origins = {identity: batch.origins[identity] for identity in map(identity_of, items) if identity in batch.origins}
    return Batch(origins=origins, replace=batch.replace).part(items)
