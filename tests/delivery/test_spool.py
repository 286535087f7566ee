"""The spool: what was taken is delivered, in order, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdefs import (
    Batch,
    Delivered,
    Event,
    Notification,
    PermanentDeliveryError,
    PublisherURLError,
    Refused,
    RetryableDeliveryError,
)
from eventdefs.delivery.settling import Settling, Tally
from eventdefs.delivery.spool import Cursor, Record, Spool, SpoolFiles, SpoolState, decode_batch, encode_batch
from eventdefs.errors import DecodeError, DeliveryError, PartialDeliveryError
from eventdefs.types import identity_of
from tests.making import SENT, closure, event, gap, notification, period, refusal, sample, usage
from tests.property.strategies import documents

ROOM = 2**30
RUNS = int(os.environ.get("EVENTDEFS_FAULT_RUNS", "10"))
"""How often a process is killed."""


def opened(folder: Path, **options: Any) -> SpoolFiles:
    return SpoolFiles(folder, **{"max_bytes": ROOM, **options})


def payloads(files: SpoolFiles, cursor: Cursor | None = None) -> list[bytes]:
    return [record.payload for record in files.read_from(files.settled if cursor is None else cursor)]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


# --- batches as bytes ------------------------------------------------------------------------------------------------

ORIGIN = notification({"size": 10**30, "name": "é\ud800", "deep": [{"a": float("inf")}, None, True], "\ud800": 1})
ODD = event(
    "m-odd",
    None,
    whole=2.0,
    int=2,
    huge=10**4000,
    largest=2**64 - 1,
    beyond=2**64,
    least=-(2**63),
    below=-(2**63) - 1,
    infinite=float("-inf"),
    surrogate="a\ud800b",
    null="a\0b",
    first=datetime(1, 1, 1, tzinfo=UTC),
    before=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    last=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)
EVERYTHING = Batch(
    [
        event("m-1"),
        ODD,
        msgspec.structs.replace(event("m-2", at=SENT), publisher_id=None, raw={"a": {"\ud800": [2**70]}}),
    ],
    [sample(), sample("s-2", volume=2**70, resource_id=5, user_id=None, metadata={"at": SENT, "l": [1, {"b": 2.0}]})],
    [period(), period("c-2", not_before=SENT, not_after=SENT, status="ending", dimensions={"\ud800": "b"})],
    [usage(), usage("u-2", project_id=None, dimensions={}, supersedes="u-1"), gap(), refusal(), closure()],
    origins={identity_of(event("m-1")): ORIGIN, identity_of(sample()): ORIGIN, identity_of(ODD): notification()},
    replace=True,
)


def shown(batch: Batch) -> str:
    """Return all of *batch*, types, NaN and signs of zero included, in a form that can be compared."""
    origins = sorted(batch.origins.items(), key=repr)
    return repr(([*batch.events], [*batch.samples], [*batch.periods], [*batch.records], origins, batch.replace))


def test_a_batch_survives() -> None:
    """Every kind of item, whatever it holds, the origins and the wish to replace are read back as they were."""
    read = decode_batch(encode_batch(EVERYTHING))
    assert shown(read) == shown(EVERYTHING)
    assert (read.events, read.samples, read.periods, read.records) == (
        EVERYTHING.events,
        EVERYTHING.samples,
        EVERYTHING.periods,
        EVERYTHING.records,
    )
    assert [type(value) for value in read.events[1].traits.values()] == [type(value) for value in ODD.traits.values()]
    assert type(read.records[0].evidence.witnesses) is tuple  # type: ignore[union-attr]
    assert read.origins[identity_of(event("m-1"))] is read.origins[identity_of(sample())]


_TEXTS = st.text(st.characters(codec=None, categories=None), max_size=6)
_IDS = st.one_of(st.none(), _TEXTS, st.integers())
_TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))
_TRAITS = st.dictionaries(_TEXTS, st.one_of(_TEXTS, st.integers(), st.floats(), _TIMES), max_size=4)
_FREE = st.dictionaries(_TEXTS, st.one_of(documents, _TIMES, st.integers(), st.floats()), max_size=3)
_EVENTS = st.builds(Event, _TEXTS, _TEXTS, _TIMES, st.none() | _TEXTS, _TEXTS, st.none() | _TEXTS, _TRAITS, raw=_FREE)
_SAMPLES = st.builds(
    sample, _TEXTS, volume=st.integers() | st.floats(), resource_id=_IDS, timestamp=_TIMES, metadata=_FREE
)
_PERIODS = st.builds(period, _TEXTS, dimensions=st.dictionaries(_TEXTS, _TEXTS, max_size=3), not_before=_TIMES)
_RECORDS = st.one_of(
    st.builds(usage, _TEXTS, resource_id=_TEXTS, period_start=_TIMES, revision=st.integers()),
    st.builds(gap, _TEXTS, begin=_TIMES),
    st.builds(refusal, _TEXTS, project_id=st.none() | _TEXTS),
    st.builds(closure, _TEXTS, count=st.integers()),
)
_ORIGINS = st.builds(Notification, _TEXTS, _TEXTS, st.none() | _TEXTS, _TEXTS, _TIMES, _FREE)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Batches of any items, some with origins."""
    parts = [draw(st.lists(kind, max_size=2)) for kind in (_EVENTS, _SAMPLES, _PERIODS, _RECORDS)]
    batch = Batch(*parts, replace=draw(st.booleans()))
    origins = {identity_of(item): draw(_ORIGINS) for item in batch if draw(st.booleans())}
    return Batch(*parts, origins=origins, replace=batch.replace)


@given(batches())
@settings(max_examples=200, deadline=None)
def test_any_batch_survives(batch: Batch) -> None:
    """Reading back what was written gives what was given: JSON of any kind, and times."""
    assert shown(decode_batch(encode_batch(batch))) == shown(batch)


def test_only_origins_of_items_are_kept() -> None:
    """A part of a batch does not carry the notifications of the rest."""
    read = decode_batch(encode_batch(EVERYTHING.part(EVERYTHING.events[:1])))
    assert read.origins == {identity_of(event("m-1")): ORIGIN}


def test_any_mapping_is_kept() -> None:
    """A mapping that is no dict is read back as one."""
    given = msgspec.structs.replace(event(), raw=MappingProxyType({"a": MappingProxyType({"b": 2**70})}))
    assert decode_batch(encode_batch(Batch([given]))).events[0].raw == {"a": {"b": 2**70}}


NO_FORM = {
    "another type": ({"a": object()}, "object has no form on disk"),
    "another type beside an integer": ({"a": 2**70, "b": object()}, "object has no form on disk"),
    "a set": ({"a": {object()}}, "object has no form on disk"),
}


@pytest.mark.parametrize(("raw", "reason"), NO_FORM.values(), ids=NO_FORM)
def test_what_has_no_form(raw: dict[str, Any], reason: str) -> None:
    """What is neither JSON nor a time is refused, and it is said what it is."""
    with pytest.raises(PermanentDeliveryError) as raised:
        encode_batch(Batch([msgspec.structs.replace(event(), raw=raw)]))
    assert str(raised.value) == f"cannot be written to a spool: {reason}"


def test_nested_too_deep() -> None:
    """What cannot be walked is refused, not a fault of the process."""
    deep: Any = 2**70
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(PermanentDeliveryError, match="cannot be written to a spool"):
        encode_batch(Batch([msgspec.structs.replace(event(), raw={"a": deep})]))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(5),
        msgspec.msgpack.encode({}),
        msgspec.msgpack.encode({"items": [{"kind": "other"}], "origins": [], "notifications": [], "replace": False}),
        msgspec.msgpack.encode({"items": [{"kind": "gap", "new": 1}], "origins": [], "notifications": []}),
        msgspec.msgpack.encode({"items": [], "origins": [[1, "event"]], "notifications": [], "replace": False}),
        msgspec.msgpack.encode(msgspec.msgpack.Ext(9, b"")),
    ],
)
def test_what_is_no_batch(payload: bytes) -> None:
    """Bytes that are no batch, or one of a later release, are an error that can be caught."""
    with pytest.raises(DecodeError, match="not a batch"):
        decode_batch(payload)


# --- files -----------------------------------------------------------------------------------------------------------


def test_records_are_read_in_order(tmp_path: Path) -> None:
    """What was appended is there, in order, in this process and the next, over segments."""
    files = opened(tmp_path / "s", segment_bytes=300)
    given = [b"%d" % number * 20 for number in range(50)]
    for number, payload in enumerate(given):
        files.append(payload, 2, 5.0 + number)
    assert payloads(files) == given
    assert len(segments(tmp_path / "s")) > 5
    ends = list(files.read_from(files.settled))
    assert [(record.items, record.at) for record in ends] == [(2, 5.0 + number) for number in range(50)]
    assert [payloads(files, record.end) for record in ends] == [given[number + 1 :] for number in range(50)]
    assert (files.waiting, files.end.items) == (
        (100, sum(path.stat().st_size for path in segments(tmp_path / "s"))),
        100,
    )
    files.close()
    files = opened(tmp_path / "s", segment_bytes=300)
    assert (payloads(files), files.waiting[0], files.corrupt_bytes) == (given, 100, 0)
    files.append(b"more", 1, 0.0)
    assert payloads(files) == [*given, b"more"]
    files.close()


def test_what_is_settled_is_gone(tmp_path: Path) -> None:
    """It is not read again, its segments are removed, and what waits is counted down."""
    files = opened(tmp_path, segment_bytes=200)
    for number in range(20):
        files.append(b"%02d" % number * 20, 3, 0.0)
    for record in list(files.read_from(files.settled))[:15]:
        files.settle(record.end)
    assert payloads(files) == [b"%02d" % number * 20 for number in range(15, 20)]
    assert (files.waiting, len(segments(tmp_path))) == ((15, 5 * 64), 2)
    files.close()
    files = opened(tmp_path, segment_bytes=200)
    assert payloads(files) == [b"%02d" % number * 20 for number in range(15, 20)]
    assert files.waiting == (15, 5 * 64)
    files.settle(files.end)
    assert (payloads(files), files.waiting) == ([], (0, 0))
    files.close()
    files = opened(tmp_path)
    files.append(b"new", 1, 0.0)
    assert (payloads(files), files.waiting[0], files.end.items) == ([b"new"], 1, 61)
    files.close()


def test_modes(tmp_path: Path) -> None:
    """Nobody else reads what senders sent."""
    files = opened(tmp_path / "s")
    files.append(b"x" * 100, 1, 0.0)
    files.settle(files.end)
    files.append(b"y" * 100, 1, 0.0)
    damage(segments(tmp_path / "s")[0], 200)
    assert payloads(files) == []
    files.check()
    files.close()
    assert oct((tmp_path / "s").stat().st_mode & 0o777) == "0o700"
    kept = {path.suffix or path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "s").iterdir()}
    assert kept == dict.fromkeys(("lock", "settled", ".segment", ".corrupt"), "0o600")


def test_bounds(tmp_path: Path) -> None:
    """Beyond its bytes it takes nothing, and again when something was delivered; what it can never hold it says so."""
    files = opened(tmp_path, max_bytes=1000, segment_bytes=300)
    for _ in range(4):
        files.append(b"x" * 200, 1, 0.0)
    with pytest.raises(RetryableDeliveryError) as full:
        files.append(b"x" * 200, 1, 0.0)
    assert str(full.value) == f"the spool {tmp_path} is full: 896 of 1,000 bytes wait"
    files.settle(next(files.read_from(files.settled)).end)
    files.append(b"y" * 200, 1, 0.0)
    with pytest.raises(PermanentDeliveryError) as large:
        files.append(b"x" * 1000, 1, 0.0)
    assert str(large.value) == f"1,024 bytes are more than the spool {tmp_path} holds"
    assert payloads(files) == [b"x" * 200] * 3 + [b"y" * 200]
    files.close()
    with pytest.raises(RetryableDeliveryError, match="is closed"):
        files.append(b"x", 1, 0.0)


def test_many_threads(tmp_path: Path) -> None:
    """Threads that append at once lose nothing and mix nothing up, over segments too; each sees its own in order."""
    files = opened(tmp_path, segment_bytes=5_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: [files.append(b"%d %d" % (name, n), 1, 0.0) for n in range(100)], range(8)))
    read = payloads(files)
    assert sorted(read) == sorted(b"%d %d" % (name, n) for name in range(8) for n in range(100))
    for name in range(8):
        assert [one for one in read if one.startswith(b"%d " % name)] == [b"%d %d" % (name, n) for n in range(100)]
    files.close()


# --- what happens to files -------------------------------------------------------------------------------------------


def damage(path: Path, offset: int, data: bytes | None = None) -> None:
    """Turn the byte at *offset*, or write *data* there."""
    with path.open("r+b") as file:
        file.seek(offset)
        turned = data or bytes([file.read(1)[0] ^ 0x41])
        file.seek(offset)
        file.write(turned)


def test_cut_at_every_byte(tmp_path: Path) -> None:
    """Wherever the last record breaks off, those before it are there, it is cut off, and the next one goes in."""
    folder = tmp_path / "s"
    files = opened(folder)
    for payload in (b"first", b"second", b"last one"):
        files.append(payload, 1, 0.0)
    files.close()
    (path,) = segments(folder)
    whole = path.read_bytes()
    begin = len(whole) - 24 - len(b"last one")
    for size in range(begin, len(whole)):
        path.write_bytes(whole[:size])
        files = opened(folder)
        assert payloads(files) == [b"first", b"second"]
        assert (files.cut_bytes, files.corrupt_bytes, path.stat().st_size) == (size - begin, size - begin, begin)
        files.append(b"next", 1, 0.0)
        assert payloads(files) == [b"first", b"second", b"next"]
        files.close()


RECORDS = [b"one", b"two" * 5, b"three", b"four" * 3, b"five"]


def test_a_turned_byte_anywhere(tmp_path: Path) -> None:
    """One byte that changed costs its record and no other, wherever it is; it is set aside, counted, never fatal."""
    for offset in range(sum(24 + len(payload) for payload in RECORDS)):
        folder = tmp_path / str(offset)
        files = opened(folder)
        for payload in RECORDS:
            files.append(payload, 1, 0.0)
        files.close()
        damage(segments(folder)[0], offset)
        files = opened(folder)
        read = payloads(files)
        lost = [payload for payload in RECORDS if payload not in read]
        assert (len(lost), read) == (1, [payload for payload in RECORDS if payload not in lost])
        assert payloads(files) == read
        (aside,) = folder.glob("*.corrupt")
        assert (files.corrupt_bytes, aside.stat().st_size) == (24 + len(lost[0]), 24 + len(lost[0]))
        files.append(b"six", 1, 0.0)
        assert payloads(files) == [*read, b"six"]
        files.close()


def test_damage_while_it_is_open(tmp_path: Path) -> None:
    """What is damaged after it was opened is found too, in closed segments and in the live one."""
    files = opened(tmp_path, segment_bytes=200)
    for number in range(9):
        files.append(b"%d" % number * 40, 1, 0.0)
    first, second, last = segments(tmp_path)
    damage(first, 30)
    damage(second, 0, b"\0" * second.stat().st_size)
    damage(last, 150)
    assert payloads(files) == [b"%d" % number * 40 for number in (1, 2, 6, 7)]
    assert (files.corrupt_bytes, files.cut_bytes) == (5 * 64, 0)
    second.unlink()
    assert payloads(files) == [b"%d" % number * 40 for number in (1, 2, 6, 7)]
    files.close()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=40)), max_size=4), st.integers(0, 400))
def test_any_damage(changes: list[tuple[int, bytes]], cut: int) -> None:
    """Whatever stands in the files, what is read is some of what was appended, in order, and it goes on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = opened(folder, segment_bytes=200)
        given = [b"%d" % number * 30 for number in range(10)]
        for payload in given:
            files.append(payload, 1, 0.0)
        files.settle(next(files.read_from(files.settled)).end)
        files.close()
        paths = sorted(folder.iterdir())
        for place, data in changes:
            path = paths[place % len(paths)]
            damage(path, place % (path.stat().st_size + 1), data)
        os.truncate(paths[-2], max(0, paths[-2].stat().st_size - cut))
        files = opened(folder, segment_bytes=200)
        read = payloads(files)
        assert [one for one in read if one not in given] == []
        assert read == sorted(set(read), key=given.index)
        files.append(b"more", 1, 0.0)
        assert payloads(files) == [*read, b"more"]
        files.settle(files.end)
        files.close()
        files = opened(folder, segment_bytes=200)
        assert payloads(files) == []
        files.close()


def test_no_sender_makes_a_record(tmp_path: Path) -> None:
    """Bytes that are a record elsewhere are none where they stand, even where what is before them is damaged."""
    files = opened(tmp_path / "a")
    files.append(b"forged", 1, 0.0)
    files.close()
    forged = segments(tmp_path / "a")[0].read_bytes()
    files = opened(tmp_path / "b")
    files.append(b"before", 1, 0.0)
    files.append(b"payload of a sender: " + forged, 1, 0.0)
    files.append(b"after", 1, 0.0)
    damage(segments(tmp_path / "b")[0], 31)
    assert payloads(files) == [b"before", b"after"]
    files.close()


def test_settled_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is still there is delivered again, rather than lost."""
    files = opened(tmp_path)
    for payload in RECORDS:
        files.append(payload, 1, 0.0)
    files.settle(files.end)
    files.close()
    for text in (b"", b"0 24 1 00000000\n", b"a b c d\n", b"\0" * 30):
        (tmp_path / "settled").write_bytes(text)
        files = opened(tmp_path)
        assert payloads(files) == RECORDS
        files.close()
    assert "settled cannot be read: what the spool still has is delivered again" in caplog.text


def test_files_that_were_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who removes segments loses what they had and nothing that comes after; it is said."""
    files = opened(tmp_path, segment_bytes=100)
    for payload in RECORDS:
        files.append(payload * 5, 1, 0.0)
    for path in segments(tmp_path):
        path.unlink()
    files.append(b"after", 1, 0.0)
    assert payloads(files) == [b"after"]
    assert "was removed while it was in use" in caplog.text
    assert "was removed before it was delivered" in caplog.text
    files.settle(files.end)
    assert files.waiting == (0, 0)
    files.close()
    files = opened(tmp_path)
    segments(tmp_path)[-1].unlink()
    files.close()
    files = opened(tmp_path)
    files.append(b"and after", 1, 0.0)
    assert payloads(files) == [b"and after"]
    files.close()


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """It is said, and may be put right."""
    files = opened(tmp_path / "s")
    files.check()
    (tmp_path / "s").rename(tmp_path / "t")
    with pytest.raises(RetryableDeliveryError) as raised:
        files.check()
    assert str(raised.value) == f"the spool {tmp_path}/s: No such file or directory"
    (tmp_path / "t").rename(tmp_path / "s")
    files.check()
    files.close()


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("file", "File exists"), ("file/s", "Not a directory"), ("no/s", "No such file or directory")],
)
def test_what_is_no_folder(folder: str, reason: str, tmp_path: Path) -> None:
    """What cannot be opened is said before anything is taken."""
    (tmp_path / "file").touch()
    with pytest.raises(PublisherURLError) as raised:
        opened(tmp_path / folder)
    assert str(raised.value) == f"the spool {tmp_path}/{folder} cannot be opened: {reason}"


# --- disks that are full ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Let files of this process grow to so many bytes only."""
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    """What does not fit is not there at all, and goes in when there is room again."""
    files = opened(tmp_path)
    files.append(b"first", 1, 0.0)
    before = segments(tmp_path)[0].read_bytes()
    for room in range(len(before), len(before) + 40, 7):
        small_files(room)
        with pytest.raises(RetryableDeliveryError) as raised:
            files.append(b"x" * 100, 1, 0.0)
        small_files(resource.RLIM_INFINITY)
        assert str(raised.value) == f"the spool {tmp_path}: File too large"
        assert (segments(tmp_path)[0].read_bytes(), files.waiting) == (before, (1, len(before)))
    files.append(b"second", 1, 0.0)
    assert payloads(files) == [b"first", b"second"]
    files.close()


def test_settling_on_a_full_disk(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    """What was delivered makes room even where that cannot be written down."""
    files = opened(tmp_path, segment_bytes=200)
    for number in range(20):
        files.append(b"%02d" % number * 20, 1, 0.0)
    small_files(0)
    files.settle(list(files.read_from(files.settled))[14].end)
    small_files(resource.RLIM_INFINITY)
    assert len(segments(tmp_path)) == 2
    assert payloads(files) == [b"%02d" % number * 20 for number in range(15, 20)]
    files.close()
    files = opened(tmp_path)
    assert payloads(files) == [b"%02d" % number * 20 for number in range(15, 20)]
    files.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system takes root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_file_system_that_is_full(tiny_disk: Path) -> None:
    """A disk that fills up for real: all that was confirmed is there, what is delivered makes room, and it goes on."""
    files = opened(tiny_disk / "s", segment_bytes=40_000)
    kept: list[bytes] = []
    numbers = itertools.count()
    for _ in range(10):
        full = None
        while full is None:
            payload = b"%d " % next(numbers) * 2_000
            try:
                files.append(payload, 1, 0.0)
            except RetryableDeliveryError as error:
                full = error
            else:
                kept.append(payload)
        assert "No space left on device" in str(full)
        assert payloads(files) == kept
        half = list(files.read_from(files.settled))[: len(kept) // 2 + 1]
        files.settle(half[-1].end)
        del kept[: len(half)]
        assert payloads(files) == kept
    files.close()
    files = opened(tiny_disk / "s")
    assert payloads(files) == kept
    files.close()


# --- processes -------------------------------------------------------------------------------------------------------


def python(script: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start *script*, which has all names of this module."""
    text = "from tests.delivery.test_spool import *\n" + textwrap.dedent(script)
    return subprocess.Popen([sys.executable, "-c", text, *arguments], **options)


APPEND = """
    files = opened(Path(sys.argv[1]), segment_bytes=int(sys.argv[4]))
    for number in range(int(sys.argv[2]), 10**9):
        files.append(b"%09d " % number * int(sys.argv[3]), 1, 0.0)
        sys.stdout.buffer.write(b"%d\\n" % number)
        sys.stdout.buffer.flush()
"""
"""Append numbered records as fast as can be, and say what is confirmed."""


def confirmed_by_killed(folder: Path, begin: int, size: int, segment: int, after: int) -> int:
    """Let a process append records from *begin* on, kill it when *after* are confirmed; return the last confirmed."""
    arguments = (str(folder), str(begin), str(size), str(segment))
    with python(APPEND, *arguments, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(after):
            writer.stdout.readline()
        writer.kill()
        said = writer.stdout.read().split(b"\n")[:-1]
    assert writer.returncode == -signal.SIGKILL
    return begin + after - 1 + len(said)


def test_killed_at_any_time(tmp_path: Path) -> None:
    """What was confirmed is there, in order and once, however often the process is killed."""
    chance = random.Random(7)
    begin = 0
    for _ in range(RUNS):
        size, segment = chance.choice((1, 30, 3_000)), chance.choice((500, 50_000, 10**7))
        last = confirmed_by_killed(tmp_path, begin, size, segment, chance.randint(1, 300))
        files = opened(tmp_path)
        read = [int(payload[:9]) for payload in payloads(files)]
        assert read == list(range(files.settled.items, len(read) + files.settled.items))
        assert read[-1] in (last, last + 1)
        assert files.waiting[0] == len(read)
        if chance.random() < 0.5:
            files.settle(list(files.read_from(files.settled))[chance.randrange(len(read))].end)
        begin = read[-1] + 1
        files.close()


DELIVER = """
    class Target:
        def publish(self, batch):
            for event in batch.events:
                sys.stdout.buffer.write(b"%d\\n" % event.traits["number"])
            sys.stdout.buffer.flush()
            return Delivered(len(batch))
    spool = a_spool(Path(sys.argv[1]), Target(), items=7)
    for number in range(int(sys.argv[2]), 10**9):
        spool.publish(Batch([event(f"m-{number}", number=number)]))
        sys.stderr.buffer.write(b"%d\\n" % number)
        sys.stderr.buffer.flush()
"""


def test_killed_while_it_delivers(tmp_path: Path) -> None:
    """All that was taken reaches the target, in order; only what was under way when it was killed comes twice."""
    chance = random.Random(8)
    begin, reached = 0, 0
    for _ in range(RUNS // 2):
        with (
            (tmp_path / "taken").open("w+b") as taken,
            python(DELIVER, str(tmp_path / "s"), str(begin), stdout=subprocess.PIPE, stderr=taken) as writer,
        ):
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(chance.randint(1, 200))]
            writer.kill()
            lines += writer.stdout.read().splitlines(keepends=True)
            taken.seek(0)
            last = int(taken.read().split(b"\n")[-2])
        numbers = [int(line) for line in lines if line.endswith(b"\n")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert reached - 7 <= numbers[0] <= reached
        reached = numbers[-1] + 1
        files = opened(tmp_path / "s")
        begin = files.end.items
        assert begin in (last + 1, last + 2)
        files.close()
    target = Target()
    with contextlib.closing(a_spool(tmp_path / "s", target)) as spool:
        spool.start()
    left = [event.traits["number"] for batch in target.batches for event in batch.events]
    assert left == list(range(begin - len(left), begin))
    assert reached - 7 <= begin - len(left) <= reached


def test_one_process_has_a_spool(tmp_path: Path) -> None:
    """The second is told so, and may have it when the first is gone, however that ended."""
    with python(APPEND, str(tmp_path), "0", "1", "1000", stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(PublisherURLError) as raised:
            opened(tmp_path)
        assert str(raised.value) == f"the spool {tmp_path} is being used by another publisher or process"
        holder.kill()
    files = opened(tmp_path)
    with pytest.raises(PublisherURLError, match="is being used by another publisher or process"):
        opened(tmp_path)
    files.close()
    files.close()
    opened(tmp_path).close()


# --- a publisher -----------------------------------------------------------------------------------------------------


class Target:
    """Takes batches, and raises what it is told to, in turn."""

    def __init__(self, *errors: Callable[[Batch], Exception] | None) -> None:
        self.errors = list(errors)
        self.batches: list[Batch] = []
        self.checked = self.closed = 0

    def publish(self, batch: Batch) -> Delivered:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error(batch)
        self.batches.append(batch)
        return Delivered(len(batch), 1)

    def check(self) -> None:
        self.checked += 1

    def close(self) -> None:
        self.closed += 1

    @property
    def all(self) -> list[str]:
        return [one for ids in self.ids for one in ids]

    @property
    def ids(self) -> list[list[str]]:
        return [[one.message_id for one in batch.events] for batch in self.batches]


class Letters:
    """Keeps dead letters; raises what it is told to first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.kept: list[tuple[str, str]] = []

    def __call__(self, batch: Batch, refused: Sequence[Refused]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.kept += [(one.item.message_id, one.reason) for one in refused]  # type: ignore[union-attr]


class Clock:
    """Seconds that go by when somebody waits, and then only."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []
        self.stop_after = 100

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return len(self.waits) >= self.stop_after


def a_spool(
    folder: Path,
    target: Any,
    letters: Letters | None = None,
    clock: Clock | None = None,
    room: int = ROOM,
    **options: Any,
) -> Spool:
    letters = letters or Letters()
    clock = clock or Clock()
    settling = Settling(target, Tally(), letters)
    options = {"max_age": 3600.0, "close_for": 30.0, **options}
    return Spool(
        settling,
        opened(folder, max_bytes=room),
        letters,
        stop=threading.Event(),
        wait=clock.wait,
        clock=clock,
        **options,
    )


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a spool have no thread: the test delivers step by step."""
    monkeypatch.setattr(Spool, "start", lambda self: None)


def test_it_delivers_what_it_took(tmp_path: Path) -> None:
    """With its thread: what is published reaches the target in order, and is settled when it is closed."""
    target = Target()
    spool = a_spool(tmp_path, target)
    for number in range(500):
        assert spool.publish(Batch([event(f"m-{number}")], [sample(f"s-{number}")])) == Delivered(0)
    assert spool.publish(Batch()) == Delivered(0)
    spool.close()
    assert target.all == [f"m-{number}" for number in range(500)]
    assert [one.id for batch in target.batches for one in batch.samples] == [f"s-{number}" for number in range(500)]
    assert (spool.tally.published, spool.tally.duplicates, target.closed) == (1_000, len(target.batches), 1)
    files = opened(tmp_path)
    assert files.waiting == (0, 0)
    files.close()


class Away(Target):
    """Takes nothing."""

    def publish(self, batch: Batch) -> Delivered:
        raise RetryableDeliveryError("away")


def leave(folder: Path) -> Spool:
    """Leave `m-1` in the spool in *folder*; return what is closed."""
    stop = threading.Event()
    settling = Settling(Away(), Tally(), Letters())
    spool = Spool(
        settling, opened(folder), Letters(), max_age=1e9, close_for=0.0, stop=stop, wait=stop.wait, clock=Clock()
    )
    spool.publish(Batch([event("m-1")]))
    spool.close()
    return spool


def test_what_a_process_left_is_delivered(tmp_path: Path) -> None:
    """The next process begins with it, when it is started; one that only looks sends nothing."""
    leave(tmp_path)
    target = Target()
    spool = a_spool(tmp_path, target)
    spool.check()
    assert (spool.state.items, target.checked) == (1, 1)
    spool.close()
    assert target.batches == []
    spool = a_spool(tmp_path, target)
    spool.start()
    spool.close()
    assert target.ids == [["m-1"]]


@pytest.mark.usefixtures("still")
def test_records_are_gathered(tmp_path: Path) -> None:
    """Small batches become larger ones, up to the bounds; what is to replace does not mix with what is not."""
    target = Target()
    spool = a_spool(tmp_path, target, items=5, bytes=700)
    for number in range(7):
        spool.publish(Batch([event(f"m-{number}")]))
    spool.publish(Batch([event("m-7")], replace=True))
    spool.publish(Batch([event("large", text="x" * 1_000)]))
    spool.publish(Batch([event(f"m-{number}") for number in range(8, 20)]))
    while spool.deliver_next():
        pass
    small = len(encode_batch(Batch([event("m-1")])))
    first = min(5, -(-700 // small))
    assert target.ids == [
        [f"m-{number}" for number in range(first)],
        [f"m-{number}" for number in range(first, 7)],
        ["m-7"],
        ["large"],
        [f"m-{number}" for number in range(8, 20)],
    ]
    assert [batch.replace for batch in target.batches] == [False, False, True, False, False]
    spool.close()


@pytest.mark.usefixtures("still")
def test_origins_go_with_their_items(tmp_path: Path) -> None:
    """What is gathered of several batches has the notifications of all."""
    target = Target()
    spool = a_spool(tmp_path, target)
    for name in ("m-1", "m-2"):
        spool.publish(Batch([event(name)], origins={identity_of(event(name)): notification(message_id=name)}))
    spool.deliver_next()
    assert [origin.message_id for origin in target.batches[0].origins.values()] == ["m-1", "m-2"]
    spool.close()


@pytest.mark.usefixtures("still")
def test_lingering(tmp_path: Path) -> None:
    """A batch that is not full is not waited for longer than was said."""
    target, clock = Target(), Clock()
    spool = a_spool(tmp_path, target, clock=clock, linger=10.0)
    spool.publish(Batch([event("m-1")]))
    clock.now += 10.0
    spool.publish(Batch([event("m-2")]))
    assert spool.deliver_next()
    assert target.ids == [["m-1", "m-2"]]
    spool.close()


def away(batch: Batch) -> Exception:
    return RetryableDeliveryError("away")


def asks(batch: Batch) -> Exception:
    return RetryableDeliveryError("slow down", after=20.0)


def never(batch: Batch) -> Exception:
    return PermanentDeliveryError("too large")


def half(batch: Batch) -> Exception:
    items = list(batch)
    taken, left = items[: len(items) // 2], items[len(items) // 2 :]
    return PartialDeliveryError(Delivered(len(taken)), batch.part(left), RetryableDeliveryError("busy"))


def first_refused(batch: Batch) -> Exception:
    first, *rest = batch
    return PartialDeliveryError(
        Delivered(1), batch.part(rest[1:]), RetryableDeliveryError("busy"), [Refused(first, "no such field")]
    )


def all_refused(batch: Batch) -> Exception:
    refused = [Refused(item, "no such index") for item in batch]
    return PartialDeliveryError(Delivered(0), batch.part(()), None, refused)


FAULTS: dict[str, tuple[list[Any], list[list[str]], list[tuple[str, str]], list[float]]] = {
    "away for a while": ([away, away], [["m-0", "m-1", "m-2", "m-3"]], [], [1.0, 1.0]),
    "asks us to wait": ([asks], [["m-0", "m-1", "m-2", "m-3"]], [], [20.0]),
    "takes half of it at a time": ([half, half], [["m-3"]], [], [1.0, 1.0]),
    "refuses one": ([first_refused], [["m-2", "m-3"]], [("m-0", "no such field")], [1.0]),
    "refuses all": ([all_refused], [], [(f"m-{number}", "no such index") for number in range(4)], []),
    "will never take it": ([never], [], [(f"m-{number}", "too large") for number in range(4)], []),
}


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(("errors", "delivered", "letters", "waits"), FAULTS.values(), ids=FAULTS)
def test_faults(
    errors: list[Any],
    delivered: list[list[str]],
    letters: list[tuple[str, str]],
    waits: list[float],
    tmp_path: Path,
) -> None:
    """What may be accepted later is tried again, what never will be is dead-lettered; then all is settled."""
    target, kept, clock = Target(*errors), Letters(), Clock()
    spool = a_spool(tmp_path, target, kept, clock)
    spool.publish(Batch([event("m-0"), event("m-1")]))
    spool.publish(Batch([event("m-2"), event("m-3")]))
    assert spool.deliver_next()
    assert (target.ids, kept.kept, clock.waits) == (delivered, letters, waits)
    assert spool.state == SpoolState(0, 0, None, 0, 0, 0)
    assert not spool.deliver_next()
    spool.close()


@pytest.mark.usefixtures("still")
def test_dead_letters_that_cannot_be_kept(tmp_path: Path) -> None:
    """Nothing is settled before it is delivered or dead-lettered."""
    clock = Clock()
    letters = Letters(*[RetryableDeliveryError("disk full")] * 3)
    spool = a_spool(tmp_path, Target(never), letters, clock)
    spool.publish(Batch([event("m-1")]))
    clock.stop_after = 2
    assert not spool.deliver_next()
    assert (letters.kept, spool.state.items) == ([], 1)
    clock.stop_after = 100
    assert spool.deliver_next()
    spool.close()


@pytest.mark.usefixtures("still")
def test_told_to_stop(tmp_path: Path) -> None:
    """What the target did not take when we were told to stop stays, with what it took: it comes again."""
    target, clock = Target(half, away), Clock()
    clock.stop_after = 1
    spool = a_spool(tmp_path, target, clock=clock)
    spool.publish(Batch([event("m-1"), event("m-2")]))
    assert not spool.deliver_next()
    spool.close()
    spool = a_spool(tmp_path, target)
    target.errors.clear()
    assert spool.deliver_next()
    assert target.ids == [["m-1", "m-2"]]
    spool.close()


@pytest.mark.usefixtures("still")
def test_what_is_too_old(tmp_path: Path) -> None:
    """It is dead-lettered instead of published, and what is younger is published."""
    target, letters, clock = Target(), Letters(), Clock()
    spool = a_spool(tmp_path, target, letters, clock, max_age=100.0)
    for number in range(4):
        spool.publish(Batch([event(f"m-{number}")]))
        clock.now += 40.0
    assert spool.state.oldest == 160.0
    while spool.deliver_next():
        pass
    reason = "it waited in the spool for more than 100 seconds"
    assert letters.kept == [("m-0", reason), ("m-1", reason)]
    assert target.ids == [["m-2", "m-3"]]
    assert (spool.tally.published, spool.tally.dead_lettered, spool.tally.reasons) == (2, 2, [reason])
    spool.close()


@pytest.mark.usefixtures("still")
def test_what_becomes_too_old_while_it_is_tried(tmp_path: Path) -> None:
    """A target that stays away does not keep anything beyond its age, and what it took is not dead-lettered."""
    target, letters, clock = Target(half, away, away), Letters(), Clock()
    spool = a_spool(tmp_path, target, letters, clock, max_age=2.5)
    spool.publish(Batch([event("m-0")]))
    spool.publish(Batch([event("m-1")]))
    clock.now += 1.0
    spool.publish(Batch([event("m-2"), event("m-3")]))
    clock.now -= 1.0
    spool.publish(Batch([event("m-4")]))
    assert spool.deliver_next()
    assert [message_id for message_id, _ in letters.kept] == ["m-4"]
    assert target.ids == [["m-2", "m-3"]]
    assert (spool.tally.published, spool.state.items) == (4, 0)
    spool.close()


@pytest.mark.usefixtures("still")
def test_a_required_spool_pushes_back(tmp_path: Path) -> None:
    """What there is no room for is said to be so, and goes in when there is."""
    target = Target()
    spool = a_spool(tmp_path, target, room=2_000)
    given = [Batch([event(f"m-{number}", text="x" * 300)]) for number in range(4)]
    full: list[str] = []
    for batch in given:
        try:
            spool.publish(batch)
        except RetryableDeliveryError as error:
            full.append(str(error))
    assert [message.partition(": ")[0] for message in full] == [f"the spool {tmp_path} is full"]
    assert (spool.state.overflow, spool.overflow) == (1, 1)
    taken = spool.state.items
    assert spool.deliver_next()
    for batch in given[taken:]:
        spool.publish(batch)
    spool.deliver_next()
    assert target.all == ["m-0", "m-1", "m-2", "m-3"]
    spool.close()


@pytest.mark.usefixtures("still")
def test_a_spool_that_is_not_required_overflows(tmp_path: Path) -> None:
    """It holds nobody up: what there is no room for is dead-lettered."""
    letters = Letters()
    spool = a_spool(tmp_path, Target(), letters, room=1_000, required=False)
    spool.publish(Batch([event("m-0", text="x" * 600)]))
    assert spool.publish(Batch([event("m-1", text="x" * 600)])) == Delivered(0, 0, 1)
    ((message_id, reason),) = letters.kept
    assert (message_id, "is full" in reason, spool.tally.dead_lettered, spool.overflow) == ("m-1", True, 1, 1)
    letters.errors = [RetryableDeliveryError("disk full")]
    with pytest.raises(RetryableDeliveryError, match="disk full"):
        spool.publish(Batch([event("m-2", text="x" * 600)]))
    spool.close()


@pytest.mark.usefixtures("still")
def test_one_item_that_cannot_be_kept(tmp_path: Path) -> None:
    """What is too large or has no form on disk is dead-lettered alone, its neighbours are taken."""
    target, letters = Target(), Letters()
    spool = a_spool(tmp_path, target, letters, room=3_000)
    odd = msgspec.structs.replace(event("odd"), raw={"a": object()})
    large = event("large", text="x" * 3_000)
    batch = Batch([event("m-0"), odd, event("m-1"), event("m-2"), large, event("m-3")])
    assert spool.publish(batch) == Delivered(0, 0, 2)
    assert [message_id for message_id, _ in letters.kept] == ["odd", "large"]
    while spool.deliver_next():
        pass
    assert target.all == ["m-0", "m-1", "m-2", "m-3"]
    spool.close()


@pytest.mark.usefixtures("still")
def test_a_record_of_which_nothing_can_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A record that a later release wrote is set aside and the others are delivered."""
    files = opened(tmp_path)
    files.append(encode_batch(Batch([event("m-1")])), 1, 1_000.0)
    files.append(b"\x93 of a later release", 3, 1_000.0)
    files.append(encode_batch(Batch([event("m-2")])), 1, 1_000.0)
    files.append(b"\x93 of a later release", 3, 1_000.0)
    files.close()
    target = Target()
    spool = a_spool(tmp_path, target)
    while spool.deliver_next():
        pass
    assert target.ids == [["m-1", "m-2"]]
    assert spool.state == SpoolState(0, 0, None, 2 * (24 + 20), 0, 0)
    assert len(list(tmp_path.glob("*.corrupt"))) == 2
    assert "a record of 3 items that cannot be read" in caplog.text
    spool.close()


@pytest.mark.usefixtures("still")
def test_nothing_but_what_cannot_be_read(tmp_path: Path) -> None:
    """A spool whose records are all damaged is empty, and goes on."""
    target = Target()
    spool = a_spool(tmp_path, target)
    spool.publish(Batch([event("m-1")]))
    damage(segments(tmp_path)[0], 50)
    assert spool.deliver_next()
    assert not spool.deliver_next()
    assert spool.state[:3] == (0, 0, None)
    spool.publish(Batch([event("m-2")]))
    assert spool.deliver_next()
    assert target.ids == [["m-2"]]
    spool.close()


def test_a_fault_of_ours_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is raised, the thread goes on, and nothing is settled that was not delivered."""
    target = Target(lambda batch: OSError(errno.EIO, "input/output error"), lambda batch: KeyError("bug"))
    spool = a_spool(tmp_path, target)
    spool.publish(Batch([event("m-1")]))
    spool.close()
    assert target.ids == [["m-1"]]
    assert caplog.text.count("the spool cannot be delivered") == 2


def test_closing_while_the_target_is_away(tmp_path: Path) -> None:
    """What it does not take is left for the next time; closing twice does no harm."""
    spool = leave(tmp_path)
    spool.close()
    files = opened(tmp_path)
    assert files.waiting[0] == 1
    files.close()
    with pytest.raises(DeliveryError, match="is closed"):
        spool.publish(Batch([event("m-2")]))


def test_a_record_says_where_it_stands(tmp_path: Path) -> None:
    """What is read has all that was said when it was appended."""
    files = opened(tmp_path)
    end = files.append(b"payload", 3, 1.5)
    assert list(files.read_from(files.settled)) == [Record(b"payload", 3, 1.5, Cursor(0, 0, 0), Cursor(0, 31, 3))]
    assert end == Cursor(0, 31, 3) == files.end
    files.close()


def test_a_full_disk_takes_back_the_room_of_what_is_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment of which all is delivered gives way where the disk is full, so that nobody waits for ever."""
    files = SpoolFiles(tmp_path / "spool", max_bytes=10_000)
    for number in range(3):
        end = files.append(b"x" * 100, 1, float(number))
    written = os.pwrite

    def full(file: int, data: Any, offset: int) -> int:
        used = sum(path.stat().st_size for path in (tmp_path / "spool").glob("*.segment"))
        if used + len(data) > 450:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(file, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(RetryableDeliveryError, match="No space left on device"):
        files.append(b"y" * 100, 1, 3.0)
    files.settle(end)
    files.append(b"y" * 100, 1, 3.0)
    assert [record.payload for record in files.read_from(files.settled)] == [b"y" * 100]
    files.close()
    again = SpoolFiles(tmp_path / "spool", max_bytes=10_000)
    assert [record.payload for record in again.read_from(again.settled)] == [b"y" * 100]
    again.close()
