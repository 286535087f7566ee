"""Publishers send batches out of the process. What is published is values; a publisher does not know definitions.

A publisher is opened by URL. Third parties add theirs as entry points of the namespace `eventdefs.publishers`, where
ours stand too; the name of the entry point is the scheme of the URL.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple, Protocol

import msgspec

from eventdefs.errors import PublisherURLError
from eventdefs.publishers.urls import PublisherURL, parse_url, read_options
from eventdefs.thirdparty import registered
from eventdefs.types import Batch, Delivered

NAMESPACE = "eventdefs.publishers"

_BUILTIN = {
    "elasticsearch": "eventdefs.publishers.elasticsearch.elastic:ElasticsearchPublisher",
    "file": "eventdefs.publishers.file:FilePublisher",
    "http": "eventdefs.publishers.http:HTTPPublisher",
    "https": "eventdefs.publishers.http:HTTPPublisher",
    "kafka": "eventdefs.publishers.kafka:KafkaPublisher",
    "memory": "eventdefs.publishers.memory:MemoryPublisher",
    "mysql": "eventdefs.publishers.sql.publisher:ServerPublisher",
    "notifier": "eventdefs.publishers.notifier:NotifierPublisher",
    "opensearch": "eventdefs.publishers.elasticsearch.opensearch:OpenSearchPublisher",
    "postgresql": "eventdefs.publishers.sql.publisher:ServerPublisher",
    "sqlite": "eventdefs.publishers.sql.publisher:SQLitePublisher",
    "stdout": "eventdefs.publishers.stdout:StdoutPublisher",
    "tcp": "eventdefs.publishers.frames:TCPPublisher",
    "udp": "eventdefs.publishers.frames:UDPPublisher",
}

CEILOMETERS = ("direct", "database", "dispatcher", "gnocchi", "opentelemetryhttp", "prometheus", "rpc", "zaqar")
"""Publishers that Ceilometer has or had and we have not, where nobody registered one."""


class BatchLimits(NamedTuple):
    """How large a batch a publisher is given at most: so many items, and so many bytes of JSON; None for no bound."""

    items: int | None = None
    bytes: int | None = None


class Publisher(Protocol):
    """What delivers batches. It is called by one thread at a time.

    A target across a network is not waited for when a publisher is made: it is reached when the first batch is
    published, and again whenever it was away.
    """

    def publish(self, batch: Batch) -> Delivered:
        """Deliver *batch* whole, and return only when the target has it, durably.

        Raises:
            RetryableDeliveryError: the same batch may be accepted later.
            PermanentDeliveryError: it never will.
            PartialDeliveryError: some of it was accepted; it says what was not, item by item.
        """

    def check(self) -> None:
        """See whether a batch would be accepted; send none.

        Raises:
            DeliveryError: what is wrong, in words of the target.
        """

    def close(self) -> None:
        """Deliver what waits, and let go."""


class PublisherClass(Protocol):
    """What is registered under a scheme: makes publishers of a URL and of options of its type `Options`.

    A publisher that was made works: what is wrong with the URL is said before anything is opened. It may say its
    `LIMITS`, of type `BatchLimits`.
    """

    Options: type[msgspec.Struct]

    def __call__(self, url: PublisherURL, options: Any) -> Publisher: ...


def open_publisher(url: str) -> Publisher:
    """Open the publisher that *url* names, for example ``sqlite:///events.db``.

    Raises:
        PublisherURLError: the scheme, the target or an option is not what the publisher takes, or cannot be opened.
    """
    return publisher_of(parse_url(url))


def publisher_of(url: PublisherURL) -> Publisher:
    """Open the publisher of *url*; raises as `open_publisher`."""
    return _find(url.scheme)(url, options_of(url))


def options_of(url: PublisherURL) -> Any:
    """Return the options of *url* without opening anything; raises as `open_publisher`."""
    return read_options(url, options_type(url))


def options_type(url: PublisherURL) -> type[msgspec.Struct]:
    """Return what declares the options of the publisher of *url*; raises as `open_publisher`."""
    return _find(url.scheme).Options


def _find(scheme: str) -> PublisherClass:
    if scheme in _BUILTIN:
        module, _, name = _BUILTIN[scheme].partition(":")
        found: PublisherClass = getattr(importlib.import_module(module), name)
        return found
    others = registered(NAMESPACE, frozenset(_BUILTIN))
    if scheme not in others.loaded:
        known = ", ".join(sorted({*_BUILTIN, *others.loaded}))
        if scheme in CEILOMETERS:
            raise PublisherURLError(f"Ceilometer's publisher {scheme}:// is not among ours, known are {known}")
        raise PublisherURLError(others.why(scheme) or f"no publisher for {scheme}://, known are {known}")
    theirs: PublisherClass = others.loaded[scheme]
    return theirs


__all__ = ["Batch", "BatchLimits", "Delivered", "Publisher", "PublisherClass", "PublisherURL", "open_publisher"]
