"""Cuts a batch to what its publisher takes, and finds the item for which a whole batch is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from eventdefs.encode import UNWRITABLE, encode_event, write_json
from eventdefs.errors import (
    PartialDeliveryError,
    PermanentDeliveryError,
    ReaderGoneError,
    RetryableDeliveryError,
)
from eventdefs.publishers import BatchLimits, Publisher
from eventdefs.types import Batch, Delivered, Event, Item, Refused


class Cutting:
    """A publisher that is given batches within its limits; what it refuses whole is halved until it is one item.

    Pieces follow one another. Where one fails for now, what comes after it waits too, so that nothing is overtaken.
    """

    def __init__(self, publisher: Publisher, limits: BatchLimits) -> None:
        self._publisher = publisher
        self._limits = limits

    def publish(self, batch: Batch) -> Delivered:
        """Deliver *batch* piece by piece.

        Raises:
            RetryableDeliveryError: none of it was accepted.
            PartialDeliveryError: some of it was not, with all that waits behind it, and what was refused.
            ReaderGoneError: nobody wants it.
        """
        waiting = deque(self._pieces(batch))
        delivered = Delivered(0)
        refused: list[Refused] = []
        while waiting:
            piece = waiting.popleft()
            try:
                delivered = delivered.plus(self._publish(piece))
            except ReaderGoneError:
                raise
            except PermanentDeliveryError as error:
                if len(piece) == 1:
                    refused.append(Refused(next(iter(piece)), str(error)))
                else:
                    waiting.extendleft(reversed(_halves(piece)))
            except RetryableDeliveryError as error:
                if not any(delivered) and not refused:
                    raise
                raise _partial(batch, delivered, [piece, *waiting], error, refused) from error
            except PartialDeliveryError as error:
                delivered = delivered.plus(error.delivered)
                refused += error.refused
                if len(error.again):
                    reason = error.error or RetryableDeliveryError("some of it was not accepted, and nobody says why")
                    raise _partial(batch, delivered, [error.again, *waiting], reason, refused) from error
        if refused:
            raise PartialDeliveryError(delivered, batch.part(()), None, refused)
        return delivered

    def _publish(self, piece: Batch) -> Delivered:
        try:
            delivered = self._publisher.publish(piece)
        except (RetryableDeliveryError, PermanentDeliveryError, PartialDeliveryError):
            raise
        except Exception as error:  # A third party's code may raise anything; then one item is at fault, or all are.
            raise PermanentDeliveryError(f"{type(error).__name__}: {error}") from error
        if not isinstance(delivered, Delivered):  # nor return what it should; none of it is given to it again
            reason = f"{type(self._publisher).__name__}.publish returned {delivered!r}, expected Delivered"
            raise PartialDeliveryError(Delivered(0), piece.part(()), None, [Refused(item, reason) for item in piece])
        return delivered

    def _pieces(self, batch: Batch) -> Iterator[Batch]:
        most, room = self._limits
        if room is None and (most is None or len(batch) <= most):
            yield batch
            return
        items: list[Item] = []
        size = 0
        for item in batch:
            length = 0 if room is None else size_of(item)
            if items and (len(items) == most or (room is not None and size + length > room)):
                yield batch.part(items)
                items, size = [], 0
            items.append(item)
            size += length
        if len(items) == len(batch):
            yield batch
        elif items:
            yield batch.part(items)

    def check(self) -> None:
        self._publisher.check()

    def close(self) -> None:
        self._publisher.close()


def size_of(item: Item) -> int:
    """Return how many bytes *item* takes as a line of JSON; none where it cannot be written, as its publisher says."""
    try:
        return len(encode_event(item) if isinstance(item, Event) else write_json(item)) + 1
    except UNWRITABLE:
        return 0


def _halves(batch: Batch) -> list[Batch]:
    items = list(batch)
    middle = len(items) // 2
    return [batch.part(items[:middle]), batch.part(items[middle:])]


def _partial(
    batch: Batch, delivered: Delivered, waiting: list[Batch], error: RetryableDeliveryError, refused: list[Refused]
) -> PartialDeliveryError:
    again = batch.part(item for piece in waiting for item in piece)
    return PartialDeliveryError(delivered, again, error, refused)
