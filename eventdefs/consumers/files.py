"""Files and streams of notifications to messages: each the bytes of one JSON document, with its place.

Read are JSON lines, whole documents (indented or not), documents one after the other, and any of these in gzip. A
line that is no JSON is a message as well, so that whoever decodes it can say so; nothing is passed over.
"""

from __future__ import annotations

import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from eventdefs.decode import decode_notifications, read_json
from eventdefs.errors import DecodeError, InputError
from eventdefs.types import Notification, Place

SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
CHUNK = 64 * 1024
MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of one line or one whole document; more is no notification, and would fill the memory."""


class Message(NamedTuple):
    """The bytes of one document, and where they stand: the file and the line on which they begin."""

    data: bytes
    place: Place


def find_files(paths: Iterable[str]) -> list[str]:
    """Return *paths* with each directory replaced by the notification files below it, sorted; ``-`` is standard input.

    Raises:
        InputError: a path is not there, or a directory has no such file.
    """
    found: list[str] = []
    for path in paths:
        if path == "-":
            found.append(path)
            continue
        entry = Path(path)
        try:
            if entry.is_dir():
                below = sorted(
                    str(file) for file in entry.rglob("*") if file.name.endswith(SUFFIXES) and file.is_file()
                )
                if not below:
                    raise InputError(f"{path}: no file below it ends with {', '.join(SUFFIXES[:3])} (or .gz)")
                found += below
            elif entry.exists():
                found.append(path)
            else:
                raise InputError(f"{path}: there is no such file")
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
    return found


def read_messages(path: str) -> Iterator[Message]:
    """Yield the messages of the file *path*, or of standard input for ``-``.

    Raises:
        InputError: it cannot be read, or not to its end; what came before was yielded.
    """
    try:
        if path == "-":
            yield from _messages(sys.stdin.buffer, "<stdin>")
        else:
            with Path(path).open("rb") as stream:
                yield from _messages(stream, path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


class _Unpacked(io.RawIOBase):
    """What a gzip stream holds, one member after the other; where it breaks off, all that came before is there.

    Attributes:
        failure: why it ended early, '' where it did not.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._member = zlib.decompressobj(wbits=31)
        self._input = b""
        self.failure = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            while not self.failure:
                if self._member.eof:
                    self._input = self._member.unused_data.lstrip(b"\0") or self._packed.read(CHUNK)
                    if not self._input:
                        return 0
                    self._member = zlib.decompressobj(wbits=31)
                elif not self._input:
                    self._input = self._packed.read(CHUNK)
                    if not self._input:
                        self.failure = "the gzip stream ends too early"
                        return 0
                unpacked = self._member.decompress(self._input, len(buffer))
                self._input = self._member.unconsumed_tail
                if unpacked:
                    buffer[: len(unpacked)] = unpacked
                    return len(unpacked)
        except zlib.error as error:
            self.failure = f"not gzip from here on: {error}"
        return 0


def _messages(raw: BinaryIO, file: str) -> Iterator[Message]:
    stream: Any = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast("Any", raw))
    if stream.peek(2)[:2] != b"\x1f\x8b":
        yield from _documents(stream, file)
        return
    unpacked = _Unpacked(stream)
    yield from _documents(io.BufferedReader(unpacked), file)
    if unpacked.failure:
        raise InputError(f"{file}: {unpacked.failure}")


def _documents(stream: BinaryIO, file: str, number: int = 0, first: bytes = b"") -> Iterator[Message]:
    """Yield what *stream* holds; *first* is a line that was read of it already, its number *number*."""
    while not first.strip(b" \t\r\n\xef\xbb\xbf\x00"):
        first = stream.readline(MAX_MESSAGE)
        number += 1
        if not first:
            return
    if _is_json(first):
        yield Message(first, Place(file, number))
        yield from _lines(stream, file, number)
        return
    rest = stream.read(MAX_MESSAGE + 1 - len(first)) if len(first) < MAX_MESSAGE else b""
    whole = first + rest
    if _is_json(whole):
        yield Message(whole, Place(file, number))
        return
    documents = _split(whole, file, number)
    if documents:
        yield from documents
    elif any(_is_json(line) for line in rest.splitlines()[:1000]):  # lines, the first of which is broken
        for line in io.BytesIO(whole + stream.readline(MAX_MESSAGE)):
            if line.strip():
                yield Message(line, Place(file, number))
            number += 1
        yield from _lines(stream, file, number - 1)
    elif len(whole) > MAX_MESSAGE:
        raise InputError(f"{file}: one document of more than {MAX_MESSAGE:,} bytes; write one notification a line")
    else:
        yield Message(whole, Place(file, number))


def _lines(stream: BinaryIO, file: str, number: int) -> Iterator[Message]:
    """Yield the lines that follow line *number*; where one only opens a document, documents follow."""
    while line := stream.readline(MAX_MESSAGE):
        number += 1
        if line.strip() in (b"{", b"["):
            yield from _documents(stream, file, number, line)
        elif line.strip():
            yield Message(line, Place(file, number))


def _is_json(data: bytes) -> bool:
    try:
        document = read_json(data)
    except DecodeError:
        return False
    return isinstance(document, (dict, list))


def _split(whole: bytes, file: str, number: int) -> list[Message]:
    """Return documents that stand one after the other, as indented ones do; [] where it is anything else."""
    try:
        text = whole.decode("utf-8-sig")
    except UnicodeDecodeError:
        return []
    decoder = json.JSONDecoder()
    found: list[Message] = []
    position = counted = 0
    while True:
        while position < len(text) and text[position] in " \t\r\n":
            position += 1
        if position == len(text):
            return found
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return []
        number += text.count("\n", counted, position)
        counted = position
        found.append(Message(text[position:end].encode("utf-8", "surrogatepass"), Place(file, number)))
        position = end


def read_notifications(file: str) -> Iterator[tuple[Place, Notification | DecodeError]]:
    """Yield the notifications of *file* with their places; what is none comes as the error that says why.

    Raises:
        InputError: the file cannot be read, or not to its end.
    """
    for message in read_messages(file):
        for notification in decode_notifications(message.data):
            yield message.place, notification
