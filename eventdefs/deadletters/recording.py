"""Keeps what a process could not publish: notifications as they are converted, items as publishers refuse them.

A place makes each addition durable, which takes longer than a conversion. So letters about notifications wait for one
another, for a second at most; what a publisher refused is durable when it is said to be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from eventdefs.deadletters import open_dead_letters
from eventdefs.deadletters.letters import DeadLetter, letter_of_bytes, letter_of_conversion, letter_of_item
from eventdefs.deadletters.places import DeadLetterPlace
from eventdefs.delivery import Undelivered
from eventdefs.errors import DecodeError, PublisherURLError, RetryableDeliveryError
from eventdefs.types import Batch, Conversion, Notification, Place, Refused, identity_of

MOST = 500
"""How many letters wait at most."""
AGE = 1.0
"""Seconds that a letter waits at most."""


class DeadLetters:
    """The dead letters of a process. Safe to use from several threads.

    Attributes:
        kept: whether there is a place for what could not be read.
    """

    def __init__(
        self,
        url: str | None,
        definitions: str = "",
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        most: int = MOST,
        age: float | None = AGE,
    ) -> None:
        """Keep letters in the place that *url* names, None for nowhere, with the fingerprint of the *definitions*.

        So many letters wait at most, and not longer than *age* seconds; None is until `flush` or `close`.

        Raises:
            PublisherURLError, RetryableDeliveryError: as `open_dead_letters`.
        """
        self._definitions = definitions
        self._clock = clock
        self._most = most
        self._age = age
        self._lock = threading.RLock()
        self._places: dict[str, DeadLetterPlace] = {}
        self._place = None if url is None else self._open(url)
        self._waiting: list[DeadLetter] = []
        self._timer: threading.Timer | None = None
        self._failure: RetryableDeliveryError | None = None

    @property
    def kept(self) -> bool:
        return self._place is not None

    def _open(self, url: str) -> DeadLetterPlace:
        with self._lock:
            if url not in self._places:
                self._places[url] = open_dead_letters(url)
            return self._places[url]

    # --- notifications -----------------------------------------------------------------------------------------------

    def keep(self, place: Place, notification: Notification, conversion: Conversion) -> None:
        """Keep *notification*, which stood at *place*, since *conversion* has problems.

        Raises:
            RetryableDeliveryError: it, or one before it, cannot be kept.
        """
        if self._place is not None:
            self._wait(letter_of_conversion(place, notification, conversion, self._clock(), self._definitions))

    def keep_undecodable(self, place: Place, error: DecodeError) -> None:
        """Keep what stood at *place* and is no notification; raises as `keep`."""
        if self._place is not None:
            self._wait(letter_of_bytes(place, error, self._clock(), self._definitions))

    def _wait(self, letter: DeadLetter) -> None:
        with self._lock:
            self._waiting.append(letter)
            if len(self._waiting) >= self._most or self._failure is not None:
                self.flush()
            elif self._timer is None and self._age is not None:
                self._timer = threading.Timer(self._age, self._flush_later)
                self._timer.daemon = True
                self._timer.start()

    def _flush_later(self) -> None:
        try:
            self.flush()
        except RetryableDeliveryError as error:
            self._failure = error  # what waits still does; whoever adds to it is told

    def flush(self) -> None:
        """Make durable what waits; raises as `keep`."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._waiting and self._place is not None:
                self._place.add(self._waiting)
                self._waiting = []
            self._failure = None

    # --- items -------------------------------------------------------------------------------------------------------

    def undelivered(self, publisher: str, url: str) -> Undelivered:
        """Return what keeps the items that *publisher* does not take, in the place of *url*, '' for that of all.

        Raises:
            PublisherURLError: no place is named for all; and as `open_dead_letters`.
        """
        place = self._open(url) if url else self._place
        if place is None:
            raise PublisherURLError(f"{publisher}: there is no place for dead letters")

        def keep(batch: Batch, refused: Sequence[Refused]) -> None:
            when = self._clock()
            letters = [
                letter_of_item(publisher, one, batch.origins.get(identity_of(one.item)), when, self._definitions)
                for one in refused
            ]
            with self._lock:
                try:
                    place.add(letters)
                except RetryableDeliveryError:
                    raise
                except Exception as error:  # whoever refused it answers the one error, and nothing is lost by it
                    raise RetryableDeliveryError(
                        f"dead letters {place.name}: {type(error).__name__}: {error}"
                    ) from error

        return keep

    def close(self) -> None:
        """Make durable what waits, and let go; raises as `keep`."""
        try:
            self.flush()
        finally:
            for place in self._places.values():
                place.close()
