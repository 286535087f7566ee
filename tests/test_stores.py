"""Stores: what was published is found again, by type, time, tenant and traits; and the commands that ask."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import EventdefsError, PublisherURLError, open_publisher
from eventdefs.cli import COULD_NOT, FINE, main
from eventdefs.definitions.patterns import PatternIndex, parse_pattern
from eventdefs.publishers import Batch
from eventdefs.publishers.sql import SCHEMA_VERSION
from eventdefs.stores import EventQuery, SampleQuery, open_store
from eventdefs.stores.conditions import OPERATORS, Condition, parse_condition
from eventdefs.types import Event
from tests.making import SENT, event, sample

TOP = Path(__file__).resolve().parent.parent
MINUTE = timedelta(minutes=1)
LATER = "2026-08-01T01:11:03Z"


def at(minute: int) -> datetime:
    return SENT + minute * MINUTE


def one(number: int, kind: str = "volume.create.end", tenant: str | None = "p-1", **traits: Any) -> Event:
    """Return the event of a minute."""
    plain = event(f"m-{number}", tenant, **traits)
    return Event(
        plain.message_id, kind, at(number), tenant, plain.priority, plain.publisher_id, plain.traits, raw={"n": number}
    )


EVENTS = [
    one(0, size=4, ratio=0.5, created=at(0), name="a"),
    one(1, "volume.delete.end", size=8, name="b*"),
    one(2, "image.create", "p-2", size="4"),
    one(3, "image.update", None, ratio=float("inf")),
    one(4, "volume.create.start", "p-2", size=10, created=at(9)),
]
SAMPLES = [
    sample("s-0", timestamp=at(0), volume=4),
    sample("s-1", timestamp=at(1), volume=2.5, name="image.size", project_id=None, metadata={"a": {"b": 1}, "a.c": 2}),
    sample("s-2", timestamp=at(2), volume=2**70, resource_id="v-2", project_id="p-2"),
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a file that holds `EVENTS` and `SAMPLES`."""
    text = f"sqlite:///{tmp_path}/s.db"
    publisher = open_publisher(text)
    publisher.publish(Batch(EVENTS, SAMPLES))
    publisher.close()
    return text


def where(*texts: str) -> tuple[Condition, ...]:
    return tuple(parse_condition(text) for text in texts)


EVENT_QUERIES: dict[str, tuple[EventQuery, list[int]]] = {
    "everything": (EventQuery(), [0, 1, 2, 3, 4]),
    "a type": (EventQuery(parse_pattern(["image.create"])), [2]),
    "a glob": (EventQuery(parse_pattern(["volume.*", "!*.start"])), [0, 1]),
    "exclusions alone": (EventQuery(parse_pattern(["!volume.*"])), [2, 3]),
    "a time": (EventQuery(begin=at(1), end=at(3)), [1, 2]),
    "a tenant": (EventQuery(tenant="p-2"), [2, 4]),
    "nobody": (EventQuery(tenant=""), [3]),
    "a message": (EventQuery(message_id="m-1"), [1]),
    "a number": (EventQuery(conditions=where("size>=8")), [1, 4]),
    "a number is not its text": (EventQuery(conditions=where("size=4")), [0, 2]),
    "text compares as text": (EventQuery(conditions=where("size<5", "name!=b")), [0]),
    "what is missing never matches": (EventQuery(conditions=where("name!=zzz")), [0, 1]),
    "a time of a trait": (EventQuery(conditions=where("created>2026-08-01T01:05:00Z")), [4]),
    "not finite": (EventQuery(conditions=where("ratio>1e300")), [3]),
    "a glob of a value": (EventQuery(conditions=where("name~b*")), [1]),
    "what it cannot be": (EventQuery(conditions=where("size>large")), []),
    "the newest": (EventQuery(newest=2), [3, 4]),
    "the newest of a kind": (EventQuery(parse_pattern(["volume.*"]), newest=2), [1, 4]),
    "later ones": (EventQuery(after=3), [3, 4]),
}


@pytest.mark.parametrize(("query", "expected"), EVENT_QUERIES.values(), ids=EVENT_QUERIES)
def test_events(url: str, query: EventQuery, expected: list[int]) -> None:
    """Events come back whole, each with its sequence."""
    store = open_store(url)
    assert [event for _, event in store.events(query)] == [EVENTS[number] for number in expected]
    assert [sequence for sequence, _ in store.events(query)] == [number + 1 for number in expected]
    store.close()


SAMPLE_QUERIES: dict[str, tuple[SampleQuery, list[int]]] = {
    "everything": (SampleQuery(), [0, 1, 2]),
    "a meter": (SampleQuery(parse_pattern(["volume.size"])), [0, 2]),
    "a time": (SampleQuery(begin=at(1), end=at(2)), [1]),
    "a tenant": (SampleQuery(tenant="p-2"), [2]),
    "nobody": (SampleQuery(tenant=""), [1]),
    "a resource": (SampleQuery(resource_id="v-2"), [2]),
    "a volume": (SampleQuery(conditions=where("volume>3")), [0, 2]),
    "metadata": (SampleQuery(conditions=where("a.b=1", "a.c=2")), [1]),
    "the newest": (SampleQuery(newest=1), [2]),
}


@pytest.mark.parametrize(("query", "expected"), SAMPLE_QUERIES.values(), ids=SAMPLE_QUERIES)
def test_samples(url: str, query: SampleQuery, expected: list[int]) -> None:
    """Samples come back whole, a volume that SQLite has no number for too."""
    store = open_store(url)
    assert [sample for _, sample in store.samples(query)] == [SAMPLES[number] for number in expected]
    assert (store.last("events"), store.last("samples")) == (5, 3)
    store.close()


@given(
    globs=st.lists(st.text("ab.*?[]!", min_size=1, max_size=5), min_size=1, max_size=3),
    kinds=st.lists(st.text("ab.[]", min_size=1, max_size=4), min_size=1, max_size=5, unique=True),
)
def test_patterns_mean_what_definitions_mean(tmp_path_factory: Any, globs: list[str], kinds: list[str]) -> None:
    """A pattern of event types finds what a definition with it would apply to."""
    url = f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db"
    publisher = open_publisher(url)
    publisher.publish(Batch([one(number, kind) for number, kind in enumerate(kinds)]))
    publisher.close()
    store = open_store(url)
    found = [event.event_type for _, event in store.events(EventQuery(parse_pattern(globs)))]
    store.close()
    assert found == [kind for kind in kinds if PatternIndex([parse_pattern(globs)]).last(kind) is not None]


def test_order(tmp_path: Path) -> None:
    """By time, and at one time as they were committed; or all as they were committed. The newest are the last in it."""
    text = f"sqlite:///{tmp_path}/s.db"
    publisher = open_publisher(text)
    minutes = (5, 1, 3, 1)
    for number, minute in enumerate(minutes):
        late = msgspec.structs.replace(one(number), generated=at(minute))
        publisher.publish(Batch([late], [sample(f"s-{number}", timestamp=at(minute))]))
    publisher.close()
    store = open_store(text)
    for ask, query in ((store.events, EventQuery()), (store.samples, SampleQuery())):
        orders: list[tuple[Any, list[int]]] = [
            (query, [2, 4, 3, 1]),
            (query._replace(newest=3), [4, 3, 1]),
            (query._replace(by="sequence"), [1, 2, 3, 4]),
            (query._replace(by="sequence", newest=2), [3, 4]),
            (query._replace(by="sequence", after=1, through=3), [2, 3]),
            (query._replace(after=1, through=3), [2, 3]),
            (query._replace(newest=0), []),
        ]
        for asked, expected in orders:
            assert [sequence for sequence, _ in ask(asked)] == expected  # type: ignore[operator]
    store.close()


PLANS: dict[str, tuple[EventQuery | SampleQuery, str]] = {
    "a tenant's": (
        EventQuery(tenant="p-1", begin=at(0)),
        "SEARCH events USING COVERING INDEX events_by_time (tenant=? AND generated",
    ),
    "nobody's": (
        EventQuery(tenant="", end=at(0)),
        "SEARCH events USING COVERING INDEX events_by_time (tenant=? AND generated",
    ),
    "a type's": (
        EventQuery(parse_pattern(["image.create"]), begin=at(0)),
        "SEARCH events USING COVERING INDEX events_by_type (event_type=? AND generated>?)",
    ),
    "two types'": (
        EventQuery(parse_pattern(["image.create", "image.delete"])),
        "SEARCH events USING COVERING INDEX events_by_type (event_type=?)",
    ),
    "a glob's": (
        EventQuery(parse_pattern(["image.*"])),
        "SEARCH events USING COVERING INDEX events_by_type (event_type>? AND event_type<?)",
    ),
    "a time's": (
        EventQuery(begin=at(0)),
        "SEARCH events USING COVERING INDEX events_by_time (tenant=? AND generated>?)",
    ),
    "a glob's at a time": (
        EventQuery(parse_pattern(["image.*"]), begin=at(0)),
        "SEARCH events USING INDEX events_by_time (tenant=? AND generated>?)",
    ),
    "a message's": (EventQuery(message_id="m-1"), "USING INDEX sqlite_autoindex_events_1 (tenant=? AND message_id=?)"),
    "a tenant's message's": (
        EventQuery(message_id="m-1", tenant="p-1"),
        "USING INDEX sqlite_autoindex_events_1 (tenant=? AND message_id=?)",
    ),
    "all": (EventQuery(newest=1), "SCAN events USING COVERING INDEX"),
    "later ones": (EventQuery(after=3, by="sequence"), "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"),
    "a meter's": (
        SampleQuery(parse_pattern(["volume.size"]), begin=at(0)),
        "USING COVERING INDEX samples_by_meter (project_id=? AND name=? AND timestamp>?)",
    ),
    "meters'": (
        SampleQuery(parse_pattern(["volume.*"]), tenant="p-1"),
        "USING COVERING INDEX samples_by_meter (project_id=? AND name>? AND name<?)",
    ),
    "later samples": (SampleQuery(after=1, by="sequence"), "SEARCH samples USING INTEGER PRIMARY KEY (rowid>?)"),
}


@pytest.mark.parametrize(("query", "expected"), PLANS.values(), ids=PLANS)
def test_indexes_are_used(url: str, query: EventQuery | SampleQuery, expected: str) -> None:
    """What has an index is not looked for in the whole table, and what is sorted is nothing but keys."""
    asked: list[str] = []
    store: Any = open_store(url)
    store._connection.set_trace_callback(asked.append)
    list(store.events(query) if isinstance(query, EventQuery) else store.samples(query))
    plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert any(expected in step for step in plan), plan
    assert [
        step for step in plan if step.startswith("SCAN") and "each_tenant" not in step and "COVERING" not in step
    ] == []
    assert "traits" not in asked[0]
    store.close()


TENANTS = (None, "p-1", "p-2")
GLOBS = (
    "*",
    "volume.*",
    "volume.create",
    "!volume.*",
    "*.create",
    "image.?elete",
    "[vi]*",
    "volume.\ud7ff*",
    "!*.create",
)
KINDS = ("volume.create", "volume.delete", "volume", "image.delete", "volume.\ud7ffx", "image\0create", "")
rows = st.lists(
    st.tuples(st.sampled_from(TENANTS), st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 3)), max_size=12
)
queries = st.fixed_dictionaries(
    {
        "names": st.none() | st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2),
        "begin": st.none() | st.integers(0, 5),
        "end": st.none() | st.integers(0, 5),
        "tenant": st.none() | st.sampled_from(("", "p-1", "p-2", "p-3")),
        "limit": st.none() | st.integers(0, 4),
        "by": st.sampled_from(("time", "sequence")),
        "after": st.integers(0, 4),
        "size": st.none() | st.integers(0, 3),
    }
)


@given(rows=rows, queries=st.lists(queries, min_size=1, max_size=8))
def test_every_question_is_answered_as_if_each_row_was_looked_at(
    tmp_path_factory: Any, rows: list[tuple[str | None, str, int, int]], queries: list[dict[str, Any]]
) -> None:
    """Whatever index a question goes through, the rows and their order are those of the plain reading of it."""
    text = f"sqlite:///{tmp_path_factory.mktemp('store')}/s.db"
    publisher = open_publisher(text)
    for number, (tenant, kind, minute, size) in enumerate(rows):
        row = msgspec.structs.replace(one(number, kind, tenant, size=size), generated=at(minute))
        drawn = sample(f"s-{number}", name=kind, project_id=tenant, timestamp=at(minute), volume=size)
        publisher.publish(Batch([row], [drawn]))
    publisher.close()
    store = open_store(text)
    for asked in queries:
        pattern = None if asked["names"] is None else parse_pattern(asked["names"])
        expected = [
            (at(minute), number)
            for number, (tenant, kind, minute, size) in enumerate(rows, 1)
            if (pattern is None or PatternIndex([pattern]).last(kind) is not None)
            and (asked["begin"] is None or minute >= asked["begin"])
            and (asked["end"] is None or minute < asked["end"])
            and asked["tenant"] in (None, tenant or "")
            and number > asked["after"]
            and asked["size"] in (None, size)
        ]
        expected.sort(key=lambda row: row if asked["by"] == "time" else row[1])
        kept = [number for _, number in expected]
        kept = (
            kept
            if asked["limit"] is None
            else kept[len(kept) - asked["limit"] :]
            if asked["limit"] < len(kept)
            else kept
        )
        span = {"after": asked["after"], "newest": asked["limit"], "by": asked["by"], "tenant": asked["tenant"]}
        span |= {name: None if asked[name] is None else at(asked[name]) for name in ("begin", "end")}
        on = [() if asked["size"] is None else where(f"{name}={asked['size']}") for name in ("size", "volume")]
        events = store.events(EventQuery(pattern, conditions=on[0], **span))
        samples = store.samples(SampleQuery(pattern, conditions=on[1], **span))
        assert [number for number, _ in events] == kept
        assert [number for number, _ in samples] == kept
    store.close()


def test_a_value_is_never_part_of_the_question(url: str) -> None:
    """What somebody else wrote is compared, and not obeyed."""
    store = open_store(url)
    hostile = "' OR 1=1; DROP TABLE events; --"
    assert list(store.events(EventQuery(tenant=hostile))) == []
    assert list(store.events(EventQuery(parse_pattern([hostile]), message_id=hostile))) == []
    assert len(list(store.events(EventQuery()))) == 5
    store.close()


def test_conditions_are_read() -> None:
    """Each operator, with and without blanks; the name ends at the first of them."""
    for sign in OPERATORS:
        assert parse_condition(f" a.b {sign} x=y ") == Condition("a.b", sign, "x=y")
    for wrong in ("", "a", "=4", "  "):
        with pytest.raises(ValueError, match="is no condition"):
            parse_condition(wrong)


REFUSED = {
    "no file": ("sqlite:///{folder}/none.db", "there is no such file"),
    "no store": ("sqlite:///{folder}/other.db", "is no store of events"),
    "no database": ("sqlite:///{folder}/text.db", "cannot be read: file is not a database"),
    "a later schema": ("sqlite:///{folder}/later.db", f"has schema {SCHEMA_VERSION + 1}"),
    "no name": ("sqlite://", "names no file"),
    "an option that there is not": ("sqlite:///{folder}/later.db?timout=1", r"unknown option 'timout' \(did you mean"),
    "no store at all": ("stdout://", "cannot be asked, sqlite:// can"),
}


@pytest.mark.parametrize(("url", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked(tmp_path: Path, url: str, said: str) -> None:
    """It says why, and makes no file."""
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (a)").connection.close()
    (tmp_path / "text.db").write_text("not a database" * 100)
    open_publisher(f"sqlite:///{tmp_path}/later.db").close()
    with sqlite3.connect(tmp_path / "later.db") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(PublisherURLError, match=said):
        open_store(url.format(folder=tmp_path))
    assert not (tmp_path / "none.db").exists()


# --- the commands -----------------------------------------------------------------------------------------------------


def test_events_as_text(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line an event, as `run` writes them; only the traits that are asked for."""
    assert main(["events", url, "--type", "volume.*", "--traits", "size,name", "--newest", "3"]) == FINE
    assert capsys.readouterr().out == (
        "2026-08-01 01:02:03  event   volume.create.end                 p-1       size=4 name=a\n"
        "2026-08-01 01:03:03  event   volume.delete.end                 p-1       size=8 name=b*\n"
        "2026-08-01 01:06:03  event   volume.create.start               p-2       size=10\n"
    )


def test_events_as_json_are_what_was_published(url: str, capsysbinary: Any) -> None:
    """Our own form, which can be published again."""
    from eventdefs.decode import decode_event

    assert main(["events", url, "--format", "json"]) == FINE
    assert [decode_event(line) for line in capsysbinary.readouterr().out.splitlines()] == EVENTS


def test_events_as_csv(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A column a trait that is asked for."""
    assert main(["events", url, "--format", "csv", "--traits", "created,name", "--where", "size>=8"]) == FINE
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [
        ["generated", "event_type", "tenant", "message_id", "priority", "publisher_id", "created", "name"],
        ["2026-08-01T01:03:03Z", "volume.delete.end", "p-1", "m-1", "info", "volume.host-1", "", "b*"],
        [
            *[
                "2026-08-01T01:06:03Z",
                "volume.create.start",
                "p-2",
                "m-4",
                "info",
                "volume.host-1",
                "2026-08-01T01:11:03Z",
            ],
            "",
        ],
    ]


def test_samples_command(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By meter, tenant and volume, in each form."""
    assert main(["samples", url, "--meter", "volume.*", "--where", "volume>3", "--tenant", "p-1"]) == FINE
    assert capsys.readouterr().out == (
        "2026-08-01 01:02:03  sample  volume.size                       p-1       4 GiB of v-1\n"
    )
    assert main(["samples", url, "--format", "json", "--newest", "1"]) == FINE
    assert json.loads(capsys.readouterr().out)["id"] == "s-2"
    assert main(["samples", url, "--format", "csv", "--resource", "v-2"]) == FINE
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(row["volume"]) == 2**70


WRONG = {
    "a condition": (["--where", "size"], "'size' is no condition"),
    "a number": (["--newest", "0"], "'0' is no number above 0"),
    "a time": (["--from", "tomorrow"], "'tomorrow' is"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_asked_for(
    url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """It says what was expected."""
    with pytest.raises(SystemExit) as ended:
        main(["events", url, *arguments])
    assert ended.value.code == COULD_NOT
    assert said in capsys.readouterr().err


def test_interval_that_is_none(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A time that is none is refused before anything is written."""
    for wrong in ("0", "-1", "nan", "inf", "1e9"):
        assert main(["events", url, "-f", f"--interval={wrong}"]) == COULD_NOT
        assert capsys.readouterr() == ("", "eventdefs: --interval is a time above 0, and at most 86400 s\n")


def test_no_time_at_all(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An end before the beginning is a mistake, and no question to which nothing is the answer."""
    for command in ("events", "samples"):
        assert main([command, url, "--from", "2026-08-02", "--to", "2026-08-01"]) == COULD_NOT
        assert "there is no time from --from to --to" in capsys.readouterr().err


def test_conditions_on_times(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A time may be before now; a trait that is no time is then compared with the text."""
    far = f"-{365 * 100}d"
    for condition, found in ((f"created>{far}", ["m-0", "m-4"]), (f"created<{far}", []), ("name=-2h", [])):
        assert main(["events", url, "--format", "json", "--where", condition]) == FINE
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["message_id"] for row in rows] == found


def test_rows_of_others(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that eventdefs did not write is said with its number, after those before it were shown."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE events SET traits = '{bad' WHERE sequence = 2")
        connection.execute("UPDATE samples SET metadata = '{bad' WHERE sequence = 2")
    connection.close()
    for command, said in (("events", "row 2 of events"), ("samples", "row 2 of samples")):
        assert main([command, url]) == COULD_NOT
        told = capsys.readouterr()
        assert f"{said} is none that eventdefs wrote" in told.err
        assert len(told.out.splitlines()) == 1


AS_ANOTHER = """
import os, sys
import eventdefs.cli.events, eventdefs.publishers.sql.publisher, eventdefs.stores.sqlite  # while they can be read
from eventdefs.stores import EventQuery, open_store
if not os.geteuid():
    os.setuid(65534)
sys.stdout.write(f"{eventdefs.cli.main(['events', sys.argv[1], '--newest', '1'])}\\n")
store = open_store(sys.argv[1])
rows = store.events(EventQuery())
next(rows)
sys.stdout.write("begun\\n")
sys.stdout.flush()
sys.stdin.readline()
try:
    list(rows)
except Exception as error:
    sys.stdout.write(f"{error}\\n")
"""


def test_somebody_who_may_only_read(url: str) -> None:
    """A file that nobody has open is read by who may write nothing beside it; what changes meanwhile is noticed."""
    folder = Path(tempfile.mkdtemp())  # which others may enter, as they may not a test's own
    file = folder / "s.db"
    shutil.copy(url.removeprefix("sqlite:///"), file)
    folder.chmod(0o555)
    child = subprocess.Popen(
        [sys.executable, "-c", AS_ANOTHER, f"sqlite:///{file}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        assert "volume.create.start" in child.stdout.readline()
        assert [child.stdout.readline() for _ in range(2)] == ["0\n", "begun\n"]
        os.utime(file, (1, 1))
        told, _ = child.communicate("\n", timeout=60)
        assert told == f"{file} was written meanwhile: ask again\n"
    finally:
        child.kill()
        child.communicate()
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_another_file_in_its_place(url: str) -> None:
    """Whoever follows is told, and does not wait for what can never come."""
    name = url.removeprefix("sqlite:///")
    store = open_store(url)
    assert store.last("events") == len(EVENTS)
    os.rename(name, f"{name}.old")
    with pytest.raises(EventdefsError, match="is gone"):
        store.last("events")
    open_publisher(url).close()
    with pytest.raises(EventdefsError, match="is another file now"):
        store.last("events")
    store.close()


@pytest.fixture
def follower(url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "eventdefs", "events", url, "-f", "--interval", "0.02", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    )
    yield process
    process.kill()
    process.communicate()


def test_follow(url: str, follower: subprocess.Popen[str]) -> None:
    """What is published later is written once, from one writer after the other; Ctrl-C ends it, and is no failure."""
    assert follower.stdout is not None
    seen = [json.loads(follower.stdout.readline())["message_id"] for _ in EVENTS]
    for first in range(100, 400, 100):
        publisher = open_publisher(url)
        for number in range(first, first + 100):
            publisher.publish(Batch([one(number), one(number)]))
        publisher.close()
        seen += [json.loads(follower.stdout.readline())["message_id"] for _ in range(100)]
    assert seen == [f"m-{number}" for number in (*range(5), *range(100, 400))]
    follower.send_signal(signal.SIGINT)
    assert follower.wait(timeout=30) == FINE
    assert follower.communicate() == ("", "")
