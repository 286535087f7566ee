"""Publishers that do what no publisher should: nothing is lost for it, nothing hangs, and it is said."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from eventdefs import (
    AccessDeniedError,
    Batch,
    Delivered,
    DeliveryError,
    Notification,
    PartialDeliveryError,
    PublisherURLError,
    Refused,
    RetryableDeliveryError,
)
from eventdefs.deadletters.letters import letter_of_item, read_letter, write_letter
from eventdefs.deadletters.recording import DeadLetters
from eventdefs.delivery import open_delivery, split_url
from eventdefs.delivery.backlog import Backlog
from eventdefs.delivery.cutting import Cutting, size_of
from eventdefs.delivery.retrying import Retrying, RetryPolicy
from eventdefs.delivery.settling import Settling, Tally
from eventdefs.delivery.spool import Spool, SpoolFiles
from eventdefs.publishers import BatchLimits
from eventdefs.types import identity_of
from tests.making import event, notification, sample

WAIT = 20.0
"""Seconds after which a thread is said to hang."""


class Odd:
    """Answers each batch with what it is told to: a value, or an exception that it raises."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.given: list[list[str]] = []

    def publish(self, batch: Batch) -> Any:
        self.given.append(ids(batch))
        answer = self.answers.pop(0) if self.answers else Delivered(len(batch))
        if isinstance(answer, BaseException):
            raise answer
        return answer(batch) if callable(answer) else answer

    def check(self) -> None: ...

    def close(self) -> None: ...


class Letters:
    """Keeps what is dead-lettered, and why."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.kept: list[tuple[str, str]] = []

    def __call__(self, batch: Batch, refused: Sequence[Refused]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.kept += [(identity_of(one.item)[-1], one.reason) for one in refused]


def ids(items: Any) -> list[str]:
    return [identity_of(item)[-1] for item in items]


def events(first: int, last: int) -> Batch:
    return Batch([event(f"m-{number}") for number in range(first, last)])


def partial_without_error(batch: Batch) -> Delivered:
    raise PartialDeliveryError(Delivered(1), batch.part(list(batch)[1:]), None)


def partial_of_nothing(batch: Batch) -> Delivered:
    raise PartialDeliveryError(Delivered(len(batch)), batch.part(()), RetryableDeliveryError("odd"))


# --- what it gives back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, True, 2, (2, 0, 0), "ok"])
def test_an_answer_that_is_none(answer: Any) -> None:
    """Whoever forgets to say what was delivered is not asked for every item again: all of it is refused, once."""
    odd, letters = Odd(answer), Letters()
    settling = Settling(Cutting(odd, BatchLimits()), Tally(), letters)
    assert settling.publish(events(0, 2)) == Delivered(0, 0, 2)
    reason = f"Odd.publish returned {answer!r}, expected Delivered"
    assert (odd.given, letters.kept) == ([["m-0", "m-1"]], [("m-0", reason), ("m-1", reason)])


def test_what_is_left_without_a_reason_is_published_again() -> None:
    """A partial answer that names no error loses nothing."""
    odd = Odd(partial_without_error)
    retrying = Retrying(
        Cutting(odd, BatchLimits()), RetryPolicy(), "odd", clock=lambda: 0.0, chance=lambda: 0.0, wait=lambda _: False
    )
    assert retrying.publish(events(0, 3)) == Delivered(3)
    assert odd.given == [["m-0", "m-1", "m-2"], ["m-1", "m-2"]]


def test_nothing_left_is_not_published_again() -> None:
    """An error beside which nothing is left is none."""
    odd = Odd(partial_of_nothing)
    assert Cutting(odd, BatchLimits(items=2)).publish(events(0, 3)) == Delivered(3)
    assert odd.given == [["m-0", "m-1"], ["m-2"]]


@pytest.mark.parametrize("error", [DeliveryError("no"), PublisherURLError("no"), RuntimeError("no")])
def test_any_other_error_is_about_one_item_or_all(error: Exception) -> None:
    """What says neither that trying again helps nor that it does not is looked for item by item."""
    odd, letters = Odd(error), Letters()
    assert Settling(Cutting(odd, BatchLimits()), Tally(), letters).publish(events(0, 2)) == Delivered(2)
    assert (odd.given, letters.kept) == ([["m-0", "m-1"], ["m-0"], ["m-1"]], [])


# --- in a thread of its own ------------------------------------------------------------------------------------------


def backlog(publisher: Any, letters: Letters, **options: Any) -> Backlog:
    stop = threading.Event()
    settling = Settling(Cutting(publisher, BatchLimits()), Tally(), letters)
    options = {"items": 100, "bytes": 100_000, "close_for": WAIT, **options}
    return Backlog(settling, letters, stop=stop, wait=lambda _: stop.is_set(), **options)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(3)])
def test_nothing_ends_the_thread_of_a_backlog(error: BaseException) -> None:
    """What was being delivered is dead-lettered, what comes after it is delivered."""
    odd, letters = Odd(error), Letters()
    queue = backlog(odd, letters)
    queue.publish(events(0, 1))
    queue.publish(events(1, 2))
    queue.close()
    assert (letters.kept, odd.given) == ([("m-0", f"{type(error).__name__}: {error}")], [["m-0"], ["m-1"]])
    assert (queue.tally.published, queue.tally.dead_lettered, queue.waiting) == (1, 1, 0)


def test_dead_letters_that_fail_in_any_way_are_not_lost_in_silence() -> None:
    """What can be kept nowhere is counted and said when the backlog is closed."""
    odd, letters = Odd(RetryableDeliveryError("away")), Letters(KeyError("a mistake"))
    queue = backlog(odd, letters, close_for=0.0)
    queue._pause = lambda _: True
    queue.publish(events(0, 1))
    with pytest.raises(RetryableDeliveryError, match="KeyError: 'a mistake'"):
        queue.close()
    assert (queue.tally.undelivered, letters.kept) == (1, [])


def hang(opened: threading.Event, asked: threading.Event) -> Callable[[Batch], Delivered]:
    def publish(batch: Batch) -> Delivered:
        asked.set()
        assert opened.wait(WAIT)
        return Delivered(len(batch))

    return publish


def test_a_publisher_that_hangs_holds_up_no_end() -> None:
    """A backlog that is closed dead-letters what waits, and what hangs too: nobody knows what becomes of it."""
    opened, asked = threading.Event(), threading.Event()
    letters = Letters()
    queue = backlog(Odd(hang(opened, asked)), letters, close_for=0.0, patience=0.0)
    queue.publish(events(0, 1))
    queue.publish(events(1, 2))
    assert asked.wait(WAIT)
    with pytest.raises(RetryableDeliveryError, match="does not return"):
        queue.close()
    reason = "the process ended before it was delivered"
    assert letters.kept == [("m-0", reason), ("m-1", reason)]
    opened.set()
    assert queue._thread is not None
    queue._thread.join(WAIT)
    assert (queue._thread.is_alive(), letters.kept) == (False, [("m-0", reason), ("m-1", reason)])


def test_the_end_asks_nobody_again_and_again() -> None:
    """When the time is over what still waits is dead-lettered without asking a publisher that is away."""
    letters, asked = Letters(), threading.Event()
    odd = Odd(lambda batch: hang(queue._stop, asked)(batch))
    queue = backlog(odd, letters, close_for=0.0)
    for number in range(3):
        queue.publish(events(number, number + 1))
    assert asked.wait(WAIT)
    queue.close()
    reason = "the process ended before it was delivered"
    assert (odd.given, letters.kept) == ([["m-0"]], [("m-1", reason), ("m-2", reason)])


def test_a_backlog_that_is_closed_takes_nothing() -> None:
    """Nobody would deliver it."""
    queue = backlog(Odd(), Letters())
    queue.close()
    with pytest.raises(RetryableDeliveryError, match="is closed"):
        queue.publish(events(0, 1))


def test_origins_count_as_what_they_take() -> None:
    """A backlog is bounded by what it holds, which is the notifications too, and it holds none of others' items."""
    opened, asked = threading.Event(), threading.Event()
    small = event("m-0")
    large = notification({"text": "x" * 5_000})
    queue = backlog(Odd(hang(opened, asked)), Letters(), bytes=12_000)
    others = {("event", "p-1", f"m-{number}"): large for number in range(50)}
    origins: dict[Any, Notification] = {**others, identity_of(small): large}
    for _ in range(3):
        queue.publish(Batch([small], origins=origins))
    assert queue.waiting == 2
    assert [set(batch.origins) for batch, _ in queue._queue] == [{identity_of(small)}] * 2
    opened.set()
    queue.close()


def test_a_spool_lets_go_of_a_publisher_that_hangs(tmp_path: Path) -> None:
    """What was not confirmed is on the disk, and the lock stays with the process whose thread may still settle it."""
    opened, asked = threading.Event(), threading.Event()
    stop = threading.Event()
    settling = Settling(Odd(hang(opened, asked)), Tally(), Letters())
    files = SpoolFiles(tmp_path / "spool", max_bytes=10**6)
    spool = Spool(
        settling, files, Letters(), max_age=60.0, close_for=0.0, patience=0.0, stop=stop, wait=lambda _: stop.is_set()
    )
    spool.publish(events(0, 1))
    assert asked.wait(WAIT)
    with pytest.raises(RetryableDeliveryError, match="does not return"):
        spool.close()
    with pytest.raises(PublisherURLError, match="used by another publisher or process"):
        SpoolFiles(tmp_path / "spool", max_bytes=10**6)
    opened.set()
    assert spool._thread is not None
    spool._thread.join(WAIT)
    files.close()


def test_a_spool_is_free_though_its_publisher_fails_to_close(tmp_path: Path) -> None:
    """Another may have it."""

    class Failing(Odd):
        def close(self) -> None:
            raise RuntimeError("close")

    stop = threading.Event()
    settling = Settling(Failing(), Tally(), Letters())
    files = SpoolFiles(tmp_path, max_bytes=10**6)
    spool = Spool(settling, files, Letters(), max_age=60.0, close_for=0.0, stop=stop, wait=lambda _: stop.is_set())
    with pytest.raises(RuntimeError, match="close"):
        spool.close()
    SpoolFiles(tmp_path, max_bytes=10**6).close()


def test_a_half_that_is_on_the_disk_is_not_taken_twice(tmp_path: Path) -> None:
    """Where a batch is cut for its size and there is no room for all of it, what was taken is said."""
    stop = threading.Event()
    settling = Settling(Odd(), Tally(), Letters())
    one = Batch([sample("s-1", metadata={"x": "x" * 600})])
    files = SpoolFiles(tmp_path, max_bytes=1_500)
    spool = Spool(settling, files, Letters(), max_age=60.0, close_for=0.0, stop=stop, wait=lambda _: stop.is_set())
    spool._thread = threading.Thread()  # the test delivers nothing
    both = one.part([*one, sample("s-2", metadata={"x": "x" * 600})])
    with pytest.raises(PartialDeliveryError) as caught:
        spool.publish(both)
    assert (ids(caught.value.again), files.waiting[0]) == (["s-2"], 1)
    spool._thread = None
    spool.close()


# --- refused credentials behind a spool ------------------------------------------------------------------------------


def test_refused_credentials_behind_a_spool(caplog: pytest.LogCaptureFixture) -> None:
    """They are said each time and asked for slowly, as without one."""
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) == 3

    odd = Odd(*[AccessDeniedError("401")] * 9)
    policy = RetryPolicy(60.0, 0.2, 20.0, gives_up_denied=False)
    retrying = Retrying(odd, policy, "odd", clock=lambda: 0.0, chance=lambda: 0.5, wait=wait)
    with caplog.at_level(logging.ERROR), pytest.raises(AccessDeniedError):
        retrying.publish(events(0, 1))
    assert (waited, len(odd.given), caplog.text.count("odd: 401; attempt")) == ([10.0] * 3, 3, 3)


def test_the_policies_of_a_spool(tmp_path: Path) -> None:
    """The publisher is asked by the spool; how long a full one holds the input up is what `retry_for` says."""
    places: Any = lambda name, url: Letters()  # noqa: E731
    found = []
    for options, retry_for in (("", None), ("", 5.0), ("&retry_for=forever", 5.0), ("&retry_for=9s", None)):
        delivery: Any = open_delivery(f"memory://?spool={tmp_path}/s{options}", places, retry_for=retry_for)
        outer = delivery._publisher
        inner = outer._publisher._publisher._publisher
        found.append((outer._policy.lasts, inner._policy.lasts, inner._policy.gives_up_denied))
        delivery.close()
    assert found == [
        (60.0, 60.0, False),
        (5.0, 60.0, False),
        (float("inf"), 60.0, False),
        (9.0, 9.0, False),
    ]


@pytest.mark.parametrize("option", ["retry_longest=inf", "retry_longest=1e10", "retry_first=inf"])
def test_waits_that_no_clock_has(option: str) -> None:
    """They are refused before anything is opened."""
    with pytest.raises(PublisherURLError, match="Expected `float` <= 86400"):
        split_url(f"memory://?{option}")


# --- letters that cannot be written ----------------------------------------------------------------------------------

UNWRITABLE: list[Any] = [object(), 1 + 2j, {("a", 1): 1}, 10**5_000]


@pytest.mark.parametrize("value", UNWRITABLE, ids=["an object", "a complex number", "a key", "a huge number"])
def test_an_item_that_is_no_json_is_a_letter(value: Any) -> None:
    """It is what its publisher refused, so that its letter must not fail for the same reason."""
    item = sample(metadata={"x": value})
    origin = notification({"x": value})
    letter = letter_of_item("odd://", Refused(item, "cannot be written"), origin, None)
    read = read_letter(write_letter(letter))
    assert (read.id, read.reason, read.kind, read.event_type) == (
        letter.id,
        "cannot be written",
        "sample",
        "volume.size",
    )


def test_a_place_that_fails_in_any_way(tmp_path: Path) -> None:
    """What cannot be kept is said to be so, by the one error that whoever refused it answers."""
    letters = DeadLetters(str(tmp_path / "dead.jsonl"), age=None)
    keep = letters.undelivered("odd://", "")
    place: Any = letters._place

    def fail(_: object) -> None:
        raise KeyError("a mistake")

    place.add = fail
    with pytest.raises(RetryableDeliveryError, match=r"dead\.jsonl: KeyError: 'a mistake'"):
        keep(events(0, 1), [Refused(event("m-0"), "no")])
    del place.add
    letters.close()


def test_sizes() -> None:
    """What cannot be written has none."""
    assert size_of(sample(metadata={"x": object()})) == 0
