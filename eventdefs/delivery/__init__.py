"""What stands around a publisher, so that nothing it is given is lost and nothing holds up what it need not.

A delivery is a publisher made of publishers, each of which adds one thing:

    Spool or Backlog -> Settling -> Retrying -> Cutting -> the publisher of the URL

Cutting keeps batches within limits and finds the item for which a whole batch is refused; Retrying asks again for what
may be accepted later; Settling dead-letters what never will be; a backlog in memory or a spool on disk takes what is
given while the publisher is away. All but the middle three is chosen by options in the URL, beside the publisher's.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec

from eventdefs.delivery.backlog import Backlog
from eventdefs.delivery.cutting import Cutting
from eventdefs.delivery.retrying import Retrying, RetryPolicy
from eventdefs.delivery.settling import Settling, Tally, Undelivered
from eventdefs.errors import PublisherURLError
from eventdefs.publishers import BatchLimits, Publisher, options_of, options_type, publisher_of
from eventdefs.publishers.urls import PublisherURL, parse_url, read_options
from eventdefs.times import parse_duration
from eventdefs.types import Batch, Delivered

if TYPE_CHECKING:
    from eventdefs.delivery.spool import Spool

Positive = Annotated[int, msgspec.Meta(ge=1)]
Wait = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class DeliveryOptions(msgspec.Struct, frozen=True):
    """Options that every publisher's URL may have.

    Attributes:
        required: `true` holds the input up while the publisher is away; `false` gives it a backlog in memory, or a
            spool where `spool` names one, and what that has no room for is dead-lettered.
        retry_for: how long a batch is tried again, as `60s`, or `forever`; by default 60s, and for ever behind a
            backlog. A spool asks until `spool_age` is over; this is how long it holds the input up where it is full.
        retry_first, retry_longest: seconds, the bounds of the growing wait between attempts.
        batch_items, batch_bytes: how large a batch the publisher is given at most, where that is less than its own
            limits.
        batch_age: how long a batch out of the spool waits to be filled, as `1s`.
        backlog, backlog_bytes: how many items and bytes wait in memory where it is not required.
        spool: a folder; what is given is kept there, on the disk, until the publisher has it.
        spool_bytes, spool_age: the bounds of that folder; what is older is dead-lettered.
        dead_letters: where what is not delivered is kept, instead of the place that is for all.
        close_for: how long the end waits for a backlog or spool to be delivered.
    """

    required: bool = True
    retry_for: str = ""
    retry_first: Wait = 0.2
    retry_longest: Wait = 30.0
    batch_items: Positive | None = None
    batch_bytes: Positive | None = None
    batch_age: str = "0s"
    backlog: Positive = 10_000
    backlog_bytes: Positive = 256 * 2**20
    spool: str = ""
    spool_bytes: Positive = 10 * 2**30
    spool_age: str = "30d"
    dead_letters: str = ""
    close_for: str = "30s"


RETRY_FOR = 60.0
"""Seconds that a required publisher is asked again where nobody says otherwise."""
OPTIONS = tuple(field.encode_name for field in msgspec.structs.fields(DeliveryOptions))

Places = Callable[[str, str], Undelivered | None]
"""Gives where a publisher's dead letters go, by its name and the URL of a place, '' for that of all, or None."""


class Delivery:
    """A publisher with all that stands around it.

    Attributes:
        url: the publisher's, as it may be shown.
        required: whether it holds the input up.
        tally: what became of what it was given.
    """

    def __init__(
        self,
        publisher: Publisher,
        tally: Tally,
        url: str,
        required: bool,
        *,
        holds: Backlog | Spool | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Deliver to *publisher*, where *holds* is what of it keeps items; *stop* ends the waits between attempts."""
        self._publisher = publisher
        self._holds = holds
        self._stop = threading.Event() if stop is None else stop
        self.tally = tally
        self.url = url
        self.required = required

    @property
    def waiting(self) -> int:
        """How many items it took over and has not delivered yet: in memory, or on the disk."""
        return 0 if self._holds is None else self._holds.waiting

    @property
    def taken(self) -> int:
        """How many items it took into memory, where they are lost when the process is killed."""
        return self._holds.taken if isinstance(self._holds, Backlog) else 0

    @property
    def settled(self) -> int:
        """How many of these, from the first, are delivered or dead-lettered."""
        return self._holds.settled if isinstance(self._holds, Backlog) else 0

    def hurry(self) -> None:
        """Hold nobody up any more: what is not accepted at once is given up, as where retries are over.

        A backlog and a spool go on until they are closed.
        """
        self._stop.set()

    def publish(self, batch: Batch) -> Delivered:
        """Deliver *batch*, or take it over to be delivered.

        Raises:
            RetryableDeliveryError: none of it was accepted in the time that retries last.
            PartialDeliveryError: some of it was not, or something was refused and there is no place for dead letters.
        """
        return self._publisher.publish(batch)

    def check(self) -> None:
        """Say what would keep the publisher from publishing.

        Raises:
            DeliveryError: what it is.
        """
        self._publisher.check()

    def close(self) -> None:
        """Deliver what waits, as long as `close_for` says, and let go."""
        self._publisher.close()


def split_url(url: str) -> tuple[PublisherURL, DeliveryOptions]:
    """Return *url* without the options that are ours, and these.

    Raises:
        PublisherURLError: the scheme or an option is unknown, or has a value that it does not take.
    """
    parsed = parse_url(url)
    ours = {name: value for name, value in parsed.options.items() if name in OPTIONS}
    theirs = {name: value for name, value in parsed.options.items() if name not in OPTIONS}
    options = read_options(parsed._replace(options=ours), DeliveryOptions)
    for name in ("retry_for", "batch_age", "spool_age", "close_for"):
        _seconds(parsed, name, getattr(options, name))
    return parsed._replace(options=theirs), options


def _seconds(url: PublisherURL, name: str, text: str) -> float:
    if name == "retry_for" and text in ("", "forever"):
        return math.inf
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        forever = ", or forever" if name == "retry_for" else ""
        raise PublisherURLError(f"{url.text}: {name}: {error}{forever}") from None


def check_url(url: str) -> None:
    """Read *url* and all its options, without opening anything.

    Raises:
        PublisherURLError: what is wrong with it.
    """
    parsed, _ = split_url(url)
    options_of(parsed)


def with_format(url: PublisherURL, default_format: str | None) -> PublisherURL:
    """Return *url* with the format that is for all, where it names none and its publisher has that format."""
    if default_format is None or "format" in url.options:
        return url
    formats = {field.encode_name: field.type for field in msgspec.structs.fields(options_type(url))}.get("format")
    if default_format not in getattr(formats, "__args__", ()):
        return url
    return url._replace(options={**url.options, "format": default_format})


def open_delivery(
    url: str,
    places: Places | None = None,
    *,
    retry_for: float | None = None,
    default_format: str | None = None,
) -> Delivery:
    """Open the publisher that *url* names with all that its options ask for.

    *places* gives where dead letters go; without it, what is refused is counted and said only. *retry_for* says how
    long a required publisher is asked again where the URL does not, in seconds. *default_format* is that of a
    publisher with formats whose URL names none.

    Raises:
        PublisherURLError: the scheme, the target or an option is not what it takes, or cannot be opened.
    """
    parsed, options = split_url(url)
    stop = threading.Event()
    if places is None and options.dead_letters:
        raise PublisherURLError(f"{parsed.text}: dead_letters is for a process that keeps dead letters")
    undelivered = None if places is None else places(parsed.text, options.dead_letters)
    direct = options.required and not options.spool
    if not direct and undelivered is None:
        why = "required=false" if not options.required else "spool"
        raise PublisherURLError(f"{parsed.text}: {why} needs a place for dead letters: name one with dead_letters=")
    publisher = publisher_of(with_format(parsed, default_format))
    lasts = asked = _seconds(parsed, "retry_for", options.retry_for)
    if not options.retry_for:
        asked = getattr(publisher, "RETRY_FOR", RETRY_FOR) if retry_for is None else retry_for
    if direct:
        lasts = asked
    if options.spool:
        lasts = min(lasts, 60.0)  # the spool asks again itself, and looks in between at what has become too old
    cutting = Cutting(publisher, limits_of(publisher, BatchLimits(options.batch_items, options.batch_bytes)))
    policy = RetryPolicy(lasts, options.retry_first, options.retry_longest, gives_up_denied=direct)
    settling = Settling(_retrying(cutting, policy, parsed.text, stop.wait), Tally(), undelivered)
    if direct:
        return Delivery(settling, settling.tally, parsed.text, True, stop=stop)
    assert undelivered is not None
    close_for = _seconds(parsed, "close_for", options.close_for)
    if not options.spool:
        backlog = Backlog(
            settling,
            undelivered,
            items=options.backlog,
            bytes=options.backlog_bytes,
            close_for=close_for,
            stop=stop,
            wait=stop.wait,
        )
        return Delivery(backlog, settling.tally, parsed.text, options.required, holds=backlog)
    spool = _spool(parsed, options, settling, undelivered, close_for, stop)
    full = RetryPolicy(asked, options.retry_first, options.retry_longest)
    hurry = threading.Event()
    retrying = _retrying(spool, full, f"the spool of {parsed.text}", hurry.wait)
    return Delivery(retrying, settling.tally, parsed.text, options.required, holds=spool, stop=hurry)


def _retrying(publisher: Publisher, policy: RetryPolicy, name: str, wait: Callable[[float], bool]) -> Retrying:
    return Retrying(publisher, policy, name, clock=time.monotonic, chance=random.random, wait=wait)


def _spool(
    url: PublisherURL,
    options: DeliveryOptions,
    settling: Settling,
    undelivered: Undelivered,
    close_for: float,
    stop: threading.Event,
) -> Spool:
    from eventdefs.delivery.spool import SEGMENT_BYTES, Spool, SpoolFiles

    segment = min(SEGMENT_BYTES, max(1, options.spool_bytes // 4))

    spool = Spool(
        settling,
        SpoolFiles(options.spool, max_bytes=options.spool_bytes, segment_bytes=segment),
        undelivered,
        required=options.required,
        items=options.batch_items or 1000,
        linger=_seconds(url, "batch_age", options.batch_age),
        max_age=_seconds(url, "spool_age", options.spool_age),
        close_for=close_for,
        stop=stop,
        wait=stop.wait,
    )
    spool.start()
    return spool


_NO_LIMITS = BatchLimits()


def limits_of(publisher: Publisher, asked: BatchLimits = _NO_LIMITS) -> BatchLimits:
    """Return the narrower of the publisher's own limits and those *asked* for."""
    own = getattr(publisher, "LIMITS", _NO_LIMITS)
    items = [one for one in (own.items, asked.items) if one is not None]
    room = [one for one in (own.bytes, asked.bytes) if one is not None]
    return BatchLimits(min(items, default=None), min(room, default=None))


__all__ = ["Batch", "Delivered", "Delivery", "DeliveryOptions", "Places", "Undelivered", "check_url", "open_delivery"]
