"""A backlog in memory, and how deliveries are opened: nobody is held up, nothing is dropped in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from eventdefs import (
    Batch,
    Delivered,
    PartialDeliveryError,
    PermanentDeliveryError,
    PublisherURLError,
    Refused,
    RetryableDeliveryError,
    open_delivery,
)
from eventdefs.delivery import OPTIONS, check_url
from eventdefs.delivery.backlog import Backlog
from eventdefs.delivery.cutting import Cutting, size_of
from eventdefs.delivery.settling import Settling, Tally
from eventdefs.publishers import _BUILTIN, BatchLimits, _find
from eventdefs.types import identity_of
from tests.making import event, sample

WAIT = 20.0
"""Seconds after which a thread is said to hang."""


def ids(items: Any) -> list[str]:
    return [identity_of(item)[-1] for item in items]


class Gate:
    """A publisher that takes a batch when the test lets it, and what of it was dead-lettered."""

    def __init__(self) -> None:
        self.opened = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)
        self.has: list[str] = []
        self.letters: list[tuple[str, str]] = []
        self.answers: list[Exception | None] = []
        self.full: list[Exception] = []
        self.closed = 0

    def publish(self, batch: Batch) -> Delivered:
        self.asked.release()
        assert self.opened.acquire(timeout=WAIT)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.has += ids(batch)
        return Delivered(len(batch))

    def dead_letter(self, batch: Batch, refused: Sequence[Refused]) -> None:
        if self.full:
            raise self.full.pop(0)
        self.letters += [(identity_of(one.item)[-1], one.reason) for one in refused]

    def check(self) -> None:
        raise PermanentDeliveryError("checked")

    def close(self) -> None:
        self.closed += 1


def backlog(
    gate: Gate,
    *,
    items: int = 4,
    bytes: int = 10_000,
    close_for: float = WAIT,
    wait: Callable[[float], bool] | None = None,
) -> Backlog:
    stop = threading.Event()
    settling = Settling(Cutting(gate, BatchLimits()), Tally(), gate.dead_letter)
    return Backlog(
        settling,
        gate.dead_letter,
        items=items,
        bytes=bytes,
        close_for=close_for,
        stop=stop,
        wait=wait or (lambda seconds: stop.is_set()),
    )


def events(first: int, last: int) -> Batch:
    return Batch([event(f"m-{number}") for number in range(first, last)])


def counts(tally: Tally) -> tuple[int, int, int]:
    return tally.published, tally.dead_lettered, tally.undelivered


def test_nobody_waits_for_it() -> None:
    """What is given is taken at once, and delivered in order when the target takes it."""
    gate = Gate()
    queue = backlog(gate)
    assert [queue.publish(events(0, 2)), queue.publish(events(2, 4))] == [Delivered(0)] * 2
    assert (gate.has, queue.waiting) == ([], 4)
    gate.opened.release(2)
    queue.close()
    assert (gate.has, gate.letters, counts(queue.tally)) == (["m-0", "m-1", "m-2", "m-3"], [], (4, 0, 0))
    assert (queue.waiting, gate.closed) == (0, 1)


def test_what_there_is_no_room_for_is_dead_lettered() -> None:
    """It is full with so many items, those that are being delivered included; what fits of a batch is taken."""
    gate = Gate()
    queue = backlog(gate, items=3)
    queue.publish(events(0, 2))
    assert gate.asked.acquire(timeout=WAIT)
    assert queue.publish(events(2, 5)) == Delivered(0, 0, 2)
    reason = f"the backlog is full: 3 items of {3 * size_of(event('m-0')):,} bytes wait"
    assert gate.letters == [("m-3", reason), ("m-4", reason)]
    gate.opened.release(2)
    queue.close()
    assert (gate.has, counts(queue.tally)) == (["m-0", "m-1", "m-2"], (3, 2, 0))


def test_bytes_are_bounded_too() -> None:
    """Large items fill it as many small ones do."""
    gate = Gate()
    queue = backlog(gate, items=1000, bytes=2 * size_of(event("m-0")))
    assert queue.publish(events(0, 4)) == Delivered(0, 0, 2)
    gate.opened.release(1)
    queue.close()
    assert gate.has == ["m-0", "m-1"]


def test_no_room_and_no_place() -> None:
    """What can be kept nowhere is given back."""
    gate = Gate()
    gate.full = [RetryableDeliveryError("no space")]
    queue = backlog(gate, items=1)
    with pytest.raises(PartialDeliveryError) as caught:
        queue.publish(events(0, 3))
    assert (ids(caught.value.again), str(caught.value.error)) == (["m-1", "m-2"], "no space")
    gate.opened.release(1)
    queue.close()


def test_what_is_given_up_is_dead_lettered() -> None:
    """What the publisher did not take in its time is kept with the reason; what comes later is delivered."""
    gate = Gate()
    gate.answers = [RetryableDeliveryError("away")]
    queue = backlog(gate)
    queue.publish(events(0, 2))
    queue.publish(events(2, 3))
    gate.opened.release(2)
    queue.close()
    assert (gate.letters, gate.has) == ([("m-0", "away"), ("m-1", "away")], ["m-2"])
    assert counts(queue.tally) == (1, 2, 0)


def test_only_what_is_left_is_dead_lettered() -> None:
    """Of a partial answer, what was taken is not a letter too."""
    gate, batch = Gate(), events(0, 3)
    gate.answers = [PartialDeliveryError(Delivered(2), batch.part(batch.events[2:]), RetryableDeliveryError("busy"))]
    queue = backlog(gate)
    queue.publish(batch)
    gate.opened.release(1)
    queue.close()
    assert (gate.letters, counts(queue.tally)) == ([("m-2", "busy")], (2, 1, 0))


def test_a_place_that_comes_back() -> None:
    """Dead letters that cannot be written are held until they can be."""
    gate = Gate()
    gate.answers, gate.full = [RetryableDeliveryError("away")], [RetryableDeliveryError("no space")] * 2
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    queue = backlog(gate, wait=wait)
    queue.publish(events(0, 1))
    gate.opened.release(1)
    queue.close()
    assert (gate.letters, waited, counts(queue.tally)) == ([("m-0", "away")], [1.0, 1.0], (0, 1, 0))


def test_the_end_does_not_wait_for_ever() -> None:
    """What is left when the time is over is dead-lettered, and what neither can be is said, and counted."""
    gate = Gate()
    queue = backlog(gate, close_for=0.0)
    gate.answers = [RetryableDeliveryError("told to stop")]
    queue.publish(events(0, 2))
    assert gate.asked.acquire(timeout=WAIT)
    threading.Timer(0.05, gate.opened.release).start()
    queue.close()
    assert gate.letters == [("m-0", "told to stop"), ("m-1", "told to stop")]
    gate = Gate()
    gate.answers, gate.full = [RetryableDeliveryError("away")], [RetryableDeliveryError("no space")]
    queue = backlog(gate, wait=lambda seconds: True)
    queue.publish(events(0, 2))
    gate.opened.release(1)
    with pytest.raises(RetryableDeliveryError, match="no space"):
        queue.close()
    assert counts(queue.tally) == (0, 0, 2)
    queue.close()


def test_closing_what_was_never_used() -> None:
    """There is no thread to wait for."""
    gate = Gate()
    backlog(gate).close()
    assert gate.closed == 1


def test_checking_reaches_the_publisher() -> None:
    """A backlog has nothing that could be wrong."""
    with pytest.raises(PermanentDeliveryError, match="checked"):
        backlog(Gate()).check()


# --- opening ---------------------------------------------------------------------------------------------------------


def places(letters: list[str]) -> Any:
    return lambda name, url: lambda batch, refused: letters.extend(f"{name} {url} {one}" for one in ids(refused))


BAD = {
    "an unknown option": ("memory://?requierd=false", "memory://: unknown option 'requierd', known are none"),
    "no truth value": ("memory://?required=maybe", "memory://: Expected `bool`, got `str` - at `$.required`"),
    "no time": (
        "memory://?retry_for=soon",
        "memory://: retry_for: 'soon' is no time, as 90s, 15min, 1h or 35d, or forever",
    ),
    "no end": ("memory://?close_for=forever", "memory://: close_for: 'forever' is no time, as 90s, 15min, 1h or 35d"),
    "no room": ("memory://?backlog=0", "memory://: Expected `int` >= 1 - at `$.backlog`"),
    "no place": (
        "memory://?required=false",
        "memory://: required=false needs a place for dead letters: name one with dead_letters=",
    ),
    "no place behind a spool": (
        "memory://?spool=spool",
        "memory://: spool needs a place for dead letters: name one with dead_letters=",
    ),
}


@pytest.mark.parametrize(("url", "message"), BAD.values(), ids=BAD)
def test_bad_options(url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is said before anything is opened."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PublisherURLError) as caught:
        open_delivery(url)
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_no_publisher_has_an_option_of_the_delivery() -> None:
    """So that an option means one thing."""
    both = {scheme: set(_find(scheme).Options.__struct_encode_fields__) & set(OPTIONS) for scheme in _BUILTIN}
    assert both == {scheme: set() for scheme in _BUILTIN}


def test_options_of_both_are_told_apart(tmp_path: Path) -> None:
    """The publisher is given its own options only, and its secrets are not shown."""
    check_url("stdout://?format=table&retry_for=forever&batch_items=10")
    delivery = open_delivery(f"file://{tmp_path}/f?duplicates=keep&retry_for=1h&batch_bytes=100")
    assert (delivery.url, delivery.required) == (f"file://{tmp_path}/f", True)
    for _ in range(2):
        delivery.publish(events(0, 3))
    delivery.close()
    assert len((tmp_path / "f").read_text().splitlines()) == 6


def test_the_default_format(tmp_path: Path) -> None:
    """It is that of publishers whose URL names none, and that know it."""
    for name, options in (("a", ""), ("b", "?format=native")):
        delivery = open_delivery(f"file://{tmp_path}/{name}{options}", default_format="ceilometer")
        delivery.publish(Batch([], [sample()]))
        delivery.close()
    begins = [(tmp_path / name).read_bytes()[:9] for name in "ab"]
    assert begins == [b'{"id":"s-', b'{"kind":"']
    open_delivery("memory://", default_format="ceilometer").close()
    open_delivery("stdout://", default_format="nothing").close()


def test_not_required_and_behind_a_spool(tmp_path: Path) -> None:
    """Both deliver everything before they close, and name their place for dead letters."""
    letters: list[str] = []
    for options in ("required=false&dead_letters=x", f"spool={tmp_path}/spool&required=false", f"spool={tmp_path}/s2"):
        delivery = open_delivery(f"file://{tmp_path}/out.jsonl?duplicates=keep&{options}", places(letters))
        delivery.publish(events(0, 3))
        delivery.close()
        assert (delivery.tally.published, delivery.required) == (3, options.startswith("spool=") and "s2" in options)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 9
    assert letters == []
