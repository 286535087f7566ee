"""What stands around a publisher: nothing is lost, nothing overtakes, and who waits how long is known."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest

from eventdefs import (
    AccessDeniedError,
    Batch,
    Delivered,
    PartialDeliveryError,
    PermanentDeliveryError,
    Refused,
    RetryableDeliveryError,
)
from eventdefs.delivery.cutting import Cutting, size_of
from eventdefs.delivery.retrying import Retrying, RetryPolicy
from eventdefs.delivery.settling import Settling, Tally
from eventdefs.publishers import BatchLimits
from eventdefs.types import identity_of
from tests.making import event, period, sample, usage


def ids(items: Any) -> list[str]:
    return [identity_of(item)[-1] for item in items]


class Target:
    """A publisher that answers as it is told to, and remembers what it was asked and what it has."""

    def __init__(self, *answers: Exception | None, refuses: tuple[str, ...] = (), has: tuple[str, ...] = ()) -> None:
        self._answers = list(answers)
        self._refuses = set(refuses)
        self.asked: list[list[str]] = []
        self.has: list[str] = list(has)

    def publish(self, batch: Batch) -> Delivered:
        self.asked.append(ids(batch))
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, PartialDeliveryError):
            kept = [*answer.again, *(one.item for one in answer.refused)]
            self.has += [one for one in ids(batch) if one not in ids(kept)]
        if answer is not None:
            raise answer
        if self._refuses & set(ids(batch)):
            raise PermanentDeliveryError("too large")
        already = [one for one in ids(batch) if one in self.has]
        self.has += [one for one in ids(batch) if one not in self.has]
        return Delivered(len(batch), len(already))

    def check(self) -> None:
        raise RetryableDeliveryError("checked")

    def close(self) -> None:
        self.asked.append(["closed"])


def events(count: int) -> list[Any]:
    return [event(f"m-{number}") for number in range(count)]


# --- cutting ---------------------------------------------------------------------------------------------------------

SIZE = size_of(event("m-0"))
CUTS = {
    "no limits": (BatchLimits(), [5]),
    "as many as there are": (BatchLimits(items=5), [5]),
    "items": (BatchLimits(items=2), [2, 2, 1]),
    "bytes": (BatchLimits(bytes=2 * SIZE), [2, 2, 1]),
    "a byte less": (BatchLimits(bytes=2 * SIZE - 1), [1, 1, 1, 1, 1]),
    "more than an item": (BatchLimits(bytes=1), [1, 1, 1, 1, 1]),
    "both, items first": (BatchLimits(items=1, bytes=3 * SIZE), [1, 1, 1, 1, 1]),
    "both, bytes first": (BatchLimits(items=4, bytes=3 * SIZE), [3, 2]),
}


@pytest.mark.parametrize(("limits", "sizes"), CUTS.values(), ids=CUTS)
def test_batches_within_limits(limits: BatchLimits, sizes: list[int]) -> None:
    """Pieces are as large as the limits let them be, in order; an item that is larger goes alone."""
    target = Target()
    assert Cutting(target, limits).publish(Batch(events(5))) == Delivered(5)
    assert [len(asked) for asked in target.asked] == sizes
    assert target.has == ids(events(5))


def test_all_kinds_are_cut() -> None:
    """Events, samples, periods and records follow one another, and what a batch says of itself stays with it."""
    seen: list[tuple[list[str], bool, int]] = []

    class Seeing(Target):
        def publish(self, batch: Batch) -> Delivered:
            seen.append((ids(batch), batch.replace, len(batch.origins)))
            return super().publish(batch)

    origins: Any = {("event", "p-1", "m-0"): None}
    batch = Batch(events(1), [sample()], [period()], [usage("u-1")], origins=origins, replace=True)
    Cutting(Seeing(), BatchLimits(items=3)).publish(batch)
    assert seen == [(["m-0", "s-1", "c-1"], True, 1), (["u-1"], True, 1)]


REFUSED = {
    "none": ((), 5),
    "one in the middle": (("m-2",), 5),
    "the first": (("m-0",), 5),
    "the last": (("m-4",), 5),
    "two": (("m-1", "m-3"), 5),
    "all": (tuple(f"m-{number}" for number in range(5)), 5),
    "one of many": (("m-77",), 100),
    "the only one": (("m-0",), 1),
}


@pytest.mark.parametrize(("refused", "count"), REFUSED.values(), ids=REFUSED)
def test_refused_items_are_found(refused: tuple[str, ...], count: int) -> None:
    """Of a batch that is refused whole, all but the items at fault are delivered, each once, in order."""
    target = Target(refuses=refused)
    good = [one for one in ids(events(count)) if one not in refused]
    try:
        delivered, found = Cutting(target, BatchLimits()).publish(Batch(events(count))), []
    except PartialDeliveryError as error:
        delivered, found = error.delivered, [(identity_of(one.item)[-1], one.reason) for one in error.refused]
    assert (target.has, delivered) == (good, Delivered(len(good)))
    assert found == [(one, "too large") for one in refused]


def test_what_cannot_be_written_is_one_item() -> None:
    """A number too long for any text harms no other, where bytes are counted too."""
    target = Target()
    batch = Batch([event("m-0"), event("m-1", size=10**5000), event("m-2")])
    assert Cutting(target, BatchLimits(bytes=SIZE)).publish(batch) == Delivered(3)
    assert target.asked == [["m-0", "m-1"], ["m-2"]]


def test_finding_one_of_many_is_quick() -> None:
    """It takes twice the logarithm of the batch."""
    target = Target(refuses=("m-700",))
    with pytest.raises(PartialDeliveryError):
        Cutting(target, BatchLimits()).publish(Batch(events(1024)))
    assert len(target.asked) == 21


def test_what_follows_waits() -> None:
    """Where a piece fails for now, it and all behind it come again, and nothing overtakes."""
    target = Target(None, RetryableDeliveryError("away"))
    with pytest.raises(PartialDeliveryError) as caught:
        Cutting(target, BatchLimits(items=2)).publish(Batch(events(5)))
    assert (caught.value.delivered, ids(caught.value.again)) == (Delivered(2), ["m-2", "m-3", "m-4"])
    assert (str(caught.value.error), target.asked) == ("away", [["m-0", "m-1"], ["m-2", "m-3"]])


def test_nothing_accepted_is_no_partial_success() -> None:
    """The error of the first piece is that of the batch."""
    error = AccessDeniedError("401")
    with pytest.raises(AccessDeniedError) as caught:
        Cutting(Target(error), BatchLimits(items=2)).publish(Batch(events(5)))
    assert caught.value is error


def test_partial_answers_are_added_up() -> None:
    """What each piece took, refused and left for later is one answer."""
    batch = Batch(events(6))
    first = PartialDeliveryError(Delivered(1, 1), batch.part([]), None, [Refused(batch.events[1], "bad")])
    second = PartialDeliveryError(Delivered(1), batch.part([batch.events[3]]), RetryableDeliveryError("busy"))
    with pytest.raises(PartialDeliveryError) as caught:
        Cutting(Target(first, second), BatchLimits(items=2)).publish(batch)
    error = caught.value
    assert (error.delivered, ids(error.again), str(error.error)) == (Delivered(2, 1), ["m-3", "m-4", "m-5"], "busy")
    assert error.refused == (Refused(batch.events[1], "bad"),)
    assert str(error) == "2 delivered, 3 not yet, 1 refused: busy; bad"


# --- retrying --------------------------------------------------------------------------------------------------------


class Time:
    """A clock that only waiting moves, and what was waited."""

    def __init__(self, stops_after: int | None = None) -> None:
        self.now = 1000.0
        self.waited: list[float] = []
        self._stops_after = stops_after

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.now += seconds
        return self._stops_after is not None and len(self.waited) > self._stops_after


def retrying(target: Target, policy: RetryPolicy, time: Time, chance: float = 1.0) -> Retrying:
    return Retrying(target, policy, "there", clock=time.clock, chance=lambda: chance, wait=time.wait)


def away(count: int, **more: Any) -> list[Exception]:
    return [RetryableDeliveryError("away", **more) for _ in range(count)]


def test_it_is_tried_again_ever_more_slowly() -> None:
    """Waits grow twofold up to the bound, and the batch is delivered when the target is back."""
    time, target = Time(), Target(*away(6))
    policy = RetryPolicy(math.inf, first=1.0, longest=10.0)
    assert retrying(target, policy, time).publish(Batch(events(1))) == Delivered(1)
    assert (time.waited, len(target.asked)) == ([1.0, 2.0, 4.0, 8.0, 10.0, 10.0], 7)


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.999])
def test_how_long_is_chance(chance: float) -> None:
    """Of the bound, a part by chance is waited, none too: so that not all come back at once."""
    time = Time()
    policy = RetryPolicy(math.inf, first=1.0, longest=10.0)
    retrying(Target(*away(3)), policy, time, chance).publish(Batch(events(1)))
    assert time.waited == [1.0 * chance, 2.0 * chance, 4.0 * chance]


def test_what_the_target_asks_for_is_waited() -> None:
    """Retry-After is added to the wait, so that it is never less."""
    time = Time()
    policy = RetryPolicy(math.inf, first=1.0, longest=10.0)
    retrying(Target(*away(2, after=30.0)), policy, time).publish(Batch(events(1)))
    assert time.waited == [31.0, 32.0]


def test_a_wait_for_ever_stays_bounded() -> None:
    """After any number of attempts the wait is the longest, and no number overflows."""
    policy = RetryPolicy(math.inf, first=1.0, longest=10.0)
    assert [policy.wait(number, RetryableDeliveryError(""), 1.0) for number in (5, 100, 10_000)] == [10.0] * 3


def test_it_is_given_up() -> None:
    """A bounded delivery ends before it would wait beyond its time, with the last error."""
    time, target = Time(), Target(*away(100))
    with pytest.raises(RetryableDeliveryError, match=r"^away$"):
        retrying(target, RetryPolicy(20.0, first=1.0, longest=8.0), time).publish(Batch(events(1)))
    assert time.waited == [1.0, 2.0, 4.0, 8.0]


def test_credentials_are_not_mended_by_time() -> None:
    """A bounded delivery gives up at once where it is not let in; one for ever waits the longest, and shouts."""
    time = Time()
    with pytest.raises(AccessDeniedError):
        retrying(Target(AccessDeniedError("401")), RetryPolicy(60.0), time).publish(Batch(events(1)))
    assert time.waited == []
    forever = retrying(Target(*[AccessDeniedError("401")] * 3), RetryPolicy(math.inf, 1.0, 10.0), time)
    assert forever.publish(Batch(events(1))) == Delivered(1)
    assert time.waited == [10.0] * 3


def test_only_what_is_left_is_tried_again() -> None:
    """Of a partial answer the rest comes again; progress gives it its time anew; the answer says all of it."""
    batch = Batch(events(4))
    partial = [
        PartialDeliveryError(Delivered(2, 1), batch.part(batch.events[2:]), RetryableDeliveryError("busy")),
        PartialDeliveryError(Delivered(1), batch.part(batch.events[3:]), RetryableDeliveryError("busy")),
    ]
    time, target = Time(), Target(*partial)
    delivered = retrying(target, RetryPolicy(1.5, first=1.0, longest=8.0), time).publish(batch)
    assert (delivered, time.waited) == (Delivered(4, 1), [1.0, 1.0])
    assert target.asked == [["m-0", "m-1", "m-2", "m-3"], ["m-2", "m-3"], ["m-3"]]


def test_given_up_after_some_of_it() -> None:
    """What was taken and what was refused before it was given up is not forgotten."""
    batch = Batch(events(3))
    partial = PartialDeliveryError(
        Delivered(1), batch.part(batch.events[2:]), RetryableDeliveryError("busy"), [Refused(batch.events[1], "bad")]
    )
    with pytest.raises(PartialDeliveryError) as caught:
        retrying(Target(partial, *away(100)), RetryPolicy(3.0, first=1.0), Time()).publish(batch)
    error = caught.value
    assert (error.delivered, ids(error.again), str(error.error)) == (Delivered(1), ["m-2"], "away")
    assert ids(one.item for one in error.refused) == ["m-1"]


def test_told_to_stop() -> None:
    """A delivery for ever ends when it is told to, with what is left."""
    time, target = Time(stops_after=2), Target(*away(100))
    with pytest.raises(RetryableDeliveryError):
        retrying(target, RetryPolicy(math.inf), time).publish(Batch(events(1)))
    assert len(target.asked) == 3


def test_what_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """The first failure is said, then ever fewer, and the end of it; who is not let in hears it every time."""
    caplog.set_level(logging.INFO)
    retrying(Target(*away(9)), RetryPolicy(math.inf, 1.0, 1.0), Time()).publish(Batch(events(1)))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        *[("WARNING", f"there: away; attempt {number} follows in 1.0 s") for number in (2, 3, 5, 9)],
        ("INFO", "there takes what it is given again, after 10 attempts"),
    ]
    caplog.clear()
    retrying(Target(*[AccessDeniedError("401")] * 3), RetryPolicy(math.inf), Time()).publish(Batch(events(1)))
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3 + ["INFO"]


# --- settling --------------------------------------------------------------------------------------------------------


def refusing(*refused: str) -> Cutting:
    return Cutting(Target(refuses=refused), BatchLimits())


def test_refused_items_are_dead_lettered() -> None:
    """Each with its reason and the batch that has its origin; then it is settled, and counted."""
    kept: list[tuple[Batch, list[Refused]]] = []
    tally, batch = Tally(), Batch(events(3))
    settling = Settling(refusing("m-1"), tally, lambda given, refused: kept.append((given, list(refused))))
    assert settling.publish(batch) == Delivered(2, 0, 1)
    assert kept == [(batch, [Refused(batch.events[1], "too large")])]
    assert (tally.published, tally.dead_lettered, tally.undelivered, tally.reasons) == (2, 1, 0, ["too large"])


def test_without_a_place_for_dead_letters() -> None:
    """What is refused is counted as undelivered, and said."""
    tally = Tally()
    with pytest.raises(PartialDeliveryError) as caught:
        Settling(refusing("m-1"), tally, None).publish(Batch(events(3)))
    assert (ids(one.item for one in caught.value.refused), caught.value.error) == (["m-1"], None)
    assert (tally.published, tally.dead_lettered, tally.undelivered) == (2, 0, 1)


def test_a_place_that_is_full() -> None:
    """What can be kept nowhere is not settled: it comes again, with all that was left."""

    def full(batch: Batch, refused: Any) -> None:
        raise RetryableDeliveryError("no space")

    tally = Tally()
    with pytest.raises(PartialDeliveryError) as caught:
        Settling(refusing("m-1"), tally, full).publish(Batch(events(3)))
    assert (ids(caught.value.again), str(caught.value.error)) == (["m-1"], "no space")
    assert (tally.published, tally.dead_lettered, tally.undelivered) == (2, 0, 0)


def test_what_failed_for_now_is_left() -> None:
    """It is neither refused nor settled."""
    tally = Tally()
    with pytest.raises(RetryableDeliveryError):
        Settling(Target(*away(1)), tally, None).publish(Batch(events(3)))
    assert (tally.published, tally.undelivered) == (0, 0)


def test_checking_and_closing_reach_the_publisher() -> None:
    """Whatever stands around it."""
    target = Target()
    time = Time()
    inner = Retrying(
        Cutting(target, BatchLimits()), RetryPolicy(), "", clock=time.clock, chance=time.clock, wait=time.wait
    )
    around = Settling(inner, Tally(), None)
    with pytest.raises(RetryableDeliveryError, match="checked"):
        around.check()
    around.close()
    assert target.asked == [["closed"]]
