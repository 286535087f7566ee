"""`file://` appends lines of JSON, each event, sample, period and record once however often it is published.

What is in the file is known by identity: an event by tenant and message_id, all else by id; in
Ceilometer's form, where an event does not say its tenant, by the whole line. A line that a crash left unfinished is
cut off when the file is opened next. One process writes a file at a time.
"""

from __future__ import annotations

import fcntl
import logging
import os
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

_BEGINNINGS = {False: (b'{"kind":"',), True: (b'{"message_id":"', b'{"id":"')}
"""How our lines begin, in our own form and in Ceilometer's."""


def _identity_of_value(kind: str, id: str) -> bytes:
    """Return how a value other than an event is known; a sample of usage has the id of the usage."""
    return id.encode() if kind in ("sample", "period") else f"{kind} {id}".encode()


class FileOptions(msgspec.Struct, frozen=True):
    """Options of `file://`.

    Attributes:
        format: `native` or `ceilometer`.
        duplicates: `skip` leaves out what the file has already, which takes some 100 bytes of memory for each
            line; `keep` writes everything.
    """

    format: FormatName = "native"
    duplicates: Literal["skip", "keep"] = "skip"


class FilePublisher:
    """Appends to one file: ``file:///var/lib/events.jsonl``, or ``file://events.jsonl`` in the current directory."""

    Options: ClassVar[type[msgspec.Struct]] = FileOptions

    def __init__(self, url: PublisherURL, options: FileOptions) -> None:
        self._form = FORMATS[options.format]
        self._by_line = options.format != "native"
        self._path = Path(unquote(url.target))
        if not url.target or url.target.endswith("/"):
            raise PublisherURLError(f"{url.text} names no file, as file:///var/lib/events.jsonl does")
        try:
            self._file: BinaryIO = self._path.open("a+b", buffering=0)
        except OSError as error:
            raise PublisherURLError(f"{url.text} cannot be opened: {error.strerror}") from error
        self._seen: set[bytes] | None = set() if options.duplicates == "skip" else None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read_back()
        except BlockingIOError:
            self._file.close()
            raise PublisherURLError(f"{url.text} is being written by another process") from None
        except (OSError, PublisherURLError) as error:
            self._file.close()
            raise PublisherURLError(f"{url.text}: {error}") from error

    def _read_back(self) -> None:
        """Learn what the file has, and mend a last line that was not finished."""
        if not self._path.is_file():  # a pipe or a device
            self._seen = None
            return
        end, last, number = 0, b"", 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                last = line
                if not line.endswith(b"\n"):
                    break
                if self._seen is not None:
                    self._seen.add(self._identity_of(number, line[:-1]))
                end += len(line)
        if last and not last.endswith(b"\n"):
            self._mend(number, last, end)

    def _identity_of(self, number: int, line: bytes) -> bytes:
        try:
            return self._identity(line, read_json(line))
        except (DecodeError, KeyError, TypeError, AttributeError) as error:
            raise PublisherURLError(f"line {number} was not written by this publisher in this form") from error

    def _mend(self, number: int, line: bytes, end: int) -> None:
        """End a last line that has no line end, or cut it off where it broke; a foreign one is left alone."""
        begins = _BEGINNINGS[self._by_line]
        if not any(line.startswith(begin) or begin.startswith(line) for begin in begins):
            raise PublisherURLError(f"line {number} was not written by this publisher in this form")
        try:
            read_json(line)
        except DecodeError:
            _log.warning("%s: an unfinished last line of %d bytes is cut off", self._path, len(line))
            self._file.truncate(end)
            return
        identity = self._identity_of(number, line)
        if self._seen is not None:
            self._seen.add(identity)
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

    def publish(self, batch: Batch) -> Delivered:
        lines = encode_lines(self._form, batch)
        identities: set[bytes] = set()
        fresh = lines
        if self._seen is not None:
            fresh = []
            for line, identity in zip(lines, self._identities(batch, lines), strict=True):
                if identity not in self._seen and identity not in identities:
                    identities.add(identity)
                    fresh.append(line)
        if fresh:
            self._write(b"".join([line + b"\n" for line in fresh]))
        if self._seen is not None:
            self._seen |= identities
        return Delivered(len(lines), len(lines) - len(fresh))

    def _identities(self, batch: Batch, lines: list[bytes]) -> list[bytes]:
        if self._by_line:
            texts = lines
        else:
            texts = [write_json([event.tenant, event.message_id]) for event in batch.events]
            texts += [sample.id.encode() for sample in batch.samples]
            texts += [period.id.encode() for period in batch.periods]
            texts += [_identity_of_value(kind_of(record), record.id) for record in batch.records]
        return [blake2b(text, digest_size=16).digest() for text in texts]

    def _write(self, data: bytes) -> None:
        """Write all of *data* or nothing."""
        before = os.fstat(self._file.fileno()).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            if self._path.is_file():
                self._file.truncate(before)
            raise RetryableDeliveryError(f"{self._path}: {error.strerror}") from error

    def check(self) -> None:
        """It was opened, so it can be written."""

    def close(self) -> None:
        """Bring what was written to the disk."""
        if self._file.closed:
            return
        try:
            if self._path.is_file():
                os.fsync(self._file.fileno())
        except OSError as error:
            raise RetryableDeliveryError(f"{self._path}: {error.strerror}") from error
        finally:
            self._file.close()
