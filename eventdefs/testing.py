"""For tests of publishers, ours and third parties': what every publisher owes, as one suite of pytest.

    class TestMine(PublisherContract):
        @pytest.fixture
        def target(self):
            yield Target("mine://host/place", received=read_what_it_has)

runs the obligations over `mine://`. Each is skipped, with the reason, where the target says that it has no use for it.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from eventdefs.delivery import Delivery, open_delivery
from eventdefs.encode import encode_event, write_json
from eventdefs.errors import DeliveryError, PartialDeliveryError, PublisherURLError, RetryableDeliveryError
from eventdefs.metering.records import sample_of
from eventdefs.publishers import Publisher, open_publisher
from eventdefs.types import (
    Batch,
    Closure,
    Delivered,
    Event,
    Evidence,
    Gap,
    Identity,
    Item,
    Period,
    Record,
    Refusal,
    Refused,
    Sample,
    Usage,
    identity_of,
    kind_of,
)

KINDS = frozenset({"event", "sample", "period", "usage", "gap", "refusal", "closure"})


@dataclass
class Target:
    """A publisher of one kind, and how to see what its target has.

    Attributes:
        url: what opens it, for a target that is empty.
        received: returns what the target has, read back as values, in the order in which it has them.
        kinds: which kinds of items it takes; others are left out in silence.
        once: whether the target keeps each item once; what does not has it as often as it was published.
        ordered: whether `received` gives the items of one resource in the order in which they were published.
        replaces: whether it takes a value instead of what it has, where a batch says `replace`.
        counts_duplicates: whether it tells how many items it had already.
        refused: an item that the target will never accept, None where it accepts everything.
        stop, start: take the server away and bring it back with what it had, None where that cannot be done.
        away: a URL of the publisher at which nobody listens, '' where there is no such thing.
        secret: a URL whose user, password or token is the word `s3cr3t`, '' where it has none.
    """

    url: str
    received: Callable[[], Iterable[Item]]
    kinds: frozenset[str] = KINDS
    once: bool = True
    ordered: bool = True
    replaces: bool = True
    counts_duplicates: bool = True
    refused: Item | None = None
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None
    away: str = ""
    secret: str = ""
    opened: list[Any] = field(default_factory=list)

    def open(self) -> Publisher:
        """Open the publisher; it is closed at the end of the test."""
        publisher = open_publisher(self.url)
        self.opened.append(publisher)
        return publisher

    def delivery(self, options: str, letters: list[Refused] | None = None) -> Delivery:
        """Open the publisher with what stands around it; what it refuses goes to *letters*."""
        joint = "&" if "?" in self.url else "?"
        places = None if letters is None else lambda *_: lambda batch, refused: letters.extend(refused)
        delivery = open_delivery(f"{self.url}{joint}{options}", places)
        self.opened.append(delivery)
        return delivery

    def expected(self, items: Iterable[Item]) -> list[bytes]:
        """Return what of *items* is to be received, each as a line of JSON, sorted."""
        return sorted(written(item) for item in items if kind_of(item) in self.kinds)

    def has(self) -> list[bytes]:
        """Return what is there, each as a line of JSON, sorted."""
        found = [written(item) for item in self.received()]
        return sorted(found if self.once else set(found))


def written(item: Item) -> bytes:
    """Return *item* in a form that is equal for equal items, dates and types included."""
    return encode_event(item) if isinstance(item, Event) else write_json(item)


SENT = datetime(2026, 8, 1, 1, 2, 3, 4, tzinfo=UTC)


def an_event(message_id: str = "m-1", tenant: str | None = "p-1", **traits: Any) -> Event:
    """Return an event of *tenant* with *traits*."""
    return Event(message_id, "volume.create.end", SENT, tenant, "info", "volume.host-1", traits)


def a_sample(id: str = "s-1", **values: Any) -> Sample:
    """Return a sample, with *values* instead of its own."""
    sample = Sample("volume.size", "gauge", "GiB", 4, "v-1", "p-1", "u-1", SENT, {"status": "available"}, id)
    return msgspec.structs.replace(sample, **values)


def a_period(id: str = "c-1", **values: Any) -> Period:
    """Return a period, with *values* instead of its own."""
    begin, end = SENT.replace(hour=0, minute=0), SENT.replace(minute=0)
    period = Period("database.uptime", "h", "db-1", "p-1", "u-1", begin, end, None, SENT, {"flavor": "7"}, "m-1", id)
    return msgspec.structs.replace(period, **values)


_HOUR = datetime(2026, 8, 1, 0, tzinfo=UTC), datetime(2026, 8, 1, 1, tzinfo=UTC)


def a_usage(id: str = "u-1", **values: Any) -> Usage:
    """Return half an hour of usage, with *values* instead of its own."""
    usage = Usage(
        id=id,
        meter="database.uptime",
        unit="h",
        resource_id="db-1",
        project_id="p-1",
        dimensions={"flavor": "7"},
        period_start=_HOUR[0],
        period_end=_HOUR[1],
        timestamp=datetime(2026, 8, 1, 0, 59, 59, 999_000, tzinfo=UTC),
        quantity="0.5",
        delta="0.5",
        seconds="1800",
        revision=1,
        supersedes=None,
        state="final",
        closed_by="coverage",
        reason="",
        evidence=Evidence(2, ("m-1", "m-2"), "d1", "f1"),
        recorded_at=SENT,
        sequence=1,
    )
    return msgspec.structs.replace(usage, **values)


def everything() -> Batch:
    """Return some of every kind of item; the usage and its sample have one id."""
    events = [
        an_event("m-1"),
        an_event("m-2", size=4, name="é", ratio=0.5, whole=2.0, at=datetime(2026, 8, 1, 12, tzinfo=UTC)),
        an_event("m-1", "p-2", resource_id="v-1"),
        an_event("m-3", None, size=-1),
        msgspec.structs.replace(an_event("m-4"), publisher_id=None, raw={"payload": {"a.b": [1, None, {"c": "d"}]}}),
    ]
    samples = [a_sample("s-1"), a_sample("s-2", volume=1.5, project_id=None, user_id=None), sample_of(a_usage("u-1"))]
    periods = [a_period("c-1"), a_period("c-2", dimensions={}, not_before=SENT, status="ending")]
    records: list[Record] = [
        a_usage("u-1"),
        a_usage("u-2", project_id=None, dimensions={}, revision=2, supersedes="u-1", state="corrected", reason="late"),
        Gap("g-1", "database.uptime", "db-1", *_HOUR, "open", SENT, 2),
        Refusal("r-1", "database.uptime", "db-1", "p-1", *_HOUR, "m-1", "too_late", SENT, 3),
        Closure("k-1", "database.uptime", *_HOUR, 1, 1, "0.5", "d2", SENT, 4),
    ]
    return Batch(events, samples, periods, records)


_TEXTS = {
    "empty": "",
    "umlauts": "Zürich · Ελλάδα · 東京 · 🗄️",
    "right to left": "קוד \u202e evil",
    "combining": "e\u0301 and é",
    "controls": "tab\tline\nreturn\rescape\x1b[31m",
    "quotes": "\"double\" 'single' \\back\\ `tick` ${dollar} %percent% ;--",
    "markup": "<script>alert(1)</script>&amp;",
    "like a number": "0012",
    "like a date": "2026-08-01T00:00:00Z",
    "like null": "null",
    "long": "x" * 40_000,
}
_NUMBERS = {
    "zero": 0,
    "negative": -1,
    "beyond a double": 2**53 + 1,
    "largest signed": 2**63 - 1,
    "beyond signed": 2**63,
    "smallest signed": -(2**63),
    "beyond unsigned": 2**64 + 1,
    "huge": 10**30,
    "tiny": 5e-324,
    "largest double": 1.7976931348623157e308,
    "third": 1 / 3,
    "whole": 1e15,
    "negative zero": -0.0,
    "infinite": float("inf"),
}
_TIMES = {
    "first": datetime(1, 1, 1, tzinfo=UTC),
    "epoch": datetime(1970, 1, 1, tzinfo=UTC),
    "before": datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "micros": datetime(2026, 8, 1, 1, 2, 3, 4, tzinfo=UTC),
    "last": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
}


class PublisherContract:
    """What every publisher owes. Override the fixture `target`."""

    @pytest.fixture
    def target(self) -> Iterable[Target]:
        """The publisher that is tested, with an empty target."""
        raise NotImplementedError("override the fixture `target`")

    @pytest.fixture(autouse=True)
    def _closed_at_the_end(self, target: Target) -> Iterable[None]:
        yield
        for publisher in target.opened:
            publisher.close()

    def test_delivers_whole(self, target: Target) -> None:
        """When `publish` returns, every item is there, every value as it was."""
        delivered = target.open().publish(everything())
        assert target.has() == target.expected(everything())
        assert delivered == Delivered(len(target.expected(everything())), 0)

    def test_identities_survive(self, target: Target) -> None:
        """What is there is known by what it was known by: one message_id of two tenants is two events."""
        target.open().publish(everything())
        kept = Counter(identity_of(item) for item in everything() if kind_of(item) in target.kinds)
        assert Counter(identity_of(item) for item in target.received()) == kept

    def test_duplicates_are_harmless(self, target: Target) -> None:
        """A batch that comes again, in this process or the next, adds nothing to a store, and nothing new elsewhere."""
        publisher = target.open()
        publisher.publish(everything())
        again = publisher.publish(everything())
        publisher.close()
        target.open().publish(everything())
        assert target.has() == target.expected(everything())
        if target.counts_duplicates:
            count = len(target.expected(everything()))
            assert again == Delivered(count, count)

    def test_duplicates_in_one_batch(self, target: Target) -> None:
        """An item that is twice in a batch is there once in a store."""
        event = an_event("m-1", size=4)
        delivered = target.open().publish(Batch([event, an_event("m-2"), event]))
        assert target.has() == target.expected([event, an_event("m-2")])
        assert delivered == Delivered(3, 1 if target.counts_duplicates else 0)

    def test_the_first_one_stays(self, target: Target) -> None:
        """Another event of the same identity changes nothing in a store."""
        if not target.once:
            pytest.skip("the target keeps everything")
        publisher = target.open()
        publisher.publish(Batch([an_event("m-1", size=1)]))
        publisher.publish(Batch([an_event("m-1", size=2)]))
        assert target.has() == target.expected([an_event("m-1", size=1)])

    def test_a_replay_may_replace(self, target: Target) -> None:
        """A batch that says so puts its values in the place of those that are there, of the same identity only."""
        if not target.replaces:
            pytest.skip("the target replaces nothing")
        publisher = target.open()
        publisher.publish(everything())
        event, sample = an_event("m-2", size=5), a_sample("s-1", volume=7)
        publisher.publish(Batch([event], [sample], replace=True))
        known: dict[Identity, Item] = {identity_of(item): item for item in everything()}
        known |= {identity_of(item): item for item in (event, sample)}
        assert target.has() == target.expected(known.values())

    def test_an_empty_batch(self, target: Target) -> None:
        """Nothing is delivered of nothing."""
        assert target.open().publish(Batch()) == Delivered(0, 0)

    @pytest.mark.parametrize("name", _TEXTS)
    def test_text(self, name: str, target: Target) -> None:
        """Text survives, whatever is in it, as an id and as a value."""
        text = _TEXTS[name]
        event = an_event("m-" + text[:200], "p-1", text=text, resource_id=text)
        sample = a_sample("s-1", resource_id=text, metadata={"text": text, "deep": {"k": [text]}})
        target.open().publish(Batch([event], [sample]))
        assert target.has() == target.expected([event, sample])

    def test_numbers(self, target: Target) -> None:
        """Numbers survive, their types too: integers of any size, and floats that are whole or not finite."""
        events = [an_event(name, value=number) for name, number in _NUMBERS.items()]
        target.open().publish(Batch(events))
        assert target.has() == target.expected(events)

    def test_times(self, target: Target) -> None:
        """Times survive to the microsecond, from the first year to the last."""
        events = [an_event(name, at=time) for name, time in _TIMES.items()]
        target.open().publish(Batch(events))
        assert target.has() == target.expected(events)

    def test_an_event_of_a_megabyte(self, target: Target) -> None:
        """Size is no fault: an event of 1 MB is delivered, among small ones."""
        large = msgspec.structs.replace(
            an_event("large"), raw={"payload": {f"key {number}": "é" * 250 for number in range(2000)}}
        )
        assert 1_000_000 < len(encode_event(large)) < 1_048_576
        events = [an_event("before"), large, an_event("after")]
        target.open().publish(Batch(events))
        assert target.has() == target.expected(events)

    def test_many_traits(self, target: Target) -> None:
        """An event may have a thousand traits, of every type, with any name."""
        traits: dict[str, Any] = {f"trait {number}.é": number for number in range(1000)}
        event = an_event("m-1", **traits)
        target.open().publish(Batch([event]))
        assert target.has() == target.expected([event])

    def test_clashing_types(self, target: Target) -> None:
        """A trait of one name has another type in the next event; both arrive."""
        values = [1, "one", 1.5, datetime(2026, 8, 1, tzinfo=UTC), 2**70, ""]
        events = [an_event(f"m-{number}", value=value) for number, value in enumerate(values)]
        target.open().publish(Batch(events))
        assert target.has() == target.expected(events)

    def test_order_of_a_resource(self, target: Target) -> None:
        """What is said of one resource is there in the order in which it was published, over batches too."""
        if not target.ordered:
            pytest.skip("the target has no order")
        publisher = target.open()
        events = [an_event(f"m-{number}", resource_id="v-1", number=number) for number in range(50)]
        for first in range(0, 50, 10):
            publisher.publish(Batch(events[first : first + 10]))
        seen = [item.traits["number"] for item in target.received() if isinstance(item, Event)]
        assert seen == list(range(50))

    def test_a_refused_item_is_alone(self, target: Target) -> None:
        """One item that will never be accepted does not keep its neighbours, and is dead-lettered with the reason."""
        if target.refused is None:
            pytest.skip("the target accepts everything")
        letters: list[Refused] = []
        good: Sequence[Event] = [an_event(f"m-{number}") for number in range(8)]
        batch = Batch().part([*good[:5], target.refused, *good[5:]])
        delivered = target.delivery("retry_for=20s", letters).publish(batch)
        assert target.has() == target.expected(good)
        assert [identity_of(one.item) for one in letters] == [identity_of(target.refused)]
        assert all(one.reason for one in letters)
        assert delivered == Delivered(8, 0, 1)

    def test_a_target_that_is_away(self, target: Target) -> None:
        """Nobody there is no fault of the batch: it may be accepted later. `check` says it too."""
        if not target.away:
            pytest.skip("the target cannot be away")
        publisher = open_publisher(target.away)
        target.opened.append(publisher)
        assert str(waits(publisher, Batch([an_event()])))
        with pytest.raises(DeliveryError):
            publisher.check()

    def test_it_comes_back(self, target: Target) -> None:
        """A server that was away is found again by the same publisher; nothing is lost, nothing is twice in a store."""
        if target.stop is None or target.start is None:
            pytest.skip("the target cannot be stopped")
        publisher = target.open()
        publisher.publish(Batch([an_event("before")]))
        target.stop()
        waits(publisher, Batch([an_event("meanwhile")]))
        target.start()
        events = [an_event("before"), an_event("meanwhile"), an_event("after")]
        publisher = target.delivery("retry_for=60s")
        publisher.publish(Batch(events))
        assert target.has() == target.expected(events)

    def test_closing(self, target: Target) -> None:
        """Closing leaves nothing behind, and may be done twice."""
        publisher = target.open()
        publisher.publish(everything())
        publisher.close()
        publisher.close()
        assert target.has() == target.expected(everything())

    def test_closing_what_was_never_used(self, target: Target) -> None:
        """A publisher that was opened and not used can be closed."""
        target.open().close()

    def test_checking(self, target: Target) -> None:
        """`check` finds nothing wrong, and sends nothing."""
        target.open().check()
        assert target.has() == []

    def test_an_unknown_option(self, target: Target) -> None:
        """A slip of the pen is no default: the error names what is known."""
        joint = "&" if "?" in target.url else "?"
        with pytest.raises(PublisherURLError, match=r"unknown option 'no_such_option'.*known are"):
            open_publisher(f"{target.url}{joint}no_such_option=1")

    def test_secrets_are_not_shown(self, target: Target) -> None:
        """No error and no name shows what lets us in."""
        if not target.secret:
            pytest.skip("the URL has no secret")
        publisher = open_publisher(target.secret)
        target.opened.append(publisher)
        said = [repr(publisher), str(vars(publisher).get("name", ""))]
        with pytest.raises(DeliveryError) as caught:
            publisher.publish(Batch([an_event()]))
        error: BaseException | None = caught.value
        said.append(str(error))
        with pytest.raises(PublisherURLError) as wrong:
            open_publisher(target.secret + ("&" if "?" in target.secret else "?") + "no_such_option=1")
        said.append(str(wrong.value))
        assert [text for text in said if "s3cr3t" in text] == []


def waits(publisher: Publisher, batch: Batch) -> RetryableDeliveryError:
    """Publish *batch*, none of which can be accepted now; return why not."""
    with pytest.raises((RetryableDeliveryError, PartialDeliveryError)) as caught:
        publisher.publish(batch)
    error = caught.value
    if isinstance(error, PartialDeliveryError):
        assert (error.delivered, list(error.again), error.refused) == (Delivered(0), list(batch), ())
        assert error.error is not None
        return error.error
    assert isinstance(error, RetryableDeliveryError)
    return error


def free_port() -> int:
    """Return a port of this host on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def escaped(text: str) -> str:
    """Return *text* as it stands in a URL's option or path."""
    return quote(text, safe="")
