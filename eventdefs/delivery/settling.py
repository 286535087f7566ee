"""Settles each item that was given: it is delivered, dead-lettered, or said to be undelivered. All is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from eventdefs.errors import PartialDeliveryError, RetryableDeliveryError
from eventdefs.publishers import Publisher
from eventdefs.types import Batch, Delivered, Refused

Undelivered = Callable[[Batch, Sequence[Refused]], None]
"""Keeps what of a batch will not be delivered, durably. Raises RetryableDeliveryError where it cannot."""
PATIENCE = 60.0
"""Seconds that a publisher has at the end to return from what it was given: its own time-outs are shorter."""
STUCK = "the publisher does not return from what it was given"
"""What is said of one that did not in that time."""


class Tally:
    """What became of all that a sink was given. Safe in threads.

    Attributes:
        published: how many items the target has.
        duplicates: how many of them it had already.
        dead_lettered: how many it did not take, which are kept as dead letters.
        undelivered: how many it did not take, which are kept nowhere: the input has to be run again.
        reasons: why, each once, the first ten.
    """

    def __init__(self) -> None:
        self.published = 0
        self.duplicates = 0
        self.dead_lettered = 0
        self.undelivered = 0
        self.reasons: list[str] = []
        self._lock = threading.Lock()

    def add(self, delivered: Delivered) -> None:
        with self._lock:
            self.published += delivered.published
            self.duplicates += delivered.duplicates
            self.dead_lettered += delivered.dead_lettered

    def miss(self, count: int, *reasons: str) -> None:
        """Count what was not delivered and is kept nowhere."""
        with self._lock:
            self.undelivered += count
            self._note(reasons)

    def note(self, *reasons: str) -> None:
        with self._lock:
            self._note(reasons)

    def _note(self, reasons: Sequence[str]) -> None:
        self.reasons += [one for one in dict.fromkeys(reasons) if one not in self.reasons][: 10 - len(self.reasons)]


class Settling:
    """A publisher whose refused items are dead-lettered, where there is a place for that."""

    def __init__(self, publisher: Publisher, tally: Tally, undelivered: Undelivered | None) -> None:
        self._publisher = publisher
        self._undelivered = undelivered
        self.tally = tally

    def publish(self, batch: Batch) -> Delivered:
        """Deliver *batch*.

        Raises:
            RetryableDeliveryError: none of it was accepted.
            PartialDeliveryError: some of it was not; or something was refused and there is no place for dead letters.
        """
        try:
            delivered = self._publisher.publish(batch)
        except PartialDeliveryError as error:
            settled = error.delivered.plus(Delivered(0, 0, self._dead_letter(batch, error)))
            self.tally.add(settled)
            if error.error is None and (self._undelivered is not None or not error.refused):
                return settled
            rest = () if self._undelivered is not None else error.refused
            raise PartialDeliveryError(settled, error.again, error.error, rest) from error
        self.tally.add(delivered)
        return delivered

    def _dead_letter(self, batch: Batch, error: PartialDeliveryError) -> int:
        """Keep what was refused; return how much that is. Where that fails, all that is left waits."""
        if not error.refused:
            return 0
        self.tally.note(*(one.reason for one in error.refused))
        if self._undelivered is None:
            self.tally.miss(len(error.refused))
            return 0
        try:
            self._undelivered(batch, error.refused)
        except RetryableDeliveryError as failure:
            self.tally.add(error.delivered)
            again = batch.part([*(one.item for one in error.refused), *error.again])
            raise PartialDeliveryError(error.delivered, again, failure) from failure
        return len(error.refused)

    def check(self) -> None:
        self._publisher.check()

    def close(self) -> None:
        self._publisher.close()
