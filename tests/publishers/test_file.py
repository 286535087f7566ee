"""`file://`: rotation, compression, what is on the disk when, and what happens in between."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eventdefs import Batch, Delivered, PublisherURLError, RetryableDeliveryError, open_publisher
from eventdefs.decode import decode_item
from eventdefs.publishers import PublisherURL
from eventdefs.publishers.file import _BEGINNINGS, FileOptions, FilePublisher
from eventdefs.publishers.formats import FORMATS
from eventdefs.testing import PublisherContract, Target
from eventdefs.types import Item
from tests.making import closure, event, gap, period, refusal, sample, usage

NOON = datetime(2026, 7, 31, 12, tzinfo=UTC).timestamp()


RUNS = int(os.environ.get("EVENTDEFS_FAULT_RUNS", "4"))
"""How often a process is killed."""


class Clock:
    """Seconds that go by when they are told to."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def opened(path: Path, clock: Clock | None = None, **options: Any) -> FilePublisher:
    return FilePublisher(PublisherURL("file", str(path), {}), FileOptions(**options), clock or Clock())


def publish(publisher: FilePublisher, *ids: str) -> Delivered:
    return publisher.publish(Batch([event(one) for one in ids]))


def data(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def held(path: Path) -> dict[str, list[str]]:
    """Return the message_ids that *path* and each rotated file have, by what stands after the name."""
    found = sorted(path.parent.glob(f"{path.name}*"))
    return {one.name.removeprefix(path.name): ids(data(one)) for one in found}


def ids(lines: bytes) -> list[str]:
    return [json.loads(line)["message_id"] for line in lines.splitlines()]


class TestRotating(PublisherContract):
    """A file that is rotated at every batch, and compressed, with all that it owes."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Target:
        path = tmp_path / "out.jsonl"

        def received() -> Iterator[Item]:
            numbers = [int(one.name.split(".")[2]) for one in tmp_path.glob("out.jsonl.*.gz")]
            for number in sorted(numbers, reverse=True):
                yield from map(decode_item, data(tmp_path / f"out.jsonl.{number}.gz").splitlines())
            yield from map(decode_item, path.read_bytes().splitlines())

        return Target(f"file://{path}?max_bytes=1&gzip=true", received, replaces=False)


def test_rotation_by_size(tmp_path: Path) -> None:
    """A file does not grow beyond its bytes, unless one batch is larger; a batch is never torn between two."""
    path = tmp_path / "f"
    publisher = opened(path)
    publish(publisher, "0")
    size = path.stat().st_size
    publisher.close()
    path.unlink()
    publisher = opened(path, max_bytes=2 * size)
    publish(publisher, "a")
    publish(publisher, "b")
    assert held(path) == {"": ["a", "b"]}
    publish(publisher, "c", "d", "e")
    assert held(path) == {"": ["c", "d", "e"], ".1": ["a", "b"]}
    publish(publisher, "f")
    publish(publisher, "g")
    publish(publisher, "h")
    assert held(path) == {"": ["h"], ".1": ["f", "g"], ".2": ["c", "d", "e"], ".3": ["a", "b"]}
    publisher.close()
    publisher = opened(path, max_bytes=2 * size)
    publish(publisher, "i")
    publish(publisher, "j")
    publisher.close()
    assert held(path)[""] == ["j"]
    assert held(path)[".1"] == ["h", "i"]


PERIODS = {
    "hourly, the same hour": ("hourly", 3599.0, False),
    "hourly, the next hour": ("hourly", 3600.0, True),
    "hourly, a day later": ("hourly", 86400.0, True),
    "hourly, a clock that went back": ("hourly", -7200.0, False),
    "daily, the same day": ("daily", 12 * 3600 - 1.0, False),
    "daily, the next day": ("daily", 12 * 3600.0, True),
    "by size only": ("size", 10 * 86400.0, False),
}


@pytest.mark.parametrize("reopened", [False, True])
@pytest.mark.parametrize(("rotate", "seconds", "rotated"), PERIODS.values(), ids=PERIODS)
def test_rotation_by_time(rotate: Any, seconds: float, rotated: bool, reopened: bool, tmp_path: Path) -> None:
    """What is written after an hour or day in UTC is over goes into a new file, after a restart too."""
    path, clock = tmp_path / "f", Clock()
    publisher = opened(path, clock, rotate=rotate)
    publish(publisher, "a")
    if reopened:
        publisher.close()
        os.utime(path, (NOON, NOON))
        publisher = opened(path, clock, rotate=rotate)
    clock.now += seconds
    publish(publisher, "b")
    publish(publisher, "c")
    publisher.close()
    assert held(path) == ({"": ["b", "c"], ".1": ["a"]} if rotated else {"": ["a", "b", "c"]})


def test_an_empty_file_is_not_rotated(tmp_path: Path) -> None:
    """There are no empty rotated files."""
    clock = Clock()
    publisher = opened(tmp_path / "f", clock, rotate="hourly", max_bytes=1)
    clock.now += 86400
    publish(publisher, "a")
    publisher.publish(Batch())
    publisher.close()
    assert held(tmp_path / "f") == {"": ["a"]}


def test_how_many_are_kept(tmp_path: Path) -> None:
    """Rotated files beyond the count are removed, oldest first, and no others; without a count none is."""
    path = tmp_path / "f"
    publisher = opened(path, max_bytes=1, backup_count=2)
    (tmp_path / "f.bak").write_text("{}")
    (tmp_path / "f.0").write_text("{}")
    (tmp_path / "f.01").write_text("{}")
    (tmp_path / "g.1").write_text("{}")
    for one in "abcde":
        publish(publisher, one)
    publisher.close()
    names = sorted(one.name for one in tmp_path.iterdir())
    assert names == ["f", "f.0", "f.01", "f.1", "f.2", "f.bak", "g.1"]
    assert [ids(data(tmp_path / name)) for name in ("f", "f.1", "f.2")] == [["e"], ["d"], ["c"]]
    publisher = opened(path, max_bytes=1)
    for one in "fghijklmnop":
        publish(publisher, one)
    publisher.close()
    assert [ids(data(tmp_path / f"f.{number}")) for number in range(1, 14)] == [[one] for one in "onmlkjihgfedc"]
    opened(path, max_bytes=1, backup_count=3).close()
    assert sorted(one.name for one in tmp_path.glob("f.?")) == ["f.0", "f.1", "f.2", "f.3"]


def test_ceilometers_options(tmp_path: Path) -> None:
    """Its URL means here what it means there: JSON in its form, rotated by size, so many kept, `.1` the latest."""
    path = tmp_path / "f"
    publisher = open_publisher(f"file://{path}?max_bytes=100&backup_count=1&json=true")
    for name in ("s-1", "s-2", "s-3"):
        publisher.publish(Batch([], [sample(name)]))
    publisher.close()
    found = {one.name: [json.loads(line)["id"] for line in data(one).splitlines()] for one in tmp_path.iterdir()}
    assert found == {"f": ["s-3"], "f.1": ["s-2"]}
    assert json.loads(path.read_bytes())["resource_metadata"] == {"status": "available"}
    publisher = open_publisher(f"file://{tmp_path}/g?json=true&format=native")
    publisher.publish(Batch([event("m-1")]))
    publisher.close()
    assert json.loads((tmp_path / "g").read_bytes())["kind"] == "event"


# --- compression -----------------------------------------------------------------------------------------------------


def test_rotated_files_are_compressed(tmp_path: Path) -> None:
    """They are, the live one is not; mode and time stay, and nothing is left lying about."""
    path = tmp_path / "f"
    publisher = opened(path, max_bytes=1, gzip=True, mode="0640", backup_count=2)
    publish(publisher, "a")
    os.utime(path, (NOON, NOON))
    for one in "bcd":
        publish(publisher, one)
        assert held(path)[".1.gz"] == [chr(ord(one) - 1)]
    publisher.close()
    assert held(path) == {"": ["d"], ".1.gz": ["c"], ".2.gz": ["b"]}
    assert oct((tmp_path / "f.1.gz").stat().st_mode & 0o777) == "0o640"
    publisher = opened(tmp_path / "g", max_bytes=1, gzip=True)
    publish(publisher, "a")
    os.utime(tmp_path / "g", (NOON, NOON))
    publish(publisher, "b")
    assert (tmp_path / "g.1.gz").stat().st_mtime == NOON
    publisher.close()


def test_what_was_not_compressed_is(tmp_path: Path) -> None:
    """Files that were rotated before it was asked for, or when the process was killed, are compressed when it opens."""
    path = tmp_path / "f"
    publisher = opened(path, max_bytes=1)
    for one in "abc":
        publish(publisher, one)
    publisher.close()
    (tmp_path / "f.1.gz.new").write_bytes(b"half")
    opened(path, max_bytes=1, gzip=True).close()
    assert held(path) == {"": ["c"], ".1.gz": ["b"], ".2.gz": ["a"]}
    (tmp_path / "f.1").write_bytes(data(tmp_path / "f.1.gz"))
    opened(path, max_bytes=1, gzip=True).close()
    assert held(path) == {"": ["c"], ".1.gz": ["b"], ".2.gz": ["a"]}
    publisher = opened(path, max_bytes=1)
    publish(publisher, "d")
    publisher.close()
    assert held(path) == {"": ["d"], ".1": ["c"], ".2.gz": ["b"], ".3.gz": ["a"]}


# --- duplicates ------------------------------------------------------------------------------------------------------

EVERY_KIND = Batch([event()], [sample()], [period()], [usage(), gap(), refusal(), closure()])


@pytest.mark.parametrize("compressed", [False, True])
def test_duplicates_are_found_in_rotated_files(compressed: bool, tmp_path: Path) -> None:
    """What a rotated file has is not written again, in this process or the next."""
    path = tmp_path / "f"
    publisher = opened(path, max_bytes=1, gzip=compressed)
    publisher.publish(EVERY_KIND)
    publish(publisher, "b")
    assert publisher.publish(EVERY_KIND) == Delivered(7, 7)
    publisher.close()
    publisher = opened(path, max_bytes=1, gzip=compressed)
    assert publisher.publish(EVERY_KIND) == Delivered(7, 7)
    publisher.close()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("reopened", [False, True])
def test_what_was_removed_is_forgotten(reopened: bool, tmp_path: Path) -> None:
    """What only a removed file had is written again: the memory that is used follows the files that are kept."""
    path = tmp_path / "f"
    publisher = opened(path, max_bytes=1, backup_count=1)
    for one in "abc":
        publish(publisher, one)
    if reopened:
        publisher.close()
        publisher = opened(path, max_bytes=1, backup_count=1)
    assert publish(publisher, "b", "c") == Delivered(2, 2)
    assert publish(publisher, "a") == Delivered(1, 0)
    assert publish(publisher, "b") == Delivered(1, 0)
    publisher.close()


def test_what_is_to_replace_is_appended(tmp_path: Path) -> None:
    """A line cannot be taken back: the new one comes after it, and the last one counts."""
    path = tmp_path / "f"
    publisher = opened(path)
    publisher.publish(Batch([event("m-1", size=1), event("m-2")]))
    assert publisher.publish(Batch([event("m-1", size=2), event("m-3")], replace=True)) == Delivered(2, 1)
    assert publisher.publish(Batch([event("m-1", size=3), event("m-3")])) == Delivered(2, 2)
    publisher.close()
    publisher = opened(path)
    assert publish(publisher, "m-1", "m-2", "m-3") == Delivered(3, 3)
    publisher.close()
    written = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [(line["message_id"], line["traits"]) for line in written] == [
        ("m-1", {"size": 1}),
        ("m-2", {}),
        ("m-1", {"size": 2}),
        ("m-3", {}),
    ]


def test_rotated_files_of_others(tmp_path: Path) -> None:
    """What is no file of ours is said and not touched; without rotation, nobody looks at it."""
    path = tmp_path / "f"
    (tmp_path / "f.2").write_bytes(b'{"kind":"sample","id":"s-1"}\nhello\n')
    with pytest.raises(PublisherURLError) as raised:
        opened(path, max_bytes=1)
    assert str(raised.value) == f"file://{path}: f.2: line 2 was not written by this publisher in this form"
    for broken in (b"no gzip", gzip.compress(b'{"kind":"sample","id":"s-1"}\n')[:-9]):
        (tmp_path / "f.1.gz").write_bytes(broken)
        (tmp_path / "f.2").write_bytes(b"")
        with pytest.raises(PublisherURLError, match=f"file://{path}: "):
            opened(path, max_bytes=1)
        assert (tmp_path / "f.1.gz").read_bytes() == broken
    opened(path).close()


@pytest.mark.parametrize("form", FORMATS)
def test_a_torn_line_of_every_form_is_cut_off(form: Any, tmp_path: Path) -> None:
    """Each form's lines are known by how they begin."""
    path = tmp_path / "f"
    for batch in (Batch([event("m-1")]), Batch([], [sample("s-1")])):
        publisher = opened(path, format=form)
        publisher.publish(batch)
        publisher.close()
        whole = path.read_bytes()
        assert whole.splitlines()[-1].startswith(_BEGINNINGS[form])
        path.write_bytes(whole[:-10])
        publisher = opened(path, format=form)
        assert publisher.publish(batch) == Delivered(1, 0)
        assert publisher.publish(batch) == Delivered(1, 1)
        publisher.close()
        assert path.read_bytes() == whole


# --- the disk --------------------------------------------------------------------------------------------------------


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of what is brought to the disk, as it is."""
    names: list[str] = []
    fsync = os.fsync

    def note(file: int) -> None:
        fsync(file)
        names.append(Path(os.readlink(f"/proc/self/fd/{file}")).name)

    monkeypatch.setattr(os, "fsync", note)
    return names


POLICIES = {"batch": 3, "close": 1, "never": 0}


@pytest.mark.parametrize(("policy", "times"), POLICIES.items())
def test_when_it_is_on_the_disk(policy: Any, times: int, tmp_path: Path, synced: list[str]) -> None:
    """By default when `publish` returns; when it is closed; or when the kernel likes."""
    publisher = opened(tmp_path / "f", fsync=policy)
    publish(publisher, "a")
    publish(publisher, "b")
    assert synced.count("f") == (2 if policy == "batch" else 0)
    publisher.close()
    assert synced.count("f") == times
    assert (tmp_path.name in synced) == (policy != "never")


@pytest.mark.parametrize(
    ("mode", "expected"), [("", "0o644"), ("0640", "0o640"), ("600", "0o600"), ("0666", "0o666"), ("0777", "0o777")]
)
def test_mode_of_new_files(mode: str, expected: str, tmp_path: Path) -> None:
    """New files have it, whatever the umask; files that are there keep theirs."""
    before = os.umask(0o022)
    try:
        publisher = opened(tmp_path / "f", mode=mode, max_bytes=1)
        publish(publisher, "a")
        publish(publisher, "b")
        publisher.close()
        assert {oct(one.stat().st_mode & 0o777) for one in tmp_path.iterdir()} == {expected}
        (tmp_path / "f").chmod(0o604)
        opened(tmp_path / "f", mode=mode).close()
        assert oct((tmp_path / "f").stat().st_mode & 0o777) == "0o604"
    finally:
        os.umask(before)


BAD_OPTIONS = {
    "max_bytes=-1": "max_bytes is -1, expected 0 or more",
    "backup_count=-1": "backup_count is -1, expected 0 or more",
    "max_bytes=1MB": "Expected `int`, got `str` - at `$.max_bytes`",
    "rotate=weekly": "Invalid enum value 'weekly' - at `$.rotate`",
    "fsync=yes": "Invalid enum value 'yes' - at `$.fsync`",
    "gzip=9": "Expected `bool`, got `str` - at `$.gzip`",
    "mode=rw": "mode is 'rw', expected octal digits that let us read and write, as 0640",
    "mode=0440": "mode is '0440', expected octal digits that let us read and write, as 0640",
    "mode=0o640": "mode is '0o640', expected octal digits that let us read and write, as 0640",
    "keep=5": "unknown option 'keep', known are " + ", ".join(FileOptions.__struct_fields__),
}


@pytest.mark.parametrize(("option", "message"), BAD_OPTIONS.items())
def test_bad_options(option: str, message: str, tmp_path: Path) -> None:
    """What an option does not take is said before a file is made."""
    with pytest.raises(PublisherURLError) as raised:
        open_publisher(f"file://{tmp_path}/f?{option}")
    assert str(raised.value) == f"file://{tmp_path}/f: {message}"
    assert list(tmp_path.iterdir()) == []


# --- what somebody else does -----------------------------------------------------------------------------------------


def test_a_file_that_was_moved_away(tmp_path: Path) -> None:
    """What logrotate moves is noticed: a new file is begun, and nothing is written where nobody finds it."""
    path = tmp_path / "f"
    publisher = opened(path)
    publish(publisher, "a")
    path.rename(tmp_path / "moved")
    assert publish(publisher, "a", "b") == Delivered(2, 1)
    (path).unlink()
    publish(publisher, "c")
    path.rename(tmp_path / "moved again")
    path.write_bytes((tmp_path / "moved").read_bytes())
    publish(publisher, "d")
    publisher.close()
    assert ids((tmp_path / "moved").read_bytes()) == ["a"]
    assert ids((tmp_path / "moved again").read_bytes()) == ["c"]
    assert ids(path.read_bytes()) == ["a", "d"]


def test_a_file_that_somebody_put_there(tmp_path: Path) -> None:
    """It is not written while it is not ours, and is when it is gone."""
    path = tmp_path / "f"
    publisher = opened(path)
    path.unlink()
    path.write_bytes(b"hello\n")
    with pytest.raises(RetryableDeliveryError, match=r"f: line 1 was not written by this publisher in this form"):
        publish(publisher, "a")
    assert path.read_bytes() == b"hello\n"
    path.unlink()
    publish(publisher, "a")
    publisher.close()
    assert held(path) == {"": ["a"]}


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """A batch waits until it is back, and `check` says so."""
    folder = tmp_path / "folder"
    folder.mkdir()
    publisher = opened(folder / "f", max_bytes=1)
    publish(publisher, "a")
    publisher.check()
    folder.rename(tmp_path / "other")
    with pytest.raises(RetryableDeliveryError) as raised:
        publish(publisher, "b")
    assert str(raised.value) == f"{folder}/f: No such file or directory"
    with pytest.raises(RetryableDeliveryError, match="its folder is gone"):
        publisher.check()
    (tmp_path / "other").rename(folder)
    publish(publisher, "b")
    publisher.close()
    assert held(folder / "f") == {"": ["b"], ".1": ["a"]}
    with pytest.raises(RetryableDeliveryError, match="f is closed"):
        publish(publisher, "c")


def test_a_free_number_is_filled(tmp_path: Path) -> None:
    """What a process that was killed in the middle of a rotation left is put right by the next one: nothing is lost."""
    path = tmp_path / "f"
    publisher = opened(path, max_bytes=1)
    for one in "abcd":
        publish(publisher, one)
    publisher.close()
    (tmp_path / "f.3").rename(tmp_path / "f.4")
    (tmp_path / "f.2").rename(tmp_path / "f.3")
    publisher = opened(path, max_bytes=1)
    publish(publisher, "e")
    assert held(path) == {"": ["e"], ".1": ["d"], ".2": ["c"], ".3": ["b"], ".4": ["a"]}
    publisher.close()
    path.rename(tmp_path / "f.5")
    publisher = opened(path, max_bytes=1)
    assert publish(publisher, "a", "b", "c", "d", "e") == Delivered(5, 5)
    publisher.close()


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Let files of this process grow to so many bytes only."""
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_while_compressing(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    """What cannot be compressed stays as it is, the batch is written, and it is compressed later."""
    path = tmp_path / "f"
    publisher = opened(path, max_bytes=1, gzip=True)
    chance = random.Random(1)
    publisher.publish(Batch([event("a", text=f"{chance.getrandbits(4000 * 8):x}")]))
    small_files(2_000)
    publish(publisher, "b")
    small_files(resource.RLIM_INFINITY)
    assert held(path) == {"": ["b"], ".1": ["a"]}
    publish(publisher, "c")
    publisher.close()
    assert held(path) == {"": ["c"], ".1.gz": ["b"], ".2.gz": ["a"]}


# --- processes -------------------------------------------------------------------------------------------------------

WRITE = """
    import sys
    from eventdefs import Batch, open_publisher
    from tests.making import event, sample
    publisher = open_publisher(sys.argv[1])
    for number in range(int(sys.argv[2]), 10**9):
        publisher.publish(Batch([event(f"m-{number}-{index}", text="x" * 100) for index in range(5)]))
        sys.stdout.buffer.write(b"%d\\n" % number)
        sys.stdout.buffer.flush()
"""

KILLED = {
    "rotated by size": "max_bytes=2000",
    "rotated and compressed": "max_bytes=2000&gzip=true",
    "compressed at every batch": "max_bytes=1&gzip=true&fsync=close",
}


@pytest.mark.parametrize("options", KILLED.values(), ids=KILLED)
def test_killed_while_it_rotates(options: str, tmp_path: Path) -> None:
    """What was confirmed is in the live file or a rotated one, once, whenever the process was killed."""
    path = tmp_path / "f"
    chance = random.Random(3)
    confirmed = -1
    for _ in range(RUNS):
        command = [sys.executable, "-c", textwrap.dedent(WRITE), f"file://{path}?{options}", str(confirmed + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            said = [writer.stdout.readline() for _ in range(chance.randint(1, 60))]
            writer.kill()
            said += [line for line in writer.stdout if line.endswith(b"\n")]
        assert writer.returncode == -signal.SIGKILL
        confirmed = int(said[-1])
        publisher: Any = open_publisher(f"file://{path}?{options}")
        publisher.close()
        found = [one for part in held(path).values() for one in part]
        assert len(found) == len(set(found))
        assert {f"m-{number}-{index}" for number in range(confirmed + 1) for index in range(5)} <= set(found)


def test_the_file_of_another_process(tmp_path: Path) -> None:
    """One process writes a file, also when it has rotated it."""
    path = tmp_path / "f"
    command = [sys.executable, "-c", textwrap.dedent(WRITE), f"file://{path}?max_bytes=1", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, writer.pid, os.WSTOPPED | os.WNOWAIT)
        live = path.exists()
        if live:
            with pytest.raises(PublisherURLError) as raised:
                open_publisher(f"file://{path}?max_bytes=1")
            assert str(raised.value) == f"file://{path} is being written by another process"
        writer.kill()
    open_publisher(f"file://{path}?max_bytes=1").close()


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """A file has none, and what stands where a password would is not shown all the same."""
    with pytest.raises(PublisherURLError) as raised:
        open_publisher("file://me:s3cr3t@no/such/file")
    assert "s3cr3t" not in str(raised.value)
