"""Bytes from anybody: decoded, or refused with a DecodeError or InputError."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import DecodeError, Event, InputError, Notification, decode_notification
from eventdefs.consumers.files import read_messages
from eventdefs.decode import decode_event, decode_notifications
from tests.property import examples

from .bounds import below, within

BODY = {
    "message_id": "m-1",
    "event_type": "volume.create.end",
    "publisher_id": "volume.host-1",
    "priority": "INFO",
    "timestamp": "2026-08-01 01:02:03",
    "_context_auth_token": "secret",
    "payload": {"size": 4, "l": [1, None, "\u00e9\ud800"]},
}
WIRES = [
    json.dumps(BODY).encode(),
    json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(BODY)}).encode(),
    json.dumps([BODY, BODY], indent=1).encode(),
    json.dumps(
        {"specversion": "1.0", "id": "1", "type": "a.b", "source": "s", "time": "2026-08-01T00:00:00Z"}
    ).encode(),
    json.dumps(
        {"ctxt": {"auth_token": "s"}, "metadata": {"message_id": "m", "timestamp": "2026-08-01"}, "event_type": "a"}
    ).encode(),
    json.dumps(
        {"kind": "event", "message_id": "m", "event_type": "a", "generated": "2026-08-01", "traits": {}}
    ).encode(),
]
_signs = st.sampled_from(
    (b"", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\x00", b"\xff", b"null", b"1e999", b"NaN")
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Correct wire forms with a few bytes changed, cut or doubled."""
    data = draw(st.sampled_from(WIRES))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        until = at + draw(st.sampled_from((0, 1, 2, 20)))
        data = data[:at] + draw(st.one_of(_signs, st.binary(max_size=3), st.just(data[at:until] * 2))) + data[until:]
    return data


_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
_keys = st.sampled_from(
    (
        "message_id",
        "event_type",
        "publisher_id",
        "priority",
        "timestamp",
        "payload",
        "ctxt",
        "metadata",
        "oslo.version",
        "oslo.message",
        "specversion",
        "id",
        "type",
        "source",
        "time",
        "data",
        "traits",
        "generated",
        "types",
        "kind",
    )
)
_right = st.sampled_from(
    ("2.0", "1.0", "2026-08-01", "info", "{}", json.dumps(BODY), {"a": "datetime"}, {"a": "int"}, {"a": 1})
)
DOCUMENTS = st.dictionaries(_keys, st.one_of(_right, _values), max_size=12).map(
    lambda value: json.dumps(value).encode()
)
INPUTS = st.one_of(st.binary(max_size=60), mutated(), DOCUMENTS)


@given(INPUTS)
@examples(1500)
def test_any_bytes_are_a_notification_or_a_decode_error(data: bytes) -> None:
    """The three ways to decode raise nothing else, and what is refused keeps its bytes without credentials."""
    refused: list[DecodeError] = []
    for decode, kind in ((decode_notification, Notification), (decode_event, Event)):
        try:
            assert isinstance(decode(data), kind)
        except DecodeError as error:
            refused.append(error)
    for found in decode_notifications(data):
        assert isinstance(found, (Notification, DecodeError))
    assert all(0 < len(error.reason) < 500 for error in refused)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("input")


@given(
    data=st.one_of(INPUTS, st.lists(INPUTS, max_size=4).map(b"\n".join)), packed=st.booleans(), cut=st.integers(0, 30)
)
@examples(400)
def test_any_file_is_messages_or_an_input_error(folder: Path, data: bytes, packed: bool, cut: int) -> None:
    """A broken file, packed or not, yields what can be read of it; nothing of a whole one is passed over."""
    file = folder / "messages"
    file.write_bytes(gzip.compress(data)[: -cut or None] if packed else data)
    found = []
    try:
        found.extend(message.data for message in read_messages(str(file)))
    except InputError:
        assert packed or data.startswith(b"\x1f\x8b")
    else:
        wanted = bytes(byte for byte in data if byte not in b" \t\r\n\x0b\x0c\x00\xef\xbb\xbf")
        if not packed and all(byte < 128 for byte in data):
            assert bytes(byte for byte in b"".join(found) if byte not in b" \t\r\n\x0b\x0c\x00") == wanted


DEEP = [*range(100, 900, 100), *range(900, 1010), 5_000, 100_000]


def _deep_forms(depth: int) -> Iterator[Any]:
    nest = "[" * depth + "]" * depth
    maps = '{"a":' * depth + "1" + "}" * depth
    for value in (nest, maps):
        yield f'{{"message_id": "m", "event_type": "a", "timestamp": "2026-08-01", "payload": {value}}}'
        yield f'{{"message_id": "m", "event_type": "a", "timestamp": "2026-08-01", "publisher_id": {value}}}'
        yield f'{{"message_id": {value}, "event_type": "a", "timestamp": "2026-08-01"}}'
        yield f'{{"oslo.version": {value}}}'
        yield f'{{"specversion": {value}}}'
        yield value


def test_no_depth_of_nesting_is_more_than_a_decode_error() -> None:
    """Arrays in arrays, up to and beyond what the interpreter's stack takes."""
    for depth in DEEP:
        for text in _deep_forms(depth):
            found = decode_notifications(text)
            assert all(isinstance(one, (Notification, DecodeError)) for one in found)


@pytest.mark.parametrize("digits", [4_200, 5_000, 100_000])
@pytest.mark.parametrize(
    "key", ["message_id", "publisher_id", "payload", "timestamp", "priority", "event_type", "oslo.version"]
)
def test_an_integer_of_any_size_is_a_notification_or_a_decode_error(digits: int, key: str) -> None:
    """Python refuses to write integers of more than 4,300 digits."""
    text = f'{{"message_id": "m", "event_type": "a", "timestamp": "2026-08-01", "{key}": {"9" * digits}}}'
    for data in (text, text.encode()):
        with within():
            (found,) = decode_notifications(data)
        assert isinstance(found, (Notification, DecodeError))


@pytest.mark.parametrize(
    "text",
    [
        '"password" ' * 50_000,
        "password" + " " * 500_000,
        'password:"' + "\\" * 500_000,
        "password\\" * 50_000 + ":",
        '{"auth_token": "' + "a" * 1_000_000,
        "[" * 1_000_000,
        '{"a":' * 300_000,
    ],
    ids=lambda text: text[:20],
)
def test_masking_credentials_takes_no_more_than_linear_time(text: str) -> None:
    """What is refused is searched for credentials, whatever it is."""
    with within(), pytest.raises(DecodeError):
        decode_notification(text)


@pytest.mark.parametrize(
    "lines",
    [
        b"1\n" * 300_000,
        b"{\n}\n" * 100_000,
        b'{\n"a": [\n1\n]\n}\n' * 100_000,
        b"{}\n" * 300_000,
        b"x\n" * 300_000,
        b"\n" * 3_000_000,
    ],
    ids=lambda lines: ascii(lines[:12]),
)
def test_a_file_of_many_documents_is_read_in_linear_time(folder: Path, lines: bytes) -> None:
    """However they are written: one a line, several lines each, or not JSON at all."""
    file = folder / "many"
    file.write_bytes(lines)
    with within(15):
        for _ in read_messages(str(file)):
            pass


def test_a_packed_file_is_not_unpacked_into_the_memory(folder: Path) -> None:
    """200 MB of one line in 200 KB of gzip."""
    file = folder / "bomb.gz"
    with gzip.open(file, "wb", compresslevel=1) as stream:
        for _ in range(200):
            stream.write(b" " * (1 << 20))
    with below(400), within(30):
        try:
            for message in read_messages(str(file)):
                assert len(message.data) <= 64 << 20
        except InputError:
            pass
