"""Files and streams of notifications: every shape gives its messages, with the line on which each begins."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eventdefs import InputError
from eventdefs.consumers import files
from eventdefs.consumers.files import find_files, read_messages

A, B, C = ({"message_id": "a", "payload": {"n": [1]}}, {"message_id": "b"}, {"message_id": "c", "x": "é"})


def line(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n"


def indented(document: Any) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def read(data: bytes, path: Path) -> list[tuple[Any, int]]:
    """Write *data* to *path*, and return what it holds: documents, or bytes that are none, with their lines."""
    path.write_bytes(data)
    return [(document(message.data), message.place.line) for message in read_messages(str(path))]


def document(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data


BOM = b"\xef\xbb\xbf"
SHAPES: dict[str, tuple[bytes, list[tuple[Any, int]]]] = {
    "nothing": (b"", []),
    "blank lines": (b"\n \n\r\n", []),
    "a mark": (BOM, []),
    "one line": (line(A), [(A, 1)]),
    "one line without its end": (line(A).rstrip(), [(A, 1)]),
    "lines": (line(A) + line(B) + line(C), [(A, 1), (B, 2), (C, 3)]),
    "lines of Windows": (line(A).replace(b"\n", b"\r\n") + line(B), [(A, 1), (B, 2)]),
    "blank lines between": (b"\n" + line(A) + b"\n  \n" + line(B) + b"\n", [(A, 2), (B, 5)]),
    "a mark before lines": (BOM + line(A) + line(B), [(A, 1), (B, 2)]),
    "a broken line in the middle": (line(A) + b"{oops\n" + line(B), [(A, 1), (b"{oops\n", 2), (B, 3)]),
    "a broken line first": (b"{oops\n" + line(A) + line(B), [(b"{oops\n", 1), (A, 2), (B, 3)]),
    "a broken line first, after blanks": (b"\n{oops\n" + line(A), [(b"{oops\n", 2), (A, 3)]),
    "a broken line last": (line(A) + b'{"message_id": "b', [(A, 1), (b'{"message_id": "b', 2)]),
    "an array on one line": (line([A, B]), [([A, B], 1)]),
    "arrays as lines": (line([A]) + line([B]), [([A], 1), ([B], 2)]),
    "an indented array": (indented([A, B]), [([A, B], 1)]),
    "an indented document": (indented(A), [(A, 1)]),
    "an indented document after blanks": (b"\n\n" + indented(A), [(A, 3)]),
    "a mark before an indented document": (BOM + indented(A), [(A, 1)]),
    "indented documents": (indented(A) + indented(B) + indented(C), [(A, 1), (B, 9), (C, 12)]),
    "a mark before indented documents": (BOM + indented(A) + indented(B), [(A, 1), (B, 9)]),
    "documents on one line": (b"".join(map(line, (A, B, C))).replace(b"\n", b""), [(A, 1), (B, 1), (C, 1)]),
    "a line and then indented documents": (line(B) + indented(A) + indented(C), [(B, 1), (A, 2), (C, 10)]),
    "indented documents and then lines": (indented(A) + line(B) + line(C), [(A, 1), (B, 9), (C, 10)]),
    "a number first": (b"5\n" + line(A), [(5, 1), (A, 2)]),
    "text": (b"hello\nworld\n", [(b"hello\nworld\n", 1)]),
    "another encoding": (b'{"a": "caf\xe9"}\n' + line(B), [(b'{"a": "caf\xe9"}\n', 1), (B, 2)]),
}


@pytest.mark.parametrize(("data", "expected"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_shapes(data: bytes, expected: list[Any], packed: bool, tmp_path: Path) -> None:
    """A file is lines, one document, or several; nothing of it is passed over, and gzip makes no difference."""
    data = gzip.compress(data) if packed else data
    assert read(data, tmp_path / "notifications") == [
        (document(found) if isinstance(found, bytes) else found, number) for found, number in expected
    ]


def test_utf_16(tmp_path: Path) -> None:
    """One document of another encoding is one message."""
    data = json.dumps(A, indent=2).encode("utf-16")
    path = tmp_path / "a.json"
    path.write_bytes(data)
    assert [message.data for message in read_messages(str(path))] == [data]


def test_gzip_in_pieces(tmp_path: Path) -> None:
    """Files of gzip that were put one behind the other are one, as for zcat."""
    assert read(gzip.compress(line(A)) + gzip.compress(line(B)), tmp_path / "a.gz") == [(A, 1), (B, 2)]


@pytest.mark.parametrize("count", [3, 100, 5_000])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999])
def test_truncated_gzip(count: int, kept: float, tmp_path: Path) -> None:
    """What can be unpacked is read before it is said that the file ends too early."""
    lines = [line({"message_id": str(number), "noise": os.urandom(20).hex()}) for number in range(count)]
    packed = gzip.compress(b"".join(lines))
    cut = packed[: int(len(packed) * kept)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(cut)
    # What gunzip would give: the whole lines of it are there for us too.
    whole = zlib.decompressobj(31).decompress(cut).count(b"\n")
    found: list[bytes] = []
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: .*(ended|end)"):
        found.extend(message.data for message in read_messages(str(path)))
    assert len(found) >= whole
    assert found[:whole] == lines[:whole]


def test_damaged_gzip(tmp_path: Path) -> None:
    """A file that is no gzip after all is an error that names it."""
    packed = bytearray(gzip.compress(b"".join(line({"n": os.urandom(20).hex()}) for _ in range(200))))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "a.gz"
    path.write_bytes(packed)
    with pytest.raises(InputError, match=r"a\.gz: "):
        list(read_messages(str(path)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named, with the reason."""
    path = tmp_path / "missing.json"
    with pytest.raises(InputError) as raised:
        list(read_messages(str(path)))
    assert str(raised.value) == f"{path}: No such file or directory"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input, in gzip or not."""
    for data in (line(A) + line(B), gzip.compress(line(A) + line(B))):
        stream = io.BufferedReader(io.BytesIO(data))  # type: ignore[type-var]
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        assert [(document(message.data), str(message.place)) for message in read_messages("-")] == [
            (A, "<stdin>:1"),
            (B, "<stdin>:2"),
        ]


def test_standard_input_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that was written is a message before the next one is."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as out:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        messages = read_messages("-")
        for one in (A, B, C):
            out.write(line(one))
            assert document(next(messages).data) == one


def test_a_message_too_long_is_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end does not fill the memory: it comes in pieces that nothing reads as a notification."""
    monkeypatch.setattr(files, "MAX_MESSAGE", 1_000)
    long = line({"a": "x" * 5_000})
    found = read(line(A) + long + line(B), tmp_path / "a.jsonl")
    assert (found[0], found[-1][0]) == ((A, 1), B)
    assert b"".join(data for data, _ in found[1:-1]) == long
    assert max(len(data) for data, _ in found[1:-1]) <= 1_000


# --- which files -----------------------------------------------------------------------------------------------------


def test_find_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is its notification files, all the way down and sorted; a file that is named is taken as it is."""
    monkeypatch.chdir(tmp_path)
    for name in ("d/b.json", "d/a/z.jsonl", "d/a/y.ndjson.gz", "d/c.json.gz", "d/expected.yaml", "d/note.txt", "x.log"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    Path("d/dir.json").mkdir()
    assert find_files(["x.log", "d", "-", "d/b.json"]) == [
        "x.log",
        "d/a/y.ndjson.gz",
        "d/a/z.jsonl",
        "d/b.json",
        "d/c.json.gz",
        "-",
        "d/b.json",
    ]


MISSING = {
    "no such file": ("missing.json", "missing.json: there is no such file"),
    "a folder without": ("empty", "empty: no file below it ends with .json, .jsonl, .ndjson (or .gz)"),
    "below a file": ("file/x.json", "file/x.json: there is no such file"),
}


@pytest.mark.parametrize(("path", "message"), MISSING.values(), ids=MISSING)
def test_find_files_that_are_not_there(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is named and cannot be found is an error before anything is read."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("file").write_text("")
    with pytest.raises(InputError) as raised:
        find_files([path])
    assert str(raised.value) == message
