"""Servers and processes are broken in the middle of a run: nothing is lost, nothing is twice in a store.

The short form is for every run of the tests. `tox -e fault` sets EVENTDEFS_FAULT=long, which takes an hour and prints
a row for each case, as they stand in docs/faults.md.
"""

from __future__ import annotations

import ctypes
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from eventdefs.testing import escaped
from tests.fault.feeding import Run, message_ids, moments
from tests.fault.targets import TARGETS, Place
from tests.publishers.between import Between
from tests.servers import NotInstalled, unavailable

LONG = os.environ.get("EVENTDEFS_FAULT") == "long"
EVENTS = 50_000 if LONG else 4_000
AWAY = 15.0 if LONG else 1.5
"""Seconds for which a server is away."""
STOPPED = (200_000, 60.0) if LONG else (EVENTS, AWAY)
"""Events, and seconds, where a server is stopped in order."""
KILLS = 50 if LONG else 4
WITHIN = 1800.0 if LONG else 120.0
MEMORY = 400 * 2**20
"""Of the whole process, clients included; what is on the way is a batch of some 500 KB."""


@pytest.fixture(scope="module", params=TARGETS)
def started(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A server of each kind, started once for all that is done to it."""
    try:
        with TARGETS[request.param]() as place:
            yield place
    except NotInstalled as error:
        unavailable(str(error))


@pytest.fixture
def place(started: Place) -> Iterator[Place]:
    """The server as it is found by each test: there, and not slowed."""
    yield started
    started.proxy.delay, started.proxy.refusing = 0.0, False
    if started.server.process is None:
        started.server.start()
    started.server.resume()


def has_more(place: Place, than: int) -> bool:
    """Tell whether the server has more events; where it cannot be asked, it may have."""
    try:
        return place.some() > than
    except Exception:
        return False


def wait_for(condition: Callable[[], bool], run: Run) -> None:
    until = time.monotonic() + WITHIN
    while not condition():
        assert run.look(), run.said.read_text()[-2000:]
        assert time.monotonic() < until, run.said.read_text()[-2000:]
        time.sleep(0.05)


class Case(NamedTuple):
    """What is done to a server in the middle of a run."""

    breaks: Callable[[Place], None]
    mends: Callable[[Place], None]


def _stop(place: Place) -> None:
    place.server.stop()
    place.proxy.reset()


def _kill(place: Place) -> None:
    place.server.kill()
    place.proxy.reset()


def _reset(place: Place) -> None:
    place.proxy.reset()
    place.proxy.refusing = True


def _unbroken(place: Place) -> None:
    place.proxy.refusing = False


def _slow(place: Place) -> None:
    place.proxy.delay = 0.02


def _quick(place: Place) -> None:
    place.proxy.delay = 0.0


CASES = {
    "stopped": Case(_stop, lambda place: place.server.start()),
    "killed": Case(_kill, lambda place: place.server.start()),
    "frozen": Case(lambda place: place.server.pause(), lambda place: place.server.resume()),
    "reset": Case(_reset, _unbroken),
    "slow": Case(_slow, _quick),
}


@pytest.mark.parametrize("name", CASES if LONG else ("stopped", "frozen", "reset"))
def test_a_server_that_is_broken(
    name: str, place: Place, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """A required publisher holds the input up until its server is back; then everything is there, in a store once."""
    first = place.ids().total()  # each test has numbers of its own
    count, away = STOPPED if name == "stopped" else (EVENTS, AWAY)
    numbers = range(first, first + count)
    there = place.some()
    run = Run(f"{place.url}retry_for=forever&retry_longest=2", tmp_path)
    began = time.monotonic()
    run.feed(numbers[: count // 2])
    wait_for(lambda: has_more(place, there), run)
    CASES[name].breaks(place)
    run.feed(numbers[count // 2 :])
    until = time.monotonic() + away
    while time.monotonic() < until:
        assert run.look(), run.said.read_text()[-2000:]
        time.sleep(0.05)
    CASES[name].mends(place)
    assert run.finish(WITHIN) == 0, run.said.read_text()[-2000:]
    seconds = time.monotonic() - began
    found = Counter({one: count for one, count in place.ids().items() if int(one[2:]) in numbers})
    assert {f"m-{number}" for number in numbers} - set(found) == set()
    twice = found.total() - count
    assert twice == 0 or not place.store
    assert run.peak < MEMORY
    report(capsys, request.node.callspec.params["started"], name, count, seconds, twice, run.peak)


def report(
    capsys: pytest.CaptureFixture[str], target: str, case: str, events: int, seconds: float, twice: int, peak: int
) -> None:
    """Print a row of the table in docs/faults.md, in the long form."""
    if LONG:
        with capsys.disabled():
            row = (target, case, f"{events:,}", f"{seconds:.0f} s", "0", f"{twice:,}", f"{peak / 2**20:.0f} MB")
            print(f"\n| {' | '.join(row)} |")


def test_killed_at_random(
    place: Place, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that is killed at any point and run again over the same input loses nothing, stores nothing twice."""
    first = place.ids().total()
    count = EVENTS // 2
    numbers = range(first, first + count)
    url = f"{place.url}retry_for=forever&retry_longest=2"
    began, peak = time.monotonic(), 0
    for moment in moments(KILLS, 2.5, seed=first):
        run = Run(url, tmp_path)
        run.feed(numbers)
        time.sleep(moment)
        run.look()
        run.kill()
        peak = max(peak, run.peak)
    run = Run(url, tmp_path)
    run.feed(numbers)
    assert run.finish(WITHIN) == 0, run.said.read_text()[-2000:]
    found = Counter({one: times for one, times in place.ids().items() if int(one[2:]) in numbers})
    assert {f"m-{number}" for number in numbers} - set(found) == set()
    assert found.total() == count or not place.store
    report(
        capsys,
        request.node.callspec.params["started"],
        f"killed {KILLS} times",
        count,
        time.monotonic() - began,
        found.total() - count,
        max(peak, run.peak),
    )


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a file system of *size* bytes at *folder*."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder.mkdir()
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={size}".encode()):
        pytest.skip("only root may mount a small disk")
    try:
        yield
    finally:
        libc.umount2(str(folder).encode(), 2)


@pytest.fixture
def endpoint() -> Iterator[Place]:
    """An HTTP endpoint of this test."""
    with TARGETS["http"]() as place:
        yield place


def test_a_full_disk_under_the_spool(endpoint: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A spool on a full disk holds the input up; when the server is back it empties, and everything is there, once."""
    count = EVENTS // 4
    with small_disk(tmp_path / "disk", 1 * 2**20 if not LONG else 8 * 2**20):
        endpoint.server.stop()
        spool = f"{endpoint.url}spool={escaped(str(tmp_path / 'disk' / 'spool'))}&close_for=20min&retry_longest=1"
        began = time.monotonic()
        run = Run(spool, tmp_path, "--retry-for", "forever", "--dead-letters", str(tmp_path / "dead"))
        run.feed(range(count))
        full = "No space left on device"
        wait_for(lambda: full in run.said.read_text(), run)
        endpoint.server.start()
        assert run.finish(WITHIN) == 0, run.said.read_text()[-2000:]
    found = endpoint.ids()
    assert set(found) == message_ids(count)
    assert run.peak < MEMORY
    report(capsys, "http", "full disk", count, time.monotonic() - began, found.total() - count, run.peak)


def test_a_spool_that_is_killed(endpoint: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a spool took before the process was killed is delivered by the next one, while the input comes again."""
    count = EVENTS // 10
    url = f"{endpoint.url}spool={escaped(str(tmp_path / 'spool'))}&close_for=20min&retry_longest=1"
    letters = ("--dead-letters", str(tmp_path / "dead"))
    began = time.monotonic()
    for moment in moments(KILLS, 2.0, seed=1):
        run = Run(url, tmp_path, *letters)
        run.feed(range(count))
        time.sleep(moment)
        run.kill()
    run = Run(url, tmp_path, *letters)
    run.feed(range(count))
    assert run.finish(WITHIN) == 0, run.said.read_text()[-2000:]
    found = endpoint.ids()
    assert set(found) == message_ids(count)
    assert not (tmp_path / "dead").exists() or (tmp_path / "dead").stat().st_size == 0
    report(capsys, "spool", f"killed {KILLS} times", count, time.monotonic() - began, found.total() - count, run.peak)


def test_busy_for_half_of_the_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where Elasticsearch has no room for half of what it is given, again and again, everything is there in the end."""
    try:
        with TARGETS["elasticsearch"]() as place, Between(place.server.address) as between:
            chance = random.Random(1)
            between.bulk = lambda lines: between.some(lines, lambda number: chance.random() < 0.5)
            count = STOPPED[0]
            began = time.monotonic()
            host = between.url.removeprefix("http://")
            run = Run(f"elasticsearch://{host}/events?retry_for=forever&retry_longest=0.2", tmp_path)
            run.feed(range(count))
            assert run.finish(WITHIN) == 0, run.said.read_text()[-2000:]
            seconds = time.monotonic() - began
            found = place.ids()
    except NotInstalled as error:
        unavailable(str(error))
    assert (set(found), found.total()) == (message_ids(count), count)
    assert run.peak < MEMORY
    report(capsys, "elasticsearch", "429 for half of the items", count, seconds, 0, run.peak)
