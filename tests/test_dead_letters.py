"""Dead letters: what one is, every place that keeps them, and what a replay does with them."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from eventdefs import Batch, open_publisher, parse_definitions
from eventdefs.deadletters import DeadLetter, DeadLetterPlace, open_dead_letters
from eventdefs.deadletters.choosing import Choice, Key, group, plain
from eventdefs.deadletters.letters import (
    FATES,
    Unreadable,
    letter_of_bytes,
    letter_of_conversion,
    letter_of_item,
    read_letter,
    write_letter,
)
from eventdefs.deadletters.recording import DeadLetters
from eventdefs.deadletters.replaying import GONE, NOTHING, Replay, Target, convert_again, rehearse
from eventdefs.decode import decode_notifications
from eventdefs.definitions import Definitions, Options, load_definitions
from eventdefs.errors import DecodeError, InputError, PublisherURLError, RetryableDeliveryError
from eventdefs.metering import open_ledger
from eventdefs.pipeline import Route, Source
from eventdefs.types import Identity, Notification, Place, Refused, identity_of
from tests import making
from tests.making import notification, sample
from tests.servers import SecureKafka

TOP = Path(__file__).resolve().parent.parent
WHEN = datetime(2026, 8, 2, 12, 0, 0, 5, tzinfo=UTC)
LATER = WHEN + timedelta(hours=1)
STRICT = """\
- event_type: volume.*
  traits:
    resource_id: {fields: payload.id, required: true}
    size: {fields: payload.size, type: int}
"""
LENIENT = """\
- event_type: volume.*
  traits:
    resource_id: {fields: [payload.id, payload.volume]}
    size: payload.size
"""
METERS = """\
metric:
  - {name: size, event_type: volume, type: gauge, unit: GiB, volume: $.payload.size, resource_id: $.payload.id}
"""


def letter(id: str = "", **values: Any) -> DeadLetter:
    """Return a letter whose id begins with *id*; *values* replace its others."""
    ours: dict[str, Any] = {"fate": "undecodable", "reason": "empty", "first": WHEN, "last": WHEN, "original": ""}
    return DeadLetter(id=(id or "1").ljust(32, "0"), **{**ours, **values})


def loaded(definitions: str) -> Definitions:
    """Return *definitions*, those of events and perhaps, behind a line ``---``, those of samples."""
    with tempfile.TemporaryDirectory() as folder:
        texts = definitions.split("---\n")
        for number, text in enumerate(texts):
            (Path(folder) / f"{number}.yaml").write_text(text)
        return load_definitions(*(f"{folder}/{number}.yaml" for number in range(len(texts))))


def problematic(found: Notification, definitions: str = STRICT) -> DeadLetter:
    conversion = loaded(definitions).convert(found)
    assert conversion.problems
    return letter_of_conversion(Place("in.jsonl", 3), found, conversion, WHEN, "f1")


# --- letters ---------------------------------------------------------------------------------------------------------


def test_a_letter_of_a_conversion() -> None:
    """It has the notification, whose it is, and the record of each problem."""
    found = notification({"id": "v-1", "size": "big", "tenant_id": "p-1"}, _context_auth_token="secret")
    made = problematic(found)
    assert made == DeadLetter(
        id=made.id,
        fate="partial",
        reason="trait size: not an int: invalid literal for int() with base 10: 'big'",
        place="in.jsonl:3",
        message_id="m-1",
        event_type="volume.create.end",
        tenant="p-1",
        first=WHEN,
        last=WHEN,
        definitions="f1",
        errors=[
            {
                "message_id": "m-1",
                "event_type": "volume.create.end",
                "definition": "volume.*",
                "file": made.errors[0]["file"],
                "line": 4,
                "kind": "trait",
                "name": "size",
                "path": "payload.size",
                "value": "big",
                "reason": "not an int: invalid literal for int() with base 10: 'big'",
            }
        ],
        original=found.body,
    )
    assert b"secret" not in write_letter(made)
    assert made.notifications() == [found]


@pytest.mark.parametrize(
    ("data", "encoding", "original"),
    [
        (b'{"_context_auth_token": "secret", oops', "", '{"_context_auth_token": "***", oops'),
        (b"\xff\xfe\x00", "base64", "//4A"),
        (b"", "", ""),
    ],
)
def test_a_letter_of_bytes(data: bytes, encoding: str, original: str) -> None:
    """What is no notification is kept as text with credentials masked, or in base64 where it is no text."""
    (error,) = decode_notifications(data)
    assert isinstance(error, DecodeError)
    made = letter_of_bytes(Place("x", 1), error, WHEN)
    assert (made.fate, made.encoding, made.original, made.reason) == ("undecodable", encoding, original, error.reason)
    assert made.raw == error.data
    assert [type(one) for one in made.notifications()] == [DecodeError]


ITEMS = {
    "event": making.event(size=4, at=WHEN, ratio=float("inf")),
    "sample": sample(),
    "period": making.period(),
    "usage": making.usage(),
    "gap": making.gap(),
    "refusal": making.refusal(),
    "closure": making.closure(),
}


@pytest.mark.parametrize("kind", ITEMS)
def test_a_letter_of_an_item(kind: str) -> None:
    """Every kind of item is read back whole, with the publisher's name and why."""
    item = ITEMS[kind]
    made = read_letter(write_letter(letter_of_item("kafka://host/t", Refused(item, "too\nlarge"), None, WHEN)))
    assert (made.kind, made.publisher, made.reason, made.read_item()) == (kind, "kafka://host/t", "too large", item)


def test_ids_name_what_a_letter_is_about() -> None:
    """The same thing has the same id, whatever became of it and wherever it stood; other things have others."""
    one, other = notification({"size": "big", "id": "v"}), notification({"size": "huge", "id": "v"})
    undecodable = DecodeError("empty", b"x")
    made = [
        problematic(one),
        problematic(one, STRICT.replace("required: true", "required: true, type: int")),
        problematic(other),
        letter_of_bytes(Place("a", 1), undecodable, WHEN),
        letter_of_bytes(Place("b", 2), DecodeError("other", b"x"), LATER),
        letter_of_bytes(Place("a", 1), DecodeError("empty", b"y"), WHEN),
        letter_of_item("a://", Refused(sample("1"), "no"), None, WHEN),
        letter_of_item("a://", Refused(sample("1", volume=5), "never"), one, LATER),
        letter_of_item("b://", Refused(sample("1"), "no"), None, WHEN),
        letter_of_item("a://", Refused(making.usage("1"), "no"), None, WHEN),
    ]
    ids = [one.id for one in made]
    assert [ids.index(one) for one in ids] == [0, 0, 2, 3, 3, 5, 6, 6, 8, 9]
    assert all(len(one) == 32 for one in ids)


OLD = {
    "partial": {
        "fate": "partial",
        "place": "in.jsonl:3",
        "errors": [{"message_id": "m-1", "kind": "trait", "name": "size", "reason": "not an int: x"}],
        "original": notification({"id": "v-1", "size": "big", "tenant_id": "p-1"}).body,
    },
    "undecodable": {"fate": "undecodable", "place": "x:6", "errors": [{"reason": "empty"}], "original": "x"},
}


def test_letters_of_before_they_had_ids() -> None:
    """They are about the same things as those of now; when they were kept is not known."""
    partial, undecodable = (read_letter(json.dumps(OLD[name]).encode()) for name in ("partial", "undecodable"))
    assert partial.id == problematic(notification({"id": "v-1", "size": "big", "tenant_id": "p-1"})).id
    assert undecodable.id == letter_of_bytes(Place("y"), DecodeError("", b"x"), WHEN).id
    assert [
        (one.fate, one.reason, one.place, one.message_id, one.event_type, one.tenant, one.first, one.last)
        for one in (partial, undecodable)
    ] == [
        ("partial", "trait size: not an int: x", "in.jsonl:3", "m-1", "volume.create.end", "p-1", None, None),
        ("undecodable", "empty", "x:6", "", "", None, None, None),
    ]


UNREADABLE = {
    "no JSON": (b"oops", "no JSON"),
    "a list": (b"[]", "no JSON object"),
    "of nobody": (b'{"a": 1}', "no dead letter: it has neither a version nor fate, errors and original"),
    "of tomorrow": (b'{"version": 2}', "of version 2, this release reads 1"),
    "another fate": (
        write_letter(letter()).replace(b"undecodable", b"lost"),
        "no dead letter: Invalid enum value 'lost' - at `$.fate`",
    ),
    "old, of another fate": (b'{"fate": "x", "errors": [], "original": {}}', "no dead letter: it has neither"),
    "old, without original": (b'{"fate": "partial", "errors": []}', "no dead letter: it has neither"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_letter(name: str) -> None:
    """It is said why."""
    data, reason = UNREADABLE[name]
    with pytest.raises(Unreadable) as error:
        read_letter(data)
    assert str(error.value).startswith(reason)


# --- places ----------------------------------------------------------------------------------------------------------


KINDS = ("file", "sqlite", "postgresql", "mariadb", "kafka")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty place."""
    yield from place_url(request.param, request, tmp_path)


def place_url(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if kind == "file":
        yield str(folder / "dead.jsonl")
    elif kind == "sqlite":
        yield f"sqlite:///{folder}/dead.db"
    elif kind == "kafka":
        yield f"kafka://{request.getfixturevalue('kafka')}/{new_topic(request.getfixturevalue('kafka'))}"
    else:
        given = request.getfixturevalue(kind)
        yield given
        scheme, _, rest = given.partition("://")
        driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[scheme]
        engine = sa.create_engine(f"{driver}://{rest}")
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE IF EXISTS dead_letters"))
        engine.dispose()


def new_topic(broker: str, **options: Any) -> str:
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    name = f"dead-{uuid.uuid4().hex}"
    admin = KafkaAdminClient(bootstrap_servers=broker, **options)
    try:
        admin.create_topics([NewTopic(name, 3, 1, topic_configs={"cleanup.policy": "compact"})])
    finally:
        admin.close()
    return name


@pytest.fixture
def opened(url: str) -> Iterator[DeadLetterPlace]:
    place = open_dead_letters(url)
    yield place
    place.close()


def kept(place: DeadLetterPlace) -> list[DeadLetter]:
    return sorted(place.read(), key=lambda one: one.id)


AWKWARD = [
    letter("a", original="\0\ud800 ü \x1b[31m 𝄞", reason="é" * 300, event_type="x\0" * 400, tenant="\ud800" * 300),
    letter("b", fate="partial", original={"n": 2**80, "f": 1e300, "nested": json.loads("[" * 190 + "]" * 190)}),
    letter("c", original="x" * 2_000_000),
    letter("d", encoding="base64", original="//4A", tenant=""),
    letter("e", fate="rejected", original={}, errors=[{"kind": "trait", "name": "x", "reason": "'; DROP TABLE"}]),
    letter_of_item("kafka://h/t", Refused(making.event(size=4), "no"), notification(), WHEN, "f1"),
]


def test_what_was_kept_is_there(url: str) -> None:
    """Letters come back whole, whatever is in them, after the place was closed."""
    place = open_dead_letters(url)
    place.add(AWKWARD)
    place.close()
    again = open_dead_letters(url, create=False)
    assert kept(again) == sorted(AWKWARD, key=lambda one: one.id)
    again.close()


def test_the_same_thing_again_is_counted(opened: DeadLetterPlace) -> None:
    """It stays one letter, with what was said last, first and last seen; together or one after the other."""
    opened.add([letter("a"), letter("b"), letter("a", reason="again", last=LATER)])
    opened.add([letter("b", reason="later", first=LATER, last=LATER, fate="rejected", original={})])
    opened.add([letter("b", first=WHEN, last=WHEN, reason="last")])
    assert kept(opened) == [
        letter("a", reason="again", last=LATER, count=2),
        letter("b", reason="last", last=LATER, count=3),
    ]


def test_settled_is_not_there(opened: DeadLetterPlace) -> None:
    """What was settled is yielded no more; when it fails again it is open again, as if it were new."""
    opened.add([letter("a"), letter("b"), letter("c")])
    opened.settle([letter("a").id, letter("c").id], "replayed")
    opened.settle([], "dropped")
    opened.settle([letter("never").id], "dropped")
    assert kept(opened) == [letter("b")]
    opened.add([letter("a", first=LATER, last=LATER)])
    assert kept(opened) == [letter("a", first=LATER, last=LATER), letter("b")]


def test_attempts_are_counted(opened: DeadLetterPlace) -> None:
    """An attempt changes nothing but their number, which the next letter of the same keeps."""
    opened.add([letter("a"), letter("b")])
    for _ in range(2):
        opened.tried([one for one in kept(opened) if one.id == letter("a").id])
    opened.tried([])
    assert kept(opened) == [letter("a", attempts=2), letter("b")]
    opened.add([letter("a")])
    assert kept(opened) == [letter("a", attempts=2, count=2), letter("b")]


def test_purging_keeps_what_is_open(opened: DeadLetterPlace) -> None:
    """What is open is the same before and after, and goes on as before."""
    opened.add([letter("a"), letter("b"), letter("c")])
    opened.add([letter("a", reason="again")])
    opened.settle([letter("b").id], "dropped")
    opened.tried([letter("c")])
    before = kept(opened)
    opened.purge()
    assert kept(opened) == before
    opened.add([letter("b"), letter("c")])
    assert kept(opened) == [before[0], letter("b"), letter("c", attempts=1, count=2)]
    assert opened.purge() in (0, 1)  # in a file `c` is one line again


def test_reading_while_settling(opened: DeadLetterPlace) -> None:
    """A replay settles while it reads: it meets each letter once, also those that it tries and that stay."""
    opened.add([letter(f"{number:04x}", first=None if number < 3 else WHEN) for number in range(700)])
    met = []
    for number, one in enumerate(opened.read()):
        met.append(one.id)
        if number % 2:
            opened.settle([one.id], "replayed")
        elif not number % 100:
            opened.tried([one])
    assert (len(met), len(set(met)), len(kept(opened))) == (700, 700, 350)


ADDING = """
import sys
from eventdefs.deadletters import open_dead_letters
from tests.test_dead_letters import letter
place = open_dead_letters(sys.argv[1])
for first in range(0, 200, 10):
    place.add([letter(f"{sys.argv[2]}{number:04x}") for number in range(first, first + 10)] + [letter("both")])
place.close()
"""


def test_two_processes_add_at_once(url: str) -> None:
    """Nothing of either is lost, and what both add is counted once for each time."""
    command = [sys.executable, "-c", ADDING, url]
    processes = [subprocess.Popen([*command, name], cwd=TOP) for name in ("a", "b")]
    assert [process.wait() for process in processes] == [0, 0]
    place = open_dead_letters(url)
    found = kept(place)
    place.close()
    assert len(found) == 401
    assert [one.count for one in found if one.id == letter("both").id] == [40]


def test_places_that_are_not_there(tmp_path: Path) -> None:
    """They are not made by whoever reads, and it is said what is wrong."""
    for url in (str(tmp_path / "no"), f"file://{tmp_path}/no", f"sqlite:///{tmp_path}/no"):
        with pytest.raises(InputError, match=f"there are no dead letters {tmp_path}/no"):
            open_dead_letters(url, create=False)
    sqlite3.connect(tmp_path / "other.db").close()
    place = open_dead_letters(f"sqlite:///{tmp_path}/other.db", create=False)
    with pytest.raises(InputError, match=r"there are no dead letters in sqlite:///.*other.db"):
        list(place.read())
    assert not (tmp_path / "no").exists()


BAD_URLS = {
    "udp://host:1": "udp://host:1 keeps no dead letters, known are a path and file, kafka, mysql, postgresql, sqlite",
    "file://": "file:// names no file",
    "file://x?fsync=1": "file://x: a file of dead letters has no options",
    "sqlite://": "sqlite:// names no file, as sqlite:///events.db does",
    "postgresql://u:secret@h:x/d": "postgresql://h:x/d names no database, as postgresql://user",
    "mysql://u:secret@h/d?tls=1": "mysql://h/d: unknown option 'tls'",
    "kafka://u:secret@host": "kafka://host names no topic, as kafka://localhost:9092/events does",
    "kafka://host/dead-{tenant}": "kafka://host/dead-{tenant}: dead letters have one topic, without fields",
    "kafka://host/dead?fsync=1": "kafka://host/dead: unknown option 'fsync'",
}


@pytest.mark.parametrize("url", BAD_URLS)
def test_urls_that_name_no_place(url: str) -> None:
    """What is wrong is said before anything is opened, without passwords."""
    with pytest.raises(PublisherURLError) as error:
        open_dead_letters(url)
    assert str(error.value).startswith(BAD_URLS[url])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@127.0.0.1:1/x",
        "mysql://user:secret@127.0.0.1:1/x",
        "kafka://127.0.0.1:1/dead?timeout=1",
        "kafka://user:secret@127.0.0.1:1/dead?timeout=1",
        "sqlite:////proc/no/secret.db",
    ],
)
def test_a_place_that_is_away(url: str) -> None:
    """Adding and reading say so, in a line without passwords, and may be tried again."""
    place = open_dead_letters(url)
    for work in (lambda: place.add([letter()]), lambda: list(place.read())):
        with pytest.raises(RetryableDeliveryError) as error:
            work()
        text = str(error.value)
        assert text.startswith(f"dead letters {place.name}: ")
        assert "user:secret" not in text
        assert "\n" not in text
    place.close()


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_are_for_us_alone(tmp_path: Path) -> None:
    """A file that is made can be read by its owner; one that is there keeps its mode, purged or not."""
    given = tmp_path / "given"
    given.write_text("")
    given.chmod(0o640)
    for url in (tmp_path / "new", given, f"sqlite:///{tmp_path}/new.db"):
        place = open_dead_letters(str(url))
        place.add([letter()])
        place.purge()
        place.close()
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.iterdir()}
    assert modes == {"new": "0o600", "given": "0o640", "new.db": "0o600"}


def test_lines_that_cannot_be_read(tmp_path: Path) -> None:
    """They are named, the others are read; what comes after a line that was cut off begins a new one."""
    path = tmp_path / "dead.jsonl"
    whole, cut = write_letter(letter("a")), write_letter(letter("b"))
    path.write_bytes(b"oops\n\n" + whole + b'\n{"version": 2}\n{"version": 1, "id": "x"}\n' + cut[:50])
    said: list[str] = []
    place = open_dead_letters(str(path), warn=said.append)
    assert kept(place) == [letter("a")]
    place.add([letter("c")])
    assert kept(place) == [letter("a"), letter("c")]
    lines = [text.removeprefix(f"{path}:") for text in said]
    assert lines == [
        "1: no JSON",
        "4: of version 2, this release reads 1",
        "6: cut off in the middle",
        "5: no dead letter: Object missing required field `fate`",
        "1: no JSON",
        "4: of version 2, this release reads 1",
        "6: no JSON",
        "5: no dead letter: Object missing required field `fate`",
    ]
    place.purge()
    assert kept(place) == [letter("a"), letter("c")]
    assert path.read_bytes().splitlines()[0] == b"oops"
    place.close()


def test_old_lines_are_merged_with_new_ones(tmp_path: Path) -> None:
    """A file that an earlier release began goes on."""
    path = tmp_path / "dead.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in OLD.values()))
    again = problematic(notification({"id": "v-1", "size": "big", "tenant_id": "p-1"}))
    place = open_dead_letters(str(path))
    place.add([again])
    old = read_letter(json.dumps(OLD["undecodable"]).encode())
    wanted = [old, msgspec.structs.replace(again, count=2, first=None)]
    assert kept(place) == sorted(wanted, key=lambda one: one.id)
    place.purge()
    assert kept(place) == sorted(wanted, key=lambda one: one.id)
    place.settle([one.id for one in wanted], "dropped")
    assert kept(place) == []
    place.close()


def test_a_purge_by_another_process(tmp_path: Path) -> None:
    """Whoever has the file open goes on in the new one."""
    path = str(tmp_path / "dead.jsonl")
    ours, theirs = open_dead_letters(path), open_dead_letters(path)
    ours.add([letter("a"), letter("b")])
    ours.settle([letter("a").id], "dropped")
    theirs.purge()
    ours.add([letter("c")])
    assert kept(theirs) == [letter("b"), letter("c")]
    os.rename(path, f"{path}.1")  # as by logrotate
    ours.add([letter("d")])
    assert (kept(ours), kept(theirs)) == ([letter("d")], [letter("d")])
    ours.close()
    theirs.close()


FULL = """
import resource, sys
from eventdefs.deadletters import open_dead_letters
from eventdefs.errors import RetryableDeliveryError
from tests.test_dead_letters import letter
place = open_dead_letters(sys.argv[1])
place.add([letter("a")])
size = __import__("os").path.getsize(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
for work in lambda: place.add([letter("b")]), place.purge:
    try:
        work()
    except RetryableDeliveryError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
place.add([letter("c")])
"""


def test_a_full_disk(tmp_path: Path) -> None:
    """What does not fit is said, nothing of it stays behind, and what was there still is."""
    path = tmp_path / "dead.jsonl"
    command = [sys.executable, "-c", FULL.replace("size + 100", "size + 100 if size > 100 else 0"), str(path)]
    ran = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[0] == f"dead letters {path}: File too large"
    said: list[str] = []
    place = open_dead_letters(str(path), warn=said.append)
    assert (kept(place), said) == ([letter("a"), letter("c")], [])
    place.close()
    with pytest.raises(RetryableDeliveryError, match="dead letters /dev/full: No space left on device"):
        open_dead_letters("/dev/full").add([letter()])


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """Whatever the system says of the file, it is the one error that others answer."""
    folder = tmp_path / "folder"
    folder.mkdir()
    place = open_dead_letters(str(folder / "dead.jsonl"))
    (folder / "dead.jsonl").unlink()
    folder.rmdir()
    folder.write_text("a file")
    with pytest.raises(RetryableDeliveryError, match=r"dead\.jsonl: Not a directory"):
        place.add([letter_of_item("a://", Refused(sample("s-1"), "no"), None, WHEN)])
    folder.unlink()
    folder.mkdir()
    place.add([letter_of_item("a://", Refused(sample("s-1"), "no"), None, WHEN)])
    assert len(list(place.read())) == 1
    place.close()


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    """It is said when it is opened, before anything is read or published."""
    with pytest.raises(RetryableDeliveryError, match=f"dead letters {tmp_path}/no/dead: No such file or directory"):
        open_dead_letters(f"{tmp_path}/no/dead")


# --- Kafka -----------------------------------------------------------------------------------------------------------


def test_a_topic_that_is_not_there(kafka: str) -> None:
    """Reading says so."""
    name = f"no-{uuid.uuid4().hex}"
    place = open_dead_letters(f"kafka://{kafka}/{name}?timeout=5")
    with pytest.raises(RetryableDeliveryError, match=f"there is no topic '{name}'"):
        list(place.read())
    place.close()


def test_large_letters_in_kafka(kafka: str) -> None:
    """They are packed; what is too large even then is said, and nothing of it is sent."""
    url = f"kafka://{kafka}/{new_topic(kafka)}?max_bytes=100000"
    place = open_dead_letters(url)
    place.add([letter("a", original="x" * 5_000_000)])
    with pytest.raises(RetryableDeliveryError, match=r"has [\d,]+ bytes packed, more than max_bytes=100000"):
        place.add([letter("b"), letter("c", original=os.urandom(200_000).hex())])
    assert [(one.id, len(one.original)) for one in kept(place)] == [(letter("a").id, 5_000_000)]
    place.close()


def test_a_broker_that_asks_who_is_there(secure_kafka: SecureKafka) -> None:
    """TLS and users are for reading as for writing; who is not let in is told, without the password."""
    topic = new_topic(secure_kafka.tls, security_protocol="SSL", ssl_cafile=str(secure_kafka.ca))
    place_of = f"kafka://{{}}:{{}}@{secure_kafka.sasl}/{topic}?ca_file={secure_kafka.ca}&timeout=5"
    place = open_dead_letters(place_of.format(secure_kafka.user, secure_kafka.password))
    place.add([letter("a")])
    assert kept(place) == [letter("a")]
    place.close()
    denied = open_dead_letters(place_of.format(secure_kafka.user, "wr0ng"))
    for work in (lambda: denied.add([letter()]), lambda: list(denied.read())):
        with pytest.raises(RetryableDeliveryError, match=f"dead letters kafka://{secure_kafka.sasl}/") as error:
            work()
        assert "wr0ng" not in str(error.value)
    denied.close()


# --- what a process keeps --------------------------------------------------------------------------------------------


def test_letters_wait_for_one_another(tmp_path: Path) -> None:
    """So many are made durable together, the rest when it is asked for or at the end."""
    path = tmp_path / "dead.jsonl"
    letters = DeadLetters(str(path), "f1", clock=lambda: WHEN, most=3, age=None)
    counts = []
    for number in range(5):
        letters.keep_undecodable(Place("in", number), DecodeError("empty", str(number).encode()))
        counts.append(path.read_bytes().count(b"\n"))
    letters.flush()
    counts.append(path.read_bytes().count(b"\n"))
    found = notification({"id": "v-1", "size": "big"})
    letters.keep(Place("in", 9), found, parse_definitions(STRICT).convert(found))
    letters.close()
    counts.append(path.read_bytes().count(b"\n"))
    assert counts == [0, 0, 3, 3, 3, 5, 6]
    (last,) = (one for one in open_dead_letters(str(path)).read() if one.fate == "partial")
    assert (last.place, last.first, last.definitions) == ("in:9", WHEN, "f1")


def test_a_letter_waits_no_longer_than_its_age(tmp_path: Path) -> None:
    """One that no other follows is made durable without being asked for."""
    path = tmp_path / "dead.jsonl"
    letters = DeadLetters(str(path), age=0.001)
    letters.keep_undecodable(Place("in", 1), DecodeError("empty", b""))
    patience = time.monotonic() + 60
    while not path.stat().st_size and time.monotonic() < patience:
        pass
    assert len(kept(open_dead_letters(str(path)))) == 1
    letters.close()


def test_letters_that_cannot_be_kept() -> None:
    """Whoever adds the next, or closes, is told."""
    letters = DeadLetters("/dev/full", most=2, age=None)
    letters.keep_undecodable(Place("in", 1), DecodeError("empty", b""))
    with pytest.raises(RetryableDeliveryError, match="dead letters /dev/full"):
        letters.keep_undecodable(Place("in", 2), DecodeError("empty", b"1"))
    with pytest.raises(RetryableDeliveryError, match="dead letters /dev/full"):
        letters.close()


def test_no_place() -> None:
    """What could not be read is not kept where no place is named, and what is refused cannot be."""
    letters = DeadLetters(None)
    letters.keep_undecodable(Place("in", 1), DecodeError("empty", b""))
    assert not letters.kept
    with pytest.raises(PublisherURLError, match="a://: there is no place for dead letters"):
        letters.undelivered("a://", "")
    letters.close()


def test_refused_items_are_kept_at_once(tmp_path: Path) -> None:
    """With what they were made of; a publisher may have a place of its own."""
    letters = DeadLetters(str(tmp_path / "all"), "f1", clock=lambda: WHEN)
    one, other, origin = sample("1"), sample("2"), notification()
    batch = Batch(samples=[one, other], origins={identity_of(one): origin})
    letters.undelivered("a://", "")(batch, [Refused(one, "no"), Refused(other, "never")])
    letters.undelivered("b://", str(tmp_path / "own"))(batch, [Refused(one, "no")])
    found = [kept(open_dead_letters(str(tmp_path / name))) for name in ("all", "own")]
    assert found == [
        sorted(
            (
                letter_of_item("a://", Refused(one, "no"), origin, WHEN, "f1"),
                letter_of_item("a://", Refused(other, "never"), None, WHEN, "f1"),
            ),
            key=lambda made: made.id,
        ),
        [letter_of_item("b://", Refused(one, "no"), origin, WHEN, "f1")],
    ]
    letters.close()


# --- choosing --------------------------------------------------------------------------------------------------------


LETTERS = [
    letter("aa", reason="no timestamp", errors=[{"reason": "no timestamp"}]),
    letter(
        "ab", fate="partial", event_type="volume.create.end", tenant="p-1", reason="trait x: not an int", last=LATER
    ),
    letter("b", fate="undelivered", event_type="volume.size", tenant="p-2", reason="too large", publisher="a://"),
    letter("c", first=None, last=None, fate="rejected", event_type="[x]", reason="trait y: required"),
]
CHOICES = {
    "everything": (Choice(), "aa ab b c"),
    "an id": (Choice(ids=["ab"]), "ab"),
    "how ids begin": (Choice(ids=["a", "c"]), "aa ab c"),
    "fates": (Choice(fates=["partial", "rejected"]), "ab c"),
    "a tenant": (Choice(tenants=["p-2"]), "b"),
    "nobody's": (Choice(tenants=[""]), "aa c"),
    "a reason": (Choice(reasons=["*not an int*"]), "ab"),
    "a reason is a whole one": (Choice(reasons=["not an int"]), ""),
    "an event type": (Choice(event_types=["volume.*"]), "ab b"),
    "brackets": (Choice(event_types=["[[]x]"]), "c"),
    "since": (Choice(since=LATER), "ab"),
    "until": (Choice(until=LATER), "aa b"),
    "several": (Choice(fates=["partial", "undelivered"], event_types=["volume.*"], tenants=["p-1", ""]), "ab"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_which_letters_are_meant(name: str) -> None:
    """All that is asked for holds of each; of several values of one thing, one does."""
    choice, ids = CHOICES[name]
    assert [one.id for one in choice.of(LETTERS)] == [letter(one).id for one in ids.split()]


def test_groups() -> None:
    """Letters with the same reason are one group, whatever is particular to each; one with two reasons is in two."""
    error = {"kind": "trait", "name": "size", "file": "d.yaml", "line": 4, "reason": "not an int: 'big'"}
    other = {**error, "name": "at", "line": 5, "reason": "not a time"}
    everything, groups = group(
        [
            letter("1", fate="partial", errors=[error, other, error], last=LATER, count=3),
            letter("2", fate="partial", errors=[{**error, "reason": "not an int: 'huge'"}]),
            letter("3", errors=[{"reason": "not JSON: Expecting value at line 1, column 7"}], first=None),
            letter("4", errors=[{"reason": "not JSON: Expecting value at line 9, column 1"}]),
            letter("5", fate="undelivered", publisher="a://", errors=[{"reason": "12345 bytes are more than 100"}]),
        ]
    )
    assert (everything.letters, everything.count, everything.first, everything.last) == (5, 7, WHEN, LATER)
    assert [(key, found.letters, found.count, found.first, found.last) for key, found in groups] == [
        (Key("partial", "not an int", "d.yaml:4", "trait size"), 2, 4, WHEN, LATER),
        (Key("undecodable", "not JSON: Expecting value at line …, column …"), 2, 2, WHEN, WHEN),
        (Key("partial", "not a time", "d.yaml:5", "trait at"), 1, 3, WHEN, LATER),
        (Key("undelivered", "… bytes are more than 100", publisher="a://"), 1, 1, WHEN, WHEN),
    ]


@pytest.mark.parametrize(
    ("reason", "alike"),
    [
        ("not an ISO 8601 time", "not an ISO 8601 time"),
        ("status 413: 1,048,577 bytes", "status 413: … bytes"),
        ("event 57c4e980-391e-4293-b345-77a133125d60 of 57c4e980391e4293b34577a133125d60", "event … of …"),
        ("""'a' is not "b" """, "… is not … "),
    ],
)
def test_reasons_that_are_alike(reason: str, alike: str) -> None:
    """Texts, ids and large numbers tell no reasons apart; small numbers do."""
    assert plain(reason) == alike


# --- replaying -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeadLetterPlace]:
    for url in place_url(request.param, request, tmp_path):
        opened = open_dead_letters(url)
        yield opened
        opened.close()


def memory() -> Any:
    return open_publisher("memory://")


def replay(
    place: DeadLetterPlace, definitions: str, *targets: Target, letters: Sequence[DeadLetter] | None = None, **more: Any
) -> tuple[int, int, dict[str, int], str]:
    report = Replay(place, loaded(definitions), targets, **more).run(place.read() if letters is None else letters)
    return report.letters, report.replayed, dict(report.reasons), report.error


def found_in(publisher: Any) -> set[Identity]:
    return {identity_of(item) for item in (*publisher.events, *publisher.samples, *publisher.periods)}


REJECTED = notification({"volume": "v-1", "size": 4, "tenant_id": "p-1"}, message_id="m-1")
PARTIAL = notification({"id": "v-2", "size": "big", "tenant_id": "p-1"}, message_id="m-2")
EVENT_1, EVENT_2 = ("event", "p-1", "m-1"), ("event", "p-1", "m-2")


def test_a_replay_delivers_and_settles(place: DeadLetterPlace) -> None:
    """What today's definitions read is published and settled, the rest stays and is counted; again, nothing changes."""
    place.add([problematic(REJECTED), problematic(PARTIAL), letter("bad", original="x", reason="no JSON")])
    publisher = memory()
    target = Target("memory://", publisher)
    why = "not JSON: Expecting value at line …, column …"
    assert replay(place, LENIENT, target) == (3, 2, {why: 1}, "")
    assert found_in(publisher) == {EVENT_1, EVENT_2}
    assert [(one.id, one.attempts, one.count) for one in place.read()] == [(letter("bad").id, 1, 1)]
    assert replay(place, LENIENT, target) == (1, 0, {why: 1}, "")
    assert [one.attempts for one in place.read()] == [2]


def test_a_rehearsal_changes_nothing(place: DeadLetterPlace) -> None:
    """It says what a replay would do, and that remains true."""
    place.add([problematic(REJECTED), problematic(PARTIAL), letter("bad", original="x")])
    before = kept(place)
    report = rehearse(place.read(), parse_definitions(LENIENT))
    assert (report.letters, report.replayed, report.failing) == (3, 2, 1)
    assert kept(place) == before


@pytest.fixture
def file(tmp_path: Path) -> Iterator[DeadLetterPlace]:
    place = open_dead_letters(str(tmp_path / "dead.jsonl"))
    yield place
    place.close()


@pytest.mark.parametrize(("replace", "size"), [(False, None), (True, 4)])
def test_partial_letters_add_what_was_missing(file: DeadLetterPlace, replace: bool, size: int | None) -> None:
    """The sample that was missing comes; an event that is there stays as it is, or is corrected with `replace`."""
    found = notification({"id": "v-2", "gb": 4, "size": "big", "tenant_id": "p-1"})
    before = f"{STRICT}---\n{METERS}"
    after = before.replace("payload.size", "payload.gb")
    was = loaded(before).convert(found)
    assert (was.event is not None, was.samples) == (True, ())
    publisher = memory()
    publisher.publish(Batch([was.event]))  # type: ignore[list-item]
    file.add([problematic(found, before)])
    assert replay(file, after, Target("m", publisher), replace=replace) == (1, 1, {}, "")
    assert [event.traits.get("size") for event in publisher.events] == [size]
    assert [one.volume for one in publisher.samples] == [4]
    assert kept(file) == []


def test_what_is_better_but_not_good_is_published_once(file: DeadLetterPlace) -> None:
    """A rejected notification that gives an event now gives it, and stays as a partial letter that is not repeated."""
    found = notification({"volume": "v-1", "size": "big"})
    file.add([problematic(found)])
    assert [one.fate for one in file.read()] == ["rejected"]
    half = STRICT.replace("{fields: payload.id, required: true}", "payload.volume")
    publisher = memory()
    why = "trait size: not an int: invalid literal for int() with base 10: …"
    assert replay(file, half, Target("m", publisher)) == (1, 0, {why: 1}, "")
    assert len(publisher.events) == 1
    (left,) = file.read()
    assert (left.fate, left.count, left.attempts, left.first, left.place) == ("partial", 1, 1, WHEN, "in.jsonl:3")
    again = memory()
    assert replay(file, half, Target("m", again)) == (1, 0, {why: 1}, "")
    assert (len(again.events), [one.attempts for one in file.read()]) == (0, [2])


def test_what_can_be_decoded_now(file: DeadLetterPlace) -> None:
    """It gives events, or a letter of its own in the place of the old one."""
    whole, half = (
        json.dumps(
            [
                {
                    "message_id": f"m-{size}",
                    "event_type": "volume.x",
                    "timestamp": "2026-08-01",
                    "payload": {"size": size},
                }
            ]
        )
        for size in (4, "big")
    )
    file.add([letter("a", original=whole), letter("b", original=half, count=3)])
    publisher = memory()
    definitions = "- {event_type: volume.*, traits: {size: {fields: payload.size, type: int}}}"
    assert replay(file, definitions, Target("m", publisher))[:2] == (2, 1)
    assert [event.message_id for event in publisher.events] == ["m-4", "m-big"]
    (left,) = file.read()
    assert (left.fate, left.message_id, left.count, left.attempts) == ("partial", "m-big", 3, 1)


def test_nothing_to_publish_is_not_delivered(file: DeadLetterPlace) -> None:
    """What goes to no publisher, and a notification of which nothing is made, stay until they are dropped."""
    file.add([problematic(REJECTED)])
    elsewhere = Target("m", memory(), Route([Source(None, None)]))
    assert replay(file, LENIENT, elsewhere) == (1, 0, {"it goes to none of the publishers": 1}, "")
    options = Options(drop_unmatched_notifications=True)
    nothing = parse_definitions("- {event_type: image.*, traits: {}}", options=options)
    assert rehearse(file.read(), nothing).reasons == {NOTHING: 1}
    assert len(kept(file)) == 1


def test_undelivered_items(file: DeadLetterPlace) -> None:
    """The item is made again of its notification, and is published alone; without that, it is published as it was."""
    conversion = parse_definitions(LENIENT).convert(REJECTED)
    event, record = conversion.event, making.usage()
    assert event is not None
    old = msgspec.structs.replace(event, traits={})
    gone = msgspec.structs.replace(sample("gone"), name="gone")
    file.add(
        [
            letter_of_item("a://", Refused(old, "no"), REJECTED, WHEN),
            letter_of_item("a://", Refused(record, "no"), None, WHEN),
            letter_of_item("a://", Refused(gone, "no"), REJECTED, WHEN),
        ]
    )
    publisher = memory()
    assert replay(file, LENIENT, Target("m", publisher)) == (3, 2, {GONE: 1}, "")
    assert (publisher.events, publisher.samples, publisher.records) == ([event], [], [record])


def test_an_undelivered_sample_that_has_another_id_now() -> None:
    """Of several samples of a meter that of its resource is published, and not those that were delivered."""
    definitions = parse_definitions(
        "metric: [{name: '$.payload.all[*].name', event_type: volume, type: gauge, unit: GiB,"
        " volume: '$.payload.all[*].size', resource_id: '$.payload.all[*].id', lookup: [resource_id, volume]}]"
    )
    origin = notification({"all": [{"name": "size", "id": f"v-{number}", "size": number} for number in (1, 2)]})
    samples = definitions.convert(origin).samples
    assert [one.resource_id for one in samples] == ["v-1", "v-2"]
    letter = letter_of_item("a://", Refused(msgspec.structs.replace(samples[1], id="old"), "no"), origin, WHEN)
    assert convert_again(letter, definitions).items == (samples[1],)


def test_undelivered_items_go_to_who_refused_them(file: DeadLetterPlace) -> None:
    """Where that publisher is among those that are named; else to all of them."""
    file.add([letter_of_item(name, Refused(sample(name), "no"), None, WHEN) for name in ("a://", "c://")])
    first, second = memory(), memory()
    assert replay(file, LENIENT, Target("a://", first), Target("b://", second)) == (2, 2, {}, "")
    assert [[one.id for one in publisher.samples] for publisher in (first, second)] == [["a://", "c://"], ["c://"]]


def test_a_target_that_is_away(file: DeadLetterPlace, tmp_path: Path) -> None:
    """Nothing is settled that one of them does not have, no attempt is counted, and the rest waits."""
    file.add([problematic(REJECTED), problematic(PARTIAL)])
    taken = memory()
    away = open_publisher("file:///dev/full")
    before = kept(file)
    letters, replayed, reasons, error = replay(file, LENIENT, Target("m", taken), Target("full", away))
    assert (letters, replayed, reasons, error) == (0, 0, {}, "/dev/full: No space left on device")
    assert kept(file) == before
    assert replay(file, LENIENT, Target("m", taken)) == (2, 2, {}, "")
    assert found_in(taken) == {EVENT_1, EVENT_2}


UPTIME = """\
metric:
  - name: database.uptime
    event_type: trove[.]instance[.]exists$
    type: delta
    unit: h
    resource_id: $.payload.id
    period: {begin: $.payload.begin, end: $.payload.end, while: {$.payload.state: active}}
"""


def test_periods_are_counted_once(file: DeadLetterPlace, tmp_path: Path) -> None:
    """A ledger gets the claims of a letter, however often it is replayed, and its records are published."""
    payload = {"id": "db-1", "begin": "2026-08-01 00:00:00", "end": "2026-08-01 01:00:00", "state": "active"}
    found = notification(payload, event_type="trove.instance.exists", timestamp="2026-08-01 01:00:00")
    made = letter_of_conversion(Place("in", 1), found, parse_definitions("[]").convert(found), WHEN)
    publisher = open_publisher(f"sqlite:///{tmp_path}/store.db")
    definitions = parse_definitions(UPTIME)
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    for _ in range(2):
        file.add([made])
        report = Replay(file, definitions, [Target("s", publisher)], ledger=ledger).run(file.read())
        assert (report.letters, report.replayed) == (1, 1)
    ledger.close()
    publisher.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        assert connection.execute("SELECT quantity, revision FROM usage").fetchall() == [("1", 1)]
        assert connection.execute("SELECT count(*) FROM periods").fetchall() == [(1,)]


def test_fates_are_all_there() -> None:
    """What is documented as a fate is one."""
    assert FATES == ("undecodable", "rejected", "partial", "undelivered")


def test_a_hundred_thousand_letters_take_little_memory(tmp_path: Path) -> None:
    """Letters are read one at a time: 200 MB of them are grouped in a fraction of that."""
    path = tmp_path / "dead.jsonl"
    with path.open("wb") as stream:
        for number in range(100_000):
            stream.write(write_letter(letter(f"{number:08x}", original="x" * 1800)) + b"\n")
    script = f"""
from eventdefs.deadletters import choosing, open_dead_letters
import resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
everything, _ = choosing.group(open_dead_letters({str(path)!r}).read())
print(everything.letters, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=True)
    count, kilobytes = map(int, ran.stdout.split())
    assert (count, kilobytes < 80_000) == (100_000, True), ran.stdout
