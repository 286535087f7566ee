"""The in-process bus: events to whoever asked for them, in the thread that emits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from eventdefs.definitions.patterns import Pattern, PatternIndex, parse_pattern
from eventdefs.types import Event

Callback = Callable[[Event], None]

_log = logging.getLogger(__name__)


class Subscription:
    """What `EventBus.subscribe` gives; `close` ends it. A context manager.

    Attributes:
        failures: how many times the callback raised.
    """

    def __init__(self, bus: EventBus, pattern: Pattern, callback: Callback, tenant: str | None) -> None:
        self._bus = bus
        self._index = PatternIndex([pattern])
        self._callback = callback
        self._tenant = tenant
        self.failures = 0

    def close(self) -> None:
        """End the subscription; an event that is being emitted may still arrive."""
        self._bus._remove(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _take(self, event: Event) -> bool:
        if self._tenant is not None and event.tenant != self._tenant:
            return False
        if self._index.last(event.event_type) is None:
            return False
        try:
            self._callback(event)
        except Exception:  # A subscriber's failure is its own: the others still get the event.
            self.failures += 1
            _log.exception("a subscriber failed on %s (%s)", event.event_type, event.message_id)
        return True


class EventBus:
    """Hands each emitted event to all subscribers whose pattern and tenant fit. Safe to use from several threads.

    >>> from eventdefs import EventBus, decode_notification, parse_definitions
    >>> bus, seen = EventBus(), []
    >>> subscription = bus.subscribe("volume.*", lambda event: seen.append(event.event_type))
    >>> event = parse_definitions("[]").convert(decode_notification({"message_id": "m", "timestamp": "2026-08-01",
    ...     "event_type": "volume.create.end"})).event
    >>> bus.emit(event)
    1
    >>> seen
    ['volume.create.end']
    """

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._lock = threading.Lock()

    def subscribe(self, *globs_and_callback: str | Callback, tenant: str | None = None) -> Subscription:
        """Call the last argument for every event whose type the globs before it match (`!` excludes).

        With *tenant*, only for events of that tenant.
        """
        *globs, callback = globs_and_callback or ("",)
        texts = [glob for glob in globs if isinstance(glob, str)]
        if not callable(callback) or len(texts) != len(globs) or not texts:
            raise TypeError("subscribe takes one or more globs and then a function")
        subscription = Subscription(self, parse_pattern(texts), callback, tenant)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def _remove(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(one for one in self._subscriptions if one is not subscription)

    def emit(self, event: Event) -> int:
        """Give *event* to its subscribers, one after the other; return how many there were."""
        return sum(subscription._take(event) for subscription in self._subscriptions)
