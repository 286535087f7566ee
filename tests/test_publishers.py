"""Publishers: what is delivered is there once, whole, and stays there whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import stevedore

from eventdefs import (
    Batch,
    Pipeline,
    Publisher,
    PublisherURLError,
    RetryableDeliveryError,
    Sink,
    open_publisher,
    parse_definitions,
)
from eventdefs.decode import decode_event
from eventdefs.metering.records import sample_of
from eventdefs.publishers import _BUILTIN as PUBLISHERS
from eventdefs.publishers import Delivered, PublisherURL
from eventdefs.thirdparty import registered
from eventdefs.types import Record
from tests.making import SENT, closure, event, gap, notification, period, refusal, sample, usage

EVERYTHING = Batch(
    [event("m-1"), event("m-2", size=4, name="é", ratio=0.5, at=datetime(2026, 8, 1, 12, tzinfo=UTC))],
    [sample("s-1"), sample("s-2", volume=1.5), sample_of(usage("u-1"))],
    [period("c-1"), period("c-2", dimensions={})],
    [usage("u-1"), usage("u-2", project_id=None, dimensions={}), gap(), refusal(), closure()],
)


class Target:
    """A publisher of one kind, and how to see what its target has."""

    def __init__(self, url: str, path: Path | None, read: Callable[[], list[str]] | None = None) -> None:
        self.url = url
        self.path = path
        self._read = read

    def open(self, options: str = "") -> Publisher:
        return open_publisher(self.url + options)

    def ids(self) -> list[str]:
        """Return the ids that are there, first of events, then of samples, periods and records."""
        assert self._read is not None
        return self._read()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def file_ids(path: Path) -> list[str]:
    return [line.get("id") or f"{line['tenant']}/{line['message_id']}" for line in lines(path)]


def rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute(statement).fetchall()


def sqlite_ids(path: Path) -> list[str]:
    found = rows(path, "SELECT tenant || '/' || message_id FROM events ORDER BY sequence")
    for table in ("samples", "periods", "usage", "usage_notes"):
        found += rows(path, f"SELECT id FROM {table} ORDER BY sequence")
    return [one for (one,) in found]


@pytest.fixture(params=["file", "sqlite"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A publisher that keeps what it is given."""
    path = tmp_path / f"out.{request.param}"
    if request.param == "file":
        return Target(f"file://{path}", path, lambda: file_ids(path))
    return Target(f"sqlite:///{path}", path, lambda: sqlite_ids(path))


IDS = ["p-1/m-1", "p-1/m-2", "s-1", "s-2", "u-1", "c-1", "c-2", "u-1", "u-2", "g-1", "r-1", "k-1"]


def test_a_batch_is_delivered_whole(target: Target) -> None:
    """When `publish` returns, everything is there; usage and its sample too, which have one id."""
    publisher = target.open()
    assert publisher.publish(EVERYTHING) == Delivered(12, 0)
    assert target.ids() == IDS
    publisher.close()
    assert target.ids() == IDS


def test_duplicates_are_harmless(target: Target) -> None:
    """Whatever is delivered twice, in one batch or over several runs, is there once."""
    publisher = target.open()
    twice = Batch(
        [*EVERYTHING.events] * 2, [*EVERYTHING.samples] * 2, [*EVERYTHING.periods] * 2, [*EVERYTHING.records] * 2
    )
    assert publisher.publish(twice) == Delivered(24, 12)
    assert publisher.publish(EVERYTHING) == Delivered(12, 12)
    publisher.close()
    publisher = target.open()
    assert publisher.publish(Batch([event("m-3"), event("m-1")], records=[usage("u-3"), usage("u-1")])) == Delivered(
        4, 2
    )
    publisher.close()
    assert sorted(target.ids()) == sorted([*IDS, "p-1/m-3", "u-3"])


@pytest.mark.parametrize("first", ["usage", "sample"])
def test_usage_and_its_sample_both_arrive(first: str, target: Target) -> None:
    """They share an id, and neither takes the place of the other: in one batch, in two, or over two runs."""
    parts = [Batch(records=[usage()]), Batch(samples=[sample_of(usage())])]
    for part in parts if first == "usage" else reversed(parts):
        publisher = target.open()
        assert publisher.publish(part) == Delivered(1, 0)
        assert publisher.publish(part) == Delivered(1, 1)
        publisher.close()
    assert sorted(target.ids()) == ["u-1", "u-1"]
    publisher = target.open()
    both = Batch(samples=[sample_of(usage("u-2"))], records=[usage("u-2")])
    assert publisher.publish(both) == Delivered(2, 0)
    publisher.close()
    assert sorted(target.ids()) == ["u-1", "u-1", "u-2", "u-2"]


def test_memory_keeps_each_once() -> None:
    """The publisher for tests gives back what it was given, once."""
    publisher: Any = open_publisher("memory://")
    assert publisher.publish(EVERYTHING) == Delivered(12, 0)
    assert publisher.publish(EVERYTHING) == Delivered(12, 12)
    assert (publisher.events, publisher.samples, publisher.periods, publisher.records) == (
        EVERYTHING.events,
        EVERYTHING.samples,
        EVERYTHING.periods,
        EVERYTHING.records,
    )


DISTINCT = [
    *(event("m-1", tenant) for tenant in ("p-1", "p-2", None, "None", "P-1", "p-1\nm")),
    *(event(message_id, "p-1") for message_id in ("m\nm-1", "M-1", "m-1 ", "m-1\0")),
]
"""Events that a careless identity would take for each other."""


@pytest.mark.parametrize("kind", ["file", "sqlite", "memory"])
def test_an_event_is_one_of_a_tenant(kind: str, tmp_path: Path) -> None:
    """Senders choose message ids: that of one tenant never takes the place of another's."""
    url = {"file": f"file://{tmp_path}/f", "sqlite": f"sqlite:///{tmp_path}/s", "memory": "memory://"}[kind]
    publisher = open_publisher(url)
    assert publisher.publish(Batch(DISTINCT)) == Delivered(len(DISTINCT), 0)
    publisher.close()


def test_an_empty_batch(target: Target) -> None:
    """Nothing to deliver is delivered."""
    publisher = target.open()
    assert publisher.publish(Batch()) == Delivered(0, 0)
    publisher.close()
    assert target.ids() == []


def test_closing_twice(target: Target) -> None:
    """Who closes what is closed does no harm."""
    publisher = target.open()
    publisher.close()
    publisher.close()


# --- values ----------------------------------------------------------------------------------------------------------

ODD = {
    "large": 10**30,
    "larger": 2**63,
    "negative": -(2**70),
    "nan": float("nan"),
    "infinite": float("inf"),
    "surrogate": "\ud800",
    "null": "a\0b",
    "newline": "a\r\nb\u2028c",
    "bell": "\x1b[31m\x07",
    "letter": "é\U0001f600",
    "old": datetime(1, 1, 1, tzinfo=UTC),
    "precise": datetime(2026, 8, 1, 1, 2, 3, 4, tzinfo=UTC),
}


def same(value: Any, other: Any) -> bool:
    return bool(value == other) or (value != value and other != other)


def test_values_in_a_file(tmp_path: Path) -> None:
    """Whatever a trait holds is one line, and is read back as it was."""
    given = event(**ODD)
    publisher = open_publisher(f"file://{tmp_path}/f")
    publisher.publish(Batch([given]))
    publisher.close()
    (line,) = (tmp_path / "f").read_bytes().split(b"\n")[:-1]
    read = decode_event(line)
    assert {name: value for name, value in ODD.items() if not same(read.traits[name], value)} == {}
    assert (read.message_id, read.tenant, read.generated) == ("m-1", "p-1", SENT)


def test_records_in_a_file(tmp_path: Path) -> None:
    """A record is one line, whatever senders put into its ids, and is read back as it was."""
    given = [usage(supersedes="u-0"), gap(), refusal(), closure()]
    odd = usage("u-2", resource_id="d\ud800\n", project_id=None, dimensions={"a\ud800": "b\0"})
    publisher = open_publisher(f"file://{tmp_path}/f")
    assert publisher.publish(Batch(records=[*given, odd])) == Delivered(5, 0)
    publisher.close()
    *written, last = (tmp_path / "f").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Record) for line in written] == given
    assert (json.loads(last)["resource_id"], json.loads(last)["dimensions"]) == ("d\ud800\n", {"a\ud800": "b\0"})


PRODUCTS = parse_definitions("""
- {event_type: "*", traits: {n: {type: int, fields: payload.n * payload.n}}}
""")


@pytest.mark.parametrize(
    "url", ["file://TMP/f", "file://TMP/f?format=ceilometer", "sqlite:///TMP/f", "stdout://", "stdout://?format=table"]
)
def test_one_odd_value_harms_no_other(url: str, tmp_path: Path) -> None:
    """A number of more digits than Python writes does not keep its neighbours from being delivered."""
    publisher = open_publisher(url.replace("TMP", str(tmp_path)))
    sink = Sink(publisher)
    with Pipeline(PRODUCTS, [sink]) as pipeline:
        for message_id, number in (("m-1", 1), ("m-2", 10**3000), ("m-3", 3)):
            pipeline.process(notification({"n": number}, message_id=message_id))
    assert (sink.error, sink.undelivered) == (None, 0)
    assert sink.published >= 2


def test_nan_in_metadata_beside_a_surrogate_is_json(tmp_path: Path) -> None:
    """What is written is JSON, which has no NaN, whichever way it is written."""
    publisher = open_publisher(f"file://{tmp_path}/f")
    publisher.publish(Batch((), [sample("s-1", metadata={"a": float("nan"), "b": "\ud800"})]))
    publisher.close()

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    assert json.loads((tmp_path / "f").read_bytes(), parse_constant=refuse)["metadata"] == {"a": None, "b": "\ud800"}


# --- formats ---------------------------------------------------------------------------------------------------------

NATIVE = [
    {
        "kind": "event",
        "message_id": "m-2",
        "event_type": "volume.create.end",
        "generated": "2026-08-01T01:02:03Z",
        "tenant": "p-1",
        "priority": "info",
        "publisher_id": "volume.host-1",
        "traits": {"size": 4, "name": "é", "ratio": 0.5, "at": "2026-08-01T12:00:00Z"},
        "types": {"at": "datetime"},
    },
    {
        "kind": "sample",
        "name": "volume.size",
        "type": "gauge",
        "unit": "GiB",
        "volume": 4,
        "resource_id": "v-1",
        "project_id": "p-1",
        "user_id": "u-1",
        "timestamp": "2026-08-01T01:02:03Z",
        "metadata": {"status": "available"},
        "id": "s-1",
    },
    {
        "kind": "period",
        "meter": "database.uptime",
        "unit": "h",
        "resource_id": "db-1",
        "project_id": "p-1",
        "user_id": "u-1",
        "begin": "2026-08-01T00:02:03Z",
        "end": "2026-08-01T01:02:03Z",
        "not_before": None,
        "timestamp": "2026-08-01T01:02:03Z",
        "dimensions": {"flavor": "7"},
        "message_id": "m-1",
        "id": "c-1",
        "not_after": None,
        "status": "running",
    },
]
_WHAT = {"meter": "database.uptime", "resource_id": "db-1"}
_SPAN = {"begin": "2026-08-01T00:00:00Z", "end": "2026-08-01T01:00:00Z"}
_HOUR = {"period_start": "2026-08-01T00:00:00Z", "period_end": "2026-08-01T01:00:00Z"}
_RECORDED = {"recorded_at": "2026-08-01T01:02:03Z"}
RECORDS: list[dict[str, Any]] = [
    {
        "kind": "usage",
        "id": "u-1",
        "meter": "database.uptime",
        "unit": "h",
        "resource_id": "db-1",
        "project_id": "p-1",
        "dimensions": {"flavor": "7"},
        **_HOUR,
        "timestamp": "2026-08-01T00:59:59.999000Z",
        "quantity": "0.5",
        "delta": "0.5",
        "seconds": "1800",
        "revision": 1,
        "supersedes": None,
        "state": "final",
        "closed_by": "coverage",
        "reason": "",
        "evidence": {"claims": 2, "witnesses": ["m-1", "m-2"], "digest": "d1", "definitions": "f1"},
        **_RECORDED,
        "sequence": 1,
    },
    {"kind": "gap", "id": "g-1", **_WHAT, **_SPAN, "state": "open", **_RECORDED, "sequence": 2},
    {
        "kind": "refusal",
        "id": "r-1",
        **_WHAT,
        "project_id": "p-1",
        **_SPAN,
        "message_id": "m-1",
        "reason": "too_late",
        **_RECORDED,
        "sequence": 3,
    },
    {
        "kind": "closure",
        "id": "k-1",
        "meter": "database.uptime",
        **_HOUR,
        "revision": 1,
        "count": 1,
        "quantity": "0.5",
        "digest": "d2",
        **_RECORDED,
        "sequence": 4,
    },
]
NATIVE += RECORDS
CEILOMETER = [
    {
        "message_id": "m-2",
        "event_type": "volume.create.end",
        "generated": "2026-08-01T01:02:03",
        "traits": [["size", 2, 4], ["name", 1, "é"], ["ratio", 3, 0.5], ["at", 4, "2026-08-01T12:00:00"]],
        "raw": {},
    },
    {
        "id": "s-1",
        "name": "volume.size",
        "type": "gauge",
        "unit": "GiB",
        "volume": 4,
        "user_id": "u-1",
        "user_name": None,
        "project_id": "p-1",
        "project_name": None,
        "resource_id": "v-1",
        "timestamp": "2026-08-01T01:02:03+00:00",
        "resource_metadata": {"status": "available"},
        "source": "openstack",
        "monotonic_time": None,
    },
]
FORMATS = {"": NATIVE, "?format=native": NATIVE, "?format=ceilometer": CEILOMETER}
ONE_EACH = Batch(
    EVERYTHING.events[1:], EVERYTHING.samples[:1], EVERYTHING.periods[:1], [usage(), gap(), refusal(), closure()]
)


@pytest.mark.parametrize(("option", "expected"), FORMATS.items())
def test_formats(
    option: str, expected: list[dict[str, Any]], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Files and standard output have the same lines, in the order of their keys too."""
    publisher = open_publisher(f"file://{tmp_path}/f{option}")
    publisher.publish(ONE_EACH)
    publisher.close()
    assert lines(tmp_path / "f") == expected
    assert [list(line) for line in lines(tmp_path / "f")] == [list(line) for line in expected]


TABLE = """\
2026-08-01 00:59:59  usage   database.uptime                   p-1       0.5 h of db-1
2026-08-01 01:02:03  event   volume.create.end                 p-1       size=4 name=é ratio=0.5 at=2026-08-01T12:00:00Z
2026-08-01 01:02:03  sample  volume.size                       p-1       4 GiB of v-1
2026-08-01 01:02:03  period  database.uptime                   p-1       \
2026-08-01T00:02:03Z to 2026-08-01T01:02:03Z of db-1
2026-08-01 01:02:03  gap     database.uptime                   -         \
2026-08-01T00:00:00Z to 2026-08-01T01:00:00Z of db-1, open
2026-08-01 01:02:03  refused database.uptime                   p-1       \
2026-08-01T00:00:00Z to 2026-08-01T01:00:00Z of db-1, too late
2026-08-01 01:02:03  closure database.uptime                   -         0.5 in 1 from 2026-08-01T00:00:00Z
"""
TABLE_OF_USAGE = """\
2026-08-01 00:59:59  sample  database.uptime                   p-1       0.5 h of db-1
2026-08-01 00:59:59  usage   database.uptime                   p-1       0.5 h of db-1
2026-08-01 00:59:59  usage   database.uptime                   -         0.75 h of db-1, revision 2
2026-08-01 01:02:03  period  database.uptime                   p-1       \
2026-08-01T00:02:03Z to 2026-08-01T01:02:03Z of db-1, ending
"""


def shown(option: str, batch: Batch) -> str:
    """Return what standard output shows of *batch*."""
    script = (
        "import sys; sys.stdout.buffer.write(b'')\n"
        "from tests.test_publishers import *\n"
        "open_publisher(sys.argv[1]).publish(BATCHES[sys.argv[2]])\n"
    )
    names = [name for name, value in BATCHES.items() if value is batch]
    ran = subprocess.run(
        [sys.executable, "-c", script, f"stdout://{option}", names[0]], stdout=subprocess.PIPE, check=True
    )
    return ran.stdout.decode()


HOSTILE = event("m-1", name="\x1b[2Ja\r\nb\u202ec\ud800\x9b31m", **{"\x1b]0;t\x07": 1})
BATCHES = {
    "one each": ONE_EACH,
    "hostile": Batch(
        [HOSTILE], [sample("s-1", resource_id="v\x1b[0m\n")], records=[usage(resource_id="\x07db", timestamp=SENT)]
    ),
    "usage": Batch(
        samples=[sample_of(usage()), sample_of(usage("u-2")), sample_of(usage("u-3"))],
        periods=[period(status="ending")],
        records=[usage("u-2"), usage("u-3", project_id=None, revision=2, quantity="0.75")],
    ),
}


def test_lines_on_standard_output() -> None:
    """Each line is one document."""
    assert [json.loads(line) for line in shown("", ONE_EACH).splitlines()] == NATIVE


def test_table() -> None:
    """For people: when, what, whose, and what it says, in the order of the times."""
    assert shown("?format=table", ONE_EACH) == TABLE


def test_a_table_obeys_nobody() -> None:
    """What a terminal would obey, and what would break a line, is written out."""
    assert shown("?format=table", BATCHES["hostile"]) == (
        "2026-08-01 01:02:03  event   volume.create.end                 p-1       "
        "name=\\x1b[2Ja\\r\\nb\\u202ec\\ud800\\x9b31m \\x1b]0;t\\x07=1\n"
        "2026-08-01 01:02:03  sample  volume.size                       p-1       4 GiB of v\\x1b[0m\\n\n"
        "2026-08-01 01:02:03  usage   database.uptime                   p-1       0.5 h of \\x07db\n"
    )


def test_a_table_shows_usage_once() -> None:
    """A sample that says what a usage record beside it says is left out."""
    assert shown("?format=table", BATCHES["usage"]) == TABLE_OF_USAGE


# --- URLs ------------------------------------------------------------------------------------------------------------

KNOWN = f"known are {', '.join(sorted(PUBLISHERS))}"
FILE_OPTIONS = "format, duplicates, max_bytes, backup_count, rotate, gzip, fsync, mode, json"
BAD_URLS = {
    "no scheme": ("events.db", "'events.db' is no URL of a publisher, as sqlite:///events.db is"),
    "nothing": ("", "'' is no URL of a publisher, as sqlite:///events.db is"),
    "no scheme, a secret option": ("h?token=secret", "'h' is no URL of a publisher, as sqlite:///events.db is"),
    "an unknown scheme": ("kafak://broker/topic", f"no publisher for kafak://, {KNOWN}"),
    "an unknown option": (
        "file://TMP/f?fromat=native",
        "file://TMP/f: unknown option 'fromat' (did you mean 'format'?), known are " + FILE_OPTIONS,
    ),
    "an option where there is none": ("memory://?a=1", "memory://: unknown option 'a', known are none"),
    "a value it does not take": (
        "file://TMP/f?format=xml",
        "file://TMP/f: Invalid enum value 'xml' - at `$.format`",
    ),
    "no number": ("sqlite:///TMP/s?timeout=soon", "sqlite:///TMP/s: Expected `float`, got `str` - at `$.timeout`"),
    "an option twice": (
        "file://TMP/f?format=native&format=native",
        "file://...: the option format is written twice",
    ),
    "an option without a value": ("file://TMP/f?format", "file://TMP/f: Invalid enum value 'true' - at `$.format`"),
    "an option without a name": ("file://TMP/f?=native", "file://...: an option has no name"),
    "no file": ("file://", "file:// names no file, as file:///var/lib/events.jsonl does"),
    "a folder": ("file://TMP/", "file://TMP/ names no file, as file:///var/lib/events.jsonl does"),
    "a folder without its slash": ("file://TMP", "file://TMP cannot be opened: Is a directory"),
    "a folder that is not there": ("file://TMP/no/f", "file://TMP/no/f cannot be opened: No such file or directory"),
    "no database": ("sqlite://", "sqlite:// names no file, as sqlite:///events.db does"),
    "a database on a host": ("sqlite://events.db", "sqlite://events.db names no file, as sqlite:///events.db does"),
    "a database that cannot be": (
        "sqlite:///TMP/no/s",
        "sqlite:///TMP/no/s cannot be opened: unable to open database file",
    ),
    "a password is not shown": (
        "sqlite://me:secret@host?timeout=1",
        "sqlite://host names no file, as sqlite:///events.db does",
    ),
}


class Other:
    """A third party's publisher."""

    class Options(msgspec.Struct, frozen=True):
        """Its options."""

        size: int = 1

    def __init__(self, url: PublisherURL, options: Options) -> None:
        self.url = url
        self.options = options


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install `Other` as `other`, and `broken`."""

    def look_up(namespace: str, _: list[str], on_load_failure_callback: Any, **__: Any) -> list[SimpleNamespace]:
        assert namespace == "eventdefs.publishers"
        on_load_failure_callback(None, SimpleNamespace(name="broken"), ImportError("No module named 'gone'"))
        return [SimpleNamespace(name="other", plugin=Other), SimpleNamespace(name="memory", plugin=Other)]

    monkeypatch.setattr(stevedore, "NamedExtensionManager", look_up)
    registered.cache_clear()
    yield
    registered.cache_clear()


@pytest.mark.usefixtures("third_party")
def test_third_party_publishers() -> None:
    """Entry points of the namespace are publishers like ours, which they cannot replace."""
    opened: Any = open_publisher("other://me:secret@host/path?size=3")
    assert (type(opened), opened.url.target, opened.url.text, opened.options.size) == (
        Other,
        "me:secret@host/path",
        "other://host/path",
        3,
    )
    assert type(open_publisher("memory://")) is not Other
    messages = {
        "other://?size=many": "other://: Expected `int`, got `str` - at `$.size`",
        "another://": f"no publisher for another://, known are {', '.join(sorted([*PUBLISHERS, 'other']))}",
        "broken://": "'broken' is registered and fails to load: ImportError: No module named 'gone'",
    }
    for url, message in messages.items():
        with pytest.raises(PublisherURLError) as raised:
            open_publisher(url)
        assert str(raised.value) == message


@pytest.mark.parametrize(("url", "message"), BAD_URLS.values(), ids=BAD_URLS)
def test_bad_urls(url: str, message: str, tmp_path: Path) -> None:
    """What is wrong with a URL is said before anything is opened, without its secrets."""
    with pytest.raises(PublisherURLError) as raised:
        open_publisher(url.replace("TMP", str(tmp_path)))
    assert str(raised.value) == message.replace("TMP", str(tmp_path))
    assert "secret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_path_may_be_escaped(tmp_path: Path) -> None:
    """What a URL cannot hold is written with %."""
    for scheme in ("file://", "sqlite:///"):
        open_publisher(f"{scheme}{tmp_path}/a%20b%3F").close()
    assert (tmp_path / "a b?").exists()


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`file://f` and `sqlite:///s` are in the current directory."""
    monkeypatch.chdir(tmp_path)
    for url in ("file://f.jsonl", "sqlite:///s.db", "FILE://g.jsonl"):
        open_publisher(url).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.jsonl", "g.jsonl", "s.db"]


# --- processes -------------------------------------------------------------------------------------------------------


def python(script: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start *script*, which has all names of this module."""
    text = "from tests.test_publishers import *\n" + textwrap.dedent(script)
    return subprocess.Popen([sys.executable, "-c", text, *arguments], **options)


HOLD = """
    publisher = open_publisher(sys.argv[1])
    publisher.publish(Batch([event("held")]))
    print("open", flush=True)
    sys.stdin.read()
    publisher.close()
"""


def test_one_process_writes_a_file(tmp_path: Path) -> None:
    """The second is told so, and the file stays as the first writes it."""
    path = tmp_path / "f"
    with python(HOLD, f"file://{path}", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        before = path.read_bytes()
        with pytest.raises(PublisherURLError) as raised:
            open_publisher(f"file://{path}")
        assert str(raised.value) == f"file://{path} is being written by another process"
        assert path.read_bytes() == before
        holder.communicate()
    publisher = open_publisher(f"file://{path}")
    publisher.publish(Batch([event("held"), event("m-2")]))
    publisher.close()
    assert file_ids(path) == ["p-1/held", "p-1/m-2"]


COUNT = """
    publisher = open_publisher(sys.argv[1])
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        publisher.publish(Batch([event(f"m-{number}-{index}") for index in range(5)], [sample(f"s-{number}")]))
    publisher.close()
"""


def size(path: Path) -> int:
    """Return how many bytes *path* and what SQLite keeps beside it have."""
    total = 0
    for file in path.parent.glob(f"{path.name}*"):
        with contextlib.suppress(FileNotFoundError):  # SQLite removes its files as it likes
            total += file.stat().st_size
    return total


def write_and_kill(target: Target, after: int) -> None:
    """Let another process write to *target*, and kill it when there are more than *after* bytes."""
    assert target.path is not None
    with python(COUNT, target.url, "0", "1000000") as writer:
        try:
            until = time.monotonic() + 30
            while writer.poll() is None and time.monotonic() < until and size(target.path) <= after:
                pass
        finally:
            writer.kill()
    assert writer.returncode == -signal.SIGKILL


@pytest.mark.parametrize("after", [1, 60_000, 400_000])
def test_killed_in_the_middle(after: int, target: Target) -> None:
    """A process that is killed while it writes loses and tears nothing that running again would not put right."""
    write_and_kill(target, after)
    publisher = target.open()
    done = len(target.ids())
    publisher.close()
    batches = done // 6 + 10
    with python(COUNT, target.url, "0", str(batches)) as again:
        pass
    assert again.returncode == 0
    expected = [f"p-1/m-{number}-{index}" for number in range(batches) for index in range(5)]
    assert sorted(target.ids()) == sorted([*expected, *(f"s-{number}" for number in range(batches))])


# --- files that something happened to ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [2, 20, 100])
@pytest.mark.parametrize("options", ["", "?duplicates=keep", "?format=ceilometer"])
def test_a_torn_last_line_is_cut_off(cut: int, options: str, tmp_path: Path) -> None:
    """What a crash left of a line goes, and the line is written when it is delivered again."""
    path = tmp_path / "f"
    publisher = open_publisher(f"file://{path}{options}")
    publisher.publish(Batch([event("m-1"), event("m-2"), event("m-3")]))
    publisher.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    publisher = open_publisher(f"file://{path}{options}")
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])
    publisher.publish(Batch([event("m-3")]))
    publisher.close()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("options", ["", "?format=ceilometer"])
def test_a_last_line_that_lacks_its_end_only_is_kept(options: str, tmp_path: Path) -> None:
    """A line that is whole but for its line end is ended, and is known."""
    path = tmp_path / "f"
    publisher = open_publisher(f"file://{path}{options}")
    publisher.publish(Batch([event("m-1"), event("m-2")]))
    publisher.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    publisher = open_publisher(f"file://{path}{options}")
    assert path.read_bytes() == whole
    assert publisher.publish(Batch([event("m-2")])) == Delivered(1, 1)
    publisher.close()
    assert path.read_bytes() == whole


FOREIGN = {
    "text": b"hello\n",
    "other JSON": b'{"a": 1}\n',
    "a list": b"[1]\n",
    "a number": b"5\n",
    "an event of Ceilometer's form": b'{"message_id": "m", "event_type": "e", "traits": []}\n',
    "a good line and then text": b'{"kind":"sample","id":"s-1"}\nhello\n',
    "text without an end": b"hello",
    "bytes": b"\x00\xff\xfe",
    "JSON without an end": b'{"a": 1}',
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00",
    "bytes and then a torn line": b"\x89PNG\r\n\x1a",
}


@pytest.mark.parametrize("data", [b"hello", b'{"a": 1}', b"# notes\nof mine"])
def test_nothing_is_cut_off_a_foreign_file(data: bytes, tmp_path: Path) -> None:
    """Even where duplicates are kept, so that a file is not read, only a line of ours is cut off."""
    path = tmp_path / "f"
    path.write_bytes(data)
    with contextlib.suppress(PublisherURLError):
        open_publisher(f"file://{path}?duplicates=keep").close()
    assert path.read_bytes().startswith(data)


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_not_touched(data: bytes, target: Target) -> None:
    """A file that somebody else wrote is refused and stays as it is."""
    assert target.path is not None
    target.path.write_bytes(data)
    with pytest.raises(PublisherURLError, match=r"was not written by this publisher|file is not a database"):
        target.open()
    assert target.path.read_bytes() == data


# --- disks that are full ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Let files of this process grow to so many bytes only."""
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def many(begin: int, end: int) -> Batch:
    return Batch([event(f"m-{number}", text="x" * 100) for number in range(begin, end)])


def test_a_full_disk(target: Target, small_files: Callable[[int], None]) -> None:
    """A batch that does not fit is not there at all, and goes in when there is room again."""
    assert target.path is not None
    publisher = target.open()
    publisher.publish(many(0, 10))
    small_files(target.path.stat().st_size + size(target.path) + 2_000)
    with pytest.raises(RetryableDeliveryError) as raised:
        publisher.publish(many(10, 2_000))
    assert str(raised.value).startswith(f"{target.path}: ")
    assert sorted(target.ids()) == sorted(f"p-1/m-{number}" for number in range(10))
    small_files(resource.RLIM_INFINITY)
    assert publisher.publish(many(10, 2_000)) == Delivered(1_990, 0)
    publisher.close()
    assert sorted(target.ids()) == sorted(f"p-1/m-{number}" for number in range(2_000))


def test_a_device_that_is_full() -> None:
    """The same of what is no regular file."""
    publisher = open_publisher("file:///dev/full")
    with pytest.raises(RetryableDeliveryError, match="/dev/full: No space left on device"):
        publisher.publish(EVERYTHING)
    publisher.close()


def test_standard_output_that_is_full() -> None:
    """An output that takes nothing is a delivery that failed, like that of every publisher."""
    script = """
        try:
            open_publisher("stdout://").publish(EVERYTHING)
        except RetryableDeliveryError as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(7)
    """
    with Path("/dev/full").open("wb") as full:
        ran = python(script, stdout=full, stderr=subprocess.PIPE)
        _, said = ran.communicate()
    assert (ran.returncode, b"No space left on device" in said) == (7, True)


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """What is no regular file takes every line, since nothing can be read back of it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    publisher = open_publisher(f"file://{path}")
    publisher.publish(Batch([event("m-1")]))
    publisher.publish(Batch([event("m-1")]))
    publisher.close()
    assert os.read(reader, 10_000).count(b'"message_id":"m-1"') == 2
    os.close(reader)


def test_duplicates_may_be_kept(tmp_path: Path) -> None:
    """With `duplicates=keep` every line is written, and nothing is remembered."""
    for _ in range(2):
        publisher = open_publisher(f"file://{tmp_path}/f?duplicates=keep")
        assert publisher.publish(Batch([event("m-1")])) == Delivered(1, 0)
        publisher.close()
    assert file_ids(tmp_path / "f") == ["p-1/m-1"] * 2
