"""Dead letters in a file, as lines of JSON that one can read, search and copy.

The file is only appended to, by any number of processes: each holds its lock while it writes. A line is a letter, or
says that letters were tried again or are settled; `purge` writes the file anew with what is open.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from eventdefs.deadletters.letters import VERSION, DeadLetter, Unreadable, read_letter, write_letter
from eventdefs.deadletters.places import MODE, Head, How, Index, Warn, head_of
from eventdefs.encode import write_json
from eventdefs.errors import InputError, RetryableDeliveryError


class _Line(msgspec.Struct, frozen=True):
    """A line, as far as an index needs it."""

    version: int | None = None
    id: str = ""
    count: int = 1
    attempts: int = 0
    first: datetime | None = None
    last: datetime | None = None
    tried: list[str] = []
    settled: Literal["", "replayed", "dropped"] = ""
    ids: list[str] = []


_read_line = msgspec.json.Decoder(_Line).decode


class FilePlace:
    """A file of dead letters: ``dead.jsonl`` or ``file:///var/lib/eventdefs/dead.jsonl``.

    Attributes:
        name: its path.
    """

    def __init__(self, path: str, warn: Warn, *, create: bool = True) -> None:
        """Open the file *path*, which is made where it is not there, unless *create* says not to.

        Raises:
            RetryableDeliveryError: it cannot be opened for writing.
            InputError: it is not there and is not to be made.
        """
        self.name = path
        self._warn = warn
        self._file: int | None = None
        if create:
            self._file = self._open()
        elif not os.path.exists(path):
            raise InputError(f"there are no dead letters {path}")

    def _open(self) -> int:
        new = not os.path.exists(self.name)
        try:
            file = os.open(self.name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
        except OSError as error:
            raise self._failure(error) from error
        if new:
            _sync_folder(self.name)
        return file

    def _failure(self, error: OSError) -> RetryableDeliveryError:
        return RetryableDeliveryError(f"dead letters {self.name}: {error.strerror}")

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Yield the file, which no other process of ours writes meanwhile."""
        while True:
            if self._file is None:
                self._file = self._open()
            file = self._file
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(file), os.stat(self.name)):
                    break
            except FileNotFoundError:
                pass
            except OSError as error:
                self.close()  # and with it the lock, which others may wait for
                raise self._failure(error) from error
            self.close()  # it was purged or moved away while we waited
        try:
            yield file
        except OSError as error:
            raise self._failure(error) from error
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    # --- writing -----------------------------------------------------------------------------------------------------

    def add(self, letters: Sequence[DeadLetter]) -> None:
        self._append([write_letter(letter) for letter in letters])

    def tried(self, letters: Sequence[DeadLetter]) -> None:
        if letters:
            ids = [letter.id for letter in letters]
            self._append([write_json({"version": VERSION, "tried": ids, "at": datetime.now(UTC)})])

    def settle(self, ids: Collection[str], how: How) -> None:
        if ids:
            self._append([write_json({"version": VERSION, "settled": how, "ids": list(ids), "at": datetime.now(UTC)})])

    def _append(self, lines: list[bytes]) -> None:
        """Write *lines*, all or none, and return when they are on the disk."""
        if not lines:
            return
        data = b"\n".join(lines) + b"\n"
        with self._locked() as file:
            status = os.fstat(file)
            regular = stat.S_ISREG(status.st_mode)
            if regular and status.st_size and os.pread(file, 1, status.st_size - 1) != b"\n":
                data = b"\n" + data  # whoever wrote before us was killed in the middle of a line
            try:
                _write(file, data)
                if regular:
                    os.fsync(file)
            except OSError:
                if regular:
                    with suppress(OSError):
                        os.ftruncate(file, status.st_size)
                raise

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self) -> Iterator[DeadLetter]:
        try:
            with open(self.name, "rb") as stream:
                index = _index(stream, lambda at, why: self._warn(f"{self.name}:{at.line}: {why}"))
                for at in index.positions():
                    stream.seek(at.byte)
                    try:
                        letter = index.whole(at, read_letter(stream.readline()))
                    except Unreadable as error:
                        self._warn(f"{self.name}:{at.line}: {error}")
                    else:
                        if letter is not None:
                            yield letter
        except OSError as error:
            raise self._failure(error) from error

    def purge(self) -> int:
        """Write the file anew with the open letters, one line each; return how many lines fewer it has.

        What cannot be read is kept as it is.
        """
        with self._locked() as file:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                return 0
            path = f"{self.name}.purging"
            with suppress(FileNotFoundError):  # of a purge that was killed
                os.unlink(path)
            try:
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as new:
                    os.fchmod(new.fileno(), stat.S_IMODE(status.st_mode))
                    with suppress(PermissionError):
                        os.fchown(new.fileno(), status.st_uid, status.st_gid)
                    with open(self.name, "rb") as old:
                        fewer = _copy_open(old, new)
                    new.flush()
                    os.fsync(new.fileno())
                os.replace(path, self.name)
            except OSError:
                with suppress(OSError):
                    os.unlink(path)
                raise
            _sync_folder(self.name)
            return fewer

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _At(NamedTuple):
    """Where a line begins."""

    byte: int
    line: int


def _index(stream: BinaryIO, unread: Callable[[_At, str], object]) -> Index:
    """Return which letters of *stream* are open now; say what cannot be read."""
    index = Index()
    size = os.fstat(stream.fileno()).st_size
    at = _At(0, 1)
    while at.byte < size and (line := stream.readline()):
        if line.strip():
            try:
                _take_in(line, at, index)
            except Unreadable as error:
                unread(at, str(error) if line.endswith(b"\n") else "cut off in the middle")
        at = _At(at.byte + len(line), at.line + 1)
    return index


def _take_in(line: bytes, at: _At, index: Index) -> None:
    try:
        found = _read_line(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        found = _Line()
    if found.settled:
        for one in found.ids:
            index.settle(one)
    elif found.tried:
        for one in found.tried:
            index.tried(one)
    elif found.version == VERSION and found.id:
        index.add(at, Head(found.id, found.count, found.attempts, found.first, found.last))
    else:
        index.add(at, head_of(read_letter(line)))


def _copy_open(old: BinaryIO, new: BinaryIO) -> int:
    """Write what is open, and what cannot be read, to *new*; return how many lines of *old* that leaves out."""
    unread: list[_At] = []
    index = _index(old, lambda at, _: unread.append(at))
    old.seek(0)
    lines = sum(1 for _ in old)
    kept = sorted([*index.positions(), *unread])
    for at in kept:
        old.seek(at.byte)
        line = old.readline()
        with suppress(Unreadable):
            letter = index.whole(at, read_letter(line))
            line = line if letter is None else write_letter(letter)
        new.write(line.rstrip(b"\n") + b"\n")
    return lines - len(kept)


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _sync_folder(path: str) -> None:
    """Make the name of a new file durable, where a folder can be synced."""
    with suppress(OSError):
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
