"""Tries again what may be accepted later, ever more slowly, for a bounded time or for ever.

The wait grows twofold up to a bound, and how much of it is waited is chance, so that many who lost one server do not
all come back at once. What the target asks for is added to it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

from eventdefs.errors import AccessDeniedError, PartialDeliveryError, RetryableDeliveryError
from eventdefs.publishers import Publisher
from eventdefs.types import Batch, Delivered, Refused

_log = logging.getLogger(__name__)


class RetryPolicy(NamedTuple):
    """How a delivery is tried again.

    Attributes:
        lasts: seconds after which it is given up, counted from the first failure or the last progress; `math.inf`
            for never.
        first, longest: seconds; the bounds between which the wait grows.
        gives_up_denied: whether, where it ends, credentials that are refused are given up at once: time does not mend
            them.
    """

    lasts: float = 60.0
    first: float = 0.2
    longest: float = 30.0
    gives_up_denied: bool = True

    def wait(self, attempt: int, error: RetryableDeliveryError, chance: float) -> float:
        """Return how many seconds to wait after the failed *attempt*, counted from 1; *chance* is in [0, 1)."""
        bound = self.longest
        if not isinstance(error, AccessDeniedError):
            bound = min(self.longest, self.first * 2 ** min(attempt - 1, 62))
        return bound * chance + (error.after or 0.0)

    def ends(self, error: RetryableDeliveryError, waited: float) -> bool:
        """Tell whether to give up on *error*, having tried for so many seconds."""
        if self.lasts == math.inf:
            return False
        return (self.gives_up_denied and isinstance(error, AccessDeniedError)) or waited > self.lasts


class Retrying:
    """A publisher that is asked again for what it did not take, in the order in which it was given."""

    def __init__(
        self,
        publisher: Publisher,
        policy: RetryPolicy,
        name: str,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float],
        wait: Callable[[float], bool],
    ) -> None:
        """Deliver to *publisher*, which log lines call *name*.

        *clock* gives seconds, *chance* a number in [0, 1), and *wait* lets so many seconds go by and returns whether
        it was told to stop meanwhile.
        """
        self._publisher = publisher
        self._policy = policy
        self._name = name
        self._clock = clock
        self._chance = chance
        self._wait = wait
        self.retries = 0

    def publish(self, batch: Batch) -> Delivered:
        """Deliver *batch*, trying again as long as the policy says.

        Raises:
            RetryableDeliveryError: nothing of it was accepted in that time.
            PartialDeliveryError: some of it was not, or is refused for ever.
        """
        given = batch
        delivered = Delivered(0)
        refused: list[Refused] = []
        attempt = 0
        began = self._clock()
        while True:
            try:
                delivered = delivered.plus(self._publisher.publish(batch))
            except PartialDeliveryError as error:
                delivered = delivered.plus(error.delivered)
                refused += error.refused
                if error.error is None:
                    break
                if error.delivered.published or error.refused:
                    attempt, began = 0, self._clock()
                batch, reason = error.again, error.error
            except RetryableDeliveryError as error:
                reason = error
            else:
                break
            attempt += 1
            seconds = self._policy.wait(attempt, reason, self._chance())
            if self._policy.ends(reason, self._clock() + seconds - began) or self._stopped(attempt, seconds, reason):
                if not any(delivered) and not refused:
                    raise reason
                raise PartialDeliveryError(delivered, batch, reason, refused) from reason
        if attempt:
            _log.info("%s takes what it is given again, after %d attempts", self._name, attempt + 1)
        if refused:
            raise PartialDeliveryError(delivered, given.part(()), None, refused)
        return delivered

    def _stopped(self, attempt: int, seconds: float, reason: RetryableDeliveryError) -> bool:
        """Wait; tell whether we were told to stop. Said are the first failure and ever fewer after it."""
        denied = isinstance(reason, AccessDeniedError)
        if denied or attempt & (attempt - 1) == 0:
            level = logging.ERROR if denied else logging.WARNING
            said = str(reason).removeprefix(f"{self._name}: ")
            _log.log(level, "%s: %s; attempt %d follows in %.1f s", self._name, said, attempt + 1, seconds)
        self.retries += 1
        return self._wait(seconds)

    def check(self) -> None:
        self._publisher.check()

    def close(self) -> None:
        self._publisher.close()
