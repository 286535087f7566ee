"""`file://` appends lines of JSON, each event, sample, period and record once however often it is published.

What is in the file is known by identity: an event by tenant and message_id, all else by id; in
other forms, which do not say all of that, by the whole line. A line that a crash left unfinished is
cut off when the file is opened next. One process writes a file at a time.

A file that is rotated becomes `.1`, what was `.1` becomes `.2`, and so on, as Ceilometer's publisher and logrotate
name them. Files are renamed from the highest number down to the first that is free, so that one that is killed half
way overwrites nothing: it leaves a free number, which the next rotation fills.
"""

from __future__ import annotations

import fcntl
import gzip
import logging
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal
from urllib.parse import unquote

import msgspec

from eventdefs.decode import read_json
from eventdefs.encode import write_json
from eventdefs.errors import DecodeError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers import Batch, Delivered, PublisherURL
from eventdefs.publishers.formats import FORMATS, FormatName, encode_lines
from eventdefs.types import kind_of

_log = logging.getLogger(__name__)

_BEGINNINGS = {
    "native": (b'{"kind":"',),
    "ceilometer": (b'{"message_id":"', b'{"id":"'),
    "cloudevents": (b'{"id":"',),
    "monasca": (b'{"dimensions":', b'{"name":"'),
}
"""How our lines begin in each form."""
_SECONDS = {"hourly": 3600, "daily": 86400}
_GZIP_LEVEL = 6


def _identity_of_value(kind: str, id: str) -> bytes:
    """Return how a value other than an event is known; a sample of usage has the id of the usage."""
    return id.encode() if kind in ("sample", "period") else f"{kind} {id}".encode()


class FileOptions(msgspec.Struct, frozen=True):
    """Options of `file://`. Those of Ceilometer's publisher have its names.

    Attributes:
        format: `native`, `ceilometer`, `cloudevents` or `monasca`.
        duplicates: `skip` leaves out what the file has already, or a rotated one that is kept, which takes some 100
            bytes of memory for each line; `keep` writes everything.
        max_bytes: rotate before a batch that would make the file larger; 0 for no bound.
        backup_count: how many rotated files are kept; 0 for all.
        rotate: `size` by `max_bytes` only; `hourly` and `daily` also when the hour or day is over, in UTC.
        gzip: whether rotated files are compressed.
        fsync: when what was written is brought to the disk: after each `batch`, at rotation and `close` only, or
            `never`, when the kernel likes.
        mode: of new files, in octal digits; '' for what the umask leaves.
        json: Ceilometer's word for lines of JSON: `format` is then `ceilometer` unless it is given.
    """

    format: FormatName = "native"
    duplicates: Literal["skip", "keep"] = "skip"
    max_bytes: int = 0
    backup_count: int = 0
    rotate: Literal["size", "hourly", "daily"] = "size"
    gzip: bool = False
    fsync: Literal["batch", "close", "never"] = "batch"
    mode: str = ""
    json: bool = False


class FilePublisher:
    """Appends to one file: ``file:///var/lib/events.jsonl``, or ``file://events.jsonl`` in the current directory."""

    Options: ClassVar[type[msgspec.Struct]] = FileOptions

    def __init__(self, url: PublisherURL, options: FileOptions, clock: Callable[[], float] = time.time) -> None:
        """Open the file of *url*; *clock* gives the seconds by which hours and days are over."""
        self._format = "ceilometer" if options.json and "format" not in url.options else options.format
        self._form = FORMATS[self._format]
        self._by_line = self._format != "native"
        self._options = options
        self._clock = clock
        self._path = Path(unquote(url.target))
        if not url.target or url.target.endswith("/"):
            raise PublisherURLError(f"{url.text} names no file, as file:///var/lib/events.jsonl does")
        for name in ("max_bytes", "backup_count"):
            if getattr(options, name) < 0:
                raise PublisherURLError(f"{url.text}: {name} is {getattr(options, name)}, expected 0 or more")
        self._mode = _read_mode(url, options.mode)
        self._rotates = options.max_bytes > 0 or options.rotate in _SECONDS
        self._rotations = 0
        self._seen: dict[bytes, int] | None = {} if options.duplicates == "skip" else None
        """What the files have: the identity of each line, and how many rotations there were when it was written."""
        self._closed = False
        try:
            self._file = self._open()
        except BlockingIOError:
            raise PublisherURLError(f"{url.text} is being written by another process") from None
        except OSError as error:
            raise PublisherURLError(f"{url.text} cannot be opened: {error.strerror}") from error
        try:
            self._read_back()
            if self._rotates and self._path.is_file():
                self._tidy()
        except (OSError, EOFError, zlib.error, PublisherURLError) as error:
            self._file.close()
            raise PublisherURLError(f"{url.text}: {error}") from error

    # --- the file ---

    def _open(self) -> BinaryIO:
        """Open the file and lock it, so that nobody else writes it.

        Raises:
            BlockingIOError: another process writes it.
            OSError: it cannot be opened.
        """
        while True:
            file = open(self._path, "a+b", buffering=0, opener=self._opener)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_live(file):
                    self._written_at = os.fstat(file.fileno()).st_mtime
                    return file
            except BaseException:
                file.close()
                raise
            file.close()  # another process rotated it before we had the lock

    def _opener(self, path: str, flags: int) -> int:
        if self._mode is None:
            return os.open(path, flags, 0o666)
        try:
            file = os.open(path, flags | os.O_EXCL, self._mode)
        except FileExistsError:
            return os.open(path, flags)
        os.fchmod(file, self._mode)
        return file

    def _is_live(self, file: BinaryIO) -> bool:
        """Tell whether the path still leads to *file*."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def _reopen_where_moved(self) -> None:
        """Begin the file again where somebody moved or removed it, or where a rotation could not."""
        if not self._file.closed and self._is_live(self._file):
            return
        self._file.close()
        try:
            self._file = self._open()
            try:
                self._read_back_live()
            except BaseException:
                self._file.close()
                raise
        except BlockingIOError as error:
            raise RetryableDeliveryError(f"{self._path} is being written by another process") from error
        except OSError as error:
            raise RetryableDeliveryError(f"{self._path}: {error.strerror}") from error
        except PublisherURLError as error:
            raise RetryableDeliveryError(f"{self._path}: {error}") from error

    def _sync_folder(self) -> None:
        if self._options.fsync == "never":
            return
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    # --- what is there already ---

    def _read_back(self) -> None:
        """Learn what the files have, and mend a last line that was not finished."""
        if not self._path.is_file():  # a pipe or a device
            self._seen = None
            return
        if self._rotates and self._seen is not None:
            for number, path in reversed(self._backups().items()):
                with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
                    for place, line in enumerate(lines, 1):
                        self._seen[self._identity_of(f"{path.name}: line {place}", line.rstrip(b"\n"))] = -number
        self._read_back_live()
        self._sync_folder()

    def _read_back_live(self) -> None:
        if not self._path.is_file():
            return
        end, last, number = 0, b"", 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                last = line
                if not line.endswith(b"\n"):
                    break
                if self._seen is not None:
                    self._seen[self._identity_of(f"line {number}", line[:-1])] = self._rotations
                end += len(line)
        if last and not last.endswith(b"\n"):
            self._mend(f"line {number}", last, end)

    def _identity_of(self, place: str, line: bytes) -> bytes:
        try:
            return self._identity(line, read_json(line))
        except (DecodeError, KeyError, TypeError, AttributeError) as error:
            raise PublisherURLError(f"{place} was not written by this publisher in this form") from error

    def _mend(self, place: str, line: bytes, end: int) -> None:
        """End a last line that has no line end, or cut it off where it broke; a foreign one is left alone."""
        begins = _BEGINNINGS[self._format]
        if not any(line.startswith(begin) or begin.startswith(line) for begin in begins):
            raise PublisherURLError(f"{place} was not written by this publisher in this form")
        try:
            read_json(line)
        except DecodeError:
            _log.warning("%s: an unfinished last line of %d bytes is cut off", self._path, len(line))
            self._file.truncate(end)
            return
        identity = self._identity_of(place, line)
        if self._seen is not None:
            self._seen[identity] = self._rotations
        self._file.write(b"\n")

    def _identity(self, line: bytes, document: dict[str, Any]) -> bytes:
        if self._by_line:
            if document.get("kind") is not None:
                raise KeyError("a line in our own form")
            text = line
        elif document["kind"] == "event":
            text = write_json([document["tenant"], document["message_id"]])
        else:
            text = _identity_of_value(document["kind"], document["id"])
        return blake2b(text, digest_size=16).digest()

    # --- writing ---

    def publish(self, batch: Batch) -> Delivered:
        """Append what the files do not have, all of it or nothing; of a *batch* that is to replace, everything.

        Raises:
            RetryableDeliveryError: the disk is full, the folder is gone, or another process has the file.
            PermanentDeliveryError: something cannot be written as JSON.
        """
        if self._closed:
            raise RetryableDeliveryError(f"{self._path} is closed")
        lines = encode_lines(self._form, batch)
        known = 0
        fresh = lines
        identities: set[bytes] = set()
        if self._seen is not None:
            fresh = []
            for line, identity in zip(lines, self._identities(batch, lines), strict=True):
                if identity in self._seen or identity in identities:
                    known += 1
                    if not batch.replace:
                        continue
                identities.add(identity)
                fresh.append(line)
        if fresh:
            self._append(b"".join([line + b"\n" for line in fresh]))
        if self._seen is not None:
            self._seen.update(dict.fromkeys(identities, self._rotations))
        return Delivered(len(lines), known)

    def _identities(self, batch: Batch, lines: list[bytes]) -> list[bytes]:
        if self._by_line:
            texts = lines
        else:
            texts = [write_json([event.tenant, event.message_id]) for event in batch.events]
            texts += [sample.id.encode() for sample in batch.samples]
            texts += [period.id.encode() for period in batch.periods]
            texts += [_identity_of_value(kind_of(record), record.id) for record in batch.records]
        return [blake2b(text, digest_size=16).digest() for text in texts]

    def _append(self, data: bytes) -> None:
        self._reopen_where_moved()
        if not self._path.is_file():
            self._write(data)
            return
        if self._is_due(len(data)):
            self._rotate()
        self._write(data)
        self._written_at = self._clock()

    def _write(self, data: bytes) -> None:
        """Write all of *data* or nothing."""
        before = os.fstat(self._file.fileno()).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
            if self._options.fsync == "batch" and self._path.is_file():
                os.fsync(self._file.fileno())
        except OSError as error:
            if self._path.is_file():
                self._file.truncate(before)
            raise RetryableDeliveryError(f"{self._path}: {error.strerror}") from error

    # --- rotation ---

    def _is_due(self, size: int) -> bool:
        """Tell whether the file is to be rotated before *size* bytes are written to it."""
        if not self._rotates:
            return False
        has = os.fstat(self._file.fileno()).st_size
        if has == 0:
            return False
        if 0 < self._options.max_bytes < has + size:
            return True
        seconds = _SECONDS.get(self._options.rotate)
        return seconds is not None and self._written_at // seconds < self._clock() // seconds

    def _backups(self) -> dict[int, Path]:
        """Return the rotated files by number, the latest first; where one is there twice, the compressed one."""
        found = {}
        pattern = re.compile(re.escape(self._path.name) + r"\.([1-9][0-9]*)(?:\.gz)?")
        for path in sorted(self._path.parent.iterdir()):  # `.1` stands before `.1.gz`
            if matched := pattern.fullmatch(path.name):
                found[int(matched[1])] = path
        return dict(sorted(found.items()))

    def _numbered(self, number: int, suffix: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}{'.gz' if suffix == '.gz' else ''}")

    def _rotate(self) -> None:
        """Move what is there one number up and begin a new file.

        Raises:
            RetryableDeliveryError: it cannot be done, or not all of it; the next batch tries again.
        """
        try:
            if self._options.fsync != "never":
                os.fsync(self._file.fileno())
            backups = self._backups()
            free = next(number for number in range(1, len(backups) + 2) if number not in backups)
            for number in range(free - 1, 0, -1):
                backups[number].rename(self._numbered(number + 1, backups[number].suffix))
            self._path.rename(self._numbered(1, ""))
        except OSError as error:
            raise RetryableDeliveryError(f"{self._path} cannot be rotated: {error.strerror}") from error
        self._file.close()
        self._rotations += 1
        self._reopen_where_moved()
        try:
            self._tidy()
            self._sync_folder()
        except OSError as error:  # the batch can be written all the same, and the next rotation tries again
            _log.warning("%s: rotated files cannot be compressed or removed: %s", self._path, error.strerror)

    def _tidy(self) -> None:
        """Remove rotated files beyond those that are kept, and compress the others where that is asked for."""
        keep = self._options.backup_count
        for number, path in self._backups().items():
            if 0 < keep < number:
                path.unlink()
                continue
            if path.suffix == ".gz":
                self._numbered(number, "").unlink(missing_ok=True)  # killed between compressing and removing it
            elif self._options.gzip:
                self._compress(path)
        if keep and self._seen is not None:
            oldest = self._rotations - keep
            self._seen = {identity: written for identity, written in self._seen.items() if written >= oldest}

    def _compress(self, path: Path) -> None:
        new = path.with_name(f"{path.name}.gz.new")
        try:
            with path.open("rb") as plain, new.open("wb") as file:
                with gzip.GzipFile(
                    self._path.name, "wb", _GZIP_LEVEL, file, os.fstat(plain.fileno()).st_mtime
                ) as packed:
                    shutil.copyfileobj(plain, packed, 2**20)
                file.flush()
                os.fsync(file.fileno())
            shutil.copystat(path, new)
            new.rename(path.with_name(f"{path.name}.gz"))
        except OSError:
            new.unlink(missing_ok=True)
            raise
        path.unlink()

    def check(self) -> None:
        """It was opened, so it can be written; see whether it can still be found, and rotated.

        Raises:
            RetryableDeliveryError: its folder is gone, or cannot be written where it is to be rotated.
        """
        folder = self._path.parent
        if not folder.is_dir():
            raise RetryableDeliveryError(f"{self._path}: its folder is gone")
        if self._rotates and not os.access(folder, os.W_OK | os.X_OK):
            raise RetryableDeliveryError(f"{self._path} cannot be rotated: its folder cannot be written")

    def close(self) -> None:
        """Bring what was written to the disk."""
        self._closed = True
        if self._file.closed:
            return
        try:
            if self._options.fsync != "never" and self._path.is_file():
                os.fsync(self._file.fileno())
        except OSError as error:
            raise RetryableDeliveryError(f"{self._path}: {error.strerror}") from error
        finally:
            self._file.close()


def _read_mode(url: PublisherURL, text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch("0?[67][0-7][0-7]", text):
        raise PublisherURLError(
            f"{url.text}: mode is {text!r}, expected octal digits that let us read and write, as 0640"
        )
    return int(text, 8)
